/* SPDX-License-Identifier: MIT */
/* What is concluded from tables and blocks: runs, patterns, causes, votes, chunk files. */
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "core/crc.h"
#include "tools/diagnose/diagnose.h"

enum { COPIES = 3 };

static struct dg_chunk chunk;
static struct dg_copy copy[COPIES];
static struct dg_range range[DG_BLOCKS];

static uint32_t content(uint32_t block)
{
        return 0x10000000u + block * 2654435761u;
}

/* `n` copies of a file of `blocks` blocks, all the same. */
static void fresh(size_t n, uint32_t blocks, bool original)
{
        memset(&chunk, 0, sizeof(chunk));
        memset(copy, 0, sizeof(copy));
        chunk.copies = n;
        chunk.copy = copy;
        chunk.length = chunk.want_length = (uint64_t)blocks * DG_BLOCK;
        chunk.has_want = original;
        for (uint32_t b = 0; b < DG_BLOCKS; b++) {
                chunk.want[b] = b < blocks ? content(b) : DG_EMPTY;
                for (size_t i = 0; i < n; i++)
                        copy[i].crc[b] = chunk.want[b];
        }
        for (size_t i = 0; i < n; i++) {
                copy[i].usable = copy[i].current = true;
                copy[i].blocks = blocks;
        }
}

static void lose(size_t i, uint32_t first, uint32_t count)
{
        for (uint32_t b = first; b < first + count; b++)
                copy[i].crc[b] = DG_EMPTY;
}

static size_t runs(void)
{
        return dg_ranges(&chunk, range, DG_BLOCKS);
}

START_TEST(crcs)
{
        static unsigned char block[DG_BLOCK];
        uint32_t before, after;

        ck_assert_uint_eq(dg_crc(block, DG_BLOCK), DG_EMPTY);
        ck_assert_uint_eq(dg_crc_padded("abc", 3), ri_crc32_zeros(ri_crc32(0, "abc", 3), DG_BLOCK - 3));
        for (size_t i = 0; i < DG_BLOCK; i++)
                block[i] = (unsigned char)(i * 7 + i / 300);
        before = dg_crc(block, DG_BLOCK);
        for (uint32_t bit = 3; bit < DG_BLOCK * 8; bit += 99991) {
                block[bit / 8] ^= (unsigned char)(1u << bit % 8);
                after = dg_crc(block, DG_BLOCK);
                ck_assert_int_eq(dg_one_bit(before, after), (int)bit);
                block[bit / 8] ^= (unsigned char)(1u << bit % 8);
        }
        block[100] ^= 3;
        ck_assert_int_eq(dg_one_bit(before, dg_crc(block, DG_BLOCK)), -1);
        ck_assert_int_eq(dg_one_bit(before, before), -1);
}
END_TEST

START_TEST(same)
{
        fresh(3, 40, true);
        ck_assert_uint_eq(runs(), 0);
        fresh(2, 40, false);
        copy[1].blocks = 60; /* more blocks of zeros are the same content */
        ck_assert_uint_eq(runs(), 0);
}
END_TEST

START_TEST(tail_of_one_copy)
{
        fresh(2, 40, false);
        lose(1, 20, 20);
        copy[1].blocks = 20;
        ck_assert_uint_eq(runs(), 1);
        ck_assert_int_eq(range[0].pattern, DG_TAIL);
        ck_assert_uint_eq(range[0].first, 20);
        ck_assert_uint_eq(range[0].count, 20);
        ck_assert_uint_eq(range[0].bad, 2);
        ck_assert_uint_eq(range[0].good, 1);
        ck_assert(range[0].absent && range[0].guess && !range[0].by_original);
}
END_TEST

START_TEST(majority_and_original)
{
        fresh(3, 40, false);
        copy[0].crc[7] = 77;
        ck_assert_uint_eq(runs(), 1);
        ck_assert_uint_eq(range[0].bad, 1);
        ck_assert(!range[0].guess && range[0].pattern == DG_CONTENT);

        /* The original knows better than two copies that agree. */
        fresh(3, 40, true);
        copy[0].crc[7] = copy[1].crc[7] = 77;
        ck_assert_uint_eq(runs(), 1);
        ck_assert_uint_eq(range[0].bad, 3);
        ck_assert_uint_eq(range[0].good, 4);
        ck_assert(range[0].by_original && range[0].same);
}
END_TEST

START_TEST(zero_hole_and_two_sides)
{
        fresh(2, 40, true);
        lose(0, 5, 3);
        lose(1, 8, 2);
        ck_assert_uint_eq(runs(), 2);
        ck_assert_int_eq(range[0].pattern, DG_ZERO);
        ck_assert_int_eq(range[1].pattern, DG_ZERO);
        ck_assert_uint_eq(range[0].bad, 1);
        ck_assert_uint_eq(range[1].bad, 2);
        chunk.moving = (const uint8_t[DG_BLOCKS]){ [5] = 1, [6] = 1, [7] = 1 };
        ck_assert_uint_eq(runs(), 1);
}
END_TEST

START_TEST(places)
{
        uint32_t other;

        fresh(2, 40, true);
        other = copy[0].crc[3];
        for (size_t i = 0; i < 2; i++) {
                copy[i].crc[3] = copy[i].crc[9];
                copy[i].crc[9] = other;
        }
        ck_assert_uint_eq(runs(), 2);
        ck_assert_int_eq(range[0].pattern, DG_SWAP);
        ck_assert_int_eq(range[0].detail, 9 * DG_BLOCK);

        /* Block numbers that start again: one run, with a fixed displacement. */
        fresh(2, 40, true);
        for (size_t i = 0; i < 2; i++) {
                for (uint32_t b = 0; b < 4; b++)
                        copy[i].crc[b] = content(30 + b);
                lose(i, 4, 36);
        }
        ck_assert_uint_eq(runs(), 2);
        ck_assert_int_eq(range[0].pattern, DG_OFFSET);
        ck_assert_uint_eq(range[0].count, 4);
        ck_assert_int_eq(range[0].detail, 30 * DG_BLOCK);
        ck_assert_int_eq(range[1].pattern, DG_TAIL);
}
END_TEST

