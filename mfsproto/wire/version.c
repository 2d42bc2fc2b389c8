/* SPDX-License-Identifier: MIT */
/* Packed versions: printing, reading, and the question whether a sender of given versions uses a layout. */
#include "version.h"

#include <stdio.h>

char *wire_ver_print(uint32_t version, char *buf, size_t size)
{
        snprintf(buf, size, "%u.%u.%u%s", wire_ver_major(version), wire_ver_middle(version),
                 wire_ver_minor(version), wire_ver_pro(version) ? " PRO" : "");
        return buf;
}

/* Reads a decimal number up to max and moves on. */
static bool number(const char **text, unsigned max, unsigned *value)
{
        const char *p = *text;
        unsigned v = 0;

        if (*p < '0' || *p > '9')
                return false;
        while (*p >= '0' && *p <= '9') {
                v = v * 10 + (unsigned)(*p++ - '0');
                if (v > max)
                        return false;
        }
        *text = p;
        *value = v;
        return true;
}

bool wire_ver_parse(const char *text, uint32_t *version)
{
        unsigned part[3];

        for (int i = 0; i < 3; i++) {
                if (i && *text++ != '.')
                        return false;
                if (!number(&text, i ? 255 : 65535, &part[i]))
                        return false;
        }
        if (*text || (part[0] > 1 && part[2] > 127))
                return false;
        *version = WIRE_VER(part[0], part[1], part[2]);
        return true;
}

static bool in_range(uint32_t v, uint32_t from, uint32_t to)
{
        return (!from || wire_ver_at_least(v, from)) && (!to || !wire_ver_at_least(v, to));
}

static bool in_hole(uint32_t v, uint32_t hole)
{
        return hole && wire_ver_at_least(v, WIRE_VER(4, 0, 0)) && !wire_ver_at_least(v, hole);
}

bool wire_gate_open(const struct wire_gate *gate, uint32_t server, uint32_t client)
{
        if (!in_range(server, gate->server_from, gate->server_to) ||
            !in_range(client, gate->client_from, gate->client_to))
                return false;
        if (in_hole(server, gate->server_hole))
                return false;
        /* 3.x servers know nothing of the hole and compare plainly */
        return !(wire_ver_at_least(server, WIRE_VER(4, 0, 0)) && in_hole(client, gate->client_hole));
}
