/* SPDX-License-Identifier: MIT */
/* The mounts of the process: shared by all stores of all its loops that ask for the same, counted, given back by the last
 * of them. This list is the one global thing in libroma: a mount costs 14 threads, and two of one process are two clients
 * to the MDS, which takes caps from one to give them to the other.
 *
 * A mount in which a call that nobody waits for any more has been for 5 s (a stopped MDS) is set aside: whoever has it open keeps it, new users get another, of
 * which there are two at most, so that a dead cluster does not eat the process. When its calls come back it is as good
 * as any. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "cephio/cephfs/cephfs.h"

enum { MOST_SICK = 2 };
static const uint64_t SICK_NS = UINT64_C(5) * 1000000000;

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t made = PTHREAD_COND_INITIALIZER;
static struct ri_list all = { &all, &all };

/* libcephfs has threads for all mounts of the process, which a child lacks and libcephfs does not start again: there a
 * mount would hang for ever. */
static bool no_threads;

static void forked(void)
{
        no_threads = true;
        pthread_mutex_init(&lock, NULL);
        pthread_cond_init(&made, NULL);
        ri_list_init(&all);
}

static void watch_forks(void)
{
        pthread_atfork(NULL, NULL, forked);
}

static bool same(const char *a, const char *b)
{
        return a && b ? strcmp(a, b) == 0 : a == b;
}

bool cfs_conf_equal(const struct cfs_conf *a, const struct cfs_conf *b)
{
        return same(a->conf, b->conf) && same(a->client, b->client) && same(a->keyring, b->keyring) &&
               same(a->fs, b->fs) && same(a->subfolder, b->subfolder) &&
               a->mount_timeout_s == b->mount_timeout_s && a->osd_timeout_s == b->osd_timeout_s &&
               a->nudge == b->nudge;
}

void cfs_conf_clear(struct cfs_conf *c)
{
        free(c->conf);
        free(c->client);
        free(c->keyring);
        free(c->fs);
        free(c->subfolder);
        memset(c, 0, sizeof(*c));
}

static int copy(char **to, const char *from)
{
        *to = from ? strdup(from) : NULL;
        return from && !*to ? -1 : 0;
}

int cfs_conf_copy(struct cfs_conf *to, const struct cfs_conf *from)
{
        *to = *from;
        to->conf = to->client = to->keyring = to->fs = to->subfolder = NULL;
        if (copy(&to->conf, from->conf) == 0 && copy(&to->client, from->client) == 0 &&
            copy(&to->keyring, from->keyring) == 0 && copy(&to->fs, from->fs) == 0 &&
            copy(&to->subfolder, from->subfolder) == 0)
                return 0;
        cfs_conf_clear(to);
        return -1;
}

/* Calls; with the lock. */

static void call_enter(struct cfs_call *call, struct cfs_mount *m)
{
        call->mount = m;
        call->since_ns = ri_now();
        call->abandoned = false;
}

static bool has_twin(const struct cfs_mount *m)
{
        ri_list_for_each(l, &all)
        {
                const struct cfs_mount *o = ri_list_entry(l, struct cfs_mount, in_all);

                if (o != m && o->listed && cfs_conf_equal(&o->conf, &m->conf))
                        return true;
        }
        return false;
}

static void call_leave(struct cfs_call *call)
{
        struct cfs_mount *m = call->mount;

        call->mount = NULL;
        if (!m || !call->abandoned)
                return;
        ri_list_del(&call->in_mount);
        if (!ri_list_empty(&m->hanging) || !m->sick)
                return;
        m->sick = false;
        if (m->made && !has_twin(m))
                m->listed = true;
}

void cfs_call_begin(struct cfs_call *call, struct cfs_mount *m)
{
        pthread_mutex_lock(&lock);
        call_enter(call, m);
        pthread_mutex_unlock(&lock);
}

void cfs_call_end(struct cfs_call *call)
{
        pthread_mutex_lock(&lock);
        call_leave(call);
        pthread_mutex_unlock(&lock);
}

void cfs_call_abandon(struct cfs_call *call)
{
        struct cfs_mount *m;

        pthread_mutex_lock(&lock);
        m = call->mount;
        if (m && !call->abandoned) {
                call->abandoned = true;
                ri_list_add_tail(&m->hanging, &call->in_mount);
        }
        pthread_mutex_unlock(&lock);
}

