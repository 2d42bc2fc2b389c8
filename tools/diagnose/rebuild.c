/* SPDX-License-Identifier: MIT */
/* Where a block of an erasure coded chunk can be taken from: its data part, the XOR of all other parts, or a whole copy that is
 * still there beside the parts. Each of these is a bid; CRC-32 is affine, so the tables say what the XOR will be without it. */
#include <string.h>

#include "tools/diagnose/diagnose.h"

enum { UNIT = 4 /* blocks */, BIDS = DG_COPIES + 2 };

/* How far the word of a copy counts. A bid of several parts has that of the worst. */
enum rank { OLD = 1, DAMAGED, CURRENT };

struct bid {
        struct dg_source s;
        enum rank rank;
        uint32_t crc;  /* by the tables */
        bool readable; /* and what comes is: */
        bool restless; /* other bytes than the tables say */
};

struct bids {
        const struct dg_chunk *k;
        struct bid bid[BIDS];
        size_t n;
};

static size_t copies_of(const struct dg_chunk *k)
{
        return k->copies < DG_COPIES ? k->copies : DG_COPIES;
}

static enum rank rank_of(const struct dg_copy *c)
{
        return c->current ? CURRENT : c->same_version ? DAMAGED : OLD;
}

static bool readable(const struct dg_copy *c, uint32_t block)
{
        return c->seen[block] != DG_BAD && c->seen[block] != DG_AWAY;
}

/* Units of 256 KiB that the longest part with this many data parts has. Each of them then has all but the last of these. */
static uint32_t units_of(const struct dg_chunk *k, unsigned data)
{
        uint32_t most = 0;

        for (size_t i = 0; i < copies_of(k); i++) {
                const struct dg_copy *c = &k->copy[i];
                struct dg_part p;

                if (c->usable && rank_of(c) > OLD && dg_part(c->part, &p) && p.data == data &&
                    c->blocks > most)
                        most = c->blocks;
        }
        return (most + UNIT - 1) / UNIT;
}

/* Do other parts show that this one has the last unit? A checksum part is as long as data part 0, and these become shorter in
 * order. */
static bool must_have(const struct dg_chunk *k, const struct dg_part *part, uint32_t unit)
{
        if (part->checksum || part->number == 0)
                return true;
        for (size_t i = 0; i < copies_of(k); i++) {
                const struct dg_copy *c = &k->copy[i];
                struct dg_part p;

                if (c->usable && rank_of(c) > OLD && dg_part(c->part, &p) && p.data == part->data &&
                    !p.checksum && p.number > part->number && c->blocks > unit * UNIT)
                        return true;
        }
        return false;
}

enum end { GOES_ON, MAY_BE_CUT, CUT };

/* What reads as zeros because the part ends before it, although others go on. In the last unit there may be nothing but
 * zeros: a part that was computed anew by a chunkserver lacks those at its end. */
static enum end end_of(const struct dg_chunk *k, const struct dg_copy *c, const struct dg_part *part,
                       uint32_t block)
{
        uint32_t units = units_of(k, part->data), unit = block / UNIT;

        if (block < c->blocks || unit >= units)
                return GOES_ON;
        if (unit + 1 < units)
                return CUT;
        return c->blocks < unit * UNIT || must_have(k, part, unit) ? MAY_BE_CUT : GOES_ON;
}

static struct bid *add(struct bids *b)
{
        struct bid *one = &b->bid[b->n++];

        memset(one, 0, sizeof(*one));
        return one;
}

static void bid_copy(struct bids *b, size_t copy, uint32_t block)
{
        const struct dg_copy *c = &b->k->copy[copy];
        struct bid *one = add(b);

        one->s.n = 1;
        one->s.copy[0] = copy;
        one->s.block = block;
        one->crc = c->crc[block];
        one->rank = rank_of(c);
        one->readable = readable(c, block);
        one->restless = c->seen[block] == DG_RESTLESS;
}

static void bid_part(struct bids *b, size_t copy, uint32_t block, const struct dg_part *part)
{
        enum end end = end_of(b->k, &b->k->copy[copy], part, block);

        if (end == CUT)
                return;
        bid_copy(b, copy, block);
        if (end == MAY_BE_CUT)
                b->bid[b->n - 1].rank = OLD;
}

/* The copy of this part whose block is the best to compute with; -1: none has it. */
static int best_of(const struct dg_chunk *k, uint8_t id, const struct dg_part *part, uint32_t block)
{
        int best = -1, most = 0;

        for (size_t i = 0; i < copies_of(k); i++) {
                const struct dg_copy *c = &k->copy[i];
                enum end end;
                int w;

                if (!c->usable || c->part != id || rank_of(c) == OLD)
                        continue;
                end = end_of(k, c, part, block);
                if (end == CUT)
                        continue;
                w = readable(c, block) * 16 + (end == GOES_ON && c->seen[block] != DG_RESTLESS) * 8 +
                    (int)rank_of(c);
                if (w > most) {
                        most = w;
                        best = (int)i;
                }
        }
        return best;
}

/* One more part to compute with. False: there is none. */
static bool add_to_xor(const struct dg_chunk *k, struct bid *one, const struct dg_part *want, uint8_t id)
{
        uint32_t block = one->s.block;
        struct dg_part part;
        const struct dg_copy *c;
        enum rank rank;
        int i;

        dg_part(id, &part);
        i = best_of(k, id, &part, block);
        if (i < 0)
                return false;
        c = &k->copy[i];
        rank = rank_of(c);
        /* Whoever wants the block of a later part expects one here. */
        if (end_of(k, c, &part, block) != GOES_ON ||
            (block >= c->blocks && block / UNIT < units_of(k, want->data) && part.number < want->number))
                rank = OLD;
        one->s.copy[one->s.n++] = (size_t)i;
        one->crc ^= c->crc[block];
        one->readable &= readable(c, block);
        one->restless |= c->seen[block] == DG_RESTLESS;
        if (rank < one->rank)
                one->rank = rank;
        return true;
}

