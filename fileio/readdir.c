/* SPDX-License-Identifier: MIT */
/* Reading a folder: the worker fills a batch of entries with their attributes, the loop delivers it, and so on, so
 * that a folder of any size holds one batch of memory and never the loop. */
#include "fileio/fileio.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { BATCH = 256, BATCH_BYTES = 65536 };

struct fio_dir {
        DIR *dir;
        bool end;
        struct dirent *left; /* read, but its name did not fit into the batch */
        ri_dirent_fn *fn;
        void *arg;
        size_t n, used;
        struct {
                size_t name, len;
                roma_attr attr;
        } ent[BATCH];
        char names[BATCH_BYTES];
};

static void dir_release(struct fio_job *j)
{
        if (j->dir && j->dir->dir)
                closedir(j->dir->dir);
        free(j->dir);
}

static bool open_dir(struct fio_job *j)
{
        int fd = fio_open(j->root, j->key, O_RDONLY | O_DIRECTORY | O_NONBLOCK, 0);

        if (fd < 0) {
                fio_job_errno(j, "open folder");
                if (j->err == EXDEV)
                        j->err = FIO_OUTSIDE;
                return false;
        }
        j->dir->dir = fdopendir(fd);
        if (j->dir->dir)
                return true;
        fio_job_errno(j, "open folder");
        close(fd);
        return false;
}

/* A name that vanishes between the two calls is left out. Any other failure ends the read: a folder that seems to have
 * fewer names than it has would let a sync remove their copies. */
static bool take_entry(struct fio_job *j, const struct dirent *e, size_t len)
{
        struct fio_dir *d = j->dir;
        struct stat st;

        if (fstatat(dirfd(d->dir), e->d_name, &st, AT_SYMLINK_NOFOLLOW) < 0) {
                if (errno == ENOENT)
                        return true;
                fio_job_errno(j, "stat in folder");
                return false;
        }
        fio_attr(&d->ent[d->n].attr, &st);
        d->ent[d->n].name = d->used;
        d->ent[d->n].len = len;
        memcpy(d->names + d->used, e->d_name, len);
        d->used += len;
        d->n++;
        return true;
}

static void readdir_work(struct fio_job *j)
{
        struct fio_dir *d = j->dir;

        if (!d->dir && !open_dir(j))
                return;
        while (d->n < BATCH && !ri_job_abandoned(&j->job)) {
                struct dirent *e = d->left;
                size_t len;

                errno = 0;
                if (!e)
                        e = readdir(d->dir);
                d->left = NULL;
                if (!e) {
                        d->end = true;
                        if (errno)
                                fio_job_errno(j, "read folder");
                        return;
                }
                len = strlen(e->d_name);
                if (strcmp(e->d_name, ".") == 0 || strcmp(e->d_name, "..") == 0)
                        continue;
                if (len > sizeof(d->names) - d->used) {
                        d->left = e;
                        return;
                }
                if (!take_entry(j, e, len))
                        return;
        }
}

/* The receiver may end the operation from inside its call; the job then no longer has one. */
static bool deliver(struct fio_job *j)
{
        struct fio_dir *d = j->dir;

        for (size_t i = 0; i < d->n; i++) {
                struct ri_dirent ent = { d->names + d->ent[i].name, d->ent[i].len, &d->ent[i].attr };

                if (!d->fn(d->arg, &ent)) {
                        d->end = true;
                        break;
                }
                if (!j->op)
                        return false;
        }
        return j->op != NULL;
}

static void readdir_end(struct fio_job *j)
{
        struct fio_dir *d = j->dir;
        struct ri_op *op;

        atomic_fetch_add(&j->refs, 1);
        if (deliver(j)) {
                d->n = d->used = 0;
                ri_op_progress(j->op);
                if (!d->end) {
                        fio_job_go(j);
                } else {
                        op = fio_job_detach(j);
                        fio_job_unref(j);
                        ri_op_finish(op);
                }
        }
        fio_job_unref(j);
}

void fio_readdir(struct ri_op *op, const char *key, ri_dirent_fn *fn, void *arg)
{
        struct fio_job *j = fio_job_new(op, key, NULL);

        if (!j)
                return;
        j->dir = calloc(1, sizeof(*j->dir));
        if (!j->dir) {
                op->impl = NULL;
                fio_job_unref(j);
                ri_op_fail(op, ROMA_ENOMEM, "no memory for a batch of names");
                return;
        }
        j->job.bytes += sizeof(*j->dir);
        j->release = dir_release;
        j->dir->fn = fn;
        j->dir->arg = arg;
        j->work = readdir_work;
        j->end = readdir_end;
        fio_job_go(j);
}
