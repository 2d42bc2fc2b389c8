/* SPDX-License-Identifier: MIT */
/* An argument of the command line becomes a store and a key in it. The store is opened at its root ("mfs://host/"),
 * so that arguments on the same server share one session; what follows is the key. Local names belong to the store
 * file:///. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tools/tool.h"

static int hex(char c)
{
        if (c >= '0' && c <= '9')
                return c - '0';
        if (c >= 'a' && c <= 'f')
                return c - 'a' + 10;
        if (c >= 'A' && c <= 'F')
                return c - 'A' + 10;
        return -1;
}

/* In place. false: %00, or a percent sign that is not followed by two hexadecimal digits. */
static bool decode(char *s)
{
        char *to = s;

        for (; *s; s++) {
                if (*s != '%') {
                        *to++ = *s;
                        continue;
                }
                int high = hex(s[1]), low = high < 0 ? -1 : hex(s[2]);
                if (low < 0 || (high == 0 && low == 0))
                        return false;
                *to++ = (char)(high * 16 + low);
                s += 2;
        }
        *to = 0;
        return true;
}

static void cut_slashes(char *key)
{
        size_t n = strlen(key);

        while (n && key[n - 1] == '/')
                key[--n] = 0;
}

/* Slashes at the end mean a folder. One that is written %2F is a part of the key, on stores where keys may end so. false: it is not
 * well written. */
static bool take_key(struct location *l, const char *path, size_t len)
{
        l->slash = len == 0 || path[len - 1] == '/';
        l->key = need(strndup(path, len));
        cut_slashes(l->key);
        l->no_name = *l->key == 0;
        return decode(l->key);
}

static bool split_uri(struct location *l, const char *arg)
{
        const char *host = strstr(arg, "://") + 3;
        const char *query = strchr(arg, '?');
        const char *end = query ? query : arg + strlen(arg);
        const char *slash = memchr(host, '/', (size_t)(end - host));
        const char *path = slash ? slash + 1 : end;

        l->root = need_format("%.*s/%s", (int)((slash ? slash : end) - arg), arg, query ? query : "");
        return take_key(l, path, (size_t)(end - path));
}

/* "name:path?option=value": a store of roma.conf. */
static bool split_named(struct location *l, const char *arg, const char *colon)
{
        const char *query = strchrnul(arg, '?');
        const char *path = colon + 1;

        l->root = need_format("%.*s:%s", (int)(colon - arg), arg, query);
        path += *path == '/';
        return take_key(l, path, query > path ? (size_t)(query - path) : 0);
}

/* Absolute, without "." and empty components. ".." is left to realpath(), which knows where symbolic links lead;
 * what is behind the last ".." need not exist. */
static char *absolute(const char *path)
{
        const char *rest = path;
        char *base;

        for (const char *c = path; (c = strstr(c, "..")) != NULL; c += 2)
                if ((c == path || c[-1] == '/') && (c[2] == '/' || c[2] == 0))
                        rest = c + 2;
        if (rest != path) {
                char *head = need(strndup(path, (size_t)(rest - path)));
                base = realpath(head, NULL);
                free(head);
        } else {
                base = *path == '/' ? need_copy("/") : getcwd(NULL, 0);
        }
        if (!base)
                return NULL;
        char *whole = need(malloc(strlen(base) + strlen(rest) + 2));
        char *to = stpcpy(whole, base);
        free(base);
        while (*rest) {
                size_t n = strcspn(rest, "/");
                if (n && !(n == 1 && *rest == '.')) {
                        if (to == whole || to[-1] != '/')
                                *to++ = '/';
                        to = mempcpy(to, rest, n);
                }
                rest += n + (rest[n] == '/');
        }
        *to = 0;
        return whole;
}

static bool split_local(struct tool *t, struct location *l, const char *arg)
{
        size_t n = strlen(arg);
        const char *last = name_base(arg);
        char *whole = absolute(arg);

        if (!whole) {
                int error = errno;
                complain(t, "%s: %s: %s", t->command->name, arg, strerror(error));
                status_raise(t, error == ENOENT   ? EXIT_NOT_FOUND
                                : error == EACCES ? EXIT_DENIED
                                                  : EXIT_OTHER);
                return false;
        }
        l->root = need_copy("file:///");
        l->path = need_copy(arg);
        l->shown = need_copy(arg);
        l->key = need_copy(whole + 1);
        free(whole);
        l->no_name = !strcmp(last, ".") || !strcmp(last, "..") || *l->key == 0;
        l->slash = l->no_name || arg[n - 1] == '/';
        return true;
}

bool location_is_remote(const char *arg)
{
        /* A colon before the first slash: a local file with such a name is written ./na:me. */
        return arg[strcspn(arg, ":/")] == ':';
}

bool location_parse(struct tool *t, struct location *l, const char *arg)
{
        const char *colon = arg + strcspn(arg, ":/");
        bool good;

        *l = (struct location){ .arg = arg };
        if (*arg == 0) {
                usage(t, "an argument is empty");
                return false;
        }
        if (!strcmp(arg, "-")) {
                l->stdio = true;
                l->no_name = true;
                l->path = need_copy("-");
                l->shown = need_copy("-");
                l->key = need_copy("");
                return true;
        }
        if (!location_is_remote(arg))
                return split_local(t, l, arg);
        l->shown = need(strndup(arg, strcspn(arg, "?")));
        good = !strncmp(colon, "://", 3) ? split_uri(l, arg) : split_named(l, arg, colon);
        if (good)
                return true;
        usage(t,
              "%s: a percent sign starts a code of two hexadecimal digits (not 00); for the sign itself "
              "write %%25",
              l->shown);
        location_free(l);
        return false;
}

bool location_open(struct tool *t, struct location *l)
{
        if (!l->place && !l->stdio)
                l->place = place_open(t, l->root);
        if (l->place && place_has_folders(l->place))
                cut_slashes(l->key);
        return l->place != NULL;
}

bool location_is_below(const struct location *l)
{
        return l->slash && !l->no_name && l->place && !place_has_folders(l->place);
}

bool location_is_object(struct tool *t, const struct location *l)
{
        if (!l->slash || l->no_name)
                return true;
        usage(t,
              "%s ends in a slash and so means a folder, not an object%s (a slash that is part of a key is "
              "written %%2F)",
              l->shown, t->command->options & OPT_RECURSIVE ? ": use -r" : "");
        return false;
}

bool location_is_as_said(struct tool *t, const struct location *l, const roma_attr *attr)
{
        if (!l->slash || attr->type == ROMA_TYPE_DIR)
                return true;
        complain(t, "%s: %s is no folder, though its name ends in a slash: nothing was done",
                 t->command->name, l->shown);
        status_raise(t, EXIT_OTHER);
        return false;
}

void location_free(struct location *l)
{
        free(l->shown);
        free(l->root);
        free(l->key);
        free(l->path);
        l->shown = l->root = l->key = l->path = NULL;
}
