/* SPDX-License-Identifier: MIT */
/* Copies of chunks as a chunkserver has them: blocks, and the table of their CRCs that is kept beside them. */
#include <stdlib.h>
#include <string.h>

#include "core/crc.h"
#include "mfsproto/peer/inner.h"

struct peer_copy *peer_copy_find(struct peer_server *s, uint64_t id)
{
        struct ri_map_node *n = ri_map_find_u64(&s->copies, id);

        return n ? ri_container_of(n, struct peer_copy, by_id) : NULL;
}

struct peer_copy *peer_copy_make(struct peer_server *s, uint64_t id, uint32_t version)
{
        struct peer_copy *k = calloc(1, sizeof *k);

        if (!k)
                return NULL;
        peer_copy_drop(s, id);
        k->id = id;
        k->version = version;
        for (unsigned i = 0; i < WIRE_BLOCKS_PER_CHUNK; i++)
                k->crc[i] = WIRE_EMPTY_BLOCK_CRC;
        ri_map_insert_u64(&s->copies, &k->by_id, id);
        return k;
}

uint8_t peer_copy_open(struct peer_server *s, uint64_t id, uint32_t version, struct peer_copy **copy)
{
        *copy = peer_copy_find(s, id);
        if (!*copy)
                return WIRE_STATUS_NOCHUNK;
        return version && version != (*copy)->version ? WIRE_STATUS_WRONGVERSION : WIRE_STATUS_OK;
}

static bool sound(const struct peer_copy *k, uint32_t block)
{
        return !k->block[block] || ri_crc32(0, k->block[block], WIRE_BLOCK_SIZE) == k->crc[block];
}

uint8_t peer_copy_write(struct peer_copy *k, uint16_t block, uint16_t offset, const uint8_t *data, uint32_t n)
{
        if (n < WIRE_BLOCK_SIZE && block < k->blocks && !sound(k, block))
                return WIRE_STATUS_CRC;
        if (!k->block[block])
                k->block[block] = calloc(1, WIRE_BLOCK_SIZE);
        if (!k->block[block])
                return WIRE_STATUS_IO;
        if (n)
                memcpy(k->block[block] + offset, data, n);
        k->crc[block] = ri_crc32(0, k->block[block], WIRE_BLOCK_SIZE);
        if (block >= k->blocks)
                k->blocks = block + 1u;
        return WIRE_STATUS_OK;
}

uint8_t peer_copy_read(const struct peer_copy *k, uint32_t offset, uint8_t *to, uint32_t n)
{
        uint32_t block = offset / WIRE_BLOCK_SIZE;

        if (!k->block[block]) {
                memset(to, 0, n);
                return WIRE_STATUS_OK;
        }
        if (!sound(k, block))
                return WIRE_STATUS_CRC;
        memcpy(to, k->block[block] + offset % WIRE_BLOCK_SIZE, n);
        return WIRE_STATUS_OK;
}

void peer_copy_truncate(struct peer_copy *k, uint32_t length)
{
        uint32_t blocks = (length + WIRE_BLOCK_SIZE - 1) / WIRE_BLOCK_SIZE, tail = length % WIRE_BLOCK_SIZE;

        for (uint32_t i = blocks; i < k->blocks; i++) {
                free(k->block[i]);
                k->block[i] = NULL;
                k->crc[i] = WIRE_EMPTY_BLOCK_CRC;
        }
        if (tail && blocks <= k->blocks && k->block[blocks - 1]) {
                memset(k->block[blocks - 1] + tail, 0, WIRE_BLOCK_SIZE - tail);
                k->crc[blocks - 1] = ri_crc32(0, k->block[blocks - 1], WIRE_BLOCK_SIZE);
        }
        k->blocks = blocks;
}

bool peer_copy_clone(struct peer_server *s, const struct peer_copy *from, uint64_t id, uint32_t version)
{
        struct peer_copy *k = peer_copy_make(s, id, version);

        if (!k)
                return false;
        k->blocks = from->blocks;
        for (uint32_t i = 0; i < from->blocks; i++) {
                k->crc[i] = from->crc[i];
                if (!from->block[i])
                        continue;
                k->block[i] = malloc(WIRE_BLOCK_SIZE);
                if (!k->block[i])
                        return false;
                memcpy(k->block[i], from->block[i], WIRE_BLOCK_SIZE);
        }
        return true;
}

uint32_t peer_copy_checksum(const struct peer_copy *k)
{
        uint32_t x = 1;

        for (unsigned i = 0; i < WIRE_BLOCKS_PER_CHUNK; i++)
                x = x * UINT32_C(426265243) ^ k->crc[i];
        return x;
}

void peer_copy_drop(struct peer_server *s, uint64_t id)
{
        struct peer_copy *k = peer_copy_find(s, id);

        if (!k)
                return;
        ri_map_remove(&s->copies, &k->by_id);
        for (unsigned i = 0; i < WIRE_BLOCKS_PER_CHUNK; i++)
                free(k->block[i]);
        free(k);
}

void peer_copies_free(struct peer_server *s)
{
        struct ri_map_node *n;

        while ((n = ri_map_first(&s->copies)))
                peer_copy_drop(s, ri_container_of(n, struct peer_copy, by_id)->id);
}
