/* SPDX-License-Identifier: MIT */
/* A request and its tries. Tries are spaced by a random part of a growing time, so that many clients do not come back
 * together. What is not safe to be sent twice is not: its outcome is UNKNOWN when the answer was lost. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "s3compat/store.h"

enum { BASE_MS = 100, SLOW_MS = 800, MOST_MS = 20000, TELL_MS = 250, MAX_DEPTH = 8, HEAVY = 256 << 10 };

static void attempt(struct s3_request *r);

char *s3_key(const struct s3_store *st, const char *key)
{
        char *s;

        return asprintf(&s, "%s%s", st->profile.prefix, key) < 0 ? NULL : s;
}

const char *s3_key_fault(const char *key, int *code)
{
        size_t n = strlen(key), len;

        *code = ROMA_ENAMETOOLONG;
        if (n > S3_MAX_KEY)
                return "keys have at most 1024 bytes";
        *code = ROMA_EINVAL;
        for (size_t i = 0; i < n; i += len) {
                unsigned char c = (unsigned char)key[i];

                /* U+0080..U+009F are UTF-8 here. */
                len = c == 0xc2 && ((unsigned char)key[i + 1] & 0xc0) == 0x80 ? 2
                                                                              : ri_utf8_len(key + i, n - i);
                if (!len)
                        return "keys of this kind of store are UTF-8, and this one is not";
        }
        return NULL;
}

void s3_progress(struct ri_op *op)
{
        for (int depth = 0; op && depth < MAX_DEPTH; depth++) {
                ri_op_progress(op);
                op = op->parent ? ri_op_find(op->loop, op->parent) : NULL;
        }
}

/* Tries */

static uint64_t random_below(struct s3_store *st, uint64_t n)
{
        st->random ^= st->random << 13;
        st->random ^= st->random >> 7;
        st->random ^= st->random << 17;
        return n ? st->random % n : 0;
}

static uint64_t pause_ms(struct s3_request *r, bool slowly)
{
        uint64_t most = (uint64_t)(slowly ? SLOW_MS : BASE_MS) << (r->attempt < 8 ? r->attempt : 8);
        const char *told = s3_fields_get(&r->reply, "retry-after");
        unsigned long seconds = told ? strtoul(told, NULL, 10) : 0;

        if (most > MOST_MS)
                most = MOST_MS;
        if (seconds > 0 && seconds <= 20)
                return seconds * 1000 + random_below(r->st, 500);
        return 1 + random_below(r->st, most);
}

static void again(struct ri_timer *t)
{
        attempt(ri_container_of(t, struct s3_request, again));
}

static void again_in(struct s3_request *r, uint64_t ms)
{
        r->again.fire = again;
        if (ri_timer_start(r->st->loop, &r->again, ms) < 0) {
                ri_error_set(&r->error, ROMA_ENOMEM, NULL, "no memory for a timer");
                s3_request_end(r);
        }
}

/* The answer to a change was lost, to this try or to one before: what became of it? */
static void settle_outcome(struct s3_request *r)
{
        bool lost = r->changes && (r->sent || r->perhaps) && r->error.code;

        r->error.outcome = lost ? ROMA_UNKNOWN : ROMA_NOT_DONE;
        if (r->op && r->changes && r->error.outcome == ROMA_NOT_DONE)
                r->op->outcome = ROMA_NOT_DONE;
}

void s3_request_end(struct s3_request *r)
{
        settle_outcome(r);
        r->done(r);
}

/* Connections: curl would let a request wait for one too, but its silence is none of the server's, and it is signed only when
 * it goes.
 *
 * A transfer asks for its next parts long before they can go. What is small does not wait behind all of them: the two kinds
 * take turns, and in front of the first small one goes one heavy one at most. */

static bool is_heavy(const struct s3_request *r)
{
        return r->heavy || r->length > HEAVY || r->into_max > HEAVY;
}

/* NULL: nobody waits. */
static struct s3_request *next_in_line(struct s3_store *st)
{
        bool heavy = ri_list_empty(&st->line[st->heavy_turn]) ? !st->heavy_turn : st->heavy_turn;
        struct ri_list *l = ri_list_pop(&st->line[heavy]);

