/* SPDX-License-Identifier: MIT */
/* Unit tests of put, get and copy: local files, pipes and devices as ends, and what happens when a source is not what
 * it was. */
#include "core/backend.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <sys/wait.h>

#include "core/crc.h"
#include "core/op.h"

#include "tests/unit/folder.h"

enum { SIZE = 3 * RI_PIECE + 12345 };

static unsigned char *data;

static void begin(void)
{
        folder_begin();
        data = malloc(SIZE);
        fill_random(data, SIZE, 99);
}

static void end(void)
{
        free(data);
        folder_end();
}

static int last_code(void)
{
        return roma_last(loop)->code;
}

static void check_content(const char *key, size_t len)
{
        size_t n;
        unsigned char *p = local_read(key, &n);

        ck_assert_uint_eq(n, len);
        ck_assert_mem_eq(p, data, len);
        free(p);
}

START_TEST(all_sizes)
{
        static const size_t sizes[] = {
                0, 1, 100, 65535, 65536, 65537, RI_PIECE - 1, RI_PIECE, RI_PIECE + 1, SIZE
        };

        for (size_t i = 0; i < sizeof(sizes) / sizeof(*sizes); i++) {
                roma_result r;

                local_write("source", data, sizes[i]);
                ck_assert_msg(roma_put_path(store, "put", local_path("source"), NULL, &r) == 0, "%s",
                              roma_error(loop));
                ck_assert_uint_eq(r.bytes, sizes[i]);
                ck_assert_uint_eq(r.crc32, ri_crc32(0, data, sizes[i]));
                check_content("put", sizes[i]);
                ck_assert_int_eq(roma_get_path(store, "put", local_path("got"), NULL, &r), 0);
                ck_assert_uint_eq(r.bytes, sizes[i]);
                check_content("got", sizes[i]);
                ck_assert_int_eq(roma_put(store, "memory", data, sizes[i], NULL), 0);
                ck_assert_uint_eq(roma_last(loop)->crc32, ri_crc32(0, data, sizes[i]));
                check_content("memory", sizes[i]);
                ck_assert_int_eq(roma_copy(store, "memory", store, "copied", NULL, &r), 0);
                check_content("copied", sizes[i]);
                ck_assert_int_eq(local_names(), 5);
        }
}
END_TEST

/* Two lanes: a store that has stripes, here by a changed table. */
enum { STRIPE = 10 * RI_PIECE, BIG = 3 * STRIPE + 5 * RI_PIECE + 4321 };

static const struct ri_backend *whole;
static uint64_t highest;
static unsigned back; /* writes in front of another one */

static void note_write(struct ri_op *op, roma_file *file, roma_buf *buf, uint64_t offset)
{
        if (offset < highest)
                back++;
        else
                highest = offset;
        whole->file_write_buf(op, file, buf, offset);
}

static void put_in_lanes(size_t size, int verify, unsigned char *big)
{
        roma_put_opts o = ROMA_PUT_OPTS_INIT;
        unsigned char *p;
        roma_result r;
        size_t n;

        o.verify = verify;
        o.has_crc32 = 1;
        o.crc32 = ri_crc32(0, big, size);
        highest = back = 0;
        local_write("source", big, size);
        ck_assert_msg(roma_put_path(store, "lanes", local_path("source"), &o, &r) == 0, "%s",
                      roma_error(loop));
        ck_assert_uint_eq(r.bytes, size);
        ck_assert_uint_eq(r.crc32, o.crc32);
        p = local_read("lanes", &n);
        ck_assert_uint_eq(n, size);
        ck_assert_mem_eq(p, big, size);
        free(p);
}

