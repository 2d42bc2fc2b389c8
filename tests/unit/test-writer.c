/* SPDX-License-Identifier: MIT */
/* Unit tests of core/writer and core/folder_writer on a local folder: what is visible, when, and what is left. */
#include "core/writer.h"

#include <errno.h>

#include "core/crc.h"
#include "core/op.h"

#include "tests/unit/folder.h"

static int last_code(void)
{
        return roma_last(loop)->code;
}

static roma_writer *open_writer(const char *key, const roma_writer_opts *o)
{
        roma_writer *w = roma_writer_open(store, key, o);

        ck_assert_msg(w != NULL, "%s", roma_error(loop));
        return w;
}

static void check_content(const char *key, const void *bytes, size_t len)
{
        size_t n;
        unsigned char *p = local_read(key, &n);

        ck_assert_uint_eq(n, len);
        ck_assert_mem_eq(p, bytes, len);
        free(p);
}

START_TEST(appears_whole)
{
        roma_writer *w = open_writer("x", NULL);

        ck_assert_int_eq(roma_writer_write(w, "hello ", 6, NULL), 0);
        ck_assert_int_eq(roma_writer_write(w, "", 0, NULL), 0);
        ck_assert_int_eq(access(local_path("x"), F_OK), -1);
        ck_assert_int_eq(local_names(), 1);
        ck_assert_int_eq(roma_writer_write(w, "world", 5, NULL), 0);
        ck_assert_int_eq(roma_writer_commit(w, NULL), 0);
        ck_assert_uint_eq(roma_last(loop)->bytes, 11);
        ck_assert(roma_last(loop)->has_crc32);
        ck_assert_uint_eq(roma_last(loop)->crc32, ri_crc32(0, "hello world", 11));
        ck_assert_ptr_nonnull(roma_last(loop)->attr);
        ck_assert_uint_eq(roma_last(loop)->attr->length, 11);
        ck_assert_uint_ne(roma_last(loop)->attr->etag[0], 0);
        check_content("x", "hello world", 11);
        ck_assert_int_eq(local_names(), 1);
}
END_TEST

START_TEST(empty_object)
{
        ck_assert_int_eq(roma_writer_commit(open_writer("x", NULL), NULL), 0);
        ck_assert_uint_eq(roma_last(loop)->crc32, 0);
        check_content("x", "", 0);
}
END_TEST

static int ended, failed;

static void count(void *arg, const roma_result *r)
{
        (void)arg;
        ended++;
        if (r->code)
                failed++;
}

START_TEST(many_writes_in_flight)
{
        enum { N = 3000000 };
        unsigned char *data = malloc(N);
        roma_writer_opts o = ROMA_WRITER_OPTS_INIT;
        struct ri_wait wait;
        roma_writer *w;
        size_t at = 0, len = 1;

        fill_random(data, N, 7);
        o.size_hint = N;
        w = open_writer("x", &o);
        ended = failed = 0;
        while (at < N) {
                len = len * 3 % 70001 + 1;
                len = len < N - at ? len : N - at;
                ck_assert(roma_aio_writer_write(w, data + at, len, NULL, count, NULL));
                at += len;
        }
        ck_assert_int_eq(ri_wait_begin(&wait, loop), 0);
        /* Commit waits for all of them. */
        ck_assert_int_eq(ri_wait(&wait, roma_aio_writer_commit(w, NULL, ri_wait_done, &wait)), 0);
        ck_assert_uint_eq(roma_last(loop)->crc32, ri_crc32(0, data, N));
        ck_assert_int_eq(roma_loop_run(loop), 0);
        ck_assert_int_gt(ended, 10);
        ck_assert_int_eq(failed, 0);
        check_content("x", data, N);
        free(data);
}
END_TEST

