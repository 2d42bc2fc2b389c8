/* SPDX-License-Identifier: MIT */
/* A write session at a chunkserver, alone or as one link of a chain. What real servers do to careless clients they do
 * here too: a middle server forgets what it has not written when FINISH comes early, and hangs up without a word when
 * data are bad. Protocol pages 5.2 to 5.6. */
#include <stdlib.h>
#include <string.h>

#include "core/crc.h"
#include "mfsproto/peer/inner.h"

enum { NOP_ANSWER_MS = 500, HUNG_MS = 20 };

struct job {
        struct ri_list link;
        struct wire_data d;
        uint8_t *data;
        uint8_t status;
        bool disk, down; /* done here, done behind */
};

struct peer_write {
        struct peer_conn *c;    /* who writes: the client or the server before */
        struct peer_conn *next; /* NULL: the last of the chain */
        uint64_t chunk;
        uint32_t version;
        bool up;             /* (0, 0) has been passed on */
        bool poisoned;       /* an error was told: the next packet ends it */
        struct ri_list jobs; /* not answered, in the order in which they came */
        struct ri_task disk;
        struct ri_timer slow;
};

static bool audited(const struct peer_write *w)
{
        return !w->c->chained;
}

static bool send_status(struct peer_write *w, uint32_t writeid, uint8_t status)
{
        struct wire_msg m;

        wire_msg_init(&m, WIRE_CSTOCL_WRITE_STATUS, WIRE_FROM_CS);
        wire_set_u(&m, WF_CHUNKID, w->chunk);
        wire_set_u(&m, WF_WRITEID, writeid);
        wire_set_u(&m, WF_STATUS, status);
        return peer_answer(w->c, &m);
}

/* ---- ending ------------------------------------------------------------------------------------------------ */

static void span(const struct job *j, uint32_t *from, uint32_t *to)
{
        *from = j->d.block * WIRE_BLOCK_SIZE + j->d.offset;
        *to = *from + j->d.size;
}

static void job_free(struct peer_write *w, struct job *j, bool answered)
{
        uint32_t from, to;

        span(j, &from, &to);
        if (audited(w) && answered)
                peer_audit_ack(w->c->peer, w->chunk, from, to);
        else if (audited(w))
                peer_audit_lost(w->c->peer, w->chunk, from, to);
        ri_list_del(&j->link);
        free(j->data);
        free(j);
}

/* The session is over, the connection may go on. polite: the next server is told the rest of what was queued. */
static void write_free(struct peer_write *w, bool polite)
{
        struct peer_conn *next = w->next;

        while (!ri_list_empty(&w->jobs))
                job_free(w, ri_container_of(ri_list_first(&w->jobs), struct job, link), false);
        ri_task_drop(&w->disk);
        ri_timer_stop(&w->slow);
        w->c->write = NULL;
        free(w);
        if (!next)
                return;
        next->write = NULL;
        if (polite)
                peer_end(next);
        else
                peer_kill(next);
}

void peer_write_closed(struct peer_conn *c)
{
        if (c->write)
                write_free(c->write, false);
}

/* What cannot even begin. The answer may meet a fault that ends the connection, and with it the session. */
static void refuse(struct peer_write *w, uint8_t status)
{
        struct peer_conn *c = w->c;

        c->refused = true;
        send_status(w, 0, status);
        if (c->write)
                write_free(c->write, false);
}

/* ---- answers ----------------------------------------------------------------------------------------------- */

/* Sends the answers that are due, in order. The session may be gone afterwards. */
static void settle(struct peer_conn *c)
{
        struct peer_write *w;

        while ((w = c->write) && !ri_list_empty(&w->jobs)) {
                struct job *j = ri_container_of(ri_list_first(&w->jobs), struct job, link);
                unsigned faults = c->peer->fired;
                bool told;

                if (!j->disk || (w->next && !j->down))
                        return;
                if (j->status && w->next) {
                        peer_kill(c); /* in a chain: a close and no word */
                        return;
                }
                told = send_status(w, j->d.writeid, j->status);
                if (c->peer->fired != faults)
                        peer_audit_trouble(c->peer, j->d.chunkid);
                if (!c->write)
                        return;
                if (j->status) {
                        job_free(w, j, false);
                        w->poisoned = true;
                        if (!wire_ver_at_least(c->peer->cfg.cs_version, WIRE_VER(4, 0, 0)))
                                peer_end(c);
                        return;
                }
                job_free(w, j, told);
        }
}

