/* SPDX-License-Identifier: MIT */
/* roma diagnose URI...: do all copies of a file's chunks have the same bytes, and those of the original? */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tools/inspect.h"

enum { TOGETHER = 32, PAGE = 10000 };

struct diagnosis {
        struct tool *tool;
        struct original original;
        bool has_original;
        bool any_bad, any_unknown;
        uint64_t files, bad, unknown;
        char *after; /* --resume: the last key that is done */
};

/* Usage and failures of other kinds are "could not tell". */
static void end(struct diagnosis *d)
{
        struct tool *t = d->tool;

        if (t->signal)
                return;
        t->status = d->any_bad ? DIFFERS : d->any_unknown || t->status ? CANNOT_TELL : CLEAN;
}

static void count(struct diagnosis *d, enum verdict v)
{
        d->files++;
        if (v == DIFFERS) {
                d->bad++;
                d->any_bad = true;
        } else if (v == CANNOT_TELL) {
                d->unknown++;
                d->any_unknown = true;
        }
}

static void subject_init(struct diagnosis *d, struct looker *l, struct subject *s, const char *key,
                         const char *shown)
{
        memset(s, 0, sizeof(*s));
        s->l = l;
        s->key = need_copy(key);
        s->shown = need_copy(shown);
        s->o = d->has_original ? &d->original : NULL;
        s->deep = d->tool->opt.deep;
}

static void one(struct diagnosis *d, const struct location *at)
{
        struct looker l;
        struct subject s;

        if (!place_has_chunks(at->place)) {
                enum verdict v = inspect(d->tool, at, d->has_original ? &d->original : NULL, true, NULL);

                if (!d->tool->stopping)
                        count(d, v);
                return;
        }
        looker_init(&l, d->tool, at->place);
        subject_init(d, &l, &s, at->key, at->shown);
        examine(&s);
        if (!d->tool->stopping) {
                findings_print(d->tool, &s);
                count(d, examine_verdict(&s));
        }
        examine_clear(&s);
        looker_free(&l);
}

/* ---- trees ------------------------------------------------------------------------------------------------ */

struct page {
        struct walk walk; /* first: the list's callbacks get it */
        char **key;
        size_t n;
        char *last; /* of all entries, files or not */
        size_t seen;
};

static void entry(struct walk *w, const roma_entry *e)
{
        struct page *p = w->arg;

        p->seen++;
        free(p->last);
        p->last = need_copy(e->key);
        if (e->attr->type == ROMA_TYPE_FILE)
                p->key[p->n++] = need_copy(e->key);
}

/* A line of the journal must hold any key. */
static char *hex_of(const char *s)
{
        char *text = need(malloc(2 * strlen(s) + 1)), *to = text;

        for (; *s; s++)
                to += snprintf(to, 3, "%02x", (unsigned char)*s);
        *to = 0;
        return text;
}

static char *unhex(const char *s)
{
        size_t n = strlen(s) / 2;
        char *text = need_zeroed(n + 1);

        for (size_t i = 0; i < n; i++) {
                char digits[3] = { s[2 * i], s[2 * i + 1], 0 }, *stop;
                text[i] = (char)strtoul(digits, &stop, 16);
                if (*stop || !text[i]) {
                        free(text);
                        return NULL;
                }
        }
        return text;
}

/* "roma diagnose 1", the place, how many files were looked at / bad / unknown, the last key in hexadecimal. */
static void journal_write(struct diagnosis *d, const struct location *at)
{
        const char *path = d->tool->opt.resume;
        char *name, *key, *shown;
        FILE *f;
        bool good;

        if (!path)
                return;
        name = need_format("%s.new", path);
        key = hex_of(d->after ? d->after : "");
        shown = hex_of(at->shown);
        f = fopen(name, "we");
        good = f &&
               fprintf(f, "roma diagnose 1\n%s\n%llu %llu %llu\n%s\n", shown, (unsigned long long)d->files,
                       (unsigned long long)d->bad, (unsigned long long)d->unknown, key) > 0;
        if (f && fclose(f) != 0)
                good = false;
        if (!good || rename(name, path) < 0) {
                complain(d->tool, "diagnose: %s: %s; the scan goes on, and cannot be resumed from here", path,
                         strerror(errno));
                d->tool->opt.resume = NULL;
                d->any_unknown = true;
        }
        free(name);
        free(key);
        free(shown);
}

static bool read_line(FILE *f, char **line, size_t *room)
{
        ssize_t n = getline(line, room, f);

        if (n <= 0 || (*line)[n - 1] != '\n')
                return false;
        (*line)[n - 1] = 0;
        return true;
}

