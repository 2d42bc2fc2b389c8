/* SPDX-License-Identifier: MIT */
/* From a name to a store: joins what roma.conf says with what was asked for, see config.h. */
#include "core/config.h"
#include "core/value.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static int no_memory(struct ri_str *err)
{
        ri_str_fail(err, "no memory for the configuration of a store");
        errno = ENOMEM;
        return -1;
}

/* After ri_uri_set_option() */
static int no_room(struct ri_str *err)
{
        if (errno != E2BIG)
                return no_memory(err);
        ri_str_fail(err, "more than %d options for one store", RI_URI_MAX_OPTIONS);
        errno = E2BIG;
        return -1;
}

static int unknown_name(const struct ri_config *c, const char *name, struct ri_str *err)
{
        const char **names = NULL;
        const char *near;

        errno = EINVAL;
        if (!err)
                return -1;
        ri_str_fail(err, "no store '%s' in ", name);
        if (!c || !c->file) {
                ri_str_printf(err,
                              "roma.conf: none was found (a URI is written %s://..., a local path ./%s:...)",
                              name, name);
                return -1;
        }
        ri_str_quoted(err, c->file, strlen(c->file), 1000);
        names = calloc(c->sections + 1, sizeof(*names));
        for (size_t i = 0; names && i < c->sections; i++)
                names[i] = c->section[i].name;
        near = names ? ri_value_nearest(name, names) : NULL;
        if (near)
                ri_str_printf(err, " (did you mean '%s'?)", near);
        else
                ri_str_printf(err, " (a URI is written %s://..., a local path ./%s:...)", name, name);
        free(names);
        errno = EINVAL;
        return -1;
}

static void place(const struct ri_config *c, unsigned line, struct ri_str *err)
{
        ri_str_reset(err);
        ri_str_quoted(err, c->file, strlen(c->file), 1000);
        ri_str_printf(err, ":%u: ", line);
}

static int parse_base(const struct ri_config *c, const struct ri_config_section *s, struct ri_uri *out,
                      struct ri_str *err)
{
        const struct ri_config_key *k = ri_config_key(s, "uri");
        struct ri_str why = RI_STR_INIT(RI_STR_MAX_ERROR);
        int saved;

        errno = EINVAL;
        if (!k) {
                if (err) {
                        place(c, s->line, err);
                        ri_str_printf(err, "the section [%s] has no key uri", s->name);
                }
                return -1;
        }
        if (ri_uri_parse(k->value, out, &why) == 0 && out->kind == RI_URI_STORE) {
                ri_str_free(&why);
                return 0;
        }
        saved = errno;
        if (err) {
                place(c, k->line, err);
                if (out->path)
                        ri_str_puts(err, "expected a URI with a scheme, such as mfs://host/path");
                else
                        ri_str_append(err, why.p, why.len);
        }
        ri_uri_clear(out);
        ri_str_free(&why);
        errno = saved;
        return -1;
}

/* Base path, one slash, path. Nothing else is normalised. */
static int join_path(struct ri_uri *u, const char *more)
{
        struct ri_str path = RI_STR_INIT(3 * RI_URI_MAX);
        size_t n = strlen(u->path);
        char *joined;

        if (*more == '\0')
                return 0;
        ri_str_append(&path, u->path, n && u->path[n - 1] == '/' ? n - 1 : n);
        if (*more != '/')
                ri_str_putc(&path, '/');
        ri_str_puts(&path, more);
        joined = ri_str_take(&path, NULL);
        if (!joined)
                return -1;
        free(u->path);
        u->path = joined;
        return 0;
}

static bool is_file_key(const char *name)
{
        size_t n = strlen(name);

        return n > 5 && strcmp(name + n - 5, "_file") == 0;
}

