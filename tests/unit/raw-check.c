/* SPDX-License-Identifier: MIT */
/* raw-client.h in a unit test: what must be there and is not fails the test. */
#include <check.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "raw-client.h"

void raw_failed(const char *fmt, ...)
{
        char text[300];
        va_list ap;

        va_start(ap, fmt);
        vsnprintf(text, sizeof text, fmt, ap);
        va_end(ap);
        ck_abort_msg("%s", text);
        abort();
}
