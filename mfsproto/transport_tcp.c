/* SPDX-License-Identifier: MIT */
/* The transport over a TCP socket. MooseFS addresses are IPv4, on the wire too. */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "mfsproto/sys.h"
#include "mfsproto/transport.h"

struct tcp {
        struct mfs_transport base;
        roma_loop *loop;
        struct ri_fd fd;
        struct ri_timer limit; /* of the connect */
        struct ri_task report; /* tells the owner what happened inside one of its own calls */
        struct ri_error error; /* what `report` tells; code 0: that the connection is there */
        bool connecting;
        bool failed; /* failed() was or will be called */
        bool want_read, want_write;
        int send_error; /* a send failed; what had arrived before is still read, then failed() follows */
        bool *gone;     /* set when the owner closes inside a callback */
};

static struct tcp *tcp_of(struct mfs_transport *t)
{
        return ri_container_of(t, struct tcp, base);
}

static int error_code(int err, bool connecting)
{
        if (err == ENOMEM || err == ENOBUFS)
                return ROMA_ENOMEM;
        if (err == EMFILE || err == ENFILE || err == EPERM || err == EACCES)
                return ROMA_ESYSTEM;
        return connecting ? ROMA_ECONNECT : ROMA_ECLOSED;
}

static void set_error(struct tcp *t, int err)
{
        if (err == 0)
                ri_error_set(&t->error, ROMA_ECLOSED, t->base.peer, "the other side closed the connection");
        else
                ri_error_set(&t->error, error_code(err, t->connecting), t->base.peer, "%s: %s",
                             t->connecting ? "no connection" : "the connection broke", strerror(err));
        t->error.status_kind = err ? ROMA_STATUS_ERRNO : ROMA_STATUS_NONE;
        t->error.server_status = err;
        t->error.flags = ROMA_RETRIABLE;
}

/* Nothing moves any more; the owner hears of it in its own turn. */
static void fail_later(struct tcp *t, int err)
{
        if (t->failed)
                return;
        set_error(t, err);
        t->failed = true;
        ri_fd_stop(&t->fd);
        ri_timer_stop(&t->limit);
        ri_task_queue(t->loop, &t->report);
}

/* Watches what is wanted. A socket that nobody wants anything of is not watched at all: epoll would report its end
 * again and again. */
static void rewatch(struct tcp *t)
{
        unsigned events = (t->want_read ? RI_READ : 0) | (t->want_write ? RI_WRITE : 0);
        int rc = 0;

        if (t->failed || t->connecting)
                return;
        if (!events)
                ri_fd_stop(&t->fd);
        else if (!t->fd.loop)
                rc = ri_fd_start(t->loop, &t->fd, events);
        else if (t->fd.events != events)
                rc = ri_fd_change(&t->fd, events);
        if (rc < 0)
                fail_later(t, -rc);
}

/* Out of line: the compiler takes the pointer for one that outlives its variable. */
static __attribute__((noinline)) void watch_close(struct tcp *t, bool *gone)
{
        t->gone = gone;
}

static void report_run(struct ri_task *task)
{
        struct tcp *t = ri_container_of(task, struct tcp, report);

        if (t->send_error && !t->failed) {
                bool gone = false;

                watch_close(t, &gone);
                t->base.ev->readable(t->base.arg);
                if (gone)
                        return;
                t->gone = NULL;
                fail_later(t, t->send_error);
        } else if (t->failed)
                t->base.ev->failed(t->base.arg, &t->error);
        else
                t->base.ev->connected(t->base.arg);
}

static void connect_ended(struct tcp *t)
{
        int err = 0;
        socklen_t len = sizeof(err);

        if (mfs_sys.getsockopt(t->fd.fd, SOL_SOCKET, SO_ERROR, &err, &len) < 0)
                err = errno;
        if (err) {
                fail_later(t, err);
                return;
        }
        t->connecting = false;
        ri_timer_stop(&t->limit);
        rewatch(t);
        if (!t->failed)
                t->base.ev->connected(t->base.arg);
}

static void fd_ready(struct ri_fd *w, unsigned events)
{
        struct tcp *t = ri_container_of(w, struct tcp, fd);
        bool gone = false;

        if (t->connecting) {
                connect_ended(t);
                return;
        }
        watch_close(t, &gone);
        if ((events & RI_WRITE) && t->want_write) {
                t->want_write = false;
                rewatch(t);
                t->base.ev->writable(t->base.arg);
        }
        if (!gone && (events & RI_READ) && t->want_read && !t->failed)
                t->base.ev->readable(t->base.arg);
        if (!gone)
                t->gone = NULL;
}

static void limit_fire(struct ri_timer *timer)
{
        struct tcp *t = ri_container_of(timer, struct tcp, limit);

        fail_later(t, ETIMEDOUT);
}

