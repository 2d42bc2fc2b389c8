/* SPDX-License-Identifier: MIT */
/* Comparing every copy of a file with what is known of its source, block by block, by the checksums that the
 * chunkservers keep: complete for what was written, and not a byte of data moves. (Bits that rot later are found by
 * reading, not here.) */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <roma/mfs.h>

#include "mfsproto/store/store.h"

enum { AT_ONCE = 8 };

struct verify;

struct slot {
        struct verify *all;
        roma_op op; /* 0: free */
        size_t chunk, copy;
};

struct verify {
        struct mfs_req *req;
        roma_mfs_map *map;
        const uint32_t *crcs; /* of the source's blocks; the caller's */
        size_t n;
        size_t chunk, copy; /* the next to be asked about */
        unsigned busy, good, unusable, lost_chunks;
        struct slot slot[AT_ONCE];
};

static void verify_release(struct mfs_req *r)
{
        struct verify *v = r->more;

        for (unsigned i = 0; i < AT_ONCE; i++)
                ri_op_drop(r->op->loop, v->slot[i].op);
        roma_mfs_map_unref(v->map);
        free(v);
}

static bool usable(const roma_mfs_copy *copy)
{
        return copy->state == ROMA_MFS_VALID || copy->state == ROMA_MFS_REMOVAL;
}

/* CRC that block `block` of a chunk should have; behind the end of the source: that of zeros. */
static uint32_t wanted(const struct verify *v, size_t chunk, uint64_t block)
{
        uint64_t i = (uint64_t)chunk * ROMA_MFS_BLOCKS + block;

        return block < ROMA_MFS_BLOCKS && i < v->n ? v->crcs[i] : ROMA_MFS_EMPTY_CRC;
}

/* The chunk's block that is block `j` of data part `p` of `parts`: data are dealt out in units of four blocks. */
static uint64_t dealt(uint64_t j, unsigned p, unsigned parts)
{
        return (j / 4 * parts + p) * 4 + j % 4;
}

/* What block j of that copy or part should have. False: there is nothing to compare, it is behind the file's end. */
static bool expected(const struct verify *v, size_t chunk, unsigned part, unsigned j, uint32_t *crc)
{
        unsigned parts = part >= 0x20 ? 8 : 4, p = part & 0x0F;
        uint64_t base = (uint64_t)chunk * ROMA_MFS_BLOCKS, block = j;

        if (part == 0) {
                *crc = wanted(v, chunk, block);
        } else if (p < parts) {
                block = dealt(j, p, parts);
                *crc = wanted(v, chunk, block);
        } else {
                /* The first checksum part is the XOR of the data parts. CRC-32 is affine and the number of parts is even,
                 * so its CRCs are the XOR of theirs and of the CRC of zeros. */
                block = dealt(j, 0, parts);
                *crc = ROMA_MFS_EMPTY_CRC;
                for (unsigned i = 0; i < parts; i++)
                        *crc ^= wanted(v, chunk, dealt(j, i, parts));
        }
        return block < ROMA_MFS_BLOCKS && base + block < v->n;
}

/* Parts beyond the first checksum one are made by another code. */
static bool comparable(unsigned part)
{
        return part == 0 || (part >= 0x10 && part <= 0x14) || (part >= 0x20 && part <= 0x28);
}

static void ask_more(struct verify *v);

static void fail_differs(struct verify *v, const struct slot *s, const roma_mfs_crcs *crcs, unsigned first,
                         unsigned count)
{
        const roma_mfs_chunk *chunk = &v->map->chunk[s->chunk];
        const roma_mfs_copy *copy = &chunk->copy[s->copy];
        uint32_t want = 0;
        struct ri_error *e = &v->req->error;

        expected(v, s->chunk, copy->part, first, &want);
        ri_error_set(e, ROMA_ECORRUPT, copy->server,
                     "the copy of chunk %" PRIu32 " (%016" PRIX64
                     ", part %02X) on %s differs from the source in %u blocks, "
                     "the first is block %u: CRC %08X stored, %08X expected; put the object again",
                     chunk->index, chunk->id, copy->part, copy->server, count, first, crcs->crc[first], want);
        mfs_req_fail(v->req);
}

/* True when it agrees; else the request has failed. */
static bool compare(struct verify *v, const struct slot *s, const roma_mfs_crcs *crcs)
{
        unsigned part = v->map->chunk[s->chunk].copy[s->copy].part, first = 0, count = 0;
        uint32_t want;

        for (unsigned j = 0; j < ROMA_MFS_BLOCKS && comparable(part); j++) {
                if (!expected(v, s->chunk, part, j, &want) || crcs->crc[j] == want)
                        continue;
                if (!count++)
                        first = j;
        }
        if (count)
                fail_differs(v, s, crcs, first, count);
        return count == 0;
}

