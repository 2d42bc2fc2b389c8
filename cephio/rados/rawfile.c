/* SPDX-License-Identifier: MIT */
/* Plain objects opened as files, read and written in place. librados keeps the order of requests on one object, and
 * the store's queue does too, so overlapping writes apply in the order of their starts. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cephio/rados/raw.h"
#include "core/buf.h"

enum { CHUNK = 4 << 20, MAX_CHUNKS = 64, APPEND_TRIES = 1000, EARLY = 32768 };
#define MOST ((uint64_t)CHUNK * MAX_CHUNKS)

struct raw_file {
        /* Opened for reading only: a short object comes whole with its attributes, in the one operation that opens it. The
         * first read takes these bytes, and what the file is then compared with is what belongs to them. */
        char *early;
        size_t early_len;
        bool only_early; /* nothing else has been read */
        roma_attr attr;
        char name[RAD_KEY_MAX + 1];
};

static struct raw_file *raw_of(roma_file *file)
{
        return file->impl;
}

static void file_free(struct raw_file *f)
{
        if (f)
                free(f->early);
        free(f);
}

/* Opening */

struct opening {
        struct ri_op *op;
        roma_file *file;
        struct raw_file *f;
        struct rad_req *r;
        bool changed; /* it has been made, or cut */
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

static void open_failed(struct opening *o, struct rad_req *r)
{
        bool changed = o->changed;
        struct ri_op *op = opening_end(o);
        struct ri_error e;

        if (!changed) {
                rad_req_fail(r, op);
                return;
        }
        rad_req_error(r, &e);
        e.outcome = ROMA_UNKNOWN;
        ri_op_fail_error(op, &e);
}

static void open_stat_done(struct rad_req *r)
{
        struct opening *o = r->arg;
        roma_attr a;

        if (r->rc >= 0 && r->kind == RAD_READ_OP && (r->part_rc[0] < 0 || r->part_rc[1] < 0))
                r->rc = r->part_rc[0] < 0 ? r->part_rc[0] : r->part_rc[1];
        if (r->rc < 0) {
                open_failed(o, r);
                return;
        }
        rad_raw_attr(&a, r->size, (int64_t)r->mtime * 1000000000, r->version);
        if (r->mem && r->got == r->size) {
                o->f->early = r->mem;
                o->f->early_len = r->got;
                o->f->only_early = true;
                o->f->attr = a;
                r->mem = NULL;
        }
        o->file->impl = o->f;
        o->f = NULL;
        ri_op_set_attr(o->op, &a);
        ri_op_finish(opening_end(o));
}

static int early_build(struct rad_req *r)
{
        rados_read_op_stat(r->rop, &r->size, &r->mtime, &r->part_rc[0]);
        rados_read_op_read(r->rop, 0, r->mem_len, r->mem, &r->got, &r->part_rc[1]);
        return 0;
}

static void open_early(struct opening *o)
{
        o->r = rad_req_new(rad_of(o->op->store), RAD_READ_OP, o->f->name, o->op, "open", open_stat_done, o);
        if (o->r)
                o->r->mem = malloc(EARLY);
        if (!o->r || !o->r->mem) {
                rad_req_free(o->r);
                rad_op_nomem(opening_end(o));
                return;
        }
        o->r->mem_len = EARLY;
        o->r->build = early_build;
        early_build(o->r);
        rad_req_go(o->r);
}

static void open_stat(struct opening *o)
{
        o->r = rad_req_new(rad_of(o->op->store), RAD_STAT, o->f->name, o->op, "open", open_stat_done, o);
        if (o->r)
                rad_req_go(o->r);
        else
                rad_op_nomem(opening_end(o));
}

static void open_made(struct rad_req *r)
{
        struct opening *o = r->arg;

        o->changed = r->rc >= 0;
        if (r->rc < 0)
                open_failed(o, r);
        else
                open_stat(o);
}

static void open_make(struct opening *o, unsigned flags)
{
        o->r = rad_req_new(rad_of(o->op->store), RAD_WRITE_OP, o->f->name, o->op, "open", open_made, o);
        if (!o->r) {
                rad_op_nomem(opening_end(o));
                return;
        }
        if (flags & ROMA_O_CREATE)
                rados_write_op_create(
                        o->r->wop,
                        flags & ROMA_O_EXCL ? LIBRADOS_CREATE_EXCLUSIVE : LIBRADOS_CREATE_IDEMPOTENT, NULL);
        else
                rados_write_op_assert_exists(o->r->wop);
        if (flags & ROMA_O_TRUNC)
                rados_write_op_truncate(o->r->wop, 0);
        o->op->outcome = ROMA_UNKNOWN;
        rad_req_go(o->r);
}

void rad_raw_open(struct ri_op *op, roma_file *file, const char *key, unsigned flags, uint32_t mode)
{
        struct opening *o = calloc(1, sizeof(*o));

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
        if (!rad_key(op, key, o->f->name)) {
                free(o->f);
                free(o);
                return;
        }
        op->impl = o;
        op->cancel = opening_cancel;
        if (flags & (ROMA_O_CREATE | ROMA_O_TRUNC))
                open_make(o, flags);
        else if (flags & ROMA_O_WRITE)
                open_stat(o);
        else
                open_early(o);
}

void rad_raw_drop(roma_file *file)
{
        file_free(file->impl);
        file->impl = NULL;
}

void rad_raw_close(struct ri_op *op, roma_file *file)
{
        rad_raw_drop(file);
        ri_op_finish(op);
}

/* An acknowledged write is on all OSDs that have to have it, and every reader sees it. */
void rad_raw_fsync(struct ri_op *op, roma_file *file)
{
        (void)file;
        ri_op_finish(op);
}

void rad_raw_fstat(struct ri_op *op, roma_file *file)
{
        struct raw_file *f = file->impl;

        if (!f->only_early || f->early) {
                rad_raw_stat_name(op, f->name);
                return;
        }
        f->only_early = false; /* whoever asks again wants to know what is there now */
        ri_op_set_attr(op, &f->attr);
        ri_op_finish(op);
}

/* The time of modification has whole seconds, in which an object can get other bytes of the same length, more than once; its
 * version is another one behind each write. */
bool rad_raw_changed(roma_file *file, const roma_attr *then, const roma_attr *now)
{
        (void)file;
        return then->length != now->length || strcmp(then->etag, now->etag) != 0;
}

/* Reading */

static void locate(void *arg, uint64_t at, uint64_t want, struct rad_span *s)
{
        const struct raw_file *f = arg;

        snprintf(s->oid, sizeof(s->oid), "%s", f->name);
        s->offset = at;
        s->len = (size_t)want;
        s->last = true;
}

static void missing(void *arg, struct ri_op *op, const char *oid, int rc, size_t got, size_t want)
{
        struct ri_error e;

        (void)arg;
        (void)got;
        (void)want;
        rad_error(&e, rc, "read", oid, NULL);
        ri_op_fail_error(op, &e);
}

static uint64_t span(const struct iovec *iov, int n)
{
        uint64_t sum = 0;

        for (int i = 0; i < n; i++)
                sum += iov[i].iov_len;
        return sum;
}

void rad_raw_preadv(struct ri_op *op, roma_file *file, const struct iovec *iov, int n, uint64_t offset)
{
        raw_of(file)->only_early = false;
        rad_read_iov(op, rad_of(file->store), iov, n, offset, span(iov, n), locate, missing, file->impl);
}

/* All of it from its beginning, as a reader does. */
static bool take_early(struct raw_file *f, roma_buf *buf, size_t len, uint64_t offset)
{
        bool all = f->early && offset == 0 && len >= f->early_len;

        if (all) {
                memcpy(buf->mem + buf->off, f->early, f->early_len);
                buf->len = f->early_len;
        } else {
                f->only_early = false;
        }
        free(f->early);
        f->early = NULL;
        return all;
}

void rad_raw_read_buf(struct ri_op *op, roma_file *file, roma_buf *buf, size_t len, uint64_t offset)
{
        size_t room = buf->cap - buf->off;

        if (take_early(file->impl, buf, len < room ? len : room, offset)) {
                op->res.bytes = buf->len;
                ri_op_finish(op);
                return;
        }
        rad_read_buf(op, rad_of(file->store), buf, offset, len < room ? len : room, locate, missing,
                     file->impl);
}

/* Writing */

struct write {
        struct ri_op *op;
        unsigned n, left;
        uint64_t len, offset;
        struct iovec *iov;
        int iovcnt;
        struct rad_req *r[MAX_CHUNKS];
};

static struct ri_op *write_end(struct write *w)
{
        struct ri_op *op = w->op;

