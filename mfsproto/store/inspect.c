/* SPDX-License-Identifier: MIT */
/* roma/mfs.h: where the chunks of a file are, as the master sees it. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <roma/mfs.h>

#include "mfsproto/store/store.h"

enum {
        CHECKS = 32,         /* questions in flight */
        CHUNKS_MAX = 1 << 22 /* of one map: a file of 256 TiB */
};

struct map {
        roma_mfs_map pub;
        unsigned refs;
        size_t asked; /* entries of chunk: one more than the length says */
        roma_mfs_chunk *chunk;
};

static struct map *map_of(const roma_mfs_map *pub)
{
        return (struct map *)((char *)(uintptr_t)pub - offsetof(struct map, pub));
}

roma_mfs_map *roma_mfs_map_ref(const roma_mfs_map *pub)
{
        map_of(pub)->refs++;
        return &map_of(pub)->pub;
}

void roma_mfs_map_unref(roma_mfs_map *pub)
{
        struct map *m = pub ? map_of(pub) : NULL;

        if (!m || --m->refs)
                return;
        for (size_t i = 0; i < m->asked; i++)
                free((void *)(uintptr_t)m->chunk[i].copy);
        free(m->chunk);
        free(m);
}

static void payload_unref(void *payload)
{
        roma_mfs_map_unref(payload);
}

/* ---- asking ----------------------------------------------------------------------------------------------- */

struct checks;

struct check {
        struct mfs_call call;
        struct checks *all;
        uint32_t index;
};

struct checks {
        struct mfs_req *req;
        struct map *map;
        size_t next, done;
        struct check check[CHECKS];
};

static void checks_release(struct mfs_req *r)
{
        struct checks *c = r->more;

        for (size_t i = 0; i < CHECKS; i++)
                mfs_call_cancel(&c->check[i].call);
        if (c->map)
                roma_mfs_map_unref(&c->map->pub);
        free(c);
}

static void checks_finish(struct checks *c)
{
        struct mfs_req *r = c->req;
        struct map *m = c->map;
        struct ri_op *op;

        c->map = NULL;
        if (m->chunk[m->pub.chunks].id)
                m->pub.chunks++;
        op = mfs_req_end(r);
        op->payload = &m->pub;
        op->payload_free = payload_unref;
        op->res.extra = &m->pub;
        ri_op_finish(op);
}

/* A server that comes back may be listed twice for a moment. */
static bool is_listed(const roma_mfs_copy *copy, size_t n, const roma_mfs_copy *c)
{
        for (size_t i = 0; i < n; i++)
                if (copy[i].ip == c->ip && copy[i].port == c->port && copy[i].part == c->part &&
                    copy[i].state == c->state)
                        return true;
        return false;
}

/* False: the answer cannot be read, or memory is missing. */
static bool read_copies(struct wire_msg *m, roma_mfs_chunk *chunk)
{
        size_t room = wire_group_count(m, WF_COPIES);
        roma_mfs_copy *copy = calloc(room ? room : 1, sizeof(*copy));
        struct wire_iter it;
        struct wire_msg item;

        if (!copy)
                return false;
        chunk->copy = copy;
        wire_group_begin(m, WF_COPIES, &it);
        while (chunk->copies < room && wire_group_next(&it, &item)) {
                roma_mfs_copy *c = &copy[chunk->copies];

                c->ip = wire_get_u32(&item, WF_IP);
                c->port = wire_get_u16(&item, WF_PORT);
                c->state = wire_get_u8(&item, WF_COPYSTATE);
                c->part = (uint8_t)wire_get_u_or(&item, WF_ECID, 0);
                snprintf(c->server, sizeof(c->server), "%u.%u.%u.%u:%u", c->ip >> 24, (c->ip >> 16) & 255,
                         (c->ip >> 8) & 255, c->ip & 255, c->port);
                if (!is_listed(copy, chunk->copies, c))
                        chunk->copies++;
        }
        return wire_msg_ok(m);
}

static bool read_check(roma_mfs_chunk *chunk, const struct mfs_reply *rep)
{
        struct wire_msg m = *rep->msg;
        uint32_t version = wire_get_u32(&m, WF_CHUNKVER);

        chunk->id = wire_get_u(&m, WF_CHUNKID);
        chunk->version = version & 0x7FFFFFFF;
        chunk->zeros = version >> 31;
        return wire_msg_ok(&m) && read_copies(&m, chunk);
}

static void ask_next(struct check *k);

