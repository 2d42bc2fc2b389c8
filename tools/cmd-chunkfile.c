/* SPDX-License-Identifier: MIT */
/* roma chunkfile FILE [OUT]: checks a chunk file taken from a chunkserver's disk, compares it with the original, and takes the
 * data out. No server is asked. The file is of unknown origin: nothing in it is believed. */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tools/look.h"

struct chunkfile {
        struct tool *tool;
        const char *path;
        int fd, original, out;
        uint64_t original_length;
        uint32_t index;
        struct dg_chunkfile cf;
        bool compared; /* to its end */
        bool is_part;  /* of an erasure coded chunk */
        struct dg_part part;
        struct dg_copy copy;
        uint8_t elsewhere[DG_BLOCKS]; /* blocks of the chunk that other parts hold */
        struct dg_chunk chunk;
        struct dg_range range[DG_BLOCKS];
        size_t ranges;
        uint32_t repaired, wrong, spared; /* blocks written out; spared: just the checksum had changed */
};

static int read_at(void *arg, void *buf, size_t len, uint64_t offset)
{
        const int *fd = arg;
        char *to = buf;

        while (len) {
                ssize_t n = pread(*fd, to, len, (off_t)offset);
                if (n < 0 && errno == EINTR)
                        continue;
                if (n <= 0)
                        return -1;
                to += n;
                len -= (size_t)n;
                offset += (uint64_t)n;
        }
        return 0;
}

/* A regular file; -1 after a message. */
static int open_input(struct tool *t, const char *path, uint64_t *size)
{
        int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
        struct stat st;

        if (fd >= 0 && fstat(fd, &st) == 0 && S_ISREG(st.st_mode)) {
                *size = (uint64_t)st.st_size;
                return fd;
        }
        complain(t, "chunkfile: %s: %s", path, fd < 0 ? strerror(errno) : "it is not a regular file");
        if (fd >= 0)
                close(fd);
        return -1;
}

/* ---- the original ----------------------------------------------------------------------------------------- */

/* Bytes of the original, zeros behind its end. */
static bool original_at(struct chunkfile *c, void *buf, size_t len, uint64_t offset)
{
        size_t in = offset >= c->original_length        ? 0
                    : len < c->original_length - offset ? len
                                                        : (size_t)(c->original_length - offset);

        memset((char *)buf + in, 0, len - in);
        if (read_at(&c->original, buf, in, offset) == 0)
                return true;
        complain(c->tool, "chunkfile: %s: could not be read", c->tool->opt.against);
        return false;
}

/* The block of the file where this one of the chunk is (of a checksum part: this one of the part); -1: in none. */
static int32_t held(const struct chunkfile *c, uint32_t block)
{
        return c->is_part && !c->part.checksum ? dg_part_find(&c->part, block) : (int32_t)block;
}

/* What the checksum part has of these blocks of the chunk: CRC-32 is affine, and the number of parts even. */
static void fold(const struct chunkfile *c, uint32_t *want)
{
        struct dg_part part = c->part;
        uint32_t sum[DG_BLOCKS];

        for (uint32_t b = 0; b < DG_BLOCKS; b++) {
                sum[b] = DG_EMPTY;
                for (part.number = 0; b < dg_part_blocks(&part) && part.number < part.data; part.number++)
                        sum[b] ^= want[dg_part_place(&part, b)];
        }
        memcpy(want, sum, sizeof(sum));
}

static bool want_of(struct chunkfile *c, uint32_t index, uint32_t *want, unsigned *same)
{
        unsigned char buf[DG_BLOCK];
        uint64_t base = (uint64_t)index * ROMA_MFS_CHUNK_SIZE;

        for (uint32_t b = 0; b < DG_BLOCKS; b++) {
                want[b] = DG_EMPTY;
                if (base + (uint64_t)b * DG_BLOCK >= c->original_length)
                        continue;
                if (!original_at(c, buf, DG_BLOCK, base + (uint64_t)b * DG_BLOCK))
                        return false;
                want[b] = dg_crc(buf, DG_BLOCK);
        }
        if (c->is_part && c->part.checksum)
                fold(c, want);
        *same = 0;
        for (uint32_t b = 0; b < DG_BLOCKS; b++) {
                int32_t at = held(c, b);
                *same += at >= 0 && want[b] == c->cf.real[at] && want[b] != DG_EMPTY;
        }
        return true;
}

