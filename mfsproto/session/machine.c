/* SPDX-License-Identifier: MIT */
/* The life of a session's connection as a table of states.
 *
 *   IDLE -> RESOLVE -> CONNECT -> [CHALLENGE ->] REGISTER -> READY          the first time
 *   READY -> (lost) RESOLVE -> CONNECT -> RECONNECT -> READY                the same session goes on
 *                RECONNECT, status 1 -> [CHALLENGE ->] REGISTER             an export changed: same session, asked anew
 *                RECONNECT, status 35 -> [CHALLENGE ->] REGISTER            it expired: a new one, nothing known holds
 *   any attempt that fails: next address, next host, then BACKOFF or, while connecting for the first time, the end
 *
 * Each state has a limit in time; what happens at its end is the same as when the step fails. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "mfsproto/session/private.h"

struct state {
        const char *name;
        const char *waits; /* for the sentence of a time-out; NULL: the limit is no failure */
        uint32_t limit_ms; /* 0: set by enter() or none */
        void (*enter)(struct mfs_session *s);
        void (*packet)(struct mfs_session *s, uint32_t type, const uint8_t *payload, uint32_t len);
};
static const struct state states[];

static bool logging_in(const struct mfs_session *s)
{
        return s->state == MFS_CHALLENGE || s->state == MFS_REGISTER || s->state == MFS_RECONNECT;
}

static uint8_t rcode_of(enum mfs_state state)
{
        return state == MFS_CHALLENGE   ? WIRE_REGISTER_GETRANDOM
               : state == MFS_RECONNECT ? WIRE_REGISTER_RECONNECT
                                        : WIRE_REGISTER_NEWSESSION;
}

/* Part of the way to a session, which traces show. */
static bool is_step(const struct mfs_session *s)
{
        return s->state == MFS_RESOLVE || s->state == MFS_CONNECT || logging_in(s);
}

static void trace_step(struct mfs_session *s, int code)
{
        if (s->step_ns)
                ri_trace(s->loop, s->connect_op, states[s->state].name, s->server, s->step_ns, 0, code);
        s->step_ns = 0;
}

void mfs_enter(struct mfs_session *s, enum mfs_state state)
{
        const struct state *st = &states[state];

        trace_step(s, ROMA_OK);
        if (state != MFS_READY)
                s->entered_at = ri_now();
        s->state = state;
        s->step_ns = is_step(s) ? ri_trace_start(s->loop, s->connect_op, st->name) : 0;
        ri_timer_stop(&s->timer);
        if (st->limit_ms && ri_timer_start(s->loop, &s->timer, st->limit_ms) < 0) {
                struct ri_error e;

                if (state == MFS_CLOSING) {
                        mfs_finish_close(s);
                        return;
                }
                memset(&e, 0, sizeof(e));
                ri_error_set(&e, ROMA_ENOMEM, s->server, "no memory for a timer");
                mfs_attempt_failed(s, &e);
                return;
        }
        if (s->connect_op && st->waits)
                ri_op_waits(s->connect_op, st->waits, s->server);
        if (st->enter)
                st->enter(s);
}

static void drop_connection(struct mfs_session *s)
{
        mfs_link_close(&s->link);
        mfs_resolve_cancel(s->resolve);
        s->resolve = NULL;
        ri_timer_stop(&s->timer);
        ri_timer_stop(&s->tick);
        s->suspect = s->hold = false;
        s->sync_sent = 0;
        s->challenged = false;
}

/* ---- one attempt after the other -------------------------------------------------------------------------- */

static void name_server(struct mfs_session *s)
{
        const struct mfs_host *h = &s->host[s->host_at];
        uint32_t ip = s->ip_at < s->ips ? s->ip[s->ip_at] : 0;
        char addr[32] = "";

        if (ip)
                snprintf(addr, sizeof(addr), "%u.%u.%u.%u", ip >> 24, (ip >> 16) & 255, (ip >> 8) & 255,
                         ip & 255);
        snprintf(s->server, sizeof(s->server), "%.56s:%u", addr[0] ? addr : h->name, h->port);
}

static void begin_round(struct mfs_session *s)
{
        s->host_at = 0;
        s->redirects = 0;
        memset(&s->error, 0, sizeof(s->error));
        mfs_enter(s, MFS_RESOLVE);
}

