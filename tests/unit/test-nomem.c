/* SPDX-License-Identifier: MIT */
/* Each scenario runs with its first allocation failing, then its second, and so on until none fails. Nothing may crash
 * or leak (the sanitizers watch), and each failure must be reported as one. The linker leads the allocations of the
 * library (and of Check, so no ck_assert while one may fail) to the __wrap functions below. */
#include "core/config.h"
#include "core/heap.h"
#include "core/hosts.h"
#include "core/map.h"
#include "core/uri.h"

#include <check.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

static long countdown = -1; /* allocations until the one that fails; negative: none fails */
static bool failed_one;

void *__real_malloc(size_t n);
void *__real_calloc(size_t n, size_t size);
void *__real_realloc(void *p, size_t n);
char *__real_strdup(const char *s);
void *__wrap_malloc(size_t n);
void *__wrap_calloc(size_t n, size_t size);
void *__wrap_realloc(void *p, size_t n);
char *__wrap_strdup(const char *s);

static bool fails(void)
{
        if (countdown < 0 || countdown-- > 0)
                return false;
        failed_one = true;
        errno = ENOMEM;
        return true;
}

void *__wrap_malloc(size_t n)
{
        return fails() ? NULL : __real_malloc(n);
}

void *__wrap_calloc(size_t n, size_t size)
{
        return fails() ? NULL : __real_calloc(n, size);
}

void *__wrap_realloc(void *p, size_t n)
{
        return fails() ? NULL : __real_realloc(p, n);
}

char *__wrap_strdup(const char *s)
{
        return fails() ? NULL : __real_strdup(s);
}

/* A scenario returns 0, or -1 with errno set. */
static void torture(int (*scenario)(void), long at_least)
{
        long n = 0;

        for (;; n++) {
                int r;

                countdown = n;
                failed_one = false;
                errno = 0;
                r = scenario();
                countdown = -1;
                if (!failed_one) {
                        ck_assert_int_eq(r, 0);
                        break;
                }
                if (r < 0)
                        ck_assert_int_eq(errno, ENOMEM);
                else
                        ck_abort_msg("allocation %ld failed and nobody said so", n);
        }
        ck_assert_int_ge(n, at_least);
}

static int parse_and_copy(void)
{
        struct ri_str text = RI_STR_INIT(1000);
        struct ri_uri u, copy;
        int r = ri_uri_parse("s3://bu%41cket/key?endpoint=x&region=y", &u, NULL);

        if (r < 0)
                return -1;
        r = ri_uri_copy(&u, &copy);
        if (r == 0) {
                r = ri_uri_format(&copy, &text);
                ri_uri_clear(&copy);
        }
        ri_str_free(&text);
        ri_uri_clear(&u);
        return r;
}

START_TEST(uri)
{
        torture(parse_and_copy, 10);
}
END_TEST

static int read_hosts(void)
{
        struct ri_hosts h;

        if (ri_hosts_parse("a,b:1,[::1]", 9421, &h, NULL) < 0)
                return -1;
        ri_hosts_clear(&h);
        return 0;
}

START_TEST(hosts)
{
        torture(read_hosts, 4);
}
END_TEST

static int read_config(void)
{
        static const char text[] =
                "[a]\nuri = s3://b/c?x=y\nsecret_key = \"q\"\nendpoint = h\nca_file = f\n[b]\nuri=z://y\n";
        struct ri_str secret = RI_STR_INIT(100);
        struct ri_uri named, u;
        struct ri_config c;
        int r;

        if (ri_config_parse(&c, "/etc/roma/roma.conf", text, strlen(text), NULL) < 0)
                return -1;
        r = ri_uri_parse("a:k?stall=1", &named, NULL);
        if (r == 0) {
                r = ri_config_resolve(&c, &named, &u, NULL);
                ri_uri_clear(&named);
        }
        if (r == 0) {
                r = ri_secret_get(&u, &c, "secret_key", &secret, NULL) == 1 ? 0 : -1;
                ri_uri_clear(&u);
        }
        ri_str_wipe(&secret);
        ri_config_clear(&c);
        return r;
}

START_TEST(config)
{
        torture(read_config, 30);
}
END_TEST

static int fill_heap(void)
{
        struct ri_heap h;
        struct ri_heap_node node[100];
        int r = 0;

        ri_heap_init(&h);
        for (size_t i = 0; i < 100 && r == 0; i++) {
                ri_heap_node_init(&node[i]);
                r = ri_heap_insert(&h, &node[i], 100 - i);
                if (h.n != (r == 0 ? i + 1 : i))
                        errno = EINVAL;
        }
        ri_heap_free(&h);
        return r;
}

START_TEST(heap)
{
        torture(fill_heap, 4);
}
END_TEST

START_TEST(map_never_fails)
{
        static struct ri_map_node node[1000];
        struct ri_map m;

        ri_map_init(&m);
        for (uint64_t i = 0; i < 1000; i++) {
                /* No growth at all for the first half, then each second try. */
                bool inserted;

                countdown = i < 500 ? 0 : (long)(i & 1);
                inserted = ri_map_insert_u64(&m, &node[i], i);
                countdown = -1;
                ck_assert(inserted);
                if (i < 500)
                        ck_assert_uint_eq(m.mask, RI_MAP_FIRST_BUCKETS - 1);
        }
        ck_assert_uint_gt(m.mask, RI_MAP_FIRST_BUCKETS - 1);
        for (uint64_t i = 0; i < 1000; i++)
                ck_assert_ptr_eq(ri_map_find_u64(&m, i), &node[i]);
        ri_map_free(&m);
}
END_TEST

START_TEST(str)
{
        struct ri_str s = RI_STR_INIT(1000);
        int first, second, longer;

        countdown = 0;
        first = ri_str_puts(&s, "x");
        second = ri_str_puts(&s, "y");
        ck_assert(first == -1 && second == -1);
        ck_assert_str_eq(ri_str_cstr(&s), "");
        ri_str_reset(&s);
        ck_assert_int_eq(ri_str_puts(&s, "kept"), 0);
        countdown = 0;
        longer = ri_str_printf(&s, "%500d", 1);
        countdown = -1;
        ck_assert_int_eq(longer, -1);
        ck_assert_str_eq(ri_str_cstr(&s), "kept");
        ri_str_free(&s);
}
END_TEST

int main(void)
{
        Suite *s = suite_create("nomem");
        TCase *tc = tcase_create("nomem");
        SRunner *sr;
        int failed;

        tcase_add_test(tc, uri);
        tcase_add_test(tc, hosts);
        tcase_add_test(tc, config);
        tcase_add_test(tc, heap);
        tcase_add_test(tc, map_never_fails);
        tcase_add_test(tc, str);
        suite_add_tcase(s, tc);
        sr = srunner_create(s);
        srunner_run_all(sr, CK_ENV);
        failed = srunner_ntests_failed(sr);
        srunner_free(sr);
        return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
