/* SPDX-License-Identifier: MIT */
/* The peer, asked with raw packets: it must be as strict as real servers, do to careless clients what those do, and
 * notice it. */
#include <check.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "core/crc.h"
#include "mfsproto/peer/peer.h"
#include "raw-client.h"

#define V3 WIRE_VER(3, 0, 117)
#define V4 WIRE_VER(4, 59, 2)

static struct mfs_peer *peer;
static struct raw ma, cs;

static void start_with(struct mfs_peer_cfg cfg)
{
        char why[200];

        peer = mfs_peer_new(&cfg, why, sizeof why);
        ck_assert_msg(peer != NULL, "%s", why);
        ma.fd = cs.fd = -1;
}

static void start(void)
{
        start_with((struct mfs_peer_cfg){ .servers = 3, .copies = 2 });
}

static void stop(void)
{
        if (ma.fd >= 0)
                raw_close(&ma);
        if (cs.fd >= 0)
                raw_close(&cs);
        mfs_peer_free(peer);
        peer = NULL;
}

static void registered(void)
{
        raw_open(&ma, mfs_peer_port(peer, 0));
        raw_register(&ma, V4);
}

static void no_violation(void)
{
        struct ri_str text = RI_STR_INIT(1 << 16);
        size_t n = mfs_peer_violations(peer, &text);

        ck_assert_msg(n == 0, "%s", ri_str_cstr(&text));
        ri_str_free(&text);
}

static void fill(uint8_t *buf, size_t n, unsigned seed)
{
        for (size_t i = 0; i < n; i++)
                buf[i] = (uint8_t)((seed = seed * 1103515245u + 12345u) >> 16);
}

static unsigned server_of(uint16_t port)
{
        for (unsigned i = 1; i <= MFS_PEER_SERVERS; i++)
                if (mfs_peer_port(peer, i) == port)
                        return i;
        return 0;
}

/* A file of one chunk, written as it should be. */
static uint32_t write_file(const char *name, const uint8_t *data, uint32_t n, bool finish)
{
        struct raw_grant g;
        uint32_t inode = raw_create(&ma, name), sent = 0;
        unsigned packets = 0;

        ck_assert_uint_eq(raw_write_chunk(&ma, inode, 0, 0, &g), 0);
        ck_assert_uint_eq(g.n, 2);
        raw_open(&cs, g.port[0]);
        raw_cs_write(&cs, &g);
        ck_assert_uint_eq(raw_cs_ack(&cs, 0), 0);
        for (; sent < n; packets++) {
                uint32_t part = n - sent < WIRE_BLOCK_SIZE ? n - sent : WIRE_BLOCK_SIZE;

                raw_cs_data(&cs, g.chunk, packets + 1, (uint16_t)packets, 0, data + sent, part);
                sent += part;
        }
        for (unsigned i = 0; i < packets; i++)
                ck_assert_uint_eq(raw_cs_ack(&cs, i + 1), 0);
        if (finish)
                raw_cs_finish(&cs, &g);
        ck_assert_uint_eq(raw_write_end(&ma, &g, n), 0);
        return inode;
}

/* ---- the master -------------------------------------------------------------------------------------------- */

START_TEST(test_register_lengths)
{
        static const struct {
                uint32_t master, declared;
                size_t len;
        } t[] = {
                { V3, WIRE_VER(1, 6, 27), 35 },
                { V3, WIRE_VER(3, 0, 71), 43 },
                { V3, WIRE_VER(3, 0, 93), 45 },
                { V3, V3, 49 },
                { V3, WIRE_VER(4, 20, 0), 49 },
                { V3, V4, 49 },
                { V4, WIRE_VER(4, 39, 0), 49 },
                { V4, WIRE_VER(4, 40, 0), 57 },
                { V4, V4, 57 },
        };

        start_with((struct mfs_peer_cfg){ .master_version = t[_i].master });
        raw_open(&ma, mfs_peer_port(peer, 0));
        ma.server = t[_i].master;
        raw_register(&ma, t[_i].declared);
        ck_assert_uint_eq(ma.len, t[_i].len);
        no_violation();
        stop();
}
END_TEST

static uint8_t reconnect(uint32_t session, uint64_t meta, size_t *len)
{
        struct wire_msg m, reply;

        raw_init(&ma, &m, WIRE_CLTOMA_FUSE_REGISTER);
        wire_set_u(&m, WF_RCODE, WIRE_REGISTER_RECONNECT);
        wire_set_u(&m, WF_SESSIONID, session);
        wire_set_u(&m, WF_VERSION, V4);
        wire_set_u(&m, WF_METAID, meta);
        raw_call(&ma, &m, &reply);
        *len = ma.len;
        return ma.buf[ma.len - 1];
}

START_TEST(test_reconnect)
{
        struct wire_msg m, reply;
        uint64_t meta;
        size_t len;
        struct mfs_peer_state state;

        start();
        raw_open(&ma, mfs_peer_port(peer, 0));
        ma.declared = V4;
        raw_init(&ma, &m, WIRE_CLTOMA_FUSE_REGISTER);
        wire_set_u(&m, WF_RCODE, WIRE_REGISTER_NEWSESSION);
        wire_set_u(&m, WF_VERSION, V4);
        wire_set_bytes(&m, WF_INFO, "x", 2);
        wire_set_bytes(&m, WF_PATH, "/", 2);
        raw_call(&ma, &m, &reply);
        meta = wire_get_u(&reply, WF_METAID);
        raw_close(&ma);
        raw_open(&ma, mfs_peer_port(peer, 0));
        ma.declared = V4;
        ck_assert_uint_eq(reconnect(1, meta + 1, &len), WIRE_STATUS_BADSESSIONID);
        ck_assert_uint_eq(len, 5);
        ck_assert_uint_eq(reconnect(7, meta, &len), WIRE_STATUS_BADSESSIONID);
        ck_assert_uint_eq(reconnect(1, meta, &len), WIRE_STATUS_OK);
        raw_init(&ma, &m, WIRE_CLTOMA_FUSE_REGISTER);
        wire_set_u(&m, WF_RCODE, WIRE_REGISTER_CLOSESESSION);
        wire_set_u(&m, WF_SESSIONID, 1);
        wire_set_u(&m, WF_METAID, meta);
        raw_call(&ma, &m, &reply);
        ck_assert(raw_is_closed(&ma, 2000));
        mfs_peer_state(peer, &state);
        ck_assert_uint_eq(state.sessions, 0);
        no_violation();
        stop();
}
END_TEST

/* Each of these costs the connection, and is written down. */
START_TEST(test_master_kills)
{
        static const struct {
                uint32_t type;
                size_t len;
                bool registered;
        } t[] = {
                { 999, 4, true },
                { 999, 4, false },
                { WIRE_CLTOMA_FUSE_LOOKUP, 12, true },
                { WIRE_CLTOMA_FUSE_GETATTR, 8, false },
                { WIRE_CLTOMA_FUSE_GETATTR, 9, true },
                { WIRE_CLTOMA_FUSE_FSYNC, 8, true },
                { WIRE_CLTOMA_FUSE_OPDATA, 28, true },
                { WIRE_CLTOMA_FUSE_WFLAGS, 1, true },
                { WIRE_CLTOMA_FUSE_WRITE_CHUNK_END, 37, true },
                { WIRE_CLTOMA_FUSE_WRITE_CHUNK_END, 28, true },
                { WIRE_CLTOMA_FUSE_CHECK, 13, true },
                { WIRE_CLTOMA_FUSE_REGISTER, 65, true },
                { WIRE_CLTOMA_FUSE_AMTIME_INODES, 11, true },
                { WIRE_MATOCL_FUSE_LOOKUP, 5, true },
        };
        uint8_t payload[100] = { 0, 0, 0, 9 };

        start();
        raw_open(&ma, mfs_peer_port(peer, 0));
        if (t[_i].registered)
                raw_register(&ma, V4);
        raw_packet(&ma, t[_i].type, payload, t[_i].len);
        ck_assert(raw_is_closed(&ma, 2000));
        ck_assert_uint_eq(mfs_peer_broken(peer, MFS_RULE_PACKET), 1);
        stop();
}
END_TEST

