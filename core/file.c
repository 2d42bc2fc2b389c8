/* SPDX-License-Identifier: MIT */
/* Open files: the calls of roma/file.h over the backend's. */
#include <stdlib.h>
#include <string.h>

#include "core/backend.h"

enum { MAX_IOV = 1024 };
#define MAX_OFFSET ((uint64_t)INT64_MAX)

static void file_free(roma_file *file)
{
        file->store->loop->stats.files--;
        ri_list_del(&file->child.link);
        free(file->key);
        free(file);
}

void ri_file_drop(roma_file *file)
{
        if (file->impl)
                file->store->be->file_drop(file);
        file_free(file);
}

/* Opening */

static void opened(struct ri_op *op)
{
        roma_file *file = op->core;

        op->core = NULL;
        file->known = NULL;
        if (op->res.code == ROMA_OK) {
                op->res.file = file;
                return;
        }
        op->res.file = NULL;
        ri_file_drop(file);
}

static void open_discard(struct ri_op *op)
{
        roma_aio_file_close(op->res.file, NULL, NULL, NULL);
        op->res.file = NULL;
}

static void child_end(struct ri_child *c, bool now)
{
        roma_file *file = ri_container_of(c, roma_file, child);

        if (!now && ri_file_end(file))
                return;
        ri_file_drop(file);
}

void ri_file_own(roma_file *file)
{
        ri_list_del(&file->child.link);
}

roma_op ri_aio_file_open(roma_store *store, const char *key, unsigned flags, uint32_t mode,
                         const roma_attr *known, const roma_opts *opts, roma_done *done, void *arg)
{
        roma_file *file;
        struct ri_op *op;

        if (ri_loop_enter(store->loop) < 0 || ri_key_check(store, "open", key) < 0)
                return 0;
        op = ri_op_new(store->loop, store, RI_SINGLE, "open", key, opts, done, arg);
        if (!op)
                return 0;
        if (!(flags & (ROMA_O_READ | ROMA_O_WRITE)) ||
            (!(flags & ROMA_O_WRITE) && (flags & (ROMA_O_TRUNC | ROMA_O_CREATE))) ||
            (flags & (ROMA_O_CREATE | ROMA_O_EXCL)) == ROMA_O_EXCL) {
                ri_op_fail(op, ROMA_EINVAL,
                           "flags must have READ or WRITE, WRITE for CREATE and TRUNC, and CREATE for EXCL");
                return op->id;
        }
        if ((flags & ROMA_O_WRITE) && !(store->be->caps & ROMA_CAP_INPLACE)) {
                ri_op_fail(op, ROMA_ENOTSUP, "a %s store cannot write objects in place; use put or a writer",
                           store->be->name);
                return op->id;
        }
        file = calloc(1, sizeof *file);
        if (file)
                file->key = strdup(key);
        if (!file || !file->key) {
                free(file);
                ri_op_fail(op, ROMA_ENOMEM, "out of memory");
                return op->id;
        }
        if (flags & ROMA_O_CREATE)
                ri_op_changes(op);
        file->store = store;
        file->flags = flags;
        file->known = known;
        ri_child_add(store, &file->child, child_end);
        ri_list_init(&file->ops);
        store->loop->stats.files++;
        op->core = file;
        op->settle = opened;
        op->discard = open_discard;
        store->be->file_open(op, file, key, flags, mode);
        if (op->core)
                file->known = NULL;
        return op->id;
}

roma_op roma_aio_file_open(roma_store *store, const char *key, unsigned flags, uint32_t mode,
                           const roma_opts *opts, roma_done *done, void *arg)
{
        return ri_aio_file_open(store, key, flags, mode, NULL, opts, done, arg);
}

/* Closing */

static void end_operations(roma_file *file)
{
        struct ri_list *l;

        while ((l = ri_list_pop(&file->ops)))
                ri_op_abort(ri_container_of(l, struct ri_op, in_file), ROMA_ECANCELED, "its file was closed");
}

static void close_start(struct ri_op *op, roma_file *file)
{
        file->closing = true;
        end_operations(file);
        file->store->be->file_close(op, file);
        file->impl = NULL;
        file_free(file);
}

bool ri_file_end(roma_file *file)
{
        roma_loop *loop = file->store->loop;
        struct ri_op *op = ri_op_new(loop, file->store, RI_ENDING, "close", file->key, NULL, NULL, NULL);

        if (!op)
                return false;
        close_start(op, file);
        return true;
}

roma_op roma_aio_file_close(roma_file *file, const roma_opts *opts, roma_done *done, void *arg)
{
        roma_store *store = file->store;
        struct ri_op *op;

        if (ri_loop_enter(store->loop) < 0 || file->closing)
                return 0;
        op = ri_op_new(store->loop, store, RI_ENDING, "close", file->key, opts, done, arg);
        if (op) {
                close_start(op, file);
        } else {
                /* The handle is invalid whatever the result. */
                end_operations(file);
                ri_file_drop(file);
        }
        return ri_op_id(op);
}

