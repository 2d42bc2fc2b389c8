/* SPDX-License-Identifier: MIT */
/* Puts the segments of each connection in order. A hole is declared as soon as the other side has acknowledged what
 * the capture does not have: it is not going to come any more. */
#include "mfsproto/audit/inner.h"

enum {
        LATER_MAX = 4 << 20,   /* bytes that wait, of one direction */
        LATER_SEGMENTS = 4096, /* and in how many pieces: of cut frames there may be no bytes */
        HOLE_MAX = 1 << 30,    /* a jump beyond this is no hole but another connection */
        STEP_MS = 2000,        /* a clock is not only slow */
        TICK_MS = 10,
        SILENT_MS = 30000, /* servers and clients say something more often than that */
        SYN_MS = 3000,     /* a SYN without an answer is sent again after 1 s */
};

static int32_t before(uint32_t a, uint32_t b)
{
        return (int32_t)(a - b);
}

static bool not_understood(const struct au_conn *c, const struct au_dir *d)
{
        return d->s.lost && d->s.skipped && (c->role == AU_MASTER || c->role == AU_CS);
}

/* Up to where it is here. Its FIN counts as one byte, once all before it is here. */
static uint32_t reached(const struct au_dir *d)
{
        return d->fin && before(d->fin_seq, d->next) <= 0 ? d->fin_seq + 1 : d->next;
}

/* Acknowledged, and not in the capture so far, or not understood. */
static bool incomplete(const struct au_conn *c, const struct au_dir *d)
{
        if (d->later || not_understood(c, d))
                return true;
        if (!d->known)
                return d->has_acked && (c->syn || d->acked != d->first_acked);
        if (d->has_sent && before(d->sent, d->next) > 0)
                return true;
        return d->has_acked && before(d->acked, reached(d)) > 0;
}

bool au_deaf(struct au_conn *c)
{
        const struct au_dir *d = au_dir_of(c, false);

        return d->s.holes || d->s.lost || incomplete(c, d);
}

bool au_tcp_incomplete(roma_wire *w)
{
        ri_list_for_each(l, &w->conns_used)
        {
                const struct au_conn *c = ri_container_of(l, struct au_conn, used);

                if (c->role != AU_FOREIGN && (incomplete(c, &c->dir[0]) || incomplete(c, &c->dir[1])))
                        return true;
        }
        return false;
}

/* ---- what would have shown --------------------------------------------------------------------------------- */

static bool over(const struct au_conn *c)
{
        return c->reset || c->dir[c->swapped].ended; /* the client says no more */
}

/* So far nothing but SYNs: who sends one has no connection yet, and has said nothing there. */
static bool unanswered(const struct au_conn *c)
{
        const struct au_dir *d = &c->dir[c->swapped], *other = &c->dir[!c->swapped];

        return d->begun && d->next == d->isn + 1 && !d->later && !d->has_acked && !other->known &&
               !other->has_acked;
}

/* It began in a hole, and nobody knows what else. */
static void began_late(roma_wire *w, struct au_conn *c)
{
        if (c->watched && !c->late)
                w->blind++;
        c->late = true;
}

void au_tcp_watch(roma_wire *w, struct au_conn *c)
{
        if (c->watched)
                return;
        c->watched = true;
        c->proved = w->frame;
        ri_list_add_tail(&w->proofs, &c->proof);
        if (c->late || (!c->syn && !c->echoes)) {
                w->blind++;
                c->late = true;
        }
}

static bool age_known(const struct au_conn *c)
{
        return c->syn || c->old || c->late;
}

/* A connection without a beginning. What its first segment echoes is when the other end had said something before, by the
 * other end's clock of milliseconds, which is in its next segment: when that was before the capture, nothing is missing. */
static void find_age(roma_wire *w, struct au_conn *c, unsigned dir, const struct au_segment *s)
{
        int64_t ms = (w->frame_ns - w->start_ns) / 1000000;

        if (dir == c->first)
                return;
        if (c->echoes && s->stamped && ms <= (int32_t)(s->ts - c->ecr))
                c->old = true;
        else
                began_late(w, c);
}

static void proved(roma_wire *w, struct au_conn *c)
{
        c->proved = w->frame;
        ri_list_del(&c->proof);
        ri_list_add_tail(&w->proofs, &c->proof);
}

/* A segment of the client says what it has sent so far, and what it has received: when the capture has all that, nothing is
 * missing of what the client knew. */
