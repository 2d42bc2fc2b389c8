/* SPDX-License-Identifier: MIT */
/* Packets whose bytes are written down by hand from the description of the protocol, and the version gates. */
#include "mfsproto/wire/wire.h"

#include <check.h>
#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#define V3   WIRE_VER(3, 0, 117)
#define V4   WIRE_VER(4, 59, 2)
#define OLD3 WIRE_VER(3, 0, 71)

static struct wire_msg m;
static struct wire_ctx ctx;
static uint8_t out[8192];
static uint32_t gids[8];

/* ---- a short way to write packets ------------------------------------------------------------------------- */

static size_t unhex(const char *hex, uint8_t *bytes)
{
        size_t n = 0;

        for (; *hex; hex++) {
                char two[3] = { hex[0], 0, 0 };

                if (isspace((unsigned char)*hex))
                        continue;
                two[1] = *++hex;
                bytes[n++] = (uint8_t)strtoul(two, NULL, 16);
        }
        return n;
}

static void begin(uint32_t type, enum wire_dir dir, uint32_t server, uint32_t client)
{
        ctx = (struct wire_ctx){ server, client, 0 };
        wire_msg_init(&m, type, dir);
}

static void req(uint32_t type, uint32_t server)
{
        begin(type, WIRE_TO_MASTER, server, V4);
        wire_set_u(&m, WF_MSGID, 7);
}

static void ans(uint32_t type, uint32_t server, uint32_t client)
{
        begin(type, WIRE_FROM_MASTER, server, client);
        wire_set_u(&m, WF_MSGID, 7);
}

static void ug(uint32_t uid, size_t n)
{
        for (size_t i = 0; i < n; i++)
                gids[i] = (uint32_t)(100 + i);
        wire_set_ug(&m, uid, gids, n);
}

#define U(f, v) wire_set_u(&m, WF_##f, v)
#define S(f, v) wire_set_str(&m, WF_##f, v)

static size_t encode(const char *layout)
{
        static struct wire_msg back;
        char text[200];
        ssize_t n = wire_encode(&m, &ctx, out, sizeof(out));

        ck_assert_msg(n >= 8, "%s", wire_msg_error(&m, text, sizeof(text)));
        ck_assert_uint_eq(wire_be32(out), m.type);
        ck_assert_uint_eq(wire_be32(out + 4), (uint32_t)n - 8);
        ck_assert_int_eq(wire_decode(&back, m.type, m.dir, out + 8, (size_t)n - 8, &ctx), WIRE_OK);
        ck_assert_str_eq(back.layout->name, layout);
        return (size_t)n - 8;
}

/* The payload must be these bytes. */
static void is(const char *layout, const char *hex)
{
        uint8_t want[4096];
        size_t n = encode(layout);

        ck_assert_uint_eq(n, unhex(hex, want));
        ck_assert_mem_eq(out + 8, want, n);
}

/* The payload must be so long. */
static void is_long(const char *layout, size_t length)
{
        ck_assert_uint_eq(encode(layout), length);
}

static void refused(int error, enum wire_field field)
{
        ck_assert_int_eq(wire_encode(&m, &ctx, out, sizeof(out)), error);
        ck_assert(!wire_msg_ok(&m));
        ck_assert_int_eq(m.error, error);
        ck_assert_int_eq(m.error_field, field);
}

static const struct wire_attr file_attr = { .type = WIRE_NODE_FILE,
                                            .mode = 0644,
                                            .uid = 1000,
                                            .gid = 100,
                                            .atime = 1,
                                            .mtime = 2,
                                            .ctime = 3,
                                            .nlink = 1,
                                            .length = 0x1234,
                                            .winattr = 8 };
#define ATTR35 "00 11A4 000003E8 00000064 00000001 00000002 00000003 00000001 0000000000001234"
#define ATTR36 ATTR35 "08"

/* ---- session ---------------------------------------------------------------------------------------------- */

static void set_new_session(const char *info, size_t ileng, const char *path, size_t pleng)
{
        begin(WIRE_CLTOMA_FUSE_REGISTER, WIRE_TO_MASTER, 0, V4);
        U(RCODE, WIRE_REGISTER_NEWSESSION);
        U(VERSION, V4);
        wire_set_bytes(&m, WF_INFO, info, ileng);
        wire_set_bytes(&m, WF_PATH, path, pleng);
}

START_TEST(register_requests)
{
        static const uint8_t digest[16] = { 1 };

        begin(WIRE_CLTOMA_FUSE_REGISTER, WIRE_TO_MASTER, 0, 0);
        U(RCODE, WIRE_REGISTER_GETRANDOM);
        is_long("getrandom", 65);
        ck_assert_mem_eq(out + 8, WIRE_REGISTER_BLOB, 64);
        ck_assert_uint_eq(out[8 + 64], 1);
        set_new_session("/m", 3, "/", 2);
        is_long("new", 77 + 3 + 2);
        ck_assert_mem_eq(out + 8 + 65, "\x00\x04\x3B\x04\x00\x00\x00\x03/m\0\x00\x00\x00\x02/\0", 17);
        set_new_session("/m", 3, "/", 2);
        U(SESSIONID, 5);
        is_long("new+session", 77 + 5 + 4);
        set_new_session("/m", 3, "/", 2);
        U(SESSIONID, 5);
        U(METAID, 6);
        is_long("new+metaid", 77 + 5 + 12);
        wire_set_bytes(&m, WF_DIGEST, digest, 16);
        is_long("new+metaid+digest", 77 + 5 + 28);
        set_new_session("", 0, "", 0);
        wire_set_bytes(&m, WF_DIGEST, digest, 16);
        is_long("new+digest", 77 + 16);
}
END_TEST

