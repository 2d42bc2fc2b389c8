/* SPDX-License-Identifier: MIT */
/* Unit tests of core/heap and core/list. */
#include "core/heap.h"
#include "core/list.h"

#include <check.h>
#include <stdlib.h>

#define N 1000

static uint32_t rnd_state = 1;

static uint32_t rnd(void)
{
        rnd_state = rnd_state * 1664525 + 1013904223;
        return rnd_state >> 8;
}

static void check_heap(const struct ri_heap *h)
{
        for (size_t i = 0; i < h->n; i++) {
                ck_assert_uint_eq(h->v[i]->pos, i + 1);
                if (i)
                        ck_assert(h->v[(i - 1) / 2]->key <= h->v[i]->key);
        }
}

START_TEST(heap_sorts)
{
        struct ri_heap h;
        static struct ri_heap_node node[N];
        uint64_t last = 0;

        ri_heap_init(&h);
        ck_assert_ptr_null(ri_heap_peek(&h));
        for (size_t i = 0; i < N; i++) {
                ri_heap_node_init(&node[i]);
                ck_assert(!ri_heap_is_queued(&node[i]));
                ck_assert_int_eq(ri_heap_insert(&h, &node[i], rnd() % 300), 0);
                ck_assert(ri_heap_is_queued(&node[i]));
        }
        check_heap(&h);
        for (size_t i = 0; i < N; i++) {
                struct ri_heap_node *n = ri_heap_peek(&h);

                ck_assert_uint_ge(n->key, last);
                last = n->key;
                ri_heap_remove(&h, n);
                ck_assert(!ri_heap_is_queued(n));
        }
        ck_assert_ptr_null(ri_heap_peek(&h));
        ri_heap_free(&h);
}
END_TEST

START_TEST(heap_removes_and_updates_anywhere)
{
        struct ri_heap h;
        static struct ri_heap_node node[N];
        size_t queued = 0;

        ri_heap_init(&h);
        for (size_t i = 0; i < N; i++)
                ri_heap_node_init(&node[i]);
        for (int step = 0; step < 20000; step++) {
                struct ri_heap_node *n = &node[rnd() % N];

                if (!ri_heap_is_queued(n)) {
                        ck_assert_int_eq(ri_heap_insert(&h, n, rnd()), 0);
                        queued++;
                } else if (rnd() % 3 == 0) {
                        ri_heap_update(&h, n, rnd());
                } else {
                        ri_heap_remove(&h, n);
                        queued--;
                }
                ck_assert_uint_eq(h.n, queued);
                if (step % 50 == 0)
                        check_heap(&h);
        }
        check_heap(&h);
        ri_heap_remove(&h, &node[0]);
        ri_heap_remove(&h, &node[0]); /* not queued: nothing happens */
        ri_heap_free(&h);
        for (size_t i = 0; i < N; i++)
                ck_assert(!ri_heap_is_queued(&node[i]));
}
END_TEST

START_TEST(heap_reserve_refuses_absurd)
{
        struct ri_heap h;

        ri_heap_init(&h);
        ck_assert_int_eq(ri_heap_reserve(&h, SIZE_MAX / 4), -1);
        ck_assert_int_eq(ri_heap_reserve(&h, 100), 0);
        ck_assert_uint_ge(h.cap, 100);
        ri_heap_free(&h);
}
END_TEST

struct item {
        int v;
        struct ri_list link;
};

START_TEST(list_order)
{
        struct ri_list head = RI_LIST_INIT(head);
        struct item it[5];
        int expect[] = { 4, 3, 0, 1, 2 };
        int i = 0;

        ck_assert(ri_list_empty(&head));
        ck_assert_ptr_null(ri_list_first(&head));
        ck_assert_ptr_null(ri_list_last(&head));
        ck_assert_ptr_null(ri_list_pop(&head));
        for (int k = 0; k < 5; k++) {
                it[k].v = k;
                if (k < 3)
                        ri_list_add_tail(&head, &it[k].link);
                else
                        ri_list_add_head(&head, &it[k].link);
        }
        ck_assert_uint_eq(ri_list_count(&head), 5);
        ri_list_for_each(n, &head) ck_assert_int_eq(ri_container_of(n, struct item, link)->v, expect[i++]);
        ck_assert_int_eq(i, 5);
        ck_assert_ptr_eq(ri_list_last(&head), &it[2].link);
        ck_assert_ptr_eq(ri_list_pop(&head), &it[4].link);
        ck_assert(ri_list_empty(&it[4].link));
        ri_list_del(&it[4].link); /* on no list: nothing happens */
        ck_assert_uint_eq(ri_list_count(&head), 4);
}
END_TEST

START_TEST(list_safe_walk_and_splice)
{
        struct ri_list a = RI_LIST_INIT(a), b = RI_LIST_INIT(b);
        struct item it[6];
        int i = 0;

        for (int k = 0; k < 6; k++) {
                it[k].v = k;
                ri_list_add_tail(k < 3 ? &a : &b, &it[k].link);
        }
        ri_list_splice_tail(&a, &b);
        ck_assert(ri_list_empty(&b));
        ri_list_splice_tail(&a, &b);
        ri_list_for_each(n, &a) ck_assert_int_eq(ri_list_entry(n, struct item, link)->v, i++);
        ck_assert_int_eq(i, 6);
        ri_list_splice_tail(&b, &a);
        ck_assert(ri_list_empty(&a));
        ri_list_for_each_safe(n, tmp, &b)
        {
                if (ri_list_entry(n, struct item, link)->v % 2)
                        ri_list_del(n);
        }
        ck_assert_uint_eq(ri_list_count(&b), 3);
        for (struct ri_list *n = b.prev, *last = &b; n != &b; last = n, n = n->prev)
                ck_assert_ptr_eq(n->next, last);
}
END_TEST

int main(void)
{
        Suite *s = suite_create("heap");
        TCase *tc = tcase_create("heap");
        SRunner *sr;
        int failed;

        tcase_add_test(tc, heap_sorts);
        tcase_add_test(tc, heap_removes_and_updates_anywhere);
        tcase_add_test(tc, heap_reserve_refuses_absurd);
        suite_add_tcase(s, tc);
        tc = tcase_create("list");
        tcase_add_test(tc, list_order);
        tcase_add_test(tc, list_safe_walk_and_splice);
        suite_add_tcase(s, tc);
        sr = srunner_create(s);
        srunner_run_all(sr, CK_ENV);
        failed = srunner_ntests_failed(sr);
        srunner_free(sr);
        return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
