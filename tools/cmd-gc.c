/* SPDX-License-Identifier: MIT */
/* roma gc URI...: removes what writers left that were killed or lost their connection. */
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "tools/tool.h"

struct show {
        const struct location *at;
        int64_t before_ns;
        uint64_t count;
};

/* ".roma~" and 16 digits and small letters: what a temporary is called, on every store. */
static bool is_temporary(const char *key)
{
        const char *name = name_base(key);

        return !strncmp(name, ".roma~", 6) && strlen(name) == 22 &&
               strspn(name + 6, "0123456789abcdefghijklmnopqrstuvwxyz") == 16;
}

/* As the library does: the times that a writer gives its temporary do not make it old. */
static bool is_old(const roma_attr *a, int64_t before_ns)
{
        return (a->mask & ROMA_ATTR_MTIME) && a->mtime_ns <= before_ns &&
               (!(a->mask & ROMA_ATTR_CTIME) || a->ctime_ns <= before_ns);
}

static void entry(struct walk *w, const roma_entry *e)
{
        struct show *s = w->arg;
        struct tool *t = w->flight.tool;

        if (!is_temporary(e->key) || !is_old(e->attr, s->before_ns))
                return;
        s->count++;
        if (t->opt.json) {
                json_t *o = json_of(json_object());
                json_name(o, "key", e->key);
                json_attr(o, e->attr);
                out_json(t, o);
        } else {
                out_name(t, e->key);
                out(t, "\n");
        }
}

/* Uploads: begun long ago, and no part has come since. */

struct uploads {
        struct flight flight; /* first */
        struct show *show;
        char *next;
        char **v; /* key, id, key, id ... that were begun long ago */
        size_t n;
        bool failed, fresh;
};

static void uploads_listed(struct flight *f, const roma_result *r)
{
        struct uploads *u = (struct uploads *)f;
        const roma_upload_list *l = r->extra;

        free(u->next);
        u->next = NULL;
        if (r->code) {
                report_failure(f->tool, r, u->show->at->shown);
                u->failed = true;
                return;
        }
        u->v = need(reallocarray(u->v, u->n + 2 * l->count + 1, sizeof(*u->v)));
        for (size_t i = 0; i < l->count; i++) {
                if (!l->upload[i].begun_ns || l->upload[i].begun_ns > u->show->before_ns)
                        continue;
                u->v[u->n++] = need_copy(l->upload[i].key);
                u->v[u->n++] = need_copy(l->upload[i].id);
        }
        u->next = l->next ? need_copy(l->next) : NULL;
}

static void parts_listed(struct flight *f, const roma_result *r)
{
        struct uploads *u = (struct uploads *)f;
        const roma_part_list *l = r->extra;

        u->fresh = r->code != ROMA_OK; /* ended meanwhile */
        for (size_t i = 0; !r->code && i < l->count; i++)
                u->fresh |= !l->part[i].mtime_ns || l->part[i].mtime_ns > u->show->before_ns;
}

static void show_upload(struct uploads *u, const char *key, const char *id)
{
        struct tool *t = u->flight.tool;

        u->show->count++;
        if (t->opt.json) {
                json_t *o = json_of(json_object());

                json_name(o, "key", key);
                json_object_set_new(o, "upload_id", json_of(json_string(id)));
                out_json(t, o);
        } else {
                out_name(t, key);
                out(t, " (upload %s)\n", id);
        }
}

/* A store that has no uploads has none to show. */
static void show_uploads(struct tool *t, struct location *l, struct show *s)
{
        const roma_opts o = request_opts(t);
        char *prefix = *l->key ? need_format("%s/", l->key) : need_copy("");
        struct uploads u = { .show = s };

        do {
                flight_track(
                        t, &u.flight, uploads_listed,
                        roma_aio_upload_list(l->place->store, prefix, u.next, 0, &o, flight_done, &u.flight));
                flight_drive(t);
        } while (u.next && !u.failed && !t->stopping);
        for (size_t i = 0; i < u.n; i += 2) {
                if (!t->stopping) {
                        flight_track(t, &u.flight, parts_listed,
                                     roma_aio_upload_parts(l->place->store, u.v[i], u.v[i + 1], &o,
                                                           flight_done, &u.flight));
                        flight_drive(t);
                        if (!u.fresh)
                                show_upload(&u, u.v[i], u.v[i + 1]);
                }
                free(u.v[i]);
                free(u.v[i + 1]);
        }
        free(u.v);
        free(u.next);
        free(prefix);
}

static void dry_run(struct tool *t, struct location *l)
{
        struct timespec now;
        struct show s = { .at = l };
        struct walk w = { .at = l, .entry = entry, .arg = &s, .flags = ROMA_LIST_TEMPORARIES };

        clock_gettime(CLOCK_REALTIME, &now);
        s.before_ns = INT64_MIN;
        if (t->opt.older_than_s < (uint64_t)now.tv_sec)
                s.before_ns = ((int64_t)now.tv_sec - (int64_t)t->opt.older_than_s) * 1000000000 + now.tv_nsec;
        walk_start(t, &w);
        flight_drive(t);
        walk_clear(&w);
        if (!w.failed && !t->stopping)
                show_uploads(t, l, &s);
        if (!t->opt.json && !t->opt.quiet && !w.failed && !t->stopping)
                out(t, "%llu would be removed below %s\n", (unsigned long long)s.count, l->shown);
}

static void collect(struct tool *t, const struct location *l)
{
        const roma_opts opts = request_opts(t);
        struct answer a = { 0 };

        ANSWER(t, &a,
               roma_aio_gc(l->place->store, l->key, t->opt.older_than_s, &opts, flight_done, &a.flight));
        if (answer_wait(t, &a) != ROMA_OK) {
                report_failure(t, &a.result, l->shown);
        } else if (t->opt.json) {
                json_t *o = json_of(json_object());
                json_name(o, "key", l->key);
                json_object_set_new(o, "removed", json_of(json_integer((json_int_t)a.result.bytes)));
                out_json(t, o);
        } else if (!t->opt.quiet) {
                out(t, "%llu removed below %s\n", (unsigned long long)a.result.bytes, l->shown);
        }
        answer_free(&a);
}

int cmd_gc(struct tool *t, int argc, char **argv)
{
        struct location l;

        if (argc < 1)
                return usage(t, "name at least one folder or store");
        for (int i = 0; i < argc && !t->stopping; i++) {
                if (!location_parse(t, &l, argv[i]))
                        continue;
                if (l.stdio)
                        usage(t, "- is no store");
                else if (location_open(t, &l)) {
                        if (t->opt.dry_run)
                                dry_run(t, &l);
                        else
                                collect(t, &l);
                }
                location_free(&l);
        }
        return t->status;
}
