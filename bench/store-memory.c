/* SPDX-License-Identifier: MIT */
/* What a store holds in memory, in a process of its own each:
 *   store-memory big URI KEY MIB      puts and gets so much through a writer and a reader: the peak
 *   store-memory ranges URI KEY MIB N puts as much, then reads N random ranges of up to 3 MiB and compares them
 *   store-memory rounds URI N         N times put, get, stat, remove, and all of it again: what the second time adds
 *   store-memory stores URI N         opens and closes it N times
 *   store-memory fails URI N          the same, and each open has to fail
 * Memory is looked at when all is idle, behind malloc_trim(). Prints KiB and threads, and fails above 96 MiB at the peak,
 * 4 MiB more than at first, or one thread more. */
#include <malloc.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <roma/roma.h>

enum { PIECE = 1 << 20 };

static long status(const char *name)
{
        FILE *f = fopen("/proc/self/status", "re");
        char line[256];
        long v = -1;

        while (f && fgets(line, sizeof line, f))
                if (strncmp(line, name, strlen(name)) == 0)
                        v = strtol(line + strlen(name), NULL, 10);
        if (f)
                fclose(f);
        return v;
}

static void die(roma_loop *loop, const char *what)
{
        fprintf(stderr, "%s: %s\n", what, roma_error(loop));
        exit(1);
}

/* Handles are closed by threads of their own. */
static long idle_kib(void)
{
        sleep(2);
        malloc_trim(0);
        return status("VmRSS:");
}

/* Every word of an object tells where it is. */
static void fill(uint64_t *p, uint64_t at)
{
        for (size_t i = 0; i < PIECE / sizeof *p; i++)
                p[i] = (at + i) * 0x9e3779b97f4a7c15u;
}

static void put_big(roma_store *s, const char *key, uint64_t mib, uint64_t *p)
{
        roma_writer_opts o = ROMA_WRITER_OPTS_INIT;
        roma_writer *w;

        o.size_hint = mib * PIECE;
        w = roma_writer_open(s, key, &o);
        if (!w)
                die(roma_store_loop(s), "put");
        for (uint64_t i = 0; i < mib; i++) {
                fill(p, i * (PIECE / sizeof *p));
                if (roma_writer_write(w, p, PIECE, NULL) < 0)
                        die(roma_store_loop(s), "write");
        }
        if (roma_writer_commit(w, NULL) < 0)
                die(roma_store_loop(s), "commit");
}

static void get_big(roma_store *s, const char *key, uint64_t mib, uint64_t *p)
{
        roma_reader *r = roma_reader_open(s, key, NULL);
        uint64_t at = 0;
        roma_buf *b;

        if (!r)
                die(roma_store_loop(s), "get");
        while ((b = roma_reader_next(r, NULL)) != NULL) {
                const char *from = roma_buf_data(b);

                for (size_t i = 0, n; i < roma_buf_len(b); i += n) {
                        size_t in = (size_t)(at % PIECE);

                        if (in == 0)
                                fill(p, at / sizeof *p);
                        n = PIECE - in < roma_buf_len(b) - i ? PIECE - in : roma_buf_len(b) - i;
                        if (memcmp((char *)p + in, from + i, n) != 0) {
                                fprintf(stderr, "other bytes at %llu\n", (unsigned long long)at);
                                exit(1);
                        }
                        at += n;
                }
                roma_buf_unref(b);
        }
        if (roma_last(roma_store_loop(s))->code || at != mib * PIECE)
                die(roma_store_loop(s), "read");
        roma_reader_close(r);
}

static int big(roma_loop *loop, const char *uri, const char *key, uint64_t mib)
{
        roma_store *s = roma_store_open(loop, uri, NULL);
        uint64_t *p = malloc(PIECE);
        long after_put;

        if (!s || !p)
                die(loop, "open");
        put_big(s, key, mib, p);
        after_put = status("VmHWM:");
        get_big(s, key, mib, p);
        printf("%llu MiB: peak %ld KiB after the put, %ld after the get\n", (unsigned long long)mib,
               after_put, status("VmHWM:"));
        if (roma_unlink(s, key, 0, NULL) < 0)
                die(loop, "unlink");
        roma_store_close(s);
        free(p);
        return status("VmHWM:") > 96 << 10;
}

