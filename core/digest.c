/* SPDX-License-Identifier: MIT */
/* Message digests over libcrypto's EVP, see digest.h. */
#include "core/digest.h"

#include <openssl/err.h>
#include <openssl/evp.h>
#include <string.h>
#include <strings.h>

static const struct {
        const char *name, *alias;
        const EVP_MD *(*md)(void);
        size_t size;
} table[RI_DIGEST_KINDS] = {
        [RI_MD5] = { "md5", "md5", EVP_md5, 16 },
        [RI_SHA1] = { "sha1", "sha-1", EVP_sha1, 20 },
        [RI_SHA256] = { "sha256", "sha-256", EVP_sha256, 32 },
        [RI_SHA512] = { "sha512", "sha-512", EVP_sha512, 64 },
};

const char *ri_digest_name(enum ri_digest_kind kind)
{
        return table[kind].name;
}

size_t ri_digest_size(enum ri_digest_kind kind)
{
        return table[kind].size;
}

int ri_digest_by_name(const char *name, enum ri_digest_kind *kind)
{
        for (int i = 0; i < RI_DIGEST_KINDS; i++)
                if (strcasecmp(name, table[i].name) == 0 || strcasecmp(name, table[i].alias) == 0) {
                        *kind = (enum ri_digest_kind)i;
                        return 0;
                }
        return -1;
}

/* Takes libcrypto's own words along and leaves its error queue clean: it is per thread, and what stays in it turns up
 * in the next TLS error. */
static int refuse(struct ri_digest *d, struct ri_str *err, const char *what)
{
        unsigned long code = ERR_peek_last_error();
        char text[256] = "no reason given by libcrypto";

        if (code)
                ERR_error_string_n(code, text, sizeof(text));
        ERR_clear_error();
        ri_digest_free(d);
        return ri_str_fail(err, "cannot %s the %s digest: %s", what, ri_digest_name(d->kind), text);
}

int ri_digest_begin(struct ri_digest *d, enum ri_digest_kind kind, struct ri_str *err)
{
        d->kind = kind;
        d->failed = false;
        d->ctx = EVP_MD_CTX_new();
        if (!d->ctx)
                return refuse(d, err, "begin");
        if (EVP_DigestInit_ex(d->ctx, table[kind].md(), NULL) != 1)
                return refuse(d, err, "begin");
        return 0;
}

void ri_digest_update(struct ri_digest *d, const void *bytes, size_t n)
{
        if (n == 0 || d->failed)
                return;
        if (!d->ctx || EVP_DigestUpdate(d->ctx, bytes, n) != 1)
                d->failed = true;
}

int ri_digest_end(struct ri_digest *d, unsigned char out[RI_DIGEST_MAX], struct ri_str *err)
{
        unsigned int len = 0;

        if (d->failed || !d->ctx)
                return refuse(d, err, "compute");
        if (EVP_DigestFinal_ex(d->ctx, out, &len) != 1 || len != table[d->kind].size)
                return refuse(d, err, "finish");
        ri_digest_free(d);
        return 0;
}

int ri_digest_end_hex(struct ri_digest *d, char out[RI_DIGEST_HEX_MAX], struct ri_str *err)
{
        unsigned char sum[RI_DIGEST_MAX];

        if (ri_digest_end(d, sum, err) < 0)
                return -1;
        ri_hex(out, sum, ri_digest_size(d->kind));
        return 0;
}

void ri_digest_free(struct ri_digest *d)
{
        EVP_MD_CTX_free(d->ctx);
        d->ctx = NULL;
}

int ri_digest_bytes(enum ri_digest_kind kind, const void *bytes, size_t n, unsigned char out[RI_DIGEST_MAX],
                    struct ri_str *err)
{
        struct ri_digest d;

        if (ri_digest_begin(&d, kind, err) < 0)
                return -1;
        ri_digest_update(&d, bytes, n);
        return ri_digest_end(&d, out, err);
}

void ri_hex(char *out, const void *bytes, size_t n)
{
        static const char digit[] = "0123456789abcdef";
        const unsigned char *p = bytes;

        for (size_t i = 0; i < n; i++) {
                *out++ = digit[p[i] >> 4];
                *out++ = digit[p[i] & 15];
        }
        *out = '\0';
}