static void check_done(struct mfs_call *call, const struct mfs_reply *rep)
{
        struct check *k = ri_container_of(call, struct check, call);
        struct checks *c = k->all;
        struct mfs_req *r = c->req;
        char what[48];

        ri_op_progress(r->op);
        snprintf(what, sizeof(what), "chunk %u of the file", k->index);
        if (rep->error) {
                r->error = *rep->error;
                mfs_req_fail(r);
                return;
        }
        /* A master of version 4 says NOCHUNK behind the end, also where the file became shorter meanwhile: a hole, as
         * far as we asked. */
        if (rep->status != WIRE_STATUS_OK && rep->status != WIRE_STATUS_NOCHUNK &&
            k->index < c->map->pub.chunks) {
                mfs_req_fail_status(r, rep->status, what);
                return;
        }
        if (rep->status == WIRE_STATUS_OK && !read_check(&c->map->chunk[k->index], rep)) {
                mfs_req_fail_with(r, ROMA_EPROTOCOL, "%s: the list of its copies cannot be read", what);
                return;
        }
        if (++c->done == c->map->asked)
                checks_finish(c);
        else
                ask_next(k);
}

static void ask_next(struct check *k)
{
        struct checks *c = k->all;
        struct mfs_req *r = c->req;
        struct wire_msg m;

        if (c->next >= c->map->asked)
                return;
        k->index = (uint32_t)c->next++;
        wire_msg_init(&m, WIRE_CLTOMA_FUSE_CHECK, WIRE_TO_MASTER);
        if (mfs_session_at_least(r->st->session, WIRE_VER(4, 0, 0)))
                wire_set_u(&m, WF_LISTMODE, 1); /* with the parts of erasure coded chunks */
        wire_set_u(&m, WF_INODE, r->inode);
        wire_set_u(&m, WF_INDEX, k->index);
        k->call.done = check_done;
        if (mfs_call_start(r->st->session, &k->call, &m, MFS_REPLAY, "check", r->op, &r->error) < 0)
                mfs_req_fail(r);
}

static struct checks *checks_new(struct mfs_req *r, uint64_t length, size_t n)
{
        const struct mfs_session_info *info = mfs_session_info(r->st->session);
        struct checks *c = calloc(1, sizeof(*c));

        if (!c)
                return NULL;
        c->req = r;
        r->more = c;
        r->release = checks_release;
        c->map = calloc(1, sizeof(*c->map));
        if (!c->map)
                return NULL;
        c->map->refs = 1;
        c->map->chunk = calloc(n + 1, sizeof(*c->map->chunk));
        if (!c->map->chunk)
                return NULL;
        c->map->asked = n + 1;
        c->map->pub.inode = r->inode;
        c->map->pub.master_version = info->master_version;
        c->map->pub.length = length;
        c->map->pub.chunks = n;
        c->map->pub.chunk = c->map->chunk;
        snprintf(c->map->pub.master, sizeof(c->map->pub.master), "%s", mfs_session_server(r->st->session));
        for (size_t i = 0; i <= n; i++)
                c->map->chunk[i].index = (uint32_t)i;
        return c;
}

static void chunks_walked(struct mfs_req *r)
{
        const struct mfs_walk *w = &r->walk[0];
        uint64_t n = w->attr.length / WIRE_CHUNK_SIZE + (w->attr.length % WIRE_CHUNK_SIZE != 0);
        struct ri_op *op = r->op;
        struct checks *c;

        if (!w->has_attr || w->attr.type != WIRE_NODE_FILE) {
                mfs_req_fail_with(
                        r, w->has_attr && w->attr.type != WIRE_NODE_DIRECTORY ? ROMA_EINVAL : ROMA_EISDIR,
                        "it is not a file, so it has no chunks");
                return;
        }
        if (n > CHUNKS_MAX) {
                mfs_req_fail_with(r, ROMA_EFBIG, "a map has at most %d chunks, this file has %llu",
                                  CHUNKS_MAX, (unsigned long long)n);
                return;
        }
        r->inode = w->inode;
        c = checks_new(r, w->attr.length, (size_t)n);
        if (!c) {
                mfs_req_fail_with(r, ROMA_ENOMEM, "out of memory");
                return;
        }
        for (size_t i = 0; i < CHECKS; i++)
                c->check[i].all = c;
        /* One chunk more than the length says: a writer whose WRITE_CHUNK_END came too short or never leaves one behind
         * the end. A start that fails ends the operation, and all this with it. */
        for (size_t i = 0; i < CHECKS && i <= n && !op->finished; i++)
                ask_next(&c->check[i]);
}

static void chunks_begin(struct mfs_req *r)
{
        mfs_walk_start(r, 0, r->key, 0, chunks_walked);
}

