/* SPDX-License-Identifier: MIT */
/* A bar for people: bytes, percent, rate, time left, on standard error and only when that is a terminal. It is drawn
 * at most ten times a second, by the transfers' reports and by a timer, so that a standstill is seen as such. */
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "tools/tool.h"

enum { PERIOD_MS = 500, SAMPLES = 16, LEAST_GAP_NS = 100000000 };

struct progress {
        uint64_t done, total; /* bytes */
        uint64_t files, all_files;
        uint64_t begin_ns, drawn_ns;
        struct {
                uint64_t ns, done;
        } sample[SAMPLES]; /* a ring: the rate is that of the last seconds */
        unsigned next, filled;
        roma_op timer;
        bool visible;
        struct tool *tool;
};

static unsigned width(void)
{
        struct winsize w;

        /* Asked at each drawing: that is all that a changed size needs. */
        if (ioctl(STDERR_FILENO, TIOCGWINSZ, &w) < 0 || w.ws_col == 0)
                return 80;
        return w.ws_col;
}

static double rate(struct progress *p, uint64_t now)
{
        unsigned oldest = p->filled < SAMPLES ? 0 : p->next;
        uint64_t ns = p->filled ? p->sample[oldest].ns : p->begin_ns;
        uint64_t done = p->filled ? p->sample[oldest].done : 0;

        /* What was counted may be taken back, when an upload begins anew. */
        return now > ns && p->done > done ? (double)(p->done - done) * 1e9 / (double)(now - ns) : 0;
}

static void remember(struct progress *p, uint64_t now)
{
        p->sample[p->next].ns = now;
        p->sample[p->next].done = p->done;
        p->next = (p->next + 1) % SAMPLES;
        if (p->filled < SAMPLES)
                p->filled++;
}

static void time_left(char text[32], double seconds)
{
        uint64_t s = seconds < 0 || seconds > 359999 ? 359999 : (uint64_t)seconds;
        unsigned h = (unsigned)(s / 3600), m = (unsigned)(s / 60 % 60), rest = (unsigned)(s % 60);

        if (h)
                snprintf(text, 32, "%u:%02u:%02u left", h, m, rest);
        else
                snprintf(text, 32, "%u:%02u left", m, rest);
}

/* "[#####.....]" in what is left of the line. */
static void bar(char *text, size_t room, double share)
{
        size_t full = (size_t)(share * (double)(room - 2));

        text[0] = '[';
        for (size_t i = 1; i + 1 < room; i++)
                text[i] = i <= full ? '#' : '.';
        text[room - 1] = ']';
        text[room] = 0;
}

static void draw(struct progress *p, uint64_t now)
{
        char numbers[160], done[16], total[16], speed[16], left[32] = "", files[48] = "", line[512],
                                                           *end = line;
        double v = rate(p, now), share = p->total ? (double)p->done / (double)p->total : 0;
        size_t columns = width(), n;

        format_size(done, p->done);
        format_size(total, p->total);
        format_size(speed, (uint64_t)v);
        if (share > 1)
                share = 1;
        if (v >= 1 && p->total > p->done)
                time_left(left, (double)(p->total - p->done) / v);
        if (p->all_files > 1)
                snprintf(files, sizeof(files), "%llu/%llu files  ", (unsigned long long)p->files,
                         (unsigned long long)p->all_files);
        if (p->total)
                snprintf(numbers, sizeof(numbers), "%s%s of %s %3.0f%%  %s/s  %s", files, done, total,
                         share * 100, speed, left);
        else
                snprintf(numbers, sizeof(numbers), "%s%s  %s/s", files, done, speed);
        n = strlen(numbers);
        if (columns > sizeof(line) - 16)
                columns = sizeof(line) - 16;
        end = stpcpy(end, "\r\033[K");
        if (p->total && columns > n + 16) {
                size_t room = columns - n - 3 > 40 ? 40 : columns - n - 3;
                bar(end, room, share);
                end = stpcpy(end + room, " ");
        }
        end = stpncpy(end, numbers, columns > 1 ? columns - 1 : 0);
        if (write(STDERR_FILENO, line, (size_t)(end - line)) < 0)
                return; /* a bar that cannot be drawn harms nobody */
        p->visible = true;
        p->drawn_ns = now;
}

static void maybe_draw(struct progress *p)
{
        uint64_t now = now_ns();

        /* Nothing is drawn for what is over in half a second. */
        if (now - p->begin_ns < UINT64_C(500000000) || now - p->drawn_ns < LEAST_GAP_NS)
                return;
        draw(p, now);
}

static void tick(void *arg, const roma_result *r)
{
        struct progress *p = arg;

        p->timer = 0;
        if (r->code != ROMA_OK)
                return;
        maybe_draw(p);
        remember(p, now_ns());
        p->timer = roma_aio_sleep(p->tool->loop, PERIOD_MS, tick, p);
}

void progress_start(struct tool *t)
{
        if (t->opt.quiet || t->progress || !isatty(STDERR_FILENO))
                return;
        struct progress *p = need_zeroed(sizeof(*p));
        p->tool = t;
        p->begin_ns = now_ns();
        p->timer = roma_aio_sleep(t->loop, PERIOD_MS, tick, p);
        t->progress = p;
}

void progress_stop(struct tool *t)
{
        struct progress *p = t->progress;

        if (!p)
                return;
        progress_clear(t);
        roma_cancel(t->loop, p->timer);
        while (p->timer && roma_loop_turn(t->loop, -1) >= 0)
                ;
        t->progress = NULL;
        free(p);
}

void progress_clear(struct tool *t)
{
        struct progress *p = t->progress;

        if (!p || !p->visible)
                return;
        p->visible = false;
        if (write(STDERR_FILENO, "\r\033[K", 4) < 0)
                return;
}

void progress_expect(struct tool *t, int64_t files, int64_t bytes)
{
        if (!t->progress)
                return;
        t->progress->all_files += (uint64_t)files;
        t->progress->total += (uint64_t)bytes;
}

void progress_bytes(struct tool *t, int64_t bytes)
{
        if (!t->progress)
                return;
        t->progress->done += (uint64_t)bytes;
        maybe_draw(t->progress);
}

void progress_file(struct tool *t)
{
        if (!t->progress)
                return;
        t->progress->files++;
        maybe_draw(t->progress);
}