START_TEST(bit_by_crc)
{
        static unsigned char block[DG_BLOCK];

        fresh(2, 40, false);
        copy[0].crc[11] = dg_crc(block, DG_BLOCK);
        block[4711] = 16;
        copy[1].crc[11] = dg_crc(block, DG_BLOCK);
        copy[0].crc[11] ^= 0x5a5a5a5a; /* not a block of zeros */
        copy[1].crc[11] ^= 0x5a5a5a5a;
        ck_assert_uint_eq(runs(), 1);
        ck_assert_int_eq(range[0].pattern, DG_BIT);
        ck_assert_int_eq(range[0].detail, 4711 * 8 + 4);
        ck_assert_uint_eq(range[0].at, 11 * DG_BLOCK + 4711);
}
END_TEST

START_TEST(rot_and_versions)
{
        fresh(3, 40, false);
        copy[1].seen[6] = DG_BAD;
        ck_assert_uint_eq(runs(), 1);
        ck_assert_int_eq(range[0].pattern, DG_ROT);
        ck_assert_uint_eq(range[0].rot, 2);
        ck_assert_uint_eq(range[0].bad, 0);
        ck_assert_uint_eq(range[0].good, 5);

        /* A copy of another version has no say. */
        fresh(3, 40, false);
        copy[2].current = false;
        lose(2, 0, 40);
        ck_assert_uint_eq(runs(), 0);
}
END_TEST

START_TEST(behind_the_end)
{
        fresh(2, 40, true);
        copy[0].crc[50] = 5;
        ck_assert_uint_eq(runs(), 1);
        ck_assert(range[0].behind && !range[0].by_original);
        copy[1].crc[50] = 5;
        ck_assert_uint_eq(runs(), 0);
}
END_TEST

START_TEST(room)
{
        fresh(2, 40, false);
        for (uint32_t b = 0; b < 40; b += 2)
                copy[0].crc[b] = 1000 + b;
        memset(range, 0x55, sizeof(range));
        ck_assert_uint_eq(dg_ranges(&chunk, range, 3), 20);
        ck_assert_uint_eq(range[2].first, 4);
        ck_assert_uint_eq(range[3].first, 0x55555555);
        ck_assert_uint_eq(dg_ranges(&chunk, NULL, 0), 20);
}
END_TEST

START_TEST(parts)
{
        static struct dg_copy part[5];
        struct dg_chunk k = { .copies = 5, .copy = part };
        unsigned good, needed;
        bool complete;
        size_t at;

        for (unsigned p = 0; p < 5; p++) {
                part[p].usable = part[p].current = true;
                part[p].part = (uint8_t)(0x10 + p);
                for (uint32_t b = 0; b < DG_BLOCKS; b++)
                        part[p].crc[b] = p < 4 ? content(b * 4 + p)
                                               : DG_EMPTY ^ part[0].crc[b] ^ part[1].crc[b] ^ part[2].crc[b] ^
                                                         part[3].crc[b];
        }
        ck_assert_int_eq(dg_parity(&k, &at, &complete), -1);
        ck_assert(complete);
        part[2].crc[17]++;
        ck_assert_int_eq(dg_parity(&k, &at, &complete), 17);
        ck_assert(!dg_too_few_parts(&k, &good, &needed));
        part[1].usable = false;
        ck_assert_int_eq(dg_parity(&k, &at, &complete), -1);
        ck_assert(!complete);
        ck_assert(!dg_too_few_parts(&k, &good, &needed)); /* the fifth part is computed */
        part[4].current = false;
        ck_assert(dg_too_few_parts(&k, &good, &needed) && good == 3 && needed == 4);
        part[3].part = 0x10; /* twice the same part */
        ck_assert(dg_too_few_parts(&k, &good, &needed) && good == 2);
        part[3].part = 0; /* a whole copy knows more */
        ck_assert(!dg_too_few_parts(&k, &good, &needed));
        ck_assert_uint_eq(dg_ranges(&k, range, DG_BLOCKS), 0);
}
END_TEST

/* Parts that fit each other may hold the bytes of something else: the original tells. */
START_TEST(parts_and_original)
{
        static struct dg_copy part[9];
        struct dg_chunk k = { .copy = part, .has_want = true };
        uint32_t first = 0;
        bool complete;
        size_t at;

        for (unsigned data = 4; data <= 8; data += 4) {
                struct dg_part p = { .data = data };

                memset(part, 0, sizeof(part));
                k.copies = data + 1;
                for (uint32_t b = 0; b < DG_BLOCKS; b++)
                        k.want[b] = b < 700 ? content(b) : DG_EMPTY;
                for (unsigned n = 0; n <= data; n++) {
                        part[n].usable = part[n].current = true;
                        part[n].part = (uint8_t)(data * 4 + (n + 1) % (data + 1)); /* in any order */
                        p.number = (n + 1) % (data + 1);
                        for (uint32_t b = 0; b < DG_BLOCKS; b++)
                                part[n].crc[b] = p.number < data && b < dg_part_blocks(&p)
                                                         ? k.want[dg_part_place(&p, b)]
                                                         : DG_EMPTY;
                }
                ck_assert_uint_eq(dg_parts_differ(&k, &first, &at, &complete), 0);
                ck_assert(complete);
                part[1].crc[9]++; /* part 2, whose ninth block is the second of the third unit */
                part[1].crc[10]++;
                p.number = 2;
                ck_assert_uint_eq(dg_parts_differ(&k, &first, &at, &complete), 2);
                ck_assert_uint_eq(first, dg_part_place(&p, 9));
                ck_assert_uint_eq(at, 1);
                part[1].usable = false;
                ck_assert_uint_eq(dg_parts_differ(&k, &first, &at, &complete), 0);
                ck_assert(!complete);
        }
        k.has_want = false;
        ck_assert_uint_eq(dg_parts_differ(&k, &first, &at, &complete), 0);
        ck_assert(!complete);
}
END_TEST

