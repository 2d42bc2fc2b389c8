/* SPDX-License-Identifier: MIT */
/* A page of a list: the shards of the index are read behind the page's beginning and merged. A page therefore costs the
 * same wherever it is. What is marked in the index is looked up in its head. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cephio/rados/raw.h"

enum { LEAST = 16, MOST = 1000 };

struct name {
        struct list *l;
        struct shard *s;
        struct rad_req *r; /* of the look at its head */
        bool absent;
        size_t len;
        struct rad_entry entry;
        char key[];
};

struct shard {
        struct list *l;
        uint32_t nr;
        struct rad_req *r;
        struct name **v;
        size_t n, at;
        bool more; /* behind the last of v */
        char *start;
};

struct list {
        struct ri_op *op;
        struct rad_store *rs;
        struct rad_page *page;
        char *prefix, *delimiter; /* prefix: the whole one */
        char *rolled;             /* all that begins with it is in the page already, or before it */
        size_t root, max, chunk;
        bool temporaries; /* also what is hidden */
        unsigned busy;    /* requests in flight */
        const char *bad;  /* an entry that cannot be read: why */
        struct rad_req *ask;
        uint32_t n;
        struct shard shard[];
};

static void merge(struct list *l);

/* The end */

static void shard_clear(struct shard *s)
{
        for (size_t i = 0; i < s->n; i++) {
                if (s->v[i]->r)
                        rad_req_drop(s->v[i]->r);
                free(s->v[i]);
        }
        free(s->v);
        s->v = NULL;
        s->n = s->at = 0;
}

static struct ri_op *list_end(struct list *l)
{
        struct ri_op *op = l->op;

        op->impl = NULL;
        op->cancel = NULL;
        if (l->ask)
                rad_req_drop(l->ask);
        for (uint32_t i = 0; i < l->n; i++) {
                if (l->shard[i].r)
                        rad_req_drop(l->shard[i].r);
                shard_clear(&l->shard[i]);
                free(l->shard[i].start);
        }
        rad_page_free(l->page);
        free(l->prefix);
        free(l->delimiter);
        free(l->rolled);
        free(l);
        return op;
}

static void list_cancel(struct ri_op *op)
{
        list_end(op->impl);
}

static void fail_nomem(struct list *l)
{
        rad_op_nomem(list_end(l));
}

/* Reading a shard */

static int shard_build(struct rad_req *r)
{
        struct shard *s = r->build_arg;

        rados_read_op_omap_get_vals2(r->rop, s->start, s->l->prefix, s->l->chunk, &r->omap, &r->omap_more,
                                     &r->part_rc[0]);
        return 0;
}

/* What somebody is at, only the head knows. */
static void looked(struct rad_req *r)
{
        struct name *m = r->arg;
        struct list *l = m->l;
        struct rad_seen seen;
        struct ri_error e;

        m->r = NULL;
        l->busy--;
        if (rad_head_seen(r, &seen, &e) < 0) {
                ri_op_fail_error(list_end(l), &e);
                return;
        }
        m->absent = !seen.there;
        if (seen.there)
                rad_head_entry(&seen.head, &m->entry);
        if (!l->busy)
                merge(l);
}

/* 0, -1: no memory, -2: l->bad says what is wrong with it. */
static int shard_add(struct shard *s, const char *key, size_t len, const char *val, size_t val_len)
{
        struct name *m = calloc(1, sizeof(*m) + len + 1);

        if (!m)
                return -1;
        m->l = s->l;
        m->s = s;
        m->len = len;
        memcpy(m->key, key, len);
        s->v[s->n++] = m;
        return rad_entry_decode(val, val_len, &m->entry, &s->l->bad) < 0 ? -2 : 0;
}

static int shard_take(struct shard *s, struct rad_req *r)
{
        char *key, *val;
        size_t len, val_len;
        int rc = 0;

        s->v = calloc(s->l->chunk + 1, sizeof(struct name *));
        if (!s->v)
                return -1;
        s->more = r->omap_more;
        while (rc == 0 && s->n < s->l->chunk &&
               rados_omap_get_next2(r->omap, &key, &val, &len, &val_len) == 0 && key)
                rc = shard_add(s, key, len, val, val_len);
        if (s->n) {
                free(s->start);
                s->start = strdup(s->v[s->n - 1]->key);
                if (!s->start)
                        return -1;
        } else {
                s->more = false;
        }
        return rc;
}