static void prove(roma_wire *w, struct au_conn *c, unsigned dir, const struct au_segment *s)
{
        const struct au_dir *d = &c->dir[dir], *other = &c->dir[!dir];

        if (c->swapped != (dir == 1) || ri_list_empty(&c->proof) || !(s->flags & AU_ACK) || !d->known ||
            s->seq != d->next || !age_known(c) || incomplete(c, d) || incomplete(c, other))
                return;
        if (!other->known || before(s->ack, reached(other)) <= 0)
                proved(w, c);
}

/* Nothing is said there any more, or nothing that concerns us. */
static bool unwatched(roma_wire *w, struct au_conn *c)
{
        if (c->role == AU_FOREIGN) {
                ri_list_del(&c->proof);
                return true;
        }
        if (!over(c))
                return false;
        w->blind += incomplete(c, &c->dir[0]) || incomplete(c, &c->dir[1]) || !age_known(c);
        ri_list_del(&c->proof);
        return true;
}

enum au_shown au_tcp_shown(roma_wire *w, uint64_t frame, int64_t time_ns)
{
        while (!ri_list_empty(&w->proofs)) {
                struct au_conn *c = ri_container_of(w->proofs.next, struct au_conn, proof);

                if (unwatched(w, c))
                        continue;
                if (c->proved > frame)
                        return AU_SHOWN;
                if (unanswered(c) && w->now_ns - c->syn_ns > SYN_MS * INT64_C(1000000)) {
                        proved(w, c);
                        continue;
                }
                if (w->now_ns - time_ns <= SILENT_MS * INT64_C(1000000))
                        return AU_SHOWN_NOT_YET;
                if (incomplete(c, &c->dir[0]) || incomplete(c, &c->dir[1]) || !age_known(c))
                        return AU_SHOWN_NEVER;
                proved(w, c);
        }
        return AU_SHOWN;
}

/* Of one that has said nothing yet only the address is known. */
static bool concerns_from(roma_wire *w, const struct au_conn *c, const struct au_about *about,
                          const struct au_addr *client, const struct au_addr *server)
{
        const struct au_locs *at = &about->servers;

        for (unsigned i = 0; i < at->n; i++)
                if (at->ip[i] == wire_be32(server->ip) && at->port[i] == server->port)
                        return true;
        if (c->role != AU_MASTER && (c->role != AU_UNKNOWN || !au_stream_master(w, server)))
                return false;
        return about->anybody || au_same_host(client, &about->client[0]) ||
               au_same_host(client, &about->client[1]);
}

static bool concerns(roma_wire *w, const struct au_conn *c, const struct au_about *about)
{
        if (c->role == AU_FOREIGN || over(c) || unanswered(c))
                return false;
        if (concerns_from(w, c, about, au_client(c), au_server(c)))
                return true;
        /* Which end is the server is not known before something was said. */
        return c->role == AU_UNKNOWN && !c->syn && concerns_from(w, c, about, au_server(c), au_client(c));
}

bool au_tcp_all_shown(roma_wire *w, uint64_t frame, const struct au_about *about)
{
        ri_list_for_each(l, &w->proofs)
        {
                const struct au_conn *c = ri_container_of(l, struct au_conn, proof);

                if (c->proved > frame)
                        break;
                if (concerns(w, c, about))
                        return false;
        }
        return true;
}

/* ---- connections ------------------------------------------------------------------------------------------- */

static void later_free(roma_wire *w, struct au_dir *d)
{
        struct au_later *l;

        while ((l = d->later)) {
                d->later = l->next;
                au_mem_free(w, l, sizeof(*l) + l->len);
        }
        d->last = NULL;
        d->nlater = d->waiting = 0;
}

static void conn_free(roma_wire *w, struct au_conn *c)
{
        /* What it has not shown will not be seen any more. */
        if (c->role != AU_FOREIGN && (incomplete(c, &c->dir[0]) || incomplete(c, &c->dir[1])))
                w->blind++;
        au_talk_free(w, c);
        for (int i = 0; i < 2; i++) {
                later_free(w, &c->dir[i]);
                au_stream_free(w, &c->dir[i].s);
        }
        ri_map_remove(&w->conns, &c->by_ends);
        ri_list_del(&c->used);
        ri_list_del(&c->proof);
        au_mem_free(w, c, sizeof(*c));
}

static void conn_close(roma_wire *w, struct au_conn *c, bool by_client)
{
        if (c->closed)
                return;
        c->closed = true;
        if (c->role == AU_MASTER || c->role == AU_CS)
                au_talk_closed(w, c, by_client);
}