/* Whole copies and parts of one chunk, in any order: who knows what is in it. */
START_TEST(parts_and_copies)
{
        static struct dg_copy mixed[3];
        struct dg_chunk k = { .copies = 3, .copy = mixed };

        for (unsigned i = 0; i < 3; i++)
                mixed[i].usable = mixed[i].current = true;
        ck_assert(!dg_in_parts(&k));
        mixed[0].part = 0x10; /* two whole copies beside a part */
        ck_assert(!dg_in_parts(&k));
        mixed[1].current = mixed[2].usable = false; /* one is old, the other one does not answer */
        ck_assert(dg_in_parts(&k));
        mixed[0].current = false;
        ck_assert(!dg_in_parts(&k));
        mixed[1].part = mixed[2].part = 0x11; /* parts only, whatever they are */
        ck_assert(dg_in_parts(&k));
        mixed[1].part = 0;
        mixed[1].current = true;
        mixed[0].current = true;
        ck_assert(!dg_in_parts(&k));
        k.copies = 0;
        ck_assert(!dg_in_parts(&k));
}
END_TEST

/* ---- bytes ------------------------------------------------------------------------------------------------ */

static unsigned char around[3 * DG_BLOCK], *const good = around + DG_BLOCK, bad[DG_BLOCK];

static void fill(void)
{
        uint32_t x = 1;

        for (size_t i = 0; i < sizeof(around); i++) {
                x = x * 1664525 + 1013904223;
                around[i] = (unsigned char)(x >> 24);
        }
        memcpy(bad, good, DG_BLOCK);
}

static struct dg_bytes compared(uint32_t used)
{
        struct dg_bytes d;

        ck_assert(dg_compare(good, bad, around, used, &d));
        return d;
}

START_TEST(bytes)
{
        struct dg_bytes d;

        fill();
        ck_assert(!dg_compare(good, bad, around, DG_BLOCK, &d));
        bad[1234] ^= 8;
        d = compared(DG_BLOCK);
        ck_assert_int_eq(d.pattern, DG_BIT);
        ck_assert_int_eq(d.detail, 1234 * 8 + 3);
        fill();
        good[1234] = 8; /* no hole of one byte */
        bad[1234] = 0;
        d = compared(DG_BLOCK);
        ck_assert_int_eq(d.pattern, DG_BIT);
        ck_assert_int_eq(d.detail, 1234 * 8 + 3);

        fill();
        memset(bad + 1000, 0, DG_BLOCK - 1000);
        d = compared(DG_BLOCK);
        ck_assert_int_eq(d.pattern, DG_TAIL);
        memset(bad + 1000, 0, 500);
        memcpy(bad + 1500, good + 1500, DG_BLOCK - 1500);
        d = compared(DG_BLOCK);
        ck_assert_int_eq(d.pattern, DG_ZERO);
        ck_assert(d.first >= 1000 && d.first < 1010 && d.end > 1490 && d.end <= 1500);

        fill();
        memset(bad + 2000, 'x', 700);
        ck_assert_int_eq(compared(DG_BLOCK).pattern, DG_CONTENT);
        ck_assert_int_eq(compared(2000).pattern, DG_PAD);
}
END_TEST

START_TEST(shifts)
{
        static const int by[] = { 1, -1, 17, 4096, -4096, 60000, -60000 };
        struct dg_bytes d;

        for (size_t i = 0; i < sizeof(by) / sizeof(by[0]); i++) {
                fill();
                memcpy(bad + 3000, good + 3000 - by[i], DG_BLOCK - 3000);
                d = compared(DG_BLOCK);
                ck_assert_int_eq(d.pattern, DG_SHIFT);
                ck_assert_int_eq(d.detail, by[i]);
        }
        /* A short difference is no shift, whatever it agrees with. */
        fill();
        memcpy(bad + 3000, good + 2000, 40);
        ck_assert_int_eq(compared(DG_BLOCK).pattern, DG_CONTENT);
}
END_TEST

/* ---- causes ----------------------------------------------------------------------------------------------- */

static struct dg_cause cause[DG_CAUSES_MAX];

static size_t why(uint64_t length, uint64_t want, struct dg_file more)
{
        more.length = length;
        more.want_length = want;
        more.range = range;
        more.ranges = runs();
        more.copies = chunk.copies;
        return dg_causes(&more, cause);
}

static bool named(size_t n, enum dg_cause_id id)
{
        for (size_t i = 0; i < n; i++)
                if (cause[i].id == id)
                        return *cause[i].evidence && *dg_cause_text(id) && *dg_cause_advice(id);
        return false;
}

