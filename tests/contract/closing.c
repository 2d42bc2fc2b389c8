/* SPDX-License-Identifier: MIT */
/* Closing stores, files and writers with operations in flight, also inside callbacks. */
#include "check.h"

#include <stdlib.h>

static roma_store *another(void)
{
        const struct res *r = x_store_open(env.uri);

        if (r->code != ROMA_OK)
                check_fail(__FILE__, __LINE__, "store_open: %s", check_code_text(r));
        return r->r.store;
}

/* Every operation of the test ended once: well, or cancelled. */
static void all_ended(void)
{
        w_all();
        for (struct wait *w = env.waits; w; w = w->next)
                if (w->id) {
                        EQ(w->calls, 1);
                        if (w->res->code != ROMA_OK)
                                CODE(w->res, ROMA_ECANCELED);
                }
}

enum { N = 60, LEN = 1 << 20 };

static void start_many(roma_store *s, roma_file *f, uint8_t *data, uint8_t *buf)
{
        for (size_t i = 0; i < N; i++) {
                struct wait *w = w_new();

                switch (i % 6) {
                case 0: w->id = roma_aio_pread(f, buf + i * 1000, 1000, i, NULL, w_done, w); break;
                case 1: w->id = roma_aio_put(s, K(text("p%zu", i)), data, LEN, NULL, w_done, w); break;
                case 2: w->id = roma_aio_stat(s, K("file"), 0, NULL, w_done, w); break;
                case 3: w->id = roma_aio_hash(s, K("file"), ROMA_SHA256, NULL, w_done, w); break;
                case 4: w->id = roma_aio_get_path(s, K("file"), L(text("g%zu", i)), NULL, w_done, w); break;
                case 5: w->id = roma_aio_list(s, K(""), NULL, w_done, w); break;
                }
                CHECK(w->id);
        }
}

static void close_in_the_middle(bool close_at_once)
{
        uint8_t *data = rnd_bytes(LEN), *buf = mem(N * 1000);
        roma_store *s;
        struct wait *w;
        const struct res *r;

        OK(x_put(S, K("file"), data, LEN, NULL));
        ALSO(s = another());
        r = x_open(s, K("file"), ROMA_O_READ, 0);
        OK(r);
        ALSO(start_many(s, r->r.file, data, buf));
        if (!close_at_once)
                w_ms(5);
        w = w_new();
        w->id = roma_aio_store_close(s, w_done, w);
        CHECK(w->id);
        OK(w_wait(w));
        /* The last word about this store. */
        for (struct wait *i = env.waits; i; i = i->next)
                if (i->id && i != w) {
                        EQ(i->calls, 1);
                        CHECK(i->order < w->order);
                }
        memset(buf, 0x77, N * 1000);
        ALSO(all_ended());
        w_ms(50);
        for (size_t i = 0; i < N * 1000; i++)
                EQ(buf[i], 0x77);
        for (size_t i = 1; i < N; i += 6) {
                r = x_stat(S, K(text("p%zu", i)), 0);
                if (r->code == ROMA_OK)
                        HOLDS(S, K(text("p%zu", i)), data, LEN);
        }
        NO_TEMPORARIES();
}

static void with_operations_in_flight(void)
{
        close_in_the_middle(false);
}

static void at_once(void)
{
        close_in_the_middle(true);
}

static void close_hook(struct wait *w)
{
        struct wait *closer = w->arg;

        closer->id = roma_aio_store_close(closer->arg, w_done, closer);
}

static void inside_a_callback(void)
{
        uint8_t *data = rnd_bytes(LEN), *buf = mem(N * 1000);
        struct wait *first, *closer;
        roma_store *s;
        const struct res *r;

        OK(x_put(S, K("file"), data, LEN, NULL));
        ALSO(s = another());
        r = x_open(s, K("file"), ROMA_O_READ, 0);
        OK(r);
        first = w_new();
        closer = w_new();
        closer->arg = s;
        first->arg = closer;
        first->hook = close_hook;
        first->id = roma_aio_stat(s, "", 0, NULL, w_done, first);
        ALSO(start_many(s, r->r.file, data, buf));
        OK(w_wait(first));
        CHECK(closer->id);
        OK(w_wait(closer));
        ALSO(all_ended());
}

static void blocking_close_hook(struct wait *w)
{
        roma_store_close(w->arg); /* where nothing may block it only starts */
}

static void blocking_form_inside_a_callback(void)
{
        struct wait *w = w_new();
        roma_store *s;

        ALSO(s = another());
        w->arg = s;
        w->hook = blocking_close_hook;
        w->id = roma_aio_stat(s, "", 0, NULL, w_done, w);
        OK(w_wait(w));
        for (int i = 0; i < 100 && stats().stores > (env.other ? 2 : 1); i++)
                w_ms(20);
        EQ(stats().stores, env.other ? 2 : 1);
}

static void nobody_is_told(void)
{
        roma_store *s;

        ALSO(s = another());
        CHECK(roma_aio_store_close(s, NULL, NULL));
        for (int i = 0; i < 100 && stats().stores > (env.other ? 2 : 1); i++)
                w_ms(20);
        EQ(stats().stores, env.other ? 2 : 1);
}

