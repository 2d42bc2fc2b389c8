/* SPDX-License-Identifier: MIT */
/* Unit tests of core/crc: against a bit-by-bit CRC, known values, and the algebra against the plain sum. */
#include "core/buf.h"
#include "core/crc.h"

#include <check.h>
#include <stdlib.h>
#include <string.h>

static uint32_t slow(uint32_t crc, const unsigned char *p, size_t n)
{
        crc = ~crc;
        while (n--) {
                crc ^= *p++;
                for (int i = 0; i < 8; i++)
                        crc = crc & 1 ? (crc >> 1) ^ UINT32_C(0xedb88320) : crc >> 1;
        }
        return ~crc;
}

static unsigned char *noise(size_t n)
{
        unsigned char *p = malloc(n ? n : 1);
        uint32_t x = 12345;

        ck_assert_ptr_nonnull(p);
        for (size_t i = 0; i < n; i++) {
                x = x * 1664525 + 1013904223;
                p[i] = (unsigned char)(x >> 24);
        }
        return p;
}

START_TEST(known_values)
{
        /* What zlib's crc32() gives. */
        ck_assert_uint_eq(ri_crc32(0, "", 0), 0);
        ck_assert_uint_eq(ri_crc32(0, NULL, 0), 0);
        ck_assert_uint_eq(ri_crc32(0, "a", 1), 0xe8b7be43);
        ck_assert_uint_eq(ri_crc32(0, "123456789", 9), 0xcbf43926);
        ck_assert_uint_eq(ri_crc32(0, "The quick brown fox jumps over the lazy dog", 43), 0x414fa339);
        ck_assert_uint_eq(ri_crc32(ri_crc32(0, "1234", 4), "56789", 5), 0xcbf43926);
        ck_assert_uint_eq(ri_crc32(0xcbf43926, NULL, 0), 0xcbf43926);
}
END_TEST

START_TEST(same_as_bit_by_bit)
{
        unsigned char *p = noise(1000);

        for (size_t n = 0; n <= 300; n++)
                for (size_t off = 0; off < 9; off++)
                        ck_assert_uint_eq(ri_crc32(77, p + off, n), slow(77, p + off, n));
        free(p);
}
END_TEST

START_TEST(combine_equals_plain)
{
        static const size_t len[] = { 0, 1, 2, 3, 7, 8, 255, 256, 4095, 65535, 65536, 65537, 131072, 200000 };
        size_t n = sizeof(len) / sizeof(len[0]);
        unsigned char *p = noise(400000);

        for (size_t i = 0; i < n; i++)
                for (size_t j = 0; j < n; j++) {
                        uint32_t a = ri_crc32(0, p, len[i]);
                        uint32_t b = ri_crc32(0, p + len[i], len[j]);

                        ck_assert_uint_eq(ri_crc32_combine(a, b, len[j]), ri_crc32(0, p, len[i] + len[j]));
                }
        free(p);
}
END_TEST

START_TEST(combine_is_associative_for_huge_lengths)
{
        /* Lengths nobody can sum: (A B) C and A (B C) must agree, also past 2^32. */
        static const uint64_t len[] = { UINT64_C(0xffffffff),
                                        UINT64_C(0x100000000),
                                        UINT64_C(0x123456789abcd),
                                        UINT64_C(1) << 61,
                                        65536,
                                        UINT64_C(3) << 36 };
        size_t n = sizeof(len) / sizeof(len[0]);
        uint32_t a = 0x12345678, b = 0x9abcdef0, c = 0x0badcafe;

        for (size_t i = 0; i < n; i++)
                for (size_t j = 0; j < n; j++) {
                        uint32_t left = ri_crc32_combine(ri_crc32_combine(a, b, len[i]), c, len[j]);
                        uint32_t bc = ri_crc32_combine(b, c, len[j]);

                        ck_assert_uint_eq(left, ri_crc32_combine(a, bc, len[i] + len[j]));
                }
}
END_TEST

