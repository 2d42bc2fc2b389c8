/* SPDX-License-Identifier: MIT */
/* Unit tests of core/listing: pages against a plain sorted list of the same names. */
#include "core/backend.h"

#include "tests/unit/folder.h"

enum { MOST_KEYS = 5000 };

static char *keys[MOST_KEYS];
static int n_keys;

static int compare(const void *a, const void *b)
{
        return strcmp(*(char *const *)a, *(char *const *)b);
}

static void add_key(const char *key)
{
        ck_assert_int_lt(n_keys, MOST_KEYS);
        keys[n_keys++] = strdup(key);
}

static void free_keys(void)
{
        while (n_keys)
                free(keys[--n_keys]);
}

static void make_file(const char *key)
{
        char folders[300];

        for (const char *p = strchr(key, '/'); p; p = strchr(p + 1, '/')) {
                snprintf(folders, sizeof(folders), "%.*s", (int)(p - key), key);
                mkdir(local_path(folders), 0755);
        }
        local_write(key, "x", 1);
}

/* Lists everything in pages of `max` and compares with those of keys[] that begin with the prefix. */
static void check_pages(const char *prefix, const char *delimiter, unsigned flags, unsigned max)
{
        roma_list_opts o = ROMA_LIST_OPTS_INIT;
        char after[4200];
        int k = 0, more = 1;

        o.delimiter = delimiter;
        o.flags = flags;
        o.max = max;
        while (more) {
                const roma_list *l;

                ck_assert_msg(roma_list_page(store, prefix, &o) == 0, "%s", roma_error(loop));
                l = roma_last(loop)->list;
                ck_assert_uint_le(l->count, max);
                ck_assert(!l->more || l->count == max);
                for (size_t i = 0; i < l->count; i++, k++) {
                        while (k < n_keys && strncmp(keys[k], prefix, strlen(prefix)) != 0)
                                k++;
                        ck_assert_int_lt(k, n_keys);
                        ck_assert_str_eq(l->entry[i].key, keys[k]);
                        ck_assert_uint_eq(l->entry[i].attr->type, keys[k][strlen(keys[k]) - 1] == '/'
                                                                          ? ROMA_TYPE_DIR
                                                                          : ROMA_TYPE_FILE);
                }
                more = l->more;
                if (l->count)
                        snprintf(after, sizeof(after), "%s", l->entry[l->count - 1].key);
                o.start_after = after;
        }
        while (k < n_keys && strncmp(keys[k], prefix, strlen(prefix)) != 0)
                k++;
        ck_assert_int_eq(k, n_keys);
}

static const char *const tree[] = { "a",
                                    "a.b",
                                    "a0",
                                    "b/1",
                                    "b/2/x",
                                    "b/2.x",
                                    "b/20",
                                    "b.c",
                                    "b0",
                                    "c/d/e",
                                    "c/d/f/g",
                                    "c/d.x/y",
                                    "photos/2026/a.jpg",
                                    "photos/x",
                                    "photosynthesis",
                                    "z z",
                                    "\xff\xfe",
                                    "new\nline" };

static void make_tree(void)
{
        for (size_t i = 0; i < sizeof(tree) / sizeof(*tree); i++)
                make_file(tree[i]);
        mkdir(local_path("empty"), 0755);
        mkdir(local_path("b/empty"), 0755);
        make_file(".roma~0123456789abcdef");
        make_file("b/.roma~0123456789abcdef");
}

START_TEST(recursive)
{
        static const char *const prefixes[] = { "",       "b",       "b/",   "b/2",   "c/d", "c/d/",
                                                "photos", "photos/", "none", "none/", "a/",  "empty/" };

        make_tree();
        for (size_t i = 0; i < sizeof(tree) / sizeof(*tree); i++)
                add_key(tree[i]);
        qsort(keys, (size_t)n_keys, sizeof(*keys), compare);
        for (size_t i = 0; i < sizeof(prefixes) / sizeof(*prefixes); i++)
                for (unsigned max = 1; max < 30; max++)
                        check_pages(prefixes[i], NULL, 0, max);
        free_keys();
}
END_TEST

