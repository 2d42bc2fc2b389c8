/* SPDX-License-Identifier: MIT */
/* Signatures against the vectors of tests/s3-vectors: those that the vendors publish, and those recorded from what their
 * own SDKs send. */
#include "s3compat/sign/sign.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/digest.h"

struct vector {
        char name[256], kind[16];
        struct s3_sign s;
        struct s3_fields text; /* the words of one value; what `s` points into */
        struct s3_fields query, headers, fields;
        uint32_t expires;
};

static unsigned hex(char c)
{
        return (unsigned)(c <= '9' ? c - '0' : (c | 32) - 'a' + 10);
}

static void decode(char *s)
{
        char *to = s;

        for (; *s; s++) {
                if (*s == '%') {
                        *to++ = (char)(hex(s[1]) * 16 + hex(s[2]));
                        s += 2;
                } else {
                        *to++ = *s;
                }
        }
        *to = '\0';
}

static const char *word(const struct vector *v, const char *name)
{
        const char *value = s3_fields_get(&v->text, name);

        return value ? value : "";
}

static void fill(struct vector *v)
{
        struct s3_sign *s = &v->s;

        ck_assert_int_eq(s3_dialect_by_name(word(v, "dialect"), &s->dialect), 0);
        s->keys.id = word(v, "id");
        s->keys.secret = word(v, "secret");
        s->keys.token = word(v, "token");
        s->region = word(v, "region");
        s->service = s3_fields_get(&v->text, "service");
        s->now = strtoll(word(v, "now"), NULL, 10);
        s->method = word(v, "method");
        s->host = word(v, "host");
        s->bucket = word(v, "bucket");
        s->key = word(v, "key");
        s->path = word(v, "path");
        s->payload = s3_fields_get(&v->text, "payload");
        s->additional = s3_fields_get(&v->text, "additional");
        v->expires = (uint32_t)strtoul(word(v, "expires"), NULL, 10);
        snprintf(v->name, sizeof(v->name), "%s", word(v, "vector"));
        snprintf(v->kind, sizeof(v->kind), "%s", word(v, "kind"));
}

static void clear(struct vector *v)
{
        s3_fields_clear(&v->text);
        s3_fields_clear(&v->query);
        s3_fields_clear(&v->headers);
        s3_fields_clear(&v->fields);
        memset(v, 0, sizeof(*v));
}

static void check_headers(struct vector *v)
{
        struct ri_str err = RI_STR_INIT(RI_STR_MAX_ERROR), text = RI_STR_INIT(1 << 20);
        const char *want = word(v, "authorization");
        const char *got;

        ck_assert_msg(s3_sign_headers(&v->s, &v->query, &v->headers, &text, &err) == 0, "%s: %s", v->name,
                      ri_str_cstr(&err));
        got = s3_fields_get(&v->headers, "Authorization");
        ck_assert_msg(strcmp(got, want) == 0, "%s\n want %s\n got  %s\n over\n%s", v->name, want, got,
                      ri_str_cstr(&text));
        ck_assert(!strstr(ri_str_cstr(&text), v->s.keys.secret));
        ri_str_free(&text);
        ri_str_free(&err);
}

/* The same parameters with the same values, whatever their order and whichever harmless character was encoded. */
static void check_parameters(struct vector *v)
{
        struct ri_str err = RI_STR_INIT(RI_STR_MAX_ERROR), text = RI_STR_INIT(1 << 20);
        char *want = strdup(word(v, "parameters")), *save = NULL;
        size_t n = 0;

        ck_assert_msg(s3_sign_query(&v->s, &v->headers, v->expires, &v->query, &text, &err) == 0, "%s: %s",
                      v->name, ri_str_cstr(&err));
        for (char *p = strtok_r(want, "&", &save); p; p = strtok_r(NULL, "&", &save), n++) {
                char *value = strchr(p, '=');
                const char *got;

                if (value)
                        *value++ = '\0';
                else
                        value = p + strlen(p);
                decode(value);
                decode(p);
                got = s3_fields_get(&v->query, p);
                ck_assert_msg(got && strcmp(got, value) == 0, "%s: %s\n want %s\n got  %s\n over\n%s",
                              v->name, p, value, got ? got : "nothing", ri_str_cstr(&text));
                /* and, but for MinIO's own, in this order */
                ck_assert_msg(strncmp(v->name, "minio", 5) == 0 || strcmp(v->query.v[n].name, p) == 0,
                              "%s: want %s at %zu, got %s", v->name, p, n, v->query.v[n].name);
        }
        ck_assert_uint_eq(n, v->query.n);
        free(want);
        ri_str_free(&text);
        ri_str_free(&err);
}