roma_op roma_aio_mfs_chunks(roma_store *store, const char *key, const roma_opts *opts, roma_done *done,
                            void *arg)
{
        struct mfs_req *r;
        struct ri_op *op;
        roma_op id;

        if (ri_loop_enter(store->loop) < 0 || ri_key_check(store, "chunks", key) < 0)
                return 0;
        op = ri_op_new(store->loop, store, RI_TRANSFER, "chunks", key, opts, done, arg);
        if (!op)
                return 0;
        id = op->id;
        if (store->be != &mfs_backend) {
                ri_op_fail(op, ROMA_ENOTSUP, "only objects of a MooseFS have chunks");
                return id;
        }
        r = mfs_req_new(op);
        if (!r)
                return id;
        r->begin = chunks_begin;
        if (mfs_req_keep(r, &r->key, key))
                chunks_begin(r);
        return id;
}

roma_mfs_map *roma_mfs_chunks(roma_store *store, const char *key, const roma_opts *opts)
{
        struct ri_wait w;

        if (ri_wait_begin(&w, store->loop) < 0 ||
            ri_wait(&w, roma_aio_mfs_chunks(store, key, opts, ri_wait_done, &w)) < 0)
                return NULL;
        return roma_mfs_map_ref(store->loop->last->res.extra);
}

/* ---- one chunk, as a reader sees it ----------------------------------------------------------------------- */

struct settled {
        struct mfs_req *req;
        roma_mfs_place *place;
};

static void settled_release(struct mfs_req *r)
{
        struct settled *s = r->more;

        free(s->place);
        free(s);
}

/* The places in the answer are of no interest here: they are those of a reader, without damaged copies. */
static void settled_said(struct mfs_req *r, const struct mfs_reply *rep)
{
        struct settled *s = r->more;
        roma_mfs_place *place = s->place;
        struct wire_msg m;
        struct ri_op *op;

        if (rep->status != WIRE_STATUS_OK) {
                mfs_req_fail_status(r, rep->status, NULL);
                return;
        }
        m = *rep->msg;
        place->length = wire_get_u(&m, WF_LENGTH);
        place->id = wire_get_u(&m, WF_CHUNKID);
        place->version = wire_get_u32(&m, WF_CHUNKVER);
        if (!wire_msg_ok(&m)) {
                mfs_req_fail_with(r, ROMA_EPROTOCOL, "the place of the chunk cannot be read");
                return;
        }
        s->place = NULL;
        op = mfs_req_end(r);
        op->payload = place;
        op->payload_free = free;
        op->res.extra = place;
        ri_op_finish(op);
}

static void settled_ask(struct mfs_req *r, uint32_t index)
{
        struct settled *s = calloc(1, sizeof(*s));
        struct wire_msg m;

        if (s) {
                s->req = r;
                r->more = s;
                r->release = settled_release;
                s->place = calloc(1, sizeof(*s->place));
        }
        if (!s || !s->place) {
                mfs_req_fail_with(r, ROMA_ENOMEM, "out of memory");
                return;
        }
        s->place->index = index;
        wire_msg_init(&m, WIRE_CLTOMA_FUSE_READ_CHUNK, WIRE_TO_MASTER);
        wire_set_u(&m, WF_INODE, r->inode);
        wire_set_u(&m, WF_INDEX, index);
        wire_set_u(&m, WF_CHUNKOPFLAGS, 0);
        ri_op_waits(r->op, "the place of a chunk", mfs_session_server(r->st->session));
        mfs_req_ask(r, &m, "read_chunk", settled_said);
}

roma_op roma_aio_mfs_settled(roma_store *store, uint32_t inode, uint32_t index, const roma_opts *opts,
                             roma_done *done, void *arg)
{
        struct mfs_req *r;
        struct ri_op *op;
        roma_op id;

        if (ri_loop_enter(store->loop) < 0)
                return 0;
        op = ri_op_new(store->loop, store, RI_SINGLE, "settled", NULL, opts, done, arg);
        if (!op)
                return 0;
        id = op->id;
        if (store->be != &mfs_backend) {
                ri_op_fail(op, ROMA_ENOTSUP, "only objects of a MooseFS have chunks");
                return id;
        }
        r = mfs_req_new(op);
        if (!r)
                return id;
        r->inode = inode;
        settled_ask(r, index);
        return id;
}

int roma_mfs_settled(roma_store *store, uint32_t inode, uint32_t index, const roma_opts *opts,
                     roma_mfs_place *out)
{
        struct ri_wait w;

        if (ri_wait_begin(&w, store->loop) < 0 ||
            ri_wait(&w, roma_aio_mfs_settled(store, inode, index, opts, ri_wait_done, &w)) < 0)
                return -1;
        *out = *(const roma_mfs_place *)store->loop->last->res.extra;
        return 0;
}
