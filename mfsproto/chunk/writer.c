/* SPDX-License-Identifier: MIT */
/* The writer of one chunk: a queue of parts and barriers in the order of submission, and a state that says what it
 * waits for:
 *
 *   IDLE --part--> LOCK --granted--> SESSION --all acknowledged--> END --> IDLE
 *                   |  ^               |
 *                   v  |  (retry)      | chain broken: everything unacknowledged is queued as not sent
 *                   WAIT <-------------+
 *
 * Parts are sent in the order of the queue and leave it when acknowledged, so what is unacknowledged is always a
 * contiguous piece of that order, and sending it again to a new chain brings all replicas to the same bytes.
 * What calls from outside ask for happens in the writer's task; only that frees the writer. */
#include "mfsproto/chunk/inner.h"

#include <stdlib.h>
#include <string.h>

static void writer_run(struct ri_task *t);
static void writer_timer(struct ri_timer *t);

static struct mfs_item *head_of(const struct mfs_writer *w)
{
        return ri_list_empty(&w->queue) ? NULL : ri_list_entry(w->queue.next, struct mfs_item, link);
}

static struct mfs_wpart *part_of(struct mfs_item *i)
{
        return i->kind == MFS_PART ? ri_container_of(i, struct mfs_wpart, item) : NULL;
}

struct mfs_writer *mfs_writer_get(struct mfs_inode *ino, uint32_t index)
{
        struct mfs_chunk *c = mfs_chunk_get(ino, index);
        struct mfs_writer *w;

        if (!c)
                return NULL;
        if (c->writer)
                return c->writer;
        w = calloc(1, sizeof *w);
        if (!w) {
                mfs_chunk_tidy(c);
                return NULL;
        }
        w->chunk = c;
        w->ino = ino;
        ri_list_init(&w->queue);
        ri_list_init(&w->in_locked);
        ri_list_init(&w->task.link);
        w->task.run = writer_run;
        ri_heap_node_init(&w->timer.node);
        w->timer.fire = writer_timer;
        ri_list_add_tail(&ino->writers, &w->in_inode);
        c->writer = w;
        mfs_writer_kick(w); /* frees it again when nothing follows */
        return w;
}

static void writer_free(struct mfs_writer *w)
{
        struct mfs_chunk *c = w->chunk;

        mfs_ws_drop(w);
        mfs_call_cancel(&w->call);
        mfs_getlen_cancel(&w->getlen);
        ri_timer_stop(&w->timer);
        ri_task_drop(&w->task);
        ri_list_del(&w->in_inode);
        ri_list_del(&w->in_locked);
        mfs_place_unref(w->place);
        c->writer = NULL;
        mfs_chunk_tidy(c);
        free(w);
}

void mfs_writer_kick(struct mfs_writer *w)
{
        if (!w->task.queued)
                ri_task_queue(w->ino->data->loop, &w->task);
}

void mfs_writer_says(struct mfs_writer *w, const char *what, const char *server)
{
        w->waits = what;
        w->waits_server = server;
        ri_list_for_each(it, &w->queue)
        {
                struct mfs_wpart *p = part_of(ri_list_entry(it, struct mfs_item, link));

                if (p && p->wop)
                        ri_op_waits(p->wop->op, what, server);
        }
}

void mfs_writer_add(struct mfs_writer *w, struct mfs_wpart *p)
{
        p->item.kind = MFS_PART;
        p->writer = w;
        ri_list_add_tail(&w->queue, &p->item.link);
        if (w->idle_since) {
                w->idle_since = 0;
                ri_timer_stop(&w->timer);
        }
        ri_op_waits(p->wop->op, w->waits ? w->waits : "its turn to write", w->waits_server);
        mfs_writer_kick(w);
}

bool mfs_writer_has_parts(const struct mfs_writer *w)
{
        ri_list_for_each(it, &w->queue)
        {
                if (ri_list_entry(it, struct mfs_item, link)->kind == MFS_PART)
                        return true;
        }
        return false;
}

