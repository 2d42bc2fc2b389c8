/* SPDX-License-Identifier: MIT */
/* Unit tests of the session with a master; the test is the master, on a transport of two buffers. */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/digest.h"
#include "mfs-double.h"
#include "mfsproto/session/private.h"

static const uint32_t V3 = WIRE_VER(3, 0, 117), V4 = WIRE_VER(4, 59, 2);
enum { SESSION = 77 };
static const uint64_t META = UINT64_C(0x1122334455667788);

static roma_loop *loop;
static struct double_net net;
static struct mfs_session *session;
static struct {
        bool ended;
        int code, outcome;
        char message[600];
} open_result;

static void opened(void *arg, const roma_result *r)
{
        (void)arg;
        open_result.ended = true;
        open_result.code = r->code;
        open_result.outcome = r->outcome;
        snprintf(open_result.message, sizeof(open_result.message), "%s", r->message);
}

static void begin(const char *hosts, const char *password, uint32_t declare)
{
        static const uint32_t gids[] = { 100, 27 };
        struct mfs_host host[2] = { { .port = 9421 }, { .port = 9421 } };
        struct mfs_session_cfg cfg = { .host = host, .hosts = 1, .export_path = "/data", .info = "test" };
        const char *comma = strchr(hosts, ',');
        unsigned char sum[RI_DIGEST_MAX];
        struct ri_error e;
        struct ri_op *op;

        loop = roma_loop_new();
        double_init(&net);
        snprintf(host[0].name, sizeof(host[0].name), "%.*s", (int)strcspn(hosts, ","), hosts);
        if (comma) {
                snprintf(host[1].name, sizeof(host[1].name), "%s", comma + 1);
                cfg.hosts = 2;
        }
        cfg.uid = 1000;
        cfg.gid = gids;
        cfg.gids = 2;
        cfg.declare = declare;
        cfg.dialer = &net.dialer;
        if (password) {
                cfg.has_password = true;
                ck_assert_int_eq(ri_digest_bytes(RI_MD5, password, strlen(password), sum, NULL), 0);
                memcpy(cfg.password_md5, sum, 16);
        }
        session = mfs_session_new(loop, &cfg, &e);
        ck_assert_ptr_nonnull(session);
        memset(&open_result, 0, sizeof(open_result));
        op = ri_op_new(loop, NULL, RI_SINGLE, "open", "x", NULL, opened, NULL);
        mfs_session_connect(session, op);
}

static void wait_opened(void)
{
        for (int i = 0; i < 4000 && !open_result.ended; i++)
                double_turns(loop, 1);
        ck_assert(open_result.ended);
}

static bool is_closed;
static void closed(void *arg)
{
        (void)arg;
        is_closed = true;
}

static void end(void)
{
        roma_stats st = { .size = sizeof(st) };

        is_closed = false;
        mfs_session_close(session, true, closed, NULL);
        ck_assert(is_closed);
        roma_loop_stats(loop, &st);
        ck_assert_uint_eq(st.timers, 0);
        ck_assert_uint_eq(st.operations, 0);
        double_free(&net);
        roma_loop_free(loop);
}

/* The register reply of that length. */
static uint32_t register_reply(uint8_t *p, uint32_t len, uint32_t version)
{
        size_t at = 0;

        memset(p, 0, 64);
        wire_put32(p, version);
        wire_put32(p + 4, SESSION);
        at = 8;
        if (len > 35) {
                wire_put64(p + at, META);
                at += 8;
        }
        p[at++] = WIRE_SESFLAG_READONLY;
        if (len > 43) {
                wire_put16(p + at, 022);
                at += 2;
        }
        for (uint32_t i = 0; i < 4; i++, at += 4)
                wire_put32(p + at, 500 + i);
        p[at++] = 1;
        p[at++] = 9;
        at += 8;
        if (len > 45) {
                wire_put32(p + at, 0x80);
                at += 4;
        }
        if (len > 49)
                at += 8;
        ck_assert_uint_eq(at, len);
        return len;
}

static struct double_conn *expect_register(unsigned dial, uint8_t rcode, const uint8_t **p, uint32_t *len)
{
        struct double_conn *c = double_wait_dial(&net, loop, dial);
        uint32_t type = double_packet(c, p, len);

        ck_assert_uint_eq(type, WIRE_CLTOMA_FUSE_REGISTER);
        ck_assert_uint_ge(*len, 65);
        ck_assert_mem_eq(*p, WIRE_REGISTER_BLOB, 64);
        ck_assert_uint_eq((*p)[64], rcode);
        return c;
}

static struct double_conn *ready(uint32_t version)
{
        const uint8_t *p;
        uint32_t len;
        uint8_t reply[64];
        struct double_conn *c;

        begin("10.0.0.1", NULL, 0);
        c = expect_register(1, WIRE_REGISTER_NEWSESSION, &p, &len);
        double_give_packet(c, WIRE_MATOCL_FUSE_REGISTER, reply, register_reply(reply, 49, version));
        wait_opened();
        ck_assert_int_eq(open_result.code, ROMA_OK);
        return c;
}

/* Skips what a session sends on its own. */
static uint32_t next_request(struct double_conn *c, const uint8_t **p, uint32_t *len)
{
        uint32_t type;

        do
                type = double_packet(c, p, len);
        while (type == WIRE_ANTOAN_NOP || type == WIRE_CLTOMA_FUSE_TIME_SYNC ||
               type == WIRE_CLTOMA_FUSE_WFLAGS);
        return type;
}

/* ---- registration ----------------------------------------------------------------------------------------- */

