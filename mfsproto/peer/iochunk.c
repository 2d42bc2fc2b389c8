/* SPDX-License-Identifier: MIT */
/* Commands of the master about chunks: places, locks, lengths, copies. Protocol pages 3.5, 3.8, 3.10, 4.1, 5. */
#include <stdlib.h>
#include <string.h>

#include "mfsproto/peer/inner.h"

#define LOOPBACK   UINT32_C(0x7F000001)
#define MAX_LENGTH (((uint64_t)WIRE_MAX_CHUNK_INDEX + 1) << WIRE_CHUNK_BITS)

/* Of parts the data parts are listed, when all of them are there. A real master has one that is missing made anew, and then lists
 * that. */
static unsigned listed(const struct mfs_peer *p, const struct peer_chunk *ch)
{
        if (!ch || !ch->parts)
                return ch ? ch->copies : 0;
        for (unsigned i = 0; i < ch->parts; i++)
                if (!p->server[ch->server[i]].up)
                        return 0;
        return ch->parts;
}

/* Places from some server on, so that work is spread: 4.x and 3.x order by distance, then at random. */
void peer_set_locs(struct peer_req *r, struct wire_msg *reply, const struct peer_chunk *ch,
                   uint8_t bytes[MFS_PEER_SERVERS * 14])
{
        struct wire_group g;
        enum wire_form form = WFORM_LOC14;
        unsigned n = listed(r->p, ch);

        if (!wire_ver_at_least(r->c->declared, WIRE_VER(1, 7, 32)))
                form = WFORM_LOC6;
        else if (!wire_ver_at_least(r->c->declared, WIRE_VER(3, 0, 10)))
                form = WFORM_LOC10;
        wire_group_init(&g, form, bytes, MFS_PEER_SERVERS * 14);
        for (unsigned i = 0; i < n; i++) {
                const struct peer_server *s = &r->p->server[ch->server[i]];

                if (s->up)
                        wire_group_add_loc(&g, LOOPBACK, s->port, r->p->cfg.cs_version, 1);
        }
        if (form != WFORM_LOC6)
                wire_set_u(reply, WF_PROTO,
                           n && ch->parts        ? WIRE_LOCS_PARTS
                           : form == WFORM_LOC10 ? WIRE_LOCS_CSVER
                                                 : WIRE_LOCS_LABELS);
        wire_set_u(reply, WF_CHUNKID, ch ? ch->id : 0);
        wire_set_u(reply, WF_CHUNKVER, ch ? ch->version : 0);
        wire_set_group(reply, WF_LOCS, &g);
}

static bool reply_places(struct peer_req *r, const struct peer_node *n, const struct peer_chunk *ch)
{
        uint8_t locs[MFS_PEER_SERVERS * 14];
        struct wire_msg m;

        peer_reply_init(r, &m);
        wire_set_u(&m, WF_LENGTH, n->attr.length);
        peer_set_locs(r, &m, ch, locs);
        return peer_answer(r->c, &m);
}

/* The file and index of a request. */
static uint8_t slot_of(struct peer_req *r, struct peer_node **n, uint32_t *index)
{
        *n = peer_node_find(r->p, wire_get_u32(&r->msg, WF_INODE));
        *index = wire_get_u32(&r->msg, WF_INDEX);
        if (!*n)
                return WIRE_STATUS_ENOENT;
        if ((*n)->attr.type != WIRE_NODE_FILE)
                return WIRE_STATUS_EPERM;
        return *index > WIRE_MAX_CHUNK_INDEX ? WIRE_STATUS_INDEXTOOBIG : WIRE_STATUS_OK;
}

static bool on_read_chunk(struct peer_req *r)
{
        struct peer_node *n;
        struct peer_chunk *ch;
        uint32_t index;
        uint8_t status = slot_of(r, &n, &index);

        if (status)
                return peer_status(r, status);
        ch = index < n->chunks ? n->chunk[index] : NULL;
        if (ch && peer_chunk_locked(ch, ri_now()) && !peer_bug(r->p, MFS_BUG_READ_UNLOCKED))
                return peer_park(r, WIRE_STATUS_LOCKED);
        reply_places(r, n, ch);
        return true;
}

