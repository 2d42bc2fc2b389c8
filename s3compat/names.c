/* SPDX-License-Identifier: MIT */
/* Single names: what is there, away with it. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "s3compat/store.h"

/* stat: HEAD; then, for what is no object, whether keys lie below it. */

static int any_key(void *arg, const char *path, const char *text)
{
        bool *any = arg;

        (void)text;
        if (strcmp(path, "ListBucketResult/Contents") == 0)
                *any = true;
        return 0;
}

static void finish_folder(struct ri_op *op)
{
        const roma_attr dir = { .size = sizeof(dir), .mask = ROMA_ATTR_TYPE, .type = ROMA_TYPE_DIR };

        ri_op_set_attr(op, &dir);
        ri_op_finish(op);
}

static void fail_absent(struct ri_op *op, const struct s3_request *r)
{
        struct ri_error e;

        ri_error_set(&e, ROMA_ENOENT, r->server, "there is no such object in the bucket %.64s",
                     r->st->profile.bucket);
        e.status_kind = ROMA_STATUS_HTTP;
        e.server_status = 404;
        e.status_name = "NoSuchKey";
        ri_op_fail_error(op, &e);
}

static void looked_below(struct s3_request *r)
{
        struct ri_str err = RI_STR_INIT(400);
        struct ri_op *op;
        bool any = false;

        if (r->error.code) {
                s3_op_fail(r);
                return;
        }
        op = s3_op_take(r);
        if (s3_xml_read(r->answer.p ? r->answer.p : "", r->answer.len, any_key, &any, &err) < 0)
                ri_op_fail(op, ROMA_EPROTOCOL, "%s", ri_str_cstr(&err));
        else if (any)
                finish_folder(op);
        else
                fail_absent(op, r);
        s3_request_free(r);
        ri_str_free(&err);
}

static void look_below(struct ri_op *op, const char *key)
{
        struct s3_request *r = s3_op_request(op, "ListObjects", "GET", NULL, looked_below);

        if (!r)
                return;
        if (r->st->profile.list_v2)
                s3_fields_add(&r->query, "list-type", "2");
        s3_fields_add(&r->query, "max-keys", "1");
        s3_fields_addf(&r->query, "prefix", "%s/", key);
        s3_request_start(r);
}

static void stat_done(struct s3_request *r)
{
        struct ri_op *op;
        roma_attr a;

        if (r->error.code == ROMA_ENOENT && r->status == 404) {
                char *key = strdup(r->key);

                op = s3_op_take(r);
                s3_request_free(r);
                if (key)
                        look_below(op, key);
                else
                        ri_op_fail(op, ROMA_ENOMEM, "no memory for a request");
                free(key);
                return;
        }
        if (r->error.code) {
                s3_op_fail(r);
                return;
        }
        op = s3_op_take(r);
        s3_attr_from_reply(&a, &r->reply);
        ri_op_set_attr(op, &a);
        if (s3_props_give(op, &r->reply) == 0)
                ri_op_finish(op);
        s3_request_free(r);
}

static void bucket_is_there(struct s3_request *r)
{
        struct ri_op *op;

        if (r->error.code == ROMA_ENOENT)
                snprintf(r->error.text, sizeof(r->error.text), "there is no bucket %.100s; roma mb makes one",
                         r->st->profile.bucket);
        if (r->error.code) {
                s3_op_fail(r);
                return;
        }
        op = s3_op_take(r);
        s3_request_free(r);
        finish_folder(op);
}

void s3_stat(struct ri_op *op, const char *key, unsigned flags)
{
        bool root = !*key;
        struct s3_request *r = s3_op_request(op, root ? "HeadBucket" : "HeadObject", "HEAD",
                                             root ? NULL : key, root ? bucket_is_there : stat_done);

        (void)flags;
        if (r)
                s3_request_start(r);
}

/* unlink: DELETE says the same whether there was something or not, so look first. When its answer is lost, look again: what
 * somebody else has put there meanwhile must not go. */

