/* SPDX-License-Identifier: MIT */
#include "s3compat/sums.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "core/crc.h"
#include "core/value.h"
#include "s3compat/crc.h"
#include "s3compat/store.h"

const struct s3_sum *s3_sum(enum s3_checksum sum)
{
        static const struct s3_sum kinds[S3_SUMS] = {
                [S3_SUM_CRC32] = { "x-amz-checksum-crc32", "CRC32", "ChecksumCRC32", 4 },
                [S3_SUM_CRC32C] = { "x-amz-checksum-crc32c", "CRC32C", "ChecksumCRC32C", 4 },
                [S3_SUM_CRC64NVME] = { "x-amz-checksum-crc64nvme", "CRC64NVME", "ChecksumCRC64NVME", 8 },
        };

        return kinds[sum].header ? &kinds[sum] : NULL;
}

void s3_sum_text(char out[S3_SUM_TEXT], enum s3_checksum sum, uint64_t value)
{
        struct ri_str coded = RI_STR_INIT(S3_SUM_TEXT - 1);
        size_t n = s3_sum(sum)->size;
        unsigned char be[8];

        for (size_t i = 0; i < n; i++)
                be[i] = (unsigned char)(value >> (8 * (n - 1 - i)));
        s3_base64(&coded, be, n);
        snprintf(out, S3_SUM_TEXT, "%s", ri_str_cstr(&coded));
        ri_str_free(&coded);
}

static uint64_t crc32(uint64_t crc, const void *bytes, size_t n)
{
        return ri_crc32((uint32_t)crc, bytes, n);
}

static uint64_t crc32c(uint64_t crc, const void *bytes, size_t n)
{
        return s3_crc(S3_CRC32C, crc, bytes, n);
}

static uint64_t crc64nvme(uint64_t crc, const void *bytes, size_t n)
{
        return s3_crc(S3_CRC64NVME, crc, bytes, n);
}

static uint64_t crc64ecma(uint64_t crc, const void *bytes, size_t n)
{
        return s3_crc(S3_CRC64ECMA, crc, bytes, n);
}

uint64_t s3_sum_add(enum s3_checksum sum, uint64_t value, const void *bytes, size_t n)
{
        switch (sum) {
        case S3_SUM_CRC32: return crc32(value, bytes, n);
        case S3_SUM_CRC32C: return crc32c(value, bytes, n);
        case S3_SUM_CRC64NVME: return crc64nvme(value, bytes, n);
        case S3_SUM_CRC64: return crc64ecma(value, bytes, n);
        default: return 0;
        }
}

uint64_t s3_sum_combine(enum s3_checksum sum, uint64_t a, uint64_t b, uint64_t len2)
{
        switch (sum) {
        case S3_SUM_CRC32: return ri_crc32_combine((uint32_t)a, (uint32_t)b, len2);
        case S3_SUM_CRC32C: return s3_crc_combine(S3_CRC32C, a, b, len2);
        case S3_SUM_CRC64NVME: return s3_crc_combine(S3_CRC64NVME, a, b, len2);
        case S3_SUM_CRC64: return s3_crc_combine(S3_CRC64ECMA, a, b, len2);
        default: return 0;
        }
}

/* What answers say. What costs least comes first: CRCs are summed at memory's speed. */
static const struct told {
        const char *header, *name;
        size_t size;
        enum s3_checksum sum; /* of a CRC */
        uint64_t (*crc)(uint64_t crc, const void *bytes, size_t n);
        enum ri_digest_kind digest; /* without crc */
} told[] = {
        { "x-amz-checksum-crc64nvme", "CRC-64/NVME", 8, S3_SUM_CRC64NVME, crc64nvme, 0 },
        { "x-amz-checksum-crc32c", "CRC-32C", 4, S3_SUM_CRC32C, crc32c, 0 },
        { "x-amz-checksum-crc32", "CRC-32", 4, S3_SUM_CRC32, crc32, 0 },
        { "x-amz-checksum-sha1", "SHA-1", 20, S3_SUM_AUTO, NULL, RI_SHA1 },
        { "x-amz-checksum-sha256", "SHA-256", 32, S3_SUM_AUTO, NULL, RI_SHA256 },
};

