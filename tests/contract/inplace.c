/* SPDX-License-Identifier: MIT */
/* Files written in place: holes, overlaps, appends, lengths, what others see. */
#include "check.h"

#include <stdlib.h>
#include <time.h>

#define RW (ROMA_O_READ | ROMA_O_WRITE)

static roma_file *opened_on(roma_store *s, const char *key, unsigned flags)
{
        const struct res *r = x_open(s, key, flags, 0640);

        if (r->code != ROMA_OK)
                check_fail(__FILE__, __LINE__, "open %s: %s", key, check_code_text(r));
        return r->r.file;
}
#define OPEN(f, key, flags) ALSO(f = opened_on(S, key, flags))

static void create(void)
{
        roma_file *f;
        const struct res *r;

        CODE(x_open(S, K("file"), RW, 0), ROMA_ENOENT);
        OPEN(f, K("file"), RW | ROMA_O_CREATE);
        OK(x_close(f));
        r = x_stat(other(), K("file"), 0);
        OK(r);
        EQ(r->attr.length, 0);
        if (env.caps & ROMA_CAP_MODE)
                EQ(r->attr.mode, 0640);
        CODE(x_open(S, K("file"), RW | ROMA_O_CREATE | ROMA_O_EXCL, 0644), ROMA_EEXIST);
        CODE(x_open(S, K("file"), RW | ROMA_O_EXCL, 0), ROMA_EINVAL);
        OPEN(f, K("file"), RW | ROMA_O_CREATE);
        OK(x_close(f));
        OPEN(f, K("new"), RW | ROMA_O_CREATE | ROMA_O_EXCL);
        OK(x_close(f));
        if (!(env.caps & ROMA_CAP_DIRS))
                return;
        CODE(x_open(S, K("none/file"), RW | ROMA_O_CREATE, 0644), ROMA_ENOENT);
        CODE(x_open(S, text("t%u", env.nr), RW, 0644), ROMA_EISDIR);
        CODE(x_open(S, text("t%u", env.nr), RW | ROMA_O_CREATE, 0644), ROMA_EISDIR);
}

static void truncate_on_open(void)
{
        roma_file *f;

        OK(x_put(S, K("file"), rnd_bytes(100000), 100000, NULL));
        OPEN(f, K("file"), RW | ROMA_O_TRUNC);
        OK(x_pwrite(f, "abc", 3, 0));
        OK(x_close(f));
        HOLDS(S, K("file"), "abc", 3);
        HOLDS(other(), K("file"), "abc", 3);
}

static void write_needs_the_flag(void)
{
        roma_file *f;
        char buf[4];

        OK(x_put(S, K("file"), "12345", 5, NULL));
        OPEN(f, K("file"), ROMA_O_READ);
        REFUSED(x_pwrite(f, "x", 1, 0));
        REFUSED(x_append(f, "x", 1));
        REFUSED(x_truncate(f, 0));
        OK(x_pread(f, buf, 4, 0));
        OK(x_close(f));
        HOLDS(S, K("file"), "12345", 5);
}

static void written_is_read(void)
{
        enum { N = 300000 };
        uint8_t *data = rnd_bytes(N), *buf = mem(N);
        roma_file *f;
        const struct res *r;

        OPEN(f, K("file"), RW | ROMA_O_CREATE);
        r = x_pwrite(f, data, N, 0);
        OK(r);
        EQ(r->r.bytes, N);
        /* The same file sees its own writes before any fsync. */
        r = x_pread(f, buf, N, 0);
        OK(r);
        EQ(r->r.bytes, N);
        EQ_MEM(buf, data, N);
        r = x_fstat(f);
        OK(r);
        EQ(r->attr.length, N);
        OK(x_fsync(f));
        HOLDS(other(), K("file"), data, N);
        rnd_fill(data + 65530, 10);
        OK(x_pwrite(f, data + 65530, 10, 65530));
        OK(x_pwrite(f, data, 0, 5));
        OK(x_close(f));
        HOLDS(other(), K("file"), data, N);
        HOLDS(S, K("file"), data, N);
}

