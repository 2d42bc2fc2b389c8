#!/bin/bash
# `make distcheck`: the archive holds all that the build, its tests and the installation need. The tests themselves
# have been run elsewhere.
set -eu
cd "$BUILD_DIR"
exec make -j"${JOBS:-$(nproc)}" distcheck
