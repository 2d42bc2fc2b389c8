/* SPDX-License-Identifier: MIT */
/* A write session on one chain of chunkservers: connect to the head, CLTOCS_WRITE naming the others, wait until the
 * chain is up, then data packets with at most MFS_WINDOW of them unacknowledged.
 *
 * Whatever goes wrong (a status, a close, silence) has one consequence: the connection is closed and the writer is
 * told. FINISH is sent only when nothing is unacknowledged: servers throw away what they have queued when it comes.
 * Packets are sent from the caller's memory. */
#include "mfsproto/chunk/inner.h"

#include <errno.h>
#include <string.h>

enum {
        PKT_HDR = WIRE_HEADER_SIZE + WIRE_WRITE_DATA_HEADER,
        WS_VECS = 16,
        STATUS_LEN = WIRE_HEADER_SIZE + 13
};

static roma_loop *loop_of(const struct mfs_writer *w)
{
        return w->ino->data->loop;
}

void mfs_ws_drop(struct mfs_writer *w)
{
        struct mfs_wsession *s = &w->ws;

        if (s->state == WS_NONE)
                return;
        ri_timer_stop(&s->tick);
        mfs_cs_want_cancel(&s->want);
        if (s->conn)
                mfs_cs_conn_release(s->conn, false);
        s->conn = NULL;
        s->count = 0;
        s->sending = false;
        s->state = WS_NONE;
}

static void ws_fail(struct mfs_writer *w, const struct ri_error *e)
{
        struct ri_error copy = *e;

        copy.flags |= ROMA_RETRIABLE;
        if (w->ws.was_up)
                ri_trace(loop_of(w), NULL, "write_session", w->ws.head->name, w->ws.start_ns, w->ws.bytes,
                         e->code);
        mfs_ws_drop(w);
        mfs_writer_down(w, &copy);
}

static void ws_fail_text(struct mfs_writer *w, int code, const char *what)
{
        struct mfs_wsession *s = &w->ws;
        struct ri_error e = { 0 };

        ri_error_set(&e, code, s->head->name,
                     "%s, the head of the chain for chunk %u (%016llX): %s, %u packets were not "
                     "acknowledged",
                     s->head->name, w->chunk->index, (unsigned long long)w->place->chunkid, what, s->count);
        ws_fail(w, &e);
}

/* Sending */

static uint32_t crc_of(const struct mfs_wpart *p, uint32_t from, uint32_t size)
{
        uint32_t crc = 0;

        if (!p->copy && p->wop->buf && ri_buf_sum_of(p->wop->buf, p->base + (from - p->from), size, &crc))
                return crc;
        while (size > 0) {
                struct iovec v[64];
                size_t got;
                int k = mfs_part_iov(p, from, size, v, 64, &got);

                for (int i = 0; i < k; i++)
                        crc = ri_crc32(crc, v[i].iov_base, v[i].iov_len);
                from += (uint32_t)got;
                size -= (uint32_t)got;
        }
        return crc;
}

static void begin_packet(struct mfs_writer *w, struct mfs_wpart *p)
{
        struct mfs_wsession *s = &w->ws;
        struct mfs_packet *k = &s->ring[(s->first + s->count) % MFS_WINDOW];
        uint32_t end = (p->sent / WIRE_BLOCK_SIZE + 1) * WIRE_BLOCK_SIZE;
        struct wire_data d;

        k->part = p;
        k->from = p->sent;
        k->size = (end < p->to ? end : p->to) - p->sent;
        k->id = s->next_id++;
        k->crc = crc_of(p, k->from, k->size);
        k->acked = false;
        d.chunkid = w->place->chunkid;
        d.writeid = k->id;
        d.block = (uint16_t)(k->from / WIRE_BLOCK_SIZE);
        d.offset = (uint16_t)(k->from % WIRE_BLOCK_SIZE);
        d.size = k->size;
        d.crc = k->crc;
        wire_write_data_build(s->hdr, &d);
        if (p->high == p->from)
                p->start_ns = ri_trace_start(loop_of(w), p->wop ? p->wop->op : NULL, "chunk_write");
        p->sent += k->size;
        if (p->sent > p->high)
                p->high = p->sent;
        if (p->wop)
                p->wop->op->outcome = ROMA_UNKNOWN;
        if (s->count++ == 0)
                s->acked_at = ri_now();
        s->sending = true;
        s->send_pos = 0;
}

/* True: all of v[0..n) was taken. */
static bool put(struct mfs_writer *w, const struct iovec *v, int n, size_t len, size_t *taken)
{
        struct mfs_wsession *s = &w->ws;
        ssize_t k = s->conn->t->ops->send(s->conn->t, v, n);

        *taken = k > 0 ? (size_t)k : 0;
        if (*taken)
                s->sent_at = ri_now();
        return *taken == len;
}

