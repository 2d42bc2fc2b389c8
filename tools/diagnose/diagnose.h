/* SPDX-License-Identifier: MIT */
/* What can be concluded from checksum tables and blocks: which copies differ, in which pattern, why, and which bytes to
 * take. Nothing here reads or writes anything; whoever has the tables and the blocks calls it. */
#ifndef DIAGNOSE_H
#define DIAGNOSE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <roma/mfs.h>

enum {
        DG_BLOCK = ROMA_MFS_BLOCK_SIZE,
        DG_BLOCKS = ROMA_MFS_BLOCKS,
        DG_COPIES = 32 /* copies of a chunk that are looked at: one bit each */
};
#define DG_EMPTY   ROMA_MFS_EMPTY_CRC
#define DG_UNKNOWN UINT64_MAX
/* Of a chunk number: what is left without the part. */
#define DG_CHUNK_MASK UINT64_C(0x00FFFFFFFFFFFFFF)

/* ---- crc.c ------------------------------------------------------------------------------------------------ */

uint32_t dg_crc(const void *bytes, size_t n);
/* The CRC-32 of n bytes (<= 64 KiB) followed by zeros up to 64 KiB. */
uint32_t dg_crc_padded(const void *bytes, size_t n);
/* The one bit in which two blocks with these CRCs differ: byte * 8 + bit (bit 0 is the lowest). -1: more than one. Of two
 * blocks that have nothing to do with each other one pair in 8192 looks like that. */
int32_t dg_one_bit(uint32_t a, uint32_t b);
bool dg_is_zero(const void *bytes, size_t n);

/* ---- tables of one chunk ---------------------------------------------------------------------------------- */

/* What reading a block of a copy brought. DG_AWAY: its server does not give it now. DG_RESTLESS: other bytes each time. */
enum dg_seen { DG_UNREAD = 0, DG_GOOD, DG_BAD, DG_AWAY, DG_RESTLESS };

struct dg_copy {
        bool usable;       /* it has a table */
        bool current;      /* the master says that it is of the right version and whole */
        bool same_version; /* the master calls it damaged, but its server has it under the right version */
        uint8_t part;      /* of an erasure coded chunk; 0: a whole copy */
        uint32_t blocks;   /* stored */
        uint32_t crc[DG_BLOCKS];
        uint8_t seen[DG_BLOCKS]; /* enum dg_seen */
};

struct dg_chunk {
        uint32_t index;
        uint64_t length; /* of the file */
        size_t copies;
        struct dg_copy *copy;
        const uint8_t *moving; /* blocks that change while they are looked at: not judged. NULL: none */
        bool has_want;         /* there is an original */
        uint64_t want_length;
        uint32_t want[DG_BLOCKS]; /* its CRCs, padded with zeros; DG_EMPTY behind its end */
};

/* How the bytes of a bad block relate to what should be there. */
enum dg_pattern {
        DG_CONTENT = 0, /* other content: old, or of somebody else */
        DG_ZERO,        /* zeros in the middle */
        DG_TAIL,        /* zeros, or nothing, up to the end of the data */
        DG_BIT,         /* one bit */
        DG_SHIFT,       /* the right bytes, n further on */
        DG_SWAP,        /* two blocks have changed places */
        DG_OFFSET,      /* the bytes of another place of the file */
        DG_PAD,         /* bytes behind the end of the file, where zeros should be */
        DG_ROT,         /* stored bytes do not match the stored CRC */
        DG_PATTERNS
};
const char *dg_pattern_name(enum dg_pattern p); /* "zero-hole" ... for programs */
const char *dg_pattern_text(enum dg_pattern p); /* for people */

/* A run of blocks of one chunk in which the same copies are bad in the same way. */
struct dg_range {
        uint32_t chunk;        /* index in the file */
        uint32_t first, count; /* blocks */
        uint32_t bad;          /* copies that differ from the reference: bit i is copy i */
        uint32_t good;         /* copies that have what the reference has */
        uint32_t rot;          /* copies whose block cannot be read: CRC */
        bool by_original;      /* the reference is the original, else the majority or a guess */
        bool guess;            /* no majority: the copies are just different */
        bool same;             /* the bad copies agree with each other */
        bool behind;           /* behind the end of the file: no reader sees it */
        bool absent;           /* the bad copies never stored these blocks */
        bool table_bit; /* their checksum and that of a good copy differ in one bit, as no two blocks do by chance */
        enum dg_pattern pattern;
        bool sure;      /* the pattern was seen in bytes or follows from CRCs; else it is what remains */
        int64_t detail; /* DG_SHIFT: bytes; DG_BIT: byte * 8 + bit in the block; DG_SWAP, DG_OFFSET: where in the
                            file the first block's bytes belong */
        uint64_t at;    /* first byte of the file that differs; DG_UNKNOWN */
        uint64_t end; /* behind the last one; DG_UNKNOWN */
};

