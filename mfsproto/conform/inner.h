/* SPDX-License-Identifier: MIT */
/* What the files of the conformance suite share.
 *
 * A check is a function that talks to the servers and says what must be. Its first failure sticks in struct cf, and all
 * calls after it do nothing, give zeros and return at once: a check is written without asking after each step.
 *
 *      static void unknown_chunk(struct cf *c)
 *      {
 *              struct cf_link *cs = cf_any_cs(c);
 *
 *              cf_cs_read(c, cs, 1, 0, 0, 100);
 *              cf_want_read_status(c, cs, WIRE_STATUS_NOCHUNK);
 *      } */
#ifndef MFS_CONFORM_INNER_H
#define MFS_CONFORM_INNER_H

#include <roma/conform.h>

#include "core/str.h"
#include "mfsproto/wire/wire.h"

enum {
        CF_WAIT_MS = 10000,      /* for an answer that must come */
        CF_QUIET_MS = 400,       /* in which an answer that must not come has not come */
        CF_RETRY_MS = 15000,     /* for a master that says "later" */
        CF_MAX_REPLY = 64 << 20, /* the longest payload that is taken */
        CF_SERVERS = 16,         /* of one chunk */
        CF_BLOCK = WIRE_BLOCK_SIZE
};

/* One connection. */
struct cf_link {
        struct cf_link *next;
        int fd; /* -1: it never was, or it is closed */
        bool cs;
        uint32_t server, declared;
        uint32_t msgid, session;
        uint64_t metaid;
        uint8_t digest[16]; /* of the register that is being sent */
        uint8_t hint;
        uint32_t type; /* of the last packet */
        uint8_t *buf;  /* its payload */
        size_t len, cap;
};

struct cf;

struct cf_check {
        roma_conform_check pub;
        struct wire_gate gate; /* servers (and declared versions) for which it is made */
        void (*run)(struct cf *c);
};
/* Ends with one that has no name. */
extern const struct cf_check cf_checks_frame[], cf_checks_session[], cf_checks_names[], cf_checks_attrs[],
        cf_checks_tree[], cf_checks_locks[], cf_checks_chunk[], cf_checks_read[], cf_checks_write[],
        cf_checks_diagnose[], cf_checks_info[], cf_checks_gates[], cf_checks_length[];

/* The run. */
struct cf {
        /* settings */
        char *uri, *filter;
        char host[256];
        uint16_t port;
        char *folder, *export;
        uint32_t declared, uid, gid;
        bool has_password;
        uint8_t password_md5[16];
        bool slow;
        void (*result)(void *arg, const roma_conform_result *r);
        void *arg;

        /* state */
        int wake[2]; /* a byte in it: stop */
        struct ri_str error, text;
        char version[32];
        uint32_t ip, server;
        char scratch_name[40];
        uint32_t base, scratch; /* the folder that was given, and ours in it */

        /* of the check that runs */
        const struct cf_check *check;
        bool failed;
        int verdict;
        struct cf_link *links;
        struct cf_link *ma; /* a registered connection */
        uint32_t dir;       /* a folder of its own, once cf_dir() has made it */
        unsigned dirs;
};

/* ---- run.c --------------------------------------------------------------------------------------------------- */

const struct cf_check *cf_check_at(size_t n);

/* ---- say.c: verdicts ----------------------------------------------------------------------------------------- */

