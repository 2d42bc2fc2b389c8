/* SPDX-License-Identifier: MIT */
/* From a reader to a writer: buffers are passed on by reference, several writes are in flight, and at the end what was
 * read is what was written, or nothing is shown.
 *
 * A big object goes to a store with stripes in two lanes: pieces of two stripes come in turns and are written side by
 * side. What can be known of bytes only in their order (a digest, the blocks of all replicas) rules that out. */
#include "core/copy.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/compose.h"
#include "core/crc.h"
#include "core/digester.h"
#include "core/reader.h"
#include "core/writer.h"

/* With lanes less is enough, for a server's window is smaller, and what fits into the processor's cache is cheaper: read
 * by a worker, it is sent from there. A disk of this machine needs little ahead for the same reason. */
enum { IN_FLIGHT = 16 << 20, IN_FLIGHT_LANES = 8 << 20, DISK_AHEAD = 4 << 20 };
enum { DIGEST_AHEAD = 4 << 20, PROGRESS_NS = 100000000, BLOCK = 65536 };
enum { LEAVE_MS = 5000 }; /* how long a failure waits for the removal of what was written */

struct copy {
        struct ri_op *op;
        struct ri_copy_ends ends;
        roma_put_opts opts;
        roma_attr ask; /* opts.attr, copied */
        struct ri_props *props;
        bool carried; /* some of them are the source's */
        char *if_match;
        roma_reader *reader;
        roma_writer *writer;
        roma_op child; /* opening, reading, committing, verifying: one at a time */
        struct ri_list writes;
        uint64_t size; /* ROMA_SIZE_UNKNOWN: not known */
        uint64_t bytes, written, in_flight;
        bool end;     /* the reader is at its end */
        bool has_crc; /* every piece so far came with one */
        uint32_t crc;
        uint64_t stripe;      /* 0: one lane */
        struct stripe *lanes; /* each stripe of the object */
        struct ri_digester *digester;
        char digest[RI_DIGEST_HEX_MAX];
        uint32_t *blocks; /* CRC-32 of each block, the last one padded with zeros: for the replicas */
        size_t n_blocks, cap_blocks;
        uint64_t told_at;
        struct ri_draw draw; /* source NULL: bytes come from the reader */
        struct ri_task teller;
        struct ri_child guard; /* in ends.from */
        struct leaving *leaving;
};

/* A copy that has failed, and says so when what it wrote is gone. Outlives a copy that is cancelled meanwhile. */
struct leaving {
        struct copy *c; /* NULL: nobody waits any more */
        struct ri_error error;
};

/* Of its bytes that were read, which are the first ones. */
struct stripe {
        uint64_t len;
        uint32_t crc;
};

struct write {
        struct ri_list link;
        struct copy *c;
        roma_op op;
        uint64_t len;
};

static void move(struct copy *c);

/* Ending */

static void copy_stop(struct copy *c)
{
        struct ri_list *l;
        roma_loop *loop = c->ends.loop;

        ri_op_drop(loop, c->child);
        c->child = 0;
        while ((l = ri_list_pop(&c->writes))) {
                struct write *w = ri_container_of(l, struct write, link);

                ri_op_drop(loop, w->op);
                free(w);
        }
        ri_task_drop(&c->teller);
        ri_source_unref(c->draw.source);
        c->draw.source = NULL;
        roma_reader_close(c->reader);
        c->reader = NULL;
        ri_digester_free(c->digester);
        c->digester = NULL;
}

static void copy_free(struct copy *c)
{
        copy_stop(c);
        if (c->writer)
                roma_aio_writer_abort(c->writer, NULL, NULL, NULL);
        if (c->leaving)
                c->leaving->c = NULL;
        free(c->blocks);
        free(c->lanes);
        free(c->props);
        free(c->if_match);
        if (c->ends.free)
                c->ends.free(c->ends.arg);
        if (c->ends.from)
                ri_child_gone(c->ends.from, &c->guard);
        free(c);
}

