/* SPDX-License-Identifier: MIT */
/* What the files of the peer share. Everything runs on the peer's loop. */
#ifndef MFS_PEER_INNER_H
#define MFS_PEER_INNER_H

#include "core/list.h"
#include "core/loop.h"
#include "core/map.h"
#include "core/str.h"
#include "mfsproto/peer/peer.h"
#include "mfsproto/wire/wire.h"

struct peer_conn;

/* ---- servers and connections: peer.c, conn.c --------------------------------------------------------------- */

struct peer_server {
        struct mfs_peer *peer;
        unsigned index; /* 0: the master */
        uint16_t port;
        int place; /* a socket that has the port and never listens: nobody else gets it while the server is dead */
        struct ri_fd listen;
        bool up;   /* listens; false: as killed */
        bool hung; /* as stopped */
        struct ri_timer revive;
        struct ri_list conns; /* accepted and opened by it */
        struct ri_map copies; /* chunkservers: struct peer_copy */
};

/* What a connection is for. */
struct peer_role {
        const char *name;
        enum wire_dir in, out;
        void (*connected)(struct peer_conn *c); /* opened ones only */
        void (*packet)(struct peer_conn *c, uint32_t type, const uint8_t *payload, size_t len);
        void (*drained)(struct peer_conn *c); /* everything has left */
        void (*tick)(struct peer_conn *c, uint64_t now);
        void (*closed)(struct peer_conn *c); /* once, before it is freed */
};
extern const struct peer_role peer_role_master, peer_role_cs, peer_role_chain;

struct peer_session;
struct peer_write;

struct peer_conn {
        struct ri_list link;
        struct mfs_peer *peer;
        struct peer_server *server; /* whose end this is */
        const struct peer_role *role;
        struct ri_fd w;
        bool connecting, dead;
        bool hung_up;  /* by the other end */
        uint64_t seen; /* its number for the tap, 0: not shown */
        bool ending;   /* closes when everything has left */
        uint64_t heard_ns, said_ns;

        struct wire_frame frame;
        uint8_t *in;
        size_t in_at, in_len;
        struct ri_str out;
        size_t out_at;

        /* a delayed request waits with all behind it; delayed replies with all behind them */
        bool held_in, held_out;
        uint8_t *held;
        uint32_t held_type;
        size_t held_len;
        struct ri_timer in_timer, out_timer;

        /* master */
        uint32_t declared;
        struct peer_session *session;
        bool tools; /* registered as a tool, not as a mount */
        uint8_t challenge[32];
        bool challenged;

        /* chunkserver */
        uint16_t from_port; /* of the other end */
        bool chained;       /* the other end is a chunkserver of ours */
        bool refused;       /* a WRITE was: data that was sent before the answer may follow */
        bool reading;       /* until everything has left */
        struct {
                uint64_t chunk;
                uint32_t version, offset, left;
                bool done; /* the status is on its way */
        } read;
        struct peer_write *write;
        uint64_t nop_ns;
};

enum { PEER_UNANSWERED = 16 };

struct mfs_peer {
        struct mfs_peer_cfg cfg;
        roma_loop *loop;
        bool own_loop, stop;
        pthread_t thread;
        char uri[48];
        struct peer_server server[1 + MFS_PEER_SERVERS];
        struct ri_timer tick;
        struct ri_task reap;
        uint64_t accepted;

        /* script.c */
        struct ri_list faults;
        struct ri_map seen;
        unsigned fired;
        uint64_t noise;

        uint64_t disturbed; /* blocks, cs.c */

        /* audit.c */
        struct ri_str violations;
        size_t broken[MFS_RULES + 1]; /* the last: mistakes of the peer itself */
        struct ri_list grants;
        struct {
                uint32_t session, inode, index;
        } unanswered[PEER_UNANSWERED]; /* the oldest gives way */
        unsigned last_unanswered;

        /* tree.c, master*.c */
        struct ri_map nodes, chunks, sessions;
        struct ri_list parked;
        uint64_t park_until; /* of the parked request that is being tried again, else 0 */
        struct ri_task unpark;
        unsigned locks; /* of all files */
        uint32_t last_inode, last_session;
        uint64_t last_chunk, last_edge;
        uint64_t meta_id;
};

