/* SPDX-License-Identifier: MIT */
/* Stores: opened by URI, closed in order: operations end, then what lives in the store, then the backend. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/backend.h"
#include "core/config.h"
#include "core/workers.h"

enum { CLOSE_LIMIT_MS = 5000, MAX_STALL_S = 86400, LIST_WINDOW = 8 << 20 };

/* The end of one */

static void store_free(roma_store *store)
{
        roma_store *parent = store->parent;

        ri_timer_stop(&store->close_limit);
        ri_task_drop(&store->closer);
        if (parent)
                ri_list_del(&store->child.link);
        ri_cursors_free(store);
        ri_list_del(&store->in_loop);
        if (--store->loop->stats.stores == 0)
                ri_workers_rest(store->loop);
        free(store->uri);
        free(store);
        if (parent)
                ri_store_step(parent);
}

void ri_store_closed(roma_store *store)
{
        struct ri_op *op = store->close_op;

        store->ended = true;
        if (op)
                op->core = NULL;
        if (store->close_limit.loop)
                ri_timer_stop(&store->close_limit);
        store_free(store);
        if (op)
                ri_op_finish(op);
}

static void backend_close(roma_store *store, bool now)
{
        if (store->be_closing && !now)
                return;
        store->be_closing = true;
        store->be->close(store, now);
}

static bool is_idle(const roma_store *store)
{
        return ri_list_empty(&store->ops) && ri_list_empty(&store->children);
}

void ri_store_step(roma_store *store)
{
        /* Not while its children are told: one that is gone at once must not take the store away under the others. */
        if (store->telling)
                return;
        /* Soon, not here: whoever ends the last thing in it may still look at it. */
        if (store->transient && !store->closing && is_idle(store))
                ri_task_queue(store->loop, &store->closer);
        if (store->closing && !store->be_closing && is_idle(store))
                backend_close(store, false);
}

static void end_children(roma_store *store, bool now)
{
        /* An ending may take others with it, so each walk starts anew; each child is told once. */
        struct ri_list told, *l;

        ri_list_init(&told);
        store->telling = true;
        while ((l = ri_list_first(&store->children))) {
                struct ri_child *c = ri_container_of(l, struct ri_child, link);

                ri_list_del(l);
                ri_list_add_tail(&told, l);
                c->end(c, now);
        }
        ri_list_splice_tail(&store->children, &told);
        store->telling = false;
}

/* now: also those that give something back. */
static void void_operations(roma_store *store, bool now)
{
        bool again = true;

        while (again) {
                again = false;
                ri_list_for_each(l, &store->ops)
                {
                        struct ri_op *op = ri_container_of(l, struct ri_op, in_store);

                        if (op->ending && !now)
                                continue;
                        /* Ending one may end others: begin anew. */
                        again = !op->finished;
                        ri_op_void(op);
                        if (again)
                                break;
                }
        }
}

void ri_store_close_now(roma_store *store)
{
        store->closing = true;
        void_operations(store, true);
        end_children(store, true);
        void_operations(store, true);
        /* Delivered later, by which time there is no store. */
        ri_list_for_each_safe(l, tmp, &store->ops)
        {
                struct ri_op *op = ri_container_of(l, struct ri_op, in_store);

                ri_list_del(l);
                op->store = NULL;
        }
        backend_close(store, true);
}

static void close_late(struct ri_timer *t)
{
        ri_store_close_now(ri_container_of(t, roma_store, close_limit));
}

/* It may be cancelled: then nobody is told, and the closing goes on. */
static void close_settle(struct ri_op *op)
{
        roma_store *store = op->core;

        if (store)
                store->close_op = NULL;
}

roma_op roma_aio_store_close(roma_store *store, roma_done *done, void *arg)
{
        roma_loop *loop = store->loop;
        struct ri_op *op;
        roma_op id;

        if (ri_loop_enter(loop) < 0 || store->closing)
                return 0;
        op = ri_op_new(loop, NULL, RI_TRANSFER, "close", store->uri, NULL, done, arg);
        id = ri_op_id(op);
        store->close_op = op;
        if (op) {
                ri_timer_stop(&op->stall); /* the store has a limit of its own */
                op->core = store;
                op->settle = close_settle;
                op->waiting = "the end of the session";
        }
        store->closing = true;
        store->close_limit.fire = close_late;
        ri_timer_start(loop, &store->close_limit, CLOSE_LIMIT_MS);
        void_operations(store, false);
        end_children(store, false);
        ri_store_step(store);
        return id;
}

void roma_store_close(roma_store *store)
{
        struct ri_wait w;
        roma_loop *loop;

        if (!store)
                return;
        loop = store->loop;
        if (loop->hooks->turn && !loop->in_callback && !loop->working && ri_wait_begin(&w, loop) == 0)
                ri_wait(&w, roma_aio_store_close(store, ri_wait_done, &w));
        else
                roma_aio_store_close(store, NULL, NULL);
}

