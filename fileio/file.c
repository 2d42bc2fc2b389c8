/* SPDX-License-Identifier: MIT */
/* Open files: opening without waiting for whoever holds the other end of a pipe, closing, attributes, fsync. */
#include "fileio/fileio.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/vfs.h>
#include <unistd.h>

enum { AGAIN_MS = 50 }; /* how often a pipe is looked at that nobody reads yet */

static int open_flags(unsigned flags)
{
        int fl = O_NONBLOCK | O_NOCTTY;

        if (flags & ROMA_O_WRITE)
                fl |= flags & ROMA_O_READ ? O_RDWR : O_WRONLY;
        if (flags & ROMA_O_CREATE)
                fl |= O_CREAT;
        if (flags & ROMA_O_EXCL)
                fl |= O_EXCL;
        if (flags & ROMA_O_TRUNC)
                fl |= O_TRUNC;
        if (flags & ROMA_O_NOFOLLOW)
                fl |= O_NOFOLLOW;
        return fl;
}

static void open_failed(struct fio_job *j)
{
        fio_job_errno(j, "open");
        if (j->err == EXDEV)
                j->err = FIO_OUTSIDE;
}

/* Files of /proc and /sys are made while they are read, and what they say about their length is not true. */
static bool made_on_reading(int fd, const struct stat *st)
{
        struct statfs fs;

        if (!S_ISREG(st->st_mode) || st->st_blocks != 0 || fstatfs(fd, &fs) < 0)
                return false;
        return fs.f_type == PROC_SUPER_MAGIC || fs.f_type == SYSFS_MAGIC || fs.f_type == CGROUP2_SUPER_MAGIC;
}

/* Whether what is there can be opened for offsets. */
static bool type_fits(struct fio_job *j, int fd, const struct stat *st)
{
        fio_attr(&j->attr, st);
        j->dev = st->st_dev;
        if (S_ISREG(st->st_mode))
                return !(j->flags & RI_O_STREAM) || !made_on_reading(fd, st);
        if (S_ISDIR(st->st_mode)) {
                errno = EISDIR;
                fio_job_errno(j, "open");
        } else if (!(j->flags & RI_O_STREAM)) {
                j->code = ROMA_ENOTSUP;
                j->text = strdup(
                        "it is a pipe, a device or a socket, which has no bytes at offsets; put and get "
                        "take its local path");
        }
        return false;
}

enum look { LOOK_OPEN, LOOK_STREAM, LOOK_FAILED };

/* Opening a pipe or a device does things to it, so its type is looked at before. */
static enum look look(struct fio_job *j)
{
        struct stat st;
        enum look r;
        int fd;

        if (fio_is_stdio(j->root, j->key))
                return LOOK_STREAM;
        fd = fio_open(j->root, j->key, O_PATH | (j->flags & ROMA_O_NOFOLLOW ? O_NOFOLLOW : 0), 0);
        if (fd < 0) {
                if (errno == ENOENT && j->flags & ROMA_O_CREATE)
                        return LOOK_OPEN;
                open_failed(j);
                return LOOK_FAILED;
        }
        if (fstat(fd, &st) < 0) {
                fio_job_errno(j, "stat");
                r = LOOK_FAILED;
        } else if (S_ISLNK(st.st_mode) || type_fits(j, fd, &st)) {
                r = LOOK_OPEN; /* open(2) has the right words for a link that is not to be followed */
        } else {
                r = j->err || j->code ? LOOK_FAILED : LOOK_STREAM;
        }
        close(fd);
        return r;
}

static void open_stream(struct fio_job *j)
{
        struct stat st;

        j->new_fd = fio_stream_open(j, &st);
        if (j->new_fd < 0)
                return;
        fio_attr(&j->attr, &st);
        /* Also of a regular file behind standard input: it is read from where it stands. */
        j->attr.mask &= ~(uint32_t)(ROMA_ATTR_LENGTH | ROMA_ATTR_ETAG);
        j->new_stream = true;
        j->new_type = st.st_mode & S_IFMT;
}

static void open_work(struct fio_job *j)
{
        enum look l = j->flags & ROMA_O_EXCL ? LOOK_OPEN : look(j);
        struct stat st;
        int fd;

        if (l == LOOK_STREAM)
                open_stream(j);
        if (l != LOOK_OPEN)
                return;
        fd = fio_open(j->root, j->key, open_flags(j->flags), j->mode & 07777);
        if (fd < 0) {
                open_failed(j);
                return;
        }
        if (fstat(fd, &st) < 0)
                fio_job_errno(j, "stat");
        else if (type_fits(j, fd, &st))
                j->new_fd = fd;
        else if (!j->err && !j->code) /* it was a file when we looked */
                j->code = ROMA_EBUSY;
        if (j->new_fd < 0)
                close(fd);
}

static void open_again(struct ri_timer *t)
{
        fio_job_go(ri_container_of(t, struct fio_job, again));
}

static void open_leave(struct fio_job *j)
{
        ri_timer_stop(&j->again);
}

static void open_nomem(struct fio_job *j)
{
        j->code = ROMA_ENOMEM;
        fio_job_fail(j);
        fio_job_unref(j);
}

/* The two ends of a pipe must not wait for each other: each stream has a line of its own. */
static struct fio_line *line_of(struct fio_job *j, struct fio_file *f)
{
        if (f->stream)
                return fio_line_ref(j->root, UINT64_MAX, (uintptr_t)f);
        return fio_line_ref(j->root, j->dev, j->attr.inode);
}