void cf_fail(struct cf *c, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
void cf_unsure(struct cf *c, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
void cf_skip(struct cf *c, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
void cf_eq(struct cf *c, const char *what, uint64_t got, uint64_t want);
void cf_true(struct cf *c, bool holds, const char *sentence); /* "the chunk has no id" */
void cf_status_is(struct cf *c, const char *what, uint8_t got, uint8_t want);
bool cf_v4(const struct cf *c); /* the server is 4.x or newer */

/* ---- link.c: connections and packets --------------------------------------------------------------------------- */

struct cf_link *cf_link_to(struct cf *c, uint32_t ip, uint16_t port, bool cs);
void cf_close(struct cf_link *l);
void cf_links_free(struct cf *c);
void cf_bytes(struct cf *c, struct cf_link *l, const void *bytes, size_t n);
/* A packet of any type and payload. */
void cf_packet(struct cf *c, struct cf_link *l, uint32_t type, const void *payload, size_t n);
void cf_msg(struct wire_msg *m, uint32_t type); /* a request */
/* Encodes and sends it; with a msgid of the link's own when it has one and none is set. */
void cf_send(struct cf *c, struct cf_link *l, struct wire_msg *m);
/* The next packet that is no NOP: 1; 0: the connection has ended; -1: nothing within ms, or stopped. */
int cf_next(struct cf *c, struct cf_link *l, int ms);
int cf_next_any(struct cf *c, struct cf_link *l, int ms); /* also a NOP */
/* The next packet that is no NOP and nothing unasked for; it must be of this type, and readable. */
void cf_take(struct cf *c, struct cf_link *l, uint32_t type, struct wire_msg *m);
void cf_call(struct cf *c, struct cf_link *l, struct wire_msg *m, struct wire_msg *reply);
/* The status of the reply; OK for one with data. */
uint8_t cf_ask(struct cf *c, struct cf_link *l, struct wire_msg *m);
/* The same, and it must be this one. */
void cf_want(struct cf *c, struct cf_link *l, struct wire_msg *m, uint8_t status);
/* The server hangs up without an answer. what: "a LOOKUP of 9 bytes". */
void cf_want_closed(struct cf *c, struct cf_link *l, const char *what);
void cf_want_quiet(struct cf *c, struct cf_link *l, const char *what);
/* A value of a reply that must have it. */
uint64_t cf_u(struct cf *c, struct wire_msg *m, enum wire_field field);

/* ---- client.c: everyday steps of a client --------------------------------------------------------------------- */

struct cf_link *cf_master(struct cf *c); /* not registered */
void cf_register_msg(struct cf *c, struct wire_msg *m, uint32_t declared);
/* The 32 random bytes that are mixed with a password. */
void cf_challenge(struct cf *c, struct cf_link *l, uint8_t out[32]);
/* Adds to a register what the master wants to see of the password (this one's MD5), where the export has one. */
void cf_digest(struct cf *c, struct cf_link *l, struct wire_msg *m, const uint8_t password_md5[16]);
void cf_register(struct cf *c, struct cf_link *l, uint32_t declared); /* a new session */
struct cf_link *cf_client(struct cf *c);                              /* another registered one */
void cf_ug(struct cf *c, struct wire_msg *m);
void cf_entry(struct cf *c, struct wire_msg *m, uint32_t type, uint32_t parent, const char *name);
uint32_t cf_lookup(struct cf *c, struct cf_link *l, uint32_t parent, const char *name, uint8_t *status);
uint32_t cf_create(struct cf *c, uint32_t parent, const char *name);
uint32_t cf_mkdir(struct cf *c, struct cf_link *l, uint32_t parent, const char *name);
void cf_attr(struct cf *c, uint32_t inode, struct wire_attr *attr);
uint32_t cf_dir(struct cf *c); /* the check's own folder */
uint32_t cf_new(struct cf *c); /* an empty file in it */
/* All that is in a folder, and the folder. false: something stayed. */
bool cf_remove(struct cf *c, struct cf_link *l, uint32_t parent, const char *name, uint32_t inode);

/* ---- chunk.c: places of chunks, and their servers ---------------------------------------------------------------- */

struct cf_grant {
        uint64_t chunk, length;
        uint32_t version, inode, index;
        unsigned n;
        uint32_t ip[CF_SERVERS], csver[CF_SERVERS];
        uint16_t port[CF_SERVERS];
};

uint8_t cf_read_chunk(struct cf *c, struct cf_link *l, uint32_t inode, uint32_t index, struct cf_grant *g);
void cf_places(struct cf *c, uint32_t inode, uint32_t index, struct cf_grant *g); /* it must succeed */
uint8_t cf_write_chunk(struct cf *c, struct cf_link *l, uint32_t inode, uint32_t index, uint8_t flags,
                       struct cf_grant *g);
void cf_send_chunk(struct cf *c, struct cf_link *l, uint32_t type, uint32_t inode, uint32_t index,
                   uint8_t flags);
/* It must succeed; a master that says "later" is asked again for a while. */
void cf_grant(struct cf *c, uint32_t inode, uint32_t index, struct cf_grant *g);
void cf_chain_needed(struct cf *c,
                     const struct cf_grant *g); /* skips the check when there is one copy only */
uint8_t cf_end(struct cf *c, struct cf_link *l, const struct cf_grant *g, uint64_t length);

struct cf_link *cf_cs(struct cf *c, const struct cf_grant *g, unsigned i);
/* WRITE to the first server of a link, with the next n - 1 as its chain. */
void cf_cs_write(struct cf *c, struct cf_link *cs, const struct cf_grant *g, unsigned first, unsigned n);
void cf_cs_data(struct cf *c, struct cf_link *cs, const struct wire_data *d, const void *data);
/* The same with the right CRC. */
void cf_cs_good(struct cf *c, struct cf_link *cs, const struct cf_grant *g, uint32_t writeid, uint16_t block,
                uint16_t offset, const void *data, uint32_t n);
void cf_cs_ack(struct cf *c, struct cf_link *cs, uint32_t writeid, uint8_t status);
void cf_cs_finish(struct cf *c, struct cf_link *cs, const struct cf_grant *g);
/* A write session with all servers of a new grant, begun and answered. */
struct cf_link *cf_session(struct cf *c, uint32_t inode, struct cf_grant *g);
/* A file written as it should be: n bytes that follow from the seed. */
uint32_t cf_file(struct cf *c, uint32_t n, unsigned seed, struct cf_grant *g);
void cf_fill(uint8_t *to, uint32_t n, unsigned seed);

void cf_cs_read(struct cf *c, struct cf_link *cs, uint64_t chunk, uint32_t version, uint32_t offset,
                uint32_t size);
/* What cf_cs_read() asked for: data in the packets that it must come in, right CRCs, then this status. */
void cf_cs_got(struct cf *c, struct cf_link *cs, uint64_t chunk, uint32_t offset, uint32_t size, uint8_t *to);
void cf_cs_refused(struct cf *c, struct cf_link *cs, uint8_t status);
/* The bytes of each copy are these. */
void cf_copies_hold(struct cf *c, const struct cf_grant *g, uint32_t offset, const uint8_t *want, uint32_t n);

#endif
