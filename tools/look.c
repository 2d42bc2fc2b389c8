/* SPDX-License-Identifier: MIT */
/* Tables and blocks of single copies, many at a time. */
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "tools/look.h"

enum {
        READ_BLOCKS = 64,
        MFS_WRONGVERSION = 19,
        MFS_CRC = 29,
        QUESTIONS = 96,
        TRIES = 3,
        SCAN_WAIT_MS = 5000,
        SILENT_S = 60 /* a server that was silent twice is not asked for so long */
};

void looker_init(struct looker *l, struct tool *t, struct place *place)
{
        *l = (struct looker){ .tool = t, .place = place };
}

void looker_free(struct looker *l)
{
        struct look_server *s;

        while ((s = l->servers)) {
                l->servers = s->next;
                free(s);
        }
        free(l->rot);
        l->rot = NULL;
        l->rots = 0;
}

static struct look_server *server_of(struct looker *l, const roma_mfs_copy *copy)
{
        struct look_server *s;

        for (s = l->servers; s; s = s->next)
                if (s->ip == copy->ip && s->port == copy->port)
                        return s;
        s = need_zeroed(sizeof(*s));
        s->ip = copy->ip;
        s->port = copy->port;
        memcpy(s->name, copy->server, sizeof(s->name));
        s->next = l->servers;
        l->servers = s;
        return s;
}

const char *look_state(unsigned state)
{
        static const char *const names[] = { [ROMA_MFS_VALID] = "valid",
                                             [ROMA_MFS_REMOVAL] = "marked for removal",
                                             [ROMA_MFS_WRONG_VERSION] = "wrong version",
                                             [ROMA_MFS_REMOVAL_VERSION] = "wrong version, marked for removal",
                                             [ROMA_MFS_INVALID] = "damaged" };

        return state < sizeof(names) / sizeof(names[0]) ? names[state] : "unknown state";
}

static bool is_current(const roma_mfs_copy *copy)
{
        return copy->state == ROMA_MFS_VALID || copy->state == ROMA_MFS_REMOVAL;
}

/* ---- waiting ---------------------------------------------------------------------------------------------- */

void look_pause(struct tool *t, uint64_t ns)
{
        uint64_t end = now_ns() + ns;

        for (uint64_t now; (now = now_ns()) < end && !t->stopping;) {
                struct answer a = { 0 };
                uint64_t ms = (end - now) / 1000000 + 1;
                ANSWER(t, &a,
                       roma_aio_sleep(t->loop, ms < 60000 ? (uint32_t)ms : 60000, flight_done, &a.flight));
                answer_wait(t, &a);
                answer_free(&a);
        }
}

void look_pay(struct looker *l, uint64_t bytes)
{
        uint64_t now = now_ns(), rate = l->tool->opt.rate;

        l->bytes += bytes;
        if (!rate)
                return;
        if (l->free_ns < now)
                l->free_ns = now;
        l->free_ns += (uint64_t)((double)bytes * 1e9 / (double)rate);
        if (l->free_ns > now)
                look_pause(l->tool, l->free_ns - now);
}

/* ---- maps ------------------------------------------------------------------------------------------------- */

struct map_answer {
        struct flight flight;
        const char *shown;
        roma_mfs_map *map;
};

static void got_map(struct flight *f, const roma_result *r)
{
        struct map_answer *a = (struct map_answer *)f; /* its first member */

        if (r->code == ROMA_OK)
                a->map = roma_mfs_map_ref(r->extra);
        else
                report_failure(f->tool, r, a->shown);
}

roma_mfs_map *look_map(struct looker *l, const char *key, const char *shown)
{
        const roma_opts opts = request_opts(l->tool);
        struct map_answer a = { .shown = shown };

        flight_track(l->tool, &a.flight, got_map,
                     roma_aio_mfs_chunks(l->place->store, key, &opts, flight_done, &a.flight));
        flight_drive(l->tool);
        return a.map;
}

bool look_same_map(const roma_mfs_map *a, const roma_mfs_map *b)
{
        if (a->length != b->length || a->chunks != b->chunks || a->inode != b->inode)
                return false;
        for (size_t i = 0; i < a->chunks; i++)
                if (a->chunk[i].id != b->chunk[i].id || a->chunk[i].version != b->chunk[i].version)
                        return false;
        return true;
}

struct place_answer {
        struct flight flight;
        int code;
        roma_mfs_place place;
};

