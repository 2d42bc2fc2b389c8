/* SPDX-License-Identifier: MIT */
/* Chunks at the master: grants, locks, lengths, what other clients are told. */
#include "mfsproto/conform/checks.h"

static void grant_new(struct cf *c)
{
        struct cf_grant g;

        cf_grant(c, cf_new(c), 0, &g);
        cf_eq(c, "version of a new chunk", g.version, 1);
        cf_eq(c, "length of the file", g.length, 0);
        for (unsigned i = 0; i < g.n; i++)
                for (unsigned k = 0; k < i; k++)
                        cf_true(c, g.ip[i] != g.ip[k] || g.port[i] != g.port[k], "one server is named twice");
        cf_status_is(c, "END", cf_end(c, c->ma, &g, 0), WIRE_STATUS_OK);
}

static void rewrite_keeps_id(struct cf *c)
{
        struct cf_grant a, b;
        uint32_t inode = cf_file(c, 100, 1, &a);

        cf_grant(c, inode, 0, &b);
        cf_eq(c, "id of the chunk at the second grant", b.chunk, a.chunk);
        cf_eq(c, "version at the second grant", b.version, a.version);
        cf_status_is(c, "END", cf_end(c, c->ma, &b, 0), WIRE_STATUS_OK);
}

static void locked_write(struct cf *c)
{
        struct cf_link *other = cf_client(c);
        struct cf_grant g;
        struct wire_msg reply;
        uint32_t inode = cf_new(c);

        cf_grant(c, inode, 0, &g);
        cf_send_chunk(c, other, WIRE_CLTOMA_FUSE_WRITE_CHUNK, inode, 0, 0);
        cf_want_quiet(c, other, "WRITE_CHUNK while another client holds the chunk");
        cf_status_is(c, "END", cf_end(c, c->ma, &g, 0), WIRE_STATUS_OK);
        cf_take(c, other, WIRE_MATOCL_FUSE_WRITE_CHUNK, &reply);
        cf_eq(c, "chunk granted after the END", cf_u(c, &reply, WF_CHUNKID), g.chunk);
        cf_status_is(c, "END", cf_end(c, other, &g, 0), WIRE_STATUS_OK);
}

static void locked_read(struct cf *c)
{
        struct cf_link *other = cf_client(c);
        struct cf_grant g;
        struct wire_msg reply;
        uint32_t inode = cf_file(c, 100, 2, &g);

        cf_grant(c, inode, 0, &g);
        cf_send_chunk(c, other, WIRE_CLTOMA_FUSE_READ_CHUNK, inode, 0, 0);
        cf_want_quiet(c, other, "READ_CHUNK while somebody writes there");
        cf_status_is(c, "END", cf_end(c, c->ma, &g, 0), WIRE_STATUS_OK);
        cf_take(c, other, WIRE_MATOCL_FUSE_READ_CHUNK, &reply);
        cf_eq(c, "chunk told after the END", cf_u(c, &reply, WF_CHUNKID), g.chunk);
}

static void locked_own(struct cf *c)
{
        struct cf_grant g;
        struct wire_msg reply;
        uint32_t inode = cf_new(c);

        cf_grant(c, inode, 0, &g);
        cf_send_chunk(c, c->ma, WIRE_CLTOMA_FUSE_WRITE_CHUNK, inode, 0, 0);
        cf_want_quiet(c, c->ma, "a second WRITE_CHUNK of the client that holds the chunk");
        cf_status_is(c, "END of another connection", cf_end(c, cf_client(c), &g, 0), WIRE_STATUS_OK);
        cf_take(c, c->ma, WIRE_MATOCL_FUSE_WRITE_CHUNK, &reply);
        cf_status_is(c, "END", cf_end(c, c->ma, &g, 0), WIRE_STATUS_OK);
}

static void park_limit(struct cf *c)
{
        struct cf_link *other = cf_client(c);
        static const uint8_t nop[4];
        struct cf_grant g;
        struct wire_msg reply;
        uint32_t inode = cf_new(c);
        uint8_t status = 0;
        int got = -1;

        cf_grant(c, inode, 0, &g);
        cf_send_chunk(c, other, WIRE_CLTOMA_FUSE_WRITE_CHUNK, inode, 0, 0);
        for (int i = 0; i < 60 && got < 0 && !c->failed; i++) {
                cf_packet(c, other, WIRE_ANTOAN_NOP, nop, sizeof(nop));
                cf_packet(c, c->ma, WIRE_ANTOAN_NOP, nop, sizeof(nop));
                got = cf_next(c, other, 1000);
        }
        if (c->failed)
                return;
        cf_true(c, got > 0, "a request for a locked chunk is not answered within 60 s");
        cf_eq(c, "length of the answer", other->len, 5);
        if (!c->failed)
                cf_status_is(c, "the answer after 30 s", status = other->buf[4], WIRE_STATUS_LOCKED);
        (void)reply;
        cf_status_is(c, "END", cf_end(c, c->ma, &g, 0), WIRE_STATUS_OK);
}

