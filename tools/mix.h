/* SPDX-License-Identifier: MIT */
/* Only the MD5 of the original is known, and the copies differ: which copy is right where? */
#ifndef MIX_H
#define MIX_H

#include "tools/look.h"

enum mix_result {
        MIX_NOT,  /* nothing was tried: what a struct mix says that nobody has filled in */
        MIX_NONE, /* no combination that was tried has this MD5 */
        MIX_FOUND
};

/* What a search has found; starts zeroed. */
struct mix {
        enum mix_result result;
        uint64_t points; /* places where the copies differ; 0: there was nothing to choose from */
        uint64_t tried;  /* combinations */
        bool all;        /* those are all that there are */
        bool others;     /* copies of another version, or damaged ones, were among them */
        char *why;       /* nothing, or not all, was tried: a sentence. NULL: all */
        uint32_t **
                want; /* MIX_FOUND: of each chunk the CRCs of the right blocks; NULL: nothing to choose there */
        size_t chunks;
};

/* Tries the combinations of blocks that the copies of a file of `length` bytes have until one gives the MD5 (32 digits). Each
 * block is read once from each copy that has other bytes; one digest for each combination is carried along. patient: waits
 * for servers that are left in peace after a CRC error, instead of giving up. */
void mix_search(struct looker *l, const roma_mfs_map *map, uint64_t length, const char md5[33], bool patient,
                struct mix *out);
void mix_free(struct mix *m);

#endif
