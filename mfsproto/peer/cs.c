/* SPDX-License-Identifier: MIT */
/* A chunkserver's side of a connection: idle, reading, or in a write session (cswrite.c). Protocol pages 4.2, 6.1. */
#include <stdlib.h>
#include <string.h>

#include "core/crc.h"
#include "mfsproto/peer/inner.h"

enum { READ_AHEAD = 256 << 10, IDLE_NOP_MS = 1667, WRITE_NOP_MS = 1000 };

static bool v4(const struct peer_conn *c)
{
        return wire_ver_at_least(c->peer->cfg.cs_version, WIRE_VER(4, 0, 0));
}

void peer_cs_kill(struct peer_conn *c, enum mfs_peer_rule rule, uint32_t type, size_t len, const char *why)
{
        /* between servers it is the peer's own doing, or the echo of what the client did */
        if (!c->chained)
                peer_broken(c->peer, rule, "cs%u: packet %u (%s) of %zu bytes: %s", c->server->index, type,
                            wire_packet_name(type), len, why);
        peer_kill(c);
}

/* ---- reading ----------------------------------------------------------------------------------------------- */

static void read_status(struct peer_conn *c, uint8_t status)
{
        struct wire_msg m;

        c->read.done = true;
        wire_msg_init(&m, WIRE_CSTOCL_READ_STATUS, WIRE_FROM_CS);
        wire_set_u(&m, WF_CHUNKID, c->read.chunk);
        wire_set_u(&m, WF_STATUS, status);
        peer_answer(c, &m);
}

/* As memory that is broken: the CRC is made afterwards, and nobody on the way can see it. */
static void disturb(struct peer_conn *c, uint8_t *data, uint32_t n)
{
        if ((c->peer->cfg.restless >> c->server->index & 1) && n)
                data[n - 1] = (uint8_t)(data[n - 1] + 1 + c->peer->disturbed++ % 255);
}

/* One block, or what of it was asked for. */
static uint8_t read_block(struct peer_conn *c, uint8_t *packet)
{
        uint32_t in = c->read.offset % WIRE_BLOCK_SIZE, n = WIRE_BLOCK_SIZE - in;
        uint8_t *data = packet + WIRE_HEADER_SIZE + WIRE_READ_DATA_HEADER, status;
        struct peer_copy *k;

        if (n > c->read.left)
                n = c->read.left;
        status = peer_copy_open(c->server, c->read.chunk, c->read.version, &k);
        if (!status)
                status = peer_copy_read(k, c->read.offset, data, n);
        if (status)
                return status;
        disturb(c, data, n);
        wire_put32(packet, WIRE_CSTOCL_READ_DATA);
        wire_put32(packet + 4, WIRE_READ_DATA_HEADER + n);
        wire_put64(packet + 8, c->read.chunk);
        wire_put16(packet + 16, (uint16_t)(c->read.offset / WIRE_BLOCK_SIZE));
        wire_put16(packet + 18, (uint16_t)in);
        wire_put32(packet + 20, n);
        wire_put32(packet + 24, ri_crc32(0, data, n));
        c->read.offset += n;
        c->read.left -= n;
        peer_emit(c, packet, WIRE_HEADER_SIZE + WIRE_READ_DATA_HEADER + n);
        return WIRE_STATUS_OK;
}

static void read_on(struct peer_conn *c)
{
        uint8_t *packet = malloc(WIRE_HEADER_SIZE + WIRE_READ_DATA_HEADER + WIRE_BLOCK_SIZE), status = 0;

        if (!packet) {
                peer_kill(c);
                return;
        }
        while (!c->dead && c->reading && !c->read.done && peer_backlog(c) < READ_AHEAD) {
                if (c->read.left)
                        status = read_block(c, packet);
                if (status || (!c->read.left && c->reading))
                        read_status(c, status);
        }
        free(packet);
}

