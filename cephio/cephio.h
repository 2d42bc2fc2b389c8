/* SPDX-License-Identifier: MIT */
/* What the two stores over Ceph's own libraries share. */
#ifndef CEPHIO_H
#define CEPHIO_H

#include "core/backend.h"

/* leaving.c: around what a thread that nobody waits for does inside Ceph's libraries. begin: before the thread is made.
 * Any thread. */
void ceph_leaving_begin(void);
void ceph_leaving_end(void);

#endif
