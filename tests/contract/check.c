/* SPDX-License-Identifier: MIT */
/* Assertions of the contract suite, and the independent witnesses they compare with. */
#include "check.h"

#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>

#include <openssl/evp.h>

void check_fail(const char *file, int line, const char *fmt, ...)
{
        const char *base = strrchr(file, '/');
        char msg[1500];
        va_list ap;

        if (env.why)
                return;
        va_start(ap, fmt);
        vsnprintf(msg, sizeof(msg), fmt, ap);
        va_end(ap);
        env.why = text("%s:%d %s", base ? base + 1 : file, line, msg);
}

bool check_code(const struct res *res, int want)
{
        return res->code == want && (want == ROMA_OK || *res->message);
}

const char *check_code_text(const struct res *res)
{
        return text("%s: %s", res->code == NOT_STARTED ? "no start" : roma_code_name(res->code),
                    res->message);
}

const char *check_mem(const void *got, const void *want, size_t n)
{
        const uint8_t *g = got, *w = want;
        size_t first, count = 0, last = 0;

        if (memcmp(got, want, n) == 0)
                return NULL;
        for (first = 0; g[first] == w[first];)
                first++;
        for (size_t i = first; i < n; i++)
                if (g[i] != w[i]) {
                        count++;
                        last = i;
                }
        return text("%zu of %zu bytes differ, first at %zu (expected %02x got %02x), last at %zu", count, n,
                    first, w[first], g[first], last);
}

static const char *difference(roma_store *s, const char *key, const void *want, size_t n)
{
        const char *why = NULL;
        const struct res *r = x_open(s, key, ROMA_O_READ, 0);
        roma_file *f = r->r.file;
        uint8_t *got;

        if (r->code != ROMA_OK)
                return text("open: %s", check_code_text(r));
        if (!(r->attr.mask & ROMA_ATTR_LENGTH) || r->attr.length != n)
                why = text("expected length %zu got %llu", n, (unsigned long long)r->attr.length);
        /* One byte more is asked for than there should be. */
        got = malloc(n + 1);
        r = x_pread(f, got, n + 1, 0);
        if (!why && r->code != ROMA_OK)
                why = text("pread: %s", check_code_text(r));
        if (!why && r->r.bytes != n)
                why = text("pread: expected %zu bytes got %llu", n, (unsigned long long)r->r.bytes);
        if (!why)
                why = check_mem(got, want, n);
        free(got);
        r = x_close(f);
        if (!why && r->code != ROMA_OK)
                why = text("close: %s", check_code_text(r));
        return why;
}

void holds(roma_store *s, const char *key, const void *want, size_t n, const char *file, int line)
{
        const char *why = difference(s, key, want, n);

        if (why)
                check_fail(file, line, "%s: %s", key, why);
}

void absent(roma_store *s, const char *key, const char *file, int line)
{
        const struct res *r = x_stat(s, key, ROMA_NOFOLLOW);

        if (r->code != ROMA_ENOENT)
                check_fail(file, line, "%s: expected that it is not there, got %s", key, check_code_text(r));
}

void no_temporaries(const char *file, int line)
{
        roma_list_opts plain = ROMA_LIST_OPTS_INIT, all = ROMA_LIST_OPTS_INIT;
        const struct res *a, *b;

        all.flags = ROMA_LIST_TEMPORARIES;
        a = x_list(env.store, K(""), &plain);
        b = x_list(env.store, K(""), &all);
        if (a->code != ROMA_OK || b->code != ROMA_OK)
                check_fail(file, line, "list: %s", check_code_text(a->code ? a : b));
        else if (a->r.list->count != b->r.list->count)
                check_fail(file, line, "expected no temporaries got %zu",
                           b->r.list->count - a->r.list->count);
}

uint32_t ref_crc32(const void *p, size_t n)
{
        static uint32_t table[256];
        const uint8_t *b = p;
        uint32_t crc = ~0U;

        for (unsigned i = 0; !table[255] && i < 256; i++) {
                uint32_t c = i;

                for (int k = 0; k < 8; k++)
                        c = c & 1 ? 0xedb88320U ^ (c >> 1) : c >> 1;
                table[i] = c;
        }
        while (n--)
                crc = table[(crc ^ *b++) & 255] ^ (crc >> 8);
        return ~crc;
}

const char *ref_digest(const char *algorithm, const void *p, size_t n)
{
        unsigned char md[EVP_MAX_MD_SIZE];
        unsigned len = 0;
        char hex[2 * EVP_MAX_MD_SIZE + 1];

        if (!EVP_Digest(p, n, md, &len, EVP_get_digestbyname(algorithm), NULL))
                abort();
        for (unsigned i = 0; i < len; i++)
                snprintf(hex + 2 * i, 3, "%02x", md[i]);
        return text("%s", hex);
}

void local_write(const char *path, const void *p, size_t n)
{
        FILE *f = fopen(path, "wb");

        if (!f || (n && fwrite(p, 1, n, f) != n) || fclose(f) != 0) {
                fprintf(stderr, "%s: %s\n", path, strerror(errno));
                abort();
        }
}

uint8_t *local_read(const char *path, size_t *n)
{
        FILE *f = fopen(path, "rb");
        uint8_t *p = NULL;
        long size;

        *n = 0;
        if (!f)
                return NULL;
        if (fseek(f, 0, SEEK_END) == 0 && (size = ftell(f)) >= 0 && fseek(f, 0, SEEK_SET) == 0) {
                p = mem((size_t)size);
                *n = fread(p, 1, (size_t)size, f);
                if (*n != (size_t)size)
                        p = NULL;
        }
        fclose(f);
        return p;
}
