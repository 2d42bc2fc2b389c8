/* SPDX-License-Identifier: MIT */
/* Loops, operations and workers, in the three ways in which a loop can be driven. */
#include <check.h>
#include <errno.h>
#include <ev.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <roma/ev.h>
#include <roma/roma.h>

#include "core/buf.h"
#include "core/op.h"
#include "core/workers.h"

enum mode { OWN, POLLED, ATTACHED, MODES };

static struct ev_loop *ev;

static roma_loop *make(int mode)
{
        ev = mode == ATTACHED ? ev_loop_new(0) : NULL;
        return ev ? roma_loop_attach(ev) : roma_loop_new();
}

static void drive(roma_loop *loop, int mode)
{
        if (mode == ATTACHED) {
                ev_run(ev, 0);
        } else if (mode == OWN) {
                ck_assert_int_eq(roma_loop_run(loop), 0);
        } else {
                struct pollfd p = { .fd = roma_loop_fd(loop), .events = POLLIN };

                while (loop->held) {
                        ck_assert_int_eq(poll(&p, 1, 10000), 1);
                        ck_assert_int_ge(roma_loop_turn(loop, 0), 0);
                }
        }
}

static void end(roma_loop *loop)
{
        roma_loop_free(loop);
        if (ev)
                ev_loop_destroy(ev);
        ev = NULL;
}

static int called, last_code;

static void count(void *arg, const roma_result *r)
{
        int *n = arg;

        if (n)
                (*n)++;
        called++;
        last_code = r->code;
}

static void nothing_left(roma_loop *loop)
{
        roma_stats st = { .size = sizeof st };

        roma_loop_stats(loop, &st);
        ck_assert_uint_eq(st.operations, 0);
        ck_assert_uint_eq(st.timers, 0);
        ck_assert_uint_eq(st.descriptors, 0);
        ck_assert_uint_eq(st.jobs, 0);
        ck_assert_uint_eq(st.buffers, 0);
        ck_assert_uint_eq(st.buffer_bytes, 0);
        ck_assert_uint_eq(st.stuck_threads, 0);
}

START_TEST(test_thousand_sleeps)
{
        roma_loop *loop = make(_i);
        static int n[1000];

        memset(n, 0, sizeof n);
        for (int i = 0; i < 1000; i++)
                ck_assert_uint_ne(roma_aio_sleep(loop, (uint32_t)(i % 20), count, &n[i]), 0);
        for (int i = 0; i < 1000; i++)
                ck_assert_int_eq(n[i], 0); /* never before the start has returned */
        drive(loop, _i);
        for (int i = 0; i < 1000; i++)
                ck_assert_int_eq(n[i], 1);
        nothing_left(loop);
        end(loop);
}
END_TEST

static roma_loop *cb_loop;
static roma_op cb_other;

static void chain(void *arg, const roma_result *r)
{
        int *left = arg;

        ck_assert_int_eq(r->code, ROMA_OK);
        ck_assert_int_eq(roma_loop_run(cb_loop), -1);
        ck_assert_int_eq(roma_last(cb_loop)->code, ROMA_EWRONGCONTEXT);
        roma_cancel(cb_loop, cb_other);
        if (--*left)
                ck_assert_uint_ne(roma_aio_sleep(cb_loop, 1, chain, left), 0);
}

START_TEST(test_start_and_cancel_in_callback)
{
        int left = 10, other = 0;

        cb_loop = make(_i);
        cb_other = roma_aio_sleep(cb_loop, 60000, count, &other);
        roma_aio_sleep(cb_loop, 0, chain, &left);
        drive(cb_loop, _i);
        ck_assert_int_eq(left, 0);
        ck_assert_int_eq(other, 1);
        roma_cancel(cb_loop, cb_other); /* finished: nothing happens */
        roma_cancel(cb_loop, 0);
        drive(cb_loop, _i);
        ck_assert_int_eq(other, 1);
        nothing_left(cb_loop);
        end(cb_loop);
}
END_TEST