static bool verify(struct shard *s)
{
        for (size_t i = 0; i < s->n; i++) {
                struct name *m = s->v[i];

                if (!m->entry.pending)
                        continue;
                m->r = rad_read_head(s->l->rs, m->key, false, s->l->op, looked, m);
                if (!m->r)
                        return false;
                s->l->busy++;
        }
        return true;
}

static void shard_read(struct rad_req *r)
{
        struct shard *s = r->arg;
        struct list *l = s->l;
        int rc = 0;

        s->r = NULL;
        l->busy--;
        if (r->rc >= 0 && r->part_rc[0] < 0)
                r->rc = r->part_rc[0];
        if (r->rc < 0 && r->rc != -ENOENT) {
                rad_req_fail(r, list_end(l));
                return;
        }
        s->more = false;
        if (r->rc >= 0)
                rc = shard_take(s, r);
        ri_op_progress(l->op);
        if (rc == -2) {
                const char *why = l->bad;

                ri_op_fail(list_end(l), ROMA_ECORRUPT,
                           "an entry of the index object %.20s cannot be read: %s", r->oid, why);
                return;
        }
        if (rc < 0 || !verify(s)) {
                fail_nomem(l);
                return;
        }
        if (!l->busy)
                merge(l);
}

static bool shard_go(struct shard *s)
{
        struct list *l = s->l;
        char name[RAD_NAME_MAX];

        shard_clear(s);
        rad_index_name(s->nr, name);
        s->r = rad_req_new(l->rs, RAD_READ_OP, name, l->op, "read the index", shard_read, s);
        if (!s->r)
                return false;
        s->r->may_miss = true; /* nothing was put into it yet */
        s->r->build = shard_build;
        s->r->build_arg = s;
        shard_build(s->r);
        l->busy++;
        rad_req_go(s->r);
        return true;
}

/* Merging */

static bool is_rolled(const struct list *l, const char *key)
{
        return l->rolled && strncmp(key, l->rolled, strlen(l->rolled)) == 0;
}

/* A string behind all keys that begin with `rolled`: no key has room for so many bytes. */
static char *behind(const char *rolled)
{
        size_t n = strlen(rolled);
        char *s = malloc(n + RAD_KEY_MAX + 2);

        if (!s)
                return NULL;
        memcpy(s, rolled, n);
        memset(s + n, 0xff, RAD_KEY_MAX + 1);
        s[n + RAD_KEY_MAX + 1] = '\0';
        return s;
}

static void skip(struct shard *s)
{
        while (s->at < s->n && (s->v[s->at]->absent || is_rolled(s->l, s->v[s->at]->key)))
                s->at++;
}

/* 1: another request is on its way, 0: nothing is missing, -1: no memory. */
static int refill(struct list *l)
{
        int r = 0;

        for (uint32_t i = 0; i < l->n; i++) {
                struct shard *s = &l->shard[i];

                skip(s);
                if (s->at < s->n || !s->more)
                        continue;
                if (is_rolled(l, s->start)) {
                        free(s->start);
                        s->start = behind(l->rolled);
                        if (!s->start)
                                return -1;
                }
                if (!shard_go(s))
                        return -1;
                r = 1;
        }
        return r;
}

static struct name *least(struct list *l)
{
        struct name *m = NULL;

        for (uint32_t i = 0; i < l->n; i++) {
                struct shard *s = &l->shard[i];

                if (s->at < s->n && (!m || strcmp(s->v[s->at]->key, m->key) < 0))
                        m = s->v[s->at];
        }
        return m;
}

static void entry_attr(const struct rad_entry *e, roma_attr *a)
{
        struct rad_head h = { .size = e->size, .mtime_ns = e->mtime_ns, .mode = e->mode };

        memcpy(h.content, e->content, RAD_ID);
        rad_head_attr(&h, a);
        a->mask &= ~(uint32_t)(ROMA_ATTR_UID | ROMA_ATTR_GID | ROMA_ATTR_ATIME);
}

