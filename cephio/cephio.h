/* SPDX-License-Identifier: MIT */
/* What the two stores over Ceph's own libraries share. */
#ifndef CEPHIO_H
#define CEPHIO_H

#include "core/backend.h"

#endif
