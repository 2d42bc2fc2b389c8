/* SPDX-License-Identifier: MIT */
/* CRC-32 and its algebra, see crc.h.
 *
 * A CRC register is a polynomial over GF(2) modulo p = x^32 + ... + 1, the highest bit of the word being x^0. Passing n
 * zero bytes through it multiplies it by x^(8n) mod p, and that is all that combining needs. x has order 2^32 - 1
 * modulo p, so x^(2^32) = x and the powers x^(8 * 2^k) repeat after k = 31. */
#include "core/crc.h"

#include <config.h>

#ifdef ROMA_WITH_ISAL
#include <isa-l/crc.h>
#else
#include <libdeflate.h>
#endif

#define POLY UINT32_C(0xedb88320)

/* power[k] = x^(8 * 2^k) mod p */
static const uint32_t power[32] = {
        0x00800000, 0x00008000, 0xedb88320, 0xb1e6b092, 0xa06a2517, 0xed627dae, 0x88d14467, 0xd7bbfe6a,
        0xec447f11, 0x8e7ea170, 0x6427800e, 0x4d47bae0, 0x09fe548f, 0x83852d0f, 0x30362f1a, 0x7b5a9cc3,
        0x31fec169, 0x9fec022a, 0x6c8dedc4, 0x15d6874d, 0x5fde7a4e, 0xbad90e37, 0x2e4e5eef, 0x4eaba214,
        0xa8a472c0, 0x429a969e, 0x148d302a, 0xc40ba6d0, 0xc4e22c3c, 0x40000000, 0x20000000, 0x08000000,
};

/* over_block[i][v]: nibble i of the register, worth v, multiplied by x^(8 * 65536). 64 KiB is the block of MooseFS; a
 * file's CRC is put together from thousands of them on the loop's thread. */
static const uint32_t over_block[8][16] = {
        { 0x00000000, 0x1b4511ee, 0x368a23dc, 0x2dcf3232, 0x6d1447b8, 0x76515656, 0x5b9e6464, 0x40db758a,
          0xda288f70, 0xc16d9e9e, 0xeca2acac, 0xf7e7bd42, 0xb73cc8c8, 0xac79d926, 0x81b6eb14, 0x9af3fafa },
        { 0x00000000, 0x6f2018a1, 0xde403142, 0xb16029e3, 0x67f164c5, 0x08d17c64, 0xb9b15587, 0xd6914d26,
          0xcfe2c98a, 0xa0c2d12b, 0x11a2f8c8, 0x7e82e069, 0xa813ad4f, 0xc733b5ee, 0x76539c0d, 0x197384ac },
        { 0x00000000, 0x44b49555, 0x89692aaa, 0xcdddbfff, 0xc9a35315, 0x8d17c640, 0x40ca79bf, 0x047eecea,
          0x4837a06b, 0x0c83353e, 0xc15e8ac1, 0x85ea1f94, 0x8194f37e, 0xc520662b, 0x08fdd9d4, 0x4c494c81 },
        { 0x00000000, 0x906f40d6, 0xfbaf87ed, 0x6bc0c73b, 0x2c2e099b, 0xbc41494d, 0xd7818e76, 0x47eecea0,
          0x585c1336, 0xc83353e0, 0xa3f394db, 0x339cd40d, 0x74721aad, 0xe41d5a7b, 0x8fdd9d40, 0x1fb2dd96 },
        { 0x00000000, 0xb0b8266c, 0xba014a99, 0x0ab96cf5, 0xaf739373, 0x1fcbb51f, 0x1572d9ea, 0xa5caff86,
          0x859620a7, 0x352e06cb, 0x3f976a3e, 0x8f2f4c52, 0x2ae5b3d4, 0x9a5d95b8, 0x90e4f94d, 0x205cdf21 },
        { 0x00000000, 0xd05d470f, 0x7bcb885f, 0xab96cf50, 0xf79710be, 0x27ca57b1, 0x8c5c98e1, 0x5c01dfee,
          0x345f273d, 0xe4026032, 0x4f94af62, 0x9fc9e86d, 0xc3c83783, 0x1395708c, 0xb803bfdc, 0x685ef8d3 },
        { 0x00000000, 0x68be4e7a, 0xd17c9cf4, 0xb9c2d28e, 0x79883fa9, 0x113671d3, 0xa8f4a35d, 0xc04aed27,
          0xf3107f52, 0x9bae3128, 0x226ce3a6, 0x4ad2addc, 0x8a9840fb, 0xe2260e81, 0x5be4dc0f, 0x335a9275 },
        { 0x00000000, 0x3d51f8e5, 0x7aa3f1ca, 0x47f2092f, 0xf547e394, 0xc8161b71, 0x8fe4125e, 0xb2b5eabb,
          0x31fec169, 0x0caf398c, 0x4b5d30a3, 0x760cc846, 0xc4b922fd, 0xf9e8da18, 0xbe1ad337, 0x834b2bd2 },
};

uint32_t ri_crc32(uint32_t crc, const void *bytes, size_t n)
{
        /* libdeflate answers 0 to NULL, which would forget what was counted before. */
        if (!n)
                return crc;
#ifdef ROMA_WITH_ISAL
        return crc32_gzip_refl(crc, bytes, n);
#else
        return libdeflate_crc32(crc, bytes, n);
#endif
}

static uint32_t multiply(uint32_t a, uint32_t b)
{
        uint32_t r = 0;

        for (; a; a <<= 1) {
                r ^= a >> 31 ? b : 0;
                b = (b >> 1) ^ (b & 1 ? POLY : 0);
        }
        return r;
}

static uint32_t shift_block(uint32_t reg)
{
        uint32_t r = 0;

        for (unsigned i = 0; i < 8; i++)
                r ^= over_block[i][(reg >> (4 * i)) & 15];
        return r;
}

/* reg * x^(8 * len) mod p */
static uint32_t shift(uint32_t reg, uint64_t len)
{
        if (len == RI_CRC_BLOCK)
                return shift_block(reg);
        for (unsigned k = 0; len; k++, len >>= 1)
                if (len & 1)
                        reg = multiply(power[k & 31], reg);
        return reg;
}

uint32_t ri_crc32_combine(uint32_t crc1, uint32_t crc2, uint64_t len2)
{
        /* The two inversions that a CRC begins and ends with cancel out here. */
        return shift(crc1, len2) ^ crc2;
}

uint32_t ri_crc32_zeros(uint32_t crc, uint64_t len)
{
        return ~shift(~crc, len);
}
