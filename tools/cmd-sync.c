/* SPDX-License-Identifier: MIT */
/* roma sync FROM TO: makes TO hold what FROM holds. Both are listed in the order of their names, at the same time, and
 * compared name by name, so that nothing needs more memory than two pages. What is the same is left alone; so a run that was
 * killed is continued by the next. */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "tools/tool.h"

struct item {
        char *name; /* below the side's folder; of a folder with a slash at its end */
        roma_attr attr;
};

struct job;

/* A name in TO that is no folder, while names follow that begin with it: one of FROM's folders may have it too. */
struct taken {
        struct taken *shorter;
        bool going, gone; /* its removal is on its way, or has ended well */
        bool told;
        char name[];
};

/* A copy that waits until the removals have ended: TO may have a folder of its name. */
struct later {
        struct later *next;
        struct item item;
};

/* One of the two lists. */
struct side {
        struct flight flight; /* first */
        struct job *job;
        struct location at;
        char *prefix, *after;
        struct item *v; /* the page */
        size_t n, next;
        char *last; /* name that was seen last: they must ascend */
        bool asking, more, ended;
        bool doubted;  /* its last page is here, and counts when the folder is still there */
        bool vague;    /* its list has no exact times of modification */
        bool below;    /* what lies below a name, whatever has the name itself */
        roma_attr top; /* of the folder itself, before anything was done */
};

struct job {
        struct tool *tool;
        struct pool pool;
        struct side from, to;
        bool failed; /* a list is not whole: nothing more is removed */
        time_t started;
        struct taken *taken; /* longest first; each begins with the next */
        struct folders gone;
        struct later *later;
        uint64_t copied, equal, removed;
};

static void merge(void *arg);

/* Lists */

static void page_clear(struct side *s)
{
        for (size_t i = 0; i < s->n; i++)
                free(s->v[i].name);
        free(s->v);
        s->v = NULL;
        s->n = s->next = 0;
}

static void list_failed(struct side *s)
{
        s->job->failed = true;
        s->job->from.ended = s->job->to.ended = true;
        page_clear(&s->job->from);
        page_clear(&s->job->to);
}

static bool ascends(struct side *s, const char *name)
{
        if (s->last && strcmp(name, s->last) <= 0) {
                complain(s->job->tool,
                         "sync: the list of %s is not in order (%s after %s); nothing can be compared",
                         s->at.shown, name, s->last);
                status_raise(s->job->tool, EXIT_OTHER);
                return false;
        }
        free(s->last);
        s->last = need_copy(name);
        return true;
}

static bool same_folder(const roma_attr *was, const roma_attr *now)
{
        return now->type == ROMA_TYPE_DIR &&
               (!(was->mask & now->mask & ROMA_ATTR_INODE) || was->inode == now->inode);
}

static void still_there(struct flight *f, const roma_result *r)
{
        struct side *s = (struct side *)f;
        struct job *job = s->job;

        s->doubted = false;
        if (job->failed)
                return;
        if (r->code != ROMA_OK) {
                report_failure(job->tool, r, s->at.shown);
                list_failed(s);
        } else if (s->below ? !r->list->count : !same_folder(&s->top, r->attr)) {
                complain(job->tool,
                         "sync: %s is not the folder any more that it was at the start; nothing more is "
                         "removed",
                         s->at.shown);
                status_raise(job->tool, EXIT_OTHER);
                list_failed(s);
        } else {
                merge(job);
        }
}

/* The list of a folder that has gone is empty, and that of one that goes meanwhile is short: what is missing there must
 * not be removed from TO. */
static void doubt(struct side *s)
{
        struct tool *t = s->job->tool;
        const roma_opts o = request_opts(t);
        roma_list_opts one = ROMA_LIST_OPTS_INIT;

        one.stall_ms = o.stall_ms;
        one.deadline_ms = o.deadline_ms;
        one.max = 1;
        s->doubted = true;
        flight_track(t, &s->flight, still_there,
                     s->below ? roma_aio_list(s->at.place->store, s->prefix, &one, flight_done, &s->flight)
                              : roma_aio_stat(s->at.place->store, s->at.key, 0, &o, flight_done, &s->flight));
}

