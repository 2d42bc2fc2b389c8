/* SPDX-License-Identifier: MIT */
/* TRUNCATE: to set the length, and to reserve room at the end for an append. Both let the writes before them end. */
#include "mfsproto/chunk/inner.h"

#include <stdlib.h>
#include <string.h>

struct trunc {
        struct ri_list link; /* data->truncs, when op is NULL */
        struct ri_op *op;    /* NULL: it has ended, and the master may still carry out what was sent */
        struct mfs_inode *ino;
        struct mfs_turn turn;
        struct mfs_drain drain;
        struct mfs_call call;
        struct mfs_getlen getlen;
        struct ri_timer timer;
        bool gate;      /* ours is closed */
        bool reserving; /* ours is counted */
        bool maybe;     /* the answer to an earlier try was lost: it may have been executed */
        unsigned tries;
        uint64_t length;
        struct iovec *iov; /* append */
        int n;
};

static void trunc_free(struct trunc *t)
{
        struct mfs_inode *ino = t->ino;

        ri_list_del(&t->link);
        mfs_turn_leave(&t->turn);
        mfs_drain_cancel(&t->drain);
        mfs_call_cancel(&t->call);
        mfs_getlen_cancel(&t->getlen);
        ri_timer_stop(&t->timer);
        free(t->iov);
        if (t->gate)
                mfs_gate_open(ino);
        if (t->reserving)
                mfs_reserving_end(ino);
        free(t);
        mfs_inode_put(ino);
}

/* A master lets a TRUNCATE wait for up to 30 s while somebody else holds a chunk, and no word of ours takes it back. What
 * was written behind it would be cut off, so nothing is until it is answered or its connection has ended. */
static void trunc_cancel(struct ri_op *op)
{
        struct trunc *t = op->impl;

        if (!t->gate || !t->call.session || !t->call.sent) {
                trunc_free(t);
                return;
        }
        t->op = t->call.op = NULL;
        t->ino->changes++;
        ri_list_add_tail(&t->ino->data->truncs, &t->link);
}

static void looked_for_nobody(struct mfs_getlen *g, const struct ri_error *e)
{
        struct trunc *t = ri_container_of(g, struct trunc, getlen);

        (void)e; /* who writes next is told the length with the lock */
        t->ino->changes++;
        mfs_inode_forget(t->ino);
        trunc_free(t);
}

/* Its operation had ended before. */
static void answered_to_nobody(struct trunc *t, const struct mfs_reply *r)
{
        struct mfs_inode *ino = t->ino;
        struct wire_attr a = { 0 };

        if (r->error) { /* done or not: the length says it */
                t->getlen.done = looked_for_nobody;
                mfs_getlen_start(&t->getlen, ino, NULL);
                return;
        }
        if (r->status == WIRE_STATUS_OK) {
                struct wire_msg m = *r->msg;

                wire_get_attr(&m, &a);
                if (wire_msg_ok(&m))
                        mfs_inode_set_length(ino, a.length);
        }
        ino->changes++;
        mfs_inode_forget(ino);
        trunc_free(t);
}

void mfs_truncs_drop(struct mfs_data *d)
{
        while (!ri_list_empty(&d->truncs))
                trunc_free(ri_list_entry(ri_list_first(&d->truncs), struct trunc, link));
}

static void trunc_fail(struct trunc *t, const struct ri_error *e)
{
        struct ri_op *op = t->op;
        struct ri_error copy = *e;

        op->impl = NULL;
        trunc_free(t);
        ri_op_fail_error(op, &copy);
}

static void ask(struct trunc *t);

static void again(struct ri_timer *timer)
{
        ask(ri_container_of(timer, struct trunc, timer));
}

static void retry(struct trunc *t, uint32_t ms, const struct ri_error *e)
{
        if (mfs_op_patience(t->op) <= ms + 100) {
                trunc_fail(t, e);
                return;
        }
        t->timer.fire = again;
        ri_timer_start(t->op->loop, &t->timer, ms);
}

/* The length is set. Places may have changed: the master makes a new version of the chunk that it cuts. */
static void set_done(struct trunc *t, uint64_t length)
{
        struct mfs_inode *ino = t->ino;
        struct ri_op *op = t->op;

        mfs_inode_set_length(ino, length);
        mfs_inode_forget(ino);
        ino->changes++;
        op->impl = NULL;
        ino->refs++;
        trunc_free(t);
        mfs_op_finish(ino, op);
        mfs_inode_put(ino);
}

/* The room is reserved: the rest is a write. */
static void reserved(struct trunc *t, uint64_t at)
{
        struct mfs_inode *ino = t->ino;
        struct ri_op *op = t->op;
        struct iovec *iov = t->iov;
        int n = t->n;
        size_t len = (size_t)t->length;

        t->iov = NULL;
        op->impl = NULL;
        op->res.offset = at;
        ino->refs++; /* the outcome stays unknown: others append behind our room now, whatever becomes of us */
        mfs_wop_run(op, ino, iov, n, NULL, len, at, true);
        trunc_free(t);
        mfs_inode_put(ino);
}

/* The answer is lost: an own truncate shows in the length. */
static void looked(struct mfs_getlen *g, const struct ri_error *e)
{
        struct trunc *t = ri_container_of(g, struct trunc, getlen);

        if (!e && t->ino->master_length == t->length)
                set_done(t, t->length);
        else if (e)
                trunc_fail(t, e);
        else
                retry(t, 300,
                      &(struct ri_error){ .code = ROMA_ECLOSED,
                                          .text = "the connection to the master was lost" });
}

