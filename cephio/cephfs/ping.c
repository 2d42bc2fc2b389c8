/* SPDX-License-Identifier: MIT */
/* The state of the cluster in a sentence: what its monitors say, and whether the MDS answers. */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <rados/librados.h>

#include "cephio/cephfs/cephfs.h"
#include "cephio/monitors.h"

/* libcephfs asks no monitor for us, librados does. NULL: they do not answer, or we may not ask; *why as of a mount that they
 * do not allow. */
static rados_t monitors(const struct cfs_conf *c, struct cfs_why *why)
{
        char seconds[16];
        rados_t cluster;
        int r = rados_create(&cluster, c->client);

        *why = (struct cfs_why){ .stage = r < 0 ? CFS_CREATE : CFS_INIT, .err = -r };
        if (r < 0)
                return NULL;
        snprintf(seconds, sizeof(seconds), "%u", c->mount_timeout_s);
        if (rados_conf_read_file(cluster, c->conf) < 0)
                rados_conf_parse_env(cluster, NULL);
        if (c->keyring)
                rados_conf_set(cluster, "keyring", c->keyring);
        rados_conf_set(cluster, "client_mount_timeout", seconds);
        rados_conf_set(cluster, "rados_mon_op_timeout", seconds);
        rados_conf_set(cluster, "admin_socket", "");
        rados_conf_set(cluster, "log_file", "/dev/null");
        rados_conf_set(cluster, "log_to_stderr", "false");
        rados_conf_set(cluster, "err_to_stderr", "false");
        r = rados_connect(cluster);
        if (r == 0)
                return cluster;
        why->err = -r;
        if (rados_conf_get(cluster, "mon_host", why->mon_host, sizeof(why->mon_host)) < 0)
                why->mon_host[0] = '\0';
        rados_shutdown(cluster);
        return NULL;
}

/* What was not said, and why. */
static void not_said(struct ri_str *s, int r, const char *what)
{
        if (r < 0)
                ri_str_printf(s, "%s: %s", what,
                              r == -EACCES || r == -EPERM ? "not told to this client" : "no answer");
}

static void say_health(rados_t cluster, const struct cfs_conf *c, struct ri_str *s)
{
        char *pools = ceph_pools_of(cluster, c->fs);
        const struct ceph_about about = { .fs = c->fs ? c->fs : "", .pools = pools };

        not_said(s, ceph_say_health(cluster, &about, s), "health");
        free(pools);
}

int cfs_say_monitors(const struct cfs_conf *c, struct ri_str *s, struct cfs_why *why)
{
        rados_t cluster = monitors(c, why);

        if (!cluster)
                return -1;
        say_health(cluster, c, s);
        ri_str_puts(s, "; ");
        not_said(s, ceph_say_osds(cluster, s), "OSDs");
        ri_str_puts(s, "; MDS: ");
        not_said(s, ceph_say_mds(cluster, s), "state");
        rados_shutdown(cluster);
        return 0;
}

/* The monitors notice late that an MDS or an OSD is gone. */
const char *cfs_mds_hint(const char *said)
{
        return strncmp(said, "HEALTH_OK", strlen("HEALTH_OK")) == 0
                       ? "; so it hangs, or has just ended: see its log"
                       : "";
}

/* A request that the MDS itself must answer, with its time. */
static int ask_mds(struct cfs_job *j, double *ms)
{
        const char *path = j->root->path[0] ? j->root->path : "/";
        uint64_t start = ri_now();
        int r = cfs_round_trip(j->mount->cm, path);

        cfs_job_phase(j, "mds", j->traced ? start : 0, 0);
        *ms = (double)(ri_now() - start) / 1e6;
        return r;
}

static void take_text(struct cfs_job *j, struct ri_str *s)
{
        free(j->text);
        j->text = ri_str_take(s, &j->text_len);
        if (!j->text && !j->err)
                j->code = ROMA_ENOMEM;
        ri_str_free(s);
}

static void mds_work(struct cfs_job *j)
{
        struct ri_str s = RI_STR_INIT(4096);
        double ms;
        int r = ask_mds(j, &ms);

        if (r < 0) {
                cfs_job_error(j, r, "ask the MDS");
                return;
        }
        ri_str_printf(&s, "%s; the MDS of this filesystem answered in %.1f ms", j->text, ms);
        take_text(j, &s);
}

static void mds_end(struct cfs_job *j)
{
        if (ri_op_set_text(j->op, j->text, j->text_len) < 0) {
                cfs_job_detach(j);
                cfs_job_unref(j);
                return;
        }
        cfs_job_finish(j);
}

static const char SAY[] = "the monitors say ";

static void monitors_work(struct cfs_job *j)
{
        struct ri_str s = RI_STR_INIT(4096);
        uint64_t t = cfs_phase_start(j);
        struct cfs_why why;

        ri_str_puts(&s, SAY);
        if (cfs_say_monitors(&j->root->conf, &s, &why) < 0) {
                ri_str_reset(&s);
                ri_str_puts(&s, "the monitors have not answered librados");
                /* Without them there will be no mount either, which would take as long again to find out. */
                if (!cfs_mount_there(&j->root->conf)) {
                        j->why = why;
                        j->err = why.err;
                }
        }
        cfs_job_phase(j, "monitors", t, 0);
        take_text(j, &s);
}

/* Whoever waits for the MDS in vain is told what the monitors have said. */
static void known(struct cfs_job *j)
{
        const char *said = strncmp(j->text, SAY, strlen(SAY)) == 0 ? j->text + strlen(SAY) : "";
        struct ri_str s = RI_STR_INIT(4096);

        ri_str_printf(&s, "%s%s", j->text, cfs_mds_hint(said));
        ri_op_knows(j->op, ri_str_cstr(&s));
        ri_str_free(&s);
}

/* Two steps, so that whoever waits in vain is told for whom, and the first without a mount: making one waits for the MDS. */
static void monitors_end(struct cfs_job *j)
{
        known(j);
        ri_op_waits(j->op, strncmp(j->text, SAY, strlen(SAY)) == 0 ? "the MDS" : "the monitors and the MDS",
                    NULL);
        j->mountless = false;
        j->work = mds_work;
        j->end = mds_end;
        cfs_job_go(j);
}

void cfs_ping(struct ri_op *op)
{
        struct cfs_job *j = cfs_job_new(op, "", NULL);

        if (!j)
                return;
        ri_op_waits(op, "the monitors", NULL);
        j->again = true;
        j->mountless = true;
        j->work = monitors_work;
        j->end = monitors_end;
        cfs_job_go(j);
}
