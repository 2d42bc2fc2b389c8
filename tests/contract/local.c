/* SPDX-License-Identifier: MIT */
/* Transfers from and to local paths: files, FIFOs, devices, symbolic links, sources that change. */
#include "check.h"

#include <fcntl.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

static const size_t sizes[] = {
        0, 1, 100, 65535, 65536, 65537, 100000, 1 << 20, (1 << 20) + 1, (10 << 20) - 7
};
enum { SIZES = sizeof(sizes) / sizeof(sizes[0]) };

static void file_is(const char *path, const void *want, size_t n, int line)
{
        size_t len;
        uint8_t *got = local_read(path, &len);
        const char *where =
                got && len == n ? check_mem(got, want, n) : text("expected %zu bytes got %zu", n, len);

        if (where)
                check_fail(__FILE__, line, "%s: %s", path, where);
}
#define FILE_IS(path, want, n) ALSO(file_is(path, want, n, __LINE__))

static void every_size(void)
{
        for (size_t i = 0; i < SIZES; i++) {
                uint8_t *data = rnd_bytes(sizes[i]);
                const struct res *r;

                local_write(L("from"), data, sizes[i]);
                r = x_put_path(S, K("file"), L("from"), NULL);
                OK(r);
                EQ(r->r.bytes, sizes[i]);
                EQ(r->r.outcome, ROMA_DONE);
                EQ(r->attr.length, sizes[i]);
                CHECK(r->r.has_crc32);
                EQ(r->r.crc32, ref_crc32(data, sizes[i]));
                HOLDS(other(), K("file"), data, sizes[i]);
                r = x_get_path(S, K("file"), L("to"), NULL);
                OK(r);
                EQ(r->r.bytes, sizes[i]);
                if (r->r.has_crc32)
                        EQ(r->r.crc32, ref_crc32(data, sizes[i]));
                FILE_IS(L("to"), data, sizes[i]);
        }
        NO_TEMPORARIES();
}

static void put_refuses(void)
{
        const struct res *r = x_put_path(S, K("file"), L("none"), NULL);

        REFUSED(r);
        CHECK(r->code < 100);
        CHECK(strstr(r->message, L("none")));
        r = x_put_path(S, K("file"), env.local, NULL);
        REFUSED(r);
        CHECK(r->code < 100);
        ABSENT(S, K("file"));
        if (geteuid() != 0) {
                local_write(L("secret"), "x", 1);
                CHECK(chmod(L("secret"), 0) == 0);
                REFUSED(x_put_path(S, K("file"), L("secret"), NULL));
                ABSENT(S, K("file"));
        }
        NO_TEMPORARIES();
}

static void get_refuses(void)
{
        const struct res *r;

        OK(x_put(S, K("file"), "x", 1, NULL));
        CODE(x_get_path(S, K("none"), L("to"), NULL), ROMA_ENOENT);
        CHECK(access(L("to"), F_OK) != 0);
        r = x_get_path(S, K("file"), L("none/to"), NULL);
        CODE(r, ROMA_ELOCALIO);
        CHECK(strstr(r->message, L("none/to")));
        REFUSED(x_get_path(S, K("file"), env.local, NULL));
        local_write(L("to"), "old", 3);
        CODE(x_get_path(S, K("none"), L("to"), NULL), ROMA_ENOENT);
        FILE_IS(L("to"), "old", 3);
}

static void get_replaces(void)
{
        uint8_t *data = rnd_bytes(1000);
        struct stat st;

        OK(x_put(S, K("file"), data, 1000, NULL));
        local_write(L("to"), rnd_bytes(100000), 100000);
        CHECK(chmod(L("to"), 0640) == 0);
        OK(x_get_path(S, K("file"), L("to"), NULL));
        FILE_IS(L("to"), data, 1000);
        CHECK(stat(L("to"), &st) == 0);
        EQ(st.st_mode & 07777, 0640);
}

static void get_through_a_symlink(void)
{
        uint8_t *data = rnd_bytes(1000);
        struct stat st;

        OK(x_put(S, K("file"), data, 1000, NULL));
        local_write(L("target"), "old", 3);
        CHECK(symlink(L("target"), L("link")) == 0);
        OK(x_get_path(S, K("file"), L("link"), NULL));
        FILE_IS(L("target"), data, 1000);
        CHECK(lstat(L("link"), &st) == 0);
        CHECK(S_ISLNK(st.st_mode));
}

