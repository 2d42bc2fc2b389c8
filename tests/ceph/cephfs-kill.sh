#!/bin/bash
# An upload to CephFS that is killed at a random moment leaves the old object or the whole new one, and gc removes the
# rest. ROUNDS=N for more of them.
# timeout: 400
set -u
# shellcheck source=tests/functions.sh
. "$SRC_DIR/tests/functions.sh"
# shellcheck source=tests/ceph/functions.sh
. "$SRC_DIR/tests/ceph/functions.sh"
rounds=${ROUNDS:-10}
folder=cephfs://$ROMA_CEPH_FS/kill
uri=$folder/object
now_ms() { echo $(($(date +%s%N) / 1000000)); }

RANDOM=${SEED:=$(date +%s)}
echo "SEED=$SEED"
random_file "$SCRATCH/a" 9000000
SEED=$((SEED + 1)) random_file "$SCRATCH/b" 12000001
roma mkdir -p "$folder" || fail "mkdir"
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
  # Otherwise the MDS keeps for 60 s what a client has that is gone.
  evict $victim
  roma get -q "$uri" "$SCRATCH/got" || fail "round $i: the object cannot be read"
  if cmp -s "$SCRATCH/got" "$SCRATCH/$old"; then
    kept=$((kept + 1))
  elif cmp -s "$SCRATCH/got" "$SCRATCH/$new"; then
    replaced=$((replaced + 1))
    x=$old old=$new new=$x
  else
    fail "round $i: the object is neither the old one nor the new one"
  fi
done
echo "$kept times the old one, $replaced times the new one"

echo "before gc: $(roma ls --all "$folder" | grep -cF '.roma~') temporaries"
roma gc --older-than 0 "$folder" || fail "gc"
left=$(roma ls --all "$folder" | grep -F '.roma~')
[ -z "$left" ] || fail "gc leaves $left"
roma get -q "$uri" "$SCRATCH/got" || fail "the object cannot be read after gc"
cmp "$SCRATCH/got" "$SCRATCH/$old" || fail "gc has changed the object"
exit 0
