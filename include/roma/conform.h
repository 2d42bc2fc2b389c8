/* SPDX-License-Identifier: MIT */
/* Does a server keep the MooseFS client protocol? One check for each packet and rule, against a running cluster.
 *
 * UNSTABLE: the tool `roma conform` is built on this; calls and members may change in any release.
 *
 * It blocks the thread that runs it and needs no loop. It makes one folder with a random name inside the folder that
 * it is given, works in that folder alone, and removes it at the end, also after roma_conform_stop(). */
#ifndef ROMA_CONFORM_H
#define ROMA_CONFORM_H

#include <roma/types.h>
#include <roma/wire.h>

ROMA_BEGIN

typedef struct roma_conform roma_conform;

/* What is checked. Constant. */
typedef struct roma_conform_check {
        const char *name;    /* "write/bad-crc" */
        const char *expects; /* what the server has to do */
        const char *servers; /* which versions have to: "any", "3.x", "4.x" */
        const char *source;  /* section of doc/moosefs-protocol.md, and the servers on which it was seen */
        int slow;            /* takes longer than 4 s */
} roma_conform_check;

/* The n-th check, NULL behind the last. */
ROMA_API const roma_conform_check *roma_conform_check_at(size_t n);

enum roma_conform_verdict {
        ROMA_CONFORM_PASS,
        ROMA_CONFORM_FAIL,
        ROMA_CONFORM_SKIP,  /* not for this server, or not asked for */
        ROMA_CONFORM_UNSURE /* it could not be tried: the network, no room, not enough chunkservers */
};

typedef struct roma_conform_result {
        const roma_conform_check *check;
        int verdict;      /* enum roma_conform_verdict */
        const char *text; /* what was expected and what came; "" for a pass. Lives during the callback */
        uint64_t ns;      /* how long it took */
} roma_conform_result;

typedef struct roma_conform_opts {
        size_t size;
        const char *uri;    /* mfs://HOST[:PORT]/FOLDER, options: export, uid, gid. The folder exists */
        const char *as;     /* the version that is declared, "3.0.117"; NULL: 4.59.2 */
        const char *filter; /* only checks whose name has this in it; NULL: all */
        int slow;           /* also the slow ones */
        void (*result)(void *arg, const roma_conform_result *r); /* after each check, in order; may be NULL */
        void *arg;
} roma_conform_opts;
#define ROMA_CONFORM_OPTS_INIT                    \
        {                                         \
                .size = sizeof(roma_conform_opts) \
        }

/* What the options point to is copied. Nothing is connected yet. NULL: no memory, or a library without MooseFS. */
ROMA_API roma_conform *roma_conform_new(const roma_conform_opts *opts) ROMA_MUST_CHECK;
/* Runs the checks. 0: each passed or was not for this server; 1: one failed; 2: none failed, but one or all could not be
 * tried (roma_conform_error() says why when it was all), or it was stopped. */
ROMA_API int roma_conform_run(roma_conform *c);
/* Why nothing could be tried, or what could not be removed at the end; "" when there is nothing to say. Lives as long
 * as c. */
ROMA_API const char *roma_conform_error(const roma_conform *c);
/* The version of the server, "3.0.117", once a check has run; else "". */
ROMA_API const char *roma_conform_server(const roma_conform *c);
/* Ends it soon: the rest is not tried, its folder is removed. From any thread, and from a signal handler. */
ROMA_API void roma_conform_stop(roma_conform *c);
ROMA_API void roma_conform_free(roma_conform *c);

/* ---- the other way round: does a client keep the protocol ---------------------------------------------------------- */

/* A master and chunkservers on 127.0.0.1 that keep files in memory, and look at what a client does with the rules of
 * roma/wire.h. They run in a thread of their own. */
typedef struct roma_served roma_served;

typedef struct roma_served_opts {
        size_t size;
        const char *as;    /* the version that they say they are, NULL: 3.0.117 */
        uint16_t port;     /* of the master, 0: any that is free */
        unsigned servers;  /* chunkservers, 0: 3; at most 8 */
        unsigned copies;   /* of each chunk, 0: 2 */
        uint32_t delay_ms; /* that a block takes until it is written: mistakes in the order of things show */
        /* Both may be NULL; they are called in that thread, one at a time. */
        void (*finding)(void *arg, const roma_wire_finding *f);
        void (*unchecked)(void *arg, const char *text);
        void *arg;
} roma_served_opts;
#define ROMA_SERVED_OPTS_INIT                    \
        {                                        \
                .size = sizeof(roma_served_opts) \
        }

/* They are up when it returns. NULL with a sentence in why. */
ROMA_API roma_served *roma_served_new(const roma_served_opts *opts, char *why, size_t size) ROMA_MUST_CHECK;
/* "mfs://127.0.0.1:PORT/"; lives as long as s. */
ROMA_API const char *roma_served_uri(const roma_served *s);
/* Stops them; rules that are broken only when nothing more comes are told now. */
ROMA_API void roma_served_end(roma_served *s);
/* What was seen; complete after roma_served_end(). Lives as long as s. */
ROMA_API const roma_wire_report *roma_served_report(const roma_served *s);
ROMA_API void roma_served_free(roma_served *s);

ROMA_END
#endif
