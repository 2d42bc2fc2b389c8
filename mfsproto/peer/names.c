/* SPDX-License-Identifier: MIT */
/* Commands that make, remove, move and list names. Protocol page 3.3 and 3.4. */
#include <stdlib.h>
#include <string.h>

#include "mfsproto/peer/inner.h"

/* A name in a folder that a request is about. */
struct place {
        struct peer_node *dir;
        const uint8_t *name;
        size_t len;
        struct peer_edge *edge; /* NULL: free */
};

/* WIRE_STATUS_OK when the folder is there and may be changed. */
static uint8_t place_of(struct peer_req *r, enum wire_field dir, enum wire_field name, struct place *at)
{
        struct peer_ug ug;

        peer_ug_of(r, &ug);
        at->dir = peer_node_in(r, dir);
        at->name = wire_get_bytes(&r->msg, name, &at->len);
        at->edge = NULL;
        if (peer_read_only(r))
                return WIRE_STATUS_EROFS;
        if (!at->dir)
                return WIRE_STATUS_ENOENT;
        if (at->dir->attr.type != WIRE_NODE_DIRECTORY)
                return WIRE_STATUS_ENOTDIR;
        if (!peer_may(at->dir, &ug, WIRE_ACCESS_W | WIRE_ACCESS_X))
                return WIRE_STATUS_EACCES;
        at->edge = peer_edge_find(at->dir, at->name, at->len);
        return WIRE_STATUS_OK;
}

/* ---- making ------------------------------------------------------------------------------------------------ */

/* A new node under the name; the mode is as asked for, before the umask. *made stays NULL unless the status is OK. */
static uint8_t make(struct peer_req *r, uint8_t type, uint16_t mode, struct peer_node **made)
{
        struct place at;
        struct peer_ug ug;
        struct peer_node *n;
        uint8_t status = place_of(r, WF_PARENT, WF_NAME, &at);

        *made = NULL;
        if (status)
                return status;
        if (at.edge)
                return WIRE_STATUS_EEXIST;
        peer_ug_of(r, &ug);
        n = peer_node_make(r->p, type, mode, ug.uid, ug.gid);
        if (!n)
                return WIRE_STATUS_OUTOFMEMORY;
        if (at.dir->attr.mode & 02000)
                n->attr.gid = at.dir->attr.gid;
        if (!at.dir->acl[1] || type == WIRE_NODE_SYMLINK)
                n->attr.mode &= (uint16_t)~wire_get_u_or(&r->msg, WF_UMASK, 0);
        else if (!peer_acl_inherit(at.dir, n))
                status = WIRE_STATUS_OUTOFMEMORY;
        if (!status)
                status = peer_edge_add(r->p, at.dir, n, at.name, at.len);
        if (status) {
                n->attr.nlink = 0;
                peer_node_settle(r->p, n);
                return status;
        }
        *made = n;
        return WIRE_STATUS_OK;
}

static bool on_mkdir(struct peer_req *r)
{
        struct peer_node *n;
        uint8_t status = make(r, WIRE_NODE_DIRECTORY, wire_get_u16(&r->msg, WF_MODE), &n);

        return status ? peer_status(r, status) : peer_reply_node(r, n);
}

static bool on_mknod(struct peer_req *r)
{
        uint8_t type = wire_get_u8(&r->msg, WF_NODETYPE), status;
        struct peer_node *n;

        if (type < WIRE_NODE_FILE || type > WIRE_NODE_SOCKET || type == WIRE_NODE_DIRECTORY ||
            type == WIRE_NODE_SYMLINK)
                return peer_status(r, WIRE_STATUS_EINVAL);
        status = make(r, type, wire_get_u16(&r->msg, WF_MODE), &n);
        if (status)
                return peer_status(r, status);
        n->attr.major = (uint16_t)(wire_get_u32(&r->msg, WF_RDEV) >> 16);
        n->attr.minor = (uint16_t)wire_get_u32(&r->msg, WF_RDEV);
        return peer_reply_node(r, n);
}

