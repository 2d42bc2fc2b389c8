/* SPDX-License-Identifier: MIT */
/* The authority of a URI read as a list of servers: host[:port][,host[:port]...], an IPv6 address in brackets. A port
 * after the last host holds for those hosts that have none of their own, so h1,h2:9999 is two servers on 9999. */
#ifndef RI_HOSTS_H
#define RI_HOSTS_H

#include "core/str.h"

#include <stddef.h>
#include <stdint.h>

#define RI_HOSTS_MAX 64

struct ri_host {
        char *name; /* a name or an address; IPv6 without brackets, with its zone if one was given */
        uint16_t port;
};

struct ri_hosts {
        struct ri_host *v;
        size_t n;
};

/* `authority` as decoded by ri_uri_parse(). 0, or -1 with a sentence (errno EINVAL or ENOMEM) and nothing in `out`. */
int ri_hosts_parse(const char *authority, uint16_t default_port, struct ri_hosts *out, struct ri_str *err);
void ri_hosts_clear(struct ri_hosts *h);

/* Appends host:port, with brackets where they are needed. */
int ri_host_format(const char *name, uint16_t port, struct ri_str *out);

#endif
