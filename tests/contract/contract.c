/* SPDX-License-Identifier: MIT */
/* The contract suite: what the headers promise, checked against any store.
 *
 *   contract URI [--loop own|ev|fd] [--seed N] [--only WORD] [--except WORD] [--list]
 *
 * Works in a folder of its own under URI and removes it. One line for each check; exit 1 when one failed. */
#include "check.h"

#include <dirent.h>
#include <ftw.h>
#include <getopt.h>
#include <inttypes.h>
#include <signal.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

extern const struct suite suite_names, suite_keys, suite_lists, suite_files, suite_inplace, suite_writers,
        suite_streams, suite_transfers, suite_local, suite_errors, suite_async, suite_cancel, suite_closing,
        suite_uploads;
static const struct suite *const suites[] = { &suite_names,   &suite_keys,      &suite_lists,
                                              &suite_files,   &suite_inplace,   &suite_writers,
                                              &suite_streams, &suite_transfers, &suite_local,
                                              &suite_errors,  &suite_async,     &suite_cancel,
                                              &suite_closing, &suite_uploads };
enum { SUITES = sizeof(suites) / sizeof(suites[0]) };

static struct options {
        const char *uri;
        enum drive drive;
        const char *only, *except;
        unsigned limit; /* seconds for one test */
        char *scratch;  /* URI of the run's folder */
        char name[32];  /* its name */
} opt;
static unsigned passed, failed, skipped;
static char running[128];

static void hung(int sig)
{
        static const char words[] = "FAIL hung: ";

        (void)sig;
        if (write(1, words, sizeof(words) - 1) < 0 || write(1, running, strlen(running)) < 0 ||
            write(1, "\n", 1) < 0)
                _exit(3);
        abort(); /* the core or the debugger shows where */
}

static unsigned open_fds(void)
{
        DIR *d = opendir("/proc/self/fd");
        unsigned n = 0;

        while (d && readdir(d))
                n++;
        if (d)
                closedir(d);
        return n;
}

/* "scheme://place?options" + "/name" */
static char *below(const char *uri, const char *name)
{
        size_t path = strcspn(uri, "?");
        char *s = NULL;

        while (path && uri[path - 1] == '/')
                path--;
        if (asprintf(&s, "%.*s/%s%s", (int)path, uri, name, uri + strcspn(uri, "?")) < 0)
                abort();
        return s;
}

static void open_or_die(const char *uri)
{
        if (env_open(opt.drive, uri, NULL) < 0) {
                printf("FAIL cannot open %s\n", uri);
                exit(1);
        }
}

/* Where keys are just names, there is nothing to make: NULL. */
static const struct res *env_folder(const char *key)
{
        return env.caps & ROMA_CAP_DIRS ? x_mkdir(env.store, key, 0755, 0) : NULL;
}

static void make_scratch(void)
{
        const struct res *r;

        open_or_die(opt.uri);
        snprintf(opt.name, sizeof(opt.name), "contract-%08" PRIx64,
                 (rnd() ^ (uint64_t)time(NULL) << 16 ^ (uint64_t)getpid()) & 0xffffffff);
        r = env_folder(opt.name);
        if (r && r->code != ROMA_OK) {
                printf("FAIL mkdir %s: %s\n", opt.name, r->message);
                exit(1);
        }
        env_close();
        env_free_memory();
        opt.scratch = below(opt.uri, opt.name);
}

/* Everything below `prefix`, deepest last, is removed backwards. */
static const char *remove_tree(const char *prefix)
{
        roma_list_opts lo = ROMA_LIST_OPTS_INIT;
        const struct res *r;

        lo.max = 10000;
        lo.flags = ROMA_LIST_TEMPORARIES | (env.caps & ROMA_CAP_DIRS ? ROMA_LIST_DIRS : 0);
        for (;;) {
                r = x_list(env.store, prefix, &lo);
                if (r->code != ROMA_OK)
                        return r->message;
                if (r->r.list->count == 0)
                        return NULL;
                for (size_t i = r->r.list->count; i-- > 0;) {
                        char *key = text("%s", r->r.list->entry[i].key);
                        size_t len = strlen(key);
                        const struct res *u;

                        if (env.caps & ROMA_CAP_DIRS && len && key[len - 1] == '/') {
                                key[len - 1] = 0;
                                u = x_rmdir(env.store, key);
                        } else {
                                u = x_unlink(env.store, key, ROMA_UNLINK_NO_TRASH);
                        }
                        if (u->code != ROMA_OK && !(r->r.list->more && u->code == ROMA_ENOTEMPTY))
                                return u->message;
                }
        }
}

