/* SPDX-License-Identifier: MIT */
/* Open files: the names' side of them. The bytes are mfsproto/chunk's. */
#include <stdlib.h>
#include <string.h>

#include "mfsproto/store/store.h"

struct mfs_file {
        struct mfs_inode *ino;
        unsigned told;              /* see mfs_inode_flush() */
        struct mfs_changes changes; /* when it was opened */
};

static struct mfs_file *mfs_file_of(roma_file *file)
{
        return file->impl;
}

static struct mfs_inode *inode_of(roma_file *file)
{
        return mfs_file_of(file)->ino;
}

struct mfs_inode *mfs_be_file_inode(roma_file *file)
{
        return inode_of(file);
}

unsigned *mfs_be_file_told(roma_file *file)
{
        return &mfs_file_of(file)->told;
}

/* ---- open ------------------------------------------------------------------------------------------------- */

static void open_begin(struct mfs_req *r);

static void open_finish(struct mfs_req *r)
{
        struct mfs_file *f = calloc(1, sizeof(*f));

        if (!f) {
                mfs_req_fail_with(r, ROMA_ENOMEM, "out of memory");
                return;
        }
        f->ino = r->ino;
        f->told = mfs_inode_losses(f->ino);
        f->changes = mfs_inode_changes(f->ino);
        r->ino = NULL;
        if ((r->flags & ROMA_O_EXCL) && ri_temp_is(r->walk[0].name, r->walk[0].name_len))
                mfs_inode_sole_writer(f->ino, true);
        r->file->impl = f;
        ri_op_set_attr(r->op, &r->attr);
        mfs_req_finish(r);
}

static void truncated(struct mfs_req *r, const roma_result *res)
{
        if (res->code != ROMA_OK) {
                mfs_req_fail_from(r, res);
                return;
        }
        r->attr.length = 0;
        r->op->outcome = ROMA_UNKNOWN; /* it is empty now, whatever comes */
        open_finish(r);
}

static void opened(struct mfs_req *r, const struct wire_attr *attr)
{
        struct ri_op *child;

        mfs_attr_convert(&r->attr, attr, r->inode);
        r->ino = mfs_inode_get(r->st->data, r->inode, attr->length);
        if (!r->ino) {
                mfs_req_fail_with(r, ROMA_ENOMEM, "out of memory");
                return;
        }
        /* What we wrote ourselves is longer than the master knows. */
        if (!(r->flags & ROMA_O_TRUNC) && mfs_inode_length(r->ino) > attr->length)
                r->attr.length = mfs_inode_length(r->ino);
        if (r->held) {
                r->held = false;
                mfs_session_inode_release(r->st->session, r->inode);
        }
        /* The random name of a temporary is known to its writer only. */
        if ((r->flags & ROMA_O_CREATE) && (r->flags & ROMA_O_EXCL) &&
            ri_temp_is(r->walk[0].name, r->walk[0].name_len))
                mfs_inode_sole_writer(r->ino, true);
        if (!(r->flags & ROMA_O_TRUNC) || (attr->length == 0 && mfs_inode_length(r->ino) == 0)) {
                open_finish(r);
                return;
        }
        child = mfs_req_child(r, RI_SINGLE, "truncate", truncated);
        if (child)
                mfs_inode_truncate(child, r->ino, 0);
}

static void open_said(struct mfs_req *r, const struct mfs_reply *rep)
{
        struct wire_attr attr;
        struct wire_msg m;

        if (mfs_req_refused(r, rep))
                return;
        m = *rep->msg;
        wire_get_attr(&m, &attr);
        if (wire_msg_ok(&m))
                opened(r, &attr);
        else
                mfs_req_fail_with(r, ROMA_EPROTOCOL, "the answer to an open cannot be read");
}

