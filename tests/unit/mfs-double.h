/* SPDX-License-Identifier: MIT */
/* A dialer and a transport made of two byte buffers, for tests of what lies above: the test plays the server. */
#ifndef MFS_DOUBLE_H
#define MFS_DOUBLE_H

#include "mfsproto/transport.h"
#include "mfsproto/wire/wire.h"

enum { DOUBLE_MAX = 16, DOUBLE_BYTES = 1 << 20 };

struct double_conn {
        struct mfs_transport base;
        roma_loop *loop;
        uint32_t ip;
        uint16_t port;
        struct ri_task task;
        bool told, refuse, closed, ended, failed;          /* closed: by the client; ended: by the test */
        unsigned char in[DOUBLE_BYTES], out[DOUBLE_BYTES]; /* to the client, from the client */
        size_t in_at, in_len, out_at, out_len;
        unsigned sends; /* calls of send() that took something */
        size_t room;    /* bytes that send() takes at most in one call */
};

struct double_net {
        struct mfs_dialer dialer;
        struct double_conn *conn[DOUBLE_MAX];
        unsigned dials;
        unsigned refuse; /* so many of the next dials are refused */
};

void double_init(struct double_net *net);
void double_free(struct double_net *net);
/* Drives the loop until the client has dialled n times in all. */
struct double_conn *double_wait_dial(struct double_net *net, roma_loop *loop, unsigned n);
/* The next packet of the client, waiting for it; payload lives until the next call. */
uint32_t double_packet(struct double_conn *c, const uint8_t **payload, uint32_t *len);
/* True when the client has sent something that was not taken yet. */
bool double_has_packet(struct double_conn *c);
void double_give(struct double_conn *c, const void *bytes, size_t len);
void double_give_packet(struct double_conn *c, uint32_t type, const void *payload, uint32_t len);
void double_end(struct double_conn *c);
void double_turns(roma_loop *loop, unsigned n);

#endif
