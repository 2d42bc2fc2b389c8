/* SPDX-License-Identifier: MIT */
/* What a client owes the master without being asked: NOPs, the list of open inodes, times of files; and what the master
 * tells without being asked. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "mfsproto/session/private.h"

enum { TIMES_AT_ONCE = 4000 }; /* files in one packet */

static const uint64_t MS = 1000000;

void mfs_duties_init(struct mfs_session *s)
{
        ri_map_init(&s->inodes);
        ri_map_init(&s->times);
}

static void map_clear(struct ri_map *m, size_t node_offset)
{
        ri_map_for_each_safe(n, next, m)
        {
                ri_map_remove(m, n);
                free((char *)n - node_offset);
        }
        ri_map_free(m);
}

void mfs_duties_free(struct mfs_session *s)
{
        map_clear(&s->inodes, offsetof(struct mfs_open_inode, node));
        map_clear(&s->times, offsetof(struct mfs_times, node));
}

static bool master_since(const struct mfs_session *s, uint32_t version)
{
        return wire_ver_at_least(s->info.master_version, version);
}

void mfs_nop_send(struct mfs_link *l)
{
        unsigned char nop[WIRE_HEADER_SIZE + 4];

        wire_put32(nop, WIRE_ANTOAN_NOP);
        wire_put32(nop + 4, 4);
        wire_put32(nop + 8, 0);
        if (mfs_link_put(l, nop, sizeof(nop)) == 0)
                mfs_link_flush(l);
}

/* ---- open inodes ------------------------------------------------------------------------------------------ */

int mfs_session_inode_hold(struct mfs_session *s, uint32_t inode)
{
        struct ri_map_node *n = ri_map_find_u64(&s->inodes, inode);
        struct mfs_open_inode *o;

        if (n) {
                ri_container_of(n, struct mfs_open_inode, node)->count++;
                return 0;
        }
        o = calloc(1, sizeof(*o));
        if (!o)
                return -ENOMEM;
        o->count = 1;
        ri_map_insert_u64(&s->inodes, &o->node, inode);
        return 0;
}

void mfs_session_inode_release(struct mfs_session *s, uint32_t inode)
{
        struct ri_map_node *n = ri_map_find_u64(&s->inodes, inode);
        struct mfs_open_inode *o;

        if (!n)
                return;
        o = ri_container_of(n, struct mfs_open_inode, node);
        if (--o->count)
                return;
        ri_map_remove(&s->inodes, n);
        free(o);
}

/* The whole list: for the master, what is not in it is closed. */
static void send_inodes(struct mfs_session *s, bool empty)
{
        size_t count = empty ? 0 : s->inodes.count;
        unsigned char *p;
        size_t at = WIRE_HEADER_SIZE;

        if (count > WIRE_MAX_TO_MASTER / 4)
                return; /* the master would end the connection; it keeps the list it has */
        p = malloc(WIRE_HEADER_SIZE + 4 * count);
        if (!p)
                return; /* again in a minute */
        wire_put32(p, master_since(s, WIRE_VER(3, 0, 74)) ? WIRE_CLTOMA_FUSE_SUSTAINED_INODES
                                                          : WIRE_CLTOMA_FUSE_SUSTAINED_INODES_OLD);
        wire_put32(p + 4, (uint32_t)(4 * count));
        if (!empty) {
                ri_map_for_each(n, &s->inodes)
                {
                        wire_put32(p + at, (uint32_t)n->key.num);
                        at += 4;
                }
        }
        if (mfs_link_put(&s->link, p, at) == 0) {
                s->inodes_listed = count != 0;
                s->inodes_at = ri_now();
        }
        free(p);
}

/* ---- times ------------------------------------------------------------------------------------------------ */

int mfs_session_touch(struct mfs_session *s, uint32_t inode, uint32_t atime, uint32_t mtime)
{
        struct ri_map_node *n = ri_map_find_u64(&s->times, inode);
        struct mfs_times *t;

        if (n) {
                t = ri_container_of(n, struct mfs_times, node);
        } else {
                t = calloc(1, sizeof(*t));
                if (!t)
                        return -ENOMEM;
                t->inode = inode;
                ri_map_insert_u64(&s->times, &t->node, inode);
        }
        if (atime)
                t->atime = atime;
        if (mtime)
                t->mtime = mtime;
        return 0;
}

