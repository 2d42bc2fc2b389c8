/* SPDX-License-Identifier: MIT */
/* The way of a program that makes packets: getters give numbers, text, groups and attributes, setters take them. What
 * the decoder keeps of a packet is thereby all that is in it. */
#include "wire-rebuild.h"

#include <stdlib.h>

/* Memory that must stay until the copy is encoded. */
struct keep {
        struct keep *next;
};

struct rebuild {
        struct keep *kept;
        size_t len;  /* of the payload: no group is larger */
        bool device; /* the last bytes of a device's attributes mean nothing and are not kept */
};

static void must(int condition)
{
        if (!condition)
                abort();
}

static void *keep(struct rebuild *r, size_t size)
{
        struct keep *k = malloc(sizeof(*k) + size + 1);

        must(k != NULL);
        k->next = r->kept;
        r->kept = k;
        return k + 1;
}

static void forget(struct rebuild *r, struct keep *until)
{
        while (r->kept != until) {
                struct keep *k = r->kept;

                r->kept = k->next;
                free(k);
        }
}

static void copy_ug(struct rebuild *r, struct wire_msg *from, struct wire_msg *to)
{
        uint32_t n, *gids;
        uint32_t uid = wire_get_ug(from, &n);

        gids = keep(r, n * sizeof(*gids));
        for (uint32_t i = 0; i < n; i++)
                gids[i] = wire_get_gid(from, i);
        wire_set_ug(to, uid, gids, n);
}

static void copy_attr(struct rebuild *r, struct wire_msg *from, struct wire_msg *to)
{
        struct wire_attr *attr = keep(r, sizeof(*attr));

        wire_get_attr(from, attr);
        if (attr->type == WIRE_NODE_BLOCKDEV || attr->type == WIRE_NODE_CHARDEV)
                r->device = true;
        wire_set_attr(to, attr);
}

static void copy_list(struct rebuild *r, struct wire_msg *from, struct wire_msg *to,
                      const struct wire_fdesc *list);

static bool one_number(const struct wire_fdesc *list)
{
        return list[0].kind <= WK_U64 && list[1].field == WF_NONE;
}

static void copy_group(struct rebuild *r, struct wire_msg *from, struct wire_msg *to,
                       const struct wire_fdesc *fd)
{
        const struct wire_fdesc *list = wire_form_fields(fd->arg, NULL);
        struct wire_msg item, copy;
        struct wire_group group;
        struct wire_iter it;

        wire_group_init(&group, fd->arg, keep(r, r->len), r->len);
        wire_group_begin(from, fd->field, &it);
        while (wire_group_next(&it, &item)) {
                struct keep *before = r->kept;

                if (one_number(list)) {
                        wire_group_add_u(&group, wire_get_u(&item, list->field));
                        continue;
                }
                wire_item_init(&copy);
                copy.outer = to;
                copy_list(r, &item, &copy, list);
                must(wire_group_add(&group, &copy) == WIRE_OK);
                forget(r, before);
        }
        must(group.count == wire_group_count(from, fd->field));
        wire_set_group(to, fd->field, &group);
}

static void copy_list(struct rebuild *r, struct wire_msg *from, struct wire_msg *to,
                      const struct wire_fdesc *list)
{
        for (const struct wire_fdesc *fd = list; fd->field != WF_NONE; fd++) {
                const uint8_t *bytes;
                size_t len;

                if (!wire_has(from, fd->field))
                        continue;
                if (fd->kind <= WK_U64) {
                        wire_set_u(to, fd->field, wire_get_u(from, fd->field));
                } else if (fd->kind == WK_UG) {
                        copy_ug(r, from, to);
                } else if (fd->kind == WK_ATTR) {
                        copy_attr(r, from, to);
                } else if (fd->kind == WK_GROUP) {
                        copy_group(r, from, to, fd);
                } else {
                        bytes = wire_get_bytes(from, fd->field, &len);
                        wire_set_bytes(to, fd->field, bytes, len);
                }
        }
        must(wire_msg_ok(from) && wire_msg_ok(to));
}

void wire_rebuild(struct wire_msg *from, const struct wire_ctx *ctx, const uint8_t *payload, size_t len)
{
        struct rebuild r = { NULL, len, false };
        size_t size = len + WIRE_HEADER_SIZE;
        struct wire_msg to;
        uint8_t *out;

        wire_msg_init(&to, from->type, from->dir);
        to.layout = from->layout;
        copy_list(&r, from, &to, from->layout->fields);
        out = malloc(size);
        must(out != NULL);
        must(wire_encode_size(&to, ctx) == (ssize_t)size);
        must(wire_encode(&to, ctx, out, size) == (ssize_t)size);
        must(r.device || len == 0 || !memcmp(out + WIRE_HEADER_SIZE, payload, len));
        /* one byte too small is refused, and said */
        must(wire_encode(&to, ctx, out, size - 1) == WIRE_ESPACE && !wire_msg_ok(&to));
        free(out);
        forget(&r, NULL);
}
