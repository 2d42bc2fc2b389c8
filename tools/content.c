/* SPDX-License-Identifier: MIT */
/* One pass over an object: digests, the parts that its ETag was made of, comparison with the original. */
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include <libdeflate.h>
#include <openssl/evp.h>

#include "tools/content.h"

enum { PIECE = 1 << 20, PIECES = 4, WINDOW = PIECE * PIECES, MIB = 1 << 20 };

/* The MD5 of the MD5s of parts that end at multiples of size, or where the layout says. */
struct parts {
        uint64_t size; /* 0: the pieces of the layout */
        EVP_MD_CTX *part, *all;
        uint64_t at, end;
        size_t n;
};

struct pass {
        struct tool *tool;
        struct content *c;
        struct original *o;
        const roma_layout *y;
        roma_file *file;
        const struct location *at;
        EVP_MD_CTX *md5;
        struct parts *parts;
        size_t sets;
        unsigned char *buf, *want; /* a window; of the original with a block before and behind */
};

/* ---- digests ---------------------------------------------------------------------------------------------- */

static EVP_MD_CTX *md5_new(void)
{
        EVP_MD_CTX *m = need(EVP_MD_CTX_new());

        need(EVP_DigestInit_ex(m, EVP_md5(), NULL) == 1 ? m : NULL);
        return m;
}

static void md5_text(EVP_MD_CTX *m, char out[33])
{
        unsigned char d[EVP_MAX_MD_SIZE];
        unsigned n = 0;

        *out = 0;
        EVP_DigestFinal_ex(m, d, &n);
        for (unsigned i = 0; i < n && i < 16; i++)
                snprintf(out + 2 * i, 3, "%02x", d[i]);
}

static uint64_t part_end(const struct pass *p, const struct parts *s)
{
        if (s->size)
                return s->at + s->size;
        return s->n < p->y->pieces ? p->y->piece[s->n].offset + p->y->piece[s->n].length : UINT64_MAX;
}

static void part_close(struct parts *s)
{
        unsigned char d[EVP_MAX_MD_SIZE];
        unsigned n = 0;

        EVP_DigestFinal_ex(s->part, d, &n);
        EVP_DigestUpdate(s->all, d, n);
        EVP_DigestInit_ex(s->part, EVP_md5(), NULL);
        s->n++;
}

static void parts_take(struct pass *p, struct parts *s, const unsigned char *b, size_t n)
{
        while (n) {
                uint64_t left = s->end - s->at, take = left < n ? left : n;

                EVP_DigestUpdate(s->part, b, (size_t)take);
                s->at += take;
                b += take;
                n -= (size_t)take;
                if (s->at == s->end) {
                        part_close(s);
                        s->end = part_end(p, s);
                }
        }
}

static bool parts_fit(struct pass *p, struct parts *s)
{
        char text[48];
        size_t n;

        if (s->at > 0 && (s->size ? s->at % s->size : 0))
                part_close(s);
        md5_text(s->all, text);
        n = s->n;
        snprintf(text + 32, sizeof(text) - 32, "-%zu", n);
        return strcasecmp(text, p->y->etag) == 0;
}

static void add_size(struct content *c, uint64_t size)
{
        for (size_t i = 0; i < c->sizes; i++)
                if (c->size[i] == size)
                        return;
        if (c->sizes < CONTENT_SIZES)
                c->size[c->sizes++] = size;
}

/* Lengths of n equal parts (the last may be shorter) that clients use: powers of two, tens and fives of MiB, then all MiB. */
static void candidates(struct content *c, uint64_t length, uint64_t n)
{
        static const unsigned steps[] = { 8, 5, 4, 1 };
        uint64_t least = (length + n - 1) / n, most = n > 1 ? (length - 1) / (n - 1) : least;

        if (n == 1) {
                add_size(c, length);
                return;
        }
        for (uint64_t s = MIB; s && s <= most; s *= 2)
                if (s >= least)
                        add_size(c, s);
        for (size_t k = 0; k < sizeof(steps) / sizeof(steps[0]); k++) {
                uint64_t step = (uint64_t)steps[k] * MIB;

                for (uint64_t s = (least + step - 1) / step * step; s <= most && c->sizes < CONTENT_SIZES - 1;
                     s += step)
                        add_size(c, s);
        }
        add_size(c, least);
}

