/* SPDX-License-Identifier: MIT */
/* What can be done with names: stat, mkdir, rmdir, unlink, rename, link, symbolic links, setattr, statfs, ping. */
#include "check.h"

#include <unistd.h>

static void stat_root(void)
{
        const struct res *r = x_stat(S, "", 0);

        OK(r);
        CHECK(r->r.attr);
        CHECK(r->attr.mask & ROMA_ATTR_TYPE);
        EQ(r->attr.type, ROMA_TYPE_DIR);
        if (!(env.caps & ROMA_CAP_DIRS)) {
                /* A part of a key is no thing of its own. */
                CODE(x_stat(S, text("t%u", env.nr), 0), ROMA_ENOENT);
                return;
        }
        r = x_stat(S, text("t%u", env.nr), 0);
        OK(r);
        EQ(r->attr.type, ROMA_TYPE_DIR);
}

static void stat_object(void)
{
        const struct res *r;
        const char *k = K("object");

        CODE(x_stat(S, k, 0), ROMA_ENOENT);
        CODE(x_stat(S, K("no/such/folder"), 0), ROMA_ENOENT);
        OK(x_put(S, k, "12345", 5, NULL));
        r = x_stat(S, k, 0);
        OK(r);
        EQ(r->attr.mask & (ROMA_ATTR_TYPE | ROMA_ATTR_LENGTH), ROMA_ATTR_TYPE | ROMA_ATTR_LENGTH);
        EQ(r->attr.type, ROMA_TYPE_FILE);
        EQ(r->attr.length, 5);
        CHECK(r->r.outcome == ROMA_DONE || r->r.outcome == ROMA_NOT_DONE);
        EQ_STR(r->message, "");
        CODE(x_stat(S, K("object/below"), 0), env.caps & ROMA_CAP_DIRS ? ROMA_ENOTDIR : ROMA_ENOENT);
}

/* On stores without folders: as long as a key begins so, and only at a slash. The slash has to be said where only a look at all
 * names would tell (plain objects of RADOS). */
static void stat_above(void)
{
        const bool plain = strncmp(env.uri, "rados:", 6) == 0 && env.caps & ROMA_CAP_INPLACE;
        const struct res *r;

        if (env.caps & ROMA_CAP_DIRS || plain)
                SKIP("%s", plain ? "plain objects" : "folders");
        OK(x_put(S, K("above/below/object"), "1", 1, NULL));
        CODE(x_stat(S, K("abo"), 0), ROMA_ENOENT);
        CODE(x_stat(S, K("above/below/object/more"), 0), ROMA_ENOENT);
        r = x_stat(S, K("above"), 0);
        OK(r);
        EQ(r->attr.type, ROMA_TYPE_DIR);
        r = x_stat(S, K("above/below"), 0);
        OK(r);
        EQ(r->attr.type, ROMA_TYPE_DIR);
        CODE(x_open(S, K("above"), ROMA_O_READ, 0), ROMA_ENOENT);
        OK(x_put(S, K("above"), "12", 2, NULL));
        r = x_stat(S, K("above"), 0);
        OK(r);
        EQ(r->attr.type, ROMA_TYPE_FILE);
        OK(x_unlink(S, K("above"), 0));
        OK(x_unlink(S, K("above/below/object"), 0));
        CODE(x_stat(S, K("above"), 0), ROMA_ENOENT);
}

static void etag_changes(void)
{
        const char *k = K("object");
        char first[72];
        const struct res *r;

        OK(x_put(S, k, "aaaaa", 5, NULL));
        r = x_stat(S, k, 0);
        OK(r);
        if (!(r->attr.mask & ROMA_ATTR_ETAG))
                SKIP("no etag");
        memcpy(first, r->attr.etag, sizeof(first));
        CHECK(memchr(first, 0, sizeof(first)));
        CHECK(first[0]);
        r = x_stat(other(), k, 0);
        OK(r);
        EQ_STR(r->attr.etag, first);
        OK(x_put(S, k, "bbbbb", 5, NULL));
        r = x_stat(S, k, 0);
        OK(r);
        CHECK(strcmp(r->attr.etag, first) != 0);
}

