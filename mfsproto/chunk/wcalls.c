/* SPDX-License-Identifier: MIT */
/* What a chunk's writer asks the master: the lock (WRITE_CHUNK), its end (WRITE_CHUNK_END), and how much room there
 * is when no place was found.
 *
 * None of these is sent again blindly after a lost connection. A WRITE_CHUNK whose answer is lost may have locked the
 * chunk; asking again without CONTINUEOP waits until that lock has ended, and that is right: it may be somebody
 * else's by now. An END whose answer is lost may have been executed; sent again it would end the lock of whoever
 * came next, so the length is looked at first.
 *
 * Nor is one that speaks of our lock sent late: while there is no connection the lock may end, and the master carries
 * out a CONTINUEOP or an END whoever holds the chunk by then. */
#include "mfsproto/chunk/inner.h"

#include <stdio.h>

#define REFUSED_LONG (5000 * MFS_NS_PER_MS)

enum { END_TRIES = 8 };

static void end_failed(struct mfs_writer *w, const struct ri_error *e);

static uint64_t lock_age_ms(const struct mfs_writer *w)
{
        return (ri_now() - w->locked_at) / MFS_NS_PER_MS;
}

uint64_t mfs_lock_sure_until(const struct mfs_writer *w)
{
        return w->locked_at + MFS_LOCK_SURE_MS * MFS_NS_PER_MS;
}

static void set_locked(struct mfs_writer *w, bool locked)
{
        struct mfs_data *d = w->ino->data;

        if (w->locked == locked)
                return;
        w->locked = locked;
        if (locked)
                ri_list_add_tail(&d->locked, &w->in_locked);
        else
                ri_list_del(&w->in_locked);
        ri_loop_hold(d->loop, locked ? 1 : -1);
}

void mfs_writer_wait(struct mfs_writer *w, uint32_t ms, const struct ri_error *e)
{
        struct ri_error copy = *e;

        w->state = MW_WAIT;
        for (struct ri_list *it = w->queue.next; it != &w->queue;) {
                struct mfs_item *i = ri_list_entry(it, struct mfs_item, link);
                struct mfs_wpart *p = i->kind == MFS_PART ? ri_container_of(i, struct mfs_wpart, item) : NULL;

                it = it->next;
                /* a sentence that says what is wrong is better than one about a time-out */
                if (p && p->wop && mfs_op_patience(p->wop->op) <= ms + 100)
                        mfs_wop_fail(p->wop, &copy);
        }
        if (!mfs_writer_has_parts(w) && !w->locked && w->acked_end && ++w->end_tries > END_TRIES) {
                end_failed(w, &copy);
                return;
        }
        if (ri_timer_start(w->ino->data->loop, &w->timer, ms) < 0) {
                ri_error_set(&copy, ROMA_ENOMEM, "", "out of memory");
                mfs_writer_fail(w, &copy);
                return;
        }
        if (!mfs_writer_has_parts(w))
                mfs_writer_kick(w);
}

static void refused_for_good(struct mfs_writer *w, uint8_t status)
{
        struct ri_error e = { 0 };
        char what[64];

        snprintf(what, sizeof what, "the lock of chunk %u for writing", w->chunk->index);
        mfs_status_error(&e, status, mfs_session_server(w->ino->data->session), what);
        if (mfs_writer_has_parts(w) || w->locked)
                mfs_writer_fail(w, &e);
        else
                end_failed(w, &e);
}

/* Room */

static void note_space(struct mfs_data *d, const struct mfs_reply *r, uint64_t *total, uint64_t *avail)
{
        *total = *avail = UINT64_MAX;
        if (!r->error && r->status == WIRE_STATUS_OK) {
                struct wire_msg m = *r->msg;
                uint64_t t = wire_get_u(&m, WF_TOTALSPACE), a = wire_get_u(&m, WF_AVAILSPACE);

                if (!wire_msg_ok(&m))
                        return;
                *total = t;
                *avail = a;
                if (t > d->most_space)
                        d->most_space = t;
        }
}

static int ask_space(struct mfs_data *d, struct mfs_call *c,
                     void (*done)(struct mfs_call *, const struct mfs_reply *), struct ri_error *e)
{
        struct wire_msg m;

        c->done = done;
        c->good_until = 0;
        wire_msg_init(&m, WIRE_CLTOMA_FUSE_STATFS, WIRE_TO_MASTER);
        return mfs_call_start(d->session, c, &m, MFS_REPLAY, "statfs", NULL, e);
}

static void first_space(struct mfs_call *c, const struct mfs_reply *r)
{
        uint64_t t, a;

        note_space(ri_container_of(c, struct mfs_data, space), r, &t, &a);
}

