/* SPDX-License-Identifier: MIT */
/* Gives back a chunk lock when the writer itself has to go: one WRITE_CHUNK_END, whose answer interests nobody. */
#include "mfsproto/chunk/inner.h"

#include <stdlib.h>

struct ender {
        struct ri_list link;
        struct mfs_call call;
};

static void ender_done(struct mfs_call *c, const struct mfs_reply *r)
{
        struct ender *e = ri_container_of(c, struct ender, call);

        (void)r;
        ri_list_del(&e->link);
        free(e);
}

void mfs_ender_start(struct mfs_inode *ino, uint32_t index, uint64_t chunkid, uint64_t length,
                     uint64_t good_until)
{
        struct ender *e = calloc(1, sizeof *e);
        struct ri_error error;
        struct wire_msg m;

        if (!e)
                return; /* the lock ends by itself after 120 s */
        wire_msg_init(&m, WIRE_CLTOMA_FUSE_WRITE_CHUNK_END, WIRE_TO_MASTER);
        wire_set_u(&m, WF_CHUNKID, chunkid);
        wire_set_u(&m, WF_INODE, ino->number);
        wire_set_u(&m, WF_INDEX, index);
        wire_set_u(&m, WF_LENGTH, length);
        wire_set_u(&m, WF_CHUNKOPFLAGS, 0);
        wire_set_u(&m, WF_OFFSET, 0);
        wire_set_u(&m, WF_SIZE, WIRE_CHUNK_SIZE);
        e->call.done = ender_done;
        e->call.good_until = good_until;
        ri_list_add_tail(&ino->data->enders, &e->link);
        /* Not sent again after a lost connection: by then the lock may be somebody else's. */
        if (mfs_call_start(ino->data->session, &e->call, &m, MFS_NO_RETRY, "write_end", NULL, &error) < 0) {
                ri_list_del(&e->link);
                free(e);
        }
}

void mfs_enders_drop(struct mfs_data *d)
{
        while (!ri_list_empty(&d->enders)) {
                struct ender *e = ri_list_entry(ri_list_pop(&d->enders), struct ender, link);

                mfs_call_cancel(&e->call);
                free(e);
        }
}
