/* SPDX-License-Identifier: MIT */
/* Framing, READDIR replies in pieces, versions, statuses, printing, and the table's own check. */
#include "mfsproto/wire/wire.h"

#include <check.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define V3 WIRE_VER(3, 0, 117)
#define V4 WIRE_VER(4, 59, 2)

START_TEST(the_table_is_consistent)
{
        const char *wrong = wire_table_check();
        unsigned packets = 0, layouts = 0;

        ck_assert_msg(!wrong, "%s", wrong);
        for (const struct wire_packet *p = wire_packet_next(NULL); p; p = wire_packet_next(p)) {
                packets++;
                layouts += p->nlayouts;
                ck_assert_ptr_eq(wire_packet_find(p->type), p);
                ck_assert_ptr_eq(wire_packet_by_name(p->name), p);
        }
        ck_assert_uint_gt(packets, 190);
        ck_assert_uint_gt(layouts, packets);
        ck_assert_ptr_null(wire_packet_find(3));
        ck_assert_str_eq(wire_packet_name(3), "UNKNOWN");
        ck_assert_str_eq(wire_packet_name(406), "CLTOMA_FUSE_LOOKUP");
        ck_assert_str_eq(wire_field_name(WF_NODETYPE), "nodetype");
        ck_assert_str_eq(wire_kind_name(WK_GROUP), "group");
}
END_TEST

START_TEST(replies_follow_requests)
{
        const struct wire_packet *p = wire_packet_find(WIRE_CLTOMA_FUSE_LOOKUP);

        ck_assert_uint_eq(wire_packet_reply(p)->type, WIRE_MATOCL_FUSE_LOOKUP);
        ck_assert_ptr_null(wire_packet_reply(wire_packet_find(WIRE_CLTOMA_FUSE_SUSTAINED_INODES)));
        ck_assert_ptr_null(wire_packet_reply(wire_packet_find(WIRE_MATOCL_FUSE_LOOKUP)));
        ck_assert_uint_eq(wire_layout_min(wire_layout_find(p, "ug")), 4 + 4 + 1 + 12);
}
END_TEST

START_TEST(versions)
{
        struct wire_gate hole = { .client_from = WIRE_VER(3, 0, 95), .client_hole = WIRE_VER(4, 0, 7) };
        char text[24];
        uint32_t v;

        ck_assert_uint_eq(V3, 0x000300EA);
        ck_assert_uint_eq(V4, 0x00043B04);
        ck_assert_str_eq(wire_ver_print(V4, text, sizeof(text)), "4.59.2");
        ck_assert_str_eq(wire_ver_print(V4 | 1, text, sizeof(text)), "4.59.2 PRO");
        ck_assert_str_eq(wire_ver_print(WIRE_VER(1, 6, 27), text, sizeof(text)), "1.6.27");
        ck_assert(wire_ver_parse("3.0.117", &v));
        ck_assert_uint_eq(v, V3);
        ck_assert(!wire_ver_parse("3.0", &v));
        ck_assert(!wire_ver_parse("3.0.128", &v));
        ck_assert(!wire_ver_parse("3.0.1x", &v));
        ck_assert(!wire_ver_parse("70000.0.1", &v));
        ck_assert(wire_ver_at_least(V3 | 1, V3));
        ck_assert(wire_ver_at_least(V3, V3));
        ck_assert(!wire_ver_at_least(V3, V3 + 2));
        ck_assert(!wire_gate_open(&hole, V3, WIRE_VER(3, 0, 94)));
        ck_assert(wire_gate_open(&hole, V3, WIRE_VER(4, 0, 6)));
        ck_assert(!wire_gate_open(&hole, V4, WIRE_VER(4, 0, 6)));
        ck_assert(wire_gate_open(&hole, V4, WIRE_VER(4, 0, 7)));
        ck_assert(wire_gate_open(&hole, V4, WIRE_VER(3, 0, 95)));
}
END_TEST

START_TEST(statuses)
{
        ck_assert_str_eq(wire_status_name(3), "ENOENT");
        ck_assert_str_eq(wire_status_name(200), "UNKNOWN");
        ck_assert_int_eq(wire_status_by_name("QUOTA"), 34);
        ck_assert_int_eq(wire_status_by_name("nothing"), -1);
        ck_assert_int_eq(wire_status_errno(34), EDQUOT);
        ck_assert_int_eq(wire_status_errno(200), EINVAL);
        ck_assert_int_eq(wire_status_io_errno(WIRE_STATUS_NOCHUNK), EBADF);
        ck_assert_int_eq(wire_status_io_errno(WIRE_STATUS_CRC), EIO);
        for (unsigned s = 0; s < 256; s++) {
                bool again = s == 11 || s == 12 || s == 14 || s == 16 || s == 43 || s == 45;

                ck_assert_int_eq(wire_status_retriable((uint8_t)s), again);
                ck_assert_ptr_nonnull(wire_status_text((uint8_t)s));
                ck_assert_ptr_nonnull(wire_status_name((uint8_t)s));
        }
}
END_TEST

