/* SPDX-License-Identifier: MIT */
/* What of the store of S3 needs no server: XML, keys from files, places from URIs, attributes from headers, CRC-64, the
 * conditions of a form. */
#include <check.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "s3compat/crc.h"
#include "s3compat/creds.h"
#include "s3compat/policy.h"
#include "s3compat/store.h"

static int note(void *arg, const char *path, const char *text)
{
        struct ri_str *seen = arg;

        return text ? ri_str_printf(seen, "%s=%s;", path, text) : 0;
}

static const char *read_xml(const char *doc, struct ri_str *seen, struct ri_str *err)
{
        ri_str_reset(seen);
        return s3_xml_read(doc, strlen(doc), note, seen, err) < 0 ? NULL : ri_str_cstr(seen);
}

START_TEST(xml)
{
        struct ri_str seen = RI_STR_INIT(1 << 20), err = RI_STR_INIT(400), deep = RI_STR_INIT(1 << 20);
        struct s3_xml_error e;
        const char *doc =
                "<Error><Code>SlowDown</Code><Message>a &amp; b</Message><RequestId>r</RequestId></Error>";

        ck_assert_str_eq(read_xml("<a><b>1</b><c><b> 2 </b></c></a>", &seen, &err),
                         "a/b=1;a/c/b= 2 ;a/c=;a=;");
        ck_assert_str_eq(read_xml(" \r\n <?xml version=\"1.0\"?><a>1</a>", &seen, &err), "a=1;");
        ck_assert_ptr_null(read_xml("   ", &seen, &err));
        ck_assert_ptr_null(read_xml("<a><b>", &seen, &err));
        ck_assert_ptr_null(read_xml("", &seen, &err));
        ck_assert_ptr_null(read_xml("<!DOCTYPE a [<!ENTITY b 'c'>]><a>&b;</a>", &seen, &err));
        ck_assert_str_eq(ri_str_cstr(&err), "the answer's XML is not usable: a DOCTYPE is not allowed");
        for (int i = 0; i < 17; i++)
                ri_str_puts(&deep, "<a>");
        ck_assert_ptr_null(read_xml(ri_str_cstr(&deep), &seen, &err));
        ri_str_reset(&deep);
        ri_str_puts(&deep, "<a>");
        for (int i = 0; i < 70000; i++)
                ri_str_putc(&deep, 'x');
        ri_str_puts(&deep, "</a>");
        ck_assert_ptr_null(read_xml(ri_str_cstr(&deep), &seen, &err));
        ck_assert(s3_xml_error(doc, strlen(doc), &e));
        ck_assert_str_eq(e.code, "SlowDown");
        ck_assert_str_eq(e.message, "a & b");
        ck_assert(!s3_xml_error("<ListBucketResult/>", 19, &e));
        ck_assert(!s3_xml_error("no xml", 6, &e));
        ri_str_free(&deep);
        ri_str_free(&seen);
        ri_str_free(&err);
}
END_TEST

START_TEST(keys)
{
        static const char text[] =
                "# a comment\r\n[other]\naws_access_key_id = NO\n[ default ]\n"
                "aws_access_key_id=ID\naws_secret_access_key = a=b+/ \r\ns3 =\n  region = no\n"
                "aws_session_token = ";
        struct ri_str err = RI_STR_INIT(400), long_file = RI_STR_INIT(8192);
        struct s3_creds c = { 0 };

        ck_assert_int_eq(s3_creds_parse(&c, text, sizeof(text) - 1, "default", false, &err), 0);
        ck_assert_str_eq(c.id, "ID");
        ck_assert_str_eq(c.secret, "a=b+/");
        ck_assert_ptr_null(c.token);
        ck_assert_ptr_null(c.region);
        s3_creds_clear(&c);
        /* A token of 2 KiB, which some parsers cut. */
        ri_str_puts(&long_file, "[profile x]\naws_session_token = ");
        for (int i = 0; i < 2048; i++)
                ri_str_putc(&long_file, (char)('a' + i % 26));
        ck_assert_int_eq(s3_creds_parse(&c, long_file.p, long_file.len, "x", true, &err), 0);
        ck_assert_uint_eq(strlen(c.token), 2048);
        s3_creds_clear(&c);
        ck_assert_int_eq(s3_creds_parse(&c, "[x]\nregion = r", 14, "x", true, &err), 0);
        ck_assert_ptr_null(c.region);
        ri_str_free(&long_file);
        ri_str_free(&err);
}
END_TEST