START_TEST(register_again_requests)
{
        begin(WIRE_CLTOMA_FUSE_REGISTER, WIRE_TO_MASTER, V3, V4);
        U(RCODE, WIRE_REGISTER_RECONNECT);
        U(SESSIONID, 0x11223344);
        U(VERSION, V4);
        is_long("reconnect", 73);
        U(METAID, 1);
        is_long("reconnect+metaid", 81);
        begin(WIRE_CLTOMA_FUSE_REGISTER, WIRE_TO_MASTER, V3, V4);
        U(RCODE, WIRE_REGISTER_TOOLS);
        U(SESSIONID, 1);
        U(VERSION, V4);
        is_long("tools", 73);
        ctx.server = V4;
        refused(WIRE_EVERSION, WF_NONE);
        begin(WIRE_CLTOMA_FUSE_REGISTER, WIRE_TO_MASTER, V4, V4);
        U(RCODE, WIRE_REGISTER_NEWMETASESSION);
        U(VERSION, V4);
        S(INFO, "abc");
        is_long("meta", 73 + 3);
        begin(WIRE_CLTOMA_FUSE_REGISTER, WIRE_TO_MASTER, V4, V4);
        U(RCODE, WIRE_REGISTER_CLOSESESSION);
        U(SESSIONID, 1);
        is_long("close", 69);
        U(METAID, 2);
        is_long("close+metaid", 77);
}
END_TEST

static void set_session_reply(uint32_t server, uint32_t client)
{
        begin(WIRE_MATOCL_FUSE_REGISTER, WIRE_FROM_MASTER, server, client);
        ctx.hint = WIRE_REGISTER_NEWSESSION;
        U(VERSION, server);
        U(SESSIONID, 1);
        U(METAID, 2);
        U(SESFLAGS, 2);
        U(UMASK, 022);
        U(ROOTUID, 0);
        U(ROOTGID, 0);
        U(MAPALLUID, 999);
        U(MAPALLGID, 999);
        U(MINGOAL, 1);
        U(MAXGOAL, 9);
        U(SCLASSGROUPS, 0xFFFF);
        U(MINTRASH, 0);
        U(MAXTRASH, 0xFFFFFFFF);
        U(DISABLES, 0);
        U(PROCID, 9);
}

START_TEST(register_replies)
{
        static const struct {
                uint32_t server, client;
                const char *layout;
                size_t length;
        } cases[] = {
                { V3, V3, "new-49", 49 },
                { V3, V4, "new-49", 49 },
                { V3, WIRE_VER(4, 20, 0), "new-49", 49 },
                { V3, OLD3, "new-43", 43 },
                { V3, WIRE_VER(1, 6, 27), "new-35", 35 },
                { V4, WIRE_VER(1, 6, 27), "new-35", 35 },
                { V4, WIRE_VER(2, 0, 0), "new-35", 35 },
                { V4, OLD3, "new-43", 43 },
                { V4, WIRE_VER(3, 0, 93), "new-45", 45 },
                { V4, WIRE_VER(3, 0, 111), "new-45", 45 },
                { V4, WIRE_VER(4, 0, 0), "new-45", 45 },
                { V4, WIRE_VER(4, 20, 0), "new-45", 45 },
                { V4, V3, "new-49", 49 },
                { V4, WIRE_VER(4, 21, 0), "new-49", 49 },
                { V4, WIRE_VER(4, 39, 0), "new-49", 49 },
                { V4, WIRE_VER(4, 40, 0), "new-57", 57 },
                { V4, WIRE_VER(4, 56, 0), "new-57", 57 },
                { V4, WIRE_VER(4, 57, 0), "new-57-groups", 57 },
                { V4, WIRE_VER(5, 0, 0), "new-57-groups", 57 },
        };

        for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
                set_session_reply(cases[i].server, cases[i].client);
                if (cases[i].length != 57 || !strcmp(cases[i].layout, "new-57"))
                        U(SCLASSGROUPS, 0);
                is_long(cases[i].layout, cases[i].length);
        }
}
END_TEST

START_TEST(register_other_replies)
{
        set_session_reply(V4, V4);
        m.nvals = 0;
        U(STATUS, WIRE_STATUS_EACCES);
        is("status", "04");
        begin(WIRE_MATOCL_FUSE_REGISTER, WIRE_FROM_MASTER, V4, V4);
        U(LEADERIP, 0x0A000001);
        is("redirect", "0A000001");
        begin(WIRE_MATOCL_FUSE_REGISTER, WIRE_FROM_MASTER, V4, V4);
        U(VERSION, V4);
        U(PROCID, 3);
        U(STATUS, 0);
        is("reconnect-13", "00043B04 0000000000000003 00");
        ctx.client = WIRE_VER(4, 20, 0);
        wire_msg_any_layout(&m);
        is("reconnect-5", "00043B04 00");
        ctx.client = WIRE_VER(4, 0, 6);
        is("status", "00");
        ctx.client = WIRE_VER(3, 0, 90);
        is("status", "00");
        ctx.client = WIRE_VER(3, 0, 117);
        is("reconnect-5", "00043B04 00");
}
END_TEST

START_TEST(session_packets)
{
        struct wire_group g;
        uint8_t room[64];

        begin(WIRE_ANTOAN_NOP, WIRE_TO_MASTER, V3, V4);
        U(MSGID, 0);
        is("msgid", "00000000");
        begin(WIRE_ANTOAN_NOP, WIRE_TO_CS, 0, 0);
        is("empty", "");
        begin(WIRE_CLTOMA_FUSE_SUSTAINED_INODES, WIRE_TO_MASTER, V3, V4);
        wire_group_init(&g, WFORM_INODE, room, sizeof(room));
        wire_group_add_u(&g, 1);
        wire_group_add_u(&g, 0x1234);
        wire_set_group(&m, WF_INODELIST, &g);
        is("inodes", "00000001 00001234");
        ctx.server = OLD3;
        refused(WIRE_EVERSION, WF_NONE);
        begin(WIRE_CLTOMA_FUSE_OPDATA, WIRE_TO_MASTER, V4, V4);
        U(RBYTES, 1);
        U(WBYTES, 2);
        U(RCNT, 3);
        U(WCNT, 4);
        U(FCNT, 5);
        is("ops", "0000000000000001 0000000000000002 00000003 00000004 00000005");
        U(RCVD, 6);
        U(SENT, 7);
        is_long("net", 44);
        ctx.server = WIRE_VER(4, 30, 0);
        is_long("ops", 28);
        ctx.server = V3;
        refused(WIRE_EVERSION, WF_NONE);
}
END_TEST

static void set_changed(uint32_t server, uint32_t client)
{
        begin(WIRE_MATOCL_FUSE_CHUNK_HAS_CHANGED, WIRE_FROM_MASTER, server, client);
        U(MSGID, 0);
        U(INODE, 2);
        U(INDEX, 1);
        U(CHUNKID, 0x55);
        U(CHUNKVER, 3);
        U(LENGTH, 100);
        U(TRUNCFLAG, 0);
        U(OFFSET, 0);
        U(SIZE, 0x04000000);
}

