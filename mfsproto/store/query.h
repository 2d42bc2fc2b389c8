/* SPDX-License-Identifier: MIT */
/* Questions to a server without a session: a chunkserver about one chunk, a master about its chunkservers. Connections
 * are kept for the next question for a moment. */
#ifndef MFS_QUERY_H
#define MFS_QUERY_H

#include "mfsproto/session/link.h"

struct mfs_query;

struct mfs_query_events {
        /* May end the query with mfs_query_put() or mfs_query_drop(). */
        void (*packet)(struct mfs_query *q, uint32_t type, const uint8_t *payload, uint32_t len);
        /* The query is gone. retry: it was an old connection that had ended meanwhile, a new one may do better. */
        void (*failed)(struct mfs_query *q, const struct ri_error *e, bool retry);
};

struct mfs_query {
        struct ri_list idle; /* in pool while nobody uses it */
        struct ri_list *pool;
        struct mfs_link link;
        struct ri_timer tick;
        const struct mfs_query_events *ev; /* NULL: idle */
        void *arg;
        uint32_t ip;
        uint16_t port;
        bool used, answered; /* it served another question before; it has begun to answer this one */
        uint64_t idle_at, asked_at, driven_at;
};

/* A connection, new or kept. What is put into q->link leaves when it is up. NULL with *e filled. */
struct mfs_query *mfs_query_get(struct ri_list *pool, roma_loop *loop, struct mfs_dialer *d, uint32_t ip,
                                uint16_t port, const struct mfs_query_events *ev, void *arg,
                                struct ri_error *e);
void mfs_query_put(struct mfs_query *q); /* the answer is complete */
void mfs_query_drop(struct mfs_query *q);
void mfs_query_drop_all(struct ri_list *pool);

#endif
