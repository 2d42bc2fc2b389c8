/* SPDX-License-Identifier: MIT */
/* One piece of a read, inside one chunk: let our own writer of the chunk end, find out where the chunk is, fetch the
 * bytes from one replica (or from all parts of an erasure coded chunk), and start over elsewhere when that fails,
 * until the operation's limits end it. */
#include "mfsproto/chunk/reads.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
        CRC_PATIENCE_MS = 3000,
        PART_PATIENCE_MS = 15000, /* there is no other copy to try, but the master may make one */
        LOST_PATIENCE_MS = 5000,
        FREE_TRIES = 5, /* slow servers may break off a few times without anybody losing patience */
        EC_UNIT = 1 << WIRE_EC_BLOCK_BITS
};

static void next_try(struct ri_timer *t);
static void find(struct mfs_piece *p);

static roma_loop *loop_of(const struct mfs_piece *p)
{
        return p->rd->ino->data->loop;
}

static void drop_jobs(struct mfs_piece *p)
{
        for (unsigned i = 0; i < p->njobs; i++)
                mfs_rjob_stop(&p->job[i]);
        free(p->job);
        p->job = NULL;
        p->njobs = p->left = 0;
}

static void drop_place(struct mfs_piece *p)
{
        mfs_place_unref(p->place);
        p->place = NULL;
}

void mfs_piece_free(struct mfs_piece *p)
{
        mfs_barrier_cancel(&p->barrier);
        mfs_locate_cancel(&p->locate);
        ri_timer_stop(&p->timer);
        if (p->task.queued)
                ri_task_drop(&p->task);
        drop_jobs(p);
        drop_place(p);
        free(p);
}

/* Tries again in ms, or gives up when the operation's patience ends before. */
static void again(struct mfs_piece *p, uint32_t ms)
{
        if (mfs_op_patience(p->rd->op) <= ms + 100) {
                mfs_read_fail(p->rd, &p->error);
                return;
        }
        if (ri_timer_start(loop_of(p), &p->timer, ms) < 0)
                mfs_read_fail(p->rd, &(struct ri_error){ .code = ROMA_ENOMEM, .text = "out of memory" });
}

/* The master knows no copy that is right, and had time to make one. */
static bool corrupt(const struct mfs_piece *p)
{
        return p->crc_seen && (p->rounds >= 2 || ri_now() - p->empty_at > CRC_PATIENCE_MS * MFS_NS_PER_MS);
}

/* The same for parts. */
static bool part_corrupt(const struct mfs_piece *p)
{
        return p->crcs >= 3 && ri_now() - p->crc_at > PART_PATIENCE_MS * MFS_NS_PER_MS;
}

static void fail_corrupt(struct mfs_piece *p)
{
        struct ri_error e = p->error;
        size_t at;

        ri_error_set(&e, ROMA_ECORRUPT, p->error.server, "no replica of chunk %u gives right bytes (tried",
                     p->index);
        for (unsigned i = 0; i < p->nbad; i++) {
                at = strlen(e.text);
                if (p->bad[i].crc)
                        snprintf(e.text + at, sizeof e.text - at, " %s", p->bad[i].cs->name);
        }
        at = strlen(e.text);
        snprintf(e.text + at, sizeof e.text - at, "); the last one: %.250s", p->error.text);
        mfs_read_fail(p->rd, &e);
}

/* ---- the bytes ---- */

static bool is_bad(const struct mfs_piece *p, const struct mfs_cs *cs, bool crc_only)
{
        for (unsigned i = 0; i < p->nbad; i++) {
                if (p->bad[i].cs == cs && (p->bad[i].crc || !crc_only))
                        return true;
        }
        return false;
}

static void note_bad(struct mfs_piece *p, struct mfs_cs *cs, bool crc)
{
        for (unsigned i = 0; i < p->nbad; i++) {
                if (p->bad[i].cs == cs) {
                        p->bad[i].crc |= crc;
                        return;
                }
        }
        if (p->nbad < MFS_PIECE_BADS)
                p->bad[p->nbad++] = (struct mfs_bad){ cs, crc };
}

static bool checked(struct mfs_piece *p)
{
        if (!p->place->stale)
                return true;
        /* the chunk has become another one while it was read: bytes of two states would be mixed */
        p->error = (struct ri_error){ .code = ROMA_EUNAVAILABLE, .flags = ROMA_RETRIABLE };
        snprintf(p->error.text, sizeof p->error.text, "chunk %u changes again and again while it is read",
                 p->index);
        return false;
}

