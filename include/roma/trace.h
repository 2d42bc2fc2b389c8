/* SPDX-License-Identifier: MIT */
/* Where the time and the bytes go: one event for each phase of an operation. Costs nothing when off. */
#ifndef ROMA_TRACE_H
#define ROMA_TRACE_H

#include <roma/types.h>

ROMA_BEGIN

typedef struct roma_trace_event {
        size_t size;
        roma_op op;            /* the operation the program started; 0 for work that belongs to none */
        const char *operation; /* "put", "pread" ... */
        const char *phase;  /* "resolve", "connect", "register", "lookup", "write_chunk", "chunk_write" ... */
        const char *server; /* host:port, "" when local */
        uint64_t start_ns;  /* CLOCK_BOOTTIME */
        uint64_t end_ns;
        uint64_t bytes;
        int code; /* enum roma_code of this phase */
} roma_trace_event;

/* Sets (fn) or removes (NULL) the receiver of events. The event lives during the call; no libroma call is legal
 * in it. */
ROMA_API void roma_loop_trace(roma_loop *loop, void (*fn)(void *arg, const roma_trace_event *ev), void *arg);

ROMA_END
#endif
