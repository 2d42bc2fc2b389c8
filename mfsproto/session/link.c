/* SPDX-License-Identifier: MIT */
/* A connection as packets. */
#include "mfsproto/session/link.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum {
        RECEIVE = 64 << 10,  /* one system call's worth */
        RECEIVES = 16,       /* in one turn, then the other descriptors have theirs */
        KEEP_OUT = 256 << 10 /* a send buffer that grew beyond this is given back */
};

void mfs_link_init(struct mfs_link *l, roma_loop *loop, const struct mfs_link_events *ev)
{
        memset(l, 0, sizeof(*l));
        l->loop = loop;
        l->ev = ev;
}

const char *mfs_link_peer(const struct mfs_link *l)
{
        return l->t ? l->t->peer : "";
}

static void end(struct mfs_link *l, bool abort)
{
        ri_task_drop(&l->flush);
        if (!l->t)
                return;
        if (l->taking)
                *l->taking = false;
        l->taking = NULL;
        if (abort)
                mfs_transport_abort(l->t);
        else
                l->t->ops->close(l->t);
        l->t = NULL;
        l->up = false;
        l->blocked = false;
        wire_frame_free(&l->frame);
        free(l->in);
        free(l->out);
        l->in = NULL;
        l->out = NULL;
        l->out_pos = l->out_len = l->out_cap = 0;
}

void mfs_link_close(struct mfs_link *l)
{
        end(l, false);
}

void mfs_link_abort(struct mfs_link *l)
{
        end(l, true);
}

static void go_down(struct mfs_link *l, const struct ri_error *e)
{
        struct ri_error copy = *e; /* it may live in the transport */

        mfs_link_abort(l);
        l->ev->down(l, &copy);
}

bool mfs_link_is_text(uint32_t type, uint32_t len)
{
        for (int i = 0; i < 4; i++) {
                unsigned c = (type >> (8 * i)) & 255, d = (len >> (8 * i)) & 255;

                if (c < 32 || c > 126 || (d != '\r' && d != '\n' && (d < 32 || d > 126)))
                        return false;
        }
        return true;
}

static void framing_failed(struct mfs_link *l, int rc)
{
        struct ri_error e;
        uint32_t type = l->frame.type, len = l->frame.length;

        memset(&e, 0, sizeof(e));
        if (rc == WIRE_ENOMEM)
                ri_error_set(&e, ROMA_ENOMEM, l->t->peer, "no memory for a packet of %u bytes", len);
        else if (mfs_link_is_text(type, len))
                ri_error_set(
                        &e, ROMA_EPROTOCOL, l->t->peer,
                        "expected MooseFS packets, got text that starts with \"%c%c%c%c\": another kind of "
                        "server listens on this port",
                        type >> 24, (type >> 16) & 255, (type >> 8) & 255, type & 255);
        else
                ri_error_set(&e, ROMA_EPROTOCOL, l->t->peer,
                             "expected a MooseFS packet, got type %u with a length of %u bytes (%s); either "
                             "this is another kind of server or bytes were lost",
                             type, len, wire_error_name(rc));
        go_down(l, &e);
}

/* Ends early when a callback has closed the link, and perhaps freed it: then *open is false. */
static void feed(struct mfs_link *l, const uint8_t *p, size_t n, const bool *open)
{
        for (;;) {
                int ev = wire_frame_feed(&l->frame, &p, &n);

                if (ev < 0) {
                        framing_failed(l, ev);
                        return;
                }
                if (ev == WIRE_FRAME_MORE)
                        return;
                if (ev == WIRE_FRAME_HEADER && l->ev->header) {
                        if (l->ev->header(l, l->frame.type, l->frame.length) && *open)
                                wire_frame_stream(&l->frame);
                } else if (ev == WIRE_FRAME_DATA)
                        l->ev->data(l, l->frame.data, l->frame.ndata, l->frame.last);
                else if (ev == WIRE_FRAME_PACKET)
                        l->ev->packet(l, l->frame.type, l->frame.payload, l->frame.length);
                if (!*open)
                        return;
        }
}

/* Out of line: the compiler takes the pointer for one that outlives its variable. */
static __attribute__((noinline)) void watch_close(struct mfs_link *l, bool *open)
{
        l->taking = open;
}

static void take(struct mfs_link *l)
{
        bool open = true;

        watch_close(l, &open);
        l->since = l->emptied_at;
        for (int i = 0; open && i < RECEIVES; i++) {
                struct iovec iov = { l->in, RECEIVE };
                uint64_t now = ri_now();
                ssize_t k = l->t->ops->recv(l->t, &iov, 1);

                if (k < RECEIVE)
                        l->emptied_at = now;
                if (k <= 0)
                        break; /* nothing now, or failed() follows */
                l->rx_at = now;
                l->got_bytes = true;
                feed(l, l->in, (size_t)k, &open);
                if (k < RECEIVE)
                        break;
        }
        if (open)
                l->taking = NULL;
}

