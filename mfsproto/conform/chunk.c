/* SPDX-License-Identifier: MIT */
/* Chunks: where they are, writing and reading them as a careful client does. */
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "core/crc.h"
#include "core/loop.h"
#include "mfsproto/conform/inner.h"

/* ---- the master ---------------------------------------------------------------------------------------------- */

static void chunk_msg(struct wire_msg *m, uint32_t type, uint32_t inode, uint32_t index, uint8_t flags)
{
        cf_msg(m, type);
        wire_set_u(m, WF_INODE, inode);
        wire_set_u(m, WF_INDEX, index);
        wire_set_u(m, WF_CHUNKOPFLAGS, flags);
}

void cf_send_chunk(struct cf *c, struct cf_link *l, uint32_t type, uint32_t inode, uint32_t index,
                   uint8_t flags)
{
        struct wire_msg m;

        chunk_msg(&m, type, inode, index, flags);
        cf_send(c, l, &m);
}

static void read_places(struct cf *c, struct wire_msg *reply, struct cf_grant *g)
{
        struct wire_msg item;
        struct wire_iter it;

        g->chunk = cf_u(c, reply, WF_CHUNKID);
        g->version = (uint32_t)cf_u(c, reply, WF_CHUNKVER);
        g->length = cf_u(c, reply, WF_LENGTH);
        if (c->failed)
                return;
        wire_group_begin(reply, WF_LOCS, &it);
        while (wire_group_next(&it, &item) && g->n < CF_SERVERS) {
                g->ip[g->n] = (uint32_t)wire_get_u_or(&item, WF_IP, 0);
                g->port[g->n] = (uint16_t)wire_get_u_or(&item, WF_PORT, 0);
                g->csver[g->n] = (uint32_t)wire_get_u_or(&item, WF_CSVER, 0);
                g->n++;
        }
}

static uint8_t ask_places(struct cf *c, struct cf_link *l, uint32_t type, uint32_t inode, uint32_t index,
                          uint8_t flags, struct cf_grant *g)
{
        struct wire_msg m, reply;
        uint8_t status;

        memset(g, 0, sizeof(*g));
        g->inode = inode;
        g->index = index;
        chunk_msg(&m, type, inode, index, flags);
        cf_call(c, l, &m, &reply);
        if (c->failed)
                return WIRE_STATUS_OK;
        if (wire_is_status(&reply, &status))
                return status;
        read_places(c, &reply, g);
        return WIRE_STATUS_OK;
}

uint8_t cf_read_chunk(struct cf *c, struct cf_link *l, uint32_t inode, uint32_t index, struct cf_grant *g)
{
        return ask_places(c, l, WIRE_CLTOMA_FUSE_READ_CHUNK, inode, index, 0, g);
}

void cf_places(struct cf *c, uint32_t inode, uint32_t index, struct cf_grant *g)
{
        cf_status_is(c, "READ_CHUNK", cf_read_chunk(c, c->ma, inode, index, g), WIRE_STATUS_OK);
}

uint8_t cf_write_chunk(struct cf *c, struct cf_link *l, uint32_t inode, uint32_t index, uint8_t flags,
                       struct cf_grant *g)
{
        return ask_places(c, l, WIRE_CLTOMA_FUSE_WRITE_CHUNK, inode, index, flags, g);
}

static bool later(uint8_t status)
{
        return status == WIRE_STATUS_NOCHUNKSERVERS || status == WIRE_STATUS_NOSPACE ||
               status == WIRE_STATUS_CHUNKBUSY || status == WIRE_STATUS_EAGAIN ||
               status == WIRE_STATUS_CSNOTPRESENT;
}

void cf_grant(struct cf *c, uint32_t inode, uint32_t index, struct cf_grant *g)
{
        const struct timespec pause = { 0, 100000000 };
        uint64_t until = ri_now() + (uint64_t)CF_RETRY_MS * 1000000u;
        uint8_t status;

        while (later(status = cf_write_chunk(c, c->ma, inode, index, 0, g)) && !c->failed) {
                if (ri_now() > until)
                        cf_unsure(c, "WRITE_CHUNK: status %u for %d s: %s", status, CF_RETRY_MS / 1000,
                                  wire_status_text(status));
                nanosleep(&pause, NULL);
        }
        cf_status_is(c, "WRITE_CHUNK", status, WIRE_STATUS_OK);
        cf_true(c, c->failed || g->chunk != 0, "WRITE_CHUNK granted a chunk with id 0");
        cf_true(c, c->failed || g->n != 0, "WRITE_CHUNK named no chunkserver");
}

void cf_chain_needed(struct cf *c, const struct cf_grant *g)
{
        if (!c->failed && g->n < 2)
                cf_skip(c, "needs two copies of a chunk, and here is one");
}

