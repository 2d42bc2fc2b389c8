/* SPDX-License-Identifier: MIT */
/* mkdir, with the folders above it. */
#include <stdlib.h>
#include <string.h>

#include "core/backend.h"

/* Makes a/b/c: the deepest first, since usually only that one is missing; up until one can be made, down again. */
struct parents {
        struct ri_op *op;
        roma_op child;
        uint32_t mode;
        size_t depth; /* bytes of the key that are tried now */
        size_t whole;
        bool up;
        struct ri_error
                lost; /* the answer of the mkdir that is looked at; code 0: it said that the name is taken */
        char key[];
};

static void next(struct parents *p);

static void parents_free(struct ri_op *op)
{
        struct parents *p = op->impl;
        struct ri_op *child = ri_op_find(op->loop, p->child);

        ri_op_drop(op->loop, p->child); /* it is still there, and knows now what may have become of it */
        if (child && child->changes && child->res.outcome != ROMA_NOT_DONE)
                op->outcome = ROMA_UNKNOWN;
        free(p);
}

static void checked(void *arg, const roma_result *r)
{
        struct parents *p = arg;
        struct ri_op *op = p->op;
        bool dir = r->code == ROMA_OK && r->attr && r->attr->type == ROMA_TYPE_DIR;

        p->child = 0;
        if (!dir) {
                if (r->code && p->lost.code)
                        ri_op_fail_error(op, &p->lost);
                else if (r->code)
                        ri_op_fail_from(op, r);
                else
                        ri_op_fail(op, ROMA_EEXIST, "\"%.*s\" is there and is not a folder", (int)p->depth,
                                   p->key);
                free(p);
        } else if (p->depth == p->whole) {
                ri_op_finish(op);
                free(p);
        } else {
                next(p);
        }
}

static void check(struct parents *p)
{
        char saved = p->key[p->depth];

        p->key[p->depth] = '\0';
        p->child = roma_aio_stat(p->op->store, p->key, 0, NULL, checked, p);
        p->key[p->depth] = saved;
        if (!p->child) {
                ri_op_fail(p->op, ROMA_ENOMEM, "out of memory");
                free(p);
        }
}

static void made(void *arg, const roma_result *r)
{
        struct parents *p = arg;
        const char *slash;

        p->child = 0;
        if (!r->code || r->outcome == ROMA_UNKNOWN) /* some of the folders are there now, or may be */
                p->op->outcome = ROMA_UNKNOWN;
        if (r->code == ROMA_EEXIST || r->outcome == ROMA_UNKNOWN) { /* whoever made it, it is there or not */
                p->lost.code = ROMA_OK;
                if (r->code != ROMA_EEXIST)
                        ri_error_from(&p->lost, r);
                p->up = false;
                check(p);
                return;
        }
        slash = memrchr(p->key, '/', p->depth);
        if (r->code == ROMA_ENOENT && p->up && slash) {
                p->depth = (size_t)(slash - p->key);
                p->up = true;
        } else if (r->code) {
                ri_op_fail_from(p->op, r);
                free(p);
                return;
        } else if (p->depth == p->whole) {
                ri_op_finish(p->op);
                free(p);
                return;
        } else {
                p->up = false;
        }
        next(p);
}

static void next(struct parents *p)
{
        char saved;

        if (!p->up) {
                const char *slash = memchr(p->key + p->depth + 1, '/', p->whole - p->depth - 1);

                p->depth = slash ? (size_t)(slash - p->key) : p->whole;
        }
        saved = p->key[p->depth];
        p->key[p->depth] = '\0';
        p->child = ri_aio_mkdir_one(p->op->store, p->key, p->mode, NULL, made, p);
        p->key[p->depth] = saved;
        if (!p->child) {
                ri_op_fail(p->op, ROMA_ENOMEM, "out of memory");
                free(p);
        }
}

roma_op roma_aio_mkdir(roma_store *store, const char *key, uint32_t mode, unsigned flags,
                       const roma_opts *opts, roma_done *done, void *arg)
{
        struct parents *p;
        struct ri_op *op;

        if (!(flags & ROMA_MKDIR_PARENTS))
                return ri_aio_mkdir_one(store, key, mode, opts, done, arg);
        if (ri_loop_enter(store->loop) < 0 || ri_key_check(store, "mkdir", key) < 0)
                return 0;
        op = ri_op_new(store->loop, store, RI_SINGLE, "mkdir", key, opts, done, arg);
        if (!op)
                return 0;
        if (!*key) {
                ri_op_finish(op);
                return op->id;
        }
        p = calloc(1, sizeof *p + strlen(key) + 1);
        if (!p) {
                ri_op_fail(op, ROMA_ENOMEM, "out of memory");
                return op->id;
        }
        p->op = op;
        p->mode = mode;
        p->whole = p->depth = strlen(key);
        p->up = true;
        memcpy(p->key, key, p->whole + 1);
        op->impl = p;
        op->cancel = parents_free;
        next(p);
        return op->id;
}