static void check_policy(struct vector *v)
{
        struct ri_str err = RI_STR_INIT(RI_STR_MAX_ERROR);
        struct s3_fields form = { 0 };

        ck_assert_msg(s3_sign_policy(&v->s, word(v, "policy"), &form, &err) == 0, "%s: %s", v->name,
                      ri_str_cstr(&err));
        ck_assert_uint_ge(v->fields.n, 1);
        for (size_t i = 0; i < v->fields.n; i++) {
                const char *got = s3_fields_get(&form, v->fields.v[i].name);

                ck_assert_msg(got && strcmp(got, v->fields.v[i].value) == 0, "%s: %s\n want %s\n got  %s",
                              v->name, v->fields.v[i].name, v->fields.v[i].value, got ? got : "nothing");
        }
        s3_fields_clear(&form);
        ri_str_free(&err);
}

static void check_vector(struct vector *v)
{
        fill(v);
        if (strcmp(v->kind, "header") == 0)
                check_headers(v);
        else if (strcmp(v->kind, "query") == 0)
                check_parameters(v);
        else
                check_policy(v);
}

static void take_line(struct vector *v, char *line)
{
        char *save = NULL, *first = strtok_r(line, " ", &save), *a = strtok_r(NULL, " ", &save),
             *b = strtok_r(NULL, " ", &save);
        static char none[1];

        a = a ? a : none;
        decode(a);
        if (b)
                decode(b);
        if (strcmp(first, "query") == 0)
                s3_fields_add(&v->query, a, b);
        else if (strcmp(first, "header") == 0)
                s3_fields_add(&v->headers, a, b ? b : "");
        else if (strcmp(first, "field") == 0)
                s3_fields_add(&v->fields, a, b ? b : "");
        else
                s3_fields_add(&v->text, first, a);
}

static unsigned run_file(const char *name)
{
        const char *src = getenv("SRC_DIR");
        struct vector v = { 0 };
        unsigned n = 0;
        char path[4096], *line = NULL;
        size_t cap = 0;
        ssize_t len;
        FILE *f;

        snprintf(path, sizeof(path), "%s/tests/s3-vectors/%s", src ? src : ".", name);
        f = fopen(path, "r");
        ck_assert_msg(f != NULL, "%s is missing", path);
        while ((len = getline(&line, &cap, f)) > 0) {
                line[strcspn(line, "\n")] = '\0';
                if (!*line || strcmp(line, "end") == 0) {
                        if (v.text.n) {
                                check_vector(&v);
                                n++;
                        }
                        clear(&v);
                } else if (*line != '#') {
                        take_line(&v, line);
                }
        }
        free(line);
        fclose(f);
        clear(&v);
        return n;
}

START_TEST(published)
{
        ck_assert_uint_ge(run_file("published.txt"), 19);
}
END_TEST

START_TEST(recorded)
{
        ck_assert_uint_ge(run_file("recorded.txt"), 200);
}
END_TEST

static void sha256_of(const void *p, size_t n, char out[65])
{
        unsigned char digest[RI_DIGEST_MAX];

        ck_assert_int_eq(ri_digest_bytes(RI_SHA256, p, n, digest, NULL), 0);
        ri_hex(out, digest, 32);
}

/* AWS, "sigv4-streaming" and "sigv4-streaming-trailers"; aws-c-auth tests/test_chunked_signing.c. */
START_TEST(chunks)
{
        const struct s3_sign s = { .dialect = S3_AWS4,
                                   .keys = { "AKIAIOSFODNN7EXAMPLE",
                                             "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY", NULL },
                                   .region = "us-east-1",
                                   .now = 1369353600 };
        static char data[65536];
        char sha[65], got[65];
        struct s3_chunks c;

        memset(data, 'a', sizeof(data));
        ck_assert_int_eq(s3_chunks_begin(&c, &s,
                                         "4f232c4386841ef735655705268965c44a0e4690baa4adea153f7db9fa80a0a9",
                                         NULL),
                         0);
        sha256_of(data, 65536, sha);
        ck_assert_int_eq(s3_chunk_sign(&c, sha, got, NULL), 0);
        ck_assert_str_eq(got, "ad80c730a21e5b8d04586a2213dd63b9a0e99e0e2307b0ade35a65485a288648");
        sha256_of(data, 1024, sha);
        s3_chunk_sign(&c, sha, got, NULL);
        ck_assert_str_eq(got, "0055627c9e194cb4542bae2aa5492e3c1575bbb81b612b7d234b86a503ef5497");
        s3_chunk_sign(&c, S3_EMPTY_SHA256, got, NULL);
        ck_assert_str_eq(got, "b6c6ea8a5354eaf15b3cb7646744f4275b71ea724fed81ceb9323e279d449df9");
        s3_trailer_sign(&c, "first:1st\nsecond:2nd\nthird:3rd\n", got, NULL);
        ck_assert_str_eq(got, "df5735bd9f3295cd9386572292562fefc93ba94e80a0a1ddcbd652c4e0a75e6c");
        s3_chunks_end(&c);

        s3_chunks_begin(&c, &s, "106e2a8a18243abcf37539882f36619c00e2dfc72633413f02d3b74544bfeb8e", NULL);
        sha256_of(data, 65536, sha);
        s3_chunk_sign(&c, sha, got, NULL);
        ck_assert_str_eq(got, "b474d8862b1487a5145d686f57f013e54db672cee1c953b3010fb58501ef5aa2");
        sha256_of(data, 1024, sha);
        s3_chunk_sign(&c, sha, got, NULL);
        ck_assert_str_eq(got, "1c1344b170168f8e65b41376b44b20fe354e373826ccbbe2c1d40a8cae51e5c7");
        s3_chunk_sign(&c, S3_EMPTY_SHA256, got, NULL);
        ck_assert_str_eq(got, "2ca2aba2005185cf7159c6277faf83795951dd77a3a99e6e65d5c9f85863f992");
        s3_trailer_sign(&c, "x-amz-checksum-crc32c:sOO8/Q==\n", got, NULL);
        ck_assert_str_eq(got, "d81f82fc3505edab99d459891051a732e8730629a2e4a59689829ca17fe2e435");
        s3_chunks_end(&c);
        ck_assert_int_eq(c.key[0] | c.key[31], 0);
}
END_TEST

