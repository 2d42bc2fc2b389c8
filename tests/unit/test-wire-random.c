/* SPDX-License-Identifier: MIT */
/* Every layout of every packet with random values: encode, decode, encode again, cut off at each byte, change
 * bytes, print. */
#include "mfsproto/wire/wire.h"
#include "wire-random.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ROUNDS 20

static struct wire_random rnd;
static uint8_t packet[128 * 1024], again[128 * 1024];

typedef void layout_fn(const struct wire_packet *p, const struct wire_layout *l, enum wire_dir dir);

static void for_all_layouts(layout_fn *fn)
{
        for (const struct wire_packet *p = wire_packet_next(NULL); p; p = wire_packet_next(p)) {
                for (unsigned i = 0; i < p->nlayouts; i++) {
                        uint8_t dirs = p->layouts[i].dirs ? p->layouts[i].dirs : p->dirs;

                        for (unsigned d = WIRE_TO_MASTER; d <= WIRE_FROM_CS; d <<= 1) {
                                if (dirs & d)
                                        fn(p, &p->layouts[i], d);
                        }
                }
        }
}

/* Versions for which a layout is meant. */
static struct wire_ctx context_of(const struct wire_layout *l)
{
        static const uint32_t versions[] = { WIRE_VER(1, 6, 0),  WIRE_VER(1, 7, 32),  WIRE_VER(2, 1, 7),
                                             WIRE_VER(3, 0, 9),  WIRE_VER(3, 0, 25),  WIRE_VER(3, 0, 80),
                                             WIRE_VER(3, 0, 97), WIRE_VER(3, 0, 117), WIRE_VER(4, 4, 0),
                                             WIRE_VER(4, 10, 0), WIRE_VER(4, 19, 0),  WIRE_VER(4, 41, 0),
                                             WIRE_VER(4, 59, 2) };
        const size_t n = sizeof(versions) / sizeof(versions[0]);
        struct wire_ctx ctx = { 0, 0, l->hint };

        for (size_t c = 0; c < n; c++) {
                for (size_t s = 0; s < n; s++) {
                        if (!wire_gate_open(&l->gate, versions[s], versions[c]))
                                continue;
                        ctx.server = versions[s];
                        ctx.client = versions[c];
                        return ctx;
                }
        }
        ck_abort_msg("no version uses layout %s", l->name);
        return ctx;
}

/* Decodes a copy of exactly that size, so that a sanitizer sees a read behind its end. What is accepted must
 * give the same bytes again. */
static bool decodes(uint32_t type, enum wire_dir dir, const uint8_t *bytes, size_t len,
                    const struct wire_ctx *ctx, const struct wire_layout **layout)
{
        uint8_t *copy = malloc(len ? len : 1);
        struct wire_msg msg;
        ssize_t n;
        int result;

        memcpy(copy, bytes, len);
        result = wire_decode(&msg, type, dir, copy, len, ctx);
        if (result == WIRE_OK) {
                char text[600];

                n = wire_encode(&msg, ctx, again, sizeof(again));
                ck_assert_msg(n == (ssize_t)len + 8, "%s [%s]: %zd bytes instead of %zu", msg.packet->name,
                              msg.layout->name, n, len + 8);
                ck_assert_mem_eq(again + 8, copy, len);
                wire_print(&msg, text, sizeof(text), 3);
                wire_print_json(&msg, text, sizeof(text), 3);
                *layout = msg.layout;
        } else {
                ck_assert_int_eq(result, WIRE_EFORMAT);
                ck_assert(!wire_msg_ok(&msg));
        }
        free(copy);
        return result == WIRE_OK;
}

static size_t random_packet(const struct wire_packet *p, const struct wire_layout *l, enum wire_dir dir)
{
        struct wire_msg msg;
        char text[200];
        ssize_t n;

        wire_random_fill(&rnd, &msg, p, l, dir);
        n = wire_encode(&msg, NULL, packet, sizeof(packet));
        ck_assert_msg(n >= 8, "[%s] %s", l->name, wire_msg_error(&msg, text, sizeof(text)));
        ck_assert_int_eq(wire_encode_size(&msg, NULL), n);
        ck_assert_uint_eq(wire_be32(packet), p->type);
        ck_assert_uint_eq(wire_be32(packet + 4), (uint32_t)n - 8);
        ck_assert_uint_ge((size_t)n - 8, wire_layout_min(l));
        return (size_t)n - 8;
}

static void round_trip(const struct wire_packet *p, const struct wire_layout *l, enum wire_dir dir)
{
        struct wire_ctx ctx = context_of(l);

        for (int i = 0; i < ROUNDS; i++) {
                const struct wire_layout *got = NULL;
                size_t len = random_packet(p, l, dir);

                ck_assert_msg(decodes(p->type, dir, packet + 8, len, &ctx, &got), "%s [%s]", p->name,
                              l->name);
                if (got != l && getenv("WIRE_SHOW_AMBIGUOUS"))
                        printf("%s [%s] read as [%s]\n", p->name, l->name, got->name);
                got = NULL;
                ck_assert(decodes(p->type, dir, packet + 8, len, NULL, &got));
        }
}

