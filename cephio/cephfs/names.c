/* SPDX-License-Identifier: MIT */
/* Operations on names: stat, unlink, mkdir, rename, links, attributes. Each is a job and a few calls of libcephfs. */
#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "cephio/cephfs/cephfs.h"

static void finish_attr(struct cfs_job *j)
{
        ri_op_set_attr(j->op, &j->attr);
        cfs_job_finish(j);
}

static struct cfs_job *start(struct ri_op *op, const char *key, const char *key2, bool change,
                             void (*work)(struct cfs_job *), void (*end)(struct cfs_job *))
{
        struct cfs_job *j = cfs_job_new(op, key, key2);

        if (!j)
                return NULL;
        j->change = change;
        j->again = !change;
        j->guard = true;
        j->work = work;
        j->end = end;
        return j;
}

static void go(struct cfs_job *j)
{
        if (j)
                cfs_job_go(j);
}

/* A call on the path of the first key. */
static void stat_path(struct cfs_job *j, const char *path, int flags)
{
        uint64_t t = cfs_phase_start(j);
        struct ceph_statx st;
        int r = ceph_statx(j->mount->cm, path, &st, CFS_STATX, flags);

        cfs_job_phase(j, "mds_stat", t, 0);
        if (r < 0)
                cfs_job_error(j, r, "stat");
        else
                cfs_attr(&j->attr, &st);
}

static void stat_work(struct cfs_job *j)
{
        char *path = cfs_resolve(j, false, !(j->flags & ROMA_NOFOLLOW));

        if (path)
                stat_path(j, path, AT_SYMLINK_NOFOLLOW);
        free(path);
}

void cfs_stat(struct ri_op *op, const char *key, unsigned flags)
{
        struct cfs_job *j = start(op, key, NULL, false, stat_work, finish_attr);

        if (j)
                j->flags = flags;
        go(j);
}

/* libcephfs looks for the name before it asks for its removal, which may take long. It finds what we have found here, so that
 * a job that is given up meanwhile can still be stopped. */
static int find_first(struct cfs_job *j, const char *path)
{
        struct ceph_statx st;

        if (j->temporary)
                return 0;
        return ceph_statx(j->mount->cm, path, &st, CEPH_STATX_MODE, AT_SYMLINK_NOFOLLOW | AT_STATX_DONT_SYNC);
}

static void unlink_work(struct cfs_job *j)
{
        char *path = cfs_resolve(j, false, false);
        uint64_t t = cfs_phase_start(j);
        int r;

        if (!path)
                return;
        r = find_first(j, path);
        pthread_rwlock_rdlock(&j->mount->names);
        if (r == 0 && !cfs_job_given_up(j))
                r = ceph_unlink(j->mount->cm, path);
        pthread_rwlock_unlock(&j->mount->names);
        cfs_job_phase(j, "mds_unlink", t, 0);
        if (r < 0)
                cfs_job_error(j, r, "remove");
        free(path);
}

void cfs_unlink(struct ri_op *op, const char *key, unsigned flags)
{
        struct cfs_job *j = start(op, key, NULL, true, unlink_work, cfs_job_finish);

        (void)flags; /* there is no trash to pass by */
        if (j)
                j->temporary = cfs_is_temporary(key);
        go(j);
}

static void mkdir_work(struct cfs_job *j)
{
        char *path = cfs_resolve(j, false, false);
        uint64_t t = cfs_phase_start(j);
        int r;

        if (!path)
                return;
        r = cfs_job_given_up(j) ? 0 : ceph_mkdir(j->mount->cm, path, j->mode & 07777);
        cfs_job_phase(j, "mds_mkdir", t, 0);
        if (r < 0)
                cfs_job_error(j, r, "make folder");
        free(path);
}

void cfs_mkdir(struct ri_op *op, const char *key, uint32_t mode)
{
        struct cfs_job *j = start(op, key, NULL, true, mkdir_work, cfs_job_finish);

        if (j)
                j->mode = mode;
        go(j);
}

