/* SPDX-License-Identifier: MIT */
/* Hash map with chains through the elements, see map.h. */
#include "core/map.h"

#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>

#define KEY_IS_NUM SIZE_MAX

/* The finaliser of splitmix64: every input bit reaches every output bit, so a power of two of buckets is fine. */
static uint64_t mix(uint64_t x)
{
        x ^= x >> 30;
        x *= UINT64_C(0xbf58476d1ce4e5b9);
        x ^= x >> 27;
        x *= UINT64_C(0x94d049bb133111eb);
        return x ^ (x >> 31);
}

uint64_t ri_hash_u64(uint64_t seed, uint64_t v)
{
        return mix(mix(v ^ seed) + seed);
}

uint64_t ri_hash_bytes(uint64_t seed, const void *bytes, size_t n)
{
        const unsigned char *p = bytes;
        uint64_t h = seed ^ mix(n + UINT64_C(0x9e3779b97f4a7c15));
        uint64_t w;

        for (; n >= 8; p += 8, n -= 8) {
                memcpy(&w, p, 8);
                h = mix(h ^ w) + seed;
        }
        w = 0;
        if (n)
                memcpy(&w, p, n);
        return mix(h ^ w);
}

/* Not fatal when the kernel has no entropy yet: the seed only makes attacks on the chains hard. */
static uint64_t new_seed(const void *where)
{
        uint64_t seed;
        struct timespec ts;

        if (getrandom(&seed, sizeof(seed), GRND_NONBLOCK) == (ssize_t)sizeof(seed))
                return seed;
        clock_gettime(CLOCK_MONOTONIC, &ts);
        return mix((uint64_t)(uintptr_t)where ^ (uint64_t)ts.tv_nsec) ^ (uint64_t)ts.tv_sec;
}

static void use_first_buckets(struct ri_map *m)
{
        memset(m->first, 0, sizeof(m->first));
        m->buckets = m->first;
        m->mask = RI_MAP_FIRST_BUCKETS - 1;
        m->count = 0;
}

void ri_map_init(struct ri_map *m)
{
        use_first_buckets(m);
        m->seed = new_seed(m);
}

void ri_map_free(struct ri_map *m)
{
        if (m->buckets != m->first)
                free(m->buckets);
        use_first_buckets(m);
}

static void grow(struct ri_map *m)
{
        size_t n = (m->mask + 1) * 2;
        struct ri_map_node **b;

        b = n > m->mask ? calloc(n, sizeof(struct ri_map_node *)) : NULL;
        if (!b)
                return;
        for (size_t i = 0; i <= m->mask; i++) {
                struct ri_map_node *node = m->buckets[i];

                while (node) {
                        struct ri_map_node *next = node->next;

                        node->next = b[node->hash & (n - 1)];
                        b[node->hash & (n - 1)] = node;
                        node = next;
                }
        }
        if (m->buckets != m->first)
                free(m->buckets);
        m->buckets = b;
        m->mask = n - 1;
}

static void link_node(struct ri_map *m, struct ri_map_node *node, uint64_t hash)
{
        struct ri_map_node **slot;

        if (m->count > m->mask)
                grow(m);
        slot = &m->buckets[hash & m->mask];
        node->hash = hash;
        node->next = *slot;
        *slot = node;
        m->count++;
}

static struct ri_map_node *find_bytes(const struct ri_map *m, uint64_t hash, const void *key, size_t len)
{
        for (struct ri_map_node *n = m->buckets[hash & m->mask]; n; n = n->next)
                if (n->hash == hash && n->len == len && (len == 0 || memcmp(n->key.bytes, key, len) == 0))
                        return n;
        return NULL;
}

struct ri_map_node *ri_map_find(const struct ri_map *m, const void *key, size_t len)
{
        return find_bytes(m, ri_hash_bytes(m->seed, key, len), key, len);
}

struct ri_map_node *ri_map_find_u64(const struct ri_map *m, uint64_t key)
{
        uint64_t hash = ri_hash_u64(m->seed, key);

        for (struct ri_map_node *n = m->buckets[hash & m->mask]; n; n = n->next)
                if (n->hash == hash && n->len == KEY_IS_NUM && n->key.num == key)
                        return n;
        return NULL;
}

bool ri_map_insert(struct ri_map *m, struct ri_map_node *node, const void *key, size_t len)
{
        uint64_t hash = ri_hash_bytes(m->seed, key, len);

        if (find_bytes(m, hash, key, len))
                return false;
        node->len = len;
        node->key.bytes = key;
        link_node(m, node, hash);
        return true;
}

bool ri_map_insert_u64(struct ri_map *m, struct ri_map_node *node, uint64_t key)
{
        if (ri_map_find_u64(m, key))
                return false;
        node->len = KEY_IS_NUM;
        node->key.num = key;
        link_node(m, node, ri_hash_u64(m->seed, key));
        return true;
}

bool ri_map_remove(struct ri_map *m, struct ri_map_node *node)
{
        struct ri_map_node **at = &m->buckets[node->hash & m->mask];

        while (*at && *at != node)
                at = &(*at)->next;
        if (!*at)
                return false;
        *at = node->next;
        node->next = NULL;
        m->count--;
        return true;
}

static struct ri_map_node *first_from(const struct ri_map *m, size_t i)
{
        for (; i <= m->mask; i++)
                if (m->buckets[i])
                        return m->buckets[i];
        return NULL;
}

struct ri_map_node *ri_map_first(const struct ri_map *m)
{
        return m->count ? first_from(m, 0) : NULL;
}

struct ri_map_node *ri_map_next(const struct ri_map *m, const struct ri_map_node *node)
{
        return node->next ? node->next : first_from(m, (node->hash & m->mask) + 1);
}
