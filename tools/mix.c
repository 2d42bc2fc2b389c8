/* SPDX-License-Identifier: MIT */
/* The search for the mix of copies that has a certain MD5. A digest cannot be taken back, but it can be copied: in front of
 * a place where the copies differ each digest is copied once for each content, and what all copies share is read once and
 * given to all digests. So the servers are asked for no more than a deep look reads, whatever the number of combinations; that
 * is bounded by memory and by the bytes to digest. */
#include <stdlib.h>
#include <string.h>

#include <openssl/evp.h>

#include "tools/mix.h"

enum {
        STATES = 1 << 16, /* digests at once, some 300 bytes each */
        READ_BLOCKS = 16, /* read at once */
        TURN = 64 << 20,  /* bytes digested between two looks at signals */
        TRIES = 3
};
#define WORK (UINT64_C(64) << 30) /* bytes to digest: a minute or two */

/* A place with a choice, and what is chosen from. */
struct point {
        uint32_t chunk, first, count, options;
        uint32_t *crc; /* of option o: from o * count on */
};

struct search {
        struct looker *l;
        const roma_mfs_map *map;
        uint64_t length;
        bool patient, others;
        enum dg_mix how;
        EVP_MD_CTX **state; /* NULL: a combination of which a block cannot be read */
        size_t states;
        struct point *point;
        size_t points;
        uint32_t **base; /* of the chunks with a choice: the CRCs of what all copies share */
        unsigned char *buf;
        uint64_t digested; /* since the last turn of the loop */
        char *why;         /* the search ends: a sentence */
};

static size_t chunks_of(const struct search *s)
{
        return (size_t)((s->length + ROMA_MFS_CHUNK_SIZE - 1) / ROMA_MFS_CHUNK_SIZE);
}

static uint64_t bytes_of(const struct search *s, size_t chunk)
{
        uint64_t left = s->length - (uint64_t)chunk * ROMA_MFS_CHUNK_SIZE;

        return left < ROMA_MFS_CHUNK_SIZE ? left : ROMA_MFS_CHUNK_SIZE;
}

static uint32_t blocks_of(const struct search *s, size_t chunk)
{
        return (uint32_t)((bytes_of(s, chunk) + DG_BLOCK - 1) / DG_BLOCK);
}

static void give_up(struct search *s, char *why)
{
        if (s->why)
                free(why);
        else
                s->why = why;
}

/* The tables of a chunk. False: it is a hole, or has no copies to choose from. */
static bool tables(struct search *s, size_t chunk, struct look *look)
{
        struct look *one = look;

        if (chunk >= s->map->chunks || !s->map->chunk[chunk].id)
                return false;
        look_init(s->l, look, &s->map->chunk[chunk], s->map->length);
        look_tables(s->l, &one, 1, true);
        return true;
}

static bool is_coded(const struct look *look)
{
        return dg_in_parts(&look->k);
}

/* ---- digests ---------------------------------------------------------------------------------------------- */

static void drop_states(struct search *s)
{
        for (size_t i = 0; i < s->states; i++)
                EVP_MD_CTX_free(s->state[i]);
        free(s->state);
        s->state = NULL;
        s->states = 0;
}

static bool first_state(struct search *s)
{
        s->state = need(calloc(1, sizeof(EVP_MD_CTX *)));
        s->state[0] = need(EVP_MD_CTX_new());
        s->states = 1;
        if (EVP_DigestInit_ex(s->state[0], EVP_md5(), NULL) == 1)
                return true;
        give_up(s, need_copy("libcrypto refuses MD5 on this machine"));
        return false;
}

/* Signals are seen, and connections are kept, while much is computed. */
static void breathe(struct search *s, size_t len)
{
        s->digested += len;
        if (s->digested < TURN)
                return;
        s->digested = 0;
        roma_loop_turn(s->l->tool->loop, 0);
}

/* Gives the bytes to the digests first, first + step, ... */
static void digest(struct search *s, size_t first, size_t step, const void *bytes, size_t len)
{
        for (size_t i = first; i < s->states && !s->l->tool->stopping; i += step) {
                if (!s->state[i])
                        continue;
                need(EVP_DigestUpdate(s->state[i], bytes, len) == 1 ? s : NULL);
                breathe(s, len);
        }
}

