#!/bin/bash
# One put and one get on a real MooseFS with each allocation, then each system call on a socket, failing once.
# timeout: 900
set -u -o pipefail
# shellcheck source=tests/integration/functions.sh
. "$SRC_DIR/tests/integration/functions.sh"

goal 2 "$mounted"
for what in malloc socket; do
  inside "$BUILD_DIR/tests/async/torture" $what "$uri$name" || fail "torture $what"
done