static bool on_symlink(struct peer_req *r)
{
        struct peer_node *n;
        size_t len;
        const uint8_t *target = wire_get_bytes(&r->msg, WF_TARGET, &len);
        uint8_t status;

        while (len && !target[len - 1])
                len--;
        if (!len || len > WIRE_SYMLINK_MAX)
                return peer_status(r, WIRE_STATUS_EINVAL);
        status = make(r, WIRE_NODE_SYMLINK, 0777, &n);
        if (status)
                return peer_status(r, status);
        n->target = (uint8_t *)ri_memdup0(target, len);
        n->target_len = n->target ? (uint32_t)len : 0;
        return n->target ? peer_reply_node(r, n) : peer_status(r, WIRE_STATUS_OUTOFMEMORY);
}

static bool on_create(struct peer_req *r)
{
        struct peer_node *n;
        struct wire_attr attr;
        struct wire_msg m;
        uint8_t status = make(r, WIRE_NODE_FILE, wire_get_u16(&r->msg, WF_MODE), &n);
        struct place at;

        if (status == WIRE_STATUS_EEXIST && peer_bug(r->p, MFS_BUG_CREATE_OPENS) &&
            !place_of(r, WF_PARENT, WF_NAME, &at) && at.edge) {
                n = at.edge->node;
                status = WIRE_STATUS_OK;
        }
        if (status)
                return peer_status(r, status);
        if (!peer_opened(r->c->session, n))
                return peer_status(r, WIRE_STATUS_OUTOFMEMORY);
        peer_reply_init(r, &m);
        peer_attr_out(r->c, n, &attr);
        wire_set_u(&m, WF_OFLAGS, 0);
        wire_set_u(&m, WF_INODE, n->inode);
        wire_set_attr(&m, &attr);
        return peer_reply(r, &m);
}

static bool on_link(struct peer_req *r)
{
        struct peer_node *n = peer_node_in(r, WF_INODE);
        struct place at;
        uint8_t status = place_of(r, WF_DST_PARENT, WF_DST_NAME, &at);

        if (!status && !n)
                status = WIRE_STATUS_ENOENT;
        if (!status && n->attr.type == WIRE_NODE_DIRECTORY)
                status = WIRE_STATUS_EPERM;
        if (!status)
                status = peer_edge_add(r->p, at.dir, n, at.name, at.len);
        return status ? peer_status(r, status) : peer_reply_node(r, n);
}

/* ---- removing and moving ----------------------------------------------------------------------------------- */

static uint8_t removable(const struct peer_edge *e, bool folder)
{
        bool is = e->node->attr.type == WIRE_NODE_DIRECTORY;

        if (is != folder)
                return is ? WIRE_STATUS_EPERM : WIRE_STATUS_ENOTDIR;
        return is && !ri_list_empty(&e->node->edges) ? WIRE_STATUS_ENOTEMPTY : WIRE_STATUS_OK;
}

static bool remove_name(struct peer_req *r, bool folder)
{
        struct place at;
        struct peer_node *n;
        struct wire_msg m;
        uint8_t status = place_of(r, WF_PARENT, WF_NAME, &at);

        if (!status && !at.edge)
                status = WIRE_STATUS_ENOENT;
        if (!status)
                status = removable(at.edge, folder);
        if (status)
                return peer_status(r, status);
        n = at.edge->node;
        peer_reply_init(r, &m);
        wire_set_u(&m, WF_INODE, n->inode);
        peer_edge_remove(r->p, at.dir, at.edge);
        peer_node_settle(r->p, n);
        /* older clients are told with a status, which no layout of the table says by itself */
        if (!wire_ver_at_least(r->c->declared, WIRE_VER(3, 0, 107)))
                return peer_status(r, WIRE_STATUS_OK);
        return peer_reply(r, &m);
}

static bool on_unlink(struct peer_req *r)
{
        return remove_name(r, false);
}

static bool on_rmdir(struct peer_req *r)
{
        return remove_name(r, true);
}

