/* SPDX-License-Identifier: MIT */
/* One change of one head: look, note what becomes garbage, mark the index, swap the head if it is still what was seen,
 * settle the index. Whoever loses a race looks again. doc/rados-layout.md says why in this order. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cephio/rados/rados.h"

enum { TRIES = 100, CALM = 3, BACK_OFF_MS = 40 };

struct rad_change {
        struct rad_own own; /* when it is dropped */
        struct rad_store *rs;
        struct ri_op *op; /* NULL: dropped, or never had one */
        const struct rad_change_ops *ops;
        void *arg;
        bool remove, replaces, dropped, swapping, marked;
        size_t weight;
        unsigned tries;
        uint64_t send_by; /* the swap */
        struct rad_seen seen;
        struct rad_segment *old; /* pieces that nobody will name any more */
        size_t n_old, noted;
        struct rad_head now;
        uint8_t mark[RAD_ENTRY_BYTES];
        struct rad_ix *ix;
        struct rad_req *r;
        struct ri_timer back_off;
        char key[RAD_KEY_MAX + 1];
};

static void look(struct rad_change *c);
static void mark(struct rad_change *c);

static void seen_clear(struct rad_change *c)
{
        free(c->seen.data);
        free(c->old);
        c->seen.data = NULL;
        c->old = NULL;
        c->n_old = c->noted = 0;
}

static void change_free(struct rad_change *c)
{
        ri_timer_stop(&c->back_off);
        seen_clear(c);
        free(c);
}

static void change_drop(struct rad_own *o)
{
        change_free(ri_container_of(o, struct rad_change, own));
}

static void end(struct rad_change *c, const struct ri_error *e)
{
        if (!c->dropped)
                c->ops->done(c->arg, &c->seen, c->remove ? NULL : &c->now, e);
        else
                rad_disown(c->rs, &c->own);
        change_free(c);
}

/* What stands in the index is no more than a mark. */
static void repair(struct rad_change *c)
{
        if (c->marked)
                rad_index_repair(c->rs, c->key, c->mark);
        c->marked = false;
}

static void fail(struct rad_change *c, const struct ri_error *e)
{
        repair(c);
        end(c, e);
}

static void fail_nomem(struct rad_change *c)
{
        struct ri_error e;

        ri_error_set(&e, ROMA_ENOMEM, NULL, "no memory for the request");
        fail(c, &e);
}

/* Swapping */

static void success(struct rad_change *c)
{
        struct rad_entry entry;

        rad_head_entry(&c->now, &entry);
        rad_index_settle(c->rs, c->key, c->mark, c->remove ? NULL : &entry);
        c->marked = false;
        if (c->replaces)
                for (size_t i = 0; i < c->n_old; i++)
                        if (c->remove || !c->rs->o->keep_ms)
                                rad_gc_remove(c->rs, c->old[i].gen,
                                              (c->old[i].length - 1) / c->old[i].piece_size + 1, NULL, NULL);
        end(c, NULL);
}

static void back_off_over(struct ri_timer *t)
{
        look(ri_container_of(t, struct rad_change, back_off));
}

static void again(struct rad_change *c)
{
        struct ri_error e;
        uint16_t n = 0;

        if (++c->tries >= TRIES) {
                ri_error_set(&e, ROMA_EBUSY, NULL, "others change the object all the time; try again later");
                e.flags = ROMA_RETRIABLE;
                fail(c, &e);
                return;
        }
        if (c->op)
                c->op->tries++;
        if (c->tries < CALM) {
                look(c);
                return;
        }
        (void)rad_random(&n, sizeof(n));
        c->back_off.fire = back_off_over;
        if (ri_timer_start(c->rs->loop, &c->back_off, 1 + n % BACK_OFF_MS) < 0)
                look(c);
}

static bool race_lost(int rc)
{
        return rc == -ECANCELED || rc == -EEXIST || rc == -ENOENT || rc == -ENODATA;
}

static bool unknown(int rc)
{
        return rc == -ETIMEDOUT || rc == -ESHUTDOWN || rc == -ENOTCONN;
}

