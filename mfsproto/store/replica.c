/* SPDX-License-Identifier: MIT */
/* roma/mfs.h: one copy of a chunk, asked of its chunkserver alone. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <roma/mfs.h>

#include "core/crc.h"
#include "mfsproto/store/query.h"
#include "mfsproto/store/store.h"

struct replica {
        struct mfs_req *req;
        struct mfs_query *query; /* NULL: none */
        char server[24];
        uint32_t ip;
        uint16_t port;
        uint64_t chunk;
        uint32_t version;
        void (*ask)(struct replica *p, struct mfs_link *l);
        void (*packet)(struct replica *p, uint32_t type, const uint8_t *payload, uint32_t len);

        roma_mfs_crcs *crcs;
        unsigned asked; /* questions answered */

        unsigned char *buf; /* the caller's */
        uint64_t offset;
        size_t len, got;
        uint32_t crc;
};

static void replica_release(struct mfs_req *r)
{
        struct replica *p = r->more;

        if (p->query)
                mfs_query_drop(p->query);
        free(p->crcs);
        free(p);
}

static void replica_error(struct replica *p, int code, const char *text)
{
        struct ri_error *e = &p->req->error;

        ri_error_set(e, code, p->server, "chunk %016" PRIX64 " version %u: %s", p->chunk, p->version, text);
}

static void fail_code(struct replica *p, int code, const char *text)
{
        replica_error(p, code, text);
        p->req->op->res.bytes = p->got;
        mfs_req_fail(p->req);
}

static void set_chunk_status(struct replica *p, uint8_t status)
{
        struct ri_error *e = &p->req->error;

        switch (status) {
        case WIRE_STATUS_NOCHUNK:
                replica_error(p, ROMA_ENOENT, "this server does not have it (NOCHUNK, status 13)");
                break;
        case WIRE_STATUS_WRONGVERSION:
                replica_error(p, ROMA_ENOENT,
                              "this server has it in another version (WRONGVERSION, status 19)");
                break;
        case WIRE_STATUS_CRC:
                replica_error(
                        p, ROMA_ECORRUPT,
                        "the stored bytes do not match their checksum (CRC, status 29); the server tells the "
                        "master, which makes a new copy when there is another good one");
                break;
        case WIRE_STATUS_NOTDONE:
                replica_error(p, ROMA_ELOCKED, "it is busy there (NOTDONE, status 16); try again");
                e->flags = ROMA_RETRIABLE;
                break;
        default: mfs_status_error(e, status, p->server, NULL); break;
        }
        e->status_kind = ROMA_STATUS_MFS;
        e->server_status = status;
        e->status_name = wire_status_name(status);
}

static void fail_protocol(struct replica *p, uint32_t type, uint32_t len)
{
        char text[160];

        snprintf(text, sizeof(text), "expected another answer, got packet %s (%u) of %u bytes",
                 wire_packet_name(type), type, len);
        fail_code(p, ROMA_EPROTOCOL, text);
}

static void on_packet(struct mfs_query *q, uint32_t type, const uint8_t *payload, uint32_t len)
{
        struct replica *p = q->arg;

        ri_op_progress(p->req->op);
        p->packet(p, type, payload, len);
}

static void connect(struct replica *p);

static void on_failed(struct mfs_query *q, const struct ri_error *e, bool retry)
{
        struct replica *p = q->arg;

        p->query = NULL;
        if (retry) {
                connect(p);
                return;
        }
        p->req->error = *e;
        snprintf(p->req->error.server, sizeof(p->req->error.server), "%s", p->server);
        p->req->op->res.bytes = p->got;
        mfs_req_fail(p->req);
}

static const struct mfs_query_events events = { on_packet, on_failed };

static void connect(struct replica *p)
{
        struct mfs_store *st = p->req->st;

        ri_op_waits(p->req->op, "the chunkserver's answer", p->server);
        p->query = mfs_query_get(&st->queries, p->req->op->loop, mfs_session_dialer(st->session), p->ip,
                                 p->port, &events, p, &p->req->error);
        if (p->query)
                p->ask(p, &p->query->link);
        else
                mfs_req_fail(p->req);
}

/* The connection is between two questions again. */
static void give_back(struct replica *p)
{
        mfs_query_put(p->query);
        p->query = NULL;
}

static void refused(struct replica *p, uint8_t status)
{
        give_back(p); /* it waits for the next question, also after a refusal */
        set_chunk_status(p, status);
        p->req->op->res.bytes = p->got;
        mfs_req_fail(p->req);
}

static void put(struct replica *p, struct mfs_link *l, struct wire_msg *m)
{
        struct wire_ctx ctx = { .server = mfs_session_version(p->req->st->session) };
        struct ri_error e;

        /* Without memory nothing leaves, and the silence of the server ends the question. */
        mfs_link_send(l, m, &ctx, &e);
}

