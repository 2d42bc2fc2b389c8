/* SPDX-License-Identifier: MIT */
/* Parser of URIs, named stores and local paths, see uri.h; writing them back is in uri_format.c, reading the options in
 * uri_opt.c. */
#include "core/uri.h"
#include "core/value.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define SHOWN 200 /* bytes of the user's text in an error */

#define BAD_NAME                                                                                             \
        "what stands before the colon is no name of a store (at most 64 letters, digits, '_', '-', '.'); a " \
        "local "                                                                                             \
        "path with a colon is written ./..."

struct parse {
        const char *text;
        const char *query; /* the first '?', or the end: what error texts do not show, it may hold a secret */
        struct ri_uri *u;
        struct ri_str *err;
};

/* Begins the sentence: 'mfs://host/pa' followed by ": ". */
static void blame(struct parse *p)
{
        if (!p->err)
                return;
        ri_str_reset(p->err);
        ri_str_putc(p->err, '\'');
        ri_str_quoted(p->err, p->text, (size_t)(p->query - p->text), SHOWN);
        if (*p->query)
                ri_str_puts(p->err, "?...");
        ri_str_puts(p->err, "': ");
}

static int refuse(struct parse *p, const char *sentence)
{
        blame(p);
        if (p->err)
                ri_str_puts(p->err, sentence);
        errno = EINVAL;
        return -1;
}

static int refuse_at(struct parse *p, const char *at, const char *sentence)
{
        blame(p);
        if (p->err)
                ri_str_printf(p->err, "%s at position %zu", sentence, (size_t)(at - p->text) + 1);
        errno = EINVAL;
        return -1;
}

static int no_memory(struct ri_str *err)
{
        ri_str_fail(err, "no memory for a URI");
        errno = ENOMEM;
        return -1;
}

static bool is_alnum(char c)
{
        return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
}

bool ri_uri_is_name(const char *p, size_t n)
{
        if (n == 0 || n > RI_URI_MAX_NAME || !is_alnum(p[0]))
                return false;
        for (size_t i = 1; i < n; i++)
                if (!is_alnum(p[i]) && p[i] != '_' && p[i] != '-' && p[i] != '.')
                        return false;
        return true;
}

