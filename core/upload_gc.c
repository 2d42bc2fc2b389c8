/* SPDX-License-Identifier: MIT */
/* gc of a store that has uploads of its own: those are ended that nobody has begun, or put a part of, for so long. */
#include <stdlib.h>
#include <string.h>

#include "core/upload.h"

enum { PAGE = 1000 };

struct stale {
        struct ri_op *op;
        roma_op child;
        char *prefix, *after;
        int64_t before_ns;
        char **v; /* key, id, key, id ... of this page */
        size_t n, at;
        uint64_t removed;
};

static void page(struct stale *s);
static void next(struct stale *s);

static void clear(struct stale *s)
{
        for (size_t i = 0; i < s->n; i++)
                free(s->v[i]);
        s->n = s->at = 0;
}

static void stale_free(struct stale *s)
{
        ri_op_drop(s->op->loop, s->child);
        clear(s);
        free(s->v);
        free(s->prefix);
        free(s->after);
        free(s);
}

static void stale_cancel(struct ri_op *op)
{
        struct stale *s = op->impl;

        op->res.bytes = s->removed;
        stale_free(s);
}

static void fail_from(struct stale *s, const roma_result *r)
{
        struct ri_op *op = s->op;

        op->res.bytes = s->removed;
        if (r)
                ri_op_fail_from(op, r);
        else
                ri_op_fail(op, ROMA_ENOMEM, "out of memory");
        stale_free(s);
}

static void started(struct stale *s, roma_op child)
{
        struct ri_op *op = s->op;

        s->child = ri_adopt(op, child);
        if (child)
                return;
        stale_free(s);
        ri_fail_start(op);
}

static void ended(void *arg, const roma_result *r)
{
        struct stale *s = arg;

        s->child = 0;
        ri_op_progress(s->op);
        if (r->code && r->code != ROMA_ENOENT) { /* ended by itself after all */
                fail_from(s, r);
                return;
        }
        s->removed += r->code == ROMA_OK;
        s->at += 2;
        next(s);
}

static void parts_seen(void *arg, const roma_result *r)
{
        struct stale *s = arg;
        roma_opts o = ri_child_opts(s->op);
        const roma_part_list *l = r->extra;
        bool fresh = false;

        s->child = 0;
        ri_op_progress(s->op);
        if (r->code && r->code != ROMA_ENOENT) {
                fail_from(s, r);
                return;
        }
        for (size_t i = 0; !r->code && i < l->count; i++)
                fresh = fresh || !l->part[i].mtime_ns || l->part[i].mtime_ns > s->before_ns;
        if (r->code || fresh) {
                s->at += 2;
                next(s);
                return;
        }
        started(s, roma_aio_upload_abort(s->op->store, s->v[s->at], s->v[s->at + 1], &o, ended, s));
}

static void next(struct stale *s)
{
        roma_opts o = ri_child_opts(s->op);
        struct ri_op *op = s->op;

        if (s->at < s->n) {
                started(s, roma_aio_upload_parts(op->store, s->v[s->at], s->v[s->at + 1], &o, parts_seen, s));
        } else if (s->after) {
                page(s);
        } else {
                op->res.bytes = s->removed;
                ri_op_finish(op);
                stale_free(s);
        }
}

static void listed(void *arg, const roma_result *r)
{
        struct stale *s = arg;
        const roma_upload_list *l = r->extra;
        bool ok = true;

        s->child = 0;
        ri_op_progress(s->op);
        if (r->code) {
                fail_from(s, r);
                return;
        }
        clear(s);
        free(s->after);
        s->after = l->next ? strdup(l->next) : NULL;
        ok = !l->next || s->after;
        free(s->v);
        s->v = calloc(l->count ? 2 * l->count : 1, sizeof(*s->v));
        ok = ok && s->v;
        for (size_t i = 0; ok && i < l->count; i++) {
                /* 0: the server did not say when. What is not known to be old stays. */
                if (!l->upload[i].begun_ns || l->upload[i].begun_ns > s->before_ns)
                        continue;
                s->v[s->n++] = strdup(l->upload[i].key);
                s->v[s->n++] = strdup(l->upload[i].id);
                ok = s->v[s->n - 1] && s->v[s->n - 2];
        }
        if (ok)
                next(s);
        else
                fail_from(s, NULL);
}

static void page(struct stale *s)
{
        roma_opts o = ri_child_opts(s->op);

        started(s, roma_aio_upload_list(s->op->store, s->prefix, s->after, PAGE, &o, listed, s));
}

void ri_upload_gc(struct ri_op *op, const char *prefix, int64_t before_ns)
{
        struct stale *s = calloc(1, sizeof(*s));

        if (s) {
                s->op = op;
                s->before_ns = before_ns;
                s->prefix = strdup(prefix);
        }
        if (!s || !s->prefix) {
                free(s);
                ri_op_fail(op, ROMA_ENOMEM, "out of memory");
                return;
        }
        ri_compose(op, s, stale_cancel);
        page(s);
}
