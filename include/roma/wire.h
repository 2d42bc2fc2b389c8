/* SPDX-License-Identifier: MIT */
/* MooseFS traffic that somebody has captured: the messages in it, and which rules of the protocol a client broke.
 *
 * UNSTABLE: the tool `roma wire` is built on this; calls and members may change in any release.
 *
 * A program gives frames, as they come from libpcap or a socket, and gets messages and findings by callback. Nothing
 * here opens a file or a socket, waits, or needs a loop; an object belongs to one thread at a time. All bytes may come
 * from an enemy. Memory is bounded (max_memory), whatever comes: what does not fit is left out and counted. */
#ifndef ROMA_WIRE_H
#define ROMA_WIRE_H

#include <roma/types.h>

ROMA_BEGIN

typedef struct roma_wire roma_wire;

/* A rule that a capture can show. doc/wire-rules.md has a paragraph for each. */
typedef struct roma_wire_rule {
        const char *id;     /* "finish-early" */
        const char *rule;   /* what a client has to do */
        const char *effect; /* what happens to the file otherwise */
} roma_wire_rule;

/* The n-th rule, NULL behind the last. Constant. */
ROMA_API const roma_wire_rule *roma_wire_rule_at(size_t n);

/* One packet of MooseFS. Everything lives during the callback. */
typedef struct roma_wire_message {
        uint64_t frame;        /* number of the frame that completed it, from 1 */
        int64_t time_ns;       /* of that frame */
        uint64_t connection;   /* number of the TCP connection, from 1 */
        const char *from, *to; /* "10.77.0.1:9421" */
        const char *name;      /* "CLTOCS_WRITE_DATA", or "UNKNOWN" */
        uint32_t type;
        uint32_t length;  /* of the payload */
        uint32_t inode;   /* the file that it is about, 0: not known */
        uint64_t chunk;   /* 0: about no chunk */
        const char *text; /* one line, printable */
        const char *json; /* one object; NULL unless opts.json */
        int partial;      /* bytes of it are missing in the capture: no fields, or not all */
} roma_wire_message;

/* A rule that was broken. */
typedef struct roma_wire_finding {
        const roma_wire_rule *rule;
        uint64_t frame;
        int64_t time_ns;
        uint64_t connection;
        const char *from, *to;
        uint32_t inode;   /* 0: not known */
        uint32_t index;   /* of the chunk in the file, when inode is known */
        uint64_t chunk;   /* 0: about no chunk */
        int64_t block;    /* -1: about no block */
        const char *text; /* what happened, in a sentence */
} roma_wire_finding;

/* What was seen, and what could not be seen. All grow only. */
typedef struct roma_wire_report {
        uint64_t frames, bytes; /* given */
        uint64_t other;         /* frames that are no TCP over IP */
        uint64_t damaged;       /* frames whose headers make no sense, or IP fragments */
        uint64_t cut;           /* frames that the capture shortened */
        uint64_t connections;   /* TCP */
        uint64_t moosefs;       /* of these */
        uint64_t joined;        /* of these: that had begun before the capture */
        uint64_t messages;      /* whole or in part */
        uint64_t partial;       /* of these, with bytes missing */
        uint64_t gaps, lost;    /* holes in MooseFS connections (or what is no packet), and their bytes */
        uint64_t writes;        /* write sessions of clients that were followed to a grant */
        uint64_t findings;      /* rules broken */
        uint64_t unchecked; /* places where a rule could not be decided; each has been told by `unchecked` */
        uint64_t forgotten; /* connections and grants dropped for want of memory */
} roma_wire_report;

typedef struct roma_wire_opts {
        size_t size;
        size_t max_memory;     /* bytes; 0: 32 MiB */
        const uint16_t *ports; /* only TCP to these ports is MooseFS; NULL: found by what is said */
        size_t nports;
        int json;
        /* Each may be NULL; without `message` nothing is made printable. */
        void (*message)(void *arg, const roma_wire_message *m);
        void (*finding)(void *arg, const roma_wire_finding *f);
        void (*unchecked)(void *arg, const char *text);
        void *arg;
} roma_wire_opts;
#define ROMA_WIRE_OPTS_INIT                    \
        {                                      \
                .size = sizeof(roma_wire_opts) \
        }

/* NULL: no memory, or a library without MooseFS. The ports are copied. */
ROMA_API roma_wire *roma_wire_new(const roma_wire_opts *opts) ROMA_MUST_CHECK;
ROMA_API void roma_wire_free(roma_wire *w);
/* Whether frames of this link type (LINKTYPE_*, as in a capture file) can be read. */
ROMA_API int roma_wire_linktype_ok(int linktype);
/* The next frame, in the order of time. len bytes are there of wirelen. */
ROMA_API void roma_wire_frame(roma_wire *w, int linktype, int64_t time_ns, const void *frame, size_t len,
                              size_t wirelen);
/* No more frames: what can only be said at the end is said now. */
ROMA_API void roma_wire_end(roma_wire *w);
ROMA_API const roma_wire_report *roma_wire_report_of(const roma_wire *w);

ROMA_END
#endif