/* m digests for each: number i becomes i * m ... i * m + m - 1. */
static bool split(struct search *s, size_t m)
{
        EVP_MD_CTX **all;

        if (m > STATES / s->states) {
                give_up(s, need_copy("the copies changed while they were read"));
                return false;
        }
        all = need(calloc(s->states * m, sizeof(EVP_MD_CTX *)));
        for (size_t i = 0; i < s->states; i++) {
                all[i * m] = s->state[i];
                for (size_t o = 1; s->state[i] && o < m; o++) {
                        all[i * m + o] = need(EVP_MD_CTX_new());
                        need(EVP_MD_CTX_copy_ex(all[i * m + o], s->state[i]) == 1 ? s : NULL);
                }
        }
        free(s->state);
        s->state = all;
        s->states *= m;
        return true;
}

/* ---- blocks ----------------------------------------------------------------------------------------------- */

struct piece_answer {
        struct flight flight;
        struct search *s;
        struct look *look;
        size_t copy;
        uint32_t first, want, good; /* blocks */
        bool rot, again, changed;
};

static void got_piece(struct flight *f, const roma_result *r)
{
        struct piece_answer *a = (struct piece_answer *)f; /* its first member */
        const struct dg_copy *k = &a->look->k.copy[a->copy];
        uint32_t came = r->code == ROMA_OK ? a->want : (uint32_t)(r->bytes / DG_BLOCK);

        for (; a->good < came; a->good++) {
                if (dg_crc(a->s->buf + (size_t)a->good * DG_BLOCK, DG_BLOCK) == k->crc[a->first + a->good])
                        continue;
                a->changed = true;
                return;
        }
        if (r->code == ROMA_OK)
                return;
        a->rot = look_is_rot(a->s->l, a->look->copy[a->copy].server, r);
        a->again = (r->flags & ROMA_RETRIABLE) != 0;
        if (a->rot)
                look_bad(a->s->l, a->look, a->copy, a->first + a->good);
}

static void ask(struct piece_answer *a)
{
        struct search *s = a->s;
        const struct look *look = a->look;
        const struct dg_copy *k = &look->k.copy[a->copy];
        const roma_opts opts = request_opts(s->l->tool);
        uint32_t version = k->current || k->same_version ? look->chunk->version : 0;

        flight_track(s->l->tool, &a->flight, got_piece,
                     roma_aio_mfs_replica_read(s->l->place->store, look->copy[a->copy].at, look->chunk->id,
                                               version, s->buf, (size_t)a->want * DG_BLOCK,
                                               (uint64_t)a->first * DG_BLOCK, &opts, flight_done,
                                               &a->flight));
        flight_drive(s->l->tool);
        look_pay(s->l, (uint64_t)a->want * DG_BLOCK);
}

/* A copy of these that can give the block, and may be read now; -1: none. *resting: only because of its server. */
static int giver(struct search *s, const struct look *look, uint32_t with, uint32_t block, bool *resting)
{
        *resting = false;
        for (size_t i = 0; i < look->k.copies; i++) {
                if (!(with >> i & 1) || look->k.copy[i].seen[block] == DG_BAD)
                        continue;
                if (look_allowed(s->l, look->copy[i].server))
                        return (int)i;
                *resting = true;
        }
        return -1;
}

static void wait_for(struct search *s, const struct look *look, uint32_t with, uint32_t block)
{
        for (size_t i = 0; i < look->k.copies; i++) {
                if (!(with >> i & 1) || look->k.copy[i].seen[block] == DG_BAD)
                        continue;
                if (!s->patient)
                        give_up(s, need_format("%s is left in peace after a CRC error; run it again later, "
                                               "or see --error-gap",
                                               look->copy[i].at->server));
                else if (look_wait(s->l, look->copy[i].server))
                        return;
        }
}

/* As many blocks as come, from one of the copies `with`, up to n. 0: none of them has the first one, or s->why. */
static uint32_t fetch(struct search *s, struct look *look, uint32_t with, uint32_t first, uint32_t n)
{
        bool resting;

        for (unsigned tries = 0; tries < TRIES && !s->why && !s->l->tool->stopping;) {
                struct piece_answer a = { .s = s, .look = look, .first = first, .want = n };
                int copy = giver(s, look, with, first, &resting);
                if (copy < 0 && !resting)
                        return 0;
                if (copy < 0) {
                        wait_for(s, look, with, first);
                        continue;
                }
                a.copy = (size_t)copy;
                ask(&a);
                if (a.changed)
                        give_up(s, need_copy("the copies changed while they were read"));
                if (a.good)
                        return a.good;
                if (a.rot)
                        continue;
                if (!a.again || ++tries == TRIES)
                        give_up(s, need_format("block %u of chunk %u could not be read from %s", first,
                                               look->k.index, look->copy[copy].at->server));
        }
        return 0;
}