/* The chunk of a slot, made ready for writing. *ch is set when the status is OK. */
static uint8_t writable(struct peer_req *r, struct peer_node *n, uint32_t index, struct peer_chunk **ch)
{
        *ch = index < n->chunks ? n->chunk[index] : NULL;
        if (!*ch) {
                *ch = peer_chunk_make(r->p, n, index);
                return *ch ? WIRE_STATUS_OK : WIRE_STATUS_NOSPACE;
        }
        if ((*ch)->parts)
                return WIRE_STATUS_CHUNKBUSY;
        *ch = peer_chunk_unshare(r->p, n, index);
        if (!*ch)
                return WIRE_STATUS_OUTOFMEMORY;
        return peer_chunk_mend(r->p, *ch) ? WIRE_STATUS_OK : WIRE_STATUS_CSNOTPRESENT;
}

static bool on_write_chunk(struct peer_req *r)
{
        struct peer_node *n;
        struct peer_chunk *ch;
        struct peer_grant *g;
        uint32_t index, session = r->c->session->id;
        uint8_t status = slot_of(r, &n, &index);
        bool again = wire_get_u_or(&r->msg, WF_CHUNKOPFLAGS, 0) & WIRE_CHUNKOP_CONTINUEOP, locked, told;

        if (!status && peer_read_only(r))
                status = WIRE_STATUS_EROFS;
        if (status)
                return peer_status(r, status);
        ch = index < n->chunks ? n->chunk[index] : NULL;
        locked = ch && peer_chunk_locked(ch, ri_now());
        if (locked && !again)
                return peer_park(r, WIRE_STATUS_LOCKED);
        if (again &&
            (locked ? ch->locker != session : !peer_audit_was_unanswered(r->p, session, n->inode, index)))
                peer_broken(r->p, MFS_RULE_CONTINUE,
                            "inode %u, chunk %u: CONTINUEOP without holding the lock", n->inode, index);
        status = writable(r, n, index, &ch);
        if (status)
                return peer_status(r, status);
        peer_chunk_lock(r->p, ch, session);
        if (n->attr.length < (uint64_t)index << WIRE_CHUNK_BITS && !peer_bug(r->p, MFS_BUG_NO_JUMP))
                n->attr.length = (uint64_t)index << WIRE_CHUNK_BITS;
        g = peer_audit_grant(r->p, ch, session, n->inode, index, n->attr.length);
        peer_notify_chunk(r->c, n, index, ch, n->attr.length, false, 0);
        told = reply_places(r, n, ch);
        if (g)
                g->told = told;
        return true;
}

static bool on_write_end(struct peer_req *r)
{
        struct peer_node *n = peer_node_find(r->p, wire_get_u32(&r->msg, WF_INODE));
        struct peer_chunk *ch = peer_chunk_find(r->p, wire_get_u(&r->msg, WF_CHUNKID));
        uint64_t length = wire_get_u(&r->msg, WF_LENGTH);

        if (length && !n) /* and the chunk stays locked */
                return peer_status(r, WIRE_STATUS_ENOENT);
        if (!ch)
                return peer_status(r, WIRE_STATUS_NOCHUNK);
        if (length > MAX_LENGTH)
                return peer_status(r, WIRE_STATUS_INDEXTOOBIG);
        if (peer_bug(r->p, MFS_BUG_END_ONCE) && !peer_chunk_locked(ch, ri_now()))
                return peer_status(r, WIRE_STATUS_NOTDONE);
        peer_audit_end(r->p, ch->id, n ? n->inode : 0, length, n ? n->attr.length : 0);
        if (n && n->attr.type == WIRE_NODE_FILE &&
            (length > n->attr.length || (length && peer_bug(r->p, MFS_BUG_END_SHRINKS))))
                n->attr.length = length;
        if (n)
                peer_notify_chunk(r->c, n, (uint32_t)wire_get_u_or(&r->msg, WF_INDEX, 0), ch, length, false,
                                  (uint32_t)WIRE_CHUNK_SIZE);
        peer_chunk_unlock(r->p, ch);
        return peer_status(r, WIRE_STATUS_OK);
}

/* ---- truncate ---------------------------------------------------------------------------------------------- */

static bool reply_length(struct peer_req *r, const struct peer_node *n, uint64_t before)
{
        struct wire_attr attr;
        struct wire_msg m;

        peer_reply_init(r, &m);
        peer_attr_out(r->c, n, &attr);
        wire_set_u(&m, WF_PREVLENGTH, before);
        wire_set_attr(&m, &attr);
        return peer_reply(r, &m);
}

