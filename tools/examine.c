/* SPDX-License-Identifier: MIT */
/* The examination of one file, chunk by chunk. What looks wrong is looked at again: only what is still there after the master
 * has said that nobody writes, with chunk, version and length unchanged, counts. */
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "tools/examine.h"

enum {
        WINDOW = 16,     /* chunks whose tables are asked for at once */
        AHEAD = 192,     /* copies, of all files that are prepared together */
        ROUNDS = 6,      /* looks at blocks that change */
        GONE_LOOKS = 10, /* seconds that a server may take to start again */
        STARTS = 4,      /* at a file that changes */
        RANGES = 4096,   /* kept of one file */
        CHUNK_RANGES = DG_BLOCKS
};

static const uint64_t GONE_NS = UINT64_C(60) * 1000000000;

void examine_note(struct subject *s, enum weight weight, const char *kind, int64_t chunk, const char *format,
                  ...)
{
        char *text = NULL;
        va_list ap;

        if (s->notes == s->note_room) {
                s->note_room = s->note_room ? 2 * s->note_room : 8;
                s->note = need(realloc(s->note, s->note_room * sizeof(*s->note)));
        }
        va_start(ap, format);
        if (vasprintf(&text, format, ap) < 0)
                need(NULL);
        va_end(ap);
        s->note[s->notes++] = (struct note){ weight, kind, chunk, text };
}

static void forget(struct subject *s)
{
        for (size_t i = 0; i < s->notes; i++)
                free(s->note[i].text);
        for (size_t i = 0; i < s->window_count; i++)
                look_free(&s->window[i]);
        free(s->window);
        s->window = NULL;
        s->notes = s->ranges = s->dropped = s->window_count = s->window_first = s->compared = 0;
        s->peeks = 0;
        memset(&s->facts, 0, sizeof(s->facts));
        refine_clear(s);
        roma_mfs_map_unref(s->map);
        s->map = NULL;
        free(s->map_message);
        s->map_message = NULL;
}

static void forget_md5(struct subject *s)
{
        free(s->md5_message);
        s->md5_message = NULL;
        s->md5[0] = 0;
        s->mixed = false;
        mix_free(&s->mix);
        roma_mfs_map_unref(s->mix_map);
        s->mix_map = NULL;
        if (s->o)
                original_forget(s->o);
}

void examine_clear(struct subject *s)
{
        forget(s);
        forget_md5(s);
        free(s->range);
        free(s->note);
        free(s->key);
        free(s->shown);
        memset(s, 0, sizeof(*s));
}

/* ---- getting it ------------------------------------------------------------------------------------------- */

struct map_question {
        struct flight flight;
        struct subject *subject;
};

static void got_map(struct flight *f, const roma_result *r)
{
        struct subject *s = ((struct map_question *)f)->subject; /* its first member */

        s->map_code = r->code;
        if (r->code == ROMA_OK)
                s->map = roma_mfs_map_ref(r->extra);
        else
                s->map_message = need_copy(r->message && *r->message ? r->message : roma_code_text(r->code));
}

static void ask_maps(struct subject *s, size_t n)
{
        struct map_question *q = need(calloc(n, sizeof(*q)));
        struct looker *l = s->l;
        const roma_opts opts = request_opts(l->tool);

        for (size_t i = 0; i < n; i++) {
                q[i].subject = &s[i];
                flight_track(
                        l->tool, &q[i].flight, got_map,
                        roma_aio_mfs_chunks(l->place->store, s[i].key, &opts, flight_done, &q[i].flight));
        }
        flight_drive(l->tool);
        free(q);
}

/* Makes room for the looks of the next chunks; how many copies they have. */
static size_t open_window(struct subject *s, size_t first)
{
        size_t n = s->map->chunks - first, copies = 0;

        for (size_t i = 0; i < s->window_count; i++)
                look_free(&s->window[i]);
        free(s->window);
        if (n > WINDOW)
                n = WINDOW;
        s->window = need(calloc(n ? n : 1, sizeof(*s->window)));
        s->window_first = first;
        s->window_count = n;
        for (size_t i = 0; i < n; i++) {
                look_init(s->l, &s->window[i], &s->map->chunk[first + i], s->map->length);
                copies += s->window[i].k.copies;
        }
        return copies;
}

