/* SPDX-License-Identifier: MIT */
/* A MooseFS cluster in memory, below the transport table: one master with one file, several chunkservers. Writes go
 * through chains in which every server has its own queue, as in real ones: what is queued when a connection ends or
 * FINISH comes is lost, on each server separately. The rules that a client must keep are checked while it runs; a
 * broken one is in sim->broken. */
#ifndef MFS_SIM_H
#define MFS_SIM_H

#include "mfsproto/chunk/chunk.h"

enum { SIM_SERVERS = 4, SIM_CHUNKS = 4, SIM_BLOCKS = 1024, SIM_MASTER_IP = 0x0A000001, SIM_INODE = 7 };

struct sim_copy {
        uint64_t id;
        uint32_t version;
        unsigned char *block[SIM_BLOCKS];
};

struct sim_chunk {
        uint64_t id; /* 0: a hole */
        uint32_t version;
        bool held[SIM_SERVERS]; /* valid copies */
        bool locked;
        bool orphan_lock; /* nobody was told of it */
        uint64_t granted_length;
        uint64_t acked; /* highest offset whose acknowledgement the client has read under this lock */
        bool broken_chain;
};

struct sim {
        roma_loop *loop;
        struct mfs_dialer dialer;
        struct ri_timer tick;
        struct ri_list conns;
        uint64_t seed;
        char broken[256]; /* the first broken rule */

        struct sim_chunk chunk[SIM_CHUNKS];
        struct sim_copy copy[SIM_SERVERS][SIM_CHUNKS];
        uint64_t length, reserved;
        uint64_t next_id;
        unsigned copies;
        unsigned parts; /* 4 or 8: READ_CHUNK answers with the parts of an erasure coded chunk */
        uint32_t session;

        /* faults; probabilities in 1/1000 for each tick or request */
        unsigned p_close;         /* a write connection ends */
        unsigned p_status;        /* a write session ends with a status */
        unsigned p_read_close;    /* a read ends in the middle */
        unsigned p_flip;          /* a bit of a data packet of a read is wrong */
        bool flipped[SIM_CHUNKS]; /* one of the last read of this chunk: then none of the next is */
        unsigned read_at_most;    /* packets of a read, then it ends; 0: all */
        unsigned p_refuse;        /* a connect is refused */
        unsigned p_locked;        /* WRITE_CHUNK and READ_CHUNK answer with a status that passes */
        unsigned p_master_lost;   /* the master's connection ends */
        bool no_master;           /* connects to it are refused */
        unsigned slow;            /* a server applies a queued packet in one of so many ticks */
        unsigned trickle;         /* a chunkserver's connection delivers at most so many bytes in a tick */
        unsigned away_ms;         /* nobody drives the loop for so long while an answer of the master waits */
        uint64_t away_at;         /* since when, the last time */
        bool stuck[SIM_SERVERS];  /* takes everything, answers nothing */
        bool rotten[SIM_SERVERS];
        bool repairs; /* as a 4.x master: a chunk whose chain broke gets another copy before any write, once unlocked */
        uint8_t write_status; /* every WRITE_CHUNK answers this */
        uint8_t end_status;
        uint8_t truncate_status;
        bool swallow_end; /* the next END is executed, its answer lost with the connection */
        bool swallow_lock;
        bool park_truncate;    /* the next one waits for sim_unpark(), or is lost with its connection */
        bool swallow_truncate; /* the same; then somebody else appends, and the next one is refused */
        bool sole_writer; /* nobody else has this file: a lock may be taken for ours, an END sent twice */

        unsigned writes, ends, finishes, packets, grants, repaired, reads, connects, asks;
        uint64_t last_end_length;
        unsigned char parked[64]; /* a TRUNCATE */
        size_t parked_len;
        uint32_t parked_msgid;
};

void sim_init(struct sim *s, roma_loop *loop, uint64_t seed);
void sim_free(struct sim *s);
unsigned sim_random(struct sim *s, unsigned n); /* 0 .. n - 1 */
/* "" or where two valid copies of a chunk differ. */
const char *sim_compare(struct sim *s);
/* Bytes as a reader of that copy gets them. */
void sim_peek(struct sim *s, unsigned server, unsigned chunk, uint32_t from, unsigned char *to, uint32_t n);
/* The beginning of that copy becomes this. */
void sim_poke(struct sim *s, unsigned server, unsigned chunk, const unsigned char *from, uint32_t n);
int sim_a_copy(struct sim *s, unsigned chunk); /* a server that holds a valid copy, -1: none */
unsigned sim_locks(struct sim *s);
/* 703 and 702, whatever is true. */
void sim_tell_length(struct sim *s, uint64_t length);
void sim_tell_chunk(struct sim *s, unsigned chunk, uint64_t length, bool truncated);
/* Another client has made the file shorter, behind chunks that are locked. */
void sim_foreign_cut(struct sim *s, uint64_t length);
/* Another client has written: 702 to ours. */
void sim_foreign_change(struct sim *s, unsigned chunk);
void sim_invert(struct sim *s, unsigned chunk); /* every byte of it becomes another */
bool sim_parked(const struct sim *s);
void sim_unpark(struct sim *s);
void sim_drop_master(struct sim *s);
void sim_close_writing(struct sim *s); /* every write session ends */
void sim_close_idle(struct sim *s);    /* chunkservers end all connections on which nothing happens */

#endif
