/* SPDX-License-Identifier: MIT */
/* The inside of a session, shared by the files of this folder. */
#ifndef MFS_SESSION_PRIVATE_H
#define MFS_SESSION_PRIVATE_H

#include "mfsproto/resolve.h"
#include "mfsproto/session/link.h"
#include "mfsproto/session/session.h"

enum {
        RESOLVE_MS = 8000,
        CONNECT_MS = 8000,
        CONNECT_MANY_MS = 3000, /* while there are more addresses to try */
        ANSWER_MS = 10000,      /* for each step of the registration; a master says something each second */
        PROBE_MS = 2000,
        CLOSE_MS = 2000,
        TICK_MS = 1000,
        NOP_MS = 1900,      /* nothing sent for so long: a NOP. A master drops a client after 10 s */
        SILENCE_MS = 12000, /* nothing received for so long: the connection is dead */
        TIMEOUT_MS = 10000, /* the master's, until it says otherwise */
        TIMEOUT_MARGIN_MS = 2000,
        INODES_MS = 60000,
        SYNC_MS = 60000,
        BACKOFF_MIN_MS = 200,
        BACKOFF_MAX_MS = 3000,
        NO_LEADER_MS = 2000,
        GIVE_UP_MS = 50000, /* without a master for so long: calls fail with the reason */
        REDIRECTS_MAX = 4
};

/* The life of the connection; see the table in machine.c. */
enum mfs_state {
        MFS_IDLE,      /* no connection, and nobody needs one */
        MFS_RESOLVE,   /* of host[host_at] */
        MFS_CONNECT,   /* to ip[ip_at] */
        MFS_CHALLENGE, /* asked for the 32 bytes that are mixed with the password */
        MFS_REGISTER,  /* asked for a session, a new one or, after an export changed, the old one */
        MFS_RECONNECT, /* asked to go on with the old session */
        MFS_PROBE,     /* somebody closed on us without a word: who is it? */
        MFS_READY,
        MFS_BACKOFF, /* the next round begins when the timer fires */
        MFS_CLOSING,
        MFS_GONE
};

struct mfs_open_inode {
        struct ri_map_node node;
        uint32_t count;
};

struct mfs_times {
        struct ri_map_node node;
        uint32_t inode, atime, mtime;
};

struct mfs_session {
        roma_loop *loop;
        /* configuration, owned */
        struct mfs_host *host;
        size_t hosts;
        char *export_path, *info_text;
        bool has_password;
        unsigned char password_md5[16];
        uint32_t uid, *gid;
        size_t gids;
        uint32_t declare;
        struct mfs_dialer *dialer;

        enum mfs_state state;
        struct mfs_link link;
        struct ri_timer timer; /* of the state */
        struct mfs_resolve *resolve;
        size_t host_at;
        uint32_t ip[MFS_RESOLVE_MAX];
        size_t ips, ip_at;
        uint16_t port;
        unsigned rounds;       /* without success */
        unsigned redirects;    /* followed in this round */
        uint64_t lost_at;      /* when the last good connection ended; 0: it lives, or there was none */
        struct ri_error error; /* why the last attempt failed */
        struct ri_op *connect_op;
        void (*connect_done)(void *arg, const struct ri_error *e); /* NULL: connect_op itself is ended */
        void *connect_arg;
        uint64_t step_ns; /* start of the state, for traces */
        unsigned char challenge[32];
        bool challenged;
        bool renewed;    /* the old session is gone: all that was known of files may have changed */
        char server[80]; /* for sentences */

        bool registered;  /* info holds a session */
        uint64_t meta_id; /* of the file system whose inodes we know; 0: the master does not say */
        struct mfs_session_info info;

        /* calls */
        struct ri_list queue, awaiting; /* unsent and sent, in order */
        struct ri_map calls;            /* both, by msgid */
        uint32_t next_msgid;
        struct ri_task pump;

        /* the connection's health */
        struct ri_timer tick;
        uint64_t entered_at; /* when the last step before READY began */
        uint64_t driven_at;  /* when this code last ran */
        uint64_t grace_at;   /* silence counts from here */
        uint32_t timeout_ms;
        bool suspect; /* nobody drove the loop for so long that the master may have gone */
        bool hold;    /* send nothing that matters until the master is heard */