START_TEST(test_master_oversize)
{
        uint8_t head[8];

        start();
        registered();
        wire_put32(head, WIRE_CLTOMA_FUSE_LOOKUP);
        wire_put32(head + 4, WIRE_MAX_TO_MASTER + 1);
        raw_send(&ma, head, sizeof head);
        ck_assert(raw_is_closed(&ma, 2000));
        stop();
}
END_TEST

static uint8_t node_call(uint32_t type, uint32_t parent, const char *name, struct wire_msg *reply)
{
        static const uint32_t gid[] = { 0 };
        struct wire_msg m;
        uint8_t status = 0;

        raw_init(&ma, &m, type);
        wire_set_u(&m, WF_PARENT, parent);
        wire_set_str(&m, WF_NAME, name);
        wire_set_ug(&m, 0, gid, 1);
        if (type == WIRE_CLTOMA_FUSE_MKDIR) {
                wire_set_u(&m, WF_MODE, 0755);
                wire_set_u(&m, WF_UMASK, 022);
                wire_set_u(&m, WF_COPYSGID, 0);
        }
        raw_call(&ma, &m, reply);
        wire_is_status(reply, &status);
        return status;
}

static uint8_t rename_call(uint32_t from, const char *a, uint32_t to, const char *b)
{
        static const uint32_t gid[] = { 0 };
        struct wire_msg m;

        raw_init(&ma, &m, WIRE_CLTOMA_FUSE_RENAME);
        wire_set_u(&m, WF_SRC_PARENT, from);
        wire_set_str(&m, WF_SRC_NAME, a);
        wire_set_u(&m, WF_DST_PARENT, to);
        wire_set_str(&m, WF_DST_NAME, b);
        wire_set_ug(&m, 0, gid, 1);
        return raw_status(&ma, &m);
}

START_TEST(test_names)
{
        struct ri_str text = RI_STR_INIT(4096);
        struct wire_msg reply;
        uint32_t dir, file;

        start();
        registered();
        ck_assert_uint_eq(node_call(WIRE_CLTOMA_FUSE_LOOKUP, 1, "d", &reply), WIRE_STATUS_ENOENT);
        ck_assert_uint_eq(node_call(WIRE_CLTOMA_FUSE_MKDIR, 1, "d", &reply), 0);
        dir = wire_get_u32(&reply, WF_INODE);
        ck_assert_uint_eq(node_call(WIRE_CLTOMA_FUSE_MKDIR, 1, "d", &reply), WIRE_STATUS_EEXIST);
        file = raw_create(&ma, "f");
        raw_create(&ma, "g");
        ck_assert_uint_eq(node_call(WIRE_CLTOMA_FUSE_LOOKUP, 1, "f", &reply), 0);
        ck_assert_uint_eq(wire_get_u32(&reply, WF_INODE), file);
        ck_assert_uint_eq(rename_call(1, "f", dir, "h"), 0);
        ck_assert_uint_eq(node_call(WIRE_CLTOMA_FUSE_LOOKUP, 1, "f", &reply), WIRE_STATUS_ENOENT);
        ck_assert_uint_eq(rename_call(1, "d", dir, "x"), WIRE_STATUS_EINVAL);
        ck_assert_uint_eq(rename_call(1, "g", dir, "h"), 0);
        ck_assert_uint_eq(node_call(WIRE_CLTOMA_FUSE_RMDIR, 1, "d", &reply), WIRE_STATUS_ENOTEMPTY);
        ck_assert(mfs_peer_list(peer, "d", &text));
        ck_assert_str_eq(ri_str_cstr(&text), "h\n");
        ck_assert_uint_eq(node_call(WIRE_CLTOMA_FUSE_UNLINK, dir, "h", &reply), 0);
        ck_assert_uint_eq(ma.len, 8); /* newer clients get the inode */
        ck_assert_uint_eq(node_call(WIRE_CLTOMA_FUSE_RMDIR, 1, "d", &reply), 0);
        no_violation();
        ri_str_free(&text);
        stop();
}
END_TEST

/* 3.x sends the same page for ever, 4.x can be paged. */
static unsigned count_pages(uint32_t version, unsigned files, unsigned page, bool *same)
{
        static const uint32_t gid[] = { 0 };
        uint64_t edge = 0;
        unsigned names = 0;
        char name[16];

        start_with((struct mfs_peer_cfg){ .master_version = version });
        raw_open(&ma, mfs_peer_port(peer, 0));
        ma.server = version;
        raw_register(&ma, V4);
        for (unsigned i = 0; i < files; i++) {
                snprintf(name, sizeof name, "f%u", i);
                raw_create(&ma, name);
        }
        *same = false;
        for (int i = 0; i < 100 && edge != WIRE_EDGEID_MAX && !*same; i++) {
                struct wire_msg m, reply;
                uint64_t next;

                raw_init(&ma, &m, WIRE_CLTOMA_FUSE_READDIR);
                wire_set_u(&m, WF_INODE, 1);
                wire_set_ug(&m, 0, gid, 1);
                wire_set_u(&m, WF_FLAGS, WIRE_READDIR_WITHATTR);
                wire_set_u(&m, WF_MAXENTRIES, page);
                wire_set_u(&m, WF_NEDGEID, edge);
                raw_call(&ma, &m, &reply);
                names += wire_group_count(&reply, WF_ENTRIES);
                next = wire_get_u(&reply, WF_NEDGEID);
                *same = next == edge;
                edge = next;
        }
        no_violation();
        stop();
        return names;
}

START_TEST(test_readdir)
{
        bool same;

        ck_assert_uint_eq(count_pages(V4, 20, 7, &same), 22); /* "." and ".." count */
        ck_assert(!same);
        ck_assert_uint_eq(count_pages(V3, 20, UINT32_MAX, &same), 22);
        ck_assert(same);
}
END_TEST

START_TEST(test_open_and_unlinked)
{
        struct mfs_peer_state state;
        struct wire_msg reply;
        uint32_t inode;
        uint8_t list[4];

        start();
        registered();
        inode = raw_create(&ma, "f");
        ck_assert_uint_eq(node_call(WIRE_CLTOMA_FUSE_UNLINK, 1, "f", &reply), 0);
        mfs_peer_state(peer, &state);
        ck_assert_uint_eq(state.unlinked, 1);
        wire_put32(list, inode);
        raw_packet(&ma, WIRE_CLTOMA_FUSE_SUSTAINED_INODES, list, 4);
        ck_assert_uint_eq(node_call(WIRE_CLTOMA_FUSE_LOOKUP, 1, "f", &reply), WIRE_STATUS_ENOENT);
        mfs_peer_state(peer, &state);
        ck_assert_uint_eq(state.unlinked, 1);
        raw_packet(&ma, WIRE_CLTOMA_FUSE_SUSTAINED_INODES, list, 0);
        ck_assert_uint_eq(node_call(WIRE_CLTOMA_FUSE_LOOKUP, 1, "f", &reply), WIRE_STATUS_ENOENT);
        mfs_peer_state(peer, &state);
        ck_assert_uint_eq(state.unlinked, 0);
        no_violation();
        stop();
}
END_TEST