START_TEST(register_says_who_we_are)
{
        static const uint8_t tail[] = { 0, 4, 59, 4, 0, 0,   0,   5,   't', 'e', 's', 't',
                                        0, 0, 0,  0, 6, '/', 'd', 'a', 't', 'a', 0 };
        static const uint32_t lengths[] = { 35, 43, 45, 49, 57 };
        const struct mfs_session_info *i;
        const uint8_t *p;
        uint32_t len;
        uint8_t reply[64];
        struct double_conn *c;

        begin("10.0.0.1", NULL, 0);
        c = expect_register(1, WIRE_REGISTER_NEWSESSION, &p, &len);
        ck_assert_uint_eq(c->ip, 0x0A000001);
        ck_assert_uint_eq(c->port, 9421);
        ck_assert_uint_eq(len, 65 + sizeof(tail));
        ck_assert_mem_eq(p + 65, tail, sizeof(tail));
        /* a master speaks before it answers */
        double_give_packet(c, WIRE_ANTOAN_NOP, "\0\0\0", 4);
        double_give_packet(c, WIRE_MATOCL_FUSE_REGISTER, reply, register_reply(reply, lengths[_i], V3));
        wait_opened();
        ck_assert_int_eq(open_result.code, ROMA_OK);
        i = mfs_session_info(session);
        ck_assert_uint_eq(i->master_version, V3);
        ck_assert_uint_eq(i->session_id, SESSION);
        ck_assert_uint_eq(i->meta_id, lengths[_i] > 35 ? META : 0);
        ck_assert_uint_eq(i->flags, WIRE_SESFLAG_READONLY);
        ck_assert_uint_eq(i->root_uid, 500);
        ck_assert_uint_eq(i->map_gid, 503);
        ck_assert_uint_eq(i->disables, lengths[_i] > 45 ? 0x80 : 0);
        ck_assert_str_eq(mfs_session_server(session), "10.0.0.1:9421");
        end();
}
END_TEST

START_TEST(password_is_mixed_with_the_challenge)
{
        unsigned char random[32], text[48], sum[RI_DIGEST_MAX], md5[RI_DIGEST_MAX];
        const uint8_t *p;
        uint32_t len;
        uint8_t reply[64];
        struct double_conn *c;

        for (unsigned i = 0; i < 32; i++)
                random[i] = (unsigned char)(i * 7 + 1);
        begin("10.0.0.1", "swordfish", 0);
        c = expect_register(1, WIRE_REGISTER_GETRANDOM, &p, &len);
        ck_assert_uint_eq(len, 65);
        double_give_packet(c, WIRE_MATOCL_FUSE_REGISTER, random, 32);
        expect_register(1, WIRE_REGISTER_NEWSESSION, &p, &len);
        ri_digest_bytes(RI_MD5, "swordfish", 9, md5, NULL);
        memcpy(text, random, 16);
        memcpy(text + 16, md5, 16);
        memcpy(text + 32, random + 16, 16);
        ri_digest_bytes(RI_MD5, text, 48, sum, NULL);
        ck_assert_mem_eq(p + len - 16, sum, 16);
        double_give_packet(c, WIRE_MATOCL_FUSE_REGISTER, reply, register_reply(reply, 49, V3));
        wait_opened();
        ck_assert_int_eq(open_result.code, ROMA_OK);
        end();
}
END_TEST

static const struct {
        uint8_t status;
        uint32_t declare;
        int code;
        const char *word;
} refusals[] = {
        { WIRE_STATUS_EPERM, WIRE_VER(4, 20, 0), ROMA_EVERSION, "4.20.0" },
        { WIRE_STATUS_EPERM, 0, ROMA_EACCES, "mfsexports.cfg" },
        { WIRE_STATUS_ENOENT, 0, ROMA_ENOENT, "/data" },
        { WIRE_STATUS_EACCES, 0, ROMA_EACCES, "mfsexports.cfg" },
        { WIRE_STATUS_NOPASSWORD, 0, ROMA_EAUTH, "password_file" },
        { WIRE_STATUS_BADPASSWORD, 0, ROMA_EAUTH, "wrong" },
};

START_TEST(refusals_say_what_to_do)
{
        const uint8_t *p;
        uint32_t len;
        struct double_conn *c;

        /* the second host is the same cluster: no second try */
        begin("10.0.0.1,10.0.0.2", NULL, refusals[_i].declare);
        c = expect_register(1, WIRE_REGISTER_NEWSESSION, &p, &len);
        double_give_packet(c, WIRE_MATOCL_FUSE_REGISTER, &refusals[_i].status, 1);
        wait_opened();
        ck_assert_int_eq(open_result.code, refusals[_i].code);
        ck_assert_ptr_nonnull(strstr(open_result.message, refusals[_i].word));
        ck_assert_ptr_nonnull(strstr(open_result.message, "10.0.0.1:9421"));
        ck_assert_uint_eq(net.dials, 1);
        end();
}
END_TEST

START_TEST(a_follower_names_the_leader)
{
        const uint8_t *p;
        uint32_t len;
        uint8_t reply[64];
        struct double_conn *c;

        begin("10.0.0.1", NULL, 0);
        c = expect_register(1, WIRE_REGISTER_NEWSESSION, &p, &len);
        wire_put32(reply, 0x0A000005);
        double_give_packet(c, WIRE_MATOCL_FUSE_REGISTER, reply, 4);
        c = expect_register(2, WIRE_REGISTER_NEWSESSION, &p, &len);
        ck_assert_uint_eq(c->ip, 0x0A000005);
        double_give_packet(c, WIRE_MATOCL_FUSE_REGISTER, reply, register_reply(reply, 57, V4));
        wait_opened();
        ck_assert_int_eq(open_result.code, ROMA_OK);
        ck_assert_str_eq(mfs_session_server(session), "10.0.0.5:9421");
        end();
}
END_TEST

START_TEST(other_hosts_are_tried)
{
        const uint8_t *p;
        uint32_t len;
        uint8_t reply[64];
        struct double_conn *c;

        begin("10.0.0.1,10.0.0.2", NULL, 0);
        net.refuse = 1;
        c = expect_register(2, WIRE_REGISTER_NEWSESSION, &p, &len);
        ck_assert_uint_eq(c->ip, 0x0A000002);
        double_give_packet(c, WIRE_MATOCL_FUSE_REGISTER, reply, register_reply(reply, 49, V3));
        wait_opened();
        ck_assert_int_eq(open_result.code, ROMA_OK);
        end();
}
END_TEST

START_TEST(nobody_there_fails_at_once)
{
        begin("10.0.0.1,10.0.0.2", NULL, 0);
        net.refuse = 2;
        wait_opened();
        ck_assert_int_eq(open_result.code, ROMA_ECONNECT);
        ck_assert_uint_eq(net.dials, 2);
        end();
}
END_TEST

START_TEST(text_is_no_master)
{
        static const char http[] = "HTTP/1.1 400 Bad Request\r\n\r\n";
        const uint8_t *p;
        uint32_t len;
        struct double_conn *c;

        begin("10.0.0.1", NULL, 0);
        c = expect_register(1, WIRE_REGISTER_NEWSESSION, &p, &len);
        double_give(c, http, sizeof(http) - 1);
        wait_opened();
        ck_assert_int_eq(open_result.code, ROMA_EPROTOCOL);
        ck_assert_ptr_nonnull(strstr(open_result.message, "\"HTTP\""));
        end();
}
END_TEST