/* The store it reads from closes; the one it writes to has the operation itself. */
static void guard_end(struct ri_child *child, bool now)
{
        struct copy *c = ri_container_of(child, struct copy, guard);

        (void)now;
        ri_op_abort(c->op, ROMA_ECANCELED, "the store it reads from was closed");
}

static void copy_cancel(struct ri_op *op)
{
        copy_free(op->impl);
}

static void left(void *arg, const roma_result *r)
{
        struct leaving *l = arg;
        struct copy *c = l->c;

        (void)r; /* what could not be removed is for gc */
        if (c) {
                c->leaving = NULL;
                ri_op_fail_error(c->op, &l->error);
                copy_free(c);
        }
        free(l);
}

/* Whether something is left to be removed, by a server that still answers. */
static bool can_leave(const struct copy *c, const struct ri_error *e)
{
        return c->writer && !(e->code >= ROMA_ERESOLVE && e->code < ROMA_ENOENT) && e->code != ROMA_ENOMEM;
}

/* Whoever is told of a failure finds nothing of the attempt. */
static void end_badly(struct copy *c, const struct ri_error *e)
{
        roma_opts opts = { sizeof opts, 0, LEAVE_MS };
        struct leaving *l = can_leave(c, e) ? calloc(1, sizeof *l) : NULL;
        roma_writer *w = c->writer;

        c->op->res.bytes = c->written;
        if (l) {
                copy_stop(c);
                l->c = c;
                l->error = *e;
                c->leaving = l;
                c->writer = NULL;
                if (roma_aio_writer_abort(w, &opts, left, l))
                        return;
                c->leaving = NULL;
                free(l);
        }
        ri_op_fail_error(c->op, e);
        copy_free(c);
}

/* The code tells who failed: what a path of this machine refuses is not a server's refusal. */
static int local_code(int code)
{
        return code >= ROMA_ENOENT && code != ROMA_EEXIST && code != ROMA_ECORRUPT ? ROMA_ELOCALIO : code;
}

static void fail_from(struct copy *c, const roma_result *r, bool local)
{
        struct ri_error e;

        ri_error_from(&e, r);
        if (local)
                e.code = local_code(e.code);
        end_badly(c, &e);
}

/* What a destination does not take may be what the source has. */
static void fail_writer(struct copy *c, const struct ri_error *e)
{
        struct ri_error more = *e;
        size_t n = strlen(more.text);

        if (c->carried && c->opts.precondition == ROMA_ALWAYS &&
            (e->code == ROMA_EINVAL || e->code == ROMA_ENOTSUP))
                snprintf(more.text + n, sizeof more.text - n,
                         "; what the source has of metadata can be left out (--no-meta, ROMA_NO_PROPS)");
        end_badly(c, &more);
}

static void fail(struct copy *c, int code, const char *why)
{
        struct ri_error e = { 0 };

        ri_error_set(&e, code, NULL, "%s", why);
        end_badly(c, &e);
}

/* A child that did not start. */
static bool started(struct copy *c, roma_op child)
{
        struct ri_op *op = c->op;

        c->child = ri_adopt(op, child);
        if (child)
                return true;
        ri_fail_start(op);
        copy_free(c);
        return false;
}

/* false: whoever was told has ended the copy. */
static bool progress(struct copy *c, bool last)
{
        roma_loop *loop = c->op->loop;
        const roma_op id = c->op->id;
        const struct ri_op *op;
        uint64_t now;

        if (!c->opts.progress)
                return true;
        now = ri_now();
        if (!last && now - c->told_at < PROGRESS_NS)
                return true;
        c->told_at = now;
        loop->in_callback++; /* some that come here are in none */
        c->opts.progress(c->opts.progress_arg, c->written, c->size);
        loop->in_callback--;
        op = ri_op_find(loop, id);
        return op && !op->finished;
}

/* Verifying, after the commit */

static void finish(struct copy *c)
{
        struct ri_op *op = c->op;

        if (c->digest[0] && ri_op_set_text(op, c->digest, strlen(c->digest)) < 0) {
                copy_free(c);
                return;
        }
        op->res.bytes = c->bytes;
        ri_op_finish(op);
        copy_free(c);
}