/* Which chunk of the original it is: as said, or the one that it is most like. */
static bool find_index(struct chunkfile *c)
{
        uint64_t chunks = (c->original_length + ROMA_MFS_CHUNK_SIZE - 1) / ROMA_MFS_CHUNK_SIZE;
        uint32_t want[DG_BLOCKS];
        unsigned same, most = 0;

        if (c->tool->opt.index != UINT64_MAX) {
                c->index = (uint32_t)c->tool->opt.index;
                return true;
        }
        for (uint32_t i = 0; chunks > 1 && i < chunks && !c->tool->stopping; i++) {
                if (!want_of(c, i, want, &same))
                        return false;
                if (same <= most)
                        continue;
                most = same;
                c->index = i;
        }
        return true;
}

static void refine(struct chunkfile *c, struct dg_range *r)
{
        unsigned char *around = need(malloc(4 * DG_BLOCK)), *bad = around + 3 * DG_BLOCK;
        uint64_t start = (uint64_t)c->index * ROMA_MFS_CHUNK_SIZE + (uint64_t)r->first * DG_BLOCK;
        uint64_t used = start >= c->chunk.length ? 0 : c->chunk.length - start;
        uint64_t before = start ? DG_BLOCK : 0;
        int32_t block = held(c, r->first);
        struct dg_bytes d;

        memset(around, 0, 4 * DG_BLOCK);
        if (block >= 0 && (uint32_t)block < c->cf.blocks &&
            read_at(&c->fd, bad, DG_BLOCK, dg_chunkfile_at(&c->cf, (uint32_t)block)) == 0 &&
            original_at(c, around + DG_BLOCK - before, (size_t)(2 * DG_BLOCK + before), start - before) &&
            dg_compare(around + DG_BLOCK, bad, around, used < DG_BLOCK ? (uint32_t)used : DG_BLOCK, &d)) {
                r->at = start + d.first;
                if (r->pattern == DG_CONTENT || r->pattern == DG_BIT) {
                        r->pattern = d.pattern;
                        r->detail = d.detail;
                        r->sure = true;
                }
        }
        free(around);
}

/* Where the blocks of the file are in the chunk. A checksum part has no bytes of it: its blocks are looked at as they are. */
static void place_blocks(struct chunkfile *c)
{
        uint32_t n = c->cf.blocks + !!c->cf.rest;

        c->copy.usable = c->copy.current = true;
        c->copy.blocks = n && c->is_part && !c->part.checksum ? dg_part_place(&c->part, n - 1) + 1 : n;
        for (uint32_t b = 0; b < DG_BLOCKS; b++) {
                int32_t at = held(c, b);
                c->elsewhere[b] = at < 0;
                c->copy.crc[b] = at < 0 ? DG_EMPTY : c->cf.real[at];
        }
        c->chunk.moving = c->elsewhere;
        if (c->is_part && c->part.checksum)
                c->chunk.length = c->chunk.want_length = ((uint64_t)c->index + 1) * ROMA_MFS_CHUNK_SIZE;
}

static bool compare(struct chunkfile *c)
{
        unsigned same;
        uint64_t base;

        if (c->is_part && c->part.checksum && !c->part.exclusive) {
                complain(c->tool,
                         "chunkfile: %s: a checksum part of MooseFS Pro cannot be compared: its code is not "
                         "known here",
                         c->path);
                return false;
        }
        c->original = open_input(c->tool, c->tool->opt.against, &c->original_length);
        if (c->original < 0 || !find_index(c))
                return false;
        base = (uint64_t)c->index * ROMA_MFS_CHUNK_SIZE;
        c->chunk = (struct dg_chunk){
                .index = c->index, .length = c->original_length, .copies = 1, .copy = &c->copy
        };
        c->chunk.has_want = true;
        /* To the end of the chunk: what lies behind the end of the original has no place in it. */
        c->chunk.want_length = base + ROMA_MFS_CHUNK_SIZE;
        if (base >= c->original_length) {
                complain(c->tool, "chunkfile: %s has %" PRIu64 " bytes, and no chunk %u to compare with",
                         c->tool->opt.against, c->original_length, c->index);
                return false;
        }
        if (!want_of(c, c->index, c->chunk.want, &same))
                return false;
        place_blocks(c);
        c->ranges = dg_ranges(&c->chunk, c->range, DG_BLOCKS);
        for (size_t i = 0; i < c->ranges && i < 64; i++) {
                if (c->is_part && c->part.checksum)
                        c->range[i].at = c->range[i].end = DG_UNKNOWN;
                else
                        refine(c, &c->range[i]);
        }
        c->compared = true;
        return true;
}

