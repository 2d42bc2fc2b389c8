/* SPDX-License-Identifier: MIT */
/* From captured frames to broken rules, floor by floor; each hands on to the next, and none looks back:
 *
 *      link.c    a frame -> one TCP segment
 *      tcp.c     segments -> bytes and holes, in order, of each direction of each connection
 *      stream.c  bytes and holes -> MooseFS packets; finds out who is the server, and takes up the thread after a hole
 *      talk.c    packets -> what is said: replies to their requests, layouts by version; prints
 *      grants.c  what a client may do with the chunks that it was granted: the rules
 *      rules.c   their table
 *      held.c    what is found is told when no hole can show any more that makes it wrong
 *
 * Everything comes from strangers. Memory is counted (au_mem_take) and refused over the limit; whoever is refused drops
 * what he wanted to keep and counts it. */
#ifndef ROMA_MFS_AUDIT_INNER_H
#define ROMA_MFS_AUDIT_INNER_H

#include <roma/wire.h>

#include "core/list.h"
#include "core/map.h"
#include "core/str.h"
#include "mfsproto/wire/wire.h"

struct au_conn;
struct au_about;
struct au_spot;

/* ---- memory: wire.c ---------------------------------------------------------------------------------------- */

/* Zeroed; NULL: over the limit, or none. */
void *au_mem_new(roma_wire *w, size_t n);
/* NULL leaves p as it was. */
void *au_mem_grow(roma_wire *w, void *p, size_t from, size_t to);
void au_mem_free(roma_wire *w, void *p, size_t n);

/* ---- link.c ------------------------------------------------------------------------------------------------ */

struct au_addr {
        uint8_t ip[16]; /* IPv4: the first four */
        uint16_t port;
        uint8_t v; /* 4 or 6 */
        uint8_t zero;
};

enum { AU_FIN = 1, AU_SYN = 2, AU_RST = 4, AU_ACK = 16 };

struct au_segment {
        struct au_addr from, to;
        uint32_t seq, ack;
        uint8_t flags;
        bool stamped; /* ts and ecr are there: its sender's clock, and the other's that it saw last */
        uint32_t ts, ecr;
        const uint8_t *data;
        size_t len;  /* captured */
        size_t full; /* sent: the rest was cut off */
};

static inline bool au_same_host(const struct au_addr *a, const struct au_addr *b)
{
        return a->v == b->v && !memcmp(a->ip, b->ip, sizeof(a->ip));
}

enum au_link { AU_LINK_TCP, AU_LINK_OTHER, AU_LINK_DAMAGED };

bool au_link_known(int linktype);
enum au_link au_link_parse(int linktype, const uint8_t *frame, size_t len, struct au_segment *s);

/* ---- stream.c ---------------------------------------------------------------------------------------------- */

enum au_role { AU_UNKNOWN, AU_MASTER, AU_CS, AU_FOREIGN };

enum { AU_KEEP = 1 << 17 }; /* of a packet that is no data; larger ones are known by their head only */

/* One direction of the talk. */
struct au_stream {
        bool lost;    /* between a hole and the next packet that can be told */
        bool skipped; /* bytes that came meanwhile, or a hole */
        bool body;    /* head is whole */
        bool holed;   /* bytes of this packet are missing */
        uint8_t head[WIRE_HEADER_SIZE];
        uint32_t got; /* of the head, then of the body */
        uint32_t type, length;
        uint8_t *buf; /* what is kept of the body */
        uint32_t kept, cap;
        uint32_t crc;     /* data: of what has come behind the 20 or 24 bytes */
        uint32_t nonzero; /* data: behind the last byte that is not zero */
        uint32_t scanned; /* bytes in which no packet was found */
        uint32_t holes;   /* so far */
};

/* A packet that has passed. */
struct au_packet {
        struct au_conn *c;
        bool to_server;
        uint32_t type, length;
        const uint8_t *body;
        uint32_t kept;         /* of length */
        bool whole;            /* body is all of it */
        bool holed;            /* bytes are missing in the capture */
        uint32_t crc, nonzero; /* data packets that are not holed */
};

/* ---- tcp.c ------------------------------------------------------------------------------------------------- */

struct au_later { /* a segment that came too early */
        struct au_later *next;
        uint32_t seq;
        uint32_t len, full;
        uint8_t data[];
};

