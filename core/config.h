/* SPDX-License-Identifier: MIT */
/* roma.conf: named stores and their secrets.
 *
 *   # a comment: a line whose first character after blanks is # or ;
 *   [photos]
 *   uri = s3://bucket/2026
 *   endpoint = https://s3.example.net
 *   access_key = AKIA...
 *   secret_key_file = /run/secrets/photos
 *   password = "  with blanks, a \" and a \\  "
 *
 * A section is a store, its name is what stands before the colon in name:path. `uri` says what the store is; every
 * other key is an option of that URI, or a secret (password, secret_key, session_token, ...; each may instead be given
 * as NAME_file, the file that holds it). A value goes to the end of its line, without the blanks around it; # and ; are
 * part of it. A value that begins with a double quote ends with one, keeps its blanks, and inside it \" and \\ stand for
 * " and \. Lines end with LF or CRLF and are not continued.
 *
 * Memory that held values is overwritten before it is freed. Error texts name file and line and never quote a secret. */
#ifndef RI_CONFIG_H
#define RI_CONFIG_H

#include "core/str.h"
#include "core/uri.h"

#include <stdbool.h>
#include <stddef.h>

#define RI_CONFIG_MAX_FILE     ((size_t)1 << 20)
#define RI_CONFIG_MAX_LINE     ((size_t)65536) /* without the line end */
#define RI_CONFIG_MAX_SECTIONS 1000
#define RI_CONFIG_MAX_KEYS     64 /* of one section: what a URI can hold as options */
#define RI_SECRET_FILE_MAX     4096

struct ri_config_key {
        char *name, *value;
        unsigned line;
};

struct ri_config_section {
        char *name;
        unsigned line;
        struct ri_config_key *key;
        size_t keys;
};

/* A zeroed struct is an empty configuration. Sections stay in the order of the file. */
struct ri_config {
        char *file; /* NULL when none was read */
        struct ri_config_section *section;
        size_t sections;
};

void ri_config_clear(struct ri_config *c);

/* The same on the heap. NULL: out of memory. Freeing NULL is fine. */
struct ri_config *ri_config_new(void);
void ri_config_free(struct ri_config *c);

/* Each fills an empty configuration: 0, or -1 with a sentence in `err` (may be NULL) and nothing in `c`.
 * _parse: `file` is only the name for error texts. _load_file: refuses a file with secrets that others can read.
 * _load_default: $ROMA_CONFIG, which must exist when set; else the first that exists of roma/roma.conf in
 * $XDG_CONFIG_HOME (~/.config when unset) and /etc/roma/roma.conf; no file at all is an empty configuration. The
 * environment is ignored by a program that runs with more rights than its caller. */
int ri_config_parse(struct ri_config *c, const char *file, const char *text, size_t n, struct ri_str *err);
int ri_config_load_file(struct ri_config *c, const char *path, struct ri_str *err);
int ri_config_load_default(struct ri_config *c, struct ri_str *err);

/* NULL when there is none. */
const struct ri_config_section *ri_config_find(const struct ri_config *c, const char *name);
const struct ri_config_key *ri_config_key(const struct ri_config_section *s, const char *name);

/* The value or NULL. */
const char *ri_config_get(const struct ri_config *c, const char *section, const char *key);

/* Whether some key holds a secret itself, or a URL with a password. */
bool ri_config_has_secret(const struct ri_config *c);

/* Turns a NAMED uri into the STORE uri it stands for; `c` may be NULL (no configuration was loaded). The name's path
 * follows the path of the section's uri with one slash between them. Options: those of `named` win over the keys of the
 * section; a key that is also an option of the section's uri is an error. Secrets do not become options; values of
 * NAME_file that are relative are taken from the folder of roma.conf. out->name is the name of the store. */
int ri_config_resolve(const struct ri_config *c, const struct ri_uri *named, struct ri_uri *out,
                      struct ri_str *err);

/* The secret `what` ("password", "secret_key", ...) of a store: from the file that the option WHAT_file names, or from
 * the section u->name of `c` (may be NULL). 1: `out` holds it (wipe it). 0: none is configured. -1: a sentence. */
int ri_secret_get(const struct ri_uri *u, const struct ri_config *c, const char *what, struct ri_str *out,
                  struct ri_str *err);

/* The content of a file that holds a secret, without one line end at its end. Refused: longer than RI_SECRET_FILE_MAX,
 * empty, with a zero byte, readable or writable by others, not a regular file. */
int ri_secret_file_read(const char *path, struct ri_str *out, struct ri_str *err);

#endif
