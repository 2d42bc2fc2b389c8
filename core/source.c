/* SPDX-License-Identifier: MIT */
#include "core/source.h"

#include <errno.h>
#include <stdlib.h>

void ri_source_init(struct ri_source *s, const struct ri_source_ops *ops)
{
        s->ops = ops;
        atomic_init(&s->refs, 1);
}

struct ri_source *ri_source_ref(struct ri_source *s)
{
        atomic_fetch_add(&s->refs, 1);
        return s;
}

void ri_source_unref(struct ri_source *s)
{
        if (s && atomic_fetch_sub(&s->refs, 1) == 1)
                s->ops->free(s);
}

/* Any thread, when nobody else has it. */
static void destroy(struct ri_fetch *f)
{
        ri_source_unref(f->source);
        roma_buf_unref(f->buf);
        free(f);
}

static void fetch_work(struct ri_job *job)
{
        struct ri_fetch *f = ri_container_of(job, struct ri_fetch, job);
        ssize_t n = f->source->ops->wait(f->source, f->buf->mem, f->len, f->offset);

        f->err = n < 0 ? errno : 0;
        f->len = n < 0 ? 0 : (size_t)n;
}

static void fetch_done(struct ri_job *job)
{
        struct ri_fetch *f = ri_container_of(job, struct ri_fetch, job);

        f->working = false;
        f->buf->len = f->len;
        ri_trace(f->wait.loop, NULL, "disk", NULL, f->begun_ns, f->len, f->err ? ROMA_ELOCALIO : ROMA_OK);
        f->ready = true;
        f->done(f);
}

static void fetch_orphan(struct ri_job *job)
{
        destroy(ri_container_of(job, struct ri_fetch, job));
}

static void fetch_buf(struct ri_buf_wait *w, roma_buf *buf)
{
        struct ri_fetch *f = ri_container_of(w, struct ri_fetch, wait);

        f->waiting = false;
        f->buf = buf;
        if (!buf) {
                f->err = ENOMEM;
                f->ready = true;
                f->done(f);
                return;
        }
        f->working = true;
        f->begun_ns = ri_trace_start(w->loop, NULL, "disk");
        f->job.bytes = buf->cap;
        ri_job_start(w->loop, &f->job);
}

struct ri_fetch *ri_fetch_start(roma_loop *loop, struct ri_source *s, uint64_t offset, uint64_t n,
                                void (*done)(struct ri_fetch *f), void *arg)
{
        struct ri_fetch *f = calloc(1, sizeof(*f));

        if (!f)
                return NULL;
        f->offset = offset;
        f->len = n < RI_PIECE ? (size_t)n : RI_PIECE;
        f->source = ri_source_ref(s);
        f->done = done;
        f->arg = arg;
        f->job.work = fetch_work;
        f->job.done = fetch_done;
        f->job.orphan = fetch_orphan;
        f->wait.ready = fetch_buf;
        f->waiting = true;
        ri_buf_get(loop, &f->wait, f->len, f->len == RI_PIECE);
        return f;
}

void ri_fetch_free(struct ri_fetch *f)
{
        if (!f)
                return;
        if (f->waiting)
                ri_buf_cancel(&f->wait);
        if (!f->working) {
                destroy(f);
                return;
        }
        ri_buf_orphan(f->buf);
        ri_job_abandon(&f->job);
}
