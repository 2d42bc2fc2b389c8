/* SPDX-License-Identifier: MIT */
/* Repairing, archiving, and the trash, which is always empty here: what has no name and is not open is gone. Protocol pages 3.8
 * and 6.5; the order of the refusals is that of 3.0.117. */
#include "mfsproto/peer/inner.h"

enum { REPAIR_ERASE = 1, EATTR_NOOWNER = 1, EATTR_IMMUTABLE = 0x80 };

/* ---- repairing ---------------------------------------------------------------------------------------------- */

/* Masters of 4.27 and later take the entry of a lost chunk away only when they are told to. */
static bool may_erase(const struct peer_req *r)
{
        return !wire_ver_at_least(r->p->cfg.master_version, WIRE_VER(4, 27, 0)) ||
               (wire_get_u_or(&r->msg, WF_FLAGS, 0) & REPAIR_ERASE);
}

/* Copies here are of the right version or gone, so there is nothing between a good chunk and a lost one. */
static bool is_lost(struct mfs_peer *p, const struct peer_chunk *ch)
{
        return ch && !peer_chunk_locked(ch, ri_now()) && !peer_chunk_alive(p, ch);
}

static uint8_t may_repair(struct peer_req *r, const struct peer_node *n)
{
        struct peer_ug ug;

        peer_ug_of(r, &ug);
        if (peer_read_only(r))
                return WIRE_STATUS_EROFS;
        if (!n)
                return WIRE_STATUS_ENOENT;
        if (n->attr.type != WIRE_NODE_FILE || (n->eattr & EATTR_IMMUTABLE))
                return WIRE_STATUS_EPERM;
        return peer_may(n, &ug, WIRE_ACCESS_W) ? WIRE_STATUS_OK : WIRE_STATUS_EACCES;
}

static bool on_repair(struct peer_req *r)
{
        struct peer_node *n = peer_node_in(r, WF_INODE);
        uint8_t status = may_repair(r, n);
        uint32_t same = 0, erased = 0;
        struct wire_msg m;

        if (status)
                return peer_status(r, status);
        for (uint32_t i = 0; i < n->chunks; i++) {
                if (!is_lost(r->p, n->chunk[i]) || !may_erase(r)) {
                        same++;
                        continue;
                }
                peer_chunk_unref(r->p, n->chunk[i]);
                n->chunk[i] = NULL;
                n->attr.mtime = n->attr.ctime = peer_time();
                erased++;
        }
        peer_reply_init(r, &m);
        wire_set_u(&m, WF_NOTCHANGED, same);
        wire_set_u(&m, WF_ERASED, erased);
        wire_set_u(&m, WF_REPAIRED, 0);
        return peer_reply(r, &m);
}

/* ---- archiving ---------------------------------------------------------------------------------------------- */

struct archive {
        uint8_t cmd;
        uint32_t uid, forbidden;
        uint64_t set, clear, changed, same; /* chunks */
        uint32_t all, some, none;           /* files */
};

static void count_archived(void *arg, struct peer_node *n)
{
        struct archive *a = arg;
        uint32_t set = 0, clear = 0;

        for (uint32_t i = 0; i < n->chunks; i++) {
                set += n->chunk[i] && n->chunk[i]->archived;
                clear += n->chunk[i] && !n->chunk[i]->archived;
        }
        a->set += set;
        a->clear += clear;
        a->all += set && !clear;
        a->some += set && clear;
        a->none += !set && clear;
}

static void change_archived(void *arg, struct peer_node *n)
{
        struct archive *a = arg;
        bool set = a->cmd == WIRE_ARCH_SET;

        if (n->attr.type != WIRE_NODE_FILE)
                return;
        if ((!(n->eattr & EATTR_NOOWNER) && a->uid && a->uid != n->attr.uid) ||
            (n->eattr & EATTR_IMMUTABLE)) {
                a->forbidden++;
                return;
        }
        for (uint32_t i = 0; i < n->chunks; i++) {
                if (!n->chunk[i])
                        continue;
                if (n->chunk[i]->archived == set)
                        a->same++;
                else
                        a->changed++;
                n->chunk[i]->archived = set;
        }
        if (a->cmd == WIRE_ARCH_CLR)
                n->attr.ctime = peer_time();
}

static bool reply_archive(struct peer_req *r, const struct archive *a)
{
        struct wire_msg m;

        peer_reply_init(r, &m);
        if (a->cmd == WIRE_ARCH_GET) {
                wire_set_u(&m, WF_ARCHCHUNKS, a->set);
                wire_set_u(&m, WF_NOTARCHCHUNKS, a->clear);
                wire_set_u(&m, WF_ARCHINODES, a->all);
                wire_set_u(&m, WF_PARTIALINODES, a->some);
                wire_set_u(&m, WF_NOTARCHINODES, a->none);
        } else {
                wire_set_u(&m, WF_CHANGED, a->changed);
                wire_set_u(&m, WF_NOTCHANGED, a->same);
                wire_set_u(&m, WF_NOTPERMITTED, a->forbidden);
        }
        return peer_reply(r, &m);
}