static void aws_file(const char *name, const char *text, mode_t mode)
{
        int fd = open(name, O_WRONLY | O_CREAT | O_TRUNC, 0600);

        ck_assert_int_ge(fd, 0);
        ck_assert_int_eq(write(fd, text, strlen(text)), (ssize_t)strlen(text));
        ck_assert_int_eq(fchmod(fd, mode), 0);
        close(fd);
        ck_assert_int_eq(
                setenv(strchr(name, 'f') ? "AWS_CONFIG_FILE" : "AWS_SHARED_CREDENTIALS_FILE", name, 1), 0);
}

static void found(enum s3_vendor vendor, const char *want)
{
        struct ri_str err = RI_STR_INIT(400), got = RI_STR_INIT(400);
        struct s3_creds c = { 0 };

        if (s3_creds_find(&c, vendor, NULL, &err) == 0)
                ri_str_printf(&got, "%s %s %s %s", c.id ? c.id : "-", c.secret ? c.secret : "-",
                              c.token ? c.token : "-", c.region ? c.region : "-");
        else
                ri_str_puts(&got, strstr(ri_str_cstr(&err), "chmod 600") ? "chmod" : ri_str_cstr(&err));
        ck_assert_str_eq(ri_str_cstr(&got), want);
        s3_creds_clear(&c);
        ri_str_free(&got);
        ri_str_free(&err);
}

/* What belongs to one id is never completed with what belongs to another. */
START_TEST(keys_of_one_place)
{
        char folder[] = "/tmp/roma-test-XXXXXX";

        ck_assert_ptr_nonnull(mkdtemp(folder));
        ck_assert_int_eq(chdir(folder), 0);
        unsetenv("AWS_PROFILE");
        unsetenv("AWS_SESSION_TOKEN");
        unsetenv("AWS_SECURITY_TOKEN");
        unsetenv("AWS_ACCESS_KEY_ID");
        aws_file("keys", "[default]\naws_access_key_id=K\naws_secret_access_key=KS\n", 0600);
        aws_file("conf",
                 "[default]\naws_access_key_id=C\naws_secret_access_key=CS\naws_session_token=CT\nregion=r\n",
                 0600);
        found(S3_VENDOR_AWS, "K KS - r");
        setenv("AWS_ACCESS_KEY_ID", "E", 1);
        setenv("AWS_SECRET_ACCESS_KEY", "ES", 1);
        found(S3_VENDOR_AWS, "E ES - r");
        setenv("MINIO_ACCESS_KEY", "M", 1);
        unsetenv("MINIO_SECRET_KEY");
        found(S3_VENDOR_MINIO, "E ES - r");
        unsetenv("MINIO_ACCESS_KEY");
        unsetenv("AWS_ACCESS_KEY_ID");
        aws_file("keys", "[default]\nregion=k\n", 0600);
        found(S3_VENDOR_AWS, "C CS CT k");
        aws_file("conf", "[default]\naws_access_key_id=C\naws_secret_access_key=CS\n", 0644);
        found(S3_VENDOR_AWS, "chmod");
        aws_file("conf", "[default]\nregion=r\n", 0644);
        aws_file("keys", "[default]\naws_access_key_id=K\naws_secret_access_key=KS\n", 0600);
        found(S3_VENDOR_AWS, "K KS - r");
        ck_assert_int_eq(unlink("keys") | unlink("conf"), 0);
        ck_assert_int_eq(chdir("/") | rmdir(folder), 0);
}
END_TEST

