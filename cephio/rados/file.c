/* SPDX-License-Identifier: MIT */
/* Objects opened for reading. What the head said when it was opened is what the file means: the pieces of a generation
 * never change, so nobody ever reads a mix of two contents. */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cephio/rados/raw.h"
#include "core/buf.h"
#include "core/crc.h"

struct rad_file {
        struct rad_store *rs;
        struct rad_head head;
        roma_attr attr;
        char *data; /* the whole object, when it is in its head */
        struct rad_segment *seg;
        uint64_t *start; /* of each segment */
        size_t n_seg;
        char key[RAD_KEY_MAX + 1];
};

static void file_free(struct rad_file *f)
{
        if (!f)
                return;
        free(f->data);
        free(f->seg);
        free(f->start);
        free(f);
}

/* Opening */

struct opening {
        struct ri_op *op;
        roma_file *file;
        struct rad_file *f;
        struct rad_req *r;
};

static struct ri_op *opening_end(struct opening *o)
{
        struct ri_op *op = o->op;

        op->impl = NULL;
        op->cancel = NULL;
        file_free(o->f);
        free(o);
        return op;
}

static void opening_cancel(struct ri_op *op)
{
        struct opening *o = op->impl;

        rad_req_drop(o->r);
        opening_end(o);
}

/* NULL, or what is wrong. */
static const char *take(struct rad_file *f, struct rad_seen *s)
{
        const char *why = "";
        uint64_t at = 0;

        f->head = s->head;
        rad_head_attr(&f->head, &f->attr);
        if (!(s->head.flags & RAD_HEAD_SEGMENTS)) {
                f->data = s->data;
                s->data = NULL;
                return NULL;
        }
        if (rad_segments_decode(s->data, s->data_len, s->head.size, &f->seg, &f->n_seg, &why) < 0)
                return why;
        f->start = calloc(f->n_seg, sizeof(*f->start));
        if (!f->start)
                return "there is no memory for it";
        for (size_t i = 0; i < f->n_seg; i++) {
                f->start[i] = at;
                at += f->seg[i].length;
        }
        return NULL;
}

static uint64_t crc32(uint64_t crc, const void *bytes, size_t n)
{
        return ri_crc32((uint32_t)crc, bytes, n);
}

static void open_done(struct rad_req *r)
{
        struct opening *o = r->arg;
        struct rad_seen s;
        struct ri_error e;
        const char *why;

        if (rad_head_seen(r, &s, &e) < 0) {
                ri_op_fail_error(opening_end(o), &e);
                return;
        }
        if (!s.there) {
                rad_req_fail(r, opening_end(o));
                return;
        }
        why = take(o->f, &s);
        free(s.data);
        if (why) {
                ri_op_fail(opening_end(o), ROMA_ECORRUPT, "the list of its pieces cannot be read: %s", why);
                return;
        }
        o->file->impl = o->f;
        /* A piece may have other bytes than it was given and the right length. */
        o->file->whole = (struct ri_whole){
                .name = "CRC-32", .says = "they were put", .more = "; see `roma diagnose`", .crc = crc32
        };
        snprintf(o->file->whole.want, sizeof(o->file->whole.want), "%08" PRIx32, o->f->head.crc);
        ri_op_set_attr(o->op, &o->f->attr);
        o->f = NULL;
        ri_op_finish(opening_end(o));
}

void rad_open(struct ri_op *op, roma_file *file, const char *key, unsigned flags, uint32_t mode)
{
        struct opening *o = calloc(1, sizeof(*o));

        (void)flags; /* core lets nobody write in place here */
        (void)mode;
        if (o)
                o->f = calloc(1, sizeof(*o->f));
        if (!o || !o->f) {
                free(o);
                rad_op_nomem(op);
                return;
        }
        o->op = op;
        o->file = file;
        o->f->rs = rad_of(op->store);
        if (!rad_key(op, key, o->f->key)) {
                free(o->f);
                free(o);
                return;
        }
        op->impl = o;
        op->cancel = opening_cancel;
        o->r = rad_read_head(o->f->rs, o->f->key, true, op, open_done, o);
        if (!o->r)
                rad_op_nomem(opening_end(o));
}

void rad_close_file(struct ri_op *op, roma_file *file)
{
        rad_drop_file(file);
        ri_op_finish(op);
}

void rad_drop_file(roma_file *file)
{
        file_free(file->impl);
        file->impl = NULL;
}

void rad_fsync(struct ri_op *op, roma_file *file)
{
        (void)file;
        ri_op_finish(op);
}

void rad_fstat(struct ri_op *op, roma_file *file)
{
        const struct rad_file *f = file->impl;

        ri_op_set_attr(op, &f->attr);
        ri_op_finish(op);
}

/* Reading */

