/* SPDX-License-Identifier: MIT */
/* Multipart uploads, the same on every store: parts in any order, in parallel, repeated, from several processes; the
 * object appears whole at the complete. On S3-like stores the server does it; elsewhere the parts lie in a hidden folder
 * beside the object until they are joined.
 *
 * What holds on every store:
 * - An upload is named by its key and its id, and outlives the process that began it.
 * - A part that was acknowledged can be completed until the upload has ended. On an S3-like store a later part of the same
 *   number takes its place; elsewhere both stay, and complete takes the one whose ETag is given.
 * - The object has exactly the bytes of the parts that complete was given, or there is none.
 * - Of a complete and an abort at the same time one wins; the other ends with ROMA_ENOENT. Of two completes with other
 *   parts one wins; the same complete may be repeated, and succeeds as long as traces of the upload are left. (An S3-like
 *   server may tell both that they have won. The object is then there, of the parts of one complete; but radosgw 16 removes
 *   the bytes of one whose upload is aborted under the complete, hours later: abort nothing that may be being completed.)
 * - A part that is put again while a complete runs changes nothing about the object; on an S3-like store the complete may end
 *   with ROMA_EPRECONDITION instead, and leaves all as it was.
 * - What nobody ends stays until roma_gc() collects it. */
#ifndef ROMA_UPLOAD_H
#define ROMA_UPLOAD_H

#include <roma/transfer.h>
#include <roma/types.h>
#include <roma/writer.h>

ROMA_BEGIN

#define ROMA_MAX_PARTS 10000

/* flags: ROMA_WRITER_PARENTS makes missing folders above the key.
 * attr: mode and mtime of the object (by mask), or NULL.
 * props: headers and metadata of the object, as for a writer. */
typedef struct roma_upload_opts {
        size_t size;
        uint32_t stall_ms;
        uint32_t deadline_ms;
        unsigned flags;
        const roma_attr *attr;
        const roma_prop *props;
        size_t n_props;
} roma_upload_opts;
#define ROMA_UPLOAD_OPTS_INIT                                    \
        {                                                        \
                sizeof(roma_upload_opts), 0, 0, 0, NULL, NULL, 0 \
        }

typedef struct roma_part {
        unsigned number;  /* 1..ROMA_MAX_PARTS */
        uint64_t length;  /* bytes */
        int64_t mtime_ns; /* when it was put, as far as the store says; 0: it does not */
        const char
                *etag; /* of its bytes: their MD5 in hexadecimal, unless an S3-like server has other ones */
} roma_part;

/* By number, each number once: the latest of those that were put. */
typedef struct roma_part_list {
        const roma_part *part;
        size_t count;
} roma_part_list;

typedef struct roma_upload {
        const char *key;
        const char *id;
        int64_t begun_ns; /* nanoseconds since 1970 */
} roma_upload;

typedef struct roma_upload_list {
        const roma_upload *upload;
        size_t count;
        const char *next; /* there are more: give this as `after`; NULL: that was all */
} roma_upload_list;

/* Begins one. Result: text, its id. */
ROMA_API roma_op roma_aio_upload_begin(roma_store *store, const char *key, const roma_upload_opts *opts,
                                       roma_done *done, void *arg);
/* The id is in roma_last(loop)->text. */
ROMA_API int roma_upload_begin(roma_store *store, const char *key, const roma_upload_opts *opts);

/* Opens part `number` for writing; of the options only size_hint and the times are used. Result: writer; its commit
 * acknowledges the part, and attr.etag of that result is what complete takes. S3-like stores hold the part in memory
 * until the server has confirmed it (so at most 1 GiB). ROMA_ENOENT: there is no such upload, or it has ended. */
ROMA_API roma_op roma_aio_upload_part_open(roma_store *store, const char *key, const char *id,
                                           unsigned number, const roma_writer_opts *opts, roma_done *done,
                                           void *arg);
ROMA_API roma_writer *roma_upload_part_open(roma_store *store, const char *key, const char *id,
                                            unsigned number, const roma_writer_opts *opts) ROMA_MUST_CHECK;

/* A part from memory. Result: attr.etag, bytes, crc32. Of the options stall_ms, deadline_ms, progress and the expected
 * CRC-32 are used. */
