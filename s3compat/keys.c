/* SPDX-License-Identifier: MIT */
/* Looking keys up: reading files is a worker's work. Again when the server says that they have expired: whoever renews
 * them writes the files anew. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "s3compat/store.h"

struct keys_job {
        struct ri_job job;
        struct s3_store *st; /* loop only */
        struct ri_op *op;    /* loop only: store_open, or NULL */
        enum s3_vendor vendor;
        char *profile;
        struct s3_creds found;
        struct ri_str err;
        bool failed;
};

static void job_free(struct keys_job *k)
{
        s3_creds_clear(&k->found);
        ri_str_free(&k->err);
        free(k->profile);
        free(k);
}

static void job_work(struct ri_job *job)
{
        struct keys_job *k = ri_container_of(job, struct keys_job, job);

        k->failed = s3_creds_find(&k->found, k->vendor, k->profile, &k->err) < 0;
}

static void job_orphan(struct ri_job *job)
{
        job_free(ri_container_of(job, struct keys_job, job));
}

static bool same_text(const char *a, const char *b)
{
        return a && b ? strcmp(a, b) == 0 : a == b;
}

static bool same_keys(const struct s3_creds *a, const struct s3_creds *b)
{
        return same_text(a->id, b->id) && same_text(a->secret, b->secret) && same_text(a->token, b->token);
}

/* Nobody has said that the keys are bad: the answer to a HEAD has no words. */
static bool mute_refusal(const struct s3_request *r)
{
        return r->error.code && r->status == 403 && strcmp(r->method, "HEAD") == 0;
}

/* Those who wait: with other keys than they were refused with once more, else they fail as they have. */
static void wake(struct s3_store *st, const struct keys_job *k)
{
        const unsigned renewed = st->renewed;
        struct ri_list all, *l;

        ri_list_init(&all);
        ri_list_splice_tail(&all, &st->wait_keys);
        while ((l = ri_list_pop(&all))) {
                struct s3_request *r = ri_container_of(l, struct s3_request, link);

                if (k->failed) {
                        if (!mute_refusal(r))
                                ri_error_set(&r->error, ROMA_ECONFIG, NULL, "%s", ri_str_cstr(&k->err));
                        s3_request_end(r);
                } else if (r->renewed == renewed) {
                        s3_request_end(r);
                } else {
                        s3_request_start(r);
                }
        }
}

static void told(struct s3_store *st, struct keys_job *k)
{
        struct ri_op *op = k->op;

        if (op) {
                op->impl = NULL;
                op->cancel = NULL;
        }
        if (k->failed && op)
                ri_op_fail(op, ROMA_ECONFIG, "%s", ri_str_cstr(&k->err));
        else if (op && !st->creds.id)
                ri_op_fail(op, ROMA_EAUTH,
                           "no keys were found%s%s%s: put access_key and secret_key into roma.conf, or set "
                           "%s, or say "
                           "?anonymous=yes",
                           k->err.len ? " (" : "", ri_str_cstr(&k->err), k->err.len ? ")" : "",
                           st->profile.vendor == S3_VENDOR_OSS ? "OSS_ACCESS_KEY_ID and OSS_ACCESS_KEY_SECRET"
                           : st->profile.vendor == S3_VENDOR_OBS
                                   ? "OBS_ACCESS_KEY_ID and OBS_SECRET_ACCESS_KEY"
                                   : "AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY");
        else if (op)
                ri_op_finish(op);
}

static void job_done(struct ri_job *job)
{
        struct keys_job *k = ri_container_of(job, struct keys_job, job);
        struct s3_store *st = k->st;

        st->keys = NULL;
        if (!k->failed && k->found.id && k->found.secret) {
                if (!same_keys(&st->creds, &k->found))
                        st->renewed++;
                s3_creds_clear(&st->creds);
                st->creds = k->found;
                memset(&k->found, 0, sizeof(k->found));
                /* What is no region's name is as good as none. */
                if (!*st->profile.region &&
                    s3_profile_set_region(&st->profile, st->creds.region ? st->creds.region : "") < 0)
                        s3_profile_set_region(&st->profile, "us-east-1");
        }
        wake(st, k);
        told(st, k); /* a store that cannot be opened is gone after this */
        job_free(k);
}

static void op_cancel(struct ri_op *op)
{
        s3_keys_cancel(op->impl);
        op->impl = NULL;
}

int s3_keys_lookup(struct s3_store *st, struct ri_op *connect)
{
        struct keys_job *k;

        if (st->keys)
                return 0;
        k = calloc(1, sizeof(*k));
        if (!k)
                return -1;
        k->profile = strdup(st->profile.aws_profile);
        if (!k->profile) {
                free(k);
                return -1;
        }
        ri_str_init(&k->err, 400);
        k->st = st;
        k->op = connect;
        k->vendor = st->profile.vendor;
        k->job.work = job_work;
        k->job.done = job_done;
        k->job.orphan = job_orphan;
        st->keys = k;
        if (connect) {
                connect->impl = st;
                connect->cancel = op_cancel;
        }
        ri_job_start(st->loop, &k->job);
        return 0;
}

void s3_keys_cancel(struct s3_store *st)
{
        struct keys_job *k = st->keys;

        st->keys = NULL;
        if (k)
                ri_job_abandon(&k->job);
}
