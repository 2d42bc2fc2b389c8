/* SPDX-License-Identifier: MIT */
/* Commands that look at nodes or change their attributes. Protocol page 3. */
#include <stdlib.h>
#include <string.h>

#include "mfsproto/peer/inner.h"

static uint16_t access_sets(const struct peer_node *n, const struct peer_ug *ug)
{
        uint16_t sets = 0;

        for (unsigned mask = 0; mask < 8; mask++)
                if (peer_may(n, ug, mask))
                        sets |= (uint16_t)(1u << mask);
        return sets;
}

/* ---- look-up ----------------------------------------------------------------------------------------------- */

static struct peer_node *child(struct peer_req *r, struct peer_node *dir, const uint8_t *name, size_t len)
{
        struct peer_edge *e;

        if (len == 1 && name[0] == '.')
                return dir;
        if (len == 2 && !memcmp(name, "..", 2))
                return dir->inode == r->c->session->root ? dir : peer_node_find(r->p, dir->parent);
        e = peer_edge_find(dir, name, len);
        return e ? e->node : NULL;
}

/* 3.x tells where chunk 0 is for files of one chunk, 4.x for all; neither while it is locked. */
static const struct peer_chunk *chunk0(struct peer_req *r, const struct peer_node *n, bool *tell)
{
        bool v4 = wire_ver_at_least(r->p->cfg.master_version, WIRE_VER(4, 0, 0));
        const struct peer_chunk *ch = n->chunks ? n->chunk[0] : NULL;

        *tell = n->attr.type == WIRE_NODE_FILE && n->chunks && (v4 || (n->chunks == 1 && ch)) &&
                !(ch && peer_chunk_locked(ch, ri_now()));
        return ch;
}

static bool on_lookup(struct peer_req *r)
{
        struct peer_node *dir = peer_node_in(r, WF_PARENT), *n;
        const struct peer_chunk *ch;
        uint8_t locs[MFS_PEER_SERVERS * 14];
        struct wire_attr attr;
        struct wire_msg m;
        struct peer_ug ug;
        uint16_t lflags;
        size_t len;
        const uint8_t *name = wire_get_bytes(&r->msg, WF_NAME, &len);
        bool tell;

        peer_ug_of(r, &ug);
        if (!dir)
                return peer_status(r, WIRE_STATUS_ENOENT);
        if (dir->attr.type != WIRE_NODE_DIRECTORY)
                return peer_status(r, WIRE_STATUS_ENOTDIR);
        if (!peer_may(dir, &ug, WIRE_ACCESS_X))
                return peer_status(r, WIRE_STATUS_EACCES);
        n = child(r, dir, name, len);
        if (!n)
                return peer_status(r, WIRE_STATUS_ENOENT);
        ch = chunk0(r, n, &tell);
        lflags = (uint16_t)(access_sets(n, &ug) | (peer_read_only(r) ? WIRE_LOOKUP_READONLY : 0));
        peer_reply_init(r, &m);
        peer_attr_out(r->c, n, &attr);
        wire_set_u(&m, WF_INODE, peer_inode_out(r, n));
        wire_set_attr(&m, &attr);
        if (tell)
                peer_set_locs(r, &m, ch, locs);
        wire_set_u(&m, WF_LFLAGS, lflags | (tell ? WIRE_LOOKUP_CHUNK0 : 0));
        return peer_reply(r, &m);
}

/* 4.x: folders only on the way, no symbolic link followed, a missing last name is no error. */
static bool on_path_lookup(struct peer_req *r)
{
        struct peer_node *dir = peer_node_in(r, WF_BASE_INODE), *n = dir;
        size_t len, left;
        const uint8_t *path = wire_get_bytes(&r->msg, WF_PATH, &len), *last = path;
        struct wire_attr attr = { 0 };
        struct wire_msg m;

        left = len && !path[len - 1] ? len - 1 : len;
        len = 0;
        while (left) {
                size_t part = 0;

                while (left && *path == '/') {
                        path++;
                        left--;
                        len = 0;
                }
                while (part < left && path[part] != '/')
                        part++;
                if (!part)
                        break;
                if (!n)
                        return peer_status(r, WIRE_STATUS_ENOENT);
                if (n->attr.type != WIRE_NODE_DIRECTORY)
                        return peer_status(r, WIRE_STATUS_ENOTDIR);
                dir = n;
                n = child(r, dir, path, part);
                last = path;
                len = part;
                path += part;
                left -= part;
        }
        if (!dir)
                return peer_status(r, WIRE_STATUS_ENOENT);
        peer_reply_init(r, &m);
        wire_set_u(&m, WF_PARENT, peer_inode_out(r, dir));
        wire_set_bytes(&m, WF_NAME, last, len);
        wire_set_u(&m, WF_LAST_INODE, n ? peer_inode_out(r, n) : 0);
        if (n)
                peer_attr_out(r->c, n, &attr);
        wire_set_attr(&m, &attr);
        return peer_reply(r, &m);
}

