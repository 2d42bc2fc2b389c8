/* SPDX-License-Identifier: MIT */
#include "s3compat/profile.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

enum { MIN_PART = 5 << 20, MIN_PART_OSS = 100 << 10, MAX_ATTEMPTS = 20, MAX_CONNECTIONS = 256 };
/* radosgw and unknown servers have limits of their own, which they name. */
enum { META_AWS = 2048, META_MOST = 8192 };
#define COPY_MOST (UINT64_C(5) << 30)
#define COPY_OSS  (UINT64_C(1) << 30)
/* Above this a server that says nothing while it copies is asked for parts, each of which is progress. */
#define COPY_SILENT (UINT64_C(512) << 20)

#define ANY   (1u << S3_SUM_NONE | 1u << S3_SUM_MD5)
#define AMZ   (ANY | 1u << S3_SUM_SIGNED | 1u << S3_SUM_CRC32 | 1u << S3_SUM_CRC32C | 1u << S3_SUM_CRC64NVME)
#define CRC64 (1u << S3_SUM_CRC64)

static const struct s3_traits traits[] = {
        [S3_VENDOR_AWS] = { .name = "aws",
                            .dialect = S3_AWS4,
                            .checksum = S3_SUM_CRC32,
                            .sums = AMZ,
                            .tells_sums = true,
                            .etag_md5 = true,
                            .if_none_match = true,
                            .if_none_match_complete = true,
                            .if_match = S3_MATCH_QUOTED,
                            .list_v2 = true,
                            .list_encoding = true,
                            .min_part = MIN_PART,
                            .max_copy = COPY_MOST,
                            .copies_aloud = true,
                            .max_meta = META_AWS },
        [S3_VENDOR_OSS] = { .name = "oss",
                            .dialect = S3_OSS4,
                            .checksum = S3_SUM_CRC64,
                            .sums = ANY | CRC64 | 1u << S3_SUM_SIGNED,
                            .forbid_overwrite = "x-oss-forbid-overwrite",
                            .list_v2 = true,
                            .list_encoding = true,
                            .min_part = MIN_PART_OSS,
                            .max_copy = COPY_OSS,
                            .max_meta = META_MOST },
        [S3_VENDOR_OBS] = { .name = "obs",
                            .dialect = S3_OBS,
                            .checksum = S3_SUM_MD5,
                            .sums = ANY | 1u << S3_SUM_SIGNED,
                            .etag_md5 = true,
                            .min_part = MIN_PART_OSS,
                            .max_copy = COPY_MOST,
                            .max_meta = META_MOST },
        [S3_VENDOR_MINIO] = { .name = "minio",
                              .dialect = S3_AWS4,
                              .checksum = S3_SUM_CRC32,
                              .sums = AMZ,
                              .tells_sums = true,
                              .etag_md5 = true,
                              .path_style = true,
                              .if_none_match = true,
                              .if_none_match_complete = true,
                              .if_match = S3_MATCH_QUOTED,
                              .list_v2 = true,
                              .list_encoding = true,
                              .min_part = MIN_PART,
                              .max_copy = COPY_MOST,
                              .max_meta = META_AWS },
        [S3_VENDOR_RADOSGW] = { .name = "radosgw",
                                .dialect = S3_AWS4,
                                .checksum = S3_SUM_SIGNED,
                                .sums = AMZ,
                                .etag_md5 = true,
                                .path_style = true,
                                .if_none_match = true,
                                .if_match = S3_MATCH_BARE,
                                .list_v2 = true,
                                .list_encoding = true,
                                .min_part = MIN_PART,
                                .max_copy = COPY_MOST,
                                .copies_aloud = true,
                                .max_meta = META_MOST },
        [S3_VENDOR_GENERIC] = { .name = "generic",
                                .dialect = S3_AWS4,
                                .checksum = S3_SUM_SIGNED,
                                .sums = AMZ | CRC64,
                                .path_style = true,
                                .list_v2 = true,
                                .list_encoding = true,
                                .min_part = MIN_PART,
                                .max_copy = COPY_MOST,
                                .max_meta = META_MOST },
};

const struct s3_traits *s3_traits(enum s3_vendor v)
{
        return &traits[v];
}

const char *const s3_options[] = { "access_key",
                                   "addressing",
                                   "anonymous",
                                   "attempts",
                                   "ca",
                                   "cert",
                                   "cert_key",
                                   "checksum",
                                   "connections",
                                   "copy",
                                   "dialect",
                                   "endpoint",
                                   "if_absent",
                                   "insecure",
                                   "internal",
                                   "list",
                                   "part",
                                   "profile",
                                   "proxy",
                                   "region",
                                   "secret_key_file",
                                   "session_token_file",
                                   "vendor",
                                   "verify",
                                   NULL };