START_TEST(causes_of_copies)
{
        const uint64_t length = 40 * DG_BLOCK;

        fresh(2, 40, true);
        ck_assert_uint_eq(why(length, length, (struct dg_file){ 0 }), 0);
        lose(0, 25, 15);
        ck_assert(named(why(length, length, (struct dg_file){ 0 }), DG_CAUSE_FINISH));
        lose(0, 0, 40);
        ck_assert(why(length, length, (struct dg_file){ .empty_copies = 1 }) &&
                  cause[0].id == DG_CAUSE_ONE_COPY);
        fresh(2, 40, true);
        lose(1, 39, 1);
        ck_assert(why(length, length, (struct dg_file){ 0 }) && cause[0].id == DG_CAUSE_LAST_STATUS);
        fresh(2, 40, false);
        lose(1, 30, 10);
        ck_assert(named(why(length, DG_UNKNOWN, (struct dg_file){ 0 }), DG_CAUSE_RESEND));
        /* Cut in one copy here, in all copies there: what was on its way was given up. */
        fresh(2, 40, true);
        lose(0, 20, 20);
        lose(1, 23, 17);
        ck_assert(named(why(length, length, (struct dg_file){ 0 }), DG_CAUSE_RESEND));
        /* A packet was refused, and one server lost all that it had queued before: that looks like one that was not asked. */
        fresh(2, 40, true);
        lose(0, 20, 20);
        lose(1, 0, 40);
        ck_assert(named(why(length, length, (struct dg_file){ .empty_copies = 1 }), DG_CAUSE_REFUSED));
        ck_assert(named(why(length, length, (struct dg_file){ .empty_copies = 1 }), DG_CAUSE_RESEND));
        ck_assert(named(why(length, length, (struct dg_file){ .empty_copies = 1 }), DG_CAUSE_FINISH));
        /* The same within the block in which the packet began. */
        fresh(2, 40, true);
        lose(1, 0, 40);
        copy[0].crc[39] = 1;
        ck_assert(named(why(length, length, (struct dg_file){ .empty_copies = 1 }), DG_CAUSE_REFUSED));
        /* Now one copy is wrong, now the other. */
        fresh(3, 40, false);
        copy[0].crc[3] = 1;
        copy[1].crc[9] = 2;
        copy[2].crc[20] = 3;
        ck_assert(named(why(length, DG_UNKNOWN, (struct dg_file){ 0 }), DG_CAUSE_WRITERS));
        fresh(3, 40, false);
        copy[0].seen[3] = DG_BAD;
        ck_assert(why(length, DG_UNKNOWN, (struct dg_file){ 0 }) && cause[0].id == DG_CAUSE_DISK);
}
END_TEST

/* One bit of a checksum table, in blocks that nobody has read, is no mistake of a client. */
START_TEST(causes_of_table_bits)
{
        const uint64_t length = 40 * DG_BLOCK;
        unsigned unread, score = 0;
        size_t n;

        for (unsigned copies = 2; copies <= 3; copies++) {
                fresh(copies, 40, false);
                copy[1].crc[7] ^= 1u << 11;
                copy[1].crc[30] ^= 1u << 31;
                ck_assert(why(length, DG_UNKNOWN, (struct dg_file){ 0 }) && cause[0].id == DG_CAUSE_DISK);
                ck_assert(range[0].table_bit && range[1].table_bit && strstr(cause[0].evidence, "2 blocks"));
        }
        fresh(2, 40, true);
        copy[1].crc[7] ^= 1u << 11;
        ck_assert(why(length, length, (struct dg_file){ 0 }) && cause[0].id == DG_CAUSE_DISK);
        /* All copies have it: that is what was written. Two bits are as good as any other content. */
        copy[0].crc[7] = copy[1].crc[7];
        ck_assert(!named(why(length, length, (struct dg_file){ 0 }), DG_CAUSE_DISK));
        fresh(2, 40, false);
        copy[1].crc[7] ^= 3;
        n = why(length, DG_UNKNOWN, (struct dg_file){ 0 });
        ck_assert(n && !named(n, DG_CAUSE_DISK) && strstr(cause[0].evidence, "the bytes were not read"));
        unread = cause[0].score;
        /* What was seen weighs more than what was not. */
        range[0].sure = true;
        n = dg_causes(&(struct dg_file){ .length = length,
                                         .want_length = DG_UNKNOWN,
                                         .range = range,
                                         .ranges = 1,
                                         .copies = 2 },
                      cause);
        if (n)
                score = cause[0].score;
        ck_assert(unread < score && !strstr(cause[0].evidence, "not read"));
        /* Bytes that were read, and differ, say more than the bit. */
        copy[1].crc[7] ^= 2;
        runs();
        range[0].sure = true;
        range[0].at = 7 * DG_BLOCK;
        n = dg_causes(&(struct dg_file){ .length = length,
                                         .want_length = DG_UNKNOWN,
                                         .range = range,
                                         .ranges = 1,
                                         .copies = 2 },
                      cause);
        ck_assert(n && !named(n, DG_CAUSE_DISK));
}
END_TEST

