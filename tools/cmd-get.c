/* SPDX-License-Identifier: MIT */
/* roma get URI... LOCAL */
#include <string.h>

#include "tools/tool.h"

int cmd_get(struct tool *t, int argc, char **argv)
{
        if (argc < 2)
                return usage(t, "give at least one object and the local destination");
        if (location_is_remote(argv[argc - 1]))
                return usage(t, "%.*s is not local (for copies between stores there is `roma cp`)",
                             (int)strcspn(argv[argc - 1], "?"), argv[argc - 1]);
        for (int i = 0; i + 1 < argc; i++)
                if (!strcmp(argv[i], "-"))
                        return usage(t, "standard input cannot be got; `roma put` stores it");
        return tree_transfer(t, argc, argv, false);
}