static inline bool peer_bug(const struct mfs_peer *p, enum mfs_peer_bug bug)
{
        return p->cfg.bug == bug;
}

static inline uint64_t peer_ms(uint64_t from_ns, uint64_t to_ns)
{
        return to_ns > from_ns ? (to_ns - from_ns) / 1000000u : 0;
}

/* peer.c */
void peer_power(struct peer_server *s, enum mfs_peer_power what);
void peer_revive_in(struct peer_server *s, uint32_t ms);

/* conn.c */
int peer_listen(struct peer_server *s);
struct peer_conn *peer_dial(struct peer_server *from, uint16_t port, const struct peer_role *role);
/* Sends as it is; faults are for peer_emit(). */
void peer_put(struct peer_conn *c, const void *bytes, size_t n);
void peer_nop(struct peer_conn *c);
size_t peer_backlog(const struct peer_conn *c);
/* Ends it now. It stays valid (and dead) until the loop's next turn. */
void peer_kill(struct peer_conn *c);
void peer_reset(struct peer_conn *c);
void peer_end(struct peer_conn *c); /* when everything has left */
void peer_watch(struct peer_conn *c);
void peer_resume(struct peer_conn *c); /* after a stop: what was read but not looked at */
void peer_hold_in(struct peer_conn *c, uint32_t ms, uint32_t type, const uint8_t *payload, size_t len);
void peer_hold_out(struct peer_conn *c, uint32_t ms);
void peer_bury(struct mfs_peer *p); /* frees what has ended */

/* ---- packets that leave, and faults: emit.c, script.c ------------------------------------------------------ */

/* A whole packet, through the script. False: the client does not get it as it is. */
bool peer_emit(struct peer_conn *c, uint8_t *packet, size_t n);
/* The fault for this packet at this server, if it is its turn. Counts what passes. */
const struct mfs_peer_fault *peer_fault(struct peer_server *s, uint32_t type, bool sent);
/* Carries out what a fault does to a request. False: there is nothing left to do with it. */
bool peer_fault_request(struct peer_conn *c, const struct mfs_peer_fault *f, uint32_t type,
                        const uint8_t *payload, size_t len);
/* Encodes and emits. */
bool peer_answer(struct peer_conn *c, struct wire_msg *reply);
/* The refusal of a packet of this number, from its payload. */
void peer_refuse(struct peer_conn *c, uint32_t type, const uint8_t *payload, size_t len, uint8_t status);
void peer_script_free(struct mfs_peer *p);

/* ---- audit.c ----------------------------------------------------------------------------------------------- */

/* One WRITE_CHUNK that was answered with places. */
struct peer_chunk;
struct peer_grant {
        struct ri_list link; /* in the chunk's own order: newest first */
        uint64_t chunk;
        uint32_t version, inode, index;
        uint64_t length;    /* of the file, as the reply said */
        uint64_t at_ns;     /* of the grant, or of the last CONTINUEOP */
        uint64_t acked_end; /* bytes into the chunk */
        uint32_t session;
        unsigned servers;
        uint8_t server[MFS_PEER_SERVERS];
        unsigned waiting; /* data not answered yet */
        bool ended, expired;
        bool told;           /* the reply left for the client unharmed */
        bool trouble;        /* client and auditor may differ in what they think was acknowledged */
        struct ri_list lost; /* struct peer_lost: never answered, not sent again */
};
struct peer_lost {
        struct ri_list link;
        uint32_t from, to;
};
void peer_broken(struct mfs_peer *p, enum mfs_peer_rule rule, const char *fmt, ...)
        __attribute__((format(printf, 3, 4)));
struct peer_grant *peer_audit_grant(struct mfs_peer *p, const struct peer_chunk *ch, uint32_t session,
                                    uint32_t inode, uint32_t index, uint64_t length);
struct peer_grant *peer_audit_find(struct mfs_peer *p, uint64_t chunk);
void peer_audit_end(struct mfs_peer *p, uint64_t chunk, uint32_t inode, uint64_t length,
                    uint64_t file_length);