uint8_t cf_end(struct cf *c, struct cf_link *l, const struct cf_grant *g, uint64_t length)
{
        struct wire_msg m;

        cf_msg(&m, WIRE_CLTOMA_FUSE_WRITE_CHUNK_END);
        wire_set_u(&m, WF_CHUNKID, g->chunk);
        wire_set_u(&m, WF_INODE, g->inode);
        wire_set_u(&m, WF_INDEX, g->index);
        wire_set_u(&m, WF_LENGTH, length);
        wire_set_u(&m, WF_CHUNKOPFLAGS, 0);
        return cf_ask(c, l, &m);
}

/* ---- writing ------------------------------------------------------------------------------------------------- */

struct cf_link *cf_cs(struct cf *c, const struct cf_grant *g, unsigned i)
{
        struct cf_link *cs = cf_link_to(c, i < g->n ? g->ip[i] : 0, i < g->n ? g->port[i] : 0, true);

        if (cs && i < g->n && g->csver[i])
                cs->server = g->csver[i];
        return cs;
}

void cf_cs_write(struct cf *c, struct cf_link *cs, const struct cf_grant *g, unsigned first, unsigned n)
{
        uint8_t hops[CF_SERVERS * 6];
        struct wire_group chain;
        struct wire_msg m;

        wire_group_init(&chain, WFORM_HOP, hops, sizeof(hops));
        for (unsigned i = 1; i < n; i++)
                wire_group_add_loc(&chain, g->ip[(first + i) % g->n], g->port[(first + i) % g->n], 0, 0);
        cf_msg(&m, WIRE_CLTOCS_WRITE);
        wire_set_u(&m, WF_PROTO, 1);
        wire_set_u(&m, WF_CHUNKID, g->chunk);
        wire_set_u(&m, WF_CHUNKVER, g->version);
        wire_set_group(&m, WF_CHAIN, &chain);
        cf_send(c, cs, &m);
}

void cf_cs_data(struct cf *c, struct cf_link *cs, const struct wire_data *d, const void *data)
{
        uint8_t head[WIRE_HEADER_SIZE + WIRE_WRITE_DATA_HEADER];

        wire_write_data_build(head, d);
        cf_bytes(c, cs, head, sizeof(head));
        cf_bytes(c, cs, data, d->size);
}

void cf_cs_good(struct cf *c, struct cf_link *cs, const struct cf_grant *g, uint32_t writeid, uint16_t block,
                uint16_t offset, const void *data, uint32_t n)
{
        struct wire_data d = { g->chunk, writeid, block, offset, n, ri_crc32(0, data, n) };

        cf_cs_data(c, cs, &d, data);
}

void cf_cs_ack(struct cf *c, struct cf_link *cs, uint32_t writeid, uint8_t status)
{
        struct wire_msg m;
        char what[60];

        cf_take(c, cs, WIRE_CSTOCL_WRITE_STATUS, &m);
        cf_eq(c, "writeid of the answer", cf_u(c, &m, WF_WRITEID), writeid);
        snprintf(what, sizeof(what), "the answer to writeid %u", writeid);
        if (!c->failed)
                cf_status_is(c, what, (uint8_t)cf_u(c, &m, WF_STATUS), status);
}

void cf_cs_finish(struct cf *c, struct cf_link *cs, const struct cf_grant *g)
{
        struct wire_msg m;

        cf_msg(&m, WIRE_CLTOCS_WRITE_FINISH);
        wire_set_u(&m, WF_CHUNKID, g->chunk);
        wire_set_u(&m, WF_CHUNKVER, g->version);
        cf_send(c, cs, &m);
}

struct cf_link *cf_session(struct cf *c, uint32_t inode, struct cf_grant *g)
{
        struct cf_link *cs;

        cf_grant(c, inode, 0, g);
        cs = cf_cs(c, g, 0);
        if (c->failed)
                return cs;
        cf_cs_write(c, cs, g, 0, g->n);
        cf_cs_ack(c, cs, 0, WIRE_STATUS_OK);
        return cs;
}

void cf_fill(uint8_t *to, uint32_t n, unsigned seed)
{
        for (uint32_t i = 0; i < n; i++)
                to[i] = (uint8_t)((seed = seed * 1103515245u + 12345u) >> 16);
}

