/* SPDX-License-Identifier: MIT */
/* What only MooseFS has: where the chunks of a file are, and each copy of them by itself. For diagnosis and rescue;
 * on another kind of store each call is ROMA_ENOTSUP. */
#ifndef ROMA_MFS_H
#define ROMA_MFS_H

#include <roma/types.h>

ROMA_BEGIN

#define ROMA_MFS_CHUNK_SIZE UINT64_C(67108864)
#define ROMA_MFS_BLOCK_SIZE 65536
#define ROMA_MFS_BLOCKS     1024        /* of a full chunk */
#define ROMA_MFS_EMPTY_CRC  0xD7978EEBu /* CRC-32 of a block of zeros */

/* State of a copy, as the master sees it. VALID says that the version is right, nothing about the bytes. */
enum roma_mfs_state {
        ROMA_MFS_VALID = 0,
        ROMA_MFS_REMOVAL = 1,         /* its disk is marked for removal */
        ROMA_MFS_WRONG_VERSION = 2,   /* of another version than the chunk */
        ROMA_MFS_REMOVAL_VERSION = 3, /* both */
        ROMA_MFS_INVALID = 4          /* known to be damaged */
};

/* One copy of a chunk on one chunkserver, or one part of an erasure coded chunk. */
typedef struct roma_mfs_copy {
        uint32_t ip; /* host order */
        uint16_t port;
        uint8_t state; /* enum roma_mfs_state */
        uint8_t part; /* 0: a whole copy; 0x10-0x1C: part of 4+n, 0x20-0x30: part of 8+n (data parts first) */
        char server[24]; /* "10.77.0.2:9422" */
} roma_mfs_copy;

typedef struct roma_mfs_chunk {
        uint32_t index;   /* the chunk's place in the file: byte index * 64 MiB */
        uint32_t version; /* 0 with id 0 */
        uint64_t id;      /* 0: a hole, reads as zeros */
        int zeros;        /* lost, and an administrator allowed to read it as zeros */
        size_t copies;
        const roma_mfs_copy *copy;
} roma_mfs_chunk;

/* The chunks of one file. The last one may lie behind the end of the file (index * 64 MiB >= length): no reader sees
 * what is in it. Counted: the asynchronous form's lives during the callback unless it takes a share. */
typedef struct roma_mfs_map {
        uint32_t inode;
        uint32_t master_version; /* packed: (major << 16) | (middle << 8) | 2 * minor */
        uint64_t length;         /* of the file, bytes */
        size_t chunks;
        const roma_mfs_chunk *chunk;
        char master[64]; /* "10.77.0.1:9421" */
} roma_mfs_map;

/* The map of `key`. Result: extra is a const roma_mfs_map *. Only chunkservers that are connected now are listed. */
ROMA_API roma_op roma_aio_mfs_chunks(roma_store *store, const char *key, const roma_opts *opts,
                                     roma_done *done, void *arg);
/* The caller gives it back with roma_mfs_map_unref(). */
ROMA_API roma_mfs_map *roma_mfs_chunks(roma_store *store, const char *key,
                                       const roma_opts *opts) ROMA_MUST_CHECK;
ROMA_API roma_mfs_map *roma_mfs_map_ref(const roma_mfs_map *map);
ROMA_API void roma_mfs_map_unref(roma_mfs_map *map);

/* What the master says about one chunk of a file at a moment when nobody writes there. */
typedef struct roma_mfs_place {
        uint32_t index;
        uint32_t version;
        uint64_t id;     /* 0: nothing is stored there */
        uint64_t length; /* of the file, bytes */
} roma_mfs_place;

/* Asks about chunk `index` of the file `inode` (from its map) as a reader does: the master answers when nobody holds
 * the chunk's lock for writing. Copies that differ before and after such an answer in the same way differ for good.
 * Nothing is changed and no lock is taken. An index behind the end of the file is allowed: what is stored there is not
 * seen by readers. Result: extra is a const roma_mfs_place *. ROMA_ELOCKED: somebody has been writing there for the
 * 30 s that the master waits. */
