/* SPDX-License-Identifier: MIT */
#include "s3compat/part.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/buf.h"
#include "core/crc.h"

enum { DIGEST_ON_LOOP = 128 << 10, BLOCK = 1 << 20, PIECE = 256 << 10 };

struct s3_part *s3_part_new(struct s3_store *st, void *owner, unsigned number, uint64_t capacity)
{
        struct s3_part *p = calloc(1, sizeof(*p));

        if (!p)
                return NULL;
        ri_list_init(&p->link);
        p->st = st;
        p->owner = owner;
        p->number = number;
        p->capacity = capacity;
        return p;
}

static int grow(struct s3_part *p)
{
        size_t cap = p->spans_cap ? 2 * p->spans_cap : 8;
        struct s3_span *span;
        roma_buf **buf;

        if (p->spans < p->spans_cap)
                return 0;
        span = reallocarray(p->span, cap, sizeof(*span));
        if (span)
                p->span = span;
        buf = reallocarray(p->buf, cap, sizeof(roma_buf *));
        if (buf)
                p->buf = buf;
        if (!span || !buf)
                return -1;
        p->spans_cap = cap;
        return 0;
}

static int refer_to(struct s3_part *p, const void *bytes, size_t n, roma_buf *buf)
{
        if (grow(p) < 0)
                return -1;
        p->span[p->spans] = (struct s3_span){ bytes, n };
        p->buf[p->spans++] = roma_buf_ref(buf);
        p->last_free = 0;
        p->st->referenced += n;
        p->st->loop->referenced += n;
        return 0;
}

static int copy(struct s3_part *p, const char *bytes, size_t n)
{
        while (n) {
                size_t take = n < p->last_free ? n : p->last_free;
                struct s3_span *last = p->spans ? &p->span[p->spans - 1] : NULL;

                if (take) {
                        memcpy((char *)(uintptr_t)last->p + last->n, bytes, take);
                        last->n += take;
                        p->last_free -= take;
                        p->st->held += take;
                        bytes += take;
                        n -= take;
                        continue;
                }
                if (grow(p) < 0)
                        return -1;
                take = p->capacity - p->length < BLOCK ? (size_t)(p->capacity - p->length) : BLOCK;
                take = take < n ? n : take;
                p->span[p->spans] = (struct s3_span){ malloc(take), 0 };
                p->buf[p->spans] = NULL;
                if (!p->span[p->spans].p)
                        return -1;
                p->spans++;
                p->last_free = take;
        }
        return 0;
}

/* The CRC-32 of some bytes of a buffer. What was summed where the bytes came from is not computed again, and protects
 * them on the whole way to the server. */
static uint32_t crc_of(const unsigned char *bytes, size_t n, const roma_buf *buf)
{
        uint32_t crc = 0, sum;

        while (n) {
                size_t take = n < RI_SUM_BLOCK ? n : RI_SUM_BLOCK;
                size_t at = buf ? (size_t)(bytes - (const unsigned char *)roma_buf_data(buf)) : 0;

                if (!buf || !ri_buf_sum_of(buf, at, take, &sum))
                        sum = ri_crc32(0, bytes, take);
                crc = ri_crc32_combine(crc, sum, take);
                bytes += take;
                n -= take;
        }
        return crc;
}

int64_t s3_part_take(struct s3_part *p, const void *bytes, size_t n, roma_buf *buf, bool refer, uint32_t *crc)
{
        uint64_t room = p->capacity - p->length;
        enum s3_checksum sum = p->st->profile.checksum;
        uint32_t these;

        if (n > room)
                n = (size_t)room;
        if ((buf && refer ? refer_to(p, bytes, n, buf) : copy(p, bytes, n)) < 0)
                return -1;
        p->length += n;
        these = crc_of(bytes, n, buf);
        p->crc32 = ri_crc32_combine(p->crc32, these, n);
        *crc = ri_crc32_combine(*crc, these, n);
        p->sum = sum == S3_SUM_CRC32 ? p->crc32 : s3_sum_add(sum, p->sum, bytes, n);
        return (int64_t)n;
}

/* Digests */

/* What is read is read in turns, so that whoever waits sees between them that it goes on. */
static const uint64_t TURN_NS = UINT64_C(100) * 1000000;

static void broken(struct s3_part *p, int err)
{
        p->broken = true;
        p->read_err = err;
}

