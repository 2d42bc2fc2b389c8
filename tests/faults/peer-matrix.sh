#!/bin/sh
# Every packet of one put and one get times every fault, against the servers in the test's own process.
set -eu
exec "$BUILD_DIR/tests/faults/peer-matrix"
