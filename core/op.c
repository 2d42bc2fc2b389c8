/* SPDX-License-Identifier: MIT */
/* Operations: made, ended once, delivered later. See op.h for the life of one. */
#include "core/op.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/backend.h"
#include "core/probe.h"
#include "core/props.h"
#include "core/str.h"

static void op_deliver(struct ri_task *t);
/* Making */

static char *op_object(roma_store *store, const char *object)
{
        const char *base = store ? store->uri : "";
        char *s;
        bool whole = store && object && *object && !store->raw_keys;
        int len = (int)strcspn(base, "?");

        if (whole && asprintf(&s, "%.*s%s%s", len, base, len && base[len - 1] == '/' ? "" : "/", object) < 0)
                return NULL;
        if (!whole)
                s = strdup(object && *object ? object : base);
        return ri_str_visible(s);
}

struct ri_op *ri_op_new(roma_loop *loop, roma_store *store, enum ri_op_kind kind, const char *name,
                        const char *object, const void *opts, roma_done *done, void *arg)
{
        struct ri_op *op;

        if (ri_loop_enter(loop) < 0)
                return NULL;
        if (opts && *(const size_t *)opts < sizeof(roma_opts)) {
                ri_loop_error(loop, ROMA_EINVAL,
                              "%s: the options have no size: begin with their ..._INIT macro", name);
                return NULL;
        }
        if (store && store->closing && kind != RI_ENDING) {
                ri_loop_error(loop, ROMA_ECANCELED, "%s: the store %s is closed", name, store->uri);
                return NULL;
        }
        op = calloc(1, sizeof *op);
        if (op) {
                op->loop = loop;
                op->store = store;
                op->object = op_object(store, object);
                ri_limits_set(op, kind, opts);
        }
        if (!op || !op->object || ri_limits_start(op) < 0) {
                if (op)
                        free(op->object);
                free(op);
                ri_loop_error(loop, ROMA_ENOMEM, "%s: out of memory", name);
                return NULL;
        }
        op->id = loop->next_op++;
        op->name = name;
        op->ending = kind == RI_ENDING;
        op->done = done;
        op->arg = arg;
        op->started_ns = op->progress_at = ri_now();
        op->deliver.run = op_deliver;
        op->attr.size = sizeof op->attr;
        ri_list_init(&op->in_store);
        ri_list_init(&op->in_file);
        if (store)
                ri_list_add_tail(&store->ops, &op->in_store);
        ri_map_insert_u64(&loop->ops, &op->by_id, op->id);
        loop->stats.operations++;
        loop->stats.operations_total++;
        ri_loop_hold(loop, 1);
        if (ri_probe_on(op_start))
                ri_probe_op_start(op->id, op->name, op->object);
        return op;
}

void ri_op_set_parent(struct ri_op *op, const struct ri_op *parent)
{
        op->parent = parent->parent ? parent->parent : parent->id;
}

/* Ending */

void ri_op_free(struct ri_op *op)
{
        if (op->payload_free)
                op->payload_free(op->payload);
        free(op->message);
        free(op->known);
        free(op->object);
        free(op);
}

static void report(struct ri_op *op)
{
        const roma_result *r = &op->res;

        if (ri_probe_on(op_end))
                ri_probe_op_end(op->id, op->name, r->code, r->bytes, ri_now() - op->started_ns, op->parent);
        if (op->loop->trace)
                ri_trace_event(op->loop, op, "operation", r->server, op->started_ns, ri_now(), r->bytes,
                               r->code);
}

static void op_end(struct ri_op *op)
{
        op->finished = true;
        op->cancel = NULL;
        op->impl = NULL;
        op->res.tries = op->tries;
        if (!op->res.message)
                op->res.message = op->message ? op->message : "";
        if (!op->res.status_name)
                op->res.status_name = "";
        if (!op->res.server)
                op->res.server = "";
        ri_timer_stop(&op->stall);
        ri_timer_stop(&op->deadline);
        if (op->res.code)
                op->loop->stats.failures_total++;
        if (op->settle)
                op->settle(op);
        if (op->changes && op->store)
                op->store->changes++;
        report(op);
        ri_task_queue(op->loop, &op->deliver);
}