/* "" : refused */
static void place(const char *uri, const char *want)
{
        struct ri_str err = RI_STR_INIT(RI_STR_MAX_ERROR), got = RI_STR_INIT(1000);
        struct s3_profile p;
        struct ri_uri u;

        ck_assert_int_eq(ri_uri_parse(uri, &u, &err), 0);
        if (s3_profile_from_uri(&p, &u, &err) == 0) {
                if (!*p.region)
                        s3_profile_set_region(&p, "us-east-1");
                ri_str_printf(&got, "%s %s ", s3_dialect_name(p.dialect), p.traits->name);
                ri_str_puts(&got, p.tls ? "https://" : "http://");
                s3_profile_host(&p, &got);
                ri_str_printf(&got, "%s%s %s %s", p.path_style ? "/" : "", p.path_style ? p.bucket : "",
                              p.region, p.prefix);
                s3_profile_clear(&p);
        }
        ck_assert_msg(strcmp(ri_str_cstr(&got), want) == 0, "%s\n want %s\n got  %s (%s)", uri, want,
                      ri_str_cstr(&got), ri_str_cstr(&err));
        ri_uri_clear(&u);
        ri_str_free(&got);
        ri_str_free(&err);
}

START_TEST(places)
{
        unsetenv("AWS_REGION");
        unsetenv("AWS_DEFAULT_REGION");
        unsetenv("AWS_ENDPOINT_URL");
        unsetenv("AWS_ENDPOINT_URL_S3");
        place("s3://buck/a/b", "aws4 aws https://buck.s3.us-east-1.amazonaws.com us-east-1 a/b/");
        place("s3://buck?region=cn-north-1",
              "aws4 aws https://buck.s3.cn-north-1.amazonaws.com.cn cn-north-1 ");
        place("s3://with.dots/", "aws4 aws https://s3.us-east-1.amazonaws.com/with.dots us-east-1 ");
        place("s3://Old_Name/", "aws4 aws https://s3.us-east-1.amazonaws.com/Old_Name us-east-1 ");
        place("s3://b?endpoint=http://127.0.0.1:9000", "aws4 generic http://127.0.0.1:9000/b us-east-1 ");
        place("s3://buck?endpoint=https://s3.example.net&addressing=virtual&vendor=radosgw",
              "aws4 radosgw https://buck.s3.example.net us-east-1 ");
        place("oss://buck/?region=oss-cn-hangzhou",
              "oss4 oss https://buck.oss-cn-hangzhou.aliyuncs.com cn-hangzhou ");
        place("oss://buck/?region=cn-hangzhou&internal=yes&dialect=oss1",
              "oss1 oss https://buck.oss-cn-hangzhou-internal.aliyuncs.com cn-hangzhou ");
        place("obs://buck/?region=cn-north-4",
              "obs obs https://buck.obs.cn-north-4.myhuaweicloud.com cn-north-4 ");
        place("minio://buck/?endpoint=https://m.example:9000",
              "aws4 minio https://m.example:9000/buck us-east-1 ");
        place("minio://buck/", "");
        place("oss://buck/", "");
        place("s3:///key", "");
        place("s3://b?endpoint=https://user@host", "");
        place("s3://b?endpoint=https://host/path", "");
        place("s3://b?vendor=acme", "");
        place("s3://b?region=a/b", "");
        place("s3://b?part=1", "");
}
END_TEST

