/* SPDX-License-Identifier: MIT */
/* The calls of roma/upload.h: checks, then the store's own uploads or the generic way. */
#include "core/upload.h"

#include <stdlib.h>
#include <string.h>

#include "core/copy.h"
#include "core/local.h"
#include "core/reader.h"

enum { MOST_LISTED = 1000 };

static int check(roma_store *store, const char *name, const char *key, const char *id, bool with_id)
{
        if (ri_loop_enter(store->loop) < 0 || ri_key_check(store, name, key) < 0)
                return -1;
        if (!*key) {
                ri_loop_error(store->loop, ROMA_EINVAL, "%s %s: the store's root is no object", name,
                              store->uri);
                return -1;
        }
        if (!with_id || (store->be->upload ? id && *id && strlen(id) < 1024 : ri_upload_id_ok(id)))
                return 0;
        ri_loop_error(store->loop, id && *id ? ROMA_ENOENT : ROMA_EINVAL, "%s %s: %s", name, key,
                      id && *id ? "this store gives no such ids to uploads"
                                : "the id of an upload is missing");
        return -1;
}

static int check_number(roma_store *store, const char *key, unsigned number)
{
        if (number >= 1 && number <= ROMA_MAX_PARTS)
                return 0;
        ri_loop_error(store->loop, ROMA_EINVAL, "upload %s: parts have numbers from 1 to %d, not %u", key,
                      ROMA_MAX_PARTS, number);
        return -1;
}

roma_op roma_aio_upload_begin(roma_store *store, const char *key, const roma_upload_opts *opts,
                              roma_done *done, void *arg)
{
        roma_upload_opts o = ROMA_UPLOAD_OPTS_INIT;
        roma_attr attr = ROMA_ATTR_INIT;
        struct ri_op *op;

        if (opts)
                memcpy(&o, opts, opts->size < sizeof(o) ? opts->size : sizeof(o));
        if (o.attr) {
                memcpy(&attr, o.attr, o.attr->size < sizeof(attr) ? o.attr->size : sizeof(attr));
                attr.mask &= ROMA_ATTR_MODE | ROMA_ATTR_MTIME;
                o.attr = &attr;
        }
        if (check(store, "upload", key, NULL, false) < 0 ||
            ri_props_check(store, "upload", key, o.props, o.n_props) < 0)
                return 0;
        op = ri_op_new(store->loop, store, RI_SINGLE, "upload", key, opts, done, arg);
        if (!op)
                return 0;
        ri_op_changes(op);
        if (store->be->upload)
                store->be->upload->begin(op, key, &o);
        else if (store->be->flags & RI_FOLDERS || store->be->gc)
                ri_upload_begin(op, key, &o);
        else
                ri_op_fail(op, ROMA_ENOTSUP, "a %s store has no uploads, since nothing could collect them",
                           store->be->name);
        return op->id;
}

roma_op roma_aio_upload_part_open(roma_store *store, const char *key, const char *id, unsigned number,
                                  const roma_writer_opts *opts, roma_done *done, void *arg)
{
        roma_writer_opts o = ROMA_WRITER_OPTS_INIT;
        struct ri_op *op;

        if (opts)
                memcpy(&o, opts, opts->size < sizeof(o) ? opts->size : sizeof(o));
        o.size = sizeof(o);
        o.precondition = ROMA_ALWAYS;
        o.flags = 0;
        o.attr = NULL;
        o.props = NULL;
        o.n_props = 0;
        if (check(store, "upload", key, id, true) < 0 || check_number(store, key, number) < 0)
                return 0;
        op = ri_op_new(store->loop, store, RI_SINGLE, "upload", key, opts, done, arg);
        if (!op)
                return 0;
        if (store->be->upload)
                ri_writer_open_part(op, key, id, number, &o);
        else
                ri_upload_part_open(op, key, id, number, o.size_hint);
        return op->id;
}

void roma_upload_part_limits(roma_store *store, uint64_t *least, uint64_t *most)
{
        uint64_t from = 1, to = UINT64_MAX;

        if (store->be->upload)
                store->be->upload->limits(store, &from, &to);
        if (least)
                *least = from;
        if (most)
                *most = to;
}

roma_op roma_aio_upload_parts(roma_store *store, const char *key, const char *id, const roma_opts *opts,
                              roma_done *done, void *arg)
{
        struct ri_op *op;

        if (check(store, "parts", key, id, true) < 0)
                return 0;
        op = ri_op_new(store->loop, store, RI_TRANSFER, "parts", key, opts, done, arg);
        if (!op)
                return 0;
        if (store->be->upload)
                store->be->upload->parts(op, key, id);
        else
                ri_upload_parts(op, key, id);
        return op->id;
}

roma_op roma_aio_upload_list(roma_store *store, const char *prefix, const char *after, unsigned max,
                             const roma_opts *opts, roma_done *done, void *arg)
{
        struct ri_op *op;

        prefix = prefix ? prefix : "";
        if (ri_loop_enter(store->loop) < 0)
                return 0;
        op = ri_op_new(store->loop, store, RI_TRANSFER, "uploads", prefix, opts, done, arg);
        if (!op)
                return 0;
        max = max && max < MOST_LISTED ? max : MOST_LISTED;
        if (store->be->upload)
                store->be->upload->list(op, prefix, after, max);
        else
                ri_upload_list(op, prefix, after, max);
        return op->id;
}

