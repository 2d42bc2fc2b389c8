/* SPDX-License-Identifier: MIT */
/* Changes of names whose connection ends before the master has read them, or before its answer is read: each must end
 * well, exactly once made, or say that it is not known. Against the peer, for masters of both versions. */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <roma/roma.h>

#include "mfsproto/peer/peer.h"

static struct mfs_peer *peer;
static roma_loop *loop;
static roma_store *store;

static void must(int result)
{
        ck_assert_msg(result == 0, "%s", roma_error(loop));
}

static void start(uint32_t version)
{
        struct mfs_peer_cfg cfg = { .master_version = version };
        char why[200];

        peer = mfs_peer_new(&cfg, why, sizeof(why));
        ck_assert_msg(peer != NULL, "%s", why);
        ck_assert(mfs_peer_plant(peer, "file", "abc", 3));
        loop = roma_loop_new();
        store = roma_store_open(loop, mfs_peer_uri(peer), NULL);
        ck_assert_msg(store != NULL, "%s", roma_error(loop));
        must(roma_mkdir(store, "dir", 0755, 0, NULL));
}

static void stop(void)
{
        struct ri_str text = RI_STR_INIT(1 << 16);
        roma_stats stats = { .size = sizeof(stats) };

        roma_store_close(store);
        roma_loop_stats(loop, &stats);
        ck_assert_uint_eq(stats.operations + stats.stores + stats.files + stats.connections + stats.timers,
                          0);
        roma_loop_free(loop);
        ck_assert_msg(mfs_peer_violations(peer, &text) == 0, "%s", ri_str_cstr(&text));
        ri_str_free(&text);
        mfs_peer_free(peer);
}

static bool there(const char *path)
{
        struct mfs_peer_file f;

        return mfs_peer_stat(peer, path, &f);
}

static int do_unlink(void)
{
        return roma_unlink(store, "file", 0, NULL);
}

static int do_purge(void)
{
        return roma_unlink(store, "file", ROMA_UNLINK_NO_TRASH, NULL);
}

static int do_rmdir(void)
{
        return roma_rmdir(store, "dir", NULL);
}

static int do_mkdir(void)
{
        return roma_mkdir(store, "new", 0755, 0, NULL);
}

static int do_rename(void)
{
        return roma_rename(store, "file", "new", 0, NULL);
}

static int do_rename_dir(void)
{
        return roma_rename(store, "dir", "new", 0, NULL);
}

static int do_noreplace(void)
{
        return roma_rename(store, "file", "new", ROMA_RENAME_NOREPLACE, NULL);
}

static int do_link(void)
{
        return roma_link(store, "file", "new", NULL);
}

static int do_symlink(void)
{
        return roma_symlink(store, "../some where", "new", NULL);
}

static int do_setattr(void)
{
        roma_attr attr = ROMA_ATTR_INIT;

        attr.mask = ROMA_ATTR_MODE;
        attr.mode = 0600;
        return roma_setattr(store, "file", &attr, 0, NULL);
}

static int create(const char *key, unsigned flags)
{
        roma_file *f = roma_file_open(store, key, ROMA_O_WRITE | ROMA_O_CREATE | flags, 0644, NULL);

        return f ? roma_file_close(f, NULL) : -1;
}

static int do_create(void)
{
        return create("new", 0);
}

static int do_create_excl(void)
{
        return create("new", ROMA_O_EXCL);
}

static int do_create_temp(void)
{
        return create(".roma~0123456789abcdef", ROMA_O_EXCL);
}

static int do_open(void)
{
        return create("file", 0);
}

