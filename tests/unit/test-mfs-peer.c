/* SPDX-License-Identifier: MIT */
/* The MooseFS store against the peer: bytes equal on every copy, and not one rule of the protocol broken. */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <roma/roma.h>

#include "mfsproto/peer/peer.h"

static struct mfs_peer *peer;
static roma_loop *loop;
static roma_store *store;

static void start(const struct mfs_peer_cfg *cfg)
{
        char why[200];

        peer = mfs_peer_new(cfg, why, sizeof why);
        ck_assert_msg(peer != NULL, "%s", why);
        loop = roma_loop_new();
        ck_assert_ptr_nonnull(loop);
        store = roma_store_open(loop, mfs_peer_uri(peer), NULL);
        ck_assert_msg(store != NULL, "%s", roma_error(loop));
}

/* Nothing is left in the client or at the servers, and the servers have nothing to say. */
static void stop(void)
{
        struct ri_str text = RI_STR_INIT(1 << 16);
        struct mfs_peer_state state;
        roma_stats stats = { .size = sizeof stats };

        roma_store_close(store);
        roma_loop_stats(loop, &stats);
        ck_assert_uint_eq(stats.operations + stats.stores + stats.files + stats.writers + stats.readers, 0);
        ck_assert_uint_eq(stats.connections + stats.descriptors + stats.timers, 0);
        ck_assert_uint_eq(stats.buffers + stats.buffer_bytes + stats.queued_for_buffers, 0);
        roma_loop_free(loop);
        ck_assert_uint_eq(mfs_peer_diverged(peer, &text), 0);
        ck_assert_msg(mfs_peer_violations(peer, &text) == 0, "%s", ri_str_cstr(&text));
        mfs_peer_state(peer, &state);
        ck_assert_uint_eq(state.locks, 0);
        ck_assert_uint_eq(state.sessions, 0);
        ck_assert_uint_eq(state.unlinked, 0);
        ri_str_free(&text);
        mfs_peer_free(peer);
}

static uint8_t *bytes(size_t n, unsigned seed)
{
        uint8_t *p = malloc(n + 1);

        ck_assert_ptr_nonnull(p);
        for (size_t i = 0; i < n; i++)
                p[i] = (uint8_t)((seed = seed * 1103515245u + 12345u) >> 16);
        return p;
}

static void must(int result)
{
        ck_assert_msg(result == 0, "%s", roma_error(loop));
}

static void check_copies(const char *name, const uint8_t *data, size_t n, unsigned copies)
{
        struct mfs_peer_file f;
        uint8_t *back = malloc(n + 1);

        ck_assert_ptr_nonnull(back);
        ck_assert(mfs_peer_stat(peer, name, &f));
        ck_assert_uint_eq(f.length, n);
        for (unsigned i = 0; i < copies; i++) {
                ck_assert_int_eq(mfs_peer_bytes(peer, name, i, 0, back, n), (ssize_t)n);
                ck_assert_msg(!memcmp(back, data, n), "copy %u of %zu bytes differs", i, n);
        }
        free(back);
}

static void check_read(const char *name, const uint8_t *data, size_t n)
{
        roma_file *file = roma_file_open(store, name, ROMA_O_READ, 0, NULL);
        uint8_t *back = malloc(n + 1);

        ck_assert_ptr_nonnull(back);
        ck_assert_msg(file != NULL, "%s", roma_error(loop));
        ck_assert_int_eq(roma_pread(file, back, n + 1, 0, NULL), (ssize_t)n);
        ck_assert(!memcmp(back, data, n));
        must(roma_file_close(file, NULL));
        free(back);
}

static void put_and_get(const struct mfs_peer_cfg *cfg, size_t n)
{
        uint8_t *data = bytes(n, (unsigned)n + cfg->copies);

        start(cfg);
        must(roma_put(store, "f", data, n, NULL));
        check_copies("f", data, n, cfg->copies);
        check_read("f", data, n);
        stop();
        free(data);
}

static const size_t sizes[] = { 0, 1, 100, 65535, 65536, 65537, 100000, 1 << 20, (1 << 20) + 1, 10485753 };
enum { SIZES = sizeof sizes / sizeof sizes[0] };

START_TEST(test_sizes)
{
        struct mfs_peer_cfg cfg = { .servers = 3, .copies = 1 + (unsigned)_i / SIZES };

        put_and_get(&cfg, sizes[_i % SIZES]);
}
END_TEST

START_TEST(test_newest)
{
        struct mfs_peer_cfg cfg = { .servers = 3, .copies = 2, .master_version = WIRE_VER(4, 59, 2) };

        put_and_get(&cfg, sizes[_i]);
}
END_TEST

/* Disks that are slower than the network: answers are late, packets queue up. */
START_TEST(test_slow_disk)
{
        struct mfs_peer_cfg cfg = { .servers = 3, .copies = 3, .disk_ms = 10 };

        put_and_get(&cfg, (1 << 20) + 1);
}
END_TEST

