/* SPDX-License-Identifier: MIT */
/* The calls of roma/writer.h, and what all kinds of writer have in common: see writer.h. */
#include "core/writer.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/compose.h"
#include "core/crc.h"
#include "core/upload.h"

enum { DIGEST_AHEAD = 4 << 20 };

/* One write, and when it has ended well what it has joined too. */
struct piece {
        struct ri_list link;
        struct ri_op *op; /* NULL once it has ended */
        roma_writer *w;
        const void *data;
        roma_buf *buf; /* counted, or NULL */
        uint64_t offset, len;
        uint32_t crc;
        bool held;   /* not yet given to the backend */
        bool joined; /* bytes that are nowhere in memory: crc is known */
};

/* The end of a writer */

static void writer_free(roma_writer *w)
{
        w->store->loop->stats.writers--;
        ri_digester_free(w->digester);
        free(w->key);
        free(w->upload);
        free(w->named);
        free(w->props);
        free(w->if_match);
        free(w);
}

void ri_writer_gone(roma_writer *w)
{
        roma_store *store = w->store;

        ri_list_del(&w->child.link);
        writer_free(w);
        ri_store_step(store); /* which may be gone now */
}

static void piece_free(struct piece *p)
{
        ri_list_del(&p->link);
        free(p);
}

static void end_pieces(roma_writer *w, const char *why)
{
        struct ri_list *l;

        while ((l = ri_list_first(&w->pieces))) {
                struct piece *p = ri_container_of(l, struct piece, link);

                if (!p->op) {
                        piece_free(p);
                } else {
                        ri_op_abort(p->op, ROMA_ECANCELED, "%s", why);
                }
        }
}

static void writer_abort(roma_writer *w, struct ri_op *op, const struct ri_error *why)
{
        w->state = RI_WRITER_ENDING;
        w->commit = NULL;
        end_pieces(w, "its writer was aborted");
        w->ops->abort(op, w, why);
}

/* The store closes. */
static void child_end(struct ri_child *c, bool now)
{
        roma_writer *w = ri_container_of(c, roma_writer, child);

        if (now) {
                end_pieces(w, "its store was closed");
                w->ops->drop(w);
                ri_list_del(&c->link);
                writer_free(w);
        } else if (w->state == RI_WRITER_OPEN || w->state == RI_WRITER_WAITING) {
                writer_abort(w, NULL, NULL);
        }
}

void ri_writer_expect(roma_writer *w, uint32_t crc)
{
        w->expects = true;
        w->expected = crc;
}

/* Opening */

static void open_settle(struct ri_op *op)
{
        roma_writer *w = op->core;

        op->core = NULL;
        if (op->res.code != ROMA_OK)
                return;
        w->state = RI_WRITER_OPEN;
        op->res.writer = w;
}

static void open_discard(struct ri_op *op)
{
        writer_abort(op->res.writer, NULL, NULL);
        op->res.writer = NULL;
}

static roma_writer *writer_new(roma_store *store, const char *key, const roma_writer_opts *o,
                               const struct ri_writer_ops *ops)
{
        roma_writer *w = calloc(1, sizeof(*w));

        if (!w)
                return NULL;
        w->key = strdup(key);
        w->props = ri_props_copy(o->props, o->n_props);
        if (o->precondition == ROMA_IF_MATCH)
                w->if_match = strdup(o->if_match);
        if (!w->key || !w->props || (o->precondition == ROMA_IF_MATCH && !w->if_match)) {
                free(w->key);
                free(w->props);
                free(w->if_match);
                free(w);
                return NULL;
        }
        w->store = store;
        w->ops = ops ? ops : store->be->flags & RI_FOLDERS ? &ri_folder_writer : store->be->writer;
        w->size_hint = o->size_hint;
        w->precondition = o->precondition;
        w->flags = o->flags;
        if (o->attr)
                memcpy(&w->attr, o->attr, o->attr->size < sizeof(w->attr) ? o->attr->size : sizeof(w->attr));
        w->attr.size = sizeof(w->attr);
        ri_list_init(&w->pieces);
        ri_child_add(store, &w->child, child_end);
        store->loop->stats.writers++;
        return w;
}

