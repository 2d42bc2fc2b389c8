/* SPDX-License-Identifier: MIT */
/* Messages: setting and getting values, groups of items, the sticky error. */
#include "table.h"

#include <stdio.h>

void wire_fail(struct wire_msg *msg, int error, uint16_t field)
{
        for (; msg; msg = msg->outer) {
                if (msg->error == WIRE_OK) {
                        msg->error = error;
                        msg->error_field = field;
                }
        }
}

void wire_msg_init(struct wire_msg *msg, uint32_t type, enum wire_dir dir)
{
        msg->type = type;
        msg->dir = dir;
        msg->packet = wire_packet_find(type);
        msg->layout = NULL;
        msg->outer = NULL;
        msg->error = WIRE_OK;
        msg->error_field = WF_NONE;
        msg->nvals = 0;
        if (!msg->packet || !(msg->packet->dirs & dir))
                wire_fail(msg, WIRE_ETYPE, WF_NONE);
}

void wire_item_init(struct wire_msg *item)
{
        item->type = 0;
        item->dir = 0;
        item->packet = NULL;
        item->layout = NULL;
        item->outer = NULL;
        item->error = WIRE_OK;
        item->error_field = WF_NONE;
        item->nvals = 0;
}

bool wire_msg_ok(const struct wire_msg *msg)
{
        return msg->error == WIRE_OK;
}

char *wire_msg_error(const struct wire_msg *msg, char *buf, size_t size)
{
        const char *name = msg->packet ? msg->packet->name : "packet";

        if (msg->error_field != WF_NONE)
                snprintf(buf, size, "%s (%u): field %s: %s", name, msg->type,
                         wire_field_name(msg->error_field), wire_error_name(msg->error));
        else
                snprintf(buf, size, "%s (%u): %s", name, msg->type, wire_error_name(msg->error));
        return buf;
}

void wire_msg_any_layout(struct wire_msg *msg)
{
        msg->layout = NULL;
}

/* ---- setters ---------------------------------------------------------------------------------------------- */

const struct wire_val *wire_val_find(const struct wire_msg *msg, uint16_t field)
{
        for (unsigned i = 0; i < msg->nvals; i++) {
                if (msg->vals[i].field == field)
                        return &msg->vals[i];
        }
        return NULL;
}

/* The slot for a field that is being set, cleared. NULL when the message is broken or full. */
static struct wire_val *slot(struct wire_msg *msg, enum wire_field field, uint8_t kind)
{
        struct wire_val *v = (struct wire_val *)wire_val_find(msg, (uint16_t)field);

        if (msg->error != WIRE_OK)
                return NULL;
        if (!v) {
                if (msg->nvals == WIRE_MAX_FIELDS) {
                        wire_fail(msg, WIRE_ELIMIT, (uint16_t)field);
                        return NULL;
                }
                v = &msg->vals[msg->nvals++];
        }
        memset(v, 0, sizeof(*v));
        v->field = (uint16_t)field;
        v->kind = kind;
        return v;
}

void wire_set_u(struct wire_msg *msg, enum wire_field field, uint64_t value)
{
        struct wire_val *v = slot(msg, field, WK_U64);

        if (v)
                v->u = value;
}

void wire_set_bytes(struct wire_msg *msg, enum wire_field field, const void *bytes, size_t len)
{
        struct wire_val *v = slot(msg, field, WK_BYTES);

        if (v) {
                v->ptr = bytes;
                v->len = len;
        }
}

void wire_set_str(struct wire_msg *msg, enum wire_field field, const char *text)
{
        wire_set_bytes(msg, field, text, strlen(text));
}

