/* SPDX-License-Identifier: MIT */
/* Unit tests of core/strays. */
#include <check.h>
#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>

#include <roma/roma.h>

#include "core/list.h"
#include "core/strays.h"

int __real_pthread_create(pthread_t *t, const pthread_attr_t *attr, void *(*fn)(void *), void *arg);
int __wrap_pthread_create(pthread_t *t, const pthread_attr_t *attr, void *(*fn)(void *), void *arg);

static bool no_threads;

int __wrap_pthread_create(pthread_t *t, const pthread_attr_t *attr, void *(*fn)(void *), void *arg)
{
        return no_threads ? EAGAIN : __real_pthread_create(t, attr, fn, arg);
}

enum answer { NONE, SETTLED, LEFT };

/* A change that waits for strays. */
struct change {
        struct ri_job job;
        atomic_bool begun, ended;
        atomic_int answer;
};

static struct ri_strays *strays;
static roma_loop *loop;
static struct change change;

static void work(struct ri_job *job)
{
        struct change *c = ri_container_of(job, struct change, job);

        atomic_store(&c->begun, true);
        atomic_store(&c->answer, ri_strays_settle(strays, job) ? SETTLED : LEFT);
}

static void end(struct ri_job *job)
{
        atomic_store(&ri_container_of(job, struct change, job)->ended, true);
}

static void begin(void)
{
        loop = roma_loop_new();
        strays = ri_strays_new();
        ck_assert(loop && strays);
        change.job.work = work;
        change.job.done = end;
        change.job.orphan = end;
}

static void finish(void)
{
        roma_loop_free(loop);
        ri_strays_unref(strays);
}

static void until(atomic_bool *what)
{
        while (!atomic_load(what))
                roma_loop_turn(loop, 10);
}

START_TEST(waits_for_all)
{
        ck_assert(!ri_strays_any(strays));
        for (int i = 0; i < 2; i++)
                ri_strays_begin(strays);
        ck_assert(ri_strays_any(strays));
        ri_job_start(loop, &change.job);
        for (int left = 2; left > 0; left--) {
                /* Longer than it waits before it looks again. */
                for (int i = 0; i < 20; i++)
                        roma_loop_turn(loop, 10);
                ck_assert(!atomic_load(&change.ended));
                ri_strays_end(strays);
        }
        until(&change.ended);
        ck_assert_int_eq(change.answer, SETTLED);
        ck_assert(!ri_strays_any(strays));
}
END_TEST

/* It does nothing any more, and does not wait for what may never come back, itself perhaps. */
START_TEST(an_abandoned_one_does_not_wait)
{
        ri_strays_begin(strays);
        ri_job_start(loop, &change.job);
        until(&change.begun);
        ck_assert(!ri_job_abandon(&change.job));
        until(&change.ended);
        ck_assert_int_eq(change.answer, LEFT);
        ri_strays_end(strays);
}
END_TEST

/* Without threads it runs on the loop, which alone could bring an end of what it would wait for. */
START_TEST(without_threads_it_does_not_wait)
{
        ri_strays_begin(strays);
        no_threads = true;
        ri_job_start(loop, &change.job);
        no_threads = false;
        until(&change.ended);
        ck_assert_int_eq(change.answer, SETTLED);
        ri_strays_end(strays);
}
END_TEST

START_TEST(is_shared)
{
        ck_assert(!ri_strays_shared(strays));
        ck_assert_ptr_eq(ri_strays_ref(strays), strays);
        ck_assert(ri_strays_shared(strays));
        ri_strays_unref(strays);
        ck_assert(!ri_strays_shared(strays));
        ri_strays_unref(NULL);
}
END_TEST

int main(void)
{
        Suite *s = suite_create("strays");
        TCase *tc = tcase_create("strays");
        SRunner *sr;
        int failed;

        tcase_add_checked_fixture(tc, begin, finish);
        tcase_add_test(tc, waits_for_all);
        tcase_add_test(tc, an_abandoned_one_does_not_wait);
        tcase_add_test(tc, without_threads_it_does_not_wait);
        tcase_add_test(tc, is_shared);
        suite_add_tcase(s, tc);
        sr = srunner_create(s);
        srunner_run_all(sr, CK_ENV);
        failed = srunner_ntests_failed(sr);
        srunner_free(sr);
        return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