START_TEST(two_lanes)
{
        static const size_t sizes[] = { STRIPE + 1, 2 * STRIPE, 2 * STRIPE + 1, 3 * STRIPE, BIG };
        struct ri_backend striped = *store->be;
        unsigned char *big = malloc(BIG);

        fill_random(big, BIG, 98);
        whole = store->be;
        striped.stripe = STRIPE;
        striped.file_write_buf = note_write;
        store->be = &striped;
        for (size_t i = 0; i < sizeof(sizes) / sizeof(*sizes); i++) {
                put_in_lanes(sizes[i], ROMA_VERIFY_DEFAULT, big);
                ck_assert_uint_gt(back, 0);
        }
        /* One lane where order counts, or there is one stripe. */
        put_in_lanes(BIG, ROMA_SHA256, big);
        ck_assert_uint_eq(back, 0);
        put_in_lanes(STRIPE, ROMA_VERIFY_DEFAULT, big);
        ck_assert_uint_eq(back, 0);
        store->be = whole;
        free(big);
}
END_TEST

static uint64_t told_done, told_total;
static int told;

static void tell(void *arg, uint64_t done_bytes, uint64_t total_bytes)
{
        (void)arg;
        told++;
        told_done = done_bytes;
        told_total = total_bytes;
}

START_TEST(options)
{
        roma_put_opts o = ROMA_PUT_OPTS_INIT;
        roma_attr a = ROMA_ATTR_INIT;
        struct stat st;
        struct timespec t[2] = { { 1, 0 }, { 1000000000, 5 } };

        local_write("source", data, SIZE);
        ck_assert_int_eq(chmod(local_path("source"), 0610), 0);
        ck_assert_int_eq(utimensat(AT_FDCWD, local_path("source"), t, 0), 0);
        o.keep_times = 1;
        o.progress = tell;
        o.verify = ROMA_SHA256;
        o.flags = ROMA_WRITER_PARENTS;
        ck_assert_int_eq(roma_put_path(store, "a/b", local_path("source"), &o, NULL), 0);
        ck_assert_uint_eq(strlen(roma_last(loop)->text), 64);
        ck_assert_int_eq(stat(local_path("a/b"), &st), 0);
        ck_assert_uint_eq(st.st_mode & 07777, 0610);
        ck_assert_int_eq(st.st_mtim.tv_sec, 1000000000);
        ck_assert_int_ge(told, 1);
        ck_assert_uint_eq(told_done, SIZE);
        ck_assert_uint_eq(told_total, SIZE);
        o = (roma_put_opts)ROMA_PUT_OPTS_INIT;
        o.precondition = ROMA_IF_ABSENT;
        ck_assert_int_eq(roma_put_path(store, "a/b", local_path("source"), &o, NULL), -1);
        ck_assert_int_eq(last_code(), ROMA_EEXIST);
        o.precondition = ROMA_ALWAYS;
        o.has_crc32 = 1;
        o.crc32 = ri_crc32(0, data, SIZE) ^ 1;
        ck_assert_int_eq(roma_put_path(store, "wrong", local_path("source"), &o, NULL), -1);
        ck_assert_int_eq(last_code(), ROMA_ECORRUPT);
        ck_assert_int_eq(access(local_path("wrong"), F_OK), -1);
        a.mask = ROMA_ATTR_MODE;
        a.mode = 0400;
        o.attr = &a;
        o.crc32 ^= 1;
        ck_assert_int_eq(roma_put(store, "right", data, SIZE, &o), 0);
        ck_assert_int_eq(stat(local_path("right"), &st), 0);
        ck_assert_uint_eq(st.st_mode & 07777, 0400);
}
END_TEST

