/* SPDX-License-Identifier: MIT */
/* Connections: bytes, packets, messages. Every wait has an end, and ends at once when the run is stopped. */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "core/loop.h"
#include "mfsproto/conform/inner.h"

/* ---- sockets ------------------------------------------------------------------------------------------------- */

static bool stopped(struct cf *c)
{
        struct pollfd p = { c->wake[0], POLLIN, 0 };

        if (poll(&p, 1, 0) <= 0)
                return false;
        cf_unsure(c, "stopped");
        return true;
}

/* 1: ready; 0: not in time, or stopped. */
static int ready(struct cf *c, struct cf_link *l, short events, uint64_t until_ns)
{
        struct pollfd p[2] = { { l->fd, events, 0 }, { c->wake[0], POLLIN, 0 } };
        uint64_t now = ri_now();
        int n;

        do
                n = poll(p, 2, until_ns > now ? (int)((until_ns - now) / 1000000u) + 1 : 0);
        while (n < 0 && errno == EINTR);
        if (p[1].revents) {
                cf_unsure(c, "stopped");
                return 0;
        }
        return n > 0 && p[0].revents;
}

static uint64_t in_ms(int ms)
{
        return ri_now() + (uint64_t)ms * 1000000u;
}

static bool dial(struct cf *c, struct cf_link *l, uint32_t ip, uint16_t port)
{
        struct sockaddr_in a = { .sin_family = AF_INET, .sin_port = htons(port) };
        socklen_t size = sizeof(int);
        int error = 0;

        a.sin_addr.s_addr = htonl(ip);
        l->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
        if (l->fd < 0)
                return false;
        if (connect(l->fd, (struct sockaddr *)&a, sizeof(a)) == 0)
                return true;
        if (errno != EINPROGRESS)
                return false;
        if (!ready(c, l, POLLOUT, in_ms(CF_WAIT_MS))) {
                errno = ETIMEDOUT;
                return false;
        }
        if (getsockopt(l->fd, SOL_SOCKET, SO_ERROR, &error, &size) < 0)
                return false;
        errno = error;
        return error == 0;
}

struct cf_link *cf_link_to(struct cf *c, uint32_t ip, uint16_t port, bool cs)
{
        struct cf_link *l = calloc(1, sizeof(*l));

        if (!l)
                return NULL;
        l->fd = -1;
        l->cs = cs;
        l->server = c->server;
        l->next = c->links;
        c->links = l;
        if (c->failed)
                return l;
        if (!dial(c, l, ip, port)) {
                cf_unsure(c, "connect to %u.%u.%u.%u:%u: %s", ip >> 24, ip >> 16 & 255, ip >> 8 & 255,
                          ip & 255, port, strerror(errno));
                cf_close(l);
        }
        return l;
}

void cf_close(struct cf_link *l)
{
        if (l->fd >= 0)
                close(l->fd);
        l->fd = -1;
}

void cf_links_free(struct cf *c)
{
        struct cf_link *l;

        while ((l = c->links)) {
                c->links = l->next;
                cf_close(l);
                free(l->buf);
                free(l);
        }
        c->ma = NULL;
}

/* ---- bytes --------------------------------------------------------------------------------------------------- */

void cf_bytes(struct cf *c, struct cf_link *l, const void *bytes, size_t n)
{
        uint64_t until = in_ms(CF_WAIT_MS);
        const uint8_t *p = bytes;

        while (n && !c->failed && l && l->fd >= 0) {
                ssize_t k = send(l->fd, p, n, MSG_NOSIGNAL);

                if (k >= 0) {
                        p += k;
                        n -= (size_t)k;
                } else if (errno == EAGAIN || errno == EWOULDBLOCK) {
                        if (!ready(c, l, POLLOUT, until))
                                cf_fail(c, "the server takes no more bytes");
                } else if (errno != EINTR) {
                        return; /* the server has hung up: that is seen when its answer is read */
                }
        }
}