/* The start that both questions share. *id is set when the operation has begun; NULL: it has ended, or never began. */
static struct replica *replica_new(roma_store *store, const char *name, const roma_mfs_copy *copy,
                                   uint64_t chunk, uint32_t version, const roma_opts *opts, roma_done *done,
                                   void *arg, roma_op *id)
{
        struct replica *p;
        struct mfs_req *r;
        struct ri_op *op;

        *id = 0;
        if (ri_loop_enter(store->loop) < 0)
                return NULL;
        op = ri_op_new(store->loop, store, RI_SINGLE, name, NULL, opts, done, arg);
        if (!op)
                return NULL;
        *id = op->id;
        if (store->be != &mfs_backend) {
                ri_op_fail(op, ROMA_ENOTSUP, "only a MooseFS has copies of chunks");
                return NULL;
        }
        r = mfs_req_new(op);
        if (!r)
                return NULL;
        p = calloc(1, sizeof(*p));
        if (!p) {
                mfs_req_fail_with(r, ROMA_ENOMEM, "out of memory");
                return NULL;
        }
        r->more = p;
        r->release = replica_release;
        p->req = r;
        p->ip = copy->ip;
        p->port = copy->port;
        p->chunk = chunk | (uint64_t)copy->part << 56;
        p->version = version;
        snprintf(p->server, sizeof(p->server), "%u.%u.%u.%u:%u", p->ip >> 24, (p->ip >> 16) & 255,
                 (p->ip >> 8) & 255, p->ip & 255, p->port);
        return p;
}

/* ---- the table of checksums ------------------------------------------------------------------------------- */

/* One question at a time. Chunkservers up to 4.59.2 keep those of a connection in a list whose back links are wrong as
 * soon as there are two (csserv.c, idlejobs), and fall over a freed entry when the connection is closed later. */
static const uint32_t crcs_questions[] = { WIRE_ANTOCS_GET_CHUNK_BLOCKS, WIRE_ANTOCS_GET_CHUNK_CHECKSUM,
                                           WIRE_ANTOCS_GET_CHUNK_CHECKSUM_TAB };
enum { CRCS_QUESTIONS = sizeof(crcs_questions) / sizeof(crcs_questions[0]) };

static void crcs_ask(struct replica *p, struct mfs_link *l)
{
        struct wire_msg m;

        wire_msg_init(&m, crcs_questions[p->asked], WIRE_TO_CS);
        wire_set_u(&m, WF_CHUNKID, p->chunk);
        wire_set_u(&m, WF_CHUNKVER, p->version);
        put(p, l, &m);
}

static bool crcs_take(struct replica *p, struct wire_msg *m, uint32_t type)
{
        const uint8_t *table;
        size_t n;

        if (type == WIRE_CSTOAN_CHUNK_BLOCKS) {
                p->crcs->blocks = wire_get_u16(m, WF_BLOCKS);
                p->crcs->version = wire_get_u32(m, WF_CHUNKVER);
                return wire_msg_ok(m) && p->crcs->blocks <= ROMA_MFS_BLOCKS;
        }
        if (type == WIRE_CSTOAN_CHUNK_CHECKSUM) {
                p->crcs->checksum = wire_get_u32(m, WF_CHECKSUM);
                return wire_msg_ok(m);
        }
        table = wire_get_bytes(m, WF_TABLE, &n);
        if (!wire_msg_ok(m) || n != sizeof(p->crcs->crc))
                return false;
        for (unsigned i = 0; i < ROMA_MFS_BLOCKS; i++)
                p->crcs->crc[i] = wire_be32(table + 4 * i);
        return true;
}

static void crcs_finish(struct replica *p)
{
        roma_mfs_crcs *c = p->crcs;
        struct ri_op *op;

        /* Files of the older header hold 0 for blocks that were never there. */
        for (unsigned i = c->blocks; i < ROMA_MFS_BLOCKS; i++)
                c->crc[i] = ROMA_MFS_EMPTY_CRC;
        give_back(p);
        p->crcs = NULL;
        op = mfs_req_end(p->req);
        op->payload = c;
        op->payload_free = free;
        op->res.extra = c;
        ri_op_finish(op);
}

static void crcs_packet(struct replica *p, uint32_t type, const uint8_t *payload, uint32_t len)
{
        struct wire_ctx ctx = { 0 };
        struct wire_msg m;
        uint8_t status;

        if (type != crcs_questions[p->asked] + 1 ||
            wire_decode(&m, type, WIRE_FROM_CS, payload, len, &ctx) != WIRE_OK) {
                fail_protocol(p, type, len);
                return;
        }
        status = (uint8_t)wire_get_u_or(&m, WF_STATUS, WIRE_STATUS_OK);
        if (status)
                refused(p, status);
        else if (!crcs_take(p, &m, type))
                fail_protocol(p, type, len);
        else if (++p->asked == CRCS_QUESTIONS)
                crcs_finish(p);
        else
                crcs_ask(p, &p->query->link);
}