static void retry_after(struct mfs_piece *p, uint32_t ms)
{
        roma_loop *loop = loop_of(p);

        p->tries++;
        p->rd->op->tries++;
        loop->stats.retries_total++;
        drop_jobs(p);
        drop_place(p);
        again(p, ms);
}

/* Puts the CRC of the piece together from those of its segments, which several jobs may have in turns. */
static void fold_crc(struct mfs_piece *p)
{
        unsigned at[MFS_MAX_PARTS] = { 0 };
        uint32_t pos = p->from, crc = 0;
        bool found = true;

        while (pos < p->from + p->size && found) {
                found = false;
                for (unsigned i = 0; i < p->njobs && !found; i++) {
                        const struct mfs_rjob *j = &p->job[i];

                        if (at[i] < j->nseg && j->seg[at[i]].pos == pos) {
                                const struct mfs_seg *s = &j->seg[at[i]++];

                                crc = ri_crc32_combine(crc, s->crc, s->len);
                                pos += s->len;
                                found = true;
                        }
                }
        }
        p->crc = crc;
}

static void job_failed(struct mfs_piece *p, struct mfs_rjob *j)
{
        static const uint16_t pause[] = { 1, 1, 100, 300, 600, 1000, 2000 };
        struct mfs_chunk *c = mfs_chunk_find(p->rd->ino, p->index);
        bool crc = j->end == RJOB_CRC || (j->end == RJOB_STATUS && j->status == WIRE_STATUS_CRC);

        if (crc || !p->crc_seen)
                p->error = j->error;
        if (crc) {
                p->crc_seen = true;
                if (p->crcs++ == 0)
                        p->crc_at = ri_now();
        }
        p->error.flags |= ROMA_RETRIABLE;
        /* busy is not bad */
        if (!(j->end == RJOB_STATUS && j->status == WIRE_STATUS_NOTDONE))
                note_bad(p, j->cs, crc);
        if (c && c->place == p->place)
                mfs_chunk_ask_again(c);
        if (c)
                mfs_chunk_tidy(c);
        retry_after(p, pause[p->tries < 7 ? p->tries : 6]);
}

/* Bytes that came before are no progress: else a server that breaks off again and again would be tried for ever. */
static void job_moved(struct mfs_rjob *j)
{
        struct mfs_piece *p = j->piece;
        uint32_t all = 0;

        for (unsigned i = 0; i < p->njobs; i++)
                all += p->job[i].done;
        if (all > p->most || p->tries < FREE_TRIES)
                ri_op_progress(p->rd->op);
        if (all > p->most)
                p->most = all;
}

static void job_ended(struct mfs_rjob *j)
{
        struct mfs_piece *p = j->piece;

        if (j->end != RJOB_OK) {
                job_failed(p, j);
                return;
        }
        if (--p->left > 0)
                return;
        if (!checked(p)) {
                retry_after(p, 1);
                return;
        }
        fold_crc(p);
        drop_jobs(p);
        drop_place(p);
        mfs_read_piece_done(p);
}

/* Segment pos .. pos + len of the chunk becomes the next bytes of job j. */
static bool add_seg(struct mfs_piece *p, struct mfs_rjob *j, uint32_t pos, uint32_t len)
{
        struct mfs_read *rd = p->rd;
        size_t skip = (size_t)(((uint64_t)p->index << WIRE_CHUNK_BITS) + pos - rd->offset);
        struct mfs_seg *seg = realloc(j->seg, (j->nseg + 1) * sizeof *seg);
        struct iovec *iov;
        size_t got;

        if (!seg)
                return false;
        j->seg = seg;
        iov = realloc(j->iov, ((size_t)j->niov + (size_t)rd->n) * sizeof *iov);
        if (!iov)
                return false;
        j->iov = iov;
        j->niov += mfs_iov_cut(rd->iov, rd->n, skip, len, iov + j->niov, rd->n, &got);
        seg[j->nseg++] = (struct mfs_seg){ .pos = pos, .len = len };
        j->size += len;
        return got == len;
}

static void job_setup(struct mfs_piece *p, struct mfs_rjob *j, struct mfs_cs *cs, uint32_t csver)
{
        j->piece = p;
        j->loop = loop_of(p);
        j->op = p->rd->op;
        j->cs = cs;
        j->csver = csver;
        j->chunkid = p->place->chunkid;
        j->version = p->place->version;
        j->moved = job_moved;
        j->ended = job_ended;
}

static void no_memory(struct mfs_piece *p)
{
        drop_jobs(p);
        ri_error_set(&p->error, ROMA_ENOMEM, "", "out of memory");
        again(p, 100);
}

