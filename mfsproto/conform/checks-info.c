/* SPDX-License-Identifier: MIT */
/* What a master tells without a session. Nothing here changes anything. */
#include "mfsproto/conform/checks.h"

static size_t ask(struct cf *c, uint32_t type, const void *payload, size_t n)
{
        struct cf_link *l = cf_master(c);

        cf_packet(c, l, type, payload, n);
        if (cf_next(c, l, CF_WAIT_MS) <= 0)
                cf_fail(c, "%s without a session is not answered", wire_packet_name(type));
        if (!c->failed && l->type != type + 1)
                cf_fail(c, "%s is answered with %s", wire_packet_name(type), wire_packet_name(l->type));
        return c->failed ? 0 : l->len;
}

static void server_list(struct cf *c)
{
        size_t n = ask(c, WIRE_CLTOMA_CSERV_LIST, NULL, 0), record = cf_v4(c) ? 73 : 69;

        if (c->failed)
                return;
        cf_eq(c, "rest of the list, cut in records", n % record, 0);
        cf_true(c, n != 0, "the master lists no chunkserver");
}

static void state(struct cf *c)
{
        size_t n = ask(c, WIRE_CLTOMA_INFO, NULL, 0);

        if (!c->failed)
                cf_eq(c, "length of INFO", n, cf_v4(c) ? 205 : 149);
}

static void state_version(struct cf *c)
{
        size_t n = ask(c, WIRE_CLTOMA_INFO, NULL, 0);

        if (!c->failed)
                cf_true(c, n >= 4, "INFO is shorter than a version");
        if (!c->failed)
                cf_eq(c, "version in INFO", wire_be32(c->links->buf), c->server);
}

static void matrix(struct cf *c)
{
        static const uint8_t one[] = { 0 };
        size_t n = ask(c, WIRE_CLTOMA_CHUNKS_MATRIX, NULL, 0);

        if (!c->failed)
                cf_eq(c, "length of both matrices", n, cf_v4(c) ? 3873 : 969);
        n = ask(c, WIRE_CLTOMA_CHUNKS_MATRIX, one, 1);
        if (!c->failed)
                cf_eq(c, "length of one matrix", n, 484);
}

static void missing(struct cf *c)
{
        static const uint8_t typed[] = { 1 };
        size_t n = ask(c, WIRE_CLTOMA_MISSING_CHUNKS, NULL, 0);

        if (!c->failed)
                cf_eq(c, "rest of the list, cut in records of 16", n % 16, 0);
        n = ask(c, WIRE_CLTOMA_MISSING_CHUNKS, typed, 1);
        if (!c->failed)
                cf_eq(c, "rest of the list with types, cut in records of 17", n % 17, 0);
}

static void sessions(struct cf *c)
{
        static const uint8_t mode[] = { 0 };
        size_t n = ask(c, WIRE_CLTOMA_SESSION_LIST, mode, 1);

        if (c->failed)
                return;
        cf_true(c, n > 2, "the list of sessions is empty, though there is one");
        if (!c->failed && !cf_v4(c))
                cf_eq(c, "counters of a session", wire_be16(c->links->buf), 16);
}

static void module(struct cf *c)
{
        size_t n = ask(c, WIRE_CLTOAN_MODULE_INFO, NULL, 0);

        if (c->failed)
                return;
        cf_eq(c, "length", n, 21);
        if (c->failed)
                return;
        cf_eq(c, "type of module", c->links->buf[0], 1);
        cf_eq(c, "version", wire_be32(c->links->buf + 1), c->server);
}

static void memory(struct cf *c)
{
        size_t n = ask(c, WIRE_CLTOMA_MEMORY_INFO, NULL, 0);

        if (!c->failed)
                cf_eq(c, "rest of the counters, cut in pairs of 16 bytes", n % 16, 0);
}

static void chunks_test(struct cf *c)
{
        size_t n = ask(c, WIRE_CLTOMA_CHUNKSTEST_INFO, NULL, 0);

        if (!c->failed)
                cf_eq(c, "length", n, cf_v4(c) ? 96 : 72);
}

static void open_files(struct cf *c)
{
        uint8_t all[4] = { 0 };
        size_t n;

        cf_new(c); /* CREATE also opens */
        n = ask(c, WIRE_CLTOMA_LIST_OPEN_FILES, all, sizeof(all));
        if (c->failed)
                return;
        cf_eq(c, "rest of the list, cut in pairs of 8 bytes", n % 8, 0);
        cf_true(c, n != 0, "a file that was created is not in the list of open files");
}

static void resolve(struct cf *c)
{
        uint8_t p[4];
        uint32_t inode = cf_new(c);

        wire_put32(p, inode);
        if (ask(c, WIRE_CLTOMA_MASS_RESOLVE_PATHS, p, sizeof(p)) >= 4 && !c->failed)
                cf_eq(c, "inode in the answer", wire_be32(c->links->buf), inode);
}

static void wrong_length(struct cf *c)
{
        struct cf_link *l = cf_master(c);

        cf_packet(c, l, WIRE_CLTOMA_INFO, "abc", 3);
        cf_want_closed(c, l, "INFO of 3 bytes");
}

static void node_info(struct cf *c)
{
        struct wire_msg m, r;

        cf_new(c);
        cf_msg(&m, WIRE_CLTOMA_NODE_INFO);
        wire_set_u(&m, WF_INODE, cf_dir(c));
        wire_set_u(&m, WF_MAXENTRIES, 100);
        wire_set_u(&m, WF_CONTINUEID, 0);
        cf_call(c, c->ma, &m, &r);
        cf_eq(c, "kind of answer for a folder", cf_u(c, &r, WF_ANSTYPE), 1);
}

const struct cf_check cf_checks_info[] = {
        CHECK("info/servers", ANY, server_list, "6.4", BOTH, "CSERV_LIST: records of 69 bytes, in 4.x 73"),
        CHECK("info/state", ANY, state, "6.4", BOTH, "INFO: 149 bytes, in 4.59 205"),
        CHECK("info/version", ANY, state_version, "6.4", BOTH, "INFO begins with the master's version"),
        CHECK("info/matrix", ANY, matrix, "6.4", BOTH,
              "CHUNKS_MATRIX: 969 bytes, in 4.59 3873; one alone 484"),
        CHECK("info/missing", ANY, missing, "6.4", BOTH,
              "MISSING_CHUNKS: records of 16 bytes, of 17 with types"),
        CHECK("info/sessions", ANY, sessions, "6.4", BOTH, "SESSION_LIST has this session"),
        CHECK("info/module", ANY, module, "6.1", BOTH, "MODULE_INFO: 21 bytes, type 1, the master's version"),
        CHECK("info/memory", ANY, memory, "6.4", BOTH, "MEMORY_INFO: pairs of numbers"),
        CHECK("info/chunks-test", ANY, chunks_test, "6.4", BOTH, "CHUNKSTEST_INFO: 72 bytes, in 4.x 96"),
        CHECK("info/open-files", ANY, open_files, "3.12", BOTH,
              "LIST_OPEN_FILES has what this session has open"),
        CHECK("info/paths", ANY, resolve, "3.12", BOTH, "MASS_RESOLVE_PATHS answers for the inode asked for"),
        CHECK("info/length", ANY, wrong_length, "6.4", BOTH, "INFO of another length ends the connection"),
        CHECK("info/node", ANY, node_info, "3.12", BOTH, "NODE_INFO in a session lists a folder"),
        CHECKS_END,
};
