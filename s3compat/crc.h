/* SPDX-License-Identifier: MIT */
/* The CRCs that servers of this kind keep of objects, besides CRC-32 (core/crc.h). */
#ifndef S3_CRC_H
#define S3_CRC_H

#include <stddef.h>
#include <stdint.h>

enum s3_crc_kind {
        S3_CRC32C,    /* Castagnoli; "123456789" gives e3069283 */
        S3_CRC64NVME, /* "123456789" gives ae8b14860a799888 */
        S3_CRC64ECMA, /* OSS; ECMA-182 reflected, "123456789" gives 995dc9bbdf1939fa */
        S3_CRC_KINDS
};

/* Continues `crc` (0 at the beginning) over n bytes. */
uint64_t s3_crc(enum s3_crc_kind kind, uint64_t crc, const void *bytes, size_t n);
/* The same with tables alone, as on processors that cannot multiply without carries; for tests. */
uint64_t s3_crc_by_tables(enum s3_crc_kind kind, uint64_t crc, const void *bytes, size_t n);
/* The CRC of A followed by B, from crc1 of A, crc2 of B and the length of B. */
uint64_t s3_crc_combine(enum s3_crc_kind kind, uint64_t crc1, uint64_t crc2, uint64_t len2);

#endif
