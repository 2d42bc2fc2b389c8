/* SPDX-License-Identifier: MIT */
/* Times, sizes and switches as text, see value.h. */
#include "core/value.h"

#include <string.h>
#include <strings.h>

/* The digits at *at, which moves behind them. -1: none, or more than 64 bits hold. */
static int digits(const char **at, uint64_t *v)
{
        const char *p = *at;
        uint64_t r = 0;

        if (*p < '0' || *p > '9')
                return -1;
        for (; *p >= '0' && *p <= '9'; p++) {
                uint64_t d = (uint64_t)(*p - '0');

                if (r > (UINT64_MAX - d) / 10)
                        return -1;
                r = r * 10 + d;
        }
        *at = p;
        *v = r;
        return 0;
}

static int scaled(uint64_t n, uint64_t unit, uint64_t *out)
{
        if (n > UINT64_MAX / unit)
                return -1;
        *out = n * unit;
        return 0;
}

int ri_value_u64(const char *text, uint64_t *v)
{
        uint64_t n;

        if (digits(&text, &n) < 0 || *text)
                return -1;
        *v = n;
        return 0;
}

int ri_value_duration(const char *text, uint64_t *ms)
{
        static const struct {
                const char *name;
                uint64_t ms;
        } unit[] = { { "", 1000 },   { "ms", 1 },      { "s", 1000 },
                     { "m", 60000 }, { "h", 3600000 }, { "d", 86400000 } };
        uint64_t n;

        if (digits(&text, &n) < 0)
                return -1;
        for (size_t i = 0; i < sizeof(unit) / sizeof(unit[0]); i++)
                if (strcmp(text, unit[i].name) == 0)
                        return scaled(n, unit[i].ms, ms);
        return -1;
}

int ri_value_size(const char *text, uint64_t *bytes)
{
        static const char letter[] = "KMGTP";
        uint64_t n;
        const char *l;

        if (digits(&text, &n) < 0)
                return -1;
        if (*text == '\0' || strcasecmp(text, "B") == 0) {
                *bytes = n;
                return 0;
        }
        l = memchr(letter, *text & ~0x20, sizeof(letter) - 1);
        if (!l || (text[1] && strcasecmp(text + 1, "i") != 0 && strcasecmp(text + 1, "iB") != 0))
                return -1;
        return scaled(n, UINT64_C(1) << (10 * (l - letter + 1)), bytes);
}

int ri_value_bool(const char *text, bool *b)
{
        static const char *const word[] = { "no", "yes", "false", "true", "off", "on", "0", "1" };

        for (size_t i = 0; i < sizeof(word) / sizeof(word[0]); i++)
                if (strcasecmp(text, word[i]) == 0) {
                        *b = i & 1;
                        return 0;
                }
        return -1;
}

#define NEAREST_MAX 40 /* longer words are not compared */

static size_t min3(size_t a, size_t b, size_t c)
{
        size_t m = a < b ? a : b;

        return m < c ? m : c;
}

/* Insertions, deletions, replacements and swaps of neighbours (the commonest slip) between the two. */
static size_t distance(const char *a, size_t na, const char *b, size_t nb)
{
        size_t row[3][NEAREST_MAX + 1];
        size_t *before = row[0], *last = row[1], *now = row[2];

        for (size_t j = 0; j <= nb; j++)
                last[j] = j;
        for (size_t i = 1; i <= na; i++) {
                size_t *spare = before;

                now[0] = i;
                for (size_t j = 1; j <= nb; j++) {
                        now[j] = min3(last[j] + 1, now[j - 1] + 1, last[j - 1] + (a[i - 1] != b[j - 1]));
                        if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] &&
                            before[j - 2] + 1 < now[j])
                                now[j] = before[j - 2] + 1;
                }
                before = last;
                last = now;
                now = spare;
        }
        return last[nb];
}

const char *ri_value_nearest(const char *word, const char *const *words)
{
        size_t n = strnlen(word, NEAREST_MAX + 1);
        size_t best = n < 5 ? 2 : 3; /* one slip in a short word, two in a long one */
        const char *found = NULL;

        if (n > NEAREST_MAX)
                return NULL;
        for (; *words; words++) {
                size_t m = strnlen(*words, NEAREST_MAX + 1), d;

                if (m > NEAREST_MAX)
                        continue;
                d = distance(word, n, *words, m);
                if (d < best && d < n) {
                        best = d;
                        found = *words;
                }
        }
        return found;
}

bool ri_value_is_secret(const char *name, size_t n)
{
        static const char *const part[] = { "secret",     "password", "passwd",
                                            "passphrase", "token",    "credential" };

        if (n >= 5 && strncasecmp(name + n - 5, "_file", 5) == 0)
                return false;
        for (size_t i = 0; i < sizeof(part) / sizeof(part[0]); i++) {
                size_t m = strlen(part[i]);

                for (size_t at = 0; m <= n && at <= n - m; at++)
                        if (strncasecmp(name + at, part[i], m) == 0)
                                return true;
        }
        return false;
}

bool ri_value_has_password(const char *value)
{
        const char *scheme = strstr(value, "://"), *from = scheme ? scheme + 3 : value;
        const char *at = memrchr(from, '@', strcspn(from, "/?#"));

        return at && memchr(from, ':', (size_t)(at - from));
}
