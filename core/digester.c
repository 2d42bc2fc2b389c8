/* SPDX-License-Identifier: MIT */
#include "core/digester.h"

#include <stdlib.h>
#include <string.h>

struct chunk {
        struct ri_list link;
        size_t len;
        unsigned char bytes[];
};

/* What the worker owns while it runs. */
struct state {
        struct ri_job job;
        struct ri_digest digest;
        struct chunk *chunk;
        struct ri_digester *owner; /* loop only */
};

struct ri_digester {
        roma_loop *loop;
        struct state *state;
        struct ri_list queue;
        size_t pending;
        bool running;
        void (*moved)(void *arg);
        void *arg;
};

static void work(struct ri_job *job)
{
        struct state *s = ri_container_of(job, struct state, job);

        ri_digest_update(&s->digest, s->chunk->bytes, s->chunk->len);
}

static void state_free(struct ri_job *job)
{
        struct state *s = ri_container_of(job, struct state, job);

        ri_digest_free(&s->digest);
        free(s->chunk);
        free(s);
}

static void start(struct ri_digester *d)
{
        struct ri_list *l = d->running ? NULL : ri_list_pop(&d->queue);

        if (!l)
                return;
        d->running = true;
        d->state->chunk = ri_container_of(l, struct chunk, link);
        d->state->job.bytes = d->state->chunk->len;
        ri_job_start(d->loop, &d->state->job);
}

static void done(struct ri_job *job)
{
        struct state *s = ri_container_of(job, struct state, job);
        struct ri_digester *d = s->owner;

        d->running = false;
        d->pending -= s->chunk->len;
        free(s->chunk);
        s->chunk = NULL;
        start(d);
        d->moved(d->arg);
}

struct ri_digester *ri_digester_new(roma_loop *loop, enum ri_digest_kind kind, void (*moved)(void *arg),
                                    void *arg, struct ri_str *err)
{
        struct ri_digester *d = calloc(1, sizeof *d);
        struct state *s = calloc(1, sizeof *s);

        if (!d || !s || ri_digest_begin(&s->digest, kind, err) < 0) {
                if (!d || !s)
                        ri_str_puts(err, "out of memory");
                free(d);
                free(s);
                return NULL;
        }
        s->job.work = work;
        s->job.done = done;
        s->job.orphan = state_free;
        s->owner = d;
        d->loop = loop;
        d->state = s;
        d->moved = moved;
        d->arg = arg;
        ri_list_init(&d->queue);
        return d;
}

int ri_digester_feed(struct ri_digester *d, const void *bytes, size_t n)
{
        struct chunk *c = malloc(sizeof *c + n);

        if (!c)
                return -1;
        c->len = n;
        memcpy(c->bytes, bytes, n);
        ri_list_add_tail(&d->queue, &c->link);
        d->pending += n;
        start(d);
        return 0;
}

size_t ri_digester_pending(const struct ri_digester *d)
{
        return d->pending;
}

int ri_digester_end(struct ri_digester *d, char out[RI_DIGEST_HEX_MAX], struct ri_str *err)
{
        return ri_digest_end_hex(&d->state->digest, out, err);
}

void ri_digester_free(struct ri_digester *d)
{
        struct ri_list *l;

        if (!d)
                return;
        while ((l = ri_list_pop(&d->queue)))
                free(ri_container_of(l, struct chunk, link));
        if (d->running)
                ri_job_abandon(&d->state->job);
        else
                state_free(&d->state->job);
        free(d);
}
