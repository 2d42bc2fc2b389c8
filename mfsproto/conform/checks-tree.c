/* SPDX-License-Identifier: MIT */
/* Snapshots, slices, classes, retention, counts, paths, lists of copies. */
#include "mfsproto/conform/checks.h"

static void on_inode(struct wire_msg *m, uint32_t type, uint32_t inode)
{
        cf_msg(m, type);
        wire_set_u(m, WF_INODE, inode);
}

static void check_copies(struct cf *c)
{
        struct cf_grant g;
        struct wire_msg m, r;
        uint32_t inode = cf_file(c, 1000, 41, &g);

        on_inode(&m, WIRE_CLTOMA_FUSE_CHECK, inode);
        wire_set_u(&m, WF_INDEX, 0);
        cf_call(c, c->ma, &m, &r);
        cf_eq(c, "chunk id", cf_u(c, &r, WF_CHUNKID), g.chunk);
        cf_eq(c, "version", cf_u(c, &r, WF_CHUNKVER), g.version);
        if (!c->failed)
                cf_eq(c, "copies", wire_group_count(&r, WF_COPIES), g.n);
}

static void check_summary(struct cf *c)
{
        struct cf_grant g;
        struct wire_msg m, r;
        uint32_t inode = cf_file(c, 1000, 42, &g);
        const uint8_t *p;
        size_t n = 0;

        on_inode(&m, WIRE_CLTOMA_FUSE_CHECK, inode);
        cf_call(c, c->ma, &m, &r);
        if (c->failed)
                return;
        cf_eq(c, "length of the counters", c->ma->len,
              4 + (wire_ver_at_least(c->declared, WIRE_VER(3, 0, 30)) ? 48 : 44));
        p = wire_has(&r, WF_COUNTERS) ? wire_get_bytes(&r, WF_COUNTERS, &n) : NULL;
        cf_true(c, p && n >= 44 && wire_be32(p + 4 * (g.n < 10 ? g.n : 10)) == 1,
                "the chunk is not counted under the number of its copies");
}

static void check_behind(struct cf *c)
{
        struct cf_grant g;
        struct wire_msg m, r;
        uint8_t status = 0;

        on_inode(&m, WIRE_CLTOMA_FUSE_CHECK, cf_file(c, 1000, 43, &g));
        wire_set_u(&m, WF_INDEX, 9);
        cf_call(c, c->ma, &m, &r);
        if (c->failed)
                return;
        if (!cf_v4(c))
                cf_eq(c, "chunk id behind the end", cf_u(c, &r, WF_CHUNKID), 0);
        else if (wire_is_status(&r, &status))
                cf_status_is(c, "CHECK behind the end", status, WIRE_STATUS_NOCHUNK);
        else
                cf_fail(c, "CHECK behind the end is not refused");
}

static void append_msg(struct cf *c, struct wire_msg *m, uint32_t to, uint32_t from)
{
        cf_msg(m, WIRE_CLTOMA_FUSE_APPEND_SLICE);
        wire_set_u(m, WF_FLAGS, 0);
        wire_set_u(m, WF_DST_INODE, to);
        wire_set_u(m, WF_SRC_INODE, from);
        wire_set_u(m, WF_FROM, 0);
        wire_set_u(m, WF_TO, UINT32_MAX);
        cf_ug(c, m);
}

static void append_pads(struct cf *c)
{
        struct cf_grant a, b, now;
        uint32_t to = cf_file(c, 4, 44, &a), from = cf_file(c, 4, 45, &b);
        struct wire_attr attr;
        struct wire_msg m;

        append_msg(c, &m, to, from);
        cf_want(c, c->ma, &m, WIRE_STATUS_OK);
        cf_attr(c, to, &attr);
        cf_eq(c, "length of 4 bytes with 4 bytes appended", attr.length, 67108868);
        cf_places(c, to, 1, &now);
        cf_eq(c, "the appended chunk, which is shared", now.chunk, b.chunk);
}

static void append_itself(struct cf *c)
{
        struct cf_grant g;
        uint32_t inode = cf_file(c, 4, 46, &g);
        struct wire_msg m;

        append_msg(c, &m, inode, inode);
        cf_want(c, c->ma, &m, WIRE_STATUS_EINVAL);
}

static void snapshot(struct cf *c)
{
        struct cf_grant g, s;
        uint32_t inode = cf_file(c, 3000, 47, &g), copy;
        struct wire_attr attr;
        struct wire_msg m;
        uint8_t status;

        cf_msg(&m, WIRE_CLTOMA_FUSE_SNAPSHOT);
        wire_set_u(&m, WF_SRC_INODE, inode);
        wire_set_u(&m, WF_DST_PARENT, cf_dir(c));
        wire_set_str(&m, WF_DST_NAME, "copy");
        cf_ug(c, &m);
        wire_set_u(&m, WF_SMODE, 0);
        wire_set_u(&m, WF_UMASK, 0);
        cf_want(c, c->ma, &m, WIRE_STATUS_OK);
        copy = cf_lookup(c, c->ma, cf_dir(c), "copy", &status);
        cf_true(c, c->failed || (copy && copy != inode), "the snapshot is no file of its own");
        cf_attr(c, copy, &attr);
        cf_eq(c, "length of the snapshot", attr.length, 3000);
        cf_places(c, copy, 0, &s);
        cf_eq(c, "chunk of the snapshot", s.chunk, g.chunk);
}

