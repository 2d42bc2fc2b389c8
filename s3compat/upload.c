/* SPDX-License-Identifier: MIT */
/* Multipart uploads as the server has them: begin, lists, complete, abort. Parts are in upload_part.c. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "core/value.h"
#include "s3compat/part.h"
#include "s3compat/patience.h"

static const char *answer_of(const struct s3_request *r)
{
        return r->answer.p ? r->answer.p : "";
}

/* Begin */

static int upload_id(void *arg, const char *path, const char *text)
{
        char **id = arg;

        if (strcmp(path, "InitiateMultipartUploadResult/UploadId") == 0 && text) {
                free(*id);
                *id = strdup(text);
        }
        return 0;
}

static void begun(struct s3_request *r)
{
        struct ri_str err = RI_STR_INIT(300);
        struct ri_op *op;
        char *id = NULL;

        if (r->error.code) {
                s3_op_fail(r);
                return;
        }
        op = s3_op_take(r);
        if (s3_xml_read(answer_of(r), r->answer.len, upload_id, &id, &err) < 0 || !id || !*id)
                ri_op_fail(op, ROMA_EPROTOCOL, "CreateMultipartUpload: no upload id came back%s%s",
                           err.len ? ": " : "", ri_str_cstr(&err));
        else if (ri_op_set_text(op, id, strlen(id)) == 0)
                ri_op_finish(op);
        s3_request_free(r);
        ri_str_free(&err);
        free(id);
}

static bool key_is_good(struct ri_op *op, const char *key)
{
        char *whole = s3_key(s3_of(op->store), key);
        int code = ROMA_ENOMEM;
        const char *fault = whole ? s3_key_fault(whole, &code) : "out of memory";

        free(whole);
        if (fault)
                ri_op_fail(op, code, "%s", fault);
        return !fault;
}

static void s3_begin(struct ri_op *op, const char *key, const roma_upload_opts *opts)
{
        struct s3_request *r;
        struct ri_error e;

        if (!key_is_good(op, key))
                return;
        if (s3_props_check(s3_of(op->store), opts->props, opts->n_props, &e) < 0) {
                ri_op_fail_error(op, &e);
                return;
        }
        r = s3_op_request(op, "CreateMultipartUpload", "POST", key, begun);
        if (!r)
                return;
        r->has_body = true;
        r->safe = true; /* one that nobody knows of is for gc */
        s3_fields_add(&r->query, "uploads", NULL);
        s3_object_headers(r, key, opts->attr, opts->props, opts->n_props);
        s3_request_start(r);
}

/* Lists: pages of the server until there are no more, or enough. */

struct listing {
        struct s3_steps steps;
        char *key, *id; /* of the parts */
        struct ri_parts *parts;
        struct ri_uploads *uploads;
        char *prefix; /* whole */
        unsigned max;
        size_t base;
        bool more, nomem, bad;
        /* where the next page starts */
        char *key_marker, *id_marker;
        uint64_t part_marker;
        /* of the element that is being read */
        char *e_key, *e_id, *e_etag;
        uint64_t number, length;
        int64_t time_ns;
};

static void ask(struct listing *l);

static void element_clear(struct listing *l)
{
        free(l->e_key);
        free(l->e_id);
        free(l->e_etag);
        l->e_key = l->e_id = l->e_etag = NULL;
        l->number = l->length = 0;
        l->time_ns = 0;
}

static void listing_drop(struct s3_steps *s)
{
        struct listing *l = (struct listing *)s;

        element_clear(l);
        ri_parts_free(l->parts);
        ri_uploads_free(l->uploads);
        free(l->key);
        free(l->id);
        free(l->prefix);
        free(l->key_marker);
        free(l->id_marker);
        free(l);
}

static void keep(struct listing *l, char **to, const char *text)
{
        free(*to);
        *to = strdup(text);
        l->nomem = l->nomem || !*to;
}

static void time_of(struct listing *l, const char *text)
{
        int64_t t;

        if (s3_parse_iso_time(text, &t) == 0)
                l->time_ns = t * 1000000000;
}

static int end_part(struct listing *l)
{
        roma_attr a = { .size = sizeof(a) };

        s3_etag(&a, l->e_etag ? l->e_etag : "");
        if (!l->number || l->number > S3_MAX_PARTS || !*a.etag) {
                l->bad = true;
                return -1;
        }
        l->nomem = ri_parts_add(l->parts, (unsigned)l->number, l->length, l->time_ns, a.etag) < 0;
        element_clear(l);
        return l->nomem ? -1 : 0;
}

