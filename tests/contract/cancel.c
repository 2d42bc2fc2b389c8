/* SPDX-License-Identifier: MIT */
/* Cancelling each kind of operation, at once and in the middle: one callback, ROMA_ECANCELED or the result that it
 * had already, nothing left behind, the caller's memory left alone. */
#include "check.h"

#include <stdlib.h>

enum { BIG = 4 << 20 };

struct victim {
        uint8_t *data; /* BIG random bytes */
        uint8_t *buf;  /* BIG, read into */
        roma_file *file;
        roma_writer *writer;
        roma_reader *reader;
        int round;
};

static roma_op go_stat(struct victim *v, struct wait *w)
{
        (void)v;
        return roma_aio_stat(S, K("big"), 0, NULL, w_done, w);
}

static roma_op go_list(struct victim *v, struct wait *w)
{
        (void)v;
        return roma_aio_list(S, K(""), NULL, w_done, w);
}

static roma_op go_mkdir(struct victim *v, struct wait *w)
{
        return roma_aio_mkdir(S, K(text("dir%d", v->round)), 0755, ROMA_MKDIR_PARENTS, NULL, w_done, w);
}

static roma_op go_rename(struct victim *v, struct wait *w)
{
        (void)v;
        return roma_aio_rename(S, K("a"), K("a"), 0, NULL, w_done, w);
}

static roma_op go_setattr(struct victim *v, struct wait *w)
{
        roma_attr a = ROMA_ATTR_INIT;

        (void)v;
        a.mask = ROMA_ATTR_MODE;
        a.mode = 0644;
        return roma_aio_setattr(S, K("big"), &a, 0, NULL, w_done, w);
}

static roma_op go_statfs(struct victim *v, struct wait *w)
{
        (void)v;
        return roma_aio_statfs(S, NULL, w_done, w);
}

static roma_op go_ping(struct victim *v, struct wait *w)
{
        (void)v;
        return roma_aio_ping(S, NULL, w_done, w);
}

static roma_op go_open(struct victim *v, struct wait *w)
{
        (void)v;
        return roma_aio_file_open(S, K("big"), ROMA_O_READ, 0, NULL, w_done, w);
}

static roma_op go_pread(struct victim *v, struct wait *w)
{
        return roma_aio_pread(v->file, v->buf, BIG, 0, NULL, w_done, w);
}

static roma_op go_pwrite(struct victim *v, struct wait *w)
{
        return roma_aio_pwrite(v->file, v->data, BIG, 0, NULL, w_done, w);
}

static roma_op go_append(struct victim *v, struct wait *w)
{
        return roma_aio_append(v->file, v->data, 100000, NULL, w_done, w);
}

static roma_op go_truncate(struct victim *v, struct wait *w)
{
        return roma_aio_truncate(v->file, BIG, NULL, w_done, w);
}

static roma_op go_fsync(struct victim *v, struct wait *w)
{
        return roma_aio_fsync(v->file, NULL, w_done, w);
}

static roma_op go_writer(struct victim *v, struct wait *w)
{
        (void)v;
        return roma_aio_writer_open(S, K("new"), NULL, w_done, w);
}

static roma_op go_write(struct victim *v, struct wait *w)
{
        return roma_aio_writer_write(v->writer, v->data, BIG, NULL, w_done, w);
}

static roma_op go_commit(struct victim *v, struct wait *w)
{
        roma_writer *wr = v->writer;

        v->writer = NULL;
        return roma_aio_writer_commit(wr, NULL, w_done, w);
}

static roma_op go_reader(struct victim *v, struct wait *w)
{
        (void)v;
        return roma_aio_reader_open(S, K("big"), NULL, w_done, w);
}

static roma_op go_next(struct victim *v, struct wait *w)
{
        return roma_aio_reader_next(v->reader, NULL, w_done, w);
}

static roma_op go_put(struct victim *v, struct wait *w)
{
        return roma_aio_put(S, K("new"), v->data, BIG, NULL, w_done, w);
}

static roma_op go_put_path(struct victim *v, struct wait *w)
{
        (void)v;
        return roma_aio_put_path(S, K("new"), L("big"), NULL, w_done, w);
}

static roma_op go_get_path(struct victim *v, struct wait *w)
{
        (void)v;
        return roma_aio_get_path(S, K("big"), L("to"), NULL, w_done, w);
}

static roma_op go_copy(struct victim *v, struct wait *w)
{
        (void)v;
        return roma_aio_copy(S, K("big"), S, K("new"), NULL, w_done, w);
}

static roma_op go_hash(struct victim *v, struct wait *w)
{
        (void)v;
        return roma_aio_hash(S, K("big"), ROMA_SHA256, NULL, w_done, w);
}

static roma_op go_gc(struct victim *v, struct wait *w)
{
        (void)v;
        return roma_aio_gc(S, K(""), 100000, NULL, w_done, w);
}

