/* SPDX-License-Identifier: MIT */
/* roma upload begin|part|parts|complete|abort|ls: a multipart upload step by step, from as many processes as one likes. */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "tools/tool.h"

/* A list of parts, copied out of its callback. */
struct parts {
        struct flight flight;
        const struct location *at;
        roma_part *v;
        size_t n;
        bool failed;
};

static void parts_end(struct flight *f, const roma_result *r)
{
        struct parts *p = (struct parts *)f;
        const roma_part_list *l = r->extra;

        if (r->code) {
                report_failure(f->tool, r, p->at->shown);
                p->failed = true;
                return;
        }
        p->v = need(calloc(l->count + 1, sizeof(*p->v)));
        for (p->n = 0; p->n < l->count; p->n++) {
                p->v[p->n] = l->part[p->n];
                p->v[p->n].etag = need_copy(l->part[p->n].etag);
        }
}

static void parts_clear(struct parts *p)
{
        for (size_t i = 0; i < p->n; i++)
                free((char *)(uintptr_t)p->v[i].etag);
        free(p->v);
}

static bool parts_get(struct tool *t, const struct location *l, struct parts *p)
{
        const roma_opts opts = request_opts(t);

        *p = (struct parts){ .at = l };
        flight_track(t, &p->flight, parts_end,
                     roma_aio_upload_parts(l->place->store, l->key, t->opt.upload_id, &opts, flight_done,
                                           &p->flight));
        flight_drive(t);
        return !p->failed;
}

static json_t *described(const struct location *l, const char *id)
{
        json_t *o = json_of(json_object());

        json_name(o, "key", l->key);
        json_object_set_new(o, "upload_id", json_of(json_string(id)));
        return o;
}

static void json_part(json_t *o, const roma_part *p)
{
        json_object_set_new(o, "part", json_of(json_integer(p->number)));
        json_object_set_new(o, "length", json_of(json_integer((json_int_t)p->length)));
        json_object_set_new(o, "etag", json_of(json_string(p->etag)));
        if (p->mtime_ns)
                json_object_set_new(o, "mtime_ns", json_of(json_integer(p->mtime_ns)));
}

/* The steps */

static void begin(struct tool *t, const struct location *l, int argc, char **argv)
{
        roma_upload_opts o = ROMA_UPLOAD_OPTS_INIT;
        struct answer a = { 0 };

        (void)argc;
        (void)argv;
        o.stall_ms = t->opt.stall_ms;
        o.deadline_ms = t->opt.deadline_ms;
        o.flags = t->opt.parents ? ROMA_WRITER_PARENTS : 0;
        o.props = t->opt.props;
        o.n_props = t->opt.nprops;
        ANSWER(t, &a, roma_aio_upload_begin(l->place->store, l->key, &o, flight_done, &a.flight));
        if (answer_wait(t, &a) != ROMA_OK)
                report_failure(t, &a.result, l->shown);
        else if (t->opt.json)
                out_json(t, described(l, a.text));
        else
                out(t, "%s\n", a.text);
        answer_free(&a);
}

static void part(struct tool *t, const struct location *l, int argc, char **argv)
{
        roma_put_opts o = ROMA_PUT_OPTS_INIT;
        struct answer a = { 0 };

        if (argc != 1 || !t->opt.part) {
                usage(t, "part takes --part N and one local file, or - for standard input");
                return;
        }
        o.stall_ms = t->opt.stall_ms;
        o.deadline_ms = t->opt.deadline_ms;
        ANSWER(t, &a,
               roma_aio_upload_part_path(l->place->store, l->key, t->opt.upload_id, t->opt.part, argv[0],
                                         t->opt.offset, t->opt.length, &o, flight_done, &a.flight));
        if (answer_wait(t, &a) != ROMA_OK) {
                report_failure(t, &a.result, l->shown);
        } else if (t->opt.json) {
                const roma_part p = { t->opt.part, a.result.bytes, 0, a.attr.etag };
                json_t *j = described(l, t->opt.upload_id);

                json_part(j, &p);
                out_json(t, j);
        } else {
                out(t, "%u:%s\n", t->opt.part, a.attr.etag);
        }
        answer_free(&a);
}

static void list_parts(struct tool *t, const struct location *l, int argc, char **argv)
{
        struct parts p;

        (void)argc;
        (void)argv;
        if (parts_get(t, l, &p))
                for (size_t i = 0; i < p.n; i++) {
                        if (t->opt.json) {
                                json_t *o = described(l, t->opt.upload_id);

                                json_part(o, &p.v[i]);
                                out_json(t, o);
                        } else {
                                out(t, "%u:%s %" PRIu64 "\n", p.v[i].number, p.v[i].etag, p.v[i].length);
                        }
                }
        parts_clear(&p);
}

/* "3:0123...": a part and its ETag. */
static bool named_parts(struct tool *t, int n, char **argv, struct parts *p)
{
        *p = (struct parts){ .v = need(calloc((size_t)n + 1, sizeof(*p->v))) };
        for (int i = 0; i < n; i++) {
                char *end;
                unsigned long number = strtoul(argv[i], &end, 10);

                if (*end != ':' || !end[1] || !number || number > ROMA_MAX_PARTS) {
                        usage(t, "%s: a part is given as NUMBER:ETAG, as `roma upload part` prints it",
                              argv[i]);
                        return false;
                }
                p->v[p->n++] = (roma_part){ (unsigned)number, 0, 0, need_copy(end + 1) };
        }
        return true;
}

