/* SPDX-License-Identifier: MIT */
/* Making an object. What is short is kept until the commit and goes into the head, in one operation. What is longer goes
 * to pieces of a new generation as it comes; the commit is the one operation that makes a head name them.
 *
 * A writer that dies leaves pieces that no head names. They stand in the list for gc before the first is written. A
 * living writer whose pieces were collected all the same finds at the commit that its entry there has changed. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "cephio/rados/raw.h"
#include "core/writer.h"

enum { WINDOW = 8, MIN_WINDOW_BYTES = 16 << 20, TAKES = 4 << 20 };

/* A write that has to wait until there is room for more. */
struct held {
        struct ri_list link;
        struct ri_op *op;
        struct put *p;
};

struct piece {
        struct ri_list link;
        struct put *p;
        struct rad_req *r;
        char *mem; /* until it is full: an OSD is faster with one extent than with many */
        uint32_t fill;
};

struct put {
        roma_writer *w;
        struct rad_store *rs;
        char *small;
        size_t small_len, small_cap;
        bool big;
        uint8_t gen[RAD_ID], content[RAD_ID];
        uint64_t pieces;               /* begun */
        struct piece *filling;         /* NULL: none */
        struct ri_list queued, flying; /* struct piece */
        uint64_t out;                  /* bytes of those */
        struct rad_req *note;          /* of the list for gc */
        bool noted;
        uint8_t entry[RAD_GC_MAX],
                next[RAD_GC_MAX]; /* as it stands in that list; what it is being changed to */
        size_t entry_len, next_len;
        int64_t announced_ns;    /* when it was last changed to committing, by the clock on the wall */
        uint64_t announced_mono; /* and by the other one */
        struct ri_list held;
        struct ri_error failed; /* code 0: nothing has */
        struct ri_op *op;       /* commit or abort */
        bool committing, aborting, removing;
        struct ri_error why; /* aborting: what op fails with; code 0: it is well */
        struct rad_change *change;
        char key[RAD_KEY_MAX + 1];
};

static void step(struct put *p);

static struct put *put_of(roma_writer *w)
{
        return w->impl;
}

/* The end */

static void release_held(struct put *p, bool all);

static void piece_free(struct piece *i)
{
        rad_req_free(i->r);
        free(i->mem);
        free(i);
}

static void put_free(struct put *p)
{
        struct ri_list *l;

        if (!p)
                return;
        if (p->note)
                rad_req_drop(p->note);
        if (p->filling) {
                piece_free(p->filling);
        }
        while ((l = ri_list_pop(&p->queued)))
                piece_free(ri_container_of(l, struct piece, link));
        while ((l = ri_list_pop(&p->flying))) {
                struct piece *i = ri_container_of(l, struct piece, link);

                rad_req_drop(i->r);
                free(i);
        }
        free(p->small);
        free(p);
}

static void gone(struct put *p)
{
        roma_writer *w = p->w;

        w->impl = NULL;
        put_free(p);
        ri_writer_gone(w);
}

static struct ri_op *take_op(struct put *p)
{
        struct ri_op *op = p->op;

        p->op = NULL;
        if (op) {
                op->impl = NULL;
                op->cancel = NULL;
        }
        return op;
}

static void fail_writes(struct put *p, const struct ri_error *e)
{
        if (!p->failed.code)
                p->failed = *e;
        release_held(p, true);
}

/* Opening */

static void put_open(struct ri_op *op, roma_writer *w)
{
        struct put *p = calloc(1, sizeof(*p));

        if (!p || rad_random(p->content, RAD_ID) < 0) {
                rad_op_nomem(op);
        } else if (rad_key(op, w->key, p->key)) {
                p->w = w;
                p->rs = rad_of(w->store);
                ri_list_init(&p->queued);
                ri_list_init(&p->flying);
                ri_list_init(&p->held);
                w->impl = p;
                ri_op_finish(op);
                return;
        }
        free(p);
        ri_writer_gone(w);
}

/* Pieces */

static void fly(struct put *p);
static void drop_queued(struct put *p);

