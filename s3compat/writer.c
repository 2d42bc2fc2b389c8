/* SPDX-License-Identifier: MIT */
/* Making an object. Bytes gather in a part; an object that fits into one is put whole at the commit, a longer one is a
 * multipart upload, whose parts go out as they fill, several at a time.
 *
 * A write ends when its bytes are in a part: the part holds them until the server has confirmed them, so that a try that
 * failed can be repeated. How much may be held is bounded; then writes wait. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/crc.h"
#include "core/writer.h"
#include "s3compat/part.h"
#include "s3compat/patience.h"

enum {
        SINGLE = 16 << 20, /* objects of a known length up to this are put in one piece */
        PART = 8 << 20,    /* usual part */
        GROW_EVERY = 1000, /* parts of an object of unknown length: then they double */
        IN_FLIGHT = 4,     /* parts of one writer */
        HELD = 32 << 20, /* bytes in parts of all writers, above which those wait that have parts in flight */
        LONGEST_ATOMIC = 64 << 20, /* for conditions where only a single PUT can be conditional */
        ALONE_MS = 15 * 60 * 1000  /* for an abort that nobody waits for */
};

struct told_part {
        uint32_t crc32;
        char etag[80];
        uint64_t sum;
        uint64_t length;
};

struct pending {
        struct ri_list link;
        struct ri_op *op;
        const char *data;
        size_t len, taken;
        roma_buf *buf; /* the caller's, lives as long as op */
        struct s3w *w;
};

struct s3w {
        roma_writer *w;
        struct s3_store *st;
        struct ri_op *op;       /* open, commit or abort */
        struct ri_list pending; /* writes whose bytes are not all taken */
        struct s3_part *cur;
        struct ri_list parts;  /* full: waiting for the upload's id, digested, sent */
        struct ri_op *drawing; /* NULL: bytes are written, or all has been drawn */
        struct ri_draw *draw;  /* of it */
        char *drawn_name;
        uint64_t drawn; /* bytes that parts have been made of */
        unsigned in_flight, next_number;
        struct told_part *told; /* by number - 1 */
        size_t told_cap;
        char *upload;         /* id; NULL: none begun */
        struct s3_request *r; /* look, create, complete, find out, abort */
        struct ri_str body;   /* of complete */
        struct s3_span span;
        bool committing, failed, aborting;
        bool completing; /* the server may be at it: an abort now could take the parts from under the object */
        struct s3_patience patience;
        struct ri_error why;
        struct ri_task failer;
        struct ri_timer limit; /* of an abort that nobody waits for */
};

static void pump(struct s3w *f);
static void commit_step(struct s3w *f);
static void begin_abort(struct s3w *f);
static bool alone(struct s3w *f);

/* Life */

static void parts_free(struct s3w *f)
{
        struct ri_list *l;

        while ((l = ri_list_first(&f->parts)))
                s3_part_free(ri_container_of(l, struct s3_part, link));
        s3_part_free(f->cur);
        f->cur = NULL;
        f->in_flight = 0;
}

static void s3w_free(struct s3w *f)
{
        ri_task_drop(&f->failer);
        ri_timer_stop(&f->limit);
        parts_free(f);
        s3_patience_end(&f->patience);
        s3_request_free(f->r);
        ri_str_free(&f->body);
        free(f->told);
        free(f->upload);
        free(f->drawn_name);
        free(f);
}

static void gone(struct s3w *f)
{
        roma_writer *w = f->w;

        w->impl = NULL;
        s3w_free(f);
        ri_writer_gone(w);
}

/* An abort goes on with nobody waiting for it, but not for ever: it has a connection. */
static void limit_fired(struct ri_timer *t)
{
        gone(ri_container_of(t, struct s3w, limit));
}

/* false: f is gone. */
static bool alone(struct s3w *f)
{
        f->limit.fire = limit_fired;
        if (ri_timer_start(f->st->loop, &f->limit, ALONE_MS) == 0)
                return true;
        gone(f);
        return false;
}

/* The operation is over for us. */
static struct ri_op *let_go(struct s3w *f)
{
        struct ri_op *op = f->op;

        f->op = NULL;
        if (op) {
                op->cancel = NULL;
                op->impl = NULL;
        }
        return op;
}

static void op_cancel(struct ri_op *op)
{
        struct s3w *f = op->impl;

        f->op = NULL;
        s3_patience_end(&f->patience);
        if (f->aborting) {
                if (f->r)
                        f->r->op = NULL;
                (void)alone(f);
                return;
        }
        begin_abort(f);
}

static void waits_for(struct s3w *f, struct ri_op *op)
{
        f->op = op;
        op->impl = f;
        op->cancel = op_cancel;
}

static struct s3_request *request(struct s3w *f, const char *name, const char *method,
                                  void (*done)(struct s3_request *r))
{
        struct s3_request *r = s3_request_new(f->st, f->op, name, method, f->w->key);

        if (!r)
                return NULL;
        r->arg = f;
        r->done = done;
        f->r = r;
        return r;
}