/* Bytes that are read from the source, and then once more when they are sent: until all have been, or the turn is over. */
static void look_at_source(struct s3_part *p)
{
        uint64_t end = ri_now() + TURN_NS;
        unsigned char *piece = malloc(PIECE);

        if (!piece)
                broken(p, ENOMEM);
        while (piece && p->looked < p->length && !ri_job_abandoned(&p->job)) {
                uint64_t left = p->length - p->looked;
                ssize_t n = p->source->ops->wait(p->source, piece, left < PIECE ? (size_t)left : PIECE,
                                                 p->offset + p->looked);

                if (n <= 0) {
                        broken(p, n ? errno : 0);
                        break;
                }
                p->crc32 = ri_crc32(p->crc32, piece, (size_t)n);
                p->sum = p->checksum == S3_SUM_CRC32 ? p->crc32
                                                     : s3_sum_add(p->checksum, p->sum, piece, (size_t)n);
                if (p->kind >= 0)
                        ri_digest_update(&p->digesting, piece, (size_t)n);
                p->looked += (uint64_t)n;
                if (ri_now() >= end)
                        break;
        }
        free(piece);
}

/* Some of the source is still to be read. */
static bool looks_on(const struct s3_part *p)
{
        return p->source && !p->broken && !p->digest_error[0] && p->looked < p->length;
}

static void digest_end(struct s3_part *p, struct ri_str *err)
{
        struct ri_str coded = RI_STR_INIT(sizeof(p->md5_base64) - 1);
        unsigned char out[RI_DIGEST_MAX];

        if (ri_digest_end(&p->digesting, out, err) < 0)
                return;
        ri_hex(p->digest, out, ri_digest_size((enum ri_digest_kind)p->kind));
        if (p->kind == RI_MD5)
                s3_base64(&coded, out, 16);
        snprintf(p->md5_base64, sizeof(p->md5_base64), "%s", ri_str_cstr(&coded));
        ri_str_free(&coded);
}

static void digest_work(struct s3_part *p)
{
        struct ri_str err = RI_STR_INIT(150);

        if (!p->digesting.ctx && ri_digest_begin(&p->digesting, (enum ri_digest_kind)p->kind, &err) < 0)
                goto out;
        for (size_t i = 0; i < p->spans; i++)
                ri_digest_update(&p->digesting, p->span[i].p, p->span[i].n);
        if (p->source)
                look_at_source(p);
        if (!looks_on(p))
                digest_end(p, &err);
out:
        snprintf(p->digest_error, sizeof(p->digest_error), "%s", ri_str_cstr(&err));
        ri_str_free(&err);
}

static void job_work(struct ri_job *job)
{
        struct s3_part *p = ri_container_of(job, struct s3_part, job);

        if (p->kind < 0)
                look_at_source(p);
        else
                digest_work(p);
}

/* Checksums */

void s3_part_protect(const struct s3_part *p, struct s3_request *r, enum s3_checksum sum)
{
        const struct s3_sum *kind = s3_sum(sum);
        char text[S3_SUM_TEXT];

        if (kind) {
                s3_sum_text(text, sum, p->sum);
                s3_fields_add(&r->headers, kind->header, text);
        } else if (sum == S3_SUM_SIGNED) {
                r->sha256 = p->digest;
        } else if (sum == S3_SUM_MD5) {
                s3_fields_add(&r->headers, "Content-MD5", p->md5_base64);
        }
}

/* "-3" at the end of a checksum: it is one of checksums, and says nothing about these bytes alone. */
static bool sum_confirmed(const struct s3_part *p, struct s3_request *r, enum s3_checksum sum)
{
        const struct s3_sum *kind = s3_sum(sum);
        const char *told = kind ? s3_fields_get(&r->reply, kind->header) : NULL;
        char ours[S3_SUM_TEXT];

        if (!told || strchr(told, '-'))
                return true;
        s3_sum_text(ours, sum, p->sum);
        if (strcmp(told, ours) == 0)
                return true;
        ri_error_set(&r->error, ROMA_ECORRUPT, r->server,
                     "the server has %s %.24s of what was sent, it must be %s", kind->algorithm, told, ours);
        return false;
}

