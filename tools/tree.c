/* SPDX-License-Identifier: MIT */
/* put, get, cp and mv: each source to its place at the destination, a folder with all that is in it. A failure of one
 * object does not stop the others. */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "tools/tool.h"

struct job {
        struct tool *tool;
        struct target *target;
        struct pool pool;
        struct folders times; /* folders that get their times at the end */
        bool move;
};

/* One source folder on its way. */
struct branch {
        struct walk walk;
        struct job *job;
        const struct location *from;
        struct folders sources; /* a move removes them at the end */
        char **mark;            /* and these empty objects that stand for folders */
        size_t marks, room;
        bool failed;
};

static bool same_place(const struct location *from, const struct end *to)
{
        return from->place && from->place == to->place && !strcmp(from->key, to->key);
}

/* An object gets new headers and metadata by a copy to itself. */
static bool gets_new_props(const struct job *job, const struct location *from)
{
        const struct options *o = &job->tool->opt;

        return !job->move && (o->nprops || o->no_meta) &&
               roma_store_caps(from->place->store) & ROMA_CAP_PROPS;
}

/* x and x/... : a folder cannot be copied into itself. */
static bool inside(const struct location *from, const struct end *to)
{
        size_t n = strlen(from->key);

        return from->place == to->place && !strncmp(from->key, to->key, n) && (n == 0 || to->key[n] == '/');
}

/* What should have gone into a folder that is not there stays where it is. */
static void folder_made(struct tool *t, struct chore *c, const roma_result *r)
{
        struct branch *b = c->arg;

        if (r->code == ROMA_OK)
                return;
        report_failure(t, r, c->shown);
        b->failed = true;
}

static void folder_entry(struct branch *b, const struct end *from, struct end *to, const roma_attr *attr)
{
        struct job *job = b->job;

        /* Elsewhere keys hold slashes, and what has no objects in it is not there. */
        if (place_has_folders(to->place)) {
                struct chore *c = chore_new(to->place, to->key, to->shown, chore_mkdir);

                c->attr = *attr;
                c->end = folder_made;
                c->arg = b;
                chore_add(&job->pool, c);
        }
        if (job->tool->opt.keep_times || job->move)
                folders_add(&job->times, to->place, to->key, to->shown, attr);
        if (job->move)
                folders_add(&b->sources, from->place, from->key, from->shown, NULL);
}

static void object_entry(struct branch *b, const struct end *from, const struct end *to,
                         const roma_attr *attr)
{
        struct tool *t = b->job->tool;
        struct transfer *x = transfer_new(t, from, to);

        x->move = b->job->move;
        x->was = *attr;
        x->failed = &b->failed;
        x->in_tree = true;
        x->link = attr->type == ROMA_TYPE_SYMLINK;
        if (!x->link && (attr->mask & ROMA_ATTR_LENGTH)) {
                progress_expect(t, 0, (int64_t)attr->length);
                x->expected = true;
        }
        transfer_add(&b->job->pool, x);
}

bool can_carry(struct tool *t, const struct end *from, const struct end *to, const roma_attr *attr)
{
        switch (attr->type) {
        case ROMA_TYPE_UNKNOWN:
        case ROMA_TYPE_FILE:
        case ROMA_TYPE_DIR: return true;
        case ROMA_TYPE_SYMLINK:
                if (roma_store_caps(to->place->store) & ROMA_CAP_SYMLINK)
                        return true;
                complain(t, "%s: %s is a symbolic link, which %s cannot hold; it was left out",
                         t->command->name, from->shown, roma_store_uri(to->place->store));
                break;
        default:
                complain(t, "%s: %s is a %s, which has no content to copy; it was left out", t->command->name,
                         from->shown, type_name(attr->type));
        }
        status_raise(t, EXIT_OTHER);
        return false;
}

bool is_mark(struct tool *t, const char *shown, const struct place *to, const roma_attr *attr)
{
        if (attr->type == ROMA_TYPE_DIR || !(attr->mask & ROMA_ATTR_LENGTH) || attr->length == 0)
                return true;
        complain(t,
                 "%s: %s is the name of a folder and of an object of %" PRIu64
                 " bytes at once, which %s cannot hold; the object was left out",
                 t->command->name, shown, attr->length, roma_store_uri(to->store));
        status_raise(t, EXIT_OTHER);
        return false;
}

