/* SPDX-License-Identifier: MIT */
/* What the servers hold as whole copies, given out as the parts of erasure coded chunks (4.x): the bytes of a chunk go to 4 or 8 parts
 * in turn, 256 KiB to each, and one more part is their XOR. The first byte of a chunk number names the part. Protocol page 4.5. */
#include <stdlib.h>
#include <string.h>

#include "mfsproto/peer/inner.h"

enum { OF_4 = 0x10, OF_8 = 0x20, UNIT_BITS = 18, UNIT_BLOCKS = 4 };

static unsigned first_of(const struct mfs_peer *p)
{
        return p->cfg.parts == 4 ? OF_4 : OF_8;
}

unsigned peer_parts_all(const struct mfs_peer *p)
{
        return p->cfg.parts ? p->cfg.parts + 1 : 0;
}

uint8_t peer_part_id(const struct mfs_peer *p, unsigned part)
{
        return (uint8_t)(first_of(p) + part);
}

/* The number of the part that is meant; -1: the whole chunk, or what is no part here. */
static int part_of(const struct mfs_peer *p, uint64_t id)
{
        unsigned part = (unsigned)(id >> 56) - first_of(p);

        return id >> 56 && part < peer_parts_all(p) ? (int)part : -1;
}

uint8_t peer_part_open(struct peer_server *s, uint64_t id, uint32_t version, struct peer_copy **k)
{
        if (id >> 56 && part_of(s->peer, id) < 0)
                return WIRE_STATUS_NOCHUNK;
        return peer_copy_open(s, id & WIRE_CHUNKID_MASK, version, k);
}

static uint32_t place(const struct mfs_peer *p, unsigned part, uint32_t at)
{
        return (((at >> UNIT_BITS) * p->cfg.parts + part) << UNIT_BITS) | (at & ((1u << UNIT_BITS) - 1));
}

/* n bytes inside one block. */
static uint8_t read_sum(const struct mfs_peer *p, const struct peer_copy *k, uint32_t at, uint8_t *to,
                        uint32_t n)
{
        uint8_t *one = malloc(n), status = one ? WIRE_STATUS_OK : WIRE_STATUS_OUTOFMEMORY;

        memset(to, 0, n);
        for (unsigned part = 0; part < p->cfg.parts && !status; part++) {
                status = peer_copy_read(k, place(p, part, at), one, n);
                for (uint32_t i = 0; !status && i < n; i++)
                        to[i] ^= one[i];
        }
        free(one);
        return status;
}

uint8_t peer_part_read(const struct mfs_peer *p, uint64_t id, const struct peer_copy *k, uint32_t at,
                       uint8_t *to, uint32_t n)
{
        int part = part_of(p, id);

        if (part < 0)
                return peer_copy_read(k, at, to, n);
        if (at >= WIRE_CHUNK_SIZE / p->cfg.parts)
                return WIRE_STATUS_WRONGOFFSET;
        return part == (int)p->cfg.parts ? read_sum(p, k, at, to, n)
                                         : peer_copy_read(k, place(p, (unsigned)part, at), to, n);
}

/* CRC-32 is affine, and the number of parts even. */
static uint32_t sum_crc(const struct mfs_peer *p, const struct peer_copy *k, uint32_t at)
{
        uint32_t crc = WIRE_EMPTY_BLOCK_CRC;

        for (unsigned part = 0; part < p->cfg.parts; part++)
                crc ^= k->crc[place(p, part, at) / WIRE_BLOCK_SIZE];
        return crc;
}

uint32_t peer_part_table(const struct mfs_peer *p, uint64_t id, const struct peer_copy *k,
                         uint32_t crc[WIRE_BLOCKS_PER_CHUNK])
{
        int part = part_of(p, id);
        uint32_t blocks = 0;

        if (part < 0) {
                memcpy(crc, k->crc, sizeof(k->crc));
                return k->blocks;
        }
        for (uint32_t b = 0; b < WIRE_BLOCKS_PER_CHUNK; b++) {
                uint32_t at = b * WIRE_BLOCK_SIZE;
                bool sum = part == (int)p->cfg.parts;

                crc[b] = WIRE_EMPTY_BLOCK_CRC;
                if (b >= WIRE_BLOCKS_PER_CHUNK / p->cfg.parts)
                        continue;
                crc[b] = sum ? sum_crc(p, k, at) : k->crc[place(p, (unsigned)part, at) / WIRE_BLOCK_SIZE];
                if (place(p, sum ? 0 : (unsigned)part, at) / WIRE_BLOCK_SIZE < k->blocks)
                        blocks = b + 1;
        }
        return blocks;
}
