/* SPDX-License-Identifier: MIT */
/* Questions about the whole: room, and whether everybody is there. */
#include <stdlib.h>
#include <string.h>

#include "core/str.h"
#include "mfsproto/store/query.h"
#include "mfsproto/store/store.h"

static void ask_space(struct mfs_req *r, void (*next)(struct mfs_req *r, const struct mfs_reply *rep))
{
        struct wire_msg m;

        wire_msg_init(&m, WIRE_CLTOMA_FUSE_STATFS, WIRE_TO_MASTER);
        mfs_req_ask(r, &m, "statfs", next);
}

/* False: r has failed. */
static bool read_space(struct mfs_req *r, const struct mfs_reply *rep, roma_space *space)
{
        struct wire_msg m;

        if (mfs_req_refused(r, rep))
                return false;
        m = *rep->msg;
        space->total = wire_get_u(&m, WF_TOTALSPACE);
        space->available = wire_get_u(&m, WF_AVAILSPACE);
        space->objects = wire_get_u(&m, WF_INODES);
        if (wire_msg_ok(&m))
                return true;
        mfs_req_fail_with(r, ROMA_EPROTOCOL, "the sizes in the answer cannot be read");
        return false;
}

static void statfs_said(struct mfs_req *r, const struct mfs_reply *rep)
{
        roma_space space;
        struct ri_op *op;

        if (!read_space(r, rep, &space))
                return;
        op = mfs_req_end(r);
        if (ri_op_set_space(op, &space) == 0)
                ri_op_finish(op);
}

void mfs_be_statfs(struct ri_op *op)
{
        struct mfs_req *r = mfs_req_new(op);

        if (r)
                ask_space(r, statfs_said);
}

/* ---- ping ------------------------------------------------------------------------------------------------- */

struct ping {
        roma_space space;
        struct mfs_query *query;
};

static void ping_release(struct mfs_req *r)
{
        struct ping *p = r->more;

        if (p->query)
                mfs_query_drop(p->query);
        free(p);
}

static void put_size(struct ri_str *s, uint64_t bytes)
{
        static const char *const units[] = { "B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB" };
        double v = (double)bytes;
        unsigned u = 0;

        while (v >= 1024 && u < 6) {
                v /= 1024;
                u++;
        }
        ri_str_printf(s, u ? "%.1f %s" : "%.0f %s", v, units[u]);
}

/* there: chunkservers connected, of known ones; -1: the master did not say. */
static void ping_finish(struct mfs_req *r, int there, int known)
{
        const struct mfs_session_info *info = mfs_session_info(r->st->session);
        struct ping *p = r->more;
        struct ri_str s = RI_STR_INIT(1024);
        struct ri_op *op;
        char v[24];

        ri_str_printf(&s, "MooseFS master %s, version %s, ", mfs_session_server(r->st->session),
                      wire_ver_print(info->master_version, v, sizeof(v)));
        if (there >= 0)
                ri_str_printf(&s, "%d of %d chunkservers connected, ", there, known);
        put_size(&s, p->space.available);
        ri_str_puts(&s, " of ");
        put_size(&s, p->space.total);
        ri_str_printf(&s, " available, session %u%s", info->session_id,
                      info->flags & WIRE_SESFLAG_READONLY ? " (read-only)" : "");
        op = mfs_req_end(r);
        if (ri_op_set_text(op, ri_str_cstr(&s), s.len) == 0)
                ri_op_finish(op);
        ri_str_free(&s);
}

static void servers_said(struct mfs_query *q, uint32_t type, const uint8_t *payload, uint32_t len)
{
        struct mfs_req *r = q->arg;
        struct wire_ctx ctx = { .server = mfs_session_version(r->st->session) };
        struct ping *p = r->more;
        struct wire_msg m, item;
        struct wire_iter it;
        int there = 0, known = 0;

        if (type != WIRE_MATOCL_CSERV_LIST)
                return;
        mfs_query_put(q);
        p->query = NULL;
        if (wire_decode(&m, type, WIRE_FROM_MASTER, payload, len, &ctx) != WIRE_OK) {
                ping_finish(r, -1, 0);
                return;
        }
        wire_group_begin(&m, WF_SERVERS, &it);
        while (wire_group_next(&it, &item)) {
                known++;
                there += (wire_get_u8(&item, WF_CSFLAGS) & 1) == 0;
        }
        ping_finish(r, there, known);
}

static void servers_failed(struct mfs_query *q, const struct ri_error *e, bool retry)
{
        struct mfs_req *r = q->arg;

        (void)e;
        (void)retry;
        ((struct ping *)r->more)->query = NULL;
        ping_finish(r, -1, 0);
}

static const struct mfs_query_events servers_events = { servers_said, servers_failed };

/* The list of chunkservers is an information command: it has no number, so it travels on a connection of its own. */
static void ping_space(struct mfs_req *r, const struct mfs_reply *rep)
{
        const struct mfs_session_info *info = mfs_session_info(r->st->session);
        unsigned char ask[WIRE_HEADER_SIZE];
        struct ping *p = r->more;
        struct ri_error e;

        if (!read_space(r, rep, &p->space))
                return;
        p->query = mfs_query_get(&r->st->queries, r->op->loop, mfs_session_dialer(r->st->session),
                                 info->master_ip, info->master_port, &servers_events, r, &e);
        wire_put32(ask, WIRE_CLTOMA_CSERV_LIST);
        wire_put32(ask + 4, 0);
        if (!p->query || mfs_link_put(&p->query->link, ask, sizeof(ask)) < 0)
                ping_finish(r, -1, 0);
}

void mfs_be_ping(struct ri_op *op)
{
        struct mfs_req *r = mfs_req_new(op);

        if (!r)
                return;
        r->more = calloc(1, sizeof(struct ping));
        if (!r->more) {
                mfs_req_fail_with(r, ROMA_ENOMEM, "out of memory");
                return;
        }
        r->release = ping_release;
        ask_space(r, ping_space);
}
