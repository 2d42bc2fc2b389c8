/* SPDX-License-Identifier: MIT */
/* Joining a file to the end of another without moving data: the master makes both name the same chunks. Whoever writes to
 * such a chunk afterwards gets a copy of it, so neither file can hurt the other.
 *
 * The master pads the destination to a chunk border first (filesystem.c, fs_univ_append_slice, 3.0.117 and 4.x), so this is
 * for destinations that end at one; and it takes the source as long as it knows it, so the length afterwards is compared
 * with what it must be. */
#include <inttypes.h>
#include <stdlib.h>

#include <roma/mfs.h>

#include "mfsproto/store/store.h"

struct concat {
        uint64_t offset, length; /* of the destination before, of the source */
        uint32_t source;
        bool appended; /* an answer said so */
};

static void append(struct mfs_req *r);

static void concat_free(struct mfs_req *r)
{
        free(r->more);
}

static void ask_length(struct mfs_req *r, void (*next)(struct mfs_req *r, const struct mfs_reply *rep))
{
        struct wire_msg m;

        wire_msg_init(&m, WIRE_CLTOMA_FUSE_GETATTR, WIRE_TO_MASTER);
        wire_set_u(&m, WF_INODE, r->inode);
        wire_set_u(&m, WF_OPENED, 1);
        wire_set_u(&m, WF_UID, mfs_session_uid(r->st->session));
        wire_set_u(&m, WF_GID, mfs_session_gid(r->st->session));
        mfs_req_ask(r, &m, "getattr", next);
}

static void measured(struct mfs_req *r, const struct mfs_reply *rep)
{
        const struct concat *c = r->more;
        struct wire_attr attr;
        struct wire_msg m;

        if (rep->status) {
                mfs_req_fail_status(r, rep->status, NULL);
                return;
        }
        m = *rep->msg;
        wire_get_attr(&m, &attr);
        if (!wire_msg_ok(&m)) {
                mfs_req_fail_with(r, ROMA_EPROTOCOL, "the attributes in the answer cannot be read");
        } else if (attr.length == c->offset && !c->appended) {
                append(r);
        } else if (attr.length == c->offset + c->length) {
                mfs_inode_set_length(r->ino, attr.length);
                r->op->res.bytes = c->length;
                mfs_req_finish(r);
        } else {
                mfs_req_fail_with(r, ROMA_ECORRUPT,
                                  "the file has %" PRIu64 " bytes, %" PRIu64
                                  " were expected: somebody else writes to it",
                                  attr.length, c->offset + (c->appended ? c->length : 0));
        }
}

static void appended(struct mfs_req *r, const struct mfs_reply *rep)
{
        struct concat *c = r->more;

        if (rep->status) {
                mfs_req_fail_status(r, rep->status, NULL);
                return;
        }
        c->appended = true;
        ask_length(r, measured);
}

/* The length tells whether it was done: nobody else appends here. */
static void append_look(struct mfs_req *r)
{
        r->op->tries++;
        if (++r->looks > MFS_LOOKS_MAX)
                mfs_req_unknown(r);
        else
                ask_length(r, measured);
}

static void append(struct mfs_req *r)
{
        const struct concat *c = r->more;
        struct wire_msg m;

        wire_msg_init(&m, WIRE_CLTOMA_FUSE_APPEND_SLICE, WIRE_TO_MASTER);
        wire_set_u(&m, WF_FLAGS, 0);
        wire_set_u(&m, WF_DST_INODE, r->inode);
        wire_set_u(&m, WF_SRC_INODE, c->source);
        wire_set_u(&m, WF_FROM, 0);
        wire_set_u(&m, WF_TO, (c->length + ROMA_MFS_CHUNK_SIZE - 1) / ROMA_MFS_CHUNK_SIZE);
        mfs_session_set_ug(r->st->session, &m);
        mfs_req_change(r, &m, "append slice", appended, append_look);
}

static void walked(struct mfs_req *r)
{
        const struct mfs_walk *w = &r->walk[0];
        struct concat *c = r->more;

        if (!w->has_attr || w->attr.type != WIRE_NODE_FILE) {
                mfs_req_fail_with(r, ROMA_EINVAL, "what is to be joined is no file");
                return;
        }
        c->source = w->inode;
        c->length = w->attr.length;
        ask_length(r, measured);
}

/* The bytes before it are where they belong, and the master knows of them. */
static void flushed(struct mfs_req *r, const roma_result *res)
{
        if (res->code != ROMA_OK)
                mfs_req_fail_from(r, res);
        else
                mfs_walk_start(r, 0, r->key, MFS_WALK_NOFOLLOW, walked);
}

void mfs_be_file_concat(struct ri_op *op, roma_file *file, uint64_t offset, const char *key)
{
        struct mfs_req *r = mfs_req_new(op);
        struct concat *c = r ? calloc(1, sizeof(*c)) : NULL;
        struct ri_op *child;

        if (!r)
                return;
        if (!c) {
                mfs_req_fail_with(r, ROMA_ENOMEM, "out of memory");
                return;
        }
        c->offset = offset;
        r->more = c;
        r->release = concat_free;
        r->inode = mfs_inode_number(mfs_be_file_inode(file));
        r->ino = mfs_inode_get(r->st->data, r->inode, offset);
        r->file = file;
        if (!r->ino) {
                mfs_req_fail_with(r, ROMA_ENOMEM, "out of memory");
                return;
        }
        if (!mfs_req_keep(r, &r->key, key))
                return;
        child = mfs_req_child(r, RI_SINGLE, "flush", flushed);
        if (child)
                mfs_inode_flush(child, r->ino, mfs_be_file_told(file));
}