bool mfs_writer_busy(const struct mfs_writer *w)
{
        return w->state != MW_IDLE || !ri_list_empty(&w->queue);
}

uint64_t mfs_writer_end(const struct mfs_writer *w)
{
        return w->acked_end ? w->chunk->index * WIRE_CHUNK_SIZE + w->acked_end : 0;
}

/* The master only makes the file longer by it. What other clients are told is the number itself, so it is never below
 * the length as far as known: that of the grant, or less when somebody has cut the file since, who would find it
 * as long as before. */
uint64_t mfs_writer_end_length(const struct mfs_writer *w)
{
        uint64_t end = mfs_writer_end(w), known = w->place->length;

        if (known > w->ino->master_length)
                known = w->ino->master_length;
        return end && end < known ? known : end;
}

/* Barriers */

static void barrier_run(struct ri_task *t)
{
        struct mfs_barrier *b = ri_container_of(t, struct mfs_barrier, task);

        b->fire(b);
}

void mfs_barrier_add(struct mfs_writer *w, struct mfs_barrier *b, void (*fire)(struct mfs_barrier *b))
{
        b->item.kind = MFS_BARRIER;
        b->writer = w;
        b->fire = fire;
        ri_list_init(&b->task.link);
        b->task.queued = false;
        b->task.run = barrier_run;
        ri_list_add_tail(&w->queue, &b->item.link);
        mfs_writer_kick(w);
}

void mfs_barrier_cancel(struct mfs_barrier *b)
{
        if (b->task.queued)
                ri_task_drop(&b->task);
        if (!b->writer)
                return;
        ri_list_del(&b->item.link);
        mfs_writer_kick(b->writer);
        b->writer = NULL;
}

static void fire_barriers(struct mfs_writer *w)
{
        struct mfs_item *i;

        while ((i = head_of(w)) != NULL && i->kind == MFS_BARRIER) {
                struct mfs_barrier *b = ri_container_of(i, struct mfs_barrier, item);

                ri_list_del(&i->link);
                b->writer = NULL;
                ri_task_queue(w->ino->data->loop, &b->task);
        }
}

/* Giving back early */

void mfs_writer_hurry(struct mfs_writer *w)
{
        if (w->locked)
                w->closing = true;
        mfs_writer_kick(w);
}

/* Another chunk of the file waits for one of the few places. */
static void hurry_lingering(struct mfs_inode *ino)
{
        ri_list_for_each(it, &ino->writers)
        {
                struct mfs_writer *w = ri_list_entry(it, struct mfs_writer, in_inode);

                if (w->locked && ri_list_empty(&w->queue)) {
                        mfs_writer_hurry(w);
                        return;
                }
        }
}

static bool slot_wanted(const struct mfs_inode *ino)
{
        if (ino->active < MFS_WRITERS_PER_FILE)
                return false;
        ri_list_for_each(it, &ino->writers)
        {
                const struct mfs_writer *w = ri_list_entry(it, struct mfs_writer, in_inode);

                if (!w->active && mfs_writer_has_parts(w))
                        return true;
        }
        return false;
}

/* What is next */

static void linger(struct mfs_writer *w)
{
        roma_loop *loop = w->ino->data->loop;

        if (!w->idle_since)
                w->idle_since = ri_now();
        if (!ri_timer_running(&w->timer))
                ri_timer_start(loop, &w->timer, 50);
}

/* All that was sent is acknowledged and nothing more may be sent now: end the session or wait a little? */
static void session_quiet(struct mfs_writer *w)
{
        struct mfs_item *head = head_of(w);

        if (!head && !w->closing && w->acked_end < WIRE_CHUNK_SIZE && !slot_wanted(w->ino)) {
                linger(w);
                return;
        }
        mfs_ws_finish(w);
        mfs_writer_end_lock(w);
}

