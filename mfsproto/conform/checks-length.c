/* SPDX-License-Identifier: MIT */
/* Each request once with a byte less than its shortest layout has: the connection must end. What has no number of a node
 * in it is not tried where a server that takes it would change something. */
#include <stdio.h>

#include "mfsproto/conform/checks.h"

static size_t shortest(uint32_t type)
{
        const struct wire_packet *p = wire_packet_find(type);
        size_t least = SIZE_MAX;

        for (unsigned i = 0; p && i < p->nlayouts; i++)
                if (wire_layout_min(&p->layouts[i]) < least)
                        least = wire_layout_min(&p->layouts[i]);
        return least;
}

static void cut(struct cf *c, struct cf_link *l, uint32_t type)
{
        static const uint8_t payload[128] = { 0, 0, 0, 9 };
        size_t n = shortest(type) - 1;
        char what[80];

        if (n > sizeof(payload)) {
                cf_unsure(c, "%s has no layout that can be cut", wire_packet_name(type));
                return;
        }
        snprintf(what, sizeof(what), "%s of %zu bytes", wire_packet_name(type), n);
        cf_packet(c, l, type, payload, n);
        cf_want_closed(c, l, what);
}

#define X(id)                                         \
        static void cut_##id(struct cf *c)            \
        {                                             \
                cut(c, c->ma, WIRE_CLTOMA_FUSE_##id); \
        }
#include "mfsproto/conform/lengths.def"
#undef X

static void cut_at_cs(struct cf *c, uint32_t type)
{
        struct cf_grant g;

        cf_grant(c, cf_new(c), 0, &g);
        cut(c, cf_cs(c, &g, 0), type);
        cf_status_is(c, "END", cf_end(c, c->ma, &g, 0), WIRE_STATUS_OK);
}

static void cut_READ(struct cf *c)
{
        cut_at_cs(c, WIRE_CLTOCS_READ);
}

static void cut_WRITE(struct cf *c)
{
        cut_at_cs(c, WIRE_CLTOCS_WRITE);
}

static void cut_BLOCKS(struct cf *c)
{
        cut_at_cs(c, WIRE_ANTOCS_GET_CHUNK_BLOCKS);
}

static void cut_CHECKSUM(struct cf *c)
{
        cut_at_cs(c, WIRE_ANTOCS_GET_CHUNK_CHECKSUM);
}

static void cut_CHECKSUM_TAB(struct cf *c)
{
        cut_at_cs(c, WIRE_ANTOCS_GET_CHUNK_CHECKSUM_TAB);
}

#define X(id)                                            \
        CHECK("length/" #id, ANY, cut_##id, "1.6", BOTH, \
              #id " with a byte less than its shortest layout has ends the connection"),

const struct cf_check cf_checks_length[] = {
#include "mfsproto/conform/lengths.def"
        X(READ) X(WRITE) X(BLOCKS) X(CHECKSUM) X(CHECKSUM_TAB) CHECKS_END,
};
