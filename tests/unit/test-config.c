/* SPDX-License-Identifier: MIT */
/* Unit tests of core/config: the format, the files and their rights, names resolved to stores. */
#include "core/config.h"

#include <check.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static struct ri_config c;
static struct ri_str err = RI_STR_INIT(RI_STR_MAX_ERROR);
static char dir[] = "/tmp/roma-test-config-XXXXXX";

static void parse(const char *text)
{
        ri_config_clear(&c);
        if (ri_config_parse(&c, "roma.conf", text, strlen(text), &err) < 0)
                ck_abort_msg("%s", ri_str_cstr(&err));
}

static void refused_bytes(const char *text, size_t n, const char *sentence)
{
        ri_config_clear(&c);
        errno = 0;
        ck_assert_int_eq(ri_config_parse(&c, "roma.conf", text, n, &err), -1);
        ck_assert_str_eq(ri_str_cstr(&err), sentence);
        ck_assert_int_eq(errno, EINVAL);
        ck_assert_ptr_null(c.file);
        ck_assert_int_eq(ri_config_parse(&c, "roma.conf", text, n, NULL), -1);
}

static void refused(const char *text, const char *sentence)
{
        refused_bytes(text, strlen(text), sentence);
}

static void has(const char *section, const char *key, const char *value)
{
        const char *v = ri_config_get(&c, section, key);

        ck_assert_ptr_nonnull(v);
        ck_assert_str_eq(v, value);
}

START_TEST(the_format)
{
        parse("\xef\xbb\xbf# comment\n"
              "  ; another\n"
              "\n"
              "[ photos ]\r\n"
              "uri = s3://bucket/2026 # not a comment\r\n"
              "\tendpoint=https://h:1/?a=b;c\t \n"
              "empty =\n"
              "quoted = \"  a \\\" and \\\\ b  \"\n"
              "late-quote = a\"b\"\n"
              "utf8 = \xc3\xa4\xff\n"
              "[b]\n"
              "uri=mfs://h/");
        ck_assert_uint_eq(c.sections, 2);
        has("photos", "uri", "s3://bucket/2026 # not a comment");
        has("photos", "endpoint", "https://h:1/?a=b;c");
        has("photos", "empty", "");
        has("photos", "quoted", "  a \" and \\ b  ");
        has("photos", "late-quote", "a\"b\"");
        has("photos", "utf8", "\xc3\xa4\xff");
        has("b", "uri", "mfs://h/");
        ck_assert_ptr_null(ri_config_get(&c, "b", "endpoint"));
        ck_assert_ptr_null(ri_config_get(&c, "x", "uri"));
        ck_assert_uint_eq(ri_config_find(&c, "b")->line, 11);
        ck_assert(!ri_config_has_secret(&c));
        parse("");
        ck_assert_uint_eq(c.sections, 0);
}
END_TEST

START_TEST(errors_name_the_line)
{
        refused("[a]\n[b\n", "roma.conf:2: expected ']' at the end of the line that begins a section");
        refused("[", "roma.conf:1: expected ']' at the end of the line that begins a section");
        refused("[a] x\n", "roma.conf:1: expected ']' at the end of the line that begins a section");
        refused("[a]\nx123456789x123456789x123456789x123456789x123456789x123456789x1234 = x\n",
                "roma.conf:2: what stands before '=' is no key (at most 64 letters, digits, '_', '-', '.')");
        refused("[]\n",
                "roma.conf:1: the name of a store is made of at most 64 letters, digits, '_', '-' and '.'");
        refused("[a b]\n",
                "roma.conf:1: the name of a store is made of at most 64 letters, digits, '_', '-' and '.'");
        refused("[a]\n\n[a]\n", "roma.conf:3: the section [a] was already given in line 1");
        refused("[a]\nx = 1\ny = 2\nx = 3\n", "roma.conf:4: the key x was already given in line 2");
        refused("x = 1\n", "roma.conf:1: a key stands before the first [section]");
        refused("[a]\nhello\n", "roma.conf:2: expected [section] or key = value");
        refused("[a]\n= x\n",
                "roma.conf:2: what stands before '=' is no key (at most 64 letters, digits, '_', '-', '.')");
        refused("[a]\nx y = x\n",
                "roma.conf:2: what stands before '=' is no key (at most 64 letters, digits, '_', '-', '.')");
        refused("[a]\nx = \"abc\n", "roma.conf:2: the closing '\"' of the value is missing");
        refused("[a]\nx = \"abc\\\n", "roma.conf:2: the closing '\"' of the value is missing");
        refused("[a]\nx = \"abc\\n\"\n", "roma.conf:2: inside a quoted value a backslash stands only before "
                                         "'\"' or another backslash");
        refused("[a]\nx = \"abc\" d\n",
                "roma.conf:2: text after the closing '\"' of the value (a '\"' inside it is written \\\")");
        refused("[a]\nx = a\x01\n", "roma.conf:2: a control character (0x01) in byte 6 of the line");
        refused("[a]\rx = a\n", "roma.conf:1: a control character (0x0d) in byte 4 of the line");
        refused_bytes("[a]\nx = a\0b\n", 11, "roma.conf:2: a control character (0x00) in byte 6 of the line");
        refused("[a]\npassword = x\npassword_file = y\n",
                "roma.conf:3: password in line 2 already gives this secret");
        refused("[a]\nsecret_key_file = x\nsecret_key = y\n",
                "roma.conf:3: secret_key_file in line 2 already gives this secret");
}
END_TEST

