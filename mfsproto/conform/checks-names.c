/* SPDX-License-Identifier: MIT */
/* Names: look-up, create, remove, rename, links, folders. */
#include <stdio.h>

#include "mfsproto/conform/checks.h"

static uint8_t status_of(struct cf *c, uint32_t type, uint32_t parent, const char *name)
{
        struct wire_msg m;

        cf_entry(c, &m, type, parent, name);
        if (type == WIRE_CLTOMA_FUSE_CREATE || type == WIRE_CLTOMA_FUSE_MKDIR) {
                wire_set_u(&m, WF_MODE, 0755);
                wire_set_u(&m, WF_UMASK, 022);
        }
        if (type == WIRE_CLTOMA_FUSE_MKDIR)
                wire_set_u(&m, WF_COPYSGID, 0);
        return cf_ask(c, c->ma, &m);
}

static void want(struct cf *c, uint32_t type, uint32_t parent, const char *name, uint8_t status)
{
        uint8_t got = status_of(c, type, parent, name);

        if (!c->failed)
                cf_status_is(c, wire_packet_name(type), got, status);
}

static void want_missing(struct cf *c, uint32_t parent, const char *name)
{
        uint8_t got = status_of(c, WIRE_CLTOMA_FUSE_LOOKUP, parent, name);

        if (got != WIRE_STATUS_ENOENT_NOCACHE && !c->failed)
                cf_status_is(c, "LOOKUP of what is not there", got, WIRE_STATUS_ENOENT);
}

static void create_and_find(struct cf *c)
{
        uint32_t inode = cf_create(c, cf_dir(c), "a");
        uint8_t status;

        cf_eq(c, "inode found under the name", cf_lookup(c, c->ma, cf_dir(c), "a", &status), inode);
        want(c, WIRE_CLTOMA_FUSE_UNLINK, cf_dir(c), "a", WIRE_STATUS_OK);
        want_missing(c, cf_dir(c), "a");
}

static void exists(struct cf *c)
{
        cf_create(c, cf_dir(c), "a");
        want(c, WIRE_CLTOMA_FUSE_CREATE, cf_dir(c), "a", WIRE_STATUS_EEXIST);
        want(c, WIRE_CLTOMA_FUSE_MKDIR, cf_dir(c), "a", WIRE_STATUS_EEXIST);
}

static void missing(struct cf *c)
{
        want_missing(c, cf_dir(c), "nothing");
        want(c, WIRE_CLTOMA_FUSE_UNLINK, cf_dir(c), "nothing", WIRE_STATUS_ENOENT);
        want(c, WIRE_CLTOMA_FUSE_RMDIR, cf_dir(c), "nothing", WIRE_STATUS_ENOENT);
        want(c, WIRE_CLTOMA_FUSE_CREATE, 0x7FFFFF00, "a", WIRE_STATUS_ENOENT);
}

static void below_a_file(struct cf *c)
{
        uint32_t file = cf_create(c, cf_dir(c), "a");

        want(c, WIRE_CLTOMA_FUSE_LOOKUP, file, "b", WIRE_STATUS_ENOTDIR);
        want(c, WIRE_CLTOMA_FUSE_CREATE, file, "b", WIRE_STATUS_ENOTDIR);
}

static void kinds(struct cf *c)
{
        cf_create(c, cf_dir(c), "file");
        cf_mkdir(c, c->ma, cf_dir(c), "folder");
        want(c, WIRE_CLTOMA_FUSE_RMDIR, cf_dir(c), "file", WIRE_STATUS_ENOTDIR);
        want(c, WIRE_CLTOMA_FUSE_UNLINK, cf_dir(c), "folder", WIRE_STATUS_EPERM);
}

static void not_empty(struct cf *c)
{
        uint32_t folder = cf_mkdir(c, c->ma, cf_dir(c), "folder");

        cf_create(c, folder, "a");
        want(c, WIRE_CLTOMA_FUSE_RMDIR, cf_dir(c), "folder", WIRE_STATUS_ENOTEMPTY);
        want(c, WIRE_CLTOMA_FUSE_UNLINK, folder, "a", WIRE_STATUS_OK);
        want(c, WIRE_CLTOMA_FUSE_RMDIR, cf_dir(c), "folder", WIRE_STATUS_OK);
}

static void long_names(struct cf *c)
{
        char name[256];
        uint32_t inode;
        uint8_t status;

        memset(name, 'x', 255);
        name[255] = 0;
        inode = cf_create(c, cf_dir(c), name);
        cf_eq(c, "inode found under a name of 255 bytes", cf_lookup(c, c->ma, cf_dir(c), name, &status),
              inode);
}

