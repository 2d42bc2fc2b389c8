/* SPDX-License-Identifier: MIT */
/* Tells at run time which libroma a program got. */
#include <roma/version.h>

const char *roma_version(void)
{
        return ROMA_VERSION_STRING;
}
