/* SPDX-License-Identifier: MIT */
/* Attributes, lengths, extended attributes, access. */
#include "mfsproto/conform/checks.h"

static void setattr(struct cf *c, struct wire_msg *m, uint32_t inode, uint8_t mask)
{
        cf_msg(m, WIRE_CLTOMA_FUSE_SETATTR);
        wire_set_u(m, WF_INODE, inode);
        wire_set_u(m, WF_OPENED, 0);
        cf_ug(c, m);
        wire_set_u(m, WF_SETMASK, mask);
        wire_set_u(m, WF_MODE, 0600);
        wire_set_u(m, WF_ATTR_UID, 12345);
        wire_set_u(m, WF_ATTR_GID, 54321);
        wire_set_u(m, WF_ATIME, 1111111111);
        wire_set_u(m, WF_MTIME, 1222222222);
        wire_set_u(m, WF_WINATTR, 0);
        wire_set_u(m, WF_SUGIDCLEAR, 0);
}

static void of_a_new_file(struct cf *c)
{
        struct wire_attr attr;

        cf_attr(c, cf_new(c), &attr);
        cf_eq(c, "type", attr.type, WIRE_NODE_FILE);
        cf_eq(c, "mode 0644 with umask 022", attr.mode, 0644);
        cf_eq(c, "nlink", attr.nlink, 1);
        cf_eq(c, "length", attr.length, 0);
        cf_attr(c, cf_dir(c), &attr);
        cf_eq(c, "type of a folder", attr.type, WIRE_NODE_DIRECTORY);
        cf_eq(c, "mode of a folder", attr.mode, 0755);
}

static void of_nothing(struct cf *c)
{
        struct wire_msg m;

        cf_msg(&m, WIRE_CLTOMA_FUSE_GETATTR);
        wire_set_u(&m, WF_INODE, 0x7FFFFF00);
        wire_set_u(&m, WF_OPENED, 0);
        wire_set_u(&m, WF_UID, c->uid);
        wire_set_u(&m, WF_GID, c->gid);
        cf_want(c, c->ma, &m, WIRE_STATUS_ENOENT);
}

static void umask_holds(struct cf *c)
{
        struct wire_msg m, r;
        struct wire_attr attr;

        cf_entry(c, &m, WIRE_CLTOMA_FUSE_CREATE, cf_dir(c), "a");
        wire_set_u(&m, WF_MODE, 0666);
        wire_set_u(&m, WF_UMASK, 027);
        cf_call(c, c->ma, &m, &r);
        cf_attr(c, (uint32_t)cf_u(c, &r, WF_INODE), &attr);
        cf_eq(c, "mode 0666 with umask 027", attr.mode, 0640);
}

static void set_mode(struct cf *c)
{
        uint32_t inode = cf_new(c);
        struct wire_attr before, after;
        struct wire_msg m;

        cf_attr(c, inode, &before);
        setattr(c, &m, inode, WIRE_SET_MODE);
        cf_want(c, c->ma, &m, WIRE_STATUS_OK);
        cf_attr(c, inode, &after);
        cf_eq(c, "mode", after.mode, 0600);
        cf_eq(c, "uid, which was not set", after.uid, before.uid);
        cf_eq(c, "mtime, which was not set", after.mtime, before.mtime);
}

static void set_times(struct cf *c)
{
        uint32_t inode = cf_new(c);
        struct wire_attr attr;
        struct wire_msg m;

        setattr(c, &m, inode, WIRE_SET_MTIME | WIRE_SET_ATIME);
        cf_want(c, c->ma, &m, WIRE_STATUS_OK);
        cf_attr(c, inode, &attr);
        cf_eq(c, "mtime", attr.mtime, 1222222222);
        cf_eq(c, "atime", attr.atime, 1111111111);
        cf_eq(c, "mode, which was not set", attr.mode, 0644);
}

static void amtime(struct cf *c)
{
        uint32_t inode = cf_new(c);
        struct wire_attr attr;
        uint8_t p[12];

        wire_put32(p, inode);
        wire_put32(p + 4, 1333333333);
        wire_put32(p + 8, 1444444444);
        cf_packet(c, c->ma, WIRE_CLTOMA_FUSE_AMTIME_INODES, p, sizeof(p));
        cf_attr(c, inode, &attr);
        cf_true(c, c->failed || attr.mtime != 0, "no mtime");
}

