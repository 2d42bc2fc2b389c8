/* SPDX-License-Identifier: MIT */
/* A copy that the server makes, within a bucket or from one bucket of it to another: no byte comes here. The source is looked
 * at, and each request names its ETag, so that all of the copy is of that version. Up to a limit of the server it is one
 * request; above it a multipart upload whose parts are ranges of the source. At the end the copy is looked at. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "core/compose.h"
#include "core/props.h"
#include "s3compat/store.h"

enum { PART = 256 << 20, IN_FLIGHT = 4 };
#define REPLACED "the source was replaced while it was copied: copy it again"

struct range {
        struct copying *c;
        struct s3_request *r; /* NULL: not in flight */
        char etag[80];        /* "": not there yet */
};

struct copying {
        struct s3_steps steps; /* looking, copying */
        struct s3_store *st, *from;
        char *from_key, *key, *match, *none_match;
        struct ri_props *asked; /* by the caller */
        struct ri_props *props; /* of the copy, with the source's; NULL: not yet */
        bool keep_times, itself, bare;
        roma_progress *progress;
        void *progress_arg;
        uint64_t done;
        roma_attr was; /* the source */
        bool opaque;   /* its ETag is no MD5 */
        roma_op child; /* begin, complete, abort */
        bool joining;  /* it is complete */
        char *upload;  /* id; NULL: none is open */
        struct range *range;
        unsigned n, next, in_flight;
        uint64_t part;
        struct ri_error why;
        char etag[80]; /* of the copy, from the answer */
};

static void more(struct copying *c);

/* Life */

static void ranges_stop(struct copying *c)
{
        for (unsigned i = 0; i < c->n; i++) {
                s3_request_free(c->range[i].r);
                c->range[i].r = NULL;
        }
        c->in_flight = 0;
}

static void copying_drop(struct s3_steps *s)
{
        struct copying *c = (struct copying *)s;

        if (c->range)
                ranges_stop(c);
        free(c->range);
        free(c->from_key);
        free(c->key);
        free(c->match);
        free(c->none_match);
        free(c->asked);
        free(c->props);
        free(c->upload);
        free(c);
}

/* What it began goes with nobody waiting; where that cannot be, it is for gc. */
static void copying_cancel(struct ri_op *op)
{
        struct copying *c = op->impl;

        ri_op_drop(op->loop, c->child);
        /* What may be completed just now is not taken away: see s3w_give_up(). */
        if (c->upload && !c->joining)
                (void)roma_aio_upload_abort(c->st->store, c->key, c->upload, NULL, NULL, NULL);
        (void)s3_steps_end(&c->steps);
}

static void copying_fail(struct copying *c, const struct ri_error *e)
{
        s3_steps_fail(&c->steps, e);
}

static void fail_with(struct copying *c, int code, const char *text)
{
        struct ri_error e;

        ri_error_set(&e, code, NULL, "%s", text);
        copying_fail(c, &e);
}

static void header(struct s3_request *r, const char *name, const char *value)
{
        char whole[64];

        snprintf(whole, sizeof(whole), "%s%s", s3_header_prefix(r->st->profile.dialect), name);
        s3_fields_add(&r->headers, whole, value);
}

/* Which object is copied, and which version of it. */
static void name_source(const struct copying *c, struct s3_request *r)
{
        struct ri_str path = RI_STR_INIT(8192);
        char etag[80];
        char *key = s3_key(c->from, c->from_key);

        if (!key || s3_path(&path, true, c->from->profile.bucket, key) < 0)
                r->headers.failed = true;
        else
                header(r, "copy-source", ri_str_cstr(&path));
        snprintf(etag, sizeof(etag), "\"%s\"", c->was.etag);
        header(r, "copy-source-if-match", etag);
        ri_str_free(&path);
        free(key);
}

/* A server that found another version of the source than was looked at. */
static void source_changed(struct ri_error *e)
{
        if (e->code != ROMA_EPRECONDITION)
                return;
        e->code = ROMA_ESOURCE;
        snprintf(e->text, sizeof(e->text), "%s", REPLACED);
}

/* false: whoever was told has ended the copy. */
static bool tell(struct copying *c, uint64_t done)
{
        roma_loop *loop = c->steps.op->loop;
        const roma_op id = c->steps.op->id;
        const struct ri_op *op;

        c->done = done;
        ri_op_progress(c->steps.op);
        if (!c->progress)
                return true;
        c->progress(c->progress_arg, done, c->was.length);
        op = ri_op_find(loop, id);
        return op && !op->finished;
}

