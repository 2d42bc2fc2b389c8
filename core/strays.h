/* SPDX-License-Identifier: MIT */
/* Strays: the changes of one object whose operation ended early while a worker was inside the call, whichever open file they came
 * through. A later change must not overtake one, so it waits for them in its worker. */
#ifndef RI_STRAYS_H
#define RI_STRAYS_H

#include "core/workers.h"

/* Counted: one reference of whoever keeps the order of the object, one of each of its descriptors. */
struct ri_strays;

struct ri_strays *ri_strays_new(void); /* NULL: no memory */
struct ri_strays *ri_strays_ref(struct ri_strays *s);
void ri_strays_unref(struct ri_strays *s); /* on any thread; NULL: nothing */
/* Whether somebody else has a reference: there may be strays, or will be. */
bool ri_strays_shared(const struct ri_strays *s);

/* On the loop: one more, before those that wait for this change are let go. */
void ri_strays_begin(struct ri_strays *s);
/* On any thread: it has come back. */
void ri_strays_end(struct ri_strays *s);
bool ri_strays_any(struct ri_strays *s);

/* In the worker of `job`, before a change: waits until there is none. false: the job was abandoned, do nothing. */
bool ri_strays_settle(struct ri_strays *s, struct ri_job *job);

#endif