/* The pieces of a copy with lanes come in any order; what is put has their CRC in the order of their places. */
START_TEST(pieces_in_any_order)
{
        enum { PIECES = 200, PIECE = 1000 };
        unsigned char *data = malloc(PIECES * PIECE);
        unsigned order[PIECES] = { 0 };
        roma_writer *w = open_writer("x", NULL);
        struct ri_wait wait;

        fill_random(data, PIECES * PIECE, 8);
        for (unsigned i = 0; i < PIECES; i++) {
                unsigned k = data[2 * i] % (i + 1);

                order[i] = order[k];
                order[k] = i;
        }
        ended = failed = 0;
        for (unsigned i = 0; i < PIECES; i++) {
                roma_buf *buf = ri_buf_try(loop, PIECE);

                ck_assert_ptr_nonnull(buf);
                memcpy(buf->mem, data + order[i] * PIECE, PIECE);
                buf->len = PIECE;
                ck_assert(ri_writer_write_at(w, buf, order[i] * PIECE, NULL, count, NULL));
                roma_buf_unref(buf);
                if (i % 20 == 0)
                        ck_assert_int_eq(roma_loop_run(loop), 0);
        }
        ck_assert_int_eq(ri_wait_begin(&wait, loop), 0);
        ck_assert_int_eq(ri_wait(&wait, roma_aio_writer_commit(w, NULL, ri_wait_done, &wait)), 0);
        ck_assert_uint_eq(roma_last(loop)->bytes, PIECES * PIECE);
        ck_assert_uint_eq(roma_last(loop)->crc32, ri_crc32(0, data, PIECES * PIECE));
        ck_assert_int_eq(ended, PIECES);
        ck_assert_int_eq(failed, 0);
        check_content("x", data, PIECES * PIECE);
        free(data);
}
END_TEST

START_TEST(a_gap_is_never_put)
{
        roma_writer *w = open_writer("x", NULL);
        roma_buf *buf = ri_buf_try(loop, 100);

        memset(buf->mem, 'a', 100);
        buf->len = 100;
        ended = failed = 0;
        ck_assert(ri_writer_write_at(w, buf, 0, NULL, count, NULL));
        ck_assert(ri_writer_write_at(w, buf, 101, NULL, count, NULL));
        roma_buf_unref(buf);
        ck_assert_int_eq(roma_writer_commit(w, NULL), -1);
        ck_assert_ptr_nonnull(strstr(roma_error(loop), "gap"));
        ck_assert_int_eq(local_names(), 0);
}
END_TEST

START_TEST(abort_leaves_nothing)
{
        roma_writer *w = open_writer("x", NULL);

        ck_assert_int_eq(roma_writer_write(w, "hello", 5, NULL), 0);
        roma_writer_abort(w);
        ck_assert_int_eq(local_names(), 0);
        /* In flight. */
        w = open_writer("x", NULL);
        ended = failed = 0;
        for (int i = 0; i < 10; i++)
                ck_assert(roma_aio_writer_write(w, "hello", 5, NULL, count, NULL));
        roma_writer_abort(w);
        ck_assert_int_eq(roma_loop_run(loop), 0);
        ck_assert_int_eq(ended, 10);
        ck_assert_int_eq(failed, 10);
        ck_assert_int_eq(local_names(), 0);
}
END_TEST

START_TEST(wrong_size_or_crc_shows_nothing)
{
        roma_writer_opts o = ROMA_WRITER_OPTS_INIT;
        roma_writer *w;

        local_write("x", "old", 3);
        o.size_hint = 6;
        w = open_writer("x", &o);
        ck_assert_int_eq(roma_writer_write(w, "hello", 5, NULL), 0);
        ck_assert_int_eq(roma_writer_commit(w, NULL), -1);
        ck_assert_int_eq(last_code(), ROMA_ESOURCE);
        ck_assert_int_eq(roma_last(loop)->outcome, ROMA_NOT_DONE);
        ck_assert_ptr_nonnull(strstr(roma_error(loop), "6 bytes were announced and 5 came"));
        ck_assert_ptr_nonnull(strstr(roma_error(loop), "is shorter than was said"));
        w = open_writer("x", NULL);
        ri_writer_expect(w, 12345);
        ck_assert_int_eq(roma_writer_write(w, "hello", 5, NULL), 0);
        ck_assert_int_eq(roma_writer_commit(w, NULL), -1);
        ck_assert_int_eq(last_code(), ROMA_ECORRUPT);
        ck_assert_int_eq(local_names(), 1);
        check_content("x", "old", 3);
        w = open_writer("x", NULL);
        ri_writer_expect(w, ri_crc32(0, "hello", 5));
        ck_assert_int_eq(roma_writer_write(w, "hello", 5, NULL), 0);
        ck_assert_int_eq(roma_writer_commit(w, NULL), 0);
        check_content("x", "hello", 5);
}
END_TEST

