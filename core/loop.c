/* SPDX-License-Identifier: MIT */
/* What all kinds of loop share: timers, tasks, posts from other threads, and who may call what where. */
#include "core/loop.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

#include "core/backend.h"
#include "core/buf.h"
#include "core/config.h"
#include "core/op.h"
#include "core/probe.h"
#include "core/workers.h"

enum { DEFAULT_BUDGET = 32 << 20, LEAST_BUDGET = 1 << 20, DEFAULT_WORKERS = 4, MOST_WORKERS = 64 };

static __thread char make_error[256]; /* why no loop could be made: there is no loop to keep it */

/* The time that others count in: it goes on while this machine sleeps, and what a server has given for two minutes has
 * then ended. */
uint64_t ri_now(void)
{
        struct timespec ts;

        clock_gettime(CLOCK_BOOTTIME, &ts);
        return (uint64_t)ts.tv_sec * 1000000000u + (uint64_t)ts.tv_nsec;
}

/* Descriptors */

int ri_fd_start(roma_loop *loop, struct ri_fd *w, unsigned events)
{
        int r;

        w->loop = loop;
        w->events = events;
        w->hook = NULL;
        r = loop->hooks->fd_start(loop, w);
        if (r < 0)
                w->loop = NULL;
        else if (w != &loop->wake)
                loop->stats.descriptors++;
        return r;
}

int ri_fd_change(struct ri_fd *w, unsigned events)
{
        int r;

        if (w->events == events)
                return 0;
        r = w->loop->hooks->fd_change(w->loop, w, events);
        if (r == 0)
                w->events = events;
        return r;
}

void ri_fd_stop(struct ri_fd *w)
{
        roma_loop *loop = w->loop;

        if (!loop)
                return;
        loop->hooks->fd_stop(loop, w);
        if (w != &loop->wake)
                loop->stats.descriptors--;
        w->loop = NULL;
}

/* Timers */

static void tell_timer(roma_loop *loop)
{
        struct ri_heap_node *first = ri_heap_peek(&loop->timers);
        uint64_t at = first ? first->key : UINT64_MAX;

        /* A wake-up that is too early costs one turn; telling the hook each time costs a system call. */
        if (at < loop->timer_at) {
                loop->timer_at = at;
                loop->hooks->timer(loop, at);
        }
}

int ri_timer_start_at(roma_loop *loop, struct ri_timer *t, uint64_t at_ns)
{
        if (t->loop) {
                ri_heap_update(&loop->timers, &t->node, at_ns);
        } else {
                ri_heap_node_init(&t->node);
                if (ri_heap_insert(&loop->timers, &t->node, at_ns) < 0)
                        return -ENOMEM;
                t->loop = loop;
                loop->stats.timers++;
        }
        tell_timer(loop);
        return 0;
}

int ri_timer_start(roma_loop *loop, struct ri_timer *t, uint64_t ms)
{
        return ri_timer_start_at(loop, t, ri_now() + ms * 1000000u);
}

void ri_timer_stop(struct ri_timer *t)
{
        roma_loop *loop = t->loop;

        if (!loop)
                return;
        ri_heap_remove(&loop->timers, &t->node);
        loop->stats.timers--;
        t->loop = NULL;
}

static void run_timers(roma_loop *loop)
{
        struct ri_heap_node *n;
        uint64_t now;

        if (!ri_heap_peek(&loop->timers))
                return;
        now = ri_now();
        while ((n = ri_heap_peek(&loop->timers)) && n->key <= now) {
                struct ri_timer *t = ri_container_of(n, struct ri_timer, node);

                ri_timer_stop(t);
                t->fire(t);
        }
        if (loop->timer_at <= now)
                loop->timer_at = UINT64_MAX; /* it has gone off; tell_timer() arms it anew */
        tell_timer(loop);
}

/* Tasks */

void ri_task_queue(roma_loop *loop, struct ri_task *t)
{
        if (t->queued)
                return;
        t->queued = true;
        ri_list_add_tail(&loop->tasks, &t->link);
        if (!loop->working)
                loop->hooks->soon(loop);
}

