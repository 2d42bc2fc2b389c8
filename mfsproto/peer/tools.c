/* SPDX-License-Identifier: MIT */
/* What the tools beside mfsmount ask for: snapshots, storage classes, extra attributes, sizes of trees, names of inodes.
 * Classes and extra attributes are kept, and without effect. Protocol page 3.8. */
#include <stdlib.h>
#include <string.h>

#include "mfsproto/peer/inner.h"

enum {
        SNAP_OVERWRITE = 1,
        SNAP_CPLIKE = 2,
        SNAP_DELETE = 0x80,
        DEPTH_MAX = 256,     /* of a tree that is copied */
        NODES_MAX = 1 << 18, /* snapshots of snapshots grow quickly */
        EATTR_SNAPSHOT = 0x10,
        PATH_ROOM = 4096,
        VALUES = 256
};

/* ---- snapshots ---------------------------------------------------------------------------------------------- */

struct snap {
        struct peer_req *r;
        struct peer_ug ug;
        uint8_t mode;
        uint16_t umask;
};

static void own(const struct snap *s, struct peer_node *n)
{
        if (!s->ug.uid || (s->ug.uid == n->attr.uid && !(s->mode & SNAP_CPLIKE)))
                return;
        n->attr.uid = s->ug.uid;
        n->attr.gid = s->ug.gid;
        n->attr.mode &= (uint16_t) ~(06000 | s->umask);
}

/* The same chunks, in place of those that it had. */
static uint8_t share_chunks(struct mfs_peer *p, const struct peer_node *from, struct peer_node *to)
{
        if (from->chunks && !peer_chunk_room(to, from->chunks - 1))
                return WIRE_STATUS_OUTOFMEMORY;
        for (uint32_t i = 0; i < to->chunks; i++) {
                struct peer_chunk *ch = i < from->chunks ? from->chunk[i] : NULL;

                if (ch)
                        peer_chunk_share(ch);
                if (to->chunk[i])
                        peer_chunk_unref(p, to->chunk[i]);
                to->chunk[i] = ch;
        }
        to->attr.length = from->attr.length;
        to->attr.mtime = from->attr.mtime;
        return WIRE_STATUS_OK;
}

static uint8_t clone_rest(const struct snap *s, const struct peer_node *from, struct peer_node *to)
{
        uint8_t status = share_chunks(s->r->p, from, to);

        if (status)
                return status;
        to->attr.atime = from->attr.atime;
        to->attr.mtime = from->attr.mtime;
        to->attr.major = from->attr.major;
        to->attr.minor = from->attr.minor;
        to->retention = from->retention;
        to->goal = from->goal;
        to->eattr = from->eattr | EATTR_SNAPSHOT;
        if (from->target) {
                to->target = (uint8_t *)ri_memdup0(from->target, from->target_len);
                to->target_len = to->target ? from->target_len : 0;
        }
        if ((from->target && !to->target) || !peer_acl_clone(from, to) || !peer_xattrs_clone(from, to))
                return WIRE_STATUS_OUTOFMEMORY;
        own(s, to);
        return WIRE_STATUS_OK;
}

static uint8_t clone_node(const struct snap *s, const struct peer_node *from, struct peer_node *dir,
                          const void *name, size_t len, struct peer_node **made)
{
        struct peer_node *n =
                peer_node_make(s->r->p, from->attr.type, from->attr.mode, from->attr.uid, from->attr.gid);
        uint8_t status;

        if (!n)
                return WIRE_STATUS_OUTOFMEMORY;
        status = clone_rest(s, from, n);
        if (!status)
                status = peer_edge_add(s->r->p, dir, n, name, len);
        if (status) {
                n->attr.nlink = 0;
                peer_node_settle(s->r->p, n);
                return status;
        }
        *made = n;
        return WIRE_STATUS_OK;
}

