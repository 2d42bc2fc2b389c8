/* SPDX-License-Identifier: MIT */
/* Links and forms with which somebody who has no keys may do one thing to one object until a time: on S3-like stores.
 * Nothing is sent to make one. */
#ifndef ROMA_PRESIGN_H
#define ROMA_PRESIGN_H

#include <roma/types.h>

ROMA_BEGIN

enum roma_presign_kind {
        ROMA_PRESIGN_GET = 0,
        ROMA_PRESIGN_PUT = 1,
        ROMA_PRESIGN_PART = 2, /* PUT of one part of a multipart upload: upload_id, part */
        ROMA_PRESIGN_FORM = 3, /* POST of a form from a browser: conditions below */
        ROMA_PRESIGN_DELETE = 4
};

enum roma_presign_flags {
        ROMA_PRESIGN_PREFIX = 1 /* form: any key that begins with this one; the form's field key says which */
};

/* expires_s: how long it lives, from now (default 3600; V4 signatures at most 604 800).
 * content_type: PUT, PART: the request must carry exactly this Content-Type (NULL: it may carry any, with V2 signatures
 *   none); GET: the answer will; form: what Content-Type must be, or begin with when it ends in a slash ("image/").
 * disposition: GET: Content-Disposition of the answer.
 * min_bytes, max_bytes: form: limits of the file's length; max_bytes 0: none. */
typedef struct roma_presign_opts {
        size_t size;
        uint32_t stall_ms;
        uint32_t deadline_ms;
        int kind; /* enum roma_presign_kind */
        unsigned flags;
        uint32_t expires_s;
        const char *content_type;
        const char *disposition;
        const char *upload_id;
        unsigned part;
        uint64_t min_bytes, max_bytes;
} roma_presign_opts;
#define ROMA_PRESIGN_OPTS_INIT                                                      \
        {                                                                           \
                sizeof(roma_presign_opts), 0, 0, 0, 0, 0, NULL, NULL, NULL, 0, 0, 0 \
        }

typedef struct roma_presigned_field {
        const char *name, *value;
} roma_presigned_field;

/* fields: of a form, in this order, before the field `file`; of a link, headers that the request must carry. */
typedef struct roma_presigned {
        const char *url;
        const char *method;
        const roma_presigned_field *field;
        size_t fields;
        int64_t expires_at; /* seconds since 1970 */
} roma_presigned;

/* Result: text, the URL; extra, a const roma_presigned *. The URL is a secret until it expires.
 * Errors: ROMA_ENOTSUP: not on this kind of store; ROMA_EINVAL; ROMA_EAUTH: the store was opened without keys. */
ROMA_API roma_op roma_aio_presign(roma_store *store, const char *key, const roma_presign_opts *opts,
                                  roma_done *done, void *arg);
/* The link is in roma_last(loop)->extra. */
ROMA_API int roma_presign(roma_store *store, const char *key, const roma_presign_opts *opts);

ROMA_END
#endif
