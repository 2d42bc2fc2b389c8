/* SPDX-License-Identifier: MIT */
/* What chunkservers tell about their copies. */
#include <stdlib.h>

#include "core/crc.h"
#include "mfsproto/conform/checks.h"

enum { N = 2 * CF_BLOCK + 100 };

static struct cf_link *ready(struct cf *c, struct cf_grant *g)
{
        cf_file(c, N, 31, g);
        return cf_cs(c, g, 0);
}

static void ask(struct cf *c, struct cf_link *cs, uint32_t type, uint64_t chunk, uint32_t version,
                struct wire_msg *reply)
{
        struct wire_msg m;

        cf_msg(&m, type);
        wire_set_u(&m, WF_CHUNKID, chunk);
        wire_set_u(&m, WF_CHUNKVER, version);
        cf_call(c, cs, &m, reply);
}

static void blocks(struct cf *c)
{
        struct cf_grant g;
        struct cf_link *cs = ready(c, &g);
        struct wire_msg r;

        ask(c, cs, WIRE_ANTOCS_GET_CHUNK_BLOCKS, g.chunk, g.version, &r);
        cf_eq(c, "status", cf_u(c, &r, WF_STATUS), WIRE_STATUS_OK);
        cf_eq(c, "blocks", cf_u(c, &r, WF_BLOCKS), 3);
        ask(c, cs, WIRE_ANTOCS_GET_CHUNK_BLOCKS, g.chunk, 0, &r);
        cf_eq(c, "status for version 0", cf_u(c, &r, WF_STATUS), WIRE_STATUS_OK);
}

static void blocks_unknown(struct cf *c)
{
        struct cf_grant g;
        struct cf_link *cs = ready(c, &g);
        struct wire_msg r;

        ask(c, cs, WIRE_ANTOCS_GET_CHUNK_BLOCKS, UINT64_C(0x0000FFFFFFFFFF00), 0, &r);
        cf_eq(c, "status", cf_u(c, &r, WF_STATUS), WIRE_STATUS_NOCHUNK);
        cf_eq(c, "blocks", cf_u(c, &r, WF_BLOCKS), 0);
}

static const uint8_t *table(struct cf *c, struct cf_link *cs, const struct cf_grant *g)
{
        struct wire_msg r;

        ask(c, cs, WIRE_ANTOCS_GET_CHUNK_CHECKSUM_TAB, g->chunk, g->version, &r);
        if (c->failed)
                return NULL;
        cf_eq(c, "length of the table's packet", cs->len, 4108);
        return c->failed ? NULL : cs->buf + 12;
}

static void tables(struct cf *c)
{
        uint8_t *data = calloc(3, CF_BLOCK);
        struct cf_grant g;
        struct cf_link *cs = ready(c, &g);
        const uint8_t *t = table(c, cs, &g);

        if (!data)
                cf_unsure(c, "no memory");
        if (data)
                cf_fill(data, N, 31);
        for (uint32_t i = 0; data && t && i < 3; i++)
                cf_eq(c, "CRC of a block, the last one padded with zeros", wire_be32(t + 4 * i),
                      ri_crc32(0, data + i * CF_BLOCK, CF_BLOCK));
        for (uint32_t i = 3; t && i < WIRE_BLOCKS_PER_CHUNK; i++)
                cf_eq(c, "CRC of a block that is not stored", wire_be32(t + 4 * i), RI_CRC_ZERO_BLOCK);
        free(data);
}

static void checksum(struct cf *c)
{
        struct cf_grant g;
        struct cf_link *cs = ready(c, &g);
        const uint8_t *t = table(c, cs, &g);
        struct wire_msg r;
        uint32_t x = 1;

        for (uint32_t i = 0; t && i < WIRE_BLOCKS_PER_CHUNK; i++)
                x = x * UINT32_C(426265243) ^ wire_be32(t + 4 * i);
        ask(c, cs, WIRE_ANTOCS_GET_CHUNK_CHECKSUM, g.chunk, g.version, &r);
        cf_eq(c, "checksum over the table", cf_u(c, &r, WF_CHECKSUM), x);
}

static void refusals(struct cf *c)
{
        static const uint32_t types[] = { WIRE_ANTOCS_GET_CHUNK_CHECKSUM,
                                          WIRE_ANTOCS_GET_CHUNK_CHECKSUM_TAB };
        struct cf_grant g;
        struct cf_link *cs = ready(c, &g);
        struct wire_msg r;

        for (size_t i = 0; i < 2; i++) {
                ask(c, cs, types[i], UINT64_C(0x0000FFFFFFFFFF00), 0, &r);
                cf_eq(c, "status for an unknown chunk", cf_u(c, &r, WF_STATUS), WIRE_STATUS_NOCHUNK);
                cf_eq(c, "length of a refusal", cs ? cs->len : 0, 13);
        }
}

