/* SPDX-License-Identifier: MIT */
/* Every copy of every chunk against a local file: through its own chunkserver, and from the chunkservers' disks. */
#include "common.h"

#include <dirent.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <roma/mfs.h>

enum { BLOCK = ROMA_MFS_BLOCK_SIZE, PIECE = 16 * BLOCK, CRC_TABLE = 4096 };

/* Blocks of the file that lie in the chunk. */
static uint32_t blocks_of(uint64_t length, uint32_t index)
{
        uint64_t start = (uint64_t)index * ROMA_MFS_CHUNK_SIZE;
        uint64_t in = length - start < ROMA_MFS_CHUNK_SIZE ? length - start : ROMA_MFS_CHUNK_SIZE;

        return (uint32_t)((in + BLOCK - 1) / BLOCK);
}

static unsigned differs(const char *where, uint64_t chunk, uint64_t at, const uint8_t *got,
                        const uint8_t *want, size_t n, uint64_t length)
{
        size_t i = 0;

        if (memcmp(got, want, n) == 0)
                return 0;
        while (got[i] == want[i])
                i++;
        printf("chunk %016" PRIX64 " on %s: byte %" PRIu64 " of the file is %02x, expected %02x%s\n", chunk,
               where, at + i, got[i], want[i], at + i >= length ? " (behind the end)" : "");
        return 1;
}

static unsigned check_bytes(struct place *p, const roma_mfs_chunk *c, const roma_mfs_copy *copy, int fd,
                            uint64_t length)
{
        static uint8_t got[PIECE], want[PIECE];
        uint64_t start = (uint64_t)c->index * ROMA_MFS_CHUNK_SIZE;
        uint64_t end = (uint64_t)blocks_of(length, c->index) * BLOCK;
        unsigned bad = 0;

        for (uint64_t at = 0; at < end; at += PIECE) {
                size_t n = end - at < PIECE ? (size_t)(end - at) : PIECE;
                int64_t r = roma_mfs_replica_read(p->store, copy, c->id, c->version, got, n, at, NULL);

                if (r != (int64_t)n) {
                        printf("chunk %016" PRIX64 " on %s: read at %" PRIu64 ": %s\n", c->id, copy->server,
                               at, r < 0 || roma_last(p->loop)->code ? roma_error(p->loop) : "short");
                        return bad + 1;
                }
                read_local(fd, want, n, start + at);
                bad += differs(copy->server, c->id, start + at, got, want, n, length);
        }
        return bad;
}

static unsigned check_table(struct place *p, const roma_mfs_chunk *c, const roma_mfs_copy *copy, int fd,
                            uint64_t length)
{
        static roma_mfs_crcs t;
        static uint8_t want[BLOCK];
        uint64_t start = (uint64_t)c->index * ROMA_MFS_CHUNK_SIZE;
        uint32_t blocks = blocks_of(length, c->index);
        unsigned bad = 0;

        if (roma_mfs_replica_crcs(p->store, copy, c->id, c->version, NULL, &t) < 0) {
                printf("chunk %016" PRIX64 " on %s: CRC table: %s\n", c->id, copy->server,
                       roma_error(p->loop));
                return 1;
        }
        for (uint32_t b = 0; b < blocks; b++) {
                uint32_t got = b < t.blocks ? t.crc[b] : ROMA_MFS_EMPTY_CRC, crc;

                read_local(fd, want, BLOCK, start + (uint64_t)b * BLOCK);
                crc = crc32_of(want, BLOCK);
                if (got != crc) {
                        printf("chunk %016" PRIX64 " on %s: CRC of block %" PRIu32 " is %08" PRIX32
                               ", expected %08" PRIX32 "\n",
                               c->id, copy->server, b, got, crc);
                        bad++;
                }
        }
        return bad;
}

/* A hole: the file has only zeros there. */
static unsigned check_hole(const roma_mfs_chunk *c, int fd, uint64_t length)
{
        static const uint8_t zero[BLOCK];
        static uint8_t want[BLOCK];
        uint64_t start = (uint64_t)c->index * ROMA_MFS_CHUNK_SIZE;

        for (uint32_t b = 0; b < blocks_of(length, c->index); b++) {
                read_local(fd, want, BLOCK, start + (uint64_t)b * BLOCK);
                if (memcmp(want, zero, BLOCK) != 0) {
                        printf("chunk index %" PRIu32 " is a hole, but block %" PRIu32 " should have data\n",
                               c->index, b);
                        return 1;
                }
        }
        return 0;
}

static roma_mfs_map *map_of(struct place *p, const char *key, uint64_t length)
{
        roma_mfs_map *map = roma_mfs_chunks(p->store, key, NULL);

        if (!map)
                die("chunks of %s: %s", key, roma_error(p->loop));
        if (map->length != length)
                die("%s: length %" PRIu64 ", expected %" PRIu64, key, map->length, length);
        if (map->chunks != (length + ROMA_MFS_CHUNK_SIZE - 1) / ROMA_MFS_CHUNK_SIZE)
                die("%s: %zu chunks for %" PRIu64 " bytes", key, map->chunks, length);
        return map;
}

static unsigned valid_copies(const roma_mfs_chunk *c)
{
        unsigned valid = 0;

        for (size_t k = 0; k < c->copies; k++)
                valid += c->copy[k].state == ROMA_MFS_VALID && c->copy[k].part == 0;
        return valid;
}

