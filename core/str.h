/* SPDX-License-Identifier: MIT */
/* Growing byte string, born with its maximum. Failure (over the maximum, out of memory) sticks: a chain of appends is
 * checked once at its end, and nothing half-appended is ever taken for whole. The bytes are always followed by a NUL
 * that is not counted, so p can be given to functions that want a C string. */
#ifndef RI_STR_H
#define RI_STR_H

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>

struct ri_str {
        char *p;     /* NULL until the first append; ri_str_cstr() never gives NULL */
        size_t len;  /* bytes, without the NUL */
        size_t cap;  /* allocated bytes, including the NUL */
        size_t max;  /* len never exceeds this */
        bool failed; /* an append did not fit or had no memory; later appends do nothing */
};

#define RI_STR_INIT(maximum)                                                     \
        {                                                                        \
                .p = NULL, .len = 0, .cap = 0, .max = (maximum), .failed = false \
        }

/* Enough for any sentence of libroma; one that names a longer object is cut by ri_str_quoted(). */
#define RI_STR_MAX_ERROR ((size_t)8192)

void ri_str_init(struct ri_str *s, size_t max);
void ri_str_free(struct ri_str *s); /* usable again afterwards, with the same maximum */
/* The same, and the memory is overwritten first. For secrets, of which growing would leave old copies in freed memory:
 * reserve the room before the first append. */
void ri_str_wipe(struct ri_str *s);

/* Empties it and clears the failure; keeps the memory. */
void ri_str_reset(struct ri_str *s);

/* Cuts to `len` bytes, if it is longer. */
void ri_str_truncate(struct ri_str *s, size_t len);

/* Each returns 0, or -1 when the string has failed, now or earlier. */
int ri_str_reserve(struct ri_str *s, size_t more);
int ri_str_append(struct ri_str *s, const void *bytes, size_t n);
int ri_str_puts(struct ri_str *s, const char *text);
int ri_str_putc(struct ri_str *s, char c);
int ri_str_printf(struct ri_str *s, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
int ri_str_vprintf(struct ri_str *s, const char *fmt, va_list ap) __attribute__((format(printf, 2, 0)));

/* Appends bytes that somebody else chose so that they can stand in a sentence or a log line: control bytes, backslash
 * and quote become \n, \t, \xHH, ...; well-formed UTF-8 passes, other bytes above 0x7f become \xHH; after `show` input
 * bytes the rest is replaced by "...". The quotes themselves are the caller's. */
int ri_str_quoted(struct ri_str *s, const void *bytes, size_t n, size_t show);
/* The text itself when it can be shown as it is, else it is freed for a copy in which control bytes and what is not
 * UTF-8 are written as above; quotes and backslashes stay. NULL: no memory (and the text is freed), or no text. */
char *ri_str_visible(char *text);

/* Length of the well-formed UTF-8 sequence at p (RFC 3629: no overlong forms, no surrogates, nothing above U+10FFFF),
 * 0 when there is none. U+0080..U+009F are control characters to a terminal and count as none. n > 0. */
size_t ri_utf8_len(const void *p, size_t n);

/* Replaces what `err` holds by a sentence; `err` may be NULL. Returns -1 always, so that a refusal is one line. */
int ri_str_fail(struct ri_str *err, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* Hands the memory (NUL-terminated) to the caller, who frees it with free(); `len` may be NULL. NULL when the string
 * has failed or there is no memory; the string is empty and usable afterwards in both cases. */
char *ri_str_take(struct ri_str *s, size_t *len);

/* The text so far, "" when there is none. */
static inline const char *ri_str_cstr(const struct ri_str *s)
{
        return s->p ? s->p : "";
}

/* strndup for bytes that may contain NUL; the copy is NUL-terminated. NULL: out of memory. */
char *ri_memdup0(const void *bytes, size_t n);

/* Overwrites n bytes so that no compiler removes it, then frees. NULL is fine. */
void ri_free_secret(void *p, size_t n);

#endif
