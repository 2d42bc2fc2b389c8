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
        /* of one that is read from `offset` of a source when it is sent, and has no spans: drawn.c */
        struct ri_source *source; /* counted; NULL: it is held */
        uint64_t offset;
        const char *name;       /* of the source, its owner's */
        bool summed;            /* it has been read once: crc32 is known, and holds for the next times */
        uint32_t reading;       /* CRC-32 of what this try has read */
        uint64_t seen;          /* how far any try has come */
        struct ri_fetch *fetch; /* what a worker reads, or has read */
        bool paused;            /* curl waits for it */
        /* digests on a worker */
        struct ri_job job;
        bool working;
        int kind;
        enum s3_checksum checksum; /* of the store */
        struct ri_digest digesting;
        uint64_t looked; /* bytes of the source that have been read for it */
        char digest_error[200];
        bool broken;  /* the source could not be read: */
        int read_err; /* errno, or 0 where it is too short */
        void (*moved)(struct s3_part *p);
        void (*digested)(struct s3_part *p);
};

/* Reading `capacity` bytes at most. NULL: no memory. */
struct s3_part *s3_part_new(struct s3_store *st, void *owner, unsigned number, uint64_t capacity);
/* One that is read from a source when it is sent. */
struct s3_part *s3_part_drawn(struct s3_store *st, void *owner, unsigned number, struct ri_source *source,
                              uint64_t offset, uint64_t length);
/* Bytes at `at` of it, for curl's read callback: how many, or one of curl's words. */
size_t s3_part_read(struct s3_part *p, char *to, size_t room, uint64_t at);
/* Why its source cannot be read; err: errno, or 0 where it is too short. */
void s3_part_broken(const struct s3_part *p, int err, struct ri_error *e);
/* Takes the first of n bytes that fit: by reference when buf is given and refer is true, else copied. Bytes taken; -1: no
 * memory. *crc, the CRC-32 of the write so far, goes on over them. */
int64_t s3_part_take(struct s3_part *p, const void *bytes, size_t n, roma_buf *buf, bool refer,
                     uint32_t *crc);
/* Computes a digest of all of it, on a worker when it is long; then `digested`, perhaps at once. While it works nothing of
 * the part may be by reference. kind: enum ri_digest_kind. Of one that is drawn the CRCs are computed too, -1 means them
 * alone, and `moved` is called while its source is read, each time when there is more of it; it must not free the part. */
void s3_part_digest(struct s3_part *p, int kind, void (*moved)(struct s3_part *p),
                    void (*digested)(struct s3_part *p));
/* The headers by which a server checks the part; what they need has been digested. */
void s3_part_protect(const struct s3_part *p, struct s3_request *r, enum s3_checksum sum);
/* Whether all of it went out before a good answer came. false: r->error is set. */
bool s3_part_was_sent(const struct s3_part *p, struct s3_request *r);
/* What the server says it has, against what was sent. false: they differ, and r->error is set. */
bool s3_part_confirmed(const struct s3_part *p, struct s3_request *r, enum s3_checksum sum);
/* The ETag of an object of n parts: MD5 of their MD5s and their number. first: ETag of the first part, the next is `stride`
 * bytes behind it. false: some ETag is no MD5. */
bool s3_parts_etag(const char *first, size_t stride, size_t n, char out[80]);
/* In flight or not, digested or not. */
void s3_part_free(struct s3_part *p);

#endif
