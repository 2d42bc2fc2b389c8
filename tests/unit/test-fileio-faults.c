/* SPDX-License-Identifier: MIT */
/* Unit tests of writers on a local folder whose disk answers badly, late or not at all. The linker leads the calls of the
 * library to the __wrap functions below. */
#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>

#include "core/backend.h"
#include "core/op.h"

#include "tests/unit/folder.h"

int __real_fsync(int fd);
int __wrap_fsync(int fd);

static mode_t sync_type; /* of what cannot be synced: S_IFIFO ...; 0: nothing */

int __wrap_fsync(int fd)
{
        struct stat st;

        if (!sync_type || fstat(fd, &st) < 0 || (st.st_mode & S_IFMT) != sync_type)
                return __real_fsync(fd);
        errno = EIO;
        return -1;
}

int __real_renameat(int from_fd, const char *from, int to_fd, const char *to);
int __wrap_renameat(int from_fd, const char *from, int to_fd, const char *to);

static int rename_errno;    /* 0: it works */
static bool rename_is_done; /* all the same */

int __wrap_renameat(int from_fd, const char *from, int to_fd, const char *to)
{
        int r = rename_errno && !rename_is_done ? 0 : __real_renameat(from_fd, from, to_fd, to);

        if (!rename_errno)
                return r;
        errno = rename_errno;
        return -1;
}

ssize_t __real_pwrite64(int fd, const void *bytes, size_t n, off_t at);
ssize_t __wrap_pwrite64(int fd, const void *bytes, size_t n, off_t at);

static size_t held_write;  /* one of so many bytes does not begin ... */
static atomic_bool held;   /* as long as this is set */
static atomic_int waiting; /* how many are held */

ssize_t __wrap_pwrite64(int fd, const void *bytes, size_t n, off_t at)
{
        if (n == held_write) {
                atomic_fetch_add(&waiting, 1);
                while (atomic_load(&held))
                        usleep(1000);
                atomic_fetch_sub(&waiting, 1);
        }
        return __real_pwrite64(fd, bytes, n, at);
}

int __real_pthread_create(pthread_t *t, const pthread_attr_t *attr, void *(*fn)(void *), void *arg);
int __wrap_pthread_create(pthread_t *t, const pthread_attr_t *attr, void *(*fn)(void *), void *arg);

static bool no_threads;

int __wrap_pthread_create(pthread_t *t, const pthread_attr_t *attr, void *(*fn)(void *), void *arg)
{
        return no_threads ? EAGAIN : __real_pthread_create(t, attr, fn, arg);
}

static int last_code(void)
{
        return roma_last(loop)->code;
}

static int last_outcome(void)
{
        return roma_last(loop)->outcome;
}

static roma_writer *writer_of(const char *key, const char *text)
{
        roma_writer *w = roma_writer_open(store, key, NULL);

        ck_assert_msg(w != NULL, "%s", roma_error(loop));
        ck_assert_int_eq(roma_writer_write(w, text, strlen(text), NULL), 0);
        return w;
}

static void check_text(const char *key, const char *text)
{
        size_t n;
        unsigned char *p = local_read(key, &n);

        ck_assert_uint_eq(n, strlen(text));
        ck_assert_mem_eq(p, text, n);
        free(p);
}

/* A file system behind a network carries the rename out, and its answer is lost. */
START_TEST(a_lost_answer)
{
        roma_writer *w;

        local_write("x", "old", 3);
        w = writer_of("x", "new");
        rename_errno = EIO;
        rename_is_done = true;
        ck_assert_int_eq(roma_writer_commit(w, NULL), -1);
        ck_assert_int_eq(last_code(), ROMA_ELOCALIO);
        ck_assert_int_eq(last_outcome(), ROMA_UNKNOWN);
        check_text("x", "new");
        ck_assert_int_eq(roma_rename(store, "x", "y", 0, NULL), -1);
        ck_assert_int_eq(last_outcome(), ROMA_UNKNOWN);
        check_text("y", "new");
        /* A refusal is none. */
        rename_is_done = false;
        rename_errno = EACCES;
        ck_assert_int_eq(roma_writer_commit(writer_of("y", "other"), NULL), -1);
        ck_assert_int_eq(last_outcome(), ROMA_NOT_DONE);
        rename_errno = 0;
        check_text("y", "new");
        ck_assert_int_eq(local_names(), 1);
}
END_TEST