static void clean_up(void)
{
        const char *why;
        const struct res *r;

        alarm(120);
        snprintf(running, sizeof(running), "the clean-up");
        open_or_die(opt.uri);
        why = remove_tree(text("%s/", opt.name));
        if (!why && env.caps & ROMA_CAP_DIRS) {
                r = x_rmdir(env.store, opt.name);
                if (r->code != ROMA_OK)
                        why = r->message;
        }
        if (why) {
                failed++;
                printf("FAIL clean-up: %s\n", why);
        }
        env_close();
        env_free_memory();
}

/* What a test that passed may leave: nothing of its own. Ends that nobody waited for get a moment. */
static const char *leftovers(void)
{
        roma_stats st = stats();

        for (int i = 0; i < 100; i++) {
                if (!(st.operations | st.files | st.writers | st.readers | st.buffers | st.buffer_bytes |
                      st.queued_for_buffers))
                        return NULL;
                w_ms(20);
                st = stats();
        }
        return text("after the test roma_loop_stats() shows operations %" PRIu64 " files %" PRIu64
                    " writers %" PRIu64 " readers %" PRIu64 " buffers %" PRIu64 " (%" PRIu64
                    " bytes) queued %" PRIu64,
                    st.operations, st.files, st.writers, st.readers, st.buffers, st.buffer_bytes,
                    st.queued_for_buffers);
}

static const char *all_zero(void)
{
        roma_stats st;

        if (env.other)
                x_store_close(env.other);
        if (env.store)
                x_store_close(env.store);
        env.other = env.store = NULL;
        for (int i = 0; i < 100; i++) {
                st = stats();
                if (!(st.operations | st.stores | st.files | st.writers | st.readers | st.connections |
                      st.descriptors | st.timers | st.buffers | st.buffer_bytes | st.queued_for_buffers |
                      st.threads | st.jobs | st.stuck_threads | st.stuck_bytes))
                        return NULL;
                w_ms(50);
        }
        return text("after the last close: operations %" PRIu64 " stores %" PRIu64 " files %" PRIu64
                    " writers %" PRIu64 " readers %" PRIu64 " connections %" PRIu64 " descriptors %" PRIu64
                    " timers %" PRIu64 " buffers %" PRIu64 "/%" PRIu64 " queued %" PRIu64 " threads %" PRIu64
                    " jobs %" PRIu64 " stuck %" PRIu64 "/%" PRIu64,
                    st.operations, st.stores, st.files, st.writers, st.readers, st.connections,
                    st.descriptors, st.timers, st.buffers, st.buffer_bytes, st.queued_for_buffers, st.threads,
                    st.jobs, st.stuck_threads, st.stuck_bytes);
}

static void run_one(const struct suite *suite, const struct test *t)
{
        const char *left;

        if (!env.loop)
                open_or_die(opt.scratch);
        env.nr++;
        env.why = NULL;
        env.skipped = false;
        /* A test's data depend on the seed and its place, not on which tests ran before. */
        env.rnd = env.seed + 1000003 * env.nr;
        snprintf(running, sizeof(running), "%s.%s", suite->name, t->name);
        alarm(opt.limit);
        if ((env.caps & t->caps) != t->caps) {
                env.skipped = true;
                env.why = text("capability");
        } else {
                const struct res *r = env_folder(text("t%u", env.nr));

                if (r && r->code != ROMA_OK)
                        check_fail(__FILE__, __LINE__, "mkdir: %s", r->message);
                else
                        t->fn();
        }
        if (!env.why && (left = w_check()))
                check_fail(__FILE__, __LINE__, "%s", left);
        if (!env.why && (left = leftovers()))
                check_fail(__FILE__, __LINE__, "%s", left);
        if (env.skipped) {
                skipped++;
                printf("skip %s (%s)\n", running, env.why);
        } else if (env.why) {
                failed++;
                printf("FAIL %s %s\n", running, env.why);
                /* Nothing is known about what it left. */
                env_close();
        } else {
                passed++;
                printf("ok   %s\n", running);
        }
        fflush(stdout);
        alarm(0);
        env_free_memory();
}

