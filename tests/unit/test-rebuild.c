/* SPDX-License-Identifier: MIT */
/* From where a block of an erasure coded chunk is taken, whatever parts of it are missing, damaged, cut off or old. */
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "tools/diagnose/diagnose.h"

enum { PARTS = 10 /* and room for a whole copy */ };

static struct dg_chunk chunk;
static struct dg_copy part[PARTS];
static struct dg_source got;
static unsigned data; /* 4 or 8; part[data] is the checksum part */

static uint32_t content(uint32_t block)
{
        return (block + 1) * 2654435761u ^ (block + 1) * (block + 1) * 40503u;
}

/* A chunk of which `blocks` blocks are stored: whole units in each part, as MooseFS makes them. */
static void fresh(unsigned n, uint32_t blocks)
{
        uint32_t units = (blocks + 3) / 4;

        data = n;
        memset(&chunk, 0, sizeof(chunk));
        memset(part, 0, sizeof(part));
        chunk.copies = data + 1;
        chunk.copy = part;
        for (unsigned p = 0; p <= data; p++) {
                part[p].usable = part[p].current = true;
                part[p].part = (uint8_t)((data == 8 ? 0x20 : 0x10) + p);
                part[p].blocks = (units + data - 1 - p % data) / data * 4;
                for (uint32_t b = 0; b < DG_BLOCKS; b++)
                        part[p].crc[b] = DG_EMPTY;
        }
        for (uint32_t b = 0; b < DG_BLOCKS; b++) {
                struct dg_part at = { .data = data, .number = b / 4 % data };

                chunk.want[b] = b < blocks ? content(b) : DG_EMPTY;
                part[at.number].crc[dg_part_find(&at, b)] = chunk.want[b];
                part[data].crc[dg_part_find(&at, b)] ^= chunk.want[b] ^ DG_EMPTY;
        }
}

/* The first block of unit `unit` of data part `number`. */
static uint32_t place(unsigned number, uint32_t unit)
{
        return (unit * data + number) * 4;
}

static enum dg_certainty choose(uint32_t block)
{
        dg_choose_part(&chunk, block, 0, &got);
        return got.certainty;
}

static bool is_from(size_t copy)
{
        return got.n == 1 && got.copy[0] == copy;
}

/* All but this one. */
static bool is_computed_for(size_t copy)
{
        for (unsigned i = 0; i < got.n; i++)
                if (got.copy[i] == copy)
                        return false;
        return got.n == data;
}

static bool is_right(uint32_t block)
{
        return got.crc == chunk.want[block];
}

START_TEST(whole)
{
        for (unsigned n = 4; n <= 8; n += 4) {
                fresh(n, 700);
                for (uint32_t b = 0; b < DG_BLOCKS; b++) {
                        ck_assert_int_eq(choose(b), DG_CERTAIN);
                        ck_assert(is_right(b) && is_from(b / 4 % n));
                        ck_assert_uint_eq(got.block, b / 4 / n * 4 + b % 4);
                        ck_assert_ptr_null(got.reason);
                }
                chunk.has_want = true;
                ck_assert_int_eq(choose(699), DG_CERTAIN);
        }
}
END_TEST

/* Any one part may be gone, and any block of each, when these are not beside each other. */
START_TEST(one_is_missing)
{
        for (unsigned n = 4; n <= 8; n += 4)
                for (unsigned p = 0; p <= n; p++) {
                        fresh(n, DG_BLOCKS);
                        part[p].usable = false;
                        for (uint32_t b = 0; b < DG_BLOCKS; b++) {
                                ck_assert_int_eq(choose(b), DG_CERTAIN);
                                ck_assert(is_right(b));
                                ck_assert(b / 4 % n == p ? is_computed_for(p) : is_from(b / 4 % n));
                        }
                }
}
END_TEST

