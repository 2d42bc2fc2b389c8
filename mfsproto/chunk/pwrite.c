/* SPDX-License-Identifier: MIT */
/* A write: cut at chunk borders into parts, each given to its chunk's writer; done when all are acknowledged. */
#include "mfsproto/chunk/inner.h"

#include <stdlib.h>
#include <string.h>

#define MAX_FILE (UINT64_C(1) << 57)

struct iovec *mfs_iov_copy(struct ri_op *op, const struct iovec *iov, int n, size_t *len)
{
        struct iovec *copy;

        *len = n < 0 ? SIZE_MAX : mfs_iov_len(iov, n);
        if (*len == SIZE_MAX) {
                ri_op_fail(op, ROMA_EINVAL, "the lengths of the buffers do not add up");
                return NULL;
        }
        copy = malloc((n ? (size_t)n : 1) * sizeof *copy);
        if (!copy) {
                ri_op_fail(op, ROMA_ENOMEM, "out of memory");
                return NULL;
        }
        if (n)
                memcpy(copy, iov, (size_t)n * sizeof *copy);
        return copy;
}

int mfs_part_iov(const struct mfs_wpart *p, uint32_t from, uint32_t len, struct iovec *out, int max,
                 size_t *got)
{
        if (!p->copy)
                return mfs_iov_cut(p->wop->iov, p->wop->n, p->base + (from - p->from), len, out, max, got);
        *got = len;
        if (len == 0 || max < 1)
                return 0;
        out->iov_base = p->copy + (from - p->copy_from);
        out->iov_len = len;
        return 1;
}

static void wop_free(struct mfs_wop *wop)
{
        struct mfs_inode *ino = wop->ino;

        mfs_turn_leave(&wop->turn);
        free(wop->part);
        free(wop->iov);
        free(wop);
        mfs_inode_put(ino);
}

/* The operation ends early. Its memory is not touched any more when this returns. */
static void wop_cancel(struct ri_op *op)
{
        struct mfs_wop *wop = op->impl;

        op->impl = NULL;
        for (unsigned i = 0; i < wop->nparts; i++) {
                struct mfs_wpart *p = wop->part[i];

                if (!p)
                        continue;
                if (p->writer)
                        mfs_writer_abandon(p);
                else
                        free(p);
        }
        wop_free(wop);
}

void mfs_wop_fail(struct mfs_wop *wop, const struct ri_error *e)
{
        struct ri_op *op = wop->op;

        wop_cancel(op);
        ri_op_fail_error(op, e);
}

void mfs_wop_part_done(struct mfs_wop *wop)
{
        struct ri_op *op = wop->op;
        struct mfs_inode *ino = wop->ino;
        uint32_t crc = 0;

        if (--wop->left > 0)
                return;
        for (unsigned i = 0; i < wop->nparts; i++) {
                struct mfs_wpart *p = wop->part[i];

                crc = ri_crc32_combine(crc, p->crc, p->to - p->from);
                free(p);
        }
        op->res.bytes = wop->len;
        op->res.crc32 = crc;
        op->res.has_crc32 = 1;
        ino->refs++;
        wop_free(wop);
        mfs_op_finish(ino, op);
        mfs_inode_put(ino);
}

/* Makes the parts first, so that a lack of memory leaves nothing half-queued. */
static bool make_parts(struct mfs_wop *wop)
{
        uint64_t at = wop->offset, end = wop->offset + wop->len;
        unsigned first = (unsigned)(at >> WIRE_CHUNK_BITS), last = (unsigned)((end - 1) >> WIRE_CHUNK_BITS);

        wop->nparts = last - first + 1;
        wop->part = calloc(wop->nparts, sizeof *wop->part);
        if (!wop->part) {
                wop->nparts = 0;
                return false;
        }
        for (unsigned i = 0; i < wop->nparts; i++) {
                uint64_t start = (uint64_t)(first + i) << WIRE_CHUNK_BITS;
                struct mfs_wpart *p = calloc(1, sizeof *p);

                wop->part[i] = p;
                if (!p)
                        return false;
                p->wop = wop;
                p->from = (uint32_t)(at - start);
                p->to = end - start < WIRE_CHUNK_SIZE ? (uint32_t)(end - start) : (uint32_t)WIRE_CHUNK_SIZE;
                p->acked = p->sent = p->high = p->from;
                p->base = (size_t)(at - wop->offset);
                at = start + p->to;
        }
        wop->left = wop->nparts;
        return true;
}

static void wop_start(struct mfs_turn *t)
{
        struct mfs_wop *wop = ri_container_of(t, struct mfs_wop, turn);
        struct ri_error e = { 0 };
        uint32_t index = (uint32_t)(wop->offset >> WIRE_CHUNK_BITS);
        bool ok = make_parts(wop);

        wop->ino->changes++;
        for (unsigned i = 0; ok && i < wop->nparts; i++) {
                struct mfs_writer *w = mfs_writer_get(wop->ino, index + i);

                if (w)
                        mfs_writer_add(w, wop->part[i]);
                else
                        ok = false;
        }
        if (!ok) {
                ri_error_set(&e, ROMA_ENOMEM, "", "out of memory");
                mfs_wop_fail(wop, &e);
        }
}

void mfs_wop_run(struct ri_op *op, struct mfs_inode *ino, struct iovec *iov, int n, roma_buf *buf, size_t len,
                 uint64_t offset, bool append)
{
        struct mfs_wop *wop;

        op->impl = NULL;
        if (len == 0) {
                free(iov);
                ri_op_finish(op);
                return;
        }
        if (offset > MAX_FILE || len > MAX_FILE - offset) {
                free(iov);
                ri_op_fail(op, ROMA_EFBIG, "a file cannot be longer than %llu bytes",
                           (unsigned long long)MAX_FILE);
                return;
        }
        wop = calloc(1, sizeof *wop);
        if (!wop) {
                free(iov);
                ri_op_fail(op, ROMA_ENOMEM, "out of memory");
                return;
        }
        wop->op = op;
        wop->ino = ino;
        wop->iov = iov;
        wop->n = n;
        wop->buf = buf;
        wop->len = len;
        wop->offset = offset;
        ino->refs++;
        op->impl = wop;
        op->cancel = wop_cancel;
        if (append)
                wop_start(&wop->turn);
        else
                mfs_turn_take(ino, &wop->turn, wop_start);
}

void mfs_inode_write(struct ri_op *op, struct mfs_inode *ino, const struct iovec *iov, int n, uint64_t offset)
{
        size_t len;
        struct iovec *copy = mfs_iov_copy(op, iov, n, &len);

        if (copy)
                mfs_wop_run(op, ino, copy, n, NULL, len, offset, false);
}

void mfs_inode_write_buf(struct ri_op *op, struct mfs_inode *ino, roma_buf *buf, uint64_t offset)
{
        struct iovec v = { buf->mem + buf->off, buf->len };
        size_t len;
        struct iovec *copy = mfs_iov_copy(op, &v, 1, &len);

        if (copy)
                mfs_wop_run(op, ino, copy, 1, buf, len, offset, false);
}
