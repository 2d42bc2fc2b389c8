/* SPDX-License-Identifier: MIT */
/* Reads one range of one chunk from one chunkserver, straight into the caller's memory: CLTOCS_READ, data packets
 * that must cover the range in order and carry the right CRC, then a status. */
#include "mfsproto/chunk/inner.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum { RJ_VECS = 16, RJ_TURN = 1 << 20, RJ_STATUS_LEN = WIRE_HEADER_SIZE + 9 };

static void start_over(struct mfs_rjob *j, bool fresh);

static void leave(struct mfs_rjob *j, bool clean)
{
        ri_timer_stop(&j->silence);
        mfs_cs_want_cancel(&j->want);
        if (j->conn) {
                mfs_cs_conn_release(j->conn, clean);
                j->conn = NULL;
        }
        if (j->counted) {
                j->cs->busy--;
                j->counted = false;
        }
}

static void finish(struct mfs_rjob *j, enum mfs_rjob_end end, bool clean)
{
        int code = end == RJOB_OK ? ROMA_OK : j->error.code;

        leave(j, clean);
        j->end = end;
        ri_trace(j->loop, j->op, "chunk_read", j->cs->name, j->start_ns, j->done, code);
        j->ended(j);
}

static void fail_net(struct mfs_rjob *j, const struct ri_error *e)
{
        if (j->conn && j->conn->reused && !j->answered) {
                /* it had died idle: that says nothing about the server */
                leave(j, false);
                start_over(j, true);
                return;
        }
        j->error = *e;
        mfs_cs_mark_bad(j->cs);
        finish(j, RJOB_NET, false);
}

static void fail_closed(struct mfs_rjob *j, ssize_t n)
{
        struct ri_error e = { 0 };

        ri_error_set(&e, ROMA_ECLOSED, j->cs->name,
                     "%s ended the connection after %u of %u bytes of chunk %016llX%s%s", j->cs->name,
                     (unsigned)j->done, (unsigned)j->size, (unsigned long long)j->chunkid, n < 0 ? ": " : "",
                     n < 0 ? strerror((int)-n) : "");
        fail_net(j, &e);
}

static void fail_protocol(struct mfs_rjob *j, const char *what, unsigned long long expected,
                          unsigned long long got)
{
        ri_error_set(
                &j->error, ROMA_EPROTOCOL, j->cs->name,
                "%s sent an answer to a read of chunk %016llX that does not fit: %s, expected %llu, got %llu",
                j->cs->name, (unsigned long long)j->chunkid, what, expected, got);
        finish(j, RJOB_PROTOCOL, false);
}

/* The packet under way is complete: is it what its CRC says? False: the job has ended. */
static bool packet_done(struct mfs_rjob *j, uint32_t crc)
{
        struct mfs_seg *s = &j->seg[j->iseg];

        if (crc != j->crc) {
                uint32_t at = j->offset + j->done;

                j->loop->stats.crc_errors_total++;
                j->bad_block = at / WIRE_BLOCK_SIZE;
                ri_error_set(&j->error, ROMA_ECORRUPT, j->cs->name,
                             "bytes %u to %u (block %u) of chunk %016llX from %s have CRC %08X, the server "
                             "sent %08X",
                             at, at + j->need - 1, j->bad_block, (unsigned long long)j->chunkid, j->cs->name,
                             crc, j->crc);
                finish(j, RJOB_CRC, false);
                return false;
        }
        s->crc = ri_crc32_combine(s->crc, crc, j->need);
        j->seg_done += j->need;
        if (j->seg_done == s->len) {
                j->iseg++;
                j->seg_done = 0;
        }
        j->done += j->need;
        j->need = 0;
        j->got = 0;
        j->moved(j);
        return true;
}

static bool head_data(struct mfs_rjob *j, uint32_t len)
{
        struct wire_data d;

        if (!wire_read_data_parse(&d, j->head + WIRE_HEADER_SIZE, len) || d.size == 0) {
                fail_protocol(j, "payload of a data packet", WIRE_BLOCK_SIZE + WIRE_READ_DATA_HEADER, len);
                return false;
        }
        if (d.chunkid != j->chunkid) {
                fail_protocol(j, "chunk id", j->chunkid, d.chunkid);
                return false;
        }
        if ((uint32_t)d.block * WIRE_BLOCK_SIZE + d.offset != j->offset + j->done) {
                fail_protocol(j, "offset", j->offset + j->done,
                              (uint32_t)d.block * WIRE_BLOCK_SIZE + d.offset);
                return false;
        }
        if (d.size > j->size - j->done || d.size > j->seg[j->iseg].len - j->seg_done) {
                fail_protocol(j, "size at most", j->size - j->done, d.size);
                return false;
        }
        j->need = d.size;
        j->got = 0;
        j->crc = d.crc;
        j->head_len = 0;
        return true;
}