static void fill_window(struct subject *s)
{
        struct look *list[WINDOW];

        for (size_t i = 0; i < s->window_count; i++)
                list[i] = &s->window[i];
        look_tables(s->l, list, s->window_count, false);
}

void examine_prepare(struct subject *s, size_t n)
{
        struct look **list;
        size_t copies = 0, looks = 0;

        ask_maps(s, n);
        list = need(calloc(n * WINDOW + 1, sizeof(struct look *)));
        for (size_t i = 0; i < n && copies < AHEAD; i++) {
                if (!s[i].map)
                        continue;
                copies += open_window(&s[i], 0);
                for (size_t j = 0; j < s[i].window_count; j++)
                        list[looks++] = &s[i].window[j];
        }
        look_tables(s->l, list, looks, false);
        free(list);
}

static struct look *look_at(struct subject *s, size_t chunk)
{
        if (chunk < s->window_first || chunk >= s->window_first + s->window_count) {
                open_window(s, chunk);
                fill_window(s);
        }
        return &s->window[chunk - s->window_first];
}

/* ---- the first look --------------------------------------------------------------------------------------- */

static bool lacks_copy(const struct look *look)
{
        for (size_t i = 0; i < look->k.copies; i++)
                if (look->k.copy[i].current && !look->k.copy[i].usable)
                        return true;
        return false;
}

static size_t usable(const struct look *look)
{
        size_t n = 0;

        for (size_t i = 0; i < look->k.copies; i++)
                n += look->k.copy[i].usable && look->k.copy[i].current;
        return n;
}

/* Behind which byte nothing but zeros is stored; 0: nothing at all. */
static uint64_t stored_until(const struct look *look)
{
        uint64_t until = 0;

        for (size_t i = 0; i < look->k.copies; i++) {
                const struct dg_copy *c = &look->k.copy[i];
                if (!c->usable || !c->current || c->part)
                        continue;
                for (uint32_t b = c->blocks; b > 0; b--) {
                        if (c->crc[b - 1] == DG_EMPTY)
                                continue;
                        uint64_t end = (uint64_t)look->k.index * ROMA_MFS_CHUNK_SIZE + (uint64_t)b * DG_BLOCK;
                        until = end > until ? end : until;
                        break;
                }
        }
        return until;
}

static bool hides_data(const struct look *look)
{
        uint64_t length = look->k.length, round = (length + DG_BLOCK - 1) / DG_BLOCK * DG_BLOCK;

        return stored_until(look) > round;
}

static bool wants_data(const struct look *look)
{
        for (uint32_t b = 0; look->k.has_want && b < DG_BLOCKS; b++)
                if (look->k.want[b] != DG_EMPTY)
                        return true;
        return false;
}

static bool part_is_wrong(const struct look *look)
{
        bool complete;
        size_t copy;

        return dg_parity(&look->k, &copy, &complete) >= 0;
}

static bool part_is_other(const struct look *look)
{
        uint32_t first;
        bool complete;
        size_t copy;

        return dg_in_parts(&look->k) && dg_parts_differ(&look->k, &first, &copy, &complete);
}

static bool lacks_parts(const struct look *look)
{
        unsigned good, needed;

        return dg_too_few_parts(&look->k, &good, &needed);
}

static bool suspicious(const struct look *look)
{
        struct dg_range r;

        if (!look->chunk->id)
                return wants_data(look);
        return dg_ranges(&look->k, &r, 1) || lacks_copy(look) || !usable(look) || look->pad ||
               hides_data(look) || part_is_wrong(look) || part_is_other(look) || lacks_parts(look);
}

/* ---- the second look -------------------------------------------------------------------------------------- */

/* Marks the blocks that are not what they were. What a deep look has read stays known of the others. */
static bool compare_looks(const struct look *before, struct look *now, uint8_t moving[DG_BLOCKS])
{
        bool any = false;

        memset(moving, 0, DG_BLOCKS);
        for (size_t i = 0; i < now->k.copies; i++) {
                const struct dg_copy *a = &before->k.copy[i];
                struct dg_copy *b = &now->k.copy[i];
                if (a->usable != b->usable) {
                        any = true;
                        continue;
                }
                for (uint32_t block = 0; a->usable && block < DG_BLOCKS; block++) {
                        if (a->crc[block] == b->crc[block]) {
                                b->seen[block] = a->seen[block];
                                continue;
                        }
                        moving[block] = any = true;
                }
        }
        now->pad = before->pad;
        return any;
}

