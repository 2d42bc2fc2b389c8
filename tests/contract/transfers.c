/* SPDX-License-Identifier: MIT */
/* Whole objects from memory and between stores: put, copy, hash, progress, expected checksums, gc. */
#include "check.h"

#include <signal.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

static const size_t sizes[] = {
        0, 1, 100, 65535, 65536, 65537, 100000, 1 << 20, (1 << 20) + 1, (10 << 20) - 7
};
enum { SIZES = sizeof(sizes) / sizeof(sizes[0]) };

static void put_every_size(void)
{
        for (size_t i = 0; i < SIZES; i++) {
                uint8_t *data = rnd_bytes(sizes[i]);
                const struct res *r = x_put(S, K("file"), data, sizes[i], NULL);

                OK(r);
                EQ(r->r.bytes, sizes[i]);
                EQ(r->r.outcome, ROMA_DONE);
                CHECK(r->r.attr);
                EQ(r->attr.length, sizes[i]);
                CHECK(r->r.has_crc32);
                EQ(r->r.crc32, ref_crc32(data, sizes[i]));
                HOLDS(S, K("file"), data, sizes[i]);
                HOLDS(other(), K("file"), data, sizes[i]);
        }
        NO_TEMPORARIES();
}

static void hash(void)
{
        for (size_t i = 0; i < SIZES; i++) {
                uint8_t *data = rnd_bytes(sizes[i]);
                const struct res *r;

                OK(x_put(S, K("file"), data, sizes[i], NULL));
                r = x_hash(S, K("file"), ROMA_MD5);
                OK(r);
                EQ_STR(r->r.text, ref_digest("md5", data, sizes[i]));
                EQ(r->r.bytes, sizes[i]);
                r = x_hash(S, K("file"), ROMA_SHA256);
                OK(r);
                EQ_STR(r->r.text, ref_digest("sha256", data, sizes[i]));
                r = x_hash(S, K("file"), ROMA_CRC32);
                OK(r);
                EQ_STR(r->r.text, text("%08x", ref_crc32(data, sizes[i])));
                CHECK(r->r.has_crc32);
                EQ(r->r.crc32, ref_crc32(data, sizes[i]));
        }
        CODE(x_hash(S, K("none"), ROMA_MD5), ROMA_ENOENT);
        CODE(x_hash(S, K("file"), 77), ROMA_EINVAL);
}

static void verified(void)
{
        static const struct {
                int verify;
                const char *name;
        } kinds[] = { { ROMA_MD5, "md5" }, { ROMA_SHA256, "sha256" }, { ROMA_CRC32, NULL } };
        roma_put_opts po = ROMA_PUT_OPTS_INIT;
        uint8_t *data = rnd_bytes(1000001);

        for (size_t i = 0; i < 3; i++) {
                const struct res *r;

                po.verify = kinds[i].verify;
                r = x_put(S, K("file"), data, 1000001, &po);
                OK(r);
                if (kinds[i].name)
                        EQ_STR(r->r.text, ref_digest(kinds[i].name, data, 1000001));
                EQ(r->r.crc32, ref_crc32(data, 1000001));
        }
        HOLDS(S, K("file"), data, 1000001);
        po.verify = ROMA_REPLICAS;
        if (env.caps & ROMA_CAP_REPLICAS)
                OK(x_put(S, K("file"), data, 1000001, &po));
        else
                CODE(x_put(S, K("file"), data, 1000001, &po), ROMA_ENOTSUP);
}

static void expected_checksum(void)
{
        roma_put_opts po = ROMA_PUT_OPTS_INIT;
        uint8_t *data = rnd_bytes(200001);
        const struct res *r;

        po.has_crc32 = 1;
        po.crc32 = ref_crc32(data, 200001);
        OK(x_put(S, K("right"), data, 200001, &po));
        HOLDS(S, K("right"), data, 200001);
        po.crc32 ^= 0x100;
        r = x_put(S, K("wrong"), data, 200001, &po);
        CODE(r, ROMA_ECORRUPT);
        EQ(r->r.outcome, ROMA_NOT_DONE);
        ABSENT(S, K("wrong"));
        CODE(x_put(S, K("right"), "x", 1, &po), ROMA_ECORRUPT);
        HOLDS(S, K("right"), data, 200001);
        NO_TEMPORARIES();
}