static void reread(void *arg, const roma_result *r)
{
        struct copy *c = arg;
        char text[384];

        c->child = 0;
        if (r->code) {
                fail_from(c, r, c->ends.to_path);
        } else if (strcmp(r->text, c->digest) != 0) {
                snprintf(text, sizeof text,
                         "the object read back has %.130s, the source had %.130s: it is damaged; put it "
                         "again, and see "
                         "which replica differs",
                         r->text, c->digest);
                fail(c, ROMA_ECORRUPT, text);
        } else {
                finish(c);
        }
}

static void replicas_told(void *arg, const roma_result *r)
{
        struct copy *c = arg;

        c->child = 0;
        if (r->code)
                fail_from(c, r, false);
        else
                finish(c);
}

static void verify(struct copy *c)
{
        roma_opts opts = ri_child_opts(c->op);

        c->op->outcome = ROMA_DONE;
        /* Servers keep whole blocks. */
        if (c->n_blocks && c->bytes % BLOCK)
                c->blocks[c->n_blocks - 1] =
                        ri_crc32_zeros(c->blocks[c->n_blocks - 1], BLOCK - c->bytes % BLOCK);
        if (c->opts.verify == ROMA_VERIFY_DEFAULT)
                finish(c);
        else if (c->opts.verify == ROMA_REPLICAS)
                started(c, ri_aio_verify_replicas(c->ends.to, c->ends.to_key, c->bytes, c->blocks,
                                                  c->n_blocks, &opts, replicas_told, c));
        else
                started(c, c->ends.hash(c->ends.arg, c->opts.verify, &opts, reread, c));
}

/* Committing */

static void committed(void *arg, const roma_result *r)
{
        struct copy *c = arg;
        struct ri_op *op = c->op;

        c->child = 0;
        if (r->code) {
                op->outcome = r->outcome;
                fail_from(c, r, c->ends.to_path);
                return;
        }
        if (r->attr)
                ri_op_set_attr(op, r->attr);
        op->res.has_crc32 = r->has_crc32;
        op->res.crc32 = r->crc32;
        if (c->opts.verify == ROMA_CRC32)
                snprintf(c->digest, sizeof c->digest, "%08x", r->crc32);
        verify(c);
}

static void join_stripes(struct copy *c)
{
        for (uint64_t i = 0; c->stripe && i * c->stripe < c->size; i++)
                c->crc = ri_crc32_combine(c->crc, c->lanes[i].crc, c->lanes[i].len);
}

static void commit(struct copy *c)
{
        roma_opts opts = ri_child_opts(c->op);
        roma_writer *w = c->writer;
        char text[128];

        join_stripes(c);
        if (c->opts.has_crc32 && c->has_crc && c->crc != c->opts.crc32) {
                snprintf(text, sizeof text,
                         "the source has CRC-32 %08x, %08x was expected; nothing was stored", c->crc,
                         c->opts.crc32);
                fail(c, ROMA_ECORRUPT, text);
                return;
        }
        if (c->has_crc || c->opts.has_crc32)
                ri_writer_expect(w, c->has_crc ? c->crc : c->opts.crc32);
        if (!progress(c, true))
                return;
        c->op->outcome = ROMA_UNKNOWN;
        c->writer = NULL;
        started(c, roma_aio_writer_commit(w, &opts, committed, c));
}

/* Moving */

static int add_blocks(struct copy *c, const unsigned char *p, size_t n)
{
        uint64_t at = c->bytes;

        while (n) {
                size_t in = (size_t)(at % BLOCK), take = BLOCK - in < n ? BLOCK - in : n;

                if (in == 0) {
                        if (c->n_blocks == c->cap_blocks) {
                                size_t cap = c->cap_blocks ? c->cap_blocks * 2 : 64;
                                uint32_t *v = reallocarray(c->blocks, cap, sizeof *v);

                                if (!v)
                                        return -1;
                                c->blocks = v;
                                c->cap_blocks = cap;
                        }
                        c->blocks[c->n_blocks++] = 0;
                }
                c->blocks[c->n_blocks - 1] = ri_crc32(c->blocks[c->n_blocks - 1], p, take);
                p += take;
                at += take;
                n -= take;
        }
        return 0;
}

