/* SPDX-License-Identifier: MIT */
/* `roma conform` and servers that are wrong on purpose: each of them fails the check that is made for it, and no other
 * that the same server without the mistake passes. The servers run side by side, most of the time is waiting. */
#include <check.h>
#include <netinet/in.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <roma/conform.h>

#include "core/str.h"
#include "mfsproto/peer/peer.h"

/* One server and what the checks said of it. */
struct trial {
        enum mfs_peer_bug bug;
        const char *check; /* that must fail */
        const char *script, *filter;
        pthread_t thread;
        struct ri_str failed; /* names of checks, one a line */
        int code;
        unsigned passed;
        char why[500];
};

static void got(void *arg, const roma_conform_result *r)
{
        struct trial *t = arg;

        t->passed += r->verdict == ROMA_CONFORM_PASS;
        if (r->verdict == ROMA_CONFORM_FAIL || r->verdict == ROMA_CONFORM_UNSURE)
                ri_str_printf(&t->failed, "%s\n", r->check->name);
        if (getenv("CONFORM_TELL") && (*r->text || r->ns > 1000000000))
                printf("%d %s: %s (%llu ms)\n", t->bug, r->check->name, r->text,
                       (unsigned long long)(r->ns / 1000000));
}

static void *run(void *arg)
{
        struct mfs_peer_cfg cfg = { .servers = 3, .copies = 2 };
        roma_conform_opts opts = ROMA_CONFORM_OPTS_INIT;
        struct trial *t = arg;
        struct mfs_peer *peer;
        roma_conform *c;

        t->code = -1;
        cfg.bug = t->bug;
        peer = mfs_peer_new(&cfg, t->why, sizeof(t->why));
        if (!peer)
                return NULL;
        if (t->script && !mfs_peer_script(peer, t->script, t->why, sizeof(t->why))) {
                mfs_peer_free(peer);
                return NULL;
        }
        opts.uri = mfs_peer_uri(peer);
        opts.filter = t->filter;
        opts.result = got;
        opts.arg = t;
        c = roma_conform_new(&opts);
        if (c) {
                t->code = roma_conform_run(c);
                snprintf(t->why, sizeof(t->why), "%s", roma_conform_error(c));
        }
        roma_conform_free(c);
        mfs_peer_free(peer);
        return NULL;
}

#define TEXT .failed = RI_STR_INIT(1 << 16)

static struct trial trials[] = {
        { .bug = MFS_BUG_NONE, .check = NULL, TEXT },
        { .bug = MFS_BUG_TAKES_BAD_CRC, .check = "write/crc", TEXT },
        { .bug = MFS_BUG_TAKES_BLOCK_1024, .check = "write/block", TEXT },
        { .bug = MFS_BUG_CHAIN_STATUS, .check = "write/chain-crc", TEXT },
        { .bug = MFS_BUG_READ_CLIPPED, .check = "read/beyond", TEXT },
        { .bug = MFS_BUG_READ_PIPELINED, .check = "read/pipeline", TEXT },
        { .bug = MFS_BUG_READ_NO_ZERO, .check = "read/any-version", TEXT },
        { .bug = MFS_BUG_END_SHRINKS, .check = "chunk/end-shrink", TEXT },
        { .bug = MFS_BUG_END_ONCE, .check = "chunk/end-twice", TEXT },
        { .bug = MFS_BUG_READ_UNLOCKED, .check = "chunk/locked-read", TEXT },
        { .bug = MFS_BUG_NO_JUMP, .check = "chunk/later-index", TEXT },
        { .bug = MFS_BUG_SILENT, .check = "chunk/told", TEXT },
        { .bug = MFS_BUG_STALE_TAIL, .check = "write/truncate", TEXT },
        { .bug = MFS_BUG_MSGID_31, .check = "frame/msgid", TEXT },
        { .bug = MFS_BUG_STRANGERS, .check = "frame/unregistered", TEXT },
        { .bug = MFS_BUG_FSYNC, .check = "frame/fsync", TEXT },
        { .bug = MFS_BUG_RENAME_KEEPS, .check = "names/rename", TEXT },
        { .bug = MFS_BUG_CREATE_OPENS, .check = "names/exists", TEXT },
        { .bug = MFS_BUG_ANY_METAID, .check = "session/metaid", TEXT },
};
enum { TRIALS = sizeof(trials) / sizeof(trials[0]) };

