/* SPDX-License-Identifier: MIT */
/* This machine's files, pipes and terminals as ends of a transfer. A path is what the program wrote; "-" is standard
 * input or output. parent: the store at the other end, whose closing waits for this one. */
#ifndef RI_LOCAL_H
#define RI_LOCAL_H

#include "core/backend.h"

roma_op ri_aio_local_reader_open(roma_store *parent, const char *path, const roma_reader_opts *opts,
                                 roma_done *done, void *arg);
roma_op ri_aio_local_writer_open(roma_store *parent, const char *path, const roma_writer_opts *opts,
                                 roma_done *done, void *arg);
roma_op ri_aio_local_hash(roma_store *parent, const char *path, int algorithm, const roma_opts *opts,
                          roma_done *done, void *arg);

/* hash.c: roma_aio_hash() of a piece. */
roma_op ri_aio_hash_range(roma_store *store, const char *key, uint64_t offset, uint64_t length, int algorithm,
                          const roma_opts *opts, roma_done *done, void *arg);

#endif
