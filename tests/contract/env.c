/* SPDX-License-Identifier: MIT */
/* The loop of a run, driven in three ways, its stores, and the memory of a test. */
#include "env.h"

#include <ev.h>
#include <poll.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <roma/ev.h>

struct env env;

struct arena {
        struct arena *next;
        max_align_t data[];
};

static void *keep(size_t n)
{
        struct arena *a = malloc(sizeof(*a) + (n ? n : 1));

        if (!a) {
                perror("malloc");
                abort();
        }
        a->next = env.arena;
        env.arena = a;
        return a->data;
}

void *mem(size_t n)
{
        return memset(keep(n), 0, n);
}

char *text(const char *fmt, ...)
{
        va_list ap;
        char *t;
        int n;

        va_start(ap, fmt);
        n = vsnprintf(NULL, 0, fmt, ap);
        va_end(ap);
        t = keep((size_t)n + 1);
        va_start(ap, fmt);
        vsnprintf(t, (size_t)n + 1, fmt, ap);
        va_end(ap);
        return t;
}

const char *K(const char *name)
{
        return text("t%u/%s", env.nr, name);
}

const char *L(const char *name)
{
        return text("%s/t%u-%s", env.local, env.nr, name);
}

/* splitmix64: any seed will do, and a run is repeated by its seed alone. */
uint64_t rnd(void)
{
        uint64_t z = (env.rnd += 0x9e3779b97f4a7c15ULL);

        z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ULL;
        z = (z ^ (z >> 27)) * 0x94d049bb133111ebULL;
        return z ^ (z >> 31);
}

uint64_t rnd_below(uint64_t n)
{
        return rnd() % n;
}

void rnd_fill(void *buf, size_t n)
{
        uint8_t *p = buf;
        uint64_t v;

        for (; n >= sizeof(v); n -= sizeof(v), p += sizeof(v)) {
                v = rnd();
                memcpy(p, &v, sizeof(v));
        }
        v = rnd();
        memcpy(p, &v, n);
}

uint8_t *rnd_bytes(size_t n)
{
        uint8_t *p = keep(n);

        rnd_fill(p, n);
        return p;
}

static void drive_one(void)
{
        struct pollfd p = { .fd = -1, .events = POLLIN };

        switch (env.drive) {
        case DRIVE_OWN: roma_loop_turn(env.loop, -1); break;
        case DRIVE_EV: ev_run(env.ev, 0); break;
        case DRIVE_FD:
                p.fd = roma_loop_fd(env.loop);
                poll(&p, 1, -1);
                roma_loop_turn(env.loop, 0);
                break;
        }
}

static void *dup_mem(const void *p, size_t n)
{
        return memcpy(keep(n), p, n);
}

static roma_list *dup_list(const roma_list *l)
{
        roma_list *d = dup_mem(l, sizeof(*l));
        roma_entry *e = keep(l->count * sizeof(*e));

        for (size_t i = 0; i < l->count; i++) {
                e[i].key = text("%s", l->entry[i].key);
                e[i].attr = l->entry[i].attr ? dup_mem(l->entry[i].attr, sizeof(roma_attr)) : NULL;
        }
        d->entry = e;
        return d;
}

static struct res *res_of(const roma_result *r)
{
        struct res *res = mem(sizeof(*res));

        res->r = *r;
        res->code = r->code;
        res->message = res->r.message = text("%s", r->message ? r->message : "(null)");
        res->r.server = text("%s", r->server ? r->server : "");
        res->r.status_name = text("%s", r->status_name ? r->status_name : "");
        if (r->text)
                res->r.text = text("%s", r->text);
        if (r->attr)
                res->attr = *r->attr;
        res->r.attr = r->attr ? &res->attr : NULL;
        if (r->space)
                res->space = *r->space;
        res->r.space = r->space ? &res->space : NULL;
        if (r->list)
                res->r.list = dup_list(r->list);
        res->r.extra = NULL;
        return res;
}

struct wait *w_new(void)
{
        struct wait *w = mem(sizeof(*w));

        w->next = env.waits;
        env.waits = w;
        return w;
}

