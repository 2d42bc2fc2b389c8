/* SPDX-License-Identifier: MIT */
/* From bytes to values: walks the fields of a layout. Every length is compared with what is left before use. */
#include "table.h"

struct cursor {
        const uint8_t *p;
        size_t left;
};

/* Takes n bytes, or NULL. */
static const uint8_t *take(struct cursor *c, size_t n)
{
        const uint8_t *p = c->p;

        if (n > c->left)
                return NULL;
        c->p += n;
        c->left -= n;
        return p;
}

static uint64_t number(const uint8_t *p, unsigned width)
{
        uint64_t v = 0;

        while (width--)
                v = (v << 8) | *p++;
        return v;
}

bool wire_mul_sum(const struct wire_msg *msg, const struct wire_fdesc *fd, uint64_t *sum)
{
        *sum = 0;
        for (unsigned i = 0; i <= fd->more; i++) {
                const struct wire_val *v = NULL;

                for (const struct wire_msg *m = msg; m && !v; m = m->outer)
                        v = wire_val_find(m, (uint16_t)(fd->ref + i));
                if (!v || !wire_kind_is_number(v->kind))
                        return false;
                *sum += v->u; /* at most 256 values of 32 bits */
        }
        return true;
}

static bool walk_number(struct wire_val *v, const struct wire_fdesc *fd, struct cursor *c)
{
        unsigned width = wire_kind_width(fd->kind);
        const uint8_t *p = take(c, width);

        if (!p)
                return false;
        v->u = number(p, width);
        v->ptr = p;
        v->len = width;
        return (fd->only < 0 || v->u == (uint32_t)fd->only) && v->u >= fd->arg;
}

/* A length of so many bytes and then the bytes. */
static bool walk_counted(struct wire_val *v, struct cursor *c, unsigned width, size_t min)
{
        const uint8_t *p = take(c, width);

        if (!p)
                return false;
        v->len = (size_t)number(p, width);
        v->ptr = take(c, v->len);
        return v->ptr && v->len >= min;
}

static bool walk_ug(struct wire_val *v, struct cursor *c)
{
        const uint8_t *p = take(c, 8);

        if (!p)
                return false;
        v->u = wire_be32(p);
        v->count = wire_be32(p + 4);
        /* gcnt 0 is how servers see the old form, which is a layout of its own */
        if (v->count < 1 || v->count > c->left / 4)
                return false;
        v->len = 4 * (size_t)v->count;
        v->ptr = take(c, v->len);
        return v->ptr != NULL;
}

static bool walk_const(struct wire_val *v, struct cursor *c)
{
        v->len = sizeof(WIRE_REGISTER_BLOB) - 1;
        v->ptr = take(c, v->len);
        return v->ptr && !memcmp(v->ptr, WIRE_REGISTER_BLOB, v->len);
}

static bool walk_plain(struct wire_val *v, struct cursor *c, size_t n)
{
        v->len = n;
        v->ptr = take(c, n);
        return v->ptr != NULL;
}

static bool walk_mul(struct wire_msg *msg, struct wire_val *v, const struct wire_fdesc *fd, struct cursor *c)
{
        uint64_t sum;

        if (!wire_mul_sum(msg, fd, &sum) || sum > c->left / fd->arg)
                return false;
        return walk_plain(v, c, (size_t)sum * fd->arg);
}

static bool walk_fill(struct wire_msg *msg, struct wire_val *v, const struct wire_fdesc *fd, struct cursor *c)
{
        const struct wire_val *size = wire_val_find(msg, fd->ref);
        size_t done;

        if (!size)
                return false;
        done = (size_t)(c->p - ((const uint8_t *)size->ptr + size->len));
        return size->u >= done && size->u - done <= c->left && walk_plain(v, c, (size_t)size->u - done);
}

static bool walk_rest(struct wire_val *v, const struct wire_fdesc *fd, struct cursor *c)
{
        if (c->left < fd->arg || (fd->more && c->left % fd->arg))
                return false;
        return walk_plain(v, c, c->left);
}

static bool walk_name_if(struct wire_msg *msg, struct wire_val *v, const struct wire_fdesc *fd,
                         struct cursor *c)
{
        const struct wire_val *cond = wire_val_find(msg, fd->ref);

        if (!cond)
                return false;
        if (cond->u == fd->arg)
                return walk_counted(v, c, 1, 0);
        msg->nvals--; /* not there */
        return true;
}

/* Walks over all items once, so that wire_group_next() cannot fail later. */
static bool walk_group(struct wire_msg *msg, struct wire_val *v, const struct wire_fdesc *fd,
                       struct cursor *c, unsigned depth)
{
        const struct wire_val *bound = fd->more == WB_END ? NULL : wire_val_find(msg, fd->ref);
        const struct wire_fdesc *list;
        struct cursor in = *c;
        struct wire_msg item;
        uint8_t attrlen = 0;
        size_t used;

        if (depth == 0 || (fd->more != WB_END && !bound))
                return false;
        if (fd->more == WB_SIZE) {
                if (bound->u > c->left)
                        return false;
                in.left = (size_t)bound->u;
        }
        list = wire_form_fields(fd->arg, &attrlen);
        v->u = fd->arg;
        v->ptr = in.p;
        while (fd->more == WB_COUNT ? v->count < bound->u : in.left > 0) {
                wire_item_init(&item);
                item.outer = msg;
                if (!wire_walk(&item, list, attrlen, in.p, in.left, &used, depth - 1) || !take(&in, used))
                        return false;
                if (++v->count == 0)
                        return false;
        }
        v->len = (size_t)(in.p - c->p);
        return take(c, v->len) != NULL;
}