/* The mark of 3.x, which here is kept and without effect; in 4.x classes decide, and that is another thing. */
static bool on_archctl(struct peer_req *r)
{
        struct archive a = { .cmd = wire_get_u8(&r->msg, WF_CMD) };
        struct peer_node *n = peer_node_in(r, WF_INODE);
        bool get = a.cmd == WIRE_ARCH_GET;

        if (get == wire_has(&r->msg, WF_UID)) /* asking takes no user, changing does */
                return false;
        if (wire_ver_at_least(r->p->cfg.master_version, WIRE_VER(4, 0, 0)))
                return peer_status(r, WIRE_STATUS_ENOTSUP);
        a.uid = (uint32_t)wire_get_u_or(&r->msg, WF_UID, 0);
        if (!get && peer_read_only(r))
                return peer_status(r, WIRE_STATUS_EROFS);
        if (!n)
                return peer_status(r, WIRE_STATUS_ENOENT);
        if (n->attr.type != WIRE_NODE_FILE && n->attr.type != WIRE_NODE_DIRECTORY)
                return peer_status(r, WIRE_STATUS_EPERM);
        if (!peer_each(n, true, get ? count_archived : change_archived, &a))
                return peer_status(r, WIRE_STATUS_OUTOFMEMORY);
        if (n->attr.type == WIRE_NODE_FILE && a.forbidden)
                return peer_status(r, WIRE_STATUS_EPERM);
        return reply_archive(r, &a);
}

/* ---- the trash ---------------------------------------------------------------------------------------------- */

/* Only sessions of a kind that this master does not give may ask. */
static bool on_meta(struct peer_req *r)
{
        return peer_status(r, WIRE_STATUS_EPERM);
}

static bool on_trash_list(struct peer_req *r)
{
        struct wire_group none;
        uint8_t bytes[1];
        struct wire_msg m;

        if (!wire_ver_at_least(r->p->cfg.master_version, WIRE_VER(4, 15, 0)))
                return peer_status(r, WIRE_STATUS_ENOTSUP);
        wire_group_init(&none, WFORM_TRASHENTRY, bytes, 0);
        peer_reply_init(r, &m);
        wire_set_u(&m, WF_TOTALCOUNT, 0);
        wire_set_u(&m, WF_USERFILES, 0);
        wire_set_u(&m, WF_MATCHED, 0);
        wire_set_group(&m, WF_ENTRIES, &none);
        return peer_reply(r, &m);
}

/* Nothing is ever in it: what 4.59 says of other inodes. */
static uint8_t not_in_trash(struct peer_req *r, uint32_t uid, uint8_t status)
{
        const struct peer_node *n = peer_node_find(r->p, wire_get_u32(&r->msg, WF_INODE));

        if (peer_read_only(r))
                return WIRE_STATUS_EROFS;
        if (!n)
                return WIRE_STATUS_ENOENT;
        return uid && uid != n->attr.uid ? WIRE_STATUS_EPERM : status;
}

static bool on_trash_recover(struct peer_req *r)
{
        struct peer_ug ug;

        peer_ug_of(r, &ug);
        if (!peer_read_only(r) && !peer_node_in(r, WF_PATH_ROOT))
                return peer_status(r, WIRE_STATUS_ENOENT);
        return peer_status(r, not_in_trash(r, ug.uid, WIRE_STATUS_EINVAL));
}

static bool on_trash_remove(struct peer_req *r)
{
        return peer_status(r, not_in_trash(r, wire_get_u32(&r->msg, WF_UID), WIRE_STATUS_ENOENT));
}

const struct peer_command peer_commands_care[] = {
        { WIRE_CLTOMA_FUSE_REPAIR, on_repair },
        { WIRE_CLTOMA_FUSE_ARCHCTL, on_archctl },
        { WIRE_CLTOMA_FUSE_GETTRASH, on_meta },
        { WIRE_CLTOMA_FUSE_GETDETACHEDATTR, on_meta },
        { WIRE_CLTOMA_FUSE_GETTRASHPATH, on_meta },
        { WIRE_CLTOMA_FUSE_SETTRASHPATH, on_meta },
        { WIRE_CLTOMA_FUSE_UNDEL, on_meta },
        { WIRE_CLTOMA_FUSE_PURGE, on_meta },
        { WIRE_CLTOMA_FUSE_GETSUSTAINED, on_meta },
        { WIRE_CLTOMA_TRASH_LIST, on_trash_list },
        { WIRE_CLTOMA_TRASH_RECOVER, on_trash_recover },
        { WIRE_CLTOMA_TRASH_REMOVE, on_trash_remove },
        { 0, NULL },
};
