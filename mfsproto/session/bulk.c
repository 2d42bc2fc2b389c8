/* SPDX-License-Identifier: MIT */
/* Long answers on connections of their own: a folder of a million names takes 30 MB, and everything behind it on the
 * session's own connection would wait. Each such connection takes up the session (any number may) and is kept for
 * the next long answer for a moment. */
#include <stdlib.h>
#include <string.h>

#include "mfsproto/session/private.h"

enum {
        LINKS_MAX = 8,  /* of one session at a time */
        IDLE_MS = 3000, /* well below the 10 s after which a master drops a silent client */
        TRIES_MAX = 5
};

struct bulk_link {
        struct ri_list idle; /* in session->idle_links while nobody uses it */
        struct mfs_link link;
        struct mfs_session *session;
        struct mfs_bulk *bulk; /* NULL: idle */
        struct ri_timer tick;
        uint64_t idle_at, driven_at;
        bool logged_in;
        bool feeding; /* inside feed() */
};

struct mfs_bulk {
        struct ri_list in_session;
        struct mfs_session *session;
        struct bulk_link *on; /* NULL: waits for a connection */
        unsigned char *packet;
        size_t len;
        uint32_t type, version;
        bool fed;       /* a part of the answer was handed out: it cannot be asked again */
        bool cancelled; /* inside feed(); freed behind it */
        unsigned tries;
        uint64_t start_ns;
        struct ri_op *op;
        bool (*feed)(void *arg, const unsigned char *p, size_t n, size_t total);
        void (*done)(void *arg, const struct mfs_reply *r);
        void *arg;
        struct ri_task start;
};

static void run_waiting(struct mfs_session *s);

static void bulk_free(struct mfs_bulk *b)
{
        ri_task_drop(&b->start);
        ri_list_del(&b->in_session);
        free(b->packet);
        free(b);
}

static void link_free(struct bulk_link *bl)
{
        mfs_link_close(&bl->link);
        ri_timer_stop(&bl->tick);
        ri_list_del(&bl->idle);
        free(bl);
}

static void finish(struct mfs_bulk *b, const struct ri_error *e)
{
        struct mfs_reply r = { .error = e, .replayed = b->tries > 1 };
        void (*done)(void *arg, const struct mfs_reply *r) = b->done;
        void *arg = b->arg;

        ri_trace(b->session->loop, b->op, "readdir", b->session->server, b->start_ns, 0,
                 e ? e->code : ROMA_OK);
        bulk_free(b);
        done(arg, &r);
}

/* The connection is gone. What was not handed out yet is asked again on another. */
static void bulk_lost(struct mfs_bulk *b, const struct ri_error *why)
{
        struct mfs_session *s = b->session;
        struct ri_error e;

        b->on = NULL;
        if (!b->fed && b->tries < TRIES_MAX && why->code != ROMA_EPROTOCOL && why->code != ROMA_EACCES) {
                s->loop->stats.retries_total++;
                ri_task_queue(s->loop, &b->start);
                return;
        }
        memset(&e, 0, sizeof(e));
        ri_error_set(&e, why->code, s->server, "the answer was cut in the middle: %.400s", why->text);
        e.flags = ROMA_RETRIABLE;
        e.status_kind = why->status_kind;
        e.server_status = why->server_status;
        finish(b, &e);
}

static void link_failed(struct bulk_link *bl, const struct ri_error *e)
{
        struct mfs_bulk *b = bl->bulk;
        struct mfs_session *s = bl->session;
        struct ri_error copy = *e;

        link_free(bl);
        if (b)
                bulk_lost(b, &copy);
        run_waiting(s);
}

static void ask(struct bulk_link *bl)
{
        struct mfs_bulk *b = bl->bulk;
        struct ri_error e;

        if (mfs_link_put(&bl->link, b->packet, b->len) == 0) {
                mfs_link_flush(&bl->link);
                return;
        }
        memset(&e, 0, sizeof(e));
        ri_error_set(&e, ROMA_ENOMEM, bl->session->server, "no memory to send a request");
        link_failed(bl, &e);
}

static void on_up(struct mfs_link *l)
{
        struct bulk_link *bl = ri_container_of(l, struct bulk_link, link);
        struct ri_error e;

        memset(&e, 0, sizeof(e));
        if (mfs_login_send(l, bl->session, WIRE_REGISTER_RECONNECT, &e) < 0)
                link_failed(bl, &e);
}

