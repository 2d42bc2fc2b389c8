/* SPDX-License-Identifier: MIT */
/* roma chunks URI...: where the chunks of a MooseFS object are, with --crc whether the copies agree, and with --deep whether their
 * bytes are as their tables say. pieces.c does so for the other stores. */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <roma/mfs.h>

#include "tools/look.h"
#include "tools/pieces.h"

/* What one copy said about its checksums. */
struct verdict {
        struct flight flight;
        bool asked;
        int code;
        char *message;
        roma_mfs_crcs crcs;
        const struct verdict *reference; /* an earlier copy of the same content, or itself */
        bool agrees;
        uint32_t bad, unread, changed; /* blocks, in a deep look */
};

struct reply {
        struct flight flight;
        roma_mfs_map *map;
        const struct location *at;
};

/* One chunk of those that are shown. */
struct view {
        struct tool *tool;
        const struct location *at;
        const roma_mfs_chunk *chunk;
        uint64_t size;     /* bytes of the file in it: 0 of one behind its end */
        struct verdict *v; /* of each copy; NULL: they were not asked */
        struct look look;  /* with v: the tables, and what a deep look has read */
};

static uint64_t size_of(const roma_mfs_map *map, const roma_mfs_chunk *c)
{
        uint64_t start = c->index * ROMA_MFS_CHUNK_SIZE, left = map->length > start ? map->length - start : 0;

        return left < ROMA_MFS_CHUNK_SIZE ? left : ROMA_MFS_CHUNK_SIZE;
}

static bool worth_asking(const roma_mfs_copy *copy)
{
        return copy->state == ROMA_MFS_VALID || copy->state == ROMA_MFS_REMOVAL;
}

static void told(struct flight *f, const roma_result *r)
{
        struct verdict *v = (struct verdict *)f; /* its first member */

        v->code = r->code;
        if (r->code == ROMA_OK)
                v->crcs = *(const roma_mfs_crcs *)r->extra;
        else
                v->message = need_copy(r->message);
}

static bool same_table(const roma_mfs_crcs *a, const roma_mfs_crcs *b)
{
        return !memcmp(a->crc, b->crc, sizeof(a->crc));
}

/* Copies are compared with the first of the same part that answered. */
static void compare(const roma_mfs_chunk *chunk, struct verdict *v)
{
        for (size_t i = 0; i < chunk->copies; i++) {
                if (!v[i].asked || v[i].code != ROMA_OK)
                        continue;
                size_t first = 0;
                while (!v[first].asked || v[first].code != ROMA_OK ||
                       chunk->copy[first].part != chunk->copy[i].part)
                        first++;
                v[i].reference = &v[first];
                v[i].agrees = same_table(&v[first].crcs, &v[i].crcs);
        }
}

/* All copies of a chunk at once. */
static struct verdict *ask(struct tool *t, const struct location *l, const roma_mfs_chunk *chunk)
{
        const roma_opts opts = request_opts(t);
        struct verdict *v = need(calloc(chunk->copies ? chunk->copies : 1, sizeof(*v)));

        for (size_t i = 0; i < chunk->copies; i++) {
                if (!worth_asking(&chunk->copy[i]))
                        continue;
                v[i].asked = true;
                flight_track(t, &v[i].flight, told,
                             roma_aio_mfs_replica_crcs(l->place->store, &chunk->copy[i], chunk->id,
                                                       chunk->version, &opts, flight_done, &v[i].flight));
        }
        flight_drive(t);
        compare(chunk, v);
        return v;
}

static void take_tables(struct view *w)
{
        for (size_t i = 0; i < w->look.k.copies; i++) {
                struct dg_copy *k = &w->look.k.copy[i];

                k->usable = w->v[i].asked && w->v[i].code == ROMA_OK;
                k->blocks = w->v[i].crcs.blocks;
                memcpy(k->crc, w->v[i].crcs.crc, sizeof(k->crc));
        }
}

/* A block that differs from the table of before was written meanwhile: that is no damage, and the tables stay what is compared. */
static void read_all(struct looker *l, struct view *w)
{
        look_deep(l, &w->look);
        for (size_t i = 0; i < w->look.k.copies; i++) {
                struct dg_copy *k = &w->look.k.copy[i];
                struct verdict *v = &w->v[i];

                for (uint32_t b = 0; k->usable && b < k->blocks; b++) {
                        v->bad += k->seen[b] == DG_BAD;
                        v->changed += k->seen[b] == DG_GOOD && k->crc[b] != v->crcs.crc[b];
                        v->unread += k->seen[b] == DG_UNREAD;
                        if (k->seen[b] == DG_UNREAD)
                                k->seen[b] = DG_AWAY;
                        k->crc[b] = v->crcs.crc[b];
                }
        }
}

