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
        struct au_about about;
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

static void not_decided(roma_wire *w, const roma_wire_finding *f, const char *why)
{
        au_unchecked(w, "chunk %016llX: whether %s was broken in frame %llu; %s",
                     (unsigned long long)f->chunk, f->rule->id, (unsigned long long)f->frame, why);
}

/* These compare with the length of the file, which other clients may have changed. */
static bool by_length(enum au_rule rule)
{
        return rule == AU_END_SHORT || rule == AU_END_LONG || rule == AU_END_RELATIVE ||
               rule == AU_END_INDEX || rule == AU_NO_TRUNCATE;
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

static void note_about(struct au_held *h, const struct au_spot *at)
{
        const struct au_grant *g = at->g;

        h->about.anybody = by_length(h->rule);
        if (at->where)
                h->about.client[0] = at->where->from;
        else if (at->c)
                h->about.client[0] = *au_client(at->c);
        if (!g)
                return;
        h->about.client[1] = g->client;
        h->master = g->key.master;
        h->granted = g->frame;
        h->about.servers.n = g->nservers;
        memcpy(h->about.servers.ip, g->ip, sizeof(g->ip));
        memcpy(h->about.servers.port, g->port, sizeof(g->port));
}

static unsigned slot(uint64_t chunk)
{
        return (unsigned)(chunk % AU_SLOTS);
}

static bool hold(roma_wire *w, enum au_rule rule, const roma_wire_finding *f, const struct au_spot *at)
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
        note_about(h, at);
        w->asked_before[slot(f->chunk)] = w->frame;
        ri_list_init(&h->link);
        put(w, h);
        return true;
}

void au_held_take(roma_wire *w, enum au_rule rule, const roma_wire_finding *f, const struct au_spot *at)
{
        bool now = certain(w, rule);

        if (now && ri_list_empty(&w->held)) {
                tell(w, rule, f);
                return;
        }
        if (hold(w, rule, f, at))
                return;
        if (now || w->told[rule] >= AU_TOLD_MAX)
                w->report.findings++;
        else
                not_decided(w, f, "too many wait to be decided");
}

/* why: it cannot be told; NULL: it was broken. */
static void decide(roma_wire *w, struct au_held *h, const char *why)
{
        if (why)
                not_decided(w, &h->f, why);
        else
                tell(w, h->rule, &h->f);
        drop(w, h);
}

static const char missing[] = "bytes are missing in the capture, or were not understood";

static const char *doubt(const roma_wire *w, const struct au_held *h)
{
        if (h->certain)
                return NULL;
        if ((h->rule == AU_LOCK_TIME || h->rule == AU_NO_END) && w->stepped > h->granted)
                return "the clock was set while this was captured"; /* how much time has passed is not known */
        if (h->late)
                return "a WRITE_CHUNK for it was on its way";
        return h->blind != w->blind ? missing : NULL;
}

static const char *never_shown(roma_wire *w)
{
        return au_tcp_incomplete(w)
                       ? missing
                       : "a connection has no beginning in the capture: start it before the client";
}

void au_held_look(roma_wire *w)
{
        while (!ri_list_empty(&w->held)) {
                struct au_held *h = first(w);
                enum au_shown shown = h->certain ? AU_SHOWN : au_tcp_shown(w, h->after, h->since_ns);
                const char *why = doubt(w, h);

                if (!why && shown == AU_SHOWN_NOT_YET)
                        return;
                if (!why && shown == AU_SHOWN_NEVER)
                        why = never_shown(w);
                decide(w, h, why);
        }
}

void au_held_late_grant(roma_wire *w, const struct au_grant *g, uint64_t asked)
{
        uint64_t *before = &w->asked_before[slot(g->key.chunk)], left = 0;

        if (asked >= *before) /* as nearly always: nobody walks over all that wait */
                return;
        ri_list_for_each(l, &w->held)
        {
                struct au_held *h = ri_container_of(l, struct au_held, link);

                if (h->f.chunk == g->key.chunk && h->master == g->key.master && asked < h->after)
                        h->late = true;
                if (slot(h->f.chunk) == slot(g->key.chunk) && !h->late && h->after > left)
                        left = h->after;
        }
        *before = left;
}

void au_held_end(roma_wire *w)
{
        const char *incomplete = !ri_list_empty(&w->held) && au_tcp_incomplete(w) ? missing : NULL;

        while (!ri_list_empty(&w->held)) {
                struct au_held *h = first(w);
                const char *why = doubt(w, h);

                if (!why && !h->certain)
                        why = incomplete;
                if (!why && !h->certain && !au_tcp_all_shown(w, h->after, &h->about))
                        why = "the capture ends before each connection has shown that nothing is missing: "
                              "capture some seconds longer, or only this client and its servers";
                decide(w, h, why);
        }
}

void au_held_free(roma_wire *w)
{
        while (!ri_list_empty(&w->held))
                drop(w, first(w));
}