START_TEST(errors_name_their_end)
{
        char longest[1000];

        ck_assert_int_eq(roma_put_path(store, "x", "/roma-none/x", NULL, NULL), -1);
        ck_assert_ptr_nonnull(strstr(roma_error(loop), "/roma-none/x: No such file"));
        memset(longest, '/', sizeof(longest));
        memcpy(longest, "/roma-none", 10);
        memcpy(longest + sizeof(longest) - 5, "/x.y", 5);
        ck_assert_int_eq(roma_put_path(store, "x", longest, NULL, NULL), -1);
        ck_assert_ptr_nonnull(strstr(roma_error(loop), "/x.y: No such file"));
        ck_assert_int_eq(roma_put_path(store, "x", folder, NULL, NULL), -1);
        ck_assert_int_eq(last_code(), ROMA_ELOCALIO);
        ck_assert_int_eq(roma_put_path(store, "x", "", NULL, NULL), -1);
        ck_assert_int_eq(last_code(), ROMA_EINVAL);
        ck_assert_int_eq(roma_get_path(store, "none", local_path("y"), NULL, NULL), -1);
        ck_assert_int_eq(last_code(), ROMA_ENOENT);
        local_write("x", "x", 1);
        ck_assert_int_eq(roma_get_path(store, "x", folder, NULL, NULL), -1);
        ck_assert_int_eq(last_code(), ROMA_ELOCALIO);
        ck_assert_int_eq(roma_get_path(store, "x", "/roma-none/y", NULL, NULL), -1);
        ck_assert_int_eq(last_code(), ROMA_ELOCALIO);
        ck_assert_int_eq(roma_last(loop)->server_status, ENOENT);
        ck_assert_int_eq(roma_get_path(store, "x", "/dev/full", NULL, NULL), -1);
        ck_assert_int_eq(last_code(), ROMA_ELOCALIO);
        ck_assert_int_eq(roma_get_path(store, "x", "/dev/null", NULL, NULL), 0);
        ck_assert_int_eq(local_names(), 1);
}
END_TEST

START_TEST(links_of_local_paths)
{
        struct stat st;

        local_write("x", data, 100);
        local_write("real", "old", 3);
        ck_assert_int_eq(symlink(local_path("real"), local_path("link")), 0);
        ck_assert_int_eq(roma_get_path(store, "x", local_path("link"), NULL, NULL), 0);
        ck_assert_int_eq(lstat(local_path("link"), &st), 0);
        ck_assert(S_ISLNK(st.st_mode));
        check_content("real", 100);
        ck_assert_int_eq(symlink("/dev/null", local_path("null")), 0);
        ck_assert_int_eq(roma_get_path(store, "x", local_path("null"), NULL, NULL), 0);
        ck_assert_int_eq(lstat(local_path("null"), &st), 0);
        ck_assert(S_ISLNK(st.st_mode));
        ck_assert_int_eq(roma_put_path(store, "y", local_path("link"), NULL, NULL), 0);
        check_content("y", 100);
}
END_TEST

/* The other end of a pipe, which takes its time. */
static void *feed(void *arg)
{
        int fd;

        (void)arg;
        usleep(100000);
        fd = open(local_path("fifo"), O_WRONLY);
        for (size_t at = 0; at < SIZE;) {
                ssize_t n = write(fd, data + at, SIZE - at > 300000 ? 300000 : SIZE - at);

                if (n < 0)
                        break;
                at += (size_t)n;
                usleep(5000);
        }
        close(fd);
        return NULL;
}

static unsigned char *taken;
static size_t n_taken;

static void *take(void *arg)
{
        ssize_t n;
        int fd;

        (void)arg;
        usleep(200000);
        fd = open(local_path("fifo"), O_RDONLY);
        n_taken = 0;
        while ((n = read(fd, taken + n_taken, SIZE + 1 - n_taken)) > 0) {
                n_taken += (size_t)n;
                usleep(1000);
        }
        close(fd);
        return NULL;
}

static int beats, late;
static uint64_t last_beat;

static void beat(void *arg, const roma_result *r)
{
        uint64_t now = ri_now();

        (void)arg;
        if (r->code)
                return;
        if (now - last_beat > 250000000)
                late++;
        last_beat = now;
        if (++beats < 1000000 && !arg)
                roma_aio_sleep(loop, 10, beat, NULL);
}

static bool ended;
static int code, codes;

static void done(void *arg, const roma_result *r)
{
        (void)arg;
        ended = true;
        code = r->code;
        codes += code;
}

