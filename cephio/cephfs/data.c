/* SPDX-License-Identifier: MIT */
/* Bytes of open files. A worker inside libcephfs cannot be called back, so it never sees the caller's memory: bytes pass
 * through a counted buffer of the loop and are copied on the loop, piece by piece; or the caller's memory is such a
 * buffer already (read_buf, write_buf), and nothing is copied. */
#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <time.h>

#include "cephio/cephfs/cephfs.h"
#include "core/crc.h"

enum { SMALL = 65536, PIECE = 4 << 20 };
/* CEPH_CAP_FILE_RD and _WR of ceph_fs.h, which is not installed: what the MDS has allowed this client. */
enum { CAP_READ = 8 << 8, CAP_WRITE = 16 << 8 };
static const uint64_t MAX_APPEND = UINT64_C(1) << 30;

/* Worker */

static bool lacks(const struct cfs_job *j, int cap)
{
        int caps = ceph_debug_get_fd_caps(j->mount->cm, j->fd->fd);

        return caps >= 0 && !(caps & cap);
}

/* For the trace: a read first waits until the MDS has taken the file from whoever writes it. One of no bytes does nothing
 * else. */
static void wait_for_caps(struct cfs_job *j, char *p, int64_t at)
{
        uint64_t t = cfs_phase_start(j);

        if (t && lacks(j, CAP_READ)) {
                (void)ceph_read(j->mount->cm, j->fd->fd, p, 0, at);
                cfs_job_phase(j, "caps_wait", t, 0);
        }
        if (t && j->waiter) {
                j->mds_nudged = cfs_guard_nudged(j->mount, j->waiter);
                j->mds_end_ns = ri_now();
        }
}

static void read_work(struct cfs_job *j)
{
        unsigned char *p = j->buf->mem + j->buf->off;
        uint64_t at = j->offset + j->done, t;

        j->got = 0;
        if (at <= INT64_MAX)
                wait_for_caps(j, (char *)p, (int64_t)at);
        t = cfs_phase_start(j);
        while (j->got < j->want && at <= (uint64_t)INT64_MAX - j->want) {
                int n = ceph_read(j->mount->cm, j->fd->fd, (char *)p + j->got, (int64_t)(j->want - j->got),
                                  (int64_t)(at + j->got));

                if (n < 0)
                        cfs_job_error(j, n, "read");
                if (n <= 0)
                        break;
                j->got += (size_t)n;
        }
        cfs_job_phase(j, "osd_read", t, j->got);
        j->crc = ri_crc32(j->crc, p, j->got);
}

static int write_all(struct cfs_job *j, uint64_t at)
{
        const char *p = (const char *)j->buf->mem + j->buf->off;

        while (j->got < j->want) {
                int n = ceph_write(j->mount->cm, j->fd->fd, p + j->got, (int64_t)(j->want - j->got),
                                   (int64_t)(at + j->got));

                if (n <= 0)
                        return n < 0 ? n : -ENOSPC;
                j->got += (size_t)n;
        }
        return 0;
}

/* One call is a request to each object that the bytes are in, and ends with the first error of these. */
static bool in_one_object(const struct cfs_job *j, uint64_t at)
{
        int unit = ceph_get_file_stripe_unit(j->mount->cm, j->fd->fd);
        uint64_t first = at + j->got, last = at + j->want - 1;

        return unit > 0 && first / (uint64_t)unit == last / (uint64_t)unit;
}

static void write_at(struct cfs_job *j, uint64_t at, const char *what)
{
        uint64_t t = cfs_phase_start(j);
        /* A write has no such prelude: what it waited for the MDS is in its time. */
        bool caps = t && lacks(j, CAP_WRITE);
        int r;

        cfs_fd_changed(j->fd);
        r = at > (uint64_t)INT64_MAX - j->want ? -EFBIG : write_all(j, at);
        cfs_fd_changed(j->fd);
        cfs_job_phase(j, caps ? "caps_osd_write" : "osd_write", t, j->got);
        /* For the outcome of a failure: something is there. */
        if (r < 0) {
                j->done += j->got;
                j->partly = r != -EFBIG && !in_one_object(j, at);
                cfs_job_error(j, r, what);
        }
        j->crc = ri_crc32(j->crc, j->buf->mem + j->buf->off, j->got);
}

static void write_work(struct cfs_job *j)
{
        j->got = 0;
        if (ri_strays_settle(j->fd->strays, &j->job))
                write_at(j, j->offset + j->done, "write");
}

/* No call of CephFS finds the end and writes there in one step, so appenders take turns by a lock of the file. */
static void append_work(struct cfs_job *j)
{
        struct ceph_mount_info *cm = j->mount->cm;
        uint64_t owner = (uintptr_t)j->fd, t = cfs_phase_start(j);
        struct ceph_statx st;
        int r;

        j->got = 0;
        if (!ri_strays_settle(j->fd->strays, &j->job))
                return;
        r = ceph_flock(cm, j->fd->fd, LOCK_EX, owner);
        cfs_job_phase(j, "mds_lock", t, 0);
        if (r < 0) {
                cfs_job_error(j, r, "lock for appending");
                return;
        }
        r = ceph_fstatx(cm, j->fd->fd, &st, CEPH_STATX_SIZE, 0);
        if (r < 0) {
                cfs_job_error(j, r, "find the end of");
        } else if (!cfs_job_given_up(j)) {
                j->attr.length = st.stx_size;
                write_at(j, st.stx_size, "append to");
        }
        ceph_flock(cm, j->fd->fd, LOCK_UN, owner);
}

/* ceph_ftruncate() of 16.2.15, where it makes a file longer and need not ask the MDS for that, makes its time of modification from what
 * the stack holds. This is the same call with a time. */