static void take_over(struct look *look, struct look *now)
{
        struct look_copy *copy = look->copy;

        /* What could not be read in the deep look is still to be told. */
        for (size_t i = 0; i < look->k.copies; i++) {
                now->copy[i].unread = copy[i].unread;
                now->copy[i].unread_why = copy[i].unread_why;
                now->copy[i].unread_message = copy[i].unread_message;
                copy[i].unread_message = NULL;
        }
        look_free(look);
        *look = *now;
}

/* True when the file is to be looked at from the start. *settled: what is wrong is not on its way. */
static bool changed_meanwhile(struct subject *s, const struct look *look, bool *settled)
{
        roma_mfs_place place;
        int rc = look_settled(s->l, s->map->inode, look->chunk->index, &place);

        *settled = rc != 0;
        return rc > 0 && (place.id != look->chunk->id || place.version != look->chunk->version ||
                          place.length != s->map->length);
}

/* A server that refuses the table of a copy that it should have has found a broken chunk file, or the copy has just been
 * moved. Asking it again would count against its disk, so the master is asked whether it still counts that copy. */
static bool refused(const struct look *look, size_t i)
{
        int code = look->copy[i].code;

        return look->k.copy[i].current && !look->k.copy[i].usable &&
               (code == ROMA_ENOENT || code == ROMA_ESERVERIO || code == ROMA_ECORRUPT);
}

static bool still_listed(const roma_mfs_map *map, const struct look *look, size_t i)
{
        const roma_mfs_chunk *c = look->chunk->index < map->chunks ? &map->chunk[look->chunk->index] : NULL;
        const roma_mfs_copy *at = look->copy[i].at;

        for (size_t k = 0; c && k < c->copies; k++)
                if (c->copy[k].ip == at->ip && c->copy[k].port == at->port && c->copy[k].part == at->part)
                        return c->copy[k].state == at->state;
        return false;
}

/* True when the master's list has changed. */
static bool copies_moved(struct subject *s, const struct look *look)
{
        roma_mfs_map *map = NULL;
        bool moved = false;

        for (size_t i = 0; i < look->k.copies && !moved; i++) {
                if (!refused(look, i))
                        continue;
                if (!map) {
                        look_pause(s->l->tool, 1000000000);
                        map = look_map(s->l, s->key, s->shown);
                        if (!map)
                                return false;
                }
                moved = !still_listed(map, look, i);
        }
        roma_mfs_map_unref(map);
        return moved;
}

/* Somebody wrote while a server was away, and now the server that has what was written is. */
static bool only_outdated(const struct look *look)
{
        for (size_t i = 0; i < look->k.copies; i++)
                if (look->copy[i].at->state != ROMA_MFS_WRONG_VERSION &&
                    look->copy[i].at->state != ROMA_MFS_REMOVAL_VERSION)
                        return false;
        return look->k.copies > 0;
}

static bool has_good(const roma_mfs_map *map, uint32_t index)
{
        const roma_mfs_chunk *c = index < map->chunks ? &map->chunk[index] : NULL;

        for (size_t k = 0; c && k < c->copies; k++)
                if (c->copy[k].state == ROMA_MFS_VALID || c->copy[k].state == ROMA_MFS_REMOVAL)
                        return true;
        return false;
}

/* A server that starts again is back in seconds; one that is not is gone. True when a good copy has come back. In a scan one wait in
 * a minute is enough: the next chunk lacks the same server. */
static bool good_came_back(struct subject *s, const struct look *look)
{
        struct looker *l = s->l;
        bool good = false;

        if (!only_outdated(look) || (l->gone_ns && now_ns() - l->gone_ns < GONE_NS))
                return false;
        for (unsigned i = 0; i < GONE_LOOKS && !good && !l->tool->stopping; i++) {
                roma_mfs_map *map;

                look_pause(l->tool, 1000000000);
                map = look_map(l, s->key, s->shown);
                if (!map)
                        return false;
                good = has_good(map, look->chunk->index);
                roma_mfs_map_unref(map);
        }
        if (!good)
                l->gone_ns = now_ns();
        return good;
}