static void mkdir_and_rmdir(void)
{
        const char *k = K("folder");
        const struct res *r;

        OK(x_mkdir(S, k, 0750, 0));
        r = x_stat(other(), k, 0);
        OK(r);
        EQ(r->attr.type, ROMA_TYPE_DIR);
        if (env.caps & ROMA_CAP_MODE)
                EQ(r->attr.mode, 0750);
        CODE(x_mkdir(S, k, 0755, 0), ROMA_EEXIST);
        CODE(x_mkdir(S, K("none/folder"), 0755, 0), ROMA_ENOENT);
        OK(x_rmdir(S, k));
        ABSENT(S, k);
        CODE(x_rmdir(S, k), ROMA_ENOENT);
}

static void mkdir_parents(void)
{
        const char *deep = K("a/b/c/d");

        OK(x_mkdir(S, deep, 0755, ROMA_MKDIR_PARENTS));
        EQ(x_stat(S, deep, 0)->attr.type, ROMA_TYPE_DIR);
        OK(x_mkdir(S, deep, 0755, ROMA_MKDIR_PARENTS));
        OK(x_mkdir(S, K("a/b/x"), 0755, ROMA_MKDIR_PARENTS));
        OK(x_put(S, K("a/file"), "x", 1, NULL));
        CODE(x_mkdir(S, K("a/file/y"), 0755, ROMA_MKDIR_PARENTS), ROMA_ENOTDIR);
        REFUSED(x_mkdir(S, K("a/file"), 0755, ROMA_MKDIR_PARENTS));
        HOLDS(S, K("a/file"), "x", 1);
}

static void rmdir_refuses(void)
{
        OK(x_mkdir(S, K("full"), 0755, 0));
        OK(x_put(S, K("full/file"), "x", 1, NULL));
        CODE(x_rmdir(S, K("full")), ROMA_ENOTEMPTY);
        CODE(x_rmdir(S, K("full/file")), ROMA_ENOTDIR);
        HOLDS(S, K("full/file"), "x", 1);
}

static void unlink_object(void)
{
        OK(x_put(S, K("one"), "x", 1, NULL));
        OK(x_put(S, K("two"), "x", 1, NULL));
        OK(x_unlink(S, K("one"), 0));
        OK(x_unlink(S, K("two"), ROMA_UNLINK_NO_TRASH));
        ABSENT(S, K("one"));
        ABSENT(other(), K("two"));
        CODE(x_unlink(S, K("one"), 0), ROMA_ENOENT);
        CODE(x_unlink(S, K("none/one"), 0), ROMA_ENOENT);
}

static void unlink_folder(void)
{
        OK(x_mkdir(S, K("folder"), 0755, 0));
        CODE(x_unlink(S, K("folder"), 0), ROMA_EISDIR);
        OK(x_stat(S, K("folder"), 0));
}

static void rename_object(void)
{
        const void *a = rnd_bytes(1000), *b = rnd_bytes(2000);

        OK(x_put(S, K("a"), a, 1000, NULL));
        OK(x_put(S, K("b"), b, 2000, NULL));
        OK(x_rename(S, K("a"), K("c"), 0));
        ABSENT(S, K("a"));
        HOLDS(S, K("c"), a, 1000);
        OK(x_rename(S, K("c"), K("b"), 0));
        ABSENT(S, K("c"));
        HOLDS(S, K("b"), a, 1000);
        HOLDS(other(), K("b"), a, 1000);
        CODE(x_rename(S, K("none"), K("b"), 0), ROMA_ENOENT);
        CODE(x_rename(S, K("b"), K("none/b"), 0), ROMA_ENOENT);
        HOLDS(S, K("b"), a, 1000);
}