void w_done(void *arg, const roma_result *r)
{
        struct wait *w = arg;

        w->calls++;
        w->early |= w->id == 0;
        w->order = ++env.ended;
        w->res = res_of(r);
        if (w->hook)
                w->hook(w);
        if (env.ev && env.waiting == w)
                ev_break(env.ev, EVBREAK_ONE);
}

static const struct res *not_started(void)
{
        struct res *res = mem(sizeof(*res));

        res->code = roma_last(env.loop)->code ? roma_last(env.loop)->code : NOT_STARTED;
        res->message = text("%s", roma_error(env.loop));
        return res;
}

const struct res *w_wait(struct wait *w)
{
        if (!w->id)
                return w->res = (struct res *)not_started();
        env.waiting = w;
        while (!w->calls) {
                drive_one();
                if (env.drive == DRIVE_EV && !w->calls) {
                        /* ev_run() promises to run while something is in flight. */
                        struct res *res = mem(sizeof(*res));

                        res->code = NOT_STARTED;
                        res->message = "ev_run() returned while an operation was in flight";
                        env.waiting = NULL;
                        return res;
                }
        }
        env.waiting = NULL;
        return w->res;
}

void w_all(void)
{
        for (struct wait *w = env.waits; w; w = w->next)
                if (w->id)
                        w_wait(w);
}

void w_ms(unsigned ms)
{
        struct wait *w = w_new();

        w->id = roma_aio_sleep(env.loop, ms, w_done, w);
        w_wait(w);
}

const char *w_check(void)
{
        for (struct wait *w = env.waits; w; w = w->next) {
                if (w->early)
                        return "a callback came before its start had returned";
                if (w->id && w->calls != 1)
                        return text("an operation that started ended %d times", w->calls);
                if (!w->id && w->calls)
                        return "an operation that did not start had a callback";
        }
        return NULL;
}

roma_stats stats(void)
{
        roma_stats st;

        memset(&st, 0, sizeof(st));
        st.size = sizeof(st);
        roma_loop_stats(env.loop, &st);
        return st;
}

int env_open(enum drive drive, const char *uri, const roma_loop_opts *opts)
{
        const struct res *r;

        env.drive = drive;
        env.uri = uri;
        if (drive == DRIVE_EV) {
                env.ev = ev_loop_new(EVFLAG_AUTO);
                env.loop = roma_loop_attach_opts(env.ev, opts);
        } else {
                env.loop = roma_loop_new_opts(opts);
        }
        if (!env.loop)
                return -1;
        r = x_store_open(uri);
        if (r->code != ROMA_OK) {
                fprintf(stderr, "%s: %s\n", uri, r->message);
                return -1;
        }
        env.store = r->r.store;
        env.caps = roma_store_caps(env.store);
        return 0;
}

roma_store *other(void)
{
        if (!env.other)
                env.other = x_store_open(env.uri)->r.store;
        return env.other;
}

/* Also after a test that failed with operations in flight, so it relies on nothing but closing. */
void env_close(void)
{
        if (env.other)
                x_store_close(env.other);
        if (env.store)
                x_store_close(env.store);
        roma_loop_free(env.loop);
        if (env.ev)
                ev_loop_destroy(env.ev);
        env.other = env.store = NULL;
        env.loop = NULL;
        env.ev = NULL;
}

void env_free_memory(void)
{
        while (env.arena) {
                struct arena *a = env.arena;

                env.arena = a->next;
                free(a);
        }
        env.waits = NULL;
        env.waiting = NULL;
        env.ended = 0;
}

/* A blocking call has returned rc: its result is the loop's last one. */
const struct res *env_took(int64_t rc)
{
        struct res *res;

        if (rc < 0 && roma_last(env.loop)->code == ROMA_OK)
                return not_started();
        res = res_of(roma_last(env.loop));
        if (rc >= 0 && res->code != ROMA_OK)
                res->message = text("the call returned %lld but its result is %s: %s", (long long)rc,
                                    roma_code_name(res->code), res->message);
        return res;
}

const struct res *env_fine(void)
{
        struct res *res = mem(sizeof(*res));

        res->message = "";
        return res;
}