START_TEST(long_lines)
{
        struct ri_str s = RI_STR_INIT(RI_CONFIG_MAX_FILE + 10);
        size_t head;

        /* The length of an STS session token and more; Debian's inih would have kept 200 bytes of it. */
        ri_str_puts(&s, "[a]\nuri = s3://b\nsession_token = ");
        head = s.len;
        for (int i = 0; i < 2048; i++)
                ri_str_putc(&s, (char)('a' + i % 26));
        parse(ri_str_cstr(&s));
        has("a", "session_token", ri_str_cstr(&s) + head);
        ck_assert_uint_eq(strlen(ri_config_get(&c, "a", "session_token")), 2048);

        ri_str_truncate(&s, 4);
        ri_str_puts(&s, "x=");
        for (size_t i = 2; i < RI_CONFIG_MAX_LINE; i++)
                ri_str_putc(&s, 'y');
        ri_str_puts(&s, "\r\n");
        parse(ri_str_cstr(&s));
        ck_assert_uint_eq(strlen(ri_config_get(&c, "a", "x")), RI_CONFIG_MAX_LINE - 2);
        ri_str_truncate(&s, s.len - 2);
        ri_str_puts(&s, "y\n");
        refused(ri_str_cstr(&s), "roma.conf:2: the line is longer than 65536 bytes");
        ri_str_free(&s);
}
END_TEST

START_TEST(limits)
{
        struct ri_str s = RI_STR_INIT(2 * RI_CONFIG_MAX_FILE);

        for (int i = 0; i < RI_CONFIG_MAX_SECTIONS; i++)
                ri_str_printf(&s, "[s%d]\n", i);
        parse(ri_str_cstr(&s));
        ck_assert_uint_eq(c.sections, RI_CONFIG_MAX_SECTIONS);
        ri_str_puts(&s, "[one-more]\n");
        refused(ri_str_cstr(&s), "roma.conf:1001: more than 1000 sections");
        ri_str_reset(&s);
        ri_str_puts(&s, "[a]\n");
        for (int i = 0; i <= RI_CONFIG_MAX_KEYS; i++)
                ri_str_printf(&s, "k%d = v\n", i);
        refused(ri_str_cstr(&s), "roma.conf:66: more than 64 keys in one section");
        ri_str_reset(&s);
        while (s.len <= RI_CONFIG_MAX_FILE)
                ri_str_puts(&s, "# comment comment comment\n");
        refused(ri_str_cstr(&s), "roma.conf: the file is longer than 1048576 bytes");
        ri_str_free(&s);
}
END_TEST

START_TEST(secrets_stay_out_of_errors)
{
        static const char *const bad[] = { "[a]\npassword = \"hunter2\n",
                                           "[a]\npassword = \"hunter2\" hunter2\n",
                                           "[a]\npassword = \"\\hunter2\"\n",
                                           "[a]\npassword hunter2\n",
                                           "[a]\npassword = hunter2\x01\n",
                                           "[a]\npassword: hunter2 = x\n",
                                           "[a]\npassword = x\npassword = hunter2\n" };

        for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
                ri_config_clear(&c);
                ck_assert_int_eq(ri_config_parse(&c, "roma.conf", bad[i], strlen(bad[i]), &err), -1);
                ck_assert_ptr_null(strstr(ri_str_cstr(&err), "hunter2"));
        }
}
END_TEST