/* Runs until the transfer has ended, a heart beating beside it. */
static void run_beside_heart(void)
{
        roma_op heart;

        ended = false;
        beats = late = 0;
        last_beat = ri_now();
        heart = roma_aio_sleep(loop, 10, beat, NULL);
        ck_assert(heart);
        while (!ended)
                ck_assert_int_ge(roma_loop_turn(loop, -1), 0);
        ck_assert_int_ge(beats, 5);
        ck_assert_int_eq(late, 0);
}

static void stop_heart(void)
{
        beats = 1000000; /* the next beat is the last */
        ck_assert_int_eq(roma_loop_run(loop), 0);
}

START_TEST(pipes)
{
        pthread_t t;

        ck_assert_int_eq(mkfifo(local_path("fifo"), 0600), 0);
        ck_assert_int_eq(pthread_create(&t, NULL, feed, NULL), 0);
        ck_assert(roma_aio_put_path(store, "x", local_path("fifo"), NULL, done, NULL));
        run_beside_heart();
        ck_assert_int_eq(code, ROMA_OK);
        pthread_join(t, NULL);
        stop_heart();
        check_content("x", SIZE);

        taken = malloc(SIZE + 1);
        ck_assert_int_eq(pthread_create(&t, NULL, take, NULL), 0);
        ck_assert(roma_aio_get_path(store, "x", local_path("fifo"), NULL, done, NULL));
        run_beside_heart();
        ck_assert_int_eq(code, ROMA_OK);
        pthread_join(t, NULL);
        stop_heart();
        ck_assert_uint_eq(n_taken, SIZE);
        ck_assert_mem_eq(taken, data, SIZE);
        free(taken);
        ck_assert_int_eq(local_names(), 2);
}
END_TEST

START_TEST(nobody_at_the_other_end)
{
        roma_put_opts o = ROMA_PUT_OPTS_INIT;

        o.stall_ms = 100;
        local_write("x", data, 1000);
        ck_assert_int_eq(mkfifo(local_path("fifo"), 0600), 0);
        ck_assert_int_eq(roma_put_path(store, "y", local_path("fifo"), &o, NULL), -1);
        ck_assert_int_eq(last_code(), ROMA_ETIMEDOUT);
        ck_assert_int_eq(roma_get_path(store, "x", local_path("fifo"), &o, NULL), -1);
        ck_assert_int_eq(last_code(), ROMA_ETIMEDOUT);
        ck_assert_int_eq(local_names(), 2);
}
END_TEST

/* Of a pipe that nobody feeds: it ends at once when the store closes, and not when that has waited long enough. */
START_TEST(a_local_hash_ends_with_its_store)
{
        ck_assert_int_eq(mkfifo(local_path("fifo"), 0600), 0);
        ended = false;
        ck_assert(roma_aio_hash_path(store, local_path("fifo"), 0, ROMA_SIZE_UNKNOWN, ROMA_MD5, NULL, done,
                                     NULL));
        for (int i = 0; i < 10; i++)
                roma_loop_turn(loop, 10);
        ck_assert(!ended);
        ck_assert(roma_aio_store_close(store, NULL, NULL));
        roma_loop_turn(loop, 0);
        roma_loop_turn(loop, 0);
        ck_assert(ended);
        ck_assert_int_eq(code, ROMA_ECANCELED);
        ck_assert_int_eq(roma_loop_run(loop), 0);
        store = roma_store_open(loop, folder, NULL);
        ck_assert_ptr_nonnull(store);
}
END_TEST

static void with_stdio(int which, int fd)
{
        ck_assert_int_eq(dup2(fd, which), which);
        close(fd);
}

