/* SPDX-License-Identifier: MIT */
/* Opening an object: by HEAD; or, when a list has just said that it is small, by one GET of just that version, whose bytes are kept
 * until they are read. Of many small objects that is one request for each in place of two. */
#include <stdio.h>
#include <stdlib.h>

#include "s3compat/file.h"
#include "s3compat/sums.h"

enum {
        SMALL = 256 << 10, /* bytes of an object that may come with the answer */
        AHEAD = 4 << 20    /* bytes of all of them that are kept: they are in no loop's budget */
};

struct early {
        struct s3_store *st; /* an open that has failed has no file any more */
        struct s3_request *r;
        roma_file *file;
        struct iovec bytes;
};

static void by_head(struct ri_op *op, roma_file *file);

void s3_body_drop(roma_file *file)
{
        struct s3_file *f = file->impl;

        if (!f || !f->body)
                return;
        s3_of(file->store)->ahead -= f->length;
        free(f->body);
        f->body = NULL;
}

/* The answer's headers make the file; takes r. NULL: op has failed. */
static struct s3_file *file_make(struct ri_op *op, roma_file *file, struct s3_request *r)
{
        struct s3_file *f;
        roma_attr a;
        int given;

        s3_attr_from_reply(&a, &r->reply);
        s3_whole(&file->whole, &r->st->profile, &r->reply);
        given = s3_props_give(op, &r->reply);
        s3_request_free(r);
        if (given < 0)
                return NULL;
        f = calloc(1, sizeof(*f));
        if (!f || !(a.mask & ROMA_ATTR_LENGTH)) {
                free(f);
                if (f)
                        ri_op_fail(op, ROMA_EPROTOCOL, "the server does not say how long the object is");
                else
                        ri_op_fail(op, ROMA_ENOMEM, "no memory for an open object");
                return NULL;
        }
        f->length = a.length;
        if (a.mask & ROMA_ATTR_ETAG)
                snprintf(f->etag, sizeof(f->etag), "\"%s\"", a.etag);
        file->impl = f;
        ri_op_set_attr(op, &a);
        return f;
}

static struct s3_request *request(struct ri_op *op, const char *name, const char *method, roma_file *file,
                                  void (*done)(struct s3_request *r))
{
        struct s3_request *r = s3_op_request(op, name, method, file->key, done);

        if (r && s3_asks_sums(&r->st->profile))
                s3_fields_add(&r->headers, "x-amz-checksum-mode", "ENABLED");
        return r;
}

/* With its bytes */

static void early_free(struct early *y)
{
        if (!y)
                return;
        if (y->bytes.iov_base)
                y->st->ahead -= y->bytes.iov_len;
        free(y->bytes.iov_base);
        free(y);
}

static void early_cancel(struct ri_op *op)
{
        struct early *y = op->impl;

        s3_request_free(y->r);
        early_free(y);
}

/* It is not any more what the list said, or a server does not know If-Match, or does not say how much it sends: HEAD tells what
 * it is now. */
static bool other_now(const struct early *y)
{
        const struct s3_request *r = y->r;

        return r->error.code == ROMA_EPRECONDITION || r->overrun ||
               (!r->error.code && (r->status != 200 || r->got != y->bytes.iov_len ||
                                   !s3_fields_get(&r->reply, "content-length")));
}

static void early_done(struct s3_request *r)
{
        struct early *y = r->arg;
        struct ri_op *op = r->op;
        roma_file *file = y->file;
        struct ri_error e = r->error;
        struct ri_whole whole = { 0 };
        struct s3_file *f;

        op->cancel = NULL;
        op->impl = NULL;
        if (other_now(y)) {
                s3_request_free(r);
                early_free(y);
                by_head(op, file);
                return;
        }
        if (!e.code)
                s3_sum_holds(r, &y->bytes, 1, true, &whole, &e);
        if (e.code) {
                s3_request_free(r);
                early_free(y);
                ri_op_fail_error(op, &e);
                return;
        }
        f = file_make(op, file, r);
        if (f && f->length == y->bytes.iov_len) {
                f->body = y->bytes.iov_base;
                y->bytes.iov_base = NULL;
        }
        early_free(y);
        if (f)
                ri_op_finish(op);
}

/* NULL: no memory, or as much is kept as may be. */
static struct early *early_new(roma_file *file)
{
        struct s3_store *st = s3_of(file->store);
        const uint64_t length = file->known->length;
        struct early *y;

        if (!length || length > SMALL || length > AHEAD - st->ahead)
                return NULL;
        y = calloc(1, sizeof(*y));
        if (!y)
                return NULL;
        y->st = st;
        y->file = file;
        y->bytes = (struct iovec){ malloc((size_t)length), (size_t)length };
        if (!y->bytes.iov_base) {
                free(y);
                return NULL;
        }
        st->ahead += length;
        return y;
}

static void by_get(struct ri_op *op, struct early *y, const char *etag)
{
        struct s3_request *r = request(op, "GetObject", "GET", y->file, early_done);

        if (!r) {
                early_free(y);
                return;
        }
        y->r = r;
        r->arg = y;
        r->into = &y->bytes;
        r->into_n = 1;
        r->into_max = y->bytes.iov_len;
        op->impl = y;
        op->cancel = early_cancel;
        s3_fields_addf(&r->headers, "If-Match", "\"%s\"", etag);
        s3_request_start(r);
}

/* Without */

static void head_done(struct s3_request *r)
{
        roma_file *file = r->arg;
        struct ri_op *op;

        if (r->error.code) {
                s3_op_fail(r);
                return;
        }
        op = s3_op_take(r);
        if (file_make(op, file, r))
                ri_op_finish(op);
}

static void by_head(struct ri_op *op, roma_file *file)
{
        struct s3_request *r = request(op, "HeadObject", "HEAD", file, head_done);

        if (!r)
                return;
        r->arg = file;
        s3_request_start(r);
}

void s3_file_open(struct ri_op *op, roma_file *file, const char *key, unsigned flags, uint32_t mode)
{
        struct early *y;

        (void)flags;
        (void)mode;
        if (!*key) {
                ri_op_fail(op, ROMA_EISDIR, "the bucket is no object");
                return;
        }
        y = file->known ? early_new(file) : NULL;
        if (y)
                by_get(op, y, file->known->etag);
        else
                by_head(op, file);
}
