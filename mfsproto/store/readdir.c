/* SPDX-License-Identifier: MIT */
/* Reading a folder: one request for all of it, since version 3 cannot page, on a connection of its own, handed out
 * entry by entry as the bytes arrive. A newer master that gives less says where to go on. */
#include <string.h>

#include "mfsproto/store/store.h"

/* An answer that nobody wants any more is read to its end up to this size, to keep the connection. */
enum { WORTH_CUTTING = 1 << 20 };

static int entry(void *arg, const struct wire_dirent *d)
{
        struct mfs_req *r = arg;
        struct ri_dirent ent;
        roma_attr attr;

        if ((d->namelen == 1 && d->name[0] == '.') ||
            (d->namelen == 2 && d->name[0] == '.' && d->name[1] == '.'))
                return 0;
        /* No master makes such a name: it would be a path, and lead whoever copies the folder to another place. */
        if (d->namelen == 0 || memchr(d->name, '/', d->namelen) || memchr(d->name, '\0', d->namelen))
                return 1;
        mfs_attr_convert(&attr, &d->attr, d->inode);
        ent.name = (const char *)d->name;
        ent.name_len = d->namelen;
        ent.attr = &attr;
        if (r->fn(r->fn_arg, &ent))
                return 0;
        r->stopped = true;
        return 1;
}

static bool feed(void *arg, const unsigned char *p, size_t n, size_t total)
{
        struct mfs_req *r = arg;

        if (!r->rd_begun) {
                struct wire_ctx ctx = { .server = mfs_session_version(r->st->session),
                                        .client = mfs_session_declared(r->st->session),
                                        .hint = r->hint };

                if (total > UINT32_MAX)
                        return false;
                wire_readdir_init(&r->rd, (uint32_t)total, &ctx, entry, r);
                r->rd_begun = true;
        }
        if (!r->stopped && wire_readdir_feed(&r->rd, p, n) != WIRE_OK && !r->stopped)
                return false;
        if (r->stopped && total > WORTH_CUTTING) {
                mfs_bulk_cancel(r->bulk);
                r->bulk = NULL;
                mfs_req_finish(r);
        }
        return true;
}

static void send(struct mfs_req *r);

/* True when the master has more, which was asked for, or r has failed. */
static bool goes_on(struct mfs_req *r)
{
        uint64_t next = r->rd.nedgeid;

        if (r->stopped || r->rd.is_status || !mfs_session_at_least(r->st->session, WIRE_VER(4, 0, 0)) ||
            next == WIRE_EDGEID_MAX)
                return false;
        if (next == r->edge || r->rd.entries == 0) {
                mfs_req_fail_with(
                        r, ROMA_EPROTOCOL,
                        "the master says that the list of the folder goes on, and gives no more of it");
                return true;
        }
        r->edge = next;
        r->rd_begun = false;
        r->stale_tried = true; /* entries have been handed out */
        send(r);
        return true;
}

static void done(void *arg, const struct mfs_reply *rep)
{
        struct mfs_req *r = arg;

        r->bulk = NULL;
        if (rep->error) {
                r->error = *rep->error;
                mfs_req_fail(r);
        } else if (r->rd.is_status && r->rd.status) {
                if (!mfs_req_stale(r, r->rd.status))
                        mfs_req_fail_status(r, r->rd.status, NULL);
        } else if (!r->stopped && !wire_readdir_done(&r->rd)) {
                mfs_req_fail_with(r, ROMA_EPROTOCOL, "the list of the folder ends in the middle of an entry");
        } else if (!goes_on(r)) {
                mfs_req_finish(r);
        }
}

static void send(struct mfs_req *r)
{
        struct wire_msg m;

        wire_msg_init(&m, WIRE_CLTOMA_FUSE_READDIR, WIRE_TO_MASTER);
        wire_set_u(&m, WF_INODE, r->walk[0].inode);
        mfs_session_set_ug(r->st->session, &m);
        wire_set_u(&m, WF_FLAGS, WIRE_READDIR_WITHATTR);
        wire_set_u(&m, WF_MAXENTRIES, UINT32_MAX);
        wire_set_u(&m, WF_NEDGEID, r->edge);
        r->hint = wire_hint_of(&m);
        r->bulk = mfs_bulk_start(r->st->session, &m, r->op, feed, done, r, &r->error);
        if (!r->bulk)
                mfs_req_fail(r);
}

static void walked(struct mfs_req *r)
{
        if (r->walk[0].has_attr && r->walk[0].attr.type != WIRE_NODE_DIRECTORY)
                mfs_req_fail_with(r, ROMA_ENOTDIR, "it is not a folder");
        else
                send(r);
}

static void begin(struct mfs_req *r)
{
        r->rd_begun = false;
        r->edge = 0;
        mfs_walk_start(r, 0, r->key, 0, walked);
}

void mfs_be_readdir(struct ri_op *op, const char *key, ri_dirent_fn *fn, void *arg)
{
        struct mfs_req *r = mfs_req_new(op);

        if (!r)
                return;
        r->begin = begin;
        r->fn = fn;
        r->fn_arg = arg;
        if (mfs_req_keep(r, &r->key, key))
                begin(r);
}