static void complete(struct tool *t, const struct location *l, int argc, char **argv)
{
        roma_complete_opts o = ROMA_COMPLETE_OPTS_INIT;
        struct answer a = { 0 };
        struct parts p;

        o.stall_ms = t->opt.stall_ms;
        o.deadline_ms = t->opt.deadline_ms;
        o.precondition = t->opt.if_absent ? ROMA_IF_ABSENT : t->opt.if_match ? ROMA_IF_MATCH : ROMA_ALWAYS;
        o.if_match = t->opt.if_match;
        if (argc ? !named_parts(t, argc, argv, &p) : !parts_get(t, l, &p)) {
                parts_clear(&p);
                return;
        }
        if (!p.n) {
                usage(t, "no part has been put yet, and an object is made of 1 at least");
                parts_clear(&p);
                return;
        }
        ANSWER(t, &a,
               roma_aio_upload_complete(l->place->store, l->key, t->opt.upload_id, p.v, p.n, &o, flight_done,
                                        &a.flight));
        if (answer_wait(t, &a) != ROMA_OK) {
                report_failure(t, &a.result, l->shown);
        } else if (t->opt.json) {
                json_t *j = described(l, t->opt.upload_id);

                json_object_set_new(j, "bytes", json_of(json_integer((json_int_t)a.result.bytes)));
                json_object_set_new(j, "etag", json_of(json_string(a.attr.etag)));
                out_json(t, j);
        } else if (t->opt.verbose) {
                out(t, "%" PRIu64 " bytes, %s\n", a.result.bytes, a.attr.etag);
        }
        answer_free(&a);
        parts_clear(&p);
}

static void give_up(struct tool *t, const struct location *l, int argc, char **argv)
{
        const roma_opts opts = request_opts(t);
        struct answer a = { 0 };

        (void)argc;
        (void)argv;
        ANSWER(t, &a,
               roma_aio_upload_abort(l->place->store, l->key, t->opt.upload_id, &opts, flight_done,
                                     &a.flight));
        if (answer_wait(t, &a) != ROMA_OK)
                report_failure(t, &a.result, l->shown);
        else if (t->opt.json)
                out_json(t, described(l, t->opt.upload_id));
        answer_free(&a);
}

/* ls */

struct listing {
        struct flight flight;
        const struct location *at;
        char *next;
        bool failed;
};

static void show(struct tool *t, const roma_upload *u)
{
        char when[40];

        if (t->opt.json) {
                json_t *o = json_of(json_object());

                json_name(o, "key", u->key);
                json_object_set_new(o, "upload_id", json_of(json_string(u->id)));
                json_object_set_new(o, "begun_ns", json_of(json_integer(u->begun_ns)));
                out_json(t, o);
                return;
        }
        format_time(when, u->begun_ns, false);
        out(t, "%s %s ", when, u->id);
        out_name(t, u->key);
        out(t, "\n");
}

static void page_end(struct flight *f, const roma_result *r)
{
        struct listing *s = (struct listing *)f;
        const roma_upload_list *l = r->extra;

        if (r->code) {
                report_failure(f->tool, r, s->at->shown);
                s->failed = true;
                return;
        }
        for (size_t i = 0; i < l->count; i++)
                show(f->tool, &l->upload[i]);
        free(s->next);
        s->next = l->next ? need_copy(l->next) : NULL;
}

static void list(struct tool *t, const struct location *l, int argc, char **argv)
{
        const roma_opts opts = request_opts(t);
        struct listing s = { .at = l };
        char *prefix = l->slash && *l->key ? need_format("%s/", l->key) : need_copy(l->key);

        (void)argc;
        (void)argv;
        do {
                flight_track(t, &s.flight, page_end,
                             roma_aio_upload_list(l->place->store, prefix, s.next, 0, &opts, flight_done,
                                                  &s.flight));
                flight_drive(t);
        } while (s.next && !s.failed && !t->stopping);
        free(s.next);
        free(prefix);
}

static const struct step {
        const char *name;
        void (*run)(struct tool *t, const struct location *l, int argc, char **argv);
        bool needs_id, needs_key, more;
        bool uri_last; /* part SOURCE URI; the others: URI [more] */
} steps[] = {
        { "begin", begin, false, true, false, false },     { "part", part, true, true, true, true },
        { "parts", list_parts, true, true, false, false }, { "complete", complete, true, true, true, false },
        { "abort", give_up, true, true, false, false },    { "ls", list, false, false, false, false },
        { NULL, NULL, false, false, false, false },
};

int cmd_upload(struct tool *t, int argc, char **argv)
{
        const struct step *s = steps;
        struct location l;
        const char *uri;

        while (argc && s->name && strcmp(s->name, argv[0]) != 0)
                s++;
        if (argc < 2 || !s->name)
                return usage(t, "say what: begin, part, parts, complete, abort or ls, and then a URI");
        if (s->needs_id && !t->opt.upload_id)
                return usage(t, "%s needs --upload-id, as `roma upload begin` printed it", s->name);
        if (!s->more && argc > 2)
                return usage(t, "%s takes one URI", s->name);
        uri = s->uri_last ? argv[argc - 1] : argv[1];
        if (!location_parse(t, &l, uri))
                return t->status;
        if (l.stdio || (s->needs_key && l.no_name))
                usage(t, "%s is no object", l.shown);
        else if ((!s->needs_key || location_is_object(t, &l)) && location_open(t, &l))
                s->run(t, &l, argc - 2, s->uri_last ? argv + 1 : argv + 2);
        location_free(&l);
        return t->status;
}
