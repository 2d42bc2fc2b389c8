/* SPDX-License-Identifier: MIT */
/* The bytes of blocks that differ: where the first difference is, and which pattern it has when checksums do not say. A few
 * blocks of each file are read, never from a server that had a CRC error a moment ago. */
#include <stdlib.h>
#include <string.h>

#include "tools/examine.h"

enum {
        PEEKS = 48,
        PROBES = 16,
        PROBE = 32,
        PIECE = 4 << 20,
        HITS = 256 /* of a probe: more have originals that repeat themselves, and each costs a look at a block */
};
#define SEARCH_MAX (UINT64_C(16) << 30) /* bytes of an original that is searched */

/* Bytes of a bad block that are looked for in the whole original. */
struct probe {
        size_t range;
        uint32_t first, len; /* of the block: what differs */
        uint32_t at;         /* of the block: where the probe was taken */
        unsigned char *block;
};

struct blocks {
        unsigned char around[3 * DG_BLOCK]; /* what is right: block before, block, block after */
        unsigned char bad[DG_BLOCK];
};

void refine_clear(struct subject *s)
{
        for (unsigned i = 0; i < s->probed; i++)
                free(s->probes[i].block);
        free(s->probes);
        s->probes = NULL;
        s->probed = 0;
}

static uint64_t file_offset(const struct dg_range *r, uint32_t block)
{
        return (uint64_t)r->chunk * ROMA_MFS_CHUNK_SIZE + (uint64_t)block * DG_BLOCK;
}

/* What is right, from the original or from the copies that agree. */
static bool get_good(struct subject *s, struct look *look, const struct dg_range *r, uint32_t block,
                     struct blocks *b)
{
        uint64_t start = file_offset(r, block);

        memset(b->around, 0, sizeof(b->around));
        if (r->by_original && !s->o->md5[0]) {
                uint64_t before = start ? DG_BLOCK : 0;
                return original_read(s->o, b->around + DG_BLOCK - before, (size_t)(2 * DG_BLOCK + before),
                                     start - before);
        }
        if (!r->good)
                return false;
        size_t copy = (size_t)__builtin_ctz(r->good);
        if (look_block(s->l, look, copy, block, b->around + DG_BLOCK) != LOOK_OK)
                return false;
        /* The neighbours are for shifts only, and may be wrong themselves. */
        if (r->pattern == DG_CONTENT) {
                if (block && look_block(s->l, look, copy, block - 1, b->around) != LOOK_OK)
                        memset(b->around, 0, DG_BLOCK);
                if (block + 1 < DG_BLOCKS &&
                    look_block(s->l, look, copy, block + 1, b->around + 2 * DG_BLOCK) != LOOK_OK)
                        memset(b->around + 2 * DG_BLOCK, 0, DG_BLOCK);
        }
        return true;
}

/* Compares one block of the first bad copy with what is right. */
static bool peek(struct subject *s, struct look *look, const struct dg_range *r, uint32_t block,
                 struct blocks *b, struct dg_bytes *out)
{
        uint64_t start = file_offset(r, block), length = s->map->length;
        uint32_t used = start >= length             ? 0
                        : length - start < DG_BLOCK ? (uint32_t)(length - start)
                                                    : DG_BLOCK;

        if (s->peeks >= PEEKS || s->l->tool->stopping)
                return false;
        s->peeks++;
        if (look_block(s->l, look, (size_t)__builtin_ctz(r->bad), block, b->bad) != LOOK_OK ||
            !get_good(s, look, r, block, b))
                return false;
        /* What lies behind the end is hidden; only a run inside the file is judged by what readers see. */
        return dg_compare(b->around + DG_BLOCK, b->bad, b->around, r->behind ? DG_BLOCK : used, out);
}

static bool telling(const unsigned char *p)
{
        unsigned char seen[256] = { 0 };
        unsigned kinds = 0;

        for (unsigned i = 0; i < PROBE; i++)
                kinds += !seen[p[i]]++;
        return kinds >= 6;
}

static void remember(struct subject *s, size_t range, const struct dg_bytes *d, const struct blocks *b)
{
        if (s->probed == PROBES || d->end - d->first < 2 * PROBE)
                return;
        for (uint32_t at = d->first; at + PROBE <= d->end; at += PROBE) {
                if (!telling(b->bad + at))
                        continue;
                if (!s->probes)
                        s->probes = need(calloc(PROBES, sizeof(*s->probes)));
                s->probes[s->probed] = (struct probe){ .range = range,
                                                       .first = d->first,
                                                       .len = d->end - d->first,
                                                       .at = at,
                                                       .block = need(malloc(DG_BLOCK)) };
                memcpy(s->probes[s->probed++].block, b->bad, DG_BLOCK);
                return;
        }
}

static bool is_zeros(enum dg_pattern p)
{
        return p == DG_ZERO || p == DG_TAIL;
}

