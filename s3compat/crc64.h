/* SPDX-License-Identifier: MIT */
/* CRC-64 of OSS (ECMA-182, reflected; "123456789" gives 995dc9bbdf1939fa). */
#ifndef S3_CRC64_H
#define S3_CRC64_H

#include <stddef.h>
#include <stdint.h>

/* Continues `crc` (0 at the beginning) over n bytes. */
uint64_t s3_crc64(uint64_t crc, const void *bytes, size_t n);

#endif
