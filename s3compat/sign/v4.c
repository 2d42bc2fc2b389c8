/* SPDX-License-Identifier: MIT */
/* Signature V4 of AWS ("Authenticating Requests (AWS Signature Version 4)", S3 API reference) and of OSS, which has the
 * same shape. What differs stands in the table and in the functions that name it. S3 encodes the path once and
 * normalises nothing. */
#include <openssl/hmac.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "core/digest.h"
#include "s3compat/sign/sign.h"

struct v4 {
        const char *algorithm, *seed, *service, *terminator;
        const char *date, *sha256, *token; /* headers */
        /* query parameters and form fields */
        const char *q_algorithm, *q_credential, *q_date, *q_expires, *q_signature, *q_token, *q_signed;
        const char *f_algorithm, *f_credential, *f_date, *f_signature, *f_token;
        bool signs_all;   /* each header is signed and named; OSS: its own, and those named as additional */
        bool bucket_path; /* the path that is signed names the bucket also on virtual hosts */
        bool equal;       /* "a=" for a parameter without a value */
};

static const struct v4 aws = {
        .algorithm = "AWS4-HMAC-SHA256",
        .seed = "AWS4",
        .service = "s3",
        .terminator = "aws4_request",
        .date = "x-amz-date",
        .sha256 = "x-amz-content-sha256",
        .token = "x-amz-security-token",
        .q_algorithm = "X-Amz-Algorithm",
        .q_credential = "X-Amz-Credential",
        .q_date = "X-Amz-Date",
        .q_expires = "X-Amz-Expires",
        .q_signature = "X-Amz-Signature",
        .q_token = "X-Amz-Security-Token",
        .q_signed = "X-Amz-SignedHeaders",
        .f_algorithm = "X-Amz-Algorithm",
        .f_credential = "X-Amz-Credential",
        .f_date = "X-Amz-Date",
        .f_signature = "X-Amz-Signature",
        .f_token = "X-Amz-Security-Token",
        .signs_all = true,
        .equal = true,
};

static const struct v4 oss = {
        .algorithm = "OSS4-HMAC-SHA256",
        .seed = "aliyun_v4",
        .service = "oss",
        .terminator = "aliyun_v4_request",
        .date = "x-oss-date",
        .sha256 = "x-oss-content-sha256",
        .token = "x-oss-security-token",
        .q_algorithm = "x-oss-signature-version",
        .q_credential = "x-oss-credential",
        .q_date = "x-oss-date",
        .q_expires = "x-oss-expires",
        .q_signature = "x-oss-signature",
        .q_token = "x-oss-security-token",
        .q_signed = "x-oss-additional-headers",
        .f_algorithm = "x-oss-signature-version",
        .f_credential = "x-oss-credential",
        .f_date = "x-oss-date",
        .f_signature = "x-oss-signature",
        .f_token = "x-oss-security-token",
        .bucket_path = true,
};

static const struct v4 *table(const struct s3_sign *s)
{
        return s->dialect == S3_OSS4 ? &oss : &aws;
}

static bool has_token(const struct s3_sign *s)
{
        return s->keys.token && *s->keys.token;
}

static const char *service(const struct s3_sign *s)
{
        return s->service ? s->service : table(s)->service;
}

static const char *payload(const struct s3_sign *s)
{
        return s->payload ? s->payload : S3_UNSIGNED_PAYLOAD;
}

/* Keys */

int s3_hmac_sha256(const void *key, size_t key_len, const char *text, size_t n, unsigned char out[32],
                   struct ri_str *err)
{
        unsigned len = 32;

        if (!HMAC(EVP_sha256(), key, (int)key_len, (const unsigned char *)text, n, out, &len))
                return ri_str_fail(err, "libcrypto could not compute an HMAC-SHA256");
        return 0;
}

