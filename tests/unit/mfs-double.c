/* SPDX-License-Identifier: MIT */
/* The transport of two buffers. */
#include "mfs-double.h"

#include <check.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct double_conn *conn_of(struct mfs_transport *t)
{
        return ri_container_of(t, struct double_conn, base);
}

static void run(struct ri_task *task)
{
        struct double_conn *c = ri_container_of(task, struct double_conn, task);
        struct ri_error e;

        if (c->closed)
                return;
        if (!c->told && !c->refuse) {
                c->told = true;
                ri_task_queue(c->loop, &c->task);
                c->base.ev->connected(c->base.arg);
        } else if (c->refuse || c->failed) {
                memset(&e, 0, sizeof(e));
                ri_error_set(&e, c->refuse ? ROMA_ECONNECT : ROMA_ECLOSED, c->base.peer,
                             c->refuse ? "no connection: refused" : "the other side closed the connection");
                c->base.ev->failed(c->base.arg, &e);
        } else if (c->in_at < c->in_len || c->ended) {
                c->base.ev->readable(c->base.arg);
        }
}

static ssize_t conn_send(struct mfs_transport *t, const struct iovec *iov, int n)
{
        struct double_conn *c = conn_of(t);
        size_t took = 0;

        for (int i = 0; i < n; i++) {
                size_t k = iov[i].iov_len < c->room - took ? iov[i].iov_len : c->room - took;

                ck_assert_uint_le(c->out_len + k, DOUBLE_BYTES);
                memcpy(c->out + c->out_len, iov[i].iov_base, k);
                c->out_len += k;
                took += k;
        }
        c->sends += took != 0;
        return (ssize_t)took;
}

static ssize_t conn_recv(struct mfs_transport *t, const struct iovec *iov, int n)
{
        struct double_conn *c = conn_of(t);
        size_t k = c->in_len - c->in_at;

        ck_assert_int_eq(n, 1);
        if (k == 0 && c->ended) {
                c->failed = true;
                ri_task_queue(c->loop, &c->task);
                return 0;
        }
        if (k == 0)
                return -EAGAIN;
        k = k < iov->iov_len ? k : iov->iov_len;
        memcpy(iov->iov_base, c->in + c->in_at, k);
        c->in_at += k;
        if (c->in_at < c->in_len || c->ended)
                ri_task_queue(c->loop, &c->task);
        return (ssize_t)k;
}

static void conn_want_read(struct mfs_transport *t, bool on)
{
        (void)t;
        (void)on;
}

static void conn_close(struct mfs_transport *t)
{
        conn_of(t)->closed = true;
        ri_task_drop(&conn_of(t)->task);
}

static const struct mfs_transport_ops ops = {
        .name = "double",
        .send = conn_send,
        .recv = conn_recv,
        .want_read = conn_want_read,
        .close = conn_close,
};

static struct mfs_transport *dial(struct mfs_dialer *d, roma_loop *loop, uint32_t ip, uint16_t port,
                                  uint32_t connect_ms, const struct mfs_transport_events *ev, void *arg,
                                  struct ri_error *e)
{
        struct double_net *net = ri_container_of(d, struct double_net, dialer);
        struct double_conn *c = calloc(1, sizeof(*c));

        (void)e;
        ck_assert_uint_gt(connect_ms, 0);
        ck_assert_uint_lt(net->dials, DOUBLE_MAX);
        ck_assert_ptr_nonnull(c);
        snprintf(c->base.peer, sizeof(c->base.peer), "%u.%u.%u.%u:%u", ip >> 24, (ip >> 16) & 255,
                 (ip >> 8) & 255, ip & 255, port);
        c->base.ops = &ops;
        c->base.ev = ev;
        c->base.arg = arg;
        c->loop = loop;
        c->ip = ip;
        c->port = port;
        c->task.run = run;
        c->room = DOUBLE_BYTES;
        c->refuse = net->refuse > 0;
        net->refuse -= c->refuse;
        net->conn[net->dials++] = c;
        ri_task_queue(loop, &c->task);
        return &c->base;
}

void double_init(struct double_net *net)
{
        memset(net, 0, sizeof(*net));
        net->dialer.dial = dial;
}

void double_free(struct double_net *net)
{
        for (unsigned i = 0; i < net->dials; i++) {
                ck_assert_msg(net->conn[i]->closed, "connection %u was left open", i);
                free(net->conn[i]);
        }
}

void double_turns(roma_loop *loop, unsigned n)
{
        while (n--)
                ck_assert_int_ge(roma_loop_turn(loop, 1), 0);
}

struct double_conn *double_wait_dial(struct double_net *net, roma_loop *loop, unsigned n)
{
        for (unsigned i = 0; i < 8000 && net->dials < n; i++)
                double_turns(loop, 1);
        ck_assert_uint_ge(net->dials, n);
        return net->conn[n - 1];
}

bool double_has_packet(struct double_conn *c)
{
        size_t left = c->out_len - c->out_at;

        return left >= 8 && left - 8 >= wire_be32(c->out + c->out_at + 4);
}

uint32_t double_packet(struct double_conn *c, const uint8_t **payload, uint32_t *len)
{
        const uint8_t *p;

        for (unsigned i = 0; i < 8000 && !double_has_packet(c); i++)
                double_turns(c->loop, 1);
        ck_assert_msg(double_has_packet(c), "the client sent nothing");
        p = c->out + c->out_at;
        *len = wire_be32(p + 4);
        *payload = p + 8;
        c->out_at += 8 + *len;
        return wire_be32(p);
}

void double_give(struct double_conn *c, const void *bytes, size_t len)
{
        ck_assert_uint_le(c->in_len + len, DOUBLE_BYTES);
        if (len)
                memcpy(c->in + c->in_len, bytes, len);
        c->in_len += len;
        if (c->told && !c->closed)
                ri_task_queue(c->loop, &c->task);
}

void double_give_packet(struct double_conn *c, uint32_t type, const void *payload, uint32_t len)
{
        unsigned char head[8];

        wire_put32(head, type);
        wire_put32(head + 4, len);
        double_give(c, head, sizeof(head));
        double_give(c, payload, len);
}

void double_end(struct double_conn *c)
{
        c->ended = true;
        if (!c->closed)
                ri_task_queue(c->loop, &c->task);
}