static bool inside(struct peer_req *r, struct peer_node *dir, const struct peer_node *of)
{
        for (; dir; dir = dir->parent ? peer_node_find(r->p, dir->parent) : NULL)
                if (dir == of)
                        return true;
        return false;
}

static uint8_t exchange(struct peer_req *r, struct place *from, struct place *to)
{
        struct peer_node *n = from->edge->node;

        if (!to->edge)
                return WIRE_STATUS_ENOENT;
        if (n->attr.type == WIRE_NODE_DIRECTORY || to->edge->node->attr.type == WIRE_NODE_DIRECTORY)
                return WIRE_STATUS_ENOTSUP;
        from->edge->node = to->edge->node;
        to->edge->node = n;
        (void)r;
        return WIRE_STATUS_OK;
}

static uint8_t move(struct peer_req *r, struct place *from, struct place *to)
{
        struct peer_node *n = from->edge->node, *old = to->edge ? to->edge->node : NULL;
        uint8_t status = WIRE_STATUS_OK;

        if (old == n)
                return WIRE_STATUS_OK;
        if (n->attr.type == WIRE_NODE_DIRECTORY && inside(r, to->dir, n))
                return WIRE_STATUS_EINVAL;
        if (old)
                status = removable(to->edge, n->attr.type == WIRE_NODE_DIRECTORY);
        if (status)
                return status;
        if (old) {
                peer_edge_remove(r->p, to->dir, to->edge);
                peer_node_settle(r->p, old);
        }
        status = peer_edge_add(r->p, to->dir, n, to->name, to->len);
        if (status)
                return status;
        peer_edge_remove(r->p, from->dir, from->edge);
        if (n->attr.type == WIRE_NODE_DIRECTORY) { /* the old name took its links with it */
                n->attr.nlink = 2;
                ri_list_for_each(l, &n->edges) n->attr.nlink +=
                        ri_container_of(l, struct peer_edge, link)->node->attr.type == WIRE_NODE_DIRECTORY;
        }
        return WIRE_STATUS_OK;
}

static bool on_rename(struct peer_req *r)
{
        struct place from, to = { 0 };
        struct peer_node *n;
        uint64_t mode = wire_get_u_or(&r->msg, WF_RENAME_MODE, WIRE_RENAME_STD);
        uint8_t status = place_of(r, WF_SRC_PARENT, WF_SRC_NAME, &from);
        struct wire_attr zero = { 0 };
        struct wire_msg m;

        if (!status)
                status = place_of(r, WF_DST_PARENT, WF_DST_NAME, &to);
        if (!status && !from.edge)
                status = WIRE_STATUS_ENOENT;
        if (!status && to.edge &&
            (mode == WIRE_RENAME_NOREPLACE ||
             (peer_bug(r->p, MFS_BUG_RENAME_KEEPS) && to.edge->node->attr.type == WIRE_NODE_FILE)))
                status = WIRE_STATUS_EEXIST;
        if (status)
                return peer_status(r, status);
        n = from.edge->node;
        status = mode == WIRE_RENAME_EXCHANGE ? exchange(r, &from, &to) : move(r, &from, &to);
        if (status)
                return peer_status(r, status);
        if (mode != WIRE_RENAME_EXCHANGE)
                return peer_reply_node(r, n);
        peer_reply_init(r, &m);
        wire_set_u(&m, WF_INODE, 0);
        wire_set_attr(&m, &zero);
        return peer_reply(r, &m);
}

/* ---- listing ----------------------------------------------------------------------------------------------- */

struct listing {
        struct peer_req *r;
        struct wire_group group;
        bool attr;
        uint64_t left;
};

static void list_one(struct listing *ls, const char *name, size_t len, const struct peer_node *n)
{
        struct wire_attr attr;
        struct wire_msg item;

        if (!ls->left || !n)
                return;
        ls->left--;
        wire_item_init(&item);
        wire_set_bytes(&item, WF_NAME, name, len);
        wire_set_u(&item, WF_INODE, peer_inode_out(ls->r, n));
        peer_attr_out(ls->r->c, n, &attr);
        if (ls->attr)
                wire_set_attr(&item, &attr);
        else
                wire_set_u(&item, WF_NODETYPE, n->attr.type);
        wire_group_add(&ls->group, &item);
}

