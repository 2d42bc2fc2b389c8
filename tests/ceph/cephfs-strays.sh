#!/bin/bash
# What was given up on CephFS and comes back late undoes nothing that was acknowledged after it.
set -u
# shellcheck source=tests/functions.sh
. "$SRC_DIR/tests/functions.sh"
[ -n "${ROMA_CEPH_DIR:-}" ] || skip "no Ceph cluster"
uri=cephfs://$ROMA_CEPH_FS/strays
roma mkdir -p "$uri" || fail "mkdir"
timeout 300 "$BUILD_DIR/tests/ceph/cephfs-strays" "$uri" || fail "exit $?"
exit 0
