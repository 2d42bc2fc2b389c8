/* SPDX-License-Identifier: MIT */
/* The older signature, an HMAC-SHA1 over a few headers and the resource: AWS V2 ("Signing and Authenticating REST
 * Requests"), OSS V1, OBS. */
#include <openssl/hmac.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "s3compat/sign/sign.h"

struct v2 {
        const char *word;                   /* of the Authorization header */
        const char *prefix;                 /* of the headers that are signed */
        const char *date;                   /* a header that stands for Date */
        const char *id, *signature, *token; /* query parameters */
        const char *form_id, *form_signature;
        const char *const *resources; /* parameters that belong to the resource; ends with NULL */
        bool decoded;                 /* the resource's path is not encoded */
        bool date_line;               /* the header that stands for Date is in the Date line too */
        bool any_case;                /* of the parameters' names */
        bool prefixed;                /* parameters with the prefix belong to the resource */
        bool id_first;                /* order of a link's parameters */
};

static const char *const aws_resources[] = { "acl",
                                             "cors",
                                             "delete",
                                             "lifecycle",
                                             "location",
                                             "logging",
                                             "notification",
                                             "partNumber",
                                             "policy",
                                             "requestPayment",
                                             "response-cache-control",
                                             "response-content-disposition",
                                             "response-content-encoding",
                                             "response-content-language",
                                             "response-content-type",
                                             "response-expires",
                                             "restore",
                                             "tagging",
                                             "torrent",
                                             "uploadId",
                                             "uploads",
                                             "versionId",
                                             "versioning",
                                             "versions",
                                             "website",
                                             NULL };
static const char *const oss_resources[] = { "acl",
                                             "append",
                                             "bucketInfo",
                                             "callback",
                                             "callback-var",
                                             "cloudboxes",
                                             "continuation-token",
                                             "delete",
                                             "location",
                                             "objectMeta",
                                             "partNumber",
                                             "position",
                                             "regionList",
                                             "response-cache-control",
                                             "response-content-disposition",
                                             "response-content-encoding",
                                             "response-content-language",
                                             "response-content-type",
                                             "response-expires",
                                             "restore",
                                             "security-token",
                                             "sequential",
                                             "stat",
                                             "symlink",
                                             "tagging",
                                             "uploadId",
                                             "uploads",
                                             "versionId",
                                             "versioning",
                                             "versions",
                                             NULL };
static const char *const obs_resources[] = { "acl",
                                             "append",
                                             "attname",
                                             "backtosource",
                                             "cors",
                                             "customdomain",
                                             "delete",
                                             "deletebucket",
                                             "directcoldaccess",
                                             "encryption",
                                             "inventory",
                                             "length",
                                             "lifecycle",
                                             "location",
                                             "logging",
                                             "metadata",
                                             "mirrorbacktosource",
                                             "modify",
                                             "name",
                                             "notification",
                                             "obsalias",
                                             "obsbucketalias",
                                             "object-lock",
                                             "partnumber",
                                             "policy",
                                             "position",
                                             "quota",
                                             "rename",
                                             "replication",
                                             "requestpayment",
                                             "response-cache-control",
                                             "response-content-disposition",
                                             "response-content-encoding",
                                             "response-content-language",
                                             "response-content-type",
                                             "response-expires",
                                             "restore",
                                             "retention",
                                             "storageclass",
                                             "storageinfo",
                                             "storagepolicy",
                                             "tagging",
                                             "torrent",
                                             "truncate",
                                             "uploadid",
                                             "uploads",
                                             "versionid",
                                             "versioning",
                                             "versions",
                                             "website",
                                             "x-image-process",
                                             "x-image-save-bucket",
                                             "x-image-save-object",
                                             "x-oss-process",
                                             NULL };

static const struct v2 aws = {
        .word = "AWS",
        .prefix = "x-amz-",
        .date = "x-amz-date",
        .id = "AWSAccessKeyId",
        .signature = "Signature",
        .token = "x-amz-security-token",
        .form_id = "AWSAccessKeyId",
        .form_signature = "signature",
        .resources = aws_resources,
        .prefixed = true, /* a token in a link: as the SDK of OBS signs it */
};
static const struct v2 oss = {
        .word = "OSS",
        .prefix = "x-oss-",
        .date = "x-oss-date",
        .id = "OSSAccessKeyId",
        .signature = "Signature",
        .token = "security-token",
        .form_id = "OSSAccessKeyId",
        .form_signature = "Signature",
        .resources = oss_resources,
        .decoded = true,
        .date_line = true,
        .prefixed = true,
        .id_first = true,
};
static const struct v2 obs = {
        .word = "OBS",
        .prefix = "x-obs-",
        .date = "x-obs-date",
        .id = "AccessKeyId",
        .signature = "Signature",
        .token = "x-obs-security-token",
        .form_id = "AccessKeyId",
        .form_signature = "signature",
        .resources = obs_resources,
        .any_case = true,
        .prefixed = true,
};

