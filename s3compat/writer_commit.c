/* SPDX-License-Identifier: MIT */
/* The end of an object's writing: one PUT of it all, or the complete of its parts, and what became of it. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "s3compat/writer.h"

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

/* Committing */

static void committed(struct s3w *f, const char *etag)
{
        struct ri_op *op = s3w_let_go(f);
        roma_attr a = { .size = sizeof(a),
                        .mask = ROMA_ATTR_TYPE | ROMA_ATTR_LENGTH,
                        .type = ROMA_TYPE_FILE,
                        .length = f->w->bytes };

        s3_etag(&a, etag ? etag : "");
        ri_op_set_attr(op, &a);
        free(f->upload);
        f->upload = NULL;
        s3w_gone(f);
        ri_op_finish(op);
}

static void commit_failed(struct s3w *f, const struct ri_error *e)
{
        f->why = *e;
        f->failed = true;
        if (f->op)
                f->op->outcome = e->outcome;
        if (e->outcome == ROMA_UNKNOWN) {
                struct ri_op *op = s3w_let_go(f);

                /* It may be there: nothing is taken away. */
                s3w_gone(f);
                ri_op_fail_error(op, e);
                return;
        }
        f->completing = false;
        s3w_give_up(f);
}

static bool condition_failed(const struct s3w *f, const struct s3_request *r, const struct ri_error *e)
{
        return f->w->precondition != ROMA_ALWAYS &&
               (e->code == ROMA_EPRECONDITION || e->code == ROMA_EEXIST ||
                (f->w->precondition == ROMA_IF_MATCH && strcmp(r->code, "NoSuchKey") == 0));
}

/* In the words of whoever has set the condition. */
void s3w_refused_instead(const struct s3w *f, struct ri_error *e)
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
                s3w_refused_instead(f, &e);
        if (e.code) {
                s3w_end_request(f);
                commit_failed(f, &e);
        } else {
                char etag[80];

                snprintf(etag, sizeof(etag), "%s",
                         s3_fields_get(&r->reply, "etag") ? s3_fields_get(&r->reply, "etag") : "");
                s3w_end_request(f);
                committed(f, etag);
        }
}

static void put_whole(struct s3_part *p)
{
        struct s3w *f = p->owner;
        struct s3_request *r;

        if (p->digest_error[0]) {
                s3w_fail_with(f, ROMA_ESYSTEM, p->digest_error);
                return;
        }
        r = s3w_request(f, "PutObject", "PUT", put_done);
        if (!r) {
                s3w_fail_with(f, ROMA_ENOMEM, "no memory for a request");
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
                s3w_fail_with(f, ROMA_ENOMEM, "no memory for a part of the object");
        else if (s3w_needs_digest(f))
                s3_part_digest(f->cur, s3w_digest_kind(f), NULL, put_whole);
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
        s3w_end_request(f);
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
        r = s3w_request(f, "HeadObject", "HEAD", found_out);
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
        s3w_end_request(f);
        if (refused)
                s3w_refused_instead(f, &e);
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
                s3w_fail_with(f, ROMA_ENOMEM, "no memory for the list of parts");
                return;
        }
        r = s3w_request(f, "CompleteMultipartUpload", "POST", completed);
        if (!r) {
                s3w_fail_with(f, ROMA_ENOMEM, "no memory for a request");
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
void s3w_commit_step(struct s3w *f)
{
        if (f->r)
                return;
        if (!f->upload && ri_list_empty(&f->parts)) {
                if (!(f->cur && f->cur->working))
                        put_single(f);
                return;
        }
        if (f->cur && f->cur->length) {
                s3w_release_filled(f);
                return;
        }
        if (ri_list_empty(&f->parts))
                complete(f);
}

void s3w_commit(struct ri_op *op, roma_writer *w)
{
        struct s3w *f = w->impl;

        s3w_waits_for(f, op);
        ri_op_waits(op, "the parts that are on their way", f->st->profile.host);
        f->committing = true;
        if (f->failed)
                s3w_give_up(f);
        else
                s3w_commit_step(f);
}
