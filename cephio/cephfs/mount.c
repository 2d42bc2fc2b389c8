/* SPDX-License-Identifier: MIT */
/* One mount of libcephfs: its settings, and that nothing is left of one that fails. */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>

#include "cephio/cephfs/cephfs.h"

struct setting {
        const char *name, *value;
};

/* What ceph.conf says otherwise is overruled. */
static const struct setting settings[] = {
        /* Without it, 200 MB of cache for each mount, of which malloc gives little back: one streamed file of 400 MB
         * made a process of 660 MB. */
        { "client_oc", "false" },
        /* Caps go back soon after a file is closed, and not 5 s later. Otherwise the next reader of a file whose writer was
         * killed waits for 60 s, until the MDS gives the dead session up. See also file.c. */
        { "client_caps_release_delay", "0" },
        { "client_cache_size", "4096" },
        /* It tries to make an object in the pool before anything is read from it, which no full pool allows: then all reads
         * of a new mount end with EIO. Without it each request says by itself that it is not allowed. */
        { "client_check_pool_perm", "false" },
        /* Log entries are kept in memory, 10 000 of them by default. */
        { "log_max_recent", "500" },
        { "ms_async_op_threads", "1" },
        /* A library writes no files and says nothing. */
        { "admin_socket", "" },
        { "log_file", "/dev/null" },
        { "log_to_stderr", "false" },
        { "err_to_stderr", "false" },
        { "log_to_syslog", "false" },
        { "err_to_syslog", "false" },
        { "debug_client", "0/0" },
        { "debug_ms", "0/0" },
        { "debug_monc", "0/0" },
        { "debug_objecter", "0/0" },
};

static int set_number(struct ceph_mount_info *cm, const char *name, uint32_t value)
{
        char text[16];

        snprintf(text, sizeof(text), "%u", value);
        return ceph_conf_set(cm, name, text);
}

/* Names that a release does not know are not needed in it: what counts is asked for below. */
static int configure(struct ceph_mount_info *cm, const struct cfs_conf *conf)
{
        int r = 0;

        for (size_t i = 0; i < sizeof(settings) / sizeof(settings[0]); i++)
                ceph_conf_set(cm, settings[i].name, settings[i].value);
        if (conf->keyring)
                r = ceph_conf_set(cm, "keyring", conf->keyring);
        if (r == 0)
                r = set_number(cm, "client_mount_timeout", conf->mount_timeout_s);
        if (r == 0)
                r = set_number(cm, "rados_mon_op_timeout", conf->mount_timeout_s);
        if (r == 0)
                r = set_number(cm, "rados_osd_op_timeout", conf->osd_timeout_s);
        /* How long a session's farewell may take, 30 s by default: also a mount that has failed says one, before its error
         * is known. */
        (void)set_number(cm, "client_shutdown_timeout", conf->mount_timeout_s);
        return r;
}

static void fsid(struct ceph_mount_info *cm, char out[40])
{
        if (ceph_conf_get(cm, "fsid", out, 40) < 0)
                out[0] = '\0';
}

/* Monitors of another cluster under a familiar address: nothing that is kept there is what was meant. A configuration need
 * not say an fsid. */
static bool other_cluster(const struct cfs_why *why)
{
        return strlen(why->want) == 36 && strspn(why->want, "0-") != 36 && strlen(why->got) == 36 &&
               strcmp(why->want, why->got) != 0;
}

static int steps(struct ceph_mount_info *cm, const struct cfs_conf *conf, struct cfs_why *why)
{
        enum cfs_stage *stage = &why->stage;
        int r;

        *stage = CFS_READ_CONF;
        r = ceph_conf_read_file(cm, conf->conf);
        /* Without a file named, everything may stand in the environment. */
        if (r == -ENOENT && !conf->conf)
                r = 0;
        if (r == 0)
                r = ceph_conf_parse_env(cm, NULL);
        if (r < 0)
                return r;
        *stage = CFS_SET;
        r = configure(cm, conf);
        if (r < 0)
                return r;
        *stage = CFS_INIT;
        fsid(cm, why->want);
        r = ceph_init(cm);
        if (r < 0)
                return r;
        why->connected_ns = ri_now();
        /* Which has overwritten it with what the monitors say. */
        fsid(cm, why->got);
        *stage = CFS_OTHER_CLUSTER;
        if (other_cluster(why))
                return -EXDEV;
        *stage = CFS_SELECT;
        r = conf->fs ? ceph_select_filesystem(cm, conf->fs) : 0;
        if (r < 0)
                return r;
        *stage = CFS_MOUNT;
        return ceph_mount(cm, conf->subfolder);
}

int cfs_mount_make(const struct cfs_conf *conf, struct ceph_mount_info **cm, struct cfs_why *why)
{
        int r;

        *cm = NULL;
        memset(why, 0, sizeof(*why));
        why->stage = CFS_CREATE;
        r = ceph_create(cm, conf->client);
        if (r < 0) {
                *cm = NULL;
                why->err = -r;
                return -r;
        }
        r = steps(*cm, conf, why);
        if (ceph_conf_get(*cm, "mon_host", why->mon_host, sizeof(why->mon_host)) < 0)
                why->mon_host[0] = '\0';
        if (r >= 0)
                return 0;
        why->err = -r;
        /* A mount that has failed holds 1.5 MB and five threads until it is released. */
        ceph_release(*cm);
        *cm = NULL;
        return -r;
}

void cfs_mount_unmake(struct ceph_mount_info *cm)
{
        ceph_unmount(cm);
        ceph_release(cm);
}

/* Release 16 answers everything from its cache that it may (it knows no AT_STATX_FORCE_SYNC), but locks are the MDS's own:
 * giving back one that is not held changes nothing and is always asked of the MDS that is in charge of the folder. */
int cfs_round_trip(struct ceph_mount_info *cm, const char *folder)
{
        int fd = ceph_open(cm, folder, O_RDONLY | O_DIRECTORY, 0), r;

        if (fd < 0)
                return fd;
        r = ceph_flock(cm, fd, LOCK_UN, (uintptr_t)cm);
        ceph_close(cm, fd);
        return r;
}

int cfs_thread(pthread_t *t, void *(*run)(void *), void *arg)
{
        sigset_t blocked, old;
        int err;

        sigfillset(&blocked);
        pthread_sigmask(SIG_SETMASK, &blocked, &old);
        err = pthread_create(t, NULL, run, arg);
        pthread_sigmask(SIG_SETMASK, &old, NULL);
        return err;
}
