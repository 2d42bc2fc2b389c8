/* SPDX-License-Identifier: MIT */
/* Locks of files: FLOCK and POSIX_LOCK, as a 3.0.117 master answers them. Protocol page 3.7. A request that has to wait is
 * parked, and looked at again whenever a lock goes. */
#include <stdlib.h>

#include "mfsproto/peer/inner.h"

enum { LOCKS_MAX = 8192 };

static bool is_of(const struct peer_lock *k, uint32_t session, uint64_t owner, bool posix)
{
        return k->session == session && k->owner == owner && k->posix == posix;
}

/* Those who wait look again; not at the end, when the peer is about to be freed. */
static void wake(struct mfs_peer *p)
{
        if (!p->stop)
                ri_task_queue(p->loop, &p->unpark);
}

static void drop(struct mfs_peer *p, struct peer_lock *k)
{
        ri_list_del(&k->link);
        free(k);
        p->locks--;
        wake(p);
}

static struct peer_lock *add(struct mfs_peer *p, struct peer_node *n, const struct peer_lock *like)
{
        struct peer_lock *k = p->locks < LOCKS_MAX ? malloc(sizeof *k) : NULL;

        if (!k)
                return NULL;
        *k = *like;
        p->locks++;
        ri_list_add_tail(&n->locks, &k->link);
        return k;
}

void peer_locks_drop(struct mfs_peer *p, struct peer_node *n, uint32_t session)
{
        ri_list_for_each_safe(l, tmp, &n->locks)
        {
                struct peer_lock *k = ri_container_of(l, struct peer_lock, link);

                if (k->session == session)
                        drop(p, k);
        }
}

void peer_locks_free(struct mfs_peer *p, struct peer_node *n)
{
        struct ri_list *l;

        while ((l = ri_list_pop(&n->locks))) {
                free(ri_container_of(l, struct peer_lock, link));
                p->locks--;
        }
}

/* Whoever is in the way of `want`. */
static struct peer_lock *in_the_way(struct peer_node *n, const struct peer_lock *want)
{
        ri_list_for_each(l, &n->locks)
        {
                struct peer_lock *k = ri_container_of(l, struct peer_lock, link);

                if (k->posix != want->posix || is_of(k, want->session, want->owner, want->posix) ||
                    (!k->exclusive && !want->exclusive))
                        continue;
                if (k->start < want->end && want->start < k->end)
                        return k;
        }
        return NULL;
}

/* Takes a range away from one owner; what remains of a lock on both sides of it becomes two. */
static bool cut(struct mfs_peer *p, struct peer_node *n, const struct peer_lock *range)
{
        ri_list_for_each_safe(l, tmp, &n->locks)
        {
                struct peer_lock *k = ri_container_of(l, struct peer_lock, link), rest = *k;

                if (!is_of(k, range->session, range->owner, range->posix) || k->start >= range->end ||
                    range->start >= k->end)
                        continue;
                rest.start = range->end;
                if (k->start < range->start && k->end > range->end && !add(p, n, &rest))
                        return false;
                if (k->start < range->start) {
                        k->end = range->start;
                        wake(p);
                } else if (k->end > range->end) {
                        k->start = range->end;
                        wake(p);
                } else {
                        drop(p, k);
                }
        }
        return true;
}

/* Neighbours of the same kind are one lock. */
static void join(struct mfs_peer *p, struct peer_node *n, struct peer_lock *k)
{
        ri_list_for_each_safe(l, tmp, &n->locks)
        {
                struct peer_lock *o = ri_container_of(l, struct peer_lock, link);

                if (o == k || !is_of(o, k->session, k->owner, k->posix) || o->exclusive != k->exclusive ||
                    (o->end != k->start && o->start != k->end))
                        continue;
                if (o->end == k->start)
                        k->start = o->start;
                else
                        k->end = o->end;
                ri_list_del(&o->link);
                free(o);
                p->locks--;
        }
}

static bool opened(const struct peer_req *r, const struct peer_node *n)
{
        return n && ri_map_find_u64(&r->c->session->open, n->inode);
}

static bool take(struct peer_req *r, struct peer_node *n, const struct peer_lock *want)
{
        struct peer_lock *k;

        if (!cut(r->p, n, want) || !(k = add(r->p, n, want)))
                return peer_status(r, WIRE_STATUS_OUTOFMEMORY);
        join(r->p, n, k);
        return peer_status(r, WIRE_STATUS_OK);
}

static bool interrupt(struct peer_req *r)
{
        peer_unpark_one(r->p, r->c->session, r->msg.type, wire_get_u32(&r->msg, WF_REQID));
        return peer_status(r, WIRE_STATUS_OK);
}

