#!/bin/bash
# A heartbeat of 10 ms in the loop while a thousand operations are in flight on one cluster, the master of a second
# cluster is stopped, peers close or are silent, a FIFO has no writer and a name server never answers; on an attached
# libev loop and through roma_loop_fd() in poll(). Then two loops in two threads between the two clusters.
# timeout: 300
set -u -o pipefail
# shellcheck source=tests/integration/functions.sh
. "$SRC_DIR/tests/integration/functions.sh"

"$cluster" up --dir "$scratch/second" --join "$ROMA_MFS_DIR" --net 10.78.0 --chunkservers 1 ||
  fail "the second cluster did not start"
# shellcheck disable=SC2317 # called by the trap
end() {
  "$cluster" down --dir "$scratch/second"
  remove_mounted
}
trap end EXIT
eval "$("$cluster" env --dir "$scratch/second" | sed 's/^\(export \)\{0,1\}ROMA_MFS_/\1SECOND_/')"

# The name server is a socket of the program that takes questions and never answers.
printf 'nameserver 127.0.0.1\noptions timeout:2 attempts:2\n' >"$scratch/resolv.conf"
status=0
for loop in ev fd; do
  # shellcheck disable=SC2016 # for the inner shell
  inside unshare -m bash -c 'mount --bind "$1" /etc/resolv.conf && shift && exec "$@"' - "$scratch/resolv.conf" \
    "$BUILD_DIR/tests/async/heartbeat" "$uri$name" --loop $loop --second "mfs://$SECOND_MASTER/" \
    --stop "$SECOND_MASTER_PID" --resolve no-such-host.example || status=1
done
inside "$BUILD_DIR/tests/async/threads" "$uri$name" "mfs://$SECOND_MASTER/" || status=1
exit $status
