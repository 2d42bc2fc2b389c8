/* SPDX-License-Identifier: MIT */
/* The pool of chunkserver connections: finding an idle one that still lives, opening another, and the bounds. */
#include "mfsproto/chunk/pool.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

static bool try_want(struct mfs_cs_want *w);

static void conn_end(struct mfs_cs_conn *c, bool abort)
{
        struct mfs_pool *p = c->cs->pool;

        if (c->is_idle)
                p->idle--;
        ri_list_del(&c->link);
        c->cs->open--;
        p->open--;
        if (c->t && abort)
                mfs_transport_abort(c->t);
        else if (c->t)
                c->t->ops->close(c->t);
        free(c);
        if (!ri_list_empty(&p->waiting))
                ri_task_queue(p->loop, &p->serve);
}

static void conn_close(struct mfs_cs_conn *c)
{
        conn_end(c, false);
}

/* Reads what an idle server has sent. Only NOPs may come; anything else, and the end, is the end of it. */
static bool idle_alive(struct mfs_cs_conn *c)
{
        for (;;) {
                struct iovec iov = { c->in + c->in_len, sizeof c->in - c->in_len };
                ssize_t n = c->t->ops->recv(c->t, &iov, 1);

                if (n == -EAGAIN)
                        return true;
                if (n <= 0)
                        return false;
                c->in_len += (unsigned)n;
                if (c->in_len < sizeof c->in)
                        continue;
                if (wire_be32(c->in) != WIRE_ANTOAN_NOP || wire_be32(c->in + 4) != 0)
                        return false;
                c->in_len = 0;
        }
}

static void on_connected(void *arg)
{
        struct mfs_cs_conn *c = arg;
        struct mfs_cs_want *w = c->want;

        if (!w)
                return;
        ri_trace(c->cs->pool->loop, w->op, "chunk_connect", c->cs->name, w->start_ns, 0, ROMA_OK);
        c->want = NULL;
        w->cs = NULL;
        w->conn = NULL;
        w->ready(w, c);
}

static void on_readable(void *arg)
{
        struct mfs_cs_conn *c = arg;

        if (c->is_idle) {
                if (!idle_alive(c))
                        conn_close(c);
        } else if (c->user) {
                c->user->readable(c->arg);
        }
}

static void on_writable(void *arg)
{
        struct mfs_cs_conn *c = arg;

        if (c->user)
                c->user->writable(c->arg);
}

static void on_failed(void *arg, const struct ri_error *e)
{
        struct mfs_cs_conn *c = arg;
        struct mfs_cs_want *w = c->want;

        if (w && w->task.queued) {
                /* an idle one died between being found and being handed out */
                ri_task_drop(&w->task);
                w->conn = NULL;
                conn_close(c);
                w->fresh = true;
                if (!try_want(w))
                        ri_list_add_tail(&w->cs->pool->waiting, &w->link);
        } else if (w) {
                struct mfs_cs *cs = c->cs;
                struct ri_error copy = *e;

                mfs_cs_mark_bad(cs);
                ri_trace(cs->pool->loop, w->op, "chunk_connect", cs->name, w->start_ns, 0, e->code);
                w->cs = NULL;
                w->conn = NULL;
                conn_close(c);
                w->failed(w, &copy);
        } else if (c->user) {
                c->user->failed(c->arg, e);
        } else {
                conn_close(c);
        }
}

static const struct mfs_transport_events events = {
        .connected = on_connected,
        .readable = on_readable,
        .writable = on_writable,
        .failed = on_failed,
};

static void expire(struct ri_timer *t)
{
        struct mfs_pool *p = ri_container_of(t, struct mfs_pool, expire);
        uint64_t now = ri_now();

        ri_map_for_each(n, &p->servers)
        {
                struct mfs_cs *cs = ri_container_of(n, struct mfs_cs, node);

                ri_list_for_each_safe(it, tmp, &cs->idle)
                {
                        struct mfs_cs_conn *c = ri_list_entry(it, struct mfs_cs_conn, link);

                        if (now - c->idle_since >= MFS_CS_IDLE_MS * UINT64_C(1000000))
                                conn_close(c);
                }
        }
        if (p->idle)
                ri_timer_start(p->loop, &p->expire, 1000);
}

