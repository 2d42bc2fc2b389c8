/* SPDX-License-Identifier: MIT */
/* Operations on names: stat, unlink, mkdir, rename, links, attributes. Each is a job and a few system calls. */
#include "fileio/fileio.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "core/str.h"

/* In a worker: a failed fio_open(). EXDEV can only come from the confinement there. */
static void open_failed(struct fio_job *j)
{
        fio_job_errno(j, "open");
        if (j->err == EXDEV)
                j->err = FIO_OUTSIDE;
}

static int open_key(struct fio_job *j, int flags)
{
        int fd = fio_open(j->root, j->key, flags, 0);

        if (fd < 0)
                open_failed(j);
        return fd;
}

static int open_parent(struct fio_job *j, bool second, const char **base)
{
        int fd;

        j->second = second;
        fd = fio_open_parent(j->root, second ? j->key2 : j->key, base);
        if (fd < 0)
                open_failed(j);
        return fd;
}

static void finish(struct fio_job *j)
{
        struct ri_op *op = fio_job_detach(j);

        fio_job_unref(j);
        ri_op_finish(op);
}

static void finish_attr(struct fio_job *j)
{
        ri_op_set_attr(j->op, &j->attr);
        finish(j);
}

static struct fio_job *start(struct ri_op *op, const char *key, const char *key2, bool change,
                             void (*work)(struct fio_job *), void (*end)(struct fio_job *))
{
        struct fio_job *j = fio_job_new(op, key, key2);

        if (!j)
                return NULL;
        j->change = change;
        j->work = work;
        j->end = end;
        return j;
}

static void go(struct fio_job *j)
{
        if (j)
                fio_job_go(j);
}

static void stat_fd(struct fio_job *j, int fd)
{
        struct stat st;

        if (fstat(fd, &st) < 0)
                fio_job_errno(j, "stat");
        else
                fio_attr(&j->attr, &st);
}

/* What a writer wants to know of "-": that it is no file to be replaced. */
static void stat_stdio(struct fio_job *j)
{
        struct stat st;

        memset(&st, 0, sizeof(st));
        st.st_mode = S_IFIFO | 0600;
        fio_attr(&j->attr, &st);
}

static void stat_work(struct fio_job *j)
{
        int fd;

        if (fio_is_stdio(j->root, j->key)) {
                stat_stdio(j);
                return;
        }
        fd = open_key(j, O_PATH | (j->flags & ROMA_NOFOLLOW ? O_NOFOLLOW : 0));

        if (fd < 0)
                return;
        stat_fd(j, fd);
        close(fd);
}

void fio_stat(struct ri_op *op, const char *key, unsigned flags)
{
        struct fio_job *j = start(op, key, NULL, false, stat_work, finish_attr);

        if (j)
                j->flags = flags;
        go(j);
}

static int unlink_temporary(struct fio_job *j, int fd, const char *base)
{
        static const struct timespec pause = { .tv_nsec = 1000000 };

        while (atomic_load(&j->root->being_made) && !j->job.alone && !ri_job_abandoned(&j->job))
                nanosleep(&pause, NULL);
        return unlinkat(fd, base, 0);
}

static void unlink_work(struct fio_job *j)
{
        const char *base;
        int fd = open_parent(j, false, &base);
        int rc;

        if (fd < 0)
                return;
        rc = unlinkat(fd, base, 0);
        if (rc < 0 && errno == ENOENT && ri_temp_is(base, strlen(base)))
                rc = unlink_temporary(j, fd, base);
        if (rc < 0)
                fio_job_errno(j, "remove");
        close(fd);
}

void fio_unlink(struct ri_op *op, const char *key, unsigned flags)
{
        (void)flags; /* there is no trash to pass by */
        go(start(op, key, NULL, true, unlink_work, finish));
}

static void mkdir_work(struct fio_job *j)
{
        const char *base;
        int fd = open_parent(j, false, &base);

        if (fd < 0)
                return;
        if (mkdirat(fd, base, j->mode & 07777) < 0)
                fio_job_errno(j, "make folder");
        close(fd);
}

void fio_mkdir(struct ri_op *op, const char *key, uint32_t mode)
{
        struct fio_job *j = start(op, key, NULL, true, mkdir_work, finish);

        if (j)
                j->mode = mode;
        go(j);
}

static void rmdir_work(struct fio_job *j)
{
        const char *base;
        int fd = open_parent(j, false, &base);

        if (fd < 0)
                return;
        if (unlinkat(fd, base, AT_REMOVEDIR) < 0)
                fio_job_errno(j, "remove folder");
        close(fd);
}

void fio_rmdir(struct ri_op *op, const char *key)
{
        go(start(op, key, NULL, true, rmdir_work, finish));
}

/* Where the kernel or the filesystem has no RENAME_NOREPLACE: a link fails when the name exists, just as atomically,
 * but not for folders. Between the two calls both names are there. */
static void rename_by_link(struct fio_job *j, int from, const char *from_base, int to, const char *to_base)
{
        if (linkat(from, from_base, to, to_base, 0) < 0) {
                int err = errno;
                struct stat st;

                if (err != EEXIST && fstatat(from, from_base, &st, AT_SYMLINK_NOFOLLOW) == 0 &&
                    S_ISDIR(st.st_mode)) {
                        j->code = ROMA_ENOTSUP;
                        j->text = strdup("this filesystem cannot rename a folder without replacing");
                        return;
                }
                errno = err;
                j->second = true;
                fio_job_errno(j, "link");
        } else if (unlinkat(from, from_base, 0) < 0) {
                j->done = 1; /* the new name stays */
                j->second = false;
                fio_job_errno(j, "remove");
        }
}

