/* SPDX-License-Identifier: MIT */
/* Captures of real clients, mistreated in every way in which captures are: what the audit finds stays the same where
 * nothing is missing, and nothing is held against a client that keeps the rules, whatever is missing. */
#include <check.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <roma/wire.h>

#include "core/crc.h"
#include "mfsproto/wire/wire.h"

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
static const char *loaded = "";

static void load(const char *name)
{
        const char *src = getenv("SRC_DIR");
        char path[1000];
        size_t n, at = 24;
        FILE *f;

        clean = !strncmp(name, "none", 4);
        loaded = name;
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
        char rule[40];        /* of the first */
        char false_alarm[40]; /* a rule that nobody broke */
        char unchecked[300];  /* the last */
        roma_wire_report r;
};

/* What the client of this capture really broke: "crc+lost-data" stands in front of its name. */
static bool really_broken(const char *name, const char *rule)
{
        size_t n = strlen(rule);

        for (const char *at = name; at; at = strpbrk(at, "+."), at = at && *at == '+' ? at + 1 : NULL)
                if (!strncmp(at, rule, n) && (at[n] == '+' || at[n] == '.'))
                        return true;
        return false;
}

static void found(void *arg, const roma_wire_finding *f)
{
        struct seen *s = arg;

        if (!s->findings++)
                snprintf(s->rule, sizeof s->rule, "%s", f->rule->id);
        if (!really_broken(loaded, f->rule->id))
                snprintf(s->false_alarm, sizeof s->false_alarm, "%s", f->rule->id);
}

static void undecided(void *arg, const char *text)
{
        struct seen *s = arg;

        snprintf(s->unchecked, sizeof s->unchecked, "%s", text);
}

