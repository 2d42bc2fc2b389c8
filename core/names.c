/* SPDX-License-Identifier: MIT */
/* The calls on names: checks of keys, then the backend. */
#include <stdio.h>
#include <string.h>

#include "core/backend.h"

enum { MAX_KEY = 65536 };

static const char *component_fault(const char *p, size_t n)
{
        if (n == 0)
                return "an empty component (a double or trailing slash)";
        if (n == 1 && p[0] == '.')
                return "a component '.'";
        if (n == 2 && p[0] == '.' && p[1] == '.')
                return "a component '..'";
        return NULL;
}

static const char *folder_fault(const char *key)
{
        const char *fault = NULL;

        if (!*key)
                return NULL;
        while (!fault) {
                size_t n = strcspn(key, "/");

                fault = component_fault(key, n);
                if (!key[n])
                        break;
                key += n + 1;
        }
        return fault;
}

int ri_key_check(roma_store *store, const char *name, const char *key)
{
        const char *fault = NULL;

        if (!key || strnlen(key, MAX_KEY) == MAX_KEY) {
                ri_loop_error(store->loop, ROMA_ENAMETOOLONG, "%s: the key is %s", name,
                              key ? "longer than 65535 bytes" : "missing");
                return -1;
        }
        if (store->be->flags & RI_FOLDERS && !store->raw_keys)
                fault = folder_fault(key);
        if (!fault)
                return 0;
        ri_loop_error(store->loop, ROMA_EINVAL,
                      "%s %s: the name \"%s\" has %s; names are taken as they are and never leave the store",
                      name, store->uri, key, fault);
        return -1;
}

/* NULL: not started, the error is set. */
static struct ri_op *start(roma_store *store, const char *name, const char *key, const void *opts,
                           roma_done *done, void *arg)
{
        if (ri_loop_enter(store->loop) < 0 || ri_key_check(store, name, key) < 0)
                return NULL;
        return ri_op_new(store->loop, store, RI_SINGLE, name, key, opts, done, arg);
}

static struct ri_op *start_change(roma_store *store, const char *name, const char *key, const void *opts,
                                  roma_done *done, void *arg)
{
        struct ri_op *op = start(store, name, key, opts, done, arg);

        if (op)
                ri_op_changes(op);
        return op;
}

static bool lacks(struct ri_op *op, const void *fn)
{
        if (fn)
                return false;
        ri_op_fail(op, ROMA_ENOTSUP, "a %s store cannot do that", op->store->be->name);
        return true;
}

/* The function pointers of the backend's table, compared as what they are. */
#define LACKS(op, member) lacks(op, (op)->store->be->member ? op : NULL)

roma_op roma_aio_stat(roma_store *store, const char *key, unsigned flags, const roma_opts *opts,
                      roma_done *done, void *arg)
{
        struct ri_op *op = start(store, "stat", key, opts, done, arg);

        if (op && !LACKS(op, stat))
                store->be->stat(op, key, flags);
        return ri_op_id(op);
}

roma_op roma_aio_unlink(roma_store *store, const char *key, unsigned flags, const roma_opts *opts,
                        roma_done *done, void *arg)
{
        struct ri_op *op = start_change(store, "unlink", key, opts, done, arg);

        if (op && !LACKS(op, unlink))
                store->be->unlink(op, key, flags);
        return ri_op_id(op);
}

roma_op roma_aio_rmdir(roma_store *store, const char *key, const roma_opts *opts, roma_done *done, void *arg)
{
        struct ri_op *op = start_change(store, "rmdir", key, opts, done, arg);

        if (op && !LACKS(op, rmdir))
                store->be->rmdir(op, key);
        return ri_op_id(op);
}

roma_op roma_aio_rename(roma_store *store, const char *from, const char *to, unsigned flags,
                        const roma_opts *opts, roma_done *done, void *arg)
{
        struct ri_op *op;

        if (ri_key_check(store, "rename", to) < 0)
                return 0;
        op = start_change(store, "rename", from, opts, done, arg);
        if (op && !LACKS(op, rename))
                store->be->rename(op, from, to, flags);
        return ri_op_id(op);
}

roma_op roma_aio_link(roma_store *store, const char *key, const char *name, const roma_opts *opts,
                      roma_done *done, void *arg)
{
        struct ri_op *op;

        if (ri_key_check(store, "link", name) < 0)
                return 0;
        op = start_change(store, "link", key, opts, done, arg);
        if (op && !LACKS(op, link))
                store->be->link(op, key, name);
        return ri_op_id(op);
}

roma_op roma_aio_symlink(roma_store *store, const char *target, const char *name, const roma_opts *opts,
                         roma_done *done, void *arg)
{
        struct ri_op *op;

        if (!target || !*target || strlen(target) > 4095) {
                ri_loop_error(store->loop, ROMA_EINVAL, "symlink: the target must have 1 to 4095 bytes");
                return 0;
        }
        op = start_change(store, "symlink", name, opts, done, arg);
        if (op && !LACKS(op, symlink))
                store->be->symlink(op, target, name);
        return ri_op_id(op);
}

roma_op roma_aio_readlink(roma_store *store, const char *key, const roma_opts *opts, roma_done *done,
                          void *arg)
{
        struct ri_op *op = start(store, "readlink", key, opts, done, arg);

        if (op && !LACKS(op, readlink))
                store->be->readlink(op, key);
        return ri_op_id(op);
}

