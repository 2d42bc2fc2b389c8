/* SPDX-License-Identifier: MIT */
/* Reading a folder: the worker fills a batch of entries with their attributes, the loop delivers it, and so on, so
 * that a folder of any size holds one batch of memory and never the loop. */
#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "cephio/cephfs/cephfs.h"

enum { BATCH = 256, BATCH_BYTES = 65536 };

struct cfs_dir {
        struct cfs_mount *mount; /* counted: all batches come from the same */
        struct ceph_dir_result *dir;
        bool end;
        ri_dirent_fn *fn;
        void *arg;
        size_t n, used;
        struct {
                size_t name, len;
                roma_attr attr;
        } ent[BATCH];
        char names[BATCH_BYTES];
};

static void close_dir(struct cfs_dir *d)
{
        if (d->dir)
                ceph_closedir(d->mount->cm, d->dir);
        if (d->mount)
                cfs_mount_put_within(d->mount, 2000);
        d->dir = NULL;
        d->mount = NULL;
}

static void dir_release(struct cfs_job *j)
{
        if (j->dir)
                close_dir(j->dir);
        free(j->dir);
}

static bool open_dir(struct cfs_job *j)
{
        struct cfs_dir *d = j->dir;
        char *path = cfs_resolve(j, false, true);
        int r;

        if (!path)
                return false;
        r = ceph_opendir(j->mount->cm, path, &d->dir);
        free(path);
        if (r < 0) {
                d->dir = NULL;
                cfs_job_error(j, r, "open folder");
                return false;
        }
        d->mount = cfs_mount_ref(j->mount);
        return true;
}

static void take_entry(struct cfs_dir *d, const char *name, size_t len, const struct ceph_statx *st)
{
        cfs_attr(&d->ent[d->n].attr, st);
        d->ent[d->n].name = d->used;
        d->ent[d->n].len = len;
        memcpy(d->names + d->used, name, len);
        d->used += len;
        d->n++;
}

static void fill(struct cfs_job *j)
{
        struct cfs_dir *d = j->dir;

        while (d->n < BATCH && sizeof(d->names) - d->used > NAME_MAX && !ri_job_abandoned(&j->job)) {
                struct ceph_statx st;
                struct dirent e;
                int r = ceph_readdirplus_r(d->mount->cm, d->dir, &e, &st, CFS_STATX, AT_SYMLINK_NOFOLLOW,
                                           NULL);

                if (r == -ENOENT) /* it vanished between the two looks */
                        continue;
                if (r < 0) {
                        cfs_job_error(j, r, "read folder");
                        return;
                }
                if (r == 0) {
                        d->end = true;
                        return;
                }
                if (strcmp(e.d_name, ".") != 0 && strcmp(e.d_name, "..") != 0)
                        take_entry(d, e.d_name, strnlen(e.d_name, sizeof(e.d_name)), &st);
        }
}

static void readdir_work(struct cfs_job *j)
{
        struct cfs_dir *d = j->dir;
        uint64_t t = cfs_phase_start(j);

        if (!d->dir && !open_dir(j))
                return;
        fill(j);
        cfs_job_phase(j, "mds_readdir", t, 0);
        if (!j->err)
                j->again = false; /* what is delivered cannot be taken back */
        else if (j->again)
                close_dir(d);
        if (j->err)
                d->n = d->used = 0;
}

/* The receiver may end the operation from inside its call; the job then no longer has one. */
static bool deliver(struct cfs_job *j)
{
        struct cfs_dir *d = j->dir;

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

static void readdir_end(struct cfs_job *j)
{
        struct cfs_dir *d = j->dir;

        atomic_fetch_add(&j->refs, 1);
        if (deliver(j)) {
                d->n = d->used = 0;
                ri_op_progress(j->op);
                if (!d->end)
                        cfs_job_go(j);
                else
                        cfs_job_finish(j);
        }
        cfs_job_unref(j);
}

void cfs_readdir(struct ri_op *op, const char *key, ri_dirent_fn *fn, void *arg)
{
        struct cfs_job *j = cfs_job_new(op, key, NULL);

        if (!j)
                return;
        j->dir = calloc(1, sizeof(*j->dir));
        if (!j->dir) {
                op->impl = NULL;
                cfs_job_unref(j);
                ri_op_fail(op, ROMA_ENOMEM, "no memory for a batch of names");
                return;
        }
        j->job.bytes += sizeof(*j->dir);
        j->release = dir_release;
        j->dir->fn = fn;
        j->dir->arg = arg;
        j->again = true;
        j->guard = true;
        j->work = readdir_work;
        j->end = readdir_end;
        cfs_job_go(j);
}
