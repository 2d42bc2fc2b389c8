/* SPDX-License-Identifier: MIT */
/* Registering, taking a session up again, ending it. */
#include <stdio.h>

#include "mfsproto/conform/checks.h"

static void new_session(struct cf *c)
{
        struct cf_link *l = cf_client(c);

        cf_true(c, c->failed || l->session != 0, "the session has no number");
        cf_true(c, c->failed || l->metaid != 0 || !wire_ver_at_least(c->declared, WIRE_VER(3, 0, 11)),
                "the reply has no metaid, though the client declares 3.0.11 or newer");
        cf_true(c, c->failed || l->session != c->ma->session, "two registers got the same session");
}

/* The layout of a reply follows the version that the client declares. */
static void length_of(struct cf *c, uint32_t declared, size_t want)
{
        struct cf_link *l = cf_master(c);
        char what[80], version[32];

        cf_register(c, l, declared);
        if (c->failed)
                return;
        snprintf(what, sizeof(what), "length of the reply to a client that declares %s",
                 wire_ver_print(declared, version, sizeof(version)));
        cf_eq(c, what, l->len, want);
}

static void lengths_v3(struct cf *c)
{
        length_of(c, WIRE_VER(1, 6, 27), 35);
        length_of(c, WIRE_VER(3, 0, 71), 43);
        length_of(c, WIRE_VER(3, 0, 111), 45);
        length_of(c, WIRE_VER(3, 0, 117), 49);
        length_of(c, WIRE_VER(4, 20, 0), 49);
        length_of(c, WIRE_VER(4, 59, 2), 49);
}

static void lengths_v4(struct cf *c)
{
        length_of(c, WIRE_VER(4, 39, 0), 49);
        length_of(c, WIRE_VER(4, 40, 0), 57);
        length_of(c, WIRE_VER(4, 59, 2), 57);
}

static uint8_t register_as(struct cf *c, uint32_t declared)
{
        struct cf_link *l = cf_master(c);
        struct wire_msg m, reply;
        uint8_t status = WIRE_STATUS_OK;

        if (!l)
                return status;
        l->declared = declared;
        cf_register_msg(c, &m, declared);
        cf_digest(c, l, &m, c->password_md5);
        cf_call(c, l, &m, &reply);
        if (!c->failed && !wire_is_status(&reply, &status))
                (void)cf_u(c, &reply, WF_SESSIONID);
        return status;
}

/* Who is too old for the erasure coding that the storage classes allow is refused, unless the master was told to let
 * such clients in. */
static void old_client_v4(struct cf *c)
{
        uint8_t old = register_as(c, WIRE_VER(4, 25, 9));

        if (old != WIRE_STATUS_OK)
                cf_status_is(c, "a client that declares 4.25.9", old, WIRE_STATUS_EPERM);
        cf_status_is(c, "a client that declares 4.26.0", register_as(c, WIRE_VER(4, 26, 0)), WIRE_STATUS_OK);
        cf_status_is(c, "a client that declares 5.0.0", register_as(c, WIRE_VER(5, 0, 0)), WIRE_STATUS_OK);
}

static void challenge(struct cf *c)
{
        uint8_t a[32], b[32];

        cf_challenge(c, cf_master(c), a);
        cf_challenge(c, cf_master(c), b);
        cf_true(c, c->failed || memcmp(a, b, 32) != 0, "two connections got the same 32 random bytes");
}

static void digest_not_needed(struct cf *c)
{
        static const uint8_t digest[16] = { 1, 2, 3 };
        struct cf_link *l = cf_master(c);
        struct wire_msg m, reply;
        uint8_t bytes[32];

        cf_challenge(c, l, bytes);
        cf_register_msg(c, &m, c->declared);
        wire_set_bytes(&m, WF_DIGEST, digest, sizeof(digest));
        cf_call(c, l, &m, &reply);
        if (c->has_password)
                cf_skip(c, "this export wants a password");
        l->session = (uint32_t)cf_u(c, &reply, WF_SESSIONID);
}

