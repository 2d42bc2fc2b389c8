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
        struct dg_copy copy;
        struct dg_chunk chunk;
        struct dg_range range[DG_BLOCKS];
        size_t ranges;
        uint32_t repaired, wrong; /* blocks written out */
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

static bool want_of(struct chunkfile *c, uint32_t index, uint32_t *want, unsigned *same)
{
        unsigned char buf[DG_BLOCK];
        uint64_t base = (uint64_t)index * ROMA_MFS_CHUNK_SIZE;

        *same = 0;
        for (uint32_t b = 0; b < DG_BLOCKS; b++) {
                want[b] = DG_EMPTY;
                if (base + (uint64_t)b * DG_BLOCK >= c->original_length)
                        continue;
                if (!original_at(c, buf, DG_BLOCK, base + (uint64_t)b * DG_BLOCK))
                        return false;
                want[b] = dg_crc(buf, DG_BLOCK);
                *same += want[b] == c->cf.real[b] && want[b] != DG_EMPTY;
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
        struct dg_bytes d;

        memset(around, 0, 4 * DG_BLOCK);
        if (r->first < c->cf.blocks &&
            read_at(&c->fd, bad, DG_BLOCK, dg_chunkfile_at(&c->cf, r->first)) == 0 &&
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

static bool compare(struct chunkfile *c)
{
        unsigned same;
        uint64_t base;

        c->original = open_input(c->tool, c->tool->opt.against, &c->original_length);
        if (c->original < 0 || !find_index(c))
                return false;
        base = (uint64_t)c->index * ROMA_MFS_CHUNK_SIZE;
        c->chunk = (struct dg_chunk){
                .index = c->index, .length = c->original_length, .copies = 1, .copy = &c->copy
        };
        c->chunk.has_want = true;
        c->chunk.want_length = c->original_length;
        if (!want_of(c, c->index, c->chunk.want, &same))
                return false;
        c->copy.usable = c->copy.current = true;
        c->copy.blocks = c->cf.blocks + !!c->cf.rest;
        memcpy(c->copy.crc, c->cf.real, sizeof(c->copy.crc));
        c->ranges = dg_ranges(&c->chunk, c->range, DG_BLOCKS);
        for (size_t i = 0; i < c->ranges && i < 64; i++)
                refine(c, &c->range[i]);
        if (base >= c->original_length && !c->ranges)
                complain(c->tool, "chunkfile: the original ends before chunk %u", c->index);
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
                if (c->cf.bit[b] >= 0 && (uint64_t)c->cf.bit[b] / 8 < len) {
                        buf[c->cf.bit[b] / 8] ^= (unsigned char)(1u << c->cf.bit[b] % 8);
                        c->repaired++;
                } else {
                        c->wrong += c->cf.seen[b] == DG_BAD;
                }
                if (!put_block(c, buf, (size_t)len, at))
                        return false;
        }
        return ftruncate(c->out, (off_t)length) == 0;
}

static bool extract(struct chunkfile *c, const char *path)
{
        struct tool *t = c->tool;
        uint64_t length = (uint64_t)c->cf.blocks * DG_BLOCK + c->cf.rest;
        int flags = O_WRONLY | O_CREAT | O_CLOEXEC | (t->opt.force ? O_TRUNC : O_EXCL);
        bool good;

        if (t->opt.length < length)
                length = t->opt.length;
        c->out = open(path, flags, 0666);
        good = c->out >= 0 && copy_out(c, length);
        if (!good)
                complain(t, "chunkfile: %s: %s%s", path, strerror(errno),
                         errno == EEXIST ? " (-f replaces it)" : "");
        if (c->out >= 0 && close(c->out) < 0 && good) {
                complain(t, "chunkfile: %s: %s", path, strerror(errno));
                good = false;
        }
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
};

enum { PROBLEMS = sizeof(problems) / sizeof(problems[0]) };

static void print_bad(struct chunkfile *c)
{
        struct tool *t = c->tool;

        for (uint32_t b = 0; b < DG_BLOCKS; b++) {
                if (c->cf.seen[b] != DG_BAD)
                        continue;
                out(t, "  block %u: checksum %08X stored, %08X of the bytes", b, c->cf.crc[b], c->cf.real[b]);
                if (c->cf.bit[b] >= 0)
                        out(t, ": they would agree if bit %d of byte %d were the other way round",
                            c->cf.bit[b] % 8, c->cf.bit[b] / 8);
                else if (c->cf.crc[b] == DG_EMPTY || c->cf.crc[b] == 0)
                        out(t, ": the table was not written, or is of before the block was");
                out(t, "\n");
        }
}

static void print_text(struct chunkfile *c)
{
        struct tool *t = c->tool;

        out_name(t, c->path);
        out(t, ": chunk %016" PRIX64 " version %u, %s, %u blocks%s: %s\n", c->cf.id, c->cf.version,
            *c->cf.signature ? c->cf.signature : "no signature", c->cf.blocks,
            c->cf.rest ? " and a piece" : "", c->cf.problems ? "DAMAGED" : "good");
        for (size_t i = 0; i < PROBLEMS; i++)
                if (c->cf.problems & problems[i].bit)
                        out(t, "  wrong: %s\n", problems[i].text);
        print_bad(c);
        if (t->opt.against)
                out(t, "  %s chunk %u of the original\n", c->ranges ? "differs from" : "is the same as",
                    c->index);
        for (size_t i = 0; i < c->ranges; i++) {
                const struct dg_range *r = &c->range[i];
                out(t, "    block %u-%u: %s%s", r->first, r->first + r->count - 1,
                    dg_pattern_text(r->pattern), r->behind ? ", behind the end of the original" : "");
                if (r->at != DG_UNKNOWN)
                        out(t, ", first difference at byte %" PRIu64 " of the file", r->at);
                out(t, "\n");
        }
        if (c->repaired)
                out(t, "  taken out: %u blocks with one bit put right\n", c->repaired);
        if (c->wrong)
                out(t, "  taken out: %u blocks as they are, that do not match their checksums\n", c->wrong);
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
        add(o, "version", c->cf.version);
        add(o, "blocks", c->cf.blocks);
        for (size_t i = 0; i < PROBLEMS; i++)
                if (c->cf.problems & problems[i].bit)
                        json_array_append_new(wrong, json_of(json_string(problems[i].name)));
        json_object_set_new(o, "problems", wrong);
        for (uint32_t b = 0; b < DG_BLOCKS; b++)
                if (c->cf.seen[b] == DG_BAD)
                        json_array_append_new(bad, json_of(json_integer(b)));
        json_object_set_new(o, "damaged_blocks", bad);
        if (c->tool->opt.against) {
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

int cmd_chunkfile(struct tool *t, int argc, char **argv)
{
        struct chunkfile *c;
        uint64_t size;
        bool good;

        if (argc < 1 || argc > 2)
                return usage(t, "name a chunk file, and where its data should go");
        c = need_zeroed(sizeof(*c));
        c->tool = t;
        c->path = argv[0];
        c->original = -1;
        c->fd = open_input(t, argv[0], &size);
        good = c->fd >= 0;
        if (good) {
                dg_chunkfile(name_base(argv[0]), size, read_at, &c->fd, &c->cf);
                good = (!t->opt.against || compare(c)) && (argc < 2 || extract(c, argv[1]));
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
