/* SPDX-License-Identifier: MIT */
/* The fields of all packets (from fields.def) and the kinds of bytes they are made of. */
#ifndef ROMA_MFS_WIRE_FIELDS_H
#define ROMA_MFS_WIRE_FIELDS_H

#include <stdint.h>

/* WF_INODE, WF_NAME ... One number for each meaning, the same in every packet. */
enum wire_field {
        WF_NONE = 0,
#define X(id, name, hint) WF_##id,
#include "fields.def"
#undef X
        WF_LIMIT
};

/* How the printer shows a field. */
enum wire_hint {
        WH_DEC,
        WH_HEX,
        WH_OCT,
        WH_TIME,
        WH_IP,
        WH_VERSION,
        WH_STATUS,
        WH_RCODE,
        WH_SESFLAGS,
        WH_NODETYPE,
        WH_COPYSTATE,
        WH_CHUNKID,
        WH_TEXT,   /* bytes that are normally text: shown as UTF-8 or hex */
        WH_DATA,   /* bytes that are not text: length and the first ones */
        WH_SECRET, /* never shown */
        WH_HIDE,   /* constant, of no interest */
        WH_UG,
        WH_ATTR,
        WH_GROUP,
};

/* What a field looks like in the packet. arg, ref and more are members of struct wire_fdesc; for numbers arg is
 * the smallest value that the layout stands for. */
enum wire_kind {
        WK_U8,
        WK_U16,
        WK_U24,
        WK_U32,
        WK_U64,
        WK_NAME,    /* u8 length, bytes */
        WK_NAME_IF, /* NAME that is there only when the earlier field ref has the value arg */
        WK_STR16,   /* u16 length, bytes */
        WK_STR32,   /* u32 length, bytes; at least arg bytes of text */
        WK_UG,      /* uid:u32 gcnt:u32 gid[gcnt]:u32, gcnt >= 1 */
        WK_ATTR,    /* attribute record, its length is the layout's attrlen */
        WK_BYTES,   /* exactly arg bytes */
        WK_CONST,   /* the bytes of text[arg], filled in by the encoder and compared by the decoder */
        WK_FILL,    /* the rest of a record of as many bytes as the number ref says, counted from behind it */
        WK_MUL, /* arg bytes for each unit of the earlier fields ref .. ref + more, of this item or its packet */
        WK_REST, /* everything up to the end, at least arg bytes, and whole units of arg bytes when more is set */
        WK_GROUP, /* items of form arg: up to the end, or as many as field ref says, or ref bytes (see more) */
};

/* Bounds of a WK_GROUP, in wire_fdesc.more */
enum wire_bound {
        WB_END = 0,   /* up to the end of the packet or item */
        WB_COUNT = 1, /* as many items as field ref says */
        WB_SIZE = 2,  /* as many bytes as field ref says */
};

const char *wire_field_name(enum wire_field field);
enum wire_hint wire_field_hint(enum wire_field field);
const char *wire_kind_name(enum wire_kind kind);

#endif
