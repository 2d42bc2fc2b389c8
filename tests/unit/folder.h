/* SPDX-License-Identifier: MIT */
/* For unit tests that need a store: a temporary folder with a loop and a file store on it, and the end of all that,
 * which checks that nothing is left. */
#ifndef TESTS_FOLDER_H
#define TESTS_FOLDER_H

#include <check.h>
#include <dirent.h>
#include <fcntl.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <roma/roma.h>

static char folder[64];
static roma_loop *loop;
static roma_store *store;

static inline int folder_remove_one(const char *path, const struct stat *st, int flag, struct FTW *f)
{
        (void)st;
        (void)flag;
        (void)f;
        return remove(path);
}

static inline void folder_begin(void)
{
        char uri[128];

        snprintf(folder, sizeof(folder), "/tmp/roma-test-XXXXXX");
        ck_assert_ptr_nonnull(mkdtemp(folder));
        loop = roma_loop_new();
        ck_assert_ptr_nonnull(loop);
        snprintf(uri, sizeof(uri), "file://%s", folder);
        store = roma_store_open(loop, uri, NULL);
        ck_assert_msg(store != NULL, "%s", roma_error(loop));
}

static inline void folder_end(void)
{
        roma_stats st = { .size = sizeof(st) };

        roma_store_close(store);
        roma_loop_stats(loop, &st);
        ck_assert_uint_eq(st.operations, 0);
        ck_assert_uint_eq(st.stores, 0);
        ck_assert_uint_eq(st.files, 0);
        ck_assert_uint_eq(st.writers, 0);
        ck_assert_uint_eq(st.readers, 0);
        ck_assert_uint_eq(st.buffers, 0);
        ck_assert_uint_eq(st.buffer_bytes, 0);
        ck_assert_uint_eq(st.jobs, 0);
        roma_loop_free(loop);
        ck_assert_int_eq(nftw(folder, folder_remove_one, 16, FTW_DEPTH | FTW_PHYS), 0);
}

/* The local path of a key; good until the next but three calls. */
static inline const char *local_path(const char *key)
{
        static __thread char path[4][4200];
        static __thread int i;

        i = (i + 1) % 4;
        snprintf(path[i], sizeof(path[i]), "%s/%s", folder, key);
        return path[i];
}

static inline void local_write(const char *key, const void *bytes, size_t n)
{
        int fd = open(local_path(key), O_WRONLY | O_CREAT | O_TRUNC, 0644);

        ck_assert_int_ge(fd, 0);
        ck_assert_int_eq(write(fd, bytes, n), (ssize_t)n);
        close(fd);
}

/* The whole file, to be freed. */
static inline unsigned char *local_read(const char *key, size_t *n)
{
        struct stat st;
        unsigned char *p;
        int fd = open(local_path(key), O_RDONLY);
        size_t got = 0;
        ssize_t r;

        ck_assert_msg(fd >= 0, "cannot open %s", key);
        ck_assert_int_eq(fstat(fd, &st), 0);
        p = malloc((size_t)st.st_size + 1);
        while ((r = read(fd, p + got, (size_t)st.st_size + 1 - got)) > 0)
                got += (size_t)r;
        close(fd);
        *n = got;
        return p;
}

/* How many names the folder holds, "." and ".." left out. */
static inline int local_names(void)
{
        DIR *dir = opendir(folder);
        int n = -2;

        ck_assert(dir);
        while (readdir(dir))
                n++;
        closedir(dir);
        return n;
}

/* The same bytes for the same seed everywhere. */
static inline void fill_random(void *bytes, size_t n, uint32_t seed)
{
        unsigned char *p = bytes;
        uint64_t x = seed * UINT64_C(2654435761) + 1;

        for (size_t i = 0; i < n; i++) {
                x ^= x << 13;
                x ^= x >> 7;
                x ^= x << 17;
                p[i] = (unsigned char)x;
        }
}

static inline int run_suite(const char *name, TCase *tc)
{
        Suite *s = suite_create(name);
        SRunner *sr;
        int failed;

        tcase_set_timeout(tc, 60);
        suite_add_tcase(s, tc);
        sr = srunner_create(s);
        srunner_run_all(sr, CK_ENV);
        failed = srunner_ntests_failed(sr);
        srunner_free(sr);
        return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}

#endif