/* One packet; the entries are gone when it is on its way. False when there is nothing to send. */
static bool send_some_times(struct mfs_session *s)
{
        size_t count = s->times.count < TIMES_AT_ONCE ? s->times.count : TIMES_AT_ONCE;
        size_t len = WIRE_HEADER_SIZE + 12 * count, at = WIRE_HEADER_SIZE;
        unsigned char *p = count ? malloc(len) : NULL;
        bool sent;

        if (!p)
                return false;
        wire_put32(p, WIRE_CLTOMA_FUSE_AMTIME_INODES);
        wire_put32(p + 4, (uint32_t)(12 * count));
        ri_map_for_each(n, &s->times)
        {
                const struct mfs_times *t = ri_container_of(n, struct mfs_times, node);

                if (at == len)
                        break;
                wire_put32(p + at, t->inode);
                wire_put32(p + at + 4, t->atime);
                wire_put32(p + at + 8, t->mtime);
                at += 12;
        }
        sent = mfs_link_put(&s->link, p, len) == 0;
        for (at = WIRE_HEADER_SIZE; sent && at < len; at += 12) {
                struct ri_map_node *n = ri_map_find_u64(&s->times, wire_be32(p + at));

                ri_map_remove(&s->times, n);
                free(ri_container_of(n, struct mfs_times, node));
        }
        free(p);
        return sent;
}

void mfs_session_flush_times(struct mfs_session *s)
{
        if (s->state != MFS_READY || s->suspect || s->hold)
                return; /* the next connection takes them */
        if (!master_since(s, WIRE_VER(3, 0, 74))) {
                map_clear(&s->times, offsetof(struct mfs_times, node)); /* it keeps the times by itself */
                return;
        }
        while (send_some_times(s))
                ;
}

/* ---- the master's clock ----------------------------------------------------------------------------------- */

static uint64_t local_usec(void)
{
        struct timespec ts;

        clock_gettime(CLOCK_REALTIME, &ts);
        return (uint64_t)ts.tv_sec * 1000000 + (uint64_t)ts.tv_nsec / 1000;
}

uint64_t mfs_session_time(const struct mfs_session *s)
{
        if (!s->clock_known)
                return local_usec();
        return (uint64_t)((int64_t)(ri_now() / 1000) + s->clock_offset);
}

static void ask_time(struct mfs_session *s)
{
        unsigned char ask[WIRE_HEADER_SIZE];

        if (!master_since(s, WIRE_VER(3, 0, 74)))
                return;
        wire_put32(ask, WIRE_CLTOMA_FUSE_TIME_SYNC);
        wire_put32(ask + 4, 0);
        if (mfs_link_put(&s->link, ask, sizeof(ask)) == 0)
                s->sync_at = s->sync_sent = ri_now();
}

static void time_said(struct mfs_session *s, const uint8_t *payload, uint32_t len)
{
        uint64_t now = ri_now(), usec;

        if (len < 8 || !s->sync_sent)
                return;
        usec = wire_be64(payload + len - 8);
        /* An answer that took long, perhaps because nobody drove the loop, says little. */
        if (now - s->sync_sent < 5000 * MS && usec < UINT64_C(1) << 62) {
                s->clock_offset = (int64_t)usec - (int64_t)((s->sync_sent + (now - s->sync_sent) / 2) / 1000);
                s->clock_known = true;
        }
        s->sync_sent = 0;
}

/* ---- when ------------------------------------------------------------------------------------------------- */

void mfs_duties_start(struct mfs_session *s)
{
        if (s->inodes.count || s->inodes_listed)
                send_inodes(s, false);
        s->inodes_at = ri_now();
        if (master_since(s, WIRE_VER(4, 40, 0))) {
                static const unsigned char wflags[] = {
                        0, 0, WIRE_CLTOMA_FUSE_WFLAGS >> 8, WIRE_CLTOMA_FUSE_WFLAGS & 255, 0, 0,
                        0, 1, WIRE_WFLAG_AUTOINVALIDATE
                };

                mfs_link_put(&s->link, wflags, sizeof(wflags));
        }
        ask_time(s);
        mfs_session_flush_times(s);
        ri_timer_start(s->loop, &s->tick, TICK_MS);
}

