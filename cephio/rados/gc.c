/* SPDX-License-Identifier: MIT */
/* Collecting: goes through the list of generations, looks whether the head names them, and removes the pieces of those
 * that nobody names. Then marks in the index that nobody settles any more are settled. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cephio/rados/raw.h"

enum { PAGE = 256, TRIES = 10 };

/* A generation under the eye. */
struct cand {
        struct gc *g;
        struct rad_req *r;
        uint8_t gen[RAD_ID];
        uint8_t value[RAD_GC_MAX];
        size_t value_len;
        unsigned tries;
        struct rad_gc e;
        char key[RAD_KEY_MAX + 1];
};

struct gc {
        struct rad_own own; /* when it is cancelled */
        struct ri_op *op;   /* NULL: cancelled, the rest runs out */
        struct rad_store *rs;
        struct rad_req *r;
        char *prefix;
        int64_t before_ns, commit_before_ns;
        bool index; /* the second part */
        uint32_t shard;
        bool more;
        char start[RAD_KEY_MAX + 1];
        struct cand *cand; /* of this page */
        size_t n, at;
        uint64_t removed;
};

static void page(struct gc *g);
static void next(struct gc *g);

static void gc_free(struct gc *g)
{
        free(g->cand);
        free(g->prefix);
        free(g);
}

static struct ri_op *take_op(struct gc *g)
{
        struct ri_op *op = g->op;

        if (op) {
                op->impl = NULL;
                op->cancel = NULL;
                op->res.bytes = g->removed;
        }
        g->op = NULL;
        return op;
}

static void gc_end(struct gc *g, const struct ri_error *e)
{
        struct ri_op *op = take_op(g);

        if (op && e)
                ri_op_fail_error(op, e);
        else if (op)
                ri_op_finish(op);
        else
                rad_disown(g->rs, &g->own);
        gc_free(g);
}

static void fail_nomem(struct gc *g)
{
        struct ri_error e;

        ri_error_set(&e, ROMA_ENOMEM, NULL, "no memory for the request");
        gc_end(g, &e);
}

static void gc_drop(struct rad_own *o)
{
        gc_free(ri_container_of(o, struct gc, own));
}

/* A request goes on to its end, then nothing more is begun. */
static void gc_cancel(struct ri_op *op)
{
        struct gc *g = op->impl;

        if (g->r)
                g->r->op = NULL;
        take_op(g);
        rad_own(g->rs, &g->own, gc_drop);
}

/* One generation */

static bool old_enough(const struct gc *g, const struct rad_gc *e)
{
        if (e->time_ns > g->before_ns)
                return false;
        if (e->state == RAD_GC_COMMITTING)
                return e->time_ns <= g->commit_before_ns;
        return true;
}

static void removed(void *arg, uint64_t n, int rc)
{
        struct gc *g = arg;
        struct ri_error e;

        if (rc < 0) {
                rad_error(&e, rc, "remove pieces", NULL, g->rs->io ? g->rs->io->where : NULL);
                gc_end(g, &e);
                return;
        }
        g->removed += n > 0;
        if (g->op)
                ri_op_progress(g->op);
        next(g);
}

static void look_again(struct gc *g, struct cand *c);

static void fenced(struct rad_req *r)
{
        struct gc *g = r->arg;
        struct ri_error e;
        struct cand *c = &g->cand[g->at - 1];

        g->r = NULL;
        if (r->rc == -ECANCELED) { /* its writer lives */
                next(g);
        } else if (r->rc < 0) {
                rad_req_error(r, &e);
                gc_end(g, &e);
        } else if (c->e.state == RAD_GC_COMMITTING) {
                look_again(g, c);
        } else {
                rad_gc_remove(g->rs, c->gen, c->e.pieces, removed, g);
        }
}

/* Takes the entry away from a writer that may still live: it will find out when it announces its commit, or announces it
 * again. That it was committing stays to be seen: whoever comes after us has to be as careful. */
static void fence(struct gc *g, struct cand *c)
{
        uint8_t was[RAD_GC_MAX];
        size_t was_len = c->value_len;

        memcpy(was, c->value, was_len);
        if (c->e.state == RAD_GC_COMMITTING)
                c->e.time_ns--;
        else
                c->e.state = RAD_GC_DEAD;
        c->e.key = c->key;
        c->value_len = rad_gc_encode(&c->e, c->value);
        g->r = rad_gc_set(g->rs, c->gen, &c->e, was, was_len, g->op, fenced, g);
        if (!g->r)
                fail_nomem(g);
}

static bool names(const struct rad_seen *s, const uint8_t gen[RAD_ID], bool *bad)
{
        struct rad_segment *seg;
        const char *why;
        size_t n;
        bool found = false;

        *bad = false;
        if (!s->there || !(s->head.flags & RAD_HEAD_SEGMENTS))
                return false;
        if (rad_segments_decode(s->data, s->data_len, s->head.size, &seg, &n, &why) < 0) {
                *bad = true;
                return true;
        }
        for (size_t i = 0; i < n && !found; i++)
                found = memcmp(seg[i].gen, gen, RAD_ID) == 0;
        free(seg);
        return found;
}

