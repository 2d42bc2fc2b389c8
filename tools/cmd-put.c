/* SPDX-License-Identifier: MIT */
/* roma put LOCAL... URI */
#include <string.h>

#include "tools/tool.h"

int cmd_put(struct tool *t, int argc, char **argv)
{
        if (argc < 2)
                return usage(t, "give at least one local name and the destination");
        for (int i = 0; i + 1 < argc; i++)
                if (location_is_remote(argv[i]))
                        return usage(t, "%.*s is not local (for copies between stores there is `roma cp`)",
                                     (int)strcspn(argv[i], "?"), argv[i]);
        if (t->opt.go_on)
                return resume_put(t, argc, argv);
        return tree_transfer(t, argc, argv, false);
}
