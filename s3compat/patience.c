/* SPDX-License-Identifier: MIT */
/* A server may work on the end of an upload for longer than an operation may be silent: radosgw removes ten thousand parts one
 * after the other and says nothing meanwhile. Whether it is alive, another request tells, which asks for the upload. */
#include <stdlib.h>
#include <string.h>

#include "s3compat/patience.h"

/* Behind proxies a server may be alive and the request lost: no longer than this. */
#define MOST_NS (15 * 60 * 1000000000ULL)

static void pause_then_ask(struct s3_patience *p)
{
        uint64_t ms = p->op->stall_ms / 3;

        /* Without a timer the operation stalls as it would have. */
        (void)ri_timer_start(p->op->loop, &p->timer, ms ? ms : 1);
}

static void told(struct s3_request *r)
{
        struct s3_patience *p = r->arg;
        bool gone = r->error.code == ROMA_ENOENT, alive = gone || !r->error.code;

        p->r = NULL;
        s3_request_free(r);
        if (alive && ri_now() - p->began < MOST_NS)
                s3_progress(p->op);
        /* When it is gone the answer cannot be far. */
        if (!gone)
                pause_then_ask(p);
}

static void ask(struct s3_patience *p)
{
        struct s3_request *r = s3_request_new(s3_of(p->op->store), NULL, "ListParts", "GET", p->key);

        if (!r)
                return;
        r->done = told;
        r->arg = p;
        r->beside = true;
        s3_fields_add(&r->query, "max-parts", "1");
        s3_fields_add(&r->query, "uploadId", p->id);
        p->r = r;
        s3_request_start(r);
}

static void fired(struct ri_timer *t)
{
        ask(ri_container_of(t, struct s3_patience, timer));
}

int s3_patience_begin(struct s3_patience *p, struct ri_op *op, const char *key, const char *id)
{
        *p = (struct s3_patience){ .op = op, .key = strdup(key), .id = strdup(id), .began = ri_now() };
        p->timer.fire = fired;
        if (!p->key || !p->id)
                return -1;
        if (op->stall_ms != ROMA_NEVER)
                pause_then_ask(p);
        return 0;
}

void s3_patience_end(struct s3_patience *p)
{
        ri_timer_stop(&p->timer);
        s3_request_free(p->r);
        free(p->key);
        free(p->id);
        *p = (struct s3_patience){ 0 };
}
