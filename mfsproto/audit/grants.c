/* SPDX-License-Identifier: MIT */
/* What a client does with the chunks that it was granted, from WRITE_CHUNK to WRITE_CHUNK_END. Nothing is held against
 * it that the capture may merely not show: then `doubt` is set, and what depends on it is counted as unchecked. */
#include "mfsproto/audit/inner.h"

#include <stdio.h>

enum {
        LOCK_MS = 120000,
        SETTLED_MS = 60000, /* lost data that was not sent again so long */
        FORWARDS = 4096,
};

#define ID(x) ((unsigned long long)(x))

static int64_t ms_since(const roma_wire *w, int64_t then)
{
        return (w->now_ns - then) / 1000000;
}

/* ---- the lists --------------------------------------------------------------------------------------------- */

static struct au_grant *grant_find(roma_wire *w, uint32_t master, uint64_t chunk)
{
        struct {
                uint64_t chunk;
                uint32_t master, zero;
        } key = { chunk, master, 0 };
        struct ri_map_node *n = ri_map_find(&w->grants, &key, sizeof(key));

        return n ? ri_container_of(n, struct au_grant, by_chunk) : NULL;
}

static bool has_server(const struct au_grant *g, uint32_t ip, uint16_t port)
{
        for (unsigned i = 0; i < g->nservers; i++)
                if (g->ip[i] == ip && g->port[i] == port)
                        return true;
        return false;
}

/* The chunk as this server knows it: more than one cluster may be in a capture. */
static struct au_grant *grant_at(roma_wire *w, const struct au_addr *server, uint64_t chunk)
{
        struct au_grant *g, *any = NULL;

        for (uint32_t master = 0; master <= w->masters; master++) {
                g = grant_find(w, master, chunk);
                if (g && has_server(g, wire_be32(server->ip), server->port))
                        return g;
                if (g && !any && w->masters == 1)
                        any = g;
        }
        return any;
}

static void grant_free(roma_wire *w, struct au_grant *g)
{
        ri_map_remove(&w->grants, &g->by_chunk);
        ri_list_del(&g->used);
        au_mem_free(w, g, sizeof(*g));
}

static struct au_grant *grant_make(roma_wire *w, uint32_t master, uint64_t chunk)
{
        struct au_grant *g;

        if (w->grants.count >= AU_GRANTS) {
                ri_list_for_each(l, &w->grants_used)
                {
                        g = ri_container_of(l, struct au_grant, used);
                        if (g->writers)
                                continue;
                        if (!g->ended && !g->only_read)
                                w->report.forgotten++;
                        grant_free(w, g);
                        break;
                }
        }
        g = au_mem_new(w, sizeof(*g));
        if (!g) {
                w->report.forgotten++;
                return NULL;
        }
        g->key.chunk = chunk;
        g->key.master = master;
        ri_list_init(&g->used);
        if (!ri_map_insert(&w->grants, &g->by_chunk, &g->key, sizeof(g->key))) {
                au_mem_free(w, g, sizeof(*g));
                return NULL;
        }
        ri_list_add_tail(&w->grants_used, &g->used);
        return g;
}

static struct au_file *file_of(roma_wire *w, struct au_conn *c, uint32_t inode, bool make)
{
        uint64_t key = ((uint64_t)c->master->number << 32) | inode;
        struct ri_map_node *n = ri_map_find_u64(&w->files, key);
        struct au_file *f;

        if (n || !make)
                return n ? ri_container_of(n, struct au_file, by_inode) : NULL;
        if (w->files.count >= AU_FILES) {
                f = ri_container_of(w->files_used.next, struct au_file, used);
                ri_map_remove(&w->files, &f->by_inode);
                ri_list_del(&f->used);
                au_mem_free(w, f, sizeof(*f));
        }
        f = au_mem_new(w, sizeof(*f));
        if (!f)
                return NULL;
        f->inode = inode;
        ri_map_insert_u64(&w->files, &f->by_inode, key);
        ri_list_init(&f->used);
        ri_list_add_tail(&w->files_used, &f->used);
        return f;
}

void au_file_length(roma_wire *w, struct au_conn *c, uint32_t inode, uint64_t length, bool shorter_too)
{
        struct au_file *f = inode && c->master ? file_of(w, c, inode, true) : NULL;

        if (f && (length > f->length || shorter_too))
                f->length = length;
}

uint32_t au_chunk_inode(roma_wire *w, uint64_t chunk)
{
        for (uint32_t master = 0; chunk && master <= w->masters; master++) {
                struct au_grant *g = grant_find(w, master, chunk);

                if (g)
                        return g->inode;
        }
        return 0;
}

static struct au_where here(const roma_wire *w, const struct au_conn *c)
{
        return (struct au_where){ w->frame, c->number, w->frame_ns, *au_client(c), *au_server(c) };
}

static struct au_spot spot(struct au_conn *c, const struct au_grant *g)
{
        return (struct au_spot){ NULL, c, g, g ? g->key.chunk : 0, -1 };
}

