/* SPDX-License-Identifier: MIT */
/* Between two blocking calls nobody drives the loop, so none may return while a chunk lock is held: others would wait
 * for it up to two minutes, and the length of the file would not be known. So the last operation in flight on a loop
 * of our own is told when all locks are given back. An attached loop goes on by itself; there the writer's own timer
 * does it. */
#include "mfsproto/chunk/inner.h"

#include <stdlib.h>

struct mfs_ending {
        struct ri_list link;
        struct ri_op *op;
        struct mfs_inode *ino;
        unsigned losses; /* of ino, when it began to wait */
};

static void ending_free(struct mfs_ending *e)
{
        struct mfs_inode *ino = e->ino;

        ri_list_del(&e->link);
        free(e);
        mfs_inode_put(ino);
}

static void ending_cancel(struct ri_op *op)
{
        struct mfs_ending *e = op->impl;

        ri_list_for_each(it, &e->ino->data->locked)
        {
                struct mfs_writer *w = ri_list_entry(it, struct mfs_writer, in_locked);

                if (w->call.op == op)
                        w->call.op = NULL;
        }
        ending_free(e);
}

struct ri_op *mfs_ending_op(const struct mfs_data *d)
{
        return ri_list_empty(&d->ending) ? NULL : ri_list_entry(d->ending.next, struct mfs_ending, link)->op;
}

void mfs_op_finish(struct mfs_inode *ino, struct ri_op *op)
{
        struct mfs_data *d = ino->data;
        struct mfs_ending *e;

        op->impl = NULL;
        if (!d->loop->hooks->turn || ri_list_empty(&d->locked) || mfs_others_running(d->loop, op) ||
            (e = calloc(1, sizeof *e)) == NULL) {
                ri_op_finish(op);
                return;
        }
        e->op = op;
        e->ino = ino;
        e->losses = ino->losses;
        ino->refs++;
        op->impl = e;
        op->cancel = ending_cancel;
        if (op->outcome == ROMA_UNKNOWN)
                op->outcome = ROMA_DONE; /* every replica has it */
        ri_op_waits(op, "the end of a chunk's lock", mfs_session_server(d->session));
        ri_list_add_tail(&d->ending, &e->link);
        ri_list_for_each(it, &d->locked)
        {
                mfs_writer_hurry(ri_list_entry(it, struct mfs_writer, in_locked));
        }
}

void mfs_endings_tell(struct mfs_data *d)
{
        struct ri_list *it;

        if (!ri_list_empty(&d->locked) || ri_list_empty(&d->ending))
                return;
        mfs_session_flush_times(d->session);
        while ((it = ri_list_first(&d->ending)) != NULL) {
                struct mfs_ending *e = ri_list_entry(it, struct mfs_ending, link);
                struct mfs_inode *ino = e->ino;
                struct ri_op *op = e->op;

                op->impl = NULL;
                if (ino->losses != e->losses) {
                        struct ri_error error = ino->lost_error;

                        ri_op_fail_error(op, &error);
                } else {
                        ri_op_finish(op);
                }
                ending_free(e);
        }
}

static void tell_run(struct ri_task *t)
{
        mfs_endings_tell(ri_container_of(t, struct mfs_data, tell));
}

void mfs_endings_tell_soon(struct mfs_data *d)
{
        if (ri_list_empty(&d->ending))
                return;
        d->tell.run = tell_run;
        ri_task_queue(d->loop, &d->tell);
}