/* What is to be known of the bytes on their way. -1: out of memory. */
static int look(struct copy *c, const roma_result *r)
{
        const void *p = roma_buf_data(r->buf);
        size_t n = roma_buf_len(r->buf);
        uint32_t *crc = &c->crc;

        if (c->stripe) {
                struct stripe *s = &c->lanes[r->offset / c->stripe];

                crc = &s->crc;
                s->len += n;
        }
        if (!r->has_crc32)
                c->has_crc = false;
        else if (c->has_crc)
                *crc = ri_crc32_combine(*crc, r->crc32, n);
        if (c->opts.verify == ROMA_REPLICAS && add_blocks(c, p, n) < 0)
                return -1;
        if (c->digester && ri_digester_feed(c->digester, p, n) < 0)
                return -1;
        c->bytes += n;
        return 0;
}

static void wrote(void *arg, const roma_result *r)
{
        struct write *w = arg;
        struct copy *c = w->c;

        ri_list_del(&w->link);
        c->in_flight -= w->len;
        c->written += w->len;
        free(w);
        if (r->code) {
                fail_from(c, r, c->ends.to_path);
                return;
        }
        ri_op_progress(c->op);
        if (progress(c, false))
                move(c);
}

/* offset: of the piece, when there are lanes. */
static bool write_start(struct copy *c, roma_buf *buf, uint64_t offset)
{
        struct write *w = calloc(1, sizeof *w);
        roma_opts opts = ri_child_opts(c->op);

        if (!w) {
                fail(c, ROMA_ENOMEM, "out of memory");
                return false;
        }
        w->c = c;
        w->len = roma_buf_len(buf);
        w->op = ri_adopt(c->op, c->stripe ? ri_writer_write_at(c->writer, buf, offset, &opts, wrote, w)
                                          : roma_aio_writer_write_buf(c->writer, buf, &opts, wrote, w));
        if (!w->op) {
                struct ri_op *op = c->op;

                free(w);
                ri_fail_start(op);
                copy_free(c);
                return false;
        }
        c->in_flight += w->len;
        ri_list_add_tail(&c->writes, &w->link);
        return true;
}

static void got(void *arg, const roma_result *r)
{
        struct copy *c = arg;
        bool ok;

        c->child = 0;
        if (r->code) {
                fail_from(c, r, c->ends.from_path);
                return;
        }
        ri_op_progress(c->op);
        if (!r->buf) {
                c->end = true;
                move(c);
                return;
        }
        if (look(c, r) < 0) {
                roma_buf_unref(r->buf);
                fail(c, ROMA_ENOMEM, "out of memory");
                return;
        }
        ok = write_start(c, r->buf, r->offset);
        roma_buf_unref(r->buf);
        if (ok)
                move(c);
}

static void digested(struct copy *c)
{
        struct ri_str err = RI_STR_INIT(RI_STR_MAX_ERROR);
        int r = ri_digester_end(c->digester, c->digest, &err);

        ri_digester_free(c->digester);
        c->digester = NULL;
        if (r < 0)
                fail(c, ROMA_ESYSTEM, ri_str_cstr(&err));
        else
                commit(c);
        ri_str_free(&err);
}

static void move(struct copy *c)
{
        roma_opts opts = ri_child_opts(c->op);

        if (c->child || !c->writer || c->draw.source)
                return;
        if (!c->end) {
                if (c->in_flight < (c->stripe ? IN_FLIGHT_LANES : IN_FLIGHT) &&
                    (!c->digester || ri_digester_pending(c->digester) < DIGEST_AHEAD))
                        started(c, roma_aio_reader_next(c->reader, &opts, got, c));
                return;
        }
        if (c->in_flight || !ri_list_empty(&c->writes) || (c->digester && ri_digester_pending(c->digester)))
                return;
        if (c->digester)
                digested(c);
        else
                commit(c);
}