static void open_end(struct fio_job *j)
{
        struct fio_file *f;
        struct ri_op *op;

        if (j->no_reader) {
                j->no_reader = false;
                ri_op_waits(j->op, "somebody to read from the pipe", NULL);
                if (ri_timer_start(j->loop, &j->again, AGAIN_MS) < 0)
                        open_nomem(j);
                return;
        }
        f = calloc(1, sizeof(*f));
        if (f && j->new_stream)
                f->stream = fio_stream_new(j);
        if (f && (f->stream || !j->new_stream))
                f->line = line_of(j, f);
        if (f && f->line)
                f->fd = fio_fd_new(j->new_fd, f->line->strays);
        if (!f || !f->fd) {
                if (f && f->line)
                        fio_line_unref(j->root, f->line);
                if (f)
                        fio_stream_free(f->stream);
                free(f);
                open_nomem(j);
                return;
        }
        if (j->new_stream)
                f->fd->stream_mode = fio_stream_mode(j);
        j->new_fd = -1;
        j->file->impl = f;
        ri_op_set_attr(j->op, &j->attr);
        op = fio_job_detach(j);
        fio_job_unref(j);
        ri_op_finish(op);
}

void fio_file_open(struct ri_op *op, roma_file *file, const char *key, unsigned flags, uint32_t mode)
{
        struct fio_job *j = fio_job_new(op, key, NULL);
        const char *base = strrchr(key, '/');

        if (!j)
                return;
        base = base ? base + 1 : key;
        j->temporary = flags & ROMA_O_EXCL && ri_temp_is(base, strlen(base));
        j->file = file;
        j->flags = flags;
        j->mode = mode;
        j->change = flags & (ROMA_O_CREATE | ROMA_O_TRUNC);
        j->work = open_work;
        j->end = open_end;
        j->leave = open_leave;
        j->again.fire = open_again;
        fio_job_go(j);
}

/* Only a stray can hold the descriptor beside us; then it closes it. */
static void close_work(struct fio_job *j)
{
        int fd = j->fd->fd;

        if (atomic_load(&j->fd->refs) != 1)
                return;
        j->fd->fd = -1;
        if (close(fd) < 0 && errno != EINTR)
                fio_job_errno(j, "close");
}

static void finish(struct fio_job *j)
{
        struct ri_op *op = fio_job_detach(j);

        fio_job_unref(j);
        ri_op_finish(op);
}

void fio_file_close(struct ri_op *op, roma_file *file)
{
        struct fio_file *f = file->impl;
        struct fio_fd *fd = f->fd;
        struct fio_job *j = fio_job_new(op, file->key, NULL);

        file->impl = NULL;
        fio_line_unref(fio_root_of(file->store), f->line);
        fio_stream_free(f->stream);
        free(f);
        if (!j) {
                fio_fd_unref(fd);
                return;
        }
        if (!j->root)
                j->root = fio_root_ref(fio_root_of(file->store));
        j->fd = fd;
        j->keep = true;
        j->work = close_work;
        j->end = finish;
        fio_job_go(j);
}

/* At once and here: the loop goes away. */
void fio_file_drop(roma_file *file)
{
        struct fio_file *f = file->impl;

        file->impl = NULL;
        fio_stream_free(f->stream);
        fio_fd_unref(f->fd);
        fio_line_unref(fio_root_of(file->store), f->line);
        free(f);
}

static void fsync_work(struct fio_job *j)
{
        if (fsync(j->fd->fd) < 0 && errno != EINVAL)
                fio_job_errno(j, "fsync");
}

static struct fio_job *fd_job(struct ri_op *op, roma_file *file, void (*work)(struct fio_job *),
                              void (*end)(struct fio_job *))
{
        struct fio_file *f = file->impl;
        struct fio_job *j = fio_job_new(op, file->key, NULL);

        if (!j)
                return NULL;
        j->fd = fio_fd_ref(f->fd);
        j->work = work;
        j->end = end;
        return j;
}

void fio_file_fsync(struct ri_op *op, roma_file *file)
{
        struct fio_job *j = fd_job(op, file, fsync_work, finish);

        if (j)
                fio_job_go(j);
}

static void stat_work(struct fio_job *j)
{
        struct stat st;

        if (fstat(j->fd->fd, &st) < 0)
                fio_job_errno(j, "stat");
        else
                fio_attr(&j->attr, &st);
}

static void stat_end(struct fio_job *j)
{
        ri_op_set_attr(j->op, &j->attr);
        finish(j);
}

void fio_file_stat(struct ri_op *op, roma_file *file)
{
        struct fio_job *j = fd_job(op, file, stat_work, stat_end);

        if (j)
                fio_job_go(j);
}

static void setattr_work(struct fio_job *j)
{
        bool part = false;

        if (fio_set_attr(j->fd->fd, false, &j->attr, &part) < 0)
                fio_job_errno(j, "change attributes of");
        else
                stat_work(j);
        j->done = part; /* for the outcome of a failure */
}

void fio_file_setattr(struct ri_op *op, roma_file *file, const roma_attr *attr)
{
        struct fio_job *j = fd_job(op, file, setattr_work, stat_end);

        if (!j)
                return;
        j->change = true;
        j->attr = *attr;
        fio_job_go(j);
}