static int step(unsigned char key[32], const char *text, struct ri_str *err)
{
        unsigned char next[32];

        if (s3_hmac_sha256(key, 32, text, strlen(text), next, err) < 0)
                return -1;
        memcpy(key, next, 32);
        return 0;
}

int s3_v4_key(const struct s3_sign *s, const char *date, unsigned char out[32], struct ri_str *err)
{
        const struct v4 *v = table(s);
        struct ri_str seed = RI_STR_INIT(65536);
        char day[9];
        int r = -1;

        memcpy(day, date, 8);
        day[8] = '\0';
        ri_str_reserve(&seed, strlen(v->seed) + strlen(s->keys.secret) + 1);
        ri_str_puts(&seed, v->seed);
        ri_str_puts(&seed, s->keys.secret);
        if (seed.failed)
                ri_str_fail(err, "the secret key is longer than 64 KiB, or there is no memory");
        else if (s3_hmac_sha256(seed.p, seed.len, day, 8, out, err) == 0 && step(out, s->region, err) == 0 &&
                 step(out, service(s), err) == 0 && step(out, v->terminator, err) == 0)
                r = 0;
        ri_str_wipe(&seed);
        return r;
}

int s3_v4_scope(const struct s3_sign *s, const char *date, struct ri_str *out)
{
        return ri_str_printf(out, "%.8s/%s/%s/%s", date, s->region, service(s), table(s)->terminator);
}

/* The canonical request */

/* Blanks at the ends go; runs of them inside become one in the dialect of AWS. */
static void put_value(struct ri_str *out, const char *value, bool collapse)
{
        size_t n = strlen(value);
        bool blank = false;

        while (n && (value[n - 1] == ' ' || value[n - 1] == '\t'))
                n--;
        while (n && (*value == ' ' || *value == '\t'))
                value++, n--;
        for (size_t i = 0; i < n; i++) {
                bool is = value[i] == ' ' || value[i] == '\t';

                if (!collapse || !is || !blank)
                        ri_str_putc(out, collapse && is ? ' ' : value[i]);
                blank = is;
        }
}

static bool named_in(const char *list, const char *name)
{
        size_t n = strlen(name);

        while (list && *list) {
                size_t len = strcspn(list, ";");

                if (len == n && memcmp(list, name, n) == 0)
                        return true;
                list += len + (list[len] == ';');
        }
        return false;
}

static bool is_signed(const struct s3_sign *s, const char *name)
{
        return table(s)->signs_all || strncmp(name, "x-oss-", 6) == 0 || strcmp(name, "content-type") == 0 ||
               strcmp(name, "content-md5") == 0 || named_in(s->additional, name);
}

/* all: the headers, lower case, sorted. lines: what is signed; names: of which headers. */
static void put_headers(const struct s3_sign *s, const struct s3_fields *all, struct ri_str *lines,
                        struct ri_str *names)
{
        const struct v4 *v = table(s);
        const char *last = NULL;

        for (size_t i = 0; i < all->n; i++) {
                const char *name = all->v[i].name, *value = all->v[i].value ? all->v[i].value : "";

                if (!is_signed(s, name))
                        continue;
                if (last && strcmp(last, name) == 0) {
                        ri_str_truncate(lines, lines->len - 1);
                        ri_str_putc(lines, ',');
                } else {
                        ri_str_printf(lines, "%s:", name);
                        if (v->signs_all)
                                ri_str_printf(names, "%s%s", names->len ? ";" : "", name);
                }
                put_value(lines, value, v->signs_all);
                ri_str_putc(lines, '\n');
                last = name;
        }
        if (!v->signs_all && s->additional)
                ri_str_puts(names, s->additional);
}

static int canonical_headers(const struct s3_sign *s, const struct s3_fields *headers, struct ri_str *lines,
                             struct ri_str *names)
{
        struct s3_fields all = { 0 };
        int r = -1;

