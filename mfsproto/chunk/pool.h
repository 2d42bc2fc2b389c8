/* SPDX-License-Identifier: MIT */
/* Connections to chunkservers, kept for a few seconds between jobs. A connection belongs to one job at a time. */
#ifndef MFS_CHUNK_POOL_H
#define MFS_CHUNK_POOL_H

#include "mfsproto/session/session.h"

/* The server closes after 5 s without input. */
#define MFS_CS_IDLE_MS    4000u
#define MFS_CS_CONNECT_MS 3000u
#define MFS_CS_BAD_MS     10000u
#define MFS_CS_PER_SERVER 32u
#define MFS_CS_TOTAL      128u

struct mfs_pool {
        roma_loop *loop;
        struct mfs_dialer *dialer;
        struct ri_map servers;  /* struct mfs_cs by ip << 16 | port */
        struct ri_list conns;   /* in use or connecting */
        struct ri_list waiting; /* struct mfs_cs_want: too many are open */
        struct ri_timer expire; /* runs while there are idle ones */
        struct ri_task serve;   /* looks at `waiting` */
        unsigned open, idle;
        void (*crowded)(void *arg); /* somebody has to wait: give back what is kept for convenience */
        void *crowded_arg;
};

/* One chunkserver. Lives as long as the pool. */
struct mfs_cs {
        struct ri_map_node node;
        struct mfs_pool *pool;
        uint32_t ip;
        uint16_t port;
        char name[24];       /* "10.77.0.1:9422" */
        struct ri_list idle; /* latest first */
        unsigned open;       /* connections in any state */
        unsigned busy;       /* jobs that read from it now, to spread reads */
        uint64_t bad_until;  /* ri_now() until when others are preferred */
};

struct mfs_cs_want;

/* What a connection tells its user. Never called inside a call of the pool. */
struct mfs_cs_user {
        void (*readable)(void *arg);
        void (*writable)(void *arg);
        void (*failed)(void *arg, const struct ri_error *e); /* still to be released */
};

struct mfs_cs_conn {
        struct ri_list link; /* pool->conns or cs->idle */
        struct mfs_cs *cs;
        struct mfs_transport *t;
        struct mfs_cs_want *want; /* while it is being opened */
        const struct mfs_cs_user *user;
        void *arg;
        bool is_idle;
        bool reused; /* a failure before the first answered byte says nothing about the server */
        uint64_t idle_since;
        unsigned char in[WIRE_HEADER_SIZE]; /* NOPs that arrive while idle */
        unsigned in_len;
};

/* A request for a connection, embedded in its owner. Exactly one of the two is called, never inside the start,
 * unless it is cancelled. */
struct mfs_cs_want {
        struct ri_list link; /* pool->waiting */
        struct ri_task task;
        struct mfs_cs *cs; /* NULL: not active */
        struct mfs_cs_conn *conn;
        struct ri_op *op; /* for traces; may be NULL */
        uint64_t start_ns;
        bool fresh; /* do not take an idle one */
        void (*ready)(struct mfs_cs_want *w, struct mfs_cs_conn *c);
        void (*failed)(struct mfs_cs_want *w, const struct ri_error *e);
        struct ri_error error; /* when no dialling was possible */
};

void mfs_pool_init(struct mfs_pool *p, roma_loop *loop, struct mfs_dialer *dialer);
void mfs_pool_drop(struct mfs_pool *p); /* closes all at once; nobody may use one */

/* NULL when memory is missing. */
struct mfs_cs *mfs_pool_server(struct mfs_pool *p, uint32_t ip, uint16_t port);
void mfs_cs_mark_bad(struct mfs_cs *cs);
bool mfs_cs_is_bad(const struct mfs_cs *cs);

void mfs_cs_want_start(struct mfs_cs_want *w, struct mfs_cs *cs, bool fresh, struct ri_op *op);
void mfs_cs_want_cancel(struct mfs_cs_want *w); /* allowed when not active */

/* From ready() on: who hears of the connection. */
void mfs_cs_conn_use(struct mfs_cs_conn *c, const struct mfs_cs_user *user, void *arg);
/* clean: nothing is under way on it, somebody else may have it. Otherwise it is closed. */
void mfs_cs_conn_release(struct mfs_cs_conn *c, bool clean);

#endif