/* Returns true when the file must be looked at from the start. *busy: somebody is writing there all the time. */
static bool look_again(struct subject *s, struct look *look, uint8_t moving[DG_BLOCKS], bool *busy)
{
        *busy = false;
        memset(moving, 0, DG_BLOCKS);
        if (copies_moved(s, look) || good_came_back(s, look))
                return true;
        for (unsigned round = 0; round < ROUNDS && !s->l->tool->stopping; round++) {
                struct look now, *one = &now;
                bool settled, moves;

                if (changed_meanwhile(s, look, &settled))
                        return true;
                *busy = !settled;
                if (!look->chunk->id)
                        return false;
                look_init(s->l, &now, look->chunk, s->map->length);
                now.k.has_want = look->k.has_want;
                now.k.want_length = look->k.want_length;
                memcpy(now.k.want, look->k.want, sizeof(now.k.want));
                for (size_t i = 0; i < now.k.copies; i++) {
                        if (!refused(look, i))
                                continue;
                        now.copy[i].code = look->copy[i].code;
                        now.copy[i].message = need_copy(look->copy[i].message);
                }
                look_tables(s->l, &one, 1, false);
                moves = compare_looks(look, &now, moving);
                take_over(look, &now);
                if (!moves && settled)
                        return false;
                if (!settled && round > 0)
                        return false; /* a minute of waiting is enough */
                look_pause(s->l->tool, 500000000);
        }
        return false;
}

/* ---- what counts ------------------------------------------------------------------------------------------ */

static void keep_range(struct subject *s, const struct dg_range *r)
{
        if (s->ranges == RANGES) {
                s->dropped++;
                return;
        }
        if (s->ranges == s->room) {
                s->room = s->room ? 2 * s->room : 16;
                s->range = need(realloc(s->range, s->room * sizeof(*s->range)));
        }
        s->range[s->ranges++] = *r;
}

static void note_hole(struct subject *s, const struct look *look)
{
        struct dg_range r = { .chunk = look->k.index,
                              .by_original = true,
                              .pattern = DG_ZERO,
                              .sure = true,
                              .absent = true,
                              .at = DG_UNKNOWN,
                              .end = DG_UNKNOWN };

        for (uint32_t b = 0; b < DG_BLOCKS; b++) {
                if (look->k.want[b] == DG_EMPTY)
                        continue;
                if (r.count && r.first + r.count == b) {
                        r.count++;
                        continue;
                }
                if (r.count)
                        keep_range(s, &r);
                r.first = b;
                r.count = 1;
        }
        if (r.count)
                keep_range(s, &r);
        s->facts.absent_chunks++;
}

static void note_copy(struct subject *s, const struct look *look, size_t i)
{
        const struct look_copy *c = &look->copy[i];
        const struct dg_copy *k = &look->k.copy[i];
        int64_t chunk = look->k.index;
        char what[16] = "the copy";

        if (k->part)
                snprintf(what, sizeof(what), "part %02X", k->part);
        if (c->at->state == ROMA_MFS_INVALID) {
                s->facts.invalid++;
                examine_note(s, NOTE_BAD, "damaged-copy", chunk, "%s on %s is known to be damaged", what,
                             c->at->server);
        } else if (!k->current) {
                s->facts.old++;
                examine_note(s, NOTE_INFO, "old-copy", chunk,
                             "%s on %s is of another version; the master removes it", what, c->at->server);
        } else if (!k->usable && c->code == ROMA_ECORRUPT) {
                s->facts.invalid++;
                examine_note(s, NOTE_BAD, "damaged-copy", chunk, "%s on %s is damaged: %s", what,
                             c->at->server, c->message);
        } else if (!k->usable && c->code == ROMA_ENOENT) {
                examine_note(s, NOTE_BAD, "missing-copy", chunk,
                             "the master counts %s on %s, and that server does not have it: %s",
                             k->part ? what : "a copy", c->at->server, c->message);
        } else if (!k->usable) {
                examine_note(s, NOTE_UNKNOWN, "not-asked", chunk, "%s on %s could not be looked at: %s", what,
                             c->at->server, c->message ? c->message : "interrupted");
        } else if (c->unread) {
                examine_note(
                        s, NOTE_UNKNOWN, "not-read", chunk, "%u blocks of %s on %s were %s%s%s", c->unread,
                        what, c->at->server, c->unread_why, c->unread_message ? ": " : "",
                        c->unread_message
                                ? c->unread_message
                                : ": after a CRC error a second one too soon can make the server give up "
                                  "the disk; run it again later, or see --error-gap");
        }
        for (uint32_t b = 0; k->part && b < DG_BLOCKS; b++) {
                if (k->seen[b] != DG_BAD)
                        continue;
                examine_note(s, NOTE_BAD, "damaged-part", chunk,
                             "block %u of part %02X on %s does not match its checksum", b, k->part,
                             c->at->server);
        }
}

