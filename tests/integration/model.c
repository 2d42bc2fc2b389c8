/* SPDX-License-Identifier: MIT */
/* Thousands of random steps on a few files, checked against a model in memory:
 *
 *   model URI FOLDER OUT [--steps N] [--seed N] [--verbose]
 *
 * FOLDER is a key of an existing folder. At the end each file's expected content stands in OUT under its name, for
 * the script to compare with other witnesses. */
#include "common.h"

#include <getopt.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum { FILES = 3, MAX = 70 << 20, MAX_WRITE = 300000, BATCH = 8 };

struct model {
        char name[32];
        uint8_t *data; /* MAX bytes, zero behind length */
        uint64_t length;
        roma_file *file, *twin; /* twin: the same object opened again, now and then */
};

static struct place p, q; /* q: another client */
static struct model m[FILES];
static struct rnd rnd;
static const char *folder;
static unsigned step;
static int verbose;
static uint8_t noise[MAX_WRITE], got[1 << 20];

static void note(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
static void note(const char *fmt, ...)
{
        va_list ap;

        if (!verbose)
                return;
        va_start(ap, fmt);
        printf("%u: ", step);
        vprintf(fmt, ap);
        putchar('\n');
        va_end(ap);
}

static void fine(int64_t r, const char *what)
{
        if (r < 0)
                die("step %u: %s: %s", step, what, roma_error(p.loop));
}

static const char *key(const struct model *f)
{
        static char k[4][256];
        static unsigned i;
        char *s = k[i++ % 4];

        snprintf(s, 256, "%s/%s", folder, f->name);
        return s;
}

/* Around the edges of blocks and of the first chunk more often than elsewhere. */
static uint64_t pick_offset(const struct model *f)
{
        static const uint64_t edges[] = { 0, 65536, 131072, 1 << 20, 64 << 20 };

        switch (rnd_below(&rnd, 8)) {
        case 0: return f->length;
        case 1: return rnd_below(&rnd, MAX - MAX_WRITE);
        case 2: return (64 << 20) - rnd_below(&rnd, 200000);
        case 3:
        case 4: return edges[rnd_below(&rnd, 5)] + rnd_below(&rnd, 3);
        default: return rnd_below(&rnd, 400000);
        }
}

static size_t pick_size(void)
{
        switch (rnd_below(&rnd, 6)) {
        case 0: return 1 + (size_t)rnd_below(&rnd, 16);
        case 1: return 65535 + (size_t)rnd_below(&rnd, 3);
        case 2: return 1 + (size_t)rnd_below(&rnd, MAX_WRITE - 1);
        default: return 1 + (size_t)rnd_below(&rnd, 5000);
        }
}

static void model_write(struct model *f, const uint8_t *data, size_t n, uint64_t at)
{
        memcpy(f->data + at, data, n);
        f->length = at + n > f->length ? at + n : f->length;
}

static void do_write(struct model *f)
{
        size_t n = pick_size();
        uint64_t at = pick_offset(f);

        if (at + n > MAX)
                at = MAX - n;
        rnd_fill(&rnd, noise, n);
        note("pwrite %s %zu at %" PRIu64, f->name, n, at);
        fine(roma_pwrite(f->twin && rnd_below(&rnd, 2) ? f->twin : f->file, noise, n, at, NULL), "pwrite");
        model_write(f, noise, n, at);
}

static void batch_done(void *arg, const roma_result *r)
{
        unsigned *left = arg;

        if (r->code != ROMA_OK)
                die("step %u: pwrite of a batch: %s", step, r->message);
        --*left;
}

/* Several at once; those that overlap must land in the order of their starts. */
static void do_batch(struct model *f)
{
        uint8_t *data[BATCH];
        unsigned n = 2 + (unsigned)rnd_below(&rnd, BATCH - 1), left = n;
        uint64_t base = pick_offset(f);

        for (unsigned i = 0; i < n; i++) {
                size_t size = pick_size();
                uint64_t at = base + rnd_below(&rnd, 70000);

                if (at + size > MAX)
                        at = MAX - size;
                data[i] = malloc(size);
                rnd_fill(&rnd, data[i], size);
                note("batch pwrite %s %zu at %" PRIu64, f->name, size, at);
                if (!roma_aio_pwrite(f->twin && i % 2 ? f->twin : f->file, data[i], size, at, NULL,
                                     batch_done, &left))
                        die("step %u: pwrite did not start: %s", step, roma_error(p.loop));
                model_write(f, data[i], size, at);
        }
        while (left)
                roma_loop_turn(p.loop, -1);
        for (unsigned i = 0; i < n; i++)
                free(data[i]);
}

static void do_append(struct model *f)
{
        size_t n = pick_size();

        if (f->length + n > MAX)
                return;
        rnd_fill(&rnd, noise, n);
        note("append %s %zu to %" PRIu64, f->name, n, f->length);
        fine(roma_append(f->file, noise, n, NULL), "append");
        if (roma_last(p.loop)->offset != f->length)
                die("step %u: append went to %" PRIu64 ", expected %" PRIu64, step, roma_last(p.loop)->offset,
                    f->length);
        model_write(f, noise, n, f->length);
}

static void do_truncate(struct model *f)
{
        uint64_t to = rnd_below(&rnd, 3) ? pick_offset(f) : f->length ? rnd_below(&rnd, f->length) : 0;

        note("truncate %s from %" PRIu64 " to %" PRIu64, f->name, f->length, to);
        fine(roma_truncate(f->file, to, NULL), "truncate");
        if (to < f->length)
                memset(f->data + to, 0, f->length - to);
        f->length = to;
}

static void compare(const struct model *f, const uint8_t *buf, int64_t n, size_t asked, uint64_t at,
                    const char *who)
{
        uint64_t want = at >= f->length ? 0 : f->length - at < asked ? f->length - at : asked;

        if ((uint64_t)n != want)
                die("step %u: %s: pread of %s, %zu at %" PRIu64 ": %" PRId64 " bytes, expected %" PRIu64,
                    step, who, f->name, asked, at, n, want);
        for (uint64_t i = 0; i < want; i++)
                if (buf[i] != f->data[at + i])
                        die("step %u: %s: %s differs at %" PRIu64
                            ": %02x, expected %02x (pread of %zu at %" PRIu64 ")",
                            step, who, f->name, at + i, buf[i], f->data[at + i], asked, at);
}

static void do_read(struct model *f)
{
        size_t n = rnd_below(&rnd, 4) ? pick_size() : sizeof(got);
        uint64_t at = pick_offset(f);
        int64_t r;

        note("pread %s %zu at %" PRIu64, f->name, n, at);
        r = roma_pread(f->file, got, n, at, NULL);
        fine(r, "pread");
        compare(f, got, r, n, at, "the writer");
}

static void do_fsync(struct model *f)
{
        roma_attr a = ROMA_ATTR_INIT;

        note("fsync %s", f->name);
        if (f->twin)
                fine(roma_fsync(f->twin, NULL), "fsync");
        fine(roma_fsync(f->file, NULL), "fsync");
        fine(roma_fstat(f->file, NULL, &a), "fstat");
        if (a.length != f->length)
                die("step %u: fstat of %s: length %" PRIu64 ", expected %" PRIu64, step, f->name, a.length,
                    f->length);
        if (roma_stat(q.store, key(f), 0, NULL, &a) < 0)
                die("step %u: stat by another client: %s", step, roma_error(q.loop));
        if (a.length != f->length)
                die("step %u: another client sees length %" PRIu64 " of %s, expected %" PRIu64, step,
                    a.length, f->name, f->length);
}

/* After an fsync another client sees everything. */
static void do_look(struct model *f)
{
        uint64_t at = pick_offset(f);
        roma_file *file;
        int64_t r;

        do_fsync(f);
        note("look at %s, %" PRIu64, f->name, at);
        file = roma_file_open(q.store, key(f), ROMA_O_READ, 0, NULL);
        r = file ? roma_pread(file, got, sizeof(got), at, NULL) : -1;
        if (r < 0)
                die("step %u: another client: %s", step, roma_error(q.loop));
        compare(f, got, r, sizeof(got), at, "another client");
        if (roma_file_close(file, NULL) < 0)
                die("step %u: another client: %s", step, roma_error(q.loop));
}

static void do_rename(struct model *f)
{
        char from[256];

        snprintf(from, sizeof(from), "%s", key(f));
        snprintf(f->name, sizeof(f->name), "%c-%u", 'a' + (int)(f - m), step);
        note("rename %s to %s", from, f->name);
        fine(roma_rename(p.store, from, key(f), 0, NULL), "rename");
}

static void do_reopen(struct model *f)
{
        note("reopen %s", f->name);
        if (f->twin)
                fine(roma_file_close(f->twin, NULL), "close");
        f->twin = NULL;
        fine(roma_file_close(f->file, NULL), "close");
        f->file = roma_file_open(p.store, key(f), ROMA_O_READ | ROMA_O_WRITE, 0, NULL);
        if (!f->file)
                fine(-1, "open");
        if (rnd_below(&rnd, 2)) {
                f->twin = roma_file_open(p.store, key(f), ROMA_O_WRITE, 0, NULL);
                if (!f->twin)
                        fine(-1, "open");
        }
}

/* The whole object anew: an atomic replacement, then the handles mean the new one. */
static void do_replace(struct model *f)
{
        size_t n = pick_size();

        rnd_fill(&rnd, noise, n);
        note("put %s, %zu", f->name, n);
        if (f->twin)
                fine(roma_file_close(f->twin, NULL), "close");
        f->twin = NULL;
        fine(roma_file_close(f->file, NULL), "close");
        fine(roma_put(p.store, key(f), noise, n, NULL), "put");
        memset(f->data, 0, f->length);
        f->length = 0;
        model_write(f, noise, n, 0);
        f->file = roma_file_open(p.store, key(f), ROMA_O_READ | ROMA_O_WRITE, 0, NULL);
        if (!f->file)
                fine(-1, "open");
}

static const struct {
        unsigned weight;
        void (*fn)(struct model *f);
} actions[] = { { 30, do_write }, { 10, do_batch }, { 8, do_append }, { 8, do_truncate }, { 30, do_read },
                { 5, do_fsync },  { 4, do_look },   { 3, do_rename }, { 5, do_reopen },   { 1, do_replace } };

static void one_step(void)
{
        unsigned total = 0, pick;
        size_t i = 0;

        for (size_t k = 0; k < sizeof(actions) / sizeof(actions[0]); k++)
                total += actions[k].weight;
        for (pick = (unsigned)rnd_below(&rnd, total); pick >= actions[i].weight; i++)
                pick -= actions[i].weight;
        actions[i].fn(&m[rnd_below(&rnd, FILES)]);
}

static void finish(struct model *f, const char *out)
{
        char path[512];

        if (f->twin)
                fine(roma_file_close(f->twin, NULL), "close");
        for (uint64_t at = 0; at < f->length; at += sizeof(got)) {
                int64_t r = roma_pread(f->file, got, sizeof(got), at, NULL);

                fine(r, "pread");
                compare(f, got, r, sizeof(got), at, "the writer at the end");
        }
        fine(roma_file_close(f->file, NULL), "close");
        snprintf(path, sizeof(path), "%s/%s", out, f->name);
        write_local(path, f->data, f->length);
        free(f->data);
}

int main(int argc, char **argv)
{
        static const struct option longs[] = { { "steps", 1, NULL, 'n' },
                                               { "seed", 1, NULL, 's' },
                                               { "verbose", 0, NULL, 'v' },
                                               { NULL, 0, NULL, 0 } };
        uint64_t seed = (uint64_t)time(NULL) * 1000003u + (uint64_t)getpid();
        unsigned steps = 2000;
        int c;

        while ((c = getopt_long(argc, argv, "", longs, NULL)) != -1)
                switch (c) {
                case 'n': steps = (unsigned)strtoul(optarg, NULL, 0); break;
                case 's': seed = strtoull(optarg, NULL, 0); break;
                case 'v': verbose = 1; break;
                default: return 2;
                }
        if (argc - optind != 3) {
                fprintf(stderr, "usage: model URI FOLDER OUT [--steps N] [--seed N] [--verbose]\n");
                return 2;
        }
        printf("model %s --steps %u --seed %" PRIu64 "\n", argv[optind], steps, seed);
        fflush(stdout);
        rnd.state = seed;
        folder = argv[optind + 1];
        p = place_open(argv[optind]);
        q = place_open(argv[optind]);
        for (int i = 0; i < FILES; i++) {
                snprintf(m[i].name, sizeof(m[i].name), "%c", 'a' + i);
                m[i].data = calloc(1, MAX);
                m[i].file = roma_file_open(p.store, key(&m[i]), ROMA_O_READ | ROMA_O_WRITE | ROMA_O_CREATE,
                                           0644, NULL);
                if (!m[i].data || !m[i].file)
                        die("%s", roma_error(p.loop));
        }
        for (step = 1; step <= steps; step++)
                one_step();
        for (int i = 0; i < FILES; i++)
                finish(&m[i], argv[optind + 2]);
        place_close(&q);
        place_close(&p);
        printf("%u steps as the model\n", steps);
        return 0;
}