static void digest_moved(void *arg)
{
        struct copy *c = arg;

        ri_op_progress(c->op);
        move(c);
}

/* Drawing: the writer reads the source itself, and the reader tells at the end whether it is still what it was. */

static void tell(struct ri_task *t)
{
        progress(ri_container_of(t, struct copy, teller), false);
}

static void drawn_moved(struct ri_draw *d, uint64_t bytes)
{
        struct copy *c = ri_container_of(d, struct copy, draw);

        c->written += bytes;
        if (c->opts.progress)
                ri_task_queue(c->ends.loop, &c->teller);
}

static void drawn(void *arg, const roma_result *r)
{
        struct copy *c = arg;

        c->child = 0;
        if (r->code && c->draw.failed.code) {
                if (c->ends.from_path)
                        c->draw.failed.code = local_code(c->draw.failed.code);
                end_badly(c, &c->draw.failed);
        } else if (r->code) {
                fail_from(c, r, c->ends.to_path);
        } else {
                ri_source_unref(c->draw.source);
                c->draw.source = NULL;
                c->bytes = c->written = r->bytes;
                c->crc = r->crc32;
                move(c);
        }
}

/* What needs the bytes here as they go by rules it out. false: nothing has happened. */
static bool draw_start(struct copy *c)
{
        roma_opts opts = ri_child_opts(c->op);
        const roma_reader *r = c->reader;

        if (c->size == ROMA_SIZE_UNKNOWN || c->digester || c->opts.verify == ROMA_REPLICAS ||
            !r->ops->source || !ri_writer_draws(c->writer))
                return false;
        c->draw.source = r->ops->source(c->reader, &c->draw.offset, &c->draw.length);
        if (!c->draw.source)
                return false;
        c->draw.name = r->object;
        c->draw.moved = drawn_moved;
        c->teller.run = tell;
        started(c, ri_aio_writer_draw(c->writer, &c->draw, &opts, drawn, c));
        return true;
}

/* Opening */

/* Two lanes, where that helps and nothing speaks against it. */
static void lanes_start(struct copy *c)
{
        uint64_t stripe = ri_writer_any_order(c->writer) ? c->writer->store->be->stripe : 0;

        if (!stripe || c->size == ROMA_SIZE_UNKNOWN || c->size <= stripe || c->digester ||
            c->opts.verify == ROMA_REPLICAS || !c->reader->ops->lanes)
                return;
        c->lanes = calloc((size_t)((c->size - 1) / stripe + 1), sizeof *c->lanes);
        if (c->lanes && c->reader->ops->lanes(c->reader, stripe))
                c->stripe = stripe;
}

static void writer_opened(void *arg, const roma_result *r)
{
        struct copy *c = arg;

        c->child = 0;
        if (r->code && !c->ends.to_path) {
                struct ri_error e;

                ri_error_from(&e, r);
                fail_writer(c, &e);
                return;
        }
        if (r->code) {
                fail_from(c, r, true);
                return;
        }
        c->writer = r->writer;
        /* The commit decides; but what is there already need not be sent first. */
        if (c->opts.precondition == ROMA_IF_ABSENT && c->writer->exists) {
                fail(c, ROMA_EEXIST,
                     "there is an object of this name already, and it was to be put only if absent");
                return;
        }
        /* A pipe would be waited for, for ever, and standard output read from standard input. */
        if (c->opts.verify != ROMA_VERIFY_DEFAULT && ri_writer_in_place(c->writer)) {
                fail(c, ROMA_ENOTSUP,
                     "it is written in place (a pipe, a terminal, a device): it cannot be read again and "
                     "verified");
                return;
        }
        c->has_crc = true;
        c->told_at = ri_now();
        if (draw_start(c))
                return;
        lanes_start(c);
        move(c);
}