static struct au_conn *conn_new(roma_wire *w, const struct au_addr *a, const struct au_addr *b)
{
        struct au_conn *c;

        if (w->conns.count >= AU_CONNS) {
                c = ri_container_of(w->conns_used.next, struct au_conn, used);
                if (!c->closed && (c->role == AU_MASTER || c->role == AU_CS)) {
                        w->report.forgotten++;
                        w->blind++;
                }
                conn_free(w, c);
        }
        c = au_mem_new(w, sizeof(*c));
        if (!c)
                return NULL;
        c->ends.a = *a;
        c->ends.b = *b;
        ri_list_init(&c->used);
        ri_list_init(&c->proof);
        if (!ri_map_insert(&w->conns, &c->by_ends, &c->ends, sizeof(c->ends))) {
                au_mem_free(w, c, sizeof(*c));
                return NULL;
        }
        ri_list_add_tail(&w->conns_used, &c->used);
        c->number = ++w->report.connections;
        return c;
}

static bool wanted(const roma_wire *w, const struct au_segment *s)
{
        for (size_t i = 0; i < w->nports; i++)
                if (w->port[i] == s->from.port || w->port[i] == s->to.port)
                        return true;
        return !w->nports;
}

/* A SYN that is only sent again, or was late on its way, says the same number. */
static bool is_again(const struct au_conn *c, const struct au_dir *d, uint32_t seq)
{
        return (d->known && seq + 1 == d->next) || (d->begun && seq == d->isn && !c->closed);
}

/* The connection of a segment, and which of its directions this is. */
static struct au_conn *conn_of(roma_wire *w, const struct au_segment *s, unsigned *dir)
{
        struct {
                struct au_addr a, b;
        } ends;
        struct ri_map_node *n;
        struct au_conn *c;

        *dir = memcmp(&s->from, &s->to, sizeof(s->from)) > 0;
        ends.a = *dir ? s->to : s->from;
        ends.b = *dir ? s->from : s->to;
        n = ri_map_find(&w->conns, &ends, sizeof(ends));
        c = n ? ri_container_of(n, struct au_conn, by_ends) : NULL;
        if (c && (s->flags & (AU_SYN | AU_ACK)) == AU_SYN && !is_again(c, &c->dir[*dir], s->seq)) {
                /* the same ports once more */
                if (!c->closed && (c->role == AU_MASTER || c->role == AU_CS))
                        w->blind++; /* its end is missing, and perhaps more */
                conn_close(w, c, true);
                conn_free(w, c);
                c = NULL;
        }
        if (!c) {
                c = conn_new(w, &ends.a, &ends.b);
                if (c && !(s->flags & AU_SYN)) {
                        c->first = (uint8_t)*dir;
                        c->echoes = s->stamped;
                        c->ecr = s->ecr;
                        if (au_stream_server(w, &ends.a) || au_stream_server(w, &ends.b))
                                au_tcp_watch(w, c);
                }
        }
        if (c && c->used.next != &w->conns_used) {
                ri_list_del(&c->used);
                ri_list_add_tail(&w->conns_used, &c->used);
        }
        return c;
}

/* ---- one direction ----------------------------------------------------------------------------------------- */

/* What stays behind would lie ahead again after 2 GiB more. */
static void go_on(struct au_dir *d, uint32_t next)
{
        d->next = next;
        if (d->has_sent && before(d->sent, next) <= 0)
                d->has_sent = false;
        if (d->has_acked && before(d->acked, next) < 0)
                d->acked = next;
}

static void deliver(roma_wire *w, struct au_conn *c, unsigned dir, const uint8_t *p, size_t len, size_t full)
{
        struct au_dir *d = &c->dir[dir];

        go_on(d, d->next + (uint32_t)full);
        if (c->role == AU_FOREIGN)
                return;
        if (len)
                au_stream_bytes(w, c, dir, p, len);
        if (full > len)
                au_stream_hole(w, c, dir, (uint32_t)(full - len));
}

static void drain(roma_wire *w, struct au_conn *c, unsigned dir)
{
        struct au_dir *d = &c->dir[dir];
        struct au_later *l;

        while ((l = d->later) && before(l->seq, d->next) <= 0) {
                uint32_t old = d->next - l->seq;

                d->later = l->next;
                if (!d->later)
                        d->last = NULL;
                d->nlater -= l->len;
                d->waiting--;
                if (old < l->full)
                        deliver(w, c, dir, l->data + (old < l->len ? old : l->len),
                                old < l->len ? l->len - old : 0, l->full - old);
                au_mem_free(w, l, sizeof(*l) + l->len);
        }
}

