/* SPDX-License-Identifier: MIT */
/* What others do between two steps of a put or a gc, and what other halves there are:
 *   rados-races put URI BYTES WRITE NAME N COMMAND    a put of so many bytes to the key "object"
 *   rados-races gc URI WRITE NAME N COMMAND           a gc of all, however young
 *   rados-races raw URI                               none: a write that RADOS does half of
 *   rados-races full URI                              none: a store that could not be laid out when it was opened
 *   rados-races fork URI                              none: a child goes on with the same store
 *   rados-races mixed URI                             none: a plain object gets other bytes while it is read
 *   rados-races opened URI                            none: a plain object goes while it is opened to be written
 *   rados-races cancelled URI WRITE NAME N COMMAND    two puts, and the one to "object" is given up while it waits for the other
 * Before the Nth write (WRITE is w) or read (r) of an object of the pool whose name begins with NAME, COMMAND is run; then
 * so many seconds have passed as LATER in the environment says. Says how it ended: "done" or its sentence. */
#include <dlfcn.h>
#include <errno.h>
#include <roma/roma.h>
#include <spawn.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <rados/librados.h>

static const char *name, *command;
static bool of_writes, full;
static unsigned left;
static time_t later;

static void *real(const char *fn)
{
        void *lib = dlopen("librados.so.2", RTLD_NOW | RTLD_LOCAL), *p = lib ? dlsym(lib, fn) : NULL;
        if (!p) {
                printf("FAIL: no %s\n", fn);
                exit(1);
        }
        return p;
}
#define REAL(fn) ((__typeof__(fn) *)real(#fn))
#define EXPORTED __attribute__((visibility("default")))

/* 0: it has done what it was to do. */
static int run(const char *words)
{
        char *const argv[] = { (char *)"sh", (char *)"-c", (char *)(uintptr_t)words, NULL };
        int status = 1;
        pid_t pid;

        fflush(stdout);
        if (posix_spawn(&pid, "/bin/sh", NULL, NULL, argv, environ) != 0 || waitpid(pid, &status, 0) != pid)
                return -1;
        return status;
}

static void about_to(bool write, const char *oid)
{
        if (write != of_writes || !left || strncmp(oid, name, strlen(name)) != 0 || --left)
                return;
        if (run(command) != 0) {
                printf("FAIL: %s\n", command);
                exit(1);
        }
        if (getenv("LATER"))
                later = strtol(getenv("LATER"), NULL, 10);
}

/* These stand before those of the libraries. */

EXPORTED int rados_aio_write_op_operate(rados_write_op_t op, rados_ioctx_t io, rados_completion_t c,
                                        const char *oid, time_t *mtime, int flags)
{
        about_to(true, oid);
        return REAL(rados_aio_write_op_operate)(op, io, c, oid, mtime, flags);
}

EXPORTED int rados_aio_read_op_operate(rados_read_op_t op, rados_ioctx_t io, rados_completion_t c,
                                       const char *oid, int flags)
{
        about_to(false, oid);
        return REAL(rados_aio_read_op_operate)(op, io, c, oid, flags);
}

/* Just before the second read of a plain object, its bytes become others, in the same second, for that is what the clock of a file
 * has in RADOS. */

static unsigned reads_left;

static int other_bytes(rados_ioctx_t io, const char *oid)
{
        rados_write_op_t op = REAL(rados_create_write_op)();
        uint64_t size;
        time_t mtime;
        char *bytes;
        int r = REAL(rados_stat)(io, oid, &size, &mtime);

        bytes = r < 0 ? NULL : malloc(size);
        if (!bytes)
                return -1;
        memset(bytes, 'b', size);
        REAL(rados_write_op_write_full)(op, bytes, size);
        r = REAL(rados_write_op_operate)(op, io, oid, &mtime, 0);
        REAL(rados_release_write_op)(op);
        free(bytes);
        return r;
}

EXPORTED int rados_aio_read(rados_ioctx_t io, const char *oid, rados_completion_t c, char *buf, size_t len,
                            uint64_t off)
{
        if (reads_left && !--reads_left && other_bytes(io, oid) < 0) {
                puts("FAIL: it gets no other bytes");
                exit(1);
        }
        return REAL(rados_aio_read)(io, oid, c, buf, len, off);
}

static bool remove_it;

EXPORTED int rados_aio_stat(rados_ioctx_t io, const char *oid, rados_completion_t c, uint64_t *size,
                            time_t *mtime)
{
        if (remove_it && REAL(rados_remove)(io, oid) < 0) {
                puts("FAIL: it is not removed");
                exit(1);
        }
        remove_it = false;
        return REAL(rados_aio_stat)(io, oid, c, size, mtime);
}