START_TEST(attributes)
{
        struct s3_fields f = { 0 };
        roma_attr a;

        s3_fields_add(&f, "Content-Length", "12");
        s3_fields_add(&f, "ETag", "\"abc-2\"");
        s3_fields_add(&f, "Last-Modified", "Fri, 24 May 2013 00:00:00 GMT");
        s3_attr_from_reply(&a, &f);
        ck_assert_uint_eq(a.length, 12);
        ck_assert_str_eq(a.etag, "abc-2");
        ck_assert_int_eq(a.mtime_ns, INT64_C(1369353600) * 1000000000);
        s3_fields_add(&f, "x-amz-meta-mtime", "1700000000.5");
        s3_attr_from_reply(&a, &f);
        ck_assert_int_eq(a.mtime_ns, INT64_C(1700000000500000000));
        s3_fields_set(&f, "x-amz-meta-mtime", "soon");
        s3_fields_set(&f, "Content-Length", "-1");
        s3_attr_from_reply(&a, &f);
        ck_assert_int_eq(a.mtime_ns, INT64_C(1369353600) * 1000000000);
        ck_assert_uint_eq(a.mask & ROMA_ATTR_LENGTH, 0);
        s3_fields_clear(&f);
        ck_assert_str_eq(s3_content_type("a.d/b.TXT"), "text/plain");
        ck_assert_str_eq(s3_content_type("a.txt/b"), "application/octet-stream");
}
END_TEST

static uint64_t bit_by_bit(unsigned width, uint64_t poly, const unsigned char *p, size_t n)
{
        const uint64_t ones = UINT64_MAX >> (64 - width);
        uint64_t crc = ones;

        while (n--) {
                crc ^= *p++;
                for (int i = 0; i < 8; i++)
                        crc = crc & 1 ? (crc >> 1) ^ poly : crc >> 1;
        }
        return crc ^ ones;
}

START_TEST(crcs)
{
        static const struct {
                unsigned width;
                uint64_t poly, check, zeros,
                        ones; /* of "123456789", of 32 bytes 0x00 and 0xff: RFC 3720 B.4 for CRC-32C */
        } known[S3_CRC_KINDS] = {
                [S3_CRC32C] = { 32, 0x82f63b78, 0xe3069283, 0x8a9136aa, 0x62a8ab43 },
                [S3_CRC64NVME] = { 64, UINT64_C(0x9a6c9329ac4bc9b5), UINT64_C(0xae8b14860a799888), 0, 0 },
                [S3_CRC64ECMA] = { 64, UINT64_C(0xc96c5795d7870f42), UINT64_C(0x995dc9bbdf1939fa), 0, 0 },
        };
        /* Around what is taken in one step, and what needs all of them. */
        static const size_t len[] = { 0,  1,   7,   8,   15,   16,    17,    63,    64,
                                      65, 127, 128, 129, 1000, 24575, 24576, 24577, 70001 };
        const size_t n = sizeof(len) / sizeof(len[0]);
        unsigned char *bytes = malloc(200000), same[32];
        uint32_t x = 12345;

        ck_assert_ptr_nonnull(bytes);
        for (size_t i = 0; i < 200000; i++) {
                x = x * 1664525 + 1013904223;
                bytes[i] = (unsigned char)(x >> 24);
        }
        for (int k = 0; k < S3_CRC_KINDS; k++) {
                enum s3_crc_kind kind = (enum s3_crc_kind)k;

                ck_assert_uint_eq(s3_crc(kind, 0, "123456789", 9), known[k].check);
                ck_assert_uint_eq(s3_crc(kind, s3_crc(kind, 0, "1234", 4), "56789", 5), known[k].check);
                memset(same, 0, sizeof(same));
                ck_assert(!known[k].zeros || s3_crc(kind, 0, same, 32) == known[k].zeros);
                memset(same, 255, sizeof(same));
                ck_assert(!known[k].ones || s3_crc(kind, 0, same, 32) == known[k].ones);
                for (size_t i = 0; i < n; i++) {
                        uint64_t a = s3_crc(kind, 0, bytes + i, len[i]);

                        ck_assert_uint_eq(a, bit_by_bit(known[k].width, known[k].poly, bytes + i, len[i]));
                        ck_assert_uint_eq(a, s3_crc_by_tables(kind, 0, bytes + i, len[i]));
                        for (size_t j = 0; j < n; j++) {
                                const unsigned char *next = bytes + i + len[i];

                                ck_assert_uint_eq(
                                        s3_crc_combine(kind, a, s3_crc(kind, 0, next, len[j]), len[j]),
                                        s3_crc(kind, a, next, len[j]));
                        }
                }
        }
        free(bytes);
}
END_TEST

