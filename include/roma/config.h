/* SPDX-License-Identifier: MIT */
/* Named stores from roma.conf. The library reads it only when told to. */
#ifndef ROMA_CONFIG_H
#define ROMA_CONFIG_H

#include <roma/types.h>

ROMA_BEGIN

/* Reads `path`, or with NULL $ROMA_CONFIG (which must be there when it is set), else the first that exists of
 * roma/roma.conf in $XDG_CONFIG_HOME (~/.config) and /etc/roma/roma.conf; none is no error. doc/roma.md has the form.
 * From then on "name:path" is a URI on this loop. Blocks for a local read.
 * 0, or -1: ROMA_ECONFIG (with file and line), ROMA_ENOMEM. A file with secrets that others can read is refused. */
ROMA_API int roma_config_load(roma_loop *loop, const char *path);

ROMA_END
#endif
