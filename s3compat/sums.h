/* SPDX-License-Identifier: MIT */
/* The checksums of objects: how servers call and write them, and which of those that an answer tells is compared. */
#ifndef S3_SUMS_H
#define S3_SUMS_H

#include "core/whole.h"
#include "s3compat/fields.h"
#include "s3compat/profile.h"

/* How a checksum is called that servers are told, keep and tell. */
struct s3_sum {
        const char *header;    /* x-amz-checksum-... */
        const char *algorithm; /* when parts of an object are begun */
        const char *element;   /* in XML */
        size_t size;           /* bytes */
};
/* NULL: none of that kind. */
const struct s3_sum *s3_sum(enum s3_checksum sum);

/* A CRC as servers write it: base64 of its bytes, the highest first. */
enum { S3_SUM_TEXT = 16 };
void s3_sum_text(char out[S3_SUM_TEXT], enum s3_checksum sum, uint64_t value);
/* Continued over n bytes; 0 for what is no CRC. */
uint64_t s3_sum_add(enum s3_checksum sum, uint64_t value, const void *bytes, size_t n);
/* Of A followed by B, len2 bytes. */
uint64_t s3_sum_combine(enum s3_checksum sum, uint64_t a, uint64_t b, uint64_t len2);

/* What the answer to HEAD says of all bytes of an object; the cheapest where it says more. */
void s3_whole(struct ri_whole *w, const struct s3_profile *p, const struct s3_fields *reply);
/* Whether x-amz-checksum-mode is to be sent. */
bool s3_asks_sums(const struct s3_profile *p);
/* A CRC that the answer to GET says of the bytes of its body. false: none. */
bool s3_body_sum(const struct s3_fields *reply, enum s3_checksum *sum, uint64_t *value);

#endif
