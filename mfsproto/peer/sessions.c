/* SPDX-License-Identifier: MIT */
/* Registering, taking up and closing sessions; what a session has open; clocks. Protocol page 2. */
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "core/digest.h"
#include "mfsproto/peer/inner.h"

#define NEWEST_REFUSED \
        WIRE_VER(4, 26, 0) /* a 4.x master with its usual settings wants clients from here on */

static uint32_t declared_version(struct peer_req *r)
{
        return wire_get_u32(&r->msg, WF_VERSION);
}

static bool too_old(const struct peer_req *r, uint32_t declared)
{
        return wire_ver_at_least(r->p->cfg.master_version, WIRE_VER(4, 0, 0)) &&
               !wire_ver_at_least(declared, NEWEST_REFUSED);
}

/* ---- sessions ---------------------------------------------------------------------------------------------- */

static struct peer_session *session_find(struct mfs_peer *p, uint32_t id)
{
        struct ri_map_node *n = ri_map_find_u64(&p->sessions, id);

        return n ? ri_container_of(n, struct peer_session, by_id) : NULL;
}

static struct peer_session *session_new(struct mfs_peer *p)
{
        struct peer_session *s = calloc(1, sizeof *s);

        if (!s)
                return NULL;
        s->id = ++p->last_session;
        ri_map_init(&s->open);
        ri_map_insert_u64(&p->sessions, &s->by_id, s->id);
        return s;
}

static void open_drop(struct mfs_peer *p, struct peer_session *s, struct peer_open *o)
{
        struct peer_node *n = o->node;

        peer_locks_drop(p, n, s->id);
        ri_map_remove(&s->open, &o->by_inode);
        free(o);
        n->open--;
        peer_node_settle(p, n);
}

static void session_free(struct mfs_peer *p, struct peer_session *s)
{
        struct ri_map_node *n;

        while ((n = ri_map_first(&s->open)))
                open_drop(p, s, ri_container_of(n, struct peer_open, by_inode));
        ri_map_free(&s->open);
        ri_map_remove(&p->sessions, &s->by_id);
        free(s);
}

void peer_sessions_free(struct mfs_peer *p)
{
        struct ri_map_node *n;

        while ((n = ri_map_first(&p->sessions)))
                session_free(p, ri_container_of(n, struct peer_session, by_id));
        ri_map_free(&p->sessions);
}

bool peer_opened(struct peer_session *s, struct peer_node *n)
{
        struct peer_open *o;

        if (ri_map_find_u64(&s->open, n->inode))
                return true;
        o = calloc(1, sizeof *o);
        if (!o)
                return false;
        o->node = n;
        n->open++;
        ri_map_insert_u64(&s->open, &o->by_inode, n->inode);
        return true;
}

/* Whether another connection uses the session. */
static bool shared(const struct peer_conn *c)
{
        ri_list_for_each(l, &c->server->conns)
        {
                const struct peer_conn *other = ri_container_of(l, struct peer_conn, link);

                if (other != c && !other->dead && other->session == c->session)
                        return true;
        }
        return false;
}

/* ---- FUSE_REGISTER ----------------------------------------------------------------------------------------- */

static bool reg_status(struct peer_req *r, uint8_t status)
{
        struct wire_msg reply;

        wire_msg_init(&reply, WIRE_MATOCL_FUSE_REGISTER, WIRE_FROM_MASTER);
        wire_set_u(&reply, WF_STATUS, status);
        return peer_reply(r, &reply);
}

static bool reg_random(struct peer_req *r)
{
        struct wire_msg reply;

        for (unsigned i = 0; i < sizeof r->c->challenge; i++)
                r->c->challenge[i] =
                        (uint8_t)(r->p->noise += 0x9E3779B97F4A7C15u + i) ^ (uint8_t)(i * 37 + 1);
        r->c->challenged = true;
        wire_msg_init(&reply, WIRE_MATOCL_FUSE_REGISTER, WIRE_FROM_MASTER);
        wire_set_bytes(&reply, WF_RANDOM, r->c->challenge, sizeof r->c->challenge);
        return peer_reply(r, &reply);
}

static uint8_t check_password(struct peer_req *r)
{
        const uint8_t *digest;
        uint8_t all[48], want[RI_DIGEST_MAX];
        size_t len;

        if (!r->p->cfg.password)
                return WIRE_STATUS_OK;
        if (!wire_has(&r->msg, WF_DIGEST) || !r->c->challenged)
                return WIRE_STATUS_NOPASSWORD;
        digest = wire_get_bytes(&r->msg, WF_DIGEST, &len);
        memcpy(all, r->c->challenge, 16);
        memcpy(all + 32, r->c->challenge + 16, 16);
        if (ri_digest_bytes(RI_MD5, r->p->cfg.password, strlen(r->p->cfg.password), want, NULL) < 0)
                return WIRE_STATUS_OUTOFMEMORY;
        memcpy(all + 16, want, 16);
        if (ri_digest_bytes(RI_MD5, all, sizeof all, want, NULL) < 0)
                return WIRE_STATUS_OUTOFMEMORY;
        return memcmp(want, digest, 16) ? WIRE_STATUS_BADPASSWORD : WIRE_STATUS_OK;
}