struct progress {
        unsigned calls;
        uint64_t last, total;
        bool back, late;
        bool ended;
};

static void progressed(void *arg, uint64_t done_bytes, uint64_t total_bytes)
{
        struct progress *p = arg;

        p->calls++;
        p->back |= done_bytes < p->last;
        p->late |= p->ended;
        p->last = done_bytes;
        p->total = total_bytes;
}

static void progress_is_told(void)
{
        enum { N = 8 << 20 };
        roma_put_opts po = ROMA_PUT_OPTS_INIT;
        struct progress p = { 0 };
        uint8_t *data = rnd_bytes(N);

        po.progress = progressed;
        po.progress_arg = &p;
        OK(x_put(S, K("file"), data, N, &po));
        p.ended = true;
        w_ms(150);
        CHECK(p.calls >= 1);
        EQ(p.last, N);
        EQ(p.total, N);
        CHECK(!p.back && !p.late);
        memset(&p, 0, sizeof(p));
        OK(x_copy(S, K("file"), other(), K("copy"), &po));
        CHECK(p.calls >= 1);
        EQ(p.last, N);
        EQ(p.total, N);
        CHECK(!p.back);
}

static void copy_within(void)
{
        for (size_t i = 0; i < SIZES; i++) {
                uint8_t *data = rnd_bytes(sizes[i]);
                const struct res *r;

                OK(x_put(S, K("from"), data, sizes[i], NULL));
                r = x_copy(S, K("from"), S, K("to"), NULL);
                OK(r);
                EQ(r->r.bytes, sizes[i]);
                HOLDS(S, K("to"), data, sizes[i]);
                HOLDS(S, K("from"), data, sizes[i]);
        }
        CODE(x_copy(S, K("none"), S, K("to"), NULL), ROMA_ENOENT);
        if (env.caps & ROMA_CAP_DIRS)
                CODE(x_copy(S, K("from"), S, K("none/to"), NULL), ROMA_ENOENT);
        NO_TEMPORARIES();
}

static void copy_between(void)
{
        const struct res *r = x_store_open(text("file://%s", env.local));
        roma_store *folder = r->r.store;

        OK(r);
        for (size_t i = 0; i < SIZES; i++) {
                uint8_t *data = rnd_bytes(sizes[i]), *got;
                const char *name = text("copy-%u-%zu", env.nr, i);
                size_t n;

                OK(x_put(S, K("from"), data, sizes[i], NULL));
                OK(x_copy(S, K("from"), folder, name, NULL));
                got = local_read(text("%s/%s", env.local, name), &n);
                CHECK(got);
                EQ(n, sizes[i]);
                EQ_MEM(got, data, n);
                OK(x_copy(folder, name, other(), K("back"), NULL));
                HOLDS(S, K("back"), data, sizes[i]);
        }
        CODE(x_copy(folder, "none", S, K("to"), NULL), ROMA_ENOENT);
        ABSENT(S, K("to"));
        OK(x_store_close(folder));
        NO_TEMPORARIES();
}

static void copy_onto_itself(void)
{
        uint8_t *data = rnd_bytes(300000);

        OK(x_put(S, K("file"), data, 300000, NULL));
        x_copy(S, K("file"), S, K("file"), NULL); /* right or refused, but harmless */
        HOLDS(S, K("file"), data, 300000);
        NO_TEMPORARIES();
}

