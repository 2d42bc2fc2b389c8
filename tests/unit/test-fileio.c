/* SPDX-License-Identifier: MIT */
/* Unit tests of fileio: what is special to a local folder. What all stores have in common is tested in
 * tests/contract. */
#include "fileio/fileio.h"

#include <errno.h>

#include "core/crc.h"
#include "core/op.h"

#include "tests/unit/folder.h"

static int last_code(void)
{
        return roma_last(loop)->code;
}

START_TEST(names)
{
        roma_attr a = ROMA_ATTR_INIT;
        roma_space sp;

        ck_assert_int_eq(roma_mkdir(store, "d", 0755, 0, NULL), 0);
        ck_assert_int_eq(roma_mkdir(store, "d", 0755, 0, NULL), -1);
        ck_assert_int_eq(last_code(), ROMA_EEXIST);
        local_write("d/x", "hello", 5);
        ck_assert_int_eq(roma_stat(store, "d/x", 0, NULL, &a), 0);
        ck_assert_uint_eq(a.type, ROMA_TYPE_FILE);
        ck_assert_uint_eq(a.length, 5);
        ck_assert_uint_ne(a.etag[0], 0);
        ck_assert_int_eq(roma_unlink(store, "d", 0, NULL), -1);
        ck_assert_int_eq(last_code(), ROMA_EISDIR);
        ck_assert_int_eq(roma_rmdir(store, "d", NULL), -1);
        ck_assert_int_eq(last_code(), ROMA_ENOTEMPTY);
        ck_assert_int_eq(roma_link(store, "d/x", "y", NULL), 0);
        ck_assert_int_eq(roma_link(store, "d/x", "y", NULL), -1);
        ck_assert_int_eq(last_code(), ROMA_EEXIST);
        ck_assert_int_eq(roma_rename(store, "d/x", "y", ROMA_RENAME_NOREPLACE, NULL), -1);
        ck_assert_int_eq(last_code(), ROMA_EEXIST);
        ck_assert_int_eq(roma_rename(store, "d/x", "z", ROMA_RENAME_NOREPLACE, NULL), 0);
        ck_assert_int_eq(roma_symlink(store, "z", "link", NULL), 0);
        ck_assert_int_eq(roma_readlink(store, "link", NULL), 0);
        ck_assert_str_eq(roma_last(loop)->text, "z");
        ck_assert_int_eq(roma_readlink(store, "z", NULL), -1);
        ck_assert_int_eq(last_code(), ROMA_EINVAL);
        ck_assert_int_eq(roma_stat(store, "link", 0, NULL, &a), 0);
        ck_assert_uint_eq(a.type, ROMA_TYPE_FILE);
        ck_assert_int_eq(roma_stat(store, "link", ROMA_NOFOLLOW, NULL, &a), 0);
        ck_assert_uint_eq(a.type, ROMA_TYPE_SYMLINK);
        ck_assert_int_eq(roma_rmdir(store, "d", NULL), 0);
        ck_assert_int_eq(roma_stat(store, "d", 0, NULL, &a), -1);
        ck_assert_int_eq(last_code(), ROMA_ENOENT);
        ck_assert_ptr_nonnull(strstr(roma_error(loop), local_path("d")));
        ck_assert_int_eq(roma_statfs(store, NULL, &sp), 0);
        ck_assert_uint_gt(sp.total, 0);
        ck_assert_int_eq(roma_ping(store, NULL), 0);
        ck_assert_ptr_nonnull(strstr(roma_last(loop)->text, "answers"));
}
END_TEST

/* The result has it too, so nobody has to give a place for it. */
START_TEST(no_place_for_the_result)
{
        roma_file *f;

        local_write("x", "hello", 5);
        ck_assert_int_eq(roma_stat(store, "x", 0, NULL, NULL), 0);
        ck_assert_uint_eq(roma_last(loop)->attr->length, 5);
        ck_assert_int_eq(roma_statfs(store, NULL, NULL), 0);
        ck_assert_uint_gt(roma_last(loop)->space->total, 0);
        f = roma_file_open(store, "x", ROMA_O_READ, 0, NULL);
        ck_assert_ptr_nonnull(f);
        ck_assert_int_eq(roma_fstat(f, NULL, NULL), 0);
        ck_assert_uint_eq(roma_last(loop)->attr->length, 5);
        ck_assert_int_eq(roma_file_close(f, NULL), 0);
}
END_TEST