        op->impl = NULL;
        op->cancel = NULL;
        for (int i = 0; i < MAX_CHUNKS; i++)
                if (w->r[i])
                        rad_req_drop(w->r[i]);
        free(w->iov);
        free(w);
        return op;
}

static void write_cancel(struct ri_op *op)
{
        write_end(op->impl);
}

static unsigned chunk_of(const struct write *w, const struct rad_req *r)
{
        unsigned i = 0;

        while (w->r[i] != r)
                i++;
        return i;
}

/* What became of the other chunks is not waited for. */
static void write_failed(struct write *w, struct rad_req *r)
{
        bool one = w->n == 1;
        struct ri_error e;

        if (one) {
                rad_req_fail(r, write_end(w));
                return;
        }
        rad_req_error(r, &e);
        e.outcome = ROMA_UNKNOWN;
        ri_op_fail_error(write_end(w), &e);
}

static void write_done(struct rad_req *r)
{
        struct write *w = r->arg;

        w->r[chunk_of(w, r)] = NULL;
        if (r->rc < 0) {
                write_failed(w, r);
                return;
        }
        ri_op_progress(w->op);
        if (--w->left)
                return;
        w->op->res.bytes = w->len;
        w->op->loop->stats.bytes_out_total += w->len;
        ri_op_finish(write_end(w));
}

/* Adds the bytes [from, from + len) of the vector to the operation, for `offset`. librados copies them. */
static void add_bytes(rados_write_op_t op, const struct iovec *iov, int n, uint64_t from, uint64_t len,
                      uint64_t offset)
{
        for (int i = 0; i < n && len; i++) {
                uint64_t room = iov[i].iov_len, take;

                if (from >= room) {
                        from -= room;
                        continue;
                }
                take = room - from < len ? room - from : len;
                rados_write_op_write(op, (const char *)iov[i].iov_base + from, (size_t)take, offset);
                offset += take;
                len -= take;
                from = 0;
        }
}

static void write_fill(struct rad_req *r)
{
        const struct write *w = r->arg;
        uint64_t at = (uint64_t)chunk_of(w, r) * CHUNK;

        add_bytes(r->wop, w->iov, w->iovcnt, at, r->weight, w->offset + at);
}

static struct write *write_new(struct ri_op *op, const struct iovec *iov, int n, uint64_t len,
                               uint64_t offset)
{
        struct write *w = calloc(1, sizeof(*w));

        if (w)
                w->iov = calloc((size_t)n, sizeof(*iov));
        if (!w || !w->iov) {
                free(w);
                rad_op_nomem(op);
                return NULL;
        }
        memcpy(w->iov, iov, (size_t)n * sizeof(*iov));
        w->iovcnt = n;
        w->op = op;
        w->len = len;
        w->offset = offset;
        op->impl = w;
        op->cancel = write_cancel;
        return w;
}

void rad_raw_pwritev(struct ri_op *op, roma_file *file, const struct iovec *iov, int n, uint64_t offset)
{
        struct rad_store *rs = rad_of(file->store);
        uint64_t len = span(iov, n);
        struct write *w;

        if (len == 0) {
                ri_op_finish(op);
                return;
        }
        if (offset > UINT32_MAX || len > MOST) {
                struct ri_error e;

                rad_error(&e, -EFBIG, "write", file->key, NULL);
                ri_op_fail_error(op, &e);
                return;
        }
        w = write_new(op, iov, n, len, offset);
        if (!w)
                return;
        for (uint64_t at = 0; at < len; at += CHUNK) {
                struct rad_req *r =
                        rad_req_new(rs, RAD_WRITE_OP, raw_of(file)->name, op, "write", write_done, w);

                if (!r) {
                        rad_op_nomem(write_end(w));
                        return;
                }
                /* What somebody has removed does not come back as a hole with an end. */
                rados_write_op_assert_exists(r->wop);
                r->fill = write_fill;
                r->weight = (size_t)(len - at < CHUNK ? len - at : CHUNK);
                w->r[w->n++] = r;
        }
        w->left = w->n;
        op->outcome = ROMA_UNKNOWN;
        for (unsigned i = 0; i < w->n; i++)
                rad_req_go(w->r[i]);
}

static void truncate_done(struct rad_req *r)
{
        struct ri_op *op = rad_req_op(r);

        if (r->rc < 0)
                rad_req_fail(r, op);
        else
                ri_op_finish(op);
}

void rad_raw_truncate(struct ri_op *op, roma_file *file, uint64_t length)
{
        struct rad_req *r = rad_req_new(rad_of(file->store), RAD_WRITE_OP, raw_of(file)->name, op, "truncate",
                                        truncate_done, op);

        if (!r) {
                rad_op_nomem(op);
                return;
        }
        rados_write_op_assert_exists(r->wop);
        rados_write_op_truncate(r->wop, length);
        op->outcome = ROMA_UNKNOWN;
        rad_op_req(op, r);
}

/* Appending. An append of RADOS does not tell where it went; so the end is looked up, and the write holds only for
 * this very version of the object. */

struct append {
        struct ri_op *op;
        struct rad_req *r;
        const struct raw_file *f;
        struct iovec *iov;
        int n;
        uint64_t len, end;
        unsigned tries;
};

static struct ri_op *append_end(struct append *a)
{
        struct ri_op *op = a->op;