static void page(struct flight *f, const roma_result *r)
{
        struct side *s = (struct side *)f;
        struct job *job = s->job;
        const roma_list *l = r->list;

        s->asking = false;
        if (r->code != ROMA_OK) {
                report_failure(job->tool, r, s->at.shown);
                list_failed(s);
                return;
        }
        if (job->failed)
                return; /* the other list: what is here could not be compared */
        page_clear(s);
        s->v = need(calloc(l->count + 1, sizeof(*s->v)));
        for (size_t i = 0; i < l->count; i++) {
                const char *name = l->entry[i].key + strlen(s->prefix);

                if (!*name) { /* an object that stands for the folder itself */
                        if (s == &job->from)
                                is_mark(job->tool, s->at.shown, job->to.at.place, l->entry[i].attr);
                        continue;
                }
                if (!ascends(s, name)) {
                        list_failed(s);
                        return;
                }
                s->v[s->n].name = need_copy(name);
                s->v[s->n++].attr = *l->entry[i].attr;
        }
        s->more = l->more && l->count;
        if (s->more) {
                free(s->after);
                s->after = need_copy(l->entry[l->count - 1].key);
        }
        if (s == &job->from && !s->more && job->tool->opt.remove)
                doubt(s);
        else
                merge(job);
}

static void ask(struct side *s)
{
        struct tool *t = s->job->tool;
        roma_list_opts o = ROMA_LIST_OPTS_INIT;

        o.stall_ms = t->opt.stall_ms;
        o.deadline_ms = t->opt.deadline_ms;
        o.start_after = s->after;
        o.flags = ROMA_LIST_DIRS;
        o.max = 10000;
        s->asking = true;
        flight_track(t, &s->flight, page,
                     roma_aio_list(s->at.place->store, s->prefix, &o, flight_done, &s->flight));
}

/* The next of a list, or NULL: it has to be waited for, or it has ended. */
static struct item *head(struct side *s)
{
        if (s->doubted)
                return NULL;
        if (s->next < s->n)
                return &s->v[s->next];
        if (s->ended || s->asking)
                return NULL;
        if (s->more)
                ask(s);
        else
                s->ended = true;
        return NULL;
}

/* Doing */

static bool is_folder(const struct item *i)
{
        size_t n = strlen(i->name);

        return i->attr.type == ROMA_TYPE_DIR || (n && i->name[n - 1] == '/');
}

static bool has_folders(const struct side *s)
{
        return place_has_folders(s->at.place);
}

/* For people and programs, and instead of doing when only that is wanted. */
static bool only_shown(struct job *job, const char *what, const char *name)
{
        struct tool *t = job->tool;

        if (!t->opt.dry_run)
                return false;
        if (t->opt.json) {
                json_t *o = json_of(json_object());

                json_object_set_new(o, "would", json_of(json_string(what)));
                json_name(o, "key", name);
                out_json(t, o);
        } else {
                out(t, "%s ", what);
                out_name(t, name);
                out(t, "\n");
        }
        return true;
}

/* old: what has the name in TO now, or NULL. */
static void copy(struct job *job, struct end *from, struct end *to, const roma_attr *attr,
                 const roma_attr *old)
{
        struct transfer *x;

        if (only_shown(job, "copy", from->shown)) {
                job->copied++;
                end_free(from);
                end_free(to);
                return;
        }
        x = transfer_new(job->tool, from, to);
        x->in_tree = true;
        x->good = &job->copied;
        x->was = *attr;
        x->link = attr->type == ROMA_TYPE_SYMLINK;
        x->over_link = !x->link && old && old->type == ROMA_TYPE_SYMLINK;
        if (!x->link && attr->mask & ROMA_ATTR_LENGTH) {
                progress_expect(job->tool, 0, (int64_t)attr->length);
                x->expected = true;
        }
        transfer_add(&job->pool, x);
}

static void ends(struct job *job, const char *name, struct end *from, struct end *to)
{
        location_end(&job->from.at, name, from);
        location_end(&job->to.at, name, to);
}

/* An object with the name of a folder must have nothing in it, or it cannot be copied to where folders are. */
static bool is_empty_mark(struct job *job, const struct item *i)
{
        struct end from, to;
        bool empty;

        ends(job, i->name, &from, &to);
        empty = is_mark(job->tool, from.shown, to.place, &i->attr);
        end_free(&from);
        end_free(&to);
        return empty;
}

static void make_folder(struct job *job, const struct item *i)
{
        char *name = need_copy(i->name);
        struct end to;

        name[strlen(name) - 1] = 0;
        location_end(&job->to.at, name, &to);
        if (has_folders(&job->to) && !only_shown(job, "make", to.shown)) {
                struct chore *c = chore_new(to.place, to.key, to.shown, chore_mkdir);

                c->attr = i->attr;
                chore_add(&job->pool, c);
        }
        end_free(&to);
        free(name);
}