static void end_request(struct s3w *f)
{
        s3_request_free(f->r);
        f->r = NULL;
}

/* Failing: what is pending fails, later writes are refused by core; the commit fails with the reason. */

static struct ri_op *end_draw(struct s3w *f)
{
        struct ri_op *op = f->drawing;

        f->drawing = NULL;
        f->draw = NULL;
        op->cancel = NULL;
        return op;
}

static void fail_pending(struct s3w *f)
{
        struct ri_list *l;

        while ((l = ri_list_pop(&f->pending))) {
                struct pending *p = ri_container_of(l, struct pending, link);
                struct ri_op *op = p->op;

                op->cancel = NULL;
                free(p);
                ri_op_fail_error(op, &f->why);
        }
        if (f->drawing)
                ri_op_fail_error(end_draw(f), &f->why);
}

static void writer_fail(struct s3w *f, const struct ri_error *e)
{
        if (f->failed)
                return;
        f->failed = true;
        f->why = *e;
        f->why.outcome = ROMA_NOT_DONE; /* of the object: nothing is shown before the commit */
        fail_pending(f);
        /* Soon, not here: whoever found the failure may still look at the writer. */
        if (f->committing && f->op)
                ri_task_queue(f->st->loop, &f->failer);
}

static void fail_soon(struct ri_task *t)
{
        struct s3w *f = ri_container_of(t, struct s3w, failer);

        if (!f->aborting)
                begin_abort(f);
}

static void writer_fail_with(struct s3w *f, int code, const char *text)
{
        struct ri_error e;

        ri_error_set(&e, code, NULL, "%s", text);
        writer_fail(f, &e);
}

/* The source has failed, not the store. */
static void source_fail(struct s3w *f, const struct ri_error *e)
{
        if (f->draw)
                f->draw->failed = *e;
        writer_fail(f, e);
}

/* Headers */

static void condition(struct s3w *f, struct s3_request *r)
{
        const struct s3_traits *t = f->st->profile.traits;

        if (f->w->precondition == ROMA_ALWAYS)
                return;
        if (f->w->precondition == ROMA_IF_MATCH)
                s3_if_match(r, f->w->if_match);
        else if (t->forbid_overwrite)
                s3_fields_add(&r->headers, t->forbid_overwrite, "true");
        else
                s3_fields_add(&r->headers, "If-None-Match", "*");
        /* Sent twice, the second finds what the first has made. */
        r->safe = false;
}

static bool needs_digest(const struct s3w *f)
{
        return f->st->profile.checksum == S3_SUM_SIGNED || f->st->profile.checksum == S3_SUM_MD5;
}

static int digest_kind(const struct s3w *f)
{
        return !needs_digest(f) ? -1 : f->st->profile.checksum == S3_SUM_MD5 ? RI_MD5 : RI_SHA256;
}

/* What is drawn and has a checksum in its request's head is read for that before it is sent. */
static bool must_look(const struct s3w *f, const struct s3_part *p)
{
        return needs_digest(f) || (p->source && f->st->profile.checksum != S3_SUM_NONE);
}

/* Whether only a single PUT can be conditional as it is wanted. */
static bool is_single_only(const struct s3_store *st, const roma_writer *w)
{
        const struct s3_traits *t = st->profile.traits;

        return w->precondition != ROMA_ALWAYS && !t->if_none_match_complete &&
               !(w->precondition == ROMA_IF_ABSENT && t->forbid_overwrite);
}

/* Parts */

static uint64_t part_size(const struct s3w *f)
{
        uint64_t hint = f->w->size_hint, least = f->st->profile.part ? f->st->profile.part : PART;

        if (is_single_only(f->st, f->w))
                return LONGEST_ATOMIC;
        if (hint == ROMA_SIZE_UNKNOWN)
                return least << (f->next_number / GROW_EVERY < 10 ? f->next_number / GROW_EVERY : 9);
        if (hint <= SINGLE && !f->st->profile.part)
                return hint ? hint : 1;
        if (hint / S3_MAX_PARTS >= least)
                return (hint / S3_MAX_PARTS + (1 << 20)) & ~((UINT64_C(1) << 20) - 1);
        return least;
}

static unsigned most_in_flight(const struct s3w *f)
{
        uint64_t size = f->cur ? f->cur->capacity : PART;
        uint64_t n = size ? HELD / size : IN_FLIGHT;

        return n < 1 ? 1 : n > IN_FLIGHT ? IN_FLIGHT : (unsigned)n;
}

static int remember(struct s3w *f, const struct s3_part *p, const char *etag)
{
        struct told_part *t;

        if (p->number > f->told_cap) {
                size_t cap = f->told_cap ? 2 * f->told_cap : 16;
                struct told_part *v;

                while (cap < p->number)
                        cap *= 2;
                v = reallocarray(f->told, cap, sizeof(*v));
                if (!v)
                        return -1;
                memset(v + f->told_cap, 0, (cap - f->told_cap) * sizeof(*v));
                f->told = v;
                f->told_cap = cap;
        }
        t = &f->told[p->number - 1];
        snprintf(t->etag, sizeof(t->etag), "%s", etag);
        t->sum = p->sum;
        t->crc32 = p->crc32;
        t->length = p->length;
        return 0;
}

