/* SPDX-License-Identifier: MIT */
/* Reads an erasure coded chunk row by row: what is needed of each part, all servers side by side, until every block is there or
 * known to be lost. A block that cannot be read changes what is needed of the other parts. */
#include <stdlib.h>
#include <string.h>

#include "tools/coded.h"

enum { TRIES = 3 /* of a server, and for a block that has other bytes at each read */ };

struct row;

struct fetch {
        struct flight flight;
        struct row *row;
        size_t copy;
        uint32_t block, count;
        unsigned char *bytes;
};

struct row {
        struct looker *l;
        struct look *look;
        uint32_t first, count;
        struct dg_source *source;
        struct fetch fetch[DG_COPIES];
        unsigned char *block[DG_COPIES][CODED_ROW]; /* of each copy, those that have come */
        uint8_t changes[DG_COPIES][CODED_ROW];      /* other bytes came than the table says */
};

/* The first block of this copy that lies in the row. */
static uint32_t start_of(const struct row *r, size_t copy)
{
        struct dg_part p;

        return dg_part(r->look->k.copy[copy].part, &p) ? r->first / p.data : r->first;
}

static unsigned char **slot(struct row *r, size_t copy, uint32_t block)
{
        return &r->block[copy][block - start_of(r, copy)];
}

static void choose(struct row *r)
{
        uint32_t avoid = 0;

        for (size_t i = 0; i < r->look->k.copies; i++)
                if (!look_allowed(r->l, r->look->copy[i].server))
                        avoid |= 1u << i;
        for (uint32_t b = 0; b < r->count; b++)
                dg_choose_part(&r->look->k, r->first + b, avoid, &r->source[b]);
}

/* Is this block of this copy needed and not there yet? */
static bool is_needed(struct row *r, size_t copy, uint32_t block)
{
        if (*slot(r, copy, block))
                return false;
        for (uint32_t b = 0; b < r->count; b++) {
                const struct dg_source *s = &r->source[b];
                if (s->block != block || s->crc == DG_EMPTY)
                        continue;
                for (unsigned i = 0; i < s->n; i++)
                        if (s->copy[i] == copy)
                                return true;
        }
        return false;
}

/* Parts are not written in place, so bytes that are not as the table says come from a server that gives others at each read. What
 * comes last is kept for blocks that nobody else has. */
static void take_block(struct row *r, size_t copy, uint32_t block, const unsigned char *bytes)
{
        struct dg_copy *k = &r->look->k.copy[copy];
        bool right = dg_crc(bytes, DG_BLOCK) == k->crc[block];

        if (!right && ++r->changes[copy][block - start_of(r, copy)] < TRIES)
                return;
        k->seen[block] = right ? DG_GOOD : DG_RESTLESS;
        *slot(r, copy, block) = memcpy(need(malloc(DG_BLOCK)), bytes, DG_BLOCK);
}

static void take(struct fetch *f, uint32_t came)
{
        for (uint32_t i = 0; i < came; i++)
                take_block(f->row, f->copy, f->block + i, f->bytes + (size_t)i * DG_BLOCK);
}

static void got_blocks(struct flight *flight, const roma_result *r)
{
        struct fetch *f = (struct fetch *)flight; /* its first member */
        struct row *row = f->row;
        struct dg_copy *k = &row->look->k.copy[f->copy];
        uint32_t came = r->code == ROMA_OK ? f->count : (uint32_t)(r->bytes / DG_BLOCK);

        take(f, came);
        if (r->code == ROMA_OK)
                return;
        if (look_is_rot(row->l, row->look->copy[f->copy].server, r)) {
                look_bad(row->l, row->look, f->copy, f->block + came);
        } else if (!(r->flags & ROMA_RETRIABLE) || ++row->look->copy[f->copy].unread > TRIES) {
                for (uint32_t b = 0; b < DG_BLOCKS; b++)
                        if (k->seen[b] != DG_BAD && k->seen[b] != DG_GOOD)
                                k->seen[b] = DG_AWAY;
        }
}

static void start(struct row *r, size_t copy, uint32_t block)
{
        const roma_opts opts = request_opts(r->l->tool);
        const struct look *look = r->look;
        const struct dg_copy *k = &look->k.copy[copy];
        struct fetch *f = &r->fetch[copy];
        uint32_t version = k->current || k->same_version ? look->chunk->version : 0;

        *f = (struct fetch){ .row = r, .copy = copy, .block = block, .bytes = f->bytes };
        while (block + f->count < start_of(r, copy) + CODED_ROW && is_needed(r, copy, block + f->count))
                f->count++;
        f->bytes = need(realloc(f->bytes, (size_t)f->count * DG_BLOCK));
        look->copy[copy].server->reading = true;
        flight_track(r->l->tool, &f->flight, got_blocks,
                     roma_aio_mfs_replica_read(r->l->place->store, look->copy[copy].at, look->chunk->id,
                                               version, f->bytes, (size_t)f->count * DG_BLOCK,
                                               (uint64_t)block * DG_BLOCK, &opts, flight_done, &f->flight));
}

/* The first block that is still needed of this copy; -1: none. */
static int64_t first_needed(struct row *r, size_t copy)
{
        uint32_t from = start_of(r, copy);

        for (uint32_t b = from; b < from + CODED_ROW; b++)
                if (is_needed(r, copy, b))
                        return b;
        return -1;
}

/* One read from each server that has something to give. False: nothing more is needed, or somebody interrupts. */
static bool wave(struct row *r)
{
        struct look_server *quiet = NULL;
        uint64_t bytes = 0;

        for (size_t i = 0; i < r->look->k.copies; i++)
                r->look->copy[i].server->reading = false;
        for (size_t i = 0; i < r->look->k.copies; i++) {
                struct look_server *s = r->look->copy[i].server;
                int64_t block = s->reading ? -1 : first_needed(r, i);

                if (block < 0)
                        continue;
                if (!look_allowed(r->l, s)) {
                        quiet = s;
                        continue;
                }
                start(r, i, (uint32_t)block);
                bytes += (uint64_t)r->fetch[i].count * DG_BLOCK;
        }
        if (!bytes)
                return quiet && look_wait(r->l, quiet);
        flight_drive(r->l->tool);
        look_pay(r->l, bytes);
        return !r->l->tool->stopping;
}

static void put_together(struct row *r, uint32_t b, unsigned char *out)
{
        const struct dg_source *s = &r->source[b];

        memset(out, 0, DG_BLOCK);
        if (s->crc == DG_EMPTY)
                return;
        for (unsigned i = 0; i < s->n; i++) {
                const unsigned char *from = *slot(r, s->copy[i], s->block);
                for (size_t at = 0; at < DG_BLOCK; at++)
                        out[at] ^= from[at];
        }
}

void coded_read(struct looker *l, struct look *look, uint32_t first, uint32_t count, unsigned char *buf,
                struct dg_source *source)
{
        struct row *r = need_zeroed(sizeof(*r));

        r->l = l;
        r->look = look;
        r->first = first;
        r->count = count;
        r->source = source;
        do
                choose(r);
        while (wave(r));
        for (uint32_t b = 0; b < count && !l->tool->stopping; b++)
                put_together(r, b, buf + (size_t)b * DG_BLOCK);
        for (size_t i = 0; i < DG_COPIES; i++) {
                free(r->fetch[i].bytes);
                for (uint32_t b = 0; b < CODED_ROW; b++)
                        free(r->block[i][b]);
        }
        free(r);
}
