/* SPDX-License-Identifier: MIT */
/* The MooseFS client protocol as bytes: no sockets, no state, no clock.
 *
 * One table describes every packet: number, directions, and for each of its layouts the fields and the versions
 * that use it. The decoder, the encoder and the printer walk that table, and so can anybody else (wire_packet_next()).
 *
 *   wire_msg_init()     start a message to encode; wire_set_*() gives values; wire_encode() writes the packet
 *   wire_decode()       read a packet; wire_get_*() and wire_group_next() give values
 *   wire_msg_ok()       the one check after all setters or getters: an error sticks and later calls do nothing
 *
 * Nothing here allocates, except struct wire_frame (a bounded buffer for packets that arrive in pieces).
 * Text and bytes of a decoded message point into the packet, those of a message to encode into the caller's memory;
 * both must stay until the message is no longer used. */
#ifndef ROMA_MFS_WIRE_H
#define ROMA_MFS_WIRE_H

#include "fields.h"
#include "numbers.h"
#include "version.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/types.h>

#if defined(__GNUC__)
#define WIRE_MUST_CHECK __attribute__((warn_unused_result))
#else
#define WIRE_MUST_CHECK
#endif

/* ---- the table -------------------------------------------------------------------------------------------- */

/* Which way a packet travels; a packet may have several. Chunkservers of a write chain talk as WIRE_TO_CS. */
enum wire_dir {
        WIRE_TO_MASTER = 1,
        WIRE_FROM_MASTER = 2,
        WIRE_TO_CS = 4,
        WIRE_FROM_CS = 8,
};

/* Forms of repeated items, WFORM_LOC14 ... */
enum wire_form {
#define X(id) WFORM_##id,
#include "forms.def"
#undef X
        WFORM_COUNT
};

#define WIRE_MAX_FIELDS 40 /* of one layout or item */

/* One field of a layout. arg, ref and more: see enum wire_kind. */
struct wire_fdesc {
        uint16_t field; /* enum wire_field; WF_NONE ends the list */
        uint8_t kind;   /* enum wire_kind */
        uint8_t more;
        uint32_t arg;
        uint16_t ref;
        int32_t only; /* number fields: the one value that this layout stands for, or -1 */
};

/* Why a layout is there. */
enum wire_layout_flag {
        WL_STATUS = 1,   /* the reply is a status and nothing else */
        WL_OLD = 2,      /* servers accept it, no client of today sends it */
        WL_INFERRED = 4, /* known from the protocol header only, not yet seen from a real server */
};

struct wire_layout {
        const char *name; /* unique within the packet */
        const struct wire_fdesc *fields;
        uint8_t attrlen; /* 35 or 36 when the layout holds an attribute record */
        uint8_t flags;   /* enum wire_layout_flag */
        uint8_t dirs;    /* restricts the packet's directions; 0 = all of them */
        uint8_t hint;    /* this layout answers requests with that wire_hint_of(); 0 = any */
        struct wire_gate gate;
};

/* What the packet is for: grouping in documentation, and who may send it. */
enum wire_topic { WT_COMMON, WT_SESSION, WT_NAMESPACE, WT_CHUNKIO, WT_DIAGNOSE, WT_INFO, WT_ADMIN };

enum wire_packet_flag {
        WP_UNREGISTERED = 1, /* the master answers it without a registered session */
        WP_NOREPLY = 2,      /* a request without a reply */
        WP_UNSOLICITED = 4,  /* comes without a request */
        WP_KILLS = 8,        /* no known server takes it: the connection ends */
        WP_DANGEROUS = 16,   /* changes the cluster and needs no authentication */
        WP_META = 32,        /* only for sessions registered with NEWMETASESSION */
};

#define WIRE_MAX_DROP 6

struct wire_packet {
        uint32_t type;
        const char *name;
        uint8_t dirs;
        uint8_t topic;
        uint8_t flags;
        uint8_t nlayouts;
        const struct wire_layout *layouts; /* newest first: the encoder takes the first that fits */
        uint16_t drop[WIRE_MAX_DROP]; /* fields that older layouts may leave out even when they are set */
        struct wire_gate gate;        /* servers that know the packet at all; others end the connection */
};

