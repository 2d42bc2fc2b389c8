/* SPDX-License-Identifier: MIT */
/* The time of a frame in a capture of unknown origin. Also for the fuzz target, which reads captures as the program does. */
#ifndef ROMA_FRAME_TIME_H
#define ROMA_FRAME_TIME_H

#include <stdint.h>
#include <sys/time.h>

/* In ns since 1970; ts->tv_usec holds ns. A file may say any second: what is not between 1970 and 2096 counts as the nearer of
 * the two, so that neither this nor a difference of two times overflows. */
static inline int64_t frame_time_ns(const struct timeval *ts)
{
        const int64_t last = INT64_C(4000000000);
        int64_t s = ts->tv_sec < 0 ? 0 : ts->tv_sec > last ? last : ts->tv_sec;
        int64_t ns = ts->tv_usec < 0 ? 0 : ts->tv_usec > 999999999 ? 999999999 : ts->tv_usec;

        return s * 1000000000 + ns;
}

#endif
