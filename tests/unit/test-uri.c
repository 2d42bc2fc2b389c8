/* SPDX-License-Identifier: MIT */
/* Unit tests of core/uri, core/hosts and core/value. The error texts are compared whole: users act on them. */
#include "core/hosts.h"
#include "core/uri.h"
#include "core/value.h"

#include <check.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

static struct ri_uri u;
static struct ri_str err = RI_STR_INIT(RI_STR_MAX_ERROR);

static void parse(const char *text)
{
        ri_uri_clear(&u);
        if (ri_uri_parse(text, &u, &err) < 0)
                ck_abort_msg("%s", ri_str_cstr(&err));
}

static void parts(const char *text, enum ri_uri_kind kind, const char *first, const char *authority,
                  const char *path)
{
        parse(text);
        ck_assert_int_eq(u.kind, kind);
        ck_assert_str_eq(kind == RI_URI_NAMED ? u.name : u.scheme, first);
        ck_assert_str_eq(u.authority, authority);
        ck_assert_str_eq(u.path, path);
}

static void refused(const char *text, const char *sentence)
{
        ri_uri_clear(&u);
        errno = 0;
        ck_assert_int_eq(ri_uri_parse(text, &u, &err), -1);
        ck_assert_str_eq(ri_str_cstr(&err), sentence);
        ck_assert_int_eq(errno, EINVAL);
        ck_assert_ptr_null(u.path);
        ck_assert_int_eq(ri_uri_parse(text, &u, NULL), -1);
}

START_TEST(the_forms)
{
        parts("file:///dir/x", RI_URI_STORE, "file", "", "/dir/x");
        parts("mfs://10.77.0.1/photos", RI_URI_STORE, "mfs", "10.77.0.1", "/photos");
        parts("mfs://a,b:9421/path", RI_URI_STORE, "mfs", "a,b:9421", "/path");
        parts("mfs://a", RI_URI_STORE, "mfs", "a", "");
        parts("mfs://[::1]:9421/x", RI_URI_STORE, "mfs", "[::1]:9421", "/x");
        parts("cephfs://fsname/path", RI_URI_STORE, "cephfs", "fsname", "/path");
        parts("rados://pool/key", RI_URI_STORE, "rados", "pool", "/key");
        parts("S3://bucket/key", RI_URI_STORE, "s3", "bucket", "/key");
        parts("never+heard-of.it://a/b", RI_URI_STORE, "never+heard-of.it", "a", "/b");
        parts("photos:2026/a.jpg", RI_URI_NAMED, "photos", "", "2026/a.jpg");
        parts("x123456789x123456789x123456789x123456789x123456789x123456789x123:", RI_URI_NAMED,
              "x123456789x123456789x123456789x123456789x123456789x123456789x123", "", "");
        parts("photos:", RI_URI_NAMED, "photos", "", "");
        parts("photos:/x", RI_URI_NAMED, "photos", "", "/x");
        parts("photos:a:b//c", RI_URI_NAMED, "photos", "", "a:b//c");
        parts("x", RI_URI_LOCAL, "", "", "x");
        parts("./a:b?c%41", RI_URI_LOCAL, "", "", "./a:b?c%41");
        parts("/x y#z", RI_URI_LOCAL, "", "", "/x y#z");
        parts("../x", RI_URI_LOCAL, "", "", "../x");
        parts("dir/a://b", RI_URI_LOCAL, "", "", "dir/a://b");
        parts("what?", RI_URI_LOCAL, "", "", "what?");
        parts("-", RI_URI_STDIO, "", "", "-");
        parts("./-", RI_URI_LOCAL, "", "", "./-");
}
END_TEST

START_TEST(names_stand_for_themselves)
{
        parts("s3://b/a#b+c d&e=f@g:h", RI_URI_STORE, "s3", "b", "/a#b+c d&e=f@g:h");
        parts("s3://b//a/./../b//", RI_URI_STORE, "s3", "b", "//a/./../b//");
        parts("s3://b/\xc3\xa4\xff", RI_URI_STORE, "s3", "b", "/\xc3\xa4\xff");
        parts("s3://b/100%25%3F%3f%2Fx%ff", RI_URI_STORE, "s3", "b", "/100%?\?/x\xff");
        parts("rados://po%2Fol/x", RI_URI_STORE, "rados", "po/ol", "/x");
        parts("photos:%2541", RI_URI_NAMED, "photos", "", "%41");
}
END_TEST

