/* SPDX-License-Identifier: MIT */
/* roma ping URI...: is the server there, who is it, how far away. */
#include "tools/tool.h"

struct times {
        uint64_t least, most, sum;
        unsigned count;
};

static void add_time(struct times *s, uint64_t ns)
{
        if (!s->count || ns < s->least)
                s->least = ns;
        if (ns > s->most)
                s->most = ns;
        s->sum += ns;
        s->count++;
}

static void print(struct tool *t, const struct location *l, const struct times *s, const char *sentence)
{
        char opened[16], least[16], most[16], mean[16];

        if (t->opt.json) {
                json_t *o = json_of(json_object());
                json_name(o, "store", roma_store_uri(l->place->store));
                json_name(o, "state", sentence);
                json_object_set_new(o, "open_ns", json_of(json_integer((json_int_t)l->place->open_ns)));
                json_object_set_new(o, "count", json_of(json_integer(s->count)));
                json_object_set_new(o, "least_ns", json_of(json_integer((json_int_t)s->least)));
                json_object_set_new(o, "mean_ns", json_of(json_integer((json_int_t)(s->sum / s->count))));
                json_object_set_new(o, "most_ns", json_of(json_integer((json_int_t)s->most)));
                out_json(t, o);
                return;
        }
        format_duration(opened, l->place->open_ns);
        format_duration(least, s->least);
        format_duration(mean, s->sum / s->count);
        format_duration(most, s->most);
        out_name(t, roma_store_uri(l->place->store));
        out(t, ": ");
        out_name(t, sentence);
        out(t, "\nopened in %s; %u round trip%s: %s least, %s mean, %s most\n", opened, s->count,
            s->count == 1 ? "" : "s", least, mean, most);
}

static void one(struct tool *t, const struct location *l)
{
        const roma_opts opts = request_opts(t);
        struct times s = { 0 };
        bool good = true;

        for (unsigned i = 0; i < t->opt.count && good && !t->stopping; i++) {
                struct answer a = { 0 };
                uint64_t begin = now_ns();

                ANSWER(t, &a, roma_aio_ping(l->place->store, &opts, flight_done, &a.flight));
                if (answer_wait(t, &a) == ROMA_OK) {
                        add_time(&s, now_ns() - begin);
                        if (i + 1 == t->opt.count)
                                print(t, l, &s, a.text);
                } else {
                        report_failure(t, &a.result, l->shown);
                        good = false;
                }
                answer_free(&a);
        }
}

int cmd_ping(struct tool *t, int argc, char **argv)
{
        struct location l;

        if (argc < 1)
                return usage(t, "name at least one store");
        for (int i = 0; i < argc && !t->stopping; i++) {
                if (!location_parse(t, &l, argv[i]))
                        continue;
                if (l.stdio)
                        usage(t, "- is no store");
                else if (location_open(t, &l))
                        one(t, &l);
                location_free(&l);
        }
        return t->status;
}
