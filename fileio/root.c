/* SPDX-License-Identifier: MIT */
/* Opening what lies below a folder and nothing else: openat2(2) where the kernel has it, otherwise a walk that takes
 * one component at a time and follows symbolic links itself. Runs in workers. */
#include "core/str.h"
#include "fileio/fileio.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/openat2.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

enum { MAX_LINKS = 40, MAX_DEPTH = 256, MAX_AGAIN = 64 };

struct fio_root *fio_root_new(const char *path, bool confined)
{
        struct fio_root *r = calloc(1, sizeof(*r));
        size_t n = strlen(path);

        if (!r)
                return NULL;
        while (n > 1 && path[n - 1] == '/')
                n--;
        r->path = ri_memdup0(path, n);
        if (!r->path) {
                free(r);
                return NULL;
        }
        atomic_init(&r->refs, 1);
        r->fd = confined ? -1 : AT_FDCWD;
        r->confined = confined;
        r->whole = strcmp(r->path, "/") == 0;
        ri_list_init(&r->lines);
        return r;
}

struct fio_root *fio_root_ref(struct fio_root *r)
{
        atomic_fetch_add(&r->refs, 1);
        return r;
}

void fio_root_unref(struct fio_root *r)
{
        if (!r || atomic_fetch_sub(&r->refs, 1) != 1)
                return;
        /* O_PATH: nothing to flush, so this never waits and may happen on the loop. */
        if (r->fd >= 0)
                close(r->fd);
        fio_lines_free(r);
        free(r->path);
        free(r);
}

static int open_beneath(struct fio_root *r, const char *path, int flags, mode_t mode)
{
        struct open_how how = { .flags = (unsigned)flags,
                                .mode = flags & O_CREAT ? mode & 07777 : 0,
                                .resolve = RESOLVE_BENEATH | RESOLVE_NO_MAGICLINKS };

        /* EAGAIN: something was renamed while the kernel looked whether ".." is still below the root. */
        for (int i = 0;; i++) {
                long fd = syscall(SYS_openat2, r->fd, path, &how, sizeof(how));

                if (fd >= 0 || errno != EAGAIN || i == MAX_AGAIN)
                        return (int)fd;
        }
}

int fio_root_connect(struct fio_root *r)
{
        int fd;

        if (!r->confined)
                return 0;
        r->fd = open(r->path, O_PATH | O_DIRECTORY | O_CLOEXEC);
        if (r->fd < 0)
                return -1;
        /* Old kernels answer ENOSYS; container runtimes that do not know the call yet answer EPERM. */
        fd = open_beneath(r, ".", O_PATH | O_DIRECTORY | O_CLOEXEC, 0);
        r->openat2 = fd >= 0;
        if (fd >= 0)
                close(fd);
        return 0;
}

/* The walk without openat2: the folders from the root to here stay open, so that ".." is what was passed on the way
 * and not what somebody has made of it since. */
struct walk {
        int fd[MAX_DEPTH]; /* fd[0] is the root's and not ours */
        int depth;
        int links;
        char *path; /* what is still to go; owned */
        char *rest; /* in path */
};

static int walk_down(struct walk *w, int fd)
{
        if (w->depth + 1 >= MAX_DEPTH) {
                close(fd);
                errno = ENAMETOOLONG;
                return -1;
        }
        w->fd[++w->depth] = fd;
        return 0;
}

static int walk_up(struct walk *w)
{
        if (w->depth == 0) {
                errno = EXDEV;
                return -1;
        }
        close(w->fd[w->depth--]);
        return 0;
}

/* Puts the link's target in front of the rest. */
static int walk_link(struct walk *w, const char *target)
{
        size_t a = strlen(target), b = strlen(w->rest);
        char *path;

        if (target[0] == '/') {
                errno = EXDEV;
                return -1;
        }
        if (++w->links > MAX_LINKS) {
                errno = ELOOP;
                return -1;
        }
        if (a == 0 || a + b + 2 > 2 * PATH_MAX) {
                errno = a ? ENAMETOOLONG : ENOENT;
                return -1;
        }
        path = malloc(a + b + 2);
        if (!path)
                return -1;
        memcpy(path, target, a);
        path[a] = '/';
        memcpy(path + a + 1, w->rest, b + 1);
        free(w->path);
        w->path = w->rest = path;
        return 0;
}