START_TEST(bad_texts)
{
        refused("", "expected a URI or a path and got an empty text");
        refused("s3://b/a%zz",
                "'s3://b/a%zz': two hexadecimal digits must follow the % (a percent sign in a name is "
                "written %25) at position 9");
        refused("s3://b/100%",
                "'s3://b/100%': two hexadecimal digits must follow the % (a percent sign in a name is "
                "written %25) at position 11");
        refused("s3://b/1%2",
                "'s3://b/1%2': two hexadecimal digits must follow the % (a percent sign in a name is "
                "written %25) at position 9");
        refused("s3://b/x%00y", "'s3://b/x%00y': no name can contain the zero byte %00 at position 9");
        refused("1 2://b/x",
                "'1 2://b/x': what stands before :// is no scheme (such as file, mfs, cephfs, rados, s3)");
        refused("1s://b/x",
                "'1s://b/x': what stands before :// is no scheme (such as file, mfs, cephfs, rados, s3)");
        refused("://b/x",
                "'://b/x': what stands before :// is no scheme (such as file, mfs, cephfs, rados, s3)");
        refused(":x", "':x': what stands before the colon is no name of a store (at most 64 letters, digits, "
                      "'_', '-', "
                      "'.'); a "
                      "local path with a colon is written ./...");
        refused("a\nb:x", "'a\\nb:x': what stands before the colon is no name of a store (at most 64 "
                          "letters, digits, '_', '-', "
                          "'.'); a local path with a colon is written ./...");
        refused("a?b:x", "'a?...': what stands before the colon is no name of a store (at most 64 letters, "
                         "digits, '_', '-', "
                         "'.'); a local path with a colon is written ./...");
        refused("a?b://x", "'a?...': what stands before the colon is no name of a store (at most 64 letters, "
                           "digits, '_', '-', "
                           "'.'); a local path with a colon is written ./...");
}
END_TEST

START_TEST(length_limit)
{
        char *text = malloc(RI_URI_MAX + 2);

        memset(text, 'a', RI_URI_MAX + 2);
        memcpy(text, "s3://b/", 7);
        text[RI_URI_MAX] = '\0';
        parse(text);
        ck_assert_uint_eq(strlen(u.path), RI_URI_MAX - 6);
        text[RI_URI_MAX] = 'a';
        text[RI_URI_MAX + 1] = '\0';
        refused(text, "the URI is longer than 65536 bytes");
        memset(text, '%', RI_URI_MAX);
        memcpy(text, "s3://b/", 7);
        text[RI_URI_MAX] = '\0';
        ck_assert_int_eq(ri_uri_parse(text, &u, &err), -1);
        ck_assert_uint_lt(err.len, 500);
        free(text);
}
END_TEST

START_TEST(options)
{
        parse("s3://b/k?endpoint=http://h:1/?x=y#z&region=eu+1&e=a%26b%25&empty=");
        ck_assert_uint_eq(u.options, 4);
        ck_assert_str_eq(ri_uri_opt(&u, "endpoint"), "http://h:1/?x=y#z");
        ck_assert_str_eq(ri_uri_opt(&u, "region"), "eu+1");
        ck_assert_str_eq(ri_uri_opt(&u, "e"), "a&b%");
        ck_assert_str_eq(ri_uri_opt(&u, "empty"), "");
        ck_assert_ptr_null(ri_uri_opt(&u, "endpoin"));
        parse("photos:x?stall=9s");
        ck_assert_str_eq(ri_uri_opt(&u, "stall"), "9s");
        parse("s3://b?region=x");
        ck_assert_str_eq(u.path, "");
        ck_assert_str_eq(ri_uri_opt(&u, "region"), "x");
        refused("s3://b/k?",
                "'s3://b/k?...': expected an option (name=value; a question mark in a name is written "
                "%3F) at position 10");
        refused("s3://b/k?a=1&&b=2",
                "'s3://b/k?...': expected an option (name=value; a question mark in a name is "
                "written %3F) at position 14");
        refused("s3://b/what?.txt",
                "'s3://b/what?...': expected an option (name=value; a question mark in a name is "
                "written %3F) at position 13");
        refused("s3://b/k?tls",
                "'s3://b/k?...': expected '=' and a value for the option (a question mark in a name "
                "is written %3F) at position 13");
        refused("s3://b/k?a=1&b=2&a=3", "'s3://b/k?...': the option a is given twice");
        refused("s3://b/k?a=%0",
                "'s3://b/k?...': two hexadecimal digits must follow the % (a percent sign in a name "
                "is written %25) at position 12");
}
END_TEST