void mfs_link_drain(struct mfs_link *l)
{
        if (l->up && !l->taking)
                take(l);
}

static void on_connected(void *arg)
{
        struct mfs_link *l = arg;

        l->up = true;
        l->rx_at = l->tx_at = l->emptied_at = ri_now();
        l->ev->up(l);
}

static void on_readable(void *arg)
{
        take(arg);
}

static void on_writable(void *arg)
{
        struct mfs_link *l = arg;

        l->blocked = false;
        mfs_link_flush(l);
}

static void on_failed(void *arg, const struct ri_error *e)
{
        go_down(arg, e);
}

static const struct mfs_transport_events transport_events = {
        .connected = on_connected,
        .readable = on_readable,
        .writable = on_writable,
        .failed = on_failed,
};

static void flush_run(struct ri_task *t)
{
        mfs_link_flush(ri_container_of(t, struct mfs_link, flush));
}

int mfs_link_open(struct mfs_link *l, struct mfs_dialer *d, uint32_t ip, uint16_t port, uint32_t connect_ms,
                  uint32_t max, struct ri_error *e)
{
        l->in = malloc(RECEIVE);
        if (!l->in) {
                ri_error_set(e, ROMA_ENOMEM, "", "no memory for a connection");
                return -1;
        }
        l->opened++;
        l->up = l->got_bytes = l->blocked = false;
        l->rx_at = l->tx_at = 0;
        l->flush.run = flush_run;
        wire_frame_init(&l->frame, max);
        l->t = d->dial(d, l->loop, ip, port, connect_ms, &transport_events, l, e);
        if (!l->t) {
                free(l->in);
                l->in = NULL;
                return -1;
        }
        return 0;
}

int mfs_link_put(struct mfs_link *l, const void *bytes, size_t len)
{
        if (l->out_cap - l->out_len < len) {
                size_t cap = l->out_cap ? l->out_cap : 4096;
                unsigned char *p;

                if (l->out_pos) {
                        memmove(l->out, l->out + l->out_pos, l->out_len - l->out_pos);
                        l->out_len -= l->out_pos;
                        l->out_pos = 0;
                }
                while (cap - l->out_len < len) {
                        if (cap > SIZE_MAX / 2)
                                return -ENOMEM;
                        cap *= 2;
                }
                p = realloc(l->out, cap);
                if (!p)
                        return -ENOMEM;
                l->out = p;
                l->out_cap = cap;
        }
        memcpy(l->out + l->out_len, bytes, len);
        l->out_len += len;
        ri_task_queue(l->loop, &l->flush);
        return 0;
}

void mfs_link_flush(struct mfs_link *l)
{
        while (l->up && !l->blocked && l->out_pos < l->out_len) {
                struct iovec iov = { l->out + l->out_pos, l->out_len - l->out_pos };
                ssize_t k = l->t->ops->send(l->t, &iov, 1);

                if (k < 0)
                        return; /* failed() follows */
                l->tx_at = ri_now();
                l->out_pos += (size_t)k;
                l->blocked = (size_t)k < iov.iov_len;
        }
        if (l->out_pos == l->out_len) {
                ri_task_drop(&l->flush);
                l->out_pos = l->out_len = 0;
                if (l->out_cap > KEEP_OUT) {
                        free(l->out);
                        l->out = NULL;
                        l->out_cap = 0;
                }
        }
}

int mfs_link_send(struct mfs_link *l, struct wire_msg *msg, const struct wire_ctx *ctx, struct ri_error *e)
{
        unsigned char small[1024], *p = small;
        ssize_t n = wire_encode_size(msg, ctx);
        char why[160];
        int rc;

        if (n > (ssize_t)sizeof(small)) {
                p = malloc((size_t)n);
                n = p ? wire_encode(msg, ctx, p, (size_t)n) : WIRE_ENOMEM;
        } else if (n >= 0) {
                n = wire_encode(msg, ctx, p, sizeof(small));
        }
        if (n < 0) {
                ri_error_set(e, n == WIRE_ENOMEM ? ROMA_ENOMEM : ROMA_EPROTOCOL, mfs_link_peer(l),
                             "a request could not be encoded: %s", wire_msg_error(msg, why, sizeof(why)));
                if (p != small)
                        free(p);
                return -1;
        }
        rc = mfs_link_put(l, p, (size_t)n);
        if (p != small)
                free(p);
        if (rc < 0)
                ri_error_set(e, ROMA_ENOMEM, mfs_link_peer(l), "no memory to send a request");
        return rc < 0 ? -1 : 0;
}
