/* SPDX-License-Identifier: MIT */
#include "core/strays.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <time.h>

/* How often a waiting job looks whether it was abandoned: nobody signals that. */
enum { LOOK_NS = 100000000, SECOND_NS = 1000000000 };

struct ri_strays {
        atomic_uint refs;
        pthread_mutex_t lock;
        pthread_cond_t gone;
        unsigned n;
};

struct ri_strays *ri_strays_new(void)
{
        struct ri_strays *s = calloc(1, sizeof *s);
        pthread_condattr_t mono;

        if (!s)
                return NULL;
        atomic_init(&s->refs, 1);
        pthread_mutex_init(&s->lock, NULL);
        pthread_condattr_init(&mono);
        pthread_condattr_setclock(&mono, CLOCK_MONOTONIC);
        pthread_cond_init(&s->gone, &mono);
        pthread_condattr_destroy(&mono);
        return s;
}

struct ri_strays *ri_strays_ref(struct ri_strays *s)
{
        atomic_fetch_add(&s->refs, 1);
        return s;
}

void ri_strays_unref(struct ri_strays *s)
{
        if (!s || atomic_fetch_sub(&s->refs, 1) != 1)
                return;
        pthread_cond_destroy(&s->gone);
        pthread_mutex_destroy(&s->lock);
        free(s);
}

bool ri_strays_shared(const struct ri_strays *s)
{
        return atomic_load(&s->refs) > 1;
}

void ri_strays_begin(struct ri_strays *s)
{
        pthread_mutex_lock(&s->lock);
        s->n++;
        pthread_mutex_unlock(&s->lock);
}

void ri_strays_end(struct ri_strays *s)
{
        pthread_mutex_lock(&s->lock);
        s->n--;
        pthread_cond_broadcast(&s->gone);
        pthread_mutex_unlock(&s->lock);
}

bool ri_strays_any(struct ri_strays *s)
{
        bool any;

        pthread_mutex_lock(&s->lock);
        any = s->n > 0;
        pthread_mutex_unlock(&s->lock);
        return any;
}

/* With the lock held. */
static void wait_a_little(struct ri_strays *s)
{
        struct timespec until;

        clock_gettime(CLOCK_MONOTONIC, &until);
        until.tv_nsec += LOOK_NS;
        if (until.tv_nsec >= SECOND_NS) {
                until.tv_nsec -= SECOND_NS;
                until.tv_sec++;
        }
        pthread_cond_timedwait(&s->gone, &s->lock, &until);
}

bool ri_strays_settle(struct ri_strays *s, struct ri_job *job)
{
        bool ok;

        pthread_mutex_lock(&s->lock);
        /* The job itself may have been counted meanwhile; it must not wait for itself. */
        while (s->n && !job->alone && !ri_job_abandoned(job))
                wait_a_little(s);
        ok = !ri_job_abandoned(job);
        pthread_mutex_unlock(&s->lock);
        return ok;
}
