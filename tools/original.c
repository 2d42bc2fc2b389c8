/* SPDX-License-Identifier: MIT */
/* The original that a file is compared with: a local file or an object of any store, or just its MD5. */
#include <ctype.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tools/look.h"

enum { PIECE = 1 << 20, PIECES = 4 };

static bool is_md5(const char *arg)
{
        size_t n = strlen(arg);

        for (const char *c = arg; *c; c++)
                if (!isxdigit((unsigned char)*c))
                        return false;
        return n == 32 && access(arg, F_OK) < 0;
}

struct open_answer {
        struct flight flight;
        struct original *original;
        bool good;
};

static void opened(struct flight *f, const roma_result *r)
{
        struct open_answer *a = (struct open_answer *)f; /* its first member */

        if (r->code != ROMA_OK) {
                report_failure(f->tool, r, a->original->at.shown);
                return;
        }
        a->original->file = r->file;
        if (r->attr->type != ROMA_TYPE_FILE) {
                usage(f->tool, "%s is not a regular file, and cannot be read at any place",
                      a->original->at.shown);
                return;
        }
        a->original->length = r->attr->length;
        if (r->attr->mask & ROMA_ATTR_INODE &&
            !strncmp(roma_store_uri(a->original->at.place->store), "file:", 5))
                a->original->inode = r->attr->inode;
        a->good = true;
}

bool original_open(struct tool *t, struct original *o, const char *arg)
{
        const roma_opts opts = request_opts(t);
        struct open_answer a = { .original = o };

        *o = (struct original){ .tool = t };
        if (is_md5(arg)) {
                for (unsigned i = 0; i < 32; i++)
                        o->md5[i] = (char)tolower((unsigned char)arg[i]);
                return true;
        }
        if (!location_parse(t, &o->at, arg))
                return false;
        if (o->at.stdio) {
                usage(t, "the original must be a file: standard input cannot be read twice");
                return false;
        }
        if (!location_open(t, &o->at))
                return false;
        flight_track(t, &a.flight, opened,
                     roma_aio_file_open(o->at.place->store, o->at.key, ROMA_O_READ, 0, &opts, flight_done,
                                        &a.flight));
        flight_drive(t);
        o->buf = need(malloc((size_t)PIECE * PIECES));
        return a.good;
}

/* Devices are not told. An equal number and length on another device is refused too: it costs another name. */
bool original_is_at(const struct original *o, const char *path)
{
        struct stat st;

        return o->inode && stat(path, &st) == 0 && st.st_ino == o->inode && (uint64_t)st.st_size == o->length;
}

void original_forget(struct original *o)
{
        for (size_t i = 0; i < o->found_chunks; i++)
                free(o->found[i]);
        free(o->found);
        o->found = NULL;
        o->found_chunks = 0;
}

void original_close(struct original *o)
{
        struct answer a = { 0 };

        if (o->file) {
                ANSWER(o->tool, &a, roma_aio_file_close(o->file, NULL, flight_done, &a.flight));
                answer_wait(o->tool, &a);
                answer_free(&a);
        }
        original_forget(o);
        free(o->buf);
        location_free(&o->at);
        memset(o, 0, sizeof(*o));
}

struct piece {
        struct flight flight;
        struct original *original;
        size_t want;
        bool good;
};

static void got_piece(struct flight *f, const roma_result *r)
{
        struct piece *p = (struct piece *)f; /* its first member */

        p->good = r->code == ROMA_OK && r->bytes == p->want;
        if (r->code != ROMA_OK)
                report_failure(f->tool, r, p->original->at.shown);
        else if (!p->good)
                complain(f->tool, "%s: it became shorter while it was read", p->original->at.shown);
}

bool original_read(struct original *o, void *buf, size_t len, uint64_t offset)
{
        struct piece piece[PIECES];
        size_t done = 0;
        bool good = true;

        memset(buf, 0, len);
        if (offset >= o->length)
                return true;
        if (len > o->length - offset)
                len = (size_t)(o->length - offset);
        while (done < len && good && !o->tool->stopping) {
                unsigned n = 0;
                for (; n < PIECES && done < len; n++) {
                        piece[n] = (struct piece){ .original = o,
                                                   .want = len - done < PIECE ? len - done : PIECE };
                        flight_track(o->tool, &piece[n].flight, got_piece,
                                     roma_aio_pread(o->file, (char *)buf + done, piece[n].want, offset + done,
                                                    NULL, flight_done, &piece[n].flight));
                        done += piece[n].want;
                }
                flight_drive(o->tool);
                while (n)
                        good &= piece[--n].good;
        }
        return good && !o->tool->stopping;
}

bool original_found(const struct original *o, uint32_t index, uint32_t crc[DG_BLOCKS])
{
        if (index >= o->found_chunks || !o->found[index])
                return false;
        memcpy(crc, o->found[index], DG_BLOCKS * sizeof(*crc));
        return true;
}

bool original_crcs(struct original *o, uint32_t index, uint32_t crc[DG_BLOCKS])
{
        uint64_t base = (uint64_t)index * ROMA_MFS_CHUNK_SIZE;
        uint32_t step = PIECE * PIECES / DG_BLOCK;

        for (uint32_t b = 0; b < DG_BLOCKS; b++)
                crc[b] = DG_EMPTY;
        for (uint32_t b = 0; b < DG_BLOCKS; b += step) {
                if (base + (uint64_t)b * DG_BLOCK >= o->length)
                        break;
                if (!original_read(o, o->buf, (size_t)PIECE * PIECES, base + (uint64_t)b * DG_BLOCK))
                        return false;
                for (uint32_t i = 0; i < step; i++)
                        crc[b + i] = dg_crc(o->buf + (size_t)i * DG_BLOCK, DG_BLOCK);
        }
        return true;
}
