/* SPDX-License-Identifier: MIT */
/* Requests to the master: pipelined, matched by msgid, sent again after a lost connection where that is harmless. */
#include <stdlib.h>
#include <string.h>

#include "mfsproto/session/private.h"

static void pump_run(struct ri_task *t)
{
        mfs_calls_pump(ri_container_of(t, struct mfs_session, pump));
}

void mfs_calls_init(struct mfs_session *s)
{
        ri_list_init(&s->queue);
        ri_list_init(&s->awaiting);
        ri_map_init(&s->calls);
        s->pump.run = pump_run;
        /* Not from 1: a master that mixes up its clients' answers should be noticed. */
        s->next_msgid = (uint32_t)ri_hash_u64(ri_now(), (uintptr_t)s);
}

bool mfs_calls_pending(const struct mfs_session *s)
{
        return s->calls.count != 0;
}

bool mfs_calls_awaiting_type(const struct mfs_session *s, uint32_t type)
{
        ri_list_for_each(it, &s->awaiting)
        {
                if (ri_list_entry(it, struct mfs_call, link)->type == type)
                        return true;
        }
        return false;
}

/* Out of all lists; nothing of the session points to it any more. */
static void detach(struct mfs_call *c)
{
        ri_map_remove(&c->session->calls, &c->by_id);
        ri_list_del(&c->link);
        free(c->packet);
        c->packet = NULL;
        c->session = NULL;
}

static void fail_call(struct mfs_call *c, const struct ri_error *e, int outcome)
{
        struct ri_error copy = *e;
        struct mfs_reply r = { .error = &copy, .replayed = c->again };

        copy.outcome = outcome;
        ri_trace(c->session->loop, c->op, c->phase, c->session->server, c->start_ns, c->len, e->code);
        detach(c);
        c->done(c, &r);
}

static uint32_t new_msgid(struct mfs_session *s)
{
        do
                s->next_msgid++;
        while (s->next_msgid == 0 || ri_map_find_u64(&s->calls, s->next_msgid));
        return s->next_msgid;
}

static int encode(struct mfs_session *s, struct mfs_call *c, struct wire_msg *req, struct ri_error *e)
{
        struct wire_ctx ctx = mfs_ctx(s);
        ssize_t n = wire_encode_size(req, &ctx);
        char why[160];

        if (n >= 0) {
                c->packet = malloc((size_t)n);
                n = c->packet ? wire_encode(req, &ctx, c->packet, (size_t)n) : WIRE_ENOMEM;
        }
        if (n >= 0) {
                c->len = (size_t)n;
                return 0;
        }
        free(c->packet);
        c->packet = NULL;
        if (n == WIRE_ENOMEM)
                ri_error_set(e, ROMA_ENOMEM, s->server, "no memory for a request");
        else if (n == WIRE_EVERSION)
                ri_error_set(e, ROMA_ENOTSUP, s->server, "this master is too old for that: %s",
                             wire_msg_error(req, why, sizeof(why)));
        else
                ri_error_set(e, ROMA_EINVAL, s->server, "the request cannot be encoded: %s",
                             wire_msg_error(req, why, sizeof(why)));
        return -1;
}

int mfs_call_start(struct mfs_session *s, struct mfs_call *c, struct wire_msg *req, unsigned flags,
                   const char *phase, struct ri_op *op, struct ri_error *e)
{
        memset(e, 0, sizeof(*e));
        if (s->state >= MFS_CLOSING || !s->registered ||
            ((flags & MFS_NO_RETRY) && (s->state != MFS_READY || s->suspect))) {
                ri_error_set(e, ROMA_ECLOSED, s->server, "there is no session with the master");
                e->flags = ROMA_RETRIABLE;
                return -1;
        }
        c->msgid = new_msgid(s);
        wire_set_u(req, WF_MSGID, c->msgid);
        c->type = req->type;
        c->hint = wire_hint_of(req);
        c->version = s->info.master_version;
        c->flags = flags;
        c->sent = c->again = false;
        c->phase = phase;
        c->op = op;
        c->start_ns = ri_trace_start(s->loop, op, phase);
        if (encode(s, c, req, e) < 0)
                return -1;
        c->session = s;
        ri_list_init(&c->link);
        ri_list_add_tail(&s->queue, &c->link);
        memset(&c->by_id, 0, sizeof(c->by_id));
        ri_map_insert_u64(&s->calls, &c->by_id, c->msgid);
        if (op)
                ri_op_waits(op, "the master's answer", s->server);
        if (s->state == MFS_READY)
                ri_task_queue(s->loop, &s->pump);
        else
                mfs_need_connection(s);
        return 0;
}

