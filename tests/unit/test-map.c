/* SPDX-License-Identifier: MIT */
/* Unit tests of core/map. */
#include "core/map.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define N 5000

struct item {
        struct ri_map_node node;
        char name[16];
        int seen;
};

static struct item item[N];

static void fill(struct ri_map *m)
{
        memset(item, 0, sizeof(item));
        for (int i = 0; i < N; i++) {
                snprintf(item[i].name, sizeof(item[i].name), "name%d", i);
                ck_assert(ri_map_insert(m, &item[i].node, item[i].name, strlen(item[i].name)));
        }
        ck_assert_uint_eq(m->count, N);
}

START_TEST(byte_keys)
{
        struct ri_map m;
        struct ri_map_node dup;

        ri_map_init(&m);
        ck_assert_ptr_null(ri_map_find(&m, "x", 1));
        ck_assert_ptr_null(ri_map_first(&m));
        fill(&m);
        ck_assert_uint_gt(m.mask, N / 2);
        for (int i = 0; i < N; i++)
                ck_assert_ptr_eq(ri_map_find(&m, item[i].name, strlen(item[i].name)), &item[i].node);
        ck_assert_ptr_null(ri_map_find(&m, "name", 4));
        ck_assert_ptr_null(ri_map_find(&m, "name1\0", 6));
        ck_assert(!ri_map_insert(&m, &dup, "name77", 6));
        for (int i = 0; i < N; i += 2)
                ck_assert(ri_map_remove(&m, &item[i].node));
        ck_assert(!ri_map_remove(&m, &item[0].node));
        ck_assert_uint_eq(m.count, N / 2);
        for (int i = 0; i < N; i++)
                ck_assert_ptr_eq(ri_map_find(&m, item[i].name, strlen(item[i].name)),
                                 i % 2 ? &item[i].node : NULL);
        ri_map_free(&m);
        ck_assert_ptr_null(ri_map_find(&m, "name1", 5));
}
END_TEST

START_TEST(odd_keys)
{
        struct ri_map m;
        struct ri_map_node empty, nul, nulnul, num0, num1;

        ri_map_init(&m);
        ck_assert(ri_map_insert(&m, &empty, NULL, 0));
        ck_assert(ri_map_insert(&m, &nul, "\0", 1));
        ck_assert(ri_map_insert(&m, &nulnul, "\0\0", 2));
        ck_assert(ri_map_insert_u64(&m, &num0, 0));
        ck_assert(ri_map_insert_u64(&m, &num1, UINT64_MAX));
        ck_assert(!ri_map_insert_u64(&m, &num1, UINT64_MAX));
        ck_assert_ptr_eq(ri_map_find(&m, "", 0), &empty);
        ck_assert_ptr_eq(ri_map_find(&m, "\0", 1), &nul);
        ck_assert_ptr_eq(ri_map_find(&m, "\0\0", 2), &nulnul);
        ck_assert_ptr_eq(ri_map_find_u64(&m, 0), &num0);
        ck_assert_ptr_eq(ri_map_find_u64(&m, UINT64_MAX), &num1);
        ck_assert_ptr_null(ri_map_find(&m, "\0\0\0\0\0\0\0\0", 8));
        ck_assert_ptr_null(ri_map_find_u64(&m, 1));
        ri_map_free(&m);
}
END_TEST

START_TEST(number_keys)
{
        struct ri_map m;

        ri_map_init(&m);
        memset(item, 0, sizeof(item));
        for (uint64_t i = 0; i < N; i++)
                ck_assert(ri_map_insert_u64(&m, &item[i].node, i << 32));
        for (uint64_t i = 0; i < N; i++)
                ck_assert_ptr_eq(ri_map_find_u64(&m, i << 32), &item[i].node);
        ck_assert_ptr_null(ri_map_find_u64(&m, 1));
        ri_map_free(&m);
}
END_TEST

START_TEST(walk_sees_each_once)
{
        struct ri_map m;
        size_t n = 0;

        ri_map_init(&m);
        fill(&m);
        ri_map_for_each(it, &m)
        {
                ((struct item *)it)->seen++;
                n++;
        }
        ck_assert_uint_eq(n, N);
        ri_map_for_each_safe(it, tmp, &m)
        {
                ck_assert_int_eq(((struct item *)it)->seen, 1);
                ck_assert(ri_map_remove(&m, it));
                memset(it, 0xff, sizeof(struct item));
        }
        ck_assert_uint_eq(m.count, 0);
        ck_assert_ptr_null(ri_map_first(&m));
        ri_map_free(&m);
}
END_TEST

START_TEST(chains_stay_short)
{
        struct ri_map m;
        size_t longest = 0;

        ri_map_init(&m);
        memset(item, 0, sizeof(item));
        for (uint64_t i = 0; i < N; i++)
                ck_assert(ri_map_insert_u64(&m, &item[i].node, i * 4096));
        for (size_t b = 0; b <= m.mask; b++) {
                size_t len = 0;

                for (struct ri_map_node *n = m.buckets[b]; n; n = n->next)
                        len++;
                if (len > longest)
                        longest = len;
        }
        ck_assert_uint_le(longest, 20);
        ri_map_free(&m);
}
END_TEST

START_TEST(seeds_differ)
{
        struct ri_map a, b;

        ri_map_init(&a);
        ri_map_init(&b);
        ck_assert_uint_ne(a.seed, b.seed);
        ck_assert_uint_ne(ri_hash_bytes(a.seed, "abc", 3), ri_hash_bytes(b.seed, "abc", 3));
        ri_map_free(&a);
        ri_map_free(&b);
}
END_TEST

int main(void)
{
        Suite *s = suite_create("map");
        TCase *tc = tcase_create("map");
        SRunner *sr;
        int failed;

        tcase_add_test(tc, byte_keys);
        tcase_add_test(tc, odd_keys);
        tcase_add_test(tc, number_keys);
        tcase_add_test(tc, walk_sees_each_once);
        tcase_add_test(tc, chains_stay_short);
        tcase_add_test(tc, seeds_differ);
        suite_add_tcase(s, tc);
        sr = srunner_create(s);
        srunner_run_all(sr, CK_ENV);
        failed = srunner_ntests_failed(sr);
        srunner_free(sr);
        return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
