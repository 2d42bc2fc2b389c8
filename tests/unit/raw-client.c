/* SPDX-License-Identifier: MIT */
/* See raw-client.h. */
#include "raw-client.h"

#include <arpa/inet.h>
#include <errno.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "core/crc.h"

enum { WAIT_MS = 10000 };

/* A rule of the test is broken; raw_failed() says so in the words of the program that uses this. */
#define must(cond, ...) ((cond) ? (void)0 : raw_failed(__VA_ARGS__))

void raw_open(struct raw *r, uint16_t port)
{
        raw_connect(r, INADDR_LOOPBACK, port);
}

void raw_connect(struct raw *r, uint32_t ip, uint16_t port)
{
        struct sockaddr_in a = { .sin_family = AF_INET, .sin_port = htons(port) };

        memset(r, 0, sizeof *r);
        a.sin_addr.s_addr = htonl(ip);
        r->server = WIRE_VER(3, 0, 117);
        r->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
        must(r->fd >= 0, "socket: %s", strerror(errno));
        must(connect(r->fd, (struct sockaddr *)&a, sizeof a) == 0, "connect to port %u: %s", port,
             strerror(errno));
}

void raw_close(struct raw *r)
{
        close(r->fd);
        r->fd = -1;
}

void raw_send(struct raw *r, const void *bytes, size_t n)
{
        const uint8_t *p = bytes;

        while (n) {
                ssize_t k = send(r->fd, p, n, MSG_NOSIGNAL);

                if (k < 0 && errno == EINTR)
                        continue;
                if (k < 0) /* the server has hung up: the test will see that when it reads */
                        return;
                p += k;
                n -= (size_t)k;
        }
}

void raw_packet(struct raw *r, uint32_t type, const void *payload, size_t n)
{
        uint8_t head[WIRE_HEADER_SIZE];

        wire_put32(head, type);
        wire_put32(head + 4, (uint32_t)n);
        raw_send(r, head, sizeof head);
        raw_send(r, payload, n);
}

void raw_init(struct raw *r, struct wire_msg *m, uint32_t type)
{
        const struct wire_packet *p = wire_packet_find(type);

        (void)r;
        must(p != NULL, "no packet %u", type);
        wire_msg_init(m, type, p->dirs & WIRE_TO_MASTER ? WIRE_TO_MASTER : WIRE_TO_CS);
}

void raw_msg(struct raw *r, struct wire_msg *m)
{
        struct wire_ctx ctx = { r->server, r->declared, 0 };
        uint8_t packet[70000];
        char why[200];
        ssize_t n;

        if ((m->dir & WIRE_TO_MASTER) && m->type != WIRE_CLTOMA_FUSE_REGISTER && !wire_has(m, WF_MSGID))
                wire_set_u(m, WF_MSGID, ++r->msgid);
        r->hint = wire_hint_of(m);
        n = wire_encode(m, &ctx, packet, sizeof packet);
        must(n > 0, "%s", wire_msg_error(m, why, sizeof why));
        raw_send(r, packet, (size_t)n);
}

static int take(struct raw *r, uint8_t *to, size_t n, int ms)
{
        while (n) {
                struct pollfd p = { r->fd, POLLIN, 0 };
                ssize_t k;

                if (poll(&p, 1, ms) == 0)
                        return -1;
                k = recv(r->fd, to, n, 0);
                if (k < 0 && errno == EINTR)
                        continue;
                if (k <= 0)
                        return 0;
                to += k;
                n -= (size_t)k;
        }
        return 1;
}

int raw_next(struct raw *r, int ms)
{
        uint8_t head[WIRE_HEADER_SIZE];
        int got;

        do {
                got = take(r, head, sizeof head, ms);
                if (got <= 0)
                        return got;
                r->type = wire_be32(head);
                r->len = wire_be32(head + 4);
                must(r->len <= sizeof r->buf, "%s of %zu bytes", wire_packet_name(r->type), r->len);
                if (r->len && (got = take(r, r->buf, r->len, WAIT_MS)) <= 0)
                        return got;
        } while (r->type == WIRE_ANTOAN_NOP);
        return 1;
}

static void expect(struct raw *r, uint32_t type, struct wire_msg *m, bool skip)
{
        struct wire_ctx ctx = { r->server, r->declared, r->hint };
        const struct wire_packet *p = wire_packet_find(type), *got;

        do {
                must(raw_next(r, WAIT_MS) == 1, "no %s came", wire_packet_name(type));
                got = wire_packet_find(r->type);
        } while (skip && r->type != type && got && got->flags & WP_UNSOLICITED);
        must(r->type == type, "%s instead of %s", wire_packet_name(r->type), wire_packet_name(type));
        must(wire_decode(m, r->type, p->dirs & WIRE_FROM_MASTER ? WIRE_FROM_MASTER : WIRE_FROM_CS, r->buf,
                         r->len, &ctx) == WIRE_OK,
             "%s cannot be read", wire_packet_name(type));
}

void raw_expect(struct raw *r, uint32_t type, struct wire_msg *m)
{
        expect(r, type, m, false);
}

void raw_call(struct raw *r, struct wire_msg *m, struct wire_msg *reply)
{
        raw_msg(r, m);
        expect(r, m->type + 1, reply, true); /* what the master tells everybody may come before */
        if (wire_has(m, WF_MSGID))
                must(wire_get_u32(reply, WF_MSGID) == r->msgid, "a reply to another request");
}

uint8_t raw_status(struct raw *r, struct wire_msg *m)
{
        struct wire_msg reply;
        uint8_t status = 0;

        raw_call(r, m, &reply);
        wire_is_status(&reply, &status);
        return status;
}

