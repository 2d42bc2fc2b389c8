/* SPDX-License-Identifier: MIT */
/* --timing: where the time went, one line for each phase at each server, in the order in which they began, with a bar
 * that shows when each was active (a waterfall). */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "tools/tool.h"

enum { COLUMNS = 40, MOST_ROWS = 1000, PHASE = 18 };

struct row {
        char *phase, *server;
        uint64_t first_ns, last_ns; /* from the first beginning to the last end */
        uint64_t sum_ns, longest_ns;
        uint64_t count, failures, bytes;
};

struct timing {
        struct row *row;
        size_t rows;
        uint64_t begin_ns;
        uint64_t left_out; /* events of phases beyond MOST_ROWS */
        struct trace_file *file;
};

static struct row *row_of(struct timing *g, const roma_trace_event *ev)
{
        for (size_t i = 0; i < g->rows; i++)
                if (!strcmp(g->row[i].phase, ev->phase) && !strcmp(g->row[i].server, ev->server))
                        return &g->row[i];
        if (g->rows == MOST_ROWS)
                return NULL;
        if ((g->rows & (g->rows - 1)) == 0) /* 0, 1, 2, 4 ...: room for twice as many */
                g->row = need(realloc(g->row, (g->rows ? 2 * g->rows : 1) * sizeof(*g->row)));
        struct row *r = &g->row[g->rows++];
        *r = (struct row){ .phase = need_copy(ev->phase),
                           .server = need_copy(ev->server),
                           .first_ns = UINT64_MAX };
        return r;
}

static void event(void *arg, const roma_trace_event *ev)
{
        struct timing *g = arg;
        struct row *r = row_of(g, ev);
        uint64_t ns = ev->end_ns > ev->start_ns ? ev->end_ns - ev->start_ns : 0;

        if (g->file)
                trace_file_event(g->file, ev);
        if (!r) {
                g->left_out++;
                return;
        }
        if (ev->start_ns < r->first_ns)
                r->first_ns = ev->start_ns;
        if (ev->end_ns > r->last_ns)
                r->last_ns = ev->end_ns;
        if (ns > r->longest_ns)
                r->longest_ns = ns;
        r->sum_ns += ns;
        r->bytes += ev->bytes;
        r->count++;
        r->failures += ev->code != ROMA_OK;
}

bool timing_start(struct tool *t)
{
        if (!t->opt.timing && !t->opt.trace)
                return true;
        struct timing *g = need_zeroed(sizeof(*g));
        g->begin_ns = now_ns();
        t->timing = g;
        if (t->opt.trace) {
                g->file = trace_file_open(t->opt.trace);
                if (!g->file) {
                        complain(t, "%s: the trace file %s cannot be made: %m", t->command->name,
                                 t->opt.trace);
                        status_raise(t, EXIT_OTHER);
                        return false;
                }
        }
        roma_loop_trace(t->loop, event, g);
        return true;
}

static int by_beginning(const void *a, const void *b)
{
        const struct row *x = a, *y = b;

        return x->first_ns < y->first_ns ? -1 : x->first_ns > y->first_ns;
}

static void waterfall(const struct row *r, uint64_t begin, uint64_t end, char text[COLUMNS + 1])
{
        double scale = end > begin ? (double)COLUMNS / (double)(end - begin) : 0;
        uint64_t first = r->first_ns > begin ? r->first_ns - begin : 0;
        size_t from = (size_t)((double)first * scale);
        size_t to = (size_t)((double)(r->last_ns > begin ? r->last_ns - begin : 0) * scale);

        if (from >= COLUMNS)
                from = COLUMNS - 1;
        if (to > COLUMNS)
                to = COLUMNS;
        if (to <= from)
                to = from + 1;
        memset(text, ' ', COLUMNS);
        memset(text + from, '=', to - from);
        text[COLUMNS] = 0;
}

static int widest(const struct timing *g)
{
        size_t n = PHASE;

        for (size_t i = 0; i < g->rows; i++)
                if (strlen(g->row[i].phase) > n)
                        n = strlen(g->row[i].phase);
        return (int)n;
}

static void print_rows(struct tool *t, const struct timing *g, uint64_t end)
{
        const int phase = widest(g);
        char all[16];

        out_flush(t);
        format_duration(all, end - g->begin_ns);
        fprintf(stderr, "%-*s %-21s %7s %10s %10s %10s  |%-*s| %s\n", phase, "phase", "server", "count",
                "sum", "longest", "bytes", COLUMNS, "0", all);
        for (size_t i = 0; i < g->rows; i++) {
                const struct row *r = &g->row[i];
                char sum[16], longest[16], bytes[16], line[COLUMNS + 1], failed[48] = "";

                format_duration(sum, r->sum_ns);
                format_duration(longest, r->longest_ns);
                format_size(bytes, r->bytes);
                waterfall(r, g->begin_ns, end, line);
                if (r->failures)
                        snprintf(failed, sizeof(failed), " %llu failed", (unsigned long long)r->failures);
                fprintf(stderr, "%-*s %-21s %7llu %10s %10s %10s  |%s|%s\n", phase, r->phase,
                        *r->server ? r->server : "-", (unsigned long long)r->count, sum, longest,
                        r->bytes ? bytes : "-", line, failed);
        }
        if (g->left_out)
                fprintf(stderr, "%llu events of more phases than fit are left out\n",
                        (unsigned long long)g->left_out);
}

static void add(json_t *o, const char *field, uint64_t value)
{
        json_object_set_new(o, field, json_of(json_integer((json_int_t)value)));
}

static void print_json(struct tool *t, const struct timing *g)
{
        for (size_t i = 0; i < g->rows; i++) {
                const struct row *r = &g->row[i];
                json_t *o = json_of(json_object()), *inner = json_of(json_object());

                json_name(inner, "phase", r->phase);
                json_name(inner, "server", r->server);
                add(inner, "count", r->count);
                add(inner, "failures", r->failures);
                add(inner, "bytes", r->bytes);
                add(inner, "first_ns", r->first_ns > g->begin_ns ? r->first_ns - g->begin_ns : 0);
                add(inner, "last_ns", r->last_ns > g->begin_ns ? r->last_ns - g->begin_ns : 0);
                add(inner, "sum_ns", r->sum_ns);
                add(inner, "longest_ns", r->longest_ns);
                json_object_set_new(o, "timing", inner);
                out_json(t, o);
        }
}

void timing_stop(struct tool *t)
{
        struct timing *g = t->timing;

        if (!g)
                return;
        roma_loop_trace(t->loop, NULL, NULL);
        if (g->rows)
                qsort(g->row, g->rows, sizeof(*g->row), by_beginning);
        if (t->opt.timing && t->opt.json)
                print_json(t, g);
        else if (t->opt.timing)
                print_rows(t, g, now_ns());
        int error = g->file ? trace_file_close(g->file) : 0;
        if (error) {
                complain(t, "%s: the trace file %s is not complete: %s", t->command->name, t->opt.trace,
                         strerror(error));
                status_raise(t, error == ENOSPC || error == EDQUOT ? EXIT_NO_SPACE : EXIT_OTHER);
        }
        for (size_t i = 0; i < g->rows; i++) {
                free(g->row[i].phase);
                free(g->row[i].server);
        }
        free(g->row);
        free(g);
        t->timing = NULL;
}
