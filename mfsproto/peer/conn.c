/* SPDX-License-Identifier: MIT */
/* Connections of the peer: accepted ones, and those that a chunkserver opens to the next one of a chain. Bytes in
 * and out, packets cut and handed to the role; what a packet means is not known here. */
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "mfsproto/peer/inner.h"

enum { IN_SIZE = 128 << 10, OUT_MAX = 1 << 30, ROUNDS = 64, TRIES = 20 };

static void conn_ready(struct ri_fd *w, unsigned events);

static void local(struct sockaddr_in *a, uint16_t port)
{
        memset(a, 0, sizeof *a);
        a->sin_family = AF_INET;
        a->sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        a->sin_port = htons(port);
}

/* ---- ending ------------------------------------------------------------------------------------------------ */

static void conn_free(struct peer_conn *c)
{
        wire_frame_free(&c->frame);
        ri_str_free(&c->out);
        free(c->held);
        free(c->in);
        free(c);
}

void peer_bury(struct mfs_peer *p)
{
        for (unsigned i = 0; i <= p->cfg.servers; i++)
                ri_list_for_each_safe(l, tmp, &p->server[i].conns)
                {
                        struct peer_conn *c = ri_container_of(l, struct peer_conn, link);

                        if (c->dead) {
                                ri_list_del(l);
                                conn_free(c);
                        }
                }
}

void peer_kill(struct peer_conn *c)
{
        if (c->dead)
                return;
        c->dead = true;
        if (c->seen)
                c->peer->cfg.tap->closed(c->peer->cfg.tap->arg, c->seen, c->hung_up);
        ri_fd_stop(&c->w);
        close(c->w.fd);
        ri_timer_stop(&c->in_timer);
        ri_timer_stop(&c->out_timer);
        if (c->role->closed)
                c->role->closed(c);
        /* it stays in its list, so that whoever walks there (or stands in its handler) is not led astray */
        ri_task_queue(c->peer->loop, &c->peer->reap);
}

void peer_reset(struct peer_conn *c)
{
        struct linger hard = { 1, 0 };

        if (!c->dead)
                setsockopt(c->w.fd, SOL_SOCKET, SO_LINGER, &hard, sizeof hard);
        peer_kill(c);
}

/* ---- bytes out --------------------------------------------------------------------------------------------- */

size_t peer_backlog(const struct peer_conn *c)
{
        return c->out.len - c->out_at;
}

void peer_watch(struct peer_conn *c)
{
        unsigned want = 0;

        if (c->dead)
                return;
        if (!c->server->hung) {
                if (!c->held_in && !c->connecting && !c->ending)
                        want |= RI_READ;
                if (c->connecting || (peer_backlog(c) && !c->held_out))
                        want |= RI_WRITE;
        }
        /* an idle watcher would still be woken by a hang-up, again and again */
        if (!want)
                ri_fd_stop(&c->w);
        else if (!c->w.loop)
                ri_fd_start(c->peer->loop, &c->w, want);
        else
                ri_fd_change(&c->w, want);
}

/* Sends what there is. False when the socket is full or the connection has ended. */
static bool push(struct peer_conn *c)
{
        while (peer_backlog(c)) {
                ssize_t n = send(c->w.fd, c->out.p + c->out_at, peer_backlog(c), MSG_NOSIGNAL | MSG_DONTWAIT);

                if (n < 0 && errno == EINTR)
                        continue;
                if (n < 0) {
                        if (errno != EAGAIN)
                                peer_kill(c);
                        return false;
                }
                if (c->seen)
                        c->peer->cfg.tap->bytes(c->peer->cfg.tap->arg, c->seen, false, c->out.p + c->out_at,
                                                (size_t)n);
                c->out_at += (size_t)n;
        }
        ri_str_reset(&c->out);
        c->out_at = 0;
        return true;
}

static void flush(struct peer_conn *c)
{
        for (int i = 0; i < ROUNDS && !c->dead && !c->server->hung && !c->held_out && !c->connecting; i++) {
                if (!push(c))
                        break;
                if (c->ending) {
                        peer_kill(c);
                        return;
                }
                if (c->role->drained)
                        c->role->drained(c);
                if (!peer_backlog(c))
                        break;
        }
        peer_watch(c);
}

void peer_put(struct peer_conn *c, const void *bytes, size_t n)
{
        if (c->dead || c->ending)
                return;
        if (c->out_at > (1 << 20)) { /* long replies leave in pieces: give the room back */
                memmove(c->out.p, c->out.p + c->out_at, peer_backlog(c));
                ri_str_truncate(&c->out, peer_backlog(c));
                c->out_at = 0;
        }
        if (ri_str_append(&c->out, bytes, n) < 0) {
                peer_kill(c);
                return;
        }
        c->said_ns = ri_now();
        peer_watch(c);
}

void peer_nop(struct peer_conn *c)
{
        uint8_t packet[12] = { 0 };
        size_t n = c->role == &peer_role_master ? 12 : 8;

        wire_put32(packet + 4, (uint32_t)n - WIRE_HEADER_SIZE);
        peer_put(c, packet, n);
}

