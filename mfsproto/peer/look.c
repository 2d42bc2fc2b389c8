/* SPDX-License-Identifier: MIT */
/* The peer's files as tests see them, past all protocol. */
#include <stdlib.h>
#include <string.h>

#include "mfsproto/peer/call.h"
#include "mfsproto/peer/inner.h"

static struct peer_copy *copy_of(struct mfs_peer *p, const struct peer_node *n, uint64_t index, unsigned copy)
{
        const struct peer_chunk *ch = index < n->chunks ? n->chunk[index] : NULL;

        if (!ch || copy >= ch->copies)
                return NULL;
        return peer_copy_find(&p->server[ch->server[copy]], peer_copy_id(ch, copy));
}

/* ---- attributes and names ---------------------------------------------------------------------------------- */

struct stat_call {
        const char *path;
        struct mfs_peer_file *out;
        bool found;
};

static void stat_run(struct mfs_peer *p, void *arg)
{
        struct stat_call *call = arg;
        struct peer_node *n = peer_node_walk(p, call->path);

        call->found = n != NULL;
        if (!n)
                return;
        *call->out = (struct mfs_peer_file){
                .inode = n->inode,
                .type = n->attr.type,
                .mode = n->attr.mode,
                .uid = n->attr.uid,
                .gid = n->attr.gid,
                .nlink = n->attr.nlink,
                .mtime = n->attr.mtime,
                .retention = n->retention,
                .length = n->attr.length,
                .children = (uint32_t)n->names.count,
        };
        for (uint32_t i = 0; i < n->chunks; i++)
                call->out->chunks += n->chunk[i] != NULL;
}

bool mfs_peer_stat(struct mfs_peer *p, const char *path, struct mfs_peer_file *out)
{
        struct stat_call call = { path, out, false };

        memset(out, 0, sizeof *out);
        peer_call(p, stat_run, &call);
        return call.found;
}

struct list_call {
        const char *path;
        struct ri_str *text;
        bool found;
};

static int by_name(const void *a, const void *b)
{
        return strcmp((*(struct peer_edge *const *)a)->name, (*(struct peer_edge *const *)b)->name);
}

static void list_run(struct mfs_peer *p, void *arg)
{
        struct list_call *call = arg;
        struct peer_node *n = peer_node_walk(p, call->path);
        struct peer_edge **all;
        size_t k = 0;

        call->found = n && n->attr.type == WIRE_NODE_DIRECTORY;
        if (!call->found || !n->names.count)
                return;
        all = calloc(n->names.count, sizeof(struct peer_edge *));
        if (!all)
                return;
        ri_list_for_each(l, &n->edges) all[k++] = ri_container_of(l, struct peer_edge, link);
        qsort(all, k, sizeof all[0], by_name);
        for (size_t i = 0; i < k; i++)
                ri_str_printf(call->text, "%s\n", all[i]->name);
        free(all);
}

bool mfs_peer_list(struct mfs_peer *p, const char *path, struct ri_str *text)
{
        struct list_call call = { path, text, false };

        peer_call(p, list_run, &call);
        return call.found;
}

/* ---- bytes ------------------------------------------------------------------------------------------------- */

struct bytes_call {
        const char *path;
        unsigned copy;
        uint64_t offset;
        uint8_t *buf;
        size_t n;
        ssize_t done;
};

static void bytes_run(struct mfs_peer *p, void *arg)
{
        struct bytes_call *call = arg;
        struct peer_node *n = peer_node_walk(p, call->path);
        uint64_t at = call->offset, end;

        call->done = -1;
        if (!n || n->attr.type != WIRE_NODE_FILE)
                return;
        end = n->attr.length;
        if (call->n < (end > at ? end - at : 0))
                end = at + call->n;
        call->done = 0;
        while (at < end) {
                uint32_t in = (uint32_t)(at & (WIRE_CHUNK_SIZE - 1)),
                         part = WIRE_BLOCK_SIZE - in % WIRE_BLOCK_SIZE;
                struct peer_copy *k = copy_of(p, n, at >> WIRE_CHUNK_BITS, call->copy);

                if (part > end - at)
                        part = (uint32_t)(end - at);
                memset(call->buf + call->done, 0, part);
                if (k && k->block[in / WIRE_BLOCK_SIZE])
                        memcpy(call->buf + call->done, k->block[in / WIRE_BLOCK_SIZE] + in % WIRE_BLOCK_SIZE,
                               part);
                at += part;
                call->done += part;
        }
}

