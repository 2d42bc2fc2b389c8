/* SPDX-License-Identifier: MIT */
/* How long the first download waits after an upload by another client.
 *
 *   first-download [--rounds N] [--control N] [--limit MS] [--bars] [--kill N] FILESYSTEM [MOUNTPOINT]
 *
 * Two processes, so two clients, with a baton between them: the writer puts an object, the reader fetches it at once and
 * compares its bytes. Rows are writer -> reader at one size; MOUNTPOINT (of ceph-fuse) adds a reader. The control is two
 * programs that use libcephfs as anybody would: on an idle MDS it must stall.
 * Exit 1: a row of libroma was over the limit, or bytes were wrong, or with --bars p99 was above what is promised.
 * --kill N instead: the writer is killed with -9 as soon as its put has returned. */
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <cephfs/libcephfs.h>
#include <roma/roma.h>

enum kind { PLAIN, FUSE, ROMA, KINDS };
static const char *const kind_name[KINDS] = { "libcephfs", "ceph-fuse", "libroma" };
enum { SIZES = 3, MOST_ROUNDS = 1000, MOST = 4 << 20 };
static const size_t sizes[SIZES] = { 97, 1 << 20, 4 << 20 };

struct order {
        int kind; /* -1: end */
        size_t size;
        unsigned seed;
        char name[64];
};
struct answer {
        double ms;
        bool bad;
};

static const char *fs, *mountpoint;
static unsigned rounds = 100, control_rounds = 5, kills;
static double limit_ms = 1000;
static bool bars, failed;
static int to_reader[2], from_reader[2];
static unsigned char *pattern, *buffer;

static double now_ms(void)
{
        struct timespec t;

        clock_gettime(CLOCK_MONOTONIC, &t);
        return (double)t.tv_sec * 1e3 + (double)t.tv_nsec / 1e6;
}

static void die(const char *what, const char *why)
{
        fprintf(stderr, "first-download: %s: %s\n", what, why);
        exit(2);
}

static void must(const char *what, int r)
{
        if (r < 0)
                die(what, strerror(-r));
}

static void make_pattern(unsigned seed, size_t n)
{
        uint64_t x = seed * UINT64_C(2654435761) + 88172645463325252u;

        for (size_t i = 0; i < n; i++) {
                x ^= x << 13;
                x ^= x >> 7;
                x ^= x << 17;
                pattern[i] = (unsigned char)x;
        }
}

/* The two clients of a process, made when first needed. */

static struct ceph_mount_info *plain(void)
{
        static struct ceph_mount_info *cm;

        if (cm)
                return cm;
        must("ceph_create", ceph_create(&cm, NULL));
        must("ceph.conf", ceph_conf_read_file(cm, NULL));
        ceph_conf_set(cm, "admin_socket", "");
        ceph_conf_set(cm, "log_file", "/dev/null");
        must("filesystem", ceph_select_filesystem(cm, fs));
        must("ceph_mount", ceph_mount(cm, "/"));
        return cm;
}

static roma_store *store(void)
{
        static roma_loop *loop;
        static roma_store *s;
        char uri[300];

        if (s)
                return s;
        loop = roma_loop_new();
        snprintf(uri, sizeof(uri), "cephfs://%s/", fs);
        s = roma_store_open(loop, uri, NULL);
        if (!s)
                die(uri, roma_error(loop));
        return s;
}

/* Writers */

static void put_plain(const char *name, size_t n)
{
        int fd = ceph_open(plain(), name, O_CREAT | O_WRONLY | O_TRUNC, 0644);

        must("ceph_open", fd);
        for (size_t at = 0; at < n;) {
                size_t part = n - at < (1 << 20) ? n - at : 1 << 20;
                int r = ceph_write(plain(), fd, (char *)pattern + at, (int64_t)part, (int64_t)at);

                must("ceph_write", r);
                at += (size_t)r;
        }
        must("ceph_close", ceph_close(plain(), fd));
}

static void put(enum kind kind, const char *name, size_t n)
{
        if (kind == PLAIN)
                put_plain(name, n);
        else if (roma_put(store(), name, pattern, n, NULL) < 0)
                die("put", roma_error(roma_store_loop(store())));
}