/* The latest idle one that is alive; the others on the way are closed. */
static struct mfs_cs_conn *take_idle(struct mfs_cs *cs)
{
        uint64_t now = ri_now();

        while (!ri_list_empty(&cs->idle)) {
                struct mfs_cs_conn *c = ri_list_entry(ri_list_first(&cs->idle), struct mfs_cs_conn, link);

                /* bytes of a NOP may still be on their way: such a connection is not at a packet's border */
                if (now - c->idle_since < MFS_CS_IDLE_MS * UINT64_C(1000000) && idle_alive(c) &&
                    c->in_len == 0) {
                        ri_list_del(&c->link);
                        ri_list_add_tail(&cs->pool->conns, &c->link);
                        c->is_idle = false;
                        c->reused = true;
                        cs->pool->idle--;
                        return c;
                }
                conn_close(c);
        }
        return NULL;
}

static void close_one_idle(struct mfs_pool *p)
{
        ri_map_for_each(n, &p->servers)
        {
                struct mfs_cs *cs = ri_container_of(n, struct mfs_cs, node);
                struct ri_list *last = ri_list_last(&cs->idle);

                if (last) {
                        conn_close(ri_list_entry(last, struct mfs_cs_conn, link));
                        return;
                }
        }
}

static bool dial(struct mfs_cs_want *w)
{
        struct mfs_cs *cs = w->cs;
        struct mfs_pool *p = cs->pool;
        struct mfs_cs_conn *c = calloc(1, sizeof *c);

        if (!c) {
                ri_error_set(&w->error, ROMA_ENOMEM, cs->name, "no memory for a connection");
                return false;
        }
        c->cs = cs;
        c->want = w;
        ri_list_add_tail(&p->conns, &c->link);
        cs->open++;
        p->open++;
        w->conn = c;
        w->start_ns = ri_trace_start(p->loop, w->op, "chunk_connect");
        c->t = p->dialer->dial(p->dialer, p->loop, cs->ip, cs->port, MFS_CS_CONNECT_MS, &events, c,
                               &w->error);
        if (!c->t) {
                w->conn = NULL;
                conn_close(c);
                return false;
        }
        return true;
}

/* Hands out an idle connection or what could not be opened, outside of the start. */
static void deliver(struct ri_task *t)
{
        struct mfs_cs_want *w = ri_container_of(t, struct mfs_cs_want, task);
        struct mfs_cs_conn *c = w->conn;

        w->cs = NULL;
        w->conn = NULL;
        if (c) {
                c->want = NULL;
                w->ready(w, c);
        } else {
                struct ri_error e = w->error;

                w->failed(w, &e);
        }
}

/* False: it has to wait. */
static bool try_want(struct mfs_cs_want *w)
{
        struct mfs_cs *cs = w->cs;
        struct mfs_pool *p = cs->pool;
        struct mfs_cs_conn *c = w->fresh ? NULL : take_idle(cs);

        if (c) {
                c->want = w;
                w->conn = c;
                ri_task_queue(p->loop, &w->task);
                return true;
        }
        if (cs->open >= MFS_CS_PER_SERVER)
                return false;
        if (p->open >= MFS_CS_TOTAL)
                close_one_idle(p);
        if (p->open >= MFS_CS_TOTAL)
                return false;
        if (!dial(w))
                ri_task_queue(p->loop, &w->task);
        return true;
}

static void serve(struct ri_task *t)
{
        struct mfs_pool *p = ri_container_of(t, struct mfs_pool, serve);

        /* try_want() starts nothing that calls back, so the list changes only here */
        ri_list_for_each_safe(it, tmp, &p->waiting)
        {
                struct mfs_cs_want *w = ri_list_entry(it, struct mfs_cs_want, link);

                ri_list_del(&w->link);
                if (!try_want(w))
                        ri_list_insert_before(tmp, &w->link);
        }
}

