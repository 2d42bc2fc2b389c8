/* SPDX-License-Identifier: MIT */
/* A reader over an open file: pieces are asked for ahead, in order, as far as `ahead` and the loop's budget allow, and
 * handed out in the order they were asked for: that of the file or, with two lanes, one piece of each lane in turns. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/compose.h"
#include "core/reader.h"

enum { AHEAD = 8 << 20, LANES = 2, SUM_AHEAD = 4 << 20 };

struct file_reader;

struct piece {
        struct ri_list link;
        struct file_reader *r;
        struct ri_buf_wait wait;
        roma_buf *buf;
        roma_op op;
        uint64_t offset;
        size_t len;
        bool ready;
        bool has_crc;
        uint32_t crc;
        struct ri_error error; /* code 0: none */
};

/* What is asked for in order. */
struct lane {
        uint64_t at, end; /* next byte to ask for; behind the last one */
};

struct file_reader {
        roma_reader base;
        roma_file *file;
        struct lane lane[LANES];
        unsigned lanes, turn;
        uint64_t fresh, end;   /* no lane has what lies between; end of the range */
        uint64_t stripe;       /* a lane that is through with one takes the next one */
        uint64_t ahead, asked; /* bytes in pieces */
        struct ri_list pieces;
        bool paused, checked, failed;
        struct ri_summer *
                summer; /* all is read, in order, and the store knows something of it; NULL: not, or it is done */
        roma_op check;
};

static void fill(struct file_reader *r);

static void piece_free(struct piece *p)
{
        ri_list_del(&p->link);
        p->r->asked -= p->len;
        ri_buf_cancel(&p->wait);
        ri_op_drop(p->r->base.loop, p->op);
        roma_buf_unref(p->buf);
        free(p);
}

/* Handing out */

static void give(struct file_reader *r, struct piece *p)
{
        struct ri_op *op = r->base.next;

        if (p->error.code) {
                r->failed = true;
                op->cancel = NULL;
                ri_op_fail_error(op, &p->error);
                return;
        }
        if (r->summer && ri_summer_feed(r->summer, roma_buf_data(p->buf), p->buf->len) < 0) {
                r->failed = true;
                op->cancel = NULL;
                ri_op_fail(op, ROMA_ENOMEM, "out of memory");
                return;
        }
        op->res.buf = roma_buf_ref(p->buf);
        op->res.bytes = p->buf->len;
        op->res.offset = p->offset;
        op->res.has_crc32 = p->has_crc;
        op->res.crc32 = p->crc;
        piece_free(p);
        ri_op_finish(op);
        fill(r);
}

static bool changed(const struct file_reader *r, const roma_attr *b)
{
        const struct ri_backend *be = r->base.store->be;
        const roma_attr *a = &r->base.attr;
        uint32_t mask = a->mask & b->mask;

        if (be->file_changed)
                return be->file_changed(r->file, a, b);
        return ((mask & ROMA_ATTR_LENGTH) && a->length != b->length) ||
               ((mask & ROMA_ATTR_MTIME) && a->mtime_ns != b->mtime_ns) ||
               ((mask & ROMA_ATTR_INODE) && a->inode != b->inode);
}

static void still_named(void *arg, const roma_result *res)
{
        struct file_reader *r = arg;
        struct ri_op *op = r->base.next;

        r->check = 0;
        if (!op)
                return; /* whoever asks next has it looked at again */
        r->checked = true;
        if (res->code == ROMA_ENOENT)
                ri_op_fail(op, ROMA_ESOURCE,
                           "it was removed while it was read: what came may be a part of it");
        else
                ri_op_finish(op);
}

/* It has no name any more, or another file has the name now: what was replaced was whole and came whole. */
static void look_for_name(struct file_reader *r, struct ri_op *op)
{
        roma_opts opts = ri_child_opts(op);

        r->checked = false;
        r->check = ri_adopt(op, roma_aio_stat(r->base.store, r->base.object, 0, &opts, still_named, r));
        if (!r->check)
                ri_fail_start(op);
}

