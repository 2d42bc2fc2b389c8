/* SPDX-License-Identifier: MIT */
/* A client that goes on after the cluster has shut it out: rados-client URI. Puts an object, says its address, waits for a
 * line, and then: whatever the next put says is true, and the one after it succeeds on a new connection. */
#include <dlfcn.h>
#include <roma/roma.h>
#include <stdio.h>
#include <string.h>

static void *librados, *cluster;

/* Stands before the one of librados, for nothing else tells the address that a client has in its cluster. */
__attribute__((visibility("default"))) int rados_connect(void *c);

int rados_connect(void *c)
{
        int (*real)(void *c);

        librados = dlopen("librados.so.2", RTLD_NOW | RTLD_LOCAL);
        if (!librados)
                return -1;
        *(void **)&real = dlsym(librados, "rados_connect");
        cluster = c;
        return real(c);
}

/* As `ceph osd blocklist` takes it. */
static int say_address(void)
{
        int (*getaddrs)(void *c, char **addrs);
        void (*buffer_free)(char *buf);
        char *addrs;

        if (!cluster)
                return -1;
        *(void **)&getaddrs = dlsym(librados, "rados_getaddrs");
        *(void **)&buffer_free = dlsym(librados, "rados_buffer_free");
        if (!getaddrs || !buffer_free || getaddrs(cluster, &addrs) < 0)
                return -1;
        puts(addrs);
        fflush(stdout);
        buffer_free(addrs);
        return 0;
}

static int holds(roma_store *s, const char *want)
{
        roma_file *f = roma_file_open(s, "blocklisted", ROMA_O_READ, 0, NULL);
        char buf[64];
        int64_t n = f ? roma_pread(f, buf, sizeof(buf), 0, NULL) : -1;

        if (f)
                roma_file_close(f, NULL);
        return n == (int64_t)strlen(want) && memcmp(buf, want, (size_t)n) == 0;
}

static int fail(roma_loop *loop, const char *what)
{
        printf("FAIL: %s: %s\n", what, roma_error(loop));
        return 1;
}

int main(int argc, char **argv)
{
        roma_loop *loop = roma_loop_new();
        roma_store *s = argc == 2 && loop ? roma_store_open(loop, argv[1], NULL) : NULL;
        roma_stats st = { .size = sizeof(st) };
        char line[16];

        if (!s)
                return fail(loop, "open");
        if (roma_put(s, "blocklisted", "one", 3, NULL) < 0)
                return fail(loop, "put");
        if (say_address() < 0)
                return fail(loop, "no address");
        if (!fgets(line, sizeof(line), stdin))
                return 1;
        if (roma_put(s, "blocklisted", "two", 3, NULL) == 0) {
                if (!holds(s, "two"))
                        return fail(loop, "a put that was lost was called a success");
        } else {
                const roma_result *r = roma_last(loop);

                printf("the put that was shut out: %s\n", r->message);
                if (r->code != ROMA_ECLOSED || !(r->flags & ROMA_RETRIABLE))
                        return fail(loop, "not ROMA_ECLOSED and retriable");
        }
        if (roma_put(s, "blocklisted", "three", 5, NULL) < 0)
                return fail(loop, "put on a new connection");
        if (!holds(s, "three"))
                return fail(loop, "other bytes");
        roma_store_close(s);
        roma_loop_stats(loop, &st);
        if (st.stuck_threads || st.connections || st.operations || st.buffers)
                return fail(loop, "something is left");
        roma_loop_free(loop);
        return 0;
}
