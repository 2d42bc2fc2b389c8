/* SPDX-License-Identifier: MIT */
/* Bytes of open files. A worker inside pread() cannot be called back, so it never sees the caller's memory: bytes pass
 * through a counted buffer of the loop and are copied on the loop, piece by piece; or the caller's memory is such a
 * buffer already (read_buf, write_buf), and nothing is copied. */
#include "fileio/fileio.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core/crc.h"

enum { SMALL = 65536 };
static const uint64_t MAX_APPEND = UINT64_C(1) << 30;

/* Worker */

static void read_work(struct fio_job *j)
{
        unsigned char *p = j->buf->mem + j->buf->off;
        uint64_t at = j->offset + j->done;

        j->got = 0;
        while (j->got < j->want && at <= (uint64_t)INT64_MAX - j->want) {
                ssize_t n = pread(j->fd->fd, p + j->got, j->want - j->got, (off_t)(at + j->got));

                if (n < 0 && errno == EINTR)
                        continue;
                if (n < 0)
                        fio_job_errno(j, "read");
                if (n <= 0)
                        break;
                j->got += (size_t)n;
        }
        j->crc = ri_crc32_combine(j->crc, ri_buf_sum(j->buf, j->got), j->got);
}

static void write_work(struct fio_job *j)
{
        const unsigned char *p = j->buf->mem + j->buf->off;
        uint64_t at = j->offset + j->done;

        j->got = 0;
        if (!ri_strays_settle(j->fd->strays, &j->job))
                return;
        if (at > (uint64_t)INT64_MAX - j->want) {
                errno = EFBIG;
                fio_job_errno(j, "write");
                return;
        }
        while (j->got < j->want) {
                ssize_t n = pwrite(j->fd->fd, p + j->got, j->want - j->got, (off_t)(at + j->got));

                if (n < 0 && errno == EINTR)
                        continue;
                if (n <= 0) {
                        errno = n < 0 ? errno : ENOSPC;
                        fio_job_errno(j, "write");
                        break;
                }
                j->got += (size_t)n;
        }
        /* For the outcome of a failure: something is there. */
        if (j->err)
                j->done += j->got;
        j->crc = ri_crc32(j->crc, p, j->got);
}

/* The kernel chooses the place and writes in one step. It also moves the descriptor's position, which only appends
 * use, and those run one after the other on a file: so the position tells where the bytes went. */
static void append_work(struct fio_job *j)
{
        struct iovec v = { j->buf->mem + j->buf->off, j->want };
        ssize_t n;
        off_t end;

        if (!ri_strays_settle(j->fd->strays, &j->job))
                return;
        do
                n = pwritev2(j->fd->fd, &v, 1, -1, RWF_APPEND);
        while (n < 0 && errno == EINTR);
        if (n < 0) {
                fio_job_errno(j, "append to");
                return;
        }
        j->got = (size_t)n;
        if (j->got < j->want) {
                j->done = j->got;
                errno = ENOSPC;
                fio_job_errno(j, "append all bytes to");
                return;
        }
        end = lseek(j->fd->fd, 0, SEEK_CUR);
        if (end < (off_t)n) {
                j->done = j->got;
                fio_job_errno(j, "find the end of");
                return;
        }
        j->attr.length = (uint64_t)(end - n);
        j->crc = ri_crc32(0, v.iov_base, j->got);
}

static void truncate_work(struct fio_job *j)
{
        if (!ri_strays_settle(j->fd->strays, &j->job))
                return;
        if (ftruncate(j->fd->fd, (off_t)j->attr.length) < 0)
                fio_job_errno(j, "truncate");
}

/* Loop */

static void copy_iov(struct fio_job *j, size_t n, bool to_caller)
{
        unsigned char *p = j->buf->mem + j->buf->off;

        while (n) {
                size_t room = j->iov->iov_len - j->iov_off, part = n < room ? n : room;
                unsigned char *q = (unsigned char *)j->iov->iov_base + j->iov_off;

                if (part)
                        memcpy(to_caller ? q : p, to_caller ? p : q, part);
                p += part;
                n -= part;
                j->iov_off += part;
                if (j->iov_off == j->iov->iov_len && j->iovcnt > 1) {
                        j->iov++;
                        j->iovcnt--;
                        j->iov_off = 0;
                }
        }
}