static void open_go(struct ri_op *op, roma_writer *w)
{
        op->core = w;
        op->settle = open_settle;
        op->discard = open_discard;
        w->ops->open(op, w);
}

const char *ri_precondition_fault(const roma_store *store, int precondition, const char *if_match, int *code)
{
        *code = ROMA_EINVAL;
        if (precondition != ROMA_ALWAYS && precondition != ROMA_IF_ABSENT && precondition != ROMA_IF_MATCH)
                return "no such precondition";
        /* It becomes a header. */
        if (precondition == ROMA_IF_MATCH &&
            (!if_match || !*if_match || strlen(if_match) > 71 ||
             if_match[strspn(if_match,
                             "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ-_.:+/=")]))
                return "if_match must be an ETag as stat shows it, without quotes";
        *code = ROMA_ENOTSUP;
        if (precondition == ROMA_IF_ABSENT && !(store->be->caps & ROMA_CAP_IF_ABSENT))
                return "this store cannot check atomically whether a name exists";
        if (precondition == ROMA_IF_MATCH && !(store->be->caps & ROMA_CAP_IF_MATCH))
                return "this store cannot check atomically which object it replaces";
        return NULL;
}

static int check_opts(roma_store *store, const char *key, const roma_writer_opts *o)
{
        const uint32_t can =
                ROMA_ATTR_MODE | ROMA_ATTR_UID | ROMA_ATTR_GID | ROMA_ATTR_ATIME | ROMA_ATTR_MTIME;
        const char *fault = NULL;
        int code = ROMA_EINVAL;

        if (!*key)
                fault = "the store's root is no object";
        else if (o->attr && !o->attr->size)
                fault = "the attributes have no size: begin with ROMA_ATTR_INIT";
        else if (o->attr && o->attr->mask & ~can)
                fault = "only mode, uid, gid, atime and mtime can be given";
        else if (!(store->be->flags & RI_FOLDERS) && !store->be->writer)
                fault = "this store cannot be written", code = ROMA_ENOTSUP;
        else
                fault = ri_precondition_fault(store, o->precondition, o->if_match, &code);
        if (!fault)
                return ri_props_check(store, "put", key, o->props, o->n_props);
        ri_loop_error(store->loop, code, "put %s: %s", *key ? key : store->uri, fault);
        return -1;
}

roma_op roma_aio_writer_open(roma_store *store, const char *key, const roma_writer_opts *opts,
                             roma_done *done, void *arg)
{
        roma_writer_opts o = ROMA_WRITER_OPTS_INIT;
        struct ri_op *op;
        roma_writer *w;

        if (opts)
                memcpy(&o, opts, opts->size < sizeof(o) ? opts->size : sizeof(o));
        o.size = sizeof(o);
        if (ri_loop_enter(store->loop) < 0 || ri_key_check(store, "put", key) < 0 ||
            check_opts(store, key, &o) < 0)
                return 0;
        op = ri_op_new(store->loop, store, RI_SINGLE, "put", key, opts, done, arg);
        if (!op)
                return 0;
        w = writer_new(store, key, &o, NULL);
        if (!w) {
                ri_op_fail(op, ROMA_ENOMEM, "no memory for a writer");
                return op->id;
        }
        open_go(op, w);
        return op->id;
}

void ri_writer_open_part(struct ri_op *op, const char *key, const char *id, unsigned number,
                         const roma_writer_opts *o)
{
        roma_writer *w = writer_new(op->store, key, o, op->store->be->upload->part);

        if (w) {
                w->upload = strdup(id);
                w->part = number;
        }
        if (w && w->upload) {
                open_go(op, w);
                return;
        }
        if (w)
                ri_writer_gone(w);
        ri_op_fail(op, ROMA_ENOMEM, "no memory for a writer");
}

