/* SPDX-License-Identifier: MIT */
/* The store over libcephfs: opening, closing, room, and the table that core knows it by.
 *
 *   cephfs://FILESYSTEM/FOLDER?client=ID&conf=FILE&keyring=FILE&subfolder=/X&mount_timeout=10s&osd_timeout=30s&nudge=yes
 *
 * Without a filesystem (cephfs:///folder) the default one. */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <time.h>

#include "cephio/cephfs/cephfs.h"

/* Ceph counts these in seconds. */
enum { MOUNT_TIMEOUT_S = 10, OSD_TIMEOUT_S = 30, MOST_S = 3600 };
/* Core gives a store 5 s to close. */
enum { CLOSE_MS = 3000, CLOSE_NOW_MS = 2000 };

/* Opening */

static int bad(struct ri_error *e, struct ri_str *err)
{
        ri_error_set(e, err->len ? ROMA_EURI : ROMA_ENOMEM, NULL, "%s",
                     err->len ? ri_str_cstr(err) : "no memory for the store");
        ri_str_free(err);
        return -1;
}

static int option_text(const struct ri_uri *u, const char *name, char **to)
{
        const char *v = ri_uri_opt(u, name);

        *to = v && *v ? strdup(v) : NULL;
        return v && *v && !*to ? -1 : 0;
}

static int option_seconds(const struct ri_uri *u, const char *name, uint32_t usual, uint32_t *s,
                          struct ri_str *err)
{
        uint64_t ms = (uint64_t)usual * 1000;

        if (ri_uri_opt_duration(u, name, &ms, err) < 0)
                return -1;
        if (ms < 1000 || ms > MOST_S * UINT64_C(1000))
                return ri_str_fail(err, "option %s: from 1s to 1h expected", name);
        *s = (uint32_t)((ms + 999) / 1000);
        return 0;
}

static int subfolder(struct cfs_conf *c, struct ri_str *err)
{
        if (!c->subfolder) {
                c->subfolder = strdup("/");
                return c->subfolder ? 0 : -1;
        }
        if (c->subfolder[0] != '/')
                return ri_str_fail(
                        err, "option subfolder: a path from the root of the filesystem expected, as /a/b");
        return 0;
}

static int read_conf(struct cfs_conf *c, const struct ri_uri *u, struct ri_str *err)
{
        c->nudge = true;
        if (u->authority[0]) {
                c->fs = strdup(u->authority);
                if (!c->fs)
                        return -1;
        }
        if (option_text(u, "conf", &c->conf) < 0 || option_text(u, "client", &c->client) < 0 ||
            option_text(u, "keyring", &c->keyring) < 0 || option_text(u, "subfolder", &c->subfolder) < 0 ||
            subfolder(c, err) < 0)
                return -1;
        ceph_client_id(c->client);
        if (option_seconds(u, "mount_timeout", MOUNT_TIMEOUT_S, &c->mount_timeout_s, err) < 0 ||
            option_seconds(u, "osd_timeout", OSD_TIMEOUT_S, &c->osd_timeout_s, err) < 0)
                return -1;
        return ri_uri_opt_bool(u, "nudge", &c->nudge, err) < 0 ? -1 : 0;
}

/* Without slashes at its end: "" or "/a/b". */
static char *root_path(const char *path)
{
        size_t n = strlen(path);

        while (n && path[n - 1] == '/')
                n--;
        return strndup(path, n);
}

static int store_new(roma_store *store, const struct ri_uri *uri, struct ri_error *e)
{
        struct ri_str err = RI_STR_INIT(RI_STR_MAX_ERROR);
        struct cfs_root *r = cfs_root_new();

        if (!r)
                return bad(e, &err);
        r->path = root_path(uri->path);
        if (!r->path || read_conf(&r->conf, uri, &err) < 0) {
                cfs_root_unref(r);
                return bad(e, &err);
        }
        ri_str_free(&err);
        store->impl = r;
        return 0;
}

/* The mount is made by whoever is the first to need one; here it is only asked whether the store's folder is there. */
static void connect_work(struct cfs_job *j)
{
        const char *path = j->root->path[0] ? j->root->path : "/";
        uint64_t t = cfs_phase_start(j);
        struct ceph_statx st;
        int r = ceph_statx(j->mount->cm, path, &st, CEPH_STATX_MODE, 0);

        cfs_job_phase(j, "mds_stat", t, 0);
        if (r < 0)
                cfs_job_error(j, r, "open folder");
        else if (!S_ISDIR(st.stx_mode))
                cfs_job_error(j, -ENOTDIR, "open folder");
}

static void cfs_connect(struct ri_op *op)
{
        struct cfs_root *r = cfs_root_of(op->store);
        struct cfs_job *j = cfs_job_new(op, r->path[0] ? r->path : "/", NULL);

        if (!j)
                return;
        ri_op_waits(op, "the monitors and the MDS", NULL);
        j->again = true;
        j->work = connect_work;
        j->end = cfs_job_finish;
        op->loop->stats.connects_total++;
        cfs_job_go(j);
}

/* Closing: unmounting talks to the MDS, so it is done in a worker; when that does not come back, without us. */

struct cfs_closing {
        struct ri_job job;
        roma_store *store;
        struct ri_timer limit;
        struct cfs_mount *mount;
        atomic_bool begun, done;
};

static void close_work(struct ri_job *job)
{
        struct cfs_closing *c = ri_container_of(job, struct cfs_closing, job);

        atomic_store(&c->begun, true);
        cfs_mount_put(c->mount);
        atomic_store(&c->done, true);
}