static uint32_t zeros_from(const struct dg_copy *k, uint32_t first, uint32_t end)
{
        uint32_t n = 0;

        while (first + n < end && k->crc[first + n] == DG_EMPTY)
                n++;
        return n;
}

static uint32_t data_from(const struct dg_copy *k, uint32_t first, uint32_t end)
{
        uint32_t n = 0;

        while (first + n < end && n < READ_BLOCKS && k->crc[first + n] != DG_EMPTY)
                n++;
        return n;
}

/* The blocks of a piece, as the copies `with` have them, to every step-th digest. False: one of them cannot be read. */
static bool feed(struct search *s, struct look *look, const struct dg_piece *p, uint32_t with, size_t state,
                 size_t step)
{
        const struct dg_copy *k = &look->k.copy[__builtin_ctz(with)];
        uint64_t base = (uint64_t)look->k.index * ROMA_MFS_CHUNK_SIZE;
        uint32_t end = p->first + p->count, n;

        for (uint32_t b = p->first; b < end && !s->why && !s->l->tool->stopping; b += n) {
                uint64_t at = base + (uint64_t)b * DG_BLOCK, len;
                n = zeros_from(k, b, end);
                if (n > READ_BLOCKS)
                        n = READ_BLOCKS;
                if (n)
                        memset(s->buf, 0, (size_t)n * DG_BLOCK);
                else if (!(n = fetch(s, look, with, b, data_from(k, b, end))))
                        return false;
                len = (uint64_t)n * DG_BLOCK;
                digest(s, state, step, s->buf, (size_t)(len < s->length - at ? len : s->length - at));
        }
        return !s->why;
}

static void feed_zeros(struct search *s, uint64_t len)
{
        memset(s->buf, 0, (size_t)READ_BLOCKS * DG_BLOCK);
        while (len && !s->l->tool->stopping) {
                size_t n =
                        len < (uint64_t)READ_BLOCKS * DG_BLOCK ? (size_t)len : (size_t)READ_BLOCKS * DG_BLOCK;
                digest(s, 0, 1, s->buf, n);
                len -= n;
        }
}

/* ---- one pass --------------------------------------------------------------------------------------------- */

static void remember(struct search *s, const struct look *look, const struct dg_piece *p)
{
        struct point *q;

        s->point = need(realloc(s->point, (s->points + 1) * sizeof(*s->point)));
        q = &s->point[s->points++];
        *q = (struct point){ .chunk = look->k.index,
                             .first = p->first,
                             .count = p->count,
                             .options = p->options,
                             .crc = need(calloc((size_t)p->options * p->count, sizeof(uint32_t))) };
        for (uint32_t o = 0; o < p->options; o++)
                memcpy(q->crc + (size_t)o * p->count, &look->k.copy[__builtin_ctz(p->with[o])].crc[p->first],
                       p->count * sizeof(uint32_t));
}

/* What has no choice, of a chunk that has some. */
static void keep_base(struct search *s, const struct look *look, const struct dg_piece *p, size_t n)
{
        uint32_t *crc = NULL;

        for (size_t i = 0; i < n && !crc; i++)
                if (p[i].options > 1 || p[i].left_out)
                        crc = need(malloc(DG_BLOCKS * sizeof(uint32_t)));
        s->base[look->k.index] = crc;
        for (uint32_t b = 0; crc && b < DG_BLOCKS; b++)
                crc[b] = DG_EMPTY;
        for (size_t i = 0; i < n && crc; i++)
                if (p[i].options == 1)
                        memcpy(crc + p[i].first, &look->k.copy[__builtin_ctz(p[i].with[0])].crc[p[i].first],
                               p[i].count * sizeof(uint32_t));
}

