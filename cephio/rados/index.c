/* SPDX-License-Identifier: MIT */
/* The index: which keys there are, in the omaps of a fixed number of objects. Each shard has one operation in flight;
 * what comes in the meantime goes with the next one, so that many small puts cost few index operations.
 *
 * doc/rados-layout.md says why an entry is marked before a head changes and settled only if the mark still stands. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "cephio/rados/rados.h"

enum { BATCH = 128, TRIES = 3 };

struct rad_ix {
        struct ri_list link; /* shard's queue or batch */
        struct rad_store *rs;
        uint32_t shard;
        bool settle; /* `expect` must stand there, else mark */
        bool remove;
        bool alone; /* it may be the one that spoils a batch */
        unsigned tries;
        uint8_t value[RAD_ENTRY_BYTES], expect[RAD_ENTRY_BYTES];
        struct ri_op *op;
        rad_indexed *done;
        void *arg;
        char key[];
};

struct shard {
        struct ri_list queue;
        struct ri_list batch; /* in flight */
        struct rad_req *r;
        struct rad_index *ix;
};

struct rad_index {
        struct rad_store *rs;
        struct rad_req *ask; /* before the first change, when the store is not sure of n */
        uint32_t n;
        struct shard shard[];
};

struct rad_index *rad_index_new(struct rad_store *rs, uint32_t shards)
{
        struct rad_index *ix = calloc(1, sizeof(*ix) + shards * sizeof(ix->shard[0]));

        if (!ix)
                return NULL;
        ix->rs = rs;
        ix->n = shards;
        for (uint32_t i = 0; i < shards; i++) {
                ix->shard[i].ix = ix;
                ri_list_init(&ix->shard[i].queue);
                ri_list_init(&ix->shard[i].batch);
        }
        return ix;
}

static void free_all(struct ri_list *l)
{
        struct ri_list *i;

        while ((i = ri_list_pop(l)))
                free(ri_container_of(i, struct rad_ix, link));
}

void rad_index_free(struct rad_index *ix)
{
        if (!ix)
                return;
        for (uint32_t i = 0; i < ix->n; i++) {
                free_all(&ix->shard[i].queue);
                free_all(&ix->shard[i].batch);
        }
        free(ix);
}

uint32_t rad_index_shards(const struct rad_index *ix)
{
        return ix->n;
}

static void flush(struct shard *s);
static void settle(struct rad_store *rs, const char *key, const uint8_t *value, const struct rad_entry *entry,
                   unsigned tries);
static void anew(struct rad_store *rs, const char *key, unsigned tries);

static void ix_end(struct rad_ix *i, int rc)
{
        struct rad_store *rs = i->rs;

        if (i->settle) {
                if (rc == -ECANCELED && i->tries < TRIES)
                        anew(rs, i->key, i->tries + 1);
                rad_background(rs, -1);
        }
        if (i->done)
                i->done(i->arg, rc);
        free(i);
}

/* One of the conditions did not hold and nothing was done: marks go first, settlements one by one. */
static void split(struct shard *s)
{
        struct ri_list marks, rest, *l;

        ri_list_init(&marks);
        ri_list_init(&rest);
        while ((l = ri_list_pop(&s->batch))) {
                struct rad_ix *i = ri_container_of(l, struct rad_ix, link);

                i->alone = i->settle;
                ri_list_add_tail(i->settle ? &rest : &marks, l);
        }
        ri_list_splice_tail(&rest, &s->queue);
        ri_list_splice_tail(&marks, &rest);
        ri_list_splice_tail(&s->queue, &marks);
}

static void flushed(struct rad_req *r)
{
        struct shard *s = r->arg;
        struct ri_list ended, *l;
        bool many = s->batch.next != s->batch.prev;

        s->r = NULL;
        if (r->rc == -ECANCELED && many) {
                split(s);
        } else {
                ri_list_init(&ended);
                ri_list_splice_tail(&ended, &s->batch);
                while ((l = ri_list_pop(&ended)))
                        ix_end(ri_container_of(l, struct rad_ix, link), r->rc);
        }
        flush(s);
}

static size_t gather(struct shard *s)
{
        struct ri_list *l;
        size_t n = 0;

        while (n < BATCH && (l = ri_list_first(&s->queue))) {
                struct rad_ix *i = ri_container_of(l, struct rad_ix, link);

                if (i->alone && n)
                        break;
                ri_list_del(l);
                ri_list_add_tail(&s->batch, l);
                n++;
                if (i->alone)
                        break;
        }
        return n;
}

