/* SPDX-License-Identifier: MIT */
/* Reading an object that is open: ranges of exactly the version that was opened. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "s3compat/file.h"
#include "s3compat/sign/sign.h"
#include "s3compat/sums.h"

void s3_file_drop(roma_file *file)
{
        s3_body_drop(file);
        free(file->impl);
        file->impl = NULL;
}

void s3_file_close(struct ri_op *op, roma_file *file)
{
        s3_body_drop(file);
        free(file->impl);
        ri_op_finish(op);
}

/* Nothing is ever written to one. */
void s3_file_fsync(struct ri_op *op, roma_file *file)
{
        (void)file;
        ri_op_finish(op);
}

static void file_stat_done(struct s3_request *r)
{
        struct ri_op *op;
        roma_attr a;

        if (r->error.code) {
                s3_op_fail(r);
                return;
        }
        op = s3_op_take(r);
        s3_attr_from_reply(&a, &r->reply);
        s3_request_free(r);
        ri_op_set_attr(op, &a);
        ri_op_finish(op);
}

void s3_file_stat(struct ri_op *op, roma_file *file)
{
        struct s3_request *r = s3_op_request(op, "HeadObject", "HEAD", file->key, file_stat_done);

        if (r)
                s3_request_start(r);
}

/* Reading */

struct reading {
        struct s3_request *r;
        const struct ri_whole *whole; /* of the object, which is open as long as this is read */
        uint64_t offset, want, length;
        int n;
        struct iovec iov[];
};

static void read_cancel(struct ri_op *op)
{
        struct reading *g = op->impl;

        s3_request_free(g->r);
        free(g);
}

/* Is it the range that was asked for, of an object as long as it was? NULL, or what is wrong. */
static const char *check_range(const struct reading *g)
{
        const struct s3_request *r = g->r;
        const char *range = s3_fields_get(&r->reply, "content-range");
        uint64_t first, last, total;

        if (r->status == 200)
                return g->offset == 0 && g->want == g->length
                               ? NULL
                               : "the server sent all where a range was asked for";
        if (r->status != 206 || !range ||
            sscanf(range, "bytes %" SCNu64 "-%" SCNu64 "/%" SCNu64, &first, &last, &total) != 3)
                return "the server does not say which range it sent";
        if (first != g->offset || last != g->offset + g->want - 1)
                return "the server sent another range than it was asked for";
        return total == g->length ? NULL : "the object has another length now";
}

/* A server may tell a checksum of the range that it sends: AWS does where that is a part. Others would tell that of the whole object,
 * which says nothing of a range. */
bool s3_sum_holds(const struct s3_request *r, const struct iovec *iov, int n, bool all,
                  const struct ri_whole *whole, struct ri_error *e)
{
        char text[RI_DIGEST_HEX_MAX];
        enum s3_checksum kind;
        uint64_t told, sum = 0;
        size_t bytes = 0;

        if (r->st->profile.verify == S3_VERIFY_NO || !s3_body_sum(&r->reply, &kind, &told))
                return true;
        snprintf(text, sizeof(text), "%0*" PRIx64, (int)(2 * s3_sum(kind)->size), told);
        if (!all && strcmp(text, whole->want) == 0)
                return true;
        for (int i = 0; i < n; i++) {
                sum = s3_sum_add(kind, sum, iov[i].iov_base, iov[i].iov_len);
                bytes += iov[i].iov_len;
        }
        if (sum == told)
                return true;
        ri_error_set(e, ROMA_ECORRUPT, r->server,
                     "%zu bytes came that have %s %0*" PRIx64 ", and %s as the server says: read them again",
                     bytes, s3_sum(kind)->algorithm, (int)(2 * s3_sum(kind)->size), sum, text);
        return false;
}

static void read_done(struct s3_request *r)
{
        struct reading *g = r->arg;
        struct ri_op *op = r->op;
        struct ri_error e = r->error;
        const char *wrong;

        op->cancel = NULL;
        if (e.code == ROMA_EPRECONDITION || e.code == ROMA_ENOENT) {
                e.code = ROMA_ESOURCE;
                snprintf(e.text, sizeof(e.text), "%s",
                         r->status == 412 ? "it was replaced while it was read: read it again"
                                          : "it was removed while it was read");
        } else if (!e.code && (wrong = check_range(g))) {
                ri_error_set(&e, ROMA_EPROTOCOL, r->server, "%s", wrong);
        } else if (!e.code && r->got != g->want) {
                ri_error_set(&e, ROMA_ECORRUPT, r->server, "%zu bytes came where %" PRIu64 " were promised",
                             r->got, g->want);
        }
        if (!e.code)
                s3_sum_holds(r, g->iov, g->n, g->want == g->length, g->whole, &e);
        op->res.bytes = e.code ? 0 : g->want;
        s3_request_free(r);
        free(g);
        if (e.code)
                ri_op_fail_error(op, &e);
        else
                ri_op_finish(op);
}

/* The part of iov that the object fills. */
static struct reading *reading_new(const struct iovec *iov, int n, uint64_t offset, uint64_t length)
{
        struct reading *g = calloc(1, sizeof(*g) + (size_t)n * sizeof(*iov));
        uint64_t left = offset < length ? length - offset : 0;

        if (!g)
                return NULL;
        g->offset = offset;
        g->length = length;
        for (int i = 0; i < n && left; i++) {
                size_t take = iov[i].iov_len < left ? iov[i].iov_len : (size_t)left;

                if (!take)
                        continue;
                g->iov[g->n++] = (struct iovec){ iov[i].iov_base, take };
                g->want += take;
                left -= take;
        }
        return g;
}

/* From what came when it was opened; whoever has its last byte has had all. */
static void take_body(struct ri_op *op, roma_file *file, const struct reading *g)
{
        const struct s3_file *f = file->impl;
        const char *p = f->body + g->offset;

        for (int i = 0; i < g->n; i++) {
                memcpy(g->iov[i].iov_base, p, g->iov[i].iov_len);
                p += g->iov[i].iov_len;
        }
        op->res.bytes = g->want;
        if (g->offset + g->want == g->length)
                s3_body_drop(file);
}

void s3_file_preadv(struct ri_op *op, roma_file *file, const struct iovec *iov, int n, uint64_t offset)
{
        struct s3_file *f = file->impl;
        struct reading *g = reading_new(iov, n, offset, f->length);
        struct s3_request *r;

        if (!g) {
                ri_op_fail(op, ROMA_ENOMEM, "no memory for a request");
                return;
        }
        if (g->want && f->body)
                take_body(op, file, g);
        if (!g->want || op->res.bytes) {
                free(g);
                ri_op_finish(op);
                return;
        }
        r = s3_op_request(op, "GetObject", "GET", file->key, read_done);
        if (!r) {
                free(g);
                return;
        }
        g->r = r;
        g->whole = &file->whole;
        r->arg = g;
        r->into = g->iov;
        r->into_n = g->n;
        r->into_max = (size_t)g->want;
        op->impl = g;
        op->cancel = read_cancel;
        s3_fields_addf(&r->headers, "Range", "bytes=%" PRIu64 "-%" PRIu64, offset, offset + g->want - 1);
        if (*f->etag)
                s3_fields_add(&r->headers, "If-Match", f->etag);
        if (s3_asks_sums(&r->st->profile))
                s3_fields_add(&r->headers, "x-amz-checksum-mode", "ENABLED");
        s3_request_start(r);
}