void peer_end(struct peer_conn *c)
{
        if (c->dead)
                return;
        c->ending = true;
        if (peer_backlog(c))
                peer_watch(c);
        else
                peer_kill(c);
}

/* ---- bytes in ---------------------------------------------------------------------------------------------- */

static void packet(struct peer_conn *c, uint32_t type, const uint8_t *payload, size_t len)
{
        if (c->role != &peer_role_chain) { /* what comes up a chain was counted where it was sent */
                const struct mfs_peer_fault *f = peer_fault(c->server, type, false);

                if (f && !peer_fault_request(c, f, type, payload, len))
                        return;
        }
        c->role->packet(c, type, payload, len);
}

static void parse(struct peer_conn *c)
{
        while (!c->dead && !c->held_in && !c->ending && !c->server->hung) {
                const uint8_t *at = c->in + c->in_at;
                size_t left = c->in_len - c->in_at;
                int event = wire_frame_feed(&c->frame, &at, &left);

                c->in_at = c->in_len - left;
                if (event == WIRE_FRAME_MORE)
                        break;
                if (event < 0) {
                        if (c->role != &peer_role_chain && !c->chained)
                                peer_broken(c->peer, MFS_RULE_PACKET,
                                            "%s: packet %u of %u bytes: larger than allowed", c->role->name,
                                            c->frame.type, c->frame.length);
                        peer_kill(c);
                } else if (event == WIRE_FRAME_PACKET) {
                        packet(c, c->frame.type, c->frame.payload, c->frame.length);
                }
        }
}

static void receive(struct peer_conn *c)
{
        ssize_t n;

        parse(c);
        if (c->dead || c->held_in || c->in_at < c->in_len)
                return;
        c->in_at = c->in_len = 0;
        n = recv(c->w.fd, c->in, IN_SIZE, MSG_DONTWAIT);
        if (n < 0 && (errno == EAGAIN || errno == EINTR))
                return;
        if (n <= 0) {
                c->hung_up = true;
                peer_kill(c);
                return;
        }
        if (c->seen) {
                int one = 1;

                /* a client that waits until its data have arrived learns it at once, not with the next status */
                setsockopt(c->w.fd, IPPROTO_TCP, TCP_QUICKACK, &one, sizeof one);
                c->peer->cfg.tap->bytes(c->peer->cfg.tap->arg, c->seen, true, c->in, (size_t)n);
        }
        c->in_len = (size_t)n;
        c->heard_ns = ri_now();
        parse(c);
}

/* Reads what has come to a connection that is watched. True: there was something. */
static bool read_on(struct peer_conn *c)
{
        bool any = false;
        int n = 0;

        for (int k = 0; k < ROUNDS && c->seen && !c->dead && !c->held_in && !c->ending && !c->server->hung &&
                        ioctl(c->w.fd, FIONREAD, &n) == 0 && n > 0;
             k++) {
                receive(c);
                any = true;
        }
        return any;
}

/* What a client sent to chunkservers before it spoke to the master is looked at first: who watches would see the END
 * before the data that it ends, only because of the order in which sockets are read. Reading makes room, so that more
 * comes which the client has sent already. */
static void chunkservers_first(struct mfs_peer *p)
{
        const struct timespec moment = { 0, 1000000 };
        bool more = true;

        for (int tries = 0; more && tries < TRIES; tries++) {
                more = false;
                for (unsigned i = 1; i <= p->cfg.servers; i++)
                        ri_list_for_each(l, &p->server[i].conns) more |=
                                read_on(ri_container_of(l, struct peer_conn, link));
                if (more)
                        nanosleep(&moment, NULL);
        }
}

static void connect_done(struct peer_conn *c)
{
        int err = 0;
        socklen_t len = sizeof err;

        if (getsockopt(c->w.fd, SOL_SOCKET, SO_ERROR, &err, &len) < 0 || err) {
                peer_kill(c);
                return;
        }
        c->connecting = false;
        if (c->role->connected)
                c->role->connected(c);
}

static void conn_ready(struct ri_fd *w, unsigned events)
{
        struct peer_conn *c = ri_container_of(w, struct peer_conn, w);

        if (c->connecting) {
                connect_done(c);
        } else {
                if (events & w->events & RI_READ) {
                        if (c->seen && c->role == &peer_role_master)
                                chunkservers_first(c->peer);
                        if (!c->dead)
                                receive(c);
                }
                if (!c->dead && (events & RI_WRITE))
                        flush(c);
        }
        if (!c->dead)
                peer_watch(c);
}

void peer_resume(struct peer_conn *c)
{
        if (c->dead || c->connecting || c->in_at >= c->in_len)
                return;
        parse(c);
        peer_watch(c);
}

/* ---- waiting on purpose ------------------------------------------------------------------------------------ */

static void in_fire(struct ri_timer *t)
{
        struct peer_conn *c = ri_container_of(t, struct peer_conn, in_timer);
        uint8_t *payload = c->held;

        if (c->server->hung) {
                ri_timer_start(c->peer->loop, t, 20);
                return;
        }
        c->held_in = false;
        c->held = NULL;
        c->role->packet(c, c->held_type, payload, c->held_len);
        free(payload);
        if (!c->dead)
                parse(c);
        peer_watch(c);
}