static uint32_t backoff_ms(const struct mfs_session *s)
{
        uint32_t ms = BACKOFF_MIN_MS, n = s->rounds > 8 ? 8 : s->rounds;

        for (uint32_t i = 1; i < n && ms < BACKOFF_MAX_MS; i++)
                ms *= 2;
        if (ms > BACKOFF_MAX_MS)
                ms = BACKOFF_MAX_MS;
        /* Many clients lose a master at the same moment; they must not all return at one. */
        return ms / 2 + (uint32_t)(ri_hash_u64(ri_now(), (uintptr_t)s) % (ms / 2 + 1));
}

static bool wanted(const struct mfs_session *s)
{
        return mfs_calls_pending(s) || mfs_bulk_pending(s) || s->inodes.count || s->times.count;
}

/* The first connect has ended: tells whoever asked. e NULL: well. */
static void connect_ended(struct mfs_session *s, const struct ri_error *e)
{
        struct ri_op *op = s->connect_op;
        void (*done)(void *arg, const struct ri_error *why) = s->connect_done;

        s->connect_op = NULL;
        s->connect_done = NULL;
        if (!op)
                return;
        if (done) {
                done(s->connect_arg, e);
                return;
        }
        op->impl = NULL;
        if (e)
                ri_op_fail_error(op, e);
        else
                ri_op_finish(op);
}

static void connect_op_failed(struct mfs_session *s, const struct ri_error *e)
{
        mfs_enter(s, MFS_IDLE);
        connect_ended(s, e);
}

/* Out of line: the compiler takes the pointer for one that outlives its variable. */
__attribute__((noinline)) void mfs_guard_begin(struct mfs_session *s, struct mfs_guard *g)
{
        g->freed = false;
        g->outer = s->guard;
        s->guard = g;
}

bool mfs_guard_end(struct mfs_session *s, const struct mfs_guard *g)
{
        if (g->freed)
                return false;
        s->guard = g->outer;
        return s->state < MFS_CLOSING;
}

/* Everybody who waits is told. False: one of them has closed the session. */
static bool all_fail(struct mfs_session *s, const struct ri_error *e)
{
        struct mfs_guard g;

        mfs_guard_begin(s, &g);
        mfs_calls_fail(s, e);
        if (!mfs_guard_end(s, &g))
                return false;
        mfs_guard_begin(s, &g);
        mfs_bulk_fail_all(s, e);
        return mfs_guard_end(s, &g);
}

/* All addresses of all hosts failed. */
static void round_failed(struct mfs_session *s)
{
        struct ri_error e = s->error;
        bool no_leader = e.server_status == -1;

        s->rounds++;
        if (s->connect_op && !no_leader) {
                connect_op_failed(s, &e);
                return;
        }
        if (s->lost_at && ri_now() - s->lost_at > GIVE_UP_MS * UINT64_C(1000000)) {
                struct ri_error all;

                memset(&all, 0, sizeof(all));
                ri_error_set(&all, e.code, e.server, "no connection to the master for %u s; last: %.400s",
                             GIVE_UP_MS / 1000, e.text);
                all.flags = ROMA_RETRIABLE;
                all.status_kind = e.status_kind;
                all.server_status = e.server_status;
                s->lost_at = ri_now();
                if (!all_fail(s, &all))
                        return;
        }
        if (!s->connect_op && !wanted(s)) {
                mfs_enter(s, MFS_IDLE);
                return;
        }
        mfs_enter(s, MFS_BACKOFF);
        ri_timer_start(s->loop, &s->timer, no_leader ? NO_LEADER_MS : backoff_ms(s));
}

void mfs_attempt_failed(struct mfs_session *s, const struct ri_error *e)
{
        trace_step(s, e->code);
        if (!s->error.code || e->code != ROMA_ECONNECT)
                s->error = *e; /* a server that said something is better news than one that is not there */
        drop_connection(s);
        if (s->ip_at + 1 < s->ips) {
                s->ip_at++;
                mfs_enter(s, MFS_CONNECT);
        } else if (s->host_at + 1 < s->hosts) {
                s->host_at++;
                mfs_enter(s, MFS_RESOLVE);
        } else {
                round_failed(s);
        }
}

