/* SPDX-License-Identifier: MIT */
/* A client that lives through what a script does to its cluster: cephfs-client evicted|rejected|closer|writer|stuck|alone|renamed URI. It says when
 * it is ready, and then waits for a line. */
#include <dlfcn.h>
#include <roma/roma.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { LENGTH = 3 << 20, HALF = LENGTH / 2 };
static char bytes[LENGTH], seen[LENGTH];

static int fail(roma_loop *loop, const char *what)
{
        printf("FAIL: %s: %s\n", what, roma_error(loop));
        return 1;
}

static int rest(void)
{
        char line[16];

        puts("ready");
        fflush(stdout);
        return fgets(line, sizeof(line), stdin) ? 0 : -1;
}

/* Stands before the one of libcephfs. Once, the script has its turn in the middle of a close: the file has been touched, which
 * fails when the client was evicted before. */
__attribute__((visibility("default"))) int ceph_close(void *mount, int fd);
static bool rest_in_close;

int ceph_close(void *mount, int fd)
{
        void *libcephfs = dlopen("libcephfs.so.2", RTLD_NOW | RTLD_LOCAL);
        int (*real)(void *mount, int fd);

        if (!libcephfs)
                return -1;
        *(void **)&real = dlsym(libcephfs, "ceph_close");
        if (!real)
                return -1;
        if (rest_in_close) {
                rest_in_close = false;
                if (rest() < 0)
                        return -1;
        }
        return real(mount, fd);
}

static int holds(roma_store *s, const char *key, size_t want)
{
        roma_file *f = roma_file_open(s, key, ROMA_O_READ, 0, NULL);
        int64_t n = f ? roma_pread(f, seen, sizeof(seen), 0, NULL) : -1;

        if (f)
                roma_file_close(f, NULL);
        return n == (int64_t)want && memcmp(seen, bytes, want) == 0;
}

/* It goes on with a mount of its own. */
static int goes_on(roma_loop *loop, roma_store *s)
{
        if (roma_put(s, "after", bytes, 1000, NULL) < 0)
                return fail(loop, "put on a new mount");
        if (!holds(s, "after", 1000))
                return fail(loop, "other bytes on a new mount");
        return 0;
}

/* What was written and not synced is lost with the client, and nothing may call that a success. */
static int evicted(roma_loop *loop, roma_store *s)
{
        roma_file *f = roma_file_open(s, "lost", ROMA_O_WRITE | ROMA_O_CREATE, 0644, NULL);

        if (!f || roma_pwrite(f, bytes, HALF, 0, NULL) != HALF)
                return fail(loop, "write");
        if (rest() < 0)
                return 1;
        if (roma_fsync(f, NULL) == 0)
                return fail(loop, "an fsync after the eviction was called a success");
        printf("the fsync: %s\n", roma_error(loop));
        if (roma_last(loop)->code != ROMA_ELOST)
                return fail(loop, "not ROMA_ELOST");
        if (roma_pwrite(f, bytes + HALF, HALF, HALF, NULL) >= 0)
                return fail(loop, "a write after the eviction was called a success");
        if (roma_file_close(f, NULL) == 0)
                return fail(loop, "closing a file that has lost data was called a success");
        return goes_on(loop, s);
}

/* An MDS has taken over while this client stood still, and does not take its session on: all requests are EPERM. What changes nothing
 * is done on a new mount; what was written is lost. */
static int rejected(roma_loop *loop, roma_store *s)
{
        roma_file *f = roma_file_open(s, "rejected", ROMA_O_WRITE | ROMA_O_CREATE, 0644, NULL);
        roma_attr attr = ROMA_ATTR_INIT;

        if (!f || roma_pwrite(f, bytes, HALF, 0, NULL) != HALF)
                return fail(loop, "write");
        if (rest() < 0)
                return 1;
        if (roma_unlink(s, "no-such-object", 0, NULL) == 0 || roma_last(loop)->code != ROMA_ECLOSED ||
            roma_last(loop)->outcome != ROMA_UNKNOWN)
                return fail(loop, "a change is not ROMA_ECLOSED and perhaps done");
        printf("the change: %s\n", roma_error(loop));
        if (roma_fstat(f, NULL, &attr) == 0 || roma_last(loop)->code != ROMA_ELOST)
                return fail(loop, "the stat of an open file is not ROMA_ELOST");
        if (roma_file_close(f, NULL) == 0 || roma_last(loop)->code != ROMA_ELOST)
                return fail(loop, "the close is not ROMA_ELOST");
        printf("the close: %s\n", roma_error(loop));
        return goes_on(loop, s);
}

