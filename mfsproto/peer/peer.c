/* SPDX-License-Identifier: MIT */
/* Life of a peer: its thread, its servers, and the calls from other threads. */
#include "mfsproto/peer/peer.h"

#include <errno.h>
#include <semaphore.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "mfsproto/peer/call.h"
#include "mfsproto/peer/inner.h"

enum { TICK_MS = 50, VIOLATIONS_MAX = 1 << 20 };

/* ---- calls from another thread ----------------------------------------------------------------------------- */

struct call {
        struct ri_post post;
        sem_t done;
        struct mfs_peer *p;
        void (*fn)(struct mfs_peer *p, void *arg);
        void *arg;
};

static void call_run(void *arg)
{
        struct call *call = arg;

        call->fn(call->p, call->arg);
        sem_post(&call->done);
}

void peer_call(struct mfs_peer *p, void (*fn)(struct mfs_peer *p, void *arg), void *arg)
{
        struct call call = { .p = p, .fn = fn, .arg = arg, .post = { .fn = call_run, .arg = &call } };

        if (!p->own_loop || pthread_equal(pthread_self(), p->thread)) {
                fn(p, arg);
                return;
        }
        sem_init(&call.done, 0, 0);
        ri_loop_post(p->loop, &call.post);
        while (sem_wait(&call.done) < 0)
                ;
        sem_destroy(&call.done);
}

/* ---- servers up and down ----------------------------------------------------------------------------------- */

static void server_kill(struct peer_server *s)
{
        if (s->up) {
                ri_fd_stop(&s->listen);
                close(s->listen.fd);
        }
        s->up = s->hung = false;
        ri_list_for_each(l, &s->conns) peer_kill(ri_container_of(l, struct peer_conn, link));
}

static void server_stop(struct peer_server *s, bool hung)
{
        if (!s->up || s->hung == hung)
                return;
        s->hung = hung;
        if (hung)
                ri_fd_stop(&s->listen);
        else
                ri_fd_start(s->peer->loop, &s->listen, RI_READ);
        ri_list_for_each(l, &s->conns)
        {
                struct peer_conn *c = ri_container_of(l, struct peer_conn, link);

                c->heard_ns = ri_now(); /* time stood still for it */
                peer_watch(c);
        }
}

void peer_power(struct peer_server *s, enum mfs_peer_power what)
{
        ri_timer_stop(&s->revive);
        switch (what) {
        case MFS_PEER_STOP: server_stop(s, true); break;
        case MFS_PEER_CONT: server_stop(s, false); break;
        case MFS_PEER_KILL: server_kill(s); break;
        case MFS_PEER_START:
                if (!s->up)
                        peer_listen(s);
                break;
        }
}

static void revived(struct ri_timer *t)
{
        struct peer_server *s = ri_container_of(t, struct peer_server, revive);

        peer_power(s, s->up ? MFS_PEER_CONT : MFS_PEER_START);
}

void peer_revive_in(struct peer_server *s, uint32_t ms)
{
        if (!ms)
                return;
        s->revive.fire = revived;
        ri_timer_start(s->peer->loop, &s->revive, ms);
}

/* ---- time -------------------------------------------------------------------------------------------------- */

static void server_tick(struct peer_server *s, uint64_t now)
{
        ri_list_for_each(l, &s->conns)
        {
                struct peer_conn *c = ri_container_of(l, struct peer_conn, link);

                if (!c->dead && !c->held_in && !c->connecting)
                        c->role->tick(c, now);
                peer_resume(c);
        }
}

static void tick(struct ri_timer *t)
{
        struct mfs_peer *p = ri_container_of(t, struct mfs_peer, tick);
        uint64_t now = ri_now();

        for (unsigned i = 0; i <= p->cfg.servers; i++)
                if (!p->server[i].hung)
                        server_tick(&p->server[i], now);
        if (!p->server[0].hung) {
                peer_chunks_tick(p, now);
                peer_master_tick(p, now);
        }
        ri_timer_start(p->loop, t, TICK_MS);
}

static void reap(struct ri_task *t)
{
        peer_bury(ri_container_of(t, struct mfs_peer, reap));
}

/* ---- life -------------------------------------------------------------------------------------------------- */

static void defaults(struct mfs_peer_cfg *cfg)
{
        static const struct mfs_peer_cfg usual = {
                .master_version = WIRE_VER(3, 0, 117),
                .servers = 2,
                .copies = 2,
                .lock_ms = 120000,
                .park_ms = 30000,
                .master_idle_ms = 10000,
                .cs_idle_ms = 5000,
        };
#define USUAL(m)     \
        if (!cfg->m) \
        cfg->m = usual.m
        USUAL(master_version);
        USUAL(servers);
        USUAL(copies);
        USUAL(lock_ms);
        USUAL(park_ms);
        USUAL(master_idle_ms);
        USUAL(cs_idle_ms);
#undef USUAL
        if (!cfg->cs_version)
                cfg->cs_version = cfg->master_version;
        if (cfg->servers > MFS_PEER_SERVERS)
                cfg->servers = MFS_PEER_SERVERS;
        if (cfg->copies > cfg->servers)
                cfg->copies = cfg->servers;
}

