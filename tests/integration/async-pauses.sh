#!/bin/bash
# Blocking calls with pauses of 15 s, and with ROMA_FULL=1 also of 130 s, between write, write and fsync, while other
# clients read: master and chunkservers drop silent connections, and a chunk lock held over a pause would stop them.
# timeout: 800
set -u -o pipefail
# shellcheck source=tests/integration/functions.sh
. "$SRC_DIR/tests/integration/functions.sh"

goal 2 "$mounted"
for seconds in 15 ${ROMA_FULL:+130}; do
  : >"$mounted/file"
  inside "$BUILD_DIR/tests/async/pauses" "$uri" "$name/file" "$mounted/file" "$seconds" || fail "pauses of $seconds s"
  rm "$mounted/file"
done
