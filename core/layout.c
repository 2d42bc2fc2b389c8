/* SPDX-License-Identifier: MIT */
/* roma/layout.h: a store is asked for the pieces of an object. */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/layout.h"

/* Strings in blocks, freed all at once: a layout has thousands of them. */
struct block {
        struct block *next;
        size_t used, room;
        char mem[];
};

struct ri_layout {
        roma_layout pub;
        unsigned refs;
        bool no_memory;
        size_t piece_room, remark_room;
        roma_piece *piece;
        roma_remark *remark;
        struct block *blocks;
};

enum { BLOCK = 16384 };

static struct ri_layout *inner(const roma_layout *pub)
{
        return (struct ri_layout *)((char *)(uintptr_t)pub - offsetof(struct ri_layout, pub));
}

roma_layout *roma_layout_ref(const roma_layout *pub)
{
        inner(pub)->refs++;
        return &inner(pub)->pub;
}

void roma_layout_unref(roma_layout *pub)
{
        struct ri_layout *l = pub ? inner(pub) : NULL;
        struct block *b, *next;

        if (!l || --l->refs)
                return;
        for (size_t i = 0; i < pub->pieces; i++)
                free((void *)(uintptr_t)l->piece[i].copy);
        for (b = l->blocks; b; b = next) {
                next = b->next;
                free(b);
        }
        free(l->piece);
        free(l->remark);
        free(l);
}

roma_layout *ri_layout_new(const char *kind, const char *pool, const char *ns)
{
        struct ri_layout *l = calloc(1, sizeof(*l));

        if (!l)
                return NULL;
        l->refs = 1;
        l->pub.kind = kind;
        l->pub.etag = l->pub.head = "";
        l->pub.pool = ri_layout_text(&l->pub, pool);
        l->pub.ns = ri_layout_text(&l->pub, ns);
        return &l->pub;
}

const char *ri_layout_text(roma_layout *pub, const char *s)
{
        struct ri_layout *l = inner(pub);
        size_t n = strlen(s) + 1;
        struct block *b = l->blocks;
        char *to;

        if (!b || b->room - b->used < n) {
                size_t room = n > BLOCK ? n : BLOCK;

                b = malloc(sizeof(*b) + room);
                if (!b) {
                        l->no_memory = true;
                        return "";
                }
                *b = (struct block){ .next = l->blocks, .room = room };
                l->blocks = b;
        }
        to = b->mem + b->used;
        memcpy(to, s, n);
        b->used += n;
        return to;
}

/* Room for one more of n; the old memory stays when there is none. */
static void *grow(struct ri_layout *l, void *mem, size_t n, size_t *room, size_t size)
{
        size_t more = *room ? *room * 2 : 16;
        void *p;

        if (n < *room)
                return mem;
        p = more > SIZE_MAX / size ? NULL : realloc(mem, more * size);
        if (p)
                *room = more;
        else
                l->no_memory = true;
        return p;
}

roma_piece *ri_layout_piece(roma_layout *pub, uint64_t offset, uint64_t length, const char *name)
{
        struct ri_layout *l = inner(pub);
        roma_piece *p = pub->pieces < RI_LAYOUT_PIECES
                                ? grow(l, l->piece, pub->pieces, &l->piece_room, sizeof(*l->piece))
                                : NULL;

        if (!p) {
                l->no_memory = true;
                return NULL;
        }
        l->piece = p;
        pub->piece = p;
        p += pub->pieces++;
        *p = (roma_piece){ .offset = offset,
                           .length = length,
                           .name = ri_layout_text(pub, name),
                           .group = "",
                           .checksum = "" };
        return p;
}

roma_piece *ri_layout_at(roma_layout *pub, size_t piece)
{
        return &inner(pub)->piece[piece];
}

void ri_layout_copies(roma_layout *pub, size_t piece, const roma_piece_copy *copy, size_t n)
{
        roma_piece *p = ri_layout_at(pub, piece);
        roma_piece_copy *c = calloc(n ? n : 1, sizeof(*c));

        if (!c) {
                inner(pub)->no_memory = true;
                return;
        }
        for (size_t i = 0; i < n; i++) {
                c[i] = copy[i];
                c[i].host = ri_layout_text(pub, copy[i].host);
                c[i].where = ri_layout_text(pub, copy[i].where);
                c[i].address = ri_layout_text(pub, copy[i].address);
        }
        free((void *)(uintptr_t)p->copy);
        p->copy = c;
        p->copies = n;
}

void ri_layout_remark(roma_layout *pub, int weight, const char *kind, int64_t piece, const char *fmt, ...)
{
        struct ri_layout *l = inner(pub);
        roma_remark *r = grow(l, l->remark, pub->remarks, &l->remark_room, sizeof(*l->remark));
        char text[1024];
        va_list ap;

        if (!r)
                return;
        va_start(ap, fmt);
        vsnprintf(text, sizeof(text), fmt, ap);
        va_end(ap);
        l->remark = r;
        pub->remark = r;
        r[pub->remarks++] = (roma_remark){
                .weight = weight, .kind = kind, .piece = piece, .text = ri_layout_text(pub, text)
        };
}

static void payload_unref(void *payload)
{
        roma_layout_unref(payload);
}

void ri_layout_finish(struct ri_op *op, roma_layout *pub)
{
        if (inner(pub)->no_memory) {
                roma_layout_unref(pub);
                ri_op_fail(op, ROMA_ENOMEM, "no memory for the list of its pieces");
                return;
        }
        op->payload = pub;
        op->payload_free = payload_unref;
        op->res.extra = pub;
        ri_op_finish(op);
}

roma_op roma_aio_layout(roma_store *store, const char *key, unsigned flags, const roma_opts *opts,
                        roma_done *done, void *arg)
{
        struct ri_op *op;

        if (ri_loop_enter(store->loop) < 0 || ri_key_check(store, "layout", key) < 0)
                return 0;
        op = ri_op_new(store->loop, store, RI_TRANSFER, "layout", key, opts, done, arg);
        if (!op)
                return 0;
        if (store->be->layout)
                store->be->layout(op, key, flags);
        else
                ri_op_fail(
                        op, ROMA_ENOTSUP,
                        "a %s store does not say of what pieces an object is made; mfs, cephfs, rados and s3 "
                        "stores do",
                        store->be->name);
        return op->id;
}

roma_layout *roma_layout_of(roma_store *store, const char *key, unsigned flags, const roma_opts *opts)
{
        struct ri_wait w;

        if (ri_wait_begin(&w, store->loop) < 0 ||
            ri_wait(&w, roma_aio_layout(store, key, flags, opts, ri_wait_done, &w)) < 0)
                return NULL;
        return roma_layout_ref(store->loop->last->res.extra);
}