static void part_done(struct s3_request *r)
{
        struct s3_part *p = r->arg;
        struct s3w *f = p->owner;
        const char *etag = s3_fields_get(&r->reply, "etag");
        bool stopped = r->stopped;
        struct ri_error e;

        if (!r->error.code && !etag)
                ri_error_set(&r->error, ROMA_EPROTOCOL, r->server, "UploadPart: the server gave no ETag");
        if (!r->error.code && p->source && r->at != p->length)
                ri_error_set(&r->error, ROMA_EPROTOCOL, r->server,
                             "UploadPart: the server answered when it had %" PRIu64 " of %" PRIu64 " bytes",
                             r->at, p->length);
        if (!r->error.code && s3_part_confirmed(p, r, f->st->profile.checksum) && remember(f, p, etag) < 0)
                ri_error_set(&r->error, ROMA_ENOMEM, NULL, "no memory for the list of parts");
        e = r->error;
        f->in_flight--;
        s3_part_free(p);
        if (e.code && stopped)
                source_fail(f, &e);
        else if (e.code)
                writer_fail(f, &e);
        else
                pump(f);
}

/* A try that goes over the same bytes again moves nothing. */
static void tell_drawn(struct s3w *f, struct s3_part *p)
{
        uint64_t at = p->r->at;

        if (f->draw && at > p->seen)
                f->draw->moved(f->draw, at - p->seen);
        if (at > p->seen)
                p->seen = at;
}

/* Whoever waits for room or for the end sees that it goes on. */
static void part_moved(struct s3_request *r)
{
        struct s3_part *p = r->arg;
        struct s3w *f = p->owner;

        s3_progress(f->op);
        s3_progress(f->drawing);
        if (p->source)
                tell_drawn(f, p);
        ri_list_for_each(l, &f->pending)
        {
                s3_progress(ri_container_of(l, struct pending, link)->op);
        }
}

static void send_part(struct s3w *f, struct s3_part *p)
{
        struct s3_request *r = s3_request_new(f->st, NULL, "UploadPart", "PUT", f->w->key);

        if (!r) {
                writer_fail_with(f, ROMA_ENOMEM, "no memory for a request");
                return;
        }
        p->r = r;
        r->arg = p;
        r->done = part_done;
        r->moved = part_moved;
        r->drawn = p->source ? p : NULL;
        r->body = p->span;
        r->spans = p->spans;
        r->length = p->length;
        r->has_body = true;
        s3_fields_addf(&r->query, "partNumber", "%u", p->number);
        s3_fields_add(&r->query, "uploadId", f->upload);
        s3_part_protect(p, r, f->st->profile.checksum);
        s3_request_start(r);
}

/* A slow source is no stall. */
static void part_looked(struct s3_part *p)
{
        struct s3w *f = p->owner;

        s3_progress(f->op);
        s3_progress(f->drawing);
}

static void part_digested(struct s3_part *p)
{
        struct s3w *f = p->owner;
        struct ri_error e;

        if (p->broken) {
                s3_part_broken(p, p->read_err, &e);
                source_fail(f, &e);
        } else if (p->digest_error[0]) {
                writer_fail_with(f, ROMA_ESYSTEM, p->digest_error);
        } else if (f->upload && !f->failed) {
                s3_progress(f->drawing);
                send_part(f, p);
        }
}

static void go(struct s3w *f, struct s3_part *p)
{
        if (must_look(f, p))
                s3_part_digest(p, digest_kind(f), part_looked, part_digested);
        else
                send_part(f, p);
}

static int upload_id(void *arg, const char *path, const char *text)
{
        struct s3w *f = arg;

        if (strcmp(path, "InitiateMultipartUploadResult/UploadId") == 0 && text) {
                free(f->upload);
                f->upload = strdup(text);
        }
        return 0;
}

static void created(struct s3_request *r)
{
        struct s3w *f = r->arg;
        struct ri_error e = r->error;
        struct ri_str err = RI_STR_INIT(300);

        if (!e.code && (s3_xml_read(r->answer.p ? r->answer.p : "", r->answer.len, upload_id, f, &err) < 0 ||
                        !f->upload || !*f->upload))
                ri_error_set(&e, ROMA_EPROTOCOL, r->server,
                             "CreateMultipartUpload: no upload id came back%s%s", err.len ? ": " : "",
                             ri_str_cstr(&err));
        ri_str_free(&err);
        end_request(f);
        if (e.code) {
                writer_fail(f, &e);
                return;
        }
        ri_list_for_each_safe(l, tmp, &f->parts)
        {
                go(f, ri_container_of(l, struct s3_part, link));
                if (f->failed)
                        return;
        }
        pump(f);
}

