/* SPDX-License-Identifier: MIT */
/* What a client may not do with chunks, although the servers let it: each grant of WRITE_CHUNK is followed until its
 * WRITE_CHUNK_END. */
#include <stdarg.h>
#include <stdlib.h>

#include "mfsproto/peer/call.h"
#include "mfsproto/peer/inner.h"

static const char *const rules[MFS_RULES] = {
        [MFS_RULE_PACKET] = "packet",       [MFS_RULE_FINISH_EARLY] = "finish-early",
        [MFS_RULE_END_EARLY] = "end-early", [MFS_RULE_CHAIN] = "chain",
        [MFS_RULE_BLOCK] = "block",         [MFS_RULE_END_LENGTH] = "end-length",
        [MFS_RULE_NO_END] = "no-end",       [MFS_RULE_LOST_DATA] = "lost-data",
        [MFS_RULE_AFTER_END] = "after-end", [MFS_RULE_LOCK_TIME] = "lock-time",
        [MFS_RULE_NO_GRANT] = "no-grant",   [MFS_RULE_CONTINUE] = "continue",
        [MFS_RULE_PIPELINE] = "pipeline",   [MFS_RULE_MSGID] = "msgid",
};

const char *mfs_peer_rule_name(enum mfs_peer_rule rule)
{
        return (unsigned)rule < MFS_RULES ? rules[rule] : "peer";
}

/* MFS_RULES stands for a mistake of the peer itself: it is in the text and no client gets away with it. */
void peer_broken(struct mfs_peer *p, enum mfs_peer_rule rule, const char *fmt, ...)
{
        va_list ap;

        p->broken[rule]++;
        ri_str_printf(&p->violations, "%s: ", mfs_peer_rule_name(rule));
        va_start(ap, fmt);
        ri_str_vprintf(&p->violations, fmt, ap);
        va_end(ap);
        ri_str_putc(&p->violations, '\n');
}

/* ---- grants ------------------------------------------------------------------------------------------------ */

struct peer_grant *peer_audit_find(struct mfs_peer *p, uint64_t chunk)
{
        ri_list_for_each(l, &p->grants)
        {
                struct peer_grant *g = ri_container_of(l, struct peer_grant, link);

                if (g->chunk == chunk)
                        return g;
        }
        return NULL;
}

static struct peer_grant *grant_of(struct mfs_peer *p, uint64_t chunk)
{
        struct peer_grant *g = peer_audit_find(p, chunk);

        if (g)
                return g;
        g = calloc(1, sizeof *g);
        if (!g)
                return NULL;
        g->chunk = chunk;
        ri_list_init(&g->lost);
        ri_list_add_head(&p->grants, &g->link);
        return g;
}

struct peer_grant *peer_audit_grant(struct mfs_peer *p, const struct peer_chunk *ch, uint32_t session,
                                    uint32_t inode, uint32_t index, uint64_t length)
{
        struct peer_grant *g = grant_of(p, ch->id);

        if (!g)
                return NULL;
        if (g->ended || g->expired || g->session != session) { /* else it goes on */
                g->acked_end = 0;
                g->waiting = 0;
                g->trouble = !ri_list_empty(&g->lost);
        }
        g->ended = g->expired = false;
        g->version = ch->version;
        g->inode = inode;
        g->index = index;
        g->length = length;
        g->session = session;
        g->at_ns = ri_now();
        g->servers = ch->copies;
        memcpy(g->server, ch->server, sizeof g->server);
        return g;
}

void peer_audit_expired(struct mfs_peer *p, uint64_t chunk)
{
        struct peer_grant *g = peer_audit_find(p, chunk);

        if (!g || g->ended || g->expired)
                return;
        g->expired = true;
        if (g->told)
                peer_broken(p, MFS_RULE_NO_END, "chunk %llu: the lock ran out, nobody ended it",
                            (unsigned long long)chunk);
}

