/* SPDX-License-Identifier: MIT */
/* The names in the folder of an upload, and what its own file says. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/crc.h"
#include "core/upload.h"

#define FOLDER RI_TEMP_PREFIX
#define NOTE   "roma upload 1\n"

bool ri_upload_id_ok(const char *id)
{
        char name[RI_TEMP_NAME + 8];

        if (!id || strlen(id) != RI_UPLOAD_ID)
                return false;
        snprintf(name, sizeof(name), "%s%s", FOLDER, id);
        return ri_temp_is(name, strlen(name));
}

static const char *base_of(const char *key)
{
        const char *slash = strrchr(key, '/');

        return slash ? slash + 1 : key;
}

char *ri_upload_key(const char *key, const char *id, const char *name)
{
        char *s;

        return asprintf(&s, "%.*s%s%s%s%s", (int)(base_of(key) - key), key, FOLDER, id, *name ? "/" : "",
                        name) < 0
                       ? NULL
                       : s;
}

char *ri_upload_own(const char *key, const char *id)
{
        const char *base = base_of(key);
        char name[24];

        snprintf(name, sizeof(name), "upload~%08" PRIx32, ri_crc32(0, base, strlen(base)));
        return ri_upload_key(key, id, name);
}

char *ri_part_key(const char *key, const char *id, const struct ri_part_name *n)
{
        char name[128];

        snprintf(name, sizeof(name), "%05u~%016" PRIx64 "~%s~%08" PRIx32 "~%016" PRIx64, n->number, n->time,
                 n->etag, n->crc, n->length);
        return ri_upload_key(key, id, name);
}

char *ri_part_data(const roma_store *store, const char *key, const char *id, const struct ri_part_name *n)
{
        char name[64];

        if (store->be->flags & RI_FOLDERS)
                return ri_part_key(key, id, n);
        snprintf(name, sizeof(name), "piece~%05u~%016" PRIx64, n->number, n->time);
        return ri_upload_key(key, id, name);
}

/* Exactly `digits` hexadecimal ones and what follows them. */
static const char *hex(const char *p, size_t digits, char after, uint64_t *v)
{
        if (!p || strspn(p, "0123456789abcdef") != digits || p[digits] != after)
                return NULL;
        *v = strtoull(p, NULL, 16);
        return p + digits + (after != '\0');
}

bool ri_part_parse(const char *name, struct ri_part_name *n)
{
        uint64_t crc = 0, low;
        const char *p = name;

        if (strspn(p, "0123456789") != 5 || p[5] != '~')
                return false;
        n->number = (unsigned)strtoul(p, NULL, 10);
        p = hex(p + 6, 16, '~', &n->time);
        if (!p || strspn(p, "0123456789abcdef") != RI_PART_ETAG - 1 || p[RI_PART_ETAG - 1] != '~')
                return false;
        memcpy(n->etag, p, RI_PART_ETAG - 1);
        n->etag[RI_PART_ETAG - 1] = '\0';
        p = hex(p + RI_PART_ETAG, 8, '~', &crc);
        p = hex(p, 16, '\0', &low);
        n->crc = (uint32_t)crc;
        n->length = p ? low : 0;
        return p && n->number >= 1 && n->number <= ROMA_MAX_PARTS && n->length <= INT64_MAX;
}

bool ri_upload_split(const char *listed, const char **id, const char **name)
{
        const size_t n = sizeof(FOLDER) - 1 + RI_UPLOAD_ID;

        for (const char *p = listed; *p; p += strcspn(p, "/"), p += *p == '/') {
                if (strcspn(p, "/") != n || !ri_temp_is(p, n) || p[n] != '/')
                        continue;
                *id = p + sizeof(FOLDER) - 1;
                *name = p + n + 1;
                return true;
        }
        return false;
}

int ri_upload_note(struct ri_str *out, const char *key, const roma_attr *attr)
{
        ri_str_puts(out, NOTE);
        if (attr && attr->mask & ROMA_ATTR_MODE)
                ri_str_printf(out, "mode %u\n", (unsigned)attr->mode);
        if (attr && attr->mask & ROMA_ATTR_MTIME)
                ri_str_printf(out, "mtime %" PRId64 "\n", attr->mtime_ns);
        ri_str_puts(out, "key ");
        return ri_str_puts(out, base_of(key));
}

bool ri_upload_note_read(const char *text, char **base, roma_attr *attr)
{
        const char *p = text + sizeof(NOTE) - 1;

        *base = NULL;
        *attr = (roma_attr){ .size = sizeof(*attr) };
        if (strncmp(text, NOTE, sizeof(NOTE) - 1) != 0)
                return false;
        while (strncmp(p, "key ", 4) != 0) {
                const char *end = strchr(p, '\n');
                long long v;

                if (!end)
                        return false;
                if (sscanf(p, "mode %lld\n", &v) == 1 && v >= 0 && v <= 07777) {
                        attr->mask |= ROMA_ATTR_MODE;
                        attr->mode = (uint32_t)v;
                } else if (sscanf(p, "mtime %lld\n", &v) == 1) {
                        attr->mask |= ROMA_ATTR_MTIME;
                        attr->mtime_ns = v;
                } else {
                        return false;
                }
                p = end + 1;
        }
        *base = strdup(p + 4);
        return *base != NULL;
}