/* The same when the eviction comes while the file is being closed. The MDS finds the length again of what was written, by the objects
 * that there are; one that no bytes stand behind is lost. */
static int closer(roma_loop *loop, roma_store *s)
{
        roma_file *f = roma_file_open(s, "closed", ROMA_O_WRITE | ROMA_O_CREATE | ROMA_O_TRUNC, 0644, NULL);
        roma_attr attr = ROMA_ATTR_INIT;

        if (!f || roma_pwrite(f, bytes, HALF, 0, NULL) != HALF || roma_truncate(f, LENGTH, NULL) < 0)
                return fail(loop, "write");
        rest_in_close = true;
        if (roma_file_close(f, NULL) == 0) {
                if (roma_stat(s, "closed", 0, NULL, &attr) < 0 || attr.length != LENGTH)
                        return fail(loop, "closing a file that has lost its length was called a success");
        } else {
                printf("the close: %s\n", roma_error(loop));
                if (roma_last(loop)->code != ROMA_ELOST)
                        return fail(loop, "not ROMA_ELOST");
        }
        if (rest_in_close)
                return fail(loop, "the close did not come by here");
        return goes_on(loop, s);
}

/* The old object or the whole new one. */
static int writer(roma_loop *loop, roma_store *s)
{
        roma_writer *w;
        int ok;

        if (roma_put(s, "object", bytes, 1000, NULL) < 0)
                return fail(loop, "put");
        w = roma_writer_open(s, "object", NULL);
        if (!w || roma_writer_write(w, bytes, HALF, NULL) < 0)
                return fail(loop, "write");
        if (rest() < 0)
                return 1;
        ok = roma_writer_write(w, bytes + HALF, HALF, NULL) == 0;
        if (!ok) {
                printf("the write: %s\n", roma_error(loop));
                roma_writer_abort(w);
        } else {
                ok = roma_writer_commit(w, NULL) == 0;
                if (!ok)
                        printf("the commit: %s\n", roma_error(loop));
        }
        if (!holds(s, "object", ok ? LENGTH : 1000))
                return fail(loop, ok ? "a commit that was lost was called a success"
                                     : "an upload that failed has changed the object");
        return goes_on(loop, s);
}

static uint64_t stuck_threads(roma_loop *loop)
{
        roma_stats st = { .size = sizeof(st) };

        roma_loop_stats(loop, &st);
        return st.stuck_threads;
}

/* The MDS does not answer, the monitors do: what they say comes with the time-out. They may need more than one deadline. */
static int ping_tells(roma_loop *loop, roma_store *s)
{
        roma_opts opts = { .size = sizeof(opts), .deadline_ms = 2000 };

        for (int i = 0; i < 15; i++) {
                if (roma_ping(s, &opts) == 0 || roma_last(loop)->code != ROMA_ETIMEDOUT)
                        return fail(loop, "the ping is not ROMA_ETIMEDOUT");
                if (strstr(roma_error(loop), "waiting for the MDS; the monitors say HEALTH_")) {
                        printf("the ping: %s\n", roma_error(loop));
                        return 0;
                }
        }
        return fail(loop, "the ping does not say what the monitors say");
}