static struct job *next_job(struct peer_write *w)
{
        ri_list_for_each(l, &w->jobs)
        {
                struct job *j = ri_container_of(l, struct job, link);

                if (!j->disk)
                        return j;
        }
        return NULL;
}

static void write_job(struct peer_write *w, struct job *j)
{
        struct peer_copy *k;

        j->disk = true;
        if (!j->status)
                j->status = peer_copy_open(w->c->server, w->chunk, w->version, &k);
        if (!j->status)
                j->status = peer_copy_write(k, j->d.block, j->d.offset, j->data, j->d.size);
}

static void disk_again(struct peer_write *w)
{
        struct mfs_peer *p = w->c->peer;

        if (!next_job(w))
                return;
        if (!p->cfg.disk_ms && !w->c->server->hung)
                ri_task_queue(p->loop, &w->disk);
        else if (!ri_timer_running(&w->slow))
                ri_timer_start(p->loop, &w->slow, p->cfg.disk_ms ? p->cfg.disk_ms : HUNG_MS);
}

static void disk_step(struct peer_write *w)
{
        struct peer_conn *c = w->c;
        struct job *j = next_job(w);

        if (j && !c->server->hung)
                write_job(w, j);
        settle(c);
        if (c->write)
                disk_again(c->write);
}

static void disk_run(struct ri_task *t)
{
        disk_step(ri_container_of(t, struct peer_write, disk));
}

static void disk_slow(struct ri_timer *t)
{
        disk_step(ri_container_of(t, struct peer_write, slow));
}

/* ---- from the client, or the server before ----------------------------------------------------------------- */

static bool lets_pass(const struct peer_write *w, enum mfs_peer_bug bug)
{
        return peer_bug(w->c->peer, bug) && !w->next && !w->c->chained;
}

static uint8_t verdict(const struct peer_write *w, struct wire_data *d, const uint8_t *data)
{
        if (d->block == WIRE_BLOCKS_PER_CHUNK && lets_pass(w, MFS_BUG_TAKES_BLOCK_1024))
                d->block = 0;
        if (d->chunkid != w->chunk)
                return WIRE_STATUS_WRONGCHUNKID;
        if (d->block >= WIRE_BLOCKS_PER_CHUNK)
                return WIRE_STATUS_BNUMTOOBIG;
        if (d->size > WIRE_BLOCK_SIZE)
                return WIRE_STATUS_WRONGSIZE;
        if (d->size > WIRE_BLOCK_SIZE - d->offset)
                return WIRE_STATUS_WRONGOFFSET;
        if (ri_crc32(0, data, d->size) == d->crc || lets_pass(w, MFS_BUG_TAKES_BAD_CRC))
                return WIRE_STATUS_OK;
        return WIRE_STATUS_CRC;
}

static void forward(struct peer_write *w, uint32_t type, const uint8_t *payload, size_t len)
{
        uint8_t head[WIRE_HEADER_SIZE];

        if (!w->next)
                return;
        wire_put32(head, type);
        wire_put32(head + 4, (uint32_t)len);
        peer_put(w->next, head, sizeof head);
        peer_put(w->next, payload, len);
}

static bool add_job(struct peer_write *w, const struct wire_data *d, const uint8_t *data, uint8_t status)
{
        struct job *j = calloc(1, sizeof *j);

        if (!j)
                return false;
        j->d = *d;
        j->status = status;
        j->data = (uint8_t *)ri_memdup0(data, d->size);
        if (!j->data) {
                free(j);
                return false;
        }
        ri_list_add_tail(&w->jobs, &j->link);
        return true;
}

