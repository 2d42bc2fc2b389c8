/* SPDX-License-Identifier: MIT */
/* Making an object. Bytes gather in a part; an object that fits into one is put whole at the commit, a longer one is a
 * multipart upload, whose parts go out as they fill, several at a time.
 *
 * A write ends when its bytes are in a part: the part holds them until the server has confirmed them, so that a try that
 * failed can be repeated. How much may be held is bounded; then writes wait. */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "s3compat/writer.h"

enum { ALONE_MS = 15 * 60 * 1000 }; /* for an abort that nobody waits for */

/* Life */

static void s3w_free(struct s3w *f)
{
        ri_task_drop(&f->failer);
        ri_timer_stop(&f->limit);
        s3w_parts_free(f);
        s3_patience_end(&f->patience);
        s3_request_free(f->r);
        ri_str_free(&f->body);
        free(f->told);
        free(f->upload);
        free(f->drawn_name);
        free(f);
}

void s3w_gone(struct s3w *f)
{
        roma_writer *w = f->w;

        w->impl = NULL;
        s3w_free(f);
        ri_writer_gone(w);
}

/* An abort goes on with nobody waiting for it, but not for ever: it has a connection. */
static void limit_fired(struct ri_timer *t)
{
        s3w_gone(ri_container_of(t, struct s3w, limit));
}

/* false: f is gone. */
static bool alone(struct s3w *f)
{
        f->limit.fire = limit_fired;
        if (ri_timer_start(f->st->loop, &f->limit, ALONE_MS) == 0)
                return true;
        s3w_gone(f);
        return false;
}

/* The operation is over for us. */
struct ri_op *s3w_let_go(struct s3w *f)
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
        s3w_give_up(f);
}

void s3w_waits_for(struct s3w *f, struct ri_op *op)
{
        f->op = op;
        op->impl = f;
        op->cancel = op_cancel;
}

struct s3_request *s3w_request(struct s3w *f, const char *name, const char *method,
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

void s3w_end_request(struct s3w *f)
{
        s3_request_free(f->r);
        f->r = NULL;
}

/* Failing: what is pending fails, later writes are refused by core; the commit fails with the reason. */

struct ri_op *s3w_end_draw(struct s3w *f)
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
                struct s3w_pending *p = ri_container_of(l, struct s3w_pending, link);
                struct ri_op *op = p->op;

                op->cancel = NULL;
                free(p);
                ri_op_fail_error(op, &f->why);
        }
        if (f->drawing)
                ri_op_fail_error(s3w_end_draw(f), &f->why);
}

void s3w_fail(struct s3w *f, const struct ri_error *e)
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
                s3w_give_up(f);
}

void s3w_fail_with(struct s3w *f, int code, const char *text)
{
        struct ri_error e;

        ri_error_set(&e, code, NULL, "%s", text);
        s3w_fail(f, &e);
}

/* Writing */

static void write_cancel(struct ri_op *op)
{
        struct s3w_pending *p = op->impl;

        ri_list_del(&p->link);
        free(p);
}

static bool must_wait(const struct s3w *f)
{
        uint64_t held = f->st->held + f->st->referenced;

        return f->in_flight >= s3w_most_in_flight(f) || (f->in_flight && held >= S3W_HELD);
}

/* References keep buffers of the loop, which others need too: a quarter is left to them, whatever happens. */
static bool may_refer(const struct s3w *f, size_t n)
{
        uint64_t max = f->st->loop->opts.max_buffer_bytes ? f->st->loop->opts.max_buffer_bytes : S3W_HELD;

        return !s3w_needs_digest(f) && f->st->loop->referenced + n <= max - max / 4;
}