static void step_idle(struct mfs_writer *w)
{
        fire_barriers(w);
        if (ri_list_empty(&w->queue))
                return;
        if (!w->active && w->ino->active >= MFS_WRITERS_PER_FILE) {
                mfs_writer_says(w, "other chunks of the file to be written", "");
                hurry_lingering(w->ino);
                return;
        }
        if (!w->active) {
                w->active = true;
                w->ino->active++;
        }
        mfs_writer_lock(w);
}

void mfs_writer_step(struct mfs_writer *w)
{
        if (w->state == MW_IDLE) {
                step_idle(w);
        } else if (w->state == MW_SESSION && w->ws.state != WS_DATA && !mfs_writer_has_parts(w)) {
                mfs_ws_drop(w);
                mfs_writer_end_lock(w);
        } else if (w->state == MW_SESSION) {
                mfs_ws_pump(w);
                if (w->state == MW_SESSION && w->ws.state == WS_DATA && w->ws.count == 0 &&
                    !mfs_writer_next(w))
                        session_quiet(w);
        } else if (w->state == MW_WAIT && !mfs_writer_has_parts(w) && (w->locked || !w->acked_end)) {
                ri_timer_stop(&w->timer);
                mfs_writer_end_lock(w);
        }
}

static void writer_run(struct ri_task *t)
{
        struct mfs_writer *w = ri_container_of(t, struct mfs_writer, task);

        mfs_writer_step(w);
        if (w->state == MW_IDLE && ri_list_empty(&w->queue))
                writer_free(w);
}

static void writer_timer(struct ri_timer *t)
{
        struct mfs_writer *w = ri_container_of(t, struct mfs_writer, timer);
        roma_loop *loop = w->ino->data->loop;

        if (w->state == MW_WAIT) {
                if (!mfs_writer_has_parts(w))
                        mfs_writer_end_lock(w);
                else
                        mfs_writer_lock(w);
        } else if (w->state == MW_END) {
                mfs_writer_end_lock(w);
        } else if (w->state == MW_SESSION && w->idle_since) {
                if (ri_now() - w->idle_since >= MFS_WRITE_LINGER_MS * MFS_NS_PER_MS ||
                    !mfs_others_running(loop, NULL))
                        w->closing = true;
                mfs_writer_step(w);
        }
        mfs_writer_kick(w);
}

/* For the session */

/* What some servers may have already is completed before the lock is given back. */
struct mfs_wpart *mfs_writer_next(struct mfs_writer *w)
{
        if (ri_now() - w->locked_at > MFS_LOCK_DATA_MS * MFS_NS_PER_MS)
                w->closing = true;
        ri_list_for_each(it, &w->queue)
        {
                struct mfs_wpart *p = part_of(ri_list_entry(it, struct mfs_item, link));

                if (!p)
                        return NULL; /* a barrier */
                if (p->sent < (w->closing ? p->high : p->to))
                        return p;
        }
        return NULL;
}

static void part_free(struct mfs_wpart *p)
{
        free(p->copy);
        free(p);
}

void mfs_writer_acked(struct mfs_writer *w, struct mfs_wpart *p, uint32_t size, uint32_t crc)
{
        if (p->acked < w->dirty_from || !w->acked_end)
                w->dirty_from = p->acked;
        p->crc = ri_crc32_combine(p->crc, crc, size);
        p->acked += size;
        if (p->acked > w->acked_end)
                w->acked_end = p->acked;
        w->tries = 0;
        if (p->wop)
                ri_op_progress(p->wop->op);
        if (p->acked < p->to)
                return;
        w->whole = true;
        ri_list_del(&p->item.link);
        p->writer = NULL;
        if (p->wop)
                ri_trace(w->ino->data->loop, p->wop->op, "chunk_write", w->ws.head->name, p->start_ns,
                         p->to - p->from, ROMA_OK);
        if (p->wop)
                mfs_wop_part_done(p->wop);
        else
                part_free(p);
}

