/* SPDX-License-Identifier: MIT */
/* Waiting for all writers of an inode: every acknowledgement and every WRITE_CHUNK_END of what was queued before. */
#include "mfsproto/chunk/inner.h"

#include <stdlib.h>

struct mfs_drain_one {
        struct ri_list link;
        struct mfs_drain *drain;
        struct mfs_barrier barrier;
};

static void all_done(struct ri_task *t)
{
        struct mfs_drain *d = ri_container_of(t, struct mfs_drain, task);

        d->active = false;
        d->done(d);
}

static void one_fired(struct mfs_barrier *b)
{
        struct mfs_drain_one *one = ri_container_of(b, struct mfs_drain_one, barrier);
        struct mfs_drain *d = one->drain;

        ri_list_del(&one->link);
        free(one);
        if (ri_list_empty(&d->ones))
                ri_task_queue(d->loop, &d->task);
}

static void no_memory(struct ri_task *t)
{
        struct mfs_drain *d = ri_container_of(t, struct mfs_drain, task);

        /* without room for a barrier wait until the writers happen to be gone */
        ri_timer_start(d->loop, &d->again, 10);
}

static void again(struct ri_timer *t)
{
        struct mfs_drain *d = ri_container_of(t, struct mfs_drain, again);

        d->active = false;
        mfs_drain_start(d, d->ino, d->op, d->done);
}

/* Data wait for a chunkserver; when there are none, what is missing is the master's word. */
static void say(struct ri_op *op, struct mfs_inode *ino)
{
        const char *what = "the end of the writes before", *server = mfs_session_server(ino->data->session);

        ri_list_for_each(it, &ino->writers)
        {
                struct mfs_writer *w = ri_list_entry(it, struct mfs_writer, in_inode);

                if (mfs_writer_has_parts(w) && w->waits) {
                        what = w->waits;
                        server = w->waits_server;
                        break;
                }
        }
        ri_op_waits(op, what, server);
}

void mfs_drain_start(struct mfs_drain *d, struct mfs_inode *ino, struct ri_op *op,
                     void (*done)(struct mfs_drain *d))
{
        d->loop = ino->data->loop;
        d->ino = ino;
        d->op = op;
        d->done = done;
        d->active = true;
        ri_list_init(&d->ones);
        ri_list_init(&d->task.link);
        d->task.queued = false;
        d->task.run = all_done;
        ri_heap_node_init(&d->again.node);
        d->again.fire = again;
        d->again.loop = NULL;
        ri_list_for_each(it, &ino->writers)
        {
                struct mfs_writer *w = ri_list_entry(it, struct mfs_writer, in_inode);
                struct mfs_drain_one *one;

                if (!mfs_writer_busy(w))
                        continue;
                one = calloc(1, sizeof *one);
                if (!one) {
                        d->task.run = no_memory;
                        break;
                }
                one->drain = d;
                ri_list_add_tail(&d->ones, &one->link);
                mfs_barrier_add(w, &one->barrier, one_fired);
        }
        if (d->task.run == no_memory) {
                while (!ri_list_empty(&d->ones)) {
                        struct mfs_drain_one *one =
                                ri_list_entry(ri_list_pop(&d->ones), struct mfs_drain_one, link);

                        mfs_barrier_cancel(&one->barrier);
                        free(one);
                }
        }
        if (ri_list_empty(&d->ones))
                ri_task_queue(d->loop, &d->task);
        else
                say(op, ino);
}

void mfs_drain_cancel(struct mfs_drain *d)
{
        if (!d->active)
                return;
        d->active = false;
        ri_task_drop(&d->task);
        ri_timer_stop(&d->again);
        while (!ri_list_empty(&d->ones)) {
                struct mfs_drain_one *one = ri_list_entry(ri_list_pop(&d->ones), struct mfs_drain_one, link);

                mfs_barrier_cancel(&one->barrier);
                free(one);
        }
}
