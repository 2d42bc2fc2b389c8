/* SPDX-License-Identifier: MIT */
/* Cancelling while the cluster has this client on its blocklist: shut-out URI. It blocklists itself again and again, and each time
 * starts a call of another kind and cancels it a few milliseconds later, when it may be sent, refused, waiting for a new
 * connection or done. Each must end at once, with nothing but what is true; the next calls succeed on a new connection, what
 * is there is one whole content or the other, and in the end nothing is left. */
#include <dlfcn.h>
#include <roma/roma.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <cephfs/libcephfs.h>
#include <rados/librados.h>

enum { AT_ONCE_MS = 5000, CLOSE_MS = 20000, LEAVE_MS = 60000, LONG = 6 << 20, TRIES = 40 };

static roma_loop *loop;
static roma_store *store;
static roma_file *file;
static char *long_bytes;
static void *librados, *libcephfs;
static rados_t mine, theirs; /* the one that blocklists, the last one of the store */
static struct ceph_mount_info *mount;

static void fail(const char *what, const char *why)
{
        printf("FAIL: %s: %s\n", what, why);
        fflush(stdout);
        _exit(1);
}

#define REAL(lib, fn) ((__typeof__(fn) *)real(lib, #fn))

static void *real(void *lib, const char *name)
{
        void *p = lib ? dlsym(lib, name) : NULL;

        if (!p)
                fail(name, "not in the library");
        return p;
}

/* These stand before those of the libraries, for nothing else tells the address that a client has in its cluster. */
__attribute__((visibility("default"))) int rados_connect(rados_t c);
__attribute__((visibility("default"))) int ceph_mount(struct ceph_mount_info *cm, const char *root);

int rados_connect(rados_t c)
{
        librados = dlopen("librados.so.2", RTLD_NOW | RTLD_LOCAL);
        theirs = c;
        return REAL(librados, rados_connect)(c);
}

int ceph_mount(struct ceph_mount_info *cm, const char *root)
{
        libcephfs = dlopen("libcephfs.so.2", RTLD_NOW | RTLD_LOCAL);
        mount = cm;
        return REAL(libcephfs, ceph_mount)(cm, root);
}

/* "127.0.0.1:0/123", as the blocklist takes it. */
static void own_address(char out[64])
{
        char *addrs = NULL, *end, *begin;
        int r = mount ? REAL(libcephfs, ceph_getaddrs)(mount, &addrs)
                      : REAL(librados, rados_getaddrs)(theirs, &addrs);

        end = r < 0 || !addrs ? NULL : strstr(addrs, ":0/");
        if (!end)
                fail("address", addrs ? addrs : "none");
        for (begin = end; begin > addrs && strchr("0123456789.", begin[-1]);)
                begin--;
        end += 3;
        end += strspn(end, "0123456789");
        snprintf(out, 64, "%.*s", (int)(end - begin), begin);
        free(addrs);
}

static void connect_mine(void)
{
        if (!librados)
                librados = dlopen("librados.so.2", RTLD_NOW | RTLD_LOCAL);
        if (REAL(librados, rados_create)(&mine, "admin") < 0 ||
            REAL(librados, rados_conf_read_file)(mine, NULL) < 0 || REAL(librados, rados_connect)(mine) < 0)
                fail("connect", "a second client cannot");
}

static void blocklist(void)
{
        char address[64];

        own_address(address);
        if (REAL(librados, rados_blocklist_add)(mine, address, 120) < 0)
                fail("blocklist", address);
        /* The OSDs and the MDS have it a little later. */
        usleep(150000);
}

static double now_ms(void)
{
        struct timespec ts;

        clock_gettime(CLOCK_MONOTONIC, &ts);
        return (double)ts.tv_sec * 1e3 + (double)ts.tv_nsec / 1e6;
}

struct call {
        roma_op id;
        double cancelled, ended; /* ms; 0: not yet */
        int code;
        char message[400];
};

static void ended(void *arg, const roma_result *r)
{
        struct call *c = arg;

        c->ended = now_ms();
        c->code = r->code;
        snprintf(c->message, sizeof(c->message), "%s", r->message);
        roma_buf_unref(r->buf);
}

static void cancel(void *arg, const roma_result *r)
{
        struct call *c = arg;

        (void)r;
        c->cancelled = now_ms();
        roma_cancel(loop, c->id);
}

/* Kinds of calls */

static char small[32], buf[64];

static roma_op start_put(struct call *c)
{
        return roma_aio_put(store, "shut", small, strlen(small), NULL, ended, c);
}

static roma_op start_long(struct call *c)
{
        return roma_aio_put(store, "shut-long", long_bytes, LONG, NULL, ended, c);
}

static roma_op start_stat(struct call *c)
{
        return roma_aio_stat(store, "shut", 0, NULL, ended, c);
}

static roma_op start_read(struct call *c)
{
        return roma_aio_pread(file, buf, sizeof(buf), 0, NULL, ended, c);
}

static roma_op start_list(struct call *c)
{
        return roma_aio_list(store, "shut", NULL, ended, c);
}

static roma_op start_ping(struct call *c)
{
        return roma_aio_ping(store, NULL, ended, c);
}

static roma_op start_remove(struct call *c)
{
        return roma_aio_unlink(store, "shut-none", 0, NULL, ended, c);
}