START_TEST(test_cancel)
{
        roma_loop *loop = make(_i);
        int n = 0;
        roma_op id = roma_aio_sleep(loop, 60000, count, &n);

        roma_cancel(loop, id);
        ck_assert_int_eq(n, 0);
        roma_cancel(loop, id);
        drive(loop, _i);
        ck_assert_int_eq(n, 1);
        ck_assert_int_eq(last_code, ROMA_ECANCELED);
        end(loop);
}
END_TEST

START_TEST(test_free_ends_operations)
{
        roma_loop *loop = make(_i);
        int n = 0;

        roma_aio_sleep(loop, 60000, count, &n);
        roma_aio_sleep(loop, 0, count, &n);
        end(loop);
        ck_assert_int_eq(n, 2);
}
END_TEST

static int refused;

static void open_again(void *arg, const roma_result *r)
{
        int *n = arg;

        (*n)++;
        ck_assert_int_eq(r->code, ROMA_ECANCELED);
        if (!roma_aio_store_open(cb_loop, "file:///", NULL, open_again, n))
                refused += roma_last(cb_loop)->code == ROMA_ECANCELED;
}

static void sleep_again(void *arg, const roma_result *r)
{
        int *n = arg;

        (void)r;
        (*n)++;
        refused += !roma_aio_sleep(cb_loop, 60000, sleep_again, n);
}

/* Programs that go on whatever has happened. */
START_TEST(test_free_begins_nothing)
{
        int opened = 0, slept = 0;

        cb_loop = make(_i);
        refused = 0;
        ck_assert(roma_aio_store_open(cb_loop, "file:///", NULL, open_again, &opened));
        ck_assert(roma_aio_sleep(cb_loop, 60000, sleep_again, &slept));
        end(cb_loop);
        ck_assert_int_eq(opened, 1);
        ck_assert_int_eq(slept, 1);
        ck_assert_int_eq(refused, 2);
}
END_TEST

struct job {
        struct ri_job job;
        struct ri_op *op;
        int seconds10;
};

static int orphans, begun, taken_back;

static void job_work(struct ri_job *j)
{
        struct job *job = ri_container_of(j, struct job, job);

        __atomic_add_fetch(&begun, 1, __ATOMIC_SEQ_CST);
        for (int i = 0; i < job->seconds10 * 10 && !ri_job_abandoned(j); i++)
                usleep(10000);
}

static void job_done(struct ri_job *j)
{
        struct job *job = ri_container_of(j, struct job, job);
        struct ri_op *op = job->op;

        free(job);
        ri_op_finish(op);
}

static void job_orphan(struct ri_job *j)
{
        __atomic_add_fetch(&orphans, 1, __ATOMIC_SEQ_CST);
        free(ri_container_of(j, struct job, job));
}

static void job_cancel(struct ri_op *op)
{
        struct job *job = op->impl;

        taken_back += ri_job_abandon(&job->job);
}

static roma_op job_start(roma_loop *loop, int seconds10, const roma_opts *opts, int *n)
{
        struct ri_op *op = ri_op_new(loop, NULL, RI_SINGLE, "job", "x", opts, count, n);
        struct job *job = calloc(1, sizeof *job);

        job->op = op;
        job->seconds10 = seconds10;
        job->job.work = job_work;
        job->job.done = job_done;
        job->job.orphan = job_orphan;
        op->impl = job;
        op->cancel = job_cancel;
        ri_job_start(loop, &job->job);
        return op->id;
}

START_TEST(test_workers)
{
        roma_loop *loop = make(_i);
        roma_opts opts = ROMA_OPTS_INIT;
        int n = 0, late = 0;

        begun = taken_back = 0;
        for (int i = 0; i < 50; i++)
                job_start(loop, 0, NULL, &n);
        opts.deadline_ms = 30;
        orphans = 0;
        for (int i = 0; i < 8; i++) /* more than there are threads: some never begin */
                job_start(loop, 100, &opts, &late);
        drive(loop, _i);
        ck_assert_int_eq(n, 50);
        ck_assert_int_eq(late, 8);
        ck_assert_int_eq(last_code, ROMA_ETIMEDOUT);
        for (int i = 0; i < 500 && __atomic_load_n(&orphans, __ATOMIC_SEQ_CST) < 8; i++)
                usleep(10000);
        ck_assert_int_eq(orphans, 8);
        ck_assert_int_eq(begun + taken_back, 50 + 8);
        usleep(20000);
        nothing_left(loop);
        end(loop);
}
END_TEST