void ri_task_drop(struct ri_task *t)
{
        if (!t->queued)
                return;
        t->queued = false;
        ri_list_del(&t->link);
}

static void run_tasks(roma_loop *loop)
{
        struct ri_list batch, *l;

        /* What these tasks queue waits for the next turn, so that descriptors get their share. */
        ri_list_init(&batch);
        ri_list_splice_tail(&batch, &loop->tasks);
        while ((l = ri_list_pop(&batch))) {
                struct ri_task *t = ri_container_of(l, struct ri_task, link);

                t->queued = false;
                t->run(t);
        }
}

/* Posts */

void ri_loop_post(roma_loop *loop, struct ri_post *p)
{
        uint64_t one = 1;
        bool wake;

        p->next = NULL;
        pthread_mutex_lock(&loop->post_lock);
        *loop->posts_end = p;
        loop->posts_end = &p->next;
        wake = !loop->posted;
        loop->posted = true;
        /* Inside the lock: once it is released the loop may take the post, end and close the descriptor. */
        while (wake && write(loop->wake.fd, &one, sizeof one) < 0 && errno == EINTR)
                ;
        pthread_mutex_unlock(&loop->post_lock);
}

int roma_loop_post(roma_loop *loop, void (*fn)(void *arg), void *arg)
{
        struct ri_post *p = calloc(1, sizeof *p);

        if (!p)
                return -1;
        p->fn = fn;
        p->arg = arg;
        p->own = true;
        ri_loop_post(loop, p);
        return 0;
}

static void run_posts(roma_loop *loop)
{
        struct ri_post *p, *next;

        pthread_mutex_lock(&loop->post_lock);
        p = loop->posts;
        loop->posts = NULL;
        loop->posts_end = &loop->posts;
        loop->posted = false;
        pthread_mutex_unlock(&loop->post_lock);
        for (; p; p = next) {
                bool own = p->own;

                next = p->next;
                if (own)
                        loop->in_callback++;
                p->fn(p->arg);
                if (own) {
                        loop->in_callback--;
                        free(p);
                }
        }
}

static void woken(struct ri_fd *w, unsigned events)
{
        uint64_t n;

        (void)events;
        while (read(w->fd, &n, sizeof n) < 0 && errno == EINTR)
                ;
        run_posts(w->loop);
}

/* Turns */

void ri_loop_work(roma_loop *loop)
{
        bool nested = loop->working;

        loop->working = true;
        run_timers(loop);
        run_tasks(loop);
        loop->working = nested;
        if (!ri_list_empty(&loop->tasks) && !nested)
                loop->hooks->soon(loop);
}

void ri_loop_hold(roma_loop *loop, int delta)
{
        uint64_t before = loop->held;

        loop->held += (uint64_t)(int64_t)delta;
        if (before == 0 && loop->held)
                loop->hooks->hold(loop, 1);
        else if (before && loop->held == 0)
                loop->hooks->hold(loop, -1);
}

/* Errors of calls */

void ri_loop_error(roma_loop *loop, int code, const char *fmt, ...)
{
        char text[sizeof loop->error];
        va_list ap;

        va_start(ap, fmt);
        vsnprintf(text, sizeof text, fmt, ap); /* an argument may be the old sentence */
        va_end(ap);
        memcpy(loop->error, text, sizeof text);
        memset(&loop->refused, 0, sizeof loop->refused);
        loop->refused.code = code;
        loop->refused.message = loop->error;
        loop->refused.status_name = loop->refused.server = "";
}

int ri_loop_enter(roma_loop *loop)
{
        if (loop->pid == getpid())
                return 0;
        ri_loop_error(
                loop, ROMA_EFORK,
                "this loop was made by process %d and does not work in its child: make a new loop after fork",
                (int)loop->pid);
        return -1;
}

const char *roma_error(roma_loop *loop)
{
        if (!loop)
                return make_error;
        return loop->error;
}

const roma_result *roma_last(roma_loop *loop)
{
        if (loop->refused.code)
                return &loop->refused;
        if (loop->last)
                return &loop->last->res;
        loop->refused.message = loop->refused.status_name = loop->refused.server = "";
        return &loop->refused;
}

