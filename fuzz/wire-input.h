/* SPDX-License-Identifier: MIT */
/* Inputs of fuzz-wire: five bytes that say what to do, then the payload of one packet, a stream, or text. */
#ifndef FUZZ_WIRE_INPUT_H
#define FUZZ_WIRE_INPUT_H

#include "mfsproto/wire/version.h"

#include <stddef.h>
#include <stdint.h>

#define WIRE_INPUT_HEAD 5

enum { WIRE_INPUT_DECODE, WIRE_INPUT_FRAMES, WIRE_INPUT_READDIR, WIRE_INPUT_TEXT, WIRE_INPUT_MODES };

/* byte 0: direction in the low two bits, mode above; byte 1: versions; byte 2: hint; bytes 3, 4: packet type */
static const uint32_t wire_input_versions[] = { 0,
                                                WIRE_VER(1, 6, 27),
                                                WIRE_VER(2, 1, 7),
                                                WIRE_VER(3, 0, 9),
                                                WIRE_VER(3, 0, 71),
                                                WIRE_VER(3, 0, 93),
                                                WIRE_VER(3, 0, 117),
                                                WIRE_VER(4, 0, 0),
                                                WIRE_VER(4, 10, 0),
                                                WIRE_VER(4, 20, 0),
                                                WIRE_VER(4, 26, 0),
                                                WIRE_VER(4, 36, 0),
                                                WIRE_VER(4, 40, 0),
                                                WIRE_VER(4, 47, 0),
                                                WIRE_VER(4, 57, 0),
                                                WIRE_VER(4, 59, 2) };
#define WIRE_INPUT_VERSIONS 16 /* the low and the high half of byte 1 choose one each */

#endif
