/* SPDX-License-Identifier: MIT */
/* Folders seen lately. A path of ten components would otherwise take ten round trips each time; a wrong entry costs
 * one walk more, since every refusal behind a remembered folder is checked again without the memory. */
#include <stdlib.h>
#include <string.h>

#include "mfsproto/store/store.h"

struct dir {
        struct ri_map_node node;
        struct ri_list lru;
        uint64_t until;
        uint32_t inode;
        unsigned char key[]; /* parent, name */
};

void mfs_dirs_init(struct mfs_dirs *d)
{
        ri_map_init(&d->map);
        ri_list_init(&d->lru);
}

static void forget(struct mfs_dirs *d, struct dir *e)
{
        ri_map_remove(&d->map, &e->node);
        ri_list_del(&e->lru);
        free(e);
}

void mfs_dirs_clear(struct mfs_dirs *d)
{
        struct ri_list *l;

        while ((l = ri_list_first(&d->lru)))
                forget(d, ri_list_entry(l, struct dir, lru));
        ri_map_free(&d->map);
}

static size_t make_key(unsigned char *key, uint32_t parent, const char *name, size_t len)
{
        memcpy(key, &parent, sizeof(parent));
        memcpy(key + sizeof(parent), name, len);
        return sizeof(parent) + len;
}

static struct dir *find(struct mfs_dirs *d, uint32_t parent, const char *name, size_t len)
{
        unsigned char key[sizeof(parent) + WIRE_NAME_MAX];
        struct ri_map_node *n;

        if (len > WIRE_NAME_MAX)
                return NULL;
        n = ri_map_find(&d->map, key, make_key(key, parent, name, len));
        return n ? ri_container_of(n, struct dir, node) : NULL;
}

uint32_t mfs_dirs_find(struct mfs_dirs *d, uint32_t parent, const char *name, size_t len)
{
        struct dir *e = find(d, parent, name, len);

        if (!e)
                return 0;
        if (ri_now() < e->until)
                return e->inode;
        forget(d, e);
        return 0;
}

void mfs_dirs_put(struct mfs_dirs *d, uint32_t parent, const char *name, size_t len, uint32_t inode)
{
        struct dir *e = find(d, parent, name, len);
        size_t n;

        if (e)
                forget(d, e);
        if (d->map.count >= MFS_DIRS_MAX)
                forget(d, ri_list_entry(ri_list_first(&d->lru), struct dir, lru));
        e = len <= WIRE_NAME_MAX ? calloc(1, sizeof(*e) + sizeof(parent) + len) : NULL;
        if (!e)
                return;
        e->inode = inode;
        e->until = ri_now() + MFS_DIR_MS * UINT64_C(1000000);
        n = make_key(e->key, parent, name, len);
        ri_list_init(&e->lru);
        ri_list_add_tail(&d->lru, &e->lru);
        ri_map_insert(&d->map, &e->node, e->key, n);
}
