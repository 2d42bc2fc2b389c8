/* SPDX-License-Identifier: MIT */
/* Lists of stores with folders: sorted pages over a tree, built on readdir.
 *
 * A folder cannot be read in order, so of each folder on the way the smallest names behind the bound are kept, as many
 * as the page can still need; when they are used up and there were more, the folder is read again behind the last one.
 * So memory is bounded by page size times depth, whatever the folders hold. */
#include <stdlib.h>
#include <string.h>

#include "core/compose.h"

enum { DEFAULT_MAX = 1000, MOST = 10000 };

/* A name of a folder. In the order a folder counts as name + '/'. */
struct item {
        roma_attr attr;
        bool dir;
        size_t len;
        char name[];
};

/* A folder on the way. */
struct level {
        struct level *up;
        char *bound; /* only what sorts behind this (relative to the folder) is wanted; NULL: all */
        bool past;   /* the bound is a folder, and all below it has been listed */
        bool loaded;
        bool dropped;    /* names behind the last of v were seen and not kept */
        struct item **v; /* a heap with the greatest on top while loading, sorted afterwards */
        size_t n, cap, at;
        size_t key_len;
        char key[];
};

struct page {
        roma_list list;
        roma_entry *entry;
        size_t cap;
};

/* An entry of the page: attributes and key in one piece. */
struct kept {
        roma_attr attr;
        char key[];
};

struct listing {
        struct ri_op *op;
        roma_op child;
        bool nomem;
        bool delimited;
        unsigned flags, max;
        char *filter;      /* what names of the first folder begin with */
        char *start_after; /* whole key, or NULL */
        struct level *top;
        struct page *page;
};

static void go_on(struct listing *l);

/* Order */

static int name_compare(const char *a, size_t an, bool adir, const char *b, size_t bn, bool bdir)
{
        size_t n = an < bn ? an : bn;
        int r = memcmp(a, b, n), ac, bc;

        if (r)
                return r;
        ac = an > n ? (unsigned char)a[n] : an == n && adir ? '/' : -1;
        bc = bn > n ? (unsigned char)b[n] : bn == n && bdir ? '/' : -1;
        if (ac != bc)
                return ac - bc;
        return 0;
}

static int item_compare(const struct item *a, const struct item *b)
{
        return name_compare(a->name, a->len, a->dir, b->name, b->len, b->dir);
}

static int by_name(const void *a, const void *b)
{
        return item_compare(*(struct item *const *)a, *(struct item *const *)b);
}

/* Whether the name, or something below it, can sort behind the bound. */
static bool behind(const struct listing *l, const struct level *lv, const char *name, size_t len, bool dir)
{
        const char *bound = lv->bound;

        if (!bound)
                return true;
        if (dir && !l->delimited && !lv->past && strncmp(bound, name, len) == 0 && bound[len] == '/')
                return true;
        return name_compare(name, len, dir, bound, strlen(bound), false) > 0;
}

/* Levels */

static void level_clear(struct level *lv)
{
        while (lv->n)
                free(lv->v[--lv->n]);
        free(lv->v);
        lv->v = NULL;
        lv->cap = lv->at = 0;
        lv->dropped = lv->loaded = false;
}

static void level_pop(struct listing *l)
{
        struct level *lv = l->top;

        l->top = lv->up;
        level_clear(lv);
        free(lv->bound);
        free(lv);
}

/* bound may be NULL. false: no memory. */
static bool level_push(struct listing *l, const char *folder, size_t folder_len, const char *name,
                       size_t name_len, const char *bound)
{
        struct level *lv = calloc(1, sizeof(*lv) + folder_len + name_len + 2);
        char *p;

        if (!lv)
                return false;
        if (bound) {
                lv->bound = strdup(bound);
                if (!lv->bound) {
                        free(lv);
                        return false;
                }
        }
        p = lv->key;
        memcpy(p, folder, folder_len);
        p += folder_len;
        if (folder_len && name_len)
                *p++ = '/';
        if (name_len)
                memcpy(p, name, name_len);
        p += name_len;
        *p = '\0';
        lv->key_len = (size_t)(p - lv->key);
        lv->up = l->top;
        l->top = lv;
        return true;
}

/* The heap: the greatest name on top, so that it can make room for a smaller one. */

static void sift_up(struct level *lv, size_t i)
{
        while (i && item_compare(lv->v[i], lv->v[(i - 1) / 2]) > 0) {
                struct item *t = lv->v[i];

                lv->v[i] = lv->v[(i - 1) / 2];
                lv->v[(i - 1) / 2] = t;
                i = (i - 1) / 2;
        }
}

static void sift_down(struct level *lv)
{
        size_t i = 0;

        for (;;) {
                size_t c = 2 * i + 1;
                struct item *t = lv->v[i];

                if (c >= lv->n)
                        return;
                if (c + 1 < lv->n && item_compare(lv->v[c + 1], lv->v[c]) > 0)
                        c++;
                if (item_compare(lv->v[c], t) <= 0)
                        return;
                lv->v[i] = lv->v[c];
                lv->v[c] = t;
                i = c;
        }
}

static struct item *item_new(const struct ri_dirent *ent, bool dir)
{
        struct item *it = malloc(sizeof(*it) + ent->name_len + 1);

        if (!it)
                return NULL;
        it->attr = *ent->attr;
        it->dir = dir;
        it->len = ent->name_len;
        memcpy(it->name, ent->name, ent->name_len);
        it->name[ent->name_len] = '\0';
        return it;
}

