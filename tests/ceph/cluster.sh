#!/bin/bash
# The test's own Ceph: a daemon that was killed comes back, one that hangs goes on, limits are lifted, and an `up` that
# is broken off leaves nothing behind.
set -u
# shellcheck source=tests/functions.sh
. "$SRC_DIR/tests/functions.sh"
[ -n "${ROMA_CEPH_DIR:-}" ] || skip "no Ceph cluster"
ceph() { "$SRC_DIR/tests/cluster/ceph" "$@"; }

ceph stop osd0 || fail "stop"
ceph kill mdsb || fail "kill"
ceph exec ceph osd pool set-quota "$ROMA_CEPH_POOL" max_bytes 1000000 >/dev/null 2>&1 || fail "exec"
ceph heal || fail "heal"
eval "$(ceph env)"
[ -e "/proc/$ROMA_CEPH_MDSB_PID" ] || fail "the mds was not started again"
ceph exec ceph osd pool get-quota "$ROMA_CEPH_POOL" 2>/dev/null | grep -q 'max bytes *: *N/A' || fail "the quota stays"
echo hello >"$SCRATCH/in"
timeout 30 "$SRC_DIR/tests/cluster/ceph" exec rados -p "$ROMA_CEPH_POOL" put cluster-test "$SCRATCH/in" || fail "put"
ceph exec rados -p "$ROMA_CEPH_POOL" get cluster-test "$SCRATCH/out" || fail "get"
cmp "$SCRATCH/in" "$SCRATCH/out" || fail "other bytes come back"
ceph exec rados -p "$ROMA_CEPH_POOL" rm cluster-test || fail "rm"

# A second cluster beside the first, interrupted on its way up.
timeout --signal INT 4 env --default-signal=INT "$SRC_DIR/tests/cluster/ceph" up --dir "$SCRATCH/second" --no-rgw
[ ! -e "$SCRATCH/second" ] || fail "the files of an interrupted start are left"
! grep -qsF "$SCRATCH/second/ceph.conf" /proc/[0-9]*/cmdline || fail "a daemon of an interrupted start is left"
exit 0
