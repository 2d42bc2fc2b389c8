/* SPDX-License-Identifier: MIT */
/* One object's bytes as a stream of buffers, read ahead within the loop's budget. */
#ifndef ROMA_READER_H
#define ROMA_READER_H

#include <roma/types.h>

ROMA_BEGIN

/* offset, length: the range; length ROMA_SIZE_UNKNOWN (the default) reads to the end as it was at open.
 * ahead: bytes read before they are asked for (default 8 MiB; at least one piece of 1 MiB).
 * if_match, if_none_match: ETags, as roma_attr has them, of which the object must have the one and must not have the other;
 *   else it is ROMA_EPRECONDITION. NULL: any. What is read then is of that version, or the reading fails.
 * known: what a list has just said of the object, length and ETag; NULL: nothing is known. A store may save a request with it: on S3 a small
 *   object comes with one GET, without a HEAD before. An object that has changed since is read as it is now. Not kept after the call. */
typedef struct roma_reader_opts {
        size_t size;
        uint32_t stall_ms;
        uint32_t deadline_ms;
        uint64_t offset;
        uint64_t length;
        uint64_t ahead;
        const char *if_match, *if_none_match;
        const roma_attr *known;
} roma_reader_opts;
#define ROMA_READER_OPTS_INIT                                                      \
        {                                                                          \
                sizeof(roma_reader_opts), 0, 0, 0, UINT64_MAX, 0, NULL, NULL, NULL \
        }

/* Result: reader (the caller's to close), attr; props where the store keeps some. */
ROMA_API roma_op roma_aio_reader_open(roma_store *store, const char *key, const roma_reader_opts *opts,
                                      roma_done *done, void *arg);
ROMA_API roma_reader *roma_reader_open(roma_store *store, const char *key,
                                       const roma_reader_opts *opts) ROMA_MUST_CHECK;
/* The next piece. Result: buf (the caller's to unref) and bytes, or buf NULL at the end. One at a time. Holding
 * buffers is back-pressure. An object that shrank in the middle is ROMA_ESOURCE, never a silent end; on stores whose objects
 * can be changed in place (folders, MooseFS, CephFS) so is, at the end, one that others have written to meanwhile, also at its
 * end: what came may be of two versions. The blocking form is NULL at the end and after a failure: roma_last(loop)->code is
 * ROMA_OK at the end. */
ROMA_API roma_op roma_aio_reader_next(roma_reader *reader, const roma_opts *opts, roma_done *done, void *arg);
ROMA_API roma_buf *roma_reader_next(roma_reader *reader, const roma_opts *opts) ROMA_MUST_CHECK;
/* Stops and restarts reading ahead; what has been read stays. */
ROMA_API void roma_reader_pause(roma_reader *reader);
ROMA_API void roma_reader_resume(roma_reader *reader);
/* Attributes as they were at open. They live as long as the reader. */
ROMA_API const roma_attr *roma_reader_attr(roma_reader *reader);
/* Ends it; a piece that was asked for ends with ROMA_ECANCELED. Buffers that were given out stay. NULL is allowed. */
ROMA_API void roma_reader_close(roma_reader *reader);

ROMA_END
#endif
