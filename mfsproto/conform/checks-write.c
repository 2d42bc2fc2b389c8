/* SPDX-License-Identifier: MIT */
/* Write sessions at chunkservers, alone and in a chain. What is refused must not be stored. */
#include <stdlib.h>

#include "core/crc.h"
#include "mfsproto/conform/checks.h"

/* A session with the first server alone: what it says is not hidden by a chain. */
static struct cf_link *alone(struct cf *c, struct cf_grant *g)
{
        uint32_t inode = cf_new(c);
        struct cf_link *cs;

        cf_grant(c, inode, 0, g);
        if (g->n)
                g->n = 1;
        cs = cf_cs(c, g, 0);
        if (c->failed)
                return cs;
        cf_cs_write(c, cs, g, 0, 1);
        cf_cs_ack(c, cs, 0, WIRE_STATUS_OK);
        return cs;
}

static struct cf_link *chained(struct cf *c, struct cf_grant *g)
{
        struct cf_link *cs = cf_session(c, cf_new(c), g);

        cf_chain_needed(c, g);
        return cs;
}

static void end(struct cf *c, const struct cf_grant *g, uint64_t length)
{
        cf_status_is(c, "END", cf_end(c, c->ma, g, length), WIRE_STATUS_OK);
}

static void copies_equal(struct cf *c)
{
        enum { N = 5 * CF_BLOCK + 123 };
        struct cf_grant g;
        uint8_t *want = malloc(N);

        cf_file(c, N, 21, &g);
        if (!want) {
                cf_unsure(c, "no memory");
                return;
        }
        cf_fill(want, N, 21);
        cf_copies_hold(c, &g, 0, want, N);
        free(want);
}

static void other_order(struct cf *c)
{
        uint8_t data[5000];
        struct cf_grant g;
        struct cf_link *cs;

        cf_grant(c, cf_new(c), 0, &g);
        cf_chain_needed(c, &g);
        cf_fill(data, sizeof(data), 22);
        cs = c->failed ? NULL : cf_cs(c, &g, 1);
        if (c->failed)
                return;
        cf_cs_write(c, cs, &g, 1, g.n);
        cf_cs_ack(c, cs, 0, WIRE_STATUS_OK);
        cf_cs_good(c, cs, &g, 1, 0, 0, data, sizeof(data));
        cf_cs_ack(c, cs, 1, WIRE_STATUS_OK);
        cf_cs_finish(c, cs, &g);
        end(c, &g, sizeof(data));
        cf_copies_hold(c, &g, 0, data, sizeof(data));
}

static void many_in_flight(struct cf *c)
{
        uint8_t data[1000];
        struct cf_grant g;
        struct cf_link *cs = cf_session(c, cf_new(c), &g);

        cf_fill(data, sizeof(data), 23);
        for (uint32_t i = 0; i < 64; i++)
                cf_cs_good(c, cs, &g, i + 1, (uint16_t)(i % 4), (uint16_t)(i * 1000), data, sizeof(data));
        for (uint32_t i = 0; i < 64; i++)
                cf_cs_ack(c, cs, i + 1, WIRE_STATUS_OK);
        cf_cs_finish(c, cs, &g);
        end(c, &g, 0);
}

static void chain_refuses(struct cf *c, struct cf_grant *g, uint8_t status)
{
        struct cf_link *cs;

        cs = c->failed ? NULL : cf_cs(c, g, 0);
        if (c->failed)
                return;
        cf_cs_write(c, cs, g, 0, 1);
        cf_cs_ack(c, cs, 0, status);
        /* and the connection is still good */
        cf_cs_write(c, cs, g, 0, 1);
        cf_cs_ack(c, cs, 0, status);
}

static void wrong_version(struct cf *c)
{
        struct cf_grant g, wrong;

        cf_grant(c, cf_new(c), 0, &g);
        wrong = g;
        wrong.version += 7;
        chain_refuses(c, &wrong, WIRE_STATUS_WRONGVERSION);
        end(c, &g, 0);
}

static void unknown_chunk(struct cf *c)
{
        struct cf_grant g, wrong;

        cf_grant(c, cf_new(c), 0, &g);
        wrong = g;
        wrong.chunk = UINT64_C(0x0000FFFFFFFFFF00);
        chain_refuses(c, &wrong, WIRE_STATUS_NOCHUNK);
        end(c, &g, 0);
}

