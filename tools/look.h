/* SPDX-License-Identifier: MIT */
/* Copies of chunks, asked one by one: what chunks, diagnose and salvage share. */
#ifndef LOOK_H
#define LOOK_H

#include "tools/diagnose/diagnose.h"
#include "tools/tool.h"

/* A chunkserver, and whether its blocks may be read. Reading a block that does not match its CRC is an error that the server
 * counts against the disk; two within ten minutes can make it give the disk up. */
struct look_server {
        struct look_server *next;
        uint32_t ip;
        uint16_t port;
        char name[24];
        bool asked;        /* for its disks */
        bool reading;      /* one read at a time: two would be two errors before anybody has seen the first */
        uint64_t quiet_ns; /* nothing is read before this time; 0: no error is known */
        unsigned silences; /* how often it has said nothing, one after the other */
        uint64_t silent_ns; /* the end of the last */
};

/* A block that does not match its CRC: never asked for again, since each time counts against the disk. */
struct look_rot {
        uint64_t chunk;
        uint32_t version, ip, block;
        uint16_t port;
        uint8_t part; /* a server may have several of a chunk */
};

struct looker {
        struct tool *tool;
        struct place *place;
        struct look_server *servers;
        struct look_rot *rot;
        size_t rots;
        uint64_t free_ns; /* --rate: when the next wave may start */
        uint64_t bytes;   /* read so far */
        uint64_t gone_ns; /* when a good copy was last waited for in vain; 0: never */
};

struct look_copy {
        const roma_mfs_copy *at;
        struct look_server *server;
        int code;        /* of the question for the table; ROMA_OK: there is one */
        char *message;   /* why not */
        uint32_t unread; /* blocks that were not read, in a deep look */
        const char *unread_why;
        char *unread_message;
};

/* One chunk and the tables of its copies. */
struct look {
        const roma_mfs_chunk *chunk; /* in a map that must live */
        struct dg_chunk k;
        struct look_copy *copy;
        uint32_t
                pad; /* copies with bytes behind the end of the file in its last block; found by a deep look */
};

void looker_init(struct looker *l, struct tool *t, struct place *place);
void looker_free(struct looker *l);
/* The map of a file; NULL after a message. */
roma_mfs_map *look_map(struct looker *l, const char *key, const char *shown);
void look_init(struct looker *l, struct look *look, const roma_mfs_chunk *chunk, uint64_t length);
void look_free(struct look *look);
/* Asks every copy for its table, all at once, but those that have a failure in `code` already. others: also those of another version, and damaged ones. */
void look_tables(struct looker *l, struct look *const *looks, size_t n, bool others);
/* Reads all blocks of all copies of the right version, each from its own server. */
void look_deep(struct looker *l, struct look *look);
/* One block (or its first len bytes). */
enum look_result { LOOK_OK, LOOK_BAD, LOOK_QUIET, LOOK_FAILED };
enum look_result look_block(struct looker *l, struct look *look, size_t copy, uint32_t block, void *buf);
bool look_allowed(struct looker *l, struct look_server *s);
/* Waits until this server may be read again; false: interrupted. */
bool look_wait(struct looker *l, struct look_server *s);
/* This block of this copy does not match its CRC; that is remembered as long as the looker lives. */
void look_bad(struct looker *l, struct look *look, size_t copy, uint32_t block);
/* A read failed with this: is it a damaged block? Then the server is left in peace. */
bool look_is_rot(struct looker *l, struct look_server *s, const roma_result *r);
void look_pause(struct tool *t, uint64_t ns);
void look_pay(struct looker *l, uint64_t bytes);
/* 1: nobody was writing there, and *place says what is there; 0: somebody writes; -1: could not be asked. */
int look_settled(struct looker *l, uint32_t inode, uint32_t index, roma_mfs_place *place);
const char *look_state(unsigned state);
/* Whether these maps of one file are of the same chunks, versions and length. */
bool look_same_map(const roma_mfs_map *a, const roma_mfs_map *b);

/* original.c: what the file should be. */
struct original {
        struct tool *tool;
        struct location at;
        roma_file *file;
        uint64_t length;
        uint64_t inode; /* of a file of this machine; 0: it is elsewhere */
        char md5[33];   /* not empty: only this is known */
        uint32_t **
                found; /* by chunk: CRCs that a search for the MD5 has found; NULL: none, or nothing to choose there */
        size_t found_chunks;
        unsigned char *buf;
};
/* A path, a URI or 32 hexadecimal digits. False after a message. */
bool original_open(struct tool *t, struct original *o, const char *arg);
void original_close(struct original *o);
/* Is the file at that local path the original itself, by whatever name? */
bool original_is_at(const struct original *o, const char *path);
/* The CRCs of one chunk, padded with zeros. False after a message. */
bool original_crcs(struct original *o, uint32_t index, uint32_t crc[DG_BLOCKS]);
/* Those that a search for the MD5 has found. False: none. */
void original_forget(struct original *o); /* what was found */
bool original_found(const struct original *o, uint32_t index, uint32_t crc[DG_BLOCKS]);
/* len bytes at offset, zeros behind the end. False after a message. */
bool original_read(struct original *o, void *buf, size_t len, uint64_t offset);

#endif
