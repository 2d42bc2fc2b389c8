/* SPDX-License-Identifier: MIT */
/* The semaphores of the probes, see probe.h. Built with --enable-usdt only. */
#include "core/probe.h"

RI_PROBE_SEMAPHORE(op_start);
RI_PROBE_SEMAPHORE(op_end);
RI_PROBE_SEMAPHORE(phase_start);
RI_PROBE_SEMAPHORE(phase_end);
