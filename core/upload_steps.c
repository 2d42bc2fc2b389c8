/* SPDX-License-Identifier: MIT */
/* What the operations on uploads have in common: looking, finding the parts, deciding. */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/upload.h"

enum { PAGE = 10000 };

/* Life */

void ri_up_free(struct ri_up *u)
{
        ri_op_drop(u->op->loop, u->child);
        if (u->clear)
                u->clear(u);
        free(u->key);
        free(u->id);
        free(u->v);
        free(u->after);
        free(u);
}

static void up_cancel(struct ri_op *op)
{
        ri_up_free(op->impl);
}

struct ri_up *ri_up_new(struct ri_op *op, const char *key, const char *id)
{
        struct ri_up *u = calloc(1, sizeof(*u));

        if (u) {
                u->op = op;
                u->key = strdup(key);
                u->id = strdup(id);
        }
        if (!u || !u->key || !u->id) {
                if (u)
                        ri_up_free(u);
                ri_op_fail(op, ROMA_ENOMEM, "out of memory");
                return NULL;
        }
        ri_compose(op, u, up_cancel);
        return u;
}

struct ri_op *ri_up_end(struct ri_up *u)
{
        struct ri_op *op = u->op;

        op->cancel = NULL;
        op->impl = NULL;
        ri_up_free(u);
        return op;
}

void ri_up_fail(struct ri_up *u, int code, const char *fmt, ...)
{
        struct ri_error e = { 0 };
        va_list ap;

        e.code = code;
        va_start(ap, fmt);
        vsnprintf(e.text, sizeof(e.text), fmt, ap);
        va_end(ap);
        ri_op_fail_error(ri_up_end(u), &e);
}

void ri_up_fail_from(struct ri_up *u, const roma_result *r)
{
        struct ri_error e;

        ri_error_from(&e, r);
        ri_op_fail_error(ri_up_end(u), &e);
}

void ri_up_fail_absent(struct ri_up *u)
{
        if (!*u->decided)
                ri_up_fail(u, ROMA_ENOENT, "there is no upload %.40s of this name", u->id);
        else if (strcmp(u->decided, "abort") == 0)
                ri_up_fail(u, ROMA_ENOENT, "the upload %.40s has been aborted", u->id);
        else
                ri_up_fail(u, ROMA_ENOENT,
                           "the upload %.40s has been completed, or is being completed; when that was "
                           "interrupted, "
                           "the same complete once more finishes it",
                           u->id);
}

void ri_up_step(struct ri_up *u, roma_op child)
{
        struct ri_op *op = u->op;

        u->child = ri_adopt(op, child);
        if (child)
                return;
        ri_fail_start(ri_up_end(u));
}

static void small(struct ri_up *u, char *key, roma_done *done)
{
        roma_opts o = ri_child_opts(u->op);

        if (key)
                ri_up_step(u, ri_aio_small_get(u->op->store, key, &o, done, u));
        else
                ri_up_fail(u, ROMA_ENOMEM, "out of memory");
        free(key);
}

/* Looking */

static void decided_read(void *arg, const roma_result *r)
{
        struct ri_up *u = arg;

        u->child = 0;
        if (r->code && r->code != ROMA_ENOENT) {
                ri_up_fail_from(u, r);
                return;
        }
        snprintf(u->decided, sizeof(u->decided), "%s", r->code ? "" : r->text);
        if (!r->code && strcmp(u->decided, "abort") != 0 && strncmp(u->decided, "complete ", 9) != 0)
                ri_up_fail(u, ROMA_ECORRUPT,
                           "what was decided about the upload %.40s cannot be understood: it was made by "
                           "something "
                           "else, or is damaged",
                           u->id);
        else
                u->next(u);
}

static void read_decided(struct ri_up *u)
{
        small(u, ri_upload_key(u->key, u->id, RI_DECIDED), decided_read);
}

static void own_read(void *arg, const roma_result *r)
{
        struct ri_up *u = arg;
        const char *slash = strrchr(u->key, '/');
        char *base = NULL;
        bool same;

        u->child = 0;
        if (r->code && r->code != ROMA_ENOENT && r->code != ROMA_ENOTDIR) {
                ri_up_fail_from(u, r);
                return;
        }
        u->there = !r->code;
        if (u->there) {
                same = ri_upload_note_read(r->text, &base, &u->attr);
                if (same && strcmp(base, slash ? slash + 1 : u->key) != 0)
                        u->there = false; /* of another object, whose name has the same CRC */
                free(base);
                if (!same) {
                        ri_up_fail(u, ROMA_ECORRUPT,
                                   "the note of the upload %.40s cannot be understood: it was made by a "
                                   "newer libroma, "
                                   "or is damaged",
                                   u->id);
                        return;
                }
        }
        read_decided(u);
}

void ri_up_look(struct ri_up *u, void (*next)(struct ri_up *u))
{
        u->next = next;
        small(u, ri_upload_own(u->key, u->id), own_read);
}

/* Finding the parts */

static void list_page(struct ri_up *u);

static int by_number(const void *a, const void *b)
{
        const struct ri_part_name *x = a, *y = b;

        if (x->number != y->number)
                return x->number < y->number ? -1 : 1;
        if (x->time != y->time)
                return x->time > y->time ? -1 : 1;
        return strcmp(x->etag, y->etag);
}

