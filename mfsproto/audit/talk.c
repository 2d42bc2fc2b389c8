/* SPDX-License-Identifier: MIT */
/* What is said: replies are matched with their requests, layouts chosen by the versions of both sides, and whatever
 * concerns chunks and lengths goes on to grants.c. */
#include "mfsproto/audit/inner.h"

#include <stdio.h>

enum {
        ITEMS_SHOWN = 16,
        STALE_MS = 60000 /* a request that has no answer until then: that is lost. A busy chunk takes 30 s */
};

/* ---- printing ---------------------------------------------------------------------------------------------- */

struct about {
        uint32_t inode;
        uint64_t chunk;
};

static const char *message_json(roma_wire *w, const struct au_packet *p, const struct wire_msg *m,
                                const struct about *about, const char *ready)
{
        char from[56], to[56];

        ri_str_reset(&w->text);
        ri_str_printf(
                &w->text,
                "{\"frame\":%llu,\"time\":%lld.%09lld,\"connection\":%llu,\"from\":\"%s\",\"to\":\"%s\","
                "\"inode\":%u,\"chunk\":\"%016llX\",\"length\":%u,\"partial\":%s,\"message\":",
                (unsigned long long)w->frame, (long long)(w->frame_ns / 1000000000),
                (long long)(w->frame_ns % 1000000000), (unsigned long long)p->c->number,
                au_addr_text(p->to_server ? au_client(p->c) : au_server(p->c), from),
                au_addr_text(p->to_server ? au_server(p->c) : au_client(p->c), to), about->inode,
                (unsigned long long)about->chunk, p->length, p->holed ? "true" : "false");
        if (ready) {
                ri_str_puts(&w->text, ready);
        } else if (m) {
                if (wire_print_json(m, w->print, AU_PRINT, ITEMS_SHOWN) && w->print[0])
                        ri_str_puts(&w->text, w->print);
                else
                        ri_str_puts(&w->text, "{}");
        } else {
                ri_str_printf(&w->text, "{\"packet\":\"%s\",\"type\":%u}", wire_packet_name(p->type),
                              p->type);
        }
        ri_str_putc(&w->text, '}');
        return ri_str_cstr(&w->text);
}

static void show(roma_wire *w, const struct au_packet *p, const struct wire_msg *m, const struct about *about)
{
        char from[56], to[56];
        roma_wire_message out = { .frame = w->frame,
                                  .time_ns = w->frame_ns,
                                  .connection = p->c->number,
                                  .name = wire_packet_name(p->type),
                                  .type = p->type,
                                  .length = p->length,
                                  .inode = about->inode,
                                  .chunk = about->chunk,
                                  .partial = p->holed };

        if (!w->opts.message)
                return;
        out.from = au_addr_text(p->to_server ? au_client(p->c) : au_server(p->c), from);
        out.to = au_addr_text(p->to_server ? au_server(p->c) : au_client(p->c), to);
        if (w->opts.json)
                out.json = message_json(w, p, m, about, NULL);
        if (m)
                wire_print(m, w->print, AU_PRINT, ITEMS_SHOWN);
        else
                snprintf(w->print, AU_PRINT, "%s(%u) %u bytes%s", wire_packet_name(p->type), p->type,
                         p->length, p->holed ? ", not all in the capture" : "");
        out.text = w->print;
        w->opts.message(w->opts.arg, &out);
}

/* ---- the master -------------------------------------------------------------------------------------------- */

static struct au_master_talk *master_of(roma_wire *w, struct au_conn *c)
{
        struct ri_map_node *n;

        if (c->master)
                return c->master;
        c->master = au_mem_new(w, sizeof(*c->master));
        if (!c->master)
                return NULL;
        n = ri_map_find(&w->servers, au_server(c), sizeof(struct au_addr));
        c->master->number = n ? ri_container_of(n, struct au_known, by_addr)->number : 0;
        return c->master;
}

static struct au_request *find_request(struct au_master_talk *t, uint32_t msgid, uint32_t type)
{
        for (unsigned i = 0; i < AU_REQUESTS; i++)
                if (t->req[i].used && t->req[i].msgid == msgid && t->req[i].type + 1 == type)
                        return &t->req[i];
        return NULL;
}

