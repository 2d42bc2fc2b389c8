/* SPDX-License-Identifier: MIT */
/* All bytes of an object as a reader gets them: digests, parts, and where they differ from the original. */
#ifndef CONTENT_H
#define CONTENT_H

#include "tools/look.h"
#include "tools/pieces.h"

enum { CONTENT_RUNS = 64, CONTENT_GAPS = 16, CONTENT_SIZES = 16 };

/* Blocks of 64 KiB side by side that are not those of the original. */
struct content_run {
        uint64_t first, count;   /* blocks */
        uint64_t at, end;        /* first byte that differs, and behind the last, in the first block */
        enum dg_pattern pattern; /* of the first block */
        int64_t detail;
};

struct content_gap {
        uint64_t at, len;
        int code;
        char *message;
};

struct content {
        bool done; /* all was read, but for the gaps */
        uint64_t length;
        char md5[33]; /* "": not all was read */
        uint32_t crc;
        struct content_run run[CONTENT_RUNS];
        size_t runs, more_runs;
        struct content_gap gap[CONTENT_GAPS]; /* could not be read */
        size_t gaps, more_gaps;
        /* the ETag of a multipart upload: MD5 of the MD5s of the parts */
        uint64_t size[CONTENT_SIZES]; /* of equal parts that were tried; none when the parts are known */
        size_t sizes;
        bool known; /* that of parts of which the store says where each ends, and they are all bytes */
        int fits;   /* -1: none; else the index in size, 0 for known parts */
};

/* Reads all of it. o: to compare with, or NULL. y: whose parts to compute; its ETag says how many there are. */
void content_read(struct tool *t, struct content *c, const struct location *at, struct original *o,
                  const roma_layout *y);
void content_clear(struct content *c);

#endif
