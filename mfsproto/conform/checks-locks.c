/* SPDX-License-Identifier: MIT */
/* Locks of files. */
#include "mfsproto/conform/checks.h"

static void open_in(struct cf *c, struct cf_link *l, uint32_t inode)
{
        struct wire_msg m;

        cf_msg(&m, WIRE_CLTOMA_FUSE_OPEN);
        wire_set_u(&m, WF_INODE, inode);
        cf_ug(c, &m);
        wire_set_u(&m, WF_FLAGS, WIRE_OPEN_READ | WIRE_OPEN_WRITE);
        cf_want(c, l, &m, WIRE_STATUS_OK);
}

static void flock_msg(struct wire_msg *m, uint32_t inode, uint8_t cmd)
{
        cf_msg(m, WIRE_CLTOMA_FUSE_FLOCK);
        wire_set_u(m, WF_INODE, inode);
        wire_set_u(m, WF_REQID, cmd == WIRE_FLOCK_UNLOCK ? 0 : 7);
        wire_set_u(m, WF_OWNER, 42);
        wire_set_u(m, WF_CMD, cmd);
}

static void not_open(struct cf *c)
{
        struct cf_link *other = cf_client(c);
        struct wire_msg m;

        flock_msg(&m, cf_new(c), WIRE_FLOCK_TRY_EXCLUSIVE);
        cf_want(c, other, &m, WIRE_STATUS_NOTOPENED);
}

static void exclusive(struct cf *c)
{
        struct cf_link *other = cf_client(c);
        uint32_t inode = cf_new(c);
        struct wire_msg m;

        open_in(c, c->ma, inode);
        open_in(c, other, inode);
        flock_msg(&m, inode, WIRE_FLOCK_TRY_EXCLUSIVE);
        cf_want(c, c->ma, &m, WIRE_STATUS_OK);
        flock_msg(&m, inode, WIRE_FLOCK_TRY_EXCLUSIVE);
        cf_want(c, other, &m, WIRE_STATUS_EAGAIN);
        flock_msg(&m, inode, WIRE_FLOCK_TRY_SHARED);
        cf_want(c, other, &m, WIRE_STATUS_EAGAIN);
        flock_msg(&m, inode, WIRE_FLOCK_UNLOCK);
        cf_want(c, c->ma, &m, WIRE_STATUS_OK);
        flock_msg(&m, inode, WIRE_FLOCK_TRY_EXCLUSIVE);
        cf_want(c, other, &m, WIRE_STATUS_OK);
}

static void shared(struct cf *c)
{
        struct cf_link *other = cf_client(c);
        uint32_t inode = cf_new(c);
        struct wire_msg m;

        open_in(c, c->ma, inode);
        open_in(c, other, inode);
        flock_msg(&m, inode, WIRE_FLOCK_TRY_SHARED);
        cf_want(c, c->ma, &m, WIRE_STATUS_OK);
        flock_msg(&m, inode, WIRE_FLOCK_TRY_SHARED);
        cf_want(c, other, &m, WIRE_STATUS_OK);
        flock_msg(&m, inode, WIRE_FLOCK_TRY_EXCLUSIVE);
        cf_want(c, other, &m, WIRE_STATUS_EAGAIN);
}

static void waiting(struct cf *c)
{
        struct cf_link *other = cf_client(c);
        uint32_t inode = cf_new(c);
        struct wire_msg m, r;
        uint8_t status = 0;

        open_in(c, c->ma, inode);
        open_in(c, other, inode);
        flock_msg(&m, inode, WIRE_FLOCK_TRY_EXCLUSIVE);
        cf_want(c, c->ma, &m, WIRE_STATUS_OK);
        flock_msg(&m, inode, WIRE_FLOCK_EXCLUSIVE);
        cf_send(c, other, &m);
        cf_want_quiet(c, other, "FLOCK that waits for another session");
        flock_msg(&m, inode, WIRE_FLOCK_UNLOCK);
        cf_want(c, c->ma, &m, WIRE_STATUS_OK);
        cf_take(c, other, WIRE_MATOCL_FUSE_FLOCK, &r);
        if (c->failed)
                return;
        wire_is_status(&r, &status);
        cf_status_is(c, "FLOCK that waited", status, WIRE_STATUS_OK);
}

static void posix_msg(struct wire_msg *m, uint32_t inode, uint8_t cmd, uint8_t type, uint64_t start,
                      uint64_t end)
{
        cf_msg(m, WIRE_CLTOMA_FUSE_POSIX_LOCK);
        wire_set_u(m, WF_INODE, inode);
        wire_set_u(m, WF_REQID, 9);
        wire_set_u(m, WF_OWNER, 42);
        wire_set_u(m, WF_PID, 4711);
        wire_set_u(m, WF_CMD, cmd);
        wire_set_u(m, WF_LOCKTYPE, type);
        wire_set_u(m, WF_START, start);
        wire_set_u(m, WF_END, end);
}

static void ranges(struct cf *c)
{
        struct cf_link *other = cf_client(c);
        uint32_t inode = cf_new(c);
        struct wire_msg m, r;

        open_in(c, c->ma, inode);
        open_in(c, other, inode);
        posix_msg(&m, inode, WIRE_POSIX_TRY, WIRE_POSIX_WRLOCK, 100, 200);
        cf_want(c, c->ma, &m, WIRE_STATUS_OK);
        posix_msg(&m, inode, WIRE_POSIX_TRY, WIRE_POSIX_WRLOCK, 199, 300);
        cf_want(c, other, &m, WIRE_STATUS_EAGAIN);
        posix_msg(&m, inode, WIRE_POSIX_TRY, WIRE_POSIX_WRLOCK, 200, 300);
        cf_want(c, other, &m, WIRE_STATUS_OK);
        posix_msg(&m, inode, WIRE_POSIX_GET, WIRE_POSIX_WRLOCK, 0, 150);
        cf_call(c, other, &m, &r);
        cf_eq(c, "start of the lock that is in the way", cf_u(c, &r, WF_START), 100);
        cf_eq(c, "its end", cf_u(c, &r, WF_END), 200);
        cf_eq(c, "its type", cf_u(c, &r, WF_LOCKTYPE), WIRE_POSIX_WRLOCK);
}

static void free_range(struct cf *c)
{
        uint32_t inode = cf_new(c);
        struct wire_msg m, r;

        open_in(c, c->ma, inode);
        posix_msg(&m, inode, WIRE_POSIX_GET, WIRE_POSIX_WRLOCK, 0, 150);
        cf_call(c, c->ma, &m, &r);
        if (c->failed)
                return;
        cf_eq(c, "length of the reply", c->ma->len, 25);
        cf_eq(c, "type of no lock", cf_u(c, &r, WF_LOCKTYPE), WIRE_POSIX_UNLOCK);
}

const struct cf_check cf_checks_locks[] = {
        CHECK("locks/not-open", ANY, not_open, "3.7", BOTH,
              "FLOCK of a file that the session has not opened: status 17"),
        CHECK("locks/exclusive", ANY, exclusive, "3.7", BOTH,
              "an exclusive lock keeps all others out: status 45"),
        CHECK("locks/shared", ANY, shared, "3.7", BOTH, "shared locks go together"),
        CHECK("locks/waiting", ANY, waiting, "3.7", BOTH,
              "a lock that has to wait is answered when it is granted"),
        CHECK("locks/ranges", ANY, ranges, "3.7", BOTH,
              "POSIX locks hold for their range; GET tells who is in the way"),
        CHECK("locks/free", ANY, free_range, "3.7", BOTH, "GET of a range without locks: 25 bytes, type 0"),
        CHECKS_END,
};
