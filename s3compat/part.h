/* SPDX-License-Identifier: MIT */
/* A piece of an object in memory: what one PUT sends. */
#ifndef S3_PART_H
#define S3_PART_H

#include "core/digest.h"
#include "s3compat/store.h"
#include "s3compat/sums.h"

struct s3_part {
        struct ri_list link; /* in its owner's */
        struct s3_store *st; /* loop only */
        void *owner;         /* loop only */
        unsigned number;     /* from 1 */
        uint64_t length, capacity;
        struct s3_span *span;
        roma_buf **buf; /* of each span: counted, or NULL: the span is memory of our own */
        size_t spans, spans_cap;
        size_t last_free; /* bytes of the last span's memory that are not used yet */
        uint32_t crc32;
        uint64_t sum; /* what the profile's checksum is, where that is a CRC */
        /* in hexadecimal or base64, when it has been asked for */
        char digest[RI_DIGEST_HEX_MAX], md5_base64[32];
        struct s3_request *r;
        /* digests on a worker */
        struct ri_job job;
        bool working;
        enum ri_digest_kind kind;
        char digest_error[200];
        void (*digested)(struct s3_part *p);
};

/* Reading `capacity` bytes at most. NULL: no memory. */
struct s3_part *s3_part_new(struct s3_store *st, void *owner, unsigned number, uint64_t capacity);
/* Takes the first of n bytes that fit: by reference when buf is given and refer is true, else copied. Bytes taken; -1: no
 * memory. *crc, the CRC-32 of the write so far, goes on over them. */
int64_t s3_part_take(struct s3_part *p, const void *bytes, size_t n, roma_buf *buf, bool refer,
                     uint32_t *crc);
/* Computes a digest of all of it, on a worker when it is long; then `digested`, perhaps at once. While it works nothing of
 * the part may be by reference. */
void s3_part_digest(struct s3_part *p, enum ri_digest_kind kind, void (*digested)(struct s3_part *p));
/* The headers by which a server checks the part; what they need has been digested. */
void s3_part_protect(const struct s3_part *p, struct s3_request *r, enum s3_checksum sum);
/* What the server says it has, against what was sent. false: they differ, and r->error is set. */
bool s3_part_confirmed(const struct s3_part *p, struct s3_request *r, enum s3_checksum sum);
/* The ETag of an object of n parts: MD5 of their MD5s and their number. first: ETag of the first part, the next is `stride`
 * bytes behind it. false: some ETag is no MD5. */
bool s3_parts_etag(const char *first, size_t stride, size_t n, char out[80]);
/* In flight or not, digested or not. */
void s3_part_free(struct s3_part *p);

#endif