static bool send_control(struct mfs_writer *w)
{
        struct mfs_wsession *s = &w->ws;
        struct iovec v = { s->ctl + s->ctl_pos, s->ctl_len - s->ctl_pos };
        size_t taken;
        bool all = put(w, &v, 1, v.iov_len, &taken);

        s->ctl_pos += (unsigned)taken;
        if (all)
                s->ctl_len = s->ctl_pos = 0;
        return all;
}

static bool send_packet(struct mfs_writer *w)
{
        struct mfs_wsession *s = &w->ws;
        struct mfs_packet *k = &s->ring[(s->first + s->count - 1) % MFS_WINDOW];
        uint32_t total = PKT_HDR + k->size;

        while (s->send_pos < total) {
                struct iovec v[WS_VECS];
                size_t got = 0, len = 0, taken;
                uint32_t off = 0;
                int n = 0;

                if (s->send_pos < PKT_HDR) {
                        v[n].iov_base = s->hdr + s->send_pos;
                        v[n].iov_len = len = PKT_HDR - s->send_pos;
                        n++;
                } else {
                        off = s->send_pos - PKT_HDR;
                }
                n += mfs_part_iov(k->part, k->from + off, k->size - off, v + n, WS_VECS - n, &got);
                len += got;
                if (!put(w, v, n, len, &taken)) {
                        s->send_pos += (uint32_t)taken;
                        return false;
                }
                s->send_pos += (uint32_t)taken;
        }
        s->sending = false;
        s->bytes += k->size;
        return true;
}

/* Sends what there is and the window allows. A broken connection is told by its own event, behind what the server
 * still had to say. */
void mfs_ws_pump(struct mfs_writer *w)
{
        struct mfs_wsession *s = &w->ws;

        /* the loop may have been away so long that the lock is somebody else's: tick() ends such a session */
        if (!s->conn || ri_now() - w->locked_at > MFS_LOCK_SURE_MS * MFS_NS_PER_MS)
                return;
        for (;;) {
                struct mfs_wpart *p;

                if (s->sending) {
                        if (!send_packet(w))
                                return;
                } else if (s->ctl_len) {
                        if (!send_control(w))
                                return;
                } else if (s->state == WS_DATA && s->count < MFS_WINDOW && (p = mfs_writer_next(w)) != NULL) {
                        begin_packet(w, p);
                } else {
                        return;
                }
        }
}

/* Receiving */

static void chain_up(struct mfs_writer *w)
{
        struct mfs_wsession *s = &w->ws;

        s->state = WS_DATA;
        s->was_up = true;
        s->acked_at = ri_now();
        mfs_writer_says(w, "acknowledgements of written data", s->head->name);
}

/* False: the session has failed. */
static bool on_status(struct mfs_writer *w, uint64_t chunkid, uint32_t id, uint8_t status)
{
        struct mfs_wsession *s = &w->ws;
        unsigned i;

        if (status != WIRE_STATUS_OK) {
                struct ri_error e = { 0 };

                mfs_status_error(&e, status, s->head->name, "writing a chunk");
                ws_fail(w, &e);
                return false;
        }
        if (chunkid != w->place->chunkid) {
                ws_fail_text(w, ROMA_EPROTOCOL, "an acknowledgement names another chunk");
                return false;
        }
        if (s->state == WS_OPEN && id == 0) {
                chain_up(w);
                return true;
        }
        for (i = 0; i < s->count; i++) {
                struct mfs_packet *k = &s->ring[(s->first + i) % MFS_WINDOW];

                if (k->id == id && !k->acked && !(s->sending && i == s->count - 1)) {
                        k->acked = true;
                        break;
                }
        }
        if (id == 0 || i == s->count) {
                ws_fail_text(w, ROMA_EPROTOCOL, "an acknowledgement answers no packet");
                return false;
        }
        s->acked_at = ri_now();
        while (s->count && s->ring[s->first].acked) {
                struct mfs_packet k = s->ring[s->first];

                s->first = (s->first + 1) % MFS_WINDOW;
                s->count--;
                mfs_writer_acked(w, k.part, k.size, k.crc);
        }
        return true;
}

/* Takes one packet from the input. 1: taken, 0: more bytes are needed, -1: the session has failed. */
static int take_packet(struct mfs_writer *w)
{
        struct mfs_wsession *s = &w->ws;
        uint32_t type, len, total;

        if (s->in_len < WIRE_HEADER_SIZE)
                return 0;
        type = wire_be32(s->in);
        len = wire_be32(s->in + 4);
        if (!(type == WIRE_ANTOAN_NOP && len <= 4) && !(type == WIRE_CSTOCL_WRITE_STATUS && len == 13)) {
                ws_fail_text(w, ROMA_EPROTOCOL, "the answer is neither a status nor a keep-alive");
                return -1;
        }
        total = WIRE_HEADER_SIZE + len;
        if (s->in_len < total)
                return 0;
        if (type == WIRE_CSTOCL_WRITE_STATUS &&
            !on_status(w, wire_be64(s->in + 8), wire_be32(s->in + 16), s->in[20]))
                return -1;
        s->in_len -= total;
        memmove(s->in, s->in + total, s->in_len);
        return 1;
}

