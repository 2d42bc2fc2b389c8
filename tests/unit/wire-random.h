/* SPDX-License-Identifier: MIT */
/* Fills messages with random values, for any layout of the packet table. */
#ifndef TESTS_WIRE_RANDOM_H
#define TESTS_WIRE_RANDOM_H

#include "mfsproto/wire/wire.h"

/* Random numbers that are the same in each run, and the memory that the values of one message point to. */
struct wire_random {
        uint64_t state;
        size_t used;
        uint8_t pool[64 * 1024];
};

void wire_random_init(struct wire_random *r, uint64_t seed);
uint64_t wire_random_u64(struct wire_random *r);
uint32_t wire_random_below(struct wire_random *r, uint32_t limit);
/* Starts msg for that layout and direction and sets every field. Forgets what was filled before. */
void wire_random_fill(struct wire_random *r, struct wire_msg *msg, const struct wire_packet *p,
                      const struct wire_layout *l, enum wire_dir dir);

#endif