static bool digester_start(struct copy *c)
{
        struct ri_str err = RI_STR_INIT(RI_STR_MAX_ERROR);

        if (c->opts.verify != ROMA_MD5 && c->opts.verify != ROMA_SHA256)
                return true;
        c->digester = ri_digester_new(c->ends.loop, c->opts.verify == ROMA_MD5 ? RI_MD5 : RI_SHA256,
                                      digest_moved, c, &err);
        if (!c->digester)
                fail(c, ROMA_ESYSTEM, ri_str_cstr(&err));
        ri_str_free(&err);
        return c->digester != NULL;
}

/* A copy between stores that keep headers and metadata has them too. */
static int carry_props(struct copy *c, const roma_result *r)
{
        bool timed = c->opts.attr && c->opts.attr->mask & ROMA_ATTR_MTIME;
        struct ri_props *p;

        if (!r->n_props || !c->ends.to || !(c->ends.to->be->caps & ROMA_CAP_PROPS))
                return 0;
        p = ri_props_for_copy(r->props, r->n_props, c->props, timed, c->opts.flags & ROMA_NO_PROPS);
        if (!p)
                return -1;
        c->carried = p->n > c->props->n;
        free(c->props);
        c->props = p;
        return 0;
}

static void writer_start(struct copy *c, const roma_writer_opts *w)
{
        const roma_result *r = &c->ends.loop->refused;
        roma_op child = c->ends.writer(c->ends.arg, w, writer_opened, c);
        struct ri_error e;

        if (child || !r->code) {
                started(c, child);
                return;
        }
        ri_error_set(&e, r->code, NULL, "%s", c->ends.loop->error);
        fail_writer(c, &e);
}

static void reader_opened(void *arg, const roma_result *r)
{
        struct copy *c = arg;
        roma_writer_opts w = ROMA_WRITER_OPTS_INIT;
        roma_attr attr = ROMA_ATTR_INIT;

        c->child = 0;
        if (r->code) {
                fail_from(c, r, c->ends.from_path);
                return;
        }
        c->reader = r->reader;
        if (carry_props(c, r) < 0) {
                fail(c, ROMA_ENOMEM, "out of memory");
                return;
        }
        c->size = r->attr->mask & ROMA_ATTR_LENGTH ? r->attr->length : c->opts.size_hint;
        w.stall_ms = c->op->stall_ms;
        w.deadline_ms = ROMA_NEVER;
        w.size_hint = c->size;
        w.precondition = c->opts.precondition;
        w.flags = c->opts.flags & ~(unsigned)ROMA_NO_PROPS;
        w.props = c->props->v;
        w.n_props = c->props->n;
        w.if_match = c->if_match;
        if (c->opts.keep_times) {
                attr = *r->attr;
                attr.mask &= ROMA_ATTR_MTIME | ROMA_ATTR_MODE;
        }
        if (c->opts.attr) {
                if (c->opts.attr->mask & ROMA_ATTR_MODE)
                        attr.mode = c->opts.attr->mode;
                if (c->opts.attr->mask & ROMA_ATTR_UID)
                        attr.uid = c->opts.attr->uid;
                if (c->opts.attr->mask & ROMA_ATTR_GID)
                        attr.gid = c->opts.attr->gid;
                if (c->opts.attr->mask & ROMA_ATTR_ATIME)
                        attr.atime_ns = c->opts.attr->atime_ns;
                if (c->opts.attr->mask & ROMA_ATTR_MTIME)
                        attr.mtime_ns = c->opts.attr->mtime_ns;
                attr.mask |= c->opts.attr->mask;
        }
        w.attr = attr.mask ? &attr : NULL;
        if (digester_start(c))
                writer_start(c, &w);
}

static const char *verify_fault(const struct copy *c)
{
        switch (c->opts.verify) {
        case ROMA_VERIFY_DEFAULT: return NULL;
        case ROMA_REPLICAS:
                return c->ends.to && c->ends.to->be->verify_replicas
                               ? NULL
                               : "the destination has no replicas to verify";
        case ROMA_MD5:
        case ROMA_SHA256:
        case ROMA_CRC32:
                return c->ends.hash ? NULL : "the destination cannot be read again, so it cannot be verified";
        default: return "there is no such way to verify";
        }
}

