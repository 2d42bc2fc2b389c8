#!/bin/bash
# Damaged parts of erasure coded chunks of MooseFS 4.x, by hand:
#   ROMA_MFS_SERVERS=DIR tests/byhand/mfs-parts-damage.sh [BUILD_FOLDER]
# Starts a cluster of its own with eleven chunkservers, whose master turns files into 4+1 and 8+1 parts (some minutes). Part files
# are damaged under stopped chunkservers; roma chunkfile, salvage and diagnose look at them. At the end all that the master can
# mend is read as by any client.
set -u -o pipefail
src=$(cd "$(dirname "$0")/../.." && pwd -P)
build=${1:-$src/_build-asan}
work=$(mktemp -d)
export SRC_DIR=$src ROMA=$build/roma
trap '"$src/tests/cluster/mfs" down --dir "$work/parts"; rm -rf "$work"' EXIT
"$src/tests/cluster/mfs" up --dir "$work/parts" --net 10.77.41 --chunkservers 11 --folders 1 --mount \
  --master-cfg 'CHUNKS_LOOP_MIN_TIME = 60' --master-cfg 'REPLICATIONS_DELAY_INIT = 0' || exit 1
eval "$("$src/tests/cluster/mfs" env --dir "$work/parts")"
# shellcheck source=tests/functions.sh
. "$src/tests/functions.sh"
cd "$work" || exit 1
uri=mfs://$ROMA_MFS_MASTER
failures=0
bad() {
  failures=$((failures + 1))
  printf 'FAIL %s\n' "$*"
}

# code EXPECTED COMMAND...
code() {
  local want=$1 got=0
  shift
  "$@" >out 2>errors || got=$?
  [[ $got =~ ^[$want]$ ]] || bad "exit code $got, not $want: $* $(head -c 1500 out errors)"
}
says() { grep -Eq -- "$1" out || bad "'$1' is not said: $(head -c 1500 out)"; }

# only_parts KEY DATA_PARTS: each chunk is that and one more, nothing else.
only_parts() {
  roma chunks "$uri/$1" | sed -n '/^ /p' >map || fail "chunks $1"
  ! grep -q -v ' part ' map && awk -v n="$2" '
    { part[$1]++ }
    END { for (i in part) if (part[i] != n + 1) exit 1; exit NR == 0 }' map
}

# file_of KEY PART: the chunk file, on whatever server.
file_of() {
  local id
  id=$(roma chunks --json "$uri/$1" | sed -n 's/.*"index":0,"id":"00\([0-9A-F]*\)".*/\1/p')
  find parts/data -name "chunk_$2${id}_*.mfs" -print -quit
}
flip() { printf '\x01' | dd of="$1" bs=1 seek=$((8192 + $2)) conv=notrunc status=none; }

kinds='bit sum cut end gone empty header swapped two all'
declare -A size=([4]=$((160 * 65536 - 777)) [8]=$((200 * 65536 - 777)))
for n in 4 8; do
  head -c "${size[$n]}" /dev/urandom >"a$n"
  # No byte that is flipped may have been a 1: bytes 5 and 300000 of the first three parts.
  for p in 0 1 2; do
    for at in 5 65541 300000; do
      # shellcheck disable=SC2017 # the whole units, then the place in one
      printf '\x00' | dd of="a$n" bs=1 seek=$(((at / 262144 * n + p) * 262144 + at % 262144)) conv=notrunc status=none
    done
  done
  in_cluster mfscreatesclass -M "$ROMA_MFS_MOUNT" -K '2*' -A "@$n+1,*" -s 1 "parts$n" >/dev/null || fail "class $n+1"
  mkdir "$ROMA_MFS_MOUNT/$n"
  in_cluster mfssetsclass "parts$n" "$ROMA_MFS_MOUNT/$n" >/dev/null || fail "mfssetsclass parts$n"
  for kind in $kinds; do
    roma put "a$n" "$uri/$n/$kind" || fail "put"
    in_cluster mfssetarchive "$ROMA_MFS_MOUNT/$n/$kind" >/dev/null || fail "mfssetarchive"
  done
done
for n in 4 8; do
  for kind in $kinds; do
    deadline=$((SECONDS + 900))
    until only_parts "$n/$kind" "$n"; do
      ((SECONDS < deadline)) || fail "$n/$kind is not in parts after 900 s: $(cat map)"
      sleep 2
    done
  done
  echo "ok   $n+1: in parts"
done
sed -i 's/^REPLICATIONS_DELAY_INIT.*/REPLICATIONS_DELAY_INIT = 1000000/' parts/etc/master.cfg
cluster restart master

for n in 4 8; do
  code 0 roma chunks --crc "$uri/$n/bit"
  cp out "chunks$n"
  code 0 roma get "$uri/$n/bit" "got$n"
  cmp "got$n" "a$n" || bad "get $n/bit"
  code 0 roma diagnose -r "$uri/$n"
  code 0 roma diagnose -r --deep "$uri/$n"
  code 0 roma diagnose --against "a$n" "$uri/$n/bit"
  code 0 roma salvage --against "a$n" "$uri/$n/bit" "saved-clean$n"
  cmp "saved-clean$n" "a$n" || bad "salvage $n/bit"
done
echo "ok   clean: read, diagnosed, salvaged"

