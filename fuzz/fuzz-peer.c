/* SPDX-License-Identifier: MIT */
/* Whatever a client sends: the master and chunkservers of `roma conform --serve` take it or hang up, and nothing is left
 * behind. They are on real sockets, on a loop that is driven here.
 *
 * The input is a list of steps: a byte that says which of four connections (two to the master, two to chunkservers) and
 * what: 0 some bytes as they are, 1 a packet (its number in two bytes), 2 a register, 3 a hang-up. Behind 0 and 1 stand
 * one byte of length and the bytes. */
#include <arpa/inet.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include <roma/roma.h>

#include "mfsproto/peer/peer.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { LINKS = 4, STEPS = 64, TURNS = 12 };

struct play {
        roma_loop *loop;
        struct mfs_peer *peer;
        int fd[LINKS];
        uint64_t seen;
};

static void must(bool condition, const char *what)
{
        if (condition)
                return;
        fprintf(stderr, "%s\n", what);
        abort();
}

/* ---- who watches --------------------------------------------------------------------------------------------- */

static void opened(void *arg, uint64_t conn, uint16_t client_port, uint16_t server_port)
{
        struct play *p = arg;

        must(conn == ++p->seen && client_port && server_port, "a connection without a number or a port");
}

static void bytes(void *arg, uint64_t conn, bool to_server, const void *p, size_t n)
{
        (void)to_server;
        must(conn <= ((struct play *)arg)->seen && p && n, "bytes of nobody");
}

static void closed(void *arg, uint64_t conn, bool by_client)
{
        (void)by_client;
        must(conn <= ((struct play *)arg)->seen, "the end of nobody");
}

/* ---- a client ------------------------------------------------------------------------------------------------ */

static void turns(struct play *p)
{
        for (int i = 0; i < TURNS; i++)
                (void)roma_loop_turn(p->loop, 0);
}

/* Without TIME_WAIT, so that ports do not run out. */
static void hang_up(struct play *p, unsigned i)
{
        const struct linger now = { 1, 0 };

        if (p->fd[i] < 0)
                return;
        setsockopt(p->fd[i], SOL_SOCKET, SO_LINGER, &now, sizeof(now));
        close(p->fd[i]);
        p->fd[i] = -1;
}

static void dial(struct play *p, unsigned i)
{
        struct sockaddr_in a = { .sin_family = AF_INET };

        if (p->fd[i] >= 0)
                return;
        a.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        a.sin_port = htons(mfs_peer_port(p->peer, i < 2 ? 0 : i - 1));
        p->fd[i] = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
        if (p->fd[i] >= 0)
                (void)connect(p->fd[i], (struct sockaddr *)&a, sizeof(a));
        turns(p);
}

static void say(struct play *p, unsigned i, const void *data, size_t n)
{
        char answer[4096];

        dial(p, i);
        if (send(p->fd[i], data, n, MSG_NOSIGNAL | MSG_DONTWAIT) < 0)
                hang_up(p, i);
        turns(p);
        while (p->fd[i] >= 0 && recv(p->fd[i], answer, sizeof(answer), MSG_DONTWAIT) > 0)
                ;
}

static void say_register(struct play *p, unsigned i, uint8_t what)
{
        static const uint32_t versions[] = { WIRE_VER(4, 59, 2), WIRE_VER(3, 0, 117), WIRE_VER(3, 0, 71),
                                             WIRE_VER(1, 7, 20) };
        struct wire_ctx ctx = { WIRE_VER(3, 0, 117), 0, 0 };
        struct wire_msg m;
        uint8_t packet[256];
        ssize_t n;

        wire_msg_init(&m, WIRE_CLTOMA_FUSE_REGISTER, WIRE_TO_MASTER);
        wire_set_u(&m, WF_RCODE, WIRE_REGISTER_NEWSESSION);
        wire_set_u(&m, WF_VERSION, versions[what % 4]);
        wire_set_bytes(&m, WF_INFO, "x", 2);
        wire_set_bytes(&m, WF_PATH, "/", 2);
        n = wire_encode(&m, &ctx, packet, sizeof(packet));
        must(n > 0, "no register");
        say(p, i, packet, (size_t)n);
}

/* One step; what is left of the input. */
static size_t step(struct play *p, const uint8_t *data, size_t size)
{
        unsigned link = data[0] & 3, what = data[0] >> 2 & 3;
        uint8_t packet[WIRE_HEADER_SIZE + 255];
        size_t n;

        if (what == 3)
                hang_up(p, link);
        else if (what == 2)
                say_register(p, link, data[0] >> 4);
        if (what >= 2)
                return size - 1;
        if (size < 4)
                return 0;
        n = data[3] < size - 4 ? data[3] : size - 4;
        wire_put32(packet, wire_be16(data + 1));
        wire_put32(packet + 4, (uint32_t)n);
        memcpy(packet + WIRE_HEADER_SIZE, data + 4, n);
        if (what == 1)
                say(p, link, packet, WIRE_HEADER_SIZE + n);
        else
                say(p, link, data + 4, n);
        return size - 4 - n;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
        struct play p = { .loop = roma_loop_new() };
        struct mfs_peer_tap tap = { opened, bytes, closed, &p };
        struct mfs_peer_cfg cfg = { .loop = p.loop, .servers = 2, .copies = 2, .tap = &tap };
        char why[200] = "no loop";
        size_t left = size;

        for (unsigned i = 0; i < LINKS; i++)
                p.fd[i] = -1;
        if (size)
                cfg.master_version = data[0] & 0x80 ? WIRE_VER(4, 59, 2) : 0;
        p.peer = p.loop ? mfs_peer_new(&cfg, why, sizeof(why)) : NULL;
        must(p.peer != NULL, why);
        must(mfs_peer_plant(p.peer, "f", "some bytes", 10), "no file");
        for (int i = 0; i < STEPS && left; i++)
                left = step(&p, data + (size - left), left);
        for (unsigned i = 0; i < LINKS; i++)
                hang_up(&p, i);
        turns(&p);
        mfs_peer_free(p.peer);
        roma_loop_free(p.loop);
        return 0;
}