ssize_t mfs_peer_bytes(struct mfs_peer *p, const char *path, unsigned copy, uint64_t offset, void *buf,
                       size_t n)
{
        struct bytes_call call = { path, copy, offset, buf, n, -1 };

        peer_call(p, bytes_run, &call);
        return call.done;
}

static const uint8_t zeros[WIRE_BLOCK_SIZE];

static const uint8_t *block_of(const struct peer_copy *k, uint32_t block)
{
        return k->block[block] ? k->block[block] : zeros;
}

/* Blocks that are not there and blocks of zeros are the same. */
static bool differ(struct mfs_peer *p, const struct peer_chunk *ch, unsigned copy, uint32_t *where)
{
        struct peer_copy *a = peer_copy_find(&p->server[ch->server[0]], ch->id);
        struct peer_copy *b = peer_copy_find(&p->server[ch->server[copy]], ch->id);

        for (uint32_t i = 0; a && b && i < WIRE_BLOCKS_PER_CHUNK; i++) {
                if (memcmp(block_of(a, i), block_of(b, i), WIRE_BLOCK_SIZE) != 0) {
                        *where = i;
                        return true;
                }
        }
        *where = 0;
        return !a || !b || a->version != b->version;
}

struct diverged_call {
        struct ri_str *text;
        size_t n;
};

static void diverged_run(struct mfs_peer *p, void *arg)
{
        struct diverged_call *call = arg;

        ri_map_for_each(node, &p->chunks)
        {
                struct peer_chunk *ch = ri_container_of(node, struct peer_chunk, by_id);
                uint32_t where;

                for (unsigned i = 1; i < ch->copies && !ch->parts; i++) {
                        if (!differ(p, ch, i, &where))
                                continue;
                        call->n++;
                        if (call->text)
                                ri_str_printf(
                                        call->text, "chunk %llu: cs%u and cs%u differ from block %u on\n",
                                        (unsigned long long)ch->id, ch->server[0], ch->server[i], where);
                }
        }
}

size_t mfs_peer_diverged(struct mfs_peer *p, struct ri_str *text)
{
        struct diverged_call call = { text, 0 };

        peer_call(p, diverged_run, &call);
        return call.n;
}

/* ---- planting and rotting ---------------------------------------------------------------------------------- */

static bool plant_bytes(struct mfs_peer *p, struct peer_node *n, const uint8_t *bytes, size_t size)
{
        for (size_t at = 0; at < size;) {
                uint32_t index = (uint32_t)(at >> WIRE_CHUNK_BITS),
                         in = (uint32_t)(at & (WIRE_CHUNK_SIZE - 1));
                uint32_t part = size - at < WIRE_BLOCK_SIZE ? (uint32_t)(size - at) : WIRE_BLOCK_SIZE;
                struct peer_chunk *ch = in ? n->chunk[index] : peer_chunk_make(p, n, index);

                for (unsigned i = 0; ch && i < ch->copies; i++) {
                        struct peer_copy *k = peer_copy_find(&p->server[ch->server[i]], ch->id);

                        if (!k || peer_copy_write(k, (uint16_t)(in / WIRE_BLOCK_SIZE), 0, bytes + at, part))
                                return false;
                }
                if (!ch)
                        return false;
                at += part;
        }
        n->attr.length = size;
        for (uint32_t i = 0; p->cfg.parts && i < n->chunks; i++)
                if (!peer_chunk_split(p, n->chunk[i]))
                        return false;
        return true;
}

struct plant_call {
        const char *path;
        const uint8_t *bytes;
        size_t n;
        bool done;
};