        s3_fields_copy(&all, headers);
        s3_fields_lower(&all);
        if (!s3_fields_get(&all, "host"))
                s3_fields_add(&all, "host", s->host);
        s3_fields_sort(&all);
        if (!all.failed) {
                put_headers(s, &all, lines, names);
                r = 0;
        }
        s3_fields_clear(&all);
        return r;
}

static int canonical_query(const struct s3_sign *s, const struct s3_fields *query, struct ri_str *out)
{
        struct s3_fields coded = { 0 };
        struct ri_str name = RI_STR_INIT(S3_TEXT_MAX), value = RI_STR_INIT(S3_TEXT_MAX);
        int r;

        /* Sorted by what they look like encoded. */
        for (size_t i = 0; i < query->n; i++) {
                const struct s3_field *f = &query->v[i];
                bool bare = !f->value || (!*f->value && !table(s)->equal);

                ri_str_reset(&name);
                ri_str_reset(&value);
                s3_encode(&name, f->name, false);
                if (!bare)
                        s3_encode(&value, f->value, false);
                s3_fields_add(&coded, ri_str_cstr(&name),
                              bare && !table(s)->equal ? NULL : ri_str_cstr(&value));
        }
        s3_fields_sort(&coded);
        for (size_t i = 0; i < coded.n; i++)
                ri_str_printf(out, "%s%s%s%s", i ? "&" : "", coded.v[i].name, coded.v[i].value ? "=" : "",
                              coded.v[i].value ? coded.v[i].value : "");
        r = coded.failed || query->failed || name.failed || value.failed || out->failed ? -1 : 0;
        s3_fields_clear(&coded);
        ri_str_free(&name);
        ri_str_wipe(&value);
        return r;
}

/* OSS signs the bucket's name wherever it stands in the URL. */
static void put_path(const struct s3_sign *s, struct ri_str *out)
{
        if (table(s)->bucket_path)
                s3_path(out, true, s->bucket, s->key);
        else
                ri_str_puts(out, s->path);
}

static int canonical_request(const struct s3_sign *s, const struct s3_fields *query,
                             const struct s3_fields *headers, struct ri_str *names, struct ri_str *out)
{
        struct ri_str lines = RI_STR_INIT(S3_TEXT_MAX);
        int r = canonical_headers(s, headers, &lines, names);

        ri_str_printf(out, "%s\n", s->method);
        put_path(s, out);
        ri_str_putc(out, '\n');
        if (r == 0)
                r = canonical_query(s, query, out);
        ri_str_printf(out, "\n%s\n%s\n%s", ri_str_cstr(&lines), ri_str_cstr(names), payload(s));
        if (lines.failed || names->failed || out->failed)
                r = -1;
        ri_str_wipe(&lines);
        return r;
}

/* Signing */

static int hex_hmac(const struct s3_sign *s, const char *date, const char *text, size_t n, char out[65],
                    struct ri_str *err)
{
        unsigned char key[32], mac[32];
        int r = s3_v4_key(s, date, key, err);

        if (r == 0)
                r = s3_hmac_sha256(key, 32, text, n, mac, err);
        if (r == 0)
                ri_hex(out, mac, 32);
        OPENSSL_cleanse(key, sizeof(key));
        return r;
}

static int sign(const struct s3_sign *s, const char *date, const struct ri_str *request, char out[65],
                struct ri_str *text, struct ri_str *err)
{
        struct ri_str to_sign = RI_STR_INIT(S3_TEXT_MAX);
        unsigned char digest[RI_DIGEST_MAX];
        char hex[65];
        int r = ri_digest_bytes(RI_SHA256, request->p, request->len, digest, err);

