/* SPDX-License-Identifier: MIT */
/* How the packet tables are written down. Included by the table files and by the code that joins them only. */
#ifndef ROMA_MFS_WIRE_TABLE_H
#define ROMA_MFS_WIRE_TABLE_H

#include "wire.h"

/* Fields. The names are those of fields.def without WF_. */
#define ENDF                            \
        {                               \
                WF_NONE, 0, 0, 0, 0, -1 \
        }
#define F(k, f)                             \
        {                                   \
                WF_##f, WK_##k, 0, 0, 0, -1 \
        }
#define U8(f)    F(U8, f)
#define U16(f)   F(U16, f)
#define U24(f)   F(U24, f)
#define U32(f)   F(U32, f)
#define U64(f)   F(U64, f)
#define NAME(f)  F(NAME, f)
#define STR16(f) F(STR16, f)
#define STR32(f) F(STR32, f)
#define UG       F(UG, UG)
#define ATTR     F(ATTR, ATTR)
#define MSGID    U32(MSGID)
/* a number that must have this value, that must be at least this */
#define U8_IS(f, v)                       \
        {                                 \
                WF_##f, WK_U8, 0, 0, 0, v \
        }
#define U16_IS(f, v)                       \
        {                                  \
                WF_##f, WK_U16, 0, 0, 0, v \
        }
#define U32_IS(f, v)                       \
        {                                  \
                WF_##f, WK_U32, 0, 0, 0, v \
        }
#define U32_MIN(f, v)                       \
        {                                   \
                WF_##f, WK_U32, 0, v, 0, -1 \
        }
#define TEXT32(f, min)                          \
        {                                       \
                WF_##f, WK_STR32, 0, min, 0, -1 \
        }
#define NAME_IF(f, r, v)                             \
        {                                            \
                WF_##f, WK_NAME_IF, 0, v, WF_##r, -1 \
        }
#define BYTES(f, n)                           \
        {                                     \
                WF_##f, WK_BYTES, 0, n, 0, -1 \
        }
#define BLOB                                   \
        {                                      \
                WF_BLOB, WK_CONST, 0, 0, 0, -1 \
        }
#define MUL(f, n, r)                             \
        {                                        \
                WF_##f, WK_MUL, 0, n, WF_##r, -1 \
        }
#define MUL3(f, n, r)                            \
        {                                        \
                WF_##f, WK_MUL, 2, n, WF_##r, -1 \
        }
#define MUL4(f, n, r)                            \
        {                                        \
                WF_##f, WK_MUL, 3, n, WF_##r, -1 \
        }
#define FILL(f, r)                                \
        {                                         \
                WF_##f, WK_FILL, 0, 0, WF_##r, -1 \
        }
#define REST(f) F(REST, f)
#define RESTN(f, unit)                          \
        {                                       \
                WF_##f, WK_REST, 1, unit, 0, -1 \
        } /* one or more units */
#define GRP(f, form)                                          \
        {                                                     \
                WF_##f, WK_GROUP, WB_END, WFORM_##form, 0, -1 \
        }
#define GRPN(f, form, r)                                             \
        {                                                            \
                WF_##f, WK_GROUP, WB_COUNT, WFORM_##form, WF_##r, -1 \
        }
#define GRPS(f, form, r)                                            \
        {                                                           \
                WF_##f, WK_GROUP, WB_SIZE, WFORM_##form, WF_##r, -1 \
        }

#define FIELDS(...)                 \
        (const struct wire_fdesc[]) \
        {                           \
                __VA_ARGS__, ENDF   \
        }
#define NOFIELDS                    \
        (const struct wire_fdesc[]) \
        {                           \
                ENDF                \
        }

/* Gates. A 3.x and a 4.x release in one gate: the change came in both branches. */
#define ANYV      \
        {         \
                0 \
        }
#define SRV(a, b, c)                             \
        {                                        \
                .server_from = WIRE_VER(a, b, c) \
        }
