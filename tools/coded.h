/* SPDX-License-Identifier: MIT */
/* The blocks of an erasure coded chunk, from whatever parts of it there are. */
#ifndef CODED_H
#define CODED_H

#include "tools/look.h"

enum { CODED_ROW = 32 /* blocks: whole units of 256 KiB in each part, of 4 data parts and of 8 */ };

/* Reads `count` (1..CODED_ROW) blocks of the chunk from `first` on, a multiple of CODED_ROW; buf has room for all of them, and
 * those that are lost become zeros. source says of each where it came from. Waits for servers that must not be read now and have
 * what nobody else has. When the tool is stopping what is in buf means nothing. */
void coded_read(struct looker *l, struct look *look, uint32_t first, uint32_t count, unsigned char *buf,
                struct dg_source *source);

#endif