/* The master answered and does not want us: other addresses are the same master, and waiting does not help. */
static void refused(struct mfs_session *s, uint8_t status)
{
        struct ri_error e;

        memset(&e, 0, sizeof(e));
        mfs_login_refused(&e, s, status, s->server);
        trace_step(s, e.code);
        drop_connection(s);
        if (s->connect_op) {
                connect_op_failed(s, &e);
                return;
        }
        mfs_enter(s, MFS_IDLE);
        all_fail(s, &e);
}

/* ---- the states ------------------------------------------------------------------------------------------- */

static void resolved(void *arg, const uint32_t *ip, size_t n, const struct ri_error *e)
{
        struct mfs_session *s = arg;

        s->resolve = NULL;
        if (e) {
                mfs_attempt_failed(s, e);
                return;
        }
        s->ips = n < MFS_RESOLVE_MAX ? n : MFS_RESOLVE_MAX;
        memcpy(s->ip, ip, s->ips * sizeof(*ip));
        s->ip_at = 0;
        mfs_enter(s, MFS_CONNECT);
}

static void enter_resolve(struct mfs_session *s)
{
        struct ri_error e;

        s->ips = s->ip_at = 0;
        s->port = s->host[s->host_at].port;
        name_server(s);
        s->resolve = mfs_resolve_start(s->loop, s->host[s->host_at].name, RESOLVE_MS, resolved, s);
        if (s->resolve)
                return;
        memset(&e, 0, sizeof(e));
        ri_error_set(&e, ROMA_ENOMEM, s->server, "no memory to resolve the name of the master");
        mfs_attempt_failed(s, &e);
}

static void enter_connect(struct mfs_session *s)
{
        struct ri_error e;
        uint32_t ms = s->ip_at + 1 < s->ips || s->host_at + 1 < s->hosts ? CONNECT_MANY_MS : CONNECT_MS;

        memset(&e, 0, sizeof(e));
        name_server(s);
        if (mfs_link_open(&s->link, s->dialer, s->ip[s->ip_at], s->port, ms, WIRE_MAX_FROM_MASTER, &e) < 0)
                mfs_attempt_failed(s, &e);
}

static void log_in(struct mfs_session *s)
{
        if (s->registered)
                mfs_enter(s, MFS_RECONNECT);
        else
                mfs_enter(s, s->has_password ? MFS_CHALLENGE : MFS_REGISTER);
}

static void enter_login(struct mfs_session *s)
{
        struct ri_error e;

        memset(&e, 0, sizeof(e));
        if (mfs_login_send(&s->link, s, rcode_of(s->state), &e) < 0)
                mfs_attempt_failed(s, &e);
}

static void redirected(struct mfs_session *s, uint32_t ip)
{
        struct ri_error e;

        memset(&e, 0, sizeof(e));
        if (ip == 0 || ++s->redirects > REDIRECTS_MAX) {
                ri_error_set(&e, ROMA_EUNAVAILABLE, s->server,
                             ip ? "the masters keep naming each other as the leader"
                                : "this master follows another and knows no leader now");
                e.flags = ROMA_RETRIABLE;
                e.server_status = -1; /* worth waiting for, also the first time */
                mfs_attempt_failed(s, &e);
                return;
        }
        drop_connection(s);
        s->ip[0] = ip;
        s->ips = 1;
        s->ip_at = 0;
        mfs_enter(s, MFS_CONNECT);
}

/* The session that a reconnect found. */
static void reconnected(struct mfs_session *s, const struct mfs_login *in)
{
        if (in->version)
                s->info.master_version = in->version;
        mfs_enter(s, MFS_READY);
}

static void reconnect_status(struct mfs_session *s, const struct mfs_login *in)
{
        if (in->status == WIRE_STATUS_OK) {
                reconnected(s, in);
                return;
        }
        if (in->status != WIRE_STATUS_EPERM && in->status != WIRE_STATUS_BADSESSIONID) {
                refused(s, in->status);
                return;
        }
        if (in->status == WIRE_STATUS_BADSESSIONID) {
                s->info.session_id = 0;
                s->info.meta_id = 0;
                s->renewed = true;
        }
        mfs_enter(s, s->has_password ? MFS_CHALLENGE : MFS_REGISTER);
}