#define SRV_TO(a, b, c)                        \
        {                                      \
                .server_to = WIRE_VER(a, b, c) \
        }
#define SRV_IN(a, b, c, d, e, f)                                                 \
        {                                                                        \
                .server_from = WIRE_VER(a, b, c), .server_to = WIRE_VER(d, e, f) \
        }
#define CLI(a, b, c)                             \
        {                                        \
                .client_from = WIRE_VER(a, b, c) \
        }
#define CLI_TO(a, b, c)                        \
        {                                      \
                .client_to = WIRE_VER(a, b, c) \
        }
#define BOTH(a, b, c)                                                              \
        {                                                                          \
                .server_from = WIRE_VER(a, b, c), .client_from = WIRE_VER(a, b, c) \
        }
#define BOTH2(a, b, c, d, e, f)                                                     \
        {                                                                           \
                .server_from = WIRE_VER(a, b, c), .server_hole = WIRE_VER(d, e, f), \
                .client_from = WIRE_VER(a, b, c), .client_hole = WIRE_VER(d, e, f)  \
        }
#define GATE_ATTR36 BOTH2(3, 0, 93, 4, 0, 2)
#define GATE_ATTR35                               \
        {                                         \
                .client_from = WIRE_VER(1, 7, 32) \
        }

/* Layouts: name, gate, fields. LA makes the two sizes of the attribute record. */
#define L(n, g, ...)                                                \
        {                                                           \
                .name = n, .fields = FIELDS(__VA_ARGS__), .gate = g \
        }
#define L0(n, g)                                         \
        {                                                \
                .name = n, .fields = NOFIELDS, .gate = g \
        }
#define LF(n, g, fl, ...)                                                        \
        {                                                                        \
                .name = n, .fields = FIELDS(__VA_ARGS__), .gate = g, .flags = fl \
        }
#define LH(n, g, h, ...)                                                       \
        {                                                                      \
                .name = n, .fields = FIELDS(__VA_ARGS__), .gate = g, .hint = h \
        }
#define LHF(n, g, h, fl, ...)                                                               \
        {                                                                                   \
                .name = n, .fields = FIELDS(__VA_ARGS__), .gate = g, .hint = h, .flags = fl \
        }
#define LD(n, d, ...)                                               \
        {                                                           \
                .name = n, .fields = FIELDS(__VA_ARGS__), .dirs = d \
        }
#define LD0(n, d)                                        \
        {                                                \
                .name = n, .fields = NOFIELDS, .dirs = d \
        }
#define LA36(n, g, ...)                                                            \
        {                                                                          \
                .name = n, .fields = FIELDS(__VA_ARGS__), .gate = g, .attrlen = 36 \
        }
#define LA(n, ...)                                                                                 \
        { .name = n, .fields = FIELDS(__VA_ARGS__), .gate = GATE_ATTR36, .attrlen = 36 },          \
        {                                                                                          \
                .name = n "-35", .fields = FIELDS(__VA_ARGS__), .gate = GATE_ATTR35, .attrlen = 35 \
        }
#define LSTATUS                                                                           \
        {                                                                                 \
                .name = "status", .fields = FIELDS(MSGID, U8(STATUS)), .flags = WL_STATUS \
        }

#define DROP(...)           \
        {                   \
                __VA_ARGS__ \
        }
#define NODROP    \
        {         \
                0 \
        }

/* A packet: number, directions, topic, flags, gate, droppable fields, layouts. */
#define PBODY(t, d, tp, fl, ...)                                                                      \
        .type = WIRE_##t, .name = #t, .dirs = d, .topic = tp, .flags = fl,                            \
        .nlayouts = sizeof((const struct wire_layout[]){ __VA_ARGS__ }) / sizeof(struct wire_layout), \
        .layouts = (const struct wire_layout[])                                                       \
        {                                                                                             \
                __VA_ARGS__                                                                           \
        }