static void space_known(struct mfs_call *c, const struct mfs_reply *r)
{
        struct mfs_writer *w = ri_container_of(c, struct mfs_writer, call);
        struct mfs_data *d = w->ino->data;
        const char *server = mfs_session_server(d->session);
        struct ri_error e = { 0 };
        uint64_t total, avail;

        note_space(d, r, &total, &avail);
        if (total == 0) {
                ri_error_set(&e, ROMA_EUNAVAILABLE, server,
                             "no chunkserver is connected to the master %s: start one, or look at its "
                             "MASTER_HOST and "
                             "its log",
                             server);
        } else if (total >= d->most_space && avail < WIRE_CHUNK_SIZE) {
                ri_error_set(&e, ROMA_ENOSPC, server,
                             "no room for chunk %u: the servers known to %s have %llu of %llu bytes free",
                             w->chunk->index, server, (unsigned long long)avail, (unsigned long long)total);
                mfs_writer_fail(w, &e);
                return;
        } else if (w->lost) {
                refused_for_good(w, WIRE_STATUS_CHUNKLOST);
                return;
        } else {
                ri_error_set(&e, ROMA_EUNAVAILABLE, server,
                             "%s finds no chunkservers for chunk %u although there is room: too few of the "
                             "servers that "
                             "its storage class asks for are connected",
                             server, w->chunk->index);
        }
        e.flags = ROMA_RETRIABLE;
        mfs_writer_wait(w, 1000, &e);
}

/* WRITE_CHUNK */

/* A 4.x master lets nobody write to a chunk whose lost copy can be replaced, and replaces no copy of a chunk that is
 * locked. It says so even to the holder of the lock, until that lock ends in 120 s. So it is given back, and what is
 * not acknowledged goes to all copies under the next one. */
static bool give_back_for_repair(struct mfs_writer *w, uint8_t status)
{
        struct ri_error e = { 0 };

        if (status != WIRE_STATUS_EAGAIN || !w->locked || lock_age_ms(w) > MFS_LOCK_SURE_MS)
                return false;
        mfs_status_error(&e, status, mfs_session_server(w->ino->data->session),
                         "the lock of a chunk for writing");
        w->again = e;
        w->again_ms = 10;
        mfs_writer_end_lock(w);
        return true;
}

static void no_lock(struct mfs_writer *w, uint8_t status)
{
        struct mfs_data *d = w->ino->data;
        const char *server = mfs_session_server(d->session);
        uint32_t ms = mfs_status_delay(status, ++w->refusals);
        struct ri_error e = { 0 };
        bool longer;

        if (w->refusals == 1)
                w->refused_at = ri_now();
        ri_list_for_each(it, &w->queue)
        {
                struct mfs_item *i = ri_list_entry(it, struct mfs_item, link);
                struct mfs_wpart *p = i->kind == MFS_PART ? ri_container_of(i, struct mfs_wpart, item) : NULL;

                if (p && p->wop)
                        mfs_lock_waits(w->ino, p->wop->op, status);
        }
        if (give_back_for_repair(w, status))
                return;
        longer = ri_now() - w->refused_at > REFUSED_LONG;
        if (ms == 0 || (status == WIRE_STATUS_CHUNKLOST && longer && w->tries == 0)) {
                refused_for_good(w, status);
                return;
        }
        /* A chunkserver whose disk is full fails our write, and its copy then counts as damaged. */
        w->lost = status == WIRE_STATUS_CHUNKLOST;
        if ((status == WIRE_STATUS_NOSPACE || status == WIRE_STATUS_NOCHUNKSERVERS || w->lost) && longer &&
            ask_space(d, &w->call, space_known, &e) == 0) {
                w->state = MW_SPACE;
                return;
        }
        mfs_status_error(&e, status, server, "the lock of a chunk for writing");
        mfs_writer_wait(w, ms, &e);
}

/* All servers of the answer are needed: a part of them would make replicas that differ. */
static bool usable(const struct mfs_place *p)
{
        if (p->n == 0 || p->proto == WIRE_LOCS_PARTS || p->chunkid == 0)
                return false;
        for (unsigned i = 0; i < p->n; i++) {
                if (p->loc[i].ip == 0 || p->loc[i].port == 0)
                        return false;
        }
        return true;
}