static bool walk_field(struct wire_msg *msg, struct wire_val *v, const struct wire_fdesc *fd, uint8_t attrlen,
                       struct cursor *c, unsigned depth)
{
        switch (fd->kind) {
        case WK_NAME: return walk_counted(v, c, 1, fd->arg);
        case WK_NAME_IF: return walk_name_if(msg, v, fd, c);
        case WK_STR16: return walk_counted(v, c, 2, fd->arg);
        case WK_STR32: return walk_counted(v, c, 4, fd->arg);
        case WK_UG: return walk_ug(v, c);
        case WK_ATTR: return walk_plain(v, c, attrlen);
        case WK_BYTES: return walk_plain(v, c, fd->arg);
        case WK_CONST: return walk_const(v, c);
        case WK_FILL: return walk_fill(msg, v, fd, c);
        case WK_MUL: return walk_mul(msg, v, fd, c);
        case WK_REST: return walk_rest(v, fd, c);
        case WK_GROUP: return walk_group(msg, v, fd, c, depth);
        default: return walk_number(v, fd, c);
        }
}

bool wire_walk(struct wire_msg *msg, const struct wire_fdesc *fields, uint8_t attrlen, const uint8_t *bytes,
               size_t len, size_t *used, unsigned depth)
{
        struct cursor c = { bytes, len };

        msg->nvals = 0;
        for (const struct wire_fdesc *fd = fields; fd->field != WF_NONE; fd++) {
                struct wire_val *v;

                if (msg->nvals == WIRE_MAX_FIELDS)
                        return false;
                v = &msg->vals[msg->nvals++];
                memset(v, 0, sizeof(*v));
                v->field = fd->field;
                v->kind = fd->kind;
                if (!walk_field(msg, v, fd, attrlen, &c, depth))
                        return false;
        }
        *used = len - c.left;
        return true;
}

static bool try_layout(struct wire_msg *msg, const struct wire_layout *l, const uint8_t *bytes, size_t len)
{
        size_t used = 0;

        if (l->dirs && !(l->dirs & msg->dir))
                return false;
        if (wire_layout_min(l) > len ||
            !wire_walk(msg, l->fields, l->attrlen, bytes, len, &used, WIRE_MAX_DEPTH))
                return false;
        if (used != len)
                return false;
        msg->layout = l;
        return true;
}

/* Whether what is known about the peers speaks against a layout. */
static bool plausible(const struct wire_layout *l, const struct wire_ctx *ctx)
{
        struct wire_gate g = l->gate;

        if (!ctx)
                return true;
        if (l->hint && ctx->hint && l->hint != ctx->hint)
                return false;
        if (!ctx->server)
                g.server_from = g.server_to = g.server_hole = 0;
        if (!ctx->client)
                g.client_from = g.client_to = g.client_hole = 0;
        return wire_gate_open(&g, ctx->server, ctx->client);
}

int wire_decode(struct wire_msg *msg, uint32_t type, enum wire_dir dir, const void *payload, size_t len,
                const struct wire_ctx *ctx)
{
        static const uint8_t nothing[1];
        const uint8_t *bytes = payload && len ? payload : nothing;
        const struct wire_packet *p;

        wire_msg_init(msg, type, dir);
        if (!wire_msg_ok(msg))
                return msg->error;
        p = msg->packet;
        /* 0: a status is recognised by its length alone; 1: what the versions promise; 2: what the length allows */
        for (int pass = 0; pass < 3; pass++) {
                for (unsigned i = 0; i < p->nlayouts; i++) {
                        const struct wire_layout *l = &p->layouts[i];
                        bool fits = pass == 0 ? (l->flags & WL_STATUS) != 0 : pass == 2 || plausible(l, ctx);

                        if (fits && try_layout(msg, l, bytes, len))
                                return WIRE_OK;
                }
        }
        msg->nvals = 0;
        wire_fail(msg, WIRE_EFORMAT, WF_NONE);
        return msg->error;
}

bool wire_attr_decode(struct wire_attr *attr, const uint8_t *b, size_t len)
{
        memset(attr, 0, sizeof(*attr));
        if (len != 35 && len != 36)
                return false;
        attr->flags = b[0];
        attr->type = b[1] >> 4;
        attr->mode = wire_be16(b + 1) & 0x0FFF;
        attr->uid = wire_be32(b + 3);
        attr->gid = wire_be32(b + 7);
        attr->atime = wire_be32(b + 11);
        attr->mtime = wire_be32(b + 15);
        attr->ctime = wire_be32(b + 19);
        attr->nlink = wire_be32(b + 23);
        if (attr->type == WIRE_NODE_BLOCKDEV || attr->type == WIRE_NODE_CHARDEV) {
                attr->major = wire_be16(b + 27);
                attr->minor = wire_be16(b + 29);
        } else {
                attr->length = wire_be64(b + 27);
        }
        attr->winattr = len == 36 ? b[35] : 0;
        return true;
}
