/* SPDX-License-Identifier: MIT */
/* Binary min-heap of embedded nodes, each of which knows its place, so that any node can be removed in O(log n): made
 * for deadlines, nearly all of which are cancelled before they fire. Equal keys leave in no particular order. */
#ifndef RI_HEAP_H
#define RI_HEAP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct ri_heap_node {
        uint64_t key;
        size_t pos; /* 1-based index in the heap while queued, 0 otherwise */
};

struct ri_heap {
        struct ri_heap_node **v; /* v[0..n-1]; node v[i] has pos i + 1 */
        size_t n, cap;
};

void ri_heap_init(struct ri_heap *h);

/* Frees the heap's own memory; nodes still queued are forgotten (marked not queued), they belong to others. */
void ri_heap_free(struct ri_heap *h);

static inline void ri_heap_node_init(struct ri_heap_node *node)
{
        node->key = 0;
        node->pos = 0;
}

static inline bool ri_heap_is_queued(const struct ri_heap_node *node)
{
        return node->pos != 0;
}

/* Makes room for `n` nodes in all, so that inserts up to there cannot fail. -1: out of memory. */
int ri_heap_reserve(struct ri_heap *h, size_t n);

/* `node` must not be queued. -1: out of memory, nothing changed. */
int ri_heap_insert(struct ri_heap *h, struct ri_heap_node *node, uint64_t key);

/* Harmless on a node that is not queued. A queued node must be in this heap. */
void ri_heap_remove(struct ri_heap *h, struct ri_heap_node *node);

/* Gives a queued node another key; cannot fail. */
void ri_heap_update(struct ri_heap *h, struct ri_heap_node *node, uint64_t key);

/* The node with the smallest key, NULL when empty. */
static inline struct ri_heap_node *ri_heap_peek(const struct ri_heap *h)
{
        return h->n ? h->v[0] : NULL;
}

#endif
