/* SPDX-License-Identifier: MIT */
/* What tests/link.sh compiles: the smallest user of the installed interface. */
#include <roma/version.h>

#include <stdio.h>
#include <string.h>

int main(void)
{
        if (strcmp(roma_version(), ROMA_VERSION_STRING) != 0) {
                fprintf(stderr, "header %s, library %s\n", ROMA_VERSION_STRING, roma_version());
                return 1;
        }
        return 0;
}