/* ---- framing ---------------------------------------------------------------------------------------------- */

static const uint8_t three[] = { 0, 0, 0, 0,    0, 0, 0, 4,  0, 0, 0, 0, /* NOP, msgid 0 */
                                 0, 0, 0, 0,    0, 0, 0, 0,              /* NOP, empty */
                                 0, 0, 1, 0xA9, 0, 0, 0, 10, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10 };

/* Feeds in pieces of so many bytes. */
static unsigned feed_pieces(size_t piece, bool stream)
{
        struct wire_frame f;
        unsigned packets = 0;
        uint8_t seen[32];
        size_t nseen = 0;

        wire_frame_init(&f, 1000);
        for (size_t at = 0; at < sizeof(three); at += piece) {
                size_t len = piece < sizeof(three) - at ? piece : sizeof(three) - at;
                const uint8_t *p = three + at;
                int event;

                while ((event = wire_frame_feed(&f, &p, &len)) != WIRE_FRAME_MORE) {
                        ck_assert_int_gt(event, 0);
                        if (event == WIRE_FRAME_HEADER && stream)
                                wire_frame_stream(&f);
                        if (event == WIRE_FRAME_DATA) {
                                memcpy(seen + nseen, f.data, f.ndata);
                                nseen += f.ndata;
                                packets += f.last;
                        }
                        if (event == WIRE_FRAME_PACKET) {
                                memcpy(seen + nseen, f.payload, f.length);
                                nseen += f.length;
                                packets++;
                        }
                }
                ck_assert_uint_eq(len, 0);
        }
        ck_assert(wire_frame_idle(&f));
        ck_assert_uint_eq(f.type, 425);
        ck_assert_uint_eq(nseen, 14);
        ck_assert_mem_eq(seen, "\0\0\0\0\1\2\3\4\5\6\7\10\11\12", 14);
        wire_frame_free(&f);
        return packets;
}

START_TEST(frames_in_pieces)
{
        for (size_t piece = 1; piece <= sizeof(three); piece++) {
                ck_assert_uint_eq(feed_pieces(piece, false), 3);
                ck_assert_uint_eq(feed_pieces(piece, true), 3);
        }
}
END_TEST

START_TEST(frame_limit_sticks)
{
        static const uint8_t big[] = { 0, 0, 0, 202, 0, 1, 0x86, 0xA1, 0, 0 };
        const uint8_t *p = big;
        size_t len = sizeof(big);
        struct wire_frame f;

        wire_frame_init(&f, wire_max_payload(WIRE_FROM_CS));
        ck_assert_int_eq(wire_frame_feed(&f, &p, &len), WIRE_ELIMIT);
        ck_assert_int_eq(wire_frame_feed(&f, &p, &len), WIRE_ELIMIT);
        ck_assert(!wire_frame_idle(&f));
        wire_frame_free(&f);
        wire_frame_init(&f, 100001);
        p = big;
        len = sizeof(big);
        ck_assert_int_eq(wire_frame_feed(&f, &p, &len), WIRE_FRAME_HEADER);
        ck_assert_uint_eq(f.length, 100001);
        ck_assert_int_eq(wire_frame_feed(&f, &p, &len), WIRE_FRAME_MORE);
        ck_assert_uint_le(f.cap, 8192); /* a promised length costs nothing */
        ck_assert(!wire_frame_idle(&f));
        wire_frame_free(&f);
}
END_TEST

START_TEST(frame_payload_is_not_copied)
{
        const uint8_t *p = three;
        size_t len = sizeof(three);
        struct wire_frame f;

        wire_frame_init(&f, 100);
        ck_assert_int_eq(wire_frame_feed(&f, &p, &len), WIRE_FRAME_HEADER);
        ck_assert_int_eq(wire_frame_feed(&f, &p, &len), WIRE_FRAME_PACKET);
        ck_assert_ptr_eq(f.payload, three + 8);
        ck_assert_ptr_null(f.buf);
        wire_frame_free(&f);
}
END_TEST

/* ---- readdir ---------------------------------------------------------------------------------------------- */

struct seen {
        unsigned entries, stop_after;
        uint32_t inodes;
        uint64_t lengths;
        char names[4096];
};

