/* SPDX-License-Identifier: MIT */
/* Small things that the programs of the integration tests share. They end at the first error: a test has failed. */
#ifndef INTEGRATION_COMMON_H
#define INTEGRATION_COMMON_H

#include <stdint.h>

#include <roma/roma.h>

void die(const char *fmt, ...) __attribute__((noreturn, format(printf, 1, 2)));
/* fd of a local file; its size to *size when that is not NULL. */
int open_local(const char *path, uint64_t *size);
/* len bytes at offset; what lies behind the end reads as zeros. */
void read_local(int fd, void *buf, size_t len, uint64_t offset);
void write_local(const char *path, const void *data, size_t n);

struct rnd {
        uint64_t state;
};
uint64_t rnd_next(struct rnd *r);
uint64_t rnd_below(struct rnd *r, uint64_t n);
void rnd_fill(struct rnd *r, void *buf, size_t n);

uint32_t crc32_of(const void *data, size_t n);

/* An own loop and one store on it. */
struct place {
        roma_loop *loop;
        roma_store *store;
};
struct place place_open(const char *uri);
/* Dies when roma_loop_stats() is not all zero then. */
void place_close(struct place *p);

/* Compares every copy of every chunk of `key` with the local file `path`: its bytes, read from its own chunkserver
 * alone, and its CRC table. copies: how many valid ones each chunk must have; 0: at least one. The number of
 * differences, each told on stdout. */
unsigned replicas_check(struct place *p, const char *key, const char *path, unsigned copies);
/* The same from the chunkservers' folders, without any server. */
unsigned disk_check(struct place *p, const char *key, const char *path, unsigned copies, char **folders,
                    int n);
/* Changes one byte of one copy in `folders` and, when asked, its block's CRC in the file to fit. */
void disk_flip(struct place *p, const char *key, uint64_t offset, int fix_crc, char **folders, int n);

#endif