static void finish(struct fio_job *j)
{
        struct ri_op *op = fio_job_detach(j);

        op->res.bytes = j->done;
        op->res.crc32 = j->crc;
        op->res.has_crc32 = 1;
        fio_job_unref(j);
        ri_op_finish(op);
}

static void data_leave(struct fio_job *j)
{
        if (j->buf_waits)
                ri_buf_cancel(&j->wait);
        j->buf_waits = false;
        if (j->on_stream)
                fio_stream_leave(j);
        fio_order_end(j);
}

static void piece(struct fio_job *j)
{
        uint64_t left = j->length - j->done;

        j->want = left < j->buf->cap ? (size_t)left : j->buf->cap;
        if (j->change)
                copy_iov(j, j->want, false);
        j->go(j);
}

static void bounce_ready(struct ri_buf_wait *w, roma_buf *buf)
{
        struct fio_job *j = ri_container_of(w, struct fio_job, wait);

        j->buf_waits = false;
        if (!buf) {
                j->code = ROMA_ENOMEM;
                fio_job_fail(j);
                fio_job_unref(j);
                return;
        }
        j->buf = buf;
        j->job.bytes += buf->cap;
        ri_op_waits(j->op, "the disk", NULL);
        piece(j);
}

static void bounce_launch(struct fio_job *j)
{
        bool whole = j->work == append_work;
        size_t want = whole || j->length < RI_PIECE ? (size_t)j->length : RI_PIECE;
        roma_buf *buf = ri_buf_try(j->loop, want);

        if (buf) {
                bounce_ready(&j->wait, buf);
                return;
        }
        j->buf_waits = true;
        j->wait.ready = bounce_ready;
        ri_op_waits(j->op, "a free buffer", NULL);
        ri_buf_get(j->loop, &j->wait, want, want > SMALL);
}

static void bounce_end(struct fio_job *j)
{
        if (!j->change)
                copy_iov(j, j->got, true);
        j->done += j->got;
        ri_op_progress(j->op);
        if (j->got < j->want || j->done == j->length)
                finish(j);
        else
                piece(j);
}

static void append_end(struct fio_job *j)
{
        j->op->res.offset = j->attr.length;
        j->done = j->got;
        finish(j);
}

/* A job in the file's line, or NULL and the operation has failed. */
static struct fio_job *data_job(struct ri_op *op, roma_file *file, bool change,
                                void (*work)(struct fio_job *))
{
        struct fio_file *f = file->impl;
        struct fio_job *j = fio_job_new(op, file->key, NULL);

        if (!j)
                return NULL;
        j->file = file;
        j->fd = fio_fd_ref(f->fd);
        j->change = change;
        j->work = work;
        j->leave = data_leave;
        j->go = fio_job_go;
        return j;
}

static void start_bounce(struct ri_op *op, roma_file *file, const struct iovec *iov, int n, uint64_t offset,
                         bool change, void (*work)(struct fio_job *))
{
        struct fio_job *j = data_job(op, file, change, work);

        if (!j)
                return;
        for (int i = 0; i < n; i++)
                j->length += iov[i].iov_len;
        j->iov_mem = calloc((size_t)n + 1, sizeof(*iov));
        if (!j->iov_mem) {
                j->code = ROMA_ENOMEM;
                fio_job_fail(j);
                fio_job_unref(j);
                return;
        }
        if (n > 0)
                memcpy(j->iov_mem, iov, (size_t)n * sizeof(*iov));
        j->iov = j->iov_mem;
        j->iovcnt = n;
        j->offset = j->line_off = offset;
        j->line_len = j->length;
        j->end = bounce_end;
        if (work == append_work) {
                j->line_off = 0;
                j->line_len = UINT64_MAX;
                j->end = append_end;
        }
        j->launch = bounce_launch;
        if (((struct fio_file *)file->impl)->stream)
                fio_stream_job(j);
        if (j->length == 0 && work != append_work) {
                finish(j);
                return;
        }
        fio_order_add(j);
}