/* gate and droppable fields hold commas once expanded, so they are used here and handed on to no other macro */
#define P(t, d, tp, fl, g, dr, ...)                                     \
        {                                                               \
                PBODY(t, d, tp, fl, __VA_ARGS__), .drop = dr, .gate = g \
        }
#define REQD(t, tp, dr, ...)                                             \
        {                                                                \
                PBODY(t, WIRE_TO_MASTER, tp, 0, __VA_ARGS__), .drop = dr \
        }
#define ANSD(t, tp, dr, ...)                                                        \
        {                                                                           \
                PBODY(t, WIRE_FROM_MASTER, tp, 0, __VA_ARGS__, LSTATUS), .drop = dr \
        }
/* The usual request to the master, and replies that are data or a status, or a status only. */
#define REQ(t, tp, ...)  P(t, WIRE_TO_MASTER, tp, 0, ANYV, NODROP, __VA_ARGS__)
#define ANS(t, tp, ...)  P(t, WIRE_FROM_MASTER, tp, 0, ANYV, NODROP, __VA_ARGS__, LSTATUS)
#define ANS0(t, tp)      P(t, WIRE_FROM_MASTER, tp, 0, ANYV, NODROP, LSTATUS)
#define INFO_REQ(t, ...) P(t, WIRE_TO_MASTER, WT_INFO, WP_UNREGISTERED, ANYV, NODROP, __VA_ARGS__)
#define INFO_ANS(t, ...) P(t, WIRE_FROM_MASTER, WT_INFO, WP_UNREGISTERED, ANYV, NODROP, __VA_ARGS__)

/* Hints: which reply layout answers which request. Numbers are per packet. */
enum wire_hints {
        HINT_READDIR_EDGE = 1,
        HINT_READDIR_EDGE_ATTR,
        HINT_READDIR_PLAIN,
        HINT_READDIR_PLAIN_ATTR,
        HINT_CHECK_SUMMARY = 1,
        HINT_CHECK_COPIES,
        HINT_CHECK_STORAGE8,
        HINT_CHECK_STORAGE16,
        HINT_CHECK_COPIES_EC,
        HINT_CHECK_COPIES_MTIME,
        HINT_LIST_ALL = 1, /* LIST_OPEN_FILES, LIST_ACQUIRED_LOCKS: of everything, of one; + 2 with msgid */
        HINT_LIST_ONE,
        HINT_LIST_ALL_MSGID,
        HINT_LIST_ONE_MSGID,
        HINT_NO_MSGID = 1,
        HINT_MSGID = 2,
};

struct wire_table {
        const struct wire_packet *packets;
        size_t count;
};
extern const struct wire_table wire_table_session;
extern const struct wire_table wire_table_namespace;
extern const struct wire_table wire_table_tree;
extern const struct wire_table wire_table_chunkio;
extern const struct wire_table wire_table_info;
extern const struct wire_table wire_table_sclass;

/* Shared by decoder, encoder and printer. */
bool wire_kind_is_number(uint8_t kind);
unsigned wire_kind_width(uint8_t kind); /* of a number in bytes */
const struct wire_val *wire_val_find(const struct wire_msg *msg, uint16_t field);
/* The sum that sizes a WK_MUL, from this message or its outer one. False when a field is missing. */
bool wire_mul_sum(const struct wire_msg *msg, const struct wire_fdesc *fd, uint64_t *sum);
void wire_fail(struct wire_msg *msg, int error, uint16_t field);
/* Walks the fields of one layout or form over bytes. Fills msg->vals; *used is what was read. */
/* Groups lie in groups at most this deep (sessions of a sustained file; paths of a node). */
#define WIRE_MAX_DEPTH 3
bool wire_walk(struct wire_msg *msg, const struct wire_fdesc *fields, uint8_t attrlen, const uint8_t *bytes,
               size_t len, size_t *used, unsigned depth);

#endif