static void plant_run(struct mfs_peer *p, void *arg)
{
        struct plant_call *call = arg;
        const char *slash = strrchr(call->path, '/'), *name = slash ? slash + 1 : call->path;
        char folder[1024] = "";
        struct peer_node *dir, *n;

        if (slash && (size_t)(slash - call->path) < sizeof folder)
                memcpy(folder, call->path, (size_t)(slash - call->path));
        dir = peer_node_walk(p, folder);
        n = dir ? peer_node_make(p, WIRE_NODE_FILE, 0644, 0, 0) : NULL;
        if (!n)
                return;
        call->done = !peer_edge_add(p, dir, n, name, strlen(name)) && plant_bytes(p, n, call->bytes, call->n);
        peer_node_settle(p, n);
}

bool mfs_peer_plant(struct mfs_peer *p, const char *path, const void *bytes, size_t n)
{
        struct plant_call call = { path, bytes, n, false };

        peer_call(p, plant_run, &call);
        return call.done;
}

struct rot_call {
        const char *path;
        unsigned copy;
        uint64_t offset;
        bool done;
};

static void rot_run(struct mfs_peer *p, void *arg)
{
        struct rot_call *call = arg;
        struct peer_node *n = peer_node_walk(p, call->path);
        struct peer_copy *k = n ? copy_of(p, n, call->offset >> WIRE_CHUNK_BITS, call->copy) : NULL;
        uint32_t in = (uint32_t)(call->offset & (WIRE_CHUNK_SIZE - 1));

        if (!k || !k->block[in / WIRE_BLOCK_SIZE])
                return;
        k->block[in / WIRE_BLOCK_SIZE][in % WIRE_BLOCK_SIZE] ^= 0x10;
        call->done = true;
}

bool mfs_peer_rot(struct mfs_peer *p, const char *path, unsigned copy, uint64_t offset)
{
        struct rot_call call = { path, copy, offset, false };

        peer_call(p, rot_run, &call);
        return call.done;
}

struct repeat_call {
        const char *path;
        bool done;
};

static void repeat_run(struct mfs_peer *p, void *arg)
{
        struct repeat_call *call = arg;
        struct peer_node *n = peer_node_walk(p, call->path);
        uint32_t next = n ? n->chunks : 0;

        if (!next || !n->chunk[0] || !peer_chunk_room(n, next))
                return;
        n->chunk[next] = n->chunk[0];
        peer_chunk_share(n->chunk[0]);
        n->attr.length += (uint64_t)next << WIRE_CHUNK_BITS;
        call->done = true;
}

bool mfs_peer_repeat(struct mfs_peer *p, const char *path)
{
        struct repeat_call call = { path, false };

        peer_call(p, repeat_run, &call);
        return call.done;
}

/* ---- state ------------------------------------------------------------------------------------------------- */

static unsigned count_conns(const struct peer_server *s, const struct peer_role *role)
{
        unsigned n = 0;

        ri_list_for_each(l, &s->conns)
        {
                const struct peer_conn *c = ri_container_of(l, struct peer_conn, link);

                n += !c->dead && c->role == role;
        }
        return n;
}

static void state_run(struct mfs_peer *p, void *arg)
{
        struct mfs_peer_state *out = arg;
        uint64_t now = ri_now();

        memset(out, 0, sizeof *out);
        out->sessions = (unsigned)p->sessions.count;
        out->nodes = (unsigned)p->nodes.count;
        out->chunks = (unsigned)p->chunks.count;
        out->parked = (unsigned)ri_list_count(&p->parked);
        out->master_conns = count_conns(&p->server[0], &peer_role_master);
        for (unsigned i = 1; i <= p->cfg.servers; i++) {
                out->chain_conns += count_conns(&p->server[i], &peer_role_chain);
                out->cs_conns += count_conns(&p->server[i], &peer_role_cs);
                out->copies += (unsigned)p->server[i].copies.count;
        }
        ri_map_for_each(n, &p->chunks) out->locks +=
                peer_chunk_locked(ri_container_of(n, struct peer_chunk, by_id), now);
        ri_map_for_each(n, &p->nodes) out->unlinked +=
                !ri_container_of(n, struct peer_node, by_inode)->attr.nlink;
}

void mfs_peer_state(struct mfs_peer *p, struct mfs_peer_state *out)
{
        peer_call(p, state_run, out);
}