static void note_copies(struct subject *s, const struct look *look)
{
        size_t good = usable(look), empty = 0, full = 0;
        unsigned parts = 0, needed = 0;
        bool few;

        for (size_t i = 0; i < look->k.copies; i++) {
                const struct dg_copy *k = &look->k.copy[i];
                note_copy(s, look, i);
                if (!k->usable || !k->current || k->part)
                        continue;
                if (k->blocks == 0)
                        empty++;
                else
                        full++;
        }
        if (full)
                s->facts.empty_copies += (uint32_t)empty;
        s->compared += good;
        if (look->k.copies > s->facts.copies)
                s->facts.copies = look->k.copies;
        few = dg_too_few_parts(&look->k, &parts, &needed);
        if (good && !few)
                return;
        if (look->chunk->zeros)
                examine_note(s, NOTE_BAD, "lost", look->k.index,
                             "the chunk is lost, and an administrator allowed to read it as zeros");
        else if (!look->k.copies)
                examine_note(s, NOTE_UNKNOWN, "no-copy", look->k.index,
                             "no chunkserver that is connected has a copy of chunk %016llX",
                             (unsigned long long)look->chunk->id);
        else if (few && look->k.copies == good)
                examine_note(s, NOTE_UNKNOWN, "no-copy", look->k.index,
                             "only %u of its parts are on chunkservers that are connected, and %u are needed",
                             parts, needed);
        else if (few && !lacks_copy(look))
                examine_note(s, NOTE_BAD, "no-good-copy", look->k.index,
                             "only %u of its parts are good, and %u are needed; roma salvage reads what "
                             "is left in the others",
                             parts, needed);
        else if (!lacks_copy(look))
                examine_note(
                        s, NOTE_BAD, "no-good-copy", look->k.index,
                        "only damaged copies or such of another version are left; roma salvage reads them");
        s->facts.lost++;
}

static void note_pad(struct subject *s, struct look *look)
{
        uint64_t base = (uint64_t)look->k.index * ROMA_MFS_CHUNK_SIZE;
        struct dg_range r = { .chunk = look->k.index, .count = 1, .pattern = DG_PAD, .sure = true };

        if (!look->pad)
                return;
        r.first = (uint32_t)((look->k.length - base) / DG_BLOCK);
        r.bad = look->pad;
        r.same = true;
        r.at = look->k.length;
        r.end = DG_UNKNOWN;
        for (size_t i = s->ranges; i > 0 && s->range[i - 1].chunk == r.chunk; i--)
                if (s->range[i - 1].first <= r.first &&
                    r.first - s->range[i - 1].first < s->range[i - 1].count)
                        return; /* that one says more */
        keep_range(s, &r);
}

static void note_parity(struct subject *s, const struct look *look)
{
        size_t copy = 0;
        bool complete;
        struct dg_part part;
        int block = dg_parity(&look->k, &copy, &complete);

        if (block >= 0 && dg_part(look->k.copy[copy].part, &part) && part.checksum)
                examine_note(
                        s, NOTE_BAD, "parity", look->k.index,
                        "block %d of the parts of the erasure coded chunk do not fit each other: that of the "
                        "checksum part %02X on %s is wrong, or that of a data part",
                        block, look->k.copy[copy].part, look->copy[copy].at->server);
        else if (block >= 0)
                examine_note(s, NOTE_BAD, "parity", look->k.index,
                             "block %d of part %02X on %s is not as in the other copy of this part", block,
                             look->k.copy[copy].part, look->copy[copy].at->server);
        else if (dg_in_parts(&look->k) && !complete)
                examine_note(s, NOTE_UNKNOWN, "parity", look->k.index,
                             "parts of the erasure coded chunk are missing: the others cannot be checked "
                             "against them");
}

