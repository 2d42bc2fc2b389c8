/* SPDX-License-Identifier: MIT */
/* Calls that nobody waits for any more and that are still inside libcephfs: cephfs-strays URI. Whatever they do when they come
 * back, it must not undo what was done, and acknowledged, after them. */
#include <dlfcn.h>
#include <fcntl.h>
#include <pthread.h>
#include <roma/roma.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#include <cephfs/libcephfs.h>

static roma_loop *loop;
static roma_store *store;

static void fail(const char *what)
{
        printf("FAIL: %s: %s\n", what, roma_error(loop));
        fflush(stdout);
        _exit(1);
}

/* These stand before those of libcephfs. One call of the kind that is to be held waits at the gate: a read, a write, a look at
 * the folder "late" and a lock before it begins, an open when it has made the file. */

enum kind { NONE, READ, WRITE, OPEN, LOOK, LOCK };
enum { OBJECT = 4 << 20 };
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t opened = PTHREAD_COND_INITIALIZER;
static enum kind to_hold;
static bool held, gate_open, syncs_fail, sync_lets_go, closed_on_loop, write_breaks;
static unsigned syncs, writes;
static pthread_t loop_thread;

static void *real(const char *name)
{
        void *lib = dlopen("libcephfs.so.2", RTLD_NOW | RTLD_LOCAL), *p = lib ? dlsym(lib, name) : NULL;

        if (!p)
                fail(name);
        return p;
}
#define REAL(fn) ((__typeof__(fn) *)real(#fn))
#define EXPORTED __attribute__((visibility("default")))

static void gate(enum kind k)
{
        pthread_mutex_lock(&lock);
        if (to_hold == k) {
                to_hold = NONE;
                held = true;
                while (!gate_open)
                        pthread_cond_wait(&opened, &lock);
        }
        pthread_mutex_unlock(&lock);
}

EXPORTED int ceph_read(struct ceph_mount_info *cm, int fd, char *buf, int64_t size, int64_t offset)
{
        gate(READ);
        return REAL(ceph_read)(cm, fd, buf, size, offset);
}

EXPORTED int ceph_write(struct ceph_mount_info *cm, int fd, const char *buf, int64_t size, int64_t offset)
{
        bool breaks;

        pthread_mutex_lock(&lock);
        writes++;
        breaks = write_breaks;
        pthread_mutex_unlock(&lock);
        gate(WRITE);
        /* Of two objects the first one takes its bytes. */
        if (breaks && offset % OBJECT &&
            REAL(ceph_write)(cm, fd, buf, OBJECT - offset % OBJECT, offset) != OBJECT - offset % OBJECT)
                fail("write");
        return breaks ? -5 : REAL(ceph_write)(cm, fd, buf, size, offset);
}

EXPORTED int ceph_statx(struct ceph_mount_info *cm, const char *path, struct ceph_statx *st,
                        unsigned int want, unsigned int flags)
{
        const char *base = strrchr(path, '/');

        if (base && strcmp(base, "/late") == 0)
                gate(LOOK);
        return REAL(ceph_statx)(cm, path, st, want, flags);
}

EXPORTED int ceph_flock(struct ceph_mount_info *cm, int fd, int operation, uint64_t owner)
{
        if (operation == LOCK_EX)
                gate(LOCK);
        return REAL(ceph_flock)(cm, fd, operation, owner);
}

EXPORTED int ceph_open(struct ceph_mount_info *cm, const char *path, int flags, mode_t mode)
{
        int fd = REAL(ceph_open)(cm, path, flags, mode);

        if (flags & O_CREAT)
                gate(OPEN);
        return fd;
}

