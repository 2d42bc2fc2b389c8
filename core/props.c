/* SPDX-License-Identifier: MIT */
#include "core/props.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

enum { MAX_NAME = 128, MAX_VALUE = 8192 };

static char *put(char **to, const char *text)
{
        char *at = *to;
        size_t n = strlen(text) + 1;

        memcpy(at, text, n);
        *to += n;
        return at;
}

struct ri_props *ri_props_copy(const roma_prop *v, size_t n)
{
        size_t text = 0;
        struct ri_props *p;
        char *to;

        for (size_t i = 0; i < n; i++)
                text += strlen(v[i].name) + strlen(v[i].value) + 2;
        p = malloc(sizeof(*p) + n * sizeof(*v) + text);
        if (!p)
                return NULL;
        p->n = n;
        to = (char *)&p->v[n];
        for (size_t i = 0; i < n; i++) {
                p->v[i].kind = v[i].kind;
                p->v[i].name = put(&to, v[i].name);
                p->v[i].value = put(&to, v[i].value);
        }
        return p;
}

static bool is_among(const struct ri_props *p, const roma_prop *one)
{
        for (size_t i = 0; i < p->n; i++)
                if (p->v[i].kind == one->kind && strcasecmp(p->v[i].name, one->name) == 0)
                        return true;
        return false;
}

static bool is_carried(const roma_prop *p, bool timed)
{
        static const char *const headers[] = { "content-type",     "cache-control",    "content-disposition",
                                               "content-encoding", "content-language", "expires" };

        if (p->kind == ROMA_PROP_META)
                return !(timed && strcasecmp(p->name, "mtime") == 0);
        for (size_t i = 0; i < sizeof(headers) / sizeof(headers[0]); i++)
                if (strcasecmp(p->name, headers[i]) == 0)
                        return true;
        return false;
}

static bool is_type(const roma_prop *p)
{
        return p->kind == ROMA_PROP_HEADER && strcasecmp(p->name, "content-type") == 0;
}

struct ri_props *ri_props_for_copy(const roma_prop *v, size_t n, const struct ri_props *asked, bool timed,
                                   bool bare)
{
        roma_prop *all = calloc(n + asked->n + 1, sizeof(*all));
        struct ri_props *p;
        size_t m = 0;

        if (!all)
                return NULL;
        for (size_t i = 0; i < n; i++)
                if ((bare ? is_type(&v[i]) : is_carried(&v[i], timed)) && !is_among(asked, &v[i]))
                        all[m++] = v[i];
        for (size_t i = 0; i < asked->n; i++)
                all[m++] = asked->v[i];
        p = ri_props_copy(all, m);
        free(all);
        return p;
}

/* A token of RFC 9110. */
static bool is_name(const char *name)
{
        static const char letters[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
                                      "!#$%&'*+-.^_`|~";

        return *name && !name[strspn(name, letters)];
}

static const char *value_fault(const char *value)
{
        size_t n = strlen(value);

        if (!n)
                return "has no value";
        if (n > MAX_VALUE)
                return "has more than 8192 bytes";
        if (value[0] == ' ' || value[n - 1] == ' ')
                return "begins or ends with a blank, which would be lost";
        for (size_t i = 0; i < n; i++)
                if (value[i] < ' ' || value[i] > '~')
                        return "holds bytes that are no visible ASCII; encode them, for instance as %XX";
        return NULL;
}

static const char *prop_fault(const roma_prop *v, size_t i)
{
        if (v[i].kind != ROMA_PROP_HEADER && v[i].kind != ROMA_PROP_META)
                return "is neither header nor metadata";
        if (strlen(v[i].name) > MAX_NAME || !is_name(v[i].name))
                return "is no name of a header (1 to 128 letters, digits, - . _ and a few others)";
        for (size_t k = 0; k < i; k++)
                if (v[k].kind == v[i].kind && strcasecmp(v[k].name, v[i].name) == 0)
                        return "is given twice";
        return value_fault(v[i].value);
}

int ri_props_check(roma_store *store, const char *name, const char *key, const roma_prop *v, size_t n)
{
        const char *fault = NULL;
        size_t i;

        if (!n)
                return 0;
        if (!(store->be->caps & ROMA_CAP_PROPS)) {
                ri_loop_error(store->loop, ROMA_ENOTSUP,
                              "%s %s: a %s store keeps no headers and no metadata with an object", name, key,
                              store->be->name);
                return -1;
        }
        if (n > ROMA_MAX_PROPS) {
                ri_loop_error(store->loop, ROMA_EINVAL,
                              "%s %s: an object takes at most %d headers and metadata, not %zu", name, key,
                              ROMA_MAX_PROPS, n);
                return -1;
        }
        for (i = 0; !fault && i < n; i++)
                fault = prop_fault(v, i);
        if (!fault)
                return 0;
        ri_loop_error(store->loop, ROMA_EINVAL, "%s %s: the %s \"%.128s\" %s", name, key,
                      v[i - 1].kind == ROMA_PROP_META ? "metadata" : "header", v[i - 1].name, fault);
        return -1;
}
