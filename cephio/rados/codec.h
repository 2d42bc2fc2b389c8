/* SPDX-License-Identifier: MIT */
/* What the RADOS store writes: bytes to structs and back. doc/rados-layout.md describes it. All numbers are little
 * endian, each record has a magic, a version and a CRC-32 over all before it. Nothing here needs a cluster.
 *
 * Decoders take any bytes: 0 and *out is filled, or -1 and *why is a static sentence. */
#ifndef RAD_CODEC_H
#define RAD_CODEC_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
        RAD_KEY_MAX = 1800, /* of the whole key: an OSD takes object names up to 2048 bytes */
        RAD_ID = 16,        /* random numbers that name something */
        RAD_MAX_SHARDS = 1024,
        RAD_MAX_SEGMENTS = 10000, /* parts of a multipart upload */
        RAD_MIN_PIECE = 4096,
        RAD_MAX_PIECE = 64 << 20, /* an OSD takes at most 90 MiB in one operation */
        RAD_INLINE_MAX = 1 << 20  /* a longer object is never kept in its head */
};

/* The xattr "roma" of a head object. */
enum { RAD_HEAD_BYTES = 120, RAD_HEAD_SEGMENTS = 1 };

struct rad_head {
        uint32_t
                flags; /* RAD_HEAD_SEGMENTS: the data of the head are a list of segments, else the object itself */
        uint64_t size;
        int64_t mtime_ns, atime_ns;
        uint32_t mode, uid, gid;
        uint32_t crc;            /* CRC-32 of the whole object */
        uint32_t list_bytes;     /* of the list of segments */
        uint8_t rev[RAD_ID];     /* another one after each change of anything */
        uint8_t content[RAD_ID]; /* another one for each content: the etag */
};

void rad_head_encode(const struct rad_head *h, uint8_t out[RAD_HEAD_BYTES]);
int rad_head_decode(const void *p, size_t n, struct rad_head *out, const char **why);

/* A run of pieces: piece i of generation gen is the object d/GEN/i and holds piece_size bytes, the last one the rest. */
struct rad_segment {
        uint8_t gen[RAD_ID];
        uint64_t length; /* above 0 */
        uint32_t piece_size;
};

size_t rad_segments_bytes(size_t n);
/* out holds rad_segments_bytes(n) bytes. */
void rad_segments_encode(const struct rad_segment *s, size_t n, uint8_t *out);
/* The segments must add up to `size`. *out is the caller's to free. */
int rad_segments_decode(const void *p, size_t n, uint64_t size, struct rad_segment **out, size_t *count,
                        const char **why);

/* The value of a key in the omap of an index object. */
enum { RAD_ENTRY_BYTES = 72 };

struct rad_entry {
        bool pending;   /* something is being done to the key; only its head knows */
        uint8_t tag[8]; /* of whoever wrote this value */
        uint64_t size;
        int64_t mtime_ns; /* pending: when that began */
        uint32_t mode;
        uint8_t content[RAD_ID];
};

void rad_entry_encode(const struct rad_entry *e, uint8_t out[RAD_ENTRY_BYTES]);
int rad_entry_decode(const void *p, size_t n, struct rad_entry *out, const char **why);

/* The value of a generation in the omap of a gc object. */
enum rad_gc_state {
        RAD_GC_UPLOADING = 1,  /* pieces are being written; no head names them */
        RAD_GC_COMMITTING = 2, /* a head that names them may come into being at any moment */
        RAD_GC_DEAD = 3        /* they were replaced or removed, or are about to be */
};

struct rad_gc {
        uint8_t state; /* enum rad_gc_state */
        int64_t time_ns;
        uint32_t piece_size;
        uint32_t pieces; /* 0: not known */
        size_t key_len;
        const char *key; /* of the head; decoded: points into the bytes, not NUL-terminated */
};

enum { RAD_GC_MAX = 40 + RAD_KEY_MAX };
size_t rad_gc_encode(const struct rad_gc *g, uint8_t out[RAD_GC_MAX]);
int rad_gc_decode(const void *p, size_t n, struct rad_gc *out, const char **why);

/* The data of the object "roma": what the whole namespace has in common. */
enum { RAD_LAYOUT_BYTES = 16 };

struct rad_layout {
        uint32_t shards;
};

void rad_layout_encode(const struct rad_layout *l, uint8_t out[RAD_LAYOUT_BYTES]);
int rad_layout_decode(const void *p, size_t n, struct rad_layout *out, const char **why);

/* Which shard of the index has the key: FNV-1a, so that every program finds the same. */
uint32_t rad_shard(const char *key, size_t len, uint32_t shards);

/* Names of objects. */
enum { RAD_NAME_MAX = RAD_KEY_MAX + 8, RAD_HEX = 2 * RAD_ID + 1, RAD_GC_SHARDS = 16 };
void rad_hex(const uint8_t id[RAD_ID], char out[RAD_HEX]);
bool rad_unhex(const char *p, size_t n, uint8_t id[RAD_ID]);
void rad_head_name(const char *key, char out[RAD_NAME_MAX]);
void rad_piece_name(const uint8_t gen[RAD_ID], uint32_t index, char out[RAD_NAME_MAX]);
void rad_index_name(uint32_t shard, char out[RAD_NAME_MAX]);
void rad_gc_name(const uint8_t gen[RAD_ID], char out[RAD_NAME_MAX]);
void rad_gc_shard_name(uint32_t shard, char out[RAD_NAME_MAX]);

#endif
