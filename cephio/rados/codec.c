/* SPDX-License-Identifier: MIT */
/* See codec.h. Encoders write into memory of a known size; decoders read through a cursor whose every step checks what
 * is left, and whose failure sticks. */
#include "cephio/rados/codec.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/crc.h"

enum { VERSION = 1, SEGMENT_BYTES = 28, SEGMENTS_FRAME = 12 };

/* Writing */

static uint8_t *put_n(uint8_t *p, uint64_t v, int n)
{
        for (int i = 0; i < n; i++)
                p[i] = (uint8_t)(v >> (8 * i));
        return p + n;
}

static uint8_t *put_bytes(uint8_t *p, const void *from, size_t n)
{
        if (n)
                memcpy(p, from, n);
        return p + n;
}

static uint8_t *put_magic(uint8_t *p, const char *two)
{
        p = put_bytes(p, two, 2);
        *p++ = VERSION;
        return p;
}

static size_t seal(uint8_t *begin, uint8_t *p)
{
        size_t n = (size_t)(p - begin);

        put_n(p, ri_crc32(0, begin, n), 4);
        return n + 4;
}

/* Reading */

struct cursor {
        const uint8_t *p;
        size_t left;
        bool bad;
};

static const uint8_t *take(struct cursor *c, size_t n)
{
        const uint8_t *p = c->p;

        if (c->bad || c->left < n) {
                c->bad = true;
                return NULL;
        }
        c->p += n;
        c->left -= n;
        return p;
}

static uint64_t get_n(struct cursor *c, int n)
{
        const uint8_t *p = take(c, (size_t)n);
        uint64_t v = 0;

        for (int i = 0; p && i < n; i++)
                v |= (uint64_t)p[i] << (8 * i);
        return v;
}

static void get_bytes(struct cursor *c, void *to, size_t n)
{
        const uint8_t *p = take(c, n);

        if (p)
                memcpy(to, p, n);
}

/* Magic, version and CRC; the cursor then holds what is between. */
static int open_record(const void *bytes, size_t n, const char *two, struct cursor *c, const char **why)
{
        const uint8_t *p = bytes;
        struct cursor end;

        if (n < 7 || memcmp(p, two, 2) != 0) {
                *why = "it is no record of libroma";
                return -1;
        }
        if (p[2] != VERSION) {
                *why = "a newer libroma has written it; this one does not know that version";
                return -1;
        }
        end = (struct cursor){ p + n - 4, 4, false };
        if (get_n(&end, 4) != ri_crc32(0, p, n - 4)) {
                *why = "its checksum is wrong";
                return -1;
        }
        *c = (struct cursor){ p + 3, n - 7, false };
        return 0;
}

static int close_record(const struct cursor *c, const char **why)
{
        if (!c->bad && c->left == 0)
                return 0;
        *why = "its length is wrong";
        return -1;
}

static int senseless(const char **why)
{
        *why = "its fields make no sense";
        return -1;
}

/* Heads */

void rad_head_encode(const struct rad_head *h, uint8_t out[RAD_HEAD_BYTES])
{
        uint8_t *p = put_magic(out, "RH");

        memset(p, 0, (size_t)(out + RAD_HEAD_BYTES - p));
        *p++ = 0;
        p = put_n(p, h->flags, 4);
        p = put_n(p, h->size, 8);
        p = put_n(p, (uint64_t)h->mtime_ns, 8);
        p = put_n(p, (uint64_t)h->atime_ns, 8);
        p = put_n(p, h->mode, 4);
        p = put_n(p, h->uid, 4);
        p = put_n(p, h->gid, 4);
        p = put_n(p, h->crc, 4);
        p = put_n(p, h->list_bytes, 4);
        p = put_bytes(p, h->rev, RAD_ID);
        put_bytes(p, h->content, RAD_ID);
        seal(out, out + RAD_HEAD_BYTES - 4);
}

