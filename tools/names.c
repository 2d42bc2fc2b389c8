/* SPDX-License-Identifier: MIT */
/* Names are bytes and need not be UTF-8; JSON strings must be. */
#include <stdlib.h>
#include <string.h>

#include "tools/tool.h"

/* Length of the UTF-8 sequence at s, 0 when there is none (overlong forms and surrogates are none). */
static size_t sequence(const unsigned char *s)
{
        unsigned c = s[0];

        if (c < 0x80)
                return 1;
        size_t n = c >= 0xf0 ? 4 : c >= 0xe0 ? 3 : 2;
        if (c < 0xc2 || c > 0xf4)
                return 0;
        for (size_t i = 1; i < n; i++)
                if ((s[i] & 0xc0) != 0x80)
                        return 0;
        if ((c == 0xe0 && s[1] < 0xa0) || (c == 0xed && s[1] > 0x9f) || (c == 0xf0 && s[1] < 0x90) ||
            (c == 0xf4 && s[1] > 0x8f))
                return 0;
        return n;
}

bool name_is_utf8(const char *name)
{
        const unsigned char *s = (const unsigned char *)name;

        while (*s) {
                size_t n = sequence(s);
                if (!n)
                        return false;
                s += n;
        }
        return true;
}

json_t *json_of(json_t *value)
{
        return need(value);
}

static json_t *replaced(const char *name)
{
        const unsigned char *s = (const unsigned char *)name;
        char *text = need(malloc(3 * strlen(name) + 1)), *to = text;

        while (*s) {
                size_t n = sequence(s);
                if (n) {
                        memcpy(to, s, n);
                        to += n;
                        s += n;
                } else {
                        memcpy(to, "\xef\xbf\xbd", 3);
                        to += 3;
                        s++;
                }
        }
        *to = 0;
        json_t *value = json_string(text);
        free(text);
        return json_of(value);
}

static json_t *hexadecimal(const char *name)
{
        static const char digits[] = "0123456789abcdef";
        size_t len = strlen(name);
        char *text = need(malloc(2 * len + 1));

        for (size_t i = 0; i < len; i++) {
                text[2 * i] = digits[(unsigned char)name[i] >> 4];
                text[2 * i + 1] = digits[(unsigned char)name[i] & 15];
        }
        text[2 * len] = 0;
        json_t *value = json_string(text);
        free(text);
        return json_of(value);
}

void json_name(json_t *object, const char *field, const char *name)
{
        char hex[64];

        if (name_is_utf8(name)) {
                json_object_set_new(object, field, json_of(json_string(name)));
                return;
        }
        json_object_set_new(object, field, replaced(name));
        snprintf(hex, sizeof(hex), "%s_hex", field);
        json_object_set_new(object, hex, hexadecimal(name));
}

const char *name_base(const char *path)
{
        const char *slash = strrchr(path, '/');

        return slash ? slash + 1 : path;
}

char *key_join(const char *folder, const char *name)
{
        return need_format("%s%s%s", folder, *folder && *name ? "/" : "", name);
}

char *path_join(const char *folder, const char *name)
{
        size_t n = strlen(folder);

        if (n == 0)
                return need_copy(name);
        if (*name == 0)
                return need_copy(folder);
        return need_format(folder[n - 1] == '/' ? "%s%s" : "%s/%s", folder, name);
}