static int part_element(void *arg, const char *path, const char *text)
{
        struct listing *l = arg;

        if (!text)
                return 0;
        if (strcmp(path, "ListPartsResult/Part") == 0)
                return end_part(l);
        if (strcmp(path, "ListPartsResult/Part/PartNumber") == 0)
                return ri_value_u64(text, &l->number);
        if (strcmp(path, "ListPartsResult/Part/Size") == 0)
                return ri_value_u64(text, &l->length);
        if (strcmp(path, "ListPartsResult/Part/ETag") == 0)
                keep(l, &l->e_etag, text);
        else if (strcmp(path, "ListPartsResult/Part/LastModified") == 0)
                time_of(l, text);
        else if (strcmp(path, "ListPartsResult/IsTruncated") == 0)
                l->more = strcmp(text, "true") == 0;
        else if (strcmp(path, "ListPartsResult/NextPartNumberMarker") == 0 && *text)
                return ri_value_u64(text, &l->part_marker);
        return l->nomem ? -1 : 0;
}

static int end_upload(struct listing *l)
{
        if (!l->e_key || !l->e_id || strncmp(l->e_key, l->prefix, strlen(l->prefix)) != 0) {
                l->bad = true;
                return -1;
        }
        l->nomem = ri_uploads_add(l->uploads, l->e_key + l->base, l->e_id, l->time_ns) < 0;
        element_clear(l);
        return l->nomem ? -1 : 0;
}

#define UPLOADS "ListMultipartUploadsResult"

static int upload_element(void *arg, const char *path, const char *text)
{
        struct listing *l = arg;

        if (!text)
                return 0;
        if (strcmp(path, UPLOADS "/Upload") == 0)
                return end_upload(l);
        if (strcmp(path, UPLOADS "/Upload/Key") == 0)
                keep(l, &l->e_key, text);
        else if (strcmp(path, UPLOADS "/Upload/UploadId") == 0)
                keep(l, &l->e_id, text);
        else if (strcmp(path, UPLOADS "/Upload/Initiated") == 0)
                time_of(l, text);
        else if (strcmp(path, UPLOADS "/IsTruncated") == 0)
                l->more = strcmp(text, "true") == 0;
        else if (strcmp(path, UPLOADS "/NextKeyMarker") == 0)
                keep(l, &l->key_marker, text);
        else if (strcmp(path, UPLOADS "/NextUploadIdMarker") == 0)
                keep(l, &l->id_marker, text);
        return l->nomem ? -1 : 0;
}

static void give_uploads(struct listing *l)
{
        struct ri_uploads *u = l->uploads;
        char *next = NULL;
        struct ri_op *op;

        if (l->more && asprintf(&next, "%s %s", l->id_marker ? l->id_marker : "", l->key_marker) < 0) {
                ri_op_fail(s3_steps_end(&l->steps), ROMA_ENOMEM, "no memory for the list of uploads");
                return;
        }
        l->uploads = NULL;
        op = s3_steps_end(&l->steps);
        if (ri_uploads_give(u, op, next) < 0) {
                ri_uploads_free(u);
                ri_op_fail(op, ROMA_ENOMEM, "no memory for the list of uploads");
        }
        free(next);
}

static void give_parts(struct listing *l)
{
        struct ri_parts *p = l->parts;

        l->parts = NULL;
        ri_parts_give(p, s3_steps_end(&l->steps));
}

/* Behind what it goes on, and that is not where this page began. */
static bool goes_on(const struct listing *l, const char *key, const char *id, uint64_t part)
{
        if (l->parts)
                return l->part_marker > part;
        if (!l->key_marker || !*l->key_marker)
                return false;
        return !key || strcmp(l->key_marker, key) != 0 || strcmp(l->id_marker ? l->id_marker : "", id) != 0;
}