/* ---- the master's side ------------------------------------------------------------------------------------- */

static bool held(const roma_wire *w, const struct au_grant *g)
{
        return !g->ended && !g->only_read && ms_since(w, g->at_ns) <= LOCK_MS;
}

/* The clock of the capturer was set meanwhile: how old it is is not known. */
static bool timeless(const roma_wire *w, const struct au_grant *g)
{
        return w->stepped > g->frame;
}

/* CONTINUEOP takes over a lock without a test. */
static void check_continue(roma_wire *w, struct au_conn *c, const struct au_grant *g,
                           const struct au_request *rq)
{
        struct au_spot at = spot(c, g);

        if (!(rq->flags & WIRE_CHUNKOP_CONTINUEOP) || g->doubt || g->only_read || g->refused || au_deaf(c) ||
            g->blind != w->blind)
                return; /* a refused END has given nothing back */
        if (g->ended)
                au_broken(w, AU_CONTINUE, &at,
                          "CONTINUEOP for a chunk whose lock was given back in frame %llu", ID(g->end_frame));
        else if (g->session != c->master->session && held(w, g))
                au_broken(w, AU_CONTINUE, &at,
                          "CONTINUEOP for a chunk that session %u holds since frame %llu", g->session,
                          ID(g->frame));
}

static void no_end(roma_wire *w, struct au_conn *c, struct au_grant *g, const char *how)
{
        struct au_spot at = spot(c, g);

        au_broken(w, AU_NO_END, &at, "granted in frame %llu, %s without WRITE_CHUNK_END", ID(g->frame), how);
        g->ended = true; /* once is enough */
        g->end_frame = w->frame;
}

static void grant_again(roma_wire *w, struct au_conn *c, struct au_grant *g, const struct au_request *rq)
{
        bool goes_on = held(w, g) && g->session == c->master->session;
        bool unclear = !g->ended && !g->only_read && !goes_on && timeless(w, g);

        check_continue(w, c, g, rq);
        if (!g->ended && !g->only_read && !goes_on && !unclear && !g->doubt && !g->orphan &&
            g->blind == w->blind && g->session == c->master->session && !au_tcp_incomplete(w))
                no_end(w, c, g, "its lock ran out");
        if (goes_on && rq->flags & WIRE_CHUNKOP_CONTINUEOP) {
                g->doubt = g->doubt || g->blind != w->blind;
                return;
        }
        g->acked = g->acked_nonzero = 0;
        g->sessions = g->rewrites = 0;
        g->waiting = 0;
        g->trouble = g->nlost > 0;
        /* without an END between them, what was lost under the one grant is written under the other */
        g->doubt = unclear || (!g->ended && !g->only_read && (g->doubt || g->blind != w->blind));
        memset(g->touched, 0, sizeof(g->touched));
}

void au_grant_given(roma_wire *w, struct au_conn *c, const struct au_request *rq, uint64_t chunk,
                    uint32_t version, uint64_t length, const struct au_locs *locs)
{
        struct au_grant *g = grant_find(w, c->master->number, chunk);
        bool unknown; /* what was written under a grant before this */

        if (!chunk)
                return;
        unknown = g ? g->only_read && (g->doubt || rq->flags & WIRE_CHUNKOP_CONTINUEOP)
                    : rq->flags & WIRE_CHUNKOP_CONTINUEOP;
        if (g) {
                au_held_late_grant(w, g, rq->frame);
                grant_again(w, c, g, rq);
        } else {
                g = grant_make(w, c->master->number, chunk);
        }
        if (!g)
                return;
        g->version = version;
        g->inode = rq->inode;
        g->index = rq->index;
        g->session = c->master->session;
        g->conn = c->number;
        g->client = *au_client(c);
        g->length = length;
        g->frame = w->frame;
        g->at_ns = g->data_ns = w->now_ns;
        g->ended = g->orphan = g->refused = g->only_read = false;
        g->nservers = locs->n;
        g->blind = w->blind;
        g->doubt |= unknown;
        g->chain.frame = g->early.frame = 0;
        memcpy(g->ip, locs->ip, sizeof(g->ip));
        memcpy(g->port, locs->port, sizeof(g->port));
        au_file_length(w, c, rq->inode, length, false);
}

void au_chunk_read(roma_wire *w, struct au_conn *c, uint32_t inode, uint32_t index, uint64_t chunk,
                   uint32_t version, const struct au_locs *locs)
{
        struct au_grant *g = grant_find(w, c->master->number, chunk);

        if (!chunk || g)
                return;
        g = grant_make(w, c->master->number, chunk);
        if (!g)
                return;
        g->only_read = true;
        g->client = *au_client(c);
        g->blind = w->blind;
        g->version = version;
        g->inode = inode;
        g->index = index;
        g->frame = w->frame;
        g->at_ns = w->now_ns;
        g->nservers = locs->n;
        memcpy(g->ip, locs->ip, sizeof(g->ip));
        memcpy(g->port, locs->port, sizeof(g->port));
}

/* ---- END --------------------------------------------------------------------------------------------------- */