/* A master of another file system answers at this address: a failover to the wrong machine, a cluster set up anew. What
 * is open here would be some other file there, so nothing of ours may reach it. */
static void another_cluster(struct mfs_session *s, const struct mfs_login *in)
{
        struct mfs_session_info ours = s->info;
        struct ri_error e;

        s->info = in->info;
        memset(&e, 0, sizeof(e));
        if (mfs_login_send(&s->link, s, WIRE_REGISTER_CLOSESESSION, &e) == 0)
                mfs_link_flush(&s->link);
        s->info = ours;
        ri_error_set(
                &e, ROMA_EUNAVAILABLE, s->server,
                "the master there has another file system now (id %016llX, ours is %016llX); when that is "
                "meant, close the store and open it again",
                (unsigned long long)in->info.meta_id, (unsigned long long)s->meta_id);
        e.flags = ROMA_RETRIABLE;
        mfs_attempt_failed(s, &e);
}

static void login_packet(struct mfs_session *s, uint32_t type, const uint8_t *payload, uint32_t len)
{
        struct mfs_login in;
        struct ri_error e;
        uint8_t rcode = rcode_of(s->state);

        if (type == WIRE_ANTOAN_NOP)
                return;
        mfs_login_read(&in, s, rcode, type, payload, len);
        if (in.kind == LOGIN_REDIRECT) {
                redirected(s, in.leader_ip);
        } else if (in.kind == LOGIN_STATUS && s->state == MFS_RECONNECT) {
                reconnect_status(s, &in);
        } else if (in.kind == LOGIN_STATUS && in.status != WIRE_STATUS_OK) {
                refused(s, in.status);
        } else if (in.kind == LOGIN_RANDOM && s->state == MFS_CHALLENGE) {
                memcpy(s->challenge, in.random, sizeof(s->challenge));
                s->challenged = true;
                mfs_enter(s, MFS_REGISTER);
        } else if (in.kind == LOGIN_SESSION && s->state == MFS_REGISTER && s->meta_id && in.info.meta_id &&
                   in.info.meta_id != s->meta_id) {
                another_cluster(s, &in);
        } else if (in.kind == LOGIN_SESSION && s->state == MFS_REGISTER) {
                s->renewed |= s->registered && in.info.session_id != s->info.session_id;
                s->info = in.info;
                if (in.info.meta_id)
                        s->meta_id = in.info.meta_id;
                s->registered = true;
                mfs_enter(s, MFS_READY);
        } else {
                memset(&e, 0, sizeof(e));
                ri_error_set(&e, ROMA_EPROTOCOL, s->server,
                             "expected the answer to a registration, got packet %s (%u) of %u bytes: not a "
                             "MooseFS master, or a version that libroma does not know",
                             wire_packet_name(type), type, len);
                mfs_attempt_failed(s, &e);
        }
}

static void enter_probe(struct mfs_session *s)
{
        struct ri_error e;

        memset(&e, 0, sizeof(e));
        if (mfs_link_open(&s->link, s->dialer, s->ip[s->ip_at], s->port, PROBE_MS, WIRE_MAX_CHUNKSERVER, &e) <
            0)
                mfs_attempt_failed(s, &s->error);
}

static void probe_up(struct mfs_session *s)
{
        unsigned char ask[WIRE_HEADER_SIZE];

        wire_put32(ask, WIRE_CLTOAN_MODULE_INFO);
        wire_put32(ask + 4, 0);
        mfs_link_put(&s->link, ask, sizeof(ask));
}

static void probe_packet(struct mfs_session *s, uint32_t type, const uint8_t *payload, uint32_t len)
{
        struct ri_error e = s->error;
        char v[24];

        if (type != WIRE_ANTOCL_MODULE_INFO || len < 5)
                return;
        wire_ver_print(wire_be32(payload + 1), v, sizeof(v));
        if (payload[0] == 2)
                ri_error_set(
                        &e, ROMA_EPROTOCOL, s->server,
                        "this is a MooseFS chunkserver (%s), expected a master: give the master's address "
                        "and its client port (9421)",
                        v);
        else if (payload[0] == 1)
                ri_error_set(&e, ROMA_ECLOSED, s->server,
                             "the MooseFS master (%s) closed the connection instead of answering the "
                             "registration: "
                             "see its log for the reason",
                             v);
        s->error = e;
        mfs_attempt_failed(s, &e);
}