/* Takes what it can of one write. false: it has to wait, or the writer has failed. */
static bool take(struct s3w *f, struct s3w_pending *p)
{
        while (p->taken < p->len) {
                int64_t n;

                if (f->cur && f->cur->length == f->cur->capacity) {
                        if (s3w_is_single_only(f->st, f->w)) {
                                s3w_fail_with(
                                        f, ROMA_ENOTSUP,
                                        "this server checks conditions only for objects up to 64 MiB; put it "
                                        "without them");
                                return false;
                        }
                        s3w_release_filled(f);
                        if (f->failed)
                                return false;
                }
                if (!f->cur && must_wait(f))
                        return false;
                if (!f->cur)
                        f->cur = s3_part_new(f->st, f, f->next_number + 1, s3w_part_size(f));
                n = f->cur ? s3_part_take(f->cur, p->data + p->taken, p->len - p->taken, p->buf,
                                          may_refer(f, p->len - p->taken), &p->op->res.crc32)
                           : -1;
                if (n < 0) {
                        s3w_fail_with(f, ROMA_ENOMEM, "no memory for a part of the object");
                        return false;
                }
                p->taken += (size_t)n;
        }
        return true;
}

void s3w_pump(struct s3w *f)
{
        struct ri_list *l;

        while (!f->failed && (l = ri_list_first(&f->pending))) {
                struct s3w_pending *p = ri_container_of(l, struct s3w_pending, link);
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
                s3w_draw_parts(f);
        if (f->committing && !f->failed)
                s3w_commit_step(f);
}

static void s3_write(struct ri_op *op, roma_writer *w, const void *data, size_t len, roma_buf *buf,
                     uint64_t offset)
{
        struct s3w *f = w->impl;
        struct s3w_pending *p;

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
        *p = (struct s3w_pending){ .op = op, .data = data, .len = len, .buf = buf, .w = f };
        op->impl = p;
        op->cancel = write_cancel;
        ri_list_add_tail(&f->pending, &p->link);
        ri_op_waits(op, "room for it: earlier parts are on their way", f->st->profile.host);
        s3w_pump(f);
}

/* Giving up */

static void aborted(struct s3w *f)
{
        struct ri_op *op = s3w_let_go(f);
        bool failed = f->failed;
        struct ri_error e = f->why;

        s3w_gone(f);
        if (op && failed)
                ri_op_fail_error(op, &e);
        else if (op)
                ri_op_finish(op);
}

static void abort_done(struct s3_request *r)
{
        struct s3w *f = r->arg;

        /* What a server does not let us take away its own rules for old uploads will. */
        s3w_end_request(f);
        aborted(f);
}

void s3w_give_up(struct s3w *f)
{
        struct s3_request *r;

        f->aborting = true;
        s3w_parts_free(f);
        s3w_end_request(f);
        /* radosgw 16 does both at once: the object is there, and its bytes go with the next garbage collection. */
        r = f->upload && !f->completing ? s3w_request(f, "AbortMultipartUpload", "DELETE", abort_done) : NULL;
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
                s3w_waits_for(f, op);
        if (why) {
                f->why = *why;
                f->failed = true;
        } else {
                f->failed = false;
        }
        s3w_give_up(f);
}

static void s3_drop(roma_writer *w)
{
        struct s3w *f = w->impl;

        s3w_let_go(f);
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
        s3w_end_request(f);
        if (match && (e.code == ROMA_ENOENT || (!e.code && strcmp(a.etag, f->w->if_match) != 0)))
                s3w_refused_instead(f, &e);
        if (e.code && e.code != ROMA_ENOENT) {
                struct ri_op *op = s3w_let_go(f);

                s3w_gone(f);
                ri_op_fail_error(op, &e);
                return;
        }
        f->w->exists = !e.code;
        ri_op_finish(s3w_let_go(f));
}

static void open_cancel(struct ri_op *op)
{
        struct s3w *f = op->impl;

        f->op = NULL;
        s3w_gone(f);
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
        if (s3w_is_single_only(st, w) && w->size_hint != ROMA_SIZE_UNKNOWN &&
            w->size_hint > S3W_LONGEST_ATOMIC)
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
        r = s3w_request(f, "HeadObject", "HEAD", looked);
        if (r) {
                s3_request_start(r);
        } else {
                s3w_let_go(f);
                s3w_gone(f);
                ri_op_fail(op, ROMA_ENOMEM, "no memory for a request");
        }
}

const struct ri_writer_ops s3_writer = {
        .open = s3_writer_open,
        .write = s3_write,
        .draws = s3w_draws,
        .draw = s3w_draw,
        .commit = s3w_commit,
        .abort = s3_abort,
        .drop = s3_drop,
};