/* What was written before and after it must not become an object that lacks it. */
START_TEST(a_write_that_does_not_begin)
{
        const roma_opts no_size = { 0, 0, 0 };

        for (int i = 0; i < 2; i++) {
                roma_writer *w = open_writer("x", NULL);

                ck_assert_int_eq(roma_writer_write(w, "a", 1, NULL), 0);
                if (i)
                        ck_assert_int_eq(roma_writer_write(w, "b", 1, &no_size), -1);
                else
                        ck_assert_int_eq(roma_writer_write(w, "b", SIZE_MAX, NULL), -1);
                ck_assert_int_eq(last_code(), i ? ROMA_EINVAL : ROMA_EFBIG);
                ck_assert_int_eq(roma_writer_write(w, "c", 1, NULL), -1);
                ck_assert_int_eq(roma_writer_commit(w, NULL), -1);
                ck_assert_int_eq(last_code(), i ? ROMA_EINVAL : ROMA_EFBIG);
                ck_assert_int_eq(roma_last(loop)->outcome, ROMA_NOT_DONE);
                ck_assert_int_eq(local_names(), 0);
        }
}
END_TEST

START_TEST(if_absent)
{
        roma_writer_opts o = ROMA_WRITER_OPTS_INIT;
        roma_writer *w;

        o.precondition = ROMA_IF_ABSENT;
        w = open_writer("x", &o);
        ck_assert_int_eq(roma_writer_write(w, "one", 3, NULL), 0);
        ck_assert_int_eq(roma_writer_commit(w, NULL), 0);
        w = open_writer("y", &o);
        local_write("y", "other", 5); /* decided at the commit */
        ck_assert_int_eq(roma_writer_commit(w, NULL), -1);
        ck_assert_int_eq(last_code(), ROMA_EEXIST);
        ck_assert_int_eq(roma_last(loop)->outcome, ROMA_NOT_DONE);
        w = open_writer("x", &o);
        ck_assert_int_eq(roma_writer_commit(w, NULL), -1);
        ck_assert_int_eq(last_code(), ROMA_EEXIST);
        check_content("x", "one", 3);
        check_content("y", "other", 5);
        ck_assert_int_eq(symlink("nowhere", local_path("z")), 0);
        ck_assert_int_eq(roma_writer_commit(open_writer("z", &o), NULL), -1);
        ck_assert_int_eq(last_code(), ROMA_EEXIST);
        ck_assert_int_eq(local_names(), 3);
}
END_TEST

