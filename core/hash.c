/* SPDX-License-Identifier: MIT */
/* The digest of an object. CRC-32 comes from the CRCs of the pieces where they have some. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/compose.h"
#include "core/crc.h"
#include "core/digester.h"
#include "core/local.h"

enum { DIGEST_AHEAD = 4 << 20 };

struct hash {
        struct ri_op *op;
        roma_op child;
        roma_reader *reader;
        struct ri_digester *digester; /* NULL: only the CRC */
        uint64_t bytes;
        uint32_t crc;
        bool end;
};

static void hash_free(struct hash *h)
{
        ri_op_drop(h->op->loop, h->child);
        roma_reader_close(h->reader);
        ri_digester_free(h->digester);
        free(h);
}

static void hash_cancel(struct ri_op *op)
{
        hash_free(op->impl);
}

static void fail_from(struct hash *h, const roma_result *r)
{
        struct ri_op *op = h->op;

        ri_op_fail_from(op, r);
        hash_free(h);
}

static void finish(struct hash *h)
{
        struct ri_str err = RI_STR_INIT(RI_STR_MAX_ERROR);
        struct ri_op *op = h->op;
        char text[RI_DIGEST_HEX_MAX];
        int r = 0;

        if (h->digester)
                r = ri_digester_end(h->digester, text, &err);
        else
                snprintf(text, sizeof text, "%08x", h->crc);
        op->res.bytes = h->bytes;
        op->res.crc32 = h->crc;
        op->res.has_crc32 = 1;
        if (r < 0)
                ri_op_fail(op, ROMA_ESYSTEM, "%s", ri_str_cstr(&err));
        else if (ri_op_set_text(op, text, strlen(text)) == 0)
                ri_op_finish(op);
        ri_str_free(&err);
        hash_free(h);
}

static void got(void *arg, const roma_result *r);

static void more(struct hash *h)
{
        roma_opts opts = ri_child_opts(h->op);
        size_t pending = h->digester ? ri_digester_pending(h->digester) : 0;

        if (h->child)
                return;
        if (h->end) {
                if (!pending)
                        finish(h);
                return;
        }
        if (pending >= DIGEST_AHEAD)
                return;
        h->child = ri_adopt(h->op, roma_aio_reader_next(h->reader, &opts, got, h));
        if (!h->child) {
                ri_fail_start(h->op);
                hash_free(h);
        }
}

static void got(void *arg, const roma_result *r)
{
        struct hash *h = arg;
        const void *p;
        size_t n;

        h->child = 0;
        if (r->code) {
                fail_from(h, r);
                return;
        }
        ri_op_progress(h->op);
        h->end = !r->buf;
        if (r->buf) {
                p = roma_buf_data(r->buf);
                n = roma_buf_len(r->buf);
                h->crc = r->has_crc32 ? ri_crc32_combine(h->crc, r->crc32, n) : ri_crc32(h->crc, p, n);
                h->bytes += n;
                if (h->digester && ri_digester_feed(h->digester, p, n) < 0) {
                        struct ri_op *op = h->op;

                        roma_buf_unref(r->buf);
                        ri_op_fail(op, ROMA_ENOMEM, "out of memory");
                        hash_free(h);
                        return;
                }
                roma_buf_unref(r->buf);
        }
        more(h);
}

static void moved(void *arg)
{
        struct hash *h = arg;

        ri_op_progress(h->op);
        more(h);
}

static void opened(void *arg, const roma_result *r)
{
        struct hash *h = arg;

        h->child = 0;
        if (r->code) {
                fail_from(h, r);
                return;
        }
        h->reader = r->reader;
        more(h);
}

static int digester_start(struct hash *h, int algorithm)
{
        struct ri_str err = RI_STR_INIT(RI_STR_MAX_ERROR);

        if (algorithm == ROMA_CRC32)
                return 0;
        h->digester =
                ri_digester_new(h->op->loop, algorithm == ROMA_MD5 ? RI_MD5 : RI_SHA256, moved, h, &err);
        if (!h->digester)
                ri_op_fail(h->op, ROMA_ESYSTEM, "%s", ri_str_cstr(&err));
        ri_str_free(&err);
        return h->digester ? 0 : -1;
}

roma_op ri_aio_hash_range(roma_store *store, const char *key, uint64_t offset, uint64_t length, int algorithm,
                          const roma_opts *opts, roma_done *done, void *arg)
{
        roma_reader_opts ro = ROMA_READER_OPTS_INIT;
        struct ri_op *op;
        struct hash *h;

        if (ri_loop_enter(store->loop) < 0 || ri_key_check(store, "hash", key) < 0)
                return 0;
        op = ri_op_new(store->loop, store, RI_TRANSFER, "hash", key, opts, done, arg);
        if (!op)
                return 0;
        if (algorithm != ROMA_MD5 && algorithm != ROMA_SHA256 && algorithm != ROMA_CRC32) {
                ri_op_fail(op, ROMA_EINVAL, "there is no such algorithm; MD5, SHA256 and CRC32 are");
                return op->id;
        }
        h = calloc(1, sizeof *h);
        if (!h) {
                ri_op_fail(op, ROMA_ENOMEM, "out of memory");
                return op->id;
        }
        h->op = op;
        ri_compose(op, h, hash_cancel);
        if (digester_start(h, algorithm) < 0) {
                free(h);
                return op->id;
        }
        ro.stall_ms = op->stall_ms;
        ro.deadline_ms = ROMA_NEVER;
        ro.offset = offset;
        ro.length = length;
        h->child = ri_adopt(op, roma_aio_reader_open(store, key, &ro, opened, h));
        if (!h->child) {
                ri_fail_start(op);
                hash_free(h);
        }
        return op->id;
}

roma_op roma_aio_hash(roma_store *store, const char *key, int algorithm, const roma_opts *opts,
                      roma_done *done, void *arg)
{
        return ri_aio_hash_range(store, key, 0, ROMA_SIZE_UNKNOWN, algorithm, opts, done, arg);
}

int roma_hash(roma_store *store, const char *key, int algorithm, const roma_opts *opts)
{
        struct ri_wait w;

        if (ri_wait_begin(&w, store->loop) < 0)
                return -1;
        return ri_wait(&w, roma_aio_hash(store, key, algorithm, opts, ri_wait_done, &w));
}