/* Data */

static void data_settle(struct ri_op *op)
{
        ri_list_del(&op->in_file);
        op->file = NULL;
}

static struct ri_op *data(roma_file *file, const char *name, unsigned need, enum ri_op_kind kind,
                          const roma_opts *opts, roma_done *done, void *arg)
{
        roma_store *store = file->store;
        struct ri_op *op;

        if (ri_loop_enter(store->loop) < 0)
                return NULL;
        op = ri_op_new(store->loop, store, kind, name, file->key, opts, done, arg);
        if (!op)
                return NULL;
        ri_list_add_tail(&file->ops, &op->in_file);
        op->file = file;
        op->settle = data_settle;
        if (need & ~file->flags) {
                ri_op_fail(op, ROMA_EINVAL, "the file was not opened for %s",
                           need & ROMA_O_WRITE ? "writing" : "reading");
                return op;
        }
        return op;
}

/* Sum of the lengths; -1 (and the operation has failed) when they cannot be. */
static int64_t span(struct ri_op *op, const struct iovec *iov, int n, uint64_t offset)
{
        uint64_t sum = 0;

        if (n < 0 || n > MAX_IOV || offset > MAX_OFFSET) {
                ri_op_fail(op, ROMA_EINVAL, "at most %d pieces and an offset below 2^63 are possible",
                           MAX_IOV);
                return -1;
        }
        for (int i = 0; i < n; i++) {
                if (iov[i].iov_len > MAX_OFFSET - offset - sum) {
                        ri_op_fail(op, ROMA_EINVAL, "the range ends behind 2^63");
                        return -1;
                }
                sum += iov[i].iov_len;
        }
        return (int64_t)sum;
}

roma_op roma_aio_preadv(roma_file *file, const struct iovec *iov, int iovcnt, uint64_t offset,
                        const roma_opts *opts, roma_done *done, void *arg)
{
        struct ri_op *op = data(file, "pread", ROMA_O_READ, RI_TRANSFER, opts, done, arg);

        if (op && !op->finished && span(op, iov, iovcnt, offset) >= 0)
                file->store->be->file_preadv(op, file, iov, iovcnt, offset);
        return ri_op_id(op);
}

roma_op roma_aio_pwritev(roma_file *file, const struct iovec *iov, int iovcnt, uint64_t offset,
                         const roma_opts *opts, roma_done *done, void *arg)
{
        struct ri_op *op = data(file, "pwrite", ROMA_O_WRITE, RI_TRANSFER, opts, done, arg);

        if (op && !op->finished && span(op, iov, iovcnt, offset) >= 0)
                file->store->be->file_pwritev(op, file, iov, iovcnt, offset);
        return ri_op_id(op);
}

roma_op roma_aio_pread(roma_file *file, void *buf, size_t len, uint64_t offset, const roma_opts *opts,
                       roma_done *done, void *arg)
{
        struct iovec iov = { buf, len };

        return roma_aio_preadv(file, &iov, 1, offset, opts, done, arg);
}

roma_op roma_aio_pwrite(roma_file *file, const void *buf, size_t len, uint64_t offset, const roma_opts *opts,
                        roma_done *done, void *arg)
{
        struct iovec iov = { (void *)(uintptr_t)buf, len };

        return roma_aio_pwritev(file, &iov, 1, offset, opts, done, arg);
}

static void read_buf_settle(struct ri_op *op)
{
        roma_buf *buf = op->core;

        data_settle(op);
        if (op->res.code == ROMA_OK)
                buf->len = op->res.bytes;
        roma_buf_unref(buf);
}

static void write_buf_settle(struct ri_op *op)
{
        data_settle(op);
        roma_buf_unref(op->core);
}

roma_op ri_aio_read_buf(roma_file *file, roma_buf *buf, size_t len, uint64_t offset, const roma_opts *opts,
                        roma_done *done, void *arg)
{
        struct ri_op *op = data(file, "pread", ROMA_O_READ, RI_TRANSFER, opts, done, arg);
        struct iovec iov = { buf->mem + buf->off, len };

        if (!op || op->finished || span(op, &iov, 1, offset) < 0)
                return ri_op_id(op);
        op->core = roma_buf_ref(buf);
        op->settle = read_buf_settle;
        if (file->store->be->file_read_buf)
                file->store->be->file_read_buf(op, file, buf, len, offset);
        else
                file->store->be->file_preadv(op, file, &iov, 1, offset);
        return op->id;
}

roma_op ri_aio_write_buf(roma_file *file, roma_buf *buf, uint64_t offset, const roma_opts *opts,
                         roma_done *done, void *arg)
{
        struct ri_op *op = data(file, "pwrite", ROMA_O_WRITE, RI_TRANSFER, opts, done, arg);
        struct iovec iov = { buf->mem + buf->off, buf->len };

        if (!op || op->finished || span(op, &iov, 1, offset) < 0)
                return ri_op_id(op);
        op->core = roma_buf_ref(buf);
        op->settle = write_buf_settle;
        if (file->store->be->file_write_buf)
                file->store->be->file_write_buf(op, file, buf, offset);
        else
                file->store->be->file_pwritev(op, file, &iov, 1, offset);
        return op->id;
}