START_TEST(causes_of_all)
{
        const uint64_t length = 40 * DG_BLOCK;

        fresh(2, 40, true);
        lose(0, 14, 26);
        lose(1, 14, 26);
        ck_assert(why(length, length, (struct dg_file){ 0 }) && cause[0].id == DG_CAUSE_REFUSED);
        fresh(2, 40, true);
        for (size_t i = 0; i < 2; i++)
                copy[i].crc[0] = content(20);
        ck_assert(why(length, length, (struct dg_file){ 0 }) && cause[0].id == DG_CAUSE_BLOCK_NUMBER);
        fresh(2, 40, true);
        ck_assert(
                why(ROMA_MFS_CHUNK_SIZE, ROMA_MFS_CHUNK_SIZE + 1, (struct dg_file){ .chunk_behind = true }) &&
                cause[0].id == DG_CAUSE_END_CHUNK);
        ck_assert(why(0, length, (struct dg_file){ 0 }) && cause[0].id == DG_CAUSE_NO_END);
        ck_assert(named(why(length - 5, length, (struct dg_file){ 0 }), DG_CAUSE_END_SHORT));
        ck_assert(why(length + 5, length, (struct dg_file){ 0 }) && cause[0].id == DG_CAUSE_END_LONG);
        ck_assert(why(length + 5, length, (struct dg_file){ .tail_differs = true }) &&
                  cause[0].id == DG_CAUSE_NO_TRUNCATE);
        ck_assert_uint_eq(why(0, DG_UNKNOWN, (struct dg_file){ .chunk_behind = true }), 0);
        ck_assert(why(0, DG_UNKNOWN, (struct dg_file){ .stored = length, .stored_data = true }) &&
                  cause[0].id == DG_CAUSE_NO_END);
        ck_assert(why(length, DG_UNKNOWN, (struct dg_file){ .lost = 1 }) && cause[0].id == DG_CAUSE_GONE);
        ck_assert(why(length, DG_UNKNOWN, (struct dg_file){ .lost = 2, .invalid = 1 }) &&
                  cause[0].id == DG_CAUSE_GONE);
        ck_assert(why(length, DG_UNKNOWN, (struct dg_file){ .lost = 1, .invalid = 1 }) &&
                  cause[0].id == DG_CAUSE_DISK);
        for (unsigned i = 0; i < DG_CAUSES; i++)
                ck_assert(*dg_cause_name((enum dg_cause_id)i) && *dg_cause_text((enum dg_cause_id)i) &&
                          *dg_cause_advice((enum dg_cause_id)i));
}
END_TEST

/* ---- votes ------------------------------------------------------------------------------------------------ */

START_TEST(votes)
{
        struct dg_vote v;

        fresh(3, 40, false);
        dg_choose(&chunk, 5, 2, &v);
        ck_assert_int_eq(v.certainty, DG_CERTAIN);
        ck_assert_int_eq(v.copy, 2);
        ck_assert_uint_eq(v.with, 7);
        dg_choose(&chunk, 800, -1, &v);
        ck_assert(v.zeros && v.certainty == DG_CERTAIN);

        copy[0].crc[5] = 9; /* two against one */
        dg_choose(&chunk, 5, 0, &v);
        ck_assert_int_eq(v.certainty, DG_CHOSEN);
        ck_assert_int_eq(v.copy, 1);
        copy[0].seen[5] = DG_BAD; /* the odd one cannot be read: nothing contradicts the others */
        dg_choose(&chunk, 5, -1, &v);
        ck_assert_int_eq(v.certainty, DG_CERTAIN);

        fresh(2, 40, false); /* data are more likely than zeros */
        lose(0, 5, 1);
        dg_choose(&chunk, 5, 0, &v);
        ck_assert_int_eq(v.copy, 1);
        ck_assert_int_eq(v.certainty, DG_CHOSEN);

        fresh(2, 40, true); /* the original decides, also for zeros and against the majority */
        lose(0, 5, 1);
        chunk.want[5] = DG_EMPTY;
        dg_choose(&chunk, 5, 1, &v);
        ck_assert_int_eq(v.certainty, DG_CERTAIN);
        ck_assert(v.zeros);
        chunk.want[5] = 4;
        dg_choose(&chunk, 5, 1, &v);
        ck_assert_int_eq(v.certainty, DG_CHOSEN);

        fresh(2, 40, false); /* an old copy is better than none, and never better than a new one */
        copy[1].current = false;
        copy[1].crc[5] = 8;
        dg_choose(&chunk, 5, 1, &v);
        ck_assert_int_eq(v.copy, 0);
        ck_assert_int_eq(v.certainty, DG_CERTAIN);
        copy[0].seen[5] = DG_BAD;
        dg_choose(&chunk, 5, 1, &v);
        ck_assert_int_eq(v.copy, 1);
        ck_assert_int_eq(v.certainty, DG_CHOSEN);
        copy[1].seen[5] = DG_BAD;
        dg_choose(&chunk, 5, 1, &v);
        ck_assert_int_eq(v.certainty, DG_LOST);
        ck_assert_int_eq(v.copy, -1);

        fresh(2, 40, false); /* what cannot be read contradicts all the same, by its checksum */
        copy[1].crc[5] = DG_EMPTY;
        dg_choose(&chunk, 5, -1, &v);
        ck_assert_int_eq(v.copy, 0);
        for (int seen = DG_BAD; seen <= DG_AWAY; seen++) {
                copy[0].seen[5] = (uint8_t)seen;
                dg_choose(&chunk, 5, -1, &v);
                ck_assert_int_eq(v.copy, 1);
                ck_assert_int_eq(v.certainty, DG_CHOSEN);
                ck_assert_ptr_nonnull(strstr(v.reason, "by its checksum"));
        }
        copy[1].crc[5] = copy[0].crc[5]; /* both say the same: one of them is enough */
        dg_choose(&chunk, 5, -1, &v);
        ck_assert_int_eq(v.certainty, DG_CERTAIN);
        copy[1].seen[5] = DG_BAD; /* one is damaged, the other one's server is away: that may come back */
        dg_choose(&chunk, 5, -1, &v);
        ck_assert_int_eq(v.certainty, DG_LOST);
        ck_assert_ptr_nonnull(strstr(v.reason, "try again"));

        fresh(2, 40,
              false); /* one that is other at each read is taken where there is nothing else, and is not certain */
        copy[0].seen[5] = DG_RESTLESS;
        dg_choose(&chunk, 5, 0, &v);
        ck_assert_int_eq(v.copy, 1);
        ck_assert_int_eq(v.certainty, DG_CERTAIN);
        copy[1].seen[5] = DG_RESTLESS;
        dg_choose(&chunk, 5, 1, &v);
        ck_assert_int_eq(v.copy, 0);
        ck_assert_int_eq(v.certainty, DG_CHOSEN);
        ck_assert_uint_eq(v.with, 1);
        ck_assert(!v.zeros && strstr(v.reason, "unstable"));
        copy[0].current = false;
        dg_choose(&chunk, 5, -1, &v);
        ck_assert_int_eq(v.copy, 1);
        copy[1].seen[5] = DG_BAD;
        dg_choose(&chunk, 5, -1, &v);
        ck_assert_int_eq(v.copy, 0);

        fresh(2, 40, false); /* two damaged ones of the right version have between them what was there */
        copy[0].current = copy[1].current = false;
        copy[0].same_version = copy[1].same_version = true;
        dg_choose(&chunk, 5, 1, &v);
        ck_assert_int_eq(v.certainty, DG_CERTAIN);
        copy[0].seen[5] = DG_BAD;
        dg_choose(&chunk, 5, 0, &v);
        ck_assert_int_eq(v.copy, 1);
        ck_assert_int_eq(v.certainty, DG_CERTAIN);
        copy[0].crc[6] = 8; /* and where they disagree nobody knows */
        dg_choose(&chunk, 6, 1, &v);
        ck_assert_int_eq(v.certainty, DG_CHOSEN);
        copy[0].current = true; /* but a whole one is not contradicted by a damaged one */
        dg_choose(&chunk, 6, 1, &v);
        ck_assert_int_eq(v.copy, 0);
        ck_assert_int_eq(v.certainty, DG_CERTAIN);
}
END_TEST

