/* SPDX-License-Identifier: MIT */
/* Unit tests of cephio/rados/codec: the bytes are fixed for ever, every field comes back, and no other bytes pass. */
#include "cephio/rados/codec.h"
#include "core/crc.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void fill(uint8_t *p, size_t n, uint8_t from)
{
        for (size_t i = 0; i < n; i++)
                p[i] = (uint8_t)(from + i);
}

static struct rad_head some_head(void)
{
        struct rad_head h = { .flags = RAD_HEAD_SEGMENTS,
                              .size = 0x0102030405060708,
                              .mtime_ns = -2,
                              .atime_ns = 0x1112131415161718,
                              .mode = 0754,
                              .uid = 0xfffffffe,
                              .gid = 7,
                              .crc = 0xdeadbeef,
                              .list_bytes = 40 };

        fill(h.rev, RAD_ID, 0x20);
        fill(h.content, RAD_ID, 0x40);
        return h;
}

/* Other programs and other versions read these bytes. */
START_TEST(head_bytes)
{
        static const uint8_t begin[] = { 'R',  'H',  1,    0,    1,    0,    0,    0,    8,
                                         7,    6,    5,    4,    3,    2,    1,    0xfe, 0xff,
                                         0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x18, 0x17, 0x16,
                                         0x15, 0x14, 0x13, 0x12, 0x11, 0xec, 1,    0,    0 };
        struct rad_head h = some_head();
        uint8_t b[RAD_HEAD_BYTES];

        rad_head_encode(&h, b);
        ck_assert_mem_eq(b, begin, sizeof(begin));
        ck_assert_mem_eq(b + 52, h.rev, RAD_ID);
        ck_assert_mem_eq(b + 68, h.content, RAD_ID);
}
END_TEST

START_TEST(head_comes_back)
{
        struct rad_head h = some_head(), got;
        uint8_t b[RAD_HEAD_BYTES], again[RAD_HEAD_BYTES];
        const char *why = NULL;

        rad_head_encode(&h, b);
        ck_assert_int_eq(rad_head_decode(b, sizeof(b), &got, &why), 0);
        ck_assert(got.flags == h.flags && got.size == h.size && got.mtime_ns == h.mtime_ns);
        ck_assert(got.atime_ns == h.atime_ns && got.mode == h.mode && got.uid == h.uid && got.gid == h.gid);
        ck_assert(got.crc == h.crc && got.list_bytes == h.list_bytes);
        rad_head_encode(&got, again);
        ck_assert_mem_eq(b, again, sizeof(b));
}
END_TEST

/* Every bit counts: whichever is flipped, the record is refused with a reason. */
static void no_bit_may_change(uint8_t *b, size_t n, int (*decode)(const uint8_t *, size_t))
{
        ck_assert_int_eq(decode(b, n), 0);
        for (size_t i = 0; i < n * 8; i++) {
                b[i / 8] ^= (uint8_t)(1 << i % 8);
                ck_assert_msg(decode(b, n) < 0, "bit %zu may be flipped", i);
                b[i / 8] ^= (uint8_t)(1 << i % 8);
        }
        for (size_t i = 0; i < n; i++)
                ck_assert_msg(decode(b, i) < 0, "%zu of %zu bytes are enough", i, n);
}

static const char *last;

static int decode_head(const uint8_t *p, size_t n)
{
        struct rad_head h;
        int r = rad_head_decode(p, n, &h, &last);

        ck_assert(r == 0 || (last && *last));
        return r;
}

static int decode_entry(const uint8_t *p, size_t n)
{
        struct rad_entry e;

        return rad_entry_decode(p, n, &e, &last);
}

static int decode_gc(const uint8_t *p, size_t n)
{
        struct rad_gc g;

        return rad_gc_decode(p, n, &g, &last);
}

static int decode_layout(const uint8_t *p, size_t n)
{
        struct rad_layout l;

        return rad_layout_decode(p, n, &l, &last);
}

static int decode_segments(const uint8_t *p, size_t n)
{
        struct rad_segment *s = NULL;
        size_t count;
        int r = rad_segments_decode(p, n, 5 << 20, &s, &count, &last);

        if (r == 0)
                free(s);
        return r;
}

START_TEST(any_damage_is_seen)
{
        struct rad_head h = some_head();
        struct rad_entry e = { .pending = true, .size = 5, .mtime_ns = 6, .mode = 0644 };
        struct rad_gc g = { .state = RAD_GC_UPLOADING,
                            .time_ns = 1,
                            .piece_size = 1 << 20,
                            .key = "some/key",
                            .key_len = 8 };
        struct rad_layout l = { .shards = 16 };
        struct rad_segment s[2] = { { .length = 4 << 20, .piece_size = 4 << 20 },
                                    { .length = 1 << 20, .piece_size = 65536 } };
        uint8_t b[RAD_GC_MAX];

        rad_head_encode(&h, b);
        no_bit_may_change(b, RAD_HEAD_BYTES, decode_head);
        rad_entry_encode(&e, b);
        no_bit_may_change(b, RAD_ENTRY_BYTES, decode_entry);
        no_bit_may_change(b, rad_gc_encode(&g, b), decode_gc);
        rad_layout_encode(&l, b);
        no_bit_may_change(b, RAD_LAYOUT_BYTES, decode_layout);
        rad_segments_encode(s, 2, b);
        no_bit_may_change(b, rad_segments_bytes(2), decode_segments);
}
END_TEST