        op->impl = NULL;
        op->cancel = NULL;
        free(a->iov);
        free(a);
        return op;
}

static void append_cancel(struct ri_op *op)
{
        struct append *a = op->impl;

        rad_req_drop(a->r);
        append_end(a);
}

static void append_look(struct append *a);

static void append_done(struct rad_req *r)
{
        struct append *a = r->arg;

        if ((r->rc == -ERANGE || r->rc == -EOVERFLOW) && ++a->tries < APPEND_TRIES) {
                a->op->outcome = ROMA_NOT_DONE;
                append_look(a);
                return;
        }
        if (r->rc < 0) {
                rad_req_fail(r, append_end(a));
                return;
        }
        a->op->res.bytes = a->len;
        a->op->res.offset = a->end;
        ri_op_finish(append_end(a));
}

static void append_fill(struct rad_req *r)
{
        const struct append *a = r->arg;

        add_bytes(r->wop, a->iov, a->n, 0, a->len, a->end);
}

static void append_write(struct rad_req *stat)
{
        struct append *a = stat->arg;

        if (stat->rc < 0) {
                rad_req_fail(stat, append_end(a));
                return;
        }
        a->end = stat->size;
        a->r = rad_req_new(rad_of(a->op->store), RAD_WRITE_OP, a->f->name, a->op, "append", append_done, a);
        if (!a->r) {
                rad_op_nomem(append_end(a));
                return;
        }
        rados_write_op_assert_version(a->r->wop, stat->version);
        a->r->fill = append_fill;
        a->r->weight = (size_t)a->len;
        a->op->outcome = ROMA_UNKNOWN;
        rad_req_go(a->r);
}

static void append_look(struct append *a)
{
        a->r = rad_req_new(rad_of(a->op->store), RAD_STAT, a->f->name, a->op, "append", append_write, a);
        if (a->r)
                rad_req_go(a->r);
        else
                rad_op_nomem(append_end(a));
}

void rad_raw_append(struct ri_op *op, roma_file *file, const struct iovec *iov, int n)
{
        struct append *a = calloc(1, sizeof(*a));

        if (a)
                a->iov = calloc((size_t)n + 1, sizeof(*iov));
        if (!a || !a->iov) {
                free(a);
                rad_op_nomem(op);
                return;
        }
        memcpy(a->iov, iov, (size_t)n * sizeof(*iov));
        a->n = n;
        a->op = op;
        a->f = file->impl;
        a->len = span(iov, n);
        op->impl = a;
        op->cancel = append_cancel;
        append_look(a);
}