void s3_profile_clear(struct s3_profile *p)
{
        free(p->bucket);
        free(p->prefix);
        free(p->host);
        free(p->region);
        free(p->access_key);
        free(p->aws_profile);
        free(p->ca);
        free(p->proxy);
        free(p->cert);
        free(p->cert_key);
        memset(p, 0, sizeof(*p));
}

static char *option(const struct ri_uri *u, const char *name)
{
        const char *v = ri_uri_opt(u, name);

        return strdup(v ? v : "");
}

static bool ends_with(const char *host, const char *suffix)
{
        size_t n = strcspn(host, ":"), m = strlen(suffix);

        return n >= m && strncasecmp(host + n - m, suffix, m) == 0;
}

/* Which kind of server is meant by this scheme at this host. */
static enum s3_vendor guess_vendor(const char *scheme, const char *host)
{
        if (strcmp(scheme, "oss") == 0)
                return S3_VENDOR_OSS;
        if (strcmp(scheme, "obs") == 0)
                return S3_VENDOR_OBS;
        if (strcmp(scheme, "minio") == 0)
                return S3_VENDOR_MINIO;
        if (!*host || ends_with(host, ".amazonaws.com") || ends_with(host, ".amazonaws.com.cn"))
                return S3_VENDOR_AWS;
        return S3_VENDOR_GENERIC;
}

/* The vendor's own name for the endpoint of a region. */
static int default_host(struct s3_profile *p, bool internal, struct ri_str *out)
{
        const char *r = p->region;
        bool china = strncmp(r, "cn-", 3) == 0;

        switch (p->vendor) {
        case S3_VENDOR_OSS:
                return ri_str_printf(out, "oss-%s%s.aliyuncs.com", r, internal ? "-internal" : "");
        case S3_VENDOR_OBS: return ri_str_printf(out, "obs.%s.myhuaweicloud.com", r);
        default: return ri_str_printf(out, "s3.%s.amazonaws.com%s", r, china ? ".cn" : "");
        }
}

/* Names with which a certificate for *.host works, and DNS too. */
static bool dns_bucket(const char *b, bool tls)
{
        size_t n = strlen(b);

        if (n < 3 || n > 63)
                return false;
        for (size_t i = 0; i < n; i++)
                if (!((b[i] >= 'a' && b[i] <= 'z') || (b[i] >= '0' && b[i] <= '9') || b[i] == '-' ||
                      (b[i] == '.' && !tls)))
                        return false;
        return b[0] != '-' && b[n - 1] != '-';
}

static bool is_address(const char *host)
{
        return *host && (host[0] == '[' || host[strspn(host, "0123456789.")] == ':' ||
                         !host[strspn(host, "0123456789.")] || strncmp(host, "localhost", 9) == 0);
}

static int take_endpoint(struct s3_profile *p, const char *text, struct ri_str *err)
{
        const char *host = text;

        p->tls = true;
        if (strncasecmp(text, "http://", 7) == 0) {
                p->tls = false;
                host = text + 7;
        } else if (strncasecmp(text, "https://", 8) == 0) {
                host = text + 8;
        }
        free(p->host);
        p->host = strndup(host, strcspn(host, "/"));
        if (!p->host)
                return ri_str_fail(err, "no memory for the store");
        if (!*p->host ||
            p->host[strspn(p->host,
                           "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.-_:[]%")] ||
            (host[strlen(p->host)] && strcmp(host + strlen(p->host), "/")))
                return ri_str_fail(err, "option endpoint: expected https://host[:port]");
        p->endpoint_given = true;
        return 0;
}

static int find_endpoint(struct s3_profile *p, const struct ri_uri *u, struct ri_str *err)
{
        const char *given = ri_uri_opt(u, "endpoint");
        bool aws = strcmp(u->scheme, "s3") == 0;

        if (!given && aws)
                given = secure_getenv("AWS_ENDPOINT_URL_S3");
        if (!given && aws)
                given = secure_getenv("AWS_ENDPOINT_URL");
        if (given && *given)
                return take_endpoint(p, given, err);
        p->tls = true;
        p->host = strdup("");
        if (!p->host)
                return ri_str_fail(err, "no memory for the store");
        if (strcmp(u->scheme, "minio") == 0)
                return ri_str_fail(err, "minio:// needs an endpoint: ?endpoint=https://host:9000");
        return 0;
}

static int choose(const struct ri_uri *u, const char *name, const char *const *choices, size_t *v,
                  struct ri_str *err)
{
        return ri_uri_opt_choice(u, name, choices, v, err);
}

static const char *const sum_names[] = { "auto",  "none",   "signed",    "md5", "crc32",
                                         "crc64", "crc32c", "crc64nvme", NULL };