/* Nobody drove the loop between our registration and its answer, and a master does not wait for long: it may have given
 * up on this connection already, and what is sent on it would be lost. */
static bool answered_late(struct mfs_session *s)
{
        struct ri_error e;

        if (ri_now() - s->entered_at <= (TIMEOUT_MS - TIMEOUT_MARGIN_MS) * UINT64_C(1000000))
                return false;
        memset(&e, 0, sizeof(e));
        ri_error_set(&e, ROMA_ECLOSED, s->server, "the connection was left alone while it was registered");
        s->suspect = true;
        mfs_lost(s, &e);
        return true;
}

static void enter_ready(struct mfs_session *s)
{
        struct mfs_guard g;

        if (answered_late(s))
                return;
        s->rounds = 0;
        s->info.master_ip = s->ip[s->ip_at];
        s->info.master_port = s->port;
        s->timeout_ms = TIMEOUT_MS;
        s->driven_at = s->grace_at = ri_now();
        s->suspect = s->hold = false;
        if (s->lost_at) {
                s->loop->stats.reconnects_total++;
                s->renewed = true; /* what the master would have said meanwhile is not known */
        }
        s->lost_at = 0;
        mfs_duties_start(s);
        if (s->renewed) {
                s->renewed = false;
                mfs_all_changed(s);
        }
        mfs_guard_begin(s, &g);
        mfs_calls_pump(s);
        if (!mfs_guard_end(s, &g))
                return;
        mfs_bulk_session_ready(s);
        connect_ended(s, NULL);
}

static void enter_idle(struct mfs_session *s)
{
        drop_connection(s);
        s->rounds = 0;
}

static void ready_packet(struct mfs_session *s, uint32_t type, const uint8_t *payload, uint32_t len)
{
        mfs_note_driven(s);
        if (s->hold && !s->suspect) {
                s->hold = false;
                mfs_session_flush_times(s); /* before what waits: a SETATTR of a time counts behind them */
                ri_task_queue(s->loop, &s->pump);
        }
        if (!mfs_duties_packet(s, type, payload, len))
                mfs_calls_reply(s, type, payload, len);
}

static void closing_packet(struct mfs_session *s, uint32_t type, const uint8_t *payload, uint32_t len)
{
        (void)payload;
        (void)len;
        if (type == WIRE_MATOCL_FUSE_REGISTER)
                mfs_finish_close(s);
}

static const struct state states[] = {
        [MFS_IDLE] = { "idle", NULL, 0, enter_idle, NULL },
        [MFS_RESOLVE] = { "resolve", "the name of the master to be resolved", 0, enter_resolve, NULL },
        [MFS_CONNECT] = { "connect", "a connection to the master", 0, enter_connect, NULL },
        [MFS_CHALLENGE] = { "challenge", "the master's password challenge", ANSWER_MS, enter_login,
                            login_packet },
        [MFS_REGISTER] = { "register", "the master's answer to the registration", ANSWER_MS, enter_login,
                           login_packet },
        [MFS_RECONNECT] = { "reconnect", "the master to take up the session", ANSWER_MS, enter_login,
                            login_packet },
        [MFS_PROBE] = { "probe", NULL, PROBE_MS, enter_probe, probe_packet },
        [MFS_READY] = { "ready", NULL, 0, enter_ready, ready_packet },
        [MFS_BACKOFF] = { "backoff", "the master to come back", 0, NULL, NULL },
        [MFS_CLOSING] = { "closing", NULL, CLOSE_MS, NULL, closing_packet },
        [MFS_GONE] = { "gone", NULL, 0, NULL, NULL },
};

/* ---- what the link and the timers say --------------------------------------------------------------------- */

static void link_up(struct mfs_link *l)
{
        struct mfs_session *s = ri_container_of(l, struct mfs_session, link);

        if (s->state == MFS_PROBE)
                probe_up(s);
        else
                log_in(s);
}

