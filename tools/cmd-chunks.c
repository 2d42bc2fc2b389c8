/* SPDX-License-Identifier: MIT */
/* roma chunks URI...: where the chunks of a MooseFS object are, and with --crc whether the copies agree. pieces.c does so for
 * the other stores. */
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <roma/mfs.h>

#include "tools/diagnose/diagnose.h"
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
};

struct reply {
        struct flight flight;
        roma_mfs_map *map;
        const struct location *at;
};

static const char *state_name(unsigned state)
{
        static const char *const names[] = { [ROMA_MFS_VALID] = "valid",
                                             [ROMA_MFS_REMOVAL] = "marked for removal",
                                             [ROMA_MFS_WRONG_VERSION] = "wrong version",
                                             [ROMA_MFS_REMOVAL_VERSION] = "wrong version, marked for removal",
                                             [ROMA_MFS_INVALID] = "damaged" };

        return state < sizeof(names) / sizeof(names[0]) ? names[state] : "unknown state";
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
}

static void print_text(struct tool *t, const roma_mfs_chunk *c, const struct verdict *v)
{
        if (!c->id) {
                out(t, "%6u  hole\n", c->index);
                return;
        }
        if (!c->copies)
                out(t, "%6u  %016llX  version %u  %s\n", c->index, (unsigned long long)c->id, c->version,
                    c->zeros ? "lost, reads as zeros" : "no server has a copy");
        for (size_t i = 0; i < c->copies; i++) {
                const roma_mfs_copy *copy = &c->copy[i];
                out(t, "%6u  %016llX  version %u  %-21s  ", c->index, (unsigned long long)c->id, c->version,
                    copy->server);
                if (copy->part)
                        out(t, "part %02x, ", copy->part);
                out(t, "%s", state_name(copy->state));
                print_verdict(t, v ? &v[i] : NULL);
                out(t, "\n");
        }
}

static void add(json_t *o, const char *field, uint64_t value)
{
        json_object_set_new(o, field, json_of(json_integer((json_int_t)value)));
}

static json_t *copy_json(const roma_mfs_copy *copy, const struct verdict *v)
{
        json_t *o = json_of(json_object());
        char sum[16];

        json_name(o, "server", copy->server);
        json_name(o, "state", state_name(copy->state));
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
        }
        return o;
}

static void print_json(struct tool *t, const struct location *l, const roma_mfs_chunk *c,
                       const struct verdict *v)
{
        json_t *o = json_of(json_object()), *copies = json_of(json_array());
        char id[24];

        snprintf(id, sizeof(id), "%016llX", (unsigned long long)c->id);
        json_name(o, "key", l->key);
        add(o, "index", c->index);
        json_name(o, "id", id);
        add(o, "version", c->version);
        json_object_set_new(o, "hole", json_boolean(c->id == 0));
        json_object_set_new(o, "zeros", json_boolean(c->zeros));
        for (size_t i = 0; i < c->copies; i++)
                json_array_append_new(copies, copy_json(&c->copy[i], v ? &v[i] : NULL));
        json_object_set_new(o, "copies", copies);
        out_json(t, o);
}

static void damaged(struct tool *t, const struct location *l, const roma_mfs_chunk *c, size_t copy,
                    const char *why)
{
        complain(t, "chunks %s: chunk %u (%016llX) on %s %s; read the other copies before one more is lost",
                 l->shown, c->index, (unsigned long long)c->id, c->copy[copy].server, why);
        status_raise(t, EXIT_INTEGRITY);
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
static void judge(struct tool *t, const struct location *l, const roma_mfs_chunk *c, struct verdict *v)
{
        if (!any_asked(c, v)) {
                complain(t,
                         "chunks %s: chunk %u (%016llX) has no good copy on any server that is connected; "
                         "see roma diagnose",
                         l->shown, c->index, (unsigned long long)c->id);
                status_raise(t, EXIT_INTEGRITY);
        }
        for (size_t i = 0; i < c->copies; i++) {
                if (v[i].asked && v[i].code != ROMA_OK) {
                        const roma_result r = { .code = v[i].code, .message = v[i].message, .server = "" };
                        report_failure(t, &r, l->shown);
                } else if (v[i].asked && !v[i].agrees) {
                        damaged(t, l, c, i, "has other checksums than the first copy");
                } else if (c->copy[i].state == ROMA_MFS_INVALID) {
                        damaged(t, l, c, i, "is known to be damaged");
                }
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

/* Red for what differs; the letters say the same without colour. */
static void paint(struct tool *t, const char *row)
{
        static int colour = -1;
        bool red = false;

        if (colour < 0)
                colour = isatty(STDOUT_FILENO) && !getenv("NO_COLOR");
        for (; *row; row++) {
                bool bad = *row != DG_CELL_SAME && *row != DG_CELL_EMPTY;
                if (colour && bad != red)
                        out(t, bad ? "\033[1;31m" : "\033[0m");
                red = bad;
                out_bytes(t, row, 1);
        }
        if (colour && red)
                out(t, "\033[0m");
}

static void fill(struct dg_chunk *k, const roma_mfs_chunk *c, const struct verdict *v)
{
        for (size_t i = 0; i < k->copies; i++) {
                k->copy[i].usable = v[i].asked && v[i].code == ROMA_OK;
                k->copy[i].part = c->copy[i].part;
                k->copy[i].blocks = v[i].crcs.blocks;
                memcpy(k->copy[i].crc, v[i].crcs.crc, sizeof(k->copy[i].crc));
        }
}

/* A row for each copy that has a table; a cell is a run of blocks. */
static void draw(struct tool *t, const roma_mfs_chunk *c, const struct verdict *v)
{
        struct dg_chunk k = { .copies = c->copies < DG_COPIES ? c->copies : DG_COPIES };
        uint32_t blocks = 1;
        char row[CELLS + 1];
        size_t n;

        k.copy = need(calloc(k.copies + 1, sizeof(*k.copy)));
        fill(&k, c, v);
        for (size_t i = 0; i < k.copies; i++)
                if (k.copy[i].usable && k.copy[i].blocks > blocks)
                        blocks = k.copy[i].blocks;
        n = cells(blocks);
        for (size_t i = 0; i < k.copies; i++) {
                if (!k.copy[i].usable)
                        continue;
                dg_picture(&k, i, blocks, row, n);
                out(t, "  %-21s ", c->copy[i].server);
                paint(t, row);
                out(t, "\n");
        }
        free(k.copy);
}

static void legend(struct tool *t)
{
        out(t, "  # same  . zeros  D differs  z zeros, others have data  - never stored, others have data\n");
}

static bool pictured(const struct tool *t)
{
        return t->opt.picture && !t->opt.json;
}

static void print_chunk(struct tool *t, const struct location *l, const roma_mfs_chunk *c)
{
        struct verdict *v = (t->opt.crc || pictured(t)) && c->id ? ask(t, l, c) : NULL;

        if (t->opt.json)
                print_json(t, l, c, v);
        else
                print_text(t, c, v);
        if (v && pictured(t))
                draw(t, c, v);
        if (v)
                judge(t, l, c, v);
        free(v);
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
        for (size_t i = 0; i < map->chunks && !t->stopping; i++)
                print_chunk(t, l, &map->chunk[i]);
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
