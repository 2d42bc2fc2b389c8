/* SPDX-License-Identifier: MIT */
/* Reading from chunkservers. */
#include <stdlib.h>

#include "core/loop.h"
#include "mfsproto/conform/checks.h"

enum { N = 3 * CF_BLOCK + 777 };

/* A file of N bytes, and a connection to its first server. */
static struct cf_link *ready(struct cf *c, struct cf_grant *g)
{
        cf_file(c, N, 11, g);
        return cf_cs(c, g, 0);
}

static void compare(struct cf *c, struct cf_link *cs, const struct cf_grant *g, uint32_t offset, uint32_t n)
{
        uint8_t *want = malloc(N), *got = calloc(1, n + 1);

        if (!want || !got) {
                cf_unsure(c, "no memory");
        } else {
                cf_fill(want, N, 11);
                cf_cs_read(c, cs, g->chunk, g->version, offset, n);
                cf_cs_got(c, cs, g->chunk, offset, n, got);
                cf_true(c, c->failed || !memcmp(got, want + offset, n),
                        "the bytes are not those that were written");
        }
        free(want);
        free(got);
}

static void whole(struct cf *c)
{
        struct cf_grant g;
        struct cf_link *cs = ready(c, &g);

        compare(c, cs, &g, 0, N);
}

static void parts(struct cf *c)
{
        static const uint32_t at[][2] = { { 0, 1 },         { 1, 1 },       { 65535, 1 },      { 65535, 2 },
                                          { 65536, 65536 }, { 100, 70000 }, { 65530, 131084 }, { N - 1, 1 } };
        struct cf_grant g;
        struct cf_link *cs = ready(c, &g);

        for (size_t i = 0; i < sizeof(at) / sizeof(at[0]); i++)
                compare(c, cs, &g, at[i][0], at[i][1]);
}

static void zeros(struct cf *c, struct cf_link *cs, const struct cf_grant *g, uint32_t offset, uint32_t n)
{
        uint8_t *got = malloc(n + 1);

        if (!got) {
                cf_unsure(c, "no memory");
                return;
        }
        memset(got, 1, n);
        cf_cs_read(c, cs, g->chunk, g->version, offset, n);
        cf_cs_got(c, cs, g->chunk, offset, n, got);
        for (uint32_t i = 0; i < n && !c->failed; i++)
                cf_true(c, !got[i], "a byte behind what is stored is not zero");
        free(got);
}

static void behind(struct cf *c)
{
        struct cf_grant g;
        struct cf_link *cs = ready(c, &g);

        zeros(c, cs, &g, N, CF_BLOCK - 777);
        zeros(c, cs, &g, 4 * CF_BLOCK, 2 * CF_BLOCK);
        zeros(c, cs, &g, WIRE_CHUNK_SIZE - 100, 100);
}

static void nothing(struct cf *c)
{
        struct cf_grant g;
        struct cf_link *cs = ready(c, &g);

        cf_cs_read(c, cs, g.chunk, g.version, 0, 0);
        cf_cs_refused(c, cs, WIRE_STATUS_OK);
}

static void refusal(struct cf *c, uint64_t chunk_xor, uint32_t version_add, uint32_t offset, uint32_t size,
                    uint8_t status)
{
        struct cf_grant g;
        struct cf_link *cs = ready(c, &g);

        cf_cs_read(c, cs, g.chunk ^ chunk_xor, g.version + version_add, offset, size);
        cf_cs_refused(c, cs, status);
}

static void wrong_version(struct cf *c)
{
        refusal(c, 0, 5, 0, 100, WIRE_STATUS_WRONGVERSION);
}

static void unknown_chunk(struct cf *c)
{
        refusal(c, UINT64_C(0x00FFFF0000000000), 0, 0, 100, WIRE_STATUS_NOCHUNK);
}

static void too_large(struct cf *c)
{
        refusal(c, 0, 0, 0, WIRE_CHUNK_SIZE + 1, WIRE_STATUS_WRONGSIZE);
}

static void beyond(struct cf *c)
{
        refusal(c, 0, 0, WIRE_CHUNK_SIZE - 10, 11, WIRE_STATUS_WRONGOFFSET);
}

static void any_version(struct cf *c)
{
        struct cf_grant g, any;
        struct cf_link *cs = ready(c, &g);

        any = g;
        any.version = 0;
        compare(c, cs, &any, 0, N);
}

static void again(struct cf *c)
{
        struct cf_grant g;
        struct cf_link *cs = ready(c, &g);

        for (int i = 0; i < 20; i++)
                compare(c, cs, &g, (uint32_t)i * 1000, 500);
        cf_cs_read(c, cs, g.chunk, g.version + 5, 0, 100);
        cf_cs_refused(c, cs, WIRE_STATUS_WRONGVERSION);
        compare(c, cs, &g, 0, 100);
}

static void old_form(struct cf *c)
{
        struct cf_grant g;
        struct cf_link *cs = ready(c, &g);
        uint8_t p[20], got[300];

        wire_put64(p, g.chunk);
        wire_put32(p + 8, g.version);
        wire_put32(p + 12, 1000);
        wire_put32(p + 16, sizeof(got));
        cf_packet(c, cs, WIRE_CLTOCS_READ, p, sizeof(p));
        cf_cs_got(c, cs, g.chunk, 1000, sizeof(got), got);
}

