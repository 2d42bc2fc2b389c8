/* SPDX-License-Identifier: MIT */
/* CRC-32 as MooseFS uses it, and what two of them say about their blocks. */
#include <string.h>

#include <libdeflate.h>

#include "tools/diagnose/diagnose.h"

#define POLY UINT32_C(0xedb88320)

uint32_t dg_crc(const void *bytes, size_t n)
{
        return n ? libdeflate_crc32(0, bytes, n) : 0;
}

uint32_t dg_crc_padded(const void *bytes, size_t n)
{
        static const unsigned char zeros[4096];
        uint32_t crc = dg_crc(bytes, n);

        while (n < DG_BLOCK) {
                size_t some = DG_BLOCK - n < sizeof(zeros) ? DG_BLOCK - n : sizeof(zeros);
                crc = libdeflate_crc32(crc, zeros, some);
                n += some;
        }
        return crc;
}

int32_t dg_one_bit(uint32_t a, uint32_t b)
{
        uint32_t difference = a ^ b, reg = POLY;

        if (!difference)
                return -1;
        /* CRC-32 is affine: the CRCs of two blocks that differ in one bit differ by what that bit alone makes of the
         * register. The last bit to enter is the highest of the last byte; each bit before it is one step further. */
        for (int32_t i = 0; i < DG_BLOCK * 8; i++) {
                if (reg == difference)
                        return DG_BLOCK * 8 - 1 - i;
                reg = (reg >> 1) ^ (reg & 1 ? POLY : 0);
        }
        return -1;
}

bool dg_is_zero(const void *bytes, size_t n)
{
        const unsigned char *p = bytes;

        return n == 0 || (*p == 0 && !memcmp(p, p + 1, n - 1));
}