static void got_place(struct flight *f, const roma_result *r)
{
        struct place_answer *a = (struct place_answer *)f; /* its first member */

        a->code = r->code;
        if (r->code == ROMA_OK)
                a->place = *(const roma_mfs_place *)r->extra;
}

int look_settled(struct looker *l, uint32_t inode, uint32_t index, roma_mfs_place *place)
{
        roma_opts opts = request_opts(l->tool);
        struct place_answer a = { 0 };

        /* In a scan nobody waits for each file that is being written. */
        if (l->tool->opt.recursive && !opts.deadline_ms)
                opts.deadline_ms = SCAN_WAIT_MS;

        flight_track(l->tool, &a.flight, got_place,
                     roma_aio_mfs_settled(l->place->store, inode, index, &opts, flight_done, &a.flight));
        flight_drive(l->tool);
        *place = a.place;
        if (a.code == ROMA_OK)
                return 1;
        return a.code == ROMA_ELOCKED || a.code == ROMA_ETIMEDOUT ? 0 : -1;
}

/* ---- servers that say nothing ----------------------------------------------------------------------------- */

static bool is_silent(const struct look_server *s)
{
        return s->silences > 1 && now_ns() - s->silent_ns < (uint64_t)SILENT_S * 1000000000;
}

/* What came of a question that was asked then. Those that were asked together have met one silence. */
static void hear(struct looker *l, struct look_server *s, const roma_result *r, uint64_t asked_ns)
{
        if (r->code != ROMA_ETIMEDOUT) {
                s->silences = r->code == ROMA_OK ? 0 : s->silences;
                return;
        }
        if (asked_ns < s->silent_ns)
                return;
        s->silent_ns = now_ns();
        s->silences++;
        /* Where somebody watches: nothing else moves meanwhile. */
        if (l->tool->progress && !l->tool->stopping)
                complain(l->tool, "%s: %s does not answer; it is %s", l->tool->command->name, s->name,
                         s->silences > 1 ? "left alone for a minute" : "asked once more");
}

/* For questions with small answers, where --stall says how long a server may say nothing. */
static roma_opts question_opts(const struct looker *l)
{
        roma_opts opts = request_opts(l->tool);

        if (opts.stall_ms && (!opts.deadline_ms || opts.deadline_ms > opts.stall_ms))
                opts.deadline_ms = opts.stall_ms;
        return opts;
}

/* ---- tables ----------------------------------------------------------------------------------------------- */

static bool is_of(const struct look_rot *r, const struct look *look, size_t copy)
{
        const roma_mfs_copy *at = look->copy[copy].at;

        return r->chunk == look->chunk->id && r->version == look->chunk->version && r->ip == at->ip &&
               r->port == at->port && r->part == at->part;
}

void look_bad(struct looker *l, struct look *look, size_t copy, uint32_t block)
{
        const roma_mfs_copy *at = look->copy[copy].at;

        look->k.copy[copy].seen[block] = DG_BAD;
        l->rot = need(realloc(l->rot, (l->rots + 1) * sizeof(*l->rot)));
        l->rot[l->rots++] =
                (struct look_rot){ look->chunk->id, look->chunk->version, at->ip, block, at->port, at->part };
}

void look_init(struct looker *l, struct look *look, const roma_mfs_chunk *chunk, uint64_t length)
{
        size_t n = chunk->copies < DG_COPIES ? chunk->copies : DG_COPIES;

        memset(look, 0, sizeof(*look));
        look->chunk = chunk;
        look->k.index = chunk->index;
        look->k.length = length;
        look->k.copies = n;
        look->k.copy = need(calloc(n + 1, sizeof(*look->k.copy)));
        look->copy = need(calloc(n + 1, sizeof(*look->copy)));
        for (size_t i = 0; i < n; i++) {
                look->copy[i].at = &chunk->copy[i];
                look->copy[i].server = server_of(l, &chunk->copy[i]);
                look->k.copy[i].part = chunk->copy[i].part;
                look->k.copy[i].current = is_current(&chunk->copy[i]);
                for (size_t r = 0; r < l->rots; r++)
                        if (is_of(&l->rot[r], look, i))
                                look->k.copy[i].seen[l->rot[r].block] = DG_BAD;
        }
}

void look_free(struct look *look)
{
        for (size_t i = 0; i < look->k.copies; i++) {
                free(look->copy[i].message);
                free(look->copy[i].unread_message);
        }
        free(look->k.copy);
        free(look->copy);
        memset(look, 0, sizeof(*look));
}

