/* SPDX-License-Identifier: MIT */
/* Chunks as a 4.x master keeps what is archived: 4 or 8 data parts and their XOR. Protocol page 4.5. */
#include "mfsproto/peer/inner.h"

enum { UNIT = (1 << WIRE_EC_BLOCK_BITS) / WIRE_BLOCK_SIZE /* blocks */ };

uint8_t peer_part(const struct peer_chunk *ch, unsigned i)
{
        if (!ch->parts)
                return 0;
        return (uint8_t)((ch->parts == 8 ? 0x20 : 0x10) + i);
}

uint64_t peer_copy_id(const struct peer_chunk *ch, unsigned i)
{
        return ch->id | (uint64_t)peer_part(ch, i) << 56;
}

/* The block of the chunk goes to its data part and into the XOR. Whole units are stored, as by a real chunkserver. */
static bool split_block(struct peer_copy *const part[PEER_PLACES], unsigned parts, uint32_t block,
                        const uint8_t *bytes)
{
        static const uint8_t zeros[WIRE_BLOCK_SIZE];
        uint32_t unit = block / UNIT, at = unit / parts * UNIT + block % UNIT;
        struct peer_copy *data = part[unit % parts], *sum = part[parts];
        uint8_t all[WIRE_BLOCK_SIZE];

        if (!bytes)
                bytes = zeros;
        for (uint32_t i = 0; i < WIRE_BLOCK_SIZE; i++)
                all[i] = bytes[i] ^ (sum->block[at] ? sum->block[at][i] : 0);
        return !peer_copy_write(data, (uint16_t)at, 0, bytes, WIRE_BLOCK_SIZE) &&
               !peer_copy_write(sum, (uint16_t)at, 0, all, WIRE_BLOCK_SIZE);
}

bool peer_chunk_split(struct mfs_peer *p, struct peer_chunk *ch)
{
        const struct peer_chunk whole = *ch;
        struct peer_copy *from = peer_copy_find(&p->server[ch->server[0]], ch->id), *part[PEER_PLACES];
        uint32_t blocks = from ? (from->blocks + UNIT - 1) / UNIT * UNIT : 0;

        ch->parts = p->cfg.parts;
        ch->copies = ch->parts + 1;
        for (unsigned i = 0; i < ch->copies; i++) {
                ch->server[i] = (uint8_t)(1 + i % p->cfg.servers);
                part[i] = peer_copy_make(&p->server[ch->server[i]], peer_copy_id(ch, i), ch->version);
                if (!part[i])
                        return false;
        }
        for (uint32_t b = 0; b < blocks; b++)
                if (!split_block(part, ch->parts, b, from->block[b]))
                        return false;
        for (unsigned i = 0; i < whole.copies; i++)
                peer_copy_drop(&p->server[whole.server[i]], ch->id);
        return from != NULL;
}
