/* SPDX-License-Identifier: MIT */
/* The master's side of a connection: what is accepted at all, the table of commands, requests that wait for a
 * chunk, and notifications. */
#include <stdlib.h>
#include <string.h>

#include "mfsproto/peer/inner.h"

enum { NOP_MS = 1000, WAITING_MAX = 256 /* for locks */ };

struct parked {
        struct ri_list link;
        struct peer_conn *c;
        uint64_t until;
        uint32_t type;
        uint8_t status, *payload;
        size_t len;
};

static const struct peer_command *const tables[] = {
        peer_commands_session, peer_commands_nodes, peer_commands_names, peer_commands_chunks,
        peer_commands_info,    peer_commands_locks, peer_commands_xattr, peer_commands_acl,
        peer_commands_tools,   peer_commands_care,
};

static peer_handler *find(uint32_t type)
{
        for (size_t i = 0; i < sizeof tables / sizeof tables[0]; i++)
                for (const struct peer_command *k = tables[i]; k->run; k++)
                        if (k->type == type)
                                return k->run;
        return NULL;
}

/* ---- replies ----------------------------------------------------------------------------------------------- */

void peer_reply_init(const struct peer_req *r, struct wire_msg *reply)
{
        wire_msg_init(reply, r->msg.type + 1, WIRE_FROM_MASTER);
        if (wire_has(&r->msg, WF_MSGID))
                wire_set_u(reply, WF_MSGID,
                           peer_bug(r->p, MFS_BUG_MSGID_31) ? r->msgid & INT32_MAX : r->msgid);
}

/* A handler that answers is done: the connection goes on. */
bool peer_reply(const struct peer_req *r, struct wire_msg *reply)
{
        peer_answer(r->c, reply);
        return true;
}

bool peer_status(const struct peer_req *r, uint8_t status)
{
        peer_refuse(r->c, r->msg.type, r->payload, r->len, status);
        return true;
}

bool peer_attr36(const struct peer_conn *c)
{
        static const struct wire_gate gate = { .server_from = WIRE_VER(3, 0, 93),
                                               .server_hole = WIRE_VER(4, 0, 2),
                                               .client_from = WIRE_VER(3, 0, 93),
                                               .client_hole = WIRE_VER(4, 0, 2) };

        return wire_gate_open(&gate, c->peer->cfg.master_version, c->declared);
}

void peer_ug_of(struct peer_req *r, struct peer_ug *ug)
{
        memset(ug, 0, sizeof *ug);
        ug->msg = &r->msg;
        if (wire_has(&r->msg, WF_UG)) {
                ug->uid = wire_get_ug(&r->msg, &ug->gids);
                ug->gid = wire_get_gid(&r->msg, 0);
        } else {
                ug->uid = (uint32_t)wire_get_u_or(&r->msg, WF_UID, 0);
                ug->gid = (uint32_t)wire_get_u_or(&r->msg, WF_GID, 0);
        }
}

bool peer_read_only(const struct peer_req *r)
{
        return r->p->cfg.read_only || r->c->session->read_only;
}

struct peer_node *peer_node_in(struct peer_req *r, enum wire_field field)
{
        uint32_t inode = wire_get_u32(&r->msg, field);

        return peer_node_find(r->p, inode == WIRE_ROOT_INODE ? r->c->session->root : inode);
}

uint32_t peer_inode_out(const struct peer_req *r, const struct peer_node *n)
{
        return n->inode == r->c->session->root ? WIRE_ROOT_INODE : n->inode;
}

void peer_attr_out(struct peer_conn *c, const struct peer_node *n, struct wire_attr *attr)
{
        (void)c;
        *attr = n->attr;
        if (n->attr.type == WIRE_NODE_DIRECTORY)
                attr->length = 100; /* a pseudo size, not bytes */
        if (n->attr.type == WIRE_NODE_SYMLINK)
                attr->length = n->target_len;
}

bool peer_reply_attr(struct peer_req *r, const struct peer_node *n)
{
        struct wire_attr attr;
        struct wire_msg reply;

        peer_reply_init(r, &reply);
        peer_attr_out(r->c, n, &attr);
        wire_set_attr(&reply, &attr);
        return peer_reply(r, &reply);
}

bool peer_reply_node(struct peer_req *r, const struct peer_node *n)
{
        struct wire_attr attr;
        struct wire_msg reply;

        peer_reply_init(r, &reply);
        peer_attr_out(r->c, n, &attr);
        wire_set_u(&reply, WF_INODE, peer_inode_out(r, n));
        wire_set_attr(&reply, &attr);
        return peer_reply(r, &reply);
}

/* ---- requests ---------------------------------------------------------------------------------------------- */

static bool gate_open(const struct wire_gate *gate, const struct peer_conn *c)
{
        struct wire_gate g = *gate;

        if (!c->declared)
                g.client_from = g.client_to = g.client_hole = 0;
        return wire_gate_open(&g, c->peer->cfg.master_version, c->declared);
}