static void seal(uint8_t *p, size_t n)
{
        uint32_t crc = ri_crc32(0, p, n - 4);

        for (size_t i = 0; i < 4; i++)
                p[n - 4 + i] = (uint8_t)(crc >> (8 * i));
}

/* A good checksum over nonsense. */
START_TEST(nonsense_is_refused)
{
        struct rad_head h = some_head();
        struct rad_segment s[2] = { { .length = 4 << 20, .piece_size = 4 << 20 },
                                    { .length = 1 << 20, .piece_size = 65536 } };
        uint8_t b[RAD_HEAD_BYTES];

        h.flags = 0; /* but a list */
        rad_head_encode(&h, b);
        ck_assert_int_lt(decode_head(b, sizeof(b)), 0);
        h = some_head();
        h.list_bytes = UINT32_MAX;
        rad_head_encode(&h, b);
        ck_assert_int_lt(decode_head(b, sizeof(b)), 0);
        h = some_head();
        h.flags = 0;
        h.list_bytes = 0; /* and longer than a head can be */
        rad_head_encode(&h, b);
        ck_assert_int_lt(decode_head(b, sizeof(b)), 0);
        s[1].length++;
        rad_segments_encode(s, 2, b);
        ck_assert_int_lt(decode_segments(b, rad_segments_bytes(2)), 0);
        s[1].length -= 2;
        rad_segments_encode(s, 2, b);
        ck_assert_int_lt(decode_segments(b, rad_segments_bytes(2)), 0);
        s[1].length++;
        s[1].piece_size = 0;
        rad_segments_encode(s, 2, b);
        ck_assert_int_lt(decode_segments(b, rad_segments_bytes(2)), 0);
        s[1].piece_size = 65536;
        rad_segments_encode(s, 2, b);
        b[4] = 3; /* says three */
        seal(b, rad_segments_bytes(2));
        ck_assert_int_lt(decode_segments(b, rad_segments_bytes(2)), 0);
}
END_TEST

START_TEST(a_newer_version_says_so)
{
        struct rad_head h = some_head();
        uint8_t b[RAD_HEAD_BYTES];

        rad_head_encode(&h, b);
        b[2] = 2;
        seal(b, sizeof(b));
        ck_assert_int_lt(decode_head(b, sizeof(b)), 0);
        ck_assert_ptr_nonnull(strstr(last, "newer"));
}
END_TEST

START_TEST(gc_keeps_the_key)
{
        struct rad_gc g = { .state = RAD_GC_DEAD, .time_ns = 99, .piece_size = 4096, .pieces = 12 }, got;
        char key[RAD_KEY_MAX];
        uint8_t b[RAD_GC_MAX];
        const char *why;
        size_t n;

        memset(key, 'k', sizeof(key));
        g.key = key;
        g.key_len = sizeof(key);
        n = rad_gc_encode(&g, b);
        ck_assert_uint_le(n, RAD_GC_MAX);
        ck_assert_int_eq(rad_gc_decode(b, n, &got, &why), 0);
        ck_assert_uint_eq(got.key_len, sizeof(key));
        ck_assert_mem_eq(got.key, key, sizeof(key));
        ck_assert(got.state == RAD_GC_DEAD && got.time_ns == 99 && got.piece_size == 4096 &&
                  got.pieces == 12);
}
END_TEST

START_TEST(names_and_shards)
{
        char name[RAD_NAME_MAX], key[RAD_KEY_MAX + 1];
        uint8_t id[RAD_ID], back[RAD_ID];
        unsigned seen[16] = { 0 };

        fill(id, RAD_ID, 0xf0);
        rad_piece_name(id, 0xabc, name);
        ck_assert_str_eq(name, "d/f0f1f2f3f4f5f6f7f8f9fafbfcfdfeff/00000abc");
        ck_assert(rad_unhex(name + 2, 32, back));
        ck_assert_mem_eq(id, back, RAD_ID);
        ck_assert(!rad_unhex(name + 2, 31, back) && !rad_unhex("F0f1f2f3f4f5f6f7f8f9fafbfcfdfeff", 32, back));
        memset(key, 'k', RAD_KEY_MAX);
        key[RAD_KEY_MAX] = '\0';
        rad_head_name(key, name);
        ck_assert_uint_eq(strlen(name), RAD_KEY_MAX + 2);
        /* Another distribution would lose every key that is there: these numbers may never change. */
        ck_assert_uint_eq(rad_shard("", 0, 16), 5);
        ck_assert_uint_eq(rad_shard("a/hello", 7, 16), 7);
        for (int i = 0; i < 16000; i++) {
                int n = snprintf(key, sizeof(key), "photos/%d.jpg", i);

                seen[rad_shard(key, (size_t)n, 16)]++;
        }
        for (int i = 0; i < 16; i++)
                ck_assert(seen[i] > 800 && seen[i] < 1200);
}
END_TEST

int main(void)
{
        Suite *s = suite_create("rados-codec");
        TCase *t = tcase_create("codec");
        SRunner *r;
        int failed;

        tcase_add_test(t, head_bytes);
        tcase_add_test(t, head_comes_back);
        tcase_add_test(t, any_damage_is_seen);
        tcase_add_test(t, nonsense_is_refused);
        tcase_add_test(t, a_newer_version_says_so);
        tcase_add_test(t, gc_keeps_the_key);
        tcase_add_test(t, names_and_shards);
        suite_add_tcase(s, t);
        r = srunner_create(s);
        srunner_run_all(r, CK_NORMAL);
        failed = srunner_ntests_failed(r);
        srunner_free(r);
        return failed != 0;
}