struct au_dir {
        bool known;    /* next is right */
        bool begun;    /* isn is */
        bool fin;      /* fin_seq is */
        bool ended;    /* FIN was reached */
        bool only_fin; /* and nothing before it was seen */
        bool has_sent;
        uint32_t next, fin_seq;
        uint32_t
                sent; /* where a segment without data stood that came too early: what is before it was sent */
        uint32_t isn; /* sequence number of the SYN */
        uint32_t acked; /* what the other side says it has of this */
        bool has_acked;
        uint32_t first_acked;
        bool stamped;
        uint32_t stamp; /* of its sender's clock, and when that was by the capturer's */
        int64_t stamp_ns;
        struct au_later *later, *last; /* in their order */
        size_t nlater;                 /* bytes */
        unsigned waiting;              /* segments */
        struct au_stream s;
};

struct au_master_talk;
struct au_cs_talk;

struct au_conn {
        struct ri_map_node by_ends;
        struct ri_list used; /* least recently first */
        struct ri_list proof;
        uint64_t proved; /* frame that shows that nothing before it is missing */
        struct {
                struct au_addr a, b; /* a < b */
        } ends;
        uint64_t number;
        bool syn;     /* seen from its beginning */
        bool swapped; /* the server is a */
        bool closed;
        bool reset;     /* by RST */
        int64_t syn_ns; /* of the last SYN */
        bool watched, late,
                old;   /* only when not syn: one of the servers; began in a hole; before the capture */
        uint8_t first; /* direction of the first segment, and what it echoed */
        bool echoes;
        uint32_t ecr;
        bool begun; /* bytes have come */
        bool odd;   /* that something is said there which does not belong there has been told */
        enum au_role role;
        struct au_dir dir[2]; /* 0: from a */
        struct au_master_talk *master;
        struct au_cs_talk *cs;
};

void au_tcp_segment(roma_wire *w, const struct au_segment *s);
void au_tcp_end(roma_wire *w);
void au_tcp_free(roma_wire *w);

/* The direction to the server (0) or from it (1). */
static inline struct au_dir *au_dir_of(struct au_conn *c, bool to_server)
{
        return &c->dir[to_server == c->swapped];
}
static inline const struct au_addr *au_server(const struct au_conn *c)
{
        return c->swapped ? &c->ends.a : &c->ends.b;
}
static inline const struct au_addr *au_client(const struct au_conn *c)
{
        return c->swapped ? &c->ends.b : &c->ends.a;
}
/* Bytes from the server may be missing, now or earlier, or the client has acknowledged more than has been seen: nothing
 * can be said about what was not answered. */
bool au_deaf(struct au_conn *c);
/* Of any connection something has not come yet that its other end has acknowledged. */
bool au_tcp_incomplete(roma_wire *w);

enum au_shown { AU_SHOWN_NOT_YET, AU_SHOWN, AU_SHOWN_NEVER };
/* Whether a hole in front of this frame, of that time, would have shown meanwhile, in any connection. */
enum au_shown au_tcp_shown(roma_wire *w, uint64_t frame, int64_t time_ns);
/* At the end of the capture: it would have shown in all connections that concern this. */
bool au_tcp_all_shown(roma_wire *w, uint64_t frame, const struct au_about *about);
/* From now on the connection is one of those that have to show it. */
void au_tcp_watch(roma_wire *w, struct au_conn *c);

/* The master says that a chunkserver is there. */
void au_stream_learn(roma_wire *w, uint32_t ip, uint16_t port);
/* Somebody at this address has shown himself as a server. */
bool au_stream_server(roma_wire *w, const struct au_addr *a);
bool au_stream_master(roma_wire *w, const struct au_addr *a);
void au_stream_bytes(roma_wire *w, struct au_conn *c, unsigned dir, const uint8_t *p, size_t n);
void au_stream_hole(roma_wire *w, struct au_conn *c, unsigned dir, uint32_t n);
void au_stream_free(roma_wire *w, struct au_stream *s);

/* ---- talk.c ------------------------------------------------------------------------------------------------ */

void au_talk_packet(roma_wire *w, const struct au_packet *p);
/* The connection is over; by_client: it was the first to say so. */
void au_talk_closed(roma_wire *w, struct au_conn *c, bool by_client);
void au_talk_free(roma_wire *w, struct au_conn *c);

struct au_request {
        uint32_t msgid, type, inode, index;
        uint8_t hint, flags;
        bool used; /* and not answered */
        uint64_t chunk;
        uint64_t frame;
        int64_t at_ns;
};

enum { AU_REQUESTS = 256 };

struct au_master_talk {
        uint32_t number; /* of the master */
        uint32_t declared, server, session;
        uint8_t rcode;
        bool doubtful; /* the last request has no layout that is known */
        uint32_t doubtful_type, doubtful_length;
        uint64_t doubtful_frame;
        unsigned at;
        struct au_request req[AU_REQUESTS]; /* a ring with gaps */
};

