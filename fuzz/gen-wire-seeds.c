/* SPDX-License-Identifier: MIT */
/* Writes the seeds of fuzz-wire: gen-wire-seeds FOLDER. One for each layout of each packet; then what must be refused:
 * for each kind of field a packet that is cut, one that is too long, one whose lengths are all too large and one whose
 * lengths are all zero; frames, listings and text of both sorts. Run it again after a change of the table; seeds with
 * the prefix rec- were recorded from real servers and are left alone. */
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

/* ---- what must be refused --------------------------------------------------------------------------------- */

static void spoil(const char *folder, const struct wire_packet *p, const struct wire_layout *l,
                  const char *kind)
{
        uint8_t dirs = l->dirs ? l->dirs : p->dirs, head[WIRE_INPUT_HEAD] = { 0, versions_of(l), l->hint };
        uint8_t *payload = packet + WIRE_HEADER_SIZE;
        struct wire_msg msg;
        char name[200];
        size_t n;

        while (!(dirs & (1U << head[0])))
                head[0]++;
        wire_put16(head + 3, (uint16_t)p->type);
        wire_random_fill(&rnd, &msg, p, l, 1U << head[0]);
        n = (size_t)wire_encode(&msg, NULL, packet, sizeof(packet)) - WIRE_HEADER_SIZE;
        snprintf(name, sizeof(name), "bad-%s-cut", kind);
        save(folder, name, head, payload, n - 1);
        payload[n] = 0;
        snprintf(name, sizeof(name), "bad-%s-long", kind);
        save(folder, name, head, payload, n + 1);
        /* behind the number of the message, which is in most of them */
        memset(payload + 4, 0xFF, n - 4);
        snprintf(name, sizeof(name), "bad-%s-large", kind);
        save(folder, name, head, payload, n);
        memset(payload + 4, 0, n - 4);
        snprintf(name, sizeof(name), "bad-%s-zero", kind);
        save(folder, name, head, payload, n);
}

/* The kinds of a list that were not seen yet are spoilt in this layout; groups by how they are bounded. */
static void spoil_kinds(const char *folder, const struct wire_packet *p, const struct wire_layout *l,
                        const struct wire_fdesc *list)
{
        static bool seen[WK_GROUP + WB_SIZE + 1];

        for (const struct wire_fdesc *fd = list; fd->field != WF_NONE; fd++) {
                unsigned kind = fd->kind + (fd->kind == WK_GROUP ? fd->more : 0U);
                char name[40];

                if (fd->kind == WK_GROUP)
                        spoil_kinds(folder, p, l, wire_form_fields(fd->arg, NULL));
                if (seen[kind] || wire_layout_min(l) < 8)
                        continue;
                seen[kind] = true;
                snprintf(name, sizeof(name), "%02u", kind);
                spoil(folder, p, l, name);
        }
}

static void bad_packets(const char *folder)
{
        static const uint8_t nobody[WIRE_INPUT_HEAD] = { 0, 0, 0, 0x27, 0x0F };

        for (const struct wire_packet *p = wire_packet_next(NULL); p; p = wire_packet_next(p)) {
                for (unsigned i = 0; i < p->nlayouts; i++)
                        spoil_kinds(folder, p, &p->layouts[i], p->layouts[i].fields);
        }
        save(folder, "bad-number", nobody, packet, 4);
}

static void check_modes(const char *folder)
{
        const struct wire_packet *p = wire_packet_find(WIRE_CLTOMA_FUSE_CHECK);

        for (uint8_t mode = 0; mode <= 5; mode++) {
                uint8_t head[WIRE_INPUT_HEAD] = { 0, versions_of(p->layouts), 0 };
                struct wire_msg msg;
                char name[40];
                ssize_t n;

                wire_put16(head + 3, (uint16_t)p->type);
                wire_random_fill(&rnd, &msg, p, p->layouts, WIRE_TO_MASTER);
                wire_set_u(&msg, WF_LISTMODE, mode);
                n = wire_encode(&msg, NULL, packet, sizeof(packet));
                if (n < WIRE_HEADER_SIZE)
                        abort();
                snprintf(name, sizeof(name), "check-mode-%u", mode);
                save(folder, name, head, packet + WIRE_HEADER_SIZE, (size_t)n - WIRE_HEADER_SIZE);
        }
}