static void read_locs(struct wire_msg *m, enum wire_field field, struct au_locs *locs)
{
        struct wire_iter it;
        struct wire_msg item;

        memset(locs, 0, sizeof(*locs));
        wire_group_begin(m, field, &it);
        while (locs->n < AU_SERVERS && wire_group_next(&it, &item)) {
                locs->ip[locs->n] = wire_get_u32(&item, WF_IP);
                locs->port[locs->n++] = wire_get_u16(&item, WF_PORT);
        }
}

/* Where this one goes: in place of its own kind with the same number, else where none waits, else of the oldest. */
static struct au_request *place_for(roma_wire *w, struct au_master_talk *t, uint32_t msgid, uint32_t type)
{
        struct au_request *rq = find_request(t, msgid, type + 1);

        for (unsigned i = 0; i < AU_REQUESTS && !rq; i++) {
                struct au_request *at = &t->req[t->at++ % AU_REQUESTS];

                if (!at->used || w->now_ns - at->at_ns > STALE_MS * INT64_C(1000000))
                        rq = at;
        }
        if (rq)
                return rq;
        rq = &t->req[t->at++ % AU_REQUESTS];
        if (rq->type == WIRE_CLTOMA_FUSE_WRITE_CHUNK) { /* the grant will not be seen */
                w->report.forgotten++;
                w->blind++;
        }
        return rq;
}

static void remember(roma_wire *w, struct au_master_talk *t, const struct wire_msg *m)
{
        uint32_t msgid = (uint32_t)wire_get_u_or(m, WF_MSGID, 0);
        struct au_request *rq = place_for(w, t, msgid, m->type);

        *rq = (struct au_request){ .msgid = msgid,
                                   .type = m->type,
                                   .inode = (uint32_t)wire_get_u_or(m, WF_INODE, 0),
                                   .index = (uint32_t)wire_get_u_or(m, WF_INDEX, 0),
                                   .hint = wire_hint_of(m),
                                   .flags = (uint8_t)wire_get_u_or(m, WF_CHUNKOPFLAGS, 0),
                                   .chunk = wire_get_u_or(m, WF_CHUNKID, 0),
                                   .frame = w->frame,
                                   .at_ns = w->now_ns,
                                   .used = true };
}

static void registers(roma_wire *w, struct au_conn *c, struct au_master_talk *t, const struct wire_msg *m)
{
        uint8_t rcode = (uint8_t)wire_get_u_or(m, WF_RCODE, 0);

        t->rcode = rcode;
        if (rcode == WIRE_REGISTER_CLOSESESSION) {
                au_session_closed(w, c, true);
                return;
        }
        t->declared = (uint32_t)wire_get_u_or(m, WF_VERSION, t->declared);
        if (rcode == WIRE_REGISTER_RECONNECT || rcode == WIRE_REGISTER_NEWSESSION) {
                t->session = (uint32_t)wire_get_u_or(m, WF_SESSIONID, 0);
                if (t->session)
                        au_session_again(w, c);
        }
}

static void check_msgid(roma_wire *w, struct au_conn *c, const struct wire_msg *m)
{
        struct au_spot at = { NULL, c, NULL, 0, -1 };

        if (m->type >= WIRE_CLTOMA_FUSE_STATFS && m->type < WIRE_CLTOMA_FUSE_SUSTAINED_INODES &&
            wire_has(m, WF_MSGID) && wire_get_u_or(m, WF_MSGID, 1) == 0)
                au_broken(w, AU_MSGID, &at, "%s has msgid 0", m->packet->name);
}

static void to_master(roma_wire *w, struct au_conn *c, struct wire_msg *m)
{
        struct au_master_talk *t = c->master;

        if (m->type == WIRE_CLTOMA_FUSE_REGISTER) {
                registers(w, c, t, m);
                return;
        }
        check_msgid(w, c, m);
        if (wire_has(m, WF_MSGID) && !(m->packet->flags & WP_NOREPLY))
                remember(w, t, m);
        if (m->type == WIRE_CLTOMA_FUSE_WRITE_CHUNK_END)
                au_grant_end(w, c, wire_get_u(m, WF_CHUNKID), wire_get_u32(m, WF_INODE),
                             wire_get_u(m, WF_LENGTH));
}