static void swap_done(struct rad_req *r)
{
        struct rad_change *c = r->arg;
        struct ri_error e;

        c->r = NULL;
        c->swapping = false;
        if (r->rc >= 0) {
                success(c);
                return;
        }
        /* Nobody waits for it any more, and whoever asked for it is gone. */
        if (race_lost(r->rc) && c->dropped) {
                repair(c);
                rad_disown(c->rs, &c->own);
                change_free(c);
                return;
        }
        if (race_lost(r->rc)) {
                if (c->op)
                        c->op->outcome = ROMA_NOT_DONE;
                again(c);
                return;
        }
        rad_req_error(r, &e);
        if (unknown(r->rc)) {
                e.outcome = ROMA_UNKNOWN;
                c->marked = false; /* stays marked: the head may yet change */
        } else if (c->op) {
                c->op->outcome = ROMA_NOT_DONE;
        }
        fail(c, &e);
}

static void swap(struct rad_change *c)
{
        char name[RAD_NAME_MAX];
        uint8_t blob[RAD_HEAD_BYTES];
        rados_write_op_t op;

        rad_head_name(c->key, name);
        c->r = rad_req_new(c->rs, RAD_WRITE_OP, name, c->op, c->remove ? "remove" : "write", swap_done, c);
        if (!c->r || rad_random(c->now.rev, RAD_ID) < 0) {
                rad_req_free(c->r);
                c->r = NULL;
                fail_nomem(c);
                return;
        }
        op = c->r->wop;
        c->r->weight = c->weight;
        c->r->send_by = c->send_by;
        if (c->seen.there)
                rados_write_op_cmpxattr(op, "roma", LIBRADOS_CMPXATTR_OP_EQ, (const char *)c->seen.blob,
                                        RAD_HEAD_BYTES);
        else
                rados_write_op_create(op, LIBRADOS_CREATE_EXCLUSIVE, NULL);
        if (c->remove) {
                rados_write_op_remove(op);
        } else {
                uint8_t rev[RAD_ID];

                memcpy(rev, c->now.rev, RAD_ID);
                if (c->seen.there)
                        c->now = c->seen.head;
                else
                        memset(&c->now, 0, sizeof(c->now));
                memcpy(c->now.rev, rev, RAD_ID);
                c->ops->build(c->arg, &c->seen, op, &c->now);
                rad_head_encode(&c->now, blob);
                rados_write_op_setxattr(op, "roma", (const char *)blob, RAD_HEAD_BYTES);
        }
        if (c->op)
                c->op->outcome = ROMA_UNKNOWN;
        c->swapping = true;
        rad_req_go(c->r);
}

/* Marking */

static void marked(void *arg, int rc)
{
        struct rad_change *c = arg;
        struct ri_error e;

        c->ix = NULL;
        if (rc >= 0) {
                c->marked = true;
                c->send_by = 0;
                if (!c->ops->ready || c->ops->ready(c->arg, c->tries, &c->send_by))
                        swap(c);
                return;
        }
        rad_error(&e, rc, "write the index entry of", c->key, c->rs->io ? c->rs->io->where : NULL);
        if (rc == -ENOTCONN && c->rs->broken.code)
                e = c->rs->broken;
        end(c, &e);
}

static void mark(struct rad_change *c)
{
        c->ix = rad_index_mark(c->rs, c->key, c->mark, c->op, marked, c);
        if (!c->ix)
                fail_nomem(c);
}

/* Noting what becomes garbage, before it does: a crash in between leaves an entry that gc finds to be alive. */

static void note(struct rad_change *c);

static void noted(struct rad_req *r)
{
        struct rad_change *c = r->arg;
        struct ri_error e;

        c->r = NULL;
        if (r->rc < 0) {
                rad_req_error(r, &e);
                fail(c, &e);
                return;
        }
        c->noted++;
        note(c);
}