        if (!l)
                return NULL;
        st->heavy_turn = !heavy;
        return ri_container_of(l, struct s3_request, link);
}

static void slot_free(struct s3_request *r)
{
        struct s3_store *st = r->st;

        if (!r->slot)
                return;
        r->slot = false;
        r = next_in_line(st);
        if (!r) {
                st->slots--;
                return;
        }
        r->slot = true;
        again_in(r, 0);
}

/* false: it waits. */
static bool slot_take(struct s3_request *r)
{
        struct s3_store *st = r->st;

        if (r->slot || r->beside)
                return true;
        if (st->slots < st->profile.connections) {
                st->slots++;
                r->slot = true;
                return true;
        }
        ri_list_add_tail(&st->line[is_heavy(r)], &r->link);
        if (r->op)
                ri_op_waits(r->op, "a free connection (?connections= allows more)", st->profile.host);
        return false;
}

static void tell_line(struct ri_list *line)
{
        ri_list_for_each(l, line)
        {
                struct s3_request *r = ri_container_of(l, struct s3_request, link);

                s3_progress(r->op);
                if (r->moved)
                        r->moved(r);
        }
}

void s3_line_moves(struct s3_store *st)
{
        const uint64_t now = ri_now();

        if (now - st->moved_ns < TELL_MS * 1000000u)
                return;
        st->moved_ns = now;
        tell_line(&st->line[0]);
        tell_line(&st->line[1]);
}

/* Tries once more, or not */

static void retry(struct s3_request *r, enum s3_verdict v)
{
        if (r->attempt + 1 >= r->st->profile.attempts || (r->sent && r->changes && !r->safe)) {
                s3_request_end(r);
                return;
        }
        r->attempt++;
        r->st->loop->stats.retries_total++;
        if (r->op) {
                r->op->tries = r->attempt;
                ri_op_waits(r->op, "a new try", r->server);
        }
        again_in(r, pause_ms(r, v == S3_AGAIN_SLOWLY));
}

static void refresh(struct s3_request *r)
{
        struct s3_store *st = r->st;
        bool newer = r->renewed != st->renewed; /* of several that were under way the first one has looked */

        if (r->refreshed || st->creds_fixed || st->profile.anonymous ||
            (!newer && s3_keys_lookup(st, NULL) < 0)) {
                s3_request_end(r);
                return;
        }
        r->refreshed = true;
        if (newer) {
                again_in(r, 0);
                return;
        }
        ri_list_add_tail(&r->st->wait_keys, &r->link);
}

static void attempt_done(struct s3_call *call, CURLcode code)
{
        struct s3_request *r = ri_container_of(call, struct s3_request, call);
        enum s3_verdict v = s3_judge(r, code);

        s3_http_stop(call);
        slot_free(r);
        ri_trace(r->st->loop, r->op, r->name, r->server, r->trace, r->got ? r->got : r->length,
                 r->error.code);
        switch (v) {
        case S3_GOOD: s3_request_end(r); break;
        case S3_FAILED: s3_request_end(r); break;
        case S3_AGAIN_NOW: again_in(r, 0); break;
        case S3_REFRESH: refresh(r); break;
        default: retry(r, v);
        }
}

static void attempt(struct s3_request *r)
{
        int code;
        const char *fault = s3_key_fault(r->key, &code);

        if (fault) {
                /* What cannot be there is not there. */
                if (strcmp(r->method, "PUT") != 0 && strcmp(r->method, "POST") != 0) {
                        ri_error_set(&r->error, ROMA_ENOENT, NULL, "there is no such object: %s", fault);
                        r->error.status_kind = ROMA_STATUS_HTTP;
                        r->error.server_status = 404;
                        r->error.status_name = "NoSuchKey";
                } else {
                        ri_error_set(&r->error, code, NULL, "%s", fault);
                }
                s3_request_end(r);
                return;
        }
        if (!slot_take(r))
                return;
        s3_progress(r->op);
        if (r->op && r->changes)
                r->op->outcome = ROMA_UNKNOWN;
        if (s3_attempt_start(r, attempt_done) < 0) {
                slot_free(r);
                r->sent = false;
                s3_request_end(r);
                return;
        }
        if (r->op)
                ri_op_waits(r->op, "an answer", r->server);
}

