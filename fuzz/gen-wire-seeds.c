/* SPDX-License-Identifier: MIT */
/* Writes one seed for fuzz-wire for each layout of each packet: gen-wire-seeds FOLDER. Run it again after a change
 * of the table; seeds with the prefix rec- were recorded from real servers and are left alone. */
#include "mfsproto/wire/wire.h"
#include "tests/unit/wire-random.h"
#include "wire-input.h"

#include <stdio.h>
#include <stdlib.h>

static struct wire_random rnd;
static uint8_t packet[128 * 1024];

static void save(const char *folder, const char *name, const uint8_t head[WIRE_INPUT_HEAD],
                 const uint8_t *bytes, size_t len)
{
        char path[4096];
        FILE *f;

        snprintf(path, sizeof(path), "%s/%s", folder, name);
        f = fopen(path, "wb");
        if (!f || fwrite(head, 1, WIRE_INPUT_HEAD, f) != WIRE_INPUT_HEAD || fwrite(bytes, 1, len, f) != len ||
            fclose(f) != 0) {
                perror(path);
                exit(EXIT_FAILURE);
        }
}

/* Versions that use the layout, as byte 1 of the input. */
static uint8_t versions_of(const struct wire_layout *l)
{
        for (unsigned c = 1; c < WIRE_INPUT_VERSIONS; c++) {
                for (unsigned s = 1; s < WIRE_INPUT_VERSIONS; s++) {
                        if (wire_gate_open(&l->gate, wire_input_versions[s], wire_input_versions[c]))
                                return (uint8_t)(c * WIRE_INPUT_VERSIONS + s);
                }
        }
        return 0;
}

static void seed(const char *folder, const struct wire_packet *p, const struct wire_layout *l)
{
        uint8_t dirs = l->dirs ? l->dirs : p->dirs;
        unsigned dir = 0;
        struct wire_msg msg;
        uint8_t head[WIRE_INPUT_HEAD];
        char name[200];
        ssize_t n;

        while (!(dirs & (1U << dir)))
                dir++;
        wire_random_fill(&rnd, &msg, p, l, 1U << dir);
        n = wire_encode(&msg, NULL, packet, sizeof(packet));
        if (n < WIRE_HEADER_SIZE)
                abort();
        head[0] = (uint8_t)dir;
        head[1] = versions_of(l);
        head[2] = l->hint;
        wire_put16(head + 3, (uint16_t)p->type);
        snprintf(name, sizeof(name), "%s-%s", p->name, l->name);
        save(folder, name, head, packet + WIRE_HEADER_SIZE, (size_t)n - WIRE_HEADER_SIZE);
        if (p->type != WIRE_MATOCL_FUSE_READDIR)
                return;
        head[0] = (uint8_t)(WIRE_INPUT_READDIR << 2);
        snprintf(name, sizeof(name), "readdir-%s", l->name);
        save(folder, name, head, packet + WIRE_HEADER_SIZE, (size_t)n - WIRE_HEADER_SIZE);
}

int main(int argc, char **argv)
{
        static const uint8_t stream[] = {
                0, 0, 0, 0, 0, 0, 0, 4, 0, 0, 0, 0, 0, 0, 1, 0xA9, 0, 0, 0, 2, 1, 2
        };
        static const uint8_t head[WIRE_INPUT_HEAD] = { WIRE_INPUT_FRAMES << 2, 0, 3, 0, 0 };

        if (argc != 2) {
                fprintf(stderr, "usage: gen-wire-seeds FOLDER\n");
                return EXIT_FAILURE;
        }
        wire_random_init(&rnd, 2026);
        for (const struct wire_packet *p = wire_packet_next(NULL); p; p = wire_packet_next(p)) {
                for (unsigned i = 0; i < p->nlayouts; i++)
                        seed(argv[1], p, &p->layouts[i]);
        }
        save(argv[1], "frames", head, stream, sizeof(stream));
        return EXIT_SUCCESS;
}
