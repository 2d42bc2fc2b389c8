/* SPDX-License-Identifier: MIT */
/* The work on the pieces of one file, in portions: a large file has many, and each portion that ends is progress. */
#include <stdlib.h>
#include <string.h>

#include "cephio/pieces_ask.h"

enum { PORTION = 64 };
#define PORTION_NS UINT64_C(500000000)

static void pieces_free(struct ceph_pieces *p)
{
        rad_io_unref_later(p->io);
        rad_opts_unref(p->o);
        roma_layout_unref(p->layout);
        free(p->osd);
        free(p->group);
        free(p);
}

/* Worker */
static void pieces_work(struct ri_job *job)
{
        struct ceph_pieces *p = ri_container_of(job, struct ceph_pieces, job);
        uint64_t until = ri_now() + PORTION_NS;

        if (!p->io)
                p->io = rad_io_open(p->o, &p->e);
        for (int n = 0; p->io && n < PORTION && p->next < p->layout->pieces && ri_now() < until; n++) {
                if (ri_job_abandoned(job))
                        return;
                ceph_pieces_place(p, p->next);
                if (p->flags & (ROMA_LAYOUT_LOOK | ROMA_LAYOUT_COPIES))
                        ceph_pieces_size(p, p->next);
                if (p->flags & ROMA_LAYOUT_COPIES)
                        ceph_pieces_content(p, p->next);
                if (p->flags & ROMA_LAYOUT_NOTED)
                        ceph_pieces_scrub(p, p->next);
                p->next++;
        }
}

static void pieces_orphan(struct ri_job *job)
{
        pieces_free(ri_container_of(job, struct ceph_pieces, job));
}

static void pieces_done(struct ri_job *job)
{
        struct ceph_pieces *p = ri_container_of(job, struct ceph_pieces, job);
        struct ri_op *op = p->op;
        roma_layout *l;

        ri_op_progress(op);
        if (!p->e.code && p->next < p->layout->pieces) {
                ri_job_start(op->loop, &p->job);
                return;
        }
        op->impl = NULL;
        op->cancel = NULL;
        if (p->e.code) {
                ri_op_fail_error(op, &p->e);
        } else {
                l = p->layout;
                p->layout = NULL;
                ri_layout_finish(op, l);
        }
        pieces_free(p);
}

static void pieces_cancel(struct ri_op *op)
{
        struct ceph_pieces *p = op->impl;

        op->impl = NULL;
        ri_job_abandon(&p->job);
}

static char *copy(const char *s)
{
        return s ? strdup(s) : NULL;
}

static struct rad_opts *opts_of(const struct ceph_where *w)
{
        struct rad_opts *o = calloc(1, sizeof(*o));

        if (!o)
                return NULL;
        o->refs = 1;
        o->raw = true;
        o->pool = copy(w->pool);
        o->ns = copy(w->ns);
        o->conf = copy(w->conf);
        o->client = copy(w->client);
        o->keyring = copy(w->keyring);
        o->connect_s = w->connect_s;
        o->osd_s = w->osd_s;
        if (o->pool && o->ns && !o->conf == !w->conf && !o->client == !w->client &&
            !o->keyring == !w->keyring)
                return o;
        rad_opts_unref(o);
        return NULL;
}

void ceph_pieces_ask(struct ri_op *op, roma_layout *layout, const struct ceph_where *where, unsigned flags,
                     bool gap)
{
        struct ceph_pieces *p = calloc(1, sizeof(*p));

        if (p)
                p->o = opts_of(where);
        if (!p || !p->o) {
                free(p);
                roma_layout_unref(layout);
                op->impl = NULL;
                op->cancel = NULL;
                ri_op_fail(op, ROMA_ENOMEM, "no memory for the request");
                return;
        }
        p->op = op;
        p->layout = layout;
        p->flags = flags;
        p->gap = gap;
        p->job.work = pieces_work;
        p->job.done = pieces_done;
        p->job.orphan = pieces_orphan;
        p->job.bytes = sizeof(*p);
        op->impl = p;
        op->cancel = pieces_cancel;
        ri_op_waits(op, "the monitors and OSDs", NULL);
        ri_job_start(op->loop, &p->job);
}