void peer_audit_expired(struct mfs_peer *p, uint64_t chunk);
void peer_audit_session(struct mfs_peer *p, uint32_t session);
void peer_audit_open(struct peer_conn *c, uint64_t chunk, const uint8_t *servers, unsigned n);
void peer_audit_data(struct peer_conn *c, const struct wire_data *d);
void peer_audit_ack(struct mfs_peer *p, uint64_t chunk, uint32_t from, uint32_t to);
/* Data that will never be answered. */
void peer_audit_lost(struct mfs_peer *p, uint64_t chunk, uint32_t from, uint32_t to);
/* A fault came between: the client may rightly think that less was acknowledged than was. */
void peer_audit_trouble(struct mfs_peer *p, uint64_t chunk);
/* A WRITE_CHUNK that a fault left without an answer: its sender cannot know whether it holds the lock, and may say that
 * it does as long as nobody else does. */
void peer_audit_unanswered(struct mfs_peer *p, uint32_t session, uint32_t inode, uint32_t index);
bool peer_audit_was_unanswered(const struct mfs_peer *p, uint32_t session, uint32_t inode, uint32_t index);
void peer_audit_free(struct mfs_peer *p);

/* ---- copies of chunks: copy.c ------------------------------------------------------------------------------ */

struct peer_copy {
        struct ri_map_node by_id;
        uint64_t id;
        uint32_t version;
        uint32_t blocks; /* all below exist; NULL is a block of zeros */
        uint8_t *block[WIRE_BLOCKS_PER_CHUNK];
        uint32_t crc[WIRE_BLOCKS_PER_CHUNK];
};
struct peer_copy *peer_copy_make(struct peer_server *s, uint64_t id, uint32_t version);
struct peer_copy *peer_copy_find(struct peer_server *s, uint64_t id);
/* WIRE_STATUS_OK, NOCHUNK or WRONGVERSION; version 0 is any. */
uint8_t peer_copy_open(struct peer_server *s, uint64_t id, uint32_t version, struct peer_copy **copy);
uint8_t peer_copy_write(struct peer_copy *k, uint16_t block, uint16_t offset, const uint8_t *data,
                        uint32_t n);
/* n bytes inside one block; the stored CRC is checked first. */
uint8_t peer_copy_read(const struct peer_copy *k, uint32_t offset, uint8_t *to, uint32_t n);
void peer_copy_truncate(struct peer_copy *k, uint32_t length);
bool peer_copy_clone(struct peer_server *s, const struct peer_copy *from, uint64_t id, uint32_t version);
uint32_t peer_copy_checksum(const struct peer_copy *k);
void peer_copy_drop(struct peer_server *s, uint64_t id);
void peer_copies_free(struct peer_server *s);

/* ---- erasure coded chunks: parts.c ------------------------------------------------------------------------- */

/* The part that ch->server[i] has, 0: a whole copy; and its number there. */
uint8_t peer_part(const struct peer_chunk *ch, unsigned i);
uint64_t peer_copy_id(const struct peer_chunk *ch, unsigned i);
/* cfg.parts instead of whole copies. False: memory is missing. */
bool peer_chunk_split(struct mfs_peer *p, struct peer_chunk *ch);

/* ---- files: tree.c, chunks.c ------------------------------------------------------------------------------- */

enum { PEER_PLACES = MFS_PEER_SERVERS + 1 }; /* of a chunk: 8 data parts and their XOR are the most */
struct peer_chunk {
        struct ri_map_node by_id;
        uint64_t id;
        uint32_t version;
        unsigned refs; /* slots of files */
        unsigned copies;
        uint8_t server[PEER_PLACES];
        unsigned parts;        /* data parts; server[i] has part i of an erasure coded chunk */
        bool archived;         /* the mark of 3.x */
        uint64_t locked_until; /* 0: free */
        uint32_t locker;       /* session */
};

struct peer_node {
        struct ri_map_node by_inode;
        uint32_t inode;
        struct wire_attr attr;
        struct ri_map names;  /* folders: struct peer_edge */
        struct ri_list edges; /* the same, oldest first */
        uint32_t parent;      /* folders */
        uint32_t open;        /* sessions that have it open */
        uint32_t retention;
        uint8_t goal, eattr;
        struct peer_acl *acl[2]; /* for access, and for what is made in the folder */
        uint64_t reserved;       /* end of what appenders have reserved */
        struct ri_list xattrs, locks;
        uint8_t *target;
        uint32_t target_len;
        struct peer_chunk **chunk;
        uint32_t chunks;
};

