/* SPDX-License-Identifier: MIT */
/* A part of an upload. What is written is held in memory until the server has confirmed it, so that a try that failed can be
 * repeated. What is drawn from a local file is read for its checksums and, at the commit, read again as it is sent: no part is
 * there before the source has been found unchanged, and one that reads otherwise then is not sent to its end. */
#include <stdlib.h>
#include <string.h>

#include "core/writer.h"
#include "s3compat/part.h"

struct s3u {
        roma_writer *w;
        struct s3_store *st;
        struct s3_part *part;
        struct ri_op *op; /* the commit */
        enum s3_checksum sum;
        struct ri_op *drawing; /* the draw */
        struct ri_draw *draw;  /* of it */
        char *name;            /* of what is drawn */
};

static void s3u_free(struct s3u *f)
{
        s3_part_free(f->part);
        free(f->name);
        free(f);
}

static void gone(struct s3u *f)
{
        roma_writer *w = f->w;

        w->impl = NULL;
        s3u_free(f);
        ri_writer_gone(w);
}

static struct ri_op *let_go(struct s3u *f)
{
        struct ri_op *op = f->op;

        f->op = NULL;
        if (op) {
                op->cancel = NULL;
                op->impl = NULL;
        }
        return op;
}

static void part_open(struct ri_op *op, roma_writer *w)
{
        struct s3_store *st = s3_of(w->store);
        bool known = w->size_hint != ROMA_SIZE_UNKNOWN;
        struct s3u *f;

        if (known && w->size_hint > S3_PART_MOST) {
                ri_writer_gone(w);
                ri_op_fail(op, ROMA_EFBIG, "a part is held in memory until the server has it: 1 GiB at most");
                return;
        }
        f = calloc(1, sizeof(*f));
        if (f) {
                f->w = w;
                f->st = st;
                f->part = s3_part_new(st, f, w->part,
                                      known && w->size_hint ? w->size_hint
                                      : known               ? 1
                                                            : S3_PART_MOST);
                /* Which checksum the upload was begun with is not known to us any more: MD5 goes with any. */
                f->sum = s3_sum(st->profile.checksum) ? S3_SUM_MD5 : st->profile.checksum;
        }
        if (!f || !f->part) {
                free(f);
                ri_writer_gone(w);
                ri_op_fail(op, ROMA_ENOMEM, "no memory for a part");
                return;
        }
        w->impl = f;
        ri_op_finish(op);
}

static void part_write(struct ri_op *op, roma_writer *w, const void *data, size_t len, roma_buf *buf,
                       uint64_t offset)
{
        struct s3u *f = w->impl;

        if (len > f->part->capacity - offset) {
                ri_op_fail(op, w->size_hint == ROMA_SIZE_UNKNOWN ? ROMA_EFBIG : ROMA_ESOURCE,
                           w->size_hint == ROMA_SIZE_UNKNOWN
                                   ? "a part is held in memory until the server has it: 1 GiB at most"
                                   : "more bytes come than were promised");
        } else if (s3_part_take(f->part, data, len, buf, false, &op->res.crc32) < 0) {
                ri_op_fail(op, ROMA_ENOMEM, "no memory for a part");
        } else {
                op->res.bytes = len;
                op->res.has_crc32 = 1;
                ri_op_finish(op);
        }
}

static void fail(struct s3u *f, const struct ri_error *e)
{
        struct ri_op *op = let_go(f);
        struct ri_error copy = *e;

        gone(f);
        ri_op_fail_error(op, &copy);
}

static void sent(struct s3_request *r)
{
        struct s3_part *p = r->arg;
        struct s3u *f = p->owner;
        const char *etag = s3_fields_get(&r->reply, "etag");
        roma_attr a = { .size = sizeof(a), .mask = ROMA_ATTR_LENGTH, .length = p->length };
        struct ri_op *op;

        if (!r->error.code && !etag)
                ri_error_set(&r->error, ROMA_EPROTOCOL, r->server, "UploadPart: the server gave no ETag");
        if (!r->error.code && s3_part_was_sent(p, r))
                s3_part_confirmed(p, r, f->sum);
        if (r->error.code) {
                fail(f, &r->error);
                return;
        }
        s3_etag(&a, etag);
        op = let_go(f);
        gone(f);
        ri_op_set_attr(op, &a);
        ri_op_finish(op);
}

/* The checksum that goes into the head of the request; -1: none that has to be digested. */
static int digest_kind(const struct s3u *f)
{
        return f->sum == S3_SUM_MD5 ? RI_MD5 : f->sum == S3_SUM_SIGNED ? RI_SHA256 : -1;
}

