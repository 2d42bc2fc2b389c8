#!/bin/bash
# What is cancelled while the cluster has this client on its blocklist ends at once, with nothing but what is true, and the client
# goes on: RADOS, with and without an index, and CephFS.
set -u
# shellcheck source=tests/functions.sh
. "$SRC_DIR/tests/functions.sh"
# shellcheck source=tests/ceph/functions.sh
. "$SRC_DIR/tests/ceph/functions.sh"
# Who was shut out must not be for long, however this ends: the next to get the same address would be, too.
trap 'ceph exec ceph osd blocklist clear >/dev/null 2>&1' EXIT
roma mkdir -p "cephfs://$ROMA_CEPH_FS/shut-out" || fail "mkdir"
# At the same time, for most of it is waiting for the monitors.
n=0
for uri in "rados://$ROMA_CEPH_POOL/?ns=shut" "rados://$ROMA_CEPH_POOL/?ns=shut&raw=1" \
  "cephfs://$ROMA_CEPH_FS/shut-out?nudge=no"; do
  n=$((n + 1))
  timeout 250 "$BUILD_DIR/tests/ceph/shut-out" "$uri" >"$SCRATCH/$n" 2>&1 &
  pid[n]=$!
done
bad=0
for ((i = 1; i <= n; i++)); do
  wait "${pid[i]}" || bad=$i
  cat "$SCRATCH/$i"
done
[ $n = 3 ] || fail "$n clients"
[ $bad = 0 ] || fail "client $bad"
ceph exec ceph osd blocklist clear >/dev/null 2>&1 || fail "blocklist clear"
exit 0