START_TEST(option_count_limit)
{
        struct ri_str s = RI_STR_INIT(4000);

        ri_str_puts(&s, "s3://b/k?");
        for (int i = 0; i < RI_URI_MAX_OPTIONS; i++)
                ri_str_printf(&s, "%so%d=v", i ? "&" : "", i);
        parse(ri_str_cstr(&s));
        ck_assert_uint_eq(u.options, RI_URI_MAX_OPTIONS);
        ck_assert_int_eq(ri_uri_set_option(&u, "o3", "new"), 0);
        ck_assert_int_eq(ri_uri_set_option(&u, "one-more", "v"), -1);
        ck_assert_str_eq(ri_uri_opt(&u, "o3"), "new");
        ri_str_puts(&s, "&x=1");
        ri_uri_clear(&u);
        ck_assert_int_eq(ri_uri_parse(ri_str_cstr(&s), &u, &err), -1);
        ck_assert_ptr_nonnull(strstr(ri_str_cstr(&err), "too many options at position"));
        ri_str_free(&s);
}
END_TEST

START_TEST(secrets_are_refused_and_not_repeated)
{
        static const char *const bad[] = { "s3://b/k?secret_key=hunter2",
                                           "s3://b/k?endpoint=x&session_token=hunter2",
                                           "s3://b/k?Password=hunter2",
                                           "s3://b/k?password=hunter2%zz",
                                           "mfs://h/k?x=%zzhunter2",
                                           "s3://AKIA:hunter2@b/k%zz",
                                           "s3 x://AKIA:hunter2@b/k",
                                           "photos:x?password=hunter2",
                                           "s3://b/k?proxy=http://u:hunter2@h:1",
                                           "s3://b/k?proxy=u:hunter2@h",
                                           "s3://b/k?proxy=u%3Ahunter2%40h" };

        for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
                ck_assert_int_eq(ri_uri_parse(bad[i], &u, &err), -1);
                ck_assert_ptr_null(strstr(ri_str_cstr(&err), "hunter2"));
        }
        refused(bad[0], "'s3://b/k?...': the option secret_key holds a secret, and command lines are seen by "
                        "everybody: "
                        "use secret_key_file or a store in roma.conf");
        refused("s3://AKIA:pw@b/k",
                "a URI must not contain a password (user:password@...): command lines are seen by "
                "everybody; use the option password_file or a store in roma.conf");
        refused("s3://b/k?proxy=socks5://u:pw@h:1/", "'s3://b/k?...': the option proxy holds a password "
                                                     "(user:password@...), and command lines are seen "
                                                     "by everybody: use a store in roma.conf");
        parse("s3://b/k?proxy=http://u@h:1&ca=/a:b@c/d&endpoint=http://h:1/a:b@c");
        parse("mfs://h/k?password_file=/run/pw");
        parts("cephfs://user@fs/x", RI_URI_STORE, "cephfs", "user@fs", "/x");
        parts("rados://a%3Ab@c/x", RI_URI_STORE, "rados", "a:b@c", "/x");
}
END_TEST

static void formats(const char *text, const char *expect)
{
        struct ri_str s = RI_STR_INIT(1000);
        struct ri_uri again;

        parse(text);
        ck_assert_int_eq(ri_uri_format(&u, &s), 0);
        ck_assert_str_eq(ri_str_cstr(&s), expect);
        ck_assert_int_eq(ri_uri_parse(ri_str_cstr(&s), &again, &err), 0);
        ck_assert(ri_uri_equal(&u, &again));
        ri_uri_clear(&again);
        ri_str_free(&s);
}