/* Everything unacknowledged is to be sent again. True when there was something. */
static bool unsend(struct mfs_writer *w)
{
        bool any = false;

        ri_list_for_each(it, &w->queue)
        {
                struct mfs_wpart *p = part_of(ri_list_entry(it, struct mfs_item, link));

                if (p && p->sent > p->acked) {
                        p->sent = p->acked;
                        any = true;
                }
        }
        return any;
}

static void count_try(struct mfs_writer *w)
{
        w->tries++;
        w->ino->data->loop->stats.retries_total++;
        ri_list_for_each(it, &w->queue)
        {
                struct mfs_wpart *p = part_of(ri_list_entry(it, struct mfs_item, link));

                if (p && p->wop)
                        p->wop->op->tries++;
        }
}

void mfs_writer_down(struct mfs_writer *w, const struct ri_error *e)
{
        static const uint16_t pause[] = { 1, 100, 300, 600, 1000, 2000 };
        bool idle = w->ws.was_up && ri_now() - w->ws.sent_at > 1000 * MFS_NS_PER_MS;
        bool sent = unsend(w);
        unsigned n;

        w->idle_since = 0;
        ri_timer_stop(&w->timer);
        if (!mfs_writer_has_parts(w)) {
                mfs_writer_end_lock(w);
                return;
        }
        if (idle && !sent) {
                /* it died with nothing under way: as if the connection had been opened now */
                mfs_writer_wait(w, 1, e);
                return;
        }
        n = w->tries;
        count_try(w);
        mfs_writer_wait(w, pause[n < 6 ? n : 5], e);
}

/* Early ends */

/* The copy of what is under way, so that the chain, or the next one, still gets it. */
static bool adopt(struct mfs_wpart *p)
{
        uint32_t len = p->high - p->acked, got = 0;
        unsigned char *copy = malloc(len);

        while (copy && got < len) {
                struct iovec v[16];
                size_t n;
                int k = mfs_part_iov(p, p->acked + got, len - got, v, 16, &n);

                for (int i = 0; i < k; i++) {
                        memcpy(copy + got, v[i].iov_base, v[i].iov_len);
                        got += (uint32_t)v[i].iov_len;
                }
        }
        if (!copy)
                return false;
        p->copy = copy;
        p->copy_from = p->acked;
        p->to = p->high;
        p->wop = NULL;
        p->orphaned_at = ri_now();
        return true;
}

/* Completing the write of an operation that has ended makes the replicas equal again, but for its owner it has failed,
 * and somebody else may have written the range since. So it is done for a while only, and not at all when the lock
 * under which it was begun was given back or may have ended: whoever was given the chunk behind us has newer bytes. */
bool mfs_writer_drop_orphans(struct mfs_writer *w)
{
        uint64_t now = ri_now();
        bool late = w->expired || (w->locked && now - w->locked_at > MFS_LOCK_SURE_MS * MFS_NS_PER_MS);
        bool any = false;
        struct ri_error e = { 0 };

        ri_list_for_each_safe(it, tmp, &w->queue)
        {
                struct mfs_wpart *p = part_of(ri_list_entry(it, struct mfs_item, link));

                if (!p || p->wop || (!late && now - p->orphaned_at < MFS_ORPHAN_MS * MFS_NS_PER_MS))
                        continue;
                ri_list_del(&p->item.link);
                part_free(p);
                any = true;
        }
        if (!any)
                return false;
        ri_error_set(
                &e, ROMA_EUNAVAILABLE, "",
                "bytes of a cancelled write could not be completed on all replicas of chunk %u; compare the "
                "replicas, or write the range again",
                w->chunk->index);
        mfs_inode_lost(w->ino, &e);
        return true;
}

