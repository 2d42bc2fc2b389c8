/* SPDX-License-Identifier: MIT */
/* Where chunks are: READ_CHUNK, asked once for all who want to know, its answers kept until somebody says that the
 * chunk has changed. */
#include "mfsproto/chunk/inner.h"

#include <stdlib.h>

/* As many places as 256 GiB of one file have; above, old ones are forgotten. */
#define KEEP_PLACES 4096u

struct mfs_chunk *mfs_chunk_find(struct mfs_inode *ino, uint32_t index)
{
        struct ri_map_node *n = ri_map_find_u64(&ino->chunks, index);

        return n ? ri_container_of(n, struct mfs_chunk, node) : NULL;
}

static void drop_some(struct mfs_inode *ino)
{
        ri_map_for_each_safe(n, tmp, &ino->chunks)
        {
                struct mfs_chunk *c = ri_container_of(n, struct mfs_chunk, node);

                if (ino->chunks.count <= KEEP_PLACES / 2)
                        return;
                if (!c->asking && ri_list_empty(&c->waiters) && !c->writer && !c->pins) {
                        mfs_chunk_ask_again(c); /* it is right: who reads there goes on */
                        mfs_chunk_tidy(c);
                }
        }
}

struct mfs_chunk *mfs_chunk_get(struct mfs_inode *ino, uint32_t index)
{
        struct mfs_chunk *c = mfs_chunk_find(ino, index);

        if (c)
                return c;
        if (ino->chunks.count >= KEEP_PLACES)
                drop_some(ino);
        c = calloc(1, sizeof *c);
        if (!c)
                return NULL;
        c->ino = ino;
        c->index = index;
        ri_list_init(&c->waiters);
        ri_map_insert_u64(&ino->chunks, &c->node, index);
        return c;
}

void mfs_place_unref(struct mfs_place *p)
{
        if (!p || --p->refs > 0)
                return;
        ri_list_del(&p->link);
        free(p);
}

void mfs_places_are(struct mfs_inode *ino, uint32_t index, uint64_t chunkid, uint32_t version)
{
        ri_list_for_each(it, &ino->old)
        {
                struct mfs_place *p = ri_list_entry(it, struct mfs_place, link);

                if (p->index == index && (!chunkid || p->chunkid != chunkid || p->version != version))
                        p->stale = true;
        }
}

void mfs_chunk_forget(struct mfs_chunk *c)
{
        mfs_places_are(c->ino, c->index, 0, 0);
        if (!c->place)
                return;
        c->place->stale = true;
        mfs_place_unref(c->place);
        c->place = NULL;
}

void mfs_chunk_ask_again(struct mfs_chunk *c)
{
        if (!c->place)
                return;
        if (c->place->refs > 1)
                ri_list_add_tail(&c->ino->old, &c->place->link);
        mfs_place_unref(c->place);
        c->place = NULL;
}

void mfs_chunk_place(struct mfs_chunk *c, struct mfs_place *p)
{
        mfs_chunk_ask_again(c);
        p->refs++;
        p->index = c->index;
        c->place = p;
}

void mfs_chunk_is(struct mfs_chunk *c, uint64_t chunkid, uint32_t version)
{
        mfs_places_are(c->ino, c->index, chunkid, version);
        if (c->place && (c->place->chunkid != chunkid || c->place->version != version))
                mfs_chunk_forget(c);
}

void mfs_chunk_tidy(struct mfs_chunk *c)
{
        if (c->place || c->writer || c->pins || !ri_list_empty(&c->waiters))
                return;
        if (c->asking)
                mfs_call_cancel(&c->call);
        ri_map_remove(&c->ino->chunks, &c->node);
        free(c);
}

static void add_locs(struct mfs_place *p, struct wire_msg *m)
{
        struct wire_iter it;
        struct wire_msg item;

        wire_group_begin(m, WF_LOCS, &it);
        while (p->n < MFS_MAX_LOCS && wire_group_next(&it, &item)) {
                struct mfs_loc *l = &p->loc[p->n++];

                l->ip = wire_get_u32(&item, WF_IP);
                l->port = wire_get_u16(&item, WF_PORT);
                l->csver = (uint32_t)wire_get_u_or(&item, WF_CSVER, 0);
        }
}

struct mfs_place *mfs_place_parse(const struct wire_msg *msg, struct ri_error *e, const char *server)
{
        struct wire_msg m = *msg;
        uint32_t n = wire_group_count(&m, WF_LOCS);
        struct mfs_place *p;