static bool journal_parse(struct diagnosis *d, const struct location *at, FILE *f)
{
        char *line = NULL, *place = NULL;
        size_t room = 0;
        unsigned long long files, bad, unknown;
        bool good = read_line(f, &line, &room) && !strcmp(line, "roma diagnose 1") &&
                    read_line(f, &line, &room) && (place = unhex(line)) && !strcmp(place, at->shown) &&
                    read_line(f, &line, &room) &&
                    sscanf(line, "%llu %llu %llu", &files, &bad, &unknown) == 3 &&
                    read_line(f, &line, &room) && (d->after = unhex(line));

        free(place);
        free(line);
        if (!good)
                return false;
        d->files = files;
        d->bad = bad;
        d->unknown = unknown;
        d->any_bad = bad > 0;
        d->any_unknown = unknown > 0;
        return true;
}

/* False after a message. */
static bool journal_read(struct diagnosis *d, const struct location *at)
{
        const char *path = d->tool->opt.resume;
        FILE *f = path ? fopen(path, "re") : NULL;
        bool good;

        if (!f) {
                if (!path || errno == ENOENT)
                        return true;
                usage(d->tool, "%s: %s", path, strerror(errno));
                return false;
        }
        good = journal_parse(d, at, f);
        fclose(f);
        if (!good)
                usage(d->tool, "%s is no record of a scan of %s; remove it to start anew", path, at->shown);
        return good;
}

struct listed {
        struct flight flight; /* first: it comes back as one */
        const char *key;
        bool yes;
};

static void got_list(struct flight *f, const roma_result *r)
{
        struct listed *l = (struct listed *)f;

        /* What cannot be asked is not passed over in silence. */
        l->yes = r->code != ROMA_OK || (r->list->count && !strcmp(r->list->entry[0].key, l->key));
}

/* Whether a list still names what is not there: then nobody removed it after the first list, its content is lost. On stores
 * with folders the same entry answers both questions. */
static bool still_listed(struct tool *t, const struct location *at)
{
        roma_list_opts opts = ROMA_LIST_OPTS_INIT;
        struct listed l = { .key = at->key };

        if (place_has_folders(at->place))
                return false;
        opts.stall_ms = t->opt.stall_ms;
        opts.deadline_ms = t->opt.deadline_ms;
        opts.max = 1;
        flight_track(t, &l.flight, got_list,
                     roma_aio_list(at->place->store, at->key, &opts, flight_done, &l.flight));
        flight_drive(t);
        return l.yes;
}

/* On stores without chunks, one after the other. What vanished since the list was made is nothing to report. */
static void others(struct diagnosis *d, const struct location *at, size_t cut, char **key, size_t n)
{
        const struct options *o = &d->tool->opt;

        for (size_t i = 0; i < n && !d->tool->stopping; i++) {
                struct location one = *at;
                enum verdict v;
                bool gone;

                one.key = key[i];
                one.shown = path_join(at->shown, key[i] + cut);
                v = inspect(d->tool, &one, NULL, o->verbose || o->json, &gone);
                if (gone && !d->tool->stopping && still_listed(d->tool, &one)) {
                        complain(d->tool, "diagnose: %s: lists name it, and it is not there", one.shown);
                        v = inspect(d->tool, &one, NULL, true, NULL);
                        gone = false;
                }
                free(one.shown);
                if (d->tool->stopping)
                        return;
                if (!gone)
                        count(d, v);
                free(d->after);
                d->after = need_copy(key[i]);
        }
        journal_write(d, at);
}

/* A few files side by side. What vanished since the list was made is nothing to report. */
static void batch(struct diagnosis *d, struct looker *l, const struct location *at, size_t cut, char **key,
                  size_t n)
{
        struct subject s[TOGETHER];

        if (!place_has_chunks(at->place)) {
                others(d, at, cut, key, n);
                return;
        }
        for (size_t i = 0; i < n; i++) {
                char *shown = path_join(at->shown, key[i] + cut);
                subject_init(d, l, &s[i], key[i], shown);
                free(shown);
        }
        examine_prepare(s, n);
        for (size_t i = 0; i < n; i++) {
                bool gone = !s[i].map && s[i].map_code == ROMA_ENOENT;
                if (!d->tool->stopping && !gone)
                        examine(&s[i]);
                if (!d->tool->stopping && !gone) {
                        if (examine_verdict(&s[i]) != CLEAN || d->tool->opt.verbose || d->tool->opt.json)
                                findings_print(d->tool, &s[i]);
                        count(d, examine_verdict(&s[i]));
                }
                examine_clear(&s[i]);
        }
        if (d->tool->stopping)
                return;
        free(d->after);
        d->after = need_copy(key[n - 1]);
        journal_write(d, at);
}