/* Writing */

static struct piece *neighbour(roma_writer *w, struct ri_list *l)
{
        return l == &w->pieces ? NULL : ri_container_of(l, struct piece, link);
}

/* a and b lie side by side and are written: a is both then. */
static bool join(struct piece *a, struct piece *b)
{
        if (!a || !b || a->op || b->op || a->offset + a->len != b->offset)
                return false;
        a->crc = ri_crc32_combine(a->crc, b->crc, b->len);
        a->len += b->len;
        piece_free(b);
        return true;
}

/* CRCs are combined in the order of the bytes, whatever order the writes end in. */
static void combine(struct piece *p)
{
        struct piece *before = neighbour(p->w, p->link.prev), *after = neighbour(p->w, p->link.next);

        join(p, after);
        join(before, p);
}

/* Mostly behind the last one, or not far from there. */
static void piece_add(roma_writer *w, struct piece *p)
{
        struct ri_list *at = w->pieces.prev;

        while (at != &w->pieces && ri_container_of(at, struct piece, link)->offset > p->offset)
                at = at->prev;
        ri_list_add_head(at, &p->link);
        w->in_flight++;
}

static void commit_go(roma_writer *w);

static bool is_digesting(const roma_writer *w)
{
        return w->digester && ri_digester_pending(w->digester);
}

static void write_settle(struct ri_op *op)
{
        struct piece *p = op->core;
        roma_writer *w = p->w;
        bool whole = op->res.code == ROMA_OK && op->res.bytes == p->len;

        op->core = NULL;
        p->op = NULL;
        w->in_flight--;
        w->held -= p->held;
        if (whole && p->joined)
                ; /* it came with its CRC */
        else if (whole)
                p->crc = op->res.has_crc32 ? op->res.crc32 : ri_crc32(0, p->data, (size_t)p->len);
        else if (!w->failed.code && op->res.code)
                ri_error_from(&w->failed, &op->res);
        else if (!w->failed.code)
                ri_error_set(&w->failed, ROMA_ESERVERIO, NULL,
                             "only %" PRIu64 " of %" PRIu64 " bytes were written", op->res.bytes, p->len);
        roma_buf_unref(p->buf);
        p->buf = NULL;
        if (whole && p->len)
                combine(p);
        else
                piece_free(p);
        if (w->state != RI_WRITER_WAITING || w->releasing)
                return;
        ri_op_progress(w->commit);
        if (!w->in_flight && !is_digesting(w))
                commit_go(w);
}

/* Digests. They are fed as the writes start; writes wait when the digest is far behind. */

static void piece_go(struct piece *p)
{
        roma_writer *w = p->w;

        if (w->digester && ri_digester_feed(w->digester, p->data, (size_t)p->len) < 0)
                ri_op_fail(p->op, ROMA_ENOMEM, "no memory for the digest");
        else
                w->ops->write(p->op, w, p->data, (size_t)p->len, p->buf, p->offset);
}

static struct piece *first_held(roma_writer *w)
{
        ri_list_for_each(l, &w->pieces)
        {
                struct piece *p = ri_container_of(l, struct piece, link);

                if (p->held && p->op)
                        return p;
        }
        return NULL;
}

static void digest_moved(void *arg)
{
        roma_writer *w = arg;

        w->releasing = true;
        while (w->held && ri_digester_pending(w->digester) < DIGEST_AHEAD) {
                struct piece *p = first_held(w);

                p->held = false;
                w->held--;
                piece_go(p);
        }
        w->releasing = false;
        if (w->state != RI_WRITER_WAITING)
                return;
        ri_op_progress(w->commit);
        if (!w->in_flight && !is_digesting(w))
                commit_go(w);
}

