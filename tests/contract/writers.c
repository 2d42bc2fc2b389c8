/* SPDX-License-Identifier: MIT */
/* Writers: nothing is seen before the commit, all of it after; abort leaves nothing. */
#include "check.h"

static roma_writer *opened(const char *key, const roma_writer_opts *opts)
{
        const struct res *r = x_writer(S, key, opts);

        if (r->code != ROMA_OK)
                check_fail(__FILE__, __LINE__, "writer_open %s: %s", key, check_code_text(r));
        return r->r.writer;
}
#define WRITER(w, key, opts) ALSO(w = opened(key, opts))

static void in_pieces(void)
{
        static const size_t sizes[] = { 0, 1, 65536, 65537, 1000000, (10 << 20) - 7 };

        for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
                uint8_t *data = rnd_bytes(sizes[i]);
                const char *k = K(text("%zu", sizes[i]));
                roma_writer *w;
                const struct res *r;

                WRITER(w, k, NULL);
                for (size_t at = 0; at < sizes[i];) {
                        size_t n = 1 + rnd_below(sizes[i] > 2000000 ? 1500000 : 200000);

                        n = n < sizes[i] - at ? n : sizes[i] - at;
                        OK(x_write(w, data + at, n));
                        at += n;
                }
                r = x_commit(w);
                OK(r);
                EQ(r->r.bytes, sizes[i]);
                EQ(r->r.outcome, ROMA_DONE);
                CHECK(r->r.attr);
                EQ(r->attr.length, sizes[i]);
                if (r->r.has_crc32)
                        EQ(r->r.crc32, ref_crc32(data, sizes[i]));
                if (r->attr.mask & ROMA_ATTR_ETAG)
                        EQ_STR(x_stat(S, k, 0)->attr.etag, r->attr.etag);
                HOLDS(S, k, data, sizes[i]);
                HOLDS(other(), k, data, sizes[i]);
        }
        NO_TEMPORARIES();
}

static void several_in_flight(void)
{
        enum { N = 300000, W = 100 };
        uint8_t *data = rnd_bytes(N);
        roma_writer *w;

        WRITER(w, K("file"), NULL);
        for (size_t i = 0; i < W; i++) {
                struct wait *wait = w_new();

                wait->id = roma_aio_writer_write(w, data + i * (N / W), N / W, NULL, w_done, wait);
                CHECK(wait->id);
        }
        /* The commit waits for all of them. */
        OK(x_commit(w));
        for (struct wait *i = env.waits; i; i = i->next)
                if (i->id) {
                        EQ(i->calls, 1);
                        OK(i->res);
                }
        HOLDS(S, K("file"), data, N);
}

static void unseen_before_the_commit(void)
{
        uint8_t *a = rnd_bytes(100000), *b = rnd_bytes(200000);
        roma_writer *w;

        WRITER(w, K("file"), NULL);
        OK(x_write(w, a, 100000));
        ABSENT(S, K("file"));
        ABSENT(other(), K("file"));
        OK(x_commit(w));
        HOLDS(other(), K("file"), a, 100000);
        WRITER(w, K("file"), NULL);
        OK(x_write(w, b, 200000));
        HOLDS(other(), K("file"), a, 100000);
        OK(x_commit(w));
        HOLDS(other(), K("file"), b, 200000);
}

static void longer_by_shorter(void)
{
        uint8_t *a = rnd_bytes(200000), *b = rnd_bytes(100);

        OK(x_put(S, K("file"), a, 200000, NULL));
        OK(x_put(S, K("file"), b, 100, NULL));
        HOLDS(S, K("file"), b, 100);
        OK(x_put(S, K("file"), a, 200000, NULL));
        HOLDS(S, K("file"), a, 200000);
        OK(x_put(S, K("file"), "", 0, NULL));
        HOLDS(S, K("file"), "", 0);
        HOLDS(other(), K("file"), "", 0);
}

static void abort_leaves_nothing(void)
{
        roma_writer *w;

        WRITER(w, K("file"), NULL);
        OK(x_write(w, rnd_bytes(500000), 500000));
        OK(x_abort(w));
        ABSENT(S, K("file"));
        NO_TEMPORARIES();
        WRITER(w, K("file"), NULL);
        OK(x_abort(w));
        ABSENT(S, K("file"));
        NO_TEMPORARIES();
        OK(x_put(S, K("file"), "old", 3, NULL));
        WRITER(w, K("file"), NULL);
        OK(x_write(w, "new", 3));
        OK(x_abort(w));
        HOLDS(S, K("file"), "old", 3);
        NO_TEMPORARIES();
}