/* What makes the layout, when the store is opened. */
EXPORTED int rados_write_op_operate(rados_write_op_t op, rados_ioctx_t io, const char *oid, time_t *mtime,
                                    int flags)
{
        return full ? -ENOSPC : REAL(rados_write_op_operate)(op, io, oid, mtime, flags);
}

EXPORTED int clock_gettime(clockid_t clock, struct timespec *ts)
{
        static int (*next)(clockid_t clock, struct timespec * ts);
        int r;

        if (!next)
                *(void **)&next = dlsym(RTLD_NEXT, "clock_gettime");
        r = next(clock, ts);
        if (clock == CLOCK_REALTIME)
                ts->tv_sec += later;
        return r;
}

static int put(roma_store *s, size_t n)
{
        char *bytes = malloc(n + 1);
        int r;

        if (!bytes)
                return -1;
        for (size_t i = 0; i < n; i++)
                bytes[i] = (char)(i * 7 + i / 251);
        r = roma_put(s, "object", bytes, n, NULL);
        free(bytes);
        return r;
}

/* An object has at most 128 MiB. */
static int write_half(roma_loop *loop, roma_store *s)
{
        enum { LEN = 8 << 20, AT = 124 << 20 };
        char *bytes = calloc(1, LEN);
        roma_file *f = roma_file_open(s, "half", ROMA_O_WRITE | ROMA_O_CREATE, 0644, NULL);
        roma_attr a = ROMA_ATTR_INIT;
        int whole, half;

        if (!bytes || !f || roma_pwrite(f, bytes, LEN / 2, AT + LEN / 2, NULL) >= 0) {
                puts("FAIL: it is not refused");
                return -1;
        }
        whole = roma_last(loop)->outcome;
        if (roma_pwrite(f, bytes, LEN, AT, NULL) >= 0) {
                puts("FAIL: it is not refused");
                return -1;
        }
        half = roma_last(loop)->outcome;
        puts(roma_error(loop));
        free(bytes);
        if (roma_fstat(f, NULL, &a) < 0 || roma_file_close(f, NULL) < 0 ||
            roma_unlink(s, "half", 0, NULL) < 0)
                return -1;
        if (whole == ROMA_NOT_DONE && half == ROMA_UNKNOWN)
                return 0;
        printf("FAIL: outcomes %d and %d, and a length of %llu\n", whole, half, (unsigned long long)a.length);
        return -1;
}

static int read_mixed(roma_loop *loop, roma_store *s)
{
        enum { LEN = 4 << 20 };
        char *bytes = malloc(LEN);
        int code;

        if (!bytes)
                return -1;
        memset(bytes, 'a', LEN);
        if (roma_put(s, "mixed", bytes, LEN, NULL) < 0)
                return -1;
        free(bytes);
        reads_left = 2;
        code = roma_hash(s, "mixed", ROMA_MD5, NULL) < 0 ? roma_last(loop)->code : ROMA_OK;
        puts(roma_error(loop));
        if (reads_left || roma_unlink(s, "mixed", 0, NULL) < 0)
                return -1;
        if (code == ROMA_ESOURCE)
                return 0;
        puts("FAIL: a half of each is called a success");
        return -1;
}

static int open_gone(roma_loop *loop, roma_store *s)
{
        roma_file *f;
        int outcome;

        remove_it = true;
        f = roma_file_open(s, "gone", ROMA_O_WRITE | ROMA_O_CREATE | ROMA_O_TRUNC, 0644, NULL);
        outcome = roma_last(loop)->outcome;
        puts(roma_error(loop));
        if (!f && outcome == ROMA_UNKNOWN)
                return 0;
        puts("FAIL: it was made, or cut, and that is not said");
        return -1;
}

/* Both commit, and "object" has to wait for the index until "other" is through. Neither needs a turn of the loop for that. */

struct ending {
        bool ended;
        int code, outcome;
};

static void ended(void *arg, const roma_result *r)
{
        struct ending *e = arg;

        *e = (struct ending){ true, r->code, r->outcome };
}

static roma_op commit(roma_store *s, const char *key, struct ending *e)
{
        roma_writer *w = roma_writer_open(s, key, NULL);

        if (!w || roma_writer_write(w, key, strlen(key), NULL) < 0)
                return 0;
        return roma_aio_writer_commit(w, NULL, ended, e);
}

