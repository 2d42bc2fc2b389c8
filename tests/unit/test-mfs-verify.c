/* SPDX-License-Identifier: MIT */
/* The chunk map, single copies, and the comparison of all copies with their source, against the peer. */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <roma/mfs.h>
#include <roma/roma.h>

#include "core/backend.h"
#include "core/crc.h"
#include "mfsproto/peer/peer.h"

enum { LENGTH = 300000, BLOCKS = 5 };

static struct mfs_peer *peer;
static roma_loop *loop;
static roma_store *store;
static unsigned char data[BLOCKS * ROMA_MFS_BLOCK_SIZE];
static uint32_t crcs[2 * ROMA_MFS_BLOCKS];

static void start(void)
{
        struct mfs_peer_cfg cfg = { .servers = 3, .copies = 2 };
        char why[200];

        for (size_t i = 0; i < LENGTH; i++)
                data[i] = (unsigned char)(i * 31 + i / 777 + 1);
        peer = mfs_peer_new(&cfg, why, sizeof(why));
        ck_assert_msg(peer != NULL, "%s", why);
        ck_assert(mfs_peer_plant(peer, "file", data, LENGTH));
        loop = roma_loop_new();
        store = roma_store_open(loop, mfs_peer_uri(peer), NULL);
        ck_assert_msg(store != NULL, "%s", roma_error(loop));
        for (unsigned i = 0; i < BLOCKS; i++)
                crcs[i] = ri_crc32(0, data + (size_t)i * ROMA_MFS_BLOCK_SIZE, ROMA_MFS_BLOCK_SIZE);
}

static void stop(void)
{
        roma_stats stats = { .size = sizeof(stats) };
        struct ri_str text = RI_STR_INIT(1 << 16);

        roma_store_close(store);
        roma_loop_stats(loop, &stats);
        ck_assert_uint_eq(stats.operations + stats.stores + stats.connections + stats.timers, 0);
        roma_loop_free(loop);
        ck_assert_msg(mfs_peer_violations(peer, &text) == 0, "%s", ri_str_cstr(&text));
        ri_str_free(&text);
        mfs_peer_free(peer);
}

static int verify(uint64_t length, size_t n)
{
        struct ri_wait w;

        ck_assert_int_eq(ri_wait_begin(&w, loop), 0);
        return ri_wait(&w, ri_aio_verify_replicas(store, "file", length, crcs, n, NULL, ri_wait_done, &w));
}

START_TEST(map_and_copies)
{
        roma_mfs_map *map;
        roma_mfs_crcs table;
        roma_mfs_place place;
        unsigned char back[1000];

        start();
        map = roma_mfs_chunks(store, "file", NULL);
        ck_assert_msg(map != NULL, "%s", roma_error(loop));
        ck_assert_uint_eq(map->length, LENGTH);
        ck_assert_uint_eq(map->chunks, 1);
        ck_assert_uint_eq(map->chunk[0].copies, 2);
        ck_assert_msg(roma_mfs_settled(store, map->inode, 0, NULL, &place) == 0, "%s", roma_error(loop));
        ck_assert_uint_eq(place.id, map->chunk[0].id);
        ck_assert_uint_eq(place.version, map->chunk[0].version);
        ck_assert_uint_eq(place.length, LENGTH);
        ck_assert_int_eq(roma_mfs_settled(store, 4711, 0, NULL, &place), -1);
        ck_assert_int_eq(roma_last(loop)->code, ROMA_ENOENT);
        for (size_t i = 0; i < 2; i++) {
                const roma_mfs_copy *c = &map->chunk[0].copy[i];

                ck_assert_int_eq(roma_mfs_replica_crcs(store, c, map->chunk[0].id, map->chunk[0].version,
                                                       NULL, &table),
                                 0);
                ck_assert_uint_eq(table.blocks, BLOCKS);
                ck_assert_mem_eq(table.crc, crcs, BLOCKS * sizeof(crcs[0]));
                ck_assert_uint_eq(table.crc[BLOCKS], ROMA_MFS_EMPTY_CRC);
                ck_assert_int_eq(roma_mfs_replica_read(store, c, map->chunk[0].id, map->chunk[0].version,
                                                       back, sizeof(back), 65000, NULL),
                                 sizeof(back));
                ck_assert_mem_eq(back, data + 65000, sizeof(back));
                ck_assert_int_eq(roma_mfs_replica_crcs(store, c, 0xABCDEF, 0, NULL, &table), -1);
                ck_assert_int_eq(roma_last(loop)->code, ROMA_ENOENT);
                ck_assert_int_eq(roma_mfs_replica_read(store, c, map->chunk[0].id, map->chunk[0].version + 3,
                                                       back, 1, 0, NULL),
                                 -1);
                ck_assert_int_eq(roma_last(loop)->code, ROMA_ENOENT);
                ck_assert_int_eq(roma_mfs_replica_read(store, c, map->chunk[0].id, 0, back, 2,
                                                       ROMA_MFS_CHUNK_SIZE - 1, NULL),
                                 -1);
                ck_assert_int_eq(roma_last(loop)->code, ROMA_EINVAL);
        }
        roma_mfs_map_unref(map);
        ck_assert_ptr_null(roma_mfs_chunks(store, "", NULL));
        ck_assert_int_eq(roma_last(loop)->code, ROMA_EISDIR);
        stop();
}
END_TEST

