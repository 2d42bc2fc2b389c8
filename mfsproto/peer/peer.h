/* SPDX-License-Identifier: MIT */
/* A MooseFS cluster inside a test process: one master and some chunkservers on 127.0.0.1, real sockets, files in
 * memory, as strict as real servers, with faults on demand and a record of what the client did wrong.
 *
 *      struct mfs_peer_cfg cfg = { .servers = 3, .copies = 2 };
 *      struct mfs_peer *p = mfs_peer_new(&cfg, why, sizeof why);
 *      mfs_peer_script(p, "cs1 CLTOCS_WRITE_DATA 3 close", why, sizeof why);
 *      ... roma_store_open(loop, mfs_peer_uri(p), NULL) ...
 *      ck_assert_uint_eq(mfs_peer_violations(p, &text), 0);
 *      mfs_peer_free(p);
 *
 * Without a loop of the caller it runs on its own, in its own thread, and all of these may be called from any one
 * thread. On the caller's loop it moves only while that loop is driven. Protocol pages 2 to 6. */
#ifndef MFS_PEER_H
#define MFS_PEER_H

#include "core/loop.h"
#include "core/str.h"
#include "mfsproto/wire/wire.h"

#define MFS_PEER_SERVERS 8 /* chunkservers at most */

struct mfs_peer;

/* Mistakes of a server, one at a time: to see whether `roma conform` finds them. A chunkserver makes its own only where
 * it writes alone, unless the name says otherwise. */
enum mfs_peer_bug {
        MFS_BUG_NONE,
        MFS_BUG_TAKES_BAD_CRC,    /* data with a wrong CRC are written */
        MFS_BUG_TAKES_BLOCK_1024, /* a block behind the chunk's end is written to the chunk's beginning */
        MFS_BUG_CHAIN_STATUS,     /* a bad CRC in a chain is answered with a status */
        MFS_BUG_READ_CLIPPED,     /* a READ over the end of a chunk gives what there is */
        MFS_BUG_READ_PIPELINED,   /* a READ during a READ is overlooked */
        MFS_BUG_READ_NO_ZERO,     /* version 0 is not any version */
        MFS_BUG_END_SHRINKS,      /* WRITE_CHUNK_END with a smaller length cuts the file */
        MFS_BUG_END_ONCE,         /* the second WRITE_CHUNK_END is refused */
        MFS_BUG_READ_UNLOCKED,    /* READ_CHUNK does not wait for a writer */
        MFS_BUG_NO_JUMP,          /* WRITE_CHUNK behind the end leaves the length as it was */
        MFS_BUG_SILENT,           /* others are not told that a chunk changes */
        MFS_BUG_STALE_TAIL,       /* truncating leaves the bytes behind the new end */
        MFS_BUG_MSGID_31,         /* the highest bit of a msgid is lost */
        MFS_BUG_STRANGERS,        /* what needs a session is refused politely without one */
        MFS_BUG_FSYNC,            /* FSYNC is answered */
        MFS_BUG_RENAME_KEEPS,     /* RENAME replaces nothing */
        MFS_BUG_CREATE_OPENS,     /* CREATE of a name that is there opens it */
        MFS_BUG_ANY_METAID,       /* a session is taken up with the number of another cluster */
        MFS_BUGS
};

/* Who wants to see what clients and servers say to each other; called on the peer's loop. Each connection that a server
 * accepted has a number; those of a chain are among them. */
struct mfs_peer_tap {
        void (*opened)(void *arg, uint64_t conn, uint16_t client_port, uint16_t server_port);
        void (*bytes)(void *arg, uint64_t conn, bool to_server, const void *p, size_t n);
        void (*closed)(void *arg, uint64_t conn, bool by_client);
        void *arg;
};