static void rename_at(struct fio_job *j, int from, const char *from_base, int to, const char *to_base)
{
        int r;

        if (j->flags & ROMA_RENAME_NOREPLACE) {
                r = (int)syscall(SYS_renameat2, from, from_base, to, to_base, 1 /* RENAME_NOREPLACE */);
                if (r < 0 && (errno == EINVAL || errno == ENOSYS)) {
                        rename_by_link(j, from, from_base, to, to_base);
                        return;
                }
        } else {
                r = renameat(from, from_base, to, to_base);
        }
        if (r < 0) {
                /* Which of the two names is meant decides what the sentence names. */
                j->second = errno != ENOENT;
                fio_job_errno(j, "rename");
        }
}

/* A finished object: its bytes are safe, and from here on its name has to be too. Whoever is told that it is there may
 * remove the only other copy. */
static void name_safe(struct fio_job *j, int folder, const char *from_base)
{
        int fd;

        if (j->code || (j->err && !j->done) || !ri_temp_is(from_base, strlen(from_base)))
                return;
        fd = openat(folder, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        if (fd < 0)
                return; /* a folder that may be written and not be read: there is no way */
        if (fsync(fd) < 0 && errno != EINVAL && errno != ENOTSUP) {
                j->unsafe = true;
                j->second = true;
                fio_job_errno(j, "fsync the folder of");
        }
        close(fd);
}

static void rename_work(struct fio_job *j)
{
        const char *from_base, *to_base;
        int from = open_parent(j, false, &from_base), to;

        if (from < 0)
                return;
        to = open_parent(j, true, &to_base);
        if (to >= 0) {
                rename_at(j, from, from_base, to, to_base);
                name_safe(j, to, from_base);
                close(to);
        }
        close(from);
}

void fio_rename(struct ri_op *op, const char *from, const char *to, unsigned flags)
{
        struct fio_job *j = start(op, from, to, true, rename_work, finish);

        if (j)
                j->flags = flags;
        go(j);
}

static void link_work(struct fio_job *j)
{
        const char *from_base, *to_base;
        int from = open_parent(j, false, &from_base), to;

        if (from < 0)
                return;
        to = open_parent(j, true, &to_base);
        if (to >= 0) {
                if (linkat(from, from_base, to, to_base, 0) < 0) {
                        j->second = errno == EEXIST;
                        fio_job_errno(j, "link");
                }
                name_safe(j, to, from_base);
                close(to);
        }
        close(from);
}

void fio_link(struct ri_op *op, const char *key, const char *name)
{
        go(start(op, key, name, true, link_work, finish));
}

/* key: the new name; key2: the target, which is text and no place. */
static void symlink_work(struct fio_job *j)
{
        const char *base;
        int fd = open_parent(j, false, &base);

        if (fd < 0)
                return;
        if (symlinkat(j->key2, fd, base) < 0)
                fio_job_errno(j, "make symbolic link");
        close(fd);
}

void fio_symlink(struct ri_op *op, const char *target, const char *name)
{
        go(start(op, name, target, true, symlink_work, finish));
}

static void readlink_work(struct fio_job *j)
{
        struct stat st;
        ssize_t n = -1;
        int fd = open_key(j, O_PATH | O_NOFOLLOW);

        if (fd < 0)
                return;
        j->text = malloc(PATH_MAX + 1);
        if (!j->text) {
                errno = ENOMEM;
        } else if (fstat(fd, &st) == 0 && !S_ISLNK(st.st_mode)) {
                errno = EINVAL;
        } else {
                n = readlinkat(fd, "", j->text, PATH_MAX);
        }
        if (n < 0)
                fio_job_errno(j, "read symbolic link");
        else
                j->text_len = (size_t)n;
        if (n < 0 && j->err == EINVAL) {
                j->code = ROMA_EINVAL;
                free(j->text);
                j->text = strdup("it is not a symbolic link");
        }
        close(fd);
}

static void readlink_end(struct fio_job *j)
{
        if (ri_op_set_text(j->op, j->text, j->text_len) < 0) {
                fio_job_detach(j); /* it has failed for want of memory */
                fio_job_unref(j);
                return;
        }
        finish(j);
}

void fio_readlink(struct ri_op *op, const char *key)
{
        go(start(op, key, NULL, false, readlink_work, readlink_end));
}

static void setattr_work(struct fio_job *j)
{
        int fd = open_key(j, O_PATH | (j->flags & ROMA_NOFOLLOW ? O_NOFOLLOW : 0));
        bool part = false;

        if (fd < 0)
                return;
        if (fio_set_attr(fd, true, &j->attr, &part) < 0)
                fio_job_errno(j, "change attributes of");
        else
                stat_fd(j, fd);
        j->done = part; /* for the outcome of a failure */
        close(fd);
}

void fio_setattr(struct ri_op *op, const char *key, const roma_attr *attr, unsigned flags)
{
        struct fio_job *j = start(op, key, NULL, true, setattr_work, finish_attr);

        if (j) {
                j->flags = flags;
                j->attr = *attr;
        }
        go(j);
}