START_TEST(test_chunk_border)
{
        struct mfs_peer_cfg cfg = { .servers = 3, .copies = 2 };

        put_and_get(&cfg, ((size_t)64 << 20) + 1);
}
END_TEST

START_TEST(test_overwrite)
{
        struct mfs_peer_cfg cfg = { .servers = 3, .copies = 2 };
        uint8_t *data = bytes(300000, 7);
        struct ri_str text = RI_STR_INIT(4096);

        start(&cfg);
        must(roma_put(store, "f", data, 300000, NULL));
        must(roma_put(store, "f", data + 1, 1000, NULL));
        check_copies("f", data + 1, 1000, 2);
        check_read("f", data + 1, 1000);
        ck_assert(mfs_peer_list(peer, "", &text));
        ck_assert_str_eq(ri_str_cstr(&text), "f\n");
        ri_str_free(&text);
        stop();
        free(data);
}
END_TEST

START_TEST(test_in_place)
{
        struct mfs_peer_cfg cfg = { .servers = 3, .copies = 2 };
        uint8_t *data = bytes(200000, 8), *part = bytes(70000, 9);
        roma_file *file;

        start(&cfg);
        must(roma_put(store, "f", data, 200000, NULL));
        file = roma_file_open(store, "f", ROMA_O_READ | ROMA_O_WRITE, 0, NULL);
        ck_assert_msg(file != NULL, "%s", roma_error(loop));
        ck_assert_int_eq(roma_pwrite(file, part, 70000, 60000, NULL), 70000);
        memcpy(data + 60000, part, 70000);
        must(roma_fsync(file, NULL));
        check_copies("f", data, 200000, 2);
        must(roma_truncate(file, 100000, NULL));
        ck_assert_int_eq(roma_pwrite(file, part, 100, 150000, NULL), 100);
        memset(data + 100000, 0, 50000);
        memcpy(data + 150000, part, 100);
        must(roma_file_close(file, NULL));
        check_copies("f", data, 150100, 2);
        check_read("f", data, 150100);
        stop();
        free(part);
        free(data);
}
END_TEST

/* A request that the master keeps for a while, and a session that is taken up on a new connection. */
START_TEST(test_reconnect)
{
        struct mfs_peer_cfg cfg = { .servers = 2, .copies = 2 };
        uint8_t *data = bytes(100000, 10);
        char why[200];

        start(&cfg);
        must(roma_put(store, "f", data, 100000, NULL));
        ck_assert(mfs_peer_script(peer, "master CLTOMA_FUSE_LOOKUP 1 close", why, sizeof why));
        must(roma_stat(store, "nothing-of-it/f", 0, NULL, NULL) == 0 ? -1 : 0);
        check_read("f", data, 100000);
        ck_assert_uint_eq(mfs_peer_fired(peer), 1);
        stop();
        free(data);
}
END_TEST

static int64_t mtime_of(const char *name)
{
        roma_attr attr = ROMA_ATTR_INIT;

        must(roma_stat(store, name, 0, NULL, &attr));
        return attr.mtime_ns;
}

/* A time that is set by name, while a write of ours that has ended still holds its lock and has not told its own. */
START_TEST(test_time_by_name)
{
        struct mfs_peer_cfg cfg = { .servers = 2, .copies = 2 };
        const int64_t past = INT64_C(1000000000) * 1000000000;
        roma_attr attr = ROMA_ATTR_INIT;
        uint8_t *data = bytes(1000, 11);
        roma_file *file;
        roma_op busy;

        start(&cfg);
        must(roma_put(store, "f", data, 1000, NULL));
        file = roma_file_open(store, "f", ROMA_O_READ | ROMA_O_WRITE, 0, NULL);
        ck_assert_msg(file != NULL, "%s", roma_error(loop));
        busy = roma_aio_sleep(loop, 60000, NULL, NULL); /* the loop has more to do: no hurry with the lock */
        ck_assert_int_eq(roma_pwrite(file, data, 500, 100, NULL), 500);
        attr.mask = ROMA_ATTR_MTIME;
        attr.mtime_ns = past;
        must(roma_setattr(store, "f", &attr, 0, NULL));
        ck_assert_int_eq(mtime_of("f"), past);
        must(roma_file_close(file, NULL));
        roma_cancel(loop, busy);
        ck_assert_int_eq(mtime_of("f"), past);
        stop();
        free(data);
}
END_TEST

/* The ETag that a put gives is the one that the object has from then on, also when the second is over before it has its
 * name. */
START_TEST(test_etag_of_a_put)
{
        struct mfs_peer_cfg cfg = { .servers = 2, .copies = 2 };
        roma_put_opts opts = ROMA_PUT_OPTS_INIT;
        roma_attr attr = ROMA_ATTR_INIT;
        char why[200], etag[80];

        start(&cfg);
        ck_assert(mfs_peer_script(
                peer, _i ? "master CLTOMA_FUSE_LINK 1 delay 1100" : "master CLTOMA_FUSE_RENAME 1 delay 1100",
                why, sizeof why));
        opts.precondition = _i ? ROMA_IF_ABSENT : 0;
        must(roma_put(store, "f", "x", 1, &opts));
        ck_assert_uint_eq(mfs_peer_fired(peer), 1);
        ck_assert(roma_last(loop)->attr != NULL);
        snprintf(etag, sizeof etag, "%s", roma_last(loop)->attr->etag);
        must(roma_stat(store, "f", 0, NULL, &attr));
        ck_assert_str_eq(etag, attr.etag);
        stop();
}
END_TEST

