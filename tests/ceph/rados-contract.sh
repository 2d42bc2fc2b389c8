#!/bin/bash
# The contract suite on RADOS: objects of any size with an index, and plain objects (raw).
set -u
# shellcheck source=tests/functions.sh
. "$SRC_DIR/tests/functions.sh"
[ -n "${ROMA_CEPH_DIR:-}" ] || skip "no Ceph cluster"
ceph() { "$SRC_DIR/tests/cluster/ceph" "$@"; }
status=0
ns=contract-$$-$(date +%s)

# suite NAMESPACE OPTIONS LOOP
suite() {
  echo "== $2 --loop $3"
  "$BUILD_DIR/tests/contract/contract" "rados://$ROMA_CEPH_POOL/below?ns=$ns$1$2" --loop "$3" || status=1
}

suite -raw "&raw=1" own
# Small pieces, so that objects of a few MiB have many and the budget of a loop is felt.
suite "" "&piece=256KiB&inline=64KiB&shards=4&keep=0s" ev

left=$(ceph exec rados -p "$ROMA_CEPH_POOL" -N "$ns-raw" ls)
[ -z "$left" ] || { echo "FAIL: plain objects are left: $left"; status=1; }
left=$(ceph exec rados -p "$ROMA_CEPH_POOL" -N "$ns" ls | grep '^[hd]/')
if [ -n "$left" ]; then
  # What was cancelled in the middle of its removal.
  roma gc --older-than 0 "rados://$ROMA_CEPH_POOL/?ns=$ns&grace=0s" || status=1
  left=$(ceph exec rados -p "$ROMA_CEPH_POOL" -N "$ns" ls | grep '^[hd]/')
  [ -z "$left" ] || { echo "FAIL: gc leaves heads or pieces: $left"; status=1; }
fi

# One namespace under two names: what --delete would remove is what is to be copied.
printf '[p]\nuri = rados://%s?ns=%s\n[other]\nuri = rados://%s?ns=%s-other\n' "$ROMA_CEPH_POOL" "$ns" "$ROMA_CEPH_POOL" "$ns" >"$SCRATCH/roma.conf"
export ROMA_CONFIG=$SCRATCH/roma.conf
refused() {
  "$@" 2>"$SCRATCH/errors" && { echo "FAIL: $*"; status=1; }
  grep -q 'lies in the other\|cannot be copied into itself' "$SCRATCH/errors" || { cat "$SCRATCH/errors"; status=1; }
}
echo kept >"$SCRATCH/kept"
roma put "$SCRATCH/kept" p:photos/x || status=1
refused roma sync --delete p:photos "rados://$ROMA_CEPH_POOL?ns=$ns"
refused roma sync --delete "rados://$ROMA_CEPH_POOL?ns=$ns" p:photos
refused roma cp -r "rados://$ROMA_CEPH_POOL/?ns=$ns" p:backup
[ "$(roma cat p:photos/x)" = kept ] || { echo "FAIL: the source is not what it was"; status=1; }
roma sync -q --delete p: other: || status=1
[ "$(roma cat other:photos/x)" = kept ] || { echo "FAIL: another namespace is no other place"; status=1; }
# A name below which objects lie is a folder, with and without the slash, as on S3.
roma put "$SCRATCH/kept" p:photos/2026/y || status=1
[ "$(roma ls p:photos)" = "$(printf '2026/\nx')" ] || { echo "FAIL: ls: $(roma ls p:photos)"; status=1; }
roma stat p:photos | grep -q 'type: folder' || { echo "FAIL: stat of a name below which objects lie"; status=1; }
for none in phot photos/x/y none; do
  roma stat "p:$none" 2>"$SCRATCH/errors"
  [ $? = 3 ] || { echo "FAIL: stat of $none"; status=1; }
done
roma rm p:photos 2>"$SCRATCH/errors" && { echo "FAIL: removed without -r"; status=1; }
roma rm -r p:photos/2026 || status=1
[ "$(roma ls -r p:)" = photos/x ] || { echo "FAIL: rm -r: $(roma ls -r p:)"; status=1; }
roma rm p:photos/x other:photos/x || status=1
exit $status