bool raw_is_closed(struct raw *r, int ms)
{
        return raw_next(r, ms) == 0;
}

void raw_register(struct raw *r, uint32_t declared)
{
        struct wire_msg m, reply;

        r->declared = declared;
        raw_init(r, &m, WIRE_CLTOMA_FUSE_REGISTER);
        wire_set_u(&m, WF_RCODE, WIRE_REGISTER_NEWSESSION);
        wire_set_u(&m, WF_VERSION, declared);
        wire_set_bytes(&m, WF_INFO, "test", 5);
        wire_set_bytes(&m, WF_PATH, "/", 2);
        raw_call(r, &m, &reply);
        r->server = wire_get_u32(&reply, WF_VERSION);
        must(wire_msg_ok(&reply) && wire_get_u32(&reply, WF_SESSIONID) != 0, "no session");
}

uint32_t raw_create(struct raw *r, const char *name)
{
        return raw_create_in(r, WIRE_ROOT_INODE, name);
}

uint32_t raw_create_in(struct raw *r, uint32_t parent, const char *name)
{
        static const uint32_t gid[] = { 0 };
        struct wire_msg m, reply;

        raw_init(r, &m, WIRE_CLTOMA_FUSE_CREATE);
        wire_set_u(&m, WF_PARENT, parent);
        wire_set_str(&m, WF_NAME, name);
        wire_set_u(&m, WF_MODE, 0644);
        wire_set_u(&m, WF_UMASK, 0);
        wire_set_ug(&m, 0, gid, 1);
        raw_call(r, &m, &reply);
        must(wire_has(&reply, WF_INODE), "%s cannot be created", name);
        return wire_get_u32(&reply, WF_INODE);
}

uint8_t raw_write_chunk(struct raw *r, uint32_t inode, uint32_t index, uint8_t flags, struct raw_grant *g)
{
        struct wire_msg m, reply, item;
        struct wire_iter it;
        uint8_t status;

        memset(g, 0, sizeof *g);
        raw_init(r, &m, WIRE_CLTOMA_FUSE_WRITE_CHUNK);
        wire_set_u(&m, WF_INODE, inode);
        wire_set_u(&m, WF_INDEX, index);
        wire_set_u(&m, WF_CHUNKOPFLAGS, flags);
        raw_call(r, &m, &reply);
        if (wire_is_status(&reply, &status))
                return status;
        g->inode = inode;
        g->index = index;
        g->chunk = wire_get_u(&reply, WF_CHUNKID);
        g->version = wire_get_u32(&reply, WF_CHUNKVER);
        g->length = wire_get_u(&reply, WF_LENGTH);
        wire_group_begin(&reply, WF_LOCS, &it);
        while (wire_group_next(&it, &item)) {
                must(g->n < RAW_SERVERS, "more than %d servers", RAW_SERVERS);
                g->ip[g->n] = wire_get_u32(&item, WF_IP);
                g->port[g->n++] = wire_get_u16(&item, WF_PORT);
        }
        must(wire_msg_ok(&reply), "a grant that cannot be read");
        return WIRE_STATUS_OK;
}

uint8_t raw_write_end(struct raw *r, const struct raw_grant *g, uint64_t length)
{
        struct wire_msg m;

        raw_init(r, &m, WIRE_CLTOMA_FUSE_WRITE_CHUNK_END);
        wire_set_u(&m, WF_CHUNKID, g->chunk);
        wire_set_u(&m, WF_INODE, g->inode);
        wire_set_u(&m, WF_INDEX, g->index);
        wire_set_u(&m, WF_LENGTH, length);
        wire_set_u(&m, WF_CHUNKOPFLAGS, 0);
        return raw_status(r, &m);
}

void raw_cs_write(struct raw *cs, const struct raw_grant *g)
{
        uint8_t hops[64];
        struct wire_group chain;
        struct wire_msg m;

        wire_group_init(&chain, WFORM_HOP, hops, sizeof hops);
        for (unsigned i = 1; i < g->n; i++)
                wire_group_add_loc(&chain, g->ip[i], g->port[i], 0, 0);
        raw_init(cs, &m, WIRE_CLTOCS_WRITE);
        wire_set_u(&m, WF_PROTO, 1);
        wire_set_u(&m, WF_CHUNKID, g->chunk);
        wire_set_u(&m, WF_CHUNKVER, g->version);
        wire_set_group(&m, WF_CHAIN, &chain);
        raw_msg(cs, &m);
}

void raw_cs_data(struct raw *cs, uint64_t chunk, uint32_t writeid, uint16_t block, uint16_t offset,
                 const void *data, uint32_t n)
{
        uint8_t head[WIRE_HEADER_SIZE + WIRE_WRITE_DATA_HEADER];
        struct wire_data d = { chunk, writeid, block, offset, n, ri_crc32(0, data, n) };

        wire_write_data_build(head, &d);
        raw_send(cs, head, sizeof head);
        raw_send(cs, data, n);
}

void raw_cs_finish(struct raw *cs, const struct raw_grant *g)
{
        struct wire_msg m;

        raw_init(cs, &m, WIRE_CLTOCS_WRITE_FINISH);
        wire_set_u(&m, WF_CHUNKID, g->chunk);
        wire_set_u(&m, WF_CHUNKVER, g->version);
        raw_msg(cs, &m);
}

uint8_t raw_cs_ack(struct raw *cs, uint32_t writeid)
{
        struct wire_msg m;

        raw_expect(cs, WIRE_CSTOCL_WRITE_STATUS, &m);
        must(wire_get_u32(&m, WF_WRITEID) == writeid, "a status for %u, not for %u",
             wire_get_u32(&m, WF_WRITEID), writeid);
        return wire_get_u8(&m, WF_STATUS);
}