/* ---- attributes -------------------------------------------------------------------------------------------- */

static bool on_getattr(struct peer_req *r)
{
        struct peer_node *n = peer_node_in(r, WF_INODE);

        return n ? peer_reply_attr(r, n) : peer_status(r, WIRE_STATUS_ENOENT);
}

static void set_times(struct peer_req *r, struct peer_node *n, unsigned mask)
{
        if (mask & WIRE_SET_ATIME)
                n->attr.atime = wire_get_u32(&r->msg, WF_ATIME);
        if (mask & WIRE_SET_ATIME_NOW)
                n->attr.atime = peer_time();
        if (mask & WIRE_SET_MTIME)
                n->attr.mtime = wire_get_u32(&r->msg, WF_MTIME);
        if (mask & WIRE_SET_MTIME_NOW)
                n->attr.mtime = peer_time();
}

static bool on_setattr(struct peer_req *r)
{
        struct peer_node *n = peer_node_in(r, WF_INODE);
        unsigned mask = wire_get_u8(&r->msg, WF_SETMASK), times;
        struct peer_ug ug;

        times = WIRE_SET_MTIME_NOW | WIRE_SET_ATIME_NOW;
        peer_ug_of(r, &ug);
        if (peer_read_only(r))
                return peer_status(r, WIRE_STATUS_EROFS);
        if (!n)
                return peer_status(r, WIRE_STATUS_ENOENT);
        if (ug.uid && ug.uid != n->attr.uid && !(!(mask & ~times) && peer_may(n, &ug, WIRE_ACCESS_W)))
                return peer_status(r, WIRE_STATUS_EPERM);
        if (ug.uid && (mask & WIRE_SET_UID) && wire_get_u32(&r->msg, WF_ATTR_UID) != n->attr.uid)
                return peer_status(r, WIRE_STATUS_EPERM);
        if (mask & WIRE_SET_MODE)
                n->attr.mode = wire_get_u16(&r->msg, WF_MODE) & 07777;
        if (mask & WIRE_SET_MODE)
                peer_acl_chmod(n);
        if (mask & WIRE_SET_UID)
                n->attr.uid = wire_get_u32(&r->msg, WF_ATTR_UID);
        if (mask & WIRE_SET_GID)
                n->attr.gid = wire_get_u32(&r->msg, WF_ATTR_GID);
        if (mask & WIRE_SET_WINATTR)
                n->attr.winattr = (uint8_t)wire_get_u_or(&r->msg, WF_WINATTR, 0);
        set_times(r, n, mask);
        n->attr.ctime = peer_time();
        return peer_reply_attr(r, n);
}

static bool on_access(struct peer_req *r)
{
        struct peer_node *n = peer_node_in(r, WF_INODE);
        struct peer_ug ug;
        bool may;

        peer_ug_of(r, &ug);
        may = n && peer_may(n, &ug, (unsigned)wire_get_u(&r->msg, WF_ACCESSMASK) & 7);
        return peer_status(r, may ? WIRE_STATUS_OK : n ? WIRE_STATUS_EACCES : WIRE_STATUS_ENOENT);
}

static bool on_readlink(struct peer_req *r)
{
        struct peer_node *n = peer_node_in(r, WF_INODE);
        struct wire_msg m;

        if (!n)
                return peer_status(r, WIRE_STATUS_ENOENT);
        if (n->attr.type != WIRE_NODE_SYMLINK)
                return peer_status(r, WIRE_STATUS_EINVAL);
        peer_reply_init(r, &m);
        wire_set_bytes(&m, WF_TARGET, n->target, n->target_len + 1u); /* its NUL counts */
        return peer_reply(r, &m);
}

static bool on_statfs(struct peer_req *r)
{
        struct wire_msg m;

        peer_reply_init(r, &m);
        wire_set_u(&m, WF_TOTALSPACE, UINT64_C(1) << 40);
        wire_set_u(&m, WF_AVAILSPACE, UINT64_C(1) << 39);
        wire_set_u(&m, WF_FREESPACE, UINT64_C(1) << 39);
        wire_set_u(&m, WF_TRASHSPACE, 0);
        wire_set_u(&m, WF_SUSTAINEDSPACE, 0);
        wire_set_u(&m, WF_INODES, r->p->nodes.count);
        return peer_reply(r, &m);
}