void mfs_writer_abandon(struct mfs_wpart *p)
{
        struct mfs_writer *w = p->writer;
        bool under_way = p->high > p->acked;
        struct ri_op *op = p->wop->op;

        if (w->call.op == op)
                w->call.op = NULL;
        if (w->ws.want.op == op)
                w->ws.want.op = NULL;
        if (under_way && !w->giving_up && adopt(p))
                return;
        ri_list_del(&p->item.link);
        if (under_way && !w->giving_up) {
                struct ri_error e = { 0 };

                ri_error_set(
                        &e, ROMA_ENOMEM, "",
                        "there was no memory to complete a cancelled write, whose bytes are on a part of the "
                        "replicas of chunk %u now; write the range again",
                        w->chunk->index);
                mfs_inode_lost(w->ino, &e);
        }
        if (under_way && w->state == MW_SESSION) {
                /* No memory to keep them: the packets may not be sent on. The rest goes through a new chain. */
                mfs_ws_drop(w);
                unsend(w);
                w->state = MW_WAIT;
                w->idle_since = 0;
                ri_timer_start(w->ino->data->loop, &w->timer, 1);
        }
        part_free(p);
        mfs_writer_kick(w);
}

/* The operations of all parts fail, what is left of others is given up, and the lock is given back. */
void mfs_writer_fail(struct mfs_writer *w, const struct ri_error *e)
{
        mfs_ws_drop(w);
        unsend(w);
        w->giving_up = true;
        ri_list_for_each_safe(it, tmp, &w->queue)
        {
                struct mfs_wpart *p = part_of(ri_list_entry(it, struct mfs_item, link));

                if (!p || p->wop)
                        continue;
                ri_list_del(&p->item.link);
                part_free(p);
                mfs_inode_lost(w->ino, e);
        }
        /* an operation may have several parts here only in other chunks, so one goes at a time */
        for (struct ri_list *it = w->queue.next; it != &w->queue;) {
                struct mfs_wpart *p = part_of(ri_list_entry(it, struct mfs_item, link));

                it = it->next;
                if (p)
                        mfs_wop_fail(p->wop, e);
        }
        w->giving_up = false;
        mfs_writer_end_lock(w);
}

void mfs_writer_kill(struct mfs_writer *w)
{
        struct mfs_inode *ino = w->ino;
        struct mfs_data *d = ino->data;
        /* a second END might end the lock of whoever came next */
        bool ending =
                w->state == MW_END && ((w->call.session && w->call.sent) || w->getlen.call.session != NULL);

        /* Bytes that servers may have taken, and of which we know too little to say where the file ends: as long as no write of
         * anybody's has been acknowledged nothing is said, and the lock runs out. */
        bool unclear = false;

        mfs_ws_drop(w);
        while (!ri_list_empty(&w->queue)) {
                struct mfs_item *i = ri_list_entry(ri_list_pop(&w->queue), struct mfs_item, link);

                if (i->kind == MFS_PART) {
                        unclear |= part_of(i)->high > part_of(i)->acked;
                        part_free(part_of(i));
                } else {
                        ri_container_of(i, struct mfs_barrier, item)->writer = NULL;
                }
        }
        if (w->acked_end > 0)
                mfs_session_touch(ino->data->session, ino->number, 0,
                                  (uint32_t)(mfs_session_time(ino->data->session) / 1000000));
        if (w->locked) {
                if (!ending && (w->whole || !unclear) &&
                    ri_now() - w->locked_at < MFS_LOCK_SURE_MS * MFS_NS_PER_MS)
                        mfs_ender_start(ino, w->chunk->index, w->place->chunkid, mfs_writer_end_length(w),
                                        mfs_lock_sure_until(w));
                w->locked = false;
                ri_loop_hold(ino->data->loop, -1);
        }
        if (w->active)
                ino->active--;
        writer_free(w);
        mfs_endings_tell_soon(d); /* who waits for locks of other files has waited for this one too */
}
