/* SPDX-License-Identifier: MIT */
/* roma diagnose on stores other than MooseFS: what the store can say about an object, and what its bytes say. */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "tools/content.h"
#include "tools/inspect.h"

enum { STARTS = 3 };

struct finding {
        int weight; /* enum roma_remark_weight */
        const char *kind;
        char *text;
};

struct inspection {
        struct tool *tool;
        const struct location *at;
        struct original *o;
        roma_layout *y;
        struct answer answer; /* of the layout */
        struct content c;
        bool read, gone;
        struct finding *finding;
        size_t findings;
};

static void find(struct inspection *in, int weight, const char *kind, const char *format, ...)
        __attribute__((format(printf, 4, 5)));
static void find(struct inspection *in, int weight, const char *kind, const char *format, ...)
{
        char text[1024];
        va_list ap;

        va_start(ap, format);
        vsnprintf(text, sizeof(text), format, ap);
        va_end(ap);
        in->finding = need(realloc(in->finding, (in->findings + 1) * sizeof(*in->finding)));
        in->finding[in->findings++] = (struct finding){ weight, kind, need_copy(text) };
}

static bool is_s3(const struct inspection *in)
{
        return !strcmp(in->y->kind, "s3");
}

static bool said(const struct inspection *in, const char *kind)
{
        for (size_t i = 0; i < in->y->remarks; i++)
                if (!strcmp(in->y->remark[i].kind, kind))
                        return true;
        return false;
}

/* ---- what the bytes say ----------------------------------------------------------------------------------- */

static void judge_gaps(struct inspection *in)
{
        for (size_t i = 0; i < in->c.gaps; i++) {
                const struct content_gap *g = &in->c.gap[i];
                /* On S3 it is an answer of 5xx, which says nothing about the bytes. */
                bool bad = g->code == ROMA_ECORRUPT || (g->code == ROMA_ESERVERIO && !is_s3(in));

                find(in, bad ? ROMA_REMARK_BAD : ROMA_REMARK_UNKNOWN, "unreadable",
                     "bytes %" PRIu64 "-%" PRIu64 " could not be read: %s", g->at,
                     g->at + (g->len ? g->len - 1 : 0), g->message);
        }
        if (in->c.more_gaps)
                find(in, ROMA_REMARK_UNKNOWN, "unreadable", "and %zu more places could not be read",
                     in->c.more_gaps);
}

static bool is_md5(const char *etag)
{
        return strlen(etag) == 32 && strspn(etag, "0123456789abcdefABCDEF") == 32;
}

static void judge_etag(struct inspection *in)
{
        const struct content *c = &in->c;
        const char *etag = in->y->etag;

        if (said(in, "opaque-etag"))
                return;
        if (is_md5(etag)) {
                if (strcasecmp(etag, c->md5))
                        find(in, ROMA_REMARK_BAD, "etag",
                             "the ETag %s is the MD5 of what was put, and what is read has %s: put it again "
                             "from the original",
                             etag, c->md5);
        } else if (c->fits >= 0 && c->sizes) {
                find(in, ROMA_REMARK_NOTE, "etag",
                     "the bytes make the ETag %s with parts of %" PRIu64 " bytes", etag, c->size[c->fits]);
        } else if (c->sizes) {
                find(in, ROMA_REMARK_UNKNOWN, "etag",
                     "the ETag %s does not come out of the bytes with likely lengths of parts (%zu tried): "
                     "other lengths, or other bytes. Only the original can tell (--against)",
                     etag, c->sizes);
        } else if (c->known && c->fits < 0) {
                find(in, ROMA_REMARK_BAD, "etag",
                     "the bytes of the parts do not make the ETag %s: put it again from the original", etag);
        } else if (!c->known && strchr(etag, '-')) {
                find(in, ROMA_REMARK_UNKNOWN, "etag",
                     "the ETag %s is of parts of which not all lengths are known, so nothing is known about "
                     "the bytes. Only the original can tell (--against)",
                     etag);
        } else if (!c->known) {
                find(in, ROMA_REMARK_UNKNOWN, "etag",
                     "the ETag %s is no MD5, so nothing is known about the bytes", *etag ? etag : "(none)");
        }
}

