/* SPDX-License-Identifier: MIT */
/* stat, unlink and setattr of objects. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "cephio/rados/raw.h"

static void stat_done(struct rad_req *r)
{
        struct ri_op *op = rad_req_op(r);
        struct rad_seen s;
        struct ri_error e;
        roma_attr a;

        if (rad_head_seen(r, &s, &e) < 0) {
                ri_op_fail_error(op, &e);
        } else if (!s.there) {
                rad_req_fail(r, op);
        } else {
                rad_head_attr(&s.head, &a);
                ri_op_set_attr(op, &a);
                ri_op_finish(op);
        }
}

static void req_cancel(struct ri_op *op)
{
        rad_req_drop(op->impl);
        op->impl = NULL;
}

void rad_stat(struct ri_op *op, const char *key, unsigned flags)
{
        char name[RAD_KEY_MAX + 1];

        (void)flags;
        if (!*key) {
                rad_stat_root(op);
                return;
        }
        if (!rad_key(op, key, name))
                return;
        op->impl = rad_read_head(rad_of(op->store), name, false, op, stat_done, op);
        if (op->impl)
                op->cancel = req_cancel;
        else
                rad_op_nomem(op);
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