/* Whether the pieces are the n parts, side by side, and all bytes. Only then do they prove anything against the ETag. */
static bool parts_known(const struct pass *p, uint64_t n)
{
        uint64_t at = 0;

        for (size_t i = 0; i < p->y->pieces; i++) {
                if (p->y->piece[i].guessed || p->y->piece[i].offset != at || !p->y->piece[i].length)
                        return false;
                at += p->y->piece[i].length;
        }
        return p->y->pieces == n && at == p->c->length;
}

/* The first parts of many, when they are equally long: so may be the others. 0: they are not. */
static uint64_t parts_alike(const struct pass *p)
{
        uint64_t size = p->y->piece[0].length;

        for (size_t i = 1; i < p->y->pieces; i++)
                if (p->y->piece[i].length != size)
                        return 0;
        return size;
}

static bool is_joined(const char *etag)
{
        return strspn(etag, "0123456789abcdefABCDEF") == 32 && etag[32] == '-';
}

static void parts_start(struct pass *p)
{
        struct content *c = p->c;
        const char *dash = p->y ? strrchr(p->y->etag, '-') : NULL;
        uint64_t n = dash ? strtoull(dash + 1, NULL, 10) : 0;

        c->fits = -1;
        if (!n || !c->length || !is_joined(p->y->etag) || !p->y->pieces)
                return;
        c->known = parts_known(p, n);
        if (p->y->piece[0].guessed)
                candidates(c, c->length, n);
        else if (!c->known && parts_alike(p))
                add_size(c, parts_alike(p));
        if (!c->known && !c->sizes)
                return;
        p->sets = c->sizes ? c->sizes : 1;
        p->parts = need(calloc(p->sets, sizeof(*p->parts)));
        for (size_t i = 0; i < p->sets; i++) {
                p->parts[i].size = c->sizes ? c->size[i] : 0;
                p->parts[i].part = md5_new();
                p->parts[i].all = md5_new();
                p->parts[i].end = part_end(p, &p->parts[i]);
        }
}

static void parts_end(struct pass *p)
{
        for (size_t i = 0; i < p->sets; i++) {
                if (p->c->fits < 0 && parts_fit(p, &p->parts[i]))
                        p->c->fits = (int)i;
                EVP_MD_CTX_free(p->parts[i].part);
                EVP_MD_CTX_free(p->parts[i].all);
        }
        free(p->parts);
}

/* ---- reading ---------------------------------------------------------------------------------------------- */

struct piece {
        struct flight flight;
        struct pass *pass;
        uint64_t at;
        size_t want;
};

static void lose(struct pass *p, uint64_t at, uint64_t len, int code, const char *message)
{
        struct content *c = p->c;

        if (c->gaps == CONTENT_GAPS) {
                c->more_gaps++;
                return;
        }
        c->gap[c->gaps++] = (struct content_gap){ at, len, code, need_copy(message ? message : "") };
}

static void got_piece(struct flight *f, const roma_result *r)
{
        struct piece *p = (struct piece *)f; /* its first member */

        if (r->code != ROMA_OK)
                lose(p->pass, p->at, p->want, r->code, r->message);
        else if (r->bytes != p->want)
                lose(p->pass, p->at, p->want, ROMA_ESERVER, "it became shorter while it was read");
}

static void read_window(struct pass *p, uint64_t at, size_t len)
{
        struct piece piece[PIECES];
        size_t done = 0;

        for (unsigned n = 0; n < PIECES && done < len; n++) {
                piece[n] = (struct piece){ .pass = p,
                                           .at = at + done,
                                           .want = len - done < PIECE ? len - done : PIECE };
                flight_track(p->tool, &piece[n].flight, got_piece,
                             roma_aio_pread(p->file, p->buf + done, piece[n].want, at + done, NULL,
                                            flight_done, &piece[n].flight));
                done += piece[n].want;
        }
        flight_drive(p->tool);
        progress_bytes(p->tool, (int64_t)len);
}

static bool lost(const struct content *c, uint64_t at, uint64_t len)
{
        for (size_t i = 0; i < c->gaps; i++)
                if (c->gap[i].at < at + len && at < c->gap[i].at + c->gap[i].len)
                        return true;
        return c->more_gaps > 0;
}

static void differs(struct pass *p, uint64_t block, const unsigned char *good, const unsigned char *bad,
                    uint32_t used)
{
        struct content *c = p->c;
        struct content_run *r = c->runs ? &c->run[c->runs - 1] : NULL;
        struct dg_bytes d;

        if (r && r->first + r->count == block) {
                r->count++;
                return;
        }
        if (c->runs == CONTENT_RUNS) {
                c->more_runs++;
                return;
        }
        if (!dg_compare(good, bad, good - DG_BLOCK, used, &d))
                return;
        r = &c->run[c->runs++];
        *r = (struct content_run){ .first = block,
                                   .count = 1,
                                   .at = block * DG_BLOCK + d.first,
                                   .end = block * DG_BLOCK + d.end,
                                   .pattern = d.pattern,
                                   .detail = d.detail };
}

