/* SPDX-License-Identifier: MIT */
/* Lists of servers in URIs, see hosts.h. */
#include "core/hosts.h"
#include "core/value.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#define NAME_LONGEST 253 /* of a host name: RFC 1035 section 2.3.4, less the length bytes at both ends */

static int refuse(struct ri_str *err, const char *sentence, const char *p, size_t n)
{
        errno = EINVAL;
        if (!err)
                return -1;
        ri_str_fail(err, "%s: '", sentence);
        ri_str_quoted(err, p, n, 80);
        ri_str_putc(err, '\'');
        return -1;
}

static int no_memory(struct ri_str *err)
{
        ri_str_fail(err, "no memory for a list of servers");
        errno = ENOMEM;
        return -1;
}

static int parse_port(const char *p, size_t n, uint16_t *port, struct ri_str *err)
{
        char text[6];
        uint64_t v;

        if (n < sizeof(text)) {
                memcpy(text, p, n);
                text[n] = '\0';
                if (ri_value_u64(text, &v) == 0 && v >= 1 && v <= 65535) {
                        *port = (uint16_t)v;
                        return 0;
                }
        }
        return refuse(err, "expected a port from 1 to 65535 after the host, got", p, n);
}

static bool is_host_name(const char *p, size_t n)
{
        if (n == 0 || n > NAME_LONGEST)
                return false;
        for (size_t i = 0; i < n; i++)
                if (!((p[i] >= 'a' && p[i] <= 'z') || (p[i] >= 'A' && p[i] <= 'Z') ||
                      (p[i] >= '0' && p[i] <= '9') || p[i] == '-' || p[i] == '.' || p[i] == '_'))
                        return false;
        return true;
}

static bool is_ipv6(const char *p, size_t n)
{
        char text[INET6_ADDRSTRLEN];
        struct in6_addr a;
        const char *zone = memchr(p, '%', n);

        if (zone && !is_host_name(zone + 1, (size_t)(p + n - zone) - 1))
                return false;
        if (zone)
                n = (size_t)(zone - p);
        if (n >= sizeof(text))
                return false;
        memcpy(text, p, n);
        text[n] = '\0';
        return inet_pton(AF_INET6, text, &a) == 1;
}

/* One host[:port] of n bytes; port stays 0 when none is given. */
static int parse_one(const char *p, size_t n, struct ri_host *h, struct ri_str *err)
{
        const char *name = p, *end, *rest;

        if (n && p[0] == '[') {
                name++;
                end = memchr(p, ']', n);
                if (!end)
                        return refuse(err, "a bracket is not closed in the address", p, n);
                if (!is_ipv6(name, (size_t)(end - name)))
                        return refuse(err, "expected an IPv6 address in the brackets, got", p, n);
                rest = end + 1;
        } else {
                end = memchr(p, ':', n);
                if (!end)
                        end = p + n;
                if (memchr(end, ':', n - (size_t)(end - p)) != memrchr(p, ':', n))
                        return refuse(err, "an IPv6 address must stand in brackets", p, n);
                if (!is_host_name(name, (size_t)(end - name)))
                        return refuse(err, "expected the name or address of a server, got", p, n);
                rest = end;
        }
        if (rest < p + n && *rest != ':')
                return refuse(err, "expected ':' and a port after the bracket", p, n);
        if (rest < p + n && parse_port(rest + 1, (size_t)(p + n - rest) - 1, &h->port, err) < 0)
                return -1;
        h->name = ri_memdup0(name, (size_t)(end - name));
        return h->name ? 0 : no_memory(err);
}

static int parse_all(const char *p, struct ri_hosts *out, struct ri_str *err)
{
        for (;;) {
                size_t n = strcspn(p, ",");

                if (out->n == RI_HOSTS_MAX)
                        return refuse(err, "too many servers in one URI, the last one read is", p, n);
                out->v[out->n].port = 0;
                if (parse_one(p, n, &out->v[out->n], err) < 0)
                        return -1;
                out->n++;
                if (p[n] == '\0')
                        return 0;
                p += n + 1;
        }
}

int ri_hosts_parse(const char *authority, uint16_t default_port, struct ri_hosts *out, struct ri_str *err)
{
        uint16_t port;
        int saved;

        out->n = 0;
        out->v = calloc(RI_HOSTS_MAX, sizeof(*out->v));
        if (!out->v)
                return no_memory(err);
        if (parse_all(authority, out, err) < 0) {
                saved = errno;
                ri_hosts_clear(out);
                errno = saved;
                return -1;
        }
        port = out->v[out->n - 1].port ? out->v[out->n - 1].port : default_port;
        for (size_t i = 0; i < out->n; i++)
                if (out->v[i].port == 0)
                        out->v[i].port = port;
        return 0;
}

void ri_hosts_clear(struct ri_hosts *h)
{
        for (size_t i = 0; i < h->n; i++)
                free(h->v[i].name);
        free(h->v);
        h->v = NULL;
        h->n = 0;
}

int ri_host_format(const char *name, uint16_t port, struct ri_str *out)
{
        return ri_str_printf(out, strchr(name, ':') ? "[%s]:%u" : "%s:%u", name, (unsigned)port);
}
