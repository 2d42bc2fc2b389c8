/* SPDX-License-Identifier: MIT */
/* A reader over what has no length and no offsets: a pipe, a terminal, a device. One piece at a time, in the order in
 * which it comes. */
#include <stdlib.h>

#include "core/compose.h"
#include "core/reader.h"

enum { STREAM_PIECE = 256 * 1024 };

struct stream_reader {
        roma_reader base;
        roma_file *file;
        struct ri_buf_wait wait;
        roma_buf *buf;
        roma_op child;
        bool waiting, ready, end, has_crc;
        uint32_t crc;
        struct ri_error error; /* code 0: none */
};

static void give(struct stream_reader *r)
{
        struct ri_op *op = r->base.next;

        if (!op || !r->ready)
                return;
        op->cancel = NULL;
        if (r->error.code) {
                ri_op_fail_error(op, &r->error);
                return;
        }
        if (r->end) {
                ri_op_finish(op);
                return;
        }
        r->ready = false;
        op->res.buf = r->buf;
        op->res.bytes = r->buf->len;
        op->res.has_crc32 = r->has_crc;
        op->res.crc32 = r->crc;
        r->buf = NULL;
        ri_op_finish(op);
}

static void came(void *arg, const roma_result *res)
{
        struct stream_reader *r = arg;

        r->child = 0;
        r->ready = true;
        if (res->code)
                ri_error_from(&r->error, res);
        r->end = res->bytes == 0;
        r->has_crc = res->has_crc32;
        r->crc = res->crc32;
        if (r->end || res->code) {
                roma_buf_unref(r->buf);
                r->buf = NULL;
        }
        give(r);
}

static void buf_ready(struct ri_buf_wait *w, roma_buf *buf)
{
        struct stream_reader *r = ri_container_of(w, struct stream_reader, wait);
        /* Whoever asks for the next piece has limits; the piece itself comes when it comes. */
        const roma_opts o = { sizeof(o), ROMA_NEVER, ROMA_NEVER };

        r->waiting = false;
        r->buf = buf;
        if (buf)
                r->child = ri_aio_read_buf(r->file, buf, STREAM_PIECE, 0, &o, came, r);
        if (r->child)
                return;
        ri_error_set(&r->error, ROMA_ENOMEM, NULL, "no memory for a piece of the stream");
        r->ready = true;
        give(r);
}

/* What is being read goes on: its bytes are gone from the pipe. The next who asks gets them. */
static void next_cancel(struct ri_op *op)
{
        (void)op;
}

static void sr_next(struct ri_op *op, roma_reader *base)
{
        struct stream_reader *r = ri_container_of(base, struct stream_reader, base);

        op->cancel = next_cancel;
        op->patient = true;
        ri_op_waits(op, "data from the other end", NULL);
        if (!r->ready && !r->waiting && !r->child) {
                r->waiting = true;
                r->wait.ready = buf_ready;
                ri_buf_get(r->base.loop, &r->wait, STREAM_PIECE, true);
        }
        give(r);
}

static void sr_close(roma_reader *base, bool now)
{
        struct stream_reader *r = ri_container_of(base, struct stream_reader, base);

        if (r->waiting)
                ri_buf_cancel(&r->wait);
        ri_op_drop(base->loop, r->child);
        roma_buf_unref(r->buf);
        if (now || !ri_file_end(r->file))
                ri_file_drop(r->file);
        ri_reader_fini(base);
        free(r);
}

static const struct ri_reader_ops stream_reader_ops = { .next = sr_next, .close = sr_close };

roma_reader *ri_stream_reader(roma_file *file, const roma_attr *attr)
{
        struct stream_reader *r = calloc(1, sizeof(*r));

        if (!r ||
            ri_reader_init(&r->base, &stream_reader_ops, file->store->loop, file->store, file->key) < 0) {
                free(r);
                return NULL;
        }
        r->file = file;
        ri_file_own(file);
        ri_list_init(&r->wait.link);
        r->base.attr = *attr;
        return &r->base;
}