static void close_in_its_own_open(struct wait *w)
{
        if (w->res->r.store)
                roma_aio_store_close(w->res->r.store, NULL, NULL);
}

static void in_the_callback_of_open(void)
{
        struct wait *w = w_new();

        w->hook = close_in_its_own_open;
        w->id = roma_aio_store_open(env.loop, env.uri, NULL, w_done, w);
        OK(w_wait(w));
        for (int i = 0; i < 100 && stats().stores > (env.other ? 2 : 1); i++)
                w_ms(20);
        EQ(stats().stores, env.other ? 2 : 1);
}

static void writers_are_aborted(void)
{
        roma_store *s;
        const struct res *r;

        ALSO(s = another());
        r = x_writer(s, K("file"), NULL);
        OK(r);
        OK(x_write(r->r.writer, rnd_bytes(200000), 200000));
        r = x_writer(s, K("second"), NULL);
        OK(r);
        OK(x_store_close(s));
        ABSENT(S, K("file"));
        ABSENT(S, K("second"));
        NO_TEMPORARIES();
        EQ(stats().writers, 0);
}

static void files_and_readers_end(void)
{
        uint8_t *data = rnd_bytes(3000000);
        roma_store *s;
        const struct res *r;

        OK(x_put(S, K("file"), data, 3000000, NULL));
        ALSO(s = another());
        OK(x_open(s, K("file"), ROMA_O_READ, 0));
        r = x_reader(s, K("file"), NULL);
        OK(r);
        w_ms(10);
        OK(x_store_close(s));
        EQ(stats().files, 0);
        for (int i = 0; i < 100 && (stats().readers || stats().buffers); i++)
                w_ms(10);
        EQ(stats().readers, 0);
        EQ(stats().buffers, 0);
}

static void a_file_with_writes_in_flight(void)
{
        uint8_t *data = rnd_bytes(LEN);
        struct wait *w[8], *closer;
        const struct res *r = x_open(S, K("file"), ROMA_O_WRITE | ROMA_O_CREATE, 0644);

        OK(r);
        for (size_t i = 0; i < 8; i++) {
                w[i] = w_new();
                w[i]->id = roma_aio_pwrite(r->r.file, data, LEN, i * LEN, NULL, w_done, w[i]);
                CHECK(w[i]->id);
        }
        closer = w_new();
        closer->id = roma_aio_file_close(r->r.file, NULL, w_done, closer);
        CHECK(closer->id);
        w_wait(closer);
        ALSO(all_ended());
        /* What was acknowledged is there. */
        r = x_stat(other(), K("file"), 0);
        OK(r);
        for (size_t i = 0; i < 8; i++)
                if (w[i]->res->code == ROMA_OK)
                        CHECK(r->attr.length >= (i + 1) * LEN);
}

static void close_file_hook(struct wait *w)
{
        struct wait *closer = w->arg;

        closer->id = roma_aio_file_close(closer->arg, NULL, w_done, closer);
}

static void a_file_inside_a_callback(void)
{
        uint8_t *buf = mem(LEN);
        struct wait *w = w_new(), *closer = w_new(), *late = w_new();
        const struct res *r;

        OK(x_put(S, K("file"), rnd_bytes(LEN), LEN, NULL));
        r = x_open(S, K("file"), ROMA_O_READ, 0);
        OK(r);
        closer->arg = r->r.file;
        w->arg = closer;
        w->hook = close_file_hook;
        w->id = roma_aio_pread(r->r.file, buf, 10, 0, NULL, w_done, w);
        late->id = roma_aio_pread(r->r.file, buf + 1000, LEN - 1000, 1000, NULL, w_done, late);
        OK(w_wait(w));
        CHECK(closer->id);
        OK(w_wait(closer));
        ALSO(all_ended());
}

static void many_times(void)
{
        for (int i = 0; i < 50; i++) {
                roma_store *s;

                ALSO(s = another());
                if (i % 2)
                        OK(x_stat(s, "", 0));
                OK(x_store_close(s));
        }
        EQ(stats().stores, env.other ? 2 : 1);
}

static const struct test tests[] = {
        { "with_operations_in_flight", 0, with_operations_in_flight },
        { "at_once", 0, at_once },
        { "inside_a_callback", 0, inside_a_callback },
        { "blocking_form_inside_a_callback", 0, blocking_form_inside_a_callback },
        { "nobody_is_told", 0, nobody_is_told },
        { "in_the_callback_of_open", 0, in_the_callback_of_open },
        { "writers_are_aborted", 0, writers_are_aborted },
        { "files_and_readers_end", 0, files_and_readers_end },
        { "a_file_with_writes_in_flight", ROMA_CAP_INPLACE, a_file_with_writes_in_flight },
        { "a_file_inside_a_callback", 0, a_file_inside_a_callback },
        { "many_times", 0, many_times },
};
SUITE(closing, tests);
