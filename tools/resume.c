/* SPDX-License-Identifier: MIT */
/* put --resume: a local file as a multipart upload that outlives an interruption. An upload of the same name that has not
 * ended is taken up: of its parts those stay whose MD5 is that of their piece of the file now. Its attributes stay too, which is said,
 * and looked at in the end. */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>

#include "tools/tool.h"

enum { PART = 16 << 20, CHUNK = 64 << 20, AT_ONCE = 4 };

struct resume {
        struct tool *tool;
        struct end from, to;
        struct stat was;
        char *id;
        int64_t begun_ns;
        uint64_t part; /* bytes of one */
        unsigned n;
        roma_part *v;     /* all that are to be there, etag NULL: not yet */
        unsigned kept;    /* that were there */
        roma_part *found; /* of the upload that was taken up */
        size_t founds;
        bool failed;
        bool taken_up;    /* the upload was there before us */
        bool gone;        /* and it has ended: nothing can be put to it */
        uint64_t counted; /* bytes that the bar has been told */
        char *next;       /* while uploads are listed */
        struct pool pool;
};

struct piece {
        struct task task; /* first */
        struct flight flight;
        struct resume *r;
        roma_part *part;
        uint64_t offset, counted;
        const char *known; /* ETag of the part that is there */
};

/* Finding the upload */

struct asking {
        struct flight flight; /* first */
        struct resume *r;
};

static void uploads_end(struct flight *f, const roma_result *res)
{
        struct resume *r = ((struct asking *)f)->r;
        const roma_upload_list *l = res->extra;

        free(r->next);
        r->next = NULL;
        if (res->code) {
                report_failure(r->tool, res, r->to.shown);
                r->failed = true;
                return;
        }
        for (size_t i = 0; i < l->count; i++) {
                const roma_upload *u = &l->upload[i];

                if (strcmp(u->key, r->to.key) || (r->id && u->begun_ns < r->begun_ns))
                        continue;
                free(r->id);
                r->id = need_copy(u->id);
                r->begun_ns = u->begun_ns;
        }
        r->next = l->next ? need_copy(l->next) : NULL;
}

static void find_upload(struct resume *r)
{
        const roma_opts o = request_opts(r->tool);
        struct asking a = { .r = r };

        do {
                flight_track(r->tool, &a.flight, uploads_end,
                             roma_aio_upload_list(r->to.place->store, r->to.key, r->next, 0, &o, flight_done,
                                                  &a.flight));
                flight_drive(r->tool);
        } while (r->next && !r->failed && !r->tool->stopping);
}

static void parts_end(struct flight *f, const roma_result *res)
{
        struct resume *r = ((struct asking *)f)->r;
        const roma_part_list *l = res->extra;

        if (res->code == ROMA_ENOENT) { /* it has ended meanwhile */
                free(r->id);
                r->id = NULL;
                return;
        }
        if (res->code) {
                report_failure(r->tool, res, r->to.shown);
                r->failed = true;
                return;
        }
        r->found = need(calloc(l->count + 1, sizeof(*r->found)));
        for (r->founds = 0; r->founds < l->count; r->founds++) {
                r->found[r->founds] = l->part[r->founds];
                r->found[r->founds].etag = need_copy(l->part[r->founds].etag);
        }
}

static void parts_forget(struct resume *r)
{
        for (unsigned i = 0; i < r->n; i++)
                free((char *)(uintptr_t)r->v[i].etag);
        for (size_t i = 0; i < r->founds; i++)
                free((char *)(uintptr_t)r->found[i].etag);
        free(r->v);
        free(r->found);
        r->v = r->found = NULL;
        r->n = r->kept = 0;
        r->founds = 0;
}

static void find_parts(struct resume *r)
{
        const roma_opts o = request_opts(r->tool);
        struct asking a = { .r = r };

        flight_track(r->tool, &a.flight, parts_end,
                     roma_aio_upload_parts(r->to.place->store, r->to.key, r->id, &o, flight_done, &a.flight));
        flight_drive(r->tool);
}

