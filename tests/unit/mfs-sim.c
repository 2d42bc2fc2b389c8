/* SPDX-License-Identifier: MIT */
/* A MooseFS cluster in memory; see mfs-sim.h. */
#include "mfs-sim.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core/crc.h"

struct bytes {
        unsigned char *p;
        size_t len, pos, cap;
};

/* One WRITE_DATA on its way through a chain. */
struct packet {
        uint32_t id, from, size;
        unsigned char *data;
        bool applied[SIM_SERVERS];
};

struct conn {
        struct mfs_transport base;
        struct ri_list link;
        struct sim *s;
        int server; /* -1: the master */
        bool told, refused, eof, failed_told, dead, want_write, registered;
        struct bytes in, out; /* as the server sees it: in from the client */
        /* a write session */
        bool writing, up;
        unsigned nchain, chain[SIM_SERVERS], chunk;
        struct packet *pkt;
        size_t npkt, acked, told_acked; /* packets; told: whose status the client has read */
        size_t *status_at;              /* position in out behind each status */
        uint32_t last_id;
        uint64_t out_base;
        size_t this_tick; /* bytes that the client has read */
};

unsigned sim_random(struct sim *s, unsigned n)
{
        s->seed ^= s->seed << 13;
        s->seed ^= s->seed >> 7;
        s->seed ^= s->seed << 17;
        return (unsigned)(s->seed >> 20) % n;
}

static bool happens(struct sim *s, unsigned per_mille)
{
        return per_mille && sim_random(s, 1000) < per_mille;
}

static void broke(struct sim *s, const char *fmt, ...)
{
        va_list ap;

        if (s->broken[0])
                return;
        va_start(ap, fmt);
        vsnprintf(s->broken, sizeof s->broken, fmt, ap);
        va_end(ap);
}

static void add(struct bytes *b, const void *p, size_t n)
{
        if (b->len + n > b->cap) {
                b->cap = (b->len + n) * 2;
                b->p = realloc(b->p, b->cap);
        }
        if (n)
                memcpy(b->p + b->len, p, n);
        b->len += n;
}

/* ---- transport ---- */

static void forget_session(struct conn *c)
{
        for (size_t i = 0; i < c->npkt; i++)
                free(c->pkt[i].data);
        free(c->pkt);
        free(c->status_at);
        c->pkt = NULL;
        c->status_at = NULL;
        c->npkt = c->acked = c->told_acked = 0;
        c->writing = c->up = false;
        c->last_id = 0;
}

static void apply(struct conn *c, unsigned k, struct packet *p)
{
        struct sim *s = c->s;
        struct sim_copy *copy = &s->copy[c->chain[k]][c->chunk];
        uint32_t at = 0;

        while (at < p->size) {
                uint32_t pos = p->from + at, off = pos % WIRE_BLOCK_SIZE, n = WIRE_BLOCK_SIZE - off;
                unsigned char **b = &copy->block[pos / WIRE_BLOCK_SIZE];

                if (n > p->size - at)
                        n = p->size - at;
                if (!*b)
                        *b = calloc(1, WIRE_BLOCK_SIZE);
                memcpy(*b + off, p->data + at, n);
                at += n;
        }
        p->applied[k] = true;
}

/* The connection of a write session has gone: each server has written some of its queue, and drops the rest. */
static void session_lost(struct conn *c)
{
        if (!c->writing)
                return;
        for (unsigned k = 0; k < c->nchain; k++) {
                size_t n = 0, done;

                while (n < c->npkt && c->pkt[n].applied[k])
                        n++;
                done = n < c->npkt ? n + sim_random(c->s, (unsigned)(c->npkt - n + 1)) : n;
                for (; n < done; n++)
                        apply(c, k, &c->pkt[n]);
        }
        if (c->told_acked < c->npkt)
                c->s->chunk[c->chunk].broken_chain = true;
        forget_session(c);
}

static ssize_t sim_send(struct mfs_transport *t, const struct iovec *iov, int n)
{
        struct conn *c = ri_container_of(t, struct conn, base);
        size_t all = 0, take, done = 0;

        if (c->eof)
                return -EPIPE;
        for (int i = 0; i < n; i++)
                all += iov[i].iov_len;
        take = sim_random(c->s, 3) ? all : sim_random(c->s, (unsigned)all + 1);
        for (int i = 0; i < n && done < take; i++) {
                size_t k = iov[i].iov_len < take - done ? iov[i].iov_len : take - done;

                add(&c->in, iov[i].iov_base, k);
                done += k;
        }
        if (done < all)
                c->want_write = true;
        return (ssize_t)done;
}

static void note_read(struct conn *c)
{
        while (c->told_acked < c->acked && c->status_at[c->told_acked] <= c->out_base + c->out.pos) {
                struct packet *p = &c->pkt[c->told_acked++];
                struct sim_chunk *k = &c->s->chunk[c->chunk];

                if (p->from + p->size > k->acked)
                        k->acked = p->from + p->size;
        }
}