static void no_password(struct cf *c)
{
        struct cf_link *l = cf_master(c);
        struct wire_msg m;

        if (!c->has_password) {
                cf_skip(c, "no password was given");
                return;
        }
        cf_register_msg(c, &m, c->declared);
        cf_want(c, l, &m, WIRE_STATUS_NOPASSWORD);
}

static void wrong_password(struct cf *c)
{
        uint8_t other[16];
        struct cf_link *l = cf_master(c);
        struct wire_msg m;

        if (!c->has_password) {
                cf_skip(c, "no password was given");
                return;
        }
        memcpy(other, c->password_md5, sizeof(other));
        other[15] ^= 1;
        cf_register_msg(c, &m, c->declared);
        cf_digest(c, l, &m, other);
        cf_want(c, l, &m, WIRE_STATUS_BADPASSWORD);
}

/* What was right on one connection is worth nothing on another. */
static void digest_again(struct cf *c)
{
        struct cf_link *a = cf_master(c), *b = cf_master(c);
        struct wire_msg m, reply;
        uint8_t digest[16], bytes[32], status = WIRE_STATUS_OK;

        if (!c->has_password) {
                cf_skip(c, "no password was given");
                return;
        }
        cf_register_msg(c, &m, c->declared);
        cf_digest(c, a, &m, c->password_md5);
        if (c->failed)
                return;
        memcpy(digest, a->digest, sizeof(digest));
        cf_challenge(c, b, bytes);
        wire_set_bytes(&m, WF_DIGEST, digest, sizeof(digest));
        cf_call(c, b, &m, &reply);
        if (!c->failed && !wire_is_status(&reply, &status))
                b->session = (uint32_t)cf_u(c, &reply, WF_SESSIONID);
        cf_status_is(c, "a digest of another connection's random bytes", status, WIRE_STATUS_BADPASSWORD);
}

/* Blob, code 2, version, info, path; then `more` bytes. */
static void raw_register(struct cf *c, struct cf_link *l, const char *path, uint32_t pleng)
{
        uint8_t p[64 + 1 + 4 + 4 + 1 + 4 + 64] = { 0 };
        size_t n = 64;

        memcpy(p, WIRE_REGISTER_BLOB, 64);
        p[n++] = WIRE_REGISTER_NEWSESSION;
        wire_put32(p + n, c->declared);
        wire_put32(p + n + 4, 1);
        n += 9;
        wire_put32(p + n, pleng);
        memcpy(p + n + 4, path, pleng);
        cf_packet(c, l, WIRE_CLTOMA_FUSE_REGISTER, p, n + 4 + pleng);
}

static void path_without_nul(struct cf *c)
{
        struct cf_link *l = cf_master(c);

        raw_register(c, l, "/", 1);
        cf_want_closed(c, l, "a register whose path lacks its NUL");
}

static void empty_path(struct cf *c)
{
        struct cf_link *l = cf_master(c);
        struct wire_msg reply;

        if (strcmp(c->export, "/") != 0) {
                cf_skip(c, "the export is not /");
                return;
        }
        if (c->has_password) {
                cf_skip(c, "this export wants a password");
                return;
        }
        if (l) {
                l->declared = c->declared;
                l->hint = WIRE_REGISTER_NEWSESSION;
        }
        raw_register(c, l, "", 0);
        cf_take(c, l, WIRE_MATOCL_FUSE_REGISTER, &reply);
        if (l)
                l->session = (uint32_t)cf_u(c, &reply, WF_SESSIONID);
}

static void no_such_path(struct cf *c)
{
        static const char path[] = "/.roma-conform-there-is-no-such-folder";
        struct cf_link *l = cf_master(c);
        struct wire_msg m;
        uint8_t status;

        cf_register_msg(c, &m, c->declared);
        wire_set_bytes(&m, WF_PATH, path, sizeof(path));
        cf_digest(c, l, &m, c->password_md5);
        status = cf_ask(c, l, &m);
        if (status == WIRE_STATUS_EACCES)
                return; /* folders below this export are not exported */
        cf_status_is(c, "register of a path that is not there", status, WIRE_STATUS_ENOENT);
}

