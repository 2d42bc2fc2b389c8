/* SPDX-License-Identifier: MIT */
/* roma salvage URI OUT: the best file that can be put together from all copies, block by block, and a map of what is certain. Only
 * OUT and OUT.map are written, and they get their names when both are whole: what is there under these names is true. */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tools/coded.h"
#include "tools/mix.h"

enum {
        RUN = 16,  /* blocks read at once */
        TRIES = 3, /* for a block that has other bytes at each read */
};

/* What became of a run of bytes. */
struct stretch {
        uint64_t offset, length;
        enum dg_certainty certainty;
        char *from, *reason;
};

struct salvage {
        struct tool *tool;
        struct looker l;
        struct location from, to;
        struct original original;
        bool has_original, md5_only;
        roma_mfs_map *map;
        uint64_t length; /* of what is made */
        roma_file *out, *whole;
        char *map_path;
        FILE *map_file;
        char *out_key, *map_key;       /* of the store of files: where they are to be in the end, */
        char *hidden_out, *hidden_map; /* and while they are made; NULL: there is none */
        bool named;                    /* the file has its name */
        bool changed;                  /* the source did, while it was read: nothing is certain */
        bool contradicted;             /* by the MD5 of the original: nothing is certain */
        struct stretch last;
        uint64_t bytes[DG_LOST + 1];
        bool failed;
        bool proved; /* by the MD5 of the original: all of it is right */
        bool unsafe; /* a name was given, and may not be on the disk */
        bool kept;   /* under a hidden name that was told */
};

/* Keys of the store of files are paths without their first slash. */
static char *path_of(const char *key)
{
        return need_format("/%s", key);
}

/* ---- the map ---------------------------------------------------------------------------------------------- */

static const char *const words[] = { [DG_CERTAIN] = "certain", [DG_CHOSEN] = "chosen", [DG_LOST] = "lost" };

static void flush_stretch(struct salvage *v)
{
        struct stretch *s = &v->last;

        if (s->length)
                fprintf(v->map_file, "%" PRIu64 "\t%" PRIu64 "\t%s\t%s\t%s\n", s->offset, s->length,
                        words[s->certainty], s->from, s->reason);
        free(s->from);
        free(s->reason);
        memset(s, 0, sizeof(*s));
}

static void record(struct salvage *v, uint64_t offset, uint64_t length, enum dg_certainty certainty,
                   const char *from, const char *reason)
{
        struct stretch *s = &v->last;

        v->bytes[certainty] += length;
        if (s->length && s->offset + s->length == offset && s->certainty == certainty &&
            !strcmp(s->from, from) && !strcmp(s->reason, reason)) {
                s->length += length;
                return;
        }
        flush_stretch(v);
        *s = (struct stretch){ offset, length, certainty, need_copy(from), need_copy(reason) };
}

/* What is certain is not, for this reason. */
static void print_doubted(FILE *to, const char *line, const char *reason)
{
        static const char word[] = "\tcertain\t";
        const char *at = *line == '#' ? NULL : strstr(line, word);
        size_t n = strlen(line);

        if (!at) {
                fputs(line, to);
                return;
        }
        fprintf(to, "%.*s\t%s\t", (int)(at - line), line, words[DG_CHOSEN]);
        at += strlen(word);
        if (n > 3 && !strcmp(line + n - 3, "\t-\n"))
                fprintf(to, "%.*s%s\n", (int)(line + n - 2 - at), at, reason);
        else
                fputs(at, to);
}

/* The map again, in a new file of the same name. */
static void doubt_map(struct salvage *v, const char *reason)
{
        char *path = path_of(v->hidden_map), *line = NULL;
        FILE *old = v->map_file;
        size_t room = 0;
        bool good = fflush(old) == 0 && !ferror(old) && fseek(old, 0, SEEK_SET) == 0 && unlink(path) == 0;

        v->map_file = good ? fopen(path, "w+ex") : NULL;
        while (v->map_file && getline(&line, &room, old) >= 0)
                print_doubted(v->map_file, line, reason);
        if (!v->map_file || ferror(old)) {
                complain(v->tool, "salvage: %s: %s", v->map_path, strerror(errno));
                v->failed = true;
        }
        v->bytes[DG_CHOSEN] += v->bytes[DG_CERTAIN];
        v->bytes[DG_CERTAIN] = 0;
        free(line);
        free(path);
        fclose(old);
}

/* ---- one chunk -------------------------------------------------------------------------------------------- */

