/* SPDX-License-Identifier: MIT */
/* From values to bytes: chooses a layout that the peer understands and writes its fields. */
#include "table.h"

/* Where the bytes go. Without a buffer only the size is counted. */
struct out {
        uint8_t *buf;
        size_t cap;
        size_t len;
        int error;
};

static void put(struct out *o, const void *bytes, size_t n)
{
        if (o->error != WIRE_OK || n == 0)
                return;
        if (o->buf) {
                if (n > o->cap - o->len) {
                        o->error = WIRE_ESPACE;
                        return;
                }
                memcpy(o->buf + o->len, bytes, n);
        } else if (n > SIZE_MAX / 2 - o->len) {
                o->error = WIRE_ELIMIT;
                return;
        }
        o->len += n;
}

static void put_number(struct out *o, uint64_t v, unsigned width)
{
        uint8_t be[8];

        for (unsigned i = 0; i < width; i++)
                be[i] = (uint8_t)(v >> (8 * (width - 1 - i)));
        put(o, be, width);
}

/* ---- one field: does the value fit, and its bytes --------------------------------------------------------- */

static int check_number(const struct wire_fdesc *fd, const struct wire_val *v)
{
        unsigned width = wire_kind_width(fd->kind);

        if (!wire_kind_is_number(v->kind))
                return WIRE_EKIND;
        return width < 8 && v->u >> (8 * width) ? WIRE_ERANGE : WIRE_OK;
}

static bool bytes_like(const struct wire_val *v)
{
        return !wire_kind_is_number(v->kind) && v->kind != WK_GROUP && v->kind != WK_UG && v->kind != WK_ATTR;
}

static int check_length(const struct wire_fdesc *fd, const struct wire_val *v)
{
        static const size_t max[] = { [WK_NAME] = UINT8_MAX,
                                      [WK_NAME_IF] = UINT8_MAX,
                                      [WK_STR16] = UINT16_MAX,
                                      [WK_STR32] = UINT32_MAX };
        size_t min = fd->kind == WK_NAME_IF ? 0 : fd->arg;

        return v->len < min || v->len > max[fd->kind] ? WIRE_ERANGE : WIRE_OK;
}

static int check_rest(const struct wire_fdesc *fd, const struct wire_val *v)
{
        return v->len < fd->arg || (fd->more && v->len % fd->arg) ? WIRE_ERANGE : WIRE_OK;
}

static int check_mul(const struct wire_msg *msg, const struct wire_fdesc *fd, const struct wire_val *v)
{
        uint64_t sum;

        /* an item that is collected before its packet may not see the number that sizes it */
        if (!wire_mul_sum(msg, fd, &sum))
                return msg->packet ? WIRE_EMISSING : WIRE_OK;
        return v->len % fd->arg || v->len / fd->arg != sum ? WIRE_ERANGE : WIRE_OK;
}

static int check_group(const struct wire_msg *msg, const struct wire_fdesc *fd, const struct wire_val *v)
{
        const struct wire_val *bound = wire_val_find(msg, fd->ref);

        if (v->kind != WK_GROUP)
                return WIRE_EKIND;
        if (v->u != fd->arg)
                return WIRE_EVERSION;
        if (fd->more == WB_COUNT && (!bound || bound->u != v->count))
                return WIRE_ERANGE;
        return fd->more == WB_SIZE && (!bound || bound->u != v->len) ? WIRE_ERANGE : WIRE_OK;
}

