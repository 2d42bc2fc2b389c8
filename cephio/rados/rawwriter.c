/* SPDX-License-Identifier: MIT */
/* A put of a plain object is one write operation, so that nobody ever sees half of it. The bytes are collected in it as
 * they come; an OSD takes no more than osd_max_write_size in one. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "cephio/rados/raw.h"
#include "core/writer.h"

#define MOST ((uint64_t)90 << 20)

struct raw_writer {
        struct rad_req *r;
        char *mem; /* an announced size: all of it, for an OSD is faster with one extent than with many */
        bool begun;
        bool whole; /* it came in one piece and is in the operation */
};

static int too_long(struct ri_op *op, uint64_t bytes)
{
        ri_op_fail(op, ROMA_EFBIG,
                   "a plain object of %llu bytes cannot be put in one piece: an OSD takes 90 MiB "
                   "(osd_max_write_size); write it in place, or put it without raw=1, where objects have any "
                   "size",
                   (unsigned long long)bytes);
        return -1;
}

static void rw_free(struct raw_writer *rw)
{
        if (rw) {
                rad_req_free(rw->r);
                free(rw->mem);
        }
        free(rw);
}

static void gone(roma_writer *w)
{
        rw_free(w->impl);
        w->impl = NULL;
        ri_writer_gone(w);
}

static void rw_open(struct ri_op *op, roma_writer *w)
{
        char name[RAD_KEY_MAX + 1];
        struct raw_writer *rw = NULL;

        if (rad_key(op, w->key, name)) {
                if (w->size_hint != ROMA_SIZE_UNKNOWN && w->size_hint > MOST) {
                        too_long(op, w->size_hint);
                } else {
                        rw = calloc(1, sizeof(*rw));
                        if (rw)
                                rw->r = rad_req_new(rad_of(w->store), RAD_WRITE_OP, name, NULL, "put", NULL,
                                                    NULL);
                        if (rw && rw->r) {
                                w->impl = rw;
                                if (w->precondition == ROMA_IF_ABSENT)
                                        rados_write_op_create(rw->r->wop, LIBRADOS_CREATE_EXCLUSIVE, NULL);
                                ri_op_finish(op);
                                return;
                        }
                        rad_op_nomem(op);
                }
        }
        rw_free(rw);
        ri_writer_gone(w);
}

/* The object becomes exactly what is written, whatever was there. */
static void begin(struct raw_writer *rw)
{
        rados_write_op_create(rw->r->wop, LIBRADOS_CREATE_IDEMPOTENT, NULL);
        rados_write_op_truncate(rw->r->wop, 0);
        rw->begun = true;
}

static void rw_write(struct ri_op *op, roma_writer *w, const void *data, size_t len, roma_buf *buf,
                     uint64_t offset)
{
        struct raw_writer *rw = w->impl;

        (void)buf;
        if (len > MOST || offset > MOST - len) {
                too_long(op, offset + len);
                return;
        }
        if (!rw->begun && !rw->mem && !rw->whole && !offset && len == w->size_hint) {
                rados_write_op_write_full(rw->r->wop, data, len); /* which copies it */
                rw->whole = true;
                op->res.bytes = len;
                ri_op_finish(op);
                return;
        }
        if (!rw->begun && !rw->mem && !rw->whole && w->size_hint != ROMA_SIZE_UNKNOWN && w->size_hint)
                rw->mem = malloc(w->size_hint);
        if ((rw->mem || rw->whole) && (offset > w->size_hint || len > w->size_hint - offset)) {
                ri_op_fail(op, ROMA_ESOURCE, "more than the %llu bytes that were announced came",
                           (unsigned long long)w->size_hint);
                return;
        }
        if (rw->mem) {
                memcpy(rw->mem + offset, data, len);
        } else {
                if (!rw->begun)
                        begin(rw);
                rados_write_op_write(rw->r->wop, data, len, offset);
        }
        op->res.bytes = len;
        ri_op_finish(op);
}

static void committed(struct rad_req *r)
{
        roma_writer *w = r->arg;
        struct ri_op *op = r->op;
        roma_attr a;

        if (op && r->rc < 0) {
                op->impl = NULL;
                op->cancel = NULL;
                rad_req_fail(r, op);
        } else if (op) {
                op->impl = NULL;
                op->cancel = NULL;
                rad_raw_attr(&a, w->bytes, rad_now_ns(), r->version);
                ri_op_set_attr(op, &a);
                ri_op_finish(op);
        }
        gone(w);
}

static void commit_cancel(struct ri_op *op)
{
        struct rad_req *r = op->impl;
        roma_writer *w = r->arg;

        rad_req_drop(r);
        gone(w);
}

static void rw_commit(struct ri_op *op, roma_writer *w)
{
        struct raw_writer *rw = w->impl;
        struct rad_req *r = rw->r;

        if (rw->mem) { /* librados copies it; core has seen that all of it has come */
                rados_write_op_write_full(r->wop, rw->mem, w->bytes);
                free(rw->mem);
                rw->mem = NULL;
        } else if (!rw->begun && !rw->whole) {
                begin(rw);
        }
        rw->r = NULL;
        r->op = op;
        r->done = committed;
        r->arg = w;
        r->weight = (size_t)w->bytes;
        op->impl = r;
        op->cancel = commit_cancel;
        op->outcome = ROMA_UNKNOWN;
        op->loop->stats.bytes_out_total += w->bytes;
        rad_req_go(r);
}

static void rw_abort(struct ri_op *op, roma_writer *w, const struct ri_error *why)
{
        if (op && why)
                ri_op_fail_error(op, why);
        else if (op)
                ri_op_finish(op);
        gone(w);
}

static void rw_drop(roma_writer *w)
{
        rw_free(w->impl);
        w->impl = NULL;
}

const struct ri_writer_ops rad_raw_writer = { .takes = MOST,
                                              .open = rw_open,
                                              .write = rw_write,
                                              .commit = rw_commit,
                                              .abort = rw_abort,
                                              .drop = rw_drop };