START_TEST(attributes)
{
        roma_writer_opts o = ROMA_WRITER_OPTS_INIT;
        roma_attr a = ROMA_ATTR_INIT;
        struct stat st;

        local_write("x", "old", 3);
        ck_assert_int_eq(chmod(local_path("x"), 0604), 0);
        if (getuid() == 0)
                ck_assert_int_eq(chown(local_path("x"), 1234, 4321), 0);
        ck_assert_int_eq(roma_writer_commit(open_writer("x", NULL), NULL), 0);
        ck_assert_int_eq(stat(local_path("x"), &st), 0);
        ck_assert_uint_eq(st.st_mode & 07777, 0604);
        if (getuid() == 0)
                ck_assert(st.st_uid == 1234 && st.st_gid == 4321);
        a.mask = ROMA_ATTR_MODE | ROMA_ATTR_MTIME;
        a.mode = 04711;
        a.mtime_ns = 1234567890123456789;
        o.attr = &a;
        roma_writer *w = open_writer("x", &o);
        ck_assert_int_eq(roma_writer_write(w, "new", 3, NULL), 0);
        ck_assert_int_eq(roma_writer_commit(w, NULL), 0);
        ck_assert_uint_eq(roma_last(loop)->attr->mode, 04711);
        ck_assert_int_eq(stat(local_path("x"), &st), 0);
        ck_assert_uint_eq(st.st_mode & 07777, 04711);
        ck_assert_int_eq(st.st_mtim.tv_sec, 1234567890);
        ck_assert_int_eq(st.st_mtim.tv_nsec, 123456789);
        /* Kept, though writing clears such bits. */
        w = open_writer("x", NULL);
        ck_assert_int_eq(roma_writer_write(w, "newer", 5, NULL), 0);
        ck_assert_int_eq(roma_writer_commit(w, NULL), 0);
        ck_assert_int_eq(stat(local_path("x"), &st), 0);
        ck_assert_uint_eq(st.st_mode & 07777, 04711);
}
END_TEST

START_TEST(parents)
{
        roma_writer_opts o = ROMA_WRITER_OPTS_INIT;

        ck_assert_ptr_null(roma_writer_open(store, "a/b/c", NULL));
        ck_assert_int_eq(last_code(), ROMA_ENOENT);
        o.flags = ROMA_WRITER_PARENTS;
        ck_assert_int_eq(roma_writer_commit(open_writer("a/b/c", &o), NULL), 0);
        check_content("a/b/c", "", 0);
        ck_assert_ptr_null(roma_writer_open(store, "a/b/c/d", &o));
        ck_assert_int_eq(last_code(), ROMA_ENOTDIR);
        ck_assert_ptr_null(roma_writer_open(store, "a/b", &o));
        ck_assert_int_eq(last_code(), ROMA_EISDIR);
        ck_assert_int_eq(local_names(), 1);
}
END_TEST

START_TEST(long_names)
{
        char name[300];

        memset(name, 'n', 255);
        name[255] = '\0';
        ck_assert_int_eq(roma_writer_commit(open_writer(name, NULL), NULL), 0);
        memset(name, 'n', 256);
        name[256] = '\0';
        ck_assert_ptr_null(roma_writer_open(store, name, NULL));
        ck_assert_int_eq(last_code(), ROMA_ENAMETOOLONG);
        ck_assert_int_eq(local_names(), 1);
}
END_TEST

START_TEST(links)
{
        struct stat st;
        roma_writer *w;

        mkdir(local_path("d"), 0755);
        mkdir(local_path("d/e"), 0755);
        local_write("d/real", "old", 3);
        ck_assert_int_eq(symlink("d/e/../chain", local_path("link")), 0);
        ck_assert_int_eq(symlink("./real", local_path("d/chain")), 0);
        w = open_writer("link", NULL);
        ck_assert_int_eq(roma_writer_write(w, "new!", 4, NULL), 0);
        ck_assert_int_eq(roma_writer_commit(w, NULL), 0);
        ck_assert_int_eq(lstat(local_path("link"), &st), 0);
        ck_assert(S_ISLNK(st.st_mode));
        check_content("d/real", "new!", 4);
        ck_assert_int_eq(symlink("d/fresh", local_path("dangling")), 0);
        ck_assert_int_eq(roma_writer_commit(open_writer("dangling", NULL), NULL), 0);
        check_content("d/fresh", "", 0);
        ck_assert_int_eq(symlink("../out", local_path("out")), 0);
        ck_assert_ptr_null(roma_writer_open(store, "out", NULL));
        ck_assert_int_eq(last_code(), ROMA_EACCES);
        ck_assert_int_eq(symlink("round", local_path("round")), 0);
        ck_assert_ptr_null(roma_writer_open(store, "round", NULL));
        ck_assert_int_eq(last_code(), ROMA_EINVAL);
        ck_assert_int_eq(local_names(), 5);
}
END_TEST