static void checked(void *arg, const roma_result *res)
{
        struct file_reader *r = arg;
        struct ri_op *op = r->base.next;

        r->check = 0;
        if (!op)
                return; /* whoever asks next has it looked at again */
        r->checked = true;
        if (res->code)
                ri_op_fail_from(op, res);
        else if (changed(r, res->attr))
                ri_op_fail(op, ROMA_ESOURCE,
                           "it changed while it was read (%llu bytes at the start, %llu now): read it again "
                           "when nobody writes",
                           (unsigned long long)r->base.attr.length, (unsigned long long)res->attr->length);
        else if ((r->base.attr.mask & res->attr->mask & ROMA_ATTR_NLINK) && r->base.attr.nlink > 0 &&
                 res->attr->nlink == 0)
                look_for_name(r, op);
        else
                ri_op_finish(op);
}

/* false: it is not known yet, or the operation has failed. */
static bool sum_is_right(struct file_reader *r, struct ri_op *op)
{
        struct ri_summer *s = r->summer;
        struct ri_error e;

        if (ri_summer_pending(s))
                return false;
        r->summer = NULL;
        r->failed = ri_summer_end(s, &e) < 0;
        ri_summer_free(s);
        if (r->failed)
                ri_op_fail_error(op, &e);
        return !r->failed;
}

/* The end. Where others may write under our hands, the object must still be what it was. */
static void give_end(struct file_reader *r)
{
        struct ri_op *op = r->base.next;
        roma_opts opts = ri_child_opts(op);

        if (r->summer && !sum_is_right(r, op))
                return;
        if (r->checked || !(r->base.store->be->flags & RI_RECHECK)) {
                ri_op_finish(op);
                return;
        }
        if (!r->check)
                r->check = ri_adopt(op, roma_aio_fstat(r->file, &opts, checked, r));
        if (!r->check)
                ri_fail_start(op);
}

/* The lane whose turn it is to ask. NULL: all has been asked for. */
static struct lane *lane_next(struct file_reader *r)
{
        for (unsigned i = 0; i < r->lanes; i++) {
                unsigned k = (r->turn + i) % r->lanes;
                struct lane *l = &r->lane[k];

                if (l->at == l->end && r->fresh < r->end) {
                        l->at = r->fresh;
                        l->end = r->end - l->at < r->stripe ? r->end : l->at + r->stripe;
                        r->fresh = l->end;
                }
                if (l->at < l->end) {
                        r->turn = k;
                        return l;
                }
        }
        return NULL;
}

static void step(struct file_reader *r)
{
        struct piece *p;

        if (!r->base.next)
                return;
        if (ri_list_empty(&r->pieces)) {
                if (!lane_next(r))
                        give_end(r);
                return;
        }
        p = ri_container_of(ri_list_first(&r->pieces), struct piece, link);
        /* What is read faster than it is summed waits, and nothing more is read. */
        if (p->ready && r->summer && ri_summer_pending(r->summer) >= SUM_AHEAD)
                return;
        if (p->ready) {
                give(r, p);
                return;
        }
        ri_buf_need(&p->wait);
        /* a time-out asks it what it waits for */
        if (p->op)
                ri_adopt(r->base.next, p->op);
}

static void summed(void *arg)
{
        struct file_reader *r = arg;

        if (r->base.next)
                ri_op_progress(r->base.next);
        step(r);
}

/* Asking */

static void piece_done(void *arg, const roma_result *res)
{
        struct piece *p = arg;
        struct file_reader *r = p->r;

        p->op = 0;
        p->ready = true;
        if (res->code) {
                ri_error_from(&p->error, res);
        } else if (p->buf->len < p->len) {
                ri_error_set(&p->error, ROMA_ESOURCE, res->server,
                             "it shrank while it was read: %llu bytes at the start, at most %llu now",
                             (unsigned long long)r->end, (unsigned long long)(p->offset + p->buf->len));
        } else {
                p->has_crc = res->has_crc32;
                p->crc = res->crc32;
        }
        if (r->base.next)
                ri_op_progress(r->base.next);
        step(r);
}

static void piece_fail(struct piece *p, int code, const char *why)
{
        ri_error_set(&p->error, code, NULL, "%s", why);
        p->ready = true;
        step(p->r);
}