static void note(struct rad_change *c)
{
        const struct rad_segment *s;
        struct rad_gc g;

        if (c->noted == c->n_old) {
                mark(c);
                return;
        }
        s = &c->old[c->noted];
        g = (struct rad_gc){ .state = RAD_GC_DEAD,
                             .time_ns = rad_now_ns(),
                             .piece_size = s->piece_size,
                             .pieces = (uint32_t)((s->length - 1) / s->piece_size + 1),
                             .key = c->key,
                             .key_len = strlen(c->key) };
        c->r = rad_gc_set(c->rs, s->gen, &g, NULL, 0, c->op, noted, c);
        if (!c->r)
                fail_nomem(c);
}

/* Looking */

static void decide(struct rad_change *c)
{
        struct ri_error e;
        int r;

        memset(&e, 0, sizeof(e));
        r = c->ops->decide(c->arg, &c->seen, &e);
        if (r < 0)
                fail(c, &e);
        else if (r == 0)
                repair(c), end(c, NULL);
        else
                note(c);
}

/* The swap whose answer was lost was done after all. A content is known by its number also when gc, or whoever sets
 * attributes, has changed the head since. */
static bool is_ours(const struct rad_change *c)
{
        if (!c->tries || !c->seen.there || c->remove)
                return false;
        return memcmp(c->seen.head.rev, c->now.rev, RAD_ID) == 0 ||
               (c->replaces && memcmp(c->seen.head.content, c->now.content, RAD_ID) == 0);
}

static void looked(struct rad_req *r)
{
        struct rad_change *c = r->arg;
        struct ri_error e;
        const char *why = "";

        c->r = NULL;
        seen_clear(c);
        if (rad_head_seen(r, &c->seen, &e) < 0) {
                fail(c, &e);
                return;
        }
        if (is_ours(c)) {
                success(c);
                return;
        }
        if (!c->replaces || !c->seen.there || !(c->seen.head.flags & RAD_HEAD_SEGMENTS)) {
                decide(c);
                return;
        }
        if (!c->seen.data) {
                c->r = rad_read_head(c->rs, c->key, true, c->op, looked, c);
                if (!c->r)
                        fail_nomem(c);
                return;
        }
        if (rad_segments_decode(c->seen.data, c->seen.data_len, c->seen.head.size, &c->old, &c->n_old, &why) <
            0) {
                ri_error_set(&e, ROMA_ECORRUPT, NULL, "the list of its pieces cannot be read: %s", why);
                fail(c, &e);
                return;
        }
        decide(c);
}

static void look(struct rad_change *c)
{
        c->r = rad_read_head(c->rs, c->key, false, c->op, looked, c);
        if (!c->r)
                fail_nomem(c);
}

struct rad_change *rad_change_new(struct rad_store *rs, const char *key, bool remove, bool replaces,
                                  size_t weight, struct ri_op *op, const struct rad_change_ops *ops,
                                  void *arg)
{
        struct rad_change *c = calloc(1, sizeof(*c));

        if (!c)
                return NULL;
        c->rs = rs;
        c->op = op;
        c->ops = ops;
        c->arg = arg;
        c->remove = remove;
        c->replaces = replaces;
        c->weight = weight;
        snprintf(c->key, sizeof(c->key), "%s", key);
        return c;
}

void rad_change_go(struct rad_change *c, bool guess)
{
        if (guess)
                mark(c);
        else
                look(c);
}

void rad_change_go_on(struct rad_change *c, uint64_t send_by)
{
        c->send_by = send_by;
        swap(c);
}

void rad_change_stop(struct rad_change *c, const struct ri_error *e)
{
        fail(c, e);
}

bool rad_change_drop(struct rad_change *c)
{
        bool swapping = c->swapping;

        c->op = NULL;
        if (swapping) {
                c->dropped = true;
                rad_own(c->rs, &c->own, change_drop);
                c->r->op = NULL;
                return true;
        }
        if (c->ix)
                rad_index_drop(c->ix);
        else
                repair(c);
        if (c->r)
                rad_req_drop(c->r);
        change_free(c);
        return false;
}