void ri_op_changes(struct ri_op *op)
{
        op->changes = true;
        op->store->changes++;
}

/* Nobody will get the handle in the result: it is closed. */
static void op_discard(struct ri_op *op)
{
        if (op->discard && op->res.code == ROMA_OK)
                op->discard(op);
        op->discard = NULL;
}

static void op_deliver(struct ri_task *t)
{
        struct ri_op *op = ri_container_of(t, struct ri_op, deliver);
        roma_loop *loop = op->loop;
        roma_store *store = op->store;

        ri_map_remove(&loop->ops, &op->by_id);
        loop->stats.operations--;
        if (op->done) {
                op->discard = NULL; /* from here on a handle in the result is the receiver's */
                loop->in_callback++;
                loop->stats.callbacks_total++;
                op->done(op->arg, &op->res);
                loop->in_callback--;
        } else {
                op_discard(op);
        }
        ri_list_del(&op->in_store); /* the store outlives the callback, even when that closes it */
        if (op->keep) {
                if (loop->last)
                        ri_op_free(loop->last);
                loop->last = op;
        } else {
                ri_op_free(op);
        }
        if (store)
                ri_store_step(store);
        ri_loop_hold(loop, -1);
}

void ri_op_finish(struct ri_op *op)
{
        op->res.code = ROMA_OK;
        op->res.outcome = ROMA_DONE;
        op_end(op);
}

/* A child's sentence begins with its own operation and object: said twice they would only hide the rest. */
static const char *own_text(const struct ri_op *op, const char *message)
{
        const char *object = strchr(message, ' ');
        size_t n = strlen(op->object);

        if (object && strncmp(object + 1, op->object, n) == 0 && strncmp(object + 1 + n, ": ", 2) == 0)
                return object + 1 + n + 2;
        return message;
}

void ri_op_fail_error(struct ri_op *op, const struct ri_error *e)
{
        const char *object = op->object;
        int outcome = e->outcome > ROMA_NOT_DONE ? e->outcome : op->outcome;
        char tries[48] = "";

        if (op->tries)
                snprintf(tries, sizeof tries, " (tried %u times)", op->tries + 1);
        if (asprintf(&op->message, "%s %s: %s%s%s%s", op->name, object,
                     e->text[0] ? own_text(op, e->text) : roma_code_text(e->code),
                     e->server[0] && !strstr(e->text, e->server) ? ", server " : "",
                     e->server[0] && !strstr(e->text, e->server) ? e->server : "", tries) < 0)
                op->message = NULL;
        op->message = ri_str_visible(op->message);
        op->res.message = op->message ? op->message : roma_code_text(e->code);
        op->res.code = e->code;
        op->res.outcome = outcome;
        op->res.flags = e->flags;
        op->res.status_kind = e->status_kind;
        op->res.server_status = e->server_status;
        op->res.status_name = e->status_name;
        snprintf(op->server, sizeof op->server, "%s", e->server);
        op->res.server = op->server;
        op_end(op);
}

void ri_op_fail(struct ri_op *op, int code, const char *fmt, ...)
{
        struct ri_error e;
        va_list ap;

        memset(&e, 0, sizeof e);
        e.code = code;
        va_start(ap, fmt);
        vsnprintf(e.text, sizeof e.text, fmt, ap);
        va_end(ap);
        ri_op_fail_error(op, &e);
}

/* A sentence that is too long has a long name in it: the reason is behind it, and the name is said elsewhere. */
static void keep_ends(char *to, size_t size, const char *text)
{
        enum { HEAD = 100 };
        size_t n = strlen(text);

        if (n < size)
                memcpy(to, text, n + 1);
        else
                snprintf(to, size, "%.*s...%s", HEAD, text, text + n - (size - 1 - HEAD - 3));
}