/* In the list of open inodes from before the request on: a list that leaves in between must not close it. */
static bool hold(struct mfs_req *r, uint32_t inode)
{
        if (r->held)
                mfs_session_inode_release(r->st->session, r->inode);
        r->held = mfs_session_inode_hold(r->st->session, inode) == 0;
        r->inode = inode;
        if (r->held)
                return true;
        mfs_req_fail_with(r, ROMA_ENOMEM, "out of memory");
        return false; /* and r is gone */
}

static void open_send(struct mfs_req *r, uint32_t inode)
{
        struct wire_msg m;
        uint8_t flags = 0;

        if (!hold(r, inode))
                return;
        flags |= r->flags & ROMA_O_READ ? WIRE_OPEN_READ : 0;
        flags |= r->flags & ROMA_O_WRITE ? WIRE_OPEN_WRITE : 0;
        flags |= r->flags & ROMA_O_TRUNC ? WIRE_OPEN_TRUNCATE : 0;
        wire_msg_init(&m, WIRE_CLTOMA_FUSE_OPEN, WIRE_TO_MASTER);
        wire_set_u(&m, WF_INODE, inode);
        mfs_session_set_ug(r->st->session, &m);
        wire_set_u(&m, WF_FLAGS, flags);
        mfs_req_ask(r, &m, "open", open_said);
}

static void create_send(struct mfs_req *r);

static void create_looked(struct mfs_req *r, const struct mfs_reply *rep)
{
        const struct mfs_walk *w = &r->walk[0];
        struct wire_msg m;

        if (mfs_is_enoent(rep->status)) {
                mfs_req_not_made(r, create_send);
        } else if (rep->status) {
                mfs_req_unknown(r);
        } else if (!(r->flags & ROMA_O_EXCL)) {
                mfs_req_not_made(r, open_begin); /* whoever made it, it is there to be opened */
        } else if (ri_temp_is(w->name, w->name_len)) {
                m = *rep->msg;
                open_send(r, wire_get_u32(&m, WF_INODE)); /* nobody else hits upon such a name */
        } else {
                mfs_req_unknown(r);
        }
}

static void create_look(struct mfs_req *r)
{
        mfs_req_lookup(r, r->walk[0].parent, r->walk[0].name, r->walk[0].name_len, create_looked);
}

static void create_said(struct mfs_req *r, const struct mfs_reply *rep)
{
        struct wire_attr attr;
        struct wire_msg m;
        uint32_t inode;

        if (rep->status == WIRE_STATUS_EEXIST && !(r->flags & ROMA_O_EXCL)) {
                mfs_req_not_made(r, open_begin); /* somebody was faster */
                return;
        }
        if (mfs_req_refused(r, rep))
                return;
        m = *rep->msg;
        inode = wire_get_u32(&m, WF_INODE);
        wire_get_attr(&m, &attr);
        if (!wire_msg_ok(&m))
                mfs_req_fail_with(r, ROMA_EPROTOCOL, "the answer to a create cannot be read");
        else if (hold(r, inode))
                opened(r, &attr);
}

static void create_send(struct mfs_req *r)
{
        struct wire_msg m;

        wire_msg_init(&m, WIRE_CLTOMA_FUSE_CREATE, WIRE_TO_MASTER);
        wire_set_u(&m, WF_PARENT, r->walk[0].parent);
        wire_set_bytes(&m, WF_NAME, r->walk[0].name, r->walk[0].name_len);
        wire_set_u(&m, WF_MODE, r->mode & 07777);
        wire_set_u(&m, WF_UMASK, 0);
        mfs_session_set_ug(r->st->session, &m);
        mfs_req_change(r, &m, "create", create_said, create_look);
}

