/* SPDX-License-Identifier: MIT */
/* put from memory: a copy whose reader hands out pieces of the caller's memory. They are copied, since a buffer may be
 * held by a worker after the operation has ended, and the caller's memory may not. A writer that takes the bytes before
 * its write ends gets them as they are. */
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "core/compose.h"
#include "core/copy.h"
#include "core/reader.h"
#include "core/writer.h"

struct memory {
        roma_store *store;
        char *key;
        const unsigned char *data;
        size_t len, borrow;
};

struct memory_reader {
        roma_reader base;
        const unsigned char *data;
        size_t len, at;
        size_t borrow; /* so many bytes at a time are given uncopied; 0: none are */
        struct ri_buf_wait wait;
        bool waiting;
};

static size_t piece_len(const struct memory_reader *r)
{
        size_t left = r->len - r->at, most = r->borrow ? r->borrow : RI_PIECE;

        return left < most ? left : most;
}

static void give(struct memory_reader *r, struct ri_op *op, roma_buf *buf)
{
        if (!buf) {
                ri_op_fail(op, ROMA_ENOMEM, "out of memory");
                return;
        }
        r->at += buf->len;
        op->res.buf = buf;
        op->res.bytes = buf->len;
        ri_op_finish(op);
}

static void ready(struct ri_buf_wait *w, roma_buf *buf)
{
        struct memory_reader *r = ri_container_of(w, struct memory_reader, wait);

        r->waiting = false;
        if (buf) {
                buf->len = piece_len(r);
                memcpy(buf->mem, r->data + r->at, buf->len);
        }
        give(r, r->base.next, buf);
}

static void next_cancel(struct ri_op *op)
{
        struct memory_reader *r = op->impl;

        if (r->waiting)
                ri_buf_cancel(&r->wait);
        r->waiting = false;
}

static void memory_next(struct ri_op *op, roma_reader *base)
{
        struct memory_reader *r = ri_container_of(base, struct memory_reader, base);

        if (r->at == r->len) {
                ri_op_finish(op);
                return;
        }
        if (r->borrow) {
                give(r, op, ri_buf_borrow(op->loop, r->data + r->at, piece_len(r)));
                return;
        }
        op->impl = r;
        op->cancel = next_cancel;
        ri_op_waits(op, "buffer memory", NULL);
        r->wait.ready = ready;
        r->waiting = true;
        ri_buf_get(op->loop, &r->wait, piece_len(r), piece_len(r) == RI_PIECE);
}

static void memory_close(roma_reader *base, bool now)
{
        struct memory_reader *r = ri_container_of(base, struct memory_reader, base);

        (void)now;
        ri_reader_fini(base);
        free(r);
}

static const struct ri_reader_ops memory_ops = { .next = memory_next, .close = memory_close };

/* The ends */

static void open_discard(struct ri_op *op)
{
        roma_reader_close(op->res.reader);
        op->res.reader = NULL;
}

static roma_op reader_open(roma_store *store, const void *data, size_t len, size_t borrow,
                           const roma_reader_opts *opts, roma_done *done, void *arg)
{
        struct ri_op *op = ri_op_new(store->loop, store, RI_SINGLE, "read", "memory", opts, done, arg);
        struct memory_reader *r = op ? calloc(1, sizeof *r) : NULL;

        if (!op)
                return 0;
        if (!r || ri_reader_init(&r->base, &memory_ops, store->loop, store, "memory") < 0) {
                free(r);
                ri_op_fail(op, ROMA_ENOMEM, "out of memory");
                return op->id;
        }
        r->data = data;
        r->len = len;
        r->borrow = borrow;
        r->base.attr.size = sizeof r->base.attr;
        r->base.attr.mask = ROMA_ATTR_LENGTH;
        r->base.attr.length = len;
        ri_op_set_attr(op, &r->base.attr);
        op->res.reader = &r->base;
        op->discard = open_discard;
        ri_op_finish(op);
        return op->id;
}

roma_op ri_aio_memory_reader_open(roma_store *store, const void *data, size_t len,
                                  const roma_reader_opts *opts, roma_done *done, void *arg)
{
        return reader_open(store, data, len, 0, opts, done, arg);
}

static roma_op from_memory(void *arg, const roma_reader_opts *opts, roma_done *done, void *done_arg)
{
        struct memory *m = arg;

        return reader_open(m->store, m->data, m->len, m->borrow, opts, done, done_arg);
}

static roma_op to_store(void *arg, const roma_writer_opts *opts, roma_done *done, void *done_arg)
{
        struct memory *m = arg;

        return roma_aio_writer_open(m->store, m->key, opts, done, done_arg);
}

static roma_op hash_store(void *arg, int algorithm, const roma_opts *opts, roma_done *done, void *done_arg)
{
        struct memory *m = arg;

        return roma_aio_hash(m->store, m->key, algorithm, opts, done, done_arg);
}

static void memory_free(void *arg)
{
        struct memory *m = arg;

        free(m->key);
        free(m);
}

/* A digest is taken by workers, which may have the bytes when the put has been cancelled. */
static bool digests(const roma_put_opts *o)
{
        return o && o->size >= offsetof(roma_put_opts, verify) + sizeof o->verify &&
               o->verify != ROMA_VERIFY_DEFAULT && o->verify != ROMA_CRC32;
}

static size_t may_borrow(const roma_store *store, const roma_put_opts *opts)
{
        const struct ri_backend *be = store->be;

        if (be->flags & RI_FOLDERS || !be->writer || digests(opts))
                return 0;
        return (size_t)be->writer->takes;
}

roma_op roma_aio_put(roma_store *store, const char *key, const void *buf, size_t len,
                     const roma_put_opts *opts, roma_done *done, void *arg)
{
        struct ri_copy_ends c = { .loop = store->loop,
                                  .store = store,
                                  .reader = from_memory,
                                  .writer = to_store,
                                  .hash = hash_store,
                                  .to = store,
                                  .free = memory_free };
        struct memory *m;

        if (ri_loop_enter(store->loop) < 0 || ri_key_check(store, "put", key) < 0)
                return 0;
        m = calloc(1, sizeof *m);
        if (m)
                m->key = strdup(key);
        if (!m || !m->key) {
                free(m);
                ri_loop_error(store->loop, ROMA_ENOMEM, "put: out of memory");
                return 0;
        }
        m->store = store;
        m->data = buf;
        m->len = len;
        m->borrow = may_borrow(store, opts);
        c.arg = m;
        c.to_key = m->key;
        return ri_copy_start(&c, "put", key, opts, done, arg);
}

int roma_put(roma_store *store, const char *key, const void *buf, size_t len, const roma_put_opts *opts)
{
        struct ri_wait w;

        if (ri_wait_begin(&w, store->loop) < 0)
                return -1;
        return ri_wait(&w, roma_aio_put(store, key, buf, len, opts, ri_wait_done, &w));
}
