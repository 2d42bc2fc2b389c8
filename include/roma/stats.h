/* SPDX-License-Identifier: MIT */
/* What a loop holds and what it has done. */
#ifndef ROMA_STATS_H
#define ROMA_STATS_H

#include <roma/types.h>

ROMA_BEGIN

/* The first group is what lives now: all zero after everything is closed, except stuck_threads (threads inside a
 * system call that does not return) and stuck_bytes, what they hold. The second group only grows. */
typedef struct roma_stats {
        size_t size;
        uint64_t operations, stores, files, writers, readers;
        uint64_t connections, descriptors, timers;
        uint64_t buffers, buffer_bytes, queued_for_buffers;
        uint64_t threads, jobs;
        uint64_t stuck_threads, stuck_bytes;

        uint64_t operations_total, failures_total, retries_total;
        uint64_t connects_total, reconnects_total;
        uint64_t bytes_in_total, bytes_out_total; /* by the network */
        uint64_t crc_errors_total;
        uint64_t buffer_bytes_peak;
        uint64_t callbacks_total, jobs_total;
        /* CephFS: the MDS was asked to write its journal, because a reader waited for it. */
        uint64_t nudges_total;
} roma_stats;

/* Fills *out up to out->size bytes, which the caller sets: roma_stats s = { .size = sizeof(s) }. threads counts
 * workers that are busy or idle; idle ones end by themselves when the last store is closed. */
ROMA_API void roma_loop_stats(roma_loop *loop, roma_stats *out);

ROMA_END
#endif
