/* SPDX-License-Identifier: MIT */
/* The public calls, and the memory of one audit. */
#include "mfsproto/audit/inner.h"

#include <stdio.h>
#include <stdlib.h>

enum { MEM_DEFAULT = 32 << 20, TEXT_MAX = 2 << 16 };

void *au_mem_new(roma_wire *w, size_t n)
{
        void *p;

        if (n > w->mem_max - w->mem)
                return NULL;
        p = calloc(1, n);
        if (p)
                w->mem += n;
        return p;
}

void *au_mem_grow(roma_wire *w, void *p, size_t from, size_t to)
{
        if (to - from > w->mem_max - w->mem)
                return NULL;
        p = realloc(p, to);
        if (p)
                w->mem += to - from;
        return p;
}

void au_mem_free(roma_wire *w, void *p, size_t n)
{
        if (!p)
                return;
        free(p);
        w->mem -= n;
}

roma_wire *roma_wire_new(const roma_wire_opts *opts)
{
        roma_wire *w = calloc(1, sizeof(*w));

        if (!w)
                return NULL;
        w->opts.size = sizeof(w->opts);
        if (opts)
                memcpy(&w->opts, opts, opts->size < sizeof(w->opts) ? opts->size : sizeof(w->opts));
        w->mem_max = w->opts.max_memory ? w->opts.max_memory : MEM_DEFAULT;
        for (size_t i = 0; w->opts.ports && i < w->opts.nports && i < AU_PORTS; i++)
                w->port[w->nports++] = w->opts.ports[i];
        ri_map_init(&w->conns);
        ri_map_init(&w->servers);
        ri_map_init(&w->grants);
        ri_map_init(&w->files);
        ri_list_init(&w->conns_used);
        ri_list_init(&w->proofs);
        ri_list_init(&w->held);
        ri_list_init(&w->grants_used);
        ri_list_init(&w->files_used);
        ri_list_init(&w->forwards);
        ri_list_init(&w->writing);
        ri_str_init(&w->text, TEXT_MAX);
        w->print = malloc(AU_PRINT);
        if (!w->print) {
                roma_wire_free(w);
                return NULL;
        }
        return w;
}

void roma_wire_free(roma_wire *w)
{
        if (!w)
                return;
        au_tcp_free(w);
        au_grants_free(w);
        au_held_free(w);
        ri_map_for_each_safe(n, tmp, &w->servers)
        {
                struct au_known *k = ri_container_of(n, struct au_known, by_addr);

                ri_map_remove(&w->servers, n);
                au_mem_free(w, k, sizeof(*k));
        }
        ri_map_free(&w->conns);
        ri_map_free(&w->servers);
        ri_map_free(&w->grants);
        ri_map_free(&w->files);
        ri_str_free(&w->text);
        free(w->print);
        free(w);
}

int roma_wire_linktype_ok(int linktype)
{
        return au_link_known(linktype);
}

void roma_wire_frame(roma_wire *w, int linktype, int64_t time_ns, const void *frame, size_t len,
                     size_t wirelen)
{
        struct au_segment s = { .full = wirelen > len ? wirelen : len };

        w->report.frames++;
        w->report.bytes += len;
        w->frame = w->report.frames;
        if (w->frame == 1)
                w->start_ns = time_ns;
        w->frame_ns = time_ns;
        if (time_ns > w->now_ns) /* clocks that step back would make locks older */
                w->now_ns = time_ns;
        if (wirelen > len)
                w->report.cut++;
        switch (au_link_known(linktype) ? au_link_parse(linktype, frame, len, &s) : AU_LINK_OTHER) {
        case AU_LINK_TCP: au_tcp_segment(w, &s); break;
        case AU_LINK_OTHER: w->report.other++; break;
        case AU_LINK_DAMAGED: w->report.damaged++; break;
        }
        if (!ri_list_empty(&w->held))
                au_held_look(w);
}

void roma_wire_end(roma_wire *w)
{
        if (w->ended)
                return;
        au_tcp_end(w);
        w->ended = true;
        au_grants_end(w);
        au_held_end(w);
}

const roma_wire_report *roma_wire_report_of(const roma_wire *w)
{
        return &w->report;
}
