/* SPDX-License-Identifier: MIT */
/* Whole objects: put, get, copy, hash. */
#ifndef ROMA_TRANSFER_H
#define ROMA_TRANSFER_H

#include <roma/types.h>

ROMA_BEGIN

enum roma_verify {
        ROMA_VERIFY_DEFAULT = 0, /* the CRCs of the wire, combined; no second pass */
        ROMA_MD5 = 1,            /* an MD5 of the source is computed, the object is read again and compared */
        ROMA_SHA256 = 2,
        ROMA_CRC32 = 3,    /* the object is read again and its CRC-32 compared */
        ROMA_REPLICAS = 4, /* where the store has replicas: each one's CRC table against the source */
        ROMA_STREAMED =
                5 /* as ROMA_CRC32, but for a copy that a server made itself: there its ETag and length do */
};

/* done_bytes of total_bytes (ROMA_SIZE_UNKNOWN when not known). At most every 100 ms, and once at the end. */
typedef void roma_progress(void *arg, uint64_t done_bytes, uint64_t total_bytes);

/* Besides the flags of a writer. */
enum roma_transfer_flags {
        ROMA_NO_PROPS =
                0x100 /* a copy has nothing of the source's metadata, and of its headers only Content-Type */
};

/* precondition, if_match, flags, attr, props: as for a writer. source_match, source_none_match: ETags that the source must
 * have or must not have, as for a reader; NULL: any. source_known: what a list has just said of the source, as `known` of a
 * reader; NULL: nothing. size_hint for sources whose size cannot be seen (pipes).
 * keep_times: the object gets the source's mtime (and mode, where the destination keeps modes).
 * has_crc32, crc32: what the whole object's CRC-32 must be; another one is ROMA_ECORRUPT and nothing is shown.
 * verify: after the commit, see enum roma_verify; a difference is ROMA_ECORRUPT. What is written in place (a pipe, a device, standard
 *   output) cannot be read again: ROMA_ENOTSUP, before anything is written. */
typedef struct roma_put_opts {
        size_t size;
        uint32_t stall_ms;
        uint32_t deadline_ms;
        int verify;
        int precondition;
        unsigned flags;
        int keep_times;
        uint64_t size_hint;
        const roma_attr *attr;
        int has_crc32;
        uint32_t crc32;
        roma_progress *progress;
        void *progress_arg;
        const roma_prop *props;
        size_t n_props;
        const char *if_match, *source_match, *source_none_match;
        const roma_attr *source_known;
} roma_put_opts;
#define ROMA_PUT_OPTS_INIT                                                                                  \
        {                                                                                                   \
                sizeof(roma_put_opts), 0, 0, 0, 0, 0, 0, UINT64_MAX, NULL, 0, 0, NULL, NULL, NULL, 0, NULL, \
                        NULL, NULL, NULL                                                                    \
        }
typedef roma_put_opts roma_copy_opts;
#define ROMA_COPY_OPTS_INIT ROMA_PUT_OPTS_INIT
typedef roma_put_opts roma_get_opts;
#define ROMA_GET_OPTS_INIT ROMA_PUT_OPTS_INIT

/* Local path ("-": standard input) to an object. The object appears whole or not at all. A source that changes,
 * shrinks or vanishes in the middle is ROMA_ESOURCE. Result: attr with etag, bytes, crc32; text: the digest when
 * verify asked for one. The blocking form copies the result to *result when that is not NULL (pointers in it live
 * until the next blocking call). */
ROMA_API roma_op roma_aio_put_path(roma_store *store, const char *key, const char *path,
                                   const roma_put_opts *opts, roma_done *done, void *arg);
ROMA_API int roma_put_path(roma_store *store, const char *key, const char *path, const roma_put_opts *opts,
                           struct roma_result *result);
/* The same from memory. */
ROMA_API roma_op roma_aio_put(roma_store *store, const char *key, const void *buf, size_t len,
                              const roma_put_opts *opts, roma_done *done, void *arg);
ROMA_API int roma_put(roma_store *store, const char *key, const void *buf, size_t len,
                      const roma_put_opts *opts);

/* An object to a local path ("-": standard output). A regular file appears whole or not at all; anything else (a
 * FIFO, a device, a terminal) is written in place and never replaced; a symbolic link's target is replaced, not
 * the link. */
ROMA_API roma_op roma_aio_get_path(roma_store *store, const char *key, const char *path,
                                   const roma_get_opts *opts, roma_done *done, void *arg);
ROMA_API int roma_get_path(roma_store *store, const char *key, const char *path, const roma_get_opts *opts,
                           struct roma_result *result);

/* Any store to any store of the same loop. Nothing touches the disk in between. Between stores with ROMA_CAP_PROPS the copy has
 * the source's metadata and, of its headers, Content-Type, Cache-Control, Content-Disposition, Content-Encoding,
 * Content-Language and Expires, unless props or ROMA_NO_PROPS says otherwise. Within one S3-like server, with the same keys, the server makes the
 * copy, of one version of the source, if verify is ROMA_VERIFY_DEFAULT or ROMA_STREAMED and there is no precondition, expected
 * CRC or attr; the result then has no crc32. An object is not copied to itself, but with props or ROMA_NO_PROPS: then it has new ones. */
ROMA_API roma_op roma_aio_copy(roma_store *from, const char *from_key, roma_store *to, const char *to_key,
                               const roma_copy_opts *opts, roma_done *done, void *arg);
ROMA_API int roma_copy(roma_store *from, const char *from_key, roma_store *to, const char *to_key,
                       const roma_copy_opts *opts, struct roma_result *result);

/* The digest of an object: algorithm ROMA_MD5, ROMA_SHA256 or ROMA_CRC32. Result: text (lower-case hexadecimal),
 * bytes, crc32. */
ROMA_API roma_op roma_aio_hash(roma_store *store, const char *key, int algorithm, const roma_opts *opts,
                               roma_done *done, void *arg);
ROMA_API int roma_hash(roma_store *store, const char *key, int algorithm, const roma_opts *opts);

/* The same for a local path ("-": standard input): length bytes from offset on, or all that follow with
 * ROMA_SIZE_UNKNOWN; bytes in the result says how many there were. It ends when `store` closes. */
ROMA_API roma_op roma_aio_hash_path(roma_store *store, const char *path, uint64_t offset, uint64_t length,
                                    int algorithm, const roma_opts *opts, roma_done *done, void *arg);
ROMA_API int roma_hash_path(roma_store *store, const char *path, uint64_t offset, uint64_t length,
                            int algorithm, const roma_opts *opts);

/* Removes temporaries that unfinished writers left in the folder tree `prefix` (with or without a slash at its end; "": all)
 * and that nobody has written to for older_than_s seconds (by the store's clock), and ends uploads of which that is true.
 * Result: bytes = how many were removed. */
ROMA_API roma_op roma_aio_gc(roma_store *store, const char *prefix, uint64_t older_than_s,
                             const roma_opts *opts, roma_done *done, void *arg);
ROMA_API int64_t roma_gc(roma_store *store, const char *prefix, uint64_t older_than_s, const roma_opts *opts);

ROMA_END
#endif