roma_op roma_aio_mfs_replica_crcs(roma_store *store, const roma_mfs_copy *copy, uint64_t chunk,
                                  uint32_t version, const roma_opts *opts, roma_done *done, void *arg)
{
        roma_op id;
        struct replica *p = replica_new(store, "replica crcs", copy, chunk, version, opts, done, arg, &id);

        if (!p)
                return id;
        p->crcs = calloc(1, sizeof(*p->crcs));
        if (!p->crcs) {
                fail_code(p, ROMA_ENOMEM, "out of memory");
                return id;
        }
        p->crcs->chunk = p->chunk;
        p->ask = crcs_ask;
        p->packet = crcs_packet;
        connect(p);
        return id;
}

int roma_mfs_replica_crcs(roma_store *store, const roma_mfs_copy *copy, uint64_t chunk, uint32_t version,
                          const roma_opts *opts, roma_mfs_crcs *out)
{
        struct ri_wait w;

        if (ri_wait_begin(&w, store->loop) < 0 ||
            ri_wait(&w, roma_aio_mfs_replica_crcs(store, copy, chunk, version, opts, ri_wait_done, &w)) < 0)
                return -1;
        *out = *(const roma_mfs_crcs *)store->loop->last->res.extra;
        return 0;
}

/* ---- bytes ------------------------------------------------------------------------------------------------ */

static void read_ask(struct replica *p, struct mfs_link *l)
{
        struct wire_msg m;

        wire_msg_init(&m, WIRE_CLTOCS_READ, WIRE_TO_CS);
        wire_set_u(&m, WF_PROTO, 1);
        wire_set_u(&m, WF_CHUNKID, p->chunk);
        wire_set_u(&m, WF_CHUNKVER, p->version);
        wire_set_u(&m, WF_OFFSET, p->offset);
        wire_set_u(&m, WF_SIZE, p->len);
        put(p, l, &m);
}

static void read_finish(struct replica *p)
{
        struct ri_op *op = p->req->op;

        give_back(p);
        op->res.bytes = p->got;
        op->res.crc32 = p->crc;
        op->res.has_crc32 = 1;
        mfs_req_finish(p->req);
}

static void read_data(struct replica *p, const uint8_t *payload, uint32_t len)
{
        struct wire_data d;
        const uint8_t *bytes = payload + WIRE_READ_DATA_HEADER;

        if (len < WIRE_READ_DATA_HEADER || !wire_read_data_parse(&d, payload, len) || d.chunkid != p->chunk ||
            (uint64_t)d.block * WIRE_BLOCK_SIZE + d.offset != p->offset + p->got ||
            d.size > p->len - p->got) {
                fail_protocol(p, WIRE_CSTOCL_READ_DATA, len);
                return;
        }
        if (ri_crc32(0, bytes, d.size) != d.crc) {
                p->req->op->loop->stats.crc_errors_total++;
                fail_code(p, ROMA_ECORRUPT,
                          "the bytes were changed on their way from the server: CRC mismatch");
                return;
        }
        memcpy(p->buf + p->got, bytes, d.size);
        p->crc = ri_crc32_combine(p->crc, d.crc, d.size);
        p->got += d.size;
}

static void read_packet(struct replica *p, uint32_t type, const uint8_t *payload, uint32_t len)
{
        if (type == WIRE_CSTOCL_READ_DATA)
                read_data(p, payload, len);
        else if (type != WIRE_CSTOCL_READ_STATUS || len != 9 || wire_be64(payload) != p->chunk)
                fail_protocol(p, type, len);
        else if (payload[8] != WIRE_STATUS_OK)
                refused(p, payload[8]);
        else if (p->got != p->len)
                fail_code(p, ROMA_EPROTOCOL, "the server says that it has sent all, and has not");
        else
                read_finish(p);
}

roma_op roma_aio_mfs_replica_read(roma_store *store, const roma_mfs_copy *copy, uint64_t chunk,
                                  uint32_t version, void *buf, size_t len, uint64_t offset,
                                  const roma_opts *opts, roma_done *done, void *arg)
{
        roma_op id;
        struct replica *p = replica_new(store, "replica read", copy, chunk, version, opts, done, arg, &id);

        if (!p)
                return id;
        if (offset > WIRE_CHUNK_SIZE || len > WIRE_CHUNK_SIZE - offset) {
                fail_code(p, ROMA_EINVAL, "a chunk has 64 MiB");
                return id;
        }
        p->buf = buf;
        p->offset = offset;
        p->len = len;
        p->ask = read_ask;
        p->packet = read_packet;
        connect(p);
        return id;
}