static ssize_t tcp_send(struct mfs_transport *base, const struct iovec *iov, int n)
{
        struct tcp *t = tcp_of(base);
        struct msghdr msg = { .msg_iov = (struct iovec *)iov, .msg_iovlen = (size_t)n };
        size_t all = 0;
        ssize_t k;

        if (t->failed || t->send_error)
                return -EPIPE;
        for (int i = 0; i < n; i++)
                all += iov[i].iov_len;
        do
                k = mfs_sys.sendmsg(t->fd.fd, &msg, MSG_NOSIGNAL);
        while (k < 0 && errno == EINTR);
        if (k < 0 && errno != EAGAIN && errno != EWOULDBLOCK) {
                t->send_error = errno;
                ri_task_queue(t->loop, &t->report);
                return -t->send_error;
        }
        if (k < 0)
                k = 0;
        t->loop->stats.bytes_out_total += (uint64_t)k;
        if ((size_t)k < all) {
                t->want_write = true;
                rewatch(t);
        }
        return k;
}

static ssize_t tcp_recv(struct mfs_transport *base, const struct iovec *iov, int n)
{
        struct tcp *t = tcp_of(base);
        struct msghdr msg = { .msg_iov = (struct iovec *)iov, .msg_iovlen = (size_t)n };
        ssize_t k;
        int err;

        if (t->failed)
                return -EPIPE;
        do
                k = mfs_sys.recvmsg(t->fd.fd, &msg, 0);
        while (k < 0 && errno == EINTR);
        if (k > 0) {
                t->loop->stats.bytes_in_total += (uint64_t)k;
                return k;
        }
        if (k < 0 && (errno == EAGAIN || errno == EWOULDBLOCK))
                return -EAGAIN;
        err = k < 0 ? errno : 0;
        fail_later(t, err);
        return -err;
}

static void tcp_want_read(struct mfs_transport *base, bool on)
{
        struct tcp *t = tcp_of(base);

        t->want_read = on;
        rewatch(t);
}

static void tcp_close(struct mfs_transport *base)
{
        struct tcp *t = tcp_of(base);

        if (t->gone)
                *t->gone = true;
        ri_fd_stop(&t->fd);
        ri_timer_stop(&t->limit);
        ri_task_drop(&t->report);
        mfs_sys.close(t->fd.fd);
        t->loop->stats.connections--;
        free(t);
}

static void tcp_discard(struct mfs_transport *base)
{
        struct linger now = { .l_onoff = 1, .l_linger = 0 };

        mfs_sys.setsockopt(tcp_of(base)->fd.fd, SOL_SOCKET, SO_LINGER, &now, sizeof(now));
}

static const struct mfs_transport_ops tcp_ops = {
        .name = "tcp",
        .send = tcp_send,
        .recv = tcp_recv,
        .want_read = tcp_want_read,
        .close = tcp_close,
        .discard = tcp_discard,
};

/* Starts the connect; whatever it says is told later. */
static void start_connect(struct tcp *t, uint32_t ip, uint16_t port, uint32_t connect_ms)
{
        struct sockaddr_in addr = { .sin_family = AF_INET, .sin_port = htons(port) };
        int rc;

        addr.sin_addr.s_addr = htonl(ip);
        t->connecting = true;
        if (mfs_sys.connect(t->fd.fd, (const struct sockaddr *)&addr, sizeof(addr)) == 0) {
                t->connecting = false;
                rewatch(t);
                if (!t->failed)
                        ri_task_queue(t->loop, &t->report);
                return;
        }
        if (errno != EINPROGRESS && errno != EINTR) {
                fail_later(t, errno);
                return;
        }
        rc = ri_fd_start(t->loop, &t->fd, RI_WRITE);
        if (rc == 0)
                rc = ri_timer_start(t->loop, &t->limit, connect_ms);
        if (rc < 0)
                fail_later(t, -rc);
}

static struct mfs_transport *tcp_dial(struct mfs_dialer *d, roma_loop *loop, uint32_t ip, uint16_t port,
                                      uint32_t connect_ms, const struct mfs_transport_events *ev, void *arg,
                                      struct ri_error *e)
{
        struct tcp *t = calloc(1, sizeof(*t));
        int one = 1;

        (void)d;
        if (!t) {
                ri_error_set(e, ROMA_ENOMEM, "", "no memory for a connection");
                return NULL;
        }
        snprintf(t->base.peer, sizeof(t->base.peer), "%u.%u.%u.%u:%u", ip >> 24, (ip >> 16) & 255,
                 (ip >> 8) & 255, ip & 255, port);
        t->fd.fd = mfs_sys.socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
        if (t->fd.fd < 0) {
                int err = errno;

                ri_error_set(e, error_code(err, true), t->base.peer, "no socket: %s%s", strerror(err),
                             err == EMFILE ? "; raise the limit of open files (ulimit -n)" : "");
                e->status_kind = ROMA_STATUS_ERRNO;
                e->server_status = err;
                free(t);
                return NULL;
        }
        t->base.ops = &tcp_ops;
        t->base.ev = ev;
        t->base.arg = arg;
        t->loop = loop;
        t->fd.ready = fd_ready;
        t->limit.fire = limit_fire;
        t->report.run = report_run;
        t->want_read = true;
        loop->stats.connections++;
        loop->stats.connects_total++;
        /* Requests are gathered before they are sent, so waiting for more would only cost time. */
        mfs_sys.setsockopt(t->fd.fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
        start_connect(t, ip, port, connect_ms);
        return &t->base;
}

struct mfs_dialer mfs_dialer_tcp = { tcp_dial };
