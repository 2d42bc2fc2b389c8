#!/bin/bash
# A rename to CephFS that fails for want of its source leaves no trace: when another client makes an object of the name that it
# was to have, this client sees it. (In libcephfs 16 a lookup of that name waited for ever.)
set -u
# shellcheck source=tests/functions.sh
. "$SRC_DIR/tests/functions.sh"
# shellcheck source=tests/ceph/functions.sh
. "$SRC_DIR/tests/ceph/functions.sh"
uri=cephfs://$ROMA_CEPH_FS/rename
echo content >"$SCRATCH/in"
roma mkdir -p "$uri" || fail "mkdir"
start_client renamed "$uri"
roma put -q "$SCRATCH/in" "$uri/object" || fail "put"
echo go >&8
end_client
roma rm "$uri/object" || fail "rm"
exit 0