/* ---- taking the data out ---------------------------------------------------------------------------------- */

static bool put_block(struct chunkfile *c, const unsigned char *buf, size_t len, uint64_t offset)
{
        while (len) {
                ssize_t n = pwrite(c->out, buf, len, (off_t)offset);
                if (n < 0 && errno == EINTR)
                        continue;
                if (n <= 0)
                        return false;
                buf += n;
                len -= (size_t)n;
                offset += (uint64_t)n;
        }
        return true;
}

/* Of blocks that have nothing to do with their checksums one in 8192 looks as if a bit were wrong. Where others do not match
 * at all the table may be of another time, and all these blocks good. */
static bool one_bit_is_sure(const struct chunkfile *c)
{
        return c->cf.one_bit == c->cf.bad;
}

/* Of two checksums that have nothing to do with each other one pair in 134 million differs in a single bit, and no bit that
 * changes in the block does that: one of the table has changed, and the block is right. */
static bool table_bit(const struct chunkfile *c, uint32_t block)
{
        return c->cf.seen[block] == DG_BAD && __builtin_popcount(c->cf.crc[block] ^ c->cf.real[block]) == 1;
}

static bool copy_out(struct chunkfile *c, uint64_t length)
{
        unsigned char buf[DG_BLOCK];

        for (uint32_t b = 0; b < c->cf.blocks + !!c->cf.rest; b++) {
                uint64_t at = (uint64_t)b * DG_BLOCK, len = b < c->cf.blocks ? DG_BLOCK : c->cf.rest;
                if (at >= length)
                        break;
                if (len > length - at)
                        len = length - at;
                if (read_at(&c->fd, buf, (size_t)len, dg_chunkfile_at(&c->cf, b)) < 0)
                        return false;
                if (one_bit_is_sure(c) && c->cf.bit[b] >= 0 && (uint64_t)c->cf.bit[b] / 8 < len) {
                        buf[c->cf.bit[b] / 8] ^= (unsigned char)(1u << c->cf.bit[b] % 8);
                        c->repaired++;
                } else if (table_bit(c, b)) {
                        c->spared++;
                } else {
                        c->wrong += c->cf.seen[b] == DG_BAD;
                }
                if (!put_block(c, buf, (size_t)len, at))
                        return false;
        }
        return ftruncate(c->out, (off_t)length) == 0;
}

/* By whatever name. */
static bool is_open_as(int fd, const struct stat *there)
{
        struct stat st;

        return fd >= 0 && fstat(fd, &st) == 0 && st.st_dev == there->st_dev && st.st_ino == there->st_ino;
}

/* What is read is not written over: it may be the last copy there is. False after a message. */
static bool may_write(struct chunkfile *c, const char *path)
{
        struct stat there;
        bool input, original;

        if (stat(path, &there) < 0)
                return true;
        input = is_open_as(c->fd, &there);
        original = is_open_as(c->original, &there);
        if (input || original)
                complain(c->tool,
                         "chunkfile: %s would be written over, and it is the %s: name another destination",
                         path, input ? "chunk file itself" : "original");
        return !input && !original;
}

/* Half of the data under its name would pass for all of them. */
static void take_back(struct chunkfile *c, const char *path)
{
        struct stat st;

        if (ftruncate(c->out, 0) == 0 && lstat(path, &st) == 0 && is_open_as(c->out, &st))
                unlink(path);
        c->repaired = c->wrong = c->spared = 0;
}

