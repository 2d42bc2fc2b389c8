/* SPDX-License-Identifier: MIT */
/* Open files: opening, closing, attributes, fsync. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "cephio/cephfs/cephfs.h"

static int open_flags(unsigned flags)
{
        int fl = O_RDONLY;

        if (flags & ROMA_O_WRITE)
                fl = flags & ROMA_O_READ ? O_RDWR : O_WRONLY;
        if (flags & ROMA_O_CREATE)
                fl |= O_CREAT;
        if (flags & ROMA_O_EXCL)
                fl |= O_EXCL;
        if (flags & ROMA_O_TRUNC)
                fl |= O_TRUNC;
        return fl | O_NOFOLLOW; /* links have been followed, or are not to be */
}

/* 0 or a negative errno; whether it is something with bytes at offsets. */
static int type_fits(struct cfs_job *j, int fd)
{
        struct ceph_statx st;
        int r = ceph_fstatx(j->mount->cm, fd, &st, CFS_STATX, 0);

        if (r < 0)
                return r;
        cfs_attr(&j->attr, &st);
        if (S_ISREG(st.stx_mode))
                return 0;
        if (S_ISDIR(st.stx_mode))
                return -EISDIR;
        j->code = ROMA_ENOTSUP;
        j->text = strdup("it is a pipe, a device or a socket, which has no bytes at offsets");
        return -ENOTSUP;
}

static void open_path(struct cfs_job *j, const char *path)
{
        uint64_t t = cfs_phase_start(j);
        int fd, r;

        if (cfs_job_given_up(j))
                return;
        fd = ceph_open(j->mount->cm, path, open_flags(j->flags), j->mode & 07777);
        cfs_job_phase(j, "mds_open", t, 0);
        if (fd < 0) {
                cfs_job_error(j, fd, "open");
                return;
        }
        t = cfs_phase_start(j);
        r = type_fits(j, fd);
        cfs_job_phase(j, "mds_stat", t, 0);
        if (r == 0) {
                j->new_fd = cfs_fd_new(j->mount, fd, path);
                r = j->new_fd ? 0 : -ENOMEM;
        }
        if (r < 0) {
                ceph_close(j->mount->cm, fd);
                cfs_job_error(j, r, "open");
                return;
        }
        j->new_fd->writes = j->flags & ROMA_O_WRITE;
        j->new_fd->ino = j->attr.inode;
        /* A writer that was given up while its temporary was still being made has removed nothing yet. When it is given
         * up after this look, its removal finds the file. Any other name the program may have looked at since, found the
         * file and gone on with it. */
        if (j->temporary && ri_job_abandoned(&j->job)) {
                pthread_rwlock_rdlock(&j->mount->names);
                ceph_unlink(j->mount->cm, path);
                pthread_rwlock_unlock(&j->mount->names);
        }
}

static void open_work(struct cfs_job *j)
{
        bool follow = !(j->flags & (ROMA_O_NOFOLLOW | ROMA_O_EXCL));
        char *path = cfs_resolve(j, false, follow);

        if (path)
                open_path(j, path);
        free(path);
}

static void open_finish(struct cfs_job *j)
{
        ri_op_set_attr(j->op, &j->attr);
        cfs_job_finish(j);
}

static void cut_work(struct cfs_job *j)
{
        uint64_t t = cfs_phase_start(j);
        int r;

        if (!ri_strays_settle(j->fd->strays, &j->job))
                return;
        cfs_fd_changed(j->fd);
        r = ceph_ftruncate(j->mount->cm, j->fd->fd, 0);
        cfs_fd_changed(j->fd);
        cfs_job_phase(j, "mds_truncate", t, 0);
        if (r < 0)
                cfs_job_error(j, r, "truncate");
}

static void open_end(struct cfs_job *j)
{
        struct cfs_file *f = calloc(1, sizeof(*f));

        if (f)
                f->line = cfs_line_ref(j->root, j->attr.inode);
        if (!f || !f->line) {
                free(f);
                j->code = ROMA_ENOMEM;
                cfs_job_fail(j);
                cfs_job_unref(j);
                return;
        }
        f->fd = j->new_fd;
        f->fd->strays = ri_strays_ref(f->line->strays);
        j->new_fd = NULL;
        j->file->impl = f;
        if (!(j->flags & ROMA_O_TRUNC) || !ri_strays_any(f->fd->strays)) {
                open_finish(j);
                return;
        }
        /* What comes back late would be in the new content. */
        j->fd = cfs_fd_ref(f->fd);
        j->work = cut_work;
        j->end = open_finish;
        cfs_job_go(j);
}

