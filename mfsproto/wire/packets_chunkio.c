/* SPDX-License-Identifier: MIT */
/* Packets that move data: chunk locations and locks at the master, blocks at the chunkservers, and the
 * diagnosis of single chunks at a chunkserver. */
#include "table.h"

#define IO                 WT_CHUNKIO
#define DG                 WT_DIAGNOSE
#define CS_REQ(t, tp, ...) P(t, WIRE_TO_CS, tp, 0, ANYV, NODROP, __VA_ARGS__)
#define CS_ANS(t, tp, ...) P(t, WIRE_FROM_CS, tp, 0, ANYV, NODROP, __VA_ARGS__)
#define CHUNK              U64(CHUNKID), U32(CHUNKVER)
#define CS_STATUS                                                                         \
        {                                                                                 \
                .name = "status", .fields = FIELDS(CHUNK, U8(STATUS)), .flags = WL_STATUS \
        }
#define BLOCK_HEAD U16(BLOCK), U16(OFFSET), U32(SIZE), U32(CRC)
#define LOCATED    U64(LENGTH), CHUNK
#define LOC_LAYOUTS                                                                                          \
        L("labels", BOTH(3, 0, 10), MSGID, U8_IS(PROTO, WIRE_LOCS_LABELS), LOCATED, GRP(LOCS, LOC14)),       \
                L("csver", BOTH(1, 7, 32), MSGID, U8_IS(PROTO, WIRE_LOCS_CSVER), LOCATED, GRP(LOCS, LOC10)), \
                L("plain", CLI_TO(1, 7, 32), MSGID, LOCATED, GRP(LOCS, LOC6))
#define CHUNK_TABLE BYTES(TABLE, 4 * WIRE_BLOCKS_PER_CHUNK)
/* A path on a chunkserver is never empty, which keeps the layouts of CHUNK_INFO apart. */
#define CHUNK_PATH TEXT32(PATH, 1)
#define INFO_PAIR(n, what, ...)                      \
        LH(n, ANYV, 1 + (what), CHUNK, __VA_ARGS__), \
                LH(n "+path", ANYV, 1 + (what) + 8, CHUNK, __VA_ARGS__, CHUNK_PATH)