static void taken_pop(struct job *job)
{
        struct taken *k = job->taken;

        job->taken = k->shorter;
        free(k);
}

static void taken_note(struct job *job, const struct item *i)
{
        struct taken *k;
        size_t n = strlen(i->name);

        while (job->taken && strncmp(job->taken->name, i->name, strlen(job->taken->name)) != 0)
                taken_pop(job);
        if (is_folder(i) || !has_folders(&job->to))
                return;
        k = need_zeroed(sizeof(*k) + n + 1);
        memcpy(k->name, i->name, n);
        k->shorter = job->taken;
        job->taken = k;
}

/* What has the name of a folder that this lies in, or of itself if it is one. */
static struct taken *taken_above(const struct job *job, const char *name)
{
        for (struct taken *k = job->taken; k; k = k->shorter) {
                size_t n = strlen(k->name);

                if (!k->gone && !strncmp(k->name, name, n) && name[n] == '/')
                        return k;
        }
        return NULL;
}

/* A folder is not filled through a link of its name, which may lead anywhere. */
static bool is_free(struct job *job, const char *name)
{
        struct taken *k = taken_above(job, name);

        if (!k)
                return true;
        if (!k->told)
                complain(job->tool,
                         "sync: %s in %s is no folder, as it is in %s; what is in that was left out%s",
                         k->name, job->to.at.shown, job->from.at.shown,
                         job->tool->opt.remove ? "" : " (--delete makes room)");
        k->told = true;
        status_raise(job->tool, EXIT_OTHER);
        return false;
}

static bool is_safe(struct job *job, const char *name)
{
        const char *fault = job->to.at.path ? name_fault(name) : NULL;

        if (!fault)
                return true;
        complain(job->tool, "sync: the name %s %s %s; it was left out", name, fault, job->to.at.shown);
        status_raise(job->tool, EXIT_OTHER);
        return false;
}

static void later_add(struct job *job, const struct item *i)
{
        struct later *l = need_zeroed(sizeof(*l));

        l->item = (struct item){ need_copy(i->name), i->attr };
        l->next = job->later;
        job->later = l;
}

static void later_pop(struct job *job)
{
        struct later *l = job->later;

        job->later = l->next;
        free(l->item.name);
        free(l);
}

/* next: that of TO, or NULL. If it has a folder of the name of `i`, all from here to that begins with the name. */
static bool is_in_the_way(const struct job *job, const struct item *i, const struct item *next)
{
        return job->tool->opt.remove && next && !is_folder(i) && has_folders(&job->to) &&
               !strncmp(next->name, i->name, strlen(i->name));
}

static void only_in_from(struct job *job, const struct item *i, const struct item *next)
{
        struct end from, to;

        if (!is_safe(job, i->name) || !is_free(job, i->name))
                return;
        if (is_folder(i) && (i->attr.type == ROMA_TYPE_DIR || has_folders(&job->to))) {
                if (is_empty_mark(job, i))
                        make_folder(job, i);
                return;
        }
        if (is_in_the_way(job, i, next)) {
                later_add(job, i);
                return;
        }
        ends(job, i->name, &from, &to);
        if (can_carry(job->tool, &from, &to, &i->attr)) {
                copy(job, &from, &to, &i->attr, NULL);
        } else {
                end_free(&from);
                end_free(&to);
        }
}

/* Of one name in TO that the list of FROM does not have. */
struct removal {
        struct task task; /* first */
        struct flight flight;
        struct job *job;
        struct end from, to;
        char *name;
};

static struct removal *removal_of(struct flight *f)
{
        return (struct removal *)((char *)f - offsetof(struct removal, flight));
}

static void removal_drop(struct task *task)
{
        struct removal *m = (struct removal *)task;

        end_free(&m->from);
        end_free(&m->to);
        free(m->name);
        free(m);
}

/* gone: TO has the name no more, or would not have it. */
static void removal_end(struct removal *m, bool gone)
{
        struct pool *pool = m->task.pool;

        for (struct taken *k = m->job->taken; k; k = k->shorter) {
                if (strcmp(k->name, m->name) != 0)
                        continue;
                k->going = false;
                k->gone = gone;
        }
        removal_drop(&m->task);
        task_finished(pool);
}

