/* SPDX-License-Identifier: MIT */
/* The loop's buffer memory: counted buffers within a budget (max_buffer_bytes). Above it requests wait, small ones
 * ahead of bulk. */
#ifndef RI_BUF_H
#define RI_BUF_H

#include "core/loop.h"

enum { RI_PIECE = 1 << 20 }; /* the usual size of a piece of a stream */
enum { RI_SUM_BLOCK = 1 << 16, RI_SUMS = RI_PIECE / RI_SUM_BLOCK };

struct roma_buf {
        roma_loop *loop;
        unsigned refs;
        size_t cap; /* bytes of memory */
        size_t off; /* first byte of the data */
        size_t len; /* bytes of data */
        unsigned char *mem;
        bool borrowed; /* mem is somebody else's, who keeps it as long as the buffer lives; in no budget */
        /* Whoever filled it may leave the CRC-32 of each block of the first `summed` bytes (the last block may be short):
         * computed once, where the bytes came from, they go along to the server that checks them. */
        size_t summed;
        uint32_t sum[RI_SUMS];
};

/* A request that may have to wait, embedded in its owner. */
struct ri_buf_wait {
        struct ri_list link; /* empty when not waiting */
        size_t bytes;
        bool bulk;
        bool ahead; /* set before ri_buf_get(): nobody waits for these bytes yet, see ri_buf_need() */
        roma_loop *loop;
        /* buf is the receiver's, or NULL when memory is missing. Never called inside ri_buf_get(). */
        void (*ready)(struct ri_buf_wait *w, roma_buf *buf);
        struct ri_task task;
};

struct ri_budget *ri_budget_new(uint64_t max);
void ri_budget_free(struct ri_budget *b);

/* A buffer of at least `bytes` at once, or NULL when the budget is spent (or others wait) or memory is missing. */
roma_buf *ri_buf_try(roma_loop *loop, size_t bytes);
/* Waits for one. A single request above the whole budget is let through when nothing else is out. */
void ri_buf_get(roma_loop *loop, struct ri_buf_wait *w, size_t bytes, bool bulk);
void ri_buf_cancel(struct ri_buf_wait *w);
/* Somebody waits now for what was asked for ahead. Bytes read ahead get half of the budget at most: streams that nobody
 * reads on could otherwise take all of it, and those that are read would wait for ever. */
void ri_buf_need(struct ri_buf_wait *w);

/* Takes the sums of the first len bytes, from any thread that has the buffer to itself. Their CRC-32. */
uint32_t ri_buf_sum(roma_buf *buf, size_t len);
/* The CRC-32 of len bytes at `at` of the data, when it is one of the sums. */
bool ri_buf_sum_of(const roma_buf *buf, size_t at, size_t len, uint32_t *crc);

/* A buffer over memory that is there already; NULL: no memory for it. */
roma_buf *ri_buf_borrow(roma_loop *loop, const void *data, size_t len);

/* Memory that a lost worker still holds: takes it out of the budget's sight. Used on an abandoned job's buffer. */
void ri_buf_orphan(roma_buf *buf);

#endif
