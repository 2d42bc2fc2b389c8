/* SPDX-License-Identifier: MIT */
/* A capture of a client that writes one long file to one server as it should: gen-capture MIB MTU >FILE. For
 * bench/wire; nothing but libc. */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { BLOCK = 65536, BLOCKS = 1024, HEADS = 14 + 20 + 20 };

static uint8_t block[32 + BLOCK];
static uint32_t mtu, ticks;

struct side {
        uint8_t ip;
        uint16_t port;
        uint32_t seq;
};
struct talk {
        struct side client, server;
};

static uint8_t *put16(uint8_t *p, uint32_t v)
{
        p[0] = (uint8_t)(v >> 8);
        p[1] = (uint8_t)v;
        return p + 2;
}
static uint8_t *put32(uint8_t *p, uint32_t v)
{
        return put16(put16(p, v >> 16), v & 0xFFFF);
}
static uint8_t *put64(uint8_t *p, uint64_t v)
{
        return put32(put32(p, (uint32_t)(v >> 32)), (uint32_t)v);
}

static uint32_t crc32_of(const uint8_t *p, size_t n)
{
        uint32_t crc = 0xFFFFFFFFu;

        for (size_t i = 0; i < n; i++) {
                crc ^= p[i];
                for (int k = 0; k < 8; k++)
                        crc = crc >> 1 ^ (0xEDB88320u & (0 - (crc & 1)));
        }
        return ~crc;
}

static void write_all(const void *p, size_t n)
{
        if (fwrite(p, 1, n, stdout) != n) {
                perror("gen-capture");
                exit(1);
        }
}

/* One frame: Ethernet, IPv4, TCP; in pcap's own byte order, that of this machine. */
static void frame(struct side *from, const struct side *to, uint8_t flags, const uint8_t *data, size_t n)
{
        uint32_t record[4] = { 1700000000 + ticks / 1000000, ticks % 1000000, (uint32_t)(HEADS + n),
                               (uint32_t)(HEADS + n) };
        uint8_t h[HEADS] = { 0 }, *p = h + 12;

        ticks += 5;
        p = put16(p, 0x0800);
        p = put16(p, 0x4500);
        p = put16(p, (uint32_t)(40 + n));
        p = put32(p, 0x4000);
        p = put16(p, 0x4006);
        p = put16(p, 0);
        p = put32(p, 0x0A000000u + from->ip);
        p = put32(p, 0x0A000000u + to->ip);
        p = put16(put16(p, from->port), to->port);
        p = put32(put32(p, from->seq), to->seq);
        p = put16(p, 0x5000u | flags);
        put16(p, 0xFFFF);
        write_all(record, sizeof(record));
        write_all(h, sizeof(h));
        write_all(data, n);
        from->seq += (uint32_t)n + (flags & 3 ? 1 : 0);
}

static void say(struct side *from, const struct side *to, const uint8_t *data, size_t n)
{
        size_t most = mtu - 40;

        while (n) {
                size_t part = n < most ? n : most;

                frame(from, to, 0x10, data, part);
                data += part;
                n -= part;
        }
}

static void packet(struct side *from, const struct side *to, uint32_t type, const uint8_t *payload, size_t n)
{
        uint8_t head[200];

        put32(put32(head, type), (uint32_t)n);
        memcpy(head + 8, payload, n);
        say(from, to, head, n + 8);
}

static void hello(struct talk *t)
{
        frame(&t->client, &t->server, 2, block, 0);
        frame(&t->server, &t->client, 0x12, block, 0);
}

static void grant(struct talk *m, uint32_t index, uint64_t length)
{
        uint8_t b[64], *p;

        p = put32(put32(put32(b, index + 1), 7), index);
        *p++ = 0;
        packet(&m->client, &m->server, 434, b, (size_t)(p - b));
        p = put32(b, index + 1);
        *p++ = 2;
        p = put32(put64(put64(p, length), index + 1), 1);
        p = put32(put32(put16(put32(p, 0x0A000003), 9422), 0x000300EA), 1);
        packet(&m->server, &m->client, 435, b, (size_t)(p - b));
}

static void end(struct talk *m, uint32_t index, uint64_t length)
{
        uint8_t b[64], *p;

        p = put32(put32(put64(put32(b, 500000 + index), index + 1), 7), index);
        p = put64(p, length);
        *p++ = 0;
        packet(&m->client, &m->server, 436, b, (size_t)(p - b));
        p = put32(b, 500000 + index);
        *p++ = 0;
        packet(&m->server, &m->client, 437, b, (size_t)(p - b));
}

static void status(struct talk *c, uint32_t index, uint32_t writeid)
{
        uint8_t b[16], *p = put32(put64(b, index + 1), writeid);

        *p++ = 0;
        packet(&c->server, &c->client, 211, b, (size_t)(p - b));
}

static void chunk(struct talk *c, uint32_t index, uint32_t crc)
{
        uint8_t b[32], *p = b;

        *p++ = 1;
        p = put32(put64(p, index + 1), 1);
        packet(&c->client, &c->server, 210, b, (size_t)(p - b));
        status(c, index, 0);
        for (uint32_t i = 0; i < BLOCKS; i++) {
                p = put32(put32(block, 212), 24 + BLOCK);
                p = put16(put16(put32(put64(p, index + 1), i + 1), i), 0);
                put32(put32(p, BLOCK), crc);
                say(&c->client, &c->server, block, sizeof(block));
                status(c, index, i + 1);
        }
        p = put32(put64(b, index + 1), 1);
        packet(&c->client, &c->server, 213, b, (size_t)(p - b));
}

int main(int argc, char **argv)
{
        uint32_t head[6] = { 0xA1B2C3D4, 0x00040002, 0, 0, 262144, 1 }, mib, crc;
        struct talk m = { { 1, 40000, 100 }, { 2, 9421, 100 } }, c = { { 1, 40001, 100 }, { 3, 9422, 100 } };

        if (argc != 3 || (mib = (uint32_t)strtoul(argv[1], NULL, 10)) < 64 ||
            (mtu = (uint32_t)strtoul(argv[2], NULL, 10)) < 100 || mtu > 65000) {
                fputs("usage: gen-capture MIB MTU >FILE; at least 64 MiB, MTU 100 to 65000\n", stderr);
                return 2;
        }
        srand(1);
        for (size_t i = 32; i < sizeof(block); i++)
                block[i] = (uint8_t)(rand() >> 7);
        crc = crc32_of(block + 32, BLOCK);
        write_all(head, sizeof(head));
        hello(&m);
        hello(&c);
        for (uint32_t i = 0; i < mib / 64; i++) {
                grant(&m, i, (uint64_t)i << 26);
                chunk(&c, i, crc);
                end(&m, i, (uint64_t)(i + 1) << 26);
        }
        return fflush(stdout) == 0 ? 0 : 1;
}
