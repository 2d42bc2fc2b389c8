/* SPDX-License-Identifier: MIT */
/* How a blocking call is made of its asynchronous twin: drive the loop until the one operation has ended. */
#include <string.h>

#include "core/op.h"

int ri_wait_begin(struct ri_wait *w, roma_loop *loop)
{
        memset(w, 0, sizeof *w);
        w->loop = loop;
        if (ri_loop_enter(loop) < 0)
                return -1;
        if (!loop->hooks->turn) {
                ri_loop_error(loop, ROMA_EWRONGCONTEXT,
                              "a blocking call on an attached loop: the program drives it; use the "
                              "asynchronous twin");
                return -1;
        }
        if (loop->in_callback || loop->working) {
                ri_loop_error(loop, ROMA_EWRONGCONTEXT,
                              "a blocking call inside a callback: the loop never runs inside itself; use the "
                              "asynchronous twin");
                return -1;
        }
        loop->refused.code = ROMA_OK;
        loop->error[0] = '\0';
        return 0;
}

void ri_wait_done(void *arg, const roma_result *r)
{
        struct ri_wait *w = arg;
        struct ri_op *op = ri_container_of(r, struct ri_op, res);

        w->ended = true;
        w->code = r->code;
        op->keep = true;
}

void ri_wait_attr(roma_loop *loop, roma_attr *attr)
{
        size_t size;

        if (!attr || !loop->last->res.attr)
                return;
        size = attr->size && attr->size < sizeof *attr ? attr->size : sizeof *attr;
        memcpy(attr, loop->last->res.attr, size);
        attr->size = size;
}

int ri_wait(struct ri_wait *w, roma_op id)
{
        roma_loop *loop = w->loop;

        if (!id)
                return -1;
        while (!w->ended)
                loop->hooks->turn(loop, -1);
        if (w->code == ROMA_OK)
                return 0;
        if (loop->last) {
                strncpy(loop->error, loop->last->res.message, sizeof loop->error - 1);
                loop->error[sizeof loop->error - 1] = '\0';
        }
        return -1;
}