static void get_if_absent(void)
{
        roma_get_opts go = ROMA_GET_OPTS_INIT;

        go.precondition = ROMA_IF_ABSENT;
        OK(x_put(S, K("file"), "new", 3, NULL));
        OK(x_get_path(S, K("file"), L("to"), &go));
        FILE_IS(L("to"), "new", 3);
        local_write(L("to"), "old", 3);
        CODE(x_get_path(S, K("file"), L("to"), &go), ROMA_EEXIST);
        FILE_IS(L("to"), "old", 3);
}

static void to_a_device(void)
{
        struct stat st;

        OK(x_put(S, K("file"), rnd_bytes(200000), 200000, NULL));
        OK(x_get_path(S, K("file"), "/dev/null", NULL));
        CHECK(stat("/dev/null", &st) == 0);
        CHECK(S_ISCHR(st.st_mode));
        if (access("/dev/full", W_OK) == 0) {
                const struct res *r = x_get_path(S, K("file"), "/dev/full", NULL);

                CODE(r, ROMA_ELOCALIO);
                CHECK(strstr(r->message, "/dev/full"));
        }
}

struct pump {
        const char *path;
        uint8_t *data;
        size_t n;
        bool ok;
};

/* The other end of a FIFO; slow enough that the library has to wait. */
static void *pump_in(void *arg)
{
        struct pump *p = arg;
        int fd = open(p->path, O_WRONLY);

        p->ok = fd >= 0;
        for (size_t at = 0; p->ok && at < p->n;) {
                size_t n = p->n - at < 50000 ? p->n - at : 50000;
                ssize_t w = write(fd, p->data + at, n);

                p->ok = w > 0;
                at += w > 0 ? (size_t)w : 0;
                usleep(2000);
        }
        if (fd >= 0)
                close(fd);
        return NULL;
}

static void *pump_out(void *arg)
{
        struct pump *p = arg;
        int fd = open(p->path, O_RDONLY);
        ssize_t r = 1;
        size_t at = 0;

        while (fd >= 0 && r > 0 && at <= p->n) {
                r = read(fd, p->data + at, p->n + 1 - at < 30000 ? p->n + 1 - at : 30000);
                at += r > 0 ? (size_t)r : 0;
                usleep(1000);
        }
        p->ok = r == 0 && at == p->n;
        if (fd >= 0)
                close(fd);
        return NULL;
}

static void from_a_fifo(void)
{
        enum { N = 1500001 };
        struct pump p = { L("fifo"), rnd_bytes(N), N, false };
        const struct res *r;
        pthread_t t;

        CHECK(mkfifo(p.path, 0600) == 0);
        CHECK(pthread_create(&t, NULL, pump_in, &p) == 0);
        r = x_put_path(S, K("file"), p.path, NULL);
        pthread_join(t, NULL);
        OK(r);
        CHECK(p.ok);
        EQ(r->r.bytes, N);
        HOLDS(S, K("file"), p.data, N);
}

static void to_a_fifo(void)
{
        enum { N = 1500001 };
        uint8_t *data = rnd_bytes(N);
        struct pump p = { L("fifo"), mem(N + 1), N, false };
        const struct res *r;
        struct stat st;
        pthread_t t;

        OK(x_put(S, K("file"), data, N, NULL));
        CHECK(mkfifo(p.path, 0600) == 0);
        CHECK(pthread_create(&t, NULL, pump_out, &p) == 0);
        r = x_get_path(S, K("file"), p.path, NULL);
        pthread_join(t, NULL);
        OK(r);
        CHECK(p.ok);
        EQ_MEM(p.data, data, N);
        CHECK(stat(p.path, &st) == 0);
        CHECK(S_ISFIFO(st.st_mode));
}

/* The reader of the FIFO goes away: an error, not a SIGPIPE. */
static void *read_a_little(void *arg)
{
        char buf[100];
        int fd = open(arg, O_RDONLY);

        if (fd >= 0) {
                if (read(fd, buf, sizeof(buf)) < 0)
                        perror("read");
                close(fd);
        }
        return NULL;
}

static void to_a_broken_pipe(void)
{
        char *fifo = (char *)L("fifo");
        const struct res *r;
        pthread_t t;

        OK(x_put(S, K("file"), rnd_bytes(3000000), 3000000, NULL));
        CHECK(mkfifo(fifo, 0600) == 0);
        CHECK(pthread_create(&t, NULL, read_a_little, fifo) == 0);
        r = x_get_path(S, K("file"), fifo, NULL);
        pthread_join(t, NULL);
        CODE(r, ROMA_ELOCALIO);
}

static void size_hint_of_a_pipe(void)
{
        struct pump p = { L("fifo"), rnd_bytes(100000), 100000, false };
        roma_put_opts po = ROMA_PUT_OPTS_INIT;
        const struct res *r;
        pthread_t t;

        CHECK(mkfifo(p.path, 0600) == 0);
        po.size_hint = 100001;
        CHECK(pthread_create(&t, NULL, pump_in, &p) == 0);
        r = x_put_path(S, K("file"), p.path, &po);
        pthread_join(t, NULL);
        CODE(r, ROMA_ESOURCE);
        ABSENT(S, K("file"));
        NO_TEMPORARIES();
}