START_TEST(standard_input_and_output)
{
        int in = dup(0), out = dup(1), p[2];
        pthread_t t;

        local_write("source", data, SIZE);
        with_stdio(0, open(local_path("source"), O_RDONLY));
        ck_assert_int_eq(roma_put_path(store, "x", "-", NULL, NULL), 0);
        with_stdio(1, open(local_path("out"), O_WRONLY | O_CREAT, 0600));
        ck_assert_int_eq(roma_get_path(store, "x", "-", NULL, NULL), 0);
        ck_assert_int_eq(mkfifo(local_path("fifo"), 0600), 0);
        taken = malloc(SIZE + 1);
        ck_assert_int_eq(pthread_create(&t, NULL, take, NULL), 0);
        with_stdio(1, open(local_path("fifo"), O_WRONLY));
        ck_assert_int_eq(roma_get_path(store, "x", "-", NULL, NULL), 0);
        with_stdio(1, out);
        pthread_join(t, NULL);
        ck_assert_uint_eq(n_taken, SIZE);
        ck_assert_mem_eq(taken, data, SIZE);
        free(taken);
        check_content("x", SIZE);
        check_content("out", SIZE);
        /* The other end goes away. */
        ck_assert_int_eq(pipe(p), 0);
        out = dup(1);
        close(p[0]);
        with_stdio(1, p[1]);
        ck_assert_int_eq(roma_get_path(store, "x", "-", NULL, NULL), -1);
        ck_assert_int_eq(last_code(), ROMA_ELOCALIO);
        with_stdio(1, out);
        with_stdio(0, in);
        ck_assert_int_eq(local_names(), 4);
}
END_TEST

/* Nothing to read again: said before anything is written. */
START_TEST(pipes_are_not_verified)
{
        roma_get_opts o = ROMA_GET_OPTS_INIT;
        struct stat st;
        int out;

        local_write("x", data, 1000);
        o.verify = ROMA_CRC32;
        ck_assert_int_eq(roma_get_path(store, "x", "/dev/null", &o, NULL), -1);
        ck_assert_int_eq(last_code(), ROMA_ENOTSUP);
        out = dup(1);
        with_stdio(1, open(local_path("out"), O_WRONLY | O_CREAT, 0600));
        ck_assert_int_eq(roma_get_path(store, "x", "-", &o, NULL), -1);
        with_stdio(1, out);
        ck_assert_int_eq(last_code(), ROMA_ENOTSUP);
        ck_assert_int_eq(stat(local_path("out"), &st), 0);
        ck_assert_int_eq(st.st_size, 0);
}
END_TEST

static void change_source(const char *how)
{
        int fd = open(local_path("source"), O_WRONLY);

        if (how[0] == 's')
                ck_assert_int_eq(ftruncate(fd, 10), 0);
        else if (how[0] == 'g')
                ck_assert_int_eq(pwrite(fd, "more", 4, SIZE), 4);
        else
                ck_assert_int_eq(pwrite(fd, "other", 5, 7), 5);
        close(fd);
}

START_TEST(sources_that_change)
{
        static const char *const ways[] = { "shrinks", "grows", "is rewritten" };

        for (size_t i = 0; i < 3; i++) {
                roma_reader_opts o = ROMA_READER_OPTS_INIT;
                roma_reader *r;
                roma_buf *b;

                local_write("source", data, SIZE);
                usleep(20000); /* so that its time differs */
                o.ahead = RI_PIECE;
                r = roma_reader_open(store, "source", &o);
                b = roma_reader_next(r, NULL);
                ck_assert_ptr_nonnull(b);
                roma_buf_unref(b);
                change_source(ways[i]);
                while ((b = roma_reader_next(r, NULL)))
                        roma_buf_unref(b);
                ck_assert_int_eq(last_code(), ROMA_ESOURCE);
                roma_reader_close(r);
        }
}
END_TEST