/* Finds the runs of `chunk`, in ascending order, at most `room` of them; more are counted. Returns how many there are.
 * Parts of erasure coded chunks are left out. */
size_t dg_ranges(const struct dg_chunk *chunk, struct dg_range *out, size_t room);

/* The copy whose block stands for what is right when there is no original: index, or -1. */
int dg_reference(const struct dg_chunk *chunk, uint32_t block);

/* Whether its parts say what is in the chunk. While the master makes parts of whole copies, or whole copies of parts, both are
 * there: a whole copy that is as it should be knows more than any part, a damaged or old one less than parts that are. */
bool dg_in_parts(const struct dg_chunk *chunk);

/* Does it lack so many of its parts, when these say what is in it, that nobody can read all of it? Which of them are
 * there and as they should be: *good, of *needed. */
bool dg_too_few_parts(const struct dg_chunk *chunk, unsigned *good, unsigned *needed);

/* An erasure coded chunk and its original: how many blocks of the chunk have other checksums in their data part, the first of
 * them, and the part (*copy). *complete says whether there is a part for each block of the original. */
uint32_t dg_parts_differ(const struct dg_chunk *chunk, uint32_t *first, size_t *copy, bool *complete);

/* An erasure coded chunk: the first block of a checksum part that is not what the data parts say, or of a part that is
 * there twice and differs; -1: none. *copy is the part. *complete says whether all that is needed was there. */
int dg_parity(const struct dg_chunk *chunk, size_t *copy, bool *complete);

/* ---- bytes.c: two blocks ---------------------------------------------------------------------------------- */

struct dg_bytes {
        enum dg_pattern pattern;
        uint32_t first, end; /* bytes of the block that differ: first, behind the last */
        uint32_t differing;  /* how many */
        int64_t detail;
};

/* Compares the block `bad` with `good`. around: what is right in the block before, this one and the one after, 3 * 64
 * KiB (zeros where the file has no such block); shifts are looked for there. used: bytes of the block that are inside the file;
 * what lies behind should be zero. False: they are the same. */
bool dg_compare(const unsigned char *good, const unsigned char *bad, const unsigned char *around,
                uint32_t used, struct dg_bytes *out);

/* ---- cause.c ---------------------------------------------------------------------------------------------- */

/* What is known about one file after all its chunks were looked at. */
struct dg_file {
        uint64_t length, want_length; /* want_length: DG_UNKNOWN without an original */
        size_t chunks;
        const struct dg_range *range;
        size_t ranges;
        size_t copies; /* largest number of copies of a chunk */
        uint64_t
                stored; /* bytes behind the end of the file that are stored all the same: up to this offset; 0: none */
        bool stored_data;  /* some of them are not zero */
        bool chunk_behind; /* a whole chunk lies behind the end: no cause by itself, it may hold nothing */
        uint32_t empty_copies;  /* copies that store nothing where others store something */
        uint32_t absent_chunks; /* chunks of the map that are holes where the original has data */
        uint32_t invalid;       /* copies that the master knows as damaged */
        uint32_t old;           /* copies of another version */
        uint32_t lost;          /* chunks without any copy on a server that is there */
        bool tail_differs; /* longer than the original, with bytes that are not zero in what is too much */
};

enum dg_cause_id {
        DG_CAUSE_FINISH = 0,
        DG_CAUSE_LAST_STATUS,
        DG_CAUSE_ONE_COPY,
        DG_CAUSE_NO_END,
        DG_CAUSE_END_CHUNK,
        DG_CAUSE_END_SHORT,
        DG_CAUSE_END_LONG,
        DG_CAUSE_BLOCK_NUMBER,
        DG_CAUSE_CHUNK_INDEX,
        DG_CAUSE_NO_TRUNCATE,
        DG_CAUSE_REFUSED,
        DG_CAUSE_WRITEID,
        DG_CAUSE_RESEND,
        DG_CAUSE_WRITERS,
        DG_CAUSE_MEMORY,
        DG_CAUSE_DISK,
        DG_CAUSE_BUFFER,
        DG_CAUSE_PADDING,
        DG_CAUSE_CRASH,
        DG_CAUSE_OTHER_FILE,
        DG_CAUSE_GONE,
        DG_CAUSES
};