/* A folder that is gone and still open takes no new names: nobody would find them, or remove them. */
START_TEST(test_open_and_removed)
{
        struct mfs_peer_state state;
        struct wire_msg reply;
        uint32_t inode;
        uint8_t list[4];

        start();
        registered();
        raw_create(&ma, "f");
        ck_assert_uint_eq(node_call(WIRE_CLTOMA_FUSE_MKDIR, 1, "d", &reply), 0);
        inode = wire_get_u32(&reply, WF_INODE);
        wire_put32(list, inode);
        raw_packet(&ma, WIRE_CLTOMA_FUSE_SUSTAINED_INODES, list, 4);
        ck_assert_uint_eq(node_call(WIRE_CLTOMA_FUSE_RMDIR, 1, "d", &reply), 0);
        ck_assert_uint_eq(node_call(WIRE_CLTOMA_FUSE_MKDIR, inode, "x", &reply), WIRE_STATUS_ENOENT);
        ck_assert_uint_eq(rename_call(1, "f", inode, "f"), WIRE_STATUS_ENOENT);
        raw_packet(&ma, WIRE_CLTOMA_FUSE_SUSTAINED_INODES, list, 0);
        ck_assert_uint_eq(node_call(WIRE_CLTOMA_FUSE_LOOKUP, 1, "f", &reply), 0);
        mfs_peer_state(peer, &state);
        ck_assert_uint_eq(state.unlinked, 0);
        stop();
}
END_TEST

START_TEST(test_timeouts)
{
        start_with((struct mfs_peer_cfg){ .master_idle_ms = 300, .cs_idle_ms = 300 });
        registered();
        raw_open(&cs, mfs_peer_port(peer, 1));
        ck_assert(raw_is_closed(&ma, 3000));
        ck_assert(raw_is_closed(&cs, 3000));
        no_violation();
        stop();
}
END_TEST

/* ---- locks ------------------------------------------------------------------------------------------------- */

START_TEST(test_lock_parks)
{
        struct raw_grant g, h;
        uint32_t inode;

        start_with((struct mfs_peer_cfg){ .park_ms = 200 });
        registered();
        inode = raw_create(&ma, "f");
        ck_assert_uint_eq(raw_write_chunk(&ma, inode, 0, 0, &g), 0);
        ck_assert_uint_eq(raw_write_chunk(&ma, inode, 0, 0, &h), WIRE_STATUS_LOCKED);
        ck_assert_uint_eq(raw_write_chunk(&ma, inode, 0, WIRE_CHUNKOP_CONTINUEOP, &h), 0);
        ck_assert_uint_eq(h.chunk, g.chunk);
        ck_assert_uint_eq(h.version, g.version);
        ck_assert_uint_eq(raw_write_end(&ma, &g, 0), 0);
        no_violation();
        ck_assert_uint_eq(raw_write_chunk(&ma, inode, 0, WIRE_CHUNKOP_CONTINUEOP, &h), 0);
        ck_assert_uint_eq(mfs_peer_broken(peer, MFS_RULE_CONTINUE), 1);
        ck_assert_uint_eq(raw_write_end(&ma, &g, 0), 0);
        stop();
}
END_TEST

START_TEST(test_lock_expires)
{
        struct raw_grant g, h;
        uint32_t inode;

        start_with((struct mfs_peer_cfg){ .lock_ms = 200 });
        registered();
        inode = raw_create(&ma, "f");
        ck_assert_uint_eq(raw_write_chunk(&ma, inode, 0, 0, &g), 0);
        /* waits for the lock, and gets it when the first one has run out */
        ck_assert_uint_eq(raw_write_chunk(&ma, inode, 0, 0, &h), 0);
        ck_assert_uint_eq(mfs_peer_broken(peer, MFS_RULE_NO_END), 1);
        ck_assert_uint_eq(raw_write_end(&ma, &h, 0), 0);
        stop();
}
END_TEST

static uint8_t append(uint32_t to, uint32_t from)
{
        static const uint32_t gid[] = { 0 };
        struct wire_msg m;

        raw_init(&ma, &m, WIRE_CLTOMA_FUSE_APPEND_SLICE);
        wire_set_u(&m, WF_FLAGS, 0);
        wire_set_u(&m, WF_DST_INODE, to);
        wire_set_u(&m, WF_SRC_INODE, from);
        wire_set_u(&m, WF_FROM, 0);
        wire_set_u(&m, WF_TO, UINT32_MAX);
        wire_set_ug(&m, 0, gid, 1);
        return raw_status(&ma, &m);
}

/* Lengths that only a hostile client gives: nothing is written behind a file's slots. */
START_TEST(test_hostile_lengths)
{
        const uint64_t max = ((uint64_t)WIRE_MAX_CHUNK_INDEX + 1) << WIRE_CHUNK_BITS;
        struct raw_grant a, b;
        uint32_t ia, ib;

        start();
        registered();
        ia = raw_create(&ma, "a");
        ib = raw_create(&ma, "b");
        ck_assert_uint_eq(raw_write_chunk(&ma, ia, 0, 0, &a), 0);
        ck_assert_uint_eq(raw_write_end(&ma, &a, UINT64_C(1) << 58), WIRE_STATUS_INDEXTOOBIG);
        ck_assert_uint_eq(raw_write_end(&ma, &a, UINT64_MAX), WIRE_STATUS_INDEXTOOBIG);
        ck_assert_uint_eq(raw_write_end(&ma, &a, max), 0);
        ck_assert_uint_eq(raw_write_chunk(&ma, ib, 0, 0, &b), 0);
        ck_assert_uint_eq(raw_write_end(&ma, &b, 1), 0);
        ck_assert_uint_eq(append(ia, ib), WIRE_STATUS_INDEXTOOBIG);
        ck_assert_uint_eq(append(ib, ia), WIRE_STATUS_INDEXTOOBIG);
        stop();
}
END_TEST

/* A chunk that was granted and never got a length gives way to what is appended there. */
START_TEST(test_append_over)
{
        struct mfs_peer_state state;
        struct raw_grant a, b;
        uint32_t ia, ib;

        start();
        registered();
        ia = raw_create(&ma, "a");
        ib = raw_create(&ma, "b");
        ck_assert_uint_eq(raw_write_chunk(&ma, ia, 0, 0, &a), 0);
        ck_assert_uint_eq(raw_write_chunk(&ma, ib, 0, 0, &b), 0);
        ck_assert_uint_eq(raw_write_end(&ma, &b, 1), 0);
        ck_assert_uint_eq(append(ia, ib), 0);
        ck_assert_uint_eq(raw_write_end(&ma, &a, 0), WIRE_STATUS_NOCHUNK);
        mfs_peer_state(peer, &state);
        ck_assert_uint_eq(state.chunks, 1);
        stop();
}
END_TEST

/* A grant far behind the end makes the file longer at once. */
START_TEST(test_length_jumps)
{
        struct mfs_peer_file f;
        struct raw_grant g;
        uint32_t inode;

        start();
        registered();
        inode = raw_create(&ma, "f");
        ck_assert_uint_eq(raw_write_chunk(&ma, inode, 2, 0, &g), 0);
        ck_assert_uint_eq(g.length, 2 * WIRE_CHUNK_SIZE);
        ck_assert(mfs_peer_stat(peer, "f", &f));
        ck_assert_uint_eq(f.length, 2 * WIRE_CHUNK_SIZE);
        ck_assert_uint_eq(raw_write_end(&ma, &g, 0), 0);
        stop();
}
END_TEST

