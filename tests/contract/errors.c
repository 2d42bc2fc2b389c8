/* SPDX-License-Identifier: MIT */
/* What a failure says. */
#include "check.h"

#include <stdlib.h>
#include <strings.h>
#include <sys/wait.h>
#include <unistd.h>

static bool contains(const char *where, const char *what)
{
        return strcasestr(where, what) != NULL;
}

/* A sentence names the operation and the object, and says more than that. */
#define SENTENCE(call, want_code, operation, object)                                                         \
        do {                                                                                                 \
                const struct res *s_ = (call);                                                               \
                CODE(s_, want_code);                                                                         \
                if (!contains(s_->message, operation) || !contains(s_->message, object) ||                   \
                    strlen(s_->message) < strlen(operation) + strlen(object) + 8 ||                          \
                    strchr(s_->message, '\n'))                                                               \
                        FAIL("%s: expected a sentence about \"%s\" and \"%s\" got \"%s\"", #call, operation, \
                             object, s_->message);                                                           \
        } while (0)

static void sentences(void)
{
        const char *k = K("no-such-object");
        roma_attr a = ROMA_ATTR_INIT;

        a.mask = ROMA_ATTR_MODE;
        SENTENCE(x_stat(S, k, 0), ROMA_ENOENT, "stat", k);
        SENTENCE(x_unlink(S, k, 0), ROMA_ENOENT, "unlink", k);
        SENTENCE(x_open(S, k, ROMA_O_READ, 0), ROMA_ENOENT, "open", k);
        SENTENCE(x_reader(S, k, NULL), ROMA_ENOENT, "read", k);
        SENTENCE(x_hash(S, k, ROMA_MD5), ROMA_ENOENT, "hash", k);
        SENTENCE(x_get_path(S, k, L("to"), NULL), ROMA_ENOENT, "get", k);
        SENTENCE(x_copy(S, k, S, K("to"), NULL), ROMA_ENOENT, "copy", k);
        if (env.caps & ROMA_CAP_MODE)
                SENTENCE(x_setattr(S, k, &a, 0), ROMA_ENOENT, "setattr", k);
        if (env.caps & ROMA_CAP_RENAME)
                SENTENCE(x_rename(S, k, K("to"), 0), ROMA_ENOENT, "rename", k);
        if (env.caps & ROMA_CAP_LINK)
                SENTENCE(x_link(S, k, K("to")), ROMA_ENOENT, "link", k);
        if (env.caps & ROMA_CAP_SYMLINK)
                SENTENCE(x_readlink(S, k), ROMA_ENOENT, "readlink", k);
        if (env.caps & ROMA_CAP_DIRS) {
                SENTENCE(x_rmdir(S, k), ROMA_ENOENT, "rmdir", k);
                SENTENCE(x_mkdir(S, text("%s/x", k), 0755, 0), ROMA_ENOENT, "mkdir", k);
                SENTENCE(x_put(S, text("%s/x", k), "x", 1, NULL), ROMA_ENOENT, "put", k);
        }
}

static void the_servers_own_status(void)
{
        const struct res *r = x_stat(S, K("none"), 0);

        CODE(r, ROMA_ENOENT);
        CHECK(r->r.status_kind != ROMA_STATUS_NONE);
        CHECK(r->r.server_status != 0);
        CHECK(*r->r.status_name);
        EQ(r->r.flags & ROMA_RETRIABLE, 0);
        EQ(r->r.outcome, ROMA_NOT_DONE);
        if (r->r.status_kind == ROMA_STATUS_MFS)
                CHECK(*r->r.server);
}

static void odd_bytes_in_a_sentence(void)
{
        const struct res *r = x_stat(S, K("a\nb\x1b[31m\xff%s%n"), 0);

        CODE(r, ROMA_ENOENT);
        /* A terminal or a log must not be fooled. */
        CHECK(!strchr(r->message, '\n') && !strchr(r->message, '\x1b'));
}

static void bad_uris(void)
{
        static const char *const bad[] = {
                "",           "nothing",        "no-such-scheme://x/", "://x",
                "file://%zz", "file:///a%00b",  "file:///tmp%",        "file:///tmp?nosuch=1",
                "mfs://",     "mfs://host:0/",  "mfs://host:99999/",   "mfs://host:x/",
                "mfs:///x",   "mfs://h?stall=x"
        };

        for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
                const struct res *r = x_store_open(bad[i]);

                if (!check_code(r, ROMA_EURI))
                        FAIL("\"%s\": expected ROMA_EURI got %s", bad[i], check_code_text(r));
                CHECK(*r->message && !r->r.store);
        }
}