static void copies_same(struct cf *c)
{
        struct cf_grant g;
        struct wire_msg r;
        uint32_t first = 0;

        cf_file(c, N, 32, &g);
        cf_chain_needed(c, &g);
        for (unsigned i = 0; i < g.n && !c->failed; i++) {
                ask(c, cf_cs(c, &g, i), WIRE_ANTOCS_GET_CHUNK_CHECKSUM, g.chunk, g.version, &r);
                if (!i)
                        first = (uint32_t)cf_u(c, &r, WF_CHECKSUM);
                cf_eq(c, "checksum of another copy", cf_u(c, &r, WF_CHECKSUM), first);
        }
}

static void info_3(struct cf *c)
{
        uint8_t p[13] = { 0 };
        struct cf_grant g;
        struct cf_link *cs = ready(c, &g);

        wire_put64(p, g.chunk);
        wire_put32(p + 8, g.version);
        p[12] = 1;
        cf_packet(c, cs, WIRE_ANTOCS_GET_CHUNK_INFO, p, sizeof(p));
        cf_want_closed(c, cs, "GET_CHUNK_INFO");
}

static void info_4(struct cf *c)
{
        struct cf_grant g;
        struct cf_link *cs = ready(c, &g);
        struct wire_msg m, r;

        cf_msg(&m, WIRE_ANTOCS_GET_CHUNK_INFO);
        wire_set_u(&m, WF_CHUNKID, g.chunk);
        wire_set_u(&m, WF_CHUNKVER, g.version);
        wire_set_u(&m, WF_WHAT, WIRE_CHUNKINFO_BLOCKS | WIRE_CHUNKINFO_CHECKSUM);
        cf_call(c, cs, &m, &r);
        cf_eq(c, "blocks", cf_u(c, &r, WF_BLOCKS), 3);
        (void)cf_u(c, &r, WF_CHECKSUM);
}

static void version(struct cf *c)
{
        struct cf_grant g;
        struct cf_link *cs = ready(c, &g);
        struct wire_msg m, r;

        if (!c->failed && !g.csver[0]) {
                cf_skip(c, "the master tells this client no versions");
                return;
        }
        cf_msg(&m, WIRE_ANTOAN_GET_VERSION);
        cf_call(c, cs, &m, &r);
        cf_eq(c, "the version that a chunkserver says, and the master says of it", cf_u(c, &r, WF_VERSION),
              g.csver[0]);
}

static void disks(struct cf *c)
{
        struct cf_grant g;
        struct cf_link *cs = ready(c, &g);
        struct wire_msg m, r;

        cf_msg(&m, WIRE_CLTOCS_HDD_LIST);
        cf_call(c, cs, &m, &r);
        cf_true(c, c->failed || wire_group_count(&r, WF_DISKS) > 0, "a chunkserver lists no disk");
}

static void module(struct cf *c)
{
        struct cf_grant g;
        struct cf_link *cs = ready(c, &g);
        struct wire_msg m, r;

        cf_msg(&m, WIRE_CLTOAN_MODULE_INFO);
        cf_call(c, cs, &m, &r);
        cf_eq(c, "type of module", cf_u(c, &r, WF_MODULETYPE), 2);
        cf_eq(c, "length", cs ? cs->len : 0, 21);
}

const struct cf_check cf_checks_diagnose[] = {
        CHECK("diagnose/blocks", ANY, blocks, "6.1", BOTH, "the number of stored blocks, also for version 0"),
        CHECK("diagnose/blocks-unknown", ANY, blocks_unknown, "6.1", BOTH,
              "of an unknown chunk: status 13 in the same 15 bytes"),
        CHECK("diagnose/table", ANY, tables, "6.1", BOTH,
              "1024 CRCs: those of stored blocks, then those of empty ones"),
        CHECK("diagnose/checksum", ANY, checksum, "6.1", BOTH, "a fold over the table"),
        CHECK("diagnose/refusals", ANY, refusals, "6.1", BOTH, "of an unknown chunk: status 13 in 13 bytes"),
        CHECK("diagnose/copies", ANY, copies_same, "6.2", BOTH,
              "copies that were written properly have one checksum"),
        CHECK("diagnose/info-3", V3, info_3, "6.1", "3.0.117", "GET_CHUNK_INFO ends the connection"),
        CHECK("diagnose/info-4", V4, info_4, "6.1", "4.59.2", "GET_CHUNK_INFO gives what is asked for"),
        CHECK("diagnose/version", ANY, version, "1.2", BOTH, "the version is the one that the master tells"),
        CHECK("diagnose/disks", ANY, disks, "6.1", BOTH, "a list of its disks"),
        CHECK("diagnose/module", ANY, module, "6.1", BOTH, "21 bytes, type 2"),
        CHECKS_END,
};
