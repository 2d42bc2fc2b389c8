/* SPDX-License-Identifier: MIT */
/* The version of libroma at compile time and at run time, and the marks that every public header uses. */
#ifndef ROMA_VERSION_H
#define ROMA_VERSION_H

#define ROMA_VERSION_MAJOR  0
#define ROMA_VERSION_MINOR  1
#define ROMA_VERSION_PATCH  0
#define ROMA_VERSION_STRING "0.1.0"

/* For `#if ROMA_VERSION >= ROMA_VERSION_NUMBER(0, 2, 0)`. */
#define ROMA_VERSION_NUMBER(major, minor, patch) ((major)*1000000 + (minor)*1000 + (patch))
#define ROMA_VERSION                             ROMA_VERSION_NUMBER(ROMA_VERSION_MAJOR, ROMA_VERSION_MINOR, ROMA_VERSION_PATCH)

/* Everything is hidden but what carries this mark. */
#if defined(__GNUC__)
#define ROMA_API __attribute__((visibility("default")))
#else
#define ROMA_API
#endif

#ifdef __cplusplus
extern "C" {
#endif

/* The version of the library that the program runs with, "0.1.0"; static, never NULL, from any thread. */
ROMA_API const char *roma_version(void);

/* The schemes that this version knows, "file", "mfs" ...: the i-th, or NULL behind the last. *installed (unless
 * NULL): 1 when stores of it can be opened, 0 when the package that brings it is not there. Static, from any
 * thread. */
ROMA_API const char *roma_scheme(unsigned i, int *installed);

#ifdef __cplusplus
}
#endif

#endif