int ri_writer_digest(roma_writer *w, char *(*name)(const roma_writer *w), struct ri_str *err)
{
        w->name = name;
        w->digester = ri_digester_new(w->store->loop, RI_MD5, digest_moved, w, err);
        return w->digester ? 0 : -1;
}

/* The ETag is known here, not by the backend. By then there is no writer any more. */
static void digest_settle(struct ri_op *op)
{
        char *etag = op->core;

        op->core = NULL;
        if (op->res.code == ROMA_OK) {
                snprintf(op->attr.etag, sizeof(op->attr.etag), "%s", etag);
                op->attr.mask |= ROMA_ATTR_ETAG;
                op->res.attr = &op->attr;
        }
        free(etag);
}

/* false: *e says why not. */
static bool digest_end(roma_writer *w, struct ri_op *op, struct ri_error *e)
{
        struct ri_str err = RI_STR_INIT(300);
        int r;

        if (!w->digester)
                return true;
        r = ri_digester_end(w->digester, w->digest, &err);
        if (r < 0)
                ri_error_set(e, ROMA_ESYSTEM, NULL, "%s", ri_str_cstr(&err));
        ri_str_free(&err);
        if (r < 0)
                return false;
        w->named = w->name ? w->name(w) : NULL;
        op->core = strdup(w->digest);
        if (op->core)
                op->settle = digest_settle;
        if ((w->named || !w->name) && op->core)
                return true;
        ri_error_set(e, ROMA_ENOMEM, NULL, "out of memory");
        return false;
}

/* A write that does not even begin is final as well: what follows would take its place. */
static roma_op write_refused(roma_writer *w, struct ri_op *op, int code, const char *why)
{
        const roma_loop *loop = w->store->loop;

        if (!w->failed.code)
                ri_error_set(&w->failed, op ? code : loop->refused.code, NULL, "%s", op ? why : loop->error);
        if (op)
                ri_op_fail(op, code, "%s", why);
        return ri_op_id(op);
}

static roma_op writer_write(roma_writer *w, const void *data, size_t len, roma_buf *buf, uint64_t offset,
                            const roma_opts *opts, roma_done *done, void *arg)
{
        roma_store *store = w->store;
        struct ri_op *op = ri_op_new(store->loop, store, RI_TRANSFER, "write", w->key, opts, done, arg);
        struct piece *p;

        if (!op)
                return write_refused(w, NULL, 0, NULL);
        if (w->failed.code) {
                ri_op_fail(op, w->failed.code, "an earlier write has failed, so only abort is left: %s",
                           w->failed.text);
                return op->id;
        }
        if (len > INT64_MAX - offset)
                return write_refused(w, op, ROMA_EFBIG, "no object is longer than 2^63 bytes");
        p = calloc(1, sizeof(*p));
        if (!p)
                return write_refused(w, op, ROMA_ENOMEM, "no memory for the request");
        *p = (struct piece){ .op = op,
                             .w = w,
                             .data = data,
                             .offset = offset,
                             .len = len,
                             .buf = buf ? roma_buf_ref(buf) : NULL };
        piece_add(w, p);
        op->core = p;
        op->settle = write_settle;
        if (w->next < offset + len)
                w->next = offset + len;
        if (!len) {
                ri_op_finish(op);
        } else if (w->digester && (w->held || ri_digester_pending(w->digester) >= DIGEST_AHEAD)) {
                p->held = true;
                w->held++;
                ri_op_waits(op, "the digest of what came before", NULL);
        } else {
                piece_go(p);
        }
        return op->id;
}

roma_op roma_aio_writer_write(roma_writer *writer, const void *buf, size_t len, const roma_opts *opts,
                              roma_done *done, void *arg)
{
        return writer_write(writer, buf, len, NULL, writer->next, opts, done, arg);
}

roma_op roma_aio_writer_write_buf(roma_writer *writer, roma_buf *buf, const roma_opts *opts, roma_done *done,
                                  void *arg)
{
        return ri_writer_write_at(writer, buf, writer->next, opts, done, arg);
}