static void choose(struct search *s, struct look *look, const struct dg_piece *p)
{
        size_t dead = 0;

        if (!split(s, p->options))
                return;
        remember(s, look, p);
        for (uint32_t o = 0; o < p->options && !s->why; o++) {
                if (feed(s, look, p, p->with[o], o, p->options))
                        continue;
                dead++;
                for (size_t i = o; i < s->states; i += p->options) {
                        EVP_MD_CTX_free(s->state[i]);
                        s->state[i] = NULL;
                }
        }
        if (dead == p->options)
                give_up(s, need_format("blocks %u-%u of chunk %u can be read from no copy", p->first,
                                       p->first + p->count - 1, look->k.index));
}

static void one_chunk(struct search *s, size_t chunk, struct dg_piece *p)
{
        struct look look;
        size_t n;

        if (!tables(s, chunk, &look)) {
                feed_zeros(s, bytes_of(s, chunk));
                return;
        }
        n = dg_pieces(&look.k, blocks_of(s, chunk), s->how, s->others, p);
        keep_base(s, &look, p, n);
        for (size_t i = 0; i < n && !s->why && !s->l->tool->stopping; i++) {
                if (p[i].options > 1)
                        choose(s, &look, &p[i]);
                else if (!p[i].options || !feed(s, &look, &p[i], p[i].with[0], 0, 1))
                        give_up(s, need_format("block %u of chunk %zu can be read from no copy", p[i].first,
                                               chunk));
        }
        look_free(&look);
}

/* The number of the combination with this MD5; -1. */
static int64_t find(struct search *s, const char md5[33])
{
        unsigned char d[EVP_MAX_MD_SIZE];
        char text[33];

        for (size_t i = 0; i < s->states; i++) {
                if (!s->state[i] || EVP_DigestFinal_ex(s->state[i], d, NULL) != 1)
                        continue;
                for (unsigned b = 0; b < 16; b++)
                        snprintf(text + (size_t)2 * b, 3, "%02x", d[b]);
                if (!strcmp(text, md5))
                        return (int64_t)i;
        }
        return -1;
}

/* The last choice is the lowest digit of the number. */
static void take(struct search *s, struct mix *out, uint64_t number)
{
        out->result = MIX_FOUND;
        out->want = s->base;
        out->chunks = chunks_of(s);
        s->base = NULL;
        for (size_t i = s->points; i > 0; i--) {
                const struct point *p = &s->point[i - 1];
                size_t o = (size_t)(number % p->options);
                memcpy(out->want[p->chunk] + p->first, p->crc + o * p->count, p->count * sizeof(uint32_t));
                number /= p->options;
        }
}

static void forget(struct search *s)
{
        drop_states(s);
        for (size_t i = 0; i < s->points; i++)
                free(s->point[i].crc);
        free(s->point);
        s->point = NULL;
        s->points = 0;
        for (size_t i = 0; s->base && i < chunks_of(s); i++)
                free(s->base[i]);
        free(s->base);
        s->base = NULL;
}

static void pass(struct search *s, const char md5[33], struct mix *out)
{
        struct dg_piece *p = need(malloc(DG_BLOCKS * sizeof(*p)));
        int64_t found;

        s->base = need(calloc(chunks_of(s) + 1, sizeof(uint32_t *)));
        if (first_state(s))
                for (size_t i = 0; i < chunks_of(s) && !s->why && !s->l->tool->stopping; i++)
                        one_chunk(s, i, p);
        free(p);
        if (!s->why && !s->l->tool->stopping) {
                out->tried += s->states;
                out->result = MIX_NONE;
                found = find(s, md5);
                if (found >= 0)
                        take(s, out, (uint64_t)found);
        }
        forget(s);
}

/* ---- which passes ----------------------------------------------------------------------------------------- */

struct plan {
        struct dg_cost cost[2][DG_MIXES]; /* without and with copies of another version */
        bool coded;
};

static void make_plan(struct search *s, struct plan *plan)
{
        struct dg_piece *p = need(malloc(DG_BLOCKS * sizeof(*p)));
        struct look look;

        memset(plan, 0, sizeof(*plan));
        for (int how = 0; how < 2 * DG_MIXES; how++)
                plan->cost[how / DG_MIXES][how % DG_MIXES].states = 1;
        for (size_t i = 0; i < chunks_of(s) && !s->l->tool->stopping; i++) {
                bool any = tables(s, i, &look);
                for (int how = 0; any && how < 2 * DG_MIXES; how++) {
                        struct dg_cost *c = &plan->cost[how / DG_MIXES][how % DG_MIXES];
                        size_t n = dg_pieces(&look.k, blocks_of(s, i), (enum dg_mix)(how % DG_MIXES),
                                             how >= DG_MIXES, p);
                        dg_cost_add(c, p, n, bytes_of(s, i));
                }
                if (!any)
                        continue;
                plan->coded |= is_coded(&look);
                look_free(&look);
        }
        free(p);
}