/* Calls that were given up are often just slow, so the age decides, and it is looked at when somebody wants the mount. */
static bool usable(struct cfs_mount *m)
{
        uint64_t now = ri_now();

        ri_list_for_each(l, &m->hanging)
        {
                if (m->listed && now - ri_list_entry(l, struct cfs_call, in_mount)->since_ns >= SICK_NS) {
                        m->sick = true;
                        m->listed = false;
                }
        }
        return m->listed;
}

/* Mounts */

/* Removals, of which there may be always some, must not keep a rename out. */
static void names_init(pthread_rwlock_t *names)
{
        pthread_rwlockattr_t attr;

        pthread_rwlockattr_init(&attr);
        pthread_rwlockattr_setkind_np(&attr, PTHREAD_RWLOCK_PREFER_WRITER_NONRECURSIVE_NP);
        pthread_rwlock_init(names, &attr);
        pthread_rwlockattr_destroy(&attr);
}

static struct cfs_mount *mount_new(const struct cfs_conf *conf)
{
        struct cfs_mount *m = calloc(1, sizeof(*m));

        if (m && cfs_conf_copy(&m->conf, conf) == 0) {
                ri_list_init(&m->hanging);
                names_init(&m->names);
                m->refs = 1;
                m->listed = true;
                m->pid = getpid();
                m->nudger = conf->nudge ? cfs_nudger_new(&m->conf) : NULL;
                if (m->nudger || !conf->nudge)
                        return m;
                pthread_rwlock_destroy(&m->names);
                cfs_conf_clear(&m->conf);
        }
        free(m);
        return NULL;
}

static void mount_free(struct cfs_mount *m)
{
        if (m->pid != getpid())
                return;
        if (m->nudger)
                cfs_nudger_stop(m->nudger);
        if (m->cm)
                cfs_mount_unmake(m->cm);
        cfs_conf_clear(&m->conf);
        pthread_rwlock_destroy(&m->names);
        free(m);
}

/* With the lock. sick: how many of the same are set aside. */
static struct cfs_mount *find(const struct cfs_conf *conf, unsigned *sick)
{
        struct cfs_mount *found = NULL;

        *sick = 0;
        ri_list_for_each(l, &all)
        {
                struct cfs_mount *m = ri_list_entry(l, struct cfs_mount, in_all);

                if (!cfs_conf_equal(&m->conf, conf))
                        continue;
                if (usable(m))
                        found = m;
                *sick += m->sick;
        }
        return found;
}

/* That no MDS answers has many reasons, among them OSDs that do not answer the MDS: the monitors know. */
static void ask_why(const struct cfs_conf *conf, struct cfs_why *why)
{
        struct ri_str s = RI_STR_INIT(4096);
        struct cfs_why not_said;

        if (why->stage == CFS_MOUNT && why->err == ETIMEDOUT && cfs_say_monitors(conf, &s, &not_said) == 0)
                snprintf(why->said, sizeof(why->said), "%s", ri_str_cstr(&s));
        ri_str_free(&s);
}

/* With the lock, which it gives back meanwhile. */
static void make(struct cfs_mount *m, struct cfs_call *call)
{
        struct ceph_mount_info *cm;
        struct cfs_why why;
        int err;

        call_enter(call, m);
        pthread_mutex_unlock(&lock);
        err = cfs_mount_make(&m->conf, &cm, &why);
        ask_why(&m->conf, &why);
        pthread_mutex_lock(&lock);
        m->made = err == 0;
        m->failed = err != 0;
        if (m->failed)
                m->listed = false;
        m->why = why;
        m->cm = cm;
        call_leave(call);
        pthread_cond_broadcast(&made);
}

static void wait_made(struct cfs_mount *m, struct cfs_call *call)
{
        call_enter(call, m);
        while (!m->made && !m->failed)
                pthread_cond_wait(&made, &lock);
        call_leave(call);
}

static struct cfs_mount *no_mount(struct cfs_why *why, enum cfs_stage stage, int err)
{
        pthread_mutex_unlock(&lock);
        *why = (struct cfs_why){ .stage = stage, .err = err };
        return NULL;
}

struct cfs_mount *cfs_mount_get(const struct cfs_conf *conf, struct cfs_call *call, struct cfs_why *why)
{
        static pthread_once_t once = PTHREAD_ONCE_INIT;
        struct cfs_mount *m;
        unsigned sick;
        bool others;

