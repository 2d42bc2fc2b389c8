/* SPDX-License-Identifier: MIT */
/* Ordered lists of names and values: headers, query parameters, form fields, metadata. Owned copies. A failed append
 * sticks, so that a chain of them is checked once. Values may be secrets, so memory is overwritten before it goes. */
#ifndef S3_FIELDS_H
#define S3_FIELDS_H

#include <stdbool.h>
#include <stddef.h>

#include "core/str.h"

#define S3_FIELDS_MAX 256

struct s3_field {
        char *name;
        char *value; /* NULL: a query parameter without '=' in dialects that tell the two apart */
};

/* Zeroed is empty. */
struct s3_fields {
        struct s3_field *v;
        size_t n, cap;
        bool failed; /* no memory, or more than S3_FIELDS_MAX */
};

void s3_fields_clear(struct s3_fields *f);
/* value may be NULL. 0, or -1 when the list has failed. */
int s3_fields_add(struct s3_fields *f, const char *name, const char *value);
int s3_fields_addf(struct s3_fields *f, const char *name, const char *fmt, ...)
        __attribute__((format(printf, 3, 4)));
/* Adds, or replaces the first of this name. */
int s3_fields_set(struct s3_fields *f, const char *name, const char *value);
int s3_fields_copy(struct s3_fields *to, const struct s3_fields *from);
/* By name in any case. NULL: not there; "" for one without a value. */
const char *s3_fields_get(const struct s3_fields *f, const char *name);
/* By name and value, as bytes. */
void s3_fields_sort(struct s3_fields *f);
/* Names to lower case. */
void s3_fields_lower(struct s3_fields *f);

#endif
