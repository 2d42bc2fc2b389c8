/* SPDX-License-Identifier: MIT */
/* What libroma does with one big object or many small ones:
 *   roma-bench put|get URI KEY PATH
 *   roma-bench put-many|get-many URI N SIZE IN_FLIGHT */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <roma/roma.h>

#include "bench/measure.h"

struct many {
        roma_store *store;
        unsigned long n, next, in_flight, ended;
        size_t size;
        char *data;
        int put, failed;
        uint64_t bytes;
};

struct slot {
        struct many *m;
        roma_reader *reader;
};

static void go(struct slot *s);

static void ended(struct slot *s, const roma_result *r)
{
        if (r->code) {
                fprintf(stderr, "%s\n", r->message);
                s->m->failed = 1;
        }
        s->m->ended++;
        go(s);
}

static void was_put(void *arg, const roma_result *r)
{
        struct slot *s = arg;

        s->m->bytes += s->m->size;
        ended(s, r);
}

static void got(void *arg, const roma_result *r)
{
        struct slot *s = arg;

        if (r->code == ROMA_OK && r->buf) {
                s->m->bytes += roma_buf_len(r->buf);
                roma_buf_unref(r->buf);
                roma_aio_reader_next(s->reader, NULL, got, s);
                return;
        }
        roma_reader_close(s->reader);
        ended(s, r);
}

static void opened(void *arg, const roma_result *r)
{
        struct slot *s = arg;

        if (r->code) {
                ended(s, r);
                return;
        }
        s->reader = r->reader;
        roma_aio_reader_next(s->reader, NULL, got, s);
}

static void go(struct slot *s)
{
        struct many *m = s->m;
        char key[64];

        if (m->next == m->n || m->failed)
                return;
        snprintf(key, sizeof key, "f%06lu", m->next++);
        if (m->put ? !roma_aio_put(m->store, key, m->data, m->size, NULL, was_put, s)
                   : !roma_aio_reader_open(m->store, key, NULL, opened, s)) {
                fprintf(stderr, "%s\n", roma_error(roma_store_loop(m->store)));
                m->failed = 1;
        }
}

static int many(roma_store *store, int put, char **argv)
{
        struct many m = { .store = store, .put = put };
        struct slot *slots;
        double t, cpu;

        m.n = strtoul(argv[0], NULL, 10);
        m.size = strtoul(argv[1], NULL, 10);
        m.in_flight = strtoul(argv[2], NULL, 10);
        m.data = malloc(m.size);
        slots = calloc(m.in_flight, sizeof *slots);
        for (size_t i = 0; i < m.size; i++)
                m.data[i] = (char)rand();
        t = bench_now();
        cpu = bench_cpu();
        for (unsigned long i = 0; i < m.in_flight; i++) {
                slots[i].m = &m;
                go(&slots[i]);
        }
        roma_loop_run(roma_store_loop(store));
        bench_report(bench_now() - t, bench_cpu() - cpu, m.bytes, m.ended);
        free(slots);
        free(m.data);
        return m.failed || m.ended != m.n || m.bytes != m.n * m.size;
}

static int one(roma_store *store, int put, char **argv)
{
        double t = bench_now(), cpu = bench_cpu();
        roma_result r;
        int e = put ? roma_put_path(store, argv[0], argv[1], NULL, &r)
                    : roma_get_path(store, argv[0], argv[1], NULL, &r);

        if (e < 0) {
                fprintf(stderr, "%s\n", r.message);
                return 1;
        }
        bench_report(bench_now() - t, bench_cpu() - cpu, r.bytes, 1);
        return 0;
}

int main(int argc, char **argv)
{
        roma_loop *loop = roma_loop_new();
        roma_store *store;
        int put, e;

        if (argc < 5 || !loop) {
                fprintf(stderr,
                        "usage: roma-bench put|get URI KEY PATH | put-many|get-many URI N SIZE IN_FLIGHT\n");
                return 2;
        }
        store = roma_store_open(loop, argv[2], NULL);
        if (!store) {
                fprintf(stderr, "%s\n", roma_error(loop));
                return 1;
        }
        put = strncmp(argv[1], "put", 3) == 0;
        e = argc == 6 ? many(store, put, argv + 3) : one(store, put, argv + 3);
        roma_store_close(store);
        roma_loop_free(loop);
        return e;
}