static int saw(void *arg, const struct wire_dirent *e)
{
        struct seen *s = arg;

        s->entries++;
        s->inodes += e->inode;
        s->lengths += e->attr.length;
        strncat(s->names, (const char *)e->name, e->namelen);
        ck_assert_uint_eq(e->type, WIRE_NODE_FILE);
        return s->stop_after && s->entries == s->stop_after;
}

/* A reply with three entries; returns its payload length. */
static size_t make_reply(uint8_t *out, size_t cap, enum wire_form form, bool edge)
{
        static const struct wire_attr attr = { .type = WIRE_NODE_FILE, .length = 1000 };
        static const char *const names[] = { "one", "", "three" };
        struct wire_ctx ctx = { V3, form == WFORM_DIRENT_ATTR35 ? WIRE_VER(3, 0, 71) : V4, 0 };
        struct wire_group g;
        struct wire_msg m, item;
        uint8_t room[512];
        ssize_t n;

        wire_group_init(&g, form, room, sizeof(room));
        for (unsigned i = 0; i < 3; i++) {
                wire_item_init(&item);
                wire_set_str(&item, WF_NAME, names[i]);
                wire_set_u(&item, WF_INODE, i + 1);
                wire_set_u(&item, WF_NODETYPE, WIRE_NODE_FILE);
                wire_set_attr(&item, &attr);
                ck_assert_int_eq(wire_group_add(&g, &item), WIRE_OK);
        }
        wire_msg_init(&m, WIRE_MATOCL_FUSE_READDIR, WIRE_FROM_MASTER);
        wire_set_u(&m, WF_MSGID, 9);
        if (edge)
                wire_set_u(&m, WF_NEDGEID, WIRE_EDGEID_MAX);
        wire_set_group(&m, WF_ENTRIES, &g);
        n = wire_encode(&m, &ctx, out, cap);
        ck_assert_int_gt(n, 8);
        return (size_t)n - 8;
}

static uint8_t readdir_hint(bool attr, bool edge)
{
        struct wire_msg m;

        wire_msg_init(&m, WIRE_CLTOMA_FUSE_READDIR, WIRE_TO_MASTER);
        wire_set_u(&m, WF_FLAGS, attr ? WIRE_READDIR_WITHATTR : 0);
        if (edge)
                wire_set_u(&m, WF_NEDGEID, 0);
        return wire_hint_of(&m);
}

static void feed_readdir(enum wire_form form, bool edge)
{
        struct wire_ctx ctx = { V3, form == WFORM_DIRENT_ATTR35 ? WIRE_VER(3, 0, 71) : V4, 0 };
        uint8_t out[1024];
        size_t n = make_reply(out, sizeof(out), form, edge);

        ctx.hint = readdir_hint(form != WFORM_DIRENT, edge);
        for (size_t piece = 1; piece <= n; piece++) {
                struct wire_readdir rd;
                struct seen s = { 0 };

                wire_readdir_init(&rd, (uint32_t)n, &ctx, saw, &s);
                for (size_t at = 0; at < n; at += piece) {
                        ck_assert(!wire_readdir_done(&rd));
                        ck_assert_int_eq(
                                wire_readdir_feed(&rd, out + 8 + at, piece < n - at ? piece : n - at), 0);
                }
                ck_assert(wire_readdir_done(&rd));
                ck_assert_uint_eq(rd.msgid, 9);
                ck_assert(!edge || rd.nedgeid == WIRE_EDGEID_MAX);
                ck_assert_uint_eq(s.entries, 3);
                ck_assert_uint_eq(rd.entries, 3);
                ck_assert_uint_eq(s.inodes, 6);
                ck_assert_str_eq(s.names, "onethree");
                ck_assert_uint_eq(s.lengths, form == WFORM_DIRENT ? 0 : 3000);
                ck_assert_int_eq(wire_readdir_feed(&rd, out, 1), WIRE_EFORMAT);
        }
        /* cut short: never done, and an entry that cannot be complete is refused early */
        for (size_t cut = 0; cut < n; cut++) {
                struct wire_readdir rd;
                struct seen s = { 0 };
                int result;

                wire_readdir_init(&rd, (uint32_t)cut, &ctx, saw, &s);
                result = wire_readdir_feed(&rd, out + 8, cut);
                if (result == WIRE_OK && wire_readdir_done(&rd))
                        ck_assert(cut == 5 || s.entries < 3);
        }
}

