/* SPDX-License-Identifier: MIT */
/* Bytes to text and back, as all dialects need it. */
#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "s3compat/sign/sign.h"

static bool plain(unsigned char c)
{
        return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' ||
               c == '_' || c == '.' || c == '~';
}

int s3_encode(struct ri_str *out, const char *text, bool keep_slash)
{
        static const char hex[] = "0123456789ABCDEF";

        for (const unsigned char *p = (const unsigned char *)text; *p; p++) {
                char code[3] = { '%', hex[*p >> 4], hex[*p & 15] };

                if (plain(*p) || (*p == '/' && keep_slash))
                        ri_str_putc(out, (char)*p);
                else
                        ri_str_append(out, code, 3);
        }
        return out->failed ? -1 : 0;
}

int s3_path(struct ri_str *out, bool path_style, const char *bucket, const char *key)
{
        ri_str_putc(out, '/');
        if (path_style && *bucket) {
                s3_encode(out, bucket, false);
                ri_str_putc(out, '/');
        }
        return s3_encode(out, key, true);
}

int s3_query(struct ri_str *out, const struct s3_fields *query, bool equal_always)
{
        for (size_t i = 0; i < query->n; i++) {
                const struct s3_field *f = &query->v[i];

                if (i)
                        ri_str_putc(out, '&');
                s3_encode(out, f->name, false);
                if (f->value || equal_always)
                        ri_str_putc(out, '=');
                if (f->value)
                        s3_encode(out, f->value, false);
        }
        return out->failed ? -1 : 0;
}

int s3_base64(struct ri_str *out, const void *bytes, size_t n)
{
        const unsigned char *p = bytes;
        unsigned char piece[65];

        while (n) {
                size_t take = n < 48 ? n : 48;
                int len = EVP_EncodeBlock(piece, p, (int)take);

                ri_str_append(out, piece, (size_t)len);
                p += take;
                n -= take;
        }
        return out->failed ? -1 : 0;
}

int s3_base64_decode(const char *text, unsigned char *out, size_t max, size_t *n)
{
        size_t len = strlen(text), pad;
        unsigned char piece[3];

        if (len == 0 || len % 4)
                return -1;
        pad = text[len - 1] == '=' ? text[len - 2] == '=' ? 2 : 1 : 0;
        if (len / 4 * 3 - pad > max)
                return -1;
        for (size_t i = 0; i < len; i += 4) {
                size_t keep = i + 4 == len ? 3 - pad : 3;

                if (EVP_DecodeBlock(piece, (const unsigned char *)text + i, 4) != 3)
                        return -1;
                memcpy(out, piece, keep);
                out += keep;
        }
        *n = len / 4 * 3 - pad;
        return 0;
}

/* Not strftime(): the names of days and months must not follow the program's locale. */
static const char days[7][4] = { "Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat" };
static const char months[12][4] = { "Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                    "Jul", "Aug", "Sep", "Oct", "Nov", "Dec" };

static void utc(struct tm *tm, int64_t t)
{
        time_t v = (time_t)t;

        if (t < 0 || t > INT64_C(253402300799) || !gmtime_r(&v, tm)) /* the year 9999 */
                memset(tm, 0, sizeof(*tm));
}

void s3_iso_time(char out[17], int64_t t)
{
        struct tm tm;
        char text[96];

        utc(&tm, t);
        snprintf(text, sizeof(text), "%04d%02d%02dT%02d%02d%02dZ", tm.tm_year + 1900, tm.tm_mon + 1,
                 tm.tm_mday, tm.tm_hour, tm.tm_min, tm.tm_sec);
        memcpy(out, text, 16);
        out[16] = '\0';
}

void s3_http_time(char out[40], int64_t t)
{
        struct tm tm;
        char text[128]; /* the compiler does not know the ranges */

        utc(&tm, t);
        snprintf(text, sizeof(text), "%s, %02d %s %04d %02d:%02d:%02d GMT", days[tm.tm_wday % 7], tm.tm_mday,
                 months[tm.tm_mon % 12], tm.tm_year + 1900, tm.tm_hour, tm.tm_min, tm.tm_sec);
        memcpy(out, text, 29);
        out[29] = 0;
}

static int from_parts(int year, int month, int day, int hour, int minute, int second, int64_t *t)
{
        struct tm tm = { .tm_year = year - 1900,
                         .tm_mon = month - 1,
                         .tm_mday = day,
                         .tm_hour = hour,
                         .tm_min = minute,
                         .tm_sec = second };

        /* In 2262 there are more nanoseconds than an attribute can hold. */
        if (year < 1970 || year > 2261 || month < 1 || month > 12 || day < 1 || day > 31 || hour < 0 ||
            hour > 23 || minute < 0 || minute > 59 || second < 0 || second > 60)
                return -1;
        *t = (int64_t)timegm(&tm);
        return 0;
}

int s3_parse_http_time(const char *text, int64_t *t)
{
        int day, year, hour, minute, second, end = 0;
        char month[4];

        if (sscanf(text, "%*3[A-Za-z], %2d %3[A-Za-z] %4d %2d:%2d:%2d GMT%n", &day, month, &year, &hour,
                   &minute, &second, &end) != 6 ||
            !end)
                return -1;
        for (int i = 0; i < 12; i++)
                if (strcmp(month, months[i]) == 0)
                        return from_parts(year, i + 1, day, hour, minute, second, t);
        return -1;
}

int s3_parse_iso_time(const char *text, int64_t *t)
{
        int year, month, day, hour, minute, second;

        if (sscanf(text, "%4d-%2d-%2dT%2d:%2d:%2d", &year, &month, &day, &hour, &minute, &second) != 6 &&
            sscanf(text, "%4d%2d%2dT%2d%2d%2dZ", &year, &month, &day, &hour, &minute, &second) != 6)
                return -1;
        return from_parts(year, month, day, hour, minute, second, t);
}
