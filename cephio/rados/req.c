/* SPDX-License-Identifier: MIT */
/* Requests to OSDs: started on the loop, answered on threads of librados, which put them into the store's box.
 *
 * The copies that librados makes of what is written are bounded by the store's own limits; a request above them waits
 * here, where it can be cancelled, and not inside librados, where it would stop the loop. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "cephio/rados/rados.h"

enum { MAX_OPS = 256, MAX_BYTES = 64 << 20 };

/* Between librados' threads and the loop. Lives as long as the store or a request in flight. */
struct rad_box {
        pthread_mutex_t lock;
        pthread_cond_t idle;
        unsigned refs;        /* the store's, one of each request in flight, one of the post */
        struct rad_store *rs; /* loop only; NULL: the store is gone */
        roma_loop *loop;      /* NULL: the same, for the other threads */
        struct rad_req *first, **end;
        unsigned flying;
        bool posted;
        struct ri_post post;
};

static void pump(struct rad_store *rs);

/* Any thread */

static void box_free(struct rad_box *b)
{
        pthread_cond_destroy(&b->idle);
        pthread_mutex_destroy(&b->lock);
        free(b);
}

static void box_unref(struct rad_box *b)
{
        bool last;

        pthread_mutex_lock(&b->lock);
        last = --b->refs == 0;
        pthread_mutex_unlock(&b->lock);
        if (last)
                box_free(b);
}

static void req_clear(struct rad_req *r)
{
        if (r->c)
                rados_aio_release(r->c);
        if (r->xattrs)
                rados_getxattrs_end(r->xattrs);
        if (r->omap)
                rados_omap_get_end(r->omap);
        if (r->wop)
                rados_release_write_op(r->wop);
        if (r->rop)
                rados_release_read_op(r->rop);
        r->c = NULL;
        r->xattrs = NULL;
        r->omap = NULL;
        r->wop = NULL;
        r->rop = NULL;
}

/* Any thread; the buffer is one that the loop does not count any more when this is not the loop. */
static void req_destroy(struct rad_req *r)
{
        req_clear(r);
        roma_buf_unref(r->buf);
        free(r->mem);
        rad_io_unref_later(r->io);
        if (r->box)
                box_unref(r->box);
        free(r->oid);
        free(r);
}

static void box_add(struct rad_box *b, struct rad_req *r)
{
        r->next = NULL;
        *b->end = r;
        b->end = &r->next;
        if (!b->posted) {
                b->posted = true;
                b->refs++;
                ri_loop_post(b->loop, &b->post);
        }
}

/* A thread of librados. */
static void answered(rados_completion_t c, void *arg)
{
        struct rad_req *r = arg;
        struct rad_box *b = r->box;
        bool gone;

        r->rc = rados_aio_get_return_value(c);
        r->version = rados_aio_get_version(c);
        pthread_mutex_lock(&b->lock);
        b->flying--;
        gone = !b->loop;
        if (!gone)
                box_add(b, r);
        pthread_cond_broadcast(&b->idle);
        pthread_mutex_unlock(&b->lock);
        if (gone)
                req_destroy(r);
}

/* The loop */

static void leave(struct rad_req *r)
{
        r->rs->in_flight--;
        r->rs->in_flight_bytes -= r->weight;
        ri_list_del(&r->link);
}

static bool lost(int rc)
{
        return rc == -ESHUTDOWN || rc == -ENOTCONN;
}

void rad_lost(struct rad_store *rs, const struct rad_io *io, int rc)
{
        if (!lost(rc) || !io || io != rs->io)
                return;
        rad_io_dead(rs->io);
        rad_reconnect(rs);
}

/* A read that a blocklisted connection did not do is done on the next one. */
static bool again(struct rad_req *r)
{
        struct rad_store *rs = r->rs;

        if (!r->done || r->retried || r->once || rs->closing || (r->kind == RAD_READ_OP && !r->build))
                return false;
        if (r->kind == RAD_WRITE_OP)
                return false;
        r->retried = true;
        req_clear(r);
        rad_io_unref_later(r->io);
        r->io = NULL;
        if (r->kind == RAD_READ_OP && (!(r->rop = rados_create_read_op()) || r->build(r) < 0))
                return false;
        if (r->op)
                r->op->tries++;
        rs->loop->stats.retries_total++;
        ri_list_insert_before(rs->waiting.next, &r->link); /* ahead of all others */
        return true;
}