static void create(struct s3w *f)
{
        struct s3_request *r = request(f, "CreateMultipartUpload", "POST", created);
        const struct s3_sum *kind = s3_sum(f->st->profile.checksum);

        if (!r) {
                writer_fail_with(f, ROMA_ENOMEM, "no memory for a request");
                return;
        }
        r->has_body = true;
        s3_fields_add(&r->query, "uploads", NULL);
        s3_object_headers(r, f->w->key, &f->w->attr, f->w->props->v, f->w->props->n);
        if (kind) {
                s3_fields_add(&r->headers, "x-amz-checksum-algorithm", kind->algorithm);
                s3_fields_add(&r->headers, "x-amz-checksum-type", "FULL_OBJECT");
        }
        s3_request_start(r);
}

/* A part goes out, or waits for the upload's id. */
static void release(struct s3w *f, struct s3_part *p)
{
        if (p->number > S3_MAX_PARTS) {
                s3_part_free(p);
                writer_fail_with(
                        f, ROMA_EFBIG,
                        "the object has more than 10000 parts: say how long it will be, or ?part=SIZE");
                return;
        }
        f->next_number = p->number;
        f->in_flight++;
        ri_list_add_tail(&f->parts, &p->link);
        if (f->upload)
                go(f, p);
        else if (!f->r)
                create(f);
}

/* The part that was filled. */
static void release_filled(struct s3w *f)
{
        struct s3_part *p = f->cur;

        f->cur = NULL;
        release(f, p);
}

/* Drawing: parts are made of places in the source, and hold nothing. Only objects in parts, which nobody sees before the
 * source has been found unchanged at the end. */

static bool s3_draws(const roma_writer *w)
{
        const struct s3w *f = w->impl;

        return w->size_hint != ROMA_SIZE_UNKNOWN && w->size_hint > part_size(f) && !is_single_only(f->st, w);
}

/* Whoever waited for it is gone; the writer can only be aborted now. */
static void draw_cancel(struct ri_op *op)
{
        struct s3w *f = op->impl;

        f->drawing = NULL;
        f->draw = NULL;
        parts_free(f);
}

static uint32_t whole_crc32(const struct s3w *f)
{
        uint32_t crc = 0;

        for (unsigned i = 0; i < f->next_number; i++)
                crc = ri_crc32_combine(crc, f->told[i].crc32, f->told[i].length);
        return crc;
}

static void all_drawn(struct s3w *f)
{
        struct ri_op *op = end_draw(f);

        op->res.bytes = f->drawn;
        op->res.crc32 = whole_crc32(f);
        op->res.has_crc32 = 1;
        ri_op_finish(op);
}

static void draw_parts(struct s3w *f)
{
        while (!f->failed && f->in_flight < IN_FLIGHT && f->drawn < f->draw->length) {
                uint64_t left = f->draw->length - f->drawn, size = part_size(f);
                struct s3_part *p = s3_part_drawn(f->st, f, f->next_number + 1, f->draw->source, f->drawn,
                                                  left < size ? left : size);

                if (!p) {
                        writer_fail_with(f, ROMA_ENOMEM, "no memory for a part of the object");
                        return;
                }
                p->name = f->drawn_name;
                f->drawn += p->length;
                release(f, p);
        }
        if (!f->failed && !f->in_flight)
                all_drawn(f);
}

static void s3_draw(struct ri_op *op, roma_writer *w, struct ri_draw *d)
{
        struct s3w *f = w->impl;

        f->drawn_name = strdup(d->name);
        if (!f->drawn_name) {
                ri_op_fail(op, ROMA_ENOMEM, "no memory for a request");
                return;
        }
        f->drawing = op;
        f->draw = d;
        op->impl = f;
        op->cancel = draw_cancel;
        ri_op_waits(op, "parts on their way, or the source", f->st->profile.host);
        draw_parts(f);
}

/* Writing */

static void write_cancel(struct ri_op *op)
{
        struct pending *p = op->impl;

        ri_list_del(&p->link);
        free(p);
}

static bool must_wait(const struct s3w *f)
{
        uint64_t held = f->st->held + f->st->referenced;

        return f->in_flight >= most_in_flight(f) || (f->in_flight && held >= HELD);
}

/* References keep buffers of the loop, which others need too: a quarter is left to them, whatever happens. */
static bool may_refer(const struct s3w *f, size_t n)
{
        uint64_t max = f->st->loop->opts.max_buffer_bytes ? f->st->loop->opts.max_buffer_bytes : HELD;

        return !needs_digest(f) && f->st->loop->referenced + n <= max - max / 4;
}

/* Takes what it can of one write. false: it has to wait, or the writer has failed. */
static bool take(struct s3w *f, struct pending *p)
{
        while (p->taken < p->len) {
                int64_t n;

                if (f->cur && f->cur->length == f->cur->capacity) {
                        if (is_single_only(f->st, f->w)) {
                                writer_fail_with(
                                        f, ROMA_ENOTSUP,
                                        "this server checks conditions only for objects up to 64 MiB; put it "
                                        "without them");
                                return false;
                        }
                        release_filled(f);
                        if (f->failed)
                                return false;
                }
                if (!f->cur && must_wait(f))
                        return false;
                if (!f->cur)
                        f->cur = s3_part_new(f->st, f, f->next_number + 1, part_size(f));
                n = f->cur ? s3_part_take(f->cur, p->data + p->taken, p->len - p->taken, p->buf,
                                          may_refer(f, p->len - p->taken), &p->op->res.crc32)
                           : -1;
                if (n < 0) {
                        writer_fail_with(f, ROMA_ENOMEM, "no memory for a part of the object");
                        return false;
                }
                p->taken += (size_t)n;
        }
        return true;
}

