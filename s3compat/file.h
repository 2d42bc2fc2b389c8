/* SPDX-License-Identifier: MIT */
/* An object that is open for reading. */
#ifndef S3_FILE_H
#define S3_FILE_H

#include "s3compat/store.h"

struct s3_file {
        uint64_t length;
        char etag[80]; /* with quotes; "" when the server names none */
        char *body;    /* all its bytes, which came when it was opened; NULL: they are read by range */
};

/* open.c */
/* The bytes that came are not needed any more. */
void s3_body_drop(roma_file *file);

/* file.c */
/* Whether the bytes of an answer have the checksum that it tells. all: they are the whole object, of which `whole` is known. false: *e. */
bool s3_sum_holds(const struct s3_request *r, const struct iovec *iov, int n, bool all,
                  const struct ri_whole *whole, struct ri_error *e);

#endif