void mfs_call_cancel(struct mfs_call *c)
{
        if (c->session)
                detach(c);
}

/* False: the call may not be sent (any more) to this master, and *e says why. */
static bool may_send(const struct mfs_session *s, const struct mfs_call *c, struct ri_error *e)
{
        const char *why = c->version != s->info.master_version
                                  ? "the master was replaced by another version in the middle"
                          : c->good_until && ri_now() > c->good_until
                                  ? "there was no connection for so long that the lock may have ended"
                                  : NULL;

        if (!why)
                return true;
        memset(e, 0, sizeof(*e));
        ri_error_set(e, ROMA_ECLOSED, s->server, "%s", why);
        e->flags = ROMA_RETRIABLE;
        return false;
}

/* Hands the queue to the connection. */
void mfs_calls_pump(struct mfs_session *s)
{
        struct mfs_guard g;
        struct ri_list *l;

        if (s->state != MFS_READY || ri_list_empty(&s->queue) || !mfs_check_alive(s) || s->hold)
                return;
        while ((l = ri_list_first(&s->queue))) {
                struct mfs_call *c = ri_list_entry(l, struct mfs_call, link);
                struct ri_error e;

                if (!may_send(s, c, &e)) {
                        mfs_guard_begin(s, &g);
                        fail_call(c, &e, c->again ? ROMA_UNKNOWN : ROMA_NOT_DONE);
                        if (!mfs_guard_end(s, &g) || s->state != MFS_READY)
                                return;
                        continue;
                }
                if (mfs_link_put(&s->link, c->packet, c->len) < 0)
                        break; /* tried again when something else moves; the call's own limits hold */
                c->sent = true;
                c->sent_at = ri_now();
                ri_list_del(&c->link);
                ri_list_add_tail(&s->awaiting, &c->link);
        }
        mfs_link_flush(&s->link);
}

void mfs_session_push(struct mfs_session *s)
{
        mfs_calls_pump(s);
}

static void protocol_error(struct mfs_session *s, const char *text, uint32_t type, uint32_t len)
{
        struct ri_error e;

        memset(&e, 0, sizeof(e));
        ri_error_set(&e, ROMA_EPROTOCOL, s->server, "%s: packet %s (%u) of %u bytes", text,
                     wire_packet_name(type), type, len);
        mfs_lost(s, &e);
}

static void answer(struct mfs_session *s, struct mfs_call *c, const struct mfs_reply *r, uint32_t len)
{
        int code = r->status ? ROMA_ESERVER : ROMA_OK;

        ri_trace(s->loop, c->op, c->phase, s->server, c->start_ns, c->len + len, code);
        detach(c);
        c->done(c, r);
}

/* "I do not know this request": the number of the request is in the packet. */
static void unknown_command(struct mfs_session *s, const uint8_t *payload, uint32_t len)
{
        uint32_t msgid = len >= 16 ? wire_be32(payload) : 0;
        struct ri_map_node *n = msgid ? ri_map_find_u64(&s->calls, msgid) : NULL;
        struct mfs_reply r = { .status = WIRE_STATUS_ENOTSUP };

        if (!n)
                return;
        r.replayed = ri_container_of(n, struct mfs_call, by_id)->again;
        answer(s, ri_container_of(n, struct mfs_call, by_id), &r, len);
}

