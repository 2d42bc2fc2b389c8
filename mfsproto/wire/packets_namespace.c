/* SPDX-License-Identifier: MIT */
/* Packets of the name space: look-up, attributes, create and remove, directories, extended attributes, locks. */
#include "table.h"

#define NS           WT_NAMESPACE
#define OLD_IDS      U32(UID), U32(GID)
#define SETATTR_BASE U8(SETMASK), U16(MODE), U32(ATTR_UID), U32(ATTR_GID), U32(ATIME), U32(MTIME)
#define ENTRY        U32(PARENT), NAME(NAME)
#define RENAME_PAIR  U32(SRC_PARENT), NAME(SRC_NAME), U32(DST_PARENT), NAME(DST_NAME)
#define CHUNK0(p)    U16(LFLAGS), U8_IS(PROTO, p), U64(CHUNKID), U32(CHUNKVER), GRP(LOCS, LOC14)
#define ACL_PERMS                                                                                        \
        U16(USERPERM), U16(GROUPPERM), U16(OTHERPERM), U16(MASKPERM), U16(NAMEDUSERS), U16(NAMEDGROUPS), \
                GRPN(ACLUSERS, ACLENTRY, NAMEDUSERS), GRPN(ACLGROUPS, ACLENTRY, NAMEDGROUPS)
#define EDGE MSGID, U64(NEDGEID)
/* Every released client that knows the flags byte also declares the long attribute record. */
#define GATE_OFLAGS   BOTH2(3, 0, 113, 4, 22, 0)
#define GATE_LFLAGS36 BOTH2(3, 0, 93, 4, 0, 2)
#define GATE_LFLAGS35 BOTH(3, 0, 40)
/* The usual answer of everything that makes a node. */
#define ANS_NODE(t)    ANS(t, NS, LA("node", MSGID, U32(INODE), ATTR))
#define ANS_ATTR(t)    ANS(t, NS, LA("attr", MSGID, ATTR))
#define ANS_REMOVED(t) ANSD(t, NS, DROP(WF_INODE), L("inode", BOTH2(3, 0, 107, 4, 18, 0), MSGID, U32(INODE)))
#define DIR_LAYOUTS(nm, g36, g35, head, plain, attr)                                    \
        { .name = nm "+attr36",                                                         \
          .fields = FIELDS(head, GRP(ENTRIES, DIRENT_ATTR36)),                          \
          .gate = g36,                                                                  \
          .hint = attr },                                                               \
                { .name = nm "+attr35",                                                 \
                  .fields = FIELDS(head, GRP(ENTRIES, DIRENT_ATTR35)),                  \
                  .gate = g35,                                                          \
                  .hint = attr },                                                       \
        {                                                                               \
                .name = nm, .fields = FIELDS(head, GRP(ENTRIES, DIRENT)), .hint = plain \
        }