/* All packets, ascending by number: start with NULL, ends with NULL. */
const struct wire_packet *wire_packet_next(const struct wire_packet *after);
/* The packet of that number, or NULL. */
const struct wire_packet *wire_packet_find(uint32_t type);
/* "CLTOMA_FUSE_LOOKUP", or "UNKNOWN". */
const char *wire_packet_name(uint32_t type);
const struct wire_packet *wire_packet_by_name(const char *name);
/* The reply of a request (number + 1), or NULL when it has none. */
const struct wire_packet *wire_packet_reply(const struct wire_packet *request);
const struct wire_layout *wire_layout_find(const struct wire_packet *packet, const char *name);
/* Fields of an item form, and its name. */
const struct wire_fdesc *wire_form_fields(enum wire_form form, uint8_t *attrlen);
const char *wire_form_name(enum wire_form form);
/* The smallest payload of a layout. */
size_t wire_layout_min(const struct wire_layout *layout);
/* NULL when the table is consistent, else what is wrong (for the unit test). */
const char *wire_table_check(void);

/* ---- messages --------------------------------------------------------------------------------------------- */

/* What is known about the connection. Zero everywhere means: nothing. */
struct wire_ctx {
        uint32_t server; /* version of the server at this connection, 0 = unknown (encoder: oldest) */
        uint32_t client; /* version that the client declared, 0 = unknown */
        uint8_t hint;    /* wire_hint_of() the request that a reply answers, 0 = unknown */
};

enum wire_error {
        WIRE_OK = 0,
        WIRE_ETYPE = -1,    /* no such packet, or not in this direction */
        WIRE_EFORMAT = -2,  /* no layout fits these bytes */
        WIRE_EMISSING = -3, /* a value was asked for that the message does not have, or not set and needed */
        WIRE_ERANGE = -4,   /* a value that its field cannot hold */
        WIRE_ESPACE = -5,   /* the caller's buffer is too small */
        WIRE_EVERSION = -6, /* the peer is too old (or too new) for what was set */
        WIRE_ELIMIT = -7,   /* larger than the peer takes, or than the reader was told to take */
        WIRE_EKIND = -8,    /* getter or setter of another kind than the field */
        WIRE_ENOMEM = -9,
        WIRE_ESTOP = -10, /* a callback wanted to stop */
};
const char *wire_error_name(int error);

/* The attribute record (35 or 36 bytes). Clients that declare less than 1.7.32 get another meaning of the first
 * three bytes, which is not read here. */
struct wire_attr {
        uint8_t flags;
        uint8_t type; /* enum wire_node_type */
        uint16_t mode;
        uint32_t uid, gid;
        uint32_t atime, mtime, ctime;
        uint32_t nlink;
        uint64_t length; /* files and symlinks; 0 for devices; not a byte size for directories */
        uint16_t major, minor;
        uint8_t winattr;
};

/* One value. Private, use the getters. */
struct wire_val {
        uint16_t field;
        uint8_t kind;
        uint8_t host; /* WK_UG, WK_ATTR: ptr is a host array or struct wire_attr, not wire bytes */
        uint32_t count;
        uint64_t u;
        const void *ptr;
        size_t len;
};

/* One packet or one item of a group. Members are private but for the first block, which may be read. */
struct wire_msg {
        uint32_t type;
        uint32_t dir; /* enum wire_dir */
        const struct wire_packet *packet;
        const struct wire_layout
                *layout; /* decoded: what it was; encoding: NULL = choose, else use this one */

        struct wire_msg *outer; /* of an item: the message that holds it */
        int error;              /* enum wire_error, sticks */
        uint16_t error_field;
        uint16_t nvals;
        struct wire_val vals[WIRE_MAX_FIELDS];
};

/* Starts a message to encode. */
void wire_msg_init(struct wire_msg *msg, uint32_t type, enum wire_dir dir);
/* Starts an item for wire_group_add(). */
void wire_item_init(struct wire_msg *item);
/* True while nothing went wrong. Ask it before you believe the values. */
bool wire_msg_ok(const struct wire_msg *msg) WIRE_MUST_CHECK;
/* "CLTOMA_FUSE_LOOKUP: field name is missing". Returns buf. */
char *wire_msg_error(const struct wire_msg *msg, char *buf, size_t size);
/* Forget the layout of a decoded message, so that encoding chooses again (for another peer). */
void wire_msg_any_layout(struct wire_msg *msg);