static void wrong_blob(struct cf *c)
{
        uint8_t p[65] = { 0 };
        struct cf_link *l = cf_master(c);

        memcpy(p, WIRE_REGISTER_BLOB, 64);
        p[10] ^= 1;
        p[64] = WIRE_REGISTER_GETRANDOM;
        cf_packet(c, l, WIRE_CLTOMA_FUSE_REGISTER, p, sizeof(p));
        cf_want_closed(c, l, "a register with a wrong blob");
}

static void unknown_code(struct cf *c)
{
        uint8_t p[65];
        struct cf_link *l = cf_master(c);

        memcpy(p, WIRE_REGISTER_BLOB, 64);
        p[64] = 99;
        cf_packet(c, l, WIRE_CLTOMA_FUSE_REGISTER, p, sizeof(p));
        cf_want_closed(c, l, "a register with the unknown code 99");
}

static void twice(struct cf *c)
{
        struct wire_msg m;

        cf_register_msg(c, &m, c->declared);
        cf_send(c, c->ma, &m);
        cf_want_closed(c, c->ma, "a second register on one connection");
}

static uint8_t reconnect(struct cf *c, struct cf_link *l, uint32_t session, uint64_t metaid)
{
        struct wire_msg m, reply;

        if (!l)
                return 0;
        l->declared = c->declared;
        cf_msg(&m, WIRE_CLTOMA_FUSE_REGISTER);
        wire_set_u(&m, WF_RCODE, WIRE_REGISTER_RECONNECT);
        wire_set_u(&m, WF_SESSIONID, session);
        wire_set_u(&m, WF_VERSION, c->declared);
        if (metaid)
                wire_set_u(&m, WF_METAID, metaid);
        cf_call(c, l, &m, &reply);
        return c->failed ? 0 : (uint8_t)cf_u(c, &reply, WF_STATUS);
}

static void take_up(struct cf *c)
{
        struct cf_link *l = cf_master(c);
        struct wire_msg m;

        cf_status_is(c, "reconnect to a session", reconnect(c, l, c->ma->session, c->ma->metaid),
                     WIRE_STATUS_OK);
        cf_entry(c, &m, WIRE_CLTOMA_FUSE_LOOKUP, c->base, c->scratch_name);
        cf_want(c, l, &m, WIRE_STATUS_OK);
}

static void take_up_plain(struct cf *c)
{
        cf_status_is(c, "reconnect without a metaid", reconnect(c, cf_master(c), c->ma->session, 0),
                     WIRE_STATUS_OK);
}

static void other_metaid(struct cf *c)
{
        cf_status_is(c, "reconnect with another metaid",
                     reconnect(c, cf_master(c), c->ma->session, c->ma->metaid ^ 0x100),
                     WIRE_STATUS_BADSESSIONID);
}

static void unknown_session(struct cf *c)
{
        cf_status_is(c, "reconnect to a session that never was",
                     reconnect(c, cf_master(c), 0x7FFFFFF0, c->ma->metaid), WIRE_STATUS_BADSESSIONID);
}

static void reply_length(struct cf *c)
{
        struct cf_link *l = cf_master(c);
        size_t want = cf_v4(c) && wire_ver_at_least(c->declared, WIRE_VER(4, 40, 0)) ? 13 : 5;

        if (!wire_ver_at_least(c->declared, WIRE_VER(3, 0, 95)))
                want = 1;
        (void)reconnect(c, l, c->ma->session, c->ma->metaid);
        if (!c->failed)
                cf_eq(c, "length of the reply to a reconnect", l->len, want);
}

/* After a refusal the connection is still good for a register. */
static void after_refusal(struct cf *c)
{
        struct cf_link *l = cf_master(c);

        (void)reconnect(c, l, 0x7FFFFFF0, c->ma->metaid);
        cf_register(c, l, c->declared);
}

