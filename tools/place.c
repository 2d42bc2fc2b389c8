/* SPDX-License-Identifier: MIT */
/* The stores that the arguments name. Two arguments on one store share its session, and then a move is a rename. */
#include <stdlib.h>
#include <string.h>

#include "tools/tool.h"

static struct place *find(struct tool *t, const char *uri)
{
        for (struct place *p = t->places; p; p = p->next)
                if (!strcmp(p->uri, uri))
                        return p;
        return NULL;
}

/* The URI without its options: what may be printed. */
static char *shown(const char *uri)
{
        return need(strndup(uri, strcspn(uri, "?")));
}

struct place *place_open(struct tool *t, const char *uri)
{
        struct place *p = find(t, uri);

        if (!p) {
                roma_opts opts = ROMA_OPTS_INIT;
                opts.stall_ms = t->opt.stall_ms;
                opts.deadline_ms = t->opt.deadline_ms;
                p = need_zeroed(sizeof(*p));
                p->uri = need_copy(uri);
                p->next = t->places;
                t->places = p;
                uint64_t begin = now_ns();
                ANSWER(t, &p->answer,
                       roma_aio_store_open(t->loop, uri, &opts, flight_done, &p->answer.flight));
                answer_wait(t, &p->answer);
                p->open_ns = now_ns() - begin;
                p->store = p->answer.result.store;
        }
        if (p->store)
                return p;
        char *name = shown(uri);
        report_failure(t, &p->answer.result, name);
        free(name);
        return NULL;
}

void places_close(struct tool *t)
{
        struct place *next;

        for (struct place *p = t->places; p; p = p->next)
                if (p->store)
                        (void)roma_aio_store_close(p->store, NULL, NULL);
        /* Closing ends within 5 s by itself; roma_loop_free() waits for it. */
        for (struct place *p = t->places; p; p = next) {
                next = p->next;
                answer_free(&p->answer);
                free(p->uri);
                free(p);
        }
        t->places = NULL;
}