/* The bytes of a checksum. false: there is none of this kind, or one of the parts' checksums: "-3" at its end, or COMPOSITE. */
static bool decoded(const struct s3_fields *reply, const struct told *t, unsigned char out[32])
{
        const char *text = s3_fields_get(reply, t->header),
                   *type = s3_fields_get(reply, "x-amz-checksum-type");
        size_t n;

        return text && !strchr(text, '-') && (!type || strcasecmp(type, "FULL_OBJECT") == 0) &&
               s3_base64_decode(text, out, 32, &n) == 0 && n == t->size;
}

/* An ETag that is the MD5 of the bytes: of an object that was put whole, not joined, appended to or encrypted with keys of KMS or
 * of the client, in a bucket whose ETags are MD5 at all: those of S3 Express are not. */
static bool is_md5(const struct s3_profile *p, const struct s3_fields *reply, const char *etag)
{
        static const char express[] = "--x-s3";
        static const char *const types[] = { "x-rgw-object-type", "x-obs-object-type", "x-oss-object-type" };
        size_t n = strlen(p->bucket);

        for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++) {
                const char *type = s3_fields_get(reply, types[i]);

                if (type && strcasecmp(type, "Normal") != 0)
                        return false;
        }
        if (n >= sizeof(express) && strcmp(p->bucket + n - (sizeof(express) - 1), express) == 0)
                return false;
        return strlen(etag) == 32 && etag[strspn(etag, "0123456789abcdefABCDEF")] == '\0' &&
               !s3_etag_is_opaque(reply);
}

static void by_etag(struct ri_whole *w, const struct s3_profile *p, const struct s3_fields *reply)
{
        const char *etag = s3_fields_get(reply, "etag");
        roma_attr a = { .size = sizeof(a) };

        s3_etag(&a, etag ? etag : "");
        if (!(p->traits->etag_md5 || p->verify == S3_VERIFY_ETAG) || !is_md5(p, reply, a.etag))
                return;
        *w = (struct ri_whole){ .name = "MD5",
                                .says = "its ETag says",
                                .more = "; if the ETags of this server are no MD5, ?verify=no says so",
                                .digest = RI_MD5,
                                .asked = p->verify == S3_VERIFY_ETAG };
        for (size_t i = 0; i < 32; i++)
                w->want[i] = (char)(a.etag[i] >= 'A' && a.etag[i] <= 'F' ? a.etag[i] - 'A' + 'a' : a.etag[i]);
}

void s3_whole(struct ri_whole *w, const struct s3_profile *p, const struct s3_fields *reply)
{
        const char *crc64 = s3_fields_get(reply, "x-oss-hash-crc64ecma");
        unsigned char bytes[32];
        uint64_t v;

        memset(w, 0, sizeof(*w));
        if (p->verify == S3_VERIFY_NO)
                return;
        for (size_t i = 0; i < sizeof(told) / sizeof(told[0]); i++)
                if (decoded(reply, &told[i], bytes)) {
                        *w = (struct ri_whole){ .name = told[i].name,
                                                .says = "the server was given them",
                                                .more = "",
                                                .crc = told[i].crc,
                                                .digest = told[i].digest };
                        ri_hex(w->want, bytes, told[i].size);
                        return;
                }
        if (crc64 && ri_value_u64(crc64, &v) == 0) {
                *w = (struct ri_whole){
                        .name = "CRC-64", .says = "the server was given them", .more = "", .crc = crc64ecma
                };
                snprintf(w->want, sizeof(w->want), "%016" PRIx64, v);
                return;
        }
        by_etag(w, p, reply);
}

bool s3_asks_sums(const struct s3_profile *p)
{
        return p->verify != S3_VERIFY_NO && (p->traits->tells_sums || s3_sum(p->checksum));
}

bool s3_body_sum(const struct s3_fields *reply, enum s3_checksum *sum, uint64_t *value)
{
        unsigned char bytes[32];

        for (size_t i = 0; i < sizeof(told) / sizeof(told[0]); i++) {
                if (!told[i].crc || !decoded(reply, &told[i], bytes))
                        continue;
                *sum = told[i].sum;
                *value = 0;
                for (size_t k = 0; k < told[i].size; k++)
                        *value = *value << 8 | bytes[k];
                return true;
        }
        return false;
}
