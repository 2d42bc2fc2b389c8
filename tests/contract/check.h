/* SPDX-License-Identifier: MIT */
/* Assertions. The first that fails ends its test function; what it left open goes with the loop. */
#ifndef CONTRACT_CHECK_H
#define CONTRACT_CHECK_H

#include <string.h>

#include "env.h"

void check_fail(const char *file, int line, const char *fmt, ...) __attribute__((format(printf, 3, 4)));
/* A failure must also have a sentence. */
bool check_code(const struct res *res, int want);
const char *check_code_text(const struct res *res);
/* NULL, or where they differ. */
const char *check_mem(const void *got, const void *want, size_t n);

#define FAIL(...)                                            \
        do {                                                 \
                check_fail(__FILE__, __LINE__, __VA_ARGS__); \
                return;                                      \
        } while (0)
#define SKIP(...)                            \
        do {                                 \
                env.skipped = true;          \
                env.why = text(__VA_ARGS__); \
                return;                      \
        } while (0)
/* Ends the test when a function that it called has failed. */
#define ALSO(call)              \
        do {                    \
                call;           \
                if (env.why)    \
                        return; \
        } while (0)
#define CHECK(cond)                                 \
        do {                                        \
                if (!(cond))                        \
                        FAIL("expected %s", #cond); \
        } while (0)
#define EQ(got, want)                                                                      \
        do {                                                                               \
                long long got_ = (long long)(got), want_ = (long long)(want);              \
                if (got_ != want_)                                                         \
                        FAIL("%s: expected %lld (%s) got %lld", #got, want_, #want, got_); \
        } while (0)
#define EQ_STR(got, want)                                                                            \
        do {                                                                                         \
                const char *got_ = (got), *want_ = (want);                                           \
                if (!got_ || strcmp(got_, want_) != 0)                                               \
                        FAIL("%s: expected \"%s\" got \"%s\"", #got, want_, got_ ? got_ : "(null)"); \
        } while (0)
#define EQ_MEM(got, want, n)                                            \
        do {                                                            \
                const char *where_ = check_mem(got, want, n);           \
                if (where_)                                             \
                        FAIL("%s against %s: %s", #got, #want, where_); \
        } while (0)
#define CODE(call, want)                                                                                    \
        do {                                                                                                \
                const struct res *res_ = (call);                                                            \
                if (!check_code(res_, want))                                                                \
                        FAIL("%s: expected %s got %s", #call, roma_code_name(want), check_code_text(res_)); \
        } while (0)
#define OK(call) CODE(call, ROMA_OK)
/* Any failure with a sentence. */
#define REFUSED(call)                                                                                        \
        do {                                                                                                 \
                const struct res *res_ = (call);                                                             \
                if (res_->code == ROMA_OK || !*res_->message)                                                \
                        FAIL("%s: expected a failure with a sentence got %s", #call, check_code_text(res_)); \
        } while (0)

/* What the object holds now is exactly this; through the store under test. */
void holds(roma_store *s, const char *key, const void *want, size_t n, const char *file, int line);
#define HOLDS(s, key, want, n) ALSO(holds(s, key, want, n, __FILE__, __LINE__))
void absent(roma_store *s, const char *key, const char *file, int line);
#define ABSENT(s, key) ALSO(absent(s, key, __FILE__, __LINE__))
/* No temporary is left in the folder of the test. */
void no_temporaries(const char *file, int line);
#define NO_TEMPORARIES() ALSO(no_temporaries(__FILE__, __LINE__))

/* Independent of the library. */
uint32_t ref_crc32(const void *p, size_t n);
const char *ref_digest(const char *algorithm, const void *p, size_t n);
void local_write(const char *path, const void *p, size_t n);
/* NULL when it cannot be read whole. */
uint8_t *local_read(const char *path, size_t *n);

#endif