START_TEST(readdir_in_pieces)
{
        feed_readdir(WFORM_DIRENT, true);
        feed_readdir(WFORM_DIRENT, false);
        feed_readdir(WFORM_DIRENT_ATTR36, true);
        feed_readdir(WFORM_DIRENT_ATTR35, true);
        feed_readdir(WFORM_DIRENT_ATTR36, false);
}
END_TEST

START_TEST(readdir_status_and_stop)
{
        struct wire_ctx ctx = { V3, V4, readdir_hint(true, true) };
        struct wire_readdir rd;
        struct seen s = { .stop_after = 2 };
        uint8_t out[1024];
        size_t n;

        wire_readdir_init(&rd, 5, &ctx, saw, &s);
        ck_assert_int_eq(wire_readdir_feed(&rd, (const uint8_t *)"\0\0\0\11\4", 5), WIRE_OK);
        ck_assert(wire_readdir_done(&rd));
        ck_assert(rd.is_status);
        ck_assert_uint_eq(rd.status, WIRE_STATUS_EACCES);
        n = make_reply(out, sizeof(out), WFORM_DIRENT_ATTR36, true);
        wire_readdir_init(&rd, (uint32_t)n, &ctx, saw, &s);
        ck_assert_int_eq(wire_readdir_feed(&rd, out + 8, n), WIRE_ESTOP);
        ck_assert_uint_eq(s.entries, 2);
        ck_assert(!wire_readdir_done(&rd));
}
END_TEST

/* ---- printing --------------------------------------------------------------------------------------------- */

static void lookup_message(struct wire_msg *m, const void *name, size_t len)
{
        static const uint32_t gids[] = { 100, 101 };

        wire_msg_init(m, WIRE_CLTOMA_FUSE_LOOKUP, WIRE_TO_MASTER);
        wire_set_u(m, WF_MSGID, 7);
        wire_set_u(m, WF_PARENT, 1);
        wire_set_bytes(m, WF_NAME, name, len);
        wire_set_ug(m, 1000, gids, 2);
        m->layout = wire_layout_find(m->packet, "ug");
}

START_TEST(print_lookup)
{
        struct wire_msg m;
        char text[400];

        lookup_message(&m, "a\"\n\x7f", 4);
        ck_assert_uint_eq(wire_print(&m, text, sizeof(text), 4), strlen(text));
        ck_assert_str_eq(text, "CLTOMA_FUSE_LOOKUP(406) [ug] msgid=7 parent=1 name=\"a\\\"\\x0a\\x7f\" "
                               "ug=1000:100,101");
        wire_print_json(&m, text, sizeof(text), 4);
        ck_assert_str_eq(text, "{\"packet\":\"CLTOMA_FUSE_LOOKUP\",\"type\":406,\"dir\":\"to_master\","
                               "\"layout\":\"ug\",\"fields\":{\"msgid\":7,\"parent\":1,"
                               "\"name\":\"a\\\"\\u000a\\u007f\","
                               "\"ug\":{\"uid\":1000,\"gids\":[100,101],\"ngids\":2}}}");
        lookup_message(&m, "\xff\xfe", 2);
        wire_print(&m, text, sizeof(text), 4);
        ck_assert_ptr_nonnull(strstr(text, "name=x'fffe'"));
        wire_print_json(&m, text, sizeof(text), 4);
        ck_assert_ptr_nonnull(strstr(text, "\"name_hex\":\"fffe\""));
        ck_assert_uint_ge(wire_print_json(&m, text, 100, 4), 100);
        ck_assert_str_eq(text, "{\"packet\":\"CLTOMA_FUSE_LOOKUP\",\"type\":406,\"dir\":\"to_master\","
                               "\"layout\":\"ug\",\"truncated\":true}");
        wire_print_json(&m, text, 20, 4);
        ck_assert_str_eq(text, "");
        wire_print(&m, text, 10, 4);
        ck_assert_str_eq(text, "CLTOMA_FU");
}
END_TEST

START_TEST(print_utf8)
{
        static const struct {
                const char *name;
                bool hex;
        } cases[] = {
                { "\xc3\xa4", false },
                { "\xe2\x82\xac", false },
                { "\xf0\x9f\x98\x80", false },
                { "\xc0\x80", true },
                { "\xed\xa0\x80", true },
                { "\xf5\x80\x80\x80", true },
                { "\xe2\x82", true },
                { "\x80", true },
                { "\xf4\x90\x80\x80", true },
                { "\xe0\x80\xaf", true },
                { "", false },
        };
        struct wire_msg m;
        char text[400];

        for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
                lookup_message(&m, cases[i].name, strlen(cases[i].name));
                wire_print(&m, text, sizeof(text), 4);
                ck_assert_int_eq(strstr(text, "name=x'") != NULL, cases[i].hex);
        }
        lookup_message(&m, "\xc2\x9b", 2); /* a control character that terminals obey */
        wire_print(&m, text, sizeof(text), 4);
        ck_assert_ptr_nonnull(strstr(text, "name=\"\\u009b\""));
}
END_TEST