/* Its server gives other bytes than its table says: they come last, are never certain, and the table still counts. */
START_TEST(restless_blocks)
{
        fresh(4, DG_BLOCKS);
        part[0].seen[5] = DG_RESTLESS;
        ck_assert_int_eq(choose(place(0, 1) + 1), DG_CERTAIN);
        ck_assert(is_computed_for(0) && is_right(place(0, 1) + 1));
        ck_assert_int_eq(choose(place(1, 1) + 1), DG_CERTAIN);
        ck_assert(is_from(1));
        part[2].usable = false;
        ck_assert_int_eq(choose(place(0, 1) + 1), DG_CHOSEN);
        ck_assert(is_from(0));
        ck_assert_int_eq(choose(place(2, 1) + 1), DG_CHOSEN); /* computed from it */
        ck_assert(is_computed_for(2));
        chunk.has_want = true; /* what the table says is not what comes */
        ck_assert_int_eq(choose(place(0, 1) + 1), DG_CHOSEN);

        fresh(4, DG_BLOCKS);
        part[0].seen[5] = DG_RESTLESS;
        part[0].crc[5]++;
        ck_assert_int_eq(choose(place(0, 1) + 1), DG_CHOSEN);
        ck_assert(is_computed_for(0));

        fresh(4, DG_BLOCKS);
        part[5] = part[0]; /* the same part on another server */
        chunk.copies = 6;
        part[0].seen[5] = DG_RESTLESS;
        part[2].usable = false;
        ck_assert_int_eq(choose(place(2, 1) + 1), DG_CERTAIN);
        for (unsigned i = 0; i < got.n; i++)
                ck_assert_uint_ne(got.copy[i], 0);
        ck_assert_int_eq(choose(place(0, 1) + 1), DG_CERTAIN);
        ck_assert(is_from(5));
}
END_TEST

START_TEST(damaged_blocks)
{
        fresh(4, 1000);
        for (unsigned p = 0; p <= 4; p++)
                part[p].seen[20 + p] = DG_BAD;
        for (uint32_t b = 0; b < 1000; b++) {
                ck_assert_int_eq(choose(b), DG_CERTAIN);
                ck_assert(is_right(b));
        }
        choose(place(2, 5) + 2);
        ck_assert(is_computed_for(2));
        ck_assert_uint_eq(got.block, 22);
        part[4].seen[22] = DG_BAD;
        ck_assert_int_eq(choose(place(2, 5) + 2), DG_LOST);
        ck_assert_uint_eq(got.n, 0);
        ck_assert_uint_eq(got.crc, DG_EMPTY);
        ck_assert_ptr_nonnull(strstr(got.reason, "damaged"));
        ck_assert_int_eq(choose(place(3, 5) + 2), DG_CERTAIN);
        part[4].seen[22] = DG_AWAY;
        ck_assert_int_eq(choose(place(2, 5) + 2), DG_LOST);
        ck_assert_ptr_nonnull(strstr(got.reason, "stopped answering"));
        /* What its table said was something else: who knows which of the two is right. */
        part[4].seen[22] = DG_UNREAD;
        part[2].crc[22]++;
        ck_assert_int_eq(choose(place(2, 5) + 2), DG_CHOSEN);
        ck_assert(is_computed_for(2) && is_right(place(2, 5) + 2));
}
END_TEST

START_TEST(two_are_missing)
{
        fresh(8, 900);
        part[1].usable = part[6].usable = false;
        for (uint32_t b = 0; b < 900; b++)
                ck_assert_int_eq(choose(b), b / 4 % 8 == 1 || b / 4 % 8 == 6 ? DG_LOST : DG_CERTAIN);
        ck_assert_int_eq(choose(place(1, 0)), DG_LOST);
        ck_assert_ptr_nonnull(strstr(got.reason, "missing"));
        /* A whole copy that the master calls damaged still has its blocks. */
        chunk.copies++;
        part[9].usable = part[9].same_version = true;
        part[9].blocks = 900;
        memcpy(part[9].crc, chunk.want, sizeof(part[9].crc));
        ck_assert_int_eq(choose(place(1, 3) + 1), DG_CERTAIN);
        ck_assert(is_from(9) && is_right(place(1, 3) + 1));
        ck_assert_uint_eq(got.block, place(1, 3) + 1);
}
END_TEST