static roma_wire *start(struct seen *s)
{
        roma_wire_opts o = ROMA_WIRE_OPTS_INIT;
        roma_wire *w;

        memset(s, 0, sizeof *s);
        o.finding = found;
        o.unchecked = undecided;
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

/* What begins a connection arrives once more, some frames later. */
START_TEST(a_late_syn)
{
        size_t step = getenv("ROMA_VALGRIND") ? 10 : 1;
        struct seen a, b;

        load("none.none");
        a = plain();
        for (size_t k = 0; k < file.n; k++) {
                for (size_t late = 1; (file.frame[k].p[47] & 18) == 2 && late < 30; late += step) {
                        roma_wire *w = start(&b);

                        for (size_t i = 0; i < file.n; i++) {
                                give(w, i);
                                if (i == k + late)
                                        give(w, k);
                        }
                        finish(w, &b);
                        same(&a, &b);
                }
        }
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

/* Which frames may be missing: of which connection and direction, and for how many frames at once. */
struct loss {
        bool one_connection, one_direction, master_only;
        unsigned longest, often;
};
static const struct loss losses[] = {
        { false, false, false, 1, 5 },     { false, false, false, 8, 40 }, { false, false, false, 40, 80 },
        { false, false, false, 200, 300 }, { false, true, false, 20, 40 }, { true, false, false, 5, 5 },
        { true, true, false, 5, 5 },       { false, false, true, 10, 10 }, { true, true, true, 5, 5 },
};

static const char *const lossy[] = { "after-end.after-end",
                                     "block.block-from-start",
                                     "block.cross-block",
                                     "chain.head-only",
                                     "continue.continue",
                                     "crc+lost-data.crc-range",
                                     "end-early.end-early",
                                     "end-index.index-zero",
                                     "end-long.end-long",
                                     "end-relative.end-relative",
                                     "end-short.end-short",
                                     "finish-early.finish-early",
                                     "lock-time.lock-time",
                                     "lost-data+wrong-id.wrong-id",
                                     "lost-data.give-up",
                                     "lost-data.resend-later",
                                     "msgid.msgid-zero",
                                     "no-end.no-end",
                                     "no-grant.stale-grant",
                                     "no-truncate.no-truncate",
                                     "none.none",
                                     "packet.bad-packet",
                                     "pipeline.pipeline",
                                     "writeid-zero.writeid-zero" };

static uint64_t dice;
static unsigned roll(unsigned n)
{
        dice = dice * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
        return (unsigned)(dice >> 33) % n;
}

/* The two ends of a frame, those of the other direction the same. */
static uint64_t ends_of(const struct frame *f, bool *up)
{
        uint64_t from = (uint64_t)le32(f->p + 26) << 16 | f->p[34] << 8 | f->p[35],
                 to = (uint64_t)le32(f->p + 30) << 16 | f->p[36] << 8 | f->p[37];

        *up = from < to;
        return from < to ? from * 31 + to : to * 31 + from;
}

static bool to_or_from(const struct frame *f, unsigned port)
{
        return (unsigned)(f->p[34] << 8 | f->p[35]) == port || (unsigned)(f->p[36] << 8 | f->p[37]) == port;
}

/* A connection of which nothing is left is not known. */
static bool last_of_all(size_t i)
{
        bool up;
        uint64_t ends = ends_of(&file.frame[i], &up);

        for (size_t k = i + 1; k < file.n; k++)
                if (ends_of(&file.frame[k], &up) == ends)
                        return false;
        return true;
}

static void with_losses(roma_wire *w, const struct loss *x)
{
        bool up, which = roll(2), chosen_up;
        uint64_t chosen = ends_of(&file.frame[roll((unsigned)file.n)], &chosen_up);
        unsigned burst = 0;
        bool given = true;

        for (size_t i = 0; i < file.n; i++) {
                struct frame *f = &file.frame[i];
                uint64_t ends = ends_of(f, &up);
                bool may = (!x->one_connection || ends == chosen) && (!x->one_direction || up == which) &&
                           (!x->master_only || to_or_from(f, 9421));

                if (may && !burst && given && !roll(x->often))
                        burst = 1 + roll(x->longest); /* never two without a frame between */
                if (may)
                        given = !burst;
                if (may && burst && !last_of_all(i))
                        burst--;
                else
                        give(w, i);
        }
}

START_TEST(frames_dropped_in_bursts)
{
        const unsigned seeds = getenv("ROMA_VALGRIND") ? 2 : 110;
        struct seen s;

        load(lossy[_i]);
        for (size_t k = 0; k < sizeof losses / sizeof *losses; k++)
                for (unsigned seed = 0; seed < seeds; seed++) {
                        roma_wire *w = start(&s);

                        dice = seed * 1000 + k;
                        with_losses(w, &losses[k]);
                        finish(w, &s);
                        ck_assert_msg(!s.false_alarm[0], "%s, losses %zu, seed %u: %s", lossy[_i], k, seed,
                                      s.false_alarm);
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

/* ---- made here: what no capture at hand shows ---------------------------------------------------------------- */

enum { FIN = 1, SYN = 2, RST = 4, ACK = 16, SEGMENT = 61000 };

/* A connection: addresses are 10.0.0.x. */
struct line {
        uint8_t ip[2]; /* of the client, of the server */
        uint16_t port[2];
        uint32_t next[2];
};

static int64_t made_ns, made_step_ns; /* by how much the clock of the capturer was set forward */
static bool made_stamped;             /* segments have timestamps of their own */
static uint32_t made_echo_ms;         /* so old is what they echo */
static uint8_t made_net;              /* addresses are 10.NET.0.x */

/* `sent` bytes at `seq`, of which n are there; from: 0 the client, 1 the server. */
static void segment_at(roma_wire *w, const struct line *l, int from, uint8_t flags, uint32_t seq,
                       const void *p, size_t n, size_t sent)
{
        static uint8_t frame[52 + SEGMENT];
        const size_t head = made_stamped ? 52 : 40;
        uint8_t *tcp = frame + 20;

        memset(frame, 0, 52);
        frame[0] = 0x45;
        put16(frame + 2, head + sent);
        frame[9] = 6;
        frame[12] = frame[16] = 10;
        frame[13] = frame[17] = made_net;
        frame[15] = l->ip[from];
        frame[19] = l->ip[!from];
        put16(tcp, l->port[from]);
        put16(tcp + 2, l->port[!from]);
        wire_put32(tcp + 4, seq);
        wire_put32(tcp + 8, l->next[!from]);
        tcp[12] = (uint8_t)((head - 20) / 4 << 4);
        tcp[13] = flags;
        made_ns += 1000000;
        if (made_stamped) {
                memcpy(tcp + 20, "\x01\x01\x08\x0A", 4);
                wire_put32(tcp + 24, (uint32_t)((made_ns - made_step_ns) / 1000000));
                wire_put32(tcp + 28, made_echo_ms ? (uint32_t)(made_ns / 1000000) - made_echo_ms : 0);
        }
        if (n)
                memcpy(frame + head, p, n);
        roma_wire_frame(w, 101, made_ns, frame, head + n, head + sent);
}

static void segment(roma_wire *w, struct line *l, int from, uint8_t flags, const void *p, size_t n)
{
        uint32_t seq = l->next[from];

        l->next[from] += (uint32_t)n + (flags & (SYN | FIN) ? 1 : 0);
        segment_at(w, l, from, flags, seq, p, n, n);
}

static struct line dial(roma_wire *w, uint8_t client, uint16_t port, uint8_t server, uint16_t server_port)
{
        struct line l = { { client, server }, { port, server_port }, { port * 7919u, port * 104729u } };

        segment(w, &l, 0, SYN, NULL, 0);
        segment(w, &l, 1, SYN | ACK, NULL, 0);
        return l;
}

static void hang_up(roma_wire *w, struct line *l)
{
        segment(w, l, 0, FIN | ACK, NULL, 0);
        segment(w, l, 1, FIN | ACK, NULL, 0);
}

/* A packet of MooseFS; its payload is in `body`. */
static uint8_t body[SEGMENT];
static size_t body_len;

static void start_body(void)
{
        body_len = 8;
}
static void u8(unsigned v)
{
        body[body_len++] = (uint8_t)v;
}
static void u16(unsigned v)
{
        put16(body + body_len, v);
        body_len += 2;
}
static void u32(uint32_t v)
{
        wire_put32(body + body_len, v);
        body_len += 4;
}
static void u64(uint64_t v)
{
        wire_put64(body + body_len, v);
        body_len += 8;
}
static void say(roma_wire *w, struct line *l, int from, uint32_t type)
{
        wire_put32(body, type);
        wire_put32(body + 4, (uint32_t)body_len - 8);
        segment(w, l, from, ACK, body, body_len);
}

enum { MASTER = 1, HEAD = 2, NEXT = 3, CLIENT = 9, MASTER_PORT = 9421, CS_PORT = 9422 };

static void ask_place(roma_wire *w, struct line *m, uint32_t type, uint32_t msgid, uint32_t inode,
                      unsigned flags)
{
        start_body();
        u32(msgid);
        u32(inode);
        u32(0);
        u8(flags);
        say(w, m, 0, type);
}

/* Version 1, on the servers HEAD .. HEAD + n - 1. */
static void tell_place(roma_wire *w, struct line *m, uint32_t type, uint32_t msgid, uint64_t length,
                       uint64_t chunk, unsigned n)
{
        start_body();
        u32(msgid);
        u8(2);
        u64(length);
        u64(chunk);
        u32(1);
        for (unsigned i = 0; i < n; i++) {
                u32(UINT32_C(0x0A000000) + HEAD + i);
                u16(CS_PORT);
                u32(0x000300EA);
                u32(1);
        }
        say(w, m, 1, type);
}

static void grant(roma_wire *w, struct line *m, uint32_t msgid, uint32_t inode, uint64_t length,
                  uint64_t chunk, unsigned n)
{
        ask_place(w, m, WIRE_CLTOMA_FUSE_WRITE_CHUNK, msgid, inode, 0);
        tell_place(w, m, WIRE_MATOCL_FUSE_WRITE_CHUNK, msgid, length, chunk, n);
}

static void end_chunk(roma_wire *w, struct line *m, uint32_t msgid, uint32_t inode, uint64_t chunk,
                      uint64_t length, uint8_t status)
{
        start_body();
        u32(msgid);
        u64(chunk);
        u32(inode);
        u32(0);
        u64(length);
        u8(0);
        say(w, m, 0, WIRE_CLTOMA_FUSE_WRITE_CHUNK_END);
        start_body();
        u32(msgid);
        u8(status);
        say(w, m, 1, WIRE_MATOCL_FUSE_WRITE_CHUNK_END);
}

/* WRITE to HEAD with the next n - 1 servers as its chain, and the word that it is up. */
static void say_write(roma_wire *w, struct line *cs, uint64_t chunk, unsigned n)
{
        start_body();
        u8(1);
        u64(chunk);
        u32(1);
        for (unsigned i = 1; i < n; i++) {
                u32(UINT32_C(0x0A000000) + cs->ip[1] + i);
                u16(CS_PORT);
        }
        say(w, cs, 0, WIRE_CLTOCS_WRITE);
}

static void session(roma_wire *w, struct line *cs, uint64_t chunk, unsigned n)
{
        say_write(w, cs, chunk, n);
        start_body();
        u64(chunk);
        u32(0);
        u8(0);
        say(w, cs, 1, WIRE_CSTOCL_WRITE_STATUS);
}

/* A byte of the first block. */
static void send_data(roma_wire *w, struct line *cs, uint64_t chunk, uint32_t writeid, unsigned at)
{
        start_body();
        u64(chunk);
        u32(writeid);
        u16(0);
        u16(at);
        u32(1);
        u32(ri_crc32(0, "x", 1));
        u8('x');
        say(w, cs, 0, WIRE_CLTOCS_WRITE_DATA);
}

static void acknowledge(roma_wire *w, struct line *cs, uint64_t chunk, uint32_t writeid)
{
        start_body();
        u64(chunk);
        u32(writeid);
        u8(0);
        say(w, cs, 1, WIRE_CSTOCL_WRITE_STATUS);
}

static void write_byte(roma_wire *w, struct line *cs, uint64_t chunk, uint32_t writeid, unsigned at)
{
        send_data(w, cs, chunk, writeid, at);
        acknowledge(w, cs, chunk, writeid);
}

static void finish_chunk(roma_wire *w, struct line *cs, uint64_t chunk)
{
        start_body();
        u64(chunk);
        u32(1);
        say(w, cs, 0, WIRE_CLTOCS_WRITE_FINISH);
}

/* A whole session on n servers: a byte at the start of the chunk. */
static void write_chunk(roma_wire *w, struct line *cs, uint64_t chunk, unsigned n)
{
        session(w, cs, chunk, n);
        write_byte(w, cs, chunk, 1, 0);
        finish_chunk(w, cs, chunk);
}

static void grant_and_write(roma_wire *w, struct line *m, struct line *cs, uint32_t msgid, uint32_t inode,
                            uint64_t length, uint64_t chunk, unsigned n)
{
        grant(w, m, msgid, inode, length, chunk, n);
        write_chunk(w, cs, chunk, n);
}

/* A good upload of one byte into a chunk of one copy: nothing to find. */
START_TEST(made_well)
{
        struct seen s;
        roma_wire *w = start(&s);
        struct line m = dial(w, CLIENT, 1000, MASTER, MASTER_PORT), cs = dial(w, CLIENT, 1001, HEAD, CS_PORT);

        grant_and_write(w, &m, &cs, 1, 5, 0, 77, 1);
        end_chunk(w, &m, 2, 5, 77, 1, 0);
        hang_up(w, &cs);
        hang_up(w, &m);
        finish(w, &s);
        ck_assert_msg(!s.findings && !s.r.unchecked && !s.r.gaps && !s.r.forgotten, "%s", s.rule);
        ck_assert_uint_eq(s.r.writes, 1);
        ck_assert_uint_eq(s.r.messages, 9);
}
END_TEST

/* The END is lost, with all that the client said behind it: only the master's answer is there. Nobody knows what the client
 * did. The lock ran out, or the client reset the connection. */
START_TEST(the_end_is_missing)
{
        const bool missing = _i < 2 || _i == 4;
        struct seen s;
        roma_wire *w = start(&s);
        struct line m = dial(w, CLIENT, 1000, MASTER, MASTER_PORT), cs = dial(w, CLIENT, 1001, HEAD, CS_PORT);

        grant_and_write(w, &m, &cs, 1, 5, 0, 77, 1);
        if (missing)
                m.next[0] += 37; /* which the answer, or that to the FIN, acknowledges */
        if (_i < 2) {
                start_body();
                u32(2);
                u8(0);
                say(w, &m, 1, WIRE_MATOCL_FUSE_WRITE_CHUNK_END);
        }
        if (_i % 2)
                segment(w, &m, 0, RST, NULL, 0);
        if (_i == 4)
                hang_up(w, &m);
        made_ns += INT64_C(130000000000);
        hang_up(w, &cs);
        finish(w, &s);
        if (missing) {
                ck_assert_msg(!s.findings, "%s", s.rule);
                ck_assert_uint_eq(s.r.unchecked, 1);
        } else { /* it was never said */
                ck_assert_str_eq(s.rule, "no-end");
        }
}
END_TEST

/* A client says WRITE on an idle connection that the server is just closing, and begins anew on another one. */
START_TEST(a_write_that_came_too_late)
{
        struct seen s;
        roma_wire *w = start(&s);
        struct line m = dial(w, CLIENT, 1000, MASTER, MASTER_PORT), cs = dial(w, CLIENT, 1001, HEAD, CS_PORT);
        struct line again;

        grant_and_write(w, &m, &cs, 1, 4, 0, 76, 1);
        end_chunk(w, &m, 2, 4, 76, 1, 0);
        grant(w, &m, 3, 5, 0, 77, 1);
        segment(w, &cs, 1, FIN | ACK, NULL, 0);
        say_write(w, &cs, 77, 1);
        segment(w, &cs, _i, _i ? RST : FIN | ACK, NULL, 0);
        again = dial(w, CLIENT, 1002, HEAD, CS_PORT);
        write_chunk(w, &again, 77, 1);
        end_chunk(w, &m, 4, 5, 77, 1, 0);
        hang_up(w, &again);
        hang_up(w, &m);
        finish(w, &s);
        ck_assert_msg(!s.findings && !s.r.unchecked, "%s, %u unchecked", s.rule, (unsigned)s.r.unchecked);
}
END_TEST

/* Another connection, of which nothing is known, has a hole: it may have been one to the master. */
START_TEST(a_hole_elsewhere)
{
        struct seen s;
        roma_wire *w = start(&s);
        struct line m = dial(w, CLIENT, 1000, MASTER, MASTER_PORT), other;

        grant(w, &m, 1, 5, 0, 77, 1);
        other = dial(w, CLIENT, 1002, 7, 7);
        other.next[0] += 100;
        segment(w, &other, 0, ACK, "more", 4);
        segment(w, &other, 1, ACK, "yes", 3);
        made_ns += INT64_C(130000000000);
        segment(w, &other, 1, ACK, "yes", 3);
        finish(w, &s);
        ck_assert_msg(!s.findings, "%s", s.rule);
        ck_assert_uint_eq(s.r.gaps, 0);
        ck_assert_uint_gt(s.r.unchecked, 0);
}
END_TEST

/* A WRITE_CHUNK waits for another writer while the client, which has much to ask, gets 300 answers: that this grant came is
 * seen all the same. With 300 questions that nobody answers meanwhile it cannot be, and then nothing is held against it. */
START_TEST(a_grant_that_comes_late)
{
        struct seen s;
        roma_wire *w = start(&s);
        struct line m = dial(w, CLIENT, 1000, MASTER, MASTER_PORT), cs = dial(w, CLIENT, 1001, HEAD, CS_PORT);
        uint32_t msgid = 1;

        for (unsigned round = 0; round < 2; round++) {
                uint32_t asked = msgid++;

                ask_place(w, &m, WIRE_CLTOMA_FUSE_WRITE_CHUNK, asked, 5, 0);
                for (unsigned i = 0; round && i < 300; i++, msgid++) {
                        start_body();
                        u32(0);
                        say(w, &m, 0, WIRE_ANTOAN_NOP);
                        ask_place(w, &m, WIRE_CLTOMA_FUSE_READ_CHUNK, msgid, 6, 0);
                        if (!_i)
                                tell_place(w, &m, WIRE_MATOCL_FUSE_READ_CHUNK, msgid, 0, 0, 0);
                }
                tell_place(w, &m, WIRE_MATOCL_FUSE_WRITE_CHUNK, asked, round, 77, 1);
                write_chunk(w, &cs, 77, 1);
                end_chunk(w, &m, msgid++, 5, 77, 1, 0);
        }
        finish(w, &s);
        ck_assert_msg(!s.findings, "%s", s.rule);
        ck_assert_uint_eq(s.r.forgotten, _i);
        ck_assert_uint_eq(s.r.unchecked != 0, _i);
}
END_TEST

/* A session with bytes that got no answer, and all of them sent again, in the order of `again`. */
static struct seen lost_and_sent_again(const unsigned *bytes, const unsigned *again, unsigned n)
{
        struct seen s;
        roma_wire *w = start(&s);
        struct line m = dial(w, CLIENT, 1000, MASTER, MASTER_PORT), cs = dial(w, CLIENT, 1001, HEAD, CS_PORT);

        grant(w, &m, 1, 5, UINT64_C(1) << 26, 77, 1);
        session(w, &cs, 77, 1);
        for (unsigned i = 0; i < n; i++)
                send_data(w, &cs, 77, i + 1, bytes[i]);
        segment(w, &cs, 1, RST, NULL, 0);
        ask_place(w, &m, WIRE_CLTOMA_FUSE_WRITE_CHUNK, 2, 5, 2); /* CONTINUEOP */
        tell_place(w, &m, WIRE_MATOCL_FUSE_WRITE_CHUNK, 2, UINT64_C(1) << 26, 77, 1);
        cs = dial(w, CLIENT, 1002, HEAD, CS_PORT);
        session(w, &cs, 77, 1);
        for (unsigned i = 0; again && i < n; i++)
                write_byte(w, &cs, 77, i + 1, again[i]);
        finish_chunk(w, &cs, 77);
        end_chunk(w, &m, 3, 5, 77, UINT64_C(1) << 26, 0);
        made_ns += INT64_C(70000000000);
        hang_up(w, &m);
        finish(w, &s);
        return s;
}

START_TEST(lost_bytes_in_any_order)
{
        static const unsigned row[] = { 5, 4, 6, 7, 8 }, other[] = { 6, 5, 8, 4, 7 };
        unsigned far[40];
        struct seen s = lost_and_sent_again(row, row, 5);

        ck_assert_msg(!s.findings && !s.r.unchecked, "%s", s.rule);
        s = lost_and_sent_again(row, other, 5);
        ck_assert_msg(!s.findings && !s.r.unchecked, "%s", s.rule);
        s = lost_and_sent_again(row, NULL, 5);
        ck_assert_str_eq(s.rule, "lost-data");
        /* More places than are kept: then it is not known. */
        for (unsigned i = 0; i < 40; i++)
                far[i] = 2 * i;
        s = lost_and_sent_again(far, far, 40);
        ck_assert_msg(!s.findings, "%s", s.rule);
        ck_assert_uint_gt(s.r.unchecked, 0);
}
END_TEST

/* Captured at the client: what the head says to the next server is not there. The chunk is written well, and then once more
 * to the second server alone. */
START_TEST(a_server_is_left_out)
{
        struct seen s;
        roma_wire *w = start(&s);
        struct line m = dial(w, CLIENT, 1000, MASTER, MASTER_PORT), cs = dial(w, CLIENT, 1001, HEAD, CS_PORT);
        struct line next = dial(w, (uint8_t)(_i ? CLIENT : HEAD), 1002, NEXT, CS_PORT);

        grant_and_write(w, &m, &cs, 1, 5, 0, 77, 2);
        end_chunk(w, &m, 2, 5, 77, 1, 0);
        grant(w, &m, 3, 5, 1, 77, 2);
        write_chunk(w, &next, 77, 1);
        end_chunk(w, &m, 4, 5, 77, 1, 0);
        hang_up(w, &cs);
        hang_up(w, &next);
        hang_up(w, &m);
        finish(w, &s);
        ck_assert_uint_eq(s.findings, _i);
        ck_assert_str_eq(s.rule, _i ? "chain" : "");
}
END_TEST

/* An END that is refused (here: quota) leaves the lock where it was. */
START_TEST(going_on_after_a_refusal)
{
        struct seen s;
        roma_wire *w = start(&s);
        struct line m = dial(w, CLIENT, 1000, MASTER, MASTER_PORT), cs = dial(w, CLIENT, 1001, HEAD, CS_PORT);

        grant_and_write(w, &m, &cs, 1, 5, 0, 77, 1);
        end_chunk(w, &m, 2, 5, 77, 1, _i ? WIRE_STATUS_OK : WIRE_STATUS_QUOTA);
        ask_place(w, &m, WIRE_CLTOMA_FUSE_WRITE_CHUNK, 3, 5, WIRE_CHUNKOP_CONTINUEOP);
        tell_place(w, &m, WIRE_MATOCL_FUSE_WRITE_CHUNK, 3, 0, 77, 1);
        end_chunk(w, &m, 4, 5, 77, 0, 0);
        hang_up(w, &cs);
        hang_up(w, &m);
        finish(w, &s);
        ck_assert_uint_eq(s.findings, _i);
        ck_assert_str_eq(s.rule, _i ? "continue" : "");
}
END_TEST

/* A file has grown to 100 bytes by other hands, as an END says rightly. After 70000 other files nobody remembers that. */
START_TEST(much_else_is_looked_at)
{
        struct seen s;
        roma_wire *w = start(&s);
        struct line m = dial(w, CLIENT, 1000, MASTER, MASTER_PORT), cs = dial(w, CLIENT, 1001, HEAD, CS_PORT);
        const uint32_t files = _i ? 70000 : 700;

        grant_and_write(w, &m, &cs, 1, 5, 0, 77, 1);
        for (uint32_t i = 0; i < files; i++) {
                ask_place(w, &m, WIRE_CLTOMA_FUSE_READ_CHUNK, 10 + i, i ? 1000 + i : 5, 0);
                tell_place(w, &m, WIRE_MATOCL_FUSE_READ_CHUNK, 10 + i, 100, 0, 0);
        }
        end_chunk(w, &m, 2, 5, 77, 100, 0);
        finish(w, &s);
        ck_assert_msg(!s.findings, "%s", s.rule);
        ck_assert_uint_eq(s.r.unchecked, _i);
}
END_TEST

START_TEST(data_without_a_head)
{
        struct seen s;
        roma_wire *w = start(&s);
        struct line m = dial(w, CLIENT, 1000, MASTER, MASTER_PORT), cs = dial(w, CLIENT, 1001, HEAD, CS_PORT);

        grant(w, &m, 1, 5, 0, 77, 1);
        session(w, &cs, 77, 1);
        start_body();
        u64(77);
        u32(1);
        u64(0);
        say(w, &cs, 0, WIRE_CLTOCS_WRITE_DATA);
        segment(w, &cs, 1, FIN | ACK, NULL, 0);
        end_chunk(w, &m, 2, 5, 77, 0, 0);
        finish(w, &s);
        ck_assert_uint_eq(s.findings, 1);
        ck_assert_str_eq(s.rule, "block");
}
END_TEST

static void told(void *arg, const roma_wire_message *m)
{
        ck_assert_int_eq(m->time_ns, made_ns);
        ck_assert_uint_eq(m->frame, roma_wire_report_of(*(roma_wire **)arg)->frames);
}

/* The clock of the machine was set back by an hour while it captured. */
START_TEST(times_are_those_of_the_frames)
{
        roma_wire_opts o = ROMA_WIRE_OPTS_INIT;
        roma_wire *w;
        struct line m;

        o.message = told;
        o.arg = &w;
        w = roma_wire_new(&o);
        ck_assert_ptr_nonnull(w);
        made_ns += INT64_C(7200000000000);
        m = dial(w, CLIENT, 1000, MASTER, MASTER_PORT);
        grant(w, &m, 1, 5, 0, 77, 1);
        made_ns -= INT64_C(3600000000000);
        grant(w, &m, 2, 6, 0, 78, 1);
        roma_wire_end(w);
        ck_assert_uint_eq(roma_wire_report_of(w)->messages, 4);
        roma_wire_free(w);
}
END_TEST

/* In the middle of a write 130 s pass (1), or the clock is set (0), and then it is written on. */
START_TEST(the_clock_is_set_forward)
{
        struct seen s;
        roma_wire *w = start(&s);
        struct line m, cs;

        made_stamped = true;
        m = dial(w, CLIENT, 1000, MASTER, MASTER_PORT);
        cs = dial(w, CLIENT, 1001, HEAD, CS_PORT);
        grant(w, &m, 1, 5, 0, 77, 1);
        session(w, &cs, 77, 1);
        write_byte(w, &cs, 77, 1, 0);
        made_ns += INT64_C(130000000000);
        if (!_i)
                made_step_ns += INT64_C(130000000000);
        write_byte(w, &cs, 77, 2, 1);
        finish_chunk(w, &cs, 77);
        end_chunk(w, &m, 2, 5, 77, 2, 0);
        hang_up(w, &cs);
        hang_up(w, &m);
        made_stamped = false;
        finish(w, &s);
        ck_assert_str_eq(s.rule, _i ? "lock-time" : "");
        ck_assert_uint_eq(s.r.unchecked, !_i);
}
END_TEST

static void reconnect(roma_wire *w, struct line *m, uint32_t session_id)
{
        start_body();
        memcpy(body + body_len, WIRE_REGISTER_BLOB, sizeof(WIRE_REGISTER_BLOB) - 1);
        body_len += sizeof(WIRE_REGISTER_BLOB) - 1;
        u8(WIRE_REGISTER_RECONNECT);
        u32(session_id);
        u32(0x0003004B);
        say(w, m, 0, WIRE_CLTOMA_FUSE_REGISTER);
}

/* A master has two addresses: the client begins at the one, and says END (0) or nothing (1) at the other. */
START_TEST(another_address_of_the_master)
{
        struct seen s;
        roma_wire *w = start(&s);
        struct line m = dial(w, CLIENT, 1000, MASTER, MASTER_PORT), cs = dial(w, CLIENT, 1001, HEAD, CS_PORT);

        reconnect(w, &m, 9);
        grant_and_write(w, &m, &cs, 1, 5, 0, 77, 1);
        hang_up(w, &m);
        m = dial(w, CLIENT, 1002, (uint8_t)(_i ? MASTER : 8), MASTER_PORT);
        reconnect(w, &m, 9);
        if (!_i)
                end_chunk(w, &m, 2, 5, 77, 1, 0);
        hang_up(w, &cs);
        hang_up(w, &m);
        finish(w, &s);
        ck_assert_str_eq(s.rule, _i ? "no-end" : "");
}
END_TEST

/* The capture begins in the middle of data that look like a request to a master. What is written to that chunkserver later is
 * not understood, and is not called clean. */
START_TEST(taken_for_another_kind)
{
        struct seen s;
        roma_wire *w = start(&s);
        struct line data = { { CLIENT, HEAD }, { 1000, CS_PORT }, { 5, 6 } }, cs;

        ask_place(w, &data, WIRE_CLTOMA_FUSE_WRITE_CHUNK, 1, 2, 0);
        cs = dial(w, CLIENT, 1001, HEAD, CS_PORT);
        write_chunk(w, &cs, 77, 1);
        finish(w, &s);
        ck_assert_msg(!s.findings, "%s", s.rule);
        ck_assert_uint_eq(s.r.unchecked, 1);
}
END_TEST

/* Bytes on a connection to the master that are no packet: an END may be in what follows. */
START_TEST(what_is_no_packet)
{
        struct seen s;
        roma_wire *w = start(&s);
        struct line m = dial(w, CLIENT, 1000, MASTER, MASTER_PORT), cs = dial(w, CLIENT, 1001, HEAD, CS_PORT);

        grant_and_write(w, &m, &cs, 1, 5, 0, 77, 1);
        segment(w, &m, 0, ACK, "no packet of MooseFS", 20);
        made_ns += INT64_C(130000000000);
        hang_up(w, &cs);
        finish(w, &s);
        ck_assert_msg(!s.findings, "%s", s.rule);
        ck_assert_uint_eq(s.r.gaps, 1);
        ck_assert_uint_eq(s.r.unchecked, 1);
}
END_TEST

/* A connection is used for one chunk after the other; in between frames are missing: the last status, or the FINISH and the
 * WRITE of the second chunk. */
START_TEST(sessions_with_a_hole_between)
{
        struct seen s;
        roma_wire *w = start(&s);
        struct line m = dial(w, CLIENT, 1000, MASTER, MASTER_PORT), cs = dial(w, CLIENT, 1001, HEAD, CS_PORT);

        grant(w, &m, 1, 5, 0, 77, 1);
        grant(w, &m, 2, 6, 0, 78, 1);
        session(w, &cs, 77, 1);
        send_data(w, &cs, 77, 1, 0);
        if (_i == 0) {
                acknowledge(w, &cs, 77, 1);
                cs.next[0] += 20 + 21; /* FINISH, WRITE */
        } else {
                cs.next[1] += 21; /* the status */
                cs.next[0] += 20; /* FINISH */
                session(w, &cs, 78, 1);
        }
        write_byte(w, &cs, 78, 1, 0);
        finish_chunk(w, &cs, 78);
        end_chunk(w, &m, 3, 5, 77, 1, 0);
        end_chunk(w, &m, 4, 6, 78, 1, 0);
        grant(w, &m, 5, 5, 1, 77, 1);
        session(w, &cs, 77, 1);
        write_byte(w, &cs, 77, 1, 1);
        finish_chunk(w, &cs, 77);
        end_chunk(w, &m, 6, 5, 77, 2, 0);
        made_ns += INT64_C(70000000000);
        hang_up(w, &cs);
        finish(w, &s);
        ck_assert_msg(!s.findings, "%s", s.rule);
        ck_assert_uint_gt(s.r.gaps, 0);
}
END_TEST

/* One after the other, as in a capture of a day: that they were there is no lack of memory, and the last is seen as well
 * as the first. */
START_TEST(many_short_connections)
{
        const unsigned n = getenv("ROMA_VALGRIND") ? 300 : 9000;
        struct seen s;
        roma_wire *w = start(&s);

        for (unsigned i = 0; i < n; i++) {
                struct line m = dial(w, (uint8_t)(20 + i / 60000), (uint16_t)(1000 + i), MASTER, MASTER_PORT);
                struct line cs = dial(w, (uint8_t)(20 + i / 60000), (uint16_t)(1000 + i), HEAD, CS_PORT);

                grant_and_write(w, &m, &cs, 1, 5 + i, 0, 77 + i, 1);
                end_chunk(w, &m, 2, 5 + i, 77 + i, 1, 0);
                hang_up(w, &cs);
                hang_up(w, &m);
        }
        finish(w, &s);
        ck_assert_uint_eq(s.r.forgotten, 0);
        ck_assert_uint_eq(s.r.writes, n);
        ck_assert_msg(!s.findings && !s.r.unchecked, "%s", s.rule);
}
END_TEST

/* Frames that were cut to nothing, behind a hole, of which nobody says that it has come: they do not wait for ever. */
START_TEST(too_many_segments_wait)
{
        struct seen s;
        roma_wire *w = start(&s);
        struct line m = dial(w, CLIENT, 1000, MASTER, MASTER_PORT);

        ask_place(w, &m, WIRE_CLTOMA_FUSE_READ_CHUNK, 1, 5, 0);
        m.next[0] += 10;
        for (unsigned i = 0; i < 5000; i++) {
                segment_at(w, &m, 0, 0, m.next[0], NULL, 0, 1000);
                m.next[0] += 1000;
        }
        ck_assert_uint_gt(roma_wire_report_of(w)->gaps, 0);
        finish(w, &s);
        ck_assert_uint_eq(s.r.lost, 10 + 5000 * 1000);
}
END_TEST

/* When what waits is too much, its first hole is given up; the segment that came last overlaps both sides of the next one. */
START_TEST(segments_that_overlap_what_waits)
{
        static const uint8_t zeros[SEGMENT];
        struct seen s;
        roma_wire *w = start(&s);
        struct line m = dial(w, CLIENT, 1000, MASTER, MASTER_PORT);
        uint32_t at;

        ask_place(w, &m, WIRE_CLTOMA_FUSE_READ_CHUNK, 1, 5, 0);
        at = m.next[0];
        segment_at(w, &m, 0, 0, at + 10, zeros, 100, 100);
        for (unsigned i = 0; i < 69; i++)
                segment_at(w, &m, 0, 0, at + 210 + i * 60000, zeros, 60000, 60000);
        segment_at(w, &m, 0, 0, at + 210 + 69 * 60000, zeros, 54100, 54100);
        segment_at(w, &m, 0, 0, at + 60, zeros, 200, 200);
        finish(w, &s);
        ck_assert_uint_eq(s.r.gaps, 1);
        ck_assert_uint_eq(s.r.lost, 10);
}
END_TEST

/* ---- others, beside a capture ---------------------------------------------------------------------------------- */

enum { OTHER = 50, CAPTURED_NET = 79, BEFORE = 600000 };

/* The next segments come with frame i of the capture. */
static void with_frame(size_t i)
{
        made_ns = file.frame[i].at - 1000000;
}

static void other_says(roma_wire *w, size_t i, struct line *l, int from, uint8_t flags, const void *p,
                       size_t n)
{
        with_frame(i);
        segment(w, l, from, flags, p, n);
}

/* Frames of the capture, with what somebody else does before frame `at`. */
static void beside(struct seen *s, size_t at, void (*others)(roma_wire *w, size_t i, struct line *l, int how),
                   struct line l, int how)
{
        roma_wire *w = start(s);

        made_stamped = true;
        made_net = CAPTURED_NET;
        made_echo_ms = BEFORE;
        for (size_t i = 0; i < file.n; i++) {
                if (i == at)
                        others(w, i, &l, how);
                give(w, i);
        }
        made_stamped = false;
        made_net = 0;
        made_echo_ms = 0;
        finish(w, s);
}

/* The client says it first, the server, or both at once. */
static void closes(roma_wire *w, size_t i, struct line *l, int how)
{
        const int who = how == 1;

        if (how < 2) {
                other_says(w, i, l, who, FIN | ACK, NULL, 0);
                other_says(w, i, l, !who, FIN | ACK, NULL, 0);
                other_says(w, i, l, who, ACK, NULL, 0);
                return;
        }
        l->next[1]--;
        other_says(w, i, l, 0, FIN | ACK, NULL, 0);
        l->next[1]++;
        l->next[0]--;
        with_frame(i);
        segment_at(w, l, 1, FIN | ACK, l->next[1] - 1, NULL, 0, 0);
        l->next[0]++;
        other_says(w, i, l, 0, ACK, NULL, 0);
        other_says(w, i, l, 1, ACK, NULL, 0);
}

/* An idle connection that was there before is closed: nothing is missing of it. */
START_TEST(an_idle_connection_is_closed)
{
        static const char *const names[] = { "chain.head-only", "no-end.no-end", "no-grant.stale-grant" };
        static const struct line lines[] = {
                { { OTHER, 99 }, { 40000, 9999 }, { 1000, 5000 } }, /* anything */
                { { OTHER, MASTER }, { 40000, MASTER_PORT }, { 1000, 5000 } },
        };
        struct seen a, b;

        load(names[_i]);
        a = plain();
        for (size_t which = 0; which < 2; which++)
                for (int how = 0; how < 3; how++) {
                        beside(&b, 6, closes, lines[which], how);
                        ck_assert_msg(b.findings == a.findings && b.r.unchecked == a.r.unchecked,
                                      "%s, connection %zu, order %d: %s", names[_i], which, how, b.unchecked);
                }
}
END_TEST

/* The END comes behind the FIN of an idle connection to the master, of which nothing else is there. */
START_TEST(a_fin_in_front_of_its_data)
{
        struct seen s;
        roma_wire *w = start(&s);
        struct line m, cs, idle = { { CLIENT, MASTER }, { 1002, MASTER_PORT }, { 37, 1 } };

        made_stamped = true;
        made_echo_ms = BEFORE;
        m = dial(w, CLIENT, 1000, MASTER, MASTER_PORT);
        cs = dial(w, CLIENT, 1001, HEAD, CS_PORT);
        grant_and_write(w, &m, &cs, 1, 5, 0, 77, 1);
        segment_at(w, &idle, 0, FIN | ACK, idle.next[0] + 37, NULL, 0, 0);
        end_chunk(w, &idle, 2, 5, 77, 1, 0);
        hang_up(w, &m);
        made_ns += INT64_C(130000000000);
        hang_up(w, &cs);
        made_stamped = false;
        made_echo_ms = 0;
        finish(w, &s);
        ck_assert_msg(!s.findings, "%s", s.rule);
        ck_assert_uint_gt(s.r.unchecked, 0);
}
END_TEST

static const uint8_t nop[8];

/* A mount that was there before says that it is, and is answered. */
static void is_there(roma_wire *w, size_t i, struct line *l, int how)
{
        (void)how;
        other_says(w, i, l, 0, ACK, nop, sizeof nop);
        other_says(w, i, l, 1, ACK, nop, sizeof nop);
        other_says(w, i, l, 0, ACK, NULL, 0);
}

static bool by_length(const char *name)
{
        return !strncmp(name, "end-short", 9) || !strncmp(name, "end-long", 8) ||
               !strncmp(name, "end-relative", 12) || !strncmp(name, "end-index", 9) ||
               !strncmp(name, "no-truncate", 11);
}

/* Another client of the master says nothing more until the capture ends: only lengths of files depend on it. A second process
 * of the same host may be the one that said END, or asked anew. */
START_TEST(another_client_is_silent)
{
        const struct line other = { { OTHER, MASTER }, { 41000, MASTER_PORT }, { 1000, 5000 } };
        struct seen a, b;
        unsigned shown = 0, waits = 0;

        load(lossy[_i]);
        a = plain();
        for (size_t at = 40; at < file.n; at += file.n / 5) {
                beside(&b, at, is_there, other, 0);
                ck_assert_msg(!b.false_alarm[0], "%s", b.false_alarm);
                if (!by_length(loaded))
                        ck_assert_msg(b.findings == a.findings && b.r.unchecked == a.r.unchecked,
                                      "%s, frame %zu: %s", loaded, at, b.unchecked);
                else if (b.findings == a.findings)
                        shown++;
                else if (strstr(b.unchecked, "capture some seconds longer"))
                        waits++;
                else
                        ck_abort_msg("%s", b.unchecked);
        }
        ck_assert(!by_length(loaded) || (shown && waits));
}
END_TEST

/* A host that does not answer: whoever calls it has said nothing there, whether it calls again or not. */
static void calls_in_vain(roma_wire *w, size_t i, struct line *l, int how)
{
        (void)how;
        other_says(w, i, l, 0, SYN, NULL, 0);
}

START_TEST(a_host_that_does_not_answer)
{
        struct line dead = { { OTHER, 11 }, { 40001, CS_PORT }, { 77, 0 } };
        struct seen a, b;

        load(lossy[_i]);
        a = plain();
        for (dead.ip[1] = 11; dead.ip[1] < 14; dead.ip[1]++) {
                beside(&b, 6, calls_in_vain, dead, 0);
                ck_assert_msg(b.findings == a.findings && b.r.unchecked == a.r.unchecked, "%s: %s", loaded,
                              b.unchecked);
        }
}
END_TEST

/* A chunk is given back and taken again with CONTINUEOP, and both lines show that nothing of them is missing. */
static void continue_wrongly(roma_wire *w, struct line *m, struct line *cs)
{
        grant_and_write(w, m, cs, 1, 5, 0, 77, 1);
        end_chunk(w, m, 2, 5, 77, 1, 0);
        ask_place(w, m, WIRE_CLTOMA_FUSE_WRITE_CHUNK, 3, 5, WIRE_CHUNKOP_CONTINUEOP);
        tell_place(w, m, WIRE_MATOCL_FUSE_WRITE_CHUNK, 3, 0, 77, 1);
        segment(w, cs, 0, ACK, NULL, 0);
        segment(w, m, 0, ACK, NULL, 0);
}

/* Who has not shown until the end that nothing was said: what concerns the finding must have. */
START_TEST(somebody_is_silent)
{
        static const struct {
                uint8_t who, whom;
                uint16_t port;
                bool matters;
        } cases[] = {
                { OTHER, MASTER, MASTER_PORT, false }, { CLIENT, MASTER, MASTER_PORT, true },
                { OTHER, HEAD, CS_PORT, true },        { CLIENT, NEXT, CS_PORT, false },
                { CLIENT, 99, 9999, false },
        };
        struct seen s;
        roma_wire *w = start(&s);
        struct line m = dial(w, CLIENT, 1000, MASTER, MASTER_PORT), cs = dial(w, CLIENT, 1001, HEAD, CS_PORT);

        dial(w, cases[_i].who, 1002, cases[_i].whom, cases[_i].port);
        continue_wrongly(w, &m, &cs);
        finish(w, &s);
        ck_assert_str_eq(s.rule, cases[_i].matters ? "" : "continue");
        ck_assert_uint_eq(s.r.unchecked, cases[_i].matters);
        ck_assert(!cases[_i].matters || strstr(s.unchecked, "capture some seconds longer"));
}
END_TEST

/* WRITE_CHUNK was asked for two chunks, and both are written to before the answers are in the capture. */
START_TEST(grants_that_stand_behind_their_use)
{
        const uint64_t chunks[] = { 77, 77 + 256 };
        struct seen s;
        roma_wire *w = start(&s);
        struct line m = dial(w, CLIENT, 1000, MASTER, MASTER_PORT), cs = dial(w, CLIENT, 1001, HEAD, CS_PORT);

        for (unsigned i = 0; i < 2; i++) {
                grant_and_write(w, &m, &cs, 1 + i, 5 + i, 0, chunks[i], 1);
                end_chunk(w, &m, 3 + i, 5 + i, chunks[i], 1, 0);
        }
        for (unsigned i = 0; i < 2; i++)
                ask_place(w, &m, WIRE_CLTOMA_FUSE_WRITE_CHUNK, 5 + i, 5 + i, 0);
        for (unsigned i = 0; i < 2; i++)
                write_chunk(w, &cs, chunks[i], 1);
        for (unsigned i = 0; i < 2; i++)
                tell_place(w, &m, WIRE_MATOCL_FUSE_WRITE_CHUNK, 5 + i, 1, chunks[i], 1);
        for (unsigned i = 0; i < 2; i++)
                end_chunk(w, &m, 7 + i, 5 + i, chunks[i], 1, 0);
        hang_up(w, &cs);
        hang_up(w, &m);
        finish(w, &s);
        ck_assert_msg(!s.findings, "%s", s.rule);
        ck_assert(strstr(s.unchecked, "on its way"));
}
END_TEST

/* Nobody answers a SYN: a second one (1), or some seconds (0), are enough to know that nothing was said. */
START_TEST(a_call_is_not_waited_for)
{
        struct seen s;
        roma_wire *w = start(&s);
        struct line m = dial(w, CLIENT, 1000, MASTER, MASTER_PORT), cs = dial(w, CLIENT, 1001, HEAD, CS_PORT);
        struct line dead = { { CLIENT, NEXT }, { 1002, CS_PORT }, { 7, 0 } };

        segment_at(w, &dead, 0, SYN, 7, NULL, 0, 0);
        continue_wrongly(w, &m, &cs);
        ck_assert_uint_eq(s.findings, 0);
        made_ns += _i ? INT64_C(1000000000) : INT64_C(4000000000);
        if (_i)
                segment_at(w, &dead, 0, SYN, 7, NULL, 0, 0);
        segment(w, &m, 0, ACK, NULL, 0);
        ck_assert_uint_eq(s.findings, 1);
        finish(w, &s);
}
END_TEST

/* A segment without data has overtaken some; they come, and 2.5 GiB more: nothing is missing for that. */
START_TEST(much_more_comes_behind)
{
        const uint32_t much = UINT32_C(1) << 29;
        struct seen s;
        roma_wire *w = start(&s);
        struct line m = dial(w, CLIENT, 1000, MASTER, MASTER_PORT), cs = dial(w, CLIENT, 1001, HEAD, CS_PORT);
        struct line other = dial(w, CLIENT, 1002, 99, 9999);

        segment_at(w, &other, 0, ACK, other.next[0] + 10, NULL, 0, 0);
        for (unsigned i = 0; i < 5; i++) {
                segment_at(w, &other, 0, ACK, other.next[0], NULL, 0,
                           much - 40); /* length 0 in the IP header */
                other.next[0] += much - 40;
        }
        continue_wrongly(w, &m, &cs);
        finish(w, &s);
        ck_assert_msg(s.findings == 1, "%s", s.unchecked);
}
END_TEST

int main(void)
{
        Suite *s = suite_create("wire audit");
        TCase *t = tcase_create("all");
        SRunner *r = srunner_create(s);
        int n = sizeof captures / sizeof *captures, failed;

        tcase_add_loop_test(t, every_frame_twice, 0, n);
        tcase_add_test(t, a_late_syn);
        tcase_add_test(t, two_frames_in_the_wrong_order);
        tcase_add_loop_test(t, small_segments, 0, 4);
        tcase_add_loop_test(t, segments_backwards, 0, n);
        tcase_add_loop_test(t, other_links, 0, 9);
        tcase_add_test(t, joined_in_the_middle);
        tcase_add_test(t, ends_too_early);
        tcase_add_test(t, one_frame_is_missing);
        tcase_add_test(t, many_frames_are_missing);
        tcase_add_loop_test(t, frames_dropped_in_bursts, 0, sizeof lossy / sizeof *lossy);
        tcase_add_test(t, frames_cut_short);
        tcase_add_test(t, rules_in_short_frames);
        tcase_add_test(t, almost_no_memory);
        tcase_add_test(t, made_well);
        tcase_add_loop_test(t, the_end_is_missing, 0, 5);
        tcase_add_loop_test(t, a_write_that_came_too_late, 0, 2);
        tcase_add_test(t, a_hole_elsewhere);
        tcase_add_loop_test(t, a_grant_that_comes_late, 0, 2);
        tcase_add_test(t, lost_bytes_in_any_order);
        tcase_add_loop_test(t, a_server_is_left_out, 0, 2);
        tcase_add_loop_test(t, going_on_after_a_refusal, 0, 2);
        tcase_add_loop_test(t, much_else_is_looked_at, 0, getenv("ROMA_VALGRIND") ? 1 : 2);
        tcase_add_test(t, data_without_a_head);
        tcase_add_test(t, times_are_those_of_the_frames);
        tcase_add_loop_test(t, the_clock_is_set_forward, 0, 2);
        tcase_add_loop_test(t, another_address_of_the_master, 0, 2);
        tcase_add_test(t, taken_for_another_kind);
        tcase_add_test(t, what_is_no_packet);
        tcase_add_loop_test(t, sessions_with_a_hole_between, 0, 2);
        tcase_add_test(t, many_short_connections);
        tcase_add_test(t, too_many_segments_wait);
        tcase_add_test(t, segments_that_overlap_what_waits);
        tcase_add_loop_test(t, an_idle_connection_is_closed, 0, 3);
        tcase_add_test(t, a_fin_in_front_of_its_data);
        tcase_add_loop_test(t, another_client_is_silent, 0, sizeof lossy / sizeof *lossy);
        tcase_add_loop_test(t, a_host_that_does_not_answer, 0, sizeof lossy / sizeof *lossy);
        tcase_add_loop_test(t, somebody_is_silent, 0, 5);
        tcase_add_loop_test(t, a_call_is_not_waited_for, 0, 2);
        tcase_add_test(t, much_more_comes_behind);
        tcase_add_test(t, grants_that_stand_behind_their_use);
        suite_add_tcase(s, t);
        srunner_run_all(r, CK_NORMAL);
        failed = srunner_ntests_failed(r);
        srunner_free(r);
        return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
