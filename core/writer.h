/* SPDX-License-Identifier: MIT */
/* What is behind a roma_writer. The common part (writer.c) hands out offsets in the order of the writes or takes those of
 * a copy with lanes, combines their CRCs, waits for all of them before a commit, and compares size and CRC with what was
 * announced. */
#ifndef RI_WRITER_H
#define RI_WRITER_H

#include "core/backend.h"
#include "core/digester.h"
#include "core/props.h"

/* What a writer draws from. It lives as long as the operation. */
struct ri_draw {
        struct ri_source *source;
        uint64_t offset; /* of the first byte in it */
        uint64_t length;
        const char *name; /* of the source, for sentences */
        /* So many bytes more are on their way. Nothing may end in it. */
        void (*moved)(struct ri_draw *d, uint64_t bytes);
        struct ri_error failed; /* code not 0: why the source could not be read, if it was that */
};

/* Whatever happens to `open`, `commit` or `abort` (they may be cancelled too), ri_writer_gone() is called once when
 * nothing of the writer is left: after a failed open, a commit or an abort. */
struct ri_writer_ops {
        void (*open)(struct ri_op *op, roma_writer *w);
        /* When a write has ended, nothing of its bytes is touched again: they may be memory of the caller's, which a put
         * then gives as it is, in pieces of at most so many bytes. 0: a worker may still read them. */
        uint64_t takes;
        /* Bytes for `offset`. buf: the memory's buffer, or NULL; a backend that goes on with it keeps a reference. */
        void (*write)(struct ri_op *op, roma_writer *w, const void *data, size_t len, roma_buf *buf,
                      uint64_t offset);
        /* As a write, of all bytes of the object, which the writer reads itself, where and when it likes, until the operation
         * ends, or, of a source that it keeps, until the commit; res.bytes, res.crc32. draws: whether this writer would. May be NULL. */
        bool (*draws)(const roma_writer *w);
        void (*draw)(struct ri_op *op, roma_writer *w, struct ri_draw *d);
        /* As a write, of the bytes of another object of the store. May be NULL. */
        void (*concat)(struct ri_op *op, roma_writer *w, const char *key, uint64_t offset);
        /* All writes have succeeded. Fills res.attr; bytes and CRC are there already. */
        void (*commit)(struct ri_op *op, roma_writer *w);
        /* Removes what was written; no write is in flight. op may be NULL. why: an operation that `op` fails with when
         * the removal has ended, for it was to commit; NULL: op finishes. */
        void (*abort)(struct ri_op *op, roma_writer *w, const struct ri_error *why);
        /* At once, the loop goes away: no operation is in flight. ri_writer_gone() is not called. */
        void (*drop)(roma_writer *w);
};

enum ri_writer_state {
        RI_WRITER_OPENING,
        RI_WRITER_OPEN,
        RI_WRITER_WAITING, /* commit waits for writes */
        RI_WRITER_ENDING   /* the backend commits or removes */
};

struct roma_writer {
        roma_store *store;
        const struct ri_writer_ops *ops;
        void *impl; /* of the backend */
        char *key;
        uint64_t size_hint;
        int precondition;
        char *if_match; /* with ROMA_IF_MATCH, else NULL */
        unsigned flags;
        roma_attr attr;         /* mask 0: nothing asked for */
        struct ri_props *props; /* checked; none: n 0 */
        bool exists;            /* at the time of opening there was something under the key */

        enum ri_writer_state state;
        struct ri_child child;
        struct ri_list pieces; /* in the order of their bytes; what is written joins its neighbours */
        size_t in_flight;      /* of them */
        struct ri_op *commit;  /* while WAITING */
        uint64_t next;         /* where the next write goes */
        uint64_t bytes;        /* from the commit on: of the object */
        uint32_t crc;          /* of those */
        bool expects;
        uint32_t expected;
        struct ri_error failed; /* code 0: no write has failed */

        /* Of a part of an upload: core/upload.h. */
        char *upload; /* its id; NULL: it is no part */
        unsigned part;
        uint64_t part_time;           /* of its name, where that is known before the bytes are */
        struct ri_digester *digester; /* of all bytes; NULL: none */
        char digest[RI_DIGEST_HEX_MAX];
        unsigned held;                       /* writes that wait until the digest has caught up */
        bool releasing;                      /* them, in a loop that looks at the end whether all is done */
        char *(*name)(const roma_writer *w); /* the key, known when all bytes are; gives NULL: no memory */
        char *named;                         /* by it; the backend's commit takes it as the key */
};

/* From now on an MD5 is taken of what is written; at the commit `name` says under which key the object appears, in the folder
 * of the one that was opened, and the MD5 becomes the ETag of the result. name may be NULL. 0, or -1 with a sentence. */
int ri_writer_digest(roma_writer *w, char *(*name)(const roma_writer *w), struct ri_str *err);
/* roma_aio_writer_commit() of the writer itself; for a part of an upload that one may do more. */
roma_op ri_aio_writer_commit(roma_writer *w, const roma_opts *opts, roma_done *done, void *arg);
/* commit fails with ROMA_ECORRUPT, showing nothing, when the CRC-32 of all bytes is another. */
void ri_writer_expect(roma_writer *w, uint32_t crc);
void ri_writer_gone(roma_writer *w);
/* NULL, or why this store cannot be asked for that; *code. */
const char *ri_precondition_fault(const roma_store *store, int precondition, const char *if_match, int *code);

/* Whether it writes what is no file (a pipe, a device) in place: that cannot be read again. */
bool ri_writer_in_place(const roma_writer *w);
/* Whether bytes may come in any order, with ri_writer_write_at(); all of them have an offset then. */
bool ri_writer_any_order(const roma_writer *w);
/* roma_aio_writer_write_buf() for another place than behind the last one; no byte is written twice. */
roma_op ri_writer_write_at(roma_writer *w, roma_buf *buf, uint64_t offset, const roma_opts *opts,
                           roma_done *done, void *arg);

/* Whether all bytes of the object may be drawn from a source in place of being written. */
bool ri_writer_draws(const roma_writer *w);
/* Ends when the store has all of them; nothing else is written. res.crc32: of what was sent. */
roma_op ri_aio_writer_draw(roma_writer *w, struct ri_draw *d, const roma_opts *opts, roma_done *done,
                           void *arg);

/* Joins the object `key`, of which length and CRC-32 are known, to the end of what has been written. It ends as a write of
 * those bytes would; no write is in flight. Only where it can. */
roma_op ri_aio_writer_concat(roma_writer *w, const char *key, uint64_t length, uint32_t crc,
                             const roma_opts *opts, roma_done *done, void *arg);
bool ri_writer_can_concat(const roma_writer *w);

/* core/folder_writer.c: for stores with RI_FOLDERS. */
extern const struct ri_writer_ops ri_folder_writer;

#endif
