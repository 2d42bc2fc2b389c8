/* SPDX-License-Identifier: MIT */
/* The entry of the module cephio.so: core/registry.c asks it for the store that speaks a scheme. */
#include <string.h>

#include "cephio/cephio.h"

extern const struct ri_backend cephfs_backend, rados_backend;

static const struct ri_backend *const backends[] = {
        &cephfs_backend,
        &rados_backend,
        NULL,
};

/* NULL and *be set, or why not. */
__attribute__((visibility("default"))) const char *roma_module(const char *scheme,
                                                               const struct ri_backend **be);

const char *roma_module(const char *scheme, const struct ri_backend **be)
{
        for (size_t i = 0; backends[i]; i++)
                for (const char *const *s = backends[i]->schemes; *s; s++)
                        if (strcmp(*s, scheme) == 0) {
                                *be = backends[i];
                                return NULL;
                        }
        return "it does not speak that";
}