/* The folder that the register path names: 0 when there is none. False: no NUL at its end. */
static bool export_root(struct peer_req *r, uint32_t *root)
{
        size_t len;
        const char *path = (const char *)wire_get_bytes(&r->msg, WF_PATH, &len);
        struct peer_node *n;

        *root = WIRE_ROOT_INODE;
        if (!len)
                return true;
        if (path[len - 1])
                return false;
        while (*path == '/')
                path++;
        n = peer_node_walk(r->p, path);
        *root = n && n->attr.type == WIRE_NODE_DIRECTORY ? n->inode : 0;
        return true;
}

static bool reg_welcome(struct peer_req *r)
{
        struct mfs_peer *p = r->p;
        struct wire_msg m;
        bool groups = wire_ver_at_least(p->cfg.master_version, WIRE_VER(4, 57, 0)) &&
                      wire_ver_at_least(r->c->declared, WIRE_VER(4, 57, 0));

        wire_msg_init(&m, WIRE_MATOCL_FUSE_REGISTER, WIRE_FROM_MASTER);
        wire_set_u(&m, WF_VERSION, p->cfg.master_version);
        wire_set_u(&m, WF_SESSIONID, r->c->session->id);
        wire_set_u(&m, WF_METAID, p->meta_id);
        wire_set_u(&m, WF_SESFLAGS, p->cfg.read_only ? WIRE_SESFLAG_READONLY : 0);
        wire_set_u(&m, WF_UMASK, 0);
        wire_set_u(&m, WF_ROOTUID, 0);
        wire_set_u(&m, WF_ROOTGID, 0);
        wire_set_u(&m, WF_MAPALLUID, 999);
        wire_set_u(&m, WF_MAPALLGID, 999);
        if (groups) {
                wire_set_u(&m, WF_SCLASSGROUPS, 0xFFFF);
        } else {
                wire_set_u(&m, WF_MINGOAL, 1);
                wire_set_u(&m, WF_MAXGOAL, 9);
        }
        wire_set_u(&m, WF_MINTRASH, 0);
        wire_set_u(&m, WF_MAXTRASH, UINT32_MAX);
        wire_set_u(&m, WF_DISABLES, 0);
        wire_set_u(&m, WF_PROCID, 1);
        return peer_reply(r, &m);
}

static bool reg_new(struct peer_req *r)
{
        uint32_t root, declared = declared_version(r), id = (uint32_t)wire_get_u_or(&r->msg, WF_SESSIONID, 0);
        uint8_t status = check_password(r);

        if (!export_root(r, &root))
                return false;
        if (too_old(r, declared))
                return reg_status(r, WIRE_STATUS_EPERM);
        if (!root)
                return reg_status(r, WIRE_STATUS_ENOENT);
        if (status)
                return reg_status(r, status);
        r->c->session = id ? session_find(r->p, id) : NULL;
        if (!r->c->session)
                r->c->session = session_new(r->p);
        if (!r->c->session)
                return reg_status(r, WIRE_STATUS_OUTOFMEMORY);
        r->c->declared = declared;
        r->c->session->root = root;
        return reg_welcome(r);
}

static bool reg_again(struct peer_req *r)
{
        static const char *const forms[] = { "reconnect-13", "reconnect-5", "status" };
        uint32_t declared = declared_version(r);
        struct peer_session *s = session_find(r->p, wire_get_u32(&r->msg, WF_SESSIONID));
        uint8_t status = WIRE_STATUS_OK;
        struct wire_msg m;

        if (too_old(r, declared))
                status = WIRE_STATUS_EPERM;
        else if (!s || (wire_get_u_or(&r->msg, WF_METAID, r->p->meta_id) != r->p->meta_id &&
                        !peer_bug(r->p, MFS_BUG_ANY_METAID)))
                status = WIRE_STATUS_BADSESSIONID;
        wire_msg_init(&m, WIRE_MATOCL_FUSE_REGISTER, WIRE_FROM_MASTER);
        /* all three forms hold a status, and nothing but the versions tells which one is meant */
        for (unsigned i = 0; !m.layout && i < sizeof forms / sizeof forms[0]; i++) {
                const struct wire_layout *l = wire_layout_find(m.packet, forms[i]);

                if (l && wire_gate_open(&l->gate, r->p->cfg.master_version, declared))
                        m.layout = l;
        }
        wire_set_u(&m, WF_VERSION, r->p->cfg.master_version);
        wire_set_u(&m, WF_PROCID, 1);
        wire_set_u(&m, WF_STATUS, status);
        if (status == WIRE_STATUS_OK) {
                r->c->session = s;
                r->c->declared = declared;
        }
        return peer_reply(r, &m);
}