START_TEST(every_layout_comes_back_as_the_same_bytes)
{
        wire_random_init(&rnd, 1);
        for_all_layouts(round_trip);
}
END_TEST

static void cut(const struct wire_packet *p, const struct wire_layout *l, enum wire_dir dir)
{
        size_t len = random_packet(p, l, dir);
        size_t step = len < 600 ? 1 : len / 300;

        for (size_t n = 0; n < len; n += step) {
                const struct wire_layout *got = NULL;

                /* a shorter packet is refused, or is another layout, or has less of an open end */
                if (!decodes(p->type, dir, packet + 8, n, NULL, &got))
                        continue;
                ck_assert_uint_ge(n, wire_layout_min(got));
        }
        /* a byte too many */
        packet[8 + len] = 0;
        const struct wire_layout *got = NULL;
        decodes(p->type, dir, packet + 8, len + 1, NULL, &got);
}

START_TEST(every_layout_cut_off_anywhere)
{
        wire_random_init(&rnd, 2);
        for_all_layouts(cut);
}
END_TEST

static void damage(const struct wire_packet *p, const struct wire_layout *l, enum wire_dir dir)
{
        for (int i = 0; i < ROUNDS; i++) {
                const struct wire_layout *got = NULL;
                size_t len = random_packet(p, l, dir);

                for (unsigned k = 0; len && k <= wire_random_below(&rnd, 4); k++) {
                        uint8_t *b = packet + 8 + wire_random_below(&rnd, (uint32_t)len);

                        *b = wire_random_below(&rnd, 2) ? 0xFF : (uint8_t)wire_random_u64(&rnd);
                }
                decodes(p->type, dir, packet + 8, len, NULL, &got);
        }
}

START_TEST(every_layout_with_damaged_bytes)
{
        wire_random_init(&rnd, 3);
        for_all_layouts(damage);
}
END_TEST

/* The values themselves, not only the bytes. */
static void same_values(const struct wire_packet *p, const struct wire_layout *l, enum wire_dir dir)
{
        struct wire_ctx ctx = context_of(l);
        struct wire_msg in, out;
        ssize_t n;

        wire_random_fill(&rnd, &in, p, l, dir);
        n = wire_encode(&in, NULL, packet, sizeof(packet));
        ck_assert_int_ge(n, 8);
        ck_assert_int_eq(wire_decode(&out, p->type, dir, packet + 8, (size_t)n - 8, &ctx), WIRE_OK);
        if (out.layout != l)
                return;
        for (const struct wire_fdesc *fd = l->fields; fd->field != WF_NONE; fd++) {
                size_t a = 0, b = 0;

                if (fd->kind <= WK_U64) {
                        ck_assert_uint_eq(wire_get_u(&in, fd->field), wire_get_u(&out, fd->field));
                } else if (fd->kind == WK_GROUP) {
                        ck_assert_uint_eq(wire_group_count(&in, fd->field),
                                          wire_group_count(&out, fd->field));
                } else if (fd->kind == WK_UG) {
                        uint32_t na, nb;

                        ck_assert_uint_eq(wire_get_ug(&in, &na), wire_get_ug(&out, &nb));
                        ck_assert_uint_eq(na, nb);
                        for (uint32_t i = 0; i < na; i++)
                                ck_assert_uint_eq(wire_get_gid(&in, i), wire_get_gid(&out, i));
                } else if (fd->kind != WK_ATTR && fd->kind != WK_CONST) {
                        const uint8_t *pa = wire_get_bytes(&in, fd->field, &a);
                        const uint8_t *pb = wire_get_bytes(&out, fd->field, &b);

                        ck_assert_uint_eq(a, b);
                        ck_assert(a == 0 || !memcmp(pa, pb, a));
                }
        }
        ck_assert(wire_msg_ok(&in));
        ck_assert(wire_msg_ok(&out));
}

START_TEST(every_field_comes_back_with_its_value)
{
        wire_random_init(&rnd, 4);
        for (int i = 0; i < 5; i++)
                for_all_layouts(same_values);
}
END_TEST

int main(void)
{
        Suite *s = suite_create("wire-random");
        TCase *tc = tcase_create("wire-random");
        SRunner *sr;
        int failed;

        tcase_add_test(tc, every_layout_comes_back_as_the_same_bytes);
        tcase_add_test(tc, every_layout_cut_off_anywhere);
        tcase_add_test(tc, every_layout_with_damaged_bytes);
        tcase_add_test(tc, every_field_comes_back_with_its_value);
        suite_add_tcase(s, tc);
        sr = srunner_create(s);
        srunner_run_all(sr, CK_ENV);
        failed = srunner_ntests_failed(sr);
        srunner_free(sr);
        return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