static ssize_t sim_recv(struct mfs_transport *t, const struct iovec *iov, int n)
{
        struct conn *c = ri_container_of(t, struct conn, base);
        size_t have = c->out.len - c->out.pos, done = 0;

        if (have == 0)
                return c->eof ? 0 : -EAGAIN;
        if (c->s->trickle && c->server >= 0) {
                if (c->this_tick >= c->s->trickle)
                        return -EAGAIN;
                if (have > c->s->trickle - c->this_tick)
                        have = c->s->trickle - c->this_tick;
        }
        if (sim_random(c->s, 2) == 0)
                have = 1 + sim_random(c->s, (unsigned)have);
        for (int i = 0; i < n && done < have; i++) {
                size_t k = iov[i].iov_len < have - done ? iov[i].iov_len : have - done;

                memcpy(iov[i].iov_base, c->out.p + c->out.pos, k);
                c->out.pos += k;
                done += k;
        }
        c->this_tick += done;
        if (c->writing)
                note_read(c);
        return (ssize_t)done;
}

static void sim_want_read(struct mfs_transport *t, bool on)
{
        (void)t;
        (void)on;
}

static void take_packets(struct conn *c);

/* What a master was sent before arrives. */
static void sim_close(struct mfs_transport *t)
{
        struct conn *c = ri_container_of(t, struct conn, base);

        if (c->server < 0 && c->told)
                take_packets(c);
        session_lost(c);
        c->dead = true;
        c->s->loop->stats.connections--;
}

static void sim_discard(struct mfs_transport *t)
{
        struct conn *c = ri_container_of(t, struct conn, base);

        c->in.pos = c->in.len = 0;
}

static const struct mfs_transport_ops ops = {
        "sim", sim_send, sim_recv, sim_want_read, sim_close, sim_discard
};

static struct mfs_transport *sim_dial(struct mfs_dialer *d, roma_loop *loop, uint32_t ip, uint16_t port,
                                      uint32_t ms, const struct mfs_transport_events *ev, void *arg,
                                      struct ri_error *e)
{
        struct sim *s = ri_container_of(d, struct sim, dialer);
        struct conn *c = calloc(1, sizeof *c);

        (void)port;
        (void)ms;
        (void)e;
        c->base.ops = &ops;
        c->base.ev = ev;
        c->base.arg = arg;
        snprintf(c->base.peer, sizeof c->base.peer, "sim:%u", ip & 255);
        c->s = s;
        c->server = ip == SIM_MASTER_IP ? -1 : (int)(ip & 255) - 10;
        c->refused = c->server >= 0 ? happens(s, s->p_refuse) : s->no_master;
        ri_list_add_tail(&s->conns, &c->link);
        loop->stats.connections++;
        s->connects++;
        return &c->base;
}

static void server_closes(struct conn *c)
{
        session_lost(c);
        c->eof = true;
        /* an END that was on its way is lost too; its lock ends by itself, here sooner than in 120 s */
        for (unsigned i = 0; c->server < 0 && i < SIM_CHUNKS; i++)
                c->s->chunk[i].orphan_lock |= c->s->chunk[i].locked;
        if (c->server < 0)
                c->s->parked_len = 0;
}

/* ---- answers ---- */

static void reply(struct conn *c, uint32_t type, const unsigned char *payload, size_t len)
{
        unsigned char head[8];

        wire_put32(head, type);
        wire_put32(head + 4, (uint32_t)len);
        add(&c->out, head, 8);
        add(&c->out, payload, len);
}

static void reply_status(struct conn *c, uint32_t type, uint32_t msgid, uint8_t status)
{
        unsigned char p[5];

        wire_put32(p, msgid);
        p[4] = status;
        reply(c, type, p, 5);
}

/* ---- the master ---- */

static void reply_places(struct conn *c, uint32_t type, uint32_t msgid, struct sim_chunk *k)
{
        unsigned char p[25 + 14 * 8];
        unsigned first = sim_random(c->s, SIM_SERVERS);
        unsigned parts = type == WIRE_MATOCL_FUSE_READ_CHUNK && k ? c->s->parts : 0;
        size_t n = 25;

        wire_put32(p, msgid);
        wire_put64(p + 5, c->s->length);
        wire_put64(p + 13, k ? k->id : 0);
        wire_put32(p + 21, k ? k->version : 0);
        p[4] = parts ? 3 : 2;
        for (unsigned i = 0; k && i < (parts ? parts : SIM_SERVERS); i++) {
                unsigned server = parts ? i % SIM_SERVERS : (first + i) % SIM_SERVERS;

                if (!parts && !k->held[server])
                        continue;
                wire_put32(p + n, 0x0A00000Au + server);
                wire_put16(p + n + 4, 9422);
                wire_put32(p + n + 6, WIRE_VER(3, 0, 117));
                wire_put32(p + n + 10, 1);
                n += 14;
        }
        reply(c, type, p, n);
}

