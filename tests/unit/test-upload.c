/* SPDX-License-Identifier: MIT */
/* Names in the folder of an upload, and its own file: what is written is read again, what is odd is refused. */
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "core/upload.h"

static const struct ri_part_name part = { 7, UINT64_C(0x1890abcdef012345), "0123456789abcdef0123456789abcdef",
                                          0xdeadbeef, 67108864 };

START_TEST(part_names)
{
        char *key = ri_part_key("a/b/c", "0123456789abcdef", &part);
        struct ri_part_name n;

        ck_assert_str_eq(key,
                         "a/b/.roma~0123456789abcdef/00007~1890abcdef012345~0123456789abcdef0123456789abcdef~"
                         "deadbeef~0000000004000000");
        ck_assert(ri_part_parse(strrchr(key, '/') + 1, &n));
        ck_assert_uint_eq(n.number, part.number);
        ck_assert(n.time == part.time && n.crc == part.crc && n.length == part.length);
        ck_assert_str_eq(n.etag, part.etag);
        free(key);
}
END_TEST

/* Every name that is one character away, or shorter. */
START_TEST(odd_part_names)
{
        static const char good[] =
                "00007~1890abcdef012345~0123456789abcdef0123456789abcdef~deadbeef~0000000004000000";
        struct ri_part_name n;

        ck_assert(ri_part_parse(good, &n));
        for (size_t i = 0; i < sizeof(good) - 1; i++) {
                char s[sizeof(good) + 1];

                memcpy(s, good, sizeof(good));
                s[i] = 'X';
                ck_assert(!ri_part_parse(s, &n));
                s[i] = '\0';
                ck_assert(!ri_part_parse(s, &n));
        }
        ck_assert(!ri_part_parse(
                "00007~1890abcdef012345~0123456789abcdef0123456789abcdef~deadbeef~00000000040000000", &n));
        ck_assert(!ri_part_parse(
                "00000~1890abcdef012345~0123456789abcdef0123456789abcdef~deadbeef~0000000004000000", &n));
        ck_assert(!ri_part_parse(
                "10001~1890abcdef012345~0123456789abcdef0123456789abcdef~deadbeef~0000000004000000", &n));
        ck_assert(!ri_part_parse(
                "00007~1890abcdef012345~0123456789abcdef0123456789abcdef~deadbeef~8000000000000000", &n));
        ck_assert(!ri_part_parse("", &n));
}
END_TEST

START_TEST(ids)
{
        ck_assert(ri_upload_id_ok("0123456789abcdef"));
        ck_assert(ri_upload_id_ok("zzzzzzzzzzzzzzzz"));
        ck_assert(!ri_upload_id_ok("0123456789abcde"));
        ck_assert(!ri_upload_id_ok("0123456789abcdefg"));
        ck_assert(!ri_upload_id_ok("0123456789abcdeF"));
        ck_assert(!ri_upload_id_ok("../../../../../.."));
        ck_assert(!ri_upload_id_ok("012345678/abcdef"));
        ck_assert(!ri_upload_id_ok(""));
        ck_assert(!ri_upload_id_ok(NULL));
}
END_TEST

START_TEST(folders)
{
        const char *id, *name;

        ck_assert(ri_upload_split("a/.roma~0123456789abcdef/decided", &id, &name));
        ck_assert(strncmp(id, "0123456789abcdef/", 17) == 0);
        ck_assert_str_eq(name, "decided");
        ck_assert(ri_upload_split(".roma~0123456789abcdef/", &id, &name));
        ck_assert_str_eq(name, "");
        ck_assert(!ri_upload_split("a/.roma~0123456789abcdef", &id, &name)); /* a temporary of a writer */
        ck_assert(!ri_upload_split("a/.roma~0123456789abcde/x", &id, &name));
        ck_assert(!ri_upload_split("", &id, &name));
}
END_TEST

START_TEST(hidden)
{
        const char *key = "a/.roma~0123456789abcdef/00001";

        ck_assert(ri_temp_below(key, 0));
        ck_assert(ri_temp_below(key, 2));
        ck_assert(ri_temp_below(key, 5)); /* the prefix ends within the name */
        ck_assert(!ri_temp_below(key, strlen("a/.roma~0123456789abcdef/")));
        ck_assert(!ri_temp_below("a/b/c", 0));
        ck_assert(!ri_temp_below("", 0));
}
END_TEST

static void note(const char *key, const roma_attr *attr)
{
        const char *slash = strrchr(key, '/');
        struct ri_str s = RI_STR_INIT(1000);
        roma_attr got;
        char *base;

        ck_assert_int_eq(ri_upload_note(&s, key, attr), 0);
        ck_assert(ri_upload_note_read(ri_str_cstr(&s), &base, &got));
        ck_assert_str_eq(base, slash ? slash + 1 : key);
        ck_assert_uint_eq(got.mask, attr ? attr->mask : 0);
        ck_assert(!(got.mask & ROMA_ATTR_MODE) || got.mode == attr->mode);
        ck_assert(!(got.mask & ROMA_ATTR_MTIME) || got.mtime_ns == attr->mtime_ns);
        free(base);
        ri_str_free(&s);
}

START_TEST(notes)
{
        static const char *const odd[] = { "",
                                           "roma upload 1\n",
                                           "roma upload 2\nkey a",
                                           "roma upload 1\nmode 99999\nkey a",
                                           "roma upload 1\nmode\nkey a",
                                           "roma upload 1\nwhat 3\nkey a",
                                           "roma upload 1\nmode 420" };
        const roma_attr attr = {
                .size = sizeof(attr), .mask = ROMA_ATTR_MODE | ROMA_ATTR_MTIME, .mode = 0640, .mtime_ns = -5
        };
        roma_attr got;
        char *base;

        note("file", NULL);
        note("a/b/file with\nkey in it", &attr);
        note("a/\xff\xfe", &attr);
        for (size_t i = 0; i < sizeof(odd) / sizeof(odd[0]); i++)
                ck_assert(!ri_upload_note_read(odd[i], &base, &got));
}
END_TEST

int main(void)
{
        Suite *suite = suite_create("upload");
        TCase *tc = tcase_create("names");
        SRunner *runner;
        int failed;

        tcase_add_test(tc, part_names);
        tcase_add_test(tc, odd_part_names);
        tcase_add_test(tc, ids);
        tcase_add_test(tc, folders);
        tcase_add_test(tc, hidden);
        tcase_add_test(tc, notes);
        suite_add_tcase(suite, tc);
        runner = srunner_create(suite);
        srunner_run_all(runner, CK_NORMAL);
        failed = srunner_ntests_failed(runner);
        srunner_free(runner);
        return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
