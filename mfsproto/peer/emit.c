/* SPDX-License-Identifier: MIT */
/* Packets on their way to the client, and what the script does to them and to requests. */
#include <stdlib.h>
#include <string.h>

#include "core/crc.h"
#include "mfsproto/peer/inner.h"

static uint8_t noise(struct mfs_peer *p)
{
        p->noise ^= p->noise << 13;
        p->noise ^= p->noise >> 7;
        p->noise ^= p->noise << 17;
        return (uint8_t)(p->noise >> 24);
}

static void set_length(uint8_t *packet, size_t n)
{
        wire_put32(packet + 4, (uint32_t)(n - WIRE_HEADER_SIZE));
}

/* ---- refusals ---------------------------------------------------------------------------------------------- */

static size_t refusal_cs(uint8_t *out, uint32_t type, const uint8_t *payload, size_t len, uint8_t status)
{
        const uint8_t *id = payload;
        size_t n;

        switch (type) {
        case WIRE_CLTOCS_READ:
                n = 8;
                id += len == 21;
                break;
        case WIRE_CLTOCS_WRITE:
                n = 8;
                id += len % 2;
                break;
        default: n = 12;
        }
        if (len < (size_t)(id - payload) + n)
                return 0;
        wire_put32(out, type == WIRE_CLTOCS_WRITE_DATA ? WIRE_CSTOCL_WRITE_STATUS : type + 1);
        memcpy(out + 8, id, n);
        if (type == WIRE_CLTOCS_WRITE || type == WIRE_ANTOCS_GET_CHUNK_BLOCKS) {
                uint32_t more = type == WIRE_CLTOCS_WRITE ? 4 : 2; /* writeid 0, no blocks */

                memset(out + 8 + n, 0, more);
                n += more;
        }
        out[8 + n] = status;
        return 8 + n + 1;
}

static size_t refusal_master(uint8_t *out, uint32_t type, const uint8_t *payload, size_t len, uint8_t status)
{
        wire_put32(out, type + 1);
        if (type == WIRE_CLTOMA_FUSE_REGISTER) {
                out[8] = status;
                return 9;
        }
        if (len < 4)
                return 0;
        memcpy(out + 8, payload, 4);
        out[12] = status;
        return 13;
}

void peer_refuse(struct peer_conn *c, uint32_t type, const uint8_t *payload, size_t len, uint8_t status)
{
        uint8_t out[32];
        size_t n = c->server->index ? refusal_cs(out, type, payload, len, status)
                                    : refusal_master(out, type, payload, len, status);

        if (!n)
                return;
        set_length(out, n);
        peer_emit(c, out, n);
}

/* ---- faults ------------------------------------------------------------------------------------------------ */

/* What requests and replies have in common. False: not one of these. */
static bool fault_common(struct peer_conn *c, const struct mfs_peer_fault *f)
{
        struct peer_server *s = c->server;

        switch (f->action) {
        case MFS_PEER_CLOSE: peer_kill(c); return true;
        case MFS_PEER_RESET: peer_reset(c); return true;
        case MFS_PEER_DROP: return true;
        case MFS_PEER_HANG:
                peer_power(s, MFS_PEER_STOP);
                peer_revive_in(s, f->value);
                return true;
        case MFS_PEER_DIE:
                peer_power(s, MFS_PEER_KILL);
                peer_revive_in(s, f->value);
                return true;
        default: return false;
        }
}

bool peer_fault_request(struct peer_conn *c, const struct mfs_peer_fault *f, uint32_t type,
                        const uint8_t *payload, size_t len)
{
        if (type == WIRE_CLTOMA_FUSE_WRITE_CHUNK_END && len >= 12)
                peer_audit_trouble(c->peer, wire_be64(payload + 4));
        if (type == WIRE_CLTOMA_FUSE_WRITE_CHUNK && c->session && len >= 12)
                peer_audit_unanswered(c->peer, c->session->id, wire_be32(payload + 4),
                                      wire_be32(payload + 8));
        if (f->action == MFS_PEER_HANG) /* it will be there when the server wakes up */
                peer_hold_in(c, 1, type, payload, len);
        if (fault_common(c, f))
                return false;
        if (f->action == MFS_PEER_DELAY)
                peer_hold_in(c, f->value, type, payload, len);
        else if (f->action == MFS_PEER_STATUS)
                peer_refuse(c, type, payload, len, (uint8_t)f->value);
        return false;
}