/* Nothing happens, as with rename(2). */
static void rename_onto_itself(void)
{
        const void *a = rnd_bytes(70000);

        OK(x_put(S, K("a"), a, 70000, NULL));
        OK(x_rename(S, K("a"), K("a"), 0));
        HOLDS(S, K("a"), a, 70000);
        if (env.caps & ROMA_CAP_LINK) {
                OK(x_link(S, K("a"), K("b")));
                OK(x_rename(S, K("a"), K("b"), 0));
                HOLDS(S, K("a"), a, 70000);
                HOLDS(S, K("b"), a, 70000);
        }
        if (env.caps & ROMA_CAP_DIRS) {
                OK(x_mkdir(S, K("d"), 0755, 0));
                OK(x_put(S, K("d/file"), a, 70000, NULL));
                OK(x_rename(S, K("d"), K("d"), 0));
                HOLDS(other(), K("d/file"), a, 70000);
        }
}

static void rename_noreplace(void)
{
        const struct res *r;

        OK(x_put(S, K("a"), "a", 1, NULL));
        OK(x_put(S, K("b"), "b", 1, NULL));
        r = x_rename(S, K("a"), K("b"), ROMA_RENAME_NOREPLACE);
        HOLDS(S, K("a"), "a", 1);
        HOLDS(S, K("b"), "b", 1);
        if (r->code == ROMA_ENOTSUP)
                SKIP("the store cannot check it atomically");
        CODE(r, ROMA_EEXIST);
        OK(x_rename(S, K("a"), K("c"), ROMA_RENAME_NOREPLACE));
        HOLDS(S, K("c"), "a", 1);
        ABSENT(S, K("a"));
}

static void rename_folder(void)
{
        OK(x_mkdir(S, K("a"), 0755, 0));
        OK(x_put(S, K("a/file"), "x", 1, NULL));
        OK(x_rename(S, K("a"), K("b"), 0));
        HOLDS(S, K("b/file"), "x", 1);
        OK(x_mkdir(S, K("full"), 0755, 0));
        OK(x_put(S, K("full/file"), "y", 1, NULL));
        CODE(x_rename(S, K("b"), K("full"), 0), ROMA_ENOTEMPTY);
        HOLDS(S, K("full/file"), "y", 1);
        OK(x_mkdir(S, K("b/deep"), 0755, 0));
        CODE(x_rename(S, K("b"), K("b/below"), 0), ROMA_EINVAL);
        CODE(x_rename(S, K("b"), K("b/deep/below"), 0), ROMA_EINVAL);
        /* By a way that the names do not show, and through folders that another client has moved. */
        if (env.caps & ROMA_CAP_SYMLINK) {
                OK(x_symlink(S, "b/deep", K("link")));
                CODE(x_rename(S, K("b"), K("link/below"), 0), ROMA_EINVAL);
        }
        OK(x_mkdir(S, K("c"), 0755, 0));
        OK(x_stat(S, K("c"), 0));
        OK(x_mkdir(S, K("c/d"), 0755, 0));
        OK(x_rename(other(), K("c"), K("b/deep/c"), 0));
        REFUSED(x_rename(S, K("b"), K("c/d"), 0));
        HOLDS(S, K("b/file"), "x", 1);
}

static void link_object(void)
{
        const void *a = rnd_bytes(100);
        const struct res *r;

        OK(x_put(S, K("a"), a, 100, NULL));
        OK(x_link(S, K("a"), K("b")));
        HOLDS(S, K("b"), a, 100);
        r = x_stat(S, K("a"), 0);
        OK(r);
        if (r->attr.mask & ROMA_ATTR_NLINK)
                EQ(r->attr.nlink, 2);
        if (r->attr.mask & ROMA_ATTR_INODE)
                EQ(r->attr.inode, x_stat(S, K("b"), 0)->attr.inode);
        CODE(x_link(S, K("a"), K("b")), ROMA_EEXIST);
        CODE(x_link(S, K("none"), K("c")), ROMA_ENOENT);
        OK(x_unlink(S, K("a"), 0));
        HOLDS(S, K("b"), a, 100);
}