/* Readers: the length, or -1. */

static ssize_t get_plain(const char *name)
{
        ssize_t n = 0;
        int fd = ceph_open(plain(), name, O_RDONLY, 0), r;

        must("ceph_open", fd);
        while ((r = ceph_read(plain(), fd, (char *)buffer + n, MOST + 1 - n, n)) > 0)
                n += r;
        must("ceph_read", r);
        ceph_close(plain(), fd);
        return n;
}

static ssize_t get_fuse(const char *name)
{
        char path[600];
        ssize_t n = 0, r;
        int fd;

        snprintf(path, sizeof(path), "%s/%s", mountpoint, name);
        fd = open(path, O_RDONLY);
        if (fd < 0)
                die(path, strerror(errno));
        while ((r = read(fd, buffer + n, (size_t)(MOST + 1 - n))) > 0)
                n += r;
        close(fd);
        return r < 0 ? -1 : n;
}

static ssize_t get_roma(const char *name)
{
        roma_file *f = roma_file_open(store(), name, ROMA_O_READ, 0, NULL);
        int64_t n = f ? roma_pread(f, buffer, MOST + 1, 0, NULL) : -1;

        if (!f || n < 0 || roma_file_close(f, NULL) < 0)
                die(name, roma_error(roma_store_loop(store())));
        return n;
}

static struct answer get(const struct order *o)
{
        struct answer a = { .ms = now_ms() };
        ssize_t n;

        switch (o->kind) {
        case PLAIN: n = get_plain(o->name); break;
        case FUSE: n = get_fuse(o->name); break;
        default: n = get_roma(o->name); break;
        }
        a.ms = now_ms() - a.ms;
        make_pattern(o->seed, o->size);
        a.bad = n != (ssize_t)o->size || memcmp(buffer, pattern, o->size) != 0;
        return a;
}

/* A clean end, so that nobody waits for the caps of this one. */
static void leave(void)
{
        roma_loop *loop = roma_store_loop(store());

        roma_store_close(store());
        roma_loop_free(loop);
        ceph_unmount(plain());
        ceph_release(plain());
}

static void reader(void)
{
        struct order o;

        while (read(to_reader[0], &o, sizeof(o)) == sizeof(o) && o.kind >= 0) {
                struct answer a;

                if (o.size) {
                        a = get(&o);
                } else if (o.name[0]) {
                        memset(&a, 0, sizeof(a));
                        must("ceph_mkdir", ceph_mkdir(plain(), o.name, 0755));
                } else { /* make the client before its time counts */
                        memset(&a, 0, sizeof(a));
                        if (o.kind == ROMA)
                                store();
                        else if (o.kind == PLAIN)
                                plain();
                }
                if (write(from_reader[1], &a, sizeof(a)) != sizeof(a))
                        break;
        }
        leave();
        exit(0);
}

static struct answer ask(int kind, const char *name, size_t size, unsigned seed)
{
        struct order o = { .kind = kind, .size = size, .seed = seed };
        struct answer a = { 0 };

        snprintf(o.name, sizeof(o.name), "%s", name);
        if (write(to_reader[1], &o, sizeof(o)) != sizeof(o) ||
            read(from_reader[0], &a, sizeof(a)) != sizeof(a))
                die("the reader", "has gone");
        return a;
}

/* Rows */

static int by_size(const void *a, const void *b)
{
        const double *x = a, *y = b;

        return *x < *y ? -1 : *x > *y;
}

struct row {
        double p50, p99, max;
        unsigned over, bad;
};

static struct row summary(double *ms, unsigned n, unsigned bad)
{
        struct row r = { .bad = bad };

        qsort(ms, n, sizeof(*ms), by_size);
        for (unsigned i = 0; i < n; i++)
                r.over += ms[i] > 1000;
        r.p50 = ms[n / 2];
        r.p99 = ms[(n * 99 + 99) / 100 - 1];
        r.max = ms[n - 1];
        return r;
}

