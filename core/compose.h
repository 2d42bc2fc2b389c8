/* SPDX-License-Identifier: MIT */
/* For operations that are made of others. */
#ifndef RI_COMPOSE_H
#define RI_COMPOSE_H

#include "core/backend.h"

/* Limits of a child: it stalls as its parent would, and names what it was waiting for; the deadline is the parent's
 * alone. */
static inline roma_opts ri_child_opts(const struct ri_op *parent)
{
        return (roma_opts){ sizeof(roma_opts), parent->stall_ms, ROMA_NEVER };
}

/* To be called on a new composite. Its own stall time is a little longer than its children's, so that the child,
 * which knows the server, writes the sentence. */
static inline void ri_compose(struct ri_op *op, void *impl, void (*cancel)(struct ri_op *op))
{
        op->impl = impl;
        op->cancel = cancel;
        if (op->stall_ms < ROMA_NEVER - ROMA_NEVER / 8)
                op->stall_ms += op->stall_ms / 8 + 10;
}

/* Ties a child that was just started to its parent, for traces. */
static inline roma_op ri_adopt(const struct ri_op *parent, roma_op child)
{
        struct ri_op *op = ri_op_find(parent->loop, child);

        if (op)
                ri_op_set_parent(op, parent);
        return child;
}

/* Fails a composite whose child did not even start. */
static inline void ri_fail_start(struct ri_op *op)
{
        const roma_result *r = &op->loop->refused;

        ri_op_fail(op, r->code ? r->code : ROMA_ENOMEM, "%s",
                   r->code ? op->loop->error : "no memory for a part of it");
}

/* core/listing.c: one folder of a store with folders. */
roma_op ri_aio_readdir(roma_store *store, const char *key, ri_dirent_fn *fn, void *fn_arg,
                       const roma_opts *opts, roma_done *done, void *arg);

#endif
