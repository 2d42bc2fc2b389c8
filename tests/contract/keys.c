/* SPDX-License-Identifier: MIT */
/* Keys are bytes: odd ones are kept as they are, those that a folder store could misread are refused. */
#include "check.h"

static const char *const odd[] = {
        " ",
        "two words",
        "tab\there",
        "new\nline",
        "per%cent",
        "%41",
        "%2F",
        "que?stion",
        "ha#sh",
        "pl+us",
        "quo\"te's",
        "back\\slash",
        ".hidden",
        "...",
        "..a",
        "a..",
        "gr\xc3\xbc\xc3\x9f",
        "\xe6\xbc\xa2",
        "\xff\xfe\x80",
        "a\x01\x7f",
        "*[!]{a,b}",
        "-rf",
        "~",
        "semi;colon&",
        "\xc3",
        "=",
        ":",
        "a:b",
        "$HOME",
        "`x`",
        "e\xcc\x81",
};
enum { ODD = sizeof(odd) / sizeof(odd[0]) };

static bool listed(const struct res *r, const char *key)
{
        for (size_t i = 0; i < r->r.list->count; i++)
                if (strcmp(r->r.list->entry[i].key, key) == 0)
                        return true;
        return false;
}

/* Lead bytes with as many others behind them as they say. */
static bool is_utf8(const char *s)
{
        for (const unsigned char *p = (const unsigned char *)s; *p; p++) {
                int more = *p < 0x80 ? 0 : *p >= 0xf0 ? 3 : *p >= 0xe0 ? 2 : *p >= 0xc2 ? 1 : 9;

                if (*p > 0xf4)
                        return false;
                while (more--)
                        if ((*++p & 0xc0) != 0x80)
                                return false;
        }
        return true;
}

static void odd_names(void)
{
        const struct res *r;

        bool refused[ODD] = { false };
        size_t n = 0;

        for (size_t i = 0; i < ODD; i++) {
                r = x_put(S, K(odd[i]), odd[i], strlen(odd[i]), NULL);
                /* Where keys are UTF-8 by definition, what is not is refused, and is not there. */
                refused[i] = !(env.caps & ROMA_CAP_DIRS) && r->code == ROMA_EINVAL && !is_utf8(odd[i]);
                if (refused[i])
                        ABSENT(S, K(odd[i]));
                else
                        OK(r);
                n += !refused[i];
        }
        for (size_t i = 0; i < ODD; i++)
                if (!refused[i])
                        HOLDS(other(), K(odd[i]), odd[i], strlen(odd[i]));
        r = x_list(S, K(""), NULL);
        OK(r);
        EQ(r->r.list->count, n);
        for (size_t i = 0; i < ODD; i++)
                if (!refused[i] && !listed(r, K(odd[i])))
                        FAIL("expected the list to show \"%s\"", odd[i]);
        for (size_t i = 0; i < ODD; i++)
                CODE(x_unlink(S, K(odd[i]), 0), refused[i] ? ROMA_ENOENT : ROMA_OK);
        EQ(x_list(S, K(""), NULL)->r.list->count, 0);
}

static void odd_folders(void)
{
        for (size_t i = 0; i < ODD; i++) {
                const char *file = K(text("%s/%s", odd[i], odd[ODD - 1 - i]));

                OK(x_mkdir(S, K(odd[i]), 0755, 0));
                OK(x_put(S, file, "x", 1, NULL));
                HOLDS(S, file, "x", 1);
                CHECK(listed(x_list(S, K(text("%s/", odd[i])), NULL), file));
        }
}

/* Names that a careless store would take for its own. */
static void names_like_temporaries(void)
{
        static const char *const names[] = { ".roma", ".roma~", "roma~0123456789abcdef", ".roma~x" };
        const struct res *r;

        for (size_t i = 0; i < 4; i++)
                OK(x_put(S, K(names[i]), "x", 1, NULL));
        r = x_list(S, K(""), NULL);
        OK(r);
        EQ(r->r.list->count, 4);
        EQ(x_gc(S, K(""), 0)->r.bytes, 0);
        for (size_t i = 0; i < 4; i++)
                HOLDS(S, K(names[i]), "x", 1);
}

static char *long_name(size_t n)
{
        char *name = mem(n + 1);

        memset(name, 'n', n);
        return name;
}

