/* SPDX-License-Identifier: MIT */
/* roma.conf for one loop. */
#include <roma/config.h>

#include "core/config.h"
#include "core/loop.h"

int roma_config_load(roma_loop *loop, const char *path)
{
        struct ri_str err = RI_STR_INIT(RI_STR_MAX_ERROR);
        struct ri_config *c;
        int r;

        if (ri_loop_enter(loop) < 0)
                return -1;
        c = ri_config_new();
        if (!c) {
                ri_loop_error(loop, ROMA_ENOMEM, "config: out of memory");
                return -1;
        }
        r = path ? ri_config_load_file(c, path, &err) : ri_config_load_default(c, &err);
        if (r < 0) {
                ri_loop_error(loop, ROMA_ECONFIG, "config: %s", ri_str_cstr(&err));
                ri_config_free(c);
        } else {
                ri_config_free(loop->config);
                loop->config = c;
        }
        ri_str_free(&err);
        return r;
}