START_TEST(redirects)
{
        static const struct {
                const char *uri, *host;
                bool ours;
        } known[] = {
                { "s3://b/?region=us-east-1", "s3.eu-west-1.amazonaws.com", true },
                { "s3://b/?region=us-east-1", "b.s3.eu-west-1.amazonaws.com", true },
                { "s3://b/?region=us-east-1", "b.s3-eu-west-1.amazonaws.com:443", true },
                { "s3://b/?region=us-east-1", "B.S3.dualstack.us-gov-west-1.amazonaws.com", true },
                { "s3://b/?region=us-east-1", "b.s3.amazonaws.com", true },
                { "s3://b/?region=us-east-1", "c.s3.eu-west-1.amazonaws.com", false },
                { "s3://b/?region=us-east-1", "s3-x-1.us-east-1.elb.amazonaws.com", false },
                { "s3://b/?region=us-east-1", "ec2-1-2-3-4.compute-1.amazonaws.com", false },
                { "s3://b/?region=us-east-1", "s3.eu-west-1.amazonaws.com.evil.example", false },
                { "s3://b/?region=us-east-1", "evil.example", false },
                { "s3://b/?endpoint=https://s3.x.example:9000", "s3.x.example", true },
                { "s3://b/?endpoint=https://s3.x.example:9000", "b.s3.x.example:9443", true },
                { "s3://b/?endpoint=https://s3.x.example:9000", "s3.y.example:9000", false },
                { "s3://b/?endpoint=https://s3.x.example:9000", "evils3.x.example", false },
                { "s3://b/?endpoint=http://127.0.0.1:9000", "127.0.0.1:9001", true },
                { "s3://b/?endpoint=http://127.0.0.1:9000", "127.0.0.2:9000", false },
                { "s3://b/?endpoint=http://127.0.0.1:9000", "s3.eu-west-1.amazonaws.com", false },
                { "oss://b/?region=cn-hangzhou", "b.oss-cn-beijing.aliyuncs.com", true },
                { "oss://b/?region=cn-hangzhou", "x.cn-hangzhou.fc.aliyuncs.com", false },
                { "obs://b/?region=cn-north-4", "b.obs.cn-south-1.myhuaweicloud.com", true },
                { "obs://b/?region=cn-north-4", "b.oss-cn-beijing.aliyuncs.com", false },
        };

        for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++) {
                struct ri_str err = RI_STR_INIT(RI_STR_MAX_ERROR);
                struct s3_profile p;
                struct ri_uri u;

                ck_assert_int_eq(ri_uri_parse(known[i].uri, &u, &err), 0);
                ck_assert_int_eq(s3_profile_from_uri(&p, &u, &err), 0);
                ck_assert_msg(s3_redirect_is_ours(&p, known[i].host) == known[i].ours, "%s from %s",
                              known[i].host, known[i].uri);
                ck_assert_int_eq(s3_profile_set_region(&p, "evil.example/"), -1);
                ck_assert_int_eq(s3_profile_set_region(&p, "evil@example"), -1);
                s3_profile_clear(&p);
                ri_uri_clear(&u);
        }
}
END_TEST

static void profile_of(struct s3_profile *p, const char *uri)
{
        struct ri_str err = RI_STR_INIT(RI_STR_MAX_ERROR);
        struct ri_uri u;

        ck_assert_int_eq(ri_uri_parse(uri, &u, &err), 0);
        ck_assert_int_eq(s3_profile_from_uri(p, &u, &err), 0);
        ri_uri_clear(&u);
}