static void piece_done(struct rad_req *r)
{
        struct piece *i = r->arg;
        struct put *p = i->p;
        struct ri_error e;

        ri_list_del(&i->link);
        p->out -= i->fill;
        if (r->rc < 0) {
                rad_req_error(r, &e);
                fail_writes(p, &e);
        } else {
                p->rs->loop->stats.bytes_out_total += i->fill;
                if (p->op)
                        ri_op_progress(p->op);
        }
        free(i);
        if (p->failed.code)
                drop_queued(p);
        fly(p);
        release_held(p, false);
        step(p);
}

static void piece_go(struct piece *i)
{
        ri_list_add_tail(&i->p->flying, &i->link);
        i->r->weight = i->fill;
        i->r->op = NULL;
        rad_req_go(i->r);
}

static void fly(struct put *p)
{
        struct ri_list *l;

        while (p->noted && ri_list_count(&p->flying) < WINDOW && (l = ri_list_pop(&p->queued)))
                piece_go(ri_container_of(l, struct piece, link));
}

/* librados copies the bytes. */
static void piece_ready(struct put *p, const char *bytes)
{
        struct piece *i = p->filling;

        rados_write_op_write_full(i->r->wop, bytes, i->fill);
        free(i->mem);
        i->mem = NULL;
        ri_list_add_tail(&p->queued, &i->link);
        p->out += i->fill;
        p->filling = NULL;
        fly(p);
}

static struct piece *piece_new(struct put *p)
{
        struct piece *i = calloc(1, sizeof(*i));
        char name[RAD_NAME_MAX];

        if (!i)
                return NULL;
        rad_piece_name(p->gen, (uint32_t)p->pieces, name);
        i->r = rad_req_new(p->rs, RAD_WRITE_OP, name, NULL, "write", piece_done, i);
        if (!i->r) {
                piece_free(i);
                return NULL;
        }
        i->p = p;
        p->pieces++;
        return i;
}

/* 0, or -1: no memory. */
static int feed(struct put *p, const char *from, size_t len)
{
        uint32_t size = p->rs->o->piece;

        while (len) {
                struct piece *i = p->filling ? p->filling : (p->filling = piece_new(p));
                size_t take;

                if (!i)
                        return -1;
                take = size - i->fill < len ? size - i->fill : len;
                if (take < size && !i->mem && !(i->mem = malloc(size)))
                        return -1;
                if (i->mem)
                        memcpy(i->mem + i->fill, from, take);
                i->fill += (uint32_t)take;
                if (i->fill == size)
                        piece_ready(p, i->mem ? i->mem : from);
                from += take;
                len -= take;
        }
        return 0;
}

/* The list for gc */

static struct rad_gc entry_of(struct put *p, uint8_t state, int64_t time_ns)
{
        return (struct rad_gc){ .state = state,
                                .time_ns = time_ns,
                                .piece_size = p->rs->o->piece,
                                .pieces = state == RAD_GC_UPLOADING ? 0 : (uint32_t)p->pieces,
                                .key = p->key,
                                .key_len = strlen(p->key) };
}

static void noted(struct rad_req *r)
{
        struct put *p = r->arg;
        struct ri_error e;

        p->note = NULL;
        if (r->rc < 0) {
                rad_req_error(r, &e);
                fail_writes(p, &e);
        } else {
                p->noted = true;
                fly(p);
        }
        step(p);
}

static int become_big(struct put *p)
{
        struct rad_gc g = entry_of(p, RAD_GC_UPLOADING, rad_now_ns());

        if (rad_random(p->gen, RAD_ID) < 0)
                return -1;
        p->entry_len = rad_gc_encode(&g, p->entry);
        p->note = rad_gc_set(p->rs, p->gen, &g, NULL, 0, NULL, noted, p);
        if (!p->note)
                return -1;
        p->big = true;
        if (feed(p, p->small, p->small_len) < 0)
                return -1;
        free(p->small);
        p->small = NULL;
        p->small_len = p->small_cap = 0;
        return 0;
}

/* Writing */