static const struct wire_packet packets[] = {
        P(CLTOMA_PATH_LOOKUP, WIRE_TO_MASTER, NS, 0, SRV(4, 0, 0), NODROP,
          L("path", ANYV, MSGID, U32(BASE_INODE), STR32(PATH), UG)),
        ANS(MATOCL_PATH_LOOKUP, NS, LA("last", MSGID, U32(PARENT), NAME(NAME), U32(LAST_INODE), ATTR)),
        REQ(CLTOMA_FUSE_STATFS, NS, L("statfs", ANYV, MSGID)),
        ANSD(MATOCL_FUSE_STATFS, NS, DROP(WF_FREESPACE),
             L("free", BOTH2(3, 0, 102, 4, 9, 0), MSGID, U64(TOTALSPACE), U64(AVAILSPACE), U64(FREESPACE),
               U64(TRASHSPACE), U64(SUSTAINEDSPACE), U32(INODES)),
             L("old", ANYV, MSGID, U64(TOTALSPACE), U64(AVAILSPACE), U64(TRASHSPACE), U64(SUSTAINEDSPACE),
               U32(INODES))),
        REQ(CLTOMA_FUSE_ACCESS, NS, L("ug", ANYV, MSGID, U32(INODE), UG, U16(ACCESSMASK)),
            LF("old", ANYV, WL_OLD, MSGID, U32(INODE), OLD_IDS, U8(ACCESSMASK))),
        ANS0(MATOCL_FUSE_ACCESS, NS),
        REQ(CLTOMA_FUSE_LOOKUP, NS, L("ug", ANYV, MSGID, ENTRY, UG),
            LF("old", ANYV, WL_OLD, MSGID, ENTRY, OLD_IDS)),
        ANSD(MATOCL_FUSE_LOOKUP, NS, DROP(WF_LFLAGS, WF_PROTO, WF_CHUNKID, WF_CHUNKVER, WF_LOCS),
             { .name = "parts",
               .fields = FIELDS(MSGID, U32(INODE), ATTR, CHUNK0(WIRE_LOCS_PARTS)),
               .gate = BOTH(4, 0, 2),
               .attrlen = 36 },
             { .name = "chunk0",
               .fields = FIELDS(MSGID, U32(INODE), ATTR, CHUNK0(WIRE_LOCS_LABELS)),
               .gate = GATE_LFLAGS36,
               .attrlen = 36 },
             { .name = "chunk0-35",
               .fields = FIELDS(MSGID, U32(INODE), ATTR, CHUNK0(WIRE_LOCS_LABELS)),
               .gate = GATE_LFLAGS35,
               .attrlen = 35 },
             { .name = "lflags",
               .fields = FIELDS(MSGID, U32(INODE), ATTR, U16(LFLAGS)),
               .gate = GATE_LFLAGS36,
               .attrlen = 36 },
             { .name = "lflags-35",
               .fields = FIELDS(MSGID, U32(INODE), ATTR, U16(LFLAGS)),
               .gate = GATE_LFLAGS35,
               .attrlen = 35 },
             LA("node", MSGID, U32(INODE), ATTR)),
        REQ(CLTOMA_FUSE_GETATTR, NS, L("opened", ANYV, MSGID, U32(INODE), U8(OPENED), OLD_IDS),
            LF("ids", ANYV, WL_OLD, MSGID, U32(INODE), OLD_IDS),
            LF("inode", ANYV, WL_OLD, MSGID, U32(INODE))),
        ANS_ATTR(MATOCL_FUSE_GETATTR),
        REQD(CLTOMA_FUSE_SETATTR, NS, DROP(WF_WINATTR),
             L("winattr", BOTH2(3, 0, 93, 4, 0, 2), MSGID, U32(INODE), U8(OPENED), UG, SETATTR_BASE,
               U8(WINATTR), U8(SUGIDCLEAR)),
             L("ug", ANYV, MSGID, U32(INODE), U8(OPENED), UG, SETATTR_BASE, U8(SUGIDCLEAR)),
             LF("old37", ANYV, WL_OLD, MSGID, U32(INODE), U8(OPENED), OLD_IDS, SETATTR_BASE, U8(SUGIDCLEAR)),
             LF("old36", ANYV, WL_OLD, MSGID, U32(INODE), OLD_IDS, SETATTR_BASE, U8(SUGIDCLEAR)),
             LF("old35", ANYV, WL_OLD, MSGID, U32(INODE), OLD_IDS, SETATTR_BASE)),
        ANS_ATTR(MATOCL_FUSE_SETATTR),
        REQ(CLTOMA_FUSE_READLINK, NS, L("inode", ANYV, MSGID, U32(INODE))),
        ANS(MATOCL_FUSE_READLINK, NS, L("target", ANYV, MSGID, STR32(TARGET))),
        REQ(CLTOMA_FUSE_SYMLINK, NS, L("ug", ANYV, MSGID, ENTRY, STR32(TARGET), UG),
            LF("old", ANYV, WL_OLD, MSGID, ENTRY, STR32(TARGET), OLD_IDS)),
        ANS_NODE(MATOCL_FUSE_SYMLINK),
        REQ(CLTOMA_FUSE_MKNOD, NS,
            L("ug", ANYV, MSGID, ENTRY, U8(NODETYPE), U16(MODE), U16(UMASK), UG, U32(RDEV)),
            LF("old", ANYV, WL_OLD, MSGID, ENTRY, U8(NODETYPE), U16(MODE), OLD_IDS, U32(RDEV))),
        ANS_NODE(MATOCL_FUSE_MKNOD),
        REQ(CLTOMA_FUSE_MKDIR, NS, L("ug", ANYV, MSGID, ENTRY, U16(MODE), U16(UMASK), UG, U8(COPYSGID)),
            LF("old-sgid", ANYV, WL_OLD, MSGID, ENTRY, U16(MODE), OLD_IDS, U8(COPYSGID)),
            LF("old", ANYV, WL_OLD, MSGID, ENTRY, U16(MODE), OLD_IDS)),
        ANS_NODE(MATOCL_FUSE_MKDIR),
        REQ(CLTOMA_FUSE_UNLINK, NS, L("ug", ANYV, MSGID, ENTRY, UG),
            LF("old", ANYV, WL_OLD, MSGID, ENTRY, OLD_IDS)),
        ANS_REMOVED(MATOCL_FUSE_UNLINK),
        REQ(CLTOMA_FUSE_RMDIR, NS, L("ug", ANYV, MSGID, ENTRY, UG),
            LF("old", ANYV, WL_OLD, MSGID, ENTRY, OLD_IDS)),
        ANS_REMOVED(MATOCL_FUSE_RMDIR),
        REQ(CLTOMA_FUSE_RENAME, NS, L("mode", SRV(4, 18, 0), MSGID, RENAME_PAIR, UG, U8(RENAME_MODE)),
            L("ug", ANYV, MSGID, RENAME_PAIR, UG), LF("old", ANYV, WL_OLD, MSGID, RENAME_PAIR, OLD_IDS)),
        ANS_NODE(MATOCL_FUSE_RENAME),
        REQ(CLTOMA_FUSE_LINK, NS, L("ug", ANYV, MSGID, U32(INODE), U32(DST_PARENT), NAME(DST_NAME), UG),
            LF("old", ANYV, WL_OLD, MSGID, U32(INODE), U32(DST_PARENT), NAME(DST_NAME), OLD_IDS)),
        ANS_NODE(MATOCL_FUSE_LINK),
        REQ(CLTOMA_FUSE_READDIR, NS,
            L("ug", ANYV, MSGID, U32(INODE), UG, U8(FLAGS), U32(MAXENTRIES), U64(NEDGEID)),
            LF("old-paged", ANYV, WL_OLD, MSGID, U32(INODE), OLD_IDS, U8(FLAGS), U32(MAXENTRIES),
               U64(NEDGEID)),
            LF("old-flags", ANYV, WL_OLD, MSGID, U32(INODE), OLD_IDS, U8(FLAGS)),
            LF("old", ANYV, WL_OLD, MSGID, U32(INODE), OLD_IDS)),
        ANS(MATOCL_FUSE_READDIR, NS,
            DIR_LAYOUTS("edge", GATE_ATTR36, GATE_ATTR35, EDGE, HINT_READDIR_EDGE, HINT_READDIR_EDGE_ATTR),
            DIR_LAYOUTS("plain", GATE_ATTR36, GATE_ATTR35, MSGID, HINT_READDIR_PLAIN,
                        HINT_READDIR_PLAIN_ATTR)),
        REQ(CLTOMA_FUSE_OPEN, NS, L("ug", ANYV, MSGID, U32(INODE), UG, U8(FLAGS)),
            LF("old", ANYV, WL_OLD, MSGID, U32(INODE), OLD_IDS, U8(FLAGS))),
        ANSD(MATOCL_FUSE_OPEN, NS, DROP(WF_OFLAGS), LA36("oflags", GATE_OFLAGS, MSGID, U8(OFLAGS), ATTR),
             LA("attr", MSGID, ATTR)),
        REQ(CLTOMA_FUSE_GETXATTR, NS, L("ug", ANYV, MSGID, U32(INODE), NAME(NAME), U8(XMODE), U8(OPENED), UG),
            LF("ids", ANYV, WL_OLD, MSGID, U32(INODE), NAME(NAME), U8(XMODE), U8(OPENED), OLD_IDS),
            LF("old", CLI_TO(2, 0, 0), WL_OLD, MSGID, U32(INODE), U8(OPENED), OLD_IDS, NAME(NAME),
               U8(XMODE))),
        ANS(MATOCL_FUSE_GETXATTR, NS, L("value", ANYV, MSGID, STR32(VALUE)),
            L("length", ANYV, MSGID, U32(VALUE_LENGTH))),
        REQ(CLTOMA_FUSE_SETXATTR, NS,
            L("ug", ANYV, MSGID, U32(INODE), NAME(NAME), STR32(VALUE), U8(XMODE), U8(OPENED), UG),
            LF("ids", ANYV, WL_OLD, MSGID, U32(INODE), NAME(NAME), STR32(VALUE), U8(XMODE), U8(OPENED),
               OLD_IDS),
            LF("old", CLI_TO(2, 0, 0), WL_OLD, MSGID, U32(INODE), U8(OPENED), OLD_IDS, NAME(NAME),
               STR32(VALUE), U8(XMODE))),
        ANS0(MATOCL_FUSE_SETXATTR, NS),
        REQ(CLTOMA_FUSE_CREATE, NS, L("ug", ANYV, MSGID, ENTRY, U16(MODE), U16(UMASK), UG),
            LF("old", ANYV, WL_OLD, MSGID, ENTRY, U16(MODE), OLD_IDS)),
        ANSD(MATOCL_FUSE_CREATE, NS, DROP(WF_OFLAGS),
             LA36("oflags", GATE_OFLAGS, MSGID, U8(OFLAGS), U32(INODE), ATTR),
             LA("node", MSGID, U32(INODE), ATTR)),
        REQ(CLTOMA_FUSE_PARENTS, NS, L("inode", ANYV, MSGID, U32(INODE))),
        ANS(MATOCL_FUSE_PARENTS, NS, L("parents", ANYV, MSGID, GRP(PARENTS, INODE))),
        REQ(CLTOMA_FUSE_PATHS, NS, L("inode", ANYV, MSGID, U32(INODE))),
        ANS(MATOCL_FUSE_PATHS, NS, L("paths", ANYV, MSGID, GRP(PATHS, STRING32))),
        REQ(CLTOMA_FUSE_GETFACL, NS, L("type", ANYV, MSGID, U32(INODE), U8(ACLTYPE)),
            LF("old", ANYV, WL_OLD, MSGID, U32(INODE), U8(ACLTYPE), U8(OPENED), UG)),
        ANS(MATOCL_FUSE_GETFACL, NS, L("acl", ANYV, MSGID, ACL_PERMS)),
        REQ(CLTOMA_FUSE_SETFACL, NS, L("acl", ANYV, MSGID, U32(INODE), U32(UID), U8(ACLTYPE), ACL_PERMS)),
        ANS0(MATOCL_FUSE_SETFACL, NS),
        REQ(CLTOMA_FUSE_FLOCK, NS, L("lock", ANYV, MSGID, U32(INODE), U32(REQID), U64(OWNER), U8(CMD))),
        ANS0(MATOCL_FUSE_FLOCK, NS),
        REQ(CLTOMA_FUSE_POSIX_LOCK, NS,
            L("lock", ANYV, MSGID, U32(INODE), U32(REQID), U64(OWNER), U32(PID), U8(CMD), U8(LOCKTYPE),
              U64(START), U64(END))),
        ANS(MATOCL_FUSE_POSIX_LOCK, NS, L("lock", ANYV, MSGID, U32(PID), U8(LOCKTYPE), U64(START), U64(END))),
        P(CLTOMA_FUSE_FSYNC, WIRE_TO_MASTER, NS, WP_KILLS | WP_NOREPLY, ANYV, NODROP,
          LF("inode", ANYV, WL_INFERRED, MSGID, U32(INODE))),
};

const struct wire_table wire_table_namespace = { packets, sizeof(packets) / sizeof(packets[0]) };
