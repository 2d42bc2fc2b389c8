/* SPDX-License-Identifier: MIT */
/* The writer of stores with folders: bytes go to a temporary in the target's folder, which takes the target's name when
 * all is there. What is no regular file (a pipe, a device) is written in place instead.
 *
 * Opening:    stat of the target, at the same time as the temporary is made -> its mode and owner to the temporary
 * Committing: fsync -> times -> close -> rename (if-absent: rename without replacing, or link and unlink)
 *             in place: fsync -> close
 *             with RI_RENAME_OPEN: fsync -> times -> rename -> fsync -> close
 * Giving up:  close and unlink, as operations that go on while the store closes */
#include "core/folder_writer.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void remove_all(struct fw *f);

/* Common */

roma_opts ri_fw_limits(const struct fw *f)
{
        if (f->op)
                return ri_child_opts(f->op);
        return (roma_opts)ROMA_OPTS_INIT;
}

static void fw_free(struct fw *f)
{
        free(f->target);
        free(f->temp);
        free(f);
}

/* Nothing is left. */
void ri_fw_gone(struct fw *f)
{
        roma_writer *w = f->w;

        w->impl = NULL;
        fw_free(f);
        ri_writer_gone(w);
}

static void fw_cancel(struct ri_op *op)
{
        struct fw *f = op->impl;

        f->op = NULL;
        if (f->removing)
                return; /* goes on with nobody waiting */
        ri_op_drop(op->loop, f->child);
        ri_op_drop(op->loop, f->look);
        f->child = f->look = 0;
        remove_all(f);
}

void ri_fw_waits_for(struct fw *f, struct ri_op *op)
{
        f->op = op;
        ri_compose(op, f, fw_cancel);
}

/* The operation is over for us. */
struct ri_op *ri_fw_let_go(struct fw *f)
{
        struct ri_op *op = f->op;

        f->op = NULL;
        if (op) {
                op->cancel = NULL;
                op->impl = NULL;
        }
        return op;
}

void ri_fw_give_up(struct fw *f, const struct ri_error *e)
{
        f->why = *e;
        f->fail = true;
        ri_op_drop(f->store->loop, f->look);
        f->look = 0;
        remove_all(f);
}

void ri_fw_give_up_from(struct fw *f, const roma_result *r)
{
        struct ri_error e;

        ri_error_from(&e, r);
        ri_fw_give_up(f, &e);
}

/* Adopts a child that has started; gives up when it has not. */
void ri_fw_step(struct fw *f, roma_op child)
{
        const roma_result *r = &f->store->loop->refused;
        struct ri_error e;

        f->child = child;
        if (child) {
                if (f->op)
                        ri_adopt(f->op, child);
                return;
        }
        ri_error_set(&e, r->code ? r->code : ROMA_ENOMEM, NULL, "%s",
                     r->code ? f->store->loop->error : "out of memory");
        ri_fw_give_up(f, &e);
}

/* Giving up */

static void removed(void *arg, const roma_result *r)
{
        struct fw *f = arg;
        struct ri_op *op = ri_fw_let_go(f);
        char *temp = f->temp;
        bool fail = f->fail;
        struct ri_error e = f->why;

        f->temp = NULL;
        f->child = 0;
        if (r && r->code && r->code != ROMA_ENOENT) {
                size_t n = strlen(e.text);

                if (!fail)
                        ri_error_from(&e, r);
                else
                        snprintf(e.text + n, sizeof(e.text) - n,
                                 "; the temporary %.100s could not be removed, gc will", temp);
                fail = true;
        }
        ri_fw_gone(f);
        free(temp);
        if (op && fail)
                ri_op_fail_error(op, &e);
        else if (op)
                ri_op_finish(op);
}

void ri_fw_close_file(struct fw *f)
{
        roma_file *file = f->file;

        f->file = NULL;
        if (file && !ri_file_end(file))
                ri_file_drop(file);
}

