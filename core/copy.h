/* SPDX-License-Identifier: MIT */
/* The copy engine: from any reader to any writer. */
#ifndef RI_COPY_H
#define RI_COPY_H

#include "core/backend.h"

/* The two ends. `arg` is theirs and freed by `free` when the copy is over. */
struct ri_copy_ends {
        roma_loop *loop;
        roma_store *store; /* which the operation belongs to; NULL: none */
        roma_op (*reader)(void *arg, const roma_reader_opts *opts, roma_done *done, void *done_arg);
        roma_op (*writer)(void *arg, const roma_writer_opts *opts, roma_done *done, void *done_arg);
        /* The destination read again. NULL: it cannot be. */
        roma_op (*hash)(void *arg, int algorithm, const roma_opts *opts, roma_done *done, void *done_arg);
        roma_store *from; /* where the bytes come from, if it is another one; the copy ends when it closes */
        bool from_path, to_path; /* that end is a path of this machine, not an object of a server */
        /* Where the destination has replicas that can be asked one by one, else NULL. */
        roma_store *to;
        const char *to_key;
        void (*free)(void *arg);
        void *arg;
};

/* Takes ends->arg over in any case. */
roma_op ri_copy_start(const struct ri_copy_ends *ends, const char *name, const char *object,
                      const roma_put_opts *opts, roma_done *done, void *arg);

#endif