static void granted(struct mfs_writer *w, struct mfs_place *p, uint64_t since)
{
        struct mfs_inode *ino = w->ino;

        mfs_place_unref(w->place);
        w->place = p;
        w->refusals = 0;
        /* Those whose operation ended while this answer was awaited: others may have had the chunk meanwhile. */
        if (w->expired)
                (void)mfs_writer_drop_orphans(w);
        w->expired = false;
        w->maybe = w->ours = false;
        w->closing = false;
        w->locked_at = since;
        set_locked(w, true);
        mfs_chunk_is(w->chunk, p->chunkid, p->version);
        /* A read between our writes need not ask: the master would let it wait until the next lock ends, our own. */
        if (usable(p))
                mfs_chunk_place(w->chunk, p);
        mfs_inode_grown(ino, p->length);
        if (!ino->data->space_asked) {
                struct ri_error e;

                ino->data->space_asked = true;
                ask_space(ino->data, &ino->data->space, first_space, &e);
        }
        if (!mfs_writer_has_parts(w)) {
                mfs_writer_end_lock(w);
        } else if (!usable(p)) {
                struct ri_error e = { 0 };

                ri_error_set(&e, ROMA_EUNAVAILABLE, mfs_session_server(ino->data->session),
                             "chunk %u has no copy that can be written now: %u places", w->chunk->index,
                             p->n);
                e.flags = ROMA_RETRIABLE;
                w->again = e;
                w->again_ms = 500;
                mfs_writer_end_lock(w);
        } else {
                w->state = MW_SESSION;
                mfs_ws_start(w);
        }
}

static void lock_answered(struct mfs_call *c, const struct mfs_reply *r)
{
        struct mfs_writer *w = ri_container_of(c, struct mfs_writer, call);
        struct ri_error e = { 0 };
        struct mfs_place *p;

        if (r->error) {
                e = *r->error;
                if (e.outcome == ROMA_UNKNOWN) {
                        w->maybe = true;
                        mfs_lock_lost(w->ino);
                }
                mfs_writer_wait(w, 300, &e);
                return;
        }
        if (r->status != WIRE_STATUS_OK) {
                no_lock(w, r->status);
                return;
        }
        p = mfs_place_parse(r->msg, &e, mfs_session_server(w->ino->data->session));
        if (p) {
                granted(w, p, r->since);
                return;
        }
        /* The chunk is locked, by us: asked for again without saying so it would keep us out until the lock ends. */
        w->ours = true;
        w->locked_at = r->since;
        mfs_writer_wait(w, 1000, &e);
}

void mfs_writer_lock(struct mfs_writer *w)
{
        struct mfs_session *s = w->ino->data->session;
        struct ri_error e = { 0 };
        struct wire_msg m;
        struct ri_op *op = NULL;
        bool ours;

        if (mfs_writer_drop_orphans(w) && !mfs_writer_has_parts(w)) {
                mfs_writer_end_lock(w);
                return;
        }
        ours = w->ours && lock_age_ms(w) <= MFS_LOCK_SURE_MS;
        if (w->locked && lock_age_ms(w) > MFS_LOCK_SURE_MS) {
                set_locked(w, false); /* it may have ended: ask like anybody else */
                w->expired = true;
        }
        ri_list_for_each(it, &w->queue)
        {
                struct mfs_item *i = ri_list_entry(it, struct mfs_item, link);
                struct mfs_wpart *p = i->kind == MFS_PART ? ri_container_of(i, struct mfs_wpart, item) : NULL;

                if (!op && p && p->wop)
                        op = p->wop->op;
        }
        wire_msg_init(&m, WIRE_CLTOMA_FUSE_WRITE_CHUNK, WIRE_TO_MASTER);
        wire_set_u(&m, WF_INODE, w->ino->number);
        wire_set_u(&m, WF_INDEX, w->chunk->index);
        wire_set_u(&m, WF_CHUNKOPFLAGS,
                   w->locked || (w->maybe && w->ino->sole_writer) || ours ? WIRE_CHUNKOP_CONTINUEOP : 0);
        w->state = MW_LOCK;
        w->call.done = lock_answered;
        w->call.good_until = w->locked || ours ? mfs_lock_sure_until(w) : 0;
        mfs_writer_says(w, "the lock of a chunk", mfs_session_server(s));
        if (mfs_call_start(s, &w->call, &m, 0, "write_chunk", op, &e) < 0)
                mfs_writer_wait(w, 300, &e);
}

/* WRITE_CHUNK_END */

void mfs_writer_ended(struct mfs_writer *w)
{
        struct mfs_inode *ino = w->ino;
        struct mfs_data *d = ino->data;
        bool wrote = w->acked_end > 0;

        set_locked(w, false);
        w->expired = true; /* whoever comes next may write before we have it again */
        w->closing = false;
        w->end_tries = 0;
        w->idle_since = 0;
        ri_timer_stop(&w->timer);
        w->acked_end = 0;
        w->whole = false;
        if (w->active) {
                w->active = false;
                ino->active--;
        }
        w->state = MW_IDLE;
        if (wrote)
                mfs_session_touch(d->session, ino->number, 0,
                                  (uint32_t)(mfs_session_time(d->session) / 1000000));
        ri_list_for_each(it, &ino->writers)
        {
                mfs_writer_kick(ri_list_entry(it, struct mfs_writer, in_inode));
        }
        if (w->again_ms && mfs_writer_has_parts(w)) {
                uint32_t ms = w->again_ms;

                w->again_ms = 0;
                w->active = true;
                ino->active++;
                mfs_writer_wait(w, ms, &w->again);
        } else {
                w->again_ms = 0;
                mfs_endings_tell(d);
        }
}