static void begin(struct resume *r)
{
        struct tool *t = r->tool;
        roma_upload_opts o = ROMA_UPLOAD_OPTS_INIT;
        roma_attr attr = ROMA_ATTR_INIT;
        struct answer a = { 0 };

        o.stall_ms = t->opt.stall_ms;
        o.deadline_ms = t->opt.deadline_ms;
        o.flags = t->opt.parents ? ROMA_WRITER_PARENTS : 0;
        o.props = t->opt.props;
        o.n_props = t->opt.nprops;
        if (t->opt.keep_times) {
                attr.mask = ROMA_ATTR_MODE | ROMA_ATTR_MTIME;
                attr.mode = r->was.st_mode & 07777;
                attr.mtime_ns = (int64_t)r->was.st_mtim.tv_sec * 1000000000 + r->was.st_mtim.tv_nsec;
                o.attr = &attr;
        }
        ANSWER(t, &a, roma_aio_upload_begin(r->to.place->store, r->to.key, &o, flight_done, &a.flight));
        if (answer_wait(t, &a) == ROMA_OK) {
                r->id = need_copy(a.text);
        } else {
                report_failure(t, &a.result, r->to.shown);
                r->failed = true;
        }
        answer_free(&a);
}

/* Parts of a MooseFS are chunks, which are joined without moving data. */
static uint64_t usual_part(const struct resume *r)
{
        uint64_t n = roma_store_caps(r->to.place->store) & ROMA_CAP_REPLICAS ? CHUNK : PART;

        while ((uint64_t)r->was.st_size / n >= ROMA_MAX_PARTS)
                n *= 2;
        return n;
}

/* As long as they were, when the first is there to tell. */
static void choose_part(struct resume *r)
{
        uint64_t length = (uint64_t)r->was.st_size;

        r->part = usual_part(r);
        if (r->founds && r->found[0].number == 1 && r->found[0].length &&
            length / r->found[0].length < ROMA_MAX_PARTS)
                r->part = r->found[0].length;
        r->n = (unsigned)((length + r->part - 1) / r->part);
        r->v = need(calloc(r->n + 1, sizeof(*r->v)));
        for (unsigned i = 0; i < r->n; i++) {
                r->v[i].number = i + 1;
                r->v[i].length = i + 1 < r->n ? r->part : length - i * r->part;
        }
}

/* Pieces */

static struct piece *of_flight(struct flight *f)
{
        return (struct piece *)((char *)f - offsetof(struct piece, flight));
}

static void piece_drop(struct task *task)
{
        free(task);
}

static void piece_end(struct piece *p)
{
        struct pool *pool = p->task.pool;

        piece_drop(&p->task);
        task_finished(pool);
}

static void piece_fail(struct piece *p, const roma_result *res)
{
        p->r->failed = true;
        /* Whatever became of a part when the program is ended: the upload stays, which is said once. */
        if (!p->r->tool->stopping || res->code != ROMA_ECANCELED)
                report_failure(p->r->tool, res, p->r->from.shown);
        piece_end(p);
}

static void counted(void *arg, uint64_t done, uint64_t total)
{
        struct piece *p = arg;

        (void)total;
        progress_bytes(p->r->tool, (int64_t)(done - p->counted));
        p->r->counted += done - p->counted;
        p->counted = done;
}

static void piece_put(struct flight *f, const roma_result *res)
{
        struct piece *p = of_flight(f);

        /* A complete of it was killed while it removed the parts: the upload is listed, and can take none any more. */
        if (res->code == ROMA_ENOENT && p->r->taken_up) {
                p->r->gone = true;
                piece_end(p);
                return;
        }
        if (res->code != ROMA_OK) {
                piece_fail(p, res);
                return;
        }
        counted(p, p->part->length, 0);
        p->part->etag = need_copy(res->attr->etag);
        piece_end(p);
}

