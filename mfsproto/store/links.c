/* SPDX-License-Identifier: MIT */
/* Operations on two names, or on a name and a target: rename, link, symlink, readlink. */
#include <stdlib.h>
#include <string.h>

#include "mfsproto/store/store.h"

static struct mfs_req *begin(struct ri_op *op, const char *key, const char *key2,
                             void (*fn)(struct mfs_req *r))
{
        struct mfs_req *r = mfs_req_new(op);

        if (!r)
                return NULL;
        r->begin = fn;
        return mfs_req_keep(r, &r->key, key) && mfs_req_keep(r, &r->key2, key2) ? r : NULL;
}

static void finish_if_ok(struct mfs_req *r, const struct mfs_reply *rep)
{
        if (!mfs_req_refused(r, rep))
                mfs_req_finish(r);
}

/* The inode of a look-up's answer: 0 when there is none, UINT32_MAX when it cannot be said. */
static uint32_t inode_of(const struct mfs_reply *rep)
{
        struct wire_msg m;

        if (mfs_is_enoent(rep->status))
                return 0;
        if (rep->status)
                return UINT32_MAX;
        m = *rep->msg;
        return wire_get_u32(&m, WF_INODE);
}

static void look_at(struct mfs_req *r, const struct mfs_walk *w,
                    void (*next)(struct mfs_req *r, const struct mfs_reply *rep))
{
        mfs_req_lookup(r, w->parent, w->name, w->name_len, next);
}

static bool names_ok(struct mfs_req *r)
{
        if (r->walk[0].name_len && r->walk[1].name_len)
                return true;
        mfs_req_fail_with(r, ROMA_EINVAL, "the root of the store has no other name");
        return false;
}

/* ---- link ------------------------------------------------------------------------------------------------- */

static void link_send(struct mfs_req *r);

static void link_looked(struct mfs_req *r, const struct mfs_reply *rep)
{
        uint32_t inode = inode_of(rep);

        if (inode == r->walk[0].inode)
                mfs_req_finish(r);
        else if (inode == 0)
                mfs_req_not_made(r, link_send);
        else
                mfs_req_unknown(r);
}

static void link_look(struct mfs_req *r)
{
        look_at(r, &r->walk[1], link_looked);
}

static void link_fill(struct mfs_req *r, struct wire_msg *m)
{
        wire_msg_init(m, WIRE_CLTOMA_FUSE_LINK, WIRE_TO_MASTER);
        wire_set_u(m, WF_INODE, r->walk[0].inode);
        wire_set_u(m, WF_DST_PARENT, r->walk[1].parent);
        wire_set_bytes(m, WF_DST_NAME, r->walk[1].name, r->walk[1].name_len);
        mfs_session_set_ug(r->st->session, m);
}

static void link_send(struct mfs_req *r)
{
        struct wire_msg m;

        link_fill(r, &m);
        mfs_req_change(r, &m, "link", finish_if_ok, link_look);
}

static void link_walked2(struct mfs_req *r)
{
        if (names_ok(r))
                link_send(r);
}

static void link_walked(struct mfs_req *r)
{
        mfs_walk_start(r, 1, r->key2, MFS_WALK_PARENT, link_walked2);
}

static void link_begin(struct mfs_req *r)
{
        mfs_walk_start(r, 0, r->key, MFS_WALK_NOFOLLOW, link_walked);
}

void mfs_be_link(struct ri_op *op, const char *key, const char *name)
{
        struct mfs_req *r = begin(op, key, name, link_begin);

        if (r && !mfs_req_readonly(r))
                link_begin(r);
}

/* ---- rename ----------------------------------------------------------------------------------------------- */

static void rename_send(struct mfs_req *r);

/* A rename changes the ctime, and with it the ETag: what the master says now is what it is called from now on. */
static void keep_attr(struct mfs_req *r, const struct mfs_reply *rep)
{
        struct wire_msg m = *rep->msg;
        struct wire_attr attr;

        memset(&attr, 0, sizeof(attr));
        wire_get_attr(&m, &attr);
        if (wire_get_u32(&m, WF_INODE) == r->walk[0].inode && wire_msg_ok(&m))
                mfs_attr_convert(&r->attr, &attr, r->walk[0].inode);
}

