/* SPDX-License-Identifier: MIT */
/* Which copies the blocks of a chunk can be taken from, when only the MD5 of the file is known, and what it costs to try. */
#include <string.h>

#include "tools/diagnose/diagnose.h"

static size_t copies_of(const struct dg_chunk *k)
{
        return k->copies < DG_COPIES ? k->copies : DG_COPIES;
}

static bool readable(const struct dg_copy *c, uint32_t block, bool others)
{
        return c->usable && c->part == 0 && (c->current || others) && c->seen[block] != DG_BAD;
}

static bool is_zeros(const struct dg_chunk *k, uint32_t block, uint32_t with)
{
        return k->copy[__builtin_ctz(with)].crc[block] == DG_EMPTY;
}

/* A lost write leaves zeros: where a copy has data, those without are left out. */
static void leave_zeros_out(const struct dg_chunk *k, struct dg_piece *p)
{
        uint32_t n = 0;

        for (uint32_t i = 0; i < p->options && p->options > 1; i++)
                if (!is_zeros(k, p->first, p->with[i]))
                        p->with[n++] = p->with[i];
        if (!n)
                return;
        p->left_out = n < p->options;
        p->options = n;
}

static void one_block(const struct dg_chunk *k, uint32_t block, enum dg_mix how, bool others,
                      struct dg_piece *p)
{
        *p = (struct dg_piece){ .first = block, .count = 1 };
        for (size_t i = 0; i < copies_of(k); i++) {
                uint32_t o = 0;

                if (!readable(&k->copy[i], block, others))
                        continue;
                while (o < p->options &&
                       k->copy[__builtin_ctz(p->with[o])].crc[block] != k->copy[i].crc[block])
                        o++;
                p->with[o] |= 1u << i;
                p->options += o == p->options;
        }
        if (how == DG_MIX_DATA)
                leave_zeros_out(k, p);
}

/* The next block belongs to the same piece: whoever is right there is right here. */
static bool continues(const struct dg_chunk *k, const struct dg_piece *p, const struct dg_piece *next,
                      enum dg_mix how)
{
        uint32_t last = p->first + p->count - 1;

        if (next->options != p->options || next->left_out != p->left_out ||
            (how == DG_MIX_BLOCKS && p->options > 1))
                return false;
        for (uint32_t i = 0; i < p->options; i++)
                if (next->with[i] != p->with[i] ||
                    (p->options > 1 && is_zeros(k, last, p->with[i]) != is_zeros(k, next->first, p->with[i])))
                        return false;
        return true;
}

static size_t by_blocks(const struct dg_chunk *k, uint32_t first, uint32_t end, enum dg_mix how, bool others,
                        struct dg_piece *out, size_t n)
{
        size_t start = n;
        struct dg_piece p;

        for (uint32_t b = first; b < end; b++) {
                one_block(k, b, how, others, &p);
                if (n > start && continues(k, &out[n - 1], &p, how))
                        out[n - 1].count++;
                else
                        out[n++] = p;
        }
        return n;
}

static bool same_blocks(const struct dg_chunk *k, const struct dg_piece *p, size_t i, size_t j)
{
        return !memcmp(&k->copy[i].crc[p->first], &k->copy[j].crc[p->first], p->count * sizeof(uint32_t));
}

/* Everything from the first difference to the last as one choice, of copies that have all of it. */
static void whole_copies(const struct dg_chunk *k, bool others, struct dg_piece *p)
{
        p->options = 0;
        memset(p->with, 0, sizeof(p->with));
        for (size_t i = 0; i < copies_of(k); i++) {
                bool all = true;
                uint32_t o = 0;

                for (uint32_t b = p->first; b < p->first + p->count; b++)
                        all &= readable(&k->copy[i], b, others);
                if (!all)
                        continue;
                while (o < p->options && !same_blocks(k, p, (size_t)__builtin_ctz(p->with[o]), i))
                        o++;
                p->with[o] |= 1u << i;
                p->options += o == p->options;
        }
}

size_t dg_pieces(const struct dg_chunk *k, uint32_t blocks, enum dg_mix how, bool others,
                 struct dg_piece *out)
{
        uint32_t first = blocks, end = 0;
        struct dg_piece p;
        size_t n;

        if (how != DG_MIX_CHUNKS)
                return by_blocks(k, 0, blocks, how, others, out, 0);
        for (uint32_t b = 0; b < blocks; b++) {
                one_block(k, b, how, others, &p);
                if (p.options < 2)
                        continue;
                first = first < b ? first : b;
                end = b + 1;
        }
        if (first >= end)
                return by_blocks(k, 0, blocks, how, others, out, 0);
        n = by_blocks(k, 0, first, how, others, out, 0);
        out[n] = (struct dg_piece){ .first = first, .count = end - first };
        whole_copies(k, others, &out[n++]);
        return by_blocks(k, end, blocks, how, others, out, n);
}

void dg_cost_add(struct dg_cost *c, const struct dg_piece *p, size_t n, uint64_t bytes)
{
        for (size_t i = 0; i < n; i++) {
                uint64_t len = (uint64_t)p[i].count * DG_BLOCK, work;

                len = len < bytes ? len : bytes;
                bytes -= len;
                c->unreadable += p[i].options == 0;
                if (p[i].options > 1) {
                        c->points++;
                        if (__builtin_mul_overflow(c->states, p[i].options, &c->states))
                                c->states = UINT64_MAX;
                }
                if (__builtin_mul_overflow(len, c->states, &work) ||
                    __builtin_add_overflow(c->bytes, work, &c->bytes))
                        c->bytes = UINT64_MAX;
        }
}