void wire_set_ug(struct wire_msg *msg, uint32_t uid, const uint32_t *gids, size_t ngids)
{
        struct wire_val *v = slot(msg, WF_UG, WK_UG);

        if (!v)
                return;
        /* Servers take a request with no group at all for the old form with gid 0: the group of root. */
        if (ngids < 1 || ngids > WIRE_GIDS_MAX) {
                wire_fail(msg, WIRE_ERANGE, WF_UG);
                return;
        }
        v->host = 1;
        v->u = uid;
        v->ptr = gids;
        v->count = (uint32_t)ngids;
        v->len = 4 * ngids;
}

void wire_set_attr(struct wire_msg *msg, const struct wire_attr *attr)
{
        struct wire_val *v = slot(msg, WF_ATTR, WK_ATTR);

        if (v) {
                v->host = 1;
                v->ptr = attr;
        }
}

/* ---- getters ---------------------------------------------------------------------------------------------- */

bool wire_has(const struct wire_msg *msg, enum wire_field field)
{
        return msg->error == WIRE_OK && wire_val_find(msg, (uint16_t)field) != NULL;
}

/* The value, or NULL with the error set. */
static const struct wire_val *need(struct wire_msg *msg, enum wire_field field)
{
        const struct wire_val *v;

        if (msg->error != WIRE_OK)
                return NULL;
        v = wire_val_find(msg, (uint16_t)field);
        if (!v)
                wire_fail(msg, WIRE_EMISSING, (uint16_t)field);
        return v;
}

uint64_t wire_get_u(struct wire_msg *msg, enum wire_field field)
{
        const struct wire_val *v = need(msg, field);

        if (!v)
                return 0;
        if (!wire_kind_is_number(v->kind)) {
                wire_fail(msg, WIRE_EKIND, (uint16_t)field);
                return 0;
        }
        return v->u;
}

static uint64_t get_max(struct wire_msg *msg, enum wire_field field, uint64_t max)
{
        uint64_t u = wire_get_u(msg, field);

        if (u <= max)
                return u;
        wire_fail(msg, WIRE_ERANGE, (uint16_t)field);
        return 0;
}

uint8_t wire_get_u8(struct wire_msg *msg, enum wire_field field)
{
        return (uint8_t)get_max(msg, field, UINT8_MAX);
}

uint16_t wire_get_u16(struct wire_msg *msg, enum wire_field field)
{
        return (uint16_t)get_max(msg, field, UINT16_MAX);
}

uint32_t wire_get_u32(struct wire_msg *msg, enum wire_field field)
{
        return (uint32_t)get_max(msg, field, UINT32_MAX);
}

uint64_t wire_get_u_or(const struct wire_msg *msg, enum wire_field field, uint64_t other)
{
        const struct wire_val *v = msg->error == WIRE_OK ? wire_val_find(msg, (uint16_t)field) : NULL;

        return v && wire_kind_is_number(v->kind) ? v->u : other;
}

const uint8_t *wire_get_bytes(struct wire_msg *msg, enum wire_field field, size_t *len)
{
        const struct wire_val *v = need(msg, field);

        *len = 0;
        if (!v)
                return NULL;
        if (wire_kind_is_number(v->kind) || v->kind == WK_GROUP || v->host) {
                wire_fail(msg, WIRE_EKIND, (uint16_t)field);
                return NULL;
        }
        *len = v->len;
        return v->ptr;
}

void wire_get_attr(struct wire_msg *msg, struct wire_attr *attr)
{
        const struct wire_val *v = need(msg, WF_ATTR);

        memset(attr, 0, sizeof(*attr));
        if (!v)
                return;
        if (v->host)
                memcpy(attr, v->ptr, sizeof(*attr));
        else if (!wire_attr_decode(attr, v->ptr, v->len))
                wire_fail(msg, WIRE_EKIND, WF_ATTR);
}

uint32_t wire_get_ug(struct wire_msg *msg, uint32_t *ngids)
{
        const struct wire_val *v = need(msg, WF_UG);

        *ngids = v ? v->count : 0;
        return v ? (uint32_t)v->u : 0;
}

