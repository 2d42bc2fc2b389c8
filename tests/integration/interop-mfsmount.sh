#!/bin/bash
# Every size with one, two and three copies: put by roma and read by mfsmount, and the other way round. All copies are
# compared block by block, each read from its own chunkserver and once more from the chunkservers' disks. At the end
# bytes on a disk are changed, and each comparison must notice.
# timeout: 900
set -u -o pipefail
# shellcheck source=tests/integration/functions.sh
. "$SRC_DIR/tests/integration/functions.sh"

mib=$((1024 * 1024))
sizes=(0 1 100 65535 65536 65537 100000 "$mib" $((mib + 1)) $((10 * mib - 7)) $((64 * mib - 1)) $((64 * mib))
  $((64 * mib + 1)) $((130 * mib + 12345)))
seed=${SEED:-$RANDOM$RANDOM}
echo "seed $seed"
mapfile -t disks < <(disks)

both_ways() {
  local copies=$1 size=$2 source=$scratch/source key=$name/$1/file
  local file=$mounted/$1/file
  "$interop" make "$source" "$size" $((seed + size)) || fail "make $size"
  inside "$interop" put "$uri" "$key" "$source" || fail "put $size bytes, $copies copies"
  cmp "$source" "$file" || fail "put by roma, read by mfsmount: $size bytes, $copies copies"
  compare "$key" "$source" "$copies" "put by roma: $size bytes"
  rm -f "$file"
  cp "$source" "$file" || fail "cp by mfsmount"
  inside "$interop" get "$uri" "$key" "$scratch/got" || fail "get $size bytes, $copies copies"
  cmp "$source" "$scratch/got" || fail "written by mfsmount, read by roma: $size bytes, $copies copies"
  compare "$key" "$source" "$copies" "written by mfsmount: $size bytes"
  rm -f "$file"
}

# compare KEY SOURCE COPIES WHAT
compare() {
  inside "$interop" replicas "$uri" "$1" "$2" "$3" || fail "$4, $3 copies: the replicas differ"
  inside "$interop" disk "$uri" "$1" "$2" "$3" "${disks[@]}" || fail "$4, $3 copies: the disks differ"
}

for copies in 1 2 3; do
  mkdir "$mounted/$copies"
  goal "$copies" "$mounted/$copies"
  for size in "${sizes[@]}"; do both_ways $copies "$size"; done
  echo "$copies copies: ${#sizes[@]} sizes identical both ways, all replicas identical"
done

# Proof that the comparisons can fail: one byte of one copy on cs1, once with its CRC left wrong, once made to fit.
key=$name/2/changed
"$interop" make "$scratch/source" 300000 "$seed"
for fix in 0 1; do
  for try in $(seq 40); do
    # Two of three servers have it: again until cs1 is one of them. A master may leave a server out for some seconds that has
    # just come back.
    inside "$interop" put "$uri" "$key" "$scratch/source" || fail "put"
    # shellcheck disable=SC2086 # a list of folders
    inside "$interop" disk "$uri" "$key" "$scratch/source" 1 $ROMA_MFS_CS1_DATA >/dev/null && break
    [ "$try" -lt 40 ] || fail "cs1 never got a copy"
    [ "$try" -lt 8 ] || sleep 0.5
    # It gives up a disk after two errors in ten minutes, and its own look at the changed block counts as well.
    if [ $((try % 10)) = 9 ]; then "$cluster" restart cs1 || fail "restart cs1"; fi
  done
  inside "$interop" replicas "$uri" "$key" "$scratch/source" 2 || fail "the replicas differ before any change"
  # The daemon keeps CRC tables in memory: it must start anew to see the change.
  # shellcheck disable=SC2086
  inside "$interop" flip "$uri" "$key" 150000 $fix $ROMA_MFS_CS1_DATA || fail "flip"
  "$cluster" restart cs1 || fail "restart cs1"
  # shellcheck disable=SC2086
  if inside "$interop" disk "$uri" "$key" "$scratch/source" 1 $ROMA_MFS_CS1_DATA; then
    fail "a changed byte (CRC made to fit: $fix) was not noticed on the disk"
  fi
  if inside "$interop" replicas "$uri" "$key" "$scratch/source" 2; then
    fail "a changed byte (CRC made to fit: $fix) was not noticed in the replicas"
  fi
done
echo "a changed byte is noticed"