/* A key is only a name on some stores, but its ".." is a step on this machine's disk, where "a//x" and "a/./x" are the
 * file of "a/x" too: whoever may write keys must not choose where they end up. */
const char *name_fault(const char *name)
{
        while (*name) {
                size_t n = strcspn(name, "/");

                if (n == 0)
                        return "has an empty component and would be another one in";
                if (n == 1 && name[0] == '.')
                        return "has a component \".\" and would be another one in";
                if (n == 2 && name[0] == '.' && name[1] == '.')
                        return "leads out of";
                name += n + (name[n] == '/');
        }
        return NULL;
}

static void mark_add(struct branch *b, const char *key)
{
        if (b->marks == b->room) {
                b->room = b->room ? 2 * b->room : 16;
                b->mark = need(reallocarray(b->mark, b->room, sizeof(*b->mark)));
        }
        b->mark[b->marks++] = need_copy(key);
}

static void told(struct tool *t, struct chore *c, const roma_result *r)
{
        if (r->code != ROMA_OK)
                report_failure(t, r, c->shown);
}

static roma_op look(struct tool *t, struct chore *c)
{
        const roma_opts opts = request_opts(t);

        return roma_aio_stat(c->place->store, c->key, ROMA_NOFOLLOW, &opts, flight_done, &c->flight);
}

/* Still empty: so nothing is lost with it. */
static void looked(struct tool *t, struct chore *c, const roma_result *r)
{
        struct chore *next;

        if (r->code != ROMA_OK) {
                told(t, c, r);
        } else if (r->attr->type == ROMA_TYPE_FILE && r->attr->length == 0) {
                next = chore_new(c->place, c->key, c->shown, chore_unlink);
                next->end = told;
                chore_add(c->arg, next);
        }
}

/* What is on the way, or has not become a folder, needs them still. */
static void marks_remove(struct tool *t, struct branch *b, bool all_well)
{
        for (size_t i = 0; i < b->marks; i++) {
                if (all_well && !t->stopping) {
                        char *shown = path_join(b->from->shown, b->mark[i] + strlen(b->walk.prefix));
                        struct chore *c = chore_new(b->from->place, b->mark[i], shown, look);

                        c->end = looked;
                        c->arg = &b->job->pool;
                        chore_add(&b->job->pool, c);
                        free(shown);
                }
                free(b->mark[i]);
        }
        flight_drive(t);
        free(b->mark);
}

/* An object that stands for the folder itself goes with the others where that is an object too. */
static void carry_own_mark(struct branch *b, const roma_entry *e, struct end *from, struct end *to)
{
        char *key = need_format("%s/", to->key);

        free(from->key);
        from->key = need_copy(e->key);
        free(to->key);
        to->key = key;
        object_entry(b, from, to, e->attr);
}

static void entry(struct walk *w, const roma_entry *e)
{
        struct branch *b = w->arg;
        const char *fault = name_fault(e->key + strlen(w->prefix));
        char *below = need_copy(e->key + strlen(w->prefix));
        size_t n = strlen(below);
        /* Between stores without folders it is an object like others. */
        bool folder = n && below[n - 1] == '/' &&
                      (e->attr->type == ROMA_TYPE_DIR || place_has_folders(b->job->target->at.place));
        struct end from, to;

        if (folder)
                below[n - 1] = 0;
        location_end(b->from, below, &from);
        target_end(b->job->target, b->from, below, &to);
        /* Stores with folders refuse such keys. */
        if (to.path && fault) {
                complain(b->job->tool, "%s: the name of %s%s %s %s; it was left out",
                         b->job->tool->command->name, from.shown, folder ? "/" : "", fault,
                         b->job->target->at.shown);
                status_raise(b->job->tool, EXIT_OTHER);
                b->failed = true;
                free(below);
                end_free(&from);
                end_free(&to);
                return;
        }
        free(below);
        if (n == 0 && b->job->move && !place_has_folders(to.place)) {
                carry_own_mark(b, e, &from, &to);
                return;
        }
        if (!can_carry(b->job->tool, &from, &to, e->attr) ||
            ((folder || n == 0) && !is_mark(b->job->tool, from.shown, to.place, e->attr))) {
                b->failed = true;
                end_free(&from);
                end_free(&to);
        } else if (n == 0) { /* an object that stands for the folder itself */
                if (b->job->move && e->attr->type != ROMA_TYPE_DIR)
                        mark_add(b, e->key);
                end_free(&from);
                end_free(&to);
        } else if (folder || e->attr->type == ROMA_TYPE_DIR) {
                folder_entry(b, &from, &to, e->attr);
                if (b->job->move && e->attr->type != ROMA_TYPE_DIR)
                        mark_add(b, e->key);
                end_free(&from);
                end_free(&to);
        } else {
                object_entry(b, &from, &to, e->attr);
        }
}