static const char *in_dir(const char *name)
{
        static char path[200];

        snprintf(path, sizeof(path), "%s/%s", dir, name);
        return path;
}

static void write_file(const char *name, mode_t mode, const void *text, size_t n)
{
        FILE *f = fopen(in_dir(name), "wb");

        ck_assert_ptr_nonnull(f);
        ck_assert_uint_eq(fwrite(text, 1, n, f), n);
        ck_assert_int_eq(fclose(f), 0);
        ck_assert_int_eq(chmod(in_dir(name), mode), 0);
}

static void write_text(const char *name, mode_t mode, const char *text)
{
        write_file(name, mode, text, strlen(text));
}

static void error_is(const char *name, const char *rest)
{
        char expect[500];

        snprintf(expect, sizeof(expect), "%s%s", in_dir(name), rest);
        ck_assert_str_eq(ri_str_cstr(&err), expect);
}

START_TEST(file_rights)
{
        char expect[500];
        static const mode_t bad[] = { 0640, 0604, 0620, 0602, 0666 };

        write_text("a.conf", 0644, "[a]\nuri = mfs://h\npassword_file = pw\n");
        ck_assert_int_eq(ri_config_load_file(&c, in_dir("a.conf"), &err), 0);
        has("a", "uri", "mfs://h");
        ri_config_clear(&c);
        write_text("b.conf", 0600, "[a]\nuri = mfs://h\npassword = x\n");
        ck_assert_int_eq(ri_config_load_file(&c, in_dir("b.conf"), &err), 0);
        has("a", "password", "x");
        ri_config_clear(&c);
        snprintf(expect, sizeof(expect),
                 ": the file holds a secret and others than its owner can read or change it: chmod 600 "
                 "%s/b.conf",
                 dir);
        for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
                ck_assert_int_eq(chmod(in_dir("b.conf"), bad[i]), 0);
                ck_assert_int_eq(ri_config_load_file(&c, in_dir("b.conf"), &err), -1);
                ck_assert_int_eq(errno, EPERM);
                error_is("b.conf", expect);
                ck_assert_ptr_null(c.file);
        }
        write_text("c.conf", 0644, "[a]\nuri = s3://b\nproxy = http://u:hunter2@h:1\n");
        ck_assert_int_eq(ri_config_load_file(&c, in_dir("c.conf"), &err), -1);
        ck_assert_int_eq(errno, EPERM);
        ck_assert_int_eq(ri_config_load_file(&c, in_dir("none"), &err), -1);
        ck_assert_int_eq(errno, ENOENT);
        error_is("none", ": cannot be opened: No such file or directory");
        ck_assert_int_eq(ri_config_load_file(&c, dir, &err), -1);
        ck_assert_ptr_nonnull(strstr(ri_str_cstr(&err), ": is not a regular file"));
}
END_TEST

START_TEST(not_a_file)
{
        ck_assert_int_eq(mkfifo(in_dir("pipe"), 0600), 0);
        ck_assert_int_eq(ri_config_load_file(&c, in_dir("pipe"), &err), -1);
        error_is("pipe", ": is not a regular file");
        write_text("big.conf", 0600, "");
        ck_assert_int_eq(truncate(in_dir("big.conf"), (off_t)RI_CONFIG_MAX_FILE + 1), 0);
        ck_assert_int_eq(ri_config_load_file(&c, in_dir("big.conf"), &err), -1);
        error_is("big.conf", ": is longer than 1048576 bytes");
}
END_TEST