/* All that is open on this chunk: can it be told what was answered? */
static bool clear(roma_wire *w, const struct au_grant *g)
{
        if (g->doubt || !g->sessions || g->blind != w->blind)
                return false;
        ri_list_for_each(l, &w->writing)
        {
                struct au_cs_talk *t = ri_container_of(l, struct au_cs_talk, writing);

                if (t->write.g == g && au_deaf(t->conn))
                        return false;
        }
        return true;
}

static uint32_t lost_from(const struct au_grant *g)
{
        uint32_t from = UINT32_MAX;

        for (unsigned i = 0; i < g->nlost; i++)
                from = g->lost[i].from < from ? g->lost[i].from : from;
        return from;
}

static const char *lost_text(const struct au_grant *g, char *buf, size_t size)
{
        uint32_t from = lost_from(g), to = 0;

        for (unsigned i = 0; i < g->nlost; i++)
                to = g->lost[i].to > to ? g->lost[i].to : to;
        snprintf(buf, size,
                 "blocks %u to %u of the chunk (bytes %u to %u) were sent, never acknowledged, and not sent "
                 "again",
                 from / WIRE_BLOCK_SIZE, (to - 1) / WIRE_BLOCK_SIZE, from, to);
        return buf;
}

static void lost_data(roma_wire *w, struct au_conn *c, struct au_grant *g, const char *after)
{
        struct au_spot at = spot(c, g);
        char text[200];

        at.block = lost_from(g) / WIRE_BLOCK_SIZE;
        au_broken(w, AU_LOST_DATA, &at, "%s%s", lost_text(g, text, sizeof(text)), after);
        g->nlost = 0;
}

static void too_short(roma_wire *w, struct au_conn *c, struct au_grant *g, uint64_t length, uint64_t acked)
{
        struct au_spot at = spot(c, g);
        uint64_t base = (uint64_t)g->index << WIRE_CHUNK_BITS;

        at.block = (int64_t)(length > base ? (length - base) / WIRE_BLOCK_SIZE : 0);
        if (g->index && length <= WIRE_CHUNK_SIZE && length >= g->acked_nonzero && length <= g->acked)
                au_broken(w, AU_END_RELATIVE, &at,
                          "END says length %llu, counted from chunk index %u; the file reaches to %llu",
                          ID(length), g->index, ID(acked));
        else
                au_broken(w, AU_END_SHORT, &at,
                          "END says length %llu, but data up to %llu were acknowledged: the last %llu bytes "
                          "lie "
                          "behind the end of the file",
                          ID(length), ID(acked), ID(acked - length));
}

static void too_long(roma_wire *w, struct au_conn *c, struct au_grant *g, uint64_t length, uint64_t acked)
{
        uint64_t base = (uint64_t)g->index << WIRE_CHUNK_BITS;
        struct au_spot at = spot(c, g);
        char again[120] = "";

        if (length > base + WIRE_CHUNK_SIZE && g->acked) {
                au_broken(w, AU_END_INDEX, &at,
                          "END says length %llu, which lies behind the end of chunk index %u (%llu): the "
                          "data of "
                          "the next chunk went into this one",
                          ID(length), g->index, ID(base + WIRE_CHUNK_SIZE));
                return;
        }
        if (g->rewrites)
                snprintf(again, sizeof(again),
                         "; block %u was written from its start again, and %u more: did block numbers start "
                         "anew?",
                         g->first_rewrite, g->rewrites - 1);
        at.block = g->acked / WIRE_BLOCK_SIZE;
        au_broken(w, AU_END_LONG, &at, "END says length %llu, but data only up to %llu were acknowledged%s",
                  ID(length), ID(acked), again);
}

static void check_end_length(roma_wire *w, struct au_conn *c, struct au_grant *g, uint64_t length,
                             uint64_t known)
{
        uint64_t base = (uint64_t)g->index << WIRE_CHUNK_BITS;
        uint64_t acked = g->acked ? base + g->acked : 0,
                 content = g->acked_nonzero ? base + g->acked_nonzero : 0;
        uint64_t longest = known > g->length ? known : g->length;
        struct au_spot at = spot(c, g);

        if (length < content && longest < content && !g->trouble)
                too_short(w, c, g, length, content);
        else if (length > longest && length > acked && !g->trouble)
                too_long(w, c, g, length, acked);
        else if (length && length < g->length && known >= g->length && length <= acked && length >= content)
                au_broken(w, AU_NO_TRUNCATE, &at,
                          "END says length %llu for a file of %llu bytes, and END never makes a file "
                          "shorter: the "
                          "last %llu bytes are still the old ones",
                          ID(length), ID(g->length), ID(g->length - length));
}