static void longest_name(void)
{
        const char *k = K(long_name(255));
        const void *data = rnd_bytes(70000);

        OK(x_put(S, k, data, 70000, NULL));
        HOLDS(S, k, data, 70000);
        OK(x_put(S, k, "x", 1, NULL));
        HOLDS(S, k, "x", 1);
        OK(x_unlink(S, k, 0));
        OK(x_mkdir(S, k, 0755, 0));
        OK(x_put(S, K(text("%s/%s", long_name(255), long_name(255))), "x", 1, NULL));
        NO_TEMPORARIES();
}

static void too_long_name(void)
{
        const char *k = K(long_name(256)), *below = K(text("%s/file", long_name(256)));

        CODE(x_put(S, k, "x", 1, NULL), ROMA_ENAMETOOLONG);
        CODE(x_mkdir(S, k, 0755, 0), ROMA_ENAMETOOLONG);
        CODE(x_stat(S, k, 0), ROMA_ENAMETOOLONG);
        CODE(x_put(S, below, "x", 1, NULL), ROMA_ENAMETOOLONG);
        CODE(x_put(S, K(long_name(100000)), "x", 1, NULL), ROMA_ENAMETOOLONG);
        OK(x_put(S, K("file"), "x", 1, NULL));
        CODE(x_rename(S, K("file"), k, 0), ROMA_ENAMETOOLONG);
        HOLDS(S, K("file"), "x", 1);
        NO_TEMPORARIES();
}

static void refused_keys(void)
{
        static const char *const bad[] = { "..",    "../x", "%s/..", "%s/../x", "%s/a/../../x", "%s//x",
                                           "/%s/x", ".",    "./x",   "%s/.",    "%s/./x",       "%s/x/" };
        char folder[32];

        snprintf(folder, sizeof(folder), "t%u", env.nr);
        for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
                const char *at = strstr(bad[i], "%s");
                const char *k = at ? text("%.*s%s%s", (int)(at - bad[i]), bad[i], folder, at + 2) : bad[i];

                CODE(x_stat(S, k, 0), ROMA_EINVAL);
                CODE(x_put(S, k, "x", 1, NULL), ROMA_EINVAL);
                CODE(x_unlink(S, k, 0), ROMA_EINVAL);
                CODE(x_open(S, k, ROMA_O_READ, 0), ROMA_EINVAL);
                CODE(x_reader(S, k, NULL), ROMA_EINVAL);
                CODE(x_hash(S, k, ROMA_MD5), ROMA_EINVAL);
                CODE(x_get_path(S, k, L("out"), NULL), ROMA_EINVAL);
                if (env.caps & ROMA_CAP_RENAME) {
                        CODE(x_rename(S, k, K("to"), 0), ROMA_EINVAL);
                        CODE(x_rename(S, K("from"), k, 0), ROMA_EINVAL);
                }
                if (env.caps & ROMA_CAP_LINK)
                        CODE(x_link(S, K("from"), k), ROMA_EINVAL);
                if (env.caps & ROMA_CAP_SYMLINK)
                        CODE(x_symlink(S, "target", k), ROMA_EINVAL);
        }
        CODE(x_list(S, "../", NULL), ROMA_EINVAL);
        CODE(x_list(S, K("../"), NULL), ROMA_EINVAL);
}

static void empty_key(void)
{
        REFUSED(x_put(S, "", "x", 1, NULL));
        REFUSED(x_unlink(S, "", 0));
        REFUSED(x_open(S, "", ROMA_O_READ, 0));
        if (env.caps & ROMA_CAP_DIRS) {
                REFUSED(x_rmdir(S, ""));
                REFUSED(x_mkdir(S, "", 0755, 0));
        }
        OK(x_stat(S, "", 0));
}

static void deep_keys(void)
{
        char *k = text("deep");

        for (int i = 0; i < 40; i++)
                k = text("%s/level-%d", k, i);
        if (env.caps & ROMA_CAP_DIRS)
                OK(x_mkdir(S, K(k), 0755, ROMA_MKDIR_PARENTS));
        OK(x_put(S, K(text("%s/file", k)), "x", 1, NULL));
        HOLDS(other(), K(text("%s/file", k)), "x", 1);
}

static const struct test tests[] = {
        { "odd_names", 0, odd_names },
        { "odd_folders", ROMA_CAP_DIRS, odd_folders },
        { "names_like_temporaries", 0, names_like_temporaries },
        { "longest_name", ROMA_CAP_DIRS, longest_name },
        { "too_long_name", ROMA_CAP_DIRS, too_long_name },
        { "refused_keys", ROMA_CAP_DIRS, refused_keys },
        { "empty_key", 0, empty_key },
        { "deep_keys", 0, deep_keys },
};
SUITE(keys, tests);
