/* SPDX-License-Identifier: MIT */
/* Questions to a server without a session. */
#include "mfsproto/store/query.h"

#include <stdlib.h>
#include <string.h>

enum {
        CONNECT_MS = 4000,
        TICK_MS = 1000,
        KEEP_MS = 3000,    /* a chunkserver drops a silent connection after 5 s */
        SILENCE_MS = 10000 /* a chunkserver that works on a question says NOP each second or so */
};

static void query_free(struct mfs_query *q)
{
        mfs_link_close(&q->link);
        ri_timer_stop(&q->tick);
        ri_list_del(&q->idle);
        free(q);
}

static void fail(struct mfs_query *q, const struct ri_error *e)
{
        const struct mfs_query_events *ev = q->ev;
        struct ri_error copy = *e;

        q->ev = NULL;
        mfs_link_close(&q->link);
        if (ev)
                ev->failed(q, &copy, q->used && !q->answered);
        query_free(q);
}

static void on_up(struct mfs_link *l)
{
        mfs_link_flush(l);
}

static void on_packet(struct mfs_link *l, uint32_t type, const uint8_t *payload, uint32_t len)
{
        struct mfs_query *q = ri_container_of(l, struct mfs_query, link);

        if (type == WIRE_ANTOAN_NOP || !q->ev)
                return;
        q->answered = true;
        q->ev->packet(q, type, payload, len);
}

static void on_down(struct mfs_link *l, const struct ri_error *e)
{
        fail(ri_container_of(l, struct mfs_query, link), e);
}

static const struct mfs_link_events link_events = {
        .up = on_up,
        .packet = on_packet,
        .down = on_down,
};

static void tick_fire(struct ri_timer *t)
{
        static const unsigned char nop[WIRE_HEADER_SIZE]; /* type 0, length 0 */
        struct mfs_query *q = ri_container_of(t, struct mfs_query, tick);
        uint64_t now = ri_now(), slept = now - q->driven_at;
        uint64_t heard = q->link.rx_at > q->asked_at ? q->link.rx_at : q->asked_at;
        struct ri_error e;

        q->driven_at = now;
        if (!q->ev) {
                if (now - q->idle_at > KEEP_MS * UINT64_C(1000000))
                        query_free(q);
                else
                        ri_timer_start(q->link.loop, t, TICK_MS);
                return;
        }
        ri_timer_start(q->link.loop, t, TICK_MS);
        if (!q->link.up)
                return;
        if (now - heard > SILENCE_MS * UINT64_C(1000000) && slept < 3000 * UINT64_C(1000000)) {
                memset(&e, 0, sizeof(e));
                ri_error_set(&e, ROMA_ETIMEDOUT, mfs_link_peer(&q->link),
                             "the server said nothing for %d s; it hangs, or the network is cut",
                             SILENCE_MS / 1000);
                e.flags = ROMA_RETRIABLE;
                fail(q, &e);
                return;
        }
        mfs_link_put(&q->link, nop, sizeof(nop));
}

static struct mfs_query *take_idle(struct ri_list *pool, uint32_t ip, uint16_t port)
{
        ri_list_for_each_safe(it, next, pool)
        {
                struct mfs_query *q = ri_list_entry(it, struct mfs_query, idle);

                if (q->ip != ip || q->port != port)
                        continue;
                if (ri_now() - q->idle_at > KEEP_MS * UINT64_C(1000000)) {
                        query_free(q);
                        continue;
                }
                ri_list_del(&q->idle);
                q->used = true;
                return q;
        }
        return NULL;
}

struct mfs_query *mfs_query_get(struct ri_list *pool, roma_loop *loop, struct mfs_dialer *d, uint32_t ip,
                                uint16_t port, const struct mfs_query_events *ev, void *arg,
                                struct ri_error *e)
{
        struct mfs_query *q = take_idle(pool, ip, port);

        if (!q) {
                q = calloc(1, sizeof(*q));
                if (!q) {
                        ri_error_set(e, ROMA_ENOMEM, "", "no memory for a connection");
                        return NULL;
                }
                q->pool = pool;
                q->ip = ip;
                q->port = port;
                q->tick.fire = tick_fire;
                ri_list_init(&q->idle);
                mfs_link_init(&q->link, loop, &link_events);
                if (mfs_link_open(&q->link, d, ip, port, CONNECT_MS, 64 << 20, e) < 0) {
                        query_free(q);
                        return NULL;
                }
        }
        q->ev = ev;
        q->arg = arg;
        q->answered = false;
        q->asked_at = q->driven_at = ri_now();
        if (ri_timer_start(loop, &q->tick, TICK_MS) < 0) {
                query_free(q);
                ri_error_set(e, ROMA_ENOMEM, "", "no memory for a timer");
                return NULL;
        }
        return q;
}

void mfs_query_put(struct mfs_query *q)
{
        q->ev = NULL;
        q->idle_at = ri_now();
        ri_list_add_tail(q->pool, &q->idle);
}

void mfs_query_drop(struct mfs_query *q)
{
        query_free(q);
}

void mfs_query_drop_all(struct ri_list *pool)
{
        struct ri_list *l;

        while ((l = ri_list_first(pool)))
                query_free(ri_list_entry(l, struct mfs_query, idle));
}
