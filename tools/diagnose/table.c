/* SPDX-License-Identifier: MIT */
/* Runs of blocks in which copies differ, from their checksum tables alone. */
#include <string.h>

#include "tools/diagnose/diagnose.h"

const char *dg_pattern_name(enum dg_pattern p)
{
        static const char *const names[DG_PATTERNS] = {
                [DG_CONTENT] = "other-content", [DG_ZERO] = "zero-hole", [DG_TAIL] = "missing-tail",
                [DG_BIT] = "single-bit",        [DG_SHIFT] = "shifted",  [DG_SWAP] = "swapped",
                [DG_OFFSET] = "other-offset",   [DG_PAD] = "padded",     [DG_ROT] = "crc-error",
        };

        return p < DG_PATTERNS ? names[p] : "unknown";
}

const char *dg_pattern_text(enum dg_pattern p)
{
        static const char *const texts[DG_PATTERNS] = {
                [DG_CONTENT] = "other content (stale, or of somebody else)",
                [DG_ZERO] = "a hole of zeros",
                [DG_TAIL] = "the tail is missing",
                [DG_BIT] = "a single bit is wrong",
                [DG_SHIFT] = "the right bytes, shifted",
                [DG_SWAP] = "blocks have changed places",
                [DG_OFFSET] = "the bytes of another place of the file",
                [DG_PAD] = "bytes behind the end of the file, where zeros should be",
                [DG_ROT] = "the stored bytes do not match their checksum",
        };

        return p < DG_PATTERNS ? texts[p] : "unknown";
}

/* Copies whose word counts; those of another version are expected to differ. */
static bool counts(const struct dg_copy *c)
{
        return c->usable && c->current && c->part == 0;
}

static size_t copies_of(const struct dg_chunk *k)
{
        return k->copies < DG_COPIES ? k->copies : DG_COPIES;
}

/* How many copies agree with copy i about the block. */
static unsigned votes(const struct dg_chunk *k, uint32_t block, size_t i)
{
        unsigned n = 0;

        for (size_t j = 0; j < copies_of(k); j++)
                n += counts(&k->copy[j]) && k->copy[j].seen[block] != DG_BAD &&
                     k->copy[j].crc[block] == k->copy[i].crc[block];
        return n;
}

/* *tie: others have as many votes for something else. */
static int reference(const struct dg_chunk *k, uint32_t block, bool *tie)
{
        unsigned most = 0;
        int best = -1;

        *tie = false;
        for (size_t i = 0; i < copies_of(k); i++) {
                if (!counts(&k->copy[i]) || k->copy[i].seen[block] == DG_BAD)
                        continue;
                unsigned n = votes(k, block, i);
                bool other = best >= 0 && k->copy[i].crc[block] != k->copy[best].crc[block];
                if (n > most) {
                        *tie = false;
                } else if (n == most && other) {
                        *tie = true;
                        /* A lost write leaves zeros: of two that disagree the one with data knows more. */
                        if (k->copy[best].crc[block] != DG_EMPTY)
                                continue;
                } else {
                        continue;
                }
                best = (int)i;
                most = n;
        }
        return best;
}

int dg_reference(const struct dg_chunk *k, uint32_t block)
{
        bool tie;

        return reference(k, block, &tie);
}

/* What block b should have; false: nobody knows. */
static bool right_crc(const struct dg_chunk *k, uint32_t block, uint32_t *crc)
{
        int i;

        if (k->has_want) {
                *crc = k->want[block];
                return true;
        }
        i = dg_reference(k, block);
        if (i < 0)
                return false;
        *crc = k->copy[i].crc[block];
        return true;
}

/* One pair of checksums in 134 million is like that, and no single bit of a block makes one: what has changed is a bit of the
 * table, not the block. */
static bool is_table_bit(const struct dg_range *r, uint32_t bad, uint32_t right)
{
        return r->good && r->same && __builtin_popcount(bad ^ right) == 1;
}

/* Everything about one block but its pattern. False: nothing is wrong with it. */
static bool classify(const struct dg_chunk *k, uint32_t block, struct dg_range *r)
{
        uint64_t start = (uint64_t)k->index * ROMA_MFS_CHUNK_SIZE + (uint64_t)block * DG_BLOCK;
        uint32_t right = 0, first = 0;
        bool tie = false, absent = true, same = true;
        int ref = reference(k, block, &tie);

        memset(r, 0, sizeof(*r));
        if (k->moving && k->moving[block])
                return false;
        r->chunk = k->index;
        r->first = block;
        r->count = 1;
        r->at = r->end = DG_UNKNOWN;
        r->behind = start >= k->length;
        /* Behind the ends of both the original says nothing; copies may still differ there. */
        r->by_original = k->has_want && (!r->behind || start < k->want_length);
        if (r->by_original)
                right = k->want[block];
        else if (ref >= 0)
                right = k->copy[ref].crc[block];
        for (size_t i = 0; i < copies_of(k); i++) {
                const struct dg_copy *c = &k->copy[i];
                if (!counts(c))
                        continue;
                if (c->seen[block] == DG_BAD) {
                        r->rot |= 1u << i;
                } else if (c->crc[block] == right) {
                        r->good |= 1u << i;
                } else {
                        if (!r->bad)
                                first = c->crc[block];
                        same &= c->crc[block] == first;
                        r->bad |= 1u << i;
                        absent &= block >= c->blocks;
                }
        }
        r->guess = !r->by_original && tie && r->bad;
        r->absent = r->bad && absent;
        r->same = same;
        r->table_bit = r->bad && is_table_bit(r, first, right);
        return r->bad || r->rot;
}