static void odd_names(struct cf *c)
{
        static const char *const names[] = { " ",    "\n", "\x01", "\xff\xfe", "\xc3\xa4",
                                             "a\\b", "?*", "...",  "~" };
        uint8_t status;

        for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
                uint32_t inode = cf_create(c, cf_dir(c), names[i]);

                cf_eq(c, "inode found under an odd name", cf_lookup(c, c->ma, cf_dir(c), names[i], &status),
                      inode);
        }
}

static void bad_names(struct cf *c)
{
        static const char *const names[] = { "a/b", ".", "..", "" };

        for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
                want(c, WIRE_CLTOMA_FUSE_CREATE, cf_dir(c), names[i], WIRE_STATUS_EINVAL);
}

static void dots(struct cf *c)
{
        uint8_t status;

        cf_eq(c, "LOOKUP of '.'", cf_lookup(c, c->ma, cf_dir(c), ".", &status), cf_dir(c));
        cf_eq(c, "LOOKUP of '..'", cf_lookup(c, c->ma, cf_dir(c), "..", &status), c->scratch);
}

static uint8_t rename_it(struct cf *c, uint32_t from, const char *a, uint32_t to, const char *b)
{
        struct wire_msg m;

        cf_msg(&m, WIRE_CLTOMA_FUSE_RENAME);
        wire_set_u(&m, WF_SRC_PARENT, from);
        wire_set_str(&m, WF_SRC_NAME, a);
        wire_set_u(&m, WF_DST_PARENT, to);
        wire_set_str(&m, WF_DST_NAME, b);
        cf_ug(c, &m);
        return cf_ask(c, c->ma, &m);
}

static void rename_replaces(struct cf *c)
{
        uint32_t a = cf_create(c, cf_dir(c), "a");
        uint8_t status;

        cf_create(c, cf_dir(c), "b");
        cf_status_is(c, "RENAME", rename_it(c, cf_dir(c), "a", cf_dir(c), "b"), WIRE_STATUS_OK);
        cf_eq(c, "inode under the new name", cf_lookup(c, c->ma, cf_dir(c), "b", &status), a);
        want_missing(c, cf_dir(c), "a");
}

static void rename_missing(struct cf *c)
{
        uint8_t got = rename_it(c, cf_dir(c), "nothing", cf_dir(c), "b");

        cf_status_is(c, "RENAME of what is not there", got, WIRE_STATUS_ENOENT);
}

/* Of a folder into itself is not asked for: a 3.0.117 master crashes. */
static void rename_over_folder(struct cf *c)
{
        uint32_t folder = cf_mkdir(c, c->ma, cf_dir(c), "folder");
        uint8_t got;

        cf_create(c, folder, "inside");
        cf_mkdir(c, c->ma, cf_dir(c), "other");
        got = rename_it(c, cf_dir(c), "other", cf_dir(c), "folder");
        cf_status_is(c, "RENAME over a folder that is not empty", got, WIRE_STATUS_ENOTEMPTY);
}

static uint8_t link_it(struct cf *c, uint32_t inode, const char *name)
{
        struct wire_msg m;

        cf_msg(&m, WIRE_CLTOMA_FUSE_LINK);
        wire_set_u(&m, WF_INODE, inode);
        wire_set_u(&m, WF_DST_PARENT, cf_dir(c));
        wire_set_str(&m, WF_DST_NAME, name);
        cf_ug(c, &m);
        return cf_ask(c, c->ma, &m);
}

static void hard_link(struct cf *c)
{
        uint32_t inode = cf_create(c, cf_dir(c), "a");
        struct wire_attr attr;

        cf_status_is(c, "LINK", link_it(c, inode, "b"), WIRE_STATUS_OK);
        cf_attr(c, inode, &attr);
        cf_eq(c, "nlink", attr.nlink, 2);
        cf_status_is(c, "LINK to a name that exists", link_it(c, inode, "b"), WIRE_STATUS_EEXIST);
        cf_status_is(c, "LINK of a folder", link_it(c, cf_dir(c), "c"), WIRE_STATUS_EPERM);
        want(c, WIRE_CLTOMA_FUSE_UNLINK, cf_dir(c), "a", WIRE_STATUS_OK);
        cf_attr(c, inode, &attr);
        cf_eq(c, "nlink", attr.nlink, 1);
}

static void symlink_target(struct cf *c)
{
        static const char target[] = "../any/where";
        struct wire_msg m, r;
        const uint8_t *got;
        uint32_t inode;
        size_t n = 0;

        cf_entry(c, &m, WIRE_CLTOMA_FUSE_SYMLINK, cf_dir(c), "link");
        wire_set_bytes(&m, WF_TARGET, target, sizeof(target));
        cf_call(c, c->ma, &m, &r);
        inode = (uint32_t)cf_u(c, &r, WF_INODE);
        cf_msg(&m, WIRE_CLTOMA_FUSE_READLINK);
        wire_set_u(&m, WF_INODE, inode);
        cf_call(c, c->ma, &m, &r);
        if (c->failed)
                return;
        got = wire_get_bytes(&r, WF_TARGET, &n);
        cf_true(c, got && n == sizeof(target) && !memcmp(got, target, n),
                "READLINK does not give the target with a NUL at its end");
}