static const struct wire_packet packets[] = {
        CS_REQ(CLTOCS_READ, IO, L("proto", ANYV, U8(PROTO), CHUNK, U32(OFFSET), U32(SIZE)),
               LF("old", ANYV, WL_OLD, CHUNK, U32(OFFSET), U32(SIZE))),
        CS_ANS(CSTOCL_READ_STATUS, IO, L("status", ANYV, U64(CHUNKID), U8(STATUS))),
        CS_ANS(CSTOCL_READ_DATA, IO, L("block", ANYV, U64(CHUNKID), BLOCK_HEAD, MUL(DATA, 1, SIZE))),
        CS_REQ(CLTOCS_WRITE, IO, L("proto", ANYV, U8(PROTO), CHUNK, GRP(CHAIN, HOP)),
               LF("old", ANYV, WL_OLD, CHUNK, GRP(CHAIN, HOP))),
        CS_ANS(CSTOCL_WRITE_STATUS, IO, L("status", ANYV, U64(CHUNKID), U32(WRITEID), U8(STATUS))),
        P(CLTOCS_WRITE_DATA, WIRE_TO_CS, IO, 0, ANYV, NODROP,
          L("block", ANYV, U64(CHUNKID), U32(WRITEID), BLOCK_HEAD, MUL(DATA, 1, SIZE))),
        P(CLTOCS_WRITE_FINISH, WIRE_TO_CS, IO, WP_NOREPLY, ANYV, NODROP, L("finish", ANYV, CHUNK)),

        CS_REQ(ANTOCS_GET_CHUNK_BLOCKS, DG, L("chunk", ANYV, CHUNK)),
        CS_ANS(CSTOAN_CHUNK_BLOCKS, DG, L("blocks", ANYV, CHUNK, U16(BLOCKS), U8(STATUS))),
        CS_REQ(ANTOCS_GET_CHUNK_CHECKSUM, DG, L("chunk", ANYV, CHUNK)),
        CS_ANS(CSTOAN_CHUNK_CHECKSUM, DG, L("checksum", ANYV, CHUNK, U32(CHECKSUM)), CS_STATUS),
        CS_REQ(ANTOCS_GET_CHUNK_CHECKSUM_TAB, DG, L("chunk", ANYV, CHUNK)),
        CS_ANS(CSTOAN_CHUNK_CHECKSUM_TAB, DG, L("table", ANYV, CHUNK, CHUNK_TABLE), CS_STATUS),
        P(ANTOCS_GET_CHUNK_INFO, WIRE_TO_CS, DG, 0, SRV(4, 0, 0), NODROP, L("what", ANYV, CHUNK, U8(WHAT))),
        P(CSTOAN_CHUNK_INFO, WIRE_FROM_CS, DG, 0, ANYV, NODROP, LH("empty", ANYV, 1, CHUNK),
          LH("path", ANYV, 1 + 8, CHUNK, CHUNK_PATH), INFO_PAIR("blocks", 1, U16(BLOCKS)),
          INFO_PAIR("checksum", 2, U32(CHECKSUM)),
          INFO_PAIR("blocks+checksum", 3, U16(BLOCKS), U32(CHECKSUM)), INFO_PAIR("table", 4, CHUNK_TABLE),
          INFO_PAIR("blocks+table", 5, U16(BLOCKS), CHUNK_TABLE),
          INFO_PAIR("checksum+table", 6, U32(CHECKSUM), CHUNK_TABLE),
          INFO_PAIR("blocks+checksum+table", 7, U16(BLOCKS), U32(CHECKSUM), CHUNK_TABLE), CS_STATUS),
        P(ANTOCS_CLEAR_ERRORS, WIRE_TO_CS, DG, WP_DANGEROUS, SRV(4, 0, 0), NODROP,
          LF("path", ANYV, WL_INFERRED, STR32(PATH))),
        P(CSTOAN_CLEAR_ERRORS, WIRE_FROM_CS, DG, 0, ANYV, NODROP,
          LF("cleared", ANYV, WL_INFERRED, U8(CLEARED))),

        REQD(CLTOMA_FUSE_READ_CHUNK, IO, DROP(WF_CHUNKOPFLAGS),
             L("flags", SRV(3, 0, 4), MSGID, U32(INODE), U32(INDEX), U8(CHUNKOPFLAGS)),
             L("old", ANYV, MSGID, U32(INODE), U32(INDEX))),
        ANS(MATOCL_FUSE_READ_CHUNK, IO,
            L("parts", BOTH(4, 0, 0), MSGID, U8_IS(PROTO, WIRE_LOCS_PARTS), LOCATED, GRP(LOCS, LOC14)),
            LOC_LAYOUTS),
        REQD(CLTOMA_FUSE_WRITE_CHUNK, IO, DROP(WF_CHUNKOPFLAGS),
             L("flags", SRV(3, 0, 4), MSGID, U32(INODE), U32(INDEX), U8(CHUNKOPFLAGS)),
             L("old", ANYV, MSGID, U32(INODE), U32(INDEX))),
        ANS(MATOCL_FUSE_WRITE_CHUNK, IO, LOC_LAYOUTS),
        REQD(CLTOMA_FUSE_WRITE_CHUNK_END, IO, DROP(WF_OFFSET, WF_SIZE, WF_INDEX, WF_CHUNKOPFLAGS),
             L("range", SRV(4, 40, 0), MSGID, U64(CHUNKID), U32(INODE), U32(INDEX), U64(LENGTH),
               U8(CHUNKOPFLAGS), U32(OFFSET), U32(SIZE)),
             L("index", SRV(3, 0, 74), MSGID, U64(CHUNKID), U32(INODE), U32(INDEX), U64(LENGTH),
               U8(CHUNKOPFLAGS)),
             L("flags", SRV(3, 0, 4), MSGID, U64(CHUNKID), U32(INODE), U64(LENGTH), U8(CHUNKOPFLAGS)),
             L("old", ANYV, MSGID, U64(CHUNKID), U32(INODE), U64(LENGTH))),
        ANS0(MATOCL_FUSE_WRITE_CHUNK_END, IO),
        REQ(CLTOMA_FUSE_CHECK, DG, L("mode+index", SRV(4, 0, 0), MSGID, U8(LISTMODE), U32(INODE), U32(INDEX)),
            L("mode", SRV(4, 0, 0), MSGID, U8(LISTMODE), U32(INODE)),
            L("index", SRV(3, 0, 26), MSGID, U32(INODE), U32(INDEX)), L("inode", ANYV, MSGID, U32(INODE))),
        ANS(MATOCL_FUSE_CHECK, DG,
            LH("summary", BOTH(3, 0, 30), HINT_CHECK_SUMMARY, MSGID, BYTES(COUNTERS, 48)),
            LH("summary-11", ANYV, HINT_CHECK_SUMMARY, MSGID, BYTES(COUNTERS, 44)),
            LH("copies", SRV(3, 0, 26), HINT_CHECK_COPIES, MSGID, CHUNK, GRP(COPIES, COPY)),
            LH("copies+ec", SRV(4, 0, 0), HINT_CHECK_COPIES_EC, MSGID, CHUNK, GRP(COPIES, COPY_EC)),
            LH("copies+mtime", SRV(4, 47, 0), HINT_CHECK_COPIES_MTIME, MSGID, CHUNK, U32(MTIME),
               GRP(COPIES, COPY_EC)),
            LH("storage8", SRV(4, 0, 0), HINT_CHECK_STORAGE8, MSGID, GRP(COPIES, STORAGE8)),
            LH("storage16", SRV(4, 36, 0), HINT_CHECK_STORAGE16, MSGID, GRP(COPIES, STORAGE16))),
        CS_REQ(CLTOCS_HDD_LIST, DG, L0("empty", ANYV)),
        CS_ANS(CSTOCL_HDD_LIST, DG, L("disks", ANYV, GRP(DISKS, DISK))),
};

const struct wire_table wire_table_chunkio = { packets, sizeof(packets) / sizeof(packets[0]) };