struct question {
        struct flight flight;
        struct looker *looker;
        struct look *look;
        size_t copy;
        uint64_t asked_ns;
        bool again;       /* the failure may pass */
        bool any_version; /* it is known not to have the right one */
        struct question *next;
};

static void got_table(struct flight *f, const roma_result *r)
{
        struct question *q = (struct question *)f; /* its first member */
        struct look_copy *c = &q->look->copy[q->copy];
        struct dg_copy *k = &q->look->k.copy[q->copy];

        hear(q->looker, c->server, r, q->asked_ns);
        free(c->message);
        c->message = NULL;
        c->code = r->code;
        q->again = (r->flags & ROMA_RETRIABLE) != 0;
        if (r->code != ROMA_OK && !k->current && !q->any_version && r->status_kind == ROMA_STATUS_MFS &&
            r->server_status == MFS_WRONGVERSION)
                q->again = q->any_version = true;
        if (r->code != ROMA_OK) {
                c->message = need_copy(r->message);
                return;
        }
        const roma_mfs_crcs *table = r->extra;
        k->usable = true;
        k->blocks = table->blocks;
        k->same_version = !k->current && !q->any_version;
        memcpy(k->crc, table->crc, sizeof(k->crc));
}

static void ask_table(struct looker *l, struct question *q)
{
        const roma_opts opts = question_opts(l);
        struct look_copy *c = &q->look->copy[q->copy];
        const roma_mfs_copy *at = c->at;
        uint32_t version;

        q->again = false;
        if (is_silent(c->server)) {
                c->code = ROMA_ETIMEDOUT;
                if (!c->message)
                        c->message = need_format("%s did not answer twice, and is left alone for a minute",
                                                 at->server);
                return;
        }
        q->asked_ns = now_ns();
        /* What the master calls damaged may be of the right version all the same: its server knows. */
        if (at->state == ROMA_MFS_WRONG_VERSION)
                q->any_version = true;
        version = q->any_version ? 0 : q->look->chunk->version;
        flight_track(l->tool, &q->flight, got_table,
                     roma_aio_mfs_replica_crcs(l->place->store, at, q->look->chunk->id, version, &opts,
                                               flight_done, &q->flight));
}

/* Those that a busy server put off are asked once more. */
static void ask_again(struct looker *l, struct question *q, size_t n)
{
        for (unsigned tries = 1; tries < TRIES && !l->tool->stopping; tries++) {
                bool any = false;
                for (size_t i = 0; i < n; i++)
                        any |= q[i].again;
                if (!any)
                        return;
                look_pause(l->tool, 300000000);
                for (size_t i = 0; i < n; i++)
                        if (q[i].again)
                                ask_table(l, &q[i]);
                flight_drive(l->tool);
        }
}

static void ask_wave(struct looker *l, struct question *q, size_t n)
{
        for (size_t i = 0; i < n; i++)
                ask_table(l, &q[i]);
        flight_drive(l->tool);
        ask_again(l, q, n);
        look_pay(l, n * sizeof(uint32_t) * DG_BLOCKS);
}

void look_tables(struct looker *l, struct look *const *looks, size_t n, bool others)
{
        struct question *q = need(calloc(QUESTIONS, sizeof(*q)));
        size_t filled = 0;

        for (size_t i = 0; i < n && !l->tool->stopping; i++) {
                for (size_t c = 0; looks[i]->chunk->id && c < looks[i]->k.copies; c++) {
                        if ((!looks[i]->k.copy[c].current && !others) || looks[i]->copy[c].code)
                                continue;
                        q[filled++] = (struct question){ .looker = l, .look = looks[i], .copy = c };
                        if (filled < QUESTIONS)
                                continue;
                        ask_wave(l, q, filled);
                        filled = 0;
                }
        }
        if (filled)
                ask_wave(l, q, filled);
        free(q);
}

/* ---- the peace of the disks ------------------------------------------------------------------------------- */

struct disks_answer {
        struct flight flight;
        struct looker *looker;
        struct look_server *server;
        uint64_t asked_ns;
        int64_t latest; /* error, seconds since 1970 */
};

