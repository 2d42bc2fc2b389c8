/* SPDX-License-Identifier: MIT */
/* What the monitors say of their cluster, in words for a sentence. Each question blocks, for as long as
 * rados_mon_op_timeout allows: in workers only. */
#ifndef CEPHIO_MONITORS_H
#define CEPHIO_MONITORS_H

#include <rados/librados.h>

#include "core/str.h"

/* Whose troubles are told one by one, and not only counted. */
struct ceph_about {
        const char *fs;    /* a filesystem's name; "": any; NULL: none */
        const char *pools; /* names of pools, with spaces or commas between them; NULL: none */
};

/* "HEALTH_WARN 2 pool(s) full: pool 'x' is full (running out of quota)". 0, or a negative errno and nothing was added. */
int ceph_say_health(rados_t cluster, const struct ceph_about *about, struct ri_str *to);
/* "of 3 OSDs 2 up (since 5s), 3 in (since 2d)" */
int ceph_say_osds(rados_t cluster, struct ri_str *to);
/* As `ceph mds stat` has it. */
int ceph_say_mds(rados_t cluster, struct ri_str *to);
/* What `ceph fs ls` says of this filesystem (NULL: the first), which names its pools. NULL: there is none, or nobody
 * answered. The caller's to free. */
char *ceph_pools_of(rados_t cluster, const char *fs);
/* Behind "no monitor answered": what a list of monitors with addresses of one protocol only makes likely. "" or static. */
const char *ceph_mon_hint(const char *mon_host);

#endif
