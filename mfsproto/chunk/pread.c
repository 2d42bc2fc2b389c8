/* SPDX-License-Identifier: MIT */
/* A read: clipped at the length of the file, cut at chunk borders and, when it is long, into pieces that are fetched
 * from several servers at once. */
#include "mfsproto/chunk/reads.h"

#include <stdlib.h>

static void read_free(struct mfs_read *rd)
{
        struct mfs_inode *ino = rd->ino;

        mfs_turn_leave(&rd->turn);
        mfs_getlen_cancel(&rd->getlen);
        while (!ri_list_empty(&rd->pieces))
                mfs_piece_free(ri_list_entry(ri_list_pop(&rd->pieces), struct mfs_piece, link));
        free(rd->iov);
        free(rd);
        mfs_inode_put(ino);
}

static void read_cancel(struct ri_op *op)
{
        read_free(op->impl);
}

void mfs_read_fail(struct mfs_read *rd, const struct ri_error *e)
{
        struct ri_op *op = rd->op;
        struct ri_error copy = *e;

        op->impl = NULL;
        read_free(rd);
        ri_op_fail_error(op, &copy);
}

static uint32_t crc_of(const struct mfs_read *rd, size_t len)
{
        uint32_t crc = 0;

        for (int i = 0; i < rd->n && len > 0; i++) {
                size_t take = rd->iov[i].iov_len < len ? rd->iov[i].iov_len : len;

                crc = ri_crc32(crc, rd->iov[i].iov_base, take);
                len -= take;
        }
        return crc;
}

static void read_end(struct mfs_read *rd)
{
        struct mfs_inode *ino = rd->ino;
        struct ri_op *op = rd->op;
        size_t len = rd->end > rd->offset ? (size_t)(rd->end - rd->offset) : 0;

        op->res.bytes = len;
        op->res.crc32 = rd->told == rd->end || len == 0 ? rd->crc : crc_of(rd, len);
        op->res.has_crc32 = 1;
        if (len == 0)
                op->res.crc32 = 0;
        op->impl = NULL;
        ino->refs++;
        read_free(rd);
        mfs_op_finish(ino, op);
        mfs_inode_put(ino);
}

/* The done ones at the front are put together. */
static void fold(struct mfs_read *rd)
{
        while (!ri_list_empty(&rd->pieces)) {
                struct mfs_piece *p = ri_list_entry(ri_list_first(&rd->pieces), struct mfs_piece, link);

                if (!p->done)
                        return;
                rd->crc = ri_crc32_combine(rd->crc, p->crc, p->size);
                rd->told += p->size;
                ri_list_del(&p->link);
                mfs_piece_free(p);
        }
}

static bool start_piece(struct mfs_read *rd)
{
        struct mfs_piece *p = calloc(1, sizeof *p);
        uint64_t left = rd->end - rd->next;
        uint32_t room;

        if (!p)
                return false;
        p->rd = rd;
        p->index = (uint32_t)(rd->next >> WIRE_CHUNK_BITS);
        p->from = (uint32_t)(rd->next & (WIRE_CHUNK_SIZE - 1));
        room = (uint32_t)WIRE_CHUNK_SIZE - p->from;
        p->size = left < room ? (uint32_t)left : room;
        if (p->size > rd->piece_size) {
                /* up to a block's border */
                uint32_t to = (p->from + (uint32_t)rd->piece_size) / WIRE_BLOCK_SIZE * WIRE_BLOCK_SIZE;

                p->size = to - p->from;
        }
        rd->next += p->size;
        rd->active++;
        ri_list_add_tail(&rd->pieces, &p->link);
        mfs_piece_start(p);
        return true;
}

/* Pieces may be done or fail only from the loop, never inside mfs_piece_start(). */
static void go_on(struct mfs_read *rd)
{
        while (rd->active < MFS_PIECES && rd->next < rd->end) {
                if (!start_piece(rd)) {
                        if (rd->active == 0)
                                mfs_read_fail(rd, &(struct ri_error){ .code = ROMA_ENOMEM,
                                                                      .text = "out of memory" });
                        return;
                }
        }
        if (rd->active == 0)
                read_end(rd);
}

void mfs_read_piece_done(struct mfs_piece *p)
{
        struct mfs_read *rd = p->rd;
        uint64_t length = mfs_inode_length(rd->ino);

        p->done = true;
        rd->active--;
        /* somebody has made the file shorter meanwhile */
        if (rd->end > length)
                rd->end = length > rd->offset ? length : rd->offset;
        fold(rd);
        go_on(rd);
}

static void begin(struct mfs_read *rd, uint64_t want)
{
        uint64_t length = mfs_inode_length(rd->ino);
        size_t all;

        rd->end = want;
        if (rd->end > length)
                rd->end = length > rd->offset ? length : rd->offset;
        rd->next = rd->told = rd->offset;
        all = (size_t)(rd->end - rd->offset);
        /* short ones are not worth several requests, long ones keep several servers busy */
        rd->piece_size = all / MFS_PIECES;
        if (rd->piece_size < 1u << 20)
                rd->piece_size = 1u << 20;
        if (rd->piece_size > 8u << 20)
                rd->piece_size = 8u << 20;
        go_on(rd);
}

static void length_known(struct mfs_getlen *g, const struct ri_error *e)
{
        struct mfs_read *rd = ri_container_of(g, struct mfs_read, getlen);

        if (e)
                mfs_read_fail(rd, e);
        else
                begin(rd, rd->offset + mfs_iov_len(rd->iov, rd->n));
}

static void read_turn(struct mfs_turn *t)
{
        struct mfs_read *rd = ri_container_of(t, struct mfs_read, turn);
        size_t len = mfs_iov_len(rd->iov, rd->n);
        uint64_t want = rd->offset > UINT64_MAX - len ? UINT64_MAX : rd->offset + len;

        /* Behind the known end there may be more by now. */
        if (want > mfs_inode_length(rd->ino)) {
                rd->getlen.done = length_known;
                mfs_getlen_start(&rd->getlen, rd->ino, rd->op);
        } else {
                begin(rd, want);
        }
}

void mfs_inode_read(struct ri_op *op, struct mfs_inode *ino, const struct iovec *iov, int n, uint64_t offset)
{
        size_t len;
        struct iovec *copy = mfs_iov_copy(op, iov, n, &len);
        struct mfs_read *rd;

        if (!copy)
                return;
        if (len == 0 || offset > UINT64_MAX - len) {
                free(copy);
                op->res.has_crc32 = 1;
                ri_op_finish(op);
                return;
        }
        rd = calloc(1, sizeof *rd);
        if (!rd) {
                free(copy);
                ri_op_fail(op, ROMA_ENOMEM, "out of memory");
                return;
        }
        rd->op = op;
        rd->ino = ino;
        rd->iov = copy;
        rd->n = n;
        rd->offset = offset;
        ri_list_init(&rd->pieces);
        ino->refs++;
        op->impl = rd;
        op->cancel = read_cancel;
        mfs_turn_take(ino, &rd->turn, read_turn);
}
