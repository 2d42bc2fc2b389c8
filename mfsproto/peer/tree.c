/* SPDX-License-Identifier: MIT */
/* Inodes and names in memory. What has no name and is not open is gone at once: there is no trash. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "mfsproto/peer/inner.h"

uint32_t peer_time(void)
{
        return (uint32_t)time(NULL);
}

struct peer_node *peer_node_find(struct mfs_peer *p, uint32_t inode)
{
        struct ri_map_node *n = ri_map_find_u64(&p->nodes, inode);

        return n ? ri_container_of(n, struct peer_node, by_inode) : NULL;
}

struct peer_edge *peer_edge_find(struct peer_node *dir, const void *name, size_t len)
{
        struct ri_map_node *n = ri_map_find(&dir->names, name, len);

        return n ? ri_container_of(n, struct peer_edge, by_name) : NULL;
}

struct peer_node *peer_node_make(struct mfs_peer *p, uint8_t type, uint16_t mode, uint32_t uid, uint32_t gid)
{
        struct peer_node *n = calloc(1, sizeof *n);

        if (!n)
                return NULL;
        n->inode = ++p->last_inode;
        n->attr.type = type;
        n->attr.mode = mode & 07777;
        n->attr.uid = uid;
        n->attr.gid = gid;
        n->attr.atime = n->attr.mtime = n->attr.ctime = peer_time();
        n->attr.nlink = type == WIRE_NODE_DIRECTORY ? 2 : 0;
        n->retention = 86400;
        n->goal = (uint8_t)(p->cfg.copies ? p->cfg.copies : 1);
        ri_map_init(&n->names);
        ri_list_init(&n->edges);
        ri_list_init(&n->xattrs);
        ri_list_init(&n->locks);
        ri_map_insert_u64(&p->nodes, &n->by_inode, n->inode);
        return n;
}

static void node_free(struct mfs_peer *p, struct peer_node *n)
{
        for (uint32_t i = 0; i < n->chunks; i++)
                if (n->chunk[i])
                        peer_chunk_unref(p, n->chunk[i]);
        peer_locks_free(p, n);
        peer_xattrs_free(n);
        peer_acls_free(n);
        ri_map_remove(&p->nodes, &n->by_inode);
        ri_map_free(&n->names);
        free(n->chunk);
        free(n->target);
        free(n);
}

void peer_node_settle(struct mfs_peer *p, struct peer_node *n)
{
        if (!n->open && !n->attr.nlink)
                node_free(p, n);
}

uint8_t peer_edge_add(struct mfs_peer *p, struct peer_node *dir, struct peer_node *node, const void *name,
                      size_t len)
{
        struct peer_edge *e;

        if (!dir->attr.nlink) /* removed, and still open: it goes without a look at what is in it */
                return WIRE_STATUS_ENOENT;
        if (!len || len > WIRE_NAME_MAX || memchr(name, '/', len) || memchr(name, 0, len) ||
            (len <= 2 && !memcmp(name, "..", len)))
                return WIRE_STATUS_EINVAL;
        if (peer_edge_find(dir, name, len))
                return WIRE_STATUS_EEXIST;
        e = calloc(1, sizeof *e);
        if (!e)
                return WIRE_STATUS_OUTOFMEMORY;
        memcpy(e->name, name, len);
        e->len = len;
        e->node = node;
        e->id = ++p->last_edge; /* the list runs from the newest to the oldest */
        ri_map_insert(&dir->names, &e->by_name, e->name, len);
        ri_list_add_head(&dir->edges, &e->link);
        if (node->attr.type == WIRE_NODE_DIRECTORY) {
                node->parent = dir->inode;
                dir->attr.nlink++;
        } else {
                node->attr.nlink++;
        }
        dir->attr.mtime = dir->attr.ctime = node->attr.ctime = peer_time();
        return WIRE_STATUS_OK;
}

void peer_edge_remove(struct mfs_peer *p, struct peer_node *dir, struct peer_edge *e)
{
        struct peer_node *n = e->node;

        ri_map_remove(&dir->names, &e->by_name);
        ri_list_del(&e->link);
        free(e);
        dir->attr.mtime = dir->attr.ctime = n->attr.ctime = peer_time();
        if (n->attr.type == WIRE_NODE_DIRECTORY) {
                dir->attr.nlink--;
                n->attr.nlink = 0;
        } else {
                n->attr.nlink--;
        }
        (void)p;
}