START_TEST(a_chunkserver_is_recognised)
{
        static const uint8_t module[21] = { 2, 0, 3, 0, 0xEA };
        const uint8_t *p;
        uint32_t len;
        struct double_conn *c;

        begin("10.0.0.1", NULL, 0);
        c = expect_register(1, WIRE_REGISTER_NEWSESSION, &p, &len);
        double_end(c);
        c = double_wait_dial(&net, loop, 2);
        ck_assert_uint_eq(double_packet(c, &p, &len), WIRE_CLTOAN_MODULE_INFO);
        double_give_packet(c, WIRE_ANTOCL_MODULE_INFO, module, sizeof(module));
        wait_opened();
        ck_assert_int_eq(open_result.code, ROMA_EPROTOCOL);
        ck_assert_ptr_nonnull(strstr(open_result.message, "chunkserver (3.0.117)"));
        end();
}
END_TEST

START_TEST(answers_of_odd_lengths_are_refused)
{
        static const uint32_t lengths[] = { 0, 2, 3, 5, 13, 32, 34, 36, 48, 58, 1000 };
        static uint8_t junk[1000];
        const uint8_t *p;
        uint32_t len;
        struct double_conn *c;

        begin("10.0.0.1", NULL, 0);
        c = expect_register(1, WIRE_REGISTER_NEWSESSION, &p, &len);
        double_give_packet(c, WIRE_MATOCL_FUSE_REGISTER, junk, lengths[_i]);
        wait_opened();
        ck_assert_int_eq(open_result.code, ROMA_EPROTOCOL);
        end();
}
END_TEST

/* ---- calls ------------------------------------------------------------------------------------------------ */

struct asked {
        struct mfs_call call;
        unsigned done;
        bool failed, replayed, has_msg;
        int code, outcome;
        uint8_t status;
        uint32_t inode;
};

static void answered(struct mfs_call *call, const struct mfs_reply *r)
{
        struct asked *a = ri_container_of(call, struct asked, call);
        struct wire_msg m;

        a->done++;
        a->failed = r->error != NULL;
        a->replayed = r->replayed;
        a->code = r->error ? r->error->code : 0;
        a->outcome = r->error ? r->error->outcome : 0;
        a->status = r->status;
        a->has_msg = r->msg != NULL;
        if (r->msg && r->status == 0) {
                m = *r->msg;
                a->inode = (uint32_t)wire_get_u_or(&m, WF_INODE, 0);
        }
}

static void ask(struct asked *a, const char *name, unsigned flags)
{
        struct wire_msg m;
        struct ri_error e;

        memset(a, 0, sizeof(*a));
        a->call.done = answered;
        wire_msg_init(&m, WIRE_CLTOMA_FUSE_UNLINK, WIRE_TO_MASTER);
        wire_set_u(&m, WF_PARENT, 1);
        wire_set_str(&m, WF_NAME, name);
        mfs_session_set_ug(session, &m);
        ck_assert_int_eq(mfs_call_start(session, &a->call, &m, flags, "unlink", NULL, &e), 0);
        ck_assert_uint_eq(a->done, 0);
}

static void reply_unlink(struct double_conn *c, uint32_t msgid, uint32_t inode)
{
        uint8_t p[8];

        wire_put32(p, msgid);
        wire_put32(p + 4, inode);
        double_give_packet(c, WIRE_MATOCL_FUSE_UNLINK, p, 8);
}

static void wait_done(struct asked *a)
{
        for (int i = 0; i < 4000 && !a->done; i++)
                double_turns(loop, 1);
        ck_assert_uint_eq(a->done, 1);
}

START_TEST(answers_come_in_any_order)
{
        struct double_conn *c = ready(V3);
        struct asked a[3];
        const uint8_t *p;
        uint32_t len, id[3];
        unsigned sends;

        double_turns(loop, 3);
        sends = c->sends;
        for (unsigned i = 0; i < 3; i++)
                ask(&a[i], "x", 0);
        for (unsigned i = 0; i < 3; i++) {
                ck_assert_uint_eq(next_request(c, &p, &len), WIRE_CLTOMA_FUSE_UNLINK);
                id[i] = wire_be32(p);
                ck_assert_uint_ne(id[i], 0);
        }
        ck_assert_uint_eq(c->sends, sends + 1); /* all of a turn leave in one call */
        reply_unlink(c, 0x12345678, 9);         /* of nobody: ignored */
        reply_unlink(c, id[2], 102);
        reply_unlink(c, id[0], 100);
        wait_done(&a[0]);
        ck_assert_uint_eq(a[0].inode, 100);
        ck_assert_uint_eq(a[2].inode, 102);
        ck_assert_uint_eq(a[1].done, 0);
        reply_unlink(c, id[1], 101);
        reply_unlink(c, id[1], 666); /* twice */
        wait_done(&a[1]);
        double_turns(loop, 3);
        ck_assert_uint_eq(a[1].inode, 101);
        ck_assert_uint_eq(a[1].done, 1);
        end();
}
END_TEST

START_TEST(statuses_and_unknown_commands)
{
        struct double_conn *c = ready(V3);
        struct asked a[3];
        const uint8_t *p;
        uint32_t len;
        uint8_t reply[16] = { 0 };

        ask(&a[0], "x", 0);
        next_request(c, &p, &len);
        memcpy(reply, p, 4);
        reply[4] = WIRE_STATUS_QUOTA;
        double_give_packet(c, WIRE_MATOCL_FUSE_UNLINK, reply, 5);
        wait_done(&a[0]);
        ck_assert_uint_eq(a[0].status, WIRE_STATUS_QUOTA);
        ask(&a[1], "x", 0);
        next_request(c, &p, &len);
        memcpy(reply, p, 4);
        double_give_packet(c, WIRE_ANTOAN_UNKNOWN_COMMAND, reply, 16);
        wait_done(&a[1]);
        ck_assert_uint_eq(a[1].status, WIRE_STATUS_ENOTSUP);
        ck_assert(!a[1].has_msg);
        /* framed, but in no form that is known: this call fails, the connection stays */
        ask(&a[2], "x", 0);
        next_request(c, &p, &len);
        memcpy(reply, p, 4);
        double_give_packet(c, WIRE_MATOCL_FUSE_UNLINK, reply, 7);
        wait_done(&a[2]);
        ck_assert_int_eq(a[2].code, ROMA_EPROTOCOL);
        ck_assert_int_eq(a[2].outcome, ROMA_UNKNOWN);
        ck_assert(!c->closed);
        end();
}
END_TEST

