/* SPDX-License-Identifier: MIT */
/* A read in progress: pread.c cuts it into pieces and puts the result together, piece.c brings one piece in. */
#ifndef MFS_CHUNK_READS_H
#define MFS_CHUNK_READS_H

#include "mfsproto/chunk/inner.h"

#define MFS_PIECES     4u /* of one read at a time */
#define MFS_PIECE_BADS 16u
#define MFS_MAX_PARTS  8u

struct mfs_read {
        struct ri_op *op;
        struct mfs_inode *ino;
        struct mfs_turn turn;
        struct mfs_getlen getlen;
        struct iovec *iov;
        int n;
        uint64_t offset, end; /* end: clipped at the length of the file */
        uint64_t next;        /* first byte that no piece has yet */
        size_t piece_size;
        struct ri_list pieces; /* in order of the file; done ones stay until those before them are done */
        unsigned active;
        uint64_t told; /* bytes up to here are in crc */
        uint32_t crc;
};

/* Servers that have failed this piece. */
struct mfs_bad {
        struct mfs_cs *cs;
        bool crc;
};

struct mfs_piece {
        struct ri_list link;
        struct mfs_read *rd;
        uint32_t index, from, size; /* in the chunk */
        bool done;
        uint32_t crc;
        struct mfs_barrier barrier;
        struct mfs_locate locate;
        struct mfs_place *place;
        struct ri_timer timer;
        struct ri_task task;
        struct mfs_rjob *job; /* njobs of them; 1, or the parts of an erasure coded chunk */
        unsigned njobs, left;
        unsigned tries, refusals, rounds, crcs; /* crcs: attempts that a CRC has ended */
        unsigned round_crcs;                    /* crcs when the last round ended */
        uint64_t refused_at, crc_at;            /* the first of them */
        uint64_t empty_at;                      /* since then the master names no server; 0: it does */
        uint32_t most;                          /* bytes that one attempt has brought */
        struct mfs_bad bad[MFS_PIECE_BADS];
        unsigned nbad;
        bool crc_seen;
        bool any_crc;          /* for once take replicas that had CRC errors too */
        struct ri_error error; /* the latest; with crc_seen: the latest about a CRC */
};

/* pread.c */
void mfs_read_piece_done(struct mfs_piece *p); /* may end the read */
void mfs_read_fail(struct mfs_read *rd, const struct ri_error *e);

/* piece.c */
void mfs_piece_start(struct mfs_piece *p);
void mfs_piece_free(struct mfs_piece *p); /* at any time; touches the caller's memory no more */

#endif
