/* SPDX-License-Identifier: MIT */
/* Why a reader nudges the MDS.
 *
 * When a program closes a file that it wrote without fsync, and somebody else opens or reads it, the MDS takes the
 * writer's caps back, journals the change and holds the file's lock until that entry is on disk. It does not ask for
 * its journal to be written: that happens when others cause it, or at its next tick, 5 s apart. On a quiet filesystem
 * the reader waits for that tick. (Ceph 16 to 18 at least, Locker::_do_cap_update: only an increase of max_size is
 * flushed.)
 *
 * A client's ceph_sync_fs() asks for the flush, but only while the client has a request at the MDS. So when a call has
 * not returned after some milliseconds, one thread puts a getattr of the same path on its way, which waits as the call
 * does, and another calls ceph_sync_fs() again and again until the call returns: the entry may come into the journal
 * after the first flush. Both use a small mount of their own, because ceph_sync_fs() also waits for what its mount has
 * still to write. */
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "cephio/cephfs/cephfs.h"

static const uint64_t MS = 1000000;
enum {
        FIRST_MS = 10,
        EVERY_MS = 20,
        /* The getattr must be there before the flush is asked for. */
        BEFORE_SYNC_MS = 1,
        /* What waits so long does not wait for the journal, most likely. */
        SLOW_AFTER = 100,
        SLOW_MS = 200,
        NO_MOUNT_MS = 1000
};

struct cfs_nudger {
        const struct cfs_conf *conf;
        pthread_mutex_t lock;
        pthread_cond_t watch_wake, stat_wake;
        struct ri_list waiters; /* struct cfs_waiter */
        bool sleeping;          /* the watcher waits for a waiter, not for a time */
        bool watches, stats, quit;
        pthread_t watcher, statter;
        struct ceph_mount_info *cm;
        uint64_t mount_again_ns;
        char *path; /* for the getattr; NULL: it has nothing to do */
        bool in_stat;
};

struct cfs_nudger *cfs_nudger_new(const struct cfs_conf *conf)
{
        struct cfs_nudger *n = calloc(1, sizeof(*n));
        pthread_condattr_t mono;

        if (!n)
                return NULL;
        n->conf = conf;
        pthread_mutex_init(&n->lock, NULL);
        pthread_condattr_init(&mono);
        pthread_condattr_setclock(&mono, CLOCK_MONOTONIC);
        pthread_cond_init(&n->watch_wake, &mono);
        pthread_cond_init(&n->stat_wake, &mono);
        pthread_condattr_destroy(&mono);
        ri_list_init(&n->waiters);
        return n;
}

/* The getattr */

static void *statter(void *arg)
{
        struct cfs_nudger *n = arg;
        struct ceph_statx st;
        char *path;

        pthread_mutex_lock(&n->lock);
        while (!n->quit) {
                if (!n->path) {
                        pthread_cond_wait(&n->stat_wake, &n->lock);
                        continue;
                }
                path = n->path;
                n->path = NULL;
                n->in_stat = true;
                pthread_mutex_unlock(&n->lock);
                ceph_statx(n->cm, path, &st, CEPH_STATX_SIZE | CEPH_STATX_MTIME, AT_SYMLINK_NOFOLLOW);
                free(path);
                pthread_mutex_lock(&n->lock);
                n->in_stat = false;
        }
        pthread_mutex_unlock(&n->lock);
        return NULL;
}

/* The watcher; all with the lock. */

static void sleep_until(struct cfs_nudger *n, uint64_t at_ns)
{
        uint64_t now = ri_now(), left = at_ns > now ? at_ns - now : 0;
        struct timespec t;

        /* a condition variable cannot count in the clock of ri_now() */
        clock_gettime(CLOCK_MONOTONIC, &t);
        left += (uint64_t)t.tv_nsec;
        t.tv_sec += (time_t)(left / 1000000000);
        t.tv_nsec = (long)(left % 1000000000);
        pthread_cond_timedwait(&n->watch_wake, &n->lock, &t);
}

static struct cfs_waiter *earliest(struct cfs_nudger *n)
{
        struct cfs_waiter *first = NULL;

        ri_list_for_each(l, &n->waiters)
        {
                struct cfs_waiter *w = ri_list_entry(l, struct cfs_waiter, link);

                if (!first || w->due_ns < first->due_ns)
                        first = w;
        }
        return first;
}