static void close_orphan(struct ri_job *job)
{
        struct cfs_closing *c = ri_container_of(job, struct cfs_closing, job);

        if (!atomic_load(&c->begun))
                cfs_mount_put_within(c->mount, CLOSE_NOW_MS);
        free(c);
}

static void closed(roma_store *store)
{
        struct cfs_root *r = store->impl;

        store->impl = NULL;
        cfs_root_unref(r);
        ri_store_closed(store);
}

static void close_done(struct ri_job *job)
{
        struct cfs_closing *c = ri_container_of(job, struct cfs_closing, job);
        roma_store *store = c->store;

        ri_timer_stop(&c->limit);
        free(c);
        closed(store);
}

static void close_without(struct cfs_closing *c)
{
        roma_store *store = c->store;

        ri_timer_stop(&c->limit);
        ri_job_abandon(&c->job);
        closed(store);
}

static void close_late(struct ri_timer *t)
{
        close_without(ri_container_of(t, struct cfs_closing, limit));
}

/* The loop goes away while a worker unmounts: a moment for it, since the process may end next. */
static void close_hurry(struct cfs_closing *c)
{
        const struct timespec pause = { 0, 5000000 };

        for (int i = 0; i < CLOSE_NOW_MS / 5 && atomic_load(&c->begun) && !atomic_load(&c->done); i++)
                nanosleep(&pause, NULL);
        close_without(c);
}

static bool close_in_worker(roma_store *store, struct cfs_mount *m)
{
        struct cfs_root *r = store->impl;
        struct cfs_closing *c = calloc(1, sizeof(*c));

        if (!c)
                return false;
        c->limit.fire = close_late;
        if (ri_timer_start(store->loop, &c->limit, CLOSE_MS) < 0) {
                free(c);
                return false;
        }
        c->job.work = close_work;
        c->job.done = close_done;
        c->job.orphan = close_orphan;
        c->job.bytes = sizeof(*c);
        c->store = store;
        c->mount = m;
        r->closing = c;
        ri_job_start(store->loop, &c->job);
        return true;
}

static void cfs_close(roma_store *store, bool now)
{
        struct cfs_root *r = store->impl;
        struct cfs_mount *m;

        if (r->closing) {
                close_hurry(r->closing);
                return;
        }
        m = cfs_root_take(r);
        if (!now && m && close_in_worker(store, m))
                return;
        cfs_mount_put_within(m, CLOSE_NOW_MS);
        closed(store);
}

/* Room */

/* Saturates: a filesystem that claims more than 2^64 bytes has enough. */
static uint64_t times(uint64_t a, uint64_t b)
{
        return b && a > UINT64_MAX / b ? UINT64_MAX : a * b;
}

static void statfs_work(struct cfs_job *j)
{
        const char *path = j->root->path[0] ? j->root->path : "/";
        uint64_t t = cfs_phase_start(j);
        struct statvfs v;
        int r = ceph_statfs(j->mount->cm, path, &v);

        cfs_job_phase(j, "mon_statfs", t, 0);
        if (r < 0) {
                cfs_job_error(j, r, "ask for the room of");
                return;
        }
        j->space.total = times(v.f_blocks, v.f_frsize);
        j->space.available = times(v.f_bavail, v.f_frsize);
        j->space.objects = v.f_files >= v.f_ffree ? v.f_files - v.f_ffree : v.f_files;
}

static void statfs_end(struct cfs_job *j)
{
        if (ri_op_set_space(j->op, &j->space) < 0) {
                cfs_job_detach(j);
                cfs_job_unref(j);
                return;
        }
        cfs_job_finish(j);
}

static void cfs_statfs(struct ri_op *op)
{
        struct cfs_job *j = cfs_job_new(op, "", NULL);

        if (!j)
                return;
        j->again = true;
        j->work = statfs_work;
        j->end = statfs_end;
        cfs_job_go(j);
}

static const char *const schemes[] = { "cephfs", NULL };
static const char *const options[] = { "conf",          "client",      "keyring", "subfolder",
                                       "mount_timeout", "osd_timeout", "nudge",   NULL };

const struct ri_backend cephfs_backend = {
        .abi = RI_BACKEND_ABI,
        .name = "CephFS",
        .schemes = schemes,
        .options = options,
        .flags = RI_FOLDERS | RI_RECHECK | RI_RENAME_OPEN,
        .caps = ROMA_CAP_DIRS | ROMA_CAP_SORTED | ROMA_CAP_INPLACE | ROMA_CAP_RENAME | ROMA_CAP_LINK |
                ROMA_CAP_SYMLINK | ROMA_CAP_IF_ABSENT | ROMA_CAP_MODE,
        .store_new = store_new,
        .connect = cfs_connect,
        .close = cfs_close,
        .stat = cfs_stat,
        .unlink = cfs_unlink,
        .mkdir = cfs_mkdir,
        .rmdir = cfs_rmdir,
        .rename = cfs_rename,
        .link = cfs_link,
        .symlink = cfs_symlink,
        .readlink = cfs_readlink,
        .setattr = cfs_setattr,
        .statfs = cfs_statfs,
        .ping = cfs_ping,
        .layout = cfs_layout,
        .readdir = cfs_readdir,
        .file_open = cfs_file_open,
        .file_close = cfs_file_close,
        .file_drop = cfs_file_drop,
        .file_preadv = cfs_file_preadv,
        .file_pwritev = cfs_file_pwritev,
        .file_append = cfs_file_append,
        .file_truncate = cfs_file_truncate,
        .file_fsync = cfs_file_fsync,
        .file_stat = cfs_file_stat,
        .file_setattr = cfs_file_setattr,
        .file_read_buf = cfs_file_read_buf,
        .file_write_buf = cfs_file_write_buf,
};
