/* SPDX-License-Identifier: MIT */
/* How places and objects are named.
 *
 *   scheme://authority/path?option=value&option=value   a store and an object in it
 *   name:path?option=value                              the same, the store being named in roma.conf
 *   x  ./x  ../x  /x                                    a local path: every byte stands for itself
 *   -                                                   standard input or output
 *
 * A colon before the first slash makes the first or second form; a local file with such a name is written ./na:me.
 *
 * In the first two forms %XX stands for a byte. Only % and, outside options, ? must be written so (%25, %3F), inside
 * an option value also & (%26), inside an authority / (%2F). Everything else stands for itself: #, +, spaces, UTF-8,
 * bytes that are no UTF-8. Nothing is normalised: dot segments and double slashes are names. %00 is refused.
 *
 * The parser knows no scheme: what an authority means (hosts, a bucket, a pool, nothing) is the store's affair.
 * Settings that hold a secret are refused in a URI: command lines are seen by everybody on the machine. */
#ifndef RI_URI_H
#define RI_URI_H

#include "core/str.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define RI_URI_MAX         ((size_t)65536) /* longest text that is parsed */
#define RI_URI_MAX_OPTIONS 64
#define RI_URI_MAX_NAME    64 /* of a store or an option */

enum ri_uri_kind { RI_URI_STORE, RI_URI_NAMED, RI_URI_LOCAL, RI_URI_STDIO };

struct ri_uri_option {
        char *name, *value;
};

/* All strings are owned, decoded and never NULL after a successful parse. A zeroed struct is empty. */
struct ri_uri {
        enum ri_uri_kind kind;
        char *scheme;    /* STORE: in lower case; else "" */
        char *name;      /* NAMED: of the store in roma.conf; kept in what it resolves to; else "" */
        char *authority; /* STORE: what stands between // and the next /; else "" */
        char *path; /* STORE: "" or begins with '/'; NAMED: as written, may lack the '/'; LOCAL; STDIO: "-" */
        struct ri_uri_option *option;
        size_t options;
};

/* 0, or -1 with a sentence in `err` (errno is EINVAL, or ENOMEM); `out` then holds nothing. */
int ri_uri_parse(const char *text, struct ri_uri *out, struct ri_str *err);
void ri_uri_clear(struct ri_uri *u);
int ri_uri_copy(const struct ri_uri *from, struct ri_uri *to);
bool ri_uri_equal(const struct ri_uri *a, const struct ri_uri *b);

/* Appends the text that parses to the same. Of what need not be encoded only control characters and bytes that are no
 * UTF-8 are, so that the text is UTF-8 on one line (LOCAL: the very bytes). -1: `out` failed. */
int ri_uri_format(const struct ri_uri *u, struct ri_str *out);

/* Appends a form for error texts and logs: without options, without control characters, cut when very long. */
int ri_uri_describe(const struct ri_uri *u, struct ri_str *out);

/* Replaces or adds an option (for callers that merge settings). -1: errno is ENOMEM, or E2BIG:
 * there are RI_URI_MAX_OPTIONS already. */
int ri_uri_set_option(struct ri_uri *u, const char *name, const char *value);

/* The value, or NULL when the option was not given. */
const char *ri_uri_opt(const struct ri_uri *u, const char *name);

/* 1: given, *v set. 0: not given, *v untouched. -1: not understood, with a sentence. */
int ri_uri_opt_duration(const struct ri_uri *u, const char *name, uint64_t *ms, struct ri_str *err);
int ri_uri_opt_size(const struct ri_uri *u, const char *name, uint64_t *bytes, struct ri_str *err);
int ri_uri_opt_bool(const struct ri_uri *u, const char *name, bool *b, struct ri_str *err);
int ri_uri_opt_u64(const struct ri_uri *u, const char *name, uint64_t min, uint64_t max, uint64_t *v,
                   struct ri_str *err);

/* *v becomes the index in `choices` (ends with NULL). */
int ri_uri_opt_choice(const struct ri_uri *u, const char *name, const char *const *choices, size_t *v,
                      struct ri_str *err);

/* -1 with a sentence when an option is not among `known` (ends with NULL). */
int ri_uri_check_opts(const struct ri_uri *u, const char *const *known, struct ri_str *err);

/* Names of stores and options: letters, digits, '_', '-', '.', beginning with a letter or digit, at most
 * RI_URI_MAX_NAME bytes. */
bool ri_uri_is_name(const char *p, size_t n);

#endif