/* All bytes were read, and they are the original's. */
static bool proved(const struct inspection *in)
{
        const struct content *c = &in->c;

        if (!in->o || !in->read || !*c->md5 || c->runs)
                return false;
        return in->o->md5[0] ? !strcmp(in->o->md5, c->md5) : in->o->length == in->y->length;
}

static void judge_sums(struct inspection *in)
{
        const struct content *c = &in->c;

        if (!*c->md5)
                return;
        if (in->y->whole_known && in->y->whole_crc != c->crc)
                find(in, ROMA_REMARK_BAD, "crc32",
                     "the CRC-32 that is kept for all bytes is %08x, and what is read has %08x: put it again "
                     "from the original",
                     in->y->whole_crc, c->crc);
        if (is_s3(in))
                judge_etag(in);
        if (in->o && in->o->md5[0] && strcmp(in->o->md5, c->md5))
                find(in, ROMA_REMARK_BAD, "md5",
                     "the MD5 is %s, that of the original %s; only the original itself can show where",
                     c->md5, in->o->md5);
        if (is_s3(in) && proved(in))
                find(in, ROMA_REMARK_NOTE, "original",
                     "all bytes were read, and they are those of the original");
}

static const roma_piece *piece_at(const roma_layout *y, uint64_t at)
{
        uint64_t n;

        if (y->stripe_count > 1) {
                n = at / (y->object_size * y->stripe_count) * y->stripe_count +
                    at / y->stripe_unit % y->stripe_count;
                return n < y->pieces ? &y->piece[n] : NULL;
        }
        for (size_t i = 0; i < y->pieces; i++)
                if (at >= y->piece[i].offset && at - y->piece[i].offset < y->piece[i].length)
                        return &y->piece[i];
        return NULL;
}

/* Reading, and the judging of it. */
static void look_inside(struct inspection *in)
{
        struct original *whole = in->o && !in->o->md5[0] ? in->o : NULL;
        bool scan = whole || in->o || in->tool->opt.deep || is_s3(in);

        if (whole && whole->length != in->y->length)
                find(in, ROMA_REMARK_BAD, "length", "it has %" PRIu64 " bytes, the original %" PRIu64,
                     in->y->length, whole->length);
        if (!scan) {
                find(in, ROMA_REMARK_NOTE, "unread",
                     "no bytes were read: --deep reads all copies, --against compares with the original");
                return;
        }
        content_read(in->tool, &in->c, in->at, whole, in->y);
        in->read = true;
        judge_gaps(in);
        judge_sums(in);
        if (!in->c.done && !in->c.gaps)
                find(in, ROMA_REMARK_UNKNOWN, "unreadable",
                     "not all of it, or of the original, could be read");
}

/* What is not known by itself, and does not matter when all bytes are right: a hole of CephFS that reads as the original does,
 * an ETag of S3 from which nothing follows. */
static bool settles(const struct inspection *in, const char *kind)
{
        if (is_s3(in))
                return !strcmp(kind, "opaque-etag") || !strcmp(kind, "etag");
        return !strcmp(in->y->kind, "cephfs") && (!strcmp(kind, "missing") || !strcmp(kind, "size"));
}

static int weight_of(const struct inspection *in, int weight, const char *kind)
{
        if (weight == ROMA_REMARK_UNKNOWN && proved(in) && settles(in, kind))
                return ROMA_REMARK_NOTE;
        return weight;
}

static enum verdict verdict_of(const struct inspection *in)
{
        int worst = ROMA_REMARK_NOTE;

        if (!in->y)
                return in->answer.code == ROMA_ECORRUPT ? DIFFERS : CANNOT_TELL;
        if (in->read && in->c.runs)
                return DIFFERS;
        for (size_t i = 0; i < in->findings; i++) {
                int w = weight_of(in, in->finding[i].weight, in->finding[i].kind);
                worst = w > worst ? w : worst;
        }
        for (size_t i = 0; i < in->y->remarks; i++) {
                int w = weight_of(in, in->y->remark[i].weight, in->y->remark[i].kind);
                worst = w > worst ? w : worst;
        }
        return worst == ROMA_REMARK_BAD ? DIFFERS : worst == ROMA_REMARK_UNKNOWN ? CANNOT_TELL : CLEAN;
}

/* ---- output ----------------------------------------------------------------------------------------------- */

static const char *const verdicts[] = { [CLEAN] = "clean", [DIFFERS] = "differs", [CANNOT_TELL] = "unknown" };