static void copy_said(void *arg, const roma_result *res)
{
        struct slot *s = arg;
        struct verify *v = s->all;

        s->op = 0;
        v->busy--;
        ri_op_progress(v->req->op);
        if (res->code != ROMA_OK) {
                mfs_req_fail_from(v->req, res);
        } else if (compare(v, s, res->extra)) {
                v->good++;
                ask_more(v);
        }
}

static void finish(struct verify *v)
{
        struct mfs_req *r = v->req;
        char text[160];
        struct ri_op *op;
        int n;

        if (v->lost_chunks) {
                mfs_req_fail_with(r, ROMA_EUNAVAILABLE,
                                  "%u chunks have no usable copy on a server that is there", v->lost_chunks);
                return;
        }
        n = snprintf(text, sizeof(text), "%zu chunks, %u copies agree with the source", v->map->chunks,
                     v->good);
        if (v->unusable)
                snprintf(text + n, sizeof(text) - (size_t)n,
                         ", %u more are out of date or damaged and will be replaced", v->unusable);
        op = mfs_req_end(r);
        if (ri_op_set_text(op, text, strlen(text)) == 0)
                ri_op_finish(op);
}

/* A hole reads as zeros. False: the request has failed. */
static bool check_hole(struct verify *v, size_t chunk)
{
        for (unsigned b = 0; b < ROMA_MFS_BLOCKS; b++) {
                if (wanted(v, chunk, b) == ROMA_MFS_EMPTY_CRC)
                        continue;
                mfs_req_fail_with(v->req, ROMA_ECORRUPT,
                                  "chunk %zu is a hole, which reads as zeros, and the source has data there "
                                  "(block %u); put "
                                  "the object again",
                                  chunk, b);
                return false;
        }
        return true;
}

/* The next usable copy that was not asked yet. 1: *chunk and *copy are it; 0: there is none; -1: failed. */
static int next_copy(struct verify *v, size_t *chunk, size_t *copy)
{
        for (; v->chunk < v->map->chunks; v->chunk++, v->copy = 0) {
                const roma_mfs_chunk *c = &v->map->chunk[v->chunk];
                bool any = false;

                if (v->copy == 0 && c->id == 0 && !check_hole(v, v->chunk))
                        return -1;
                for (size_t i = 0; v->copy == 0 && i < c->copies; i++) {
                        any |= usable(&c->copy[i]);
                        v->unusable += !usable(&c->copy[i]);
                }
                v->lost_chunks += v->copy == 0 && c->id && !any;
                while (v->copy < c->copies) {
                        size_t i = v->copy++;

                        if (!usable(&c->copy[i]))
                                continue;
                        *chunk = v->chunk;
                        *copy = i;
                        return 1;
                }
        }
        return 0;
}

static void ask_more(struct verify *v)
{
        roma_store *store = v->req->op->store;

        for (unsigned i = 0; i < AT_ONCE; i++) {
                struct slot *s = &v->slot[i];
                const roma_mfs_chunk *c;
                int rc;

                if (s->op)
                        continue;
                rc = next_copy(v, &s->chunk, &s->copy);
                if (rc < 0)
                        return;
                if (rc == 0)
                        break;
                c = &v->map->chunk[s->chunk];
                s->op = roma_aio_mfs_replica_crcs(store, &c->copy[s->copy], c->id, c->version, NULL,
                                                  copy_said, s);
                if (!s->op) {
                        mfs_req_fail_with(v->req, ROMA_ENOMEM, "out of memory");
                        return;
                }
                v->busy++;
        }
        if (!v->busy)
                finish(v);
}

static void map_said(struct mfs_req *r, const roma_result *res)
{
        struct verify *v = r->more;

        if (res->code != ROMA_OK) {
                mfs_req_fail_from(r, res);
                return;
        }
        v->map = roma_mfs_map_ref(res->extra);
        if (v->map->length != r->attr.length)
                mfs_req_fail_with(r, ROMA_ECORRUPT, "it has %" PRIu64 " bytes, the source has %" PRIu64,
                                  v->map->length, r->attr.length);
        else
                ask_more(v);
}

void mfs_be_verify_replicas(struct ri_op *op, const char *key, uint64_t length, const uint32_t *crcs,
                            size_t n)
{
        struct mfs_req *r = mfs_req_new(op);
        struct verify *v;

        if (!r)
                return;
        v = calloc(1, sizeof(*v));
        if (!v) {
                mfs_req_fail_with(r, ROMA_ENOMEM, "out of memory");
                return;
        }
        v->req = r;
        v->crcs = crcs;
        v->n = n;
        for (unsigned i = 0; i < AT_ONCE; i++)
                v->slot[i].all = v;
        r->attr.length = length;
        r->more = v;
        r->release = verify_release;
        mfs_req_adopt(r, roma_aio_mfs_chunks(op->store, key, NULL, mfs_req_child_ended, r), map_said);
}