static void head_status(struct mfs_rjob *j)
{
        uint64_t id = wire_be64(j->head + WIRE_HEADER_SIZE);
        bool rest = j->head_len > RJ_STATUS_LEN;

        j->status = j->head[WIRE_HEADER_SIZE + 8];
        if (id != j->chunkid) {
                fail_protocol(j, "chunk id", j->chunkid, id);
        } else if (j->status != WIRE_STATUS_OK) {
                if (j->status == WIRE_STATUS_CRC)
                        j->loop->stats.crc_errors_total++;
                mfs_status_error(&j->error, j->status, j->cs->name, "reading a chunk");
                if (j->status == WIRE_STATUS_CRC)
                        ri_error_set(
                                &j->error, ROMA_ECORRUPT, j->cs->name,
                                "%s finds a wrong stored CRC in bytes %u to %u (block %u or later) of chunk "
                                "%016llX",
                                j->cs->name, j->offset + j->done, j->offset + j->size - 1,
                                (j->offset + j->done) / WIRE_BLOCK_SIZE, (unsigned long long)j->chunkid);
                finish(j, RJOB_STATUS, false);
        } else if (j->done != j->size) {
                fail_protocol(j, "bytes before the status", j->size, j->done);
        } else {
                /* what follows can only be the beginning of a NOP; not worth keeping the connection for */
                finish(j, RJOB_OK, !rest);
        }
}

/* Reads packet headers out of head. False: the job has ended. */
static bool take_heads(struct mfs_rjob *j)
{
        while (j->need == 0 && j->head_len >= WIRE_HEADER_SIZE) {
                uint32_t type = wire_be32(j->head), len = wire_be32(j->head + 4);

                if (type == WIRE_ANTOAN_NOP && len == 0) {
                        j->head_len -= WIRE_HEADER_SIZE;
                        memmove(j->head, j->head + WIRE_HEADER_SIZE, j->head_len);
                } else if (type == WIRE_CSTOCL_READ_STATUS && len == 9) {
                        if (j->head_len < RJ_STATUS_LEN)
                                return true;
                        head_status(j);
                        return false;
                } else if (type == WIRE_CSTOCL_READ_DATA && len > WIRE_READ_DATA_HEADER) {
                        if (j->head_len < sizeof j->head)
                                return true;
                        if (!head_data(j, len))
                                return false;
                } else {
                        fail_protocol(j, "packet type", WIRE_CSTOCL_READ_DATA, type);
                        return false;
                }
        }
        return true;
}

/* n bytes have been received into the caller's memory from ivec on. */
static uint32_t advance(struct mfs_rjob *j, size_t n, uint32_t crc)
{
        while (n > 0) {
                struct iovec *v = &j->iov[j->ivec];
                size_t take = v->iov_len - j->ivec_off;

                if (take > n)
                        take = n;
                crc = ri_crc32(crc, (char *)v->iov_base + j->ivec_off, take);
                j->ivec_off += take;
                if (j->ivec_off == v->iov_len) {
                        j->ivec++;
                        j->ivec_off = 0;
                }
                n -= take;
        }
        return crc;
}

/* Where the next bytes go: the rest of this packet's data, then the head of the next one. */
static int prepare(struct mfs_rjob *j, struct iovec *v)
{
        size_t left = j->need - j->got;
        size_t off = j->ivec_off;
        int n = 0;

        for (int i = j->ivec; left > 0 && n < RJ_VECS - 1; i++, off = 0) {
                size_t take = j->iov[i].iov_len - off;

                if (take > left)
                        take = left;
                v[n].iov_base = (char *)j->iov[i].iov_base + off;
                v[n].iov_len = take;
                n++;
                left -= take;
        }
        if (left == 0) {
                v[n].iov_base = j->head + j->head_len;
                v[n].iov_len = sizeof j->head - j->head_len;
                n++;
        }
        return n;
}

/* One recv. 1: bytes came, 0: none now, -1: the job has ended. */
static int receive(struct mfs_rjob *j, uint32_t *run)
{
        struct iovec v[RJ_VECS];
        int k = prepare(j, v);
        ssize_t n = j->conn->t->ops->recv(j->conn->t, v, k);
        size_t data;

        if (n == -EAGAIN)
                return 0;
        if (n <= 0) {
                fail_closed(j, n);
                return -1;
        }
        j->answered = true;
        data = j->need - j->got;
        if (data > (size_t)n)
                data = (size_t)n;
        if (data) {
                *run = advance(j, data, j->got ? *run : 0);
                j->got += (uint32_t)data;
                if (j->got == j->need && !packet_done(j, *run))
                        return -1;
        }
        j->head_len += (unsigned)((size_t)n - data);
        return take_heads(j) ? 1 : -1;
}

static void rj_readable(void *arg)
{
        struct mfs_rjob *j = arg;

        for (uint32_t from = j->done; j->done - from < RJ_TURN;) {
                int r = receive(j, &j->run);

                if (r < 0)
                        return;
                if (r == 0)
                        break;
                j->heard_at = ri_now();
        }
}

