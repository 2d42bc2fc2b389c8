/* SPDX-License-Identifier: MIT */
/* A blocking client that speaks packets and nothing else, for tests of servers: it keeps no rule by itself. What must
 * be there and is not ends in raw_failed(), which each program brings: raw-check.c for Check. */
#ifndef RAW_CLIENT_H
#define RAW_CLIENT_H

#include "mfsproto/wire/wire.h"

struct raw {
        int fd;
        uint32_t server, declared; /* versions, for layouts */
        uint8_t hint;
        uint32_t msgid;
        uint8_t buf[200000]; /* the last packet's payload */
        size_t len;
        uint32_t type;
};

void raw_failed(const char *fmt, ...) __attribute__((noreturn, format(printf, 1, 2)));

void raw_open(struct raw *r, uint16_t port); /* on 127.0.0.1 */
void raw_connect(struct raw *r, uint32_t ip, uint16_t port);
void raw_close(struct raw *r);
void raw_send(struct raw *r, const void *bytes, size_t n);
/* A packet from a type and a payload, whatever they are. */
void raw_packet(struct raw *r, uint32_t type, const void *payload, size_t n);
/* Encodes; sets a msgid when the packet has one and none is set. */
void raw_msg(struct raw *r, struct wire_msg *m);
void raw_init(struct raw *r, struct wire_msg *m, uint32_t type); /* direction from the number */
/* The next packet that is no NOP: 1, or 0 at the end of the stream, or -1 after ms of silence. */
int raw_next(struct raw *r, int ms);
/* The next packet, decoded into m; it must come and be of this type. */
void raw_expect(struct raw *r, uint32_t type, struct wire_msg *m);
/* Sends m and takes its reply. */
void raw_call(struct raw *r, struct wire_msg *m, struct wire_msg *reply);
/* The same, the reply's status: 0 also when it has none. */
uint8_t raw_status(struct raw *r, struct wire_msg *m);
bool raw_is_closed(struct raw *r, int ms); /* the server hangs up, with nothing in between but NOPs */

/* Everyday things. */
void raw_register(struct raw *r, uint32_t declared); /* a new session on /; learns the server's version */
uint32_t raw_create(struct raw *r, const char *name);
uint32_t raw_create_in(struct raw *r, uint32_t parent, const char *name);

enum { RAW_SERVERS = 8 };
struct raw_grant {
        uint64_t chunk, length;
        uint32_t version, inode, index;
        unsigned n;
        uint32_t ip[RAW_SERVERS];
        uint16_t port[RAW_SERVERS];
};
uint8_t raw_write_chunk(struct raw *r, uint32_t inode, uint32_t index, uint8_t flags, struct raw_grant *g);
uint8_t raw_write_end(struct raw *r, const struct raw_grant *g, uint64_t length);
void raw_cs_write(struct raw *cs, const struct raw_grant *g); /* chain: all others of the grant */
void raw_cs_data(struct raw *cs, uint64_t chunk, uint32_t writeid, uint16_t block, uint16_t offset,
                 const void *data, uint32_t n);
void raw_cs_finish(struct raw *cs, const struct raw_grant *g);
uint8_t raw_cs_ack(struct raw *cs, uint32_t writeid); /* the next status, which must be for this one */

#endif