static void rename_made(struct mfs_req *r)
{
        if (r->attr.mask)
                ri_op_set_attr(r->op, &r->attr);
        mfs_req_finish(r);
}

/* Made: the target is what the source was. Not made: the source is still there. r->inode holds the target's. */
static void rename_source_looked(struct mfs_req *r, const struct mfs_reply *rep)
{
        uint32_t source = inode_of(rep), target = r->inode;

        if (source == r->walk[0].inode && target != source)
                mfs_req_not_made(r, rename_send);
        else if (source != r->walk[0].inode && source != UINT32_MAX && target == r->walk[0].inode)
                rename_made(r);
        else
                mfs_req_unknown(r);
}

static void rename_target_looked(struct mfs_req *r, const struct mfs_reply *rep)
{
        r->inode = inode_of(rep);
        if (rep->status == WIRE_STATUS_OK)
                keep_attr(r, rep);
        look_at(r, &r->walk[0], rename_source_looked);
}

static void rename_look(struct mfs_req *r)
{
        look_at(r, &r->walk[1], rename_target_looked);
}

static void renamed(struct mfs_req *r, const struct mfs_reply *rep)
{
        if (mfs_req_refused(r, rep))
                return;
        mfs_dirs_clear(&r->st->dirs); /* a folder may have moved */
        keep_attr(r, rep);
        rename_made(r);
}

static bool noreplace(const struct mfs_req *r)
{
        return (r->flags & ROMA_RENAME_NOREPLACE) != 0;
}

static void rename_send(struct mfs_req *r)
{
        struct wire_msg m;

        wire_msg_init(&m, WIRE_CLTOMA_FUSE_RENAME, WIRE_TO_MASTER);
        wire_set_u(&m, WF_SRC_PARENT, r->walk[0].parent);
        wire_set_bytes(&m, WF_SRC_NAME, r->walk[0].name, r->walk[0].name_len);
        wire_set_u(&m, WF_DST_PARENT, r->walk[1].parent);
        wire_set_bytes(&m, WF_DST_NAME, r->walk[1].name, r->walk[1].name_len);
        mfs_session_set_ug(r->st->session, &m);
        if (noreplace(r))
                wire_set_u(&m, WF_RENAME_MODE, WIRE_RENAME_NOREPLACE);
        mfs_req_change(r, &m, "rename", renamed, rename_look);
}

/* Masters of version 3 cannot refuse to replace. A second link can: it fails when the name exists. The first name goes
 * afterwards. */
static void source_send(struct mfs_req *r);

/* Whatever the look at the new name says: the rename is made. */
static void new_name_looked(struct mfs_req *r, const roma_result *res)
{
        if (res->code == ROMA_OK && (res->attr->mask & ROMA_ATTR_INODE) &&
            res->attr->inode == r->walk[0].inode)
                r->attr = *res->attr;
        rename_made(r);
}

static void both_made(struct mfs_req *r)
{
        struct ri_op *child = mfs_req_child(r, RI_SINGLE, "stat", new_name_looked);

        if (child)
                mfs_be_stat(child, r->key2, ROMA_NOFOLLOW);
}

static void source_looked(struct mfs_req *r, const struct mfs_reply *rep)
{
        uint32_t inode = inode_of(rep);

        if (inode == r->walk[0].inode)
                mfs_req_not_made(r, source_send);
        else if (inode != UINT32_MAX)
                both_made(r);
        else
                mfs_req_unknown(r);
}

static void source_look(struct mfs_req *r)
{
        look_at(r, &r->walk[0], source_looked);
}

static void source_removed(struct mfs_req *r, const struct mfs_reply *rep)
{
        if (rep->status == WIRE_STATUS_OK || mfs_is_enoent(rep->status)) {
                both_made(r);
                return;
        }
        mfs_status_error(&r->error, rep->status, mfs_session_server(r->st->session),
                         "the new name was made, but the old one could not be removed and is still there");
        r->error.outcome = ROMA_UNKNOWN;
        mfs_req_fail(r);
}

