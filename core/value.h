/* SPDX-License-Identifier: MIT */
/* The values that people write in URIs, in roma.conf and on command lines: times, sizes, switches. One reading of them
 * for all three places. Each function returns 0, or -1 and leaves the result alone. */
#ifndef RI_VALUE_H
#define RI_VALUE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* For error texts: "expected ...". */
#define RI_VALUE_DURATION_FORM "a time such as 60s, 500ms, 2m, 1h (a plain number is seconds)"
#define RI_VALUE_SIZE_FORM     "a size such as 65536, 64K, 32M, 1GiB (powers of 1024)"
#define RI_VALUE_BOOL_FORM     "yes or no"

/* Whole number with ms, s, m, h or d; without a unit seconds. */
int ri_value_duration(const char *text, uint64_t *ms);

/* Whole number of bytes, or with K, M, G, T, P, also written Ki or KiB and so on, in any case. KB and MB are refused:
 * some read them as powers of ten. */
int ri_value_size(const char *text, uint64_t *bytes);

/* yes, true, on, 1; no, false, off, 0; in any case. */
int ri_value_bool(const char *text, bool *b);

/* Decimal digits only. */
int ri_value_u64(const char *text, uint64_t *v);

/* The one of `words` (ends with NULL) that is likely meant by `word`, or NULL when none is near. */
const char *ri_value_nearest(const char *word, const char *const *words);

/* Whether a setting of this name holds a secret itself; `password_file` names a place and does not. */
bool ri_value_is_secret(const char *name, size_t n);

/* Whether a value is the URL, or the address, of something with a password in it: http://user:password@proxy. */
bool ri_value_has_password(const char *value);

#endif