/* ---- frames, listings, text ------------------------------------------------------------------------------- */

#define SAVE(folder, name, mode, hint, piece, ...)                            \
        do {                                                                  \
                const uint8_t head[] = { (mode) << 2, 0xFF, hint, 0, piece }; \
                const uint8_t bytes[] = { __VA_ARGS__ };                      \
                save(folder, name, head, bytes, sizeof(bytes));               \
        } while (0)

/* The third number of a stream is the size of its pieces, less one. */
static void streams(const char *folder)
{
        SAVE(folder, "frames-pieces", WIRE_INPUT_FRAMES, 0, 0, 0, 0, 0, 2, 0, 0, 0, 5, 1, 2, 3, 4, 5);
        SAVE(folder, "frames-streamed", WIRE_INPUT_FRAMES, 2, 0, 0, 0, 0, 3, 0, 0, 0, 5, 1, 2, 3, 4, 5);
        SAVE(folder, "frames-empty", WIRE_INPUT_FRAMES, 9, 0, 0, 0, 0, 3, 0, 0, 0, 0, 0, 0, 0, 2, 0, 0, 0, 0);
        SAVE(folder, "frames-too-large", WIRE_INPUT_FRAMES, 9, 0, 0, 0, 0, 2, 0, 0, 0x13, 0x89, 1, 2, 3, 4);
        SAVE(folder, "frames-unfinished", WIRE_INPUT_FRAMES, 1, 0, 0, 0, 0, 2, 0, 0, 0, 9, 1, 2, 3);
}

/* msgid, [edge,] then entries: name, inode, type. */
static void listings(const char *folder)
{
        SAVE(folder, "listing-short", WIRE_INPUT_READDIR, 1, 0, 0, 0, 0, 1, 0, 0);
        SAVE(folder, "listing-status", WIRE_INPUT_READDIR, 1, 0, 0, 0, 0, 1, 3);
        SAVE(folder, "listing-name-beyond", WIRE_INPUT_READDIR, 3, 2, 0, 0, 0, 1, 200, 'a', 0, 0, 0, 2, 1);
        SAVE(folder, "listing-cut", WIRE_INPUT_READDIR, 3, 0, 0, 0, 0, 1, 1, 'a', 0, 0, 0, 2);
        SAVE(folder, "listing-cut-second", WIRE_INPUT_READDIR, 3, 1, 0, 0, 0, 1, 1, 'a', 0, 0, 0, 2, 1, 1);
        SAVE(folder, "listing-two", WIRE_INPUT_READDIR, 3, 4, 0, 0, 0, 1, 1, 'a', 0, 0, 0, 2, 1, 0, 0, 0, 0,
             3, 2);
}

static void texts(const char *folder)
{
        static const char *const said[] = {
                "4.59.2", "4.59",       "4.59.128", "70000.0.0", "1.6.255",
                "3.x.1",  "4.59.2 PRO", "ENOENT",   "OK",        "CLTOMA_FUSE_LOOKUP"
        };
        static const uint8_t head[WIRE_INPUT_HEAD] = { WIRE_INPUT_TEXT << 2 };

        for (unsigned i = 0; i < sizeof(said) / sizeof(said[0]); i++) {
                char name[40];

                snprintf(name, sizeof(name), "text-%u", i);
                save(folder, name, head, (const uint8_t *)said[i], strlen(said[i]));
        }
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
        bad_packets(argv[1]);
        check_modes(argv[1]);
        streams(argv[1]);
        listings(argv[1]);
        texts(argv[1]);
        return EXIT_SUCCESS;
}