/* Parts that do not fit each other: one of five is wrong, and only an original or the master can say which. */
START_TEST(disagreement)
{
        uint32_t b;

        fresh(4, 500);
        b = place(1, 3);
        part[1].crc[12]++;
        ck_assert_int_eq(choose(b), DG_CHOSEN);
        ck_assert(is_from(1));
        ck_assert_ptr_nonnull(strstr(got.reason, "do not fit"));
        ck_assert_int_eq(choose(place(3, 3)), DG_CHOSEN);
        ck_assert_int_eq(choose(b + 1), DG_CERTAIN);
        chunk.has_want = true;
        ck_assert_int_eq(choose(b), DG_CERTAIN);
        ck_assert(is_computed_for(1) && is_right(b));
        ck_assert_int_eq(choose(place(3, 3)), DG_CERTAIN);
        ck_assert(is_from(3));
        part[1].crc[13]++;
        part[4].crc[13]++;
        part[4].crc[13]++;
        ck_assert_int_eq(choose(b + 1), DG_CHOSEN);
        ck_assert_ptr_nonnull(strstr(got.reason, "original"));
        /* The master calls that part damaged. */
        chunk.has_want = false;
        part[1].current = false;
        part[1].same_version = true;
        ck_assert_int_eq(choose(b), DG_CERTAIN);
        ck_assert(is_computed_for(1) && is_right(b));
        ck_assert_int_eq(choose(place(3, 3)), DG_CERTAIN);
        ck_assert(is_from(3));
        /* It is still good to compute with where another one is gone. */
        part[0].usable = false;
        ck_assert_int_eq(choose(place(0, 9)), DG_CERTAIN);
        ck_assert(is_computed_for(0) && is_right(place(0, 9)));
}
END_TEST

/* A lost end reads as zeros, with a fitting checksum. */
START_TEST(cut_off)
{
        fresh(4, 70 * 4);
        for (unsigned p = 0; p <= 4; p++) {
                /* 70 units: 18 in the parts 0, 1 and the checksum part, 17 in the others */
                ck_assert_uint_eq(part[p].blocks, p < 2 || p == 4 ? 72 : 68);
        }
        part[1].blocks = 20;
        for (uint32_t b = 20; b < DG_BLOCKS; b++)
                part[1].crc[b] = DG_EMPTY;
        for (uint32_t b = 0; b < DG_BLOCKS; b++) {
                choose(b);
                ck_assert(is_right(b));
                if (b / 4 % 4 == 1)
                        ck_assert_int_eq(got.certainty, DG_CERTAIN);
        }
        ck_assert(choose(place(1, 5)) == DG_CERTAIN && is_computed_for(1));
        part[4].usable = false;
        ck_assert_int_eq(choose(place(1, 4)), DG_CERTAIN);
        ck_assert_int_eq(choose(place(1, 5)), DG_LOST);
        ck_assert_int_eq(choose(place(1, 16)), DG_LOST);
        ck_assert_int_eq(choose(place(2, 16)), DG_CERTAIN);
        ck_assert_int_eq(choose(place(2, 17)), DG_CERTAIN); /* nothing shows that there is more */
        /* The last unit of part 0 must be there; zeros may be all that it had. */
        part[0].blocks = 68;
        for (uint32_t b = 68; b < 72; b++)
                part[0].crc[b] = DG_EMPTY;
        part[4].usable = true;
        ck_assert_int_eq(choose(place(0, 17)), DG_CHOSEN);
        fresh(4, 70 * 4);
        part[0].blocks = 68;
        for (uint32_t b = 68; b < 72; b++)
                part[0].crc[b] = DG_EMPTY;
        ck_assert_int_eq(choose(place(0, 17)), DG_CERTAIN);
        ck_assert(is_computed_for(0) && is_right(place(0, 17)));
        part[4].usable = false;
        ck_assert_int_eq(choose(place(0, 17)), DG_CHOSEN);
        ck_assert_ptr_nonnull(strstr(got.reason, "cut off"));
        /* Computed with a part that may have lost its end: never certain. */
        part[4].usable = true;
        part[1].usable = false;
        ck_assert_int_eq(choose(place(1, 17)), DG_CHOSEN);
        ck_assert_int_eq(choose(place(1, 16)), DG_CERTAIN);
}
END_TEST