/* Whether a bucket's name means the same bucket. */
START_TEST(servers)
{
        static const struct {
                const char *one, *other;
                bool same;
        } known[] = {
                { "s3://b/", "s3://b/", true },
                { "s3://b/", "s3://b/?region=eu-west-1", true },
                { "s3://b/", "s3://b/?endpoint=https://s3.eu-west-1.amazonaws.com", true },
                { "s3://b/?region=eu-west-1", "s3://b/?region=cn-north-1", false },
                { "s3://b/?region=eu-west-1", "s3://b/?region=us-gov-west-1", false },
                { "s3://b/?region=eu-west-1", "s3://b/?endpoint=https://minio.example", false },
                { "s3://b/", "s3://b/?endpoint=https://minio.example", false },
                { "s3://b/?endpoint=https://a.example", "s3://b/?endpoint=https://b.example", false },
                { "s3://b/?endpoint=https://a.example", "s3://b/?endpoint=https://A.example:443", true },
                { "s3://b/?endpoint=https://a.example", "s3://b/?endpoint=http://a.example:80/", true },
                { "s3://b/?endpoint=https://a.example", "s3://b/?endpoint=https://a.example:80", false },
                { "s3://b/?endpoint=http://a.example:9000", "s3://b/?endpoint=http://a.example:9001", false },
                { "s3://b/?endpoint=http://a.example:9000", "minio://b/?endpoint=http://a.example:9000",
                  true },
                { "s3://b/?endpoint=http://[::1]:80", "s3://b/?endpoint=http://[::1]", true },
                { "s3://b/?endpoint=http://[::1]:81", "s3://b/?endpoint=http://[::1]", false },
                { "oss://b/?region=cn-beijing", "oss://b/?region=cn-beijing&internal=yes", true },
                { "oss://b/?region=cn-beijing", "obs://b/?region=cn-north-4", false },
                { "obs://b/?region=cn-north-4", "obs://b/?endpoint=https://obs.eu-west-101.myhuaweicloud.eu",
                  false },
        };

        for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++) {
                struct s3_profile p, q;

                profile_of(&p, known[i].one);
                profile_of(&q, known[i].other);
                ck_assert_msg(s3_same_server(&p, &q) == known[i].same &&
                                      s3_same_server(&q, &p) == known[i].same,
                              "%s and %s", known[i].one, known[i].other);
                s3_profile_clear(&p);
                s3_profile_clear(&q);
        }
}
END_TEST

START_TEST(conditions)
{
        const struct s3_sign s = { .dialect = S3_OSS1, .bucket = "b", .key = "a\"b" };
        roma_presign_opts o = ROMA_PRESIGN_OPTS_INIT;
        struct ri_str out = RI_STR_INIT(4096);
        struct s3_fields none = { 0 };

        o.flags = ROMA_PRESIGN_PREFIX;
        o.content_type = "image/";
        o.min_bytes = 1;
        o.max_bytes = 9;
        ck_assert_int_eq(s3_policy_write(&out, &s, &o, &none, 1369353600), 0);
        ck_assert_str_eq(
                ri_str_cstr(&out),
                "{\"expiration\":\"2013-05-24T00:00:00.000Z\",\"conditions\":[{\"bucket\":\"b\"},"
                "[\"starts-with\",\"$key\",\"a\\\"b\"],[\"starts-with\",\"$Content-Type\",\"image/\"],"
                "[\"content-length-range\",1,9]]}");
        o.max_bytes = 0;
        ri_str_reset(&out);
        ck_assert_int_eq(s3_policy_write(&out, &s, &o, &none, 1369353600), 0);
        ck_assert_ptr_nonnull(strstr(ri_str_cstr(&out), "[\"content-length-range\",1,5368709120]"));
        ri_str_free(&out);
}
END_TEST

int main(void)
{
        Suite *s = suite_create("s3-text");
        TCase *tc = tcase_create("s3-text");
        SRunner *sr;
        int failed;

        tcase_add_test(tc, xml);
        tcase_add_test(tc, keys);
        tcase_add_test(tc, keys_of_one_place);
        tcase_add_test(tc, places);
        tcase_add_test(tc, attributes);
        tcase_add_test(tc, crcs);
        tcase_add_test(tc, conditions);
        tcase_add_test(tc, redirects);
        tcase_add_test(tc, servers);
        suite_add_tcase(s, tc);
        sr = srunner_create(s);
        srunner_run_all(sr, CK_ENV);
        failed = srunner_ntests_failed(sr);
        srunner_free(sr);
        return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
