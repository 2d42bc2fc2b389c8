/* SPDX-License-Identifier: MIT */
/* The layout of a namespace that nobody had laid out when the store was opened, and that it could not lay out itself then:
 * a pool that was full, or a client that may only read. Somebody else may do so with another number of shards at any
 * time, and whoever goes by the wrong one puts keys where nobody looks, and looks where nobody puts them. */
#include <errno.h>
#include <stdlib.h>

#include "cephio/rados/rados.h"

enum { LAYOUT_READ = 64 };

struct rad_req *rad_layout_ask(struct rad_store *rs, bool make, struct ri_op *op,
                               void (*done)(struct rad_req *), void *arg)
{
        struct rad_req *r = rad_req_new(rs, make ? RAD_WRITE_OP : RAD_READ, "roma", op,
                                        make ? "write the layout" : "read the layout", done, arg);
        uint8_t bytes[RAD_LAYOUT_BYTES];

        if (!r)
                return NULL;
        r->may_miss = true;
        if (make) {
                rad_layout_encode(&(struct rad_layout){ rad_index_shards(rs->index) }, bytes);
                rados_write_op_create(r->wop, LIBRADOS_CREATE_EXCLUSIVE, NULL);
                rados_write_op_write_full(r->wop, (const char *)bytes, sizeof(bytes));
        } else {
                r->mem_len = LAYOUT_READ;
                r->mem = malloc(r->mem_len);
                if (!r->mem) {
                        rad_req_free(r);
                        return NULL;
                }
        }
        rad_req_go(r);
        return r;
}

int rad_layout_said(struct rad_req *r)
{
        struct rad_layout l;
        const char *why;

        if (r->rc < 0)
                return r->rc;
        if (r->kind == RAD_READ) {
                if (rad_layout_decode(r->mem, (size_t)r->rc, &l, &why) < 0)
                        return -EBADMSG;
                if (l.shards != rad_index_shards(r->rs->index))
                        return -ESTALE;
        }
        r->rs->sure = true;
        return 0;
}