/* Setters. Setting a field again replaces its value. */
void wire_set_u(struct wire_msg *msg, enum wire_field field, uint64_t value);
void wire_set_bytes(struct wire_msg *msg, enum wire_field field, const void *bytes, size_t len);
void wire_set_str(struct wire_msg *msg, enum wire_field field, const char *text); /* without the NUL */
/* uid and groups, gids[0] is the primary group; ngids >= 1. The array must stay until the packet is encoded. */
void wire_set_ug(struct wire_msg *msg, uint32_t uid, const uint32_t *gids, size_t ngids);
void wire_set_attr(struct wire_msg *msg, const struct wire_attr *attr);

/* Getters. A field that is not there gives 0 or NULL and sets the sticky error. */
bool wire_has(const struct wire_msg *msg, enum wire_field field);
uint64_t wire_get_u(struct wire_msg *msg, enum wire_field field);
uint8_t wire_get_u8(struct wire_msg *msg, enum wire_field field);
uint16_t wire_get_u16(struct wire_msg *msg, enum wire_field field);
uint32_t wire_get_u32(struct wire_msg *msg, enum wire_field field);
/* The value, or other when the field is not there; never an error. */
uint64_t wire_get_u_or(const struct wire_msg *msg, enum wire_field field, uint64_t other);
const uint8_t *wire_get_bytes(struct wire_msg *msg, enum wire_field field, size_t *len);
void wire_get_attr(struct wire_msg *msg, struct wire_attr *attr);
uint32_t wire_get_ug(struct wire_msg *msg, uint32_t *ngids); /* the uid */
uint32_t wire_get_gid(struct wire_msg *msg, uint32_t n);
/* True when the message is a reply that is nothing but a status; then *status is it. */
bool wire_is_status(const struct wire_msg *msg, uint8_t *status);

/* Groups, decoded: for each item, until false. An item is valid until the next call. */
struct wire_iter {
        struct wire_msg *msg;
        enum wire_form form;
        const uint8_t *ptr;
        size_t len;
        uint32_t left;
};
void wire_group_begin(struct wire_msg *msg, enum wire_field field, struct wire_iter *iter);
bool wire_group_next(struct wire_iter *iter, struct wire_msg *item);
uint32_t wire_group_count(struct wire_msg *msg, enum wire_field field);
/* The same for a nested group: wire_group_begin(item, ...). */

/* Groups, encoding: items are collected in the caller's buffer. */
struct wire_group {
        enum wire_form form;
        uint8_t *buf;
        size_t cap, len;
        uint32_t count;
        int error;
};
void wire_group_init(struct wire_group *group, enum wire_form form, void *buf, size_t cap);
/* Appends an item; the error sticks and makes wire_set_group() fail. Values that the form does not have are left
 * out, so one item serves several forms. */
int wire_group_add(struct wire_group *group, struct wire_msg *item);
/* Shorter for the forms of one field, and for locations and chains. */
void wire_group_add_u(struct wire_group *group, uint64_t value);
void wire_group_add_loc(struct wire_group *group, uint32_t ip, uint16_t port, uint32_t csver,
                        uint32_t labels);
void wire_set_group(struct wire_msg *msg, enum wire_field field, const struct wire_group *group);

/* ---- encoding and decoding -------------------------------------------------------------------------------- */

/* Reads one payload. Returns WIRE_OK, WIRE_ETYPE or WIRE_EFORMAT. When versions are known, a layout that fits
 * them is preferred; otherwise the length decides, as it does in the servers. */
int wire_decode(struct wire_msg *msg, uint32_t type, enum wire_dir dir, const void *payload, size_t len,
                const struct wire_ctx *ctx) WIRE_MUST_CHECK;

/* Writes type, length and payload. Returns the size of the packet or an enum wire_error (< 0, and the message
 * says why). The first layout is used whose versions fit, whose fields are all set, and which leaves out no value
 * that matters (WIRE_EVERSION otherwise: nothing is silently dropped). */