/* A folder: it is made, all below it is carried over. */
static void carry_folder(struct job *job, const struct location *from, const roma_attr *attr)
{
        struct tool *t = job->tool;
        struct branch b = { .job = job, .from = from };
        struct end source, to;

        target_end(job->target, from, "", &to);
        location_end(from, "", &source);
        bool itself = same_place(from, &to) && gets_new_props(job, from);
        if (!itself && (inside(from, &to) || lies_in(t, to.place, to.key, from->place, from->key))) {
                usage(t, "%s cannot be copied into itself (%s)", from->shown, to.shown);
        } else {
                if (*to.key)
                        folder_entry(&b, &source, &to, attr);
                b.walk.at = (struct location *)from;
                b.walk.pool = &job->pool;
                b.walk.flags = ROMA_LIST_DIRS;
                b.walk.entry = entry;
                b.walk.arg = &b;
                walk_start(t, &b.walk);
                flight_drive(t);
                marks_remove(t, &b, !b.failed && !b.walk.failed && !t->status);
                walk_clear(&b.walk);
        }
        if (!b.failed && !b.walk.failed) /* what was not copied stays, and so do its folders */
                folders_remove(t, &b.sources);
        folders_clear(&b.sources);
        end_free(&source);
        end_free(&to);
}

static void carry_object(struct job *job, const struct location *from, const roma_attr *attr)
{
        struct tool *t = job->tool;
        struct end source, to;

        target_end(job->target, from, "", &to);
        location_end(from, "", &source);
        if (same_place(from, &to) && !gets_new_props(job, from)) {
                usage(t, "%s and %s are the same object", source.shown, to.shown);
                end_free(&source);
                end_free(&to);
                return;
        }
        if (job->target->into && *from->key && from->key[strlen(from->key) - 1] == '/' &&
            place_has_folders(to.place)) {
                usage(t, "%s ends in a slash, which no name can there: say what it is to be called",
                      from->shown);
                end_free(&source);
                end_free(&to);
                return;
        }
        if (job->move && !can_carry(t, &source, &to, attr)) {
                end_free(&source);
                end_free(&to);
                return;
        }
        struct transfer *x = transfer_new(t, &source, &to);
        x->move = job->move;
        if (attr)
                x->was = *attr;
        x->link = attr && attr->type == ROMA_TYPE_SYMLINK;
        if (attr && (attr->mask & ROMA_ATTR_LENGTH) && attr->type == ROMA_TYPE_FILE) {
                progress_expect(t, 0, (int64_t)attr->length);
                x->expected = true;
        }
        transfer_add(&job->pool, x);
}

static void carry_stream(struct job *job, const struct location *from)
{
        if (job->target->into || job->target->at.stdio) {
                usage(job->tool, "standard input has no name: give the whole name of what it becomes");
                return;
        }
        carry_object(job, from, NULL);
}

/* Only with -r or for a move the source's kind must be known before; otherwise the transfer itself finds out, which
 * saves a round trip for each. */
static void carry(struct job *job, const struct location *from)
{
        struct tool *t = job->tool;
        const roma_opts opts = request_opts(t);
        struct answer a = { 0 };

        if (!t->opt.recursive && !job->move) {
                if (from->slash)
                        usage(t, "%s is a folder; use -r", from->shown);
                else
                        carry_object(job, from, NULL);
                return;
        }
        if (location_is_below(from)) {
                if (walk_finds(t, from, ROMA_LIST_DIRS))
                        carry_folder(job, from,
                                     &(roma_attr){ .mask = ROMA_ATTR_TYPE, .type = ROMA_TYPE_DIR });
                return;
        }
        ANSWER(t, &a,
               roma_aio_stat(from->place->store, from->key, job->move ? ROMA_NOFOLLOW : 0, &opts, flight_done,
                             &a.flight));
        answer_wait(t, &a);
        if (a.code != ROMA_OK)
                report_failure(t, &a.result, from->shown);
        else if (a.attr.type == ROMA_TYPE_DIR)
                carry_folder(job, from, &a.attr);
        else if (location_is_as_said(t, from, &a.attr))
                carry_object(job, from, &a.attr);
        answer_free(&a);
}

