/* SPDX-License-Identifier: MIT */
/* Operations: one asynchronous request each, exactly one completion.
 *
 * The life of one: ri_op_new() (running, timers armed, counted) -> the backend or a composite works on it ->
 * ri_op_finish()/ri_op_fail() (timers stopped, queued) -> its callback in a later turn -> freed.
 *
 * Ending early (roma_cancel, a deadline, a closed store): core calls op->cancel(op), which must stop touching the
 * caller's memory and release op->impl, and must NOT finish the operation; core then finishes it with
 * op->outcome. So a backend keeps op->outcome true: NOT_DONE until the request is on its way, UNKNOWN from then
 * on (for changes; reads leave it alone). op->cancel must be set before control returns to the loop. */
#ifndef RI_OP_H
#define RI_OP_H

#include "core/loop.h"

struct ri_op {
        uint64_t id;
        struct ri_map_node by_id;
        struct ri_list in_store;
        struct ri_list in_file; /* data operations: they end with their file */
        const void *file;       /* and tell by it who waits in one line with them */
        roma_loop *loop;
        roma_store *store; /* NULL for operations of the loop itself */
        const char *name;  /* "pread"; static */
        char *object;      /* what it works on, for error sentences; owned */
        roma_done *done;   /* NULL: nobody is told */
        void *arg;
        uint64_t parent; /* the operation the program started, for traces; 0: this one */

        void (*cancel)(struct ri_op *op);
        void (*discard)(struct ri_op *op); /* releases a handle in the result that nobody will receive */
        void (*settle)(struct ri_op *op);  /* core's own: it has ended, well or not; before the delivery */
        void *core;                        /* core's own: for settle and discard */
        void *impl;                        /* of whoever works on it */
        int outcome;                       /* what a sudden end would mean, see above */
        unsigned tries;
        char server[64];     /* the server it is waiting for now, for the sentence of a time-out */
        const char *waiting; /* what for; static; NULL: "an answer" */
        char *known;         /* what it has learned meanwhile, for the same sentence; owned; may be NULL */

        uint32_t stall_ms, deadline_ms;
        struct ri_timer stall, deadline;
        uint64_t progress_at; /* its start, then as moved_at */
        uint64_t stall_due;   /* when the timer of the stall time is to fire */
        uint64_t moved_at;    /* 0: never */
        bool stall_asked;     /* the program or the URI has said how long, it is not the default */
        bool patient; /* waits for a program at the other end of a pipe, which takes the time it takes */
        uint64_t started_ns;
        bool finished; /* queued for delivery */
        bool ending;   /* RI_ENDING */
        bool changes;  /* names of the store: see ri_op_changes() */
        bool keep;     /* becomes the loop's last result instead of being freed */

        struct ri_task deliver;
        roma_result res;
        roma_attr attr; /* storage for res.attr */
        char *message;  /* storage for res.message */
        void *payload;  /* storage for lists and text */
        void (*payload_free)(void *payload);
};

/* Kinds differ in their default deadline. RI_ENDING gives something back: it may start, and goes on, while its store
 * closes. */
enum ri_op_kind { RI_SINGLE, RI_TRANSFER, RI_ENDING };

/* A new running operation, or NULL with the loop's error set. object is copied (NULL: the store's URI). opts may be
 * any options struct: they start alike. */
struct ri_op *ri_op_new(roma_loop *loop, roma_store *store, enum ri_op_kind kind, const char *name,
                        const char *object, const void *opts, roma_done *done, void *arg);
/* A child: no limits of its own, traces go to the parent's id. Its callback is internal code, which may finish the
 * parent but is otherwise held to the rules of a user's callback. */
void ri_op_set_parent(struct ri_op *op, const struct ri_op *parent);

static inline roma_op ri_op_id(const struct ri_op *op)
{
        return op ? op->id : 0;
}

/* Ends it well. Fill op->res first. op->impl must be released already. */
void ri_op_finish(struct ri_op *op);
/* Ends it badly. The sentence is "NAME OBJECT: " + the text; see ri_op_fail_server for one with a server. */
void ri_op_fail(struct ri_op *op, int code, const char *fmt, ...) __attribute__((format(printf, 3, 4)));
/* The same with all that is known; `e` may be built on the stack. */
struct ri_error {
        int code;
        int outcome; /* used when above NOT_DONE, else op->outcome */
        unsigned flags;
        int status_kind;
        int server_status;
        const char *status_name; /* static */
        char server[64];
        char text[512]; /* expected, got, what to do */
};
void ri_op_fail_error(struct ri_op *op, const struct ri_error *e);
/* A child's result as an error that can be kept: code, server, status and sentence, not the outcome. */
void ri_error_from(struct ri_error *e, const roma_result *r);
/* Takes over code, server, status and sentence of a child's result. */
void ri_op_fail_from(struct ri_op *op, const roma_result *r);

/* From a local errno: code, advice. */
void ri_error_errno(struct ri_error *e, int err, const char *what, const char *path);
void ri_error_set(struct ri_error *e, int code, const char *server, const char *fmt, ...)
        __attribute__((format(printf, 4, 5)));

/* Bytes moved: resets the stall time of this operation, and of those that wait with it: what it was started for, what
 * was started for the same, and what waits its turn in the same file. */
void ri_op_progress(struct ri_op *op);

/* Whether it may be silent for longer than its stall time: others that it waits with move, or nobody drove the loop. */
bool ri_op_excused(const struct ri_op *op);

/* core/limits.c, for ri_op_new(): the two times from opts, the store and the defaults; their timers, -1 without memory. */
void ri_limits_set(struct ri_op *op, enum ri_op_kind kind, const void *opts);
int ri_limits_start(struct ri_op *op);
/* What it waits for now, for the sentence of a time-out. server may be NULL. */
void ri_op_waits(struct ri_op *op, const char *what, const char *server);
/* What it has learned while it waited, and would tell if it ended well: the sentence of a time-out says it too. Copied. */
void ri_op_knows(struct ri_op *op, const char *words);

struct ri_op *ri_op_find(roma_loop *loop, roma_op id);
/* Ends it now with this code; its callback follows. */
void ri_op_abort(struct ri_op *op, int code, const char *fmt, ...) __attribute__((format(printf, 3, 4)));
/* Ends it without a callback, also when it has finished and waits for delivery; handles in its result are closed.
 * For composites that end. An unknown id: nothing. */
void ri_op_drop(roma_loop *loop, roma_op id);

/* What becomes of an operation whose store closes, ended or not, as long as it is not delivered. */
void ri_op_void(struct ri_op *op);

/* The blocking twins:
 *      struct ri_wait w;
 *      if (ri_wait_begin(&w, loop) < 0)
 *              return -1;
 *      return ri_wait(&w, roma_aio_x(..., ri_wait_done, &w));
 * The result stays in roma_last(loop). */
struct ri_wait {
        roma_loop *loop;
        int code;
        bool ended;
};
int ri_wait_begin(struct ri_wait *w, roma_loop *loop); /* -1: not here, the loop's error is set */
int ri_wait(struct ri_wait *w, roma_op id); /* drives the loop; 0 when it ended with ROMA_OK, else -1 */
void ri_wait_done(void *arg, const roma_result *r);
/* The attributes of the last result, for a caller who may not want them: NULL. */
void ri_wait_attr(roma_loop *loop, roma_attr *attr);

/* It changes names: lists that were read before it began or ended are not continued. */
void ri_op_changes(struct ri_op *op);

void ri_op_free(struct ri_op *op); /* for the loop's last result only */

#endif
