/* SPDX-License-Identifier: MIT */
/* Names to IPv4 addresses without stopping the loop. */
#ifndef MFS_RESOLVE_H
#define MFS_RESOLVE_H

#include "core/op.h"

enum { MFS_RESOLVE_MAX = 32 }; /* addresses of one name that are used */

struct mfs_resolve;
typedef void mfs_resolve_done(void *arg, const uint32_t *ip, size_t n, const struct ri_error *e);

/* Exactly one done(), never inside this call, unless it is cancelled: n addresses in host order, or e. Numeric
 * addresses need no worker. NULL when memory is missing. */
struct mfs_resolve *mfs_resolve_start(roma_loop *loop, const char *name, uint32_t limit_ms,
                                      mfs_resolve_done *done, void *arg);
void mfs_resolve_cancel(struct mfs_resolve *r);

#endif