START_TEST(with_folders)
{
        static const char *const folders[] = { "b/",     "b/2/",   "b/empty/", "c/",      "c/d/",
                                               "c/d/f/", "c/d.x/", "empty/",   "photos/", "photos/2026/" };

        make_tree();
        for (size_t i = 0; i < sizeof(tree) / sizeof(*tree); i++)
                add_key(tree[i]);
        for (size_t i = 0; i < sizeof(folders) / sizeof(*folders); i++)
                add_key(folders[i]);
        qsort(keys, (size_t)n_keys, sizeof(*keys), compare);
        for (unsigned max = 1; max < 40; max++)
                check_pages("", NULL, ROMA_LIST_DIRS, max);
        add_key(".roma~0123456789abcdef");
        add_key("b/.roma~0123456789abcdef");
        qsort(keys, (size_t)n_keys, sizeof(*keys), compare);
        check_pages("", NULL, ROMA_LIST_DIRS | ROMA_LIST_TEMPORARIES, 3);
        free_keys();
}
END_TEST

START_TEST(delimited)
{
        static const char *const top[] = { "a",
                                           "a.b",
                                           "a0",
                                           "b.c",
                                           "b/",
                                           "b0",
                                           "c/",
                                           "empty/",
                                           "new\nline",
                                           "photos/",
                                           "photosynthesis",
                                           "z z",
                                           "\xff\xfe" };
        static const char *const b[] = { "b/1", "b/2.x", "b/2/", "b/20", "b/empty/" };

        make_tree();
        for (size_t i = 0; i < sizeof(top) / sizeof(*top); i++)
                add_key(top[i]);
        for (unsigned max = 1; max < 20; max++) {
                check_pages("", "/", 0, max);
                check_pages("photos", "/", 0, max);
        }
        free_keys();
        for (size_t i = 0; i < sizeof(b) / sizeof(*b); i++)
                add_key(b[i]);
        for (unsigned max = 1; max < 8; max++)
                check_pages("b/", "/", 0, max);
        free_keys();
}
END_TEST

static void check_after(const char *prefix, const char *after, const char *first)
{
        roma_list_opts o = ROMA_LIST_OPTS_INIT;

        o.start_after = after;
        ck_assert_int_eq(roma_list_page(store, prefix, &o), 0);
        if (first)
                ck_assert_str_eq(roma_last(loop)->list->entry[0].key, first);
        else
                ck_assert_uint_eq(roma_last(loop)->list->count, 0);
}

START_TEST(starting_anywhere)
{
        make_tree();
        check_after("", "b", "b.c");
        check_after("", "b/", "b/1");
        check_after("", "b/2", "b/2.x");
        check_after("", "b/2.x", "b/2/x");
        check_after("", "b/2/x", "b/20");
        check_after("", "b/2/x/y/z", "b/20");
        check_after("b/", "a", "b/1");
        check_after("b/", "b0", NULL);
        check_after("b/", "b/20", NULL);
        check_after("c/d/", "c/d/f", "c/d/f/g");
        check_after("", "\xff\xff", NULL);
}
END_TEST

START_TEST(many_names)
{
        char name[64];

        for (int i = 0; i < 3000; i++) {
                snprintf(name, sizeof(name), "%s%d", i % 7 ? "f" : "d/", i * 7919 % 10007);
                make_file(name);
                add_key(name);
        }
        for (int i = 0; i < 200; i++) {
                snprintf(name, sizeof(name), "e%d", i);
                mkdir(local_path(name), 0755); /* folders that fill the window and give no entry */
        }
        qsort(keys, (size_t)n_keys, sizeof(*keys), compare);
        check_pages("", NULL, 0, 10);
        check_pages("", NULL, 0, 999);
        check_pages("", NULL, 0, 10000);
        free_keys();
}
END_TEST

/* More than is kept between pages: folders are read again. */
START_TEST(small_window)
{
        char name[300];

        for (int i = 0; i < 3000; i++) {
                snprintf(name, sizeof(name), "%s%05d%0*d", i % 10 ? "" : "d/", i * 7919 % 3001,
                         i * 7919 % 3001 < 800 ? 1 : 200, 0);
                make_file(name);
                add_key(name);
        }
        qsort(keys, (size_t)n_keys, sizeof(*keys), compare);
        for (size_t window = 0; window < 400000; window = window * 3 + 100) {
                store->list_window = window;
                check_pages("", NULL, 0, 97);
        }
        free_keys();
}
END_TEST

