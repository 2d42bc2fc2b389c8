/* SPDX-License-Identifier: MIT */
/* Bytes that can be read again at any place. Whoever sends them may read them where they are, into the memory that they are
 * sent from, and read them once more when a try has failed: so nothing of them is held meanwhile. What is read twice may have
 * become something else, and whoever reads twice compares. */
#ifndef RI_SOURCE_H
#define RI_SOURCE_H

#include <stdatomic.h>

#include "core/buf.h"
#include "core/workers.h"

struct ri_source;

struct ri_source_ops {
        /* Copies what is in memory of n bytes at `offset`, on the loop and without waiting: how many, at least one; or -1
         * with errno, EAGAIN when a worker has to read. */
        ssize_t (*now)(struct ri_source *s, void *to, size_t n, uint64_t offset);
        /* In a worker: n bytes at `offset`, fewer where it ends; or -1 with errno. */
        ssize_t (*wait)(struct ri_source *s, void *to, size_t n, uint64_t offset);
        void (*free)(struct ri_source *s); /* on any thread */
};

/* Embedded in what a backend makes of an open file, which may be closed meanwhile. */
struct ri_source {
        const struct ri_source_ops *ops;
        atomic_uint refs;
};

void ri_source_init(struct ri_source *s, const struct ri_source_ops *ops);
struct ri_source *ri_source_ref(struct ri_source *s);
void ri_source_unref(struct ri_source *s); /* NULL is fine */

/* A piece of a source that a worker reads, into a buffer of the loop. */
struct ri_fetch {
        uint64_t offset;
        size_t len; /* when it has been read: less where the source ends */
        roma_buf *buf;
        int err;    /* errno, 0, or ENOMEM without a buffer */
        bool ready; /* whatever became of it */
        /* private */
        struct ri_source *source;
        struct ri_buf_wait wait;
        struct ri_job job;
        bool waiting, working;
        uint64_t begun_ns; /* of the trace */
        void (*done)(struct ri_fetch *f);
        void *arg;
};

/* Reads up to RI_PIECE of n bytes at `offset`; later `done`, once, which may free it. NULL: no memory. */
struct ri_fetch *ri_fetch_start(roma_loop *loop, struct ri_source *s, uint64_t offset, uint64_t n,
                                void (*done)(struct ri_fetch *f), void *arg);
/* At any time. NULL is fine. */
void ri_fetch_free(struct ri_fetch *f);

#endif