/* The end: what is there now */

static bool is_md5(const char *etag)
{
        return strlen(etag) == 32 && etag[strspn(etag, "0123456789abcdefABCDEF")] == '\0';
}

/* ETags tell two objects apart only where both are the MD5 of the bytes. What somebody else has put there since is not looked
 * at: then the answer's ETag must do. */
static bool is_right(const struct copying *c, const roma_attr *a, const struct s3_request *r,
                     struct ri_error *e)
{
        bool same = strcasecmp(a->etag, c->etag) == 0;

        if (same && a->length != c->was.length)
                ri_error_set(e, ROMA_ECORRUPT, r->server,
                             "the copy that the server made has %" PRIu64 " bytes, the source has %" PRIu64,
                             a->length, c->was.length);
        else if (is_md5(c->was.etag) && is_md5(c->etag) && !c->opaque && !s3_etag_is_opaque(&r->reply) &&
                 strcasecmp(c->was.etag, c->etag) != 0)
                ri_error_set(e, ROMA_ECORRUPT, r->server,
                             "the copy that the server made has the ETag %.60s, the source has %.60s",
                             c->etag, c->was.etag);
        else
                return true;
        return false;
}

static void looked_at_copy(struct s3_request *r)
{
        struct copying *c = r->arg;
        struct ri_error e = r->error;
        struct ri_op *op;
        roma_attr a;

        s3_attr_from_reply(&a, &r->reply);
        if (e.code || !is_right(c, &a, r, &e)) {
                e.outcome =
                        ROMA_UNKNOWN; /* something is there, and nobody knows that it is what was copied */
                copying_fail(c, &e);
                return;
        }
        if (!tell(c, c->was.length))
                return;
        if (strcasecmp(a.etag, c->etag) != 0) {
                a = (roma_attr){ .size = sizeof(a) };
                s3_etag(&a, c->etag);
        }
        a.length = c->was.length;
        a.mask |= ROMA_ATTR_LENGTH;
        op = s3_steps_end(&c->steps);
        op->res.bytes = a.length;
        ri_op_set_attr(op, &a);
        ri_op_finish(op);
}

/* The source once more */

/* Not every server minds the condition on the source's ETag: radosgw 16.2 copies, and joins parts of, whatever is there. So
 * nothing is shown, or called right, before the source has been seen to be what it was. */
static void source_again(struct copying *c, void (*done)(struct s3_request *r))
{
        struct s3_request *r = s3_step(&c->steps, c->from, "HeadObject", "HEAD", c->from_key, done);

        if (r)
                s3_request_start(r);
}

/* true: as before. Else *e says what is wrong. */
static bool source_stayed(const struct copying *c, const struct s3_request *r, struct ri_error *e)
{
        roma_attr now;

        *e = r->error;
        if (e->code && e->code != ROMA_ENOENT)
                return false;
        s3_attr_from_reply(&now, &r->reply);
        if (!e->code && now.length == c->was.length && strcmp(now.etag, c->was.etag) == 0 &&
            now.ctime_ns == c->was.ctime_ns)
                return true;
        ri_error_set(e, ROMA_ESOURCE, r->server, "%s", REPLACED);
        return false;
}

static void look_at_copy(struct copying *c)
{
        struct s3_request *r;

        c->steps.op->outcome = ROMA_UNKNOWN;
        r = s3_step(&c->steps, c->st, "HeadObject", "HEAD", c->key, looked_at_copy);
        if (r)
                s3_request_start(r);
}

/* In one request */

static int result_etag(void *arg, const char *path, const char *text)
{
        char *etag = arg;
        roma_attr a = { .size = sizeof(a) };

        if (text &&
            (strcmp(path, "CopyObjectResult/ETag") == 0 || strcmp(path, "CopyPartResult/ETag") == 0)) {
                s3_etag(&a, text);
                snprintf(etag, 80, "%s", a.etag);
        }
        return 0;
}

/* A server says 200 and sends blanks while it copies: only a whole answer says that it is done. */
static void read_result(struct s3_request *r, char etag[80])
{
        struct ri_str err = RI_STR_INIT(300);

        if (r->error.code)
                return;
        if (s3_xml_read(r->answer.p ? r->answer.p : "", r->answer.len, result_etag, etag, &err) < 0 ||
            !*etag) {
                ri_error_set(&r->error, ROMA_EPROTOCOL, r->server,
                             "%s: the answer does not say that the copy is there%s%s", r->name,
                             err.len ? ": " : "", ri_str_cstr(&err));
                r->error.outcome = ROMA_UNKNOWN;
        }
        ri_str_free(&err);
}

