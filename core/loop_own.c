/* SPDX-License-Identifier: MIT */
/* libroma's own loop: one epoll descriptor that holds everything, timers (timerfd) and wake-ups (eventfd) included, so
 * that it can itself be polled by any other loop. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include "core/loop.h"

enum { BATCH = 64 };

struct own {
        int epoll, timer;
        bool soon;  /* work is waiting: do not sleep */
        bool poked; /* the timer has been set to fire at once, for those who poll us */
        bool turning;
        uint64_t want;                /* the timer as a turn wants it: set once, at its end */
        bool polled;                  /* somebody has asked for the descriptor */
        struct epoll_event ev[BATCH]; /* the batch being handled: fd_stop takes its watcher out */
        int n;
};

static uint32_t own_mask(unsigned events)
{
        return (events & RI_READ ? (uint32_t)EPOLLIN | EPOLLRDHUP : 0) |
               (events & RI_WRITE ? (uint32_t)EPOLLOUT : 0);
}

static int own_ctl(roma_loop *loop, int what, struct ri_fd *w, unsigned events)
{
        struct own *own = loop->impl;
        struct epoll_event ev = { .events = own_mask(events), .data.ptr = w };

        return epoll_ctl(own->epoll, what, w->fd, &ev) < 0 ? -errno : 0;
}

static int own_fd_start(roma_loop *loop, struct ri_fd *w)
{
        return own_ctl(loop, EPOLL_CTL_ADD, w, w->events);
}

static int own_fd_change(roma_loop *loop, struct ri_fd *w, unsigned events)
{
        return own_ctl(loop, EPOLL_CTL_MOD, w, events);
}

static void own_fd_stop(roma_loop *loop, struct ri_fd *w)
{
        struct own *own = loop->impl;

        own_ctl(loop, EPOLL_CTL_DEL, w, 0);
        for (int i = 0; i < own->n; i++)
                if (own->ev[i].data.ptr == w)
                        own->ev[i].data.ptr = NULL;
}

static void arm(struct own *own, uint64_t at_ns)
{
        struct itimerspec its;

        memset(&its, 0, sizeof its);
        if (at_ns != UINT64_MAX) {
                its.it_value.tv_sec = (time_t)(at_ns / 1000000000u);
                its.it_value.tv_nsec = (long)(at_ns % 1000000000u);
                if (!at_ns)
                        its.it_value.tv_nsec = 1;
        }
        timerfd_settime(own->timer, TFD_TIMER_ABSTIME, &its, NULL);
        own->poked = false;
}

static void own_timer(roma_loop *loop, uint64_t at_ns)
{
        struct own *own = loop->impl;

        if (own->turning)
                own->want = at_ns;
        else
                arm(own, at_ns);
}

/* Before control goes back to the program: whoever polls the descriptor must see that work is waiting. */
static void own_poke(roma_loop *loop)
{
        struct own *own = loop->impl;

        if (own->poked)
                return;
        arm(own, 1);
        own->poked = true;
        loop->timer_at = 1;
}

static void own_soon(roma_loop *loop)
{
        struct own *own = loop->impl;

        own->soon = true;
        if (own->polled && !own->turning)
                own_poke(loop);
}

static void own_hold(roma_loop *loop, int delta)
{
        (void)loop;
        (void)delta;
}

static unsigned own_events(uint32_t e)
{
        unsigned events = 0;

        if (e & (EPOLLIN | EPOLLRDHUP | EPOLLHUP | EPOLLERR))
                events |= RI_READ;
        if (e & (EPOLLOUT | EPOLLHUP | EPOLLERR))
                events |= RI_WRITE;
        return events;
}

/* What is due needs no timer. Whoever polls the descriptor sees either. */
static void turn_ends(roma_loop *loop)
{
        struct own *own = loop->impl;
        uint64_t want = own->want;

        own->turning = false;
        own->want = UINT64_MAX;
        if (want != UINT64_MAX && want <= ri_now()) {
                own->soon = true;
                loop->timer_at = UINT64_MAX; /* none is armed */
        } else if (want != UINT64_MAX) {
                arm(own, want);
        }
        if (own->soon && own->polled)
                own_poke(loop);
}