static bool on_truncate(struct peer_req *r)
{
        struct peer_node *n = peer_node_in(r, WF_INODE);
        unsigned flags = (unsigned)wire_get_u_or(&r->msg, WF_FLAGS, 0);
        uint64_t length = wire_get_u(&r->msg, WF_LENGTH), index = length >> WIRE_CHUNK_BITS, before;
        struct peer_ug ug;

        peer_ug_of(r, &ug);
        if (peer_read_only(r))
                return peer_status(r, WIRE_STATUS_EROFS);
        if (!n)
                return peer_status(r, WIRE_STATUS_ENOENT);
        if (n->attr.type != WIRE_NODE_FILE)
                return peer_status(r, WIRE_STATUS_EPERM);
        if (!(flags & WIRE_TRUNCATE_OPENED) && !peer_may(n, &ug, WIRE_ACCESS_W))
                return peer_status(r, WIRE_STATUS_EACCES);
        if (index > WIRE_MAX_CHUNK_INDEX)
                return peer_status(r, WIRE_STATUS_INDEXTOOBIG);
        before = n->attr.length;
        if (flags & WIRE_TRUNCATE_RESERVE) {
                if (n->reserved < before)
                        n->reserved = before;
                before = n->reserved;
                n->reserved += length;
                return reply_length(r, n, before);
        }
        if (flags & WIRE_TRUNCATE_UPDATE) {
                if (length > n->attr.length)
                        n->attr.length = length;
                return reply_length(r, n, before);
        }
        if ((length & (WIRE_CHUNK_SIZE - 1)) && index < n->chunks && n->chunk[index] &&
            peer_chunk_locked(n->chunk[index], ri_now()))
                return peer_park(r, WIRE_STATUS_LOCKED);
        if (!peer_file_resize(r->p, n, length))
                return peer_status(r, WIRE_STATUS_OUTOFMEMORY);
        n->reserved = 0;
        if (!(flags & WIRE_TRUNCATE_TIMEFIX) || length != before)
                n->attr.mtime = n->attr.ctime = peer_time();
        peer_notify_length(r->c, n);
        return reply_length(r, n, before);
}

/* ---- sharing ----------------------------------------------------------------------------------------------- */

/* The whole file, or a run of its chunks, behind the last chunk border of another one. */
static bool on_append_slice(struct peer_req *r)
{
        struct peer_node *to = peer_node_in(r, WF_DST_INODE), *from = peer_node_in(r, WF_SRC_INODE);
        uint64_t chunks, base, first, last, part;

        if (peer_read_only(r))
                return peer_status(r, WIRE_STATUS_EROFS);
        if (!to || !from)
                return peer_status(r, WIRE_STATUS_ENOENT);
        if (to == from)
                return peer_status(r, WIRE_STATUS_EINVAL);
        if (to->attr.type != WIRE_NODE_FILE || from->attr.type != WIRE_NODE_FILE)
                return peer_status(r, WIRE_STATUS_EPERM);
        if (wire_get_u_or(&r->msg, WF_FLAGS, 0))
                return peer_status(r, WIRE_STATUS_ENOTSUP);
        chunks = (from->attr.length + WIRE_CHUNK_SIZE - 1) >> WIRE_CHUNK_BITS;
        base = (to->attr.length + WIRE_CHUNK_SIZE - 1) >> WIRE_CHUNK_BITS;
        first = wire_get_u_or(&r->msg, WF_FROM, 0);
        last = wire_has(&r->msg, WF_TO) ? wire_get_u_or(&r->msg, WF_TO, 0) : chunks;
        last = last < chunks ? last : chunks;
        if (first >= last)
                return peer_status(r, WIRE_STATUS_OK);
        if (base + last - first - 1 > WIRE_MAX_CHUNK_INDEX ||
            !peer_chunk_room(to, (uint32_t)(base + last - first - 1)))
                return peer_status(r, WIRE_STATUS_INDEXTOOBIG);
        for (uint64_t i = first; i < last; i++) {
                struct peer_chunk *ch = i < from->chunks ? from->chunk[i] : NULL;
                struct peer_chunk **slot = &to->chunk[base + i - first];

                if (ch)
                        peer_chunk_share(ch);
                if (*slot) /* granted, and not ended with a length */
                        peer_chunk_unref(r->p, *slot);
                *slot = ch;
        }
        part = last == chunks ? from->attr.length - (first << WIRE_CHUNK_BITS)
                              : (last - first) << WIRE_CHUNK_BITS;
        to->attr.length = (base << WIRE_CHUNK_BITS) + part;
        to->attr.mtime = peer_time();
        return peer_status(r, WIRE_STATUS_OK);
}