struct work {
        struct salvage *v;
        struct look look;
        uint32_t blocks; /* of the file, in this chunk */
        struct dg_vote vote[DG_BLOCKS];
        bool done[DG_BLOCKS];
        uint32_t restless; /* copies that gave other bytes than a moment before: bit i is copy i */
        uint8_t changes[DG_COPIES][DG_BLOCKS];
};

struct run {
        struct flight flight;
        struct work *w;
        size_t copy;
        uint32_t first, count;
        unsigned char *buf;
        uint32_t good; /* blocks that came and are as the table says */
        bool failed;
};

static uint64_t offset_of(const struct work *w, uint32_t block)
{
        return (uint64_t)w->look.k.index * ROMA_MFS_CHUNK_SIZE + (uint64_t)block * DG_BLOCK;
}

/* These bytes are others than the copy had a moment ago: it may have been written meanwhile, and may be voted for again. A server
 * that gives other bytes each time is passed over, and where nobody else has the block, what came last is taken. */
static bool take_changed(struct run *u, uint32_t b, uint32_t crc)
{
        struct work *w = u->w;
        struct dg_copy *k = &w->look.k.copy[u->copy];

        w->restless |= 1u << u->copy;
        k->crc[b] = crc;
        if (k->seen[b] == DG_RESTLESS)
                return true;
        if (++w->changes[u->copy][b] == TRIES)
                k->seen[b] = DG_RESTLESS;
        u->failed = true;
        return false;
}

static void got_run(struct flight *f, const roma_result *r)
{
        struct run *u = (struct run *)f; /* its first member */
        struct dg_copy *k = &u->w->look.k.copy[u->copy];
        uint32_t came = r->code == ROMA_OK ? u->count : (uint32_t)(r->bytes / DG_BLOCK);

        for (u->good = 0; u->good < came; u->good++) {
                uint32_t b = u->first + u->good, crc = dg_crc(u->buf + (size_t)u->good * DG_BLOCK, DG_BLOCK);
                if (crc != k->crc[b] && !take_changed(u, b, crc))
                        return;
                if (k->seen[b] != DG_RESTLESS)
                        k->seen[b] = DG_GOOD;
        }
        if (r->code == ROMA_OK)
                return;
        u->failed = true;
        if (look_is_rot(&u->w->v->l, u->w->look.copy[u->copy].server, r)) {
                look_bad(&u->w->v->l, &u->w->look, u->copy, u->first + came);
        } else if (!(r->flags & ROMA_RETRIABLE) || ++u->w->look.copy[u->copy].unread > 3) {
                /* This copy has nothing more to give; what it has is known by its table. */
                for (uint32_t b = 0; b < DG_BLOCKS; b++)
                        if (k->seen[b] != DG_GOOD && k->seen[b] != DG_BAD)
                                k->seen[b] = DG_AWAY;
        }
}

static bool write_out(struct salvage *v, const void *buf, uint64_t offset, uint64_t len)
{
        struct answer a = { 0 };

        ANSWER(v->tool, &a, roma_aio_pwrite(v->out, buf, (size_t)len, offset, NULL, flight_done, &a.flight));
        answer_wait(v->tool, &a);
        if (a.code != ROMA_OK) {
                report_failure(v->tool, &a.result, v->to.shown);
                v->failed = true;
        }
        answer_free(&a);
        return !v->failed;
}

/* Bytes of this block that belong to the file. */
static uint64_t within(const struct work *w, uint32_t block, uint32_t count)
{
        uint64_t offset = offset_of(w, block), len = (uint64_t)count * DG_BLOCK;

        return w->v->length - offset < len ? w->v->length - offset : len;
}

static void vote(struct work *w)
{
        int last = -1;

        for (uint32_t b = 0; b < w->blocks; b++) {
                if (!w->done[b])
                        dg_choose(&w->look.k, b, last, &w->vote[b]);
                last = w->vote[b].copy;
                if (w->vote[b].zeros)
                        w->done[b] = true;
        }
}

/* A copy with the chosen bytes whose server may be read and is not at work; -1: none now. */
static int reader_of(struct work *w, uint32_t block)
{
        const struct dg_vote *vote = &w->vote[block];

        for (int pass = 0; pass < 2; pass++) {
                for (size_t i = 0; i < w->look.k.copies; i++) {
                        struct look_server *s = w->look.copy[i].server;
                        if ((vote->with >> i & 1) && (pass || (int)i == vote->copy) && !s->reading &&
                            look_allowed(&w->v->l, s))
                                return (int)i;
                }
        }
        return -1;
}