static void print(const char *from, const char *to, size_t size, unsigned n, const struct row *r)
{
        printf("%-10s %-10s %8zu %5u %9.1f %9.1f %9.1f %6u %4u\n", from, to, size, n, r->p50, r->p99, r->max,
               r->over, r->bad);
        fflush(stdout);
}

static struct row measure(enum kind from, enum kind to, size_t size, unsigned n)
{
        static double ms[MOST_ROUNDS];
        unsigned bad = 0;
        char name[64];
        struct row r;

        ask(to, "", 0, 0);
        for (unsigned i = 0; i < n; i++) {
                struct answer a;

                snprintf(name, sizeof(name), "first-%d-%d-%zu-%u-%d", from, to, size, i, (int)getpid());
                make_pattern(i, size);
                put(from, name, size);
                a = ask(to, name, size, i);
                ms[i] = a.ms;
                bad += a.bad;
                must("ceph_unlink", ceph_unlink(plain(), name));
        }
        r = summary(ms, n, bad);
        print(kind_name[from], kind_name[to], size, n, &r);
        return r;
}

/* Files that nobody has touched for longer than all the clients' and the MDS's delays. */
static void make_old(void)
{
        char name[64];

        for (int s = 0; s < SIZES; s++)
                for (unsigned i = 0; i < rounds; i++) {
                        snprintf(name, sizeof(name), "old-%d-%u-%d", s, i, (int)getpid());
                        make_pattern(i, sizes[s]);
                        put(ROMA, name, sizes[s]);
                }
}

static struct row read_old(enum kind to, int s)
{
        static double ms[MOST_ROUNDS];
        unsigned bad = 0;
        char name[64];
        struct row r;

        ask(to, "", 0, 0);
        for (unsigned i = 0; i < rounds; i++) {
                struct answer a;

                snprintf(name, sizeof(name), "old-%d-%u-%d", s, i, (int)getpid());
                a = ask(to, name, sizes[s], i);
                ms[i] = a.ms;
                bad += a.bad;
        }
        r = summary(ms, rounds, bad);
        print("(old)", kind_name[to], sizes[s], rounds, &r);
        return r;
}

static void remove_old(void)
{
        char name[64];

        for (int s = 0; s < SIZES; s++)
                for (unsigned i = 0; i < rounds; i++) {
                        snprintf(name, sizeof(name), "old-%d-%u-%d", s, i, (int)getpid());
                        ceph_unlink(plain(), name);
                }
}

static void judge(const char *what, size_t size, const struct row *r, const struct row *old)
{
        double bar = old->p99 * 3 > 50 ? old->p99 * 3 : 50;

        if (r->bad || r->max > limit_ms || (bars && r->p99 > bar)) {
                printf("FAIL: %s, %zu bytes: p99 %.1f ms (bar %.1f), max %.1f ms (limit %.0f), %u with wrong "
                       "bytes\n",
                       what, size, r->p99, bar, r->max, limit_ms, r->bad);
                failed = true;
        }
}

static void rows(void)
{
        struct row control, row[KINDS][SIZES], foreign[SIZES], old;

        printf("%-10s %-10s %8s %5s %9s %9s %9s %6s %4s\n", "writer", "reader", "bytes", "n", "p50 ms",
               "p99 ms", "max ms", "> 1 s", "bad");
        if (control_rounds) {
                control = measure(PLAIN, PLAIN, MOST, control_rounds);
                if (control.max < 1000)
                        printf("void: MDS not idle, the control does not stall\n");
                failed |= control.bad > 0 || (bars && control.max < 1000);
        }
        make_old();
        for (int k = 0; k < KINDS; k++)
                for (int s = 0; s < SIZES && (k != FUSE || mountpoint); s++)
                        row[k][s] = measure(ROMA, k, sizes[s], rounds);
        for (int s = 0; s < SIZES; s++)
                foreign[s] = measure(PLAIN, ROMA, sizes[s], rounds);
        sleep(6);
        for (int k = 0; k < KINDS; k++)
                for (int s = 0; s < SIZES && (k != FUSE || mountpoint); s++) {
                        old = read_old(k, s);
                        judge(kind_name[k], sizes[s], &row[k][s], &old);
                        if (k == ROMA)
                                judge("libroma behind a plain writer", sizes[s], &foreign[s], &old);
                }
        remove_old();
}

