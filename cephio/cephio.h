/* SPDX-License-Identifier: MIT */
/* What the two stores over Ceph's own libraries share. */
#ifndef CEPHIO_H
#define CEPHIO_H

#include <string.h>

#include "core/backend.h"

/* A client may be given by its id, as to --id of Ceph's own programs, or by its whole name, as to --name: the id stays. NULL is
 * fine. */
static inline void ceph_client_id(char *name)
{
        static const char kind[] = "client.";
        const size_t n = sizeof(kind) - 1;

        if (name && strncmp(name, kind, n) == 0)
                memmove(name, name + n, strlen(name + n) + 1);
}

/* leaving.c: around what a thread that nobody waits for does inside Ceph's libraries. begin: before the thread is made.
 * Any thread. */
void ceph_leaving_begin(void);
void ceph_leaving_end(void);

#endif