static void symlinks(void)
{
        const struct res *r;

        OK(x_put(S, K("file"), "12345", 5, NULL));
        OK(x_symlink(S, "file", K("link")));
        r = x_readlink(S, K("link"));
        OK(r);
        EQ_STR(r->r.text, "file");
        r = x_stat(S, K("link"), 0);
        OK(r);
        EQ(r->attr.type, ROMA_TYPE_FILE);
        EQ(r->attr.length, 5);
        r = x_stat(S, K("link"), ROMA_NOFOLLOW);
        OK(r);
        EQ(r->attr.type, ROMA_TYPE_SYMLINK);
        HOLDS(S, K("link"), "12345", 5);
        CODE(x_symlink(S, "other", K("link")), ROMA_EEXIST);
        REFUSED(x_readlink(S, K("file")));
        CODE(x_readlink(S, K("none")), ROMA_ENOENT);
        /* The name goes, not what it points to. */
        OK(x_unlink(S, K("link"), 0));
        HOLDS(S, K("file"), "12345", 5);
}

static void symlinks_are_kept_as_they_are(void)
{
        char *longest = mem(1001);
        const char *targets[] = { "a//b/./../c", "/absolute", "no such \"thing\" %00 \xff\n?#", longest };

        memset(longest, 'x', 1000);
        for (size_t i = 0; i < sizeof(targets) / sizeof(targets[0]); i++) {
                const char *k = K(text("l%zu", i));

                OK(x_symlink(S, targets[i], k));
                EQ_STR(x_readlink(other(), k)->r.text, targets[i]);
        }
}

static void symlinks_in_the_middle(void)
{
        OK(x_mkdir(S, K("a"), 0755, 0));
        OK(x_mkdir(S, K("b"), 0755, 0));
        OK(x_put(S, K("a/file"), "x", 1, NULL));
        OK(x_symlink(S, "../a", K("b/up")));
        HOLDS(S, K("b/up/file"), "x", 1);
        OK(x_symlink(S, "up/file", K("b/two")));
        HOLDS(S, K("b/two"), "x", 1);
        OK(x_put(S, K("b/up/new"), "y", 1, NULL));
        HOLDS(S, K("a/new"), "y", 1);
        /* Its ".." is that of the folder where it lies, not of the one by which we came there. */
        OK(x_symlink(S, "../third", K("a/back")));
        OK(x_put(S, K("b/up/back"), "z", 1, NULL));
        HOLDS(S, K("third"), "z", 1);
        CODE(x_stat(S, K("b/third"), 0), ROMA_ENOENT);
        OK(x_symlink(S, "circle", K("circle")));
        REFUSED(x_stat(S, K("circle"), 0));
        OK(x_stat(S, K("circle"), ROMA_NOFOLLOW));
        OK(x_symlink(S, "nothing", K("dangling")));
        CODE(x_stat(S, K("dangling"), 0), ROMA_ENOENT);
}

static void symlinks_do_not_leave_the_store(void)
{
        OK(x_symlink(S, "../../../../../../../../../../etc/passwd", K("up")));
        OK(x_symlink(S, "/etc/passwd", K("absolute")));
        OK(x_symlink(S, "/etc", K("folder")));
        REFUSED(x_stat(S, K("up"), 0));
        REFUSED(x_stat(S, K("absolute"), 0));
        REFUSED(x_stat(S, K("folder/passwd"), 0));
        REFUSED(x_open(S, K("absolute"), ROMA_O_READ, 0));
        REFUSED(x_open(S, K("folder/passwd"), ROMA_O_READ, 0));
        REFUSED(x_put(S, K("folder/libroma-must-not-write-here"), "x", 1, NULL));
        CHECK(access("/etc/libroma-must-not-write-here", F_OK) != 0);
        OK(x_unlink(S, K("absolute"), 0));
}

