/* SPDX-License-Identifier: MIT */
/* roma diagnose on Ceph and S3. */
#ifndef INSPECT_H
#define INSPECT_H

#include "tools/examine.h"
#include "tools/pieces.h"

/* Looks at one object and prints what was found; always: also when it is clean. o: the original, or NULL. gone: whether it
 * is not there, of which nothing is printed then; NULL: that is told like what could not be looked at. */
enum verdict inspect(struct tool *t, const struct location *at, struct original *o, bool always, bool *gone);

#endif