static int check_parts(roma_store *store, const char *key, const roma_part *parts, size_t count)
{
        const char *fault = NULL;

        if (!count || count > ROMA_MAX_PARTS)
                fault = "it is made of 1 to 10000 parts";
        for (size_t i = 0; !fault && i < count; i++)
                if (!parts[i].number || parts[i].number > ROMA_MAX_PARTS)
                        fault = "parts have numbers from 1 to 10000";
                else if (i && parts[i].number <= parts[i - 1].number)
                        fault = "parts are named in ascending order, each once";
                else if (!parts[i].etag || !*parts[i].etag || strlen(parts[i].etag) > 70)
                        fault = "each part is named with its ETag";
        if (!fault)
                return 0;
        ri_loop_error(store->loop, ROMA_EINVAL, "complete %s: %s", key, fault);
        return -1;
}

static int check_precondition(roma_store *store, const char *key, const roma_complete_opts *o)
{
        int code;
        const char *fault = ri_precondition_fault(store, o->precondition, o->if_match, &code);

        if (!fault)
                return 0;
        ri_loop_error(store->loop, code, "complete %s: %s", key, fault);
        return -1;
}

roma_op roma_aio_upload_complete(roma_store *store, const char *key, const char *id, const roma_part *parts,
                                 size_t count, const roma_complete_opts *opts, roma_done *done, void *arg)
{
        roma_complete_opts o = ROMA_COMPLETE_OPTS_INIT;
        struct ri_op *op;

        if (opts)
                memcpy(&o, opts, opts->size < sizeof(o) ? opts->size : sizeof(o));
        if (check(store, "complete", key, id, true) < 0 || check_parts(store, key, parts, count) < 0 ||
            check_precondition(store, key, &o) < 0)
                return 0;
        op = ri_op_new(store->loop, store, RI_TRANSFER, "complete", key, opts, done, arg);
        if (!op)
                return 0;
        ri_op_changes(op);
        if (store->be->upload)
                store->be->upload->complete(op, key, id, parts, count, &o);
        else
                ri_upload_complete(op, key, id, parts, count, &o);
        return op->id;
}

roma_op roma_aio_upload_abort(roma_store *store, const char *key, const char *id, const roma_opts *opts,
                              roma_done *done, void *arg)
{
        struct ri_op *op;

        if (check(store, "abort", key, id, true) < 0)
                return 0;
        op = ri_op_new(store->loop, store, RI_TRANSFER, "abort", key, opts, done, arg);
        if (!op)
                return 0;
        ri_op_changes(op);
        if (store->be->upload)
                store->be->upload->abort(op, key, id);
        else
                ri_upload_abort(op, key, id);
        return op->id;
}

/* Parts from memory and from files: copies whose writer is that of the part. */

struct part_ends {
        roma_store *store;
        char *key, *id, *path;
        unsigned number;
        uint64_t offset, length;
        const void *data;
};

static void ends_free(void *arg)
{
        struct part_ends *e = arg;

        free(e->key);
        free(e->id);
        free(e->path);
        free(e);
}

static struct part_ends *ends_new(roma_store *store, const char *key, const char *id, unsigned number,
                                  const char *path)
{
        struct part_ends *e = calloc(1, sizeof(*e));

        if (e) {
                e->store = store;
                e->key = strdup(key);
                e->id = strdup(id);
                e->number = number;
                e->path = path ? strdup(path) : NULL;
        }
        if (e && e->key && e->id && (!path || e->path))
                return e;
        if (e)
                ends_free(e);
        ri_loop_error(store->loop, ROMA_ENOMEM, "no memory for a part");
        return NULL;
}

static roma_op to_part(void *arg, const roma_writer_opts *opts, roma_done *done, void *done_arg)
{
        struct part_ends *e = arg;
        roma_writer_opts o = *opts;

        /* Of the file only a piece is read. */
        if (e->path && e->length != ROMA_SIZE_UNKNOWN)
                o.size_hint = e->length;
        else if (e->path && o.size_hint != ROMA_SIZE_UNKNOWN)
                o.size_hint = o.size_hint > e->offset ? o.size_hint - e->offset : 0;
        return roma_aio_upload_part_open(e->store, e->key, e->id, e->number, &o, done, done_arg);
}

static roma_op from_range(void *arg, const roma_reader_opts *opts, roma_done *done, void *done_arg)
{
        struct part_ends *e = arg;
        roma_reader_opts o = *opts;

        o.offset = e->offset;
        o.length = e->length;
        return ri_aio_local_reader_open(e->store, e->path, &o, done, done_arg);
}

static roma_op from_memory(void *arg, const roma_reader_opts *opts, roma_done *done, void *done_arg)
{
        struct part_ends *e = arg;

        return ri_aio_memory_reader_open(e->store, e->data, (size_t)e->length, opts, done, done_arg);
}