/* What has the name already: files are replaced when that is asked for, folders take what is in the other. */
static uint8_t onto(const struct snap *s, const struct peer_node *from, struct peer_node *there)
{
        if (there == from)
                return WIRE_STATUS_EINVAL;
        if (there->attr.type != from->attr.type)
                return from->attr.type == WIRE_NODE_DIRECTORY ? WIRE_STATUS_ENOTDIR : WIRE_STATUS_EPERM;
        if (there->attr.type == WIRE_NODE_DIRECTORY)
                return WIRE_STATUS_OK;
        if (!(s->mode & SNAP_OVERWRITE))
                return WIRE_STATUS_EEXIST;
        if (!peer_may(there, &s->ug, WIRE_ACCESS_W))
                return WIRE_STATUS_EACCES;
        return there->attr.type == WIRE_NODE_FILE ? share_chunks(s->r->p, from, there) : WIRE_STATUS_OK;
}

static uint8_t snap(const struct snap *s, struct peer_node *from, struct peer_node *dir, const void *name,
                    size_t len, unsigned depth)
{
        struct peer_edge *there = peer_edge_find(dir, name, len);
        struct peer_node *to = there ? there->node : NULL;
        uint8_t status;

        if (depth == DEPTH_MAX)
                return WIRE_STATUS_ENOTSUP;
        if (!peer_may(from, &s->ug, WIRE_ACCESS_R))
                return WIRE_STATUS_EACCES;
        status = to ? onto(s, from, to) : clone_node(s, from, dir, name, len, &to);
        if (status || from->attr.type != WIRE_NODE_DIRECTORY)
                return status;
        ri_list_for_each(l, &from->edges)
        {
                struct peer_edge *e = ri_container_of(l, struct peer_edge, link);

                status = snap(s, e->node, to, e->name, e->len, depth + 1);
                if (status)
                        return status;
        }
        return WIRE_STATUS_OK;
}

/* Whether the folder is the node or lies in it. */
static bool lies_in(struct mfs_peer *p, const struct peer_node *dir, const struct peer_node *n)
{
        while (dir && dir != n && dir->inode != WIRE_ROOT_INODE)
                dir = peer_node_find(p, dir->parent);
        return dir == n;
}

static uint8_t may_snap(struct snap *s, struct peer_node *from, struct peer_node *dir,
                        const struct peer_edge *there)
{
        struct peer_sizes below;

        if (peer_read_only(s->r))
                return WIRE_STATUS_EROFS;
        if (!from || !dir)
                return WIRE_STATUS_ENOENT;
        if (dir->attr.type != WIRE_NODE_DIRECTORY)
                return WIRE_STATUS_ENOTDIR;
        if (lies_in(s->r->p, dir, from) || (there && lies_in(s->r->p, from, there->node)))
                return WIRE_STATUS_EINVAL;
        if (!peer_may(dir, &s->ug, WIRE_ACCESS_W | WIRE_ACCESS_X))
                return WIRE_STATUS_EACCES;
        if (!peer_sizes_of(from, &below))
                return WIRE_STATUS_OUTOFMEMORY;
        return s->r->p->nodes.count + below.inodes > NODES_MAX ? WIRE_STATUS_NOSPACE : WIRE_STATUS_OK;
}

/* What a snapshot has made, and nobody has put anything into. */
static uint8_t remove_made(struct mfs_peer *p, struct peer_node *dir, struct peer_edge *e, unsigned depth)
{
        struct peer_node *n = e->node;
        uint8_t status;

        if (depth == DEPTH_MAX)
                return WIRE_STATUS_ENOTSUP;
        ri_list_for_each_safe(l, tmp, &n->edges)
        {
                status = remove_made(p, n, ri_container_of(l, struct peer_edge, link), depth + 1);
                if (status)
                        return status;
        }
        if (!(n->eattr & EATTR_SNAPSHOT))
                return WIRE_STATUS_EPERM;
        peer_edge_remove(p, dir, e);
        peer_node_settle(p, n);
        return WIRE_STATUS_OK;
}

static uint8_t remove_snap(const struct snap *s, struct peer_node *dir, const void *name, size_t len)
{
        struct peer_edge *e;

        if (peer_read_only(s->r))
                return WIRE_STATUS_EROFS;
        if (!dir)
                return WIRE_STATUS_ENOENT;
        if (dir->attr.type != WIRE_NODE_DIRECTORY)
                return WIRE_STATUS_ENOTDIR;
        if (!peer_may(dir, &s->ug, WIRE_ACCESS_W | WIRE_ACCESS_X))
                return WIRE_STATUS_EACCES;
        e = peer_edge_find(dir, name, len);
        return e ? remove_made(s->r->p, dir, e, 0) : WIRE_STATUS_ENOENT;
}