static void piece_buf(struct ri_buf_wait *w, roma_buf *buf)
{
        struct piece *p = ri_container_of(w, struct piece, wait);
        struct file_reader *r = p->r;
        roma_opts opts = ROMA_OPTS_INIT;

        p->buf = buf;
        if (!buf) {
                piece_fail(p, ROMA_ENOMEM, "out of memory");
                return;
        }
        p->op = ri_aio_read_buf(r->file, buf, p->len, p->offset, &opts, piece_done, p);
        if (!p->op)
                piece_fail(p, ROMA_ENOMEM, r->base.loop->error);
        else if (r->base.next && ri_list_first(&r->pieces) == &p->link)
                ri_adopt(r->base.next, p->op);
}

static bool ask(struct file_reader *r, struct lane *l)
{
        struct piece *p = calloc(1, sizeof *p);
        uint64_t left = l->end - l->at;

        if (!p)
                return false;
        p->r = r;
        p->offset = l->at;
        /* Borders at multiples of the piece: a chunk's border is one of them. */
        p->len = RI_PIECE - l->at % RI_PIECE;
        if (p->len > left)
                p->len = (size_t)left;
        p->wait.ready = piece_buf;
        p->wait.ahead = !r->base.next || !ri_list_empty(&r->pieces);
        l->at += p->len;
        r->turn = (r->turn + 1) % r->lanes;
        r->asked += p->len;
        ri_list_add_tail(&r->pieces, &p->link);
        ri_buf_get(r->base.loop, &p->wait, p->len, p->len == RI_PIECE);
        return true;
}

static void fill(struct file_reader *r)
{
        struct lane *l;

        while (!r->paused && !r->failed && (r->asked == 0 || r->asked + RI_PIECE <= r->ahead) &&
               (l = lane_next(r)))
                if (!ask(r, l))
                        break;
}

/* The table */

static void next_cancel(struct ri_op *op)
{
        (void)op; /* the pieces go on; the next one who asks gets them */
}

static void fr_next(struct ri_op *op, roma_reader *base)
{
        struct file_reader *r = ri_container_of(base, struct file_reader, base);
        struct lane *l = ri_list_empty(&r->pieces) ? lane_next(r) : NULL;

        op->cancel = next_cancel;
        ri_op_waits(op, "data", NULL);
        if (r->failed) {
                ri_op_fail(op, ROMA_EINVAL, "an earlier read of this stream has failed");
                return;
        }
        /* Paused or out of memory: what is asked for is asked for all the same. */
        if (l && !ask(r, l)) {
                ri_op_fail(op, ROMA_ENOMEM, "out of memory");
                return;
        }
        step(r);
}

static void fr_pause(roma_reader *base, bool on)
{
        struct file_reader *r = ri_container_of(base, struct file_reader, base);

        r->paused = on;
        fill(r);
}

static void fr_close(roma_reader *base, bool now)
{
        struct file_reader *r = ri_container_of(base, struct file_reader, base);
        struct ri_list *l;

        while ((l = ri_list_first(&r->pieces)))
                piece_free(ri_container_of(l, struct piece, link));
        ri_op_drop(base->loop, r->check);
        ri_summer_free(r->summer);
        if (now || !ri_file_end(r->file))
                ri_file_drop(r->file);
        ri_reader_fini(base);
        free(r);
}

/* The first lane goes on with the stripe that it has begun. */
static bool fr_lanes(roma_reader *base, uint64_t stripe)
{
        struct file_reader *r = ri_container_of(base, struct file_reader, base);
        struct lane *l = &r->lane[0];

        if (r->summer || r->lanes != 1 || stripe % RI_PIECE || l->at >= stripe || r->end <= stripe)
                return false;
        l->end = r->fresh = stripe;
        r->stripe = stripe;
        r->lanes = LANES;
        return true;
}

/* A short one is not worth it; and what a server keeps a CRC-32 of is compared as it is handed out. */
static bool may_be_source(const struct file_reader *r, const roma_attr *attr)
{
        return r->base.store->be->file_source && (attr->mask & ROMA_ATTR_LENGTH) && !r->summer &&
               r->end - r->lane[0].at > RI_PIECE;
}