EXPORTED int ceph_fsync(struct ceph_mount_info *cm, int fd, int data_only)
{
        bool fails, lets_go;

        pthread_mutex_lock(&lock);
        syncs++;
        fails = syncs_fail;
        lets_go = sync_lets_go;
        if (lets_go) {
                gate_open = true;
                pthread_cond_broadcast(&opened);
        }
        pthread_mutex_unlock(&lock);
        /* For its thread to come back and to give up the descriptor, which nothing tells here. Too short for that it would show
         * less, and fail nobody. */
        if (lets_go)
                usleep(300000);
        return fails ? -5 : REAL(ceph_fsync)(cm, fd, data_only);
}

EXPORTED int ceph_close(struct ceph_mount_info *cm, int fd)
{
        pthread_mutex_lock(&lock);
        if (pthread_equal(pthread_self(), loop_thread))
                closed_on_loop = true;
        pthread_mutex_unlock(&lock);
        return REAL(ceph_close)(cm, fd);
}

/* The loop */

static void hold(enum kind k)
{
        pthread_mutex_lock(&lock);
        to_hold = k;
        held = gate_open = false;
        pthread_mutex_unlock(&lock);
}

static bool is_held(void)
{
        bool yes;

        pthread_mutex_lock(&lock);
        yes = held;
        pthread_mutex_unlock(&lock);
        return yes;
}

static unsigned count(const unsigned *n)
{
        unsigned v;

        pthread_mutex_lock(&lock);
        v = *n;
        pthread_mutex_unlock(&lock);
        return v;
}

static void wait_held(void)
{
        for (int i = 0; i < 6000 && !is_held(); i++)
                roma_loop_turn(loop, 10);
        if (!is_held())
                fail("a call that is to be held did not come");
}

/* The stray comes back, and is waited for. */
static void let_go(void)
{
        roma_stats st = { .size = sizeof(st) };

        pthread_mutex_lock(&lock);
        gate_open = true;
        pthread_cond_broadcast(&opened);
        pthread_mutex_unlock(&lock);
        for (int i = 0; i < 6000; i++) {
                roma_loop_turn(loop, 10);
                roma_loop_stats(loop, &st);
                if (!st.stuck_threads)
                        return;
        }
        fail("the stray did not come back");
}

struct call {
        bool ended;
        int code, outcome;
        roma_file *file;
};

static void ended(void *arg, const roma_result *r)
{
        struct call *c = arg;

        c->ended = true;
        c->code = r->code;
        c->outcome = r->outcome;
        c->file = r->file;
}

static void wait_ended(const struct call *c)
{
        while (!c->ended)
                if (roma_loop_turn(loop, -1) < 0)
                        fail("turn");
}

static void give_up(roma_op id, const struct call *c)
{
        roma_cancel(loop, id);
        wait_ended(c);
        if (c->code != ROMA_ECANCELED || c->outcome != ROMA_UNKNOWN)
                fail("a call that is held and given up does not end as unknown");
}

static void must_hold(const char *key, const char *want)
{
        roma_file *f = roma_file_open(store, key, ROMA_O_READ, 0, NULL);
        char buf[64];
        int64_t n = f ? roma_pread(f, buf, sizeof(buf), 0, NULL) : -1;

        if (!f || n < 0 || roma_file_close(f, NULL) < 0)
                fail(key);
        if ((size_t)n != strlen(want) || memcmp(buf, want, (size_t)n) != 0) {
                printf("FAIL: %s holds \"%.*s\" and not \"%s\"\n", key, (int)n, buf, want);
                fail(key);
        }
}

static roma_file *make(const char *key, const char *text)
{
        roma_file *f = roma_file_open(store, key, ROMA_O_READ | ROMA_O_WRITE | ROMA_O_CREATE | ROMA_O_TRUNC,
                                      0644, NULL);

        if (!f || roma_pwrite(f, text, strlen(text), 0, NULL) < 0)
                fail(key);
        return f;
}

/* A read that hangs keeps the descriptor open behind the close, which syncs all the same, or says why not. back: the read comes back
 * during the sync, so that the descriptor is the close's. */