START_TEST(change_notices)
{
        set_changed(V3, V4);
        is("whole", "00000000 00000002 00000001 0000000000000055 00000003 0000000000000064 00");
        set_changed(V4, V4);
        is_long("range", 41);
        set_changed(V4, WIRE_VER(4, 39, 0));
        is_long("whole", 33);
        begin(WIRE_ANTOAN_FORCE_TIMEOUT, WIRE_FROM_MASTER, V4, V4);
        U(MSGID, 0);
        U(SECONDS, 14);
        is("msgid", "00000000 000E");
        begin(WIRE_ANTOAN_VERSION, WIRE_FROM_CS, V3, 0);
        ctx.hint = 1; /* asked without a msgid */
        U(VERSION, V3);
        S(VERSION_TEXT, "3.0.117-1");
        is("plain", "000300EA 332E302E3131372D31");
}
END_TEST

/* ---- names ------------------------------------------------------------------------------------------------ */

START_TEST(lookup)
{
        req(WIRE_CLTOMA_FUSE_LOOKUP, V3);
        U(PARENT, 1);
        S(NAME, "abc");
        ug(1000, 2);
        is("ug", "00000007 00000001 03616263 000003E8 00000002 00000064 00000065");
        ck_assert_uint_eq(wire_be32(out + 4), 17 + 3 + 4 * 2);
        req(WIRE_CLTOMA_FUSE_LOOKUP, V3);
        U(PARENT, 1);
        S(NAME, "abc");
        U(UID, 1);
        U(GID, 2);
        is("old", "00000007 00000001 03616263 00000001 00000002");
        ck_assert_uint_eq(wire_be32(out + 4), 17 + 3);
}
END_TEST

static void set_lookup_reply(uint32_t server, uint32_t client)
{
        ans(WIRE_MATOCL_FUSE_LOOKUP, server, client);
        U(INODE, 5);
        wire_set_attr(&m, &file_attr);
        U(LFLAGS, 0x1FF);
        U(PROTO, 2);
        U(CHUNKID, 0x10);
        U(CHUNKVER, 1);
}

START_TEST(lookup_replies)
{
        struct wire_group g;
        uint8_t room[64];

        wire_group_init(&g, WFORM_LOC14, room, sizeof(room));
        wire_group_add_loc(&g, 0x0A4D0002, 9422, V3, 1);
        set_lookup_reply(V3, V4);
        wire_set_group(&m, WF_LOCS, &g);
        is("chunk0",
           "00000007 00000005" ATTR36 "01FF 02 0000000000000010 00000001 0A4D0002 24CE 000300EA 00000001");
        set_lookup_reply(V3, OLD3);
        wire_set_group(&m, WF_LOCS, &g);
        is_long("chunk0-35", 4 + 4 + 35 + 2 + 13 + 14);
        ans(WIRE_MATOCL_FUSE_LOOKUP, V3, V4);
        U(INODE, 5);
        wire_set_attr(&m, &file_attr);
        U(LFLAGS, 0xFF);
        is("lflags", "00000007 00000005" ATTR36 "00FF");
        ctx.client = WIRE_VER(2, 0, 0);
        is("node-35", "00000007 00000005" ATTR35);
        ans(WIRE_MATOCL_FUSE_LOOKUP, V3, V4);
        U(STATUS, WIRE_STATUS_ENOENT);
        is("status", "00000007 03");
}
END_TEST

START_TEST(attributes)
{
        struct wire_attr dev = { .type = WIRE_NODE_CHARDEV, .mode = 0600, .major = 5, .minor = 7 }, back;

        req(WIRE_CLTOMA_FUSE_GETATTR, V3);
        U(INODE, 1);
        U(OPENED, 0);
        U(UID, 0);
        U(GID, 0);
        is_long("opened", 17);
        ans(WIRE_MATOCL_FUSE_GETATTR, V3, V4);
        wire_set_attr(&m, &dev);
        is("attr",
           "00000007 00 6180 00000000 00000000 00000000 00000000 00000000 00000000 0005 0007 00000000 00");
        ck_assert(wire_attr_decode(&back, out + 12, 36));
        ck_assert_uint_eq(back.major, 5);
        ck_assert_uint_eq(back.minor, 7);
        ck_assert_uint_eq(back.length, 0);
        ck_assert(!wire_attr_decode(&back, out + 12, 34));
        req(WIRE_CLTOMA_FUSE_SETATTR, V3);
        U(INODE, 1);
        U(OPENED, 0);
        ug(0, 3);
        U(SETMASK, WIRE_SET_MODE);
        U(MODE, 0755);
        U(ATTR_UID, 0);
        U(ATTR_GID, 0);
        U(ATIME, 0);
        U(MTIME, 0);
        U(WINATTR, 0);
        U(SUGIDCLEAR, WIRE_SUGID_EXT);
        is_long("winattr", 38 + 4 * 3);
        ctx.server = OLD3;
        is_long("ug", 37 + 4 * 3);
        ctx.server = V3;
        ctx.client = WIRE_VER(4, 0, 0);
        is_long("winattr", 38 + 4 * 3); /* a 3.x server compares plainly */
        ctx.server = V4;
        is_long("ug", 37 + 4 * 3);
}
END_TEST

START_TEST(statfs_and_access)
{
        ans(WIRE_MATOCL_FUSE_STATFS, V3, V4);
        U(TOTALSPACE, 1);
        U(AVAILSPACE, 2);
        U(FREESPACE, 3);
        U(TRASHSPACE, 4);
        U(SUSTAINEDSPACE, 5);
        U(INODES, 6);
        is_long("free", 48);
        ctx.client = WIRE_VER(3, 0, 93);
        is_long("old", 40);
        ctx.server = V4;
        ctx.client = WIRE_VER(4, 0, 10);
        is_long("old", 40);
        ctx.client = WIRE_VER(4, 20, 0);
        is_long("free", 48);
        req(WIRE_CLTOMA_FUSE_ACCESS, V3);
        U(INODE, 9);
        ug(5, 1);
        U(ACCESSMASK, WIRE_ACCESS_R);
        is("ug", "00000007 00000009 00000005 00000001 00000064 0004");
        req(WIRE_CLTOMA_FUSE_READLINK, V3);
        U(INODE, 9);
        is("inode", "00000007 00000009");
        ans(WIRE_MATOCL_FUSE_READLINK, V3, V4);
        wire_set_bytes(&m, WF_TARGET, "/tgt", 5);
        is("target", "00000007 00000005 2F74677400");
}
END_TEST

