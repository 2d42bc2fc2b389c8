/* SPDX-License-Identifier: MIT */
/* Keys never leave the store: libcephfs follows symbolic links wherever they lead, up to the root of the mount and by
 * ".." beyond it, so they are followed here. What is looked up on the way is in the client's cache when the call itself
 * looks it up. */
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "cephio/cephfs/cephfs.h"
#include "core/str.h"

enum { MAX_LINKS = 40, MAX_PATH = 1 << 17 };

struct walk {
        struct cfs_job *j;
        struct ri_str path; /* in the mount, without links so far */
        size_t base;        /* its length at the root of the store */
        char *todo, *next;  /* what is still to be walked, and where in it */
        unsigned links;
        bool follow;
};

static int add(struct walk *w, const char *name, size_t n)
{
        ri_str_putc(&w->path, '/');
        return ri_str_append(&w->path, name, n) < 0 ? -ENAMETOOLONG : 0;
}

static int up(struct walk *w)
{
        char *slash;

        if (w->path.len == w->base)
                return -CFS_OUTSIDE;
        slash = strrchr(w->path.p, '/');
        ri_str_truncate(&w->path, (size_t)(slash - w->path.p));
        return 0;
}

/* The last component of path is a link: what it holds is walked in its place. */
static int through(struct walk *w)
{
        struct ceph_mount_info *cm = w->j->mount->cm;
        char *target = malloc(PATH_MAX + 1), *todo = NULL;
        int n = target ? ceph_readlink(cm, ri_str_cstr(&w->path), target, PATH_MAX) : -ENOMEM;

        if (n >= 0)
                target[n] = '\0';
        if (n >= 0 && ++w->links > MAX_LINKS)
                n = -ELOOP;
        else if (n >= 0 && target[0] == '/')
                n = -CFS_OUTSIDE;
        if (n >= 0 && asprintf(&todo, "%s/%s", target, w->next) < 0) {
                todo = NULL;
                n = -ENOMEM;
        }
        free(target);
        if (n < 0)
                return n;
        free(w->todo);
        w->todo = w->next = todo;
        return up(w);
}

static int look(struct walk *w, bool last)
{
        struct ceph_statx st;
        int r = ceph_statx(w->j->mount->cm, ri_str_cstr(&w->path), &st, CEPH_STATX_MODE,
                           AT_SYMLINK_NOFOLLOW | AT_STATX_DONT_SYNC);

        if (r == -ENOENT && last)
                return 0; /* the call itself says it, or makes it */
        if (r < 0)
                return r;
        if (S_ISLNK(st.stx_mode))
                return through(w);
        /* libcephfs would say that the file may not be searched. */
        return last || S_ISDIR(st.stx_mode) ? 0 : -ENOTDIR;
}

static int walk(struct walk *w)
{
        int r = 0;

        while (r == 0 && *w->next) {
                const char *name = w->next;
                size_t n = strcspn(name, "/");
                bool last;

                w->next += n;
                w->next += strspn(w->next, "/");
                last = !*w->next;
                if (n == 0 || (n == 1 && name[0] == '.'))
                        continue;
                if (n == 2 && name[0] == '.' && name[1] == '.')
                        r = up(w);
                else
                        r = add(w, name, n);
                if (r == 0 && (!last || w->follow))
                        r = look(w, last);
        }
        return r;
}

char *cfs_resolve(struct cfs_job *j, bool second, bool follow)
{
        struct walk w = { .j = j, .follow = follow, .path = RI_STR_INIT(MAX_PATH) };
        uint64_t t = cfs_phase_start(j);
        char *path = NULL;
        int r = -ENOMEM;

        j->second = second;
        ri_str_puts(&w.path, j->root->path);
        w.base = w.path.len;
        w.todo = w.next = strdup(second ? j->key2 : j->key);
        if (w.todo)
                r = walk(&w);
        cfs_job_phase(j, "mds_lookup", t, 0);
        if (r == 0 && w.path.len == 0)
                ri_str_putc(&w.path, '/');
        if (r == 0) {
                path = ri_str_take(&w.path, NULL);
                r = path ? 0 : -ENOMEM;
        }
        if (r < 0)
                cfs_job_error(j, r, "look up");
        ri_str_free(&w.path);
        free(w.todo);
        return path;
}