static void remove_all(struct fw *f)
{
        roma_store *store = f->store;
        roma_opts o = ri_fw_limits(f);
        struct ri_op *op;

        f->removing = true;
        ri_fw_close_file(f);
        if (!f->made) {
                removed(f, NULL);
                return;
        }
        op = ri_op_new(store->loop, store, RI_ENDING, "unlink", f->temp, &o, removed, f);
        if (!op) {
                removed(f, NULL); /* no memory: gc will find it */
                return;
        }
        f->child = op->id;
        if (f->op)
                ri_op_set_parent(op, f->op);
        store->be->unlink(op, f->temp, ROMA_UNLINK_NO_TRASH);
}

void ri_fw_setattr(struct fw *f, const roma_attr *a, roma_done *done)
{
        roma_store *store = f->store;
        roma_opts o = ri_fw_limits(f);
        struct ri_op *op;

        if (!store->be->file_setattr) {
                ri_fw_step(f, roma_aio_setattr(store, f->temp ? f->temp : f->target, a, ROMA_NOFOLLOW, &o,
                                               done, f));
                return;
        }
        op = ri_op_new(store->loop, store, RI_SINGLE, "setattr", f->w->key, &o, done, f);
        if (op)
                store->be->file_setattr(op, f->file, a);
        ri_fw_step(f, ri_op_id(op));
}

/* Writing */

static void fw_write(struct ri_op *op, roma_writer *w, const void *data, size_t len, roma_buf *buf,
                     uint64_t offset)
{
        struct fw *f = w->impl;
        const struct ri_backend *be = f->store->be;
        struct iovec v = { (void *)(uintptr_t)data, len };

        if (buf && be->file_write_buf)
                be->file_write_buf(op, f->file, buf, offset);
        else
                be->file_pwritev(op, f->file, &v, 1, offset);
}

bool ri_writer_in_place(const roma_writer *w)
{
        const struct fw *f = w->impl;

        return w->ops == &ri_folder_writer && f->in_place;
}

bool ri_writer_any_order(const roma_writer *w)
{
        const struct fw *f = w->impl;

        return w->ops == &ri_folder_writer && f->store->be->stripe && !f->in_place && !w->digester;
}

static void fw_concat(struct ri_op *op, roma_writer *w, const char *key, uint64_t offset)
{
        struct fw *f = w->impl;

        f->store->be->file_concat(op, f->file, offset, key);
}

/* Committing */

static void committed(struct fw *f)
{
        struct ri_op *op = ri_fw_let_go(f);

        ri_op_set_attr(op, &f->now);
        ri_fw_gone(f);
        ri_op_finish(op);
}

/* RI_RENAME_OPEN: the order matters, and each step of it. CephFS journals the end of a writer's rights without flushing
 * its journal, and whoever opens the file next waits for that, up to 5 s. Measured there: fsync, close, rename makes
 * every first reader wait, with any kind of sync behind it too; fsync, rename, fsync, close makes none wait. The first
 * fsync is for the bytes: a name must never be given to bytes that are not safe. tests/ceph/first-download.sh guards it. */

static void closed_last(void *arg, const roma_result *r)
{
        struct fw *f = arg;

        (void)r; /* bytes and name are safe: that giving back the file failed changes nothing */
        f->child = 0;
        committed(f);
}

static void synced_last(void *arg, const roma_result *r)
{
        struct fw *f = arg;
        roma_opts o = ri_fw_limits(f);
        roma_file *file = f->file;

        f->child = 0;
        if (r->code) {
                f->op->outcome = ROMA_UNKNOWN; /* it has its name, but is that safe? */
                ri_fw_give_up_from(f, r);
                return;
        }
        f->file = NULL;
        ri_fw_step(f, roma_aio_file_close(file, &o, closed_last, f));
}