/* 1: `name` is a symbolic link and was expanded; 0: it is none; -1: error. */
static int walk_try_link(struct walk *w, const char *name)
{
        char target[PATH_MAX];
        ssize_t n = readlinkat(w->fd[w->depth], name, target, sizeof(target) - 1);

        if (n < 0)
                return 0;
        target[n] = '\0';
        return walk_link(w, target) < 0 ? -1 : 1;
}

static int walk_last(struct walk *w, const char *name, int flags, mode_t mode)
{
        bool follow = !(flags & O_NOFOLLOW) && (flags & (O_CREAT | O_EXCL)) != (O_CREAT | O_EXCL);
        int fd = openat(w->fd[w->depth], name, flags | O_NOFOLLOW, mode), err = errno, r;
        struct stat st;

        if (!follow)
                return fd;
        if (fd >= 0) {
                if (!(flags & O_PATH) || fstat(fd, &st) < 0 || !S_ISLNK(st.st_mode))
                        return fd;
                close(fd);
        } else if (err != ELOOP && err != ENOTDIR) {
                return fd;
        }
        r = walk_try_link(w, name);
        if (r == 0)
                errno = err;
        return r > 0 ? -2 : -1;
}

static int walk_folder(struct walk *w, const char *name)
{
        int fd, r;

        if (strcmp(name, ".") == 0)
                return 0;
        if (strcmp(name, "..") == 0)
                return walk_up(w);
        fd = openat(w->fd[w->depth], name, O_PATH | O_NOFOLLOW | O_DIRECTORY | O_CLOEXEC);
        if (fd >= 0)
                return walk_down(w, fd);
        if (errno != ENOTDIR && errno != ELOOP)
                return -1;
        r = walk_try_link(w, name);
        if (r == 0)
                errno = ENOTDIR;
        return r > 0 ? 0 : -1;
}

/* One component. Descriptor, -1, or -2: go on. */
static int walk_step(struct walk *w, int flags, mode_t mode)
{
        char name[NAME_MAX + 1];
        size_t n;
        bool last;

        w->rest += strspn(w->rest, "/");
        n = strcspn(w->rest, "/");
        if (n > NAME_MAX) {
                errno = ENAMETOOLONG;
                return -1;
        }
        memcpy(name, w->rest, n);
        name[n] = '\0';
        w->rest += n;
        last = w->rest[strspn(w->rest, "/")] == '\0';
        if (n == 0)
                return openat(w->fd[w->depth], ".", flags, mode);
        if (last && strcmp(name, ".") != 0 && strcmp(name, "..") != 0)
                return walk_last(w, name, flags, mode);
        return walk_folder(w, name) < 0 ? -1 : -2;
}

static int open_walk(struct fio_root *r, const char *key, int flags, mode_t mode)
{
        struct walk w = { .fd = { r->fd } };
        int fd, err;

        w.path = w.rest = strdup(key);
        if (!w.path)
                return -1;
        if (key[0] == '/') {
                errno = EXDEV;
                fd = -1;
        } else {
                do
                        fd = walk_step(&w, flags, mode);
                while (fd == -2);
        }
        err = errno;
        while (w.depth > 0)
                walk_up(&w);
        free(w.path);
        errno = err;
        return fd;
}

int fio_open(struct fio_root *r, const char *key, int flags, mode_t mode)
{
        flags |= O_CLOEXEC;
        if (!r->confined)
                return openat(AT_FDCWD, *key ? key : ".", flags, mode);
        /* Absolute links, and those of /proc such as /dev/stdout, mean what they mean to every program. */
        if (r->whole)
                return openat(r->fd, *key ? key : ".", flags, mode);
        if (r->openat2)
                return open_beneath(r, *key ? key : ".", flags, mode);
        return open_walk(r, key, flags, mode);
}

int fio_open_parent(struct fio_root *r, const char *key, const char **base)
{
        const char *slash = strrchr(key, '/');
        char *folder;
        int fd;

        *base = slash ? slash + 1 : key;
        if (!slash)
                return fio_open(r, "", O_PATH | O_DIRECTORY, 0);
        /* "/x" lies in "/", which only a path of the program can say. */
        folder = ri_memdup0(key, slash == key ? 1 : (size_t)(slash - key));
        if (!folder)
                return -1;
        fd = fio_open(r, folder, O_PATH | O_DIRECTORY, 0);
        free(folder);
        return fd;
}