static bool extract(struct chunkfile *c, const char *path)
{
        struct tool *t = c->tool;
        uint64_t length = (uint64_t)c->cf.blocks * DG_BLOCK + c->cf.rest;
        int flags = O_WRONLY | O_CREAT | O_CLOEXEC | (t->opt.force ? O_TRUNC : O_EXCL);
        bool good;

        if (c->is_part) {
                complain(t,
                         "chunkfile: %s: not written: one part of an erasure coded chunk is no piece of the "
                         "file. While the cluster is there, `roma salvage` puts the parts together",
                         path);
                return false;
        }
        if (!may_write(c, path))
                return false;
        if (t->opt.length < length)
                length = t->opt.length;
        c->out = open(path, flags, 0666);
        good = c->out >= 0 && copy_out(c, length);
        if (!good)
                complain(t, "chunkfile: %s: %s%s", path, strerror(errno),
                         errno == EEXIST ? " (-f replaces it)" : "");
        /* Some file systems find out only now that there is no room. */
        if (good && fsync(c->out) < 0 && errno != EINVAL && errno != EROFS) {
                complain(t, "chunkfile: %s: %s", path, strerror(errno));
                good = false;
        }
        if (c->out >= 0 && !good)
                take_back(c, path);
        if (c->out >= 0)
                close(c->out);
        return good;
}

/* ---- words ------------------------------------------------------------------------------------------------ */

static const struct {
        unsigned bit;
        const char *name, *text;
} problems[] = {
        { DG_CF_EMPTY, "empty", "it is too short for a header and a checksum table" },
        { DG_CF_SIGNATURE, "signature", "it does not start with MFSC 1.0 or MFSC 1.1" },
        { DG_CF_SIZE, "size", "no chunk file has this size: it was cut, or something was added" },
        { DG_CF_NAME_ID, "name-chunk", "its name says another chunk than its header" },
        { DG_CF_NAME_VERSION, "name-version",
          "its name says another version than its header (a chunkserver that ended while it changed the "
          "version leaves that)" },
        { DG_CF_HEADER, "header", "there are bytes in the header where zeros should be" },
        { DG_CF_TABLE, "table",
          "the checksum table has entries for blocks that are not there: blocks were cut off" },
        { DG_CF_BLOCK, "blocks", "blocks do not match their checksums" },
        { DG_CF_READ, "read", "it could not be read to its end" },
        { DG_CF_PART, "part",
          "which part of an erasure coded chunk it is, if of one at all, is not clear: its name and its "
          "header disagree, or MooseFS has no such part, or none of so many blocks" },
        { DG_CF_START, "start",
          "where its blocks start cannot be told: it was cut, and neither they nor the table say whether the "
          "header has 1024 or 4096 bytes" },
};

enum { PROBLEMS = sizeof(problems) / sizeof(problems[0]) };

static void print_bad(struct chunkfile *c)
{
        struct tool *t = c->tool;

        for (uint32_t b = 0; b < DG_BLOCKS; b++) {
                if (c->cf.seen[b] != DG_BAD)
                        continue;
                out(t, "  block %u", b);
                if (c->is_part && !c->part.checksum)
                        out(t, " (%u of the chunk)", dg_part_place(&c->part, b));
                out(t, ": checksum %08X stored, %08X of the bytes", c->cf.crc[b], c->cf.real[b]);
                if (c->cf.bit[b] >= 0)
                        out(t, ": they would agree if bit %d of byte %d were the other way round",
                            c->cf.bit[b] % 8, c->cf.bit[b] / 8);
                else if (table_bit(c, b))
                        out(t, ": one bit of the table has changed, the block is right");
                else if (c->cf.crc[b] == DG_EMPTY || c->cf.crc[b] == 0)
                        out(t, ": the table was not written, or is of before the block was");
                out(t, "\n");
        }
}

