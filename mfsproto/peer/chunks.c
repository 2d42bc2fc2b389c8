/* SPDX-License-Identifier: MIT */
/* Chunks as the master knows them: slots of files, copies on servers, locks, lengths. */
#include <stdlib.h>
#include <string.h>

#include "mfsproto/peer/inner.h"

static bool is_up(struct mfs_peer *p, unsigned server)
{
        return p->server[server].up;
}

struct peer_chunk *peer_chunk_find(struct mfs_peer *p, uint64_t id)
{
        struct ri_map_node *n = ri_map_find_u64(&p->chunks, id);

        return n ? ri_container_of(n, struct peer_chunk, by_id) : NULL;
}

bool peer_chunk_room(struct peer_node *n, uint32_t index)
{
        struct peer_chunk **bigger;

        if (index < n->chunks)
                return true;
        if (index > 1u << 16) /* 4 TiB: a test that wants more wants something else */
                return false;
        bigger = realloc(n->chunk, (index + 1u) * sizeof(struct peer_chunk *));
        if (!bigger)
                return false;
        memset(bigger + n->chunks, 0, (index + 1u - n->chunks) * sizeof(struct peer_chunk *));
        n->chunk = bigger;
        n->chunks = index + 1;
        return true;
}

static void pick_servers(struct mfs_peer *p, struct peer_chunk *ch)
{
        for (unsigned i = 0; i < p->cfg.servers && ch->copies < p->cfg.copies; i++) {
                unsigned s = 1 + (unsigned)((ch->id + i) % p->cfg.servers);

                if (is_up(p, s))
                        ch->server[ch->copies++] = (uint8_t)s;
        }
}

static struct peer_chunk *chunk_new(struct mfs_peer *p)
{
        struct peer_chunk *ch = calloc(1, sizeof *ch);

        if (!ch)
                return NULL;
        ch->id = ++p->last_chunk;
        ch->version = 1;
        ch->refs = 1;
        ri_map_insert_u64(&p->chunks, &ch->by_id, ch->id);
        return ch;
}

struct peer_chunk *peer_chunk_make(struct mfs_peer *p, struct peer_node *n, uint32_t index)
{
        struct peer_chunk *ch;

        if (!peer_chunk_room(n, index))
                return NULL;
        ch = chunk_new(p);
        if (!ch)
                return NULL;
        pick_servers(p, ch);
        for (unsigned i = 0; i < ch->copies; i++)
                peer_copy_make(&p->server[ch->server[i]], ch->id, ch->version);
        if (!ch->copies) {
                peer_chunk_unref(p, ch);
                return NULL;
        }
        n->chunk[index] = ch;
        return ch;
}

void peer_chunk_share(struct peer_chunk *ch)
{
        ch->refs++;
}

void peer_chunk_unref(struct mfs_peer *p, struct peer_chunk *ch)
{
        if (--ch->refs)
                return;
        for (unsigned i = 0; i < ch->copies; i++)
                peer_copy_drop(&p->server[ch->server[i]], peer_copy_id(ch, i));
        ri_map_remove(&p->chunks, &ch->by_id);
        free(ch);
}

struct peer_chunk *peer_chunk_unshare(struct mfs_peer *p, struct peer_node *n, uint32_t index)
{
        struct peer_chunk *old = n->chunk[index], *ch;

        if (old->refs == 1)
                return old;
        ch = chunk_new(p);
        if (!ch)
                return NULL;
        for (unsigned i = 0; i < old->copies; i++) {
                struct peer_server *s = &p->server[old->server[i]];
                struct peer_copy *from = peer_copy_find(s, old->id);

                if (s->up && from && peer_copy_clone(s, from, ch->id, ch->version))
                        ch->server[ch->copies++] = old->server[i];
        }
        peer_chunk_unref(p, old);
        n->chunk[index] = ch;
        return ch;
}

/* ---- locks ------------------------------------------------------------------------------------------------- */

