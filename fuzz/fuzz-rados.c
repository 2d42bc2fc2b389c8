/* SPDX-License-Identifier: MIT */
/* The records of the RADOS store: any bytes are refused with a reason, or say the same when written and read again. The
 * first byte picks the record; its highest bit has the checksum put right, for no input gets by that by chance. */
#include "cephio/rados/codec.h"
#include "core/crc.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(int condition)
{
        if (!condition)
                abort();
}

static void seal(uint8_t *p, size_t n)
{
        uint32_t crc;

        if (n < 4)
                return;
        crc = ri_crc32(0, p, n - 4);
        for (int i = 0; i < 4; i++)
                p[n - 4 + (size_t)i] = (uint8_t)(crc >> (8 * i));
}

static int head(const uint8_t *p, size_t n, const char **why)
{
        uint8_t again[RAD_HEAD_BYTES];
        struct rad_head a, b;

        if (rad_head_decode(p, n, &a, why) < 0)
                return -1;
        rad_head_encode(&a, again);
        must(rad_head_decode(again, sizeof(again), &b, why) == 0);
        must(a.flags == b.flags && a.size == b.size && a.mtime_ns == b.mtime_ns && a.atime_ns == b.atime_ns);
        must(a.mode == b.mode && a.uid == b.uid && a.gid == b.gid && a.crc == b.crc);
        must(a.list_bytes == b.list_bytes && memcmp(a.rev, b.rev, RAD_ID) == 0);
        must(memcmp(a.content, b.content, RAD_ID) == 0);
        return 0;
}

/* The first 8 bytes are the size that the head tells. */
static int segments(const uint8_t *p, size_t n, const char **why)
{
        struct rad_segment *s;
        uint64_t size = 0, sum = 0;
        uint8_t *again;
        size_t count;

        if (n < 8)
                return *why = "short", -1;
        memcpy(&size, p, 8);
        if (rad_segments_decode(p + 8, n - 8, size, &s, &count, why) < 0)
                return -1;
        must(count > 0 && count <= RAD_MAX_SEGMENTS);
        for (size_t i = 0; i < count; i++)
                sum += s[i].length;
        must(sum == size);
        again = malloc(rad_segments_bytes(count));
        must(again != NULL);
        rad_segments_encode(s, count, again);
        must(rad_segments_bytes(count) == n - 8);
        free(again);
        free(s);
        return 0;
}

static int entry(const uint8_t *p, size_t n, const char **why)
{
        uint8_t again[RAD_ENTRY_BYTES];
        struct rad_entry a, b;

        if (rad_entry_decode(p, n, &a, why) < 0)
                return -1;
        rad_entry_encode(&a, again);
        must(rad_entry_decode(again, sizeof(again), &b, why) == 0);
        must(a.pending == b.pending && a.size == b.size && a.mtime_ns == b.mtime_ns && a.mode == b.mode);
        must(memcmp(a.tag, b.tag, sizeof(a.tag)) == 0 && memcmp(a.content, b.content, RAD_ID) == 0);
        return 0;
}

static int collected(const uint8_t *p, size_t n, const char **why)
{
        uint8_t again[RAD_GC_MAX];
        struct rad_gc a;

        if (rad_gc_decode(p, n, &a, why) < 0)
                return -1;
        must(a.key_len > 0 && a.key_len <= RAD_KEY_MAX);
        must(rad_gc_encode(&a, again) == n && memcmp(again, p, n) == 0);
        return 0;
}

static int layout(const uint8_t *p, size_t n, const char **why)
{
        struct rad_layout l;

        if (rad_layout_decode(p, n, &l, why) < 0)
                return -1;
        must(l.shards > 0 && l.shards <= RAD_MAX_SHARDS);
        must(rad_shard((const char *)p, n, l.shards) < l.shards);
        return 0;
}

static void hex(const uint8_t *p, size_t n)
{
        uint8_t id[RAD_ID];
        char text[RAD_HEX];

        if (!rad_unhex((const char *)p, n, id))
                return;
        rad_hex(id, text);
        must(memcmp(text, p, n) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
        static int (*const decoders[])(const uint8_t *, size_t, const char **) = { head, segments, entry,
                                                                                   collected, layout };
        const char *why = NULL;
        uint8_t *copy;
        unsigned pick;

        if (size < 1)
                return 0;
        pick = (data[0] & 0x7f) % (sizeof(decoders) / sizeof(decoders[0]));
        copy = malloc(size - 1 ? size - 1 : 1); /* no longer, so that a sanitizer sees a step too far */
        must(copy != NULL);
        memcpy(copy, data + 1, size - 1);
        if (data[0] & 0x80)
                seal(copy, size - 1);
        if (decoders[pick](copy, size - 1, &why) < 0)
                must(why != NULL && *why);
        hex(data + 1, size - 1);
        free(copy);
        return 0;
}