void mfs_pool_init(struct mfs_pool *p, roma_loop *loop, struct mfs_dialer *dialer)
{
        p->loop = loop;
        p->dialer = dialer;
        ri_map_init(&p->servers);
        ri_list_init(&p->conns);
        ri_list_init(&p->waiting);
        ri_heap_node_init(&p->expire.node);
        p->expire.fire = expire;
        p->expire.loop = NULL;
        ri_list_init(&p->serve.link);
        p->serve.run = serve;
        p->serve.queued = false;
}

void mfs_pool_drop(struct mfs_pool *p)
{
        ri_timer_stop(&p->expire);
        while (!ri_list_empty(&p->conns))
                conn_end(ri_list_entry(ri_list_first(&p->conns), struct mfs_cs_conn, link), true);
        ri_map_for_each_safe(n, tmp, &p->servers)
        {
                struct mfs_cs *cs = ri_container_of(n, struct mfs_cs, node);

                while (!ri_list_empty(&cs->idle))
                        conn_close(ri_list_entry(ri_list_first(&cs->idle), struct mfs_cs_conn, link));
                ri_map_remove(&p->servers, n);
                free(cs);
        }
        ri_task_drop(&p->serve);
        ri_map_free(&p->servers);
}

struct mfs_cs *mfs_pool_server(struct mfs_pool *p, uint32_t ip, uint16_t port)
{
        uint64_t key = (uint64_t)ip << 16 | port;
        struct ri_map_node *n = ri_map_find_u64(&p->servers, key);
        struct mfs_cs *cs;

        if (n)
                return ri_container_of(n, struct mfs_cs, node);
        cs = calloc(1, sizeof *cs);
        if (!cs)
                return NULL;
        cs->pool = p;
        cs->ip = ip;
        cs->port = port;
        ri_list_init(&cs->idle);
        snprintf(cs->name, sizeof cs->name, "%u.%u.%u.%u:%u", (unsigned)(ip >> 24),
                 (unsigned)(ip >> 16 & 255), (unsigned)(ip >> 8 & 255), (unsigned)(ip & 255), (unsigned)port);
        ri_map_insert_u64(&p->servers, &cs->node, key);
        return cs;
}

void mfs_cs_mark_bad(struct mfs_cs *cs)
{
        cs->bad_until = ri_now() + MFS_CS_BAD_MS * UINT64_C(1000000);
}

bool mfs_cs_is_bad(const struct mfs_cs *cs)
{
        return cs->bad_until && ri_now() < cs->bad_until;
}

void mfs_cs_want_start(struct mfs_cs_want *w, struct mfs_cs *cs, bool fresh, struct ri_op *op)
{
        struct mfs_pool *p = cs->pool;

        ri_list_init(&w->link);
        ri_list_init(&w->task.link);
        w->task.run = deliver;
        w->task.queued = false;
        w->cs = cs;
        w->conn = NULL;
        w->op = op;
        w->fresh = fresh;
        if (ri_list_empty(&p->waiting) && try_want(w))
                return;
        ri_list_add_tail(&p->waiting, &w->link);
        ri_task_queue(p->loop, &p->serve);
        if (p->crowded)
                p->crowded(p->crowded_arg);
}

void mfs_cs_want_cancel(struct mfs_cs_want *w)
{
        if (!w->cs)
                return;
        ri_list_del(&w->link);
        ri_task_drop(&w->task);
        if (w->conn)
                conn_close(w->conn);
        w->cs = NULL;
        w->conn = NULL;
}

void mfs_cs_conn_use(struct mfs_cs_conn *c, const struct mfs_cs_user *user, void *arg)
{
        c->user = user;
        c->arg = arg;
}

void mfs_cs_conn_release(struct mfs_cs_conn *c, bool clean)
{
        struct mfs_pool *p = c->cs->pool;

        c->user = NULL;
        if (!clean) {
                /* data that a server gets late may lie over newer ones: no server of a chain gives up on a silent client */
                conn_end(c, true);
                return;
        }
        ri_list_del(&c->link);
        ri_list_add_head(&c->cs->idle, &c->link);
        c->is_idle = true;
        c->in_len = 0;
        c->idle_since = ri_now();
        p->idle++;
        if (!ri_timer_running(&p->expire))
                ri_timer_start(p->loop, &p->expire, 1000);
        if (!ri_list_empty(&p->waiting))
                ri_task_queue(p->loop, &p->serve);
}
