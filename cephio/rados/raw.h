/* SPDX-License-Identifier: MIT */
/* What the files of the raw mode share, and what single requests need everywhere. */
#ifndef RAD_RAW_H
#define RAD_RAW_H

#include "cephio/rados/rados.h"

void rad_raw_attr(roma_attr *a, uint64_t size, int64_t mtime_ns, uint64_t version);
/* stat of a whole name. */
void rad_raw_stat_name(struct ri_op *op, const char *name);

/* An operation that is one request, whose arg it is. */
void rad_op_req(struct ri_op *op, struct rad_req *r);
void rad_op_nomem(struct ri_op *op);
/* The request has ended: the operation, to be finished. */
struct ri_op *rad_req_op(struct rad_req *r);

#endif