static void on_packet(struct mfs_link *l, uint32_t type, const uint8_t *payload, uint32_t len)
{
        struct bulk_link *bl = ri_container_of(l, struct bulk_link, link);
        struct mfs_login in;
        struct ri_error e;

        if (type != WIRE_MATOCL_FUSE_REGISTER)
                return; /* NOPs, and notifications that the first connection gets as well */
        mfs_login_read(&in, bl->session, WIRE_REGISTER_RECONNECT, type, payload, len);
        if (in.kind == LOGIN_STATUS && in.status == WIRE_STATUS_OK) {
                bl->logged_in = true;
                if (bl->bulk)
                        ask(bl);
                return;
        }
        memset(&e, 0, sizeof(e));
        mfs_status_error(&e, in.kind == LOGIN_STATUS ? in.status : WIRE_STATUS_REGISTER, bl->session->server,
                         "a second connection of the session");
        e.flags |= ROMA_RETRIABLE;
        link_failed(bl, &e);
}

static bool on_header(struct mfs_link *l, uint32_t type, uint32_t len)
{
        struct bulk_link *bl = ri_container_of(l, struct bulk_link, link);

        return bl->logged_in && bl->bulk && type == bl->bulk->type + 1 && len > 0;
}

static void on_data(struct mfs_link *l, const uint8_t *p, size_t n, bool last)
{
        struct bulk_link *bl = ri_container_of(l, struct bulk_link, link);
        struct mfs_session *s = bl->session;
        struct mfs_bulk *b = bl->bulk;
        bool good;

        if (!b)
                return;
        b->fed = true;
        if (b->op)
                ri_op_progress(b->op);
        bl->feeding = true;
        good = b->feed(b->arg, p, n, l->frame.length);
        bl->feeding = false;
        if (b->cancelled) {
                mfs_bulk_cancel(b);
                return;
        }
        if (!good) {
                struct ri_error e;

                memset(&e, 0, sizeof(e));
                ri_error_set(&e, ROMA_EPROTOCOL, s->server, "an answer of %u bytes is not well formed",
                             l->frame.length);
                link_failed(bl, &e);
                return;
        }
        if (!last)
                return;
        bl->bulk = NULL;
        bl->idle_at = ri_now();
        ri_list_add_tail(&s->idle_links, &bl->idle);
        finish(b, NULL);
        run_waiting(s);
}

static void on_down(struct mfs_link *l, const struct ri_error *e)
{
        link_failed(ri_container_of(l, struct bulk_link, link), e);
}

static const struct mfs_link_events link_events = {
        .up = on_up,
        .packet = on_packet,
        .header = on_header,
        .data = on_data,
        .down = on_down,
};

static void tick_fire(struct ri_timer *t)
{
        struct bulk_link *bl = ri_container_of(t, struct bulk_link, tick);
        uint64_t now = ri_now(), slept = now - bl->driven_at;
        struct ri_error e;

        bl->driven_at = now;
        ri_timer_start(bl->session->loop, t, TICK_MS);
        if (!bl->bulk) {
                if (now - bl->idle_at > IDLE_MS * UINT64_C(1000000))
                        link_free(bl);
                return;
        }
        if (!bl->link.up)
                return; /* the transport keeps the time of the connect */
        if (now - bl->link.rx_at > SILENCE_MS * UINT64_C(1000000) && slept < 3000 * UINT64_C(1000000)) {
                memset(&e, 0, sizeof(e));
                ri_error_set(&e, ROMA_ETIMEDOUT, bl->session->server, "the master said nothing for %u s",
                             SILENCE_MS / 1000);
                link_failed(bl, &e);
                return;
        }
        if (bl->logged_in && now - bl->link.tx_at > NOP_MS * UINT64_C(1000000))
                mfs_nop_send(&bl->link);
}

static struct bulk_link *take_idle(struct mfs_session *s)
{
        struct ri_list *l;

        while ((l = ri_list_last(&s->idle_links))) {
                struct bulk_link *bl = ri_list_entry(l, struct bulk_link, idle);

                if (ri_now() - bl->idle_at < IDLE_MS * UINT64_C(1000000)) {
                        ri_list_del(&bl->idle);
                        return bl;
                }
                link_free(bl);
        }
        return NULL;
}

static unsigned links_in_use(const struct mfs_session *s)
{
        unsigned n = 0;

        ri_list_for_each(it, &s->bulks)
        {
                n += ri_list_entry(it, struct mfs_bulk, in_session)->on != NULL;
        }
        return n;
}

static struct bulk_link *dial(struct mfs_session *s, struct ri_error *e)
{
        struct bulk_link *bl = calloc(1, sizeof(*bl));

