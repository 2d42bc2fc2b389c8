/* SPDX-License-Identifier: MIT */
/* Findings that wait. Whoever captures may drop frames, and a hole shows only when something comes behind it, perhaps on
 * another connection than the one that seems to break a rule. So what depends on more than the packet at hand is told
 * once each connection has shown that nothing of it was missing at that time; if a hole shows first, nobody knows. */
#include "mfsproto/audit/inner.h"

struct au_held {
        struct ri_list link;
        size_t size;
        enum au_rule rule;
        bool certain;     /* waits only for its turn */
        bool late;        /* its grant was under way */
        uint64_t after;   /* frame after which holes have to show */
        uint64_t blind;   /* of the audit at that time */
        int64_t since_ns; /* time of the audit then */
        uint64_t granted; /* frame */
        uint32_t master;
        struct au_locs servers; /* of the chunk */
        roma_wire_finding f;
        char from[56], to[56], text[];
};

/* A packet that is wrong in itself, or wrong by what was said on its own connection: bytes that are missing there show in
 * its numbers, and what its sender has not received in its acknowledgement. */
static bool certain(const roma_wire *w, enum au_rule rule)
{
        switch (rule) {
        case AU_FINISH_EARLY:
        case AU_BLOCK:
        case AU_CRC:
        case AU_WRITEID_ZERO:
        case AU_PIPELINE:
        case AU_MSGID:
        case AU_PACKET: return true;
        default: return w->ended; /* nothing is going to show any more */
        }
}

static void tell(roma_wire *w, enum au_rule rule, const roma_wire_finding *f)
{
        w->report.findings++;
        if (w->opts.finding && w->told[rule]++ < AU_TOLD_MAX)
                w->opts.finding(w->opts.arg, f);
}

static void not_decided(roma_wire *w, const roma_wire_finding *f)
{
        au_unchecked(w,
                     "chunk %016llX: whether %s was broken in frame %llu; bytes are missing in the capture",
                     (unsigned long long)f->chunk, f->rule->id, (unsigned long long)f->frame);
}

static struct au_held *first(const roma_wire *w)
{
        return ri_container_of(w->held.next, struct au_held, link);
}

static void drop(roma_wire *w, struct au_held *h)
{
        w->waiting[h->rule]--;
        ri_list_del(&h->link);
        au_mem_free(w, h, h->size);
}

/* Behind all of earlier frames. */
static void put(roma_wire *w, struct au_held *h)
{
        struct ri_list *at = &w->held;

        while (at->prev != &w->held && ri_container_of(at->prev, struct au_held, link)->f.frame > h->f.frame)
                at = at->prev;
        ri_list_insert_before(at, &h->link);
        w->waiting[h->rule]++;
}

static bool hold(roma_wire *w, enum au_rule rule, const roma_wire_finding *f, const struct au_grant *g)
{
        size_t text = strlen(f->text) + 1, size = sizeof(struct au_held) + text;
        struct au_held *h = w->told[rule] + w->waiting[rule] < AU_TOLD_MAX ? au_mem_new(w, size) : NULL;

        if (!h)
                return false;
        h->size = size;
        h->rule = rule;
        h->certain = certain(w, rule);
        h->after = w->frame;
        h->blind = w->blind;
        h->since_ns = w->now_ns;
        h->f = *f;
        memcpy(h->from, f->from, strlen(f->from) + 1);
        memcpy(h->to, f->to, strlen(f->to) + 1);
        memcpy(h->text, f->text, text);
        h->f.from = h->from;
        h->f.to = h->to;
        h->f.text = h->text;
        if (g) {
                h->master = g->key.master;
                h->granted = g->frame;
                h->servers.n = g->nservers;
                memcpy(h->servers.ip, g->ip, sizeof(g->ip));
                memcpy(h->servers.port, g->port, sizeof(g->port));
        }
        ri_list_init(&h->link);
        put(w, h);
        return true;
}

void au_held_take(roma_wire *w, enum au_rule rule, const roma_wire_finding *f, const struct au_grant *g)
{
        bool now = certain(w, rule);

        if (now && ri_list_empty(&w->held)) {
                tell(w, rule, f);
                return;
        }
        if (hold(w, rule, f, g))
                return;
        if (now || w->told[rule] >= AU_TOLD_MAX)
                w->report.findings++;
        else
                not_decided(w, f);
}

static void decide(roma_wire *w, struct au_held *h, bool broken)
{
        if (broken)
                tell(w, h->rule, &h->f);
        else
                not_decided(w, &h->f);
        drop(w, h);
}

static bool in_doubt(const roma_wire *w, const struct au_held *h)
{
        if ((h->rule == AU_LOCK_TIME || h->rule == AU_NO_END) && w->stepped > h->granted)
                return true; /* how much time has passed is not known */
        return h->late || h->blind != w->blind;
}

void au_held_look(roma_wire *w)
{
        while (!ri_list_empty(&w->held)) {
                struct au_held *h = first(w);
                enum au_shown shown = AU_SHOWN;

                if (!h->certain)
                        shown = au_tcp_shown(w, h->after, h->since_ns);
                if (!h->certain && in_doubt(w, h))
                        shown = AU_SHOWN_NEVER;
                if (shown == AU_SHOWN_NOT_YET)
                        return;
                decide(w, h, shown == AU_SHOWN);
        }
}

void au_held_late_grant(roma_wire *w, const struct au_grant *g, uint64_t asked)
{
        ri_list_for_each(l, &w->held)
        {
                struct au_held *h = ri_container_of(l, struct au_held, link);

                if (h->f.chunk == g->key.chunk && h->master == g->key.master && asked < h->after)
                        h->late = true;
        }
}

void au_held_end(roma_wire *w)
{
        bool incomplete = !ri_list_empty(&w->held) && au_tcp_incomplete(w);

        while (!ri_list_empty(&w->held)) {
                struct au_held *h = first(w);

                decide(w, h,
                       h->certain || (!incomplete && !in_doubt(w, h) &&
                                      au_tcp_all_shown(w, h->after, &h->servers)));
        }
}

void au_held_free(roma_wire *w)
{
        while (!ri_list_empty(&w->held))
                drop(w, first(w));
}