/* ".." in a link means the folder above the one where the link lies, by whatever links one came there. */
START_TEST(links_behind_links)
{
        mkdir(local_path("x"), 0755);
        mkdir(local_path("x/y"), 0755);
        mkdir(local_path("x/y/z"), 0755);
        local_write("real", "keep", 4);
        local_write("x/real", "old", 3);
        ck_assert_int_eq(symlink("x/y", local_path("a")), 0);
        ck_assert_int_eq(symlink("../real", local_path("x/y/link")), 0);
        ck_assert_int_eq(roma_put(store, "a/link", "new!", 4, NULL), 0);
        check_content("x/real", "new!", 4);
        check_content("real", "keep", 4);
        ck_assert_int_eq(symlink("z/../.././fresh", local_path("x/y/dangling")), 0);
        ck_assert_int_eq(roma_put(store, "a/dangling", "1", 1, NULL), 0);
        check_content("x/fresh", "1", 1);
        ck_assert_int_eq(symlink("../../top", local_path("x/y/top")), 0);
        ck_assert_int_eq(roma_put(store, "a/top", "2", 1, NULL), 0);
        check_content("top", "2", 1);
        /* Up from a folder that the link itself reaches by another link. */
        ck_assert_int_eq(symlink("a/../side", local_path("by")), 0);
        ck_assert_int_eq(roma_put(store, "by", "3", 1, NULL), 0);
        check_content("x/side", "3", 1);
        ck_assert_int_eq(symlink("../../../out", local_path("x/y/out")), 0);
        ck_assert_int_eq(roma_put(store, "a/out", "4", 1, NULL), -1);
        ck_assert_int_eq(last_code(), ROMA_EACCES);
        ck_assert_int_eq(symlink("real/../real", local_path("through_a_file")), 0);
        ck_assert_int_eq(roma_put(store, "through_a_file", "5", 1, NULL), -1);
        ck_assert_int_eq(last_code(), ROMA_ENOTDIR);
        check_content("real", "keep", 4);
        ck_assert_int_eq(local_names(), 6);
}
END_TEST

START_TEST(pipe_is_written_in_place)
{
        roma_writer_opts o = ROMA_WRITER_OPTS_INIT;
        char got[16] = "";
        struct stat st;
        roma_writer *w;
        int fd;

        ck_assert_int_eq(mkfifo(local_path("fifo"), 0600), 0);
        fd = open(local_path("fifo"), O_RDONLY | O_NONBLOCK);
        w = open_writer("fifo", NULL);
        ck_assert_int_eq(roma_writer_write(w, "hello ", 6, NULL), 0);
        ck_assert_int_eq(roma_writer_write(w, "pipe", 4, NULL), 0);
        ck_assert_int_eq(roma_writer_commit(w, NULL), 0);
        ck_assert_int_eq(read(fd, got, sizeof(got)), 10);
        ck_assert_str_eq(got, "hello pipe");
        /* What came cannot be taken back. */
        o.size_hint = 6;
        w = open_writer("fifo", &o);
        ck_assert_int_eq(roma_writer_write(w, "short", 5, NULL), 0);
        ck_assert_int_eq(roma_writer_commit(w, NULL), -1);
        ck_assert_int_eq(last_code(), ROMA_ESOURCE);
        ck_assert_int_eq(roma_last(loop)->outcome, ROMA_UNKNOWN);
        close(fd);
        ck_assert_int_eq(stat(local_path("fifo"), &st), 0);
        ck_assert(S_ISFIFO(st.st_mode));
        ck_assert_int_eq(local_names(), 1);
}
END_TEST