static void put_through_a_symlink(void)
{
        const struct res *r;

        OK(x_put(S, K("file"), "old", 3, NULL));
        OK(x_symlink(S, "file", K("link")));
        r = x_put(S, K("link"), "newer", 5, NULL);
        OK(r);
        HOLDS(S, K("link"), "newer", 5);
        NO_TEMPORARIES();
}

static void setattr_mode(void)
{
        roma_attr a = ROMA_ATTR_INIT;
        const struct res *r;
        static const uint32_t modes[] = { 0600, 0640, 0444, 0, 0777 };

        OK(x_put(S, K("file"), "x", 1, NULL));
        for (size_t i = 0; i < sizeof(modes) / sizeof(modes[0]); i++) {
                a.mask = ROMA_ATTR_MODE;
                a.mode = modes[i];
                r = x_setattr(S, K("file"), &a, 0);
                OK(r);
                CHECK(r->r.attr);
                EQ(r->attr.mode, modes[i]);
                EQ(x_stat(other(), K("file"), 0)->attr.mode, modes[i]);
        }
        CODE(x_setattr(S, K("none"), &a, 0), ROMA_ENOENT);
}

static void setattr_owner(void)
{
        roma_attr a = ROMA_ATTR_INIT;
        const struct res *r;

        if (geteuid() != 0)
                SKIP("only root may give a file away");
        OK(x_put(S, K("file"), "x", 1, NULL));
        a.mask = ROMA_ATTR_UID | ROMA_ATTR_GID;
        a.uid = 12345;
        a.gid = 54321;
        OK(x_setattr(S, K("file"), &a, 0));
        r = x_stat(other(), K("file"), 0);
        OK(r);
        EQ(r->attr.uid, 12345);
        EQ(r->attr.gid, 54321);
}

/* Stores round times down to what they keep: a second at most. */
#define TIME_NEAR(got, want) CHECK((want) - (got) >= 0 && (want) - (got) < 1000000000LL)

static void setattr_times(void)
{
        roma_attr a = ROMA_ATTR_INIT;
        const struct res *r;

        OK(x_put(S, K("file"), "x", 1, NULL));
        a.mask = ROMA_ATTR_MTIME | ROMA_ATTR_ATIME;
        a.mtime_ns = 1000000000123456789LL;
        a.atime_ns = 1100000000987654321LL;
        r = x_setattr(S, K("file"), &a, 0);
        OK(r);
        TIME_NEAR(r->attr.mtime_ns, a.mtime_ns);
        r = x_stat(other(), K("file"), 0);
        OK(r);
        TIME_NEAR(r->attr.mtime_ns, a.mtime_ns);
        TIME_NEAR(r->attr.atime_ns, a.atime_ns);
        a.mask = ROMA_ATTR_MTIME;
        a.mtime_ns = 1200000000000000000LL;
        OK(x_setattr(S, K("file"), &a, 0));
        r = x_stat(S, K("file"), 0);
        TIME_NEAR(r->attr.mtime_ns, a.mtime_ns);
        TIME_NEAR(r->attr.atime_ns, a.atime_ns);
}

/* Kept, or the last time that the store can keep on that side (in 2038 some file systems of this machine), and no other. */
static bool kept_or_end(int64_t got, int64_t want)
{
        const int64_t s = 1000000000;

        if (want - got >= 0 && want - got < s)
                return true;
        return want < 0 ? got == 0 : got == UINT32_MAX * s || got == INT32_MAX * s;
}