static void print_read(struct tool *t, const struct verdict *v)
{
        if (v->bad)
                out(t, ", %u CRC BAD", v->bad);
        if (v->unread)
                out(t, ", %u not read", v->unread);
        if (!v->bad && !v->unread)
                out(t, ", all read");
}

static void print_verdict(struct tool *t, const struct verdict *v)
{
        if (!v || !v->asked)
                return;
        if (v->code != ROMA_OK) {
                out(t, "  %s", roma_code_text(v->code));
                return;
        }
        out(t, "  %u blocks, table %08x", v->crcs.blocks, v->crcs.checksum);
        if (v->reference != v)
                out(t, v->agrees ? ", the same" : ", DIFFERS");
        if (t->opt.deep)
                print_read(t, v);
}

static void print_text(struct view *w)
{
        const roma_mfs_chunk *c = w->chunk;
        const struct verdict *v = w->v;
        struct tool *t = w->tool;

        if (!c->id) {
                out(t, "%6u  hole  %" PRIu64 " bytes\n", c->index, w->size);
                return;
        }
        if (!c->copies)
                out(t, "%6u  %016llX  version %u  %" PRIu64 " bytes  %s\n", c->index,
                    (unsigned long long)c->id, c->version, w->size,
                    c->zeros ? "lost, reads as zeros" : "no server has a copy");
        for (size_t i = 0; i < c->copies; i++) {
                const roma_mfs_copy *copy = &c->copy[i];
                out(t, "%6u  %016llX  version %u  %" PRIu64 " bytes  %-21s  ", c->index,
                    (unsigned long long)c->id, c->version, w->size, copy->server);
                if (copy->part)
                        out(t, "part %02x, ", copy->part);
                out(t, "%s", look_state(copy->state));
                print_verdict(t, v ? &v[i] : NULL);
                out(t, "\n");
        }
}

static void add(json_t *o, const char *field, uint64_t value)
{
        json_object_set_new(o, field, json_of(json_integer((json_int_t)value)));
}

static void add_read(json_t *o, const struct dg_copy *k, const struct verdict *v)
{
        json_t *bad = json_of(json_array());

        for (uint32_t b = 0; b < DG_BLOCKS; b++)
                if (k->seen[b] == DG_BAD)
                        json_array_append_new(bad, json_of(json_integer(b)));
        json_object_set_new(o, "damaged_blocks", bad);
        add(o, "unread_blocks", v->unread);
        add(o, "changed_blocks", v->changed);
}

/* seen: what was read of it; NULL: nothing was. */
static json_t *copy_json(const roma_mfs_copy *copy, const struct verdict *v, const struct dg_copy *seen)
{
        json_t *o = json_of(json_object());
        char sum[16];

        json_name(o, "server", copy->server);
        json_name(o, "state", look_state(copy->state));
        if (copy->part)
                add(o, "part", copy->part);
        if (v && v->asked && v->code != ROMA_OK) {
                json_name(o, "error", roma_code_name(v->code));
                json_name(o, "message", v->message);
        } else if (v && v->asked) {
                add(o, "blocks", v->crcs.blocks);
                snprintf(sum, sizeof(sum), "%08x", v->crcs.checksum);
                json_name(o, "table", sum);
                json_object_set_new(o, "agrees", json_boolean(v->agrees));
                if (seen)
                        add_read(o, seen, v);
        }
        return o;
}

static void print_json(struct view *w)
{
        const roma_mfs_chunk *c = w->chunk;
        json_t *o = json_of(json_object()), *copies = json_of(json_array());
        char id[24];

        snprintf(id, sizeof(id), "%016llX", (unsigned long long)c->id);
        json_name(o, "key", w->at->key);
        add(o, "index", c->index);
        json_name(o, "id", id);
        add(o, "version", c->version);
        add(o, "size", w->size);
        json_object_set_new(o, "hole", json_boolean(c->id == 0));
        json_object_set_new(o, "zeros", json_boolean(c->zeros));
        for (size_t i = 0; i < c->copies; i++) {
                bool seen = w->v && w->tool->opt.deep && i < w->look.k.copies;
                json_array_append_new(copies, copy_json(&c->copy[i], w->v ? &w->v[i] : NULL,
                                                        seen ? &w->look.k.copy[i] : NULL));
        }
        json_object_set_new(o, "copies", copies);
        out_json(w->tool, o);
}

static void damaged(struct view *w, size_t copy, const char *why)
{
        complain(w->tool,
                 "chunks %s: chunk %u (%016llX) on %s %s; read the other copies before one more is lost",
                 w->at->shown, w->chunk->index, (unsigned long long)w->chunk->id, w->chunk->copy[copy].server,
                 why);
        status_raise(w->tool, EXIT_INTEGRITY);
}

