/* SPDX-License-Identifier: MIT */
/* Calls of librados that only block: each is a job of core's workers and owns all that it touches. */
#include <stdlib.h>

#include "cephio/rados/rados.h"

/* Any thread, the last user. */
static void job_free(struct rad_job *j)
{
        if (j->release)
                j->release(j);
        rad_io_unref_later(j->io);
        rad_opts_unref(j->o);
        free(j);
}

void rad_job_phase(struct rad_job *j, const char *name, uint64_t start_ns)
{
        if (j->queued_ns && j->phases < RAD_PHASES)
                j->phase[j->phases++] = (struct rad_phase){ name, start_ns, ri_now() };
}

static void job_work(struct ri_job *job)
{
        struct rad_job *j = ri_container_of(job, struct rad_job, job);

        rad_job_phase(j, "queue", j->queued_ns);
        if (!j->e.code) /* else it could not be made ready */
                j->work(j);
}

static void job_orphan(struct ri_job *job)
{
        job_free(ri_container_of(job, struct rad_job, job));
}

static void report(const struct rad_job *j)
{
        for (unsigned i = 0; i < j->phases; i++) {
                const struct rad_phase *p = &j->phase[i];

                /* Only the last one can be the one that failed. */
                ri_trace_span(j->op->loop, j->op, p->name, i ? j->io->where : "", p->start_ns, p->end_ns, 0,
                              i + 1 == j->phases ? j->e.code : ROMA_OK);
        }
}

static void job_done(struct ri_job *job)
{
        struct rad_job *j = ri_container_of(job, struct rad_job, job);

        j->op->impl = NULL;
        report(j);
        if (j->e.code && j->e.status_kind == ROMA_STATUS_ERRNO)
                rad_lost(rad_of(j->op->store), j->io, -j->e.server_status);
        if (j->e.code)
                ri_op_fail_error(j->op, &j->e);
        else
                j->end(j);
        job_free(j);
}

static void job_cancel(struct ri_op *op)
{
        struct rad_job *j = op->impl;

        op->impl = NULL;
        ri_job_abandon(&j->job);
}

struct rad_job *rad_job_new(struct ri_op *op, void (*work)(struct rad_job *), void (*end)(struct rad_job *))
{
        struct rad_store *rs = rad_of(op->store);
        struct rad_job *j = calloc(1, sizeof(*j));

        if (!j) {
                ri_op_fail(op, ROMA_ENOMEM, "no memory for the request");
                return NULL;
        }
        if (!rs->io) {
                free(j);
                rad_reconnect(rs);
                ri_op_fail(op, ROMA_ECLOSED,
                           "the connection to the cluster was lost; a new one is being made, "
                           "try again");
                return NULL;
        }
        j->op = op;
        j->o = rad_opts_ref(rs->o);
        j->io = rad_io_ref(rs->io);
        j->work = work;
        j->end = end;
        j->job.work = job_work;
        j->job.done = job_done;
        j->job.orphan = job_orphan;
        j->job.bytes = sizeof(*j);
        op->impl = j;
        op->cancel = job_cancel;
        ri_op_waits(op, "the cluster", rs->io->where);
        return j;
}

void rad_job_go(struct rad_job *j)
{
        j->queued_ns = ri_trace_start(j->op->loop, j->op, "queue");
        ri_job_start(j->op->loop, &j->job);
}
