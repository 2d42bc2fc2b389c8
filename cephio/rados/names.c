/* SPDX-License-Identifier: MIT */
/* stat, unlink and setattr of objects. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "cephio/rados/raw.h"
#include "core/compose.h"

/* stat: the head; what has none may be a name below which objects lie, as on other stores without folders. The index tells; plain
 * objects have none, and all names of the pool would have to be read (raw.c). */

struct looking {
        struct ri_op *op;
        struct rad_req *head;   /* while it is read */
        roma_op list;           /* then, while the index is */
        struct ri_error absent; /* the end when nothing lies there */
        char below[];           /* "KEY/" */
};

static struct ri_op *looking_end(struct looking *l)
{
        struct ri_op *op = l->op;

        op->impl = NULL;
        op->cancel = NULL;
        free(l);
        return op;
}

static void looking_cancel(struct ri_op *op)
{
        struct looking *l = op->impl;

        if (l->head)
                rad_req_drop(l->head);
        ri_op_drop(op->loop, l->list);
        looking_end(l);
}

static void looked_below(void *arg, const roma_result *r)
{
        struct looking *l = arg;
        struct ri_error absent = l->absent;
        struct ri_op *op = looking_end(l);

        if (r->code)
                ri_op_fail_from(op, r);
        else if (r->list->count)
                rad_stat_folder(op);
        else
                ri_op_fail_error(op, &absent);
}

static void look_below(struct looking *l)
{
        roma_list_opts o = ROMA_LIST_OPTS_INIT;

        o.max = 1;
        o.stall_ms = l->op->stall_ms;
        o.deadline_ms = ROMA_NEVER;
        ri_compose(l->op, l, looking_cancel);
        l->list = ri_adopt(l->op, roma_aio_list(l->op->store, l->below, &o, looked_below, l));
        if (!l->list)
                ri_fail_start(looking_end(l));
}

static void stat_done(struct rad_req *r)
{
        struct looking *l = r->arg;
        struct rad_seen s;
        struct ri_error e;
        struct ri_op *op;
        roma_attr a;

        l->head = NULL;
        if (rad_head_seen(r, &s, &e) < 0) {
                ri_op_fail_error(looking_end(l), &e);
        } else if (!s.there) {
                rad_req_error(r, &l->absent);
                look_below(l);
        } else {
                op = looking_end(l);
                rad_head_attr(&s.head, &a);
                ri_op_set_attr(op, &a);
                ri_op_finish(op);
        }
}

void rad_stat(struct ri_op *op, const char *key, unsigned flags)
{
        char name[RAD_KEY_MAX + 1];
        struct looking *l;
        size_t n = strlen(key);

        (void)flags;
        if (!*key) {
                rad_stat_folder(op);
                return;
        }
        if (!rad_key(op, key, name))
                return;
        l = calloc(1, sizeof(*l) + n + 2);
        if (l) {
                l->op = op;
                memcpy(l->below, key, n);
                l->below[n] = '/';
                l->head = rad_read_head(rad_of(op->store), name, false, op, stat_done, l);
        }
        if (!l || !l->head) {
                free(l);
                rad_op_nomem(op);
                return;
        }
        op->impl = l;
        op->cancel = looking_cancel;
}

/* Changes */

struct doing {
        struct ri_op *op;
        struct rad_change *c;
        roma_attr attr; /* setattr */
};

static struct ri_op *doing_end(struct doing *d)
{
        struct ri_op *op = d->op;

        op->impl = NULL;
        op->cancel = NULL;
        free(d);
        return op;
}

static void doing_cancel(struct ri_op *op)
{
        struct doing *d = op->impl;

        if (!rad_change_drop(d->c))
                op->outcome = ROMA_NOT_DONE;
        doing_end(d);
}

static int must_be_there(void *arg, const struct rad_seen *s, struct ri_error *e)
{
        struct doing *d = arg;

        if (s->there)
                return 1;
        rad_error(e, -ENOENT, d->op->name, d->op->object, NULL);
        return -1;
}

static void done(void *arg, const struct rad_seen *old, const struct rad_head *now, const struct ri_error *e)
{
        struct doing *d = arg;
        struct ri_op *op = doing_end(d);
        roma_attr a;

        (void)old;
        if (e) {
                ri_op_fail_error(op, e);
                return;
        }
        if (now) {
                rad_head_attr(now, &a);
                ri_op_set_attr(op, &a);
        }
        ri_op_finish(op);
}

static void start(struct ri_op *op, const char *key, bool remove, const roma_attr *attr,
                  const struct rad_change_ops *ops)
{
        struct doing *d = calloc(1, sizeof(*d));
        char name[RAD_KEY_MAX + 1];

        if (!rad_key(op, key, name)) {
                free(d);
                return;
        }
        if (d)
                d->c = rad_change_new(rad_of(op->store), name, remove, remove, 0, op, ops, d);
        if (!d || !d->c) {
                free(d);
                rad_op_nomem(op);
                return;
        }
        d->op = op;
        if (attr)
                d->attr = *attr;
        op->impl = d;
        op->cancel = doing_cancel;
        rad_change_go(d->c, false);
}

static const struct rad_change_ops unlink_ops = { .decide = must_be_there, .done = done };

void rad_unlink(struct ri_op *op, const char *key, unsigned flags)
{
        (void)flags;
        start(op, key, true, NULL, &unlink_ops);
}

static void new_attr(void *arg, const struct rad_seen *s, rados_write_op_t op, struct rad_head *h)
{
        const roma_attr *a = &((struct doing *)arg)->attr;

        (void)s;
        (void)op;
        if (a->mask & ROMA_ATTR_MODE)
                h->mode = a->mode & 07777;
        if (a->mask & ROMA_ATTR_UID)
                h->uid = a->uid;
        if (a->mask & ROMA_ATTR_GID)
                h->gid = a->gid;
        if (a->mask & ROMA_ATTR_ATIME)
                h->atime_ns = a->atime_ns;
        if (a->mask & ROMA_ATTR_MTIME)
                h->mtime_ns = a->mtime_ns;
}

static const struct rad_change_ops setattr_ops = { .decide = must_be_there, .build = new_attr, .done = done };

void rad_setattr(struct ri_op *op, const char *key, const roma_attr *attr, unsigned flags)
{
        (void)flags;
        start(op, key, false, attr, &setattr_ops);
}