START_TEST(test_free_with_running_jobs)
{
        roma_loop *loop = make(_i);
        int n = 0;

        orphans = 0;
        for (int i = 0; i < 8; i++)
                job_start(loop, 3, NULL, &n);
        usleep(5000);
        end(loop);
        ck_assert_int_eq(n, 8);
        for (int i = 0; i < 500 && __atomic_load_n(&orphans, __ATOMIC_SEQ_CST) < 8; i++)
                usleep(10000);
        ck_assert_int_eq(orphans, 8);
        usleep(50000); /* the threads give the pool back */
}
END_TEST

struct poster {
        roma_loop *loop;
        int got;
};

static void posted(void *arg)
{
        struct poster *p = arg;

        p->got++;
}

static void *post_many(void *arg)
{
        struct poster *p = arg;

        for (int i = 0; i < 10000; i++)
                ck_assert_int_eq(roma_loop_post(p->loop, posted, p), 0);
        return NULL;
}

START_TEST(test_posts)
{
        struct poster p = { make(_i), 0 };
        pthread_t t;

        pthread_create(&t, NULL, post_many, &p);
        while (p.got < 10000) {
                roma_aio_sleep(p.loop, 5, count, NULL);
                drive(p.loop, _i);
        }
        pthread_join(t, NULL);
        ck_assert_int_eq(p.got, 10000);
        end(p.loop);
}
END_TEST

static roma_buf *given[8];
static int n_given;

static void buf_ready(struct ri_buf_wait *w, roma_buf *buf)
{
        (void)w;
        ck_assert_ptr_nonnull(buf);
        given[n_given++] = buf;
}

START_TEST(test_budget)
{
        roma_loop_opts o = ROMA_LOOP_OPTS_INIT;
        struct ri_buf_wait bulk = { .ready = buf_ready }, small = { .ready = buf_ready },
                           gone = { .ready = buf_ready };
        roma_loop *loop;
        roma_buf *a;

        o.max_buffer_bytes = 2 << 20;
        loop = roma_loop_new_opts(&o);
        a = ri_buf_try(loop, 2 << 20);
        ck_assert_ptr_nonnull(a);
        ck_assert_ptr_null(ri_buf_try(loop, 1));
        n_given = 0;
        ri_buf_get(loop, &bulk, 1 << 20, true);
        ri_buf_get(loop, &gone, 1 << 20, true);
        ri_buf_get(loop, &small, 4096, false);
        roma_loop_turn(loop, 0);
        ck_assert_int_eq(n_given, 0);
        ri_buf_cancel(&gone);
        roma_buf_unref(a);
        ck_assert_int_eq(n_given, 0); /* never inside the call */
        roma_loop_turn(loop, 0);
        ck_assert_int_eq(n_given, 2);
        ck_assert_uint_eq(given[0]->cap, 4096); /* small ones ahead of bulk */
        roma_buf_unref(given[0]);
        roma_buf_unref(given[1]);
        a = ri_buf_try(loop, 64 << 20); /* above the whole budget, alone */
        ck_assert_ptr_nonnull(a);
        roma_buf_unref(a);
        nothing_left(loop);
        roma_loop_free(loop);
}
END_TEST

START_TEST(test_wrong_place)
{
        roma_loop *loop = make(_i);
        int status;
        pid_t pid;

        if (_i == ATTACHED) {
                ck_assert_int_eq(roma_loop_run(loop), -1);
                ck_assert_int_eq(roma_last(loop)->code, ROMA_EWRONGCONTEXT);
                ck_assert_int_eq(roma_loop_fd(loop), -1);
        }
        pid = fork();
        if (pid == 0)
                _exit(roma_aio_sleep(loop, 0, count, NULL) == 0 && roma_last(loop)->code == ROMA_EFORK ? 0
                                                                                                       : 1);
        ck_assert_int_eq(waitpid(pid, &status, 0), pid);
        ck_assert_int_eq(status, 0);
        end(loop);
}
END_TEST