/* Life */

struct s3_request *s3_request_new(struct s3_store *st, struct ri_op *op, const char *name, const char *method,
                                  const char *key)
{
        struct s3_request *r = calloc(1, sizeof(*r));

        if (!r)
                return NULL;
        r->st = st;
        r->op = op;
        r->name = name;
        r->method = method;
        r->of_bucket = !key;
        r->safe = true;
        ri_str_init(&r->answer, S3_MAX_ANSWER);
        ri_list_init(&r->link);
        r->key = key ? s3_key(st, key) : strdup("");
        if (!r->key) {
                s3_request_free(r);
                return NULL;
        }
        return r;
}

void s3_request_start(struct s3_request *r)
{
        /* By way of the timer: nothing ends inside its start, and curl is not entered from a callback. */
        again_in(r, r->attempt ? pause_ms(r, false) : 0);
}

void s3_request_free(struct s3_request *r)
{
        if (!r)
                return;
        s3_http_stop(&r->call);
        ri_timer_stop(&r->again);
        ri_list_del(&r->link);
        slot_free(r);
        curl_slist_free_all(r->list);
        s3_fields_clear(&r->query);
        s3_fields_clear(&r->headers);
        s3_fields_clear(&r->reply);
        ri_str_free(&r->answer);
        free(r->key);
        free(r->host);
        free(r);
}

/* Operations that are one request */

static void op_cancel(struct ri_op *op)
{
        struct s3_request *r = op->impl;

        op->impl = NULL;
        s3_request_free(r);
}

struct s3_request *s3_op_request(struct ri_op *op, const char *name, const char *method, const char *key,
                                 void (*done)(struct s3_request *r))
{
        struct s3_request *r = s3_request_new(s3_of(op->store), op, name, method, key);

        if (!r) {
                ri_op_fail(op, ROMA_ENOMEM, "no memory for a request");
                return NULL;
        }
        r->done = done;
        op->impl = r;
        op->cancel = op_cancel;
        return r;
}

struct ri_op *s3_op_take(struct s3_request *r)
{
        struct ri_op *op = r->op;

        op->impl = NULL;
        op->cancel = NULL;
        return op;
}

void s3_op_fail(struct s3_request *r)
{
        struct ri_op *op = s3_op_take(r);
        struct ri_error e = r->error;

        s3_request_free(r);
        ri_op_fail_error(op, &e);
}

/* Operations that are several */

static void steps_drop(struct s3_steps *s)
{
        s3_request_free(s->r);
        s->drop(s);
}

static void steps_cancel(struct ri_op *op)
{
        steps_drop(op->impl);
}

void s3_steps_begin(struct s3_steps *s, struct ri_op *op, void (*drop)(struct s3_steps *s))
{
        s->op = op;
        s->drop = drop;
        op->impl = s;
        op->cancel = steps_cancel;
}

struct s3_request *s3_step(struct s3_steps *s, struct s3_store *st, const char *name, const char *method,
                           const char *key, void (*done)(struct s3_request *r))
{
        s3_request_free(s->r);
        s->r = s3_request_new(st, s->op, name, method, key);
        if (!s->r) {
                /* What has been sent before may have been done: the outcome stays what it was. */
                ri_op_fail(s3_steps_end(s), ROMA_ENOMEM, "no memory for a request");
                return NULL;
        }
        s->r->arg = s;
        s->r->done = done;
        return s->r;
}

struct ri_op *s3_steps_end(struct s3_steps *s)
{
        struct ri_op *op = s->op;

        op->cancel = NULL;
        op->impl = NULL;
        steps_drop(s);
        return op;
}

void s3_steps_fail(struct s3_steps *s, const struct ri_error *e)
{
        struct ri_error copy = *e;

        s->op->outcome = e->outcome;
        ri_op_fail_error(s3_steps_end(s), &copy);
}
