/* SPDX-License-Identifier: MIT */
/* Waiting for the end of an upload that a server works on in silence. */
#ifndef S3_PATIENCE_H
#define S3_PATIENCE_H

#include "s3compat/store.h"

struct s3_patience {
        struct ri_op *op;
        char *key, *id;
        struct ri_timer timer;
        struct s3_request *r; /* the question, while it is on its way */
        uint64_t began;       /* nanoseconds, of the loop's clock */
};

/* As long as the server answers questions about this upload, op does not stall. 0, or -1: no memory; to be ended in any case. */
int s3_patience_begin(struct s3_patience *p, struct ri_op *op, const char *key, const char *id);
/* One that never began may be ended, when it is all zeros. */
void s3_patience_end(struct s3_patience *p);

#endif