START_TEST(cancelled_calls_are_silent)
{
        struct double_conn *c = ready(V3);
        struct asked a[2];
        const uint8_t *p;
        uint32_t len, id;

        ask(&a[0], "unsent", 0);
        mfs_call_cancel(&a[0].call);
        mfs_call_cancel(&a[0].call);
        ask(&a[1], "sent", 0);
        ck_assert_uint_eq(next_request(c, &p, &len), WIRE_CLTOMA_FUSE_UNLINK);
        ck_assert_uint_eq(p[8], 4); /* the length of "sent" */
        id = wire_be32(p);
        mfs_call_cancel(&a[1].call);
        reply_unlink(c, id, 5);
        double_turns(loop, 3);
        ck_assert_uint_eq(a[0].done + a[1].done, 0);
        ck_assert(!c->closed);
        end();
}
END_TEST

/* Sent changes are unknown, unsent ones and replays go on. */
START_TEST(a_lost_connection_is_taken_up)
{
        static const uint32_t lengths[] = { 1, 5, 13 };
        struct double_conn *c = ready(V3);
        struct asked change, replay, unsent, hasty;
        const uint8_t *p;
        uint32_t len;
        uint8_t reply[16];

        ask(&change, "a", 0);
        ask(&replay, "b", MFS_REPLAY);
        ask(&hasty, "c", MFS_REPLAY | MFS_NO_RETRY);
        for (unsigned i = 0; i < 3; i++)
                next_request(c, &p, &len);
        double_end(c);
        wait_done(&change);
        wait_done(&hasty);
        ck_assert_int_eq(change.code, ROMA_ECLOSED);
        ck_assert_int_eq(change.outcome, ROMA_UNKNOWN);
        ck_assert_int_eq(hasty.outcome, ROMA_NOT_DONE);
        ask(&unsent, "dd", 0);
        c = expect_register(2, WIRE_REGISTER_RECONNECT, &p, &len);
        ck_assert_uint_eq(len, 81);
        ck_assert_uint_eq(wire_be32(p + 65), SESSION);
        ck_assert_uint_eq(wire_be32(p + 69), V4); /* what we declare */
        ck_assert_uint_eq(wire_be64(p + 73), META);
        memset(reply, 0, sizeof(reply));
        if (lengths[_i] > 1)
                wire_put32(reply, V3);
        double_give_packet(c, WIRE_MATOCL_FUSE_REGISTER, reply, lengths[_i]);
        ck_assert_uint_eq(next_request(c, &p, &len), WIRE_CLTOMA_FUSE_UNLINK);
        ck_assert_uint_eq(p[9], 'b'); /* the oldest first */
        reply_unlink(c, wire_be32(p), 11);
        next_request(c, &p, &len);
        ck_assert_uint_eq(p[9], 'd');
        reply_unlink(c, wire_be32(p), 12);
        wait_done(&replay);
        wait_done(&unsent);
        ck_assert(replay.replayed && !replay.failed);
        ck_assert(!unsent.replayed && !unsent.failed);
        end();
}
END_TEST

static unsigned all_changes;
static void all_changed(struct mfs_watch *w)
{
        (void)w;
        all_changes++;
}

START_TEST(a_changed_export_keeps_the_session)
{
        struct double_conn *c = ready(V3);
        struct asked a;
        const uint8_t *p;
        uint32_t len;
        uint8_t status = WIRE_STATUS_EPERM, reply[64];

        double_end(c);
        double_turns(loop, 3);
        ask(&a, "x", 0);
        c = expect_register(2, WIRE_REGISTER_RECONNECT, &p, &len);
        double_give_packet(c, WIRE_MATOCL_FUSE_REGISTER, &status, 1);
        expect_register(2, WIRE_REGISTER_NEWSESSION, &p, &len);
        ck_assert_uint_eq(len, 77 + 5 + 6 + 12);
        ck_assert_uint_eq(wire_be32(p + len - 12), SESSION);
        ck_assert_uint_eq(wire_be64(p + len - 8), META);
        double_give_packet(c, WIRE_MATOCL_FUSE_REGISTER, reply, register_reply(reply, 49, V3));
        ck_assert_uint_eq(next_request(c, &p, &len), WIRE_CLTOMA_FUSE_UNLINK);
        end();
}
END_TEST

START_TEST(a_forgotten_session_is_made_anew)
{
        struct mfs_watch watch = { .all_changed = all_changed };
        struct double_conn *c = ready(V3);
        const uint8_t *p;
        uint32_t len;
        uint8_t status = WIRE_STATUS_BADSESSIONID, reply[64];

        all_changes = 0;
        mfs_session_watch(session, &watch);
        ck_assert_int_eq(mfs_session_inode_hold(session, 42), 0);
        double_end(c);
        c = expect_register(2, WIRE_REGISTER_RECONNECT, &p, &len);
        double_give_packet(c, WIRE_MATOCL_FUSE_REGISTER, &status, 1);
        expect_register(2, WIRE_REGISTER_NEWSESSION, &p, &len);
        ck_assert_uint_eq(len, 77 + 5 + 6);
        register_reply(reply, 49, V3);
        wire_put32(reply + 4, SESSION + 1);
        double_give_packet(c, WIRE_MATOCL_FUSE_REGISTER, reply, 49);
        /* the open files before all else */
        ck_assert_uint_eq(double_packet(c, &p, &len), WIRE_CLTOMA_FUSE_SUSTAINED_INODES);
        ck_assert_uint_eq(len, 4);
        ck_assert_uint_eq(wire_be32(p), 42);
        ck_assert_uint_eq(mfs_session_info(session)->session_id, SESSION + 1);
        ck_assert_uint_ge(all_changes, 1);
        mfs_session_inode_release(session, 42);
        end();
}
END_TEST