static int keep_small(struct put *p, const void *data, size_t len)
{
        if (p->small_cap - p->small_len < len) {
                size_t cap = p->small_len + len;
                char *m;

                if (p->small_len && cap < 2 * p->small_cap)
                        cap = 2 * p->small_cap;
                m = realloc(p->small, cap);
                if (!m)
                        return -1;
                p->small = m;
                p->small_cap = cap;
        }
        memcpy(p->small + p->small_len, data, len);
        p->small_len += len;
        return 0;
}

static bool room(const struct put *p)
{
        uint64_t window = (uint64_t)WINDOW * p->rs->o->piece;

        return p->out < (window > MIN_WINDOW_BYTES ? window : MIN_WINDOW_BYTES);
}

static void release_held(struct put *p, bool all)
{
        struct ri_list *l;

        while ((all || room(p)) && (l = ri_list_pop(&p->held))) {
                struct held *h = ri_container_of(l, struct held, link);
                struct ri_op *op = h->op;

                op->impl = NULL;
                op->cancel = NULL;
                free(h);
                if (p->failed.code)
                        ri_op_fail_error(op, &p->failed);
                else
                        ri_op_finish(op);
        }
}

static void held_cancel(struct ri_op *op)
{
        struct held *h = op->impl;

        ri_list_del(&h->link);
        free(h);
        op->impl = NULL;
}

static void hold(struct put *p, struct ri_op *op)
{
        struct held *h = calloc(1, sizeof(*h));

        if (!h) {
                rad_op_nomem(op);
                return;
        }
        h->op = op;
        h->p = p;
        op->impl = h;
        op->cancel = held_cancel;
        ri_op_waits(op, "the OSDs", p->rs->io ? p->rs->io->where : NULL);
        ri_list_add_tail(&p->held, &h->link);
}

static void put_write(struct ri_op *op, roma_writer *w, const void *data, size_t len, roma_buf *buf,
                      uint64_t offset)
{
        struct put *p = put_of(w);
        struct ri_error e;
        int r;

        (void)buf;
        if (p->failed.code) {
                ri_op_fail_error(op, &p->failed);
                return;
        }
        if (!p->big && offset + len <= p->rs->o->inline_max)
                r = keep_small(p, data, len);
        else if (!p->big && become_big(p) < 0)
                r = -1;
        else
                r = feed(p, data, len);
        if (r < 0) {
                ri_error_set(&e, ROMA_ENOMEM, NULL, "no memory for what is written");
                ri_op_fail_error(op, &e);
                fail_writes(p, &e);
                return;
        }
        op->res.bytes = len;
        if (p->big && !room(p))
                hold(p, op);
        else
                ri_op_finish(op);
}

/* Committing */

static int may_replace(void *arg, const struct rad_seen *s, struct ri_error *e)
{
        struct put *p = arg;

        if (!s->there || p->w->precondition != ROMA_IF_ABSENT)
                return 1;
        rad_error(e, -EEXIST, "put", p->w->key, NULL);
        return -1;
}

static void build(void *arg, const struct rad_seen *s, rados_write_op_t op, struct rad_head *h)
{
        struct put *p = arg;
        const roma_attr *a = &p->w->attr;
        int64_t now = rad_now_ns();

        if (!s->there)
                h->mode = 0644;
        if (a->mask & ROMA_ATTR_MODE)
                h->mode = a->mode & 07777;
        if (a->mask & ROMA_ATTR_UID)
                h->uid = a->uid;
        if (a->mask & ROMA_ATTR_GID)
                h->gid = a->gid;
        h->mtime_ns = a->mask & ROMA_ATTR_MTIME ? a->mtime_ns : now;
        h->atime_ns = a->mask & ROMA_ATTR_ATIME ? a->atime_ns : now;
        h->size = p->w->bytes;
        h->crc = p->w->crc;
        memcpy(h->content, p->content, RAD_ID);
        h->flags = p->big ? RAD_HEAD_SEGMENTS : 0;
        h->list_bytes = 0;
        if (p->big) {
                struct rad_segment seg = { .length = p->w->bytes, .piece_size = p->rs->o->piece };
                uint8_t list[128];

                memcpy(seg.gen, p->gen, RAD_ID);
                rad_segments_encode(&seg, 1, list);
                h->list_bytes = (uint32_t)rad_segments_bytes(1);
                rados_write_op_write_full(op, (const char *)list, h->list_bytes);
        } else {
                rados_write_op_write_full(op, p->small ? p->small : "", p->small_len);
        }
}