void ri_child_add(roma_store *store, struct ri_child *c, void (*end)(struct ri_child *c, bool now))
{
        c->end = end;
        ri_list_add_tail(&store->children, &c->link);
}

void ri_child_gone(roma_store *store, struct ri_child *c)
{
        ri_list_del(&c->link);
        ri_store_step(store);
}

/* The beginning of one */

static void open_settle(struct ri_op *op)
{
        roma_store *store = op->core;

        op->core = NULL;
        if (op->res.code == ROMA_OK) {
                store->opened = true;
                op->res.store = store;
                return;
        }
        ri_list_del(&op->in_store);
        op->store = NULL;
        op->res.store = NULL;
        store->closing = true;
        backend_close(store, true);
}

static void open_discard(struct ri_op *op)
{
        roma_aio_store_close(op->res.store, NULL, NULL);
        op->res.store = NULL;
}

static void open_cancel(struct ri_op *op)
{
        (void)op; /* store_new has succeeded and connect has not begun */
}

static int common_options(roma_store *store, const struct ri_uri *u, struct ri_error *e)
{
        const char *known[64];
        struct ri_str err = RI_STR_INIT(RI_STR_MAX_ERROR);
        uint64_t ms = 0;
        size_t n = 0;
        int r;

        known[n++] = "stall";
        for (const char *const *o = store->be->options; o && *o && n < 63; o++)
                known[n++] = *o;
        known[n] = NULL;
        r = ri_uri_check_opts(u, known, &err);
        if (r == 0)
                r = ri_uri_opt_duration(u, "stall", &ms, &err);
        if (r > 0 && (ms == 0 || ms > MAX_STALL_S * 1000u)) {
                ri_str_puts(&err, "option stall: from 1ms to 24h expected");
                r = -1;
        }
        if (r < 0)
                ri_error_set(e, ROMA_EURI, NULL, "%s", ri_str_cstr(&err));
        store->stall_ms = (uint32_t)ms;
        ri_str_free(&err);
        return r < 0 ? -1 : 0;
}

/* Takes uri over. */
static roma_store *store_alloc(roma_loop *loop, const struct ri_backend *be, char *uri, struct ri_error *e)
{
        roma_store *store = calloc(1, sizeof *store);

        if (!store || !uri) {
                free(store);
                free(uri);
                ri_error_set(e, ROMA_ENOMEM, NULL, "out of memory");
                return NULL;
        }
        store->uri = uri;
        store->loop = loop;
        store->be = be;
        ri_list_init(&store->ops);
        ri_list_init(&store->children);
        ri_list_init(&store->cursors);
        store->list_window = LIST_WINDOW;
        ri_list_add_tail(&loop->stores, &store->in_loop);
        loop->stats.stores++;
        return store;
}

static roma_store *store_make(roma_loop *loop, const struct ri_uri *u, struct ri_error *e)
{
        const struct ri_backend *be = ri_backend_for(u->scheme, e);
        struct ri_str shown = RI_STR_INIT(RI_URI_MAX * 4);
        roma_store *store;

        if (!be)
                return NULL;
        ri_uri_describe(u, &shown);
        store = store_alloc(loop, be, ri_str_take(&shown, NULL), e);
        ri_str_free(&shown);
        if (!store)
                return NULL;
        if (common_options(store, u, e) == 0 && be->store_new(store, u, e) == 0)
                return store;
        store_free(store);
        return NULL;
}

static void transient_close(struct ri_task *t)
{
        roma_store *store = ri_container_of(t, roma_store, closer);

        if (!is_idle(store))
                return;
        store->closing = true;
        ri_store_step(store);
}

/* The parent closes. What is in a transfer has ended with its operation, which is the parent's; what is left are operations on a
 * local path alone. Then the store ends as well. */
static void transient_end(struct ri_child *c, bool now)
{
        roma_store *store = ri_container_of(c, roma_store, child);

        if (!now) {
                void_operations(store, false);
                return;
        }
        ri_list_del(&c->link);
        store->parent = NULL;
        ri_store_close_now(store);
}

roma_store *ri_store_local(roma_store *parent)
{
        roma_loop *loop = parent->loop;
        struct ri_error e = { 0 };
        const struct ri_backend *be = ri_backend_for("file", &e);
        roma_store *store = be ? store_alloc(loop, be, strdup("local"), &e) : NULL;

        if (store && be->store_new(store, NULL, &e) < 0) {
                store_free(store);
                store = NULL;
        }
        if (!store) {
                ri_loop_error(loop, e.code, "local files: %s", e.text);
                return NULL;
        }
        store->raw_keys = store->transient = store->opened = true;
        store->closer.run = transient_close;
        store->parent = parent;
        ri_child_add(parent, &store->child, transient_end);
        return store;
}