static int truncate_to(struct cfs_job *j, uint64_t length)
{
        struct ceph_statx st = { .stx_size = length };

        clock_gettime(CLOCK_REALTIME, &st.stx_mtime);
        return ceph_fsetattrx(j->mount->cm, j->fd->fd, &st, CEPH_SETATTR_SIZE);
}

static void truncate_work(struct cfs_job *j)
{
        uint64_t t = cfs_phase_start(j);
        int r;

        if (!ri_strays_settle(j->fd->strays, &j->job))
                return;
        cfs_fd_changed(j->fd);
        r = truncate_to(j, j->attr.length);
        cfs_fd_changed(j->fd);
        cfs_job_phase(j, "mds_truncate", t, 0);
        if (r < 0)
                cfs_job_error(j, r, "truncate");
}

/* Loop */

static void copy_iov(struct cfs_job *j, size_t n, bool to_caller)
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

static void finish(struct cfs_job *j)
{
        j->op->res.bytes = j->done;
        j->op->res.crc32 = j->crc;
        j->op->res.has_crc32 = 1;
        cfs_job_finish(j);
}

static void data_leave(struct cfs_job *j)
{
        if (j->buf_waits)
                ri_buf_cancel(&j->wait);
        j->buf_waits = false;
        cfs_order_end(j);
}

static void piece(struct cfs_job *j)
{
        uint64_t left = j->length - j->done;

        j->want = left < j->buf->cap ? (size_t)left : j->buf->cap;
        if (j->change)
                copy_iov(j, j->want, false);
        cfs_job_go(j);
}

static void bounce_ready(struct ri_buf_wait *w, roma_buf *buf)
{
        struct cfs_job *j = ri_container_of(w, struct cfs_job, wait);

        j->buf_waits = false;
        if (!buf) {
                j->code = ROMA_ENOMEM;
                cfs_job_fail(j);
                cfs_job_unref(j);
                return;
        }
        j->buf = buf;
        j->job.bytes += buf->cap;
        ri_op_waits(j->op, "the cluster", NULL);
        piece(j);
}

static void bounce_launch(struct cfs_job *j)
{
        bool whole = j->work == append_work;
        size_t want = whole || j->length < PIECE ? (size_t)j->length : PIECE;
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

static void bounce_end(struct cfs_job *j)
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

static void append_end(struct cfs_job *j)
{
        j->op->res.offset = j->attr.length;
        j->done = j->got;
        finish(j);
}

/* A job in the file's line, or NULL and the operation has failed. */
static struct cfs_job *data_job(struct ri_op *op, roma_file *file, bool change,
                                void (*work)(struct cfs_job *))
{
        struct cfs_file *f = file->impl;
        struct cfs_job *j = cfs_job_new(op, file->key, NULL);

        if (!j)
                return NULL;
        j->file = file;
        j->fd = cfs_fd_ref(f->fd);
        j->change = change;
        j->guard = !change;
        j->work = work;
        j->leave = data_leave;
        return j;
}

static void start_bounce(struct ri_op *op, roma_file *file, const struct iovec *iov, int n, uint64_t offset,
                         bool change, void (*work)(struct cfs_job *))
{
        struct cfs_job *j = data_job(op, file, change, work);

        if (!j)
                return;
        for (int i = 0; i < n; i++)
                j->length += iov[i].iov_len;
        j->iov_mem = calloc((size_t)n + 1, sizeof(*iov));
        if (!j->iov_mem) {
                j->code = ROMA_ENOMEM;
                cfs_job_fail(j);
                cfs_job_unref(j);
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
        if (j->length == 0 && work != append_work) {
                finish(j);
                return;
        }
        cfs_order_add(j);
}

void cfs_file_preadv(struct ri_op *op, roma_file *file, const struct iovec *iov, int n, uint64_t offset)
{
        start_bounce(op, file, iov, n, offset, false, read_work);
}

void cfs_file_pwritev(struct ri_op *op, roma_file *file, const struct iovec *iov, int n, uint64_t offset)
{
        start_bounce(op, file, iov, n, offset, true, write_work);
}

void cfs_file_append(struct ri_op *op, roma_file *file, const struct iovec *iov, int n)
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

void cfs_file_truncate(struct ri_op *op, roma_file *file, uint64_t length)
{
        struct cfs_job *j;

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
        j->end = cfs_job_finish;
        j->launch = cfs_job_go;
        cfs_order_add(j);
}

/* The caller's memory is a buffer of the loop: the job keeps a reference and nothing is copied. */

static void buf_end(struct cfs_job *j)
{
        if (!j->change)
                j->buf->len = j->got;
        j->done = j->got;
        finish(j);
}

static void start_buf(struct ri_op *op, roma_file *file, roma_buf *buf, size_t len, uint64_t offset,
                      bool change, void (*work)(struct cfs_job *))
{
        struct cfs_job *j = data_job(op, file, change, work);

        if (!j)
                return;
        j->buf = roma_buf_ref(buf);
        j->job.bytes += len;
        j->want = len;
        j->offset = j->line_off = offset;
        j->length = j->line_len = len;
        j->end = buf_end;
        j->launch = cfs_job_go;
        cfs_order_add(j);
}

void cfs_file_read_buf(struct ri_op *op, roma_file *file, roma_buf *buf, size_t len, uint64_t offset)
{
        size_t room = buf->cap - buf->off;

        start_buf(op, file, buf, len < room ? len : room, offset, false, read_work);
}

void cfs_file_write_buf(struct ri_op *op, roma_file *file, roma_buf *buf, uint64_t offset)
{
        start_buf(op, file, buf, buf->len, offset, true, write_work);
}
