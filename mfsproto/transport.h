/* SPDX-License-Identifier: MIT */
/* A byte stream below the protocol, as a small table: TCP, or a test double. One owner; callbacks come from the
 * loop, never inside the call that asked for them. After close() there is none. */
#ifndef MFS_TRANSPORT_H
#define MFS_TRANSPORT_H

#include "core/op.h"

struct mfs_transport;

struct mfs_transport_events {
        void (*connected)(void *arg);
        /* There may be bytes: call recv until it says -EAGAIN (or stop early: it is called again next turn). */
        void (*readable)(void *arg);
        /* There is room again after a send that took less than all. */
        void (*writable)(void *arg);
        /* The end, once: refused, reset, closed by the other side. e->text says which. Still to be closed. */
        void (*failed)(void *arg, const struct ri_error *e);
};

struct mfs_transport_ops {
        const char *name;
        /* Bytes taken, 0 when there is no room now (writable follows), or -errno (failed follows). */
        ssize_t (*send)(struct mfs_transport *t, const struct iovec *iov, int n);
        /* Bytes got, -EAGAIN, 0 at the end of the stream, or -errno. */
        ssize_t (*recv)(struct mfs_transport *t, const struct iovec *iov, int n);
        /* Asks for readable events, or not (back-pressure). On after connect. */
        void (*want_read)(struct mfs_transport *t, bool on);
        void (*close)(struct mfs_transport *t);
        /* Before close: what was taken by send and has not arrived yet shall never arrive. NULL: nothing outlives
         * the close. */
        void (*discard)(struct mfs_transport *t);
};

struct mfs_transport {
        const struct mfs_transport_ops *ops;
        const struct mfs_transport_events *ev;
        void *arg;
        char peer[64]; /* "10.77.0.1:9421" */
};

/* Closes a connection that has failed. A kernel goes on for minutes to deliver what a closed socket has sent; by then it
 * may have been sent again on another way, and newer things behind it. */
static inline void mfs_transport_abort(struct mfs_transport *t)
{
        if (t->ops->discard)
                t->ops->discard(t);
        t->ops->close(t);
}

/* Opens connections: the session and the chunkserver pool get theirs from one of these, so that tests can put
 * something else below. ip in host order. NULL only when memory or descriptors are missing (*e filled); a refused
 * connection comes as failed(). connect_ms: longest time for the connect. */
struct mfs_dialer {
        struct mfs_transport *(*dial)(struct mfs_dialer *d, roma_loop *loop, uint32_t ip, uint16_t port,
                                      uint32_t connect_ms, const struct mfs_transport_events *ev, void *arg,
                                      struct ri_error *e);
};
extern struct mfs_dialer mfs_dialer_tcp;

#endif
