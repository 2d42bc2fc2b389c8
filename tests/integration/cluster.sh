#!/bin/bash
# The script that starts clusters: two share a namespace, and an interrupted start leaves nothing behind.
# timeout: 300
set -u
. "$SRC_DIR/tests/functions.sh"

# left DIR: what is left of the cluster in DIR.
left() {
  [ ! -e "$1" ] || echo "the folder $1"
  grep -F " $1/" /proc/self/mountinfo
  grep -lF "$1/" /proc/[0-9]*/cmdline 2>/dev/null
  ip netns list | grep -F "roma-${1##*/}-"
}

gone() {
  local found
  found=$(left "$1")
  [ -z "$found" ] || fail "$2: left behind: $found"
}

for seconds in 0.1 0.5 1.2 2.5; do
  env --default-signal=INT "$SRC_DIR/tests/cluster/mfs" up --dir "$SCRATCH/interrupted" --cs-size 200M 2>/dev/null &
  pid=$!
  sleep "$seconds"
  kill -INT $pid 2>/dev/null
  wait $pid
  status=$?
  # On a fast machine it may have come up in time; then it is taken down like any other.
  if [ $status = 0 ]; then
    cluster down --dir "$SCRATCH/interrupted"
  elif [ $status != 130 ]; then
    fail "an interrupted start exits $status"
  fi
  gone "$SCRATCH/interrupted" "interrupted after $seconds s"
done

cluster up --dir "$SCRATCH/one" --net 10.77.20 --chunkservers 1 || fail "the first does not come up"
cluster up --dir "$SCRATCH/two" --net 10.77.21 --chunkservers 1 --join "$SCRATCH/one" || fail "the second does not join"
cluster up --dir "$SCRATCH/three" --net 10.77.20 --join "$SCRATCH/one" 2>/dev/null && fail "two clusters have one address"
gone "$SCRATCH/three" "a start that failed"
for master in 10.77.20.1 10.77.21.1; do
  cluster exec --dir "$SCRATCH/two" -- bash -c "exec 3<>/dev/tcp/$master/9421" || fail "$master is not reached"
done
cluster kill cs1 --dir "$SCRATCH/one" || fail "kill"
cluster stop master --dir "$SCRATCH/one" || fail "stop"
cluster heal --dir "$SCRATCH/one" || fail "heal"
cluster down --dir "$SCRATCH/one" || fail "down"
gone "$SCRATCH/one" "down"
gone "$SCRATCH/two" "down of the cluster that was joined"