static roma_op go_store(struct victim *v, struct wait *w)
{
        (void)v;
        return roma_aio_store_open(env.loop, env.uri, NULL, w_done, w);
}

static roma_op go_sleep(struct victim *v, struct wait *w)
{
        (void)v;
        return roma_aio_sleep(env.loop, 3, w_done, w);
}

enum { NEEDS_FILE = 1, NEEDS_WRITER = 2, NEEDS_READER = 4, MAKES_NEW = 8 };
static const struct kind {
        const char *name;
        roma_op (*go)(struct victim *v, struct wait *w);
        unsigned needs, caps;
} kinds[] = {
        { "stat", go_stat, 0, 0 },
        { "list", go_list, 0, 0 },
        { "mkdir", go_mkdir, 0, ROMA_CAP_DIRS },
        { "rename", go_rename, 0, ROMA_CAP_RENAME },
        { "setattr", go_setattr, 0, ROMA_CAP_MODE },
        { "statfs", go_statfs, 0, 0 },
        { "ping", go_ping, 0, 0 },
        { "file_open", go_open, 0, 0 },
        { "pread", go_pread, NEEDS_FILE, ROMA_CAP_INPLACE },
        { "pwrite", go_pwrite, NEEDS_FILE, ROMA_CAP_INPLACE },
        { "append", go_append, NEEDS_FILE, ROMA_CAP_INPLACE },
        { "truncate", go_truncate, NEEDS_FILE, ROMA_CAP_INPLACE },
        { "fsync", go_fsync, NEEDS_FILE, ROMA_CAP_INPLACE },
        { "writer_open", go_writer, 0, 0 },
        { "writer_write", go_write, NEEDS_WRITER, 0 },
        { "writer_commit", go_commit, NEEDS_WRITER | MAKES_NEW, 0 },
        { "reader_open", go_reader, 0, 0 },
        { "reader_next", go_next, NEEDS_READER, 0 },
        { "put", go_put, MAKES_NEW, 0 },
        { "put_path", go_put_path, MAKES_NEW, 0 },
        { "get_path", go_get_path, 0, 0 },
        { "copy", go_copy, MAKES_NEW, 0 },
        { "hash", go_hash, 0, 0 },
        { "gc", go_gc, 0, 0 },
        { "store_open", go_store, 0, 0 },
        { "sleep", go_sleep, 0, 0 },
};
enum { KINDS = sizeof(kinds) / sizeof(kinds[0]) };

static void prepare(struct victim *v, unsigned needs)
{
        const struct res *r;

        v->file = NULL;
        v->writer = NULL;
        v->reader = NULL;
        if (needs & NEEDS_FILE) {
                r = x_open(S, K("work"), ROMA_O_READ | ROMA_O_WRITE, 0);
                OK(r);
                v->file = r->r.file;
        }
        if (needs & NEEDS_WRITER) {
                r = x_writer(S, K("new"), NULL);
                OK(r);
                v->writer = r->r.writer;
                OK(x_write(v->writer, v->data, 100000));
        }
        if (needs & NEEDS_READER) {
                r = x_reader(S, K("big"), NULL);
                OK(r);
                v->reader = r->r.reader;
        }
}

/* Also handles that arrived in spite of the cancelling. */
static void tidy(struct victim *v, const struct res *r)
{
        if (r->r.file)
                OK(x_close(r->r.file));
        if (r->r.writer)
                OK(x_abort(r->r.writer));
        if (r->r.reader)
                roma_reader_close(r->r.reader);
        if (r->r.store)
                OK(x_store_close(r->r.store));
        if (r->r.buf)
                roma_buf_unref(r->r.buf);
        if (v->file)
                x_close(v->file);
        if (v->writer)
                OK(x_abort(v->writer));
        if (v->reader)
                roma_reader_close(v->reader);
}

/* Whole or not there at all, and as the outcome says. */
static void new_object_is_right(const struct res *r, struct victim *v)
{
        const struct res *st = x_stat(other(), K("new"), 0);
        bool there = st->code == ROMA_OK;

        if (r->code == ROMA_OK || r->r.outcome == ROMA_DONE)
                CHECK(there);
        else if (r->r.outcome == ROMA_NOT_DONE)
                CHECK(!there);
        if (there) {
                HOLDS(other(), K("new"), v->data, (size_t)st->attr.length);
                CHECK(st->attr.length == BIG || st->attr.length == 100000);
                OK(x_unlink(S, K("new"), ROMA_UNLINK_NO_TRASH));
        }
}