/* Not read, or not what the table said a moment ago: nothing is known of these blocks. */
static void uncertain(struct view *w, size_t copy, uint32_t blocks, const char *what, const char *why)
{
        complain(w->tool, "chunks %s: chunk %u (%016llX) on %s: %u block%s %s: %s", w->at->shown,
                 w->chunk->index, (unsigned long long)w->chunk->id, w->chunk->copy[copy].server, blocks,
                 blocks == 1 ? "" : "s", what, why);
        status_raise(w->tool, EXIT_OTHER);
}

static void judge_blocks(struct view *w, size_t i)
{
        const struct verdict *v = &w->v[i];
        char text[120];

        if (v->bad) {
                snprintf(text, sizeof(text), "has %u block%s that do%s not match the checksum kept with %s",
                         v->bad, v->bad == 1 ? "" : "s", v->bad == 1 ? "es" : "",
                         v->bad == 1 ? "it" : "them");
                damaged(w, i, text);
        }
        if (v->unread && !w->tool->stopping)
                uncertain(
                        w, i, v->unread, "not read",
                        w->look.copy[i].unread_message
                                ? w->look.copy[i].unread_message
                                : "its server had a CRC error, and a second one too soon can make it give up "
                                  "the disk; look again later, or see --error-gap");
        if (v->changed)
                uncertain(w, i, v->changed, "changed while they were read", "somebody writes to the file");
}

static bool any_asked(const roma_mfs_chunk *c, const struct verdict *v)
{
        for (size_t i = 0; i < c->copies; i++)
                if (v[i].asked)
                        return true;
        return false;
}

/* Copies that differ are damage, and so is a chunk of which no good one is left; a copy that does not answer is a failure of its
 * own. */
static void judge(struct view *w)
{
        const roma_mfs_chunk *c = w->chunk;
        struct verdict *v = w->v;

        if (!any_asked(c, v)) {
                complain(w->tool,
                         "chunks %s: chunk %u (%016llX) has no good copy on any server that is connected; "
                         "see roma diagnose",
                         w->at->shown, c->index, (unsigned long long)c->id);
                status_raise(w->tool, EXIT_INTEGRITY);
        }
        for (size_t i = 0; i < c->copies; i++) {
                if (v[i].asked && v[i].code != ROMA_OK) {
                        const roma_result r = { .code = v[i].code, .message = v[i].message, .server = "" };
                        report_failure(w->tool, &r, w->at->shown);
                } else if (v[i].asked && !v[i].agrees) {
                        damaged(w, i, "has other checksums than the first copy");
                } else if (c->copy[i].state == ROMA_MFS_INVALID) {
                        damaged(w, i, "is known to be damaged");
                }
                judge_blocks(w, i);
                free(v[i].message);
        }
}

/* ---- the picture ------------------------------------------------------------------------------------------ */

enum { CELLS = 64, MARGIN = 25 };

static size_t cells(uint32_t blocks)
{
        struct winsize w;
        size_t columns = ioctl(STDOUT_FILENO, TIOCGWINSZ, &w) == 0 && w.ws_col ? w.ws_col : 80, n = CELLS;

        if (columns < MARGIN + n)
                n = columns > MARGIN + 8 ? columns - MARGIN : 8;
        return n < blocks ? n : blocks;
}

/* How a terminal shows a cell; the letters say the same without colour. */
static const char *colour_of(char cell)
{
        switch (cell) {
        case DG_CELL_OTHER: return "\033[1;31m";
        case DG_CELL_ZERO: return "\033[1;33m";
        case DG_CELL_MISSING: return "\033[1;35m";
        case DG_CELL_ROT: return "\033[1;37;41m";
        case DG_CELL_UNREAD: return "\033[36m";
        default: return "";
        }
}

static void paint(struct tool *t, const char *row)
{
        static int colour = -1;
        const char *now = "";

        if (colour < 0)
                colour = isatty(STDOUT_FILENO) && !getenv("NO_COLOR");
        for (; *row; row++) {
                const char *next = colour_of(*row);
                if (colour && next != now)
                        out(t, "%s%s", *now ? "\033[0m" : "", next);
                now = next;
                out_bytes(t, row, 1);
        }
        if (colour && *now)
                out(t, "\033[0m");
}