/* The packet whose request or answer is lost, and what is there afterwards. unknown: when the answer is lost. */
static const struct lost {
        const char *packet; /* without CLTOMA_FUSE_ */
        int (*fn)(void);
        const char *gone, *made;
        bool unknown;
        uint32_t version;
} cases[] = {
        { "UNLINK", do_unlink, "file", NULL, false, 0 },
        { "UNLINK", do_purge, "file", NULL, false, 0 },
        { "SETTRASHRETENTION", do_purge, "file", NULL, false, 0 },
        { "LOOKUP", do_unlink, "file", NULL, false, 0 },
        { "RMDIR", do_rmdir, "dir", NULL, false, 0 },
        { "MKDIR", do_mkdir, NULL, "new", true, 0 },
        { "RENAME", do_rename, "file", "new", false, 0 },
        { "RENAME", do_rename_dir, "dir", "new", false, 0 },
        { "LINK", do_noreplace, "file", "new", false, 0 },
        { "UNLINK", do_noreplace, "file", "new", false, 0 },
        { "RENAME", do_noreplace, "file", "new", false, WIRE_VER(4, 59, 2) },
        { "LINK", do_link, NULL, "new", false, 0 },
        { "SYMLINK", do_symlink, NULL, "new", false, 0 },
        { "SETATTR", do_setattr, NULL, "file", false, 0 },
        { "CREATE", do_create, NULL, "new", false, 0 },
        { "CREATE", do_create_excl, NULL, "new", true, 0 },
        { "CREATE", do_create_temp, NULL, ".roma~0123456789abcdef", false, 0 },
        { "OPEN", do_open, NULL, "file", false, 0 },
};
enum { CASES = sizeof(cases) / sizeof(cases[0]) };

static void script(const char *what, const struct lost *l, const char *action)
{
        char line[100], why[200];

        snprintf(line, sizeof(line), "master %s_FUSE_%s 1 %s", what, l->packet, action);
        ck_assert_msg(mfs_peer_script(peer, line, why, sizeof(why)), "%s: %s", line, why);
}

static void check_made(const struct lost *l)
{
        ck_assert_uint_eq(mfs_peer_fired(peer), 1);
        ck_assert_msg(!l->gone || !there(l->gone), "%s is still there", l->gone);
        ck_assert_msg(!l->made || there(l->made), "%s is not there", l->made);
}

START_TEST(request_lost)
{
        static const char *const actions[] = { "close", "reset" };
        const struct lost *l = &cases[_i / 2];

        start(l->version);
        script("CLTOMA", l, actions[_i % 2]);
        must(l->fn());
        check_made(l);
        stop();
}
END_TEST

START_TEST(answer_lost)
{
        static const char *const actions[] = { "close", "cut 6" };
        const struct lost *l = &cases[_i / 2];

        start(l->version);
        script("MATOCL", l, actions[_i % 2]);
        if (l->unknown) {
                ck_assert_int_eq(l->fn(), -1);
                ck_assert_int_eq(roma_last(loop)->outcome, ROMA_UNKNOWN);
                ck_assert_int_eq(roma_last(loop)->code, ROMA_ECLOSED);
        } else {
                must(l->fn());
        }
        check_made(l);
        stop();
}
END_TEST

/* The same once more on top: the connection on which the look is taken is lost as well. */
START_TEST(look_lost)
{
        const struct lost *l = &cases[_i];
        char why[200];

        start(l->version);
        script("MATOCL", l, "close");
        ck_assert(mfs_peer_script(peer,
                                  "master CLTOMA_FUSE_LOOKUP 2 close\nmaster MATOCL_FUSE_LOOKUP 3 close", why,
                                  sizeof(why)));
        if (l->fn() < 0) {
                ck_assert(l->unknown);
                ck_assert_int_eq(roma_last(loop)->outcome, ROMA_UNKNOWN);
        }
        ck_assert(!l->gone || !there(l->gone));
        ck_assert(!l->made || there(l->made));
        stop();
}
END_TEST