/* Parts are compared with the original here only: dg_ranges() knows whole copies. */
static void note_parts(struct subject *s, const struct look *look)
{
        uint32_t first = 0, n;
        bool complete;
        size_t copy = 0;

        if (!look->k.has_want || look->k.moving || !dg_in_parts(&look->k))
                return;
        n = dg_parts_differ(&look->k, &first, &copy, &complete);
        if (n)
                examine_note(s, NOTE_BAD, "other-part", look->k.index,
                             "%u blocks are not as in the original, from block %u on (byte %llu of the "
                             "file), which is "
                             "in part %02X on %s",
                             n, first,
                             (unsigned long long)look->k.index * ROMA_MFS_CHUNK_SIZE +
                                     (unsigned long long)first * DG_BLOCK,
                             look->k.copy[copy].part, look->copy[copy].at->server);
        if (!complete)
                examine_note(
                        s, NOTE_UNKNOWN, "other-part", look->k.index,
                        "parts of the erasure coded chunk are missing: not all of it was compared with the "
                        "original");
}

static void note_stored(struct subject *s, const struct look *look)
{
        uint64_t until = stored_until(look);

        if (until > s->facts.stored)
                s->facts.stored = until;
        if (hides_data(look))
                s->facts.stored_data = true;
        if (look->k.index * ROMA_MFS_CHUNK_SIZE >= s->map->length && look->chunk->id)
                s->facts.chunk_behind = true;
}

/* What of a run lies at block `from` or behind it. False: nothing. */
static bool cut_off(struct dg_range *r, uint32_t from)
{
        uint32_t n = from > r->first ? from - r->first : 0;

        if (n >= r->count)
                return false;
        r->first += n;
        r->count -= n;
        if (r->pattern == DG_OFFSET)
                r->detail += (int64_t)n * DG_BLOCK;
        return true;
}

/* The runs of a chunk from block `from` on. */
static void keep_ranges(struct subject *s, struct look *look, uint32_t from)
{
        struct dg_range *r = need(malloc(CHUNK_RANGES * sizeof(*r)));
        size_t n = dg_ranges(&look->k, r, CHUNK_RANGES);

        for (size_t i = 0; i < n; i++) {
                if (!cut_off(&r[i], from))
                        continue;
                keep_range(s, &r[i]);
                if (r[i].bad && s->o &&
                    (uint64_t)r[i].chunk * ROMA_MFS_CHUNK_SIZE +
                                    (uint64_t)(r[i].first + r[i].count) * DG_BLOCK >
                            s->o->length)
                        s->facts.tail_differs |= s->map->length > s->o->length && !r[i].behind &&
                                                 r[i].pattern != DG_ZERO && r[i].pattern != DG_TAIL;
        }
        free(r);
        note_pad(s, look);
}

/* What bytes have shown stays, where it still is the same run. */
static void carry_over(struct dg_range *r, const struct dg_range *old)
{
        if (r->first != old->first || r->bad != old->bad || r->good != old->good)
                return;
        r->pattern = old->pattern;
        r->detail = old->detail;
        r->sure = old->sure;
        r->at = old->at;
        r->end = r->count == old->count ? old->end : DG_UNKNOWN;
}

size_t examine_again(struct subject *s, struct look *look, size_t i)
{
        const struct dg_range old = s->range[i];
        size_t dropped = s->dropped;
        uint32_t from = 0;

        /* Blocks that cannot be read may make one run with those in front of them. */
        while (i && s->range[i - 1].chunk == look->k.index && !s->range[i - 1].bad)
                i--;
        if (i && s->range[i - 1].chunk == look->k.index)
                from = s->range[i - 1].first + s->range[i - 1].count;
        s->ranges = i;
        keep_ranges(s, look, from);
        s->dropped = dropped; /* those were counted the first time */
        for (size_t n = i; n < s->ranges; n++)
                carry_over(&s->range[n], &old);
        return i;
}

