/* SPDX-License-Identifier: MIT */
/* Links and forms. */
#include <roma/presign.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "s3compat/policy.h"
#include "s3compat/store.h"

/* The result: what points into the lists lives with it. */
struct link {
        roma_presigned link;
        struct s3_fields fields, query;
        roma_presigned_field *field;
        char *url;
};

static void link_free(void *payload)
{
        struct link *l = payload;

        if (!l)
                return;
        s3_fields_clear(&l->fields);
        s3_fields_clear(&l->query);
        if (l->url)
                ri_free_secret(l->url, strlen(l->url));
        free(l->field);
        free(l);
}

static void add_answer_headers(const roma_presign_opts *o, struct s3_fields *query)
{
        if (o->content_type)
                s3_fields_add(query, "response-content-type", o->content_type);
        if (o->disposition)
                s3_fields_add(query, "response-content-disposition", o->disposition);
}

static int sign_link(struct s3_sign *s, const roma_presign_opts *o, struct link *l, struct ri_str *err)
{
        if (o->kind == ROMA_PRESIGN_GET)
                add_answer_headers(o, &l->query);
        else if (o->content_type)
                s3_fields_add(&l->fields, "Content-Type", o->content_type);
        if (o->kind == ROMA_PRESIGN_PART) {
                s3_fields_addf(&l->query, "partNumber", "%u", o->part);
                s3_fields_add(&l->query, "uploadId", o->upload_id);
        }
        return s3_sign_query(s, &l->fields, o->expires_s, &l->query, NULL, err);
}

static int sign_form(struct s3_sign *s, const roma_presign_opts *o, struct link *l, struct ri_str *err)
{
        struct ri_str policy = RI_STR_INIT(65536);
        struct s3_fields own = { 0 };
        size_t n = o->content_type ? strlen(o->content_type) : 0;
        int r = -1;

        s3_policy_fields(s, &own);
        s3_policy_write(&policy, s, o, &own, l->link.expires_at);
        if (o->flags & ROMA_PRESIGN_PREFIX)
                s3_fields_addf(&l->fields, "key", "%s${filename}", s->key);
        else
                s3_fields_add(&l->fields, "key", s->key);
        if (n && o->content_type[n - 1] != '/')
                s3_fields_add(&l->fields, "Content-Type", o->content_type);
        if (own.failed || policy.failed || l->fields.failed)
                ri_str_fail(err, "the conditions are too long, or there is no memory");
        else
                r = s3_sign_policy(s, ri_str_cstr(&policy), &l->fields, err);
        ri_str_free(&policy);
        s3_fields_clear(&own);
        return r;
}

static const char *method_of(int kind)
{
        switch (kind) {
        case ROMA_PRESIGN_GET: return "GET";
        case ROMA_PRESIGN_DELETE: return "DELETE";
        case ROMA_PRESIGN_FORM: return "POST";
        default: return "PUT";
        }
}

static int make_url(const struct s3_profile *p, const char *host, const char *path, struct link *l)
{
        struct ri_str url = RI_STR_INIT(65536);

        ri_str_printf(&url, "%s://%s%s", p->tls ? "https" : "http", host, path);
        if (l->query.n) {
                ri_str_putc(&url, '?');
                s3_query(&url, &l->query, p->dialect == S3_AWS4);
        }
        l->url = ri_str_take(&url, NULL);
        l->field = calloc(l->fields.n + 1, sizeof(*l->field));
        if (!l->url || !l->field)
                return -1;
        for (size_t i = 0; i < l->fields.n; i++)
                l->field[i] = (roma_presigned_field){ l->fields.v[i].name, l->fields.v[i].value };
        l->link.url = l->url;
        l->link.field = l->field;
        l->link.fields = l->fields.n;
        return 0;
}

static int make(struct s3_store *st, const char *key, const roma_presign_opts *o, struct link *l,
                struct ri_str *err)
{
        const struct s3_profile *p = &st->profile;
        struct ri_str host = RI_STR_INIT(1024), path = RI_STR_INIT(8192);
        bool form = o->kind == ROMA_PRESIGN_FORM;
        struct s3_sign s = { .dialect = p->dialect,
                             .keys = { st->creds.id, st->creds.secret, st->creds.token },
                             .region = *p->region ? p->region : "us-east-1",
                             .now = (int64_t)time(NULL) + st->skew,
                             .method = method_of(o->kind),
                             .bucket = p->bucket,
                             .key = key };
        int r;

        s3_profile_host(p, &host);
        s3_path(&path, p->path_style, p->bucket, form ? "" : key);
        s.host = ri_str_cstr(&host);
        s.path = ri_str_cstr(&path);
        l->link.method = s.method;
        l->link.expires_at = s.now + o->expires_s;
        r = form ? sign_form(&s, o, l, err) : sign_link(&s, o, l, err);
        if (r == 0 && (host.failed || path.failed || make_url(p, s.host, s.path, l) < 0))
                r = ri_str_fail(err, "the link is too long, or there is no memory");
        ri_str_free(&host);
        ri_str_free(&path);
        return r;
}

void s3_presign(struct ri_op *op, const char *key, const roma_presign_opts *opts)
{
        struct s3_store *st = s3_of(op->store);
        struct ri_str err = RI_STR_INIT(400);
        struct link *l = calloc(1, sizeof(*l));
        char *whole = s3_key(st, key);

        if (!l || !whole) {
                ri_op_fail(op, ROMA_ENOMEM, "no memory for a link");
                link_free(l);
        } else if (st->profile.anonymous || !st->creds.id) {
                ri_op_fail(op, ROMA_EAUTH, "a link is made with keys, and the store was opened without");
                link_free(l);
        } else if (make(st, whole, opts, l, &err) < 0) {
                ri_op_fail(op, ROMA_EINVAL, "%s", ri_str_cstr(&err));
                link_free(l);
        } else {
                op->payload = l;
                op->payload_free = link_free;
                op->res.text = l->url;
                op->res.extra = &l->link;
                ri_op_finish(op);
        }
        free(whole);
        ri_str_free(&err);
}
