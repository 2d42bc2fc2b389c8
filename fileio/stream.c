/* SPDX-License-Identifier: MIT */
/* Streams: pipes, terminals, sockets and devices, which have no offsets and whose other end may keep us waiting. The
 * loop waits until they are ready, then a worker does what can be done without waiting, and so on: a worker that sat
 * in read() for a typing user would be missing elsewhere. */
#include "fileio/fileio.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core/crc.h"

enum stream_mode {
        MODE_NONBLOCK, /* opened by us with O_NONBLOCK */
        MODE_NOWAIT, /* shared with other processes, to whom O_NONBLOCK would happen too: RWF_NOWAIT for each call */
        MODE_SMALL, /* shared, and the kernel has no RWF_NOWAIT for it: ready means that PIPE_BUF bytes go */
        MODE_BLOCK  /* never makes us wait for anybody: a file, /dev/null */
};

struct fio_stream {
        struct ri_fd watch;
        struct fio_job *waiting; /* for the watch */
        bool unwatchable;
};

bool fio_is_stdio(const struct fio_root *r, const char *key)
{
        return !r->confined && strcmp(key, "-") == 0;
}

int fio_stream_open(struct fio_job *j, struct stat *st)
{
        bool writing = j->flags & ROMA_O_WRITE;
        int fd;

        if (fio_is_stdio(j->root, j->key))
                fd = fcntl(writing ? STDOUT_FILENO : STDIN_FILENO, F_DUPFD_CLOEXEC, 3);
        else
                fd = fio_open(j->root, j->key, (writing ? O_WRONLY : O_RDONLY) | O_NONBLOCK | O_NOCTTY, 0);
        if (fd < 0 && errno == ENXIO && writing && j->attr.type == ROMA_TYPE_FIFO) {
                j->no_reader = true;
                return -1;
        }
        if (fd < 0) {
                fio_job_errno(j, "open");
                return -1;
        }
        if (fstat(fd, st) < 0) {
                fio_job_errno(j, "stat");
                close(fd);
                return -1;
        }
        return fd;
}

static void stream_ready(struct ri_fd *w, unsigned events);

int fio_stream_mode(const struct fio_job *j)
{
        if (j->new_type == S_IFREG)
                return MODE_BLOCK;
        return fio_is_stdio(j->root, j->key) ? MODE_NOWAIT : MODE_NONBLOCK;
}

struct fio_stream *fio_stream_new(struct fio_job *j)
{
        struct fio_stream *s = calloc(1, sizeof(*s));

        if (!s)
                return NULL;
        s->unwatchable = fio_stream_mode(j) == MODE_BLOCK;
        s->watch.fd = j->new_fd;
        s->watch.ready = stream_ready;
        return s;
}

void fio_stream_free(struct fio_stream *s)
{
        if (!s)
                return;
        ri_fd_stop(&s->watch);
        free(s);
}

/* Worker */

static ssize_t some(struct fio_job *j, struct iovec *v)
{
        ssize_t n;

        if (!j->change)
                return read(j->fd->fd, v->iov_base, v->iov_len);
        if (j->fd->stream_mode == MODE_NOWAIT) {
                n = pwritev2(j->fd->fd, v, 1, -1, RWF_NOWAIT);
                if (n >= 0 || (errno != EOPNOTSUPP && errno != EINVAL && errno != ENOSYS))
                        return n;
                j->fd->stream_mode = MODE_SMALL;
        }
        if (j->fd->stream_mode == MODE_SMALL && v->iov_len > PIPE_BUF)
                v->iov_len = PIPE_BUF;
        return write(j->fd->fd, v->iov_base, v->iov_len);
}

/* A read takes what there is, once: it was ready. A write goes on until the other end is full; where one call may
 * wait for room, only one is made for each time it was ready. */
static void stream_work(struct fio_job *j)
{
        unsigned char *p = j->buf->mem + j->buf->off;
        size_t before = j->got;

        j->poll_again = false;
        while (j->got < j->want) {
                struct iovec v = { p + j->got, j->want - j->got };
                ssize_t n = some(j, &v);

                if (n < 0 && errno == EINTR)
                        continue;
                if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK)) {
                        j->poll_again = true;
                        break;
                }
                if (n < 0 || (n == 0 && j->change)) {
                        errno = n < 0 ? errno : ENOSPC;
                        fio_job_errno(j, j->change ? "write" : "read");
                        break;
                }
                j->got += (size_t)n;
                if (!j->change)
                        break;
                if (j->fd->stream_mode == MODE_SMALL && j->got < j->want) {
                        j->poll_again = true;
                        break;
                }
        }
        j->crc = ri_crc32(j->crc, p + before, j->got - before);
        if (j->err)
                j->done += j->got;
}

/* Loop */

static struct fio_stream *stream_of(const struct fio_job *j)
{
        return ((struct fio_file *)j->file->impl)->stream;
}

static void wait_or_go(struct fio_job *j)
{
        struct fio_stream *s = stream_of(j);

        if (!s->unwatchable && ri_fd_start(j->loop, &s->watch, j->change ? RI_WRITE : RI_READ) == 0) {
                s->waiting = j;
                ri_op_waits(j->op, "the other end", NULL);
                return;
        }
        /* epoll takes no files and no /dev/null: they are always ready. What still would not, waits in its worker. */
        s->unwatchable = true;
        if (j->poll_again)
                fcntl(s->watch.fd, F_SETFL, fcntl(s->watch.fd, F_GETFL) & ~O_NONBLOCK);
        fio_job_go(j);
}

static void stream_ready(struct ri_fd *w, unsigned events)
{
        struct fio_stream *s = ri_container_of(w, struct fio_stream, watch);
        struct fio_job *j = s->waiting;

        (void)events;
        ri_fd_stop(w);
        s->waiting = NULL;
        if (j)
                fio_job_go(j);
}

static void stream_end(struct fio_job *j)
{
        if (j->poll_again) {
                ri_op_progress(j->op);
                wait_or_go(j);
                return;
        }
        j->piece_end(j);
}

void fio_stream_leave(struct fio_job *j)
{
        struct fio_stream *s = stream_of(j);

        if (s->waiting != j)
                return;
        ri_fd_stop(&s->watch);
        s->waiting = NULL;
}

/* Reads wait first: a pipe that nobody has opened yet would look like one that has ended. */
static void stream_go(struct fio_job *j)
{
        j->got = 0;
        j->poll_again = false;
        if (j->change)
                fio_job_go(j);
        else
                wait_or_go(j);
}

void fio_stream_job(struct fio_job *j)
{
        j->on_stream = true;
        j->line_off = 0;
        j->line_len = UINT64_MAX;
        j->work = stream_work;
        j->piece_end = j->end;
        j->end = stream_end;
        j->go = stream_go;
}