static bool is_bad(const struct dg_chunk *k, int64_t block)
{
        struct dg_range r;

        return block >= 0 && block < DG_BLOCKS && classify(k, (uint32_t)block, &r) && r.bad;
}

/* The block of the same chunk that has this CRC where things are right; -1. near: tried first. */
static int64_t find(const struct dg_chunk *k, uint32_t crc, uint32_t block, int64_t near)
{
        uint32_t right;

        if (near >= 0 && near < DG_BLOCKS && near != block && right_crc(k, (uint32_t)near, &right) &&
            right == crc)
                return near;
        for (uint32_t j = 0; j < DG_BLOCKS; j++)
                if (j != block && right_crc(k, j, &right) && right == crc)
                        return j;
        return -1;
}

/* before: the run in front of this block, whose displacement is the likeliest. */
static void name_pattern(const struct dg_chunk *k, struct dg_range *r, const struct dg_range *before)
{
        uint32_t block = r->first, right = 0;
        const struct dg_copy *c;
        int64_t near = -1, j;

        if (!r->bad) {
                r->pattern = DG_ROT;
                r->sure = true;
                return;
        }
        c = &k->copy[__builtin_ctz(r->bad)];
        if (c->crc[block] == DG_EMPTY) {
                r->pattern = DG_ZERO;
                r->sure = true;
                return;
        }
        if (before && (before->pattern == DG_OFFSET || before->pattern == DG_SWAP))
                near = before->detail / DG_BLOCK - (int64_t)k->index * DG_BLOCKS + (block - before->first);
        j = find(k, c->crc[block], block, near);
        if (j >= 0) {
                r->pattern = right_crc(k, block, &right) && c->crc[j] == right ? DG_SWAP : DG_OFFSET;
                r->detail = ((int64_t)k->index * DG_BLOCKS + j) * DG_BLOCK;
                r->sure = true;
                return;
        }
        /* Among many blocks of other content one in 8192 looks like a flipped bit. */
        if (!is_bad(k, (int64_t)block - 1) && !is_bad(k, (int64_t)block + 1) && right_crc(k, block, &right)) {
                int32_t bit = dg_one_bit(c->crc[block], right);
                if (bit >= 0) {
                        r->pattern = DG_BIT;
                        r->detail = bit;
                        r->at = (uint64_t)k->index * ROMA_MFS_CHUNK_SIZE + (uint64_t)block * DG_BLOCK +
                                (uint32_t)bit / 8;
                        r->end = r->at + 1;
                        return;
                }
        }
        r->pattern = DG_CONTENT;
}

static bool continues(const struct dg_range *a, const struct dg_range *b)
{
        if (a->first + a->count != b->first || a->bad != b->bad || a->good != b->good || a->rot != b->rot ||
            a->pattern != b->pattern || a->by_original != b->by_original || a->guess != b->guess ||
            a->behind != b->behind || a->same != b->same || a->table_bit != b->table_bit)
                return false;
        if (a->pattern == DG_OFFSET)
                return b->detail - a->detail == (int64_t)a->count * DG_BLOCK;
        return a->pattern != DG_SWAP && a->pattern != DG_BIT;
}

/* No block behind this run has data in the bad copies, and none should: the run is the end of what there is. */
static bool is_tail(const struct dg_chunk *k, const struct dg_range *r)
{
        for (uint32_t b = r->first + r->count; b < DG_BLOCKS; b++)
                for (size_t i = 0; i < copies_of(k); i++)
                        if ((r->bad >> i & 1) && k->copy[i].crc[b] != DG_EMPTY)
                                return false;
        return true;
}

/* Runs of zeros become tails, also where other copies differ in between. */
static void name_tails(const struct dg_chunk *k, struct dg_range *out, size_t n)
{
        for (size_t i = 0; i < n; i++)
                if (out[i].pattern == DG_ZERO && is_tail(k, &out[i]))
                        out[i].pattern = DG_TAIL;
}

