/* SPDX-License-Identifier: MIT */
/* The worker threads of a loop.
 *
 * The pool is shared by the loop and its threads and freed by the last of them: a thread that sits in a system call for
 * ever must be able to come back after the loop has gone. `loop` in it is NULL from then on. */
#include "core/workers.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <time.h>

/* Enough for libraries that expect the usual 8 MiB, such as Ceph's; only what is used is ever there. */
enum { IDLE_SECONDS = 2, STACK = 1024 * 1024 };

enum job_state { JOB_NONE, JOB_WAITING, JOB_RUNNING, JOB_ABANDONED, JOB_DONE };

struct ri_pool {
        pthread_mutex_t lock;
        pthread_cond_t work;
        roma_loop *loop;      /* NULL: the loop has gone */
        struct ri_list queue; /* struct ri_job, waiting */
        unsigned refs;        /* the loop, and each thread */
        unsigned max, threads, idle, queued;
        unsigned stuck;     /* threads with an abandoned job: not counted against max */
        size_t stuck_bytes; /* what those jobs hold */
        bool quit;          /* idle threads end at once */
};

struct ri_workers {
        struct ri_pool *pool;
        roma_loop *loop;
};

/* Called with the lock, which it gives back. */
static void pool_leave(struct ri_pool *p)
{
        bool last = --p->refs == 0;

        pthread_mutex_unlock(&p->lock);
        if (!last)
                return;
        pthread_cond_destroy(&p->work);
        pthread_mutex_destroy(&p->lock);
        free(p);
}

static void job_back(void *arg)
{
        struct ri_job *job = arg;

        if (job->pool->loop)
                job->pool->loop->stats.jobs--;
        if (job->state == JOB_ABANDONED)
                job->orphan(job);
        else
                job->done(job);
}

/* One job, with the lock held before and after. */
static void run_one(struct ri_pool *p, struct ri_job *job)
{
        job->state = JOB_RUNNING;
        pthread_mutex_unlock(&p->lock);
        job->work(job);
        pthread_mutex_lock(&p->lock);
        if (job->state != JOB_ABANDONED && p->loop) {
                job->state = JOB_DONE;
                job->post.fn = job_back;
                job->post.arg = job;
                ri_loop_post(p->loop, &job->post);
                return;
        }
        if (job->state == JOB_ABANDONED) {
                p->stuck--;
                p->stuck_bytes -= job->bytes;
                p->threads++; /* one like the others again; one too many ends itself */
        }
        pthread_mutex_unlock(&p->lock);
        job->orphan(job);
        pthread_mutex_lock(&p->lock);
}

static bool wait_for_work(struct ri_pool *p)
{
        struct timespec until;
        int r = 0;

        clock_gettime(CLOCK_MONOTONIC, &until);
        until.tv_sec += IDLE_SECONDS;
        p->idle++;
        while (ri_list_empty(&p->queue) && !p->quit && p->threads <= p->max && r != ETIMEDOUT)
                r = pthread_cond_timedwait(&p->work, &p->lock, &until);
        p->idle--;
        return !ri_list_empty(&p->queue);
}

static void *worker(void *arg)
{
        struct ri_pool *p = arg;

        pthread_mutex_lock(&p->lock);
        while (wait_for_work(p)) {
                p->queued--;
                run_one(p, ri_container_of(ri_list_pop(&p->queue), struct ri_job, link));
        }
        p->threads--;
        pool_leave(p);
        return NULL;
}

/* With the lock held. The signals of the program are not for these threads. */
static void thread_start(struct ri_pool *p)
{
        pthread_attr_t attr;
        sigset_t all, old;
        pthread_t t;

        if (p->threads >= p->max || p->queued <= p->idle)
                return;
        pthread_attr_init(&attr);
        pthread_attr_setdetachstate(&attr, PTHREAD_CREATE_DETACHED);
        pthread_attr_setstacksize(&attr, STACK);
        sigfillset(&all);
        pthread_sigmask(SIG_SETMASK, &all, &old);
        if (pthread_create(&t, &attr, worker, p) == 0) {
                p->threads++;
                p->refs++;
        }
        pthread_sigmask(SIG_SETMASK, &old, NULL);
        pthread_attr_destroy(&attr);
}