static void tell_chain(roma_wire *w, struct au_grant *g)
{
        struct au_spot at = spot(NULL, g);

        if (!g->chain.frame)
                return;
        at.where = &g->chain;
        if (g->blind != w->blind || g->doubt || au_tcp_incomplete(w))
                au_unchecked(w,
                             "chunk %016llX: whether all its servers are written to; bytes are missing in "
                             "the capture",
                             ID(g->key.chunk));
        else
                au_broken(w, AU_CHAIN, &at, "WRITE goes to %u of the %u servers that WRITE_CHUNK named%s%s",
                          g->chain_found, g->nservers, g->chain_twice ? ", to one of them twice" : "",
                          g->chain_strange ? ", and to one that it did not name" : "");
        g->chain.frame = 0;
}

/* Told when a status comes that is later than END by its own time, or will not come at all: frames of two connections
 * may stand in a capture in the wrong order. */
static void tell_early(roma_wire *w, struct au_grant *g)
{
        struct au_spot at = spot(NULL, g);
        uint32_t n = g->early_waiting;

        if (!g->early.frame)
                return;
        at.where = &g->early;
        if (!g->doubt && g->blind == w->blind)
                au_broken(w, AU_END_EARLY, &at, "END while %u packet%s of data wait%s for an answer", n,
                          n == 1 ? "" : "s", n == 1 ? "s" : "");
        g->early.frame = 0;
}

void au_grant_end(roma_wire *w, struct au_conn *c, uint64_t chunk, uint32_t inode, uint64_t length)
{
        struct au_grant *g = grant_find(w, c->master->number, chunk);
        struct au_file *f = file_of(w, c, inode, false);
        uint64_t known = f ? f->length : 0;

        au_file_length(w, c, inode, length, false);
        if (!g || g->ended || g->only_read)
                return;
        if (!f) /* how long the file was has been forgotten: the grant had said it */
                g->doubt = true;
        g->ended = true;
        g->end_frame = w->frame;
        tell_chain(w, g);
        if (!clear(w, g)) {
                g->doubt = g->sessions > 0 || g->blind != w->blind;
                g->blind = w->blind;
                if (g->sessions || length > known)
                        au_unchecked(
                                w,
                                "END of chunk %016llX in frame %llu: not all of what was written to it is in "
                                "the capture",
                                ID(chunk), ID(w->frame));
                return;
        }
        if (g->waiting) {
                g->early = here(w, c);
                g->early_waiting = g->waiting;
        } else {
                check_end_length(w, c, g, length, known);
        }
        if (g->nlost && length > ((uint64_t)g->index << WIRE_CHUNK_BITS) + lost_from(g) && length > g->length)
                lost_data(w, c, g, ", but END says that the file has them");
}

void au_grant_end_failed(roma_wire *w, struct au_conn *c, uint64_t chunk, uint8_t status)
{
        struct au_grant *g = grant_find(w, c->master->number, chunk);

        if (g && (status == WIRE_STATUS_ENOENT || status == WIRE_STATUS_EPERM || status == WIRE_STATUS_QUOTA))
                g->refused = true; /* the master has not given the lock back */
}

/* ---- sessions ---------------------------------------------------------------------------------------------- */

void au_session_closed(roma_wire *w, struct au_conn *c, bool certain)
{
        certain = certain && !au_tcp_incomplete(w);
        ri_list_for_each(l, &w->grants_used)
        {
                struct au_grant *g = ri_container_of(l, struct au_grant, used);

                if (g->ended || g->only_read || g->conn != c->number || g->key.master != c->master->number)
                        continue;
                if (certain && !g->doubt && g->blind == w->blind)
                        no_end(w, c, g, "the session was closed");
                else
                        g->orphan = true; /* or its END is in a hole of the capture */
        }
}

/* A master may have more than one address, and the same session at another one is perhaps this: then an END may be said
 * there. Or it is that of another cluster. */
void au_session_again(roma_wire *w, struct au_conn *c)
{
        ri_list_for_each(l, &w->grants_used)
        {
                struct au_grant *g = ri_container_of(l, struct au_grant, used);

                if (g->ended || g->only_read || g->session != c->master->session)
                        continue;
                if (g->key.master != c->master->number) {
                        g->doubt = true;
                } else if (g->orphan) {
                        g->orphan = false;
                        g->conn = c->number;
                        g->client = *au_client(c);
                }
        }
}

void au_grants_end(roma_wire *w)
{
        /* An END may be in it: behind it nothing came that would show a hole. */
        bool missing = au_tcp_incomplete(w);

        ri_list_for_each(l, &w->grants_used)
        {
                struct au_grant *g = ri_container_of(l, struct au_grant, used);
                bool settled = g->orphan || (ms_since(w, g->data_ns) > SETTLED_MS && !timeless(w, g)), over;

                if (g->only_read)
                        continue;
                if (!g->ended && (g->blind != w->blind || missing || (!g->orphan && timeless(w, g))))
                        g->doubt = true;
                if (!g->ended)
                        tell_chain(w, g);
                if (g->early.frame)
                        au_unchecked(w, "chunk %016llX: the capture ended before the last statuses",
                                     ID(g->key.chunk));
                if (g->nlost && settled && !g->doubt)
                        lost_data(w, NULL, g, " before the capture ended");
                else if (g->nlost)
                        au_unchecked(
                                w,
                                "chunk %016llX: the capture ended before data that got lost were sent again",
                                ID(g->key.chunk));
                over = !g->ended && (g->orphan || ms_since(w, g->at_ns) > LOCK_MS);
                if (over && g->doubt)
                        au_unchecked(
                                w,
                                "chunk %016llX: whether its WRITE_CHUNK_END came; bytes are missing in the "
                                "capture",
                                ID(g->key.chunk));
                if (g->ended || g->doubt)
                        continue;
                if (!g->orphan && g->waiting)
                        au_unchecked(w, "chunk %016llX: the capture ended while it was written to",
                                     ID(g->key.chunk));
                if (g->orphan)
                        no_end(w, NULL, g, "the client closed its connection to the master");
                else if (ms_since(w, g->at_ns) > LOCK_MS)
                        no_end(w, NULL, g, "its lock ran out");
        }
}

