/* SPDX-License-Identifier: MIT */
/* Readers: all bytes in order, within the budget, paused and resumed, never a silent short end. */
#include "check.h"

#include <inttypes.h>
#include <unistd.h>

static roma_reader *opened(const char *key, const roma_reader_opts *opts)
{
        const struct res *r = x_reader(S, key, opts);

        if (r->code != ROMA_OK)
                check_fail(__FILE__, __LINE__, "reader_open %s: %s", key, check_code_text(r));
        return r->r.reader;
}
#define READER(rd, key, opts) ALSO(rd = opened(key, opts))

/* The rest of the stream is exactly this. */
static void rest_is(roma_reader *rd, const uint8_t *want, size_t n, int line)
{
        size_t at = 0;

        for (;;) {
                const struct res *r = x_next(rd);
                const char *where;
                size_t len;

                if (r->code != ROMA_OK) {
                        check_fail(__FILE__, line, "next at %zu: %s", at, check_code_text(r));
                        return;
                }
                if (!r->r.buf)
                        break;
                len = roma_buf_len(r->r.buf);
                if (!len || len != r->r.bytes || len > n - at) {
                        check_fail(__FILE__, line, "next at %zu of %zu: a buffer of %zu, bytes %" PRIu64, at,
                                   n, len, r->r.bytes);
                        return;
                }
                where = check_mem(roma_buf_data(r->r.buf), want + at, len);
                roma_buf_unref(r->r.buf);
                if (where) {
                        check_fail(__FILE__, line, "at %zu: %s", at, where);
                        return;
                }
                at += len;
        }
        if (at != n)
                check_fail(__FILE__, line, "expected %zu bytes got %zu", n, at);
}
#define REST_IS(rd, want, n) ALSO(rest_is(rd, want, n, __LINE__))

static void every_size(void)
{
        static const size_t sizes[] = {
                0, 1, 100, 65535, 65536, 65537, 1 << 20, (1 << 20) + 1, (10 << 20) - 7
        };

        for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
                const char *k = K(text("%zu", sizes[i]));
                uint8_t *data = rnd_bytes(sizes[i]);
                roma_reader *rd;

                OK(x_put(S, k, data, sizes[i], NULL));
                READER(rd, k, NULL);
                CHECK(roma_reader_attr(rd));
                EQ(roma_reader_attr(rd)->length, sizes[i]);
                REST_IS(rd, data, sizes[i]);
                /* The end stays the end. */
                const struct res *r = x_next(rd);

                OK(r);
                CHECK(!r->r.buf);
                roma_reader_close(rd);
        }
}

static void ranges(void)
{
        enum { N = 300000 };
        uint8_t *data = rnd_bytes(N);
        roma_reader_opts ro = ROMA_READER_OPTS_INIT;
        roma_reader *rd;

        OK(x_put(S, K("file"), data, N, NULL));
        for (int i = 0; i < 20; i++) {
                size_t at = rnd_below(N), n = rnd_below(N - at + 1);

                ro.offset = at;
                ro.length = i % 4 ? n : ROMA_SIZE_UNKNOWN;
                READER(rd, K("file"), &ro);
                REST_IS(rd, data + at, i % 4 ? n : N - at);
                roma_reader_close(rd);
        }
        ro.offset = N;
        ro.length = ROMA_SIZE_UNKNOWN;
        READER(rd, K("file"), &ro);
        REST_IS(rd, data, 0);
        roma_reader_close(rd);
}

static void refuses(void)
{
        CODE(x_reader(S, K("none"), NULL), ROMA_ENOENT);
        if (env.caps & ROMA_CAP_DIRS)
                CODE(x_reader(S, text("t%u", env.nr), NULL), ROMA_EISDIR);
}

static void closed_early(void)
{
        enum { N = 5000000 };
        uint8_t *data = rnd_bytes(N);
        const struct res *r;
        roma_reader *rd;
        roma_buf *buf;

        OK(x_put(S, K("file"), data, N, NULL));
        READER(rd, K("file"), NULL);
        roma_reader_close(rd);
        READER(rd, K("file"), NULL);
        r = x_next(rd);
        OK(r);
        buf = r->r.buf;
        CHECK(buf);
        roma_reader_close(rd);
        /* A buffer outlives its reader. */
        w_ms(50);
        EQ_MEM(roma_buf_data(buf), data, roma_buf_len(buf));
        CHECK(roma_buf_ref(buf) == buf);
        roma_buf_unref(buf);
        EQ_MEM(roma_buf_data(buf), data, roma_buf_len(buf));
        roma_buf_unref(buf);
}