static void continue_op(struct cf *c)
{
        struct cf_grant g, again;
        uint32_t inode = cf_new(c);

        cf_grant(c, inode, 0, &g);
        cf_status_is(c, "WRITE_CHUNK with CONTINUEOP",
                     cf_write_chunk(c, c->ma, inode, 0, WIRE_CHUNKOP_CONTINUEOP, &again), WIRE_STATUS_OK);
        cf_eq(c, "chunk", again.chunk, g.chunk);
        cf_status_is(c, "END", cf_end(c, c->ma, &g, 0), WIRE_STATUS_OK);
}

static void end_sets_length(struct cf *c)
{
        struct cf_grant g;
        struct wire_attr attr;
        uint32_t inode = cf_new(c);

        cf_grant(c, inode, 0, &g);
        cf_status_is(c, "END", cf_end(c, c->ma, &g, 70000), WIRE_STATUS_OK);
        cf_attr(c, inode, &attr);
        cf_eq(c, "length after END with 70000", attr.length, 70000);
}

static void end_never_shrinks(struct cf *c)
{
        struct cf_grant g;
        struct wire_attr attr;
        uint32_t inode = cf_file(c, 1000, 3, &g);

        cf_grant(c, inode, 0, &g);
        cf_eq(c, "length told with the grant", g.length, 1000);
        cf_status_is(c, "END", cf_end(c, c->ma, &g, 10), WIRE_STATUS_OK);
        cf_attr(c, inode, &attr);
        cf_eq(c, "length after END with 10", attr.length, 1000);
}

static void end_twice(struct cf *c)
{
        struct cf_grant g;

        cf_grant(c, cf_new(c), 0, &g);
        cf_status_is(c, "END", cf_end(c, c->ma, &g, 0), WIRE_STATUS_OK);
        cf_status_is(c, "the second END", cf_end(c, c->ma, &g, 0), WIRE_STATUS_OK);
}

static void end_unknown(struct cf *c)
{
        struct cf_grant g = { .chunk = UINT64_C(0x00FFFFFFFFFFFF), .inode = cf_new(c) };

        cf_status_is(c, "END of a chunk that is not there", cf_end(c, c->ma, &g, 0), WIRE_STATUS_NOCHUNK);
}

static void end_wrong_inode(struct cf *c)
{
        struct cf_grant g, wrong;

        cf_grant(c, cf_new(c), 0, &g);
        wrong = g;
        wrong.inode = 0x7FFFFF00;
        cf_status_is(c, "END with an inode that is not there", cf_end(c, c->ma, &wrong, 10),
                     WIRE_STATUS_ENOENT);
        cf_status_is(c, "END", cf_end(c, c->ma, &g, 0), WIRE_STATUS_OK);
}

/* The END that failed has not given the lock back. */
static void end_failed_keeps_lock(struct cf *c)
{
        struct cf_link *other = cf_client(c);
        struct cf_grant g, wrong;
        struct wire_msg reply;

        cf_grant(c, cf_new(c), 0, &g);
        wrong = g;
        wrong.inode = 0x7FFFFF00;
        (void)cf_end(c, c->ma, &wrong, 10);
        cf_send_chunk(c, other, WIRE_CLTOMA_FUSE_WRITE_CHUNK, g.inode, 0, 0);
        cf_want_quiet(c, other, "WRITE_CHUNK after an END that failed");
        cf_status_is(c, "END", cf_end(c, c->ma, &g, 0), WIRE_STATUS_OK);
        cf_take(c, other, WIRE_MATOCL_FUSE_WRITE_CHUNK, &reply);
        cf_status_is(c, "END", cf_end(c, other, &g, 0), WIRE_STATUS_OK);
}

static void later_index(struct cf *c)
{
        struct cf_grant g, hole;
        struct wire_attr attr;
        uint32_t inode = cf_new(c);

        cf_grant(c, inode, 2, &g);
        cf_attr(c, inode, &attr);
        cf_eq(c, "length after WRITE_CHUNK with index 2", attr.length, UINT64_C(2) << 26);
        cf_status_is(c, "END", cf_end(c, c->ma, &g, 0), WIRE_STATUS_OK);
        cf_places(c, inode, 1, &hole);
        cf_eq(c, "chunk id of a hole", hole.chunk, 0);
        cf_eq(c, "version of a hole", hole.version, 0);
        cf_eq(c, "servers of a hole", hole.n, 0);
        cf_eq(c, "length told with a hole", hole.length, UINT64_C(2) << 26);
}

