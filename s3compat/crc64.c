/* SPDX-License-Identifier: MIT */
#include "s3compat/crc64.h"

#include <pthread.h>
#include <string.h>

/* Eight bytes at a time, by eight tables. */
static uint64_t table[8][256];
static pthread_once_t once = PTHREAD_ONCE_INIT;

static void make_tables(void)
{
        for (unsigned i = 0; i < 256; i++) {
                uint64_t c = i;

                for (int k = 0; k < 8; k++)
                        c = c & 1 ? (c >> 1) ^ UINT64_C(0xC96C5795D7870F42) : c >> 1;
                table[0][i] = c;
        }
        for (unsigned i = 0; i < 256; i++)
                for (int t = 1; t < 8; t++)
                        table[t][i] = table[0][table[t - 1][i] & 255] ^ (table[t - 1][i] >> 8);
}

static uint64_t little_endian(const unsigned char *p)
{
        uint64_t v = 0;

        for (int i = 7; i >= 0; i--)
                v = v << 8 | p[i];
        return v;
}

uint64_t s3_crc64(uint64_t crc, const void *bytes, size_t n)
{
        const unsigned char *p = bytes;

        pthread_once(&once, make_tables);
        crc = ~crc;
        for (; n >= 8; n -= 8, p += 8) {
                uint64_t v = crc ^ little_endian(p);

                crc = 0;
                for (int t = 0; t < 8; t++)
                        crc ^= table[7 - t][(v >> (8 * t)) & 255];
        }
        for (; n; n--, p++)
                crc = table[0][(crc ^ *p) & 255] ^ (crc >> 8);
        return ~crc;
}
