/* SPDX-License-Identifier: MIT */
/* Information and administration at the master. Most of it needs no registration and carries no msgid. */
#include "table.h"

#define LIST_MODE            L("mode", ANYV, U8(LISTMODE)), L0("empty", ANYV)
#define MODE1(n, form, h, g) LH(n, g, h, U16(STATCOUNT), GRP(SESSIONS, form))
#define EXPORT(n, form, h)   LH(n, ANYV, h, GRP(EXPORTS, form))
#define FULL_SESSION(t, ...) P(t, WIRE_TO_MASTER, WT_INFO, 0, SRV(4, 0, 0), NODROP, __VA_ARGS__)
#define DANGEROUS(t, ...) \
        P(t, WIRE_TO_MASTER, WT_ADMIN, WP_UNREGISTERED | WP_DANGEROUS, ANYV, NODROP, __VA_ARGS__)
#define BARE_STATUS                                                                \
        {                                                                          \
                .name = "status", .fields = FIELDS(U8(STATUS)), .flags = WL_STATUS \
        }
#define PLAIN_STATUS                                                                     \
        {                                                                                \
                .name = "plain-status", .fields = FIELDS(U8(STATUS)), .flags = WL_STATUS \
        }

/* INFO in pieces: it grew in the middle and at the end. */
#define I_HEAD U32(VERSION), U64(MEMUSAGE), U64(SYSCPU), U64(USERCPU), U64(TOTALSPACE), U64(AVAILSPACE)
#define I_NODES                                                                                    \
        U64(TRASHSPACE), U32(TRASHNODES), U64(SUSTAINEDSPACE), U32(SUSTAINEDNODES), U32(ALLNODES), \
                U32(DIRNODES), U32(FILENODES), U32(CHUNKS)
#define I_STORE U32(LASTSTORE_TS), U32(LASTSTORE_DURATION), U8(LASTSTORE_STATUS)
#define I_STATE \
        U8(STATE), U8(NSTATE), U8(STABLE), U8(SYNC), U32(LEADERIP), U32(STATE_CHG_TIME), U64(META_VERSION)
#define I_META   U64(EXPORTS_CHECKSUM), U64(METAID), U64(LASTSTORE_META_VERSION), U32(LASTSTORE_META_CHECKSUM)
#define I_COPIES U32(COPYCHUNKS), U32(TDCOPIES)
#define I_EC     U32(COPYCHUNKS), U32(EC8CHUNKS)
#define I_PARTS  U64(ALL_COPIES), U64(ALL_EC8_PARTS), U64(ALL_HYPO_COPIES)
#define I_CLOCK  U64(USEC), U32(LAST_CHGLOG_TIME)

#define MODULE U8(MODULETYPE), U32(VERSION), U16(MODULEID), U64(METAID), U32(LEADERIP), U16(LEADERPORT)

