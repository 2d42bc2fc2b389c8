#!/bin/bash
# ./quickstart does what it says and leaves nothing behind, also when it is interrupted, and --keep keeps.
# timeout: 900
set -u
. "$SRC_DIR/tests/functions.sh"
unset ROMA_MFS_DIR

left() {
  local found
  found=$(
    ls -A "$SCRATCH"
    grep -F " $SCRATCH/" /proc/self/mountinfo
    grep -lF "$SCRATCH/" /proc/[0-9]*/cmdline 2>/dev/null
    ip netns list | grep -F "roma-quickstart"
  )
  [ -z "$found" ] || fail "$1 left behind: $found"
}

"$SRC_DIR/quickstart" | tee "$BUILD_DIR/logs/quickstart.log" || fail "quickstart fails"
grep -q 'every MD5 is the same' "$BUILD_DIR/logs/quickstart.log" || fail "nothing was compared"
left quickstart

for seconds in 2 4 6 8; do
  env --default-signal=INT setsid "$SRC_DIR/quickstart" >/dev/null 2>&1 &
  pid=$!
  sleep "$seconds"
  # The whole group, as the terminal does it.
  kill -INT -- -$pid 2>/dev/null
  wait $pid
  left "quickstart interrupted after $seconds s"
done

"$SRC_DIR/quickstart" --keep >/dev/null || fail "quickstart --keep fails"
cluster exec --name quickstart -- true || fail "--keep did not keep the cluster"
cluster down --name quickstart
left "quickstart --keep and down"