static void source_send(struct mfs_req *r)
{
        struct wire_msg m;

        r->half = true;
        r->op->outcome = ROMA_UNKNOWN;
        wire_msg_init(&m, WIRE_CLTOMA_FUSE_UNLINK, WIRE_TO_MASTER);
        wire_set_u(&m, WF_PARENT, r->walk[0].parent);
        wire_set_bytes(&m, WF_NAME, r->walk[0].name, r->walk[0].name_len);
        mfs_session_set_ug(r->st->session, &m);
        mfs_req_change(r, &m, "unlink", source_removed, source_look);
}

static void target_send(struct mfs_req *r);

static void target_looked(struct mfs_req *r, const struct mfs_reply *rep)
{
        uint32_t inode = inode_of(rep);

        if (inode == r->walk[0].inode)
                source_send(r);
        else if (inode == 0)
                mfs_req_not_made(r, target_send);
        else
                mfs_req_unknown(r);
}

static void target_look(struct mfs_req *r)
{
        look_at(r, &r->walk[1], target_looked);
}

static void target_linked(struct mfs_req *r, const struct mfs_reply *rep)
{
        if (!mfs_req_refused(r, rep))
                source_send(r);
}

static void target_send(struct mfs_req *r)
{
        struct wire_msg m;

        link_fill(r, &m);
        mfs_req_change(r, &m, "link", target_linked, target_look);
}

static void rename_begin(struct mfs_req *r);

/* A kernel refuses to move a folder into itself before its filesystem hears of it; a 3.0.117 master that is asked to
 * recurses until it has no stack. Remembered folders may have been moved meanwhile, so they do not count here. */
static bool rename_in_order(struct mfs_req *r)
{
        const struct mfs_walk *from = &r->walk[0], *to = &r->walk[1];

        if (from->has_attr && from->attr.type != WIRE_NODE_DIRECTORY)
                return true;
        if (to->used_cache && !r->stale_tried) {
                r->stale_tried = true;
                rename_begin(r);
                return false;
        }
        for (size_t i = 0; i < to->depth; i++)
                if (to->dir[i] == from->inode) {
                        mfs_req_fail_with(r, ROMA_EINVAL, "a folder cannot be moved into itself");
                        return false;
                }
        return true;
}

static void rename_walked2(struct mfs_req *r)
{
        if (!names_ok(r) || !rename_in_order(r))
                return;
        if (r->walk[1].inode == r->walk[0].inode) {
                /* A kernel does nothing here. A 3.0.117 master would damage the folder. */
                if (noreplace(r))
                        mfs_req_fail_with(r, ROMA_EEXIST, "both names are the same object");
                else
                        mfs_req_finish(r);
                return;
        }
        if (!noreplace(r) || mfs_session_at_least(r->st->session, WIRE_VER(4, 18, 0)))
                rename_send(r);
        else if (r->walk[0].attr.type == WIRE_NODE_DIRECTORY)
                mfs_req_fail_with(r, ROMA_ENOTSUP,
                                  "this master (before 4.18) cannot rename a folder without replacing what "
                                  "has the name");
        else
                target_send(r);
}

static void rename_walked(struct mfs_req *r)
{
        mfs_walk_start(r, 1, r->key2, MFS_WALK_NOFOLLOW | MFS_WALK_MISSING, rename_walked2);
}

static void rename_begin(struct mfs_req *r)
{
        mfs_walk_start(r, 0, r->key, MFS_WALK_NOFOLLOW, rename_walked);
}

void mfs_be_rename(struct ri_op *op, const char *from, const char *to, unsigned flags)
{
        struct mfs_req *r = begin(op, from, to, rename_begin);

        if (!r || mfs_req_readonly(r))
                return;
        r->flags = flags;
        rename_begin(r);
}

/* ---- symlink ---------------------------------------------------------------------------------------------- */

static void symlink_send(struct mfs_req *r);

static void symlink_read(struct mfs_req *r, const struct mfs_reply *rep)
{
        struct wire_msg m;
        const uint8_t *p;
        size_t len, want = strlen(r->text);

        if (rep->status) {
                mfs_req_unknown(r);
                return;
        }
        m = *rep->msg;
        p = wire_get_bytes(&m, WF_TARGET, &len);
        if (wire_msg_ok(&m) && len >= want && memcmp(p, r->text, want) == 0 && (len == want || !p[want]))
                mfs_req_finish(r); /* a link with this name and this target is what was wanted */
        else
                mfs_req_unknown(r);
}