/* A reply turned into a status, its new size. */
static size_t to_status(struct peer_conn *c, uint8_t *packet, size_t n, uint8_t status)
{
        uint32_t type = wire_be32(packet);
        size_t keep = n - WIRE_HEADER_SIZE;

        switch (type) {
        case WIRE_MATOCL_FUSE_REGISTER: keep = 0; break;
        case WIRE_CSTOCL_READ_DATA:
                wire_put32(packet, WIRE_CSTOCL_READ_STATUS);
                c->reading = false;
                c->read.left = 0;
                keep = 8;
                break;
        case WIRE_CSTOCL_READ_STATUS:
        case WIRE_CSTOCL_WRITE_STATUS:
        case WIRE_CSTOAN_CHUNK_BLOCKS: keep--; break;
        default:
                if (keep > (c->server->index ? 12u : 4u))
                        keep = c->server->index ? 12 : 4;
        }
        packet[WIRE_HEADER_SIZE + keep] = status;
        return WIRE_HEADER_SIZE + keep + 1;
}

/* Data packets: the CRC in the packet; anything else: its last byte. */
static void spoil(uint8_t *packet, size_t n)
{
        bool data = wire_be32(packet) == WIRE_CSTOCL_READ_DATA && n >= 8 + WIRE_READ_DATA_HEADER;

        packet[data ? 8 + 16 : n - 1] ^= 0x40;
}

static size_t shorten(uint8_t *packet, size_t n)
{
        uint32_t size = (uint32_t)(n - 8 - WIRE_READ_DATA_HEADER) / 2;

        wire_put32(packet + 8 + 12, size);
        wire_put32(packet + 8 + 16, ri_crc32(0, packet + 8 + WIRE_READ_DATA_HEADER, size));
        return 8 + WIRE_READ_DATA_HEADER + size;
}

static void send_noise(struct peer_conn *c, uint32_t n)
{
        for (uint32_t i = 0; i < n; i++) {
                uint8_t byte = noise(c->peer);

                peer_put(c, &byte, 1);
        }
}

static void fault_reply(struct peer_conn *c, const struct mfs_peer_fault *f, uint8_t *packet, size_t n)
{
        uint32_t value = f->value;

        switch (f->action) {
        case MFS_PEER_DELAY: peer_hold_out(c, value); break;
        case MFS_PEER_STATUS: n = to_status(c, packet, n, (uint8_t)value); break;
        case MFS_PEER_GARBAGE: send_noise(c, value ? value : 64); return;
        case MFS_PEER_TRUNCATE:
                value = value ? value : 1;
                n -= value < n - WIRE_HEADER_SIZE ? value : n - WIRE_HEADER_SIZE;
                break;
        case MFS_PEER_CUT:
                peer_put(c, packet, value < n ? value : n);
                peer_end(c);
                return;
        case MFS_PEER_CRC: spoil(packet, n); break;
        case MFS_PEER_SHORT: n = shorten(packet, n); break;
        case MFS_PEER_WRONGID: packet[8 + 7] ^= 1; break;
        case MFS_PEER_MSGID: packet[c->server->index ? 8 + 8 : 8] ^= 0x40; break;
        case MFS_PEER_DUP: peer_put(c, packet, n); break;
        case MFS_PEER_NOPS:
                for (uint32_t i = 0; i < (value ? value : 1000); i++)
                        peer_nop(c);
                break;
        default: return;
        }
        set_length(packet, n);
        peer_put(c, packet, n);
}

bool peer_emit(struct peer_conn *c, uint8_t *packet, size_t n)
{
        const struct mfs_peer_fault *f;

        if (c->dead)
                return false;
        f = peer_fault(c->server, wire_be32(packet), true);
        if (!f) {
                peer_put(c, packet, n);
                return true;
        }
        if (f->action == MFS_PEER_HANG) /* written, but it leaves only when the server wakes up */
                peer_put(c, packet, n);
        if (!fault_common(c, f))
                fault_reply(c, f, packet, n);
        return f->action == MFS_PEER_DELAY || f->action == MFS_PEER_DUP || f->action == MFS_PEER_NOPS ||
               f->action == MFS_PEER_HANG;
}

bool peer_answer(struct peer_conn *c, struct wire_msg *reply)
{
        struct wire_ctx ctx = { c->server->index ? c->peer->cfg.cs_version : c->peer->cfg.master_version,
                                c->server->index ? c->peer->cfg.cs_version : c->declared, 0 };
        ssize_t size = wire_encode_size(reply, &ctx), n = -1;
        bool whole = false;
        uint8_t *packet = size > 0 ? malloc((size_t)size) : NULL;

        if (packet)
                n = wire_encode(reply, &ctx, packet, (size_t)size);
        if (n > 0) {
                whole = peer_emit(c, packet, (size_t)n);
        } else {
                char why[200];

                /* the peer's own mistake: it must not look like the client's */
                peer_broken(c->peer, MFS_RULES, "the peer cannot answer: %s",
                            wire_msg_error(reply, why, sizeof why));
                peer_kill(c);
        }
        free(packet);
        return whole;
}