roma_op ri_writer_write_at(roma_writer *w, roma_buf *buf, uint64_t offset, const roma_opts *opts,
                           roma_done *done, void *arg)
{
        return writer_write(w, roma_buf_data(buf), roma_buf_len(buf), buf, offset, opts, done, arg);
}

/* Drawing */

bool ri_writer_draws(const roma_writer *w)
{
        return w->ops->draws && !w->digester && !w->next && w->ops->draws(w);
}

roma_op ri_aio_writer_draw(roma_writer *w, struct ri_draw *d, const roma_opts *opts, roma_done *done,
                           void *arg)
{
        struct ri_op *op = ri_op_new(w->store->loop, w->store, RI_TRANSFER, "write", w->key, opts, done, arg);
        struct piece *p = op ? calloc(1, sizeof(*p)) : NULL;

        if (!op)
                return 0;
        if (!p) {
                ri_op_fail(op, ROMA_ENOMEM, "no memory for the request");
                return op->id;
        }
        *p = (struct piece){ .op = op, .w = w, .len = d->length };
        piece_add(w, p);
        op->core = p;
        op->settle = write_settle;
        w->next = d->length;
        w->ops->draw(op, w, d);
        return op->id;
}

/* Joining */

bool ri_writer_can_concat(const roma_writer *w)
{
        const struct ri_backend *be = w->store->be;

        return w->ops->concat && be->file_concat && !w->digester && !w->in_flight &&
               w->next % be->concat_unit == 0;
}

roma_op ri_aio_writer_concat(roma_writer *w, const char *key, uint64_t length, uint32_t crc,
                             const roma_opts *opts, roma_done *done, void *arg)
{
        struct ri_op *op = ri_op_new(w->store->loop, w->store, RI_SINGLE, "join", w->key, opts, done, arg);
        struct piece *p = op ? calloc(1, sizeof(*p)) : NULL;

        if (!op)
                return 0;
        if (!p || w->failed.code || length > INT64_MAX - w->next) {
                free(p);
                ri_op_fail(op, p ? ROMA_EINVAL : ROMA_ENOMEM, "nothing can be joined to it");
                return op->id;
        }
        *p = (struct piece){ .op = op, .w = w, .len = length, .offset = w->next, .crc = crc, .joined = true };
        piece_add(w, p);
        op->core = p;
        op->settle = write_settle;
        w->next += length;
        w->ops->concat(op, w, key, p->offset);
        return op->id;
}

/* Ending */

static void commit_cancel(struct ri_op *op)
{
        writer_abort(op->impl, NULL, NULL);
}

/* What has been written in one piece from the first byte on. */
static void sum_up(roma_writer *w)
{
        struct piece *p;

        while ((p = neighbour(w, w->pieces.next))) {
                if (p->offset == 0) {
                        w->bytes = p->len;
                        w->crc = p->crc;
                }
                piece_free(p);
        }
}

/* All writes have ended. */
static void commit_go(roma_writer *w)
{
        struct ri_op *op = w->commit;
        struct ri_error e;

        sum_up(w);
        w->commit = NULL;
        op->cancel = NULL;
        op->impl = NULL;
        op->res.bytes = w->bytes;
        op->res.crc32 = w->crc;
        op->res.has_crc32 = 1;
        w->state = RI_WRITER_ENDING;
        if (w->failed.code) {
                e = w->failed;
        } else if (w->bytes != w->next) {
                ri_error_set(&e, ROMA_EPROTOCOL, NULL,
                             "of %" PRIu64 " bytes only the first %" PRIu64
                             " are without a gap, so nothing was put; this is a fault of libroma",
                             w->next, w->bytes);
        } else if (w->size_hint != ROMA_SIZE_UNKNOWN && w->size_hint != w->bytes) {
                ri_error_set(&e, ROMA_ESOURCE, NULL,
                             "%" PRIu64 " bytes were announced and %" PRIu64
                             " came, so nothing was put; the source "
                             "is shorter than was said, or changed while it was read",
                             w->size_hint, w->bytes);
        } else if (w->expects && w->expected != w->crc) {
                ri_error_set(&e, ROMA_ECORRUPT, NULL,
                             "the bytes that were written have CRC-32 %08" PRIx32 " and not %08" PRIx32
                             ", so nothing was put; try again",
                             w->crc, w->expected);
        } else if (digest_end(w, op, &e)) {
                w->ops->commit(op, w);
                return;
        }
        w->ops->abort(op, w, &e);
}

