/* SPDX-License-Identifier: MIT */
/* What headers say about an object, and what its name says about its content. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "core/value.h"
#include "s3compat/store.h"

void s3_etag(roma_attr *a, const char *text)
{
        size_t n = strlen(text);

        if (n >= 2 && text[0] == '"' && text[n - 1] == '"') {
                text++;
                n -= 2;
        }
        if (!n || n >= sizeof(a->etag))
                return;
        memcpy(a->etag, text, n);
        a->etag[n] = '\0';
        a->mask |= ROMA_ATTR_ETAG;
}

/* Seconds with a fraction, as rclone and s3cmd write them: "1700000000.123456789". "-1.5" is a second and a half before 1970. */
static int parse_seconds(const char *text, int64_t *ns)
{
        const int sign = *text == '-' ? -1 : 1;
        const char *dot = strchr(text, '.');
        char whole[24], part[10] = "000000000";
        uint64_t s, f;

        text += sign < 0;
        snprintf(whole, sizeof(whole), "%.*s", dot ? (int)(dot - text) : (int)sizeof(whole) - 1, text);
        if (dot) {
                size_t n = strspn(dot + 1, "0123456789");

                if (dot[1 + n])
                        return -1;
                memcpy(part, dot + 1, n < 9 ? n : 9);
        }
        if (ri_value_u64(whole, &s) < 0 || ri_value_u64(part, &f) < 0 || s > INT64_MAX / 1000000000 - 1)
                return -1;
        *ns = sign * (int64_t)(s * 1000000000 + f);
        return 0;
}

static const char *meta(const struct s3_fields *reply, const char *name)
{
        static const char *const prefixes[] = { "x-amz-meta-", "x-oss-meta-", "x-obs-meta-" };
        char whole[64];

        for (size_t i = 0; i < 3; i++) {
                const char *v;

                snprintf(whole, sizeof(whole), "%s%s", prefixes[i], name);
                v = s3_fields_get(reply, whole);
                if (v)
                        return v;
        }
        return NULL;
}

/* Of the answers to a PUT, HEAD or GET. */
bool s3_etag_is_opaque(const struct s3_fields *reply)
{
        const char *aws = s3_fields_get(reply, "x-amz-server-side-encryption"),
                   *oss = s3_fields_get(reply, "x-oss-server-side-encryption"),
                   *obs = s3_fields_get(reply, "x-obs-server-side-encryption");

        return (aws && strncasecmp(aws, "aws:kms", 7) == 0) || (oss && strcasecmp(oss, "AES256") != 0) ||
               (obs && strcasecmp(obs, "AES256") != 0) ||
               s3_fields_get(reply, "x-amz-server-side-encryption-customer-algorithm") ||
               s3_fields_get(reply, "x-obs-server-side-encryption-customer-algorithm");
}

void s3_attr_from_reply(roma_attr *a, const struct s3_fields *reply)
{
        const char *length = s3_fields_get(reply, "content-length"), *etag = s3_fields_get(reply, "etag"),
                   *modified = s3_fields_get(reply, "last-modified"), *mtime = meta(reply, "mtime");
        int64_t t;

        memset(a, 0, sizeof(*a));
        a->size = sizeof(*a);
        a->type = ROMA_TYPE_FILE;
        a->mask = ROMA_ATTR_TYPE;
        if (length && ri_value_u64(length, &a->length) == 0 && a->length <= INT64_MAX)
                a->mask |= ROMA_ATTR_LENGTH;
        if (etag)
                s3_etag(a, etag);
        if (modified && s3_parse_http_time(modified, &t) == 0) {
                a->mtime_ns = a->ctime_ns = t * 1000000000;
                a->mask |= ROMA_ATTR_MTIME | ROMA_ATTR_CTIME;
        }
        if (mtime && parse_seconds(mtime, &t) == 0) {
                a->mtime_ns = t;
                a->mask |= ROMA_ATTR_MTIME;
        }
}