static void on_read(struct peer_conn *c, struct wire_msg *m)
{
        uint32_t offset = wire_get_u32(m, WF_OFFSET), size = wire_get_u32(m, WF_SIZE);
        struct peer_copy *k;
        uint8_t status;

        c->read.chunk = wire_get_u(m, WF_CHUNKID);
        c->read.version = wire_get_u32(m, WF_CHUNKVER);
        c->read.offset = offset;
        c->read.left = size;
        c->read.done = false;
        c->reading = true;
        status = peer_copy_open(c->server, c->read.chunk, c->read.version, &k);
        if (!c->read.version && peer_bug(c->peer, MFS_BUG_READ_NO_ZERO))
                status = WIRE_STATUS_WRONGVERSION;
        if (size <= WIRE_CHUNK_SIZE && offset > WIRE_CHUNK_SIZE - size && offset <= WIRE_CHUNK_SIZE &&
            peer_bug(c->peer, MFS_BUG_READ_CLIPPED))
                c->read.left = size = (uint32_t)WIRE_CHUNK_SIZE - offset;
        if (size == 0)
                status = WIRE_STATUS_OK;
        else if (size > WIRE_CHUNK_SIZE)
                status = WIRE_STATUS_WRONGSIZE;
        else if (offset > WIRE_CHUNK_SIZE - size)
                status = WIRE_STATUS_WRONGOFFSET;
        if (status)
                read_status(c, status);
        else
                read_on(c);
}

static void cs_drained(struct peer_conn *c)
{
        if (!c->reading)
                return;
        if (c->read.done)
                c->reading = false;
        else
                read_on(c);
}

/* ---- questions --------------------------------------------------------------------------------------------- */

static void on_chunk(struct peer_conn *c, struct wire_msg *req)
{
        uint64_t id = wire_get_u(req, WF_CHUNKID);
        uint32_t version = wire_get_u32(req, WF_CHUNKVER);
        unsigned what = (unsigned)wire_get_u_or(req, WF_WHAT, 0);
        uint8_t table[4 * WIRE_BLOCKS_PER_CHUNK], status;
        struct peer_copy *k;
        struct wire_msg m;

        wire_msg_init(&m, req->type + 1, WIRE_FROM_CS);
        wire_set_u(&m, WF_CHUNKID, id);
        wire_set_u(&m, WF_CHUNKVER, version);
        status = peer_copy_open(c->server, id, version, &k);
        if (req->type == WIRE_ANTOCS_GET_CHUNK_BLOCKS) {
                wire_set_u(&m, WF_BLOCKS, status ? 0 : k->blocks);
                wire_set_u(&m, WF_STATUS, status);
                peer_answer(c, &m);
                return;
        }
        if (req->type == WIRE_ANTOCS_GET_CHUNK_CHECKSUM)
                what = WIRE_CHUNKINFO_CHECKSUM;
        if (req->type == WIRE_ANTOCS_GET_CHUNK_CHECKSUM_TAB)
                what = WIRE_CHUNKINFO_TABLE;
        if (status)
                wire_set_u(&m, WF_STATUS, status);
        if (!status && (what & WIRE_CHUNKINFO_BLOCKS))
                wire_set_u(&m, WF_BLOCKS, k->blocks);
        if (!status && (what & WIRE_CHUNKINFO_CHECKSUM))
                wire_set_u(&m, WF_CHECKSUM, peer_copy_checksum(k));
        if (!status && (what & WIRE_CHUNKINFO_TABLE)) {
                for (unsigned i = 0; i < WIRE_BLOCKS_PER_CHUNK; i++)
                        wire_put32(table + (size_t)4 * i, k->crc[i]);
                wire_set_bytes(&m, WF_TABLE, table, sizeof table);
        }
        if (!status && (what & WIRE_CHUNKINFO_PATH))
                wire_set_str(&m, WF_PATH, "/memory");
        peer_answer(c, &m);
}