static void unreachable(struct cf *c)
{
        struct cf_grant g, wrong;
        struct cf_link *cs;

        cf_grant(c, cf_new(c), 0, &g);
        if (c->failed)
                return;
        wrong = g;
        wrong.n = 2;
        wrong.ip[1] = g.ip[0];
        wrong.port[1] = 1; /* nobody listens there */
        cs = cf_cs(c, &wrong, 0);
        cf_cs_write(c, cs, &wrong, 0, 2);
        cf_cs_ack(c, cs, 0, WIRE_STATUS_CANTCONNECT);
        end(c, &g, 0);
}

/* ---- data that must not be taken ----------------------------------------------------------------------------- */

static void store(struct cf *c, struct cf_link *cs, const struct cf_grant *g, uint32_t writeid, uint8_t byte)
{
        uint8_t data[100];

        memset(data, byte, sizeof(data));
        cf_cs_good(c, cs, g, writeid, 0, 0, data, sizeof(data));
        cf_cs_ack(c, cs, writeid, WIRE_STATUS_OK);
}

/* A server alone: bytes of `old`, then a packet that is refused, then still the bytes of old. */
static void refused(struct cf *c, uint64_t id_xor, uint16_t block, uint16_t offset, uint32_t size,
                    uint32_t crc_xor, uint8_t status)
{
        uint8_t *data = calloc(1, 99000), old[100];
        struct cf_grant g;
        struct cf_link *cs = alone(c, &g);
        struct wire_data d = { g.chunk ^ id_xor, 2, block, offset, size, 0 };

        memset(old, 0x11, sizeof(old));
        store(c, cs, &g, 1, 0x11);
        if (data && !c->failed) {
                memset(data, 0x22, 99000);
                d.crc = ri_crc32(0, data, size) ^ crc_xor;
                cf_cs_data(c, cs, &d, data);
                cf_cs_ack(c, cs, 2, status);
        }
        free(data);
        cf_copies_hold(c, &g, 0, old, sizeof(old));
        end(c, &g, 0);
}

static void bad_crc(struct cf *c)
{
        refused(c, 0, 0, 0, 100, 1, WIRE_STATUS_CRC);
}

static void crossing(struct cf *c)
{
        refused(c, 0, 0, 65500, 100, 0, WIRE_STATUS_WRONGOFFSET);
}

static void too_large(struct cf *c)
{
        refused(c, 0, 0, 0, 65537, 0, WIRE_STATUS_WRONGSIZE);
}

static void block_1024(struct cf *c)
{
        refused(c, 0, 1024, 0, 100, 0, WIRE_STATUS_BNUMTOOBIG);
}

static void other_chunk(struct cf *c)
{
        refused(c, 0x100, 0, 0, 100, 0, WIRE_STATUS_WRONGCHUNKID);
}

/* In a chain no status comes, only the end. */
static void chain_closes(struct cf *c, uint16_t block, uint16_t offset, uint32_t size, uint32_t crc_xor,
                         const char *what)
{
        static const uint8_t data[66000];
        struct cf_grant g;
        struct cf_link *cs = chained(c, &g);
        struct wire_data d = { g.chunk, 1, block, offset, size, ri_crc32(0, data, size) ^ crc_xor };

        cf_cs_data(c, cs, &d, data);
        cf_want_closed(c, cs, what);
        end(c, &g, 0);
}

static void chain_bad_crc(struct cf *c)
{
        chain_closes(c, 0, 0, 100, 1, "data with a bad CRC in a chain");
}

static void chain_crossing(struct cf *c)
{
        chain_closes(c, 0, 65500, 100, 0, "data that cross a block in a chain");
}

static void chain_block(struct cf *c)
{
        chain_closes(c, 1024, 0, 100, 0, "block 1024 in a chain");
}

static void length_differs(struct cf *c)
{
        uint8_t p[WIRE_WRITE_DATA_HEADER + 50] = { 0 };
        struct cf_grant g;
        struct cf_link *cs = alone(c, &g);

        wire_put64(p, g.chunk);
        wire_put32(p + 8, 1);
        wire_put32(p + 16, 60);
        cf_packet(c, cs, WIRE_CLTOCS_WRITE_DATA, p, sizeof(p));
        cf_want_closed(c, cs, "data whose size is not that of the packet");
        end(c, &g, 0);
}

