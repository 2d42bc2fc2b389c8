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
