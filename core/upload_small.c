/* SPDX-License-Identifier: MIT */
/* Reading a small object whole. */
#include <stdlib.h>
#include <string.h>

#include "core/upload.h"

struct small {
        struct ri_op *op;
        roma_op child;
        roma_reader *reader;
        struct ri_str text;
};

static void small_free(struct small *s)
{
        ri_op_drop(s->op->loop, s->child);
        roma_reader_close(s->reader);
        ri_str_free(&s->text);
        free(s);
}

static void small_cancel(struct ri_op *op)
{
        small_free(op->impl);
}

static void got(void *arg, const roma_result *r);

static void started(struct small *s, roma_op child)
{
        struct ri_op *op = s->op;

        s->child = ri_adopt(op, child);
        if (child)
                return;
        small_free(s);
        ri_fail_start(op);
}

static void next(struct small *s)
{
        roma_opts o = ri_child_opts(s->op);

        started(s, roma_aio_reader_next(s->reader, &o, got, s));
}

static void end(struct small *s)
{
        struct ri_op *op = s->op;

        if (ri_op_set_text(op, ri_str_cstr(&s->text), s->text.len) == 0) {
                op->res.bytes = s->text.len;
                ri_op_finish(op);
        }
        small_free(s);
}

static void got(void *arg, const roma_result *r)
{
        struct small *s = arg;
        struct ri_op *op = s->op;

        s->child = 0;
        if (r->code == ROMA_ESOURCE) {
                /* These objects never change: it is gone. */
                ri_op_fail(op, ROMA_ENOENT, "it was removed while it was read");
                small_free(s);
        } else if (r->code) {
                ri_op_fail_from(op, r);
                small_free(s);
        } else if (!r->buf) {
                end(s);
        } else {
                ri_str_append(&s->text, roma_buf_data(r->buf), roma_buf_len(r->buf));
                roma_buf_unref(r->buf);
                if (!s->text.failed) {
                        next(s);
                        return;
                }
                ri_op_fail(op, ROMA_ECORRUPT, "it is longer than libroma ever makes it");
                small_free(s);
        }
}

static void opened(void *arg, const roma_result *r)
{
        struct small *s = arg;

        s->child = 0;
        if (r->code) {
                ri_op_fail_from(s->op, r);
                small_free(s);
                return;
        }
        s->reader = r->reader;
        next(s);
}

roma_op ri_aio_small_get(roma_store *store, const char *key, const roma_opts *opts, roma_done *done,
                         void *arg)
{
        struct ri_op *op = ri_op_new(store->loop, store, RI_SINGLE, "read", key, opts, done, arg);
        roma_reader_opts o = ROMA_READER_OPTS_INIT;
        struct small *s;
        roma_op id = ri_op_id(op);

        if (!op)
                return 0;
        s = calloc(1, sizeof(*s));
        if (!s) {
                ri_op_fail(op, ROMA_ENOMEM, "out of memory");
                return id;
        }
        s->op = op;
        ri_str_init(&s->text, RI_SMALL);
        ri_compose(op, s, small_cancel);
        o.stall_ms = op->stall_ms;
        o.deadline_ms = ROMA_NEVER;
        started(s, roma_aio_reader_open(store, key, &o, opened, s));
        return id;
}