void mfs_duties_tick(struct mfs_session *s)
{
        uint64_t now = ri_now();
        uint64_t heard = s->link.rx_at > s->grace_at ? s->link.rx_at : s->grace_at;

        if (now - heard > SILENCE_MS * MS) {
                struct ri_error e;

                memset(&e, 0, sizeof(e));
                ri_error_set(&e, ROMA_ETIMEDOUT, s->server,
                             "the master, which speaks each second, said nothing for %u s: it hangs, or the "
                             "network is "
                             "cut",
                             SILENCE_MS / 1000);
                e.flags = ROMA_RETRIABLE;
                mfs_lost(s, &e);
                return;
        }
        if (s->hold)
                return;
        mfs_session_flush_times(s);
        /* While a CREATE is on its way the master knows an open inode that we do not, so no list can be right. */
        if (now - s->inodes_at > INODES_MS * MS && (s->inodes.count || s->inodes_listed) &&
            !mfs_calls_awaiting_type(s, WIRE_CLTOMA_FUSE_CREATE))
                send_inodes(s, false);
        if (now - s->sync_at > SYNC_MS * MS)
                ask_time(s);
        if (s->link.out_len == 0 && now - s->link.tx_at > NOP_MS * MS)
                mfs_nop_send(&s->link);
        mfs_link_flush(&s->link);
}

void mfs_duties_farewell(struct mfs_session *s)
{
        mfs_session_flush_times(s);
        if (s->inodes_listed || s->inodes.count)
                send_inodes(s, true);
}

/* ---- notifications ---------------------------------------------------------------------------------------- */

void mfs_session_watch(struct mfs_session *s, struct mfs_watch *w)
{
        ri_list_add_tail(&s->watches, &w->link);
}

void mfs_session_unwatch(struct mfs_watch *w)
{
        ri_list_del(&w->link);
}

void mfs_all_changed(struct mfs_session *s)
{
        ri_list_for_each_safe(it, next, &s->watches)
        {
                struct mfs_watch *w = ri_list_entry(it, struct mfs_watch, link);

                if (w->all_changed)
                        w->all_changed(w);
        }
}

static void chunk_changed(struct mfs_session *s, struct wire_msg *m)
{
        uint32_t inode = wire_get_u32(m, WF_INODE), index = wire_get_u32(m, WF_INDEX),
                 version = wire_get_u32(m, WF_CHUNKVER);
        uint64_t chunk = wire_get_u(m, WF_CHUNKID), length = wire_get_u(m, WF_LENGTH);
        bool truncated = wire_get_u8(m, WF_TRUNCFLAG) != 0;

        if (!wire_msg_ok(m))
                return;
        ri_list_for_each_safe(it, next, &s->watches)
        {
                struct mfs_watch *w = ri_list_entry(it, struct mfs_watch, link);

                if (w->chunk_changed)
                        w->chunk_changed(w, inode, index, chunk, version, length, truncated);
        }
}

static void length_changed(struct mfs_session *s, struct wire_msg *m)
{
        uint32_t inode = wire_get_u32(m, WF_INODE);
        uint64_t length = wire_get_u(m, WF_LENGTH);

        if (!wire_msg_ok(m))
                return;
        ri_list_for_each_safe(it, next, &s->watches)
        {
                struct mfs_watch *w = ri_list_entry(it, struct mfs_watch, link);

                if (w->length_changed)
                        w->length_changed(w, inode, length);
        }
}

static void force_timeout(struct mfs_session *s, const uint8_t *payload, uint32_t len)
{
        uint32_t seconds = len >= 2 ? wire_be16(payload + len - 2) : 0;

        if (seconds >= 10)
                s->timeout_ms = seconds * 1000;
}

/* True when the packet was none of the calls'. */
bool mfs_duties_packet(struct mfs_session *s, uint32_t type, const uint8_t *payload, uint32_t len)
{
        struct wire_ctx ctx = mfs_ctx(s);
        struct wire_msg m;

        switch (type) {
        case WIRE_ANTOAN_NOP: return true;
        case WIRE_ANTOAN_FORCE_TIMEOUT: force_timeout(s, payload, len); return true;
        case WIRE_MATOCL_FUSE_TIME_SYNC: time_said(s, payload, len); return true;
        case WIRE_MATOCL_FUSE_INVALIDATE_CHUNK_CACHE: mfs_all_changed(s); return true;
        case WIRE_MATOCL_FUSE_CHUNK_HAS_CHANGED:
        case WIRE_MATOCL_FUSE_FLENG_HAS_CHANGED:
                if (wire_decode(&m, type, WIRE_FROM_MASTER, payload, len, &ctx) != WIRE_OK)
                        mfs_all_changed(
                                s); /* a form of a newer master: something changed, that much is sure */
                else if (type == WIRE_MATOCL_FUSE_CHUNK_HAS_CHANGED)
                        chunk_changed(s, &m);
                else
                        length_changed(s, &m);
                return true;
        default: return false;
        }
}