static void rmdir_work(struct cfs_job *j)
{
        char *path = cfs_resolve(j, false, false);
        uint64_t t = cfs_phase_start(j);
        int r;

        if (!path)
                return;
        r = find_first(j, path);
        pthread_rwlock_rdlock(&j->mount->names);
        if (r == 0 && !cfs_job_given_up(j))
                r = ceph_rmdir(j->mount->cm, path);
        pthread_rwlock_unlock(&j->mount->names);
        cfs_job_phase(j, "mds_rmdir", t, 0);
        if (r < 0)
                cfs_job_error(j, r, "remove folder");
        free(path);
}

void cfs_rmdir(struct ri_op *op, const char *key)
{
        go(start(op, key, NULL, true, rmdir_work, cfs_job_finish));
}

/* 0, or -1 and the job has failed: libcephfs follows a link here, and a link cannot have two names. */
static int no_symlink(struct cfs_job *j, const char *path, bool dirs)
{
        struct ceph_statx st;
        int r = ceph_statx(j->mount->cm, path, &st, CEPH_STATX_MODE,
                           AT_SYMLINK_NOFOLLOW | AT_STATX_DONT_SYNC);

        if (r < 0) {
                cfs_job_error(j, r, "look up");
                return -1;
        }
        if (!S_ISLNK(st.stx_mode) && !(dirs && S_ISDIR(st.stx_mode)))
                return 0;
        j->code = ROMA_ENOTSUP;
        j->text = strdup(S_ISDIR(st.stx_mode) ? "CephFS cannot rename a folder without replacing"
                                              : "CephFS gives no second name to a symbolic link");
        return -1;
}

/* CephFS knows no rename without replacing, but a link fails when the name exists, just as atomically. */
static void rename_by_link(struct cfs_job *j, const char *from, const char *to)
{
        int r;

        j->second = false;
        if (no_symlink(j, from, true) < 0 || cfs_job_given_up(j))
                return;
        r = ceph_link(j->mount->cm, from, to);
        if (r < 0) {
                j->second = r == -EEXIST;
                cfs_job_error(j, r, "link");
                return;
        }
        r = ceph_unlink(j->mount->cm, from);
        if (r < 0) {
                j->done = 1; /* the new name stays */
                cfs_job_error(j, r, "remove");
        }
}

/* Two names of one object, or one name twice: nothing is to be done, and the client of release 16 would forget the name. */
static bool same_object(struct cfs_job *j, uint64_t ino, const char *to)
{
        struct ceph_statx st;

        return ceph_statx(j->mount->cm, to, &st, CEPH_STATX_INO, AT_SYMLINK_NOFOLLOW | AT_STATX_DONT_SYNC) ==
                       0 &&
               st.stx_ino == ino;
}

/* When the client of release 16 (Client::_rename) finds that there is no `from`, the name `to` stays marked as being renamed
 * in that mount, and from then on a lookup of it waits for the end of the rename, for ever. So it must not find that: we look
 * before. It still may when another client removes `from` in that moment. Then nobody new gets this mount. An error that
 * comes from the MDS leaves no mark, nor does a folder of `to` that is not there. */
static int rename_known(struct cfs_job *j, const char *from, const char *to)
{
        struct ceph_statx st;
        int r = ceph_statx(j->mount->cm, from, &st, CEPH_STATX_INO, AT_SYMLINK_NOFOLLOW | AT_STATX_DONT_SYNC);

        if (r < 0)
                return r;
        if (same_object(j, st.stx_ino, to) || cfs_job_given_up(j))
                return 0;
        r = ceph_rename(j->mount->cm, from, to);
        if (r == -ENOENT && ceph_statx(j->mount->cm, from, &st, CEPH_STATX_INO,
                                       AT_SYMLINK_NOFOLLOW | AT_STATX_DONT_SYNC) == -ENOENT)
                cfs_mount_dead(j->mount);
        return r;
}

static void rename_path(struct cfs_job *j, const char *from, const char *to)
{
        uint64_t t = cfs_phase_start(j);
        int r = 0;

        pthread_rwlock_wrlock(&j->mount->names);
        if (!cfs_job_given_up(j) && j->flags & ROMA_RENAME_NOREPLACE)
                rename_by_link(j, from, to);
        else if (!cfs_job_given_up(j))
                r = rename_known(j, from, to);
        pthread_rwlock_unlock(&j->mount->names);
        cfs_job_phase(j, "mds_rename", t, 0);
        if (r < 0) {
                j->second = r != -ENOENT;
                cfs_job_error(j, r, "rename");
        }
}

