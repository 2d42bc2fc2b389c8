/* SPDX-License-Identifier: MIT */
/* A timer as an operation. */
#include <stdlib.h>

#include "core/op.h"

struct sleeper {
        struct ri_timer timer;
        struct ri_op *op;
};

static void slept(struct ri_timer *t)
{
        struct sleeper *s = ri_container_of(t, struct sleeper, timer);
        struct ri_op *op = s->op;

        free(s);
        ri_op_finish(op);
}

static void sleep_cancel(struct ri_op *op)
{
        struct sleeper *s = op->impl;

        ri_timer_stop(&s->timer);
        free(s);
}

roma_op roma_aio_sleep(roma_loop *loop, uint32_t ms, roma_done *done, void *arg)
{
        roma_opts opts = ROMA_OPTS_INIT;
        struct sleeper *s;
        struct ri_op *op;

        if (loop->freeing) {
                ri_loop_error(loop, ROMA_ECANCELED, "sleep: the loop is being freed");
                return 0;
        }
        opts.stall_ms = opts.deadline_ms = ROMA_NEVER;
        op = ri_op_new(loop, NULL, RI_SINGLE, "sleep", "", &opts, done, arg);
        if (!op)
                return 0;
        s = calloc(1, sizeof *s);
        if (s) {
                s->op = op;
                s->timer.fire = slept;
                op->impl = s;
                op->cancel = sleep_cancel;
        }
        if (!s || ri_timer_start(loop, &s->timer, ms) < 0) {
                op->cancel = NULL;
                free(s);
                ri_op_fail(op, ROMA_ENOMEM, "out of memory");
        }
        return op->id;
}
