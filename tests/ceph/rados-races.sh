#!/bin/bash
# Two puts and a gc on one key of RADOS, each held up where it is worst: no object is without its pieces, no pieces are without
# an object for ever, and whoever loses is told.
# shellcheck disable=SC2016 # commands for another shell
set -u
# shellcheck source=tests/functions.sh
. "$SRC_DIR/tests/functions.sh"
[ -n "${ROMA_CEPH_DIR:-}" ] || skip "no Ceph cluster"
pool=$ROMA_CEPH_POOL ns=races-$$-$(date +%s)
options="ns=$ns&piece=64KiB&inline=4KiB"
uri="rados://$pool/?$options" object="rados://$pool/object?$options"
rados() { "$SRC_DIR/tests/cluster/ceph" exec rados -p "$pool" -N "$ns" "$@"; }
nobody="$uri&grace=0s" # writes when gc runs, as it says
export ROMA object nobody
collect() { roma gc --older-than 0 "$nobody" || fail "gc"; }
gone() { ! roma stat "$object" 2>/dev/null || fail "there is an object without pieces"; }

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
collect
pieces 4
is_one() { roma cat "$object" | cmp - "$SCRATCH/one" || fail "other bytes"; }
is_one

echo "== collected when a swap of what is there is on its way"
races 'has collected' put "$uri" 300000 w h/ 2 '"$ROMA" gc --older-than 0 "$nobody"'
is_one

echo "== collected while the machine slept, before the swap"
roma rm "$object" || fail "rm"
LATER=600 races 'has collected' put "$uri" 300000 w i/ 1 '"$ROMA" gc --older-than 0 "$nobody"'
gone
pieces 0

echo "== swapped when gc is about to remove the pieces"
export AT="$SCRATCH/at" GO="$SCRATCH/go" END="$SCRATCH/end"
{
  timeout 100 "$BUILD_DIR/tests/ceph/rados-races" put "$uri" 300000 w h/ 1 \
    'touch "$AT"; until [ -e "$GO" ]; do sleep 0.05; done' >"$SCRATCH/put" 2>&1
  touch "$END"
} &
for ((i = 0; i < 400; i++)); do
  [ -e "$AT" ] && break
  sleep 0.1
done
races '^done$' gc "$nobody" r h/ 2 'touch "$GO"; until [ -e "$END" ]; do sleep 0.05; done'
wait
grep -q '^done$' "$SCRATCH/put" || fail "the put: $(cat "$SCRATCH/put")"
pieces 5
[ "$(roma cat "$object" | wc -c)" = 300000 ] || fail "the object cannot be read"

echo "== a time of grace that is too short"
! roma ping "$uri&grace=10s" >"$SCRATCH/said" 2>&1 || fail "it was taken"
grep -q "option grace: at least 2m" "$SCRATCH/said" || fail "$(cat "$SCRATCH/said")"
! roma ping "$uri&osd=1h&grace=15m" >"$SCRATCH/said" 2>&1 || fail "it was taken"

echo "== a write of which the cluster has done a half"
"$BUILD_DIR/tests/ceph/rados-races" raw "rados://$pool/?ns=$ns&raw=1" || fail "raw"

echo "== a plain object that gets other bytes in the second in which it is read, and one that goes when it is opened"
"$BUILD_DIR/tests/ceph/rados-races" mixed "rados://$pool/?ns=$ns&raw=1" || fail "mixed"
"$BUILD_DIR/tests/ceph/rados-races" opened "rados://$pool/?ns=$ns&raw=1" || fail "opened"

echo "== a put that is given up before its mark is in the index, into which somebody else puts the object first"
export shard="rados://$pool/object?ns=$ns-shard"
races '^done$' cancelled "rados://$pool/?ns=$ns-shard&shards=1" w i/ 2 '"$ROMA" put -q "$ONE" "$shard"'
roma cat "$shard" | cmp - "$SCRATCH/one" || fail "other bytes"
roma ls "rados://$pool/?ns=$ns-shard" | grep -qx object || fail "what was put is not listed"

echo "== a namespace that could not be laid out when the store was opened"
export full="rados://$pool/?ns=$ns-full" late="rados://$pool/other?ns=$ns-late&shards=4"
"$BUILD_DIR/tests/ceph/rados-races" full "$full&shards=8" >"$SCRATCH/said" || fail "full: $(cat "$SCRATCH/said")"
[ "$(tr '\n' ' ' <"$SCRATCH/said")" = "listed put " ] || fail "$(cat "$SCRATCH/said")"
[ "$(roma ls "$full")" = late ] || fail "what was put late is not listed"
OTHER='"$ROMA" put -q "$ONE" "$late"' "$BUILD_DIR/tests/ceph/rados-races" full "rados://$pool/?ns=$ns-late&shards=8" >"$SCRATCH/said" ||
  fail "late: $(cat "$SCRATCH/said")"
[ "$(grep -c "another number of shards" "$SCRATCH/said")" = 2 ] || fail "$(cat "$SCRATCH/said")"
! roma stat "rados://$pool/late?ns=$ns-late" 2>/dev/null || fail "it has put something where nobody looks"

echo "== a child of a process that has a store open"
"$BUILD_DIR/tests/ceph/rados-races" fork "$uri" || fail "fork"
exit 0
