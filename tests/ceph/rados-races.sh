#!/bin/bash
# Two puts and a gc on one key of RADOS, each held up where it is worst: no object is without its pieces, no pieces are without
# an object for ever, and whoever loses is told.
set -u
# shellcheck source=tests/functions.sh
. "$SRC_DIR/tests/functions.sh"
[ -n "${ROMA_CEPH_DIR:-}" ] || skip "no Ceph cluster"
pool=$ROMA_CEPH_POOL ns=races-$$-$(date +%s)
options="ns=$ns&piece=64KiB&inline=4KiB"
uri="rados://$pool/?$options" object="rados://$pool/object?$options"
rados() { "$SRC_DIR/tests/cluster/ceph" exec rados -p "$pool" -N "$ns" "$@"; }
export ROMA object
# Nobody writes when it runs, as it says.
collect() { roma gc --older-than 0 "$uri&grace=0s" || fail "gc"; }

# pieces N: so many are there.
pieces() {
  local n
  n=$(rados ls | grep -c '^d/')
  [ "$n" = "$1" ] || fail "there are $n pieces where $1 were expected"
}

# races WORDS ARGUMENT...: how the one that is held up ends.
races() {
  local words=$1
  shift
  timeout 100 "$BUILD_DIR/tests/ceph/rados-races" "$@" >"$SCRATCH/said" 2>&1
  cat "$SCRATCH/said"
  grep -q "$words" "$SCRATCH/said" || fail "expected \"$words\""
  ! grep -q ^FAIL "$SCRATCH/said" || exit 1
}

random_file "$SCRATCH/one" 200000
export ONE="$SCRATCH/one"

echo "== replaced between the swap and the forgetting of the note"
races '^done$' put "$uri" 300000 w g/ 3 '"$ROMA" put -q "$ONE" "$object"'
pieces 9
collect
pieces 4
roma cat "$object" | cmp - "$SCRATCH/one" || fail "other bytes"
exit 0
