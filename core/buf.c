/* SPDX-License-Identifier: MIT */
/* Buffers within a budget. A few free ones are kept, so that a stream does not ask the system for each piece. */
#include "core/buf.h"

#include <stdlib.h>
#include <string.h>

#include "core/crc.h"

enum { KEPT = 32 };

struct ri_budget {
        uint64_t max, used;
        uint64_t promised;                 /* to waiters whose turn has come, until they get it */
        struct ri_list small, bulk, ahead; /* struct ri_buf_wait */
        unsigned char *kept[KEPT];         /* pieces of RI_PIECE bytes, outside of the budget's count */
        unsigned n_kept;
};

struct ri_budget *ri_budget_new(uint64_t max)
{
        struct ri_budget *b = calloc(1, sizeof *b);

        if (!b)
                return NULL;
        b->max = max;
        ri_list_init(&b->small);
        ri_list_init(&b->bulk);
        ri_list_init(&b->ahead);
        return b;
}

static void drop_kept(struct ri_budget *b)
{
        while (b->n_kept)
                free(b->kept[--b->n_kept]);
}

void ri_budget_free(struct ri_budget *b)
{
        if (!b)
                return;
        drop_kept(b);
        free(b);
}

static unsigned char *memory(struct ri_budget *b, size_t bytes)
{
        void *p;

        if (bytes == RI_PIECE && b->n_kept)
                return b->kept[--b->n_kept];
        /* Whole pages: what a worker reads into them goes there without a detour. */
        if (bytes >= 4096)
                return posix_memalign(&p, 4096, bytes) == 0 ? p : NULL;
        return malloc(bytes);
}

static void memory_back(struct ri_budget *b, unsigned char *mem, size_t bytes)
{
        if (bytes == RI_PIECE && b->n_kept < KEPT && b->used)
                b->kept[b->n_kept++] = mem;
        else
                free(mem);
        if (!b->used)
                drop_kept(b); /* nothing is going on: an idle loop holds nothing */
}

static roma_buf *buf_make(roma_loop *loop, size_t bytes)
{
        struct ri_budget *b = loop->budget;
        roma_buf *buf = calloc(1, sizeof *buf);

        if (!buf)
                return NULL;
        bytes = bytes ? bytes : 1;
        buf->mem = memory(b, bytes);
        if (!buf->mem) {
                free(buf);
                return NULL;
        }
        buf->loop = loop;
        buf->refs = 1;
        buf->cap = bytes;
        b->used += bytes;
        loop->stats.buffers++;
        loop->stats.buffer_bytes += bytes;
        if (loop->stats.buffer_bytes > loop->stats.buffer_bytes_peak)
                loop->stats.buffer_bytes_peak = loop->stats.buffer_bytes;
        return buf;
}

static bool fits(const struct ri_budget *b, size_t bytes, uint64_t max)
{
        uint64_t out = b->used + b->promised;

        return out == 0 || (out <= max && bytes <= max - out);
}

roma_buf *ri_buf_try(roma_loop *loop, size_t bytes)
{
        struct ri_budget *b = loop->budget;

        if (!fits(b, bytes, b->max) || !ri_list_empty(&b->small) || !ri_list_empty(&b->bulk))
                return NULL;
        return buf_make(loop, bytes);
}

static void hand_out(struct ri_task *t)
{
        struct ri_buf_wait *w = ri_container_of(t, struct ri_buf_wait, task);

        w->loop->budget->promised -= w->bytes;
        w->ready(w, buf_make(w->loop, w->bytes));
}

static struct ri_list *next_waiter(struct ri_budget *b)
{
        struct ri_list *l = ri_list_first(&b->small);

        if (!l)
                l = ri_list_first(&b->bulk);
        return l ? l : ri_list_first(&b->ahead);
}

/* Lets those go on for whom there is room now. */
static void serve(roma_loop *loop)
{
        struct ri_budget *b = loop->budget;
        struct ri_list *l;

        while ((l = next_waiter(b))) {
                struct ri_buf_wait *w = ri_container_of(l, struct ri_buf_wait, link);

                if (!fits(b, w->bytes, w->ahead ? b->max / 2 : b->max))
                        break;
                b->promised += w->bytes;
                ri_list_del(&w->link);
                loop->stats.queued_for_buffers--;
                w->task.run = hand_out;
                ri_task_queue(loop, &w->task);
        }
}

