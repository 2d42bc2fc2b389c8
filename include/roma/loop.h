/* SPDX-License-Identifier: MIT */
/* The event loop. Everything that belongs to a loop is used from one thread, the one that drives it; more cores
 * means more loops. roma_loop_post() is the one call that is legal from any thread. */
#ifndef ROMA_LOOP_H
#define ROMA_LOOP_H

#include <roma/types.h>

ROMA_BEGIN

/* Limits of a loop; 0 means the default. */
typedef struct roma_loop_opts {
        size_t size;
        uint64_t max_buffer_bytes; /* budget for the library's own buffers (default 32 MiB, at least 1 MiB) */
        unsigned max_workers; /* threads for what can only block: files, names, digests (default 4, 1..64) */
} roma_loop_opts;
#define ROMA_LOOP_OPTS_INIT                  \
        {                                    \
                sizeof(roma_loop_opts), 0, 0 \
        }

/* A loop of libroma's own, for blocking calls, roma_loop_run(), or polled by roma_loop_fd(). NULL when memory or
 * descriptors are missing (errno is set). */
ROMA_API roma_loop *roma_loop_new(void) ROMA_MUST_CHECK;
ROMA_API roma_loop *roma_loop_new_opts(const roma_loop_opts *opts) ROMA_MUST_CHECK;
/* Ends what is in flight (ROMA_ECANCELED), closes all stores within 5 s, and frees the loop. On an attached loop
 * it drives nothing: sessions are dropped without a farewell, so close the stores and let the loop run first.
 * The callbacks that come of it open no stores (ROMA_ECANCELED).
 * Not inside a callback of this loop: there it does nothing and roma_error() says so. NULL is allowed. */
ROMA_API void roma_loop_free(roma_loop *loop);

/* Drives an own loop until nothing is in flight. 0, or -1 (ROMA_EWRONGCONTEXT, ROMA_EFORK). */
ROMA_API int roma_loop_run(roma_loop *loop);
/* Drives an own loop for one turn, waiting at most timeout_ms (-1: until something happens, 0: not at all).
 * Number of operations still in flight, or -1. */
ROMA_API int roma_loop_turn(roma_loop *loop, int timeout_ms);
/* A descriptor of an own loop that polls readable (POLLIN) when roma_loop_turn(loop, 0) has something to do: for
 * poll(), epoll, libuv or glib. It belongs to the loop. -1 on an attached loop. */
ROMA_API int roma_loop_fd(roma_loop *loop);

/* Calls fn(arg) soon on the loop's thread. Legal from any thread and from signal-free foreign callbacks, as long as
 * the loop exists. A post keeps roma_loop_run() running until it is delivered, but not the
 * program's own loop on an attached one. 0, or -1 when memory is missing. */
ROMA_API int roma_loop_post(roma_loop *loop, void (*fn)(void *arg), void *arg);

/* A timer for programs on an own loop: fn(arg) once, ms from now. It counts as an operation in flight and can be
 * cancelled with roma_cancel(). 0 when memory is missing. */
ROMA_API roma_op roma_aio_sleep(roma_loop *loop, uint32_t ms, roma_done *done, void *arg);

/* Ends an operation early; its callback comes with ROMA_ECANCELED and an outcome. An id that is 0, finished or
 * unknown: nothing happens. */
ROMA_API void roma_cancel(roma_loop *loop, roma_op op);

/* Why the last call on this loop failed: one sentence, "" if none has. Valid until the next call. With NULL: why
 * no loop could be made. */
ROMA_API const char *roma_error(roma_loop *loop);
/* All of the last blocking call's result. Valid until the next blocking call on this loop. */
ROMA_API const struct roma_result *roma_last(roma_loop *loop);

/* The bytes of a buffer, and giving it back. A buffer that is held counts against the loop's budget, and is given back before
 * the loop is freed. */
ROMA_API const void *roma_buf_data(const roma_buf *buf);
ROMA_API size_t roma_buf_len(const roma_buf *buf);
ROMA_API roma_buf *roma_buf_ref(roma_buf *buf);
ROMA_API void roma_buf_unref(roma_buf *buf);

ROMA_END
#endif