START_TEST(closing_the_store_cleans_up)
{
        roma_writer *w = open_writer("x", NULL), *v = open_writer("y", NULL);
        uint64_t closed_at;

        ended = failed = 0;
        ck_assert_int_eq(roma_writer_write(w, "hello", 5, NULL), 0);
        for (int i = 0; i < 5; i++)
                ck_assert(roma_aio_writer_write(w, "hello", 5, NULL, count, NULL));
        ck_assert(roma_aio_writer_commit(w, NULL, count, NULL));
        ck_assert(roma_aio_writer_write(v, "hello", 5, NULL, count, NULL));
        for (int i = 0; i < 6; i++) {
                char key[16];

                /* In every stage of opening. */
                snprintf(key, sizeof(key), "o%d", i);
                ck_assert(roma_aio_writer_open(store, key, NULL, count, NULL));
                roma_loop_turn(loop, 1);
        }
        closed_at = ri_now();
        roma_store_close(store);
        ck_assert_int_eq(roma_loop_run(loop), 0);
        /* The writers that had been handed out belong to us, and have ended with their store. */
        ck_assert_int_eq(ended, 13);
        /* After 5 s a store is cut off, and what a disk that hangs has not removed by then is for gc. */
        if (ri_now() - closed_at < UINT64_C(4900000000))
                ck_assert_int_le(local_names(), 1);
        char uri[128];
        snprintf(uri, sizeof(uri), "file://%s", folder);
        store = roma_store_open(loop, uri, NULL);
        ck_assert_ptr_nonnull(store);
}
END_TEST

enum { DAY_S = 86400 };

static int64_t days_off; /* of the store's clock from this machine's */

static int64_t other_clock(roma_store *s)
{
        struct timespec t;

        (void)s;
        clock_gettime(CLOCK_REALTIME, &t);
        return ((int64_t)t.tv_sec + days_off * DAY_S) * 1000000000 + t.tv_nsec;
}

/* The age of a temporary is a matter of the store's clock, which made its time: with this machine's clock a wrong one
 * would take the temporaries of puts that are under way. */
START_TEST(gc_goes_by_the_clock_of_the_store)
{
        const struct ri_backend *own = store->be;
        struct ri_backend other = *own;
        char name[RI_TEMP_NAME];

        other.now = other_clock;
        store->be = &other;
        ck_assert_int_eq(ri_temp_name(name), 0);
        local_write(name, "x", 1);
        days_off = -3;
        ck_assert_int_eq(roma_gc(store, "", DAY_S, NULL), 0);
        ck_assert_int_eq(local_names(), 1);
        days_off = 0;
        ck_assert_int_eq(roma_gc(store, "", DAY_S, NULL), 0);
        ck_assert_int_eq(local_names(), 1);
        days_off = 3;
        ck_assert_int_eq(roma_gc(store, "", DAY_S, NULL), 1);
        ck_assert_int_eq(local_names(), 0);
        store->be = own;
}
END_TEST

START_TEST(cancelling_at_any_time)
{
        for (int turns = 0; turns < 12; turns++) {
                roma_writer *w = open_writer("x", NULL);
                roma_op op;

                ended = failed = 0;
                ck_assert(roma_aio_writer_write(w, "hello", 5, NULL, count, NULL));
                op = roma_aio_writer_commit(w, NULL, count, NULL);
                for (int i = 0; i < turns; i++)
                        roma_loop_turn(loop, 1);
                roma_cancel(loop, op);
                ck_assert_int_eq(roma_loop_run(loop), 0);
                ck_assert_int_eq(ended, 2);
                if (access(local_path("x"), F_OK) == 0) {
                        check_content("x", "hello", 5);
                        unlink(local_path("x"));
                }
        }
        for (int turns = 0; turns < 6; turns++) {
                roma_op op = roma_aio_writer_open(store, "x", NULL, NULL, NULL);

                for (int i = 0; i < turns; i++)
                        roma_loop_turn(loop, 1);
                roma_cancel(loop, op);
                ck_assert_int_eq(roma_loop_run(loop), 0);
                ck_assert_int_eq(access(local_path("x"), F_OK), -1);
        }
}
END_TEST

