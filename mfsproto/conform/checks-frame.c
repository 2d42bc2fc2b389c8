/* SPDX-License-Identifier: MIT */
/* Packets as such: lengths, numbers, NOPs, versions, what ends a connection. */
#include "mfsproto/conform/checks.h"

static void getattr(struct cf *c, struct wire_msg *m, uint32_t msgid)
{
        cf_msg(m, WIRE_CLTOMA_FUSE_GETATTR);
        if (msgid)
                wire_set_u(m, WF_MSGID, msgid);
        wire_set_u(m, WF_INODE, WIRE_ROOT_INODE);
        wire_set_u(m, WF_OPENED, 0);
        wire_set_u(m, WF_UID, c->uid);
        wire_set_u(m, WF_GID, c->gid);
}

static void msgid_echo(struct cf *c)
{
        static const uint32_t ids[] = { 0xDEADBEEF, 1, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF };
        struct wire_msg m, reply;

        for (size_t i = 0; i < sizeof(ids) / sizeof(ids[0]); i++) {
                getattr(c, &m, ids[i]);
                cf_call(c, c->ma, &m, &reply);
        }
}

static void pipelined(struct cf *c)
{
        uint8_t bytes[5 * 25];
        struct wire_msg reply;
        uint32_t seen = 0;

        for (uint32_t i = 0; i < 5; i++) {
                uint8_t *p = bytes + (size_t)i * 25;

                wire_put32(p, WIRE_CLTOMA_FUSE_GETATTR);
                wire_put32(p + 4, 17);
                wire_put32(p + 8, i + 1);
                wire_put32(p + 12, WIRE_ROOT_INODE);
                p[16] = 0;
                wire_put32(p + 17, c->uid);
                wire_put32(p + 21, c->gid);
        }
        cf_bytes(c, c->ma, bytes, sizeof(bytes));
        for (int i = 0; i < 5; i++) {
                cf_take(c, c->ma, WIRE_MATOCL_FUSE_GETATTR, &reply);
                seen |= 1u << (cf_u(c, &reply, WF_MSGID) & 31);
        }
        cf_eq(c, "the set of answered requests 1 to 5", seen, 0x3E);
}

static void in_pieces(struct cf *c)
{
        uint8_t p[25] = { 0 };
        struct wire_msg reply;

        wire_put32(p, WIRE_CLTOMA_FUSE_GETATTR);
        wire_put32(p + 4, 17);
        wire_put32(p + 8, 77);
        wire_put32(p + 12, WIRE_ROOT_INODE);
        for (size_t i = 0; i < sizeof(p); i++)
                cf_bytes(c, c->ma, p + i, 1);
        cf_take(c, c->ma, WIRE_MATOCL_FUSE_GETATTR, &reply);
        cf_eq(c, "msgid", cf_u(c, &reply, WF_MSGID), 77);
}

static void unregistered(struct cf *c)
{
        struct cf_link *l = cf_master(c);
        struct wire_msg m;

        getattr(c, &m, 1);
        cf_send(c, l, &m);
        cf_want_closed(c, l, "a GETATTR before the register");
}

static void unknown_command(struct cf *c)
{
        static const uint8_t payload[4] = { 0, 0, 0, 9 };

        cf_packet(c, c->ma, 999, payload, sizeof(payload));
        cf_want_closed(c, c->ma, "packet 999");
}

static void wrong_length(struct cf *c)
{
        static const uint8_t payload[32] = { 0, 0, 0, 9, 0, 0, 0, 1 };
        static const uint8_t lengths[] = { 3, 7, 9, 15, 18 };

        for (size_t i = 0; i < sizeof(lengths); i++) {
                struct cf_link *l = cf_client(c);

                cf_packet(c, l, WIRE_CLTOMA_FUSE_GETATTR, payload, lengths[i]);
                cf_want_closed(c, l, "a GETATTR of a wrong length");
        }
}

static void old_lengths(struct cf *c)
{
        static const uint8_t payload[32] = { 0, 0, 0, 9, 0, 0, 0, 1 };
        static const uint8_t lengths[] = { 8, 16, 17 };
        struct wire_msg reply;

        for (size_t i = 0; i < sizeof(lengths); i++) {
                cf_packet(c, c->ma, WIRE_CLTOMA_FUSE_GETATTR, payload, lengths[i]);
                cf_take(c, c->ma, WIRE_MATOCL_FUSE_GETATTR, &reply);
        }
}

static void oversize(struct cf *c)
{
        uint8_t head[WIRE_HEADER_SIZE];

        wire_put32(head, WIRE_CLTOMA_FUSE_LOOKUP);
        wire_put32(head + 4, WIRE_MAX_TO_MASTER + 1);
        cf_bytes(c, c->ma, head, sizeof(head));
        cf_want_closed(c, c->ma, "a packet of 50000001 bytes");
}