static struct dg_piece piece[DG_BLOCKS];

static size_t pieces(uint32_t blocks, enum dg_mix how, bool others)
{
        size_t n = dg_pieces(&chunk, blocks, how, others, piece);
        uint32_t next = 0;

        for (size_t i = 0; i < n; i++) {
                ck_assert_uint_eq(piece[i].first, next);
                ck_assert_uint_gt(piece[i].count, 0);
                next += piece[i].count;
        }
        ck_assert_uint_eq(next, blocks);
        return n;
}

/* How many combinations the pieces give. */
static uint64_t combinations(uint32_t blocks, enum dg_mix how, bool others)
{
        struct dg_cost cost = { .states = 1 };

        dg_cost_add(&cost, piece, pieces(blocks, how, others), (uint64_t)blocks * DG_BLOCK);
        return cost.states;
}

START_TEST(mixes)
{
        struct dg_cost cost = { .states = 1 };

        fresh(2, 40, false);
        ck_assert_uint_eq(pieces(40, DG_MIX_RUNS, true), 1);
        ck_assert_uint_eq(combinations(40, DG_MIX_CHUNKS, true), 1);
        /* Two runs that were lost in one copy, one in the other, the last two side by side. */
        lose(0, 3, 2);
        lose(0, 20, 1);
        lose(1, 21, 4);
        ck_assert_uint_eq(pieces(40, DG_MIX_RUNS, false), 6);
        ck_assert_uint_eq(piece[1].options, 2);
        ck_assert_uint_eq(piece[1].with[0], 1);
        ck_assert_uint_eq(piece[1].with[1], 2);
        ck_assert_uint_eq(combinations(40, DG_MIX_RUNS, false), 8);
        ck_assert_uint_eq(combinations(40, DG_MIX_BLOCKS, false), 128);
        ck_assert_uint_eq(combinations(40, DG_MIX_CHUNKS, false), 2);
        ck_assert_uint_eq(pieces(40, DG_MIX_CHUNKS, false), 3);
        ck_assert_uint_eq(piece[1].first, 3);
        ck_assert_uint_eq(piece[1].count, 22);
        ck_assert_uint_eq(combinations(40, DG_MIX_DATA, false), 1);
        ck_assert_uint_eq(pieces(40, DG_MIX_DATA, false), 6);
        ck_assert(piece[1].left_out);
        ck_assert_uint_eq(piece[1].with[0], 2);
        /* A block that is damaged in one copy is no choice; a file that ends before it has fewer. */
        copy[0].seen[20] = DG_BAD;
        ck_assert_uint_eq(combinations(40, DG_MIX_RUNS, false), 4);
        ck_assert_uint_eq(combinations(20, DG_MIX_RUNS, false), 2);
        copy[1].seen[20] = DG_BAD;
        dg_cost_add(&cost, piece, pieces(40, DG_MIX_RUNS, false), 40 * DG_BLOCK);
        ck_assert_uint_eq(cost.unreadable, 1);

        /* Three contents; copies of another version only when asked for. */
        fresh(3, 10, false);
        copy[0].crc[5] = 1;
        copy[1].crc[5] = 2;
        ck_assert_uint_eq(combinations(10, DG_MIX_RUNS, false), 3);
        copy[1].current = false;
        ck_assert_uint_eq(combinations(10, DG_MIX_RUNS, false), 2);
        ck_assert_uint_eq(combinations(10, DG_MIX_RUNS, true), 3);
        /* 5 blocks once, one block in three ways, and what follows for each of them. */
        cost = (struct dg_cost){ .states = 1 };
        dg_cost_add(&cost, piece, pieces(10, DG_MIX_RUNS, true), 9 * DG_BLOCK + 7);
        ck_assert_uint_eq(cost.bytes, 5 * DG_BLOCK + 3 * (4 * DG_BLOCK + 7));
        ck_assert_uint_eq(cost.points, 1);

        /* More than can be counted. */
        fresh(2, DG_BLOCKS, false);
        for (uint32_t b = 0; b < DG_BLOCKS; b += 2)
                copy[b / 2 % 2].crc[b] ^= 1;
        ck_assert_uint_eq(combinations(DG_BLOCKS, DG_MIX_RUNS, false), UINT64_MAX);
        cost = (struct dg_cost){ .states = 1 };
        dg_cost_add(&cost, piece, pieces(DG_BLOCKS, DG_MIX_BLOCKS, false), ROMA_MFS_CHUNK_SIZE);
        ck_assert_uint_eq(cost.bytes, UINT64_MAX);
        ck_assert_uint_eq(cost.points, 512);
}
END_TEST