/* What lies in front of the first early segment, or of `upto`, is not in the capture. */
static void hole_until(roma_wire *w, struct au_conn *c, unsigned dir, uint32_t upto)
{
        struct au_dir *d = &c->dir[dir];
        uint32_t n = upto - d->next;

        go_on(d, upto);
        if (c->role != AU_FOREIGN) {
                au_stream_hole(w, c, dir, n);
        }
        drain(w, c, dir);
        if (c->role != AU_FOREIGN)
                w->blind++; /* what has waited is heard later than it was said */
}

static void keep_for_later(roma_wire *w, struct au_conn *c, unsigned dir, uint32_t seq,
                           const struct au_segment *s)
{
        struct au_dir *d = &c->dir[dir];
        struct au_later **at = &d->later, *l;

        while (d->later && (d->nlater + s->len > LATER_MAX || d->waiting >= LATER_SEGMENTS))
                hole_until(w, c, dir, d->later->seq);
        if (before(seq, d->next) <= 0) {
                /* that has brought us here */
                uint32_t old = d->next - seq;

                if (old < s->full)
                        deliver(w, c, dir, old < s->len ? s->data + old : NULL,
                                old < s->len ? s->len - old : 0, s->full - old);
                drain(w, c, dir);
                return;
        }
        if (d->last && before(d->last->seq, seq) < 0)
                at = &d->last->next; /* most come in their order: nobody walks over all that wait */
        while (*at && before((*at)->seq, seq) <= 0) {
                if ((*at)->seq == seq && (*at)->full >= s->full)
                        return; /* twice */
                at = &(*at)->next;
        }
        l = au_mem_new(w, sizeof(*l) + s->len);
        if (!l) {
                w->report.forgotten++;
                return;
        }
        l->seq = seq;
        l->len = (uint32_t)s->len;
        l->full = (uint32_t)s->full;
        if (s->len)
                memcpy(l->data, s->data, s->len);
        l->next = *at;
        *at = l;
        if (!l->next)
                d->last = l;
        d->nlater += s->len;
        d->waiting++;
}

/* The first of a direction that is here, data or its end. What the other side did not have yet when it spoke first is
 * missing. */
static void begin(struct au_dir *d, uint32_t seq)
{
        bool gap = d->has_acked && before(seq, d->first_acked) > 0 && before(seq, d->first_acked) < HOLE_MAX;

        d->known = true;
        d->next = gap ? d->first_acked : seq;
}

static void take_data(roma_wire *w, struct au_conn *c, unsigned dir, const struct au_segment *s)
{
        struct au_dir *d = &c->dir[dir];
        uint32_t seq = s->seq + (s->flags & AU_SYN ? 1 : 0), old;
        int32_t rel;

        if (d->ended) {
                w->blind += d->only_fin && s->full; /* the FIN has overtaken it */
                return;
        }
        if (!d->known && (s->full || s->flags & AU_FIN)) {
                begin(d, seq);
                d->only_fin = !s->full;
        }
        if (!s->full) {
                if (d->known && before(seq, d->next) > 0 && before(seq, d->next) < HOLE_MAX) {
                        d->has_sent = true;
                        d->sent = seq;
                }
                return;
        }
        rel = before(seq, d->next);
        if (rel > 0) {
                keep_for_later(w, c, dir, seq, s);
                return;
        }
        old = d->next - seq;
        if (old >= s->full)
                return; /* sent again */
        deliver(w, c, dir, old < s->len ? s->data + old : NULL, old < s->len ? s->len - old : 0,
                s->full - old);
        drain(w, c, dir);
}

/* The other side has what it acknowledges; so what we lack of that will not come. */
static void take_ack(roma_wire *w, struct au_conn *c, unsigned dir, uint32_t ack)
{
        struct au_dir *d = &c->dir[dir];

        if (!d->has_acked)
                d->first_acked = ack;
        if (!d->has_acked || before(ack, d->acked) > 0)
                d->acked = ack;
        d->has_acked = true;

        while (d->known && d->later && before(ack, d->next) > 0 && before(ack, d->next) < HOLE_MAX &&
               before(d->later->seq, d->next) > 0)
                hole_until(w, c, dir, before(d->later->seq, ack) < 0 ? d->later->seq : ack);
}