static void start_run(struct work *w, struct run *u, size_t copy, uint32_t first)
{
        const roma_opts opts = request_opts(w->v->tool);
        const struct look *look = &w->look;
        bool right = look->k.copy[copy].current || look->k.copy[copy].same_version;
        uint32_t version = right ? look->chunk->version : 0, most = w->restless >> copy & 1 ? 1 : RUN;

        *u = (struct run){ .w = w, .copy = copy, .first = first, .buf = u->buf };
        while (u->count < most && first + u->count < w->blocks && !w->done[first + u->count] &&
               (w->vote[first + u->count].with >> copy & 1))
                u->count++;
        look->copy[copy].server->reading = true;
        flight_track(w->v->tool, &u->flight, got_run,
                     roma_aio_mfs_replica_read(w->v->l.place->store, look->copy[copy].at, look->chunk->id,
                                               version, u->buf, (size_t)u->count * DG_BLOCK,
                                               (uint64_t)first * DG_BLOCK, &opts, flight_done, &u->flight));
}

/* It was voted for before it was known what would come. */
static void judge_restless(struct work *w, uint32_t block, const struct dg_copy *k)
{
        struct dg_vote *vote = &w->vote[block];

        if (k->seen[block] != DG_RESTLESS || !w->look.k.has_want || k->crc[block] != w->look.k.want[block])
                return;
        vote->certainty = DG_CERTAIN;
        vote->reason = NULL;
}

static void finish_run(struct work *w, struct run *u)
{
        if (!u->good || !write_out(w->v, u->buf, offset_of(w, u->first), within(w, u->first, u->good)))
                return;
        for (uint32_t i = 0; i < u->good; i++) {
                w->done[u->first + i] = true;
                w->vote[u->first + i].copy = (int)u->copy;
                judge_restless(w, u->first + i, &w->look.k.copy[u->copy]);
        }
}

/* One piece from each server that has one to give. The number of runs; 0: none can be read now. */
static size_t wave(struct work *w, struct run *run)
{
        size_t n = 0;
        uint64_t bytes = 0;
        bool again = false;

        for (size_t i = 0; i < w->look.k.copies; i++)
                w->look.copy[i].server->reading = false;
        for (uint32_t b = 0; b < w->blocks && n < w->look.k.copies; b++) {
                int copy = w->done[b] ? -1 : reader_of(w, b);
                if (copy < 0)
                        continue;
                start_run(w, &run[n], (size_t)copy, b);
                bytes += (uint64_t)run[n].count * DG_BLOCK;
                b += run[n++].count - 1;
        }
        flight_drive(w->v->tool);
        look_pay(&w->v->l, bytes);
        for (size_t i = 0; i < n; i++) {
                finish_run(w, &run[i]);
                again |= run[i].failed;
        }
        if (again)
                vote(w);
        return n;
}

static int64_t first_open(const struct work *w)
{
        for (uint32_t b = 0; b < w->blocks; b++)
                if (!w->done[b])
                        return b;
        return -1;
}

/* Waits for the server of a block that nobody else has. */
static bool wait_for(struct work *w, uint32_t block)
{
        return w->vote[block].copy >= 0 && look_wait(&w->v->l, w->look.copy[w->vote[block].copy].server);
}

static void read_blocks(struct work *w)
{
        struct run *run = need(calloc(w->look.k.copies + 1, sizeof(*run)));
        int64_t open;

        for (size_t i = 0; i < w->look.k.copies; i++)
                run[i].buf = need(malloc((size_t)RUN * DG_BLOCK));
        vote(w);
        while ((open = first_open(w)) >= 0 && !w->v->failed && !w->v->tool->stopping)
                if (!wave(w, run) && !wait_for(w, (uint32_t)open))
                        break;
        for (size_t i = 0; i < w->look.k.copies; i++)
                free(run[i].buf);
        free(run);
}

static void record_blocks(struct work *w)
{
        for (uint32_t b = 0; b < w->blocks; b++) {
                const struct dg_vote *v = &w->vote[b];
                const char *from = v->copy >= 0 ? w->look.copy[v->copy].at->server : "-";
                record(w->v, offset_of(w, b), within(w, b, 1), v->certainty, from,
                       v->reason ? v->reason : "-");
        }
}

/* Whether n bytes of this block are those of the original. Of a piece of a block there is no CRC, unless the original ends with it. */
static bool as_original(struct work *w, uint32_t block, const unsigned char *bytes, size_t n)
{
        struct original *o = &w->v->original;
        uint64_t offset = offset_of(w, block);
        unsigned char *want;
        bool same;

        if (w->v->md5_only || n == DG_BLOCK || offset + n >= o->length)
                return dg_crc_padded(bytes, n) == w->look.k.want[block];
        want = need(malloc(n));
        same = original_read(o, want, n, offset) && !memcmp(bytes, want, n);
        free(want);
        return same;
}