/* ---- grants.c ---------------------------------------------------------------------------------------------- */

struct au_range {
        uint32_t from, to;
};

/* When and where something was seen. */
struct au_where {
        uint64_t frame, conn; /* frame 0: nowhere */
        int64_t time_ns;
        struct au_addr from, to;
};

enum { AU_SERVERS = 16, AU_LOST = 32, AU_PENDING = 512 };

struct au_grant {
        struct ri_map_node by_chunk;
        struct ri_list used;
        struct {
                uint64_t chunk;
                uint32_t master, zero;
        } key;
        uint32_t version, inode, index, session;
        uint64_t conn; /* of the request, and who made it */
        struct au_addr client;
        uint64_t length; /* of the file, as the grant said */
        uint64_t frame, end_frame;
        int64_t at_ns, data_ns;
        unsigned nservers;
        uint32_t ip[AU_SERVERS];
        uint16_t port[AU_SERVERS];
        uint64_t touched[WIRE_BLOCKS_PER_CHUNK / 64];
        uint32_t rewrites, first_rewrite;
        uint32_t acked, acked_nonzero; /* bytes into the chunk */
        uint32_t sessions;             /* write sessions seen */
        uint32_t waiting;              /* data without an answer */
        uint32_t writers;              /* write sessions that point here */
        bool ended, orphan;
        bool trouble;   /* something failed on the way: the client may know less than we */
        bool doubt;     /* something could not be seen */
        bool refused;   /* the END was answered with a failure */
        bool only_read; /* known from READ_CHUNK: there never was a grant */
        uint8_t nlost;
        struct au_range lost[AU_LOST];
        /* told when it is certain that nothing was overlooked */
        struct au_where chain, early;
        uint8_t chain_found, chain_twice, chain_strange;
        uint32_t early_waiting;
        uint64_t blind; /* of the audit, when it was granted */
};

struct au_file {
        struct ri_map_node by_inode;
        struct ri_list used;
        uint32_t inode;
        uint64_t length;
};

struct au_data { /* one packet on its way */
        uint32_t writeid, from, to, nonzero;
        uint64_t frame;
};

struct au_write {
        struct au_grant *g; /* NULL: no rule but those of a single packet */
        uint64_t chunk;
        uint32_t version;
        bool open, up, finished;
        bool forward;    /* said by the head of a chain: nothing new */
        bool early;      /* that it has no lock has been told */
        uint64_t blind;  /* of the audit, when it was opened */
        uint32_t n, cap; /* of data */
        struct au_data *data;
};

struct au_cs_talk {
        struct au_write write;
        struct ri_list writing; /* of those with an open write */
        struct au_conn *conn;
        bool reading, told_pipeline;
};

struct au_forward { /* what the head of a chain is going to say to the next */
        struct ri_list link;
        uint64_t chunk;
        uint32_t version;
        uint32_t ip;
        uint16_t port;
        uint8_t hops;
        struct au_addr client, head; /* who told the head, and the head */
};

struct au_locs {
        unsigned n;
        uint32_t ip[AU_SERVERS];
        uint16_t port[AU_SERVERS];
};

/* Whose words can make a finding wrong: those of its client and of who has the chunk, at any master, and what anybody says
 * to the servers of the chunk. */
struct au_about {
        struct au_addr client[2]; /* their hosts */
        bool anybody;             /* other clients at a master, too: they make files longer and shorter */
        struct au_locs servers;
};

void au_grant_given(roma_wire *w, struct au_conn *c, const struct au_request *rq, uint64_t chunk,
                    uint32_t version, uint64_t length, const struct au_locs *locs);
void au_grant_end(roma_wire *w, struct au_conn *c, uint64_t chunk, uint32_t inode, uint64_t length);
void au_grant_end_failed(roma_wire *w, struct au_conn *c, uint64_t chunk, uint8_t status);
void au_chunk_read(roma_wire *w, struct au_conn *c, uint32_t inode, uint32_t index, uint64_t chunk,
                   uint32_t version, const struct au_locs *locs);
void au_file_length(roma_wire *w, struct au_conn *c, uint32_t inode, uint64_t length, bool shorter_too);
void au_session_closed(roma_wire *w, struct au_conn *c, bool certain);
void au_session_again(roma_wire *w, struct au_conn *c);
/* inode of a chunk, 0: not known. */
uint32_t au_chunk_inode(roma_wire *w, uint64_t chunk);