/* Zero means the default everywhere. */
struct mfs_peer_cfg {
        roma_loop *loop;         /* NULL: its own, in a thread */
        uint32_t master_version; /* 3.0.117 */
        uint32_t cs_version;     /* that of the master */
        unsigned servers;        /* chunkservers, 2 */
        unsigned copies;         /* of each chunk, 2, never more than servers */
        uint32_t lock_ms;        /* life of a chunk lock, 120 s */
        uint32_t park_ms;        /* how long a request for a locked chunk waits, 30 s */
        uint32_t master_idle_ms; /* silence after which the master closes, 10 s */
        uint32_t cs_idle_ms;     /* and a chunkserver, 5 s */
        uint32_t disk_ms;        /* time that one written block takes */
        const char *password;    /* needed to register */
        bool read_only;          /* the export is */
        uint32_t readdir_most;   /* entries in one answer of a 4.x master; 0: all */
        bool endless;            /* each folder lists itself as a folder in it */
        enum mfs_peer_bug bug;
        /* 4 or 8 (4.x): planted files are in so many data parts and their XOR, part i on chunkserver 1 + i % servers, and
         * cannot be written. */
        unsigned parts;
        unsigned restless; /* chunkservers (bit i is server i) that give other bytes at each read */
        uint16_t port;     /* of the master; any that is free */
        const struct mfs_peer_tap *tap; /* must live as long as the peer */
};

/* NULL with a sentence in why. */
struct mfs_peer *mfs_peer_new(const struct mfs_peer_cfg *cfg, char *why, size_t size);
void mfs_peer_free(struct mfs_peer *p);

/* Servers: 0 is the master, 1.. are the chunkservers. */
uint16_t mfs_peer_port(struct mfs_peer *p, unsigned server);
const char *mfs_peer_uri(struct mfs_peer *p); /* "mfs://127.0.0.1:PORT/" */

/* ---- faults ------------------------------------------------------------------------------------------------ */

/* What happens to a packet: a request that arrives at a server, or a reply that it is about to send. */
enum mfs_peer_action {
        MFS_PEER_DELAY,    /* value ms, and everything behind it on this connection */
        MFS_PEER_STATUS,   /* answered with this status; a request is not carried out */
        MFS_PEER_CLOSE,    /* the connection ends instead */
        MFS_PEER_RESET,    /* the same with RST */
        MFS_PEER_DROP,     /* a request is overlooked, a reply never sent */
        MFS_PEER_HANG,     /* the server stops in its tracks, as by SIGSTOP, for value ms (0: for good) */
        MFS_PEER_DIE,      /* the server is gone, as by SIGKILL, for value ms (0: for good) */
        MFS_PEER_GARBAGE,  /* replies only, from here on: value random bytes instead (0: 64) */
        MFS_PEER_TRUNCATE, /* well framed, but value bytes shorter (0: 1) */
        MFS_PEER_CUT,      /* the first value bytes, then the connection ends */
        MFS_PEER_CRC,      /* the CRC of data does not fit, or the last byte differs */
        MFS_PEER_SHORT,    /* half of the data, with their right CRC */
        MFS_PEER_WRONGID,  /* another chunk id */
        MFS_PEER_DUP,      /* twice */
        MFS_PEER_MSGID,    /* another msgid (master) or writeid (chunkserver) */
        MFS_PEER_NOPS,     /* behind value NOPs (0: 1000) */
        MFS_PEER_ACTIONS
};

#define MFS_PEER_ANY UINT32_MAX /* any server, any packet, every occurrence */

struct mfs_peer_fault {
        uint32_t server; /* 0 master, 1.. chunkservers, MFS_PEER_ANY */
        uint32_t type;   /* packet number */
        uint32_t nth;    /* 1: the first after this line was given; MFS_PEER_ANY: every one */
        enum mfs_peer_action action;
        uint32_t value;
};

/* False: makes no sense, for example GARBAGE for a packet that only clients send; *why says so. */
bool mfs_peer_fault(struct mfs_peer *p, const struct mfs_peer_fault *f, char *why, size_t size);
/* The same as text, one fault a line, "#" comments: SERVER PACKET NTH ACTION [VALUE], where SERVER is master, cs1 ..,
 * cs or any, PACKET a name or number, NTH a number or *, ACTION as above in lower case. */
bool mfs_peer_script(struct mfs_peer *p, const char *text, char *why, size_t size);
void mfs_peer_script_clear(struct mfs_peer *p);
unsigned mfs_peer_fired(struct mfs_peer *p); /* how often a fault came true */
const char *mfs_peer_action_name(enum mfs_peer_action a);
/* Whether an action makes sense for a packet number. */
bool mfs_peer_action_fits(enum mfs_peer_action a, uint32_t type);

