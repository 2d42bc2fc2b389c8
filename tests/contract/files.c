/* SPDX-License-Identifier: MIT */
/* Open files, read at offsets. */
#include "check.h"

#include <stdlib.h>

/* Around block (64 KiB), piece (1 MiB) and nothing at all. */
static const size_t sizes[] = {
        0, 1, 100, 65535, 65536, 65537, 100000, 1 << 20, (1 << 20) + 1, (10 << 20) - 7
};

static roma_file *opened(const char *key, unsigned flags)
{
        const struct res *r = x_open(S, key, flags, 0644);

        if (r->code != ROMA_OK)
                check_fail(__FILE__, __LINE__, "open %s: %s", key, check_code_text(r));
        return r->r.file;
}

static void open_reads(void)
{
        const void *data = rnd_bytes(1000);
        const struct res *r;

        OK(x_put(S, K("file"), data, 1000, NULL));
        r = x_open(S, K("file"), ROMA_O_READ, 0);
        OK(r);
        CHECK(r->r.file);
        CHECK(r->r.attr);
        EQ(r->attr.length, 1000);
        EQ(r->attr.type, ROMA_TYPE_FILE);
        CHECK(roma_file_store(r->r.file) == S);
        OK(x_close(r->r.file));
}

static void open_refuses(void)
{
        OK(x_put(S, K("file"), "x", 1, NULL));
        CODE(x_open(S, K("none"), ROMA_O_READ, 0), ROMA_ENOENT);
        CODE(x_open(S, K("none/file"), ROMA_O_READ, 0), ROMA_ENOENT);
        REFUSED(x_open(S, K("file"), 0, 0));
        if (env.caps & ROMA_CAP_DIRS) {
                CODE(x_open(S, K("file/below"), ROMA_O_READ, 0), ROMA_ENOTDIR);
                CODE(x_open(S, text("t%u", env.nr), ROMA_O_READ, 0), ROMA_EISDIR);
        }
        if (env.caps & ROMA_CAP_SYMLINK) {
                OK(x_symlink(S, "file", K("link")));
                REFUSED(x_open(S, K("link"), ROMA_O_READ | ROMA_O_NOFOLLOW, 0));
                OK(x_close(opened(K("link"), ROMA_O_READ)));
        }
}

static void not_in_place(void)
{
        const struct res *r;

        if (env.caps & ROMA_CAP_INPLACE)
                SKIP("the store writes in place");
        OK(x_put(S, K("file"), "x", 1, NULL));
        r = x_open(S, K("file"), ROMA_O_WRITE, 0);
        CODE(r, ROMA_ENOTSUP);
        CHECK(strstr(r->message, "put"));
}

static void reads_at_offsets(void)
{
        enum { N = 3 * 65536 + 17 };
        uint8_t *data = rnd_bytes(N), *buf = mem(N + 100);
        roma_file *f;

        OK(x_put(S, K("file"), data, N, NULL));
        ALSO(f = opened(K("file"), ROMA_O_READ));
        for (int i = 0; i < 200; i++) {
                size_t at = rnd_below(N), n = rnd_below(i % 2 ? 100 : N) + 1, want = n < N - at ? n : N - at;
                const struct res *r;

                memset(buf, 0x5a, N + 100);
                r = x_pread(f, buf, n, at);
                OK(r);
                EQ(r->r.bytes, want);
                EQ_MEM(buf, data + at, want);
                EQ(buf[n], 0x5a);
                if (r->r.has_crc32)
                        EQ(r->r.crc32, ref_crc32(data + at, want));
        }
        OK(x_close(f));
}

static void reads_at_the_edges(void)
{
        static const size_t edges[] = { 0, 1, 65535, 65536, 65537, 131071, 131072, 131073, 196608 };
        enum { N = 196608, E = sizeof(edges) / sizeof(edges[0]) };
        uint8_t *data = rnd_bytes(N), *buf = mem(N);
        roma_file *f;

        OK(x_put(S, K("file"), data, N, NULL));
        ALSO(f = opened(K("file"), ROMA_O_READ));
        for (size_t i = 0; i < E; i++)
                for (size_t k = i; k < E; k++) {
                        const struct res *r = x_pread(f, buf, edges[k] - edges[i], edges[i]);

                        OK(r);
                        EQ(r->r.bytes, edges[k] - edges[i]);
                        EQ_MEM(buf, data + edges[i], edges[k] - edges[i]);
                }
        OK(x_close(f));
}

