/* SPDX-License-Identifier: MIT */
/* What the errors of libcephfs mean, and what to do. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "cephio/cephfs/cephfs.h"
#include "cephio/monitors.h"

static void put(struct ri_error *e, int code, unsigned flags, int err)
{
        e->code = code;
        e->flags = flags;
        e->status_kind = ROMA_STATUS_ERRNO;
        e->server_status = err;
        e->status_name = strerrorname_np(err);
}

static const char * or (const char *text, const char *other)
{
        return text && *text ? text : other;
}

static void no_mds(struct ri_error *e, const struct cfs_job *j, const char *fs)
{
        const char *said = j->why.said;

        snprintf(e->text, sizeof(e->text),
                 "the monitors answer, but no MDS of filesystem %.64s did within %u s; %s%.299s%s", fs,
                 j->root->conf.mount_timeout_s, *said ? "they say " : "see ceph fs status", said,
                 cfs_mds_hint(said));
}

/* Before there was a mount. */
static void no_mount(struct ri_error *e, const struct cfs_job *j)
{
        const struct cfs_conf *c = &j->root->conf;
        const char *client = or (c->client, "admin"), *mon = or (j->why.mon_host, "not named in ceph.conf");
        const char *fs = or (c->fs, "(the default one)"), *conf = or (c->conf, "(Ceph's own places)");
        enum cfs_stage stage = j->why.stage;
        int err = j->why.err;

        if (stage == CFS_HANGING) {
                put(e, ROMA_EUNAVAILABLE, ROMA_RETRIABLE, err);
                snprintf(e->text, sizeof(e->text),
                         "two mounts of filesystem %.64s hang already, so no third is made; see whether its "
                         "MDS "
                         "is alive (ceph fs status)",
                         fs);
        } else if (stage == CFS_FORKED) {
                put(e, ROMA_EFORK, 0, err);
                snprintf(e->text, sizeof(e->text),
                         "the parent of this process has used libcephfs, which does not survive a fork; exec "
                         "the "
                         "program, or open cephfs:// in children only");
        } else if (stage == CFS_READ_CONF) {
                put(e, ROMA_ECONFIG, 0, err);
                snprintf(e->text, sizeof(e->text), "the configuration %.200s cannot be read: %s", conf,
                         strerrordesc_np(err));
        } else if (stage == CFS_OTHER_CLUSTER) {
                put(e, ROMA_ECONFIG, 0, err);
                snprintf(
                        e->text, sizeof(e->text),
                        "the cluster at %.160s has the fsid %.40s and the Ceph configuration says %.40s; see "
                        "whether mon host names the cluster that is meant",
                        mon, j->why.got, j->why.want);
        } else if (err == ETIMEDOUT && stage == CFS_INIT) {
                put(e, ROMA_ECONNECT, ROMA_RETRIABLE, err);
                snprintf(e->text, sizeof(e->text),
                         "no monitor answered within %u s (mon_host %.160s); see whether they run and can be "
                         "reached%s",
                         c->mount_timeout_s, mon, ceph_mon_hint(mon));
        } else if (err == ETIMEDOUT) {
                put(e, ROMA_EUNAVAILABLE, ROMA_RETRIABLE, err);
                no_mds(e, j, fs);
        } else if ((err == EACCES || err == EPERM) && stage == CFS_INIT) {
                put(e, ROMA_EAUTH, 0, err);
                snprintf(e->text, sizeof(e->text),
                         "the monitors at %.100s refuse client.%.64s: its key is wrong, or there is no such "
                         "client, or "
                         "they are those of another cluster; compare `ceph auth get client.%.64s` with the "
                         "keyring %.110s",
                         mon, client, client, or (c->keyring, "named in ceph.conf"));
        } else if (err == ENOENT && stage == CFS_INIT) {
                put(e, ROMA_ECONFIG, 0, err);
                snprintf(e->text, sizeof(e->text),
                         "there is no key for client.%.64s in the keyring %.160s, or no mon_host in the "
                         "configuration "
                         "%.160s",
                         client, or (c->keyring, "named in ceph.conf"), conf);
        } else if (err == EACCES || err == EPERM) {
                put(e, ROMA_EACCES, 0, err);
                snprintf(e->text, sizeof(e->text),
                         "client.%.64s may not mount %.160s of filesystem %.64s; give it caps for the mds, "
                         "or name "
                         "with subfolder what it may see",
                         client, c->subfolder, fs);
        } else if (err == ENOENT && strcmp(c->subfolder, "/") == 0) {
                put(e, ROMA_ENOENT, 0, err);
                snprintf(e->text, sizeof(e->text), "the cluster has no filesystem %.64s; see ceph fs ls", fs);
        } else if (err == ENOENT) {
                put(e, ROMA_ENOENT, 0, err);
                snprintf(e->text, sizeof(e->text),
                         "the cluster has no filesystem %.64s (see ceph fs ls), or that has no folder %.160s",
                         fs, c->subfolder);
        } else if (err == ENOMEM) {
                put(e, ROMA_ENOMEM, 0, err);
                snprintf(e->text, sizeof(e->text), "no memory for a mount");
        } else {
                put(e, ROMA_ECONNECT, ROMA_RETRIABLE, err);
                snprintf(e->text, sizeof(e->text), "filesystem %.64s cannot be mounted: %s", fs,
                         or (strerrordesc_np(err), "an unknown error"));
        }
}

