/* SPDX-License-Identifier: MIT */
/* The handles and the small types that all headers share.
 *
 * Rules that hold everywhere:
 * - Strings are NUL-terminated bytes. A key is a name below the store's own place; it need not be UTF-8.
 * - A struct that the caller fills starts with `size_t size`, set by its ..._INIT macro. NULL in place of an
 *   options struct means all defaults.
 * - A call that may wait exists twice. roma_aio_X(..., done, arg) starts an operation and returns its id, or 0
 *   when it did not start: then roma_error(loop) says why and the callback is never called. Otherwise the
 *   callback is called exactly once, always after the start has returned, on the loop's thread. roma_X(...) is
 *   the blocking twin: it drives a loop that libroma owns, outside of callbacks, until the operation ends;
 *   elsewhere it fails at once with ROMA_EWRONGCONTEXT. It returns 0, a handle or a number of bytes; after -1 or NULL
 *   roma_error(loop) and roma_last(loop) say why.
 * - Memory passed to an operation belongs to the library until the callback and must not change; keys and
 *   options are copied and may go when the start returns. */
#ifndef ROMA_TYPES_H
#define ROMA_TYPES_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>
#include <sys/uio.h>

#if defined(__GNUC__)
#define ROMA_API        __attribute__((visibility("default")))
#define ROMA_MUST_CHECK __attribute__((warn_unused_result))
#else
#define ROMA_API
#define ROMA_MUST_CHECK
#endif

#ifdef __cplusplus
#define ROMA_BEGIN extern "C" {
#define ROMA_END   }
#else
#define ROMA_BEGIN
#define ROMA_END
#endif

ROMA_BEGIN

typedef struct roma_loop roma_loop;   /* an event loop */
typedef struct roma_store roma_store; /* a connected place */
typedef struct roma_file roma_file;   /* an open object, read and written at offsets */
typedef struct roma_writer
        roma_writer; /* the making of one object: written in order, then committed or aborted */
typedef struct roma_reader roma_reader; /* a stream of one object's bytes, pulled */
typedef struct roma_buf roma_buf;       /* a counted slice of the loop's buffer memory */

/* One operation in flight. Never used twice by one loop; 0 is no operation. */
typedef uint64_t roma_op;

struct roma_result;
/* The end of an operation. r and all it points to live until the callback returns (handles excepted). */
typedef void roma_done(void *arg, const struct roma_result *r);

/* What every options struct starts with. Times in milliseconds; 0 means the default.
 * stall_ms: longest time without any progress (default 60 000; a MooseFS store takes at least 35 000, since its
 *   master parks requests for 30 s). ROMA_NEVER switches it off. Bytes of the same transfer or open file are progress,
 *   up to ten stall times long; a pipe as source is waited for unless a time is given here or in the URI.
 * deadline_ms: longest time for the whole operation (default: none for transfers, 90 000 for single requests). */
typedef struct roma_opts {
        size_t size;
        uint32_t stall_ms;
        uint32_t deadline_ms;
} roma_opts;
#define ROMA_OPTS_INIT                  \
        {                               \
                sizeof(roma_opts), 0, 0 \
        }
#define ROMA_NEVER UINT32_MAX

enum roma_type {
        ROMA_TYPE_UNKNOWN = 0,
        ROMA_TYPE_FILE,
        ROMA_TYPE_DIR,
        ROMA_TYPE_SYMLINK,
        ROMA_TYPE_FIFO,
        ROMA_TYPE_BLOCKDEV,
        ROMA_TYPE_CHARDEV,
        ROMA_TYPE_SOCKET
};

/* Which members of a roma_attr are set. */
enum roma_attr_mask {
        ROMA_ATTR_TYPE = 1,
        ROMA_ATTR_MODE = 2,
        ROMA_ATTR_UID = 4,
        ROMA_ATTR_GID = 8,
        ROMA_ATTR_LENGTH = 16,
        ROMA_ATTR_ATIME = 32,
        ROMA_ATTR_MTIME = 64,
        ROMA_ATTR_CTIME = 128,
        ROMA_ATTR_NLINK = 256,
        ROMA_ATTR_INODE = 512,
        ROMA_ATTR_ETAG = 1024,
        ROMA_ATTR_BLOCKS = 2048
};

/* Attributes of an object. In a result `mask` says what the store knew; in setattr what to change (mode, uid,
 * gid, atime, mtime only). */
typedef struct roma_attr {
        size_t size;
        uint32_t mask;
        uint32_t type; /* enum roma_type */
        uint32_t mode; /* permission bits, 07777 */
        uint32_t uid, gid;
        uint32_t nlink;
        uint64_t length; /* bytes; of a directory: without meaning */
        uint64_t inode;
        uint64_t blocks; /* bytes of storage taken, where known */
        int64_t atime_ns, mtime_ns,
                ctime_ns; /* nanoseconds since 1970; stores round down to what they keep, and what lies
                           * outside becomes its end: MooseFS and CephFS have 1970 to 2106 */
        char etag[72];    /* changes when the content changes; NUL-terminated */
} roma_attr;
#define ROMA_ATTR_INIT                                                 \
        {                                                              \
                sizeof(roma_attr), 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, \
                {                                                      \
                        0                                              \
                }                                                      \
        }

/* What a store keeps with an object besides its bytes and attributes, where it has ROMA_CAP_PROPS (S3 and its relatives).
 * Names are ASCII, in any case; a store may give them back in lower case. Values are visible ASCII and blanks, not at
 * their ends. */
enum roma_prop_kind {
        ROMA_PROP_HEADER = 0, /* a header of HTTP, such as Content-Type, Cache-Control, x-amz-storage-class */
        ROMA_PROP_META =
                1 /* metadata of the user's own: the name without the prefix that servers want before it */
};
typedef struct roma_prop {
        int kind; /* enum roma_prop_kind */
        const char *name;
        const char *value;
} roma_prop;
#define ROMA_MAX_PROPS 100

ROMA_END
#endif