/* A chunkserver that computes a part anew does not store zeros at its end. */
START_TEST(zeros_at_the_end)
{
        fresh(4, 80);
        for (uint32_t b = 0; b < 4; b++) {
                part[4].crc[16 + b] ^= part[0].crc[16 + b] ^ DG_EMPTY;
                part[0].crc[16 + b] = chunk.want[place(0, 4) + b] = DG_EMPTY;
        }
        part[0].blocks = 16;
        for (uint32_t b = 0; b < DG_BLOCKS; b++) {
                ck_assert_int_eq(choose(b), DG_CERTAIN);
                ck_assert(is_right(b));
        }
}
END_TEST

START_TEST(old_parts)
{
        fresh(4, 400);
        part[2].current = false;
        part[2].crc[7] = 1;
        ck_assert_int_eq(choose(place(2, 1) + 3), DG_CERTAIN);
        ck_assert(is_computed_for(2) && is_right(place(2, 1) + 3));
        part[0].usable = false;
        ck_assert_int_eq(choose(place(2, 1) + 3), DG_CHOSEN);
        ck_assert(is_from(2));
        ck_assert_int_eq(choose(place(0, 1)), DG_LOST);
}
END_TEST

/* A server that had an error just now is spared when others have the same bytes. */
START_TEST(avoided)
{
        fresh(4, 400);
        dg_choose_part(&chunk, place(0, 3), 1, &got);
        ck_assert(got.certainty == DG_CERTAIN && is_computed_for(0));
        dg_choose_part(&chunk, place(0, 3), 1 | 1 << 4, &got);
        ck_assert(got.certainty == DG_CERTAIN && is_from(0));
        dg_choose_part(&chunk, place(1, 3), 1, &got);
        ck_assert(is_from(1));
        part[0].seen[12] = DG_BAD;
        dg_choose_part(&chunk, place(0, 3), 1 << 2, &got);
        ck_assert(got.certainty == DG_CERTAIN && is_computed_for(0));
        /* A part that is there twice. */
        chunk.copies++;
        part[5] = part[3];
        dg_choose_part(&chunk, place(3, 3), 1 << 3, &got);
        ck_assert(got.certainty == DG_CERTAIN && is_from(5));
}
END_TEST

int main(void)
{
        Suite *s = suite_create("rebuild");
        TCase *t = tcase_create("rebuild");
        SRunner *r;
        int failed;

        tcase_set_timeout(t, 60);
        tcase_add_test(t, whole);
        tcase_add_test(t, one_is_missing);
        tcase_add_test(t, restless_blocks);
        tcase_add_test(t, damaged_blocks);
        tcase_add_test(t, two_are_missing);
        tcase_add_test(t, disagreement);
        tcase_add_test(t, cut_off);
        tcase_add_test(t, zeros_at_the_end);
        tcase_add_test(t, old_parts);
        tcase_add_test(t, avoided);
        suite_add_tcase(s, t);
        r = srunner_create(s);
        srunner_run_all(r, CK_ENV);
        failed = srunner_ntests_failed(r);
        srunner_free(r);
        return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