static void answered(struct mfs_call *c, const struct mfs_reply *r)
{
        struct trunc *t = ri_container_of(c, struct trunc, call);
        const char *server = mfs_session_server(t->ino->data->session);
        struct ri_error e = { 0 };
        struct wire_msg m;
        struct wire_attr a;

        if (!t->op) {
                answered_to_nobody(t, r);
                return;
        }
        if (r->error && r->error->outcome == ROMA_UNKNOWN && !t->iov) {
                t->maybe = true;
                t->getlen.done = looked;
                mfs_getlen_start(&t->getlen, t->ino, t->op);
                return;
        }
        if (r->error) {
                e = *r->error;
                if (t->iov && e.outcome != ROMA_UNKNOWN)
                        t->op->outcome = ROMA_NOT_DONE;
                trunc_fail(t, &e);
                return;
        }
        if (r->status != WIRE_STATUS_OK) {
                uint32_t ms = mfs_status_delay(r->status, ++t->tries);

                mfs_status_error(&e, r->status, server,
                                 t->iov ? "reserving room at the end" : "setting the length");
                t->op->outcome = t->maybe ? ROMA_UNKNOWN : ROMA_NOT_DONE;
                mfs_lock_waits(t->ino, t->op, r->status);
                if (ms)
                        retry(t, ms, &e);
                else
                        trunc_fail(t, &e);
                return;
        }
        m = *r->msg;
        memset(&a, 0, sizeof a);
        wire_get_attr(&m, &a);
        if (!wire_msg_ok(&m) || (t->iov && !wire_has(&m, WF_PREVLENGTH))) {
                ri_error_set(&e, t->iov ? ROMA_ENOTSUP : ROMA_EPROTOCOL, server,
                             t->iov ? "the master %s cannot reserve room for an append (3.0.113 can)"
                                    : "%s sent no attributes",
                             server);
                trunc_fail(t, &e);
        } else if (t->iov) {
                reserved(t, wire_get_u(&m, WF_PREVLENGTH));
        } else {
                set_done(t, a.length);
        }
}

static void ask(struct trunc *t)
{
        struct mfs_session *s = t->ino->data->session;
        struct ri_error e = { 0 };
        struct wire_msg m;
        unsigned flags = WIRE_TRUNCATE_OPENED;

        if (t->iov)
                flags |= WIRE_TRUNCATE_UPDATE | WIRE_TRUNCATE_RESERVE;
        wire_msg_init(&m, WIRE_CLTOMA_FUSE_TRUNCATE, WIRE_TO_MASTER);
        wire_set_u(&m, WF_INODE, t->ino->number);
        wire_set_u(&m, WF_FLAGS, flags);
        mfs_session_set_ug(s, &m);
        wire_set_u(&m, WF_LENGTH, t->length);
        t->call.done = answered;
        ri_op_waits(t->op, t->iov ? "room at the end" : "the new length", mfs_session_server(s));
        if (mfs_call_start(s, &t->call, &m, 0, t->iov ? "reserve" : "truncate", t->op, &e) < 0) {
                trunc_fail(t, &e);
                return;
        }
        /* A reservation stays, too: a second append goes behind it, and the gap reads as zeros from then on. */
        t->op->outcome = ROMA_UNKNOWN;
}

static void drained(struct mfs_drain *d)
{
        ask(ri_container_of(d, struct trunc, drain));
}

static void turn(struct mfs_turn *turn)
{
        struct trunc *t = ri_container_of(turn, struct trunc, turn);

        if (t->iov) {
                mfs_reserving_begin(t->ino);
                t->reserving = true;
        } else {
                mfs_gate_close(t->ino);
                t->gate = true;
        }
        mfs_drain_start(&t->drain, t->ino, t->op, drained);
}

static void begin(struct ri_op *op, struct mfs_inode *ino, struct iovec *iov, int n, uint64_t length)
{
        struct trunc *t = calloc(1, sizeof *t);

        if (!t) {
                free(iov);
                ri_op_fail(op, ROMA_ENOMEM, "out of memory");
                return;
        }
        ri_list_init(&t->link);
        t->op = op;
        t->ino = ino;
        t->iov = iov;
        t->n = n;
        t->length = length;
        t->turn.append = iov != NULL;
        ino->refs++;
        op->impl = t;
        op->cancel = trunc_cancel;
        mfs_turn_take(ino, &t->turn, turn);
}

void mfs_inode_truncate(struct ri_op *op, struct mfs_inode *ino, uint64_t length)
{
        begin(op, ino, NULL, 0, length);
}

/* An older master knows one flag only, and would cut the file to the length of what is to be appended. */
static bool can_reserve(const struct mfs_session *s)
{
        return mfs_session_at_least(s, WIRE_VER(4, 22, 0)) ||
               (mfs_session_at_least(s, WIRE_VER(3, 0, 113)) && !mfs_session_at_least(s, WIRE_VER(4, 0, 0)));
}

void mfs_inode_append(struct ri_op *op, struct mfs_inode *ino, const struct iovec *iov, int n)
{
        size_t len;
        struct iovec *copy;

        if (!can_reserve(ino->data->session)) {
                ri_op_fail(op, ROMA_ENOTSUP,
                           "the master %s cannot reserve room for an append (3.0.113 and 4.22 can)",
                           mfs_session_server(ino->data->session));
                return;
        }
        copy = mfs_iov_copy(op, iov, n, &len);
        if (!copy)
                return;
        if (len == 0) {
                free(copy);
                op->res.offset = mfs_inode_length(ino);
                ri_op_finish(op);
                return;
        }
        begin(op, ino, copy, n, len);
}