void ri_buf_get(roma_loop *loop, struct ri_buf_wait *w, size_t bytes, bool bulk)
{
        struct ri_budget *b = loop->budget;

        w->loop = loop;
        w->bytes = bytes;
        w->bulk = bulk;
        memset(&w->task, 0, sizeof w->task);
        ri_list_init(&w->link);
        ri_list_add_tail(w->ahead ? &b->ahead : bulk ? &b->bulk : &b->small, &w->link);
        loop->stats.queued_for_buffers++;
        serve(loop);
}

void ri_buf_cancel(struct ri_buf_wait *w)
{
        if (!w->loop)
                return;
        if (w->task.queued) {
                ri_task_drop(&w->task);
                w->loop->budget->promised -= w->bytes;
        } else if (!ri_list_empty(&w->link)) {
                ri_list_del(&w->link);
                w->loop->stats.queued_for_buffers--;
        }
        serve(w->loop);
}

void ri_buf_need(struct ri_buf_wait *w)
{
        struct ri_budget *b;

        if (!w->ahead || !w->loop)
                return;
        w->ahead = false;
        if (w->task.queued || ri_list_empty(&w->link))
                return;
        b = w->loop->budget;
        ri_list_del(&w->link);
        ri_list_add_tail(w->bulk ? &b->bulk : &b->small, &w->link);
        serve(w->loop);
}

uint32_t ri_buf_sum(roma_buf *buf, size_t len)
{
        const unsigned char *p = buf->mem + buf->off;
        uint32_t crc = 0;
        size_t at = 0;

        for (unsigned i = 0; at < len && i < RI_SUMS; i++) {
                size_t n = len - at < RI_SUM_BLOCK ? len - at : RI_SUM_BLOCK;

                buf->sum[i] = ri_crc32(0, p + at, n);
                crc = ri_crc32_combine(crc, buf->sum[i], n);
                at += n;
        }
        buf->summed = at;
        return at < len ? ri_crc32(crc, p + at, len - at) : crc;
}

bool ri_buf_sum_of(const roma_buf *buf, size_t at, size_t len, uint32_t *crc)
{
        if (at % RI_SUM_BLOCK || at >= buf->summed || len > buf->summed - at)
                return false;
        if (len != RI_SUM_BLOCK && (len > RI_SUM_BLOCK || at + len != buf->summed))
                return false;
        *crc = buf->sum[at / RI_SUM_BLOCK];
        return true;
}

const void *roma_buf_data(const roma_buf *buf)
{
        return buf->mem + buf->off;
}

size_t roma_buf_len(const roma_buf *buf)
{
        return buf->len;
}

roma_buf *roma_buf_ref(roma_buf *buf)
{
        __atomic_add_fetch(&buf->refs, 1, __ATOMIC_RELAXED);
        return buf;
}

roma_buf *ri_buf_borrow(roma_loop *loop, const void *data, size_t len)
{
        roma_buf *buf = calloc(1, sizeof *buf);

        if (!buf)
                return NULL;
        buf->loop = loop;
        buf->refs = 1;
        buf->len = len;
        buf->mem = (unsigned char *)(uintptr_t)data; /* only read */
        buf->borrowed = true;
        loop->stats.buffers++;
        return buf;
}

static void leave(roma_buf *buf)
{
        roma_loop *loop = buf->loop;

        loop->budget->used -= buf->cap;
        loop->stats.buffers--;
        loop->stats.buffer_bytes -= buf->cap;
}

void roma_buf_unref(roma_buf *buf)
{
        roma_loop *loop;

        /* Counted atomically for the sake of orphans: a worker may drop its reference while the loop still has one. */
        if (!buf || __atomic_sub_fetch(&buf->refs, 1, __ATOMIC_ACQ_REL))
                return;
        loop = buf->loop;
        if (loop)
                leave(buf);
        if (buf->borrowed) {
                ; /* its owner frees it */
        } else if (loop) {
                memory_back(loop->budget, buf->mem, buf->cap);
                serve(loop);
        } else {
                free(buf->mem);
        }
        free(buf);
}

void ri_buf_orphan(roma_buf *buf)
{
        roma_loop *loop = buf->loop;

        if (!loop)
                return;
        leave(buf);
        buf->loop = NULL;
        serve(loop);
}