START_TEST(lookup)
{
        ck_assert_int_eq(mkdir(in_dir("xdg"), 0700), 0);
        ck_assert_int_eq(mkdir(in_dir("xdg/roma"), 0700), 0);
        ck_assert_int_eq(mkdir(in_dir(".config"), 0700), 0);
        ck_assert_int_eq(mkdir(in_dir(".config/roma"), 0700), 0);
        write_text("named.conf", 0600, "[named]\nuri=x\n");
        write_text(".config/roma/roma.conf", 0600, "[home]\nuri=x\n");

        setenv("HOME", dir, 1);
        setenv("ROMA_CONFIG", in_dir("named.conf"), 1);
        ck_assert_int_eq(ri_config_load_default(&c, &err), 0);
        has("named", "uri", "x");
        ri_config_clear(&c);

        setenv("ROMA_CONFIG", in_dir("none.conf"), 1);
        ck_assert_int_eq(ri_config_load_default(&c, &err), -1);
        error_is("none.conf", ": cannot be opened: No such file or directory");

        setenv("ROMA_CONFIG", "", 1);
        unsetenv("XDG_CONFIG_HOME");
        ck_assert_int_eq(ri_config_load_default(&c, &err), 0);
        has("home", "uri", "x");
        ri_config_clear(&c);

        setenv("XDG_CONFIG_HOME", "relative", 1);
        ck_assert_int_eq(ri_config_load_default(&c, &err), 0);
        has("home", "uri", "x");
        ri_config_clear(&c);

        setenv("XDG_CONFIG_HOME", in_dir("xdg"), 1);
        write_text("xdg/roma/roma.conf", 0600, "[xdg]\nuri=x\n");
        ck_assert_int_eq(ri_config_load_default(&c, &err), 0);
        has("xdg", "uri", "x");
        ri_config_clear(&c);

        /* A file that is there and wrong is not passed over for the next. */
        write_text("xdg/roma/roma.conf", 0600, "nonsense\n");
        ck_assert_int_eq(ri_config_load_default(&c, &err), -1);
        error_is("xdg/roma/roma.conf", ":1: expected [section] or key = value");
        if (access("/etc/roma/roma.conf", F_OK) < 0) {
                ck_assert_int_eq(unlink(in_dir("xdg/roma/roma.conf")), 0);
                ck_assert_int_eq(ri_config_load_default(&c, &err), 0);
                ck_assert_ptr_null(c.file);
                ck_assert_uint_eq(c.sections, 0);
                ck_assert_str_eq(ri_str_cstr(&err), "");
        }
}
END_TEST

START_TEST(secret_files)
{
        struct ri_str s = RI_STR_INIT(RI_SECRET_FILE_MAX);
        static const char *const good[] = { "hunter2", "hunter2\n", "hunter2\r\n" };
        char big[RI_SECRET_FILE_MAX + 1];

        for (size_t i = 0; i < 3; i++) {
                write_text("pw", 0400, good[i]);
                ck_assert_int_eq(ri_secret_file_read(in_dir("pw"), &s, &err), 0);
                ck_assert_str_eq(ri_str_cstr(&s), "hunter2");
                ck_assert_int_eq(unlink(in_dir("pw")), 0);
        }
        write_text("pw", 0600, " two\nlines \n\n");
        ck_assert_int_eq(ri_secret_file_read(in_dir("pw"), &s, &err), 0);
        ck_assert_str_eq(ri_str_cstr(&s), " two\nlines \n");
        memset(big, 'x', sizeof(big));
        write_file("pw", 0600, big, RI_SECRET_FILE_MAX);
        ck_assert_int_eq(ri_secret_file_read(in_dir("pw"), &s, &err), 0);
        ck_assert_uint_eq(s.len, RI_SECRET_FILE_MAX);
        write_file("pw", 0600, big, RI_SECRET_FILE_MAX + 1);
        ck_assert_int_eq(ri_secret_file_read(in_dir("pw"), &s, &err), -1);
        error_is("pw", ": is longer than 4096 bytes");
        write_file("pw", 0600, "a\0b", 3);
        ck_assert_int_eq(ri_secret_file_read(in_dir("pw"), &s, &err), -1);
        error_is("pw", ": contains a zero byte, which no secret can");
        write_text("pw", 0600, "\n");
        ck_assert_int_eq(ri_secret_file_read(in_dir("pw"), &s, &err), -1);
        error_is("pw", ": is empty, expected a secret");
        write_text("pw", 0644, "hunter2");
        ck_assert_int_eq(ri_secret_file_read(in_dir("pw"), &s, &err), -1);
        ck_assert_ptr_nonnull(strstr(ri_str_cstr(&err), "chmod 600"));
        ck_assert_ptr_null(strstr(ri_str_cstr(&err), "hunter2"));
        ri_str_wipe(&s);
}
END_TEST