static int set_from_key(const struct ri_config *c, const struct ri_config_key *k, struct ri_uri *u)
{
        struct ri_str path = RI_STR_INIT(2 * RI_CONFIG_MAX_LINE);
        const char *slash = strrchr(c->file, '/');
        int r;

        if (!is_file_key(k->name) || k->value[0] == '/' || !slash)
                return ri_uri_set_option(u, k->name, k->value);
        ri_str_append(&path, c->file, (size_t)(slash - c->file) + 1);
        ri_str_puts(&path, k->value);
        errno = ENOMEM;
        r = path.failed ? -1 : ri_uri_set_option(u, k->name, ri_str_cstr(&path));
        ri_str_free(&path);
        return r;
}

/* Secrets do not pass the check of options that each store makes, so a slip in their names is found here. */
static int check_secret(const struct ri_config *c, const struct ri_config_key *k, struct ri_str *err)
{
        static const char *const known[] = { "password", "secret_key", "session_token", NULL };
        const char *near = ri_value_nearest(k->name, known);

        for (size_t i = 0; known[i]; i++)
                if (strcmp(k->name, known[i]) == 0)
                        return 0;
        errno = EINVAL;
        if (!err)
                return -1;
        place(c, k->line, err);
        ri_str_printf(err, "unknown key '%s'", k->name);
        if (near)
                ri_str_printf(err, " (did you mean '%s'?)", near);
        return -1;
}

static int add_keys(const struct ri_config *c, const struct ri_config_section *s, struct ri_uri *u,
                    struct ri_str *err)
{
        for (size_t i = 0; i < s->keys; i++) {
                const struct ri_config_key *k = &s->key[i];

                if (strcmp(k->name, "uri") == 0)
                        continue;
                if (ri_value_is_secret(k->name, strlen(k->name))) {
                        if (check_secret(c, k, err) < 0)
                                return -1;
                        continue;
                }
                if (ri_uri_opt(u, k->name)) {
                        if (err) {
                                place(c, k->line, err);
                                ri_str_printf(err, "%s is also an option of the section's uri", k->name);
                        }
                        errno = EINVAL;
                        return -1;
                }
                if (set_from_key(c, k, u) < 0)
                        return no_room(err);
        }
        return 0;
}

int ri_config_resolve(const struct ri_config *c, const struct ri_uri *named, struct ri_uri *out,
                      struct ri_str *err)
{
        const struct ri_config_section *s = c ? ri_config_find(c, named->name) : NULL;
        char *name;
        int saved;

        memset(out, 0, sizeof(*out));
        if (!s)
                return unknown_name(c, named->name, err);
        if (parse_base(c, s, out, err) < 0)
                return -1;
        if (add_keys(c, s, out, err) < 0)
                goto fail;
        name = strdup(named->name);
        if (!name)
                goto no_memory;
        free(out->name);
        out->name = name;
        if (join_path(out, named->path) < 0)
                goto no_memory;
        for (size_t i = 0; i < named->options; i++)
                if (ri_uri_set_option(out, named->option[i].name, named->option[i].value) < 0) {
                        no_room(err);
                        goto fail;
                }
        return 0;
no_memory:
        no_memory(err);
fail:
        saved = errno;
        ri_uri_clear(out);
        errno = saved;
        return -1;
}

int ri_secret_get(const struct ri_uri *u, const struct ri_config *c, const char *what, struct ri_str *out,
                  struct ri_str *err)
{
        struct ri_str option = RI_STR_INIT(200);
        const char *path, *value = NULL;

        if (ri_str_printf(&option, "%s_file", what) < 0)
                return no_memory(err);
        path = ri_uri_opt(u, ri_str_cstr(&option));
        ri_str_free(&option);
        if (path)
                return ri_secret_file_read(path, out, err) < 0 ? -1 : 1;
        if (c && u->name[0])
                value = ri_config_get(c, u->name, what);
        if (!value)
                return 0;
        ri_str_wipe(out);
        return ri_str_puts(out, value) < 0 ? no_memory(err) : 1;
}