struct dg_cause {
        enum dg_cause_id id;
        unsigned score; /* 1..100 */
        char evidence[240];
};

enum { DG_CAUSES_MAX = 3 };
/* The likely causes, best first; returns how many (at most DG_CAUSES_MAX). */
size_t dg_causes(const struct dg_file *file, struct dg_cause out[DG_CAUSES_MAX]);
const char *dg_cause_name(enum dg_cause_id id);   /* "finish-early" ... */
const char *dg_cause_text(enum dg_cause_id id);   /* what the client or server did */
const char *dg_cause_advice(enum dg_cause_id id); /* what to do */

/* ---- vote.c ----------------------------------------------------------------------------------------------- */

enum dg_certainty {
        DG_CERTAIN = 0, /* as the original, or nothing contradicts it */
        DG_CHOSEN,      /* the copies disagree, this is the likeliest */
        DG_LOST         /* no copy can be read */
};

struct dg_vote {
        enum dg_certainty certainty;
        int copy;           /* to read from; -1: none. With zeros nothing need be read */
        bool zeros;         /* the block is all zeros */
        uint32_t with;      /* copies that have the same bytes */
        uint32_t against;   /* copies that have others */
        const char *reason; /* for DG_CHOSEN and DG_LOST */
};

/* Which copy of this block to take. Blocks with seen == DG_BAD or DG_AWAY are out, and what their tables say still counts against
 * others; those with DG_RESTLESS are taken where there is nothing else, and never certain. last: the copy taken for the block before, -1; it
 * breaks ties, so that a file is not mixed more than it must. */
void dg_choose(const struct dg_chunk *chunk, uint32_t block, int last, struct dg_vote *out);

/* ---- mix.c: only the MD5 of the file is known ------------------------------------------------------------- */

enum dg_mix {
        DG_MIX_RUNS,   /* blocks in which the same copies differ are taken from the same copy */
        DG_MIX_BLOCKS, /* each block by itself */
        DG_MIX_DATA,   /* as runs, but no zeros where another copy has data */
        DG_MIX_CHUNKS, /* one copy for all of a chunk */
        DG_MIXES
};

/* Blocks that are taken from one copy. */
struct dg_piece {
        uint32_t first, count;
        uint32_t options;         /* different contents; 0: no copy can be read, 1: nothing to choose */
        bool left_out;            /* and some that were zeros, where another copy has data */
        uint32_t with[DG_COPIES]; /* the copies that have each of them, one bit each */
};
/* The first `blocks` (1..1024) of a chunk as pieces, in order; `out` has room for as many. others: also copies of another
 * version, and those that the master calls damaged. Returns how many pieces. */
size_t dg_pieces(const struct dg_chunk *chunk, uint32_t blocks, enum dg_mix how, bool others,
                 struct dg_piece *out);

/* What it costs to try all combinations when one digest for each is carried through the file; starts as { .states = 1 }. */
struct dg_cost {
        uint64_t states; /* combinations so far */
        uint64_t bytes;  /* to digest; UINT64_MAX: more than can be counted */
        uint64_t points; /* pieces with a choice */
        uint64_t unreadable;
};
/* Adds the pieces of the next chunk, which holds `bytes` of the file. */
void dg_cost_add(struct dg_cost *cost, const struct dg_piece *piece, size_t n, uint64_t bytes);

/* ---- picture.c -------------------------------------------------------------------------------------------- */

enum dg_cell {
        DG_CELL_SAME = '#',    /* the same data in all copies */
        DG_CELL_EMPTY = '.',   /* zeros in all copies */
        DG_CELL_OTHER = 'D',   /* data, and others have something else */
        DG_CELL_ZERO = 'z',    /* zeros, and others have data */
        DG_CELL_MISSING = '-', /* never stored, and others have data */
        DG_CELL_ROT = '!',     /* does not match its CRC */
        DG_CELL_UNREAD = '?'   /* DG_AWAY, and no table says anything against it */
};
/* The first `blocks` (1..1024) of a copy as n cells, each the worst of its blocks; cells has room for n + 1. */
void dg_picture(const struct dg_chunk *chunk, size_t copy, uint32_t blocks, char *cells, size_t n);

/* ---- part.c: parts of erasure coded chunks ---------------------------------------------------------------- */

struct dg_part {
        unsigned data;   /* parts that the bytes of the chunk are spread over: 4 or 8 */
        unsigned number; /* 0..data-1, or of the checksum parts 0.. */
        bool checksum;   /* it holds no bytes of the chunk */
        bool exclusive;  /* a checksum part that is the XOR of the data parts */
};