static void behind_end(struct cf *c)
{
        struct cf_grant g, far;
        uint32_t inode = cf_file(c, 100, 4, &g);

        cf_places(c, inode, 5, &far);
        cf_eq(c, "chunk id behind the end of the file", far.chunk, 0);
        cf_eq(c, "length", far.length, 100);
}

static void index_too_big(struct cf *c)
{
        struct cf_grant g;
        uint32_t inode = cf_new(c);

        cf_status_is(c, "WRITE_CHUNK with index 0x80000000",
                     cf_write_chunk(c, c->ma, inode, 0x80000000, 0, &g), WIRE_STATUS_INDEXTOOBIG);
        cf_status_is(c, "READ_CHUNK with index 0x80000000", cf_read_chunk(c, c->ma, inode, 0x80000000, &g),
                     WIRE_STATUS_INDEXTOOBIG);
}

static void no_file(struct cf *c)
{
        struct cf_grant g;

        cf_status_is(c, "WRITE_CHUNK of a folder", cf_write_chunk(c, c->ma, cf_dir(c), 0, 0, &g),
                     WIRE_STATUS_EPERM);
        cf_status_is(c, "READ_CHUNK of a folder", cf_read_chunk(c, c->ma, cf_dir(c), 0, &g),
                     WIRE_STATUS_EPERM);
        cf_status_is(c, "WRITE_CHUNK of an inode that is not there",
                     cf_write_chunk(c, c->ma, 0x7FFFFF00, 0, 0, &g), WIRE_STATUS_ENOENT);
        cf_status_is(c, "READ_CHUNK of an inode that is not there",
                     cf_read_chunk(c, c->ma, 0x7FFFFF00, 0, &g), WIRE_STATUS_ENOENT);
}

static void short_forms(struct cf *c)
{
        uint8_t payload[12];
        struct wire_msg reply;

        wire_put32(payload, 9);
        wire_put32(payload + 4, cf_new(c));
        wire_put32(payload + 8, 0);
        cf_packet(c, c->ma, WIRE_CLTOMA_FUSE_READ_CHUNK, payload, sizeof(payload));
        cf_take(c, c->ma, WIRE_MATOCL_FUSE_READ_CHUNK, &reply);
        cf_eq(c, "chunk id of an empty file", cf_u(c, &reply, WF_CHUNKID), 0);
}

/* Waits for a packet of this type that nobody asked for. */
static bool told(struct cf *c, struct cf_link *l, uint32_t type)
{
        for (int i = 0; i < 10; i++) {
                if (cf_next(c, l, 3000) <= 0)
                        return false;
                if (l->type == type)
                        return true;
        }
        return false;
}

static void others_are_told(struct cf *c)
{
        struct cf_link *other = cf_client(c);
        struct cf_grant g;
        struct wire_msg m, reply;
        uint32_t inode = cf_new(c);

        if (!wire_ver_at_least(c->declared, WIRE_VER(3, 0, 74))) {
                cf_skip(c, "the client declares less than 3.0.74");
                return;
        }
        cf_msg(&m, WIRE_CLTOMA_FUSE_OPEN);
        wire_set_u(&m, WF_INODE, inode);
        cf_ug(c, &m);
        wire_set_u(&m, WF_FLAGS, WIRE_OPEN_READ);
        cf_call(c, other, &m, &reply);
        cf_grant(c, inode, 0, &g);
        if (!c->failed && !told(c, other, WIRE_MATOCL_FUSE_CHUNK_HAS_CHANGED))
                cf_fail(c, "CHUNK_HAS_CHANGED does not come to a client that has the file open");
        if (!c->failed)
                cf_true(c, other->len >= 20, "CHUNK_HAS_CHANGED is too short for a chunk");
        if (!c->failed) {
                cf_eq(c, "msgid of CHUNK_HAS_CHANGED", wire_be32(other->buf), 0);
                cf_eq(c, "inode in it", wire_be32(other->buf + 4), inode);
                cf_eq(c, "chunk in it", wire_be64(other->buf + 12), g.chunk);
        }
        cf_status_is(c, "END", cf_end(c, c->ma, &g, 10), WIRE_STATUS_OK);
        if (!c->failed && !told(c, other, WIRE_MATOCL_FUSE_CHUNK_HAS_CHANGED))
                cf_fail(c, "CHUNK_HAS_CHANGED does not come at the END");
}

static void snapshot(struct cf *c, uint32_t inode, const char *name)
{
        struct wire_msg m;

        cf_msg(&m, WIRE_CLTOMA_FUSE_SNAPSHOT);
        wire_set_u(&m, WF_SRC_INODE, inode);
        wire_set_u(&m, WF_DST_PARENT, cf_dir(c));
        wire_set_str(&m, WF_DST_NAME, name);
        cf_ug(c, &m);
        wire_set_u(&m, WF_SMODE, 0);
        wire_set_u(&m, WF_UMASK, 0);
        cf_want(c, c->ma, &m, WIRE_STATUS_OK);
}

