/* SPDX-License-Identifier: MIT */
/* roma mv FROM... TO */
#include <string.h>

#include "tools/tool.h"

int cmd_mv(struct tool *t, int argc, char **argv)
{
        if (argc < 2)
                return usage(t, "give at least one source and the destination");
        if (!strcmp(argv[argc - 1], "-"))
                return usage(t, "nothing can be moved to standard output");
        return tree_transfer(t, argc, argv, true);
}