START_TEST(print_hides_secrets)
{
        struct wire_msg m;
        char text[800];

        wire_msg_init(&m, WIRE_CLTOMA_FUSE_REGISTER, WIRE_TO_MASTER);
        wire_set_u(&m, WF_RCODE, WIRE_REGISTER_NEWSESSION);
        wire_set_u(&m, WF_VERSION, V4);
        wire_set_bytes(&m, WF_DIGEST, "0123456789abcdef", 16);
        wire_print(&m, text, sizeof(text), 4);
        ck_assert_str_eq(text, "CLTOMA_FUSE_REGISTER(400) rcode=newsession version=4.59.2 digest=***");
        wire_print_json(&m, text, sizeof(text), 4);
        ck_assert_ptr_null(strstr(text, "0123"));
        ck_assert_ptr_nonnull(strstr(text, "\"digest\":\"***\""));
}
END_TEST

START_TEST(print_groups)
{
        static uint8_t data[5] = { 0, 0, 0, 7, 3 };
        struct wire_group g;
        struct wire_msg m;
        uint8_t room[64];
        char text[600];

        wire_msg_init(&m, WIRE_MATOCL_FUSE_READ_CHUNK, WIRE_FROM_MASTER);
        wire_group_init(&g, WFORM_LOC14, room, sizeof(room));
        for (unsigned i = 0; i < 3; i++)
                wire_group_add_loc(&g, 0x0A4D0001 + i, 9422, V3, 1);
        wire_set_u(&m, WF_CHUNKID, 0x55);
        wire_set_group(&m, WF_LOCS, &g);
        wire_print(&m, text, sizeof(text), 1);
        ck_assert_str_eq(text, "MATOCL_FUSE_READ_CHUNK(433) chunkid=0000000000000055 "
                               "locs=[{ip=10.77.0.1 port=9422 cs_ver=3.0.117 labelmask=0x00000001}]+2");
        ck_assert_int_eq(wire_decode(&m, WIRE_MATOCL_FUSE_READ_CHUNK, WIRE_FROM_MASTER, data, 5, NULL),
                         WIRE_OK);
        wire_print_json(&m, text, sizeof(text), 1);
        ck_assert_ptr_nonnull(strstr(text, "\"fields\":{\"msgid\":7,\"status\":\"ENOENT\",\"status_nr\":3}"));
}
END_TEST

START_TEST(group_errors_stick)
{
        struct wire_group g;
        struct wire_msg m;
        uint8_t room[20];

        wire_group_init(&g, WFORM_LOC14, room, sizeof(room));
        wire_group_add_loc(&g, 1, 2, 3, 4);
        wire_group_add_loc(&g, 1, 2, 3, 4);
        ck_assert_int_eq(g.error, WIRE_ESPACE);
        ck_assert_uint_eq(g.count, 1);
        wire_msg_init(&m, WIRE_MATOCL_FUSE_READ_CHUNK, WIRE_FROM_MASTER);
        wire_set_group(&m, WF_LOCS, &g);
        ck_assert(!wire_msg_ok(&m));
        ck_assert_int_eq(m.error, WIRE_ESPACE);
}
END_TEST

int main(void)
{
        Suite *s = suite_create("wire-stream");
        TCase *tc = tcase_create("wire-stream");
        SRunner *sr;
        int failed;

        tcase_add_test(tc, the_table_is_consistent);
        tcase_add_test(tc, replies_follow_requests);
        tcase_add_test(tc, versions);
        tcase_add_test(tc, statuses);
        tcase_add_test(tc, frames_in_pieces);
        tcase_add_test(tc, frame_limit_sticks);
        tcase_add_test(tc, frame_payload_is_not_copied);
        tcase_add_test(tc, readdir_in_pieces);
        tcase_add_test(tc, readdir_status_and_stop);
        tcase_add_test(tc, print_lookup);
        tcase_add_test(tc, print_utf8);
        tcase_add_test(tc, print_hides_secrets);
        tcase_add_test(tc, print_groups);
        tcase_add_test(tc, group_errors_stick);
        suite_add_tcase(s, tc);
        sr = srunner_create(s);
        srunner_run_all(sr, CK_ENV);
        failed = srunner_ntests_failed(sr);
        srunner_free(sr);
        return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