/* What the first byte of a chunk number says. False: a whole chunk, or no part that MooseFS makes. */
bool dg_part(uint8_t id, struct dg_part *out);
/* Blocks that such a part can have. */
uint32_t dg_part_blocks(const struct dg_part *part);
/* The block of the chunk that block `block` of a data part is. */
uint32_t dg_part_place(const struct dg_part *part, uint32_t block);
/* The number of the data part that holds this block of the chunk. */
unsigned dg_part_number(const struct dg_part *part, uint32_t block);
/* The block of the data part that holds this block of the chunk; -1: another part does. */
int32_t dg_part_find(const struct dg_part *part, uint32_t block);

/* ---- rebuild.c: a block of an erasure coded chunk --------------------------------------------------------- */

enum { DG_SOURCES = 8 };

/* Where its bytes are. */
struct dg_source {
        enum dg_certainty certainty;
        unsigned
                n; /* copies: 0 none can be read, 1 it is this copy's block, 4 or 8: it is the XOR of theirs */
        size_t copy[DG_SOURCES]; /* parts, or one whole copy */
        uint32_t block;          /* in each of these */
        uint32_t crc;            /* that it then has; DG_EMPTY: all zeros, nothing need be read */
        const char *reason;      /* for DG_CHOSEN and DG_LOST */
};

/* Where to take this block of the chunk from when dg_in_parts(). Blocks with seen == DG_BAD or DG_AWAY are out, and what
 * their tables say still counts against others. avoid: copies (one bit each) that are read only when nobody else has the
 * same bytes. Parts of another version are never computed with. What is DG_RESTLESS is taken where there is nothing else. */
void dg_choose_part(const struct dg_chunk *chunk, uint32_t block, uint32_t avoid, struct dg_source *out);

/* ---- chunkfile.c ------------------------------------------------------------------------------------------ */

enum dg_cf_problem {
        DG_CF_SIGNATURE = 1,    /* does not start with MFSC 1.0 or 1.1 */
        DG_CF_SIZE = 2,         /* no size that a chunk file can have: cut or grown */
        DG_CF_NAME_ID = 4,      /* the name says another chunk */
        DG_CF_NAME_VERSION = 8, /* the name says another version */
        DG_CF_HEADER = 16,      /* bytes that should be zero are not */
        DG_CF_BLOCK = 32,       /* a block does not match its CRC */
        DG_CF_TABLE = 64,       /* the table has entries for blocks that are not there */
        DG_CF_READ = 128,       /* could not be read to its end */
        DG_CF_EMPTY = 256,      /* nothing in it, or not even the header */
        DG_CF_PART = 512,       /* which blocks of which chunk it holds is not known: see dg_chunkfile.part */
        DG_CF_START = 1024 /* where its blocks start is not known: nothing behind the header is looked at */
};

struct dg_chunkfile {
        unsigned problems; /* enum dg_cf_problem */
        char signature[9]; /* printable characters only */
        uint64_t id;
        uint32_t version;
        bool named; /* the name was that of a chunk file */
        uint64_t name_id;
        uint32_t name_version;
        /* The first byte of the number: 0 is a whole chunk, others are parts of erasure coded ones (4.x). With DG_CF_PART name and
         * header disagree, or there is no such part, or it is longer than one can be: its blocks have no place. */
        uint8_t part;
        uint64_t size;
        uint32_t header;          /* 1024 or 4096; 0 with DG_CF_START */
        uint32_t blocks;          /* whole ones */
        uint32_t rest;            /* bytes of a block that was cut */
        uint32_t bad;             /* blocks that do not match their CRC */
        uint32_t one_bit;         /* of these: that would with one bit changed */
        uint32_t crc[DG_BLOCKS];  /* as stored */
        uint32_t real[DG_BLOCKS]; /* of the bytes */
        int32_t bit[DG_BLOCKS];   /* -1, or the one bit that makes the block match its CRC */
        uint8_t seen[DG_BLOCKS];  /* enum dg_seen */
};

/* Reads exactly len bytes at offset; 0, or -1. */
typedef int dg_read_fn(void *arg, void *buf, size_t len, uint64_t offset);
/* Checks a chunk file of `size` bytes; name: without folders, may be NULL. What can be read is filled in whatever is
 * wrong. Takes 64 KiB of stack. */
void dg_chunkfile(const char *name, uint64_t size, dg_read_fn *read, void *arg, struct dg_chunkfile *out);
/* Where block `block` starts in the file. */
uint64_t dg_chunkfile_at(const struct dg_chunkfile *cf, uint32_t block);

#endif