int rad_head_decode(const void *bytes, size_t n, struct rad_head *h, const char **why)
{
        struct cursor c;

        if (open_record(bytes, n, "RH", &c, why) < 0)
                return -1;
        get_n(&c, 1);
        h->flags = (uint32_t)get_n(&c, 4);
        h->size = get_n(&c, 8);
        h->mtime_ns = (int64_t)get_n(&c, 8);
        h->atime_ns = (int64_t)get_n(&c, 8);
        h->mode = (uint32_t)get_n(&c, 4);
        h->uid = (uint32_t)get_n(&c, 4);
        h->gid = (uint32_t)get_n(&c, 4);
        h->crc = (uint32_t)get_n(&c, 4);
        h->list_bytes = (uint32_t)get_n(&c, 4);
        get_bytes(&c, h->rev, RAD_ID);
        get_bytes(&c, h->content, RAD_ID);
        take(&c, RAD_HEAD_BYTES - 4 - 84); /* room for what a later version adds */
        if (close_record(&c, why) < 0)
                return -1;
        if (h->flags & ~(uint32_t)RAD_HEAD_SEGMENTS || h->size > INT64_MAX || h->mode & ~(uint32_t)07777 ||
            h->list_bytes > rad_segments_bytes(RAD_MAX_SEGMENTS) ||
            (h->list_bytes != 0) != (h->flags & RAD_HEAD_SEGMENTS) ||
            (h->list_bytes == 0 && h->size > RAD_INLINE_MAX))
                return senseless(why);
        return 0;
}

/* Segments */

size_t rad_segments_bytes(size_t n)
{
        return SEGMENTS_FRAME + n * SEGMENT_BYTES;
}

void rad_segments_encode(const struct rad_segment *s, size_t n, uint8_t *out)
{
        uint8_t *p = put_magic(out, "RM");

        *p++ = 0;
        p = put_n(p, n, 4);
        for (size_t i = 0; i < n; i++) {
                p = put_bytes(p, s[i].gen, RAD_ID);
                p = put_n(p, s[i].length, 8);
                p = put_n(p, s[i].piece_size, 4);
        }
        seal(out, p);
}

static bool segment_fits(const struct rad_segment *s, uint64_t left)
{
        return s->length > 0 && s->length <= left && s->piece_size >= RAD_MIN_PIECE &&
               s->piece_size <= RAD_MAX_PIECE && (s->length - 1) / s->piece_size < UINT32_MAX;
}

int rad_segments_decode(const void *bytes, size_t n, uint64_t size, struct rad_segment **out, size_t *count,
                        const char **why)
{
        struct rad_segment *s;
        struct cursor c;
        uint64_t left = size;
        size_t k;

        if (open_record(bytes, n, "RM", &c, why) < 0)
                return -1;
        get_n(&c, 1);
        k = (size_t)get_n(&c, 4);
        if (c.bad || k == 0 || k > RAD_MAX_SEGMENTS || c.left != k * SEGMENT_BYTES)
                return senseless(why);
        s = calloc(k, sizeof(*s));
        if (!s) {
                *why = "there is no memory for it";
                return -1;
        }
        for (size_t i = 0; i < k; i++) {
                get_bytes(&c, s[i].gen, RAD_ID);
                s[i].length = get_n(&c, 8);
                s[i].piece_size = (uint32_t)get_n(&c, 4);
                if (!segment_fits(&s[i], left)) {
                        free(s);
                        return senseless(why);
                }
                left -= s[i].length;
        }
        if (left) {
                free(s);
                *why = "its segments do not add up to the size of the object";
                return -1;
        }
        *out = s;
        *count = k;
        return 0;
}

/* Entries of the index */

void rad_entry_encode(const struct rad_entry *e, uint8_t out[RAD_ENTRY_BYTES])
{
        uint8_t *p = put_magic(out, "RI");

        memset(p, 0, (size_t)(out + RAD_ENTRY_BYTES - p));
        *p++ = e->pending;
        p = put_bytes(p, e->tag, sizeof(e->tag));
        p = put_n(p, e->size, 8);
        p = put_n(p, (uint64_t)e->mtime_ns, 8);
        p = put_n(p, e->mode, 4);
        put_bytes(p, e->content, RAD_ID);
        seal(out, out + RAD_ENTRY_BYTES - 4);
}

int rad_entry_decode(const void *bytes, size_t n, struct rad_entry *e, const char **why)
{
        struct cursor c;
        uint64_t pending;

        if (open_record(bytes, n, "RI", &c, why) < 0)
                return -1;
        pending = get_n(&c, 1);
        get_bytes(&c, e->tag, sizeof(e->tag));
        e->size = get_n(&c, 8);
        e->mtime_ns = (int64_t)get_n(&c, 8);
        e->mode = (uint32_t)get_n(&c, 4);
        get_bytes(&c, e->content, RAD_ID);
        take(&c, RAD_ENTRY_BYTES - 4 - 48);
        if (close_record(&c, why) < 0)
                return -1;
        if (pending > 1 || e->size > INT64_MAX)
                return senseless(why);
        e->pending = pending;
        return 0;
}

/* Entries of the gc objects */