ssize_t wire_encode(struct wire_msg *msg, const struct wire_ctx *ctx, void *buf, size_t cap) WIRE_MUST_CHECK;
/* The size that wire_encode() would return. */
ssize_t wire_encode_size(struct wire_msg *msg, const struct wire_ctx *ctx) WIRE_MUST_CHECK;

/* What a reply looks like may depend on its request (READDIR with attributes, CHECK with an index ...). Keep this
 * number beside the msgid and give it as ctx.hint when the reply is decoded. */
uint8_t wire_hint_of(const struct wire_msg *request);

/* The attribute record alone. len is 35 or 36. */
bool wire_attr_decode(struct wire_attr *attr, const uint8_t *bytes, size_t len) WIRE_MUST_CHECK;
void wire_attr_encode(const struct wire_attr *attr, uint8_t *bytes, size_t len);

/* The largest payload allowed in a direction. */
uint32_t wire_max_payload(enum wire_dir dir);

/* ---- hot packets ------------------------------------------------------------------------------------------ */

static inline uint16_t wire_be16(const uint8_t *p)
{
        return (uint16_t)((p[0] << 8) | p[1]);
}
static inline uint32_t wire_be32(const uint8_t *p)
{
        return ((uint32_t)p[0] << 24) | ((uint32_t)p[1] << 16) | ((uint32_t)p[2] << 8) | p[3];
}
static inline uint64_t wire_be64(const uint8_t *p)
{
        return ((uint64_t)wire_be32(p) << 32) | wire_be32(p + 4);
}
static inline void wire_put16(uint8_t *p, uint16_t v)
{
        p[0] = (uint8_t)(v >> 8);
        p[1] = (uint8_t)v;
}
static inline void wire_put32(uint8_t *p, uint32_t v)
{
        p[0] = (uint8_t)(v >> 24);
        p[1] = (uint8_t)(v >> 16);
        p[2] = (uint8_t)(v >> 8);
        p[3] = (uint8_t)v;
}
static inline void wire_put64(uint8_t *p, uint64_t v)
{
        wire_put32(p, (uint32_t)(v >> 32));
        wire_put32(p + 4, (uint32_t)v);
}

/* Header of a data block, the same members in both directions. */
struct wire_data {
        uint64_t chunkid;
        uint32_t writeid; /* WRITE_DATA only */
        uint16_t block;
        uint16_t offset;
        uint32_t size;
        uint32_t crc;
};

/* The 20 bytes in front of the data of CSTOCL_READ_DATA. len is the packet's payload length; false when size does
 * not match it or the block ends beyond 64 KiB. */
static inline bool wire_read_data_parse(struct wire_data *d, const uint8_t head[WIRE_READ_DATA_HEADER],
                                        size_t len)
{
        d->chunkid = wire_be64(head);
        d->writeid = 0;
        d->block = wire_be16(head + 8);
        d->offset = wire_be16(head + 10);
        d->size = wire_be32(head + 12);
        d->crc = wire_be32(head + 16);
        return len >= WIRE_READ_DATA_HEADER && d->size == len - WIRE_READ_DATA_HEADER &&
               d->block < WIRE_BLOCKS_PER_CHUNK && d->size <= WIRE_BLOCK_SIZE - d->offset;
}

/* Packet header and the 24 bytes in front of the data of CLTOCS_WRITE_DATA: 32 bytes. The caller guarantees
 * offset + size <= 65536 and block < 1024. */
static inline void wire_write_data_build(uint8_t out[WIRE_HEADER_SIZE + WIRE_WRITE_DATA_HEADER],
                                         const struct wire_data *d)
{
        wire_put32(out, WIRE_CLTOCS_WRITE_DATA);
        wire_put32(out + 4, WIRE_WRITE_DATA_HEADER + d->size);
        wire_put64(out + 8, d->chunkid);
        wire_put32(out + 16, d->writeid);
        wire_put16(out + 20, d->block);
        wire_put16(out + 22, d->offset);
        wire_put32(out + 24, d->size);
        wire_put32(out + 28, d->crc);
}

/* ---- framing ---------------------------------------------------------------------------------------------- */

enum wire_frame_event {
        WIRE_FRAME_MORE = 0,   /* all bytes taken, no event: feed more */
        WIRE_FRAME_HEADER = 1, /* type and length are known; wire_frame_stream() is allowed now */
        WIRE_FRAME_DATA = 2,   /* streamed packet: data, ndata are its next bytes; last tells the end */
        WIRE_FRAME_PACKET = 3, /* payload, length are complete, valid until the next feed */
};