        if (!bl) {
                ri_error_set(e, ROMA_ENOMEM, s->server, "no memory for a connection");
                return NULL;
        }
        bl->session = s;
        bl->tick.fire = tick_fire;
        bl->driven_at = ri_now();
        ri_list_init(&bl->idle);
        mfs_link_init(&bl->link, s->loop, &link_events);
        if (mfs_link_open(&bl->link, s->dialer, s->info.master_ip, s->info.master_port, CONNECT_MS,
                          WIRE_MAX_FROM_MASTER, e) == 0) {
                if (ri_timer_start(s->loop, &bl->tick, TICK_MS) == 0)
                        return bl;
                ri_error_set(e, ROMA_ENOMEM, s->server, "no memory for a timer");
        }
        link_free(bl);
        return NULL;
}

/* Gives the bulk a connection, when the session has one itself and there are not too many. */
static void run(struct mfs_bulk *b)
{
        struct mfs_session *s = b->session;
        struct bulk_link *bl;
        struct ri_error e;

        if (s->state != MFS_READY) {
                mfs_need_connection(s);
                return;
        }
        if (b->on || links_in_use(s) >= LINKS_MAX)
                return;
        memset(&e, 0, sizeof(e));
        b->tries++;
        bl = take_idle(s);
        if (!bl)
                bl = dial(s, &e);
        if (!bl) {
                finish(b, &e);
                return;
        }
        b->on = bl;
        bl->bulk = b;
        if (bl->logged_in)
                ask(bl);
}

static void run_waiting(struct mfs_session *s)
{
        ri_list_for_each(it, &s->bulks)
        {
                struct mfs_bulk *b = ri_list_entry(it, struct mfs_bulk, in_session);

                if (!b->on)
                        ri_task_queue(s->loop, &b->start);
        }
}

static void start_run(struct ri_task *t)
{
        run(ri_container_of(t, struct mfs_bulk, start));
}

void mfs_bulk_session_ready(struct mfs_session *s)
{
        run_waiting(s);
}

bool mfs_bulk_pending(const struct mfs_session *s)
{
        return !ri_list_empty(&s->bulks);
}

void mfs_bulk_fail_all(struct mfs_session *s, const struct ri_error *e)
{
        struct ri_list all, *l;

        ri_list_init(&all);
        ri_list_splice_tail(&all, &s->bulks);
        while ((l = ri_list_first(&all))) {
                struct mfs_bulk *b = ri_list_entry(l, struct mfs_bulk, in_session);

                if (b->on)
                        link_free(b->on);
                finish(b, e);
        }
}

void mfs_bulk_drop_all(struct mfs_session *s)
{
        struct ri_list *l;

        while ((l = ri_list_first(&s->bulks)))
                mfs_bulk_cancel(ri_list_entry(l, struct mfs_bulk, in_session));
        while ((l = ri_list_first(&s->idle_links)))
                link_free(ri_list_entry(l, struct bulk_link, idle));
}

struct mfs_bulk *mfs_bulk_start(struct mfs_session *s, struct wire_msg *req, struct ri_op *op,
                                bool (*feed)(void *arg, const unsigned char *p, size_t n, size_t total),
                                void (*done)(void *arg, const struct mfs_reply *r), void *arg,
                                struct ri_error *e)
{
        struct wire_ctx ctx = mfs_ctx(s);
        struct mfs_bulk *b = calloc(1, sizeof(*b));
        ssize_t n;
        char why[160];

        memset(e, 0, sizeof(*e));
        wire_set_u(req, WF_MSGID, 1);
        n = b ? wire_encode_size(req, &ctx) : WIRE_ENOMEM;
        if (n >= 0) {
                b->packet = malloc((size_t)n);
                n = b->packet ? wire_encode(req, &ctx, b->packet, (size_t)n) : WIRE_ENOMEM;
        }
        if (n < 0) {
                ri_error_set(e, n == WIRE_ENOMEM ? ROMA_ENOMEM : ROMA_EINVAL, s->server,
                             "the request cannot be encoded: %s", wire_msg_error(req, why, sizeof(why)));
                if (b)
                        free(b->packet);
                free(b);
                return NULL;
        }
        b->len = (size_t)n;
        b->type = req->type;
        b->session = s;
        b->op = op;
        b->feed = feed;
        b->done = done;
        b->arg = arg;
        b->start.run = start_run;
        b->start_ns = ri_trace_start(s->loop, op, "readdir");
        ri_list_add_tail(&s->bulks, &b->in_session);
        if (op)
                ri_op_waits(op, "the master's answer", s->server);
        ri_task_queue(s->loop, &b->start);
        return b;
}

void mfs_bulk_cancel(struct mfs_bulk *b)
{
        struct mfs_session *s = b->session;

        if (b->on && b->on->feeding) {
                b->cancelled = true;
                return;
        }
        if (b->on)
                link_free(b->on);
        bulk_free(b);
        run_waiting(s);
}