int64_t roma_mfs_replica_read(roma_store *store, const roma_mfs_copy *copy, uint64_t chunk, uint32_t version,
                              void *buf, size_t len, uint64_t offset, const roma_opts *opts)
{
        struct ri_wait w;
        roma_op id;

        if (ri_wait_begin(&w, store->loop) < 0)
                return -1;
        id = roma_aio_mfs_replica_read(store, copy, chunk, version, buf, len, offset, opts, ri_wait_done, &w);
        if (ri_wait(&w, id) < 0 && (!w.ended || !store->loop->last || !store->loop->last->res.bytes))
                return -1;
        return (int64_t)store->loop->last->res.bytes;
}

/* ---- the disks -------------------------------------------------------------------------------------------- */

struct disks {
        roma_mfs_disk_list pub;
        roma_mfs_disk *disk;
};

static void disks_free(void *payload)
{
        struct disks *d = payload;

        for (size_t i = 0; i < d->pub.count; i++)
                free((void *)(uintptr_t)d->disk[i].path);
        free(d->disk);
        free(d);
}

static void disks_ask(struct replica *p, struct mfs_link *l)
{
        struct wire_msg m;

        wire_msg_init(&m, WIRE_CLTOCS_HDD_LIST, WIRE_TO_CS);
        put(p, l, &m);
}

/* False: memory is missing. */
static bool disk_take(struct disks *d, struct wire_msg *item)
{
        roma_mfs_disk *k = &d->disk[d->pub.count];
        size_t n;
        const uint8_t *path = wire_get_bytes(item, WF_PATH, &n);
        char *copy = path ? strndup((const char *)path, n) : strdup("");

        if (!copy)
                return false;
        k->path = copy;
        k->flags = wire_get_u8(item, WF_DISKFLAGS);
        k->error_chunk = wire_get_u(item, WF_ERRCHUNKID);
        k->error_time = wire_get_u32(item, WF_ERRTIME);
        k->used = wire_get_u(item, WF_USED);
        k->total = wire_get_u(item, WF_TOTAL);
        k->chunks = wire_get_u32(item, WF_CHUNKS);
        d->pub.count++;
        return true;
}

static struct disks *disks_take(struct wire_msg *m)
{
        size_t room = wire_group_count(m, WF_DISKS);
        struct disks *d = calloc(1, sizeof(*d));
        struct wire_iter it;
        struct wire_msg item;

        if (!d)
                return NULL;
        d->disk = calloc(room ? room : 1, sizeof(*d->disk));
        d->pub.disk = d->disk;
        if (d->disk) {
                wire_group_begin(m, WF_DISKS, &it);
                while (d->pub.count < room && wire_group_next(&it, &item))
                        if (!disk_take(d, &item))
                                break;
        }
        if (d->disk && d->pub.count == room)
                return d;
        disks_free(d);
        return NULL;
}

static void disks_packet(struct replica *p, uint32_t type, const uint8_t *payload, uint32_t len)
{
        struct wire_ctx ctx = { 0 };
        struct wire_msg m;
        struct disks *d;
        struct ri_op *op;

        if (type != WIRE_CSTOCL_HDD_LIST ||
            wire_decode(&m, type, WIRE_FROM_CS, payload, len, &ctx) != WIRE_OK) {
                fail_protocol(p, type, len);
                return;
        }
        d = disks_take(&m);
        if (!d) {
                fail_code(p, ROMA_ENOMEM, "out of memory for the list of disks");
                return;
        }
        give_back(p);
        op = mfs_req_end(p->req);
        op->payload = d;
        op->payload_free = disks_free;
        op->res.extra = &d->pub;
        ri_op_finish(op);
}

roma_op roma_aio_mfs_disks(roma_store *store, const roma_mfs_copy *copy, const roma_opts *opts,
                           roma_done *done, void *arg)
{
        roma_op id;
        struct replica *p = replica_new(store, "disks", copy, 0, 0, opts, done, arg, &id);

        if (!p)
                return id;
        p->ask = disks_ask;
        p->packet = disks_packet;
        connect(p);
        return id;
}

int roma_mfs_disks(roma_store *store, const roma_mfs_copy *copy, const roma_opts *opts)
{
        struct ri_wait w;

        if (ri_wait_begin(&w, store->loop) < 0 ||
            ri_wait(&w, roma_aio_mfs_disks(store, copy, opts, ri_wait_done, &w)) < 0)
                return -1;
        return 0;
}