/* Why a real master would hang up, or NULL. */
static const char *refusal(struct peer_conn *c, struct peer_req *r, uint32_t type)
{
        struct wire_ctx ctx = { c->peer->cfg.master_version, c->declared, 0 };

        switch (wire_decode(&r->msg, type, WIRE_TO_MASTER, r->payload, r->len, &ctx)) {
        case WIRE_OK: break;
        case WIRE_ETYPE: return "no such command";
        default: return "wrong length or contents";
        }
        if ((r->msg.packet->flags & WP_KILLS) || !gate_open(&r->msg.packet->gate, c))
                return "a command that this master does not know";
        if (!gate_open(&r->msg.layout->gate, c))
                return "a layout that this master does not know";
        if (!c->session && !(r->msg.packet->flags & WP_UNREGISTERED))
                return "not registered";
        return NULL;
}

/* Answered where a right master hangs up. */
static bool too_polite(const struct peer_req *r, uint32_t type)
{
        return (type == WIRE_CLTOMA_FUSE_FSYNC && peer_bug(r->p, MFS_BUG_FSYNC)) ||
               (!r->c->session && type == WIRE_CLTOMA_FUSE_GETATTR && peer_bug(r->p, MFS_BUG_STRANGERS));
}

static void run_request(struct peer_conn *c, uint32_t type, const uint8_t *payload, size_t len)
{
        struct peer_req r = { .c = c, .p = c->peer, .payload = payload, .len = len };
        const char *why = refusal(c, &r, type);
        peer_handler *run;

        if (why && too_polite(&r, type)) {
                peer_refuse(c, type, payload, len, WIRE_STATUS_EPERM);
                return;
        }
        if (!why) {
                r.msgid = (uint32_t)wire_get_u_or(&r.msg, WF_MSGID, 0);
                run = find(type);
                if (!r.msgid && wire_has(&r.msg, WF_MSGID) && !(r.msg.packet->flags & WP_NOREPLY))
                        peer_broken(c->peer, MFS_RULE_MSGID, "%s with msgid 0", r.msg.packet->name);
                if (!run && !wire_has(&r.msg, WF_MSGID) && !(r.msg.packet->flags & WP_NOREPLY)) {
                        peer_kill(c); /* there is no way to say that this peer does not have it */
                        return;
                }
                if (!run && !(r.msg.packet->flags & WP_NOREPLY))
                        peer_status(&r, WIRE_STATUS_ENOTSUP);
                if (!run || run(&r))
                        return;
                why = "not in this state";
        }
        peer_broken(c->peer, MFS_RULE_PACKET, "master: packet %u (%s) of %zu bytes: %s", type,
                    wire_packet_name(type), len, why);
        peer_kill(c);
}

static void master_packet(struct peer_conn *c, uint32_t type, const uint8_t *payload, size_t len)
{
        run_request(c, type, payload, len);
}

/* ---- waiting for a chunk ----------------------------------------------------------------------------------- */

static bool park(struct peer_req *r, uint8_t status, uint64_t until)
{
        struct parked *k = calloc(1, sizeof *k);

        if (!k || !(k->payload = (uint8_t *)ri_memdup0(r->payload, r->len))) {
                free(k);
                return peer_status(r, WIRE_STATUS_OUTOFMEMORY);
        }
        k->c = r->c;
        k->type = r->msg.type;
        k->len = r->len;
        k->status = status;
        k->until = until;
        ri_list_add_tail(&r->p->parked, &k->link);
        return true;
}

bool peer_park(struct peer_req *r, uint8_t status)
{
        uint64_t until = ri_now() + (uint64_t)r->p->cfg.park_ms * 1000000u;

        return park(r, status, r->p->park_until ? r->p->park_until : until);
}

bool peer_park_until_free(struct peer_req *r)
{
        unsigned n = 0;

        ri_list_for_each(l, &r->p->parked) n++;
        return n < WAITING_MAX ? park(r, WIRE_STATUS_EAGAIN, UINT64_MAX)
                               : peer_status(r, WIRE_STATUS_OUTOFMEMORY);
}

static void parked_free(struct parked *k)
{
        ri_list_del(&k->link);
        free(k->payload);
        free(k);
}

void peer_unpark_one(struct mfs_peer *p, const struct peer_session *s, uint32_t type, uint32_t reqid)
{
        struct ri_list found, *first;

        ri_list_init(&found);
        ri_list_for_each_safe(l, tmp, &p->parked)
        {
                struct parked *k = ri_container_of(l, struct parked, link);

                /* msgid, inode, reqid */
                if (k->c->session != s || k->type != type || k->len < 12 ||
                    wire_be32(k->payload + 8) != reqid)
                        continue;
                ri_list_del(l);
                ri_list_add_tail(&found, l);
        }
        while ((first = ri_list_pop(&found))) {
                struct parked *k = ri_container_of(first, struct parked, link);

                if (!k->c->dead)
                        peer_refuse(k->c, k->type, k->payload, k->len, WIRE_STATUS_EINTR);
                parked_free(k);
        }
}

