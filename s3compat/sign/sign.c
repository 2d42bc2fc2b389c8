/* SPDX-License-Identifier: MIT */
/* The dialects by name, and the chain of signatures of a body that is signed piece by piece. */
#include "s3compat/sign/sign.h"

#include <openssl/crypto.h>
#include <stdio.h>
#include <string.h>

#include "core/digest.h"

static const struct dialect {
        const char *name, *prefix;
        const struct s3_signer *signer;
} dialects[S3_DIALECTS] = {
        [S3_AWS4] = { "aws4", "x-amz-", &s3_signer_v4 }, [S3_AWS2] = { "aws2", "x-amz-", &s3_signer_v2 },
        [S3_OSS4] = { "oss4", "x-oss-", &s3_signer_v4 }, [S3_OSS1] = { "oss1", "x-oss-", &s3_signer_v2 },
        [S3_OBS] = { "obs", "x-obs-", &s3_signer_v2 },
};

const char *s3_dialect_name(enum s3_dialect d)
{
        return dialects[d].name;
}

const char *s3_header_prefix(enum s3_dialect d)
{
        return dialects[d].prefix;
}

int s3_dialect_by_name(const char *name, enum s3_dialect *d)
{
        for (size_t i = 0; i < S3_DIALECTS; i++)
                if (strcmp(dialects[i].name, name) == 0) {
                        *d = (enum s3_dialect)i;
                        return 0;
                }
        return -1;
}

int s3_sign_headers(const struct s3_sign *s, const struct s3_fields *query, struct s3_fields *headers,
                    struct ri_str *text, struct ri_str *err)
{
        return dialects[s->dialect].signer->headers(s, query, headers, text, err);
}

int s3_sign_query(const struct s3_sign *s, const struct s3_fields *headers, uint32_t expires,
                  struct s3_fields *query, struct ri_str *text, struct ri_str *err)
{
        return dialects[s->dialect].signer->query(s, headers, expires, query, text, err);
}

int s3_sign_policy(const struct s3_sign *s, const char *policy, struct s3_fields *form, struct ri_str *err)
{
        return dialects[s->dialect].signer->policy(s, policy, form, err);
}

int s3_policy_fields(const struct s3_sign *s, struct s3_fields *form)
{
        return dialects[s->dialect].signer->policy_fields(s, form);
}

/* Chunks */

int s3_chunks_begin(struct s3_chunks *c, const struct s3_sign *s, const char *seed, struct ri_str *err)
{
        struct ri_str scope = RI_STR_INIT(sizeof(c->scope) - 1);

        memset(c, 0, sizeof(*c));
        s3_iso_time(c->date, s->now);
        s3_v4_scope(s, c->date, &scope);
        if (scope.failed || strlen(seed) != 64) {
                ri_str_free(&scope);
                return ri_str_fail(err, "a chain of signatures needs a V4 signature and a short region");
        }
        memcpy(c->scope, scope.p, scope.len + 1);
        memcpy(c->previous, seed, 65);
        ri_str_free(&scope);
        return s3_v4_key(s, c->date, c->key, err);
}

static int chain(struct s3_chunks *c, const char *algorithm, const char *between, const char *sha256,
                 char out[65], struct ri_str *err)
{
        unsigned char mac[32];
        char text[512];
        int n = snprintf(text, sizeof(text), "%s\n%s\n%s\n%s\n%s%s", algorithm, c->date, c->scope,
                         c->previous, between, sha256);

        if (s3_hmac_sha256(c->key, 32, text, (size_t)n, mac, err) < 0)
                return -1;
        ri_hex(out, mac, 32);
        memcpy(c->previous, out, 65);
        return 0;
}

int s3_chunk_sign(struct s3_chunks *c, const char *sha256, char out[65], struct ri_str *err)
{
        if (strlen(sha256) != 64)
                return ri_str_fail(err, "a SHA-256 has 64 hexadecimal digits");
        return chain(c, "AWS4-HMAC-SHA256-PAYLOAD", S3_EMPTY_SHA256 "\n", sha256, out, err);
}

int s3_trailer_sign(struct s3_chunks *c, const char *lines, char out[65], struct ri_str *err)
{
        unsigned char digest[RI_DIGEST_MAX];
        char hex[65];

        if (ri_digest_bytes(RI_SHA256, lines, strlen(lines), digest, err) < 0)
                return -1;
        ri_hex(hex, digest, 32);
        return chain(c, "AWS4-HMAC-SHA256-TRAILER", "", hex, out, err);
}

void s3_chunks_end(struct s3_chunks *c)
{
        OPENSSL_cleanse(c, sizeof(*c));
}