/* What is noted as garbage before a head is swapped is alive until then. */
static bool about_to_die(const struct gc *g, const struct cand *c)
{
        return c->e.state == RAD_GC_DEAD && c->e.time_ns > g->commit_before_ns;
}

/* 1: the head may name the generation, -1: the end has come, 0: it does not. */
static int is_alive(struct gc *g, struct cand *c, struct rad_req *r, struct rad_seen *s)
{
        struct ri_error e;
        bool bad, alive;

        g->r = NULL;
        if (rad_head_seen(r, s, &e) < 0) {
                gc_end(g, &e);
                return -1;
        }
        alive = names(s, c->gen, &bad);
        free(s->data);
        s->data = NULL;
        /* A head that cannot be read names nothing for certain: nothing is touched. */
        if (alive && !bad && !about_to_die(g, c))
                rad_gc_forget(g->rs, c->gen, c->value, c->value_len);
        if (alive)
                next(g);
        return alive;
}

static void looked(struct rad_req *r)
{
        struct gc *g = r->arg;
        struct cand *c = &g->cand[g->at - 1];
        struct rad_seen s;

        if (is_alive(g, c, r, &s) == 0)
                fence(g, c);
}

/* A swap that was sent before the note was changed may still be on its way. When there is a head, it is under the condition that
 * this is what was seen: another `rev` makes it fail, however late it comes. Where there is none, there is only the time of
 * grace, and that requests for one object are done in the order in which they come. */

static void barred(struct rad_req *r)
{
        struct gc *g = r->arg;
        struct cand *c = &g->cand[g->at - 1];
        struct ri_error e;

        g->r = NULL;
        if (r->rc >= 0) {
                rad_gc_remove(g->rs, c->gen, c->e.pieces, removed, g);
        } else if (r->rc == -ECANCELED || r->rc == -ENOENT || r->rc == -ENODATA) {
                look_again(g, c);
        } else {
                rad_req_error(r, &e);
                gc_end(g, &e);
        }
}

static void bar(struct gc *g, struct cand *c, struct rad_seen *s)
{
        char name[RAD_NAME_MAX];
        uint8_t blob[RAD_HEAD_BYTES];

        rad_head_name(c->key, name);
        g->r = rad_req_new(g->rs, RAD_WRITE_OP, name, g->op, "write", barred, g);
        if (!g->r || rad_random(s->head.rev, RAD_ID) < 0) {
                rad_req_free(g->r);
                g->r = NULL;
                fail_nomem(g);
                return;
        }
        rad_head_encode(&s->head, blob);
        rados_write_op_cmpxattr(g->r->wop, "roma", LIBRADOS_CMPXATTR_OP_EQ, (const char *)s->blob,
                                RAD_HEAD_BYTES);
        rados_write_op_setxattr(g->r->wop, "roma", (const char *)blob, RAD_HEAD_BYTES);
        rad_req_go(g->r);
}

static void looked_again(struct rad_req *r)
{
        struct gc *g = r->arg;
        struct cand *c = &g->cand[g->at - 1];
        struct rad_seen s;

        if (is_alive(g, c, r, &s) != 0)
                return;
        if (s.there)
                bar(g, c, &s);
        else
                rad_gc_remove(g->rs, c->gen, c->e.pieces, removed, g);
}

static void look_again(struct gc *g, struct cand *c)
{
        if (c->tries++ == TRIES) { /* others change the object all the time: another gc will do */
                next(g);
                return;
        }
        g->r = rad_read_head(g->rs, c->key, true, g->op, looked_again, g);
        if (!g->r)
                fail_nomem(g);
}

/* A mark whose maker is gone: the head tells. */
static void settle(struct gc *g, struct cand *c)
{
        rad_index_repair(g->rs, c->key, c->value);
        next(g);
}

static void next(struct gc *g)
{
        struct cand *c;

        if (!g->op) {
                gc_end(g, NULL);
                return;
        }
        if (g->at == g->n) {
                page(g);
                return;
        }
        c = &g->cand[g->at++];
        if (g->index) {
                settle(g, c);
                return;
        }
        g->r = rad_read_head(g->rs, c->key, true, g->op, looked, g);
        if (!g->r)
                fail_nomem(g);
}

/* Pages of the two lists */

static void take_gc(struct gc *g, const char *key, size_t len, const char *val, size_t n)
{
        struct cand *c = &g->cand[g->n];
        const char *why;

        if (n > sizeof(c->value) || rad_gc_decode(val, n, &c->e, &why) < 0 || !rad_unhex(key, len, c->gen))
                return; /* of another version: left alone */
        memcpy(c->key, c->e.key, c->e.key_len);
        c->key[c->e.key_len] = '\0';
        if (strncmp(c->key, g->prefix, strlen(g->prefix)) != 0 || !old_enough(g, &c->e))
                return;
        memcpy(c->value, val, n);
        c->value_len = n;
        c->tries = 0;
        g->n++;
}