static void answered(struct s3_request *r)
{
        struct listing *l = r->arg;
        struct ri_str err = RI_STR_INIT(300);
        struct ri_error e = r->error;
        const uint64_t part = l->part_marker;
        char *key = l->key_marker ? strdup(l->key_marker) : NULL,
             *id = strdup(l->id_marker ? l->id_marker : "");

        if (!e.code && (!id || (l->key_marker && !key)))
                ri_error_set(&e, ROMA_ENOMEM, NULL, "no memory for a list");
        if (!e.code) {
                l->more = false;
                if (s3_xml_read(answer_of(r), r->answer.len, l->parts ? part_element : upload_element, l,
                                &err) < 0)
                        ri_error_set(&e, l->nomem ? ROMA_ENOMEM : ROMA_EPROTOCOL, r->server, "%s: %s%s",
                                     r->name, ri_str_cstr(&err), l->bad ? ": an entry makes no sense" : "");
                else if (l->more && !goes_on(l, key, id, part))
                        ri_error_set(&e, ROMA_EPROTOCOL, r->server,
                                     "%s: the server says that there is more and does not say after what",
                                     r->name);
        }
        ri_str_free(&err);
        free(key);
        free(id);
        if (e.code)
                s3_steps_fail(&l->steps, &e);
        else if (l->uploads && (!l->more || ri_uploads_count(l->uploads) >= l->max))
                give_uploads(l);
        else if (l->more)
                ask(l);
        else
                give_parts(l);
}

static void ask(struct listing *l)
{
        struct s3_request *r =
                s3_step(&l->steps, s3_of(l->steps.op->store), l->parts ? "ListParts" : "ListMultipartUploads",
                        "GET", l->key, answered);

        if (!r)
                return;
        if (l->parts) {
                s3_fields_add(&r->query, "max-parts", "1000");
                if (l->part_marker)
                        s3_fields_addf(&r->query, "part-number-marker", "%" PRIu64, l->part_marker);
                s3_fields_add(&r->query, "uploadId", l->id);
        } else {
                /* As they are: whether a name is encoded could not be told. Some servers ignore encoding-type, and radosgw encodes
                 * names without saying so, and markers not. */
                if (l->key_marker)
                        s3_fields_add(&r->query, "key-marker", l->key_marker);
                s3_fields_addf(&r->query, "max-uploads", "%u", l->max);
                s3_fields_add(&r->query, "prefix", l->prefix);
                if (l->key_marker && l->id_marker && *l->id_marker)
                        s3_fields_add(&r->query, "upload-id-marker", l->id_marker);
                s3_fields_add(&r->query, "uploads", NULL);
        }
        s3_request_start(r);
}

static struct listing *listing_new(struct ri_op *op)
{
        struct listing *l = calloc(1, sizeof(*l));

        if (!l) {
                ri_op_fail(op, ROMA_ENOMEM, "no memory for a list");
                return NULL;
        }
        s3_steps_begin(&l->steps, op, listing_drop);
        return l;
}

static void s3_parts(struct ri_op *op, const char *key, const char *id)
{
        struct listing *l = listing_new(op);

        if (!l)
                return;
        l->key = strdup(key);
        l->id = strdup(id);
        l->parts = ri_parts_new();
        if (l->key && l->id && l->parts)
                ask(l);
        else
                ri_op_fail(s3_steps_end(&l->steps), ROMA_ENOMEM, "no memory for a list");
}

static void s3_uploads(struct ri_op *op, const char *prefix, const char *after, unsigned max)
{
        struct s3_store *st = s3_of(op->store);
        const char *space = after ? strchr(after, ' ') : NULL;
        struct listing *l = listing_new(op);

        if (!l)
                return;
        l->max = max;
        l->base = strlen(st->profile.prefix);
        l->prefix = s3_key(st, prefix);
        l->uploads = ri_uploads_new();
        if (space) {
                l->id_marker = strndup(after, (size_t)(space - after));
                l->key_marker = strdup(space + 1);
        }
        if (after && !space)
                ri_op_fail(s3_steps_end(&l->steps), ROMA_EINVAL,
                           "that is not where a page of uploads has ended");
        else if (l->prefix && l->uploads && (!space || (l->id_marker && l->key_marker)))
                ask(l);
        else
                ri_op_fail(s3_steps_end(&l->steps), ROMA_ENOMEM, "no memory for a list");
}

/* Complete */

struct told {
        char etag[80];
};

struct complete {
        struct s3_steps steps;
        struct s3_patience patience;
        struct ri_str body;
        struct s3_span span;
        struct told *told;
        size_t n;
        char *key, *id;
        bool absent; /* the precondition */
        char *match; /* of the object that is to be replaced, its ETag; NULL: any */
        struct ri_error why;
};

static void complete_drop(struct s3_steps *s)
{
        struct complete *c = (struct complete *)s;

        s3_patience_end(&c->patience);
        ri_str_free(&c->body);
        free(c->told);
        free(c->key);
        free(c->id);
        free(c->match);
        free(c);
}