/* The address of the master leads to another file system, where inode 42 is somebody else's. */
START_TEST(another_file_system_is_not_ours)
{
        struct double_conn *c = ready(V3), *next;
        struct asked a;
        const uint8_t *p;
        uint32_t len;
        uint8_t status = WIRE_STATUS_BADSESSIONID, reply[64];

        ck_assert_int_eq(mfs_session_inode_hold(session, 42), 0);
        double_end(c);
        double_turns(loop, 3);
        ask(&a, "x", 0);
        for (unsigned dial = 2; dial < 4; dial++) {
                c = expect_register(dial, WIRE_REGISTER_RECONNECT, &p, &len);
                double_give_packet(c, WIRE_MATOCL_FUSE_REGISTER, &status, 1);
                expect_register(dial, WIRE_REGISTER_NEWSESSION, &p, &len);
                register_reply(reply, 49, V3);
                wire_put32(reply + 4, 500);
                wire_put64(reply + 8, META + 1);
                double_give_packet(c, WIRE_MATOCL_FUSE_REGISTER, reply, 49);
                /* its session is given back, and nothing else is sent */
                expect_register(dial, WIRE_REGISTER_CLOSESESSION, &p, &len);
                ck_assert_uint_eq(wire_be32(p + 65), 500);
                next = double_wait_dial(&net, loop, dial + 1);
                ck_assert(c->closed);
                ck_assert(!double_has_packet(c));
                ck_assert_uint_eq(a.done, 0);
        }
        session->lost_at -= 60 * UINT64_C(1000000000);
        double_end(next);
        wait_done(&a);
        ck_assert(a.failed);
        /* the right one is back */
        ask(&a, "x", 0);
        c = expect_register(5, WIRE_REGISTER_RECONNECT, &p, &len);
        double_give_packet(c, WIRE_MATOCL_FUSE_REGISTER, &status, 1);
        expect_register(5, WIRE_REGISTER_NEWSESSION, &p, &len);
        double_give_packet(c, WIRE_MATOCL_FUSE_REGISTER, reply, register_reply(reply, 49, V3));
        ck_assert_uint_eq(double_packet(c, &p, &len), WIRE_CLTOMA_FUSE_SUSTAINED_INODES);
        ck_assert_uint_eq(next_request(c, &p, &len), WIRE_CLTOMA_FUSE_UNLINK);
        mfs_session_inode_release(session, 42);
        end();
}
END_TEST

/* The owner of a call closes the session when it fails, as an open does. */
static void answered_and_closed(struct mfs_call *call, const struct mfs_reply *r)
{
        answered(call, r);
        is_closed = false;
        mfs_session_close(session, true, closed, NULL);
        ck_assert(is_closed);
}

static void end_closed(void)
{
        roma_stats st = { .size = sizeof(st) };

        double_turns(loop, 3);
        roma_loop_stats(loop, &st);
        ck_assert_uint_eq(st.timers, 0);
        double_free(&net);
        roma_loop_free(loop);
}

/* Why the call fails: no master for too long, one that does not want us any more, one of another version, and a refusal
 * that is found when the loop was not driven. */
START_TEST(a_call_that_fails_may_close_the_session)
{
        struct double_conn *c = ready(V3);
        struct asked a;
        const uint8_t *p;
        uint32_t len;
        uint8_t status = WIRE_STATUS_EPERM, reply[64];

        ask(&a, "x", MFS_REPLAY);
        a.call.done = answered_and_closed;
        next_request(c, &p, &len);
        if (_i == 3) {
                wire_put32(reply, a.call.msgid);
                reply[4] = WIRE_STATUS_ENOENT;
                session->driven_at -= 20 * UINT64_C(1000000000);
                double_give_packet(c, WIRE_MATOCL_FUSE_UNLINK, reply, 5);
                mfs_check_alive(session);
                ck_assert_uint_eq(a.done, 1);
                end_closed();
                return;
        }
        double_end(c);
        c = expect_register(2, WIRE_REGISTER_RECONNECT, &p, &len);
        if (_i == 0) {
                session->lost_at -= 60 * UINT64_C(1000000000);
                double_end(c);
        } else {
                double_give_packet(c, WIRE_MATOCL_FUSE_REGISTER, &status, 1);
                expect_register(2, WIRE_REGISTER_NEWSESSION, &p, &len);
                status = WIRE_STATUS_EACCES;
                if (_i == 1)
                        double_give_packet(c, WIRE_MATOCL_FUSE_REGISTER, &status, 1);
                else
                        double_give_packet(c, WIRE_MATOCL_FUSE_REGISTER, reply,
                                           register_reply(reply, 49, V4));
        }
        wait_done(&a);
        ck_assert(a.failed);
        end_closed();
}
END_TEST

/* ---- time ------------------------------------------------------------------------------------------------- */

/* As if nobody had driven the loop for so long. */
static void sleep_s(unsigned s)
{
        session->driven_at -= s * UINT64_C(1000000000);
        session->link.rx_at -= s * UINT64_C(1000000000);
        session->link.tx_at -= s * UINT64_C(1000000000);
}

START_TEST(an_undriven_connection_is_replaced_silently)
{
        struct double_conn *c = ready(V3);
        struct asked a;
        const uint8_t *p;
        uint32_t len;
        uint8_t reply[16] = { 0 };
        roma_stats st = { .size = sizeof(st) };

        ck_assert_int_eq(mfs_session_inode_hold(session, 7), 0);
        double_turns(loop, 3);
        c->out_at = c->out_len;
        sleep_s(11);
        ask(&a, "x", 0); /* a change: must not be lost in a connection that the master has given up */
        c = expect_register(2, WIRE_REGISTER_RECONNECT, &p, &len);
        ck_assert(!double_has_packet(net.conn[0]));
        wire_put32(reply, V3);
        double_give_packet(c, WIRE_MATOCL_FUSE_REGISTER, reply, 5);
        ck_assert_uint_eq(double_packet(c, &p, &len), WIRE_CLTOMA_FUSE_SUSTAINED_INODES);
        ck_assert_uint_eq(next_request(c, &p, &len), WIRE_CLTOMA_FUSE_UNLINK);
        reply_unlink(c, wire_be32(p), 3);
        wait_done(&a);
        ck_assert(!a.failed && !a.replayed);
        roma_loop_stats(loop, &st);
        ck_assert_uint_eq(st.retries_total, 0);
        mfs_session_inode_release(session, 7);
        end();
}
END_TEST

/* What had arrived before the pause counts, then the end is seen, and nothing of it is a retry. */
START_TEST(answers_from_before_the_pause_count)
{
        struct double_conn *c = ready(V3);
        struct asked a, b;
        const uint8_t *p;
        uint32_t len, id;
        roma_stats st = { .size = sizeof(st) };

        ask(&a, "x", 0);
        next_request(c, &p, &len);
        id = wire_be32(p);
        ask(&b, "y", MFS_REPLAY);
        next_request(c, &p, &len);
        sleep_s(12);
        reply_unlink(c, id, 31);
        double_end(c);
        wait_done(&a);
        ck_assert_uint_eq(a.inode, 31);
        c = expect_register(2, WIRE_REGISTER_RECONNECT, &p, &len);
        roma_loop_stats(loop, &st);
        ck_assert_uint_eq(st.retries_total, 0);
        mfs_call_cancel(&b.call);
        end();
}
END_TEST