static void amtime_length(struct cf *c)
{
        static const uint8_t p[11];

        cf_packet(c, c->ma, WIRE_CLTOMA_FUSE_AMTIME_INODES, p, sizeof(p));
        cf_want_closed(c, c->ma, "AMTIME_INODES of 11 bytes");
}

static void access_of(struct cf *c)
{
        struct wire_msg m;

        cf_msg(&m, WIRE_CLTOMA_FUSE_ACCESS);
        wire_set_u(&m, WF_INODE, cf_new(c));
        cf_ug(c, &m);
        wire_set_u(&m, WF_ACCESSMASK, WIRE_ACCESS_R | WIRE_ACCESS_W);
        cf_want(c, c->ma, &m, WIRE_STATUS_OK);
        wire_set_ug(&m, 65000, &(uint32_t){ 65000 }, 1);
        wire_set_u(&m, WF_ACCESSMASK, WIRE_ACCESS_W);
        cf_want(c, c->ma, &m, WIRE_STATUS_EACCES);
}

static void statfs(struct cf *c)
{
        static const struct wire_gate free_gate = { .client_from = WIRE_VER(3, 0, 102),
                                                    .client_hole = WIRE_VER(4, 9, 0) };
        struct wire_msg m, r;
        size_t want = wire_gate_open(&free_gate, c->server, c->declared) ? 48 : 40;

        cf_msg(&m, WIRE_CLTOMA_FUSE_STATFS);
        cf_call(c, c->ma, &m, &r);
        if (c->failed)
                return;
        cf_eq(c, "length", c->ma->len, want);
        cf_true(c, cf_u(c, &r, WF_AVAILSPACE) <= cf_u(c, &r, WF_TOTALSPACE),
                "more space is available than there is");
        cf_true(c, cf_u(c, &r, WF_INODES) > 0, "there are no inodes");
}

static void attr_length(struct cf *c)
{
        static const struct wire_gate gate = { .client_from = WIRE_VER(3, 0, 93),
                                               .client_hole = WIRE_VER(4, 0, 2) };
        struct wire_attr attr;

        cf_attr(c, cf_new(c), &attr);
        if (!c->failed)
                cf_eq(c, "length of the reply to GETATTR", c->ma->len,
                      4 + (wire_gate_open(&gate, c->server, c->declared) ? 36 : 35));
}

/* ---- lengths ------------------------------------------------------------------------------------------------- */

static void truncate_msg(struct cf *c, struct wire_msg *m, uint32_t inode, uint8_t flags, uint64_t length)
{
        cf_msg(m, WIRE_CLTOMA_FUSE_TRUNCATE);
        wire_set_u(m, WF_INODE, inode);
        wire_set_u(m, WF_FLAGS, flags);
        cf_ug(c, m);
        wire_set_u(m, WF_LENGTH, length);
}

static void truncate_file(struct cf *c)
{
        uint32_t inode = cf_new(c);
        struct wire_attr attr;
        struct wire_msg m;

        truncate_msg(c, &m, inode, 0, UINT64_C(1) << 40);
        cf_want(c, c->ma, &m, WIRE_STATUS_OK);
        cf_attr(c, inode, &attr);
        cf_eq(c, "length after growing", attr.length, UINT64_C(1) << 40);
        truncate_msg(c, &m, inode, 0, 7);
        cf_want(c, c->ma, &m, WIRE_STATUS_OK);
        cf_attr(c, inode, &attr);
        cf_eq(c, "length after shrinking", attr.length, 7);
}

static void truncate_refused(struct cf *c)
{
        struct wire_msg m;

        truncate_msg(c, &m, 0x7FFFFF00, 0, 7);
        cf_want(c, c->ma, &m, WIRE_STATUS_ENOENT);
        truncate_msg(c, &m, cf_dir(c), 0, 7);
        cf_want(c, c->ma, &m, WIRE_STATUS_EPERM);
}

