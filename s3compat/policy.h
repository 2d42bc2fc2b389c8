/* SPDX-License-Identifier: MIT */
/* The document of a form: what may be posted with it. Text only, no sockets. */
#ifndef S3_POLICY_H
#define S3_POLICY_H

#include <roma/presign.h>

#include "s3compat/fields.h"
#include "s3compat/sign/sign.h"

/* key: whole. form: the signer's own fields, which V4 wants named too. expires_at: seconds since 1970. */
int s3_policy_write(struct ri_str *out, const struct s3_sign *s, const roma_presign_opts *o,
                    const struct s3_fields *form, int64_t expires_at);

#endif
