/* SPDX-License-Identifier: MIT */
/* The calls of roma/reader.h. */
#include "core/reader.h"

#include <stdlib.h>
#include <string.h>

static void reader_end(struct ri_child *c, bool now);

int ri_reader_init(roma_reader *r, const struct ri_reader_ops *ops, roma_loop *loop, roma_store *store,
                   const char *object)
{
        r->object = strdup(object);
        if (!r->object)
                return -1;
        r->ops = ops;
        r->loop = loop;
        r->store = store;
        ri_list_init(&r->child.link);
        if (store)
                ri_child_add(store, &r->child, reader_end);
        loop->stats.readers++;
        return 0;
}

void ri_reader_fini(roma_reader *r)
{
        r->loop->stats.readers--;
        free(r->object);
        if (r->store)
                ri_child_gone(r->store, &r->child);
}

static void reader_close(roma_reader *r, bool now)
{
        if (r->next)
                ri_op_abort(r->next, ROMA_ECANCELED, "its reader was closed");
        r->ops->close(r, now);
}

static void reader_end(struct ri_child *c, bool now)
{
        reader_close(ri_container_of(c, roma_reader, child), now);
}

static void next_settle(struct ri_op *op)
{
        roma_reader *r = op->core;

        r->next = NULL;
}

static void next_discard(struct ri_op *op)
{
        roma_buf_unref(op->res.buf);
        op->res.buf = NULL;
}

roma_op roma_aio_reader_next(roma_reader *reader, const roma_opts *opts, roma_done *done, void *arg)
{
        struct ri_op *op =
                ri_op_new(reader->loop, reader->store, RI_TRANSFER, "read", reader->object, opts, done, arg);

        if (!op)
                return 0;
        if (reader->next) {
                ri_op_fail(op, ROMA_EBUSY, "one read of a stream at a time");
                return op->id;
        }
        reader->next = op;
        op->core = reader;
        op->settle = next_settle;
        op->discard = next_discard;
        reader->ops->next(op, reader);
        return op->id;
}

roma_buf *roma_reader_next(roma_reader *reader, const roma_opts *opts)
{
        struct ri_wait w;

        if (ri_wait_begin(&w, reader->loop) < 0 ||
            ri_wait(&w, roma_aio_reader_next(reader, opts, ri_wait_done, &w)) < 0)
                return NULL;
        return reader->loop->last->res.buf;
}

/* After a fork the child leaves it alone: what is behind it watches descriptors that the parent shares with it. */
static void pause_it(roma_reader *reader, bool on)
{
        if (reader->ops->pause && ri_loop_enter(reader->loop) == 0)
                reader->ops->pause(reader, on);
}

void roma_reader_pause(roma_reader *reader)
{
        pause_it(reader, true);
}

void roma_reader_resume(roma_reader *reader)
{
        pause_it(reader, false);
}

const roma_attr *roma_reader_attr(roma_reader *reader)
{
        return &reader->attr;
}

void roma_reader_close(roma_reader *reader)
{
        if (reader && ri_loop_enter(reader->loop) == 0)
                reader_close(reader, false);
}

roma_reader *roma_reader_open(roma_store *store, const char *key, const roma_reader_opts *opts)
{
        struct ri_wait w;

        if (ri_wait_begin(&w, store->loop) < 0 ||
            ri_wait(&w, roma_aio_reader_open(store, key, opts, ri_wait_done, &w)) < 0)
                return NULL;
        return store->loop->last->res.reader;
}