static void abort_with_writes_in_flight(void)
{
        uint8_t *data = rnd_bytes(1 << 20);
        roma_writer *w;

        for (int round = 0; round < 5; round++) {
                WRITER(w, K("file"), NULL);
                for (int i = 0; i < 8; i++) {
                        struct wait *wait = w_new();

                        wait->id = roma_aio_writer_write(w, data, 1 << 20, NULL, w_done, wait);
                        CHECK(wait->id);
                }
                w_ms((unsigned)round * 3);
                OK(x_abort(w));
                w_all();
                for (struct wait *i = env.waits; i; i = i->next)
                        if (i->res && i->id && i->res->code != ROMA_OK)
                                CODE(i->res, ROMA_ECANCELED);
        }
        ABSENT(S, K("file"));
        NO_TEMPORARIES();
}

static void the_size_must_fit(void)
{
        static const uint64_t hints[] = { 0, 1, 99999, 100001, 1ULL << 40 };
        roma_writer_opts wo = ROMA_WRITER_OPTS_INIT;
        uint8_t *data = rnd_bytes(100000);
        roma_writer *w;

        for (int old = 0; old < 2; old++) {
                for (size_t i = 0; i < sizeof(hints) / sizeof(hints[0]); i++) {
                        const struct res *r;

                        wo.size_hint = hints[i];
                        r = x_writer(S, K("file"), &wo);
                        if (r->code == ROMA_EFBIG) {
                                CHECK(hints[i] > 100001);
                                continue;
                        }
                        OK(r);
                        w = r->r.writer;
                        r = x_write(w, data, 100000);
                        if (r->code != ROMA_OK) {
                                /* Too much may be noticed at once. */
                                CODE(r, ROMA_ESOURCE);
                                CHECK(hints[i] < 100000);
                                OK(x_abort(w));
                        } else {
                                r = x_commit(w);
                                CODE(r, ROMA_ESOURCE);
                                EQ(r->r.outcome, ROMA_NOT_DONE);
                        }
                        if (old)
                                HOLDS(S, K("file"), "old", 3);
                        else
                                ABSENT(S, K("file"));
                        NO_TEMPORARIES();
                }
                OK(x_put(S, K("file"), "old", 3, NULL));
        }
        wo.size_hint = 100000;
        WRITER(w, K("file"), &wo);
        OK(x_write(w, data, 100000));
        OK(x_commit(w));
        HOLDS(S, K("file"), data, 100000);
}

static void if_absent(void)
{
        roma_writer_opts wo = ROMA_WRITER_OPTS_INIT;
        roma_put_opts po = ROMA_PUT_OPTS_INIT;
        const struct res *r;
        roma_writer *w;

        po.precondition = wo.precondition = ROMA_IF_ABSENT;
        OK(x_put(S, K("file"), "first", 5, &po));
        HOLDS(S, K("file"), "first", 5);
        r = x_put(S, K("file"), "second", 6, &po);
        CODE(r, ROMA_EEXIST);
        EQ(r->r.outcome, ROMA_NOT_DONE);
        HOLDS(S, K("file"), "first", 5);
        NO_TEMPORARIES();
        /* It appears while the writer works. */
        WRITER(w, K("late"), &wo);
        OK(x_write(w, "mine", 4));
        OK(x_put(other(), K("late"), "theirs", 6, NULL));
        CODE(x_commit(w), ROMA_EEXIST);
        HOLDS(S, K("late"), "theirs", 6);
        NO_TEMPORARIES();
}

static void if_absent_has_one_winner(void)
{
        enum { N = 8 };
        roma_writer_opts wo = ROMA_WRITER_OPTS_INIT;
        struct wait *c[N];
        int won = -1;

        wo.precondition = ROMA_IF_ABSENT;
        for (int i = 0; i < N; i++) {
                const struct res *r = x_writer(i % 2 ? S : other(), K("file"), &wo);

                OK(r);
                OK(x_write(r->r.writer, text("%d", i), 1));
                c[i] = w_new();
                c[i]->arg = r->r.writer;
        }
        for (int i = 0; i < N; i++)
                c[i]->id = roma_aio_writer_commit(c[i]->arg, NULL, w_done, c[i]);
        for (int i = 0; i < N; i++) {
                const struct res *r = w_wait(c[i]);

                if (r->code == ROMA_OK) {
                        EQ(won, -1);
                        won = i;
                } else {
                        CODE(r, ROMA_EEXIST);
                }
        }
        CHECK(won >= 0);
        HOLDS(S, K("file"), text("%d", won), 1);
        NO_TEMPORARIES();
}

static void last_commit_wins(void)
{
        uint8_t *a = rnd_bytes(100000), *b = rnd_bytes(70000);
        roma_writer *w, *v;

        WRITER(w, K("file"), NULL);
        WRITER(v, K("file"), NULL);
        OK(x_write(w, a, 50000));
        OK(x_write(v, b, 70000));
        OK(x_write(w, a + 50000, 50000));
        OK(x_commit(v));
        HOLDS(other(), K("file"), b, 70000);
        OK(x_commit(w));
        HOLDS(other(), K("file"), a, 100000);
}