static void closing(bool fails, bool back)
{
        roma_file *f = make("closed", "acknowledged");
        struct call c = { 0 };
        unsigned before;
        char buf[64];
        int r;

        hold(READ);
        if (!roma_aio_pread(f, buf, sizeof(buf), 0, NULL, ended, &c))
                fail("read");
        wait_held();
        before = count(&syncs);
        syncs_fail = fails;
        sync_lets_go = back;
        r = roma_file_close(f, NULL);
        syncs_fail = sync_lets_go = false;
        wait_ended(&c);
        if (count(&syncs) == before)
                fail("what was acknowledged was not synced by the close");
        if (fails && r == 0)
                fail("a close that could not sync was called a success");
        if (!fails && r < 0)
                fail("close");
        let_go();
        must_hold("closed", "acknowledged");
        if (closed_on_loop)
                fail("a descriptor was closed on the loop, which has to wait for it");
        printf("a close beside a stray%s%s\n", back ? " that comes back" : "",
               fails ? ", that cannot sync: fails" : ": synced");
}

/* Making `key` is given up when it is made and not yet told. */
static void given_up(const char *key)
{
        struct call c = { 0 };
        roma_op id;

        hold(OPEN);
        id = roma_aio_file_open(store, key, ROMA_O_WRITE | ROMA_O_CREATE | ROMA_O_EXCL, 0644, NULL, ended,
                                &c);
        if (!id)
                fail(key);
        wait_held();
        give_up(id, &c);
}

/* A file that the program finds after an open that was given up is its own; a temporary is nobody's. */
static void opening(void)
{
        static const char temporary[] = ".roma~0123456789abcdef";
        roma_attr attr = ROMA_ATTR_INIT;
        roma_file *f;

        given_up("opened");
        f = make("opened", "acknowledged");
        if (roma_fsync(f, NULL) < 0 || roma_file_close(f, NULL) < 0)
                fail("fsync");
        let_go();
        must_hold("opened", "acknowledged");
        given_up(temporary);
        let_go();
        if (roma_stat(store, temporary, 0, NULL, &attr) == 0 || roma_last(loop)->code != ROMA_ENOENT)
                fail("a temporary that nobody has is left");
        if (roma_unlink(store, "opened", 0, NULL) < 0)
                fail("unlink");
        puts("an open that was given up removes what is temporary and nothing else");
}

/* A write is given up while it is under way, and its file closed. */
static void write_stray(const char *key, const char *text)
{
        roma_file *f = roma_file_open(store, key, ROMA_O_WRITE, 0, NULL);
        struct call c = { 0 };
        roma_op id;

        hold(WRITE);
        id = f ? roma_aio_pwrite(f, text, strlen(text), 0, NULL, ended, &c) : 0;
        if (!id)
                fail(key);
        wait_held();
        give_up(id, &c);
        if (roma_file_close(f, NULL) < 0)
                fail("close");
}

static void must_wait(const struct call *c)
{
        unsigned before = count(&writes);

        for (int i = 0; i < 30; i++)
                roma_loop_turn(loop, 10);
        if (c->ended || count(&writes) != before)
                fail("it has overtaken a write that was given up");
        let_go();
        wait_ended(c);
        if (c->code)
                fail("what has waited for a stray");
}

/* What was acknowledged later stays, whichever open file it came through. */
static void writing(void)
{
        struct call c = { 0 };
        roma_file *f = make("written", "aaaa");

        if (roma_file_close(f, NULL) < 0)
                fail("close");
        write_stray("written", "bbbb");
        f = roma_file_open(store, "written", ROMA_O_WRITE, 0, NULL);
        if (!f || !roma_aio_pwrite(f, "cccc", 4, 0, NULL, ended, &c))
                fail("write");
        must_wait(&c);
        if (roma_file_close(f, NULL) < 0)
                fail("close");
        must_hold("written", "cccc");
        write_stray("written", "dddddd");
        memset(&c, 0, sizeof(c));
        if (!roma_aio_file_open(store, "written", ROMA_O_WRITE | ROMA_O_TRUNC, 0, NULL, ended, &c))
                fail("open");
        must_wait(&c);
        if (roma_pwrite(c.file, "ee", 2, 0, NULL) < 0 || roma_file_close(c.file, NULL) < 0)
                fail("write");
        must_hold("written", "ee");
        puts("a later write waits for one that was given up");
}

