/* SPDX-License-Identifier: MIT */
/* Parts of erasure coded chunks (4.x). The bytes of a chunk go to 4 or 8 data parts in turn, 256 KiB to each, and each part is a
 * chunk file of its own, whose number has the part in its first byte (checked on 4.59.2, protocol page 4.5). */
#include <string.h>

#include "tools/diagnose/diagnose.h"

/* Of 4 data parts 0x10.., of 8 0x20..; the checksum parts follow. Open servers make one, the XOR; others come from MooseFS Pro. */
enum { OF_4 = 0x10, OF_8 = 0x20, CHECKSUMS = 9, UNIT = 4 /* blocks */ };

bool dg_part(uint8_t id, struct dg_part *out)
{
        unsigned base = id >= OF_8 ? OF_8 : OF_4, data = id >= OF_8 ? 8 : 4;

        memset(out, 0, sizeof(*out));
        if (id < base || id >= base + data + CHECKSUMS)
                return false;
        out->data = data;
        out->checksum = id - base >= data;
        out->number = id - base - (out->checksum ? data : 0);
        out->exclusive = out->checksum && !out->number;
        return true;
}

uint32_t dg_part_blocks(const struct dg_part *part)
{
        return DG_BLOCKS / part->data;
}

uint32_t dg_part_place(const struct dg_part *part, uint32_t block)
{
        return (block / UNIT * part->data + part->number) * UNIT + block % UNIT;
}

unsigned dg_part_number(const struct dg_part *part, uint32_t block)
{
        return block / UNIT % part->data;
}

int32_t dg_part_find(const struct dg_part *part, uint32_t block)
{
        if (dg_part_number(part, block) != part->number)
                return -1;
        return (int32_t)(block / UNIT / part->data * UNIT + block % UNIT);
}