START_TEST(making_nodes)
{
        req(WIRE_CLTOMA_FUSE_MKDIR, V3);
        U(PARENT, 1);
        S(NAME, "d");
        U(MODE, 0755);
        U(UMASK, 022);
        ug(0, 1);
        U(COPYSGID, 1);
        is("ug", "00000007 00000001 0164 01ED 0012 00000000 00000001 00000064 01");
        ck_assert_uint_eq(wire_be32(out + 4), 22 + 1 + 4);
        req(WIRE_CLTOMA_FUSE_MKNOD, V3);
        U(PARENT, 1);
        S(NAME, "f");
        U(NODETYPE, WIRE_NODE_FIFO);
        U(MODE, 0644);
        U(UMASK, 0);
        ug(0, 1);
        U(RDEV, 0);
        is_long("ug", 26 + 1 + 4);
        req(WIRE_CLTOMA_FUSE_SYMLINK, V3);
        U(PARENT, 1);
        S(NAME, "s");
        S(TARGET, "xyz");
        ug(0, 2);
        is_long("ug", 21 + 1 + 3 + 8);
        req(WIRE_CLTOMA_FUSE_CREATE, V3);
        U(PARENT, 1);
        S(NAME, "f");
        U(MODE, 0644);
        U(UMASK, 0);
        ug(0, 1);
        is_long("ug", 21 + 1 + 4);
        ans(WIRE_MATOCL_FUSE_CREATE, V3, V4);
        U(OFLAGS, 0);
        U(INODE, 8);
        wire_set_attr(&m, &file_attr);
        is("oflags", "00000007 00 00000008" ATTR36);
        ctx.client = WIRE_VER(3, 0, 112);
        is_long("node", 4 + 4 + 36);
        ctx.client = WIRE_VER(3, 0, 92);
        is_long("node-35", 4 + 4 + 35);
}
END_TEST

START_TEST(removing_and_renaming)
{
        ans(WIRE_MATOCL_FUSE_UNLINK, V3, V4);
        U(STATUS, 0);
        U(INODE, 8);
        is("inode", "00000007 00000008");
        ctx.client = WIRE_VER(3, 0, 106);
        is("status", "00000007 00");
        req(WIRE_CLTOMA_FUSE_RENAME, V4);
        U(SRC_PARENT, 1);
        S(SRC_NAME, "a");
        U(DST_PARENT, 2);
        S(DST_NAME, "bb");
        ug(0, 1);
        U(RENAME_MODE, WIRE_RENAME_NOREPLACE);
        is_long("mode", 22 + 1 + 2 + 4 + 1);
        ctx.server = V3;
        refused(WIRE_EVERSION, WF_RENAME_MODE);
        req(WIRE_CLTOMA_FUSE_RENAME, V3);
        U(SRC_PARENT, 1);
        S(SRC_NAME, "a");
        U(DST_PARENT, 2);
        S(DST_NAME, "bb");
        ug(0, 1);
        U(RENAME_MODE, WIRE_RENAME_STD);
        is("ug", "00000007 00000001 0161 00000002 026262 00000000 00000001 00000064");
        req(WIRE_CLTOMA_FUSE_LINK, V3);
        U(INODE, 1);
        U(DST_PARENT, 2);
        S(DST_NAME, "n");
        ug(0, 1);
        is_long("ug", 21 + 1 + 4);
}
END_TEST

START_TEST(opening_and_truncating)
{
        req(WIRE_CLTOMA_FUSE_OPEN, V3);
        U(INODE, 5);
        ug(0, 2);
        U(FLAGS, WIRE_OPEN_READ);
        is_long("ug", 17 + 8);
        ans(WIRE_MATOCL_FUSE_OPEN, V3, V4);
        U(OFLAGS, WIRE_OFLAG_KEEPCACHE);
        wire_set_attr(&m, &file_attr);
        is_long("oflags", 5 + 36);
        req(WIRE_CLTOMA_FUSE_TRUNCATE, V3);
        U(INODE, 5);
        U(FLAGS, WIRE_TRUNCATE_OPENED);
        ug(0, 1);
        U(LENGTH, 0x100);
        is("ug", "00000007 00000005 01 00000000 00000001 00000064 0000000000000100");
        ck_assert_uint_eq(wire_be32(out + 4), 25 + 4);
        ans(WIRE_MATOCL_FUSE_TRUNCATE, V3, V4);
        U(PREVLENGTH, 3);
        wire_set_attr(&m, &file_attr);
        is_long("prevlength", 48);
}
END_TEST

START_TEST(reading_folders)
{
        struct wire_group g;
        struct wire_msg item, back;
        uint8_t room[256];

        req(WIRE_CLTOMA_FUSE_READDIR, V3);
        U(INODE, 1);
        ug(0, 2);
        U(FLAGS, WIRE_READDIR_WITHATTR);
        U(MAXENTRIES, 0xFFFFFFFF);
        U(NEDGEID, 0);
        is_long("ug", 29 + 8);
        wire_group_init(&g, WFORM_DIRENT_ATTR36, room, sizeof(room));
        wire_item_init(&item);
        wire_set_str(&item, WF_NAME, "f");
        wire_set_u(&item, WF_INODE, 5);
        wire_set_attr(&item, &file_attr);
        ck_assert_int_eq(wire_group_add(&g, &item), WIRE_OK);
        ck_assert_int_eq(wire_decode(&back, m.type, m.dir, out + 8, 37, NULL), WIRE_OK);
        ans(WIRE_MATOCL_FUSE_READDIR, V3, V4);
        ctx.hint = wire_hint_of(&back);
        U(NEDGEID, WIRE_EDGEID_MAX);
        wire_set_group(&m, WF_ENTRIES, &g);
        is("edge+attr36", "00000007 7FFFFFFFFFFFFFFF 0166 00000005" ATTR36);
        wire_group_init(&g, WFORM_DIRENT, room, sizeof(room));
        wire_item_init(&item);
        wire_set_str(&item, WF_NAME, "f");
        wire_set_u(&item, WF_INODE, 5);
        wire_set_u(&item, WF_NODETYPE, WIRE_NODE_FILE);
        ck_assert_int_eq(wire_group_add(&g, &item), WIRE_OK);
        ans(WIRE_MATOCL_FUSE_READDIR, V3, V4);
        wire_set_group(&m, WF_ENTRIES, &g);
        is("plain", "00000007 0166 00000005 01");
}
END_TEST