static void complete_fail(struct complete *c, const struct ri_error *e)
{
        s3_steps_fail(&c->steps, e);
}

static void complete_ok(struct complete *c, const roma_attr *a)
{
        struct ri_op *op = s3_steps_end(&c->steps);

        ri_op_set_attr(op, a);
        if (a->mask & ROMA_ATTR_LENGTH)
                op->res.bytes = a->length;
        ri_op_finish(op);
}

static struct s3_request *complete_step(struct complete *c, const char *name, const char *method,
                                        void (*done)(struct s3_request *r))
{
        return s3_step(&c->steps, s3_of(c->steps.op->store), name, method, c->key, done);
}

/* Nobody could see whether the object is there: a try whose answer was lost, or a complete that was killed, may have made it. */
static void not_seen(struct complete *c, const struct ri_error *head)
{
        struct ri_error e = c->why; /* with its code: callers begin anew when the upload is gone */
        size_t n = strlen(e.text);

        snprintf(e.text + n, sizeof(e.text) - n,
                 "; it is not known whether an earlier try has made the object, look at it (%.160s)",
                 head->text);
        e.outcome = ROMA_UNKNOWN;
        complete_fail(c, &e);
}

/* The upload is gone: is the object that of these parts? Then this complete, or the same one before, has made it. */
static void found_out(struct s3_request *r)
{
        struct complete *c = r->arg;
        char want[80] = "";
        roma_attr a;

        s3_attr_from_reply(&a, &r->reply);
        if (r->error.code && r->error.code != ROMA_ENOENT)
                not_seen(c, &r->error);
        else if (!r->error.code && s3_parts_etag(c->told[0].etag, sizeof(c->told[0]), c->n, want) &&
                 strcasecmp(a.etag, want) == 0)
                complete_ok(c, &a);
        else
                complete_fail(c, &c->why);
}

static void find_out(struct complete *c)
{
        struct s3_request *r;

        c->steps.op->outcome = ROMA_UNKNOWN; /* until there is an answer, which may not come in time */
        r = complete_step(c, "HeadObject", "HEAD", found_out);
        if (r)
                s3_request_start(r);
}

static void upload_looked(struct s3_request *r)
{
        struct complete *c = r->arg;
        bool gone = r->error.code == ROMA_ENOENT;
        struct ri_error e = c->why.code == ROMA_EPROTOCOL ? c->why : r->error;

        if (!gone) {
                complete_fail(c, &c->why);
                return;
        }
        e.outcome = c->why.outcome;
        c->why = e;
        find_out(c);
}

/* radosgw 16 answers 500 to the completion of an upload that is not there any more ("already in progress"). */
static void look_for_upload(struct complete *c)
{
        struct s3_request *r = complete_step(c, "ListParts", "GET", upload_looked);

        if (!r)
                return;
        s3_fields_add(&r->query, "max-parts", "1");
        s3_fields_add(&r->query, "uploadId", c->id);
        s3_request_start(r);
}

/* The answer has no length. */
static void measured(struct s3_request *r)
{
        struct complete *c = r->arg;
        roma_attr a = { .size = sizeof(a) };

        if (!r->error.code)
                s3_attr_from_reply(&a, &r->reply);
        /* Somebody may have replaced it since; the ETag is that of the answer. */
        if (*c->told[0].etag && strcasecmp(a.etag, c->told[0].etag) != 0) {
                a = (roma_attr){ .size = sizeof(a) };
                s3_etag(&a, c->told[0].etag);
        }
        complete_ok(c, &a);
}

static int result_etag(void *arg, const char *path, const char *text)
{
        char *etag = arg;

        if (strcmp(path, "CompleteMultipartUploadResult/ETag") == 0 && text)
                snprintf(etag, 80, "%s", text);
        return 0;
}

/* false: the object is there, and it is not what was asked for. */
static bool etag_is_right(const struct complete *c, const char *etag, struct ri_error *e)
{
        const struct s3_profile *p = &s3_of(c->steps.op->store)->profile;
        char want[80];

        if (p->dialect != S3_AWS4 || s3_sum(p->checksum) || strlen(etag) < 34 || etag[32] != '-' ||
            !s3_parts_etag(c->told[0].etag, sizeof(c->told[0]), c->n, want) || strcasecmp(etag, want) == 0)
                return true;
        ri_error_set(e, ROMA_ECORRUPT, NULL, "the finished object has the ETag %.60s, it must be %.60s", etag,
                     want);
        e->outcome = ROMA_UNKNOWN;
        return false;
}