static void put_it(struct piece *p)
{
        struct resume *r = p->r;
        roma_put_opts o = ROMA_PUT_OPTS_INIT;

        o.stall_ms = r->tool->opt.stall_ms;
        o.deadline_ms = r->tool->opt.deadline_ms;
        o.progress = counted;
        o.progress_arg = p;
        flight_track(r->tool, &p->flight, piece_put,
                     roma_aio_upload_part_path(r->to.place->store, r->to.key, r->id, p->part->number,
                                               r->from.path, p->offset, p->part->length, &o, flight_done,
                                               &p->flight));
}

static void piece_hashed(struct flight *f, const roma_result *res)
{
        struct piece *p = of_flight(f);

        if (res->code != ROMA_OK) {
                piece_fail(p, res);
        } else if (res->bytes == p->part->length && !strcasecmp(res->text, p->known)) {
                counted(p, p->part->length, 0);
                p->part->etag = need_copy(p->known);
                p->r->kept++;
                piece_end(p);
        } else if (p->r->tool->stopping || p->r->gone) {
                piece_end(p);
        } else {
                put_it(p);
        }
}

static void piece_left(struct flight *f, const roma_result *res)
{
        (void)res;
        piece_end(of_flight(f));
}

static void piece_start(struct task *task)
{
        struct piece *p = (struct piece *)task;
        struct resume *r = p->r;
        const roma_opts o = request_opts(r->tool);

        for (size_t i = 0; i < r->founds; i++)
                if (r->found[i].number == p->part->number && r->found[i].length == p->part->length)
                        p->known = r->found[i].etag;
        if (r->gone)
                flight_track(r->tool, &p->flight, piece_left,
                             roma_aio_sleep(r->tool->loop, 0, flight_done, &p->flight));
        else if (p->known)
                flight_track(r->tool, &p->flight, piece_hashed,
                             roma_aio_hash_path(r->to.place->store, r->from.path, p->offset, p->part->length,
                                                ROMA_MD5, &o, flight_done, &p->flight));
        else
                put_it(p);
}

static void put_pieces(struct resume *r)
{
        unsigned jobs = r->tool->opt.jobs < AT_ONCE ? r->tool->opt.jobs : AT_ONCE;

        pool_init(&r->pool, r->tool, jobs);
        for (unsigned i = 0; i < r->n; i++) {
                struct piece *p = need_zeroed(sizeof(*p));

                p->task.start = piece_start;
                p->task.drop = piece_drop;
                p->r = r;
                p->part = &r->v[i];
                p->offset = i * r->part;
                pool_add(&r->pool, &p->task);
        }
        flight_drive(r->tool);
}

/* The end */

static bool is_unchanged(struct resume *r)
{
        struct stat now;

        if (stat(r->from.path, &now) == 0 && now.st_size == r->was.st_size &&
            now.st_mtim.tv_sec == r->was.st_mtim.tv_sec && now.st_mtim.tv_nsec == r->was.st_mtim.tv_nsec)
                return true;
        complain(r->tool,
                 "put %s: it has changed while it was read, so it was not completed; --resume once more",
                 r->from.shown);
        status_raise(r->tool, EXIT_INTEGRITY);
        return false;
}

static bool verify(struct resume *r)
{
        struct tool *t = r->tool;
        const roma_opts o = request_opts(t);
        struct answer here = { 0 }, there = { 0 };
        bool good = false;

        ANSWER(t, &here,
               roma_aio_hash_path(r->to.place->store, r->from.path, 0, ROMA_SIZE_UNKNOWN, t->opt.verify, &o,
                                  flight_done, &here.flight));
        ANSWER(t, &there,
               roma_aio_hash(r->to.place->store, r->to.key, t->opt.verify, &o, flight_done, &there.flight));
        answer_wait(t, &here);
        answer_wait(t, &there);
        if (here.code) {
                report_failure(t, &here.result, r->from.shown);
        } else if (there.code) {
                report_failure(t, &there.result, r->to.shown);
        } else if (strcmp(here.text, there.text) != 0) {
                complain(
                        t,
                        "put %s: the object read back has %s, the source has %s: it is damaged; put it again",
                        r->to.shown, there.text, here.text);
                status_raise(t, EXIT_INTEGRITY);
        } else {
                good = true;
        }
        answer_free(&here);
        answer_free(&there);
        return good;
}

