/* SPDX-License-Identifier: MIT */
/* The version that a program was compiled with and the one it runs with can be told apart. */
#include <roma/version.h>

#include <check.h>
#include <stdio.h>
#include <stdlib.h>

START_TEST(version_is_the_header_s)
{
        char numbers[32];
        snprintf(numbers, sizeof(numbers), "%d.%d.%d", ROMA_VERSION_MAJOR, ROMA_VERSION_MINOR,
                 ROMA_VERSION_PATCH);
        ck_assert_str_eq(numbers, ROMA_VERSION_STRING);
        ck_assert_str_eq(roma_version(), ROMA_VERSION_STRING);
        ck_assert(ROMA_VERSION >= ROMA_VERSION_NUMBER(0, 1, 0));
        ck_assert(ROMA_VERSION < ROMA_VERSION_NUMBER(ROMA_VERSION_MAJOR, ROMA_VERSION_MINOR + 1, 0));
}
END_TEST

int main(void)
{
        Suite *suite = suite_create("version");
        TCase *tcase = tcase_create("version");
        tcase_add_test(tcase, version_is_the_header_s);
        suite_add_tcase(suite, tcase);
        SRunner *runner = srunner_create(suite);
        srunner_run_all(runner, CK_NORMAL);
        int failed = srunner_ntests_failed(runner);
        srunner_free(runner);
        return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
