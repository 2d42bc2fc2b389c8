/* SPDX-License-Identifier: MIT */
/* Where a redirect may lead. The request goes there signed anew, with the session token and its body: so only to the endpoint itself,
 * names below it, and the other endpoints of a vendor whose own it is. And whether two endpoints have the same buckets. */
#include <regex.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "s3compat/profile.h"

/* Without the bucket in front. Other names below these domains belong to the vendors' customers: load balancers, functions. */
#define AWS_REGION "[a-z]{2}(-[a-z]+)+-[0-9]+"
static const char *const vendors[] = {
        ("^s3([.-](dualstack|accelerate|fips|external-1|" AWS_REGION "))*\\.amazonaws\\.com(\\.cn)?$"),
        "^(s3\\.)?oss-[a-z0-9-]+\\.aliyuncs\\.com$",
        "^obs\\.[a-z0-9-]+\\.myhuaweicloud\\.(com|eu)$",
};

/* The name in "name:port", NUL-terminated. NULL: no memory. */
static char *name_of(const char *host)
{
        return strndup(host, host[0] == '[' ? strcspn(host, "]") : strcspn(host, ":"));
}

static const char *behind_bucket(const struct s3_profile *p, const char *name)
{
        size_t n = strlen(p->bucket);

        return n && strncasecmp(name, p->bucket, n) == 0 && name[n] == '.' ? name + n + 1 : name;
}

static bool is_below(const char *name, const char *domain)
{
        size_t n = strlen(name), m = strlen(domain);

        return n > m && name[n - m - 1] == '.' && strcasecmp(name + n - m, domain) == 0;
}

static bool one_vendor(const char *a, const char *b)
{
        bool both = false;
        regex_t re;

        for (size_t i = 0; !both && i < sizeof(vendors) / sizeof(vendors[0]); i++) {
                if (regcomp(&re, vendors[i], REG_EXTENDED | REG_ICASE | REG_NOSUB) != 0)
                        return false;
                both = regexec(&re, a, 0, NULL, 0) == 0 && regexec(&re, b, 0, NULL, 0) == 0;
                regfree(&re);
        }
        return both;
}

bool s3_redirect_is_ours(const struct s3_profile *p, const char *host)
{
        char *ours = name_of(p->host), *name = name_of(host);
        bool is = ours && name && *name &&
                  (strcasecmp(name, ours) == 0 || is_below(name, ours) ||
                   one_vendor(behind_bucket(p, name), ours));

        free(ours);
        free(name);
        return is;
}

/* Of "name:port"; the usual one is "". */
static const char *port_of(const struct s3_profile *p)
{
        const char *end = p->host[0] == '[' ? p->host + strcspn(p->host, "]") : p->host;
        const char *colon = strchr(end, ':');

        return !colon || strcmp(colon + 1, p->tls ? "443" : "80") == 0 ? "" : colon + 1;
}

/* The regions of a vendor share the names of buckets, but those of China, of Europe's own and of a government do not. */
static bool one_partition(const char *a, const char *b)
{
        const char *x = strrchr(a, '.'), *y = strrchr(b, '.');

        return x && y && strcasecmp(x, y) == 0 && !strcasestr(a, "us-gov-") == !strcasestr(b, "us-gov-");
}

bool s3_same_server(const struct s3_profile *p, const struct s3_profile *q)
{
        char *a = name_of(*p->host ? p->host : "s3.amazonaws.com"),
             *b = name_of(*q->host ? q->host : "s3.amazonaws.com");
        bool same = !a || !b || strcasecmp(a, b) == 0 ||
                    (one_vendor(behind_bucket(p, a), behind_bucket(q, b)) && one_partition(a, b));

        free(a);
        free(b);
        return same && strcmp(port_of(p), port_of(q)) == 0;
}