void au_write_open(roma_wire *w, struct au_conn *c, uint64_t chunk, uint32_t version,
                   const struct au_locs *hops);
void au_write_data(roma_wire *w, struct au_conn *c, const struct au_packet *p);
void au_write_status(roma_wire *w, struct au_conn *c, uint64_t chunk, uint32_t writeid, uint8_t status);
void au_write_finish(roma_wire *w, struct au_conn *c, uint64_t chunk, uint32_t version);
void au_write_closed(roma_wire *w, struct au_conn *c);
/* Nobody looks at the connection any more: how it goes on there is not known. */
void au_write_forget(roma_wire *w, struct au_conn *c);
void au_grants_end(roma_wire *w);
void au_grants_free(roma_wire *w);

/* ---- rules.c ----------------------------------------------------------------------------------------------- */

enum au_rule {
        AU_FINISH_EARLY,
        AU_END_EARLY,
        AU_CHAIN,
        AU_BLOCK,
        AU_CRC,
        AU_WRITEID_ZERO,
        AU_WRONG_ID,
        AU_LOST_DATA,
        AU_END_SHORT,
        AU_END_LONG,
        AU_END_RELATIVE,
        AU_END_INDEX,
        AU_NO_TRUNCATE,
        AU_NO_END,
        AU_AFTER_END,
        AU_LOCK_TIME,
        AU_NO_GRANT,
        AU_CONTINUE,
        AU_PIPELINE,
        AU_MSGID,
        AU_PACKET,
        AU_RULES
};

/* Where and about what; all but the rule may be unknown. */
struct au_spot {
        const struct au_where *where; /* NULL: here and now, at c */
        struct au_conn *c;
        const struct au_grant *g;
        uint64_t chunk;
        int64_t block;
};
void au_broken(roma_wire *w, enum au_rule rule, const struct au_spot *at, const char *fmt, ...)
        __attribute__((format(printf, 4, 5)));
void au_unchecked(roma_wire *w, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
/* "10.77.0.1:9421" */
char *au_addr_text(const struct au_addr *a, char out[56]);

/* ---- held.c ------------------------------------------------------------------------------------------------ */

enum { AU_TOLD_MAX = 1000 }; /* findings of one rule; the rest is only counted */

/* Tells it, now or later, or that it could not be decided. */
void au_held_take(roma_wire *w, enum au_rule rule, const roma_wire_finding *f, const struct au_spot *at);
/* After each frame. */
void au_held_look(roma_wire *w);
/* The master gives this chunk in answer to a question of that frame: it was on its way before what was found later. */
void au_held_late_grant(roma_wire *w, const struct au_grant *g, uint64_t asked);
void au_held_end(roma_wire *w);
void au_held_free(roma_wire *w);

/* ---- wire.c ------------------------------------------------------------------------------------------------ */

enum {
        AU_PORTS = 64,
        AU_SERVERS_KNOWN = 1024,
        AU_CONNS = 8192,
        AU_GRANTS = 16384,
        AU_FILES = 65536,
        AU_SLOTS = 256
};

struct au_known { /* a server that has shown itself */
        struct ri_map_node by_addr;
        struct au_addr addr;
        enum au_role role;
        uint32_t number;
};

struct roma_wire {
        roma_wire_opts opts;
        roma_wire_report report;
        uint16_t port[AU_PORTS];
        size_t nports;
        size_t mem, mem_max;
        uint64_t frame;   /* the one being looked at */
        int64_t now_ns;   /* never goes back */
        int64_t start_ns; /* of the first frame */
        uint64_t stepped; /* frame by which the clock of the capturer has been set forward */
        int64_t frame_ns; /* of the frame */
        bool ended;
        uint64_t blind; /* holes so far that may have swallowed a packet */

        struct ri_map conns;
        struct ri_list conns_used;
        struct ri_list proofs; /* of the connections that may hide something: the oldest proof first */
        struct ri_map servers; /* struct au_known */
        uint32_t masters;

        struct ri_map grants, files;
        struct ri_list grants_used, files_used, forwards, writing;
        unsigned nforwards;

        struct ri_str text;  /* of the message or finding being told */
        char *print;         /* for wire_print() */
        struct ri_list held; /* findings that wait, in the order of their frames */
        uint32_t told[AU_RULES], waiting[AU_RULES];
        uint64_t asked_before
                [AU_SLOTS]; /* only an older question can make a waiting finding about such a chunk doubtful */
};

enum { AU_PRINT = 1 << 16 };

#endif