/* Cuts a byte stream into packets. Payloads that lie whole in the fed bytes are not copied. */
struct wire_frame {
        uint32_t type, length; /* of the current packet, from WIRE_FRAME_HEADER on */
        const uint8_t *payload;
        const uint8_t *data;
        size_t ndata;
        bool last;

        uint32_t max; /* private from here on */
        uint8_t head[WIRE_HEADER_SIZE];
        uint8_t state;
        bool streaming;
        uint32_t got;
        uint8_t *buf;
        size_t cap;
        int error;
};

/* max: largest payload to take, normally wire_max_payload(dir) or less. */
void wire_frame_init(struct wire_frame *frame, uint32_t max);
void wire_frame_free(struct wire_frame *frame);
/* Takes bytes from *bytes, advances *bytes and *len, returns an event, or an enum wire_error < 0 that sticks. Call
 * until it returns WIRE_FRAME_MORE. */
int wire_frame_feed(struct wire_frame *frame, const uint8_t **bytes, size_t *len) WIRE_MUST_CHECK;
/* After WIRE_FRAME_HEADER: hand out this packet's payload piece by piece and keep nothing. */
void wire_frame_stream(struct wire_frame *frame);
/* True between packets: the stream may end here. */
bool wire_frame_idle(const struct wire_frame *frame);

/* ---- READDIR replies as they arrive ----------------------------------------------------------------------- */

struct wire_dirent {
        const uint8_t *name; /* not terminated, valid during the callback */
        uint8_t namelen;
        uint8_t type; /* enum wire_node_type */
        uint32_t inode;
        bool has_attr;
        struct wire_attr attr;
};
typedef int wire_dirent_fn(void *arg, const struct wire_dirent *entry); /* 0, or anything else to stop */

struct wire_readdir {
        uint32_t msgid;   /* valid when head is set */
        uint64_t nedgeid; /* WIRE_EDGEID_MAX: that was all. Valid when head is set and the form has it */
        bool head;
        bool is_status; /* the reply was a status only */
        uint8_t status;
        uint64_t entries;

        uint32_t left; /* private from here on */
        bool with_edge;
        uint8_t attrlen;
        uint16_t need, have;
        uint8_t part[1 + WIRE_NAME_MAX + 4 + 36];
        wire_dirent_fn *fn;
        void *arg;
        int error;
};
/* length: of the packet. hint: wire_hint_of() the request. declared: version that the client declared (decides
 * between attributes of 35 and 36 bytes), server: version of the master. */
void wire_readdir_init(struct wire_readdir *rd, uint32_t length, const struct wire_ctx *ctx,
                       wire_dirent_fn *fn, void *arg);
/* Feed payload bytes in any pieces. Returns WIRE_OK or an error that sticks. */
int wire_readdir_feed(struct wire_readdir *rd, const uint8_t *bytes, size_t len) WIRE_MUST_CHECK;
/* True when the whole reply was read. */
bool wire_readdir_done(const struct wire_readdir *rd);

/* ---- statuses --------------------------------------------------------------------------------------------- */

const char *wire_status_name(uint8_t status); /* "ENOENT", or "UNKNOWN" */
const char *wire_status_text(uint8_t status); /* what it means and what to do, one sentence */
int wire_status_errno(uint8_t status);        /* for namespace calls */
int wire_status_io_errno(uint8_t status);     /* for reads and writes */
bool wire_status_retriable(uint8_t status);   /* the same request may succeed later without any change */
int wire_status_by_name(const char *name);    /* -1 when unknown */

/* ---- printing --------------------------------------------------------------------------------------------- */

/* One line, without a newline, always terminated. A result >= size: it did not fit and was cut. max_items bounds
 * each group, further items are counted only. Password digests are never shown. */
size_t wire_print(const struct wire_msg *msg, char *buf, size_t size, unsigned max_items);
/* One JSON object. When it does not fit, an object without fields that says "truncated":true. */
size_t wire_print_json(const struct wire_msg *msg, char *buf, size_t size, unsigned max_items);

#endif