static void removed(struct flight *f, const roma_result *r)
{
        struct removal *m = removal_of(f);

        if (r->code == ROMA_OK)
                m->job->removed++;
        else if (r->code != ROMA_ENOENT)
                report_failure(m->job->tool, r, m->to.shown);
        removal_end(m, r->code == ROMA_OK || r->code == ROMA_ENOENT);
}

static void unlink_start(struct removal *m)
{
        struct tool *t = m->job->tool;
        const roma_opts o = request_opts(t);

        flight_track(t, &m->flight, removed,
                     roma_aio_unlink(m->to.place->store, m->to.key,
                                     t->opt.no_trash ? ROMA_UNLINK_NO_TRASH : 0, &o, flight_done,
                                     &m->flight));
}

static void source_told(struct flight *f, const roma_result *r)
{
        struct removal *m = removal_of(f);
        struct job *job = m->job;
        const bool none = r->code == ROMA_ENOENT || (r->code == ROMA_OK && r->attr->type == ROMA_TYPE_DIR);

        if (r->code != ROMA_OK && r->code != ROMA_ENOENT)
                report_failure(job->tool, r, m->from.shown);
        if (!none || job->failed || job->tool->stopping) {
                removal_end(m, false);
        } else if (only_shown(job, "remove", m->to.shown)) {
                job->removed++;
                removal_end(m, true);
        } else {
                unlink_start(m);
        }
}

static void removal_start(struct task *task)
{
        struct removal *m = (struct removal *)task;
        struct tool *t = m->job->tool;
        const roma_opts o = request_opts(t);

        if (m->from.place)
                flight_track(t, &m->flight, source_told,
                             roma_aio_stat(m->from.place->store, m->from.key, ROMA_NOFOLLOW, &o, flight_done,
                                           &m->flight));
        else
                unlink_start(m);
}

/* A server that does not sort may keep a name of FROM for a later page: that list fails only there, and not at all if the server
 * never brings the name. So FROM is asked for each name that is to go. What is all in one page has been sorted by the library. */
static bool may_have_missed(const struct job *job)
{
        return !has_folders(&job->from) && job->from.after;
}

/* source: the next name of the other list, which may lie in this folder; NULL: none. */
static void only_in_to(struct job *job, const struct item *i, const struct item *source)
{
        const bool dir = i->attr.type == ROMA_TYPE_DIR, unsure = !dir && may_have_missed(job);
        struct taken *taken = is_folder(i) ? NULL : job->taken;
        struct removal *m;
        struct end to;
        char *name;

        if (!job->tool->opt.remove || job->failed)
                return;
        if (is_folder(i) && source && !strncmp(source->name, i->name, strlen(i->name)))
                return;
        name = need_copy(i->name);
        if (dir)
                name[strlen(name) - 1] = 0;
        location_end(&job->to.at, name, &to);
        free(name);
        if (!unsure && only_shown(job, "remove", to.shown)) {
                job->removed++;
                if (taken)
                        taken->gone = true;
        } else if (dir) {
                folders_add(&job->gone, to.place, to.key, to.shown, NULL);
        } else {
                m = need_zeroed(sizeof(*m));
                *m = (struct removal){ .job = job, .to = to, .name = need_copy(i->name) };
                m->task.start = removal_start;
                m->task.drop = removal_drop;
                if (unsure)
                        location_end(&job->from.at, i->name, &m->from);
                if (taken)
                        taken->going = true;
                pool_add(&job->pool, &m->task);
                return;
        }
        end_free(&to);
}

/* Comparing, where the lists do not say enough: exact times of S3-like stores, contents, targets of links. */

struct check {
        struct task task; /* first */
        struct flight flight;
        struct job *job;
        struct end from, to;
        roma_attr a, b;
        char *text; /* of the first */
};

static struct check *of_flight(struct flight *f)
{
        return (struct check *)((char *)f - offsetof(struct check, flight));
}

static void check_drop(struct task *task)
{
        struct check *c = (struct check *)task;

        end_free(&c->from);
        end_free(&c->to);
        free(c->text);
        free(c);
}

static void check_end(struct check *c, bool same)
{
        struct job *job = c->job;
        struct pool *pool = c->task.pool;

        if (same) {
                job->equal++;
        } else if (!job->tool->stopping) {
                copy(job, &c->from, &c->to, &c->a, &c->b);
                c->from = c->to = (struct end){ 0 };
        }
        check_drop(&c->task);
        task_finished(pool);
}