static void on_version(struct peer_conn *c, struct wire_msg *req)
{
        char text[24];
        struct wire_msg m;

        wire_ver_print(c->peer->cfg.cs_version, text, sizeof text);
        wire_msg_init(&m, WIRE_ANTOAN_VERSION, WIRE_FROM_CS);
        if (wire_has(req, WF_MSGID))
                wire_set_u(&m, WF_MSGID, wire_get_u(req, WF_MSGID));
        wire_set_u(&m, WF_VERSION, c->peer->cfg.cs_version);
        wire_set_bytes(&m, WF_VERSION_TEXT, text, strlen(text));
        peer_answer(c, &m);
}

/* ---- dispatch ---------------------------------------------------------------------------------------------- */

static const struct {
        uint32_t type;
        void (*run)(struct peer_conn *c, struct wire_msg *m);
} idle[] = {
        { WIRE_CLTOCS_READ, on_read },
        { WIRE_CLTOCS_WRITE, peer_write_start },
        { WIRE_ANTOCS_GET_CHUNK_BLOCKS, on_chunk },
        { WIRE_ANTOCS_GET_CHUNK_CHECKSUM, on_chunk },
        { WIRE_ANTOCS_GET_CHUNK_CHECKSUM_TAB, on_chunk },
        { WIRE_ANTOCS_GET_CHUNK_INFO, on_chunk },
        { WIRE_ANTOAN_GET_VERSION, on_version },
};

static void idle_packet(struct peer_conn *c, uint32_t type, const uint8_t *payload, size_t len)
{
        struct wire_ctx ctx = { c->peer->cfg.cs_version, 0, 0 };
        struct wire_msg m;

        if (c->refused && (type == WIRE_CLTOCS_WRITE_DATA || type == WIRE_CLTOCS_WRITE_FINISH)) {
                peer_kill(c); /* sent before the refusal came: no mistake */
                return;
        }
        if (wire_decode(&m, type, WIRE_TO_CS, payload, len, &ctx) != WIRE_OK ||
            !wire_gate_open(&m.packet->gate, c->peer->cfg.cs_version, 0)) {
                peer_cs_kill(c, MFS_RULE_PACKET, type, len, "no such command or wrong length");
                return;
        }
        c->refused = false;
        for (size_t i = 0; i < sizeof idle / sizeof idle[0]; i++)
                if (idle[i].type == type) {
                        idle[i].run(c, &m);
                        return;
                }
        peer_cs_kill(c, MFS_RULE_PACKET, type, len, "not in this state");
}

static void cs_packet(struct peer_conn *c, uint32_t type, const uint8_t *payload, size_t len)
{
        if (c->write)
                peer_write_packet(c, type, payload, len);
        else if (type == WIRE_ANTOAN_NOP && len <= 4)
                return;
        else if (c->reading && peer_bug(c->peer, MFS_BUG_READ_PIPELINED))
                return;
        else if (c->reading)
                peer_cs_kill(c, MFS_RULE_PIPELINE, type, len, "it still reads");
        else
                idle_packet(c, type, payload, len);
}

static void cs_tick(struct peer_conn *c, uint64_t now)
{
        bool chain = c->write && v4(c); /* its servers' own NOPs keep it open */

        if (!chain && !c->reading && peer_ms(c->heard_ns, now) >= c->peer->cfg.cs_idle_ms)
                peer_kill(c);
        else if (c->write ? v4(c) && peer_ms(c->said_ns, now) >= WRITE_NOP_MS
                          : !c->reading && peer_ms(c->said_ns, now) >= IDLE_NOP_MS)
                peer_nop(c);
}

const struct peer_role peer_role_cs = {
        .name = "chunkserver",
        .in = WIRE_TO_CS,
        .out = WIRE_FROM_CS,
        .packet = cs_packet,
        .drained = cs_drained,
        .tick = cs_tick,
        .closed = peer_write_closed,
};
