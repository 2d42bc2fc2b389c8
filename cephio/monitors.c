/* SPDX-License-Identifier: MIT */
#include "cephio/monitors.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Of each line, and how many of them. */
enum { SHOWN = 300, MOST_TROUBLES = 3 };

struct line {
        const char *p;
        size_t n;
};

/* The next line of what is left of an answer, without the spaces around it. false: there is none. */
static bool next_line(const char **p, size_t *left, struct line *l)
{
        const char *end;
        size_t n;

        if (!*left)
                return false;
        end = memchr(*p, '\n', *left);
        n = end ? (size_t)(end - *p) : *left;
        *l = (struct line){ *p, n };
        *p += end ? n + 1 : n;
        *left -= end ? n + 1 : n;
        while (l->n && isspace((unsigned char)l->p[0])) {
                l->p++;
                l->n--;
        }
        while (l->n && (isspace((unsigned char)l->p[l->n - 1]) || l->p[l->n - 1] == '.'))
                l->n--;
        return true;
}

static bool begins(const struct line *l, const char *with)
{
        return l->n >= strlen(with) && memcmp(l->p, with, strlen(with)) == 0;
}

/* Quotes stay as they are: nothing of ours is between them. */
static void add(struct ri_str *to, const char *p, size_t n)
{
        char *text = ri_str_visible(strndup(p, n < SHOWN ? n : SHOWN));

        ri_str_puts(to, text ? text : "(no memory)");
        free(text);
}

/* 0: *out is to be freed with rados_buffer_free(). */
static int ask(rados_t cluster, const char *command, char **out, size_t *len)
{
        const char *cmd[] = { command };
        char *words = NULL;
        size_t words_len = 0;
        int r;

        *out = NULL;
        *len = 0;
        r = rados_mon_command(cluster, cmd, 1, "", 0, out, len, &words, &words_len);
        rados_buffer_free(words);
        if (r >= 0 && *len)
                return 0;
        rados_buffer_free(*out);
        *out = NULL;
        return r < 0 ? r : -ENODATA;
}

/* pool 'NAME' is full */
static bool is_pool_of(const struct line *l, const char *pools)
{
        static const char begin[] = "pool '";
        const char *name, *end, *at = pools;
        size_t n;

        if (!pools || !begins(l, begin))
                return false;
        name = l->p + strlen(begin);
        end = memchr(name, '\'', l->n - strlen(begin));
        n = end ? (size_t)(end - name) : 0;
        for (; n && *at; at += strcspn(at, " ,[]")) {
                at += strspn(at, " ,[]");
                if (strcspn(at, " ,[]") == n && memcmp(at, name, n) == 0)
                        return true;
        }
        return false;
}

/* fs NAME is degraded */
static bool is_fs(const struct line *l, const char *fs)
{
        size_t n = fs ? strlen(fs) : 0;

        if (!fs || !begins(l, "fs "))
                return false;
        return !n || (l->n > n + 3 && memcmp(l->p + 3, fs, n) == 0 && l->p[n + 3] == ' ');
}

int ceph_say_health(rados_t cluster, const struct ceph_about *about, struct ri_str *to)
{
        char *out;
        const char *p;
        size_t left;
        struct line l;
        unsigned troubles = 0;
        int r = ask(cluster, "{\"prefix\":\"health\",\"detail\":\"detail\"}", &out, &left);

        if (r < 0)
                return r;
        p = out;
        if (next_line(&p, &left, &l))
                add(to, l.p, l.n);
        while (troubles < MOST_TROUBLES && next_line(&p, &left, &l)) {
                if (!is_pool_of(&l, about->pools) && !is_fs(&l, about->fs))
                        continue;
                ri_str_puts(to, troubles++ ? ", " : ": ");
                add(to, l.p, l.n);
        }
        rados_buffer_free(out);
        return 0;
}

/* "3 osds: 2 up (since 5s), 3 in (since 2d); epoch: e55" */
static void osds(const struct line *l, struct ri_str *to)
{
        static const char after[] = " osds: ";
        const char *rest = memmem(l->p, l->n, after, strlen(after));
        const char *end = memchr(l->p, ';', l->n);
        size_t n = end ? (size_t)(end - l->p) : l->n;

        if (!rest || rest + strlen(after) > l->p + n) {
                add(to, l->p, n);
                return;
        }
        ri_str_puts(to, "of ");
        add(to, l->p, (size_t)(rest - l->p));
        ri_str_puts(to, " OSDs ");
        rest += strlen(after);
        add(to, rest, n - (size_t)(rest - l->p));
}

static void as_it_is(const struct line *l, struct ri_str *to)
{
        add(to, l->p, l->n);
}

static int say_line(rados_t cluster, const char *command, void (*say)(const struct line *, struct ri_str *),
                    struct ri_str *to)
{
        char *out;
        const char *p;
        size_t left;
        struct line l;
        int r = ask(cluster, command, &out, &left);

        if (r < 0)
                return r;
        p = out;
        if (next_line(&p, &left, &l))
                say(&l, to);
        rados_buffer_free(out);
        return 0;
}

int ceph_say_osds(rados_t cluster, struct ri_str *to)
{
        return say_line(cluster, "{\"prefix\":\"osd stat\"}", osds, to);
}

int ceph_say_mds(rados_t cluster, struct ri_str *to)
{
        return say_line(cluster, "{\"prefix\":\"mds stat\"}", as_it_is, to);
}

/* name: NAME, metadata pool: x, data pools: [y z ] */
char *ceph_pools_of(rados_t cluster, const char *fs)
{
        char *out, *begin, *found = NULL;
        const char *p;
        size_t left;
        struct line l;

        if (asprintf(&begin, "name: %s%s", fs ? fs : "", fs ? "," : "") < 0)
                return NULL;
        if (ask(cluster, "{\"prefix\":\"fs ls\"}", &out, &left) == 0) {
                p = out;
                while (!found && next_line(&p, &left, &l))
                        if (begins(&l, begin))
                                found = strndup(l.p + strlen(begin), l.n - strlen(begin));
                rados_buffer_free(out);
        }
        free(begin);
        return found;
}

const char *ceph_mon_hint(const char *mon_host)
{
        bool v2 = strstr(mon_host, "v2:"), v1 = strstr(mon_host, "v1:");

        if (v2 && !v1)
                return "; v2 is spoken since Ceph 14, at port 3300 by default";
        if (v1 && !v2)
                return "; v1 is spoken at port 6789 by default, and may be switched off";
        return "";
}