/* Through a put: the change comes at some time between the first and the last look. */
START_TEST(put_of_a_source_that_changes)
{
        int lost = 0;

        for (int turns = 1; turns < 30; turns++) {
                local_write("source", data, SIZE);
                usleep(10000);
                ended = false;
                ck_assert(roma_aio_put_path(store, "x", local_path("source"), NULL, done, NULL));
                for (int i = 0; i < turns && !ended; i++)
                        roma_loop_turn(loop, 1);
                if (!ended)
                        change_source(turns % 2 ? "shrinks" : "is rewritten");
                ck_assert_int_eq(roma_loop_run(loop), 0);
                ck_assert(code == ROMA_OK || code == ROMA_ESOURCE);
                /* Whole and old, or not at all; what was read before the change may have been put. */
                if (code == ROMA_OK) {
                        struct stat st;

                        ck_assert_int_eq(stat(local_path("x"), &st), 0);
                        ck_assert(st.st_size == SIZE || st.st_size == 10);
                        unlink(local_path("x"));
                } else {
                        lost++;
                        ck_assert_int_eq(access(local_path("x"), F_OK), -1);
                }
                ck_assert_int_eq(local_names(), 1);
        }
        ck_assert_int_gt(lost, 0);
}
END_TEST

START_TEST(cancelled_and_closed_at_any_time)
{
        for (int turns = 0; turns < 40; turns += 3) {
                roma_op op;

                local_write("source", data, SIZE);
                ended = false;
                op = roma_aio_put_path(store, "x", local_path("source"), NULL, done, NULL);
                for (int i = 0; i < turns && !ended; i++)
                        roma_loop_turn(loop, 1);
                if (turns % 2)
                        roma_cancel(loop, op);
                roma_store_close(store);
                ck_assert(ended);
                ck_assert_int_eq(roma_loop_run(loop), 0);
                if (access(local_path("x"), F_OK) == 0) {
                        check_content("x", SIZE);
                        ck_assert_int_eq(unlink(local_path("x")), 0);
                }
                store = roma_store_open(loop, folder, NULL);
                ck_assert_ptr_nonnull(store);
        }
}
END_TEST

static void cancel_it(void *arg, uint64_t bytes, uint64_t total)
{
        (void)bytes;
        (void)total;
        roma_cancel(loop, *(roma_op *)arg);
}

/* At the last word of it, before the commit, and at the first, while more is read: a pipe gives it slowly. */
START_TEST(cancelled_by_its_own_progress)
{
        roma_put_opts o = ROMA_PUT_OPTS_INIT;
        roma_op op;
        pthread_t t;

        sigaction(SIGPIPE, &(struct sigaction){ .sa_handler = SIG_IGN }, NULL);
        o.progress = cancel_it;
        o.progress_arg = &op;
        local_write("source", data, SIZE);
        ck_assert_int_eq(mkfifo(local_path("fifo"), 0600), 0);
        for (int slow = 0; slow < 2; slow++) {
                ended = false;
                if (slow)
                        ck_assert_int_eq(pthread_create(&t, NULL, feed, NULL), 0);
                op = roma_aio_put_path(store, "x", local_path(slow ? "fifo" : "source"), &o, done, NULL);
                while (!ended)
                        ck_assert_int_ge(roma_loop_turn(loop, -1), 0);
                ck_assert_int_eq(code, ROMA_ECANCELED);
                ck_assert_int_eq(roma_loop_run(loop), 0);
                if (slow)
                        pthread_join(t, NULL);
                ck_assert_int_eq(local_names(), 2);
        }
}
END_TEST

/* The child of a program that cleans up before it goes on: the parent reads on. */
START_TEST(a_reader_in_a_child)
{
        roma_reader_opts o = ROMA_READER_OPTS_INIT;
        roma_reader *r;
        size_t n = 0;
        roma_buf *b;
        int status;
        pid_t pid;

        local_write("x", data, SIZE);
        o.ahead = RI_PIECE;
        r = roma_reader_open(store, "x", &o);
        ck_assert_ptr_nonnull(r);
        pid = fork();
        ck_assert_int_ge(pid, 0);
        if (pid == 0) {
                alarm(30);
                roma_reader_resume(r);
                roma_reader_close(r);
                if (loop->stats.readers == 1 && roma_loop_fd(loop) < 0 && last_code() == ROMA_EFORK)
                        _exit(0);
                _exit(1);
        }
        ck_assert_int_eq(waitpid(pid, &status, 0), pid);
        ck_assert_int_eq(status, 0);
        while ((b = roma_reader_next(r, NULL))) {
                ck_assert_mem_eq(roma_buf_data(b), data + n, roma_buf_len(b));
                n += roma_buf_len(b);
                roma_buf_unref(b);
        }
        ck_assert_int_eq(last_code(), ROMA_OK);
        ck_assert_uint_eq(n, SIZE);
        roma_reader_close(r);
}
END_TEST