static void class_of(struct cf *c)
{
        struct wire_msg m, r;

        on_inode(&m, WIRE_CLTOMA_FUSE_GETSCLASS, cf_new(c));
        wire_set_u(&m, WF_GMODE, WIRE_GMODE_ONE);
        cf_call(c, c->ma, &m, &r);
        cf_eq(c, "files", cf_u(c, &r, WF_NFILES), 1);
        cf_eq(c, "folders", cf_u(c, &r, WF_NDIRS), 0);
}

static void set_class(struct cf *c)
{
        struct wire_msg m, r;

        on_inode(&m, WIRE_CLTOMA_FUSE_SETSCLASS, cf_new(c));
        wire_set_u(&m, WF_UID, c->uid);
        wire_set_u(&m, WF_GOAL, 1);
        wire_set_u(&m, WF_SMODE, WIRE_SMODE_SET);
        cf_call(c, c->ma, &m, &r);
        cf_eq(c, "changed or not, in all",
              cf_u(c, &r, WF_CHANGED) + cf_u(c, &r, WF_NOTCHANGED) + cf_u(c, &r, WF_NOTPERMITTED), 1);
}

static void retention(struct cf *c)
{
        uint32_t inode = cf_new(c);
        struct wire_msg m, r, item;
        struct wire_iter it;

        on_inode(&m, WIRE_CLTOMA_FUSE_SETTRASHRETENTION, inode);
        wire_set_u(&m, WF_UID, c->uid);
        wire_set_u(&m, WF_RETENTION, 7200);
        wire_set_u(&m, WF_SMODE, WIRE_SMODE_SET);
        cf_call(c, c->ma, &m, &r);
        cf_eq(c, "changed", cf_u(c, &r, WF_CHANGED), 1);
        on_inode(&m, WIRE_CLTOMA_FUSE_GETTRASHRETENTION, inode);
        wire_set_u(&m, WF_GMODE, WIRE_GMODE_ONE);
        cf_call(c, c->ma, &m, &r);
        cf_eq(c, "files", cf_u(c, &r, WF_NFILES), 1);
        if (c->failed)
                return;
        wire_group_begin(&r, WF_FILES, &it);
        cf_true(c, wire_group_next(&it, &item), "there is no entry");
        if (!c->failed)
                cf_eq(c, "retention", wire_get_u_or(&item, WF_RETENTION, 0), 7200);
        on_inode(&m, WIRE_CLTOMA_FUSE_SETTRASHRETENTION, inode);
        wire_set_u(&m, WF_UID, c->uid);
        wire_set_u(&m, WF_RETENTION, 0);
        wire_set_u(&m, WF_SMODE, WIRE_SMODE_SET);
        (void)cf_ask(c, c->ma, &m);
}

static void eattr(struct cf *c)
{
        uint32_t inode = cf_new(c);
        struct wire_msg m, r;

        on_inode(&m, WIRE_CLTOMA_FUSE_SETEATTR, inode);
        wire_set_u(&m, WF_UID, c->uid);
        wire_set_u(&m, WF_EATTR, 2);
        wire_set_u(&m, WF_SMODE, WIRE_SMODE_SET);
        cf_call(c, c->ma, &m, &r);
        cf_eq(c, "changed", cf_u(c, &r, WF_CHANGED), 1);
        on_inode(&m, WIRE_CLTOMA_FUSE_GETEATTR, inode);
        wire_set_u(&m, WF_GMODE, WIRE_GMODE_ONE);
        cf_call(c, c->ma, &m, &r);
        cf_eq(c, "files", cf_u(c, &r, WF_NFILES), 1);
}

static void counts(struct cf *c)
{
        struct wire_msg m, r;

        cf_new(c);
        cf_new(c);
        on_inode(&m, WIRE_CLTOMA_FUSE_GETDIRSTATS, cf_dir(c));
        cf_call(c, c->ma, &m, &r);
        cf_eq(c, "inodes", cf_u(c, &r, WF_INODES), 3);
        cf_eq(c, "folders", cf_u(c, &r, WF_NODEDIRS), 1);
        cf_eq(c, "files", cf_u(c, &r, WF_NODEFILES), 2);
        if (!c->failed)
                cf_eq(c, "length", c->ma->len, cf_v4(c) ? 44 : 60);
}

static void parents(struct cf *c)
{
        struct wire_msg m, r, item;
        struct wire_iter it;

        on_inode(&m, WIRE_CLTOMA_FUSE_PARENTS, cf_new(c));
        cf_call(c, c->ma, &m, &r);
        if (c->failed)
                return;
        cf_true(c, wire_has(&r, WF_PARENTS), "no list of parents");
        wire_group_begin(&r, WF_PARENTS, &it);
        cf_true(c, wire_group_next(&it, &item), "no parent");
        if (!c->failed)
                cf_eq(c, "parent", wire_get_u_or(&item, WF_INODE, 0), cf_dir(c));
}