static const struct v2 *table(const struct s3_sign *s)
{
        return s->dialect == S3_OSS1 ? &oss : s->dialect == S3_OBS ? &obs : &aws;
}

static bool has_token(const struct s3_sign *s)
{
        return s->keys.token && *s->keys.token;
}

static bool has_prefix(const struct v2 *v, const char *name)
{
        size_t n = strlen(v->prefix);

        return strncasecmp(name, v->prefix, n) == 0;
}

/* The string to sign */

static bool is_resource(const struct v2 *v, const char *name)
{
        if (v->prefixed && has_prefix(v, name))
                return true;
        for (const char *const *r = v->resources; *r; r++)
                if (v->any_case ? strcasecmp(*r, name) == 0 : strcmp(*r, name) == 0)
                        return true;
        return false;
}

static int put_resource(const struct s3_sign *s, const struct s3_fields *query, struct ri_str *out)
{
        const struct v2 *v = table(s);
        struct s3_fields sorted = { 0 };
        char sep = '?';
        int r;

        if (v->decoded && *s->bucket)
                ri_str_printf(out, "/%s/%s", s->bucket, s->key);
        else if (v->decoded)
                ri_str_putc(out, '/');
        else
                s3_path(out, true, s->bucket, s->key);
        s3_fields_copy(&sorted, query);
        s3_fields_sort(&sorted);
        for (size_t i = 0; i < sorted.n; i++) {
                const struct s3_field *f = &sorted.v[i];

                if (!is_resource(v, f->name))
                        continue;
                ri_str_printf(out, "%c%s", sep, f->name);
                if (f->value && *f->value)
                        ri_str_printf(out, "=%s", f->value);
                sep = '&';
        }
        r = sorted.failed ? -1 : 0;
        s3_fields_clear(&sorted);
        return r;
}

static void put_line(struct ri_str *out, const struct s3_fields *headers, const char *name)
{
        const char *value = s3_fields_get(headers, name);

        ri_str_printf(out, "%s\n", value ? value : "");
}

/* The vendor's own headers, sorted, one line each; several of one name become one. */
static int put_own_headers(const struct v2 *v, const struct s3_fields *headers, struct ri_str *out)
{
        struct s3_fields own = { 0 };
        const char *last = NULL;
        int r;

        for (size_t i = 0; i < headers->n; i++)
                if (has_prefix(v, headers->v[i].name))
                        s3_fields_add(&own, headers->v[i].name, headers->v[i].value);
        s3_fields_lower(&own);
        s3_fields_sort(&own);
        for (size_t i = 0; i < own.n; i++) {
                const char *value = own.v[i].value ? own.v[i].value : "";

                if (last && strcmp(last, own.v[i].name) == 0) {
                        ri_str_truncate(out, out->len - 1);
                        ri_str_printf(out, ",%s\n", value);
                } else {
                        ri_str_printf(out, "%s:%s\n", own.v[i].name, value);
                }
                last = own.v[i].name;
        }
        r = own.failed ? -1 : 0;
        s3_fields_clear(&own);
        return r;
}

static int string_to_sign(const struct s3_sign *s, const struct s3_fields *query,
                          const struct s3_fields *headers, const char *date, struct ri_str *out)
{
        int r = 0;

        ri_str_printf(out, "%s\n", s->method);
        put_line(out, headers, "Content-MD5");
        put_line(out, headers, "Content-Type");
        ri_str_printf(out, "%s\n", date);
        if (put_own_headers(table(s), headers, out) < 0 || put_resource(s, query, out) < 0 || out->failed)
                r = -1;
        return r;
}

static int hmac_sha1(const struct s3_sign *s, const char *text, size_t n, struct ri_str *out,
                     struct ri_str *err)
{
        unsigned char mac[20];
        unsigned len = sizeof(mac);

        if (!HMAC(EVP_sha1(), s->keys.secret, (int)strlen(s->keys.secret), (const unsigned char *)text, n,
                  mac, &len))
                return ri_str_fail(err, "libcrypto could not compute an HMAC-SHA1");
        return s3_base64(out, mac, len) < 0 ? ri_str_fail(err, "no memory for a signature") : 0;
}

static int signature(const struct s3_sign *s, const struct s3_fields *query, const struct s3_fields *headers,
                     const char *date, struct ri_str *out, struct ri_str *text, struct ri_str *err)
{
        struct ri_str to_sign = RI_STR_INIT(S3_TEXT_MAX);
        int r;

        if (string_to_sign(s, query, headers, date, &to_sign) < 0)
                r = ri_str_fail(err, "the request is too large to be signed, or there is no memory");
        else
                r = hmac_sha1(s, to_sign.p, to_sign.len, out, err);
        if (text)
                ri_str_puts(text, ri_str_cstr(&to_sign));
        ri_str_wipe(&to_sign);
        return r;
}

