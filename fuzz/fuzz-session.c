/* SPDX-License-Identifier: MIT */
/* A whole client session: open, stat, list, put, get ... against servers whose every answer is the input's. No
 * sockets, and no waiting: the loop is one of our own, in which time jumps to the next timer. Whatever the servers say,
 * each call ends, and nothing is left behind. */
#include "core/loop.h"
#include "core/str.h"
#include "mfsproto/transport.h"
#include "mfsproto/wire/wire.h"
#include "session-play.h"

#include <errno.h>
#include <poll.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int __real_clock_gettime(clockid_t id, struct timespec *ts);
int __wrap_clock_gettime(clockid_t id, struct timespec *ts);

enum { TURNS = 200000, DIALS = 100, ANSWERS = 4096, WATCHED = 16 };

static void must(bool condition, const char *what)
{
        if (condition)
                return;
        fprintf(stderr, "%s\n", what);
        abort();
}

/* ---- time -------------------------------------------------------------------------------------------------- */

static _Atomic uint64_t now_ns; /* 0: the real time. Workers may ask too. */

int __wrap_clock_gettime(clockid_t id, struct timespec *ts)
{
        uint64_t now;

        if (!now_ns)
                return __real_clock_gettime(id, ts);
        now = atomic_fetch_add(&now_ns, 200); /* it never stands still */
        ts->tv_sec = (time_t)(now / 1000000000u) + (id == CLOCK_REALTIME ? 1700000000 : 0);
        ts->tv_nsec = (long)(now % 1000000000u);
        return 0;
}

/* ---- the loop ---------------------------------------------------------------------------------------------- */

struct jump {
        struct ri_fd *fd[WATCHED];
        uint64_t at; /* the next timer */
        bool soon;
        unsigned turns;
};

static int jump_fd_start(roma_loop *loop, struct ri_fd *w)
{
        struct jump *j = loop->impl;

        for (int i = 0; i < WATCHED; i++)
                if (!j->fd[i]) {
                        j->fd[i] = w;
                        return 0;
                }
        return -EMFILE;
}

static int jump_fd_change(roma_loop *loop, struct ri_fd *w, unsigned events)
{
        (void)loop;
        (void)w;
        (void)events;
        return 0;
}

static void jump_fd_stop(roma_loop *loop, struct ri_fd *w)
{
        struct jump *j = loop->impl;

        for (int i = 0; i < WATCHED; i++)
                if (j->fd[i] == w)
                        j->fd[i] = NULL;
}

static void jump_timer(roma_loop *loop, uint64_t at_ns)
{
        struct jump *j = loop->impl;

        j->at = at_ns;
}

static void jump_soon(roma_loop *loop)
{
        struct jump *j = loop->impl;

        j->soon = true;
}

static void jump_hold(roma_loop *loop, int delta)
{
        (void)loop;
        (void)delta;
}

/* Posts from workers come through the loop's own descriptor. */
static bool descriptors(struct jump *j, int ms)
{
        struct pollfd p[WATCHED];
        bool any = false;

        for (int i = 0; i < WATCHED; i++)
                p[i] = (struct pollfd){ j->fd[i] ? j->fd[i]->fd : -1, POLLIN, 0 };
        if (poll(p, WATCHED, ms) <= 0)
                return false;
        for (int i = 0; i < WATCHED; i++)
                if (p[i].revents && j->fd[i]) {
                        j->fd[i]->ready(j->fd[i], RI_READ);
                        any = true;
                }
        return any;
}

static int jump_turn(roma_loop *loop, int timeout_ms)
{
        struct jump *j = loop->impl;
        roma_stats s = { .size = sizeof s };

        (void)timeout_ms;
        must(++j->turns < TURNS, "the loop turns and turns");
        if (j->soon) {
                j->soon = false;
                ri_loop_work(loop);
                return 0;
        }
        roma_loop_stats(loop, &s);
        if (!descriptors(j, s.jobs ? 100 : 0)) {
                if (s.jobs)
                        return 0;
                must(j->at != UINT64_MAX, "the loop waits for nothing");
                if (now_ns < j->at)
                        now_ns = j->at;
                j->at = loop->timer_at = UINT64_MAX;
        }
        ri_loop_work(loop);
        return 0;
}

static void jump_destroy(roma_loop *loop)
{
        free(loop->impl);
        loop->impl = NULL;
}

