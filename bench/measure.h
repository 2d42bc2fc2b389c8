/* SPDX-License-Identifier: MIT */
/* What the measuring programs share: one line of figures at the end. */
#ifndef BENCH_MEASURE_H
#define BENCH_MEASURE_H

#include <stdint.h>
#include <stdio.h>
#include <sys/resource.h>
#include <time.h>

static inline double bench_now(void)
{
        struct timespec ts;

        clock_gettime(CLOCK_MONOTONIC, &ts);
        return (double)ts.tv_sec + (double)ts.tv_nsec / 1e9;
}

static inline double bench_cpu(void)
{
        struct rusage u;

        getrusage(RUSAGE_SELF, &u);
        return (double)(u.ru_utime.tv_sec + u.ru_stime.tv_sec) +
               (double)(u.ru_utime.tv_usec + u.ru_stime.tv_usec) / 1e6;
}

/* seconds, CPU seconds of this process, bytes, files, peak resident KiB */
static inline void bench_report(double seconds, double cpu, uint64_t bytes, uint64_t files)
{
        struct rusage u;

        getrusage(RUSAGE_SELF, &u);
        printf("%.6f %.6f %llu %llu %ld\n", seconds, cpu, (unsigned long long)bytes,
               (unsigned long long)files, u.ru_maxrss);
}

#endif
