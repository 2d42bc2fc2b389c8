/* SPDX-License-Identifier: MIT */
/* Lists of parts and of uploads: what a result holds, and how they are found where a store has none of its own. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/upload.h"

enum { PAGE = 1000 };

/* Parts */

struct ri_parts {
        roma_part_list list;
        roma_part *v;
        size_t cap;
};

struct ri_parts *ri_parts_new(void)
{
        return calloc(1, sizeof(struct ri_parts));
}

void ri_parts_free(struct ri_parts *p)
{
        if (!p)
                return;
        for (size_t i = 0; i < p->list.count; i++)
                free((char *)(uintptr_t)p->v[i].etag);
        free(p->v);
        free(p);
}

static void parts_payload_free(void *payload)
{
        ri_parts_free(payload);
}

int ri_parts_add(struct ri_parts *p, unsigned number, uint64_t length, int64_t mtime_ns, const char *etag)
{
        if (p->list.count == p->cap) {
                size_t cap = p->cap ? 2 * p->cap : 64;
                roma_part *v = reallocarray(p->v, cap, sizeof(*v));

                if (!v)
                        return -1;
                p->v = v;
                p->cap = cap;
        }
        p->v[p->list.count] = (roma_part){ number, length, mtime_ns, strdup(etag) };
        return p->v[p->list.count].etag ? (p->list.count++, 0) : -1;
}

static int by_number(const void *a, const void *b)
{
        const roma_part *x = a, *y = b;

        return x->number < y->number ? -1 : x->number > y->number;
}

void ri_parts_give(struct ri_parts *p, struct ri_op *op)
{
        if (p->list.count)
                qsort(p->v, p->list.count, sizeof(*p->v), by_number);
        p->list.part = p->v;
        op->payload = p;
        op->payload_free = parts_payload_free;
        op->res.extra = &p->list;
        ri_op_finish(op);
}

static void parts_found(struct ri_up *u)
{
        struct ri_parts *p = ri_parts_new();
        bool ok = p != NULL;

        for (size_t i = 0; ok && i < u->n; i++)
                if (!i || u->v[i].number != u->v[i - 1].number)
                        ok = ri_parts_add(p, u->v[i].number, u->v[i].length, (int64_t)u->v[i].time,
                                          u->v[i].etag) == 0;
        if (ok) {
                ri_parts_give(p, ri_up_end(u));
                return;
        }
        ri_parts_free(p);
        ri_up_fail(u, ROMA_ENOMEM, "no memory for the list of parts");
}

/* A complete that was interrupted can be repeated, and for that one may have to look at the parts. */
static void parts_looked(struct ri_up *u)
{
        if (!u->there || strcmp(u->decided, "abort") == 0)
                ri_up_fail_absent(u);
        else
                ri_up_scan(u, parts_found);
}

void ri_upload_parts(struct ri_op *op, const char *key, const char *id)
{
        struct ri_up *u = ri_up_new(op, key, id);

        if (u)
                ri_up_look(u, parts_looked);
}

/* Uploads */

struct ri_uploads {
        roma_upload_list list;
        roma_upload *v;
        size_t cap;
        char *next;
};

struct ri_uploads *ri_uploads_new(void)
{
        return calloc(1, sizeof(struct ri_uploads));
}

void ri_uploads_free(struct ri_uploads *u)
{
        if (!u)
                return;
        for (size_t i = 0; i < u->list.count; i++) {
                free((char *)(uintptr_t)u->v[i].key);
                free((char *)(uintptr_t)u->v[i].id);
        }
        free(u->v);
        free(u->next);
        free(u);
}

static void uploads_payload_free(void *payload)
{
        ri_uploads_free(payload);
}

size_t ri_uploads_count(const struct ri_uploads *u)
{
        return u->list.count;
}

int ri_uploads_add(struct ri_uploads *u, const char *key, const char *id, int64_t begun_ns)
{
        roma_upload *last;

        if (u->list.count == u->cap) {
                size_t cap = u->cap ? 2 * u->cap : 64;
                roma_upload *v = reallocarray(u->v, cap, sizeof(*v));

                if (!v)
                        return -1;
                u->v = v;
                u->cap = cap;
        }
        last = &u->v[u->list.count];
        *last = (roma_upload){ strdup(key), strdup(id), begun_ns };
        if (last->key && last->id) {
                u->list.count++;
                return 0;
        }
        free((char *)(uintptr_t)last->key);
        free((char *)(uintptr_t)last->id);
        return -1;
}

int ri_uploads_give(struct ri_uploads *u, struct ri_op *op, const char *next)
{
        u->next = next ? strdup(next) : NULL;
        if (next && !u->next)
                return -1;
        u->list.upload = u->v;
        u->list.next = u->next;
        op->payload = u;
        op->payload_free = uploads_payload_free;
        op->res.extra = &u->list;
        ri_op_finish(op);
        return 0;
}

/* All names below the folder of the prefix are looked at for files of uploads; each of these says which object it is for. */
struct search {
        struct ri_op *op;
        roma_op child;
        char *prefix, *folder, *after;
        unsigned max;
        struct ri_uploads *found;
        char **own; /* of this page */
        int64_t *begun;
        size_t n, at;
        bool more;
};

static void search_page(struct search *s);

static void page_clear(struct search *s)
{
        for (size_t i = 0; i < s->n; i++)
                free(s->own[i]);
        s->n = s->at = 0;
}

static void search_free(struct search *s)
{
        ri_op_drop(s->op->loop, s->child);
        page_clear(s);
        free(s->own);
        free(s->begun);
        free(s->prefix);
        free(s->folder);
        free(s->after);
        ri_uploads_free(s->found);
        free(s);
}