START_TEST(xattr_acl_locks)
{
        req(WIRE_CLTOMA_FUSE_GETXATTR, V3);
        U(INODE, 1);
        S(NAME, "user.a");
        U(XMODE, 0);
        U(OPENED, 0);
        ug(0, 1);
        is_long("ug", 19 + 6 + 4);
        req(WIRE_CLTOMA_FUSE_SETXATTR, V3);
        U(INODE, 1);
        S(NAME, "user.a");
        S(VALUE, "12345");
        U(XMODE, 0);
        U(OPENED, 0);
        ug(0, 1);
        is_long("ug", 23 + 6 + 5 + 4);
        ans(WIRE_MATOCL_FUSE_GETXATTR, V3, V4);
        U(VALUE_LENGTH, 5);
        is("length", "00000007 00000005");
        req(WIRE_CLTOMA_FUSE_FLOCK, V3);
        U(INODE, 1);
        U(REQID, 2);
        U(OWNER, 3);
        U(CMD, WIRE_FLOCK_TRY_EXCLUSIVE);
        is_long("lock", 21);
        req(WIRE_CLTOMA_FUSE_POSIX_LOCK, V3);
        U(INODE, 1);
        U(REQID, 2);
        U(OWNER, 3);
        U(PID, 4);
        U(CMD, 0);
        U(LOCKTYPE, 1);
        U(START, 0);
        U(END, UINT64_MAX);
        is_long("lock", 42);
        ans(WIRE_MATOCL_FUSE_POSIX_LOCK, V3, V4);
        U(PID, 4);
        U(LOCKTYPE, 0);
        U(START, 0);
        U(END, 0);
        is_long("lock", 25);
}
END_TEST

static void acl_counts(unsigned users, unsigned groups)
{
        U(USERPERM, 7);
        U(GROUPPERM, 5);
        U(OTHERPERM, 0);
        U(MASKPERM, 7);
        U(NAMEDUSERS, users);
        U(NAMEDGROUPS, groups);
}

START_TEST(acl_with_entries)
{
        struct wire_group users, groups;
        struct wire_msg item;
        uint8_t room1[32], room2[32];

        wire_group_init(&users, WFORM_ACLENTRY, room1, sizeof(room1));
        wire_group_init(&groups, WFORM_ACLENTRY, room2, sizeof(room2));
        wire_item_init(&item);
        wire_set_u(&item, WF_ID, 1000);
        wire_set_u(&item, WF_PERM, 6);
        ck_assert_int_eq(wire_group_add(&users, &item), WIRE_OK);
        req(WIRE_CLTOMA_FUSE_SETFACL, V3);
        U(INODE, 1);
        U(UID, 0);
        U(ACLTYPE, 1);
        acl_counts(1, 0);
        wire_set_group(&m, WF_ACLUSERS, &users);
        wire_set_group(&m, WF_ACLGROUPS, &groups);
        is("acl", "00000007 00000001 00000000 01 0007 0005 0000 0007 0001 0000 000003E8 0006");
        ck_assert_uint_eq(wire_be32(out + 4), 25 + 6);
        U(NAMEDUSERS, 2);
        refused(WIRE_ERANGE, WF_ACLUSERS);
}
END_TEST

START_TEST(trees)
{
        req(WIRE_CLTOMA_FUSE_SNAPSHOT, V3);
        U(SRC_INODE, 2);
        U(DST_PARENT, 1);
        S(DST_NAME, "snap");
        ug(0, 1);
        U(SMODE, 1);
        U(UMASK, 022);
        is_long("ug", 24 + 4 + 4);
        req(WIRE_CLTOMA_FUSE_APPEND_SLICE, V3);
        U(FLAGS, 0);
        U(DST_INODE, 2);
        U(SRC_INODE, 3);
        U(FROM, 0);
        U(TO, 0xFFFFFFFF);
        ug(0, 1);
        is_long("slice", 29 + 4);
        ctx.server = WIRE_VER(3, 0, 90);
        refused(WIRE_EVERSION, WF_TO);
        req(WIRE_CLTOMA_FUSE_SETSCLASS, V3);
        U(INODE, 2);
        U(UID, 0);
        U(GOAL, 2);
        U(SMODE, WIRE_SMODE_RECURSIVE);
        is_long("goal", 14);
        req(WIRE_CLTOMA_FUSE_SETSCLASS, V3);
        U(INODE, 2);
        U(UID, 0);
        U(GOAL, 0xFF);
        U(SMODE, 0);
        S(CLASSNAME, "ec");
        is("class", "00000007 00000002 00000000 FF 00 026563");
        req(WIRE_CLTOMA_FUSE_QUOTACONTROL, V3);
        U(INODE, 2);
        U(QFLAGS, 0);
        is_long("get", 9);
        req(WIRE_CLTOMA_FUSE_REPAIR, V4);
        U(INODE, 2);
        ug(0, 1);
        U(FLAGS, 1);
        is_long("flags", 17 + 4);
        ctx.server = V3;
        refused(WIRE_EVERSION, WF_FLAGS);
}
END_TEST

START_TEST(class_counts)
{
        /* files come first: so a 3.0.117 answers for one file, 00000007 01 00 01 00000001 */
        static const char hex[] = "00000007 02 01 FF 026563 00000001 03 00000009 02 00000003";
        struct wire_msg item;
        struct wire_iter it;
        uint8_t bytes[64];
        size_t n = unhex(hex, bytes), len;

        ck_assert_int_eq(wire_decode(&m, WIRE_MATOCL_FUSE_GETSCLASS, WIRE_FROM_MASTER, bytes, n, NULL),
                         WIRE_OK);
        ck_assert_uint_eq(wire_group_count(&m, WF_DIRS), 1);
        ck_assert_uint_eq(wire_group_count(&m, WF_FILES), 2);
        wire_group_begin(&m, WF_FILES, &it);
        ck_assert(wire_group_next(&it, &item));
        ck_assert_uint_eq(wire_get_u8(&item, WF_GOAL), 0xFF);
        ck_assert_mem_eq(wire_get_bytes(&item, WF_CLASSNAME, &len), "ec", 2);
        ck_assert_uint_eq(wire_get_u32(&item, WF_COUNT), 1);
        ck_assert(wire_group_next(&it, &item));
        ck_assert(!wire_has(&item, WF_CLASSNAME));
        ck_assert_uint_eq(wire_get_u32(&item, WF_COUNT), 9);
        ck_assert(!wire_group_next(&it, &item));
        ck_assert(wire_msg_ok(&m));
}
END_TEST

