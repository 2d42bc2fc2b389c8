/* SPDX-License-Identifier: MIT */
/* Operations: one callback each, after the start; what is legal in callbacks; posts, timers, limits, statistics. */
#include "check.h"

#include <inttypes.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include <fcntl.h>

static uint64_t now_ms(void)
{
        struct timespec ts;

        clock_gettime(CLOCK_MONOTONIC, &ts);
        return (uint64_t)ts.tv_sec * 1000 + (uint64_t)ts.tv_nsec / 1000000;
}

static void thousand_in_flight(void)
{
        enum { N = 1000, LEN = 200000 };
        uint8_t *data = rnd_bytes(LEN), *buf = mem(N * 300);
        struct wait **w = mem(N * sizeof(struct wait *));
        size_t *at = mem(N * sizeof(size_t));
        const struct res *r;
        roma_file *f;
        roma_op last = 0;

        OK(x_put(S, K("file"), data, LEN, NULL));
        r = x_open(S, K("file"), ROMA_O_READ, 0);
        OK(r);
        f = r->r.file;
        for (size_t i = 0; i < N; i++) {
                w[i] = w_new();
                at[i] = rnd_below(LEN - 300);
                w[i]->id = i % 5 == 4 ? roma_aio_stat(S, K("file"), 0, NULL, w_done, w[i])
                                      : roma_aio_pread(f, buf + i * 300, 300, at[i], NULL, w_done, w[i]);
                CHECK(w[i]->id && w[i]->id != last);
                last = w[i]->id;
        }
        CHECK(stats().operations >= N);
        w_all();
        for (size_t i = 0; i < N; i++) {
                OK(w[i]->res);
                if (i % 5 == 4)
                        EQ(w[i]->res->attr.length, LEN);
                else
                        EQ_MEM(buf + i * 300, data + at[i], 300);
        }
        OK(x_close(f));
}

static void start_in_callback(struct wait *w)
{
        struct wait *next = w->arg;

        if (next)
                next->id = roma_aio_stat(S, "", 0, NULL, w_done, next);
}

static void starts_in_callbacks(void)
{
        enum { N = 500 };
        struct wait *chain[N];

        for (int i = 0; i < N; i++) {
                chain[i] = w_new();
                chain[i]->hook = start_in_callback;
        }
        for (int i = 0; i + 1 < N; i++)
                chain[i]->arg = chain[i + 1];
        chain[0]->id = roma_aio_stat(S, "", 0, NULL, w_done, chain[0]);
        for (int i = 0; i < N; i++) {
                /* The next one has started when this one has ended. */
                OK(w_wait(chain[i]));
                if (i)
                        CHECK(chain[i]->order > chain[i - 1]->order);
        }
}

struct blocked {
        int rc;
        int code;
        char error[200];
};

static void block_in_callback(struct wait *w)
{
        struct blocked *b = w->arg;
        roma_attr a = ROMA_ATTR_INIT;

        b->rc = roma_stat(S, "", 0, NULL, &a);
        snprintf(b->error, sizeof(b->error), "%s", roma_error(env.loop));
        if (roma_loop_run(env.loop) == 0)
                b->rc = 0;
        if (roma_loop_turn(env.loop, 0) >= 0)
                b->rc = 0;
        roma_loop_free(env.loop); /* says no */
}

static void blocking_in_a_callback(void)
{
        struct blocked b = { 0, 0, "" };
        struct wait *w = w_new();

        w->hook = block_in_callback;
        w->arg = &b;
        w->id = roma_aio_stat(S, "", 0, NULL, w_done, w);
        OK(w_wait(w));
        EQ(b.rc, -1);
        CHECK(*b.error);
        OK(x_stat(S, "", 0));
}