static int own_turn(roma_loop *loop, int timeout_ms)
{
        struct own *own = loop->impl;
        uint64_t expired;
        bool fired = false;

        own->turning = true;
        own->n = epoll_wait(own->epoll, own->ev, BATCH, own->soon ? 0 : timeout_ms);
        own->soon = false;
        for (int i = 0; i < own->n; i++) {
                struct ri_fd *w = own->ev[i].data.ptr;

                if (!w)
                        continue;
                if (w == (void *)own) {
                        fired = true;
                        while (read(own->timer, &expired, sizeof expired) < 0 && errno == EINTR)
                                ;
                        own->poked = false;
                        continue;
                }
                own->ev[i].data.ptr = NULL;
                w->ready(w, own_events(own->ev[i].events));
        }
        own->n = 0;
        if (fired)
                loop->timer_at = UINT64_MAX;
        ri_loop_work(loop);
        turn_ends(loop);
        return 0;
}

static void own_destroy(roma_loop *loop)
{
        struct own *own = loop->impl;

        if (!own)
                return;
        close(own->epoll);
        close(own->timer);
        free(own);
        loop->impl = NULL;
}

static const struct ri_loop_hooks own_hooks = {
        .name = "own",
        .fd_start = own_fd_start,
        .fd_change = own_fd_change,
        .fd_stop = own_fd_stop,
        .timer = own_timer,
        .soon = own_soon,
        .hold = own_hold,
        .turn = own_turn,
        .destroy = own_destroy,
};

static struct own *own_new(void)
{
        struct own *own = calloc(1, sizeof *own);
        struct epoll_event ev = { .events = EPOLLIN, .data.ptr = own };
        int err;

        if (!own)
                return NULL;
        own->want = UINT64_MAX;
        own->epoll = epoll_create1(EPOLL_CLOEXEC);
        own->timer = timerfd_create(CLOCK_BOOTTIME, TFD_CLOEXEC | TFD_NONBLOCK); /* that of ri_now() */
        if (own->epoll >= 0 && own->timer >= 0 && epoll_ctl(own->epoll, EPOLL_CTL_ADD, own->timer, &ev) == 0)
                return own;
        err = errno;
        if (own->epoll >= 0)
                close(own->epoll);
        if (own->timer >= 0)
                close(own->timer);
        free(own);
        errno = err;
        return NULL;
}

roma_loop *roma_loop_new_opts(const roma_loop_opts *opts)
{
        struct own *own = own_new();
        roma_loop *loop;

        if (!own)
                return NULL;
        loop = ri_loop_make(&own_hooks, own, opts);
        if (!loop) {
                close(own->epoll);
                close(own->timer);
                free(own);
        }
        return loop;
}

roma_loop *roma_loop_new(void)
{
        return roma_loop_new_opts(NULL);
}

/* The two ways in for programs. */
static int enter(roma_loop *loop, const char *call)
{
        if (ri_loop_enter(loop) < 0)
                return -1;
        if (!loop->hooks->turn) {
                ri_loop_error(loop, ROMA_EWRONGCONTEXT,
                              "%s: this loop is attached: the program's own loop drives it", call);
                return -1;
        }
        if (loop->in_callback || loop->working) {
                ri_loop_error(loop, ROMA_EWRONGCONTEXT,
                              "%s: not inside a callback: the loop never runs inside itself", call);
                return -1;
        }
        return 0;
}

static bool posts_wait(roma_loop *loop)
{
        bool wait;

        pthread_mutex_lock(&loop->post_lock);
        wait = loop->posts != NULL;
        pthread_mutex_unlock(&loop->post_lock);
        return wait;
}

int roma_loop_run(roma_loop *loop)
{
        if (enter(loop, "roma_loop_run") < 0)
                return -1;
        while (loop->held || posts_wait(loop) || !ri_list_empty(&loop->tasks))
                own_turn(loop, -1);
        return 0;
}

int roma_loop_turn(roma_loop *loop, int timeout_ms)
{
        if (enter(loop, "roma_loop_turn") < 0)
                return -1;
        own_turn(loop, timeout_ms);
        return loop->held > INT32_MAX ? INT32_MAX : (int)loop->held;
}

int roma_loop_fd(roma_loop *loop)
{
        struct own *own = loop->impl;

        if (ri_loop_enter(loop) < 0)
                return -1;
        if (!loop->hooks->turn) {
                ri_loop_error(loop, ROMA_EWRONGCONTEXT,
                              "roma_loop_fd: this loop is attached to a libev loop: poll that one");
                return -1;
        }
        if (own->soon)
                own_poke(loop);
        own->polled = true;
        return own->epoll;
}
