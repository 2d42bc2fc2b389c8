/* SPDX-License-Identifier: MIT */
/* What an S3-like server or a user's files may say. The first byte picks a reader: an answer in XML, headers, a file of
 * keys, the conditions of a form. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "s3compat/creds.h"
#include "s3compat/policy.h"
#include "s3compat/store.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(int condition)
{
        if (!condition)
                abort();
}

static int see(void *arg, const char *path, const char *text)
{
        size_t *most = arg;

        must(strlen(path) < S3_XML_PATH && *path);
        must(!text || strlen(text) <= S3_XML_TEXT);
        return (*most)-- ? 0 : -1;
}

/* Text that is escaped reads as itself. */
static int same(void *arg, const char *path, const char *text)
{
        if (text)
                must(strcmp(path, "a") == 0 && strcmp(text, arg) == 0);
        return 0;
}

static void xml(const uint8_t *data, size_t size)
{
        struct ri_str err = RI_STR_INIT(400), doc = RI_STR_INIT(1 << 20);
        struct s3_xml_error e;
        size_t most = 100000;
        char *text = ri_memdup0(data, size);

        if (s3_xml_read(data, size, see, &most, &err) < 0)
                must(err.len > 0);
        if (s3_xml_error(data, size, &e))
                must(e.code[0]);
        for (size_t i = 0, n; text && (n = text[i] ? ri_utf8_len(text + i, strlen(text + i)) : 0); i += n)
                if ((unsigned char)text[i] < 0x20 || (unsigned char)text[i] == 0xef)
                        text[i] = '\0'; /* XML 1.0 has no way to write it, or may not have it */
        if (text && strlen(text) < 10000) {
                ri_str_puts(&doc, "<a>");
                s3_xml_escape(&doc, text);
                ri_str_puts(&doc, "</a>");
                s3_xml_read(doc.p, doc.len, same, text, NULL);
        }
        free(text);
        ri_str_free(&doc);
        ri_str_free(&err);
}

static void headers(const uint8_t *data, size_t size)
{
        char *text = ri_memdup0(data, size), *save = NULL;
        struct s3_fields f = { 0 };
        roma_attr a;
        int64_t t;

        if (!text)
                return;
        for (char *line = strtok_r(text, "\n", &save); line; line = strtok_r(NULL, "\n", &save)) {
                char *colon = strchr(line, ':');

                if (!colon || f.n >= 64)
                        continue;
                *colon = '\0';
                s3_fields_add(&f, line, colon + 1);
                s3_parse_http_time(colon + 1, &t);
                s3_parse_iso_time(colon + 1, &t);
        }
        s3_attr_from_reply(&a, &f);
        must(a.size == sizeof(a) && strnlen(a.etag, sizeof(a.etag)) < sizeof(a.etag));
        must(!(a.mask & ROMA_ATTR_LENGTH) || a.length <= INT64_MAX);
        s3_fields_clear(&f);
        free(text);
}

static void keys(const uint8_t *data, size_t size)
{
        struct ri_str err = RI_STR_INIT(400);
        struct s3_creds c = { 0 }, copy = { 0 };

        s3_creds_parse(&c, (const char *)data, size, "default", false, &err);
        s3_creds_parse(&c, (const char *)data, size, "x", true, &err);
        must(s3_creds_copy(&copy, &c) == 0);
        s3_creds_clear(&c);
        s3_creds_clear(&copy);
        ri_str_free(&err);
}

/* No text breaks out of its quotes. */
static void check_json(const char *p)
{
        int depth = 0;
        bool quoted = false;

        for (; *p; p++) {
                must((unsigned char)*p >= 0x20);
                if (quoted && *p == '\\')
                        must(*++p != '\0');
                else if (*p == '"')
                        quoted = !quoted;
                else if (!quoted && (*p == '{' || *p == '['))
                        depth++;
                else if (!quoted && (*p == '}' || *p == ']'))
                        must(--depth >= 0);
        }
        must(!quoted && depth == 0);
}

static void policy(const uint8_t *data, size_t size)
{
        struct ri_str out = RI_STR_INIT(1 << 20), err = RI_STR_INIT(400);
        roma_presign_opts o = ROMA_PRESIGN_OPTS_INIT;
        char *key = ri_memdup0(data, size);
        struct s3_fields own = { 0 }, form = { 0 };
        struct s3_sign s = { .dialect = size ? data[0] % S3_DIALECTS : S3_AWS4,
                             .keys = { "id", "secret", "token" },
                             .region = "r",
                             .now = 1369353600,
                             .bucket = "b",
                             .key = key };

        if (!key)
                return;
        o.content_type = key;
        o.flags = size & 1 ? ROMA_PRESIGN_PREFIX : 0;
        o.max_bytes = size;
        s3_policy_fields(&s, &own);
        if (s3_policy_write(&out, &s, &o, &own, s.now + 60) == 0) {
                check_json(ri_str_cstr(&out));
                must(s3_sign_policy(&s, ri_str_cstr(&out), &form, &err) == 0);
        }
        s3_fields_clear(&own);
        s3_fields_clear(&form);
        ri_str_free(&out);
        ri_str_free(&err);
        free(key);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
        static void (*const readers[])(const uint8_t *, size_t) = { xml, headers, keys, policy };

        if (size)
                readers[data[0] % 4](data + 1, size - 1);
        return 0;
}