/* A tool of 3.x beside a mount, whose session it names. */
static bool reg_tools(struct peer_req *r)
{
        struct peer_session *s = session_find(r->p, wire_get_u32(&r->msg, WF_SESSIONID));

        if (!s)
                return reg_status(r, WIRE_STATUS_BADSESSIONID);
        r->c->session = s;
        r->c->declared = declared_version(r);
        r->c->tools = true;
        return reg_status(r, WIRE_STATUS_OK);
}

static bool reg_close(struct peer_req *r)
{
        struct peer_session *s = r->c->session;

        if (wire_get_u32(&r->msg, WF_SESSIONID) != s->id)
                return reg_status(r, WIRE_STATUS_BADSESSIONID);
        if (!shared(r->c)) {
                peer_audit_session(r->p, s->id);
                r->c->session = NULL;
                session_free(r->p, s);
        }
        reg_status(r, WIRE_STATUS_OK);
        peer_end(r->c);
        return true;
}

static bool on_register(struct peer_req *r)
{
        uint8_t rcode = wire_get_u8(&r->msg, WF_RCODE);

        if (!!r->c->session != (rcode == WIRE_REGISTER_CLOSESESSION))
                return false;
        switch (rcode) {
        case WIRE_REGISTER_GETRANDOM: return reg_random(r);
        case WIRE_REGISTER_NEWSESSION: return reg_new(r);
        case WIRE_REGISTER_RECONNECT: return reg_again(r);
        case WIRE_REGISTER_TOOLS: return reg_tools(r);
        case WIRE_REGISTER_CLOSESESSION: return reg_close(r);
        case WIRE_REGISTER_NEWMETASESSION: return reg_status(r, WIRE_STATUS_EACCES);
        default: return false;
        }
}

/* ---- duties ------------------------------------------------------------------------------------------------ */

/* The list is the whole set: what is not in it is closed. */
static bool on_sustained(struct peer_req *r)
{
        struct peer_session *s = r->c->session;
        struct wire_iter it;
        struct wire_msg item;

        ri_map_for_each(n, &s->open) ri_container_of(n, struct peer_open, by_inode)->stale = true;
        wire_group_begin(&r->msg, WF_INODELIST, &it);
        while (wire_group_next(&it, &item)) {
                struct peer_node *n = peer_node_find(r->p, wire_get_u32(&item, WF_INODE));
                struct ri_map_node *m;

                if (!n || !peer_opened(s, n))
                        continue;
                m = ri_map_find_u64(&s->open, n->inode);
                ri_container_of(m, struct peer_open, by_inode)->stale = false;
        }
        ri_map_for_each_safe(n, tmp, &s->open)
        {
                struct peer_open *o = ri_container_of(n, struct peer_open, by_inode);

                if (o->stale)
                        open_drop(r->p, s, o);
        }
        return true;
}

static bool on_times(struct peer_req *r)
{
        struct wire_iter it;
        struct wire_msg item;

        wire_group_begin(&r->msg, WF_ATIMES, &it);
        while (wire_group_next(&it, &item)) {
                struct peer_node *n = peer_node_find(r->p, wire_get_u32(&item, WF_INODE));
                uint32_t atime = wire_get_u32(&item, WF_ATIME), mtime = wire_get_u32(&item, WF_MTIME);

                if (n && atime)
                        n->attr.atime = atime;
                if (n && mtime)
                        n->attr.mtime = n->attr.ctime = mtime;
        }
        return true;
}

static bool on_time_sync(struct peer_req *r)
{
        struct timespec ts;
        struct wire_msg m;

        clock_gettime(CLOCK_REALTIME, &ts);
        wire_msg_init(&m, WIRE_MATOCL_FUSE_TIME_SYNC, WIRE_FROM_MASTER);
        wire_set_u(&m, WF_MSGID, r->msgid);
        wire_set_u(&m, WF_USEC, (uint64_t)ts.tv_sec * 1000000u + (uint64_t)ts.tv_nsec / 1000u);
        return peer_reply(r, &m);
}

static bool on_nothing(struct peer_req *r)
{
        (void)r;
        return true;
}

const struct peer_command peer_commands_session[] = {
        { WIRE_ANTOAN_NOP, on_nothing },
        { WIRE_CLTOMA_FUSE_REGISTER, on_register },
        { WIRE_CLTOMA_FUSE_SUSTAINED_INODES, on_sustained },
        { WIRE_CLTOMA_FUSE_SUSTAINED_INODES_OLD, on_sustained },
        { WIRE_CLTOMA_FUSE_AMTIME_INODES, on_times },
        { WIRE_CLTOMA_FUSE_TIME_SYNC, on_time_sync },
        { WIRE_CLTOMA_FUSE_OPDATA, on_nothing },
        { WIRE_CLTOMA_FUSE_WFLAGS, on_nothing },
        { 0, NULL },
};