static bool level_room(struct level *lv)
{
        size_t cap = lv->cap ? lv->cap * 2 : 64;
        struct item **v;

        if (lv->n < lv->cap)
                return true;
        v = realloc(lv->v, cap * sizeof(*v));
        if (!v)
                return false;
        lv->v = v;
        lv->cap = cap;
        return true;
}

static bool level_keep(struct level *lv, const struct ri_dirent *ent, bool dir, size_t want)
{
        struct item *it;

        if (lv->n >= want) {
                const struct item *last = lv->v[0];

                lv->dropped = true;
                if (name_compare(ent->name, ent->name_len, dir, last->name, last->len, last->dir) >= 0)
                        return true;
        }
        it = item_new(ent, dir);
        if (!it || !level_room(lv)) {
                free(it);
                return false;
        }
        if (lv->n >= want) {
                free(lv->v[0]);
                lv->v[0] = it;
                sift_down(lv);
        } else {
                lv->v[lv->n++] = it;
                sift_up(lv, lv->n - 1);
        }
        return true;
}

static bool see(void *arg, const struct ri_dirent *ent)
{
        struct listing *l = arg;
        struct level *lv = l->top;
        bool dir = ent->attr->type == ROMA_TYPE_DIR;
        size_t f = !lv->up ? strlen(l->filter) : 0;

        if (f && (ent->name_len < f || memcmp(ent->name, l->filter, f) != 0))
                return true;
        if (!(l->flags & ROMA_LIST_TEMPORARIES) && ri_temp_is(ent->name, ent->name_len))
                return true;
        if (!behind(l, lv, ent->name, ent->name_len, dir))
                return true;
        ri_op_progress(l->op);
        /* One more than fits, to know whether there is more. */
        l->nomem = !level_keep(lv, ent, dir, l->max - l->page->list.count + 1);
        return !l->nomem;
}

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

static void listing_free(struct listing *l)
{
        while (l->top)
                level_pop(l);
        if (l->page)
                page_free(l->page);
        free(l->filter);
        free(l->start_after);
        free(l);
}

static void listing_cancel(struct ri_op *op)
{
        struct listing *l = op->impl;

        ri_op_drop(op->loop, l->child);
        listing_free(l);
}

static void listing_end(struct listing *l)
{
        struct ri_op *op = l->op;

        l->page->list.entry = l->page->entry;
        op->payload = l->page;
        op->payload_free = page_free;
        op->res.list = &l->page->list;
        l->page = NULL;
        listing_free(l);
        ri_op_finish(op);
}

static void listing_nomem(struct listing *l)
{
        struct ri_op *op = l->op;

        listing_free(l);
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

                listing_free(l);
                ri_op_fail_from(op, r);
                return;
        }
        lv->loaded = true;
        if (lv->n)
                qsort(lv->v, lv->n, sizeof(*lv->v), by_name);
        go_on(l);
}

static bool read_folder(struct listing *l)
{
        roma_opts o = ri_child_opts(l->op);

        l->child = ri_adopt(l->op, ri_aio_readdir(l->op->store, l->top->key, see, l, &o, folder_read, l));
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
                return 0;
        }
        if (entry && !page_add(l->page, lv, it))
                return -1;
        if (it->dir && !l->delimited && !level_push(l, lv->key, lv->key_len, it->name, it->len, below))
                return -1;
        return 1;
}

/* Reads the folder again behind the last name that was kept. */
static bool refill(struct level *lv)
{
        const struct item *last = lv->v[lv->n - 1];
        char *bound = malloc(last->len + 3);

        if (!bound)
                return false;
        memcpy(bound, last->name, last->len);
        bound[last->len] = last->dir ? '/' : '\0';
        bound[last->len + 1] = '\0';
        free(lv->bound);
        lv->bound = bound;
        lv->past = last->dir;
        level_clear(lv);
        return true;
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
                        ok = refill(lv);
                } else {
                        level_pop(l);
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
static int first_level(struct listing *l, const char *prefix)
{
        const char *slash = strrchr(prefix, '/'), *after = l->start_after;
        size_t n = slash ? (size_t)(slash - prefix) : 0;

        l->filter = strdup(slash ? slash + 1 : prefix);
        if (!l->filter)
                return -1;
        if (slash && after) {
                int r = strncmp(after, prefix, n + 1);

                if (r > 0)
                        return 1;
                after = r == 0 ? after + n + 1 : NULL;
        }
        return level_push(l, prefix, n, "", 0, after && *after ? after : NULL) ? 0 : -1;
}

static void list_folders(struct ri_op *op, const char *prefix, const roma_list_opts *o)
{
        struct listing *l = calloc(1, sizeof(*l));
        int r = -1;

        if (!l) {
                ri_op_fail(op, ROMA_ENOMEM, "no memory for a page of names");
                return;
        }
        l->op = op;
        l->flags = o->flags;
        l->max = o->max;
        l->delimited = o->delimiter && *o->delimiter;
        l->page = calloc(1, sizeof(*l->page));
        if (o->start_after)
                l->start_after = strdup(o->start_after);
        if (l->page && (l->start_after || !o->start_after))
                r = first_level(l, prefix);
        if (r > 0) {
                listing_end(l);
        } else if (r < 0) {
                listing_nomem(l);
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
        op = ri_op_new(store->loop, store, RI_TRANSFER, "list", prefix, &o, done, arg);
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