static void bad_places(void)
{
        const char *k = text("file://%s/no-such-folder", env.local);
        const struct res *r = x_store_open(k), *other_kind;
        const char *modules;

        CODE(r, ROMA_ENOENT);
        CHECK(contains(r->message, "no-such-folder"));
        local_write(L("file"), "x", 1);
        CODE(x_store_open(text("file://%s", L("file"))), ROMA_ENOTDIR);
        /* Whatever modules were built, there are none in this folder. */
        modules = getenv("ROMA_MODULE_DIR");
        modules = modules ? text("%s", modules) : NULL;
        setenv("ROMA_MODULE_DIR", env.local, 1);
        r = x_store_open("s3://bucket/key");
        other_kind = x_store_open("cephfs://a/b");
        if (modules)
                setenv("ROMA_MODULE_DIR", modules, 1);
        else
                unsetenv("ROMA_MODULE_DIR");
        CODE(r, ROMA_ENOTINSTALLED);
        CHECK(contains(r->message, "s3"));
        CODE(other_kind, ROMA_ENOTINSTALLED);
        /* Below the scratch folder, so it works for every kind of store. */
        r = x_store_open(env.uri);
        OK(r);
        OK(x_store_close(r->r.store));
}

static void no_secret_is_shown(void)
{
        const char *shown = roma_store_uri(S);

        CHECK(shown && *shown);
        CHECK(!contains(shown, "password="));
}

static void names_of_codes(void)
{
        static const int codes[] = { 0,   1,   2,   3,   4,   5,   6,   7,   8,   9,   10,  11,  12,
                                     13,  100, 101, 102, 103, 104, 200, 201, 202, 203, 204, 205, 206,
                                     207, 208, 209, 210, 211, 212, 213, 214, 215, 216, 217, 218, 219 };
        enum { N = sizeof(codes) / sizeof(codes[0]) };

        for (size_t i = 0; i < N; i++) {
                CHECK(strncmp(roma_code_name(codes[i]), "ROMA_", 5) == 0);
                CHECK(!strchr(roma_code_name(codes[i]), '?'));
                CHECK(*roma_code_text(codes[i]));
                for (size_t k = 0; k < i; k++)
                        CHECK(strcmp(roma_code_name(codes[i]), roma_code_name(codes[k])) != 0);
        }
        EQ_STR(roma_code_name(ROMA_ENOENT), "ROMA_ENOENT");
        EQ_STR(roma_code_name(4711), "ROMA_E?");
        EQ_STR(roma_code_name(-1), "ROMA_E?");
        EQ_STR(roma_outcome_name(ROMA_DONE), "done");
        EQ_STR(roma_outcome_name(ROMA_NOT_DONE), "not done");
        EQ_STR(roma_outcome_name(ROMA_UNKNOWN), "unknown");
}

static void bad_arguments(void)
{
        roma_list_opts lo = ROMA_LIST_OPTS_INIT;
        roma_put_opts po = ROMA_PUT_OPTS_INIT;
        roma_opts tiny = ROMA_OPTS_INIT;
        struct wait *w = w_new();

        tiny.size = 3;
        w->id = roma_aio_stat(S, K("x"), 0, &tiny, w_done, w);
        CODE(w_wait(w), ROMA_EINVAL);
        lo.size = 0;
        CODE(x_list(S, K(""), &lo), ROMA_EINVAL);
        po.precondition = 99;
        CODE(x_put(S, K("x"), "x", 1, &po), ROMA_EINVAL);
        ABSENT(S, K("x"));
}

/* The child of a fork must not touch what belongs to its parent. */
static void after_fork(void)
{
        int status;
        pid_t pid;

        OK(x_put(S, K("file"), "x", 1, NULL));
        fflush(stdout);
        pid = fork();
        CHECK(pid >= 0);
        if (pid == 0) {
                struct wait *w = w_new();

                w->id = roma_aio_stat(S, K("file"), 0, NULL, w_done, w);
                if (w->id || !*roma_error(env.loop) || roma_stat(S, K("file"), 0, NULL, NULL) == 0 ||
                    roma_loop_run(env.loop) == 0)
                        _exit(1);
                _exit(0);
        }
        CHECK(waitpid(pid, &status, 0) == pid);
        CHECK(WIFEXITED(status));
        EQ(WEXITSTATUS(status), 0);
        HOLDS(S, K("file"), "x", 1);
}

static const struct test tests[] = {
        { "sentences", 0, sentences },
        { "the_servers_own_status", 0, the_servers_own_status },
        { "odd_bytes_in_a_sentence", 0, odd_bytes_in_a_sentence },
        { "bad_uris", 0, bad_uris },
        { "bad_places", 0, bad_places },
        { "no_secret_is_shown", 0, no_secret_is_shown },
        { "names_of_codes", 0, names_of_codes },
        { "bad_arguments", 0, bad_arguments },
        { "after_fork", 0, after_fork },
};
SUITE(errors, tests);