static void note_ranges(struct subject *s, struct look *look)
{
        size_t first = s->ranges;

        keep_ranges(s, look, 0);
        refine_chunk(s, look, first);
}

/* True when the file must be looked at from the start. */
static bool examine_chunk(struct subject *s, size_t index)
{
        struct look *look = look_at(s, index);
        uint8_t moving[DG_BLOCKS] = { 0 };
        bool busy = false, any = false;

        if (s->o && s->o->md5[0]) {
                look->k.has_want = original_found(s->o, look->k.index, look->k.want);
                look->k.want_length = s->map->length;
        } else if (s->o) {
                look->k.has_want = original_crcs(s->o, look->k.index, look->k.want);
                look->k.want_length = s->o->length;
                if (!look->k.has_want)
                        examine_note(s, NOTE_UNKNOWN, "original", look->k.index,
                                     "the original could not be read");
        }
        if (s->deep)
                look_deep(s->l, look);
        if (suspicious(look) && look_again(s, look, moving, &busy))
                return true;
        for (uint32_t b = 0; b < DG_BLOCKS; b++)
                any |= moving[b];
        if (busy || any) {
                if (suspicious(look))
                        examine_note(s, NOTE_UNKNOWN, "busy", look->k.index,
                                     "somebody is writing there; look again when that is over");
                if (busy) {
                        s->compared += usable(look);
                        return false;
                }
                look->k.moving = moving;
        }
        if (!look->chunk->id) {
                if (wants_data(look))
                        note_hole(s, look);
        } else {
                note_copies(s, look);
                note_parity(s, look);
                note_parts(s, look);
                note_stored(s, look);
                note_ranges(s, look);
        }
        look->k.moving = NULL;
        return false;
}

/* ---- the file --------------------------------------------------------------------------------------------- */

/* The MD5 of the file as readers see it now. */
static void compute_md5(struct subject *s)
{
        const roma_opts opts = request_opts(s->l->tool);
        struct answer a = { 0 };

        for (size_t i = 0; i < s->ranges; i++) {
                if (!s->range[i].rot)
                        continue;
                s->md5_message = need_copy("the MD5 was not computed, to spare the disk with CRC errors");
                return;
        }
        ANSWER(s->l->tool, &a,
               roma_aio_hash(s->l->place->store, s->key, ROMA_MD5, &opts, flight_done, &a.flight));
        answer_wait(s->l->tool, &a);
        if (a.code == ROMA_OK)
                snprintf(s->md5, sizeof(s->md5), "%s", a.text);
        else
                s->md5_message = need_format("the MD5 could not be computed: %s", a.message);
        answer_free(&a);
}

/* When only the MD5 is known: whether some mix of the copies has it. True: one has, and the file is to be looked at again, in
 * comparison with that. */
static bool found_mix(struct subject *s)
{
        if (!s->o || !s->o->md5[0] || s->mixed)
                return false;
        compute_md5(s);
        s->mixed = true;
        /* Copies that agree, and have the MD5 or no others beside them, leave nothing to choose. */
        if (!s->ranges && (!strcmp(s->md5, s->o->md5) || !(s->facts.old || s->facts.invalid)))
                return false;
        mix_search(s->l, s->map, s->map->length, s->o->md5, false, &s->mix);
        s->mix_map = roma_mfs_map_ref(s->map);
        s->o->found = s->mix.want;
        s->o->found_chunks = s->mix.want ? s->mix.chunks : 0;
        s->mix.want = NULL;
        return s->o->found != NULL;
}

static void note_mix(struct subject *s)
{
        const struct mix *m = &s->mix;
        unsigned long long tried = m->tried;

        if (m->result == MIX_FOUND) {
                examine_note(s, NOTE_INFO, "mix", -1,
                             "taken from the copies that are as the original (one of %llu combinations that "
                             "were tried) the file has this MD5; roma salvage --against %s writes it",
                             tried, s->o->md5);
        } else if (m->points && m->result == MIX_NONE) {
                examine_note(s, NOTE_INFO, "mix", -1,
                             "none of %llu combinations of what the copies have has this MD5%s%s; %s", tried,
                             m->why ? ", and more were not tried: " : "", m->why ? m->why : "",
                             m->all ? "the right bytes are in no copy, or the length is wrong"
                                    : "only the original itself can show what is right");
        } else if (m->why) {
                examine_note(s, NOTE_UNKNOWN, "mix", -1, "which copy is right was not searched: %s", m->why);
        }
}

