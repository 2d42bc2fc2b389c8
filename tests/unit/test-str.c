/* SPDX-License-Identifier: MIT */
/* Unit tests of core/str. */
#include "core/str.h"

#include <check.h>
#include <stdlib.h>
#include <string.h>

START_TEST(appends)
{
        struct ri_str s = RI_STR_INIT(1000);

        ck_assert_str_eq(ri_str_cstr(&s), "");
        ck_assert_int_eq(ri_str_puts(&s, "one "), 0);
        ck_assert_int_eq(ri_str_printf(&s, "%d %s", 2, "three"), 0);
        ck_assert_int_eq(ri_str_putc(&s, '!'), 0);
        ck_assert_int_eq(ri_str_append(&s, "a\0b", 3), 0);
        ck_assert_int_eq(ri_str_append(&s, NULL, 0), 0);
        ck_assert_uint_eq(s.len, 15);
        ck_assert_mem_eq(s.p, "one 2 three!a\0b", 16);
        ri_str_truncate(&s, 99);
        ck_assert_uint_eq(s.len, 15);
        ri_str_truncate(&s, 3);
        ck_assert_str_eq(s.p, "one");
        ri_str_free(&s);
        ck_assert_uint_eq(s.max, 1000);
}
END_TEST

START_TEST(maximum_is_exact_and_failure_sticks)
{
        struct ri_str s = RI_STR_INIT(10);

        ck_assert_int_eq(ri_str_puts(&s, "0123456789"), 0);
        ck_assert_uint_le(s.cap, 11);
        ck_assert_int_eq(ri_str_putc(&s, 'x'), -1);
        ck_assert(s.failed);
        ri_str_truncate(&s, 0);
        ck_assert_int_eq(ri_str_putc(&s, 'x'), -1);
        ck_assert_int_eq(ri_str_printf(&s, "x"), -1);
        ck_assert_int_eq(ri_str_reserve(&s, 0), -1);
        ck_assert_ptr_null(ri_str_take(&s, NULL));
        ck_assert(!s.failed);
        ck_assert_int_eq(ri_str_printf(&s, "%s", "0123456789"), 0);
        ck_assert_int_eq(ri_str_printf(&s, "%d", 1), -1);
        ck_assert_str_eq(s.p, "0123456789");
        ri_str_reset(&s);
        ck_assert_int_eq(ri_str_append(&s, "abc", SIZE_MAX), -1);
        ri_str_reset(&s);
        ck_assert_int_eq(ri_str_append(&s, "abc", SIZE_MAX - 2), -1);
        ri_str_free(&s);
}
END_TEST

START_TEST(maximum_zero_and_unlimited)
{
        struct ri_str s;

        ri_str_init(&s, 0);
        ck_assert_int_eq(ri_str_puts(&s, ""), 0);
        ck_assert_int_eq(ri_str_putc(&s, 'x'), -1);
        ri_str_free(&s);
        ri_str_init(&s, SIZE_MAX);
        for (int i = 0; i < 10000; i++)
                ck_assert_int_eq(ri_str_puts(&s, "0123456789"), 0);
        ck_assert_uint_eq(s.len, 100000);
        ck_assert_int_eq(ri_str_reserve(&s, SIZE_MAX), -1);
        ri_str_free(&s);
}
END_TEST

START_TEST(printf_grows)
{
        struct ri_str s = RI_STR_INIT(100000);
        char *big = malloc(50001);

        memset(big, 'z', 50000);
        big[50000] = '\0';
        ck_assert_int_eq(ri_str_printf(&s, "<%s>", big), 0);
        ck_assert_uint_eq(s.len, 50002);
        ck_assert_int_eq(s.p[50001], '>');
        ck_assert_int_eq(ri_str_printf(&s, "<%s>", big), -1);
        ck_assert_uint_eq(s.len, 50002);
        ck_assert_uint_eq(strlen(s.p), 50002);
        free(big);
        ri_str_free(&s);
}
END_TEST

START_TEST(take)
{
        struct ri_str s = RI_STR_INIT(100);
        size_t n;
        char *p;

        ri_str_append(&s, "a\0b", 3);
        p = ri_str_take(&s, &n);
        ck_assert_uint_eq(n, 3);
        ck_assert_mem_eq(p, "a\0b", 4);
        free(p);
        ck_assert_uint_eq(s.len, 0);
        p = ri_str_take(&s, NULL);
        ck_assert_str_eq(p, "");
        free(p);
}
END_TEST

static void quoted(const char *in, size_t n, size_t show, const char *out)
{
        struct ri_str s = RI_STR_INIT(1000);

        ck_assert_int_eq(ri_str_quoted(&s, in, n, show), 0);
        ck_assert_str_eq(ri_str_cstr(&s), out);
        ri_str_free(&s);
}

START_TEST(quoting)
{
        quoted("", 0, 10, "");
        quoted("plain name.txt", 14, 100, "plain name.txt");
        quoted("a\nb\tc\rd\0e\x1b\x7f", 11, 100, "a\\nb\\tc\\rd\\x00e\\x1b\\x7f");
        quoted("it's \"x\" \\", 10, 100, "it\\'s \\\"x\\\" \\\\");
        quoted("\xc3\xa4\xe2\x82\xac\xf0\x9f\x98\x80", 9, 100, "\xc3\xa4\xe2\x82\xac\xf0\x9f\x98\x80");
        quoted("\xff\xc3", 2, 100, "\\xff\\xc3");                            /* cut sequence */
        quoted("\xc0\x80\xe0\x80\x80", 5, 100, "\\xc0\\x80\\xe0\\x80\\x80"); /* overlong */
        quoted("\xed\xa0\x80", 3, 100, "\\xed\\xa0\\x80");                   /* surrogate */
        quoted("\xf4\x90\x80\x80", 4, 100, "\\xf4\\x90\\x80\\x80");          /* above U+10FFFF */
        quoted("\xc2\x9b", 2, 100, "\\xc2\\x9b");                            /* C1 control: CSI */
        quoted("abcdef", 6, 3, "abc...");
        quoted("abcdef", 6, 6, "abcdef");
        quoted("a\xe2\x82\xac", 4, 2, "a\xe2\x82\xac"); /* never cut inside a character */
}
END_TEST

START_TEST(small_helpers)
{
        char *p = ri_memdup0("ab\0c", 4);

        ck_assert_mem_eq(p, "ab\0c", 5);
        ri_free_secret(p, 4);
        ri_free_secret(NULL, 0);
        p = ri_memdup0(NULL, 0);
        ck_assert_str_eq(p, "");
        free(p);
        ck_assert_ptr_null(ri_memdup0("x", SIZE_MAX));
        struct ri_str s = RI_STR_INIT(100);
        ri_str_wipe(&s);
        ri_str_puts(&s, "secret");
        ri_str_wipe(&s);
        ck_assert_ptr_null(s.p);
}
END_TEST

int main(void)
{
        Suite *s = suite_create("str");
        TCase *tc = tcase_create("str");
        SRunner *sr;
        int failed;

        tcase_add_test(tc, appends);
        tcase_add_test(tc, maximum_is_exact_and_failure_sticks);
        tcase_add_test(tc, maximum_zero_and_unlimited);
        tcase_add_test(tc, printf_grows);
        tcase_add_test(tc, take);
        tcase_add_test(tc, quoting);
        tcase_add_test(tc, small_helpers);
        suite_add_tcase(s, tc);
        sr = srunner_create(s);
        srunner_run_all(sr, CK_ENV);
        failed = srunner_ntests_failed(sr);
        srunner_free(sr);
        return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