/* The checksum parts of MooseFS Pro that are no XOR: only its chunkservers can compute with them. */
static bool has_other_checksums(const struct work *w)
{
        for (size_t i = 0; i < w->look.k.copies; i++) {
                struct dg_part p;
                if (dg_part(w->look.k.copy[i].part, &p) && p.checksum && !p.exclusive)
                        return true;
        }
        return false;
}

/* A reader may get what we cannot compute: the master lets chunkservers make the missing part anew for it. */
static void ask_servers(struct work *w, uint32_t block, unsigned char *buf, struct dg_source *s)
{
        uint64_t len = within(w, block, 1);
        struct answer a = { 0 };

        ANSWER(w->v->tool, &a,
               roma_aio_pread(w->v->whole, buf, (size_t)len, offset_of(w, block), NULL, flight_done,
                              &a.flight));
        answer_wait(w->v->tool, &a);
        if (a.code == ROMA_OK && a.result.bytes == len) {
                s->crc = dg_crc_padded(buf, (size_t)len);
                s->reason = "made anew by the chunkservers";
                s->certainty = w->look.k.has_want && !as_original(w, block, buf, (size_t)len) ? DG_CHOSEN
                                                                                              : DG_CERTAIN;
        }
        answer_free(&a);
}

/* A block was weighed as a whole and by the tables: what lies behind the length that was asked for does not count, and other bytes
 * may have come. */
static void judge_bytes(struct work *w, uint32_t block, const unsigned char *bytes, struct dg_source *s)
{
        size_t n = (size_t)within(w, block, 1);

        if (s->certainty != DG_CHOSEN || !w->look.k.has_want || !s->n || !as_original(w, block, bytes, n))
                return;
        s->certainty = DG_CERTAIN;
        s->reason = NULL;
}

static void record_part(struct work *w, uint32_t block, const struct dg_source *s)
{
        const char *from = s->n > 1 ? "parts" : s->n ? w->look.copy[s->copy[0]].at->server : "-";
        const char *why = s->n > 1 ? "computed from the other parts" : "-";

        record(w->v, offset_of(w, block), within(w, block, 1), s->certainty, from,
               s->reason ? s->reason : why);
}

/* Each block comes from its data part, or is computed from the others. */
static void read_parts(struct work *w)
{
        struct salvage *v = w->v;
        unsigned char *buf = need(malloc((size_t)CODED_ROW * DG_BLOCK));
        struct dg_source source[CODED_ROW];
        bool others = has_other_checksums(w);

        for (uint32_t b = 0; b < w->blocks && !v->failed; b += CODED_ROW) {
                uint32_t n = w->blocks - b < CODED_ROW ? w->blocks - b : CODED_ROW;
                bool data = false;

                coded_read(&v->l, &w->look, b, n, buf, source);
                for (uint32_t i = 0; i < n && !v->tool->stopping; i++) {
                        if (!source[i].n && others)
                                ask_servers(w, b + i, buf + (size_t)i * DG_BLOCK, &source[i]);
                        data |= source[i].crc != DG_EMPTY;
                }
                if (v->tool->stopping || (data && !write_out(v, buf, offset_of(w, b), within(w, b, n))))
                        break;
                for (uint32_t i = 0; i < n; i++) {
                        judge_bytes(w, b + i, buf + (size_t)i * DG_BLOCK, &source[i]);
                        record_part(w, b + i, &source[i]);
                }
        }
        free(buf);
}

/* Zeros, and all that the file has. An original may know better. */
static void record_hole(struct work *w)
{
        const struct dg_chunk *k = &w->look.k;

        for (uint32_t b = 0; b < w->blocks; b++) {
                bool lost = k->has_want && k->want[b] != DG_EMPTY;

                record(w->v, offset_of(w, b), within(w, b, 1), lost ? DG_LOST : DG_CERTAIN, "-",
                       lost ? "a hole, where the original has data" : "hole");
        }
}

