/* SPDX-License-Identifier: MIT */
#ifndef FUZZ_WIRE_REBUILD_H
#define FUZZ_WIRE_REBUILD_H

#include "mfsproto/wire/wire.h"

/* Reads every value of a decoded message, sets them all in a new one of the same layout and encodes that. Aborts
 * unless the payload is the same again. */
void wire_rebuild(struct wire_msg *from, const struct wire_ctx *ctx, const uint8_t *payload, size_t len);

#endif
