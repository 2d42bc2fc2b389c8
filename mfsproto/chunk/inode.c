/* SPDX-License-Identifier: MIT */
/* An inode that is open: its length as far as known, its chunks, and the order of its operations. */
#include "mfsproto/chunk/inner.h"

#include <stdlib.h>
#include <string.h>

struct mfs_inode *mfs_inode_get(struct mfs_data *d, uint32_t number, uint64_t length)
{
        struct ri_map_node *n = ri_map_find_u64(&d->inodes, number);
        struct mfs_inode *ino;

        if (n) {
                ino = ri_container_of(n, struct mfs_inode, node);
                ino->refs++;
                mfs_inode_set_length(ino, length);
                return ino;
        }
        ino = calloc(1, sizeof *ino);
        if (!ino)
                return NULL;
        if (mfs_session_inode_hold(d->session, number) < 0) {
                free(ino);
                return NULL;
        }
        ino->data = d;
        ino->number = number;
        ino->refs = 1;
        ino->master_length = length;
        ri_map_init(&ino->chunks);
        ri_list_init(&ino->old);
        ri_list_init(&ino->writers);
        ri_list_init(&ino->turns);
        ri_map_insert_u64(&d->inodes, &ino->node, number);
        return ino;
}

struct mfs_inode *mfs_inode_find(struct mfs_data *d, uint32_t number)
{
        struct ri_map_node *n = ri_map_find_u64(&d->inodes, number);
        struct mfs_inode *ino = n ? ri_container_of(n, struct mfs_inode, node) : NULL;

        if (ino)
                ino->refs++;
        return ino;
}

void mfs_inode_put(struct mfs_inode *ino)
{
        struct mfs_data *d = ino->data;

        if (--ino->refs > 0)
                return;
        while (!ri_list_empty(&ino->writers))
                mfs_writer_kill(ri_list_entry(ri_list_first(&ino->writers), struct mfs_writer, in_inode));
        ri_map_for_each_safe(n, tmp, &ino->chunks)
        {
                struct mfs_chunk *c = ri_container_of(n, struct mfs_chunk, node);

                mfs_chunk_forget(c);
                mfs_chunk_tidy(c);
        }
        ri_map_remove(&d->inodes, &ino->node);
        ri_map_free(&ino->chunks);
        mfs_session_inode_release(d->session, ino->number);
        free(ino);
}

uint32_t mfs_inode_number(const struct mfs_inode *ino)
{
        return ino->number;
}

uint64_t mfs_inode_length(const struct mfs_inode *ino)
{
        uint64_t length = ino->master_length;

        ri_list_for_each(it, &ino->writers)
        {
                uint64_t end = mfs_writer_end(ri_list_entry(it, struct mfs_writer, in_inode));

                if (end > length)
                        length = end;
        }
        return length;
}

void mfs_inode_set_length(struct mfs_inode *ino, uint64_t length)
{
        ino->master_length = length;
}

void mfs_inode_grown(struct mfs_inode *ino, uint64_t length)
{
        if (length > ino->master_length)
                ino->master_length = length;
}

void mfs_inode_sole_writer(struct mfs_inode *ino, bool sole)
{
        ino->sole_writer = sole;
}

void mfs_inode_lost(struct mfs_inode *ino, const struct ri_error *e)
{
        ino->losses++;
        ino->lost_error = *e;
        ino->lost_error.outcome = ROMA_UNKNOWN;
}

unsigned mfs_inode_losses(const struct mfs_inode *ino)
{
        return ino->losses;
}

struct mfs_changes mfs_inode_changes(const struct mfs_inode *ino)
{
        return (struct mfs_changes){ .seen = ino->changes, .gaps = ino->gaps };
}

void mfs_lock_lost(struct mfs_inode *ino)
{
        /* a lock lasts 120 s; the master may still park a request for 30 s after */
        ino->maybe_until = ri_now() + 150000 * MFS_NS_PER_MS;
}

void mfs_lock_waits(struct mfs_inode *ino, struct ri_op *op, uint8_t status)
{
        if ((status == WIRE_STATUS_LOCKED || status == WIRE_STATUS_CHUNKBUSY) && ri_now() < ino->maybe_until)
                ri_op_progress(op);
}

void mfs_inode_forget(struct mfs_inode *ino)
{
        ri_list_for_each(it, &ino->old)
        {
                ri_list_entry(it, struct mfs_place, link)->stale = true;
        }
        ri_map_for_each_safe(n, tmp, &ino->chunks)
        {
                struct mfs_chunk *c = ri_container_of(n, struct mfs_chunk, node);

                mfs_chunk_forget(c);
                mfs_chunk_tidy(c);
        }
}

/* The order of operations */

void mfs_turn_take(struct mfs_inode *ino, struct mfs_turn *t, void (*start)(struct mfs_turn *t))
{
        ri_list_init(&t->link);
        t->start = start;
        if (!ino->gate && ri_list_empty(&ino->turns) && (t->append || !ino->reserving))
                start(t);
        else
                ri_list_add_tail(&ino->turns, &t->link);
}

