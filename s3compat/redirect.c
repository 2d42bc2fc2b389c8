/* SPDX-License-Identifier: MIT */
/* Where a redirect may lead. The request goes there signed anew, with the session token and its body: so only to the endpoint itself,
 * names below it, and the other endpoints of a vendor whose own it is. */
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