static void search_cancel(struct ri_op *op)
{
        search_free(op->impl);
}

static void search_nomem(struct search *s)
{
        struct ri_op *op = s->op;

        search_free(s);
        ri_op_fail(op, ROMA_ENOMEM, "no memory for the list of uploads");
}

static void search_fail(struct search *s, const roma_result *r)
{
        struct ri_op *op = s->op;

        ri_op_fail_from(op, r);
        search_free(s);
}

static void started(struct search *s, roma_op child)
{
        struct ri_op *op = s->op;

        s->child = ri_adopt(op, child);
        if (child)
                return;
        search_free(s);
        ri_fail_start(op);
}

static void search_end(struct search *s, const char *next)
{
        struct ri_uploads *found = s->found;
        struct ri_op *op = s->op;
        char *copy = next ? strdup(next) : NULL;

        if (next && !copy) {
                search_nomem(s);
                return;
        }
        s->found = NULL;
        op->cancel = NULL;
        search_free(s);
        if (ri_uploads_give(found, op, copy) < 0) {
                ri_uploads_free(found);
                ri_op_fail(op, ROMA_ENOMEM, "no memory for the list of uploads");
        }
        free(copy);
}

static void own_next(struct search *s);

/* The object that an upload's file is for. false: no memory. */
static bool add_upload(struct search *s, const char *own, int64_t begun, const char *note)
{
        const char *id = NULL, *name = NULL;
        roma_attr attr;
        char *base = NULL, *key = NULL, short_id[RI_UPLOAD_ID + 1];
        int folder, r = 0;

        if (!ri_upload_split(own, &id, &name) || !ri_upload_note_read(note, &base, &attr))
                return true; /* not ours */
        folder = (int)(id - own) - (int)(sizeof(RI_TEMP_PREFIX) - 1);
        memcpy(short_id, id, RI_UPLOAD_ID);
        short_id[RI_UPLOAD_ID] = '\0';
        if (asprintf(&key, "%.*s%s", folder, own, base) < 0)
                key = NULL;
        if (!key)
                r = -1;
        else if (strncmp(key, s->prefix, strlen(s->prefix)) == 0)
                r = ri_uploads_add(s->found, key, short_id, begun);
        free(key);
        free(base);
        return r == 0;
}

static void own_read(void *arg, const roma_result *r)
{
        struct search *s = arg;

        s->child = 0;
        ri_op_progress(s->op);
        if (r->code && r->code != ROMA_ENOENT)
                search_fail(s, r);
        else if (!r->code && !add_upload(s, s->own[s->at - 1], s->begun[s->at - 1], r->text))
                search_nomem(s);
        else
                own_next(s);
}

static void own_next(struct search *s)
{
        roma_opts o = ri_child_opts(s->op);

        if (s->at && ri_uploads_count(s->found) >= s->max && (s->at < s->n || s->more)) {
                search_end(s, s->own[s->at - 1]);
        } else if (s->at < s->n) {
                s->at++;
                started(s, ri_aio_small_get(s->op->store, s->own[s->at - 1], &o, own_read, s));
        } else if (s->more) {
                search_page(s);
        } else {
                search_end(s, NULL);
        }
}

static int page_take(struct search *s, const struct roma_list *page)
{
        page_clear(s);
        s->more = page->more && page->count;
        for (size_t i = 0; i < page->count; i++) {
                const char *id, *name;

                if (!ri_upload_split(page->entry[i].key, &id, &name) || strncmp(name, "upload~", 7) != 0)
                        continue;
                s->begun[s->n] =
                        page->entry[i].attr->mask & ROMA_ATTR_MTIME ? page->entry[i].attr->mtime_ns : 0;
                s->own[s->n] = strdup(page->entry[i].key);
                if (!s->own[s->n++])
                        return -1;
        }
        if (!s->more)
                return 0;
        free(s->after);
        s->after = strdup(page->entry[page->count - 1].key);
        return s->after ? 0 : -1;
}

static void page_read(void *arg, const roma_result *r)
{
        struct search *s = arg;

        s->child = 0;
        ri_op_progress(s->op);
        if (r->code)
                search_fail(s, r);
        else if (page_take(s, r->list) < 0)
                search_nomem(s);
        else
                own_next(s);
}

static void search_page(struct search *s)
{
        roma_list_opts o = ROMA_LIST_OPTS_INIT;

        o.stall_ms = s->op->stall_ms;
        o.deadline_ms = ROMA_NEVER;
        o.start_after = s->after;
        o.max = PAGE;
        o.flags = ROMA_LIST_TEMPORARIES;
        started(s, roma_aio_list(s->op->store, s->folder, &o, page_read, s));
}

void ri_upload_list(struct ri_op *op, const char *prefix, const char *after, unsigned max)
{
        const char *slash = strrchr(prefix, '/');
        struct search *s = calloc(1, sizeof(*s));

        if (s) {
                s->op = op;
                s->max = max;
                s->prefix = strdup(prefix);
                s->folder = strndup(prefix, slash ? (size_t)(slash + 1 - prefix) : 0);
                s->after = after ? strdup(after) : NULL;
                s->found = ri_uploads_new();
                s->own = calloc(PAGE, sizeof(*s->own));
                s->begun = calloc(PAGE, sizeof(*s->begun));
        }
        if (!s || !s->prefix || !s->folder || !s->found || !s->own || !s->begun || (after && !s->after)) {
                if (s)
                        search_free(s);
                ri_op_fail(op, ROMA_ENOMEM, "no memory for the list of uploads");
                return;
        }
        ri_compose(op, s, search_cancel);
        search_page(s);
}