static void send_part(struct s3_part *p)
{
        struct s3u *f = p->owner;
        struct s3_request *r;
        struct ri_error e;

        if (p->digest_error[0]) {
                ri_error_set(&e, ROMA_ESYSTEM, NULL, "%s", p->digest_error);
                fail(f, &e);
                return;
        }
        r = s3_request_new(f->st, f->op, "UploadPart", "PUT", f->w->key);
        if (!r) {
                ri_error_set(&e, ROMA_ENOMEM, NULL, "no memory for a request");
                fail(f, &e);
                return;
        }
        p->r = r;
        r->arg = p;
        r->done = sent;
        r->drawn = p->source ? p : NULL;
        r->body = p->span;
        r->spans = p->spans;
        r->length = p->length;
        r->has_body = true;
        r->changes = true;
        s3_fields_addf(&r->query, "partNumber", "%u", p->number);
        s3_fields_add(&r->query, "uploadId", f->w->upload);
        s3_part_protect(p, r, f->sum);
        r->safe = true; /* the same bytes once more */
        s3_request_start(r);
}

static void commit_cancel(struct ri_op *op)
{
        struct s3u *f = op->impl;

        f->op = NULL;
        gone(f);
}

static void part_commit(struct ri_op *op, roma_writer *w)
{
        struct s3u *f = w->impl;

        f->op = op;
        op->impl = f;
        op->cancel = commit_cancel;
        ri_op_waits(op, "the part to be confirmed", f->st->profile.host);
        if (digest_kind(f) >= 0 && !f->part->source)
                s3_part_digest(f->part, digest_kind(f), NULL, send_part);
        else
                send_part(f->part);
}

/* Drawing */

static bool part_draws(const roma_writer *w)
{
        return w->size_hint != ROMA_SIZE_UNKNOWN && w->size_hint;
}

static struct ri_op *end_draw(struct s3u *f)
{
        struct ri_op *op = f->drawing;

        f->drawing = NULL;
        f->draw = NULL;
        op->cancel = NULL;
        op->impl = NULL;
        return op;
}

/* Whoever waited for it is gone; the part can only be aborted now. */
static void draw_cancel(struct ri_op *op)
{
        struct s3u *f = op->impl;

        end_draw(f);
        s3_part_free(f->part);
        f->part = NULL;
}

static void draw_moved(struct s3_part *p)
{
        struct s3u *f = p->owner;

        s3_progress(f->drawing);
        f->draw->moved(f->draw, p->looked - p->seen);
        p->seen = p->looked;
}

static void draw_done(struct s3_part *p)
{
        struct s3u *f = p->owner;
        struct ri_error e = { 0 };
        struct ri_op *op;

        if (p->broken)
                s3_part_broken(p, p->read_err, &e);
        else if (p->digest_error[0])
                ri_error_set(&e, ROMA_ESYSTEM, NULL, "%s", p->digest_error);
        else
                draw_moved(p);
        if (p->broken)
                f->draw->failed = e;
        p->seen = 0;
        op = end_draw(f);
        if (e.code) {
                ri_op_fail_error(op, &e);
                return;
        }
        op->res.bytes = p->length;
        op->res.crc32 = p->crc32;
        op->res.has_crc32 = 1;
        ri_op_finish(op);
}

static void part_draw(struct ri_op *op, roma_writer *w, struct ri_draw *d)
{
        struct s3u *f = w->impl;
        struct s3_part *p = NULL;

        if (d->length > f->part->capacity) {
                ri_op_fail(op, ROMA_ESOURCE, "more bytes come than were promised");
                return;
        }
        f->name = strdup(d->name);
        if (f->name)
                p = s3_part_drawn(f->st, f, w->part, d->source, d->offset, d->length);
        if (!p) {
                ri_op_fail(op, ROMA_ENOMEM, "no memory for a part");
                return;
        }
        p->name = f->name;
        s3_part_free(f->part);
        f->part = p;
        f->drawing = op;
        f->draw = d;
        op->impl = f;
        op->cancel = draw_cancel;
        ri_op_waits(op, "the source", NULL);
        s3_part_digest(p, digest_kind(f), draw_moved, draw_done);
}

static void part_abort(struct ri_op *op, roma_writer *w, const struct ri_error *why)
{
        gone(w->impl);
        if (op && why)
                ri_op_fail_error(op, why);
        else if (op)
                ri_op_finish(op);
}

static void part_drop(roma_writer *w)
{
        struct s3u *f = w->impl;

        let_go(f);
        s3u_free(f);
}

const struct ri_writer_ops s3_part_writer = {
        .open = part_open,
        .write = part_write,
        .draws = part_draws,
        .draw = part_draw,
        .commit = part_commit,
        .abort = part_abort,
        .drop = part_drop,
};
