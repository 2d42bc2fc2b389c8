/* SPDX-License-Identifier: MIT */
/* Folders whose turn comes after all that is in them: removal, and times that each new file would change. They go by
 * depth, those of one depth together. */
#include <stdlib.h>

#include "tools/tool.h"

static unsigned depth_of(const char *key)
{
        unsigned depth = 1;

        for (; *key; key++)
                depth += *key == '/';
        return depth;
}

void folders_add(struct folders *f, struct place *place, const char *key, const char *shown,
                 const roma_attr *attr)
{
        if (!place_has_folders(place))
                return; /* there they go with the last name in them */
        if (f->count == f->room) {
                f->room = f->room ? 2 * f->room : 16;
                f->list = need(reallocarray(f->list, f->room, sizeof(*f->list)));
        }
        struct folder *d = &f->list[f->count++];
        *d = (struct folder){
                .place = place, .key = need_copy(key), .shown = need_copy(shown), .depth = depth_of(key)
        };
        if (attr)
                d->attr = *attr;
}

static int deepest_first(const void *a, const void *b)
{
        const struct folder *x = a, *y = b;

        return x->depth > y->depth ? -1 : x->depth < y->depth;
}

static void each(struct tool *t, struct folders *f, roma_op (*begin)(struct tool *t, struct chore *c),
                 void (*end)(struct tool *t, struct chore *c, const roma_result *r))
{
        struct pool pool;

        pool_init(&pool, t, t->opt.jobs);
        if (f->count)
                qsort(f->list, f->count, sizeof(*f->list), deepest_first);
        for (size_t i = 0; i < f->count && !t->stopping; i++) {
                const struct folder *d = &f->list[i];
                struct chore *c = chore_new(d->place, d->key, d->shown, begin);
                c->attr = d->attr;
                c->end = end;
                chore_add(&pool, c);
                if (i + 1 == f->count || f->list[i + 1].depth != d->depth)
                        flight_drive(t);
        }
        flight_drive(t);
}

static roma_op remove_one(struct tool *t, struct chore *c)
{
        const roma_opts opts = request_opts(t);

        return roma_aio_rmdir(c->place->store, c->key, &opts, flight_done, &c->flight);
}

static void removed(struct tool *t, struct chore *c, const roma_result *r)
{
        if (r->code != ROMA_OK) {
                report_failure(t, r, c->shown);
        } else if (t->opt.json) {
                json_t *o = json_of(json_object());
                json_name(o, "removed", c->shown);
                out_json(t, o);
        } else if (t->opt.verbose) {
                out(t, "removed folder ");
                out_name(t, c->shown);
                out(t, "\n");
        }
}

void folders_remove(struct tool *t, struct folders *f)
{
        each(t, f, remove_one, removed);
}

static roma_op set_one(struct tool *t, struct chore *c)
{
        const roma_opts opts = request_opts(t);

        c->attr.mask &= ROMA_ATTR_MODE | ROMA_ATTR_MTIME;
        return roma_aio_setattr(c->place->store, c->key, &c->attr, 0, &opts, flight_done, &c->flight);
}

void folders_setattr(struct tool *t, struct folders *f)
{
        each(t, f, set_one, NULL);
}

void folders_clear(struct folders *f)
{
        for (size_t i = 0; i < f->count; i++) {
                free(f->list[i].key);
                free(f->list[i].shown);
        }
        free(f->list);
        *f = (struct folders){ 0 };
}