static void resolves(const char *name, const char *expect)
{
        struct ri_uri named, out;
        struct ri_str s = RI_STR_INIT(RI_URI_MAX);

        ck_assert_int_eq(ri_uri_parse(name, &named, &err), 0);
        ck_assert_int_eq(named.kind, RI_URI_NAMED);
        if (ri_config_resolve(&c, &named, &out, &err) == 0) {
                ck_assert_str_eq(out.name, named.name);
                ck_assert_int_eq(ri_uri_format(&out, &s), 0);
                ck_assert_str_eq(ri_str_cstr(&s), expect);
                ri_uri_clear(&out);
        } else {
                ck_assert_str_eq(ri_str_cstr(&err), expect);
                ck_assert_ptr_null(out.path);
                ck_assert_int_eq(ri_config_resolve(&c, &named, &out, NULL), -1);
        }
        ri_uri_clear(&named);
        ri_str_free(&s);
}

START_TEST(resolve)
{
        parse("[p]\nuri = s3://bucket/pre?region=eu\nendpoint = http://h?a&b\nsecret_key = hunter2\n"
              "[bare]\nuri = s3://bucket\n[slash]\nuri = mfs://h/\n"
              "[nouri]\nendpoint=x\n[local]\nuri = /tmp/x\n[badscheme]\nuri = s3://b/%zz\n"
              "[twice]\nuri = s3://b?region=x\nregion = y\n[typo]\nuri = s3://b\nsecretkey = hunter2\n"
              "[userinfo]\nuri = s3://AKIA:hunter2@b\n");
        resolves("p:x?stall=9s", "s3://bucket/pre/x?region=eu&endpoint=http://h?a%26b&stall=9s");
        resolves("p:/x?endpoint=other", "s3://bucket/pre/x?region=eu&endpoint=other");
        resolves("p:", "s3://bucket/pre?region=eu&endpoint=http://h?a%26b");
        resolves("bare:x", "s3://bucket/x");
        resolves("bare:/x", "s3://bucket/x");
        resolves("bare:%2F/x", "s3://bucket//x");
        resolves("slash:x/../y", "mfs://h/x/../y");
        resolves("slash:/x", "mfs://h/x");
        resolves("slash:%2F/x", "mfs://h//x");
        resolves("slash:", "mfs://h/");
        resolves("slas:x", "no store 'slas' in roma.conf (did you mean 'slash'?)");
        resolves("zzzzzz:x",
                 "no store 'zzzzzz' in roma.conf (a URI is written zzzzzz://..., a local path ./zzzzzz:...)");
        resolves("nouri:x", "roma.conf:9: the section [nouri] has no key uri");
        resolves("local:x", "roma.conf:12: expected a URI with a scheme, such as mfs://host/path");
        resolves("badscheme:x",
                 "roma.conf:14: 's3://b/%zz': two hexadecimal digits must follow the % (a percent sign "
                 "in a name is written %25) at position 8");
        resolves("twice:x", "roma.conf:17: region is also an option of the section's uri");
        resolves("typo:x", "roma.conf:20: unknown key 'secretkey' (did you mean 'secret_key'?)");
        resolves("userinfo:x", "roma.conf:22: a URI must not contain a password (user:password@...): command "
                               "lines are seen by "
                               "everybody; use the option password_file or a store in roma.conf");
}
END_TEST

START_TEST(resolve_without_configuration)
{
        struct ri_uri named, out;

        ck_assert_int_eq(ri_uri_parse("mfs:/x", &named, &err), 0);
        ck_assert_int_eq(ri_config_resolve(NULL, &named, &out, &err), -1);
        ck_assert_str_eq(ri_str_cstr(&err),
                         "no store 'mfs' in roma.conf: none was found (a URI is written mfs://..., a "
                         "local path ./mfs:...)");
        ri_config_clear(&c);
        ck_assert_int_eq(ri_config_resolve(&c, &named, &out, &err), -1);
        ri_uri_clear(&named);
}
END_TEST

START_TEST(too_many_options)
{
        struct ri_str s = RI_STR_INIT(4000);

        ri_str_puts(&s, "[a]\nuri = s3://b?x=1&y=2&z=3\n");
        for (int i = 0; i < RI_CONFIG_MAX_KEYS - 1; i++)
                ri_str_printf(&s, "k%d = v\n", i);
        parse(ri_str_cstr(&s));
        resolves("a:x", "more than 64 options for one store");
        ri_str_free(&s);
}
END_TEST

