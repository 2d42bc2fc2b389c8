/* SPDX-License-Identifier: MIT */
/* Links and forms for those who have no keys: checks, then the backend. */
#include <string.h>

#include "core/backend.h"

enum { DEFAULT_EXPIRES = 3600 };

static int check_opts(roma_store *store, const char *key, const roma_presign_opts *o)
{
        const char *fault = NULL;

        if (o->kind < ROMA_PRESIGN_GET || o->kind > ROMA_PRESIGN_DELETE)
                fault = "there is no such kind of link";
        else if (!*key && !(o->kind == ROMA_PRESIGN_FORM && o->flags & ROMA_PRESIGN_PREFIX))
                fault = "the store's root is no object";
        else if (o->kind == ROMA_PRESIGN_PART && (!o->upload_id || !*o->upload_id || !o->part))
                fault = "a part has the id of its upload and a number from 1";
        else if (o->kind != ROMA_PRESIGN_FORM &&
                 (o->flags & ROMA_PRESIGN_PREFIX || o->min_bytes || o->max_bytes))
                fault = "only a form has conditions on the key and the length";
        else if (o->max_bytes && o->min_bytes > o->max_bytes)
                fault = "the least length is above the greatest";
        if (!fault)
                return 0;
        ri_loop_error(store->loop, ROMA_EINVAL, "presign %s: %s", *key ? key : store->uri, fault);
        return -1;
}

roma_op roma_aio_presign(roma_store *store, const char *key, const roma_presign_opts *opts, roma_done *done,
                         void *arg)
{
        roma_presign_opts o = ROMA_PRESIGN_OPTS_INIT;
        struct ri_op *op;

        if (opts)
                memcpy(&o, opts, opts->size < sizeof(o) ? opts->size : sizeof(o));
        o.size = sizeof(o);
        if (ri_loop_enter(store->loop) < 0 || ri_key_check(store, "presign", key) < 0 ||
            check_opts(store, key, &o) < 0)
                return 0;
        if (!o.expires_s)
                o.expires_s = DEFAULT_EXPIRES;
        op = ri_op_new(store->loop, store, RI_SINGLE, "presign", key, opts, done, arg);
        if (!op)
                return 0;
        if (store->be->presign)
                store->be->presign(op, key, &o);
        else
                ri_op_fail(op, ROMA_ENOTSUP,
                           "a %s store has no links that carry a right of their own; s3, oss, obs and minio "
                           "have",
                           store->be->name);
        return op->id;
}

int roma_presign(roma_store *store, const char *key, const roma_presign_opts *opts)
{
        struct ri_wait w;

        if (ri_wait_begin(&w, store->loop) < 0)
                return -1;
        return ri_wait(&w, roma_aio_presign(store, key, opts, ri_wait_done, &w));
}