        if (r == 0) {
                ri_hex(hex, digest, 32);
                ri_str_printf(&to_sign, "%s\n%s\n", table(s)->algorithm, date);
                s3_v4_scope(s, date, &to_sign);
                ri_str_printf(&to_sign, "\n%s", hex);
                if (text)
                        ri_str_printf(text, "%s\n\n%s", ri_str_cstr(request), ri_str_cstr(&to_sign));
                r = to_sign.failed ? ri_str_fail(err, "no memory for a signature")
                                   : hex_hmac(s, date, to_sign.p, to_sign.len, out, err);
        }
        ri_str_free(&to_sign);
        return r;
}

/* Of a canonical request over these; names: the headers in it. */
static int signature(const struct s3_sign *s, const char *date, const struct s3_fields *query,
                     const struct s3_fields *headers, struct ri_str *names, char out[65], struct ri_str *text,
                     struct ri_str *err)
{
        struct ri_str request = RI_STR_INIT(S3_TEXT_MAX);
        int r = canonical_request(s, query, headers, names, &request);

        if (r < 0)
                ri_str_fail(err, "the request is too large to be signed, or there is no memory");
        else
                r = sign(s, date, &request, out, text, err);
        ri_str_wipe(&request);
        return r;
}

/* The date of the request: one that is given must have the form. */
static int find_date(const struct s3_sign *s, const struct s3_fields *from, const char *name, char out[17],
                     struct ri_str *err)
{
        const char *given = s3_fields_get(from, name);
        int64_t t;

        if (!given) {
                s3_iso_time(out, s->now);
                return 0;
        }
        if (strlen(given) != 16 || s3_parse_iso_time(given, &t) < 0)
                return ri_str_fail(err, "%s must look like 20130524T000000Z", name);
        memcpy(out, given, 17);
        return 0;
}

static int authorization(const struct s3_sign *s, const char *date, const char *names, const char *hex,
                         struct s3_fields *headers)
{
        const struct v4 *v = table(s);
        struct ri_str scope = RI_STR_INIT(1024);
        int r;

        s3_v4_scope(s, date, &scope);
        if (v->signs_all)
                r = s3_fields_addf(headers, "Authorization",
                                   "%s Credential=%s/%s, SignedHeaders=%s, Signature=%s", v->algorithm,
                                   s->keys.id, ri_str_cstr(&scope), names, hex);
        else
                r = s3_fields_addf(headers, "Authorization", "%s Credential=%s/%s,%s%s%sSignature=%s",
                                   v->algorithm, s->keys.id, ri_str_cstr(&scope),
                                   *names ? "AdditionalHeaders=" : "", names, *names ? "," : "", hex);
        if (scope.failed)
                r = -1;
        ri_str_free(&scope);
        return r;
}

static int v4_headers(const struct s3_sign *s, const struct s3_fields *query, struct s3_fields *headers,
                      struct ri_str *text, struct ri_str *err)
{
        const struct v4 *v = table(s);
        struct ri_str names = RI_STR_INIT(65536);
        char date[17], hex[65];
        int r;

        if (find_date(s, headers, v->date, date, err) < 0)
                return -1;
        s3_fields_set(headers, v->date, date);
        s3_fields_set(headers, v->sha256, payload(s));
        if (has_token(s))
                s3_fields_set(headers, v->token, s->keys.token);
        r = signature(s, date, query, headers, &names, hex, text, err);
        if (r == 0 && authorization(s, date, ri_str_cstr(&names), hex, headers) < 0)
                r = ri_str_fail(err, "no memory for the headers of a request");
        ri_str_free(&names);
        return r;
}

/* Presigned */

static int signed_names(const struct s3_sign *s, const struct s3_fields *headers, struct ri_str *names)
{
        struct ri_str lines = RI_STR_INIT(S3_TEXT_MAX);
        int r = canonical_headers(s, headers, &lines, names);

        ri_str_wipe(&lines);
        return r;
}

static int add_parameters(const struct s3_sign *s, const char *date, uint32_t expires, const char *names,
                          struct s3_fields *query)
{
        const struct v4 *v = table(s);
        struct ri_str scope = RI_STR_INIT(1024);
        int r;