static void run_all(void)
{
        unsigned nr = 0, fds;
        const char *why;

        make_scratch();
        fds = open_fds();
        for (size_t i = 0; i < SUITES; i++)
                for (size_t k = 0; k < suites[i]->n; k++, nr++) {
                        const char *name = text("%s.%s", suites[i]->name, suites[i]->test[k].name);

                        env.nr = nr;
                        if ((!opt.only || strstr(name, opt.only)) &&
                            (!opt.except || !strstr(name, opt.except)))
                                run_one(suites[i], &suites[i]->test[k]);
                }
        snprintf(running, sizeof(running), "the end");
        alarm(opt.limit);
        if (env.loop && (why = all_zero())) {
                failed++;
                printf("FAIL %s\n", why);
        }
        if (env.loop)
                env_close();
        if (open_fds() != fds) {
                failed++;
                printf("FAIL descriptors: expected %u got %u\n", fds, open_fds());
        }
        env_free_memory();
        clean_up();
}

static int remove_one(const char *path, const struct stat *st, int kind, struct FTW *ftw)
{
        (void)st;
        (void)kind;
        (void)ftw;
        return remove(path);
}

static int usage(void)
{
        fprintf(stderr, "usage: contract URI [--loop own|ev|fd] [--seed N] [--only WORD] [--except WORD] "
                        "[--limit SECONDS] "
                        "[--list]\n");
        return 2;
}

static int list_tests(void)
{
        for (size_t i = 0; i < SUITES; i++)
                for (size_t k = 0; k < suites[i]->n; k++)
                        printf("%s.%s\n", suites[i]->name, suites[i]->test[k].name);
        return 0;
}

static bool drive_from(const char *word)
{
        static const char *const words[] = { "own", "ev", "fd" };

        for (int i = 0; i < 3; i++)
                if (strcmp(word, words[i]) == 0) {
                        opt.drive = (enum drive)i;
                        return true;
                }
        return false;
}

int main(int argc, char **argv)
{
        static const struct option longs[] = { { "loop", 1, NULL, 'l' },  { "seed", 1, NULL, 's' },
                                               { "only", 1, NULL, 'o' },  { "except", 1, NULL, 'x' },
                                               { "limit", 1, NULL, 't' }, { "list", 0, NULL, 'L' },
                                               { NULL, 0, NULL, 0 } };
        char local[] = "/tmp/contract-XXXXXX";
        int c;

        opt.limit = 120;
        env.seed = (uint64_t)time(NULL) * 1000003u + (uint64_t)getpid();
        while ((c = getopt_long(argc, argv, "", longs, NULL)) != -1)
                switch (c) {
                case 'l':
                        if (!drive_from(optarg))
                                return usage();
                        break;
                case 's': env.seed = strtoull(optarg, NULL, 0); break;
                case 'o': opt.only = optarg; break;
                case 'x': opt.except = optarg; break;
                case 't': opt.limit = (unsigned)strtoul(optarg, NULL, 0); break;
                case 'L': return list_tests();
                default: return usage();
                }
        if (optind + 1 != argc)
                return usage();
        opt.uri = argv[optind];
        if (!mkdtemp(local)) {
                perror(local);
                return 1;
        }
        env.local = local;
        env.rnd = env.seed;
        printf("contract %s --seed %" PRIu64 "\n", opt.uri, env.seed);
        sigaction(SIGALRM, &(struct sigaction){ .sa_handler = hung }, NULL);
        /* The library must not depend on it being ignored. */
        sigaction(SIGPIPE, &(struct sigaction){ .sa_handler = SIG_DFL }, NULL);
        run_all();
        nftw(local, remove_one, 20, FTW_DEPTH | FTW_PHYS);
        free(opt.scratch);
        printf("%u passed, %u failed, %u skipped\n", passed, failed, skipped);
        return failed != 0;
}