/* A row for each copy; a cell is a run of blocks. */
static void draw(struct view *w)
{
        const struct dg_chunk *k = &w->look.k;
        struct tool *t = w->tool;
        uint32_t blocks = 1;
        char row[CELLS + 1];
        size_t n;

        for (size_t i = 0; i < k->copies; i++)
                if (k->copy[i].usable && k->copy[i].blocks > blocks)
                        blocks = k->copy[i].blocks;
        n = cells(blocks);
        for (size_t i = 0; i < k->copies; i++) {
                out(t, "  %-21s ", w->chunk->copy[i].server);
                if (k->copy[i].usable) {
                        dg_picture(k, i, blocks, row, n);
                        paint(t, row);
                } else {
                        out(t, "(no table: %s)",
                            w->v[i].asked ? roma_code_text(w->v[i].code)
                                          : look_state(w->chunk->copy[i].state));
                }
                out(t, "\n");
        }
}

static void legend_of(struct tool *t, char cell, const char *text)
{
        const char row[] = { cell, 0 };

        out(t, "  ");
        paint(t, row);
        out(t, " %s", text);
}

static void legend(struct tool *t)
{
        legend_of(t, DG_CELL_SAME, "same");
        legend_of(t, DG_CELL_EMPTY, "zeros");
        legend_of(t, DG_CELL_OTHER, "differs");
        legend_of(t, DG_CELL_ZERO, "zeros, others have data\n");
        legend_of(t, DG_CELL_MISSING, "missing, others have data");
        if (t->opt.deep) {
                legend_of(t, DG_CELL_ROT, "CRC bad");
                legend_of(t, DG_CELL_UNREAD, "not read\n");
        } else {
                out(t, "\n  by the tables; no data were read: --deep also finds blocks whose CRC is bad\n");
        }
}

static bool pictured(const struct tool *t)
{
        return t->opt.picture && !t->opt.json;
}

static void print_chunk(struct looker *l, struct view *w)
{
        struct tool *t = w->tool;

        if ((t->opt.crc || t->opt.deep || pictured(t)) && w->chunk->id) {
                w->v = ask(t, w->at, w->chunk);
                take_tables(w);
                if (t->opt.deep)
                        read_all(l, w);
        }
        if (t->opt.json)
                print_json(w);
        else
                print_text(w);
        if (w->v && pictured(t))
                draw(w);
        if (w->v)
                judge(w);
        free(w->v);
}

static void print_chunks(struct tool *t, const struct location *at, const roma_mfs_map *map)
{
        struct looker l;

        looker_init(&l, t, at->place);
        for (size_t i = 0; i < map->chunks && !t->stopping; i++) {
                struct view w = { .tool = t, .at = at, .chunk = &map->chunk[i] };
                w.size = size_of(map, w.chunk);
                look_init(&l, &w.look, w.chunk, map->length);
                print_chunk(&l, &w);
                look_free(&w.look);
        }
        looker_free(&l);
}

static void got_map(struct flight *f, const roma_result *r)
{
        struct reply *reply = (struct reply *)f; /* its first member */

        if (r->code == ROMA_OK)
                reply->map = roma_mfs_map_ref(r->extra);
        else
                report_failure(f->tool, r, reply->at->shown);
}

static void one(struct tool *t, const struct location *l)
{
        const roma_opts opts = request_opts(t);
        struct reply reply = { .at = l };

        flight_track(t, &reply.flight, got_map,
                     roma_aio_mfs_chunks(l->place->store, l->key, &opts, flight_done, &reply.flight));
        flight_drive(t);
        if (!reply.map)
                return;
        const roma_mfs_map *map = reply.map;
        if (!t->opt.json) {
                out_name(t, l->shown);
                out(t, ": %llu bytes, %zu chunk%s, inode %u, master %s (version %u.%u.%u)\n",
                    (unsigned long long)map->length, map->chunks, map->chunks == 1 ? "" : "s", map->inode,
                    map->master, map->master_version >> 16, map->master_version >> 8 & 255,
                    (map->master_version & 255) / 2);
                if (pictured(t) && map->chunks)
                        legend(t);
        }
        print_chunks(t, l, map);
        roma_mfs_map_unref(reply.map);
}

int cmd_chunks(struct tool *t, int argc, char **argv)
{
        struct location l;

        if (argc < 1)
                return usage(t, "name at least one object on MooseFS, Ceph or S3");
        t->opt.picture |= isatty(STDOUT_FILENO);
        for (int i = 0; i < argc && !t->stopping; i++) {
                if (!location_parse(t, &l, argv[i]))
                        continue;
                if (l.stdio)
                        usage(t, "standard input has no chunks");
                else if (!location_is_object(t, &l))
                        ;
                else if (location_open(t, &l) && place_has_chunks(l.place))
                        one(t, &l);
                else if (l.place)
                        pieces_show(t, &l);
                location_free(&l);
        }
        return t->status;
}