static const struct ri_loop_hooks jump_hooks = {
        .name = "jump",
        .fd_start = jump_fd_start,
        .fd_change = jump_fd_change,
        .fd_stop = jump_fd_stop,
        .timer = jump_timer,
        .soon = jump_soon,
        .hold = jump_hold,
        .turn = jump_turn,
        .destroy = jump_destroy,
};

static roma_loop *jump_new(void)
{
        struct jump *j = calloc(1, sizeof *j);
        roma_loop *loop;

        must(j != NULL, "no memory");
        j->at = UINT64_MAX;
        loop = ri_loop_make(&jump_hooks, j, NULL);
        must(loop != NULL, "no loop");
        return loop;
}

/* ---- the input --------------------------------------------------------------------------------------------- */

struct answer {
        uint32_t type;
        uint8_t flags;
        bool used;
        const uint8_t *bytes;
        size_t len;
};

static struct answer answers[ANSWERS];
static size_t nanswers;
static unsigned dials;

static void read_input(const uint8_t *data, size_t size)
{
        nanswers = 0;
        while (size >= ANSWER_HEAD && nanswers < ANSWERS) {
                struct answer *a = &answers[nanswers++];
                size_t len = (size_t)data[3] << 16 | (size_t)data[4] << 8 | data[5];

                a->flags = data[0];
                a->type = wire_be16(data + 1);
                a->used = false;
                data += ANSWER_HEAD;
                size -= ANSWER_HEAD;
                a->len = len < size ? len : size;
                a->bytes = data;
                data += a->len;
                size -= a->len;
        }
}

/* ---- a connection to nowhere ------------------------------------------------------------------------------- */

struct line {
        struct mfs_transport t;
        roma_loop *loop;
        struct ri_task work;
        struct wire_frame frame; /* what the client sends */
        struct ri_str in;        /* what it is to get */
        size_t at;
        bool connected, ended, want_read, drip;
        bool failing, failed; /* has to be told, has been told */
        bool *gone;
};

static struct line *line_of(struct mfs_transport *t)
{
        return ri_container_of(t, struct line, t);
}

static void line_work(struct ri_task *task)
{
        struct line *l = ri_container_of(task, struct line, work);
        struct ri_error e;
        /* The line may go while it is worked on, and then nobody can take this address out of it; one thread only. */
        static bool gone;

        gone = false;
        if (l->failing) {
                if (!l->failed) {
                        l->failed = true;
                        ri_error_set(&e, l->connected ? ROMA_ECLOSED : ROMA_ECONNECT, l->t.peer, "no more");
                        l->t.ev->failed(l->t.arg, &e);
                }
                return;
        }
        l->gone = &gone;
        if (!l->connected) {
                l->connected = true;
                l->t.ev->connected(l->t.arg);
        }
        while (!gone && l->want_read && !l->failing && (l->at < l->in.len || l->ended)) {
                size_t before = l->at;

                l->t.ev->readable(l->t.arg);
                if (!gone && l->at == before)
                        break; /* it will ask again */
        }
        if (!gone)
                l->gone = NULL;
}

static void append(struct line *l, const struct answer *a, const uint8_t *request, size_t len, bool master)
{
        size_t start = l->in.len;

        ri_str_append(&l->in, a->bytes, a->len);
        if (!(a->flags & ANSWER_PATCH) || l->in.failed)
                return;
        if (master && a->len >= 12 && len >= 4)
                memcpy(l->in.p + start + 8, request, 4);
        else if (!master && a->len >= 20 && len >= 12)
                memcpy(l->in.p + start + 16, request + 8, 4);
}

static void respond(struct line *l, uint32_t type, const uint8_t *request, size_t len)
{
        const struct wire_packet *p = wire_packet_find(type);
        size_t i = 0;

        must(p != NULL, "the client sends a packet that nobody knows");
        if ((p->flags & WP_NOREPLY))
                return;
        while (i < nanswers && (answers[i].used || answers[i].type != type))
                i++;
        if (i == nanswers)
                l->ended = true;
        for (; i < nanswers; i++) {
                answers[i].used = true;
                append(l, &answers[i], request, len, p->dirs & WIRE_TO_MASTER);
                l->drip |= (answers[i].flags & ANSWER_DRIP) != 0;
                l->ended |= (answers[i].flags & ANSWER_CLOSE) != 0;
                if (!(answers[i].flags & ANSWER_MORE))
                        break;
        }
}

