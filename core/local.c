/* SPDX-License-Identifier: MIT */
/* put_path and get_path: a copy between a store and this machine's paths. */
#include "core/local.h"

#include <stdlib.h>
#include <string.h>

#include "core/copy.h"

/* Each end is a reader or writer in a store of its own, which goes when they go. */

static roma_op started(roma_store *store, roma_op op)
{
        if (!op)
                ri_store_step(store);
        return op;
}

static bool path_is_good(roma_loop *loop, const char *path)
{
        if (path && *path)
                return true;
        ri_loop_error(loop, ROMA_EINVAL, "no local path is given");
        return false;
}

roma_op ri_aio_local_reader_open(roma_store *parent, const char *path, const roma_reader_opts *opts,
                                 roma_done *done, void *arg)
{
        roma_store *store = path_is_good(parent->loop, path) ? ri_store_local(parent) : NULL;

        return store ? started(store, roma_aio_reader_open(store, path, opts, done, arg)) : 0;
}

roma_op ri_aio_local_writer_open(roma_store *parent, const char *path, const roma_writer_opts *opts,
                                 roma_done *done, void *arg)
{
        roma_store *store = path_is_good(parent->loop, path) ? ri_store_local(parent) : NULL;

        return store ? started(store, roma_aio_writer_open(store, path, opts, done, arg)) : 0;
}

roma_op ri_aio_local_hash(roma_store *parent, const char *path, int algorithm, const roma_opts *opts,
                          roma_done *done, void *arg)
{
        roma_store *store = path_is_good(parent->loop, path) ? ri_store_local(parent) : NULL;

        return store ? started(store, roma_aio_hash(store, path, algorithm, opts, done, arg)) : 0;
}

roma_op roma_aio_hash_path(roma_store *parent, const char *path, uint64_t offset, uint64_t length,
                           int algorithm, const roma_opts *opts, roma_done *done, void *arg)
{
        roma_store *store;

        if (ri_loop_enter(parent->loop) < 0 || !path_is_good(parent->loop, path))
                return 0;
        store = ri_store_local(parent);
        return store ? started(store,
                               ri_aio_hash_range(store, path, offset, length, algorithm, opts, done, arg))
                     : 0;
}

int roma_hash_path(roma_store *store, const char *path, uint64_t offset, uint64_t length, int algorithm,
                   const roma_opts *opts)
{
        struct ri_wait w;

        if (ri_wait_begin(&w, store->loop) < 0)
                return -1;
        return ri_wait(&w,
                       roma_aio_hash_path(store, path, offset, length, algorithm, opts, ri_wait_done, &w));
}

/* The two transfers */

struct ends {
        roma_store *store;
        char *key, *path;
};

static void ends_free(void *arg)
{
        struct ends *e = arg;

        free(e->key);
        free(e->path);
        free(e);
}

static struct ends *ends_new(roma_store *store, const char *key, const char *path)
{
        struct ends *e = calloc(1, sizeof(*e));

        if (e) {
                e->store = store;
                e->key = strdup(key);
                e->path = strdup(path);
        }
        if (e && e->key && e->path)
                return e;
        if (e)
                ends_free(e);
        ri_loop_error(store->loop, ROMA_ENOMEM, "no memory for a transfer");
        return NULL;
}

static roma_op from_store(void *arg, const roma_reader_opts *opts, roma_done *done, void *done_arg)
{
        struct ends *e = arg;

        return roma_aio_reader_open(e->store, e->key, opts, done, done_arg);
}

static roma_op to_store(void *arg, const roma_writer_opts *opts, roma_done *done, void *done_arg)
{
        struct ends *e = arg;

        return roma_aio_writer_open(e->store, e->key, opts, done, done_arg);
}

static roma_op hash_store(void *arg, int algorithm, const roma_opts *opts, roma_done *done, void *done_arg)
{
        struct ends *e = arg;

        return roma_aio_hash(e->store, e->key, algorithm, opts, done, done_arg);
}

static roma_op from_path(void *arg, const roma_reader_opts *opts, roma_done *done, void *done_arg)
{
        struct ends *e = arg;

        return ri_aio_local_reader_open(e->store, e->path, opts, done, done_arg);
}

static roma_op to_path(void *arg, const roma_writer_opts *opts, roma_done *done, void *done_arg)
{
        struct ends *e = arg;

        return ri_aio_local_writer_open(e->store, e->path, opts, done, done_arg);
}

static roma_op hash_path(void *arg, int algorithm, const roma_opts *opts, roma_done *done, void *done_arg)
{
        struct ends *e = arg;

        return ri_aio_local_hash(e->store, e->path, algorithm, opts, done, done_arg);
}

static roma_op transfer(roma_store *store, const char *name, const char *key, const char *path,
                        struct ri_copy_ends *c, const roma_put_opts *opts, roma_done *done, void *arg)
{
        if (ri_loop_enter(store->loop) < 0 || ri_key_check(store, name, key) < 0 ||
            !path_is_good(store->loop, path))
                return 0;
        c->loop = store->loop;
        c->store = store;
        c->free = ends_free;
        c->arg = ends_new(store, key, path);
        if (!c->arg)
                return 0;
        if (c->to)
                c->to_key = ((struct ends *)c->arg)->key;
        return ri_copy_start(c, name, key, opts, done, arg);
}

roma_op roma_aio_put_path(roma_store *store, const char *key, const char *path, const roma_put_opts *opts,
                          roma_done *done, void *arg)
{
        struct ri_copy_ends c = {
                .reader = from_path, .writer = to_store, .hash = hash_store, .to = store, .from_path = true
        };

        return transfer(store, "put", key, path, &c, opts, done, arg);
}

roma_op roma_aio_get_path(roma_store *store, const char *key, const char *path, const roma_get_opts *opts,
                          roma_done *done, void *arg)
{
        struct ri_copy_ends c = {
                .reader = from_store, .writer = to_path, .hash = hash_path, .to_path = true
        };

        return transfer(store, "get", key, path, &c, opts, done, arg);
}

int roma_put_path(roma_store *store, const char *key, const char *path, const roma_put_opts *opts,
                  roma_result *result)
{
        struct ri_wait w;
        int r;

        if (ri_wait_begin(&w, store->loop) < 0)
                return -1;
        r = ri_wait(&w, roma_aio_put_path(store, key, path, opts, ri_wait_done, &w));
        if (result)
                *result = *roma_last(store->loop);
        return r;
}

int roma_get_path(roma_store *store, const char *key, const char *path, const roma_get_opts *opts,
                  roma_result *result)
{
        struct ri_wait w;
        int r;

        if (ri_wait_begin(&w, store->loop) < 0)
                return -1;
        r = ri_wait(&w, roma_aio_get_path(store, key, path, opts, ri_wait_done, &w));
        if (result)
                *result = *roma_last(store->loop);
        return r;
}
