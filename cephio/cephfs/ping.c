/* SPDX-License-Identifier: MIT */
/* The state of the cluster in a sentence: what its monitors say, and whether the MDS answers. */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <rados/librados.h>

#include "cephio/cephfs/cephfs.h"
#include "core/str.h"

/* libcephfs asks no monitor for us, librados does. NULL: they do not answer, or we may not ask. */
static rados_t monitors(const struct cfs_conf *c)
{
        char seconds[16];
        rados_t cluster;

        if (rados_create(&cluster, c->client) < 0)
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
        if (rados_connect(cluster) == 0)
                return cluster;
        rados_shutdown(cluster);
        return NULL;
}

/* The answer's first line to a monitor's command in plain text. */
static void ask(rados_t cluster, const char *command, struct ri_str *to)
{
        const char *cmd[] = { command };
        char *out = NULL, *status = NULL;
        size_t len = 0, status_len = 0, n;

        if (rados_mon_command(cluster, cmd, 1, NULL, 0, &out, &len, &status, &status_len) == 0 && len) {
                const char *end = memchr(out, '\n', len);

                n = end ? (size_t)(end - out) : len;
                ri_str_quoted(to, out, n, 300);
        } else {
                ri_str_puts(to, "not told to this client");
        }
        rados_buffer_free(out);
        rados_buffer_free(status);
}

static void say_monitors(const struct cfs_conf *c, struct ri_str *s)
{
        rados_t cluster = monitors(c);

        if (!cluster) {
                ri_str_puts(s, "the monitors do not answer a second client");
                return;
        }
        ri_str_puts(s, "the monitors say ");
        ask(cluster, "{\"prefix\":\"health\"}", s);
        ri_str_puts(s, "; OSDs: ");
        ask(cluster, "{\"prefix\":\"osd stat\"}", s);
        ri_str_puts(s, "; MDS: ");
        ask(cluster, "{\"prefix\":\"mds stat\"}", s);
        rados_shutdown(cluster);
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

static void ping_work(struct cfs_job *j)
{
        struct ri_str s = RI_STR_INIT(4096);
        uint64_t t = cfs_phase_start(j);
        double ms;
        int r;

        say_monitors(&j->root->conf, &s);
        cfs_job_phase(j, "monitors", t, 0);
        r = ask_mds(j, &ms);
        if (r < 0)
                cfs_job_error(j, r, "ask the MDS");
        ri_str_printf(&s, "; the MDS of this filesystem answered in %.1f ms", ms);
        free(j->text);
        j->text = ri_str_take(&s, &j->text_len);
        if (!j->text && !j->err)
                j->code = ROMA_ENOMEM;
        ri_str_free(&s);
}

static void ping_end(struct cfs_job *j)
{
        if (ri_op_set_text(j->op, j->text, j->text_len) < 0) {
                cfs_job_detach(j);
                cfs_job_unref(j);
                return;
        }
        cfs_job_finish(j);
}

void cfs_ping(struct ri_op *op)
{
        struct cfs_job *j = cfs_job_new(op, "", NULL);

        if (!j)
                return;
        ri_op_waits(op, "the monitors and the MDS", NULL);
        j->again = true;
        j->work = ping_work;
        j->end = ping_end;
        cfs_job_go(j);
}