static void on_data(struct peer_conn *c, const uint8_t *p, size_t len)
{
        struct peer_write *w = c->write;
        struct wire_data d;
        uint8_t status;

        if (len < WIRE_WRITE_DATA_HEADER || wire_be32(p + 16) != len - WIRE_WRITE_DATA_HEADER) {
                peer_cs_kill(c, MFS_RULE_BLOCK, WIRE_CLTOCS_WRITE_DATA, len, "size and length differ");
                return;
        }
        d = (struct wire_data){ wire_be64(p),      wire_be32(p + 8),  wire_be16(p + 12),
                                wire_be16(p + 14), wire_be32(p + 16), wire_be32(p + 20) };
        p += WIRE_WRITE_DATA_HEADER;
        forward(w, WIRE_CLTOCS_WRITE_DATA, p - WIRE_WRITE_DATA_HEADER, len);
        status = verdict(w, &d, p);
        if (status && audited(w))
                peer_broken(c->peer, MFS_RULE_BLOCK, "cs%u: chunk %llu block %u offset %u size %u: %s",
                            c->server->index, (unsigned long long)d.chunkid, d.block, d.offset, d.size,
                            wire_status_name(status));
        if (status && w->next) {
                if (status == WIRE_STATUS_CRC && peer_bug(c->peer, MFS_BUG_CHAIN_STATUS))
                        send_status(w, d.writeid, status);
                else
                        peer_kill(c);
                return;
        }
        if (audited(w))
                peer_audit_data(c, &d);
        if (!add_job(w, &d, p, status))
                peer_kill(c);
        else
                disk_again(w);
}

static void on_finish(struct peer_conn *c, const uint8_t *p, size_t len)
{
        struct peer_write *w = c->write;

        if (len != 12) {
                peer_cs_kill(c, MFS_RULE_PACKET, WIRE_CLTOCS_WRITE_FINISH, len, "wrong length");
                return;
        }
        if (wire_be64(p) != w->chunk || wire_be32(p + 8) != w->version) {
                send_status(w, 0, WIRE_STATUS_WRONGCHUNKID);
                return;
        }
        if (audited(w) && !ri_list_empty(&w->jobs))
                peer_broken(c->peer, MFS_RULE_FINISH_EARLY,
                            "cs%u: chunk %llu: FINISH while %zu data packets wait for their answer",
                            c->server->index, (unsigned long long)w->chunk, ri_list_count(&w->jobs));
        forward(w, WIRE_CLTOCS_WRITE_FINISH, p, len);
        if (!w->next) { /* alone or last: everything is written; with a server behind, what is queued is lost */
                struct job *j;

                while ((j = next_job(w)))
                        write_job(w, j);
                settle(c);
        }
        if (c->write)
                write_free(c->write, true);
}

void peer_write_packet(struct peer_conn *c, uint32_t type, const uint8_t *payload, size_t len)
{
        struct peer_write *w = c->write;

        if (w->poisoned) {
                peer_kill(c);
        } else if (type == WIRE_CLTOCS_WRITE_DATA) {
                on_data(c, payload, len);
        } else if (type == WIRE_CLTOCS_WRITE_FINISH) {
                on_finish(c, payload, len);
        } else if (type == WIRE_ANTOAN_NOP && len <= 12) {
                uint64_t now = ri_now();

                forward(w, type, payload, len);
                if (peer_ms(c->nop_ns, now) >= NOP_ANSWER_MS) {
                        c->nop_ns = now;
                        peer_nop(c);
                }
        } else {
                peer_cs_kill(c, MFS_RULE_PACKET, type, len, "not in a write session");
        }
}

/* ---- from the server behind -------------------------------------------------------------------------------- */

static void chain_status(struct peer_conn *next, const uint8_t *p)
{
        struct peer_write *w = next->write;
        uint32_t writeid = wire_be32(p + 8);
        uint8_t status = p[12];

        if (!w->up && !writeid) {
                w->up = true;
                if (status)
                        refuse(w, status);
                else
                        send_status(w, 0, WIRE_STATUS_OK);
                return;
        }
        if (status) {
                peer_kill(w->c);
                return;
        }
        ri_list_for_each(l, &w->jobs)
        {
                struct job *j = ri_container_of(l, struct job, link);

                if (j->d.writeid != writeid || j->down)
                        continue;
                j->down = true;
                settle(w->c);
                return;
        }
        peer_kill(w->c); /* an answer to nothing */
}

static void chain_packet(struct peer_conn *next, uint32_t type, const uint8_t *payload, size_t len)
{
        if (!next->write || (type == WIRE_ANTOAN_NOP && len <= 4))
                return;
        if (type == WIRE_CSTOCL_WRITE_STATUS && len == 13)
                chain_status(next, payload);
        else
                peer_kill(next->write->c);
}

