/* SPDX-License-Identifier: MIT */
/* Lists below a key. The next page is asked for when the pool that works on the entries has taken most of the last. */
#include <stdlib.h>
#include <string.h>

#include "tools/tool.h"

static void ask(struct walk *w);

static void over(struct walk *w)
{
        if (w->pool && w->pool->low_arg == w) {
                w->pool->low = NULL;
                w->pool->low_arg = NULL;
        }
        w->ended = true;
        if (w->finished)
                w->finished(w);
}

static void low(void *arg)
{
        struct walk *w = arg;

        w->pool->low = NULL;
        w->pool->low_arg = NULL;
        if (w->flight.tool->stopping)
                over(w);
        else
                ask(w);
}

static void page(struct flight *f, const roma_result *r)
{
        struct walk *w = (struct walk *)f; /* its first member */
        struct tool *t = f->tool;

        if (r->code != ROMA_OK) {
                if (!w->may_miss || r->code != ROMA_ENOENT)
                        report_failure(t, r, w->at->shown);
                w->failed = true;
                over(w);
                return;
        }
        const roma_list *list = r->list;
        for (size_t i = 0; i < list->count && w->max && !t->stopping; i++) {
                w->entry(w, &list->entry[i]);
                if (w->max != UINT64_MAX)
                        w->max--;
        }
        if (!list->more || !list->count || !w->max || t->stopping) {
                over(w);
                return;
        }
        free(w->after);
        w->after = need_copy(list->entry[list->count - 1].key);
        if (w->pool && pool_full(w->pool)) {
                w->pool->low_arg = w;
                w->pool->low = low;
        } else {
                ask(w);
        }
}

static void ask(struct walk *w)
{
        struct tool *t = w->flight.tool;
        roma_list_opts opts = ROMA_LIST_OPTS_INIT;

        opts.stall_ms = t->opt.stall_ms;
        opts.deadline_ms = t->opt.deadline_ms;
        opts.delimiter = w->delimiter;
        opts.start_after = w->after;
        opts.flags = w->flags;
        /* The largest page: a MooseFS folder is read as a whole for each. */
        opts.max = w->max < 10000 ? (unsigned)w->max : 10000;
        flight_track(t, &w->flight, page,
                     roma_aio_list(w->at->place->store, w->prefix, &opts, flight_done, &w->flight));
}

void walk_start(struct tool *t, struct walk *w)
{
        w->flight.tool = t;
        if (!w->max)
                w->max = UINT64_MAX;
        w->prefix = *w->at->key ? need_format("%s/", w->at->key) : need_copy("");
        ask(w);
}

void walk_clear(struct walk *w)
{
        free(w->prefix);
        free(w->after);
        w->prefix = w->after = NULL;
}

static void found(struct walk *w, const roma_entry *e)
{
        (void)e;
        *(bool *)w->arg = true;
}

bool walk_finds(struct tool *t, const struct location *l, unsigned flags)
{
        bool any = false;
        struct walk w = { .at = (struct location *)l, .flags = flags, .max = 1, .entry = found, .arg = &any };
        char *why = need_format("%s: nothing has a key that begins with %s", t->command->name, l->shown);
        const roma_result nothing = {
                .code = ROMA_ENOENT, .message = why, .server = "", .status_name = "", .text = ""
        };

        w.may_miss = t->opt.force && t->command->run == cmd_rm;
        walk_start(t, &w);
        flight_drive(t);
        if (!any && !w.failed && !t->stopping && !w.may_miss)
                report_failure(t, &nothing, l->shown);
        walk_clear(&w);
        free(why);
        return any;
}
