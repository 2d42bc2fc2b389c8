/* SPDX-License-Identifier: MIT */
/* The peer as a test of clients: what its servers hear and say becomes frames, as if somebody had captured them without
 * losing one, and goes to the audit of captured traffic. So a client is judged by the same rules here and there. */
#include <roma/conform.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "core/map.h"
#include "mfsproto/peer/peer.h"

enum { LINKTYPE_RAW = 101, IP_HEAD = 20, TCP_HEAD = 20, HEADS = IP_HEAD + TCP_HEAD, PIECE = 60000 };
enum { FIN = 1, SYN = 2, ACK = 16 };

#define LOOPBACK UINT32_C(0x7F000001)

/* A connection as TCP counts it. */
struct link {
        struct ri_map_node by_number;
        uint16_t port[2]; /* of the client, of the server */
        uint32_t next[2]; /* sequence numbers */
};

struct roma_served {
        struct mfs_peer_tap tap;
        struct mfs_peer *peer;
        roma_wire *wire;
        struct ri_map links;
        char uri[64];
        uint8_t frame[HEADS + PIECE];
};

/* ---- frames -------------------------------------------------------------------------------------------------- */

static int64_t now_ns(void)
{
        struct timespec t;

        clock_gettime(CLOCK_REALTIME, &t);
        return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

/* One segment; from: 0 the client, 1 the server. */
static void segment(roma_served *s, struct link *l, int from, uint8_t flags, const void *p, size_t n)
{
        uint8_t *ip = s->frame, *tcp = ip + IP_HEAD;

        memset(ip, 0, HEADS);
        ip[0] = 0x45;
        wire_put16(ip + 2, (uint16_t)(HEADS + n));
        ip[8] = 64;
        ip[9] = 6;
        wire_put32(ip + 12, LOOPBACK);
        wire_put32(ip + 16, LOOPBACK);
        wire_put16(tcp, l->port[from]);
        wire_put16(tcp + 2, l->port[!from]);
        wire_put32(tcp + 4, l->next[from]);
        wire_put32(tcp + 8, l->next[!from]);
        tcp[12] = 5 << 4;
        tcp[13] = flags;
        if (n)
                memcpy(ip + HEADS, p, n);
        l->next[from] += (uint32_t)n + (flags & (SYN | FIN) ? 1 : 0);
        roma_wire_frame(s->wire, LINKTYPE_RAW, now_ns(), ip, HEADS + n, HEADS + n);
}

static void opened(void *arg, uint64_t conn, uint16_t client_port, uint16_t server_port)
{
        roma_served *s = arg;
        struct link *l = calloc(1, sizeof(*l));

        if (!l)
                return; /* it is not seen: the report counts what is */
        l->port[0] = client_port;
        l->port[1] = server_port;
        l->next[0] = l->next[1] = (uint32_t)conn * 0x10001; /* ports are used again */
        ri_map_insert_u64(&s->links, &l->by_number, conn);
        segment(s, l, 0, SYN, NULL, 0);
        segment(s, l, 1, SYN | ACK, NULL, 0);
}

static struct link *link_of(roma_served *s, uint64_t conn)
{
        struct ri_map_node *n = ri_map_find_u64(&s->links, conn);

        return n ? ri_container_of(n, struct link, by_number) : NULL;
}

static void bytes(void *arg, uint64_t conn, bool to_server, const void *p, size_t n)
{
        roma_served *s = arg;
        struct link *l = link_of(s, conn);
        const uint8_t *at = p;

        while (l && n) {
                size_t part = n < PIECE ? n : PIECE;

                segment(s, l, !to_server, ACK, at, part);
                at += part;
                n -= part;
        }
}

static void closed(void *arg, uint64_t conn, bool by_client)
{
        roma_served *s = arg;
        struct link *l = link_of(s, conn);

        if (!l)
                return;
        segment(s, l, !by_client, FIN | ACK, NULL, 0);
        segment(s, l, by_client, FIN | ACK, NULL, 0);
        ri_map_remove(&s->links, &l->by_number);
        free(l);
}

/* ---- life ---------------------------------------------------------------------------------------------------- */

static bool configure(struct mfs_peer_cfg *cfg, const roma_served_opts *o, char *why, size_t size)
{
        cfg->servers = o->servers ? o->servers : 3;
        cfg->copies = o->copies ? o->copies : 2;
        cfg->port = o->port;
        cfg->disk_ms = o->delay_ms;
        if (o->as && !wire_ver_parse(o->as, &cfg->master_version)) {
                snprintf(why, size, "'%.40s' is no version like 3.0.117", o->as);
                return false;
        }
        if (cfg->servers > MFS_PEER_SERVERS || cfg->copies > cfg->servers) {
                snprintf(why, size, "at most %d chunkservers, and no more copies than these",
                         MFS_PEER_SERVERS);
                return false;
        }
        return true;
}

roma_served *roma_served_new(const roma_served_opts *o, char *why, size_t size)
{
        roma_wire_opts opts = ROMA_WIRE_OPTS_INIT;
        roma_served *s = calloc(1, sizeof(*s));
        struct mfs_peer_cfg cfg = { 0 };

        snprintf(why, size, "no memory");
        if (!s)
                return NULL;
        ri_map_init(&s->links);
        opts.finding = o->finding;
        opts.unchecked = o->unchecked;
        opts.arg = o->arg;
        s->wire = roma_wire_new(&opts);
        s->tap = (struct mfs_peer_tap){ opened, bytes, closed, s };
        cfg.tap = &s->tap;
        if (s->wire && configure(&cfg, o, why, size))
                s->peer = mfs_peer_new(&cfg, why, size);
        if (!s->peer) {
                roma_served_free(s);
                return NULL;
        }
        snprintf(s->uri, sizeof(s->uri), "%s", mfs_peer_uri(s->peer));
        return s;
}

const char *roma_served_uri(const roma_served *s)
{
        return s->uri;
}

void roma_served_end(roma_served *s)
{
        if (!s->peer)
                return;
        mfs_peer_free(s->peer);
        s->peer = NULL;
        roma_wire_end(s->wire);
}

const roma_wire_report *roma_served_report(const roma_served *s)
{
        return roma_wire_report_of(s->wire);
}

void roma_served_free(roma_served *s)
{
        if (!s)
                return;
        if (s->peer)
                roma_served_end(s);
        ri_map_for_each_safe(n, tmp, &s->links)
        {
                ri_map_remove(&s->links, n);
                free(ri_container_of(n, struct link, by_number));
        }
        ri_map_free(&s->links);
        roma_wire_free(s->wire);
        free(s);
}
