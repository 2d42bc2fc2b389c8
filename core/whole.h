/* SPDX-License-Identifier: MIT */
/* What a store knows of all bytes of an object, and whether those that were read have it. */
#ifndef RI_WHOLE_H
#define RI_WHOLE_H

#include <stdbool.h>
#include <stdint.h>

#include "core/digest.h"
#include "core/op.h"

/* Zeroed: it knows nothing. */
struct ri_whole {
        const char *name; /* of the checksum: static; NULL: nothing is known */
        const char *says; /* who says so: "the server was given them", static */
        const char *more; /* what else to do about a difference: static, "" or a sentence */
        /* Continues a CRC over n bytes, fast enough for the loop; NULL: a digest, which a worker computes. */
        uint64_t (*crc)(uint64_t crc, const void *bytes, size_t n);
        enum ri_digest_kind digest;
        bool asked;                   /* somebody wants to know: that it cannot be computed is a failure */
        char want[RI_DIGEST_HEX_MAX]; /* lower case */
};

/* Sums bytes in their order. */
struct ri_summer;

/* Of `length` bytes. `whole` is borrowed as long as it lives. moved: on the loop, when pending bytes have become fewer. NULL, with a
 * sentence in err: it cannot be computed. */
struct ri_summer *ri_summer_new(roma_loop *loop, const struct ri_whole *whole, uint64_t length,
                                void (*moved)(void *arg), void *arg, struct ri_str *err);
int ri_summer_feed(struct ri_summer *s, const void *bytes, size_t n); /* -1: out of memory */
size_t ri_summer_pending(const struct ri_summer *s);                  /* bytes not yet summed */
/* When nothing is pending, once. 0, or -1 with what is wrong. */
int ri_summer_end(struct ri_summer *s, struct ri_error *e);
void ri_summer_free(struct ri_summer *s);

#endif
