/* SPDX-License-Identifier: MIT */
/* What roma diagnose says about a file, for people and for programs. */
#include <inttypes.h>
#include <string.h>

#include "tools/examine.h"

static const char *const verdicts[] = { [CLEAN] = "clean", [DIFFERS] = "differs", [CANNOT_TELL] = "unknown" };

static const roma_mfs_chunk *chunk_of(const struct subject *s, uint32_t index)
{
        return index < s->map->chunks ? &s->map->chunk[index] : NULL;
}

static uint64_t start_of(const struct dg_range *r)
{
        return (uint64_t)r->chunk * ROMA_MFS_CHUNK_SIZE + (uint64_t)r->first * DG_BLOCK;
}

/* ---- programs --------------------------------------------------------------------------------------------- */

static void add(json_t *o, const char *field, uint64_t value)
{
        json_object_set_new(o, field, json_of(json_integer((json_int_t)value)));
}

static void add_text(json_t *o, const char *field, const char *value)
{
        json_object_set_new(o, field, json_of(json_string(value)));
}

static json_t *servers_json(const struct subject *s, const struct dg_range *r, uint32_t mask)
{
        const roma_mfs_chunk *c = chunk_of(s, r->chunk);
        json_t *list = json_of(json_array());

        for (size_t i = 0; c && i < c->copies && i < DG_COPIES; i++)
                if (mask >> i & 1)
                        json_array_append_new(list, json_of(json_string(c->copy[i].server)));
        return list;
}

static void add_id(json_t *o, const struct subject *s, uint32_t chunk)
{
        const roma_mfs_chunk *c = chunk_of(s, chunk);
        char id[24];

        add(o, "chunk", chunk);
        if (!c)
                return;
        snprintf(id, sizeof(id), "%016" PRIX64, c->id);
        add_text(o, "id", id);
        add(o, "version", c->version);
}

static json_t *range_json(const struct subject *s, const struct dg_range *r)
{
        json_t *o = json_of(json_object());

        add_text(o, "kind", "blocks");
        add_id(o, s, r->chunk);
        add(o, "first_block", r->first);
        add(o, "blocks", r->count);
        add_text(o, "pattern", dg_pattern_name(r->pattern));
        json_object_set_new(o, "pattern_seen", json_boolean(r->sure));
        json_object_set_new(o, "bad", servers_json(s, r, r->bad));
        json_object_set_new(o, "good", servers_json(s, r, r->good));
        json_object_set_new(o, "damaged", servers_json(s, r, r->rot));
        add_text(o, "reference", r->by_original ? "original" : r->guess ? "none" : "majority");
        json_object_set_new(o, "behind_end", json_boolean(r->behind));
        if (r->table_bit && r->at == DG_UNKNOWN)
                json_object_set_new(o, "table_bit", json_true());
        if (r->at != DG_UNKNOWN)
                add(o, "first_difference", r->at);
        if (r->end != DG_UNKNOWN)
                add(o, "end_of_difference", r->end);
        if (r->pattern == DG_SHIFT)
                json_object_set_new(o, "shift", json_of(json_integer(r->detail)));
        else if (r->pattern == DG_BIT)
                add(o, "bit", (uint64_t)r->detail % 8);
        else if (r->pattern == DG_SWAP || r->pattern == DG_OFFSET)
                add(o, "bytes_of", (uint64_t)r->detail);
        return o;
}

static json_t *note_json(const struct subject *s, const struct note *n)
{
        static const char *const weights[] = {
                [NOTE_INFO] = "info", [NOTE_UNKNOWN] = "unknown", [NOTE_BAD] = "bad"
        };
        json_t *o = json_of(json_object());

        add_text(o, "kind", n->kind);
        add_text(o, "weight", weights[n->weight]);
        if (n->chunk >= 0)
                add_id(o, s, (uint32_t)n->chunk);
        json_name(o, "message", n->text);
        return o;
}

static json_t *cause_json(const struct dg_cause *c)
{
        json_t *o = json_of(json_object());

        add_text(o, "cause", dg_cause_name(c->id));
        add(o, "score", c->score);
        add_text(o, "text", dg_cause_text(c->id));
        add_text(o, "evidence", c->evidence);
        add_text(o, "advice", dg_cause_advice(c->id));
        return o;
}

static void print_json(struct tool *t, struct subject *s)
{
        json_t *o = json_of(json_object()), *findings = json_of(json_array()),
               *causes = json_of(json_array());

        json_name(o, "key", s->shown);
        add_text(o, "verdict", verdicts[examine_verdict(s)]);
        if (!s->map) {
                json_name(o, "message", s->map_message ? s->map_message : "");
                json_decref(findings);
                json_decref(causes);
                out_json(t, o);
                return;
        }
        add(o, "length", s->map->length);
        if (s->facts.want_length != DG_UNKNOWN)
                add(o, "original_length", s->facts.want_length);
        if (*s->md5)
                add_text(o, "md5", s->md5);
        add(o, "inode", s->map->inode);
        add(o, "chunks", s->map->chunks);
        add(o, "copies", s->compared);
        for (size_t i = 0; i < s->ranges; i++)
                json_array_append_new(findings, range_json(s, &s->range[i]));
        for (size_t i = 0; i < s->notes; i++)
                json_array_append_new(findings, note_json(s, &s->note[i]));
        for (size_t i = 0; i < s->causes; i++)
                json_array_append_new(causes, cause_json(&s->cause[i]));
        json_object_set_new(o, "findings", findings);
        if (s->dropped)
                add(o, "findings_not_shown", s->dropped);
        json_object_set_new(o, "causes", causes);
        out_json(t, o);
}