/* What has passed: packets of each number at each server. Returns how many kinds there are. */
struct mfs_peer_seen {
        uint32_t server, type;
        uint64_t count;
        bool sent; /* by the server */
};
size_t mfs_peer_seen(struct mfs_peer *p, struct mfs_peer_seen *out, size_t n);
uint64_t mfs_peer_count(struct mfs_peer *p, uint32_t server, uint32_t type);

/* By hand, at once. */
enum mfs_peer_power { MFS_PEER_STOP, MFS_PEER_CONT, MFS_PEER_KILL, MFS_PEER_START };
void mfs_peer_power(struct mfs_peer *p, unsigned server, enum mfs_peer_power what);

/* ---- what the client did wrong ----------------------------------------------------------------------------- */

/* The rules, each with a sentence for every time it was broken. */
enum mfs_peer_rule {
        MFS_RULE_PACKET,       /* a packet that ends the connection: length, number, state, version */
        MFS_RULE_FINISH_EARLY, /* FINISH before all data were answered */
        MFS_RULE_END_EARLY,    /* WRITE_CHUNK_END before */
        MFS_RULE_CHAIN,        /* head and chain are not the servers of the WRITE_CHUNK reply, each once */
        MFS_RULE_BLOCK,        /* offset, size, block number, CRC, writeid or chunk id of data */
        MFS_RULE_END_LENGTH,   /* neither what was acknowledged nor the old length */
        MFS_RULE_NO_END,       /* a grant that nobody ended */
        MFS_RULE_LOST_DATA,    /* END of full length although data were lost on the way and not sent again */
        MFS_RULE_AFTER_END,    /* data under a lock that was given back */
        MFS_RULE_LOCK_TIME,    /* data under a lock that has expired */
        MFS_RULE_NO_GRANT,     /* a chunk written without WRITE_CHUNK */
        MFS_RULE_CONTINUE,     /* CONTINUEOP without holding the lock */
        MFS_RULE_PIPELINE,     /* a request to a chunkserver that still reads */
        MFS_RULE_MSGID,        /* a query with msgid 0 */
        MFS_RULES
};
const char *mfs_peer_rule_name(enum mfs_peer_rule rule);
/* How many; the sentences, one a line, are appended to text unless that is NULL. */
size_t mfs_peer_violations(struct mfs_peer *p, struct ri_str *text);
size_t mfs_peer_broken(struct mfs_peer *p, enum mfs_peer_rule rule);
void mfs_peer_forgive(struct mfs_peer *p); /* forgets them */

/* ---- the other side of the looking-glass ------------------------------------------------------------------- */

struct mfs_peer_file {
        uint32_t inode;
        uint8_t type;
        uint16_t mode;
        uint32_t uid, gid, nlink, mtime;
        uint64_t length;
        uint32_t chunks, children;
        uint32_t retention;
};
/* False: no such name. path without a leading slash, "" is the root; symbolic links are not followed. */
bool mfs_peer_stat(struct mfs_peer *p, const char *path, struct mfs_peer_file *out);
/* Bytes of one copy (0 ..) of each chunk, zeros where it has none; -1: no such file or copy. Here and below: of a chunk in parts
 * these are its copies, and offset is that in the part. */
ssize_t mfs_peer_bytes(struct mfs_peer *p, const char *path, unsigned copy, uint64_t offset, void *buf,
                       size_t n);
/* Chunks whose copies differ within the file's length; sentences in text unless NULL. */
size_t mfs_peer_diverged(struct mfs_peer *p, struct ri_str *text);
/* Names in a folder, one a line, sorted. False: no such folder. */
bool mfs_peer_list(struct mfs_peer *p, const char *path, struct ri_str *text);
/* Makes a file with these bytes on all copies (the folder must exist). */
bool mfs_peer_plant(struct mfs_peer *p, const char *path, const void *bytes, size_t n);
/* Flips a bit on the disk of one copy: reading that block says status 29. */
bool mfs_peer_rot(struct mfs_peer *p, const char *path, unsigned copy, uint64_t offset);
/* A file of one chunk has it twice, as mfsappendchunks makes them. False: it has none. */
bool mfs_peer_repeat(struct mfs_peer *p, const char *path);

struct mfs_peer_state {
        unsigned sessions, master_conns, cs_conns, chain_conns;
        unsigned locks, parked, nodes, unlinked, chunks, copies;
};
void mfs_peer_state(struct mfs_peer *p, struct mfs_peer_state *out);

#endif
