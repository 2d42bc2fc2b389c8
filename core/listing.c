/* SPDX-License-Identifier: MIT */
/* Lists of stores with folders: sorted pages over a tree, built on readdir.
 *
 * A folder cannot be read in order, so of each folder on the way the smallest names behind the bound are kept: as many
 * as the page can need, and up to some megabytes more. When they are used up and there were others, the folder is read
 * again behind the last one. So memory is bounded, whatever the folders hold. What a page has not used is kept for the
 * next for some seconds (list_cursor.c). */
#include "core/listing.h"

#include <stdlib.h>
#include <string.h>

enum { DEFAULT_MAX = 1000, MOST = 10000 };

static void go_on(struct listing *l);

/* The page */

static void page_free(void *payload)
{
        struct page *p = payload;

        for (size_t i = 0; i < p->list.count; i++)
                free(ri_container_of(p->entry[i].key, struct kept, key));
        free(p->entry);
        free(p);
}

static bool page_add(struct page *p, const struct level *lv, const struct item *it)
{
        struct kept *k;
        char *q;

        if (p->list.count == p->cap) {
                size_t cap = p->cap ? p->cap * 2 : 64;
                roma_entry *e = realloc(p->entry, cap * sizeof(*e));

                if (!e)
                        return false;
                p->entry = e;
                p->cap = cap;
        }
        k = malloc(sizeof(*k) + lv->key_len + it->len + 3);
        if (!k)
                return false;
        k->attr = it->attr;
        q = k->key;
        memcpy(q, lv->key, lv->key_len);
        q += lv->key_len;
        if (lv->key_len)
                *q++ = '/';
        memcpy(q, it->name, it->len);
        q += it->len;
        if (it->dir)
                *q++ = '/';
        *q = '\0';
        p->entry[p->list.count++] = (roma_entry){ k->key, &k->attr };
        return true;
}

/* The walk */

void ri_listing_free(struct listing *l)
{
        while (l->top)
                ri_level_pop(l);
        if (l->page)
                page_free(l->page);
        free(l->prefix);
        free(l);
}

static void listing_cancel(struct ri_op *op)
{
        struct listing *l = op->impl;

        ri_op_drop(op->loop, l->child);
        ri_listing_free(l);
}

static void listing_end(struct listing *l)
{
        struct ri_op *op = l->op;

        l->page->list.entry = l->page->entry;
        op->payload = l->page;
        op->payload_free = page_free;
        op->res.list = &l->page->list;
        l->op = NULL;
        l->page = NULL;
        if (op->res.list->more)
                ri_cursor_keep(op->store, l, op->res.list->entry[op->res.list->count - 1].key);
        else
                ri_listing_free(l);
        ri_op_finish(op);
}

static void listing_nomem(struct listing *l)
{
        struct ri_op *op = l->op;

        ri_listing_free(l);
        ri_op_fail(op, ROMA_ENOMEM, "no memory for a page of names; ask for fewer");
}

static void folder_read(void *arg, const roma_result *r)
{
        struct listing *l = arg;
        struct level *lv = l->top;

        l->child = 0;
        /* A folder that is not there has no keys below it; one deeper may have gone since its name was read. */
        if (r->code && r->code != ROMA_ENOENT && r->code != ROMA_ENOTDIR) {
                struct ri_op *op = l->op;

                ri_listing_free(l);
                ri_op_fail_from(op, r);
                return;
        }
        ri_level_sort(lv);
        go_on(l);
}

static bool read_folder(struct listing *l)
{
        roma_opts o = ri_child_opts(l->op);

        l->child = ri_adopt(l->op,
                            ri_aio_readdir(l->op->store, l->top->key, ri_level_see, l, &o, folder_read, l));
        return l->child != 0;
}

/* The next name of the top folder. 1: the walk goes on, 0: the page is full and there is more, -1: no memory. */
static int take(struct listing *l)
{
        struct level *lv = l->top;
        const struct item *it = lv->v[lv->at++];
        /* A folder that the bound lies in or at is not an entry of its own: it sorts before the bound. */
        bool in = lv->bound && !lv->past && it->dir && strncmp(lv->bound, it->name, it->len) == 0 &&
                  lv->bound[it->len] == '/';
        bool entry = !it->dir || l->delimited || (l->flags & ROMA_LIST_DIRS && !in);
        const char *below = in && lv->bound[it->len + 1] ? lv->bound + it->len + 1 : NULL;

        if (entry && l->page->list.count == l->max) {
                l->page->list.more = 1;
                lv->at--;
                return 0;
        }
        if (entry && !page_add(l->page, lv, it))
                return -1;
        if (it->dir && !l->delimited && !ri_level_push(l, lv->key, lv->key_len, it->name, it->len, below))
                return -1;
        return 1;
}

static void go_on(struct listing *l)
{
        bool ok = !l->nomem;

        while (ok && l->top) {
                struct level *lv = l->top;
                int r;

                if (!lv->loaded) {
                        if (read_folder(l))
                                return;
                        ok = false;
                } else if (lv->at < lv->n) {
                        r = take(l);
                        if (r == 0)
                                break;
                        ok = r > 0;
                } else if (lv->dropped) {
                        ok = ri_level_again(l);
                } else {
                        ri_level_pop(l);
                }
        }
        if (ok)
                listing_end(l);
        else
                listing_nomem(l);
}

