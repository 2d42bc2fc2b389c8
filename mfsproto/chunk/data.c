/* SPDX-License-Identifier: MIT */
/* What the bytes of files need of one session: the inodes in use, the connections to chunkservers, and the master's
 * notifications, which are passed on to the inodes. */
#include "mfsproto/chunk/inner.h"

#include <stdlib.h>

enum { LAST_MS = 3000 }; /* longer than any pause between two tries */

static struct mfs_inode *find(struct mfs_data *d, uint32_t number)
{
        struct ri_map_node *n = ri_map_find_u64(&d->inodes, number);

        return n ? ri_container_of(n, struct mfs_inode, node) : NULL;
}

/* A notification never makes a file longer than we know it: it may name a length that the file does not have. A 3.0.117
 * master tells others of room that somebody has only reserved, and every master of an END that it has refused. Who reads
 * behind the known end asks the master anyway. */
static void chunk_changed(struct mfs_watch *w, uint32_t inode, uint32_t index, uint64_t chunkid,
                          uint32_t version, uint64_t length, bool truncated)
{
        struct mfs_inode *ino = find(ri_container_of(w, struct mfs_data, watch), inode);
        struct mfs_chunk *c;

        if (!ino)
                return;
        ino->changes++;
        /* Somebody else's END may name a length below the real one: only a truncate makes a file shorter. */
        if (truncated && length < ino->master_length)
                mfs_inode_set_length(ino, length);
        c = mfs_chunk_find(ino, index);
        mfs_places_are(ino, index, truncated ? 0 : chunkid, version);
        if (c) {
                if (truncated)
                        mfs_chunk_forget(c);
                else
                        mfs_chunk_is(c, chunkid, version);
                mfs_chunk_tidy(c);
        }
}

static void length_changed(struct mfs_watch *w, uint32_t inode, uint64_t length)
{
        struct mfs_inode *ino = find(ri_container_of(w, struct mfs_data, watch), inode);

        if (!ino || length >= ino->master_length)
                return;
        ino->changes++;
        mfs_inode_forget(ino);
        mfs_inode_set_length(ino, length);
}

static void all_changed(struct mfs_watch *w)
{
        struct mfs_data *d = ri_container_of(w, struct mfs_data, watch);

        ri_map_for_each(n, &d->inodes)
        {
                struct mfs_inode *ino = ri_container_of(n, struct mfs_inode, node);

                ino->gaps++;
                mfs_inode_forget(ino);
        }
}

/* Connections are short: writers that only linger give theirs back. */
static void crowded(void *arg)
{
        struct mfs_data *d = arg;

        ri_list_for_each_safe(it, tmp, &d->locked)
        {
                struct mfs_writer *w = ri_list_entry(it, struct mfs_writer, in_locked);

                if (ri_list_empty(&w->queue))
                        mfs_writer_hurry(w);
        }
}

struct mfs_data *mfs_data_new(struct mfs_session *s)
{
        struct mfs_data *d = calloc(1, sizeof *d);

        if (!d)
                return NULL;
        d->session = s;
        d->loop = mfs_session_loop(s);
        mfs_pool_init(&d->pool, d->loop, mfs_session_dialer(s));
        d->pool.crowded = crowded;
        d->pool.crowded_arg = d;
        ri_map_init(&d->inodes);
        ri_list_init(&d->locked);
        ri_list_init(&d->ending);
        ri_list_init(&d->enders);
        ri_list_init(&d->truncs);
        ri_list_init(&d->tell.link);
        ri_list_init(&d->watch.link);
        d->watch.chunk_changed = chunk_changed;
        d->watch.length_changed = length_changed;
        d->watch.all_changed = all_changed;
        mfs_session_watch(s, &d->watch);
        return d;
}

void mfs_data_free(struct mfs_data *d)
{
        if (!d)
                return;
        mfs_session_unwatch(&d->watch);
        mfs_call_cancel(&d->space);
        mfs_truncs_drop(d);
        if (!ri_list_empty(
                    &d->enders)) /* bytes that were acknowledged lie behind the end of the file until these arrive */
                mfs_session_push(d->session);
        mfs_enders_drop(d);
        ri_task_drop(&d->tell);
        mfs_pool_drop(&d->pool);
        ri_map_free(&d->inodes);
        free(d);
}

bool mfs_others_running(const roma_loop *loop, const struct ri_op *op)
{
        ri_map_for_each(n, &loop->ops)
        {
                const struct ri_op *o = ri_container_of(n, struct ri_op, by_id);

                if (o != op && !o->finished)
                        return true;
        }
        return false;
}

static uint32_t left_of(uint64_t from, uint32_t ms, uint64_t now)
{
        uint64_t end = from + ms * MFS_NS_PER_MS;

        return ms == 0 || ms == ROMA_NEVER ? UINT32_MAX
               : end <= now                ? 0
                                           : (uint32_t)((end - now) / MFS_NS_PER_MS);
}

/* As the end of the stall time itself would judge, and a little before it, when the next try would come too late. */
static bool is_excused(const struct ri_op *op, uint32_t left)
{
        return left < LAST_MS && ri_op_excused(op);
}

uint32_t mfs_op_patience(const struct ri_op *op)
{
        uint32_t best = UINT32_MAX;

        for (const struct ri_op *o = op; o; o = o->parent ? ri_op_find(op->loop, o->parent) : NULL) {
                uint64_t now = ri_now();
                uint32_t a = left_of(o->progress_at, o->stall_ms, now);
                uint32_t b = left_of(o->started_ns, o->deadline_ms, now);

                if (is_excused(o, a))
                        a = o->stall_ms;
                if (a < best)
                        best = a;
                if (b < best)
                        best = b;
        }
        return best;
}
