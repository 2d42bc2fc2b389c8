/* SPDX-License-Identifier: MIT */
/* Cuts a stream of bytes into packets. The length is compared with the limit before anything is allocated, and
 * the buffer grows with the bytes that have really come, not with what the header promises. */
#include "wire.h"

#include <stdlib.h>

enum { HEAD, BODY, DONE };

#define FIRST_CAP 4096

void wire_frame_init(struct wire_frame *f, uint32_t max)
{
        memset(f, 0, sizeof(*f));
        f->max = max;
}

void wire_frame_free(struct wire_frame *f)
{
        free(f->buf);
        memset(f, 0, sizeof(*f));
}

void wire_frame_stream(struct wire_frame *f)
{
        if (f->state == BODY && f->got == 0)
                f->streaming = true;
}

bool wire_frame_idle(const struct wire_frame *f)
{
        return f->error == WIRE_OK && (f->state == DONE || (f->state == HEAD && f->got == 0));
}

static int fail(struct wire_frame *f, int error)
{
        f->error = error;
        return error;
}

/* Header bytes; got counts them. */
static int feed_head(struct wire_frame *f, const uint8_t **bytes, size_t *len)
{
        size_t n = WIRE_HEADER_SIZE - f->got;

        if (n > *len)
                n = *len;
        memcpy(f->head + f->got, *bytes, n);
        *bytes += n;
        *len -= n;
        f->got += (uint32_t)n;
        if (f->got < WIRE_HEADER_SIZE)
                return WIRE_FRAME_MORE;
        f->type = wire_be32(f->head);
        f->length = wire_be32(f->head + 4);
        if (f->length > f->max)
                return fail(f, WIRE_ELIMIT);
        f->state = BODY;
        f->streaming = false;
        f->got = 0;
        return WIRE_FRAME_HEADER;
}

static int feed_stream(struct wire_frame *f, const uint8_t **bytes, size_t *len)
{
        size_t n = f->length - f->got;

        if (n > *len)
                n = *len;
        if (n == 0 && f->length)
                return WIRE_FRAME_MORE;
        f->data = *bytes;
        f->ndata = n;
        *bytes += n;
        *len -= n;
        f->got += (uint32_t)n;
        f->last = f->got == f->length;
        if (f->last)
                f->state = DONE;
        return WIRE_FRAME_DATA;
}

/* Room for n more bytes behind the got ones. */
static bool grow(struct wire_frame *f, size_t n)
{
        size_t want = f->got + n, cap = f->cap ? f->cap : FIRST_CAP;
        uint8_t *buf;

        if (want <= f->cap)
                return true;
        while (cap < want)
                cap *= 2;
        if (cap > f->length)
                cap = f->length;
        buf = realloc(f->buf, cap);
        if (!buf)
                return false;
        f->buf = buf;
        f->cap = cap;
        return true;
}

static int feed_body(struct wire_frame *f, const uint8_t **bytes, size_t *len)
{
        size_t n = f->length - f->got;

        if (f->got == 0 && n <= *len) {
                /* all of it is in the caller's bytes */
                f->payload = *bytes;
        } else {
                if (n > *len)
                        n = *len;
                if (n == 0)
                        return WIRE_FRAME_MORE;
                if (!grow(f, n))
                        return fail(f, WIRE_ENOMEM);
                memcpy(f->buf + f->got, *bytes, n);
                f->payload = f->buf;
        }
        *bytes += n;
        *len -= n;
        f->got += (uint32_t)n;
        if (f->got < f->length)
                return WIRE_FRAME_MORE;
        f->state = DONE;
        return WIRE_FRAME_PACKET;
}

int wire_frame_feed(struct wire_frame *f, const uint8_t **bytes, size_t *len)
{
        if (f->error != WIRE_OK)
                return f->error;
        if (f->state == DONE) {
                f->state = HEAD;
                f->got = 0;
                f->payload = NULL;
                f->data = NULL;
                f->ndata = 0;
                f->last = false;
        }
        if (f->state == HEAD)
                return *len ? feed_head(f, bytes, len) : WIRE_FRAME_MORE;
        return f->streaming ? feed_stream(f, bytes, len) : feed_body(f, bytes, len);
}
