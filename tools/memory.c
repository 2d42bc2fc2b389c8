/* SPDX-License-Identifier: MIT */
/* Memory for the program itself. The library reports missing memory as an error; a program that is so short of it
 * that a file name does not fit can only say so and end. */
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "tools/tool.h"

void *need(void *p)
{
        if (p)
                return p;
        fputs("roma: out of memory\n", stderr);
        _Exit(EXIT_OTHER);
}

void *need_zeroed(size_t size)
{
        return need(calloc(1, size));
}

char *need_copy(const char *s)
{
        return need(strdup(s));
}

char *need_format(const char *format, ...)
{
        va_list ap;
        char *s = NULL;

        va_start(ap, format);
        int n = vasprintf(&s, format, ap);
        va_end(ap);
        return need(n < 0 ? NULL : s);
}
