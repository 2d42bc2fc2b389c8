/* SPDX-License-Identifier: MIT */
/* libroma: one asynchronous interface to MooseFS, CephFS, RADOS, S3-compatible clouds and local folders.
 * This header brings in everything that is common to all stores. roma/ev.h attaches a loop to libev; the
 * extras of one kind of store are in a header of its own (roma/mfs.h). */
#ifndef ROMA_ROMA_H
#define ROMA_ROMA_H

#include <roma/version.h>

#include <roma/result.h>

#include <roma/config.h>
#include <roma/file.h>
#include <roma/layout.h>
#include <roma/loop.h>
#include <roma/presign.h>
#include <roma/reader.h>
#include <roma/stats.h>
#include <roma/store.h>
#include <roma/trace.h>
#include <roma/transfer.h>
#include <roma/upload.h>
#include <roma/writer.h>

#endif