void cfs_file_open(struct ri_op *op, roma_file *file, const char *key, unsigned flags, uint32_t mode)
{
        const unsigned make = ROMA_O_CREATE | ROMA_O_EXCL;
        struct cfs_job *j = cfs_job_new(op, key, NULL);

        if (!j)
                return;
        j->temporary = (flags & make) == make && cfs_is_temporary(key);
        j->file = file;
        j->flags = flags;
        j->mode = mode;
        j->change = flags & (ROMA_O_CREATE | ROMA_O_TRUNC);
        /* A new mount may be used for what changes nothing, or for a name that nobody else can have made. */
        j->again = !j->change || j->temporary;
        j->guard = true;
        j->work = open_work;
        j->end = open_end;
        cfs_job_go(j);
}

/* 0 or a negative errno. */
static int sync_fd(struct cfs_job *j)
{
        struct cfs_fd *f = j->fd;
        unsigned changed = atomic_load(&f->changed);
        struct ceph_statx st;
        int r = ceph_fsync(j->mount->cm, f->fd, 0);

        /* The session of an evicted client takes what was still to be told to the MDS with it, and then fsync has nothing
         * left to do and says that all is well. Any other call says that the client was cut off. */
        if (r >= 0 && f->writes)
                r = ceph_fstatx(j->mount->cm, f->fd, &st, CEPH_STATX_SIZE | CEPH_STATX_MTIME, 0);
        if (r >= 0)
                atomic_store(&f->synced, changed);
        return r < 0 ? r : 0;
}

/* The file, as an inode that is held without being open. NULL: not to be had. */
static struct Inode *hold(struct cfs_job *j)
{
        struct inodeno_t ino = { .val = j->fd->ino };
        struct Inode *in = NULL;

        return ceph_ll_lookup_inode(j->mount->cm, ino, &in) < 0 ? NULL : in;
}

/* The same for a file that is closed and held: 0 or a negative errno. The MDS finds the length of a file whose writer it has evicted by
 * the objects that there are, but not one that no bytes stand behind (a truncate that makes it longer). The look at the end is for
 * what this client may know without asking, also when another writes the file: it is no round trip. */
static int sync_closed(struct cfs_job *j, struct Inode *in, bool dirty)
{
        struct ceph_mount_info *cm = j->mount->cm;
        struct ceph_statx st;
        int r = ceph_ll_sync_inode(cm, in, 0);

        if (r >= 0 && dirty)
                r = ceph_ll_getattr(cm, in, &st, CEPH_STATX_MODE, 0, ceph_mount_perms(cm));
        return r < 0 ? r : 0;
}

/* Gives the file a change that has to be told to the MDS: its own time of modification. */
static int touch(struct cfs_job *j)
{
        struct ceph_statx st;
        int r = ceph_fstatx(j->mount->cm, j->fd->fd, &st, CEPH_STATX_MTIME, 0);

        return r < 0 ? r : ceph_fsetattrx(j->mount->cm, j->fd->fd, &st, CEPH_SETATTR_MTIME);
}

/* Closes a file that was written, and returns when its caps are back at the MDS: then no reader has to wait for them, also
 * when this process is killed in the next moment. Left to itself the client gives them back at its next tick, up to 1 s
 * later (client_caps_release_delay only adds to that), and whoever opens the file of a killed writer before that waits for
 * 60 s. But changes of a file that nobody has open are sent together with its caps, at once, when it is synced, and the
 * answer is waited for. */
static int close_written(struct cfs_job *j)
{
        bool dirty = cfs_fd_dirty(j->fd);
        struct Inode *in = hold(j);
        int touched = touch(j), synced = 0, r;
        uint64_t t;

        if (!in && dirty)
                synced = sync_fd(j);
        r = ceph_close(j->mount->cm, j->fd->fd);
        t = cfs_phase_start(j);
        if (in) {
                synced = sync_closed(j, in, dirty);
                ceph_ll_put(j->mount->cm, in);
        }
        cfs_job_phase(j, "caps_back", t, 0);
        /* What was synced is safe, whatever became of the mount since. */
        if (!dirty || r < 0)
                return r;
        return touched < 0 ? touched : synced;
}

/* A job that was given up and is still inside holds the descriptor too, and closes it when it comes back. What was written
 * is not to wait for that. */
