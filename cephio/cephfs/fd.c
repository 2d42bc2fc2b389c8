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
        cfs_strays_unref(f->strays);
        free(f->path);
        free(f);
}

struct cfs_strays *cfs_strays_new(void)
{
        struct cfs_strays *s = calloc(1, sizeof(*s));

        if (!s)
                return NULL;
        atomic_init(&s->refs, 1);
        pthread_mutex_init(&s->lock, NULL);
        pthread_cond_init(&s->gone, NULL);
        return s;
}

struct cfs_strays *cfs_strays_ref(struct cfs_strays *s)
{
        atomic_fetch_add(&s->refs, 1);
        return s;
}

/* Thread: any. */
void cfs_strays_unref(struct cfs_strays *s)
{
        if (!s || atomic_fetch_sub(&s->refs, 1) != 1)
                return;
        pthread_cond_destroy(&s->gone);
        pthread_mutex_destroy(&s->lock);
        free(s);
}

/* On the loop, before those that wait for this job are let go. */
void cfs_stray(struct cfs_job *j)
{
        struct cfs_strays *s = j->fd->strays;

        pthread_mutex_lock(&s->lock);
        s->n++;
        pthread_mutex_unlock(&s->lock);
        j->stray = true;
}

/* Thread: any. */
void cfs_stray_end(struct cfs_job *j)
{
        struct cfs_strays *s;

        if (!j->stray)
                return;
        s = j->fd->strays;
        pthread_mutex_lock(&s->lock);
        s->n--;
        pthread_cond_broadcast(&s->gone);
        pthread_mutex_unlock(&s->lock);
}

bool cfs_strays_any(struct cfs_fd *f)
{
        bool any;

        pthread_mutex_lock(&f->strays->lock);
        any = f->strays->n;
        pthread_mutex_unlock(&f->strays->lock);
        return any;
}

bool cfs_settle(struct cfs_job *j)
{
        struct cfs_strays *s = j->fd->strays;
        struct timespec until;
        bool ok;

        pthread_mutex_lock(&s->lock);
        /* j itself may have been counted meanwhile; it must not wait for itself. The look at the clock is for that
         * case, which nobody signals. */
        while (s->n && !j->job.alone && !ri_job_abandoned(&j->job)) {
                clock_gettime(CLOCK_REALTIME, &until);
                until.tv_nsec += 100000000;
                if (until.tv_nsec >= 1000000000) {
                        until.tv_nsec -= 1000000000;
                        until.tv_sec++;
                }
                pthread_cond_timedwait(&s->gone, &s->lock, &until);
        }
        ok = !ri_job_abandoned(&j->job);
        pthread_mutex_unlock(&s->lock);
        return ok;
}