static bool on_snapshot(struct peer_req *r)
{
        struct snap s = { .r = r, .mode = wire_get_u8(&r->msg, WF_SMODE) };
        struct peer_node *from = peer_node_in(r, WF_SRC_INODE), *dir = peer_node_in(r, WF_DST_PARENT);
        size_t len;
        const uint8_t *name = wire_get_bytes(&r->msg, WF_DST_NAME, &len);
        uint8_t status;

        peer_ug_of(r, &s.ug);
        if (s.mode & SNAP_DELETE)
                return peer_status(r, remove_snap(&s, dir, name, len));
        s.umask = (uint16_t)wire_get_u_or(&r->msg, WF_UMASK, 0);
        status = may_snap(&s, from, dir, dir ? peer_edge_find(dir, name, len) : NULL);
        return peer_status(r, status ? status : snap(&s, from, dir, name, len, 0));
}

/* ---- storage classes and extra attributes ------------------------------------------------------------------- */

struct values {
        uint32_t count[2][VALUES]; /* of folders, of files */
        bool goals;
};

static void count_value(void *arg, struct peer_node *n)
{
        struct values *v = arg;

        if (v->goals && n->attr.type != WIRE_NODE_DIRECTORY && n->attr.type != WIRE_NODE_FILE)
                return;
        v->count[n->attr.type != WIRE_NODE_DIRECTORY][v->goals ? n->goal : n->eattr]++;
}

/* 0 and 1 of the mode: the node alone, or all below it. */
static bool reply_values(struct peer_req *r, bool goals)
{
        enum wire_form form = goals ? WFORM_GOALCOUNT : WFORM_EATTRCOUNT;
        struct peer_node *n = peer_node_in(r, WF_INODE);
        uint8_t bytes[2][VALUES * 8];
        struct values v = { .goals = goals };
        struct wire_group g[2];
        struct wire_msg m, item;

        if (!n)
                return peer_status(r, WIRE_STATUS_ENOENT);
        if (!peer_each(n, wire_get_u8(&r->msg, WF_GMODE) == 1, count_value, &v))
                return peer_status(r, WIRE_STATUS_OUTOFMEMORY);
        for (unsigned i = 0; i < 2; i++) {
                wire_group_init(&g[i], form, bytes[i], sizeof bytes[i]);
                for (unsigned x = 0; x < VALUES; x++) {
                        if (!v.count[i][x])
                                continue;
                        wire_item_init(&item);
                        wire_set_u(&item, goals ? WF_GOAL : WF_EATTR, x);
                        wire_set_u(&item, WF_COUNT, v.count[i][x]);
                        wire_group_add(&g[i], &item);
                }
        }
        peer_reply_init(r, &m);
        wire_set_u(&m, WF_NDIRS, g[0].count);
        wire_set_u(&m, WF_NFILES, g[1].count);
        wire_set_group(&m, WF_DIRS, &g[0]);
        wire_set_group(&m, WF_FILES, &g[1]);
        return peer_reply(r, &m);
}

static bool on_getsclass(struct peer_req *r)
{
        return reply_values(r, true);
}

static bool on_geteattr(struct peer_req *r)
{
        return reply_values(r, false);
}

struct change {
        uint32_t uid, changed, same, forbidden;
        uint8_t value, how;
        bool goals;
};

static uint8_t changed_value(const struct change *c, uint8_t old)
{
        if (c->goals) /* 3 exchanges one class for another; classes here are numbers of copies, and never the same */
                return (c->how == WIRE_SMODE_INCR && old >= c->value) ||
                                       (c->how == WIRE_SMODE_DECR && old <= c->value)
                               ? old
                               : c->value;
        switch (c->how) {
        case WIRE_SMODE_INCR: return old | c->value;
        case WIRE_SMODE_DECR: return (uint8_t)(old & ~(unsigned)c->value);
        default: return c->value;
        }
}