static bool on_flock(struct peer_req *r)
{
        struct peer_node *n = peer_node_in(r, WF_INODE);
        uint8_t cmd = wire_get_u8(&r->msg, WF_CMD);
        struct peer_lock want = { .session = r->c->session->id,
                                  .owner = wire_get_u(&r->msg, WF_OWNER),
                                  .end = UINT64_MAX,
                                  .exclusive =
                                          cmd == WIRE_FLOCK_TRY_EXCLUSIVE || cmd == WIRE_FLOCK_EXCLUSIVE };

        if (cmd > WIRE_FLOCK_RELEASE)
                return peer_status(r, WIRE_STATUS_EINVAL);
        if (cmd == WIRE_FLOCK_INTERRUPT)
                return interrupt(r);
        if (cmd != WIRE_FLOCK_RELEASE && !opened(r, n))
                return peer_status(r, WIRE_STATUS_NOTOPENED);
        if (cmd == WIRE_FLOCK_UNLOCK || cmd == WIRE_FLOCK_RELEASE) {
                bool done = !n || cut(r->p, n, &want);

                return peer_status(r, done ? WIRE_STATUS_OK : WIRE_STATUS_OUTOFMEMORY);
        }
        if (!in_the_way(n, &want))
                return take(r, n, &want);
        if (cmd == WIRE_FLOCK_TRY_SHARED || cmd == WIRE_FLOCK_TRY_EXCLUSIVE)
                return peer_status(r, WIRE_STATUS_EAGAIN);
        /* Who waits for the other kind of lock lets go of his own: two could wait for each other for ever. */
        (void)cut(r->p, n, &want);
        return peer_park_until_free(r);
}

static bool tell(struct peer_req *r, const struct peer_lock *k)
{
        struct wire_msg m;

        peer_reply_init(r, &m);
        wire_set_u(&m, WF_PID, k ? k->pid : 0);
        wire_set_u(&m, WF_LOCKTYPE,
                   !k             ? WIRE_POSIX_UNLOCK
                   : k->exclusive ? WIRE_POSIX_WRLOCK
                                  : WIRE_POSIX_RDLOCK);
        wire_set_u(&m, WF_START, k ? k->start : 0);
        wire_set_u(&m, WF_END, k ? k->end : 0);
        return peer_reply(r, &m);
}

static bool on_posix_lock(struct peer_req *r)
{
        struct peer_node *n = peer_node_in(r, WF_INODE);
        uint8_t cmd = wire_get_u8(&r->msg, WF_CMD), type = wire_get_u8(&r->msg, WF_LOCKTYPE);
        struct peer_lock *other, want = { .session = r->c->session->id,
                                          .owner = wire_get_u(&r->msg, WF_OWNER),
                                          .start = wire_get_u(&r->msg, WF_START),
                                          .end = wire_get_u(&r->msg, WF_END),
                                          .pid = wire_get_u32(&r->msg, WF_PID),
                                          .posix = true,
                                          .exclusive = type == WIRE_POSIX_WRLOCK };

        if (cmd > WIRE_POSIX_INTERRUPT || type > WIRE_POSIX_WRLOCK)
                return peer_status(r, WIRE_STATUS_EINVAL);
        if (cmd == WIRE_POSIX_INTERRUPT)
                return interrupt(r);
        if (cmd != WIRE_POSIX_GET && type != WIRE_POSIX_UNLOCK && !opened(r, n))
                return peer_status(r, WIRE_STATUS_NOTOPENED);
        if (cmd != WIRE_POSIX_GET && want.start >= want.end)
                return peer_status(r, WIRE_STATUS_EINVAL);
        other = n && type != WIRE_POSIX_UNLOCK ? in_the_way(n, &want) : NULL;
        if (cmd == WIRE_POSIX_GET)
                return tell(r, other);
        if (type == WIRE_POSIX_UNLOCK)
                return peer_status(r, !n || cut(r->p, n, &want) ? WIRE_STATUS_OK : WIRE_STATUS_OUTOFMEMORY);
        if (!other)
                return take(r, n, &want);
        return cmd == WIRE_POSIX_TRY ? peer_status(r, WIRE_STATUS_EAGAIN) : peer_park_until_free(r);
}

const struct peer_command peer_commands_locks[] = {
        { WIRE_CLTOMA_FUSE_FLOCK, on_flock },
        { WIRE_CLTOMA_FUSE_POSIX_LOCK, on_posix_lock },
        { 0, NULL },
};