static ssize_t line_send(struct mfs_transport *t, const struct iovec *iov, int n)
{
        struct line *l = line_of(t);
        ssize_t all = 0;

        for (int i = 0; i < n; i++) {
                const uint8_t *p = iov[i].iov_base;
                size_t left = iov[i].iov_len;
                int event;

                all += (ssize_t)left;
                while (!l->ended && (event = wire_frame_feed(&l->frame, &p, &left)) != WIRE_FRAME_MORE) {
                        must(event > 0, "the client sends what is no packet");
                        if (event == WIRE_FRAME_PACKET)
                                respond(l, l->frame.type, l->frame.payload, l->frame.length);
                }
        }
        ri_task_queue(l->loop, &l->work);
        return all;
}

static ssize_t line_recv(struct mfs_transport *t, const struct iovec *iov, int n)
{
        struct line *l = line_of(t);
        ssize_t all = 0;

        for (int i = 0; i < n && l->at < l->in.len && !(l->drip && all); i++) {
                size_t k = l->in.len - l->at;

                if (l->drip && k > 7)
                        k = 1 + l->at % 7;
                if (k > iov[i].iov_len)
                        k = iov[i].iov_len;
                if (k)
                        memcpy(iov[i].iov_base, l->in.p + l->at, k);
                l->at += k;
                all += (ssize_t)k;
        }
        if (all)
                return all;
        if (!l->ended)
                return -EAGAIN;
        l->failing = true; /* as TCP does: the end is said here and reported later */
        ri_task_queue(l->loop, &l->work);
        return 0;
}

static void line_want_read(struct mfs_transport *t, bool on)
{
        struct line *l = line_of(t);

        l->want_read = on;
        if (on)
                ri_task_queue(l->loop, &l->work);
}

static void line_close(struct mfs_transport *t)
{
        struct line *l = line_of(t);

        if (l->gone)
                *l->gone = true;
        ri_task_drop(&l->work);
        wire_frame_free(&l->frame);
        ri_str_free(&l->in);
        l->loop->stats.connections--;
        free(l);
}

static const struct mfs_transport_ops line_ops = {
        .name = "line",
        .send = line_send,
        .recv = line_recv,
        .want_read = line_want_read,
        .close = line_close,
};

static struct mfs_transport *line_dial(struct mfs_dialer *d, roma_loop *loop, uint32_t ip, uint16_t port,
                                       uint32_t connect_ms, const struct mfs_transport_events *ev, void *arg,
                                       struct ri_error *e)
{
        struct line *l = calloc(1, sizeof *l);

        (void)d;
        (void)connect_ms;
        if (!l) {
                ri_error_set(e, ROMA_ENOMEM, NULL, "no memory");
                return NULL;
        }
        l->t.ops = &line_ops;
        l->t.ev = ev;
        l->t.arg = arg;
        snprintf(l->t.peer, sizeof l->t.peer, "%u.%u.%u.%u:%u", ip >> 24, ip >> 16 & 255, ip >> 8 & 255,
                 ip & 255, port);
        l->loop = loop;
        l->failing = ++dials > DIALS;
        l->want_read = true;
        l->work.run = line_work;
        wire_frame_init(&l->frame, WIRE_MAX_TO_MASTER);
        ri_str_init(&l->in, 1 << 24);
        loop->stats.connections++;
        loop->stats.connects_total++;
        ri_task_queue(loop, &l->work);
        return &l->t;
}

/* ---- one input --------------------------------------------------------------------------------------------- */

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
        roma_stats s = { .size = sizeof s };
        roma_loop *loop;
        struct timespec ts;

        if (!size)
                return 0;
        __real_clock_gettime(CLOCK_MONOTONIC, &ts);
        now_ns = (uint64_t)ts.tv_sec * 1000000000u + (uint64_t)ts.tv_nsec;
        mfs_dialer_tcp.dial = line_dial;
        dials = 0;
        read_input(data + 1, size - 1);
        loop = jump_new();
        session_play(loop, "mfs://127.0.0.1:9421/", data[0]);
        roma_loop_stats(loop, &s);
        must(!s.operations && !s.stores && !s.files && !s.writers && !s.readers, "handles are left");
        must(!s.connections && !s.timers && !s.descriptors, "connections or timers are left");
        must(!s.buffers && !s.buffer_bytes && !s.queued_for_buffers, "buffers are left");
        roma_loop_free(loop);
        now_ns = 0;
        return 0;
}