/* A master that gives a folder in pieces, although all was asked for. */
START_TEST(test_folder_in_pieces)
{
        struct mfs_peer_cfg cfg = {
                .servers = 2, .copies = 1, .master_version = WIRE_VER(4, 59, 2), .readdir_most = 7
        };
        roma_list_opts opts = ROMA_LIST_OPTS_INIT;
        char key[20];

        start(&cfg);
        must(roma_mkdir(store, "d", 0755, 0, NULL));
        for (int i = 0; i < 40; i++) {
                snprintf(key, sizeof key, "d/%02d", i);
                must(roma_put(store, key, "x", 1, NULL));
        }
        must(roma_list_page(store, "d/", &opts));
        ck_assert_uint_eq(roma_last(loop)->list->count, 40);
        for (size_t i = 0; i < 40; i++) {
                snprintf(key, sizeof key, "d/%02zu", i);
                ck_assert_str_eq(roma_last(loop)->list->entry[i].key, key);
        }
        stop();
}
END_TEST

/* A removal past the trash that is refused, or given up, leaves the file as it was. */
START_TEST(test_removal_refused)
{
        struct mfs_peer_cfg cfg = { .servers = 2, .copies = 1 };
        roma_opts opts = ROMA_OPTS_INIT;
        struct mfs_peer_file f;
        char why[200];

        start(&cfg);
        must(roma_put(store, "f", "x", 1, NULL));
        ck_assert(mfs_peer_stat(peer, "f", &f));
        ck_assert_uint_eq(f.retention, 86400);
        ck_assert(mfs_peer_script(
                peer, _i ? "master CLTOMA_FUSE_UNLINK 1 drop" : "master CLTOMA_FUSE_UNLINK 1 status 1", why,
                sizeof why));
        opts.deadline_ms = 500;
        ck_assert_int_lt(roma_unlink(store, "f", ROMA_UNLINK_NO_TRASH, &opts), 0);
        ck_assert_int_eq(roma_last(loop)->code, _i ? ROMA_ETIMEDOUT : ROMA_EACCES);
        must(roma_stat(store, "f", 0, NULL, NULL)); /* it is answered behind what was sent before */
        ck_assert(mfs_peer_stat(peer, "f", &f));
        ck_assert_uint_eq(f.retention, 86400);
        must(roma_unlink(store, "f", ROMA_UNLINK_NO_TRASH, NULL));
        ck_assert(!mfs_peer_stat(peer, "f", &f));
        stop();
}
END_TEST

/* A master that does not know how to reserve room would cut the file instead: it is not even asked. */
START_TEST(test_append_to_an_old_master)
{
        struct mfs_peer_cfg cfg = { .servers = 2, .copies = 1, .master_version = WIRE_VER(3, 0, 100) };
        uint8_t *data = bytes(1000, 12);
        roma_file *file;

        start(&cfg);
        must(roma_put(store, "f", data, 1000, NULL));
        file = roma_file_open(store, "f", ROMA_O_READ | ROMA_O_WRITE, 0, NULL);
        ck_assert_msg(file != NULL, "%s", roma_error(loop));
        ck_assert_int_lt(roma_append(file, "x", 1, NULL), 0);
        ck_assert_int_eq(roma_last(loop)->code, ROMA_ENOTSUP);
        ck_assert_uint_eq(mfs_peer_count(peer, 0, WIRE_CLTOMA_FUSE_TRUNCATE), 0);
        must(roma_file_close(file, NULL));
        check_read("f", data, 1000);
        stop();
        free(data);
}
END_TEST

static Suite *suite(void)
{
        Suite *s = suite_create("mfs-peer");
        TCase *t = tcase_create("bytes");

        tcase_set_timeout(t, 120);
        tcase_add_loop_test(t, test_sizes, 0, 3 * SIZES);
        tcase_add_loop_test(t, test_newest, 0, SIZES);
        tcase_add_test(t, test_slow_disk);
        tcase_add_test(t, test_chunk_border);
        tcase_add_test(t, test_overwrite);
        tcase_add_test(t, test_in_place);
        tcase_add_test(t, test_reconnect);
        tcase_add_test(t, test_time_by_name);
        tcase_add_test(t, test_folder_in_pieces);
        tcase_add_test(t, test_append_to_an_old_master);
        tcase_add_loop_test(t, test_removal_refused, 0, 2);
        tcase_add_loop_test(t, test_etag_of_a_put, 0, 2);
        suite_add_tcase(s, t);
        return s;
}

int main(void)
{
        SRunner *r = srunner_create(suite());
        int failed;

        srunner_run_all(r, CK_ENV);
        failed = srunner_ntests_failed(r);
        srunner_free(r);
        return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