START_TEST(format_and_back)
{
        formats("S3://b/a b#c+%25%3F%41\xc3\xa4?e=%26%25+?x", "s3://b/a b#c+%25%3FA\xc3\xa4?e=%26%25+?x");
        formats("s3://b/a%0A%7f\xff\xc2\x9b", "s3://b/a%0A%7F%FF%C2%9B");
        formats("rados://a%3Ab@c%2Fd/x", "rados://a%3Ab@c%2Fd/x");
        formats("mfs://[::1]:9421,h", "mfs://[::1]:9421,h");
        formats("n:%2F/x", "n:%2F/x");
        formats("n:/%2Fx?a=b", "n:%2F/x?a=b");
        formats("n:", "n:");
        formats("file:///", "file:///");
        formats("./a%:?\xff", "./a%:?\xff");
        formats("-", "-");
}
END_TEST

START_TEST(describe)
{
        struct ri_str s = RI_STR_INIT(1000);

        parse("s3://b/a%0Ab'\xff?endpoint=x");
        ck_assert_int_eq(ri_uri_describe(&u, &s), 0);
        ck_assert_str_eq(ri_str_cstr(&s), "s3://b/a%0Ab\\'%FF");
        ri_str_reset(&s);
        parse("./x\n");
        ck_assert_int_eq(ri_uri_describe(&u, &s), 0);
        ck_assert_str_eq(ri_str_cstr(&s), "./x\\n");
        ri_str_reset(&s);
        parse("-");
        ck_assert_int_eq(ri_uri_describe(&u, &s), 0);
        ck_assert_str_eq(ri_str_cstr(&s), "standard input or output");
        ri_str_free(&s);
}
END_TEST

START_TEST(copies)
{
        struct ri_uri c;

        parse("s3://b/k?a=1&b=2");
        ck_assert_int_eq(ri_uri_copy(&u, &c), 0);
        ck_assert(ri_uri_equal(&u, &c));
        ck_assert_int_eq(ri_uri_set_option(&c, "b", "3"), 0);
        ck_assert(!ri_uri_equal(&u, &c));
        ck_assert_str_eq(ri_uri_opt(&u, "b"), "2");
        ri_uri_clear(&c);
        ri_uri_clear(&c);
        parse("x");
        ck_assert_int_eq(ri_uri_set_option(&u, "n", "v"), 0);
        ck_assert_str_eq(ri_uri_opt(&u, "n"), "v");
}
END_TEST

START_TEST(typed_options)
{
        static const char *const choice[] = { "md5", "sha1", "crc", NULL };
        uint64_t v = 7;
        size_t c = 7;
        bool b = true;

        parse("s3://b/k?stall=500ms&size=32M&tls=off&n=10&verify=crc&bad='x'");
        ck_assert_int_eq(ri_uri_opt_duration(&u, "none", &v, &err), 0);
        ck_assert_uint_eq(v, 7);
        ck_assert_int_eq(ri_uri_opt_duration(&u, "stall", &v, &err), 1);
        ck_assert_uint_eq(v, 500);
        ck_assert_int_eq(ri_uri_opt_size(&u, "size", &v, &err), 1);
        ck_assert_uint_eq(v, 32 << 20);
        ck_assert_int_eq(ri_uri_opt_bool(&u, "tls", &b, &err), 1);
        ck_assert(!b);
        ck_assert_int_eq(ri_uri_opt_u64(&u, "n", 1, 10, &v, &err), 1);
        ck_assert_uint_eq(v, 10);
        ck_assert_int_eq(ri_uri_opt_choice(&u, "verify", choice, &c, &err), 1);
        ck_assert_uint_eq(c, 2);
        ck_assert_int_eq(ri_uri_opt_u64(&u, "n", 1, 9, &v, &err), -1);
        ck_assert_str_eq(ri_str_cstr(&err),
                         "option 'n': '10' is not understood, expected a number from 1 to 9");
        ck_assert_int_eq(ri_uri_opt_duration(&u, "bad", &v, &err), -1);
        ck_assert_str_eq(ri_str_cstr(&err),
                         "option 'bad': '\\'x\\'' is not understood, expected a time such as 60s, "
                         "500ms, 2m, 1h (a plain number is seconds)");
        ck_assert_int_eq(ri_uri_opt_size(&u, "bad", &v, &err), -1);
        ck_assert_str_eq(ri_str_cstr(&err),
                         "option 'bad': '\\'x\\'' is not understood, expected a size such as 65536, "
                         "64K, 32M, 1GiB (powers of 1024)");
        ck_assert_int_eq(ri_uri_opt_bool(&u, "bad", &b, NULL), -1);
        ck_assert_int_eq(ri_uri_opt_choice(&u, "n", choice, &c, &err), -1);
        ck_assert_str_eq(ri_str_cstr(&err), "option 'n': '10' is not understood, expected md5, sha1 or crc");
        ck_assert_uint_eq(v, 10);
}
END_TEST