START_TEST(secrets_of_a_store)
{
        struct ri_str s = RI_STR_INIT(RI_SECRET_FILE_MAX);
        struct ri_uri named, out;
        char text[300];

        write_text("pw", 0600, "from file\n");
        write_text("roma.conf", 0600,
                   "[a]\nuri = s3://b\nsecret_key = from section\npassword_file = pw\n[b]\nuri = s3://b\n");
        ck_assert_int_eq(ri_config_load_file(&c, in_dir("roma.conf"), &err), 0);
        ck_assert_int_eq(ri_uri_parse("a:x", &named, &err), 0);
        ck_assert_int_eq(ri_config_resolve(&c, &named, &out, &err), 0);
        ck_assert_str_eq(ri_uri_opt(&out, "password_file"), in_dir("pw"));
        ck_assert_ptr_null(ri_uri_opt(&out, "secret_key"));
        ck_assert_int_eq(ri_secret_get(&out, &c, "secret_key", &s, &err), 1);
        ck_assert_str_eq(ri_str_cstr(&s), "from section");
        ck_assert_int_eq(ri_secret_get(&out, &c, "password", &s, &err), 1);
        ck_assert_str_eq(ri_str_cstr(&s), "from file");
        ck_assert_int_eq(ri_secret_get(&out, &c, "session_token", &s, &err), 0);
        ck_assert_int_eq(unlink(in_dir("pw")), 0);
        ck_assert_int_eq(ri_secret_get(&out, &c, "password", &s, &err), -1);
        error_is("pw", ": cannot be opened: No such file or directory");
        ri_uri_clear(&named);
        ri_uri_clear(&out);

        /* A store given by its URI has only what the URI names. */
        write_text("pw", 0600, "from file\n");
        snprintf(text, sizeof(text), "s3://b/x?password_file=%s/pw", dir);
        ck_assert_int_eq(ri_uri_parse(text, &out, &err), 0);
        ck_assert_int_eq(ri_secret_get(&out, NULL, "password", &s, &err), 1);
        ck_assert_str_eq(ri_str_cstr(&s), "from file");
        ck_assert_int_eq(ri_secret_get(&out, &c, "secret_key", &s, &err), 0);
        ri_uri_clear(&out);
        ri_str_wipe(&s);
}
END_TEST

START_TEST(on_the_heap)
{
        struct ri_config *h = ri_config_new();

        ck_assert_ptr_nonnull(h);
        ck_assert_int_eq(ri_config_parse(h, "f", "[a]\nuri=x", 9, &err), 0);
        ri_config_free(h);
        ri_config_free(NULL);
}
END_TEST

static void make_dir(void)
{
        ck_assert_ptr_nonnull(mkdtemp(dir));
}

static void clean(void)
{
        static const char *const name[] = { "a.conf",       "b.conf",    "c.conf",
                                            "pipe",         "big.conf",  "named.conf",
                                            "pw",           "roma.conf", "xdg/roma/roma.conf",
                                            "xdg/roma",     "xdg",       ".config/roma/roma.conf",
                                            ".config/roma", ".config" };

        for (size_t i = 0; i < sizeof(name) / sizeof(name[0]); i++)
                (void)remove(in_dir(name[i]));
        ck_assert_int_eq(rmdir(dir), 0);
        ri_config_clear(&c);
        ri_str_free(&err);
}

int main(void)
{
        Suite *s = suite_create("config");
        TCase *tc = tcase_create("config");
        SRunner *sr;
        int failed;

        tcase_add_checked_fixture(tc, make_dir, clean);
        tcase_add_test(tc, the_format);
        tcase_add_test(tc, errors_name_the_line);
        tcase_add_test(tc, long_lines);
        tcase_add_test(tc, limits);
        tcase_add_test(tc, secrets_stay_out_of_errors);
        tcase_add_test(tc, file_rights);
        tcase_add_test(tc, not_a_file);
        tcase_add_test(tc, lookup);
        tcase_add_test(tc, secret_files);
        tcase_add_test(tc, resolve);
        tcase_add_test(tc, resolve_without_configuration);
        tcase_add_test(tc, too_many_options);
        tcase_add_test(tc, secrets_of_a_store);
        tcase_add_test(tc, on_the_heap);
        suite_add_tcase(s, tc);
        sr = srunner_create(s);
        srunner_run_all(sr, CK_ENV);
        failed = srunner_ntests_failed(sr);
        srunner_free(sr);
        return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