/* It has its name. */
static void named(struct fw *f)
{
        roma_opts o = ri_fw_limits(f);

        if (f->file)
                ri_fw_step(f, roma_aio_fsync(f->file, &o, synced_last, f));
        else
                committed(f);
}

static void not_committed(struct fw *f, const roma_result *r)
{
        f->op->outcome = ROMA_NOT_DONE;
        ri_fw_give_up_from(f, r);
}

static bool is_ours(const struct fw *f, const roma_result *r)
{
        return r->code == ROMA_OK && r->attr->mask & f->now.mask & ROMA_ATTR_INODE &&
               r->attr->inode == f->now.inode;
}

/* A rename that tells what the object is now (where it changes the ETag). */
static void take_attr(struct fw *f, const roma_result *r)
{
        if (r->attr && r->attr->mask & f->now.mask & ROMA_ATTR_INODE && r->attr->inode == f->now.inode)
                f->now = *r->attr;
}

static void temp_found(void *arg, const roma_result *r)
{
        struct fw *f = arg;

        f->child = 0;
        if (is_ours(f, r))
                f->op->outcome = ROMA_NOT_DONE;
        ri_fw_give_up(f, &f->why);
}

/* The answer to the rename was lost: is our object there? When it is not, somebody may have replaced it since; only the
 * temporary that still has its own name says that nothing was done. */
static void found_out(void *arg, const roma_result *r)
{
        struct fw *f = arg;
        roma_opts o = ri_fw_limits(f);

        f->child = 0;
        if (is_ours(f, r)) {
                take_attr(f, r);
                named(f);
        } else if (r->code == ROMA_OK || r->code == ROMA_ENOENT) {
                ri_fw_step(f, roma_aio_stat(f->store, f->temp, ROMA_NOFOLLOW, &o, temp_found, f));
        } else {
                ri_fw_give_up(f, &f->why);
        }
}

static void find_out(struct fw *f, const roma_result *r)
{
        roma_opts o = ri_fw_limits(f);

        ri_error_from(&f->why, r);
        if (f->store->be->flags & RI_NO_LOOK) {
                ri_fw_give_up(f, &f->why);
                return;
        }
        ri_fw_step(f, roma_aio_stat(f->store, f->target, ROMA_NOFOLLOW, &o, found_out, f));
}

static void second_name_gone(void *arg, const roma_result *r)
{
        struct fw *f = arg;

        (void)r; /* a temporary that stays is a second name of a good object; gc removes it */
        f->child = 0;
        named(f);
}

static void linked(void *arg, const roma_result *r)
{
        struct fw *f = arg;
        roma_opts o = ri_fw_limits(f);

        f->child = 0;
        if (r->code && r->outcome == ROMA_DONE)
                ri_fw_give_up_from(f, r); /* it has its name, which may be lost with the power */
        else if (r->code && r->outcome == ROMA_UNKNOWN)
                find_out(f, r);
        else if (r->code)
                not_committed(f, r);
        else
                ri_fw_step(f,
                           roma_aio_unlink(f->store, f->temp, ROMA_UNLINK_NO_TRASH, &o, second_name_gone, f));
}

static void renamed(void *arg, const roma_result *r)
{
        struct fw *f = arg;
        roma_opts o = ri_fw_limits(f);

        f->child = 0;
        if (r->code == ROMA_OK) {
                take_attr(f, r);
                named(f);
        } else if (r->code == ROMA_ENOTSUP && f->w->precondition == ROMA_IF_ABSENT) {
                ri_fw_step(f, roma_aio_link(f->store, f->temp, f->target, &o, linked, f));
        } else if (r->outcome == ROMA_DONE) {
                ri_fw_give_up_from(f, r); /* it has its name, which may be lost with the power */
        } else if (r->outcome == ROMA_UNKNOWN) {
                find_out(f, r);
        } else {
                not_committed(f, r);
        }
}