static void open_walked(struct mfs_req *r)
{
        const struct mfs_walk *w = &r->walk[0];

        if (w->inode == 0)
                create_send(r);
        else if ((r->flags & ROMA_O_CREATE) && (r->flags & ROMA_O_EXCL))
                mfs_req_fail_with(r, ROMA_EEXIST, "the name exists already");
        else if (!w->has_attr || w->attr.type == WIRE_NODE_DIRECTORY)
                mfs_req_fail_with(r, ROMA_EISDIR, "it is a folder");
        else if (w->attr.type == WIRE_NODE_SYMLINK)
                mfs_req_fail_with(r, ROMA_EINVAL, "it is a symbolic link, which was not to be followed");
        else if (w->attr.type != WIRE_NODE_FILE)
                mfs_req_fail_with(r, ROMA_ENOTSUP,
                                  "it is a FIFO, a socket or a device, whose bytes are not in MooseFS");
        else
                open_send(r, w->inode);
}

static void open_begin(struct mfs_req *r)
{
        unsigned flags = r->flags & ROMA_O_NOFOLLOW ? MFS_WALK_NOFOLLOW : 0;

        if (r->flags & ROMA_O_CREATE)
                flags |= MFS_WALK_MISSING | (r->flags & ROMA_O_EXCL ? MFS_WALK_NOFOLLOW : 0);
        mfs_walk_start(r, 0, r->key, flags, open_walked);
}

void mfs_be_file_open(struct ri_op *op, roma_file *file, const char *key, unsigned flags, uint32_t mode)
{
        struct mfs_req *r = mfs_req_new(op);

        if (!r)
                return;
        r->begin = open_begin;
        r->file = file;
        r->flags = flags;
        r->mode = mode;
        if (!mfs_req_keep(r, &r->key, key) || ((flags & ROMA_O_WRITE) && mfs_req_readonly(r)))
                return;
        open_begin(r);
}

/* ---- close ------------------------------------------------------------------------------------------------ */

static void flushed_for_close(struct mfs_req *r, const roma_result *res)
{
        if (res->code != ROMA_OK)
                mfs_req_fail_from(r, res);
        else
                mfs_req_finish(r);
}

void mfs_be_file_close(struct ri_op *op, roma_file *file)
{
        struct mfs_inode *ino = inode_of(file);
        unsigned told = mfs_file_of(file)->told;
        bool writable = (file->flags & ROMA_O_WRITE) != 0;
        struct ri_op *child;
        struct mfs_req *r;

        free(file->impl);
        file->impl = NULL;
        if (!writable) {
                mfs_inode_put(ino);
                ri_op_finish(op);
                return;
        }
        r = mfs_req_new(op);
        if (!r) {
                mfs_inode_put(ino);
                return;
        }
        r->ino = ino; /* given back when r ends, however it does */
        r->told = told;
        if (!mfs_req_keep(r, &r->key, file->key))
                return;
        child = mfs_req_child(r, RI_ENDING, "close", flushed_for_close);
        if (child)
                mfs_inode_flush(child, ino, &r->told);
}

void mfs_be_file_drop(roma_file *file)
{
        mfs_inode_put(inode_of(file));
        free(file->impl);
        file->impl = NULL;
}

/* ---- bytes ------------------------------------------------------------------------------------------------ */

void mfs_be_file_preadv(struct ri_op *op, roma_file *file, const struct iovec *iov, int n, uint64_t offset)
{
        mfs_inode_read(op, inode_of(file), iov, n, offset);
}

void mfs_be_file_pwritev(struct ri_op *op, roma_file *file, const struct iovec *iov, int n, uint64_t offset)
{
        mfs_inode_write(op, inode_of(file), iov, n, offset);
}

void mfs_be_file_write_buf(struct ri_op *op, roma_file *file, roma_buf *buf, uint64_t offset)
{
        mfs_inode_write_buf(op, inode_of(file), buf, offset);
}

void mfs_be_file_append(struct ri_op *op, roma_file *file, const struct iovec *iov, int n)
{
        mfs_inode_append(op, inode_of(file), iov, n);
}

void mfs_be_file_truncate(struct ri_op *op, roma_file *file, uint64_t length)
{
        mfs_inode_truncate(op, inode_of(file), length);
}