roma_op roma_aio_writer_commit(roma_writer *writer, const roma_opts *opts, roma_done *done, void *arg)
{
        if (writer->part_time && writer->state == RI_WRITER_OPEN)
                return ri_upload_part_commit(writer, opts, done, arg);
        return ri_aio_writer_commit(writer, opts, done, arg);
}

roma_op ri_aio_writer_commit(roma_writer *writer, const roma_opts *opts, roma_done *done, void *arg)
{
        roma_store *store = writer->store;
        struct ri_op *op;

        if (ri_loop_enter(store->loop) < 0 || writer->state != RI_WRITER_OPEN)
                return 0;
        op = ri_op_new(store->loop, store, RI_TRANSFER, "put", writer->key, opts, done, arg);
        if (!op) {
                /* The handle is invalid whatever the result. */
                writer_abort(writer, NULL, NULL);
                return 0;
        }
        writer->commit = op;
        writer->state = RI_WRITER_WAITING;
        op->impl = writer;
        op->cancel = commit_cancel;
        ri_op_waits(op, "the writes before it", NULL);
        if (!writer->in_flight && !is_digesting(writer))
                commit_go(writer);
        return op->id;
}

roma_op roma_aio_writer_abort(roma_writer *writer, const roma_opts *opts, roma_done *done, void *arg)
{
        roma_store *store = writer->store;
        struct ri_op *op;

        if (ri_loop_enter(store->loop) < 0 || writer->state != RI_WRITER_OPEN)
                return 0;
        op = ri_op_new(store->loop, store, RI_ENDING, "abort", writer->key, opts, done, arg);
        writer_abort(writer, op, NULL);
        return ri_op_id(op);
}

/* The blocking twins. */

roma_writer *roma_writer_open(roma_store *store, const char *key, const roma_writer_opts *opts)
{
        struct ri_wait w;

        if (ri_wait_begin(&w, store->loop) < 0 ||
            ri_wait(&w, roma_aio_writer_open(store, key, opts, ri_wait_done, &w)) < 0)
                return NULL;
        return store->loop->last->res.writer;
}

int roma_writer_write(roma_writer *writer, const void *buf, size_t len, const roma_opts *opts)
{
        struct ri_wait w;

        if (ri_wait_begin(&w, writer->store->loop) < 0)
                return -1;
        return ri_wait(&w, roma_aio_writer_write(writer, buf, len, opts, ri_wait_done, &w));
}

int roma_writer_commit(roma_writer *writer, const roma_opts *opts)
{
        struct ri_wait w;

        if (ri_wait_begin(&w, writer->store->loop) < 0)
                return -1;
        return ri_wait(&w, roma_aio_writer_commit(writer, opts, ri_wait_done, &w));
}

/* Where nothing may block it only starts the abort. */
void roma_writer_abort(roma_writer *writer)
{
        roma_loop *loop;
        struct ri_wait w;

        if (!writer)
                return;
        loop = writer->store->loop;
        if (loop->hooks->turn && !loop->in_callback && !loop->working && ri_wait_begin(&w, loop) == 0)
                ri_wait(&w, roma_aio_writer_abort(writer, NULL, ri_wait_done, &w));
        else
                roma_aio_writer_abort(writer, NULL, NULL, NULL);
}