        /* duties */
        struct ri_map inodes; /* struct mfs_open_inode */
        struct ri_map times;  /* struct mfs_times */
        bool inodes_listed;   /* the master has a list of ours that is not empty */
        uint64_t inodes_at, sync_at;
        uint64_t sync_sent;   /* monotonic; 0: none on its way */
        int64_t clock_offset; /* master's clock - monotonic, microseconds */
        bool clock_known;

        struct ri_list watches;
        struct ri_list bulks; /* struct mfs_bulk */
        struct ri_list idle_links;

        void (*closed)(void *arg);
        void *closed_arg;
        struct ri_task gone;
        struct mfs_guard *guard; /* the innermost; NULL: none */
};

/* Around callbacks in the middle of something: an open that fails closes its session, which is freed at once. */
struct mfs_guard {
        bool freed;
        struct mfs_guard *outer;
};
void mfs_guard_begin(struct mfs_session *s, struct mfs_guard *g);
/* False: the session is gone, or closes, and must be left alone. */
bool mfs_guard_end(struct mfs_session *s, const struct mfs_guard *g);

/* machine.c */
void mfs_enter(struct mfs_session *s, enum mfs_state state);
void mfs_attempt_failed(struct mfs_session *s, const struct ri_error *e);
void mfs_lost(struct mfs_session *s, const struct ri_error *e);
void mfs_need_connection(struct mfs_session *s);
/* True while the loop was driven as it should be; else `suspect` is set. */
void mfs_note_driven(struct mfs_session *s);
/* After a pause: is the connection still there? False when it was dropped. */
bool mfs_check_alive(struct mfs_session *s);
void mfs_finish_close(struct mfs_session *s);

/* login.c: packets of the registration */
int mfs_login_send(struct mfs_link *l, const struct mfs_session *s, uint8_t rcode, struct ri_error *e);
struct mfs_login {
        enum { LOGIN_BAD, LOGIN_STATUS, LOGIN_RANDOM, LOGIN_REDIRECT, LOGIN_SESSION } kind;
        uint8_t status;
        unsigned char random[32];
        uint32_t leader_ip;
        uint32_t version; /* of the master, 0: not said */
        struct mfs_session_info info;
};
void mfs_login_read(struct mfs_login *in, const struct mfs_session *s, uint8_t rcode, uint32_t type,
                    const uint8_t *payload, uint32_t len);
void mfs_login_refused(struct ri_error *e, const struct mfs_session *s, uint8_t status, const char *server);

/* calls.c */
void mfs_calls_init(struct mfs_session *s);
void mfs_calls_pump(struct mfs_session *s);
void mfs_calls_reply(struct mfs_session *s, uint32_t type, const uint8_t *payload, uint32_t len);
/* The connection ended: what may be sent again waits for the next, the rest fails. counted: it was a retry. */
void mfs_calls_lost(struct mfs_session *s, const struct ri_error *e, bool counted);
/* All fail. */
void mfs_calls_fail(struct mfs_session *s, const struct ri_error *e);
void mfs_calls_drop(struct mfs_session *s);
bool mfs_calls_pending(const struct mfs_session *s);
bool mfs_calls_awaiting_type(const struct mfs_session *s, uint32_t type);

/* duties.c */
void mfs_duties_init(struct mfs_session *s);
void mfs_duties_start(struct mfs_session *s); /* a connection is ready: first of all the open inodes */
void mfs_duties_tick(struct mfs_session *s);
void mfs_duties_farewell(struct mfs_session *s);
bool mfs_duties_packet(struct mfs_session *s, uint32_t type, const uint8_t *payload, uint32_t len);
void mfs_duties_free(struct mfs_session *s);
void mfs_nop_send(struct mfs_link *l);
void mfs_all_changed(struct mfs_session *s);

/* bulk.c */
void mfs_bulk_session_ready(struct mfs_session *s);
void mfs_bulk_fail_all(struct mfs_session *s, const struct ri_error *e);
void mfs_bulk_drop_all(struct mfs_session *s);
bool mfs_bulk_pending(const struct mfs_session *s);

static inline struct wire_ctx mfs_ctx(const struct mfs_session *s)
{
        return (struct wire_ctx){ .server = s->info.master_version, .client = s->declare };
}

#endif
