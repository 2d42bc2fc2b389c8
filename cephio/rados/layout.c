/* SPDX-License-Identifier: MIT */
/* Of which objects of the pool a key is made: its head, and the pieces that this names. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "cephio/pieces.h"
#include "cephio/rados/raw.h"

struct asking {
        struct ri_op *op;
        struct rad_store *rs;
        struct rad_req *r;
        unsigned flags;
        char key[RAD_KEY_MAX + 1];
};

static struct ri_op *asking_end(struct asking *a)
{
        struct ri_op *op = a->op;

        op->impl = NULL;
        op->cancel = NULL;
        free(a);
        return op;
}

static void asking_cancel(struct ri_op *op)
{
        struct asking *a = op->impl;

        rad_req_drop(a->r);
        asking_end(a);
}

static struct asking *asking_new(struct ri_op *op, const char *key, unsigned flags)
{
        struct asking *a = calloc(1, sizeof(*a));

        if (!a) {
                rad_op_nomem(op);
                return NULL;
        }
        a->op = op;
        a->rs = rad_of(op->store);
        a->flags = flags;
        if (!rad_key(op, key, a->key)) {
                free(a);
                return NULL;
        }
        op->impl = a;
        op->cancel = asking_cancel;
        return a;
}

/* NULL or what is wrong. */
static const char *add_pieces(roma_layout *l, const struct rad_seen *s)
{
        const char *why = NULL;
        struct rad_segment *seg = NULL;
        char name[RAD_NAME_MAX];
        uint64_t at = 0;
        size_t n = 0;

        if (rad_segments_decode(s->data, s->data_len, s->head.size, &seg, &n, &why) < 0)
                return why;
        for (size_t i = 0; i < n && !why; i++) {
                uint64_t left = seg[i].length;

                for (uint32_t k = 0; left && !why; k++) {
                        uint64_t len = left < seg[i].piece_size ? left : seg[i].piece_size;

                        rad_piece_name(seg[i].gen, k, name);
                        if (!ri_layout_piece(l, at, len, name))
                                why = "it has too many pieces to be listed";
                        at += len;
                        left -= len;
                }
        }
        l->object_size = n ? seg[0].piece_size : 0;
        free(seg);
        return why;
}

static void go(struct asking *a, roma_layout *l)
{
        const struct rad_opts *o = a->rs->o;
        const struct ceph_where where = { o->pool,    o->ns,        o->conf, o->client,
                                          o->keyring, o->connect_s, o->osd_s };
        unsigned flags = a->flags;

        ceph_pieces_ask(asking_end(a), l, &where, flags, false);
}

static void head_done(struct rad_req *r)
{
        struct asking *a = r->arg;
        struct rad_seen s;
        struct ri_error e;
        const char *why = NULL;
        char hex[RAD_HEX];
        roma_layout *l;

        if (rad_head_seen(r, &s, &e) < 0) {
                ri_op_fail_error(asking_end(a), &e);
                return;
        }
        if (!s.there) {
                rad_req_fail(r, asking_end(a));
                return;
        }
        l = ri_layout_new("rados", a->rs->o->pool, a->rs->o->ns);
        if (!l) {
                free(s.data);
                rad_op_nomem(asking_end(a));
                return;
        }
        rad_hex(s.head.content, hex);
        l->etag = ri_layout_text(l, hex);
        l->head = ri_layout_text(l, r->oid);
        l->length = s.head.size;
        l->whole_known = 1;
        l->whole_crc = s.head.crc;
        if (s.head.flags & RAD_HEAD_SEGMENTS)
                why = add_pieces(l, &s);
        else
                (void)ri_layout_piece(l, 0, s.head.size, r->oid);
        free(s.data);
        if (!why) {
                go(a, l);
                return;
        }
        roma_layout_unref(l);
        ri_op_fail(asking_end(a), ROMA_ECORRUPT, "the list of its pieces cannot be read: %s", why);
}

void rad_layout_of(struct ri_op *op, const char *key, unsigned flags)
{
        struct asking *a = asking_new(op, key, flags);

        if (!a)
                return;
        a->r = rad_read_head(a->rs, a->key, true, op, head_done, a);
        if (!a->r)
                rad_op_nomem(asking_end(a));
}

static void plain_done(struct rad_req *r)
{
        struct asking *a = r->arg;
        roma_layout *l;

        if (r->rc < 0) {
                rad_req_fail(r, asking_end(a));
                return;
        }
        l = ri_layout_new("rados-raw", a->rs->o->pool, a->rs->o->ns);
        if (!l) {
                rad_op_nomem(asking_end(a));
                return;
        }
        l->length = r->size;
        (void)ri_layout_piece(l, 0, r->size, r->oid);
        go(a, l);
}

void rad_raw_layout_of(struct ri_op *op, const char *key, unsigned flags)
{
        struct asking *a = asking_new(op, key, flags);

        if (!a)
                return;
        a->r = rad_req_new(a->rs, RAD_STAT, a->key, op, "stat", plain_done, a);
        if (a->r)
                rad_req_go(a->r);
        else
                rad_op_nomem(asking_end(a));
}