static int give_up(roma_loop *loop, roma_store *s)
{
        roma_writer *w = roma_writer_open(s, "object", NULL);
        struct ending other = { 0 }, object = { 0 };
        roma_op id;

        if (!w || roma_writer_write(w, "one", 3, NULL) < 0 || !commit(s, "other", &other))
                return -1;
        id = roma_aio_writer_commit(w, NULL, ended, &object);
        if (!id)
                return -1;
        roma_cancel(loop, id);
        while (!other.ended || !object.ended)
                if (roma_loop_turn(loop, -1) < 0)
                        return -1;
        if (other.code == ROMA_OK && object.code == ROMA_ECANCELED && object.outcome == ROMA_NOT_DONE)
                return 0;
        printf("FAIL: codes %d and %d, outcome %d\n", other.code, object.code, object.outcome);
        return -1;
}

/* A store that was opened while there was no room. OTHER: what somebody else does before it puts anything. */
static int laid_out(roma_loop *loop, roma_store *s)
{
        const char *other = getenv("OTHER");

        if (roma_list_page(s, "", NULL) < 0) {
                printf("FAIL: the first list: %s\n", roma_error(loop));
                return -1;
        }
        if (other && run(other) != 0) {
                printf("FAIL: %s\n", other);
                return -1;
        }
        puts(roma_list_page(s, "", NULL) < 0 ? roma_error(loop) : "listed");
        puts(roma_put(s, "late", "late", 4, NULL) < 0 ? roma_error(loop) : "put");
        return 0;
}

/* A child makes a loop of its own and opens what its parent has open. */
static int in_child(const char *uri)
{
        roma_loop *loop = roma_loop_new();
        roma_store *s = loop ? roma_store_open(loop, uri, NULL) : NULL;
        roma_attr a = ROMA_ATTR_INIT;

        if (!s || roma_put(s, "child", "child", 5, NULL) < 0 || roma_stat(s, "parent", 0, NULL, &a) < 0 ||
            a.length != 6) {
                printf("FAIL: in the child: %s\n", loop ? roma_error(loop) : "no loop");
                return 1;
        }
        roma_store_close(s);
        roma_loop_free(loop);
        return 0;
}

static int with_child(const char *uri, roma_loop *loop, roma_store *s)
{
        int status = 1;
        roma_attr a = ROMA_ATTR_INIT;
        pid_t pid;

        if (roma_put(s, "parent", "parent", 6, NULL) < 0)
                return -1;
        fflush(stdout);
        pid = fork();
        if (pid == 0) {
                alarm(60);
                status = in_child(uri);
                fflush(stdout);
                _exit(status);
        }
        if (pid < 0 || waitpid(pid, &status, 0) != pid || status != 0) {
                printf("FAIL: the child: status %d\n", status);
                return -1;
        }
        if (roma_stat(s, "child", 0, NULL, &a) < 0 || a.length != 5 || roma_unlink(s, "child", 0, NULL) < 0 ||
            roma_unlink(s, "parent", 0, NULL) < 0) {
                printf("FAIL: behind the child: %s\n", roma_error(loop));
                return -1;
        }
        return 0;
}

int main(int argc, char **argv)
{
        bool putting = argc == 8 && strcmp(argv[1], "put") == 0;
        roma_loop *loop = roma_loop_new();
        roma_store *s;
        int r;

        full = argc == 3 && strcmp(argv[1], "full") == 0;
        s = argc >= 3 && loop ? roma_store_open(loop, argv[2], NULL) : NULL;
        if (!s) {
                printf("FAIL: %s\n", loop ? roma_error(loop) : "no loop");
                return 1;
        }
        if (argc == 3) {
                if (strcmp(argv[1], "raw") == 0)
                        r = write_half(loop, s);
                else if (strcmp(argv[1], "mixed") == 0)
                        r = read_mixed(loop, s);
                else if (strcmp(argv[1], "opened") == 0)
                        r = open_gone(loop, s);
                else if (strcmp(argv[1], "full") == 0)
                        r = laid_out(loop, s);
                else
                        r = with_child(argv[2], loop, s);
                roma_store_close(s);
                roma_loop_free(loop);
                return r < 0;
        }
        if (argc < 7)
                return 2;
        of_writes = argv[argc - 4][0] == 'w';
        name = argv[argc - 3];
        left = (unsigned)strtoul(argv[argc - 2], NULL, 10);
        command = argv[argc - 1];
        if (strcmp(argv[1], "cancelled") == 0)
                r = give_up(loop, s);
        else
                r = putting ? put(s, strtoul(argv[3], NULL, 10)) : roma_gc(s, "", 0, NULL) < 0 ? -1 : 0;
        puts(r < 0 ? roma_error(loop) : "done");
        if (left)
                puts("FAIL: it came to no such step");
        roma_store_close(s);
        roma_loop_free(loop);
        return left ? 1 : 0;
}