static void compare_md5(struct subject *s)
{
        if (!*s->md5)
                examine_note(s, s->mix.result == MIX_FOUND ? NOTE_INFO : NOTE_UNKNOWN, "md5", -1, "%s",
                             s->md5_message ? s->md5_message : "interrupted");
        else if (strcmp(s->md5, s->o->md5))
                examine_note(s, NOTE_BAD, "md5", -1, "the MD5 is %s, that of the original %s%s", s->md5,
                             s->o->md5,
                             s->ranges || s->mix.points
                                     ? ""
                                     : "; the copies agree, so only the original itself can show where");
        note_mix(s);
}

static void conclude(struct subject *s)
{
        bool whole = s->o && !s->o->md5[0];

        s->facts.length = s->map->length;
        s->facts.chunks = s->map->chunks;
        s->facts.want_length = whole ? s->o->length : DG_UNKNOWN;
        if (whole && s->o->length != s->map->length)
                examine_note(s, NOTE_BAD, "length", -1, "it has %llu bytes, the original %llu",
                             (unsigned long long)s->map->length, (unsigned long long)s->o->length);
        if (s->facts.stored_data)
                examine_note(
                        s, NOTE_BAD, "hidden-data", -1,
                        "data are stored behind the end of the file, up to byte %llu: no reader sees them",
                        (unsigned long long)s->facts.stored);
        if (s->o && !whole)
                compare_md5(s);
        if (whole)
                refine_search(s);
        s->facts.range = s->range;
        s->facts.ranges = s->ranges;
        s->causes = dg_causes(&s->facts, s->cause);
}

enum verdict examine_verdict(const struct subject *s)
{
        enum verdict v = CLEAN;

        if (s->ranges)
                return DIFFERS;
        for (size_t i = 0; i < s->notes; i++) {
                if (s->note[i].weight == NOTE_BAD)
                        return DIFFERS;
                if (s->note[i].weight == NOTE_UNKNOWN)
                        v = CANNOT_TELL;
        }
        return s->map ? v : CANNOT_TELL;
}

static bool all_chunks(struct subject *s)
{
        size_t behind = s->o && !s->o->md5[0]
                                ? (size_t)((s->o->length + ROMA_MFS_CHUNK_SIZE - 1) / ROMA_MFS_CHUNK_SIZE)
                                : 0;

        progress_expect(s->l->tool, 1, (int64_t)s->map->length);
        for (size_t i = 0; i < s->map->chunks && !s->l->tool->stopping; i++) {
                uint64_t base = (uint64_t)i * ROMA_MFS_CHUNK_SIZE, left = s->map->length - base;
                if (examine_chunk(s, i))
                        return false;
                if (base < s->map->length)
                        progress_bytes(s->l->tool,
                                       (int64_t)(left < ROMA_MFS_CHUNK_SIZE ? left : ROMA_MFS_CHUNK_SIZE));
        }
        progress_file(s->l->tool);
        if (behind > s->map->chunks)
                s->facts.absent_chunks += (uint32_t)(behind - s->map->chunks);
        return true;
}

enum verdict examine(struct subject *s)
{
        for (unsigned start = 0; start < STARTS; start++) {
                if (!s->map && !s->map_message)
                        examine_prepare(s, 1);
                if (!s->map)
                        return CANNOT_TELL;
                if (all_chunks(s) && !(s->mix_map && !look_same_map(s->mix_map, s->map))) {
                        if (!s->l->tool->stopping && found_mix(s)) {
                                forget(s);
                                start--;
                                continue;
                        }
                        if (!s->l->tool->stopping)
                                conclude(s);
                        return examine_verdict(s);
                }
                if (s->l->tool->stopping)
                        return CANNOT_TELL;
                forget_md5(s);
                forget(s);
                look_pause(s->l->tool, 300000000);
        }
        examine_prepare(s, 1);
        if (s->map)
                examine_note(s, NOTE_UNKNOWN, "busy", -1,
                             "it changes while it is looked at; look again when that is over");
        return CANNOT_TELL;
}