/* A second request while the first is being answered: the server hangs up somewhere before the end. */
static void pipeline(struct cf *c)
{
        struct cf_grant g;
        struct cf_link *cs = ready(c, &g);
        uint64_t until = ri_now() + UINT64_C(60000000000); /* of data without an end, too */
        int got;

        cf_cs_read(c, cs, g.chunk, g.version, 0, WIRE_CHUNK_SIZE);
        cf_cs_read(c, cs, g.chunk, g.version, 0, 100);
        do
                got = cf_next(c, cs, CF_WAIT_MS);
        while (got > 0 && cs->type == WIRE_CSTOCL_READ_DATA && ri_now() < until);
        if (!c->failed && got)
                cf_fail(c, "a second READ before the end of the first: expected that the server ends the "
                           "connection");
}

static void nop(struct cf *c)
{
        struct cf_grant g;
        struct cf_link *cs = ready(c, &g);

        for (int i = 0; i < 10; i++)
                cf_packet(c, cs, WIRE_ANTOAN_NOP, NULL, 0);
        compare(c, cs, &g, 0, N);
}

static void unknown_packet(struct cf *c)
{
        struct cf_grant g;
        struct cf_link *cs = ready(c, &g);

        cf_packet(c, cs, 999, NULL, 0);
        cf_want_closed(c, cs, "packet 999 to a chunkserver");
}

static void wrong_length(struct cf *c)
{
        static const uint8_t payload[32];
        static const uint8_t lengths[] = { 0, 19, 22 };
        struct cf_grant g;

        ready(c, &g);
        for (size_t i = 0; i < sizeof(lengths); i++) {
                struct cf_link *cs = cf_cs(c, &g, 0);

                cf_packet(c, cs, WIRE_CLTOCS_READ, payload, lengths[i]);
                cf_want_closed(c, cs, "a READ of a wrong length");
        }
}

static void oversize(struct cf *c)
{
        struct cf_grant g;
        struct cf_link *cs = ready(c, &g);
        uint8_t head[WIRE_HEADER_SIZE];

        wire_put32(head, WIRE_CLTOCS_READ);
        wire_put32(head + 4, 100001);
        cf_bytes(c, cs, head, sizeof(head));
        cf_want_closed(c, cs, "a packet of 100001 bytes to a chunkserver");
}

static void idle(struct cf *c)
{
        struct cf_grant g;
        struct cf_link *cs = ready(c, &g);
        int got = 1;

        for (int i = 0; i < 20 && got > 0; i++)
                got = cf_next_any(c, cs, CF_WAIT_MS);
        if (got)
                cf_fail(c, "a chunkserver does not disconnect a client that is silent");
}

static void kept_open(struct cf *c)
{
        struct cf_grant g;
        struct cf_link *cs = ready(c, &g);

        for (int i = 0; i < 8; i++) {
                cf_packet(c, cs, WIRE_ANTOAN_NOP, NULL, 0);
                if (cf_next(c, cs, 1000) == 0)
                        cf_fail(c, "a chunkserver disconnects a client that sends a NOP each second");
        }
        compare(c, cs, &g, 0, 100);
}

const struct cf_check cf_checks_read[] = {
        CHECK("read/whole", ANY, whole, "4.2", BOTH,
              "one packet for each block, each with the CRC of its bytes, then one status 0"),
        CHECK("read/parts", ANY, parts, "4.2", BOTH, "any range; a packet never crosses a block"),
        CHECK("read/behind", ANY, behind, "4.2", BOTH, "behind what is stored come zeros, up to 64 MiB"),
        CHECK("read/nothing", ANY, nothing, "4.2", BOTH, "size 0: status 0 at once"),
        CHECK("read/version", ANY, wrong_version, "4.2", BOTH, "another version: status 19"),
        CHECK("read/unknown", ANY, unknown_chunk, "4.2", BOTH, "an unknown chunk: status 13"),
        CHECK("read/size", ANY, too_large, "4.2", BOTH, "more than 64 MiB: status 24"),
        CHECK("read/beyond", ANY, beyond, "4.2", BOTH, "a range that ends behind 64 MiB: status 25"),
        CHECK("read/any-version", ANY, any_version, "4.2", BOTH, "version 0 is any version"),
        CHECK("read/again", ANY, again, "4.2", BOTH,
              "a connection takes one READ after the other, also after a refusal"),
        CHECK("read/old-form", ANY, old_form, "4.2", BOTH, "READ is taken without its first byte too"),
        CHECK("read/pipeline", ANY, pipeline, "4.2", BOTH,
              "a second READ before the end of the first ends the connection"),
        CHECK("read/nop", ANY, nop, "1.2", BOTH, "NOPs before a READ do no harm"),
        CHECK("read/packet", ANY, unknown_packet, "6.1", BOTH, "an unknown packet ends the connection"),
        CHECK("read/length", ANY, wrong_length, "4.2", BOTH, "a READ of another length ends the connection"),
        CHECK("read/oversize", ANY, oversize, "1.1", BOTH, "a packet over 100000 bytes ends the connection"),
        SLOW("read/idle", ANY, idle, "0", BOTH, "a client that is silent for 5 s is disconnected"),
        SLOW("read/kept-open", ANY, kept_open, "1.2", BOTH, "one that sends NOPs is not"),
        CHECKS_END,
};