static void add(json_t *o, const char *field, uint64_t value)
{
        json_object_set_new(o, field, json_of(json_integer((json_int_t)value)));
}

static json_t *run_json(const struct inspection *in, const struct content_run *r)
{
        const roma_piece *p = piece_at(in->y, r->at);
        json_t *o = json_of(json_object());

        json_name(o, "kind", "blocks");
        add(o, "first_block", r->first);
        add(o, "blocks", r->count);
        json_name(o, "pattern", dg_pattern_name(r->pattern));
        json_name(o, "reference", "original");
        add(o, "first_difference", r->at);
        if (r->count == 1)
                add(o, "end_of_difference", r->end);
        if (r->pattern == DG_SHIFT)
                json_object_set_new(o, "shift", json_of(json_integer(r->detail)));
        if (p) {
                json_name(o, "object", p->name);
                json_name(o, "group", p->group);
        }
        return o;
}

static json_t *finding_json(int weight, const char *kind, int64_t piece, const char *text)
{
        const roma_remark r = { .weight = weight, .kind = kind, .piece = piece, .text = text };

        return pieces_remark_json(&r);
}

static void print_json(struct inspection *in)
{
        json_t *o = json_of(json_object()), *list = json_of(json_array());
        const roma_layout *y = in->y;

        json_name(o, "key", in->at->shown);
        json_name(o, "verdict", verdicts[verdict_of(in)]);
        if (!y)
                json_name(o, "message", in->answer.message ? in->answer.message : "");
        if (y) {
                json_name(o, "kind", y->kind);
                add(o, "length", y->length);
                if (in->o && !in->o->md5[0])
                        add(o, "original_length", in->o->length);
                if (in->read && *in->c.md5)
                        json_name(o, "md5", in->c.md5);
                if (*y->etag)
                        json_name(o, "etag", y->etag);
                json_name(o, "pool", y->pool);
                add(o, "pieces", y->pieces);
                for (size_t i = 0; in->read && i < in->c.runs; i++)
                        json_array_append_new(list, run_json(in, &in->c.run[i]));
                for (size_t i = 0; i < in->findings; i++)
                        json_array_append_new(
                                list, finding_json(weight_of(in, in->finding[i].weight, in->finding[i].kind),
                                                   in->finding[i].kind, -1, in->finding[i].text));
                for (size_t i = 0; i < y->remarks; i++)
                        json_array_append_new(
                                list, finding_json(weight_of(in, y->remark[i].weight, y->remark[i].kind),
                                                   y->remark[i].kind, y->remark[i].piece, y->remark[i].text));
                if (in->read && in->c.more_runs)
                        add(o, "findings_not_shown", in->c.more_runs);
        }
        json_object_set_new(o, "findings", list);
        out_json(in->tool, o);
}

static void print_run(struct inspection *in, const struct content_run *r)
{
        const roma_piece *p = piece_at(in->y, r->at);
        struct tool *t = in->tool;

        out(t, "  bytes %" PRIu64 "-%" PRIu64 ": %s", r->first * DG_BLOCK,
            (r->first + r->count) * DG_BLOCK < in->y->length ? (r->first + r->count) * DG_BLOCK - 1
                                                             : in->y->length - 1,
            dg_pattern_text(r->pattern));
        if (r->pattern == DG_SHIFT)
                out(t, " by %lld bytes %s", (long long)(r->detail < 0 ? -r->detail : r->detail),
                    r->detail < 0 ? "to the front" : "to the back");
        else if (r->pattern == DG_BIT)
                out(t, ": bit %d", (int)(r->detail % 8));
        out(t, "\n    first difference at byte %" PRIu64, r->at);
        if (p) {
                out(t, ", in ");
                out_name(t, p->name);
                if (*p->group)
                        out(t, " (pg %s)", p->group);
        }
        out(t, "\n");
}