static void close_work(struct cfs_job *j)
{
        struct cfs_fd *f = j->fd;
        uint64_t t = cfs_phase_start(j);
        struct cfs_mount *m;
        int r;

        if (atomic_load(&f->refs) != 1) {
                r = cfs_fd_dirty(f) ? sync_fd(j) : 0;
                cfs_job_phase(j, "fsync", t, 0);
                if (r < 0)
                        cfs_job_error(j, r, "close");
                /* It may have come back meanwhile: then this is the last one, and not the loop, also when the sync failed. */
                if (atomic_load(&f->refs) != 1)
                        return;
                t = cfs_phase_start(j);
        }
        r = f->writes ? close_written(j) : ceph_close(f->mount->cm, f->fd);
        f->fd = -1;
        cfs_job_phase(j, "close", t, 0);
        if (r < 0 && !j->err)
                cfs_job_error(j, r, "close");
        /* Here and not on the loop: the last one unmounts. The caller of this holds another reference. */
        m = f->mount;
        f->mount = NULL;
        cfs_mount_put(m);
}

void cfs_file_close(struct ri_op *op, roma_file *file)
{
        struct cfs_file *f = file->impl;
        struct cfs_fd *fd = f->fd;
        struct cfs_job *j = cfs_job_new(op, file->key, NULL);

        file->impl = NULL;
        cfs_line_unref(f->line);
        free(f);
        if (!j) {
                cfs_fd_unref(fd);
                return;
        }
        if (!j->root)
                j->root = cfs_root_ref(cfs_root_of(file->store));
        j->fd = fd;
        j->keep = true;
        j->work = close_work;
        j->end = cfs_job_finish;
        cfs_job_go(j);
}

/* At once and here: the loop goes away. */
void cfs_file_drop(roma_file *file)
{
        struct cfs_file *f = file->impl;

        file->impl = NULL;
        cfs_fd_unref(f->fd);
        cfs_line_unref(f->line);
        free(f);
}

static void fsync_work(struct cfs_job *j)
{
        uint64_t t = cfs_phase_start(j);
        int r = sync_fd(j);

        cfs_job_phase(j, "fsync", t, 0);
        if (r < 0)
                cfs_job_error(j, r, "fsync");
}

static struct cfs_job *fd_job(struct ri_op *op, roma_file *file, void (*work)(struct cfs_job *),
                              void (*end)(struct cfs_job *))
{
        struct cfs_file *f = file->impl;
        struct cfs_job *j = cfs_job_new(op, file->key, NULL);

        if (!j)
                return NULL;
        j->fd = cfs_fd_ref(f->fd);
        j->work = work;
        j->end = end;
        return j;
}

void cfs_file_fsync(struct ri_op *op, roma_file *file)
{
        struct cfs_job *j = fd_job(op, file, fsync_work, cfs_job_finish);

        if (j)
                cfs_job_go(j);
}

static void stat_work(struct cfs_job *j)
{
        uint64_t t = cfs_phase_start(j);
        struct ceph_statx st;
        int r = ceph_fstatx(j->mount->cm, j->fd->fd, &st, CFS_STATX, 0);

        cfs_job_phase(j, "mds_stat", t, 0);
        if (r < 0)
                cfs_job_error(j, r, "stat");
        else
                cfs_attr(&j->attr, &st);
}

static void stat_end(struct cfs_job *j)
{
        ri_op_set_attr(j->op, &j->attr);
        cfs_job_finish(j);
}

void cfs_file_stat(struct ri_op *op, roma_file *file)
{
        struct cfs_job *j = fd_job(op, file, stat_work, stat_end);

        if (!j)
                return;
        j->guard = true;
        cfs_job_go(j);
}

static void setattr_work(struct cfs_job *j)
{
        uint64_t t = cfs_phase_start(j);
        struct ceph_statx st;
        int mask = cfs_attr_to_statx(&st, &j->attr);
        int r;

        cfs_fd_changed(j->fd);
        r = mask && !cfs_job_given_up(j) ? ceph_fsetattrx(j->mount->cm, j->fd->fd, &st, mask) : 0;
        cfs_fd_changed(j->fd);
        cfs_job_phase(j, "mds_setattr", t, 0);
        if (r < 0)
                cfs_job_error(j, r, "change attributes of");
        else
                stat_work(j);
}

void cfs_file_setattr(struct ri_op *op, roma_file *file, const roma_attr *attr)
{
        struct cfs_job *j = fd_job(op, file, setattr_work, stat_end);

        if (!j)
                return;
        j->change = true;
        j->attr = *attr;
        cfs_job_go(j);
}