/* What of the chunk is in a part. */
static void print_part(struct chunkfile *c)
{
        const uint64_t unit = ROMA_MFS_CHUNK_SIZE / 256;
        struct tool *t = c->tool;
        uint32_t n = c->cf.blocks + !!c->cf.rest;

        if (c->part.checksum) {
                out(t, "  it holds %s over the %u data parts, and no bytes of the file\n",
                    c->part.exclusive ? "the XOR" : "a checksum of MooseFS Pro", c->part.data);
                return;
        }
        out(t,
            "  of each %" PRIu64 " bytes of the chunk it holds %" PRIu64 ", from byte %" PRIu64
            " on; the last of its %u blocks is block %u of the chunk\n",
            unit * c->part.data, unit, unit * c->part.number, n, n ? dg_part_place(&c->part, n - 1) : 0);
}

static void print_kind(struct chunkfile *c)
{
        struct tool *t = c->tool;

        if (c->is_part)
                out(t, "%s part %u%s, id %016" PRIX64 ", of the erasure coded ",
                    c->part.checksum ? "checksum" : "data", c->part.number + 1,
                    c->part.checksum    ? ""
                    : c->part.data == 4 ? " of 4"
                                        : " of 8",
                    c->cf.id);
        out(t, "chunk %016" PRIX64, c->is_part ? c->cf.id & DG_CHUNK_MASK : c->cf.id);
}

/* One run of blocks of the file, whatever lies between them in the chunk. */
static size_t print_range(struct chunkfile *c, size_t i)
{
        struct tool *t = c->tool;
        const struct dg_range *r = &c->range[i], *last = r;
        bool data = c->is_part && !c->part.checksum;

        while (data && ++i < c->ranges && r[0].pattern != DG_BIT && last[1].pattern == r->pattern &&
               last[1].behind == r->behind &&
               held(c, last[1].first) == held(c, last->first + last->count - 1) + 1)
                last++;
        if (data)
                out(t, "    block %d-%d of the part, in %u-%u of the chunk: %s", held(c, r->first),
                    held(c, last->first + last->count - 1), r->first, last->first + last->count - 1,
                    dg_pattern_text(r->pattern));
        else
                out(t, "    block %u-%u%s: %s", r->first, r->first + r->count - 1,
                    c->is_part ? " of the part" : "", dg_pattern_text(r->pattern));
        if (r->behind)
                out(t, ", behind the end of the original");
        if (r->at != DG_UNKNOWN)
                out(t, ", first difference at byte %" PRIu64 " of the file", r->at);
        out(t, "\n");
        return (size_t)(last - c->range) + 1;
}

static void print_text(struct chunkfile *c)
{
        struct tool *t = c->tool;

        out_name(t, c->path);
        out(t, ": ");
        print_kind(c);
        out(t, " version %u, %s, %u blocks%s: %s\n", c->cf.version,
            *c->cf.signature ? c->cf.signature : "no signature", c->cf.blocks,
            c->cf.rest ? " and a piece" : "", c->cf.problems ? "DAMAGED" : "good");
        if (c->is_part)
                print_part(c);
        for (size_t i = 0; i < PROBLEMS; i++)
                if (c->cf.problems & problems[i].bit)
                        out(t, "  wrong: %s\n", problems[i].text);
        print_bad(c);
        if (c->compared)
                out(t, "  %s chunk %u of the original\n", c->ranges ? "differs from" : "is the same as",
                    c->index);
        for (size_t i = 0; i < c->ranges;)
                i = print_range(c, i);
        if (c->repaired)
                out(t, "  taken out: %u block%s with one bit put right\n", c->repaired,
                    c->repaired == 1 ? "" : "s");
        if (c->spared)
                out(t, "  taken out: %u block%s as %s, whose checksum has changed\n", c->spared,
                    c->spared == 1 ? "" : "s", c->spared == 1 ? "it is" : "they are");
        if (c->wrong)
                out(t, "  taken out: %u block%s as %s their checksums\n", c->wrong, c->wrong == 1 ? "" : "s",
                    c->wrong == 1 ? "it is, that does not match" : "they are, that do not match");
}

static void add(json_t *o, const char *field, uint64_t value)
{
        json_object_set_new(o, field, json_of(json_integer((json_int_t)value)));
}