/* ---- writing ----------------------------------------------------------------------------------------------- */

START_TEST(test_write_and_read)
{
        static uint8_t data[200000], back[200000];
        struct mfs_peer_file f;

        start();
        registered();
        fill(data, sizeof data, 1);
        write_file("f", data, sizeof data, _i);
        ck_assert(mfs_peer_stat(peer, "f", &f));
        ck_assert_uint_eq(f.length, sizeof data);
        ck_assert_uint_eq(mfs_peer_diverged(peer, NULL), 0);
        for (unsigned copy = 0; copy < 2; copy++) {
                ck_assert_int_eq(mfs_peer_bytes(peer, "f", copy, 0, back, sizeof back), sizeof back);
                ck_assert_mem_eq(back, data, sizeof data);
        }
        no_violation();
        stop();
}
END_TEST

/* What makes uploads corrupt: the head forgets what it has queued, the tail has it. */
START_TEST(test_finish_early)
{
        static uint8_t data[65536];
        struct raw_grant g;
        uint32_t inode;

        /* So slow that blocks are queued still when the FINISH comes, also from a client under valgrind. */
        start_with((struct mfs_peer_cfg){ .disk_ms = 100 });
        registered();
        fill(data, sizeof data, 2);
        inode = raw_create(&ma, "f");
        ck_assert_uint_eq(raw_write_chunk(&ma, inode, 0, 0, &g), 0);
        raw_open(&cs, g.port[0]);
        raw_cs_write(&cs, &g);
        ck_assert_uint_eq(raw_cs_ack(&cs, 0), 0);
        for (uint16_t i = 0; i < 20; i++)
                raw_cs_data(&cs, g.chunk, i + 1u, i, 0, data, sizeof data);
        raw_cs_finish(&cs, &g);
        /* The tail writes what it has got, on a slow machine slowly. */
        for (int i = 0; i < 100 && (!mfs_peer_broken(peer, MFS_RULE_FINISH_EARLY) || i < 10 ||
                                    mfs_peer_diverged(peer, NULL) != 1);
             i++)
                usleep(100000);
        ck_assert_uint_eq(mfs_peer_diverged(peer, NULL), 1);
        ck_assert_uint_eq(raw_write_end(&ma, &g, 20 * 65536), 0);
        ck_assert_uint_eq(mfs_peer_broken(peer, MFS_RULE_FINISH_EARLY), 1);
        ck_assert_uint_ge(mfs_peer_broken(peer, MFS_RULE_LOST_DATA), 1);
        stop();
}
END_TEST

START_TEST(test_bad_chain)
{
        static uint8_t data[100];
        struct raw_grant g, one;
        uint32_t inode;

        start();
        registered();
        inode = raw_create(&ma, "f");
        ck_assert_uint_eq(raw_write_chunk(&ma, inode, 0, 0, &g), 0);
        one = g;
        one.n = 1;
        raw_open(&cs, g.port[0]);
        raw_cs_write(&cs, &one);
        ck_assert_uint_eq(raw_cs_ack(&cs, 0), 0);
        ck_assert_uint_eq(mfs_peer_broken(peer, MFS_RULE_CHAIN), 1);
        fill(data, sizeof data, 3);
        raw_cs_data(&cs, g.chunk, 1, 0, 0, data, sizeof data);
        ck_assert_uint_eq(raw_cs_ack(&cs, 1), 0);
        ck_assert_uint_eq(raw_write_end(&ma, &g, sizeof data), 0);
        ck_assert_uint_eq(mfs_peer_diverged(peer, NULL), 1);
        raw_cs_data(&cs, g.chunk, 2, 0, 0, data, sizeof data);
        ck_assert_uint_eq(raw_cs_ack(&cs, 2), 0);
        ck_assert_uint_eq(mfs_peer_broken(peer, MFS_RULE_AFTER_END), 1);
        stop();
}
END_TEST

START_TEST(test_no_grant)
{
        struct raw_grant g = { .chunk = 77, .version = 1, .n = 1 };

        start();
        raw_open(&cs, mfs_peer_port(peer, 1));
        raw_cs_write(&cs, &g);
        ck_assert_uint_eq(raw_cs_ack(&cs, 0), WIRE_STATUS_NOCHUNK);
        ck_assert_uint_eq(mfs_peer_broken(peer, MFS_RULE_NO_GRANT), 1);
        raw_cs_write(&cs, &g); /* the connection goes on */
        ck_assert_uint_eq(raw_cs_ack(&cs, 0), WIRE_STATUS_NOCHUNK);
        stop();
}
END_TEST

/* One server answers bad data with a status and hangs up, a chain hangs up without a word. */
START_TEST(test_bad_data)
{
        static const struct {
                struct wire_data d;
                uint8_t status;
        } t[] = {
                { { 0, 1, 0, 0, 100, 1 }, WIRE_STATUS_CRC },
                { { 0, 1, 0, 65500, 100, 0 }, WIRE_STATUS_WRONGOFFSET },
                { { 0, 1, 1024, 0, 100, 0 }, WIRE_STATUS_BNUMTOOBIG },
                { { 0, 1, 0, 0, 65537, 0 }, WIRE_STATUS_WRONGSIZE },
                { { 1, 1, 0, 0, 100, 0 }, WIRE_STATUS_WRONGCHUNKID },
        };
        static uint8_t data[65537], head[WIRE_HEADER_SIZE + WIRE_WRITE_DATA_HEADER];
        struct wire_data d = t[_i / 2].d;
        struct raw_grant g;
        uint32_t inode;

        start_with((struct mfs_peer_cfg){ .servers = 2, .copies = 1 + _i % 2 });
        registered();
        inode = raw_create(&ma, "f");
        ck_assert_uint_eq(raw_write_chunk(&ma, inode, 0, 0, &g), 0);
        raw_open(&cs, g.port[0]);
        raw_cs_write(&cs, &g);
        ck_assert_uint_eq(raw_cs_ack(&cs, 0), 0);
        d.chunkid += g.chunk;
        d.crc ^= ri_crc32(0, data, d.size);
        wire_write_data_build(head, &d);
        raw_send(&cs, head, sizeof head);
        raw_send(&cs, data, d.size);
        if (g.n == 1)
                ck_assert_uint_eq(raw_cs_ack(&cs, 1), t[_i / 2].status);
        ck_assert(raw_is_closed(&cs, 2000));
        ck_assert_uint_eq(mfs_peer_broken(peer, MFS_RULE_BLOCK), 1);
        stop();
}
END_TEST

START_TEST(test_end_length)
{
        static uint8_t data[1000];
        struct raw_grant g;
        uint32_t inode;

        start();
        registered();
        inode = raw_create(&ma, "f");
        ck_assert_uint_eq(raw_write_chunk(&ma, inode, 0, 0, &g), 0);
        raw_open(&cs, g.port[0]);
        raw_cs_write(&cs, &g);
        ck_assert_uint_eq(raw_cs_ack(&cs, 0), 0);
        raw_cs_data(&cs, g.chunk, 1, 0, 0, data, sizeof data);
        ck_assert_uint_eq(raw_cs_ack(&cs, 1), 0);
        ck_assert_uint_eq(raw_write_end(&ma, &g, _i ? 1001 : 999), 0);
        ck_assert_uint_eq(mfs_peer_broken(peer, MFS_RULE_END_LENGTH), 1);
        stop();
}
END_TEST