size_t dg_ranges(const struct dg_chunk *k, struct dg_range *out, size_t room)
{
        struct dg_range r, last;
        size_t n = 0;

        memset(&last, 0, sizeof(last));
        for (uint32_t b = 0; b < DG_BLOCKS; b++) {
                if (!classify(k, b, &r))
                        continue;
                name_pattern(k, &r, n ? &last : NULL);
                if (n && continues(&last, &r)) {
                        last.count++;
                        last.absent &= r.absent;
                } else {
                        last = r;
                        n++;
                }
                if (n <= room)
                        out[n - 1] = last;
        }
        name_tails(k, out, n < room ? n : room);
        return n;
}

bool dg_in_parts(const struct dg_chunk *k)
{
        bool parts = false, current = false, whole = false;

        for (size_t i = 0; i < copies_of(k); i++) {
                const struct dg_copy *c = &k->copy[i];
                if (counts(c))
                        return false;
                parts |= c->part != 0;
                current |= c->part && c->current;
                whole |= c->part == 0;
        }
        return current || (parts && !whole);
}

bool dg_too_few_parts(const struct dg_chunk *k, unsigned *good, unsigned *needed)
{
        uint64_t seen = 0;
        unsigned of4, of8;

        for (size_t i = 0; i < copies_of(k); i++) {
                const struct dg_copy *c = &k->copy[i];
                struct dg_part p;

                if (c->usable && c->current && dg_part(c->part, &p))
                        seen |= UINT64_C(1) << c->part;
        }
        of4 = (unsigned)__builtin_popcountll(seen & 0xFFFF0000u);
        of8 = (unsigned)__builtin_popcountll(seen >> 32);
        *needed = of8 ? 8 : 4;
        *good = of8 ? of8 : of4;
        if (of4 >= 4 || of8 >= 8)
                return false;
        return dg_in_parts(k);
}

static const struct dg_copy *part(const struct dg_chunk *k, unsigned id, size_t *copy)
{
        for (size_t i = 0; i < copies_of(k); i++) {
                if (!k->copy[i].usable || !k->copy[i].current || k->copy[i].part != id)
                        continue;
                *copy = i;
                return &k->copy[i];
        }
        return NULL;
}

/* Any part tells into how many the bytes were spread. */
static bool spread(const struct dg_chunk *k, struct dg_part *out)
{
        for (size_t i = 0; i < copies_of(k); i++)
                if (k->copy[i].usable && k->copy[i].current && k->copy[i].part &&
                    dg_part(k->copy[i].part, out))
                        return true;
        return false;
}

uint32_t dg_parts_differ(const struct dg_chunk *k, uint32_t *first, size_t *copy, bool *complete)
{
        uint32_t n = 0;
        struct dg_part p;

        *complete = k->has_want && spread(k, &p);
        if (!*complete)
                return 0;
        p.checksum = false;
        for (uint32_t b = 0; b < DG_BLOCKS; b++) {
                unsigned base = p.data == 8 ? 0x20 : 0x10;
                const struct dg_copy *c;
                size_t at = 0;

                p.number = dg_part_number(&p, b);
                c = part(k, base + p.number, &at);
                if (!c) {
                        *complete &= k->want[b] == DG_EMPTY;
                        continue;
                }
                if (c->crc[dg_part_find(&p, b)] == k->want[b])
                        continue;
                if (!n++) {
                        *first = b;
                        *copy = at;
                }
        }
        return n;
}

int dg_parity(const struct dg_chunk *k, size_t *copy, bool *complete)
{
        unsigned base = 0, parts;
        const struct dg_copy *data[8], *sum;
        size_t at;

        *complete = false;
        for (size_t i = 0; i < copies_of(k); i++) {
                const struct dg_copy *c = &k->copy[i], *first;
                if (!c->usable || !c->current || !c->part)
                        continue;
                base = c->part & 0xF0 ? (c->part >= 0x20 ? 0x20 : 0x10) : base;
                first = part(k, c->part, &at);
                for (uint32_t b = 0; first != c && b < DG_BLOCKS; b++) {
                        if (first->crc[b] == c->crc[b])
                                continue;
                        *copy = i;
                        return (int)b;
                }
        }
        if (!base)
                return -1;
        parts = base == 0x20 ? 8 : 4;
        for (unsigned p = 0; p < parts; p++)
                if (!(data[p] = part(k, base + p, &at)))
                        return -1;
        sum = part(k, base + parts, &at);
        if (!sum)
                return -1;
        *complete = true;
        *copy = at;
        /* The checksum part is the XOR of the data parts; CRC-32 is affine, and the number of parts is even. */
        for (uint32_t b = 0; b < DG_BLOCKS; b++) {
                uint32_t crc = DG_EMPTY;
                for (unsigned p = 0; p < parts; p++)
                        crc ^= data[p]->crc[b];
                if (crc != sum->crc[b])
                        return (int)b;
        }
        return -1;
}
