/* SPDX-License-Identifier: MIT */
/* wire decode, wire audit: what is said in captured MooseFS traffic, and which rules a client broke. */
#include <arpa/inet.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "tools/tool.h"

/* Exit codes of this command alone: 0 no rule broken, 1 broken, 2 could not tell. */
enum { WIRE_CLEAN = 0, WIRE_BROKEN = 1, WIRE_UNSURE = 2 };

struct job {
        struct tool *t;
        const char *server; /* filter: "IP" or "IP:PORT" */
        uint64_t inode, chunk;
        uint64_t shown;
        uint64_t told;                         /* findings, of which there may be more than are told */
        uint64_t broken;                       /* those that pass the filters */
        bool has_inode, has_chunk, has_server; /* something was about what each filter names */
};

/* ---- filters ----------------------------------------------------------------------------------------------- */

static bool is_server(const char *end, const char *wanted)
{
        size_t n = strlen(wanted);

        return !strncmp(end, wanted, n) && (end[n] == 0 || end[n] == ':');
}

static bool passes(const struct job *j, uint32_t inode, uint64_t chunk, const char *from, const char *to)
{
        return (!j->inode || j->inode == inode) && (!j->chunk || j->chunk == chunk) &&
               (!j->server || is_server(from, j->server) || is_server(to, j->server));
}

/* ---- decode ------------------------------------------------------------------------------------------------ */

static void note_named(struct job *j, const roma_wire_message *m)
{
        j->has_inode |= m->inode == j->inode;
        j->has_chunk |= m->chunk == j->chunk;
        j->has_server |= j->server && (is_server(m->from, j->server) || is_server(m->to, j->server));
}

/* A number with a slip in it would pass for one of which no rule was broken. False after a message. */
static bool are_named(struct job *j)
{
        char inode[24], chunk[24];
        const char *unknown = j->server && !j->has_server ? j->server : NULL;

        snprintf(inode, sizeof(inode), "inode %" PRIu64, j->inode);
        snprintf(chunk, sizeof(chunk), "chunk %016" PRIX64, j->chunk);
        if (j->inode && !j->has_inode)
                unknown = inode;
        else if (j->chunk && !j->has_chunk)
                unknown = chunk;
        if (unknown)
                complain(j->t, "wire: nothing in this capture is about %s", unknown);
        return !unknown;
}

static void got_message(void *arg, const roma_wire_message *m)
{
        struct job *j = arg;
        char when[40];

        note_named(j, m);
        if (j->t->opt.audit || !passes(j, m->inode, m->chunk, m->from, m->to))
                return;
        j->shown++;
        if (j->t->opt.json) {
                out(j->t, "%s\n", m->json);
                return;
        }
        format_time(when, m->time_ns, true);
        out(j->t, "%" PRIu64 " %.29s %s > %s #%" PRIu64 " ", m->frame, when, m->from, m->to, m->connection);
        out_bytes(j->t, m->text, strlen(m->text));
        out_bytes(j->t, "\n", 1);
}

/* ---- audit ------------------------------------------------------------------------------------------------- */

static void add(json_t *o, const char *field, uint64_t value)
{
        json_object_set_new(o, field, json_of(json_integer((json_int_t)value)));
}

static void finding_json(struct tool *t, const roma_wire_finding *f)
{
        json_t *o = json_of(json_object());
        char text[40];

        json_name(o, "rule", f->rule->id);
        add(o, "frame", f->frame);
        snprintf(text, sizeof(text), "%lld.%09lld", (long long)(f->time_ns / 1000000000),
                 (long long)(f->time_ns % 1000000000));
        json_name(o, "time", text);
        add(o, "connection", f->connection);
        json_name(o, "from", f->from);
        json_name(o, "to", f->to);
        if (f->inode) {
                add(o, "inode", f->inode);
                add(o, "index", f->index);
        }
        if (f->chunk) {
                snprintf(text, sizeof(text), "%016llX", (unsigned long long)f->chunk);
                json_name(o, "chunk", text);
        }
        if (f->block >= 0)
                add(o, "block", (uint64_t)f->block);
        json_name(o, "text", f->text);
        json_name(o, "must", f->rule->rule);
        json_name(o, "effect", f->rule->effect);
        out_json(t, o);
}

void finding_show(struct tool *t, const roma_wire_finding *f)
{
        char when[40];

        if (t->opt.json) {
                finding_json(t, f);
                return;
        }
        format_time(when, f->time_ns, true);
        out(t, "rule %s is broken: frame %" PRIu64 ", %s", f->rule->id, f->frame, when);
        if (f->connection)
                out(t, ", connection %" PRIu64 " (%s to %s)", f->connection, f->from, f->to);
        if (f->inode)
                out(t, ", file with inode %u", f->inode);
        if (f->chunk)
                out(t, ", chunk %016llX", (unsigned long long)f->chunk);
        if (f->inode)
                out(t, " (index %u)", f->index);
        if (f->block >= 0)
                out(t, ", block %lld", (long long)f->block);
        out(t, "\n  seen:   %s\n  rule:   %s\n  effect: %s\n", f->text, f->rule->rule, f->rule->effect);
}

static void got_finding(void *arg, const roma_wire_finding *f)
{
        struct job *j = arg;

        j->told++;
        if (!passes(j, f->inode, f->chunk, f->from, f->to))
                return;
        j->broken++;
        finding_show(j->t, f);
}

static void got_unchecked(void *arg, const char *text)
{
        struct job *j = arg;
        json_t *o;

        if (!j->t->opt.json) {
                out(j->t, "not checked: %s\n", text);
                return;
        }
        o = json_of(json_object());
        json_name(o, "unchecked", text);
        out_json(j->t, o);
}