/* What is not for a part is left out. */
static roma_put_opts part_opts(const roma_put_opts *opts)
{
        roma_put_opts o = ROMA_PUT_OPTS_INIT;

        if (opts)
                memcpy(&o, opts, opts->size < sizeof(o) ? opts->size : sizeof(o));
        o.size = sizeof(o);
        o.verify = ROMA_VERIFY_DEFAULT;
        o.precondition = ROMA_ALWAYS;
        o.flags = 0;
        o.keep_times = 0;
        o.attr = NULL;
        o.props = NULL;
        o.n_props = 0;
        o.source_match = o.source_none_match = NULL;
        o.source_known = NULL;
        return o;
}

roma_op roma_aio_upload_part(roma_store *store, const char *key, const char *id, unsigned number,
                             const void *buf, size_t len, const roma_put_opts *opts, roma_done *done,
                             void *arg)
{
        const roma_put_opts o = part_opts(opts);
        struct ri_copy_ends c = { .loop = store->loop,
                                  .store = store,
                                  .reader = from_memory,
                                  .writer = to_part,
                                  .free = ends_free };
        struct part_ends *e;

        if (check(store, "upload", key, id, true) < 0 || check_number(store, key, number) < 0)
                return 0;
        e = ends_new(store, key, id, number, NULL);
        if (!e)
                return 0;
        e->data = buf;
        e->length = len;
        c.arg = e;
        return ri_copy_start(&c, "upload", key, &o, done, arg);
}

roma_op roma_aio_upload_part_path(roma_store *store, const char *key, const char *id, unsigned number,
                                  const char *path, uint64_t offset, uint64_t length,
                                  const roma_put_opts *opts, roma_done *done, void *arg)
{
        const roma_put_opts o = part_opts(opts);
        struct ri_copy_ends c = { .loop = store->loop,
                                  .store = store,
                                  .reader = from_range,
                                  .writer = to_part,
                                  .from_path = true,
                                  .free = ends_free };
        struct part_ends *e;

        if (check(store, "upload", key, id, true) < 0 || check_number(store, key, number) < 0)
                return 0;
        if (!path || !*path) {
                ri_loop_error(store->loop, ROMA_EINVAL, "upload %s: no local path is given", key);
                return 0;
        }
        e = ends_new(store, key, id, number, path);
        if (!e)
                return 0;
        e->offset = offset;
        e->length = length;
        c.arg = e;
        return ri_copy_start(&c, "upload", key, &o, done, arg);
}

/* The blocking twins. */

#define BLOCKING(store_, call)                                                      \
        do {                                                                        \
                struct ri_wait w;                                                   \
                if (ri_wait_begin(&w, (store_)->loop) < 0 || ri_wait(&w, call) < 0) \
                        return -1;                                                  \
                return 0;                                                           \
        } while (0)

int roma_upload_begin(roma_store *store, const char *key, const roma_upload_opts *opts)
{
        BLOCKING(store, roma_aio_upload_begin(store, key, opts, ri_wait_done, &w));
}

roma_writer *roma_upload_part_open(roma_store *store, const char *key, const char *id, unsigned number,
                                   const roma_writer_opts *opts)
{
        struct ri_wait w;

        if (ri_wait_begin(&w, store->loop) < 0 ||
            ri_wait(&w, roma_aio_upload_part_open(store, key, id, number, opts, ri_wait_done, &w)) < 0)
                return NULL;
        return store->loop->last->res.writer;
}

int roma_upload_part(roma_store *store, const char *key, const char *id, unsigned number, const void *buf,
                     size_t len, const roma_put_opts *opts)
{
        BLOCKING(store, roma_aio_upload_part(store, key, id, number, buf, len, opts, ri_wait_done, &w));
}

int roma_upload_part_path(roma_store *store, const char *key, const char *id, unsigned number,
                          const char *path, uint64_t offset, uint64_t length, const roma_put_opts *opts)
{
        BLOCKING(store, roma_aio_upload_part_path(store, key, id, number, path, offset, length, opts,
                                                  ri_wait_done, &w));
}

int roma_upload_parts(roma_store *store, const char *key, const char *id, const roma_opts *opts)
{
        BLOCKING(store, roma_aio_upload_parts(store, key, id, opts, ri_wait_done, &w));
}

int roma_upload_list_page(roma_store *store, const char *prefix, const char *after, unsigned max,
                          const roma_opts *opts)
{
        BLOCKING(store, roma_aio_upload_list(store, prefix, after, max, opts, ri_wait_done, &w));
}

int roma_upload_complete(roma_store *store, const char *key, const char *id, const roma_part *parts,
                         size_t count, const roma_complete_opts *opts)
{
        BLOCKING(store, roma_aio_upload_complete(store, key, id, parts, count, opts, ri_wait_done, &w));
}

int roma_upload_abort(roma_store *store, const char *key, const char *id, const roma_opts *opts)
{
        BLOCKING(store, roma_aio_upload_abort(store, key, id, opts, ri_wait_done, &w));
}