static void got_disks(struct flight *f, const roma_result *r)
{
        struct disks_answer *a = (struct disks_answer *)f; /* its first member */
        const roma_mfs_disk_list *list = r->extra;

        hear(a->looker, a->server, r, a->asked_ns);
        for (size_t i = 0; r->code == ROMA_OK && i < list->count; i++)
                if (list->disk[i].error_time > a->latest)
                        a->latest = list->disk[i].error_time;
}

static void be_quiet(struct looker *l, struct look_server *s, uint64_t since_ns)
{
        uint64_t gap = l->tool->opt.error_gap_ms * 1000000;

        if (gap > since_ns && now_ns() + gap - since_ns > s->quiet_ns)
                s->quiet_ns = now_ns() + gap - since_ns;
}

/* The server's own memory of errors: those of an earlier run, of other clients, of its own tests. */
static void ask_disks(struct looker *l, struct look_server *s)
{
        const roma_opts opts = question_opts(l);
        const roma_mfs_copy at = { .ip = s->ip, .port = s->port };
        struct disks_answer a = { .looker = l, .server = s, .asked_ns = now_ns() };
        int64_t now = time(NULL);

        s->asked = true;
        if (is_silent(s))
                return;
        flight_track(l->tool, &a.flight, got_disks,
                     roma_aio_mfs_disks(l->place->store, &at, &opts, flight_done, &a.flight));
        flight_drive(l->tool);
        if (a.latest)
                be_quiet(l, s, a.latest < now ? (uint64_t)(now - a.latest) * 1000000000 : 0);
}

bool look_allowed(struct looker *l, struct look_server *s)
{
        if (!l->tool->opt.error_gap_ms)
                return true;
        if (!s->asked)
                ask_disks(l, s);
        return now_ns() >= s->quiet_ns;
}

bool look_wait(struct looker *l, struct look_server *s)
{
        uint64_t now = now_ns();

        if (look_allowed(l, s))
                return true;
        complain(l->tool,
                 "%s: waiting %llu s before %s is read again: it had a CRC error, and a second one too soon "
                 "can make it "
                 "give up the disk (--error-gap)",
                 l->tool->command->name, (unsigned long long)((s->quiet_ns - now) / 1000000000 + 1), s->name);
        look_pause(l->tool, s->quiet_ns - now);
        return !l->tool->stopping;
}

bool look_is_rot(struct looker *l, struct look_server *s, const roma_result *r)
{
        /* Bytes that were changed on their way are ECORRUPT too, but no word of the server's. */
        if (r->code != ROMA_ECORRUPT || r->status_kind != ROMA_STATUS_MFS || r->server_status != MFS_CRC)
                return false;
        be_quiet(l, s, 0);
        return true;
}

/* ---- blocks ----------------------------------------------------------------------------------------------- */

struct reading {
        struct flight flight;
        struct looker *looker;
        struct look *look;
        size_t copy;
        uint32_t next, asked; /* block, and how many are on their way */
        unsigned failures;
        bool over;
        unsigned char *buf;
};

static void check_block(struct reading *d, uint32_t block, const unsigned char *bytes)
{
        struct dg_chunk *k = &d->look->k;
        uint64_t start = (uint64_t)k->index * ROMA_MFS_CHUNK_SIZE + (uint64_t)block * DG_BLOCK;

        /* What differs from the table was written in between; the second look sees that. */
        k->copy[d->copy].crc[block] = dg_crc(bytes, DG_BLOCK);
        k->copy[d->copy].seen[block] = DG_GOOD;
        if (!k->copy[d->copy].part && start < k->length && start + DG_BLOCK > k->length &&
            !dg_is_zero(bytes + (k->length - start), (size_t)(start + DG_BLOCK - k->length)))
                d->look->pad |= 1u << d->copy;
}

static void give_up(struct reading *d, const char *why, const char *message)
{
        struct look_copy *c = &d->look->copy[d->copy];

        d->over = true;
        c->unread = d->look->k.copy[d->copy].blocks - d->next;
        c->unread_why = why;
        c->unread_message = message ? need_copy(message) : NULL;
}

static void got_blocks(struct flight *f, const roma_result *r)
{
        struct reading *d = (struct reading *)f; /* its first member */
        struct look_copy *c = &d->look->copy[d->copy];
        uint32_t good = r->code == ROMA_OK ? d->asked : (uint32_t)(r->bytes / DG_BLOCK);

        for (uint32_t i = 0; i < good; i++)
                check_block(d, d->next + i, d->buf + (size_t)i * DG_BLOCK);
        d->next += good;
        if (r->code == ROMA_OK) {
                d->failures = 0;
        } else if (look_is_rot(d->looker, c->server, r)) {
                look_bad(d->looker, d->look, d->copy, d->next++);
        } else if (++d->failures >= TRIES || !(r->flags & ROMA_RETRIABLE)) {
                give_up(d, "could not be read", r->message);
        }
}