static void paths(struct cf *c)
{
        struct wire_msg m, r, item;
        struct wire_iter it;
        const uint8_t *p;
        size_t n = 0;

        on_inode(&m, WIRE_CLTOMA_FUSE_PATHS, cf_create(c, cf_dir(c), "name"));
        cf_call(c, c->ma, &m, &r);
        if (c->failed)
                return;
        cf_true(c, wire_has(&r, WF_PATHS), "no list of paths");
        wire_group_begin(&r, WF_PATHS, &it);
        cf_true(c, wire_group_next(&it, &item), "no path");
        if (c->failed)
                return;
        p = wire_get_bytes(&item, WF_PATH, &n);
        cf_true(c, p && n > 5 && p[0] != '/' && !memcmp(p + n - 5, "/name", 5),
                "the path does not end in the name, or begins with a slash");
}

static void quota(struct cf *c)
{
        struct wire_msg m;
        size_t want = 93;

        if (!wire_ver_at_least(c->declared, WIRE_VER(3, 0, 9)))
                want = 89;
        else if (cf_v4(c) && wire_ver_at_least(c->declared, WIRE_VER(4, 51, 0)))
                want = 94;
        on_inode(&m, WIRE_CLTOMA_FUSE_QUOTACONTROL, cf_dir(c));
        wire_set_u(&m, WF_QFLAGS, 0);
        cf_want(c, c->ma, &m, WIRE_STATUS_OK);
        if (!c->failed)
                cf_eq(c, "length", c->ma->len, want);
}

static void archive(struct cf *c)
{
        struct wire_msg m;

        on_inode(&m, WIRE_CLTOMA_FUSE_ARCHCTL, cf_new(c));
        wire_set_u(&m, WF_CMD, WIRE_ARCH_GET);
        cf_want(c, c->ma, &m, WIRE_STATUS_OK);
        if (!c->failed)
                cf_eq(c, "length", c->ma->len, 32);
}

static void repair(struct cf *c)
{
        struct cf_grant g;
        struct wire_msg m, r;

        on_inode(&m, WIRE_CLTOMA_FUSE_REPAIR, cf_file(c, 1000, 48, &g));
        cf_ug(c, &m);
        cf_call(c, c->ma, &m, &r);
        cf_eq(c, "chunks that were left alone", cf_u(c, &r, WF_NOTCHANGED), 1);
        cf_eq(c, "chunks that were erased", cf_u(c, &r, WF_ERASED), 0);
        cf_eq(c, "chunks that were repaired", cf_u(c, &r, WF_REPAIRED), 0);
}

const struct cf_check cf_checks_tree[] = {
        CHECK("tree/check", ANY, check_copies, "3.10", BOTH,
              "CHECK with an index gives id, version and all copies"),
        CHECK("tree/check-summary", ANY, check_summary, "3.10", BOTH,
              "CHECK counts chunks by copies: 44 bytes, 48 from declared 3.0.30 on"),
        CHECK("tree/check-behind", ANY, check_behind, "3.10", BOTH,
              "CHECK behind the end: 3.x chunk 0, 4.x status 13"),
        CHECK("tree/append", ANY, append_pads, "3.8", BOTH,
              "APPEND_SLICE begins at the next 64 MiB and shares chunks"),
        CHECK("tree/append-itself", ANY, append_itself, "3.8", BOTH,
              "APPEND_SLICE of a file to itself: status 6"),
        CHECK("tree/snapshot", ANY, snapshot, "3.8", BOTH,
              "a snapshot is a file of its own that shares the chunks"),
        CHECK("tree/class", ANY, class_of, "3.8", BOTH, "GETSCLASS counts one file"),
        CHECK("tree/set-class", ANY, set_class, "3.8", BOTH, "SETSCLASS counts what it changed"),
        CHECK("tree/retention", ANY, retention, "3.8", BOTH, "the retention that was set is given back"),
        CHECK("tree/eattr", ANY, eattr, "3.8", BOTH, "SETEATTR and GETEATTR"),
        CHECK("tree/dirstats", ANY, counts, "3.8", BOTH,
              "GETDIRSTATS counts the folder itself and what is in it"),
        CHECK("tree/parents", ANY, parents, "3.8", BOTH, "PARENTS gives the folder"),
        CHECK("tree/paths", ANY, paths, "3.8", BOTH, "PATHS gives the path without a leading slash"),
        CHECK("tree/quota", ANY, quota, "3.6", BOTH,
              "QUOTACONTROL that only reads: 93 bytes, with a client below 3.0.9 89, from 4.51 on 94"),
        CHECK("tree/archive", ANY, archive, "3.8", BOTH, "ARCHCTL that only reads: 28 bytes"),
        CHECK("tree/repair", ANY, repair, "3.8", BOTH, "REPAIR of a good file changes nothing"),
        CHECKS_END,
};
