/* SPDX-License-Identifier: MIT */
/* roma rm URI...: objects, and with -r folders with all that is in them. */
#include <stdlib.h>
#include <string.h>

#include "tools/tool.h"

struct removal {
        struct walk walk;
        struct pool *pool;
        struct location *at;
        struct folders folders;
};

static void removed(struct tool *t, struct chore *c, const roma_result *r)
{
        if (r->code == ROMA_ENOENT && t->opt.force)
                return;
        if (r->code != ROMA_OK) {
                report_failure(t, r, c->shown);
        } else if (t->opt.json) {
                json_t *o = json_of(json_object());
                json_name(o, "removed", c->shown);
                out_json(t, o);
        } else if (t->opt.verbose) {
                out(t, "removed ");
                out_name(t, c->shown);
                out(t, "\n");
        }
}

static void add(struct pool *pool, struct place *place, const char *key, const char *shown)
{
        struct chore *c = chore_new(place, key, shown, chore_unlink);

        c->end = removed;
        chore_add(pool, c);
}

static void entry(struct walk *w, const roma_entry *e)
{
        struct removal *m = w->arg;
        char *key = need_copy(e->key), *below, *shown;
        size_t n = strlen(key);
        /* On stores without folders an object may have such a name. */
        bool folder = n && key[n - 1] == '/' && e->attr->type == ROMA_TYPE_DIR;

        if (folder)
                key[n - 1] = 0;
        below = key + strlen(w->prefix);
        shown = path_join(m->at->shown, below);
        if (folder)
                folders_add(&m->folders, m->at->place, key, shown, NULL);
        else
                add(m->pool, m->at->place, key, shown);
        free(shown);
        free(key);
}

static void remove_folder(struct tool *t, struct pool *pool, struct location *l)
{
        struct removal m = { .pool = pool, .at = l };

        folders_add(&m.folders, l->place, l->key, l->shown, NULL);
        m.walk.at = l;
        m.walk.pool = pool;
        m.walk.flags = ROMA_LIST_DIRS | ROMA_LIST_TEMPORARIES;
        m.walk.entry = entry;
        m.walk.arg = &m;
        walk_start(t, &m.walk);
        flight_drive(t);
        walk_clear(&m.walk);
        if (!m.walk.failed)
                folders_remove(t, &m.folders);
        folders_clear(&m.folders);
}

/* With -r the kind of the name must be known; without it removing a folder fails by itself. */
static void remove_any(struct tool *t, struct pool *pool, struct location *l)
{
        const roma_opts opts = request_opts(t);
        struct answer a = { 0 };

        if (location_is_below(l)) {
                if (walk_finds(t, l, ROMA_LIST_DIRS | ROMA_LIST_TEMPORARIES))
                        remove_folder(t, pool, l);
                return;
        }
        ANSWER(t, &a, roma_aio_stat(l->place->store, l->key, ROMA_NOFOLLOW, &opts, flight_done, &a.flight));
        answer_wait(t, &a);
        if (a.code == ROMA_ENOENT && t->opt.force)
                ;
        else if (a.code != ROMA_OK)
                report_failure(t, &a.result, l->shown);
        else if (a.attr.type == ROMA_TYPE_DIR)
                remove_folder(t, pool, l);
        else if (location_is_as_said(t, l, &a.attr))
                add(pool, l->place, l->key, l->shown);
        answer_free(&a);
}

int cmd_rm(struct tool *t, int argc, char **argv)
{
        struct pool pool;
        struct location l;

        if (argc < 1)
                return usage(t, "name at least one object");
        pool_init(&pool, t, t->opt.jobs);
        for (int i = 0; i < argc && !t->stopping; i++) {
                if (!location_parse(t, &l, argv[i]))
                        continue;
                if (l.stdio)
                        usage(t, "standard input cannot be removed");
                else if (l.no_name)
                        usage(t,
                              "%s: the root of a store, \".\" and \"..\" are not removed; name what lies "
                              "below",
                              l.shown);
                else if (l.slash && !t->opt.recursive)
                        usage(t,
                              "%s means a folder: use -r for it and all that is in it (a slash that is part "
                              "of a key is written "
                              "%%2F)",
                              l.shown);
                else if (location_open(t, &l) && t->opt.recursive)
                        remove_any(t, &pool, &l);
                else if (l.place)
                        add(&pool, l.place, l.key, l.shown);
                location_free(&l);
        }
        flight_drive(t);
        return t->status;
}
