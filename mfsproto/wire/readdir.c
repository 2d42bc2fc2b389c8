/* SPDX-License-Identifier: MIT */
/* Entries of a READDIR reply as its bytes arrive: one entry at most is held, whatever the size of the folder. */
#include "table.h"

void wire_readdir_init(struct wire_readdir *rd, uint32_t length, const struct wire_ctx *ctx,
                       wire_dirent_fn *fn, void *arg)
{
        static const struct wire_gate attr36 = GATE_ATTR36;
        bool attr = ctx->hint == HINT_READDIR_EDGE_ATTR || ctx->hint == HINT_READDIR_PLAIN_ATTR;

        memset(rd, 0, sizeof(*rd));
        rd->left = length;
        rd->fn = fn;
        rd->arg = arg;
        rd->is_status = length == 5;
        rd->with_edge =
                !rd->is_status && (ctx->hint == HINT_READDIR_EDGE || ctx->hint == HINT_READDIR_EDGE_ATTR);
        if (attr)
                rd->attrlen = wire_gate_open(&attr36, ctx->server, ctx->client) ? 36 : 35;
        rd->need = rd->is_status ? 5 : rd->with_edge ? 12 : 4;
        if (length < rd->need)
                rd->error = WIRE_EFORMAT;
}

static void take_head(struct wire_readdir *rd)
{
        rd->head = true;
        rd->msgid = wire_be32(rd->part);
        if (rd->is_status)
                rd->status = rd->part[4];
        if (rd->with_edge)
                rd->nedgeid = wire_be64(rd->part + 4);
        rd->need = 1;
}

/* part holds a whole entry. */
static int take_entry(struct wire_readdir *rd)
{
        const uint8_t *p = rd->part + 1 + rd->part[0];
        struct wire_dirent e;

        memset(&e, 0, sizeof(e));
        e.name = rd->part + 1;
        e.namelen = rd->part[0];
        e.inode = wire_be32(p);
        e.has_attr = rd->attrlen != 0;
        if (e.has_attr) {
                if (!wire_attr_decode(&e.attr, p + 4, rd->attrlen))
                        return WIRE_EFORMAT;
                e.type = e.attr.type;
        } else {
                e.type = p[4];
        }
        rd->entries++;
        rd->need = 1;
        return rd->fn && rd->fn(rd->arg, &e) ? WIRE_ESTOP : WIRE_OK;
}

/* part holds what was needed: decide what comes next. */
static int step(struct wire_readdir *rd)
{
        if (!rd->head) {
                take_head(rd);
        } else if (rd->need == 1) {
                /* the length of a name: the whole entry is needed, keep what we have */
                rd->need = (uint16_t)(1 + rd->part[0] + 4 + (rd->attrlen ? rd->attrlen : 1));
                return (uint32_t)(rd->need - 1) > rd->left ? WIRE_EFORMAT : WIRE_OK;
        } else {
                rd->have = 0;
                return take_entry(rd);
        }
        rd->have = 0;
        return rd->is_status && rd->left ? WIRE_EFORMAT : WIRE_OK;
}

int wire_readdir_feed(struct wire_readdir *rd, const uint8_t *bytes, size_t len)
{
        while (len && rd->error == WIRE_OK) {
                size_t n = (size_t)(rd->need - rd->have);

                if (rd->left == 0) {
                        rd->error = WIRE_EFORMAT; /* more than the packet's length */
                        break;
                }
                if (n > len)
                        n = len;
                if (n > rd->left) {
                        rd->error = WIRE_EFORMAT;
                        break;
                }
                memcpy(rd->part + rd->have, bytes, n);
                rd->have = (uint16_t)(rd->have + n);
                rd->left -= (uint32_t)n;
                bytes += n;
                len -= n;
                if (rd->have == rd->need)
                        rd->error = step(rd);
        }
        return rd->error;
}

bool wire_readdir_done(const struct wire_readdir *rd)
{
        return rd->error == WIRE_OK && rd->head && rd->left == 0 && rd->have == 0;
}