void ri_error_from(struct ri_error *e, const roma_result *r)
{
        memset(e, 0, sizeof *e);
        e->code = r->code;
        e->flags = r->flags; /* the outcome of the whole is the composite's to say: op->outcome */
        e->status_kind = r->status_kind;
        e->server_status = r->server_status;
        e->status_name = r->status_name;
        snprintf(e->server, sizeof e->server, "%s", r->server);
        keep_ends(e->text, sizeof e->text, r->message);
}

void ri_op_fail_from(struct ri_op *op, const roma_result *r)
{
        struct ri_error e;

        ri_error_from(&e, r);
        ri_op_fail_error(op, &e);
}

void ri_op_abort(struct ri_op *op, int code, const char *fmt, ...)
{
        struct ri_error e;
        va_list ap;

        if (op->finished)
                return;
        memset(&e, 0, sizeof e);
        e.code = code;
        if (code == ROMA_ETIMEDOUT)
                e.flags = ROMA_RETRIABLE;
        snprintf(e.server, sizeof e.server, "%s", op->server);
        va_start(ap, fmt);
        vsnprintf(e.text, sizeof e.text, fmt, ap);
        va_end(ap);
        if (op->cancel)
                op->cancel(op);
        ri_op_fail_error(op, &e);
}

void ri_op_drop(roma_loop *loop, roma_op id)
{
        struct ri_op *op = ri_op_find(loop, id);

        if (!op)
                return;
        op->done = NULL;
        if (!op->finished)
                ri_op_abort(op, ROMA_ECANCELED, "no longer wanted");
}

/* Others that look for it */

struct ri_op *ri_op_find(roma_loop *loop, roma_op id)
{
        struct ri_map_node *n = id ? ri_map_find_u64(&loop->ops, id) : NULL;

        return n ? ri_container_of(n, struct ri_op, by_id) : NULL;
}

void roma_cancel(roma_loop *loop, roma_op id)
{
        struct ri_op *op;

        if (ri_loop_enter(loop) < 0)
                return;
        op = ri_op_find(loop, id);
        if (op && !op->finished)
                ri_op_abort(op, ROMA_ECANCELED, "cancelled");
}

/* What an undelivered operation of a closing store becomes. */
void ri_op_void(struct ri_op *op)
{
        if (!op->finished) {
                ri_op_abort(op, ROMA_ECANCELED, "its store was closed");
                return;
        }
        if (!op->discard || op->res.code)
                return;
        op_discard(op);
        op->res.code = ROMA_ECANCELED;
        op->res.message = "its store was closed";
        op->res.file = NULL;
        op->res.writer = NULL;
        op->res.reader = NULL;
        op->res.buf = NULL;
}

/* Results of backends */

int ri_op_set_text(struct ri_op *op, const char *text, size_t len)
{
        char *s = malloc(len + 1);

        if (!s) {
                ri_op_fail(op, ROMA_ENOMEM, "out of memory");
                return -1;
        }
        memcpy(s, text, len);
        s[len] = '\0';
        op->payload = s;
        op->payload_free = free;
        op->res.text = s;
        return 0;
}

void ri_op_set_attr(struct ri_op *op, const roma_attr *attr)
{
        if (attr != &op->attr)
                op->attr = *attr;
        op->attr.size = sizeof op->attr;
        op->res.attr = &op->attr;
}

int ri_op_set_space(struct ri_op *op, const roma_space *space)
{
        roma_space *s = malloc(sizeof *s);

        if (!s) {
                ri_op_fail(op, ROMA_ENOMEM, "out of memory");
                return -1;
        }
        *s = *space;
        op->payload = s;
        op->payload_free = free;
        op->res.space = s;
        return 0;
}

int ri_op_set_props(struct ri_op *op, const roma_prop *v, size_t n)
{
        struct ri_props *p = ri_props_copy(v, n);

        if (!p) {
                ri_op_fail(op, ROMA_ENOMEM, "out of memory");
                return -1;
        }
        op->payload = p;
        op->payload_free = free;
        op->res.props = p->v;
        op->res.n_props = p->n;
        return 0;
}
