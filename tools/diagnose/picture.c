/* SPDX-License-Identifier: MIT */
/* A copy of a chunk as a row of cells, for people. */
#include "tools/diagnose/diagnose.h"

/* Worst first: a cell stands for several blocks and shows the worst of them. */
static const char order[] = { DG_CELL_ROT,    DG_CELL_OTHER, DG_CELL_MISSING, DG_CELL_ZERO,
                              DG_CELL_UNREAD, DG_CELL_SAME,  DG_CELL_EMPTY };

static char cell_of(const struct dg_chunk *k, size_t copy, uint32_t block)
{
        const struct dg_copy *c = &k->copy[copy];
        bool differs = false;

        if (c->seen[block] == DG_BAD)
                return DG_CELL_ROT;
        for (size_t i = 0; i < k->copies; i++)
                differs |= k->copy[i].usable && k->copy[i].part == c->part &&
                           k->copy[i].crc[block] != c->crc[block];
        if (!differs && c->seen[block] == DG_AWAY)
                return DG_CELL_UNREAD;
        if (!differs)
                return c->crc[block] == DG_EMPTY ? DG_CELL_EMPTY : DG_CELL_SAME;
        if (c->crc[block] != DG_EMPTY)
                return DG_CELL_OTHER;
        return block >= c->blocks ? DG_CELL_MISSING : DG_CELL_ZERO;
}

static size_t rank(char cell)
{
        size_t i = 0;

        while (i + 1 < sizeof(order) && order[i] != cell)
                i++;
        return i;
}

void dg_picture(const struct dg_chunk *k, size_t copy, uint32_t blocks, char *cells, size_t n)
{
        for (size_t i = 0; i < n; i++) {
                uint32_t first = (uint32_t)(blocks * i / n), end = (uint32_t)(blocks * (i + 1) / n);
                char worst = DG_CELL_EMPTY;

                for (uint32_t b = first; b < end || b == first; b++) {
                        char cell = cell_of(k, copy, b);
                        if (rank(cell) < rank(worst))
                                worst = cell;
                }
                cells[i] = worst;
        }
        cells[n] = 0;
}