/* What is written in place has to be on its disk as well; a pipe stands for one here, whose fsync is no error otherwise. */
START_TEST(in_place_is_synced)
{
        roma_writer *w;
        int fd;

        ck_assert_int_eq(mkfifo(local_path("x"), 0600), 0);
        fd = open(local_path("x"), O_RDONLY | O_NONBLOCK);
        ck_assert_int_eq(roma_writer_commit(writer_of("x", "some"), NULL), 0);
        w = writer_of("x", "more");
        sync_type = S_IFIFO;
        ck_assert_int_eq(roma_writer_commit(w, NULL), -1);
        sync_type = 0;
        ck_assert_int_eq(last_code(), ROMA_ELOCALIO);
        ck_assert_int_eq(last_outcome(), ROMA_UNKNOWN);
        close(fd);
}
END_TEST

/* All work is done on the loop then. A write that was given up has been done by it, and whoever comes next must not wait until it
 * comes back. */
START_TEST(no_thread_to_be_had)
{
        char uri[128];
        roma_loop *alone;
        roma_store *s;
        roma_file *f;
        roma_op op;

        no_threads = true;
        snprintf(uri, sizeof(uri), "file://%s", folder);
        alone = roma_loop_new();
        s = roma_store_open(alone, uri, NULL);
        ck_assert_ptr_nonnull(s);
        f = roma_file_open(s, "x", ROMA_O_WRITE | ROMA_O_CREATE, 0600, NULL);
        ck_assert_ptr_nonnull(f);
        op = roma_aio_pwrite(f, "first", 5, 0, NULL, NULL, NULL);
        ck_assert(op);
        roma_cancel(alone, op);
        ck_assert_int_eq(roma_pwrite(f, "other", 5, 0, NULL), 5);
        ck_assert_int_eq(roma_file_close(f, NULL), 0);
        ck_assert_int_eq(roma_put(s, "y", "put", 3, NULL), 0);
        roma_loop_free(alone);
        no_threads = false;
        check_text("x", "other");
        check_text("y", "put");
}
END_TEST

static void count(void *arg, const roma_result *r)
{
        (*(int *)arg)++;
        ck_assert_int_eq(r->code, ROMA_OK);
}

static roma_file *open_x(void)
{
        roma_file *f = roma_file_open(store, "x", ROMA_O_WRITE | ROMA_O_CREATE, 0600, NULL);

        ck_assert_msg(f != NULL, "%s", roma_error(loop));
        return f;
}

/* A write that was given up is on its way still. A later one through another open file of the same object, or after the file was
 * closed and opened again, must not be overtaken by it: it was acknowledged. */
START_TEST(strays_are_waited_for)
{
        roma_file *a = open_x(), *b = _i ? NULL : open_x();
        int ended = 0;
        roma_op op;

        held_write = 6;
        held = true;
        op = roma_aio_pwrite(a, "first!", 6, 0, NULL, NULL, NULL);
        while (!atomic_load(&waiting))
                roma_loop_turn(loop, 10);
        roma_cancel(loop, op);
        if (!b) {
                ck_assert_int_eq(roma_file_close(a, NULL), 0);
                a = NULL;
                b = open_x();
        }
        ck_assert(roma_aio_pwrite(b, "other", 5, 0, NULL, count, &ended));
        for (int i = 0; i < 20; i++) {
                roma_loop_turn(loop, 10);
                ck_assert_int_eq(ended, 0);
        }
        held = false;
        ck_assert_int_eq(roma_loop_run(loop), 0);
        ck_assert_int_eq(ended, 1);
        if (a)
                ck_assert_int_eq(roma_file_close(a, NULL), 0);
        ck_assert_int_eq(roma_file_close(b, NULL), 0);
        check_text("x", "other!");
        held_write = 0;
}
END_TEST

int main(void)
{
        TCase *tc = tcase_create("fileio-faults");

        tcase_add_checked_fixture(tc, folder_begin, folder_end);
        tcase_add_test(tc, a_lost_answer);
        tcase_add_test(tc, in_place_is_synced);
        tcase_add_test(tc, no_thread_to_be_had);
        tcase_add_loop_test(tc, strays_are_waited_for, 0, 2);
        return run_suite("fileio-faults", tc);
}