static void not_in_session(struct cf *c)
{
        struct cf_grant g;
        struct cf_link *cs = chained(c, &g);

        cf_cs_read(c, cs, g.chunk, g.version, 0, 100);
        cf_want_closed(c, cs, "a READ inside a write session");
        end(c, &g, 0);
}

/* ---- what data do -------------------------------------------------------------------------------------------- */

static void size_zero(struct cf *c)
{
        static const uint8_t want[CF_BLOCK];
        struct cf_grant g;
        struct cf_link *cs = cf_session(c, cf_new(c), &g);

        cf_cs_good(c, cs, &g, 1, 2, 0, "", 0);
        cf_cs_ack(c, cs, 1, WIRE_STATUS_OK);
        cf_cs_finish(c, cs, &g);
        end(c, &g, 0);
        cf_copies_hold(c, &g, 2 * CF_BLOCK, want, sizeof(want));
}

static void new_block_zeros(struct cf *c)
{
        uint8_t *want = calloc(1, 3 * CF_BLOCK), data[500];
        struct cf_grant g;
        struct cf_link *cs = cf_session(c, cf_new(c), &g);

        cf_fill(data, sizeof(data), 24);
        cf_cs_good(c, cs, &g, 1, 2, 1000, data, sizeof(data));
        cf_cs_ack(c, cs, 1, WIRE_STATUS_OK);
        cf_cs_finish(c, cs, &g);
        end(c, &g, 0);
        if (want) {
                memcpy(want + 2 * CF_BLOCK + 1000, data, sizeof(data));
                cf_copies_hold(c, &g, 0, want, 3 * CF_BLOCK);
        }
        free(want);
}

static void part_of_block(struct cf *c)
{
        uint8_t want[2000], fresh[300];
        struct cf_grant g;
        struct cf_link *cs;
        uint32_t inode = cf_file(c, sizeof(want), 25, &g);

        cf_fill(want, sizeof(want), 25);
        cf_fill(fresh, sizeof(fresh), 26);
        memcpy(want + 700, fresh, sizeof(fresh));
        cs = cf_session(c, inode, &g);
        cf_cs_good(c, cs, &g, 1, 0, 700, fresh, sizeof(fresh));
        cf_cs_ack(c, cs, 1, WIRE_STATUS_OK);
        cf_cs_finish(c, cs, &g);
        end(c, &g, 0);
        cf_copies_hold(c, &g, 0, want, sizeof(want));
}

static void after_finish(struct cf *c)
{
        struct cf_grant g;
        struct cf_link *cs = alone(c, &g);

        store(c, cs, &g, 1, 0x33);
        cf_cs_finish(c, cs, &g);
        cf_cs_write(c, cs, &g, 0, 1);
        cf_cs_ack(c, cs, 0, WIRE_STATUS_OK);
        store(c, cs, &g, 1, 0x44);
        cf_cs_finish(c, cs, &g);
        end(c, &g, 0);
}

static void wrong_finish(struct cf *c)
{
        struct cf_grant g, wrong;
        struct cf_link *cs = alone(c, &g);

        wrong = g;
        wrong.version += 3;
        cf_cs_finish(c, cs, &wrong);
        cf_cs_ack(c, cs, 0, WIRE_STATUS_WRONGCHUNKID);
        end(c, &g, 0);
}

static void close_is_no_loss(struct cf *c)
{
        uint8_t want[100];
        struct cf_grant g;
        struct cf_link *cs = cf_session(c, cf_new(c), &g);

        memset(want, 0x55, sizeof(want));
        store(c, cs, &g, 1, 0x55);
        if (cs)
                cf_close(cs);
        end(c, &g, sizeof(want));
        cf_copies_hold(c, &g, 0, want, sizeof(want));
}

static void truncate_to(struct cf *c, uint32_t inode, uint64_t length)
{
        struct wire_msg m;

        cf_msg(&m, WIRE_CLTOMA_FUSE_TRUNCATE);
        wire_set_u(&m, WF_INODE, inode);
        wire_set_u(&m, WF_FLAGS, 0);
        cf_ug(c, &m);
        wire_set_u(&m, WF_LENGTH, length);
        cf_want(c, c->ma, &m, WIRE_STATUS_OK);
}