static void blocking_on_an_attached_loop(void)
{
        roma_attr a = ROMA_ATTR_INIT;
        char buf[4];

        if (env.drive != DRIVE_EV)
                SKIP("only for an attached loop");
        OK(x_put(S, K("file"), "x", 1, NULL));
        EQ(roma_stat(S, K("file"), 0, NULL, &a), -1);
        CHECK(*roma_error(env.loop));
        CHECK(!roma_store_open(env.loop, env.uri, NULL));
        CHECK(!roma_file_open(S, K("file"), ROMA_O_READ, 0, NULL));
        CHECK(!roma_reader_open(S, K("file"), NULL));
        CHECK(!roma_writer_open(S, K("file"), NULL));
        EQ(roma_put(S, K("file"), "yy", 2, NULL), -1);
        EQ(roma_get_path(S, K("file"), L("to"), NULL, NULL), -1);
        EQ(roma_hash(S, K("file"), ROMA_MD5, NULL), -1);
        EQ(roma_gc(S, "", 0, NULL), -1);
        EQ(roma_loop_run(env.loop), -1);
        EQ(roma_loop_turn(env.loop, 0), -1);
        EQ(roma_loop_fd(env.loop), -1);
        const struct res *r = x_open(S, K("file"), ROMA_O_READ, 0);

        OK(r);
        EQ(roma_pread(r->r.file, buf, 4, 0, NULL), -1);
        OK(x_close(r->r.file));
        HOLDS(S, K("file"), "x", 1);
}

struct posted {
        pthread_t from, in;
        bool done;
        struct wait *then;
};

static void on_the_loop(void *arg)
{
        struct posted *p = arg;

        p->in = pthread_self();
        p->done = true;
        p->then->id = roma_aio_stat(S, "", 0, NULL, w_done, p->then);
        /* End the wait of the test in all three ways of driving. */
        roma_cancel(env.loop, ((struct wait *)p->then->arg)->id);
}

static void *post_soon(void *arg)
{
        struct posted *p = arg;

        p->from = pthread_self();
        usleep(20000);
        roma_loop_post(env.loop, on_the_loop, p);
        return NULL;
}

static void posts_from_a_thread(void)
{
        struct posted p;
        struct wait *sleeper = w_new();
        pthread_t t;

        memset(&p, 0, sizeof(p));
        p.then = w_new();
        p.then->arg = sleeper;
        sleeper->id = roma_aio_sleep(env.loop, 20000, w_done, sleeper);
        CHECK(pthread_create(&t, NULL, post_soon, &p) == 0);
        CODE(w_wait(sleeper), ROMA_ECANCELED);
        pthread_join(t, NULL);
        CHECK(p.done && pthread_equal(p.in, pthread_self()) && !pthread_equal(p.from, p.in));
        OK(w_wait(p.then));
}

static void count_post(void *arg)
{
        ++*(unsigned *)arg;
}

static void *post_many(void *arg)
{
        for (int i = 0; i < 1000; i++)
                roma_loop_post(env.loop, count_post, arg);
        return NULL;
}

static void no_post_is_lost(void)
{
        enum { T = 4 };
        pthread_t t[T];
        unsigned n = 0;

        for (int i = 0; i < T; i++)
                CHECK(pthread_create(&t[i], NULL, post_many, &n) == 0);
        for (int i = 0; i < 10; i++)
                w_ms(1);
        for (int i = 0; i < T; i++)
                pthread_join(t[i], NULL);
        for (int i = 0; i < 100 && n != T * 1000; i++)
                w_ms(5);
        EQ(n, T * 1000);
}

static void sleeping(void)
{
        static const unsigned ms[] = { 0, 1, 30, 100, 100, 250 };
        struct wait *w[6];
        uint64_t start = now_ms();

        for (int i = 0; i < 6; i++) {
                w[i] = w_new();
                w[i]->id = roma_aio_sleep(env.loop, ms[i], w_done, w[i]);
                CHECK(w[i]->id);
        }
        for (int i = 0; i < 6; i++) {
                OK(w_wait(w[i]));
                CHECK(now_ms() - start >= ms[i]);
                CHECK(now_ms() - start < ms[i] + 250);
        }
}

static void deadline_of_a_put(void)
{
        roma_put_opts po = ROMA_PUT_OPTS_INIT;
        const struct res *r;
        uint64_t start;
        int fd;

        CHECK(mkfifo(L("fifo"), 0600) == 0);
        po.deadline_ms = 300;
        start = now_ms();
        r = x_put_path(S, K("file"), L("fifo"), &po);
        CODE(r, ROMA_ETIMEDOUT);
        CHECK(now_ms() - start >= 290);
        CHECK(now_ms() - start < 2000);
        EQ(r->r.outcome, ROMA_NOT_DONE);
        CHECK(strlen(r->message) > 10);
        /* What may still stand in open() is let go. */
        fd = open(L("fifo"), O_RDWR | O_NONBLOCK);
        CHECK(fd >= 0);
        w_ms(100);
        close(fd);
        ABSENT(S, K("file"));
        for (int i = 0; i < 100 && stats().stuck_threads; i++)
                w_ms(20);
        EQ(stats().stuck_threads, 0);
        NO_TEMPORARIES();
}