struct ri_workers *ri_workers_new(roma_loop *loop, unsigned max)
{
        struct ri_workers *w = calloc(1, sizeof *w);
        struct ri_pool *p = calloc(1, sizeof *p);
        pthread_condattr_t mono;

        if (!w || !p) {
                free(w);
                free(p);
                return NULL;
        }
        pthread_condattr_init(&mono);
        pthread_condattr_setclock(&mono, CLOCK_MONOTONIC);
        pthread_cond_init(&p->work, &mono);
        pthread_condattr_destroy(&mono);
        pthread_mutex_init(&p->lock, NULL);
        ri_list_init(&p->queue);
        p->loop = loop;
        p->refs = 1;
        p->max = max;
        w->pool = p;
        w->loop = loop;
        return w;
}

void ri_workers_stop(struct ri_workers *w)
{
        struct ri_pool *p = w->pool;

        pthread_mutex_lock(&p->lock);
        p->loop = NULL;
        p->quit = true;
        pthread_cond_broadcast(&p->work);
        pthread_mutex_unlock(&p->lock);
}

void ri_workers_free(struct ri_workers *w)
{
        pthread_mutex_lock(&w->pool->lock);
        pool_leave(w->pool);
        free(w);
}

void ri_workers_rest(roma_loop *loop)
{
        struct ri_pool *p = loop->workers->pool;

        pthread_mutex_lock(&p->lock);
        p->quit = true;
        pthread_cond_broadcast(&p->work);
        pthread_mutex_unlock(&p->lock);
}

void ri_workers_stats(roma_loop *loop, roma_stats *stats)
{
        struct ri_pool *p = loop->workers->pool;

        pthread_mutex_lock(&p->lock);
        stats->threads = p->threads - (p->quit ? p->idle : 0); /* those are on their way out */
        stats->stuck_threads = p->stuck;
        stats->stuck_bytes = p->stuck_bytes;
        pthread_mutex_unlock(&p->lock);
}

/* Not one thread can be had: better slow than never. */
static void run_here(roma_loop *loop, struct ri_job *job)
{
        job->state = JOB_RUNNING;
        job->alone = true;
        job->work(job);
        job->alone = false;
        job->state = JOB_DONE;
        job->post.fn = job_back;
        job->post.arg = job;
        ri_loop_post(loop, &job->post);
}

void ri_job_start(roma_loop *loop, struct ri_job *job)
{
        struct ri_pool *p = loop->workers->pool;
        bool none, idle;

        job->pool = p;
        job->state = JOB_WAITING;
        ri_list_init(&job->link);
        loop->stats.jobs++;
        loop->stats.jobs_total++;
        pthread_mutex_lock(&p->lock);
        p->quit = false;
        ri_list_add_tail(&p->queue, &job->link);
        p->queued++;
        thread_start(p);
        none = p->threads == 0 && p->stuck == 0;
        if (none) {
                ri_list_del(&job->link);
                p->queued--;
        }
        idle = p->idle > 0;
        pthread_mutex_unlock(&p->lock);
        if (idle)
                pthread_cond_signal(&p->work); /* without the lock, which the thread takes first */
        if (none)
                run_here(loop, job);
}

bool ri_job_abandon(struct ri_job *job)
{
        struct ri_pool *p = job->pool;
        bool waiting;

        pthread_mutex_lock(&p->lock);
        waiting = job->state == JOB_WAITING;
        if (waiting) {
                ri_list_del(&job->link);
                p->queued--;
        } else if (job->state == JOB_RUNNING) {
                p->threads--;
                p->stuck++;
                p->stuck_bytes += job->bytes;
                thread_start(p);
        }
        if (job->state != JOB_DONE) /* its post is under way and counts it off */
                p->loop->stats.jobs--;
        job->state = JOB_ABANDONED;
        pthread_mutex_unlock(&p->lock);
        if (waiting)
                job->orphan(job);
        return waiting;
}

bool ri_job_abandoned(struct ri_job *job)
{
        bool yes;

        pthread_mutex_lock(&job->pool->lock);
        yes = job->state == JOB_ABANDONED;
        pthread_mutex_unlock(&job->pool->lock);
        return yes;
}