/* n bytes: 1; 0: the connection has ended; -1: not in time. */
static int take(struct cf *c, struct cf_link *l, uint8_t *to, size_t n, uint64_t until)
{
        while (n) {
                ssize_t k = recv(l->fd, to, n, 0);

                if (k > 0) {
                        to += k;
                        n -= (size_t)k;
                } else if (k < 0 && errno == EINTR) {
                        continue;
                } else if (k == 0 || (errno != EAGAIN && errno != EWOULDBLOCK)) {
                        return 0;
                } else if (!ready(c, l, POLLIN, until)) {
                        return -1;
                }
        }
        return 1;
}

/* ---- packets ------------------------------------------------------------------------------------------------- */

void cf_packet(struct cf *c, struct cf_link *l, uint32_t type, const void *payload, size_t n)
{
        uint8_t head[WIRE_HEADER_SIZE];

        wire_put32(head, type);
        wire_put32(head + 4, (uint32_t)n);
        cf_bytes(c, l, head, sizeof(head));
        cf_bytes(c, l, payload, n);
}

static bool room(struct cf *c, struct cf_link *l)
{
        uint8_t *p;

        if (l->len > CF_MAX_REPLY) {
                cf_fail(c, "%s of %zu bytes", wire_packet_name(l->type), l->len);
                return false;
        }
        if (l->len <= l->cap && l->buf)
                return true;
        p = realloc(l->buf, l->len + 1);
        if (!p) {
                cf_unsure(c, "no memory");
                return false;
        }
        l->buf = p;
        l->cap = l->len;
        return true;
}

int cf_next_any(struct cf *c, struct cf_link *l, int ms)
{
        uint8_t head[WIRE_HEADER_SIZE];
        int got;

        if (c->failed || !l)
                return -1;
        if (l->fd < 0)
                return 0;
        if (stopped(c)) /* ready() does not see it with a server that sends without a pause */
                return -1;
        got = take(c, l, head, sizeof(head), in_ms(ms));
        if (got <= 0)
                return got;
        l->type = wire_be32(head);
        l->len = wire_be32(head + 4);
        if (!room(c, l))
                return -1;
        got = take(c, l, l->buf, l->len, in_ms(CF_WAIT_MS));
        if (got < 0)
                cf_fail(c, "%s: the rest of its %zu bytes does not come", wire_packet_name(l->type), l->len);
        return got;
}

/* A server can send NOPs without a pause: they make no wait longer. */
static int next_until(struct cf *c, struct cf_link *l, uint64_t until)
{
        uint64_t now = ri_now();
        int got;

        do {
                got = cf_next_any(c, l, until > now ? (int)((until - now) / 1000000u) : 0);
                now = ri_now();
        } while (got > 0 && l->type == WIRE_ANTOAN_NOP && now < until);
        return got > 0 && l->type == WIRE_ANTOAN_NOP ? -1 : got;
}

int cf_next(struct cf *c, struct cf_link *l, int ms)
{
        return next_until(c, l, in_ms(ms));
}

/* ---- messages ------------------------------------------------------------------------------------------------ */

void cf_msg(struct wire_msg *m, uint32_t type)
{
        const struct wire_packet *p = wire_packet_find(type);

        wire_msg_init(m, type, p && p->dirs & WIRE_TO_MASTER ? WIRE_TO_MASTER : WIRE_TO_CS);
}

static bool numbered(const struct cf_link *l, const struct wire_msg *m)
{
        const struct wire_packet *p = wire_packet_find(m->type);

        return !l->cs && p && !(p->flags & (WP_NOREPLY | WP_UNREGISTERED)) && !wire_has(m, WF_MSGID);
}

void cf_send(struct cf *c, struct cf_link *l, struct wire_msg *m)
{
        struct wire_ctx ctx = { l ? l->server : 0, l ? l->declared : 0, 0 };
        char why[200];
        uint8_t *packet;
        ssize_t n;

        if (c->failed || !l)
                return;
        if (l->cs)
                m->dir = WIRE_TO_CS;
        if (numbered(l, m))
                wire_set_u(m, WF_MSGID, ++l->msgid);
        l->hint = wire_hint_of(m);
        n = wire_encode_size(m, &ctx);
        packet = n > 0 ? malloc((size_t)n) : NULL;
        if (packet)
                n = wire_encode(m, &ctx, packet, (size_t)n);
        if (packet && n > 0)
                cf_bytes(c, l, packet, (size_t)n);
        else
                cf_unsure(c, "cannot be asked: %s", wire_msg_error(m, why, sizeof(why)));
        free(packet);
}

