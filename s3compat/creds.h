/* SPDX-License-Identifier: MIT */
/* Keys: from roma.conf or files it names, from the environment, from ~/.aws. Reads files: for workers. */
#ifndef S3_CREDS_H
#define S3_CREDS_H

#include "core/config.h"
#include "s3compat/profile.h"

/* Owned; wiped when cleared. */
struct s3_creds {
        char *id, *secret, *token; /* NULL: none */
        char *region;              /* from ~/.aws/config; NULL: none */
        const char *where;         /* static: for error sentences */
};
void s3_creds_clear(struct s3_creds *c);
int s3_creds_copy(struct s3_creds *to, const struct s3_creds *from);

/* One file in the form of ~/.aws/credentials (or config, whose sections are called "profile NAME"). Fills what is still
 * NULL. 0, or -1 with a sentence that quotes nothing of the file. */
int s3_creds_parse(struct s3_creds *c, const char *text, size_t n, const char *profile, bool config,
                   struct ri_str *err);
/* What the environment and the files say. 0, with id NULL when there is nothing (err then says what
 * there is of keys, when that helps); -1 with a sentence. */
int s3_creds_find(struct s3_creds *c, enum s3_vendor vendor, const char *profile, struct ri_str *err);

#endif