START_TEST(block_table_equals_general_way)
{
        uint32_t crc = 1;

        for (int i = 0; i < 2000; i++) {
                uint32_t two = ri_crc32_combine(ri_crc32_combine(crc, 0, 65535), 0, 1);

                ck_assert_uint_eq(ri_crc32_combine(crc, 0, 65536), two);
                crc = crc * 1664525 + 1013904223;
        }
}
END_TEST

START_TEST(zeros)
{
        unsigned char *z = calloc(1, 70000);
        static const size_t len[] = { 0, 1, 5, 4096, 65535, 65536, 70000 };

        ck_assert_ptr_nonnull(z);
        ck_assert_uint_eq(ri_crc32(0, z, 65536), RI_CRC_ZERO_BLOCK);
        ck_assert_uint_eq(ri_crc32_zeros(0, 65536), RI_CRC_ZERO_BLOCK);
        for (size_t i = 0; i < sizeof(len) / sizeof(len[0]); i++) {
                ck_assert_uint_eq(ri_crc32_zeros(0, len[i]), ri_crc32(0, z, len[i]));
                ck_assert_uint_eq(ri_crc32_zeros(0xcbf43926, len[i]), ri_crc32(0xcbf43926, z, len[i]));
        }
        /* 64 MiB, the chunk of MooseFS, block by block. */
        uint32_t crc = 0;
        for (int i = 0; i < 1024; i++)
                crc = ri_crc32_combine(crc, RI_CRC_ZERO_BLOCK, 65536);
        ck_assert_uint_eq(crc, ri_crc32_zeros(0, UINT64_C(1) << 26));
        free(z);
}
END_TEST

START_TEST(sums_of_a_buffer)
{
        static const size_t len[] = { 0, 1, 65535, 65536, 65537, RI_PIECE - 1, RI_PIECE, RI_PIECE + 70000 };
        unsigned char *p = noise(RI_PIECE + 70007);
        roma_buf b = { .mem = p, .off = 7 };
        uint32_t crc;

        for (size_t i = 0; i < sizeof(len) / sizeof(len[0]); i++) {
                size_t n = len[i], summed = n < RI_PIECE ? n : RI_PIECE, last = summed % 65536;

                ck_assert_uint_eq(ri_buf_sum(&b, n), ri_crc32(0, p + 7, n));
                for (size_t at = 0; at + 65536 <= summed; at += 65536) {
                        ck_assert(ri_buf_sum_of(&b, at, 65536, &crc));
                        ck_assert_uint_eq(crc, ri_crc32(0, p + 7 + at, 65536));
                        ck_assert(!ri_buf_sum_of(&b, at, 65535, &crc));
                        ck_assert(!ri_buf_sum_of(&b, at + 1, 65536, &crc));
                }
                if (last) {
                        ck_assert(ri_buf_sum_of(&b, summed - last, last, &crc));
                        ck_assert_uint_eq(crc, ri_crc32(0, p + 7 + summed - last, last));
                        ck_assert(!ri_buf_sum_of(&b, summed - last, last + 1, &crc));
                }
                ck_assert(!ri_buf_sum_of(&b, summed, 1, &crc));
                ck_assert(!ri_buf_sum_of(&b, 0, SIZE_MAX, &crc));
        }
        free(p);
}
END_TEST

int main(void)
{
        Suite *s = suite_create("crc");
        TCase *tc = tcase_create("crc");
        SRunner *sr;
        int failed;

        tcase_add_test(tc, known_values);
        tcase_add_test(tc, same_as_bit_by_bit);
        tcase_add_test(tc, combine_equals_plain);
        tcase_add_test(tc, combine_is_associative_for_huge_lengths);
        tcase_add_test(tc, block_table_equals_general_way);
        tcase_add_test(tc, zeros);
        tcase_add_test(tc, sums_of_a_buffer);
        suite_add_tcase(s, tc);
        sr = srunner_create(s);
        srunner_run_all(sr, CK_ENV);
        failed = srunner_ntests_failed(sr);
        srunner_free(sr);
        return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