void mfs_calls_reply(struct mfs_session *s, uint32_t type, const uint8_t *payload, uint32_t len)
{
        struct ri_map_node *n;
        struct mfs_call *c;
        struct wire_ctx ctx = mfs_ctx(s);
        struct wire_msg m;
        struct mfs_reply r;
        uint32_t msgid;

        if (type == WIRE_ANTOAN_UNKNOWN_COMMAND || type == WIRE_ANTOAN_BAD_COMMAND_SIZE) {
                unknown_command(s, payload, len);
                return;
        }
        if (len < 4) {
                protocol_error(s, "expected an answer with a number, got less", type, len);
                return;
        }
        msgid = wire_be32(payload);
        n = msgid ? ri_map_find_u64(&s->calls, msgid) : NULL;
        if (!n)
                return; /* the caller lost interest, or a notification of a newer master */
        c = ri_container_of(n, struct mfs_call, by_id);
        if (!c->sent || type != c->type + 1) {
                protocol_error(s, "expected the answer to another request, got", type, len);
                return;
        }
        ctx.hint = c->hint;
        memset(&r, 0, sizeof(r));
        r.replayed = c->again;
        r.since = c->sent_at > s->link.since ? c->sent_at : s->link.since;
        r.msg = &m;
        if (wire_decode(&m, type, WIRE_FROM_MASTER, payload, len, &ctx) != WIRE_OK) {
                struct ri_error e;

                memset(&e, 0, sizeof(e));
                ri_error_set(&e, ROMA_EPROTOCOL, s->server,
                             "expected the answer to %s, got %u bytes of packet %u in a form that libroma "
                             "does not know",
                             wire_packet_name(c->type), len, type);
                fail_call(c, &e, c->flags & MFS_REPLAY ? ROMA_NOT_DONE : ROMA_UNKNOWN);
                return;
        }
        if (!wire_is_status(&m, &r.status))
                r.status = WIRE_STATUS_OK;
        answer(s, c, &r, len);
}

static void lost_error(struct ri_error *out, const struct mfs_session *s, const struct ri_error *why)
{
        memset(out, 0, sizeof(*out));
        ri_error_set(out, why->code, s->server, "the connection ended before the answer came: %.400s",
                     why->text);
        out->flags = ROMA_RETRIABLE;
        out->status_kind = why->status_kind;
        out->server_status = why->server_status;
}

void mfs_calls_lost(struct mfs_session *s, const struct ri_error *why, bool counted)
{
        struct ri_list failed, again, *l;
        struct ri_error e;

        ri_list_init(&failed);
        ri_list_init(&again);
        while ((l = ri_list_pop(&s->awaiting))) {
                struct mfs_call *c = ri_list_entry(l, struct mfs_call, link);
                bool replay = (c->flags & MFS_REPLAY) && !(c->flags & MFS_NO_RETRY);

                ri_list_add_tail(replay ? &again : &failed, l);
                if (!replay)
                        continue;
                c->again = true;
                c->sent = false;
                if (counted) {
                        s->loop->stats.retries_total++;
                        if (c->op)
                                c->op->tries++;
                }
        }
        ri_list_splice_tail(&again, &s->queue);
        ri_list_for_each_safe(it, next, &again)
        {
                ri_list_del(it);
                if (ri_list_entry(it, struct mfs_call, link)->flags & MFS_NO_RETRY)
                        ri_list_add_tail(&failed, it);
                else
                        ri_list_add_tail(&s->queue, it);
        }
        lost_error(&e, s, why);
        while ((l = ri_list_first(&failed))) {
                struct mfs_call *c = ri_list_entry(l, struct mfs_call, link);

                fail_call(c, &e, c->sent && !(c->flags & MFS_REPLAY) ? ROMA_UNKNOWN : ROMA_NOT_DONE);
        }
}

void mfs_calls_fail(struct mfs_session *s, const struct ri_error *e)
{
        struct ri_list all, *l;

        /* A list of their own: what their owners start now is not meant. */
        ri_list_init(&all);
        ri_list_splice_tail(&all, &s->awaiting);
        ri_list_splice_tail(&all, &s->queue);
        while ((l = ri_list_first(&all))) {
                struct mfs_call *c = ri_list_entry(l, struct mfs_call, link);

                fail_call(c, e,
                          (c->sent || c->again) && !(c->flags & MFS_REPLAY) ? ROMA_UNKNOWN : ROMA_NOT_DONE);
        }
}

void mfs_calls_drop(struct mfs_session *s)
{
        struct ri_list *l;

        ri_list_splice_tail(&s->queue, &s->awaiting);
        while ((l = ri_list_first(&s->queue)))
                detach(ri_list_entry(l, struct mfs_call, link));
}