/* What a server lacks that is no mistake: commands that the peer does not have. */
static bool has_line(const struct ri_str *s, const char *line, size_t n)
{
        for (const char *p = ri_str_cstr(s); *p; p += strcspn(p, "\n") + 1)
                if (strcspn(p, "\n") == n && !strncmp(p, line, n))
                        return true;
        return false;
}

static void compare(const struct trial *honest, const struct trial *t)
{
        for (const char *p = ri_str_cstr(&t->failed); *p; p += strcspn(p, "\n") + 1) {
                size_t n = strcspn(p, "\n");
                bool meant = strlen(t->check) == n && !strncmp(p, t->check, n);

                ck_assert_msg(meant || has_line(&honest->failed, p, n), "mistake %d also fails %.*s", t->bug,
                              (int)n, p);
        }
        ck_assert_msg(has_line(&t->failed, t->check, strlen(t->check)), "mistake %d does not fail %s", t->bug,
                      t->check);
        ck_assert_int_eq(t->code, 1);
        ck_assert_msg(!has_line(&honest->failed, t->check, strlen(t->check)), "%s fails without a mistake",
                      t->check);
}

/* What clients of `conform --serve` need, and the peer once did not have. */
static const char *const kept[] = { "locks/not-open", "locks/exclusive",   "locks/shared",
                                    "locks/waiting",  "locks/ranges",      "locks/free",
                                    "attrs/xattr",    "attrs/xattr-modes", "tree/quota" };

START_TEST(wrong_servers)
{
        int n = getenv("ROMA_VALGRIND") ? 3 : TRIALS;

        ck_assert_int_eq(TRIALS, MFS_BUGS);
        for (int i = 0; i < n; i++)
                ck_assert_int_eq(pthread_create(&trials[i].thread, NULL, run, &trials[i]), 0);
        for (int i = 0; i < n; i++)
                pthread_join(trials[i].thread, NULL);
        for (int i = 0; i < n; i++)
                ck_assert_msg(trials[i].code >= 0 && !*trials[i].why, "mistake %d: %s", trials[i].bug,
                              trials[i].why);
        ck_assert_uint_ge(trials[0].passed, 150);
        for (size_t i = 0; i < sizeof(kept) / sizeof(kept[0]); i++)
                ck_assert_msg(!has_line(&trials[0].failed, kept[i], strlen(kept[i])), "%s", kept[i]);
        for (int i = 1; i < n; i++)
                compare(&trials[0], &trials[i]);
        for (int i = 0; i < n; i++)
                ri_str_free(&trials[i].failed);
}
END_TEST

/* Servers whose answers make no sense: something fails, and the run comes to its end. */
static struct trial broken[] = {
        { .script = "master MATOCL_FUSE_LOOKUP * truncate 3", .filter = "names/", TEXT },
        { .script = "master MATOCL_FUSE_READDIR * truncate 2", .filter = "names/", TEXT },
        { .script = "master MATOCL_FUSE_GETATTR * msgid", .filter = "frame/", TEXT },
        { .script = "master MATOCL_FUSE_REGISTER * cut 20", .filter = "session/", TEXT },
        { .script = "master MATOCL_FUSE_GETATTR 3 garbage 100", .filter = "frame/", TEXT },
        { .script = "master MATOCL_FUSE_WRITE_CHUNK * truncate 7", .filter = "write/", TEXT },
        { .script = "master MATOCL_FUSE_READ_CHUNK * cut 9", .filter = "chunk/", TEXT },
        { .script = "cs CSTOCL_READ_DATA * short", .filter = "read/", TEXT },
        { .script = "cs CSTOCL_READ_DATA * wrongid", .filter = "read/", TEXT },
        { .script = "cs CSTOCL_READ_DATA * crc", .filter = "read/", TEXT },
        { .script = "cs CSTOCL_READ_DATA * cut 30", .filter = "read/", TEXT },
        { .script = "cs CSTOCL_READ_DATA 2 garbage 64", .filter = "read/whole", TEXT },
        { .script = "cs CSTOCL_WRITE_STATUS * dup", .filter = "write/", TEXT },
        { .script = "cs CSTOCL_WRITE_STATUS * status 22", .filter = "write/", TEXT },
        { .script = "cs CSTOAN_CHUNK_CHECKSUM_TAB * truncate 5", .filter = "diagnose/", TEXT },
        { .script = "master MATOCL_FUSE_CHUNK_HAS_CHANGED * truncate 25", .filter = "chunk/told", TEXT },
};
enum { BROKEN = sizeof(broken) / sizeof(broken[0]) };