/* A local path is a store too, for those who ask for one. */
static int local_uri(struct ri_uri *u)
{
        free(u->scheme);
        u->scheme = strdup("file");
        u->kind = RI_URI_STORE;
        if (u->scheme && u->path[0] != '/') {
                char *abs = realpath(u->path, NULL);

                if (!abs)
                        return -1;
                free(u->path);
                u->path = abs;
        }
        return u->scheme ? 0 : -1;
}

static int uri_resolve(roma_loop *loop, const char *text, struct ri_uri *u, struct ri_error *e)
{
        struct ri_str err = RI_STR_INIT(RI_STR_MAX_ERROR);
        int r, code = ROMA_EURI;

        errno = 0;
        r = ri_uri_parse(text, u, &err);
        if (r == 0 && u->kind == RI_URI_NAMED) {
                struct ri_uri named = *u;

                code = ROMA_ECONFIG;
                memset(u, 0, sizeof *u);
                r = ri_config_resolve(loop->config, &named, u, &err);
                ri_uri_clear(&named);
        }
        if (r == 0 && u->kind == RI_URI_LOCAL && local_uri(u) < 0) {
                const int why = errno;

                ri_str_puts(&err, "the folder '");
                ri_str_quoted(&err, text, strlen(text), 200);
                ri_str_printf(&err, "' cannot be opened: %s", strerror(why));
                errno = why;
                r = -1;
        }
        if (r == 0 && u->kind != RI_URI_STORE) {
                ri_str_puts(&err, "standard input and output are not a store");
                r = -1;
        }
        if (r < 0)
                ri_error_set(e, errno == ENOMEM ? ROMA_ENOMEM : code, NULL, "%s", ri_str_cstr(&err));
        ri_str_free(&err);
        return r;
}

roma_op roma_aio_store_open(roma_loop *loop, const char *uri, const roma_opts *opts, roma_done *done,
                            void *arg)
{
        struct ri_uri u = { 0 };
        struct ri_error e = { 0 };
        roma_store *store = NULL;
        struct ri_op *op = NULL;

        if (ri_loop_enter(loop) < 0)
                return 0;
        if (loop->freeing) { /* by a callback that tries again whatever has happened */
                ri_loop_error(loop, ROMA_ECANCELED, "open: the loop is being freed");
                return 0;
        }
        if (uri_resolve(loop, uri, &u, &e) == 0)
                store = store_make(loop, &u, &e);
        ri_uri_clear(&u);
        if (!store) {
                ri_loop_error(loop, e.code ? e.code : ROMA_EURI, "open: %s", e.text);
                return 0;
        }
        op = ri_op_new(loop, store, RI_SINGLE, "open", NULL, opts, done, arg);
        if (!op) {
                store->closing = true;
                backend_close(store, true);
                return 0;
        }
        op->core = store;
        op->settle = open_settle;
        op->discard = open_discard;
        op->cancel = open_cancel;
        store->be->connect(op);
        return op->id;
}

roma_store *roma_store_open(roma_loop *loop, const char *uri, const roma_opts *opts)
{
        struct ri_wait w;

        if (ri_wait_begin(&w, loop) < 0 ||
            ri_wait(&w, roma_aio_store_open(loop, uri, opts, ri_wait_done, &w)) < 0)
                return NULL;
        return loop->last->res.store;
}

roma_loop *roma_store_loop(roma_store *store)
{
        return store->loop;
}

unsigned roma_store_caps(roma_store *store)
{
        return store->be->caps;
}

const char *roma_store_uri(roma_store *store)
{
        return store->uri;
}

/* With the store's prefix, without its slash at the end. NULL: no memory. */
static char *whole_key(const roma_store *store, const char *key)
{
        const char *prefix = store->be->prefix(store);
        size_t n = strlen(prefix);
        char *whole;

        if (!*key)
                return strndup(prefix, n ? n - 1 : 0);
        return asprintf(&whole, "%s%s", prefix, key) < 0 ? NULL : whole;
}

int roma_store_lies_in(roma_store *store, const char *key, roma_store *of, const char *folder)
{
        char *below, *above;
        size_t n;
        bool in;

        if (!store->be->same_keys || store->be->same_keys != of->be->same_keys ||
            !store->be->same_keys(store, of))
                return 0;
        below = whole_key(store, key);
        above = whole_key(of, folder);
        n = above ? strlen(above) : 0;
        /* Without memory to compare them nothing is to be removed. */
        in = !below || !above || !n || (strncmp(below, above, n) == 0 && (!below[n] || below[n] == '/'));
        free(below);
        free(above);
        return in;
}