bool peer_chunk_locked(const struct peer_chunk *ch, uint64_t now)
{
        return ch->locked_until > now;
}

void peer_chunk_lock(struct mfs_peer *p, struct peer_chunk *ch, uint32_t session)
{
        ch->locked_until = ri_now() + (uint64_t)p->cfg.lock_ms * 1000000u;
        ch->locker = session;
}

void peer_chunk_unlock(struct mfs_peer *p, struct peer_chunk *ch)
{
        ch->locked_until = 0;
        ri_task_queue(p->loop, &p->unpark);
}

void peer_chunks_tick(struct mfs_peer *p, uint64_t now)
{
        ri_map_for_each(n, &p->chunks)
        {
                struct peer_chunk *ch = ri_container_of(n, struct peer_chunk, by_id);

                if (ch->locked_until && ch->locked_until <= now) {
                        peer_audit_expired(p, ch->id);
                        peer_chunk_unlock(p, ch);
                }
        }
}

/* ---- copies ------------------------------------------------------------------------------------------------ */

unsigned peer_chunk_alive(struct mfs_peer *p, const struct peer_chunk *ch)
{
        unsigned n = 0;

        for (unsigned i = 0; i < ch->copies; i++)
                n += is_up(p, ch->server[i]);
        return n;
}

static bool has_server(const struct peer_chunk *ch, unsigned s)
{
        return memchr(ch->server, (int)s, ch->copies) != NULL;
}

bool peer_chunk_mend(struct mfs_peer *p, struct peer_chunk *ch)
{
        unsigned kept = 0;
        bool changed = false;

        if (!peer_chunk_alive(p, ch))
                return false;
        for (unsigned i = 0; i < ch->copies; i++) {
                if (is_up(p, ch->server[i])) {
                        ch->server[kept++] = ch->server[i];
                } else {
                        peer_copy_drop(&p->server[ch->server[i]], ch->id);
                        changed = true;
                }
        }
        ch->copies = kept;
        for (unsigned s = 1; s <= p->cfg.servers && ch->copies < p->cfg.copies; s++) {
                struct peer_copy *from = peer_copy_find(&p->server[ch->server[0]], ch->id);

                if (!is_up(p, s) || has_server(ch, s) || !from ||
                    !peer_copy_clone(&p->server[s], from, ch->id, ch->version))
                        continue;
                ch->server[ch->copies++] = (uint8_t)s;
                changed = true;
        }
        if (changed)
                ch->version++;
        for (unsigned i = 0; i < ch->copies; i++) {
                struct peer_copy *k = peer_copy_find(&p->server[ch->server[i]], ch->id);

                if (k)
                        k->version = ch->version;
        }
        return true;
}

/* ---- lengths ----------------------------------------------------------------------------------------------- */

bool peer_file_resize(struct mfs_peer *p, struct peer_node *n, uint64_t length)
{
        uint64_t index = length >> WIRE_CHUNK_BITS;
        uint32_t tail = (uint32_t)(length & (WIRE_CHUNK_SIZE - 1));

        if (tail && index < n->chunks && n->chunk[index]) {
                struct peer_chunk *ch = peer_chunk_unshare(p, n, (uint32_t)index);

                if (!ch)
                        return false;
                ch->version++;
                for (unsigned i = 0; i < ch->copies; i++) {
                        struct peer_copy *k = peer_copy_find(&p->server[ch->server[i]], ch->id);

                        if (!k)
                                continue;
                        k->version = ch->version;
                        if (!peer_bug(p, MFS_BUG_STALE_TAIL))
                                peer_copy_truncate(k, tail);
                }
        }
        for (uint64_t i = index + (tail != 0); i < n->chunks; i++) {
                if (n->chunk[i])
                        peer_chunk_unref(p, n->chunk[i]);
                n->chunk[i] = NULL;
        }
        n->attr.length = length;
        return true;
}
