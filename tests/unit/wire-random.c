/* SPDX-License-Identifier: MIT */
/* Walks a field list and makes up a value for each field, keeping counts and sizes consistent. */
#include "wire-random.h"

#include <stdlib.h>

void wire_random_init(struct wire_random *r, uint64_t seed)
{
        r->state = seed * UINT64_C(0x9E3779B97F4A7C15) + 1;
        r->used = 0;
}

uint64_t wire_random_u64(struct wire_random *r)
{
        r->state ^= r->state << 13;
        r->state ^= r->state >> 7;
        r->state ^= r->state << 17;
        return r->state;
}

uint32_t wire_random_below(struct wire_random *r, uint32_t limit)
{
        return (uint32_t)(wire_random_u64(r) >> 32) % limit;
}

static uint8_t *alloc(struct wire_random *r, size_t n)
{
        uint8_t *p = r->pool + r->used;

        if (n > sizeof(r->pool) - r->used)
                abort();
        r->used += n;
        return p;
}

static const uint8_t *bytes(struct wire_random *r, size_t n)
{
        uint8_t *p = alloc(r, n);

        for (size_t i = 0; i < n; i++)
                p[i] = (uint8_t)wire_random_u64(r);
        return p;
}

static bool is_number(const struct wire_fdesc *fd)
{
        return fd->kind <= WK_U64;
}

static bool sized_by(const struct wire_fdesc *fd, uint16_t field)
{
        return fd->kind == WK_MUL && field >= fd->ref && field <= fd->ref + fd->more;
}

/* Whether a number sizes a field of this list or of an item in it, so that it must stay small. */
static bool sizes_something(const struct wire_fdesc *list, uint16_t field)
{
        for (; list->field != WF_NONE; list++) {
                if (sized_by(list, field))
                        return true;
                if (list->kind == WK_GROUP && sizes_something(wire_form_fields(list->arg, NULL), field))
                        return true;
        }
        return false;
}

static uint64_t random_number(struct wire_random *r, const struct wire_fdesc *list,
                              const struct wire_fdesc *fd)
{
        static const unsigned bits[] = { 8, 16, 24, 32, 64 };
        uint64_t v = wire_random_u64(r) >> (64 - bits[fd->kind]);

        if (fd->only >= 0)
                return (uint64_t)fd->only;
        if (sizes_something(list, fd->field))
                return wire_random_below(r, 4);
        if (wire_random_below(r, 4) == 0)
                v &= 3;
        return v < fd->arg ? fd->arg : v;
}

static void fill_list(struct wire_random *r, struct wire_msg *msg, const struct wire_fdesc *list,
                      uint8_t attrlen);

static void fill_group(struct wire_random *r, struct wire_msg *msg, const struct wire_fdesc *fd)
{
        uint32_t n = wire_random_below(r, 4);
        struct wire_group g;
        uint8_t attrlen = 0;
        const struct wire_fdesc *list = wire_form_fields(fd->arg, &attrlen);
        uint8_t *room = alloc(r, 8192);

        wire_group_init(&g, fd->arg, room, 8192);
        for (uint32_t i = 0; i < n; i++) {
                struct wire_msg item;

                wire_item_init(&item);
                item.outer = msg;
                fill_list(r, &item, list, attrlen);
                if (wire_group_add(&g, &item) != WIRE_OK)
                        abort();
        }
        if (fd->more == WB_COUNT)
                wire_set_u(msg, fd->ref, g.count);
        if (fd->more == WB_SIZE)
                wire_set_u(msg, fd->ref, g.len);
        wire_set_group(msg, fd->field, &g);
}

static void fill_ug(struct wire_random *r, struct wire_msg *msg)
{
        uint32_t n = 1 + wire_random_below(r, 6);
        uint32_t *gids;

        r->used = (r->used + 7) & ~(size_t)7;
        gids = (uint32_t *)(void *)alloc(r, n * sizeof(*gids));
        for (uint32_t i = 0; i < n; i++)
                gids[i] = (uint32_t)wire_random_u64(r);
        wire_set_ug(msg, (uint32_t)wire_random_u64(r), gids, n);
}