/* after_ms < 0: at once, before the loop has turned. */
static void cancel_one(const struct kind *kind, struct victim *v, int after_ms)
{
        const struct res *r;
        struct wait *w;

        ALSO(prepare(v, kind->needs));
        memset(v->buf, 0x11, BIG);
        w = w_new();
        w->id = kind->go(v, w);
        CHECK(w->id);
        if (after_ms >= 0)
                w_ms((unsigned)after_ms);
        roma_cancel(env.loop, w->id);
        r = w_wait(w);
        if (r->code != ROMA_OK)
                CODE(r, ROMA_ECANCELED);
        /* From the callback on the memory is the caller's again. */
        memset(v->buf, 0x77, BIG);
        roma_cancel(env.loop, w->id);
        ALSO(tidy(v, r));
        w_ms(20);
        EQ(w->calls, 1);
        for (size_t i = 0; i < BIG; i += 4096)
                EQ(v->buf[i], 0x77);
        if (kind->needs & MAKES_NEW)
                ALSO(new_object_is_right(r, v));
}

static void cancel_each(int from_ms, int to_ms)
{
        struct victim v = { .data = rnd_bytes(BIG), .buf = mem(BIG) };

        OK(x_put(S, K("big"), v.data, BIG, NULL));
        OK(x_put(S, K("work"), v.data, BIG, NULL));
        OK(x_put(S, K("a"), "x", 1, NULL));
        local_write(L("big"), v.data, BIG);
        for (int ms = from_ms; ms <= to_ms; ms = ms < 3 ? ms + 1 : ms * 2)
                for (size_t i = 0; i < KINDS; i++) {
                        if ((env.caps & kinds[i].caps) != kinds[i].caps)
                                continue;
                        v.round++;
                        cancel_one(&kinds[i], &v, ms);
                        if (env.why) {
                                env.why = text("%s (cancelled %s after %d ms)", env.why, kinds[i].name, ms);
                                return;
                        }
                }
        HOLDS(S, K("big"), v.data, BIG);
        NO_TEMPORARIES();
}

static void at_once(void)
{
        cancel_each(-1, -1);
}

static void in_the_middle(void)
{
        cancel_each(0, 12);
}

static void harmless_ids(void)
{
        struct wait *w = w_new();

        roma_cancel(env.loop, 0);
        roma_cancel(env.loop, 0x123456789abcdefULL);
        w->id = roma_aio_stat(S, "", 0, NULL, w_done, w);
        OK(w_wait(w));
        roma_cancel(env.loop, w->id);
        w_ms(10);
        EQ(w->calls, 1);
}

static void cancel_the_other(struct wait *w)
{
        struct wait **list = w->arg;

        roma_cancel(env.loop, w->id); /* itself: nothing */
        for (int i = 0; i < 50; i++)
                roma_cancel(env.loop, list[i]->id);
}

static void in_callbacks(void)
{
        struct wait *list[51], *first = w_new();

        for (int i = 0; i < 50; i++) {
                list[i] = w_new();
                list[i]->id = roma_aio_sleep(env.loop, 5000, w_done, list[i]);
                CHECK(list[i]->id);
        }
        first->hook = cancel_the_other;
        first->arg = list;
        first->id = roma_aio_stat(S, "", 0, NULL, w_done, first);
        OK(w_wait(first));
        for (int i = 0; i < 50; i++)
                CODE(w_wait(list[i]), ROMA_ECANCELED);
}

/* Many at once, each cancelled at a random moment by a callback of another. */
static void in_a_storm(void)
{
        enum { N = 300 };
        struct wait *w[N];
        uint8_t *data = rnd_bytes(BIG), *buf = mem(N * 1000);
        const struct res *r;
        roma_file *f;

        OK(x_put(S, K("big"), data, BIG, NULL));
        r = x_open(S, K("big"), ROMA_O_READ, 0);
        OK(r);
        f = r->r.file;
        for (size_t i = 0; i < N; i++) {
                w[i] = w_new();
                switch (i % 4) {
                case 0: w[i]->id = roma_aio_stat(S, K("big"), 0, NULL, w_done, w[i]); break;
                case 1: w[i]->id = roma_aio_put(S, K(text("s%zu", i)), data, 5000, NULL, w_done, w[i]); break;
                default:
                        w[i]->id = roma_aio_pread(f, buf + i * 1000, 1000, rnd_below(BIG - 1000), NULL,
                                                  w_done, w[i]);
                        break;
                }
                CHECK(w[i]->id);
        }
        for (int i = 0; i < 400; i++) {
                roma_cancel(env.loop, w[rnd_below(N)]->id);
                if (i % 20 == 0)
                        w_ms(0);
        }
        w_all();
        for (size_t i = 0; i < N; i++)
                if (w[i]->res->code != ROMA_OK)
                        CODE(w[i]->res, ROMA_ECANCELED);
        OK(x_close(f));
        for (size_t i = 1; i < N; i += 4)
                if (w[i]->res->code == ROMA_OK)
                        HOLDS(S, K(text("s%zu", i)), data, 5000);
        NO_TEMPORARIES();
}

static const struct test tests[] = {
        { "at_once", 0, at_once },           { "in_the_middle", 0, in_the_middle },
        { "harmless_ids", 0, harmless_ids }, { "in_callbacks", 0, in_callbacks },
        { "in_a_storm", 0, in_a_storm },
};
SUITE(cancel, tests);