static void pump(struct s3w *f)
{
        struct ri_list *l;

        while (!f->failed && (l = ri_list_first(&f->pending))) {
                struct pending *p = ri_container_of(l, struct pending, link);
                struct ri_op *op = p->op;

                if (!take(f, p))
                        return;
                ri_list_del(&p->link);
                op->cancel = NULL;
                op->res.bytes = p->len;
                op->res.has_crc32 = 1;
                free(p);
                ri_op_finish(op);
        }
        if (f->drawing && !f->failed)
                draw_parts(f);
        if (f->committing && !f->failed)
                commit_step(f);
}

static void s3_write(struct ri_op *op, roma_writer *w, const void *data, size_t len, roma_buf *buf,
                     uint64_t offset)
{
        struct s3w *f = w->impl;
        struct pending *p;

        if (f->failed) {
                ri_op_fail_error(op, &f->why);
                return;
        }
        /* In the order of their starts; parts have been planned for what was promised. */
        if (len > w->size_hint - (offset < w->size_hint ? offset : w->size_hint)) {
                ri_op_fail(op, ROMA_ESOURCE, "more bytes come than the %" PRIu64 " that were promised",
                           w->size_hint);
                return;
        }
        p = calloc(1, sizeof(*p));
        if (!p) {
                ri_op_fail(op, ROMA_ENOMEM, "no memory for a request");
                return;
        }
        *p = (struct pending){ .op = op, .data = data, .len = len, .buf = buf, .w = f };
        op->impl = p;
        op->cancel = write_cancel;
        ri_list_add_tail(&f->pending, &p->link);
        ri_op_waits(op, "room for it: earlier parts are on their way", f->st->profile.host);
        pump(f);
}

/* Committing */

static void committed(struct s3w *f, const char *etag)
{
        struct ri_op *op = let_go(f);
        roma_attr a = { .size = sizeof(a),
                        .mask = ROMA_ATTR_TYPE | ROMA_ATTR_LENGTH,
                        .type = ROMA_TYPE_FILE,
                        .length = f->w->bytes };

        s3_etag(&a, etag ? etag : "");
        ri_op_set_attr(op, &a);
        free(f->upload);
        f->upload = NULL;
        gone(f);
        ri_op_finish(op);
}

static void commit_failed(struct s3w *f, const struct ri_error *e)
{
        f->why = *e;
        f->failed = true;
        if (f->op)
                f->op->outcome = e->outcome;
        if (e->outcome == ROMA_UNKNOWN) {
                struct ri_op *op = let_go(f);

                /* It may be there: nothing is taken away. */
                gone(f);
                ri_op_fail_error(op, e);
                return;
        }
        f->completing = false;
        begin_abort(f);
}

static bool condition_failed(const struct s3w *f, const struct s3_request *r, const struct ri_error *e)
{
        return f->w->precondition != ROMA_ALWAYS &&
               (e->code == ROMA_EPRECONDITION || e->code == ROMA_EEXIST ||
                (f->w->precondition == ROMA_IF_MATCH && strcmp(r->code, "NoSuchKey") == 0));
}

/* In the words of whoever has set the condition. */
static void refused_instead(const struct s3w *f, struct ri_error *e)
{
        bool match = f->w->precondition == ROMA_IF_MATCH;

        e->code = match ? ROMA_EPRECONDITION : ROMA_EEXIST;
        e->outcome = ROMA_NOT_DONE;
        if (match)
                snprintf(e->text, sizeof(e->text),
                         "it was to replace the object with the ETag %s, which is not there", f->w->if_match);
        else
                snprintf(e->text, sizeof(e->text),
                         "there is an object of this name already, and it was to be put only if absent");
}

static void put_done(struct s3_request *r)
{
        struct s3w *f = r->arg;
        struct ri_error e;

        if (!r->error.code && !s3_part_confirmed(f->cur, r, f->st->profile.checksum))
                r->error.outcome = ROMA_UNKNOWN; /* it is there, and it is not what was sent */
        e = r->error;
        if (condition_failed(f, r, &e))
                refused_instead(f, &e);
        if (e.code) {
                end_request(f);
                commit_failed(f, &e);
        } else {
                char etag[80];

                snprintf(etag, sizeof(etag), "%s",
                         s3_fields_get(&r->reply, "etag") ? s3_fields_get(&r->reply, "etag") : "");
                end_request(f);
                committed(f, etag);
        }
}