/* ---- chunks ----------------------------------------------------------------------------------------------- */

START_TEST(chunk_requests)
{
        req(WIRE_CLTOMA_FUSE_READ_CHUNK, V3);
        U(INODE, 5);
        U(INDEX, 1);
        U(CHUNKOPFLAGS, 0);
        is("flags", "00000007 00000005 00000001 00");
        ctx.server = WIRE_VER(3, 0, 3);
        is_long("old", 12);
        req(WIRE_CLTOMA_FUSE_WRITE_CHUNK_END, V4);
        U(CHUNKID, 0x55);
        U(INODE, 5);
        U(INDEX, 1);
        U(LENGTH, 0x4000001);
        U(CHUNKOPFLAGS, 0);
        U(OFFSET, 0);
        U(SIZE, 1);
        is("range", "00000007 0000000000000055 00000005 00000001 0000000004000001 00 00000000 00000001");
        ck_assert_uint_eq(wire_be32(out + 4), 37);
        ctx.server = WIRE_VER(4, 39, 0);
        is_long("index", 29);
        ctx.server = V3;
        is_long("index", 29);
        ctx.server = OLD3;
        is_long("flags", 25);
        ctx.server = WIRE_VER(3, 0, 3);
        is_long("old", 24);
}
END_TEST

static void set_location_reply(uint32_t client, unsigned proto, enum wire_form form, unsigned n)
{
        static uint8_t room[256];
        struct wire_group g;

        wire_group_init(&g, form, room, sizeof(room));
        for (unsigned i = 0; i < n; i++)
                wire_group_add_loc(&g, 0x0A000001 + i, 9422, V4, 1);
        ans(WIRE_MATOCL_FUSE_READ_CHUNK, V4, client);
        if (proto)
                U(PROTO, proto);
        U(LENGTH, 100);
        U(CHUNKID, 1);
        U(CHUNKVER, 2);
        wire_set_group(&m, WF_LOCS, &g);
}

START_TEST(chunk_locations)
{
        set_location_reply(V4, 2, WFORM_LOC14, 2);
        is_long("labels", 4 + 1 + 20 + 2 * 14);
        set_location_reply(V4, 3, WFORM_LOC14, 4);
        is_long("parts", 4 + 77);
        set_location_reply(V4, 3, WFORM_LOC14, 8);
        is_long("parts", 4 + 133);
        set_location_reply(WIRE_VER(3, 0, 9), 1, WFORM_LOC10, 3);
        is_long("csver", 25 + 3 * 10);
        set_location_reply(WIRE_VER(1, 6, 27), 0, WFORM_LOC6, 1);
        is("plain", "00000007 0000000000000064 0000000000000001 00000002 0A000001 24CE");
        set_location_reply(V4, 2, WFORM_LOC14, 0);
        is_long("labels", 25);
        set_location_reply(V4, 2, WFORM_LOC10, 1);
        refused(WIRE_EVERSION, WF_LOCS);
}
END_TEST

START_TEST(chunkserver_packets)
{
        struct wire_group g;
        uint8_t room[64];

        begin(WIRE_CLTOCS_READ, WIRE_TO_CS, V3, V4);
        U(PROTO, 1);
        U(CHUNKID, 1);
        U(CHUNKVER, 2);
        U(OFFSET, 3);
        U(SIZE, 4);
        is("proto", "01 0000000000000001 00000002 00000003 00000004");
        begin(WIRE_CSTOCL_READ_STATUS, WIRE_FROM_CS, V3, V4);
        U(CHUNKID, 1);
        U(STATUS, 0);
        is("status", "0000000000000001 00");
        wire_group_init(&g, WFORM_HOP, room, sizeof(room));
        wire_group_add_loc(&g, 0x0A000002, 9422, 0, 0);
        begin(WIRE_CLTOCS_WRITE, WIRE_TO_CS, V3, V4);
        U(PROTO, 1);
        U(CHUNKID, 1);
        U(CHUNKVER, 2);
        wire_set_group(&m, WF_CHAIN, &g);
        is("proto", "01 0000000000000001 00000002 0A000002 24CE");
        begin(WIRE_CSTOCL_WRITE_STATUS, WIRE_FROM_CS, V3, V4);
        U(CHUNKID, 1);
        U(WRITEID, 9);
        U(STATUS, WIRE_STATUS_CRC);
        is("status", "0000000000000001 00000009 1D");
        begin(WIRE_CLTOCS_WRITE_FINISH, WIRE_TO_CS, V3, V4);
        U(CHUNKID, 1);
        U(CHUNKVER, 2);
        is_long("finish", 12);
}
END_TEST