static void located(roma_wire *w, struct au_conn *c, struct wire_msg *m, const struct au_request *rq)
{
        struct au_locs locs;

        if (!rq || !wire_has(m, WF_CHUNKID) || !wire_has(m, WF_LOCS))
                return;
        read_locs(m, WF_LOCS, &locs);
        for (unsigned i = 0; i < locs.n; i++)
                au_stream_learn(w, locs.ip[i], locs.port[i]);
        if (m->type == WIRE_MATOCL_FUSE_WRITE_CHUNK)
                au_grant_given(w, c, rq, wire_get_u(m, WF_CHUNKID), wire_get_u32(m, WF_CHUNKVER),
                               wire_get_u(m, WF_LENGTH), &locs);
        else
                au_chunk_read(w, c, rq->inode, rq->index, wire_get_u(m, WF_CHUNKID),
                              wire_get_u32(m, WF_CHUNKVER), &locs);
}

/* Lengths of files that the master tells in passing. */
static void lengths(roma_wire *w, struct au_conn *c, struct wire_msg *m, const struct au_request *rq)
{
        uint32_t inode = (uint32_t)wire_get_u_or(m, WF_INODE, rq ? rq->inode : 0);
        struct wire_attr a;

        if (m->type == WIRE_MATOCL_FUSE_CHUNK_HAS_CHANGED || m->type == WIRE_MATOCL_FUSE_FLENG_HAS_CHANGED) {
                au_file_length(w, c, inode, wire_get_u_or(m, WF_LENGTH, 0), false);
        } else if (wire_has(m, WF_ATTR)) {
                wire_get_attr(m, &a);
                if (a.type == WIRE_NODE_FILE)
                        au_file_length(w, c, inode, a.length,
                                       m->type == WIRE_MATOCL_FUSE_TRUNCATE ||
                                               m->type == WIRE_MATOCL_FUSE_OPEN ||
                                               m->type == WIRE_MATOCL_FUSE_CREATE);
        } else if (wire_has(m, WF_LENGTH)) {
                au_file_length(w, c, inode, wire_get_u(m, WF_LENGTH), false);
        }
}

static void from_master(roma_wire *w, struct au_conn *c, struct wire_msg *m, struct au_request *rq)
{
        struct au_master_talk *t = c->master;
        uint8_t status = 0;
        bool is_status = wire_is_status(m, &status);

        t->doubtful = false;
        switch (m->type) {
        case WIRE_MATOCL_FUSE_REGISTER:
                if (t->rcode != WIRE_REGISTER_GETRANDOM) {
                        t->server = (uint32_t)wire_get_u_or(m, WF_VERSION, t->server);
                        t->session = (uint32_t)wire_get_u_or(m, WF_SESSIONID, t->session);
                }
                break;
        case WIRE_MATOCL_FUSE_WRITE_CHUNK_END:
                if (rq && is_status && status != WIRE_STATUS_OK)
                        au_grant_end_failed(w, c, rq->chunk, status);
                break;
        case WIRE_MATOCL_FUSE_WRITE_CHUNK:
        case WIRE_MATOCL_FUSE_READ_CHUNK: located(w, c, m, rq); break;
        default: break;
        }
        lengths(w, c, m, rq);
        if (rq)
                rq->used = false;
}

static void master_packet(roma_wire *w, const struct au_packet *p)
{
        struct au_conn *c = p->c;
        struct au_master_talk *t = master_of(w, c);
        enum wire_dir dir = p->to_server ? WIRE_TO_MASTER : WIRE_FROM_MASTER;
        struct au_request *rq = NULL;
        struct about about = { 0, 0 };
        struct wire_ctx ctx = { 0 };
        struct wire_msg m;
        bool ok;

        if (!t) {
                w->report.forgotten++;
                return;
        }
        ctx.server = t->server;
        ctx.client = t->declared;
        if (!p->to_server && p->type == WIRE_MATOCL_FUSE_REGISTER)
                ctx.hint = t->rcode;
        else if (!p->to_server && p->kept >= 4)
                rq = find_request(t, wire_be32(p->body), p->type);
        if (rq)
                ctx.hint = rq->hint;
        ok = p->whole && wire_decode(&m, p->type, dir, p->body, p->kept, &ctx) == WIRE_OK;
        if (ok) {
                about.inode = (uint32_t)wire_get_u_or(&m, WF_INODE, rq ? rq->inode : 0);
                about.chunk = wire_get_u_or(&m, WF_CHUNKID, rq ? rq->chunk : 0);
        }
        show(w, p, ok ? &m : NULL, &about);
        if (ok && p->to_server)
                to_master(w, c, &m);
        else if (ok)
                from_master(w, c, &m, rq);
        else if (p->to_server && p->whole && t->server) {
                t->doubtful = true;
                t->doubtful_type = p->type;
                t->doubtful_length = p->length;
                t->doubtful_frame = w->frame;
        }
}