static void put_whole(struct s3_part *p)
{
        struct s3w *f = p->owner;
        struct s3_request *r;

        if (p->digest_error[0]) {
                writer_fail_with(f, ROMA_ESYSTEM, p->digest_error);
                return;
        }
        r = request(f, "PutObject", "PUT", put_done);
        if (!r) {
                writer_fail_with(f, ROMA_ENOMEM, "no memory for a request");
                return;
        }
        r->body = p->span;
        r->spans = p->spans;
        r->length = p->length;
        r->has_body = true;
        r->changes = true;
        s3_object_headers(r, f->w->key, &f->w->attr, f->w->props->v, f->w->props->n);
        condition(f, r);
        s3_part_protect(p, r, f->st->profile.checksum);
        s3_request_start(r);
}

static void put_single(struct s3w *f)
{
        if (!f->cur)
                f->cur = s3_part_new(f->st, f, 1, 1);
        if (!f->cur)
                writer_fail_with(f, ROMA_ENOMEM, "no memory for a part of the object");
        else if (needs_digest(f))
                s3_part_digest(f->cur, digest_kind(f), NULL, put_whole);
        else
                put_whole(f->cur);
}

/* Complete */

/* The checksum of all bytes, from those of the parts. */
static uint64_t whole_sum(const struct s3w *f)
{
        enum s3_checksum kind = f->st->profile.checksum;
        uint64_t sum = 0;

        for (unsigned i = 0; i < f->next_number; i++)
                sum = s3_sum_combine(kind, sum, f->told[i].sum, f->told[i].length);
        return sum;
}

static int complete_body(struct s3w *f)
{
        const struct s3_sum *kind = s3_sum(f->st->profile.checksum);
        char text[S3_SUM_TEXT];

        ri_str_reset(&f->body);
        ri_str_puts(&f->body, "<CompleteMultipartUpload xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\">");
        for (unsigned i = 0; i < f->next_number; i++) {
                ri_str_printf(&f->body, "<Part><PartNumber>%u</PartNumber><ETag>", i + 1);
                s3_xml_escape(&f->body, f->told[i].etag);
                ri_str_puts(&f->body, "</ETag>");
                if (kind) {
                        s3_sum_text(text, f->st->profile.checksum, f->told[i].sum);
                        ri_str_printf(&f->body, "<%s>%s</%s>", kind->element, text, kind->element);
                }
                ri_str_puts(&f->body, "</Part>");
        }
        return ri_str_puts(&f->body, "</CompleteMultipartUpload>");
}

static bool expected_etag(const struct s3w *f, char out[80])
{
        return s3_parts_etag(f->told[0].etag, sizeof(f->told[0]), f->next_number, out);
}

struct result {
        const struct s3_sum *kind; /* NULL: none was sent */
        char etag[80], sum[32];
};

static int result_element(void *arg, const char *path, const char *text)
{
        static const char of[] = "CompleteMultipartUploadResult/";
        struct result *r = arg;

        if (!text || strncmp(path, of, sizeof(of) - 1) != 0)
                return 0;
        path += sizeof(of) - 1;
        if (strcmp(path, "ETag") == 0)
                snprintf(r->etag, sizeof(r->etag), "%s", text);
        else if (r->kind && strcmp(path, r->kind->element) == 0)
                snprintf(r->sum, sizeof(r->sum), "%s", text);
        return 0;
}

/* The answer to complete was lost, or says nothing, and the upload is gone: is the object ours? */
static void found_out(struct s3_request *r)
{
        struct s3w *f = r->arg;
        char want[80] = "";
        bool known = expected_etag(f, want), ours;
        struct ri_error e = f->why;
        roma_attr a;

        s3_attr_from_reply(&a, &r->reply);
        ours = !r->error.code && known && a.length == f->w->bytes && strcasecmp(a.etag, want) == 0;
        end_request(f);
        if (ours) {
                committed(f, want);
                return;
        }
        e.outcome = ROMA_UNKNOWN;
        commit_failed(f, &e);
}

static void find_out(struct s3w *f, const struct ri_error *e)
{
        struct s3_request *r;

        f->why = *e;
        r = request(f, "HeadObject", "HEAD", found_out);
        if (!r) {
                f->why.outcome = ROMA_UNKNOWN;
                commit_failed(f, &f->why);
                return;
        }
        s3_request_start(r);
}

/* A server that has not understood FULL_OBJECT tells a checksum of the parts' checksums, "-3" at its end: then there is nothing
 * to compare, the parts have been. */
static bool sum_is_right(const struct s3w *f, const struct result *told, struct s3_request *r)
{
        char ours[S3_SUM_TEXT];

        if (!*told->sum || strchr(told->sum, '-'))
                return true;
        s3_sum_text(ours, f->st->profile.checksum, whole_sum(f));
        if (strcmp(told->sum, ours) == 0)
                return true;
        ri_error_set(&r->error, ROMA_ECORRUPT, r->server, "the finished object has %s %.24s, it must be %s",
                     told->kind->algorithm, told->sum, ours);
        return false;
}