static void salvage_chunk(struct salvage *v, size_t index, uint32_t blocks)
{
        static const roma_mfs_chunk none;
        roma_mfs_chunk hole = none;
        struct work *w = need_zeroed(sizeof(*w));
        struct look *one = &w->look;

        hole.index = (uint32_t)index;
        w->v = v;
        w->blocks = blocks;
        look_init(&v->l, &w->look, index < v->map->chunks ? &v->map->chunk[index] : &hole, v->length);
        look_tables(&v->l, &one, 1, true);
        if (v->md5_only) {
                w->look.k.has_want = original_found(&v->original, (uint32_t)index, w->look.k.want);
                w->look.k.want_length = v->length;
        } else if (v->has_original) {
                w->look.k.has_want = original_crcs(&v->original, (uint32_t)index, w->look.k.want);
                w->look.k.want_length = v->original.length;
        }
        if (!w->look.chunk->id)
                record_hole(w);
        else if (dg_in_parts(&w->look.k))
                read_parts(w);
        else
                read_blocks(w);
        if (w->look.chunk->id && !dg_in_parts(&w->look.k))
                record_blocks(w);
        look_free(&w->look);
        free(w);
}

/* ---- the file --------------------------------------------------------------------------------------------- */

struct opened {
        struct flight flight;
        const char *shown;
        roma_file *file;
};

static void got_file(struct flight *f, const roma_result *r)
{
        struct opened *o = (struct opened *)f; /* its first member */

        if (r->code == ROMA_OK)
                o->file = r->file;
        else
                report_failure(f->tool, r, o->shown);
}

static roma_file *open_file(struct tool *t, const struct location *at, const char *key, unsigned flags)
{
        const roma_opts opts = request_opts(t);
        struct opened o = { .shown = at->shown };

        flight_track(t, &o.flight, got_file,
                     roma_aio_file_open(at->place->store, key, flags, 0666, &opts, flight_done, &o.flight));
        flight_drive(t);
        return o.file;
}

/* The damaged source may be thrown away when this is done. */
static void make_safe(struct salvage *v)
{
        struct answer a = { 0 };

        ANSWER(v->tool, &a, roma_aio_fsync(v->out, NULL, flight_done, &a.flight));
        answer_wait(v->tool, &a);
        if (a.code != ROMA_OK) {
                report_failure(v->tool, &a.result, v->to.shown);
                v->failed = true;
        }
        answer_free(&a);
}

static bool close_file(struct tool *t, roma_file *file, const char *shown)
{
        struct answer a = { 0 };
        bool good;

        if (!file)
                return true;
        ANSWER(t, &a, roma_aio_file_close(file, NULL, flight_done, &a.flight));
        answer_wait(t, &a);
        good = a.code == ROMA_OK;
        if (!good)
                report_failure(t, &a.result, shown);
        answer_free(&a);
        return good;
}

/* ---- names ------------------------------------------------------------------------------------------------ */

/* A hidden name beside this one, of the kind that `roma gc` removes when it was left. */
static char *hidden_beside(const char *key)
{
        static const char letters[] = "0123456789abcdefghijklmnopqrstuvwxyz";
        unsigned char random[16];
        char name[sizeof(random) + 1] = "";

        need(getrandom(random, sizeof(random), 0) == sizeof(random) ? random : NULL);
        for (size_t i = 0; i < sizeof(random); i++)
                name[i] = letters[random[i] % (sizeof(letters) - 1)];
        return need_format("%.*s.roma~%s", (int)(name_base(key) - key), key, name);
}

static void drop_hidden(char **key)
{
        char *path;

        if (!*key)
                return;
        path = path_of(*key);
        unlink(path);
        free(path);
        free(*key);
        *key = NULL;
}

/* False after a message: something is there that is not to be replaced. */
static bool is_free(struct salvage *v, const char *key, const char *shown)
{
        char *path = path_of(key);
        struct stat st;
        bool there = lstat(path, &st) == 0, regular = there && stat(path, &st) == 0 && S_ISREG(st.st_mode);
        bool may = !there || (regular && v->tool->opt.force);

        if (!may)
                complain(v->tool, "salvage: %s: %s", shown,
                         regular ? "it exists (-f replaces it)" : "it exists and is not a regular file");
        free(path);
        return may;
}

/* A link is followed: its name stays what it is. */
static char *key_behind_links(const struct location *at)
{
        char *path = path_of(at->key), *real = realpath(path, NULL),
             *key = need_copy(real ? real + 1 : at->key);

        free(real);
        free(path);
        return key;
}

/* The name was given, whatever failed behind that. Where the answer was lost the names tell. */
static bool was_given(const char *from, const char *to, int outcome)
{
        char *old = path_of(from), *new = path_of(to);
        struct stat a, b;
        bool gone = lstat(old, &a) < 0 && errno == ENOENT;

        if (outcome == ROMA_UNKNOWN && lstat(new, &b) == 0 &&
            (gone || (lstat(old, &a) == 0 && a.st_dev == b.st_dev && a.st_ino == b.st_ino)))
                outcome = ROMA_DONE;
        free(old);
        free(new);
        return outcome == ROMA_DONE;
}

