#!/bin/bash
# second try: it stops daemons for a second, and a machine may stand still for longer than that
# The phase that takes long is the one that says what is waited for: another client, the journal of the MDS, an OSD, the
# monitors, a mount that somebody else makes.
set -u
# shellcheck source=tests/functions.sh
. "$SRC_DIR/tests/functions.sh"
# shellcheck source=tests/ceph/functions.sh
. "$SRC_DIR/tests/ceph/functions.sh"
[ -x "$BUILD_DIR/tests/ceph/phases" ] || skip "the module for Ceph was not built"
# Also when it was ended in the middle.
trap 'kill -CONT "$ROMA_CEPH_OSD0_PID" "$ROMA_CEPH_MON_PID"' EXIT
roma mkdir -p "cephfs://$ROMA_CEPH_FS/phases" || fail "mkdir"
timeout -k 5 100 "$BUILD_DIR/tests/ceph/phases" "$ROMA_CEPH_FS" "$ROMA_CEPH_OSD0_PID" "$ROMA_CEPH_MON_PID" ||
  fail "see above"
exit 0
