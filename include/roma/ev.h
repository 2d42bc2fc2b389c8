/* SPDX-License-Identifier: MIT */
/* A loop that lives inside the caller's libev loop. */
#ifndef ROMA_EV_H
#define ROMA_EV_H

#include <roma/loop.h>

ROMA_BEGIN

struct ev_loop;

/* A loop driven by `ev`, which must outlive it. libroma's watchers hold no reference, each operation in flight
 * holds one: ev_run(ev, 0) returns when nothing is in flight. Blocking calls answer ROMA_EWRONGCONTEXT. Close the
 * stores and let the loop run until they are closed, then roma_loop_free(). NULL as roma_loop_new(). */
ROMA_API roma_loop *roma_loop_attach(struct ev_loop *ev) ROMA_MUST_CHECK;
ROMA_API roma_loop *roma_loop_attach_opts(struct ev_loop *ev, const roma_loop_opts *opts) ROMA_MUST_CHECK;

ROMA_END
#endif