/* One owner's lock of a range; FLOCK locks all of a file. */
struct peer_lock {
        struct ri_list link;
        uint32_t session, pid;
        uint64_t owner, start, end; /* end: behind it */
        bool posix, exclusive;
};

struct peer_edge {
        struct ri_map_node by_name;
        struct ri_list link;
        uint64_t id;
        struct peer_node *node;
        size_t len;
        char name[WIRE_NAME_MAX + 1];
};

struct peer_ug {
        uint32_t uid, gids;
        const struct wire_msg *msg; /* for the groups */
        uint32_t gid;
};

uint32_t peer_time(void); /* seconds since 1970 */
int peer_tree_init(struct mfs_peer *p);
void peer_tree_free(struct mfs_peer *p);
struct peer_node *peer_node_find(struct mfs_peer *p, uint32_t inode);
struct peer_edge *peer_edge_find(struct peer_node *dir, const void *name, size_t len);
/* NULL when memory is missing. */
struct peer_node *peer_node_make(struct mfs_peer *p, uint8_t type, uint16_t mode, uint32_t uid, uint32_t gid);
uint8_t peer_edge_add(struct mfs_peer *p, struct peer_node *dir, struct peer_node *node, const void *name,
                      size_t len);
void peer_edge_remove(struct mfs_peer *p, struct peer_node *dir, struct peer_edge *e);
/* Gone when it has no name and nobody has it open. */
void peer_node_settle(struct mfs_peer *p, struct peer_node *n);
struct peer_node *peer_node_walk(struct mfs_peer *p, const char *path);
/* A node and all below it: bytes as readers see them, in one copy of each chunk, in all. */
struct peer_sizes {
        uint32_t inodes, dirs, files, chunks;
        uint64_t length, size, real;
};
bool peer_sizes_of(struct peer_node *n, struct peer_sizes *out); /* false: no memory */
/* Calls fn for the node, and when `below` is set for everything in it. False: no memory. */
bool peer_each(struct peer_node *n, bool below, void (*fn)(void *arg, struct peer_node *n), void *arg);
bool peer_in_groups(const struct peer_ug *ug, uint32_t gid);
bool peer_may(const struct peer_node *n, const struct peer_ug *ug, unsigned mask);

bool peer_chunk_room(struct peer_node *n, uint32_t index);
struct peer_chunk *peer_chunk_make(struct mfs_peer *p, struct peer_node *n, uint32_t index);
struct peer_chunk *peer_chunk_find(struct mfs_peer *p, uint64_t id);
/* The same chunk in one more slot. */
void peer_chunk_share(struct peer_chunk *ch);
void peer_chunk_unref(struct mfs_peer *p, struct peer_chunk *ch);
/* A chunk of its own for this slot. NULL when memory is missing. */
struct peer_chunk *peer_chunk_unshare(struct mfs_peer *p, struct peer_node *n, uint32_t index);
bool peer_chunk_locked(const struct peer_chunk *ch, uint64_t now);
void peer_chunk_lock(struct mfs_peer *p, struct peer_chunk *ch, uint32_t session);
void peer_chunk_unlock(struct mfs_peer *p, struct peer_chunk *ch);
/* Copies on servers that are up. */
unsigned peer_chunk_alive(struct mfs_peer *p, const struct peer_chunk *ch);
/* Drops copies on dead servers, makes new ones where there is room, raises the version when anything changed. */
bool peer_chunk_mend(struct mfs_peer *p, struct peer_chunk *ch);
bool peer_file_resize(struct mfs_peer *p, struct peer_node *n, uint64_t length);
void peer_chunks_tick(struct mfs_peer *p, uint64_t now);

/* ---- the master: master.c, sessions.c, names.c, dirs.c, iochunk.c ------------------------------------------ */

struct peer_session {
        struct ri_map_node by_id;
        uint32_t id, root; /* root: inode that it sees as 1 */
        bool read_only;
        struct ri_map open; /* struct peer_open, by inode */
};

struct peer_open {
        struct ri_map_node by_inode;
        struct peer_node *node;
        bool stale; /* while a new list is taken over */
};

