/* SPDX-License-Identifier: MIT */
/* The same over a mounted folder, as a good program would do it: pieces of 1 MiB, threads for many files.
 *   fs-bench put FILE MOUNTED | get MOUNTED FILE
 *   fs-bench put-many|get-many FOLDER N SIZE THREADS
 * The page cache is told to forget what is read, so that each run asks the servers. */
#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "bench/measure.h"

enum { PIECE = 1 << 20 };

static void die(const char *what)
{
        perror(what);
        exit(1);
}

static int open_in(const char *path)
{
        int fd = open(path, O_RDONLY | O_CLOEXEC);

        if (fd < 0)
                die(path);
        posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED);
        return fd;
}

static void write_all(int fd, const char *p, size_t n)
{
        while (n) {
                ssize_t w = write(fd, p, n);

                if (w < 0)
                        die("write");
                p += w;
                n -= (size_t)w;
        }
}

static uint64_t copy(const char *from, const char *to)
{
        int in = open_in(from), out = open(to, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
        char *piece = malloc(PIECE);
        uint64_t sum = 0;
        ssize_t n;

        if (out < 0)
                die(to);
        while ((n = read(in, piece, PIECE)) > 0) {
                write_all(out, piece, (size_t)n);
                sum += (uint64_t)n;
        }
        if (n < 0 || close(out) < 0)
                die("copy");
        close(in);
        free(piece);
        return sum;
}

static struct {
        const char *folder;
        unsigned long n;
        size_t size;
        int put;
        char *data;
        atomic_ulong next, bytes;
} many;

static void put_file(const char *path)
{
        int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);

        if (fd < 0)
                die(path);
        write_all(fd, many.data, many.size);
        if (close(fd) < 0)
                die(path);
        many.bytes += many.size;
}

static void get_file(const char *path, char *to)
{
        int fd = open_in(path);
        ssize_t n;

        while ((n = read(fd, to, many.size)) > 0)
                many.bytes += (unsigned long)n;
        if (n < 0)
                die(path);
        close(fd);
}

static void *worker(void *arg)
{
        char path[4096], *to = malloc(many.size);
        unsigned long i;

        (void)arg;
        while ((i = many.next++) < many.n) {
                snprintf(path, sizeof path, "%s/f%06lu", many.folder, i);
                if (many.put)
                        put_file(path);
                else
                        get_file(path, to);
        }
        free(to);
        return NULL;
}

static int run_many(int put, char **argv)
{
        unsigned long threads = strtoul(argv[3], NULL, 10);
        pthread_t *t = calloc(threads, sizeof *t);
        double start, cpu;

        many.folder = argv[0];
        many.n = strtoul(argv[1], NULL, 10);
        many.size = strtoul(argv[2], NULL, 10);
        many.put = put;
        many.data = malloc(many.size);
        for (size_t i = 0; i < many.size; i++)
                many.data[i] = (char)rand();
        start = bench_now();
        cpu = bench_cpu();
        for (unsigned long i = 0; i < threads; i++)
                if (pthread_create(&t[i], NULL, worker, NULL))
                        die("pthread_create");
        for (unsigned long i = 0; i < threads; i++)
                pthread_join(t[i], NULL);
        bench_report(bench_now() - start, bench_cpu() - cpu, many.bytes, many.n);
        free(t);
        return many.bytes != many.n * many.size;
}

int main(int argc, char **argv)
{
        double t = bench_now(), cpu = bench_cpu();

        if (argc == 6)
                return run_many(strncmp(argv[1], "put", 3) == 0, argv + 2);
        if (argc != 4) {
                fprintf(stderr, "usage: fs-bench put FILE MOUNTED | get MOUNTED FILE | put-many|get-many "
                                "FOLDER N SIZE THREADS\n");
                return 2;
        }
        bench_report(bench_now() - t, bench_cpu() - cpu, copy(argv[2], argv[3]), 1);
        return 0;
}