/* Every part that has bytes of the piece: unit u of 256 KiB lies in part u mod P at unit u / P. */
static void read_parts(struct mfs_piece *p)
{
        const struct mfs_place *pl = p->place;
        uint32_t end = p->from + p->size;
        unsigned count = 0;

        if (part_corrupt(p)) {
                fail_corrupt(p);
                return;
        }
        p->job = calloc(pl->n, sizeof *p->job);
        if (!p->job) {
                no_memory(p);
                return;
        }
        for (unsigned part = 0; part < pl->n; part++) {
                struct mfs_rjob *j = &p->job[count];
                const struct mfs_loc *l = &pl->loc[part];

                for (uint32_t u = p->from / EC_UNIT; u <= (end - 1) / EC_UNIT; u++) {
                        uint32_t lo = u * EC_UNIT, hi = lo + EC_UNIT;

                        if (u % pl->n != part)
                                continue;
                        lo = lo < p->from ? p->from : lo;
                        hi = hi > end ? end : hi;
                        if (j->nseg == 0)
                                j->offset = u / pl->n * EC_UNIT + (lo & (EC_UNIT - 1));
                        p->njobs = count + 1;
                        if (!add_seg(p, j, lo, hi - lo)) {
                                no_memory(p);
                                return;
                        }
                }
                if (j->nseg == 0)
                        continue;
                job_setup(p, j, mfs_pool_server(&p->rd->ino->data->pool, l->ip, l->port), l->csver);
                j->chunkid |= (uint64_t)((pl->n == 4 ? 0x10 : 0x20) + part) << 56;
                count++;
                if (!j->cs || l->ip == 0) {
                        drop_jobs(p);
                        ri_error_set(&p->error, ROMA_EUNAVAILABLE, "",
                                     "part %u of chunk %u is on no server now", part, p->index);
                        retry_after(p, 500);
                        return;
                }
        }
        p->left = p->njobs;
        for (unsigned i = 0; i < p->njobs; i++)
                mfs_rjob_start(&p->job[i]);
}

/* The replica with the fewest jobs among the best: not failed before, not marked bad. */
static const struct mfs_loc *choose(struct mfs_piece *p, struct mfs_cs **cs)
{
        const struct mfs_loc *best = NULL;
        unsigned best_rank = 0;

        for (unsigned i = 0; i < p->place->n; i++) {
                const struct mfs_loc *l = &p->place->loc[i];
                struct mfs_cs *s;
                unsigned rank;

                if (l->ip == 0 || l->port == 0 ||
                    !(s = mfs_pool_server(&p->rd->ino->data->pool, l->ip, l->port)))
                        continue;
                if (is_bad(p, s, true) && !p->any_crc)
                        continue;
                rank = (is_bad(p, s, false) ? 1u << 17 : 0) + (mfs_cs_is_bad(s) ? 1u << 16 : 0) +
                       (s->busy < 65535 ? s->busy : 65535);
                if (!best || rank < best_rank) {
                        best = l;
                        best_rank = rank;
                        *cs = s;
                }
        }
        return best;
}

static void read_copy(struct mfs_piece *p)
{
        struct mfs_cs *cs = NULL;
        const struct mfs_loc *l = choose(p, &cs);

        p->any_crc = false;
        if (!l && p->crc_seen) {
                /* each listed replica had a CRC error: once more from the start, then it is said, if a CRC ends that
                 * as well and not a lost connection, however long that took */
                if (p->crcs > p->round_crcs)
                        p->rounds++;
                p->round_crcs = p->crcs;
                if (p->rounds >= 2) {
                        fail_corrupt(p);
                        return;
                }
                p->any_crc = true;
                retry_after(p, 300);
                return;
        }
        if (!l) {
                ri_error_set(&p->error, ROMA_EUNAVAILABLE, "", "chunk %u is on no server now", p->index);
                retry_after(p, 500);
                return;
        }
        p->job = calloc(1, sizeof *p->job);
        if (p->job)
                p->njobs = 1;
        if (!p->job || !add_seg(p, p->job, p->from, p->size)) {
                no_memory(p);
                return;
        }
        job_setup(p, p->job, cs, l->csver);
        p->job->offset = p->from;
        p->left = 1;
        mfs_rjob_start(p->job);
}

static void read_hole(struct mfs_piece *p)
{
        struct mfs_read *rd = p->rd;
        size_t skip = (size_t)(((uint64_t)p->index << WIRE_CHUNK_BITS) + p->from - rd->offset),
               left = p->size;

        while (left > 0) {
                struct iovec v[16];
                size_t got;
                int k = mfs_iov_cut(rd->iov, rd->n, skip, left, v, 16, &got);

                for (int i = 0; i < k; i++)
                        memset(v[i].iov_base, 0, v[i].iov_len);
                skip += got;
                left -= got;
        }
        p->crc = ri_crc32_zeros(0, p->size);
        drop_place(p);
        mfs_read_piece_done(p);
}