struct removal {
        struct s3_steps steps;
        char *key;
        roma_attr was;
        unsigned tries;      /* of DELETE */
        struct ri_error why; /* of the last DELETE, whose answer was lost */
};

static void removal_drop(struct s3_steps *s)
{
        struct removal *m = (struct removal *)s;

        free(m->key);
        free(m);
}

static void look(struct removal *m, void (*done)(struct s3_request *r))
{
        struct s3_request *r =
                s3_step(&m->steps, s3_of(m->steps.op->store), "HeadObject", "HEAD", m->key, done);

        if (r)
                s3_request_start(r);
}

static void looked_again(struct s3_request *r);

static void removed(struct s3_request *r)
{
        struct removal *m = r->arg;

        if (!r->error.code) {
                ri_op_finish(s3_steps_end(&m->steps));
        } else if (r->sent) {
                m->why = r->error;
                m->tries = r->attempt + 1;
                look(m, looked_again);
        } else {
                s3_steps_fail(&m->steps, &r->error);
        }
}

static void remove_it(struct removal *m)
{
        struct s3_request *r =
                s3_step(&m->steps, s3_of(m->steps.op->store), "DeleteObject", "DELETE", m->key, removed);

        if (!r)
                return;
        r->changes = true;
        r->safe = false;
        r->looks = true;
        r->attempt = m->steps.op->tries = m->tries;
        r->perhaps = m->tries > 0;
        s3_request_start(r);
}

static bool same_object(const roma_attr *a, const roma_attr *b)
{
        return a->length == b->length && a->ctime_ns == b->ctime_ns && strcmp(a->etag, b->etag) == 0;
}

static void looked_again(struct s3_request *r)
{
        struct removal *m = r->arg;
        roma_attr now;

        s3_attr_from_reply(&now, &r->reply);
        if (r->error.code && r->status != 404)
                s3_steps_fail(&m->steps, &m->why);
        else if (r->error.code || !same_object(&m->was, &now))
                ri_op_finish(s3_steps_end(&m->steps)); /* another one has come after it */
        else if (m->tries >= r->st->profile.attempts)
                s3_steps_fail(&m->steps, &m->why);
        else
                remove_it(m);
}

static void found(struct s3_request *r)
{
        struct removal *m = r->arg;

        if (r->error.code) {
                s3_steps_fail(&m->steps, &r->error);
                return;
        }
        s3_attr_from_reply(&m->was, &r->reply);
        remove_it(m);
}

void s3_unlink(struct ri_op *op, const char *key, unsigned flags)
{
        struct removal *m;

        (void)flags;
        if (!*key) {
                ri_op_fail(op, ROMA_EISDIR, "the bucket is no object; roma rb removes one");
                return;
        }
        m = calloc(1, sizeof(*m));
        if (m)
                m->key = strdup(key);
        if (!m || !m->key) {
                free(m);
                ri_op_fail(op, ROMA_ENOMEM, "no memory for a request");
                return;
        }
        s3_steps_begin(&m->steps, op, removal_drop);
        look(m, found);
}

/* ping */

static void pinged(struct s3_request *r)
{
        const char *server = s3_fields_get(&r->reply, "server");
        struct ri_op *op;
        char text[256];

        if (r->error.code) {
                s3_op_fail(r);
                return;
        }
        snprintf(text, sizeof(text), "the bucket %.64s answers%s%.100s", r->st->profile.bucket,
                 server ? ", server " : "", server ? server : "");
        op = s3_op_take(r);
        s3_request_free(r);
        if (ri_op_set_text(op, text, strlen(text)) == 0)
                ri_op_finish(op);
}

void s3_ping(struct ri_op *op)
{
        struct s3_request *r = s3_op_request(op, "HeadBucket", "HEAD", NULL, pinged);

        if (r)
                s3_request_start(r);
}

/* There is no limit that anybody could name. */
void s3_statfs(struct ri_op *op)
{
        const roma_space space = { UINT64_MAX, UINT64_MAX, UINT64_MAX };

        if (ri_op_set_space(op, &space) == 0)
                ri_op_finish(op);
}
