/* SPDX-License-Identifier: MIT */
/* Attributes: from struct stat, and changing them. */
#include "fileio/fileio.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

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

void fio_attr(roma_attr *a, const struct stat *st)
{
        memset(a, 0, sizeof(*a));
        a->size = sizeof(*a);
        a->mask = ROMA_ATTR_TYPE | ROMA_ATTR_MODE | ROMA_ATTR_UID | ROMA_ATTR_GID | ROMA_ATTR_ATIME |
                  ROMA_ATTR_MTIME | ROMA_ATTR_CTIME | ROMA_ATTR_NLINK | ROMA_ATTR_INODE | ROMA_ATTR_BLOCKS;
        a->type = type_of(st->st_mode);
        a->mode = st->st_mode & 07777;
        a->uid = st->st_uid;
        a->gid = st->st_gid;
        a->nlink = (uint32_t)st->st_nlink;
        a->inode = st->st_ino;
        a->blocks = (uint64_t)st->st_blocks * 512;
        a->atime_ns = to_ns(&st->st_atim);
        a->mtime_ns = to_ns(&st->st_mtim);
        a->ctime_ns = to_ns(&st->st_ctim);
        /* Of a pipe or a terminal the length says nothing, and readers take its absence as "a stream". */
        if (!S_ISREG(st->st_mode) && !S_ISLNK(st->st_mode) && !S_ISDIR(st->st_mode))
                return;
        a->mask |= ROMA_ATTR_LENGTH;
        a->length = (uint64_t)st->st_size;
        if (!S_ISREG(st->st_mode))
                return;
        a->mask |= ROMA_ATTR_ETAG;
        snprintf(a->etag, sizeof(a->etag), "%" PRIx64 "-%" PRIx64 "-%" PRIx64, (uint64_t)st->st_ino,
                 (uint64_t)a->mtime_ns, a->length);
}

/* Rounds down, also before 1970. */
static struct timespec from_ns(bool set, int64_t ns)
{
        struct timespec t = { .tv_sec = 0, .tv_nsec = UTIME_OMIT };

        if (set) {
                t.tv_sec = (time_t)(ns / 1000000000);
                t.tv_nsec = (long)(ns % 1000000000);
                if (t.tv_nsec < 0) {
                        t.tv_nsec += 1000000000;
                        t.tv_sec--;
                }
        }
        return t;
}

/* A descriptor that is only a path has no fchmod(). */
static int change_mode(int fd, bool path_only, mode_t mode)
{
        char proc[64];

        if (!path_only)
                return fchmod(fd, mode);
#ifdef SYS_fchmodat2
        if (syscall(SYS_fchmodat2, fd, "", mode, AT_EMPTY_PATH) == 0)
                return 0;
        if (errno != ENOSYS && errno != EPERM)
                return -1;
#endif
        snprintf(proc, sizeof(proc), "/proc/self/fd/%d", fd);
        return chmod(proc, mode);
}

static int change_times(int fd, bool path_only, const struct timespec t[2])
{
        char proc[64];

        if (!path_only)
                return futimens(fd, t);
        if (utimensat(fd, "", t, AT_EMPTY_PATH) == 0)
                return 0;
        if (errno != EINVAL)
                return -1;
        snprintf(proc, sizeof(proc), "/proc/self/fd/%d", fd);
        return utimensat(AT_FDCWD, proc, t, 0);
}

int fio_set_attr(int fd, bool path_only, const roma_attr *a, bool *part)
{
        /* The owner first: changing it clears set-user-ID bits that the mode may ask for. */
        if (a->mask & (ROMA_ATTR_UID | ROMA_ATTR_GID)) {
                uid_t uid = a->mask & ROMA_ATTR_UID ? a->uid : (uid_t)-1;
                gid_t gid = a->mask & ROMA_ATTR_GID ? a->gid : (gid_t)-1;

                if (fchownat(fd, "", uid, gid, AT_EMPTY_PATH) < 0)
                        return -1;
                *part = true;
        }
        if (a->mask & ROMA_ATTR_MODE) {
                if (change_mode(fd, path_only, a->mode & 07777) < 0)
                        return -1;
                *part = true;
        }
        if (a->mask & (ROMA_ATTR_ATIME | ROMA_ATTR_MTIME)) {
                struct timespec t[2] = { from_ns(a->mask & ROMA_ATTR_ATIME, a->atime_ns),
                                         from_ns(a->mask & ROMA_ATTR_MTIME, a->mtime_ns) };

                if (change_times(fd, path_only, t) < 0)
                        return -1;
                *part = true;
        }
        return 0;
}
