/* SPDX-License-Identifier: MIT */
/* roma chunks of an object on Ceph or S3: the objects of the pool, or the parts, of which it is made. */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "tools/pieces.h"

enum { CELLS = 64, MARGIN = 16, ROWS = 64 };

bool place_has_chunks(const struct place *p)
{
        return !strncmp(roma_store_uri(p->store), "mfs:", 4);
}

struct asking {
        struct answer answer; /* first: the flight's callback gets it */
        roma_layout *layout;
};

static void got_layout(struct flight *f, const roma_result *r)
{
        struct asking *a = (struct asking *)f;

        if (r->code == ROMA_OK)
                a->layout = roma_layout_ref(r->extra);
        answer_end(f, r);
}

roma_layout *pieces_of(struct tool *t, struct answer *answer, const struct location *l, unsigned flags)
{
        const roma_opts opts = request_opts(t);
        struct asking a = { 0 };

        flight_track(t, &a.answer.flight, got_layout,
                     roma_aio_layout(l->place->store, l->key, flags, &opts, flight_done, &a.answer.flight));
        answer_wait(t, &a.answer);
        *answer = a.answer;
        return a.layout;
}

static const char *state_name(const roma_piece *p)
{
        static const char *const names[] = { [ROMA_PIECE_UNASKED] = "",
                                             [ROMA_PIECE_THERE] = "there",
                                             [ROMA_PIECE_MISSING] = "missing",
                                             [ROMA_PIECE_UNREADABLE] = "unreadable" };

        return (unsigned)p->state < sizeof(names) / sizeof(names[0]) ? names[p->state] : "unknown";
}

/* ---- programs --------------------------------------------------------------------------------------------- */

static void add(json_t *o, const char *field, uint64_t value)
{
        json_object_set_new(o, field, json_of(json_integer((json_int_t)value)));
}

static json_t *copies_json(const roma_piece *p)
{
        json_t *list = json_of(json_array());

        for (size_t i = 0; i < p->copies; i++) {
                const roma_piece_copy *c = &p->copy[i];
                json_t *o = json_of(json_object());

                json_object_set_new(o, "osd", json_of(json_integer(c->id)));
                json_object_set_new(o, "primary", json_boolean(c->primary));
                json_name(o, "host", c->host);
                json_name(o, "where", c->where);
                json_name(o, "address", c->address);
                json_array_append_new(list, o);
        }
        return list;
}

json_t *pieces_remark_json(const roma_remark *r)
{
        static const char *const weights[] = { "info", "unknown", "bad" };
        json_t *o = json_of(json_object());

        json_name(o, "kind", r->kind);
        json_name(o, "weight", (unsigned)r->weight < 3 ? weights[r->weight] : "unknown");
        if (r->piece >= 0)
                add(o, "piece", (uint64_t)r->piece);
        json_name(o, "message", r->text);
        return o;
}

static void print_json(struct tool *t, const struct location *l, const roma_layout *y)
{
        for (size_t i = 0; i < y->pieces; i++) {
                const roma_piece *p = &y->piece[i];
                json_t *o = json_of(json_object()), *said = json_of(json_array());

                json_name(o, "key", l->key);
                add(o, "index", i);
                json_name(o, "kind", y->kind);
                json_name(o, "object", p->name);
                add(o, "offset", p->offset);
                add(o, "length", p->length);
                if (p->guessed)
                        json_object_set_new(o, "guessed", json_true());
                if (p->state) {
                        json_name(o, "state", state_name(p));
                        if (p->state == ROMA_PIECE_THERE)
                                add(o, "stored", p->stored);
                }
                json_name(o, "pool", y->pool);
                if (*y->ns)
                        json_name(o, "namespace", y->ns);
                if (*p->group)
                        json_name(o, "group", p->group);
                if (*p->checksum)
                        json_name(o, "checksum", p->checksum);
                if (*y->etag)
                        json_name(o, "etag", y->etag);
                if (y->stripe_unit) {
                        add(o, "stripe_unit", y->stripe_unit);
                        add(o, "stripe_count", y->stripe_count);
                        add(o, "object_size", y->object_size);
                }
                if (*p->group)
                        json_object_set_new(o, "copies", copies_json(p));
                for (size_t k = 0; k < y->remarks; k++)
                        if (y->remark[k].piece == (int64_t)i || (i == 0 && y->remark[k].piece < 0))
                                json_array_append_new(said, pieces_remark_json(&y->remark[k]));
                json_object_set_new(o, "remarks", said);
                out_json(t, o);
        }
}

/* ---- people ----------------------------------------------------------------------------------------------- */

static void print_head(struct tool *t, const struct location *l, const roma_layout *y)
{
        out_name(t, l->shown);
        out(t, ": %" PRIu64 " bytes, %zu %s%s", y->length, y->pieces,
            *y->pool && strcmp(y->kind, "s3") ? "object" : "part", y->pieces == 1 ? "" : "s");
        if (y->inode)
                out(t, ", inode %" PRIx64, y->inode);
        out(t, strcmp(y->kind, "s3") ? ", pool " : ", bucket ");
        out_name(t, y->pool);
        if (*y->ns) {
                out(t, ", namespace ");
                out_name(t, y->ns);
        }
        if (*y->etag)
                out(t, ", etag %s", y->etag);
        if (y->whole_known)
                out(t, ", crc32 %08x", y->whole_crc);
        if (y->stripe_unit)
                out(t, "\n  objects of %" PRIu64 " bytes, stripes of %" PRIu64 " bytes over %u object%s",
                    y->object_size, y->stripe_unit, y->stripe_count, y->stripe_count == 1 ? "" : "s");
        if (*y->head && y->pieces && strcmp(y->head, y->piece[0].name)) {
                out(t, "\n  named by the object ");
                out_name(t, y->head);
        }
        out(t, "\n");
}

