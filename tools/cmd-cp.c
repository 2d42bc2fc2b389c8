/* SPDX-License-Identifier: MIT */
/* roma cp FROM... TO */
#include "tools/tool.h"

int cmd_cp(struct tool *t, int argc, char **argv)
{
        if (argc < 2)
                return usage(t, "give at least one source and the destination");
        return tree_transfer(t, argc, argv, false);
}
