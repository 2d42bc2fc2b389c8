/* SPDX-License-Identifier: MIT */
/* What a request says about the layout of its reply. The numbers are those in the reply's layouts. */
#include "table.h"

static uint8_t hint_readdir(const struct wire_msg *m)
{
        bool attr = wire_get_u_or(m, WF_FLAGS, 0) & WIRE_READDIR_WITHATTR;

        if (wire_has(m, WF_NEDGEID))
                return attr ? HINT_READDIR_EDGE_ATTR : HINT_READDIR_EDGE;
        return attr ? HINT_READDIR_PLAIN_ATTR : HINT_READDIR_PLAIN;
}

static uint8_t hint_check(const struct wire_msg *m)
{
        bool index = wire_has(m, WF_INDEX);

        if (!wire_has(m, WF_LISTMODE))
                return index ? HINT_CHECK_COPIES : HINT_CHECK_SUMMARY;
        switch (wire_get_u_or(m, WF_LISTMODE, 0)) {
        case 0: return index ? HINT_CHECK_COPIES : HINT_CHECK_SUMMARY;
        case 1: return HINT_CHECK_COPIES_EC;
        case 2: return HINT_CHECK_STORAGE8;
        case 3: return HINT_CHECK_STORAGE16;
        case 4: return HINT_CHECK_COPIES_MTIME;
        default: return 0;
        }
}

static uint8_t hint_list(const struct wire_msg *m, enum wire_field which)
{
        uint8_t hint = wire_get_u_or(m, which, 0) ? HINT_LIST_ONE : HINT_LIST_ALL;

        return (uint8_t)(hint + (wire_has(m, WF_MSGID) ? HINT_LIST_ONE : 0));
}

/* Mode or record version 0 .. max, where 255 is the one behind the last. */
static uint8_t hint_mode(const struct wire_msg *m, enum wire_field which, uint8_t max)
{
        uint64_t mode = wire_get_u_or(m, which, 0);

        return mode <= max ? (uint8_t)(mode + 1) : (uint8_t)(max + 2);
}

uint8_t wire_hint_of(const struct wire_msg *m)
{
        switch (m->type) {
        case WIRE_CLTOMA_FUSE_REGISTER: return (uint8_t)wire_get_u_or(m, WF_RCODE, 0);
        case WIRE_ANTOAN_GET_VERSION:
        case WIRE_CLTOMA_INSTANCE_NAME:
        case WIRE_CLTOMA_NODE_INFO: return wire_has(m, WF_MSGID) ? HINT_MSGID : HINT_NO_MSGID;
        case WIRE_CLTOMA_FUSE_READDIR: return hint_readdir(m);
        case WIRE_CLTOMA_FUSE_CHECK: return hint_check(m);
        case WIRE_ANTOCS_GET_CHUNK_INFO: return (uint8_t)(1 + (wire_get_u_or(m, WF_WHAT, 0) & 15));
        case WIRE_CLTOMA_TRASH_LIST: return hint_mode(m, WF_FORMAT, 1);
        case WIRE_CLTOMA_SCLASS_LIST: return hint_mode(m, WF_FVER, 6);
        case WIRE_CLTOMA_SESSION_LIST: return hint_mode(m, WF_LISTMODE, 5);
        case WIRE_CLTOMA_EXPORTS_INFO: return hint_mode(m, WF_LISTMODE, 4);
        case WIRE_CLTOMA_FSTEST_INFO: return wire_has(m, WF_LISTMODE) ? 2 : 1;
        case WIRE_CLTOMA_CSERV_LIST:
        case WIRE_CLTOMA_MISSING_CHUNKS: return wire_get_u_or(m, WF_LISTMODE, 0) ? 2 : 1;
        case WIRE_CLTOMA_LIST_OPEN_FILES: return hint_list(m, WF_SESSIONID);
        case WIRE_CLTOMA_LIST_ACQUIRED_LOCKS: return hint_list(m, WF_INODE);
        default: return 0;
        }
}
