/* SPDX-License-Identifier: MIT */
/* Making one object: bytes are pushed in order, nothing is seen under its name before the commit, and the commit
 * shows data, attributes and precondition in one step. */
#ifndef ROMA_WRITER_H
#define ROMA_WRITER_H

#include <roma/types.h>

ROMA_BEGIN

#define ROMA_SIZE_UNKNOWN UINT64_MAX

enum roma_precondition {
        ROMA_ALWAYS = 0,    /* replace what is there */
        ROMA_IF_ABSENT = 1, /* fail with ROMA_EEXIST when the name exists, decided atomically at commit */
        ROMA_IF_MATCH =
                2 /* replace only the object whose ETag is if_match, else fail with ROMA_EPRECONDITION, decided
                               atomically at commit */
};

enum roma_writer_flags {
        ROMA_WRITER_PARENTS = 1, /* make missing folders above the key */
        ROMA_WRITER_OVER_LINK =
                2 /* replace a symbolic link that has the name, in place of what it leads to */
};

/* size_hint: bytes that will come, or ROMA_SIZE_UNKNOWN. Commit with another size is ROMA_ESOURCE when a hint was
 *   given: a source that shrank must not become a short object.
 * attr: mode, uid, gid, mtime to set (by mask), or NULL; a replaced object's mode and owner are kept otherwise.
 * props: headers and metadata that the object gets, n_props of them (at most ROMA_MAX_PROPS, no name of a kind twice); a
 *   replaced object's are not kept. ROMA_ENOTSUP where the store has no ROMA_CAP_PROPS, ROMA_EINVAL for what cannot be
 *   sent: names and values that are no header, and headers that libroma sets itself.
 * if_match: with ROMA_IF_MATCH, an ETag as roma_attr has it.
 * A destination that is not a regular file (a FIFO, a device) is written in place and never replaced. */
typedef struct roma_writer_opts {
        size_t size;
        uint32_t stall_ms;
        uint32_t deadline_ms;
        uint64_t size_hint;
        int precondition; /* enum roma_precondition */
        unsigned flags;   /* enum roma_writer_flags */
        const roma_attr *attr;
        const roma_prop *props;
        size_t n_props;
        const char *if_match;
} roma_writer_opts;
#define ROMA_WRITER_OPTS_INIT                                                                          \
        {                                                                                              \
                sizeof(roma_writer_opts), 0, 0, ROMA_SIZE_UNKNOWN, ROMA_ALWAYS, 0, NULL, NULL, 0, NULL \
        }

/* Result: writer, the caller's until commit or abort. */
ROMA_API roma_op roma_aio_writer_open(roma_store *store, const char *key, const roma_writer_opts *opts,
                                      roma_done *done, void *arg);
ROMA_API roma_writer *roma_writer_open(roma_store *store, const char *key,
                                       const roma_writer_opts *opts) ROMA_MUST_CHECK;

/* Appends to the object being made. Several writes may be in flight; they land in the order of their starts. The
 * callback is the back-pressure: start a next write when an earlier one has completed. Any failure is final for
 * the writer; then only abort is left. */
ROMA_API roma_op roma_aio_writer_write(roma_writer *writer, const void *buf, size_t len,
                                       const roma_opts *opts, roma_done *done, void *arg);
/* The same for a buffer of the loop; takes a reference of its own. */
ROMA_API roma_op roma_aio_writer_write_buf(roma_writer *writer, roma_buf *buf, const roma_opts *opts,
                                           roma_done *done, void *arg);
ROMA_API int roma_writer_write(roma_writer *writer, const void *buf, size_t len, const roma_opts *opts);

/* Waits for all writes, makes the object visible. Result: attr with etag; bytes; crc32 of the whole object. The
 * handle is invalid at once, whatever the result; a commit that failed has left nothing under the name
 * (outcome NOT_DONE), or says ROMA_UNKNOWN. */
ROMA_API roma_op roma_aio_writer_commit(roma_writer *writer, const roma_opts *opts, roma_done *done,
                                        void *arg);
ROMA_API int roma_writer_commit(roma_writer *writer, const roma_opts *opts);

/* Gives up: what was written is removed. The handle is invalid at once. done may be NULL, and writer of the blocking form. */
ROMA_API roma_op roma_aio_writer_abort(roma_writer *writer, const roma_opts *opts, roma_done *done,
                                       void *arg);
ROMA_API void roma_writer_abort(roma_writer *writer);

ROMA_END
#endif
