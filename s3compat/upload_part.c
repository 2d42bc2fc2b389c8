/* SPDX-License-Identifier: MIT */
/* A part of an upload: it is held in memory until the server has confirmed it, so that a try that failed can be repeated. */
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
};

static void s3u_free(struct s3u *f)
{
        s3_part_free(f->part);
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
        if (!r->error.code)
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
        if (f->sum == S3_SUM_SIGNED || f->sum == S3_SUM_MD5)
                s3_part_digest(f->part, f->sum == S3_SUM_MD5 ? RI_MD5 : RI_SHA256, NULL, send_part);
        else
                send_part(f->part);
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
        .commit = part_commit,
        .abort = part_abort,
        .drop = part_drop,
};