uint32_t cf_file(struct cf *c, uint32_t n, unsigned seed, struct cf_grant *g)
{
        uint32_t inode = cf_new(c), done = 0, packets = 0;
        struct cf_link *cs = cf_session(c, inode, g);
        uint8_t *data = malloc(n + 1);

        if (!data)
                cf_unsure(c, "no memory");
        else
                cf_fill(data, n, seed);
        for (; done < n && !c->failed; packets++) {
                uint32_t part = n - done < CF_BLOCK ? n - done : CF_BLOCK;

                cf_cs_good(c, cs, g, packets + 1, (uint16_t)packets, 0, data + done, part);
                done += part;
        }
        for (uint32_t i = 0; i < packets; i++)
                cf_cs_ack(c, cs, i + 1, WIRE_STATUS_OK);
        cf_cs_finish(c, cs, g);
        if (!c->failed)
                cf_status_is(c, "WRITE_CHUNK_END", cf_end(c, c->ma, g, n), WIRE_STATUS_OK);
        free(data);
        return inode;
}

/* ---- reading ------------------------------------------------------------------------------------------------- */

void cf_cs_read(struct cf *c, struct cf_link *cs, uint64_t chunk, uint32_t version, uint32_t offset,
                uint32_t size)
{
        struct wire_msg m;

        cf_msg(&m, WIRE_CLTOCS_READ);
        wire_set_u(&m, WF_PROTO, 1);
        wire_set_u(&m, WF_CHUNKID, chunk);
        wire_set_u(&m, WF_CHUNKVER, version);
        wire_set_u(&m, WF_OFFSET, offset);
        wire_set_u(&m, WF_SIZE, size);
        cf_send(c, cs, &m);
}

/* One packet of data, which must begin at `at` and end with its block or at `end`. */
static uint32_t one_packet(struct cf *c, struct cf_link *cs, uint64_t chunk, uint32_t at, uint32_t end,
                           uint8_t *to)
{
        uint32_t want = CF_BLOCK - at % CF_BLOCK < end - at ? CF_BLOCK - at % CF_BLOCK : end - at;
        struct wire_data d;

        if (cs->len < WIRE_READ_DATA_HEADER || !wire_read_data_parse(&d, cs->buf, cs->len)) {
                cf_fail(c, "a packet of data of %zu bytes that does not lie in one block", cs->len);
                return 0;
        }
        cf_eq(c, "chunk id of the data", d.chunkid, chunk);
        cf_eq(c, "place of the data", (uint64_t)d.block * CF_BLOCK + d.offset, at);
        cf_eq(c, "size of the data", d.size, want);
        if (c->failed)
                return 0;
        cf_eq(c, "CRC of the data in the packet", d.crc,
              ri_crc32(0, cs->buf + WIRE_READ_DATA_HEADER, d.size));
        memcpy(to, cs->buf + WIRE_READ_DATA_HEADER, d.size);
        return d.size;
}

void cf_cs_got(struct cf *c, struct cf_link *cs, uint64_t chunk, uint32_t offset, uint32_t size, uint8_t *to)
{
        uint32_t at = offset, end = offset + size;

        while (at < end && !c->failed) {
                int got = cf_next(c, cs, CF_WAIT_MS);

                if (got > 0 && cs->type == WIRE_CSTOCL_READ_DATA)
                        at += one_packet(c, cs, chunk, at, end, to + (at - offset));
                else if (got > 0 && cs->type == WIRE_CSTOCL_READ_STATUS && cs->len == 9)
                        cf_fail(c, "READ: status %u (%s) after %u of %u bytes", cs->buf[8],
                                wire_status_name(cs->buf[8]), at - offset, size);
                else
                        cf_fail(c, "READ: expected data, got %s",
                                got > 0    ? wire_packet_name(cs->type)
                                : got == 0 ? "the end of the connection"
                                           : "nothing");
        }
        cf_cs_refused(c, cs, WIRE_STATUS_OK);
}

void cf_cs_refused(struct cf *c, struct cf_link *cs, uint8_t status)
{
        struct wire_msg m;

        cf_take(c, cs, WIRE_CSTOCL_READ_STATUS, &m);
        if (!c->failed)
                cf_status_is(c, "READ_STATUS", (uint8_t)cf_u(c, &m, WF_STATUS), status);
}

void cf_copies_hold(struct cf *c, const struct cf_grant *g, uint32_t offset, const uint8_t *want, uint32_t n)
{
        uint8_t *got = calloc(1, n + 1);

        if (!got)
                cf_unsure(c, "no memory");
        for (unsigned i = 0; i < g->n && !c->failed; i++) {
                struct cf_link *cs = cf_cs(c, g, i);

                cf_cs_read(c, cs, g->chunk, g->version, offset, n);
                cf_cs_got(c, cs, g->chunk, offset, n, got);
                for (uint32_t k = 0; k < n && !c->failed; k++)
                        if (got[k] != want[k])
                                cf_fail(c, "copy %u of %u: byte %u of the chunk is 0x%02X, not 0x%02X", i + 1,
                                        g->n, offset + k, got[k], want[k]);
        }
        free(got);
}