static bool page_of(struct diagnosis *d, struct looker *l, struct location *at, bool *more)
{
        struct page p = { .walk = { .at = at, .entry = entry, .max = PAGE } };
        bool good;

        p.walk.arg = &p;
        p.walk.after = d->after ? need_copy(d->after) : NULL;
        p.key = need(calloc(PAGE, sizeof(*p.key)));
        walk_start(d->tool, &p.walk);
        flight_drive(d->tool);
        good = !p.walk.failed;
        size_t cut = strlen(p.walk.prefix);
        for (size_t i = 0; good && i < p.n && !d->tool->stopping; i += TOGETHER)
                batch(d, l, at, cut, p.key + i, p.n - i < TOGETHER ? p.n - i : TOGETHER);
        *more = good && p.seen == PAGE && !d->tool->stopping;
        if (*more) {
                free(d->after);
                d->after = need_copy(p.last);
        }
        for (size_t i = 0; i < p.n; i++)
                free(p.key[i]);
        free(p.key);
        free(p.last);
        walk_clear(&p.walk);
        return good;
}

/* Where there are no folders the name is that of an object then, or of nothing: "0 files" would say that all is well. */
static void nothing_below(struct diagnosis *d, const struct location *at)
{
        if (at->slash)
                (void)walk_finds(d->tool, at, 0);
        else
                one(d, at);
}

static void tree(struct diagnosis *d, struct location *at)
{
        struct looker l;
        bool more = true, good = true;
        uint64_t before;

        if (!journal_read(d, at))
                return;
        before = d->files;
        looker_init(&l, d->tool, at->place);
        while (more && good)
                good = page_of(d, &l, at, &more);
        looker_free(&l);
        if (d->tool->stopping)
                return;
        if (good && !d->after && !at->no_name && !place_has_folders(at->place)) {
                nothing_below(d, at);
                return;
        }
        if (good && before && d->files == before)
                complain(d->tool,
                         "diagnose: %s is the record of a scan that had come to its end: no file was left to "
                         "look "
                         "at, and what is told is of then; remove it to start anew",
                         d->tool->opt.resume);
        if (d->tool->opt.json)
                return;
        out_name(d->tool, at->shown);
        out(d->tool, ": %llu files: %llu differ, %llu could not be judged\n", (unsigned long long)d->files,
            (unsigned long long)d->bad, (unsigned long long)d->unknown);
}

static void argument(struct diagnosis *d, struct location *at)
{
        struct tool *t = d->tool;
        const roma_opts opts = request_opts(t);
        struct answer a = { 0 };

        if (at->stdio) {
                usage(t, "standard input has no copies");
                return;
        }
        if ((!t->opt.recursive && !location_is_object(t, at)) || !location_open(t, at))
                return;
        if (!t->opt.recursive) {
                one(d, at);
                return;
        }
        if (!place_has_folders(at->place)) { /* all keys that begin so */
                tree(d, at);
                return;
        }
        ANSWER(t, &a, roma_aio_stat(at->place->store, at->key, 0, &opts, flight_done, &a.flight));
        answer_wait(t, &a);
        if (a.code != ROMA_OK)
                report_failure(t, &a.result, at->shown);
        else if (a.attr.type == ROMA_TYPE_DIR)
                tree(d, at);
        else
                one(d, at);
        answer_free(&a);
}

int cmd_diagnose(struct tool *t, int argc, char **argv)
{
        struct diagnosis d = { .tool = t };
        struct location at;

        if (argc < 1)
                return usage(t, "name at least one object on MooseFS, Ceph or S3");
        if (t->opt.against && (argc > 1 || t->opt.recursive))
                return usage(t, "--against compares one object with its original");
        if (t->opt.resume && (argc > 1 || !t->opt.recursive))
                return usage(t, "--resume is for the scan of one folder with -r");
        progress_start(t);
        d.has_original = t->opt.against != NULL;
        if (!d.has_original || original_open(t, &d.original, t->opt.against)) {
                for (int i = 0; i < argc && !t->stopping; i++) {
                        if (!location_parse(t, &at, argv[i]))
                                continue;
                        argument(&d, &at);
                        location_free(&at);
                }
        }
        original_close(&d.original);
        free(d.after);
        end(&d);
        return t->status;
}