void mfs_turn_leave(struct mfs_turn *t)
{
        if (t->link.next)
                ri_list_del(&t->link);
}

void mfs_gate_close(struct mfs_inode *ino)
{
        ino->gate = true;
}

static void run_turns(struct mfs_inode *ino)
{
        struct ri_list *it;

        ino->refs++; /* what starts may give the inode back */
        while (!ino->gate && (it = ri_list_first(&ino->turns)) != NULL) {
                struct mfs_turn *t = ri_list_entry(it, struct mfs_turn, link);

                if (ino->reserving && !t->append)
                        break;
                ri_list_del(it);
                t->start(t);
        }
        mfs_inode_put(ino);
}

void mfs_gate_open(struct mfs_inode *ino)
{
        ino->gate = false;
        run_turns(ino);
}

void mfs_reserving_begin(struct mfs_inode *ino)
{
        ino->reserving++;
}

void mfs_reserving_end(struct mfs_inode *ino)
{
        if (--ino->reserving == 0)
                run_turns(ino);
}

/* The length, asked anew */

static void getlen_done(struct mfs_call *c, const struct mfs_reply *r)
{
        struct mfs_getlen *g = ri_container_of(c, struct mfs_getlen, call);
        struct ri_error e = { 0 };

        if (r->error) {
                e = *r->error;
        } else if (r->status != WIRE_STATUS_OK) {
                mfs_status_error(&e, r->status, mfs_session_server(g->ino->data->session),
                                 "asking for the length");
        } else {
                struct wire_msg m = *r->msg;
                struct wire_attr a;

                memset(&a, 0, sizeof a);
                wire_get_attr(&m, &a);
                if (wire_msg_ok(&m))
                        mfs_inode_set_length(g->ino, a.length);
                else
                        ri_error_set(&e, ROMA_EPROTOCOL, mfs_session_server(g->ino->data->session),
                                     "the answer has no attributes");
        }
        g->done(g, e.code ? &e : NULL);
}

void mfs_getlen_start(struct mfs_getlen *g, struct mfs_inode *ino, struct ri_op *op)
{
        struct wire_msg m;
        struct ri_error e = { 0 };

        g->ino = ino;
        g->call.done = getlen_done;
        wire_msg_init(&m, WIRE_CLTOMA_FUSE_GETATTR, WIRE_TO_MASTER);
        wire_set_u(&m, WF_INODE, ino->number);
        wire_set_u(&m, WF_OPENED, 1);
        wire_set_u(&m, WF_UID, mfs_session_uid(ino->data->session));
        wire_set_u(&m, WF_GID, mfs_session_gid(ino->data->session));
        if (op)
                ri_op_waits(op, "the length of the file", mfs_session_server(ino->data->session));
        if (mfs_call_start(ino->data->session, &g->call, &m, MFS_REPLAY, "getattr", op, &e) < 0)
                g->done(g, &e);
}

void mfs_getlen_cancel(struct mfs_getlen *g)
{
        mfs_call_cancel(&g->call);
}

/* Flush: a barrier on each writer */

struct flush {
        struct ri_op *op;
        struct mfs_inode *ino;
        unsigned *told; /* the file's */
        struct mfs_turn turn;
        struct mfs_drain drain;
};

static void flush_free(struct flush *f)
{
        struct mfs_inode *ino = f->ino;

        mfs_turn_leave(&f->turn);
        mfs_drain_cancel(&f->drain);
        free(f);
        mfs_inode_put(ino);
}

static void flush_cancel(struct ri_op *op)
{
        flush_free(op->impl);
}

static void flush_drained(struct mfs_drain *d)
{
        struct flush *f = ri_container_of(d, struct flush, drain);
        struct mfs_inode *ino = f->ino;
        struct ri_op *op = f->op;
        bool lost = *f->told != ino->losses;
        struct ri_error e = ino->lost_error;

        mfs_session_flush_times(ino->data->session);
        *f->told = ino->losses;
        op->impl = NULL;
        flush_free(f);
        if (lost)
                ri_op_fail_error(op, &e);
        else
                ri_op_finish(op);
}

static void flush_turn(struct mfs_turn *t)
{
        struct flush *f = ri_container_of(t, struct flush, turn);

        mfs_drain_start(&f->drain, f->ino, f->op, flush_drained);
}

void mfs_inode_flush(struct ri_op *op, struct mfs_inode *ino, unsigned *told)
{
        struct flush *f = calloc(1, sizeof *f);

        if (!f) {
                ri_op_fail(op, ROMA_ENOMEM, "out of memory");
                return;
        }
        f->op = op;
        f->ino = ino;
        f->told = told;
        ino->refs++;
        op->impl = f;
        op->cancel = flush_cancel;
        mfs_turn_take(ino, &f->turn, flush_turn);
}
