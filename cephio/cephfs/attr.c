/* SPDX-License-Identifier: MIT */
/* Attributes: from what libcephfs knows, and to be changed. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "cephio/cephfs/cephfs.h"

static uint32_t type_of(mode_t m)
{
        switch (m & S_IFMT) {
        case S_IFREG: return ROMA_TYPE_FILE;
        case S_IFDIR: return ROMA_TYPE_DIR;
        case S_IFLNK: return ROMA_TYPE_SYMLINK;
        case S_IFIFO: return ROMA_TYPE_FIFO;
        case S_IFBLK: return ROMA_TYPE_BLOCKDEV;
        case S_IFCHR: return ROMA_TYPE_CHARDEV;
        case S_IFSOCK: return ROMA_TYPE_SOCKET;
        default: return ROMA_TYPE_UNKNOWN;
        }
}

static int64_t to_ns(const struct timespec *t)
{
        return (int64_t)t->tv_sec * 1000000000 + t->tv_nsec;
}

void cfs_attr(roma_attr *a, const struct ceph_statx *st)
{
        memset(a, 0, sizeof(*a));
        a->size = sizeof(*a);
        a->mask = ROMA_ATTR_TYPE | ROMA_ATTR_MODE | ROMA_ATTR_UID | ROMA_ATTR_GID | ROMA_ATTR_ATIME |
                  ROMA_ATTR_MTIME | ROMA_ATTR_CTIME | ROMA_ATTR_NLINK | ROMA_ATTR_INODE | ROMA_ATTR_BLOCKS;
        a->type = type_of(st->stx_mode);
        a->mode = st->stx_mode & 07777;
        a->uid = st->stx_uid;
        a->gid = st->stx_gid;
        a->nlink = st->stx_nlink;
        a->inode = st->stx_ino;
        a->blocks = st->stx_blocks * 512;
        a->atime_ns = to_ns(&st->stx_atime);
        a->mtime_ns = to_ns(&st->stx_mtime);
        a->ctime_ns = to_ns(&st->stx_ctime);
        if (!S_ISREG(st->stx_mode) && !S_ISLNK(st->stx_mode) && !S_ISDIR(st->stx_mode))
                return;
        a->mask |= ROMA_ATTR_LENGTH;
        a->length = st->stx_size;
        if (!S_ISREG(st->stx_mode))
                return;
        a->mask |= ROMA_ATTR_ETAG;
        snprintf(a->etag, sizeof(a->etag), "%" PRIx64 "-%" PRIx64 "-%" PRIx64, (uint64_t)st->stx_ino,
                 (uint64_t)a->mtime_ns, a->length);
}

/* The cluster keeps unsigned seconds of 32 bits. What lies outside becomes the nearest that there is, as with the kernel's client:
 * libcephfs would cut off the rest of the number, and a file of 1969 be one of 2106. */
static struct timespec from_ns(int64_t ns)
{
        const int64_t most = (int64_t)UINT32_MAX * 1000000000;

        ns = ns < 0 ? 0 : ns > most ? most : ns;
        return (struct timespec){ .tv_sec = (time_t)(ns / 1000000000), .tv_nsec = (long)(ns % 1000000000) };
}

int cfs_attr_to_statx(struct ceph_statx *st, const roma_attr *a)
{
        int mask = 0;

        memset(st, 0, sizeof(*st));
        if (a->mask & ROMA_ATTR_MODE) {
                st->stx_mode = a->mode & 07777;
                mask |= CEPH_SETATTR_MODE;
        }
        if (a->mask & ROMA_ATTR_UID) {
                st->stx_uid = a->uid;
                mask |= CEPH_SETATTR_UID;
        }
        if (a->mask & ROMA_ATTR_GID) {
                st->stx_gid = a->gid;
                mask |= CEPH_SETATTR_GID;
        }
        if (a->mask & ROMA_ATTR_ATIME) {
                st->stx_atime = from_ns(a->atime_ns);
                mask |= CEPH_SETATTR_ATIME;
        }
        if (a->mask & ROMA_ATTR_MTIME) {
                st->stx_mtime = from_ns(a->mtime_ns);
                mask |= CEPH_SETATTR_MTIME;
        }
        return mask;
}