/* A checksum that nobody looks at would only look like protection. */
static int take_checksum(struct s3_profile *p, size_t sum, struct ri_str *err)
{
        struct ri_str list = RI_STR_INIT(200);

        p->checksum = sum == S3_SUM_AUTO ? p->traits->checksum : (enum s3_checksum)sum;
        if (p->checksum == S3_SUM_SIGNED && p->dialect != S3_AWS4)
                p->checksum = S3_SUM_MD5;
        if (p->traits->sums & 1u << p->checksum)
                return 0;
        for (size_t i = 0; sum_names[i]; i++)
                if (i == S3_SUM_AUTO || p->traits->sums & 1u << i)
                        ri_str_printf(&list, "%s%s", list.len ? ", " : "", sum_names[i]);
        ri_str_printf(err, "option checksum: %s is not checked by vendor %s; it takes %s", sum_names[sum],
                      p->traits->name, ri_str_cstr(&list));
        ri_str_free(&list);
        return -1;
}

static int take_vendor(struct s3_profile *p, const struct ri_uri *u, struct ri_str *err)
{
        static const char *const names[] = { "aws", "oss", "obs", "minio", "radosgw", "generic", NULL };
        static const char *const verifies[] = { "auto", "no", "etag", NULL };
        static const char *const dialects[] = { "aws4", "aws2", "oss4", "oss1", "obs", NULL };
        size_t v = guess_vendor(u->scheme, p->host), d, s = S3_SUM_AUTO, verify = S3_VERIFY_AUTO;

        if (choose(u, "vendor", names, &v, err) < 0)
                return -1;
        p->vendor = (enum s3_vendor)v;
        p->traits = &traits[v];
        d = p->traits->dialect;
        if (choose(u, "dialect", dialects, &d, err) < 0 || choose(u, "checksum", sum_names, &s, err) < 0 ||
            choose(u, "verify", verifies, &verify, err) < 0)
                return -1;
        p->verify = s == S3_SUM_NONE && verify == S3_VERIFY_AUTO ? S3_VERIFY_NO : (enum s3_verify)verify;
        p->dialect = (enum s3_dialect)d;
        return take_checksum(p, s, err);
}

static int take_addressing(struct s3_profile *p, const struct ri_uri *u, struct ri_str *err)
{
        static const char *const words[] = { "auto", "path", "virtual", NULL };
        size_t v = 0;

        if (choose(u, "addressing", words, &v, err) < 0)
                return -1;
        if (v == 0)
                p->path_style =
                        p->traits->path_style || is_address(p->host) || !dns_bucket(p->bucket, p->tls);
        else
                p->path_style = v == 1;
        return 0;
}

static int take_numbers(struct s3_profile *p, const struct ri_uri *u, struct ri_str *err)
{
        uint64_t attempts = 5, connections = 16, list = p->traits->list_v2 ? 2 : 1;

        p->if_absent = p->traits->if_none_match || p->traits->forbid_overwrite;
        if (ri_uri_opt_u64(u, "attempts", 1, MAX_ATTEMPTS, &attempts, err) < 0 ||
            ri_uri_opt_u64(u, "connections", 1, MAX_CONNECTIONS, &connections, err) < 0 ||
            ri_uri_opt_u64(u, "list", 1, 2, &list, err) < 0 ||
            ri_uri_opt_size(u, "part", &p->part, err) < 0 ||
            ri_uri_opt_bool(u, "if_absent", &p->if_absent, err) < 0 ||
            ri_uri_opt_bool(u, "anonymous", &p->anonymous, err) < 0 ||
            ri_uri_opt_bool(u, "insecure", &p->insecure, err) < 0)
                return -1;
        if (p->part && (p->part < 4096 || p->part > UINT64_C(1) << 30))
                return ri_str_fail(err, "option part: from 4 KiB to 1 GiB expected");
        p->copy_max = p->traits->copies_aloud ? p->traits->max_copy : COPY_SILENT;
        if (ri_uri_opt(u, "copy") && strcmp(ri_uri_opt(u, "copy"), "no") == 0)
                p->copy_max = 0;
        else if (ri_uri_opt_size(u, "copy", &p->copy_max, err) < 0)
                return -1;
        else if (p->copy_max < 4096 || p->copy_max > p->traits->max_copy)
                return ri_str_fail(
                        err, "option copy: no, or from 4 KiB to what the server copies at once: %llu bytes",
                        (unsigned long long)p->traits->max_copy);
        p->attempts = (unsigned)attempts;
        p->connections = (unsigned)connections;
        p->list_v2 = list == 2;
        return 0;
}

static char *prefix_of(const char *path)
{
        size_t n;
        char *s;

        if (*path == '/')
                path++;
        n = strlen(path);
        s = malloc(n + 2);
        if (!s)
                return NULL;
        memcpy(s, path, n + 1);
        if (n && s[n - 1] != '/')
                memcpy(s + n, "/", 2);
        return s;
}