/* One request being answered. */
struct peer_req {
        struct peer_conn *c;
        struct mfs_peer *p;
        struct wire_msg msg;
        uint32_t msgid;
        const uint8_t *payload; /* as it came, for parking */
        size_t len;
};
/* A handler answers, or parks, or returns false: the connection ends. */
typedef bool peer_handler(struct peer_req *r);

struct peer_command {
        uint32_t type;
        peer_handler *run;
};
/* Each ends with a NULL handler. */
extern const struct peer_command peer_commands_session[], peer_commands_nodes[], peer_commands_names[],
        peer_commands_chunks[], peer_commands_info[], peer_commands_locks[], peer_commands_xattr[],
        peer_commands_acl[], peer_commands_tools[], peer_commands_care[];

void peer_reply_init(const struct peer_req *r, struct wire_msg *reply);
bool peer_reply(const struct peer_req *r, struct wire_msg *reply);
bool peer_status(const struct peer_req *r, uint8_t status);
bool peer_attr36(const struct peer_conn *c);
void peer_ug_of(struct peer_req *r, struct peer_ug *ug);
/* Waits for a chunk; answered with status when it takes too long. */
bool peer_park(struct peer_req *r, uint8_t status);
/* Waits until a lock goes, without a limit. */
bool peer_park_until_free(struct peer_req *r);
/* A request of this session that waits for a lock is interrupted: status EINTR. */
void peer_unpark_one(struct mfs_peer *p, const struct peer_session *s, uint32_t type, uint32_t reqid);
void peer_master_tick(struct mfs_peer *p, uint64_t now);
void peer_master_free(struct mfs_peer *p);
void peer_unpark_run(struct ri_task *t);
/* The node that a field of the request names as this session sees it; NULL: none. */
struct peer_node *peer_node_in(struct peer_req *r, enum wire_field field);
uint32_t peer_inode_out(const struct peer_req *r, const struct peer_node *n);
void peer_attr_out(struct peer_conn *c, const struct peer_node *n, struct wire_attr *attr);
bool peer_read_only(const struct peer_req *r);
/* Answers with inode and attributes, or attributes only. */
bool peer_reply_node(struct peer_req *r, const struct peer_node *n);
bool peer_reply_attr(struct peer_req *r, const struct peer_node *n);
/* Adds proto, chunk id, version and places. The bytes must stay until the reply has left. */
void peer_set_locs(struct peer_req *r, struct wire_msg *reply, const struct peer_chunk *ch,
                   uint8_t bytes[MFS_PEER_SERVERS * 14]);

bool peer_opened(struct peer_session *s, struct peer_node *n); /* false: no memory */
void peer_sessions_free(struct mfs_peer *p);
/* Tells other connections that have the inode open (702). */
void peer_notify_chunk(struct peer_conn *from, const struct peer_node *n, uint32_t index,
                       const struct peer_chunk *ch, uint64_t length, bool truncated, uint32_t size);
void peer_notify_length(struct peer_conn *from, const struct peer_node *n);

/* locks.c, xattr.c */
void peer_locks_drop(struct mfs_peer *p, struct peer_node *n, uint32_t session); /* it has closed the file */
void peer_locks_free(struct mfs_peer *p, struct peer_node *n);
void peer_xattrs_free(struct peer_node *n);
bool peer_xattrs_clone(const struct peer_node *from, struct peer_node *to); /* false: no memory */

/* acl.c */
void peer_acl_chmod(struct peer_node *n); /* its mode has changed */
/* The folder has a list for what is made in it; the mode of n is the one that was asked for. False: no memory. */
bool peer_acl_inherit(const struct peer_node *dir, struct peer_node *n);
bool peer_acl_clone(const struct peer_node *from, struct peer_node *to); /* false: no memory */
void peer_acls_free(struct peer_node *n);
/* rwx of this user; the node has a list. */
unsigned peer_acl_bits(const struct peer_node *n, const struct peer_ug *ug);

/* ---- chunkservers: cs.c, cswrite.c ------------------------------------------------------------------------- */

void peer_write_start(struct peer_conn *c, struct wire_msg *m);
void peer_write_packet(struct peer_conn *c, uint32_t type, const uint8_t *payload, size_t len);
void peer_write_closed(struct peer_conn *c);
void peer_cs_kill(struct peer_conn *c, enum mfs_peer_rule rule, uint32_t type, size_t len, const char *why);

#endif
