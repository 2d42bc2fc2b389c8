/* SPDX-License-Identifier: MIT */
/* The smallest names of a folder behind a bound, and the folders on the way. */
#include "core/listing.h"

#include <stdlib.h>
#include <string.h>

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

static size_t item_bytes(const struct item *it)
{
        return sizeof(*it) + it->len + 1;
}

static void level_clear(struct listing *l, struct level *lv)
{
        while (lv->n) {
                l->bytes -= item_bytes(lv->v[--lv->n]);
                free(lv->v[lv->n]);
        }
        free(lv->v);
        lv->v = NULL;
        lv->cap = lv->at = 0;
        lv->dropped = lv->loaded = false;
}

void ri_level_pop(struct listing *l)
{
        struct level *lv = l->top;

        l->top = lv->up;
        level_clear(l, lv);
        free(lv->bound);
        free(lv);
}

bool ri_level_push(struct listing *l, const char *folder, size_t folder_len, const char *name,
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

static bool level_keep(struct listing *l, struct level *lv, const struct ri_dirent *ent, bool dir,
                       size_t need)
{
        /* Once a name was left out, no greater one may come in. */
        bool full = lv->dropped || (lv->n >= need && l->bytes >= l->op->store->list_window);
        struct item *it;

        if (full) {
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
        l->bytes += item_bytes(it);
        if (full) {
                l->bytes -= item_bytes(lv->v[0]);
                free(lv->v[0]);
                lv->v[0] = it;
                sift_down(lv);
        } else {
                lv->v[lv->n++] = it;
                sift_up(lv, lv->n - 1);
        }
        return true;
}

bool ri_level_see(void *arg, const struct ri_dirent *ent)
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
        l->nomem = !level_keep(l, lv, ent, dir, l->max - l->page->list.count + 1);
        return !l->nomem;
}

void ri_level_sort(struct level *lv)
{
        if (lv->n)
                qsort(lv->v, lv->n, sizeof(*lv->v), by_name);
        lv->loaded = true;
}

bool ri_level_again(struct listing *l)
{
        struct level *lv = l->top;
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
        level_clear(l, lv);
        return true;
}