/* A server that sends blanks while it joins may fail behind them: only a whole answer says that it is done. */
static void read_result(struct s3_request *r, char *etag)
{
        struct ri_str err = RI_STR_INIT(300);

        if (s3_xml_read(answer_of(r), r->answer.len, result_etag, etag, &err) < 0 || !*etag) {
                ri_error_set(&r->error, ROMA_EPROTOCOL, r->server,
                             "%s: the answer does not say that the object is there%s%s", r->name,
                             err.len ? ": " : "", ri_str_cstr(&err));
                r->error.outcome = ROMA_UNKNOWN;
        }
        ri_str_free(&err);
}

/* A condition that did not hold, in the words of whoever has set it. */
static bool refused_instead(const struct complete *c, const struct s3_request *r, struct ri_error *e)
{
        bool failed = e->code == ROMA_EPRECONDITION || (c->absent && e->code == ROMA_EEXIST) ||
                      (c->match && strcmp(r->code, "NoSuchKey") == 0);

        if (!(c->absent || c->match) || !failed || strcmp(r->code, "InvalidPart") == 0)
                return false;
        e->code = c->match ? ROMA_EPRECONDITION : ROMA_EEXIST;
        e->outcome = ROMA_NOT_DONE;
        if (c->match)
                snprintf(e->text, sizeof(e->text),
                         "it was to replace the object with the ETag %s, which is not there", c->match);
        else
                snprintf(
                        e->text, sizeof(e->text),
                        "there is an object of this name already, and it was to be completed only if absent");
        return true;
}

static void completed(struct s3_request *r)
{
        struct complete *c = r->arg;
        roma_attr a = { .size = sizeof(a) };
        bool refused, again;
        struct ri_error e;
        char etag[80] = "";

        s3_patience_end(&c->patience);
        if (!r->error.code)
                read_result(r, etag);
        e = r->error;
        if (strcmp(r->code, "InvalidPart") == 0)
                e.code = ROMA_EPRECONDITION;
        refused = refused_instead(c, r, &e);
        /* What was found may be what an earlier try has made. */
        again = refused && r->attempt > 0;
        if (again || (e.code == ROMA_ENOENT && r->attempt > 0))
                e.outcome = ROMA_UNKNOWN;
        s3_etag(&a, etag);
        if (again || e.code == ROMA_ENOENT) {
                c->why = e;
                find_out(c);
        } else if (e.code == ROMA_ESERVERIO || e.code == ROMA_EPROTOCOL) {
                c->why = e;
                look_for_upload(c);
        } else if (e.code || !etag_is_right(c, a.etag, &e)) {
                complete_fail(c, &e);
        } else {
                snprintf(c->told[0].etag, sizeof(c->told[0].etag), "%s", a.etag);
                r = complete_step(c, "HeadObject", "HEAD", measured);
                if (r)
                        s3_request_start(r);
        }
}

static int complete_body(struct complete *c, const roma_part *parts)
{
        ri_str_init(&c->body, 4 << 20);
        ri_str_puts(&c->body, "<CompleteMultipartUpload xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\">");
        for (size_t i = 0; i < c->n; i++) {
                snprintf(c->told[i].etag, sizeof(c->told[i].etag), "%s", parts[i].etag);
                ri_str_printf(&c->body, "<Part><PartNumber>%u</PartNumber><ETag>%s", parts[i].number,
                              parts[i].etag[0] == '"' ? "" : "&quot;");
                s3_xml_escape(&c->body, parts[i].etag);
                ri_str_printf(&c->body, "%s</ETag></Part>", parts[i].etag[0] == '"' ? "" : "&quot;");
        }
        return ri_str_puts(&c->body, "</CompleteMultipartUpload>");
}

static const char *absent_fault(const struct s3_store *st)
{
        if (!st->profile.if_absent)
                return "it is not known that this server checks atomically whether a name exists; ?vendor= "
                       "or "
                       "?if_absent=yes says that it does";
        if (!st->profile.traits->if_none_match_complete && !st->profile.traits->forbid_overwrite)
                return "this server does not check at the end of an upload whether a name exists";
        return NULL;
}

static const char *match_fault(const struct s3_store *st)
{
        const char *fault = s3_if_match_fault(st);

        if (!fault && !st->profile.traits->if_none_match_complete)
                fault = "this server does not check at the end of an upload which object it replaces";
        return fault;
}