static void rename_work(struct cfs_job *j)
{
        char *from = cfs_resolve(j, false, false);
        char *to = from ? cfs_resolve(j, true, false) : NULL;

        if (to)
                rename_path(j, from, to);
        free(from);
        free(to);
}

void cfs_rename(struct ri_op *op, const char *from, const char *to, unsigned flags)
{
        struct cfs_job *j = start(op, from, to, true, rename_work, cfs_job_finish);

        if (j)
                j->flags = flags;
        go(j);
}

static void link_work(struct cfs_job *j)
{
        char *from = cfs_resolve(j, false, false);
        char *to = from ? cfs_resolve(j, true, false) : NULL;
        uint64_t t = cfs_phase_start(j);
        int r;

        if (to && no_symlink(j, from, false) == 0 && !cfs_job_given_up(j)) {
                r = ceph_link(j->mount->cm, from, to);
                j->second = r == -EEXIST;
                if (r < 0)
                        cfs_job_error(j, r, "link");
        }
        cfs_job_phase(j, "mds_link", t, 0);
        free(from);
        free(to);
}

void cfs_link(struct ri_op *op, const char *key, const char *name)
{
        go(start(op, key, name, true, link_work, cfs_job_finish));
}

/* key: the new name; key2: the target, which is text and no place. */
static void symlink_work(struct cfs_job *j)
{
        char *path = cfs_resolve(j, false, false);
        uint64_t t = cfs_phase_start(j);
        int r;

        if (!path)
                return;
        r = cfs_job_given_up(j) ? 0 : ceph_symlink(j->mount->cm, j->key2, path);
        cfs_job_phase(j, "mds_symlink", t, 0);
        if (r < 0)
                cfs_job_error(j, r, "make symbolic link");
        free(path);
}

void cfs_symlink(struct ri_op *op, const char *target, const char *name)
{
        go(start(op, name, target, true, symlink_work, cfs_job_finish));
}

static void readlink_work(struct cfs_job *j)
{
        char *path = cfs_resolve(j, false, false);
        uint64_t t = cfs_phase_start(j);
        int r = -ENOMEM;

        if (!path)
                return;
        free(j->text);
        j->text = malloc(PATH_MAX + 1);
        if (j->text)
                r = ceph_readlink(j->mount->cm, path, j->text, PATH_MAX);
        cfs_job_phase(j, "mds_readlink", t, 0);
        free(path);
        if (r >= 0) {
                j->text_len = (size_t)r;
                return;
        }
        cfs_job_error(j, r, "read symbolic link");
        if (r == -EINVAL) {
                j->code = ROMA_EINVAL;
                free(j->text);
                j->text = strdup("it is not a symbolic link");
        }
}

static void readlink_end(struct cfs_job *j)
{
        if (ri_op_set_text(j->op, j->text, j->text_len) < 0) {
                cfs_job_detach(j); /* it has failed for want of memory */
                cfs_job_unref(j);
                return;
        }
        cfs_job_finish(j);
}

void cfs_readlink(struct ri_op *op, const char *key)
{
        go(start(op, key, NULL, false, readlink_work, readlink_end));
}

static void setattr_work(struct cfs_job *j)
{
        char *path = cfs_resolve(j, false, !(j->flags & ROMA_NOFOLLOW));
        struct ceph_statx st;
        int mask = cfs_attr_to_statx(&st, &j->attr), r;

        if (!path)
                return;
        r = mask && !cfs_job_given_up(j) ? ceph_setattrx(j->mount->cm, path, &st, mask, AT_SYMLINK_NOFOLLOW)
                                         : 0;
        if (r < 0)
                cfs_job_error(j, r, "change attributes of");
        else
                stat_path(j, path, AT_SYMLINK_NOFOLLOW);
        free(path);
}

void cfs_setattr(struct ri_op *op, const char *key, const roma_attr *attr, unsigned flags)
{
        struct cfs_job *j = start(op, key, NULL, true, setattr_work, finish_attr);

        if (j) {
                j->flags = flags;
                j->attr = *attr;
        }
        go(j);
}