/* ---- a chunkserver ----------------------------------------------------------------------------------------- */

static struct au_cs_talk *cs_of(roma_wire *w, struct au_conn *c)
{
        if (!c->cs) {
                c->cs = au_mem_new(w, sizeof(*c->cs));
                if (c->cs) {
                        c->cs->conn = c;
                        ri_list_init(&c->cs->writing);
                }
        }
        return c->cs;
}

static void to_cs(roma_wire *w, struct au_conn *c, struct wire_msg *m)
{
        struct au_cs_talk *t = c->cs;
        struct au_spot at = { NULL, c, NULL, wire_get_u_or(m, WF_CHUNKID, 0), -1 };
        struct au_locs hops;

        if (t->reading && m->type != WIRE_ANTOAN_NOP && !t->told_pipeline && !au_deaf(c)) {
                t->told_pipeline = true;
                au_broken(w, AU_PIPELINE, &at, "%s while the answer to a READ is still on its way",
                          m->packet->name);
        }
        switch (m->type) {
        case WIRE_CLTOCS_READ: t->reading = true; break;
        case WIRE_CLTOCS_WRITE:
                read_locs(m, WF_CHAIN, &hops);
                au_write_open(w, c, wire_get_u(m, WF_CHUNKID), wire_get_u32(m, WF_CHUNKVER), &hops);
                break;
        case WIRE_CLTOCS_WRITE_FINISH:
                au_write_finish(w, c, wire_get_u(m, WF_CHUNKID), wire_get_u32(m, WF_CHUNKVER));
                break;
        default: break;
        }
}

static void from_cs(roma_wire *w, struct au_conn *c, struct wire_msg *m)
{
        if (m->type == WIRE_CSTOCL_READ_STATUS)
                c->cs->reading = false;
        else if (m->type == WIRE_CSTOCL_WRITE_STATUS)
                au_write_status(w, c, wire_get_u(m, WF_CHUNKID), wire_get_u32(m, WF_WRITEID),
                                wire_get_u8(m, WF_STATUS));
}

/* Data are shown without the table's help: they were not kept. */
static void show_data(roma_wire *w, const struct au_packet *p)
{
        bool write = p->type == WIRE_CLTOCS_WRITE_DATA;
        const uint8_t *b = p->body;
        struct about about = { 0, 0 };
        char from[56], to[56], id[24] = "";
        roma_wire_message out = { .frame = w->frame,
                                  .time_ns = w->frame_ns,
                                  .connection = p->c->number,
                                  .name = wire_packet_name(p->type),
                                  .type = p->type,
                                  .length = p->length,
                                  .partial = p->holed };
        struct wire_data d = { wire_be64(b),
                               0,
                               wire_be16(b + (write ? 12 : 8)),
                               wire_be16(b + (write ? 14 : 10)),
                               wire_be32(b + (write ? 16 : 12)),
                               wire_be32(b + (write ? 20 : 16)) };

        if (!w->opts.message)
                return;
        d.writeid = write ? wire_be32(b + 8) : 0;
        about.chunk = out.chunk = d.chunkid;
        about.inode = out.inode = au_chunk_inode(w, d.chunkid);
        out.from = au_addr_text(p->to_server ? au_client(p->c) : au_server(p->c), from);
        out.to = au_addr_text(p->to_server ? au_server(p->c) : au_client(p->c), to);
        if (w->opts.json) {
                snprintf(w->print, AU_PRINT,
                         "{\"packet\":\"%s\",\"type\":%u,\"fields\":{\"chunkid\":\"%016llX\",\"writeid\":%u,"
                         "\"block\":%u,\"offset\":%u,\"size\":%u,\"crc\":\"0x%08X\"}}",
                         out.name, p->type, (unsigned long long)d.chunkid, d.writeid, d.block, d.offset,
                         d.size, d.crc);
                out.json = message_json(w, p, NULL, &about, w->print);
        }
        if (write)
                snprintf(id, sizeof(id), " writeid=%u", d.writeid);
        snprintf(w->print, AU_PRINT, "%s(%u) chunkid=%016llX%s block=%u offset=%u size=%u crc=%08X%s",
                 out.name, p->type, (unsigned long long)d.chunkid, id, d.block, d.offset, d.size, d.crc,
                 p->holed ? ", not all in the capture" : "");
        out.text = w->print;
        w->opts.message(w->opts.arg, &out);
}