roma_op roma_aio_append(roma_file *file, const void *buf, size_t len, const roma_opts *opts, roma_done *done,
                        void *arg)
{
        struct ri_op *op = data(file, "append", ROMA_O_WRITE, RI_TRANSFER, opts, done, arg);
        struct iovec iov = { (void *)(uintptr_t)buf, len };

        if (op && !op->finished && span(op, &iov, 1, 0) >= 0) {
                if (file->store->be->file_append)
                        file->store->be->file_append(op, file, &iov, 1);
                else
                        ri_op_fail(op, ROMA_ENOTSUP, "a %s store cannot append", file->store->be->name);
        }
        return ri_op_id(op);
}

roma_op roma_aio_truncate(roma_file *file, uint64_t length, const roma_opts *opts, roma_done *done, void *arg)
{
        struct ri_op *op = data(file, "truncate", ROMA_O_WRITE, RI_SINGLE, opts, done, arg);

        if (op && !op->finished && length > MAX_OFFSET)
                ri_op_fail(op, ROMA_EFBIG, "no file is longer than 2^63 bytes");
        else if (op && !op->finished)
                file->store->be->file_truncate(op, file, length);
        return ri_op_id(op);
}

roma_op roma_aio_fsync(roma_file *file, const roma_opts *opts, roma_done *done, void *arg)
{
        struct ri_op *op = data(file, "fsync", 0, RI_TRANSFER, opts, done, arg);

        if (op)
                file->store->be->file_fsync(op, file);
        return ri_op_id(op);
}

roma_op roma_aio_fstat(roma_file *file, const roma_opts *opts, roma_done *done, void *arg)
{
        struct ri_op *op = data(file, "stat", 0, RI_SINGLE, opts, done, arg);

        if (op)
                file->store->be->file_stat(op, file);
        return ri_op_id(op);
}

roma_store *roma_file_store(roma_file *file)
{
        return file->store;
}

/* The blocking twins. */

#define BLOCKING(loop_, call, bad)                                         \
        do {                                                               \
                struct ri_wait w;                                          \
                if (ri_wait_begin(&w, loop_) < 0 || ri_wait(&w, call) < 0) \
                        return bad;                                        \
        } while (0)

roma_file *roma_file_open(roma_store *store, const char *key, unsigned flags, uint32_t mode,
                          const roma_opts *opts)
{
        BLOCKING(store->loop, roma_aio_file_open(store, key, flags, mode, opts, ri_wait_done, &w), NULL);
        return store->loop->last->res.file;
}

int roma_file_close(roma_file *file, const roma_opts *opts)
{
        roma_loop *loop = file->store->loop;

        BLOCKING(loop, roma_aio_file_close(file, opts, ri_wait_done, &w), -1);
        return 0;
}

int64_t roma_pread(roma_file *file, void *buf, size_t len, uint64_t offset, const roma_opts *opts)
{
        roma_loop *loop = file->store->loop;

        BLOCKING(loop, roma_aio_pread(file, buf, len, offset, opts, ri_wait_done, &w), -1);
        return (int64_t)loop->last->res.bytes;
}

int64_t roma_pwrite(roma_file *file, const void *buf, size_t len, uint64_t offset, const roma_opts *opts)
{
        roma_loop *loop = file->store->loop;

        BLOCKING(loop, roma_aio_pwrite(file, buf, len, offset, opts, ri_wait_done, &w), -1);
        return (int64_t)loop->last->res.bytes;
}

int64_t roma_append(roma_file *file, const void *buf, size_t len, const roma_opts *opts)
{
        roma_loop *loop = file->store->loop;

        BLOCKING(loop, roma_aio_append(file, buf, len, opts, ri_wait_done, &w), -1);
        return (int64_t)loop->last->res.bytes;
}

int roma_truncate(roma_file *file, uint64_t length, const roma_opts *opts)
{
        roma_loop *loop = file->store->loop;

        BLOCKING(loop, roma_aio_truncate(file, length, opts, ri_wait_done, &w), -1);
        return 0;
}

int roma_fsync(roma_file *file, const roma_opts *opts)
{
        roma_loop *loop = file->store->loop;

        BLOCKING(loop, roma_aio_fsync(file, opts, ri_wait_done, &w), -1);
        return 0;
}

int roma_fstat(roma_file *file, const roma_opts *opts, roma_attr *attr)
{
        roma_loop *loop = file->store->loop;

        BLOCKING(loop, roma_aio_fstat(file, opts, ri_wait_done, &w), -1);
        ri_wait_attr(loop, attr);
        return 0;
}