        pthread_once(&once, watch_forks);
        pthread_mutex_lock(&lock);
        if (no_threads)
                return no_mount(why, CFS_FORKED, EDEADLK);
        m = find(conf, &sick);
        others = m != NULL;
        if (m) {
                m->refs++;
                wait_made(m, call);
        } else if (sick >= MOST_SICK) {
                return no_mount(why, CFS_HANGING, EBUSY);
        } else {
                m = mount_new(conf);
                if (!m)
                        return no_mount(why, CFS_CREATE, ENOMEM);
                ri_list_add_tail(&all, &m->in_all);
                make(m, call);
        }
        if (m->made) {
                why->connected_ns = m->why.connected_ns;
                why->others = others;
                pthread_mutex_unlock(&lock);
                return m;
        }
        *why = m->why;
        why->others = others;
        pthread_mutex_unlock(&lock);
        cfs_mount_put(m);
        return NULL;
}

bool cfs_mount_there(const struct cfs_conf *conf)
{
        const struct cfs_mount *m;
        unsigned sick;
        bool there;

        pthread_mutex_lock(&lock);
        m = find(conf, &sick);
        there = m && m->made;
        pthread_mutex_unlock(&lock);
        return there;
}

struct cfs_mount *cfs_mount_ref(struct cfs_mount *m)
{
        pthread_mutex_lock(&lock);
        m->refs++;
        pthread_mutex_unlock(&lock);
        return m;
}

static bool was_last(struct cfs_mount *m)
{
        bool last;

        pthread_mutex_lock(&lock);
        last = --m->refs == 0;
        if (last && m->pid == getpid())
                ri_list_del(&m->in_all);
        pthread_mutex_unlock(&lock);
        return last;
}

void cfs_mount_put(struct cfs_mount *m)
{
        if (m && was_last(m))
                mount_free(m);
}

bool cfs_mount_listed(struct cfs_mount *m)
{
        bool yes;

        pthread_mutex_lock(&lock);
        yes = usable(m);
        pthread_mutex_unlock(&lock);
        return yes;
}

void cfs_mount_dead(struct cfs_mount *m)
{
        pthread_mutex_lock(&lock);
        m->listed = false;
        m->sick = false; /* it will not get well */
        pthread_mutex_unlock(&lock);
}

/* Unmounting with a limit: by a thread of its own, which is left behind when it does not come back. */

struct leaving {
        pthread_mutex_t lock;
        pthread_cond_t gone;
        struct cfs_mount *mount;
        unsigned refs; /* the waiter, the thread */
        bool done;
};

/* With its lock, which is given back. */
static void leaving_put(struct leaving *l)
{
        bool last = --l->refs == 0;

        pthread_mutex_unlock(&l->lock);
        if (!last)
                return;
        pthread_cond_destroy(&l->gone);
        pthread_mutex_destroy(&l->lock);
        free(l);
}

static void *leave(void *arg)
{
        struct leaving *l = arg;

        mount_free(l->mount);
        ceph_leaving_end();
        pthread_mutex_lock(&l->lock);
        l->done = true;
        pthread_cond_signal(&l->gone);
        leaving_put(l);
        return NULL;
}

static void wait_left(struct leaving *l, unsigned ms)
{
        struct timespec until;
        int r = 0;

        clock_gettime(CLOCK_REALTIME, &until);
        until.tv_sec += ms / 1000;
        until.tv_nsec += (long)(ms % 1000) * 1000000;
        if (until.tv_nsec >= 1000000000) {
                until.tv_nsec -= 1000000000;
                until.tv_sec++;
        }
        pthread_mutex_lock(&l->lock);
        while (!l->done && r == 0)
                r = pthread_cond_timedwait(&l->gone, &l->lock, &until);
        leaving_put(l);
}

void cfs_mount_put_within(struct cfs_mount *m, unsigned ms)
{
        struct leaving *l;
        pthread_t t;

        if (!m || !was_last(m))
                return;
        l = calloc(1, sizeof(*l));
        if (!l) {
                mount_free(m);
                return;
        }
        pthread_mutex_init(&l->lock, NULL);
        pthread_cond_init(&l->gone, NULL);
        l->mount = m;
        l->refs = 2;
        ceph_leaving_begin();
        if (cfs_thread(&t, leave, l) != 0) {
                ceph_leaving_end();
                l->refs = 1;
                pthread_mutex_lock(&l->lock);
                leaving_put(l);
                mount_free(m);
                return;
        }
        pthread_detach(t);
        wait_left(l, ms);
}