size_t rad_gc_encode(const struct rad_gc *g, uint8_t out[RAD_GC_MAX])
{
        uint8_t *p = put_magic(out, "RG");

        *p++ = g->state;
        p = put_n(p, (uint64_t)g->time_ns, 8);
        p = put_n(p, g->piece_size, 4);
        p = put_n(p, g->pieces, 4);
        p = put_n(p, g->key_len, 2);
        p = put_bytes(p, g->key, g->key_len);
        return seal(out, p);
}

int rad_gc_decode(const void *bytes, size_t n, struct rad_gc *g, const char **why)
{
        struct cursor c;

        if (open_record(bytes, n, "RG", &c, why) < 0)
                return -1;
        g->state = (uint8_t)get_n(&c, 1);
        g->time_ns = (int64_t)get_n(&c, 8);
        g->piece_size = (uint32_t)get_n(&c, 4);
        g->pieces = (uint32_t)get_n(&c, 4);
        g->key_len = (size_t)get_n(&c, 2);
        g->key = (const char *)take(&c, g->key_len);
        if (close_record(&c, why) < 0)
                return -1;
        if (g->state < RAD_GC_UPLOADING || g->state > RAD_GC_DEAD || g->key_len == 0 ||
            g->key_len > RAD_KEY_MAX || memchr(g->key, 0, g->key_len) || g->piece_size < RAD_MIN_PIECE ||
            g->piece_size > RAD_MAX_PIECE)
                return senseless(why);
        return 0;
}

/* The layout */

void rad_layout_encode(const struct rad_layout *l, uint8_t out[RAD_LAYOUT_BYTES])
{
        uint8_t *p = put_magic(out, "RL");

        memset(p, 0, (size_t)(out + RAD_LAYOUT_BYTES - p));
        *p++ = 0;
        put_n(p, l->shards, 4);
        seal(out, out + RAD_LAYOUT_BYTES - 4);
}

int rad_layout_decode(const void *bytes, size_t n, struct rad_layout *l, const char **why)
{
        struct cursor c;

        if (open_record(bytes, n, "RL", &c, why) < 0)
                return -1;
        get_n(&c, 1);
        l->shards = (uint32_t)get_n(&c, 4);
        take(&c, RAD_LAYOUT_BYTES - 4 - 8);
        if (close_record(&c, why) < 0)
                return -1;
        return l->shards && l->shards <= RAD_MAX_SHARDS ? 0 : senseless(why);
}

uint32_t rad_shard(const char *key, size_t len, uint32_t shards)
{
        uint32_t h = 2166136261u;

        for (size_t i = 0; i < len; i++)
                h = (h ^ (unsigned char)key[i]) * 16777619u;
        return h % shards;
}

/* Names */

void rad_hex(const uint8_t id[RAD_ID], char out[RAD_HEX])
{
        static const char digits[] = "0123456789abcdef";

        for (int i = 0; i < RAD_ID; i++) {
                out[2 * i] = digits[id[i] >> 4];
                out[2 * i + 1] = digits[id[i] & 15];
        }
        out[RAD_HEX - 1] = '\0';
}

static int digit(char c)
{
        if (c >= '0' && c <= '9')
                return c - '0';
        return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

bool rad_unhex(const char *p, size_t n, uint8_t id[RAD_ID])
{
        if (n != RAD_HEX - 1)
                return false;
        for (int i = 0; i < RAD_ID; i++) {
                int high = digit(p[2 * i]), low = digit(p[2 * i + 1]);

                if (high < 0 || low < 0)
                        return false;
                id[i] = (uint8_t)(high << 4 | low);
        }
        return true;
}

void rad_head_name(const char *key, char out[RAD_NAME_MAX])
{
        snprintf(out, RAD_NAME_MAX, "h/%s", key);
}

void rad_piece_name(const uint8_t gen[RAD_ID], uint32_t index, char out[RAD_NAME_MAX])
{
        char hex[RAD_HEX];

        rad_hex(gen, hex);
        snprintf(out, RAD_NAME_MAX, "d/%s/%08x", hex, index);
}

void rad_index_name(uint32_t shard, char out[RAD_NAME_MAX])
{
        snprintf(out, RAD_NAME_MAX, "i/%04x", shard);
}

void rad_gc_shard_name(uint32_t shard, char out[RAD_NAME_MAX])
{
        snprintf(out, RAD_NAME_MAX, "g/%02x", shard);
}

void rad_gc_name(const uint8_t gen[RAD_ID], char out[RAD_NAME_MAX])
{
        rad_gc_shard_name(gen[0] % RAD_GC_SHARDS, out);
}
