/* SPDX-License-Identifier: MIT */
/* A part of which nothing is held: its bytes are read from the source into curl's buffer when they are sent, and once more
 * when a try has failed. A CRC-32 is taken of each reading, and what differs from the one before is not sent to its end, so
 * that no server has a whole part of it. */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "core/crc.h"
#include "s3compat/part.h"

struct s3_part *s3_part_drawn(struct s3_store *st, void *owner, unsigned number, struct ri_source *source,
                              uint64_t offset, uint64_t length)
{
        struct s3_part *p = s3_part_new(st, owner, number, length);

        if (!p)
                return NULL;
        p->length = length;
        p->source = ri_source_ref(source);
        p->offset = offset;
        return p;
}

void s3_part_broken(const struct s3_part *p, int err, struct ri_error *e)
{
        if (err == ENOMEM)
                ri_error_set(e, ROMA_ENOMEM, NULL, "no memory for bytes of %.200s", p->name);
        else if (err)
                ri_error_errno(e, err, "read", p->name);
        else
                ri_error_set(e, ROMA_ESOURCE, NULL,
                             "%.200s shrank while it was read: its byte %" PRIu64 " is not there any more",
                             p->name, p->offset + p->length - 1);
}

bool s3_part_was_sent(const struct s3_part *p, struct s3_request *r)
{
        if (!p->source || r->at == p->length)
                return true;
        ri_error_set(&r->error, ROMA_EPROTOCOL, r->server,
                     "UploadPart: the server answered when it had %" PRIu64 " of %" PRIu64 " bytes", r->at,
                     p->length);
        return false;
}

static size_t stop(struct s3_part *p, int err)
{
        s3_part_broken(p, err, &p->r->error);
        p->r->stopped = true;
        return CURL_READFUNC_ABORT;
}

/* A worker has read. */
static void fetched(struct ri_fetch *f)
{
        struct s3_part *p = f->arg;

        if (!p->paused)
                return; /* that try is over; the next one may want the bytes */
        p->paused = false;
        s3_http_resume(&p->r->call);
}

static size_t pause(struct s3_part *p, uint64_t at, size_t n)
{
        if (!p->fetch)
                p->fetch = ri_fetch_start(p->st->loop, p->source, at, n, fetched, p);
        if (!p->fetch)
                return stop(p, ENOMEM);
        p->paused = true;
        return CURL_READFUNC_PAUSE;
}

static void drop_fetch(struct s3_part *p)
{
        ri_fetch_free(p->fetch);
        p->fetch = NULL;
}

static bool fetch_has(const struct ri_fetch *f, uint64_t at)
{
        return at >= f->offset && at - f->offset < f->len;
}

static size_t from_fetch(struct s3_part *p, char *to, size_t n, uint64_t at)
{
        size_t skip = (size_t)(at - p->fetch->offset), have = p->fetch->len - skip;

        n = n < have ? n : have;
        memcpy(to, (const char *)roma_buf_data(p->fetch->buf) + skip, n);
        if (n == have)
                drop_fetch(p);
        return n;
}

/* Up to `n` of the bytes at `at` of the source, or one of curl's words. left: of the part. */
static size_t take(struct s3_part *p, char *to, size_t n, uint64_t at, uint64_t left)
{
        ssize_t got;

        if (p->fetch && !p->fetch->ready)
                return pause(p, at, 0);
        if (p->fetch && (p->fetch->err || (at == p->fetch->offset && !p->fetch->len)))
                return stop(p, p->fetch->err);
        if (p->fetch && fetch_has(p->fetch, at))
                return from_fetch(p, to, n, at);
        drop_fetch(p);
        got = p->source->ops->now(p->source, to, n, at);
        if (got > 0)
                return (size_t)got;
        return errno == EAGAIN ? pause(p, at, left < RI_PIECE ? (size_t)left : RI_PIECE) : stop(p, errno);
}

/* The first bytes of a try begin a new reading. */
static size_t read_on(struct s3_part *p, const char *bytes, size_t n, uint64_t at)
{
        p->reading = ri_crc32(at ? p->reading : 0, bytes, n);
        if (at + n < p->length)
                return n;
        if (p->summed && p->reading != p->crc32) {
                ri_error_set(&p->r->error, ROMA_ESOURCE, NULL,
                             "%.200s changed while it was read: bytes %" PRIu64 " to %" PRIu64
                             " had CRC-32 %08" PRIx32 " and then %08" PRIx32
                             "; put it again when nobody writes",
                             p->name, p->offset, p->offset + p->length - 1, p->crc32, p->reading);
                p->r->stopped = true;
                return CURL_READFUNC_ABORT;
        }
        p->crc32 = p->reading;
        p->summed = true;
        return n;
}

size_t s3_part_read(struct s3_part *p, char *to, size_t room, uint64_t at)
{
        uint64_t left = p->length - at;
        size_t n = room < left ? room : (size_t)left;

        if (!n)
                return 0;
        p->paused = false;
        n = take(p, to, n, p->offset + at, left);
        return n <= room ? read_on(p, to, n, at) : n;
}