static void hole(void)
{
        uint64_t far = 200ULL << 20;
        uint8_t *buf = mem(1 << 20), *zero = mem(1 << 20), *data = rnd_bytes(1000);
        roma_file *f;
        const struct res *r;

        OPEN(f, K("file"), RW | ROMA_O_CREATE);
        r = x_pwrite(f, data, 1000, far);
        if (r->code == ROMA_EFBIG) {
                /* Where objects have a limit, a hole below it. */
                far = 100ULL << 20;
                r = x_pwrite(f, data, 1000, far);
        }
        OK(r);
        OK(x_fsync(f));
        for (uint64_t at = 0; at < far; at += 13 << 20) {
                memset(buf, 0xff, 1 << 20);
                r = x_pread(f, buf, 1 << 20, at);
                OK(r);
                EQ(r->r.bytes, at + (1 << 20) < far + 1000 ? 1 << 20 : far + 1000 - at);
                EQ_MEM(buf, zero, at + (1 << 20) < far ? 1 << 20 : far - at);
        }
        OK(x_close(f));
        r = x_open(other(), K("file"), ROMA_O_READ, 0);
        OK(r);
        f = r->r.file;
        EQ(r->attr.length, far + 1000);
        r = x_pread(f, buf, 2000, far - 1000);
        OK(r);
        EQ(r->r.bytes, 2000);
        EQ_MEM(buf, zero, 1000);
        EQ_MEM(buf + 1000, data, 1000);
        OK(x_close(f));
        OK(x_unlink(S, K("file"), ROMA_UNLINK_NO_TRASH));
}

/* All started before any has ended. */
static void overlaps_apply_in_order(void)
{
        enum { N = 300000, W = 200 };
        uint8_t *model = mem(N), *buf = mem(N);
        size_t length = 0;
        roma_file *f;

        OPEN(f, K("file"), RW | ROMA_O_CREATE);
        for (int i = 0; i < W; i++) {
                struct wait *w = w_new();
                size_t at = rnd_below(N - 1), n = 1 + rnd_below(i % 3 ? 5000 : N - at);
                uint8_t *data;

                n = n < N - at ? n : N - at;
                data = rnd_bytes(n);
                memcpy(model + at, data, n);
                length = at + n > length ? at + n : length;
                w->id = roma_aio_pwrite(f, data, n, at, NULL, w_done, w);
                CHECK(w->id);
        }
        w_all();
        for (struct wait *w = env.waits; w; w = w->next)
                if (w->res)
                        OK(w->res);
        OK(x_pread(f, buf, N, 0));
        EQ_MEM(buf, model, length);
        OK(x_close(f));
        HOLDS(other(), K("file"), model, length);
}

/* Two files of the same object on one loop are one place. */
static void overlaps_of_two_files(void)
{
        enum { N = 100000, W = 60 };
        uint8_t *model = mem(N);
        roma_file *f[2];

        OPEN(f[0], K("file"), RW | ROMA_O_CREATE);
        OPEN(f[1], K("file"), RW);
        OK(x_truncate(f[0], N));
        for (int i = 0; i < W; i++) {
                struct wait *w = w_new();
                size_t at = rnd_below(N - 20000), n = 1 + rnd_below(20000);
                uint8_t *data = rnd_bytes(n);

                memcpy(model + at, data, n);
                w->id = roma_aio_pwrite(f[i % 2], data, n, at, NULL, w_done, w);
                CHECK(w->id);
        }
        w_all();
        OK(x_close(f[0]));
        OK(x_close(f[1]));
        HOLDS(other(), K("file"), model, N);
}

static void vectors(void)
{
        enum { N = 150000 };
        uint8_t *data = rnd_bytes(N);
        struct iovec iov[4] = {
                { data, 1 }, { data + 1, 70000 }, { data + 70001, 0 }, { data + 70001, N - 70001 }
        };
        roma_file *f;
        const struct res *r;

        OPEN(f, K("file"), RW | ROMA_O_CREATE);
        r = x_pwritev(f, iov, 4, 0);
        OK(r);
        EQ(r->r.bytes, N);
        OK(x_close(f));
        HOLDS(S, K("file"), data, N);
}