static void fill_sets(const struct shard *s, rados_write_op_t op, bool settle)
{
        const char *k[BATCH], *v[BATCH];
        size_t kn[BATCH], vn[BATCH], n = 0;

        ri_list_for_each(l, &s->batch)
        {
                const struct rad_ix *i = ri_container_of(l, struct rad_ix, link);

                if (i->settle != settle || i->remove)
                        continue;
                k[n] = i->key;
                kn[n] = strlen(i->key);
                v[n] = (const char *)i->value;
                vn[n++] = RAD_ENTRY_BYTES;
        }
        if (n)
                rados_write_op_omap_set2(op, k, v, kn, vn, n);
}

static void fill(struct shard *s, rados_write_op_t op)
{
        const char *rm_k[BATCH];
        size_t rm_kn[BATCH], rms = 0;

        ri_list_for_each(l, &s->batch)
        {
                struct rad_ix *i = ri_container_of(l, struct rad_ix, link);

                if (i->settle)
                        rados_write_op_omap_cmp2(op, i->key, LIBRADOS_CMPXATTR_OP_EQ, (const char *)i->expect,
                                                 strlen(i->key), RAD_ENTRY_BYTES, NULL);
                if (i->remove) {
                        rm_k[rms] = i->key;
                        rm_kn[rms++] = strlen(i->key);
                }
        }
        if (rms)
                rados_write_op_omap_rm_keys2(op, rm_k, rm_kn, rms);
        /* A mark stands when all is done: the conditions look at what was there before the batch, so a settlement of the same
         * key may be in it, before or behind the mark. */
        fill_sets(s, op, true);
        fill_sets(s, op, false);
}

/* Nothing is written by a number of shards that may not be the namespace's. */

static void fail_all(struct rad_index *ix, int rc)
{
        struct ri_list ended, *l;

        ri_list_init(&ended);
        for (uint32_t i = 0; i < ix->n; i++)
                ri_list_splice_tail(&ended, &ix->shard[i].queue);
        while ((l = ri_list_pop(&ended)))
                ix_end(ri_container_of(l, struct rad_ix, link), rc);
}

static void asked(struct rad_req *r)
{
        struct rad_index *ix = r->arg;
        int rc = rad_layout_said(r);

        ix->ask = rc == -EEXIST ? rad_layout_ask(ix->rs, false, NULL, asked, ix) : NULL;
        if (ix->ask)
                return;
        if (rc < 0)
                fail_all(ix, rc == -EEXIST ? -ENOMEM : rc);
        else
                for (uint32_t i = 0; i < ix->n; i++)
                        flush(&ix->shard[i]);
}

static void make_sure(struct rad_index *ix)
{
        if (!ix->ask)
                ix->ask = rad_layout_ask(ix->rs, true, NULL, asked, ix);
        /* Without memory: the next one that comes by. */
}

static void flush(struct shard *s)
{
        struct rad_store *rs = s->ix->rs;
        char name[RAD_NAME_MAX];

        if (!rs->sure && !ri_list_empty(&s->queue)) {
                make_sure(s->ix);
                return;
        }
        if (s->r || !gather(s))
                return;
        rad_index_name((uint32_t)(s - s->ix->shard), name);
        s->r = rad_req_new(rs, RAD_WRITE_OP, name, NULL, "write the index", flushed, s);
        if (s->r) {
                fill(s, s->r->wop);
                rad_req_go(s->r);
                return;
        }
        /* No memory: they wait for the next one that comes by, and those who wait for them have limits of time. */
        ri_list_splice_tail(&s->batch, &s->queue);
        ri_list_splice_tail(&s->queue, &s->batch);
}

static struct rad_ix *ix_new(struct rad_store *rs, const char *key)
{
        size_t n = strlen(key);
        struct rad_ix *i = calloc(1, sizeof(*i) + n + 1);

        if (!i)
                return NULL;
        i->rs = rs;
        i->shard = rad_shard(key, n, rs->index->n);
        memcpy(i->key, key, n + 1);
        return i;
}

