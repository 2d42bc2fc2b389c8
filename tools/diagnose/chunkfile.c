/* SPDX-License-Identifier: MIT */
/* Chunk files as chunkservers keep them: XX/chunk_<chunk>_<version>.mfs. Header of 1024 or 4096 bytes ("MFSC 1.0" or
 * "MFSC 1.1", chunk, version, zeros), table of 1024 CRCs, whole blocks (checked against files of 3.0.117 and 4.59.2). Nothing in it
 * says how long the header is: chunkservers go by the size of the file (hddspacemgr.c, hdd_chunk_getattr), which a cut makes wrong. */
#include <string.h>

#include "tools/diagnose/diagnose.h"

enum { TABLE = 4 * DG_BLOCKS, OLD_HEADER = 1024, HEADER = 4096, NAME = 35 };

static uint32_t be32(const unsigned char *p)
{
        return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

static bool hex(const char *s, size_t n, uint64_t *value)
{
        *value = 0;
        for (size_t i = 0; i < n; i++) {
                const char *digits = "0123456789ABCDEF", *d = s[i] ? strchr(digits, s[i]) : NULL;
                if (!d)
                        return false;
                *value = *value << 4 | (uint64_t)(d - digits);
        }
        return true;
}

/* chunk_0000000000000012_00000001.mfs */
static void read_name(const char *name, struct dg_chunkfile *out)
{
        uint64_t id, version;

        if (!name || strlen(name) != NAME || strncmp(name, "chunk_", 6) || name[22] != '_' ||
            strcmp(name + 31, ".mfs") || !hex(name + 6, 16, &id) || !hex(name + 23, 8, &version))
                return;
        out->named = true;
        out->name_id = id;
        out->name_version = (uint32_t)version;
}

uint64_t dg_chunkfile_at(const struct dg_chunkfile *cf, uint32_t block)
{
        return (uint64_t)cf->header + TABLE + (uint64_t)block * DG_BLOCK;
}

/* ---- how long the header is ------------------------------------------------------------------------------- */

/* The file while it is not known. */
struct probe {
        dg_read_fn *read;
        void *arg;
        uint64_t size;
        unsigned char *buf; /* of a block */
};

static bool is_whole(const struct probe *p, uint32_t header, uint32_t block)
{
        uint64_t end = (uint64_t)header + TABLE + ((uint64_t)block + 1) * DG_BLOCK;

        return block < DG_BLOCKS && end <= p->size;
}

/* Whether with this header the block has the checksum that the table would have for it. Zeros are everywhere and say nothing. */
static bool fits(const struct probe *p, uint32_t header, uint32_t block)
{
        unsigned char entry[4];
        uint32_t crc;

        if (!is_whole(p, header, block) || p->read(p->arg, entry, sizeof(entry), header + 4 * block) < 0)
                return false;
        crc = be32(entry);
        return crc && crc != DG_EMPTY &&
               p->read(p->arg, p->buf, DG_BLOCK, (uint64_t)header + TABLE + (uint64_t)block * DG_BLOCK) ==
                       0 &&
               dg_crc(p->buf, DG_BLOCK) == crc;
}

/* 0: the blocks do not tell. */
static uint32_t header_by_blocks(const struct probe *p)
{
        for (uint32_t b = 0; is_whole(p, OLD_HEADER, b); b++) {
                bool old = fits(p, OLD_HEADER, b);

                if (old != fits(p, HEADER, b))
                        return old ? OLD_HEADER : HEADER;
        }
        return 0;
}

/* Behind an old header comes the table; a new one goes on with zeros. No block at all: the size is as good. */
static uint32_t header_by_zeros(const struct probe *p)
{
        if (p->size <= OLD_HEADER + TABLE || p->read(p->arg, p->buf, HEADER - OLD_HEADER, OLD_HEADER) < 0)
                return 0;
        if (dg_is_zero(p->buf, HEADER - OLD_HEADER))
                return HEADER;
        for (uint32_t at = 0; at < HEADER - OLD_HEADER; at += 4)
                if (be32(p->buf + at) == DG_EMPTY)
                        return OLD_HEADER;
        return 0;
}

/* 0: it cannot be told. The size of a whole old file is no size that a disk cuts a file to, and its table may never have been
 * written: then there are zeros as behind a new header. Of what has not even a table there is nothing to tell. */
static uint32_t header_of(const struct probe *p)
{
        uint64_t rest = p->size >= TABLE ? (p->size - TABLE) % DG_BLOCK : 0;
        uint32_t header = header_by_blocks(p);

        if (!header && rest == OLD_HEADER)
                header = OLD_HEADER;
        if (!header)
                header = header_by_zeros(p);
        if (!header && (rest == HEADER || p->size <= OLD_HEADER + TABLE))
                header = HEADER;
        return header;
}

static void measure(struct dg_chunkfile *out)
{
        uint64_t data;

        if (!out->header) {
                out->problems |= DG_CF_START | DG_CF_SIZE;
                return;
        }
        if (out->size <= out->header + TABLE) {
                if (out->size < out->header + TABLE)
                        out->problems |= DG_CF_EMPTY | DG_CF_SIZE;
                return;
        }
        data = out->size - out->header - TABLE;
        out->rest = (uint32_t)(data % DG_BLOCK);
        data /= DG_BLOCK;
        if (out->rest)
                out->problems |= DG_CF_SIZE;
        if (data > DG_BLOCKS || (data == DG_BLOCKS && out->rest)) {
                out->problems |= DG_CF_SIZE;
                out->rest = 0;
                data = DG_BLOCKS;
        }
        out->blocks = (uint32_t)data;
}

/* ---- what it says ----------------------------------------------------------------------------------------- */

static void read_header(const unsigned char *h, size_t n, struct dg_chunkfile *out)
{
        if (n < 20) {
                out->problems |= DG_CF_SIGNATURE;
                return;
        }
        for (unsigned i = 0; i < 8; i++)
                out->signature[i] = h[i] >= 0x20 && h[i] < 0x7f ? (char)h[i] : '?';
        if (memcmp(h, "MFSC 1.0", 8) && memcmp(h, "MFSC 1.1", 8))
                out->problems |= DG_CF_SIGNATURE;
        out->id = (uint64_t)be32(h + 8) << 32 | be32(h + 12);
        out->version = be32(h + 16);
        if (out->named && out->id != out->name_id)
                out->problems |= DG_CF_NAME_ID;
        if (out->named && out->version != out->name_version)
                out->problems |= DG_CF_NAME_VERSION;
        if (!dg_is_zero(h + 20, n - 20))
                out->problems |= DG_CF_HEADER;
        out->part = (uint8_t)(out->id >> 56);
        if (out->named && out->part != out->name_id >> 56)
                out->problems |= DG_CF_PART;
}

/* A part that was taken for a chunk would be silent corruption: in doubt its blocks have no place. */
static void check_part(struct dg_chunkfile *out)
{
        struct dg_part part;

        if (out->part && (!dg_part(out->part, &part) || out->blocks + !!out->rest > dg_part_blocks(&part)))
                out->problems |= DG_CF_PART;
}

static void read_table(const unsigned char *t, struct dg_chunkfile *out)
{
        for (uint32_t b = 0; b < DG_BLOCKS; b++) {
                out->crc[b] = be32(t + 4 * b);
                /* Files of the older kind hold 0 for what was never there. */
                if (b >= out->blocks + !!out->rest && out->crc[b] != DG_EMPTY && out->crc[b] != 0)
                        out->problems |= DG_CF_TABLE;
        }
}

static void check_block(struct dg_chunkfile *out, uint32_t b, const unsigned char *bytes, size_t n)
{
        out->real[b] = dg_crc_padded(bytes, n);
        out->seen[b] = DG_GOOD;
        if (out->real[b] == out->crc[b])
                return;
        out->seen[b] = DG_BAD;
        out->bit[b] = n == DG_BLOCK ? dg_one_bit(out->real[b], out->crc[b]) : -1;
        out->one_bit += out->bit[b] >= 0;
        out->problems |= DG_CF_BLOCK;
        out->bad++;
}

void dg_chunkfile(const char *name, uint64_t size, dg_read_fn *read, void *arg, struct dg_chunkfile *out)
{
        unsigned char buf[DG_BLOCK];
        const struct probe probe = { read, arg, size, buf };
        uint64_t have;

        memset(out, 0, sizeof(*out));
        for (uint32_t b = 0; b < DG_BLOCKS; b++) {
                out->crc[b] = out->real[b] = DG_EMPTY;
                out->bit[b] = -1;
        }
        out->size = size;
        read_name(name, out);
        out->part = out->named ? (uint8_t)(out->name_id >> 56) : 0;
        out->header = header_of(&probe);
        measure(out);
        have = out->header ? out->header : OLD_HEADER;
        have = size < have ? size : have;
        if (read(arg, buf, (size_t)have, 0) < 0) {
                out->problems |= DG_CF_READ;
                return;
        }
        read_header(buf, (size_t)have, out);
        check_part(out);
        if (!out->header || size < out->header + TABLE)
                return;
        if (read(arg, buf, TABLE, out->header) < 0) {
                out->problems |= DG_CF_READ;
                return;
        }
        read_table(buf, out);
        for (uint32_t b = 0; b < out->blocks + !!out->rest; b++) {
                size_t n = b < out->blocks ? DG_BLOCK : out->rest;
                if (read(arg, buf, n, dg_chunkfile_at(out, b)) < 0)
                        out->problems |= DG_CF_READ;
                else
                        check_block(out, b, buf, n);
        }
}
