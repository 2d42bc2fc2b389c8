/* SPDX-License-Identifier: MIT */
/* Headers and metadata of an object: which may be given, how they are sent, and which of an answer are its own. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "core/props.h"
#include "s3compat/store.h"

/* A name, or a beginning when it ends in '*'. */
static bool matches(const char *name, const char *pattern)
{
        size_t n = strlen(pattern);

        if (n && pattern[n - 1] == '*')
                return strncasecmp(name, pattern, n - 1) == 0;
        return strcasecmp(name, pattern) == 0;
}

static bool is_in(const char *name, const char *const *list)
{
        for (; *list; list++)
                if (matches(name, *list))
                        return true;
        return false;
}

/* What comes behind "x-amz-", "x-oss-" or "x-obs-"; NULL: no such header. */
static const char *behind_prefix(const char *name)
{
        static const char *const prefixes[] = { "x-amz-", "x-oss-", "x-obs-" };

        for (size_t i = 0; i < 3; i++)
                if (strncasecmp(name, prefixes[i], 6) == 0)
                        return name + 6;
        return NULL;
}

/* Giving */

static const char *header_fault(const struct s3_store *st, const char *name, const char *value, int *code)
{
        /* What makes the message, or would make another request of it. */
        static const char *const own[] = { "authorization",
                                           "connection",
                                           "content-length",
                                           "content-md5",
                                           "content-range",
                                           "cookie",
                                           "date",
                                           "expect",
                                           "host",
                                           "if-*",
                                           "keep-alive",
                                           "origin",
                                           "proxy-*",
                                           "range",
                                           "te",
                                           "trailer",
                                           "transfer-encoding",
                                           "upgrade",
                                           "user-agent",
                                           NULL };
        static const char *const own_behind[] = { "checksum-*",
                                                  "content-sha256",
                                                  "copy-*",
                                                  "date",
                                                  "decoded-content-length",
                                                  "forbid-overwrite",
                                                  "hash-*",
                                                  "meta-*",
                                                  "metadata-directive",
                                                  "mp-object-size",
                                                  "sdk-checksum-algorithm",
                                                  "security-token",
                                                  "trailer",
                                                  NULL };
        const char *prefix = s3_header_prefix(st->profile.dialect), *behind = behind_prefix(name);

        *code = ROMA_EINVAL;
        if (is_in(name, own) || (behind && is_in(behind, own_behind)))
                return behind && matches(behind, "meta-*") ? "is given as metadata, without its prefix"
                                                           : "is set by libroma itself";
        if (behind && strncasecmp(name, prefix, 6) != 0)
                return "is of another dialect, and this server would not look at it";
        *code = ROMA_ENOTSUP;
        if (behind && matches(behind, "server-side-encryption-customer-*"))
                return "would have to go with each request for the object, which libroma does not do";
        if (strcasecmp(name, "content-encoding") == 0 && strcasestr(value, "aws-chunked"))
                return "says that the body is sent in chunks, which it is not";
        return NULL;
}

static const char *meta_fault(const struct s3_store *st, const char *name, int *code)
{
        *code = ROMA_ENOTSUP;
        if (st->profile.vendor == S3_VENDOR_RADOSGW && strchr(name, '_'))
                return "has a _ in its name, for which this server would put a -";
        return NULL;
}

int s3_props_check(const struct s3_store *st, const roma_prop *v, size_t n, struct ri_error *e)
{
        uint64_t most = st->profile.traits->max_meta, meta = 0;

        for (size_t i = 0; i < n; i++) {
                bool is_meta = v[i].kind == ROMA_PROP_META;
                int code;
                const char *fault = is_meta ? meta_fault(st, v[i].name, &code)
                                            : header_fault(st, v[i].name, v[i].value, &code);

                if (fault) {
                        ri_error_set(e, code, NULL, "the %s \"%.128s\" %s", is_meta ? "metadata" : "header",
                                     v[i].name, fault);
                        return -1;
                }
                if (is_meta)
                        meta += strlen(v[i].name) + strlen(v[i].value);
        }
        if (meta <= most)
                return 0;
        ri_error_set(e, ROMA_EINVAL, NULL,
                     "the metadata have %llu bytes, names and values together; this server takes %llu",
                     (unsigned long long)meta, (unsigned long long)most);
        return -1;
}

void s3_props_add(struct s3_request *r, const roma_prop *v, size_t n)
{
        const char *prefix = s3_header_prefix(r->st->profile.dialect);

        for (size_t i = 0; i < n; i++) {
                char name[160], *p = name;

                snprintf(name, sizeof(name), "%s%s", v[i].kind == ROMA_PROP_META ? prefix : "",
                         v[i].kind == ROMA_PROP_META ? "meta-" : "");
                p += strlen(name);
                snprintf(p, sizeof(name) - (size_t)(p - name), "%s", v[i].name);
                /* Servers give them back so; what is signed has them so. */
                for (p = name; v[i].kind == ROMA_PROP_META && *p; p++)
                        if (*p >= 'A' && *p <= 'Z')
                                *p = (char)(*p - 'A' + 'a');
                s3_fields_set(&r->headers, name, v[i].value);
        }
}

/* Getting */

/* Of the object, not of the answer. */
static bool is_kept(const char *name)
{
        static const char *const plain[] = { "content-type",
                                             "cache-control",
                                             "content-disposition",
                                             "content-encoding",
                                             "content-language",
                                             "expires",
                                             NULL };
        static const char *const behind[] = { "storage-class",
                                              "server-side-encryption*",
                                              "version-id",
                                              "website-redirect-location",
                                              "object-lock-*",
                                              "object-type",
                                              "tagging-count",
                                              "expiration",
                                              "restore",
                                              "replication-status",
                                              NULL };
        const char *rest = behind_prefix(name);

        return rest ? is_in(rest, behind) : is_in(name, plain);
}

static size_t collect(const struct s3_fields *reply, roma_prop *v)
{
        size_t n = 0;

        for (size_t i = 0; i < reply->n; i++) {
                const struct s3_field *f = &reply->v[i];
                const char *rest = behind_prefix(f->name);
                bool meta = rest && strncasecmp(rest, "meta-", 5) == 0 && rest[5];

                if (!meta && !is_kept(f->name))
                        continue;
                v[n].kind = meta ? ROMA_PROP_META : ROMA_PROP_HEADER;
                v[n].name = meta ? rest + 5 : f->name;
                v[n++].value = f->value ? f->value : "";
        }
        return n;
}

struct ri_props *s3_props_for_copy(struct s3_fields *reply, const struct ri_props *asked, bool bare)
{
        roma_prop *v = calloc(reply->n + 1, sizeof(*v));
        struct ri_props *p;

        if (!v)
                return NULL;
        s3_fields_lower(reply);
        p = ri_props_for_copy(v, collect(reply, v), asked, false, bare);
        free(v);
        return p;
}

int s3_props_give(struct ri_op *op, struct s3_fields *reply)
{
        roma_prop *v = calloc(reply->n + 1, sizeof(*v));
        int r;

        if (!v) {
                ri_op_fail(op, ROMA_ENOMEM, "out of memory");
                return -1;
        }
        s3_fields_lower(reply);
        r = ri_op_set_props(op, v, collect(reply, v));
        free(v);
        return r;
}