/* oss-cn-hangzhou is an endpoint's name for cn-hangzhou. */
static char *region_of(const struct ri_uri *u)
{
        const char *r = ri_uri_opt(u, "region");

        if (r && strcmp(u->scheme, "oss") == 0 && strncmp(r, "oss-", 4) == 0)
                r += 4;
        if (!r && strcmp(u->scheme, "s3") == 0) {
                r = secure_getenv("AWS_REGION");
                if (!r || !*r)
                        r = secure_getenv("AWS_DEFAULT_REGION");
        }
        return strdup(r ? r : "");
}

/* AWS_CA_BUNDLE as awscli and the SDKs take it. */
static char *ca_of(const struct ri_uri *u)
{
        const char *ca = ri_uri_opt(u, "ca");

        if (!ca && strcmp(u->scheme, "s3") == 0)
                ca = secure_getenv("AWS_CA_BUNDLE");
        return strdup(ca ? ca : "");
}

static bool region_is_sane(const char *r)
{
        return strlen(r) < 64 &&
               !r[strspn(r, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_")];
}

/* Those that curl knows; it would say of another one no more than that no connection is made. */
static bool proxy_is_sane(const char *url)
{
        static const char *const schemes[] = { "http://",    "https://",  "socks4://",
                                               "socks4a://", "socks5://", "socks5h://" };

        if (!*url || !strstr(url, "://"))
                return true;
        for (size_t i = 0; i < sizeof(schemes) / sizeof(schemes[0]); i++)
                if (strncasecmp(url, schemes[i], strlen(schemes[i])) == 0)
                        return true;
        return false;
}

static int take_strings(struct s3_profile *p, const struct ri_uri *u, struct ri_str *err)
{
        p->bucket = strdup(u->authority);
        p->prefix = prefix_of(u->path);
        p->region = region_of(u);
        p->access_key = option(u, "access_key");
        p->aws_profile = option(u, "profile");
        p->ca = ca_of(u);
        p->proxy = option(u, "proxy");
        p->cert = option(u, "cert");
        p->cert_key = option(u, "cert_key");
        if (!p->bucket || !p->prefix || !p->region || !p->access_key || !p->aws_profile || !p->ca ||
            !p->proxy || !p->cert || !p->cert_key)
                return ri_str_fail(err, "no memory for the store");
        if (!*p->bucket || strpbrk(p->bucket, "/?#: @"))
                return ri_str_fail(err, "no bucket is named; write %s://bucket/key", u->scheme);
        if (!region_is_sane(p->region))
                return ri_str_fail(err, "option region: expected a name such as eu-central-1");
        if (!proxy_is_sane(p->proxy))
                return ri_str_fail(
                        err,
                        "option proxy: expected http://host[:port], or https, socks4, socks4a, socks5 or "
                        "socks5h in front");
        p->region_given = *p->region;
        return 0;
}

int s3_profile_set_region(struct s3_profile *p, const char *region)
{
        struct ri_str host = RI_STR_INIT(512);
        char *copy = *region && region_is_sane(region) ? strdup(region) : NULL, *name = NULL;

        if (!copy)
                return -1;
        free(p->region);
        p->region = copy;
        if (p->endpoint_given)
                return 0;
        default_host(p, false, &host);
        name = ri_str_take(&host, NULL);
        if (!name)
                return -1;
        free(p->host);
        p->host = name;
        return 0;
}

static int settle_region(struct s3_profile *p, const struct ri_uri *u, struct ri_str *err)
{
        bool internal = false;
        struct ri_str host = RI_STR_INIT(512);

        if (ri_uri_opt_bool(u, "internal", &internal, err) < 0)
                return -1;
        if (!*p->region && !p->endpoint_given && p->vendor != S3_VENDOR_AWS)
                return ri_str_fail(err, "%s:// needs a region or an endpoint: ?region=cn-...", u->scheme);
        if (p->endpoint_given || !*p->region)
                return 0;
        default_host(p, internal, &host);
        free(p->host);
        p->host = ri_str_take(&host, NULL);
        return p->host ? 0 : ri_str_fail(err, "no memory for the store");
}

int s3_profile_from_uri(struct s3_profile *p, const struct ri_uri *u, struct ri_str *err)
{
        memset(p, 0, sizeof(*p));
        if (take_strings(p, u, err) == 0 && find_endpoint(p, u, err) == 0 && take_vendor(p, u, err) == 0 &&
            settle_region(p, u, err) == 0 && take_addressing(p, u, err) == 0 && take_numbers(p, u, err) == 0)
                return 0;
        s3_profile_clear(p);
        return -1;
}

int s3_profile_host(const struct s3_profile *p, struct ri_str *out)
{
        if (!p->path_style)
                ri_str_printf(out, "%s.", p->bucket);
        return ri_str_puts(out, p->host);
}