static void append(void)
{
        uint8_t *data = rnd_bytes(100000);
        roma_file *f;
        const struct res *r;

        OPEN(f, K("file"), RW | ROMA_O_CREATE);
        r = x_append(f, data, 1000);
        OK(r);
        EQ(r->r.offset, 0);
        EQ(r->r.bytes, 1000);
        r = x_append(f, data + 1000, 99000);
        OK(r);
        EQ(r->r.offset, 1000);
        OK(x_pwrite(f, data, 10, 100000));
        r = x_append(f, data, 5);
        OK(r);
        EQ(r->r.offset, 100010);
        OK(x_truncate(f, 100000));
        OK(x_close(f));
        HOLDS(other(), K("file"), data, 100000);
}

/* Every record is there once, whole, where its result says. */
static void append_from_two_files(void)
{
        enum { N = 40, LEN = 3001 };
        struct wait *w[N];
        uint8_t *data = rnd_bytes((size_t)N * LEN), *got = mem((size_t)N * LEN + 1);
        bool *seen = mem(N * sizeof(bool));
        roma_file *f[2];
        const struct res *r;

        OPEN(f[0], K("file"), RW | ROMA_O_CREATE);
        OPEN(f[1], K("file"), RW);
        for (int i = 0; i < N; i++) {
                w[i] = w_new();
                w[i]->id = roma_aio_append(f[i % 2], data + (size_t)i * LEN, LEN, NULL, w_done, w[i]);
                CHECK(w[i]->id);
        }
        for (int i = 0; i < N; i++)
                OK(w_wait(w[i]));
        OK(x_fsync(f[0]));
        OK(x_fsync(f[1]));
        r = x_pread(f[0], got, (size_t)N * LEN + 1, 0);
        OK(r);
        EQ(r->r.bytes, N * LEN);
        for (int i = 0; i < N; i++) {
                uint64_t at = w[i]->res->r.offset;

                EQ(at % LEN, 0);
                CHECK(at / LEN < N && !seen[at / LEN]);
                seen[at / LEN] = true;
                EQ_MEM(got + at, data + (size_t)i * LEN, LEN);
        }
        OK(x_close(f[0]));
        OK(x_close(f[1]));
}

static void append_from_two_stores(void)
{
        enum { N = 10, LEN = 70001 };
        uint8_t *data = rnd_bytes((size_t)N * LEN);
        roma_file *f[2];

        OPEN(f[0], K("file"), RW | ROMA_O_CREATE);
        ALSO(f[1] = opened_on(other(), K("file"), RW));
        for (int i = 0; i < N; i++) {
                const struct res *r = x_append(f[i % 2], data + (size_t)i * LEN, LEN);

                OK(r);
                EQ(r->r.offset, (uint64_t)i * LEN);
                OK(x_fsync(f[i % 2]));
        }
        OK(x_close(f[0]));
        OK(x_close(f[1]));
        HOLDS(S, K("file"), data, (size_t)N * LEN);
}

static void truncate_down_and_up(void)
{
        static const size_t lengths[] = { 200000, 65537, 65536,  150000, 65535, 70000,
                                          1,      0,     131073, 131072, 300000 };
        uint8_t *model = mem(300000), *data = rnd_bytes(300000);
        const int64_t second = 1000000000, day = 86400 * second, today = time(NULL) * second;
        size_t now = 300000;
        roma_file *f;

        memcpy(model, data, 300000);
        OK(x_put(S, K("file"), data, 300000, NULL));
        OPEN(f, K("file"), RW);
        for (size_t i = 0; i < sizeof(lengths) / sizeof(lengths[0]); i++) {
                uint8_t *buf = mem(300001);
                const struct res *r;

                OK(x_truncate(f, lengths[i]));
                if (lengths[i] < now)
                        memset(model + lengths[i], 0, now - lengths[i]);
                now = lengths[i];
                r = x_fstat(f);
                OK(r);
                EQ(r->attr.length, now);
                CHECK(llabs(r->attr.mtime_ns - today) < day);
                EQ(x_stat(other(), K("file"), 0)->attr.length, now);
                memset(buf, 0xff, 300001);
                r = x_pread(f, buf, 300001, 0);
                OK(r);
                EQ(r->r.bytes, now);
                EQ_MEM(buf, model, now);
                HOLDS(other(), K("file"), model, now);
        }
        OK(x_close(f));
}