static bool retry_idle(struct mfs_writer *w);

static void conn_failed(struct mfs_writer *w, const struct ri_error *e)
{
        if (!retry_idle(w))
                ws_fail(w, e);
}

/* Reads until there is nothing. False: the session is over. */
static bool receive(struct mfs_writer *w)
{
        struct mfs_wsession *s = &w->ws;

        for (;;) {
                struct iovec v = { s->in + s->in_len, sizeof s->in - s->in_len };
                ssize_t n = s->conn->t->ops->recv(s->conn->t, &v, 1);
                int r;

                if (n == -EAGAIN)
                        return true;
                if (n <= 0) {
                        struct ri_error e = { 0 };

                        ri_error_set(
                                &e, ROMA_ECLOSED, s->head->name,
                                "%s ended the connection while chunk %u was written, %u packets were not "
                                "acknowledged%s%s",
                                s->head->name, w->chunk->index, s->count, n < 0 ? ": " : "",
                                n < 0 ? strerror((int)-n) : "");
                        conn_failed(w, &e);
                        return false;
                }
                s->heard = true;
                s->in_len += (unsigned)n;
                while ((r = take_packet(w)) > 0)
                        ;
                if (r < 0)
                        return false;
        }
}

static void on_readable(void *arg)
{
        struct mfs_writer *w = arg;

        if (receive(w))
                mfs_writer_step(w);
}

static void on_writable(void *arg)
{
        mfs_writer_step(arg);
}

static void on_failed(void *arg, const struct ri_error *e)
{
        struct ri_error copy = *e;

        conn_failed(arg, &copy);
}

static const struct mfs_cs_user user = { on_readable, on_writable, on_failed };

/* Time */

static void tick(struct ri_timer *t)
{
        struct mfs_wsession *s = ri_container_of(t, struct mfs_wsession, tick);
        struct mfs_writer *w = ri_container_of(s, struct mfs_writer, ws);
        uint64_t now = ri_now(), limit = MFS_WRITE_ACK_MS * MFS_NS_PER_MS;

        ri_timer_start(loop_of(w), t, 1000);
        /* the loop may have been away while answers waited in the socket */
        if (!s->conn || !receive(w))
                return;
        if ((s->count || s->state == WS_OPEN) && now > s->acked_at && now - s->acked_at > limit) {
                mfs_cs_mark_bad(s->head);
                ws_fail_text(w, ROMA_ETIMEDOUT, "no acknowledgement for 15 s");
                return;
        }
        if (now - w->locked_at > MFS_LOCK_SURE_MS * MFS_NS_PER_MS) {
                ws_fail_text(w, ROMA_ETIMEDOUT, "the lock may have ended");
                return;
        }
        if (!s->sending && !s->ctl_len && s->state == WS_DATA && now - s->sent_at >= 1000 * MFS_NS_PER_MS) {
                wire_put32(s->ctl, WIRE_ANTOAN_NOP);
                wire_put32(s->ctl + 4, 0);
                s->ctl_len = WIRE_HEADER_SIZE;
        }
        mfs_writer_step(w);
}

/* Opening */

static bool loc_is(const struct mfs_loc *l, const struct mfs_cs *cs)
{
        return l->ip == cs->ip && l->port == cs->port;
}

/* CLTOCS_WRITE: the chain is every server of the grant but the head, each once. */
static bool build(struct mfs_writer *w)
{
        const struct mfs_place *p = w->place;
        struct mfs_wsession *s = &w->ws;
        struct wire_ctx ctx = { .server = UINT32_MAX };
        uint8_t hops[6 * MFS_MAX_LOCS];
        struct wire_group g;
        struct wire_msg m;
        ssize_t n;

        wire_group_init(&g, WFORM_HOP, hops, sizeof hops);
        for (unsigned i = 0; i < p->n; i++) {
                struct wire_msg item;
                bool twice = loc_is(&p->loc[i], s->head);

                if (p->loc[i].csver < ctx.server)
                        ctx.server = p->loc[i].csver;
                for (unsigned k = 0; k < i && !twice; k++)
                        twice = p->loc[k].ip == p->loc[i].ip && p->loc[k].port == p->loc[i].port;
                if (twice)
                        continue;
                wire_item_init(&item);
                wire_set_u(&item, WF_IP, p->loc[i].ip);
                wire_set_u(&item, WF_PORT, p->loc[i].port);
                wire_group_add(&g, &item);
        }
        wire_msg_init(&m, WIRE_CLTOCS_WRITE, WIRE_TO_CS);
        if (wire_ver_at_least(ctx.server, WIRE_VER(1, 7, 32)))
                wire_set_u(&m, WF_PROTO, 1);
        wire_set_u(&m, WF_CHUNKID, p->chunkid);
        wire_set_u(&m, WF_CHUNKVER, p->version);
        wire_set_group(&m, WF_CHAIN, &g);
        n = wire_encode(&m, &ctx, s->ctl, sizeof s->ctl);
        s->ctl_len = n > 0 ? (unsigned)n : 0;
        s->ctl_pos = 0;
        return n > 0;
}