START_TEST(test_no_end)
{
        struct wire_msg m;
        struct raw_grant g;

        start();
        registered();
        ck_assert_uint_eq(raw_write_chunk(&ma, raw_create(&ma, "f"), 0, 0, &g), 0);
        raw_init(&ma, &m, WIRE_CLTOMA_FUSE_REGISTER);
        wire_set_u(&m, WF_RCODE, WIRE_REGISTER_CLOSESESSION);
        wire_set_u(&m, WF_SESSIONID, 1);
        raw_msg(&ma, &m);
        ck_assert_int_eq(raw_next(&ma, 2000), 1);
        ck_assert_uint_eq(mfs_peer_broken(peer, MFS_RULE_NO_END), 1);
        stop();
}
END_TEST

START_TEST(test_next_server_gone)
{
        struct raw_grant g;

        start_with((struct mfs_peer_cfg){ .servers = 2, .copies = 2 });
        registered();
        ck_assert_uint_eq(raw_write_chunk(&ma, raw_create(&ma, "f"), 0, 0, &g), 0);
        mfs_peer_power(peer, server_of(g.port[1]), MFS_PEER_KILL);
        raw_open(&cs, g.port[0]);
        raw_cs_write(&cs, &g);
        ck_assert_uint_eq(raw_cs_ack(&cs, 0), WIRE_STATUS_CANTCONNECT);
        /* the master knows: the next grant has one server, and a higher version */
        ck_assert_uint_eq(raw_write_chunk(&ma, g.inode, 0, WIRE_CHUNKOP_CONTINUEOP, &g), 0);
        ck_assert_uint_eq(g.n, 1);
        ck_assert_uint_eq(g.version, 2);
        ck_assert_uint_eq(raw_write_end(&ma, &g, 0), 0);
        no_violation();
        stop();
}
END_TEST

/* Many peers run side by side. The port of a dead server is nobody else's, or its clients would come back to another
 * peer's servers, and be blamed there for what they do. */
START_TEST(test_port_of_the_dead)
{
        struct sockaddr_in at = { .sin_family = AF_INET };
        int fd = socket(AF_INET, SOCK_STREAM, 0), other = socket(AF_INET, SOCK_STREAM, 0);

        start();
        mfs_peer_power(peer, (unsigned)_i, MFS_PEER_KILL);
        at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        at.sin_port = htons(mfs_peer_port(peer, (unsigned)_i));
        ck_assert(fd >= 0 && other >= 0);
        ck_assert_int_eq(bind(fd, (struct sockaddr *)&at, sizeof at), -1);
        ck_assert_int_eq(errno, EADDRINUSE);
        ck_assert_int_eq(connect(other, (struct sockaddr *)&at, sizeof at), -1);
        ck_assert_int_eq(errno, ECONNREFUSED);
        close(fd);
        close(other);
        mfs_peer_power(peer, (unsigned)_i, MFS_PEER_START);
        registered();
        stop();
}
END_TEST

/* A place that is none of the peer's own servers is not dialled, whoever listens there. */
START_TEST(test_strange_server)
{
        struct sockaddr_in at = { .sin_family = AF_INET };
        socklen_t size = sizeof at;
        struct raw_grant g;
        int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);

        at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        ck_assert(fd >= 0 && !bind(fd, (struct sockaddr *)&at, sizeof at) && !listen(fd, 1));
        ck_assert_int_eq(getsockname(fd, (struct sockaddr *)&at, &size), 0);
        start_with((struct mfs_peer_cfg){ .servers = 2, .copies = 2 });
        registered();
        ck_assert_uint_eq(raw_write_chunk(&ma, raw_create(&ma, "f"), 0, 0, &g), 0);
        if (_i)
                g.ip[1] = UINT32_C(0x7F000002); /* the port is one of ours, the address is not */
        else
                g.port[1] = ntohs(at.sin_port);
        raw_open(&cs, g.port[0]);
        raw_cs_write(&cs, &g);
        ck_assert_uint_eq(raw_cs_ack(&cs, 0), WIRE_STATUS_CANTCONNECT);
        ck_assert_int_eq(accept(fd, NULL, NULL), -1);
        close(fd);
        stop();
}
END_TEST

/* ---- reading ----------------------------------------------------------------------------------------------- */

static void ask_read(uint64_t chunk, uint32_t version, uint32_t offset, uint32_t size)
{
        struct wire_msg m;

        raw_init(&cs, &m, WIRE_CLTOCS_READ);
        wire_set_u(&m, WF_PROTO, 1);
        wire_set_u(&m, WF_CHUNKID, chunk);
        wire_set_u(&m, WF_CHUNKVER, version);
        wire_set_u(&m, WF_OFFSET, offset);
        wire_set_u(&m, WF_SIZE, size);
        raw_msg(&cs, &m);
}

/* Bytes that came, or -status. */
static long take_read(uint8_t *to)
{
        size_t got = 0;

        for (;;) {
                struct wire_msg m;
                struct wire_data d;

                ck_assert_int_eq(raw_next(&cs, 5000), 1);
                if (cs.type == WIRE_CSTOCL_READ_STATUS) {
                        ck_assert_int_eq(wire_decode(&m, cs.type, WIRE_FROM_CS, cs.buf, cs.len, NULL), 0);
                        return wire_get_u8(&m, WF_STATUS) ? -(long)wire_get_u8(&m, WF_STATUS) : (long)got;
                }
                ck_assert_uint_eq(cs.type, WIRE_CSTOCL_READ_DATA);
                ck_assert(wire_read_data_parse(&d, cs.buf, cs.len));
                ck_assert_uint_eq(d.crc, ri_crc32(0, cs.buf + WIRE_READ_DATA_HEADER, d.size));
                memcpy(to + got, cs.buf + WIRE_READ_DATA_HEADER, d.size);
                got += d.size;
        }
}

START_TEST(test_read)
{
        static uint8_t data[150000], back[300000];

        start_with((struct mfs_peer_cfg){ .servers = 1, .copies = 1 });
        fill(data, sizeof data, 4);
        ck_assert(mfs_peer_plant(peer, "f", data, sizeof data));
        raw_open(&cs, mfs_peer_port(peer, 1));
        ask_read(1, 1, 0, sizeof data);
        ck_assert_int_eq(take_read(back), sizeof data);
        ck_assert_mem_eq(back, data, sizeof data);
        ask_read(1, 0, 65530, 10);
        ck_assert_int_eq(take_read(back), 10);
        ck_assert_mem_eq(back, data + 65530, 10);
        ask_read(1, 1, 140000, 60000); /* a chunkserver knows no end of file */
        ck_assert_int_eq(take_read(back), 60000);
        ck_assert_uint_eq(back[59999], 0);
        ask_read(1, 1, 0, 0);
        ck_assert_int_eq(take_read(back), 0);
        ask_read(1, 2, 0, 10);
        ck_assert_int_eq(take_read(back), -WIRE_STATUS_WRONGVERSION);
        ask_read(9, 1, 0, 10);
        ck_assert_int_eq(take_read(back), -WIRE_STATUS_NOCHUNK);
        ask_read(1, 1, 1, WIRE_CHUNK_SIZE);
        ck_assert_int_eq(take_read(back), -WIRE_STATUS_WRONGOFFSET);
        ask_read(1, 1, 0, WIRE_CHUNK_SIZE + 1);
        ck_assert_int_eq(take_read(back), -WIRE_STATUS_WRONGSIZE);
        no_violation();
        ck_assert(mfs_peer_rot(peer, "f", 0, 70000));
        ask_read(1, 1, 0, 1);
        ck_assert_int_eq(take_read(back), 1);
        ask_read(1, 1, 65536, 1);
        ck_assert_int_eq(take_read(back), -WIRE_STATUS_CRC);
        stop();
}
END_TEST