static void readlink_of_a_file(struct cf *c)
{
        struct wire_msg m;

        cf_msg(&m, WIRE_CLTOMA_FUSE_READLINK);
        wire_set_u(&m, WF_INODE, cf_new(c));
        cf_want(c, c->ma, &m, WIRE_STATUS_EINVAL);
}

static void make_node(struct cf *c)
{
        struct wire_msg m, r;
        struct wire_attr attr;

        cf_entry(c, &m, WIRE_CLTOMA_FUSE_MKNOD, cf_dir(c), "fifo");
        wire_set_u(&m, WF_NODETYPE, WIRE_NODE_FIFO);
        wire_set_u(&m, WF_MODE, 0640);
        wire_set_u(&m, WF_UMASK, 0);
        wire_set_u(&m, WF_RDEV, 0);
        cf_call(c, c->ma, &m, &r);
        cf_attr(c, (uint32_t)cf_u(c, &r, WF_INODE), &attr);
        cf_eq(c, "type of the node", attr.type, WIRE_NODE_FIFO);
        cf_eq(c, "mode of the node", attr.mode, 0640);
}

static void open_file(struct cf *c)
{
        struct wire_msg m;

        cf_msg(&m, WIRE_CLTOMA_FUSE_OPEN);
        wire_set_u(&m, WF_INODE, cf_new(c));
        cf_ug(c, &m);
        wire_set_u(&m, WF_FLAGS, WIRE_OPEN_READ | WIRE_OPEN_WRITE);
        cf_want(c, c->ma, &m, WIRE_STATUS_OK);
        wire_set_u(&m, WF_INODE, 0x7FFFFF00);
        cf_want(c, c->ma, &m, WIRE_STATUS_ENOENT);
        wire_set_u(&m, WF_INODE, cf_dir(c));
        cf_want(c, c->ma, &m, WIRE_STATUS_EPERM);
}

/* What is unlinked while it is open stays readable by its number. */
static void unlinked_open(struct cf *c)
{
        uint32_t inode = cf_create(c, cf_dir(c), "a");
        struct wire_msg m;

        want(c, WIRE_CLTOMA_FUSE_UNLINK, cf_dir(c), "a", WIRE_STATUS_OK);
        cf_msg(&m, WIRE_CLTOMA_FUSE_GETATTR);
        wire_set_u(&m, WF_INODE, inode);
        wire_set_u(&m, WF_OPENED, 1);
        wire_set_u(&m, WF_UID, c->uid);
        wire_set_u(&m, WF_GID, c->gid);
        cf_want(c, c->ma, &m, WIRE_STATUS_OK);
}

/* ---- folders ------------------------------------------------------------------------------------------------- */

static void read_folder(struct cf *c, uint32_t inode, uint8_t flags, struct wire_msg *r)
{
        struct wire_msg m;

        cf_msg(&m, WIRE_CLTOMA_FUSE_READDIR);
        wire_set_u(&m, WF_INODE, inode);
        cf_ug(c, &m);
        wire_set_u(&m, WF_FLAGS, flags);
        wire_set_u(&m, WF_MAXENTRIES, UINT32_MAX);
        wire_set_u(&m, WF_NEDGEID, 0);
        cf_call(c, c->ma, &m, r);
}

static void list(struct cf *c, uint8_t flags)
{
        struct wire_msg r, item;
        struct wire_iter it;
        unsigned dot = 0, names = 0, n = 0;
        char name[8];

        for (unsigned i = 0; i < 50; i++) {
                snprintf(name, sizeof(name), "n%02u", i);
                cf_create(c, cf_dir(c), name);
        }
        read_folder(c, cf_dir(c), flags, &r);
        if (c->failed || !wire_has(&r, WF_ENTRIES)) {
                cf_u(c, &r, WF_ENTRIES);
                return;
        }
        wire_group_begin(&r, WF_ENTRIES, &it);
        while (wire_group_next(&it, &item)) {
                size_t len = 0;
                const uint8_t *p = wire_get_bytes(&item, WF_NAME, &len);

                n++;
                dot += p && len <= 2 && p[0] == '.';
                names += p && len == 3 && p[0] == 'n';
                cf_true(c, wire_get_u_or(&item, WF_INODE, 0) != 0, "an entry has no inode");
                cf_true(c, !flags || wire_has(&item, WF_ATTR), "an entry has no attributes");
        }
        cf_eq(c, "names of files in the list", names, 50);
        cf_eq(c, "'.' and '..' in the list", dot, 2);
        cf_eq(c, "entries in the list", n, 52);
}

