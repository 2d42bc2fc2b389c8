/* SPDX-License-Identifier: MIT */
/* Captures of real clients, mistreated in every way in which captures are: what the audit finds stays the same where
 * nothing is missing, and nothing is held against a client that keeps the rules, whatever is missing. */
#include <check.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <roma/wire.h>

enum { FRAMES = 4000, BYTES = 4 << 20 };

struct frame {
        int64_t at;
        size_t len, full;
        uint8_t *p;
};
struct capture {
        size_t n;
        struct frame frame[FRAMES];
        uint8_t bytes[BYTES];
};

static struct capture file;

static uint32_t le32(const uint8_t *p)
{
        return p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24;
}

static bool clean; /* the client in the file keeps the rules */

static void load(const char *name)
{
        const char *src = getenv("SRC_DIR");
        char path[1000];
        size_t n, at = 24;
        FILE *f;

        clean = !strncmp(name, "none", 4);
        snprintf(path, sizeof path, "%s/fuzz/corpus/fuzz-capture/%s.pcap", src ? src : ".", name);
        f = fopen(path, "rb");
        ck_assert_msg(f != NULL, "%s", path);
        n = fread(file.bytes, 1, BYTES, f);
        fclose(f);
        ck_assert_uint_eq(le32(file.bytes), 0xA1B2C3D4);
        for (file.n = 0; at + 16 <= n && file.n < FRAMES; file.n++) {
                struct frame *x = &file.frame[file.n];

                x->at = (int64_t)le32(file.bytes + at) * 1000000000 +
                        le32(file.bytes + at + 4) * INT64_C(1000);
                x->len = le32(file.bytes + at + 8);
                x->full = le32(file.bytes + at + 12);
                x->p = file.bytes + at + 16;
                at += 16 + x->len;
        }
        ck_assert_uint_gt(file.n, 50);
}

/* ---- an audit ---------------------------------------------------------------------------------------------- */

struct seen {
        unsigned findings;
        char rule[40]; /* of the first */
        roma_wire_report r;
};

static void found(void *arg, const roma_wire_finding *f)
{
        struct seen *s = arg;

        if (!s->findings++)
                snprintf(s->rule, sizeof s->rule, "%s", f->rule->id);
}

static roma_wire *start(struct seen *s)
{
        roma_wire_opts o = ROMA_WIRE_OPTS_INIT;
        roma_wire *w;

        memset(s, 0, sizeof *s);
        o.finding = found;
        o.arg = s;
        w = roma_wire_new(&o);
        ck_assert_ptr_nonnull(w);
        return w;
}

static void give(roma_wire *w, size_t i)
{
        const struct frame *f = &file.frame[i];

        roma_wire_frame(w, 1, f->at, f->p, f->len, f->full);
}

static void finish(roma_wire *w, struct seen *s)
{
        roma_wire_end(w);
        s->r = *roma_wire_report_of(w);
        roma_wire_free(w);
}

static struct seen plain(void)
{
        struct seen s;
        roma_wire *w = start(&s);

        for (size_t i = 0; i < file.n; i++)
                give(w, i);
        finish(w, &s);
        ck_assert(s.findings > 0 || clean);
        return s;
}

/* The same was found, and nothing is missing. */
static void same(const struct seen *a, const struct seen *b)
{
        ck_assert_uint_eq(a->findings, b->findings);
        ck_assert_str_eq(a->rule, b->rule);
        ck_assert_uint_eq(a->r.messages, b->r.messages);
        ck_assert_uint_eq(b->r.gaps, 0);
        ck_assert_uint_eq(b->r.moosefs, a->r.moosefs);
}

static const char *const captures[] = {
        "none.none",           "finish-early.finish-early", "chain.head-only",
        "end-short.end-short", "no-grant.stale-grant",      "packet.bad-packet"
};

/* ---- nothing is missing ------------------------------------------------------------------------------------ */

START_TEST(every_frame_twice)
{
        struct seen a, b;
        roma_wire *w;

        load(captures[_i]);
        a = plain();
        w = start(&b);
        for (size_t i = 0; i < file.n; i++) {
                give(w, i);
                give(w, i);
        }
        finish(w, &b);
        same(&a, &b);
}
END_TEST

/* Each frame in front of the one before it, once for each place. */
START_TEST(two_frames_in_the_wrong_order)
{
        struct seen s;

        load("none.none");
        for (size_t k = 0; k + 1 < file.n; k++) {
                roma_wire *w = start(&s);

                for (size_t i = 0; i < file.n; i++)
                        give(w, i == k ? k + 1 : i == k + 1 ? k : i);
                finish(w, &s);
                ck_assert_msg(s.findings == 0, "frames %zu and %zu exchanged: %s", k, k + 1, s.rule);
        }
}
END_TEST