/* What the finished object is said to be, against what we know. */
static bool is_right(const struct s3w *f, const struct result *told, struct s3_request *r)
{
        const struct s3_profile *p = &f->st->profile;
        const char *crc64 = s3_fields_get(&r->reply, "x-oss-hash-crc64ecma");
        roma_attr a = { .size = sizeof(a) };
        char want[80];

        s3_etag(&a, told->etag);
        if (p->checksum == S3_SUM_CRC64 && crc64) {
                snprintf(want, sizeof(want), "%" PRIu64, whole_sum(f));
                if (strcmp(crc64, want) == 0)
                        return true;
                ri_error_set(&r->error, ROMA_ECORRUPT, r->server,
                             "the finished object has CRC-64 %.24s, it must be %s", crc64, want);
                return false;
        }
        if (told->kind && *told->sum)
                return sum_is_right(f, told, r);
        if (p->dialect != S3_AWS4 || strlen(a.etag) <= 33 || a.etag[32] != '-' || !expected_etag(f, want) ||
            strcasecmp(a.etag, want) == 0)
                return true;
        ri_error_set(&r->error, ROMA_ECORRUPT, r->server,
                     "the finished object has the ETag %.60s, it must be %.60s", a.etag, want);
        return false;
}

/* A server that sends blanks while it joins may fail behind them: only a whole answer says that it is done. */
static bool read_result(struct s3_request *r, struct result *result)
{
        struct ri_str err = RI_STR_INIT(300);
        bool good = s3_xml_read(r->answer.p ? r->answer.p : "", r->answer.len, result_element, result,
                                &err) == 0 &&
                    *result->etag;

        if (!good) {
                ri_error_set(&r->error, ROMA_EPROTOCOL, r->server,
                             "%s: the answer does not say that the object is there%s%s", r->name,
                             err.len ? ": " : "", ri_str_cstr(&err));
                r->error.outcome = ROMA_UNKNOWN;
        }
        ri_str_free(&err);
        return good;
}

static void completed(struct s3_request *r)
{
        struct s3w *f = r->arg;
        struct result result = { .kind = s3_sum(f->st->profile.checksum) };
        struct ri_error e;
        bool refused = condition_failed(f, r, &r->error);
        /* An upload that is gone may have been completed by this very request, which a proxy has sent twice. */
        bool lost = strcmp(r->code, "NoSuchUpload") == 0 ||
                    (r->attempt > 0 && (r->error.code == ROMA_ENOENT || refused));

        if (!r->error.code) {
                lost = !read_result(r, &result);
                if (!lost && !is_right(f, &result, r))
                        r->error.outcome = ROMA_UNKNOWN; /* it is there, and it is not what was sent */
        }
        e = r->error;
        s3_patience_end(&f->patience);
        end_request(f);
        if (refused)
                refused_instead(f, &e);
        if (lost)
                find_out(f, &e);
        else if (e.code)
                commit_failed(f, &e);
        else
                committed(f, result.etag);
}

static void complete(struct s3w *f)
{
        const struct s3_sum *kind = s3_sum(f->st->profile.checksum);
        char text[S3_SUM_TEXT];
        struct s3_request *r;

        if (complete_body(f) < 0 || s3_patience_begin(&f->patience, f->op, f->w->key, f->upload) < 0) {
                writer_fail_with(f, ROMA_ENOMEM, "no memory for the list of parts");
                return;
        }
        r = request(f, "CompleteMultipartUpload", "POST", completed);
        if (!r) {
                writer_fail_with(f, ROMA_ENOMEM, "no memory for a request");
                return;
        }
        f->span = (struct s3_span){ f->body.p, f->body.len };
        r->body = &f->span;
        r->spans = 1;
        r->length = f->body.len;
        r->has_body = true;
        r->changes = true;
        s3_fields_add(&r->query, "uploadId", f->upload);
        s3_fields_add(&r->headers, "Content-Type", "application/xml");
        condition(f, r);
        r->safe = true; /* a second one finds no upload, and then we look */
        if (kind) {
                /* The CRC-32 is that of the source's bytes, which came along with them. */
                s3_sum_text(text, f->st->profile.checksum,
                            f->st->profile.checksum == S3_SUM_CRC32 ? f->w->crc : whole_sum(f));
                s3_fields_add(&r->headers, kind->header, text);
                s3_fields_add(&r->headers, "x-amz-checksum-type", "FULL_OBJECT");
        }
        f->completing = true;
        s3_request_start(r);
}

/* All writes have been taken. */
static void commit_step(struct s3w *f)
{
        if (f->r)
                return;
        if (!f->upload && ri_list_empty(&f->parts)) {
                if (!(f->cur && f->cur->working))
                        put_single(f);
                return;
        }
        if (f->cur && f->cur->length) {
                release_filled(f);
                return;
        }
        if (ri_list_empty(&f->parts))
                complete(f);
}

static void s3_commit(struct ri_op *op, roma_writer *w)
{
        struct s3w *f = w->impl;

        waits_for(f, op);
        ri_op_waits(op, "the parts that are on their way", f->st->profile.host);
        f->committing = true;
        if (f->failed)
                begin_abort(f);
        else
                commit_step(f);
}

/* Giving up */