/* All from edge `start` on; the edge to go on with, or the end. */
static uint64_t list_edges(struct listing *ls, struct peer_node *dir, uint64_t start)
{
        struct peer_node *up =
                dir->inode == ls->r->c->session->root ? dir : peer_node_find(ls->r->p, dir->parent);

        if (!start) {
                list_one(ls, ".", 1, dir);
                list_one(ls, "..", 2, up);
                if (ls->r->p->cfg.endless)
                        list_one(ls, "deeper", 6, dir);
        }
        ri_list_for_each(l, &dir->edges)
        {
                struct peer_edge *e = ri_container_of(l, struct peer_edge, link);

                if (start && e->id > start)
                        continue;
                if (!ls->left)
                        return e->id;
                list_one(ls, e->name, e->len, e->node);
        }
        return WIRE_EDGEID_MAX;
}

static bool on_readdir(struct peer_req *r)
{
        struct peer_node *dir = peer_node_in(r, WF_INODE);
        uint64_t flags = wire_get_u_or(&r->msg, WF_FLAGS, 0), start = wire_get_u_or(&r->msg, WF_NEDGEID, 0),
                 next;
        bool v4 = wire_ver_at_least(r->p->cfg.master_version, WIRE_VER(4, 0, 0)), done;
        struct listing ls = { .r = r, .attr = flags & WIRE_READDIR_WITHATTR };
        struct wire_msg m;
        struct peer_ug ug;
        size_t room;
        uint8_t *bytes;

        peer_ug_of(r, &ug);
        if (!dir)
                return peer_status(r, WIRE_STATUS_ENOENT);
        if (dir->attr.type != WIRE_NODE_DIRECTORY)
                return peer_status(r, WIRE_STATUS_ENOTDIR);
        if (!peer_may(dir, &ug, WIRE_ACCESS_R))
                return peer_status(r, WIRE_STATUS_EACCES);
        room = (dir->names.count + 3) * (1 + WIRE_NAME_MAX + 4 + 36);
        bytes = malloc(room);
        if (!bytes)
                return peer_status(r, WIRE_STATUS_OUTOFMEMORY);
        wire_group_init(&ls.group,
                        !ls.attr            ? WFORM_DIRENT
                        : peer_attr36(r->c) ? WFORM_DIRENT_ATTR36
                                            : WFORM_DIRENT_ATTR35,
                        bytes, room);
        ls.left = wire_get_u_or(&r->msg, WF_MAXENTRIES, UINT32_MAX);
        if (v4 && r->p->cfg.readdir_most && ls.left > r->p->cfg.readdir_most)
                ls.left = r->p->cfg.readdir_most;
        next = list_edges(&ls, dir, start);
        peer_reply_init(r, &m);
        if (wire_has(&r->msg, WF_NEDGEID)) /* 3.x sends back what it was given, so it cannot be paged */
                wire_set_u(&m, WF_NEDGEID, v4 ? next : start);
        wire_set_group(&m, WF_ENTRIES, &ls.group);
        done = peer_reply(r, &m);
        free(bytes);
        return done;
}

const struct peer_command peer_commands_names[] = {
        { WIRE_CLTOMA_FUSE_MKDIR, on_mkdir },     { WIRE_CLTOMA_FUSE_MKNOD, on_mknod },
        { WIRE_CLTOMA_FUSE_SYMLINK, on_symlink }, { WIRE_CLTOMA_FUSE_CREATE, on_create },
        { WIRE_CLTOMA_FUSE_LINK, on_link },       { WIRE_CLTOMA_FUSE_UNLINK, on_unlink },
        { WIRE_CLTOMA_FUSE_RMDIR, on_rmdir },     { WIRE_CLTOMA_FUSE_RENAME, on_rename },
        { WIRE_CLTOMA_FUSE_READDIR, on_readdir }, { 0, NULL },
};
