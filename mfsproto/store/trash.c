/* SPDX-License-Identifier: MIT */
/* Removals that do not go to the trash: a MooseFS file goes there unless its retention is 0, so that is set before. When the
 * removal is not made after all, refused or cancelled, the file gets back what it had. */
#include <stdlib.h>

#include "mfsproto/store/store.h"

struct restore {
        struct ri_list link;
        struct mfs_call call;
};

static void restored(struct mfs_call *c, const struct mfs_reply *rep)
{
        struct restore *x = ri_container_of(c, struct restore, call);

        (void)rep; /* nobody is there to be told; a file that is gone has no retention */
        ri_list_del(&x->link);
        free(x);
}

static void fill(struct mfs_req *r, struct wire_msg *m, uint32_t retention)
{
        wire_msg_init(m, WIRE_CLTOMA_FUSE_SETTRASHRETENTION, WIRE_TO_MASTER);
        wire_set_u(m, WF_INODE, r->walk[0].inode);
        wire_set_u(m, WF_UID, mfs_session_uid(r->st->session));
        wire_set_u(m, WF_RETENTION, retention);
        wire_set_u(m, WF_SMODE, WIRE_SMODE_SET);
}

/* What the request has sent before is carried out before. */
void mfs_trash_restore(struct mfs_req *r)
{
        struct restore *x = r->retention ? calloc(1, sizeof(*x)) : NULL;
        struct ri_error e;
        struct wire_msg m;

        if (!x)
                return;
        x->call.done = restored;
        ri_list_add_tail(&r->st->restores, &x->link);
        fill(r, &m, r->retention);
        r->retention = 0;
        if (mfs_call_start(r->st->session, &x->call, &m, MFS_REPLAY, "settrashretention", NULL, &e) < 0) {
                ri_list_del(&x->link);
                free(x);
        }
}

static void zeroed(struct mfs_req *r, const struct mfs_reply *rep)
{
        /* Whoever may remove a name need not own the file. Then it goes through the trash, which is no failure of the
         * removal. */
        if (rep->status)
                r->retention = 0;
        r->trash_passed(r);
}

static void known(struct mfs_req *r, const struct mfs_reply *rep)
{
        struct wire_msg m, item;
        struct wire_iter it;

        if (rep->status == WIRE_STATUS_OK) {
                m = *rep->msg;
                wire_group_begin(&m, WF_FILES, &it);
                if (wire_group_next(&it, &item))
                        r->retention = wire_get_u32(&item, WF_RETENTION);
                if (!wire_msg_ok(&m))
                        r->retention = 0;
        }
        if (!r->retention) {
                r->trash_passed(r);
                return;
        }
        r->release = mfs_trash_restore;
        fill(r, &m, 0);
        mfs_req_ask(r, &m, "settrashretention", zeroed);
}

void mfs_trash_pass(struct mfs_req *r, void (*next)(struct mfs_req *r))
{
        struct wire_msg m;

        r->trash_passed = next;
        wire_msg_init(&m, WIRE_CLTOMA_FUSE_GETTRASHRETENTION, WIRE_TO_MASTER);
        wire_set_u(&m, WF_INODE, r->walk[0].inode);
        wire_set_u(&m, WF_GMODE, 0);
        mfs_req_ask(r, &m, "gettrashretention", known);
}

void mfs_trash_removed(struct mfs_req *r)
{
        r->retention = 0;
}

void mfs_trash_drop(struct mfs_store *st)
{
        if (!ri_list_empty(&st->restores))
                mfs_session_push(st->session);
        while (!ri_list_empty(&st->restores)) {
                struct restore *x = ri_list_entry(ri_list_pop(&st->restores), struct restore, link);

                mfs_call_cancel(&x->call);
                free(x);
        }
}
