#!/bin/bash
# An upload to RADOS that is killed at a random moment leaves the old object or the whole new one, and gc removes the
# rest. ROUNDS=N for more of them.
# timeout: 400
set -u
# shellcheck source=tests/functions.sh
. "$SRC_DIR/tests/functions.sh"
[ -n "${ROMA_CEPH_DIR:-}" ] || skip "no Ceph cluster"
rounds=${ROUNDS:-10}
pool=$ROMA_CEPH_POOL ns=kill
options="ns=$ns&piece=512KiB&inline=64KiB&keep=0s&grace=0s"
uri="rados://$pool/object?$options" all="rados://$pool/?$options"
rados() { "$SRC_DIR/tests/cluster/ceph" exec rados -p "$pool" -N $ns "$@"; }
now_ms() { echo $(($(date +%s%N) / 1000000)); }

RANDOM=${SEED:=$(date +%s)}
echo "SEED=$SEED"
random_file "$SCRATCH/a" 9000000
SEED=$((SEED + 1)) random_file "$SCRATCH/b" 12000001
roma put -q "$SCRATCH/a" "$uri" || fail "put"
began=$(now_ms)
roma put -q "$SCRATCH/b" "$uri" || fail "put"
whole=$(($(now_ms) - began))
echo "a put takes $whole ms"

old=b new=a kept=0 replaced=0
for ((i = 0; i < rounds; i++)); do
  roma put -q "$SCRATCH/$new" "$uri" &
  victim=$!
  sleep "$(printf '0.%03d' $((RANDOM % (whole < 900 ? whole + 50 : 950))))"
  kill -KILL $victim 2>/dev/null
  wait $victim 2>/dev/null
  roma get -q "$uri" "$SCRATCH/got" || fail "round $i: the object cannot be read"
  if cmp -s "$SCRATCH/got" "$SCRATCH/$old"; then
    kept=$((kept + 1))
  elif cmp -s "$SCRATCH/got" "$SCRATCH/$new"; then
    replaced=$((replaced + 1))
    x=$old old=$new new=$x
  else
    fail "round $i: the object is neither the old one nor the new one"
  fi
  length=$(roma ls -r --json "$all" | grep -o '"length": *[0-9]*' | grep -o '[0-9]*')
  [ "$length" = "$(stat -c %s "$SCRATCH/$old")" ] || fail "round $i: the list shows a length of $length"
done
echo "$kept times the old one, $replaced times the new one"

roma gc --older-than 0 "$all" || fail "gc"
roma get -q "$uri" "$SCRATCH/got" || fail "the object cannot be read after gc"
cmp "$SCRATCH/got" "$SCRATCH/$old" || fail "gc has changed the object"
pieces=$(rados ls | grep -c '^d/')
want=$((($(stat -c %s "$SCRATCH/$old") + 524287) / 524288))
[ "$pieces" = "$want" ] || fail "after gc there are $pieces pieces and the object has $want"
for shard in $(rados ls | grep '^g/'); do
  [ -z "$(rados listomapkeys "$shard")" ] || fail "gc has left entries in $shard"
done
roma rm "$uri" || fail "rm"
[ "$(rados ls | grep -c '^[dh]/')" = 0 ] || fail "rm has left something"
exit 0