static void list_plain(struct cf *c)
{
        list(c, 0);
}

static void list_attrs(struct cf *c)
{
        list(c, WIRE_READDIR_WITHATTR);
}

static void list_no_folder(struct cf *c)
{
        struct wire_msg r;
        uint8_t status = 0;

        read_folder(c, cf_new(c), 0, &r);
        if (!c->failed && wire_is_status(&r, &status))
                cf_status_is(c, "READDIR of a file", status, WIRE_STATUS_ENOTDIR);
        else
                cf_fail(c, "READDIR of a file gives a list");
}

/* The number of the next page does not move on: what a client for 3.x must know. */
static void paging(struct cf *c)
{
        struct wire_msg m, r;
        uint64_t first = 0;

        for (int i = 0; i < 5; i++)
                cf_new(c);
        cf_msg(&m, WIRE_CLTOMA_FUSE_READDIR);
        wire_set_u(&m, WF_INODE, cf_dir(c));
        cf_ug(c, &m);
        wire_set_u(&m, WF_FLAGS, 0);
        wire_set_u(&m, WF_MAXENTRIES, 2);
        wire_set_u(&m, WF_NEDGEID, 0);
        cf_call(c, c->ma, &m, &r);
        first = cf_u(c, &r, WF_NEDGEID);
        if (!c->failed && !cf_v4(c))
                cf_eq(c, "nedgeid of the reply", first, 0);
        else if (!c->failed)
                cf_true(c, first != 0, "nedgeid does not move on");
}

const struct cf_check cf_checks_names[] = {
        CHECK("names/create", ANY, create_and_find, "3.3", BOTH,
              "what is created is found, what is unlinked is not"),
        CHECK("names/exists", ANY, exists, "3.3", BOTH, "CREATE and MKDIR of a name that is there: status 5"),
        CHECK("names/missing", ANY, missing, "3.2", BOTH, "what is not there: status 3 (LOOKUP: or 48)"),
        CHECK("names/below-file", ANY, below_a_file, "3.2", BOTH, "below a file: status 2"),
        CHECK("names/kinds", ANY, kinds, "3.3", BOTH,
              "RMDIR of a file: status 2; UNLINK of a folder: status 1"),
        CHECK("names/not-empty", ANY, not_empty, "3.3", BOTH,
              "RMDIR of a folder with something in it: status 7"),
        CHECK("names/long", ANY, long_names, "0", BOTH, "names of 255 bytes"),
        CHECK("names/odd", ANY, odd_names, "3.3", BOTH, "names are bytes: controls, no UTF-8, backslashes"),
        CHECK("names/bad", ANY, bad_names, "3.3", BOTH,
              "CREATE of '.', '..', nothing, or with a slash: status 6"),
        CHECK("names/dots", ANY, dots, "3.2", BOTH, "LOOKUP knows '.' and '..'"),
        CHECK("names/rename", ANY, rename_replaces, "3.3", BOTH, "RENAME replaces what was there"),
        CHECK("names/rename-missing", ANY, rename_missing, "3.3", BOTH,
              "RENAME of what is not there: status 3"),
        CHECK("names/rename-over", ANY, rename_over_folder, "3.3", BOTH,
              "RENAME over a folder with something in it: status 7"),
        CHECK("names/link", ANY, hard_link, "3.3", BOTH, "LINK counts; over a name: 5; of a folder: 1"),
        CHECK("names/symlink", ANY, symlink_target, "3.2", BOTH, "READLINK gives the target with its NUL"),
        CHECK("names/readlink", ANY, readlink_of_a_file, "3.2", BOTH, "READLINK of a file: status 6"),
        CHECK("names/mknod", ANY, make_node, "3.3", BOTH,
              "MKNOD makes a node of the type and mode that are said"),
        CHECK("names/open", ANY, open_file, "3.3", BOTH, "OPEN of a file; of nothing: 3; of a folder: 1"),
        CHECK("names/unlinked", ANY, unlinked_open, "3.9", BOTH,
              "an open file that is unlinked keeps its attributes"),
        CHECK("names/list", ANY, list_plain, "3.4", BOTH, "READDIR gives each name once, and '.' and '..'"),
        CHECK("names/list-attrs", ANY, list_attrs, "3.4", BOTH, "with flag 1 also the attributes"),
        CHECK("names/list-file", ANY, list_no_folder, "3.4", BOTH, "READDIR of a file: status 2"),
        CHECK("names/paging", ANY, paging, "3.4", BOTH,
              "the number for the next page moves on in 4.x, and does not in 3.x"),
        CHECKS_END,
};