static int refused;

static void block_in_it(void *arg, uint64_t bytes, uint64_t total)
{
        (void)arg;
        (void)bytes;
        (void)total;
        told++;
        refused += roma_ping(store, NULL) < 0 && last_code() == ROMA_EWRONGCONTEXT;
}

/* It is a callback wherever it is called from: the last one from behind a worker, when the digest comes after the writes. */
START_TEST(nothing_blocks_in_progress)
{
        roma_put_opts o = ROMA_PUT_OPTS_INIT;

        o.progress = block_in_it;
        o.verify = ROMA_SHA256;
        told = refused = 0;
        for (int i = 0; i < 10; i++) {
                ended = false;
                ck_assert(roma_aio_put(store, "x", data, SIZE, &o, done, NULL));
                ck_assert_int_eq(roma_loop_run(loop), 0);
                ck_assert_int_eq(code, ROMA_OK);
        }
        ck_assert_int_ge(told, 10);
        ck_assert_int_eq(refused, told);
}
END_TEST

START_TEST(budget_is_kept)
{
        roma_loop_opts lo = ROMA_LOOP_OPTS_INIT;
        roma_stats st = { .size = sizeof(st) };
        roma_loop *small;
        roma_store *s;

        codes = 0;
        lo.max_buffer_bytes = 2 * RI_PIECE;
        small = roma_loop_new_opts(&lo);
        s = roma_store_open(small, folder, NULL);
        local_write("source", data, SIZE);
        for (int i = 0; i < 8; i++) {
                char key[16];

                snprintf(key, sizeof(key), "k%d", i);
                ck_assert(i % 2 ? roma_aio_put_path(s, key, local_path("source"), NULL, done, NULL)
                                : roma_aio_put(s, key, data, SIZE, NULL, done, NULL));
        }
        ck_assert_int_eq(roma_loop_run(small), 0);
        roma_loop_stats(small, &st);
        ck_assert_uint_le(st.buffer_bytes_peak, 2 * RI_PIECE);
        ck_assert_int_eq(codes, 0);
        check_content("k0", SIZE);
        check_content("k7", SIZE);
        roma_store_close(s);
        roma_loop_free(small);
}
END_TEST

int main(void)
{
        TCase *tc = tcase_create("transfer");

        tcase_add_checked_fixture(tc, begin, end);
        tcase_add_test(tc, all_sizes);
        tcase_add_test(tc, two_lanes);
        tcase_add_test(tc, options);
        tcase_add_test(tc, errors_name_their_end);
        tcase_add_test(tc, links_of_local_paths);
        tcase_add_test(tc, pipes);
        tcase_add_test(tc, nobody_at_the_other_end);
        tcase_add_test(tc, a_local_hash_ends_with_its_store);
        tcase_add_test(tc, standard_input_and_output);
        tcase_add_test(tc, pipes_are_not_verified);
        tcase_add_test(tc, sources_that_change);
        tcase_add_test(tc, put_of_a_source_that_changes);
        tcase_add_test(tc, cancelled_and_closed_at_any_time);
        tcase_add_test(tc, cancelled_by_its_own_progress);
        tcase_add_test(tc, a_reader_in_a_child);
        tcase_add_test(tc, nothing_blocks_in_progress);
        tcase_add_test(tc, budget_is_kept);
        return run_suite("transfer", tc);
}