static void closed_with_a_next_in_flight(void)
{
        struct wait *w = w_new();
        roma_reader *rd;

        OK(x_put(S, K("file"), rnd_bytes(5000000), 5000000, NULL));
        READER(rd, K("file"), NULL);
        w->id = roma_aio_reader_next(rd, NULL, w_done, w);
        CHECK(w->id);
        roma_reader_close(rd);
        w_wait(w);
        /* What was there at once is handed out all the same. */
        if (w->res->r.code) {
                CODE(w->res, ROMA_ECANCELED);
                CHECK(!w->res->r.buf);
        } else {
                CHECK(w->res->r.buf);
                roma_buf_unref(w->res->r.buf);
        }
}

static void one_next_at_a_time(void)
{
        struct wait *a = w_new(), *b = w_new();
        roma_reader *rd;

        OK(x_put(S, K("file"), rnd_bytes(100000), 100000, NULL));
        READER(rd, K("file"), NULL);
        a->id = roma_aio_reader_next(rd, NULL, w_done, a);
        b->id = roma_aio_reader_next(rd, NULL, w_done, b);
        w_wait(a);
        w_wait(b);
        OK(a->res);
        /* Unless the first one had its bytes at once. */
        if (b->res->r.code)
                CODE(b->res, ROMA_EBUSY);
        else if (b->res->r.buf)
                roma_buf_unref(b->res->r.buf);
        roma_buf_unref(a->res->r.buf);
        roma_reader_close(rd);
}

static void paused_and_resumed(void)
{
        enum { N = 12000000 };
        uint8_t *data = rnd_bytes(N);
        const struct res *r;
        roma_reader *rd;
        uint64_t bytes;
        size_t len;

        OK(x_put(S, K("file"), data, N, NULL));
        READER(rd, K("file"), NULL);
        r = x_next(rd);
        OK(r);
        len = roma_buf_len(r->r.buf);
        EQ_MEM(roma_buf_data(r->r.buf), data, len);
        roma_buf_unref(r->r.buf);
        roma_reader_pause(rd);
        w_ms(300); /* what was on its way arrives */
        bytes = stats().buffer_bytes;
        w_ms(200);
        EQ(stats().buffer_bytes, bytes);
        roma_reader_resume(rd);
        REST_IS(rd, data + len, N - len);
        roma_reader_close(rd);
}

/* Every buffer is held: reading stops within the budget and goes on when they are given back. */
static void held_buffers_are_back_pressure(void)
{
        enum { N = 48 << 20, MAX = 4096 };
        uint8_t *data = rnd_bytes(N);
        roma_reader_opts ro = ROMA_READER_OPTS_INIT;
        roma_buf **held = mem(MAX * sizeof(*held));
        struct wait *w;
        roma_reader *rd;
        size_t n = 0, at = 0;

        OK(x_put(S, K("file"), data, N, NULL));
        ro.ahead = 8 << 20;
        READER(rd, K("file"), &ro);
        for (;;) {
                struct wait *limit = w_new();

                w = w_new();
                w->id = roma_aio_reader_next(rd, NULL, w_done, w);
                CHECK(w->id);
                limit->id = roma_aio_sleep(env.loop, 1000, w_done, limit);
                while (!w->calls && !limit->calls)
                        w_ms(1);
                roma_cancel(env.loop, limit->id);
                if (!w->calls)
                        break;
                OK(w->res);
                CHECK(w->res->r.buf && n < MAX);
                held[n++] = w->res->r.buf;
        }
        CHECK(stats().buffer_bytes <= (33 << 20));
        CHECK(n > 0);
        for (size_t i = 0; i < n; i++) {
                size_t len = roma_buf_len(held[i]);

                EQ_MEM(roma_buf_data(held[i]), data + at, len);
                at += len;
                roma_buf_unref(held[i]);
        }
        OK(w_wait(w));
        CHECK(w->res->r.buf);
        EQ_MEM(roma_buf_data(w->res->r.buf), data + at, roma_buf_len(w->res->r.buf));
        at += roma_buf_len(w->res->r.buf);
        roma_buf_unref(w->res->r.buf);
        REST_IS(rd, data + at, N - at);
        roma_reader_close(rd);
        CHECK(stats().buffer_bytes_peak <= (33 << 20));
        OK(x_unlink(S, K("file"), ROMA_UNLINK_NO_TRASH));
}