static void fill_mul(struct wire_random *r, struct wire_msg *msg, const struct wire_fdesc *fd)
{
        uint64_t sum = 0;

        for (unsigned i = 0; i <= fd->more; i++) {
                const struct wire_msg *m = msg;

                while (m && !wire_has(m, fd->ref + i))
                        m = m->outer;
                sum += m ? wire_get_u_or(m, fd->ref + i, 0) : 0;
        }
        wire_set_bytes(msg, fd->field, bytes(r, (size_t)sum * fd->arg), (size_t)sum * fd->arg);
}

/* A record with its own size in front: the size counts what follows it. */
static void fill_fill(struct wire_random *r, struct wire_msg *msg, const struct wire_fdesc *list,
                      const struct wire_fdesc *end)
{
        size_t rest = wire_random_below(r, 5), size = rest, len;

        for (const struct wire_fdesc *fd = list + 1; fd < end; fd++) {
                static const unsigned width[] = { 1, 2, 3, 4, 8 };

                if (is_number(fd)) {
                        size += width[fd->kind];
                } else {
                        wire_get_bytes(msg, fd->field, &len);
                        size += len + (fd->kind == WK_NAME);
                }
        }
        wire_set_bytes(msg, end->field, bytes(r, rest), rest);
        wire_set_u(msg, end->ref, size);
}

static void fill_text(struct wire_random *r, struct wire_msg *msg, const struct wire_fdesc *fd, uint32_t max)
{
        size_t n = fd->arg + wire_random_below(r, wire_random_below(r, 8) ? 12 : max);

        wire_set_bytes(msg, fd->field, bytes(r, n), n);
}

static void fill_field(struct wire_random *r, struct wire_msg *msg, const struct wire_fdesc *list,
                       const struct wire_fdesc *fd, uint8_t attrlen)
{
        size_t n;

        switch (fd->kind) {
        case WK_NAME:
        case WK_STR16:
        case WK_STR32: fill_text(r, msg, fd, 256); break;
        case WK_NAME_IF:
                if (wire_random_below(r, 2)) {
                        wire_set_u(msg, fd->ref, fd->arg);
                        wire_set_bytes(msg, fd->field, bytes(r, 9), 9);
                } else if (wire_get_u(msg, fd->ref) == fd->arg) {
                        wire_set_u(msg, fd->ref, 1);
                }
                break;
        case WK_UG: fill_ug(r, msg); break;
        case WK_ATTR: {
                /* an item's attr is copied at once, a packet's later: the pool keeps it */
                struct wire_attr *a;

                r->used = (r->used + 7) & ~(size_t)7;
                a = (struct wire_attr *)(void *)alloc(r, sizeof(*a));
                if (!wire_attr_decode(a, bytes(r, 36), attrlen))
                        abort();
                wire_set_attr(msg, a);
                break;
        }
        case WK_BYTES: wire_set_bytes(msg, fd->field, bytes(r, fd->arg), fd->arg); break;
        case WK_CONST: break;
        case WK_FILL: fill_fill(r, msg, list, fd); break;
        case WK_MUL: fill_mul(r, msg, fd); break;
        case WK_REST:
                n = fd->more ? fd->arg * (size_t)(1 + wire_random_below(r, 3))
                             : fd->arg + wire_random_below(r, 40);
                wire_set_bytes(msg, fd->field, bytes(r, n), n);
                break;
        case WK_GROUP: fill_group(r, msg, fd); break;
        default: wire_set_u(msg, fd->field, random_number(r, list, fd));
        }
}

static void fill_list(struct wire_random *r, struct wire_msg *msg, const struct wire_fdesc *list,
                      uint8_t attrlen)
{
        for (const struct wire_fdesc *fd = list; fd->field != WF_NONE; fd++)
                fill_field(r, msg, list, fd, attrlen);
}

void wire_random_fill(struct wire_random *r, struct wire_msg *msg, const struct wire_packet *p,
                      const struct wire_layout *l, enum wire_dir dir)
{
        r->used = 0;
        wire_msg_init(msg, p->type, dir);
        msg->layout = l;
        fill_list(r, msg, l->fields, l->attrlen);
}
