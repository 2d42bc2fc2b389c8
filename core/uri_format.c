/* SPDX-License-Identifier: MIT */
/* Writes a URI back as text, see uri.h. */
#include "core/uri.h"

#include <stdlib.h>
#include <string.h>

#define DESCRIBED 400 /* bytes of a name in a sentence */

/* Bytes in `must` are encoded, and whatever would not be UTF-8 on one line. */
static void encode(struct ri_str *out, const char *text, const char *must)
{
        size_t n = strlen(text);

        for (size_t i = 0, len; i < n; i += len) {
                len = ri_utf8_len(text + i, n - i);
                if (len == 0 || (unsigned char)text[i] < 0x20 || text[i] == 0x7f || strchr(must, text[i])) {
                        len = 1;
                        ri_str_printf(out, "%%%02X", (unsigned char)text[i]);
                } else {
                        ri_str_append(out, text + i, len);
                }
        }
}

static void format_place(const struct ri_uri *u, struct ri_str *out)
{
        const char *path = u->path;

        if (u->kind == RI_URI_STORE) {
                ri_str_printf(out, "%s://", u->scheme);
                /* A colon before an @ would read as a password. */
                encode(out, u->authority, strchr(u->authority, '@') ? "%/?:" : "%/?");
        } else {
                ri_str_printf(out, "%s:", u->name);
                /* name://x would read as a scheme. */
                if (path[0] == '/' && path[1] == '/') {
                        ri_str_puts(out, "%2F");
                        path++;
                }
        }
        encode(out, path, "%?");
}

int ri_uri_format(const struct ri_uri *u, struct ri_str *out)
{
        if (u->kind == RI_URI_LOCAL || u->kind == RI_URI_STDIO)
                return ri_str_puts(out, u->path);
        format_place(u, out);
        for (size_t i = 0; i < u->options; i++) {
                ri_str_printf(out, "%c%s=", i ? '&' : '?', u->option[i].name);
                encode(out, u->option[i].value, "%&");
        }
        return out->failed ? -1 : 0;
}

int ri_uri_describe(const struct ri_uri *u, struct ri_str *out)
{
        struct ri_str text = RI_STR_INIT(4 * RI_URI_MAX);
        int r;

        if (u->kind == RI_URI_STDIO)
                return ri_str_puts(out, "standard input or output");
        if (u->kind == RI_URI_LOCAL)
                return ri_str_quoted(out, u->path, strlen(u->path), DESCRIBED);
        format_place(u, &text);
        r = text.failed ? -1 : ri_str_quoted(out, ri_str_cstr(&text), text.len, DESCRIBED);
        ri_str_free(&text);
        return r;
}