static void change_value(void *arg, struct peer_node *n)
{
        struct change *c = arg;
        uint8_t *at = c->goals ? &n->goal : &n->eattr, now = changed_value(c, *at);

        if (c->uid && c->uid != n->attr.uid) {
                c->forbidden++;
                return;
        }
        if (now == *at)
                c->same++;
        else
                c->changed++;
        *at = now;
}

static bool reply_change(struct peer_req *r, struct change *c)
{
        struct peer_node *n = peer_node_in(r, WF_INODE);
        uint8_t mode = wire_get_u8(&r->msg, WF_SMODE);
        struct wire_msg m;

        c->uid = wire_get_u32(&r->msg, WF_UID);
        c->how = mode & WIRE_SMODE_TYPE_MASK;
        if (peer_read_only(r))
                return peer_status(r, WIRE_STATUS_EROFS);
        if (!n)
                return peer_status(r, WIRE_STATUS_ENOENT);
        if (c->how == WIRE_SMODE_EXCHANGE)
                return peer_status(r, WIRE_STATUS_ENOTSUP);
        if (!peer_each(n, mode & WIRE_SMODE_RECURSIVE, change_value, c))
                return peer_status(r, WIRE_STATUS_OUTOFMEMORY);
        peer_reply_init(r, &m);
        wire_set_u(&m, WF_CHANGED, c->changed);
        wire_set_u(&m, WF_NOTCHANGED, c->same);
        wire_set_u(&m, WF_NOTPERMITTED, c->forbidden);
        return peer_reply(r, &m);
}

/* The classes of this master are called 1 to 9, and ask for so many copies. */
static bool on_setsclass(struct peer_req *r)
{
        struct change c = { .goals = true, .value = wire_get_u8(&r->msg, WF_GOAL) };
        size_t len;

        if (wire_has(&r->msg, WF_CLASSNAME)) {
                const uint8_t *name = wire_get_bytes(&r->msg, WF_CLASSNAME, &len);
                c.value = len == 1 && name[0] >= '1' && name[0] <= '9' ? (uint8_t)(name[0] - '0') : 0;
                if (!c.value)
                        return peer_status(r, WIRE_STATUS_NOSUCHCLASS);
        }
        if (c.value < 1 || c.value > 9)
                return peer_status(r, WIRE_STATUS_EINVAL);
        return reply_change(r, &c);
}

static bool on_seteattr(struct peer_req *r)
{
        struct change c = { .value = wire_get_u8(&r->msg, WF_EATTR) };

        return reply_change(r, &c);
}

/* ---- trees and names ---------------------------------------------------------------------------------------- */

static bool on_getdirstats(struct peer_req *r)
{
        static const enum wire_field more[] = { WF_UGFILES, WF_MFILES, WF_UGCHUNKS, WF_MCHUNKS };
        struct peer_node *n = peer_node_in(r, WF_INODE);
        struct peer_sizes s;
        struct wire_msg m;

        if (!n)
                return peer_status(r, WIRE_STATUS_ENOENT);
        if (!peer_sizes_of(n, &s))
                return peer_status(r, WIRE_STATUS_OUTOFMEMORY);
        peer_reply_init(r, &m);
        wire_set_u(&m, WF_INODES, s.inodes);
        wire_set_u(&m, WF_NODEDIRS, s.dirs);
        wire_set_u(&m, WF_NODEFILES, s.files);
        wire_set_u(&m, WF_CHUNKS, s.chunks);
        wire_set_u(&m, WF_LENGTH, s.length);
        wire_set_u(&m, WF_SIZE, s.size);
        wire_set_u(&m, WF_REALSIZE, s.real);
        /* A mount of 3.x gets a longer form, its tools the short one. */
        for (size_t i = 0; !r->c->tools && i < sizeof more / sizeof more[0]; i++)
                wire_set_u(&m, more[i], 0);
        return peer_reply(r, &m);
}

/* Calls fn for each name of the node until it says false. */
static void each_name(struct mfs_peer *p, const struct peer_node *n,
                      bool (*fn)(void *arg, struct peer_node *dir, const struct peer_edge *e), void *arg)
{
        ri_map_for_each(at, &p->nodes)
        {
                struct peer_node *dir = ri_container_of(at, struct peer_node, by_inode);

                ri_list_for_each(l, &dir->edges)
                {
                        const struct peer_edge *e = ri_container_of(l, struct peer_edge, link);

                        if (e->node == n && !fn(arg, dir, e))
                                return;
                }
        }
}