/* What waited for the first word of the master after a pause goes behind the times that were to be told before it. */
START_TEST(times_go_before_what_waited)
{
        struct double_conn *c = ready(V3);
        struct asked a, b;
        const uint8_t *p;
        uint32_t len, id, type;

        ask(&a, "x", 0);
        next_request(c, &p, &len);
        id = wire_be32(p);
        sleep_s(9);
        ck_assert_int_eq(mfs_session_touch(session, 7, 0, 1000), 0);
        ask(&b, "y", 0);
        double_turns(loop, 3);
        ck_assert(session->hold);
        reply_unlink(c, id, 31);
        wait_done(&a);
        do
                type = double_packet(c, &p, &len);
        while (type != WIRE_CLTOMA_FUSE_AMTIME_INODES && type != WIRE_CLTOMA_FUSE_UNLINK);
        ck_assert_uint_eq(type, WIRE_CLTOMA_FUSE_AMTIME_INODES);
        ck_assert_uint_eq(next_request(c, &p, &len), WIRE_CLTOMA_FUSE_UNLINK);
        mfs_call_cancel(&b.call);
        end();
}
END_TEST

START_TEST(a_silent_master_is_given_up)
{
        struct double_conn *c = ready(V3);
        struct asked a;
        const uint8_t *p;
        uint32_t len;
        roma_stats st = { .size = sizeof(st) };

        ask(&a, "x", MFS_REPLAY);
        next_request(c, &p, &len);
        session->link.rx_at -= 13 * UINT64_C(1000000000);
        session->grace_at -= 13 * UINT64_C(1000000000);
        expect_register(2, WIRE_REGISTER_RECONNECT, &p, &len);
        ck_assert(c->closed);
        roma_loop_stats(loop, &st);
        ck_assert_uint_eq(st.retries_total, 1);
        mfs_call_cancel(&a.call);
        end();
}
END_TEST

START_TEST(nops_keep_it_alive)
{
        struct double_conn *c = ready(V3);
        const uint8_t *p;
        uint32_t len, type = 1;

        while (type != WIRE_ANTOAN_NOP)
                type = double_packet(c, &p, &len);
        ck_assert_uint_eq(len, 4);
        ck_assert_uint_eq(wire_be32(p), 0);
        end();
}
END_TEST

START_TEST(a_longer_timeout_is_believed)
{
        static const uint8_t seconds[6] = { 0, 0, 0, 0, 0, 60 };
        struct double_conn *c = ready(V4);
        struct asked a;
        const uint8_t *p;
        uint32_t len;

        double_give_packet(c, WIRE_ANTOAN_FORCE_TIMEOUT, seconds, 6);
        double_turns(loop, 3);
        ck_assert_uint_eq(session->timeout_ms, 60000);
        session->driven_at -= 20 * UINT64_C(1000000000);
        ask(&a, "x", 0);
        ck_assert_uint_eq(next_request(c, &p, &len), WIRE_CLTOMA_FUSE_UNLINK);
        ck_assert_uint_eq(net.dials, 1);
        mfs_call_cancel(&a.call);
        end();
}
END_TEST

/* ---- duties ----------------------------------------------------------------------------------------------- */

START_TEST(duties_depend_on_the_master)
{
        static const uint32_t versions[] = { WIRE_VER(3, 0, 73), WIRE_VER(3, 0, 117), WIRE_VER(4, 39, 0),
                                             WIRE_VER(4, 59, 2) };
        struct double_conn *c;
        const uint8_t *p;
        uint32_t len, reply_len;
        uint8_t reply[64];
        bool flags = false, sync = false;

        begin("10.0.0.1", NULL, 0);
        ck_assert_int_eq(mfs_session_inode_hold(session, 5), 0);
        c = expect_register(1, WIRE_REGISTER_NEWSESSION, &p, &len);
        reply_len = register_reply(reply, 49, versions[_i]);
        double_give_packet(c, WIRE_MATOCL_FUSE_REGISTER, reply, reply_len);
        wait_opened();
        double_turns(loop, 3);
        ck_assert_uint_eq(double_packet(c, &p, &len), _i == 0 ? WIRE_CLTOMA_FUSE_SUSTAINED_INODES_OLD
                                                              : WIRE_CLTOMA_FUSE_SUSTAINED_INODES);
        while (double_has_packet(c)) {
                uint32_t type = double_packet(c, &p, &len);

                flags |= type == WIRE_CLTOMA_FUSE_WFLAGS && len == 1 && p[0] == 1;
                sync |= type == WIRE_CLTOMA_FUSE_TIME_SYNC;
        }
        ck_assert(flags == (_i == 3));
        ck_assert(sync == (_i > 0));
        mfs_session_inode_release(session, 5);
        end();
}
END_TEST

START_TEST(times_follow_the_masters_clock)
{
        static const uint8_t expect[12] = { 0, 0, 0, 9, 0, 0, 0, 0, 0, 0, 3, 0xE8 };
        struct double_conn *c = ready(V3);
        const uint8_t *p;
        uint32_t len, type;
        uint8_t reply[12] = { 0 };

        do
                type = double_packet(c, &p, &len);
        while (type != WIRE_CLTOMA_FUSE_TIME_SYNC);
        wire_put64(reply + 4, UINT64_C(1000000000000)); /* in 1970 */
        double_give_packet(c, WIRE_MATOCL_FUSE_TIME_SYNC, reply, 12);
        double_turns(loop, 5);
        ck_assert_uint_ge(mfs_session_time(session), UINT64_C(999999000000));
        ck_assert_uint_le(mfs_session_time(session), UINT64_C(1000020000000));
        ck_assert_int_eq(mfs_session_touch(session, 9, 0, 1), 0);
        ck_assert_int_eq(mfs_session_touch(session, 9, 0, 1000), 0);
        mfs_session_flush_times(session);
        do
                type = double_packet(c, &p, &len);
        while (type == WIRE_ANTOAN_NOP);
        ck_assert_uint_eq(type, WIRE_CLTOMA_FUSE_AMTIME_INODES);
        ck_assert_uint_eq(len, 12);
        ck_assert_mem_eq(p, expect, 12);
        end();
}
END_TEST

