/* SPDX-License-Identifier: MIT */
/* roma mkdir URI... */
#include <sys/stat.h>

#include "tools/tool.h"

static void one(struct tool *t, const char *arg, uint32_t mode)
{
        const roma_opts opts = request_opts(t);
        struct location l;
        struct answer a = { 0 };

        if (!location_parse(t, &l, arg))
                return;
        if (l.stdio) {
                usage(t, "- is no name of a folder");
        } else if (location_open(t, &l)) {
                ANSWER(t, &a,
                       roma_aio_mkdir(l.place->store, l.key, mode, t->opt.parents ? ROMA_MKDIR_PARENTS : 0,
                                      &opts, flight_done, &a.flight));
                if (answer_wait(t, &a) != ROMA_OK) {
                        report_failure(t, &a.result, l.shown);
                } else if (t->opt.json) {
                        json_t *o = json_of(json_object());
                        json_name(o, "made", l.shown);
                        out_json(t, o);
                } else if (t->opt.verbose) {
                        out(t, "made ");
                        out_name(t, l.shown);
                        out(t, "\n");
                }
                answer_free(&a);
        }
        location_free(&l);
}

int cmd_mkdir(struct tool *t, int argc, char **argv)
{
        mode_t mask = umask(0);

        umask(mask);
        if (argc < 1)
                return usage(t, "name at least one folder");
        for (int i = 0; i < argc && !t->stopping; i++)
                one(t, argv[i], 0777 & ~mask);
        return t->status;
}