roma_op ri_copy_start(const struct ri_copy_ends *ends, const char *name, const char *object,
                      const roma_put_opts *opts, roma_done *done, void *arg)
{
        struct ri_op *op = ri_op_new(ends->loop, ends->store, RI_TRANSFER, name, object, opts, done, arg);
        struct copy *c = op ? calloc(1, sizeof *c) : NULL;
        roma_reader_opts r = ROMA_READER_OPTS_INIT;
        const roma_put_opts none = ROMA_PUT_OPTS_INIT;
        roma_op id = ri_op_id(op);
        bool no_size = false;
        const char *fault;

        if (!c) {
                if (op)
                        ri_op_fail(op, ROMA_ENOMEM, "out of memory");
                if (ends->free)
                        ends->free(ends->arg);
                return id;
        }
        c->op = op;
        c->ends = *ends;
        c->opts = none;
        if (opts)
                memcpy(&c->opts, opts, opts->size < sizeof c->opts ? opts->size : sizeof c->opts);
        if (c->opts.verify == ROMA_STREAMED)
                c->opts.verify = ROMA_CRC32;
        if (c->opts.attr) {
                const roma_attr *a = c->opts.attr;

                no_size = !a->size;
                memcpy(&c->ask, a, a->size < sizeof c->ask ? a->size : sizeof c->ask);
                c->ask.size = sizeof c->ask;
                c->opts.attr = &c->ask;
        }
        c->props = ri_props_copy(c->opts.props, c->opts.n_props);
        c->if_match = strdup(c->opts.if_match ? c->opts.if_match : "");
        ri_list_init(&c->writes);
        if (c->ends.from)
                ri_child_add(c->ends.from, &c->guard, guard_end);
        ri_compose(op, c, copy_cancel);
        r.stall_ms = op->stall_ms;
        r.deadline_ms = ROMA_NEVER;
        if (c->ends.from_path)
                r.ahead = DISK_AHEAD;
        fault = verify_fault(c);
        r.if_match = c->opts.source_match;
        r.if_none_match = c->opts.source_none_match;
        r.known = c->opts.source_known;
        if (!c->props || !c->if_match)
                fail(c, ROMA_ENOMEM, "out of memory");
        else if (no_size)
                fail(c, ROMA_EINVAL, "the attributes have no size: begin with ROMA_ATTR_INIT");
        else if (fault)
                fail(c, ROMA_ENOTSUP, fault);
        else
                started(c, ends->reader(ends->arg, &r, reader_opened, c));
        return id;
}

/* Any store to any store */

struct pair {
        roma_store *from, *to;
        char *from_key, *to_key;
};

static void pair_free(void *arg)
{
        struct pair *p = arg;

        free(p->from_key);
        free(p->to_key);
        free(p);
}

static roma_op pair_reader(void *arg, const roma_reader_opts *opts, roma_done *done, void *done_arg)
{
        struct pair *p = arg;

        return roma_aio_reader_open(p->from, p->from_key, opts, done, done_arg);
}

static roma_op pair_writer(void *arg, const roma_writer_opts *opts, roma_done *done, void *done_arg)
{
        struct pair *p = arg;

        return roma_aio_writer_open(p->to, p->to_key, opts, done, done_arg);
}

static roma_op pair_hash(void *arg, int algorithm, const roma_opts *opts, roma_done *done, void *done_arg)
{
        struct pair *p = arg;

        return roma_aio_hash(p->to, p->to_key, algorithm, opts, done, done_arg);
}

/* Within one server */

struct inside {
        struct ri_op *op;
        roma_store *from;
        struct ri_child guard; /* in `from` */
};

static void inside_settle(struct ri_op *op)
{
        struct inside *i = op->core;

        op->core = NULL;
        ri_child_gone(i->from, &i->guard);
        free(i);
}