/* Data part `want` from the checksum part and all others. */
static void bid_xor(struct bids *b, const struct dg_part *want, uint32_t block)
{
        unsigned base = want->data == 8 ? 0x20 : 0x10;
        struct bid *one = add(b);

        one->rank = CURRENT;
        one->readable = true;
        one->crc = DG_EMPTY;
        one->s.block = block;
        for (unsigned p = 0; p <= want->data; p++) {
                if (p == want->number || add_to_xor(b->k, one, want, (uint8_t)(base + p)))
                        continue;
                b->n--;
                return;
        }
}

static void all_bids(struct bids *b, uint32_t block)
{
        for (size_t i = 0; i < copies_of(b->k); i++) {
                const struct dg_copy *c = &b->k->copy[i];
                struct dg_part p;

                if (!c->usable)
                        continue;
                if (!c->part)
                        bid_copy(b, i, block);
                else if (dg_part(c->part, &p) && !p.checksum && dg_part_find(&p, block) >= 0)
                        bid_part(b, i, (uint32_t)dg_part_find(&p, block), &p);
        }
        for (unsigned data = 4; data <= 8; data += 4) {
                struct dg_part p = { .data = data };

                p.number = dg_part_number(&p, block);
                bid_xor(b, &p, (uint32_t)dg_part_find(&p, block));
        }
}

static unsigned supporters(const struct bids *b, const struct bid *one)
{
        unsigned n = 0;

        for (size_t i = 0; i < b->n; i++)
                n += b->bid[i].readable && b->bid[i].rank >= one->rank && b->bid[i].crc == one->crc;
        return n;
}

static bool shy(const struct bid *one, uint32_t avoid)
{
        for (unsigned i = 0; i < one->s.n; i++)
                if (avoid >> one->s.copy[i] & 1)
                        return true;
        return false;
}

/* What the original has; then the rank; then how many say the same; then data rather than zeros; then who may be asked now. */
static unsigned weight(const struct bids *b, const struct bid *one, uint32_t block, uint32_t avoid)
{
        unsigned same = supporters(b, one);

        if (one->restless)
                return one->rank;
        return (b->k->has_want && one->crc == b->k->want[block]) * 100000u + one->rank * 10000u +
               (same < 99 ? same : 99) * 100u + (one->crc != DG_EMPTY) * 10u + !shy(one, avoid) * 2u +
               (one->s.n == 1);
}

/* Of the bids that say the same as the best, one that can be had now, and of these the one that costs least. */
static const struct bid *cheapest(const struct bids *b, const struct bid *best, uint32_t avoid)
{
        const struct bid *out = best;

        for (size_t i = 0; i < b->n; i++) {
                const struct bid *one = &b->bid[i];

                if (one->readable && !one->restless && one->rank > OLD && one->crc == best->crc &&
                    !shy(one, avoid) && (shy(out, avoid) || one->s.n < out->s.n))
                        out = one;
        }
        return out;
}

static const char *doubt(const struct bids *b, const struct bid *best, uint32_t block)
{
        unsigned pro = 0, contra = 0;

        if (best->restless)
                return "unstable: its server gives other bytes at each read";
        if (b->k->has_want)
                return best->crc == b->k->want[block] ? NULL : "the parts do not have what the original has";
        if (best->rank == OLD)
                return "only parts that were cut off, or are of another version, have it";
        for (size_t i = 0; i < b->n; i++) {
                const struct bid *one = &b->bid[i];

                if (one->rank < best->rank)
                        continue;
                if (one->crc == best->crc)
                        pro += one->readable;
                else if (one->readable && !one->restless)
                        return "the parts of the erasure coded chunk do not fit each other";
                else
                        contra++;
        }
        return contra && contra >= pro
                       ? "a part that cannot be read there had something else, by its checksum"
                       : NULL;
}

static void lost(const struct dg_chunk *k, const struct bids *b, struct dg_source *out)
{
        bool away = false;

        for (size_t i = 0; i < b->n; i++)
                for (unsigned p = 0; p < b->bid[i].s.n; p++)
                        away |= k->copy[b->bid[i].s.copy[p]].seen[b->bid[i].s.block] == DG_AWAY;
        memset(out, 0, sizeof(*out));
        out->certainty = DG_LOST;
        out->crc = DG_EMPTY;
        out->reason = away   ? "a server that has a part of it stopped answering: try again"
                      : b->n ? "the block is damaged, and so is one that it could be computed from"
                             : "its part is missing, and so is one that it could be computed from";
}

void dg_choose_part(const struct dg_chunk *k, uint32_t block, uint32_t avoid, struct dg_source *out)
{
        struct bids b = { .k = k };
        const struct bid *best = NULL;

        all_bids(&b, block);
        for (size_t i = 0; i < b.n; i++)
                if (b.bid[i].readable &&
                    (!best || weight(&b, &b.bid[i], block, avoid) > weight(&b, best, block, avoid)))
                        best = &b.bid[i];
        if (!best) {
                lost(k, &b, out);
                return;
        }
        *out = cheapest(&b, best, avoid)->s;
        out->crc = best->crc;
        out->reason = doubt(&b, best, block);
        out->certainty = out->reason ? DG_CHOSEN : DG_CERTAIN;
}