START_TEST(hot_headers_agree_with_the_table)
{
        static const uint8_t data[5] = "hello";
        struct wire_data d = { .chunkid = 0x1122334455667788,
                               .writeid = 9,
                               .block = 1023,
                               .offset = 65531,
                               .size = 5,
                               .crc = 0xCAFEBABE };
        struct wire_data back;
        uint8_t head[WIRE_HEADER_SIZE + WIRE_WRITE_DATA_HEADER];

        begin(WIRE_CLTOCS_WRITE_DATA, WIRE_TO_CS, V3, V4);
        U(CHUNKID, d.chunkid);
        U(WRITEID, d.writeid);
        U(BLOCK, d.block);
        U(OFFSET, d.offset);
        U(SIZE, d.size);
        U(CRC, d.crc);
        wire_set_bytes(&m, WF_DATA, data, 5);
        is_long("block", 24 + 5);
        wire_write_data_build(head, &d);
        ck_assert_mem_eq(out, head, sizeof(head));
        begin(WIRE_CSTOCL_READ_DATA, WIRE_FROM_CS, V3, V4);
        U(CHUNKID, d.chunkid);
        U(BLOCK, d.block);
        U(OFFSET, d.offset);
        U(SIZE, d.size);
        U(CRC, d.crc);
        wire_set_bytes(&m, WF_DATA, data, 5);
        is_long("block", 20 + 5);
        ck_assert(wire_read_data_parse(&back, out + 8, 25));
        ck_assert_uint_eq(back.chunkid, d.chunkid);
        ck_assert_uint_eq(back.block, d.block);
        ck_assert_uint_eq(back.offset, d.offset);
        ck_assert_uint_eq(back.size, 5);
        ck_assert_uint_eq(back.crc, d.crc);
        ck_assert(!wire_read_data_parse(&back, out + 8, 24));
        ck_assert(!wire_read_data_parse(&back, out + 8, 26));
        ck_assert(!wire_read_data_parse(&back, out + 8, 19));
        out[8 + 11]++; /* offset 65532: the block would end at 65537 */
        ck_assert(!wire_read_data_parse(&back, out + 8, 25));
        out[8 + 11]--;
        out[8 + 8] = 4; /* block 1279 */
        ck_assert(!wire_read_data_parse(&back, out + 8, 25));
}
END_TEST

START_TEST(check_forms)
{
        static const struct {
                const char *request, *layout, *reply;
        } cases[] = {
                { "00000007 00000005", "summary",
                  "00000007 00000000 00000000 00000003 00000000 00000000 00000000 00000000 00000000 00000000 "
                  "00000000 "
                  "00000000 00000000" },
                { "00000007 00000005 00000000", "copies",
                  "00000007 0000000000000001 00000002 0A000001 24CE 00" },
                { "00000007 02 00000005", "storage8", "00000007 04 00000001" },
                { "00000007 03 00000005", "storage16", "00000007 03E0 00000001" },
                { "00000007 03 00000005", "storage16", "00000007" },
                { "00000007 01 00000005 00000000", "copies+ec",
                  "00000007 0000000000000001 00000002 0A000001 24CE 00 10 0A000002 24CE 04 11" },
                { "00000007 04 00000005 00000000", "copies+mtime",
                  "00000007 0000000000000001 00000002 5F000000 0A000001 24CE 00 10" },
                { "00000007 00 00000005 00000000", "copies", "00000007 0000000000000000 00000000" },
        };
        struct wire_ctx v4 = { V4, V4, 0 };
        uint8_t bytes[128];

        for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
                size_t n = unhex(cases[i].request, bytes);

                ck_assert_int_eq(wire_decode(&m, WIRE_CLTOMA_FUSE_CHECK, WIRE_TO_MASTER, bytes, n, &v4),
                                 WIRE_OK);
                ctx = v4;
                ctx.hint = wire_hint_of(&m);
                n = unhex(cases[i].reply, bytes);
                ck_assert_int_eq(wire_decode(&m, WIRE_MATOCL_FUSE_CHECK, WIRE_FROM_MASTER, bytes, n, &ctx),
                                 WIRE_OK);
                ck_assert_str_eq(m.layout->name, cases[i].layout);
        }
        req(WIRE_CLTOMA_FUSE_CHECK, V3);
        U(INODE, 5);
        is_long("inode", 8);
        U(INDEX, 0);
        is_long("index", 12);
        U(LISTMODE, 1);
        refused(WIRE_EVERSION, WF_LISTMODE);
}
END_TEST

START_TEST(chunk_diagnosis)
{
        static uint8_t table[4096];

        begin(WIRE_CSTOAN_CHUNK_BLOCKS, WIRE_FROM_CS, V3, 0);
        U(CHUNKID, 1);
        U(CHUNKVER, 2);
        U(BLOCKS, 3);
        U(STATUS, 0);
        is("blocks", "0000000000000001 00000002 0003 00");
        begin(WIRE_CSTOAN_CHUNK_CHECKSUM, WIRE_FROM_CS, V3, 0);
        U(CHUNKID, 1);
        U(CHUNKVER, 2);
        U(CHECKSUM, 0xCAFE);
        is_long("checksum", 16);
        begin(WIRE_CSTOAN_CHUNK_CHECKSUM_TAB, WIRE_FROM_CS, V3, 0);
        U(CHUNKID, 1);
        U(CHUNKVER, 2);
        wire_set_bytes(&m, WF_TABLE, table, sizeof(table));
        is_long("table", 4108);
        begin(WIRE_ANTOCS_GET_CHUNK_INFO, WIRE_TO_CS, V4, 0);
        U(CHUNKID, 1);
        U(CHUNKVER, 0);
        U(WHAT, 15);
        is_long("what", 13);
        ctx.server = V3;
        refused(WIRE_EVERSION, WF_NONE);
        begin(WIRE_CSTOAN_CHUNK_INFO, WIRE_FROM_CS, V4, 0);
        U(CHUNKID, 1);
        U(CHUNKVER, 2);
        U(BLOCKS, 3);
        U(CHECKSUM, 4);
        S(PATH, "/mnt/00/chunk");
        is_long("blocks+checksum+path", 12 + 2 + 4 + 4 + 13);
}
END_TEST

/* ---- refusals --------------------------------------------------------------------------------------------- */

static int decode_hex(uint32_t type, enum wire_dir dir, const char *hex)
{
        static uint8_t bytes[256]; /* the message points into it */
        size_t n = unhex(hex, bytes);

        return wire_decode(&m, type, dir, bytes, n, NULL);
}

