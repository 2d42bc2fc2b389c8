#!/bin/bash
# The contract suite on a real MooseFS: with one copy driven in all three ways, and once with two copies.
# timeout: 1500
set -u
if [ -z "${ROMA_MFS_MASTER:-}" ]; then
  echo "no MooseFS cluster"
  exit 77
fi
cluster=$SRC_DIR/tests/cluster/mfs
status=0

# suite COPIES LOOP [ARGUMENT...]
suite() {
  local copies=$1 loop=$2 folder=$ROMA_MFS_MOUNT/contract-$1-$2
  shift 2
  echo "== $copies copies, --loop $loop"
  mkdir -p "$folder"
  "$cluster" exec mfssetsclass "$copies" "$folder" >/dev/null || status=1
  "$cluster" exec "$BUILD_DIR/tests/contract/contract" "mfs://$ROMA_MFS_MASTER/${folder##*/}" --loop "$loop" "$@" ||
    status=1
  rmdir "$folder" || status=1
}

if [ -z "${ROMA_MFS_MOUNT:-}" ]; then
  echo "the cluster could not be mounted here (FUSE)"
  exit 77
fi
for loop in own ev fd; do suite 1 $loop "$@"; done
suite 2 own "$@"
exit $status