START_TEST(attributes)
{
        roma_attr a = ROMA_ATTR_INIT, b = ROMA_ATTR_INIT;

        local_write("x", "1", 1);
        a.mask = ROMA_ATTR_MODE | ROMA_ATTR_MTIME;
        a.mode = 0640;
        a.mtime_ns = -1500000000;
        ck_assert_int_eq(roma_setattr(store, "x", &a, 0, NULL), 0);
        ck_assert_int_eq(roma_stat(store, "x", 0, NULL, &b), 0);
        ck_assert_uint_eq(b.mode, 0640);
        ck_assert_int_eq(b.mtime_ns, -1500000000);
        ck_assert_int_eq(roma_symlink(store, "/etc", "out", NULL), 0);
        a.mask = ROMA_ATTR_MTIME;
        ck_assert_int_eq(roma_setattr(store, "out", &a, ROMA_NOFOLLOW, NULL), 0);
        ck_assert_int_eq(roma_setattr(store, "out", &a, 0, NULL), -1);
        ck_assert_int_eq(last_code(), ROMA_EACCES);
        ck_assert_int_eq(roma_last(loop)->outcome, ROMA_NOT_DONE);
        /* A link has an owner, and no mode of its own: some of it is done. */
        a.mask = ROMA_ATTR_UID | ROMA_ATTR_MODE;
        a.uid = getuid();
        if (roma_setattr(store, "out", &a, ROMA_NOFOLLOW, NULL) < 0)
                ck_assert_int_eq(roma_last(loop)->outcome, ROMA_UNKNOWN);
}
END_TEST

/* Nothing leads out of "/": there absolute links are followed, in a path and at its end. */
START_TEST(whole_tree)
{
        struct fio_root *r = fio_root_new("/", true);
        char *real = strdup(local_path("real"));
        int fd;

        ck_assert_int_eq(symlink(real, local_path("abs")), 0);
        free(real);
        ck_assert_int_eq(mkdir(local_path("real"), 0700), 0);
        local_write("real/x", "1", 1);
        ck_assert_int_eq(fio_root_connect(r), 0);
        fd = fio_open(r, local_path("abs/x") + 1, O_RDONLY, 0);
        ck_assert_msg(fd >= 0, "errno %d", errno);
        close(fd);
        fd = fio_open(r, "", O_PATH | O_DIRECTORY, 0);
        ck_assert_int_ge(fd, 0);
        close(fd);
        fio_root_unref(r);
}
END_TEST

/* Every way out of the root, by openat2 and by the walk. */
static void try_confinement(bool openat2)
{
        struct fio_root *r = fio_root_new(local_path("root"), true);
        static const char *const out[] = {
                "abs", "up", "upup", "in/deep", "chain", "abs/passwd", "dir/passwd"
        };
        int fd;

        ck_assert_int_eq(fio_root_connect(r), 0);
        if (openat2 && !r->openat2) {
                fio_root_unref(r);
                return;
        }
        r->openat2 = openat2;
        for (size_t i = 0; i < sizeof(out) / sizeof(*out); i++) {
                fd = fio_open(r, out[i], O_RDONLY, 0);
                ck_assert_msg(fd < 0 && errno == EXDEV, "%s: %d, errno %d", out[i], fd, errno);
        }
        fd = fio_open(r, "loop", O_RDONLY, 0);
        ck_assert(fd < 0 && errno == ELOOP);
        fd = fio_open(r, "file/x", O_RDONLY, 0);
        ck_assert(fd < 0 && errno == ENOTDIR);
        fd = fio_open(r, "good", O_RDONLY | O_NOFOLLOW, 0);
        ck_assert(fd < 0 && errno == ELOOP);
        fd = fio_open(r, "good", O_RDONLY, 0);
        ck_assert_int_ge(fd, 0);
        close(fd);
        fd = fio_open(r, "in/back", O_RDONLY, 0);
        ck_assert_int_ge(fd, 0);
        close(fd);
        fd = fio_open(r, "viadir/good2", O_PATH, 0);
        ck_assert_int_ge(fd, 0);
        close(fd);
        fd = fio_open(r, "dangling", O_WRONLY | O_CREAT, 0600);
        ck_assert_int_ge(fd, 0);
        close(fd);
        ck_assert_int_eq(unlink(local_path("root/made")), 0);
        fd = fio_open(r, "dangling", O_WRONLY | O_CREAT | O_EXCL, 0600);
        ck_assert(fd < 0 && errno == EEXIST);
        fd = fio_open(r, "", O_PATH | O_DIRECTORY, 0);
        ck_assert_int_ge(fd, 0);
        close(fd);
        fio_root_unref(r);
}