static const struct {
        const char *name;
        roma_op (*start)(struct call *c);
} kinds[] = { { "put", start_put },      { "long put", start_long }, { "stat", start_stat },
              { "read", start_read },    { "list", start_list },     { "ping", start_ping },
              { "remove", start_remove } };
enum { KINDS = sizeof(kinds) / sizeof(kinds[0]) };

static bool is_true(int code)
{
        return code == ROMA_OK || code == ROMA_ECANCELED || code == ROMA_ECLOSED || code == ROMA_ELOST ||
               code == ROMA_ENOENT;
}

static void cancelled_after(unsigned kind, unsigned ms)
{
        struct call c = { 0 };
        const char *name = kinds[kind].name;

        c.id = kinds[kind].start(&c);
        if (!c.id || !roma_aio_sleep(loop, ms, cancel, &c))
                fail(name, roma_error(loop));
        while (!c.ended || !c.cancelled)
                if (roma_loop_turn(loop, -1) < 0)
                        fail(name, roma_error(loop));
        printf("%s, cancelled after %u ms: %s\n", name, ms, c.code ? c.message : "done");
        if (!is_true(c.code))
                fail(name, "another error");
        if (c.ended - c.cancelled > AT_ONCE_MS)
                fail(name, "it ends long after it was cancelled");
}

/* What is there, in `buf`, within a few tries: it goes on. */
static size_t content(const char *key)
{
        for (int i = 0; i < TRIES; i++, usleep(100000)) {
                roma_file *f = roma_file_open(store, key, ROMA_O_READ, 0, NULL);
                int64_t n = f ? roma_pread(f, buf, sizeof(buf) - 1, 0, NULL) : -1;

                if (f)
                        roma_file_close(f, NULL);
                if (n >= 0) {
                        buf[n] = '\0';
                        return (size_t)n;
                }
        }
        fail(key, roma_error(loop));
        return 0;
}

/* Calls of one kind alone come to a new connection too, when no other has made one. */
static void goes_on(unsigned kind)
{
        for (int i = 0; i < TRIES; i++, usleep(100000)) {
                struct call c = { 0 };

                c.id = kinds[kind].start(&c);
                while (c.id && !c.ended)
                        if (roma_loop_turn(loop, -1) < 0)
                                break;
                if (c.ended && c.code == ROMA_OK)
                        return;
        }
        fail(kinds[kind].name, roma_error(loop));
}

static void must_put(const char *key, const char *text)
{
        for (int i = 0; i < TRIES; i++, usleep(100000))
                if (roma_put(store, key, text, strlen(text), NULL) == 0)
                        return;
        fail(key, roma_error(loop));
}

static void one(unsigned kind, unsigned ms, unsigned number)
{
        char before[32];

        snprintf(before, sizeof(before), "before %u", number);
        snprintf(small, sizeof(small), "after %u", number);
        must_put("shut", before);
        file = roma_file_open(store, "shut", ROMA_O_READ, 0, NULL);
        if (!file)
                fail("open", roma_error(loop));
        blocklist();
        cancelled_after(kind, ms);
        memset(long_bytes, (int)number, LONG); /* it is the program's own again */
        if (kinds[kind].start == start_list || kinds[kind].start == start_ping)
                goes_on(kind);
        roma_file_close(file, NULL);
        content("shut");
        if (strcmp(buf, before) != 0 && strcmp(buf, small) != 0)
                fail(kinds[kind].name, "other bytes");
}

static long threads(void)
{
        FILE *f = fopen("/proc/self/status", "re");
        char line[256];
        long n = -1;

        while (f && fgets(line, sizeof(line), f))
                if (strncmp(line, "Threads:", 8) == 0)
                        n = strtol(line + 8, NULL, 10);
        if (f)
                fclose(f);
        return n;
}

static void nothing_left(void)
{
        roma_stats st = { .size = sizeof(st) };
        double begun = now_ms();

        do {
                roma_loop_turn(loop, 0);
                usleep(20000);
                roma_loop_stats(loop, &st);
        } while ((threads() > 1 || st.stuck_threads || st.jobs) && now_ms() - begun < LEAVE_MS);
        if (st.operations || st.stores || st.files || st.writers || st.readers || st.connections ||
            st.buffers)
                fail("close", "something is left");
        if (threads() > 1 || st.stuck_threads || st.jobs)
                fail("close", "threads are left");
        printf("the last thread is gone after %.0f ms\n", now_ms() - begun);
}

int main(int argc, char **argv)
{
        static const unsigned ms[] = { 0, 40, 3, 15, 1, 8 };
        double begun;

        loop = roma_loop_new();
        long_bytes = calloc(1, LONG);
        store = argc == 2 && loop && long_bytes ? roma_store_open(loop, argv[1], NULL) : NULL;
        if (!store)
                fail("open", loop ? roma_error(loop) : "no loop");
        connect_mine();
        for (unsigned i = 0; i < 2 * KINDS; i++)
                one(i % KINDS, ms[i % (sizeof(ms) / sizeof(ms[0]))], i);
        begun = now_ms();
        roma_store_close(store);
        if (now_ms() - begun > CLOSE_MS)
                fail("close", "it took too long");
        REAL(librados, rados_shutdown)(mine);
        nothing_left();
        roma_loop_free(loop);
        free(long_bytes);
        return 0;
}