START_TEST(refusals)
{
        struct s3_sign s = { .dialect = S3_AWS4,
                             .keys = { "id", "secret", NULL },
                             .region = "r",
                             .now = 1369353600,
                             .method = "GET",
                             .host = "h",
                             .bucket = "b",
                             .key = "k",
                             .path = "/b/k" };
        struct ri_str err = RI_STR_INIT(RI_STR_MAX_ERROR);
        struct s3_fields none = { 0 }, query = { 0 }, headers = { 0 };

        ck_assert_int_eq(s3_sign_query(&s, &none, 0, &query, NULL, &err), -1);
        ck_assert_int_eq(s3_sign_query(&s, &none, 604801, &query, NULL, &err), -1);
        ck_assert_str_eq(ri_str_cstr(&err),
                         "such a link lives from 1 second to 7 days; 604801 seconds were asked for");
        s3_fields_add(&headers, "x-amz-date", "yesterday");
        ck_assert_int_eq(s3_sign_headers(&s, &none, &headers, NULL, &err), -1);
        s.dialect = S3_OBS;
        ck_assert_int_eq(s3_sign_query(&s, &none, 0, &query, NULL, &err), -1);
        s3_fields_clear(&headers);
        s3_fields_clear(&query);
        ri_str_free(&err);
}
END_TEST

START_TEST(text)
{
        struct ri_str out = RI_STR_INIT(1000);
        unsigned char bytes[8];
        char iso[17], http[40];
        int64_t t;
        size_t n;

        s3_path(&out, true, "bucket", "a b/\xc3\xa4+%~*");
        ck_assert_str_eq(ri_str_cstr(&out), "/bucket/a%20b/%C3%A4%2B%25~%2A");
        ri_str_reset(&out);
        s3_base64(&out, "hello", 5);
        ck_assert_str_eq(ri_str_cstr(&out), "aGVsbG8=");
        ck_assert_int_eq(s3_base64_decode("aGVsbG8=", bytes, sizeof(bytes), &n), 0);
        ck_assert_uint_eq(n, 5);
        ck_assert_mem_eq(bytes, "hello", 5);
        ck_assert_int_eq(s3_base64_decode("aGVsbG8=", bytes, 4, &n), -1);
        ck_assert_int_eq(s3_base64_decode("aGVsb", bytes, 8, &n), -1);
        ck_assert_int_eq(s3_base64_decode("aG*sbG8=", bytes, 8, &n), -1);
        s3_iso_time(iso, 1369353600);
        ck_assert_str_eq(iso, "20130524T000000Z");
        s3_http_time(http, 1369353600);
        ck_assert_str_eq(http, "Fri, 24 May 2013 00:00:00 GMT");
        ck_assert_int_eq(s3_parse_http_time(http, &t), 0);
        ck_assert_int_eq(t, 1369353600);
        ck_assert_int_eq(s3_parse_http_time("Fri, 24 Xyz 2013 00:00:00 GMT", &t), -1);
        ck_assert_int_eq(s3_parse_iso_time("2013-05-24T00:00:00.000Z", &t), 0);
        ck_assert_int_eq(t, 1369353600);
        ck_assert_int_eq(s3_parse_iso_time("2013-13-24T00:00:00.000Z", &t), -1);
        ck_assert_int_eq(s3_parse_http_time("Fri, 24 May 3130 00:00:00 GMT", &t), -1);
        s3_iso_time(iso, INT64_MAX);
        ri_str_free(&out);
}
END_TEST

int main(void)
{
        Suite *s = suite_create("s3-sign");
        TCase *tc = tcase_create("s3-sign");
        SRunner *sr;
        int failed;

        tcase_add_test(tc, published);
        tcase_add_test(tc, recorded);
        tcase_add_test(tc, chunks);
        tcase_add_test(tc, refusals);
        tcase_add_test(tc, text);
        suite_add_tcase(s, tc);
        sr = srunner_create(s);
        srunner_run_all(sr, CK_ENV);
        failed = srunner_ntests_failed(sr);
        srunner_free(sr);
        return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