static void s3_complete(struct ri_op *op, const char *key, const char *id, const roma_part *parts,
                        size_t count, const roma_complete_opts *opts)
{
        struct s3_store *st = s3_of(op->store);
        const char *fault = opts->precondition == ROMA_IF_ABSENT  ? absent_fault(st)
                            : opts->precondition == ROMA_IF_MATCH ? match_fault(st)
                                                                  : NULL;
        bool match = opts->precondition == ROMA_IF_MATCH;
        struct complete *c;
        struct s3_request *r;

        if (fault) {
                ri_op_fail(op, ROMA_ENOTSUP, "%s", fault);
                return;
        }
        c = calloc(1, sizeof(*c));
        if (c) {
                c->n = count;
                c->key = strdup(key);
                c->id = strdup(id);
                c->told = calloc(count, sizeof(*c->told));
                c->absent = opts->precondition == ROMA_IF_ABSENT;
                c->match = match ? strdup(opts->if_match) : NULL;
        }
        if (!c || !c->key || !c->id || !c->told || (match && !c->match) || complete_body(c, parts) < 0 ||
            s3_patience_begin(&c->patience, op, key, id) < 0) {
                if (c)
                        complete_drop(&c->steps);
                ri_op_fail(op, ROMA_ENOMEM, "no memory for the list of parts");
                return;
        }
        s3_steps_begin(&c->steps, op, complete_drop);
        r = complete_step(c, "CompleteMultipartUpload", "POST", completed);
        if (!r)
                return;
        c->span = (struct s3_span){ c->body.p, c->body.len };
        r->body = &c->span;
        r->spans = 1;
        r->length = c->body.len;
        r->has_body = true;
        r->changes = true;
        r->safe = true; /* a second one finds no upload, and then we look */
        s3_fields_add(&r->query, "uploadId", c->id);
        s3_fields_add(&r->headers, "Content-Type", "application/xml");
        if (c->absent && st->profile.traits->forbid_overwrite)
                s3_fields_add(&r->headers, st->profile.traits->forbid_overwrite, "true");
        else if (c->absent)
                s3_fields_add(&r->headers, "If-None-Match", "*");
        else if (c->match)
                s3_if_match(r, c->match);
        s3_request_start(r);
}

/* Abort */

struct abort {
        struct s3_request *r;
        struct s3_patience patience;
};

static void abort_free(struct abort *a)
{
        s3_patience_end(&a->patience);
        s3_request_free(a->r);
        free(a);
}

static void abort_cancel(struct ri_op *op)
{
        abort_free(op->impl);
}

static void aborted(struct s3_request *r)
{
        struct ri_op *op = s3_op_take(r);
        struct abort *a = r->arg;
        struct ri_error e = r->error;

        /* The first try has done it. */
        if (e.code && !(e.code == ROMA_ENOENT && r->attempt > 0))
                ri_op_fail_error(op, &e);
        else
                ri_op_finish(op);
        abort_free(a);
}

static void s3_abort_upload(struct ri_op *op, const char *key, const char *id)
{
        struct s3_request *r = s3_request_new(s3_of(op->store), op, "AbortMultipartUpload", "DELETE", key);
        struct abort *a = calloc(1, sizeof(*a));

        if (!r || !a || s3_patience_begin(&a->patience, op, key, id) < 0) {
                s3_request_free(r);
                if (a)
                        abort_free(a);
                ri_op_fail(op, ROMA_ENOMEM, "no memory for a request");
                return;
        }
        a->r = r;
        op->impl = a;
        op->cancel = abort_cancel;
        r->done = aborted;
        r->arg = a;
        r->changes = true;
        r->safe = true;
        s3_fields_add(&r->query, "uploadId", id);
        s3_request_start(r);
}

/* Who sets ?part= to less than the vendor's least knows a server that takes it. */
static void s3_limits(roma_store *store, uint64_t *least, uint64_t *most)
{
        const struct s3_profile *p = &s3_of(store)->profile;

        *least = p->part && p->part < p->traits->min_part ? p->part : p->traits->min_part;
        *most = S3_PART_MOST;
}

const struct ri_upload_ops s3_upload = {
        .begin = s3_begin,
        .part = &s3_part_writer,
        .parts = s3_parts,
        .list = s3_uploads,
        .complete = s3_complete,
        .abort = s3_abort_upload,
        .limits = s3_limits,
};