static void statistics(void)
{
        roma_stats before = stats(), after;
        struct wait *w = w_new();

        w->id = roma_aio_sleep(env.loop, 50, w_done, w);
        EQ(stats().operations, before.operations + 1);
        OK(w_wait(w));
        EQ(stats().operations, before.operations);
        CODE(x_stat(S, K("none"), 0), ROMA_ENOENT);
        after = stats();
        CHECK(after.operations_total >= before.operations_total + 2);
        CHECK(after.failures_total >= before.failures_total + 1);
        CHECK(after.callbacks_total > before.callbacks_total);
        EQ(after.stores, env.other ? 2 : 1);
        roma_stats part;

        memset(&part, 0xee, sizeof(part));
        part.size = offsetof(roma_stats, files);
        roma_loop_stats(env.loop, &part);
        EQ(part.stores, after.stores);
        EQ(part.files, 0xeeeeeeeeeeeeeeeeULL);
}

struct traced {
        unsigned events, wrong;
        bool seen_bytes;
        roma_op op;
        bool seen_op;
};

static void on_trace(void *arg, const roma_trace_event *ev)
{
        struct traced *t = arg;

        t->events++;
        t->wrong += !ev->operation || !ev->phase || !ev->server || ev->end_ns < ev->start_ns || !ev->start_ns;
        t->seen_bytes |= ev->bytes >= 100000;
        t->seen_op |= ev->op && ev->op == t->op;
}

static void trace(void)
{
        struct traced t = { 0 };
        struct wait *w = w_new();
        uint8_t *data = rnd_bytes(100000);
        unsigned n;

        roma_loop_trace(env.loop, on_trace, &t);
        w->id = t.op = roma_aio_put(S, K("file"), data, 100000, NULL, w_done, w);
        OK(w_wait(w));
        roma_loop_trace(env.loop, NULL, NULL);
        CHECK(t.events > 0);
        EQ(t.wrong, 0);
        CHECK(t.seen_bytes);
        CHECK(t.seen_op);
        n = t.events;
        OK(x_put(S, K("file"), data, 100000, NULL));
        EQ(t.events, n);
}

static void memory_may_go_after_the_start(void)
{
        char *key = strdup(K("file"));
        roma_put_opts *po = malloc(sizeof(*po));
        roma_attr *a = malloc(sizeof(*a));
        struct wait *w = w_new(), *v = w_new();

        *po = (roma_put_opts)ROMA_PUT_OPTS_INIT;
        *a = (roma_attr)ROMA_ATTR_INIT;
        a->mask = ROMA_ATTR_MODE;
        a->mode = 0600;
        po->attr = a;
        w->id = roma_aio_put(S, key, "data", 4, po, w_done, w);
        v->id = roma_aio_stat(S, key, 0, NULL, w_done, v);
        memset(key, 'z', strlen(key));
        memset(po, 0xff, sizeof(*po));
        memset(a, 0xff, sizeof(*a));
        free(key);
        free(po);
        free(a);
        OK(w_wait(w));
        w_wait(v);
        HOLDS(S, K("file"), "data", 4);
}

static void done_may_be_null(void)
{
        const struct res *r;
        roma_op id;

        OK(x_put(S, K("file"), "x", 1, NULL));
        r = x_writer(S, K("other"), NULL);
        OK(r);
        id = roma_aio_writer_abort(r->r.writer, NULL, NULL, NULL);
        CHECK(id);
        for (int i = 0; i < 100 && stats().operations; i++)
                w_ms(10);
        EQ(stats().operations, 0);
        ABSENT(S, K("other"));
}

static const struct test tests[] = {
        { "thousand_in_flight", 0, thousand_in_flight },
        { "starts_in_callbacks", 0, starts_in_callbacks },
        { "blocking_in_a_callback", 0, blocking_in_a_callback },
        { "blocking_on_an_attached_loop", 0, blocking_on_an_attached_loop },
        { "posts_from_a_thread", 0, posts_from_a_thread },
        { "no_post_is_lost", 0, no_post_is_lost },
        { "sleeping", 0, sleeping },
        { "deadline_of_a_put", 0, deadline_of_a_put },
        { "statistics", 0, statistics },
        { "trace", 0, trace },
        { "memory_may_go_after_the_start", ROMA_CAP_MODE, memory_may_go_after_the_start },
        { "done_may_be_null", 0, done_may_be_null },
};
SUITE(async, tests);