static void init_parts(struct mfs_peer *p)
{
        ri_list_init(&p->faults);
        ri_list_init(&p->grants);
        ri_list_init(&p->parked);
        ri_map_init(&p->seen);
        ri_map_init(&p->nodes);
        ri_map_init(&p->chunks);
        ri_map_init(&p->sessions);
        ri_str_init(&p->violations, VIOLATIONS_MAX);
        p->reap.run = reap;
        p->unpark.run = peer_unpark_run;
        p->tick.fire = tick;
        p->noise = 88172645463325252u;
        p->meta_id = 0x524F4D4150454552u;
        for (unsigned i = 0; i <= MFS_PEER_SERVERS; i++) {
                p->server[i].peer = p;
                p->server[i].index = i;
                p->server[i].listen.fd = p->server[i].place = -1;
                ri_list_init(&p->server[i].conns);
                ri_map_init(&p->server[i].copies);
        }
}

static int start_parts(struct mfs_peer *p)
{
        int r = peer_tree_init(p);

        p->server[0].port = p->cfg.port;
        for (unsigned i = 0; r == 0 && i <= p->cfg.servers; i++)
                r = peer_listen(&p->server[i]);
        if (r == 0)
                r = ri_timer_start(p->loop, &p->tick, TICK_MS);
        snprintf(p->uri, sizeof p->uri, "mfs://127.0.0.1:%u/", (unsigned)p->server[0].port);
        return r;
}

static void stop_parts(struct mfs_peer *p, void *arg)
{
        (void)arg;
        p->stop = true;
        ri_timer_stop(&p->tick);
        for (unsigned i = 0; i <= p->cfg.servers; i++) {
                ri_timer_stop(&p->server[i].revive);
                server_kill(&p->server[i]);
                if (p->server[i].place >= 0)
                        close(p->server[i].place);
        }
        ri_task_drop(&p->reap);
        ri_task_drop(&p->unpark);
        peer_bury(p);
}

static void *thread(void *arg)
{
        struct mfs_peer *p = arg;

        while (!p->stop)
                roma_loop_turn(p->loop, -1);
        return NULL;
}

static void free_parts(struct mfs_peer *p)
{
        peer_master_free(p);
        peer_tree_free(p);
        for (unsigned i = 1; i <= MFS_PEER_SERVERS; i++) {
                peer_copies_free(&p->server[i]);
                ri_map_free(&p->server[i].copies);
        }
        peer_script_free(p);
        peer_audit_free(p);
        ri_str_free(&p->violations);
        if (p->own_loop)
                roma_loop_free(p->loop);
        free(p);
}

struct mfs_peer *mfs_peer_new(const struct mfs_peer_cfg *cfg, char *why, size_t size)
{
        struct mfs_peer *p = calloc(1, sizeof *p);
        int r;

        if (!p) {
                snprintf(why, size, "no memory for a peer");
                return NULL;
        }
        if (cfg)
                p->cfg = *cfg;
        defaults(&p->cfg);
        init_parts(p);
        p->own_loop = !p->cfg.loop;
        p->loop = p->own_loop ? roma_loop_new() : p->cfg.loop;
        r = p->loop ? start_parts(p) : -ENOMEM;
        if (r == 0 && p->own_loop)
                r = -pthread_create(&p->thread, NULL, thread, p);
        if (r == 0)
                return p;
        snprintf(why, size, "no peer: %s", strerror(-r));
        if (p->loop)
                stop_parts(p, NULL);
        free_parts(p);
        return NULL;
}

void mfs_peer_free(struct mfs_peer *p)
{
        if (!p)
                return;
        peer_call(p, stop_parts, NULL);
        if (p->own_loop)
                pthread_join(p->thread, NULL);
        free_parts(p);
}

uint16_t mfs_peer_port(struct mfs_peer *p, unsigned server)
{
        return server <= p->cfg.servers ? p->server[server].port : 0;
}

const char *mfs_peer_uri(struct mfs_peer *p)
{
        return p->uri;
}

struct power_call {
        unsigned server;
        enum mfs_peer_power what;
};

static void power_run(struct mfs_peer *p, void *arg)
{
        const struct power_call *call = arg;

        if (call->server <= p->cfg.servers)
                peer_power(&p->server[call->server], call->what);
}

void mfs_peer_power(struct mfs_peer *p, unsigned server, enum mfs_peer_power what)
{
        struct power_call call = { server, what };

        peer_call(p, power_run, &call);
}