static void end_failed(struct mfs_writer *w, const struct ri_error *e)
{
        struct mfs_inode *ino = w->ino;

        if (w->acked_end > 0)
                mfs_inode_lost(ino, e);
        /* a refused END leaves the lock; an old one may be somebody else's by now */
        if (w->end_length > 0 && w->locked && lock_age_ms(w) <= MFS_LOCK_SURE_MS)
                mfs_ender_start(ino, w->chunk->index, w->place->chunkid, 0, mfs_lock_sure_until(w));
        mfs_writer_ended(w);
}

/* The answer to END is lost and the length of the file has been asked for. */
static void end_checked(struct mfs_getlen *g, const struct ri_error *e)
{
        struct mfs_writer *w = ri_container_of(g, struct mfs_writer, getlen);

        if (e) {
                end_failed(w, e);
        } else if (w->ino->master_length >= w->end_length && !w->ino->sole_writer) {
                /* executed, or not needed; a lock that is left ends by itself */
                mfs_lock_lost(w->ino);
                mfs_writer_ended(w);
        } else {
                mfs_writer_end_lock(w);
        }
}

static void end_answered(struct mfs_call *c, const struct mfs_reply *r)
{
        struct mfs_writer *w = ri_container_of(c, struct mfs_writer, call);
        struct ri_error e = { 0 };

        if (r->error && ++w->end_tries > END_TRIES) {
                end_failed(w, r->error);
        } else if (r->error && r->error->outcome == ROMA_UNKNOWN) {
                w->getlen.done = end_checked;
                mfs_getlen_start(&w->getlen, w->ino, NULL);
        } else if (r->error) {
                ri_timer_start(w->ino->data->loop, &w->timer, 500); /* not sent: again */
        } else if (mfs_status_delay(r->status, 3) && ++w->end_tries < 60) {
                ri_timer_start(w->ino->data->loop, &w->timer, 500);
        } else if (r->status != WIRE_STATUS_OK) {
                mfs_status_error(&e, r->status, mfs_session_server(w->ino->data->session),
                                 "the end of writing a chunk");
                end_failed(w, &e);
        } else {
                mfs_inode_grown(w->ino, w->end_length);
                mfs_writer_ended(w);
        }
}

static void send_end(struct mfs_writer *w)
{
        struct mfs_session *s = w->ino->data->session;
        struct ri_error e = { 0 };
        struct wire_msg m;

        w->end_length = mfs_writer_end_length(w);
        wire_msg_init(&m, WIRE_CLTOMA_FUSE_WRITE_CHUNK_END, WIRE_TO_MASTER);
        wire_set_u(&m, WF_CHUNKID, w->place->chunkid);
        wire_set_u(&m, WF_INODE, w->ino->number);
        wire_set_u(&m, WF_INDEX, w->chunk->index);
        wire_set_u(&m, WF_LENGTH, w->end_length);
        wire_set_u(&m, WF_CHUNKOPFLAGS, 0);
        wire_set_u(&m, WF_OFFSET, w->acked_end ? w->dirty_from : 0);
        wire_set_u(&m, WF_SIZE, w->acked_end ? w->acked_end - w->dirty_from : 0);
        w->state = MW_END;
        w->call.done = end_answered;
        w->call.good_until = mfs_lock_sure_until(w);
        mfs_writer_says(w, "the end of a chunk's lock", mfs_session_server(s));
        if (mfs_call_start(s, &w->call, &m, 0, "write_end", mfs_ending_op(w->ino->data), &e) < 0)
                end_failed(w, &e);
}

/* What the master knows of the file's length for certain: ours may be that of before a cut whose answer was lost. */
static uint64_t known_length(const struct mfs_writer *w)
{
        uint64_t n = w->ino->master_length;

        return w->place && w->place->length < n ? w->place->length : n;
}

void mfs_writer_end_lock(struct mfs_writer *w)
{
        bool sure = w->locked && lock_age_ms(w) <= MFS_LOCK_SURE_MS;

        ri_timer_stop(&w->timer);
        w->idle_since = 0;
        if (sure && w->place->chunkid) {
                send_end(w);
        } else if (w->acked_end > 0 && mfs_writer_end(w) > known_length(w)) {
                /* Too old to be certainly ours, but the file's length is still to be told: a lock of our own again,
                 * then END. */
                mfs_writer_lock(w);
        } else {
                mfs_writer_ended(w);
        }
}