static bool unasked(uint32_t type)
{
        const struct wire_packet *p = wire_packet_find(type);

        return p && p->flags & WP_UNSOLICITED;
}

void cf_take(struct cf *c, struct cf_link *l, uint32_t type, struct wire_msg *m)
{
        struct wire_ctx ctx = { l ? l->server : 0, l ? l->declared : 0, l ? l->hint : 0 };
        const char *name = wire_packet_name(type);
        uint64_t until = in_ms(CF_WAIT_MS);
        bool other;
        int got;

        memset(m, 0, sizeof(*m));
        do {
                got = next_until(c, l, until);
                other = got > 0 && l->type != type && unasked(l->type);
        } while (other && ri_now() < until);
        if (other)
                got = -1;
        if (got < 0)
                cf_fail(c, "expected %s: nothing comes for %d s", name, CF_WAIT_MS / 1000);
        else if (got == 0)
                cf_fail(c, "expected %s: the server ends the connection", name);
        else if (l->type != type)
                cf_fail(c, "expected %s, got %s (%u)", name, wire_packet_name(l->type), l->type);
        else if (wire_decode(m, type, l->cs ? WIRE_FROM_CS : WIRE_FROM_MASTER, l->buf, l->len, &ctx) !=
                 WIRE_OK)
                cf_fail(c, "%s of %zu bytes has no known layout", name, l->len);
        else
                return;
        memset(m, 0, sizeof(*m));
}

void cf_call(struct cf *c, struct cf_link *l, struct wire_msg *m, struct wire_msg *reply)
{
        cf_send(c, l, m);
        cf_take(c, l, m->type + 1, reply);
        if (!c->failed && wire_has(m, WF_MSGID) && wire_has(reply, WF_MSGID))
                cf_eq(c, "the msgid of the reply", wire_get_u_or(reply, WF_MSGID, 0),
                      wire_get_u_or(m, WF_MSGID, 0));
}

uint8_t cf_ask(struct cf *c, struct cf_link *l, struct wire_msg *m)
{
        struct wire_msg reply;
        uint8_t status = WIRE_STATUS_OK;

        cf_call(c, l, m, &reply);
        if (!c->failed)
                wire_is_status(&reply, &status);
        return status;
}

void cf_want(struct cf *c, struct cf_link *l, struct wire_msg *m, uint8_t status)
{
        uint8_t got = cf_ask(c, l, m);

        if (!c->failed)
                cf_status_is(c, wire_packet_name(m->type), got, status);
}

void cf_want_closed(struct cf *c, struct cf_link *l, const char *what)
{
        int got = cf_next(c, l, CF_WAIT_MS);

        if (got > 0)
                cf_fail(c, "%s: expected that the server ends the connection, got %s of %zu bytes", what,
                        wire_packet_name(l->type), l->len);
        else if (got < 0)
                cf_fail(c, "%s: expected that the server ends the connection, it stays open", what);
}

void cf_want_quiet(struct cf *c, struct cf_link *l, const char *what)
{
        int got = cf_next(c, l, CF_QUIET_MS);

        if (got > 0)
                cf_fail(c, "%s: expected no answer yet, got %s", what, wire_packet_name(l->type));
        else if (got == 0)
                cf_fail(c, "%s: expected no answer yet, the server ends the connection", what);
}

uint64_t cf_u(struct cf *c, struct wire_msg *m, enum wire_field field)
{
        uint8_t status;

        if (c->failed)
                return 0;
        if (!wire_has(m, field)) {
                if (wire_is_status(m, &status))
                        cf_fail(c, "%s: status %u (%s)", wire_packet_name(m->type), status,
                                wire_status_name(status));
                else
                        cf_fail(c, "%s has no %s", wire_packet_name(m->type), wire_field_name(field));
                return 0;
        }
        return wire_get_u_or(m, field, 0);
}
