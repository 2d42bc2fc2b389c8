/* SPDX-License-Identifier: MIT */
/* What the programs of the integration tests share; see common.h. */
#include "common.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

void die(const char *fmt, ...)
{
        va_list ap;

        fflush(stdout);
        va_start(ap, fmt);
        fputs("FAIL: ", stdout);
        vprintf(fmt, ap);
        fputs("\n", stdout);
        va_end(ap);
        fflush(stdout);
        exit(1);
}

int open_local(const char *path, uint64_t *size)
{
        int fd = open(path, O_RDONLY | O_CLOEXEC);
        struct stat st;

        if (fd < 0 || fstat(fd, &st) < 0)
                die("%s: %s", path, strerror(errno));
        if (size)
                *size = (uint64_t)st.st_size;
        return fd;
}

void read_local(int fd, void *buf, size_t len, uint64_t offset)
{
        uint8_t *p = buf;

        while (len) {
                ssize_t n = pread(fd, p, len, (off_t)offset);

                if (n < 0)
                        die("pread: %s", strerror(errno));
                if (n == 0) {
                        memset(p, 0, len);
                        return;
                }
                p += n;
                len -= (size_t)n;
                offset += (uint64_t)n;
        }
}

void write_local(const char *path, const void *data, size_t n)
{
        int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
        const uint8_t *p = data;

        if (fd < 0)
                die("%s: %s", path, strerror(errno));
        while (n) {
                ssize_t w = write(fd, p, n);

                if (w <= 0)
                        die("write %s: %s", path, strerror(errno));
                p += w;
                n -= (size_t)w;
        }
        if (close(fd) < 0)
                die("close %s: %s", path, strerror(errno));
}

uint64_t rnd_next(struct rnd *r)
{
        uint64_t z = (r->state += 0x9e3779b97f4a7c15ULL);

        z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ULL;
        z = (z ^ (z >> 27)) * 0x94d049bb133111ebULL;
        return z ^ (z >> 31);
}

uint64_t rnd_below(struct rnd *r, uint64_t n)
{
        return rnd_next(r) % n;
}

void rnd_fill(struct rnd *r, void *buf, size_t n)
{
        uint8_t *p = buf;
        uint64_t v;

        for (; n >= sizeof(v); n -= sizeof(v), p += sizeof(v)) {
                v = rnd_next(r);
                memcpy(p, &v, sizeof(v));
        }
        v = rnd_next(r);
        memcpy(p, &v, n);
}

/* No library, so that it is a witness of its own; by eight bytes, since it goes over gigabytes. */
uint32_t crc32_of(const void *data, size_t n)
{
        static uint32_t table[8][256];
        const uint8_t *p = data;
        uint32_t crc = ~0U;

        for (unsigned i = 0; !table[0][255] && i < 256; i++) {
                uint32_t c = i;

                for (int k = 0; k < 8; k++)
                        c = c & 1 ? 0xedb88320U ^ (c >> 1) : c >> 1;
                table[0][i] = c;
        }
        for (unsigned k = 1; !table[7][255] && k < 8; k++)
                for (unsigned i = 0; i < 256; i++)
                        table[k][i] = table[0][table[k - 1][i] & 255] ^ (table[k - 1][i] >> 8);
        for (; n >= 8; n -= 8, p += 8) {
                uint32_t a, b;

                memcpy(&a, p, 4);
                memcpy(&b, p + 4, 4);
#if __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
                a = __builtin_bswap32(a);
                b = __builtin_bswap32(b);
#endif
                a ^= crc;
                crc = table[7][a & 255] ^ table[6][(a >> 8) & 255] ^ table[5][(a >> 16) & 255] ^
                      table[4][a >> 24] ^ table[3][b & 255] ^ table[2][(b >> 8) & 255] ^
                      table[1][(b >> 16) & 255] ^ table[0][b >> 24];
        }
        while (n--)
                crc = table[0][(crc ^ *p++) & 255] ^ (crc >> 8);
        return ~crc;
}

struct place place_open(const char *uri)
{
        struct place p = { roma_loop_new(), NULL };

        if (!p.loop)
                die("roma_loop_new: %s", roma_error(NULL));
        p.store = roma_store_open(p.loop, uri, NULL);
        if (!p.store)
                die("%s: %s", uri, roma_error(p.loop));
        return p;
}

void place_close(struct place *p)
{
        roma_stats st = { .size = sizeof(st) };

        roma_store_close(p->store);
        for (int i = 0; i < 100; i++) {
                roma_loop_stats(p->loop, &st);
                if (!(st.operations | st.stores | st.files | st.writers | st.readers | st.connections |
                      st.descriptors | st.timers | st.buffers | st.buffer_bytes | st.threads | st.jobs))
                        break;
                roma_loop_turn(p->loop, 20);
        }
        if (st.operations | st.stores | st.files | st.writers | st.readers | st.connections | st.descriptors |
            st.timers | st.buffers | st.buffer_bytes | st.threads | st.jobs)
                die("after the last close roma_loop_stats() is not zero: operations %" PRIu64
                    " stores %" PRIu64 " files %" PRIu64 " writers %" PRIu64 " readers %" PRIu64
                    " connections %" PRIu64 " descriptors %" PRIu64 " timers %" PRIu64 " buffers %" PRIu64
                    " threads %" PRIu64 " jobs %" PRIu64,
                    st.operations, st.stores, st.files, st.writers, st.readers, st.connections,
                    st.descriptors, st.timers, st.buffers, st.threads, st.jobs);
        roma_loop_free(p->loop);
}