/* A session that says good-bye leaves no lock behind. */
void peer_audit_session(struct mfs_peer *p, uint32_t session)
{
        ri_list_for_each(l, &p->grants)
        {
                struct peer_grant *g = ri_container_of(l, struct peer_grant, link);

                if (g->session == session && g->told && !g->ended && !g->expired)
                        peer_broken(p, MFS_RULE_NO_END,
                                    "chunk %llu: session %u closed without WRITE_CHUNK_END",
                                    (unsigned long long)g->chunk, session);
        }
}

void peer_audit_end(struct mfs_peer *p, uint64_t chunk, uint32_t inode, uint64_t length, uint64_t file_length)
{
        struct peer_grant *g = peer_audit_find(p, chunk);
        uint64_t base, acked, longest;

        if (!g || g->ended)
                return;
        g->ended = true;
        base = (uint64_t)g->index << WIRE_CHUNK_BITS;
        acked = g->acked_end ? base + g->acked_end : 0;
        longest = g->length > file_length ? g->length : file_length;
        longest = acked > longest ? acked : longest;
        if (g->waiting)
                peer_broken(p, MFS_RULE_END_EARLY,
                            "chunk %llu: END while %u data packets wait for their answer",
                            (unsigned long long)chunk, g->waiting);
        if (length > longest || (length < acked && !g->trouble))
                peer_broken(p, MFS_RULE_END_LENGTH,
                            "chunk %llu of inode %u: END says %llu, acknowledged up to %llu, length was %llu",
                            (unsigned long long)chunk, inode, (unsigned long long)length,
                            (unsigned long long)acked, (unsigned long long)g->length);
        ri_list_for_each(l, &g->lost)
        {
                const struct peer_lost *x = ri_container_of(l, struct peer_lost, link);

                if (length > base + x->from && length > g->length)
                        peer_broken(p, MFS_RULE_LOST_DATA,
                                    "chunk %llu: END says %llu, but bytes %u to %u were never acknowledged",
                                    (unsigned long long)chunk, (unsigned long long)length, x->from, x->to);
        }
}

/* ---- data -------------------------------------------------------------------------------------------------- */

static bool same_servers(const struct peer_grant *g, const uint8_t *servers, unsigned n)
{
        unsigned want = 0, got = 0;

        for (unsigned i = 0; i < g->servers; i++)
                want |= 1u << g->server[i];
        for (unsigned i = 0; i < n; i++) {
                if (!servers[i] || got & 1u << servers[i])
                        return false;
                got |= 1u << servers[i];
        }
        return want == got;
}

void peer_audit_open(struct peer_conn *c, uint64_t chunk, const uint8_t *servers, unsigned n)
{
        struct mfs_peer *p = c->peer;
        struct peer_grant *g = peer_audit_find(p, chunk);

        if (!g)
                peer_broken(p, MFS_RULE_NO_GRANT, "chunk %llu: written without WRITE_CHUNK",
                            (unsigned long long)chunk);
        else if (!same_servers(g, servers, n))
                peer_broken(
                        p, MFS_RULE_CHAIN,
                        "chunk %llu: head and chain are %u servers, the grant had %u, or not the same ones",
                        (unsigned long long)chunk, n, g->servers);
}

void peer_audit_data(struct peer_conn *c, const struct wire_data *d)
{
        struct mfs_peer *p = c->peer;
        struct peer_grant *g = peer_audit_find(p, d->chunkid);
        unsigned long long id = d->chunkid;

        if (!d->writeid)
                peer_broken(p, MFS_RULE_BLOCK, "chunk %llu: data with writeid 0", id);
        if (!g)
                return;
        g->waiting++;
        if (g->ended)
                peer_broken(p, MFS_RULE_AFTER_END, "chunk %llu: data after END", id);
        else if (peer_ms(g->at_ns, ri_now()) > p->cfg.lock_ms)
                peer_broken(p, MFS_RULE_LOCK_TIME, "chunk %llu: data %llu ms after the grant", id,
                            (unsigned long long)peer_ms(g->at_ns, ri_now()));
}

