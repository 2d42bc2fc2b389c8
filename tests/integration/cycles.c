/* SPDX-License-Identifier: MIT */
/* cycles URI N: puts, gets and removes an object N times in one process; what stays resident must not grow.
 * Prints the growth in KiB since the first twentieth. */
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <roma/roma.h>

static long resident_kib(void)
{
        FILE *f = fopen("/proc/self/statm", "re");
        long total = 0, pages = 0;

        if (!f || fscanf(f, "%ld %ld", &total, &pages) != 2)
                exit(2);
        fclose(f);
        return pages * (sysconf(_SC_PAGESIZE) / 1024);
}

static void die(roma_loop *loop, const char *what)
{
        fprintf(stderr, "%s: %s\n", what, roma_error(loop));
        exit(1);
}

static void get(roma_store *store, const char *key, const char *data, size_t len)
{
        roma_loop *loop = roma_store_loop(store);
        roma_reader *r = roma_reader_open(store, key, NULL);
        size_t at = 0;
        roma_buf *b;

        if (!r)
                die(loop, "get");
        while ((b = roma_reader_next(r, NULL)) != NULL) {
                if (at + roma_buf_len(b) > len || memcmp(data + at, roma_buf_data(b), roma_buf_len(b)) != 0) {
                        fprintf(stderr, "%s: other bytes came back\n", key);
                        exit(1);
                }
                at += roma_buf_len(b);
                roma_buf_unref(b);
        }
        if (roma_last(loop)->code || at != len)
                die(loop, "read");
        roma_reader_close(r);
}

static void zero(roma_loop *loop)
{
        roma_stats s = { .size = sizeof s };

        roma_loop_stats(loop, &s);
        if (s.operations || s.stores || s.files || s.writers || s.readers || s.connections || s.descriptors ||
            s.timers || s.buffers || s.buffer_bytes || s.queued_for_buffers || s.threads || s.jobs ||
            s.stuck_threads) {
                fprintf(stderr, "something is left after everything was closed\n");
                exit(1);
        }
}

int main(int argc, char **argv)
{
        static char data[70000];
        unsigned long n = argc == 3 ? strtoul(argv[2], NULL, 10) : 0, early = n / 20;
        roma_loop *loop = roma_loop_new();
        roma_store *store = loop && n >= 20 ? roma_store_open(loop, argv[1], NULL) : NULL;
        long before = 0;

        if (!store)
                die(loop, "open");
        for (size_t i = 0; i < sizeof data; i++)
                data[i] = (char)(i * 31 + i / 251);
        for (unsigned long i = 0; i < n; i++) {
                size_t len = i * 7919 % sizeof data;
                char key[32];

                snprintf(key, sizeof key, "cycle-%lu", i % 10);
                if (i == early) {
                        malloc_trim(0);
                        before = resident_kib();
                }
                if (roma_put(store, key, data, len, NULL) < 0)
                        die(loop, "put");
                get(store, key, data, len);
                if (roma_unlink(store, key, ROMA_UNLINK_NO_TRASH, NULL) < 0)
                        die(loop, "rm");
        }
        malloc_trim(0);
        printf("%ld\n", resident_kib() - before);
        roma_store_close(store);
        zero(loop);
        roma_loop_free(loop);
        return 0;
}
