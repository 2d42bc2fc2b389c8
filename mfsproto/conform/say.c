/* SPDX-License-Identifier: MIT */
/* Verdicts: the first that is not a pass sticks. */
#include <stdarg.h>

#include "mfsproto/conform/inner.h"

static void say(struct cf *c, int verdict, const char *fmt, va_list ap)
{
        if (c->failed)
                return;
        c->failed = true;
        c->verdict = verdict;
        ri_str_reset(&c->text);
        ri_str_vprintf(&c->text, fmt, ap);
}

void cf_fail(struct cf *c, const char *fmt, ...)
{
        va_list ap;

        va_start(ap, fmt);
        say(c, ROMA_CONFORM_FAIL, fmt, ap);
        va_end(ap);
}

void cf_unsure(struct cf *c, const char *fmt, ...)
{
        va_list ap;

        va_start(ap, fmt);
        say(c, ROMA_CONFORM_UNSURE, fmt, ap);
        va_end(ap);
}

void cf_skip(struct cf *c, const char *fmt, ...)
{
        va_list ap;

        va_start(ap, fmt);
        say(c, ROMA_CONFORM_SKIP, fmt, ap);
        va_end(ap);
}

void cf_eq(struct cf *c, const char *what, uint64_t got, uint64_t want)
{
        if (got != want)
                cf_fail(c, "%s: expected %llu, got %llu", what, (unsigned long long)want,
                        (unsigned long long)got);
}

void cf_true(struct cf *c, bool holds, const char *sentence)
{
        if (!holds)
                cf_fail(c, "%s", sentence);
}

void cf_status_is(struct cf *c, const char *what, uint8_t got, uint8_t want)
{
        if (got != want)
                cf_fail(c, "%s: expected status %u (%s), got %u (%s)", what, want, wire_status_name(want),
                        got, wire_status_name(got));
}

bool cf_v4(const struct cf *c)
{
        return wire_ver_at_least(c->server, WIRE_VER(4, 0, 0));
}