ROMA_API roma_op roma_aio_mfs_settled(roma_store *store, uint32_t inode, uint32_t index,
                                      const roma_opts *opts, roma_done *done, void *arg);
ROMA_API int roma_mfs_settled(roma_store *store, uint32_t inode, uint32_t index, const roma_opts *opts,
                              roma_mfs_place *out);

/* A disk (a data folder) of a chunkserver. */
typedef struct roma_mfs_disk {
        const char *path; /* on that server */
        unsigned flags;   /* 1 marked for removal, 2 damaged: given up, 4 being scanned, 8 not usable */
        uint64_t error_chunk, used, total; /* chunk of the last error; bytes */
        int64_t error_time; /* of the last error, seconds since 1970, 0: none since the start */
        uint32_t chunks;
} roma_mfs_disk;
typedef struct roma_mfs_disk_list {
        size_t count;
        const roma_mfs_disk *disk;
} roma_mfs_disk_list;

/* The disks of the server that has this copy. A chunkserver gives a disk up when errors follow each other too
 * quickly (HDD_ERROR_TOLERANCE_COUNT within HDD_ERROR_TOLERANCE_PERIOD of its configuration: 2 in 600 s), and reading
 * a damaged block is such an error: whoever reads from single copies should look here first. Result: extra is a const
 * roma_mfs_disk_list *; after the blocking form it is roma_last(loop)->extra. */
ROMA_API roma_op roma_aio_mfs_disks(roma_store *store, const roma_mfs_copy *copy, const roma_opts *opts,
                                    roma_done *done, void *arg);
ROMA_API int roma_mfs_disks(roma_store *store, const roma_mfs_copy *copy, const roma_opts *opts);

/* What a chunkserver keeps about its copy: the CRC-32 of each 64 KiB block (the last one padded with zeros). It is
 * the stored table: the data are not read, so bits that rotted on the disk do not show. Entries from `blocks` on
 * are those of empty blocks. */
typedef struct roma_mfs_crcs {
        uint64_t chunk;
        uint32_t version;
        uint32_t blocks;   /* stored; the rest reads as zeros */
        uint32_t checksum; /* over the whole table */
        uint32_t crc[ROMA_MFS_BLOCKS];
} roma_mfs_crcs;

/* From this copy alone. chunk and version as in the map (version 0: whatever it has). Result: extra is a const
 * roma_mfs_crcs *. ROMA_ENOENT: that server does not have the chunk in this version. */
ROMA_API roma_op roma_aio_mfs_replica_crcs(roma_store *store, const roma_mfs_copy *copy, uint64_t chunk,
                                           uint32_t version, const roma_opts *opts, roma_done *done,
                                           void *arg);
ROMA_API int roma_mfs_replica_crcs(roma_store *store, const roma_mfs_copy *copy, uint64_t chunk,
                                   uint32_t version, const roma_opts *opts, roma_mfs_crcs *out);

/* Reads len bytes at `offset` of the chunk (offset + len <= 64 MiB) from this copy alone. Behind the stored blocks
 * come zeros; a chunkserver knows nothing of a file's end. Result: bytes, crc32. ROMA_ECORRUPT: a block is damaged on
 * that server (which also tells the master); bytes says how many before it are good. */
ROMA_API roma_op roma_aio_mfs_replica_read(roma_store *store, const roma_mfs_copy *copy, uint64_t chunk,
                                           uint32_t version, void *buf, size_t len, uint64_t offset,
                                           const roma_opts *opts, roma_done *done, void *arg);
/* Bytes read, also in front of a damaged block (then roma_last(loop)->code is not ROMA_OK), or -1. */
ROMA_API int64_t roma_mfs_replica_read(roma_store *store, const roma_mfs_copy *copy, uint64_t chunk,
                                       uint32_t version, void *buf, size_t len, uint64_t offset,
                                       const roma_opts *opts);

ROMA_END
#endif