/* ---- the place ---- */

static void place_known(struct mfs_piece *p)
{
        uint64_t start = ((uint64_t)p->index << WIRE_CHUNK_BITS) + p->from;

        if (p->place->n > 0)
                p->empty_at = 0;
        if (p->place->chunkid == 0 || start >= mfs_inode_length(p->rd->ino)) {
                read_hole(p); /* behind the end: clipped when it is put together */
        } else if (p->place->n == 0) {
                if (!p->empty_at)
                        p->empty_at = ri_now();
                if (corrupt(p)) {
                        fail_corrupt(p);
                        return;
                }
                if (!p->crc_seen)
                        ri_error_set(&p->error, ROMA_EUNAVAILABLE,
                                     mfs_session_server(p->rd->ino->data->session),
                                     "no usable copy of chunk %u (%016llX) is on a server that is connected "
                                     "now; is a "
                                     "chunkserver down?",
                                     p->index, (unsigned long long)p->place->chunkid);
                p->error.flags |= ROMA_RETRIABLE;
                ri_op_waits(p->rd->op, "a chunkserver with a copy of the chunk", p->error.server);
                retry_after(p, 500);
        } else if (p->place->proto == WIRE_LOCS_PARTS) {
                read_parts(p);
        } else {
                read_copy(p);
        }
}

static void refused(struct mfs_piece *p, uint8_t status)
{
        uint32_t ms = mfs_status_delay(status, ++p->refusals);
        char what[64];

        if (p->refusals == 1)
                p->refused_at = ri_now();
        snprintf(what, sizeof what, "the places of chunk %u", p->index);
        memset(&p->error, 0, sizeof p->error);
        mfs_lock_waits(p->rd->ino, p->rd->op, status);
        mfs_status_error(&p->error, status, mfs_session_server(p->rd->ino->data->session), what);
        if (ms == 0 ||
            (status == WIRE_STATUS_CHUNKLOST && ri_now() - p->refused_at > LOST_PATIENCE_MS * MFS_NS_PER_MS))
                mfs_read_fail(p->rd, &p->error);
        else
                again(p, ms);
}

static void located(struct mfs_locate *l, struct mfs_place *place, uint8_t status, const struct ri_error *e)
{
        struct mfs_piece *p = ri_container_of(l, struct mfs_piece, locate);

        if (e) {
                p->error = *e;
                if (e->flags & ROMA_RETRIABLE)
                        again(p, 300);
                else
                        mfs_read_fail(p->rd, e);
        } else if (status != WIRE_STATUS_OK) {
                refused(p, status);
        } else {
                p->refusals = 0;
                p->place = place;
                place_known(p);
        }
}

static void find(struct mfs_piece *p)
{
        struct mfs_chunk *c = mfs_chunk_get(p->rd->ino, p->index);

        if (!c) {
                no_memory(p);
                return;
        }
        drop_place(p); /* of an earlier try that found no memory to begin */
        p->locate.done = located;
        p->place = mfs_locate_start(&p->locate, c, p->rd->op);
        if (p->place) {
                place_known(p);
        } else if (p->locate.refused) {
                p->error = p->locate.error;
                again(p, 300);
        }
}

static void own_writes_done(struct mfs_barrier *b)
{
        find(ri_container_of(b, struct mfs_piece, barrier));
}

static void try_now(struct mfs_piece *p)
{
        struct mfs_chunk *c = mfs_chunk_find(p->rd->ino, p->index);

        if (c && c->writer && mfs_writer_busy(c->writer)) {
                ri_op_waits(p->rd->op, "our own writes to the chunk", "");
                mfs_barrier_add(c->writer, &p->barrier, own_writes_done);
        } else {
                find(p);
        }
}

static void next_try(struct ri_timer *t)
{
        try_now(ri_container_of(t, struct mfs_piece, timer));
}

/* From the loop, so that nothing ends inside mfs_piece_start(). */
static void first_try(struct ri_task *t)
{
        try_now(ri_container_of(t, struct mfs_piece, task));
}

void mfs_piece_start(struct mfs_piece *p)
{
        ri_heap_node_init(&p->timer.node);
        p->timer.fire = next_try;
        ri_list_init(&p->task.link);
        p->task.run = first_try;
        ri_task_queue(loop_of(p), &p->task);
}
