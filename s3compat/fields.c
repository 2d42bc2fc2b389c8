/* SPDX-License-Identifier: MIT */
#include "s3compat/fields.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

static void field_free(struct s3_field *f)
{
        free(f->name);
        if (f->value)
                ri_free_secret(f->value, strlen(f->value));
}

void s3_fields_clear(struct s3_fields *f)
{
        for (size_t i = 0; i < f->n; i++)
                field_free(&f->v[i]);
        free(f->v);
        memset(f, 0, sizeof(*f));
}

static int fail(struct s3_fields *f)
{
        f->failed = true;
        return -1;
}

static int grow(struct s3_fields *f)
{
        size_t cap = f->cap ? 2 * f->cap : 8;
        struct s3_field *v;

        if (f->n < f->cap)
                return 0;
        if (f->n >= S3_FIELDS_MAX)
                return -1;
        v = reallocarray(f->v, cap, sizeof(*v));
        if (!v)
                return -1;
        f->v = v;
        f->cap = cap;
        return 0;
}

int s3_fields_add(struct s3_fields *f, const char *name, const char *value)
{
        struct s3_field new = { 0 };

        if (f->failed || grow(f) < 0)
                return fail(f);
        new.name = strdup(name);
        new.value = value ? strdup(value) : NULL;
        if (!new.name || (value && !new.value)) {
                field_free(&new);
                return fail(f);
        }
        f->v[f->n++] = new;
        return 0;
}

int s3_fields_addf(struct s3_fields *f, const char *name, const char *fmt, ...)
{
        char *value = NULL;
        va_list ap;
        int r;

        va_start(ap, fmt);
        r = vasprintf(&value, fmt, ap);
        va_end(ap);
        if (r < 0)
                return fail(f);
        r = s3_fields_add(f, name, value);
        ri_free_secret(value, strlen(value));
        return r;
}

static struct s3_field *find(const struct s3_fields *f, const char *name)
{
        for (size_t i = 0; i < f->n; i++)
                if (strcasecmp(f->v[i].name, name) == 0)
                        return &f->v[i];
        return NULL;
}

int s3_fields_set(struct s3_fields *f, const char *name, const char *value)
{
        struct s3_field *old = find(f, name);
        char *copy;

        if (!old || f->failed)
                return s3_fields_add(f, name, value);
        copy = value ? strdup(value) : NULL;
        if (value && !copy)
                return fail(f);
        if (old->value)
                ri_free_secret(old->value, strlen(old->value));
        old->value = copy;
        return 0;
}

int s3_fields_copy(struct s3_fields *to, const struct s3_fields *from)
{
        if (from->failed)
                return fail(to);
        for (size_t i = 0; i < from->n; i++)
                s3_fields_add(to, from->v[i].name, from->v[i].value);
        return to->failed ? -1 : 0;
}

const char *s3_fields_get(const struct s3_fields *f, const char *name)
{
        const struct s3_field *found = find(f, name);

        if (!found)
                return NULL;
        return found->value ? found->value : "";
}

static int compare(const void *a, const void *b)
{
        const struct s3_field *x = a, *y = b;
        int r = strcmp(x->name, y->name);

        return r ? r : strcmp(x->value ? x->value : "", y->value ? y->value : "");
}

void s3_fields_sort(struct s3_fields *f)
{
        if (f->n)
                qsort(f->v, f->n, sizeof(f->v[0]), compare);
}

void s3_fields_lower(struct s3_fields *f)
{
        for (size_t i = 0; i < f->n; i++)
                for (char *p = f->v[i].name; *p; p++)
                        if (*p >= 'A' && *p <= 'Z')
                                *p = (char)(*p - 'A' + 'a');
}
