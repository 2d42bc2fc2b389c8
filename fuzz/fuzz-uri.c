/* SPDX-License-Identifier: MIT */
/* Any text: parsed, written back and parsed again it must be the same; error texts must be fit for a terminal. */
#include "core/hosts.h"
#include "core/uri.h"

#include <stdint.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(int condition)
{
        if (!condition)
                abort();
}

static void must_be_printable(const struct ri_str *s)
{
        for (size_t i = 0, len; i < s->len; i += len) {
                len = ri_utf8_len(s->p + i, s->len - i);
                must(len > 0 && (unsigned char)s->p[i] >= 0x20 && s->p[i] != 0x7f);
        }
}

static void read_options(const struct ri_uri *u, struct ri_str *err)
{
        static const char *const known[] = { "endpoint", "region", "stall", "export", NULL };
        uint64_t n;
        size_t i;
        bool b;

        if (ri_uri_check_opts(u, known, err) < 0)
                must_be_printable(err);
        for (size_t k = 0; k < u->options; k++) {
                const char *name = u->option[k].name;

                must(ri_uri_opt(u, name) == u->option[k].value);
                if (ri_uri_opt_duration(u, name, &n, err) < 0)
                        must_be_printable(err);
                ri_uri_opt_size(u, name, &n, err);
                ri_uri_opt_bool(u, name, &b, err);
                ri_uri_opt_u64(u, name, 1, 100, &n, err);
                ri_uri_opt_choice(u, name, known, &i, err);
        }
}

static void read_hosts(const char *authority, struct ri_str *err)
{
        struct ri_hosts a, b;
        struct ri_str text = RI_STR_INIT(2 * RI_URI_MAX);

        if (ri_hosts_parse(authority, 9421, &a, err) < 0) {
                must_be_printable(err);
                return;
        }
        for (size_t i = 0; i < a.n; i++) {
                ri_str_puts(&text, i ? "," : "");
                must(ri_host_format(a.v[i].name, a.v[i].port, &text) == 0);
        }
        must(ri_hosts_parse(ri_str_cstr(&text), 1, &b, err) == 0 && a.n == b.n);
        for (size_t i = 0; i < a.n; i++)
                must(a.v[i].port == b.v[i].port);
        ri_hosts_clear(&a);
        ri_hosts_clear(&b);
        ri_str_free(&text);
}

static void again(const struct ri_uri *u, struct ri_str *err)
{
        struct ri_str text = RI_STR_INIT(4 * RI_URI_MAX);
        struct ri_uri copy, second;

        must(ri_uri_describe(u, &text) == 0);
        must_be_printable(&text);
        ri_str_reset(&text);
        must(ri_uri_format(u, &text) == 0);
        if (u->kind == RI_URI_STORE || u->kind == RI_URI_NAMED)
                must_be_printable(&text);
        /* Encoding makes text longer, at the very end of what is allowed too long. */
        if (text.len <= RI_URI_MAX) {
                must(ri_uri_parse(ri_str_cstr(&text), &second, err) == 0);
                must(ri_uri_equal(u, &second));
                ri_uri_clear(&second);
        }
        must(ri_uri_copy(u, &copy) == 0 && ri_uri_equal(u, &copy));
        ri_uri_clear(&copy);
        ri_str_free(&text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
        struct ri_str err = RI_STR_INIT(RI_STR_MAX_ERROR);
        char *text = ri_memdup0(data, size);
        struct ri_uri u;

        if (!text)
                return 0;
        if (ri_uri_parse(text, &u, &err) == 0) {
                again(&u, &err);
                read_options(&u, &err);
                read_hosts(u.authority, &err);
                ri_uri_clear(&u);
        } else {
                must(err.len > 0 && !err.failed);
                must_be_printable(&err);
        }
        free(text);
        ri_str_free(&err);
        return 0;
}
