/* SPDX-License-Identifier: MIT */
/* Binary min-heap with back-pointers, see heap.h. */
#include "core/heap.h"

#include <errno.h>
#include <stdlib.h>

void ri_heap_init(struct ri_heap *h)
{
        h->v = NULL;
        h->n = 0;
        h->cap = 0;
}

void ri_heap_free(struct ri_heap *h)
{
        for (size_t i = 0; i < h->n; i++)
                h->v[i]->pos = 0;
        free(h->v);
        ri_heap_init(h);
}

int ri_heap_reserve(struct ri_heap *h, size_t n)
{
        struct ri_heap_node **v;
        size_t cap = h->cap ? h->cap : 16;

        if (n <= h->cap)
                return 0;
        while (cap < n) {
                if (cap > SIZE_MAX / sizeof(*v) / 2) {
                        errno = ENOMEM;
                        return -1;
                }
                cap *= 2;
        }
        v = realloc(h->v, cap * sizeof(*v));
        if (!v)
                return -1;
        h->v = v;
        h->cap = cap;
        return 0;
}

static void put(struct ri_heap *h, size_t i, struct ri_heap_node *node)
{
        h->v[i] = node;
        node->pos = i + 1;
}

/* Both sifts move a hole instead of swapping: one store per level. */
static void sift_up(struct ri_heap *h, size_t i, struct ri_heap_node *node)
{
        while (i > 0) {
                size_t up = (i - 1) / 2;

                if (h->v[up]->key <= node->key)
                        break;
                put(h, i, h->v[up]);
                i = up;
        }
        put(h, i, node);
}

static void sift_down(struct ri_heap *h, size_t i, struct ri_heap_node *node)
{
        for (;;) {
                size_t c = 2 * i + 1;

                if (c >= h->n)
                        break;
                if (c + 1 < h->n && h->v[c + 1]->key < h->v[c]->key)
                        c++;
                if (node->key <= h->v[c]->key)
                        break;
                put(h, i, h->v[c]);
                i = c;
        }
        put(h, i, node);
}

/* A node that takes over place i may belong further up (it came from another subtree) or further down. */
static void settle(struct ri_heap *h, size_t i, struct ri_heap_node *node)
{
        if (i > 0 && node->key < h->v[(i - 1) / 2]->key)
                sift_up(h, i, node);
        else
                sift_down(h, i, node);
}

int ri_heap_insert(struct ri_heap *h, struct ri_heap_node *node, uint64_t key)
{
        if (ri_heap_reserve(h, h->n + 1) < 0)
                return -1;
        node->key = key;
        h->n++;
        sift_up(h, h->n - 1, node);
        return 0;
}

void ri_heap_remove(struct ri_heap *h, struct ri_heap_node *node)
{
        size_t i = node->pos;
        struct ri_heap_node *last;

        if (i == 0)
                return;
        i--;
        last = h->v[--h->n];
        node->pos = 0;
        if (last != node)
                settle(h, i, last);
}

void ri_heap_update(struct ri_heap *h, struct ri_heap_node *node, uint64_t key)
{
        node->key = key;
        settle(h, node->pos - 1, node);
}