/* Refusals are no losses: nothing is tried again, nothing is unknown. */
START_TEST(refused)
{
        const struct lost *l = &cases[_i];
        char line[100], why[200];

        start(l->version);
        snprintf(line, sizeof(line), "master CLTOMA_FUSE_%s 1 status 34", l->packet);
        ck_assert_msg(mfs_peer_script(peer, line, why, sizeof(why)), "%s", why);
        if (!strcmp(l->packet, "SETTRASHRETENTION")) {
                must(l->fn()); /* the trash is none of the removal's business */
        } else {
                ck_assert_int_eq(l->fn(), -1);
                ck_assert_int_eq(roma_last(loop)->code, ROMA_EQUOTA);
                ck_assert_int_eq(roma_last(loop)->server_status, 34);
                ck_assert_str_eq(roma_last(loop)->status_name, "QUOTA");
                if (l->fn != do_noreplace)
                        ck_assert_int_eq(roma_last(loop)->outcome, ROMA_NOT_DONE);
        }
        stop();
}
END_TEST

struct end {
        bool done;
        int code, outcome;
};

static void ended(void *arg, const roma_result *r)
{
        struct end *e = arg;

        e->done = true;
        e->code = r->code;
        e->outcome = r->outcome;
}

/* The answer to a commit is lost, and before we look another client has replaced the object: it was there for a moment. */
START_TEST(replaced_meanwhile)
{
        roma_loop *loop2 = roma_loop_new();
        struct end e = { 0 };
        roma_store *store2;
        roma_writer *w;
        char why[200];

        start(0);
        store2 = roma_store_open(loop2, mfs_peer_uri(peer), NULL);
        ck_assert_ptr_nonnull(store2);
        w = roma_writer_open(store, "new", NULL);
        ck_assert_ptr_nonnull(w);
        must(roma_writer_write(w, "ours", 4, NULL));
        ck_assert_msg(mfs_peer_script(peer, "master MATOCL_FUSE_RENAME 1 close", why, sizeof(why)), "%s",
                      why);
        ck_assert(roma_aio_writer_commit(w, NULL, ended, &e));
        while (!mfs_peer_fired(peer))
                roma_loop_turn(loop, 1);
        ck_assert(there("new"));
        w = roma_writer_open(store2, "new", NULL);
        ck_assert_ptr_nonnull(w);
        ck_assert_int_eq(roma_writer_commit(w, NULL), 0);
        while (!e.done)
                roma_loop_turn(loop, -1);
        ck_assert_int_eq(e.code, ROMA_ECLOSED);
        ck_assert_int_eq(e.outcome, ROMA_UNKNOWN);
        roma_loop_free(loop2);
        stop();
}
END_TEST

/* A rename that may not replace is two changes for a master of version 3. When only the first was made, the new name is
 * there, and "not done" would be a lie. */
START_TEST(half_a_rename)
{
        char why[200];

        start(0);
        ck_assert_msg(mfs_peer_script(peer, "master CLTOMA_FUSE_UNLINK * close", why, sizeof(why)), "%s",
                      why);
        ck_assert_int_eq(do_noreplace(), -1);
        ck_assert_int_eq(roma_last(loop)->code, ROMA_ECLOSED);
        ck_assert_int_eq(roma_last(loop)->outcome, ROMA_UNKNOWN);
        ck_assert(there("file") && there("new"));
        stop();
}
END_TEST

static roma_op start_setattr(struct end *e)
{
        roma_attr attr = ROMA_ATTR_INIT;

        attr.mask = ROMA_ATTR_MODE;
        attr.mode = 0600;
        return roma_aio_setattr(store, "file", &attr, 0, NULL, ended, e);
}

static roma_op start_empty(struct end *e)
{
        return roma_aio_file_open(store, "file", ROMA_O_WRITE | ROMA_O_TRUNC, 0, NULL, ended, e);
}

static roma_op start_folders(struct end *e)
{
        return roma_aio_mkdir(store, "a/b", 0755, ROMA_MKDIR_PARENTS, NULL, ended, e);
}