static void cut_off(struct ri_error *e, const struct cfs_job *j)
{
        bool lost = j->fd && j->fd->writes;

        put(e, lost ? ROMA_ELOST : ROMA_ECLOSED, lost ? 0 : ROMA_RETRIABLE, j->err);
        snprintf(e->text, sizeof(e->text),
                 "the cluster has evicted this client, or put it on its blocklist%s; the next operation "
                 "makes a new "
                 "mount",
                 lost ? ": what it wrote since the last fsync may be lost, so write it again" : "");
}

void cfs_error(struct ri_error *e, const struct cfs_job *j)
{
        const char *key = j->second && j->key2 ? j->key2 : j->key;

        memset(e, 0, sizeof(*e));
        if (j->why.stage != CFS_NONE && j->root) {
                no_mount(e, j);
        } else if (j->err == CFS_OUTSIDE) {
                ri_error_set(e, ROMA_EACCES, NULL,
                             "a symbolic link on the way to %.200s leads out of the store; open a store on "
                             "the folder "
                             "that it leads to",
                             key ? key : "it");
        } else if (j->cut) {
                cut_off(e, j);
        } else if (j->err == ETIMEDOUT) {
                put(e, ROMA_ETIMEDOUT, ROMA_RETRIABLE, j->err);
                snprintf(e->text, sizeof(e->text),
                         "%s: the OSDs did not answer within their time (osd_timeout); see ceph health",
                         j->what);
        } else {
                ri_error_errno(e, j->err, j->what ? j->what : "call", key);
                if (e->code == ROMA_ELOCALIO) {
                        put(e, ROMA_ESERVERIO, 0, j->err);
                        snprintf(e->text, sizeof(e->text), "%s: %s; see ceph health",
                                 j->what ? j->what : "call",
                                 or (strerrordesc_np(j->err), "an unknown error"));
                } else if (e->code == ROMA_EACCES) {
                        snprintf(e->text, sizeof(e->text),
                                 "%s: %s; check owner and mode, and this client's caps (ceph auth get)",
                                 j->what ? j->what : "call", strerrordesc_np(j->err));
                } else if (e->code == ROMA_ENOSPC) {
                        snprintf(e->text, sizeof(e->text),
                                 "%s: the pool is full, or has reached its quota; free some space (ceph df)",
                                 j->what);
                }
        }
}