static void create_chunk(struct sim *s, unsigned index)
{
        struct sim_chunk *k = &s->chunk[index];
        unsigned first = sim_random(s, SIM_SERVERS);

        k->id = s->next_id++;
        k->version = 1;
        for (unsigned i = 0; i < s->copies; i++) {
                unsigned server = (first + i) % SIM_SERVERS;

                k->held[server] = true;
                s->copy[server][index].id = k->id;
                s->copy[server][index].version = 1;
        }
}

static void write_chunk(struct conn *c, uint32_t msgid, unsigned index, uint8_t flags)
{
        struct sim *s = c->s;
        struct sim_chunk *k = &s->chunk[index];

        if (s->write_status || happens(s, s->p_locked)) {
                reply_status(c, WIRE_MATOCL_FUSE_WRITE_CHUNK, msgid,
                             s->write_status ? s->write_status : WIRE_STATUS_LOCKED);
                return;
        }
        if ((flags & WIRE_CHUNKOP_CONTINUEOP) && !k->locked && !s->sole_writer)
                broke(s, "CONTINUEOP for chunk %u, which is not locked", index);
        if (s->repairs && k->broken_chain && k->locked && !k->orphan_lock) {
                reply_status(c, WIRE_MATOCL_FUSE_WRITE_CHUNK, msgid, WIRE_STATUS_EAGAIN);
                return;
        }
        if (k->locked && !(flags & WIRE_CHUNKOP_CONTINUEOP)) {
                if (!k->orphan_lock)
                        broke(s, "WRITE_CHUNK for chunk %u, which is locked by us", index);
                k->locked = sim_random(s, 3) != 0; /* the lock that nobody knows of ends some time */
                reply_status(c, WIRE_MATOCL_FUSE_WRITE_CHUNK, msgid, WIRE_STATUS_LOCKED);
                return;
        }
        if (!k->id)
                create_chunk(s, index);
        if (!k->locked)
                k->acked = 0;
        k->locked = true;
        k->orphan_lock = false;
        k->broken_chain = false;
        if (s->length < index * WIRE_CHUNK_SIZE)
                s->length = index * WIRE_CHUNK_SIZE;
        k->granted_length = s->length;
        s->grants++;
        if (s->swallow_lock || happens(s, s->p_master_lost)) {
                s->swallow_lock = false;
                k->orphan_lock = true;
                server_closes(c);
                return;
        }
        reply_places(c, WIRE_MATOCL_FUSE_WRITE_CHUNK, msgid, k);
}

/* One server of the chain is lost; another gets a copy of what one of the rest has. */
static void repair(struct sim *s, unsigned index)
{
        struct sim_chunk *k = &s->chunk[index];
        unsigned lost = sim_random(s, SIM_SERVERS), from, to = 0;

        k->broken_chain = false;
        if (s->copies < 2)
                return;
        while (!k->held[lost])
                lost = (lost + 1) % SIM_SERVERS;
        k->held[lost] = false;
        from = (unsigned)sim_a_copy(s, index);
        while (k->held[to] || to == lost)
                to++;
        for (unsigned b = 0; b < SIM_BLOCKS; b++) {
                const unsigned char *p = s->copy[from][index].block[b];

                free(s->copy[to][index].block[b]);
                s->copy[to][index].block[b] = p ? memcpy(malloc(WIRE_BLOCK_SIZE), p, WIRE_BLOCK_SIZE) : NULL;
        }
        k->held[to] = true;
        k->version++;
        for (unsigned v = 0; v < SIM_SERVERS; v++) {
                if (!k->held[v])
                        continue;
                s->copy[v][index].id = k->id;
                s->copy[v][index].version = k->version;
        }
        s->repaired++;
}

static void write_end(struct conn *c, uint32_t msgid, const unsigned char *p)
{
        struct sim *s = c->s;
        uint64_t id = wire_be64(p), length = wire_be64(p + 16);
        uint32_t index = wire_be32(p + 12);
        struct sim_chunk *k = &s->chunk[index];

        s->ends++;
        s->last_end_length = length;
        if (s->end_status) {
                reply_status(c, WIRE_MATOCL_FUSE_WRITE_CHUNK_END, msgid, s->end_status);
                return;
        }
        if (id != k->id)
                broke(s, "END names chunk %llu, it is %llu", (unsigned long long)id,
                      (unsigned long long)k->id);
        if (!k->locked && !s->sole_writer)
                broke(s, "END for chunk %u, which is not locked", index);
        if (length && k->acked == 0)
                broke(s, "END with a length although nothing was acknowledged");
        if (k->acked) {
                uint64_t want = index * WIRE_CHUNK_SIZE + k->acked;

                if (want < k->granted_length && k->granted_length <= s->length)
                        want = k->granted_length;
                else if (want < k->granted_length && want < s->length)
                        want = s->length; /* somebody has cut it since */
                if (length != want)
                        broke(s, "END with length %llu, expected %llu", (unsigned long long)length,
                              (unsigned long long)want);
        }
        if (s->repairs && k->broken_chain)
                repair(s, index);
        if (k->broken_chain)
                broke(s, "END after a broken chain without sending the rest again");
        ri_list_for_each(it, &s->conns)
        {
                struct conn *w = ri_list_entry(it, struct conn, link);

                if (!w->dead && w->writing && w->chunk == index && w->told_acked < w->npkt)
                        broke(s, "END with unacknowledged packets");
        }
        k->locked = false;
        if (length > s->length)
                s->length = length;
        if (s->swallow_end || happens(s, s->p_master_lost)) {
                s->swallow_end = false;
                server_closes(c);
                return;
        }
        reply_status(c, WIRE_MATOCL_FUSE_WRITE_CHUNK_END, msgid, WIRE_STATUS_OK);
}

