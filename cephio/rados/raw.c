/* SPDX-License-Identifier: MIT */
/* Plain objects by name: stat, unlink, list. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cephio/rados/raw.h"

void rad_raw_attr(roma_attr *a, uint64_t size, int64_t mtime_ns, uint64_t version)
{
        memset(a, 0, sizeof(*a));
        a->size = sizeof(*a);
        a->mask = ROMA_ATTR_TYPE | ROMA_ATTR_LENGTH | ROMA_ATTR_MTIME | ROMA_ATTR_ETAG;
        a->type = ROMA_TYPE_FILE;
        a->length = size;
        a->mtime_ns = mtime_ns;
        /* The versions of a placement group only grow, also over removal and making anew. */
        snprintf(a->etag, sizeof(a->etag), "%llx", (unsigned long long)version);
}

static void req_cancel(struct ri_op *op)
{
        rad_req_drop(op->impl);
        op->impl = NULL;
}

void rad_op_req(struct ri_op *op, struct rad_req *r)
{
        op->impl = r;
        op->cancel = req_cancel;
        rad_req_go(r);
}

void rad_op_nomem(struct ri_op *op)
{
        op->impl = NULL;
        op->cancel = NULL;
        ri_op_fail(op, ROMA_ENOMEM, "no memory for the request");
}

struct ri_op *rad_req_op(struct rad_req *r)
{
        struct ri_op *op = r->arg;

        op->impl = NULL;
        op->cancel = NULL;
        return op;
}

static void stat_done(struct rad_req *r)
{
        struct ri_op *op = rad_req_op(r);
        roma_attr a;

        if (r->rc < 0) {
                rad_req_fail(r, op);
                return;
        }
        rad_raw_attr(&a, r->size, (int64_t)r->mtime * 1000000000, r->version);
        ri_op_set_attr(op, &a);
        ri_op_finish(op);
}

void rad_raw_stat_name(struct ri_op *op, const char *name)
{
        struct rad_req *r = rad_req_new(rad_of(op->store), RAD_STAT, name, op, "stat", stat_done, op);

        if (r)
                rad_op_req(op, r);
        else
                rad_op_nomem(op);
}

void rad_raw_stat(struct ri_op *op, const char *key, unsigned flags)
{
        char name[RAD_KEY_MAX + 1];

        (void)flags;
        if (!*key)
                rad_stat_folder(op);
        else if (rad_key(op, key, name))
                rad_raw_stat_name(op, name);
}

static void unlink_done(struct rad_req *r)
{
        struct ri_op *op = rad_req_op(r);

        if (r->rc < 0)
                rad_req_fail(r, op);
        else
                ri_op_finish(op);
}

void rad_raw_unlink(struct ri_op *op, const char *key, unsigned flags)
{
        char name[RAD_KEY_MAX + 1];
        struct rad_req *r;

        (void)flags;
        if (!rad_key(op, key, name))
                return;
        r = rad_req_new(rad_of(op->store), RAD_WRITE_OP, name, op, "remove", unlink_done, op);
        if (!r) {
                rad_op_nomem(op);
                return;
        }
        rados_write_op_remove(r->wop);
        op->outcome = ROMA_UNKNOWN;
        rad_op_req(op, r);
}

/* Lists. RADOS lists by placement groups, in no order and without a prefix: all names of the namespace go by, and the
 * smallest that fit a page are kept. */

struct names {
        char *prefix, *after, *delimiter; /* the whole name; after, delimiter NULL: none */
        size_t max, n, root;
        bool dropped;
        char **v; /* sorted, room for max + 1 */
};

static int find(const struct names *l, const char *name, size_t *at)
{
        size_t lo = 0, hi = l->n;

        while (lo < hi) {
                size_t mid = lo + (hi - lo) / 2;
                int c = strcmp(name, l->v[mid]);

                if (c == 0)
                        return 1;
                if (c < 0)
                        hi = mid;
                else
                        lo = mid + 1;
        }
        *at = lo;
        return 0;
}