/* false after a message. */
static bool is_as_said(struct tool *t, const struct location *l)
{
        const roma_opts opts = request_opts(t);
        struct answer a = { 0 };
        bool good = false;

        ANSWER(t, &a, roma_aio_stat(l->place->store, l->key, ROMA_NOFOLLOW, &opts, flight_done, &a.flight));
        answer_wait(t, &a);
        if (a.code != ROMA_OK)
                report_failure(t, &a.result, l->shown);
        else
                good = location_is_as_said(t, l, &a.attr);
        answer_free(&a);
        return good;
}

/* Within one store a move is a rename. Across file systems of this machine it is not (EXDEV): false then. */
static bool move_by_rename(struct job *job, const struct location *from)
{
        struct tool *t = job->tool;
        const roma_opts opts = request_opts(t);
        struct answer a = { 0 };
        struct end to;
        bool across = false;

        if (from->place != job->target->at.place || !(roma_store_caps(from->place->store) & ROMA_CAP_RENAME))
                return false;
        if (from->slash && !is_as_said(t, from))
                return true;
        target_end(job->target, from, "", &to);
        ANSWER(t, &a,
               roma_aio_rename(from->place->store, from->key, to.key,
                               t->opt.if_absent ? ROMA_RENAME_NOREPLACE : 0, &opts, flight_done, &a.flight));
        answer_wait(t, &a);
        across = a.result.status_kind == ROMA_STATUS_ERRNO && a.result.server_status == EXDEV;
        if (a.code == ROMA_OK && t->opt.json) {
                json_t *o = json_of(json_object());
                json_name(o, "source", from->shown);
                json_name(o, "destination", to.shown);
                out_json(t, o);
        } else if (a.code == ROMA_OK && t->opt.verbose) {
                out_name(t, from->shown);
                out(t, " -> ");
                out_name(t, to.shown);
                out(t, "\n");
        } else if (a.code != ROMA_OK && !across) {
                report_failure(t, &a.result, from->shown);
        }
        answer_free(&a);
        end_free(&to);
        return !across;
}

static void carry_argument(struct job *job, const char *arg)
{
        struct tool *t = job->tool;
        const struct target *to = job->target;
        struct location from;
        const char *fault;

        if (!location_parse(t, &from, arg))
                return;
        if (from.stdio && job->move)
                usage(t, "standard input cannot be moved");
        else if (from.stdio)
                carry_stream(job, &from);
        else if (to->into && to->at.path && !from.no_name && (fault = name_fault(name_base(from.key))))
                usage(t, "the name of %s %s %s: give the whole name of what it becomes", from.shown, fault,
                      to->at.shown);
        else if (location_open(t, &from)) {
                if (job->move && from.no_name)
                        usage(t, "%s cannot be moved: it has no name of its own", from.shown);
                else if (!job->move || !move_by_rename(job, &from))
                        carry(job, &from);
        }
        location_free(&from);
}

int tree_transfer(struct tool *t, int argc, char **argv, bool move)
{
        struct target target;
        struct job job = { .tool = t, .target = &target, .move = move };

        if (!target_find(t, &target, argv[argc - 1], argc - 1))
                return t->status;
        /* To standard output one after the other. */
        pool_init(&job.pool, t, target.at.stdio ? 1 : t->opt.jobs);
        if (target.at.stdio && t->opt.json) {
                usage(t, "the bytes of an object on standard output cannot be JSON");
        } else if (target.at.stdio && t->opt.recursive) {
                usage(t, "standard output takes objects, not folders: -r makes no sense");
        } else {
                progress_start(t);
                for (int i = 0; i + 1 < argc && !t->stopping; i++)
                        carry_argument(&job, argv[i]);
                flight_drive(t);
                folders_setattr(t, &job.times);
                progress_stop(t);
        }
        folders_clear(&job.times);
        location_free(&target.at);
        return t->status;
}