static void past_the_end(void)
{
        uint8_t *buf = mem(1000);
        roma_file *f;
        const struct res *r;

        OK(x_put(S, K("file"), "12345", 5, NULL));
        ALSO(f = opened(K("file"), ROMA_O_READ));
        r = x_pread(f, buf, 1000, 3);
        OK(r);
        EQ(r->r.bytes, 2);
        EQ_MEM(buf, "45", 2);
        r = x_pread(f, buf, 1000, 5);
        OK(r);
        EQ(r->r.bytes, 0);
        r = x_pread(f, buf, 1000, 1ULL << 40);
        OK(r);
        EQ(r->r.bytes, 0);
        r = x_pread(f, buf, 0, 0);
        OK(r);
        EQ(r->r.bytes, 0);
        OK(x_close(f));
        OK(x_put(S, K("empty"), "", 0, NULL));
        ALSO(f = opened(K("empty"), ROMA_O_READ));
        r = x_pread(f, buf, 1000, 0);
        OK(r);
        EQ(r->r.bytes, 0);
        OK(x_close(f));
}

static void every_size(void)
{
        for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
                uint8_t *data = rnd_bytes(sizes[i]), *buf = mem(sizes[i]);
                const char *k = K(text("%zu", sizes[i]));
                roma_file *f;
                const struct res *r;

                OK(x_put(S, k, data, sizes[i], NULL));
                ALSO(f = opened(k, ROMA_O_READ));
                r = x_pread(f, buf, sizes[i], 0);
                OK(r);
                EQ(r->r.bytes, sizes[i]);
                EQ_MEM(buf, data, sizes[i]);
                OK(x_close(f));
        }
}

static void vectors(void)
{
        enum { N = 200000, V = 37 };
        uint8_t *data = rnd_bytes(N), *buf = mem(N);
        struct iovec iov[V];
        size_t at = 0;
        roma_file *f;
        const struct res *r;

        OK(x_put(S, K("file"), data, N, NULL));
        ALSO(f = opened(K("file"), ROMA_O_READ));
        for (int i = 0; i < V; i++) {
                size_t n = i == V - 1 ? N - at : i % 7 == 3 ? 0 : rnd_below(2 * N / V);

                n = n < N - at ? n : N - at;
                iov[i] = (struct iovec){ buf + at, n };
                at += n;
        }
        r = x_preadv(f, iov, V, 0);
        OK(r);
        EQ(r->r.bytes, N);
        EQ_MEM(buf, data, N);
        memset(buf, 0, N);
        r = x_preadv(f, iov, V, N - 1000);
        OK(r);
        EQ(r->r.bytes, 1000);
        EQ_MEM(buf, data + N - 1000, 1000);
        OK(x_close(f));
}

static void many_files_at_once(void)
{
        enum { N = 64 };
        roma_file *f[N];
        uint8_t *buf = mem(100);
        uint8_t *data = rnd_bytes(100 * N);

        for (int i = 0; i < N; i++) {
                OK(x_put(S, K(text("%d", i)), data + (size_t)100 * i, 100, NULL));
                ALSO(f[i] = opened(K(text("%d", i)), ROMA_O_READ));
        }
        EQ(stats().files, N);
        for (int i = N; i-- > 0;) {
                OK(x_pread(f[i], buf, 100, 0));
                EQ_MEM(buf, data + (size_t)100 * i, 100);
                OK(x_close(f[i]));
        }
}

/* An open file goes on meaning the object that was opened. */
static void after_unlink(void)
{
        uint8_t *data = rnd_bytes(100000), *buf = mem(100000);
        roma_file *f;
        const struct res *r;

        OK(x_put(S, K("file"), data, 100000, NULL));
        ALSO(f = opened(K("file"), ROMA_O_READ));
        OK(x_unlink(S, K("file"), 0));
        ABSENT(S, K("file"));
        r = x_fstat(f);
        OK(r);
        EQ(r->attr.length, 100000);
        OK(x_pread(f, buf, 100000, 0));
        EQ_MEM(buf, data, 100000);
        OK(x_close(f));
}

static void after_replacement(void)
{
        uint8_t *a = rnd_bytes(100000), *b = rnd_bytes(50000), *buf = mem(100000);
        roma_file *f;
        const struct res *r;

        OK(x_put(S, K("file"), a, 100000, NULL));
        ALSO(f = opened(K("file"), ROMA_O_READ));
        OK(x_put(other(), K("file"), b, 50000, NULL));
        r = x_pread(f, buf, 100000, 0);
        OK(r);
        EQ(r->r.bytes, 100000);
        EQ_MEM(buf, a, 100000);
        OK(x_close(f));
        HOLDS(S, K("file"), b, 50000);
}

static const struct test tests[] = {
        { "open_reads", 0, open_reads },
        { "open_refuses", 0, open_refuses },
        { "not_in_place", 0, not_in_place },
        { "reads_at_offsets", 0, reads_at_offsets },
        { "reads_at_the_edges", 0, reads_at_the_edges },
        { "past_the_end", 0, past_the_end },
        { "every_size", 0, every_size },
        { "vectors", 0, vectors },
        { "many_files_at_once", 0, many_files_at_once },
        { "after_unlink", ROMA_CAP_DIRS, after_unlink },
        { "after_replacement", ROMA_CAP_DIRS, after_replacement },
};
SUITE(files, tests);