static bool see(struct ri_up *u, const char *listed)
{
        struct ri_part_name name;
        const char *base = strrchr(listed, '/');

        if (!base || !ri_part_parse(base + 1, &name))
                return true;
        if (u->n == u->cap) {
                size_t cap = u->cap ? 2 * u->cap : 64;
                struct ri_part_name *v = reallocarray(u->v, cap, sizeof(*v));

                if (!v)
                        return false;
                u->v = v;
                u->cap = cap;
        }
        u->v[u->n++] = name;
        return true;
}

static void page_seen(void *arg, const roma_result *r)
{
        struct ri_up *u = arg;
        bool ok = true;

        u->child = 0;
        if (r->code) {
                ri_up_fail_from(u, r);
                return;
        }
        ri_op_progress(u->op);
        for (size_t i = 0; ok && i < r->list->count; i++)
                ok = see(u, r->list->entry[i].key);
        free(u->after);
        u->after = NULL;
        if (ok && r->list->more && r->list->count) {
                u->after = strdup(r->list->entry[r->list->count - 1].key);
                ok = u->after != NULL;
        }
        if (!ok) {
                ri_up_fail(u, ROMA_ENOMEM, "no memory for the list of parts");
        } else if (u->after) {
                list_page(u);
        } else {
                if (u->n)
                        qsort(u->v, u->n, sizeof(*u->v), by_number);
                u->next(u);
        }
}

static void list_page(struct ri_up *u)
{
        roma_list_opts o = ROMA_LIST_OPTS_INIT;
        char *prefix = ri_upload_key(u->key, u->id, "");
        size_t n = prefix ? strlen(prefix) : 0;
        char *folder = prefix ? realloc(prefix, n + 2) : NULL;

        if (!folder) {
                free(prefix);
                ri_up_fail(u, ROMA_ENOMEM, "out of memory");
                return;
        }
        memcpy(folder + n, "/", 2);
        o.stall_ms = u->op->stall_ms;
        o.deadline_ms = ROMA_NEVER;
        o.start_after = u->after;
        o.max = PAGE;
        ri_up_step(u, roma_aio_list(u->op->store, folder, &o, page_seen, u));
        free(folder);
}

void ri_up_scan(struct ri_up *u, void (*next)(struct ri_up *u))
{
        u->next = next;
        u->n = 0;
        list_page(u);
}

/* Deciding */

static void undecided(void *arg, const roma_result *r)
{
        (void)r;
        ((struct ri_up *)arg)->child = 0;
        ri_up_fail_absent(arg);
}

/* A decision can be made about an upload that has just ended: where no folder goes with it, and where whoever makes it still
 * has the folder under the name that it had, as the cache of a MooseFS store does. That one is taken back. */
static void still_there(void *arg, const roma_result *r)
{
        struct ri_up *u = arg;
        roma_opts o = ri_child_opts(u->op);
        char *key;

        u->child = 0;
        if (!r->code) {
                u->next(u);
        } else if (r->code != ROMA_ENOENT) {
                ri_up_fail_from(u, r);
        } else {
                key = ri_upload_key(u->key, u->id, RI_DECIDED);
                u->decided[0] = '\0';
                u->op->outcome = ROMA_NOT_DONE;
                ri_up_step(u, key ? roma_aio_unlink(u->op->store, key, ROMA_UNLINK_NO_TRASH, &o, undecided, u)
                                  : 0);
                free(key);
        }
}

static void put_decided(void *arg, const roma_result *r)
{
        struct ri_up *u = arg;

        u->child = 0;
        /* Somebody was first, or it is not known whether we were: what stands there counts. */
        if (r->code == ROMA_EEXIST || (r->code && r->outcome == ROMA_UNKNOWN)) {
                if (r->outcome == ROMA_NOT_DONE)
                        u->op->outcome = ROMA_NOT_DONE;
                read_decided(u);
        } else if (r->code == ROMA_ENOENT) {
                u->op->outcome = ROMA_NOT_DONE;
                u->there = false;
                ri_up_fail_absent(u);
        } else if (r->code) {
                u->op->outcome = ROMA_NOT_DONE;
                ri_up_fail_from(u, r);
        } else {
                u->decider = true;
                small(u, ri_upload_own(u->key, u->id), still_there);
        }
}

void ri_up_decide(struct ri_up *u, const char *text, void (*next)(struct ri_up *u))
{
        roma_put_opts o = ROMA_PUT_OPTS_INIT;
        char *key = ri_upload_key(u->key, u->id, RI_DECIDED);

        u->next = next;
        u->decider = false;
        snprintf(u->decided, sizeof(u->decided), "%s", text);
        u->op->outcome = ROMA_UNKNOWN; /* whoever is stopped from here on may have decided it */
        if (!key) {
                u->op->outcome = ROMA_NOT_DONE;
                ri_up_fail(u, ROMA_ENOMEM, "out of memory");
                return;
        }
        o.stall_ms = u->op->stall_ms;
        o.deadline_ms = ROMA_NEVER;
        o.precondition = ROMA_IF_ABSENT;
        /* put reads from u->decided, so what is read there on failure is a new text only afterwards. */
        ri_up_step(u, roma_aio_put(u->op->store, key, u->decided, strlen(u->decided), &o, put_decided, u));
        free(key);
}

static void removed(void *arg, const roma_result *r)
{
        struct ri_up *u = arg;

        (void)r; /* what stays is for gc */
        u->child = 0;
        u->next(u);
}

void ri_up_remove(struct ri_up *u, void (*next)(struct ri_up *u))
{
        roma_opts o = ri_child_opts(u->op);

        u->next = next;
        ri_up_step(u, ri_aio_upload_remove(u->op->store, u->key, u->id, false, &o, removed, u));
}
