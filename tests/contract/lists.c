/* SPDX-License-Identifier: MIT */
/* Lists: prefix, delimiter, start_after, pages, order, temporaries. */
#include "check.h"

#include <inttypes.h>
#include <stdlib.h>

/* The keys of all pages, one after the other, by pages of `max`. */
struct keys {
        const char *key[4096];
        uint32_t type[4096];
        size_t n;
        unsigned pages;
};

static struct keys *list_all(const char *prefix, const char *delimiter, unsigned max, unsigned flags)
{
        roma_list_opts lo = ROMA_LIST_OPTS_INIT;
        struct keys *k = mem(sizeof(*k));
        const struct res *r;

        lo.delimiter = delimiter;
        lo.max = max;
        lo.flags = flags;
        do {
                r = x_list(S, prefix, &lo);
                if (r->code != ROMA_OK || !r->r.list) {
                        check_fail(__FILE__, __LINE__, "list: %s", check_code_text(r));
                        return k;
                }
                k->pages++;
                if (max && r->r.list->count > max)
                        check_fail(__FILE__, __LINE__, "a page of at most %u has %zu entries", max,
                                   r->r.list->count);
                if (r->r.list->more && !r->r.list->count)
                        check_fail(__FILE__, __LINE__, "an empty page says that there are more");
                for (size_t i = 0; i < r->r.list->count && k->n < 4096; i++) {
                        k->key[k->n] = r->r.list->entry[i].key;
                        k->type[k->n++] = r->r.list->entry[i].attr ? r->r.list->entry[i].attr->type : 99;
                }
                if (k->n)
                        lo.start_after = k->key[k->n - 1];
        } while (!env.why && r->r.list->more && k->pages < 4096);
        return k;
}