/* Operations end at their deadlines, and the threads that do not come back are counted until they do. */
static int stuck(roma_loop *loop, roma_store *s)
{
        roma_opts opts = { .size = sizeof(opts), .deadline_ms = 2000 };
        roma_attr attr = ROMA_ATTR_INIT;

        if (roma_put(s, "object", bytes, 1000, NULL) < 0)
                return fail(loop, "put");
        if (rest() < 0)
                return 1;
        if (roma_stat(s, "no-such-object", 0, &opts, &attr) == 0 || roma_last(loop)->code != ROMA_ETIMEDOUT)
                return fail(loop, "not ROMA_ETIMEDOUT");
        printf("the stat: %s\n", roma_error(loop));
        if (stuck_threads(loop) == 0)
                return fail(loop, "no stuck thread was counted");
        if (ping_tells(loop, s) || rest() < 0)
                return 1;
        for (int i = 0; i < 900 && stuck_threads(loop); i++)
                usleep(100000);
        if (stuck_threads(loop))
                return fail(loop, "the stuck thread has not come back");
        if (!holds(s, "object", 1000))
                return fail(loop, "other bytes");
        return goes_on(loop, s);
}

/* Without a mount and without monitors a ping does not wait for them twice. */
__attribute__((visibility("default"))) int ceph_init(void *mount);
static unsigned inits;

int ceph_init(void *mount)
{
        void *libcephfs = dlopen("libcephfs.so.2", RTLD_NOW | RTLD_LOCAL);
        int (*real)(void *mount);

        if (!libcephfs)
                return -1;
        *(void **)&real = dlsym(libcephfs, "ceph_init");
        inits++;
        return real ? real(mount) : -1;
}

static int alone(roma_loop *loop, roma_store *s)
{
        if (rest() < 0)
                return 1;
        if (roma_unlink(s, "no-such-object", 0, NULL) == 0 || roma_last(loop)->code != ROMA_ECLOSED)
                return fail(loop, "the client is not evicted");
        if (rest() < 0)
                return 1;
        inits = 0;
        if (roma_ping(s, NULL) == 0 || roma_last(loop)->code != ROMA_ECONNECT)
                return fail(loop, "not ROMA_ECONNECT");
        printf("the ping: %s\n", roma_error(loop));
        if (inits)
                return fail(loop, "it has tried to make a mount");
        if (rest() < 0)
                return 1;
        return goes_on(loop, s);
}

/* After a rename that failed its target is a name as any other. */
static int renamed(roma_loop *loop, roma_store *s)
{
        roma_opts opts = { .size = sizeof(opts), .deadline_ms = 30000 };
        roma_attr attr = ROMA_ATTR_INIT;

        if (roma_rename(s, "no-such-object", "object", 0, NULL) == 0 || roma_last(loop)->code != ROMA_ENOENT)
                return fail(loop, "not ROMA_ENOENT");
        if (rest() < 0)
                return 1;
        if (roma_stat(s, "object", 0, &opts, &attr) < 0)
                return fail(loop, "stat of what another client has made");
        return 0;
}

static const struct {
        const char *name;
        int (*run)(roma_loop *loop, roma_store *s);
} parts[] = { { "evicted", evicted }, { "rejected", rejected }, { "closer", closer },  { "writer", writer },
              { "stuck", stuck },     { "alone", alone },       { "renamed", renamed } };

static int nothing_left(roma_loop *loop)
{
        roma_stats st = { .size = sizeof(st) };

        roma_loop_stats(loop, &st);
        return st.stuck_threads || st.operations || st.files || st.writers || st.buffers || st.stores ? -1
                                                                                                      : 0;
}

int main(int argc, char **argv)
{
        roma_loop *loop = roma_loop_new();
        roma_store *s = argc == 3 && loop ? roma_store_open(loop, argv[2], NULL) : NULL;
        int status = 2;

        if (!s)
                return fail(loop, "open");
        for (size_t i = 0; i < sizeof(bytes); i++)
                bytes[i] = (char)(i * 7 + i / 251);
        for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++)
                if (strcmp(parts[i].name, argv[1]) == 0)
                        status = parts[i].run(loop, s);
        /* As it is: taking it apart could hide what was said. */
        if (status) {
                fflush(stdout);
                _exit(status);
        }
        roma_store_close(s);
        if (nothing_left(loop) < 0)
                return fail(loop, "something is left");
        roma_loop_free(loop);
        return 0;
}