static int ranges(roma_loop *loop, const char *uri, const char *key, uint64_t mib, unsigned long n)
{
        roma_store *s = roma_store_open(loop, uri, NULL);
        uint64_t *p = malloc(PIECE), bytes = 0;
        unsigned char *got = malloc(3 * PIECE);
        roma_file *f;

        if (!s || !p || !got)
                die(loop, "open");
        put_big(s, key, mib, p);
        f = roma_file_open(s, key, ROMA_O_READ, 0, NULL);
        if (!f)
                die(loop, "open");
        srandom((unsigned)getpid());
        for (unsigned long i = 0; i < n; i++) {
                uint64_t at = (((uint64_t)random() << 31) ^ (uint64_t)random()) % (mib * PIECE);
                size_t len = 1 + (size_t)random() % (3 * PIECE);

                if (len > mib * PIECE - at)
                        len = (size_t)(mib * PIECE - at);
                if (roma_pread(f, got, len, at, NULL) != (int64_t)len)
                        die(loop, "range");
                for (size_t k = 0; k < len; k++) {
                        uint64_t word = (at + k) / 8 * 0x9e3779b97f4a7c15u;

                        if (got[k] != ((unsigned char *)&word)[(at + k) % 8]) {
                                fprintf(stderr, "another byte at %llu\n", (unsigned long long)(at + k));
                                exit(1);
                        }
                }
                bytes += len;
        }
        roma_file_close(f, NULL);
        if (roma_unlink(s, key, 0, NULL) < 0)
                die(loop, "unlink");
        roma_store_close(s);
        printf("%llu MiB put; %lu ranges of %llu MiB altogether are right; peak %ld KiB\n",
               (unsigned long long)mib, n, (unsigned long long)(bytes >> 20), status("VmHWM:"));
        free(got);
        free(p);
        return 0;
}

static void round_trip(roma_store *s, unsigned long i)
{
        roma_loop *loop = roma_store_loop(s);
        const char *data = "ninety-seven bytes are what the services of the first users put, many thousand "
                           "times every hour.";
        char key[32], back[128];
        roma_attr attr = ROMA_ATTR_INIT;
        roma_file *f;

        snprintf(key, sizeof key, "m%06lu", i);
        if (roma_put(s, key, data, strlen(data), NULL) < 0)
                die(loop, "put");
        f = roma_file_open(s, key, ROMA_O_READ, 0, NULL);
        if (!f || roma_pread(f, back, sizeof back, 0, NULL) != (int64_t)strlen(data) ||
            memcmp(back, data, strlen(data)) != 0)
                die(loop, "get");
        roma_file_close(f, NULL);
        if (roma_stat(s, key, 0, NULL, &attr) < 0)
                die(loop, "stat");
        if (roma_unlink(s, key, 0, NULL) < 0)
                die(loop, "unlink");
}

static int rounds(roma_loop *loop, const char *uri, unsigned long n)
{
        roma_store *s = roma_store_open(loop, uri, NULL);
        long kib[2];

        if (!s)
                die(loop, "open");
        for (int k = 0; k < 2; k++) {
                for (unsigned long i = 0; i < n; i++)
                        round_trip(s, i);
                kib[k] = idle_kib();
        }
        printf("%lu rounds: %ld KiB, again: %ld KiB, %+ld\n", n, kib[0], kib[1], kib[1] - kib[0]);
        roma_store_close(s);
        return kib[1] - kib[0] > 4096;
}

/* The first few bring in code and tables, which stay. */
static int cycles(roma_loop *loop, const char *uri, unsigned long n, int fails)
{
        long kib = 0, threads = 0, end_kib, end_threads;

        for (unsigned long i = 0; i < n + 3; i++) {
                roma_store *s = roma_store_open(loop, uri, NULL);

                if (fails != !s)
                        die(loop, fails ? "it can be opened" : "open");
                if (i == 0 && fails)
                        fprintf(stderr, "%s\n", roma_error(loop));
                if (s)
                        roma_store_close(s);
                if (i == 2) {
                        kib = idle_kib();
                        threads = status("Threads:");
                }
        }
        end_kib = idle_kib();
        end_threads = status("Threads:");
        printf("%lu %s: from %ld to %ld KiB, %+ld; from %ld to %ld threads\n", n,
               fails ? "failed connects" : "stores", kib, end_kib, end_kib - kib, threads, end_threads);
        return end_kib - kib > 4096 || end_threads > threads;
}

int main(int argc, char **argv)
{
        roma_loop *loop = roma_loop_new();
        int r;

        if (loop && argc == 5 && strcmp(argv[1], "big") == 0)
                r = big(loop, argv[2], argv[3], strtoull(argv[4], NULL, 10));
        else if (loop && argc == 6 && strcmp(argv[1], "ranges") == 0)
                r = ranges(loop, argv[2], argv[3], strtoull(argv[4], NULL, 10), strtoul(argv[5], NULL, 10));
        else if (loop && argc == 4 && strcmp(argv[1], "rounds") == 0)
                r = rounds(loop, argv[2], strtoul(argv[3], NULL, 10));
        else if (loop && argc == 4 && strcmp(argv[1], "stores") == 0)
                r = cycles(loop, argv[2], strtoul(argv[3], NULL, 10), 0);
        else if (loop && argc == 4 && strcmp(argv[1], "fails") == 0)
                r = cycles(loop, argv[2], strtoul(argv[3], NULL, 10), 1);
        else
                r = fprintf(stderr, "usage: store-memory big URI KEY MIB | ranges URI KEY MIB N | "
                                    "rounds|stores|fails URI N\n");
        roma_loop_free(loop);
        return r ? 1 : 0;
}