static void check_fail(struct check *c, const roma_result *r, const char *shown)
{
        struct pool *pool = c->task.pool;

        report_failure(c->job->tool, r, shown);
        check_drop(&c->task);
        task_finished(pool);
}

/* What the two lists say, or what was asked for because a list did not: that of rados://...?raw=1 has no lengths. */
static bool surely_differ(const roma_attr *a, const roma_attr *b)
{
        return a->type != b->type || (a->mask & b->mask & ROMA_ATTR_LENGTH && a->length != b->length);
}

/* Stores keep seconds at least. */
static bool same_time(const roma_attr *a, const roma_attr *b)
{
        return a->mask & b->mask & ROMA_ATTR_MTIME &&
               whole_seconds(a->mtime_ns) == whole_seconds(b->mtime_ns);
}

static void second_told(struct flight *f, const roma_result *r)
{
        struct check *c = of_flight(f);

        if (r->code != ROMA_OK)
                check_fail(c, r, c->to.shown);
        else
                check_end(c, r->text && !strcmp(r->text, c->text));
}

static void first_told(struct flight *f, const roma_result *r)
{
        struct check *c = of_flight(f);
        struct tool *t = c->job->tool;
        const roma_opts o = request_opts(t);
        roma_store *to = c->to.place->store;

        if (r->code != ROMA_OK) {
                check_fail(c, r, c->from.shown);
                return;
        }
        c->text = need_copy(r->text ? r->text : "");
        flight_track(t, f, second_told,
                     c->a.type == ROMA_TYPE_SYMLINK
                             ? roma_aio_readlink(to, c->to.key, &o, flight_done, f)
                             : roma_aio_hash(to, c->to.key, ROMA_CRC32, &o, flight_done, f));
}

static void to_timed(struct flight *f, const roma_result *r)
{
        struct check *c = of_flight(f);

        if (r->code != ROMA_OK && r->code != ROMA_ENOENT)
                check_fail(c, r, c->to.shown);
        else
                check_end(c,
                          r->code == ROMA_OK && !surely_differ(&c->a, r->attr) && same_time(&c->a, r->attr));
}

static void time_to(struct check *c)
{
        struct tool *t = c->job->tool;
        const roma_opts o = request_opts(t);

        if (c->job->to.vague)
                flight_track(t, &c->flight, to_timed,
                             roma_aio_stat(c->to.place->store, c->to.key, 0, &o, flight_done, &c->flight));
        else
                check_end(c, same_time(&c->a, &c->b));
}

static void from_timed(struct flight *f, const roma_result *r)
{
        struct check *c = of_flight(f);

        if (r->code != ROMA_OK) {
                check_fail(c, r, c->from.shown);
                return;
        }
        c->a = *r->attr;
        if (surely_differ(&c->a, &c->b))
                check_end(c, false);
        else
                time_to(c);
}

static void check_start(struct task *task)
{
        struct check *c = (struct check *)task;
        struct tool *t = c->job->tool;
        const roma_opts o = request_opts(t);
        roma_store *from = c->from.place->store;

        if (c->a.type == ROMA_TYPE_SYMLINK)
                flight_track(t, &c->flight, first_told,
                             roma_aio_readlink(from, c->from.key, &o, flight_done, &c->flight));
        else if (t->opt.checksum)
                flight_track(t, &c->flight, first_told,
                             roma_aio_hash(from, c->from.key, ROMA_CRC32, &o, flight_done, &c->flight));
        else if (c->job->from.vague)
                flight_track(t, &c->flight, from_timed,
                             roma_aio_stat(from, c->from.key, 0, &o, flight_done, &c->flight));
        else
                time_to(c);
}

static bool surely_same(const struct job *job, const roma_attr *a, const roma_attr *b)
{
        if (job->tool->opt.checksum || a->type != ROMA_TYPE_FILE)
                return false;
        if (job->from.vague && job->to.vague)
                return a->mask & b->mask & ROMA_ATTR_ETAG && !strcmp(a->etag, b->etag);
        return !job->from.vague && !job->to.vague && same_time(a, b);
}