static const struct wire_packet packets[] = {
        INFO_REQ(CLTOMA_CSERV_LIST, L("mode", SRV(4, 35, 0), U8(LISTMODE)), L0("empty", ANYV)),
        INFO_ANS(MATOCL_CSERV_LIST, LH("77", SRV(4, 35, 0), 2, GRP(SERVERS, CSERV77)),
                 LH("73", SRV(4, 26, 0), 1, GRP(SERVERS, CSERV73)),
                 L("69", SRV(3, 0, 38), GRP(SERVERS, CSERV69)),
                 LF("68", SRV(2, 1, 0), WL_INFERRED, GRP(SERVERS, CSERV68)),
                 LF("64", SRV(1, 7, 25), WL_INFERRED, GRP(SERVERS, CSERV64)),
                 LF("54", ANYV, WL_INFERRED, GRP(SERVERS, CSERV54))),
        P(CLTOAN_MONOTONIC_DATA, WIRE_TO_MASTER | WIRE_TO_CS, WT_INFO, WP_UNREGISTERED, ANYV, NODROP,
          L0("empty", ANYV)),
        P(ANTOCL_MONOTONIC_DATA, WIRE_FROM_MASTER | WIRE_FROM_CS, WT_INFO, WP_UNREGISTERED, ANYV, NODROP,
          LF("counters", ANYV, WL_INFERRED, U16(COUNT), MUL(COUNTERS, 8, COUNT), REST(REST))),
        P(CLTOAN_CHART, WIRE_TO_MASTER | WIRE_TO_CS, WT_INFO, WP_UNREGISTERED, ANYV, NODROP,
          LF("size", ANYV, WL_INFERRED, U32(CHARTID), U16(WIDTH), U16(HEIGHT)),
          LF("id", ANYV, WL_INFERRED, U32(CHARTID))),
        P(ANTOCL_CHART, WIRE_FROM_MASTER | WIRE_FROM_CS, WT_INFO, WP_UNREGISTERED, ANYV, NODROP,
          LF("png", ANYV, WL_INFERRED, REST(DATA))),
        P(CLTOAN_CHART_DATA, WIRE_TO_MASTER | WIRE_TO_CS, WT_INFO, WP_UNREGISTERED, ANYV, NODROP,
          LF("multi", SRV(4, 31, 0), WL_INFERRED, U32(CHARTID), U32(MAXENTRIES), U8(MULTIMODE)),
          LF("max", ANYV, WL_INFERRED, U32(CHARTID), U32(MAXENTRIES)),
          LF("id", ANYV, WL_INFERRED, U32(CHARTID))),
        P(ANTOCL_CHART_DATA, WIRE_FROM_MASTER | WIRE_FROM_CS, WT_INFO, WP_UNREGISTERED, ANYV, NODROP,
          LF("series", ANYV, WL_INFERRED, U32(TIME), U32(COUNT), MUL(COUNTERS, 8, COUNT)),
          LF("ranges", ANYV, WL_INFERRED, REST(DATA))),
        INFO_REQ(CLTOMA_SESSION_LIST, LIST_MODE, L("mode+msgid", SRV(4, 0, 0), MSGID, U8(LISTMODE))),
        INFO_ANS(MATOCL_SESSION_LIST, MODE1("v5", SESSION5, 6, SRV(4, 57, 0)), MODE1("v4", SESSION4, 5, ANYV),
                 MODE1("v3", SESSION3, 4, ANYV), MODE1("v2", SESSION2, 3, ANYV),
                 MODE1("v1", SESSION1, 2, ANYV), MODE1("v0", SESSION0, 1, ANYV),
                 LHF("expire", SRV(4, 7, 0), 7, WL_INFERRED, GRP(SESSIONS, SESSIONEXP)),
                 L("v5+msgid", SRV(4, 57, 0), MSGID, U16(STATCOUNT), GRP(SESSIONS, SESSION5)),
                 LF("expire+msgid", SRV(4, 7, 0), WL_INFERRED, MSGID, GRP(SESSIONS, SESSIONEXP))),
        INFO_REQ(CLTOMA_INFO, L0("empty", ANYV)),
        INFO_ANS(MATOCL_INFO,
                 L("205", SRV(4, 26, 0), I_HEAD, U64(FREESPACE), I_NODES, I_EC, U32(EC4CHUNKS), I_STORE,
                   I_STATE, I_META, U64(ALL_COPIES), U64(ALL_EC8_PARTS), U64(ALL_EC4_PARTS),
                   U64(ALL_HYPO_COPIES), I_CLOCK),
                 LF("193", SRV_IN(4, 17, 0, 4, 26, 0), WL_INFERRED, I_HEAD, U64(FREESPACE), I_NODES, I_EC,
                    I_STORE, I_STATE, I_META, I_PARTS, I_CLOCK),
                 LF("181", SRV_IN(4, 10, 0, 4, 17, 0), WL_INFERRED, I_HEAD, U64(FREESPACE), I_NODES, I_EC,
                    I_STORE, I_STATE, I_META, I_PARTS),
                 LF("173", SRV_IN(4, 4, 0, 4, 10, 0), WL_INFERRED, I_HEAD, I_NODES, I_EC, I_STORE, I_STATE,
                    I_META, I_PARTS),
                 L("149", SRV_TO(4, 0, 0), I_HEAD, U64(FREESPACE), I_NODES, I_COPIES, I_STORE, I_STATE,
                   U64(EXPORTS_CHECKSUM), I_CLOCK),
                 LF("129", SRV_TO(4, 4, 0), WL_INFERRED, I_HEAD, I_NODES, I_COPIES, I_STORE, I_STATE,
                    U64(EXPORTS_CHECKSUM)),
                 LF("121", SRV_TO(4, 4, 0), WL_INFERRED, I_HEAD, I_NODES, I_COPIES, I_STORE, I_STATE),
                 LF("101", SRV_TO(2, 0, 0), WL_INFERRED, I_HEAD, I_NODES, I_COPIES, I_STORE),
                 LF("76", SRV_TO(2, 0, 0), WL_INFERRED, U32(VERSION), U64(MEMUSAGE), U64(TOTALSPACE),
                    U64(AVAILSPACE), I_NODES, I_COPIES),
                 LF("68", SRV_TO(2, 0, 0), WL_INFERRED, U32(VERSION), U64(TOTALSPACE), U64(AVAILSPACE),
                    I_NODES, I_COPIES)),
        INFO_REQ(CLTOMA_FSTEST_INFO, LIST_MODE),
        INFO_ANS(MATOCL_FSTEST_INFO,
                 LH("trash", ANYV, 2, U32(LOOPSTART), U32(LOOPEND), U32(NODEFILES), U32(UGFILES), U32(MFILES),
                    U32(MTFILES), U32(MSFILES), U32(CHUNKS), U32(UGCHUNKS), U32(MCHUNKS), STR32(MESSAGE)),
                 LH("chunks", ANYV, 1, U32(LOOPSTART), U32(LOOPEND), U32(NODEFILES), U32(UGFILES),
                    U32(MFILES), U32(CHUNKS), U32(UGCHUNKS), U32(MCHUNKS), STR32(MESSAGE)),
                 LF("old", ANYV, WL_INFERRED, U32(LOOPSTART), U32(LOOPEND), U32(NODEFILES), U32(UGFILES),
                    U32(MFILES), STR32(MESSAGE))),
        INFO_REQ(CLTOMA_CHUNKSTEST_INFO, L0("empty", ANYV)),
        INFO_ANS(MATOCL_CHUNKSTEST_INFO,
                 L("96", SRV(4, 4, 0), U32(LOOPSTART), U32(LOOPEND), BYTES(COUNTERS, 88)),
                 L("72", SRV(2, 1, 4), U32(LOOPSTART), U32(LOOPEND), BYTES(COUNTERS, 64)),
                 LF("60", ANYV, WL_INFERRED, U32(LOOPSTART), U32(LOOPEND), BYTES(COUNTERS, 52)),
                 LF("52", ANYV, WL_INFERRED, U32(LOOPSTART), U32(LOOPEND), BYTES(COUNTERS, 44))),
        INFO_REQ(CLTOMA_CHUNKS_MATRIX, L("class", SRV(4, 44, 0), U8_IS(ZERO, 0), U8(CLASSID)),
                 L("one", ANYV, U8(MATRIX_ID)), L0("all", ANYV)),
        INFO_ANS(MATOCL_CHUNKS_MATRIX, L("one", ANYV, BYTES(MATRICES, 484)),
                 L("all", ANYV, U8(PROGRESS), RESTN(MATRICES, 484))),
        INFO_REQ(CLTOMA_QUOTA_INFO, L("mode", SRV(4, 0, 0), U8(LISTMODE)), L0("empty", ANYV)),
        INFO_ANS(MATOCL_QUOTA_INFO, L("quotas", ANYV, GRP(QUOTAS, QUOTA))),
        INFO_REQ(CLTOMA_EXPORTS_INFO, LIST_MODE),
        INFO_ANS(MATOCL_EXPORTS_INFO, EXPORT("v4", EXPORT4, 5), EXPORT("v3", EXPORT3, 4),
                 EXPORT("v2", EXPORT2, 3), EXPORT("v1", EXPORT1, 2), EXPORT("v0", EXPORT0, 1)),
        INFO_REQ(CLTOMA_MLOG_LIST, L0("empty", ANYV)),
        INFO_ANS(MATOCL_MLOG_LIST, L("loggers", ANYV, GRP(LOGGERS, LOGGER))),
        DANGEROUS(CLTOMA_CSSERV_COMMAND, L("command", ANYV, U8(CMD), U32(IP), U16(PORT)),
                  LF("old", ANYV, WL_OLD, U32(IP), U16(PORT))),
        INFO_ANS(MATOCL_CSSERV_COMMAND, BARE_STATUS, L0("empty", ANYV)),
        DANGEROUS(CLTOMA_SESSION_COMMAND, L("command", ANYV, U8(CMD), U32(SESSIONID))),
        INFO_ANS(MATOCL_SESSION_COMMAND, BARE_STATUS, L0("empty", ANYV)),
        INFO_REQ(CLTOMA_MEMORY_INFO, L0("empty", ANYV)),
        INFO_ANS(MATOCL_MEMORY_INFO, L("memory", ANYV, GRP(MEMORY, MEMORY))),
        P(CLTOAN_MODULE_INFO, WIRE_TO_MASTER | WIRE_TO_CS, WT_INFO, WP_UNREGISTERED, ANYV, NODROP,
          LD("msgid", WIRE_TO_MASTER, MSGID), L0("empty", ANYV)),
        P(ANTOCL_MODULE_INFO, WIRE_FROM_MASTER | WIRE_FROM_CS, WT_INFO, WP_UNREGISTERED, ANYV, NODROP,
          LD("module+msgid", WIRE_FROM_MASTER, MSGID, MODULE), L("module", ANYV, MODULE)),
        INFO_REQ(CLTOMA_LIST_OPEN_FILES, L("msgid", ANYV, MSGID, U32(SESSIONID)),
                 L("plain", ANYV, U32(SESSIONID))),
        INFO_ANS(MATOCL_LIST_OPEN_FILES,
                 LH("all+msgid", ANYV, HINT_LIST_ALL_MSGID, MSGID, GRP(INODELIST, SESSINODE)),
                 LH("all", ANYV, HINT_LIST_ALL, GRP(INODELIST, SESSINODE)),
                 LH("one+msgid", ANYV, HINT_LIST_ONE_MSGID, MSGID, GRP(INODELIST, INODE)),
                 LH("one", ANYV, HINT_LIST_ONE, GRP(INODELIST, INODE))),
        INFO_REQ(CLTOMA_LIST_ACQUIRED_LOCKS, L("msgid", ANYV, MSGID, U32(INODE)),
                 L("plain", ANYV, U32(INODE))),
        INFO_ANS(MATOCL_LIST_ACQUIRED_LOCKS,
                 LH("all+msgid", ANYV, HINT_LIST_ALL_MSGID, MSGID, GRP(LOCKS, LOCKALL)),
                 LH("all", ANYV, HINT_LIST_ALL, GRP(LOCKS, LOCKALL)),
                 LH("one+msgid", ANYV, HINT_LIST_ONE_MSGID, MSGID, GRP(LOCKS, LOCKONE)),
                 LH("one", ANYV, HINT_LIST_ONE, GRP(LOCKS, LOCKONE))),
        INFO_REQ(CLTOMA_MASS_RESOLVE_PATHS, L("inodes", ANYV, GRP(INODELIST, INODE))),
        INFO_ANS(MATOCL_MASS_RESOLVE_PATHS, L("paths", ANYV, GRP(RESOLVED, RESOLVED))),
        INFO_REQ(CLTOMA_MISSING_CHUNKS, LIST_MODE),
        INFO_ANS(MATOCL_MISSING_CHUNKS, LH("typed", ANYV, 2, GRP(MISSING, MISSINGTYPE)),
                 LH("plain", ANYV, 1, GRP(MISSING, MISSING))),
        /* never without a session: a 3.0.117 master crashes (seen), a 4.x master ends the connection */
        REQ(CLTOMA_NODE_INFO, WT_INFO, L("msgid", ANYV, MSGID, U32(INODE), U32(MAXENTRIES), U64(CONTINUEID)),
            L("plain", SRV_TO(4, 0, 0), U32(INODE), U32(MAXENTRIES), U64(CONTINUEID))),
        P(MATOCL_NODE_INFO, WIRE_FROM_MASTER, WT_INFO, 0, ANYV, NODROP,
          LH("file3+msgid", SRV(4, 0, 0), HINT_MSGID, MSGID, U16_IS(ANSTYPE, 3), U64(CONTINUEID), U64(LENGTH),
             GRP(CHUNKLIST, NODECHUNK)),
          LH("file+msgid", ANYV, HINT_MSGID, MSGID, U16_IS(ANSTYPE, 2), U64(CONTINUEID), U64(LENGTH),
             GRP(CHUNKLIST, NODECHUNK)),
          LH("dir+msgid", ANYV, HINT_MSGID, MSGID, U16_IS(ANSTYPE, 1), U64(CONTINUEID),
             GRP(INODELIST, INODE)),
          LH("other+msgid", ANYV, HINT_MSGID, MSGID, U16_IS(ANSTYPE, 0)),
          LH("file", ANYV, HINT_NO_MSGID, U16_IS(ANSTYPE, 2), U64(CONTINUEID), U64(LENGTH),
             GRP(CHUNKLIST, NODECHUNK)),
          LH("dir", ANYV, HINT_NO_MSGID, U16_IS(ANSTYPE, 1), U64(CONTINUEID), GRP(INODELIST, INODE)),
          LH("other", ANYV, HINT_NO_MSGID, U16_IS(ANSTYPE, 0)), LSTATUS, PLAIN_STATUS),
        P(CLTOMA_INSTANCE_NAME, WIRE_TO_MASTER, WT_INFO, WP_UNREGISTERED, SRV(4, 0, 0), NODROP,
          L("msgid", ANYV, MSGID), L0("empty", ANYV)),
        INFO_ANS(MATOCL_INSTANCE_NAME, LH("name+msgid", ANYV, HINT_MSGID, MSGID, NAME(NAME)),
                 LH("name", ANYV, HINT_NO_MSGID, NAME(NAME))),
        FULL_SESSION(CLTOMA_FULL_DIRECTORY_DATA,
                     LF("flags", ANYV, WL_INFERRED, MSGID, U32(INODE), U32(MAXENTRIES), U64(CONTINUEID),
                        U8(FLAGS)),
                     LF("plain", ANYV, WL_INFERRED, MSGID, U32(INODE), U32(MAXENTRIES), U64(CONTINUEID))),
        INFO_ANS(MATOCL_FULL_DIRECTORY_DATA,
                 LF("entries", ANYV, WL_INFERRED, MSGID, U64(CONTINUEID), REST(REST)), LSTATUS),
        FULL_SESSION(CLTOMA_SET_ALL_NODE_ATTRIBUTES,
                     LF("set", ANYV, WL_INFERRED, MSGID, U32(INODE), U32(UID), U8(FLAGS), REST(REST))),
        INFO_ANS(MATOCL_SET_ALL_NODE_ATTRIBUTES, LSTATUS),
};

const struct wire_table wire_table_info = { packets, sizeof(packets) / sizeof(packets[0]) };