static void copy_if_absent(void)
{
        roma_copy_opts co = ROMA_COPY_OPTS_INIT;

        co.precondition = ROMA_IF_ABSENT;
        OK(x_put(S, K("from"), "from", 4, NULL));
        OK(x_copy(S, K("from"), S, K("to"), &co));
        OK(x_put(S, K("from"), "newer", 5, NULL));
        CODE(x_copy(S, K("from"), S, K("to"), &co), ROMA_EEXIST);
        HOLDS(S, K("to"), "from", 4);
}

static void many_small(void)
{
        enum { N = 200 };
        uint8_t *data = rnd_bytes(N * 500);

        for (size_t i = 0; i < N; i++) {
                struct wait *w = w_new();

                w->id = roma_aio_put(S, K(text("%zu", i)), data + i * 500, 500, NULL, w_done, w);
                CHECK(w->id);
        }
        w_all();
        for (struct wait *w = env.waits; w; w = w->next)
                if (w->res)
                        OK(w->res);
        for (size_t i = 0; i < N; i++)
                HOLDS(S, K(text("%zu", i)), data + i * 500, 500);
}

/* A process that dies in the middle of two puts. */
static void die_with_writers(const char *folder)
{
        roma_loop *loop = roma_loop_new();
        roma_store *s = roma_store_open(loop, env.uri, NULL);
        void *data = malloc(100000);

        if (!s)
                _exit(roma_last(loop)->code == ROMA_EFORK ? 77 : 1);
        memset(data, 1, 100000);
        for (int i = 0; i < 2; i++) {
                roma_writer *w = roma_writer_open(s, text("%s%s%d", folder, i ? "sub/" : "", i), NULL);

                if (!w || roma_writer_write(w, data, 100000, NULL) < 0)
                        _exit(1);
        }
        kill(getpid(), SIGKILL);
}

static size_t all_entries(void)
{
        roma_list_opts lo = ROMA_LIST_OPTS_INIT;
        const struct res *r;

        lo.flags = ROMA_LIST_TEMPORARIES;
        r = x_list(S, K(""), &lo);
        return r->code == ROMA_OK ? r->r.list->count : 99;
}

static void gc_removes_what_was_left(void)
{
        const struct res *r;
        int status;
        pid_t pid;

        OK(x_mkdir(S, K("sub"), 0755, 0));
        OK(x_put(S, K("kept"), "x", 1, NULL));
        OK(x_put(S, K("sub/kept"), "x", 1, NULL));
        fflush(stdout);
        pid = fork();
        CHECK(pid >= 0);
        if (pid == 0)
                die_with_writers(K(""));
        CHECK(waitpid(pid, &status, 0) == pid);
        if (WIFEXITED(status) && WEXITSTATUS(status) == 77)
                SKIP("the store cannot be opened after a fork");
        CHECK(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
        EQ(all_entries(), 4);
        ABSENT(S, K("0"));
        r = x_gc(S, K(""), 3600);
        OK(r);
        EQ(r->r.bytes, 0);
        EQ(all_entries(), 4);
        w_ms(1100);
        r = x_gc(S, K(""), 0);
        OK(r);
        EQ(r->r.bytes, 2);
        EQ(all_entries(), 2);
        HOLDS(S, K("kept"), "x", 1);
        HOLDS(S, K("sub/kept"), "x", 1);
        r = x_gc(S, K(""), 0);
        OK(r);
        EQ(r->r.bytes, 0);
}

static const struct test tests[] = {
        { "put_every_size", 0, put_every_size },
        { "hash", 0, hash },
        { "verified", 0, verified },
        { "expected_checksum", 0, expected_checksum },
        { "progress_is_told", 0, progress_is_told },
        { "copy_within", 0, copy_within },
        { "copy_between", 0, copy_between },
        { "copy_onto_itself", 0, copy_onto_itself },
        { "copy_if_absent", ROMA_CAP_IF_ABSENT, copy_if_absent },
        { "many_small", 0, many_small },
        { "gc_removes_what_was_left", ROMA_CAP_DIRS, gc_removes_what_was_left },
};
SUITE(transfers, tests);