static struct {
        uint32_t inode, index, version;
        uint64_t chunk, length;
        unsigned chunks, lengths;
} noted;

static void chunk_changed(struct mfs_watch *w, uint32_t inode, uint32_t index, uint64_t chunk,
                          uint32_t version, uint64_t length, bool truncated)
{
        (void)w;
        (void)truncated;
        noted.inode = inode;
        noted.index = index;
        noted.chunk = chunk;
        noted.version = version;
        noted.length = length;
        noted.chunks++;
}

static void length_changed(struct mfs_watch *w, uint32_t inode, uint64_t length)
{
        (void)w;
        noted.inode = inode;
        noted.length = length;
        noted.lengths++;
}

START_TEST(notifications_reach_the_watchers)
{
        struct mfs_watch w = { .chunk_changed = chunk_changed,
                               .length_changed = length_changed,
                               .all_changed = all_changed };
        struct double_conn *c = ready(V4);
        uint8_t p[41] = { 0 };

        memset(&noted, 0, sizeof(noted));
        all_changes = 0;
        mfs_session_watch(session, &w);
        wire_put32(p + 4, 5);
        wire_put32(p + 8, 2);
        wire_put64(p + 12, 0xABCD);
        wire_put32(p + 20, 3);
        wire_put64(p + 24, 1000);
        double_give_packet(c, WIRE_MATOCL_FUSE_CHUNK_HAS_CHANGED, p, 33);
        double_give_packet(c, WIRE_MATOCL_FUSE_CHUNK_HAS_CHANGED, p, 41);
        double_turns(loop, 3);
        ck_assert_uint_eq(noted.chunks, 2);
        ck_assert_uint_eq(noted.inode, 5);
        ck_assert_uint_eq(noted.index, 2);
        ck_assert_uint_eq(noted.chunk, 0xABCD);
        ck_assert_uint_eq(noted.version, 3);
        ck_assert_uint_eq(noted.length, 1000);
        memset(p, 0, sizeof(p));
        wire_put32(p + 4, 6);
        wire_put64(p + 8, 77);
        double_give_packet(c, WIRE_MATOCL_FUSE_FLENG_HAS_CHANGED, p, 16);
        double_give_packet(c, WIRE_MATOCL_FUSE_INVALIDATE_CHUNK_CACHE, p, 4);
        double_turns(loop, 3);
        ck_assert_uint_eq(noted.lengths, 1);
        ck_assert_uint_eq(noted.length, 77);
        ck_assert_uint_eq(all_changes, 1);
        double_give_packet(c, WIRE_MATOCL_FUSE_CHUNK_HAS_CHANGED, p, 34); /* of a form nobody knows */
        double_turns(loop, 3);
        ck_assert_uint_eq(all_changes, 2);
        mfs_session_unwatch(&w);
        end();
}
END_TEST

START_TEST(a_farewell_closes_files_and_session)
{
        struct double_conn *c = ready(V3);
        const uint8_t *p;
        uint32_t len;
        uint8_t status = 0;

        ck_assert_int_eq(mfs_session_inode_hold(session, 5), 0);
        mfs_session_touch(session, 5, 0, 99);
        is_closed = false;
        mfs_session_close(session, false, closed, NULL);
        ck_assert_uint_eq(next_request(c, &p, &len), WIRE_CLTOMA_FUSE_AMTIME_INODES);
        ck_assert_uint_eq(next_request(c, &p, &len), WIRE_CLTOMA_FUSE_SUSTAINED_INODES);
        ck_assert_uint_eq(len, 0);
        expect_register(1, WIRE_REGISTER_CLOSESESSION, &p, &len);
        ck_assert_uint_eq(len, 77);
        ck_assert(!is_closed);
        double_give_packet(c, WIRE_MATOCL_FUSE_REGISTER, &status, 1);
        for (int i = 0; i < 100 && !is_closed; i++)
                double_turns(loop, 1);
        ck_assert(is_closed);
        double_free(&net);
        roma_loop_free(loop);
}
END_TEST

/* ---- long answers ----------------------------------------------------------------------------------------- */

static struct {
        unsigned done;
        size_t bytes, total;
        int code;
        bool refuse;
} fed;

static bool feed(void *arg, const unsigned char *p, size_t n, size_t total)
{
        (void)arg;
        (void)p;
        fed.bytes += n;
        fed.total = total;
        return !fed.refuse;
}

static void bulk_done(void *arg, const struct mfs_reply *r)
{
        (void)arg;
        fed.done++;
        fed.code = r->error ? r->error->code : 0;
}

static struct mfs_bulk *ask_bulk(void)
{
        struct wire_msg m;
        struct ri_error e;
        struct mfs_bulk *b;

        wire_msg_init(&m, WIRE_CLTOMA_FUSE_READDIR, WIRE_TO_MASTER);
        wire_set_u(&m, WF_INODE, 1);
        mfs_session_set_ug(session, &m);
        wire_set_u(&m, WF_FLAGS, 1);
        wire_set_u(&m, WF_MAXENTRIES, UINT32_MAX);
        wire_set_u(&m, WF_NEDGEID, 0);
        b = mfs_bulk_start(session, &m, NULL, feed, bulk_done, NULL, &e);
        ck_assert_ptr_nonnull(b);
        return b;
}

static void wait_bulk(void)
{
        for (int i = 0; i < 4000 && !fed.done; i++)
                double_turns(loop, 1);
        ck_assert_uint_eq(fed.done, 1);
}

START_TEST(long_answers_have_a_connection)
{
        static uint8_t answer[200000];
        const uint8_t *p;
        uint32_t len;
        uint8_t status = 0;
        struct double_conn *c;

        ready(V3);
        memset(&fed, 0, sizeof(fed));
        ask_bulk();
        c = expect_register(2, WIRE_REGISTER_RECONNECT, &p, &len);
        double_give_packet(c, WIRE_MATOCL_FUSE_REGISTER, &status, 1);
        ck_assert_uint_eq(next_request(c, &p, &len), WIRE_CLTOMA_FUSE_READDIR);
        wire_put32(answer, wire_be32(p));
        double_give_packet(c, WIRE_MATOCL_FUSE_READDIR, answer, sizeof(answer));
        wait_bulk();
        ck_assert_int_eq(fed.code, 0);
        ck_assert_uint_eq(fed.bytes, sizeof(answer));
        ck_assert_uint_eq(fed.total, sizeof(answer));
        /* the next one takes the same connection */
        memset(&fed, 0, sizeof(fed));
        ask_bulk();
        ck_assert_uint_eq(next_request(c, &p, &len), WIRE_CLTOMA_FUSE_READDIR);
        /* it dies before the answer: asked again on another */
        double_end(c);
        c = expect_register(3, WIRE_REGISTER_RECONNECT, &p, &len);
        double_give_packet(c, WIRE_MATOCL_FUSE_REGISTER, &status, 1);
        next_request(c, &p, &len);
        fed.refuse = true;
        double_give_packet(c, WIRE_MATOCL_FUSE_READDIR, answer, 100);
        wait_bulk();
        ck_assert_int_eq(fed.code, ROMA_EPROTOCOL);
        end();
}
END_TEST