/* ---- copies ------------------------------------------------------------------------------------------------ */

static uint8_t copy_state(struct mfs_peer *p, const struct peer_chunk *ch, unsigned i)
{
        struct peer_copy *k = peer_copy_find(&p->server[ch->server[i]], peer_copy_id(ch, i));

        if (!k)
                return WIRE_COPY_INVALID;
        return k->version == ch->version ? WIRE_COPY_VALID : WIRE_COPY_WRONGVER;
}

static bool check_index(struct peer_req *r, struct peer_node *n, uint32_t index)
{
        bool ec = wire_get_u_or(&r->msg, WF_LISTMODE, 0) == 1;
        struct peer_chunk *ch = index < n->chunks ? n->chunk[index] : NULL;
        uint8_t bytes[PEER_PLACES * 8];
        struct wire_group g;
        struct wire_msg m, item;

        if (wire_ver_at_least(r->p->cfg.master_version, WIRE_VER(4, 0, 0)) && index >= n->chunks)
                return peer_status(r, WIRE_STATUS_NOCHUNK);
        wire_group_init(&g, ec ? WFORM_COPY_EC : WFORM_COPY, bytes, sizeof bytes);
        for (unsigned i = 0; ch && i < ch->copies; i++) {
                const struct peer_server *s = &r->p->server[ch->server[i]];

                if (!s->up)
                        continue;
                wire_item_init(&item);
                wire_set_u(&item, WF_IP, LOOPBACK);
                wire_set_u(&item, WF_PORT, s->port);
                wire_set_u(&item, WF_COPYSTATE, copy_state(r->p, ch, i));
                if (ec)
                        wire_set_u(&item, WF_ECID, peer_part(ch, i));
                wire_group_add(&g, &item);
        }
        peer_reply_init(r, &m);
        wire_set_u(&m, WF_CHUNKID, ch ? ch->id : 0);
        wire_set_u(&m, WF_CHUNKVER, ch ? ch->version : 0);
        wire_set_group(&m, WF_COPIES, &g);
        return peer_reply(r, &m);
}

static bool on_check(struct peer_req *r)
{
        struct peer_node *n = peer_node_in(r, WF_INODE);
        uint64_t mode = wire_get_u_or(&r->msg, WF_LISTMODE, 0);
        uint32_t counts[12] = { 0 };
        uint8_t bytes[48];
        struct wire_msg m;

        if (!n)
                return peer_status(r, WIRE_STATUS_ENOENT);
        if (n->attr.type != WIRE_NODE_FILE)
                return peer_status(r, WIRE_STATUS_EPERM);
        if (mode > 1)
                return peer_status(r, WIRE_STATUS_EINVAL);
        if (wire_has(&r->msg, WF_INDEX))
                return check_index(r, n, wire_get_u32(&r->msg, WF_INDEX));
        for (uint32_t i = 0; i < n->chunks; i++)
                counts[n->chunk[i] ? peer_chunk_alive(r->p, n->chunk[i]) : 11]++;
        for (unsigned i = 0; i < 12; i++)
                wire_put32(bytes + 4 * i, counts[i]);
        peer_reply_init(r, &m);
        wire_set_bytes(&m, WF_COUNTERS, bytes,
                       wire_ver_at_least(r->c->declared, WIRE_VER(3, 0, 30)) ? 48 : 44);
        return peer_reply(r, &m);
}

const struct peer_command peer_commands_chunks[] = {
        { WIRE_CLTOMA_FUSE_READ_CHUNK, on_read_chunk },
        { WIRE_CLTOMA_FUSE_WRITE_CHUNK, on_write_chunk },
        { WIRE_CLTOMA_FUSE_WRITE_CHUNK_END, on_write_end },
        { WIRE_CLTOMA_FUSE_TRUNCATE, on_truncate },
        { WIRE_CLTOMA_FUSE_APPEND_SLICE, on_append_slice },
        { WIRE_CLTOMA_FUSE_CHECK, on_check },
        { 0, NULL },
};