/* Whether a value can be written as this field. */
static int check_value(const struct wire_msg *msg, const struct wire_fdesc *fd, const struct wire_val *v)
{
        if (wire_kind_is_number(fd->kind))
                return check_number(fd, v);
        if (fd->kind == WK_GROUP)
                return check_group(msg, fd, v);
        if (fd->kind == WK_UG || fd->kind == WK_ATTR)
                return v->kind == fd->kind ? WIRE_OK : WIRE_EKIND;
        if (!bytes_like(v))
                return WIRE_EKIND;
        switch (fd->kind) {
        case WK_BYTES: return v->len == fd->arg ? WIRE_OK : WIRE_ERANGE;
        case WK_MUL: return check_mul(msg, fd, v);
        case WK_REST: return check_rest(fd, v);
        case WK_FILL: return WIRE_OK; /* compared with its size when it is written */
        case WK_CONST:
                return v->len == sizeof(WIRE_REGISTER_BLOB) - 1 && !memcmp(v->ptr, WIRE_REGISTER_BLOB, v->len)
                               ? WIRE_OK
                               : WIRE_ERANGE;
        default: return check_length(fd, v);
        }
}

static void put_ug(struct out *o, const struct wire_val *v)
{
        put_number(o, v->u, 4);
        put_number(o, v->count, 4);
        if (!v->host) {
                put(o, v->ptr, v->len);
                return;
        }
        for (uint32_t i = 0; i < v->count; i++) {
                uint32_t gid;

                memcpy(&gid, (const uint8_t *)v->ptr + sizeof(gid) * i, sizeof(gid));
                put_number(o, gid, 4);
        }
}

void wire_attr_encode(const struct wire_attr *attr, uint8_t *b, size_t len)
{
        b[0] = attr->flags;
        wire_put16(b + 1, (uint16_t)((attr->type << 12) | (attr->mode & 0x0FFF)));
        wire_put32(b + 3, attr->uid);
        wire_put32(b + 7, attr->gid);
        wire_put32(b + 11, attr->atime);
        wire_put32(b + 15, attr->mtime);
        wire_put32(b + 19, attr->ctime);
        wire_put32(b + 23, attr->nlink);
        if (attr->type == WIRE_NODE_BLOCKDEV || attr->type == WIRE_NODE_CHARDEV) {
                wire_put16(b + 27, attr->major);
                wire_put16(b + 29, attr->minor);
                wire_put32(b + 31, 0);
        } else {
                wire_put64(b + 27, attr->length);
        }
        if (len == 36)
                b[35] = attr->winattr;
}

static void put_attr(struct out *o, const struct wire_val *v, uint8_t attrlen)
{
        struct wire_attr attr;
        uint8_t bytes[36];

        if (!v->host && v->len == attrlen) {
                put(o, v->ptr, v->len);
                return;
        }
        if (v->host)
                memcpy(&attr, v->ptr, sizeof(attr));
        else if (!wire_attr_decode(&attr, v->ptr, v->len))
                o->error = WIRE_EKIND;
        if (o->error != WIRE_OK)
                return;
        wire_attr_encode(&attr, bytes, attrlen);
        put(o, bytes, attrlen);
}

static void put_value(struct out *o, const struct wire_fdesc *fd, const struct wire_val *v, uint8_t attrlen)
{
        switch (fd->kind) {
        case WK_NAME:
        case WK_NAME_IF:
                put_number(o, v->len, 1);
                put(o, v->ptr, v->len);
                break;
        case WK_STR16:
                put_number(o, v->len, 2);
                put(o, v->ptr, v->len);
                break;
        case WK_STR32:
                put_number(o, v->len, 4);
                put(o, v->ptr, v->len);
                break;
        case WK_UG: put_ug(o, v); break;
        case WK_ATTR: put_attr(o, v, attrlen); break;
        case WK_BYTES:
        case WK_CONST:
        case WK_FILL:
        case WK_MUL:
        case WK_REST:
        case WK_GROUP: put(o, v->ptr, v->len); break;
        default: put_number(o, v->u, wire_kind_width(fd->kind));
        }
}

/* ---- one field list --------------------------------------------------------------------------------------- */

/* NAME_IF and FILL may be absent, the blob is known. */
static bool may_be_unset(const struct wire_msg *msg, const struct wire_fdesc *fd)
{
        const struct wire_val *cond;

        if (fd->kind == WK_CONST || fd->kind == WK_FILL)
                return true;
        if (fd->kind != WK_NAME_IF)
                return false;
        cond = wire_val_find(msg, fd->ref);
        return cond && cond->u != fd->arg;
}

