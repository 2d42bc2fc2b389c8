/* SPDX-License-Identifier: MIT */
/* A client that the cluster shuts out: rados-client URI goes-on|ends. Puts an object, says its address, waits for a line, and then:
 * goes-on  whatever the next put says is true, and the one after it succeeds on a new connection
 * ends     it may not come back either, and closes with a long put that has not ended */
#include <dlfcn.h>
#include <roma/roma.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

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

static int goes_on(roma_loop *loop, roma_store *s)
{
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
        return holds(s, "three") ? 0 : fail(loop, "other bytes");
}

static roma_writer *begin(roma_store *s)
{
        enum { LEN = 6 << 20 };
        roma_writer *w = roma_writer_open(s, "blocklisted", NULL);
        char *bytes = calloc(1, LEN);
        int r = w && bytes ? roma_writer_write(w, bytes, LEN, NULL) : -1;

        free(bytes);
        return r < 0 ? NULL : w;
}

/* It knows that it has no connection. */
static int ends(roma_loop *loop, roma_store *s)
{
        roma_attr a = ROMA_ATTR_INIT;

        for (int i = 0; i < 40 && roma_stat(s, "blocklisted", 0, NULL, &a) == 0; i++)
                usleep(100000);
        if (roma_last(loop)->code == ROMA_OK)
                return fail(loop, "it is not shut out");
        printf("the stat: %s\n", roma_error(loop));
        return 0;
}

int main(int argc, char **argv)
{
        roma_loop *loop = roma_loop_new();
        roma_store *s = argc == 3 && loop ? roma_store_open(loop, argv[1], NULL) : NULL;
        bool ending = argc == 3 && strcmp(argv[2], "ends") == 0;
        roma_stats st = { .size = sizeof(st) };
        char line[16];

        if (!s)
                return fail(loop, "open");
        if (roma_put(s, "blocklisted", "one", 3, NULL) < 0 || (ending && !begin(s)))
                return fail(loop, "put");
        if (say_address() < 0)
                return fail(loop, "no address");
        if (!fgets(line, sizeof(line), stdin))
                return 1;
        if (ending ? ends(loop, s) : goes_on(loop, s))
                return 1;
        roma_store_close(s);
        roma_loop_stats(loop, &st);
        if (st.stuck_threads || st.connections || st.operations || st.buffers)
                return fail(loop, "something is left");
        roma_loop_free(loop);
        return 0;
}