static void print_json(struct chunkfile *c)
{
        json_t *o = json_of(json_object()), *wrong = json_of(json_array()), *bad = json_of(json_array()),
               *ranges = json_of(json_array());
        char id[24];

        snprintf(id, sizeof(id), "%016" PRIX64, c->cf.id);
        json_name(o, "key", c->path);
        json_object_set_new(o, "id", json_of(json_string(id)));
        if (c->is_part) {
                snprintf(id, sizeof(id), "%016" PRIX64, c->cf.id & DG_CHUNK_MASK);
                json_object_set_new(o, "chunk", json_of(json_string(id)));
                add(o, "part", c->cf.part);
                add(o, "part_number", c->part.number);
                add(o, "data_parts", c->part.data);
                json_object_set_new(o, "holds",
                                    json_of(json_string(!c->part.checksum   ? "data"
                                                        : c->part.exclusive ? "xor"
                                                                            : "checksum")));
        }
        add(o, "version", c->cf.version);
        if (c->cf.header)
                add(o, "header", c->cf.header);
        add(o, "blocks", c->cf.blocks);
        for (size_t i = 0; i < PROBLEMS; i++)
                if (c->cf.problems & problems[i].bit)
                        json_array_append_new(wrong, json_of(json_string(problems[i].name)));
        json_object_set_new(o, "problems", wrong);
        for (uint32_t b = 0; b < DG_BLOCKS; b++)
                if (c->cf.seen[b] == DG_BAD)
                        json_array_append_new(bad, json_of(json_integer(b)));
        json_object_set_new(o, "damaged_blocks", bad);
        if (c->compared) {
                add(o, "index", c->index);
                for (size_t i = 0; i < c->ranges; i++) {
                        json_t *r = json_of(json_object());
                        add(r, "first_block", c->range[i].first);
                        add(r, "blocks", c->range[i].count);
                        json_object_set_new(r, "pattern",
                                            json_of(json_string(dg_pattern_name(c->range[i].pattern))));
                        json_array_append_new(ranges, r);
                }
                json_object_set_new(o, "differences", ranges);
        } else {
                json_decref(ranges);
        }
        add(o, "repaired", c->repaired);
        out_json(c->tool, o);
}

static bool is_placed(struct chunkfile *c)
{
        if (c->cf.problems & DG_CF_START)
                complain(c->tool,
                         "chunkfile: %s: where its blocks start is not known: nothing is compared or taken "
                         "out. If "
                         "you know, take them by hand: they start at byte 5120 (old header) or 8192",
                         c->path);
        else if (c->cf.problems & DG_CF_PART)
                complain(c->tool,
                         "chunkfile: %s: where its blocks belong is not known (%016" PRIX64
                         " in the header%s): nothing is compared or taken out. If you know, put the right "
                         "number "
                         "into bytes 8 to 15 and the name of a copy of it",
                         c->path, c->cf.id, c->cf.named ? ", another in the name or too many blocks" : "");
        return !(c->cf.problems & (DG_CF_START | DG_CF_PART));
}

int cmd_chunkfile(struct tool *t, int argc, char **argv)
{
        struct chunkfile *c;
        uint64_t size;
        bool good;

        if (argc < 1 || argc > 2)
                return usage(t, "name a chunk file, and where its data should go");
        if (argc == 2 && !strcmp(argv[1], "-"))
                return usage(
                        t,
                        "the data go to a file: standard output has what is found (./- is a file called -)");
        c = need_zeroed(sizeof(*c));
        c->tool = t;
        c->path = argv[0];
        c->original = -1;
        c->fd = open_input(t, argv[0], &size);
        good = c->fd >= 0;
        if (good) {
                dg_chunkfile(name_base(argv[0]), size, read_at, &c->fd, &c->cf);
                c->is_part = !(c->cf.problems & DG_CF_PART) && dg_part(c->cf.part, &c->part);
                good = (argc < 2 && !t->opt.against) || is_placed(c);
                good = good && (!t->opt.against || compare(c)) && (argc < 2 || extract(c, argv[1]));
                if (t->opt.json)
                        print_json(c);
                else
                        print_text(c);
        }
        t->status = !good ? 2 : c->cf.problems || c->ranges ? 1 : 0;
        if (c->fd >= 0)
                close(c->fd);
        if (c->original >= 0)
                close(c->original);
        free(c);
        return t->status;
}