static void whole_of_what(struct s3_request *r)
{
        struct copying *c = r->arg;
        struct ri_error e;
        bool stayed = source_stayed(c, r, &e);

        if (stayed) {
                look_at_copy(c);
                return;
        }
        e.outcome = ROMA_UNKNOWN; /* there is a copy, of one version or the other */
        copying_fail(c, &e);
}

static void copied(struct s3_request *r)
{
        struct copying *c = r->arg;
        struct ri_error e;

        read_result(r, c->etag);
        e = r->error;
        if (e.code) {
                source_changed(&e);
                copying_fail(c, &e);
        } else if (c->itself || strcasecmp(c->etag, c->was.etag) == 0) {
                look_at_copy(c);
        } else {
                c->steps.op->outcome = ROMA_UNKNOWN;
                source_again(c, whole_of_what);
        }
}

/* Whether the server is to take the headers and metadata that are sent, and not those of the source. */
static bool replaces(const struct copying *c)
{
        bool timed = false;

        for (size_t i = 0; i < c->props->n; i++)
                timed = timed ||
                        (c->props->v[i].kind == ROMA_PROP_META && !strcasecmp(c->props->v[i].name, "mtime"));
        return c->asked->n || c->bare || (c->keep_times && !timed);
}

static void describe(const struct copying *c, struct s3_request *r)
{
        s3_object_headers(r, c->key, c->keep_times ? &c->was : NULL, c->props->v, c->props->n);
}

static void copy_whole(struct copying *c)
{
        struct s3_request *r = s3_step(&c->steps, c->st, "CopyObject", "PUT", c->key, copied);

        if (!r)
                return;
        r->has_body = true;
        r->changes = true;
        r->safe = true; /* twice gives the same */
        name_source(c, r);
        header(r, "metadata-directive", replaces(c) ? "REPLACE" : "COPY");
        if (replaces(c))
                describe(c, r);
        s3_request_start(r);
}

/* In parts */

static void upload_left(void *arg, const roma_result *res)
{
        struct copying *c = arg;

        (void)res; /* what could not be removed is for gc */
        c->child = 0;
        copying_fail(c, &c->why);
}

static void give_up(struct copying *c, const struct ri_error *e)
{
        roma_opts o = ri_child_opts(c->steps.op);
        char *id = c->upload;

        c->why = *e;
        ranges_stop(c);
        c->upload = NULL;
        c->child = ri_adopt(c->steps.op, roma_aio_upload_abort(c->st->store, c->key, id, &o, upload_left, c));
        free(id);
        if (!c->child)
                copying_fail(c, &c->why);
}

static void joined(void *arg, const roma_result *res)
{
        struct copying *c = arg;
        struct ri_error e;

        c->child = 0;
        c->joining = false;
        if (res->code) {
                ri_error_from(&e, res);
                e.outcome = res->outcome;
                if (e.outcome == ROMA_NOT_DONE) {
                        give_up(c, &e);
                        return;
                }
                free(c->upload);
                c->upload = NULL;
                copying_fail(c, &e);
                return;
        }
        free(c->upload);
        c->upload = NULL;
        snprintf(c->etag, sizeof(c->etag), "%s", res->attr->etag);
        look_at_copy(c);
}

static void join(struct copying *c)
{
        roma_complete_opts o = ROMA_COMPLETE_OPTS_INIT;
        roma_part *parts = calloc(c->n, sizeof(*parts));
        struct ri_error e;

        for (unsigned i = 0; parts && i < c->n; i++)
                parts[i] = (roma_part){ .number = i + 1, .etag = c->range[i].etag };
        o.stall_ms = c->steps.op->stall_ms;
        o.deadline_ms = ROMA_NEVER;
        c->steps.op->outcome = ROMA_UNKNOWN;
        if (parts)
                c->child = ri_adopt(c->steps.op, roma_aio_upload_complete(c->st->store, c->key, c->upload,
                                                                          parts, c->n, &o, joined, c));
        free(parts);
        c->joining = c->child != 0;
        if (c->child)
                return;
        c->steps.op->outcome = ROMA_NOT_DONE;
        ri_error_set(&e, ROMA_ENOMEM, NULL, "the parts of the copy cannot be joined: out of memory");
        give_up(c, &e);
}

