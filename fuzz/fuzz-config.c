/* SPDX-License-Identifier: MIT */
/* Any bytes as roma.conf: what was understood is written in the quoted form, read again and must be the same; each
 * section is resolved, and an error text must be fit for a terminal. */
#include "core/config.h"
#include "core/value.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(int condition)
{
        if (!condition)
                abort();
}

static void must_be_printable(const struct ri_str *s)
{
        must(s->len > 0 && !s->failed);
        for (size_t i = 0, len; i < s->len; i += len) {
                len = ri_utf8_len(s->p + i, s->len - i);
                must(len > 0 && (unsigned char)s->p[i] >= 0x20 && s->p[i] != 0x7f);
        }
}

static void write_value(struct ri_str *out, const char *v)
{
        ri_str_putc(out, '"');
        for (; *v; v++) {
                if (*v == '"' || *v == '\\')
                        ri_str_putc(out, '\\');
                ri_str_putc(out, *v);
        }
        ri_str_puts(out, "\"\r\n");
}

static void write_config(const struct ri_config *c, struct ri_str *out)
{
        for (size_t i = 0; i < c->sections; i++) {
                const struct ri_config_section *s = &c->section[i];

                ri_str_printf(out, "[%s]\n", s->name);
                for (size_t k = 0; k < s->keys; k++) {
                        ri_str_printf(out, " %s\t=", s->key[k].name);
                        write_value(out, s->key[k].value);
                }
        }
}

static void compare(const struct ri_config *a, const struct ri_config *b)
{
        must(a->sections == b->sections);
        for (size_t i = 0; i < a->sections; i++) {
                const struct ri_config_section *s = &a->section[i];

                must(strcmp(s->name, b->section[i].name) == 0 && s->keys == b->section[i].keys);
                must(ri_config_find(a, s->name) == s);
                for (size_t k = 0; k < s->keys; k++) {
                        const char *v = ri_config_get(b, s->name, s->key[k].name);

                        must(v && strcmp(v, s->key[k].value) == 0);
                }
        }
}

/* An escaped value may be longer than a line may be. */
static int lines_fit(const struct ri_str *text)
{
        size_t from = 0;

        for (size_t i = 0; i < text->len; i++)
                if (text->p[i] == '\n') {
                        if (i - from > RI_CONFIG_MAX_LINE)
                                return 0;
                        from = i + 1;
                }
        return text->len <= RI_CONFIG_MAX_FILE;
}

static void again(const struct ri_config *c, struct ri_str *err)
{
        struct ri_str text = RI_STR_INIT(8 * RI_CONFIG_MAX_FILE);
        struct ri_config second;

        write_config(c, &text);
        must(!text.failed);
        if (lines_fit(&text)) {
                must(ri_config_parse(&second, "again", ri_str_cstr(&text), text.len, err) == 0);
                compare(c, &second);
                must(ri_config_has_secret(c) == ri_config_has_secret(&second));
                ri_config_clear(&second);
        }
        ri_str_free(&text);
}

static void resolve(const struct ri_config *c, const char *name, struct ri_str *err)
{
        struct ri_str text = RI_STR_INIT(RI_URI_MAX);
        struct ri_uri named, u;

        ri_str_printf(&text, "%s:a/b?stall=1s", name);
        must(ri_uri_parse(ri_str_cstr(&text), &named, err) == 0);
        if (ri_config_resolve(c, &named, &u, err) == 0) {
                must(u.kind == RI_URI_STORE && strcmp(u.name, name) == 0);
                must(strcmp(ri_uri_opt(&u, "stall"), "1s") == 0);
                for (size_t i = 0; i < u.options; i++)
                        must(!ri_value_is_secret(u.option[i].name, strlen(u.option[i].name)));
                ri_uri_clear(&u);
        } else {
                must_be_printable(err);
        }
        ri_uri_clear(&named);
        ri_str_free(&text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
        struct ri_str err = RI_STR_INIT(RI_STR_MAX_ERROR);
        struct ri_config c;

        if (ri_config_parse(&c, "/etc/roma/roma.conf", (const char *)data, size, &err) == 0) {
                again(&c, &err);
                for (size_t i = 0; i < c.sections; i++)
                        resolve(&c, c.section[i].name, &err);
                resolve(&c, "none-such", &err);
                ri_config_clear(&c);
        } else {
                must_be_printable(&err);
        }
        ri_str_free(&err);
        return 0;
}
