/* SPDX-License-Identifier: MIT */
/* Versions as the protocol packs them: (major << 16) | (middle << 8) | minor, where the minor is doubled from
 * major 2 on and its lowest bit marks a "Pro" build. */
#ifndef ROMA_MFS_WIRE_VERSION_H
#define ROMA_MFS_WIRE_VERSION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define WIRE_VER(a, b, c) \
        (((uint32_t)(a) << 16) | ((uint32_t)(b) << 8) | ((a) > 1 ? (uint32_t)(c)*2 : (uint32_t)(c)))

static inline unsigned wire_ver_major(uint32_t v)
{
        return v >> 16;
}
static inline unsigned wire_ver_middle(uint32_t v)
{
        return (v >> 8) & 0xFF;
}
static inline unsigned wire_ver_minor(uint32_t v)
{
        return wire_ver_major(v) > 1 ? (v & 0xFF) >> 1 : v & 0xFF;
}
static inline bool wire_ver_pro(uint32_t v)
{
        return wire_ver_major(v) > 1 && (v & 1) != 0;
}
/* a and b are the same release or a is newer; the "Pro" bit does not count */
static inline bool wire_ver_at_least(uint32_t a, uint32_t b)
{
        return (a | 1) >= b;
}

/* Writes "4.59.2", or "4.59.2 PRO", and returns buf. 24 bytes always suffice. */
char *wire_ver_print(uint32_t version, char *buf, size_t size);
/* Reads "4.59.2". Returns false for anything else. */
bool wire_ver_parse(const char *text, uint32_t *version);

/* When a sender uses a layout. Both ranges must hold. The middle hole exists because 3.x and 4.x got the same
 * change in different releases: a 4.x server leaves out [hole_from, hole_to), a 3.x server compares plainly and
 * answers a client that declares 4.0 like the newest 3.x one. All zero means always. */
struct wire_gate {
        uint32_t server_from, server_to; /* version of the server; to is exclusive, 0 = no end */
        uint32_t client_from, client_to; /* version that the client declared in its register packet */
        uint32_t client_hole; /* of [4.0.0, client_hole) a 4.x server says "too old"; 0 = no hole */
        uint32_t server_hole; /* the same for servers: [4.0.0, server_hole) do not have it */
};

/* Whether a sender uses the layout, for known versions. A version of 0 is "unknown" and counts as oldest. */
bool wire_gate_open(const struct wire_gate *gate, uint32_t server, uint32_t client);

#endif