static void parts_of_what(struct s3_request *r)
{
        struct copying *c = r->arg;
        struct ri_error e;
        bool stayed = source_stayed(c, r, &e);

        if (stayed) {
                join(c);
                return;
        }
        e.outcome = ROMA_NOT_DONE; /* of the object */
        give_up(c, &e);
}

static void range_done(struct s3_request *r)
{
        struct range *g = r->arg;
        struct copying *c = g->c;
        struct ri_error e;
        uint64_t left;

        read_result(r, g->etag);
        e = r->error;
        s3_request_free(r);
        g->r = NULL;
        c->in_flight--;
        if (!e.code) {
                left = c->was.length - (uint64_t)(g - c->range) * c->part;
                /* The last of them is told at the end, when it is certain. */
                if ((!c->in_flight && c->next == c->n) ||
                    tell(c, c->done + (left < c->part ? left : c->part)))
                        more(c);
                return;
        }
        source_changed(&e);
        e.outcome = ROMA_NOT_DONE; /* of the object */
        give_up(c, &e);
}

static void range_moved(struct s3_request *r)
{
        s3_progress(((struct range *)r->arg)->c->steps.op);
}

static bool range_start(struct copying *c, unsigned i)
{
        uint64_t first = i * c->part, left = c->was.length - first;
        struct s3_request *r = s3_request_new(c->st, NULL, "UploadPartCopy", "PUT", c->key);
        char text[64];

        if (!r)
                return false;
        c->range[i].r = r;
        c->in_flight++;
        r->arg = &c->range[i];
        r->done = range_done;
        r->moved = range_moved;
        r->has_body = true;
        r->heavy = true;
        s3_fields_addf(&r->query, "partNumber", "%u", i + 1);
        s3_fields_add(&r->query, "uploadId", c->upload);
        name_source(c, r);
        snprintf(text, sizeof(text), "bytes=%" PRIu64 "-%" PRIu64, first,
                 first + (left < c->part ? left : c->part) - 1);
        header(r, "copy-source-range", text);
        s3_request_start(r);
        return true;
}

static void more(struct copying *c)
{
        struct ri_error e;

        while (c->next < c->n && c->in_flight < IN_FLIGHT) {
                if (!range_start(c, c->next)) {
                        ri_error_set(&e, ROMA_ENOMEM, NULL, "no memory for a request");
                        give_up(c, &e);
                        return;
                }
                c->next++;
        }
        if (!c->in_flight)
                source_again(c, parts_of_what);
}

static void begun(void *arg, const roma_result *res)
{
        struct copying *c = arg;
        struct ri_error e;

        c->child = 0;
        if (res->code) {
                ri_error_from(&e, res);
                copying_fail(c, &e);
                return;
        }
        c->upload = strdup(res->text);
        if (!c->upload) {
                fail_with(c, ROMA_ENOMEM, "out of memory");
                return;
        }
        ri_op_waits(c->steps.op, "the parts that the server copies", c->st->profile.host);
        more(c);
}

static uint64_t part_size(const struct copying *c)
{
        uint64_t n = c->st->profile.part ? c->st->profile.part : PART;

        while (c->was.length / n >= S3_MAX_PARTS)
                n *= 2;
        return n;
}

static void copy_in_parts(struct copying *c)
{
        roma_upload_opts o = ROMA_UPLOAD_OPTS_INIT;
        roma_attr attr = c->was;

        c->part = part_size(c);
        c->n = (unsigned)((c->was.length + c->part - 1) / c->part);
        c->range = calloc(c->n, sizeof(*c->range));
        if (!c->range) {
                fail_with(c, ROMA_ENOMEM, "no memory for the list of parts");
                return;
        }
        for (unsigned i = 0; i < c->n; i++)
                c->range[i].c = c;
        attr.mask = c->keep_times ? ROMA_ATTR_MTIME : 0;
        o.stall_ms = c->steps.op->stall_ms;
        o.deadline_ms = ROMA_NEVER;
        o.attr = &attr;
        o.props = c->props->v;
        o.n_props = c->props->n;
        c->child = ri_adopt(c->steps.op, roma_aio_upload_begin(c->st->store, c->key, &o, begun, c));
        if (!c->child)
                ri_fail_start(s3_steps_end(&c->steps));
}

/* The source */

static const char *unfit(const struct copying *c, int *code)
{
        *code = ROMA_EPRECONDITION;
        if (c->match && strcmp(c->match, c->was.etag) != 0)
                return "the source has another ETag than was asked for";
        if (c->none_match && strcmp(c->none_match, c->was.etag) == 0)
                return "the source still has this ETag";
        *code = ROMA_EPROTOCOL;
        if (!(c->was.mask & ROMA_ATTR_LENGTH) || !(c->was.mask & ROMA_ATTR_ETAG))
                return "the server does not say how long the source is and which version";
        return NULL;
}