START_TEST(pictures)
{
        char row[65];

        fresh(2, 40, false);
        copy[1].blocks = 30;
        lose(1, 30, 10);
        lose(1, 3, 1);
        copy[0].seen[7] = DG_BAD;
        copy[0].crc[9] = copy[1].crc[9] = DG_EMPTY;
        dg_picture(&chunk, 0, 40, row, 40);
        ck_assert_str_eq(row, "###D###!#.####################DDDDDDDDDD");
        dg_picture(&chunk, 1, 40, row, 40);
        ck_assert_str_eq(row, "###z#####.####################----------");
        dg_picture(&chunk, 1, 40, row, 8);
        ck_assert_str_eq(row, "z#####--");
        dg_picture(&chunk, 0, 1, row, 1);
        ck_assert_str_eq(row, "#");
        /* What was not read is not called the same, and what the tables say against it is worse. */
        copy[1].seen[3] = copy[1].seen[4] = DG_AWAY;
        dg_picture(&chunk, 1, 5, row, 5);
        ck_assert_str_eq(row, "###z?");
}
END_TEST

/* ---- chunk files ------------------------------------------------------------------------------------------ */

enum { CF_BLOCKS = 3, CF_SIZE = 8192 + CF_BLOCKS * DG_BLOCK };
static unsigned char cf_bytes[CF_SIZE];
static struct dg_chunkfile cf;

static int from_memory(void *arg, void *buf, size_t len, uint64_t offset)
{
        const size_t *size = arg;

        if (offset > *size || len > *size - offset)
                return -1;
        memcpy(buf, cf_bytes + offset, len);
        return 0;
}

static void put32(size_t at, uint32_t v)
{
        for (unsigned i = 0; i < 4; i++)
                cf_bytes[at + i] = (unsigned char)(v >> (24 - 8 * i));
}

static void make_file(void)
{
        memset(cf_bytes, 0, sizeof(cf_bytes));
        memcpy(cf_bytes, "MFSC 1.0", 8);
        put32(12, 0x12);
        put32(16, 7);
        for (size_t i = 8192; i < CF_SIZE; i++)
                cf_bytes[i] = (unsigned char)(i * 11 + i / 777);
        for (uint32_t b = 0; b < DG_BLOCKS; b++)
                put32(4096 + 4 * b,
                      b < CF_BLOCKS ? dg_crc(cf_bytes + 8192 + b * DG_BLOCK, DG_BLOCK) : DG_EMPTY);
}

static unsigned check_file(size_t size)
{
        dg_chunkfile("chunk_0000000000000012_00000007.mfs", size, from_memory, &size, &cf);
        return cf.problems;
}

START_TEST(chunk_files)
{
        make_file();
        ck_assert_uint_eq(check_file(CF_SIZE), 0);
        ck_assert_uint_eq(cf.id, 0x12);
        ck_assert_uint_eq(cf.version, 7);
        ck_assert_uint_eq(cf.blocks, CF_BLOCKS);
        cf_bytes[8192 + DG_BLOCK + 500] ^= 64;
        ck_assert_uint_eq(check_file(CF_SIZE), DG_CF_BLOCK);
        ck_assert_int_eq(cf.bit[1], 500 * 8 + 6);
        ck_assert_uint_eq(cf.bad, 1);
        make_file();
        cf_bytes[15] = 3;
        ck_assert_uint_eq(check_file(CF_SIZE), DG_CF_NAME_ID);
        make_file();
        cf_bytes[0] = 'X';
        cf_bytes[100] = 1;
        ck_assert_uint_eq(check_file(CF_SIZE), DG_CF_SIGNATURE | DG_CF_HEADER);
        make_file();
        ck_assert_uint_eq(check_file(8192 + DG_BLOCK + 777), DG_CF_SIZE | DG_CF_BLOCK | DG_CF_TABLE);
        ck_assert_uint_eq(cf.rest, 777);
        ck_assert(check_file(0) & DG_CF_EMPTY);
        ck_assert(check_file(5000) & DG_CF_EMPTY);
        for (size_t n = 0; n < 9000; n += 61)
                check_file(n);
}
END_TEST

