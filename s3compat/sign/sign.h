/* SPDX-License-Identifier: MIT */
/* Signatures of S3 and its relatives: pure functions over bytes, no sockets, no clock.
 *
 * Two shapes of signature and a table entry for each dialect of them: v4.c (a key derived from date and region, over a
 * canonical request) for AWS and OSS; v2.c (the secret itself, over a few headers and the resource) for AWS, OSS and
 * OBS. Grounded in the vendors' documents and checked against what their own SDKs send: tests/s3-vectors. */
#ifndef S3_SIGN_H
#define S3_SIGN_H

#include <stdint.h>

#include "core/str.h"
#include "s3compat/fields.h"

enum s3_dialect { S3_AWS4, S3_AWS2, S3_OSS4, S3_OSS1, S3_OBS, S3_DIALECTS };

/* "aws4", "aws2", "oss4", "oss1", "obs". */
const char *s3_dialect_name(enum s3_dialect d);
int s3_dialect_by_name(const char *name, enum s3_dialect *d); /* 0, or -1: no such */
/* "x-amz-", "x-oss-", "x-obs-" */
const char *s3_header_prefix(enum s3_dialect d);

#define S3_UNSIGNED_PAYLOAD "UNSIGNED-PAYLOAD"
#define S3_EMPTY_SHA256     "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"

enum { S3_V4_MAX_EXPIRES = 7 * 86400, S3_TEXT_MAX = 1 << 20 };

struct s3_keys {
        const char *id, *secret;
        const char *token; /* of temporary keys; NULL or "": none */
};

/* One request. Everything is borrowed. */
struct s3_sign {
        enum s3_dialect dialect;
        struct s3_keys keys;
        const char *region;  /* V4 only */
        const char *service; /* V4 only; NULL: "s3", or "oss" */
        int64_t now;         /* seconds since 1970, by the server's clock */
        const char *method;  /* "GET" */
        const char *host;    /* the Host header: with a port where it is not the scheme's own */
        const char *bucket;  /* "": none, the request is for the service */
        const char *key;     /* decoded; "": the bucket */
        const char *path;    /* the URL's path as it is sent, encoded: s3_path() */
        const char
                *payload; /* V4: digest of the body in hexadecimal, or S3_UNSIGNED_PAYLOAD (also when NULL) */
        const char
                *additional; /* OSS V4: "a;b", further headers to sign, lower case and sorted; NULL: none */
};

/* Adds to `headers` (all that will be sent but those that cannot be known here, such as Connection) what makes the
 * request signed. `query` is what follows the path, decoded. A date that is among the headers already is kept.
 * text: gets what was signed, for a comparison with what the server says it wanted; may be NULL. It holds no secret.
 * 0, or -1 with a sentence in err. */
int s3_sign_headers(const struct s3_sign *s, const struct s3_fields *query, struct s3_fields *headers,
                    struct ri_str *text, struct ri_str *err);

/* Adds to `query` what lets anybody make this request until `expires` seconds from now, with exactly the given headers
 * (may be empty); puts it in the order in which the vendor's SDK does. */
int s3_sign_query(const struct s3_sign *s, const struct s3_fields *headers, uint32_t expires,
                  struct s3_fields *query, struct ri_str *text, struct ri_str *err);

/* The fields of a form (POST policy) besides those the caller has put into `form` and `policy`: id, policy, signature
 * ... policy: the document as text; it is the caller's, so that it can be exactly what was wanted. */
int s3_sign_policy(const struct s3_sign *s, const char *policy, struct s3_fields *form, struct ri_str *err);
/* What the conditions of the policy must name besides the caller's own: the V4 dialects check their own fields. */
int s3_policy_fields(const struct s3_sign *s, struct s3_fields *form);

/* Chunks of a body that is signed while it is sent (STREAMING-AWS4-HMAC-SHA256-PAYLOAD...). Each signature follows from
 * the one before, the first from the seed: the Signature of the Authorization header. */
struct s3_chunks {
        unsigned char key[32]; /* secret: s3_chunks_end() */
        char date[17], scope[160], previous[65];
};
int s3_chunks_begin(struct s3_chunks *c, const struct s3_sign *s, const char *seed, struct ri_str *err);
/* sha256: of the chunk's bytes, in hexadecimal. out: the chunk's signature. */
int s3_chunk_sign(struct s3_chunks *c, const char *sha256, char out[65], struct ri_str *err);
/* lines: "name:value\n"... as they follow the last chunk. */
int s3_trailer_sign(struct s3_chunks *c, const char *lines, char out[65], struct ri_str *err);
void s3_chunks_end(struct s3_chunks *c);

/* encode.c */
/* All but A-Za-z0-9-_.~ as %XX; slashes too, unless they are to be kept. */
int s3_encode(struct ri_str *out, const char *text, bool keep_slash);
/* "/bucket/key" (path style) or "/key", encoded. */
int s3_path(struct ri_str *out, bool path_style, const char *bucket, const char *key);
/* "a=b&c": without the '=' for parameters without a value, or with it, as AWS wants in what is signed. */
int s3_query(struct ri_str *out, const struct s3_fields *query, bool equal_always);
int s3_base64(struct ri_str *out, const void *bytes, size_t n);
int s3_base64_decode(const char *text, unsigned char *out, size_t max, size_t *n); /* 0, or -1 */
/* "20130524T000000Z" and "Fri, 24 May 2013 00:00:00 GMT". */
void s3_iso_time(char out[17], int64_t t);
void s3_http_time(char out[40], int64_t t);
int s3_parse_http_time(const char *text, int64_t *t); /* 0, or -1 */
int s3_parse_iso_time(const char *text, int64_t *t);  /* 2013-05-24T00:00:00.000Z, or without punctuation */

/* v4.c, v2.c: for sign.c. */
extern const struct s3_signer s3_signer_v4, s3_signer_v2;
struct s3_signer {
        int (*headers)(const struct s3_sign *s, const struct s3_fields *query, struct s3_fields *headers,
                       struct ri_str *text, struct ri_str *err);
        int (*query)(const struct s3_sign *s, const struct s3_fields *headers, uint32_t expires,
                     struct s3_fields *query, struct ri_str *text, struct ri_str *err);
        int (*policy)(const struct s3_sign *s, const char *policy, struct s3_fields *form,
                      struct ri_str *err);
        int (*policy_fields)(const struct s3_sign *s, struct s3_fields *form);
};
/* The signing key of V4, and its scope. */
int s3_v4_key(const struct s3_sign *s, const char *date, unsigned char out[32], struct ri_str *err);
int s3_v4_scope(const struct s3_sign *s, const char *date, struct ri_str *out);
int s3_hmac_sha256(const void *key, size_t key_len, const char *text, size_t n, unsigned char out[32],
                   struct ri_str *err);

#endif