void mfs_be_file_fsync(struct ri_op *op, roma_file *file)
{
        mfs_inode_flush(op, inode_of(file), &mfs_file_of(file)->told);
}

/* ---- attributes of an open file --------------------------------------------------------------------------- */

static void file_attr_said(struct mfs_req *r, const struct mfs_reply *rep)
{
        struct wire_attr attr;
        struct wire_msg m;
        roma_attr a;

        if (mfs_req_refused(r, rep))
                return;
        m = *rep->msg;
        wire_get_attr(&m, &attr);
        if (!wire_msg_ok(&m)) {
                mfs_req_fail_with(r, ROMA_EPROTOCOL, "the attributes in the answer cannot be read");
                return;
        }
        mfs_inode_set_length(inode_of(r->file), attr.length);
        /* What we wrote ourselves is longer than the master knows until the next fsync. */
        if (mfs_inode_length(inode_of(r->file)) > attr.length)
                attr.length = mfs_inode_length(inode_of(r->file));
        mfs_attr_convert(&a, &attr, r->inode);
        ri_op_set_attr(r->op, &a);
        mfs_req_finish(r);
}

/* Times do not tell: those of what a mount has written come a second or two behind its close(). But the master tells
 * everybody who has a file open of each write and truncate, when it begins, before it answers the GETATTR that is behind
 * us now. Only when the connection was lost in between must the time do. */
bool mfs_be_file_changed(roma_file *file, const roma_attr *then, const roma_attr *now)
{
        const struct mfs_changes *at = &mfs_file_of(file)->changes;
        struct mfs_changes c = mfs_inode_changes(inode_of(file));

        return c.seen != at->seen || then->length != now->length ||
               (c.gaps != at->gaps && then->mtime_ns != now->mtime_ns);
}

static struct mfs_req *file_req(struct ri_op *op, roma_file *file)
{
        struct mfs_req *r = mfs_req_new(op);

        if (!r)
                return NULL;
        r->file = file;
        r->flags = file->flags;
        r->inode = mfs_inode_number(inode_of(file));
        return mfs_req_keep(r, &r->key, file->key) ? r : NULL;
}

void mfs_be_file_stat(struct ri_op *op, roma_file *file)
{
        struct mfs_req *r = file_req(op, file);
        struct wire_msg m;

        if (!r)
                return;
        wire_msg_init(&m, WIRE_CLTOMA_FUSE_GETATTR, WIRE_TO_MASTER);
        wire_set_u(&m, WF_INODE, r->inode);
        wire_set_u(&m, WF_OPENED, 1);
        wire_set_u(&m, WF_UID, mfs_session_uid(r->st->session));
        wire_set_u(&m, WF_GID, mfs_session_gid(r->st->session));
        mfs_req_ask(r, &m, "getattr", file_attr_said);
}

static void setattr_send(struct mfs_req *r)
{
        struct wire_msg m;

        /* Times that a flush has left behind would arrive later and win. */
        mfs_session_flush_times(r->st->session);
        mfs_setattr_fill(r, &m, r->inode, true, &r->attr);
        mfs_req_set(r, &m, "setattr", file_attr_said);
}

static void flushed_for_setattr(struct mfs_req *r, const roma_result *res)
{
        if (res->code != ROMA_OK)
                mfs_req_fail_from(r, res);
        else
                setattr_send(r);
}

void mfs_be_file_setattr(struct ri_op *op, roma_file *file, const roma_attr *attr)
{
        struct mfs_req *r = file_req(op, file);
        struct ri_op *child;

        if (!r)
                return;
        r->attr = *attr;
        if (!(file->flags & ROMA_O_WRITE) || !(attr->mask & ROMA_ATTR_MTIME)) {
                setattr_send(r);
                return;
        }
        child = mfs_req_child(r, RI_SINGLE, "flush", flushed_for_setattr);
        if (child)
                mfs_inode_flush(child, inode_of(file), &mfs_file_of(file)->told);
}