/* ---- the chunkserver's side -------------------------------------------------------------------------------- */

/* In a capture at the client the head's own words are missing. A client that says the same to the next server, from its
 * own host, is no head: it leaves one out. Hosts may have more addresses than these. */
static bool may_be_head(const struct au_forward *f, const struct au_addr *who)
{
        return au_same_host(who, &f->head) || !au_same_host(who, &f->client);
}

/* The head of a chain says to the next server what the client has said to it. */
static bool take_forward(roma_wire *w, struct au_conn *c, uint64_t chunk, uint32_t version, unsigned hops)
{
        const struct au_addr *server = au_server(c);

        ri_list_for_each(l, &w->forwards)
        {
                struct au_forward *f = ri_container_of(l, struct au_forward, link);

                if (f->chunk != chunk || f->version != version || f->hops != hops ||
                    f->port != server->port || f->ip != wire_be32(server->ip) ||
                    !may_be_head(f, au_client(c)))
                        continue;
                ri_list_del(l);
                w->nforwards--;
                au_mem_free(w, f, sizeof(*f));
                return true;
        }
        return false;
}

static void expect_forward(roma_wire *w, struct au_conn *c, uint64_t chunk, uint32_t version,
                           const struct au_locs *hops)
{
        struct au_forward *f;

        if (!hops->n)
                return;
        if (w->nforwards >= FORWARDS) {
                f = ri_container_of(w->forwards.next, struct au_forward, link);
                ri_list_del(&f->link);
                w->nforwards--;
                au_mem_free(w, f, sizeof(*f));
        }
        f = au_mem_new(w, sizeof(*f));
        if (!f)
                return;
        f->chunk = chunk;
        f->version = version;
        f->ip = hops->ip[0];
        f->port = hops->port[0];
        f->hops = (uint8_t)(hops->n - 1);
        f->client = *au_client(c);
        f->head = *au_server(c);
        ri_list_init(&f->link);
        ri_list_add_tail(&w->forwards, &f->link);
        w->nforwards++;
}

/* Noted here, told at the end of the grant: what looks like a client may be the head of a chain whose own session was
 * swallowed by a hole that shows later. */
static void check_chain(roma_wire *w, struct au_conn *c, struct au_grant *g, const struct au_locs *hops)
{
        const struct au_addr *head = au_server(c);
        unsigned found = has_server(g, wire_be32(head->ip), head->port), twice = 0, strange = !found;

        for (unsigned i = 0; i < hops->n; i++) {
                bool again = hops->ip[i] == wire_be32(head->ip) && hops->port[i] == head->port;

                for (unsigned k = 0; k < i && !again; k++)
                        again = hops->ip[i] == hops->ip[k] && hops->port[i] == hops->port[k];
                if (again)
                        twice++;
                else if (has_server(g, hops->ip[i], hops->port[i]))
                        found++;
                else
                        strange++;
        }
        if ((found == g->nservers && !twice && !strange) || g->chain.frame)
                return;
        g->chain = here(w, c);
        g->chain_found = (uint8_t)found;
        g->chain_twice = (uint8_t)twice;
        g->chain_strange = (uint8_t)strange;
}

static bool without_grant(roma_wire *w, struct au_conn *c, const struct au_grant *g)
{
        struct au_spot at = spot(c, g);

        if (!g->ended && !g->only_read)
                return false;
        if (g->doubt || g->blind != w->blind || au_tcp_incomplete(w)) {
                au_unchecked(w,
                             "chunk %016llX is written to in frame %llu; its WRITE_CHUNK may be in what the "
                             "capture "
                             "does not have",
                             ID(g->key.chunk), ID(w->frame));
                return true;
        }
        if (g->ended)
                au_broken(w, AU_NO_GRANT, &at,
                          "written without WRITE_CHUNK: its lock was given back in frame %llu",
                          ID(g->end_frame));
        else
                au_broken(
                        w, AU_NO_GRANT, &at,
                        "written without WRITE_CHUNK: the client knows it from a request to read, frame %llu",
                        ID(g->frame));
        return true;
}