START_TEST(decoder_refuses)
{
        /* name longer than the packet */
        ck_assert_int_eq(decode_hex(WIRE_CLTOMA_FUSE_LOOKUP, WIRE_TO_MASTER,
                                    "00000007 00000001 FF616263 000003E8 00000001 00000064"),
                         WIRE_EFORMAT);
        /* no group: read by servers as the group of root */
        ck_assert_int_eq(decode_hex(WIRE_CLTOMA_FUSE_LOOKUP, WIRE_TO_MASTER,
                                    "00000007 00000001 03616263 000003E8 00000000"),
                         WIRE_OK);
        ck_assert_str_eq(m.layout->name, "old");
        /* more groups than bytes */
        ck_assert_int_eq(decode_hex(WIRE_CLTOMA_FUSE_LOOKUP, WIRE_TO_MASTER,
                                    "00000007 00000001 03616263 000003E8 40000001 00000064"),
                         WIRE_EFORMAT);
        /* a table cut in half, and a count that promises more than there is */
        ck_assert_int_eq(decode_hex(WIRE_CSTOCL_READ_DATA, WIRE_FROM_CS,
                                    "0000000000000001 0000 0000 00000005 00000000 68656C6C"),
                         WIRE_EFORMAT);
        ck_assert_int_eq(
                decode_hex(WIRE_MATOCL_FUSE_GETEATTR, WIRE_FROM_MASTER, "00000007 FF 00 01 00000001"),
                WIRE_EFORMAT);
        ck_assert_int_eq(decode_hex(WIRE_MATOCL_FUSE_LOOKUP, WIRE_TO_MASTER, "00000007 03"), WIRE_ETYPE);
        ck_assert_int_eq(decode_hex(9999, WIRE_TO_MASTER, ""), WIRE_ETYPE);
}
END_TEST

START_TEST(encoder_refuses)
{
        static char name[300];

        req(WIRE_CLTOMA_FUSE_LOOKUP, V3);
        U(PARENT, 1);
        ug(0, 1);
        refused(WIRE_EMISSING, WF_NAME);
        req(WIRE_CLTOMA_FUSE_LOOKUP, V3);
        U(PARENT, UINT64_C(1) << 32);
        S(NAME, "a");
        ug(0, 1);
        refused(WIRE_ERANGE, WF_PARENT);
        req(WIRE_CLTOMA_FUSE_LOOKUP, V3);
        U(PARENT, 1);
        wire_set_bytes(&m, WF_NAME, name, 256);
        ug(0, 1);
        refused(WIRE_ERANGE, WF_NAME);
        req(WIRE_CLTOMA_FUSE_LOOKUP, V3);
        U(PARENT, 1);
        U(NAME, 1);
        ug(0, 1);
        refused(WIRE_EKIND, WF_NAME);
        req(WIRE_CLTOMA_FUSE_LOOKUP, V3);
        wire_set_ug(&m, 0, gids, 0);
        refused(WIRE_ERANGE, WF_UG);
        req(WIRE_CLTOMA_PATH_LOOKUP, V3);
        refused(WIRE_EVERSION, WF_NONE);
        begin(WIRE_CLTOMA_FUSE_LOOKUP, WIRE_TO_CS, V3, V4);
        refused(WIRE_ETYPE, WF_NONE);
        req(WIRE_CLTOMA_FUSE_READLINK, V3);
        U(INODE, 1);
        ck_assert_int_eq(wire_encode(&m, &ctx, out, 15), WIRE_ESPACE);
}
END_TEST

START_TEST(getters_stick)
{
        char text[200];
        size_t n;

        ck_assert_int_eq(decode_hex(WIRE_MATOCL_FUSE_LOOKUP, WIRE_FROM_MASTER, "00000007 03"), WIRE_OK);
        uint8_t status = 0;
        ck_assert(wire_is_status(&m, &status));
        ck_assert_uint_eq(status, WIRE_STATUS_ENOENT);
        ck_assert_uint_eq(wire_get_u_or(&m, WF_INODE, 77), 77);
        ck_assert(wire_msg_ok(&m));
        ck_assert_uint_eq(wire_get_u32(&m, WF_INODE), 0);
        ck_assert(!wire_msg_ok(&m));
        ck_assert_str_eq(wire_msg_error(&m, text, sizeof(text)),
                         "MATOCL_FUSE_LOOKUP (407): field inode: field is missing");
        ck_assert_uint_eq(wire_get_u32(&m, WF_MSGID), 0); /* nothing more comes out of a broken message */
        ck_assert_int_eq(decode_hex(WIRE_MATOCL_FUSE_READLINK, WIRE_FROM_MASTER, "00000007 00000001 61"),
                         WIRE_OK);
        ck_assert_uint_eq(wire_get_u(&m, WF_TARGET), 0);
        ck_assert_int_eq(m.error, WIRE_EKIND);
        ck_assert_int_eq(decode_hex(WIRE_MATOCL_FUSE_READLINK, WIRE_FROM_MASTER, "00000007 00000001 61"),
                         WIRE_OK);
        ck_assert_uint_eq(wire_get_u8(&m, WF_MSGID), 7);
        ck_assert_mem_eq(wire_get_bytes(&m, WF_TARGET, &n), "a", 1);
        ck_assert_uint_eq(n, 1);
        ck_assert(wire_msg_ok(&m));
}
END_TEST

int main(void)
{
        Suite *s = suite_create("wire-golden");
        TCase *tc = tcase_create("wire-golden");
        SRunner *sr;
        int failed;

        tcase_add_test(tc, register_requests);
        tcase_add_test(tc, register_again_requests);
        tcase_add_test(tc, register_replies);
        tcase_add_test(tc, register_other_replies);
        tcase_add_test(tc, session_packets);
        tcase_add_test(tc, change_notices);
        tcase_add_test(tc, lookup);
        tcase_add_test(tc, lookup_replies);
        tcase_add_test(tc, attributes);
        tcase_add_test(tc, statfs_and_access);
        tcase_add_test(tc, making_nodes);
        tcase_add_test(tc, removing_and_renaming);
        tcase_add_test(tc, opening_and_truncating);
        tcase_add_test(tc, reading_folders);
        tcase_add_test(tc, xattr_acl_locks);
        tcase_add_test(tc, acl_with_entries);
        tcase_add_test(tc, trees);
        tcase_add_test(tc, class_counts);
        tcase_add_test(tc, chunk_requests);
        tcase_add_test(tc, chunk_locations);
        tcase_add_test(tc, chunkserver_packets);
        tcase_add_test(tc, hot_headers_agree_with_the_table);
        tcase_add_test(tc, check_forms);
        tcase_add_test(tc, chunk_diagnosis);
        tcase_add_test(tc, decoder_refuses);
        tcase_add_test(tc, encoder_refuses);
        tcase_add_test(tc, getters_stick);
        suite_add_tcase(s, tc);
        sr = srunner_create(s);
        srunner_run_all(sr, CK_ENV);
        failed = srunner_ntests_failed(sr);
        srunner_free(sr);
        return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