static void aborted(struct s3w *f)
{
        struct ri_op *op = let_go(f);
        bool failed = f->failed;
        struct ri_error e = f->why;

        gone(f);
        if (op && failed)
                ri_op_fail_error(op, &e);
        else if (op)
                ri_op_finish(op);
}

static void abort_done(struct s3_request *r)
{
        struct s3w *f = r->arg;

        /* What a server does not let us take away its own rules for old uploads will. */
        end_request(f);
        aborted(f);
}

static void begin_abort(struct s3w *f)
{
        struct s3_request *r;

        f->aborting = true;
        parts_free(f);
        end_request(f);
        /* radosgw 16 does both at once: the object is there, and its bytes go with the next garbage collection. */
        r = f->upload && !f->completing ? request(f, "AbortMultipartUpload", "DELETE", abort_done) : NULL;
        if (!r) {
                aborted(f);
                return;
        }
        s3_fields_add(&r->query, "uploadId", f->upload);
        if (f->op || alone(f))
                s3_request_start(r);
}

static void s3_abort(struct ri_op *op, roma_writer *w, const struct ri_error *why)
{
        struct s3w *f = w->impl;

        if (op)
                waits_for(f, op);
        if (why) {
                f->why = *why;
                f->failed = true;
        } else {
                f->failed = false;
        }
        begin_abort(f);
}

static void s3_drop(roma_writer *w)
{
        struct s3w *f = w->impl;

        let_go(f);
        s3w_free(f);
}

/* Opening */

static void looked(struct s3_request *r)
{
        struct s3w *f = r->arg;
        struct ri_error e = r->error;
        bool match = f->w->precondition == ROMA_IF_MATCH;
        roma_attr a;

        s3_attr_from_reply(&a, &r->reply);
        end_request(f);
        if (match && (e.code == ROMA_ENOENT || (!e.code && strcmp(a.etag, f->w->if_match) != 0)))
                refused_instead(f, &e);
        if (e.code && e.code != ROMA_ENOENT) {
                struct ri_op *op = let_go(f);

                gone(f);
                ri_op_fail_error(op, &e);
                return;
        }
        f->w->exists = !e.code;
        ri_op_finish(let_go(f));
}

static void open_cancel(struct ri_op *op)
{
        struct s3w *f = op->impl;

        f->op = NULL;
        gone(f);
}

/* What cannot be done is said before the first byte is read. */
static const char *open_fault(const struct s3_store *st, const roma_writer *w, int *code)
{
        char *key = s3_key(st, w->key);
        const char *fault = key ? s3_key_fault(key, code) : NULL;

        free(key);
        if (fault)
                return fault;
        *code = ROMA_ENOTSUP;
        if (w->size_hint != ROMA_SIZE_UNKNOWN && w->size_hint > (UINT64_C(50) << 40))
                return "no server of this kind takes objects above 50 TiB";
        if (w->precondition == ROMA_IF_ABSENT && !st->profile.if_absent)
                return "it is not known that this server checks atomically whether a name exists; ?vendor= "
                       "or "
                       "?if_absent=yes says that it does";
        if (w->precondition == ROMA_IF_MATCH && s3_if_match_fault(st))
                return s3_if_match_fault(st);
        if (is_single_only(st, w) && w->size_hint != ROMA_SIZE_UNKNOWN && w->size_hint > LONGEST_ATOMIC)
                return "this server checks conditions only for objects up to 64 MiB; put it without them";
        return NULL;
}

static void s3_writer_open(struct ri_op *op, roma_writer *w)
{
        struct s3_store *st = s3_of(w->store);
        int code = ROMA_ENOMEM;
        const char *fault = open_fault(st, w, &code);
        struct s3w *f = fault ? NULL : calloc(1, sizeof(*f));
        struct s3_request *r;
        struct ri_error e;

        if (!f)
                ri_error_set(&e, fault ? code : ROMA_ENOMEM, NULL, "%s",
                             fault ? fault : "no memory for a writer");
        if (!f || s3_props_check(st, w->props->v, w->props->n, &e) < 0) {
                free(f);
                ri_writer_gone(w);
                ri_op_fail_error(op, &e);
                return;
        }
        f->w = w;
        f->st = st;
        f->failer.run = fail_soon;
        w->impl = f;
        ri_list_init(&f->pending);
        ri_list_init(&f->parts);
        ri_str_init(&f->body, 4 << 20);
        if (w->precondition == ROMA_ALWAYS) {
                ri_op_finish(op);
                return;
        }
        f->op = op;
        op->impl = f;
        op->cancel = open_cancel;
        r = request(f, "HeadObject", "HEAD", looked);
        if (r) {
                s3_request_start(r);
        } else {
                let_go(f);
                gone(f);
                ri_op_fail(op, ROMA_ENOMEM, "no memory for a request");
        }
}

const struct ri_writer_ops s3_writer = {
        .open = s3_writer_open,
        .write = s3_write,
        .draws = s3_draws,
        .draw = s3_draw,
        .commit = s3_commit,
        .abort = s3_abort,
        .drop = s3_drop,
};