/* Each block of a chunk is in one data part, at one place; the checksum parts have the same length. */
START_TEST(part_places)
{
        static const uint8_t base[] = { 0x10, 0x20 };

        for (unsigned i = 0; i < 2; i++) {
                unsigned seen[DG_BLOCKS] = { 0 }, data = 4u << i;
                struct dg_part part;
                for (uint8_t n = 0; n < data; n++) {
                        ck_assert(dg_part((uint8_t)(base[i] + n), &part));
                        ck_assert(!part.checksum && !part.exclusive);
                        ck_assert_uint_eq(part.data, data);
                        ck_assert_uint_eq(part.number, n);
                        ck_assert_uint_eq(dg_part_blocks(&part) * data, DG_BLOCKS);
                        for (uint32_t b = 0; b < dg_part_blocks(&part); b++) {
                                uint32_t at = dg_part_place(&part, b);
                                ck_assert_uint_lt(at, DG_BLOCKS);
                                ck_assert_int_eq(dg_part_find(&part, at), b);
                                seen[at]++;
                        }
                        for (uint32_t b = 0; b < DG_BLOCKS; b++)
                                ck_assert((dg_part_find(&part, b) >= 0) == (b / 4 % data == n));
                }
                for (uint32_t b = 0; b < DG_BLOCKS; b++)
                        ck_assert_uint_eq(seen[b], 1);
                for (uint8_t n = 0; n < 9; n++) {
                        ck_assert(dg_part((uint8_t)(base[i] + data + n), &part));
                        ck_assert(part.checksum && part.exclusive == !n && part.number == n);
                }
                ck_assert(!dg_part((uint8_t)(base[i] + data + 9), &part));
        }
        /* Of 4 the third: x = ((o >> 18) << 20) | 2 << 18 | (o & 0x3FFFF). */
        struct dg_part third;
        ck_assert(dg_part(0x12, &third));
        ck_assert_uint_eq(dg_part_place(&third, 0), 8);
        ck_assert_uint_eq(dg_part_place(&third, 7), 27);
        ck_assert_uint_eq(dg_part_place(&third, 255), 1019);
        ck_assert(!dg_part(0, &third) && !dg_part(1, &third) && !dg_part(0x31, &third) &&
                  !dg_part(0xFF, &third));
}
END_TEST

static unsigned check_named(const char *name, size_t size)
{
        dg_chunkfile(name, size, from_memory, &size, &cf);
        return cf.problems;
}

START_TEST(part_files)
{
        make_file();
        cf_bytes[8] = 0x13;
        ck_assert_uint_eq(check_named("chunk_1300000000000012_00000007.mfs", CF_SIZE), 0);
        ck_assert_uint_eq(cf.part, 0x13);
        ck_assert_uint_eq(check_named("of-unknown-origin", CF_SIZE), 0);
        ck_assert_uint_eq(cf.part, 0x13);
        /* The name says a whole chunk, the header a part. */
        ck_assert_uint_eq(check_file(CF_SIZE), DG_CF_NAME_ID | DG_CF_PART);
        /* The other way round. */
        make_file();
        ck_assert_uint_eq(check_named("chunk_1300000000000012_00000007.mfs", CF_SIZE),
                          DG_CF_NAME_ID | DG_CF_PART);
        /* Another chunk, and no part: as before. */
        ck_assert_uint_eq(check_named("chunk_0000000000000013_00000007.mfs", CF_SIZE), DG_CF_NAME_ID);
        ck_assert_uint_eq(cf.part, 0);
        /* No such part. */
        cf_bytes[8] = 0x1D;
        ck_assert_uint_eq(check_named("chunk_1D00000000000012_00000007.mfs", CF_SIZE), DG_CF_PART);
        /* The name alone is left. */
        ck_assert(!(check_named("chunk_2000000000000012_00000007.mfs", 0) & DG_CF_PART));
        ck_assert_uint_eq(cf.part, 0x20);
}
END_TEST

/* A part of 8 has 128 blocks, one of 4 twice as many. */
static int zeros_of_part(void *arg, void *buf, size_t len, uint64_t offset)
{
        const unsigned char *part = arg;

        memset(buf, 0, len);
        if (!offset) {
                memcpy(buf, "MFSC 1.1", 8);
                ((unsigned char *)buf)[8] = *part;
        } else if (offset == 4096 && len == 4096) {
                for (size_t i = 0; i < len; i += 4)
                        memcpy((char *)buf + i, "\xD7\x97\x8E\xEB", 4);
        }
        return 0;
}

START_TEST(part_lengths)
{
        static const struct {
                unsigned char part;
                uint32_t most;
        } cases[] = { { 0x00, 1024 }, { 0x11, 256 }, { 0x14, 256 }, { 0x27, 128 }, { 0x28, 128 } };

        for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
                unsigned char part = cases[i].part;
                uint64_t size = 8192 + (uint64_t)cases[i].most * DG_BLOCK;
                dg_chunkfile(NULL, size, zeros_of_part, &part, &cf);
                ck_assert_uint_eq(cf.problems, 0);
                ck_assert_uint_eq(cf.blocks, cases[i].most);
                dg_chunkfile(NULL, size + DG_BLOCK, zeros_of_part, &part, &cf);
                ck_assert_uint_eq(cf.problems, part ? DG_CF_PART : DG_CF_SIZE);
        }
}
END_TEST

int main(void)
{
        Suite *s = suite_create("diagnose");
        TCase *t = tcase_create("tables");
        SRunner *r = srunner_create(s);
        int failed;

        tcase_add_test(t, crcs);
        tcase_add_test(t, same);
        tcase_add_test(t, tail_of_one_copy);
        tcase_add_test(t, majority_and_original);
        tcase_add_test(t, zero_hole_and_two_sides);
        tcase_add_test(t, places);
        tcase_add_test(t, bit_by_crc);
        tcase_add_test(t, rot_and_versions);
        tcase_add_test(t, behind_the_end);
        tcase_add_test(t, room);
        tcase_add_test(t, parts);
        tcase_add_test(t, parts_and_original);
        tcase_add_test(t, parts_and_copies);
        tcase_add_test(t, bytes);
        tcase_add_test(t, shifts);
        tcase_add_test(t, causes_of_copies);
        tcase_add_test(t, causes_of_table_bits);
        tcase_add_test(t, causes_of_all);
        tcase_add_test(t, votes);
        tcase_add_test(t, mixes);
        tcase_add_test(t, pictures);
        tcase_add_test(t, chunk_files);
        tcase_add_test(t, part_places);
        tcase_add_test(t, part_files);
        tcase_add_test(t, part_lengths);
        suite_add_tcase(s, t);
        srunner_run_all(r, CK_NORMAL);
        failed = srunner_ntests_failed(r);
        srunner_free(r);
        return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
