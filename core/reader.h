/* SPDX-License-Identifier: MIT */
/* What is behind a roma_reader. Reading ahead from an open file is in reader.c; a pipe has another source. */
#ifndef RI_READER_H
#define RI_READER_H

#include "core/backend.h"

struct ri_reader_ops {
        /* Finishes op with res.buf (a reference that becomes the receiver's) and res.bytes, or res.buf NULL at the end. With
         * has_crc32 when the bytes of this piece came with a checksum that held. Sets op->cancel. One at a time. */
        void (*next)(struct ri_op *op, roma_reader *r);
        void (*pause)(roma_reader *r, bool on);
        /* From the next piece on pieces come from two stripes of so many bytes in turns, each in order, and res.offset says
         * where a piece belongs. Before the first next, a whole object. false: not done. NULL: never. */
        bool (*lanes)(roma_reader *r, uint64_t stripe);
        /* All its bytes, *length from *offset of it on, as something that can be read again, a reference for whoever asks; from then on
         * `next` tells the end alone. NULL: it cannot be, and nothing has changed. Before the first next. NULL: never. */
        struct ri_source *(*source)(roma_reader *r, uint64_t *offset, uint64_t *length);
        /* Frees the reader; no next is in flight. now: without waiting for anything. */
        void (*close)(roma_reader *r, bool now);
};

struct roma_reader {
        const struct ri_reader_ops *ops;
        roma_loop *loop;
        roma_store *store;     /* NULL: of no store */
        struct ri_child child; /* of the store */
        struct ri_op *next;    /* the roma_aio_reader_next() in flight */
        char *object;
        roma_attr attr;
};

/* Fills the common part. object is copied: -1 when memory is missing. */
int ri_reader_init(roma_reader *r, const struct ri_reader_ops *ops, roma_loop *loop, roma_store *store,
                   const char *object);
/* Frees the common part, not r. */
void ri_reader_fini(roma_reader *r);

/* core/stream_reader.c: over a file without a length; owns it. NULL: no memory, the file is the caller's still. */
roma_reader *ri_stream_reader(roma_file *file, const roma_attr *attr);

/* put.c: of the caller's memory, which is read until the reader is closed; belongs to the store. */
roma_op ri_aio_memory_reader_open(roma_store *store, const void *data, size_t len,
                                  const roma_reader_opts *opts, roma_done *done, void *arg);

#endif