static void print_copies(struct tool *t, const roma_piece *p)
{
        for (size_t i = 0; i < p->copies; i++) {
                const roma_piece_copy *c = &p->copy[i];

                out(t, "%sosd.%d", i ? ", " : "", c->id);
                if (*c->host)
                        out(t, " (%s)", c->host);
                if (c->primary && p->copies > 1)
                        out(t, " answers");
        }
}

static void print_piece(struct tool *t, size_t i, const roma_piece *p)
{
        out(t, "%6zu  ", i);
        out_name(t, p->name);
        out(t, "  byte %" PRIu64 ", %s%" PRIu64 " bytes", p->offset, p->guessed ? "about " : "", p->length);
        if (p->state == ROMA_PIECE_THERE && p->stored != p->length)
                out(t, ", has %" PRIu64, p->stored);
        else if (p->state > ROMA_PIECE_THERE)
                out(t, ", %s", state_name(p));
        if (*p->checksum)
                out(t, ", %s", p->checksum);
        if (*p->group) {
                out(t, "  pg %s on ", p->group);
                print_copies(t, p);
        }
        out(t, "\n");
}

/* ---- the picture ------------------------------------------------------------------------------------------ */

static size_t cells(size_t pieces)
{
        struct winsize w;
        size_t columns = ioctl(STDOUT_FILENO, TIOCGWINSZ, &w) == 0 && w.ws_col ? w.ws_col : 80, n = CELLS;

        if (columns < MARGIN + n)
                n = columns > MARGIN + 8 ? columns - MARGIN : 8;
        return n < pieces ? n : pieces;
}

/* The worst of the pieces of a cell that this server has. */
static char cell(const roma_layout *y, int osd, size_t from, size_t to)
{
        static const char worse[] = " #s-!";
        const char *worst = worse;

        for (size_t i = from; i < to; i++) {
                const roma_piece *p = &y->piece[i];
                char c = p->state == ROMA_PIECE_UNREADABLE                        ? '!'
                         : p->state == ROMA_PIECE_MISSING                         ? '-'
                         : p->state == ROMA_PIECE_THERE && p->stored != p->length ? 's'
                                                                                  : '#';
                bool has = false;

                for (size_t k = 0; k < p->copies; k++)
                        has |= p->copy[k].id == osd;
                if (has && strchr(worse, c) > worst)
                        worst = strchr(worse, c);
        }
        return *worst;
}

static size_t servers(const roma_layout *y, int id[ROWS])
{
        size_t n = 0, k;

        for (size_t i = 0; i < y->pieces; i++)
                for (size_t c = 0; c < y->piece[i].copies; c++) {
                        for (k = 0; k < n && id[k] != y->piece[i].copy[c].id; k++)
                                ;
                        if (k == n && n < ROWS)
                                id[n++] = y->piece[i].copy[c].id;
                }
        return n;
}

/* A row for each server; a cell is a run of pieces. Red for what is bad; the letters say the same without colour. */
static void draw(struct tool *t, const roma_layout *y)
{
        bool colour = isatty(STDOUT_FILENO) && !getenv("NO_COLOR");
        size_t n = cells(y->pieces), rows;
        int id[ROWS];

        rows = servers(y, id);
        if (!rows)
                return;
        out(t, "  # there  s other length  - missing  ! unreadable%s\n",
            t->opt.crc || t->opt.deep ? "" : " (nothing was read: --deep)");
        for (size_t r = 0; r < rows; r++) {
                out(t, "  osd.%-8d ", id[r]);
                for (size_t c = 0; c < n; c++) {
                        char x = cell(y, id[r], c * y->pieces / n, (c + 1) * y->pieces / n);
                        bool bad = x != '#' && x != ' ';

                        out(t, "%s%c%s", colour && bad ? "\033[1;31m" : "", x,
                            colour && bad ? "\033[0m" : "");
                }
                out(t, "\n");
        }
}

/* As for MooseFS: what is wrong is told on standard error too, and is exit code 7. */
static void judge(struct tool *t, const struct location *l, const roma_layout *y)
{
        for (size_t i = 0; i < y->remarks; i++)
                if (y->remark[i].weight == ROMA_REMARK_BAD) {
                        complain(t, "chunks %s: %s", l->shown, y->remark[i].text);
                        status_raise(t, EXIT_INTEGRITY);
                } else if (!t->opt.json) {
                        out(t, "  note: %s\n", y->remark[i].text);
                }
}

void pieces_show(struct tool *t, const struct location *l)
{
        unsigned flags =
                ROMA_LAYOUT_LOOK | (t->opt.crc || t->opt.deep ? ROMA_LAYOUT_COPIES | ROMA_LAYOUT_NOTED : 0u);
        struct answer a;
        roma_layout *y = pieces_of(t, &a, l, flags);

        if (!y) {
                report_failure(t, &a.result, l->shown);
        } else if (t->opt.json) {
                print_json(t, l, y);
        } else {
                print_head(t, l, y);
                if (t->opt.picture)
                        draw(t, y);
                for (size_t i = 0; i < y->pieces && !t->stopping; i++)
                        print_piece(t, i, &y->piece[i]);
        }
        if (y)
                judge(t, l, y);
        roma_layout_unref(y);
        answer_free(&a);
}
