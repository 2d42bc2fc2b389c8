/* SPDX-License-Identifier: MIT */
/* How the public calls get to the peer's thread. */
#ifndef MFS_PEER_CALL_H
#define MFS_PEER_CALL_H

struct mfs_peer;

/* Runs fn(p, arg) on the peer's thread and waits for it. */
void peer_call(struct mfs_peer *p, void (*fn)(struct mfs_peer *p, void *arg), void *arg);

#endif
