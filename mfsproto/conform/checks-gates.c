/* SPDX-License-Identifier: MIT */
/* Packets that came with a later version: an older master ends the connection. */
#include "mfsproto/conform/checks.h"

static void newer(struct cf *c, uint32_t type, size_t n, const char *what)
{
        uint8_t payload[64] = { 0, 0, 0, 9 };

        cf_packet(c, c->ma, type, payload, n);
        cf_want_closed(c, c->ma, what);
}

static void write_end(struct cf *c)
{
        newer(c, WIRE_CLTOMA_FUSE_WRITE_CHUNK_END, 37, "WRITE_CHUNK_END of 37 bytes");
}

static void write_end_odd(struct cf *c)
{
        newer(c, WIRE_CLTOMA_FUSE_WRITE_CHUNK_END, 28, "WRITE_CHUNK_END of 28 bytes");
}

static void check_mode(struct cf *c)
{
        newer(c, WIRE_CLTOMA_FUSE_CHECK, 13, "CHECK of 13 bytes");
}

static void path_lookup(struct cf *c)
{
        newer(c, WIRE_CLTOMA_PATH_LOOKUP, 24, "PATH_LOOKUP");
}

static void opdata(struct cf *c)
{
        newer(c, WIRE_CLTOMA_FUSE_OPDATA, 28, "OPDATA");
}

static void wflags(struct cf *c)
{
        newer(c, WIRE_CLTOMA_FUSE_WFLAGS, 1, "WFLAGS");
}

static void trash_list(struct cf *c)
{
        newer(c, WIRE_CLTOMA_TRASH_LIST, 18, "TRASH_LIST");
}

static void instance_name(struct cf *c)
{
        newer(c, WIRE_CLTOMA_INSTANCE_NAME, 4, "INSTANCE_NAME");
}

/* After msgid: two empty names, uid, one gid, mode. */
static void rename_mode(struct cf *c)
{
        uint8_t p[4 + 4 + 2 + 4 + 2 + 4 + 4 + 4 + 1] = { 0, 0, 0, 9 };

        wire_put32(p + 4, cf_dir(c));
        p[8] = 1;
        p[9] = 'a';
        wire_put32(p + 10, cf_dir(c));
        p[14] = 1;
        p[15] = 'b';
        wire_put32(p + 20, 1);
        cf_packet(c, c->ma, WIRE_CLTOMA_FUSE_RENAME, p, sizeof(p));
        cf_want_closed(c, c->ma, "RENAME with a mode");
}

static void repair_flags(struct cf *c)
{
        uint8_t p[4 + 4 + 4 + 4 + 4 + 1] = { 0, 0, 0, 9 };

        wire_put32(p + 4, cf_dir(c));
        wire_put32(p + 12, 1);
        cf_packet(c, c->ma, WIRE_CLTOMA_FUSE_REPAIR, p, sizeof(p));
        cf_want_closed(c, c->ma, "REPAIR with flags");
}

static void end_range_4(struct cf *c)
{
        struct cf_grant g;
        struct wire_msg m;

        cf_grant(c, cf_new(c), 0, &g);
        cf_msg(&m, WIRE_CLTOMA_FUSE_WRITE_CHUNK_END);
        wire_set_u(&m, WF_CHUNKID, g.chunk);
        wire_set_u(&m, WF_INODE, g.inode);
        wire_set_u(&m, WF_INDEX, 0);
        wire_set_u(&m, WF_LENGTH, 10);
        wire_set_u(&m, WF_CHUNKOPFLAGS, 0);
        wire_set_u(&m, WF_OFFSET, 0);
        wire_set_u(&m, WF_SIZE, 10);
        cf_want(c, c->ma, &m, WIRE_STATUS_OK);
}

static void path_lookup_4(struct cf *c)
{
        struct wire_msg m, r;
        uint32_t inode = cf_create(c, cf_dir(c), "a");

        cf_msg(&m, WIRE_CLTOMA_PATH_LOOKUP);
        wire_set_u(&m, WF_BASE_INODE, cf_dir(c));
        wire_set_bytes(&m, WF_PATH, "a", 1);
        cf_ug(c, &m);
        cf_call(c, c->ma, &m, &r);
        cf_eq(c, "last inode", cf_u(c, &r, WF_LAST_INODE), inode);
}

static void end_forms(struct cf *c)
{
        static const size_t lengths[] = { 24, 25, 29 };
        struct wire_msg r;

        for (size_t i = 0; i < 3; i++) {
                uint8_t p[32] = { 0, 0, 0, 9, 0, 0, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0 };

                cf_packet(c, c->ma, WIRE_CLTOMA_FUSE_WRITE_CHUNK_END, p, lengths[i]);
                cf_take(c, c->ma, WIRE_MATOCL_FUSE_WRITE_CHUNK_END, &r);
                if (!c->failed)
                        cf_status_is(c, "END of a chunk that is not there", (uint8_t)cf_u(c, &r, WF_STATUS),
                                     WIRE_STATUS_NOCHUNK);
        }
}

#define ENDS " ends the connection"

const struct cf_check cf_checks_gates[] = {
        CHECK("gates/end-forms", ANY, end_forms, "5.6", BOTH,
              "WRITE_CHUNK_END is taken with 24, 25 and 29 bytes"),
        CHECK("gates/end-odd", ANY, write_end_odd, "5.6", BOTH, "WRITE_CHUNK_END of 28 bytes" ENDS),
        CHECK("gates/end-range-3", V3, write_end, "1.5", "3.0.117", "WRITE_CHUNK_END with a range" ENDS),
        CHECK("gates/end-range-4", V4, end_range_4, "5.6", "4.59.2", "WRITE_CHUNK_END with a range is taken"),
        CHECK("gates/check-3", V3, check_mode, "1.5", "3.0.117", "CHECK with a mode" ENDS),
        CHECK("gates/rename-3", V3, rename_mode, "1.5", "3.0.117", "RENAME with a mode" ENDS),
        CHECK("gates/repair-3", V3, repair_flags, "1.5", "3.0.117", "REPAIR with flags" ENDS),
        CHECK("gates/path-lookup-3", V3, path_lookup, "3.2", "3.0.117", "PATH_LOOKUP" ENDS),
        CHECK("gates/path-lookup-4", V4, path_lookup_4, "3.2", "4.59.2", "PATH_LOOKUP finds a name"),
        CHECK("gates/opdata-3", V3, opdata, "2.7", "3.0.117", "OPDATA" ENDS),
        CHECK("gates/wflags-3", V3, wflags, "2.7", "3.0.117", "WFLAGS" ENDS),
        CHECK("gates/trash-list-3", V3, trash_list, "1.5", "3.0.117", "TRASH_LIST" ENDS),
        CHECK("gates/instance-3", V3, instance_name, "6.4", "3.0.117", "INSTANCE_NAME" ENDS),
        CHECKS_END,
};