static void link_packet(struct mfs_link *l, uint32_t type, const uint8_t *payload, uint32_t len)
{
        struct mfs_session *s = ri_container_of(l, struct mfs_session, link);

        if (states[s->state].packet)
                states[s->state].packet(s, type, payload, len);
}

static void connect_failed(struct mfs_session *s, const struct ri_error *e)
{
        struct ri_error full = *e;

        if (e->code == ROMA_ECONNECT)
                ri_error_set(&full, e->code, s->server,
                             "%.300s; check the address, that the MooseFS master runs there, and firewalls "
                             "(client "
                             "port 9421)",
                             e->text);
        full.status_kind = e->status_kind;
        full.server_status = e->server_status;
        full.flags = ROMA_RETRIABLE;
        mfs_attempt_failed(s, &full);
}

static void login_closed(struct mfs_session *s, const struct ri_error *e, bool got_bytes)
{
        struct ri_error full = *e;

        if (got_bytes || e->code != ROMA_ECLOSED) {
                mfs_attempt_failed(s, e);
                return;
        }
        ri_error_set(
                &full, ROMA_EPROTOCOL, s->server,
                "the other side closed the connection instead of answering the registration: is this the "
                "client port (9421) of a MooseFS master?");
        full.status_kind = ROMA_STATUS_NONE;
        s->error = full;
        if (s->connect_op)
                mfs_enter(s, MFS_PROBE);
        else
                mfs_attempt_failed(s, &full);
}

static void link_down(struct mfs_link *l, const struct ri_error *e)
{
        struct mfs_session *s = ri_container_of(l, struct mfs_session, link);

        switch (s->state) {
        case MFS_CONNECT: connect_failed(s, e); break;
        case MFS_CHALLENGE:
        case MFS_REGISTER:
        case MFS_RECONNECT: login_closed(s, e, l->got_bytes); break;
        case MFS_PROBE: {
                struct ri_error kept = s->error;

                mfs_attempt_failed(s, &kept);
                break;
        }
        case MFS_READY:
                mfs_note_driven(s);
                mfs_lost(s, e);
                break;
        case MFS_CLOSING: mfs_finish_close(s); break;
        default: break;
        }
}

static const struct mfs_link_events link_events = {
        .up = link_up,
        .packet = link_packet,
        .down = link_down,
};

static void timer_fire(struct ri_timer *t)
{
        struct mfs_session *s = ri_container_of(t, struct mfs_session, timer);
        struct ri_error e;

        if (s->state == MFS_BACKOFF) {
                begin_round(s);
                return;
        }
        if (s->state == MFS_CLOSING) {
                mfs_finish_close(s);
                return;
        }
        memset(&e, 0, sizeof(e));
        if (s->state == MFS_PROBE)
                e = s->error;
        else if (!s->link.got_bytes)
                ri_error_set(&e, ROMA_EPROTOCOL, s->server,
                             "it took the connection and then said nothing for %u s, where a MooseFS master "
                             "speaks "
                             "each second: another kind of server, or one that hangs",
                             ANSWER_MS / 1000);
        else
                ri_error_set(&e, ROMA_ETIMEDOUT, s->server, "waited %u s for %s", ANSWER_MS / 1000,
                             states[s->state].waits ? states[s->state].waits : "an answer");
        e.flags |= ROMA_RETRIABLE;
        mfs_attempt_failed(s, &e);
}

/* ---- losing it -------------------------------------------------------------------------------------------- */

void mfs_lost(struct mfs_session *s, const struct ri_error *e)
{
        struct ri_error copy = *e;
        /* Nobody drove the loop and the master gave up on us: its right, and no failure of anybody. */
        bool slept = s->suspect || s->hold;
        struct mfs_guard g;

        mfs_link_abort(
                &s->link); /* a change that is made anew, or told as not known, may not be made much later */
        drop_connection(s);
        s->lost_at = ri_now();
        s->error = copy;
        s->state = MFS_BACKOFF; /* what the calls' owners start now waits for the next connection */
        mfs_guard_begin(s, &g);
        mfs_calls_lost(s, &copy, !slept);
        if (!mfs_guard_end(s, &g) || s->state != MFS_BACKOFF)
                return;
        if (wanted(s) || s->connect_op)
                begin_round(s); /* the first try is at once: often only this connection died */
        else
                mfs_enter(s, MFS_IDLE);
}

