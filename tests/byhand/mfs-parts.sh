#!/bin/bash
# Erasure coded chunks of MooseFS 4.x, by hand: ROMA_MFS_SERVERS=DIR tests/byhand/mfs-parts.sh [BUILD_FOLDER]
# Starts a cluster of its own with eleven chunkservers and two storage classes (4+1 and 8+1 parts). Files are put by
# roma, the master turns them into parts (up to some minutes), and roma reads them: whole, with the server of one part
# gone, after writing in the middle of one, and after overwriting it.
set -u -o pipefail
src=$(cd "$(dirname "$0")/../.." && pwd -P)
build=${1:-$src/_build-asan}
work=$(mktemp -d)
export SRC_DIR=$src ROMA=$build/roma
trap '"$src/tests/cluster/mfs" down --dir "$work/parts"; rm -rf "$work"' EXIT
"$src/tests/cluster/mfs" up --dir "$work/parts" --net 10.77.40 --chunkservers 11 --folders 1 --mount \
  --master-cfg 'CHUNKS_LOOP_MIN_TIME = 60' --master-cfg 'REPLICATIONS_DELAY_INIT = 0' || exit 1
eval "$("$src/tests/cluster/mfs" env --dir "$work/parts")"
# shellcheck source=tests/functions.sh
. "$src/tests/functions.sh"
cd "$work" || exit 1
uri=mfs://$ROMA_MFS_MASTER

# only_parts KEY DATA_PARTS: each chunk is one more part than that, and nothing else.
only_parts() {
  roma chunks "$uri/$1" | sed -n '/^ /p' >map || fail "chunks $1"
  ! grep -q -v ' part ' map && awk -v n="$2" '
    { part[$1]++ }
    END { for (i in part) if (part[i] <= n) exit 1; exit NR == 0 }' map
}

equal() {
  rm -f got
  roma get "$uri/$1" got || fail "get $1: $3"
  cmp got "$2" || fail "$1 differs: $3"
  echo "ok   $1: $3"
}

random_file big $((150 * 1024 * 1024 + 12345))
random_file small 1000001
random_file patch 300000
for n in 4 8; do
  in_cluster mfscreatesclass -M "$ROMA_MFS_MOUNT" -K '2*' -A "@$n+1,*" -s 1 "parts$n" >/dev/null || fail "class $n+1"
  mkdir "$ROMA_MFS_MOUNT/$n"
  in_cluster mfssetsclass "parts$n" "$ROMA_MFS_MOUNT/$n" >/dev/null || fail "mfssetsclass parts$n"
  for file in big small; do
    roma put --verify=replicas $file "$uri/$n/$file" || fail "put"
    in_cluster mfssetarchive "$ROMA_MFS_MOUNT/$n/$file" >/dev/null || fail "mfssetarchive"
  done
done
for n in 4 8; do
  for file in big small; do
    deadline=$((SECONDS + 600))
    until only_parts "$n/$file" "$n"; do
      ((SECONDS < deadline)) || fail "$n/$file is not in parts after 600 s: $(cat map)"
      sleep 2
    done
    echo "ok   $n/$file: in parts"
    equal "$n/$file" $file "read from its parts"
    roma chunks --crc "$uri/$n/$file" >out || fail "chunks --crc: $(cat out)"
  done
done

cluster kill cs1
for n in 4 8; do
  equal "$n/big" big "read without one server"
  equal "$n/small" small "read without one server"
done
cluster heal

for n in 4 8; do
  cp big changed
  dd if=patch of=changed bs=1 seek=67000000 conv=notrunc status=none
  in_cluster "$build/tests/integration/interop" patch "$uri/" "$n/big" 67000000 patch || fail "patch"
  equal "$n/big" changed "written in the middle"
  cmp "$ROMA_MFS_MOUNT/$n/big" changed || fail "mfsmount reads something else"
  roma put --verify=replicas patch "$uri/$n/small" || fail "put over parts"
  equal "$n/small" patch "overwritten"
done