ROMA_API roma_op roma_aio_upload_part(roma_store *store, const char *key, const char *id, unsigned number,
                                      const void *buf, size_t len, const roma_put_opts *opts, roma_done *done,
                                      void *arg);
ROMA_API int roma_upload_part(roma_store *store, const char *key, const char *id, unsigned number,
                              const void *buf, size_t len, const roma_put_opts *opts);
/* The same from a local file: length bytes at offset, or to its end with ROMA_SIZE_UNKNOWN. Fewer bytes in the file than
 * that are ROMA_ESOURCE. */
ROMA_API roma_op roma_aio_upload_part_path(roma_store *store, const char *key, const char *id,
                                           unsigned number, const char *path, uint64_t offset,
                                           uint64_t length, const roma_put_opts *opts, roma_done *done,
                                           void *arg);
ROMA_API int roma_upload_part_path(roma_store *store, const char *key, const char *id, unsigned number,
                                   const char *path, uint64_t offset, uint64_t length,
                                   const roma_put_opts *opts);

/* How long parts can be, in bytes, as far as the kind of the server tells; nothing is asked. least: what all but the last must have for a
 * complete to take them (1: there is no such limit); a shorter one can be put, and is refused at the end. most: what can be put as one part
 * (UINT64_MAX: no limit). Either may be NULL. Never fails. Whoever takes up parts of somebody else's looks at this first. */
ROMA_API void roma_upload_part_limits(roma_store *store, uint64_t *least, uint64_t *most);

/* The parts that are there. Result: extra, a const roma_part_list *. */
ROMA_API roma_op roma_aio_upload_parts(roma_store *store, const char *key, const char *id,
                                       const roma_opts *opts, roma_done *done, void *arg);
/* The list is in roma_last(loop)->extra. */
ROMA_API int roma_upload_parts(roma_store *store, const char *key, const char *id, const roma_opts *opts);

/* The uploads whose keys begin with prefix, page by page; after: NULL, or `next` of the page before; max: about how many,
 * 1..1000, 0: 1000. A store with folders is searched folder by folder. Result: extra, a const roma_upload_list *. */
ROMA_API roma_op roma_aio_upload_list(roma_store *store, const char *prefix, const char *after, unsigned max,
                                      const roma_opts *opts, roma_done *done, void *arg);
/* The list is in roma_last(loop)->extra. */
ROMA_API int roma_upload_list_page(roma_store *store, const char *prefix, const char *after, unsigned max,
                                   const roma_opts *opts);

/* precondition: enum roma_precondition, decided in the moment in which the object appears; if_match: its ETag. */
typedef struct roma_complete_opts {
        size_t size;
        uint32_t stall_ms;
        uint32_t deadline_ms;
        int precondition;
        const char *if_match;
} roma_complete_opts;
#define ROMA_COMPLETE_OPTS_INIT                           \
        {                                                 \
                sizeof(roma_complete_opts), 0, 0, 0, NULL \
        }

/* Makes the object of these parts, in ascending order of their numbers; number and etag of each are looked at. Numbers may
 * be left out; parts that are not named are thrown away. Servers want all but the last to have 5 MiB (OSS, OBS: 100 KiB).
 * On MooseFS parts of a multiple of 64 MiB are joined without moving data, others are copied.
 * Result: attr with etag, bytes. ROMA_ENOENT: there is no such upload, or it has ended otherwise. ROMA_EPRECONDITION: a
 * part is missing or has another ETag, or the object that was to be replaced has. ROMA_EEXIST: of the precondition. After ROMA_UNKNOWN repeat it. A failed complete
 * leaves the upload as it was. */
ROMA_API roma_op roma_aio_upload_complete(roma_store *store, const char *key, const char *id,
                                          const roma_part *parts, size_t count,
                                          const roma_complete_opts *opts, roma_done *done, void *arg);
ROMA_API int roma_upload_complete(roma_store *store, const char *key, const char *id, const roma_part *parts,
                                  size_t count, const roma_complete_opts *opts);

/* Ends an upload and removes its parts. Parts that are on their way fail. May be repeated when it did not end well. */
ROMA_API roma_op roma_aio_upload_abort(roma_store *store, const char *key, const char *id,
                                       const roma_opts *opts, roma_done *done, void *arg);
ROMA_API int roma_upload_abort(roma_store *store, const char *key, const char *id, const roma_opts *opts);

ROMA_END
#endif
