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

ROMA_END
#endif