void peer_unpark_run(struct ri_task *t)
{
        struct mfs_peer *p = ri_container_of(t, struct mfs_peer, unpark);
        struct ri_list batch, *l;

        ri_list_init(&batch);
        ri_list_splice_tail(&batch, &p->parked);
        while ((l = ri_list_pop(&batch))) {
                struct parked *k = ri_container_of(l, struct parked, link);

                p->park_until = k->until;
                if (!k->c->dead)
                        run_request(k->c, k->type, k->payload, k->len);
                p->park_until = 0;
                parked_free(k);
        }
}

/* An answer may end its connection, and with it others that wait: those that are due are on a list of their own. */
static void parked_tick(struct mfs_peer *p, uint64_t now)
{
        struct ri_list due, *first;

        ri_list_init(&due);
        ri_list_for_each_safe(l, tmp, &p->parked)
        {
                if (now < ri_container_of(l, struct parked, link)->until)
                        continue;
                ri_list_del(l);
                ri_list_add_tail(&due, l);
        }
        while ((first = ri_list_pop(&due))) {
                struct parked *k = ri_container_of(first, struct parked, link);

                if (!k->c->dead)
                        peer_refuse(k->c, k->type, k->payload, k->len, k->status);
                parked_free(k);
        }
}

/* ---- the connection ---------------------------------------------------------------------------------------- */

static void master_tick(struct peer_conn *c, uint64_t now)
{
        if (peer_ms(c->heard_ns, now) >= c->peer->cfg.master_idle_ms)
                peer_kill(c);
        else if (peer_ms(c->said_ns, now) >= NOP_MS)
                peer_nop(c);
}

static void master_closed(struct peer_conn *c)
{
        ri_list_for_each_safe(l, tmp, &c->peer->parked)
        {
                struct parked *k = ri_container_of(l, struct parked, link);

                if (k->c == c)
                        parked_free(k);
        }
        c->session = NULL;
}

const struct peer_role peer_role_master = {
        .name = "master",
        .in = WIRE_TO_MASTER,
        .out = WIRE_FROM_MASTER,
        .packet = master_packet,
        .tick = master_tick,
        .closed = master_closed,
};

void peer_master_tick(struct mfs_peer *p, uint64_t now)
{
        parked_tick(p, now);
}

void peer_master_free(struct mfs_peer *p)
{
        while (!ri_list_empty(&p->parked))
                parked_free(ri_container_of(ri_list_first(&p->parked), struct parked, link));
        peer_sessions_free(p);
}

/* ---- notifications ----------------------------------------------------------------------------------------- */

/* Connections of other sessions that have the inode open, and declared a version that knows these packets. */
static bool listens(const struct peer_conn *c, const struct peer_conn *from, const struct peer_node *n)
{
        return !c->dead && c->session && !peer_bug(c->peer, MFS_BUG_SILENT) && c != from &&
               wire_ver_at_least(c->declared, WIRE_VER(3, 0, 74)) &&
               ri_map_find_u64(&c->session->open, n->inode);
}

void peer_notify_chunk(struct peer_conn *from, const struct peer_node *n, uint32_t index,
                       const struct peer_chunk *ch, uint64_t length, bool truncated, uint32_t size)
{
        ri_list_for_each(l, &from->peer->server[0].conns)
        {
                struct peer_conn *c = ri_container_of(l, struct peer_conn, link);
                struct wire_msg m;

                if (!listens(c, from, n))
                        continue;
                wire_msg_init(&m, WIRE_MATOCL_FUSE_CHUNK_HAS_CHANGED, WIRE_FROM_MASTER);
                wire_set_u(&m, WF_MSGID, 0);
                wire_set_u(&m, WF_INODE, n->inode);
                wire_set_u(&m, WF_INDEX, index);
                wire_set_u(&m, WF_CHUNKID, ch ? ch->id : 0);
                wire_set_u(&m, WF_CHUNKVER, ch ? ch->version : 0);
                wire_set_u(&m, WF_LENGTH, length);
                wire_set_u(&m, WF_TRUNCFLAG, truncated);
                wire_set_u(&m, WF_OFFSET, 0);
                wire_set_u(&m, WF_SIZE, size);
                peer_answer(c, &m);
        }
}

void peer_notify_length(struct peer_conn *from, const struct peer_node *n)
{
        ri_list_for_each(l, &from->peer->server[0].conns)
        {
                struct peer_conn *c = ri_container_of(l, struct peer_conn, link);
                struct wire_msg m;

                if (!listens(c, from, n))
                        continue;
                wire_msg_init(&m, WIRE_MATOCL_FUSE_FLENG_HAS_CHANGED, WIRE_FROM_MASTER);
                wire_set_u(&m, WF_MSGID, 0);
                wire_set_u(&m, WF_INODE, n->inode);
                wire_set_u(&m, WF_LENGTH, n->attr.length);
                peer_answer(c, &m);
        }
}
