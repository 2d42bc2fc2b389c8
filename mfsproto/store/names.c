/* SPDX-License-Identifier: MIT */
/* Operations on one name: stat, setattr, unlink, rmdir, mkdir. */
#include <string.h>

#include "mfsproto/store/store.h"

static void give_attr(struct mfs_req *r, uint32_t inode, const struct wire_attr *attr)
{
        roma_attr a;

        mfs_attr_convert(&a, attr, inode);
        ri_op_set_attr(r->op, &a);
        mfs_req_finish(r);
}

/* An answer that holds the attributes of r->inode, or of the inode it names. */
static void attr_said(struct mfs_req *r, const struct mfs_reply *rep)
{
        struct wire_attr attr;
        struct wire_msg m;

        if (mfs_req_refused(r, rep))
                return;
        m = *rep->msg;
        wire_get_attr(&m, &attr);
        if (!wire_msg_ok(&m))
                mfs_req_fail_with(r, ROMA_EPROTOCOL, "the attributes in the answer cannot be read");
        else
                give_attr(r, (uint32_t)wire_get_u_or(&m, WF_INODE, r->inode), &attr);
}

static void ask_attr(struct mfs_req *r, uint32_t inode)
{
        struct wire_msg m;

        r->inode = inode;
        wire_msg_init(&m, WIRE_CLTOMA_FUSE_GETATTR, WIRE_TO_MASTER);
        wire_set_u(&m, WF_INODE, inode);
        wire_set_u(&m, WF_OPENED, 0);
        wire_set_u(&m, WF_UID, mfs_session_uid(r->st->session));
        wire_set_u(&m, WF_GID, mfs_session_gid(r->st->session));
        mfs_req_ask(r, &m, "getattr", attr_said);
}

/* ---- stat ------------------------------------------------------------------------------------------------- */

static void stat_walked(struct mfs_req *r)
{
        if (r->walk[0].has_attr)
                give_attr(r, r->walk[0].inode, &r->walk[0].attr);
        else
                ask_attr(r, r->walk[0].inode);
}

static void stat_begin(struct mfs_req *r)
{
        mfs_walk_start(r, 0, r->key, r->flags & ROMA_NOFOLLOW ? MFS_WALK_NOFOLLOW : 0, stat_walked);
}

static struct mfs_req *begin(struct ri_op *op, const char *key, void (*fn)(struct mfs_req *r))
{
        struct mfs_req *r = mfs_req_new(op);

        if (!r)
                return NULL;
        r->begin = fn;
        return mfs_req_keep(r, &r->key, key) ? r : NULL;
}

void mfs_be_stat(struct ri_op *op, const char *key, unsigned flags)
{
        struct mfs_req *r = begin(op, key, stat_begin);

        if (!r)
                return;
        r->flags = flags;
        stat_begin(r);
}

/* ---- setattr ---------------------------------------------------------------------------------------------- */

static uint32_t seconds(int64_t ns)
{
        int64_t s = ns / 1000000000;

        return s < 0 ? 0 : s > UINT32_MAX ? UINT32_MAX : (uint32_t)s;
}

uint8_t mfs_setattr_fill(struct mfs_req *r, struct wire_msg *m, uint32_t inode, bool opened,
                         const roma_attr *attr)
{
        uint8_t mask = 0;

        mask |= attr->mask & ROMA_ATTR_MODE ? WIRE_SET_MODE : 0;
        mask |= attr->mask & ROMA_ATTR_UID ? WIRE_SET_UID : 0;
        mask |= attr->mask & ROMA_ATTR_GID ? WIRE_SET_GID : 0;
        mask |= attr->mask & ROMA_ATTR_ATIME ? WIRE_SET_ATIME : 0;
        mask |= attr->mask & ROMA_ATTR_MTIME ? WIRE_SET_MTIME : 0;
        wire_msg_init(m, WIRE_CLTOMA_FUSE_SETATTR, WIRE_TO_MASTER);
        wire_set_u(m, WF_INODE, inode);
        wire_set_u(m, WF_OPENED, opened);
        mfs_session_set_ug(r->st->session, m);
        wire_set_u(m, WF_SETMASK, mask);
        wire_set_u(m, WF_MODE, attr->mode & 07777);
        wire_set_u(m, WF_ATTR_UID, attr->uid);
        wire_set_u(m, WF_ATTR_GID, attr->gid);
        wire_set_u(m, WF_ATIME, seconds(attr->atime_ns));
        wire_set_u(m, WF_MTIME, seconds(attr->mtime_ns));
        wire_set_u(m, WF_WINATTR, 0);
        wire_set_u(m, WF_SUGIDCLEAR, WIRE_SUGID_EXT);
        return mask;
}

