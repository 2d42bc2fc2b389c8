/* SPDX-License-Identifier: MIT */
#include "core/whole.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/digester.h"

enum { ON_LOOP = 128 << 10 }; /* bytes of an object whose digest is not worth the way to a worker */

struct ri_summer {
        const struct ri_whole *whole;
        uint64_t crc;
        struct ri_digest digest;      /* of a small object */
        struct ri_digester *digester; /* of any other */
};

struct ri_summer *ri_summer_new(roma_loop *loop, const struct ri_whole *whole, uint64_t length,
                                void (*moved)(void *arg), void *arg, struct ri_str *err)
{
        struct ri_summer *s = calloc(1, sizeof(*s));
        int r = 0;

        if (!s) {
                ri_str_puts(err, "out of memory");
                return NULL;
        }
        s->whole = whole;
        if (whole->crc)
                return s;
        if (length <= ON_LOOP) {
                r = ri_digest_begin(&s->digest, whole->digest, err);
        } else {
                s->digester = ri_digester_new(loop, whole->digest, moved, arg, err);
                r = s->digester ? 0 : -1;
        }
        if (r == 0)
                return s;
        free(s);
        return NULL;
}

int ri_summer_feed(struct ri_summer *s, const void *bytes, size_t n)
{
        if (s->whole->crc)
                s->crc = s->whole->crc(s->crc, bytes, n);
        else if (s->digester)
                return ri_digester_feed(s->digester, bytes, n);
        else
                ri_digest_update(&s->digest, bytes, n);
        return 0;
}

size_t ri_summer_pending(const struct ri_summer *s)
{
        return s->digester ? ri_digester_pending(s->digester) : 0;
}

int ri_summer_end(struct ri_summer *s, struct ri_error *e)
{
        const struct ri_whole *w = s->whole;
        struct ri_str err = RI_STR_INIT(RI_STR_MAX_ERROR);
        char got[RI_DIGEST_HEX_MAX];
        int r = 0;

        if (w->crc)
                snprintf(got, sizeof(got), "%0*" PRIx64, (int)strlen(w->want), s->crc);
        else if (s->digester)
                r = ri_digester_end(s->digester, got, &err);
        else
                r = ri_digest_end_hex(&s->digest, got, &err);
        if (r < 0) {
                ri_error_set(e, ROMA_ESYSTEM, NULL, "%s", ri_str_cstr(&err));
        } else if (strcmp(got, w->want) != 0) {
                ri_error_set(
                        e, ROMA_ECORRUPT, NULL,
                        "its bytes have %s %.64s as they came, and %.64s as %s: they are damaged there or "
                        "on the way; "
                        "read it again%s",
                        w->name, got, w->want, w->says, w->more);
                r = -1;
        }
        ri_str_free(&err);
        return r;
}

void ri_summer_free(struct ri_summer *s)
{
        if (!s)
                return;
        ri_digest_free(&s->digest);
        ri_digester_free(s->digester);
        free(s);
}
