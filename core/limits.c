/* SPDX-License-Identifier: MIT */
/* The two times of an operation, the stall time and the deadline, and the sentences that end it. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/backend.h"
#include "core/op.h"
#include "core/str.h"

/* SILENT: stall times that an operation may be silent itself while others that it waits with move. */
enum { STALL_MS = 60000, SINGLE_DEADLINE_MS = 90000, SILENT = 10, DEPTH = 8 };
/* Of what an operation knows: the rest of the sentence must have room. */
enum { KNOWN = 320 };

/* A timer that fires so much too late. */
#define AWAY_NS UINT64_C(5000000000)

/* An operation that was started before its own parent was adopted still names that one. */
static bool descends(const struct ri_op *op, uint64_t from)
{
        for (int depth = 0; op && op->parent && depth < DEPTH; depth++) {
                if (op->parent == from)
                        return true;
                op = ri_op_find(op->loop, op->parent);
        }
        return false;
}

/* What a composite waits for is known to the operations it has started: best to the one that waits for a server. */
static void ask_children(struct ri_op *op)
{
        const struct ri_op *best = NULL;

        ri_map_for_each(n, &op->loop->ops)
        {
                const struct ri_op *o = ri_container_of(n, struct ri_op, by_id);

                if (!o->finished && o->waiting && (!best || !best->server[0]) && descends(o, op->id))
                        best = o;
        }
        if (best && !op->server[0])
                ri_op_waits(op, best->waiting, best->server);
}

/* The operation of the program that this one is a part of. */
static const struct ri_op *root(const struct ri_op *op)
{
        for (int depth = 0; op->parent && depth < DEPTH; depth++) {
                const struct ri_op *up = ri_op_find(op->loop, op->parent);

                if (!up)
                        break;
                op = up;
        }
        return op;
}

/* Pieces are asked for ahead and answered in turn: on a slow line the last one hears nothing for a long time, and the
 * composite, which counts pieces, neither. Looked up only when a stall time is over. */
static bool others_move(const struct ri_op *op)
{
        uint64_t stall = (uint64_t)op->stall_ms * 1000000u, now = ri_now();
        const struct ri_op *top = root(op);

        if (now >= op->progress_at + SILENT * stall)
                return false;
        ri_map_for_each(n, &op->loop->ops)
        {
                const struct ri_op *o = ri_container_of(n, struct ri_op, by_id);

                if (o != op && o->moved_at && now < o->moved_at + stall &&
                    (root(o) == top || (op->file && o->file == op->file)))
                        return true;
        }
        return false;
}

/* A program that feeds a pipe is not a server: unless somebody has set a limit, it may take its time. */
static bool waits_for_program(const struct ri_op *op)
{
        const struct ri_op *top = root(op);

        /* What waits for a server meanwhile has to be answered. */
        if (top->stall_asked || (op != top && !op->patient))
                return false;
        ri_map_for_each(n, &op->loop->ops)
        {
                const struct ri_op *o = ri_container_of(n, struct ri_op, by_id);

                if (!o->finished && o->patient && root(o) == top)
                        return true;
        }
        return false;
}

/* Nobody drove the loop, or the machine slept: it was not the server that was silent. */
static bool slept(const struct ri_op *op)
{
        uint64_t due = op->progress_at + (uint64_t)op->stall_ms * 1000000u;

        /* One that was excused is looked at again later, and was not asleep until then. */
        return ri_now() >= (due > op->stall_due ? due : op->stall_due) + AWAY_NS;
}

bool ri_op_excused(const struct ri_op *op)
{
        return slept(op) || others_move(op) || waits_for_program(op);
}

static void stall_fired(struct ri_timer *t)
{
        struct ri_op *op = ri_container_of(t, struct ri_op, stall);
        uint64_t stall = (uint64_t)op->stall_ms * 1000000u, due = op->progress_at + stall, now = ri_now();

        if (slept(op)) {
                op->progress_at = now;
                due = now + stall;
        }
        if (now >= due && ri_op_excused(op))
                due = now + stall;
        if (now < due) {
                /* Progress only notes the time; the heap is touched once in a stall time. Cannot fail: the room of this
                 * timer was just given back. */
                op->stall_due = due;
                ri_timer_start_at(op->loop, t, due);
                return;
        }
        ask_children(op);
        ri_op_abort(op, ROMA_ETIMEDOUT,
                    "no progress for %.3g s, waiting for %s%s%s%s%.*s; see whether the server is alive, or "
                    "allow more with stall",
                    op->stall_ms / 1000., op->waiting ? op->waiting : "an answer",
                    op->server[0] ? " from " : "", op->server, op->known ? "; " : "", KNOWN,
                    op->known ? op->known : "");
}

static void deadline_fired(struct ri_timer *t)
{
        struct ri_op *op = ri_container_of(t, struct ri_op, deadline);

        ask_children(op);
        ri_op_abort(op, ROMA_ETIMEDOUT, "not done within its deadline of %.3g s, waiting for %s%s%s%s%.*s",
                    op->deadline_ms / 1000., op->waiting ? op->waiting : "an answer",
                    op->server[0] ? " from " : "", op->server, op->known ? "; " : "", KNOWN,
                    op->known ? op->known : "");
}

static uint32_t limit(uint32_t asked, uint32_t usual)
{
        return asked ? asked : usual;
}

void ri_limits_set(struct ri_op *op, enum ri_op_kind kind, const void *opts)
{
        const roma_opts *o = opts;
        roma_store *store = op->store;

        op->stall_asked = (o && o->stall_ms) || (store && store->stall_ms);
        op->stall_ms = limit(o ? o->stall_ms : 0, store && store->stall_ms ? store->stall_ms : STALL_MS);
        op->deadline_ms =
                limit(o ? o->deadline_ms : 0, kind == RI_TRANSFER ? ROMA_NEVER : SINGLE_DEADLINE_MS);
        if (store && op->stall_ms < store->min_stall_ms)
                op->stall_ms = store->min_stall_ms;
}

int ri_limits_start(struct ri_op *op)
{
        op->stall.fire = stall_fired;
        op->deadline.fire = deadline_fired;
        op->stall_due = ri_now() + (uint64_t)op->stall_ms * 1000000u;
        if (op->stall_ms != ROMA_NEVER && ri_timer_start(op->loop, &op->stall, op->stall_ms) < 0)
                return -1;
        if (op->deadline_ms != ROMA_NEVER && ri_timer_start(op->loop, &op->deadline, op->deadline_ms) < 0) {
                ri_timer_stop(&op->stall);
                return -1;
        }
        return 0;
}

void ri_op_progress(struct ri_op *op)
{
        op->progress_at = op->moved_at = ri_now();
}

void ri_op_waits(struct ri_op *op, const char *what, const char *server)
{
        op->waiting = what;
        snprintf(op->server, sizeof op->server, "%s", server ? server : "");
}

void ri_op_knows(struct ri_op *op, const char *words)
{
        free(op->known);
        op->known = strdup(words); /* NULL: without it */
}
