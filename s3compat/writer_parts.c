/* SPDX-License-Identifier: MIT */
/* The parts of an object: how long they are, how they go out, several at a time, filled by writes or drawn from a local file. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/crc.h"
#include "s3compat/writer.h"

enum {
        SINGLE = 16 << 20, /* objects of a known length up to this are put in one piece */
        PART = 8 << 20,    /* usual part */
        GROW_EVERY = 1000, /* parts of an object of unknown length: then they double */
        IN_FLIGHT = 4      /* parts of one writer */
};

bool s3w_needs_digest(const struct s3w *f)
{
        return f->st->profile.checksum == S3_SUM_SIGNED || f->st->profile.checksum == S3_SUM_MD5;
}

int s3w_digest_kind(const struct s3w *f)
{
        return !s3w_needs_digest(f) ? -1 : f->st->profile.checksum == S3_SUM_MD5 ? RI_MD5 : RI_SHA256;
}

/* What is drawn and has a checksum in its request's head is read for that before it is sent. */
static bool must_look(const struct s3w *f, const struct s3_part *p)
{
        return s3w_needs_digest(f) || (p->source && f->st->profile.checksum != S3_SUM_NONE);
}

/* Whether only a single PUT can be conditional as it is wanted. */
bool s3w_is_single_only(const struct s3_store *st, const roma_writer *w)
{
        const struct s3_traits *t = st->profile.traits;

        return w->precondition != ROMA_ALWAYS && !t->if_none_match_complete &&
               !(w->precondition == ROMA_IF_ABSENT && t->forbid_overwrite);
}

void s3w_parts_free(struct s3w *f)
{
        struct ri_list *l;

        while ((l = ri_list_first(&f->parts)))
                s3_part_free(ri_container_of(l, struct s3_part, link));
        s3_part_free(f->cur);
        f->cur = NULL;
        f->in_flight = 0;
}

/* The source has failed, not the store. */
static void source_fail(struct s3w *f, const struct ri_error *e)
{
        if (f->draw)
                f->draw->failed = *e;
        s3w_fail(f, e);
}

/* Parts */

uint64_t s3w_part_size(const struct s3w *f)
{
        uint64_t hint = f->w->size_hint, least = f->st->profile.part ? f->st->profile.part : PART;

        if (s3w_is_single_only(f->st, f->w))
                return S3W_LONGEST_ATOMIC;
        if (hint == ROMA_SIZE_UNKNOWN)
                return least << (f->next_number / GROW_EVERY < 10 ? f->next_number / GROW_EVERY : 9);
        if (hint <= SINGLE && !f->st->profile.part)
                return hint ? hint : 1;
        if (hint / S3_MAX_PARTS >= least)
                return (hint / S3_MAX_PARTS + (1 << 20)) & ~((UINT64_C(1) << 20) - 1);
        return least;
}

unsigned s3w_most_in_flight(const struct s3w *f)
{
        uint64_t size = f->cur ? f->cur->capacity : PART;
        uint64_t n = size ? S3W_HELD / size : IN_FLIGHT;

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
        if (!r->error.code && s3_part_was_sent(p, r) && s3_part_confirmed(p, r, f->st->profile.checksum) &&
            remember(f, p, etag) < 0)
                ri_error_set(&r->error, ROMA_ENOMEM, NULL, "no memory for the list of parts");
        e = r->error;
        f->in_flight--;
        s3_part_free(p);
        if (e.code && stopped)
                source_fail(f, &e);
        else if (e.code)
                s3w_fail(f, &e);
        else
                s3w_pump(f);
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
                s3_progress(ri_container_of(l, struct s3w_pending, link)->op);
        }
}

static void send_part(struct s3w *f, struct s3_part *p)
{
        struct s3_request *r = s3_request_new(f->st, NULL, "UploadPart", "PUT", f->w->key);

        if (!r) {
                s3w_fail_with(f, ROMA_ENOMEM, "no memory for a request");
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
                s3w_fail_with(f, ROMA_ESYSTEM, p->digest_error);
        } else if (f->upload && !f->failed) {
                s3_progress(f->drawing);
                send_part(f, p);
        }
}

static void go(struct s3w *f, struct s3_part *p)
{
        if (must_look(f, p))
                s3_part_digest(p, s3w_digest_kind(f), part_looked, part_digested);
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
        s3w_end_request(f);
        if (e.code) {
                s3w_fail(f, &e);
                return;
        }
        ri_list_for_each_safe(l, tmp, &f->parts)
        {
                go(f, ri_container_of(l, struct s3_part, link));
                if (f->failed)
                        return;
        }
        s3w_pump(f);
}

static void create(struct s3w *f)
{
        struct s3_request *r = s3w_request(f, "CreateMultipartUpload", "POST", created);
        const struct s3_sum *kind = s3_sum(f->st->profile.checksum);

        if (!r) {
                s3w_fail_with(f, ROMA_ENOMEM, "no memory for a request");
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
                s3w_fail_with(f, ROMA_EFBIG,
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
void s3w_release_filled(struct s3w *f)
{
        struct s3_part *p = f->cur;

        f->cur = NULL;
        release(f, p);
}

/* Drawing: parts are made of places in the source, and hold nothing. Only objects in parts, which nobody sees before the
 * source has been found unchanged at the end. */

bool s3w_draws(const roma_writer *w)
{
        const struct s3w *f = w->impl;

        return w->size_hint != ROMA_SIZE_UNKNOWN && w->size_hint > s3w_part_size(f) &&
               !s3w_is_single_only(f->st, w);
}

/* Whoever waited for it is gone; the writer can only be aborted now. */
static void draw_cancel(struct ri_op *op)
{
        struct s3w *f = op->impl;

        f->drawing = NULL;
        f->draw = NULL;
        s3w_parts_free(f);
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
        struct ri_op *op = s3w_end_draw(f);

        op->res.bytes = f->drawn;
        op->res.crc32 = whole_crc32(f);
        op->res.has_crc32 = 1;
        ri_op_finish(op);
}

void s3w_draw_parts(struct s3w *f)
{
        while (!f->failed && f->in_flight < IN_FLIGHT && f->drawn < f->draw->length) {
                uint64_t left = f->draw->length - f->drawn, size = s3w_part_size(f);
                struct s3_part *p = s3_part_drawn(f->st, f, f->next_number + 1, f->draw->source,
                                                  f->draw->offset + f->drawn, left < size ? left : size);

                if (!p) {
                        s3w_fail_with(f, ROMA_ENOMEM, "no memory for a part of the object");
                        return;
                }
                p->name = f->drawn_name;
                f->drawn += p->length;
                release(f, p);
        }
        if (!f->failed && !f->in_flight)
                all_drawn(f);
}

void s3w_draw(struct ri_op *op, roma_writer *w, struct ri_draw *d)
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
        s3w_draw_parts(f);
}