static void close_msg(struct cf *c, struct wire_msg *m, const struct cf_link *l)
{
        (void)c;
        cf_msg(m, WIRE_CLTOMA_FUSE_REGISTER);
        wire_set_u(m, WF_RCODE, WIRE_REGISTER_CLOSESESSION);
        wire_set_u(m, WF_SESSIONID, l->session);
        if (l->metaid)
                wire_set_u(m, WF_METAID, l->metaid);
}

static void close_session(struct cf *c)
{
        struct cf_link *l = cf_client(c);
        struct wire_msg m;

        if (c->failed)
                return;
        if (!wire_ver_at_least(c->declared, WIRE_VER(3, 0, 0))) {
                cf_skip(c, "a client that declares 1.7.20 gets no answer");
                return;
        }
        close_msg(c, &m, l);
        cf_want(c, l, &m, WIRE_STATUS_OK);
        cf_want_closed(c, l, "after the session was closed");
}

static void close_unregistered(struct cf *c)
{
        struct cf_link *l = cf_master(c);
        struct wire_msg m;

        close_msg(c, &m, c->ma);
        cf_send(c, l, &m);
        cf_want_closed(c, l, "a close of a session on a connection that is not registered");
}

static void tools_register(struct cf *c, struct cf_link *l)
{
        uint8_t p[73];

        memcpy(p, WIRE_REGISTER_BLOB, 64);
        p[64] = WIRE_REGISTER_TOOLS;
        wire_put32(p + 65, c->ma ? c->ma->session : 0);
        wire_put32(p + 69, c->declared);
        cf_packet(c, l, WIRE_CLTOMA_FUSE_REGISTER, p, sizeof(p));
}

static void tools_v3(struct cf *c)
{
        struct cf_link *l = cf_master(c);

        tools_register(c, l);
        if (cf_next(c, l, CF_WAIT_MS) <= 0)
                cf_fail(c, "a register of code 4 (tools) is not answered");
        cf_eq(c, "length of the reply to a register of code 4", l ? l->len : 0, 1);
        if (!c->failed)
                cf_status_is(c, "register of code 4", l->buf[0], WIRE_STATUS_OK);
}

static void tools_v4(struct cf *c)
{
        struct cf_link *l = cf_master(c);

        tools_register(c, l);
        cf_want_closed(c, l, "a register of code 4 (tools)");
}

static void meta_session(struct cf *c)
{
        struct cf_link *l = cf_master(c);
        struct wire_msg m, reply;
        size_t want = 27;
        uint8_t status;

        if (!l)
                return;
        if (!wire_ver_at_least(c->declared, WIRE_VER(3, 0, 11)))
                want = 19;
        else if (cf_v4(c) && wire_ver_at_least(c->declared, WIRE_VER(4, 40, 0)))
                want = 35;
        l->declared = c->declared;
        cf_msg(&m, WIRE_CLTOMA_FUSE_REGISTER);
        wire_set_u(&m, WF_RCODE, WIRE_REGISTER_NEWMETASESSION);
        wire_set_u(&m, WF_VERSION, c->declared);
        wire_set_bytes(&m, WF_INFO, "conform", 8);
        cf_call(c, l, &m, &reply);
        if (!c->failed && wire_is_status(&reply, &status)) {
                if (status == WIRE_STATUS_EACCES)
                        cf_skip(c, "the trash is not exported to this client");
                cf_status_is(c, "register of a session for the trash", status, WIRE_STATUS_OK);
        }
        cf_eq(c, "length of the reply", l->len, want);
        l->session = (uint32_t)cf_u(c, &reply, WF_SESSIONID);
}

static void trash_refused(struct cf *c)
{
        struct wire_msg m;

        cf_msg(&m, WIRE_CLTOMA_FUSE_GETTRASH);
        cf_want(c, c->ma, &m, WIRE_STATUS_EPERM);
}

static void time_sync(struct cf *c)
{
        struct wire_msg m, reply;

        cf_msg(&m, WIRE_CLTOMA_FUSE_TIME_SYNC);
        cf_call(c, c->ma, &m, &reply);
        cf_true(c, c->failed || cf_u(c, &reply, WF_USEC) > UINT64_C(1000000000000000),
                "the master's time is before the year 2001");
}