/* What was cut must not come back when the file grows again by a write. */
static void nothing_cut_comes_back(void)
{
        uint8_t *data = rnd_bytes(200000), *want = mem(200000);
        roma_file *f;

        OPEN(f, K("file"), RW | ROMA_O_CREATE);
        OK(x_pwrite(f, data, 200000, 0));
        OK(x_truncate(f, 1000));
        OK(x_pwrite(f, "x", 1, 199999));
        memcpy(want, data, 1000);
        want[199999] = 'x';
        OK(x_close(f));
        HOLDS(S, K("file"), want, 200000);
        HOLDS(other(), K("file"), want, 200000);
}

static void truncate_in_the_stream_of_writes(void)
{
        uint8_t *data = rnd_bytes(100000), *want = mem(100000);
        struct wait *w[3];
        roma_file *f;

        OPEN(f, K("file"), RW | ROMA_O_CREATE);
        for (int i = 0; i < 3; i++)
                w[i] = w_new();
        w[0]->id = roma_aio_pwrite(f, data, 100000, 0, NULL, w_done, w[0]);
        OK(w_wait(w[0]));
        w[1]->id = roma_aio_truncate(f, 500, NULL, w_done, w[1]);
        OK(w_wait(w[1]));
        w[2]->id = roma_aio_pwrite(f, "end", 3, 99997, NULL, w_done, w[2]);
        OK(w_wait(w[2]));
        OK(x_close(f));
        memcpy(want, data, 500);
        memcpy(want + 99997, "end", 3);
        HOLDS(other(), K("file"), want, 100000);
}

static void too_far(void)
{
        roma_file *f;

        OPEN(f, K("file"), RW | ROMA_O_CREATE);
        REFUSED(x_pwrite(f, "xyz", 3, UINT64_MAX - 1));
        REFUSED(x_pwrite(f, "xyz", 3, (1ULL << 63) - 1));
        REFUSED(x_truncate(f, UINT64_MAX));
        OK(x_close(f));
        HOLDS(S, K("file"), "", 0);
}

static void after_unlink(void)
{
        uint8_t *data = rnd_bytes(100000), *buf = mem(100000);
        roma_file *f;
        const struct res *r;

        OPEN(f, K("file"), RW | ROMA_O_CREATE);
        OK(x_pwrite(f, data, 50000, 0));
        OK(x_fsync(f));
        OK(x_unlink(S, K("file"), ROMA_UNLINK_NO_TRASH));
        OK(x_pwrite(f, data + 50000, 50000, 50000));
        OK(x_fsync(f));
        r = x_fstat(f);
        OK(r);
        EQ(r->attr.length, 100000);
        OK(x_pread(f, buf, 100000, 0));
        EQ_MEM(buf, data, 100000);
        OK(x_close(f));
        ABSENT(S, K("file"));
}

/* Where a file is but a name, what is removed is gone, and writing does not bring it back. */
static void after_unlink_by_name(void)
{
        char buf[5];
        roma_file *f;

        if (env.caps & ROMA_CAP_DIRS)
                SKIP("an open file goes on meaning its object");
        OPEN(f, K("file"), RW | ROMA_O_CREATE);
        OK(x_pwrite(f, "12345", 5, 0));
        OK(x_unlink(S, K("file"), ROMA_UNLINK_NO_TRASH));
        CODE(x_pread(f, buf, 5, 0), ROMA_ENOENT);
        CODE(x_pwrite(f, "12345", 5, 5), ROMA_ENOENT);
        CODE(x_append(f, "12345", 5), ROMA_ENOENT);
        CODE(x_truncate(f, 5), ROMA_ENOENT);
        CODE(x_fstat(f), ROMA_ENOENT);
        OK(x_close(f));
        ABSENT(S, K("file"));
}

