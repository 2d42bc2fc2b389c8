/* SPDX-License-Identifier: MIT */
/* In which way the bytes of a block are wrong. */
#include <string.h>

#include "tools/diagnose/diagnose.h"

enum {
        PROBE = 32,        /* bytes that are looked for elsewhere */
        PROBES = 8,        /* how many of them, spread over what differs */
        MATCHES = 16,      /* places of each that are tried */
        LEAST_SHIFTED = 64 /* bytes; what is shorter agrees by chance, or by structure */
};

static void extent(const unsigned char *good, const unsigned char *bad, struct dg_bytes *out)
{
        out->first = DG_BLOCK;
        out->end = out->differing = 0;
        for (uint32_t i = 0; i < DG_BLOCK; i++) {
                if (good[i] == bad[i])
                        continue;
                if (!out->differing++)
                        out->first = i;
                out->end = i + 1;
        }
}

static bool one_bit(const unsigned char *good, const unsigned char *bad, struct dg_bytes *out)
{
        unsigned x = good[out->first] ^ bad[out->first];

        if (out->differing != 1 || (x & (x - 1)))
                return false;
        out->pattern = DG_BIT;
        out->detail = out->first * 8 + __builtin_ctz(x);
        return true;
}

/* A probe of few different bytes would be found everywhere. */
static bool telling(const unsigned char *p)
{
        unsigned char seen[256] = { 0 };
        unsigned kinds = 0;

        for (unsigned i = 0; i < PROBE; i++)
                kinds += !seen[p[i]]++;
        return kinds >= 6;
}

/* Nearly all of what differs is what stands n bytes before, and it is not so by itself. */
static bool is_shift(const unsigned char *bad, const unsigned char *around, const struct dg_bytes *d,
                     int64_t n)
{
        uint32_t agree = 0, all = d->end - d->first;

        for (uint32_t i = d->first; i < d->end; i++) {
                int64_t from = (int64_t)i + DG_BLOCK - n;
                if (from >= 0 && from < 3 * DG_BLOCK && around[from] == bad[i])
                        agree++;
        }
        return all >= LEAST_SHIFTED && agree >= all - all / 16;
}

static bool shifted(const unsigned char *bad, const unsigned char *around, struct dg_bytes *out)
{
        uint32_t all = out->end - out->first;

        if (all < LEAST_SHIFTED)
                return false;
        for (unsigned k = 0; k < PROBES; k++) {
                uint32_t at = out->first + (uint32_t)((uint64_t)(all - PROBE) * k / PROBES);
                const unsigned char *found = around, *end = around + 3 * DG_BLOCK;

                if (!telling(bad + at))
                        continue;
                for (unsigned m = 0; m < MATCHES; m++) {
                        found = memmem(found, (size_t)(end - found), bad + at, PROBE);
                        if (!found)
                                break;
                        int64_t n = (int64_t)at + DG_BLOCK - (found - around);
                        if (n && is_shift(bad, around, out, n)) {
                                out->pattern = DG_SHIFT;
                                out->detail = n;
                                return true;
                        }
                        found++;
                }
        }
        return false;
}

bool dg_compare(const unsigned char *good, const unsigned char *bad, const unsigned char *around,
                uint32_t used, struct dg_bytes *out)
{
        memset(out, 0, sizeof(*out));
        extent(good, bad, out);
        if (!out->differing)
                return false;
        if (out->first >= used)
                out->pattern = DG_PAD;
        else if (dg_is_zero(bad + out->first, DG_BLOCK - out->first))
                out->pattern = DG_TAIL;
        else if (one_bit(good, bad, out)) /* also when the byte was nothing but this bit */
                return true;
        else if (dg_is_zero(bad + out->first, out->end - out->first))
                out->pattern = DG_ZERO;
        else if (!shifted(bad, around, out))
                out->pattern = DG_CONTENT;
        return true;
}