static void end_with(struct end *e, int code, int outcome)
{
        while (!e->done)
                roma_loop_turn(loop, -1);
        ck_assert_int_eq(e->code, code);
        ck_assert_int_eq(e->outcome, outcome);
}

/* Changes that end before their answer comes: what was sent may have been made, what was not was not. */
START_TEST(given_up)
{
        static const struct {
                const char *line;
                roma_op (*start)(struct end *e);
                int code, outcome; /* ECANCELED: when the line has come true */
        } t[] = {
                { "master CLTOMA_FUSE_LOOKUP 1 drop", start_setattr, ROMA_ECANCELED, ROMA_NOT_DONE },
                { "master CLTOMA_FUSE_SETATTR 1 drop", start_setattr, ROMA_ECANCELED, ROMA_UNKNOWN },
                { "master MATOCL_FUSE_SETATTR 1 truncate 5", start_setattr, ROMA_EPROTOCOL, ROMA_UNKNOWN },
                { "master CLTOMA_FUSE_OPEN 1 drop", start_empty, ROMA_ECANCELED, ROMA_NOT_DONE },
                { "master CLTOMA_FUSE_TRUNCATE 1 drop", start_empty, ROMA_ECANCELED, ROMA_UNKNOWN },
                { "master CLTOMA_FUSE_TRUNCATE 1 status 34", start_empty, ROMA_EQUOTA, ROMA_NOT_DONE },
                { "master CLTOMA_FUSE_TRUNCATE 1 close\nmaster CLTOMA_FUSE_TRUNCATE 2 status 34", start_empty,
                  ROMA_EQUOTA, ROMA_UNKNOWN },
                { "master CLTOMA_FUSE_LOOKUP 1 drop", start_folders, ROMA_ECANCELED, ROMA_NOT_DONE },
                { "master CLTOMA_FUSE_MKDIR 1 drop", start_folders, ROMA_ECANCELED, ROMA_UNKNOWN },
        };
        struct end e = { 0 };
        char why[200];
        roma_op id;

        start(0);
        ck_assert_msg(mfs_peer_script(peer, t[_i].line, why, sizeof(why)), "%s", why);
        id = t[_i].start(&e);
        while (t[_i].code == ROMA_ECANCELED && !mfs_peer_fired(peer))
                roma_loop_turn(loop, 1);
        if (t[_i].code == ROMA_ECANCELED)
                roma_cancel(loop, id);
        end_with(&e, t[_i].code, t[_i].outcome);
        stop();
}
END_TEST

/* The first of two is lost, the second is refused: who knows what became of the first. */
START_TEST(set_twice)
{
        struct end e = { 0 };
        char why[200];

        start(0);
        ck_assert_msg(mfs_peer_script(peer,
                                      "master MATOCL_FUSE_SETATTR 1 close\n"
                                      "master CLTOMA_FUSE_SETATTR 2 status 34",
                                      why, sizeof(why)),
                      "%s", why);
        start_setattr(&e);
        end_with(&e, ROMA_EQUOTA, ROMA_UNKNOWN);
        stop();
}
END_TEST

int main(void)
{
        Suite *s = suite_create("mfs-lost");
        TCase *tc = tcase_create("mfs-lost");
        SRunner *sr;
        int failed;

        tcase_set_timeout(tc, 60);
        tcase_add_loop_test(tc, request_lost, 0, 2 * CASES);
        tcase_add_loop_test(tc, answer_lost, 0, 2 * CASES);
        tcase_add_loop_test(tc, look_lost, 0, CASES);
        tcase_add_loop_test(tc, refused, 0, CASES);
        tcase_add_test(tc, replaced_meanwhile);
        tcase_add_test(tc, half_a_rename);
        tcase_add_loop_test(tc, given_up, 0, 9);
        tcase_add_test(tc, set_twice);
        suite_add_tcase(s, tc);
        sr = srunner_create(s);
        srunner_run_all(sr, CK_ENV);
        failed = srunner_ntests_failed(sr);
        srunner_free(sr);
        return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
