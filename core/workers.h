/* SPDX-License-Identifier: MIT */
/* Threads for what can only block: local files, names, digests. Bounded, counted, started when needed, ended after
 * some idle seconds. A job that does not come back is abandoned: its thread is counted as stuck until it returns
 * and replaced, so that the others go on. */
#ifndef RI_WORKERS_H
#define RI_WORKERS_H

#include "core/loop.h"

/* Embedded in its owner, on the heap. `work` runs on a worker thread and may touch only what the job owns. Then
 * exactly one of: `done` on the loop's thread; or, when it was abandoned, `orphan` on whichever thread is last,
 * which frees the job and what it owns and touches nothing else. */
struct ri_job {
        void (*work)(struct ri_job *job);
        void (*done)(struct ri_job *job);
        void (*orphan)(struct ri_job *job);
        size_t bytes; /* memory it holds, for stuck_bytes */
        /* Set while `work` runs on the loop for want of threads: no other is at work, and none can be waited for. */
        bool alone;
        /* private */
        struct ri_list link;
        struct ri_post post;
        struct ri_pool *pool;
        int state;
};

struct ri_workers *ri_workers_new(roma_loop *loop, unsigned max);
/* From here on jobs that come back free themselves; those that have come back already are still to be delivered. Waits
 * for nothing. */
void ri_workers_stop(struct ri_workers *w);
/* After stop, and when nothing is left to be delivered. */
void ri_workers_free(struct ri_workers *w);

/* Nothing is open any more: idle threads end now. */
void ri_workers_rest(roma_loop *loop);
/* Fills threads, stuck_threads and stuck_bytes. */
void ri_workers_stats(roma_loop *loop, roma_stats *stats);

/* Never fails: without a thread (EAGAIN) the job waits for one; when there is none at all it runs on the loop. */
void ri_job_start(roma_loop *loop, struct ri_job *job);
/* The owner loses interest. A job not yet begun is taken back; a running one goes on alone. Either way `orphan`
 * will free it, and `done` is not called. true: it was taken back, `work` was not and will not be called. */
bool ri_job_abandon(struct ri_job *job);
/* For work(): true when the job was abandoned and should end soon. */
bool ri_job_abandoned(struct ri_job *job);

#endif