bool s3_part_confirmed(const struct s3_part *p, struct s3_request *r, enum s3_checksum sum)
{
        const char *crc64 = s3_fields_get(&r->reply, "x-oss-hash-crc64ecma"),
                   *etag = s3_fields_get(&r->reply, "etag");
        roma_attr a = { .size = sizeof(a) };
        char ours[24];

        if (!sum_confirmed(p, r, sum))
                return false;
        snprintf(ours, sizeof(ours), "%" PRIu64, p->sum);
        if (sum == S3_SUM_CRC64 && crc64 && strcmp(crc64, ours) != 0) {
                ri_error_set(&r->error, ROMA_ECORRUPT, r->server,
                             "the server has CRC-64 %.24s of what was sent, it must be %s", crc64, ours);
                return false;
        }
        s3_etag(&a, etag ? etag : "");
        if (sum == S3_SUM_MD5 && !s3_etag_is_opaque(&r->reply) && strlen(a.etag) == 32 &&
            strcasecmp(a.etag, p->digest) != 0) {
                ri_error_set(&r->error, ROMA_ECORRUPT, r->server,
                             "the server has MD5 %.32s of what was sent, it must be %.32s", a.etag,
                             p->digest);
                return false;
        }
        return true;
}

bool s3_parts_etag(const char *first, size_t stride, size_t n, char out[80])
{
        struct ri_digest d;
        char hex[RI_DIGEST_HEX_MAX];
        unsigned char bytes[16];

        if (ri_digest_begin(&d, RI_MD5, NULL) < 0)
                return false;
        for (size_t i = 0; i < n; i++) {
                const char *e = first + i * stride;

                e += *e == '"';
                for (int k = 0; k < 16; k++) {
                        char pair[3] = { e[2 * k], e[2 * k] ? e[2 * k + 1] : '\0', '\0' }, *end;

                        bytes[k] = (unsigned char)strtoul(pair, &end, 16);
                        if (!pair[0] || !pair[1] || *end) {
                                ri_digest_free(&d);
                                return false;
                        }
                }
                ri_digest_update(&d, bytes, 16);
        }
        if (ri_digest_end_hex(&d, hex, NULL) < 0)
                return false;
        snprintf(out, 80, "%.40s-%zu", hex, n);
        return true;
}

/* Any thread: the store may be gone, and nothing in here is shared. */
static void memory_free(struct s3_part *p)
{
        for (size_t i = 0; i < p->spans; i++)
                if (!p->buf[i])
                        free((void *)(uintptr_t)p->span[i].p);
        ri_source_unref(p->source);
        ri_digest_free(&p->digesting);
        free(p->span);
        free(p->buf);
        free(p);
}

static void job_orphan(struct ri_job *job)
{
        memory_free(ri_container_of(job, struct s3_part, job));
}

static void job_done(struct ri_job *job)
{
        struct s3_part *p = ri_container_of(job, struct s3_part, job);

        if (looks_on(p)) {
                p->moved(p);
                ri_job_start(p->st->loop, job);
                return;
        }
        p->summed = p->source != NULL;
        p->working = false;
        p->digested(p);
}

void s3_part_digest(struct s3_part *p, int kind, void (*moved)(struct s3_part *p),
                    void (*digested)(struct s3_part *p))
{
        p->kind = kind;
        p->checksum = p->st->profile.checksum;
        p->moved = moved;
        p->digested = digested;
        if (p->length <= DIGEST_ON_LOOP && !p->source) {
                job_work(&p->job);
                digested(p);
                return;
        }
        p->working = true;
        p->job.work = job_work;
        p->job.done = job_done;
        p->job.orphan = job_orphan;
        p->job.bytes = p->source ? PIECE : (size_t)p->length;
        ri_job_start(p->st->loop, &p->job);
}

void s3_part_free(struct s3_part *p)
{
        if (!p)
                return;
        s3_request_free(p->r);
        ri_fetch_free(p->fetch);
        ri_list_del(&p->link);
        for (size_t i = 0; i < p->spans; i++) {
                if (p->buf[i]) {
                        p->st->referenced -= p->span[i].n;
                        p->st->loop->referenced -= p->span[i].n;
                        roma_buf_unref(p->buf[i]);
                } else {
                        p->st->held -= p->span[i].n;
                }
        }
        if (p->working)
                ri_job_abandon(&p->job);
        else
                memory_free(p);
}
