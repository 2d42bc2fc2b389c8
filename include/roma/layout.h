/* SPDX-License-Identifier: MIT */
/* Of what an object consists, where its pieces are, and what the store itself can say against them. For diagnosis.
 * Stores that have nothing to tell (a local folder) answer ROMA_ENOTSUP; MooseFS says more in roma/mfs.h. */
#ifndef ROMA_LAYOUT_H
#define ROMA_LAYOUT_H

#include <roma/types.h>

ROMA_BEGIN

enum roma_layout_flags {
        ROMA_LAYOUT_LOOK = 1, /* each piece is asked for its size */
        ROMA_LAYOUT_COPIES =
                2, /* all bytes of each piece are read; other copies where that harms no server */
        ROMA_LAYOUT_NOTED =
                4 /* what scrubs of the store have noted against its placement groups is asked for */
};

enum roma_piece_state {
        ROMA_PIECE_UNASKED = 0,
        ROMA_PIECE_THERE = 1,
        ROMA_PIECE_MISSING = 2,
        ROMA_PIECE_UNREADABLE = 3 /* it could not be asked or read: see the remarks */
};

/* A server that keeps a piece. */
typedef struct roma_piece_copy {
        int32_t id;          /* of an OSD; -1: it has none */
        int primary;         /* reads are answered by it */
        const char *host;    /* "node7"; "" when not known */
        const char *where;   /* "root=default rack=a host=node7"; "" when not known */
        const char *address; /* "10.0.0.7:6801"; "" when not known */
} roma_piece_copy;

typedef struct roma_piece {
        uint64_t offset; /* of its first byte in the object */
        uint64_t
                length; /* bytes of the object that it must hold; they lie side by side unless the layout is striped */
        uint64_t stored;      /* ROMA_PIECE_THERE: bytes that it has */
        int state;            /* enum roma_piece_state */
        int guessed;          /* the store does not say where it begins and ends: equal parts were assumed */
        const char *name;     /* of the object in the pool, or "part 3" */
        const char *group;    /* placement group: "3.1f"; "": none */
        const char *checksum; /* "crc32c:1a2b3c4d", "md5:..."; "": not known */
        size_t copies;
        const roma_piece_copy *copy; /* the acting set, the first one answers */
} roma_piece;

enum roma_remark_weight {
        ROMA_REMARK_NOTE = 0,    /* good to know */
        ROMA_REMARK_UNKNOWN = 1, /* something that could not be looked at, or means nothing for certain */
        ROMA_REMARK_BAD = 2      /* something is wrong */
};

typedef struct roma_remark {
        int weight;       /* enum roma_remark_weight */
        const char *kind; /* for programs: "missing", "size", "unreadable", "scrub" ... */
        int64_t piece;    /* index; -1: the whole object */
        const char *text; /* a sentence, and what to do */
} roma_remark;

/* Counted: the asynchronous form's lives during the callback unless it takes a share. Strings are never NULL. */
typedef struct roma_layout {
        uint64_t length;                   /* of the object, bytes */
        const char *kind;                  /* "rados", "rados-raw", "cephfs", "s3" */
        const char *pool;                  /* or bucket */
        const char *ns;                    /* namespace in the pool; "": the default one */
        const char *etag;                  /* "": none */
        const char *head;                  /* the object that names the pieces; "": none */
        uint64_t inode;                    /* 0: none */
        uint64_t object_size, stripe_unit; /* 0: not said */
        unsigned stripe_count;
        int whole_known; /* the store keeps a CRC-32 of all bytes: whole_crc */
        uint32_t whole_crc;
        size_t pieces;
        const roma_piece *piece;
        size_t remarks;
        const roma_remark *remark;
} roma_layout;

/* The layout of `key`; flags: enum roma_layout_flags. Nothing is changed. Result: extra is a const roma_layout *. */
ROMA_API roma_op roma_aio_layout(roma_store *store, const char *key, unsigned flags, const roma_opts *opts,
                                 roma_done *done, void *arg);
/* The caller gives it back with roma_layout_unref(). NULL: the loop's error says why. */
ROMA_API roma_layout *roma_layout_of(roma_store *store, const char *key, unsigned flags,
                                     const roma_opts *opts) ROMA_MUST_CHECK;
ROMA_API roma_layout *roma_layout_ref(const roma_layout *layout);
ROMA_API void roma_layout_unref(roma_layout *layout);

ROMA_END
#endif