static int by_bytes(const void *a, const void *b)
{
        return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* want: NULL-terminated; order does not matter here, sortedness is checked apart. */
static void same_keys(const struct keys *got, const char *const *want, int line)
{
        const char *g[4096], *w[4096];
        size_t n = 0;

        if (env.why)
                return;
        while (want[n]) {
                w[n] = K(want[n]);
                n++;
        }
        for (size_t i = 1; (env.caps & ROMA_CAP_SORTED) && i < got->n; i++)
                if (strcmp(got->key[i - 1], got->key[i]) >= 0) {
                        check_fail(__FILE__, line, "expected order by bytes got \"%s\" before \"%s\"",
                                   got->key[i - 1], got->key[i]);
                        return;
                }
        memcpy(g, got->key, got->n * sizeof(g[0]));
        qsort(g, got->n, sizeof(g[0]), by_bytes);
        qsort(w, n, sizeof(w[0]), by_bytes);
        for (size_t i = 0; i < n || i < got->n; i++) {
                const char *a = i < got->n ? g[i] : "(nothing)", *b = i < n ? w[i] : "(nothing)";

                if (strcmp(a, b) != 0) {
                        check_fail(__FILE__, line, "entry %zu: expected \"%s\" got \"%s\"", i, b, a);
                        return;
                }
        }
}
#define KEYS(got, ...) ALSO(same_keys(got, (const char *const[]){ __VA_ARGS__, NULL }, __LINE__))
/* The empty folder of make_tree(): NULL ends a list where there is none. */
#define EMPTY        (env.caps & ROMA_CAP_DIRS ? "empty/" : NULL)
#define NO_KEYS(got) ALSO(same_keys(got, (const char *const[]){ NULL }, __LINE__))

/* a, a-, a/1, a/2, a/b/3, a0, b; "a-" < "a/" < "a0". An empty folder too, where there are folders. */
static void make_tree(void)
{
        static const char *const files[] = { "a-", "a/1", "a/2", "a/b/3", "a0", "b" };

        if (env.caps & ROMA_CAP_DIRS) {
                OK(x_mkdir(S, K("a"), 0755, 0));
                OK(x_mkdir(S, K("a/b"), 0755, 0));
                OK(x_mkdir(S, K("empty"), 0755, 0));
        }
        for (size_t i = 0; i < 6; i++)
                OK(x_put(S, K(files[i]), "012345", i, NULL));
}

static void everything_below(void)
{
        ALSO(make_tree());
        KEYS(list_all(K(""), NULL, 0, 0), "a-", "a/1", "a/2", "a/b/3", "a0", "b");
        KEYS(list_all(K("a/"), NULL, 0, 0), "a/1", "a/2", "a/b/3");
}

static void with_delimiter(void)
{
        struct keys *k;

        ALSO(make_tree());
        k = list_all(K(""), "/", 0, 0);
        KEYS(k, "a-", "a/", "a0", "b", EMPTY);
        for (size_t i = 0; i < k->n; i++)
                EQ(k->type[i], k->key[i][strlen(k->key[i]) - 1] == '/' ? ROMA_TYPE_DIR : ROMA_TYPE_FILE);
        KEYS(list_all(K("a/"), "/", 0, 0), "a/1", "a/2", "a/b/");
        KEYS(list_all(K("a"), "/", 0, 0), "a-", "a/", "a0");
        NO_KEYS(list_all(K("empty/"), "/", 0, 0));
        if (env.caps & ROMA_CAP_DIRS)
                CODE(x_list(S, K(""), &(roma_list_opts){ .size = sizeof(roma_list_opts), .delimiter = "x" }),
                     ROMA_ENOTSUP);
        else
                KEYS(list_all(K("a"), "b", 0, 0), "a-", "a/1", "a/2", "a/b", "a0");
}

static void with_prefix(void)
{
        ALSO(make_tree());
        KEYS(list_all(K("a"), NULL, 0, 0), "a-", "a/1", "a/2", "a/b/3", "a0");
        KEYS(list_all(K("a/b"), NULL, 0, 0), "a/b/3");
        KEYS(list_all(K("a/2"), NULL, 0, 0), "a/2");
        NO_KEYS(list_all(K("nothing"), NULL, 0, 0));
        NO_KEYS(list_all(K("nothing/below"), NULL, 0, 0));
}

static void with_folders(void)
{
        ALSO(make_tree());
        KEYS(list_all(K(""), NULL, 0, ROMA_LIST_DIRS), "a-", "a/", "a/1", "a/2", "a/b/", "a/b/3", "a0", "b",
             "empty/");
}

static void page_by_page(void)
{
        ALSO(make_tree());
        for (unsigned max = 1; max <= 10; max++) {
                struct keys *k = list_all(K(""), NULL, max, 0);

                KEYS(k, "a-", "a/1", "a/2", "a/b/3", "a0", "b");
                CHECK(k->pages >= (6 + max - 1) / max && k->pages <= (6 + max - 1) / max + 1);
                KEYS(list_all(K(""), "/", max, 0), "a-", "a/", "a0", "b", EMPTY);
                if (env.caps & ROMA_CAP_DIRS)
                        KEYS(list_all(K(""), NULL, max, ROMA_LIST_DIRS), "a-", "a/", "a/1", "a/2", "a/b/",
                             "a/b/3", "a0", "b", "empty/");
        }
}

static void start_after(void)
{
        static const char *const keys[] = { "a-", "a/1", "a/2", "a/b/3", "a0", "b" };
        static const char *const from[] = { "",     "a",     "a-",   "a/", "a/1", "a/11", "a/b",
                                            "a/b/", "a/b/3", "a/zz", "a0", "b",   "c" };
        roma_list_opts lo = ROMA_LIST_OPTS_INIT;

        if (!(env.caps & ROMA_CAP_SORTED))
                SKIP("the store does not sort");
        ALSO(make_tree());
        for (size_t i = 0; i < sizeof(from) / sizeof(from[0]); i++) {
                const struct res *r;
                size_t at = 0;

                lo.start_after = K(from[i]);
                r = x_list(S, K(""), &lo);
                OK(r);
                for (size_t k = 0; k < 6; k++)
                        if (strcmp(K(keys[k]), lo.start_after) > 0) {
                                CHECK(at < r->r.list->count);
                                EQ_STR(r->r.list->entry[at++].key, K(keys[k]));
                        }
                EQ(r->r.list->count, at);
        }
}

static void attributes(void)
{
        const struct res *r;

        ALSO(make_tree());
        r = x_list(S, K(""), NULL);
        OK(r);
        EQ(r->r.list->more, 0);
        for (size_t i = 0; i < r->r.list->count; i++) {
                const roma_entry *e = &r->r.list->entry[i];
                const struct res *st = x_stat(S, e->key, 0);

                CHECK(e->attr);
                CHECK(e->attr->mask & ROMA_ATTR_TYPE);
                EQ(e->attr->type, ROMA_TYPE_FILE);
                if (e->attr->mask & ROMA_ATTR_LENGTH)
                        EQ(e->attr->length, st->attr.length);
                if (e->attr->mask & ROMA_ATTR_INODE)
                        EQ(e->attr->inode, st->attr.inode);
        }
}

static void many_entries(void)
{
        enum { N = 1500 };
        const char **want = mem((N + 1) * sizeof(*want));
        struct keys *k;

        for (unsigned i = 0; i < N; i++) {
                struct wait *w = w_new();

                want[i] = text("%" PRIx64 "-%u", rnd() & 0xff, i);
                w->id = roma_aio_put(S, K(want[i]), "", 0, NULL, w_done, w);
                CHECK(w->id);
                if (i % 64 == 63)
                        w_wait(w);
        }
        w_all();
        for (struct wait *w = env.waits; w; w = w->next)
                OK(w->res);
        k = list_all(K(""), NULL, 0, 0);
        ALSO(same_keys(k, want, __LINE__));
        CHECK(k->pages >= 2); /* the default page has 1000 */
        ALSO(same_keys(list_all(K(""), NULL, 10000, 0), want, __LINE__));
        ALSO(same_keys(list_all(K(""), "/", 97, 0), want, __LINE__));
}

static void limits_of_a_page(void)
{
        roma_list_opts lo = ROMA_LIST_OPTS_INIT;

        lo.max = 10001;
        CODE(x_list(S, K(""), &lo), ROMA_EINVAL);
}

static void links_are_not_followed(void)
{
        const struct res *r;

        OK(x_mkdir(S, K("folder"), 0755, 0));
        OK(x_put(S, K("folder/file"), "x", 1, NULL));
        OK(x_symlink(S, "folder", K("link")));
        OK(x_symlink(S, ".", K("folder/self")));
        r = x_list(S, K(""), NULL);
        OK(r);
        EQ(r->r.list->count, 3);
        for (size_t i = 0; i < 3; i++)
                if (strcmp(r->r.list->entry[i].key, K("folder/file")) != 0)
                        EQ(r->r.list->entry[i].attr->type, ROMA_TYPE_SYMLINK);
}

static void temporaries_are_hidden(void)
{
        roma_list_opts lo = ROMA_LIST_OPTS_INIT;
        const struct res *r = x_writer(S, K("object"), NULL);
        roma_writer *w = r->r.writer;

        OK(r);
        OK(x_write(w, rnd_bytes(100000), 100000));
        NO_KEYS(list_all(K(""), NULL, 0, 0));
        NO_KEYS(list_all(K(""), "/", 0, 0));
        if (env.caps & ROMA_CAP_DIRS) {
                lo.flags = ROMA_LIST_TEMPORARIES;
                r = x_list(S, K(""), &lo);
                OK(r);
                EQ(r->r.list->count, 1);
        }
        OK(x_abort(w));
        NO_TEMPORARIES();
}

static const struct test tests[] = {
        { "everything_below", 0, everything_below },
        { "with_delimiter", 0, with_delimiter },
        { "with_prefix", 0, with_prefix },
        { "with_folders", ROMA_CAP_DIRS, with_folders },
        { "page_by_page", 0, page_by_page },
        { "start_after", 0, start_after },
        { "attributes", 0, attributes },
        { "many_entries", 0, many_entries },
        { "limits_of_a_page", 0, limits_of_a_page },
        { "links_are_not_followed", ROMA_CAP_DIRS | ROMA_CAP_SYMLINK, links_are_not_followed },
        { "temporaries_are_hidden", 0, temporaries_are_hidden },
};
SUITE(lists, tests);