/* Waited for also after Ctrl-C: what was begun may be done all the same. Of what is not certain nothing is replaced. */
static bool rename_to(struct salvage *v, char **from, const char *to, const char *shown)
{
        unsigned flags = v->tool->opt.force && !v->changed ? 0 : ROMA_RENAME_NOREPLACE;

        if (roma_rename(v->to.place->store, *from, to, flags, NULL) < 0) {
                const roma_result *r = roma_last(v->tool->loop);
                int outcome = r->outcome;
                report_failure(v->tool, r, shown);
                v->failed = true;
                if (!was_given(*from, to, outcome))
                        return false;
                v->unsafe = true;
        }
        drop_hidden(from);
        return true;
}

static bool is_there(const char *key)
{
        char *path = path_of(key);
        struct stat st;
        bool there = lstat(path, &st) == 0;

        free(path);
        return there;
}

/* What is whole and did not get its name stays under the hidden one: it may be hours of work, and the source may be dying. */
static void keep(struct salvage *v)
{
        static const char soon[] = "give it another name: `roma gc` removes it after a day";
        char *file = v->named ? NULL : path_of(v->hidden_out),
             *map = v->changed || !v->hidden_map ? NULL : path_of(v->hidden_map);

        v->kept = v->named ? map && is_there(v->hidden_map) : is_there(v->hidden_out);
        if (v->kept && file)
                complain(v->tool, "salvage: %s is as it was; what was salvaged is %s%s%s; %s", v->to.shown,
                         file, map ? ", with the map " : ", of which nothing is certain", map ? map : "",
                         soon);
        else if (v->kept)
                complain(v->tool, "salvage: %s is there, and its map is %s; %s", v->to.shown, map, soon);
        if (v->kept) {
                free(v->hidden_out);
                v->hidden_out = NULL;
        }
        if (v->kept && map) {
                free(v->hidden_map);
                v->hidden_map = NULL;
        }
        free(file);
        free(map);
}

/* The map of an earlier file goes before the file does, and that of the new one comes after it: a map that is there is of the file
 * that is there. */
static void give_names(struct salvage *v)
{
        struct tool *t = v->tool;

        if (v->changed && is_there(v->out_key))
                return;
        if (t->opt.force && unlink(v->map_path) < 0 && errno != ENOENT) {
                complain(t, "salvage: %s: %s", v->map_path, strerror(errno));
                v->failed = true;
                return;
        }
        v->named = rename_to(v, &v->hidden_out, v->out_key, v->to.shown);
        if (v->named && !v->changed)
                rename_to(v, &v->hidden_map, v->map_key, v->map_path);
}

static void publish(struct salvage *v)
{
        give_names(v);
        if (!v->named || v->hidden_map)
                keep(v);
}

/* ---- the file --------------------------------------------------------------------------------------------- */

static bool open_outputs(struct salvage *v)
{
        char *path;

        v->out_key = key_behind_links(&v->to);
        v->map_key = need_format("%s.map", v->to.key);
        if (!is_free(v, v->out_key, v->to.shown) || !is_free(v, v->map_key, v->map_path))
                return false;
        v->hidden_map = hidden_beside(v->map_key);
        path = path_of(v->hidden_map);
        v->map_file = fopen(path, "w+ex");
        free(path);
        if (!v->map_file) {
                complain(v->tool, "salvage: %s: %s", v->map_path, strerror(errno));
                return false;
        }
        v->hidden_out = hidden_beside(v->out_key);
        v->out = open_file(v->tool, &v->to, v->hidden_out, ROMA_O_WRITE | ROMA_O_CREATE | ROMA_O_EXCL);
        if (!v->out)
                return false;
        fprintf(v->map_file, "# roma salvage 1\n# bytes of the file, how many, certain|chosen|lost, from "
                             "which copy, why\n");
        return true;
}

static bool prepare(struct salvage *v)
{
        struct tool *t = v->tool;
        bool parts = false;

        v->map = look_map(&v->l, v->from.key, v->from.shown);
        if (!v->map)
                return false;
        v->length = v->map->length;
        if (v->has_original && !v->md5_only)
                v->length = v->original.length;
        if (t->opt.length != UINT64_MAX)
                v->length = t->opt.length;
        for (size_t i = 0; i < v->map->chunks; i++)
                for (size_t k = 0; k < v->map->chunk[i].copies; k++)
                        parts |= v->map->chunk[i].copy[k].part != 0;
        if (parts && !(v->whole = open_file(t, &v->from, v->from.key, ROMA_O_READ)))
                return false;
        return open_outputs(v);
}