static void reply_attr(struct conn *c, uint32_t type, uint32_t msgid, bool prev, uint64_t prevlength)
{
        struct wire_attr a = { .type = WIRE_NODE_FILE, .mode = 0644, .nlink = 1, .length = c->s->length };
        unsigned char p[4 + 8 + 36];
        size_t n = 4;

        wire_put32(p, msgid);
        if (prev) {
                wire_put64(p + n, prevlength);
                n += 8;
        }
        wire_attr_encode(&a, p + n, 36);
        reply(c, type, p, n + 36);
}

static void cut(struct sim *s, uint64_t length)
{
        for (unsigned i = 0; i < SIM_CHUNKS; i++) {
                uint64_t start = i * WIRE_CHUNK_SIZE;

                for (unsigned v = 0; v < SIM_SERVERS; v++) {
                        for (unsigned b = 0; b < SIM_BLOCKS; b++) {
                                uint64_t at = start + (uint64_t)b * WIRE_BLOCK_SIZE;
                                unsigned char *p = s->copy[v][i].block[b];

                                if (p && at + WIRE_BLOCK_SIZE > length) {
                                        size_t keep = length > at ? (size_t)(length - at) : 0;

                                        memset(p + keep, 0, WIRE_BLOCK_SIZE - keep);
                                }
                        }
                        if (start < length && start + WIRE_CHUNK_SIZE > length)
                                s->copy[v][i].version++;
                }
                if (start >= length) {
                        s->chunk[i].id = 0;
                        memset(s->chunk[i].held, 0, sizeof s->chunk[i].held);
                } else if (start + WIRE_CHUNK_SIZE > length && s->chunk[i].id) {
                        s->chunk[i].version++;
                }
        }
}

static void truncate_file(struct conn *c, uint32_t msgid, const unsigned char *p, size_t len)
{
        struct sim *s = c->s;
        uint8_t flags = p[4];
        uint64_t length = wire_be64(p + len - 8), before = s->length;

        if (s->park_truncate && len <= sizeof s->parked) {
                s->park_truncate = false;
                memcpy(s->parked, p, len);
                s->parked_len = len;
                s->parked_msgid = msgid;
                return;
        }
        for (unsigned i = 0; i < SIM_CHUNKS; i++) {
                if (s->chunk[i].locked && !s->chunk[i].orphan_lock)
                        broke(s, "TRUNCATE while we hold chunk %u", i);
        }
        if (s->truncate_status) {
                reply_status(c, WIRE_MATOCL_FUSE_TRUNCATE, msgid, s->truncate_status);
                return;
        }
        if (flags & WIRE_TRUNCATE_RESERVE) {
                if (s->reserved < s->length)
                        s->reserved = s->length;
                before = s->reserved;
                s->reserved += length;
        } else {
                if (length < s->length)
                        cut(s, length);
                s->length = s->reserved = length;
        }
        if (s->swallow_truncate) {
                s->swallow_truncate = false;
                s->length += 100;
                s->truncate_status = WIRE_STATUS_QUOTA;
                server_closes(c);
                return;
        }
        reply_attr(c, WIRE_MATOCL_FUSE_TRUNCATE, msgid, true, before);
}

static void do_register(struct conn *c, const unsigned char *p)
{
        unsigned char r[49] = { 0 };

        c->registered = true;
        if (p[64] == WIRE_REGISTER_RECONNECT) {
                wire_put32(r, WIRE_VER(3, 0, 117));
                reply(c, WIRE_MATOCL_FUSE_REGISTER, r, 5);
                return;
        }
        if (p[64] == WIRE_REGISTER_CLOSESESSION) {
                reply(c, WIRE_MATOCL_FUSE_REGISTER, r, 1);
                return;
        }
        wire_put32(r, WIRE_VER(3, 0, 117));
        wire_put32(r + 4, ++c->s->session);
        wire_put64(r + 8, 0x1234);
        reply(c, WIRE_MATOCL_FUSE_REGISTER, r, 49);
}