/* The capture does not have its grant: when the next one comes, nobody knows what was written before. */
static void stray(roma_wire *w, struct au_conn *c, uint64_t chunk)
{
        struct au_grant *g;

        if (w->masters > 1 || grant_find(w, 1, chunk))
                return;
        g = grant_make(w, 1, chunk);
        if (!g)
                return;
        g->only_read = g->doubt = true;
        g->nservers = 1;
        g->ip[0] = wire_be32(au_server(c)->ip);
        g->port[0] = au_server(c)->port;
}

static void write_drop(roma_wire *w, struct au_write *x, bool lost);
static bool missed_something(const roma_wire *w, struct au_conn *c, const struct au_write *x);

void au_write_open(roma_wire *w, struct au_conn *c, uint64_t chunk, uint32_t version,
                   const struct au_locs *hops)
{
        struct au_write *x = &c->cs->write;
        struct au_grant *g;
        struct au_spot at;

        if (x->open) /* its FINISH may be missing */
                write_drop(w, x, !missed_something(w, c, x));
        x->open = true;
        x->blind = w->blind;
        x->chunk = chunk;
        x->version = version;
        x->up = x->finished = x->early = false;
        x->forward = take_forward(w, c, chunk, version, hops->n);
        expect_forward(w, c, chunk, version, hops);
        if (x->forward)
                return;
        g = grant_at(w, au_server(c), chunk);
        if (!g) {
                au_unchecked(w,
                             "chunk %016llX is written to in frame %llu; the capture does not have its "
                             "WRITE_CHUNK",
                             ID(chunk), ID(w->frame));
                stray(w, c, chunk);
                return;
        }
        at = spot(c, g);
        w->report.writes++;
        x->g = g;
        g->writers++;
        g->sessions++;
        ri_list_del(&c->cs->writing);
        ri_list_add_tail(&w->writing, &c->cs->writing);
        x->early = without_grant(w, c, g);
        if (x->early)
                return;
        if (version && version != g->version && g->blind == w->blind)
                au_broken(w, AU_WRONG_ID, &at, "WRITE names version %u, the grant said %u", version,
                          g->version);
        check_chain(w, c, g, hops);
}

static void add_lost(struct au_grant *g, uint32_t from, uint32_t to)
{
        if (g->nlost < AU_LOST)
                g->lost[g->nlost++] = (struct au_range){ from, to };
        else
                g->doubt = true; /* what is not kept cannot be found again */
}

static void lose_range(struct au_grant *g, uint32_t from, uint32_t to)
{
        g->trouble = true;
        if (from >= to)
                return;
        for (unsigned i = 0; i < g->nlost; i++) {
                struct au_range *r = &g->lost[i];

                if (from <= r->to && to >= r->from) {
                        r->from = from < r->from ? from : r->from;
                        r->to = to > r->to ? to : r->to;
                        return;
                }
        }
        add_lost(g, from, to);
}

static void found_range(struct au_grant *g, uint32_t from, uint32_t to)
{
        for (unsigned i = 0; i < g->nlost;) {
                struct au_range *r = &g->lost[i];

                if (from > r->from && to < r->to) { /* both sides are still to come */
                        add_lost(g, to, r->to);
                        r->to = from;
                } else if (from <= r->from && to > r->from) {
                        r->from = to < r->to ? to : r->to;
                } else if (to >= r->to && from < r->to) {
                        r->to = from;
                }
                if (r->from >= r->to)
                        *r = g->lost[--g->nlost];
                else
                        i++;
        }
}

/* After a FINISH nobody waits for it any more; the loss is what that rule says. */
static void data_gone(roma_wire *w, const struct au_write *x, const struct au_data *d, bool lost)
{
        struct au_grant *g = x->g;

        if (!g)
                return;
        if (g->waiting && !x->finished)
                g->waiting--;
        if (g->early.frame && (lost || w->frame_ns > g->early.time_ns))
                tell_early(w, g);
        else if (g->early.frame && !g->waiting)
                g->early.frame = 0; /* all were in time */
        if (lost)
                lose_range(g, d->from, x->finished ? d->from : d->to);
}

/* The session is over; what it had not been answered is lost, or nobody knows. */
static void write_drop(roma_wire *w, struct au_write *x, bool lost)
{
        for (uint32_t i = 0; i < x->n; i++)
                data_gone(w, x, &x->data[i], lost);
        if (x->g && x->n && !lost)
                x->g->doubt = true;
        if (x->g)
                x->g->writers--;
        x->g = NULL;
        x->n = 0;
        x->open = false;
}

static bool remember(roma_wire *w, struct au_write *x, const struct au_data *d)
{
        if (x->n == x->cap) {
                uint32_t cap = x->cap ? 2 * x->cap : 16;
                struct au_data *data = cap > 64 * AU_PENDING ? NULL
                                                             : au_mem_grow(w, x->data, x->cap * sizeof(*d),
                                                                           cap * sizeof(*d));

                if (!data) {
                        w->report.forgotten++;
                        return false;
                }
                x->data = data;
                x->cap = cap;
        }
        x->data[x->n++] = *d;
        return true;
}