static const char *const types[][2] = {
        { "aac", "audio/aac" },
        { "avi", "video/x-msvideo" },
        { "avif", "image/avif" },
        { "bmp", "image/bmp" },
        { "bz2", "application/x-bzip2" },
        { "css", "text/css" },
        { "csv", "text/csv" },
        { "doc", "application/msword" },
        { "docx", "application/vnd.openxmlformats-officedocument.wordprocessingml.document" },
        { "gif", "image/gif" },
        { "gz", "application/gzip" },
        { "htm", "text/html" },
        { "html", "text/html" },
        { "ico", "image/vnd.microsoft.icon" },
        { "jpeg", "image/jpeg" },
        { "jpg", "image/jpeg" },
        { "js", "text/javascript" },
        { "json", "application/json" },
        { "m4a", "audio/mp4" },
        { "md", "text/markdown" },
        { "mjs", "text/javascript" },
        { "mov", "video/quicktime" },
        { "mp3", "audio/mpeg" },
        { "mp4", "video/mp4" },
        { "mpeg", "video/mpeg" },
        { "ogg", "audio/ogg" },
        { "pdf", "application/pdf" },
        { "png", "image/png" },
        { "ppt", "application/vnd.ms-powerpoint" },
        { "pptx", "application/vnd.openxmlformats-officedocument.presentationml.presentation" },
        { "rar", "application/vnd.rar" },
        { "rtf", "application/rtf" },
        { "svg", "image/svg+xml" },
        { "tar", "application/x-tar" },
        { "tgz", "application/gzip" },
        { "tif", "image/tiff" },
        { "tiff", "image/tiff" },
        { "ttf", "font/ttf" },
        { "txt", "text/plain" },
        { "wasm", "application/wasm" },
        { "wav", "audio/wav" },
        { "webm", "video/webm" },
        { "webp", "image/webp" },
        { "woff", "font/woff" },
        { "woff2", "font/woff2" },
        { "xhtml", "application/xhtml+xml" },
        { "xls", "application/vnd.ms-excel" },
        { "xlsx", "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet" },
        { "xml", "application/xml" },
        { "xz", "application/x-xz" },
        { "yaml", "application/yaml" },
        { "yml", "application/yaml" },
        { "zip", "application/zip" },
        { "zst", "application/zstd" },
};

const char *s3_content_type(const char *key)
{
        const char *slash = strrchr(key, '/'), *dot = strrchr(slash ? slash : key, '.');

        if (dot)
                for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++)
                        if (strcasecmp(types[i][0], dot + 1) == 0)
                                return types[i][1];
        return "application/octet-stream";
}

void s3_if_match(struct s3_request *r, const char *etag)
{
        const char *quote = r->st->profile.traits->if_match == S3_MATCH_QUOTED ? "\"" : "";

        s3_fields_addf(&r->headers, "If-Match", "%s%s%s", quote, etag, quote);
}

const char *s3_if_match_fault(const struct s3_store *st)
{
        if (st->profile.traits->if_match)
                return NULL;
        return st->profile.vendor == S3_VENDOR_GENERIC
                       ? "it is not known that this server checks atomically which object it replaces; "
                         "?vendor= "
                         "says what it is"
                       : "this server does not check which object it replaces";
}

void s3_object_headers(struct s3_request *r, const char *key, const roma_attr *a, const roma_prop *v,
                       size_t n)
{
        const char *prefix = s3_header_prefix(r->st->profile.dialect);
        char name[40];

        s3_fields_add(&r->headers, "Content-Type", s3_content_type(key));
        if (a && a->mask & ROMA_ATTR_MTIME) {
                const bool before = a->mtime_ns < 0; /* 1970 */
                const uint64_t ns = before ? 0 - (uint64_t)a->mtime_ns : (uint64_t)a->mtime_ns;

                snprintf(name, sizeof(name), "%smeta-mtime", prefix);
                s3_fields_addf(&r->headers, name, "%s%" PRIu64 ".%09" PRIu64, before ? "-" : "",
                               ns / 1000000000, ns % 1000000000);
        }
        s3_props_add(r, v, n);
}