START_TEST(broken_servers)
{
        int n = getenv("ROMA_VALGRIND") ? 3 : BROKEN;

        for (int i = 0; i < n; i++)
                ck_assert_int_eq(pthread_create(&broken[i].thread, NULL, run, &broken[i]), 0);
        for (int i = 0; i < n; i++) {
                pthread_join(broken[i].thread, NULL);
                ri_str_free(&broken[i].failed);
        }
        for (int i = 0; i < n; i++)
                ck_assert_msg(broken[i].code == 1 || broken[i].code == 2, "%s: code %d %s", broken[i].script,
                              broken[i].code, broken[i].why);
}
END_TEST

/* A master that says nothing but NOPs, without a pause. */
static void *flood(void *arg)
{
        enum { SIZE = 12 * 1000 };
        int fd = accept(*(int *)arg, NULL, NULL);
        uint8_t *all = calloc(1, SIZE);

        for (size_t i = 0; all && i < SIZE; i += 12)
                all[i + 7] = 4; /* type 0, 4 bytes, msgid 0 */
        while (all && fd >= 0 && send(fd, all, SIZE, MSG_NOSIGNAL) > 0)
                ;
        close(fd);
        free(all);
        return NULL;
}

static void *stop_soon(void *arg)
{
        usleep(300000);
        roma_conform_stop(arg);
        return NULL;
}

/* Ctrl-C ends it also when there is always something to read. */
START_TEST(flooded)
{
        struct sockaddr_in at = { .sin_family = AF_INET };
        roma_conform_opts opts = ROMA_CONFORM_OPTS_INIT;
        int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
        socklen_t size = sizeof(at);
        pthread_t server, stopper;
        roma_conform *c;
        char uri[60];

        at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        ck_assert(fd >= 0 && !bind(fd, (struct sockaddr *)&at, sizeof(at)) && !listen(fd, 1));
        ck_assert_int_eq(getsockname(fd, (struct sockaddr *)&at, &size), 0);
        snprintf(uri, sizeof(uri), "mfs://127.0.0.1:%u/", ntohs(at.sin_port));
        opts.uri = uri;
        c = roma_conform_new(&opts);
        ck_assert_ptr_nonnull(c);
        ck_assert_int_eq(pthread_create(&server, NULL, flood, &fd), 0);
        ck_assert_int_eq(pthread_create(&stopper, NULL, stop_soon, c), 0);
        ck_assert_int_eq(roma_conform_run(c), 2);
        ck_assert_msg(strstr(roma_conform_error(c), "stopped") != NULL, "%s", roma_conform_error(c));
        pthread_join(stopper, NULL);
        roma_conform_free(c);
        pthread_join(server, NULL);
        close(fd);
}
END_TEST

/* Each folder holds itself: tidying up comes to an end. */
START_TEST(endless_folders)
{
        struct mfs_peer_cfg cfg = { .endless = true };
        roma_conform_opts opts = ROMA_CONFORM_OPTS_INIT;
        struct mfs_peer *peer;
        roma_conform *c;
        char why[200];

        peer = mfs_peer_new(&cfg, why, sizeof(why));
        ck_assert_msg(peer != NULL, "%s", why);
        opts.uri = mfs_peer_uri(peer);
        opts.filter = "frame/msgid";
        c = roma_conform_new(&opts);
        ck_assert_ptr_nonnull(c);
        ck_assert_int_eq(roma_conform_run(c), 2);
        ck_assert_msg(strstr(roma_conform_error(c), "could not be removed") != NULL, "%s",
                      roma_conform_error(c));
        roma_conform_free(c);
        mfs_peer_free(peer);
}
END_TEST

int main(void)
{
        Suite *s = suite_create("conform");
        TCase *t = tcase_create("servers");
        SRunner *r;
        int failed;

        tcase_set_timeout(t, 300);
        tcase_add_test(t, wrong_servers);
        tcase_add_test(t, broken_servers);
        tcase_add_test(t, flooded);
        tcase_add_test(t, endless_folders);
        suite_add_tcase(s, t);
        r = srunner_create(s);
        srunner_run_all(r, CK_ENV);
        failed = srunner_ntests_failed(r);
        srunner_free(r);
        return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
