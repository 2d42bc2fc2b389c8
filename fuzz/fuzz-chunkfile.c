/* SPDX-License-Identifier: MIT */
/* Chunk files of unknown origin. The first bytes of the input say how the file is named and how large it claims to be; what is not in
 * the input is zero, so that a small input can be a file of many blocks. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "tools/diagnose/diagnose.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct file {
        const uint8_t *data;
        size_t size;
        uint64_t claimed;
};

static int read_at(void *arg, void *buf, size_t len, uint64_t offset)
{
        const struct file *f = arg;

        if (offset > f->claimed || len > f->claimed - offset)
                abort(); /* asked for more than there is */
        memset(buf, 0, len);
        if (offset < f->size)
                memcpy(buf, f->data + offset, len < f->size - offset ? len : (size_t)(f->size - offset));
        return 0;
}

static void must(int condition)
{
        if (!condition)
                abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
        static struct dg_chunkfile cf;
        static struct dg_copy copy;
        static struct dg_range range[16];
        struct dg_chunk chunk = { .copies = 1, .copy = &copy, .has_want = 1 };
        struct file f;
        struct dg_vote vote;
        struct dg_part part;
        char name[64];
        size_t n, bad = 0;

        if (size < 4)
                return 0;
        n = data[3] % (sizeof(name) - 1);
        if (size < 4 + n)
                return 0;
        memcpy(name, data + 4, n);
        name[n] = 0;
        f = (struct file){ data + 4 + n, size - 4 - n, size - 4 - n };
        /* At most a few blocks: large files are the same again and again. */
        f.claimed += ((uint32_t)data[0] << 16 | (uint32_t)data[1] << 8 | data[2]) % 300000;
        dg_chunkfile(name, f.claimed, read_at, &f, &cf);
        must(cf.blocks <= DG_BLOCKS && cf.rest < DG_BLOCK && strlen(cf.signature) <= 8);
        for (uint32_t b = 0; b < DG_BLOCKS; b++) {
                bad += cf.seen[b] == DG_BAD;
                must(cf.bit[b] >= -1 && cf.bit[b] < DG_BLOCK * 8);
                must(cf.bit[b] < 0 || dg_one_bit(cf.real[b], cf.crc[b]) == cf.bit[b]);
        }
        must(bad == cf.bad && !(cf.problems & DG_CF_BLOCK) == !bad);
        if (cf.part && !(cf.problems & DG_CF_PART)) {
                must(dg_part(cf.part, &part) && cf.blocks + !!cf.rest <= dg_part_blocks(&part));
                for (uint32_t b = 0; b < cf.blocks && !part.checksum; b++)
                        must(dg_part_place(&part, b) < DG_BLOCKS &&
                             dg_part_find(&part, dg_part_place(&part, b)) == (int32_t)b);
        }
        /* What the program does with it. */
        copy.usable = copy.current = 1;
        copy.blocks = cf.blocks;
        memcpy(copy.crc, cf.crc, sizeof(copy.crc));
        memcpy(copy.seen, cf.seen, sizeof(copy.seen));
        memcpy(chunk.want, cf.real, sizeof(chunk.want));
        chunk.length = chunk.want_length = (uint64_t)cf.blocks * DG_BLOCK;
        dg_ranges(&chunk, range, 16);
        for (uint32_t b = 0; b < DG_BLOCKS; b += 17) {
                dg_choose(&chunk, b, -1, &vote);
                must(vote.copy >= -1 && vote.copy < 1);
        }
        return 0;
}