static void master_packet(struct conn *c, uint32_t type, const unsigned char *p, size_t len)
{
        struct sim *s = c->s;
        uint32_t msgid = len >= 4 ? wire_be32(p) : 0;
        unsigned char out[64] = { 0 };

        switch (type) {
        case WIRE_CLTOMA_FUSE_REGISTER: do_register(c, p); break;
        case WIRE_CLTOMA_FUSE_READ_CHUNK: {
                struct sim_chunk *k = &s->chunk[wire_be32(p + 8) % SIM_CHUNKS];

                s->asks++;
                if (k->locked || happens(s, s->p_locked)) {
                        if (k->orphan_lock && sim_random(s, 3) == 0)
                                k->locked = false;
                        reply_status(c, WIRE_MATOCL_FUSE_READ_CHUNK, msgid, WIRE_STATUS_LOCKED);
                } else {
                        reply_places(c, WIRE_MATOCL_FUSE_READ_CHUNK, msgid, k->id ? k : NULL);
                }
                break;
        }
        case WIRE_CLTOMA_FUSE_WRITE_CHUNK: write_chunk(c, msgid, wire_be32(p + 8) % SIM_CHUNKS, p[12]); break;
        case WIRE_CLTOMA_FUSE_WRITE_CHUNK_END:
                if (len != 29)
                        broke(s, "END of %zu bytes to a 3.0.117 master", len);
                else
                        write_end(c, msgid, p + 4);
                break;
        case WIRE_CLTOMA_FUSE_GETATTR: reply_attr(c, WIRE_MATOCL_FUSE_GETATTR, msgid, false, 0); break;
        case WIRE_CLTOMA_FUSE_TRUNCATE: truncate_file(c, msgid, p + 4, len - 4); break;
        case WIRE_CLTOMA_FUSE_STATFS:
                wire_put32(out, msgid);
                wire_put64(out + 4, 1 << 30);
                reply(c, WIRE_MATOCL_FUSE_STATFS, out, 48);
                break;
        case WIRE_CLTOMA_FUSE_TIME_SYNC:
                wire_put32(out, msgid);
                wire_put64(out + 4, UINT64_C(1700000000000000));
                reply(c, WIRE_MATOCL_FUSE_TIME_SYNC, out, 12);
                break;
        default: break;
        }
}

/* ---- a chunkserver ---- */

static int chunk_by_id(struct sim *s, uint64_t id)
{
        for (int i = 0; i < SIM_CHUNKS; i++) {
                if (s->chunk[i].id == id)
                        return i;
        }
        return -1;
}

static void reply_read_status(struct conn *c, uint64_t id, uint8_t status)
{
        unsigned char p[9];

        wire_put64(p, id);
        p[8] = status;
        reply(c, WIRE_CSTOCL_READ_STATUS, p, 9);
}

void sim_peek(struct sim *s, unsigned server, unsigned chunk, uint32_t from, unsigned char *to, uint32_t n)
{
        for (uint32_t i = 0; i < n; i++) {
                const unsigned char *b = s->copy[server][chunk].block[(from + i) / WIRE_BLOCK_SIZE];

                to[i] = b ? b[(from + i) % WIRE_BLOCK_SIZE] : 0;
        }
}

void sim_poke(struct sim *s, unsigned server, unsigned chunk, const unsigned char *from, uint32_t n)
{
        for (uint32_t i = 0; i < n; i++) {
                unsigned char **b = &s->copy[server][chunk].block[i / WIRE_BLOCK_SIZE];

                if (!*b)
                        *b = calloc(1, WIRE_BLOCK_SIZE);
                (*b)[i % WIRE_BLOCK_SIZE] = from[i];
        }
}

/* Offset o of a part, as the offset in the whole chunk. */
static uint32_t whole(uint32_t o, unsigned part, unsigned parts)
{
        return (((o >> 18) * parts + part) << 18) | (o & 0x3FFFF);
}

/* The chunk that a read means, -1: none such here. */
static int read_which(struct conn *c, uint64_t id, uint32_t version)
{
        struct sim *s = c->s;
        int k = chunk_by_id(s, id & WIRE_CHUNKID_MASK);
        unsigned ecid = (unsigned)(id >> 56), part = ecid - (s->parts == 4 ? 0x10 : 0x20);

        if (s->parts == 0)
                return k >= 0 && ecid == 0 && s->copy[c->server][k].id == id &&
                                       s->copy[c->server][k].version == version
                               ? k
                               : -1;
        if (part >= s->parts || (int)(part % SIM_SERVERS) != c->server)
                broke(s, "read of part %02x from server %d", ecid, c->server);
        return k >= 0 && s->chunk[k].version == version ? k : -1;
}

