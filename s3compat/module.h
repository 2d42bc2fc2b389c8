/* SPDX-License-Identifier: MIT */
/* What core/registry.c finds in s3compat.so. */
#ifndef S3_MODULE_H
#define S3_MODULE_H

#include "core/backend.h"

ROMA_API const char *roma_module(const char *scheme, const struct ri_backend **be);
const struct ri_backend *s3_backend(const char *scheme);

#endif