static void report(struct resume *r, const struct answer *a)
{
        struct tool *t = r->tool;

        if (t->opt.json) {
                json_t *o = json_of(json_object());

                json_name(o, "source", r->from.shown);
                json_name(o, "destination", r->to.shown);
                json_object_set_new(o, "bytes", json_of(json_integer((json_int_t)r->was.st_size)));
                json_object_set_new(o, "parts", json_of(json_integer(r->n)));
                json_object_set_new(o, "kept", json_of(json_integer(r->kept)));
                json_object_set_new(o, "etag", json_of(json_string(a->attr.etag)));
                out_json(t, o);
        } else if (t->opt.verbose) {
                out_name(t, r->from.shown);
                out(t, " -> ");
                out_name(t, r->to.shown);
                out(t, " (%" PRIu64 " bytes, %u of %u parts were there)\n", (uint64_t)r->was.st_size, r->kept,
                    r->n);
        }
}

static void shown(struct resume *r, const struct answer *a)
{
        if (r->taken_up)
                kept_check(r->tool, &r->to, &r->was);
        report(r, a);
}

static void complete(struct resume *r)
{
        struct tool *t = r->tool;
        roma_complete_opts o = ROMA_COMPLETE_OPTS_INIT;
        struct answer a = { 0 };

        o.stall_ms = t->opt.stall_ms;
        o.deadline_ms = t->opt.deadline_ms;
        o.precondition = t->opt.if_absent ? ROMA_IF_ABSENT : t->opt.if_match ? ROMA_IF_MATCH : ROMA_ALWAYS;
        o.if_match = t->opt.if_match;
        ANSWER(t, &a,
               roma_aio_upload_complete(r->to.place->store, r->to.key, r->id, r->v, r->n, &o, flight_done,
                                        &a.flight));
        answer_wait(t, &a);
        /* With a condition, and perhaps done: then a second try would only say that it does not hold. */
        if (a.code == ROMA_ENOENT && r->taken_up && !(o.precondition && a.result.outcome == ROMA_UNKNOWN))
                r->gone = true;
        else if (a.code != ROMA_OK)
                report_failure(t, &a.result, r->to.shown);
        else if (!t->opt.verify || verify(r))
                shown(r, &a);
        answer_free(&a);
}

static void resume_clear(struct resume *r)
{
        parts_forget(r);
        free(r->id);
        free(r->next);
        end_free(&r->from);
        end_free(&r->to);
}

static bool goes_on(const struct resume *r)
{
        return !r->failed && !r->tool->stopping;
}

static void put_all(struct resume *r)
{
        choose_part(r);
        put_pieces(r);
        if (!goes_on(r))
                complain(r->tool, "put %s: what was put stays in upload %s; --resume goes on from there",
                         r->to.shown, r->id);
        else if (!r->gone && is_unchanged(r))
                complete(r);
}

/* What was left of the upload is for gc: its object may have been shown, and only the same complete could tell. */
static void forget(struct resume *r)
{
        parts_forget(r);
        free(r->id);
        r->id = NULL;
        r->taken_up = r->gone = false;
        progress_bytes(r->tool, -(int64_t)r->counted);
        r->counted = 0;
}

/* For sentences: "", or when it was begun. */
static const char *begun_text(const struct resume *r, char out[64])
{
        char time[40];

        out[0] = 0;
        if (r->begun_ns) {
                format_time(time, r->begun_ns, false);
                snprintf(out, 64, " of %s", time);
        }
        return out;
}

