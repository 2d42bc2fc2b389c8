/* SPDX-License-Identifier: MIT */
/* Open objects, read and (where the store can) written at offsets. */
#ifndef ROMA_FILE_H
#define ROMA_FILE_H

#include <roma/types.h>

ROMA_BEGIN

enum roma_open_flags {
        ROMA_O_READ = 1,
        ROMA_O_WRITE = 2,
        ROMA_O_CREATE = 4, /* make it when it is not there */
        ROMA_O_EXCL = 8,   /* only with CREATE: fail when it is there */
        ROMA_O_TRUNC = 16,
        ROMA_O_NOFOLLOW = 32 /* a symbolic link as last component is an error */
};

/* Opens `key`. mode: permission bits of a new object. Writing in place is a capability (ROMA_CAP_INPLACE); without
 * it opening for writing is ROMA_ENOTSUP and the sentence names put. A folder is ROMA_EISDIR. Result: file (the
 * caller's to close) and attr. */
ROMA_API roma_op roma_aio_file_open(roma_store *store, const char *key, unsigned flags, uint32_t mode,
                                    const roma_opts *opts, roma_done *done, void *arg);
ROMA_API roma_file *roma_file_open(roma_store *store, const char *key, unsigned flags, uint32_t mode,
                                   const roma_opts *opts) ROMA_MUST_CHECK;

/* Ends the file. Writes in flight end with ROMA_ECANCELED; what was acknowledged is made visible as by fsync
 * before the callback. The handle is invalid at once. A failure means that acknowledged bytes may not be
 * visible. */
ROMA_API roma_op roma_aio_file_close(roma_file *file, const roma_opts *opts, roma_done *done, void *arg);
ROMA_API int roma_file_close(roma_file *file, const roma_opts *opts);

/* Reads len bytes at offset. bytes in the result is less than len only at the end of the file. The memory may be
 * written in any order, also when the call fails; after the callback nobody touches it. */
ROMA_API roma_op roma_aio_pread(roma_file *file, void *buf, size_t len, uint64_t offset,
                                const roma_opts *opts, roma_done *done, void *arg);
ROMA_API roma_op roma_aio_preadv(roma_file *file, const struct iovec *iov, int iovcnt, uint64_t offset,
                                 const roma_opts *opts, roma_done *done, void *arg);
ROMA_API int64_t roma_pread(roma_file *file, void *buf, size_t len, uint64_t offset, const roma_opts *opts);

/* Writes at offset, growing the file, leaving a hole before it when it starts behind the end. Done when every
 * replica has acknowledged; length and visibility to others are certain after fsync or close. Writes that overlap
 * apply in the order in which they were started. A failed write may have written any part of its range. */
ROMA_API roma_op roma_aio_pwrite(roma_file *file, const void *buf, size_t len, uint64_t offset,
                                 const roma_opts *opts, roma_done *done, void *arg);
ROMA_API roma_op roma_aio_pwritev(roma_file *file, const struct iovec *iov, int iovcnt, uint64_t offset,
                                  const roma_opts *opts, roma_done *done, void *arg);
ROMA_API int64_t roma_pwrite(roma_file *file, const void *buf, size_t len, uint64_t offset,
                             const roma_opts *opts);

/* Writes at the end as one piece that no other appender overwrites. Result: bytes, and offset, where it went (of the
 * blocking form, which returns the bytes, roma_last(loop)->offset). Never replayed
 * after a lost connection: outcome ROMA_UNKNOWN then. On MooseFS the place is reserved first, and a reservation stays:
 * after an append that was cancelled or failed with ROMA_UNKNOWN the next one, by anybody, may go behind a gap that reads
 * as zeros. */
ROMA_API roma_op roma_aio_append(roma_file *file, const void *buf, size_t len, const roma_opts *opts,
                                 roma_done *done, void *arg);
ROMA_API int64_t roma_append(roma_file *file, const void *buf, size_t len, const roma_opts *opts);

/* Sets the length; what is cut is gone, what is added reads as zeros. */
ROMA_API roma_op roma_aio_truncate(roma_file *file, uint64_t length, const roma_opts *opts, roma_done *done,
                                   void *arg);
ROMA_API int roma_truncate(roma_file *file, uint64_t length, const roma_opts *opts);

/* All writes that have completed are visible to every other client, with their length, when this completes. */
ROMA_API roma_op roma_aio_fsync(roma_file *file, const roma_opts *opts, roma_done *done, void *arg);
ROMA_API int roma_fsync(roma_file *file, const roma_opts *opts);

/* Attributes of the open file, also when its name is gone. Result: attr. The blocking form: attr may be NULL. */
ROMA_API roma_op roma_aio_fstat(roma_file *file, const roma_opts *opts, roma_done *done, void *arg);
ROMA_API int roma_fstat(roma_file *file, const roma_opts *opts, roma_attr *attr);

ROMA_API roma_store *roma_file_store(roma_file *file);

ROMA_END
#endif