static void set_length(struct salvage *v)
{
        struct answer a = { 0 };

        ANSWER(v->tool, &a, roma_aio_truncate(v->out, v->length, NULL, flight_done, &a.flight));
        answer_wait(v->tool, &a);
        if (a.code != ROMA_OK) {
                report_failure(v->tool, &a.result, v->to.shown);
                v->failed = true;
        }
        answer_free(&a);
}

static void check_unchanged(struct salvage *v)
{
        roma_mfs_map *now = look_map(&v->l, v->from.key, v->from.shown);

        v->changed = !now || !look_same_map(v->map, now);
        if (v->changed)
                complain(v->tool, "salvage: %s %s while it was read: do it again when nobody writes",
                         v->from.shown, now ? "changed" : "may have changed");
        roma_mfs_map_unref(now);
}

/* Which copies have the original's MD5 when blocks are taken from them. Without one the blocks are chosen as always. */
static void search_md5(struct salvage *v)
{
        struct mix m;

        mix_search(&v->l, v->map, v->length, v->original.md5, true, &m);
        if (m.result == MIX_FOUND) {
                v->original.found = m.want;
                v->original.found_chunks = m.chunks;
                m.want = NULL;
                fprintf(v->map_file,
                        "# of %" PRIu64 " combinations of blocks one has the MD5 of the original\n", m.tried);
        } else if (m.points && !v->tool->stopping) {
                complain(v->tool,
                         "salvage: %s: %" PRIu64
                         " combinations of what the copies have were tried, and none has the MD5 %s%s%s; "
                         "blocks are taken as without it",
                         v->from.shown, m.tried, v->original.md5, m.why ? ": " : "", m.why ? m.why : "");
        }
        mix_free(&m);
}

static void check_md5(struct salvage *v)
{
        struct answer a = { 0 };

        ANSWER(v->tool, &a,
               roma_aio_hash(v->to.place->store, v->hidden_out, ROMA_MD5, NULL, flight_done, &a.flight));
        answer_wait(v->tool, &a);
        if (a.code != ROMA_OK) {
                report_failure(v->tool, &a.result, v->to.shown);
                v->failed = true;
        } else if (!strcmp(a.text, v->original.md5)) {
                v->proved = true;
                fprintf(v->map_file, "# the MD5 is that of the original: all of it is right\n");
                v->bytes[DG_CERTAIN] += v->bytes[DG_CHOSEN];
                v->bytes[DG_CHOSEN] = 0;
        } else {
                v->contradicted = true;
                doubt_map(v, "the MD5 is not that of the original");
                if (v->map_file)
                        fprintf(v->map_file, "# the MD5 is not that of the original: nothing is certain\n");
                complain(v->tool, "salvage: %s has the MD5 %s, the original %s", v->to.shown, a.text,
                         v->original.md5);
        }
        answer_free(&a);
}

static void all_chunks(struct salvage *v)
{
        progress_expect(v->tool, 1, (int64_t)v->length);
        for (uint64_t at = 0; at < v->length && !v->failed && !v->tool->stopping; at += ROMA_MFS_CHUNK_SIZE) {
                uint64_t left = v->length - at;
                uint32_t blocks = left >= ROMA_MFS_CHUNK_SIZE ? DG_BLOCKS
                                                              : (uint32_t)((left + DG_BLOCK - 1) / DG_BLOCK);
                salvage_chunk(v, (size_t)(at / ROMA_MFS_CHUNK_SIZE), blocks);
                progress_bytes(v->tool, (int64_t)(left < ROMA_MFS_CHUNK_SIZE ? left : ROMA_MFS_CHUNK_SIZE));
        }
        if (!v->failed && !v->tool->stopping)
                set_length(v);
}

