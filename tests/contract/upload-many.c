/* SPDX-License-Identifier: MIT */
/* One upload of very many small parts, from as many processes as one likes, on any store:
 *
 *   upload-many URI KEY put ID FIRST STEP COUNT LEAST FILE    the parts FIRST, FIRST + STEP ... up to COUNT
 *   upload-many URI KEY complete ID COUNT                     of all parts that are listed: these must be so many
 *   upload-many URI KEY abort ID
 *   upload-many COUNT LEAST                                   prints how long the file must be
 *
 * Parts have from LEAST to LEAST + 3000 bytes of FILE, one behind the other. Prints time and peak memory. */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include <roma/roma.h>

enum { AT_ONCE = 32, SPREAD = 3001 };

static struct run {
        roma_loop *loop;
        roma_store *store;
        const char *key, *id;
        const char *bytes;
        unsigned long next, step, count, least;
        unsigned in_flight;
        uint64_t done;
        bool failed;
} run;

static size_t length_of(unsigned long number, unsigned long least)
{
        return least + number * 7919 % SPREAD;
}

static uint64_t place_of(unsigned long number, unsigned long least)
{
        uint64_t at = 0;

        for (unsigned long i = 1; i < number; i++)
                at += length_of(i, least);
        return at;
}

static int fail(const char *what)
{
        fprintf(stderr, "%s: %s\n", what, run.loop ? roma_error(run.loop) : strerror(errno));
        return 1;
}

static void put_next(void);

static void put_done(void *arg, const roma_result *r)
{
        (void)arg;
        run.in_flight--;
        if (r->code) {
                fprintf(stderr, "%s\n", r->message);
                run.failed = true;
                return;
        }
        run.done++;
        put_next();
}

static void put_next(void)
{
        while (!run.failed && run.in_flight < AT_ONCE && run.next <= run.count) {
                const char *p = run.bytes + place_of(run.next, run.least);

                if (!roma_aio_upload_part(run.store, run.key, run.id, (unsigned)run.next, p,
                                          length_of(run.next, run.least), NULL, put_done, NULL)) {
                        run.failed = true;
                        fail("part");
                        return;
                }
                run.in_flight++;
                run.next += run.step;
        }
}

static int put(char **argv)
{
        struct stat st;
        int fd = open(argv[4], O_RDONLY | O_CLOEXEC);
        void *p;

        run.next = strtoul(argv[0], NULL, 10);
        run.step = strtoul(argv[1], NULL, 10);
        run.count = strtoul(argv[2], NULL, 10);
        run.least = strtoul(argv[3], NULL, 10);
        if (fd < 0 || fstat(fd, &st) < 0 || !run.next || !run.step)
                return fail(argv[4]);
        if ((uint64_t)st.st_size < place_of(run.count + 1, run.least)) {
                fprintf(stderr, "%s is too short\n", argv[4]);
                return 1;
        }
        p = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
        if (p == MAP_FAILED)
                return fail("mmap");
        run.bytes = p;
        put_next();
        if (roma_loop_run(run.loop) < 0)
                return fail("put");
        printf("%" PRIu64 " parts", run.done);
        return run.failed;
}

static int complete(char **argv)
{
        unsigned long count = strtoul(argv[0], NULL, 10);
        const roma_part_list *l;
        roma_part *v;
        int r;

        if (roma_upload_parts(run.store, run.key, run.id, NULL) < 0)
                return fail("parts");
        l = roma_last(run.loop)->extra;
        if (l->count != count) {
                fprintf(stderr, "expected %lu parts got %zu\n", count, l->count);
                return 1;
        }
        v = calloc(count + 1, sizeof(*v));
        for (size_t i = 0; v && i < count; i++) {
                v[i] = l->part[i];
                v[i].etag = strdup(l->part[i].etag);
                if (v[i].number != i + 1 || !v[i].etag) {
                        fprintf(stderr, "place %zu of the list has part %u\n", i, v[i].number);
                        return 1;
                }
        }
        if (!v)
                return fail("calloc");
        printf("listed, ");
        r = roma_upload_complete(run.store, run.key, run.id, v, count, NULL);
        if (r < 0)
                return fail("complete");
        printf("%" PRIu64 " bytes", roma_last(run.loop)->bytes);
        for (size_t i = 0; i < count; i++)
                free((char *)(uintptr_t)v[i].etag);
        free(v);
        return 0;
}

static int step(int argc, char **argv)
{
        if (argc == 7 && strcmp(argv[0], "put") == 0)
                return put(argv + 2);
        if (argc == 3 && strcmp(argv[0], "complete") == 0)
                return complete(argv + 2);
        if (argc == 2 && strcmp(argv[0], "abort") == 0)
                return roma_upload_abort(run.store, run.key, run.id, NULL) < 0 ? fail("abort") : 0;
        fprintf(stderr, "usage: see the source\n");
        return 2;
}

static double seconds(void)
{
        struct timespec t;

        clock_gettime(CLOCK_MONOTONIC, &t);
        return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

int main(int argc, char **argv)
{
        double began = seconds();
        struct rusage used;
        int r;

        if (argc == 3) {
                printf("%" PRIu64 "\n", place_of(strtoul(argv[1], NULL, 10) + 1, strtoul(argv[2], NULL, 10)));
                return 0;
        }
        if (argc < 5) {
                fprintf(stderr, "usage: see the source\n");
                return 2;
        }
        run.loop = roma_loop_new();
        run.store = run.loop ? roma_store_open(run.loop, argv[1], NULL) : NULL;
        if (!run.store)
                return fail(argv[1]);
        run.key = argv[2];
        run.id = argv[4];
        r = step(argc - 3, argv + 3);
        roma_store_close(run.store);
        roma_loop_free(run.loop);
        getrusage(RUSAGE_SELF, &used);
        printf(" in %.1f s, %.1f s of CPU, peak %ld MiB\n", seconds() - began,
               (double)used.ru_utime.tv_sec + (double)used.ru_stime.tv_sec +
                       (double)(used.ru_utime.tv_usec + used.ru_stime.tv_usec) / 1e6,
               used.ru_maxrss / 1024);
        return r;
}