/* False: the original cannot be read. */
static bool compare(struct pass *p, uint64_t at, size_t len)
{
        uint64_t before = at ? DG_BLOCK : 0;

        memset(p->want, 0, DG_BLOCK);
        if (!original_read(p->o, p->want + DG_BLOCK - before, (size_t)(WINDOW + DG_BLOCK + before),
                           at - before))
                return false;
        if (len < WINDOW)
                memset(p->buf + len, 0, WINDOW - len);
        for (size_t b = 0; b < len; b += DG_BLOCK) {
                size_t used = len - b < DG_BLOCK ? len - b : DG_BLOCK;

                /* Both lengths are compared elsewhere; here counts what both have. */
                if (at + b + used > p->o->length)
                        used = at + b < p->o->length ? (size_t)(p->o->length - at - b) : 0;
                if (used < DG_BLOCK)
                        memset(p->buf + b + used, 0, DG_BLOCK - used);
                if (used < DG_BLOCK)
                        memset(p->want + DG_BLOCK + b + used, 0, DG_BLOCK - used);
                if (used && memcmp(p->buf + b, p->want + DG_BLOCK + b, used) && !lost(p->c, at + b, used))
                        differs(p, (at + b) / DG_BLOCK, p->want + DG_BLOCK + b, p->buf + b, (uint32_t)used);
        }
        return true;
}

static bool all_windows(struct pass *p)
{
        struct content *c = p->c;

        for (uint64_t at = 0; at < c->length && !p->tool->stopping; at += WINDOW) {
                size_t len = c->length - at < WINDOW ? (size_t)(c->length - at) : WINDOW;

                memset(p->buf, 0, len);
                read_window(p, at, len);
                c->crc = libdeflate_crc32(c->crc, p->buf, len);
                EVP_DigestUpdate(p->md5, p->buf, len);
                for (size_t i = 0; i < p->sets; i++)
                        parts_take(p, &p->parts[i], p->buf, len);
                if (p->o && !compare(p, at, len))
                        return false;
        }
        /* One block alone cannot tell: zeros to its end are a hole when right bytes follow. */
        for (size_t i = 0; i < c->runs; i++)
                if (c->run[i].pattern == DG_TAIL &&
                    (c->run[i].first + c->run[i].count) * DG_BLOCK < c->length)
                        c->run[i].pattern = DG_ZERO;
        return !p->tool->stopping;
}

static void got_file(struct flight *f, const roma_result *r)
{
        struct piece *p = (struct piece *)f;

        if (r->code != ROMA_OK) {
                lose(p->pass, 0, 0, r->code, r->message);
                return;
        }
        p->pass->file = r->file;
        p->pass->c->length = r->attr->length;
}

void content_read(struct tool *t, struct content *c, const struct location *at, struct original *o,
                  const roma_layout *y)
{
        const roma_opts opts = request_opts(t);
        struct pass p = { .tool = t, .c = c, .o = o, .y = y, .at = at };
        struct piece open = { .pass = &p };
        struct answer a = { 0 };

        memset(c, 0, sizeof(*c));
        c->fits = -1;
        flight_track(t, &open.flight, got_file,
                     roma_aio_file_open(at->place->store, at->key, ROMA_O_READ, 0, &opts, flight_done,
                                        &open.flight));
        flight_drive(t);
        if (!p.file)
                return;
        progress_expect(t, 1, (int64_t)c->length);
        p.md5 = md5_new();
        p.buf = need(malloc(WINDOW));
        p.want = need(malloc(WINDOW + 2 * DG_BLOCK));
        parts_start(&p);
        c->done = all_windows(&p);
        parts_end(&p);
        md5_text(p.md5, c->md5);
        if (!c->done || c->gaps) {
                *c->md5 = 0;
                c->fits = -1;
        }
        EVP_MD_CTX_free(p.md5);
        free(p.buf);
        free(p.want);
        progress_file(t);
        ANSWER(t, &a, roma_aio_file_close(p.file, NULL, flight_done, &a.flight));
        answer_wait(t, &a);
        answer_free(&a);
}

void content_clear(struct content *c)
{
        for (size_t i = 0; i < c->gaps; i++)
                free(c->gap[i].message);
        c->gaps = 0;
}