START_TEST(unknown_options)
{
        static const char *const known[] = { "endpoint", "stall", "region", NULL };

        parse("s3://b/k?endpoint=x&stal=1");
        ck_assert_int_eq(ri_uri_check_opts(&u, known, &err), -1);
        ck_assert_str_eq(ri_str_cstr(&err), "unknown option 'stal' (did you mean 'stall'?)");
        parse("s3://b/k?colour=1");
        ck_assert_int_eq(ri_uri_check_opts(&u, known, &err), -1);
        ck_assert_str_eq(ri_str_cstr(&err), "unknown option 'colour'; there are endpoint, stall and region");
        ck_assert_int_eq(ri_uri_check_opts(&u, known, NULL), -1);
        parse("s3://b/k?stall=1&region=2");
        ck_assert_int_eq(ri_uri_check_opts(&u, known, &err), 0);
        ck_assert_str_eq(ri_value_nearest("regoin", known), "region");
        ck_assert_str_eq(ri_value_nearest("endpiont", known), "endpoint");
        ck_assert_ptr_null(ri_value_nearest("", known));
        ck_assert_ptr_null(ri_value_nearest("0123456789012345678901234567890123456789x", known));
}
END_TEST

START_TEST(values)
{
        static const struct {
                const char *text;
                uint64_t ms, size; /* 99: refused */
        } row[] = {
                { "0", 0, 0 },
                { "60", 60000, 60 },
                { "60s", 60000, 99 },
                { "500ms", 500, 99 },
                { "2m", 120000, 2 << 20 },
                { "1h", 3600000, 99 },
                { "1d", 86400000, 99 },
                { "1B", 99, 1 },
                { "64k", 99, 65536 },
                { "1KiB", 99, 1024 },
                { "1Gi", 99, 1 << 30 },
                { "1gib", 99, 1 << 30 },
                { "2T", 99, UINT64_C(2) << 40 },
                { "1P", 99, UINT64_C(1) << 50 },
                { "1MB", 99, 99 },
                { "1KB", 99, 99 },
                { "", 99, 99 },
                { "s", 99, 99 },
                { "-1", 99, 99 },
                { "+1", 99, 99 },
                { " 1", 99, 99 },
                { "1 ", 99, 99 },
                { "1.5s", 99, 99 },
                { "1S", 99, 99 },
                { "18446744073709551616", 99, 99 },
                { "18446744073709551615", 99, UINT64_MAX },
                { "18446744073709551615ms", UINT64_MAX, 99 },
                { "18446744073709552s", 99, 99 },
                { "18446744073709551s", UINT64_C(18446744073709551000), 99 },
                { "16384P", 99, 99 },
                { "0x10", 99, 99 },
                { "1KiBx", 99, 99 },
                { "1\x0b", 99, 99 },
        };

        for (size_t i = 0; i < sizeof(row) / sizeof(row[0]); i++) {
                uint64_t v = 99;

                ck_assert_msg((ri_value_duration(row[i].text, &v) < 0) == (row[i].ms == 99) && v == row[i].ms,
                              "%s", row[i].text);
                v = 99;
                ck_assert_msg((ri_value_size(row[i].text, &v) < 0) == (row[i].size == 99) && v == row[i].size,
                              "%s", row[i].text);
        }
        bool b;
        ck_assert(ri_value_bool("YES", &b) == 0 && b);
        ck_assert(ri_value_bool("true", &b) == 0 && b);
        ck_assert(ri_value_bool("0", &b) == 0 && !b);
        ck_assert(ri_value_bool("", &b) < 0);
}
END_TEST