/* The rules of one packet; false: it is not worth to be followed. */
static bool check_packet(roma_wire *w, struct au_conn *c, const struct au_write *x, const struct wire_data *d,
                         const struct au_packet *p)
{
        struct au_spot at = { NULL, c, x->g, d->chunkid, d->block };
        uint32_t size = p->length - WIRE_WRITE_DATA_HEADER;

        if (d->chunkid != x->chunk && x->blind != w->blind) { /* another session may have begun there */
                if (x->g)
                        x->g->doubt = true;
                return false;
        }
        if (d->chunkid != x->chunk) {
                au_broken(w, AU_WRONG_ID, &at, "data for chunk %016llX in a session that writes %016llX",
                          ID(d->chunkid), ID(x->chunk));
                return false;
        }
        if (d->size != size || d->size > WIRE_BLOCK_SIZE || d->size > WIRE_BLOCK_SIZE - d->offset ||
            d->block >= WIRE_BLOCKS_PER_CHUNK) {
                au_broken(w, AU_BLOCK, &at,
                          "data at block %u offset %u say %u bytes and bring %u: a packet must lie inside "
                          "one of the "
                          "1024 blocks of 65536 bytes",
                          d->block, d->offset, d->size, size);
                return false;
        }
        if (!p->holed && d->crc != p->crc)
                au_broken(w, AU_CRC, &at,
                          "data at block %u offset %u: the CRC of these %u bytes is %08X, not %08X", d->block,
                          d->offset, size, p->crc, d->crc);
        if (!d->writeid)
                au_broken(w, AU_WRITEID_ZERO, &at, "data at block %u offset %u have writeid 0", d->block,
                          d->offset);
        return true;
}

static void touch(struct au_grant *g, const struct wire_data *d)
{
        uint64_t bit = UINT64_C(1) << (d->block & 63);

        if (d->offset)
                return;
        if (g->touched[d->block >> 6] & bit && !g->rewrites++)
                g->first_rewrite = d->block;
        g->touched[d->block >> 6] |= bit;
}

/* Data need the lock: after END, or 120 s, somebody else may have it. */
static void check_lock(roma_wire *w, struct au_write *x, const struct au_spot *at)
{
        const struct au_grant *g = x->g;

        if (x->early || g->doubt || g->only_read || g->blind != w->blind)
                return;
        if (g->ended)
                au_broken(w, AU_AFTER_END, at, "data after the END of frame %llu", ID(g->end_frame));
        else if (ms_since(w, g->at_ns) > LOCK_MS && timeless(w, g))
                au_unchecked(w,
                             "chunk %016llX: whether its lock had run out in frame %llu; the clock was set "
                             "while this was captured",
                             ID(g->key.chunk), ID(w->frame));
        else if (ms_since(w, g->at_ns) > LOCK_MS)
                au_broken(w, AU_LOCK_TIME, at, "data %lld s after the grant of frame %llu",
                          (long long)(ms_since(w, g->at_ns) / 1000), ID(g->frame));
        else
                return;
        x->early = true; /* once for each session */
}

/* The capture does not have the beginning of this connection. */
static void data_without_session(roma_wire *w, struct au_conn *c, uint64_t chunk)
{
        struct au_grant *g = grant_at(w, au_server(c), chunk);

        if (g)
                g->doubt = true;
        else
                stray(w, c, chunk);
}

void au_write_data(roma_wire *w, struct au_conn *c, const struct au_packet *p)
{
        struct au_write *x = &c->cs->write;
        struct wire_data d;
        struct au_data data;
        struct au_spot at;
        bool sound;

        if (!x->open && !x->chunk && p->kept >= WIRE_WRITE_DATA_HEADER)
                data_without_session(w, c, wire_be64(p->body));
        if (!x->open || x->forward)
                return;
        if (p->kept < WIRE_WRITE_DATA_HEADER) {
                at = (struct au_spot){ NULL, c, x->g, x->chunk, -1 };
                if (p->whole)
                        au_broken(w, AU_BLOCK, &at, "data of %u bytes: the head alone has %d", p->length,
                                  WIRE_WRITE_DATA_HEADER);
                if (x->g)
                        x->g->doubt = true;
                return;
        }
        d = (struct wire_data){ wire_be64(p->body),      wire_be32(p->body + 8),  wire_be16(p->body + 12),
                                wire_be16(p->body + 14), wire_be32(p->body + 16), wire_be32(p->body + 20) };
        sound = check_packet(w, c, x, &d, p);
        if (!x->g)
                return;
        at = spot(c, x->g);
        at.block = d.block;
        check_lock(w, x, &at);
        if (d.block >= WIRE_BLOCKS_PER_CHUNK)
                d.block = WIRE_BLOCKS_PER_CHUNK - 1, d.offset = 0, d.size = 0;
        x->g->data_ns = w->now_ns;
        data.writeid = d.writeid;
        data.from = d.block * WIRE_BLOCK_SIZE + d.offset;
        data.to = data.from + (sound ? d.size : d.size < WIRE_BLOCK_SIZE ? d.size : WIRE_BLOCK_SIZE);
        data.nonzero = p->holed ? data.to : data.from + (p->nonzero < d.size ? p->nonzero : d.size);
        data.frame = w->frame;
        if (!remember(w, x, &data))
                x->g->doubt = true;
        else
                x->g->waiting++;
        if (sound)
                touch(x->g, &d);
}

