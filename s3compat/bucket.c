/* SPDX-License-Identifier: MIT */
/* Buckets, made and removed. The answer to a repeated request says nothing of the first one, whose answer was lost: "it is yours
 * already" and "there is none" may be its work, or may have been so before. So it is looked before, and when an answer is lost. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "s3compat/store.h"

enum was { WAS_UNSURE, WAS_ABSENT, WAS_THERE }; /* before the first try */

struct change {
        struct s3_steps steps;
        bool make; /* or remove */
        enum was was;
        unsigned tries;      /* of the change itself */
        struct ri_error why; /* of the last one, whose answer was lost */
        struct ri_str text;  /* its body */
        struct s3_span span;
};

static void change_drop(struct s3_steps *s)
{
        struct change *c = (struct change *)s;

        ri_str_free(&c->text);
        free(c);
}

/* It was so before the first try: certain, whatever became of an answer. */
static void fail_as_before(struct change *c)
{
        const char *bucket = c->steps.r->st->profile.bucket;
        struct ri_error e;

        if (c->make)
                ri_error_set(&e, ROMA_EEXIST, c->steps.r->server, "the bucket %.100s was there before",
                             bucket);
        else
                ri_error_set(&e, ROMA_ENOENT, c->steps.r->server, "there is no bucket %.100s", bucket);
        e.status_kind = ROMA_STATUS_HTTP;
        e.server_status = c->make ? 409 : 404;
        e.status_name = c->make ? "BucketAlreadyOwnedByYou" : "NoSuchBucket";
        s3_steps_fail(&c->steps, &e);
}

/* Looks whether there is such a bucket. */
static void look(struct change *c, void (*done)(struct s3_request *r))
{
        struct s3_request *r =
                s3_step(&c->steps, s3_of(c->steps.op->store), "HeadBucket", "HEAD", NULL, done);

        if (r)
                s3_request_start(r);
}

static void looked_again(struct s3_request *r);

/* The server says of a second try what the first one has done. */
static bool first_has_done_it(const struct change *c)
{
        const char *word = c->make ? "BucketAlreadyOwnedByYou" : "NoSuchBucket";

        return c->steps.r->perhaps && (c->was == WAS_ABSENT || !c->make) &&
               strcmp(c->steps.r->code, word) == 0;
}

static void changed(struct s3_request *r)
{
        struct change *c = r->arg;

        if (!r->error.code && c->make && c->was == WAS_THERE) {
                fail_as_before(c); /* radosgw, and AWS in us-east-1, say yes also then */
        } else if (!r->error.code || first_has_done_it(c)) {
                ri_op_finish(s3_steps_end(&c->steps));
        } else if (r->sent) {
                c->why = r->error;
                c->tries = r->attempt + 1;
                look(c, looked_again);
        } else {
                s3_steps_fail(&c->steps, &r->error);
        }
}

static void change_it(struct change *c)
{
        struct s3_request *r =
                s3_step(&c->steps, s3_of(c->steps.op->store), c->make ? "CreateBucket" : "DeleteBucket",
                        c->make ? "PUT" : "DELETE", NULL, changed);

        if (!r)
                return;
        if (c->text.len) {
                c->span = (struct s3_span){ c->text.p, c->text.len };
                r->body = &c->span;
                r->spans = 1;
                r->length = c->text.len;
        }
        r->has_body = c->make;
        r->changes = true;
        r->safe = false;
        r->looks = true;
        r->attempt = c->steps.op->tries = c->tries;
        r->perhaps = c->tries > 0;
        s3_request_start(r);
}

static void looked_again(struct s3_request *r)
{
        struct change *c = r->arg;
        const bool there = !r->error.code;

        if (!there && r->status != 404)
                s3_steps_fail(&c->steps, &c->why); /* nobody says what is there */
        else if (there == c->make && (c->was == WAS_ABSENT || !c->make))
                ri_op_finish(s3_steps_end(&c->steps));
        else if (there == c->make && c->was == WAS_THERE)
                fail_as_before(c);
        else if (there == c->make || c->tries >= r->st->profile.attempts)
                s3_steps_fail(&c->steps,
                              &c->why); /* nobody has said what was there before, or it is of no use */
        else
                change_it(c);
}

static void looked_before(struct s3_request *r)
{
        struct change *c = r->arg;

        if (!r->error.code)
                c->was = WAS_THERE;
        else if (r->status == 404)
                c->was = WAS_ABSENT;
        if (c->was == WAS_UNSURE && (r->status < 300 || r->status >= 500))
                s3_steps_fail(&c->steps, &r->error);
        else if (c->was == WAS_ABSENT && !c->make)
                fail_as_before(c);
        else
                change_it(c); /* who may not look may yet be allowed to do it; and that answer has a body */
}

static void change_bucket(struct ri_op *op, const char *key, bool make, struct ri_str *text)
{
        struct change *c;

        if (*key) {
                ri_op_fail(op, ROMA_ENOTSUP, "this kind of store has no folders: a key may hold slashes");
                return;
        }
        c = calloc(1, sizeof(*c));
        if (!c || text->failed) {
                free(c);
                ri_op_fail(op, ROMA_ENOMEM, "no memory for a request");
                return;
        }
        c->make = make;
        c->text = *text;
        *text = (struct ri_str)RI_STR_INIT(0);
        s3_steps_begin(&c->steps, op, change_drop);
        look(c, looked_before);
}

/* Where it is to be; nothing when that is not to be said. */
static void location(const struct s3_profile *p, struct ri_str *text)
{
        if (p->vendor != S3_VENDOR_AWS || strcmp(p->region, "us-east-1") == 0 || !*p->region)
                return;
        ri_str_puts(text, "<CreateBucketConfiguration><LocationConstraint>");
        s3_xml_escape(text, p->region);
        ri_str_puts(text, "</LocationConstraint></CreateBucketConfiguration>");
}

void s3_mkdir(struct ri_op *op, const char *key, uint32_t mode)
{
        struct ri_str text = RI_STR_INIT(1024);

        (void)mode;
        location(&s3_of(op->store)->profile, &text);
        change_bucket(op, key, true, &text);
        ri_str_free(&text);
}

void s3_rmdir(struct ri_op *op, const char *key)
{
        struct ri_str text = RI_STR_INIT(0);

        change_bucket(op, key, false, &text);
}