/* Nothing more is said there; thousands of such connections may follow each other in a capture. */
static void forget_talk(roma_wire *w, struct au_conn *c)
{
        for (int i = 0; i < 2 && c->closed; i++) {
                w->blind += not_understood(c, &c->dir[i]);
                c->dir[i].s.skipped = false;
        }
        if (!c->closed || c->dir[0].later || c->dir[1].later)
                return;
        if (c->cs) /* a client may have gone on after the server's FIN */
                au_write_closed(w, c);
        au_talk_free(w, c);
        for (int i = 0; i < 2 && c->dir[0].ended && c->dir[1].ended; i++)
                au_stream_free(w, &c->dir[i].s);
}

static void take_end(roma_wire *w, struct au_conn *c, unsigned dir, const struct au_segment *s)
{
        struct au_dir *d = &c->dir[dir];
        bool from_client = c->swapped == (dir == 1);

        if (s->flags & AU_RST) {
                c->reset = true;
                conn_close(w, c, from_client);
                forget_talk(w, c);
                return;
        }
        if (s->flags & AU_FIN && !d->fin) {
                d->fin = true;
                d->fin_seq = s->seq + (uint32_t)s->full;
        }
        if (d->fin && !d->ended && d->known && before(d->fin_seq, d->next) <= 0) {
                d->ended = true;
                if (!c->closed && (from_client || c->role == AU_MASTER || c->role == AU_CS))
                        conn_close(w, c, from_client);
                if (c->dir[0].ended && c->dir[1].ended)
                        forget_talk(w, c);
        }
}

/* Each segment has the time by its sender's own clock, which nobody sets: ticks of a millisecond, of 10 at most. When the
 * capturer's clock has gone on by much more, it was set. */
static void watch_clock(roma_wire *w, struct au_dir *d, const struct au_segment *s)
{
        int64_t ms = (w->frame_ns - d->stamp_ns) / 1000000;
        int32_t ticks = (int32_t)(s->ts - d->stamp);

        if (d->stamped && ticks < 0) /* overtaken on its way */
                return;
        if (d->stamped && ms > STEP_MS && ticks < ms / (2 * TICK_MS))
                w->stepped = w->frame;
        d->stamped = true;
        d->stamp = s->ts;
        d->stamp_ns = w->frame_ns;
}

void au_tcp_segment(roma_wire *w, const struct au_segment *s)
{
        struct au_conn *c;
        unsigned dir;

        if (!wanted(w, s) || s->full > HOLE_MAX)
                return;
        c = conn_of(w, s, &dir);
        if (!c) {
                w->report.forgotten++;
                return;
        }
        if (s->flags & AU_SYN) {
                if (!c->dir[dir].known)
                        c->dir[dir].next = s->seq + 1;
                if (!c->dir[dir].begun)
                        c->dir[dir].isn = s->seq;
                c->dir[dir].known = c->dir[dir].begun = c->syn = true;
                c->syn_ns = w->now_ns;
                au_tcp_watch(w, c);
                /* who begins is the client, who answers the server */
                c->swapped = (dir == 1) == !(s->flags & AU_ACK);
                if (!(s->flags & AU_ACK) && unanswered(c) && !ri_list_empty(&c->proof))
                        proved(w, c);
                if (s->flags & AU_ACK && !c->dir[!dir].known) {
                        c->dir[!dir].known = true; /* the SYN itself is not in the capture */
                        c->dir[!dir].next = s->ack;
                }
        }
        if (c->role == AU_FOREIGN && !(s->flags & (AU_SYN | AU_FIN | AU_RST)))
                return;
        if (s->stamped)
                watch_clock(w, &c->dir[dir], s);
        if (!age_known(c))
                find_age(w, c, dir, s);
        if (s->flags & AU_ACK)
                take_ack(w, c, !dir, s->ack);
        prove(w, c, dir, s);
        take_data(w, c, dir, s);
        take_end(w, c, dir, s);
}

/* What waits behind a hole when nothing more comes. */
void au_tcp_end(roma_wire *w)
{
        ri_list_for_each(l, &w->conns_used)
        {
                struct au_conn *c = ri_container_of(l, struct au_conn, used);

                for (unsigned dir = 0; dir < 2; dir++)
                        while (c->dir[dir].later)
                                hole_until(w, c, dir, c->dir[dir].later->seq);
        }
}

void au_tcp_free(roma_wire *w)
{
        while (!ri_list_empty(&w->conns_used))
                conn_free(w, ri_container_of(w->conns_used.next, struct au_conn, used));
}
