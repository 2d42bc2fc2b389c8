/* SPDX-License-Identifier: MIT */
/* Parser of roma.conf, see config.h. Own, because the usual one (inih as Debian builds it) cuts lines at 200 bytes
 * without a word, and session tokens are longer than that. */
#include "core/config.h"
#include "core/value.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

struct parse {
        struct ri_config *c;
        const char *file;
        unsigned line;
        struct ri_str *err;
};

static int refuse(const struct parse *p, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

static int refuse(const struct parse *p, const char *fmt, ...)
{
        va_list ap;

        errno = EINVAL;
        if (!p->err)
                return -1;
        ri_str_reset(p->err);
        ri_str_quoted(p->err, p->file, strlen(p->file), 1000);
        if (p->line)
                ri_str_printf(p->err, ":%u", p->line);
        ri_str_puts(p->err, ": ");
        va_start(ap, fmt);
        ri_str_vprintf(p->err, fmt, ap);
        va_end(ap);
        return -1;
}

static int no_memory(const struct parse *p)
{
        refuse(p, "no memory for the configuration");
        errno = ENOMEM;
        return -1;
}

static bool is_blank(char c)
{
        return c == ' ' || c == '\t';
}

/* Narrows [*from, *to) to what stands between its blanks. */
static void trim(const char **from, const char **to)
{
        while (*from < *to && is_blank(**from))
                ++*from;
        while (*from < *to && is_blank((*to)[-1]))
                --*to;
}

static bool named(const char *name, const char *p, size_t n)
{
        return strlen(name) == n && memcmp(name, p, n) == 0;
}

static int add_section(struct parse *p, const char *from, const char *to)
{
        struct ri_config *c = p->c;
        struct ri_config_section *s;
        size_t n;

        if (to - from < 2 || to[-1] != ']')
                return refuse(p, "expected ']' at the end of the line that begins a section");
        from++;
        to--;
        trim(&from, &to);
        n = (size_t)(to - from);
        if (!ri_uri_is_name(from, n))
                return refuse(p,
                              "the name of a store is made of at most 64 letters, digits, '_', '-' and '.'");
        for (size_t i = 0; i < c->sections; i++)
                if (named(c->section[i].name, from, n))
                        return refuse(p, "the section [%s] was already given in line %u", c->section[i].name,
                                      c->section[i].line);
        if (c->sections == RI_CONFIG_MAX_SECTIONS)
                return refuse(p, "more than %d sections", RI_CONFIG_MAX_SECTIONS);
        if (!c->section)
                c->section = calloc(RI_CONFIG_MAX_SECTIONS, sizeof(*c->section));
        if (!c->section)
                return no_memory(p);
        s = &c->section[c->sections];
        s->line = p->line;
        s->name = ri_memdup0(from, n);
        if (!s->name)
                return no_memory(p);
        c->sections++;
        return 0;
}

/* `from` is behind the opening quote. The result is never longer than the text, so one allocation does: growing would
 * leave copies of a secret behind. */
static int unquote(struct parse *p, const char *from, const char *to, char **out)
{
        char *w = malloc((size_t)(to - from) + 1), *start = w;

        if (!w)
                return no_memory(p);
        while (from < to && *from != '"') {
                if (*from == '\\') {
                        from++;
                        if (from == to || (*from != '"' && *from != '\\'))
                                break;
                }
                *w++ = *from++;
        }
        *w = '\0';
        *out = start;
        if (from == to)
                return refuse(p, "the closing '\"' of the value is missing");
        if (*from != '"')
                return refuse(
                        p, "inside a quoted value a backslash stands only before '\"' or another backslash");
        if (from + 1 < to)
                return refuse(p,
                              "text after the closing '\"' of the value (a '\"' inside it is written \\\")");
        return 0;
}

static int parse_value(struct parse *p, const char *from, const char *to, char **out)
{
        if (from < to && *from == '"')
                return unquote(p, from + 1, to, out);
        *out = ri_memdup0(from, (size_t)(to - from));
        return *out ? 0 : no_memory(p);
}

/* password and password_file in one section: which of them holds is not guessed. */
static int check_twins(struct parse *p, const struct ri_config_section *s, const char *name, size_t n)
{
        size_t base = n > 5 && memcmp(name + n - 5, "_file", 5) == 0 ? n - 5 : 0;

        for (size_t i = 0; i < s->keys; i++) {
                const char *other = s->key[i].name;
                size_t m = strlen(other);

                if (named(other, name, n))
                        return refuse(p, "the key %s was already given in line %u", other, s->key[i].line);
                if ((base && ri_value_is_secret(other, m) && named(other, name, base)) ||
                    (m == n + 5 && ri_value_is_secret(name, n) && memcmp(other, name, n) == 0 &&
                     strcmp(other + n, "_file") == 0))
                        return refuse(p, "%s in line %u already gives this secret", other, s->key[i].line);
        }
        return 0;
}

static int add_key(struct parse *p, const char *from, const char *to)
{
        struct ri_config_section *s = p->c->sections ? &p->c->section[p->c->sections - 1] : NULL;
        const char *eq = memchr(from, '=', (size_t)(to - from));
        const char *name = from, *name_end = eq;
        struct ri_config_key *k;

        if (!eq)
                return refuse(p, "expected [section] or key = value");
        trim(&name, &name_end);
        if (!ri_uri_is_name(name, (size_t)(name_end - name)))
                return refuse(p,
                              "what stands before '=' is no key (at most 64 letters, digits, '_', '-', '.')");
        if (!s)
                return refuse(p, "a key stands before the first [section]");
        if (check_twins(p, s, name, (size_t)(name_end - name)) < 0)
                return -1;
        if (s->keys == RI_CONFIG_MAX_KEYS)
                return refuse(p, "more than %d keys in one section", RI_CONFIG_MAX_KEYS);
        if (!s->key)
                s->key = calloc(RI_CONFIG_MAX_KEYS, sizeof(*s->key));
        if (!s->key)
                return no_memory(p);
        k = &s->key[s->keys++];
        k->line = p->line;
        k->name = ri_memdup0(name, (size_t)(name_end - name));
        if (!k->name)
                return no_memory(p);
        from = eq + 1;
        trim(&from, &to);
        return parse_value(p, from, to, &k->value);
}

static int parse_line(struct parse *p, const char *from, const char *to)
{
        if (to > from && to[-1] == '\r')
                to--;
        if ((size_t)(to - from) > RI_CONFIG_MAX_LINE)
                return refuse(p, "the line is longer than %zu bytes", RI_CONFIG_MAX_LINE);
        for (const char *c = from; c < to; c++)
                if (((unsigned char)*c < 0x20 && *c != '\t') || *c == 0x7f)
                        return refuse(p, "a control character (0x%02x) in byte %zu of the line",
                                      (unsigned char)*c, (size_t)(c - from) + 1);
        trim(&from, &to);
        if (from == to || *from == '#' || *from == ';')
                return 0;
        if (*from == '[')
                return add_section(p, from, to);
        return add_key(p, from, to);
}

static int parse_lines(struct parse *p, const char *text, size_t n)
{
        const char *end = text + n;

        /* What some editors put at the beginning of UTF-8. */
        if (n >= 3 && memcmp(text, "\xef\xbb\xbf", 3) == 0)
                text += 3;
        while (text < end) {
                const char *nl = memchr(text, '\n', (size_t)(end - text));

                p->line++;
                if (parse_line(p, text, nl ? nl : end) < 0)
                        return -1;
                text = nl ? nl + 1 : end;
        }
        return 0;
}

int ri_config_parse(struct ri_config *c, const char *file, const char *text, size_t n, struct ri_str *err)
{
        struct parse p = { .c = c, .file = file, .line = 0, .err = err };
        int saved;

        memset(c, 0, sizeof(*c));
        c->file = strdup(file);
        if (!c->file)
                no_memory(&p);
        else if (n > RI_CONFIG_MAX_FILE)
                refuse(&p, "the file is longer than %zu bytes", RI_CONFIG_MAX_FILE);
        else if (parse_lines(&p, text, n) == 0)
                return 0;
        saved = errno;
        ri_config_clear(c);
        errno = saved;
        return -1;
}

static void clear_section(struct ri_config_section *s)
{
        for (size_t i = 0; i < s->keys; i++) {
                char *v = s->key[i].value;

                ri_free_secret(v, v ? strlen(v) : 0);
                free(s->key[i].name);
        }
        free(s->key);
        free(s->name);
}

void ri_config_clear(struct ri_config *c)
{
        for (size_t i = 0; i < c->sections; i++)
                clear_section(&c->section[i]);
        free(c->section);
        free(c->file);
        memset(c, 0, sizeof(*c));
}

struct ri_config *ri_config_new(void)
{
        return calloc(1, sizeof(struct ri_config));
}

void ri_config_free(struct ri_config *c)
{
        if (!c)
                return;
        ri_config_clear(c);
        free(c);
}

const struct ri_config_section *ri_config_find(const struct ri_config *c, const char *name)
{
        for (size_t i = 0; i < c->sections; i++)
                if (strcmp(c->section[i].name, name) == 0)
                        return &c->section[i];
        return NULL;
}

const struct ri_config_key *ri_config_key(const struct ri_config_section *s, const char *name)
{
        for (size_t i = 0; i < s->keys; i++)
                if (strcmp(s->key[i].name, name) == 0)
                        return &s->key[i];
        return NULL;
}

const char *ri_config_get(const struct ri_config *c, const char *section, const char *key)
{
        const struct ri_config_section *s = ri_config_find(c, section);
        const struct ri_config_key *k = s ? ri_config_key(s, key) : NULL;

        return k ? k->value : NULL;
}

bool ri_config_has_secret(const struct ri_config *c)
{
        for (size_t i = 0; i < c->sections; i++)
                for (size_t k = 0; k < c->section[i].keys; k++) {
                        const struct ri_config_key *key = &c->section[i].key[k];

                        if (ri_value_is_secret(key->name, strlen(key->name)) ||
                            ri_value_has_password(key->value))
                                return true;
                }
        return false;
}