static void setattr_send(struct mfs_req *r)
{
        struct wire_msg m;

        /* Times that are still to be told would arrive later and win. */
        mfs_session_flush_times(r->st->session);
        /* Setting the same values again changes nothing more, so it may be sent again. */
        if (mfs_setattr_fill(r, &m, r->inode, false, &r->attr))
                mfs_req_set(r, &m, "setattr", attr_said);
        else
                ask_attr(r, r->inode);
}

static void setattr_flushed(struct mfs_req *r, const roma_result *res)
{
        if (res->code != ROMA_OK)
                mfs_req_fail_from(r, res);
        else
                setattr_send(r);
}

/* A write of ours that has ended may not have told its time yet, which would take the place of the one that is wanted. */
static void setattr_walked(struct mfs_req *r)
{
        struct ri_op *child;

        r->inode = r->walk[0].inode;
        if (r->ino)
                mfs_inode_put(r->ino); /* of a walk that remembered folders misled */
        r->ino = NULL;
        if (r->attr.mask & ROMA_ATTR_MTIME)
                r->ino = mfs_inode_find(r->st->data, r->inode);
        if (!r->ino) {
                setattr_send(r);
                return;
        }
        r->told = mfs_inode_losses(r->ino);
        child = mfs_req_child(r, RI_SINGLE, "flush", setattr_flushed);
        if (child)
                mfs_inode_flush(child, r->ino, &r->told);
}

static void setattr_begin(struct mfs_req *r)
{
        mfs_walk_start(r, 0, r->key, r->flags & ROMA_NOFOLLOW ? MFS_WALK_NOFOLLOW : 0, setattr_walked);
}

void mfs_be_setattr(struct ri_op *op, const char *key, const roma_attr *attr, unsigned flags)
{
        struct mfs_req *r = begin(op, key, setattr_begin);

        if (!r)
                return;
        r->flags = flags;
        r->attr = *attr;
        if (attr->mask && mfs_req_readonly(r))
                return;
        setattr_begin(r);
}

/* ---- unlink and rmdir ------------------------------------------------------------------------------------- */

static void remove_send(struct mfs_req *r);

/* The name after a removal whose answer was lost: gone, or another object by now, means that it was made. */
static void remove_looked(struct mfs_req *r, const struct mfs_reply *rep)
{
        struct wire_msg m;

        if (rep->status && !mfs_is_enoent(rep->status)) {
                mfs_req_unknown(r);
                return;
        }
        if (rep->status == WIRE_STATUS_OK) {
                m = *rep->msg;
                if (wire_get_u32(&m, WF_INODE) == r->walk[0].inode) {
                        mfs_req_not_made(r, remove_send);
                        return;
                }
        }
        mfs_trash_removed(r);
        mfs_req_finish(r);
}

static void remove_look(struct mfs_req *r)
{
        mfs_req_lookup(r, r->walk[0].parent, r->walk[0].name, r->walk[0].name_len, remove_looked);
}

static bool is_rmdir(const struct mfs_req *r)
{
        return r->mode != 0;
}

static void removed(struct mfs_req *r, const struct mfs_reply *rep)
{
        if (mfs_req_refused(r, rep))
                return;
        if (is_rmdir(r))
                mfs_dirs_clear(&r->st->dirs);
        mfs_trash_removed(r);
        mfs_req_finish(r);
}

static void remove_send(struct mfs_req *r)
{
        struct wire_msg m;

        wire_msg_init(&m, is_rmdir(r) ? WIRE_CLTOMA_FUSE_RMDIR : WIRE_CLTOMA_FUSE_UNLINK, WIRE_TO_MASTER);
        wire_set_u(&m, WF_PARENT, r->walk[0].parent);
        wire_set_bytes(&m, WF_NAME, r->walk[0].name, r->walk[0].name_len);
        mfs_session_set_ug(r->st->session, &m);
        mfs_req_change(r, &m, is_rmdir(r) ? "rmdir" : "unlink", removed, remove_look);
}