START_TEST(disk_full)
{
        roma_writer *w;
        struct stat st;

        /* /dev/full refuses every write, and is no file to be replaced. */
        if (stat("/dev/full", &st) < 0 || mknod(local_path("full"), S_IFCHR | 0600, st.st_rdev) < 0)
                return;
        w = roma_writer_open(store, "full", NULL);
        if (!w)
                return; /* mounted without devices */
        ck_assert_int_eq(roma_writer_write(w, "hello", 5, NULL), -1);
        ck_assert_int_eq(last_code(), ROMA_ENOSPC);
        ck_assert_int_eq(roma_writer_write(w, "hello", 5, NULL), -1);
        ck_assert_int_eq(last_code(), ROMA_ENOSPC);
        ck_assert_ptr_nonnull(strstr(roma_error(loop), "only abort is left"));
        ck_assert_int_eq(roma_writer_commit(w, NULL), -1);
        ck_assert_int_eq(last_code(), ROMA_ENOSPC);
}
END_TEST

START_TEST(refusals)
{
        roma_writer_opts o = ROMA_WRITER_OPTS_INIT;
        roma_put_opts p = ROMA_PUT_OPTS_INIT;
        roma_attr a = ROMA_ATTR_INIT;

        ck_assert_ptr_null(roma_writer_open(store, "", NULL));
        ck_assert_int_eq(last_code(), ROMA_EINVAL);
        ck_assert_ptr_null(roma_writer_open(store, "a//b", NULL));
        ck_assert_int_eq(last_code(), ROMA_EINVAL);
        o.precondition = 7;
        ck_assert_ptr_null(roma_writer_open(store, "x", &o));
        ck_assert_int_eq(last_code(), ROMA_EINVAL);
        o.precondition = 0;
        a.mask = ROMA_ATTR_LENGTH;
        o.attr = &a;
        ck_assert_ptr_null(roma_writer_open(store, "x", &o));
        ck_assert_int_eq(last_code(), ROMA_EINVAL);
        /* Not to be ignored: an object that was to be for few would be for all. */
        a.mask = ROMA_ATTR_MODE;
        a.mode = 0600;
        a.size = 0;
        ck_assert_ptr_null(roma_writer_open(store, "x", &o));
        ck_assert_int_eq(last_code(), ROMA_EINVAL);
        p.attr = &a;
        ck_assert_int_eq(roma_put(store, "x", "1", 1, &p), -1);
        ck_assert_int_eq(last_code(), ROMA_EINVAL);
        ck_assert_int_eq(local_names(), 0);
}
END_TEST

int main(void)
{
        TCase *tc = tcase_create("writer");

        tcase_add_checked_fixture(tc, folder_begin, folder_end);
        tcase_add_test(tc, appears_whole);
        tcase_add_test(tc, empty_object);
        tcase_add_test(tc, many_writes_in_flight);
        tcase_add_test(tc, pieces_in_any_order);
        tcase_add_test(tc, a_gap_is_never_put);
        tcase_add_test(tc, abort_leaves_nothing);
        tcase_add_test(tc, wrong_size_or_crc_shows_nothing);
        tcase_add_test(tc, a_write_that_does_not_begin);
        tcase_add_test(tc, if_absent);
        tcase_add_test(tc, attributes);
        tcase_add_test(tc, parents);
        tcase_add_test(tc, long_names);
        tcase_add_test(tc, links);
        tcase_add_test(tc, links_behind_links);
        tcase_add_test(tc, pipe_is_written_in_place);
        tcase_add_test(tc, closing_the_store_cleans_up);
        tcase_add_test(tc, gc_goes_by_the_clock_of_the_store);
        tcase_add_test(tc, cancelling_at_any_time);
        tcase_add_test(tc, disk_full);
        tcase_add_test(tc, refusals);
        return run_suite("writer", tc);
}