const struct cf_check cf_checks_session[] = {
        CHECK("session/new", ANY, new_session, "2.1", BOTH,
              "each register makes a session with a number of its own"),
        CHECK("session/lengths-3", V3, lengths_v3, "2.2", "3.0.117",
              "the reply has 35, 43, 45 or 49 bytes, as the declared version asks"),
        CHECK("session/lengths-4", V4, lengths_v4, "2.2", "4.59.2",
              "the reply has 49 bytes, 57 from declared 4.40 on"),
        CHECK("session/old-client-4", V4, old_client_v4, "2.1", "4.59.2",
              "a client below 4.26 gets status 1, or by configuration a session; 4.26 and 5.0 get one"),
        CHECK("session/challenge", ANY, challenge, "2.1", BOTH, "code 1 gives 32 random bytes"),
        CHECK("session/digest", ANY, digest_not_needed, "2.1", BOTH,
              "a digest where no password is needed is taken"),
        CHECK("session/no-password", ANY, no_password, "2.1", "3.0.117",
              "an export with a password, no digest: status 36"),
        CHECK("session/wrong-password", ANY, wrong_password, "2.1", "3.0.117", "a wrong digest: status 37"),
        CHECK("session/digest-again", ANY, digest_again, "2.1", "3.0.117",
              "a digest of the random bytes of another connection: status 37"),
        CHECK("session/no-nul", ANY, path_without_nul, "2.1", BOTH,
              "a path without its NUL ends the connection"),
        CHECK("session/empty-path", ANY, empty_path, "2.1", BOTH, "a path of length 0 is the root"),
        CHECK("session/no-path", ANY, no_such_path, "2.1", BOTH, "a path that is not there: status 3"),
        CHECK("session/blob", ANY, wrong_blob, "2.1", BOTH, "a wrong blob ends the connection"),
        CHECK("session/code", ANY, unknown_code, "2.1", BOTH, "an unknown code ends the connection"),
        CHECK("session/twice", ANY, twice, "2.1", BOTH, "a second register ends the connection"),
        CHECK("session/reconnect", ANY, take_up, "2.5", BOTH, "a session is taken up on a new connection"),
        CHECK("session/reconnect-plain", ANY, take_up_plain, "2.1", BOTH, "also without its metaid"),
        CHECK("session/reconnect-length", ANY, reply_length, "2.5", BOTH,
              "the reply has 1, 5 or 13 bytes, as the declared version asks"),
        CHECK("session/metaid", ANY, other_metaid, "2.5", BOTH, "a session of another metaid: status 35"),
        CHECK("session/unknown", ANY, unknown_session, "2.5", BOTH, "a session that never was: status 35"),
        CHECK("session/after-refusal", ANY, after_refusal, "2.5", BOTH,
              "after a refused reconnect the connection takes a register"),
        CHECK("session/close", ANY, close_session, "2.1", BOTH,
              "code 6 is answered with status 0, then the master closes"),
        CHECK("session/close-unregistered", ANY, close_unregistered, "2.1", BOTH,
              "code 6 without a session ends the connection"),
        CHECK("session/tools-3", V3, tools_v3, "2.1", "3.0.117", "code 4 is answered with a status"),
        CHECK("session/tools-4", V4, tools_v4, "2.1", "4.59.2", "code 4 ends the connection"),
        CHECK("session/trash", ANY, meta_session, "2.3", BOTH,
              "a session for the trash: 27 bytes, with a client below 3.0.11 19, at a 4.x master with one "
              "from 4.40 on 35"),
        CHECK("session/trash-refused", ANY, trash_refused, "3.8", BOTH,
              "commands for the trash from an ordinary session: status 1"),
        CHECK("session/time", ANY, time_sync, "1.7", BOTH, "TIME_SYNC gives microseconds since 1970"),
        CHECKS_END,
};