static void ix_go(struct rad_ix *i)
{
        struct shard *s = &i->rs->index->shard[i->shard];

        ri_list_add_tail(&s->queue, &i->link);
        flush(s);
}

struct rad_ix *rad_index_mark(struct rad_store *rs, const char *key, uint8_t value[RAD_ENTRY_BYTES],
                              struct ri_op *op, rad_indexed *done, void *arg)
{
        struct rad_ix *i = ix_new(rs, key);
        struct rad_entry e = { .pending = true, .mtime_ns = rad_now_ns() };

        if (!i || rad_random(e.tag, sizeof(e.tag)) < 0) {
                free(i);
                return NULL;
        }
        rad_entry_encode(&e, i->value);
        memcpy(value, i->value, RAD_ENTRY_BYTES);
        i->done = done;
        i->arg = arg;
        if (op)
                ri_op_waits(op, "the index", rs->io ? rs->io->where : NULL);
        ix_go(i);
        return i;
}

/* Without memory the mark stays, and lists look at the head. */
static void settle(struct rad_store *rs, const char *key, const uint8_t *value, const struct rad_entry *entry,
                   unsigned tries)
{
        struct rad_ix *i = ix_new(rs, key);

        if (!i)
                return;
        i->settle = true;
        i->tries = tries;
        memcpy(i->expect, value, RAD_ENTRY_BYTES);
        i->remove = !entry;
        if (entry)
                rad_entry_encode(entry, i->value);
        rad_background(rs, 1);
        ix_go(i);
}

void rad_index_settle(struct rad_store *rs, const char *key, const uint8_t value[RAD_ENTRY_BYTES],
                      const struct rad_entry *entry)
{
        settle(rs, key, value, entry, 0);
}

/* Making an entry true again */

struct repair {
        struct rad_own own;
        struct rad_store *rs;
        unsigned tries;
        uint8_t value[RAD_ENTRY_BYTES];
        char key[];
};

static void repair_drop(struct rad_own *o)
{
        free(ri_container_of(o, struct repair, own));
}

static struct repair *repair_new(struct rad_store *rs, const char *key, unsigned tries)
{
        size_t n = strlen(key);
        struct repair *p = calloc(1, sizeof(*p) + n + 1);

        if (!p)
                return NULL;
        p->rs = rs;
        p->tries = tries;
        memcpy(p->key, key, n + 1);
        rad_own(rs, &p->own, repair_drop);
        return p;
}

static void repair_end(struct repair *p)
{
        rad_disown(p->rs, &p->own);
        free(p);
}

static void repair_seen(struct rad_req *r)
{
        struct repair *p = r->arg;
        struct rad_seen s;
        struct rad_entry entry;
        struct ri_error e;

        if (rad_head_seen(r, &s, &e) == 0) {
                if (s.there)
                        rad_head_entry(&s.head, &entry);
                settle(p->rs, p->key, p->value, s.there ? &entry : NULL, p->tries);
        }
        repair_end(p);
}

static void repair_look(struct repair *p)
{
        if (!rad_read_head(p->rs, p->key, false, NULL, repair_seen, p))
                repair_end(p);
}

void rad_index_repair(struct rad_store *rs, const char *key, const uint8_t value[RAD_ENTRY_BYTES])
{
        struct repair *p = repair_new(rs, key, 1);

        if (!p)
                return;
        memcpy(p->value, value, RAD_ENTRY_BYTES);
        repair_look(p);
}

static void anew_marked(void *arg, int rc)
{
        struct repair *p = arg;

        if (rc < 0)
                repair_end(p);
        else
                repair_look(p);
}

/* What the head says before the mark is there may be no longer so by then: somebody else can have marked, swapped and settled in
 * between, and that entry is what the mark takes the place of. Without memory the mark stays. */
void rad_index_drop(struct rad_ix *i)
{
        struct repair *p = repair_new(i->rs, i->key, 1);

        i->done = p ? anew_marked : NULL;
        i->arg = p;
        if (p)
                memcpy(p->value, i->value, RAD_ENTRY_BYTES);
}

/* Somebody has changed the entry since we marked it. Whoever that was may have seen the head before our change. */
static void anew(struct rad_store *rs, const char *key, unsigned tries)
{
        struct repair *p = repair_new(rs, key, tries);

        if (p && !rad_index_mark(rs, key, p->value, NULL, anew_marked, p))
                repair_end(p);
}