static void in_both(struct job *job, const struct item *a, const struct item *b)
{
        struct end from, to;
        struct check *c;

        if (a->attr.type == ROMA_TYPE_DIR && is_folder(b))
                return;
        if (is_folder(a) && b->attr.type == ROMA_TYPE_DIR) {
                is_empty_mark(job, a);
                return;
        }
        if (!surely_differ(&a->attr, &b->attr) && surely_same(job, &a->attr, &b->attr)) {
                job->equal++;
                return;
        }
        ends(job, a->name, &from, &to);
        if (!can_carry(job->tool, &from, &to, &a->attr)) {
                end_free(&from);
                end_free(&to);
                return;
        }
        if (surely_differ(&a->attr, &b->attr) ||
            (!job->tool->opt.checksum && a->attr.type == ROMA_TYPE_FILE && !job->from.vague &&
             !job->to.vague)) {
                copy(job, &from, &to, &a->attr, &b->attr);
                return;
        }
        c = need_zeroed(sizeof(*c));
        *c = (struct check){ .job = job, .from = from, .to = to, .a = a->attr, .b = b->attr };
        c->task.start = check_start;
        c->task.drop = check_drop;
        pool_add(&job->pool, &c->task);
}

/* Whether a folder in TO is FROM itself under another name, as mfs://host and mfs://host:9421 are: what is in it would be
 * removed. Folders of two stores may have one number by chance; so it counts only when the times fit too. FROM may have
 * changed since it was looked at, and clocks differ. */
static bool is_source(const struct job *job, const struct item *i)
{
        const roma_attr *top = &job->from.top, *a = &i->attr;
        const uint32_t both = top->mask & a->mask;

        if (!job->tool->opt.remove || a->type != ROMA_TYPE_DIR || !(both & ROMA_ATTR_INODE) ||
            top->inode != a->inode || !place_same_kind(job->from.at.place, job->to.at.place))
                return false;
        return !(both & ROMA_ATTR_CTIME) || a->ctime_ns == top->ctime_ns ||
               (a->ctime_ns > top->ctime_ns && a->ctime_ns / 1000000000 > job->started - 3600);
}

static void source_in_to(struct job *job, const struct item *i)
{
        complain(job->tool,
                 "sync: %s lies in %s, as %s (inode %" PRIu64
                 "): --delete would remove what is to be copied, so "
                 "it ends here",
                 job->from.at.shown, job->to.at.shown, i->name, i->attr.inode);
        status_raise(job->tool, EXIT_USAGE);
        list_failed(&job->to);
}

/* The name of FROM's folder is still being removed from TO. */
static bool must_wait(const struct job *job, const struct item *i)
{
        const struct taken *k = taken_above(job, i->name);

        return k && k->going;
}

/* Both lists, as far as they are known. */
static void merge(void *arg)
{
        struct job *job = arg;

        job->pool.low = NULL;
        while (!job->tool->stopping) {
                struct item *a = head(&job->from), *b = head(&job->to);
                int order;

                if ((!a && !job->from.ended) || (!b && !job->to.ended) || (!a && !b))
                        return;
                order = !a ? 1 : !b ? -1 : strcmp(a->name, b->name);
                if (pool_full(&job->pool) || (order < 0 && must_wait(job, a))) {
                        job->pool.low_arg = job;
                        job->pool.low = merge;
                        return;
                }
                if (order >= 0 && is_source(job, b)) {
                        source_in_to(job, b);
                        return;
                }
                if (order >= 0)
                        taken_note(job, b);
                if (order < 0)
                        only_in_from(job, a, b);
                else if (order > 0)
                        only_in_to(job, b, a);
                else
                        in_both(job, a, b);
                job->from.next += order <= 0;
                job->to.next += order >= 0;
        }
}

/* The whole */

static bool open_side(struct job *job, struct side *s, const char *arg)
{
        s->job = job;
        if (!location_parse(job->tool, &s->at, arg))
                return false;
        if (s->at.stdio) {
                usage(job->tool, "- is no folder");
                return false;
        }
        if (!location_open(job->tool, &s->at))
                return false;
        s->prefix = *s->at.key ? need_format("%s/", s->at.key) : need_copy("");
        s->vague = !has_folders(s);
        s->below = location_is_below(&s->at);
        s->more = true;
        return true;
}