static void inside_end(struct ri_child *child, bool now)
{
        struct inside *i = ri_container_of(child, struct inside, guard);

        (void)now;
        ri_op_abort(i->op, ROMA_ECANCELED, "the store it reads from was closed");
}

/* What must be done with the bytes, or decided with them, needs them here. */
static bool stays_inside(roma_store *from, roma_store *to, const roma_copy_opts *o)
{
        return to->be->copy && from->be->copy == to->be->copy && o->precondition == ROMA_ALWAYS &&
               (o->verify == ROMA_VERIFY_DEFAULT || o->verify == ROMA_STREAMED) && !o->has_crc32 &&
               !(o->attr && o->attr->mask) && to->be->can_copy(from, to);
}

static roma_op copy_inside(roma_store *from, const char *from_key, roma_store *to, const char *to_key,
                           const roma_copy_opts *o, roma_done *done, void *arg)
{
        struct inside *i;
        struct ri_op *op;

        if (from->closing) {
                ri_loop_error(to->loop, ROMA_ECANCELED, "copy: the store %s is closed", from->uri);
                return 0;
        }
        if (ri_props_check(to, "copy", to_key, o->props, o->n_props) < 0)
                return 0;
        op = ri_op_new(to->loop, to, RI_TRANSFER, "copy", to_key, o, done, arg);
        if (!op)
                return 0;
        i = calloc(1, sizeof *i);
        if (!i) {
                ri_op_fail(op, ROMA_ENOMEM, "out of memory");
                return op->id;
        }
        ri_op_changes(op);
        i->op = op;
        i->from = from;
        ri_child_add(from, &i->guard, inside_end);
        op->core = i;
        op->settle = inside_settle;
        to->be->copy(op, from, from_key, to_key, o);
        return op->id;
}

roma_op roma_aio_copy(roma_store *from, const char *from_key, roma_store *to, const char *to_key,
                      const roma_copy_opts *opts, roma_done *done, void *arg)
{
        struct ri_copy_ends ends = { .loop = to->loop,
                                     .store = to,
                                     .reader = pair_reader,
                                     .writer = pair_writer,
                                     .hash = pair_hash,
                                     .to = to,
                                     .free = pair_free };
        roma_copy_opts o = ROMA_COPY_OPTS_INIT;
        struct pair *p;

        if (ri_loop_enter(to->loop) < 0 || ri_key_check(from, "copy", from_key) < 0 ||
            ri_key_check(to, "copy", to_key) < 0)
                return 0;
        if (from->loop != to->loop) {
                ri_loop_error(to->loop, ROMA_EINVAL, "copy: both stores must belong to one loop");
                return 0;
        }
        if (opts)
                memcpy(&o, opts, opts->size < sizeof o ? opts->size : sizeof o);
        if (stays_inside(from, to, &o))
                return copy_inside(from, from_key, to, to_key, &o, done, arg);
        p = calloc(1, sizeof *p);
        if (p) {
                p->from = from;
                p->to = to;
                p->from_key = strdup(from_key);
                p->to_key = strdup(to_key);
        }
        if (!p || !p->from_key || !p->to_key) {
                if (p)
                        pair_free(p);
                ri_loop_error(to->loop, ROMA_ENOMEM, "copy: out of memory");
                return 0;
        }
        ends.from = from != to ? from : NULL;
        ends.arg = p;
        ends.to_key = p->to_key;
        return ri_copy_start(&ends, "copy", to_key, opts, done, arg);
}

int roma_copy(roma_store *from, const char *from_key, roma_store *to, const char *to_key,
              const roma_copy_opts *opts, roma_result *result)
{
        struct ri_wait w;
        int r;

        if (ri_wait_begin(&w, to->loop) < 0)
                return -1;
        r = ri_wait(&w, roma_aio_copy(from, from_key, to, to_key, opts, ri_wait_done, &w));
        if (result)
                *result = *roma_last(to->loop);
        return r;
}
