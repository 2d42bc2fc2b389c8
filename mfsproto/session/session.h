/* SPDX-License-Identifier: MIT */
/* One registered session with a master: one pipelined connection, kept alive, reopened and taken up again when it
 * dies; calls matched by msgid; the open-inodes list; times of files; notifications. Protocol pages 2 and 3.9. */
#ifndef MFS_SESSION_H
#define MFS_SESSION_H

#include "core/op.h"
#include "mfsproto/transport.h"
#include "mfsproto/wire/wire.h"

struct mfs_session;

struct mfs_host {
        char name[256]; /* host name or address */
        uint16_t port;
};

struct mfs_session_cfg {
        const struct mfs_host *host;
        size_t hosts;
        const char *export_path; /* registered root; "/" */
        const char *info;        /* shown to administrators */
        bool has_password;
        unsigned char password_md5[16];
        uint32_t uid;
        const uint32_t *gid; /* gid[0] primary; at least one */
        size_t gids;
        uint32_t declare;          /* version we say we are; 0: the newest we know */
        struct mfs_dialer *dialer; /* NULL: TCP */
};

/* What the register reply said. */
struct mfs_session_info {
        uint32_t master_version, session_id;
        uint64_t meta_id;
        uint8_t flags;
        uint16_t umask;
        uint32_t root_uid, root_gid, map_uid, map_gid, disables;
        uint32_t master_ip; /* of the connection in use */
        uint16_t master_port;
};

struct mfs_session *mfs_session_new(roma_loop *loop, const struct mfs_session_cfg *cfg, struct ri_error *e);
/* Resolves, connects, registers; finishes or fails op. */
void mfs_session_connect(struct mfs_session *s, struct ri_op *op);
/* The same for an owner that has more to do with op afterwards: done(arg, NULL) or done(arg, why), unless it is
 * cancelled. op is for its limits' sentences and traces. */
void mfs_session_open(struct mfs_session *s, struct ri_op *op,
                      void (*done)(void *arg, const struct ri_error *e), void *arg);
void mfs_session_open_cancel(struct mfs_session *s);
/* Sends what is due (times, an empty open list), closes the session, then calls closed(arg) and is gone; within
 * 4 s, at once when now (also when it is closing already). Calls in flight are dropped without their callbacks. */
void mfs_session_close(struct mfs_session *s, bool now, void (*closed)(void *arg), void *arg);

roma_loop *mfs_session_loop(const struct mfs_session *s);
const struct mfs_session_info *mfs_session_info(const struct mfs_session *s);
const char *mfs_session_server(const struct mfs_session *s); /* "host:port" for sentences */
uint32_t mfs_session_version(const struct mfs_session *s);   /* of the master, to choose request layouts */
uint32_t mfs_session_declared(const struct mfs_session *s);  /* what we say we are */
struct mfs_dialer *mfs_session_dialer(const struct mfs_session *s);
uint32_t mfs_session_uid(const struct mfs_session *s);
uint32_t mfs_session_gid(const struct mfs_session *s);                      /* the first one */
void mfs_session_set_ug(const struct mfs_session *s, struct wire_msg *req); /* the identity of a request */
bool mfs_session_at_least(const struct mfs_session *s, uint32_t version);   /* of the master: WIRE_VER() */

/* A request to the master, embedded in its owner. Exactly one done(), unless it is cancelled. */
enum mfs_call_flags {
        MFS_REPLAY =
                1, /* send again after a lost connection: it changes nothing, or nothing more the second time */
        MFS_NO_RETRY = 2 /* fail at once when there is no connection */
};
struct mfs_call;
struct mfs_reply {
        const struct ri_error
                *error; /* set: no answer. error->outcome is ROMA_UNKNOWN when it was sent and not replayed */
        uint8_t status; /* WIRE_STATUS_OK or the master's refusal */
        const struct wire_msg *msg; /* the decoded answer; NULL when error is set */
        bool replayed;              /* it was sent more than once */
        uint64_t since;             /* ri_now(): the master gave the answer behind that, perhaps long ago */
};
struct mfs_call {
        void (*done)(struct mfs_call *c, const struct mfs_reply *r);
        struct ri_op *
                op; /* for deadlines' sentences and traces; may be NULL, must be reset when the op ends first */
        uint64_t
                good_until; /* set before the start; ri_now(): later it fails instead of being sent. 0: no limit */
        /* private */
        struct ri_list link;
        struct ri_map_node by_id;
        struct mfs_session *session; /* NULL: not in flight */
        uint32_t msgid, type;
        uint32_t version; /* of the master it was encoded for */
        unsigned flags;
        uint8_t hint;
        bool sent, again;
        unsigned char *packet;
        size_t len;
        uint64_t start_ns, sent_at;
        const char *phase;
};

/* Encodes req (its msgid is set here) for the master's version and sends it. Never calls done() before it returns.
 * 0, or -1 with *e filled (nothing will follow). phase: static name for traces, "lookup". */
int mfs_call_start(struct mfs_session *s, struct mfs_call *c, struct wire_msg *req, unsigned flags,
                   const char *phase, struct ri_op *op, struct ri_error *e);
/* What was started goes to the connection now, not at the end of the turn; for those who will not see the turn end. May
 * call done() of calls that fail. */
void mfs_session_push(struct mfs_session *s);
/* No done() any more; a late answer is ignored. Allowed when not in flight. */
void mfs_call_cancel(struct mfs_call *c);

/* The sentence and code for a refusal: operation text is the caller's. */
void mfs_status_error(struct ri_error *e, uint8_t status, const char *server, const char *what);

/* Open inodes, counted; the union is sent every minute, after a reconnect first, and before closing. */
int mfs_session_inode_hold(struct mfs_session *s, uint32_t inode); /* 0 or -ENOMEM */
void mfs_session_inode_release(struct mfs_session *s, uint32_t inode);

/* The master's clock, microseconds since 1970, as well as known. */
uint64_t mfs_session_time(const struct mfs_session *s);
/* Sends times of a file at the next tick (or with the next flush); 0: leave alone. Seconds, master's clock. */
int mfs_session_touch(struct mfs_session *s, uint32_t inode, uint32_t atime, uint32_t mtime);
void mfs_session_flush_times(struct mfs_session *s);

/* Notifications (702, 703, 706, and "everything may have changed" after a new session). */
struct mfs_watch {
        struct ri_list link;
        void (*chunk_changed)(struct mfs_watch *w, uint32_t inode, uint32_t index, uint64_t chunk,
                              uint32_t version, uint64_t length, bool truncated);
        void (*length_changed)(struct mfs_watch *w, uint32_t inode, uint64_t length);
        void (*all_changed)(struct mfs_watch *w);
};
void mfs_session_watch(struct mfs_session *s, struct mfs_watch *w);
void mfs_session_unwatch(struct mfs_watch *w);

/* A second connection of the same session for one long answer (readdir): entries are handed out as they arrive.
 * feed gets pieces of the reply's payload from its msgid on, total bytes in all; false: this is no valid answer.
 * done as for a call, msg NULL; an answer that is a status went through feed too. Neither is called inside the start.
 * NULL with *e filled: nothing will follow. */
struct mfs_bulk;
struct mfs_bulk *mfs_bulk_start(struct mfs_session *s, struct wire_msg *req, struct ri_op *op,
                                bool (*feed)(void *arg, const unsigned char *p, size_t n, size_t total),
                                void (*done)(void *arg, const struct mfs_reply *r), void *arg,
                                struct ri_error *e);
void mfs_bulk_cancel(struct mfs_bulk *b);

#endif