static void put16(uint8_t *p, size_t v)
{
        p[0] = (uint8_t)(v >> 8);
        p[1] = (uint8_t)v;
}

/* In pieces of n bytes, in order or the last first. */
static void in_pieces(roma_wire *w, const struct frame *f, size_t n, bool backwards)
{
        size_t head = 14 + 20 + (size_t)(f->p[14 + 20 + 12] >> 4) * 4, data = f->len - head;
        size_t pieces = data / n + (data % n != 0);
        uint8_t copy[200 + 4096];

        if (f->p[12] != 8 || f->p[13] != 0 || data == 0) {
                roma_wire_frame(w, 1, f->at, f->p, f->len, f->full);
                return;
        }
        for (size_t k = 0; k < pieces; k++) {
                size_t i = backwards ? pieces - 1 - k : k, at = i * n, len = data - at < n ? data - at : n;
                uint32_t seq = (uint32_t)f->p[38] << 24 | (uint32_t)f->p[39] << 16 | (uint32_t)f->p[40] << 8 |
                               f->p[41];

                memcpy(copy, f->p, head);
                memcpy(copy + head, f->p + head + at, len);
                put16(copy + 16, head - 14 + len);
                put16(copy + 38, (seq + at) >> 16 & 0xFFFF);
                put16(copy + 40, (seq + at) & 0xFFFF);
                if (i + 1 < pieces)
                        copy[47] &= (uint8_t)~1; /* FIN belongs to the last */
                roma_wire_frame(w, 1, f->at, copy, head + len, head + len);
        }
}

START_TEST(small_segments)
{
        static const size_t sizes[] = { 1, 7, 100, 1448 };
        struct seen a, b;

        for (size_t c = 0; c < sizeof captures / sizeof *captures; c++) {
                roma_wire *w = start(&b);

                load(captures[c]);
                for (size_t i = 0; i < file.n; i++)
                        in_pieces(w, &file.frame[i], sizes[_i], false);
                finish(w, &b);
                a = plain();
                if (sizes[_i] < 8) /* a connection that had begun before is not found again in such crumbs */
                        b.r.messages = a.r.messages, b.r.moosefs = a.r.moosefs;
                same(&a, &b);
        }
}
END_TEST

START_TEST(segments_backwards)
{
        struct seen a, b;
        roma_wire *w;

        load(captures[_i]);
        a = plain();
        w = start(&b);
        for (size_t i = 0; i < file.n; i++)
                in_pieces(w, &file.frame[i], 1000, true);
        finish(w, &b);
        same(&a, &b);
}
END_TEST

/* The same IP packet in another frame. */
static size_t reframe(uint8_t *out, const struct frame *f, int linktype)
{
        size_t ip = f->len - 14, head = 0;

        memset(out, 0, 64);
        switch (linktype) {
        case 1: /* two VLAN tags */
                head = 22;
                memcpy(out + 12, "\x88\xA8\x00\x01\x81\x00\x00\x02\x08\x00", 10);
                break;
        case 113:
                head = 16;
                out[14] = 8;
                break;
        case 276:
                head = 20;
                out[0] = 8;
                break;
        case 0:
        case 108:
                head = 4;
                out[0] = 2;
                break;
        default: break;
        }
        memcpy(out + head, f->p + 14, ip);
        return head + ip;
}

/* IPv6 instead of IPv4, the addresses mapped, with a hop-by-hop header in front of TCP. */
static size_t as_ipv6(uint8_t *out, const struct frame *f)
{
        size_t tcp = f->len - 34;

        memset(out, 0, 48);
        out[0] = 0x60;
        put16(out + 4, tcp + 8);
        out[22] = out[38] = 0x20;
        memcpy(out + 20, f->p + 26, 4);
        memcpy(out + 36, f->p + 30, 4);
        out[40] = 6;
        memcpy(out + 48, f->p + 34, tcp);
        return 48 + tcp;
}

START_TEST(other_links)
{
        static const int types[] = { 1, 113, 276, 0, 108, 101, 12, 228, 229 };
        static uint8_t out[200000];
        struct seen a, b;

        for (size_t c = 0; c < sizeof captures / sizeof *captures; c++) {
                roma_wire *w = start(&b);

                load(captures[c]);
                for (size_t i = 0; i < file.n; i++) {
                        const struct frame *f = &file.frame[i];
                        size_t n;

                        if (f->p[12] != 8 || f->p[13] != 0)
                                continue;
                        n = types[_i] == 229 ? as_ipv6(out, f) : reframe(out, f, types[_i]);
                        roma_wire_frame(w, types[_i], f->at, out, n, n);
                }
                finish(w, &b);
                a = plain();
                ck_assert_uint_eq(a.r.messages, b.r.messages);
                ck_assert_uint_eq(a.r.moosefs, b.r.moosefs);
                if (types[_i] != 229) /* places in packets are IPv4 */
                        same(&a, &b);
        }
        ck_assert(roma_wire_linktype_ok(types[_i]));
        ck_assert(!roma_wire_linktype_ok(105));
}
END_TEST