/* Parts as long as its first cannot all be completed there: that would be told when everything has been sent. */
static bool is_hopeless(struct resume *r)
{
        const uint64_t part = r->founds && r->found[0].number == 1 ? r->found[0].length : 0;
        const uint64_t length = (uint64_t)r->was.st_size;
        uint64_t least, most;
        char has[16], wants[16], begun[64];
        bool is_short;

        roma_upload_part_limits(r->to.place->store, &least, &most);
        is_short = part < least && part < length;
        if (!part || (!is_short && (part <= most || length <= most)))
                return false;
        format_size(has, part);
        format_size(wants, is_short ? least : most);
        complain(r->tool,
                 "put %s: the upload %s%s is not taken up, since its first part has %s, and there parts have "
                 "%s %s: a new one is begun, and `roma gc` removes that one in time",
                 r->to.shown, r->id, begun_text(r, begun), has, is_short ? "at least" : "at most", wants);
        return true;
}

static void take_up(struct resume *r)
{
        const bool attributes = roma_store_caps(r->to.place->store) & ROMA_CAP_PROPS;
        char begun[64];

        r->taken_up = true;
        if (attributes || r->tool->opt.keep_times)
                complain(r->tool,
                         "put %s: goes on with the upload %s%s, so the object gets the %s that were given "
                         "then (without --resume it is put anew)",
                         r->to.shown, r->id, begun_text(r, begun),
                         attributes ? "type, metadata and other attributes" : "mode and times");
}

static void run(struct resume *r)
{
        find_upload(r);
        if (r->id && goes_on(r))
                find_parts(r);
        progress_expect(r->tool, 1, (int64_t)r->was.st_size);
        if (r->id && goes_on(r) && is_hopeless(r))
                forget(r);
        else if (r->id && goes_on(r))
                take_up(r);
        if (r->taken_up && goes_on(r))
                put_all(r);
        if (r->gone && goes_on(r))
                forget(r);
        if (!r->id && goes_on(r))
                begin(r);
        if (!r->taken_up && r->id && goes_on(r))
                put_all(r);
        progress_file(r->tool);
}

/* What is short needs no parts. */
static void put_whole(struct resume *r)
{
        struct transfer *x = transfer_new(r->tool, &r->from, &r->to);

        r->from = r->to = (struct end){ 0 };
        pool_init(&r->pool, r->tool, 1);
        transfer_add(&r->pool, x);
        flight_drive(r->tool);
}

static void one(struct tool *t, const struct target *target, const char *arg)
{
        struct resume r = { .tool = t };
        struct location from;

        if (!location_parse(t, &from, arg))
                return;
        if (from.stdio || stat(arg, &r.was) < 0 || !S_ISREG(r.was.st_mode)) {
                usage(t, "%s: only a regular file can be put with --resume", from.shown);
        } else if (location_open(t, &from)) {
                location_end(&from, "", &r.from);
                target_end(target, &from, "", &r.to);
                if ((uint64_t)r.was.st_size <= usual_part(&r))
                        put_whole(&r);
                else
                        run(&r);
        }
        resume_clear(&r);
        location_free(&from);
}

int resume_put(struct tool *t, int argc, char **argv)
{
        struct target target;

        if (t->opt.recursive)
                return usage(t, "--resume takes files, not folders; `roma sync` goes on with a folder");
        if (t->opt.verify == ROMA_REPLICAS)
                return usage(
                        t,
                        "with --resume an object is verified by reading it: --verify=md5, sha256 or crc32");
        if (!target_find(t, &target, argv[argc - 1], argc - 1))
                return t->status;
        if (target.at.stdio || target.at.path) {
                usage(t, "%s is local: --resume is for stores that are far away", target.at.shown);
        } else {
                progress_start(t);
                for (int i = 0; i + 1 < argc && !t->stopping; i++)
                        one(t, &target, argv[i]);
                progress_stop(t);
        }
        location_free(&target.at);
        return t->status;
}
