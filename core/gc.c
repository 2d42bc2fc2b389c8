/* SPDX-License-Identifier: MIT */
/* Collects the temporaries of writers that never came to an end, and uploads that nobody has ended. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "core/upload.h"

enum { PAGE = 1000 };

/* What goes: a temporary, or all in the folder of an upload. */
struct old {
        char *key; /* with an id: a key in the same folder */
        char id[RI_UPLOAD_ID + 1];
};

struct gc {
        struct ri_op *op;
        roma_op child;
        char *prefix, *after;
        uint64_t older_than_s;
        int64_t before_ns; /* last written before this */
        struct old *old;   /* of this page */
        size_t n, next;
        struct old upload;      /* whose folder is being listed; key NULL: none */
        int64_t upload_touched; /* the latest time in it */
        bool more;
        uint64_t removed;
};

static void list(struct gc *g);

static void gc_free(struct gc *g)
{
        ri_op_drop(g->op->loop, g->child);
        for (size_t i = 0; i < g->n; i++)
                free(g->old[i].key);
        free(g->old);
        free(g->upload.key);
        free(g->prefix);
        free(g->after);
        free(g);
}

static void gc_cancel(struct ri_op *op)
{
        struct gc *g = op->impl;

        op->res.bytes = g->removed;
        gc_free(g);
}

static void fail_from(struct gc *g, const roma_result *r)
{
        struct ri_op *op = g->op;

        op->res.bytes = g->removed;
        if (r)
                ri_op_fail_from(op, r);
        else
                ri_op_fail(op, ROMA_ENOMEM, "out of memory");
        gc_free(g);
}

static void start(struct gc *g, roma_op child)
{
        struct ri_op *op = g->op;

        g->child = ri_adopt(op, child);
        if (child)
                return;
        ri_fail_start(op);
        gc_free(g);
}

static void removed(void *arg, const roma_result *r);

static void own_done(void *arg, const roma_result *r)
{
        struct gc *g = arg;
        struct ri_op *op = g->op;

        g->child = 0;
        if (r->code) {
                fail_from(g, r);
                return;
        }
        op->res.bytes = g->removed + r->bytes;
        ri_op_finish(op);
        gc_free(g);
}

/* What else the store knows of. */
static void own_gc(struct gc *g)
{
        roma_opts opts = ri_child_opts(g->op);
        struct ri_op *op =
                ri_op_new(g->op->loop, g->op->store, RI_TRANSFER, "gc", g->prefix, &opts, own_done, g);

        if (op)
                g->op->store->be->gc(op, g->prefix, g->older_than_s);
        start(g, ri_op_id(op));
}

static void next(struct gc *g)
{
        roma_opts opts = ri_child_opts(g->op);

        if (g->next < g->n) {
                const struct old *o = &g->old[g->next++];

                if (*o->id)
                        start(g, ri_aio_upload_remove(g->op->store, o->key, o->id, true, &opts, removed, g));
                else
                        start(g,
                              roma_aio_unlink(g->op->store, o->key, ROMA_UNLINK_NO_TRASH, &opts, removed, g));
        } else if (g->more) {
                list(g);
        } else if (g->op->store->be->gc) {
                own_gc(g);
        } else {
                struct ri_op *op = g->op;

                op->res.bytes = g->removed;
                ri_op_finish(op);
                gc_free(g);
        }
}

static void removed(void *arg, const roma_result *r)
{
        struct gc *g = arg;

        g->child = 0;
        ri_op_progress(g->op);
        if (r->code && r->code != ROMA_ENOENT) { /* gone by itself: its writer has ended after all */
                fail_from(g, r);
                return;
        }
        g->removed += r->code == ROMA_OK;
        next(g);
}

/* A writer that keeps the times of its source sets them shortly before the name: only the store's own time tells then
 * that somebody is at it. */
static int64_t touched(const roma_attr *a)
{
        if (!(a->mask & ROMA_ATTR_MTIME))
                return INT64_MAX;
        return (a->mask & ROMA_ATTR_CTIME) && a->ctime_ns > a->mtime_ns ? a->ctime_ns : a->mtime_ns;
}

static bool is_old(const struct gc *g, const roma_entry *e)
{
        const char *slash = strrchr(e->key, '/');
        const char *name = slash ? slash + 1 : e->key;

        return ri_temp_is(name, strlen(name)) && e->attr->type != ROMA_TYPE_DIR &&
               touched(e->attr) <= g->before_ns;
}

/* The folder of the upload has been listed to its end. */
static void upload_end(struct gc *g)
{
        if (g->upload.key && g->upload_touched <= g->before_ns)
                g->old[g->n++] = g->upload;
        else
                free(g->upload.key);
        g->upload = (struct old){ .key = NULL };
}