static struct ri_source *fr_source(roma_reader *base, uint64_t *offset, uint64_t *length)
{
        struct file_reader *r = ri_container_of(base, struct file_reader, base);
        struct ri_source *s;

        if (!may_be_source(r, &base->attr) || !ri_list_empty(&r->pieces))
                return NULL;
        s = base->store->be->file_source(r->file);
        if (!s)
                return NULL;
        *offset = r->lane[0].at;
        *length = r->end - *offset;
        r->lane[0].at = r->end;
        return s;
}

static const struct ri_reader_ops file_reader_ops = {
        .next = fr_next, .pause = fr_pause, .lanes = fr_lanes, .source = fr_source, .close = fr_close
};

/* Opening */

struct opening {
        struct ri_op *op;
        roma_op child;
        uint64_t offset, length, ahead;
        roma_attr match, none_match; /* the ETag, where the mask says so */
};

static void open_cancel(struct ri_op *op)
{
        struct opening *o = op->impl;

        ri_op_drop(op->loop, o->child);
        free(o);
}

static void open_discard(struct ri_op *op)
{
        roma_reader_close(op->res.reader);
        op->res.reader = NULL;
}

/* -1: it cannot be summed, and somebody wants to know; err says why. */
static int summer_start(struct file_reader *r, const roma_attr *attr, struct ri_str *err)
{
        const struct ri_whole *w = &r->file->whole;

        if (!w->name || r->lane[0].at != 0 || r->end != attr->length)
                return 0;
        r->summer = ri_summer_new(r->base.loop, w, attr->length, summed, r, err);
        return r->summer || !w->asked ? 0 : -1;
}

static struct file_reader *reader_make(const struct opening *o, roma_file *file, const roma_attr *attr)
{
        struct file_reader *r = calloc(1, sizeof *r);
        uint64_t left;

        if (!r || ri_reader_init(&r->base, &file_reader_ops, file->store->loop, file->store, file->key) < 0) {
                free(r);
                return NULL;
        }
        r->file = file;
        ri_file_own(file);
        ri_list_init(&r->pieces);
        r->base.attr = *attr;
        r->ahead = o->ahead ? o->ahead : AHEAD;
        r->lanes = 1;
        r->lane[0].at = o->offset < attr->length ? o->offset : attr->length;
        left = attr->length - r->lane[0].at;
        r->end = r->lane[0].at + (o->length < left ? o->length : left);
        r->lane[0].end = r->fresh = r->end;
        return r;
}

static int condition(roma_attr *to, const char *etag)
{
        if (!etag)
                return 0;
        if (!*etag || strlen(etag) >= sizeof to->etag)
                return -1;
        memcpy(to->etag, etag, strlen(etag) + 1);
        to->mask = ROMA_ATTR_ETAG;
        return 0;
}

/* What was opened stays the same until it has been read, or the reading fails: so it is enough to look now. */
static bool conditions_hold(const struct opening *o, const roma_attr *a, struct ri_error *e)
{
        bool known = a->mask & ROMA_ATTR_ETAG;

        if ((o->match.mask || o->none_match.mask) && !known)
                ri_error_set(e, ROMA_ENOTSUP, NULL, "it has no ETag that could be compared");
        else if (o->match.mask && strcmp(o->match.etag, a->etag) != 0)
                ri_error_set(e, ROMA_EPRECONDITION, NULL, "it has the ETag %s, and %s was asked for", a->etag,
                             o->match.etag);
        else if (o->none_match.mask && strcmp(o->none_match.etag, a->etag) == 0)
                ri_error_set(e, ROMA_EPRECONDITION, NULL, "it still has the ETag %s", a->etag);
        else
                return true;
        return false;
}