/* -1: no memory. */
static int keep(struct names *l, const char *name, size_t len)
{
        char *s = strndup(name, len);
        size_t at;

        if (!s)
                return -1;
        if (find(l, s, &at) || at > l->max || (l->n > l->max && at == l->n)) {
                free(s);
                return 0;
        }
        if (l->n > l->max)
                free(l->v[--l->n]);
        memmove(l->v + at + 1, l->v + at, (l->n - at) * sizeof(*l->v));
        l->v[at] = s;
        l->n++;
        return 0;
}

static int look(struct names *l, const char *name)
{
        size_t n = strlen(l->prefix), len = strlen(name);
        const char *cut = NULL;

        if (strncmp(name, l->prefix, n) != 0 || len == l->root)
                return 0;
        if (l->delimiter)
                cut = strstr(name + n, l->delimiter);
        if (cut)
                len = (size_t)(cut - name) + strlen(l->delimiter);
        /* What a page ended with was rolled up from all that begins with it. */
        if (l->after &&
            (strncmp(name, l->after, len) == 0 ? len <= strlen(l->after) : strcmp(name, l->after) <= 0))
                return 0;
        return keep(l, name, len);
}

static void list_work(struct rad_job *j)
{
        struct names *l = j->arg;
        rados_list_ctx_t c;
        const char *name;
        uint64_t begun = ri_now();
        int r = rados_nobjects_list_open(j->io->ctx, &c);

        if (r == 0) {
                while (!ri_job_abandoned(&j->job) &&
                       (r = rados_nobjects_list_next(c, &name, NULL, NULL)) == 0) {
                        if (look(l, name) < 0) {
                                r = -ENOMEM;
                                break;
                        }
                }
                rados_nobjects_list_close(c);
        }
        rad_job_phase(j, "list", begun);
        if (r < 0 && r != -ENOENT)
                rad_error(&j->e, r, "list the pool", j->o->pool, j->io->where);
}

static void list_end(struct rad_job *j)
{
        struct names *l = j->arg;
        struct rad_page *p = rad_page_new();
        roma_attr a = ROMA_ATTR_INIT;
        bool ok = p;

        a.mask = ROMA_ATTR_TYPE;
        for (size_t i = 0; ok && i < l->n && i < l->max; i++) {
                size_t len = strlen(l->v[i]), d = l->delimiter ? strlen(l->delimiter) : 0;

                a.type = d && len >= d && len > strlen(l->prefix) &&
                                         strcmp(l->v[i] + len - d, l->delimiter) == 0
                                 ? ROMA_TYPE_DIR
                                 : ROMA_TYPE_FILE;
                ok = rad_page_add(p, l->v[i] + l->root, len - l->root, &a) == 0;
        }
        if (ok) {
                rad_page_give(p, l->n > l->max, j->op);
                return;
        }
        rad_page_free(p);
        ri_op_fail(j->op, ROMA_ENOMEM, "no memory for the list");
}

static void names_free(struct rad_job *j)
{
        struct names *l = j->arg;

        for (size_t i = 0; l->v && i < l->n; i++)
                free(l->v[i]);
        free(l->v);
        free(l->prefix);
        free(l->after);
        free(l->delimiter);
        free(l);
}

static char *join(const char *a, const char *b)
{
        char *s;

        return asprintf(&s, "%s%s", a, b) < 0 ? NULL : s;
}

void rad_raw_list(struct ri_op *op, const char *prefix, const roma_list_opts *opts)
{
        const char *root = rad_of(op->store)->o->root;
        struct rad_job *j = rad_job_new(op, list_work, list_end);
        struct names *l = j ? calloc(1, sizeof(*l)) : NULL;
        bool ok = l;

        if (!j)
                return;
        j->arg = l;
        if (l) {
                j->release = names_free;
                l->root = strlen(root);
                l->max = opts->max;
                l->prefix = join(root, prefix);
                l->v = calloc(l->max + 2, sizeof(*l->v));
                ok = l->prefix && l->v;
                if (ok && opts->start_after && *opts->start_after)
                        ok = (l->after = join(root, opts->start_after));
                if (ok && opts->delimiter && *opts->delimiter)
                        ok = (l->delimiter = strdup(opts->delimiter));
        }
        if (!ok)
                ri_error_set(&j->e, ROMA_ENOMEM, NULL, "no memory for the list");
        rad_job_go(j);
}
