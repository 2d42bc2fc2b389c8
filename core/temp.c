/* SPDX-License-Identifier: MIT */
/* Names of temporaries: hidden, short enough for any folder, and not to be guessed or met twice. */
#include <string.h>
#include <sys/random.h>

#include "core/backend.h"

#define PREFIX RI_TEMP_PREFIX

static const char letters[] = "0123456789abcdefghijklmnopqrstuvwxyz";

int ri_temp_name(char out[RI_TEMP_NAME])
{
        unsigned char r[RI_TEMP_NAME - sizeof(PREFIX) + 1];
        const size_t n = 16;

        if (getrandom(r, n, 0) != (ssize_t)n)
                return -1;
        memcpy(out, PREFIX, sizeof(PREFIX) - 1);
        for (size_t i = 0; i < n; i++)
                out[sizeof(PREFIX) - 1 + i] = letters[r[i] % 36];
        out[sizeof(PREFIX) - 1 + n] = '\0';
        return 0;
}

bool ri_temp_is(const char *name, size_t len)
{
        if (len != sizeof(PREFIX) - 1 + 16 || memcmp(name, PREFIX, sizeof(PREFIX) - 1) != 0)
                return false;
        for (size_t i = sizeof(PREFIX) - 1; i < len; i++)
                if (!memchr(letters, name[i], 36))
                        return false;
        return true;
}

bool ri_temp_below(const char *key, size_t from)
{
        const char *p = key;

        while (*p) {
                size_t n = strcspn(p, "/");

                if ((size_t)(p - key) + n >= from && ri_temp_is(p, n))
                        return true;
                p += n + (p[n] == '/');
        }
        return false;
}