START_TEST(test_read_pipelined)
{
        static uint8_t data[150000];

        start_with((struct mfs_peer_cfg){ .servers = 1, .copies = 1 });
        ck_assert(mfs_peer_plant(peer, "f", data, sizeof data));
        raw_open(&cs, mfs_peer_port(peer, 1));
        ask_read(1, 1, 0, WIRE_CHUNK_SIZE);
        ask_read(1, 1, 0, sizeof data);
        while (raw_next(&cs, 5000) == 1)
                ;
        ck_assert_uint_eq(mfs_peer_broken(peer, MFS_RULE_PIPELINE), 1);
        stop();
}
END_TEST

START_TEST(test_tables)
{
        static uint8_t data[70000];
        struct wire_msg m, reply;
        const uint8_t *table;
        size_t len;

        start_with((struct mfs_peer_cfg){ .servers = 1, .copies = 1 });
        fill(data, sizeof data, 5);
        ck_assert(mfs_peer_plant(peer, "f", data, sizeof data));
        raw_open(&cs, mfs_peer_port(peer, 1));
        raw_init(&cs, &m, WIRE_ANTOCS_GET_CHUNK_BLOCKS);
        wire_set_u(&m, WF_CHUNKID, 1);
        wire_set_u(&m, WF_CHUNKVER, 1);
        raw_call(&cs, &m, &reply);
        ck_assert_uint_eq(wire_get_u16(&reply, WF_BLOCKS), 2);
        raw_init(&cs, &m, WIRE_ANTOCS_GET_CHUNK_CHECKSUM_TAB);
        wire_set_u(&m, WF_CHUNKID, 1);
        wire_set_u(&m, WF_CHUNKVER, 0);
        raw_call(&cs, &m, &reply);
        table = wire_get_bytes(&reply, WF_TABLE, &len);
        ck_assert_uint_eq(wire_be32(table), ri_crc32(0, data, 65536));
        ck_assert_uint_eq(wire_be32(table + 8), WIRE_EMPTY_BLOCK_CRC);
        wire_set_u(&m, WF_CHUNKID, 2);
        raw_call(&cs, &m, &reply);
        ck_assert_uint_eq(wire_get_u8(&reply, WF_STATUS), WIRE_STATUS_NOCHUNK);
        /* a command of 4.x ends the connection of a 3.x server */
        raw_packet(&cs, WIRE_ANTOCS_GET_CHUNK_INFO, data, 13);
        ck_assert(raw_is_closed(&cs, 2000));
        stop();
}
END_TEST

/* ---- faults ------------------------------------------------------------------------------------------------ */

static void script(const char *text)
{
        char why[200];

        ck_assert_msg(mfs_peer_script(peer, text, why, sizeof why), "%s", why);
}

START_TEST(test_script_words)
{
        static const char *const bad[] = {
                "master",
                "cs9 CLTOCS_READ 1 close",
                "cs1 CLTOCS_NONSENSE 1 close",
                "cs1 CLTOCS_READ 0 close",
                "cs1 CLTOCS_READ 1 explode",
                "cs1 CLTOCS_READ 1 garbage",
                "cs1 CLTOCS_READ 1 delay 5 6",
                "cs1 CSTOCL_READ_STATUS 1 short",
                "master CLTOMA_FUSE_SUSTAINED_INODES 1 status 3",
        };
        char why[200];

        start();
        for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
                ck_assert_msg(!mfs_peer_script(peer, bad[i], why, sizeof why), "%s", bad[i]);
        script("# a comment\n\nany * 1 delay 1\ncs 202 * crc\nmaster MATOCL_FUSE_LOOKUP 2 status 3\n");
        stop();
}
END_TEST

START_TEST(test_faults_master)
{
        struct wire_msg reply;

        start();
        registered();
        script("master CLTOMA_FUSE_LOOKUP 1 status 22\n"
               "master MATOCL_FUSE_LOOKUP 2 status 11\n"
               "master MATOCL_FUSE_LOOKUP 3 nops 5\n"
               "master MATOCL_FUSE_LOOKUP 4 dup\n"
               "master MATOCL_FUSE_LOOKUP 5 close\n");
        ck_assert_uint_eq(node_call(WIRE_CLTOMA_FUSE_LOOKUP, 1, ".", &reply), 22);
        ck_assert_uint_eq(node_call(WIRE_CLTOMA_FUSE_LOOKUP, 1, ".", &reply), 11);
        ck_assert_uint_eq(node_call(WIRE_CLTOMA_FUSE_LOOKUP, 1, ".", &reply), 0);
        ck_assert_uint_eq(node_call(WIRE_CLTOMA_FUSE_LOOKUP, 1, ".", &reply), 0);
        ck_assert_int_eq(raw_next(&ma, 2000), 1); /* the second of the two */
        ck_assert_uint_eq(ma.type, WIRE_MATOCL_FUSE_LOOKUP);
        raw_packet(&ma, WIRE_CLTOMA_FUSE_LOOKUP, "\0\0\0\1\0\0\0\1\1.\0\0\0\0\0\0\0\1\0\0\0\0", 22);
        ck_assert(raw_is_closed(&ma, 2000));
        ck_assert_uint_eq(mfs_peer_fired(peer), 5);
        no_violation();
        stop();
}
END_TEST

/* The first of the answers ends the connection, and with it the requests that wait behind. */
START_TEST(test_faults_parked)
{
        struct raw_grant g;
        struct wire_msg m;

        start_with((struct mfs_peer_cfg){ .park_ms = 200 });
        registered();
        ck_assert_uint_eq(raw_write_chunk(&ma, raw_create(&ma, "f"), 0, 0, &g), 0);
        script("master MATOCL_FUSE_WRITE_CHUNK * close\n");
        for (int i = 0; i < 3; i++) {
                raw_init(&ma, &m, WIRE_CLTOMA_FUSE_WRITE_CHUNK);
                wire_set_u(&m, WF_INODE, g.inode);
                wire_set_u(&m, WF_INDEX, 0);
                wire_set_u(&m, WF_CHUNKOPFLAGS, 0);
                raw_msg(&ma, &m);
        }
        ck_assert(raw_is_closed(&ma, 3000));
        ck_assert_uint_eq(mfs_peer_fired(peer), 1);
        stop();
}
END_TEST

START_TEST(test_faults_read)
{
        static uint8_t data[200000];
        struct wire_data d;

        start_with((struct mfs_peer_cfg){ .servers = 1, .copies = 1 });
        fill(data, sizeof data, 6);
        ck_assert(mfs_peer_plant(peer, "f", data, sizeof data));
        script("cs1 CSTOCL_READ_DATA 1 crc\n"
               "cs1 CSTOCL_READ_DATA 2 short\n"
               "cs1 CSTOCL_READ_DATA 3 wrongid\n"
               "cs1 CSTOCL_READ_DATA 4 cut 1000\n");
        raw_open(&cs, mfs_peer_port(peer, 1));
        ask_read(1, 1, 0, sizeof data);
        ck_assert_int_eq(raw_next(&cs, 2000), 1);
        ck_assert(wire_read_data_parse(&d, cs.buf, cs.len));
        ck_assert_uint_ne(d.crc, ri_crc32(0, data, 65536));
        ck_assert_int_eq(raw_next(&cs, 2000), 1);
        ck_assert(wire_read_data_parse(&d, cs.buf, cs.len));
        ck_assert_uint_eq(d.size, 32768);
        ck_assert_uint_eq(d.crc, ri_crc32(0, data + 65536, 32768));
        ck_assert_int_eq(raw_next(&cs, 2000), 1);
        ck_assert_uint_eq(wire_be64(cs.buf), 0);
        ck_assert(raw_is_closed(&cs, 2000));
        ck_assert_uint_eq(mfs_peer_fired(peer), 4);
        stop();
}
END_TEST