static void abort_with(struct put *p, const struct ri_error *e)
{
        p->committing = false;
        p->aborting = true;
        p->why = *e;
        step(p);
}

static void swapped(void *arg, const struct rad_seen *old, const struct rad_head *now,
                    const struct ri_error *e)
{
        struct put *p = arg;
        struct ri_op *op;
        roma_attr a;

        (void)old;
        p->change = NULL;
        if (e && e->outcome == ROMA_UNKNOWN) {
                /* The entry for gc stays: later it finds out whether a head names the pieces. */
                op = take_op(p);
                if (op)
                        ri_op_fail_error(op, e);
                gone(p);
                return;
        }
        if (e) {
                abort_with(p, e);
                return;
        }
        if (p->big)
                rad_gc_forget(p->rs, p->gen, p->entry, p->entry_len);
        else
                p->rs->loop->stats.bytes_out_total += p->small_len;
        op = take_op(p);
        if (op) {
                rad_head_attr(now, &a);
                ri_op_set_attr(op, &a);
                ri_op_finish(op);
        }
        gone(p);
}

static void announce(struct put *p);

/* Half the time for which every gc leaves alone what is committing. The other half is for the request itself. */
static uint64_t good_until(const struct put *p)
{
        return p->announced_mono + p->rs->o->guard_ms * 500000;
}

/* Both clocks, for either may have stood still or been set. */
static bool announced_lately(const struct put *p)
{
        int64_t passed = rad_now_ns() - p->announced_ns;

        return passed >= 0 && passed < (int64_t)p->rs->o->guard_ms * 500000 && ri_now() < good_until(p);
}

/* No head may come to name pieces that gc has taken. It takes them when they were announced a time of grace ago and no head
 * names them, and first changes the note. So a swap that is late, and any behind one that has lost (gc may have made it
 * lose), is announced anew, which fails when the note was changed. */
static bool ready(void *arg, unsigned tries, uint64_t *send_by)
{
        struct put *p = arg;

        if (!p->big)
                return true;
        *send_by = good_until(p);
        if (tries == 0 && announced_lately(p))
                return true;
        announce(p);
        return false;
}

static const struct rad_change_ops put_ops = {
        .decide = may_replace, .ready = ready, .build = build, .done = swapped
};

static void swap(struct put *p)
{
        p->change = rad_change_new(p->rs, p->key, false, true, p->small_len, p->op, &put_ops, p);
        if (!p->change) {
                struct ri_error e;

                ri_error_set(&e, ROMA_ENOMEM, NULL, "no memory for the request");
                abort_with(p, &e);
                return;
        }
        /* Most objects are new. */
        rad_change_go(p->change, true);
}

static void cannot_announce(struct put *p, const struct ri_error *e)
{
        if (p->change)
                rad_change_stop(p->change, e);
        else
                abort_with(p, e);
}

static void announced(struct rad_req *r)
{
        struct put *p = r->arg;
        struct ri_error e;

        p->note = NULL;
        if (p->aborting) { /* the commit was cancelled meanwhile */
                step(p);
                return;
        }
        if (r->rc == -ECANCELED)
                ri_error_set(
                        &e, ROMA_EPRECONDITION, NULL,
                        "a `roma gc` has collected what was written so far, for it looked abandoned; put it "
                        "again, and let gc only take what is older");
        else if (r->rc < 0)
                rad_req_error(r, &e);
        if (r->rc < 0) {
                cannot_announce(p, &e);
                return;
        }
        memcpy(p->entry, p->next, p->next_len);
        p->entry_len = p->next_len;
        if (p->change)
                rad_change_go_on(p->change, good_until(p));
        else
                swap(p);
}

/* From here on gc leaves the pieces alone for the time of grace, for a head may name them at any moment. Whoever waits longer
 * for an OSD than is usual says so with a later time. */
