/* SPDX-License-Identifier: MIT */
/* Objects of a pool that make up a file: where each is, and what the cluster can say against it. Shared by both stores. */
#ifndef CEPHIO_PIECES_H
#define CEPHIO_PIECES_H

#include "core/layout.h"

/* Where the objects are, and as whom to ask. Copied. */
struct ceph_where {
        const char *pool, *ns, *conf, *client, *keyring; /* the last three may be NULL */
        unsigned connect_s, osd_s;
};
/* Takes the layout over, asks the cluster about every piece in workers, and ends the operation. gap: a piece that is not there
 * may be a hole that was never written. */
void ceph_pieces_ask(struct ri_op *op, roma_layout *layout, const struct ceph_where *where, unsigned flags,
                     bool gap);

#endif