START_TEST(test_faults_servers)
{
        static uint8_t data[100], back[100];
        uint16_t port;

        start_with((struct mfs_peer_cfg){ .servers = 1, .copies = 1 });
        ck_assert(mfs_peer_plant(peer, "f", data, sizeof data));
        port = mfs_peer_port(peer, 1);
        script("cs1 CLTOCS_READ 1 hang 300\ncs1 CLTOCS_READ 2 delay 300\ncs1 CLTOCS_READ 3 die 300\n");
        raw_open(&cs, port);
        ask_read(1, 1, 0, 100);
        ck_assert_int_eq(raw_next(&cs, 150), -1);
        ck_assert_int_eq(take_read(back), 100);
        ask_read(1, 1, 0, 100);
        ck_assert_int_eq(raw_next(&cs, 150), -1);
        ck_assert_int_eq(take_read(back), 100);
        ask_read(1, 1, 0, 100);
        ck_assert(raw_is_closed(&cs, 2000));
        raw_close(&cs);
        usleep(500000);
        raw_open(&cs, port);
        ask_read(1, 1, 0, 100);
        ck_assert_int_eq(take_read(back), 100);
        ck_assert_uint_eq(mfs_peer_count(peer, 1, WIRE_CLTOCS_READ), 4);
        stop();
}
END_TEST

/* ---- locks and extended attributes ---------------------------------------------------------------------------- */

static void posix_lock(struct wire_msg *m, uint32_t inode, uint64_t owner, uint8_t cmd, uint8_t type,
                       uint64_t start, uint64_t end)
{
        raw_init(&ma, m, WIRE_CLTOMA_FUSE_POSIX_LOCK);
        wire_set_u(m, WF_INODE, inode);
        wire_set_u(m, WF_REQID, (uint32_t)owner);
        wire_set_u(m, WF_OWNER, owner);
        wire_set_u(m, WF_PID, 1);
        wire_set_u(m, WF_CMD, cmd);
        wire_set_u(m, WF_LOCKTYPE, type);
        wire_set_u(m, WF_START, start);
        wire_set_u(m, WF_END, end);
}

static uint8_t try_range(uint32_t inode, uint64_t owner, uint8_t type, uint64_t start, uint64_t end)
{
        struct wire_msg m;

        posix_lock(&m, inode, owner, WIRE_POSIX_TRY, type, start, end);
        return raw_status(&ma, &m);
}

/* A hole in a lock is free for others, neighbours are one lock, and who waits can be interrupted; at the end locks are
 * held and waited for, and the peer ends all the same. */
START_TEST(test_locks)
{
        struct wire_msg m, reply;
        uint32_t inode;
        uint8_t status = 0;

        start();
        registered();
        inode = raw_create(&ma, "locked");
        ck_assert_uint_eq(try_range(inode, 1, WIRE_POSIX_WRLOCK, 0, 1000), WIRE_STATUS_OK);
        ck_assert_uint_eq(try_range(inode, 1, WIRE_POSIX_UNLOCK, 400, 600), WIRE_STATUS_OK);
        ck_assert_uint_eq(try_range(inode, 2, WIRE_POSIX_WRLOCK, 400, 601), WIRE_STATUS_EAGAIN);
        ck_assert_uint_eq(try_range(inode, 2, WIRE_POSIX_RDLOCK, 399, 600), WIRE_STATUS_EAGAIN);
        ck_assert_uint_eq(try_range(inode, 2, WIRE_POSIX_WRLOCK, 400, 600), WIRE_STATUS_OK);
        ck_assert_uint_eq(try_range(inode, 2, WIRE_POSIX_UNLOCK, 0, UINT64_MAX), WIRE_STATUS_OK);
        ck_assert_uint_eq(try_range(inode, 1, WIRE_POSIX_WRLOCK, 400, 600), WIRE_STATUS_OK);
        posix_lock(&m, inode, 3, WIRE_POSIX_GET, WIRE_POSIX_RDLOCK, 500, 501);
        raw_call(&ma, &m, &reply);
        ck_assert_uint_eq(wire_get_u(&reply, WF_START), 0);
        ck_assert_uint_eq(wire_get_u(&reply, WF_END), 1000);
        ck_assert_uint_eq(try_range(inode, 2, WIRE_POSIX_WRLOCK, 5, 5), WIRE_STATUS_EINVAL);

        posix_lock(&m, inode, 7, WIRE_POSIX_SET, WIRE_POSIX_WRLOCK, 0, 10); /* it waits */
        raw_msg(&ma, &m);
        posix_lock(&m, inode, 7, WIRE_POSIX_INTERRUPT, WIRE_POSIX_WRLOCK, 0, 10);
        raw_msg(&ma, &m);
        raw_expect(&ma, WIRE_MATOCL_FUSE_POSIX_LOCK, &reply);
        ck_assert(wire_is_status(&reply, &status) && status == WIRE_STATUS_EINTR);
        raw_expect(&ma, WIRE_MATOCL_FUSE_POSIX_LOCK, &reply);
        posix_lock(&m, inode, 8, WIRE_POSIX_SET, WIRE_POSIX_WRLOCK, 0, 10);
        raw_msg(&ma, &m);
        no_violation();
        stop();
}
END_TEST

static const uint32_t root_group;

static void on_inode(struct wire_msg *m, uint32_t type, uint32_t inode)
{
        raw_init(&ma, m, type);
        wire_set_u(m, WF_INODE, inode);
}

static void repair(uint32_t inode, uint8_t flags, uint32_t same, uint32_t erased)
{
        struct wire_msg m, reply;

        on_inode(&m, WIRE_CLTOMA_FUSE_REPAIR, inode);
        wire_set_ug(&m, 0, &root_group, 1);
        if (ma.server == V4)
                wire_set_u(&m, WF_FLAGS, flags);
        raw_call(&ma, &m, &reply);
        ck_assert_uint_eq(ma.len, 16);
        ck_assert_uint_eq(wire_get_u(&reply, WF_NOTCHANGED), same);
        ck_assert_uint_eq(wire_get_u(&reply, WF_ERASED), erased);
        ck_assert_uint_eq(wire_get_u(&reply, WF_REPAIRED), 0);
}

/* A chunk that no server has is a hole afterwards: at 3.x at once, at 4.x when that is asked for. */
START_TEST(test_repair)
{
        static uint8_t data[70000];
        struct mfs_peer_file f;
        struct wire_msg m;
        uint32_t inode;

        start_with((struct mfs_peer_cfg){ .servers = 3, .copies = 2, .master_version = _i ? V4 : V3 });
        registered();
        fill(data, sizeof data, 7);
        inode = write_file("f", data, sizeof data, true);
        repair(inode, 1, 1, 0);
        for (unsigned s = 1; s <= 3; s++)
                mfs_peer_power(peer, s, MFS_PEER_KILL);
        if (_i)
                repair(inode, 0, 1, 0);
        repair(inode, 1, 0, 1);
        repair(inode, 1, 1, 0);
        ck_assert(mfs_peer_stat(peer, "f", &f));
        ck_assert_uint_eq(f.length, sizeof data);
        on_inode(&m, WIRE_CLTOMA_FUSE_REPAIR, WIRE_ROOT_INODE);
        wire_set_ug(&m, 0, &root_group, 1);
        ck_assert_uint_eq(raw_status(&ma, &m), WIRE_STATUS_EPERM);
        on_inode(&m, WIRE_CLTOMA_FUSE_REPAIR, 12345);
        wire_set_ug(&m, 0, &root_group, 1);
        ck_assert_uint_eq(raw_status(&ma, &m), WIRE_STATUS_ENOENT);
        stop();
}
END_TEST

