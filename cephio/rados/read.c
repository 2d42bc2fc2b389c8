/* SPDX-License-Identifier: MIT */
/* Reading a range: cut where one object of the pool ends and the next begins, several requests in flight. A request to
 * an OSD cannot be revoked, so it goes to a buffer of the loop: the caller's own when it is one (nothing is copied), else
 * one from the budget, from which it is copied on the loop. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "cephio/rados/rados.h"
#include "core/buf.h"

enum { PART = 1 << 20, PARTS = 8, SMALL = 65536 };

struct read;

struct part {
        struct read *rd;
        struct rad_req *r;
        roma_buf *buf; /* counted; NULL: the caller's */
        struct ri_buf_wait wait;
        struct rad_span span;
        uint64_t pos; /* of the range */
        bool busy, waits;
};

struct read {
        struct ri_op *op;
        struct rad_store *rs;
        rad_locate *locate;
        rad_missing *missing;
        void *arg;
        struct iovec *iov;
        int n;
        roma_buf *into; /* NULL: iov */
        uint64_t at, len;
        uint64_t next; /* start of the next part */
        uint64_t end;  /* less than len when the object turned out to end there */
        unsigned busy;
        struct part part[PARTS];
};

static void part_stop(struct part *p)
{
        if (p->waits)
                ri_buf_cancel(&p->wait);
        if (p->r)
                rad_req_drop(p->r);
        roma_buf_unref(p->buf);
        p->waits = p->busy = false;
        p->r = NULL;
        p->buf = NULL;
}

static void read_free(struct read *rd)
{
        for (int i = 0; i < PARTS; i++)
                part_stop(&rd->part[i]);
        roma_buf_unref(rd->into);
        free(rd->iov);
        free(rd);
}

static struct ri_op *detach(struct read *rd)
{
        struct ri_op *op = rd->op;

        op->impl = NULL;
        op->cancel = NULL;
        return op;
}

static void read_cancel(struct ri_op *op)
{
        read_free(op->impl);
}

static void finish(struct read *rd)
{
        struct ri_op *op = detach(rd);

        op->res.bytes = rd->end;
        op->loop->stats.bytes_in_total += rd->end;
        if (rd->into)
                rd->into->len = rd->end;
        read_free(rd);
        ri_op_finish(op);
}

static void copy_out(struct read *rd, uint64_t pos, const char *from, size_t n)
{
        uint64_t skip = pos;

        for (int i = 0; i < rd->n && n; i++) {
                size_t room = rd->iov[i].iov_len, take;

                if (skip >= room) {
                        skip -= room;
                        continue;
                }
                take = room - (size_t)skip < n ? room - (size_t)skip : n;
                memcpy((char *)rd->iov[i].iov_base + skip, from, take);
                from += take;
                n -= take;
                skip = 0;
        }
}

static void next(struct read *rd);

static void part_done(struct rad_req *r)
{
        struct part *p = r->arg;
        struct read *rd = p->rd;
        size_t got = r->rc > 0 ? (size_t)r->rc : 0;

        p->r = NULL;
        if (r->rc < 0 || (got < p->span.len && !p->span.last)) {
                struct ri_op *op = detach(rd);
                rad_missing *missing = rd->missing;
                void *arg = rd->arg;

                if (r->rc < 0 && r->rc != -ENOENT)
                        rad_req_fail(r, op);
                else
                        missing(arg, op, p->span.oid, r->rc, got, p->span.len);
                read_free(rd);
                return;
        }
        if (p->buf)
                copy_out(rd, p->pos, (const char *)p->buf->mem + p->buf->off, got);
        if (got < p->span.len && p->pos + got < rd->end)
                rd->end = p->pos + got;
        ri_op_progress(rd->op);
        part_stop(p);
        rd->busy--;
        next(rd);
}

/* false: no memory, and all is over. */
static bool part_go(struct part *p)
{
        struct read *rd = p->rd;
        struct rad_req *r = rad_req_new(rd->rs, RAD_READ, p->span.oid, rd->op, "read", part_done, p);
        struct ri_op *op;

        if (!r) {
                op = detach(rd);
                read_free(rd);
                ri_op_fail(op, ROMA_ENOMEM, "no memory for the request");
                return false;
        }
        r->buf = roma_buf_ref(p->buf ? p->buf : rd->into);
        r->mem_off = p->buf ? 0 : (size_t)p->pos;
        r->mem_len = p->span.len;
        r->offset = p->span.offset;
        r->weight = p->span.len;
        p->r = r;
        rad_req_go(r);
        return true;
}

static void buf_ready(struct ri_buf_wait *w, roma_buf *buf)
{
        struct part *p = ri_container_of(w, struct part, wait);
        struct read *rd = p->rd;
        struct ri_op *op;

        p->waits = false;
        p->buf = buf;
        if (buf) {
                part_go(p);
                return;
        }
        op = detach(rd);
        read_free(rd);
        ri_op_fail(op, ROMA_ENOMEM, "no memory for a buffer");
}

static bool part_start(struct read *rd, struct part *p)
{
        uint64_t want = rd->len - rd->next;

        p->rd = rd;
        p->pos = rd->next;
        rd->locate(rd->arg, rd->at + rd->next, want < PART ? want : PART, &p->span);
        rd->next += p->span.len;
        rd->busy++;
        p->busy = true;
        if (rd->into)
                return part_go(p);
        p->waits = true;
        p->wait.ready = buf_ready;
        ri_buf_get(rd->rs->loop, &p->wait, p->span.len, p->span.len > SMALL);
        return true;
}

static void next(struct read *rd)
{
        for (int i = 0; i < PARTS && rd->next < rd->len && rd->end == rd->len; i++)
                if (!rd->part[i].busy && !part_start(rd, &rd->part[i]))
                        return;
        if (!rd->busy)
                finish(rd);
}

static struct read *read_new(struct ri_op *op, struct rad_store *rs, uint64_t at, uint64_t len,
                             rad_locate *locate, rad_missing *missing, void *arg)
{
        struct read *rd = calloc(1, sizeof(*rd));

        if (!rd)
                return NULL;
        rd->op = op;
        rd->rs = rs;
        rd->at = at;
        rd->len = rd->end = len;
        rd->locate = locate;
        rd->missing = missing;
        rd->arg = arg;
        op->impl = rd;
        op->cancel = read_cancel;
        return rd;
}

void rad_read_iov(struct ri_op *op, struct rad_store *rs, const struct iovec *iov, int n, uint64_t at,
                  uint64_t len, rad_locate *locate, rad_missing *missing, void *arg)
{
        struct read *rd = read_new(op, rs, at, len, locate, missing, arg);

        if (rd)
                rd->iov = calloc((size_t)n + 1, sizeof(*iov));
        if (!rd || !rd->iov) {
                op->impl = NULL;
                op->cancel = NULL;
                free(rd);
                ri_op_fail(op, ROMA_ENOMEM, "no memory for the request");
                return;
        }
        if (n)
                memcpy(rd->iov, iov, (size_t)n * sizeof(*iov));
        rd->n = n;
        next(rd);
}

void rad_read_buf(struct ri_op *op, struct rad_store *rs, roma_buf *buf, uint64_t at, uint64_t len,
                  rad_locate *locate, rad_missing *missing, void *arg)
{
        struct read *rd = read_new(op, rs, at, len, locate, missing, arg);

        if (!rd) {
                ri_op_fail(op, ROMA_ENOMEM, "no memory for the request");
                return;
        }
        rd->into = roma_buf_ref(buf);
        next(rd);
}