/* Making and ending */

static int loop_parts(roma_loop *loop)
{
        loop->wake.fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
        if (loop->wake.fd < 0)
                return -errno;
        loop->wake.ready = woken;
        loop->budget = ri_budget_new(loop->opts.max_buffer_bytes);
        loop->workers = ri_workers_new(loop, loop->opts.max_workers);
        if (!loop->budget || !loop->workers)
                return -ENOMEM;
        return ri_fd_start(loop, &loop->wake, RI_READ);
}

static void loop_opts(roma_loop_opts *to, const roma_loop_opts *from)
{
        memset(to, 0, sizeof *to);
        if (from)
                memcpy(to, from, from->size < sizeof *to ? from->size : sizeof *to);
        if (!to->max_buffer_bytes)
                to->max_buffer_bytes = DEFAULT_BUDGET;
        if (to->max_buffer_bytes < LEAST_BUDGET)
                to->max_buffer_bytes = LEAST_BUDGET;
        if (!to->max_workers)
                to->max_workers = DEFAULT_WORKERS;
        if (to->max_workers > MOST_WORKERS)
                to->max_workers = MOST_WORKERS;
}

static void loop_destroy(roma_loop *loop)
{
        if (loop->workers)
                ri_workers_stop(loop->workers);
        run_posts(loop); /* abandoned jobs that came back in the meantime free themselves */
        if (loop->workers)
                ri_workers_free(loop->workers);
        ri_fd_stop(&loop->wake);
        if (loop->wake.fd >= 0)
                close(loop->wake.fd);
        if (loop->last)
                ri_op_free(loop->last);
        ri_budget_free(loop->budget);
        ri_config_free(loop->config);
        loop->hooks->destroy(loop);
        ri_heap_free(&loop->timers);
        ri_map_free(&loop->ops);
        pthread_mutex_destroy(&loop->post_lock);
        free(loop);
}

roma_loop *ri_loop_make(const struct ri_loop_hooks *hooks, void *impl, const roma_loop_opts *opts)
{
        roma_loop *loop = calloc(1, sizeof *loop);
        int r;

        if (!loop) {
                snprintf(make_error, sizeof make_error, "no memory for an event loop");
                errno = ENOMEM;
                return NULL;
        }
        loop->hooks = hooks;
        loop->impl = impl;
        loop->pid = getpid();
        loop->thread = pthread_self();
        loop->timer_at = UINT64_MAX;
        loop->wake.fd = -1;
        loop->posts_end = &loop->posts;
        loop->next_op = 1;
        loop_opts(&loop->opts, opts);
        ri_heap_init(&loop->timers);
        ri_list_init(&loop->tasks);
        ri_list_init(&loop->stores);
        ri_map_init(&loop->ops);
        pthread_mutex_init(&loop->post_lock, NULL);
        r = loop_parts(loop);
        if (r == 0)
                return loop;
        snprintf(make_error, sizeof make_error, "no event loop: %s", strerror(-r));
        loop->impl = NULL; /* still the caller's */
        loop_destroy(loop);
        errno = -r;
        return NULL;
}

/* The end of a store that is being closed already: close_stores() waits for it. */
static bool ends_store(roma_loop *loop, const struct ri_op *op)
{
        ri_list_for_each(l, &loop->stores)
        {
                if (ri_container_of(l, roma_store, in_loop)->close_op == op)
                        return true;
        }
        return false;
}

/* Ends the operations that are left; their callbacks run here. Unless `all`, those that give something back go on:
 * a writer that was aborted is still removing its temporary. */
static void end_operations(roma_loop *loop, bool all)
{
        for (;;) {
                struct ri_op *left = NULL;

                ri_map_for_each(n, &loop->ops)
                {
                        struct ri_op *op = ri_container_of(n, struct ri_op, by_id);

                        if (!op->finished && (all || (!op->ending && !ends_store(loop, op))))
                                left = op;
                }
                if (!left)
                        break;
                ri_op_abort(left, ROMA_ECANCELED, "the loop was freed");
        }
        for (int i = 0; i < 1000 && !ri_list_empty(&loop->tasks); i++)
                ri_loop_work(loop);
}