roma_op roma_aio_setattr(roma_store *store, const char *key, const roma_attr *attr, unsigned flags,
                         const roma_opts *opts, roma_done *done, void *arg)
{
        const uint32_t can =
                ROMA_ATTR_MODE | ROMA_ATTR_UID | ROMA_ATTR_GID | ROMA_ATTR_ATIME | ROMA_ATTR_MTIME;
        struct ri_op *op;

        if (attr->mask & ~can) {
                ri_loop_error(store->loop, ROMA_EINVAL,
                              "setattr: only mode, uid, gid, atime and mtime can be set");
                return 0;
        }
        op = start_change(store, "setattr", key, opts, done, arg);
        if (op && !LACKS(op, setattr))
                store->be->setattr(op, key, attr, flags);
        return ri_op_id(op);
}

roma_op roma_aio_statfs(roma_store *store, const roma_opts *opts, roma_done *done, void *arg)
{
        struct ri_op *op = start(store, "statfs", "", opts, done, arg);

        if (op && !LACKS(op, statfs))
                store->be->statfs(op);
        return ri_op_id(op);
}

roma_op roma_aio_ping(roma_store *store, const roma_opts *opts, roma_done *done, void *arg)
{
        struct ri_op *op = start(store, "ping", "", opts, done, arg);

        if (op && !LACKS(op, ping))
                store->be->ping(op);
        return ri_op_id(op);
}

roma_op ri_aio_verify_replicas(roma_store *store, const char *key, uint64_t length, const uint32_t *crcs,
                               size_t n, const roma_opts *opts, roma_done *done, void *arg)
{
        struct ri_op *op = start(store, "verify", key, opts, done, arg);

        if (op && !LACKS(op, verify_replicas))
                store->be->verify_replicas(op, key, length, crcs, n);
        return ri_op_id(op);
}

/* One folder; roma_aio_mkdir() in mkdir.c also makes those above. */
roma_op ri_aio_mkdir_one(roma_store *store, const char *key, uint32_t mode, const roma_opts *opts,
                         roma_done *done, void *arg)
{
        struct ri_op *op = start_change(store, "mkdir", key, opts, done, arg);

        if (op && !LACKS(op, mkdir))
                store->be->mkdir(op, key, mode);
        return ri_op_id(op);
}

/* The blocking twins. */

#define BLOCKING(loop_, call)                                              \
        do {                                                               \
                struct ri_wait w;                                          \
                if (ri_wait_begin(&w, loop_) < 0 || ri_wait(&w, call) < 0) \
                        return -1;                                         \
        } while (0)

int roma_stat(roma_store *store, const char *key, unsigned flags, const roma_opts *opts, roma_attr *attr)
{
        BLOCKING(store->loop, roma_aio_stat(store, key, flags, opts, ri_wait_done, &w));
        ri_wait_attr(store->loop, attr);
        return 0;
}

int roma_unlink(roma_store *store, const char *key, unsigned flags, const roma_opts *opts)
{
        BLOCKING(store->loop, roma_aio_unlink(store, key, flags, opts, ri_wait_done, &w));
        return 0;
}

int roma_rmdir(roma_store *store, const char *key, const roma_opts *opts)
{
        BLOCKING(store->loop, roma_aio_rmdir(store, key, opts, ri_wait_done, &w));
        return 0;
}

int roma_rename(roma_store *store, const char *from, const char *to, unsigned flags, const roma_opts *opts)
{
        BLOCKING(store->loop, roma_aio_rename(store, from, to, flags, opts, ri_wait_done, &w));
        return 0;
}

int roma_link(roma_store *store, const char *key, const char *name, const roma_opts *opts)
{
        BLOCKING(store->loop, roma_aio_link(store, key, name, opts, ri_wait_done, &w));
        return 0;
}

int roma_symlink(roma_store *store, const char *target, const char *name, const roma_opts *opts)
{
        BLOCKING(store->loop, roma_aio_symlink(store, target, name, opts, ri_wait_done, &w));
        return 0;
}

int roma_readlink(roma_store *store, const char *key, const roma_opts *opts)
{
        BLOCKING(store->loop, roma_aio_readlink(store, key, opts, ri_wait_done, &w));
        return 0;
}

int roma_setattr(roma_store *store, const char *key, const roma_attr *attr, unsigned flags,
                 const roma_opts *opts)
{
        BLOCKING(store->loop, roma_aio_setattr(store, key, attr, flags, opts, ri_wait_done, &w));
        return 0;
}

int roma_statfs(roma_store *store, const roma_opts *opts, roma_space *space)
{
        BLOCKING(store->loop, roma_aio_statfs(store, opts, ri_wait_done, &w));
        if (space)
                *space = *store->loop->last->res.space;
        return 0;
}

int roma_ping(roma_store *store, const roma_opts *opts)
{
        BLOCKING(store->loop, roma_aio_ping(store, opts, ri_wait_done, &w));
        return 0;
}

int roma_mkdir(roma_store *store, const char *key, uint32_t mode, unsigned flags, const roma_opts *opts)
{
        BLOCKING(store->loop, roma_aio_mkdir(store, key, mode, flags, opts, ri_wait_done, &w));
        return 0;
}