static void do_read(struct conn *c, const unsigned char *p)
{
        struct sim *s = c->s;
        uint64_t id = wire_be64(p + 1);
        uint32_t version = wire_be32(p + 9), at = wire_be32(p + 13), end = at + wire_be32(p + 17);
        int k = read_which(c, id, version);
        unsigned part = (unsigned)(id >> 56) & 0xF, packets = 0;
        bool flip = false, may_flip;
        int from = k >= 0 && s->parts ? sim_a_copy(s, (unsigned)k) : c->server;

        s->reads++;
        if (k < 0) {
                reply_read_status(c, id, WIRE_STATUS_WRONGVERSION);
                return;
        }
        may_flip = !s->flipped[k];
        s->flipped[k] = false;
        while (at < end) {
                uint32_t stop = (at / WIRE_BLOCK_SIZE + 1) * WIRE_BLOCK_SIZE,
                         n = (stop < end ? stop : end) - at;
                unsigned char *d = malloc(20 + n);

                if (happens(s, s->p_read_close) || (s->read_at_most && ++packets > s->read_at_most)) {
                        c->eof = true;
                        free(d);
                        return;
                }
                if (sim_random(s, 8) == 0)
                        reply(c, WIRE_ANTOAN_NOP, NULL, 0);
                sim_peek(s, (unsigned)from, (unsigned)k, s->parts ? whole(at, part, s->parts) : at, d + 20,
                         n);
                wire_put64(d, id);
                wire_put16(d + 8, (uint16_t)(at / WIRE_BLOCK_SIZE));
                wire_put16(d + 10, (uint16_t)(at % WIRE_BLOCK_SIZE));
                wire_put32(d + 12, n);
                wire_put32(d + 16, ri_crc32(0, d + 20, n));
                if (happens(s, s->p_flip) && may_flip)
                        flip = s->flipped[k] = true;
                if (s->rotten[c->server] || flip)
                        d[20 + sim_random(s, n)] ^= 1;
                reply(c, WIRE_CSTOCL_READ_DATA, d, 20 + n);
                free(d);
                at += n;
        }
        reply_read_status(c, id, WIRE_STATUS_OK);
}

static void write_status(struct conn *c, uint32_t id, uint8_t status)
{
        unsigned char p[13];

        wire_put64(p, c->s->chunk[c->chunk].id);
        wire_put32(p + 8, id);
        p[12] = status;
        reply(c, WIRE_CSTOCL_WRITE_STATUS, p, 13);
}

static void begin_write(struct conn *c, const unsigned char *p, size_t len)
{
        struct sim *s = c->s;
        int k = chunk_by_id(s, wire_be64(p + 1));
        bool in[SIM_SERVERS] = { false };

        s->writes++;
        if (c->writing)
                broke(s, "WRITE inside a write session");
        if (k < 0 || !s->chunk[k].locked) {
                broke(s, "WRITE to a chunk that is not locked");
                c->eof = true;
                return;
        }
        c->writing = true;
        c->chunk = (unsigned)k;
        c->nchain = 0;
        c->chain[c->nchain++] = (unsigned)c->server;
        in[c->server] = true;
        for (size_t at = 13; at + 6 <= len; at += 6) {
                unsigned server = wire_be32(p + at) - 0x0A00000Au;

                if (server >= SIM_SERVERS || in[server]) {
                        broke(s, "a chain names server %u twice or out of nowhere", server);
                        return;
                }
                in[server] = true;
                c->chain[c->nchain++] = server;
        }
        for (unsigned i = 0; i < SIM_SERVERS; i++) {
                if (in[i] != s->chunk[k].held[i])
                        broke(s, "the chain is not the servers of the grant");
        }
}

static void write_data(struct conn *c, const unsigned char *p, size_t len)
{
        struct sim *s = c->s;
        uint32_t block = wire_be16(p + 12), off = wire_be16(p + 14), size = wire_be32(p + 16);
        uint32_t id = wire_be32(p + 8);
        struct packet *k;

        s->packets++;
        if (!c->writing || !c->up) {
                broke(s, "data outside of a session that is up");
                c->eof = true;
                return;
        }
        if (len != 24 + size || off + size > WIRE_BLOCK_SIZE || block >= 1024 || id == 0 ||
            id <= c->last_id || wire_be64(p) != s->chunk[c->chunk].id ||
            ri_crc32(0, p + 24, size) != wire_be32(p + 20))
                broke(s, "a data packet of block %u, offset %u, size %u, id %u is wrong", block, off, size,
                      id);
        if (!s->chunk[c->chunk].locked)
                broke(s, "data without a lock");
        c->last_id = id;
        c->pkt = realloc(c->pkt, (c->npkt + 1) * sizeof *c->pkt);
        k = &c->pkt[c->npkt++];
        memset(k, 0, sizeof *k);
        k->id = id;
        k->from = block * WIRE_BLOCK_SIZE + off;
        k->size = size;
        k->data = malloc(size ? size : 1);
        memcpy(k->data, p + 24, size);
        if (c->npkt - c->told_acked > 64)
                broke(s, "%zu packets are unacknowledged", c->npkt - c->told_acked);
}

static void finish_write(struct conn *c)
{
        c->s->finishes++;
        if (!c->writing || !c->up)
                broke(c->s, "FINISH outside of a session");
        if (c->told_acked < c->npkt)
                broke(c->s, "FINISH before the last acknowledgement was read");
        forget_session(c);
}

static void cs_packet(struct conn *c, uint32_t type, const unsigned char *p, size_t len)
{
        switch (type) {
        case WIRE_CLTOCS_READ: do_read(c, p); break;
        case WIRE_CLTOCS_WRITE: begin_write(c, p, len); break;
        case WIRE_CLTOCS_WRITE_DATA: write_data(c, p, len); break;
        case WIRE_CLTOCS_WRITE_FINISH: finish_write(c); break;
        case WIRE_ANTOAN_NOP: break;
        default: broke(c->s, "packet %u to a chunkserver", type);
        }
}