void peer_hold_in(struct peer_conn *c, uint32_t ms, uint32_t type, const uint8_t *payload, size_t len)
{
        c->held = (uint8_t *)ri_memdup0(payload, len);
        c->held_type = type;
        c->held_len = len;
        c->in_timer.fire = in_fire;
        if (!c->held || ri_timer_start(c->peer->loop, &c->in_timer, ms) < 0) {
                peer_kill(c);
                return;
        }
        c->held_in = true;
}

static void out_fire(struct ri_timer *t)
{
        struct peer_conn *c = ri_container_of(t, struct peer_conn, out_timer);

        c->held_out = false;
        flush(c);
}

void peer_hold_out(struct peer_conn *c, uint32_t ms)
{
        c->out_timer.fire = out_fire;
        if (ri_timer_start(c->peer->loop, &c->out_timer, ms) < 0)
                peer_kill(c);
        c->held_out = true;
}

/* ---- new ones ---------------------------------------------------------------------------------------------- */

static struct peer_conn *conn_new(struct peer_server *s, int fd, const struct peer_role *role)
{
        struct peer_conn *c = calloc(1, sizeof *c);
        int one = 1;

        if (!c || !(c->in = malloc(IN_SIZE))) {
                free(c);
                close(fd);
                return NULL;
        }
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
        c->peer = s->peer;
        c->server = s;
        c->role = role;
        c->w.fd = fd;
        c->w.ready = conn_ready;
        c->heard_ns = c->said_ns = c->nop_ns = ri_now();
        ri_str_init(&c->out, OUT_MAX);
        wire_frame_init(&c->frame, wire_max_payload(role->in));
        ri_list_add_tail(&s->conns, &c->link);
        return c;
}

struct peer_conn *peer_dial(struct peer_server *from, uint16_t port, const struct peer_role *role)
{
        int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
        struct sockaddr_in to, own;
        socklen_t len = sizeof own;
        struct peer_conn *c;

        if (fd < 0)
                return NULL;
        local(&to, port);
        if (connect(fd, (struct sockaddr *)&to, sizeof to) < 0 && errno != EINPROGRESS) {
                close(fd);
                return NULL;
        }
        c = conn_new(from, fd, role);
        if (!c)
                return NULL;
        /* how the other server of ours knows that it talks to a server: see is_ours() */
        if (getsockname(fd, (struct sockaddr *)&own, &len) == 0)
                c->from_port = ntohs(own.sin_port);
        c->connecting = true;
        peer_watch(c);
        return c;
}

static bool is_ours(struct mfs_peer *p, uint16_t port)
{
        for (unsigned i = 1; i <= p->cfg.servers; i++)
                ri_list_for_each(l, &p->server[i].conns)
                {
                        struct peer_conn *c = ri_container_of(l, struct peer_conn, link);

                        if (!c->dead && c->role == &peer_role_chain && c->from_port == port)
                                return true;
                }
        return false;
}

static void accepted(struct ri_fd *w, unsigned events)
{
        struct peer_server *s = ri_container_of(w, struct peer_server, listen);
        struct sockaddr_in from;
        socklen_t len = sizeof from;
        int fd = accept4(w->fd, (struct sockaddr *)&from, &len, SOCK_NONBLOCK | SOCK_CLOEXEC);
        struct peer_conn *c;

        (void)events;
        if (fd < 0)
                return;
        c = conn_new(s, fd, s->index ? &peer_role_cs : &peer_role_master);
        if (!c)
                return;
        c->from_port = ntohs(from.sin_port);
        c->chained = s->index && is_ours(s->peer, c->from_port);
        if (s->peer->cfg.tap) {
                c->seen = ++s->peer->accepted;
                s->peer->cfg.tap->opened(s->peer->cfg.tap->arg, c->seen, c->from_port, s->port);
        }
        peer_watch(c);
}

/* A socket with the server's port, or with any that is free when it has none yet. */
static int bind_port(struct peer_server *s)
{
        int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0), one = 1, err;
        struct sockaddr_in a;
        socklen_t len = sizeof a;

        if (fd < 0)
                return -errno;
        local(&a, s->port);
        setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
        if (bind(fd, (struct sockaddr *)&a, sizeof a) == 0 &&
            getsockname(fd, (struct sockaddr *)&a, &len) == 0) {
                s->port = ntohs(a.sin_port);
                return fd;
        }
        err = errno;
        close(fd);
        return -err;
}

int peer_listen(struct peer_server *s)
{
        int fd;

        if (s->place < 0 && (s->place = bind_port(s)) < 0)
                return s->place;
        fd = bind_port(s);
        if (fd < 0)
                return fd;
        if (listen(fd, 128) < 0) {
                int err = errno;

                close(fd);
                return -err;
        }
        s->listen.fd = fd;
        s->listen.ready = accepted;
        s->up = true;
        return ri_fd_start(s->peer->loop, &s->listen, RI_READ);
}
