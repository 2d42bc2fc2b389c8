/* SPDX-License-Identifier: MIT */
/* Names to addresses: getaddrinfo() blocks, so it runs on a worker, and the loop keeps the time. */
#include "mfsproto/resolve.h"

#include <arpa/inet.h>
#include <stdlib.h>
#include <string.h>

#include "core/workers.h"
#include "mfsproto/sys.h"

/* The worker's half, which outlives the other when a name server does not answer. */
struct lookup {
        struct ri_job job;
        struct mfs_resolve *owner; /* touched on the loop only */
        char name[256];
        int error; /* of getaddrinfo */
        size_t n;
        uint32_t ip[MFS_RESOLVE_MAX];
};

struct mfs_resolve {
        roma_loop *loop;
        struct lookup *lookup; /* NULL: numeric, or answered */
        struct ri_timer limit;
        struct ri_task tell;
        uint32_t limit_ms;
        uint32_t numeric;
        char name[256];
        mfs_resolve_done *done;
        void *arg;
};

static void resolve_free(struct mfs_resolve *r)
{
        ri_timer_stop(&r->limit);
        ri_task_drop(&r->tell);
        free(r);
}

static void lookup_work(struct ri_job *job)
{
        struct lookup *l = ri_container_of(job, struct lookup, job);
        struct addrinfo hints = { .ai_family = AF_INET, .ai_socktype = SOCK_STREAM }, *res = NULL;

        l->error = mfs_sys.getaddrinfo(l->name, NULL, &hints, &res);
        if (l->error)
                return;
        for (struct addrinfo *a = res; a && l->n < MFS_RESOLVE_MAX; a = a->ai_next) {
                struct sockaddr_in in;

                if (a->ai_family != AF_INET || a->ai_addrlen < sizeof(in))
                        continue;
                memcpy(&in, a->ai_addr, sizeof(in));
                l->ip[l->n++] = ntohl(in.sin_addr.s_addr);
        }
        freeaddrinfo(res);
}

static void lookup_orphan(struct ri_job *job)
{
        free(ri_container_of(job, struct lookup, job));
}

static void lookup_done(struct ri_job *job)
{
        struct lookup *l = ri_container_of(job, struct lookup, job);
        struct mfs_resolve *r = l->owner;
        mfs_resolve_done *done = r->done;
        void *arg = r->arg;
        struct ri_error e;
        bool bad = l->error || l->n == 0;

        memset(&e, 0, sizeof(e));
        if (bad) {
                ri_error_set(&e, ROMA_ERESOLVE, "",
                             "the host name %s has no IPv4 address: %s; check the name and the name servers "
                             "of this machine",
                             r->name, l->error ? gai_strerror(l->error) : "empty answer");
                if (l->error == EAI_AGAIN)
                        e.flags |= ROMA_RETRIABLE;
        }
        resolve_free(r);
        done(arg, l->ip, bad ? 0 : l->n, bad ? &e : NULL);
        free(l);
}

static void limit_fire(struct ri_timer *t)
{
        struct mfs_resolve *r = ri_container_of(t, struct mfs_resolve, limit);
        mfs_resolve_done *done;
        void *arg;
        struct ri_error e;

        memset(&e, 0, sizeof(e));
        ri_error_set(&e, ROMA_ERESOLVE, "",
                     "no answer about the host name %s within %u ms; check the name servers of this machine "
                     "or give an address",
                     r->name, r->limit_ms);
        e.flags |= ROMA_RETRIABLE;
        done = r->done;
        arg = r->arg;
        ri_job_abandon(&r->lookup->job);
        resolve_free(r);
        done(arg, NULL, 0, &e);
}

static void tell_run(struct ri_task *t)
{
        struct mfs_resolve *r = ri_container_of(t, struct mfs_resolve, tell);

        mfs_resolve_done *done = r->done;
        void *arg = r->arg;
        uint32_t ip = r->numeric;

        resolve_free(r);
        done(arg, &ip, 1, NULL);
}

struct mfs_resolve *mfs_resolve_start(roma_loop *loop, const char *name, uint32_t limit_ms,
                                      mfs_resolve_done *done, void *arg)
{
        struct mfs_resolve *r = calloc(1, sizeof(*r));
        struct in_addr in;

        if (!r)
                return NULL;
        r->loop = loop;
        r->done = done;
        r->arg = arg;
        r->limit_ms = limit_ms;
        r->limit.fire = limit_fire;
        r->tell.run = tell_run;
        ri_list_init(&r->tell.link);
        strncpy(r->name, name, sizeof(r->name) - 1);
        if (inet_pton(AF_INET, name, &in) == 1) {
                r->numeric = ntohl(in.s_addr);
                ri_task_queue(loop, &r->tell);
                return r;
        }
        r->lookup = calloc(1, sizeof(*r->lookup));
        if (!r->lookup || ri_timer_start(loop, &r->limit, limit_ms) < 0) {
                free(r->lookup);
                free(r);
                return NULL;
        }
        r->lookup->owner = r;
        r->lookup->job.work = lookup_work;
        r->lookup->job.done = lookup_done;
        r->lookup->job.orphan = lookup_orphan;
        r->lookup->job.bytes = sizeof(*r->lookup);
        memcpy(r->lookup->name, r->name, sizeof(r->name));
        ri_job_start(loop, &r->lookup->job);
        return r;
}

void mfs_resolve_cancel(struct mfs_resolve *r)
{
        if (!r)
                return;
        if (r->lookup)
                ri_job_abandon(&r->lookup->job);
        resolve_free(r);
}
