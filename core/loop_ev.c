/* SPDX-License-Identifier: MIT */
/* A loop inside the caller's libev loop. The only file that includes ev.h.
 *
 * libev counts active watchers and ends ev_run() when there is none. Ours are taken out of that count when they start
 * and put back before they stop; what is in flight is counted instead. */
#include <ev.h>

#include <errno.h>
#include <stdlib.h>

#include <roma/ev.h>

#include "core/loop.h"

struct att {
        struct ev_loop *ev;
        roma_loop *loop;
        ev_timer timer;
        ev_prepare soon; /* never started: fed by hand */
};

struct att_io {
        ev_io io;
        struct ri_fd *w;
};

static void att_ready(struct ev_loop *ev, ev_io *io, int revents)
{
        struct ri_fd *w = ((struct att_io *)io)->w;
        unsigned events = 0;

        (void)ev;
        if (revents & (EV_READ | EV_ERROR))
                events |= RI_READ;
        if (revents & (EV_WRITE | EV_ERROR))
                events |= RI_WRITE;
        w->ready(w, events);
}

static void att_io_start(struct att *att, ev_io *io)
{
        ev_io_start(att->ev, io);
        ev_unref(att->ev);
}

static void att_io_stop(struct att *att, ev_io *io)
{
        if (!ev_is_active(io))
                return;
        ev_ref(att->ev);
        ev_io_stop(att->ev, io);
}

static int att_mask(unsigned events)
{
        return (events & RI_READ ? EV_READ : 0) | (events & RI_WRITE ? EV_WRITE : 0);
}

static int att_fd_start(roma_loop *loop, struct ri_fd *w)
{
        struct att_io *h = calloc(1, sizeof *h);

        if (!h)
                return -ENOMEM;
        h->w = w;
        ev_io_init(&h->io, att_ready, w->fd, att_mask(w->events));
        if (w->events)
                att_io_start(loop->impl, &h->io);
        w->hook = h;
        return 0;
}

static int att_fd_change(roma_loop *loop, struct ri_fd *w, unsigned events)
{
        struct att_io *h = w->hook;

        att_io_stop(loop->impl, &h->io);
        ev_io_set(&h->io, w->fd, att_mask(events));
        if (events)
                att_io_start(loop->impl, &h->io);
        return 0;
}

static void att_fd_stop(roma_loop *loop, struct ri_fd *w)
{
        struct att_io *h = w->hook;

        att_io_stop(loop->impl, &h->io);
        free(h);
        w->hook = NULL;
}

static void att_timer_stop(struct att *att)
{
        if (!ev_is_active(&att->timer))
                return;
        ev_ref(att->ev);
        ev_timer_stop(att->ev, &att->timer);
}

static void att_timer(roma_loop *loop, uint64_t at_ns)
{
        struct att *att = loop->impl;
        uint64_t now = ri_now();

        att_timer_stop(att);
        if (at_ns == UINT64_MAX)
                return;
        /* libev counts from its own idea of now, which is as old as its last turn. */
        ev_now_update(att->ev);
        ev_timer_set(&att->timer, at_ns > now ? (double)(at_ns - now) / 1e9 : 0., 0.);
        ev_timer_start(att->ev, &att->timer);
        ev_unref(att->ev);
}

static void att_timer_fired(struct ev_loop *ev, ev_timer *t, int revents)
{
        struct att *att = t->data;

        (void)revents;
        /* A timer that fires has stopped itself and taken one from the count that ours was never in. */
        ev_ref(ev);
        att->loop->timer_at = UINT64_MAX;
        ri_loop_work(att->loop);
}

static void att_soon(roma_loop *loop)
{
        struct att *att = loop->impl;

        ev_feed_event(att->ev, &att->soon, EV_CUSTOM);
}

static void att_soon_ready(struct ev_loop *ev, ev_prepare *p, int revents)
{
        struct att *att = p->data;

        (void)ev;
        (void)revents;
        ri_loop_work(att->loop);
}

static void att_hold(roma_loop *loop, int delta)
{
        struct att *att = loop->impl;

        if (delta > 0)
                ev_ref(att->ev);
        else
                ev_unref(att->ev);
}

static void att_destroy(roma_loop *loop)
{
        struct att *att = loop->impl;

        if (!att)
                return;
        if (loop->held)
                ev_unref(att->ev);
        att_timer_stop(att);
        ev_clear_pending(att->ev, &att->soon);
        free(att);
        loop->impl = NULL;
}

static const struct ri_loop_hooks att_hooks = {
        .name = "libev",
        .fd_start = att_fd_start,
        .fd_change = att_fd_change,
        .fd_stop = att_fd_stop,
        .timer = att_timer,
        .soon = att_soon,
        .hold = att_hold,
        .destroy = att_destroy,
};

roma_loop *roma_loop_attach_opts(struct ev_loop *ev, const roma_loop_opts *opts)
{
        struct att *att = calloc(1, sizeof *att);
        roma_loop *loop;

        if (!att)
                return NULL;
        att->ev = ev;
        ev_timer_init(&att->timer, att_timer_fired, 0., 0.);
        att->timer.data = att;
        ev_prepare_init(&att->soon, att_soon_ready);
        att->soon.data = att;
        loop = ri_loop_make(&att_hooks, att, opts);
        if (!loop) {
                free(att);
                return NULL;
        }
        att->loop = loop;
        return loop;
}

roma_loop *roma_loop_attach(struct ev_loop *ev)
{
        return roma_loop_attach_opts(ev, NULL);
}