static void archive(uint32_t inode, uint8_t cmd, uint64_t changed, uint64_t same, uint32_t forbidden)
{
        struct wire_msg m, reply;

        on_inode(&m, WIRE_CLTOMA_FUSE_ARCHCTL, inode);
        wire_set_u(&m, WF_CMD, cmd);
        wire_set_u(&m, WF_UID, forbidden ? 77 : 0);
        raw_call(&ma, &m, &reply);
        ck_assert_uint_eq(ma.len, 24);
        ck_assert_uint_eq(wire_get_u(&reply, WF_CHANGED), changed);
        ck_assert_uint_eq(wire_get_u(&reply, WF_NOTCHANGED), same);
        ck_assert_uint_eq(wire_get_u(&reply, WF_NOTPERMITTED), forbidden);
}

static void archived(uint32_t inode, uint64_t chunks, uint64_t not, uint32_t all, uint32_t none)
{
        struct wire_msg m, reply;

        on_inode(&m, WIRE_CLTOMA_FUSE_ARCHCTL, inode);
        wire_set_u(&m, WF_CMD, WIRE_ARCH_GET);
        raw_call(&ma, &m, &reply);
        ck_assert_uint_eq(ma.len, 32);
        ck_assert_uint_eq(wire_get_u(&reply, WF_ARCHCHUNKS), chunks);
        ck_assert_uint_eq(wire_get_u(&reply, WF_NOTARCHCHUNKS), not );
        ck_assert_uint_eq(wire_get_u(&reply, WF_ARCHINODES), all);
        ck_assert_uint_eq(wire_get_u(&reply, WF_PARTIALINODES), 0);
        ck_assert_uint_eq(wire_get_u(&reply, WF_NOTARCHINODES), none);
}

START_TEST(test_archive)
{
        static uint8_t data[1000];
        struct wire_msg m;
        uint32_t inode;

        start();
        registered();
        inode = write_file("f", data, sizeof data, true);
        archived(inode, 0, 1, 0, 1);
        archive(inode, WIRE_ARCH_SET, 1, 0, 0);
        archive(WIRE_ROOT_INODE, WIRE_ARCH_SET, 0, 1, 0);
        archived(WIRE_ROOT_INODE, 1, 0, 1, 0);
        archive(WIRE_ROOT_INODE, WIRE_ARCH_CLR, 0, 0, 1);
        archive(inode, WIRE_ARCH_CLR, 1, 0, 0);
        archived(inode, 0, 1, 0, 1);
        on_inode(&m, WIRE_CLTOMA_FUSE_ARCHCTL, inode);
        wire_set_u(&m, WF_CMD, WIRE_ARCH_CLR);
        wire_set_u(&m, WF_UID, 77);
        ck_assert_uint_eq(raw_status(&ma, &m), WIRE_STATUS_EPERM);
        on_inode(&m, WIRE_CLTOMA_FUSE_UNDEL, inode);
        ck_assert_uint_eq(raw_status(&ma, &m), WIRE_STATUS_EPERM);
        no_violation();
        /* Setting takes a user. */
        on_inode(&m, WIRE_CLTOMA_FUSE_ARCHCTL, inode);
        wire_set_u(&m, WF_CMD, WIRE_ARCH_SET);
        raw_msg(&ma, &m);
        ck_assert(raw_is_closed(&ma, 5000));
        stop();
}
END_TEST

/* Nothing is in it. */
START_TEST(test_trash)
{
        struct wire_msg m, reply;
        uint32_t inode;

        start_with((struct mfs_peer_cfg){ .master_version = V4 });
        registered();
        inode = raw_create(&ma, "f");
        for (uint8_t format = 0; format < 2; format++) {
                raw_init(&ma, &m, WIRE_CLTOMA_TRASH_LIST);
                wire_set_u(&m, WF_PART, 0);
                wire_set_u(&m, WF_FORMAT, format);
                wire_set_u(&m, WF_UID, 0);
                wire_set_u(&m, WF_MINTS, 0);
                wire_set_u(&m, WF_MAXTS, UINT32_MAX);
                ma.hint = (uint8_t)(format + 1);
                raw_call(&ma, &m, &reply);
                ck_assert_uint_eq(ma.len, 16);
                ck_assert_uint_eq(wire_get_u(&reply, WF_MATCHED), 0);
        }
        on_inode(&m, WIRE_CLTOMA_TRASH_REMOVE, inode);
        wire_set_u(&m, WF_UID, 0);
        ck_assert_uint_eq(raw_status(&ma, &m), WIRE_STATUS_ENOENT);
        on_inode(&m, WIRE_CLTOMA_TRASH_RECOVER, inode);
        wire_set_u(&m, WF_PATH_ROOT, WIRE_ROOT_INODE);
        wire_set_bytes(&m, WF_PATH, "", 0);
        wire_set_u(&m, WF_UMASK, 0);
        wire_set_ug(&m, 0, &root_group, 1);
        wire_set_u(&m, WF_COPYSGID, 0);
        ck_assert_uint_eq(raw_status(&ma, &m), WIRE_STATUS_EINVAL);
        raw_init(&ma, &m, WIRE_CLTOMA_FUSE_GETTRASH);
        ck_assert_uint_eq(raw_status(&ma, &m), WIRE_STATUS_EPERM);
        no_violation();
        stop();
}
END_TEST

static Suite *suite(void)
{
        Suite *s = suite_create("peer");
        TCase *t = tcase_create("master");

        tcase_add_loop_test(t, test_register_lengths, 0, 9);
        tcase_add_test(t, test_reconnect);
        tcase_add_loop_test(t, test_master_kills, 0, 14);
        tcase_add_test(t, test_master_oversize);
        tcase_add_test(t, test_names);
        tcase_add_test(t, test_readdir);
        tcase_add_test(t, test_open_and_unlinked);
        tcase_add_test(t, test_open_and_removed);
        tcase_add_test(t, test_timeouts);
        tcase_add_test(t, test_lock_parks);
        tcase_add_test(t, test_lock_expires);
        tcase_add_test(t, test_hostile_lengths);
        tcase_add_test(t, test_append_over);
        tcase_add_test(t, test_length_jumps);
        tcase_add_test(t, test_locks);
        tcase_add_loop_test(t, test_repair, 0, 2);
        tcase_add_test(t, test_archive);
        tcase_add_test(t, test_trash);
        suite_add_tcase(s, t);
        t = tcase_create("chunkservers");
        tcase_add_loop_test(t, test_write_and_read, 0, 2);
        tcase_add_test(t, test_finish_early);
        tcase_add_test(t, test_bad_chain);
        tcase_add_test(t, test_no_grant);
        tcase_add_loop_test(t, test_bad_data, 0, 10);
        tcase_add_loop_test(t, test_end_length, 0, 2);
        tcase_add_test(t, test_no_end);
        tcase_add_test(t, test_next_server_gone);
        tcase_add_loop_test(t, test_port_of_the_dead, 0, 2);
        tcase_add_loop_test(t, test_strange_server, 0, 2);
        tcase_add_test(t, test_read);
        tcase_add_test(t, test_read_pipelined);
        tcase_add_test(t, test_tables);
        suite_add_tcase(s, t);
        t = tcase_create("faults");
        tcase_add_test(t, test_script_words);
        tcase_add_test(t, test_faults_master);
        tcase_add_test(t, test_faults_parked);
        tcase_add_test(t, test_faults_read);
        tcase_add_test(t, test_faults_servers);
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