/* Starts */

static int check_opts(roma_store *store, const roma_list_opts *o)
{
        if (o->max > MOST) {
                ri_loop_error(store->loop, ROMA_EINVAL,
                              "list %s: a page has at most %d entries, %u were asked for", store->uri, MOST,
                              o->max);
                return -1;
        }
        if (store->be->flags & RI_FOLDERS && o->delimiter && *o->delimiter &&
            strcmp(o->delimiter, "/") != 0) {
                ri_loop_error(store->loop, ROMA_ENOTSUP,
                              "list %s: a store with folders knows no other delimiter than \"/\"",
                              store->uri);
                return -1;
        }
        return 0;
}

/* Where the walk starts. 1: nothing can be behind start_after; -1: no memory. */
static int first_level(struct listing *l, const char *prefix, const char *after)
{
        const char *slash = strrchr(prefix, '/');
        size_t n = slash ? (size_t)(slash - prefix) : 0;

        l->prefix = strdup(prefix);
        if (!l->prefix)
                return -1;
        l->filter = l->prefix + (slash ? n + 1 : 0);
        if (slash && after) {
                int r = strncmp(after, prefix, n + 1);

                if (r > 0)
                        return 1;
                after = r == 0 ? after + n + 1 : NULL;
        }
        return ri_level_push(l, prefix, n, "", 0, after && *after ? after : NULL) ? 0 : -1;
}

/* A new walk, or one that goes on where a page ended. */
static void list_folders(struct ri_op *op, const char *prefix, const roma_list_opts *o)
{
        bool delimited = o->delimiter && *o->delimiter;
        struct listing *l = o->start_after
                                    ? ri_cursor_take(op->store, prefix, o->start_after, delimited, o->flags)
                                    : NULL;
        bool fresh = !l;
        int r = 0;

        if (fresh)
                l = calloc(1, sizeof(*l));
        if (!l) {
                ri_op_fail(op, ROMA_ENOMEM, "no memory for a page of names");
                return;
        }
        l->op = op;
        l->flags = o->flags;
        l->max = o->max;
        l->delimited = delimited;
        l->page = calloc(1, sizeof(*l->page));
        if (fresh)
                r = first_level(l, prefix, o->start_after);
        if (r < 0 || !l->page) {
                listing_nomem(l);
        } else if (r > 0) {
                listing_end(l);
        } else {
                ri_compose(op, l, listing_cancel);
                go_on(l);
        }
}

/* The folder part of a prefix must be a key; what follows the last slash may be anything. */
static int check_prefix(roma_store *store, const char *prefix)
{
        const char *slash = strrchr(prefix, '/');
        char *base;
        int r;

        if (!(store->be->flags & RI_FOLDERS) || !slash)
                return 0;
        base = strndup(prefix, (size_t)(slash - prefix));
        if (!base || slash == prefix) {
                ri_loop_error(store->loop, base ? ROMA_EINVAL : ROMA_ENOMEM, "list %s: %s", store->uri,
                              base ? "the prefix begins with a slash; keys begin with a name" : "no memory");
                free(base);
                return -1;
        }
        r = ri_key_check(store, "list", base);
        free(base);
        return r;
}

roma_op roma_aio_list(roma_store *store, const char *prefix, const roma_list_opts *opts, roma_done *done,
                      void *arg)
{
        roma_list_opts o = ROMA_LIST_OPTS_INIT;
        struct ri_op *op;

        if (opts)
                memcpy(&o, opts, opts->size < sizeof(o) ? opts->size : sizeof(o));
        o.size = sizeof(o);
        prefix = prefix ? prefix : "";
        if (ri_loop_enter(store->loop) < 0 || check_opts(store, &o) < 0 || check_prefix(store, prefix) < 0)
                return 0;
        o.max = o.max ? o.max : DEFAULT_MAX;
        /* One page may have to read many folders: it may take as long as it goes on. */
        op = ri_op_new(store->loop, store, RI_TRANSFER, "list", prefix, opts, done, arg);
        if (!op)
                return 0;
        if (store->be->flags & RI_FOLDERS)
                list_folders(op, prefix, &o);
        else if (store->be->list)
                store->be->list(op, prefix, &o);
        else
                ri_op_fail(op, ROMA_ENOTSUP, "a %s store cannot list", store->be->name);
        return op->id;
}

int roma_list_page(roma_store *store, const char *prefix, const roma_list_opts *opts)
{
        struct ri_wait w;

        if (ri_wait_begin(&w, store->loop) < 0)
                return -1;
        return ri_wait(&w, roma_aio_list(store, prefix, opts, ri_wait_done, &w));
}

roma_op ri_aio_readdir(roma_store *store, const char *key, ri_dirent_fn *fn, void *fn_arg,
                       const roma_opts *opts, roma_done *done, void *arg)
{
        struct ri_op *op = ri_op_new(store->loop, store, RI_TRANSFER, "list", key, opts, done, arg);

        if (!op)
                return 0;
        store->be->readdir(op, key, fn, fn_arg);
        return op->id;
}