/* Everything in an upload's folder belongs together: it stays as long as anybody writes there. */
static int upload_see(struct gc *g, const roma_entry *e, const char *id)
{
        size_t folder = (size_t)(id - e->key) - (sizeof(RI_TEMP_PREFIX) - 1);

        if (!g->upload.key || strncmp(g->upload.id, id, RI_UPLOAD_ID) != 0) {
                upload_end(g);
                g->upload.key = calloc(1, folder + 2);
                if (!g->upload.key)
                        return -1;
                memcpy(g->upload.key, e->key, folder);
                g->upload.key[folder] = '-'; /* any name in that folder */
                memcpy(g->upload.id, id, RI_UPLOAD_ID);
                g->upload_touched = INT64_MIN;
        }
        if (touched(e->attr) > g->upload_touched)
                g->upload_touched = touched(e->attr);
        return 0;
}

static int see(struct gc *g, const roma_entry *e)
{
        const char *id, *name;

        if (ri_upload_split(e->key, &id, &name))
                return upload_see(g, e, id);
        upload_end(g);
        if (!is_old(g, e))
                return 0;
        g->old[g->n] = (struct old){ .key = strdup(e->key) };
        return g->old[g->n].key ? (g->n++, 0) : -1;
}

static int page_take(struct gc *g, const struct roma_list *page)
{
        for (size_t i = 0; i < g->n; i++)
                free(g->old[i].key);
        g->n = g->next = 0;
        g->more = page->more && page->count;
        for (size_t i = 0; i < page->count; i++)
                if (see(g, &page->entry[i]) < 0)
                        return -1;
        if (!g->more) {
                upload_end(g);
                return 0;
        }
        free(g->after);
        g->after = strdup(page->entry[page->count - 1].key);
        return g->after ? 0 : -1;
}

static void listed(void *arg, const roma_result *r)
{
        struct gc *g = arg;

        g->child = 0;
        ri_op_progress(g->op);
        if (r->code)
                fail_from(g, r);
        else if (page_take(g, r->list) < 0)
                fail_from(g, NULL);
        else
                next(g);
}

static void list(struct gc *g)
{
        roma_list_opts o = ROMA_LIST_OPTS_INIT;

        o.stall_ms = g->op->stall_ms;
        o.deadline_ms = ROMA_NEVER;
        o.start_after = g->after;
        o.max = PAGE;
        o.flags = ROMA_LIST_TEMPORARIES | ROMA_LIST_DIRS; /* an upload may be an empty folder */
        start(g, roma_aio_list(g->op->store, g->prefix, &o, listed, g));
}

static int64_t store_now(roma_store *store)
{
        struct timespec ts;

        if (store->be->now)
                return store->be->now(store);
        clock_gettime(CLOCK_REALTIME, &ts);
        return (int64_t)ts.tv_sec * 1000000000 + ts.tv_nsec;
}

/* As a list takes it, where a prefix is any beginning of a name: that of photos would be one of photos2/ too. */
static char *tree_prefix(const char *folder)
{
        size_t n = strlen(folder);
        char *prefix;

        return asprintf(&prefix, "%s%s", folder, n && folder[n - 1] != '/' ? "/" : "") < 0 ? NULL : prefix;
}

roma_op roma_aio_gc(roma_store *store, const char *prefix, uint64_t older_than_s, const roma_opts *opts,
                    roma_done *done, void *arg)
{
        struct ri_op *op = ri_op_new(store->loop, store, RI_TRANSFER, "gc", prefix, opts, done, arg);
        int64_t before_ns = INT64_MIN;
        struct gc *g;
        char *tree;

        if (!op)
                return 0;
        if (older_than_s < INT64_MAX / 2000000000)
                before_ns = store_now(store) - (int64_t)older_than_s * 1000000000;
        tree = tree_prefix(prefix);
        if (tree && store->be->upload) {
                ri_upload_gc(op, tree, before_ns);
                free(tree);
                return op->id;
        }
        g = tree ? calloc(1, sizeof *g) : NULL;
        if (g)
                g->old = calloc(PAGE + 1, sizeof *g->old);
        if (!g || !g->old) {
                free(g);
                free(tree);
                ri_op_fail(op, ROMA_ENOMEM, "out of memory");
                return op->id;
        }
        g->op = op;
        g->prefix = tree;
        g->before_ns = before_ns;
        g->older_than_s = older_than_s;
        ri_compose(op, g, gc_cancel);
        list(g);
        return op->id;
}

int64_t roma_gc(roma_store *store, const char *prefix, uint64_t older_than_s, const roma_opts *opts)
{
        struct ri_wait w;

        if (ri_wait_begin(&w, store->loop) < 0 ||
            ri_wait(&w, roma_aio_gc(store, prefix, older_than_s, opts, ri_wait_done, &w)) < 0)
                return -1;
        return (int64_t)store->loop->last->res.bytes;
}
