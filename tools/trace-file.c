/* SPDX-License-Identifier: MIT */
/* --trace FILE: the phases as Chrome trace events, which Perfetto (ui.perfetto.dev) shows. A server is a "process",
 * and phases that overlap at one server are put on lanes ("threads") of their own, since a viewer draws events of one
 * thread inside each other. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "tools/tool.h"

enum { MOST_LANES = 64, MOST_SERVERS = 1024 };

struct server {
        char *name;
        uint64_t lane_end[MOST_LANES];
};

struct trace_file {
        FILE *f;
        struct server *server[MOST_SERVERS];
        size_t servers;
        uint64_t begin_ns;
        bool any;
};

struct trace_file *trace_file_open(const char *path)
{
        FILE *f = fopen(path, "we");

        if (!f)
                return NULL;
        struct trace_file *file = need_zeroed(sizeof(*file));
        file->f = f;
        file->begin_ns = now_ns();
        fputs("{\"displayTimeUnit\":\"ms\",\"traceEvents\":[\n", f);
        return file;
}

static void put(struct trace_file *file, json_t *o)
{
        char *line = need(json_dumps(o, JSON_COMPACT));

        json_decref(o);
        if (file->any)
                fputs(",\n", file->f);
        file->any = true;
        fputs(line, file->f);
        free(line);
}

static size_t server_of(struct trace_file *file, const char *name)
{
        for (size_t i = 0; i < file->servers; i++)
                if (!strcmp(file->server[i]->name, name))
                        return i;
        if (file->servers == MOST_SERVERS)
                return MOST_SERVERS - 1;
        struct server *s = need_zeroed(sizeof(*s));
        s->name = need_copy(name);
        file->server[file->servers] = s;
        json_t *args = json_of(json_object());
        json_name(args, "name", *name ? name : "local");
        put(file, json_of(json_pack("{s:s,s:s,s:i,s:o}", "name", "process_name", "ph", "M", "pid",
                                    (int)file->servers + 1, "args", args)));
        return file->servers++;
}

/* Events come when they end, so what was put on a lane before ended before: only its end can overlap. */
static int lane_of(struct server *s, const roma_trace_event *ev)
{
        int lane = 0;

        while (lane < MOST_LANES - 1 && s->lane_end[lane] > ev->start_ns)
                lane++;
        s->lane_end[lane] = ev->end_ns;
        return lane;
}

void trace_file_event(struct trace_file *file, const roma_trace_event *ev)
{
        size_t n = server_of(file, ev->server);
        uint64_t start = ev->start_ns > file->begin_ns ? ev->start_ns - file->begin_ns : 0;
        uint64_t length = ev->end_ns > ev->start_ns ? ev->end_ns - ev->start_ns : 0;
        json_t *o = json_of(json_object()), *args = json_of(json_object());

        json_object_set_new(args, "operation", json_of(json_integer((json_int_t)ev->op)));
        json_object_set_new(args, "bytes", json_of(json_integer((json_int_t)ev->bytes)));
        json_object_set_new(args, "result", json_of(json_string(roma_code_name(ev->code))));
        json_name(o, "name", ev->phase);
        json_name(o, "cat", ev->operation);
        json_object_set_new(o, "ph", json_of(json_string("X")));
        json_object_set_new(o, "ts", json_of(json_real((double)start / 1e3)));
        json_object_set_new(o, "dur", json_of(json_real((double)length / 1e3)));
        json_object_set_new(o, "pid", json_of(json_integer((json_int_t)n + 1)));
        json_object_set_new(o, "tid", json_of(json_integer(lane_of(file->server[n], ev) + 1)));
        json_object_set_new(o, "args", args);
        put(file, o);
}

int trace_file_close(struct trace_file *file)
{
        int error = 0;

        errno = 0;
        fputs("\n]}\n", file->f);
        if (fflush(file->f) != 0 || ferror(file->f))
                error = errno ? errno : EIO;
        if (fclose(file->f) != 0 && !error)
                error = errno;
        for (size_t i = 0; i < file->servers; i++) {
                free(file->server[i]->name);
                free(file->server[i]);
        }
        free(file);
        return error;
}