/* Only the last name of a file leads to the trash; with more of them the others' retention is none of our business. */
static void unlink_trash(struct mfs_req *r)
{
        if (!(r->flags & ROMA_UNLINK_NO_TRASH) || r->walk[0].attr.type != WIRE_NODE_FILE ||
            r->walk[0].attr.nlink > 1)
                remove_send(r);
        else
                mfs_trash_pass(r, remove_send);
}

static void remove_walked(struct mfs_req *r)
{
        if (!r->walk[0].has_attr)
                mfs_req_fail_with(r, ROMA_EINVAL, "the root of the store cannot be removed");
        else if (is_rmdir(r) && r->walk[0].attr.type != WIRE_NODE_DIRECTORY)
                mfs_req_fail_with(r, ROMA_ENOTDIR, "it is not a folder; use unlink");
        else if (!is_rmdir(r) && r->walk[0].attr.type == WIRE_NODE_DIRECTORY)
                mfs_req_fail_with(r, ROMA_EISDIR, "it is a folder, which rm -r removes");
        else if (is_rmdir(r))
                remove_send(r);
        else
                unlink_trash(r);
}

static void remove_begin(struct mfs_req *r)
{
        mfs_trash_restore(r); /* of an object that remembered folders led to */
        mfs_walk_start(r, 0, r->key, MFS_WALK_NOFOLLOW, remove_walked);
}

static void remove_name(struct ri_op *op, const char *key, unsigned flags, bool dir)
{
        struct mfs_req *r = begin(op, key, remove_begin);

        if (!r || mfs_req_readonly(r))
                return;
        r->flags = flags;
        r->mode = dir;
        remove_begin(r);
}

void mfs_be_unlink(struct ri_op *op, const char *key, unsigned flags)
{
        remove_name(op, key, flags, false);
}

void mfs_be_rmdir(struct ri_op *op, const char *key)
{
        remove_name(op, key, 0, true);
}

/* ---- mkdir ------------------------------------------------------------------------------------------------ */

static void mkdir_send(struct mfs_req *r);

static void mkdir_looked(struct mfs_req *r, const struct mfs_reply *rep)
{
        /* A folder that is there may be ours or that of somebody who was faster. */
        if (mfs_is_enoent(rep->status))
                mfs_req_not_made(r, mkdir_send);
        else
                mfs_req_unknown(r);
}

static void mkdir_look(struct mfs_req *r)
{
        mfs_req_lookup(r, r->walk[0].parent, r->walk[0].name, r->walk[0].name_len, mkdir_looked);
}

static void mkdir_send(struct mfs_req *r)
{
        struct wire_msg m;

        wire_msg_init(&m, WIRE_CLTOMA_FUSE_MKDIR, WIRE_TO_MASTER);
        wire_set_u(&m, WF_PARENT, r->walk[0].parent);
        wire_set_bytes(&m, WF_NAME, r->walk[0].name, r->walk[0].name_len);
        wire_set_u(&m, WF_MODE, r->mode & 07777);
        wire_set_u(&m, WF_UMASK,
                   0); /* the mode is what the caller wants; the master adds the session's own */
        mfs_session_set_ug(r->st->session, &m);
        wire_set_u(&m, WF_COPYSGID, 1);
        mfs_req_change(r, &m, "mkdir", attr_said, mkdir_look);
}

static void mkdir_walked(struct mfs_req *r)
{
        if (r->walk[0].name_len == 0)
                mfs_req_fail_with(r, ROMA_EEXIST, "the root of the store is there already");
        else
                mkdir_send(r);
}

static void mkdir_begin(struct mfs_req *r)
{
        mfs_walk_start(r, 0, r->key, MFS_WALK_PARENT, mkdir_walked);
}

void mfs_be_mkdir(struct ri_op *op, const char *key, uint32_t mode)
{
        struct mfs_req *r = begin(op, key, mkdir_begin);

        if (!r || mfs_req_readonly(r))
                return;
        r->mode = mode;
        mkdir_begin(r);
}
