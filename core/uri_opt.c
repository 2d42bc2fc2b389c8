/* SPDX-License-Identifier: MIT */
/* The options of a URI, and copies of one; see uri.h. */
#include "core/uri.h"
#include "core/value.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SHOWN 80 /* bytes of a value in an error */

static struct ri_uri_option *find(const struct ri_uri *u, const char *name)
{
        for (size_t i = 0; i < u->options; i++)
                if (strcmp(u->option[i].name, name) == 0)
                        return &u->option[i];
        return NULL;
}

const char *ri_uri_opt(const struct ri_uri *u, const char *name)
{
        const struct ri_uri_option *o = find(u, name);

        return o ? o->value : NULL;
}

int ri_uri_set_option(struct ri_uri *u, const char *name, const char *value)
{
        struct ri_uri_option *o = find(u, name);
        char *v = strdup(value);

        if (!v)
                return -1;
        if (o) {
                free(o->value);
                o->value = v;
                return 0;
        }
        if (!u->option)
                u->option = calloc(RI_URI_MAX_OPTIONS, sizeof(*u->option));
        if (u->options == RI_URI_MAX_OPTIONS) {
                errno = E2BIG;
        } else if (u->option) {
                o = &u->option[u->options];
                o->name = strdup(name);
        }
        if (!o || !o->name) {
                free(v);
                return -1;
        }
        o->value = v;
        u->options++;
        return 0;
}

int ri_uri_copy(const struct ri_uri *from, struct ri_uri *to)
{
        memset(to, 0, sizeof(*to));
        to->kind = from->kind;
        to->scheme = strdup(from->scheme);
        to->name = strdup(from->name);
        to->authority = strdup(from->authority);
        to->path = strdup(from->path);
        if (!to->scheme || !to->name || !to->authority || !to->path)
                goto fail;
        for (size_t i = 0; i < from->options; i++)
                if (ri_uri_set_option(to, from->option[i].name, from->option[i].value) < 0)
                        goto fail;
        return 0;
fail:
        ri_uri_clear(to);
        errno = ENOMEM;
        return -1;
}

bool ri_uri_equal(const struct ri_uri *a, const struct ri_uri *b)
{
        if (a->kind != b->kind || a->options != b->options || strcmp(a->scheme, b->scheme) != 0 ||
            strcmp(a->name, b->name) != 0 || strcmp(a->authority, b->authority) != 0 ||
            strcmp(a->path, b->path) != 0)
                return false;
        for (size_t i = 0; i < a->options; i++)
                if (strcmp(a->option[i].name, b->option[i].name) != 0 ||
                    strcmp(a->option[i].value, b->option[i].value) != 0)
                        return false;
        return true;
}

static int misread(const struct ri_uri_option *o, const char *expected, struct ri_str *err)
{
        errno = EINVAL;
        if (!err)
                return -1;
        ri_str_fail(err, "option '%s': '", o->name);
        ri_str_quoted(err, o->value, strlen(o->value), SHOWN);
        ri_str_printf(err, "' is not understood, expected %s", expected);
        return -1;
}

int ri_uri_opt_duration(const struct ri_uri *u, const char *name, uint64_t *ms, struct ri_str *err)
{
        const struct ri_uri_option *o = find(u, name);

        if (!o)
                return 0;
        return ri_value_duration(o->value, ms) == 0 ? 1 : misread(o, RI_VALUE_DURATION_FORM, err);
}

int ri_uri_opt_size(const struct ri_uri *u, const char *name, uint64_t *bytes, struct ri_str *err)
{
        const struct ri_uri_option *o = find(u, name);

        if (!o)
                return 0;
        return ri_value_size(o->value, bytes) == 0 ? 1 : misread(o, RI_VALUE_SIZE_FORM, err);
}

int ri_uri_opt_bool(const struct ri_uri *u, const char *name, bool *b, struct ri_str *err)
{
        const struct ri_uri_option *o = find(u, name);

        if (!o)
                return 0;
        return ri_value_bool(o->value, b) == 0 ? 1 : misread(o, RI_VALUE_BOOL_FORM, err);
}

int ri_uri_opt_u64(const struct ri_uri *u, const char *name, uint64_t min, uint64_t max, uint64_t *v,
                   struct ri_str *err)
{
        const struct ri_uri_option *o = find(u, name);
        char expected[80];
        uint64_t n;

        if (!o)
                return 0;
        if (ri_value_u64(o->value, &n) == 0 && n >= min && n <= max) {
                *v = n;
                return 1;
        }
        snprintf(expected, sizeof(expected), "a number from %llu to %llu", (unsigned long long)min,
                 (unsigned long long)max);
        return misread(o, expected, err);
}

int ri_uri_opt_choice(const struct ri_uri *u, const char *name, const char *const *choices, size_t *v,
                      struct ri_str *err)
{
        const struct ri_uri_option *o = find(u, name);
        struct ri_str expected = RI_STR_INIT(500);

        if (!o)
                return 0;
        for (size_t i = 0; choices[i]; i++) {
                if (strcmp(o->value, choices[i]) == 0) {
                        ri_str_free(&expected);
                        *v = i;
                        return 1;
                }
                ri_str_printf(&expected, "%s%s", i ? (choices[i + 1] ? ", " : " or ") : "", choices[i]);
        }
        misread(o, ri_str_cstr(&expected), err);
        ri_str_free(&expected);
        return -1;
}

static void name_known(struct ri_str *err, const char *const *known)
{
        ri_str_puts(err, "'; there are ");
        for (size_t k = 0; known[k]; k++)
                ri_str_printf(err, "%s%s", k == 0 ? "" : known[k + 1] ? ", " : " and ", known[k]);
}

int ri_uri_check_opts(const struct ri_uri *u, const char *const *known, struct ri_str *err)
{
        for (size_t i = 0; i < u->options; i++) {
                const char *name = u->option[i].name, *near;
                size_t k = 0;

                while (known[k] && strcmp(known[k], name) != 0)
                        k++;
                if (known[k])
                        continue;
                ri_str_fail(err, "unknown option '");
                if (err)
                        ri_str_quoted(err, name, strlen(name), SHOWN);
                near = ri_value_nearest(name, known);
                if (err && near)
                        ri_str_printf(err, "' (did you mean '%s'?)", near);
                else if (err)
                        name_known(err, known);
                errno = EINVAL;
                return -1;
        }
        return 0;
}