static void symlink_looked(struct mfs_req *r, const struct mfs_reply *rep)
{
        uint32_t inode = inode_of(rep);
        struct wire_msg m;

        if (inode == 0) {
                mfs_req_not_made(r, symlink_send);
        } else if (inode == UINT32_MAX) {
                mfs_req_unknown(r);
        } else {
                wire_msg_init(&m, WIRE_CLTOMA_FUSE_READLINK, WIRE_TO_MASTER);
                wire_set_u(&m, WF_INODE, inode);
                mfs_req_ask(r, &m, "readlink", symlink_read);
        }
}

static void symlink_look(struct mfs_req *r)
{
        look_at(r, &r->walk[0], symlink_looked);
}

static void symlink_send(struct mfs_req *r)
{
        struct wire_msg m;

        wire_msg_init(&m, WIRE_CLTOMA_FUSE_SYMLINK, WIRE_TO_MASTER);
        wire_set_u(&m, WF_PARENT, r->walk[0].parent);
        wire_set_bytes(&m, WF_NAME, r->walk[0].name, r->walk[0].name_len);
        wire_set_bytes(&m, WF_TARGET, r->text, strlen(r->text) + 1); /* its NUL is counted */
        mfs_session_set_ug(r->st->session, &m);
        mfs_req_change(r, &m, "symlink", finish_if_ok, symlink_look);
}

static void symlink_walked(struct mfs_req *r)
{
        if (r->walk[0].name_len == 0)
                mfs_req_fail_with(r, ROMA_EEXIST, "the root of the store is there already");
        else
                symlink_send(r);
}

static void symlink_begin(struct mfs_req *r)
{
        mfs_walk_start(r, 0, r->key, MFS_WALK_PARENT, symlink_walked);
}

void mfs_be_symlink(struct ri_op *op, const char *target, const char *name)
{
        struct mfs_req *r = begin(op, name, "", symlink_begin);

        if (!r || mfs_req_readonly(r))
                return;
        if (mfs_req_keep(r, &r->text, target))
                symlink_begin(r);
}

/* ---- readlink --------------------------------------------------------------------------------------------- */

static void readlink_said(struct mfs_req *r, const struct mfs_reply *rep)
{
        struct ri_op *op = r->op;
        struct wire_msg m;
        const uint8_t *p;
        size_t len;

        if (mfs_req_refused(r, rep))
                return;
        m = *rep->msg;
        p = wire_get_bytes(&m, WF_TARGET, &len);
        if (!wire_msg_ok(&m)) {
                mfs_req_fail_with(r, ROMA_EPROTOCOL, "the target of the link cannot be read");
                return;
        }
        r->text = strndup((const char *)p, len);
        if (!r->text) {
                mfs_req_fail_with(r, ROMA_ENOMEM, "out of memory");
                return;
        }
        op->payload = r->text;
        op->payload_free = free;
        op->res.text = r->text;
        r->text = NULL;
        mfs_req_finish(r);
}

static void readlink_walked(struct mfs_req *r)
{
        struct wire_msg m;

        if (!r->walk[0].has_attr || r->walk[0].attr.type != WIRE_NODE_SYMLINK) {
                mfs_req_fail_with(r, ROMA_EINVAL, "it is not a symbolic link");
                return;
        }
        wire_msg_init(&m, WIRE_CLTOMA_FUSE_READLINK, WIRE_TO_MASTER);
        wire_set_u(&m, WF_INODE, r->walk[0].inode);
        mfs_req_ask(r, &m, "readlink", readlink_said);
}

static void readlink_begin(struct mfs_req *r)
{
        mfs_walk_start(r, 0, r->key, MFS_WALK_NOFOLLOW, readlink_walked);
}

void mfs_be_readlink(struct ri_op *op, const char *key)
{
        struct mfs_req *r = begin(op, key, "", readlink_begin);

        if (r)
                readlink_begin(r);
}