static void truncate_zeroes(struct cf *c)
{
        uint8_t want[1000];
        struct cf_grant g, now;
        uint32_t inode = cf_file(c, sizeof(want), 27, &g);

        cf_fill(want, sizeof(want), 27);
        truncate_to(c, inode, 400);
        truncate_to(c, inode, 1000);
        memset(want + 400, 0, 600);
        cf_places(c, inode, 0, &now);
        cf_copies_hold(c, &now, 0, want, sizeof(want));
        cf_true(c, c->failed || now.version > g.version,
                "a truncate inside a chunk did not raise its version");
}

static void old_version_refused(struct cf *c)
{
        struct cf_grant g;
        struct cf_link *cs;
        uint32_t inode = cf_file(c, 1000, 28, &g);

        truncate_to(c, inode, 400);
        cs = cf_cs(c, &g, 0);
        if (c->failed)
                return;
        cf_cs_write(c, cs, &g, 0, 1);
        cf_cs_ack(c, cs, 0, WIRE_STATUS_WRONGVERSION);
}

const struct cf_check cf_checks_write[] = {
        CHECK("write/copies", ANY, copies_equal, "5.3", BOTH, "what was acknowledged is on every copy"),
        CHECK("write/order", ANY, other_order, "5.2", BOTH,
              "the servers of a grant may be chained in any order"),
        CHECK("write/window", ANY, many_in_flight, "5.4", BOTH,
              "64 packets in flight are answered in their order"),
        CHECK("write/version", ANY, wrong_version, "5.2", BOTH,
              "WRITE with another version: status 19 for writeid 0; the connection stays good"),
        CHECK("write/unknown", ANY, unknown_chunk, "5.2", BOTH,
              "WRITE of an unknown chunk: status 13 for writeid 0; the connection stays good"),
        CHECK("write/unreachable", ANY, unreachable, "5.2", BOTH,
              "the next server cannot be reached: status 26 for writeid 0"),
        CHECK("write/crc", ANY, bad_crc, "5.3", BOTH, "a bad CRC: status 29, nothing is written"),
        CHECK("write/crossing", ANY, crossing, "5.3", BOTH,
              "data that cross a block: status 25, nothing is written"),
        CHECK("write/size", ANY, too_large, "5.3", BOTH,
              "data of 65537 bytes: status 24, nothing is written"),
        CHECK("write/block", ANY, block_1024, "5.3", BOTH, "block 1024: status 23, nothing is written"),
        CHECK("write/chunk-id", ANY, other_chunk, "5.3", BOTH,
              "data for another chunk: status 27, nothing is written"),
        CHECK("write/chain-crc", ANY, chain_bad_crc, "5.5", BOTH, "in a chain a bad CRC ends the connection"),
        CHECK("write/chain-crossing", ANY, chain_crossing, "5.5", BOTH,
              "in a chain data that cross a block end the connection"),
        CHECK("write/chain-block", ANY, chain_block, "5.5", BOTH,
              "in a chain block 1024 ends the connection"),
        CHECK("write/length", ANY, length_differs, "5.5", BOTH,
              "data whose size is not that of the packet end the connection"),
        CHECK("write/other-packet", ANY, not_in_session, "5.5", BOTH,
              "in a chain another command ends the connection"),
        CHECK("write/size-zero", ANY, size_zero, "5.3", BOTH, "data of no bytes make the block, of zeros"),
        CHECK("write/new-block", ANY, new_block_zeros, "5.3", BOTH,
              "the rest of a new block, and a gap before it, are zeros"),
        CHECK("write/part", ANY, part_of_block, "5.3", BOTH, "a part of a block leaves the rest as it was"),
        CHECK("write/finish", ANY, after_finish, "5.6", BOTH,
              "after FINISH the connection takes another WRITE"),
        CHECK("write/wrong-finish", ANY, wrong_finish, "5.2", BOTH,
              "FINISH for another version: status 27 for writeid 0"),
        CHECK("write/close", ANY, close_is_no_loss, "5.6", BOTH,
              "a close without FINISH loses nothing that was acknowledged"),
        CHECK("write/truncate", ANY, truncate_zeroes, "3.5", BOTH,
              "truncating down and up again gives zeros, and a higher version"),
        CHECK("write/stale", ANY, old_version_refused, "5.2", BOTH,
              "a grant from before a truncate is good for nothing: status 19"),
        CHECKS_END,
};