/* What is left of a lost range when from .. to has been written. */
static void found_again(struct peer_lost *x, uint32_t from, uint32_t to)
{
        if (from <= x->from && to > x->from)
                x->from = to < x->to ? to : x->to;
        else if (to >= x->to && from < x->to)
                x->to = from;
}

void peer_audit_ack(struct mfs_peer *p, uint64_t chunk, uint32_t from, uint32_t to)
{
        struct peer_grant *g = peer_audit_find(p, chunk);

        if (!g)
                return;
        if (g->waiting)
                g->waiting--;
        if (to > g->acked_end)
                g->acked_end = to;
        ri_list_for_each_safe(l, tmp, &g->lost)
        {
                struct peer_lost *x = ri_container_of(l, struct peer_lost, link);

                found_again(x, from, to);
                if (x->from >= x->to) {
                        ri_list_del(l);
                        free(x);
                }
        }
}

void peer_audit_lost(struct mfs_peer *p, uint64_t chunk, uint32_t from, uint32_t to)
{
        struct peer_grant *g = peer_audit_find(p, chunk);
        struct peer_lost *x;

        if (!g)
                return;
        if (g->waiting)
                g->waiting--;
        g->trouble = true;
        x = from < to ? calloc(1, sizeof *x) : NULL;
        if (!x)
                return;
        x->from = from;
        x->to = to;
        ri_list_add_tail(&g->lost, &x->link);
}

void peer_audit_trouble(struct mfs_peer *p, uint64_t chunk)
{
        struct peer_grant *g = peer_audit_find(p, chunk);

        if (g)
                g->trouble = true;
}

void peer_audit_unanswered(struct mfs_peer *p, uint32_t session, uint32_t inode, uint32_t index)
{
        unsigned at = p->last_unanswered++ % PEER_UNANSWERED;

        p->unanswered[at].session = session;
        p->unanswered[at].inode = inode;
        p->unanswered[at].index = index;
}

bool peer_audit_was_unanswered(const struct mfs_peer *p, uint32_t session, uint32_t inode, uint32_t index)
{
        for (unsigned i = 0; i < PEER_UNANSWERED; i++)
                if (p->unanswered[i].session == session && p->unanswered[i].inode == inode &&
                    p->unanswered[i].index == index)
                        return true;
        return false;
}

void peer_audit_free(struct mfs_peer *p)
{
        struct ri_list *l, *m;

        while ((l = ri_list_pop(&p->grants))) {
                struct peer_grant *g = ri_container_of(l, struct peer_grant, link);

                while ((m = ri_list_pop(&g->lost)))
                        free(ri_container_of(m, struct peer_lost, link));
                free(g);
        }
}

/* ---- asked from outside ------------------------------------------------------------------------------------ */

struct asked {
        struct ri_str *text;
        size_t n;
        int rule; /* MFS_RULES + 1: all */
};

static void asked_run(struct mfs_peer *p, void *arg)
{
        struct asked *a = arg;

        for (int i = 0; i <= MFS_RULES; i++)
                if (a->rule > MFS_RULES || a->rule == i)
                        a->n += p->broken[i];
        if (a->text)
                ri_str_append(a->text, ri_str_cstr(&p->violations), p->violations.len);
}

size_t mfs_peer_violations(struct mfs_peer *p, struct ri_str *text)
{
        struct asked a = { text, 0, MFS_RULES + 1 };

        peer_call(p, asked_run, &a);
        return a.n;
}

size_t mfs_peer_broken(struct mfs_peer *p, enum mfs_peer_rule rule)
{
        struct asked a = { NULL, 0, (int)rule };

        peer_call(p, asked_run, &a);
        return a.n;
}

static void forgive_run(struct mfs_peer *p, void *arg)
{
        (void)arg;
        memset(p->broken, 0, sizeof p->broken);
        ri_str_reset(&p->violations);
}

void mfs_peer_forgive(struct mfs_peer *p)
{
        peer_call(p, forgive_run, NULL);
}
