/* SPDX-License-Identifier: MIT */
#include "s3compat/module.h"

const char *roma_module(const char *scheme, const struct ri_backend **be)
{
        *be = s3_backend(scheme);
        return *be ? NULL : "it does not speak this scheme";
}