        s3_v4_scope(s, date, &scope);
        if (v->signs_all)
                s3_fields_add(query, v->q_algorithm, v->algorithm);
        else if (*names)
                s3_fields_add(query, v->q_signed, names);
        s3_fields_addf(query, v->q_credential, "%s/%s", s->keys.id, ri_str_cstr(&scope));
        s3_fields_set(query, v->q_date, date);
        s3_fields_addf(query, v->q_expires, "%u", expires);
        if (v->signs_all)
                s3_fields_add(query, v->q_signed, names);
        else
                s3_fields_add(query, v->q_algorithm, v->algorithm);
        if (has_token(s))
                s3_fields_add(query, v->q_token, s->keys.token);
        r = scope.failed || query->failed ? -1 : 0;
        ri_str_free(&scope);
        return r;
}

static int v4_query(const struct s3_sign *s, const struct s3_fields *headers, uint32_t expires,
                    struct s3_fields *query, struct ri_str *text, struct ri_str *err)
{
        const struct v4 *v = table(s);
        struct ri_str names = RI_STR_INIT(65536), again = RI_STR_INIT(65536);
        char date[17], hex[65];
        int r;

        if (expires < 1 || expires > S3_V4_MAX_EXPIRES)
                return ri_str_fail(
                        err, "such a link lives from 1 second to 7 days; %u seconds were asked for", expires);
        if (find_date(s, query, v->q_date, date, err) < 0)
                return -1;
        r = signed_names(s, headers, &names);
        if (r < 0 || add_parameters(s, date, expires, ri_str_cstr(&names), query) < 0)
                r = ri_str_fail(err, "no memory for a link");
        else
                r = signature(s, date, query, headers, &again, hex, text, err);
        if (r == 0 && s3_fields_add(query, v->q_signature, hex) < 0)
                r = ri_str_fail(err, "no memory for a link");
        if (v->signs_all)
                s3_fields_sort(query);
        ri_str_free(&names);
        ri_str_free(&again);
        return r;
}

/* Forms */

static int v4_policy_fields(const struct s3_sign *s, struct s3_fields *form)
{
        const struct v4 *v = table(s);
        struct ri_str scope = RI_STR_INIT(1024);
        char date[17];

        s3_iso_time(date, s->now);
        s3_v4_scope(s, date, &scope);
        s3_fields_set(form, v->f_algorithm, v->algorithm);
        if (!s3_fields_get(form, v->f_credential))
                s3_fields_addf(form, v->f_credential, "%s/%s", s->keys.id, ri_str_cstr(&scope));
        s3_fields_set(form, v->f_date, date);
        if (has_token(s))
                s3_fields_set(form, v->f_token, s->keys.token);
        if (scope.failed)
                form->failed = true;
        ri_str_free(&scope);
        return form->failed ? -1 : 0;
}

static int v4_policy(const struct s3_sign *s, const char *policy, struct s3_fields *form, struct ri_str *err)
{
        const struct v4 *v = table(s);
        struct ri_str coded = RI_STR_INIT(S3_TEXT_MAX);
        char date[17], hex[65];
        int r;

        s3_iso_time(date, s->now);
        s3_base64(&coded, policy, strlen(policy));
        r = coded.failed ? ri_str_fail(err, "the policy is longer than 768 KiB")
                         : hex_hmac(s, date, coded.p, coded.len, hex, err);
        if (r == 0) {
                v4_policy_fields(s, form);
                s3_fields_set(form, "policy", ri_str_cstr(&coded));
                if (s3_fields_set(form, v->f_signature, hex) < 0)
                        r = ri_str_fail(err, "no memory for a form");
        }
        ri_str_free(&coded);
        return r;
}

const struct s3_signer s3_signer_v4 = {
        .headers = v4_headers,
        .query = v4_query,
        .policy = v4_policy,
        .policy_fields = v4_policy_fields,
};