static void rj_send(struct mfs_rjob *j)
{
        while (j->req_sent < j->req_len) {
                struct iovec v = { j->req + j->req_sent, j->req_len - j->req_sent };
                ssize_t n = j->conn->t->ops->send(j->conn->t, &v, 1);

                if (n <= 0)
                        return; /* writable or failed follows, the latter behind what the server had to say */
                j->req_sent += (unsigned)n;
        }
}

static void rj_writable(void *arg)
{
        rj_send(arg);
}

static void rj_failed(void *arg, const struct ri_error *e)
{
        struct ri_error copy = *e;

        fail_net(arg, &copy);
}

static const struct mfs_cs_user user = { rj_readable, rj_writable, rj_failed };

static void rj_silent(struct ri_timer *t)
{
        struct mfs_rjob *j = ri_container_of(t, struct mfs_rjob, silence);
        uint64_t now = ri_now(), limit = MFS_CS_SILENCE_MS * MFS_NS_PER_MS;
        struct ri_error e = { 0 };
        int r;

        if (now - j->heard_at < limit) {
                ri_timer_start_at(j->loop, &j->silence, j->heard_at + limit);
                return;
        }
        /* the loop may have been away while the answer waited in the socket */
        r = receive(j, &j->run);
        if (r < 0)
                return;
        if (r > 0) {
                j->heard_at = now;
                ri_timer_start(j->loop, &j->silence, MFS_CS_SILENCE_MS);
                return;
        }
        ri_error_set(&e, ROMA_ETIMEDOUT, j->cs->name,
                     "%s is silent for %u s after %u of %u bytes of chunk %016llX", j->cs->name,
                     MFS_CS_SILENCE_MS / 1000, j->done, j->size, (unsigned long long)j->chunkid);
        j->answered = true;
        fail_net(j, &e);
}

static bool build(struct mfs_rjob *j)
{
        struct wire_ctx ctx = { .server = j->csver };
        struct wire_msg m;
        ssize_t n;

        wire_msg_init(&m, WIRE_CLTOCS_READ, WIRE_TO_CS);
        if (wire_ver_at_least(j->csver, WIRE_VER(1, 7, 32)))
                wire_set_u(&m, WF_PROTO, 1);
        wire_set_u(&m, WF_CHUNKID, j->chunkid);
        wire_set_u(&m, WF_CHUNKVER, j->version);
        wire_set_u(&m, WF_OFFSET, j->offset);
        wire_set_u(&m, WF_SIZE, j->size);
        n = wire_encode(&m, &ctx, j->req, sizeof j->req);
        if (n < 0) {
                char text[128];

                ri_error_set(&j->error, ROMA_EPROTOCOL, j->cs->name, "cannot ask for a range: %s",
                             wire_msg_error(&m, text, sizeof text));
                return false;
        }
        j->req_len = (unsigned)n;
        return true;
}

static void rj_ready(struct mfs_cs_want *w, struct mfs_cs_conn *c)
{
        struct mfs_rjob *j = ri_container_of(w, struct mfs_rjob, want);

        j->conn = c;
        mfs_cs_conn_use(c, &user, j);
        if (!build(j)) {
                finish(j, RJOB_PROTOCOL, true);
                return;
        }
        j->heard_at = ri_now();
        if (ri_timer_start(j->loop, &j->silence, MFS_CS_SILENCE_MS) < 0) {
                ri_error_set(&j->error, ROMA_ENOMEM, "", "out of memory");
                finish(j, RJOB_NET, true);
                return;
        }
        rj_send(j);
}

static void rj_no_conn(struct mfs_cs_want *w, const struct ri_error *e)
{
        struct mfs_rjob *j = ri_container_of(w, struct mfs_rjob, want);

        j->error = *e;
        finish(j, RJOB_NET, false);
}

static void start_over(struct mfs_rjob *j, bool fresh)
{
        j->done = j->need = j->got = j->seg_done = 0;
        j->iseg = 0;
        j->ivec = 0;
        j->ivec_off = 0;
        j->head_len = j->req_sent = 0;
        j->answered = false;
        for (unsigned i = 0; i < j->nseg; i++)
                j->seg[i].crc = 0;
        j->cs->busy++;
        j->counted = true;
        mfs_cs_want_start(&j->want, j->cs, fresh, j->op);
}

void mfs_rjob_start(struct mfs_rjob *j)
{
        j->want.ready = rj_ready;
        j->want.failed = rj_no_conn;
        ri_heap_node_init(&j->silence.node);
        j->silence.fire = rj_silent;
        j->silence.loop = NULL;
        j->start_ns = ri_trace_start(j->loop, j->op, "chunk_read");
        ri_op_waits(j->op, "data of a chunk", j->cs->name);
        start_over(j, false);
}

void mfs_rjob_stop(struct mfs_rjob *j)
{
        leave(j, false);
        free(j->iov);
        free(j->seg);
        j->iov = NULL;
        j->seg = NULL;
}