struct peer_node *peer_node_walk(struct mfs_peer *p, const char *path)
{
        struct peer_node *n = peer_node_find(p, WIRE_ROOT_INODE);

        while (n && *path) {
                size_t len = strcspn(path, "/");
                struct peer_edge *e = peer_edge_find(n, path, len);

                n = e ? e->node : NULL;
                path += len;
                path += *path == '/';
        }
        return n;
}

/* The folders that are still to be looked into; a tree may be deeper than a stack. */
struct todo {
        struct peer_node **v;
        size_t n, room;
};

static bool later(struct todo *t, struct peer_node *dir)
{
        if (t->n == t->room) {
                size_t room = t->room ? 2 * t->room : 64;
                struct peer_node **v = realloc(t->v, room * sizeof *v);

                if (!v)
                        return false;
                t->v = v;
                t->room = room;
        }
        t->v[t->n++] = dir;
        return true;
}

bool peer_each(struct peer_node *n, bool below, void (*fn)(void *arg, struct peer_node *n), void *arg)
{
        struct todo t = { 0 };
        bool ok = true;

        fn(arg, n);
        if (below && n->attr.type == WIRE_NODE_DIRECTORY)
                ok = later(&t, n);
        while (ok && t.n) {
                struct peer_node *d = t.v[--t.n];

                ri_list_for_each(l, &d->edges)
                {
                        struct peer_node *in = ri_container_of(l, struct peer_edge, link)->node;

                        fn(arg, in);
                        if (in->attr.type == WIRE_NODE_DIRECTORY)
                                ok = ok && later(&t, in);
                }
        }
        free(t.v);
        return ok;
}

/* As real masters count: a copy of a chunk takes whole blocks and two tables of 4 KiB. */
static uint64_t chunk_size(const struct peer_node *n, uint32_t index)
{
        uint64_t at = (uint64_t)index * WIRE_CHUNK_SIZE, left = n->attr.length > at ? n->attr.length - at : 0;

        if (left > WIRE_CHUNK_SIZE)
                left = WIRE_CHUNK_SIZE;
        return (left + WIRE_BLOCK_SIZE - 1) / WIRE_BLOCK_SIZE * WIRE_BLOCK_SIZE + 8192;
}

static void add_sizes(void *arg, struct peer_node *n)
{
        struct peer_sizes *s = arg;

        s->inodes++;
        s->dirs += n->attr.type == WIRE_NODE_DIRECTORY;
        s->files += n->attr.type == WIRE_NODE_FILE;
        if (n->attr.type == WIRE_NODE_FILE)
                s->length += n->attr.length;
        s->length += n->target_len;
        for (uint32_t i = 0; i < n->chunks; i++) {
                if (!n->chunk[i])
                        continue;
                s->chunks++;
                s->size += chunk_size(n, i);
                s->real += n->chunk[i]->copies * chunk_size(n, i);
        }
}

bool peer_sizes_of(struct peer_node *n, struct peer_sizes *out)
{
        memset(out, 0, sizeof *out);
        return peer_each(n, true, add_sizes, out);
}

bool peer_in_groups(const struct peer_ug *ug, uint32_t gid)
{
        if (ug->gid == gid)
                return true;
        for (uint32_t i = 1; i < ug->gids; i++)
                if (wire_get_gid((struct wire_msg *)ug->msg, i) == gid)
                        return true;
        return false;
}

bool peer_may(const struct peer_node *n, const struct peer_ug *ug, unsigned mask)
{
        unsigned bits = n->attr.mode;

        if (ug->uid == 0)
                return true;
        if (n->acl[0])
                bits = peer_acl_bits(n, ug);
        else if (ug->uid == n->attr.uid)
                bits >>= 6;
        else if (peer_in_groups(ug, n->attr.gid))
                bits >>= 3;
        return (bits & mask) == mask;
}

int peer_tree_init(struct mfs_peer *p)
{
        return peer_node_make(p, WIRE_NODE_DIRECTORY, 0777, 0, 0) ? 0 : -ENOMEM;
}

void peer_tree_free(struct mfs_peer *p)
{
        struct ri_map_node *n;
        struct ri_list *l;

        while ((n = ri_map_first(&p->nodes))) {
                struct peer_node *node = ri_container_of(n, struct peer_node, by_inode);

                while ((l = ri_list_pop(&node->edges)))
                        free(ri_container_of(l, struct peer_edge, link));
                node_free(p, node);
        }
        ri_map_free(&p->nodes);
        ri_map_free(&p->chunks);
}
