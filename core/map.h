/* SPDX-License-Identifier: MIT */
/* Hash map of embedded nodes, keyed by byte strings or by 64-bit numbers (both may live in one map and never meet).
 * Nothing here fails: the first buckets are part of the map, and when there is no memory to grow the chains just get
 * longer. Each map has its own random seed, so that names chosen by others cannot be made to collide. */
#ifndef RI_MAP_H
#define RI_MAP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define RI_MAP_FIRST_BUCKETS 8

struct ri_map_node {
        struct ri_map_node *next; /* the map's */
        uint64_t hash;            /* the map's */
        size_t len;               /* of the byte string; SIZE_MAX: the key is `num` */
        union {
                const void *bytes; /* memory of the element, unchanged while the node is in the map */
                uint64_t num;
        } key;
};

/* Must not be moved or copied while in use: `buckets` may point into it. */
struct ri_map {
        struct ri_map_node **buckets;
        size_t mask;  /* number of buckets - 1 */
        size_t count; /* nodes in the map */
        uint64_t seed;
        struct ri_map_node *first[RI_MAP_FIRST_BUCKETS];
};

void ri_map_init(struct ri_map *m);

/* Frees the map's own memory and leaves it empty and usable; the nodes belong to others. */
void ri_map_free(struct ri_map *m);

/* False when an equal key is there already; then nothing has changed. */
bool ri_map_insert(struct ri_map *m, struct ri_map_node *node, const void *key, size_t len);
bool ri_map_insert_u64(struct ri_map *m, struct ri_map_node *node, uint64_t key);

/* NULL when there is none. */
struct ri_map_node *ri_map_find(const struct ri_map *m, const void *key, size_t len);
struct ri_map_node *ri_map_find_u64(const struct ri_map *m, uint64_t key);

/* False (and nothing done) when this very node is not in the map; it must have been inserted or zeroed once. */
bool ri_map_remove(struct ri_map *m, struct ri_map_node *node);

/* Any order. No insertion during a walk; the _safe form allows the removal (and freeing) of the current node. */
struct ri_map_node *ri_map_first(const struct ri_map *m);
struct ri_map_node *ri_map_next(const struct ri_map *m, const struct ri_map_node *node);

#define ri_map_for_each(it, m) for (struct ri_map_node *it = ri_map_first(m); it; it = ri_map_next(m, it))

#define ri_map_for_each_safe(it, tmp, m)                                                          \
        for (struct ri_map_node *it = ri_map_first(m), *tmp = it ? ri_map_next(m, it) : NULL; it; \
             it = tmp, tmp = it ? ri_map_next(m, it) : NULL)

/* The hash behind it, for other tables. */
uint64_t ri_hash_bytes(uint64_t seed, const void *bytes, size_t n);
uint64_t ri_hash_u64(uint64_t seed, uint64_t v);

#endif