/* The operation is called by the name of the copy. */
static void source_named(const struct copying *c, struct ri_error *e)
{
        char text[sizeof(e->text)];

        snprintf(text, sizeof(text), "the source %.64s/%s%.200s: %.200s", c->from->profile.bucket,
                 c->from->profile.prefix, c->from_key, e->text);
        memcpy(e->text, text, sizeof(text));
}

static void looked_at_source(struct s3_request *r)
{
        struct copying *c = r->arg;
        struct ri_error e = r->error;
        const char *fault;
        int code;

        if (!e.code) {
                s3_attr_from_reply(&c->was, &r->reply);
                c->opaque = s3_etag_is_opaque(&r->reply);
                c->props = s3_props_for_copy(&r->reply, c->asked, c->bare);
        }
        if (e.code) {
                source_named(c, &e);
                copying_fail(c, &e);
                return;
        }
        fault = unfit(c, &code);
        if (!c->props)
                fail_with(c, ROMA_ENOMEM, "out of memory");
        else if (fault)
                fail_with(c, code, fault);
        else if (c->asked->n && s3_props_check(c->st, c->asked->v, c->asked->n, &e) < 0)
                copying_fail(c, &e);
        else if (c->was.length > c->st->profile.copy_max)
                copy_in_parts(c);
        else
                copy_whole(c);
}

static char *text_or_null(const char *text, bool *failed)
{
        char *copy = text ? strdup(text) : NULL;

        *failed = *failed || (text && !copy);
        return copy;
}

static bool same_text(const char *a, const char *b)
{
        return strcmp(a ? a : "", b ? b : "") == 0;
}

/* Whoever signs for the copy must be somebody whom the source's server takes for the same. */
bool s3_can_copy(const roma_store *from, const roma_store *to)
{
        const struct s3_store *a = from->impl, *b = to->impl;
        const struct s3_profile *p = &a->profile, *q = &b->profile;

        return q->copy_max && p->vendor == q->vendor && p->dialect == q->dialect && p->tls == q->tls &&
               !p->anonymous && !q->anonymous && same_text(p->host, q->host) && a->creds.id && b->creds.id &&
               same_text(a->creds.id, b->creds.id) && same_text(a->creds.secret, b->creds.secret);
}

/* Two stores of one bucket may begin at different prefixes. -1: no memory. */
static int is_itself(const struct copying *c)
{
        char *one = s3_key(c->st, c->key), *two = s3_key(c->from, c->from_key);
        int same = !one || !two ? -1 : strcmp(one, two) == 0;

        free(one);
        free(two);
        return same_text(c->st->profile.bucket, c->from->profile.bucket) ? same : 0;
}

void s3_copy(struct ri_op *op, roma_store *from, const char *from_key, const char *key,
             const roma_copy_opts *o)
{
        struct copying *c = calloc(1, sizeof(*c));
        bool failed = !c;
        struct s3_request *r;
        int same;

        if (c) {
                c->st = s3_of(op->store);
                c->from = s3_of(from);
                c->from_key = text_or_null(from_key, &failed);
                c->key = text_or_null(key, &failed);
                c->match = text_or_null(o->source_match, &failed);
                c->none_match = text_or_null(o->source_none_match, &failed);
                c->asked = ri_props_copy(o->props, o->n_props);
                c->keep_times = o->keep_times;
                c->bare = o->flags & ROMA_NO_PROPS;
                c->progress = o->progress;
                c->progress_arg = o->progress_arg;
        }
        if (failed || !c->asked) {
                if (c)
                        copying_drop(&c->steps);
                ri_op_fail(op, ROMA_ENOMEM, "out of memory");
                return;
        }
        s3_steps_begin(&c->steps, op, copying_drop);
        op->cancel = copying_cancel; /* it may have begun an upload */
        same = is_itself(c);
        if (same < 0) {
                fail_with(c, ROMA_ENOMEM, "out of memory");
                return;
        }
        c->itself = same;
        if (same && !c->asked->n && !c->bare) {
                fail_with(c, ROMA_EINVAL, "source and destination are the same object");
                return;
        }
        r = s3_step(&c->steps, c->from, "HeadObject", "HEAD", c->from_key, looked_at_source);
        if (r)
                s3_request_start(r);
}