static int hex(char c)
{
        if (c >= '0' && c <= '9')
                return c - '0';
        c |= 0x20;
        return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static int decode(struct parse *p, const char *from, const char *to, char **out)
{
        char *w = malloc((size_t)(to - from) + 1);

        if (!w)
                return no_memory(p->err);
        *out = w;
        while (from < to) {
                int hi, lo;

                if (*from != '%') {
                        *w++ = *from++;
                        continue;
                }
                hi = to - from >= 3 ? hex(from[1]) : -1;
                lo = to - from >= 3 ? hex(from[2]) : -1;
                if (hi < 0 || lo < 0)
                        return refuse_at(
                                p, from,
                                "two hexadecimal digits must follow the % (a percent sign in a name is "
                                "written %25)");
                if (hi == 0 && lo == 0)
                        return refuse_at(p, from, "no name can contain the zero byte %00");
                *w++ = (char)(hi << 4 | lo);
                from += 3;
        }
        *w = '\0';
        return 0;
}

/* Before anything else is looked at: no other error text may quote what stands there. */
static int refuse_userinfo(struct parse *p, const char *from, const char *to)
{
        const char *at = memrchr(from, '@', (size_t)(to - from));

        if (!at || !memchr(from, ':', (size_t)(at - from)))
                return 0;
        ri_str_fail(
                p->err,
                "a URI must not contain a password (user:password@...): command lines are seen by everybody; "
                "use the option password_file or a store in roma.conf");
        errno = EINVAL;
        return -1;
}

static int refuse_secret(struct parse *p, const char *name, size_t n)
{
        blame(p);
        if (p->err)
                ri_str_printf(p->err,
                              "the option %.*s holds a secret, and command lines are seen by everybody: use "
                              "%.*s_file "
                              "or a store in roma.conf",
                              (int)n, name, (int)n, name);
        errno = EINVAL;
        return -1;
}

/* A proxy's, for instance; the name of the setting does not say so. */
static int refuse_password(struct parse *p, const char *name)
{
        blame(p);
        if (p->err)
                ri_str_printf(
                        p->err,
                        "the option %s holds a password (user:password@...), and command lines are seen by "
                        "everybody: use a store in roma.conf",
                        name);
        errno = EINVAL;
        return -1;
}

static int add_option(struct parse *p, const char *from, const char *to)
{
        const char *eq = memchr(from, '=', (size_t)(to - from));
        size_t n = (size_t)((eq ? eq : to) - from);
        struct ri_uri *u = p->u;
        struct ri_uri_option *o = &u->option[u->options];

        if (!ri_uri_is_name(from, n))
                return refuse_at(p, from,
                                 "expected an option (name=value; a question mark in a name is written %3F)");
        if (ri_value_is_secret(from, n))
                return refuse_secret(p, from, n);
        if (!eq)
                return refuse_at(
                        p, to,
                        "expected '=' and a value for the option (a question mark in a name is written %3F)");
        for (size_t i = 0; i < u->options; i++)
                if (strlen(u->option[i].name) == n && memcmp(u->option[i].name, from, n) == 0) {
                        blame(p);
                        if (p->err)
                                ri_str_printf(p->err, "the option %.*s is given twice", (int)n, from);
                        errno = EINVAL;
                        return -1;
                }
        if (u->options == RI_URI_MAX_OPTIONS)
                return refuse_at(p, from, "too many options");
        u->options++;
        o->name = ri_memdup0(from, n);
        if (!o->name)
                return no_memory(p->err);
        if (decode(p, eq + 1, to, &o->value) < 0)
                return -1;
        return ri_value_has_password(o->value) ? refuse_password(p, o->name) : 0;
}

static int parse_query(struct parse *p)
{
        const char *from = p->query;

        if (*from == '\0')
                return 0;
        p->u->option = calloc(RI_URI_MAX_OPTIONS, sizeof(*p->u->option));
        if (!p->u->option)
                return no_memory(p->err);
        do {
                const char *to = strchrnul(++from, '&');

                if (add_option(p, from, to) < 0)
                        return -1;
                from = to;
        } while (*from);
        return 0;
}

/* RFC 3986 section 3.1 */
static bool is_scheme(const char *p, size_t n)
{
        if (n == 0 || !is_alnum(p[0]) || (p[0] >= '0' && p[0] <= '9'))
                return false;
        for (size_t i = 1; i < n; i++)
                if (!is_alnum(p[i]) && p[i] != '+' && p[i] != '-' && p[i] != '.')
                        return false;
        return true;
}

static int parse_store(struct parse *p, const char *colon)
{
        struct ri_uri *u = p->u;
        const char *from = colon + 3;
        const char *to = from + strcspn(from, "/?");

        u->kind = RI_URI_STORE;
        if (refuse_userinfo(p, from, to) < 0)
                return -1;
        if (!is_scheme(p->text, (size_t)(colon - p->text)))
                return refuse(p,
                              "what stands before :// is no scheme (such as file, mfs, cephfs, rados, s3)");
        u->scheme = ri_memdup0(p->text, (size_t)(colon - p->text));
        if (!u->scheme)
                return no_memory(p->err);
        for (char *c = u->scheme; *c; c++)
                if (*c >= 'A' && *c <= 'Z')
                        *c |= 0x20;
        if (decode(p, from, to, &u->authority) < 0 || decode(p, to, p->query, &u->path) < 0)
                return -1;
        return parse_query(p);
}

static int parse_named(struct parse *p, const char *colon)
{
        struct ri_uri *u = p->u;

        u->kind = RI_URI_NAMED;
        if (!ri_uri_is_name(p->text, (size_t)(colon - p->text)))
                return refuse(p, BAD_NAME);
        u->name = ri_memdup0(p->text, (size_t)(colon - p->text));
        if (!u->name)
                return no_memory(p->err);
        if (decode(p, colon + 1, p->query, &u->path) < 0)
                return -1;
        return parse_query(p);
}

static int parse_local(struct parse *p, size_t n)
{
        p->u->kind = strcmp(p->text, "-") == 0 ? RI_URI_STDIO : RI_URI_LOCAL;
        p->u->path = ri_memdup0(p->text, n);
        return p->u->path ? 0 : no_memory(p->err);
}

static int parse_any(struct parse *p, size_t n)
{
        const char *colon = p->text + strcspn(p->text, ":/");

        if (*colon != ':')
                return parse_local(p, n);
        p->query = strchrnul(p->text, '?');
        if (colon > p->query)
                return refuse(p, BAD_NAME);
        if (colon[1] == '/' && colon[2] == '/')
                return parse_store(p, colon);
        return parse_named(p, colon);
}

static int fill_empty(struct ri_uri *u, struct ri_str *err)
{
        char **field[] = { &u->scheme, &u->name, &u->authority, &u->path };

        for (size_t i = 0; i < sizeof(field) / sizeof(field[0]); i++) {
                if (!*field[i])
                        *field[i] = ri_memdup0(NULL, 0);
                if (!*field[i])
                        return no_memory(err);
        }
        return 0;
}

int ri_uri_parse(const char *text, struct ri_uri *out, struct ri_str *err)
{
        size_t n = strnlen(text, RI_URI_MAX + 1);
        struct parse p = { .text = text, .query = text + n, .u = out, .err = err };
        int saved;

        memset(out, 0, sizeof(*out));
        errno = EINVAL;
        if (n == 0)
                return ri_str_fail(err, "expected a URI or a path and got an empty text");
        if (n > RI_URI_MAX)
                return ri_str_fail(err, "the URI is longer than %zu bytes", RI_URI_MAX);
        if (parse_any(&p, n) == 0 && fill_empty(out, err) == 0)
                return 0;
        saved = errno;
        ri_uri_clear(out);
        errno = saved;
        return -1;
}

void ri_uri_clear(struct ri_uri *u)
{
        for (size_t i = 0; i < u->options; i++) {
                free(u->option[i].name);
                free(u->option[i].value);
        }
        free(u->option);
        free(u->scheme);
        free(u->name);
        free(u->authority);
        free(u->path);
        memset(u, 0, sizeof(*u));
}
