/* SPDX-License-Identifier: MIT */
/* Which copy's block goes into the salvaged file. */
#include <string.h>

#include "tools/diagnose/diagnose.h"

static size_t copies_of(const struct dg_chunk *k)
{
        return k->copies < DG_COPIES ? k->copies : DG_COPIES;
}

static bool readable(const struct dg_copy *c, uint32_t block)
{
        return c->usable && c->part == 0 && (c->seen[block] == DG_UNREAD || c->seen[block] == DG_GOOD);
}

/* Copies of the right version that cannot be read here, and whose table says that something else belongs here: as many as
 * those that say this, or more. It may be the table that is wrong. */
static bool outvoted(const struct dg_chunk *k, uint32_t block, uint32_t with)
{
        uint32_t crc = k->copy[__builtin_ctz(with)].crc[block];
        unsigned pro = 0, contra = 0;

        for (size_t i = 0; i < copies_of(k); i++) {
                const struct dg_copy *c = &k->copy[i];

                if (!c->usable || !c->current || c->part)
                        continue;
                pro += (with >> i & 1) != 0;
                contra += !readable(c, block) && c->crc[block] != crc;
        }
        return contra && contra >= pro;
}

/* The copies with the same bytes as copy i. */
static uint32_t like(const struct dg_chunk *k, uint32_t block, size_t i)
{
        uint32_t mask = 0;

        for (size_t j = 0; j < copies_of(k); j++)
                if (readable(&k->copy[j], block) && k->copy[j].crc[block] == k->copy[i].crc[block])
                        mask |= 1u << j;
        return mask;
}

/* How much is for these bytes. Copies of the right version weigh most, then damaged ones of that version, then that they are
 * data, then how many. */
static unsigned weight(const struct dg_chunk *k, uint32_t block, uint32_t with, int last)
{
        unsigned current = 0, same = 0, all = 0, w;
        size_t first = (size_t)__builtin_ctz(with);

        for (size_t i = 0; i < copies_of(k); i++) {
                all += with >> i & 1;
                current += (with >> i & 1) && k->copy[i].current;
                same |= (with >> i & 1) && k->copy[i].same_version;
        }
        w = current * 10000 + same * 5000 + (k->copy[first].crc[block] != DG_EMPTY) * 1000 + all * 10;
        return w + (last >= 0 && (with >> last & 1));
}

/* Of copies that are alike: the one before, then one of the right version, then one that has been read. */
static int one_of(const struct dg_chunk *k, uint32_t block, uint32_t with, int last)
{
        int best = -1, most = -1;

        for (size_t i = 0; i < copies_of(k); i++) {
                if (!(with >> i & 1))
                        continue;
                int w = (k->copy[i].seen[block] == DG_GOOD) * 4 + k->copy[i].current * 2 + ((int)i == last);
                if (w > most) {
                        most = w;
                        best = (int)i;
                }
        }
        return best;
}

static void lost(const struct dg_chunk *k, uint32_t block, struct dg_vote *out)
{
        bool any = false, away = false;

        for (size_t i = 0; i < copies_of(k); i++) {
                any |= k->copy[i].usable && k->copy[i].part == 0;
                away |= k->copy[i].usable && k->copy[i].part == 0 && k->copy[i].seen[block] == DG_AWAY;
        }
        out->certainty = DG_LOST;
        out->copy = -1;
        out->zeros = true;
        out->reason = away  ? "the server that has the block stopped answering: try again"
                      : any ? "the block is damaged in every copy"
                            : "no copy answers";
}

/* A copy that gives other bytes at each read, of the right version if there is one. */
static bool restless(const struct dg_chunk *k, uint32_t block, struct dg_vote *out)
{
        out->copy = -1;
        for (size_t i = 0; i < copies_of(k); i++) {
                const struct dg_copy *c = &k->copy[i];

                if (c->usable && c->part == 0 && c->seen[block] == DG_RESTLESS &&
                    (out->copy < 0 || (c->current && !k->copy[out->copy].current)))
                        out->copy = (int)i;
        }
        if (out->copy < 0)
                return false;
        out->certainty = DG_CHOSEN;
        out->with = 1u << out->copy;
        out->reason = "unstable: its server gives other bytes at each read";
        return true;
}

void dg_choose(const struct dg_chunk *k, uint32_t block, int last, struct dg_vote *out)
{
        uint32_t all = 0, best = 0;
        unsigned most = 0;
        bool original = false, current = false, same = false;

        memset(out, 0, sizeof(*out));
        for (size_t i = 0; i < copies_of(k); i++) {
                uint32_t with;
                bool as_original;
                unsigned w;

                if (!readable(&k->copy[i], block))
                        continue;
                all |= 1u << i;
                with = like(k, block, i);
                as_original = k->has_want && k->copy[i].crc[block] == k->want[block];
                w = weight(k, block, with, last);
                if (best && !as_original && (original || w <= most))
                        continue;
                best = with;
                most = w;
                original |= as_original;
        }
        if (!best) {
                if (!restless(k, block, out))
                        lost(k, block, out);
                return;
        }
        for (size_t i = 0; i < copies_of(k); i++) {
                current |= (best >> i & 1) && k->copy[i].current;
                same |= (best >> i & 1) && k->copy[i].same_version;
        }
        out->copy = one_of(k, block, best, last);
        out->zeros = k->copy[out->copy].crc[block] == DG_EMPTY;
        out->with = best;
        out->against = all & ~best;
        if (original)
                return;
        /* Copies of another version are expected to say something else. A damaged one counts where no other is left. */
        for (size_t i = 0; i < copies_of(k); i++)
                if ((out->against >> i & 1) && (k->copy[i].current || (!current && k->copy[i].same_version)))
                        out->certainty = DG_CHOSEN;
        if (k->has_want)
                out->reason = "no copy has what the original has";
        else if (!current && !same)
                out->reason = "only copies of another version, or damaged ones, have it";
        else if (out->certainty == DG_CHOSEN)
                out->reason = "the copies disagree";
        else if (outvoted(k, block, best))
                out->reason = "a copy that cannot be read there had something else, by its checksum";
        if (out->reason)
                out->certainty = DG_CHOSEN;
}
