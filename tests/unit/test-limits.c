/* SPDX-License-Identifier: MIT */
/* Unit tests of core/limits: who is silent, and who only waits its turn. */
#include "core/backend.h"
#include "core/compose.h"
#include "core/loop.h"

#include <check.h>
#include <string.h>

enum { STALL_MS = 200, BEAT_MS = 20 };

static roma_loop *loop;
static int left;

/* Moves something now and then. */
struct heart {
        struct ri_timer timer;
        struct ri_op *op;
        int beats; /* that are left */
};

static void cancelled(struct ri_op *op)
{
        (void)op;
}

static void ended(void *arg, const roma_result *r)
{
        *(int *)arg = r->code;
        left--;
}

static struct ri_op *op_new(const roma_opts *opts, int *code)
{
        struct ri_op *op = ri_op_new(loop, NULL, RI_TRANSFER, "test", "x", opts, ended, code);

        ck_assert_ptr_nonnull(op);
        op->cancel = cancelled;
        *code = ROMA_OK;
        left++;
        return op;
}

static void beat(struct ri_timer *t)
{
        struct heart *h = ri_container_of(t, struct heart, timer);

        ri_op_progress(h->op);
        if (--h->beats)
                ck_assert_int_eq(ri_timer_start(loop, t, BEAT_MS), 0);
        else
                ri_op_finish(h->op);
}

static void heart_start(struct heart *h, struct ri_op *op, int beats)
{
        *h = (struct heart){ .op = op, .beats = beats };
        h->timer.fire = beat;
        ck_assert_int_eq(ri_timer_start(loop, &h->timer, BEAT_MS), 0);
}

static void run(void)
{
        while (left)
                ck_assert_int_ge(roma_loop_turn(loop, 1000), 0);
}

static void setup(void)
{
        loop = roma_loop_new();
        ck_assert_ptr_nonnull(loop);
        left = 0;
}

static void teardown(void)
{
        roma_loop_free(loop);
}

/* A composite counts pieces, and the piece in front counts bytes. */
START_TEST(a_child_moves)
{
        const roma_opts o = { sizeof o, STALL_MS, ROMA_NEVER };
        int whole_code, piece_code, next_code;
        struct ri_op *whole = op_new(&o, &whole_code), *piece = op_new(&o, &piece_code),
                     *next = op_new(&o, &next_code);
        uint64_t start = ri_now();
        struct heart h;

        ri_op_set_parent(piece, whole);
        ri_op_set_parent(next, whole);
        heart_start(&h, piece, 3 * STALL_MS / BEAT_MS);
        run();
        ck_assert_int_eq(piece_code, ROMA_OK);
        ck_assert_int_eq(whole_code, ROMA_ETIMEDOUT); /* when nothing moved any more */
        ck_assert_int_eq(next_code, ROMA_ETIMEDOUT);
        ck_assert_uint_ge(ri_now() - start, 4 * STALL_MS * UINT64_C(1000000));
}
END_TEST

/* Pieces of a file are asked for ahead and answered in turn. */
START_TEST(another_of_the_file_moves)
{
        const roma_opts o = { sizeof o, STALL_MS, ROMA_NEVER };
        int code[2], other_code;
        struct ri_op *first = op_new(&o, &code[0]), *second = op_new(&o, &code[1]),
                     *other = op_new(&o, &other_code);
        uint64_t start = ri_now();
        struct heart h;

        first->file = second->file = code;
        other->file = &other_code;
        heart_start(&h, first, 3 * STALL_MS / BEAT_MS);
        while (!other_code)
                ck_assert_int_ge(roma_loop_turn(loop, 1000), 0);
        ck_assert_int_eq(other_code, ROMA_ETIMEDOUT);
        ck_assert_int_eq(code[1], ROMA_OK);
        run();
        ck_assert_int_eq(code[0], ROMA_OK);
        ck_assert_int_eq(code[1], ROMA_ETIMEDOUT);
        ck_assert_uint_ge(ri_now() - start, 4 * STALL_MS * UINT64_C(1000000));
}
END_TEST

/* But not for ever: what hangs in a busy file ends. */
START_TEST(silent_too_long)
{
        const roma_opts o = { sizeof o, BEAT_MS * 2, ROMA_NEVER };
        int code[2];
        struct ri_op *busy = op_new(NULL, &code[0]), *hangs = op_new(&o, &code[1]);
        struct heart h;

        busy->file = hangs->file = code;
        heart_start(&h, busy, 10000);
        while (!code[1])
                ck_assert_int_ge(roma_loop_turn(loop, 1000), 0);
        ck_assert_int_eq(code[1], ROMA_ETIMEDOUT);
        ck_assert_int_eq(code[0], ROMA_OK);
        ri_timer_stop(&h.timer);
        ri_op_finish(busy);
        run();
}
END_TEST

/* A program at the other end of a pipe takes its time, unless a limit was asked for. */
START_TEST(a_program_takes_its_time)
{
        const roma_opts o = { sizeof o, BEAT_MS, ROMA_NEVER };
        int code[2], asked_code[2];
        struct ri_op *put = op_new(NULL, &code[0]), *next = op_new(&o, &code[1]);
        struct ri_op *asked = op_new(&o, &asked_code[0]), *asked_next = op_new(&o, &asked_code[1]);
        uint64_t start = ri_now();

        ri_op_set_parent(next, put);
        ri_op_set_parent(asked_next, asked);
        next->patient = asked_next->patient = true;
        while (ri_now() < start + STALL_MS * UINT64_C(1000000))
                ck_assert_int_ge(roma_loop_turn(loop, BEAT_MS), 0);
        ck_assert_int_eq(asked_code[0], ROMA_ETIMEDOUT);
        ck_assert_int_eq(asked_code[1], ROMA_ETIMEDOUT);
        ck_assert_int_eq(code[0], ROMA_OK);
        ck_assert_int_eq(code[1], ROMA_OK);
        ck_assert_int_eq(left, 2);
        ri_op_finish(next);
        ri_op_finish(put);
        run();
}
END_TEST

/* Who was excused is looked at again a stall time later, and did not sleep until then. */
START_TEST(test_excused_is_not_asleep)
{
        const roma_opts opts = { .size = sizeof opts, .stall_ms = 6000 };
        const uint64_t second = 1000000000;
        struct ri_op *op;
        int code;

        op = op_new(&opts, &code);
        op->progress_at = ri_now() - 12 * second;
        op->stall_due = ri_now() + second;
        ck_assert(!ri_op_excused(op));
        op->stall_due = ri_now() - 6 * second;
        ck_assert(ri_op_excused(op));
        ri_op_finish(op);
        run();
}
END_TEST

int main(void)
{
        Suite *s = suite_create("limits");
        TCase *tc = tcase_create("stall");
        SRunner *sr;
        int failed;

        tcase_add_checked_fixture(tc, setup, teardown);
        tcase_set_timeout(tc, 60);
        tcase_add_test(tc, a_child_moves);
        tcase_add_test(tc, another_of_the_file_moves);
        tcase_add_test(tc, silent_too_long);
        tcase_add_test(tc, a_program_takes_its_time);
        tcase_add_test(tc, test_excused_is_not_asleep);
        suite_add_tcase(s, tc);
        sr = srunner_create(s);
        srunner_run_all(sr, CK_ENV);
        failed = srunner_ntests_failed(sr);
        srunner_free(sr);
        return failed != 0;
}