        if (n > MFS_MAX_LOCS) {
                ri_error_set(e, ROMA_EPROTOCOL, server,
                             "%s names %u places of one chunk, at most %u are possible", server, n,
                             MFS_MAX_LOCS);
                return NULL;
        }
        p = calloc(1, sizeof *p + n * sizeof p->loc[0]);
        if (!p) {
                ri_error_set(e, ROMA_ENOMEM, "", "no memory for the places of a chunk");
                return NULL;
        }
        ri_list_init(&p->link);
        p->refs = 1;
        p->proto = (uint8_t)wire_get_u_or(&m, WF_PROTO, 0);
        p->length = wire_get_u(&m, WF_LENGTH);
        p->chunkid = wire_get_u(&m, WF_CHUNKID);
        p->version = wire_get_u32(&m, WF_CHUNKVER);
        if (n)
                add_locs(p, &m);
        if (!wire_msg_ok(&m) || p->n != n || (p->proto == WIRE_LOCS_PARTS && n != 4 && n != 8)) {
                ri_error_set(e, ROMA_EPROTOCOL, server,
                             "%s sent places of a chunk that make no sense (%u, kind %u)", server, n,
                             p->proto);
                free(p);
                return NULL;
        }
        return p;
}

/* Tells all who wait. Each may start or cancel others. */
static void tell(struct mfs_chunk *c, struct mfs_place *p, uint8_t status, const struct ri_error *e)
{
        struct ri_list now;
        struct ri_list *it;

        ri_list_init(&now);
        ri_list_splice_tail(&now, &c->waiters);
        while ((it = ri_list_pop(&now)) != NULL) {
                struct mfs_locate *l = ri_list_entry(it, struct mfs_locate, link);

                l->chunk = NULL;
                if (p)
                        p->refs++;
                l->done(l, p, status, e);
        }
}

static void answered(struct mfs_call *call, const struct mfs_reply *r)
{
        struct mfs_chunk *c = ri_container_of(call, struct mfs_chunk, call);
        struct mfs_inode *ino = c->ino;
        struct ri_error e = { 0 };
        struct mfs_place *p = NULL;
        uint8_t status = WIRE_STATUS_OK;

        c->asking = false;
        if (r->error) {
                e = *r->error;
        } else if (r->status != WIRE_STATUS_OK) {
                status = r->status;
        } else {
                p = mfs_place_parse(r->msg, &e, mfs_session_server(ino->data->session));
        }
        if (p)
                mfs_chunk_is(c, p->chunkid, p->version);
        mfs_chunk_ask_again(c);
        if (p) {
                mfs_inode_set_length(ino, p->length);
                if (p->n > 0)
                        mfs_chunk_place(c, p);
        }
        ino->refs++; /* the receivers may give it back */
        c->pins++;
        tell(c, p, status, e.code ? &e : NULL);
        c->pins--;
        mfs_place_unref(p);
        mfs_chunk_tidy(c);
        mfs_inode_put(ino);
}

static int ask(struct mfs_chunk *c, struct ri_op *op, struct ri_error *e)
{
        struct wire_msg m;

        wire_msg_init(&m, WIRE_CLTOMA_FUSE_READ_CHUNK, WIRE_TO_MASTER);
        wire_set_u(&m, WF_INODE, c->ino->number);
        wire_set_u(&m, WF_INDEX, c->index);
        wire_set_u(&m, WF_CHUNKOPFLAGS, 0);
        c->call.done = answered;
        if (mfs_call_start(c->ino->data->session, &c->call, &m, MFS_REPLAY, "read_chunk", op, e) < 0)
                return -1;
        c->asking = true;
        return 0;
}

struct mfs_place *mfs_locate_start(struct mfs_locate *l, struct mfs_chunk *c, struct ri_op *op)
{
        struct ri_error e = { 0 };

        ri_list_init(&l->link);
        l->chunk = NULL;
        l->refused = false;
        if (c->place) {
                c->place->refs++;
                return c->place;
        }
        l->chunk = c;
        l->op = op;
        ri_list_add_tail(&c->waiters, &l->link);
        ri_op_waits(op, "the places of a chunk", mfs_session_server(c->ino->data->session));
        if (!c->asking && ask(c, op, &e) < 0) {
                /* cannot be told from inside the start: the waiter is told by its own timer */
                ri_list_del(&l->link);
                l->chunk = NULL;
                l->refused = true;
                l->error = e;
                mfs_chunk_tidy(c);
        }
        return NULL;
}

void mfs_locate_cancel(struct mfs_locate *l)
{
        struct mfs_chunk *c = l->chunk;

        if (!c)
                return;
        ri_list_del(&l->link);
        l->chunk = NULL;
        if (c->call.op == l->op) /* nobody else may be charged for a dead operation */
                c->call.op = NULL;
        mfs_chunk_tidy(c);
}

uint32_t mfs_status_delay(uint8_t status, unsigned n)
{
        switch (status) {
        case WIRE_STATUS_LOCKED:
        case WIRE_STATUS_CHUNKBUSY:
        case WIRE_STATUS_EAGAIN: return n <= 2 ? 1 : n <= 6 ? 100 : 500;
        case WIRE_STATUS_CSNOTPRESENT:
        case WIRE_STATUS_NOCHUNKSERVERS:
        case WIRE_STATUS_NOSPACE:
        case WIRE_STATUS_CHUNKLOST:
        case WIRE_STATUS_NOTDONE: return n <= 2 ? 300 : 1000;
        default: return 0;
        }
}
