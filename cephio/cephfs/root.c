/* SPDX-License-Identifier: MIT */
/* What a store and its jobs share: where its keys lie, and which mount is used now. */
#include <stdlib.h>

#include "cephio/cephfs/cephfs.h"

struct cfs_root *cfs_root_new(void)
{
        struct cfs_root *r = calloc(1, sizeof(*r));

        if (!r)
                return NULL;
        atomic_init(&r->refs, 1);
        pthread_mutex_init(&r->lock, NULL);
        ri_list_init(&r->lines);
        return r;
}

struct cfs_root *cfs_root_ref(struct cfs_root *r)
{
        atomic_fetch_add(&r->refs, 1);
        return r;
}

/* Thread: any. A job that found a mount after the store had closed may be the last to hold it, in its worker. */
void cfs_root_unref(struct cfs_root *r)
{
        if (!r || atomic_fetch_sub(&r->refs, 1) != 1)
                return;
        cfs_mount_put(r->mount);
        cfs_lines_free(r, true);
        pthread_mutex_destroy(&r->lock);
        cfs_conf_clear(&r->conf);
        free(r->path);
        free(r);
}

static struct cfs_mount *current(struct cfs_root *r)
{
        struct cfs_mount *m;

        pthread_mutex_lock(&r->lock);
        m = r->mount;
        if (m && cfs_mount_listed(m))
                cfs_mount_ref(m);
        else
                m = NULL;
        pthread_mutex_unlock(&r->lock);
        return m;
}

struct cfs_mount *cfs_root_mount(struct cfs_root *r, struct cfs_call *call, struct cfs_why *why)
{
        struct cfs_mount *m = current(r), *old;

        if (m)
                return m;
        m = cfs_mount_get(&r->conf, call, why);
        if (!m)
                return NULL;
        cfs_mount_ref(m);
        pthread_mutex_lock(&r->lock);
        old = r->mount;
        r->mount = m;
        pthread_mutex_unlock(&r->lock);
        cfs_mount_put(old);
        return m;
}

struct cfs_mount *cfs_root_take(struct cfs_root *r)
{
        struct cfs_mount *m;

        pthread_mutex_lock(&r->lock);
        m = r->mount;
        r->mount = NULL;
        pthread_mutex_unlock(&r->lock);
        return m;
}