static bool ready(struct cfs_nudger *n)
{
        struct ceph_mount_info *cm = NULL;
        struct cfs_why why;

        if (!n->cm && ri_now() >= n->mount_again_ns) {
                pthread_mutex_unlock(&n->lock);
                if (cfs_mount_make(n->conf, &cm, &why) != 0)
                        cm = NULL;
                pthread_mutex_lock(&n->lock);
                n->cm = cm;
                n->mount_again_ns = ri_now() + NO_MOUNT_MS * MS;
        }
        if (n->cm && !n->stats)
                n->stats = cfs_thread(&n->statter, statter, n) == 0;
        return n->cm && n->stats;
}

/* Everybody who is due, and the path of one for whom no getattr is on its way. */
static void mark(struct cfs_nudger *n, uint64_t now, bool nudged)
{
        ri_list_for_each(l, &n->waiters)
        {
                struct cfs_waiter *w = ri_list_entry(l, struct cfs_waiter, link);

                if (w->due_ns > now)
                        continue;
                w->nudged += nudged;
                w->due_ns = now + (w->nudged < SLOW_AFTER ? EVERY_MS : SLOW_MS) * MS;
                if (nudged && !n->in_stat && !n->path) {
                        n->path = strdup(w->path);
                        pthread_cond_signal(&n->stat_wake);
                }
        }
}

static void nudge(struct cfs_nudger *n)
{
        bool can = ready(n);

        mark(n, ri_now(), can);
        if (!can || ri_list_empty(&n->waiters) || n->quit)
                return;
        sleep_until(n, ri_now() + BEFORE_SYNC_MS * MS);
        if (ri_list_empty(&n->waiters) || n->quit)
                return;
        pthread_mutex_unlock(&n->lock);
        ceph_sync_fs(n->cm);
        pthread_mutex_lock(&n->lock);
}

static void *watcher(void *arg)
{
        struct cfs_nudger *n = arg;
        struct cfs_waiter *w;

        pthread_mutex_lock(&n->lock);
        while (!n->quit) {
                w = earliest(n);
                if (!w) {
                        n->sleeping = true;
                        pthread_cond_wait(&n->watch_wake, &n->lock);
                        n->sleeping = false;
                } else if (w->due_ns > ri_now()) {
                        sleep_until(n, w->due_ns);
                } else {
                        nudge(n);
                }
        }
        pthread_mutex_unlock(&n->lock);
        return NULL;
}

/* For jobs */

void cfs_guard_begin(struct cfs_mount *m, struct cfs_waiter *w, const char *path)
{
        struct cfs_nudger *n = m->nudger;

        ri_list_init(&w->link);
        w->nudged = 0;
        if (!n || !path)
                return;
        w->path = path;
        w->due_ns = ri_now() + FIRST_MS * MS;
        pthread_mutex_lock(&n->lock);
        if (!n->watches)
                n->watches = cfs_thread(&n->watcher, watcher, n) == 0;
        ri_list_add_tail(&n->waiters, &w->link);
        if (n->sleeping)
                pthread_cond_signal(&n->watch_wake);
        pthread_mutex_unlock(&n->lock);
}

void cfs_guard_end(struct cfs_mount *m, struct cfs_waiter *w)
{
        struct cfs_nudger *n = m->nudger;

        if (!n)
                return;
        pthread_mutex_lock(&n->lock);
        ri_list_del(&w->link);
        pthread_mutex_unlock(&n->lock);
}

unsigned cfs_guard_nudged(struct cfs_mount *m, const struct cfs_waiter *w)
{
        unsigned n;

        if (!m->nudger)
                return 0;
        pthread_mutex_lock(&m->nudger->lock);
        n = w->nudged;
        pthread_mutex_unlock(&m->nudger->lock);
        return n;
}

void cfs_nudger_stop(struct cfs_nudger *n)
{
        pthread_mutex_lock(&n->lock);
        n->quit = true;
        pthread_cond_broadcast(&n->watch_wake);
        pthread_cond_broadcast(&n->stat_wake);
        pthread_mutex_unlock(&n->lock);
        if (n->watches)
                pthread_join(n->watcher, NULL);
        if (n->stats)
                pthread_join(n->statter, NULL);
        if (n->cm)
                cfs_mount_unmake(n->cm);
        free(n->path);
        pthread_cond_destroy(&n->watch_wake);
        pthread_cond_destroy(&n->stat_wake);
        pthread_mutex_destroy(&n->lock);
        free(n);
}
