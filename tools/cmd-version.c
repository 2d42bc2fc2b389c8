/* SPDX-License-Identifier: MIT */
/* roma version, roma --version: of the library, and what it can open. */
#include "tools/tool.h"

int cmd_version(struct tool *t, int argc, char **argv)
{
        const char *scheme;
        int installed;

        (void)argv;
        if (argc > 0)
                return usage(t, "it takes no arguments");
        out(t, "roma %s (libroma %s)\n", ROMA_VERSION_STRING, roma_version());
        for (unsigned i = 0; (scheme = roma_scheme(i, &installed)) != NULL; i++)
                out(t, "  %s://%s\n", scheme, installed ? "" : " is not installed");
        return t->status;
}