static void chain_moves(struct conn *c)
{
        struct sim *s = c->s;

        if (!c->up) {
                if (s->slow && sim_random(s, s->slow))
                        return;
                c->up = true;
                write_status(c, 0, 0);
        }
        if (happens(s, s->p_close)) {
                server_closes(c);
                return;
        }
        if (happens(s, s->p_status)) {
                write_status(c, c->npkt ? c->pkt[sim_random(s, (unsigned)c->npkt)].id : 0,
                             WIRE_STATUS_DISCONNECTED);
                server_closes(c);
                return;
        }
        for (unsigned k = 0; k < c->nchain; k++) {
                size_t n = 0;

                while (n < c->npkt && c->pkt[n].applied[k])
                        n++;
                while (n < c->npkt && !(s->slow && sim_random(s, s->slow)))
                        apply(c, k, &c->pkt[n++]);
        }
        while (c->acked < c->npkt) {
                for (unsigned k = 0; k < c->nchain; k++) {
                        if (!c->pkt[c->acked].applied[k])
                                return;
                }
                c->status_at = realloc(c->status_at, (c->acked + 1) * sizeof *c->status_at);
                write_status(c, c->pkt[c->acked].id, 0);
                c->status_at[c->acked] = c->out_base + c->out.len;
                c->acked++;
                if (sim_random(s, 8) == 0)
                        reply(c, WIRE_ANTOAN_NOP, NULL, 0);
        }
}

/* ---- time ---- */

static void take_packets(struct conn *c)
{
        while (!c->eof && c->in.len - c->in.pos >= 8) {
                const unsigned char *h = c->in.p + c->in.pos;
                uint32_t type = wire_be32(h), len = wire_be32(h + 4);

                if (c->in.len - c->in.pos - 8 < len)
                        break;
                c->in.pos += 8 + len;
                if (c->server < 0)
                        master_packet(c, type, h + 8, len);
                else
                        cs_packet(c, type, h + 8, len);
        }
        if (c->in.pos == c->in.len)
                c->in.pos = c->in.len = 0;
}

static void move_conn(struct conn *c)
{
        struct sim *s = c->s;

        c->this_tick = 0;
        if (c->refused) {
                struct ri_error e = { .code = ROMA_ECONNECT, .text = "refused by the test" };

                c->failed_told = c->eof = true;
                c->refused = false;
                c->base.ev->failed(c->base.arg, &e);
                return;
        }
        if (!c->told) {
                c->told = true;
                c->base.ev->connected(c->base.arg);
                return;
        }
        if (c->server < 0 || !s->stuck[c->server]) {
                take_packets(c);
                if (c->writing && !c->eof)
                        chain_moves(c);
        }
        if (c->want_write && !c->eof) {
                c->want_write = false;
                c->base.ev->writable(c->base.arg);
        }
        if (c->dead || c->failed_told)
                return;
        if (c->out.len > c->out.pos || c->eof) {
                bool ended = c->eof && c->out.len == c->out.pos;
                struct ri_error e = { .code = ROMA_ECLOSED, .text = "closed by the test" };

                if (c->server < 0 && s->away_ms) {
                        s->away_at = ri_now();
                        usleep(s->away_ms * 1000);
                }
                c->base.ev->readable(c->base.arg);
                if (c->dead || !ended)
                        return;
                c->failed_told = true;
                c->base.ev->failed(c->base.arg, &e);
        }
        if (!c->dead && c->out.pos == c->out.len) {
                c->out_base += c->out.len;
                c->out.pos = c->out.len = 0;
        }
}

static void conn_free(struct conn *c)
{
        forget_session(c);
        ri_list_del(&c->link);
        free(c->in.p);
        free(c->out.p);
        free(c);
}

static void tick(struct ri_timer *t)
{
        struct sim *s = ri_container_of(t, struct sim, tick);

        for (struct ri_list *it = s->conns.next; it != &s->conns; it = it->next) {
                struct conn *c = ri_list_entry(it, struct conn, link);

                if (!c->dead && !c->failed_told)
                        move_conn(c);
        }
        ri_list_for_each_safe(it, tmp, &s->conns)
        {
                struct conn *c = ri_list_entry(it, struct conn, link);

                if (c->dead)
                        conn_free(c);
        }
        ri_timer_start(s->loop, t, 1);
}

/* ---- for tests ---- */

void sim_init(struct sim *s, roma_loop *loop, uint64_t seed)
{
        memset(s, 0, sizeof *s);
        s->loop = loop;
        s->dialer.dial = sim_dial;
        s->seed = seed * UINT64_C(0x9E3779B97F4A7C15) + 1;
        s->next_id = 100;
        s->copies = 3;
        ri_list_init(&s->conns);
        s->tick.fire = tick;
        ri_timer_start(loop, &s->tick, 1);
}