/* Which date is signed. The header that stands for Date leaves its line empty, except with OSS. */
static const char *date_line(const struct s3_sign *s, struct s3_fields *headers)
{
        const struct v2 *v = table(s);
        const char *own = s3_fields_get(headers, v->date);
        char now[40];

        if (own)
                return v->date_line ? own : "";
        if (!s3_fields_get(headers, "Date")) {
                s3_http_time(now, s->now);
                s3_fields_add(headers, "Date", now);
        }
        return s3_fields_get(headers, "Date");
}

static int v2_headers(const struct s3_sign *s, const struct s3_fields *query, struct s3_fields *headers,
                      struct ri_str *text, struct ri_str *err)
{
        const struct v2 *v = table(s);
        struct ri_str mac = RI_STR_INIT(64);
        const char *date = date_line(s, headers);
        char *kept = date ? strdup(date) : NULL;
        char token[40];
        int r;

        snprintf(token, sizeof(token), "%ssecurity-token", v->prefix);
        if (has_token(s))
                s3_fields_set(headers, token, s->keys.token);
        if (!kept || headers->failed)
                r = ri_str_fail(err, "no memory for the headers of a request");
        else
                r = signature(s, query, headers, kept, &mac, text, err);
        if (r == 0 &&
            s3_fields_addf(headers, "Authorization", "%s %s:%s", v->word, s->keys.id, ri_str_cstr(&mac)) < 0)
                r = ri_str_fail(err, "no memory for the headers of a request");
        free(kept);
        ri_str_free(&mac);
        return r;
}

/* Presigned */

static void order(const struct s3_sign *s, const char *until, const char *mac, struct s3_fields *query)
{
        const struct v2 *v = table(s);
        struct s3_fields rest = *query;

        if (!v->id_first) {
                s3_fields_add(query, v->id, s->keys.id);
                s3_fields_add(query, "Expires", until);
                s3_fields_sort(query);
                s3_fields_add(query, v->signature, mac);
                return;
        }
        memset(query, 0, sizeof(*query));
        s3_fields_add(query, v->id, s->keys.id);
        s3_fields_add(query, "Expires", until);
        s3_fields_add(query, v->signature, mac);
        s3_fields_copy(query, &rest);
        s3_fields_clear(&rest);
}

static int v2_query(const struct s3_sign *s, const struct s3_fields *headers, uint32_t expires,
                    struct s3_fields *query, struct ri_str *text, struct ri_str *err)
{
        const struct v2 *v = table(s);
        struct ri_str mac = RI_STR_INIT(64);
        char until[24];
        int r;

        if (expires < 1)
                return ri_str_fail(err, "such a link lives for at least 1 second");
        snprintf(until, sizeof(until), "%lld", (long long)s->now + expires);
        if (has_token(s))
                s3_fields_set(query, v->token, s->keys.token);
        if (query->failed)
                r = ri_str_fail(err, "no memory for a link");
        else
                r = signature(s, query, headers, until, &mac, text, err);
        if (r == 0) {
                order(s, until, ri_str_cstr(&mac), query);
                if (query->failed)
                        r = ri_str_fail(err, "no memory for a link");
        }
        ri_str_free(&mac);
        return r;
}

/* Forms */

static int v2_policy_fields(const struct s3_sign *s, struct s3_fields *form)
{
        char token[40];

        snprintf(token, sizeof(token), "%ssecurity-token", table(s)->prefix);
        if (has_token(s))
                s3_fields_set(form, token, s->keys.token);
        return form->failed ? -1 : 0;
}

static int v2_policy(const struct s3_sign *s, const char *policy, struct s3_fields *form, struct ri_str *err)
{
        const struct v2 *v = table(s);
        struct ri_str coded = RI_STR_INIT(S3_TEXT_MAX), mac = RI_STR_INIT(64);
        int r;

        s3_base64(&coded, policy, strlen(policy));
        r = coded.failed ? ri_str_fail(err, "the policy is longer than 768 KiB")
                         : hmac_sha1(s, coded.p, coded.len, &mac, err);
        if (r == 0) {
                v2_policy_fields(s, form);
                s3_fields_set(form, v->form_id, s->keys.id);
                s3_fields_set(form, "policy", ri_str_cstr(&coded));
                if (s3_fields_set(form, v->form_signature, ri_str_cstr(&mac)) < 0)
                        r = ri_str_fail(err, "no memory for a form");
        }
        ri_str_free(&coded);
        ri_str_free(&mac);
        return r;
}

const struct s3_signer s3_signer_v2 = {
        .headers = v2_headers,
        .query = v2_query,
        .policy = v2_policy,
        .policy_fields = v2_policy_fields,
};