static void answered(roma_wire *w, const struct au_write *x, const struct au_data *d, uint8_t status)
{
        struct au_grant *g = x->g;

        data_gone(w, x, d, status != WIRE_STATUS_OK);
        if (!g || status != WIRE_STATUS_OK)
                return;
        if (d->to > g->acked)
                g->acked = d->to;
        if (d->nonzero > d->from && d->nonzero > g->acked_nonzero)
                g->acked_nonzero = d->nonzero;
        found_range(g, d->from, d->to);
}

void au_write_status(roma_wire *w, struct au_conn *c, uint64_t chunk, uint32_t writeid, uint8_t status)
{
        struct au_write *x = &c->cs->write;
        uint32_t i = 0;

        if (!x->open || x->forward || chunk != x->chunk)
                return;
        if (!writeid && !x->up) {
                x->up = status == WIRE_STATUS_OK;
                if (!x->up)
                        write_drop(w, x, true);
                return;
        }
        if (!writeid && status != WIRE_STATUS_OK) {
                write_drop(w, x, true); /* the whole session */
                return;
        }
        while (i < x->n && x->data[i].writeid != writeid)
                i++;
        if (i == x->n) {
                x->blind = UINT64_MAX; /* its data are not in the capture, or come too late */
                if (x->g)
                        x->g->doubt = true;
                return;
        }
        answered(w, x, &x->data[i], status);
        memmove(&x->data[i], &x->data[i + 1], (--x->n - i) * sizeof(x->data[0]));
        if (x->finished && !x->n)
                write_drop(w, x, true);
}

/* A hole shows only when something comes behind it: then it may be seen too late that a packet is missing. */
static bool missed_something(const roma_wire *w, struct au_conn *c, const struct au_write *x)
{
        return au_deaf(c) || x->blind != w->blind;
}

void au_write_finish(roma_wire *w, struct au_conn *c, uint64_t chunk, uint32_t version)
{
        struct au_write *x = &c->cs->write;
        struct au_spot at = { NULL, c, x->g, chunk, -1 };

        if (!x->open || x->forward)
                return;
        if ((chunk != x->chunk || version != x->version) && x->blind != w->blind) {
                write_drop(w, x, false); /* of another session, whose beginning is missing */
                return;
        }
        if (chunk != x->chunk || version != x->version) {
                au_broken(w, AU_WRONG_ID, &at,
                          "FINISH names chunk %016llX version %u, WRITE said %016llX version %u", ID(chunk),
                          version, ID(x->chunk), x->version);
                return;
        }
        if (x->n && !missed_something(w, c, x)) {
                at.block = x->data[0].from / WIRE_BLOCK_SIZE;
                au_broken(w, AU_FINISH_EARLY, &at,
                          "FINISH while %u packet%s of data wait%s for an answer, from block %u (frame %llu) "
                          "on",
                          x->n, x->n == 1 ? "" : "s", x->n == 1 ? "s" : "", x->data[0].from / WIRE_BLOCK_SIZE,
                          ID(x->data[0].frame));
        }
        if (x->g && x->n) {
                x->g->waiting -= x->n < x->g->waiting ? x->n : x->g->waiting;
                x->g->trouble = true;
                x->g->doubt = x->g->doubt || missed_something(w, c, x);
        }
        x->finished = true;
        if (!x->n)
                write_drop(w, x, true);
}

void au_write_closed(roma_wire *w, struct au_conn *c)
{
        struct au_write *x = &c->cs->write;

        if (x->open)
                write_drop(w, x, !missed_something(w, c, x));
        ri_list_del(&c->cs->writing);
}

void au_write_forget(roma_wire *w, struct au_conn *c)
{
        struct au_write *x = &c->cs->write;

        if (x->open && x->g)
                x->g->doubt = true;
        if (x->open)
                write_drop(w, x, false);
        ri_list_del(&c->cs->writing);
}

void au_grants_free(roma_wire *w)
{
        while (!ri_list_empty(&w->grants_used))
                grant_free(w, ri_container_of(w->grants_used.next, struct au_grant, used));
        while (!ri_list_empty(&w->files_used)) {
                struct au_file *f = ri_container_of(w->files_used.next, struct au_file, used);

                ri_map_remove(&w->files, &f->by_inode);
                ri_list_del(&f->used);
                au_mem_free(w, f, sizeof(*f));
        }
        while (!ri_list_empty(&w->forwards)) {
                struct au_forward *f = ri_container_of(w->forwards.next, struct au_forward, link);

                ri_list_del(&f->link);
                au_mem_free(w, f, sizeof(*f));
        }
}