/* O_APPEND: room at the end is given to one writer after the other, the length stays. */
static void reserve(struct cf *c)
{
        static const struct wire_gate gate = { .client_from = WIRE_VER(3, 0, 113),
                                               .client_hole = WIRE_VER(4, 22, 0) };
        uint32_t inode = cf_new(c);
        struct wire_attr attr;
        struct wire_msg m, r;

        if (!wire_gate_open(&gate, c->server, c->declared)) {
                cf_skip(c, "the client declares less than 3.0.113, or 4.0 to 4.21");
                return;
        }
        truncate_msg(c, &m, inode, 0, 1000);
        cf_want(c, c->ma, &m, WIRE_STATUS_OK);
        for (uint64_t at = 1000; at < 1150; at += 50) {
                truncate_msg(c, &m, inode,
                             WIRE_TRUNCATE_OPENED | WIRE_TRUNCATE_UPDATE | WIRE_TRUNCATE_RESERVE, 50);
                cf_call(c, c->ma, &m, &r);
                cf_eq(c, "where the reserved bytes begin", cf_u(c, &r, WF_PREVLENGTH), at);
        }
        cf_attr(c, inode, &attr);
        cf_eq(c, "length", attr.length, 1000);
}

static void update_only_grows(struct cf *c)
{
        uint32_t inode = cf_new(c);
        struct wire_attr attr;
        struct wire_msg m;

        truncate_msg(c, &m, inode, 0, 1000);
        cf_want(c, c->ma, &m, WIRE_STATUS_OK);
        truncate_msg(c, &m, inode, WIRE_TRUNCATE_OPENED | WIRE_TRUNCATE_UPDATE, 10);
        (void)cf_ask(c, c->ma, &m);
        cf_attr(c, inode, &attr);
        cf_eq(c, "length after TRUNCATE with UPDATE and 10", attr.length, 1000);
}

/* ---- extended attributes --------------------------------------------------------------------------------------- */

static void setx(struct cf *c, struct wire_msg *m, uint32_t inode, const char *name, const char *value,
                 uint8_t mode)
{
        cf_msg(m, WIRE_CLTOMA_FUSE_SETXATTR);
        wire_set_u(m, WF_INODE, inode);
        wire_set_str(m, WF_NAME, name);
        wire_set_bytes(m, WF_VALUE, value, strlen(value));
        wire_set_u(m, WF_XMODE, mode);
        wire_set_u(m, WF_OPENED, 0);
        cf_ug(c, m);
}

static void getx(struct cf *c, struct wire_msg *r, uint32_t inode, const char *name, uint8_t mode)
{
        struct wire_msg m;

        cf_msg(&m, WIRE_CLTOMA_FUSE_GETXATTR);
        wire_set_u(&m, WF_INODE, inode);
        wire_set_str(&m, WF_NAME, name);
        wire_set_u(&m, WF_XMODE, mode);
        wire_set_u(&m, WF_OPENED, 0);
        cf_ug(c, &m);
        cf_call(c, c->ma, &m, r);
}

static bool knows_xattr(struct cf *c)
{
        if (!wire_ver_at_least(c->declared, WIRE_VER(2, 0, 0)))
                cf_skip(c, "the client declares less than 2.0, which has another form of these commands");
        return !c->failed;
}

static void xattr_value(struct cf *c)
{
        uint32_t inode = cf_new(c);
        struct wire_msg m, r;
        const uint8_t *p;
        size_t n = 0;

        if (!knows_xattr(c))
                return;
        setx(c, &m, inode, "user.roma", "value", WIRE_SETXATTR_SET);
        cf_want(c, c->ma, &m, WIRE_STATUS_OK);
        getx(c, &r, inode, "user.roma", WIRE_GETXATTR_DATA);
        if (c->failed)
                return;
        p = wire_has(&r, WF_VALUE) ? wire_get_bytes(&r, WF_VALUE, &n) : NULL;
        cf_true(c, p && n == 5 && !memcmp(p, "value", 5), "GETXATTR does not give the value that was set");
        getx(c, &r, inode, "", WIRE_GETXATTR_DATA);
        if (c->failed)
                return;
        p = wire_has(&r, WF_VALUE) ? wire_get_bytes(&r, WF_VALUE, &n) : NULL;
        cf_true(c, p && n == 10 && !memcmp(p, "user.roma", 10),
                "the list of names is not this one, with its NUL");
}