static void print_text(struct inspection *in)
{
        static const char *const words[] = { "note", "not known", "wrong" };
        enum verdict v = verdict_of(in);
        struct tool *t = in->tool;
        const roma_layout *y = in->y;

        if (v == CLEAN && t->opt.quiet)
                return;
        out_name(t, in->at->shown);
        if (!y) {
                out(t, v == DIFFERS ? ": DIFFERS\n" : ": could not be looked at\n");
                complain(t, "%s", in->answer.message ? in->answer.message : "interrupted");
                return;
        }
        out(t, ": %s: %" PRIu64 " bytes, %zu %s%s%s%s\n",
            v == CLEAN     ? "clean"
            : v == DIFFERS ? "DIFFERS"
                           : "cannot tell",
            y->length, y->pieces, is_s3(in) ? "part" : "object", y->pieces == 1 ? "" : "s",
            in->read && *in->c.md5 ? ", md5 " : "", in->read ? in->c.md5 : "");
        for (size_t i = 0; in->read && i < in->c.runs; i++)
                print_run(in, &in->c.run[i]);
        if (in->read && in->c.more_runs)
                out(t, "  and %zu more blocks\n", in->c.more_runs);
        for (size_t i = 0; i < in->findings; i++)
                out(t, "  %s: %s\n", words[weight_of(in, in->finding[i].weight, in->finding[i].kind)],
                    in->finding[i].text);
        for (size_t i = 0; i < y->remarks; i++) {
                int w = weight_of(in, y->remark[i].weight, y->remark[i].kind);
                out(t, "  %s: %s\n", words[w >= 0 && w < 3 ? w : 1], y->remark[i].text);
        }
}

/* ---- all of it -------------------------------------------------------------------------------------------- */

static void forget(struct inspection *in)
{
        for (size_t i = 0; i < in->findings; i++)
                free(in->finding[i].text);
        free(in->finding);
        in->finding = NULL;
        in->findings = 0;
        if (in->read)
                content_clear(&in->c);
        in->read = false;
        roma_layout_unref(in->y);
        in->y = NULL;
        answer_free(&in->answer);
        memset(&in->answer, 0, sizeof(in->answer));
}

/* enum roma_code */
static int stat_of(struct inspection *in, roma_attr *attr, char **message)
{
        const roma_opts opts = request_opts(in->tool);
        struct answer a = { 0 };
        int code;

        ANSWER(in->tool, &a,
               roma_aio_stat(in->at->place->store, in->at->key, 0, &opts, flight_done, &a.flight));
        answer_wait(in->tool, &a);
        code = a.code;
        *attr = a.attr;
        if (message)
                *message = need_copy(a.message ? a.message : "");
        answer_free(&a);
        return code;
}

/* It is not there: what was seen of it while it went away means nothing. Takes the message. */
static void set_gone(struct inspection *in, char *message)
{
        forget(in);
        in->gone = true;
        in->answer.code = ROMA_ENOENT;
        in->answer.message = message;
}

/* False: it was changed while it was looked at. */
static bool once(struct inspection *in)
{
        unsigned flags =
                ROMA_LAYOUT_LOOK | ROMA_LAYOUT_NOTED | (in->tool->opt.deep ? ROMA_LAYOUT_COPIES : 0u);
        roma_attr before, after;
        bool there = stat_of(in, &before, NULL) == ROMA_OK;
        char *message;
        int code;

        in->gone = false;
        in->y = pieces_of(in->tool, &in->answer, in->at, flags);
        if (in->y && !in->tool->stopping)
                look_inside(in);
        if (in->tool->stopping)
                return true;
        code = stat_of(in, &after, &message);
        if (code == ROMA_ENOENT) {
                set_gone(in, message);
                return true;
        }
        free(message);
        if (!there || code != ROMA_OK || in->tool->stopping)
                return true;
        return before.length == after.length && before.mtime_ns == after.mtime_ns &&
               !strcmp(before.etag, after.etag);
}

enum verdict inspect(struct tool *t, const struct location *at, struct original *o, bool always, bool *gone)
{
        struct inspection in = { .tool = t, .at = at, .o = o };
        enum verdict v;
        bool still = false;

        for (int i = 0; i < STARTS && !still && !t->stopping; i++) {
                forget(&in);
                still = once(&in);
        }
        if (!still && in.y)
                find(&in, ROMA_REMARK_UNKNOWN, "busy",
                     "it changes while it is looked at; look again when that is over");
        v = still || !in.y ? verdict_of(&in) : CANNOT_TELL;
        if (gone)
                *gone = in.gone;
        if (!t->stopping && (always || v != CLEAN) && !(gone && in.gone)) {
                if (t->opt.json)
                        print_json(&in);
                else
                        print_text(&in);
                out_flush(t);
        }
        forget(&in);
        return v;
}
