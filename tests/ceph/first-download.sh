#!/bin/bash
# second try: the libraries and servers of Ceph have races of their own
# Nobody waits for an upload's first download: libroma's put read by another client, and libroma reading what a program has
# just written through libcephfs without fsync. Ten rounds of each; only a wait of over 2 s, or wrong bytes, is a failure.
# bench/first-download does it with 100 rounds, with a control, and compares the times.
set -u
# shellcheck source=tests/functions.sh
. "$SRC_DIR/tests/functions.sh"
[ -n "${ROMA_CEPH_DIR:-}" ] || skip "no Ceph cluster"
[ -x "$BUILD_DIR/tests/ceph/first-download" ] || skip "the module for Ceph was not built"
"$BUILD_DIR/tests/ceph/first-download" --rounds 10 --control 0 --limit 2000 "$ROMA_CEPH_FS" || fail "see above"