static void tell(struct salvage *v)
{
        struct tool *t = v->tool;

        if (v->unsafe)
                complain(t, "salvage: %s is there, but may be gone after a power cut: keep the source",
                         v->to.shown);
        else if (v->failed && !v->kept)
                complain(t,
                         v->named ? "salvage: %s is there, without its map"
                                  : "salvage: %s was not made: it gets its name when it is whole",
                         v->to.shown);
        else if (v->changed && v->named)
                complain(t, "salvage: nothing in %s is certain, and it gets no map", v->to.shown);
        if (v->failed || v->changed)
                return;
        if (t->opt.json) {
                json_t *o = json_of(json_object());
                json_name(o, "key", v->from.shown);
                json_name(o, "destination", v->to.shown);
                json_name(o, "map", v->map_path);
                json_object_set_new(o, "length", json_of(json_integer((json_int_t)v->length)));
                for (int c = DG_CERTAIN; c <= DG_LOST; c++)
                        json_object_set_new(o, words[c], json_of(json_integer((json_int_t)v->bytes[c])));
                out_json(t, o);
                return;
        }
        out_name(t, v->from.shown);
        out(t, ": %" PRIu64 " bytes: %" PRIu64 " certain, %" PRIu64 " chosen, %" PRIu64 " lost; see ",
            v->length, v->bytes[DG_CERTAIN], v->bytes[DG_CHOSEN], v->bytes[DG_LOST]);
        out_name(t, v->map_path);
        out(t, "\n");
}

static void close_map(struct salvage *v)
{
        if (!v->map_file)
                return;
        if ((fflush(v->map_file) | fsync(fileno(v->map_file))) || ferror(v->map_file)) {
                complain(v->tool, "salvage: %s could not be written: %s", v->map_path, strerror(errno));
                v->failed = true;
        }
        fclose(v->map_file);
        v->map_file = NULL;
}

/* All that is known is in the hidden files, and on the disk. */
static void complete(struct salvage *v)
{
        struct tool *t = v->tool;

        if (v->md5_only)
                search_md5(v);
        all_chunks(v);
        flush_stretch(v);
        if (!v->md5_only && !v->failed && !t->stopping)
                check_unchanged(v);
        if (!v->failed && !t->stopping)
                make_safe(v);
        if (!close_file(t, v->out, v->to.shown))
                v->failed = true;
        v->out = NULL;
        if (v->md5_only && !v->failed && !t->stopping)
                check_md5(v);
        /* What the MD5 proves is right, whatever becomes of the source. */
        if (v->md5_only && !v->proved && !v->failed && !t->stopping)
                check_unchanged(v);
        close_map(v);
}

static void run(struct salvage *v)
{
        struct tool *t = v->tool;

        if (!prepare(v)) {
                status_raise(t, EXIT_OTHER);
                v->failed = true;
                return;
        }
        complete(v);
        if (!v->failed && !t->stopping)
                publish(v);
        if (t->stopping && !v->named && !v->kept)
                return;
        tell(v);
        t->status = v->failed || v->changed || t->status                          ? 2
                    : v->bytes[DG_CHOSEN] || v->bytes[DG_LOST] || v->contradicted ? 1
                                                                                  : 0;
}

/* What did not get its name is removed. */
static void clean_up(struct salvage *v)
{
        if (v->map_file)
                fclose(v->map_file);
        drop_hidden(&v->hidden_out);
        drop_hidden(&v->hidden_map);
        free(v->out_key);
        free(v->map_key);
        close_file(v->tool, v->whole, v->from.shown);
        original_close(&v->original);
        roma_mfs_map_unref(v->map);
        looker_free(&v->l);
        free(v->map_path);
        location_free(&v->from);
        location_free(&v->to);
}

static bool arguments(struct salvage *v, char **argv)
{
        struct tool *t = v->tool;

        if (!location_parse(t, &v->from, argv[0]) || !location_parse(t, &v->to, argv[1]))
                return false;
        if (v->from.stdio || v->to.stdio || !v->to.path || v->to.slash) {
                usage(t, "the destination is a local file: blocks are written in any order, and never to a "
                         "store");
                return false;
        }
        if (t->opt.against) {
                if (!original_open(t, &v->original, t->opt.against))
                        return false;
                v->has_original = true;
                v->md5_only = v->original.md5[0] != 0;
        }
        v->map_path = need_format("%s.map", v->to.path);
        if (original_is_at(&v->original, v->to.path) || original_is_at(&v->original, v->map_path)) {
                usage(t, "%s would be written over, and it is the original: name another destination",
                      v->original.at.shown);
                return false;
        }
        return location_open(t, &v->from) && location_open(t, &v->to);
}

int cmd_salvage(struct tool *t, int argc, char **argv)
{
        struct salvage v = { .tool = t };

        if (argc != 2)
                return usage(t, "name an object on a MooseFS and a local file");
        progress_start(t);
        if (arguments(&v, argv)) {
                looker_init(&v.l, t, v.from.place);
                run(&v);
        }
        clean_up(&v);
        if (!t->signal && (v.failed || t->status > 1))
                t->status = 2;
        return t->status;
}