static void put_unset(struct out *o, const struct wire_fdesc *fd)
{
        if (fd->kind == WK_CONST)
                put(o, WIRE_REGISTER_BLOB, sizeof(WIRE_REGISTER_BLOB) - 1);
}

/* A record that begins with its own size must have it. Only meaningful where a FILL ends the record. */
static int check_fill(const struct wire_msg *msg, const struct wire_fdesc *fd, const struct out *o,
                      size_t ref_end)
{
        const struct wire_val *size = wire_val_find(msg, fd->ref);

        return size && size->u == o->len - ref_end ? WIRE_OK : WIRE_ERANGE;
}

/* Writes the fields; values were checked. */
static void put_fields(struct wire_msg *msg, const struct wire_fdesc *fields, uint8_t attrlen, struct out *o)
{
        size_t first_end = 0; /* behind the first field, which is what sizes a record */

        for (const struct wire_fdesc *fd = fields; fd->field != WF_NONE && o->error == WIRE_OK; fd++) {
                const struct wire_val *v = wire_val_find(msg, fd->field);

                if (v && !(fd->kind == WK_NAME_IF && may_be_unset(msg, fd)))
                        put_value(o, fd, v, attrlen);
                else
                        put_unset(o, fd);
                if (fd == fields)
                        first_end = o->len;
                if (fd->kind == WK_FILL && o->error == WIRE_OK)
                        o->error = check_fill(msg, fd, o, first_end);
        }
}

/* Whether all fields are set and their values fit. Sets *field to the one that does not. */
static int check_fields(const struct wire_msg *msg, const struct wire_fdesc *fields, uint16_t *field)
{
        for (const struct wire_fdesc *fd = fields; fd->field != WF_NONE; fd++) {
                const struct wire_val *v = wire_val_find(msg, fd->field);
                int error = WIRE_OK;

                *field = fd->field;
                if (!v && !may_be_unset(msg, fd))
                        return WIRE_EMISSING;
                if (v)
                        error = check_value(msg, fd, v);
                if (error != WIRE_OK)
                        return error;
                /* the layout stands for another value, another layout may do */
                if (v && wire_kind_is_number(fd->kind) &&
                    ((fd->only >= 0 && v->u != (uint32_t)fd->only) || v->u < fd->arg))
                        return WIRE_EFORMAT;
        }
        *field = WF_NONE;
        return WIRE_OK;
}

/* ---- choosing a layout ------------------------------------------------------------------------------------ */

static bool has_field(const struct wire_fdesc *fields, uint16_t field)
{
        for (; fields->field != WF_NONE; fields++) {
                if (fields->field == field)
                        return true;
        }
        return false;
}

/* A value that may be left out: the default, or one that older peers do without. */
static bool droppable(const struct wire_packet *p, const struct wire_val *v)
{
        if (wire_kind_is_number(v->kind) && v->u == 0)
                return true;
        for (unsigned i = 0; i < WIRE_MAX_DROP; i++) {
                if (p->drop[i] == v->field)
                        return true;
        }
        return false;
}

/* The first value that this layout would lose, or WF_NONE. */
static uint16_t lost_field(const struct wire_msg *msg, const struct wire_layout *l)
{
        for (unsigned i = 0; i < msg->nvals; i++) {
                const struct wire_val *v = &msg->vals[i];

                if (!has_field(l->fields, v->field) && !droppable(msg->packet, v))
                        return v->field;
        }
        return WF_NONE;
}

/* Why a layout does not do. Of all layouts the one that came closest explains the failure best. */
struct reason {
        int error;
        uint16_t field;
        int rank;
};

