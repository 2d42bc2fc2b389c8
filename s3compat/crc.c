/* SPDX-License-Identifier: MIT */
/* A CRC is a polynomial over GF(2) modulo p; in a word the lowest bit is the highest power. Tables take eight bytes at a time.
 * Where the processor multiplies without carries (PCLMULQDQ), four blocks of 16 bytes are moved over the next four instead:
 * a block's value 512 bits further on is the block times x^512 mod p, for each of its halves a multiplication. At the end the
 * last 16 bytes stand for all, and go through the tables. The constants are computed, so one code serves all polynomials. For
 * CRC-32C there is an instruction (SSE4.2), which works on three stretches at a time, since each step waits for the one before. */
#include "s3compat/crc.h"

#include <pthread.h>
#include <stdbool.h>
#include <string.h>

#if defined(__x86_64__)
#include <immintrin.h>
#define HAVE_FOLD 1
#else
#define HAVE_FOLD 0
#endif

enum { BLOCK = 16, LANES = 4, FOLD_LEAST = 2 * LANES * BLOCK, STRETCH = 8192 };

struct algorithm {
        const unsigned width;
        const uint64_t poly;
        uint64_t table[8][256];
        uint64_t fold[2],
                fold_lanes[2]; /* over one block, over LANES of them; for the low half and the high one */
        uint64_t stretch;      /* x^(8 * STRETCH) mod p */
};

static struct algorithm algorithms[S3_CRC_KINDS] = {
        [S3_CRC32C] = { .width = 32, .poly = UINT64_C(0x82f63b78) },
        [S3_CRC64NVME] = { .width = 64, .poly = UINT64_C(0x9a6c9329ac4bc9b5) },
        [S3_CRC64ECMA] = { .width = 64, .poly = UINT64_C(0xc96c5795d7870f42) },
};
static pthread_once_t once = PTHREAD_ONCE_INIT;
static bool can_fold, has_instruction;

static uint64_t times_x(const struct algorithm *a, uint64_t v)
{
        return (v >> 1) ^ (v & 1 ? a->poly : 0);
}

/* x^n mod p, at the upper end of the word. */
static uint64_t power_of_x(const struct algorithm *a, unsigned n)
{
        uint64_t v = UINT64_C(1) << (a->width - 1);

        while (n--)
                v = times_x(a, v);
        return v << (64 - a->width);
}

static uint64_t multiply(const struct algorithm *a, uint64_t x, uint64_t y)
{
        uint64_t r = 0;

        for (unsigned i = a->width; i-- > 0;) {
                r ^= x >> i & 1 ? y : 0;
                y = times_x(a, y);
        }
        return r;
}

/* The register after n more bytes of zeros. */
static uint64_t shift(const struct algorithm *a, uint64_t reg, uint64_t n)
{
        uint64_t power = UINT64_C(1) << (a->width - 1 - 8); /* x^8 */

        for (; n; n >>= 1) {
                if (n & 1)
                        reg = multiply(a, power, reg);
                power = multiply(a, power, power);
        }
        return reg;
}

static void prepare(struct algorithm *a)
{
        for (unsigned i = 0; i < 256; i++) {
                uint64_t v = i;

                for (int k = 0; k < 8; k++)
                        v = times_x(a, v);
                a->table[0][i] = v;
        }
        for (unsigned i = 0; i < 256; i++)
                for (int t = 1; t < 8; t++)
                        a->table[t][i] = a->table[0][a->table[t - 1][i] & 255] ^ (a->table[t - 1][i] >> 8);
        /* One less, since the product of two words of 64 bits ends one bit below the upper end of 128. */
        a->fold[0] = power_of_x(a, 8 * BLOCK + 64 - 1);
        a->fold[1] = power_of_x(a, 8 * BLOCK - 1);
        a->fold_lanes[0] = power_of_x(a, LANES * 8 * BLOCK + 64 - 1);
        a->fold_lanes[1] = power_of_x(a, LANES * 8 * BLOCK - 1);
        a->stretch = shift(a, UINT64_C(1) << (a->width - 1), STRETCH);
}

static void prepare_all(void)
{
        for (unsigned i = 0; i < S3_CRC_KINDS; i++)
                prepare(&algorithms[i]);
#if HAVE_FOLD
        can_fold = __builtin_cpu_supports("pclmul");
        has_instruction = __builtin_cpu_supports("sse4.2");
#endif
}

static uint64_t little_endian(const unsigned char *p)
{
        uint64_t v = 0;

        for (int i = 7; i >= 0; i--)
                v = v << 8 | p[i];
        return v;
}