static void reply_number(struct cf *c)
{
        static const uint8_t payload[32] = { 0, 0, 0, 9, 0, 0, 0, 1 };

        cf_packet(c, c->ma, WIRE_MATOCL_FUSE_GETATTR, payload, 5);
        cf_want_closed(c, c->ma, "a packet that only masters send");
}

static void nop_comes(struct cf *c)
{
        int got = cf_next_any(c, c->ma, CF_WAIT_MS);

        if (got <= 0)
                cf_fail(c, "a NOP is expected after a second of silence; nothing comes");
        else if (c->ma->type != WIRE_ANTOAN_NOP)
                cf_fail(c, "a NOP is expected, got %s", wire_packet_name(c->ma->type));
        else
                cf_eq(c, "length of the NOP", c->ma->len, 4);
}

static void nop_taken(struct cf *c)
{
        static const uint8_t payload[4];
        struct wire_msg m, reply;

        for (int i = 0; i < 100; i++)
                cf_packet(c, c->ma, WIRE_ANTOAN_NOP, payload, sizeof(payload));
        getattr(c, &m, 5);
        cf_call(c, c->ma, &m, &reply);
}

static void get_version(struct cf *c)
{
        struct cf_link *l = cf_master(c);
        struct wire_msg m, reply;

        cf_msg(&m, WIRE_ANTOAN_GET_VERSION);
        cf_call(c, l, &m, &reply);
        cf_eq(c, "version without a session", cf_u(c, &reply, WF_VERSION), c->server);
        cf_msg(&m, WIRE_ANTOAN_GET_VERSION);
        wire_set_u(&m, WF_MSGID, 11);
        cf_call(c, c->ma, &m, &reply);
        cf_eq(c, "msgid", cf_u(c, &reply, WF_MSGID), 11);
        cf_eq(c, "version in a session", cf_u(c, &reply, WF_VERSION), c->server);
}

static void fsync_kills(struct cf *c)
{
        static const uint8_t payload[8] = { 0, 0, 0, 9, 0, 0, 0, 1 };

        cf_packet(c, c->ma, WIRE_CLTOMA_FUSE_FSYNC, payload, sizeof(payload));
        cf_want_closed(c, c->ma, "FSYNC (498), which is in a header only");
}

/* Closed after 10 s: measured bounds, wide enough for a loaded machine. */
static void idle_closed(struct cf *c)
{
        int got = 1;
        unsigned nops = 0;

        while (got > 0 && nops < 60) {
                got = cf_next_any(c, c->ma, CF_WAIT_MS);
                nops += got > 0;
        }
        if (got)
                cf_fail(c, "a silent client is not disconnected (%u NOPs came)", nops);
        else if (nops < 5)
                cf_fail(c, "a silent client is disconnected before 10 s (%u NOPs came)", nops);
}

const struct cf_check cf_checks_frame[] = {
        CHECK("frame/msgid", ANY, msgid_echo, "1.3", BOTH,
              "a reply carries the msgid of its request, whatever its 32 bits"),
        CHECK("frame/pipelined", ANY, pipelined, "1.3", BOTH, "requests in one segment are all answered"),
        CHECK("frame/pieces", ANY, in_pieces, "1.1", BOTH, "a request that comes byte by byte is answered"),
        CHECK("frame/unregistered", ANY, unregistered, "1.6", BOTH,
              "a namespace command before the register ends the connection"),
        CHECK("frame/unknown", ANY, unknown_command, "1.6", BOTH,
              "an unknown packet number ends the connection"),
        CHECK("frame/wrong-length", ANY, wrong_length, "1.6", BOTH,
              "a length that a command does not have ends the connection"),
        CHECK("frame/old-lengths", ANY, old_lengths, "3.2", BOTH, "GETATTR is taken with 8, 16 and 17 bytes"),
        CHECK("frame/oversize", ANY, oversize, "1.1", BOTH,
              "a packet over 50000000 bytes ends the connection"),
        CHECK("frame/reply-number", ANY, reply_number, "1.6", BOTH,
              "a packet that only masters send ends the connection"),
        CHECK("frame/nop-comes", ANY, nop_comes, "1.2", BOTH,
              "a master that has nothing to say sends a NOP of 4 bytes each second"),
        CHECK("frame/nop-taken", ANY, nop_taken, "1.2", BOTH, "NOPs are taken and not answered"),
        CHECK("frame/get-version", ANY, get_version, "1.2", BOTH,
              "GET_VERSION is answered with and without a session"),
        CHECK("frame/fsync", ANY, fsync_kills, "5.7", BOTH, "FSYNC ends the connection"),
        SLOW("frame/idle", ANY, idle_closed, "0", BOTH, "a client that is silent for 10 s is disconnected"),
        CHECKS_END,
};