static struct reason try_layout(const struct wire_msg *msg, const struct wire_layout *l,
                                const struct wire_ctx *ctx)
{
        struct reason r = { WIRE_ETYPE, WF_NONE, 0 };

        if (l->dirs && !(l->dirs & msg->dir))
                return r;
        r.error = check_fields(msg, l->fields, &r.field);
        if (r.error != WIRE_OK) {
                /* what is set rules a layout out, or it is a mere status: says little about what was meant */
                r.rank = r.error == WIRE_EFORMAT || (l->flags & WL_STATUS) ? 1
                         : r.error == WIRE_EMISSING                        ? 2
                                                                           : 3;
                return r;
        }
        if (!wire_gate_open(&l->gate, ctx ? ctx->server : 0, ctx ? ctx->client : 0))
                return (struct reason){ WIRE_EVERSION, WF_NONE, 4 };
        r.field = lost_field(msg, l);
        r.error = r.field == WF_NONE ? WIRE_OK : WIRE_EVERSION;
        r.rank = 5;
        return r;
}

static const struct wire_layout *choose(struct wire_msg *msg, const struct wire_ctx *ctx)
{
        const struct wire_packet *p = msg->packet;
        struct reason why = { WIRE_ETYPE, WF_NONE, -1 };

        if (!wire_gate_open(&p->gate, ctx ? ctx->server : 0, ctx ? ctx->client : 0)) {
                wire_fail(msg, WIRE_EVERSION, WF_NONE);
                return NULL;
        }
        for (unsigned i = 0; i < p->nlayouts; i++) {
                struct reason r = try_layout(msg, &p->layouts[i], ctx);

                if (r.error == WIRE_OK)
                        return &p->layouts[i];
                if (r.rank > why.rank)
                        why = r;
        }
        wire_fail(msg, why.error, why.field);
        return NULL;
}

static ssize_t encode(struct wire_msg *msg, const struct wire_ctx *ctx, uint8_t *buf, size_t cap)
{
        struct out o = { buf, cap, 0, WIRE_OK };
        const struct wire_layout *l = msg->layout;
        uint16_t field = WF_NONE;
        int error;

        if (msg->error != WIRE_OK)
                return msg->error;
        if (!l)
                l = choose(msg, ctx);
        if (!l)
                return msg->error;
        error = check_fields(msg, l->fields, &field);
        if (error == WIRE_OK) {
                put_number(&o, msg->type, 4);
                put_number(&o, 0, 4);
                put_fields(msg, l->fields, l->attrlen, &o);
                error = o.error;
        }
        if (error == WIRE_OK && o.len - WIRE_HEADER_SIZE > wire_max_payload(msg->dir))
                error = WIRE_ELIMIT;
        if (error != WIRE_OK) {
                wire_fail(msg, error, field);
                return error;
        }
        if (buf)
                wire_put32(buf + 4, (uint32_t)(o.len - WIRE_HEADER_SIZE));
        return (ssize_t)o.len;
}

ssize_t wire_encode(struct wire_msg *msg, const struct wire_ctx *ctx, void *buf, size_t cap)
{
        if (!buf) {
                wire_fail(msg, WIRE_ESPACE, WF_NONE);
                return msg->error;
        }
        return encode(msg, ctx, buf, cap);
}

ssize_t wire_encode_size(struct wire_msg *msg, const struct wire_ctx *ctx)
{
        return encode(msg, ctx, NULL, 0);
}

int wire_group_add(struct wire_group *group, struct wire_msg *item)
{
        struct out o = { group->buf, group->cap, group->len, WIRE_OK };
        const struct wire_fdesc *list;
        uint16_t field = WF_NONE;
        uint8_t attrlen = 0;
        int error = item->error;

        if (group->error != WIRE_OK)
                return group->error;
        list = wire_form_fields(group->form, &attrlen);
        if (!list || !group->buf)
                error = list ? WIRE_ESPACE : WIRE_EKIND;
        if (error == WIRE_OK)
                error = check_fields(item, list, &field);
        if (error == WIRE_OK) {
                put_fields(item, list, attrlen, &o);
                error = o.error;
        }
        if (error != WIRE_OK) {
                wire_fail(item, error, field);
                group->error = error;
                return error;
        }
        group->len = o.len;
        group->count++;
        return WIRE_OK;
}