static void setattr_times_at_the_ends(void)
{
        static const int64_t want[] = { -1, -1500000000, -2000000000000000000, 5000000000000000000 };
        roma_attr a = ROMA_ATTR_INIT;
        const struct res *r;

        OK(x_put(S, K("file"), "x", 1, NULL));
        a.mask = ROMA_ATTR_MTIME;
        for (size_t i = 0; i < sizeof(want) / sizeof(want[0]); i++) {
                a.mtime_ns = want[i];
                OK(x_setattr(S, K("file"), &a, 0));
                r = x_stat(other(), K("file"), 0);
                OK(r);
                if (!kept_or_end(r->attr.mtime_ns, want[i]))
                        FAIL("%lld became %lld", (long long)want[i], (long long)r->attr.mtime_ns);
        }
}

static void setattr_link(void)
{
        roma_attr a = ROMA_ATTR_INIT;

        OK(x_put(S, K("file"), "x", 1, NULL));
        OK(x_symlink(S, "file", K("link")));
        a.mask = ROMA_ATTR_MODE;
        a.mode = 0604;
        OK(x_setattr(S, K("link"), &a, 0));
        EQ(x_stat(S, K("file"), 0)->attr.mode, 0604);
        EQ(x_stat(S, K("link"), ROMA_NOFOLLOW)->attr.type, ROMA_TYPE_SYMLINK);
}

static void statfs_tells_room(void)
{
        const struct res *r = x_statfs(S);

        OK(r);
        CHECK(r->r.space);
        CHECK(r->space.total == UINT64_MAX || r->space.available <= r->space.total);
        CHECK(r->space.available > 0);
}

static void ping_answers(void)
{
        const struct res *r = x_ping(S);

        OK(r);
        CHECK(r->r.text && *r->r.text);
}

static const struct test tests[] = {
        { "stat_root", 0, stat_root },
        { "stat_object", 0, stat_object },
        { "stat_above", 0, stat_above },
        { "etag_changes", 0, etag_changes },
        { "mkdir_and_rmdir", ROMA_CAP_DIRS, mkdir_and_rmdir },
        { "mkdir_parents", ROMA_CAP_DIRS, mkdir_parents },
        { "rmdir_refuses", ROMA_CAP_DIRS, rmdir_refuses },
        { "unlink_object", 0, unlink_object },
        { "unlink_folder", ROMA_CAP_DIRS, unlink_folder },
        { "rename_object", ROMA_CAP_RENAME, rename_object },
        { "rename_onto_itself", ROMA_CAP_RENAME, rename_onto_itself },
        { "rename_noreplace", ROMA_CAP_RENAME, rename_noreplace },
        { "rename_folder", ROMA_CAP_RENAME | ROMA_CAP_DIRS, rename_folder },
        { "link_object", ROMA_CAP_LINK, link_object },
        { "symlinks", ROMA_CAP_SYMLINK, symlinks },
        { "symlinks_are_kept_as_they_are", ROMA_CAP_SYMLINK, symlinks_are_kept_as_they_are },
        { "symlinks_in_the_middle", ROMA_CAP_SYMLINK | ROMA_CAP_DIRS, symlinks_in_the_middle },
        { "symlinks_do_not_leave_the_store", ROMA_CAP_SYMLINK, symlinks_do_not_leave_the_store },
        { "put_through_a_symlink", ROMA_CAP_SYMLINK, put_through_a_symlink },
        { "setattr_mode", ROMA_CAP_MODE, setattr_mode },
        { "setattr_owner", ROMA_CAP_MODE, setattr_owner },
        { "setattr_times", ROMA_CAP_MODE, setattr_times },
        { "setattr_times_at_the_ends", ROMA_CAP_MODE, setattr_times_at_the_ends },
        { "setattr_link", ROMA_CAP_MODE | ROMA_CAP_SYMLINK, setattr_link },
        { "statfs_tells_room", 0, statfs_tells_room },
        { "ping_answers", 0, ping_answers },
};
SUITE(names, tests);