static void chain_closed(struct peer_conn *next)
{
        struct peer_write *w = next->write;

        if (!w)
                return;
        w->next = NULL;
        next->write = NULL;
        if (!w->up)
                refuse(w, next->connecting ? WIRE_STATUS_CANTCONNECT : WIRE_STATUS_DISCONNECTED);
        else
                peer_kill(w->c);
}

static void chain_tick(struct peer_conn *next, uint64_t now)
{
        (void)next;
        (void)now;
}

const struct peer_role peer_role_chain = {
        .name = "chain",
        .in = WIRE_FROM_CS,
        .out = WIRE_TO_CS,
        .packet = chain_packet,
        .tick = chain_tick,
        .closed = chain_closed,
};

/* ---- WRITE ------------------------------------------------------------------------------------------------- */

static unsigned by_port(struct mfs_peer *p, uint32_t ip, uint16_t port)
{
        for (unsigned i = 1; ip == UINT32_C(0x7F000001) && i <= p->cfg.servers; i++)
                if (p->server[i].port == port)
                        return i;
        return 0;
}

/* The servers of the chain, this one first. Beyond the table: not one of ours. */
static unsigned chain_of(struct peer_conn *c, struct wire_msg *m, uint8_t servers[MFS_PEER_SERVERS + 1])
{
        struct wire_iter it;
        struct wire_msg hop;
        unsigned n = 1;

        servers[0] = (uint8_t)c->server->index;
        wire_group_begin(m, WF_CHAIN, &it);
        while (wire_group_next(&it, &hop))
                if (n <= MFS_PEER_SERVERS)
                        servers[n++] = (uint8_t)by_port(c->peer, wire_get_u32(&hop, WF_IP),
                                                        wire_get_u16(&hop, WF_PORT));
        return n;
}

/* The same packet without its first hop, to that server: one of ours, or nobody. What a client says may be the place of
 * a real server, which must not get what is written here. */
static void pass_on(struct peer_write *w, struct wire_msg *m, unsigned server)
{
        struct wire_iter it;
        struct wire_msg hop;
        struct wire_group g;
        struct wire_msg out;
        uint8_t hops[6 * 2 * MFS_PEER_SERVERS], packet[sizeof hops + 32];
        bool first = true;
        ssize_t n;

        wire_group_init(&g, WFORM_HOP, hops, sizeof hops);
        wire_group_begin(m, WF_CHAIN, &it);
        while (wire_group_next(&it, &hop)) {
                if (!first)
                        wire_group_add_loc(&g, wire_get_u32(&hop, WF_IP), wire_get_u16(&hop, WF_PORT), 0, 0);
                first = false;
        }
        wire_msg_init(&out, WIRE_CLTOCS_WRITE, WIRE_TO_CS);
        wire_set_u(&out, WF_PROTO, 1);
        wire_set_u(&out, WF_CHUNKID, w->chunk);
        wire_set_u(&out, WF_CHUNKVER, w->version);
        wire_set_group(&out, WF_CHAIN, &g);
        n = wire_encode(&out, NULL, packet, sizeof packet);
        if (server && n > 0)
                w->next = peer_dial(w->c->server, w->c->peer->server[server].port, &peer_role_chain);
        if (!w->next) {
                refuse(w, WIRE_STATUS_CANTCONNECT);
                return;
        }
        w->next->write = w;
        peer_put(w->next, packet, (size_t)n);
}

void peer_write_start(struct peer_conn *c, struct wire_msg *m)
{
        struct peer_write *w = calloc(1, sizeof *w);
        uint8_t servers[MFS_PEER_SERVERS + 1], status;
        struct peer_copy *k;
        unsigned n;

        if (!w) {
                peer_kill(c);
                return;
        }
        w->c = c;
        w->chunk = wire_get_u(m, WF_CHUNKID);
        w->version = wire_get_u32(m, WF_CHUNKVER);
        w->disk.run = disk_run;
        w->slow.fire = disk_slow;
        ri_list_init(&w->jobs);
        c->write = w;
        n = chain_of(c, m, servers);
        if (audited(w))
                peer_audit_open(c, w->chunk, servers, n);
        status = peer_copy_open(c->server, w->chunk, w->version, &k);
        if (status) {
                refuse(w, status);
        } else if (n > 1) {
                pass_on(w, m, servers[1]);
        } else {
                w->up = true;
                send_status(w, 0, WIRE_STATUS_OK);
        }
}