static void file_opened(void *arg, const roma_result *res)
{
        struct opening *o = arg;
        struct ri_op *op = o->op;
        struct ri_str err = RI_STR_INIT(RI_STR_MAX_ERROR);
        struct file_reader *r = NULL;
        roma_reader *base;
        struct ri_error e;

        o->child = 0;
        if (res->code) {
                free(o);
                ri_op_fail_from(op, res);
                return;
        }
        if (!conditions_hold(o, res->attr, &e)) {
                roma_aio_file_close(res->file, NULL, NULL, NULL);
                ri_op_fail_error(op, &e);
                free(o);
                return;
        }
        if (!(res->attr->mask & ROMA_ATTR_LENGTH) && o->offset) {
                roma_aio_file_close(res->file, NULL, NULL, NULL);
                ri_op_fail(op, ROMA_EINVAL,
                           "this is a stream (a pipe, a terminal): it cannot be read from byte %" PRIu64
                           " on, only from where it is",
                           o->offset);
                free(o);
                return;
        }
        if (res->attr->mask & ROMA_ATTR_LENGTH) {
                r = reader_make(o, res->file, res->attr);
                base = r ? &r->base : NULL;
        } else {
                base = ri_stream_reader(res->file, res->attr);
        }
        free(o);
        if (!base) {
                roma_aio_file_close(res->file, NULL, NULL, NULL);
                ri_op_fail(op, ROMA_ENOMEM, "out of memory");
                return;
        }
        if (r && summer_start(r, res->attr, &err) < 0) {
                ri_op_fail(op, ROMA_ESYSTEM, "%s", ri_str_cstr(&err));
                roma_reader_close(base);
                ri_str_free(&err);
                return;
        }
        ri_str_free(&err);
        if (res->n_props && ri_op_set_props(op, res->props, res->n_props) < 0) {
                roma_reader_close(base);
                return;
        }
        ri_op_set_attr(op, res->attr);
        op->res.reader = base;
        op->discard = open_discard;
        ri_op_finish(op);
        /* What may not be handed out at all is not read ahead. */
        if (r && !may_be_source(r, &base->attr))
                fill(r);
}

/* Of a whole object, with what is needed to know it again; the caller's structure may be an older, shorter one. NULL: nothing. */
static const roma_attr *known_of(const roma_reader_opts *o, roma_attr *known)
{
        const unsigned need = ROMA_ATTR_LENGTH | ROMA_ATTR_ETAG;

        if (!o->known || o->offset || o->length != ROMA_SIZE_UNKNOWN)
                return NULL;
        *known = (roma_attr)ROMA_ATTR_INIT;
        memcpy(known, o->known, o->known->size < sizeof(*known) ? o->known->size : sizeof(*known));
        known->etag[sizeof(known->etag) - 1] = 0;
        return (known->mask & need) == need && *known->etag ? known : NULL;
}

roma_op roma_aio_reader_open(roma_store *store, const char *key, const roma_reader_opts *opts,
                             roma_done *done, void *arg)
{
        roma_attr known;
        roma_reader_opts o = ROMA_READER_OPTS_INIT;
        struct opening *open;
        roma_opts child;
        struct ri_op *op;

        if (opts)
                memcpy(&o, opts, opts->size < sizeof o ? opts->size : sizeof o);
        if (ri_loop_enter(store->loop) < 0 || ri_key_check(store, "read", key) < 0)
                return 0;
        op = ri_op_new(store->loop, store, RI_SINGLE, "read", key, opts, done, arg);
        if (!op)
                return 0;
        open = calloc(1, sizeof *open);
        if (!open) {
                ri_op_fail(op, ROMA_ENOMEM, "out of memory");
                return op->id;
        }
        open->op = op;
        open->offset = o.offset;
        open->length = o.length;
        open->ahead = o.ahead;
        if (condition(&open->match, o.if_match) < 0 || condition(&open->none_match, o.if_none_match) < 0) {
                free(open);
                ri_op_fail(op, ROMA_EINVAL, "an ETag has 1 to 71 bytes");
                return op->id;
        }
        ri_compose(op, open, open_cancel);
        child = ri_child_opts(op);
        open->child = ri_adopt(op, ri_aio_file_open(store, key, ROMA_O_READ | RI_O_STREAM, 0,
                                                    known_of(&o, &known), &child, file_opened, open));
        if (!open->child) {
                free(open);
                ri_fail_start(op);
        }
        return op->id;
}