static void hosts(const char *text, const char *expect)
{
        struct ri_hosts h;
        struct ri_str s = RI_STR_INIT(1000);

        if (ri_hosts_parse(text, 9421, &h, &err) < 0) {
                ck_assert_ptr_null(h.v);
                ck_assert_int_eq(ri_hosts_parse(text, 9421, &h, NULL), -1);
                ck_assert_str_eq(ri_str_cstr(&err), expect);
                return;
        }
        for (size_t i = 0; i < h.n; i++) {
                ri_str_puts(&s, i ? " " : "");
                ri_host_format(h.v[i].name, h.v[i].port, &s);
        }
        ck_assert_str_eq(ri_str_cstr(&s), expect);
        ri_str_free(&s);
        ri_hosts_clear(&h);
}

START_TEST(host_lists)
{
        hosts("h", "h:9421");
        hosts("10.0.0.1:1", "10.0.0.1:1");
        hosts("a,b", "a:9421 b:9421");
        hosts("a,b:9999", "a:9999 b:9999");
        hosts("a:1,b,c:65535", "a:1 b:65535 c:65535");
        hosts("a:1,b", "a:1 b:9421");
        hosts("[::1],[2001:db8::2]:77", "[::1]:77 [2001:db8::2]:77");
        hosts("[fe80::1%eth0]", "[fe80::1%eth0]:9421");
        hosts("", "expected the name or address of a server, got: ''");
        hosts("a,,b", "expected the name or address of a server, got: ''");
        hosts("a b", "expected the name or address of a server, got: 'a b'");
        hosts(":1", "expected the name or address of a server, got: ':1'");
        hosts("h:", "expected a port from 1 to 65535 after the host, got: ''");
        hosts("h:0", "expected a port from 1 to 65535 after the host, got: '0'");
        hosts("h:65536", "expected a port from 1 to 65535 after the host, got: '65536'");
        hosts("h:99999999", "expected a port from 1 to 65535 after the host, got: '99999999'");
        hosts("h:1x", "expected a port from 1 to 65535 after the host, got: '1x'");
        hosts("::1", "an IPv6 address must stand in brackets: '::1'");
        hosts("[::1", "a bracket is not closed in the address: '[::1'");
        hosts("[x]", "expected an IPv6 address in the brackets, got: '[x]'");
        hosts("[::1%]", "expected an IPv6 address in the brackets, got: '[::1%]'");
        hosts("[]", "expected an IPv6 address in the brackets, got: '[]'");
        hosts("[::1]x", "expected ':' and a port after the bracket: '[::1]x'");
        struct ri_str many = RI_STR_INIT(1000);
        for (int i = 0; i <= RI_HOSTS_MAX; i++)
                ri_str_printf(&many, "%sh%d", i ? "," : "", i);
        hosts(ri_str_cstr(&many), "too many servers in one URI, the last one read is: 'h64'");
        ri_str_free(&many);
}
END_TEST

static void clean(void)
{
        ri_uri_clear(&u);
        ri_str_free(&err);
}

int main(void)
{
        Suite *s = suite_create("uri");
        TCase *tc = tcase_create("uri");
        SRunner *sr;
        int failed;

        tcase_add_checked_fixture(tc, NULL, clean);
        tcase_add_test(tc, the_forms);
        tcase_add_test(tc, names_stand_for_themselves);
        tcase_add_test(tc, bad_texts);
        tcase_add_test(tc, length_limit);
        tcase_add_test(tc, options);
        tcase_add_test(tc, option_count_limit);
        tcase_add_test(tc, secrets_are_refused_and_not_repeated);
        tcase_add_test(tc, format_and_back);
        tcase_add_test(tc, describe);
        tcase_add_test(tc, copies);
        tcase_add_test(tc, typed_options);
        tcase_add_test(tc, unknown_options);
        tcase_add_test(tc, values);
        tcase_add_test(tc, host_lists);
        suite_add_tcase(s, tc);
        sr = srunner_create(s);
        srunner_run_all(sr, CK_ENV);
        failed = srunner_ntests_failed(sr);
        srunner_free(sr);
        return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