static void cs_packet(roma_wire *w, const struct au_packet *p)
{
        struct au_conn *c = p->c;
        struct au_cs_talk *t = cs_of(w, c);
        struct about about = { 0, 0 };
        struct wire_ctx ctx = { 0 };
        struct wire_msg m;
        bool ok;

        if (!t) {
                w->report.forgotten++;
                return;
        }
        if (p->type == WIRE_CLTOCS_WRITE_DATA && p->to_server) {
                if (p->kept >= WIRE_WRITE_DATA_HEADER)
                        show_data(w, p);
                else
                        show(w, p, NULL, &about);
                au_write_data(w, c, p);
                return;
        }
        if (p->type == WIRE_CSTOCL_READ_DATA && !p->to_server && p->kept >= WIRE_READ_DATA_HEADER) {
                show_data(w, p);
                return;
        }
        ok = p->whole && wire_decode(&m, p->type, p->to_server ? WIRE_TO_CS : WIRE_FROM_CS, p->body, p->kept,
                                     &ctx) == WIRE_OK;
        if (ok) {
                about.chunk = wire_get_u_or(&m, WF_CHUNKID, 0);
                about.inode = au_chunk_inode(w, about.chunk);
        }
        show(w, p, ok ? &m : NULL, &about);
        if (ok && p->to_server)
                to_cs(w, c, &m);
        else if (ok)
                from_cs(w, c, &m);
}

/* ---- both -------------------------------------------------------------------------------------------------- */

/* In the middle of a connection anything may look like a packet, and a server be taken for one of the other kind: then nothing
 * of what it does is understood. */
static void check_kind(roma_wire *w, const struct au_packet *p)
{
        const struct wire_packet *k = wire_packet_find(p->type);
        bool master = p->c->role == AU_MASTER;
        char from[56], to[56];
        uint8_t dir;

        if (p->to_server)
                dir = master ? WIRE_TO_MASTER : WIRE_TO_CS;
        else
                dir = master ? WIRE_FROM_MASTER : WIRE_FROM_CS;
        if (!k || k->dirs & dir || p->c->odd)
                return;
        p->c->odd = true;
        w->blind++;
        au_unchecked(w,
                     "connection %llu (%s to %s): %s in frame %llu is nothing that is said to or by a %s; "
                     "the server may "
                     "be of another kind, and what is said there is not understood",
                     (unsigned long long)p->c->number, au_addr_text(au_client(p->c), from),
                     au_addr_text(au_server(p->c), to), k->name, (unsigned long long)w->frame,
                     master ? "master" : "chunkserver");
}

void au_talk_packet(roma_wire *w, const struct au_packet *p)
{
        w->report.messages++;
        check_kind(w, p);
        if (p->holed)
                w->report.partial++;
        if (p->c->role == AU_MASTER)
                master_packet(w, p);
        else
                cs_packet(w, p);
}

void au_talk_closed(roma_wire *w, struct au_conn *c, bool by_client)
{
        struct au_master_talk *t = c->master;
        struct au_spot at = { NULL, c, NULL, 0, -1 };

        if (c->cs)
                au_write_closed(w, c);
        if (!t)
                return;
        if (!by_client && t->doubtful && !au_deaf(c))
                au_broken(w, AU_PACKET, &at,
                          "the master hung up after %s with %u bytes (frame %llu), which no known version "
                          "takes in "
                          "this form",
                          wire_packet_name(t->doubtful_type), t->doubtful_length,
                          (unsigned long long)t->doubtful_frame);
        if (by_client)
                au_session_closed(w, c, false);
}

void au_talk_free(roma_wire *w, struct au_conn *c)
{
        if (c->master)
                au_mem_free(w, c->master, sizeof(*c->master));
        if (c->cs) {
                au_write_forget(w, c);
                au_mem_free(w, c->cs->write.data, c->cs->write.cap * sizeof(struct au_data));
                au_mem_free(w, c->cs, sizeof(*c->cs));
        }
        c->master = NULL;
        c->cs = NULL;
}