static void announce(struct put *p)
{
        int64_t more = (int64_t)(p->rs->o->guard_ms - RAD_GUARD_MS) * 1000000;
        struct rad_gc g;

        p->announced_ns = rad_now_ns();
        p->announced_mono = ri_now();
        g = entry_of(p, RAD_GC_COMMITTING, p->announced_ns + more);
        p->next_len = rad_gc_encode(&g, p->next);
        p->note = rad_gc_set(p->rs, p->gen, &g, p->entry, p->entry_len, p->op, announced, p);
        if (!p->note) {
                struct ri_error e;

                ri_error_set(&e, ROMA_ENOMEM, NULL, "no memory for the request");
                cannot_announce(p, &e);
        }
}

/* Aborting */

static void removed(void *arg, uint64_t n, int rc)
{
        struct put *p = arg;
        struct ri_op *op = take_op(p);

        (void)n;
        (void)rc; /* what could not be removed stands in the list for gc */
        if (op && p->why.code)
                ri_op_fail_error(op, &p->why);
        else if (op)
                ri_op_finish(op);
        gone(p);
}

/* Whatever has ended: what is next. */
static void step(struct put *p)
{
        if (p->note || !ri_list_empty(&p->flying) || p->removing || p->change)
                return;
        if (p->committing && p->failed.code) {
                struct ri_error e = p->failed;

                abort_with(p, &e);
                return;
        }
        if (p->committing && ri_list_empty(&p->queued)) {
                p->committing = false;
                if (p->big)
                        announce(p);
                else
                        swap(p);
                return;
        }
        if (!p->aborting)
                return;
        p->removing = true;
        if (p->big)
                rad_gc_remove(p->rs, p->gen, p->pieces ? p->pieces : 1, removed, p);
        else
                removed(p, 0, 0);
}

static void start_abort(struct put *p, struct ri_op *op, const struct ri_error *why);

/* The commit was cancelled. What may have become visible is not touched. */
static void commit_cancel(struct ri_op *op)
{
        struct put *p = op->impl;

        op->impl = NULL;
        p->op = NULL;
        if (p->note)
                p->note->op = NULL;
        if (p->change) {
                bool swapping = rad_change_drop(p->change);

                p->change = NULL;
                if (swapping) {
                        gone(p);
                        return;
                }
        }
        op->outcome = ROMA_NOT_DONE;
        p->committing = false;
        start_abort(p, NULL, NULL);
}

static void put_commit(struct ri_op *op, roma_writer *w)
{
        struct put *p = put_of(w);

        p->op = op;
        op->impl = p;
        op->cancel = commit_cancel;
        if (p->filling)
                piece_ready(p, p->filling->mem);
        p->committing = true;
        step(p);
}

static void abort_cancel(struct ri_op *op)
{
        struct put *p = op->impl;

        op->impl = NULL;
        p->op = NULL;
}

static void drop_queued(struct put *p)
{
        struct ri_list *l;

        if (p->filling)
                piece_free(p->filling);
        p->filling = NULL;
        while ((l = ri_list_pop(&p->queued))) {
                struct piece *i = ri_container_of(l, struct piece, link);

                p->out -= i->fill;
                piece_free(i);
        }
}

static void start_abort(struct put *p, struct ri_op *op, const struct ri_error *why)
{
        p->op = op;
        if (op) {
                op->impl = p;
                op->cancel = abort_cancel;
                ri_op_waits(op, "the pieces to be removed", NULL);
        }
        if (why)
                p->why = *why;
        p->aborting = true;
        drop_queued(p);
        step(p);
}

static void put_abort(struct ri_op *op, roma_writer *w, const struct ri_error *why)
{
        start_abort(put_of(w), op, why);
}

static void put_drop(roma_writer *w)
{
        struct put *p = put_of(w);

        if (p->change)
                rad_change_drop(p->change);
        put_free(p);
        w->impl = NULL;
}

const struct ri_writer_ops rad_writer = { .takes = TAKES,
                                          .open = put_open,
                                          .write = put_write,
                                          .commit = put_commit,
                                          .abort = put_abort,
                                          .drop = put_drop };
