#!/bin/bash
# 1 GiB + 1 byte with one, two and three copies, both ways against mfsmount, all copies compared.
# timeout: 1200
set -u -o pipefail
# shellcheck source=tests/integration/functions.sh
. "$SRC_DIR/tests/integration/functions.sh"

size=$((1024 * 1024 * 1024 + 1))
seed=${SEED:-$RANDOM$RANDOM}
echo "seed $seed"
room=$(df --output=avail -B1 "$scratch" | tail -n 1)
[ "$room" -gt $((8 * size)) ] || skip "8 GiB of room are needed in $scratch"
"$interop" make "$scratch/source" $size "$seed" || fail "make"

for copies in 1 2 3; do
  folder=$mounted/$copies key=$name/$copies/file
  mkdir "$folder"
  goal $copies "$folder"
  inside "$interop" put "$uri" "$key" "$scratch/source" || fail "put, $copies copies"
  cmp "$scratch/source" "$folder/file" || fail "put by roma, read by mfsmount, $copies copies"
  inside "$interop" replicas "$uri" "$key" "$scratch/source" $copies || fail "put by roma: replicas differ"
  rm -f "$folder/file"
  cp "$scratch/source" "$folder/file" || fail "cp by mfsmount"
  inside "$interop" get "$uri" "$key" "$scratch/got" || fail "get, $copies copies"
  cmp "$scratch/source" "$scratch/got" || fail "written by mfsmount, read by roma, $copies copies"
  inside "$interop" replicas "$uri" "$key" "$scratch/source" $copies || fail "written by mfsmount: replicas differ"
  rm -f "$folder/file" "$scratch/got"
  echo "$copies copies: identical"
done
