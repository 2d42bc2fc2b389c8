#!/bin/bash
# second try: the libraries and servers of Ceph have races of their own
# The contract suite on a real CephFS: all of it on an own loop, and what depends on the loop in the other two ways.
# timeout: 600
set -u
if [ -z "${ROMA_CEPH_DIR:-}" ]; then
  echo "no Ceph cluster"
  exit 77
fi
status=0

# suite LOOP [ARGUMENT...]
suite() {
  local loop=$1
  shift
  echo "== --loop $loop $*"
  "$BUILD_DIR/tests/contract/contract" "cephfs://$ROMA_CEPH_FS/" --loop "$loop" "$@" || status=1
}

suite own "$@"
if [ $# = 0 ]; then
  for loop in ev fd; do
    for only in names. writers. async. closing.; do suite $loop --only $only; done
  done
fi
exit $status