static void many_at_once(void)
{
        enum { N = 20, LEN = 3000000 };
        roma_reader *rd[N];
        size_t at[N] = { 0 };
        bool end[N] = { false };
        uint8_t *data = rnd_bytes(LEN);
        unsigned open = N;

        OK(x_put(S, K("file"), data, LEN, NULL));
        for (int i = 0; i < N; i++)
                READER(rd[i], K("file"), NULL);
        while (open)
                for (int i = 0; i < N; i++) {
                        const struct res *r;

                        if (end[i])
                                continue;
                        r = x_next(rd[i]);
                        OK(r);
                        if (!r->r.buf) {
                                EQ(at[i], LEN);
                                end[i] = true;
                                open--;
                                continue;
                        }
                        CHECK(roma_buf_len(r->r.buf) <= LEN - at[i]);
                        EQ_MEM(roma_buf_data(r->r.buf), data + at[i], roma_buf_len(r->r.buf));
                        at[i] += roma_buf_len(r->r.buf);
                        roma_buf_unref(r->r.buf);
                }
        for (int i = 0; i < N; i++)
                roma_reader_close(rd[i]);
        CHECK(stats().buffer_bytes_peak <= (33 << 20));
}

enum { LONG = 20 << 20 };

/* Bytes that a reader gets of an object which somebody else changes in place after the first ones; then it fails. */
static void read_changing(void (*change)(roma_file *f), size_t *at)
{
        uint8_t *data = rnd_bytes(LONG);
        roma_reader_opts ro = ROMA_READER_OPTS_INIT;
        const struct res *r;
        roma_reader *rd;
        roma_file *f;

        *at = 0;
        OK(x_put(S, K("file"), data, LONG, NULL));
        ro.ahead = 1 << 20;
        READER(rd, K("file"), &ro);
        r = x_open(other(), K("file"), ROMA_O_WRITE, 0);
        OK(r);
        f = r->r.file;
        ALSO(change(f));
        OK(x_close(f));
        while ((r = x_next(rd))->code == ROMA_OK && r->r.buf) {
                *at += roma_buf_len(r->r.buf);
                roma_buf_unref(r->r.buf);
        }
        CODE(r, ROMA_ESOURCE);
        roma_reader_close(rd);
}

static void shrink(roma_file *f)
{
        OK(x_truncate(f, 100));
}

static void shrunk_in_the_middle(void)
{
        size_t at;

        ALSO(read_changing(shrink, &at));
        CHECK(at < LONG);
}

/* Nothing but the bytes tells: the length stays, and times may have too few digits. */
static void rewrite_the_end(roma_file *f)
{
        /* A kernel's clock for files ticks a few times in that; plain objects of RADOS have whole seconds only. */
        usleep(roma_store_caps(S) & ROMA_CAP_DIRS ? 20000 : 1100000);
        OK(x_pwrite(f, "other", 5, LONG - 5));
}

static void rewritten_in_the_middle(void)
{
        size_t at;

        read_changing(rewrite_the_end, &at);
}

static void replaced_in_the_middle(void)
{
        enum { N = 20 << 20 };
        uint8_t *data = rnd_bytes(N);
        roma_reader_opts ro = ROMA_READER_OPTS_INIT;
        roma_reader *rd;

        OK(x_put(S, K("file"), data, N, NULL));
        ro.ahead = 1 << 20;
        READER(rd, K("file"), &ro);
        OK(x_put(other(), K("file"), "new", 3, NULL));
        REST_IS(rd, data, N);
        roma_reader_close(rd);
        HOLDS(S, K("file"), "new", 3);
}

static const struct test tests[] = {
        { "every_size", 0, every_size },
        { "ranges", 0, ranges },
        { "refuses", 0, refuses },
        { "closed_early", 0, closed_early },
        { "closed_with_a_next_in_flight", 0, closed_with_a_next_in_flight },
        { "one_next_at_a_time", 0, one_next_at_a_time },
        { "paused_and_resumed", 0, paused_and_resumed },
        { "held_buffers_are_back_pressure", 0, held_buffers_are_back_pressure },
        { "many_at_once", 0, many_at_once },
        { "shrunk_in_the_middle", ROMA_CAP_INPLACE, shrunk_in_the_middle },
        { "rewritten_in_the_middle", ROMA_CAP_INPLACE, rewritten_in_the_middle },
        { "replaced_in_the_middle", ROMA_CAP_DIRS, replaced_in_the_middle },
};
SUITE(streams, tests);