void mfs_need_connection(struct mfs_session *s)
{
        if (s->state != MFS_IDLE)
                return;
        s->lost_at = ri_now(); /* idle until now: the time for trying begins here */
        begin_round(s);
}

void mfs_note_driven(struct mfs_session *s)
{
        uint64_t now = ri_now();

        if (now - s->driven_at > (s->timeout_ms - TIMEOUT_MARGIN_MS) * UINT64_C(1000000))
                s->suspect = true;
        s->driven_at = now;
}

bool mfs_check_alive(struct mfs_session *s)
{
        uint64_t opened = s->link.opened;
        struct mfs_guard g;
        struct ri_error e;

        mfs_note_driven(s);
        if (!s->suspect)
                return true;
        /* What the master sent before it gave up is still good. */
        mfs_guard_begin(s, &g);
        mfs_link_drain(&s->link);
        if (!mfs_guard_end(s, &g) || s->state != MFS_READY || s->link.opened != opened)
                return false;
        if (ri_list_empty(&s->awaiting)) {
                memset(&e, 0, sizeof(e));
                ri_error_set(&e, ROMA_ECLOSED, s->server, "the connection was left alone for too long");
                mfs_lost(s, &e);
                return false;
        }
        /* Answers are due: give them a chance, but send nothing into a connection that may be dead. */
        s->suspect = false;
        s->hold = true;
        s->grace_at = ri_now();
        mfs_nop_send(&s->link);
        return true;
}

/* ---- from outside ----------------------------------------------------------------------------------------- */

void mfs_session_open(struct mfs_session *s, struct ri_op *op,
                      void (*done)(void *arg, const struct ri_error *e), void *arg)
{
        s->connect_op = op;
        s->connect_done = done;
        s->connect_arg = arg;
        if (s->state == MFS_IDLE)
                begin_round(s);
        else if (s->state == MFS_READY)
                connect_ended(s, NULL);
}

void mfs_session_open_cancel(struct mfs_session *s)
{
        if (!s->connect_op)
                return;
        s->connect_op = NULL;
        s->connect_done = NULL;
        if (s->state != MFS_READY)
                mfs_enter(s, MFS_IDLE);
}

static void connect_cancel(struct ri_op *op)
{
        struct mfs_session *s = op->impl;

        op->impl = NULL;
        mfs_session_open_cancel(s);
}

void mfs_session_connect(struct mfs_session *s, struct ri_op *op)
{
        op->impl = s;
        op->cancel = connect_cancel;
        mfs_session_open(s, op, NULL, NULL);
}

static void gone_run(struct ri_task *t);

static void tick_fire(struct ri_timer *t)
{
        struct mfs_session *s = ri_container_of(t, struct mfs_session, tick);

        if (s->state != MFS_READY)
                return;
        ri_timer_start(s->loop, &s->tick, TICK_MS);
        if (mfs_check_alive(s))
                mfs_duties_tick(s);
}

static int copy_config(struct mfs_session *s, const struct mfs_session_cfg *cfg)
{
        s->host = calloc(cfg->hosts, sizeof(*s->host));
        s->gid = calloc(cfg->gids ? cfg->gids : 1, sizeof(*s->gid));
        s->export_path = strdup(cfg->export_path ? cfg->export_path : "/");
        s->info_text = strdup(cfg->info ? cfg->info : "libroma");
        if (!s->host || !s->gid || !s->export_path || !s->info_text)
                return -1;
        memcpy(s->host, cfg->host, cfg->hosts * sizeof(*s->host));
        s->hosts = cfg->hosts;
        if (cfg->gids)
                memcpy(s->gid, cfg->gid, cfg->gids * sizeof(*s->gid));
        s->gids = cfg->gids ? cfg->gids : 1;
        s->uid = cfg->uid;
        s->has_password = cfg->has_password;
        memcpy(s->password_md5, cfg->password_md5, sizeof(s->password_md5));
        s->declare = cfg->declare ? cfg->declare : WIRE_VER(4, 59, 2);
        s->dialer = cfg->dialer ? cfg->dialer : &mfs_dialer_tcp;
        return 0;
}