static void locate(void *arg, uint64_t at, uint64_t want, struct rad_span *s)
{
        const struct rad_file *f = arg;
        size_t lo = 0, hi = f->n_seg;
        uint64_t in, piece, room, left;

        while (hi - lo > 1) {
                size_t mid = lo + (hi - lo) / 2;

                if (f->start[mid] <= at)
                        lo = mid;
                else
                        hi = mid;
        }
        in = at - f->start[lo];
        piece = in / f->seg[lo].piece_size;
        room = f->seg[lo].piece_size - in % f->seg[lo].piece_size;
        left = f->seg[lo].length - in;
        room = room < left ? room : left;
        rad_piece_name(f->seg[lo].gen, (uint32_t)piece, s->oid);
        s->offset = in % f->seg[lo].piece_size;
        s->len = (size_t)(want < room ? want : room);
        s->last = false;
}

/* A piece is gone or too short: either somebody has replaced the object and its pieces were collected, or it is damaged.
 * The head tells which. */
struct doubt {
        struct ri_op *op;
        struct rad_req *r;
        struct rad_head head;
        char oid[RAD_NAME_MAX];
        int rc;
        size_t got, want;
};

static void doubt_cancel(struct ri_op *op)
{
        struct doubt *d = op->impl;

        rad_req_drop(d->r);
        free(d);
        op->impl = NULL;
}

static void doubt_seen(struct rad_req *r)
{
        struct doubt *d = r->arg;
        struct ri_op *op = d->op;
        struct rad_seen s;
        struct ri_error e;

        op->impl = NULL;
        op->cancel = NULL;
        if (rad_head_seen(r, &s, &e) < 0)
                ri_op_fail_error(op, &e);
        else if (!s.there || memcmp(s.head.content, d->head.content, RAD_ID) != 0)
                ri_op_fail(op, ROMA_ESOURCE,
                           "the object was %s while it was read, and what it had been is gone; read it again",
                           s.there ? "replaced" : "removed");
        else if (d->rc == -ENOENT)
                ri_op_fail(op, ROMA_ELOST,
                           "its piece %.100s is not in the pool any more; the object is damaged", d->oid);
        else
                ri_op_fail(op, ROMA_ECORRUPT,
                           "its piece %.100s has %zu bytes where %zu were expected; the object "
                           "is damaged",
                           d->oid, d->got, d->want);
        free(s.data);
        free(d);
}

static void missing(void *arg, struct ri_op *op, const char *oid, int rc, size_t got, size_t want)
{
        const struct rad_file *f = arg;
        struct doubt *d = calloc(1, sizeof(*d));

        if (!d) {
                rad_op_nomem(op);
                return;
        }
        d->op = op;
        d->head = f->head;
        d->rc = rc;
        d->got = got;
        d->want = want;
        snprintf(d->oid, sizeof(d->oid), "%s", oid);
        op->impl = d;
        op->cancel = doubt_cancel;
        d->r = rad_read_head(f->rs, f->key, false, op, doubt_seen, d);
        if (d->r)
                return;
        free(d);
        rad_op_nomem(op);
}

/* What is left of `len` bytes before the end. */
static uint64_t cut(const struct rad_file *f, uint64_t at, uint64_t len)
{
        uint64_t left = at < f->head.size ? f->head.size - at : 0;

        return len < left ? len : left;
}

static void copy_to(const struct iovec *iov, int n, const char *from, uint64_t len)
{
        for (int i = 0; i < n && len; i++) {
                size_t take = iov[i].iov_len < len ? iov[i].iov_len : (size_t)len;

                if (take)
                        memcpy(iov[i].iov_base, from, take);
                from += take;
                len -= take;
        }
}

void rad_preadv(struct ri_op *op, roma_file *file, const struct iovec *iov, int n, uint64_t offset)
{
        struct rad_file *f = file->impl;
        uint64_t len = 0;

        for (int i = 0; i < n; i++)
                len += iov[i].iov_len;
        len = cut(f, offset, len);
        if (!f->seg || len == 0) {
                if (len)
                        copy_to(iov, n, f->data + offset, len);
                op->res.bytes = len;
                ri_op_finish(op);
                return;
        }
        rad_read_iov(op, f->rs, iov, n, offset, len, locate, missing, f);
}

void rad_read_file_buf(struct ri_op *op, roma_file *file, roma_buf *buf, size_t len, uint64_t offset)
{
        struct rad_file *f = file->impl;
        size_t room = buf->cap - buf->off;

        len = (size_t)cut(f, offset, len < room ? len : room);
        if (!f->seg || len == 0) {
                if (len)
                        memcpy(buf->mem + buf->off, f->data + offset, len);
                buf->len = len;
                op->res.bytes = len;
                ri_op_finish(op);
                return;
        }
        rad_read_buf(op, f->rs, buf, offset, len, locate, missing, f);
}