static void shared_gets_new_id(struct cf *c)
{
        struct cf_grant g, again;
        uint32_t inode = cf_file(c, 1000, 5, &g);

        snapshot(c, inode, "snapshot");
        cf_grant(c, inode, 0, &again);
        cf_true(c, c->failed || again.chunk != g.chunk,
                "a chunk that a snapshot shares is granted under its old id");
        cf_status_is(c, "END", cf_end(c, c->ma, &again, 0), WIRE_STATUS_OK);
}

static void snapshot_keeps_bytes(struct cf *c)
{
        uint8_t old[1000], fresh[1000], status;
        struct cf_grant g, again, kept;
        uint32_t inode = cf_file(c, sizeof(old), 6, &g), copy;
        struct cf_link *cs;

        cf_fill(old, sizeof(old), 6);
        cf_fill(fresh, sizeof(fresh), 7);
        snapshot(c, inode, "snapshot");
        copy = cf_lookup(c, c->ma, cf_dir(c), "snapshot", &status);
        cs = cf_session(c, inode, &again);
        cf_cs_good(c, cs, &again, 1, 0, 0, fresh, sizeof(fresh));
        cf_cs_ack(c, cs, 1, WIRE_STATUS_OK);
        cf_cs_finish(c, cs, &again);
        cf_status_is(c, "END", cf_end(c, c->ma, &again, sizeof(fresh)), WIRE_STATUS_OK);
        cf_places(c, copy, 0, &kept);
        cf_copies_hold(c, &kept, 0, old, sizeof(old));
        cf_copies_hold(c, &again, 0, fresh, sizeof(fresh));
}

const struct cf_check cf_checks_chunk[] = {
        CHECK("chunk/grant", ANY, grant_new, "5.1", BOTH,
              "WRITE_CHUNK of an empty file gives a new chunk of version 1 and its servers, each once"),
        CHECK("chunk/rewrite", ANY, rewrite_keeps_id, "5.1", BOTH,
              "a second grant has the same id and version"),
        CHECK("chunk/locked-write", ANY, locked_write, "4.1", BOTH,
              "WRITE_CHUNK of a locked chunk waits for the END"),
        CHECK("chunk/locked-read", ANY, locked_read, "4.1", BOTH,
              "READ_CHUNK of a locked chunk waits for the END"),
        CHECK("chunk/locked-own", ANY, locked_own, "5.1", BOTH,
              "the holder itself waits too; the END of any connection gives the lock back"),
        SLOW("chunk/parked", ANY, park_limit, "0", BOTH, "after 30 s of waiting: status 11"),
        CHECK("chunk/continue", ANY, continue_op, "5.1", BOTH,
              "CONTINUEOP is granted although the chunk is locked"),
        CHECK("chunk/end-length", ANY, end_sets_length, "5.6", BOTH, "END makes the file longer"),
        CHECK("chunk/end-shrink", ANY, end_never_shrinks, "5.6", BOTH,
              "END with a smaller length changes nothing"),
        CHECK("chunk/end-twice", ANY, end_twice, "5.6", BOTH, "a second END: status 0"),
        CHECK("chunk/end-unknown", ANY, end_unknown, "5.6", BOTH, "END of an unknown chunk: status 13"),
        CHECK("chunk/end-inode", ANY, end_wrong_inode, "5.6", BOTH,
              "END with a length and an inode that is not there: status 3"),
        CHECK("chunk/end-failed", ANY, end_failed_keeps_lock, "5.6", BOTH,
              "an END that failed has not given the lock back"),
        CHECK("chunk/later-index", ANY, later_index, "5.1", BOTH,
              "WRITE_CHUNK behind the end makes the file longer at once; chunks in between are holes"),
        CHECK("chunk/behind-end", ANY, behind_end, "4.1", BOTH,
              "READ_CHUNK behind the end: chunk 0, and the length"),
        CHECK("chunk/index", ANY, index_too_big, "0", BOTH, "an index above 0x7FFFFFFF: status 10"),
        CHECK("chunk/no-file", ANY, no_file, "4.1", BOTH, "folders: status 1; what is not there: status 3"),
        CHECK("chunk/short-form", ANY, short_forms, "4.1", BOTH, "READ_CHUNK is taken without flags too"),
        CHECK("chunk/told", ANY, others_are_told, "1.7", BOTH,
              "a client that has the file open is told of the grant and of the END (702)"),
        CHECK("chunk/shared", ANY, shared_gets_new_id, "5.1", BOTH,
              "a chunk that a snapshot shares is granted under a new id"),
        CHECK("chunk/snapshot", ANY, snapshot_keeps_bytes, "5.8", BOTH,
              "what is written after a snapshot is not seen in the snapshot"),
        CHECKS_END,
};