static void keep_times(void)
{
        roma_put_opts po = ROMA_PUT_OPTS_INIT;
        struct timespec ts[2] = { { 1100000000, 0 }, { 1200000000, 0 } };
        const struct res *r;
        struct stat st;

        local_write(L("from"), "data", 4);
        CHECK(chmod(L("from"), 0640) == 0);
        CHECK(utimensat(AT_FDCWD, L("from"), ts, 0) == 0);
        po.keep_times = 1;
        OK(x_put_path(S, K("file"), L("from"), &po));
        r = x_stat(other(), K("file"), 0);
        OK(r);
        EQ(r->attr.mtime_ns, 1200000000000000000LL);
        EQ(r->attr.mode, 0640);
        OK(x_get_path(S, K("file"), L("to"), &po));
        CHECK(stat(L("to"), &st) == 0);
        EQ(st.st_mtime, 1200000000);
        EQ(st.st_mode & 07777, 0640);
}

static void verified(void)
{
        roma_put_opts po = ROMA_PUT_OPTS_INIT;
        uint8_t *data = rnd_bytes(1000001);
        const struct res *r;

        local_write(L("from"), data, 1000001);
        po.verify = ROMA_SHA256;
        r = x_put_path(S, K("file"), L("from"), &po);
        OK(r);
        EQ_STR(r->r.text, ref_digest("sha256", data, 1000001));
        po.verify = ROMA_MD5;
        r = x_get_path(S, K("file"), L("to"), &po);
        OK(r);
        FILE_IS(L("to"), data, 1000001);
        po.verify = ROMA_VERIFY_DEFAULT;
        po.has_crc32 = 1;
        po.crc32 = ref_crc32(data, 1000001) + 1;
        CODE(x_put_path(S, K("wrong"), L("from"), &po), ROMA_ECORRUPT);
        ABSENT(S, K("wrong"));
        local_write(L("to"), "old", 3);
        CODE(x_get_path(S, K("file"), L("to"), &po), ROMA_ECORRUPT);
        FILE_IS(L("to"), "old", 3);
        NO_TEMPORARIES();
}

/* The source is changed at the first sign of progress. */
struct change {
        const char *path;
        off_t to;
        uint64_t at;
        bool done;
};

static void change_source(void *arg, uint64_t done_bytes, uint64_t total_bytes)
{
        struct change *c = arg;

        (void)total_bytes;
        if (c->done)
                return;
        c->done = true;
        c->at = done_bytes;
        if (truncate(c->path, c->to) != 0)
                perror(c->path);
}

static void source_changes(off_t to)
{
        enum { N = 256 << 20 };
        roma_put_opts po = ROMA_PUT_OPTS_INIT;
        struct change c = { L("from"), to, 0, false };
        const struct res *r;

        local_write(L("from"), "x", 1);
        CHECK(truncate(L("from"), N) == 0);
        po.progress = change_source;
        po.progress_arg = &c;
        r = x_put_path(S, K("file"), L("from"), &po);
        CHECK(unlink(L("from")) == 0);
        if (c.at >= N)
                SKIP("it was too fast to be disturbed");
        if (r->code == ROMA_EFBIG)
                SKIP("the store takes no object of 256 MiB");
        CODE(r, ROMA_ESOURCE);
        ABSENT(S, K("file"));
        NO_TEMPORARIES();
}

static void source_shrinks(void)
{
        source_changes(1000);
}

static void source_grows(void)
{
        source_changes((256 << 20) + 1000);
}

static const struct test tests[] = {
        { "every_size", 0, every_size },
        { "put_refuses", 0, put_refuses },
        { "get_refuses", 0, get_refuses },
        { "get_replaces", 0, get_replaces },
        { "get_through_a_symlink", 0, get_through_a_symlink },
        { "get_if_absent", 0, get_if_absent },
        { "to_a_device", 0, to_a_device },
        { "from_a_fifo", 0, from_a_fifo },
        { "to_a_fifo", 0, to_a_fifo },
        { "to_a_broken_pipe", 0, to_a_broken_pipe },
        { "size_hint_of_a_pipe", 0, size_hint_of_a_pipe },
        { "keep_times", ROMA_CAP_MODE, keep_times },
        { "verified", 0, verified },
        { "source_shrinks", 0, source_shrinks },
        { "source_grows", 0, source_grows },
};
SUITE(local, tests);