/* A page goes on from names that were read before: not when they have changed through this store. */
START_TEST(changes_between_pages)
{
        roma_list_opts o = ROMA_LIST_OPTS_INIT;
        char name[16];

        for (int i = 0; i < 20; i++) {
                snprintf(name, sizeof(name), "n%02d", i);
                make_file(name);
        }
        o.max = 5;
        ck_assert_int_eq(roma_list_page(store, "", &o), 0);
        ck_assert_str_eq(roma_last(loop)->list->entry[4].key, "n04");
        o.start_after = "n04";
        ck_assert_int_eq(roma_unlink(store, "n05", 0, NULL), 0);
        ck_assert_int_eq(roma_list_page(store, "", &o), 0);
        ck_assert_str_eq(roma_last(loop)->list->entry[0].key, "n06");
        o.start_after = "n10";
        ck_assert_int_eq(roma_put(store, "n10a", "", 0, NULL), 0);
        ck_assert_int_eq(roma_list_page(store, "", &o), 0);
        ck_assert_str_eq(roma_last(loop)->list->entry[0].key, "n10a");
        /* Another prefix, other flags, another place: none of them may be taken for the page that was kept. */
        o.start_after = roma_last(loop)->list->entry[4].key;
        snprintf(name, sizeof(name), "%s", o.start_after);
        o.start_after = name;
        ck_assert_int_eq(roma_list_page(store, "n1", &o), 0);
        ck_assert_str_eq(roma_last(loop)->list->entry[0].key, "n15");
        o.start_after = "n12";
        ck_assert_int_eq(roma_list_page(store, "n1", &o), 0);
        ck_assert_str_eq(roma_last(loop)->list->entry[0].key, "n13");
}
END_TEST

START_TEST(refusals)
{
        roma_list_opts o = ROMA_LIST_OPTS_INIT;

        o.delimiter = ":";
        ck_assert_int_eq(roma_list_page(store, "", &o), -1);
        ck_assert_int_eq(roma_last(loop)->code, ROMA_ENOTSUP);
        o.delimiter = NULL;
        o.max = 10001;
        ck_assert_int_eq(roma_list_page(store, "", &o), -1);
        ck_assert_int_eq(roma_last(loop)->code, ROMA_EINVAL);
        o.max = 0;
        ck_assert_int_eq(roma_list_page(store, "../x", &o), -1);
        ck_assert_int_eq(roma_last(loop)->code, ROMA_EINVAL);
        ck_assert_int_eq(roma_list_page(store, "/x", &o), -1);
        ck_assert_int_eq(roma_list_page(store, "a//x", &o), -1);
}
END_TEST

static int ends;

static void ended(void *arg, const roma_result *r)
{
        (void)arg;
        ck_assert_int_eq(r->code, ROMA_ECANCELED);
        ends++;
}

START_TEST(cancelling)
{
        roma_op op;

        make_tree();
        ends = 0;
        for (int i = 0; i < 20; i++) {
                op = roma_aio_list(store, "", NULL, ended, NULL);
                for (int k = 0; k < i % 4; k++)
                        roma_loop_turn(loop, 0);
                roma_cancel(loop, op);
        }
        ck_assert_int_eq(roma_loop_run(loop), 0);
        ck_assert_int_eq(ends, 20);
}
END_TEST

int main(void)
{
        TCase *tc = tcase_create("listing");

        tcase_add_checked_fixture(tc, folder_begin, folder_end);
        tcase_add_test(tc, recursive);
        tcase_add_test(tc, with_folders);
        tcase_add_test(tc, delimited);
        tcase_add_test(tc, starting_anywhere);
        tcase_add_test(tc, many_names);
        tcase_add_test(tc, small_window);
        tcase_add_test(tc, changes_between_pages);
        tcase_add_test(tc, refusals);
        tcase_add_test(tc, cancelling);
        return run_suite("listing", tc);
}
