/* SPDX-License-Identifier: MIT */
/* Message digests, piece by piece, over libcrypto. Errors are real here: a machine in FIPS mode refuses MD5, and that
 * must reach the user as a sentence and not as a wrong checksum. */
#ifndef RI_DIGEST_H
#define RI_DIGEST_H

#include "core/str.h"

#include <stddef.h>

enum ri_digest_kind { RI_MD5, RI_SHA1, RI_SHA256, RI_SHA512, RI_DIGEST_KINDS };

#define RI_DIGEST_MAX     64                      /* bytes of the longest digest */
#define RI_DIGEST_HEX_MAX (2 * RI_DIGEST_MAX + 1) /* its text, with NUL */

struct evp_md_ctx_st;

struct ri_digest {
        struct evp_md_ctx_st *ctx; /* NULL before begin and after end; owned */
        enum ri_digest_kind kind;
        bool failed; /* an update failed; ri_digest_end() reports it */
};

/* "md5", "sha1", "sha256", "sha512". */
const char *ri_digest_name(enum ri_digest_kind kind);
size_t ri_digest_size(enum ri_digest_kind kind);

/* 0, or -1 when there is no such digest; "sha-256" and capitals are understood too. */
int ri_digest_by_name(const char *name, enum ri_digest_kind *kind);

/* 0, or -1 with a sentence in `err` (may be NULL); then there is nothing to free. */
int ri_digest_begin(struct ri_digest *d, enum ri_digest_kind kind, struct ri_str *err);

/* A failure here sticks and comes out at the end. */
void ri_digest_update(struct ri_digest *d, const void *bytes, size_t n);

/* Writes ri_digest_size() bytes. Frees in both cases. */
int ri_digest_end(struct ri_digest *d, unsigned char out[RI_DIGEST_MAX], struct ri_str *err);

/* The same as lower-case text. */
int ri_digest_end_hex(struct ri_digest *d, char out[RI_DIGEST_HEX_MAX], struct ri_str *err);

/* Gives up without a result; harmless when begin failed or end was called. `d` zeroed is fine too. */
void ri_digest_free(struct ri_digest *d);

/* All at once. */
int ri_digest_bytes(enum ri_digest_kind kind, const void *bytes, size_t n, unsigned char out[RI_DIGEST_MAX],
                    struct ri_str *err);

/* Lower-case hexadecimal of n bytes and a NUL: 2 * n + 1 bytes in `out`. */
void ri_hex(char *out, const void *bytes, size_t n);

#endif
