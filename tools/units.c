/* SPDX-License-Identifier: MIT */
/* Sizes and times as people write and read them. */
#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "tools/tool.h"

struct unit {
        const char *name;
        uint64_t factor;
};

static const struct unit size_units[] = {
        { "", 1 },
        { "K", UINT64_C(1) << 10 },
        { "M", UINT64_C(1) << 20 },
        { "G", UINT64_C(1) << 30 },
        { "T", UINT64_C(1) << 40 },
        { NULL, 0 },
};

static const struct unit time_units[] = {
        { "", 1000 },     { "ms", 1 },       { "s", 1000 }, { "m", 60 * 1000 },
        { "h", 3600000 }, { "d", 86400000 }, { NULL, 0 },
};

static bool parse(const char *text, const struct unit *units, uint64_t *value)
{
        char *end;

        if (!isdigit((unsigned char)*text))
                return false;
        errno = 0;
        unsigned long long n = strtoull(text, &end, 10);
        if (errno)
                return false;
        for (const struct unit *u = units; u->name; u++) {
                if (strcmp(u->name, end) != 0)
                        continue;
                if (n > (UINT64_MAX - 1) / u->factor)
                        return false;
                *value = n * u->factor;
                return true;
        }
        return false;
}

bool parse_size(const char *text, uint64_t *bytes)
{
        return parse(text, size_units, bytes);
}

bool parse_duration_ms(const char *text, uint64_t *ms)
{
        return parse(text, time_units, ms);
}

void format_size(char out_text[16], uint64_t bytes)
{
        static const char *const names[] = { "B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB" };
        unsigned i = 0;
        double v = (double)bytes;

        while (v >= 1023.95 && i + 1 < sizeof(names) / sizeof(names[0])) {
                v /= 1024;
                i++;
        }
        snprintf(out_text, 16, i ? "%.1f %s" : "%.0f %s", v, names[i]);
}

void format_duration(char out_text[16], uint64_t ns)
{
        if (ns < 1000000)
                snprintf(out_text, 16, "%.0f us", (double)ns / 1e3);
        else if (ns < UINT64_C(1000000000))
                snprintf(out_text, 16, "%.1f ms", (double)ns / 1e6);
        else
                snprintf(out_text, 16, "%.2f s", (double)ns / 1e9);
}

int64_t whole_seconds(int64_t ns)
{
        return ns / 1000000000 - (ns % 1000000000 < 0);
}

void format_time(char out_text[40], int64_t ns, bool precise)
{
        int64_t rest = ns % 1000000000;
        const time_t when = (time_t)whole_seconds(ns);
        struct tm tm;
        char day[32], zone[8];

        if (rest < 0)
                rest += 1000000000;
        if (!localtime_r(&when, &tm) || !strftime(day, sizeof(day), "%Y-%m-%d %H:%M:%S", &tm)) {
                snprintf(out_text, 40, "?");
                return;
        }
        if (!precise) {
                snprintf(out_text, 40, "%s", day);
                return;
        }
        if (!strftime(zone, sizeof(zone), "%z", &tm))
                zone[0] = 0;
        snprintf(out_text, 40, "%.20s.%09d %.6s", day, (int)rest, zone);
}

uint64_t now_ns(void)
{
        struct timespec ts;

        clock_gettime(CLOCK_BOOTTIME, &ts); /* that of trace events */
        return (uint64_t)ts.tv_sec * UINT64_C(1000000000) + (uint64_t)ts.tv_nsec;
}