static int add(struct list *l, struct name *m)
{
        const char *cut = l->delimiter ? strstr(m->key + strlen(l->prefix), l->delimiter) : NULL;
        roma_attr a = ROMA_ATTR_INIT;

        if (!l->temporaries && ri_temp_below(m->key + l->root, strlen(l->prefix) - l->root)) {
                m->s->at++;
                return 0;
        }
        if (!cut) {
                m->s->at++;
                if (m->len == l->root)
                        return 0; /* the store's root itself */
                entry_attr(&m->entry, &a);
                return rad_page_add(l->page, m->key + l->root, m->len - l->root, &a);
        }
        free(l->rolled);
        l->rolled = strndup(m->key, (size_t)(cut - m->key) + strlen(l->delimiter));
        if (!l->rolled)
                return -1;
        a.mask = ROMA_ATTR_TYPE;
        a.type = ROMA_TYPE_DIR;
        return rad_page_add(l->page, l->rolled + l->root, strlen(l->rolled) - l->root, &a);
}

static void give(struct list *l, bool more)
{
        struct rad_page *page = l->page;

        l->page = NULL;
        rad_page_give(page, more, list_end(l));
}

static void merge(struct list *l)
{
        struct name *m;
        int r;

        for (;;) {
                r = refill(l);
                if (r < 0) {
                        fail_nomem(l);
                        return;
                }
                if (r > 0)
                        return;
                m = least(l);
                if (!m || rad_page_count(l->page) == l->max) {
                        give(l, m != NULL);
                        return;
                }
                if (add(l, m) < 0) {
                        fail_nomem(l);
                        return;
                }
        }
}

static char *join(const char *a, const char *b)
{
        char *s;

        return asprintf(&s, "%s%s", a, b) < 0 ? NULL : s;
}

/* Where the page begins. A key that was rolled up, or lies below one, ends a page with all that begins so. */
static char *beginning(struct list *l, const char *root, const char *after)
{
        char *start = join(root, after);
        size_t n = strlen(l->prefix);
        const char *cut;

        if (!start || !l->delimiter || strncmp(start, l->prefix, n) != 0)
                return start;
        cut = strstr(start + n, l->delimiter);
        if (!cut)
                return start;
        l->rolled = strndup(start, (size_t)(cut - start) + strlen(l->delimiter));
        free(start);
        return l->rolled ? behind(l->rolled) : NULL;
}

static bool prepare(struct list *l, const char *prefix, const roma_list_opts *o)
{
        const char *root = l->rs->o->root;
        bool ok;
        char *start;

        l->root = strlen(root);
        l->max = o->max;
        l->temporaries = o->flags & ROMA_LIST_TEMPORARIES;
        l->chunk = (o->max + 1) * 5 / 4 / l->n + LEAST;
        if (l->chunk > MOST)
                l->chunk = MOST;
        l->prefix = join(root, prefix);
        l->page = rad_page_new();
        ok = l->prefix && l->page;
        if (ok && o->delimiter && *o->delimiter)
                ok = (l->delimiter = strdup(o->delimiter));
        start = !ok                                 ? NULL
                : o->start_after && *o->start_after ? beginning(l, root, o->start_after)
                                                    : strdup("");
        for (uint32_t i = 0; start && ok && i < l->n; i++) {
                l->shard[i].l = l;
                l->shard[i].nr = i;
                l->shard[i].more = true;
                l->shard[i].start = strdup(start);
                ok = l->shard[i].start;
        }
        ok = ok && start;
        free(start);
        return ok;
}

static void asked(struct rad_req *r)
{
        struct list *l = r->arg;
        int rc = rad_layout_said(r);
        struct ri_error e;

        l->ask = NULL;
        if (rc == 0 || rc == -ENOENT) {
                merge(l);
                return;
        }
        rad_error(&e, rc, "read", r->oid, r->io ? r->io->where : NULL);
        ri_op_fail_error(list_end(l), &e);
}

static void make_sure(struct list *l)
{
        l->ask = rad_layout_ask(l->rs, false, l->op, asked, l);
        if (!l->ask)
                fail_nomem(l);
}

void rad_list(struct ri_op *op, const char *prefix, const roma_list_opts *opts)
{
        struct rad_store *rs = rad_of(op->store);
        uint32_t n = rad_index_shards(rs->index);
        struct list *l = calloc(1, sizeof(*l) + n * sizeof(l->shard[0]));

        if (!l) {
                rad_op_nomem(op);
                return;
        }
        l->op = op;
        l->rs = rs;
        l->n = n;
        op->impl = l;
        op->cancel = list_cancel;
        if (!prepare(l, prefix, opts))
                fail_nomem(l);
        else if (rs->sure)
                merge(l);
        else
                make_sure(l);
}
