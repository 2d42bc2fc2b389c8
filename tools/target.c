/* SPDX-License-Identifier: MIT */
/* The destination of put, get, cp and mv, as cp takes it: a name that ends in a slash or is a folder means "into
 * this", any other is the new name itself. */
#include <stdlib.h>
#include <string.h>

#include "tools/tool.h"

/* The library names what it was asked for; that was only the first step of the command. */
static void report_look(struct tool *t, const roma_result *r, const char *shown)
{
        roma_result said = *r;
        char *own = NULL;

        if (r->message && !strncmp(r->message, "stat ", 5))
                said.message = own = need_format("%s %s", t->command->name, r->message + 5);
        report_failure(t, &said, shown);
        free(own);
}

static bool is_folder(struct tool *t, struct target *d, int sources)
{
        const roma_opts opts = request_opts(t);
        struct answer a = { 0 };
        bool good = true;

        ANSWER(t, &a, roma_aio_stat(d->at.place->store, d->at.key, 0, &opts, flight_done, &a.flight));
        answer_wait(t, &a);
        if (a.code == ROMA_OK)
                d->into = a.attr.type == ROMA_TYPE_DIR;
        else if (a.code != ROMA_ENOENT)
                good = false, report_look(t, &a.result, d->at.shown);
        answer_free(&a);
        if (good && !d->into && sources > 1) {
                usage(t,
                      "%s must be a folder, since several sources go there (end it with / when it is to be "
                      "made)",
                      d->at.shown);
                good = false;
        }
        return good;
}

bool target_find(struct tool *t, struct target *d, const char *arg, int sources)
{
        *d = (struct target){ 0 };
        if (!location_parse(t, &d->at, arg))
                return false;
        if (d->at.stdio)
                return true;
        if (location_open(t, &d->at)) {
                d->into = d->at.slash;
                if (d->into || is_folder(t, d, sources))
                        return true;
        }
        location_free(&d->at);
        return false;
}

static char *below_key(const char *folder, const char *name, const char *below)
{
        char *first = key_join(folder, name), *whole = key_join(first, below);

        free(first);
        return whole;
}

static char *below_name(const char *folder, const char *name, const char *below)
{
        char *first = path_join(folder, name), *whole = path_join(first, below);

        free(first);
        return whole;
}

/* The last component, with slashes that end it. */
static const char *last_name(const char *key)
{
        size_t n = strlen(key);

        while (n && key[n - 1] == '/')
                n--;
        while (n && key[n - 1] != '/')
                n--;
        return key + n;
}

void target_end(const struct target *d, const struct location *from, const char *below, struct end *to)
{
        const char *name = d->into && !from->no_name ? last_name(from->key) : "";

        to->place = d->at.place;
        to->key = below_key(d->at.key, name, below);
        to->path = d->at.path ? below_name(d->at.path, name, below) : NULL;
        to->shown = below_name(d->at.shown, name, below);
}

void location_end(const struct location *l, const char *below, struct end *e)
{
        e->place = l->place;
        e->key = key_join(l->key, below);
        e->path = l->path ? path_join(l->path, below) : NULL;
        e->shown = path_join(l->shown, below);
}