static void session_free(struct mfs_session *s)
{
        for (struct mfs_guard *g = s->guard; g; g = g->outer)
                g->freed = true;
        drop_connection(s);
        ri_task_drop(&s->pump);
        ri_task_drop(&s->gone);
        mfs_duties_free(s);
        ri_map_free(&s->calls);
        explicit_bzero(s->password_md5, sizeof(s->password_md5));
        explicit_bzero(s->challenge, sizeof(s->challenge));
        free(s->host);
        free(s->gid);
        free(s->export_path);
        free(s->info_text);
        free(s);
}

struct mfs_session *mfs_session_new(roma_loop *loop, const struct mfs_session_cfg *cfg, struct ri_error *e)
{
        struct mfs_session *s = calloc(1, sizeof(*s));

        if (s) {
                s->loop = loop;
                s->timer.fire = timer_fire;
                s->tick.fire = tick_fire;
                s->gone.run = gone_run;
                s->timeout_ms = TIMEOUT_MS;
                ri_list_init(&s->watches);
                ri_list_init(&s->bulks);
                ri_list_init(&s->idle_links);
                mfs_link_init(&s->link, loop, &link_events);
                mfs_calls_init(s);
                mfs_duties_init(s);
                if (copy_config(s, cfg) == 0) {
                        name_server(s);
                        return s;
                }
                session_free(s);
        }
        ri_error_set(e, ROMA_ENOMEM, "", "no memory for a session");
        return NULL;
}

static void gone_run(struct ri_task *t)
{
        struct mfs_session *s = ri_container_of(t, struct mfs_session, gone);
        void (*closed)(void *arg) = s->closed;
        void *arg = s->closed_arg;

        session_free(s);
        closed(arg);
}

void mfs_finish_close(struct mfs_session *s)
{
        mfs_enter(s, MFS_GONE);
        drop_connection(s);
        ri_task_queue(s->loop, &s->gone);
}

void mfs_session_close(struct mfs_session *s, bool now, void (*closed)(void *arg), void *arg)
{
        bool ready = s->state == MFS_READY && !s->suspect;

        s->closed = closed;
        s->closed_arg = arg;
        s->connect_op = NULL;
        s->connect_done = NULL;
        mfs_calls_drop(s);
        mfs_bulk_drop_all(s);
        while (!ri_list_empty(&s->watches))
                ri_list_del(s->watches.next);
        if (ready) {
                struct ri_error e;

                mfs_duties_farewell(s);
                if (mfs_login_send(&s->link, s, WIRE_REGISTER_CLOSESESSION, &e) == 0)
                        mfs_link_flush(&s->link);
        }
        if (ready && !now) {
                ri_timer_stop(&s->tick);
                mfs_enter(s, MFS_CLOSING);
        } else {
                if (!ready)
                        mfs_link_abort(&s->link);
                mfs_finish_close(s);
        }
        if (now && s->gone.queued)
                gone_run((ri_task_drop(&s->gone), &s->gone));
}

roma_loop *mfs_session_loop(const struct mfs_session *s)
{
        return s->loop;
}

const struct mfs_session_info *mfs_session_info(const struct mfs_session *s)
{
        return &s->info;
}

const char *mfs_session_server(const struct mfs_session *s)
{
        return s->server;
}

uint32_t mfs_session_version(const struct mfs_session *s)
{
        return s->info.master_version;
}

bool mfs_session_at_least(const struct mfs_session *s, uint32_t version)
{
        return wire_ver_at_least(s->info.master_version, version);
}

uint32_t mfs_session_declared(const struct mfs_session *s)
{
        return s->declare;
}

struct mfs_dialer *mfs_session_dialer(const struct mfs_session *s)
{
        return s->dialer;
}

uint32_t mfs_session_uid(const struct mfs_session *s)
{
        return s->uid;
}

uint32_t mfs_session_gid(const struct mfs_session *s)
{
        return s->gid[0];
}

void mfs_session_set_ug(const struct mfs_session *s, struct wire_msg *req)
{
        wire_set_ug(req, s->uid, s->gid, s->gids);
}