static int told(const struct rad_req *r)
{
        if (r->rc >= 0 || (r->rc == -ENOENT && r->may_miss))
                return ROMA_OK;
        return r->rc == -ENOENT ? ROMA_ENOENT : ROMA_ESERVER;
}

static void deliver(struct rad_req *r)
{
        struct rad_store *rs = r->rs;

        leave(r);
        ri_trace(rs->loop, r->op, r->what, r->io ? r->io->where : "", r->begun_ns, r->weight, told(r));
        rad_lost(rs, r->io, r->rc);
        if (lost(r->rc) && again(r))
                return;
        if (r->done)
                r->done(r);
        req_destroy(r);
}

static void box_run(void *arg)
{
        struct rad_box *b = arg;
        struct rad_req *r, *next;

        pthread_mutex_lock(&b->lock);
        r = b->first;
        b->first = NULL;
        b->end = &b->first;
        b->posted = false;
        pthread_mutex_unlock(&b->lock);
        for (; r; r = next) {
                next = r->next;
                if (b->rs)
                        deliver(r);
                else
                        req_destroy(r);
        }
        if (b->rs) {
                pump(b->rs);
                rad_close_step(b->rs);
        }
        box_unref(b);
}

struct rad_box *rad_box_new(struct rad_store *rs)
{
        struct rad_box *b = calloc(1, sizeof(*b));

        if (!b)
                return NULL;
        pthread_mutex_init(&b->lock, NULL);
        pthread_cond_init(&b->idle, NULL);
        b->refs = 1;
        b->rs = rs;
        b->loop = rs->loop;
        b->end = &b->first;
        b->post.fn = box_run;
        b->post.arg = b;
        return b;
}

static void wait_idle(struct rad_box *b, unsigned wait_ms)
{
        struct timespec until;

        clock_gettime(CLOCK_REALTIME, &until);
        until.tv_sec += wait_ms / 1000;
        while (b->flying && pthread_cond_timedwait(&b->idle, &b->lock, &until) == 0)
                ;
}

void rad_box_close(struct rad_box *b, unsigned wait_ms)
{
        struct rad_store *rs = b->rs;
        struct rad_req *r, *next;
        struct ri_list *l;

        while ((l = ri_list_pop(&rs->waiting)))
                req_destroy(ri_container_of(l, struct rad_req, link));
        /* Nothing of the loop is touched from here on. */
        ri_list_for_each_safe(f, tmp, &rs->flying)
        {
                r = ri_container_of(f, struct rad_req, link);
                if (r->buf)
                        ri_buf_orphan(r->buf);
                if (r->c) /* else it was not submitted, and its end is on its way */
                        rados_aio_cancel(r->io->ctx, r->c);
                r->done = NULL;
        }
        pthread_mutex_lock(&b->lock);
        if (wait_ms)
                wait_idle(b, wait_ms);
        b->loop = NULL;
        b->rs = NULL;
        r = b->first;
        b->first = NULL;
        b->end = &b->first;
        pthread_mutex_unlock(&b->lock);
        for (; r; r = next) {
                next = r->next;
                req_destroy(r);
        }
        box_unref(b);
}

/* Starting */

struct rad_req *rad_req_new(struct rad_store *rs, enum rad_kind kind, const char *oid, struct ri_op *op,
                            const char *what, void (*done)(struct rad_req *), void *arg)
{
        struct rad_req *r = calloc(1, sizeof(*r));

        if (!r)
                return NULL;
        r->rs = rs;
        r->kind = kind;
        r->oid = strdup(oid);
        r->op = op;
        r->what = what;
        r->done = done;
        r->arg = arg;
        ri_list_init(&r->link);
        if (kind == RAD_WRITE_OP)
                r->wop = rados_create_write_op();
        if (kind == RAD_READ_OP)
                r->rop = rados_create_read_op();
        if (r->oid && (kind != RAD_WRITE_OP || r->wop) && (kind != RAD_READ_OP || r->rop))
                return r;
        req_destroy(r);
        return NULL;
}

void rad_req_free(struct rad_req *r)
{
        if (r)
                req_destroy(r);
}

static int submit(struct rad_req *r)
{
        rados_ioctx_t ctx = r->io->ctx;

        if (rados_aio_create_completion2(r, answered, &r->c) < 0)
                return -ENOMEM;
        switch (r->kind) {
        case RAD_WRITE_OP: return rados_aio_write_op_operate(r->wop, ctx, r->c, r->oid, NULL, 0);
        case RAD_READ_OP: return rados_aio_read_op_operate(r->rop, ctx, r->c, r->oid, 0);
        case RAD_STAT: return rados_aio_stat(ctx, r->oid, r->c, &r->size, &r->mtime);
        case RAD_READ: break;
        }
        return rados_aio_read(ctx, r->oid, r->c,
                              r->buf ? (char *)r->buf->mem + r->buf->off + r->mem_off : r->mem, r->mem_len,
                              r->offset);
}