/* The next piece of this copy. False: nothing to read, or not now. */
static bool read_on(struct looker *l, struct reading *d)
{
        const roma_opts opts = request_opts(l->tool);
        struct look_copy *c = &d->look->copy[d->copy];
        uint32_t left = d->look->k.copy[d->copy].blocks - d->next;

        if (d->over || !left)
                return false;
        /* A scan of many files has time; the rest of one file can be looked at later. */
        if (l->tool->opt.recursive ? !look_wait(l, c->server) : !look_allowed(l, c->server)) {
                give_up(d, "not read, to spare the disk", NULL);
                return false;
        }
        d->asked = left < READ_BLOCKS ? left : READ_BLOCKS;
        flight_track(l->tool, &d->flight, got_blocks,
                     roma_aio_mfs_replica_read(l->place->store, c->at, d->look->chunk->id,
                                               d->look->chunk->version, d->buf, (size_t)d->asked * DG_BLOCK,
                                               (uint64_t)d->next * DG_BLOCK, &opts, flight_done, &d->flight));
        return true;
}

/* Each server reads one piece at a time; the servers work side by side. */
void look_deep(struct looker *l, struct look *look)
{
        struct reading *d = need(calloc(look->k.copies + 1, sizeof(*d)));
        bool busy = true;

        for (size_t i = 0; i < look->k.copies; i++) {
                d[i] = (struct reading){ .looker = l, .look = look, .copy = i };
                d[i].over = !look->k.copy[i].usable || !look->k.copy[i].current;
                if (!d[i].over)
                        d[i].buf = need(malloc((size_t)READ_BLOCKS * DG_BLOCK));
        }
        while (busy && !l->tool->stopping) {
                uint64_t bytes = 0;
                busy = false;
                for (size_t i = 0; i < look->k.copies; i++)
                        look->copy[i].server->reading = false;
                for (size_t i = 0; i < look->k.copies; i++) {
                        if (look->copy[i].server->reading) {
                                busy |= !d[i].over && d[i].next < look->k.copy[i].blocks;
                                continue;
                        }
                        if (!read_on(l, &d[i]))
                                continue;
                        look->copy[i].server->reading = busy = true;
                        bytes += (uint64_t)d[i].asked * DG_BLOCK;
                }
                flight_drive(l->tool);
                look_pay(l, bytes);
        }
        for (size_t i = 0; i < look->k.copies; i++)
                free(d[i].buf);
        free(d);
}

struct block_answer {
        struct flight flight;
        struct looker *looker;
        struct look_server *server;
        enum look_result result;
};

static void got_block(struct flight *f, const roma_result *r)
{
        struct block_answer *a = (struct block_answer *)f; /* its first member */

        a->result = r->code == ROMA_OK                     ? LOOK_OK
                    : look_is_rot(a->looker, a->server, r) ? LOOK_BAD
                                                           : LOOK_FAILED;
}

enum look_result look_block(struct looker *l, struct look *look, size_t copy, uint32_t block, void *buf)
{
        const roma_opts opts = request_opts(l->tool);
        struct look_copy *c = &look->copy[copy];
        struct block_answer a = { .looker = l, .server = c->server };
        uint32_t version = look->k.copy[copy].current ? look->chunk->version : 0;

        if (look->k.copy[copy].seen[block] == DG_BAD)
                return LOOK_BAD;
        if (block >= look->k.copy[copy].blocks) {
                memset(buf, 0, DG_BLOCK);
                return LOOK_OK;
        }
        if (!look_allowed(l, c->server))
                return LOOK_QUIET;
        flight_track(l->tool, &a.flight, got_block,
                     roma_aio_mfs_replica_read(l->place->store, c->at, look->chunk->id, version, buf,
                                               DG_BLOCK, (uint64_t)block * DG_BLOCK, &opts, flight_done,
                                               &a.flight));
        flight_drive(l->tool);
        look_pay(l, DG_BLOCK);
        if (a.result == LOOK_BAD)
                look_bad(l, look, copy, block);
        return a.result;
}