/* ---- something is missing ---------------------------------------------------------------------------------- */

static void lack_nothing_else(size_t from, size_t without, size_t to)
{
        struct seen s;
        roma_wire *w = start(&s);

        for (size_t i = from; i < to; i++)
                if (i != without)
                        give(w, i);
        finish(w, &s);
        ck_assert_msg(s.findings == 0, "frames %zu to %zu without %zu: %s", from, to, without, s.rule);
}

START_TEST(joined_in_the_middle)
{
        load("none.none");
        for (size_t k = 0; k < file.n; k++)
                lack_nothing_else(k, SIZE_MAX, file.n);
}
END_TEST

START_TEST(ends_too_early)
{
        load("none.none");
        for (size_t k = 0; k < file.n; k++)
                lack_nothing_else(0, SIZE_MAX, k);
}
END_TEST

START_TEST(one_frame_is_missing)
{
        load("none.none");
        for (size_t k = 0; k < file.n; k++)
                lack_nothing_else(0, k, file.n);
}
END_TEST

START_TEST(many_frames_are_missing)
{
        struct seen s;

        load("none.none");
        for (unsigned seed = 0; seed < 1000; seed++) {
                roma_wire *w = start(&s);

                srand(seed);
                for (size_t i = 0; i < file.n; i++)
                        if (rand() % 10)
                                give(w, i);
                finish(w, &s);
                ck_assert_msg(s.findings == 0, "seed %u: %s", seed, s.rule);
        }
}
END_TEST

/* tcpdump -s: heads are there, data are not. */
START_TEST(frames_cut_short)
{
        struct seen s;

        load("none.none");
        for (size_t most = 14; most < 400; most += 3) {
                roma_wire *w = start(&s);

                for (size_t i = 0; i < file.n; i++) {
                        struct frame *f = &file.frame[i];

                        roma_wire_frame(w, 1, f->at, f->p, f->len < most ? f->len : most, f->full);
                }
                finish(w, &s);
                ck_assert_msg(s.findings == 0, "cut at %zu: %s", most, s.rule);
                ck_assert(most > 200 || s.r.cut > 0);
        }
}
END_TEST

/* What the heads show is found although the data are cut off. */
START_TEST(rules_in_short_frames)
{
        struct seen s;
        roma_wire *w = start(&s);

        load("chain.head-only");
        for (size_t i = 0; i < file.n; i++) {
                struct frame *f = &file.frame[i];

                roma_wire_frame(w, 1, f->at, f->p, f->len < 200 ? f->len : 200, f->full);
        }
        finish(w, &s);
        ck_assert_str_eq(s.rule, "chain");
        ck_assert_uint_gt(s.r.gaps, 0);
}
END_TEST

START_TEST(almost_no_memory)
{
        roma_wire_opts o = ROMA_WIRE_OPTS_INIT;

        load("none.none");
        for (size_t max = 1; max < 200000; max += 997) {
                struct seen s = { 0 };
                roma_wire *w;

                o.finding = found;
                o.arg = &s;
                o.max_memory = max;
                w = roma_wire_new(&o);
                ck_assert_ptr_nonnull(w);
                for (size_t i = 0; i < file.n; i++)
                        give(w, i);
                finish(w, &s);
                ck_assert_msg(s.findings == 0, "with %zu bytes: %s", max, s.rule);
        }
}
END_TEST

int main(void)
{
        Suite *s = suite_create("wire audit");
        TCase *t = tcase_create("all");
        SRunner *r = srunner_create(s);
        int n = sizeof captures / sizeof *captures, failed;

        tcase_add_loop_test(t, every_frame_twice, 0, n);
        tcase_add_test(t, two_frames_in_the_wrong_order);
        tcase_add_loop_test(t, small_segments, 0, 4);
        tcase_add_loop_test(t, segments_backwards, 0, n);
        tcase_add_loop_test(t, other_links, 0, 9);
        tcase_add_test(t, joined_in_the_middle);
        tcase_add_test(t, ends_too_early);
        tcase_add_test(t, one_frame_is_missing);
        tcase_add_test(t, many_frames_are_missing);
        tcase_add_test(t, frames_cut_short);
        tcase_add_test(t, rules_in_short_frames);
        tcase_add_test(t, almost_no_memory);
        suite_add_tcase(s, t);
        srunner_run_all(r, CK_NORMAL);
        failed = srunner_ntests_failed(r);
        srunner_free(r);
        return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