/* A source that is not there must not empty the destination. */
static bool is_there(struct job *job, struct side *s, bool must)
{
        struct tool *t = job->tool;
        const roma_opts o = request_opts(t);
        struct answer a = { 0 };
        bool good = true;

        if (s->below)
                return !must || walk_finds(t, &s->at, 0);
        ANSWER(t, &a, roma_aio_stat(s->at.place->store, s->at.key, 0, &o, flight_done, &a.flight));
        answer_wait(t, &a);
        if (a.code != ROMA_OK && (must || a.code != ROMA_ENOENT))
                good = false, report_failure(t, &a.result, s->at.shown);
        else if (a.code == ROMA_OK && a.attr.type != ROMA_TYPE_DIR)
                good = false,
                usage(t, "%s is no folder%s", s->at.shown,
                      has_folders(s) ? "" : "; with a slash at its end it means what lies below");
        s->top = a.attr;
        answer_free(&a);
        return good;
}

static bool is_local(const struct side *s)
{
        return !strncmp(s->at.root, "file:///", 8);
}

/* The prefix without symbolic links on the way: of what is not there yet, as far as there is something. */
static char *real_prefix(const struct side *s)
{
        char *path = need_format("/%s", s->at.key), *real = realpath(path, NULL), *whole;
        size_t n = strlen(path);

        while (!real && n > 1) {
                char *above;

                do
                        n--;
                while (path[n] != '/');
                above = need(strndup(path, n ? n : 1));
                real = realpath(above, NULL);
                free(above);
        }
        whole = need_format("%s%s/", real && strcmp(real, "/") != 0 ? real : "", path + n);
        free(real);
        free(path);
        return whole;
}

static bool one_in_other(const char *a, const char *b)
{
        return !strncmp(a, b, strlen(a)) || !strncmp(b, a, strlen(b));
}

static bool apart(struct job *job)
{
        bool clash = job->from.at.place == job->to.at.place && one_in_other(job->from.prefix, job->to.prefix);

        if (!clash && is_local(&job->from) && is_local(&job->to)) {
                char *a = real_prefix(&job->from), *b = real_prefix(&job->to);

                clash = one_in_other(a, b);
                free(a);
                free(b);
        }
        clash = clash ||
                lies_in(job->tool, job->to.at.place, job->to.at.key, job->from.at.place, job->from.at.key) ||
                roma_store_lies_in(job->from.at.place->store, job->from.at.key, job->to.at.place->store,
                                   job->to.at.key);
        if (clash)
                usage(job->tool, "one of %s and %s lies in the other", job->from.at.shown, job->to.at.shown);
        return !clash;
}

static void copy_later(struct job *job)
{
        while (job->later && !job->failed && !job->tool->stopping) {
                only_in_from(job, &job->later->item, NULL);
                later_pop(job);
        }
        flight_drive(job->tool);
}

static void summary(struct job *job)
{
        struct tool *t = job->tool;

        if (t->opt.json) {
                json_t *o = json_of(json_object());

                json_object_set_new(o, "copied", json_of(json_integer((json_int_t)job->copied)));
                json_object_set_new(o, "equal", json_of(json_integer((json_int_t)job->equal)));
                json_object_set_new(o, "removed", json_of(json_integer((json_int_t)job->removed)));
                out_json(t, o);
        } else if (!t->opt.quiet) {
                out(t, "%" PRIu64 " %s, %" PRIu64 " the same, %" PRIu64 " %s\n", job->copied,
                    t->opt.dry_run ? "to be copied" : "copied", job->equal, job->removed,
                    t->opt.dry_run ? "to be removed" : "removed");
        }
}

static void side_clear(struct side *s)
{
        page_clear(s);
        free(s->prefix);
        free(s->after);
        free(s->last);
        location_free(&s->at);
}

int cmd_sync(struct tool *t, int argc, char **argv)
{
        struct job job = { .tool = t, .started = time(NULL) };

        if (argc != 2)
                return usage(t, "give a folder to copy from and one to copy to");
        t->opt.keep_times = true; /* by them the next run knows what is the same */
        pool_init(&job.pool, t, t->opt.jobs);
        if (open_side(&job, &job.from, argv[0]) && open_side(&job, &job.to, argv[1]) && apart(&job) &&
            is_there(&job, &job.from, true) && is_there(&job, &job.to, false)) {
                progress_start(t);
                merge(&job);
                flight_drive(t);
                if (!job.failed && !t->stopping)
                        folders_remove(t, &job.gone);
                copy_later(&job);
                progress_stop(t);
                summary(&job);
        }
        while (job.later)
                later_pop(&job);
        while (job.taken)
                taken_pop(&job);
        folders_clear(&job.gone);
        side_clear(&job.from);
        side_clear(&job.to);
        return t->status;
}