/* ---- people ----------------------------------------------------------------------------------------------- */

static void print_servers(struct tool *t, const struct subject *s, const struct dg_range *r, uint32_t mask)
{
        const roma_mfs_chunk *c = chunk_of(s, r->chunk);
        const char *comma = "";

        for (size_t i = 0; c && i < c->copies && i < DG_COPIES; i++) {
                if (!(mask >> i & 1))
                        continue;
                out(t, "%s%s", comma, c->copy[i].server);
                comma = ", ";
        }
}

static void print_side(struct tool *t, const struct subject *s, const struct dg_range *r, const char *what,
                       uint32_t mask)
{
        if (!mask)
                return;
        out(t, "      %-22s ", what);
        print_servers(t, s, r, mask);
        out(t, "\n");
}

static void print_detail(struct tool *t, const struct dg_range *r)
{
        switch (r->pattern) {
        case DG_SHIFT:
                out(t, " by %lld bytes %s", (long long)(r->detail < 0 ? -r->detail : r->detail),
                    r->detail < 0 ? "to the front" : "to the back");
                break;
        case DG_BIT:
                out(t, ": bit %d of byte %llu", (int)(r->detail % 8),
                    (unsigned long long)(start_of(r) + (uint64_t)r->detail / 8));
                break;
        case DG_SWAP: out(t, ": with the block at byte %lld", (long long)r->detail); break;
        case DG_OFFSET: out(t, ": that at byte %lld", (long long)r->detail); break;
        default: break;
        }
        if (!r->sure && r->bad)
                out(t, ", its bytes were not read");
        if (r->table_bit && r->at == DG_UNKNOWN)
                out(t, ", and the checksums differ in one bit only");
        if (r->absent)
                out(t, ", never stored");
        if (r->behind)
                out(t, ", behind the end of the file");
}

static void print_range(struct tool *t, const struct subject *s, const struct dg_range *r, uint32_t *chunk)
{
        const roma_mfs_chunk *c = chunk_of(s, r->chunk);
        uint64_t start = start_of(r);

        if (*chunk != r->chunk) {
                *chunk = r->chunk;
                if (c && c->id)
                        out(t, "  chunk %u (%016" PRIX64 " version %u)\n", r->chunk, c->id, c->version);
                else
                        out(t, "  chunk %u (a hole)\n", r->chunk);
        }
        out(t, "    block %u", r->first);
        if (r->count > 1)
                out(t, "-%u", r->first + r->count - 1);
        out(t, ", bytes %" PRIu64 "-%" PRIu64 ": %s", start, start + (uint64_t)r->count * DG_BLOCK - 1,
            dg_pattern_text(r->pattern));
        print_detail(t, r);
        out(t, "\n");
        if (r->at != DG_UNKNOWN)
                out(t, "      first difference at byte %" PRIu64 "\n", r->at);
        print_side(t, s, r,
                   r->by_original ? "as the original:"
                   : r->guess     ? "one side:"
                                  : "most copies:",
                   r->good);
        print_side(t, s, r, r->guess ? "the other side:" : "other bytes:", r->bad);
        print_side(t, s, r, "CRC error:", r->rot);
}

static void print_note(struct tool *t, const struct note *n)
{
        static const char *const words[] = {
                [NOTE_INFO] = "note", [NOTE_UNKNOWN] = "not known", [NOTE_BAD] = "wrong"
        };

        out(t, "  %s: ", words[n->weight]);
        if (n->chunk >= 0)
                out(t, "chunk %lld: ", (long long)n->chunk);
        out(t, "%s\n", n->text);
}

static void print_text(struct tool *t, struct subject *s)
{
        enum verdict v = examine_verdict(s);
        uint32_t chunk = UINT32_MAX;

        if (v == CLEAN && t->opt.quiet)
                return;
        out_name(t, s->shown);
        if (!s->map) {
                out(t, ": could not be looked at\n");
                complain(t, "%s%s", s->map_message ? s->map_message : "interrupted",
                         s->map_code == ROMA_EISDIR ? "; -r looks at the files of a folder" : "");
                return;
        }
        out(t, ": %s: %" PRIu64 " byte%s, %zu chunk%s, %zu %s%s\n",
            v == CLEAN     ? "clean"
            : v == DIFFERS ? "DIFFERS"
                           : "cannot tell",
            s->map->length, s->map->length == 1 ? "" : "s", s->map->chunks, s->map->chunks == 1 ? "" : "s",
            s->compared, s->compared == 1 ? "copy" : "copies",
            v == CLEAN && s->compared && !s->deep ? " by their checksums, data not read" : "");
        for (size_t i = 0; i < s->ranges; i++)
                print_range(t, s, &s->range[i], &chunk);
        if (s->dropped)
                out(t, "  and %zu more runs of blocks\n", s->dropped);
        for (size_t i = 0; i < s->notes; i++)
                print_note(t, &s->note[i]);
        if (s->causes)
                out(t, "  likely causes\n");
        for (size_t i = 0; i < s->causes; i++)
                out(t, "    %zu. %s: %s\n       evidence: %s\n       do: %s\n", i + 1,
                    dg_cause_name(s->cause[i].id), dg_cause_text(s->cause[i].id), s->cause[i].evidence,
                    dg_cause_advice(s->cause[i].id));
}

void findings_print(struct tool *t, struct subject *s)
{
        if (t->opt.json)
                print_json(t, s);
        else
                print_text(t, s);
        out_flush(t);
}