static bool affordable(const struct dg_cost *c)
{
        return c->states <= STATES && c->bytes <= WORK && !c->unreadable;
}

static void try_one(struct search *s, const struct plan *plan, enum dg_mix how, const char md5[33],
                    struct mix *out)
{
        const struct dg_cost *c = &plan->cost[s->others][how];

        if (out->result == MIX_FOUND || s->why || !plan->cost[s->others][DG_MIX_RUNS].points ||
            !affordable(c) || s->l->tool->stopping)
                return;
        s->how = how;
        out->others |= s->others;
        pass(s, md5, out);
}

static bool same_cost(const struct dg_cost *a, const struct dg_cost *b)
{
        return a->states == b->states && a->points == b->points;
}

/* Combinations that the cheaper tries are part of make them needless. */
static void try_all(struct search *s, const struct plan *plan, const char md5[33], struct mix *out)
{
        const struct dg_cost *c = plan->cost[s->others];

        if (s->others && same_cost(&c[DG_MIX_BLOCKS], &plan->cost[0][DG_MIX_BLOCKS]))
                return;
        try_one(s, plan, DG_MIX_RUNS, md5, out);
        if (!affordable(&c[DG_MIX_RUNS])) {
                try_one(s, plan, DG_MIX_DATA, md5, out);
                try_one(s, plan, DG_MIX_CHUNKS, md5, out);
        }
        if (!same_cost(&c[DG_MIX_BLOCKS], &c[DG_MIX_RUNS]))
                try_one(s, plan, DG_MIX_BLOCKS, md5, out);
}

/* What was not tried. The copies that count, or all when those agree; blocks one by one only when runs were tried. */
static char *too_many(const struct plan *plan)
{
        const struct dg_cost *c = plan->cost[plan->cost[0][DG_MIX_RUNS].points == 0];
        char bytes[16];

        if (c->unreadable)
                return need_copy("some blocks can be read from no copy");
        c += affordable(&c[DG_MIX_RUNS]) ? DG_MIX_BLOCKS : DG_MIX_RUNS;
        if (affordable(c))
                c = &plan->cost[1][DG_MIX_BLOCKS];
        if (c->states == UINT64_MAX || c->bytes == UINT64_MAX)
                return need_format("%llu places in which the copies differ give more combinations than can "
                                   "be counted, and %d are the limit",
                                   (unsigned long long)c->points, STATES);
        format_size(bytes, c->bytes);
        return need_format("%llu places in which the copies differ give %llu combinations and %s to digest, "
                           "and %d and 64 GiB are the limit",
                           (unsigned long long)c->points, (unsigned long long)c->states, bytes, STATES);
}

void mix_search(struct looker *l, const roma_mfs_map *map, uint64_t length, const char md5[33], bool patient,
                struct mix *out)
{
        struct search s = { .l = l, .map = map, .length = length, .patient = patient };
        struct plan plan;

        *out = (struct mix){ .result = MIX_NOT };
        make_plan(&s, &plan);
        out->points = plan.cost[1][DG_MIX_RUNS].points;
        if (!out->points || l->tool->stopping)
                return;
        if (plan.coded) {
                out->why = need_copy("erasure coded chunks have no copies to choose from");
                return;
        }
        s.buf = need(malloc((size_t)READ_BLOCKS * DG_BLOCK));
        try_all(&s, &plan, md5, out);
        s.others = true;
        try_all(&s, &plan, md5, out);
        out->all = !s.why && affordable(&plan.cost[1][DG_MIX_BLOCKS]);
        if (s.why)
                out->why = s.why;
        else if (out->result != MIX_FOUND && !out->all)
                out->why = too_many(&plan);
        free(s.buf);
}

void mix_free(struct mix *m)
{
        for (size_t i = 0; m->want && i < m->chunks; i++)
                free(m->want[i]);
        free(m->want);
        free(m->why);
        memset(m, 0, sizeof(*m));
}