START_TEST(test_bad_uris)
{
        roma_loop *loop = make(_i);

        ck_assert_int_eq(setenv("ROMA_MODULE_DIR", "/nonexistent", 1), 0);
        ck_assert_uint_eq(roma_aio_store_open(loop, "nosuch://x/y", NULL, count, NULL), 0);
        ck_assert_int_eq(roma_last(loop)->code, ROMA_EURI);
        ck_assert_uint_eq(roma_aio_store_open(loop, "cephfs://x/y", NULL, count, NULL), 0);
        ck_assert_int_eq(roma_last(loop)->code, ROMA_ENOTINSTALLED);
        ck_assert_ptr_nonnull(strstr(roma_error(loop), "cephfs:// is not installed: package"));
        ck_assert_uint_eq(roma_aio_store_open(loop, "photos:x", NULL, count, NULL), 0);
        ck_assert_int_eq(roma_last(loop)->code, ROMA_ECONFIG);
        end(loop);
}
END_TEST

#ifndef CLONE_NEWTIME
#define CLONE_NEWTIME 0x00000080
#endif

/* A machine on which the two clocks differ by a day, as after a day of sleep. False: not possible here. */
static bool slept_a_day(void)
{
        static const char offset[] = "boottime 86400 0\n";
        int fd;
        bool ok;

        if (unshare(CLONE_NEWTIME) < 0 && unshare(CLONE_NEWUSER | CLONE_NEWTIME) < 0)
                return false;
        fd = open("/proc/self/timens_offsets", O_WRONLY | O_CLOEXEC);
        if (fd < 0)
                return false;
        ok = write(fd, offset, sizeof offset - 1) == (ssize_t)(sizeof offset - 1);
        close(fd);
        return ok;
}

/* The clock goes on while the machine sleeps, and timers are set on the same one. */
START_TEST(test_clock)
{
        int status;
        pid_t pid;

        if (!slept_a_day()) {
                fprintf(stderr, "skipped: no time namespace here\n");
                return;
        }
        pid = fork();
        ck_assert_int_ge(pid, 0);
        if (pid == 0) {
                roma_loop *loop = make(_i);
                struct timespec mono;
                uint64_t before = ri_now(), day = UINT64_C(86400) * 1000000000, took;
                int n = 0;

                clock_gettime(CLOCK_MONOTONIC, &mono);
                if (before < (uint64_t)mono.tv_sec * 1000000000 + day / 2) {
                        end(loop);
                        _exit(2);
                }
                roma_aio_sleep(loop, 50, count, &n);
                alarm(20);
                drive(loop, _i);
                took = ri_now() - before;
                end(loop); /* valgrind looks at what a child leaves, too */
                _exit(n == 1 && took >= 50000000 ? 0 : 3);
        }
        ck_assert_int_eq(waitpid(pid, &status, 0), pid);
        ck_assert_int_eq(status, 0);
}
END_TEST

int main(void)
{
        Suite *s = suite_create("loop");
        TCase *tc = tcase_create("loop");
        SRunner *sr;
        int failed;

        tcase_set_timeout(tc, 60);
        tcase_add_loop_test(tc, test_thousand_sleeps, 0, MODES);
        tcase_add_loop_test(tc, test_clock, 0, MODES);
        tcase_add_loop_test(tc, test_start_and_cancel_in_callback, 0, MODES);
        tcase_add_loop_test(tc, test_cancel, 0, MODES);
        tcase_add_loop_test(tc, test_free_ends_operations, 0, MODES);
        tcase_add_loop_test(tc, test_free_begins_nothing, 0, MODES);
        tcase_add_loop_test(tc, test_workers, 0, MODES);
        tcase_add_loop_test(tc, test_free_with_running_jobs, 0, MODES);
        tcase_add_loop_test(tc, test_posts, 0, MODES);
        tcase_add_test(tc, test_budget);
        tcase_add_loop_test(tc, test_wrong_place, 0, MODES);
        tcase_add_loop_test(tc, test_bad_uris, 0, MODES);
        suite_add_tcase(s, tc);
        sr = srunner_create(s);
        srunner_run_all(sr, CK_NORMAL);
        failed = srunner_ntests_failed(sr);
        srunner_free(sr);
        return failed ? 1 : 0;
}
