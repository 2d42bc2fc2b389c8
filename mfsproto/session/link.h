/* SPDX-License-Identifier: MIT */
/* One connection as packets: the transport, the framing of what comes, and a buffer that gathers what goes until the
 * end of the turn, so that all packets of a turn leave in one system call. */
#ifndef MFS_LINK_H
#define MFS_LINK_H

#include "core/op.h"
#include "mfsproto/transport.h"
#include "mfsproto/wire/wire.h"

struct mfs_link;

/* Any of these may close the link, and free it then. */
struct mfs_link_events {
        void (*up)(struct mfs_link *l);
        void (*packet)(struct mfs_link *l, uint32_t type, const uint8_t *payload, uint32_t len);
        /* NULL: all packets come whole. True: this one comes in pieces, through data(). */
        bool (*header)(struct mfs_link *l, uint32_t type, uint32_t len);
        void (*data)(struct mfs_link *l, const uint8_t *p, size_t n, bool last);
        /* The end, once; the link is closed already. */
        void (*down)(struct mfs_link *l, const struct ri_error *e);
};

struct mfs_link {
        roma_loop *loop;
        const struct mfs_link_events *ev;
        struct mfs_transport *t; /* NULL: closed */
        bool up;
        bool got_bytes;        /* anything at all came */
        uint64_t rx_at, tx_at; /* last byte received, last bytes sent; 0 before the connection is up */
        uint64_t emptied_at;   /* nothing had arrived then that was not taken */
        uint64_t since;        /* what is being taken arrived behind that */
        uint64_t opened;       /* counts opens, to see that a callback has closed (and reopened) it */
        struct wire_frame frame;
        unsigned char *in;  /* receive buffer, from open to close */
        unsigned char *out; /* bytes to send: out[out_pos .. out_len) */
        size_t out_pos, out_len, out_cap;
        bool blocked; /* the transport has no room */
        bool *taking; /* inside callbacks: set to false when the link is closed */
        struct ri_task flush;
};

/* ev stays. The link is closed. */
void mfs_link_init(struct mfs_link *l, roma_loop *loop, const struct mfs_link_events *ev);
/* Dials. max: largest packet to take. 0, or -1 with *e filled. */
int mfs_link_open(struct mfs_link *l, struct mfs_dialer *d, uint32_t ip, uint16_t port, uint32_t connect_ms,
                  uint32_t max, struct ri_error *e);
/* No event any more. Allowed when closed. */
void mfs_link_close(struct mfs_link *l);
/* The same, and what was sent and is still on its way shall not arrive. */
void mfs_link_abort(struct mfs_link *l);
static inline bool mfs_link_is_open(const struct mfs_link *l)
{
        return l->t != NULL;
}

/* Queues bytes of whole packets; they leave at the end of this turn. -ENOMEM, or 0. */
int mfs_link_put(struct mfs_link *l, const void *bytes, size_t len);
/* Encodes and queues. 0, or -1 with *e filled. */
int mfs_link_send(struct mfs_link *l, struct wire_msg *msg, const struct wire_ctx *ctx, struct ri_error *e);
/* Sends what is queued now, as far as there is room. */
void mfs_link_flush(struct mfs_link *l);
/* Takes what has arrived now, without waiting for the loop to say so. */
void mfs_link_drain(struct mfs_link *l);
/* "10.77.0.1:9421", or "". */
const char *mfs_link_peer(const struct mfs_link *l);

/* True when these are the first bytes of something that speaks text (HTTP, SSH ...): it will never be a packet. */
bool mfs_link_is_text(uint32_t type, uint32_t len);

#endif