uint32_t wire_get_gid(struct wire_msg *msg, uint32_t n)
{
        const struct wire_val *v = need(msg, WF_UG);
        uint32_t gid;

        if (!v)
                return 0;
        if (n >= v->count) {
                wire_fail(msg, WIRE_ERANGE, WF_UG);
                return 0;
        }
        if (!v->host)
                return wire_be32((const uint8_t *)v->ptr + 4 * (size_t)n);
        memcpy(&gid, (const uint8_t *)v->ptr + sizeof(gid) * n, sizeof(gid));
        return gid;
}

bool wire_is_status(const struct wire_msg *msg, uint8_t *status)
{
        if (msg->error != WIRE_OK || !msg->layout || !(msg->layout->flags & WL_STATUS))
                return false;
        *status = (uint8_t)wire_get_u_or(msg, WF_STATUS, WIRE_STATUS_EINVAL);
        return true;
}

/* ---- groups ----------------------------------------------------------------------------------------------- */

static const struct wire_val *need_group(struct wire_msg *msg, enum wire_field field)
{
        const struct wire_val *v = need(msg, field);

        if (v && v->kind != WK_GROUP) {
                wire_fail(msg, WIRE_EKIND, (uint16_t)field);
                return NULL;
        }
        return v;
}

void wire_group_begin(struct wire_msg *msg, enum wire_field field, struct wire_iter *iter)
{
        const struct wire_val *v = need_group(msg, field);

        iter->msg = msg;
        iter->form = v ? (enum wire_form)v->u : 0;
        iter->ptr = v ? v->ptr : NULL;
        iter->len = v ? v->len : 0;
        iter->left = v ? v->count : 0;
}

bool wire_group_next(struct wire_iter *iter, struct wire_msg *item)
{
        const struct wire_fdesc *list;
        uint8_t attrlen = 0;
        size_t used = 0;

        wire_item_init(item);
        if (!iter->left || iter->msg->error != WIRE_OK)
                return false;
        item->outer = iter->msg;
        list = wire_form_fields(iter->form, &attrlen);
        if (!list || !wire_walk(item, list, attrlen, iter->ptr, iter->len, &used, WIRE_MAX_DEPTH)) {
                wire_fail(item, WIRE_EFORMAT, WF_NONE);
                return false;
        }
        iter->ptr += used;
        iter->len -= used;
        iter->left--;
        return true;
}

uint32_t wire_group_count(struct wire_msg *msg, enum wire_field field)
{
        const struct wire_val *v = need_group(msg, field);

        return v ? v->count : 0;
}

void wire_set_group(struct wire_msg *msg, enum wire_field field, const struct wire_group *group)
{
        struct wire_val *v = slot(msg, field, WK_GROUP);

        if (!v)
                return;
        if (group->error != WIRE_OK) {
                wire_fail(msg, group->error, (uint16_t)field);
                return;
        }
        v->u = group->form;
        v->count = group->count;
        v->ptr = group->buf;
        v->len = group->len;
}

void wire_group_init(struct wire_group *group, enum wire_form form, void *buf, size_t cap)
{
        group->form = form;
        group->buf = buf;
        group->cap = cap;
        group->len = 0;
        group->count = 0;
        group->error = WIRE_OK;
}

void wire_group_add_u(struct wire_group *group, uint64_t value)
{
        const struct wire_fdesc *list = wire_form_fields(group->form, NULL);
        struct wire_msg item;

        wire_item_init(&item);
        wire_set_u(&item, list[0].field, value);
        wire_group_add(group, &item);
}

void wire_group_add_loc(struct wire_group *group, uint32_t ip, uint16_t port, uint32_t csver, uint32_t labels)
{
        struct wire_msg item;

        wire_item_init(&item);
        wire_set_u(&item, WF_IP, ip);
        wire_set_u(&item, WF_PORT, port);
        wire_set_u(&item, WF_CSVER, csver);
        wire_set_u(&item, WF_LABELMASK, labels);
        wire_group_add(group, &item);
}
