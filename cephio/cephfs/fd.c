/* SPDX-License-Identifier: MIT */
/* Open descriptors, shared by a file and the jobs on it. */
#include <stdlib.h>
#include <string.h>

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
        ri_strays_unref(f->strays);
        free(f->path);
        free(f);
}