/* Closing one may take others along, so each look starts anew. */
static roma_store *next_open(roma_loop *loop)
{
        ri_list_for_each(l, &loop->stores)
        {
                roma_store *store = ri_container_of(l, roma_store, in_loop);

                if (!store->closing)
                        return store;
        }
        return NULL;
}

static void close_stores(roma_loop *loop)
{
        uint64_t until = ri_now() + 5500u * 1000000u;
        roma_store *store;

        while ((store = next_open(loop)))
                roma_aio_store_close(store, NULL, NULL);
        while (loop->hooks->turn && (!ri_list_empty(&loop->stores) || loop->held) && ri_now() < until)
                loop->hooks->turn(loop, 100);
        while (!ri_list_empty(&loop->stores))
                ri_store_close_now(ri_container_of(ri_list_first(&loop->stores), roma_store, in_loop));
}

void roma_loop_free(roma_loop *loop)
{
        if (!loop)
                return;
        if (loop->pid != getpid()) {
                /* The parent's descriptors and threads are not ours: only the descriptors can be let go of. */
                close(loop->wake.fd);
                loop->hooks->destroy(loop);
                return;
        }
        if (loop->in_callback || loop->working || loop->freeing) {
                ri_loop_error(loop, ROMA_EWRONGCONTEXT,
                              "roma_loop_free: not inside a callback of the same loop");
                return;
        }
        loop->freeing = true;
        end_operations(loop, false);
        close_stores(loop);
        end_operations(loop, true);
        loop_destroy(loop);
}

void roma_loop_stats(roma_loop *loop, roma_stats *out)
{
        size_t size = out->size;

        loop->stats.size = sizeof loop->stats;
        ri_workers_stats(loop, &loop->stats);
        memcpy(out, &loop->stats, size < sizeof loop->stats ? size : sizeof loop->stats);
        out->size = size;
}

void roma_loop_trace(roma_loop *loop, void (*fn)(void *arg, const roma_trace_event *ev), void *arg)
{
        loop->trace = fn;
        loop->trace_arg = arg;
}

/* The operation that a phase is told for: the one the program started. */
static uint64_t told_op(const struct ri_op *op)
{
        return op ? (op->parent ? op->parent : op->id) : 0;
}

uint64_t ri_trace_start(const roma_loop *loop, const struct ri_op *op, const char *phase)
{
        if (ri_probe_on(phase_start))
                ri_probe_phase_start(told_op(op), phase);
        return loop->trace || ri_probe_on(phase_end) ? ri_now() : 0;
}

void ri_trace(roma_loop *loop, const struct ri_op *op, const char *phase, const char *server,
              uint64_t start_ns, uint64_t bytes, int code)
{
        if (start_ns)
                ri_trace_span(loop, op, phase, server, start_ns, ri_now(), bytes, code);
}

void ri_trace_span(roma_loop *loop, const struct ri_op *op, const char *phase, const char *server,
                   uint64_t start_ns, uint64_t end_ns, uint64_t bytes, int code)
{
        if (!start_ns)
                return;
        if (ri_probe_on(phase_end))
                ri_probe_phase_end(told_op(op), phase, server ? server : "", end_ns - start_ns, bytes, code);
        if (loop->trace)
                ri_trace_event(loop, op, phase, server, start_ns, end_ns, bytes, code);
}

void ri_trace_event(roma_loop *loop, const struct ri_op *op, const char *phase, const char *server,
                    uint64_t start_ns, uint64_t end_ns, uint64_t bytes, int code)
{
        roma_trace_event ev = { .size = sizeof ev, .phase = phase, .server = server ? server : "" };

        ev.op = told_op(op);
        ev.operation = op ? op->name : "";
        ev.start_ns = start_ns;
        ev.end_ns = end_ns;
        ev.bytes = bytes;
        ev.code = code;
        loop->trace(loop->trace_arg, &ev);
}