START_TEST(confinement)
{
        static const char *const links[][2] = {
                { "/etc", "root/abs" },
                { "..", "root/up" },
                { "in/../../root", "root/upup" },
                { "../../secret", "root/in/deep" },
                { "good3", "root/chain" },
                { "../secret", "root/good3" },
                { "../dir", "root/dir" },
                { "loop", "root/loop" },
                { "file", "root/good" },
                { "../file", "root/in/back" },
                { "in", "root/viadir" },
                { "made", "root/dangling" },
                { "./../in/../file", "root/in/good2" },
        };

        mkdir(local_path("root"), 0755);
        mkdir(local_path("root/in"), 0755);
        mkdir(local_path("dir"), 0755);
        local_write("secret", "s", 1);
        local_write("dir/passwd", "s", 1);
        local_write("root/file", "f", 1);
        for (size_t i = 0; i < sizeof(links) / sizeof(*links); i++)
                ck_assert_int_eq(symlink(links[i][0], local_path(links[i][1])), 0);
        try_confinement(true);
        try_confinement(false);
}
END_TEST

START_TEST(outside_is_a_sentence)
{
        roma_attr a = ROMA_ATTR_INIT;

        ck_assert_int_eq(symlink("/etc", local_path("etc")), 0);
        ck_assert_int_eq(roma_stat(store, "etc/passwd", 0, NULL, &a), -1);
        ck_assert_int_eq(last_code(), ROMA_EACCES);
        ck_assert_ptr_nonnull(strstr(roma_error(loop), "leads out of the store's folder"));
        ck_assert_int_eq(roma_unlink(store, "etc/roma-none", 0, NULL), -1);
        ck_assert_int_eq(last_code(), ROMA_EACCES);
}
END_TEST

START_TEST(special_files_do_not_wait)
{
        roma_attr a = ROMA_ATTR_INIT;

        ck_assert_int_eq(mkfifo(local_path("fifo"), 0600), 0);
        ck_assert_int_eq(roma_stat(store, "fifo", 0, NULL, &a), 0);
        ck_assert_uint_eq(a.type, ROMA_TYPE_FIFO);
        ck_assert_uint_eq(a.mask & ROMA_ATTR_LENGTH, 0);
        ck_assert_ptr_null(roma_file_open(store, "fifo", ROMA_O_READ, 0, NULL));
        ck_assert_int_eq(last_code(), ROMA_ENOTSUP);
        ck_assert_ptr_null(roma_file_open(store, "fifo", ROMA_O_WRITE, 0, NULL));
        ck_assert_int_eq(last_code(), ROMA_ENOTSUP);
        ck_assert_ptr_null(roma_file_open(store, "", ROMA_O_READ, 0, NULL));
        ck_assert_int_eq(last_code(), ROMA_EISDIR);
}
END_TEST