struct names {
        struct peer_req *r;
        struct wire_group group;
        uint8_t bytes[1 << 16];
};

static bool add_parent(void *arg, struct peer_node *dir, const struct peer_edge *e)
{
        struct names *x = arg;

        (void)e;
        wire_group_add_u(&x->group, peer_inode_out(x->r, dir));
        return !x->group.error;
}

static bool reply_names(struct peer_req *r, enum wire_form form, enum wire_field field,
                        bool (*fn)(void *arg, struct peer_node *dir, const struct peer_edge *e))
{
        struct peer_node *n = peer_node_in(r, WF_INODE);
        struct names *x;
        struct wire_msg m;
        bool done;

        if (!n)
                return peer_status(r, WIRE_STATUS_ENOENT);
        x = malloc(sizeof *x);
        if (!x)
                return peer_status(r, WIRE_STATUS_OUTOFMEMORY);
        x->r = r;
        wire_group_init(&x->group, form, x->bytes, sizeof x->bytes);
        each_name(r->p, n, fn, x);
        peer_reply_init(r, &m);
        wire_set_group(&m, field, &x->group);
        done = x->group.error ? peer_status(r, WIRE_STATUS_OUTOFMEMORY) : peer_reply(r, &m);
        free(x);
        return done;
}

static bool on_parents(struct peer_req *r)
{
        return reply_names(r, WFORM_INODE, WF_PARENTS, add_parent);
}

struct first_name {
        struct peer_node *dir;
        const struct peer_edge *edge;
};

static bool keep_name(void *arg, struct peer_node *dir, const struct peer_edge *e)
{
        *(struct first_name *)arg = (struct first_name){ dir, e };
        return false;
}

/* The path from the session's root, written from its end. False: it is not below that, or too long. */
static bool path_of(struct peer_req *r, struct peer_node *dir, const struct peer_edge *e, char *path,
                    size_t *at)
{
        struct first_name up = { dir, e };

        *at = PATH_ROOM;
        for (unsigned depth = 0; up.edge && depth < DEPTH_MAX; depth++) {
                size_t need = up.edge->len + (*at < PATH_ROOM);

                if (need > *at)
                        return false;
                if (*at < PATH_ROOM)
                        path[*at - 1] = '/';
                *at -= need;
                memcpy(path + *at, up.edge->name, up.edge->len);
                if (up.dir->inode == r->c->session->root)
                        return true;
                dir = up.dir;
                up.edge = NULL;
                each_name(r->p, dir, keep_name, &up);
        }
        return false;
}

static bool add_path(void *arg, struct peer_node *dir, const struct peer_edge *e)
{
        struct names *x = arg;
        char path[PATH_ROOM];
        struct wire_msg item;
        size_t at;

        if (!path_of(x->r, dir, e, path, &at))
                return true;
        wire_item_init(&item);
        wire_set_bytes(&item, WF_PATH, path + at, PATH_ROOM - at);
        wire_group_add(&x->group, &item);
        return !x->group.error;
}

static bool on_paths(struct peer_req *r)
{
        return reply_names(r, WFORM_STRING32, WF_PATHS, add_path);
}

const struct peer_command peer_commands_tools[] = {
        { WIRE_CLTOMA_FUSE_SNAPSHOT, on_snapshot },
        { WIRE_CLTOMA_FUSE_GETSCLASS, on_getsclass },
        { WIRE_CLTOMA_FUSE_SETSCLASS, on_setsclass },
        { WIRE_CLTOMA_FUSE_GETEATTR, on_geteattr },
        { WIRE_CLTOMA_FUSE_SETEATTR, on_seteattr },
        { WIRE_CLTOMA_FUSE_GETDIRSTATS, on_getdirstats },
        { WIRE_CLTOMA_FUSE_PARENTS, on_parents },
        { WIRE_CLTOMA_FUSE_PATHS, on_paths },
        { 0, NULL },
};
