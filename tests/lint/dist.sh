#!/bin/bash
# `make distcheck`: the archive holds all that the build, its tests and the installation need. The tests themselves
# have been run elsewhere, with the optimizer; most of them wait most of the time.
set -eu
cd "$BUILD_DIR"
exec make -j"${JOBS:-$((2 * $(nproc)))}" distcheck DISTCHECK_CONFIGURE_FLAGS=CFLAGS=-O0 XZ_OPT=-1
