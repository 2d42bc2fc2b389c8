/* SPDX-License-Identifier: MIT */
/* The state of the cluster: asked of the monitors and of one OSD, in a worker. */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cephio/monitors.h"
#include "cephio/rados/rados.h"

static void statfs_work(struct rad_job *j)
{
        struct rados_cluster_stat_t st;
        roma_space *s = j->arg;
        uint64_t begun = ri_now();
        int r = rados_cluster_stat(rad_io_cluster(j->io), &st);

        rad_job_phase(j, "monitors", begun);
        if (r < 0) {
                rad_error(&j->e, r, "ask for the room of the cluster", NULL, j->io->where);
                return;
        }
        s->total = st.kb * 1024;
        s->available = st.kb_avail * 1024;
        s->objects = st.num_objects;
}

static void statfs_end(struct rad_job *j)
{
        if (ri_op_set_space(j->op, j->arg) == 0)
                ri_op_finish(j->op);
}

static void free_arg(struct rad_job *j)
{
        free(j->arg);
}

static struct rad_job *job_with(struct ri_op *op, size_t bytes, void (*work)(struct rad_job *),
                                void (*end)(struct rad_job *))
{
        struct rad_job *j;
        void *arg = calloc(1, bytes);

        if (!arg) {
                ri_op_fail(op, ROMA_ENOMEM, "no memory for the request");
                return NULL;
        }
        j = rad_job_new(op, work, end);
        if (!j) {
                free(arg);
                return NULL;
        }
        j->arg = arg;
        j->release = free_arg;
        return j;
}

void rad_statfs(struct ri_op *op)
{
        struct rad_job *j = job_with(op, sizeof(roma_space), statfs_work, statfs_end);

        if (j)
                rad_job_go(j);
}

struct state {
        char fsid[40], health[400];
        uint64_t objects, bytes, available;
        uint64_t osd_us;
};

static int ask_health(struct rad_job *j, struct state *st)
{
        const struct ceph_about about = { .pools = j->o->pool };
        struct ri_str s = RI_STR_INIT(4096);
        int r = ceph_say_health(rad_io_cluster(j->io), &about, &s);

        snprintf(st->health, sizeof(st->health), "%s", ri_str_cstr(&s));
        ri_str_free(&s);
        if (r == -EACCES || r == -EPERM) {
                snprintf(st->health, sizeof(st->health), "health not told to this client");
                r = 0;
        }
        return r;
}

void rad_say_osds(struct ri_error *e, const struct rad_io *io)
{
        struct ri_str s = RI_STR_INIT(4096);
        size_t n = strlen(e->text);

        if (ceph_say_osds(rad_io_cluster(io), &s) == 0)
                snprintf(e->text + n, sizeof(e->text) - n, "; the monitors say: %.120s", ri_str_cstr(&s));
        ri_str_free(&s);
}

/* One round trip to the OSD that has the layout, or would. */
static int ask_osd(struct rad_job *j, struct state *st)
{
        uint64_t begun = ri_now(), size;
        time_t mtime;
        int r = rados_stat(j->io->ctx, "roma", &size, &mtime);

        st->osd_us = (ri_now() - begun) / 1000;
        return r == -ENOENT ? 0 : r;
}

static void ping_work(struct rad_job *j)
{
        struct state *st = j->arg;
        struct rados_pool_stat_t pool;
        struct rados_cluster_stat_t cluster;
        uint64_t begun = ri_now();
        int r;

        (void)rados_cluster_fsid(rad_io_cluster(j->io), st->fsid, sizeof(st->fsid));
        r = ask_health(j, st);
        rad_job_phase(j, "monitors", begun);
        if (r < 0) {
                rad_error(&j->e, r, "ask the monitors for the health", NULL, j->io->where);
                return;
        }
        begun = ri_now();
        r = ask_osd(j, st);
        rad_job_phase(j, "osd", begun);
        if (r < 0) {
                rad_error(&j->e, r, "ask an OSD of pool", j->o->pool, j->io->where);
                rad_say_osds(&j->e, j->io);
                snprintf(j->e.text + strlen(j->e.text), sizeof(j->e.text) - strlen(j->e.text), "; %.120s",
                         st->health);
                return;
        }
        begun = ri_now();
        if (rados_ioctx_pool_stat(j->io->ctx, &pool) == 0) {
                st->objects = pool.num_objects;
                st->bytes = pool.num_bytes;
        }
        if (rados_cluster_stat(rad_io_cluster(j->io), &cluster) == 0)
                st->available = cluster.kb_avail * 1024;
        rad_job_phase(j, "monitors", begun);
}

static void ping_end(struct rad_job *j)
{
        const struct state *st = j->arg;
        char text[900];

        snprintf(text, sizeof(text),
                 "cluster %.36s answers: %.399s; an OSD answered in %.1f ms; pool %.100s holds %" PRIu64
                 " objects of %" PRIu64 " MiB; the cluster has %" PRIu64 " MiB free",
                 st->fsid, st->health, (double)st->osd_us / 1000, j->o->pool, st->objects, st->bytes >> 20,
                 st->available >> 20);
        if (ri_op_set_text(j->op, text, strlen(text)) == 0)
                ri_op_finish(j->op);
}

void rad_ping(struct ri_op *op)
{
        struct rad_job *j = job_with(op, sizeof(struct state), ping_work, ping_end);

        if (j)
                rad_job_go(j);
}
