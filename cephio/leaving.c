/* SPDX-License-Identifier: MIT */
/* Threads of ours that are inside Ceph's libraries and that nobody waits for: they give back what may not be given back
 * where it was let go. When the process ends they are waited for, a while: exit() destroys what those libraries keep in
 * static objects, under whoever is still inside. */
#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <time.h>

#include "cephio/cephio.h"

/* Longer than what they do takes when the cluster answers. */
enum { EXIT_WAIT_S = 5 };

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t none = PTHREAD_COND_INITIALIZER;
static unsigned leaving;

static void wait_for_them(void)
{
        struct timespec until;
        int r = 0;

        clock_gettime(CLOCK_REALTIME, &until);
        until.tv_sec += EXIT_WAIT_S;
        pthread_mutex_lock(&lock);
        while (leaving && r != ETIMEDOUT)
                r = pthread_cond_timedwait(&none, &lock, &until);
        pthread_mutex_unlock(&lock);
}

/* A child has none of these threads. */
static void forked(void)
{
        pthread_mutex_init(&lock, NULL);
        pthread_cond_init(&none, NULL);
        leaving = 0;
}

/* Not before the first of them: what is registered last is called first, and until now Ceph's libraries have registered
 * the destruction of what they use. */
static void watch_exit(void)
{
        pthread_atfork(NULL, NULL, forked);
        (void)atexit(wait_for_them);
}

void ceph_leaving_begin(void)
{
        static pthread_once_t once = PTHREAD_ONCE_INIT;

        pthread_once(&once, watch_exit);
        pthread_mutex_lock(&lock);
        leaving++;
        pthread_mutex_unlock(&lock);
}

void ceph_leaving_end(void)
{
        pthread_mutex_lock(&lock);
        if (--leaving == 0)
                pthread_cond_broadcast(&none);
        pthread_mutex_unlock(&lock);
}