static void ws_ready(struct mfs_cs_want *want, struct mfs_cs_conn *c)
{
        struct mfs_wsession *s = ri_container_of(want, struct mfs_wsession, want);
        struct mfs_writer *w = ri_container_of(s, struct mfs_writer, ws);

        s->conn = c;
        mfs_cs_conn_use(c, &user, w);
        if (!build(w)) {
                ws_fail_text(w, ROMA_EPROTOCOL, "the chain cannot be encoded");
                return;
        }
        s->state = WS_OPEN;
        s->acked_at = s->sent_at = ri_now();
        s->start_ns = ri_trace_start(loop_of(w), NULL, "write_session");
        mfs_writer_says(w, "the chain of chunkservers", s->head->name);
        if (ri_timer_start(loop_of(w), &s->tick, 1000) < 0) {
                ws_fail_text(w, ROMA_ENOMEM, "out of memory");
                return;
        }
        mfs_writer_step(w);
}

static void ws_no_conn(struct mfs_cs_want *want, const struct ri_error *e)
{
        struct mfs_wsession *s = ri_container_of(want, struct mfs_wsession, want);

        ws_fail(ri_container_of(s, struct mfs_writer, ws), e);
}

static void connect_head(struct mfs_writer *w, bool fresh)
{
        struct mfs_wsession *s = &w->ws;
        struct ri_op *op = w->call.op;

        s->state = WS_CONNECT;
        s->conn = NULL;
        s->first = s->count = 0;
        s->next_id = 1;
        s->sending = s->heard = s->was_up = false;
        s->ctl_len = s->in_len = 0;
        s->bytes = 0;
        s->tick.fire = tick;
        s->want.ready = ws_ready;
        s->want.failed = ws_no_conn;
        mfs_writer_says(w, "a connection", s->head->name);
        mfs_cs_want_start(&s->want, s->head, fresh, op);
}

/* A connection that had died idle, seen before anything was heard on it: opened anew, without counting a try. No
 * data can have been sent. */
static bool retry_idle(struct mfs_writer *w)
{
        struct mfs_wsession *s = &w->ws;

        if (s->state != WS_OPEN || !s->conn || !s->conn->reused || s->heard)
                return false;
        ri_timer_stop(&s->tick);
        mfs_cs_conn_release(s->conn, false);
        connect_head(w, true);
        return true;
}

void mfs_ws_start(struct mfs_writer *w)
{
        const struct mfs_place *p = w->place;
        const struct mfs_loc *l = &p->loc[w->tries % p->n];

        w->ws.head = mfs_pool_server(&w->ino->data->pool, l->ip, l->port);
        if (!w->ws.head) {
                struct ri_error e = { 0 };

                ri_error_set(&e, ROMA_ENOMEM, "", "no memory for a connection");
                w->ws.was_up = false;
                mfs_writer_down(w, &e);
                return;
        }
        connect_head(w, false);
}

void mfs_ws_finish(struct mfs_writer *w)
{
        struct mfs_wsession *s = &w->ws;
        uint8_t out[WIRE_HEADER_SIZE + 12];
        struct iovec v = { out, sizeof out };
        size_t taken = 0;
        bool clean = s->state == WS_DATA && s->count == 0 && !s->sending && !s->ctl_len && s->in_len == 0;

        if (clean) {
                wire_put32(out, WIRE_CLTOCS_WRITE_FINISH);
                wire_put32(out + 4, 12);
                wire_put64(out + 8, w->place->chunkid);
                wire_put32(out + 16, w->place->version);
                clean = put(w, &v, 1, sizeof out, &taken);
        }
        /* closing without FINISH loses nothing when all is acknowledged */
        ri_timer_stop(&s->tick);
        mfs_cs_conn_release(s->conn, clean);
        ri_trace(loop_of(w), NULL, "write_session", s->head->name, s->start_ns, s->bytes, ROMA_OK);
        s->conn = NULL;
        s->state = WS_NONE;
}