unsigned replicas_check(struct place *p, const char *key, const char *path, unsigned copies)
{
        uint64_t length;
        int fd = open_local(path, &length);
        roma_mfs_map *map = map_of(p, key, length);
        unsigned bad = 0;

        for (size_t i = 0; i < map->chunks; i++) {
                const roma_mfs_chunk *c = &map->chunk[i];
                unsigned valid = valid_copies(c);

                if (c->id == 0) {
                        bad += check_hole(c, fd, length);
                        continue;
                }
                if (copies ? valid != copies : !valid) {
                        printf("chunk %016" PRIX64 ": %u valid copies, expected %u\n", c->id, valid, copies);
                        bad++;
                }
                for (size_t k = 0; k < c->copies; k++) {
                        bad += check_bytes(p, c, &c->copy[k], fd, length);
                        bad += check_table(p, c, &c->copy[k], fd, length);
                }
        }
        roma_mfs_map_unref(map);
        close(fd);
        return bad;
}

/* The next file of this chunk below the folder, NULL when there is none; *at counts the sub-folders. */
static int find_chunk(const char *folder, const roma_mfs_chunk *c, unsigned *at, char path[4096])
{
        struct stat st;

        for (; *at < 256; ++*at) {
                snprintf(path, 4096, "%s/%02X/chunk_%016" PRIX64 "_%08" PRIX32 ".mfs", folder, *at, c->id,
                         c->version);
                if (stat(path, &st) == 0) {
                        ++*at;
                        return 1;
                }
        }
        return 0;
}

static uint32_t header_of(int fd)
{
        struct stat st;

        if (fstat(fd, &st) < 0)
                die("fstat of a chunk file");
        return ((uint64_t)st.st_size - CRC_TABLE) % BLOCK == 1024 ? 1024 : 4096;
}

static unsigned check_chunk_file(const char *path, const roma_mfs_chunk *c, int fd, uint64_t length)
{
        static uint8_t got[PIECE], want[PIECE];
        uint64_t start = (uint64_t)c->index * ROMA_MFS_CHUNK_SIZE, size;
        uint64_t end = (uint64_t)blocks_of(length, c->index) * BLOCK;
        int chunk = open_local(path, &size);
        uint32_t data = header_of(chunk) + CRC_TABLE;
        unsigned bad = 0;

        for (uint64_t at = 0; at < end; at += PIECE) {
                size_t n = end - at < PIECE ? (size_t)(end - at) : PIECE;

                read_local(chunk, got, n, data + at);
                read_local(fd, want, n, start + at);
                bad += differs(path, c->id, start + at, got, want, n, length);
        }
        close(chunk);
        return bad;
}

unsigned disk_check(struct place *p, const char *key, const char *path, unsigned copies, char **folders,
                    int n)
{
        uint64_t length;
        int fd = open_local(path, &length);
        roma_mfs_map *map = map_of(p, key, length);
        unsigned bad = 0;

        for (size_t i = 0; i < map->chunks; i++) {
                const roma_mfs_chunk *c = &map->chunk[i];
                unsigned found = 0;
                char file[4096];

                if (c->id == 0)
                        continue;
                for (int k = 0; k < n; k++)
                        for (unsigned at = 0; find_chunk(folders[k], c, &at, file); found++)
                                bad += check_chunk_file(file, c, fd, length);
                if (found != copies) {
                        printf("chunk %016" PRIX64 ": %u files on the disks, expected %u\n", c->id, found,
                               copies);
                        bad++;
                }
        }
        roma_mfs_map_unref(map);
        close(fd);
        return bad;
}

static void fix_crc(int fd, uint32_t header, uint32_t block)
{
        static uint8_t data[BLOCK];
        uint8_t be[4];
        uint32_t crc;

        read_local(fd, data, BLOCK, header + CRC_TABLE + (uint64_t)block * BLOCK);
        crc = crc32_of(data, BLOCK);
        for (int i = 0; i < 4; i++)
                be[i] = (uint8_t)(crc >> (24 - 8 * i));
        if (pwrite(fd, be, 4, header + 4 * (off_t)block) != 4)
                die("pwrite of a CRC");
}

void disk_flip(struct place *p, const char *key, uint64_t offset, int fix, char **folders, int n)
{
        roma_mfs_map *map = roma_mfs_chunks(p->store, key, NULL);
        size_t index = (size_t)(offset / ROMA_MFS_CHUNK_SIZE);
        uint64_t in = offset % ROMA_MFS_CHUNK_SIZE;
        char file[4096];
        unsigned at = 0;
        uint32_t header;
        uint8_t byte;
        int fd, k;

        if (!map || index >= map->chunks || !map->chunk[index].id)
                die("no chunk at %" PRIu64 " of %s: %s", offset, key, roma_error(p->loop));
        for (k = 0; k < n && !find_chunk(folders[k], &map->chunk[index], &at, file); k++)
                at = 0;
        if (k == n)
                die("no copy of the chunk in these folders");
        fd = open(file, O_RDWR | O_CLOEXEC);
        if (fd < 0)
                die("%s cannot be opened", file);
        header = header_of(fd);
        read_local(fd, &byte, 1, header + CRC_TABLE + in);
        byte ^= 0x40;
        if (pwrite(fd, &byte, 1, (off_t)(header + CRC_TABLE + in)) != 1)
                die("pwrite %s", file);
        if (fix)
                fix_crc(fd, header, (uint32_t)(in / BLOCK));
        close(fd);
        printf("changed one byte of %s\n", file);
        roma_mfs_map_unref(map);
}