static void refine(struct subject *s, struct look *look, size_t i, struct blocks *b)
{
        struct dg_range *r = &s->range[i];
        struct dg_bytes first, last;
        uint64_t end_block = (uint64_t)r->first + r->count - 1;

        if (!peek(s, look, r, r->first, b, &first))
                return;
        r->at = file_offset(r, r->first) + first.first;
        if (r->count == 1)
                r->end = file_offset(r, r->first) + first.end;
        if (r->pattern == DG_CONTENT || r->pattern == DG_BIT) {
                r->pattern = first.pattern;
                r->detail = first.detail;
                r->sure = true;
                if (r->pattern == DG_TAIL && r->count > 1)
                        r->pattern = DG_CONTENT; /* the blocks behind it are not zero */
                if (r->pattern == DG_CONTENT && r->by_original && !s->o->md5[0])
                        remember(s, i, &first, b);
        }
        if (r->count > 1 && peek(s, look, r, (uint32_t)end_block, b, &last))
                r->end = file_offset(r, (uint32_t)end_block) + last.end;
}

/* A hole that begins or ends inside a block is one hole. */
static void join(struct subject *s, size_t first)
{
        size_t to = first;

        for (size_t i = first + 1; i < s->ranges; i++) {
                struct dg_range *a = &s->range[to], *b = &s->range[i];
                if (a->chunk == b->chunk && a->first + a->count == b->first && is_zeros(a->pattern) &&
                    is_zeros(b->pattern) && a->bad == b->bad && a->good == b->good && a->rot == b->rot &&
                    a->by_original == b->by_original && a->behind == b->behind) {
                        a->count += b->count;
                        a->end = b->end;
                        a->pattern = b->pattern;
                        a->absent &= b->absent;
                        continue;
                }
                s->range[++to] = *b;
        }
        if (s->ranges > first)
                s->ranges = to + 1;
}

/* Not when they are known already. */
static bool wants_bytes(const struct dg_range *r)
{
        return r->bad && !(r->sure && r->at != DG_UNKNOWN);
}

void refine_chunk(struct subject *s, struct look *look, size_t first)
{
        struct blocks *b;
        unsigned probed = s->probed;

        if (first == s->ranges)
                return;
        b = need(malloc(sizeof(*b)));
        for (size_t i = first; i < s->ranges;) {
                size_t rots = s->l->rots;
                if (wants_bytes(&s->range[i]))
                        refine(s, look, i, b);
                /* A server that refuses a block with a CRC error says more about it than its table did: the runs from here on
                 * are others. Each time costs a peek, of which there are few. */
                if (s->l->rots != rots)
                        i = examine_again(s, look, i);
                else
                        i++;
        }
        free(b);
        /* Probes name ranges by number. */
        if (s->probed == probed)
                join(s, first);
}

/* ---- the whole original ----------------------------------------------------------------------------------- */

/* The bytes that differ are, nearly all, those of the original `move` bytes further on. */
static bool confirm(struct subject *s, const struct probe *p, int64_t move)
{
        uint64_t start = file_offset(&s->range[p->range], s->range[p->range].first) + p->first;
        unsigned char *bytes;
        uint32_t same = 0;

        if ((int64_t)start + move < 0)
                return false;
        bytes = need(malloc(DG_BLOCK));
        if (original_read(s->o, bytes, p->len, start + (uint64_t)move))
                for (uint32_t i = 0; i < p->len; i++)
                        same += bytes[i] == p->block[p->first + i];
        free(bytes);
        return same >= p->len - p->len / 16;
}

static bool found_at(struct subject *s, const struct probe *p, uint64_t offset)
{
        struct dg_range *r = &s->range[p->range];
        int64_t move = (int64_t)offset - (int64_t)(file_offset(r, r->first) + p->at);

        if (!move || !confirm(s, p, move))
                return false;
        r->pattern = DG_OFFSET;
        r->detail = (int64_t)file_offset(r, r->first) + move;
        return true;
}

void refine_search(struct subject *s)
{
        bool done[PROBES] = { false };
        unsigned hits[PROBES] = { 0 };
        unsigned char *buf;
        size_t overlap = PROBE - 1;

        if (!s->probed || s->o->length > SEARCH_MAX)
                return;
        buf = need(malloc(PIECE));
        for (uint64_t at = 0; at < s->o->length && !s->l->tool->stopping; at += PIECE - overlap) {
                size_t n = s->o->length - at < PIECE ? (size_t)(s->o->length - at) : PIECE;
                if (!original_read(s->o, buf, n, at))
                        break;
                for (unsigned i = 0; i < s->probed; i++) {
                        const unsigned char *hit = buf;
                        while (!done[i] && (hit = memmem(hit, n - (size_t)(hit - buf),
                                                         s->probes[i].block + s->probes[i].at, PROBE))) {
                                done[i] = found_at(s, &s->probes[i], at + (uint64_t)(hit - buf)) ||
                                          ++hits[i] == HITS;
                                hit++;
                        }
                }
        }
        free(buf);
}