/* ---- the end ----------------------------------------------------------------------------------------------- */

static void report_json(struct job *j, const roma_wire_report *r)
{
        json_t *o = json_of(json_object()), *s = json_of(json_object());

        add(s, "frames", r->frames);
        add(s, "bytes", r->bytes);
        add(s, "other", r->other);
        add(s, "damaged", r->damaged);
        add(s, "cut", r->cut);
        add(s, "connections", r->connections);
        add(s, "moosefs", r->moosefs);
        add(s, "joined", r->joined);
        add(s, "messages", r->messages);
        add(s, "partial", r->partial);
        add(s, "gaps", r->gaps);
        add(s, "lost", r->lost);
        add(s, "writes", r->writes);
        add(s, "findings", r->findings);
        add(s, "unchecked", r->unchecked);
        add(s, "forgotten", r->forgotten);
        json_object_set_new(o, "summary", s);
        out_json(j->t, o);
}

static void report_text(struct job *j, const roma_wire_report *r)
{
        struct tool *t = j->t;

        out(t,
            "%" PRIu64 " frames, %" PRIu64 " of %" PRIu64 " TCP connections are MooseFS, %" PRIu64
            " messages, %" PRIu64 " write session%s\n",
            r->frames, r->moosefs, r->connections, r->messages, r->writes, r->writes == 1 ? "" : "s");
        if (r->gaps)
                out(t,
                    "missing: %" PRIu64 " bytes in %" PRIu64 " places; %" PRIu64 " messages are not whole\n",
                    r->lost, r->gaps, r->partial);
        if (r->cut)
                out(t, "missing: %" PRIu64 " frames were cut short (tcpdump -s 0 takes them whole)\n",
                    r->cut);
        if (r->damaged)
                out(t, "missing: %" PRIu64 " frames cannot be read, or are fragments of IP packets\n",
                    r->damaged);
        if (r->joined)
                out(t, "%" PRIu64 " connections had begun before the capture\n", r->joined);
        if (r->forgotten)
                out(t, "missing: %" PRIu64 " things were dropped for want of memory\n", r->forgotten);
        if (t->opt.audit && r->findings > j->told)
                out(t, "missing: %" PRIu64 " findings, of rules that were broken more than 1000 times\n",
                    r->findings - j->told);
        if (!r->moosefs)
                out(t, "there is no MooseFS in this capture; --port says where to look\n");
        else if (j->t->opt.audit)
                out(t, "%" PRIu64 " rule%s broken, %" PRIu64 " place%s not checked\n", r->findings,
                    r->findings == 1 ? "" : "s", r->unchecked, r->unchecked == 1 ? "" : "s");
}

/* What was not told may be what the filters ask for. */
static int verdict(struct job *j, const roma_wire_report *r, bool audit, bool damaged)
{
        bool unsure = damaged || !r->moosefs || r->gaps || r->damaged || r->unchecked || r->forgotten ||
                      (audit && r->findings > j->told);

        if (audit && j->broken)
                return WIRE_BROKEN;
        return unsure ? WIRE_UNSURE : WIRE_CLEAN;
}

static int run_one(struct job *j, const char *path, bool audit)
{
        roma_wire_opts opts = ROMA_WIRE_OPTS_INIT;
        bool damaged = false, read;
        int code = WIRE_UNSURE;
        roma_wire *w;

        opts.ports = j->t->opt.ports;
        opts.nports = j->t->opt.nports;
        opts.json = j->t->opt.json;
        opts.arg = j;
        if (audit) {
                opts.finding = got_finding;
                opts.unchecked = got_unchecked;
        }
        /* An audit looks at messages only for whether there are any of what was asked for. */
        if (!audit || j->inode || j->chunk || j->server)
                opts.message = got_message;
        w = roma_wire_new(&opts);
        if (!w) {
                complain(j->t, "wire: no memory, or a libroma that was built without MooseFS");
                return WIRE_UNSURE;
        }
        read = capture_read(j->t, path, w, &damaged);
        if (read) {
                roma_wire_end(w);
                if (j->t->opt.json)
                        report_json(j, roma_wire_report_of(w));
                else if (audit || !roma_wire_report_of(w)->moosefs)
                        report_text(j, roma_wire_report_of(w));
                code = verdict(j, roma_wire_report_of(w), audit, damaged);
                if (roma_wire_report_of(w)->moosefs && !j->broken && !are_named(j))
                        code = WIRE_UNSURE;
        }
        roma_wire_free(w);
        return code;
}

static int rules(struct tool *t)
{
        const roma_wire_rule *r;

        for (size_t i = 0; (r = roma_wire_rule_at(i)); i++)
                out(t, "%s\n  rule:   %s\n  effect: %s\n", r->id, r->rule, r->effect);
        return WIRE_CLEAN;
}

int cmd_wire(struct tool *t, int argc, char **argv)
{
        struct job j = { .t = t, .server = t->opt.server, .inode = t->opt.inode, .chunk = t->opt.chunk };
        bool audit;

        if (argc == 1 && !strcmp(argv[0], "rules"))
                return rules(t);
        if (argc != 2)
                return usage(t, "say decode or audit, and the capture");
        audit = !strcmp(argv[0], "audit");
        if (!audit && strcmp(argv[0], "decode") != 0)
                return usage(t, "there is no `wire %s`", argv[0]);
        t->opt.audit = audit;
        t->status = run_one(&j, argv[1], audit);
        return t->status;
}