START_TEST(pieces)
{
        enum { N = 3 * RI_PIECE + 777 };
        unsigned char *in = malloc(N), *out = malloc(N), *there;
        struct iovec v[3] = { { in, 10 }, { in + 10, 0 }, { in + 10, N - 10 } };
        roma_file *f = roma_file_open(store, "x", ROMA_O_READ | ROMA_O_WRITE | ROMA_O_CREATE, 0600, NULL);
        struct ri_wait w;
        size_t n;

        ck_assert_ptr_nonnull(f);
        fill_random(in, N, 1);
        ck_assert_int_eq(ri_wait_begin(&w, loop), 0);
        ck_assert_int_eq(ri_wait(&w, roma_aio_pwritev(f, v, 3, 5, NULL, ri_wait_done, &w)), 0);
        ck_assert_uint_eq(roma_last(loop)->bytes, N);
        ck_assert(roma_last(loop)->has_crc32);
        ck_assert_uint_eq(roma_last(loop)->crc32, ri_crc32(0, in, N));
        v[0].iov_base = out;
        v[2].iov_base = out + 10;
        ck_assert_int_eq(ri_wait_begin(&w, loop), 0);
        ck_assert_int_eq(ri_wait(&w, roma_aio_preadv(f, v, 3, 5, NULL, ri_wait_done, &w)), 0);
        ck_assert_uint_eq(roma_last(loop)->crc32, ri_crc32(0, in, N));
        ck_assert_mem_eq(in, out, N);
        ck_assert_int_eq(roma_pread(f, out, N, 6, NULL), N - 1);
        ck_assert_int_eq(roma_pread(f, out, 1, N + 5, NULL), 0);
        ck_assert_int_eq(roma_pread(f, out, 1, INT64_MAX - 1, NULL), 0);
        ck_assert_int_eq(roma_pwrite(f, in, 0, 1000, NULL), 0);
        ck_assert_int_eq(roma_truncate(f, 7, NULL), 0);
        ck_assert_int_eq(roma_append(f, "abc", 3, NULL), 3);
        ck_assert_uint_eq(roma_last(loop)->offset, 7);
        ck_assert_int_eq(roma_fsync(f, NULL), 0);
        ck_assert_int_eq(roma_file_close(f, NULL), 0);
        there = local_read("x", &n);
        ck_assert_uint_eq(n, 10);
        ck_assert_mem_eq(there + 7, "abc", 3);
        free(there);
        free(in);
        free(out);
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

START_TEST(overlapping_writes_keep_their_order)
{
        enum {
                N = 60,
                SPAN = 6 * RI_PIECE
        }; /* large ones go in pieces: the small ones would overtake them */
        unsigned char *model = calloc(1, SPAN), *data[N], *there;
        roma_file *f = roma_file_open(store, "x", ROMA_O_WRITE | ROMA_O_CREATE, 0600, NULL);
        uint32_t seed = 12345;
        size_t n, end = 0;

        ended = failed = 0;
        for (int i = 0; i < N; i++) {
                size_t off, len;

                seed = seed * 1664525 + 1013904223;
                off = seed % (SPAN / 2);
                len = 1 + seed / 7 % (i % 2 ? 5000 : SPAN / 2);
                data[i] = malloc(len);
                fill_random(data[i], len, seed);
                if (i % 20 == 19) {
                        ck_assert(roma_aio_truncate(f, off, NULL, count, NULL));
                        memset(model + off, 0, SPAN - off);
                        end = off;
                        continue;
                }
                ck_assert(roma_aio_pwrite(f, data[i], len, off, NULL, count, NULL));
                memcpy(model + off, data[i], len);
                end = off + len > end ? off + len : end;
        }
        ck_assert_int_eq(roma_loop_run(loop), 0);
        ck_assert_int_eq(ended, N);
        ck_assert_int_eq(failed, 0);
        ck_assert_int_eq(roma_file_close(f, NULL), 0);
        there = local_read("x", &n);
        ck_assert_uint_eq(n, end);
        ck_assert_mem_eq(there, model, n);
        free(there);
        free(model);
        for (int i = 0; i < N; i++)
                free(data[i]);
}
END_TEST

static uint64_t where[200];

static void note_offset(void *arg, const roma_result *r)
{
        count(NULL, r);
        where[(intptr_t)arg] = r->offset;
}

START_TEST(appends)
{
        enum { N = 200 };
        char text[N][16];
        roma_file *f = roma_file_open(store, "x", ROMA_O_WRITE | ROMA_O_CREATE, 0600, NULL);
        unsigned char *there;
        size_t n;

        ended = failed = 0;
        for (int i = 0; i < N; i++) {
                snprintf(text[i], sizeof(text[i]), "%07d", i);
                ck_assert(roma_aio_append(f, text[i], 7, NULL, note_offset, (void *)(intptr_t)i));
        }
        ck_assert_int_eq(roma_loop_run(loop), 0);
        ck_assert_int_eq(failed, 0);
        ck_assert_int_eq(roma_file_close(f, NULL), 0);
        there = local_read("x", &n);
        ck_assert_uint_eq(n, N * 7);
        for (int i = 0; i < N; i++)
                ck_assert_mem_eq(there + where[i], text[i], 7);
        free(there);
}
END_TEST

START_TEST(cancel_and_close_in_flight)
{
        enum { N = 64, LEN = 100000 };
        unsigned char *data = calloc(1, LEN);
        roma_file *f = roma_file_open(store, "x", ROMA_O_WRITE | ROMA_O_READ | ROMA_O_CREATE, 0600, NULL);
        roma_op op[N];

        ended = failed = 0;
        for (int i = 0; i < N; i++) {
                op[i] = i % 2 ? roma_aio_pread(f, data, LEN, 0, NULL, count, NULL)
                              : roma_aio_pwrite(f, data, LEN, 5, NULL, count, NULL);
                ck_assert(op[i]);
        }
        for (int i = 0; i < N; i += 3)
                roma_cancel(loop, op[i]);
        roma_loop_turn(loop, 0);
        ck_assert_int_eq(roma_file_close(f, NULL), 0);
        ck_assert_int_eq(roma_loop_run(loop), 0);
        ck_assert_int_eq(ended, N);
        ck_assert_int_gt(failed, 0);
        free(data);
}
END_TEST

/* Whoever ends all that is in flight ends the closing of a store too; the store closes all the same. */
START_TEST(cancel_of_a_closing)
{
        char uri[128];
        roma_store *s;
        roma_file *f;
        roma_op op;

        snprintf(uri, sizeof(uri), "file://%s", folder);
        for (int turns = 0; turns < 6; turns++) {
                s = roma_store_open(loop, uri, NULL);
                f = roma_file_open(s, "x", ROMA_O_WRITE | ROMA_O_CREATE, 0600, NULL);
                ck_assert_ptr_nonnull(f);
                ended = failed = 0;
                ck_assert(roma_aio_pwrite(f, "x", 1, 0, NULL, count, NULL));
                op = roma_aio_store_close(s, count, NULL);
                for (int i = 0; i < turns; i++)
                        roma_loop_turn(loop, 1);
                roma_cancel(loop, op);
                ck_assert_int_eq(roma_loop_run(loop), 0);
                ck_assert_int_eq(ended, 2);
                while (loop->stats.stores > 1)
                        roma_loop_turn(loop, 10);
        }
}
END_TEST

static bool see_entry(void *arg, const struct ri_dirent *ent)
{
        int *seen = arg;
        char name[300];
        int i = -1;

        memcpy(name, ent->name, ent->name_len);
        name[ent->name_len] = '\0';
        ck_assert_int_eq(sscanf(name, "file-%d", &i), 1);
        ck_assert_uint_eq(ent->attr->type, ROMA_TYPE_FILE);
        seen[i]++;
        return seen[0] < 100;
}

static int read_folder(int *seen)
{
        struct ri_op *op = ri_op_new(loop, store, RI_SINGLE, "readdir", "", NULL, count, NULL);

        ended = failed = 0;
        fio_readdir(op, "", see_entry, seen);
        ck_assert_int_eq(roma_loop_run(loop), 0);
        ck_assert_int_eq(ended, 1);
        return failed;
}

START_TEST(folders_larger_than_a_batch)
{
        enum { N = 1500 };
        static int seen[N];
        int sum = 0;

        for (int i = 0; i < N; i++) {
                char name[300];

                snprintf(name, sizeof(name), "file-%d-%0*d", i, i % 200 + 1, 0);
                local_write(name, "", 0);
        }
        ck_assert_int_eq(read_folder(seen), 0);
        for (int i = 0; i < N; i++)
                ck_assert_int_eq(seen[i], 1);
        /* A receiver that has enough. */
        memset(seen, 0, sizeof(seen));
        seen[0] = 100;
        ck_assert_int_eq(read_folder(seen), 0);
        for (int i = 0; i < N; i++)
                sum += seen[i];
        ck_assert_int_eq(sum, 101);
}
END_TEST

START_TEST(bad_places)
{
        ck_assert_ptr_null(roma_store_open(loop, "file:///roma-none/x", NULL));
        ck_assert_int_eq(last_code(), ROMA_ENOENT);
        ck_assert_ptr_null(roma_store_open(loop, "file://elsewhere/tmp", NULL));
        ck_assert_int_eq(last_code(), ROMA_EURI);
        ck_assert_ptr_null(roma_store_open(loop, "file:///dev/null", NULL));
        ck_assert_int_eq(last_code(), ROMA_ENOTDIR);
        ck_assert_ptr_null(roma_store_open(loop, "roma-none/x", NULL));
        ck_assert_ptr_nonnull(strstr(roma_error(loop), "'roma-none/x' cannot be opened: No such file"));
}
END_TEST

int main(void)
{
        TCase *tc = tcase_create("fileio");

        tcase_add_checked_fixture(tc, folder_begin, folder_end);
        tcase_add_test(tc, names);
        tcase_add_test(tc, attributes);
        tcase_add_test(tc, no_place_for_the_result);
        tcase_add_test(tc, whole_tree);
        tcase_add_test(tc, confinement);
        tcase_add_test(tc, outside_is_a_sentence);
        tcase_add_test(tc, special_files_do_not_wait);
        tcase_add_test(tc, pieces);
        tcase_add_test(tc, overlapping_writes_keep_their_order);
        tcase_add_test(tc, appends);
        tcase_add_test(tc, cancel_and_close_in_flight);
        tcase_add_test(tc, cancel_of_a_closing);
        tcase_add_test(tc, folders_larger_than_a_batch);
        tcase_add_test(tc, bad_places);
        return run_suite("fileio", tc);
}
