/* SPDX-License-Identifier: MIT */
/* CRC-32 as in zlib, Ethernet and MooseFS (polynomial 0xEDB88320, reflected, inverted at both ends), and the algebra on
 * it: the CRC of a whole file follows from those of its blocks without a second pass over the data. */
#ifndef RI_CRC_H
#define RI_CRC_H

#include <stddef.h>
#include <stdint.h>

#define RI_CRC_BLOCK      65536u               /* the length ri_crc32_combine() is fastest for */
#define RI_CRC_ZERO_BLOCK UINT32_C(0xD7978EEB) /* CRC of 64 KiB of zeros */

/* Continues `crc` (0 at the beginning) over n bytes. n == 0 gives `crc`, also with NULL. */
uint32_t ri_crc32(uint32_t crc, const void *bytes, size_t n);

/* The CRC of A followed by B, from crc1 of A, crc2 of B and the length of B. */
uint32_t ri_crc32_combine(uint32_t crc1, uint32_t crc2, uint64_t len2);

/* The CRC after `len` more zero bytes. */
uint32_t ri_crc32_zeros(uint32_t crc, uint64_t len);

#endif