static void put(const char *key, const char *text)
{
        roma_file *f = make(key, text);

        if (roma_file_close(f, NULL) < 0)
                fail("close");
}

/* What is given up while it still looks for the place does nothing there when it has found it: somebody may have made something
 * new there, and been told that it is there. */
static void looking(void)
{
        static const char *const what[] = { "remove", "rename", "cut", "remove, its name" };

        if (roma_mkdir(store, "late", 0755, ROMA_MKDIR_PARENTS, NULL) < 0 ||
            roma_mkdir(store, "gone", 0755, ROMA_MKDIR_PARENTS, NULL) < 0)
                fail("mkdir");
        put("late/other", "other");
        for (int i = 0; i < 4; i++) {
                const char *x = i == 3 ? "gone/late" : "late/x";
                struct call c = { 0 };
                roma_op id;

                put(x, "old");
                hold(LOOK);
                if (i == 0 || i == 3)
                        id = roma_aio_unlink(store, x, 0, NULL, ended, &c);
                else if (i == 1)
                        id = roma_aio_rename(store, "late/other", "late/x", 0, NULL, ended, &c);
                else
                        id = roma_aio_file_open(store, "late/x", ROMA_O_WRITE | ROMA_O_TRUNC, 0, NULL, ended,
                                                &c);
                if (!id)
                        fail(what[i]);
                wait_held();
                give_up(id, &c);
                put(x, "acknowledged");
                let_go();
                must_hold(x, "acknowledged");
        }
        puts("what was given up before it was sent is not sent later");
}

/* An append that waits for its turn and is given up does not come when it is its turn. */
static void appending(void)
{
        roma_file *f = make("appended", "one");
        struct call c = { 0 };
        roma_op id;

        hold(LOCK);
        id = roma_aio_append(f, "two", 3, NULL, ended, &c);
        if (!id)
                fail("append");
        wait_held();
        give_up(id, &c);
        let_go();
        if (roma_file_close(f, NULL) < 0)
                fail("close");
        must_hold("appended", "one");
        puts("an append that was given up is not made later");
}

/* A write of which a half is there says that it may be; one of which nothing can be there that it is not. */
static void breaking(void)
{
        char *bytes = calloc(1, OBJECT);
        roma_file *f = make("broken", "");
        int one, two;

        if (!bytes)
                fail("memory");
        write_breaks = true;
        if (roma_pwrite(f, bytes, OBJECT, 0, NULL) >= 0)
                fail("a write that failed was called a success");
        one = roma_last(loop)->outcome;
        if (roma_pwrite(f, bytes, OBJECT, OBJECT / 2, NULL) >= 0)
                fail("a write that failed was called a success");
        two = roma_last(loop)->outcome;
        write_breaks = false;
        free(bytes);
        if (one != ROMA_NOT_DONE || two != ROMA_UNKNOWN)
                fail("what became of a write to one object, or to two, is not what it says");
        if (roma_file_close(f, NULL) < 0)
                fail("close");
        puts("a write that two objects have to take may be there by half when it fails");
}

int main(int argc, char **argv)
{
        loop_thread = pthread_self();
        loop = roma_loop_new();
        store = argc == 2 && loop ? roma_store_open(loop, argv[1], NULL) : NULL;
        if (!store)
                fail("open");
        closing(false, false);
        closing(true, false);
        closing(false, true);
        closing(true, true);
        opening();
        writing();
        looking();
        appending();
        breaking();
        roma_store_close(store);
        roma_loop_free(loop);
        return 0;
}