static void rename_while_open(void)
{
        roma_file *f;

        OPEN(f, K("a"), RW | ROMA_O_CREATE);
        OK(x_pwrite(f, "one", 3, 0));
        OK(x_rename(S, K("a"), K("b"), 0));
        OK(x_pwrite(f, "two", 3, 3));
        OK(x_close(f));
        ABSENT(S, K("a"));
        HOLDS(S, K("b"), "onetwo", 6);
}

/* A reader that has the file open sees, after the writer's fsync, the new bytes and the new length. */
static void a_reader_follows(void)
{
        enum { ROUNDS = 20, LEN = 7000 };
        uint8_t *data = rnd_bytes(ROUNDS * LEN), *buf = mem(ROUNDS * LEN + 1);
        roma_file *f, *reader;

        OPEN(f, K("file"), RW | ROMA_O_CREATE);
        ALSO(reader = opened_on(other(), K("file"), ROMA_O_READ));
        for (size_t i = 0; i < ROUNDS; i++) {
                const struct res *r;

                OK(x_pwrite(f, data + i * LEN, LEN, i * LEN));
                OK(x_fsync(f));
                r = x_pread(reader, buf, ROUNDS * LEN + 1, 0);
                OK(r);
                EQ(r->r.bytes, (i + 1) * LEN);
                EQ_MEM(buf, data, (i + 1) * LEN);
        }
        /* and an overwrite of the same length */
        rnd_fill(data, ROUNDS * LEN);
        OK(x_pwrite(f, data, ROUNDS * LEN, 0));
        OK(x_fsync(f));
        OK(x_pread(reader, buf, ROUNDS * LEN, 0));
        EQ_MEM(buf, data, ROUNDS * LEN);
        OK(x_close(reader));
        OK(x_close(f));
}

static const struct test tests[] = {
        { "create", ROMA_CAP_INPLACE, create },
        { "truncate_on_open", ROMA_CAP_INPLACE, truncate_on_open },
        { "write_needs_the_flag", ROMA_CAP_INPLACE, write_needs_the_flag },
        { "written_is_read", ROMA_CAP_INPLACE, written_is_read },
        { "hole", ROMA_CAP_INPLACE, hole },
        { "overlaps_apply_in_order", ROMA_CAP_INPLACE, overlaps_apply_in_order },
        { "overlaps_of_two_files", ROMA_CAP_INPLACE, overlaps_of_two_files },
        { "vectors", ROMA_CAP_INPLACE, vectors },
        { "append", ROMA_CAP_INPLACE, append },
        { "append_from_two_files", ROMA_CAP_INPLACE, append_from_two_files },
        { "append_from_two_stores", ROMA_CAP_INPLACE, append_from_two_stores },
        { "truncate_down_and_up", ROMA_CAP_INPLACE, truncate_down_and_up },
        { "nothing_cut_comes_back", ROMA_CAP_INPLACE, nothing_cut_comes_back },
        { "truncate_in_the_stream_of_writes", ROMA_CAP_INPLACE, truncate_in_the_stream_of_writes },
        { "too_far", ROMA_CAP_INPLACE, too_far },
        { "after_unlink", ROMA_CAP_INPLACE | ROMA_CAP_DIRS, after_unlink },
        { "after_unlink_by_name", ROMA_CAP_INPLACE, after_unlink_by_name },
        { "rename_while_open", ROMA_CAP_INPLACE | ROMA_CAP_RENAME, rename_while_open },
        { "a_reader_follows", ROMA_CAP_INPLACE, a_reader_follows },
};
SUITE(inplace, tests);