/* The register, without the inversions at both ends. */
static uint64_t by_tables(const struct algorithm *a, uint64_t reg, const unsigned char *p, size_t n)
{
        for (; n >= 8; n -= 8, p += 8) {
                uint64_t v = reg ^ little_endian(p);

                reg = 0;
                for (int t = 0; t < 8; t++)
                        reg ^= a->table[7 - t][(v >> (8 * t)) & 255];
        }
        for (; n; n--, p++)
                reg = a->table[0][(reg ^ *p) & 255] ^ (reg >> 8);
        return reg;
}

#if HAVE_FOLD
__attribute__((target("pclmul"))) static __m128i over(__m128i v, __m128i k)
{
        return _mm_xor_si128(_mm_clmulepi64_si128(v, k, 0x00), _mm_clmulepi64_si128(v, k, 0x11));
}

__attribute__((target("pclmul"))) static uint64_t by_folding(const struct algorithm *a, uint64_t reg,
                                                             const unsigned char *p, size_t n)
{
        const __m128i one = _mm_set_epi64x((long long)a->fold[1], (long long)a->fold[0]),
                      lanes = _mm_set_epi64x((long long)a->fold_lanes[1], (long long)a->fold_lanes[0]);
        const __m128i *from = (const __m128i *)(const void *)p;
        __m128i v[LANES], all;
        unsigned char last[BLOCK];

        for (int i = 0; i < LANES; i++)
                v[i] = _mm_loadu_si128(from++);
        v[0] = _mm_xor_si128(v[0], _mm_set_epi64x(0, (long long)reg));
        n -= LANES * BLOCK;
        for (; n >= LANES * BLOCK; n -= LANES * BLOCK)
                for (int i = 0; i < LANES; i++)
                        v[i] = _mm_xor_si128(over(v[i], lanes), _mm_loadu_si128(from++));
        all = v[0];
        for (int i = 1; i < LANES; i++)
                all = _mm_xor_si128(over(all, one), v[i]);
        for (; n >= BLOCK; n -= BLOCK)
                all = _mm_xor_si128(over(all, one), _mm_loadu_si128(from++));
        _mm_storeu_si128((__m128i *)(void *)last, all);
        return by_tables(a, by_tables(a, 0, last, BLOCK), (const unsigned char *)from, n);
}

static uint64_t word(const unsigned char *p)
{
        uint64_t v;

        memcpy(&v, p, sizeof(v));
        return v;
}

__attribute__((target("sse4.2"))) static uint64_t by_instruction(const struct algorithm *a, uint64_t reg,
                                                                 const unsigned char *p, size_t n)
{
        for (; n >= 3 * STRETCH; n -= 3 * STRETCH, p += 3 * STRETCH) {
                uint64_t second = 0, third = 0;

                for (size_t i = 0; i < STRETCH; i += 8) {
                        reg = _mm_crc32_u64(reg, word(p + i));
                        second = _mm_crc32_u64(second, word(p + STRETCH + i));
                        third = _mm_crc32_u64(third, word(p + 2 * STRETCH + i));
                }
                reg = multiply(a, a->stretch, reg) ^ second;
                reg = multiply(a, a->stretch, reg) ^ third;
        }
        for (; n >= 8; n -= 8, p += 8)
                reg = _mm_crc32_u64(reg, word(p));
        for (; n; n--, p++)
                reg = _mm_crc32_u8((uint32_t)reg, *p);
        return reg;
}
#else
static uint64_t by_folding(const struct algorithm *a, uint64_t reg, const unsigned char *p, size_t n)
{
        return by_tables(a, reg, p, n);
}

static uint64_t by_instruction(const struct algorithm *a, uint64_t reg, const unsigned char *p, size_t n)
{
        return by_tables(a, reg, p, n);
}
#endif

static uint64_t ones(const struct algorithm *a)
{
        return UINT64_MAX >> (64 - a->width);
}

uint64_t s3_crc_by_tables(enum s3_crc_kind kind, uint64_t crc, const void *bytes, size_t n)
{
        const struct algorithm *a = &algorithms[kind];

        pthread_once(&once, prepare_all);
        return by_tables(a, crc ^ ones(a), bytes, n) ^ ones(a);
}

uint64_t s3_crc(enum s3_crc_kind kind, uint64_t crc, const void *bytes, size_t n)
{
        const struct algorithm *a = &algorithms[kind];
        uint64_t reg = crc ^ ones(a);

        pthread_once(&once, prepare_all);
        if (kind == S3_CRC32C && has_instruction)
                reg = by_instruction(a, reg, bytes, n);
        else if (can_fold && n >= FOLD_LEAST)
                reg = by_folding(a, reg, bytes, n);
        else
                reg = by_tables(a, reg, bytes, n);
        return reg ^ ones(a);
}

uint64_t s3_crc_combine(enum s3_crc_kind kind, uint64_t crc1, uint64_t crc2, uint64_t len2)
{
        /* The inversions at both ends cancel out here. */
        return shift(&algorithms[kind], crc1, len2) ^ crc2;
}