static void fly(struct rad_req *r)
{
        struct rad_store *rs = r->rs;
        struct rad_box *b = rs->box;
        int rc;

        ri_list_del(&r->link);
        ri_list_add_tail(&rs->flying, &r->link);
        rs->in_flight++;
        rs->in_flight_bytes += r->weight;
        r->io = rad_io_ref(rs->io);
        ri_trace(rs->loop, r->op, "queue", "", r->queued_ns, r->weight, 0);
        r->queued_ns = 0;
        r->begun_ns = ri_trace_start(rs->loop, r->op, r->what);
        pthread_mutex_lock(&b->lock);
        b->flying++;
        if (!r->box) {
                r->box = b;
                b->refs++;
        }
        pthread_mutex_unlock(&b->lock);
        if (r->fill)
                r->fill(r);
        rc = r->send_by && ri_now() > r->send_by ? -ECANCELED : submit(r);
        if (rc >= 0)
                return;
        r->rc = rc;
        pthread_mutex_lock(&b->lock);
        b->flying--;
        box_add(b, r);
        pthread_mutex_unlock(&b->lock);
}

static bool fits(const struct rad_store *rs, const struct rad_req *r)
{
        if (rs->in_flight == 0)
                return true;
        return rs->in_flight < MAX_OPS && rs->in_flight_bytes <= MAX_BYTES &&
               r->weight <= MAX_BYTES - rs->in_flight_bytes;
}

/* There is no connection, and there will be none for now. */
static void fail_waiting(struct rad_store *rs)
{
        struct ri_list *l;

        /* What they end may be the last thing in a store that closes, which goes on closing behind this. */
        rad_background(rs, 1);
        while ((l = ri_list_pop(&rs->waiting))) {
                struct rad_req *r = ri_container_of(l, struct rad_req, link);

                r->rc = -ENOTCONN;
                if (r->done)
                        r->done(r);
                req_destroy(r);
        }
        rs->broken.code = 0;
        rad_background(rs, -1);
}

static void pump(struct rad_store *rs)
{
        struct ri_list *l;

        if (!rs->io && rs->broken.code && !rs->connecting) {
                fail_waiting(rs);
                return;
        }
        if (!rs->io && !ri_list_empty(&rs->waiting))
                rad_reconnect(rs);
        while (rs->io && (l = ri_list_first(&rs->waiting))) {
                struct rad_req *r = ri_container_of(l, struct rad_req, link);

                if (!fits(rs, r))
                        return;
                fly(r);
        }
}

void rad_req_go(struct rad_req *r)
{
        struct rad_store *rs = r->rs;

        if (r->op)
                ri_op_waits(r->op, "the OSDs", rs->io ? rs->io->where : NULL);
        ri_list_add_tail(&rs->waiting, &r->link);
        if (!rs->io) {
                r->queued_ns = ri_trace_start(rs->loop, r->op, "queue");
                rad_reconnect(rs);
                return;
        }
        pump(rs);
        if (!r->io)
                r->queued_ns = ri_trace_start(rs->loop, r->op, "queue");
}

void rad_pump(struct rad_store *rs)
{
        pump(rs);
}

void rad_req_drop(struct rad_req *r)
{
        r->done = NULL;
        r->op = NULL;
        if (!r->io) {
                ri_list_del(&r->link);
                req_destroy(r);
                return;
        }
        if (r->buf && r->buf->loop)
                ri_buf_orphan(r->buf);
        if (r->kind != RAD_WRITE_OP && r->c)
                rados_aio_cancel(r->io->ctx, r->c);
}

void rad_req_error(struct rad_req *r, struct ri_error *e)
{
        if (r->rc == -ENOTCONN && r->rs->broken.code)
                *e = r->rs->broken;
        else
                rad_error(e, r->rc, r->what, r->oid, r->io ? r->io->where : NULL);
}

void rad_req_fail(struct rad_req *r, struct ri_op *op)
{
        struct ri_error e;

        rad_req_error(r, &e);
        /* Only these leave open whether the OSD has done it. */
        if (r->rc != -ETIMEDOUT && !lost(r->rc))
                op->outcome = ROMA_NOT_DONE;
        ri_op_fail_error(op, &e);
}