declare -A file
for n in 4 8; do
  ((n == 4)) && base=1 sum=14 || base=2 sum=28
  file[$n-bit]=$(file_of "$n/bit" "${base}1") file[$n-sum]=$(file_of "$n/sum" "$sum") file[$n-cut]=$(file_of "$n/cut" "${base}0")
  file[$n-end]=$(file_of "$n/end" "${base}0") file[$n-gone]=$(file_of "$n/gone" "${base}2") file[$n-empty]=$(file_of "$n/empty" "${base}2")
  file[$n-header]=$(file_of "$n/header" "${base}3") file[$n-swapped]=$(file_of "$n/swapped" "${base}0")
  file[$n-swapped2]=$(file_of "$n/swapped" "${base}1")
  for p in 0 1 2; do file[$n-two$p]=$(file_of "$n/two" "$base$p") file[$n-all$p]=$(file_of "$n/all" "$base$p"); done
done
for i in {1..11}; do cluster kill "cs$i"; done
for n in 4 8; do
  code 0 roma chunkfile --against "a$n" "${file[$n-bit]}"
  flip "${file[$n-bit]}" 300000
  code 1 roma chunkfile --against "a$n" "${file[$n-bit]}"
  says 'a single bit'
  flip "${file[$n-sum]}" 5
  truncate -s $((8192 + 65536 * 4)) "${file[$n-cut]}"
  truncate -s $((8192 + 65536 * ($(stat -c %s "${file[$n-end]}") / 65536 - 4))) "${file[$n-end]}"
  rm "${file[$n-gone]}"
  : >"${file[$n-empty]}"
  printf 'X' | dd of="${file[$n-header]}" bs=1 seek=9 conv=notrunc status=none
  # A block of another place with its checksum in the table: only the other parts, or the original, contradict it.
  dd if="${file[$n-swapped]}" of="${file[$n-swapped]}" bs=1 count=65536 skip=8192 seek=$((8192 + 65536 * 5)) conv=notrunc \
    iflag=fullblock status=none
  dd if="${file[$n-swapped]}" of="${file[$n-swapped]}" bs=1 count=4 skip=4096 seek=$((4096 + 20)) conv=notrunc status=none
  # Two parts, in different blocks: each can be computed from the others, and the master takes neither.
  flip "${file[$n-two0]}" 5
  flip "${file[$n-two1]}" 300000
  # Two parts in the same block.
  flip "${file[$n-all0]}" 65541
  flip "${file[$n-all1]}" 65541
done
cluster heal

# salvaged KIND [ARGUMENT...]: byte for byte, and nothing is in doubt.
salvaged() {
  local kind=$1
  shift
  code 0 roma salvage -f --error-gap 0 "$@" "$uri/$n/$kind" saved
  cmp -s saved "a$n" || bad "salvage $* $n/$kind: $(cat out saved.map)"
  sed "s/^/$n-$kind: /" saved.map >>maps
}
# diagnosed CODE KIND [ARGUMENT...]
diagnosed() {
  local want=$1 kind=$2
  shift 2
  code "$want" roma diagnose --error-gap 0 "$@" "$uri/$n/$kind"
  sed "s/^/$n-$kind $*: /" out errors >>said
}
# The master has parts made anew for whoever asks to read, and for diagnose, which asks that too: so the damage is gone then.
for n in 4 8; do
  for kind in $kinds; do
    case $kind in
    all | swapped) ;;
    *) salvaged "$kind" ;;
    esac
  done
  salvaged swapped --against "a$n"
  code 1 roma salvage -f --error-gap 0 "$uri/$n/swapped" saved
  says " $((n * 65536)) chosen, 0 lost"
  code 1 roma salvage -f --error-gap 0 "$uri/$n/all" saved
  says ' 131072 lost'
  cmp -l saved "a$n" | awk '{ b[int(($1 - 1) / 65536)] } END { for (i in b) print i }' | sort -n | tr '\n' ' ' >blocks
  [ "$(cat blocks)" = "1 5 " ] || bad "salvage $n/all lost the blocks $(cat blocks)"
  for kind in $kinds; do
    case $kind in
    all | two | swapped) diagnosed 1 "$kind" ;;
    *) diagnosed 01 "$kind" ;;
    esac
    case $kind in
    all | two) says 'of its parts are good' ;;
    swapped) says 'do not fit each other' ;;
    esac
    case $kind in
    all | two | swapped) diagnosed 1 "$kind" --deep ;;
    *) diagnosed 01 "$kind" --deep ;;
    esac
  done
  diagnosed 1 swapped --against "a$n"
  says "in part $((n / 4))0 "
  salvaged two
  roma chunks "$uri/$n/two" >>said
done

sed -i 's/^REPLICATIONS_DELAY_INIT.*/REPLICATIONS_DELAY_INIT = 0/' parts/etc/master.cfg
cluster restart master
for n in 4 8; do
  for kind in bit sum cut end gone empty header; do
    rm -f got
    roma get "$uri/$n/$kind" got 2>errors || bad "get $n/$kind: $(cat errors)"
    cmp got "a$n" || bad "get $n/$kind"
  done
  for kind in two all; do
    code 57 roma get "$uri/$n/$kind" got
    echo "get $n/$kind: $(cat errors)"
  done
done
cat said
echo "$failures failures"
[ $failures = 0 ]