static void rename_it(struct fw *f)
{
        roma_opts o = ri_fw_limits(f);
        unsigned flags = f->w->precondition == ROMA_IF_ABSENT ? ROMA_RENAME_NOREPLACE : 0;

        f->op->outcome = ROMA_UNKNOWN;
        ri_fw_step(f, roma_aio_rename(f->store, f->temp, f->target, flags, &o, renamed, f));
}

static void closed(void *arg, const roma_result *r)
{
        struct fw *f = arg;

        f->child = 0;
        if (r->code)
                ri_fw_give_up_from(f, r);
        else if (f->in_place)
                committed(f);
        else
                rename_it(f);
}

static void close_it(struct fw *f)
{
        roma_opts o = ri_fw_limits(f);
        roma_file *file = f->file;

        f->file = NULL;
        ri_fw_step(f, roma_aio_file_close(file, &o, closed, f));
}

static void attributes_known(void *arg, const roma_result *r)
{
        struct fw *f = arg;

        f->child = 0;
        if (r->code) {
                ri_fw_give_up_from(f, r);
                return;
        }
        if (r->attr)
                f->now = *r->attr;
        if (f->store->be->flags & RI_RENAME_OPEN)
                rename_it(f);
        else
                close_it(f);
}

static void synced(void *arg, const roma_result *r)
{
        struct fw *f = arg;
        roma_opts o = ri_fw_limits(f);
        roma_attr a = f->w->attr;

        f->child = 0;
        if (r->code) {
                ri_fw_give_up_from(f, r);
                return;
        }
        a.mask &= ROMA_ATTR_ATIME | ROMA_ATTR_MTIME;
        /* Writing has cleared these bits. */
        a.mode = f->mode;
        if (f->mode & 06000)
                a.mask |= ROMA_ATTR_MODE;
        if (a.mask)
                ri_fw_setattr(f, &a, attributes_known);
        else
                ri_fw_step(f, roma_aio_fstat(f->file, &o, attributes_known, f));
}

/* A disk tells of bytes that it could not take here, and not when it is closed. */
static void in_place_synced(void *arg, const roma_result *r)
{
        struct fw *f = arg;

        f->child = 0;
        if (r->code)
                ri_fw_give_up_from(f, r);
        else
                close_it(f);
}

static void fw_commit(struct ri_op *op, roma_writer *w)
{
        struct fw *f = w->impl;
        roma_opts o;

        ri_fw_waits_for(f, op);
        o = ri_fw_limits(f);
        if (w->named) {
                free(f->target);
                f->target = w->named;
                w->named = NULL;
        }
        if (!f->in_place) {
                ri_fw_step(f, roma_aio_fsync(f->file, &o, synced, f));
                return;
        }
        op->outcome = ROMA_UNKNOWN; /* its bytes are there already */
        /* What is a file all the same is what a shell has opened as standard output, and the shell's affair. */
        if (f->now.type == ROMA_TYPE_FILE)
                close_it(f);
        else
                ri_fw_step(f, roma_aio_fsync(f->file, &o, in_place_synced, f));
}

static void fw_abort(struct ri_op *op, roma_writer *w, const struct ri_error *why)
{
        struct fw *f = w->impl;

        if (op)
                ri_fw_waits_for(f, op);
        if (op && why && f->in_place && w->next)
                op->outcome = ROMA_UNKNOWN;
        if (why)
                ri_fw_give_up(f, why);
        else
                remove_all(f);
}

static void fw_drop(roma_writer *w)
{
        struct fw *f = w->impl;
        roma_loop *loop = f->store->loop;

        ri_fw_let_go(f);
        ri_op_drop(loop, f->child);
        ri_op_drop(loop, f->look);
        if (f->file)
                ri_file_drop(f->file);
        fw_free(f);
}

const struct ri_writer_ops ri_folder_writer = {
        .open = ri_fw_open,
        .write = fw_write,
        .concat = fw_concat,
        .commit = fw_commit,
        .abort = fw_abort,
        .drop = fw_drop,
};