void fio_file_preadv(struct ri_op *op, roma_file *file, const struct iovec *iov, int n, uint64_t offset)
{
        start_bounce(op, file, iov, n, offset, false, read_work);
}

void fio_file_pwritev(struct ri_op *op, roma_file *file, const struct iovec *iov, int n, uint64_t offset)
{
        start_bounce(op, file, iov, n, offset, true, write_work);
}

void fio_file_append(struct ri_op *op, roma_file *file, const struct iovec *iov, int n)
{
        uint64_t len = 0;

        for (int i = 0; i < n; i++)
                len += iov[i].iov_len;
        if (len > MAX_APPEND) {
                ri_op_fail(op, ROMA_EINVAL, "%llu bytes are too many for one append; at most 1 GiB",
                           (unsigned long long)len);
                return;
        }
        start_bounce(op, file, iov, n, 0, true, append_work);
}

static void truncate_end(struct fio_job *j)
{
        struct ri_op *op = fio_job_detach(j);

        fio_job_unref(j);
        ri_op_finish(op);
}

void fio_file_truncate(struct ri_op *op, roma_file *file, uint64_t length)
{
        struct fio_job *j;

        if (length > INT64_MAX) {
                ri_op_fail(op, ROMA_EFBIG, "a length of %llu bytes is more than a file can have",
                           (unsigned long long)length);
                return;
        }
        j = data_job(op, file, true, truncate_work);
        if (!j)
                return;
        j->attr.length = length;
        j->line_len = UINT64_MAX;
        j->end = truncate_end;
        j->launch = fio_job_go;
        fio_order_add(j);
}

/* The caller's memory is a buffer of the loop: the job keeps a reference and nothing is copied. */

static void buf_end(struct fio_job *j)
{
        if (!j->change)
                j->buf->len = j->got;
        j->done = j->got;
        finish(j);
}

static void launch_go(struct fio_job *j)
{
        j->go(j);
}

/* All of it is in the page cache, and copied by a call that does not wait: a worker would cost more than the copy does,
 * and the bytes would come from another processor's cache. The loop's budget of buffers bounds what one turn copies. */
static bool read_cached(struct fio_job *j)
{
        struct iovec v = { j->buf->mem + j->buf->off, j->want };
        ssize_t n = j->on_stream ? -1 : preadv2(j->fd->fd, &v, 1, (off_t)j->offset, RWF_NOWAIT);

        if (n < 0 || (size_t)n < j->want)
                return false;
        j->got = j->want;
        j->crc = ri_buf_sum(j->buf, j->got);
        return true;
}

static void read_launch(struct fio_job *j)
{
        if (read_cached(j))
                buf_end(j);
        else
                launch_go(j);
}

static void start_buf(struct ri_op *op, roma_file *file, roma_buf *buf, size_t len, uint64_t offset,
                      bool change, void (*work)(struct fio_job *))
{
        struct fio_job *j = data_job(op, file, change, work);

        if (!j)
                return;
        j->buf = roma_buf_ref(buf);
        j->job.bytes += len;
        j->want = len;
        j->offset = j->line_off = offset;
        j->length = j->line_len = len;
        j->end = buf_end;
        j->launch = change ? launch_go : read_launch;
        if (((struct fio_file *)file->impl)->stream)
                fio_stream_job(j);
        fio_order_add(j);
}

void fio_file_read_buf(struct ri_op *op, roma_file *file, roma_buf *buf, size_t len, uint64_t offset)
{
        size_t room = buf->cap - buf->off;

        start_buf(op, file, buf, len < room ? len : room, offset, false, read_work);
}

void fio_file_write_buf(struct ri_op *op, roma_file *file, roma_buf *buf, uint64_t offset)
{
        start_buf(op, file, buf, buf->len, offset, true, write_work);
}
