/* SPDX-License-Identifier: MIT */
#include "s3compat/policy.h"

#include <inttypes.h>
#include <string.h>

enum { GIB = 1 << 30, MOST_GIB = 5 }; /* what a form can bring at most */

static void put_string(struct ri_str *out, const char *text)
{
        ri_str_putc(out, '"');
        for (const unsigned char *p = (const unsigned char *)text; *p; p++) {
                if (*p == '"' || *p == '\\')
                        ri_str_printf(out, "\\%c", *p);
                else if (*p < 0x20)
                        ri_str_printf(out, "\\u%04x", *p);
                else
                        ri_str_putc(out, (char)*p);
        }
        ri_str_putc(out, '"');
}

static void put_equal(struct ri_str *out, const char *name, const char *value)
{
        ri_str_puts(out, ",{");
        put_string(out, name);
        ri_str_putc(out, ':');
        put_string(out, value);
        ri_str_putc(out, '}');
}

static void put_begins(struct ri_str *out, const char *name, const char *with)
{
        ri_str_puts(out, ",[\"starts-with\",");
        put_string(out, name);
        ri_str_putc(out, ',');
        put_string(out, with);
        ri_str_putc(out, ']');
}

static void put_time(struct ri_str *out, int64_t t)
{
        char iso[17];

        s3_iso_time(iso, t);
        ri_str_printf(out, "%.4s-%.2s-%.2sT%.2s:%.2s:%.2s.000Z", iso, iso + 4, iso + 6, iso + 9, iso + 11,
                      iso + 13);
}

/* Servers want both ends. */
static void put_range(struct ri_str *out, uint64_t least, uint64_t most)
{
        if (!most)
                most = (uint64_t)MOST_GIB * GIB;
        ri_str_printf(out, ",[\"content-length-range\",%" PRIu64 ",%" PRIu64 "]", least,
                      most < least ? least : most);
}

int s3_policy_write(struct ri_str *out, const struct s3_sign *s, const roma_presign_opts *o,
                    const struct s3_fields *form, int64_t expires_at)
{
        size_t n = o->content_type ? strlen(o->content_type) : 0;

        ri_str_puts(out, "{\"expiration\":\"");
        put_time(out, expires_at);
        ri_str_puts(out, "\",\"conditions\":[{\"bucket\":");
        put_string(out, s->bucket);
        ri_str_putc(out, '}');
        if (o->flags & ROMA_PRESIGN_PREFIX)
                put_begins(out, "$key", s->key);
        else
                put_equal(out, "key", s->key);
        if (n && o->content_type[n - 1] == '/')
                put_begins(out, "$Content-Type", o->content_type);
        else if (n)
                put_equal(out, "Content-Type", o->content_type);
        if (o->min_bytes || o->max_bytes)
                put_range(out, o->min_bytes, o->max_bytes);
        for (size_t i = 0; i < form->n; i++)
                put_equal(out, form->v[i].name, form->v[i].value ? form->v[i].value : "");
        return ri_str_puts(out, "]}");
}
