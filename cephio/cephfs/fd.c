/* SPDX-License-Identifier: MIT */
/* Open descriptors, shared by a file and the jobs on it. */
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "cephio/cephfs/cephfs.h"

struct cfs_fd *cfs_fd_new(struct cfs_mount *m, int fd, const char *path)
{
        struct cfs_fd *f = calloc(1, sizeof(*f));

        if (f)
                f->path = strdup(path);
        if (!f || !f->path) {
                free(f);
                return NULL;
        }
        atomic_init(&f->refs, 1);
        pthread_mutex_init(&f->lock, NULL);
        pthread_cond_init(&f->gone, NULL);
        f->fd = fd;
        f->mount = cfs_mount_ref(m);
        return f;
}

struct cfs_fd *cfs_fd_ref(struct cfs_fd *f)
{
        atomic_fetch_add(&f->refs, 1);
        return f;
}

/* Thread: any; the last user. */
void cfs_fd_unref(struct cfs_fd *f)
{
        if (!f || atomic_fetch_sub(&f->refs, 1) != 1)
                return;
        if (f->fd >= 0)
                ceph_close(f->mount->cm, f->fd);
        cfs_mount_put_within(f->mount, 2000);
        pthread_cond_destroy(&f->gone);
        pthread_mutex_destroy(&f->lock);
        free(f->path);
        free(f);
}

/* On the loop, before those that wait for this job are let go. */
void cfs_stray(struct cfs_job *j)
{
        pthread_mutex_lock(&j->fd->lock);
        j->fd->strays++;
        pthread_mutex_unlock(&j->fd->lock);
        j->stray = true;
}

bool cfs_settle(struct cfs_job *j)
{
        struct cfs_fd *f = j->fd;
        struct timespec until;
        bool ok;

        pthread_mutex_lock(&f->lock);
        /* j itself may have been counted meanwhile; it must not wait for itself. The look at the clock is for that
         * case, which nobody signals. */
        while (f->strays && !ri_job_abandoned(&j->job)) {
                clock_gettime(CLOCK_REALTIME, &until);
                until.tv_nsec += 100000000;
                if (until.tv_nsec >= 1000000000) {
                        until.tv_nsec -= 1000000000;
                        until.tv_sec++;
                }
                pthread_cond_timedwait(&f->gone, &f->lock, &until);
        }
        ok = !ri_job_abandoned(&j->job);
        pthread_mutex_unlock(&f->lock);
        return ok;
}