static void parents(void)
{
        roma_writer_opts wo = ROMA_WRITER_OPTS_INIT;
        roma_put_opts po = ROMA_PUT_OPTS_INIT;

        if (env.caps & ROMA_CAP_DIRS) {
                CODE(x_put(S, K("a/b/file"), "x", 1, NULL), ROMA_ENOENT);
                ABSENT(S, K("a"));
        }
        po.flags = wo.flags = ROMA_WRITER_PARENTS;
        OK(x_put(S, K("a/b/file"), "x", 1, &po));
        HOLDS(S, K("a/b/file"), "x", 1);
        OK(x_put(S, K("a/b/file"), "yy", 2, &po));
        HOLDS(S, K("a/b/file"), "yy", 2);
        OK(x_put(S, K("plain"), "x", 1, &po));
        if (env.caps & ROMA_CAP_DIRS)
                CODE(x_put(S, K("plain/below/file"), "x", 1, &po), ROMA_ENOTDIR);
}

static void a_folder_is_in_the_way(void)
{
        OK(x_mkdir(S, K("folder"), 0755, 0));
        OK(x_put(S, K("folder/file"), "x", 1, NULL));
        CODE(x_put(S, K("folder"), "x", 1, NULL), ROMA_EISDIR);
        HOLDS(S, K("folder/file"), "x", 1);
        NO_TEMPORARIES();
}

static void attributes(void)
{
        roma_writer_opts wo = ROMA_WRITER_OPTS_INIT;
        roma_attr a = ROMA_ATTR_INIT;
        const struct res *r;
        roma_writer *w;

        a.mask = ROMA_ATTR_MODE | ROMA_ATTR_MTIME;
        a.mode = 0604;
        a.mtime_ns = 1234567890000000000LL;
        wo.attr = &a;
        WRITER(w, K("file"), &wo);
        OK(x_write(w, rnd_bytes(100000), 100000));
        OK(x_commit(w));
        r = x_stat(other(), K("file"), 0);
        OK(r);
        EQ(r->attr.mode, 0604);
        EQ(r->attr.mtime_ns, a.mtime_ns);
}

static void replacing_keeps_mode_and_owner(void)
{
        roma_attr a = ROMA_ATTR_INIT;
        const struct res *r;
        uint32_t uid, gid;

        OK(x_put(S, K("file"), "old", 3, NULL));
        a.mask = ROMA_ATTR_MODE;
        a.mode = 0611;
        OK(x_setattr(S, K("file"), &a, 0));
        a.mask = ROMA_ATTR_UID | ROMA_ATTR_GID;
        a.uid = a.gid = 4711;
        x_setattr(S, K("file"), &a, 0); /* where it is allowed */
        r = x_stat(S, K("file"), 0);
        OK(r);
        uid = r->attr.uid;
        gid = r->attr.gid;
        OK(x_put(S, K("file"), "new", 3, NULL));
        r = x_stat(other(), K("file"), 0);
        OK(r);
        EQ(r->attr.mode, 0611);
        EQ(r->attr.uid, uid);
        EQ(r->attr.gid, gid);
}

static void buffers_of_the_loop(void)
{
        enum { N = 3000000 };
        uint8_t *data = rnd_bytes(N);
        const struct res *r;
        roma_reader *reader;
        roma_writer *w;
        roma_buf *buf;

        OK(x_put(S, K("from"), data, N, NULL));
        r = x_reader(S, K("from"), NULL);
        OK(r);
        reader = r->r.reader;
        WRITER(w, K("to"), NULL);
        for (;;) {
                r = x_next(reader);
                OK(r);
                buf = r->r.buf;
                if (!buf)
                        break;
                struct wait *wait = w_new();

                wait->id = roma_aio_writer_write_buf(w, buf, NULL, w_done, wait);
                roma_buf_unref(buf); /* the writer has taken one of its own */
                OK(w_wait(wait));
        }
        roma_reader_close(reader);
        OK(x_commit(w));
        HOLDS(S, K("to"), data, N);
}

static const struct test tests[] = {
        { "in_pieces", 0, in_pieces },
        { "several_in_flight", 0, several_in_flight },
        { "unseen_before_the_commit", 0, unseen_before_the_commit },
        { "longer_by_shorter", 0, longer_by_shorter },
        { "abort_leaves_nothing", 0, abort_leaves_nothing },
        { "abort_with_writes_in_flight", 0, abort_with_writes_in_flight },
        { "the_size_must_fit", 0, the_size_must_fit },
        { "if_absent", ROMA_CAP_IF_ABSENT, if_absent },
        { "if_absent_has_one_winner", ROMA_CAP_IF_ABSENT, if_absent_has_one_winner },
        { "last_commit_wins", 0, last_commit_wins },
        { "parents", 0, parents },
        { "a_folder_is_in_the_way", ROMA_CAP_DIRS, a_folder_is_in_the_way },
        { "attributes", ROMA_CAP_MODE, attributes },
        { "replacing_keeps_mode_and_owner", ROMA_CAP_MODE, replacing_keeps_mode_and_owner },
        { "buffers_of_the_loop", 0, buffers_of_the_loop },
};
SUITE(writers, tests);