/* ---- opening ----------------------------------------------------------------------------------------------- */

static bool on_open(struct peer_req *r)
{
        struct peer_node *n = peer_node_in(r, WF_INODE);
        unsigned flags = wire_get_u8(&r->msg, WF_FLAGS), mask = 0;
        struct wire_attr attr;
        struct wire_msg m;
        struct peer_ug ug;

        peer_ug_of(r, &ug);
        mask |= flags & WIRE_OPEN_READ ? WIRE_ACCESS_R : 0;
        mask |= flags & (WIRE_OPEN_WRITE | WIRE_OPEN_TRUNCATE) ? WIRE_ACCESS_W : 0;
        if (!n)
                return peer_status(r, WIRE_STATUS_ENOENT);
        if (n->attr.type != WIRE_NODE_FILE)
                return peer_status(r, WIRE_STATUS_EPERM);
        if ((mask & WIRE_ACCESS_W) && peer_read_only(r))
                return peer_status(r, WIRE_STATUS_EROFS);
        if (!(flags & WIRE_OPEN_AFTER_CREATE) && !peer_may(n, &ug, mask))
                return peer_status(r, WIRE_STATUS_EACCES);
        if (!peer_opened(r->c->session, n))
                return peer_status(r, WIRE_STATUS_OUTOFMEMORY);
        peer_reply_init(r, &m);
        peer_attr_out(r->c, n, &attr);
        wire_set_u(&m, WF_OFLAGS, 0);
        wire_set_attr(&m, &attr);
        return peer_reply(r, &m);
}

/* ---- trash time: kept, and without effect ------------------------------------------------------------------ */

static bool on_set_retention(struct peer_req *r)
{
        struct peer_node *n = peer_node_in(r, WF_INODE);
        uint32_t seconds = wire_get_u32(&r->msg, WF_RETENTION), changed;
        struct wire_msg m;

        if (!n)
                return peer_status(r, WIRE_STATUS_ENOENT);
        changed = n->retention != seconds;
        n->retention = seconds;
        peer_reply_init(r, &m);
        wire_set_u(&m, WF_CHANGED, changed);
        wire_set_u(&m, WF_NOTCHANGED, !changed);
        wire_set_u(&m, WF_NOTPERMITTED, 0);
        return peer_reply(r, &m);
}

static bool on_get_retention(struct peer_req *r)
{
        struct peer_node *n = peer_node_in(r, WF_INODE);
        bool dir = n && n->attr.type == WIRE_NODE_DIRECTORY;
        uint8_t bytes[2][8];
        struct wire_group g[2];
        struct wire_msg m, item;

        if (!n)
                return peer_status(r, WIRE_STATUS_ENOENT);
        for (int i = 0; i < 2; i++) {
                wire_group_init(&g[i], WFORM_RETCOUNT, bytes[i], sizeof bytes[i]);
                if (i == !dir) {
                        wire_item_init(&item);
                        wire_set_u(&item, WF_RETENTION, n->retention);
                        wire_set_u(&item, WF_COUNT, 1);
                        wire_group_add(&g[i], &item);
                }
        }
        peer_reply_init(r, &m);
        wire_set_u(&m, WF_NDIRS, dir);
        wire_set_u(&m, WF_NFILES, !dir);
        wire_set_group(&m, WF_DIRS, &g[0]);
        wire_set_group(&m, WF_FILES, &g[1]);
        return peer_reply(r, &m);
}

const struct peer_command peer_commands_nodes[] = {
        { WIRE_CLTOMA_FUSE_LOOKUP, on_lookup },
        { WIRE_CLTOMA_PATH_LOOKUP, on_path_lookup },
        { WIRE_CLTOMA_FUSE_GETATTR, on_getattr },
        { WIRE_CLTOMA_FUSE_SETATTR, on_setattr },
        { WIRE_CLTOMA_FUSE_ACCESS, on_access },
        { WIRE_CLTOMA_FUSE_READLINK, on_readlink },
        { WIRE_CLTOMA_FUSE_STATFS, on_statfs },
        { WIRE_CLTOMA_FUSE_OPEN, on_open },
        { WIRE_CLTOMA_FUSE_SETTRASHRETENTION, on_set_retention },
        { WIRE_CLTOMA_FUSE_GETTRASHRETENTION, on_get_retention },
        { 0, NULL },
};
