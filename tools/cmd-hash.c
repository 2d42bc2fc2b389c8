/* SPDX-License-Identifier: MIT */
/* roma hash URI...: digests, several objects at once, printed in the order of the arguments as md5sum does. */
#include <stdlib.h>
#include <string.h>

#include "tools/tool.h"

/* A result waits until those before it have been printed. */
struct line {
        struct line *next;
        bool done;
        char *text, *shown;
        uint64_t bytes;
};

struct hashing {
        struct tool *tool;
        struct pool pool;
        struct line *head, *tail;
        struct location *at; /* of the walk that goes on */
};

static const char *algorithm_name(int algorithm)
{
        return algorithm == ROMA_MD5 ? "md5" : algorithm == ROMA_SHA256 ? "sha256" : "crc32";
}

/* As coreutils: a name with a newline, a carriage return or a backslash is escaped, and a backslash in front says so. */
static void print_escaped(struct tool *t, const struct line *l)
{
        out(t, "\\%s  ", l->text);
        for (const char *c = l->shown; *c; c++) {
                if (*c == '\n')
                        out(t, "\\n");
                else if (*c == '\r')
                        out(t, "\\r");
                else if (*c == '\\')
                        out(t, "\\\\");
                else
                        out_bytes(t, c, 1);
        }
        out(t, "\n");
}

static void print(struct tool *t, const struct line *l)
{
        if (!l->text)
                return; /* failed, and has been reported */
        if (t->opt.json) {
                json_t *o = json_of(json_object());
                json_name(o, "key", l->shown);
                json_name(o, algorithm_name(t->opt.algorithm), l->text);
                json_object_set_new(o, "bytes", json_of(json_integer((json_int_t)l->bytes)));
                out_json(t, o);
        } else if (strpbrk(l->shown, "\n\r\\")) {
                print_escaped(t, l);
        } else {
                out(t, "%s  ", l->text);
                out_name(t, l->shown);
                out(t, "\n");
        }
}

static void print_ready(struct hashing *h)
{
        while (h->head && h->head->done) {
                struct line *l = h->head;
                h->head = l->next;
                if (!h->head)
                        h->tail = NULL;
                print(h->tool, l);
                free(l->text);
                free(l->shown);
                free(l);
        }
}

static void ended(struct tool *t, struct chore *c, const roma_result *r)
{
        struct line *l = c->arg;

        l->done = true;
        if (r->code == ROMA_OK) {
                l->text = need_copy(r->text);
                l->bytes = r->bytes;
        } else {
                report_failure(t, r, c->shown);
        }
        print_ready((struct hashing *)((char *)c->task.pool - offsetof(struct hashing, pool)));
}

static roma_op begin(struct tool *t, struct chore *c)
{
        const roma_opts opts = request_opts(t);

        return roma_aio_hash(c->place->store, c->key, t->opt.algorithm, &opts, flight_done, &c->flight);
}

static void add(struct hashing *h, struct place *place, const char *key, const char *shown)
{
        struct line *l = need_zeroed(sizeof(*l));
        struct chore *c = chore_new(place, key, shown, begin);

        l->shown = need_copy(shown);
        if (h->tail)
                h->tail->next = l;
        else
                h->head = l;
        h->tail = l;
        c->arg = l;
        c->end = ended;
        chore_add(&h->pool, c);
}

static void entry(struct walk *w, const roma_entry *e)
{
        struct hashing *h = w->arg;

        if (e->attr->type != ROMA_TYPE_FILE)
                return;
        char *shown = path_join(h->at->shown, e->key + strlen(w->prefix));
        add(h, h->at->place, e->key, shown);
        free(shown);
}

static void add_folder(struct hashing *h, struct location *l)
{
        struct walk w = { .at = l, .pool = &h->pool, .entry = entry, .arg = h };

        h->at = l;
        walk_start(h->tool, &w);
        flight_drive(h->tool);
        walk_clear(&w);
}

static void add_argument(struct hashing *h, const char *arg)
{
        struct tool *t = h->tool;
        const roma_opts opts = request_opts(t);
        struct location l;
        struct answer a = { 0 };

        if (!location_parse(t, &l, arg))
                return;
        if (l.stdio) {
                usage(t, "standard input is no object (md5sum and the like read it)");
        } else if (!t->opt.recursive && !location_is_object(t, &l)) {
                ;
        } else if (location_open(t, &l) && t->opt.recursive && location_is_below(&l)) {
                if (walk_finds(t, &l, ROMA_LIST_DIRS))
                        add_folder(h, &l);
        } else if (l.place && t->opt.recursive) {
                ANSWER(t, &a, roma_aio_stat(l.place->store, l.key, 0, &opts, flight_done, &a.flight));
                answer_wait(t, &a);
                if (a.code != ROMA_OK)
                        report_failure(t, &a.result, l.shown);
                else if (a.attr.type == ROMA_TYPE_DIR)
                        add_folder(h, &l);
                else
                        add(h, l.place, l.key, l.shown);
                answer_free(&a);
        } else if (l.place) {
                add(h, l.place, l.key, l.shown);
        }
        location_free(&l);
}

int cmd_hash(struct tool *t, int argc, char **argv)
{
        struct hashing h = { .tool = t };

        if (argc < 1)
                return usage(t, "name at least one object");
        pool_init(&h.pool, t, t->opt.jobs);
        for (int i = 0; i < argc && !t->stopping; i++)
                add_argument(&h, argv[i]);
        flight_drive(t);
        /* Tasks that were dropped leave lines that nobody will finish. */
        for (struct line *l = h.head; l; l = l->next)
                l->done = true;
        print_ready(&h);
        return t->status;
}
