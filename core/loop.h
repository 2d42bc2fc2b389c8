/* SPDX-License-Identifier: MIT */
/* The loop as the rest of the library sees it: descriptors, timers, tasks, and a table of hooks that drives them.
 * loop.c is common; loop_own.c (epoll) and loop_ev.c (libev) implement the hooks. All of this runs on the loop's
 * thread, except ri_loop_post(). */
#ifndef RI_LOOP_H
#define RI_LOOP_H

#include <pthread.h>
#include <stdbool.h>

#include <roma/roma.h>

#include "core/heap.h"
#include "core/list.h"
#include "core/map.h"

struct ri_op;
struct ri_config;
struct ri_workers;
struct ri_budget;

enum { RI_READ = 1, RI_WRITE = 2 };

/* A watched descriptor, embedded in its owner. The owner keeps the descriptor and closes it after ri_fd_stop(). */
struct ri_fd {
        int fd;
        unsigned events;                                 /* RI_READ | RI_WRITE, what is wanted now */
        void (*ready)(struct ri_fd *w, unsigned events); /* may stop or free any watcher, itself included */
        roma_loop *loop;                                 /* NULL while not watched */
        void *hook;                                      /* the hook table's own */
};

struct ri_timer {
        struct ri_heap_node node;
        void (*fire)(struct ri_timer *t); /* the timer is stopped when this runs */
        roma_loop *loop;                  /* NULL while not running */
};

/* Work to be done soon, never inside the call that asked for it. */
struct ri_task {
        struct ri_list link;
        void (*run)(struct ri_task *t);
        bool queued;
};

struct ri_loop_hooks {
        const char *name;
        int (*fd_start)(roma_loop *loop, struct ri_fd *w);
        int (*fd_change)(roma_loop *loop, struct ri_fd *w, unsigned events);
        void (*fd_stop)(roma_loop *loop, struct ri_fd *w);
        void (*timer)(roma_loop *loop,
                      uint64_t at_ns); /* when ri_loop_work() must run; UINT64_MAX: no need */
        void (*soon)(roma_loop *loop); /* ri_loop_work() must run in this or the next turn */
        void (*hold)(roma_loop *loop,
                     int delta); /* operations in flight: from none to some (+1), back (-1) */
        int (*turn)(roma_loop *loop, int timeout_ms); /* NULL where somebody else drives */
        void (*destroy)(roma_loop *loop);
};

struct ri_post {
        struct ri_post *next;
        void (*fn)(void *arg);
        void *arg;
        bool own; /* made by roma_loop_post(), which frees it */
};

struct roma_loop {
        const struct ri_loop_hooks *hooks;
        void *impl; /* the hook table's own */
        pid_t pid;
        pthread_t thread;

        struct ri_heap timers;
        uint64_t timer_at; /* what the hook was last told */
        struct ri_list tasks;
        unsigned in_callback; /* depth of the user's callbacks */
        bool working;         /* inside ri_loop_work() */
        bool freeing;

        struct ri_fd wake; /* eventfd for posts from other threads */
        pthread_mutex_t post_lock;
        struct ri_post *posts, **posts_end;
        bool posted; /* under post_lock: the eventfd has been written */

        struct ri_map ops; /* by id */
        uint64_t next_op;
        uint64_t held;       /* operations that keep the loop running */
        uint64_t referenced; /* bytes of its buffers that writers of stores keep beyond their writes */
        struct ri_list stores;

        struct ri_workers *workers;
        struct ri_budget *budget;
        struct ri_config *config;
        roma_loop_opts opts;
        roma_stats stats;
        void (*trace)(void *arg, const roma_trace_event *ev);
        void *trace_arg;

        struct ri_op *last;  /* the last blocking call that ran */
        roma_result refused; /* the last call that did not start; message is `error` */
        char error[2048];
};

/* Monotonic nanoseconds, also of the time that the machine slept (CLOCK_BOOTTIME), asked anew each time: a deadline
 * must not start in the past. */
uint64_t ri_now(void);

int ri_fd_start(roma_loop *loop, struct ri_fd *w, unsigned events); /* 0 or -errno */
int ri_fd_change(struct ri_fd *w, unsigned events);                 /* 0 or -errno */
void ri_fd_stop(struct ri_fd *w);                                   /* allowed when not watched */

/* Starts or restarts. -ENOMEM only when the heap cannot grow. */
int ri_timer_start(roma_loop *loop, struct ri_timer *t, uint64_t ms);
int ri_timer_start_at(roma_loop *loop, struct ri_timer *t, uint64_t at_ns);
void ri_timer_stop(struct ri_timer *t);
static inline bool ri_timer_running(const struct ri_timer *t)
{
        return t->loop != NULL;
}

void ri_task_queue(roma_loop *loop, struct ri_task *t);
void ri_task_drop(struct ri_task *t);

/* As roma_loop_post(), for the library's own threads: the caller owns the node, so it cannot fail. */
void ri_loop_post(roma_loop *loop, struct ri_post *p);

/* Timers that are due, posts, tasks. Called by the hook tables. */
void ri_loop_work(roma_loop *loop);

/* More or fewer things in flight that keep the loop running. */
void ri_loop_hold(roma_loop *loop, int delta);

/* Common to the constructors. */
roma_loop *ri_loop_make(const struct ri_loop_hooks *hooks, void *impl, const roma_loop_opts *opts);

/* Checks of a public call. 0, or -1 with the loop's error set. */
int ri_loop_enter(roma_loop *loop); /* right process? */
void ri_loop_error(roma_loop *loop, int code, const char *fmt, ...) __attribute__((format(printf, 3, 4)));

/* A phase begins: its time, or 0 when nobody will be told of it. op may be NULL. */
uint64_t ri_trace_start(const roma_loop *loop, const struct ri_op *op, const char *phase);
/* Reports a phase that ended now. start_ns 0: no report (nobody watched when it began). */
void ri_trace(roma_loop *loop, const struct ri_op *op, const char *phase, const char *server,
              uint64_t start_ns, uint64_t bytes, int code);
/* The same for a phase that was measured elsewhere. */
void ri_trace_span(roma_loop *loop, const struct ri_op *op, const char *phase, const char *server,
                   uint64_t start_ns, uint64_t end_ns, uint64_t bytes, int code);
/* For the trace alone, which must be on. */
void ri_trace_event(roma_loop *loop, const struct ri_op *op, const char *phase, const char *server,
                    uint64_t start_ns, uint64_t end_ns, uint64_t bytes, int code);

#endif