static void xattr_modes(struct cf *c)
{
        uint32_t inode = cf_new(c);
        struct wire_msg m, r;
        uint8_t status = 0;

        if (!knows_xattr(c))
                return;
        setx(c, &m, inode, "user.a", "1", WIRE_SETXATTR_REPLACE);
        cf_want(c, c->ma, &m, WIRE_STATUS_ENOATTR);
        setx(c, &m, inode, "user.a", "1", WIRE_SETXATTR_CREATE);
        cf_want(c, c->ma, &m, WIRE_STATUS_OK);
        setx(c, &m, inode, "user.a", "2", WIRE_SETXATTR_CREATE);
        cf_want(c, c->ma, &m, WIRE_STATUS_EEXIST);
        setx(c, &m, inode, "user.a", "", WIRE_SETXATTR_REMOVE);
        cf_want(c, c->ma, &m, WIRE_STATUS_OK);
        getx(c, &r, inode, "user.a", WIRE_GETXATTR_DATA);
        if (c->failed)
                return;
        wire_is_status(&r, &status);
        cf_status_is(c, "GETXATTR of what was removed", status, WIRE_STATUS_ENOATTR);
}

static void no_acl(struct cf *c)
{
        struct wire_msg m;

        cf_msg(&m, WIRE_CLTOMA_FUSE_GETFACL);
        wire_set_u(&m, WF_INODE, cf_new(c));
        wire_set_u(&m, WF_ACLTYPE, 1);
        cf_want(c, c->ma, &m, WIRE_STATUS_ENOATTR);
}

const struct cf_check cf_checks_attrs[] = {
        CHECK("attrs/new", ANY, of_a_new_file, "3.1", BOTH,
              "type, mode, nlink and length of what was just made"),
        CHECK("attrs/missing", ANY, of_nothing, "3.2", BOTH, "GETATTR of what is not there: status 3"),
        CHECK("attrs/umask", ANY, umask_holds, "2.4", BOTH, "the umask of a request holds"),
        CHECK("attrs/mode", ANY, set_mode, "3.2", BOTH, "SETATTR sets what its mask says, and nothing else"),
        CHECK("attrs/times", ANY, set_times, "3.2", BOTH, "SETATTR sets both times"),
        CHECK("attrs/amtime", ANY, amtime, "2.7", BOTH, "AMTIME_INODES is taken and not answered"),
        CHECK("attrs/amtime-length", ANY, amtime_length, "2.7", BOTH,
              "AMTIME_INODES whose length is no multiple of 12 ends the connection"),
        CHECK("attrs/access", ANY, access_of, "3.2", BOTH,
              "ACCESS: 0 for the owner, 4 for writing by another"),
        CHECK("attrs/statfs", ANY, statfs, "3.2", BOTH, "40 or 48 bytes, as the declared version asks"),
        CHECK("attrs/length", ANY, attr_length, "3.1", BOTH,
              "the record has 35 or 36 bytes, as the declared version asks"),
        CHECK("attrs/truncate", ANY, truncate_file, "3.5", BOTH, "TRUNCATE up and down sets the length"),
        CHECK("attrs/truncate-refused", ANY, truncate_refused, "3.5", BOTH,
              "TRUNCATE of nothing: 3; of a folder: 1"),
        CHECK("attrs/reserve", ANY, reserve, "3.5", BOTH,
              "TRUNCATE with RESERVE gives each caller the next place, and the length stays"),
        CHECK("attrs/update", ANY, update_only_grows, "3.5", BOTH, "TRUNCATE with UPDATE never shrinks"),
        CHECK("attrs/xattr", ANY, xattr_value, "3.6", BOTH,
              "an extended attribute is given back, and listed with its NUL"),
        CHECK("attrs/xattr-modes", ANY, xattr_modes, "3.6", BOTH,
              "create only: 5; replace only: 38; removed: 38"),
        CHECK("attrs/no-acl", ANY, no_acl, "3.6", BOTH, "GETFACL of a file without one: status 38"),
        CHECKS_END,
};
