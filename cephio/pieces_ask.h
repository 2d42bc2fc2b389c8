/* SPDX-License-Identifier: MIT */
/* Inner declarations of pieces.c and pieces_ask.c. */
#ifndef CEPHIO_PIECES_ASK_H
#define CEPHIO_PIECES_ASK_H

#include "cephio/pieces.h"
#include "cephio/rados/rados.h"

/* pieces_ask.c, in a worker: one piece. */
struct ceph_pieces;
void ceph_pieces_place(struct ceph_pieces *p, size_t i);
void ceph_pieces_size(struct ceph_pieces *p, size_t i);
void ceph_pieces_content(struct ceph_pieces *p, size_t i);
void ceph_pieces_scrub(struct ceph_pieces *p, size_t i);

/* An OSD, asked for once. */
struct ceph_osd {
        int id;
        char host[128], where[256], address[64];
};

struct ceph_pieces {
        struct ri_job job;
        struct ri_op *op;
        struct rad_opts *o;
        struct rad_io *io; /* opened by the first portion of work */
        roma_layout *layout;
        unsigned flags;
        bool gap;
        size_t next;
        struct ceph_osd *osd;
        size_t osds, osd_room;
        char (*group)[32]; /* whose scrubs were asked for */
        size_t groups, group_room;
        bool scrub_denied;
        bool pool_asked;
        size_t missing_told, short_told; /* remarks of one kind, which are not repeated for ever */
        struct ri_error e;
};

#endif