/* The uploader is killed at once. This process never touches Ceph, so that its children may. */

static void put_and_die(const char *name, size_t size, unsigned seed, int told)
{
        make_pattern(seed, size);
        put(ROMA, name, size);
        if (write(told, "x", 1) != 1)
                _exit(1);
        kill(getpid(), SIGKILL);
}

static void killed(void)
{
        static double ms[MOST_ROUNDS];
        unsigned bad = 0;
        struct row r;

        char name[64];

        /* Each has a folder of its own, made before: whoever changes names in a folder waits for the caps that a dead
         * client has on it, until the MDS gives that up (60 s). Readers do not. */
        for (unsigned i = 0; i < kills; i++) {
                snprintf(name, sizeof(name), "killed-%d-%u", (int)getpid(), i);
                ask(PLAIN, name, 0, 0);
        }
        for (unsigned i = 0; i < kills; i++) {
                size_t size = sizes[i % SIZES];
                struct answer a;
                char c;
                int told[2];
                pid_t pid = -1;

                snprintf(name, sizeof(name), "killed-%d-%u/file", (int)getpid(), i);
                if (pipe(told) < 0 || (pid = fork()) < 0)
                        die("fork", strerror(errno));
                if (pid == 0)
                        put_and_die(name, size, i, told[1]);
                close(told[1]);
                if (read(told[0], &c, 1) != 1)
                        die("the uploader", "failed");
                a = ask(i % 2 ? ROMA : PLAIN, name, size, i);
                if (getenv("VERBOSE"))
                        fprintf(stderr, "%u %zu %.1f\n", i, size, a.ms);
                ms[i] = a.ms;
                bad += a.bad;
                waitpid(pid, NULL, 0);
                close(told[0]);
        }
        r = summary(ms, kills, bad);
        print("killed", "both", 0, kills, &r);
        failed |= r.bad > 0 || r.max > limit_ms;
}

static void parse(int argc, char **argv)
{
        static const struct option known[] = { { "rounds", 1, NULL, 'r' }, { "control", 1, NULL, 'c' },
                                               { "limit", 1, NULL, 'l' },  { "bars", 0, NULL, 'b' },
                                               { "kill", 1, NULL, 'k' },   { NULL, 0, NULL, 0 } };
        int o;

        while ((o = getopt_long(argc, argv, "", known, NULL)) >= 0) {
                unsigned n = optarg ? (unsigned)strtoul(optarg, NULL, 10) : 0;

                switch (o) {
                case 'r': rounds = n; break;
                case 'c': control_rounds = n; break;
                case 'l': limit_ms = n; break;
                case 'b': bars = true; break;
                case 'k': kills = n; break;
                default: exit(2);
                }
        }
        if (optind >= argc || rounds < 1 || rounds > MOST_ROUNDS || kills > MOST_ROUNDS ||
            control_rounds > MOST_ROUNDS)
                die("usage",
                    "[--rounds N] [--control N] [--limit MS] [--bars] [--kill N] FILESYSTEM [MOUNTPOINT]");
        fs = argv[optind];
        mountpoint = argv[optind + 1];
}

int main(int argc, char **argv)
{
        struct order end = { .kind = -1 };
        pid_t pid;

        parse(argc, argv);
        pattern = malloc(MOST + 1);
        buffer = malloc(MOST + 1);
        if (!pattern || !buffer || pipe(to_reader) < 0 || pipe(from_reader) < 0)
                die("start", strerror(errno));
        pid = fork();
        if (pid == 0) {
                close(to_reader[1]);
                reader();
        }
        close(to_reader[0]);
        if (kills)
                killed();
        else
                rows();
        if (write(to_reader[1], &end, sizeof(end)) != sizeof(end))
                return 2;
        waitpid(pid, NULL, 0);
        if (!kills)
                leave();
        return failed;
}