void sim_free(struct sim *s)
{
        ri_timer_stop(&s->tick);
        while (!ri_list_empty(&s->conns))
                conn_free(ri_list_entry(ri_list_first(&s->conns), struct conn, link));
        for (unsigned v = 0; v < SIM_SERVERS; v++) {
                for (unsigned i = 0; i < SIM_CHUNKS; i++) {
                        for (unsigned b = 0; b < SIM_BLOCKS; b++)
                                free(s->copy[v][i].block[b]);
                }
        }
}

int sim_a_copy(struct sim *s, unsigned chunk)
{
        for (int v = 0; v < SIM_SERVERS; v++) {
                if (s->chunk[chunk].id && s->chunk[chunk].held[v])
                        return v;
        }
        return -1;
}

const char *sim_compare(struct sim *s)
{
        static const unsigned char zeros[WIRE_BLOCK_SIZE];
        static char text[128];

        for (unsigned i = 0; i < SIM_CHUNKS; i++) {
                int first = sim_a_copy(s, i);

                for (int v = first + 1; first >= 0 && v < SIM_SERVERS; v++) {
                        for (unsigned b = 0; s->chunk[i].held[v] && b < SIM_BLOCKS; b++) {
                                const unsigned char *p = s->copy[first][i].block[b],
                                                    *q = s->copy[v][i].block[b];

                                if (memcmp(p ? p : zeros, q ? q : zeros, WIRE_BLOCK_SIZE) == 0)
                                        continue;
                                snprintf(text, sizeof text, "chunk %u, block %u differs on servers %d and %d",
                                         i, b, first, v);
                                return text;
                        }
                }
        }
        return "";
}

unsigned sim_locks(struct sim *s)
{
        unsigned n = 0;

        for (unsigned i = 0; i < SIM_CHUNKS; i++)
                n += s->chunk[i].locked && !s->chunk[i].orphan_lock;
        return n;
}

static struct conn *master_conn(struct sim *s)
{
        ri_list_for_each(it, &s->conns)
        {
                struct conn *c = ri_list_entry(it, struct conn, link);

                if (c->server < 0 && !c->dead && !c->eof && c->registered)
                        return c;
        }
        return NULL;
}

void sim_invert(struct sim *s, unsigned chunk)
{
        for (unsigned v = 0; v < SIM_SERVERS; v++) {
                for (unsigned b = 0; b < SIM_BLOCKS; b++) {
                        unsigned char *p = s->copy[v][chunk].block[b];

                        for (unsigned i = 0; p && i < WIRE_BLOCK_SIZE; i++)
                                p[i] ^= 0xFF;
                }
        }
}

void sim_tell_length(struct sim *s, uint64_t length)
{
        struct conn *c = master_conn(s);
        unsigned char p[16] = { 0 };

        wire_put32(p + 4, SIM_INODE);
        wire_put64(p + 8, length);
        if (c)
                reply(c, WIRE_MATOCL_FUSE_FLENG_HAS_CHANGED, p, sizeof p);
}

void sim_foreign_cut(struct sim *s, uint64_t length)
{
        cut(s, length);
        s->length = length;
        sim_tell_length(s, length);
}

void sim_tell_chunk(struct sim *s, unsigned chunk, uint64_t length, bool truncated)
{
        struct sim_chunk *k = &s->chunk[chunk];
        struct conn *c = master_conn(s);
        unsigned char p[33] = { 0 };

        wire_put32(p + 4, SIM_INODE);
        wire_put32(p + 8, chunk);
        wire_put64(p + 12, k->id);
        wire_put32(p + 20, k->version);
        wire_put64(p + 24, length);
        p[32] = truncated;
        if (c)
                reply(c, WIRE_MATOCL_FUSE_CHUNK_HAS_CHANGED, p, sizeof p);
}

void sim_foreign_change(struct sim *s, unsigned chunk)
{
        s->chunk[chunk].version++;
        for (unsigned v = 0; v < SIM_SERVERS; v++)
                s->copy[v][chunk].version = s->chunk[chunk].version;
        sim_tell_chunk(s, chunk, s->length, false);
}

bool sim_parked(const struct sim *s)
{
        return s->parked_len > 0;
}

void sim_unpark(struct sim *s)
{
        struct conn *c = master_conn(s);
        size_t len = s->parked_len;

        s->parked_len = 0;
        if (c && len)
                truncate_file(c, s->parked_msgid, s->parked, len);
}

void sim_drop_master(struct sim *s)
{
        struct conn *c = master_conn(s);

        if (c)
                server_closes(c);
}

void sim_close_writing(struct sim *s)
{
        ri_list_for_each(it, &s->conns)
        {
                struct conn *c = ri_list_entry(it, struct conn, link);

                if (c->server >= 0 && c->writing && !c->eof)
                        server_closes(c);
        }
}

void sim_close_idle(struct sim *s)
{
        ri_list_for_each(it, &s->conns)
        {
                struct conn *c = ri_list_entry(it, struct conn, link);

                if (c->server >= 0 && !c->writing)
                        c->eof = true;
        }
}