START_TEST(a_cut_answer_is_a_failure)
{
        uint8_t head[8 + 100] = { 0 };
        const uint8_t *p;
        uint32_t len;
        uint8_t status = 0;
        struct double_conn *c;

        ready(V3);
        memset(&fed, 0, sizeof(fed));
        ask_bulk();
        c = expect_register(2, WIRE_REGISTER_RECONNECT, &p, &len);
        double_give_packet(c, WIRE_MATOCL_FUSE_REGISTER, &status, 1);
        next_request(c, &p, &len);
        wire_put32(head, WIRE_MATOCL_FUSE_READDIR);
        wire_put32(head + 4, 5000);
        double_give(c, head, sizeof(head));
        double_turns(loop, 3);
        ck_assert_uint_eq(fed.bytes, 100);
        double_end(c);
        wait_bulk();
        ck_assert_int_eq(fed.code, ROMA_ECLOSED);
        mfs_bulk_cancel(ask_bulk());
        end();
}
END_TEST

/* More long answers than there may be connections: what has to wait gets the first one that is free. */
START_TEST(long_answers_wait_for_a_connection)
{
        enum { AT_ONCE = 8 };
        struct double_conn *c[AT_ONCE];
        uint8_t answer[100] = { 0 };
        const uint8_t *p;
        uint32_t len;
        uint8_t status = 0;

        ready(V3);
        memset(&fed, 0, sizeof(fed));
        for (unsigned i = 0; i < AT_ONCE + 2; i++)
                ask_bulk();
        for (unsigned i = 0; i < AT_ONCE; i++) {
                c[i] = expect_register(2 + i, WIRE_REGISTER_RECONNECT, &p, &len);
                double_give_packet(c[i], WIRE_MATOCL_FUSE_REGISTER, &status, 1);
                ck_assert_uint_eq(next_request(c[i], &p, &len), WIRE_CLTOMA_FUSE_READDIR);
        }
        ck_assert_uint_eq(net.dials, 1 + AT_ONCE);
        wire_put32(answer, wire_be32(p));
        for (unsigned i = 0; i < 3; i++) {
                double_give_packet(c[0], WIRE_MATOCL_FUSE_READDIR, answer, sizeof(answer));
                for (int k = 0; k < 4000 && fed.done == i; k++)
                        double_turns(loop, 1);
                ck_assert_uint_eq(fed.done, i + 1);
                if (i < 2)
                        ck_assert_uint_eq(next_request(c[0], &p, &len), WIRE_CLTOMA_FUSE_READDIR);
        }
        ck_assert_uint_eq(net.dials, 1 + AT_ONCE);
        end();
}
END_TEST

START_TEST(closing_in_the_middle_leaves_nothing)
{
        struct double_conn *c = ready(V3);
        struct asked a[2];
        const uint8_t *p;
        uint32_t len;

        memset(&fed, 0, sizeof(fed));
        ask(&a[0], "x", 0);
        ask_bulk();
        next_request(c, &p, &len);
        double_wait_dial(&net, loop, 2);
        ask(&a[1], "y", MFS_REPLAY);
        end();
        ck_assert_uint_eq(a[0].done + a[1].done + fed.done, 0);
}
END_TEST

int main(void)
{
        Suite *s = suite_create("session");
        TCase *tc = tcase_create("session");
        SRunner *sr;
        int failed;

        tcase_set_timeout(tc, 60);
        tcase_add_loop_test(tc, register_says_who_we_are, 0, 5);
        tcase_add_test(tc, password_is_mixed_with_the_challenge);
        tcase_add_loop_test(tc, refusals_say_what_to_do, 0, 6);
        tcase_add_test(tc, a_follower_names_the_leader);
        tcase_add_test(tc, other_hosts_are_tried);
        tcase_add_test(tc, nobody_there_fails_at_once);
        tcase_add_test(tc, text_is_no_master);
        tcase_add_test(tc, a_chunkserver_is_recognised);
        tcase_add_loop_test(tc, answers_of_odd_lengths_are_refused, 0, 11);
        tcase_add_test(tc, answers_come_in_any_order);
        tcase_add_test(tc, statuses_and_unknown_commands);
        tcase_add_test(tc, cancelled_calls_are_silent);
        tcase_add_loop_test(tc, a_lost_connection_is_taken_up, 0, 3);
        tcase_add_test(tc, a_changed_export_keeps_the_session);
        tcase_add_test(tc, a_forgotten_session_is_made_anew);
        tcase_add_test(tc, another_file_system_is_not_ours);
        tcase_add_loop_test(tc, a_call_that_fails_may_close_the_session, 0, 4);
        tcase_add_test(tc, an_undriven_connection_is_replaced_silently);
        tcase_add_test(tc, answers_from_before_the_pause_count);
        tcase_add_test(tc, times_go_before_what_waited);
        tcase_add_test(tc, a_silent_master_is_given_up);
        tcase_add_test(tc, nops_keep_it_alive);
        tcase_add_test(tc, a_longer_timeout_is_believed);
        tcase_add_loop_test(tc, duties_depend_on_the_master, 0, 4);
        tcase_add_test(tc, times_follow_the_masters_clock);
        tcase_add_test(tc, notifications_reach_the_watchers);
        tcase_add_test(tc, a_farewell_closes_files_and_session);
        tcase_add_test(tc, long_answers_have_a_connection);
        tcase_add_test(tc, a_cut_answer_is_a_failure);
        tcase_add_test(tc, long_answers_wait_for_a_connection);
        tcase_add_test(tc, closing_in_the_middle_leaves_nothing);
        suite_add_tcase(s, tc);
        sr = srunner_create(s);
        srunner_run_all(sr, CK_ENV);
        failed = srunner_ntests_failed(sr);
        srunner_free(sr);
        return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
