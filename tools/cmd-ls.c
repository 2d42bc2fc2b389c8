/* SPDX-License-Identifier: MIT */
/* roma ls URI...: what is in a folder, or one object. */
#include <stdlib.h>
#include <string.h>

#include "tools/tool.h"

static void print_long(struct tool *t, const roma_attr *attr)
{
        char mode[11], when[40] = "-", links[16] = "-", uid[16] = "-", gid[16] = "-", length[24] = "-";

        format_mode(mode, attr);
        if (attr->mask & ROMA_ATTR_MTIME)
                format_time(when, attr->mtime_ns, false);
        if (attr->mask & ROMA_ATTR_NLINK)
                snprintf(links, sizeof(links), "%u", attr->nlink);
        if (attr->mask & ROMA_ATTR_UID)
                snprintf(uid, sizeof(uid), "%u", attr->uid);
        if (attr->mask & ROMA_ATTR_GID)
                snprintf(gid, sizeof(gid), "%u", attr->gid);
        if ((attr->mask & ROMA_ATTR_LENGTH) && attr->type != ROMA_TYPE_DIR)
                snprintf(length, sizeof(length), "%llu", (unsigned long long)attr->length);
        out(t, "%s %3s %5s %5s %12s %s ", mode, links, uid, gid, length, when);
}

static void print(struct tool *t, const char *key, const char *name, const roma_attr *attr)
{
        if (t->opt.json) {
                json_t *o = json_of(json_object());
                json_name(o, "key", key);
                json_attr(o, attr);
                out_json(t, o);
                return;
        }
        if (t->opt.long_form)
                print_long(t, attr);
        out_name(t, name);
        out(t, "\n");
}

static void entry(struct walk *w, const roma_entry *e)
{
        const char *name = e->key + strlen(w->prefix);

        /* On stores without folders an object can have the name of the folder itself. */
        print(w->flight.tool, e->key, *name ? name : "./", e->attr);
}

static void list(struct tool *t, struct location *l)
{
        struct walk w = { .at = l, .entry = entry, .max = t->opt.max };

        w.delimiter = t->opt.recursive ? NULL : "/";
        w.flags =
                (t->opt.all ? ROMA_LIST_TEMPORARIES : 0) |
                (t->opt.recursive && (roma_store_caps(l->place->store) & ROMA_CAP_DIRS) ? ROMA_LIST_DIRS : 0);
        walk_start(t, &w);
        flight_drive(t);
        walk_clear(&w);
}

static void list_folder(struct tool *t, struct location *l, bool several)
{
        if (several && !t->opt.json) {
                out_name(t, l->shown);
                out(t, ":\n");
        }
        list(t, l);
}

static void one(struct tool *t, const char *arg, bool several)
{
        const roma_opts opts = request_opts(t);
        struct location l;
        struct answer a = { 0 };

        if (!location_parse(t, &l, arg))
                return;
        if (l.stdio) {
                usage(t, "standard input cannot be listed");
        } else if (location_open(t, &l) && location_is_below(&l)) {
                if (walk_finds(t, &l, ROMA_LIST_DIRS))
                        list_folder(t, &l, several);
        } else if (l.place) {
                ANSWER(t, &a, roma_aio_stat(l.place->store, l.key, 0, &opts, flight_done, &a.flight));
                answer_wait(t, &a);
                if (a.code != ROMA_OK) {
                        report_failure(t, &a.result, l.shown);
                } else if (a.attr.type != ROMA_TYPE_DIR) {
                        print(t, l.key, l.shown, &a.attr);
                } else {
                        list_folder(t, &l, several);
                }
                answer_free(&a);
        }
        location_free(&l);
}

int cmd_ls(struct tool *t, int argc, char **argv)
{
        if (argc < 1)
                return usage(t, "name a folder or an object");
        for (int i = 0; i < argc && !t->stopping; i++)
                one(t, argv[i], argc > 1);
        return t->status;
}
