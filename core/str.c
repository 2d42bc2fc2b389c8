/* SPDX-License-Identifier: MIT */
/* Growing byte string with a maximum and a failure that sticks, see str.h. */
#include "core/str.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define FIRST_CAP 64

void ri_str_init(struct ri_str *s, size_t max)
{
        *s = (struct ri_str)RI_STR_INIT(max);
}

void ri_str_free(struct ri_str *s)
{
        free(s->p);
        ri_str_init(s, s->max);
}

void ri_str_wipe(struct ri_str *s)
{
        ri_free_secret(s->p, s->cap);
        ri_str_init(s, s->max);
}

void ri_str_reset(struct ri_str *s)
{
        s->failed = false;
        ri_str_truncate(s, 0);
}

void ri_str_truncate(struct ri_str *s, size_t len)
{
        if (len >= s->len)
                return;
        s->len = len;
        s->p[len] = '\0';
}

static int fail(struct ri_str *s)
{
        s->failed = true;
        return -1;
}

int ri_str_reserve(struct ri_str *s, size_t more)
{
        size_t need, cap;
        char *p;

        if (s->failed)
                return -1;
        if (s->len > s->max || more > s->max - s->len || more > SIZE_MAX - 1 - s->len)
                return fail(s);
        need = s->len + more + 1;
        if (need <= s->cap)
                return 0;
        cap = s->cap ? s->cap : FIRST_CAP;
        while (cap < need)
                cap = cap > SIZE_MAX / 2 ? need : cap * 2;
        /* The last doubling would waste up to half of a large maximum. */
        if (s->max < SIZE_MAX && cap > s->max + 1)
                cap = s->max + 1;
        p = realloc(s->p, cap);
        if (!p)
                return fail(s);
        p[s->len] = '\0';
        s->p = p;
        s->cap = cap;
        return 0;
}

int ri_str_append(struct ri_str *s, const void *bytes, size_t n)
{
        if (ri_str_reserve(s, n) < 0)
                return -1;
        if (n)
                memcpy(s->p + s->len, bytes, n);
        s->len += n;
        s->p[s->len] = '\0';
        return 0;
}

int ri_str_puts(struct ri_str *s, const char *text)
{
        return ri_str_append(s, text, strlen(text));
}

int ri_str_putc(struct ri_str *s, char c)
{
        return ri_str_append(s, &c, 1);
}

int ri_str_vprintf(struct ri_str *s, const char *fmt, va_list ap)
{
        va_list again;
        int n;

        if (ri_str_reserve(s, 0) < 0)
                return -1;
        va_copy(again, ap);
        n = vsnprintf(s->p + s->len, s->cap - s->len, fmt, again);
        va_end(again);
        if (n < 0) {
                s->p[s->len] = '\0';
                return fail(s);
        }
        if ((size_t)n >= s->cap - s->len) {
                s->p[s->len] = '\0';
                if (ri_str_reserve(s, (size_t)n) < 0)
                        return -1;
                vsnprintf(s->p + s->len, s->cap - s->len, fmt, ap);
        }
        /* cap - 1 never exceeds max, so what fitted is within the maximum. */
        s->len += (size_t)n;
        return 0;
}

int ri_str_printf(struct ri_str *s, const char *fmt, ...)
{
        va_list ap;
        int r;

        va_start(ap, fmt);
        r = ri_str_vprintf(s, fmt, ap);
        va_end(ap);
        return r;
}

size_t ri_utf8_len(const void *bytes, size_t n)
{
        const unsigned char *p = bytes;
        size_t len;
        unsigned char lo = 0x80, hi = 0xbf;

        if (p[0] >= 0xc2 && p[0] <= 0xdf) {
                len = 2;
                if (p[0] == 0xc2)
                        lo = 0xa0;
        } else if (p[0] >= 0xe0 && p[0] <= 0xef) {
                len = 3;
                if (p[0] == 0xe0)
                        lo = 0xa0;
                if (p[0] == 0xed)
                        hi = 0x9f;
        } else if (p[0] >= 0xf0 && p[0] <= 0xf4) {
                len = 4;
                if (p[0] == 0xf0)
                        lo = 0x90;
                if (p[0] == 0xf4)
                        hi = 0x8f;
        } else {
                return p[0] < 0x80;
        }
        if (n < len || p[1] < lo || p[1] > hi)
                return 0;
        for (size_t i = 2; i < len; i++)
                if (p[i] < 0x80 || p[i] > 0xbf)
                        return 0;
        return len;
}

static int quote_byte(struct ri_str *s, unsigned char c)
{
        switch (c) {
        case '\n': return ri_str_puts(s, "\\n");
        case '\r': return ri_str_puts(s, "\\r");
        case '\t': return ri_str_puts(s, "\\t");
        case '\\':
        case '\'':
        case '"': ri_str_putc(s, '\\'); return ri_str_putc(s, (char)c);
        default:
                if (c < 0x20 || c >= 0x7f)
                        return ri_str_printf(s, "\\x%02x", c);
                return ri_str_putc(s, (char)c);
        }
}

int ri_str_quoted(struct ri_str *s, const void *bytes, size_t n, size_t show)
{
        const unsigned char *p = bytes;
        size_t i = 0;

        while (i < n && i < show) {
                size_t u = p[i] < 0x80 ? 0 : ri_utf8_len(p + i, n - i);

                if (u) {
                        ri_str_append(s, p + i, u);
                        i += u;
                } else {
                        quote_byte(s, p[i++]);
                }
        }
        if (i < n)
                ri_str_puts(s, "...");
        return s->failed ? -1 : 0;
}

/* Bytes of the character at p that can be shown; 0: it cannot. */
static size_t visible(const char *p)
{
        unsigned char c = (unsigned char)*p;

        if (c < 0x80)
                return c >= 0x20 && c != 0x7f;
        return ri_utf8_len(p, strnlen(p, 4));
}

char *ri_str_visible(char *text)
{
        struct ri_str s = RI_STR_INIT(SIZE_MAX);
        const char *p = text;
        size_t u;

        while (p && *p && (u = visible(p)))
                p += u;
        if (!p || !*p)
                return text;
        ri_str_append(&s, text, (size_t)(p - text));
        while (*p) {
                u = visible(p);
                if (u)
                        ri_str_append(&s, p, u);
                else
                        quote_byte(&s, (unsigned char)*p);
                p += u ? u : 1;
        }
        free(text);
        return ri_str_take(&s, NULL);
}

int ri_str_fail(struct ri_str *err, const char *fmt, ...)
{
        va_list ap;

        if (!err)
                return -1;
        ri_str_reset(err);
        va_start(ap, fmt);
        ri_str_vprintf(err, fmt, ap);
        va_end(ap);
        return -1;
}

char *ri_str_take(struct ri_str *s, size_t *len)
{
        char *p = NULL;
        size_t n = 0;

        if (ri_str_reserve(s, 0) == 0) {
                p = s->p;
                n = s->len;
                s->p = NULL;
        }
        if (len)
                *len = n;
        ri_str_free(s);
        return p;
}

char *ri_memdup0(const void *bytes, size_t n)
{
        char *p;

        if (n == SIZE_MAX)
                return NULL;
        p = malloc(n + 1);
        if (!p)
                return NULL;
        if (n)
                memcpy(p, bytes, n);
        p[n] = '\0';
        return p;
}

void ri_free_secret(void *p, size_t n)
{
        if (!p)
                return;
        explicit_bzero(p, n);
        free(p);
}