static void take_mark(struct gc *g, const char *key, size_t len, const char *val, size_t n)
{
        struct cand *c = &g->cand[g->n];
        struct rad_entry e;
        const char *why;

        if (n != RAD_ENTRY_BYTES || len > RAD_KEY_MAX || rad_entry_decode(val, n, &e, &why) < 0 ||
            !e.pending || e.mtime_ns > g->before_ns || e.mtime_ns > g->commit_before_ns)
                return;
        memcpy(c->key, key, len);
        c->key[len] = '\0';
        memcpy(c->value, val, n);
        c->value_len = n;
        g->n++;
}

static void paged(struct rad_req *r)
{
        struct gc *g = r->arg;
        char *key, *val;
        size_t len, n, seen = 0;
        struct ri_error e;

        g->r = NULL;
        if (r->rc >= 0 && r->part_rc[0] < 0)
                r->rc = r->part_rc[0];
        if (r->rc < 0 && r->rc != -ENOENT) {
                rad_req_error(r, &e);
                gc_end(g, &e);
                return;
        }
        g->n = g->at = 0;
        while (r->rc >= 0 && seen < PAGE && rados_omap_get_next2(r->omap, &key, &val, &len, &n) == 0 && key) {
                seen++;
                if (len > RAD_KEY_MAX)
                        continue;
                memcpy(g->start, key, len);
                g->start[len] = '\0';
                if (g->index)
                        take_mark(g, key, len, val, n);
                else
                        take_gc(g, key, len, val, n);
        }
        g->more = r->rc >= 0 && r->omap_more && seen;
        if (g->op)
                ri_op_progress(g->op);
        next(g);
}

static int page_build(struct rad_req *r)
{
        struct gc *g = r->build_arg;

        rados_read_op_omap_get_vals2(r->rop, g->start, g->index ? g->prefix : "", PAGE, &r->omap,
                                     &r->omap_more, &r->part_rc[0]);
        return 0;
}

static bool next_shard(struct gc *g)
{
        uint32_t n = g->index ? rad_index_shards(g->rs->index) : RAD_GC_SHARDS;

        g->start[0] = '\0';
        if (++g->shard < n)
                return true;
        if (g->index)
                return false;
        g->index = true;
        g->shard = 0;
        return true;
}

static void page(struct gc *g)
{
        char name[RAD_NAME_MAX];

        if (!g->more && !next_shard(g)) {
                gc_end(g, NULL);
                return;
        }
        if (g->index)
                rad_index_name(g->shard, name);
        else
                rad_gc_shard_name(g->shard, name);
        g->r = rad_req_new(g->rs, RAD_READ_OP, name, g->op, "read the list of pieces to collect", paged, g);
        if (!g->r) {
                fail_nomem(g);
                return;
        }
        g->r->build = page_build;
        g->r->build_arg = g;
        page_build(g->r);
        rad_req_go(g->r);
}

static void asked(struct rad_req *r)
{
        struct gc *g = r->arg;
        int rc = rad_layout_said(r);
        struct ri_error e;

        g->r = NULL;
        if (rc == 0 || rc == -ENOENT) {
                page(g);
                return;
        }
        rad_error(&e, rc, "read", r->oid, r->io ? r->io->where : NULL);
        gc_end(g, &e);
}

static void make_sure(struct gc *g)
{
        g->r = rad_layout_ask(g->rs, false, g->op, asked, g);
        if (!g->r)
                fail_nomem(g);
}

static int64_t before(int64_t now, uint64_t seconds)
{
        return seconds < INT64_MAX / 2000000000 ? now - (int64_t)seconds * 1000000000 : INT64_MIN;
}

void rad_gc(struct ri_op *op, const char *prefix, uint64_t older_than_s)
{
        struct rad_store *rs = rad_of(op->store);
        struct gc *g = calloc(1, sizeof(*g));
        int64_t now = rad_now_ns();

        if (g) {
                g->cand = calloc(PAGE, sizeof(*g->cand));
                if (!g->cand || asprintf(&g->prefix, "%s%s", rs->o->root, prefix) < 0) {
                        free(g->cand);
                        free(g);
                        g = NULL;
                }
        }
        if (!g) {
                rad_op_nomem(op);
                return;
        }
        g->op = op;
        g->rs = rs;
        g->before_ns = before(now, older_than_s);
        g->commit_before_ns = before(now, rs->o->grace_ms / 1000);
        g->shard = UINT32_MAX; /* the first is 0 */
        op->impl = g;
        op->cancel = gc_cancel;
        if (rs->sure)
                page(g);
        else
                make_sure(g);
}