/* The good bytes in front of a damaged block are given, and counted. */
START_TEST(a_damaged_copy_is_read_up_to_the_damage)
{
        unsigned char *back = calloc(1, LENGTH);
        roma_mfs_map *map;
        unsigned damaged = 0;

        start();
        ck_assert_ptr_nonnull(back);
        ck_assert(mfs_peer_rot(peer, "file", 1, 2 * ROMA_MFS_BLOCK_SIZE + 5));
        map = roma_mfs_chunks(store, "file", NULL);
        ck_assert_msg(map != NULL, "%s", roma_error(loop));
        for (size_t i = 0; i < map->chunk[0].copies; i++) {
                int64_t n = roma_mfs_replica_read(store, &map->chunk[0].copy[i], map->chunk[0].id,
                                                  map->chunk[0].version, back, LENGTH, 0, NULL);

                ck_assert_mem_eq(back, data, (size_t)n);
                if (n == LENGTH)
                        continue;
                damaged++;
                ck_assert_int_eq(n, 2 * ROMA_MFS_BLOCK_SIZE);
                ck_assert_int_eq(roma_last(loop)->code, ROMA_ECORRUPT);
                ck_assert_int_eq(roma_last(loop)->server_status, 29);
        }
        ck_assert_uint_eq(damaged, 1);
        roma_mfs_map_unref(map);
        free(back);
        stop();
}
END_TEST

START_TEST(copies_agree_or_not)
{
        start();
        ck_assert_msg(verify(LENGTH, BLOCKS) == 0, "%s", roma_error(loop));
        ck_assert_str_eq(roma_last(loop)->text, "1 chunks, 2 copies agree with the source");
        crcs[3] ^= 1;
        ck_assert_int_eq(verify(LENGTH, BLOCKS), -1);
        ck_assert_int_eq(roma_last(loop)->code, ROMA_ECORRUPT);
        ck_assert_ptr_nonnull(strstr(roma_error(loop), "the first is block 3"));
        crcs[3] ^= 1;
        ck_assert_int_eq(verify(LENGTH + 1, BLOCKS), -1);
        ck_assert_int_eq(roma_last(loop)->code, ROMA_ECORRUPT);
        stop();
}
END_TEST

/* A hole stands for zeros, and for nothing else. */
START_TEST(holes_are_zeros)
{
        uint64_t at = ROMA_MFS_CHUNK_SIZE;
        roma_file *f;

        start();
        f = roma_file_open(store, "file", ROMA_O_WRITE | ROMA_O_TRUNC, 0, NULL);
        ck_assert_ptr_nonnull(f);
        ck_assert_int_eq(roma_pwrite(f, data, ROMA_MFS_BLOCK_SIZE, at, NULL), ROMA_MFS_BLOCK_SIZE);
        ck_assert_int_eq(roma_file_close(f, NULL), 0);
        for (unsigned i = 0; i < ROMA_MFS_BLOCKS; i++)
                crcs[i] = ROMA_MFS_EMPTY_CRC;
        crcs[ROMA_MFS_BLOCKS] = ri_crc32(0, data, ROMA_MFS_BLOCK_SIZE);
        ck_assert_msg(verify(at + ROMA_MFS_BLOCK_SIZE, ROMA_MFS_BLOCKS + 1) == 0, "%s", roma_error(loop));
        crcs[77] ^= 1;
        ck_assert_int_eq(verify(at + ROMA_MFS_BLOCK_SIZE, ROMA_MFS_BLOCKS + 1), -1);
        ck_assert_ptr_nonnull(strstr(roma_error(loop), "block 77"));
        stop();
}
END_TEST

int main(void)
{
        Suite *s = suite_create("mfs-verify");
        TCase *tc = tcase_create("mfs-verify");
        SRunner *sr;
        int failed;

        tcase_set_timeout(tc, 60);
        tcase_add_test(tc, map_and_copies);
        tcase_add_test(tc, a_damaged_copy_is_read_up_to_the_damage);
        tcase_add_test(tc, copies_agree_or_not);
        tcase_add_test(tc, holes_are_zeros);
        suite_add_tcase(s, tc);
        sr = srunner_create(s);
        srunner_run_all(sr, CK_ENV);
        failed = srunner_ntests_failed(sr);
        srunner_free(sr);
        return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
