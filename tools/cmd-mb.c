/* SPDX-License-Identifier: MIT */
/* roma mb URI..., roma rb URI...: buckets. The root of such a store is its bucket. */
#include "tools/tool.h"

static void one(struct tool *t, const char *arg, bool make)
{
        const roma_opts opts = request_opts(t);
        struct location l;
        struct answer a = { 0 };

        if (!location_parse(t, &l, arg))
                return;
        if (l.stdio || *l.key || l.path) {
                usage(t, "%s names no bucket; write s3://bucket", l.shown);
        } else if (location_open(t, &l)) {
                ANSWER(t, &a,
                       make ? roma_aio_mkdir(l.place->store, "", 0777, 0, &opts, flight_done, &a.flight)
                            : roma_aio_rmdir(l.place->store, "", &opts, flight_done, &a.flight));
                if (answer_wait(t, &a) != ROMA_OK) {
                        report_failure(t, &a.result, l.shown);
                } else if (t->opt.json) {
                        json_t *o = json_of(json_object());
                        json_name(o, make ? "made" : "removed", l.shown);
                        out_json(t, o);
                } else if (t->opt.verbose) {
                        out(t, make ? "made " : "removed ");
                        out_name(t, l.shown);
                        out(t, "\n");
                }
                answer_free(&a);
        }
        location_free(&l);
}

static int all(struct tool *t, int argc, char **argv, bool make)
{
        if (argc < 1)
                return usage(t, "name at least one bucket");
        for (int i = 0; i < argc && !t->stopping; i++)
                one(t, argv[i], make);
        return t->status;
}

int cmd_mb(struct tool *t, int argc, char **argv)
{
        return all(t, argc, argv, true);
}

int cmd_rb(struct tool *t, int argc, char **argv)
{
        return all(t, argc, argv, false);
}
