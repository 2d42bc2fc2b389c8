#!/bin/bash
# Only the MD5 of the original is known, and no copy of a file on a real MooseFS is right everywhere: roma diagnose --against MD5
# says which copy is right where, and roma salvage --against MD5 writes the original byte for byte.
# timeout: 300
set -u
# shellcheck source=tests/mounted-functions.sh
. "$SRC_DIR/tests/mounted-functions.sh"
[ -n "${ROMA_MFS_CS3_DATA:-}" ] || skip "three chunkservers are needed"
heals=yes
mkdir "$mounted/two" "$mounted/three" || fail "mkdir $mounted"
goal 2 "$mounted/two"
goal 3 "$mounted/three"
md5() { md5sum "$1" | cut -d' ' -f1; }

# copies KEY [INDEX]: the chunk files of a file's chunk, one a line, in the order of the servers.
copies() {
  local i v id
  id=$(roma chunks --json "$here/$1" | sed -n "s/.*\"index\":${2:-0},\"id\":\"\([0-9A-F]*\)\".*/\1/p")
  for i in 1 2 3; do
    v=ROMA_MFS_CS${i}_DATA
    # shellcheck disable=SC2086 # a list of folders
    find ${!v} -name "chunk_${id}_*.mfs"
  done
}

# spoil FILE BLOCK BYTES-FILE: other bytes in a block, with a checksum that fits, as a client that lost a write leaves them.
spoil() {
  local crc
  truncate -s 65536 "$3"
  dd if="$3" of="$1" bs=4096 seek=$((2 + $2 * 16)) conv=notrunc status=none || fail "dd to $1"
  # The CRC-32 stands in front of the length at the end of a gzip file.
  crc=$(gzip -1 -c "$3" | tail -c 8 | head -c 4 | od -An -tx1 | awk '{ print "\\x" $4 "\\x" $3 "\\x" $2 "\\x" $1 }')
  # shellcheck disable=SC2059 # the bytes of the checksum
  printf "$crc" | dd of="$1" bs=1 seek=$((4096 + 4 * $2)) conv=notrunc status=none || fail "dd to $1"
}
zeros() {
  : >zero
  spoil "$1" "$2" zero
}
noise() {
  head -c 65536 /dev/urandom >junk
  spoil "$1" "$2" junk
}

size=$((46 * 65536 - 777))
head -c $size /dev/urandom >a
head -c $((67108864 + 300000)) /dev/urandom >big
for name in two/holes two/mixed two/striped two/none two/many three/minority; do expect 0 roma put a "$here/$name"; done
expect 0 roma put big "$here/two/big"
mapfile -t holes < <(copies two/holes)
mapfile -t mixed < <(copies two/mixed)
mapfile -t striped < <(copies two/striped)
mapfile -t none < <(copies two/none)
mapfile -t many < <(copies two/many)
mapfile -t minority < <(copies three/minority)
mapfile -t big0 < <(copies two/big 0)
mapfile -t big1 < <(copies two/big 1)
[ "${#holes[@]}${#mixed[@]}${#striped[@]}${#none[@]}${#many[@]}${#minority[@]}${#big0[@]}${#big1[@]}" = 22222322 ] || fail "copies are missing: $(roma chunks "$here/two/holes")"
for i in 1 2 3; do "$cluster" kill cs$i --dir "$ROMA_MFS_DIR"; done
# Lost writes, now in this copy, now in that.
for b in 3 4 20; do zeros "${holes[0]}" $b; done
for b in 10 21 45; do zeros "${holes[1]}" $b; done
# Beside each other, and none of it zeros: each block is a choice of its own.
noise "${mixed[0]}" 7
noise "${mixed[1]}" 8
# One block is right nowhere.
zeros "${none[0]}" 5
noise "${none[0]}" 9
noise "${none[1]}" 9
# Every second block, now here, now there.
for b in {0..17}; do noise "${many[b % 2]}" "$b"; done
for b in {0..17}; do zeros "${striped[b % 2]}" "$b"; done
# Two of three are wrong in the same way.
noise "${minority[0]}" 12
spoil "${minority[2]}" 12 junk
noise "${big0[1]}" 1000
zeros "${big1[0]}" 1
"$cluster" heal --dir "$ROMA_MFS_DIR"

# diagnose CODE NAME FILE: its output goes to the file `found`.
diagnose() {
  local got=0
  roma diagnose --error-gap 0 --against "$(md5 "$3")" "$here/$2" >found 2>errors || got=$?
  [ "$got" = "$1" ] || fail "diagnose of $2: exit code $got, expected $1: $(cat found errors)"
}

# address FILE: of the server that has this chunk file.
address() {
  local i v folder
  for i in 1 2 3; do
    v=ROMA_MFS_CS${i}_DATA
    for folder in ${!v}; do
      [[ $1 != "$folder"/* ]] || v=ROMA_MFS_CS${i}_ADDRESS
    done
    [[ $v != *_ADDRESS ]] || echo "${!v}"
  done
}

# right BLOCKS FILE...: of these blocks just the copies in these chunk files are as the original.
right() {
  local blocks=$1 want
  shift
  want=$(for f in "$@"; do address "$f"; done | sort | paste -sd' ')
  awk -v b="$blocks" '/^    block / { split($2, x, ","); at = x[1] }
    at == b && /as the original: / { sub(/^.*original: */, ""); gsub(/, /, "\n"); print }' found | sort | paste -sd' ' >is
  [ "$(cat is)" = "$want" ] || fail "block $blocks is as the original on '$(cat is)', not on '$want': $(cat found)"
}

# salvaged NAME FILE
salvaged() {
  expect 0 roma salvage -f --error-gap 0 --against "$(md5 "$2")" "$here/$1" saved >out
  same saved "$2"
  ! grep -q '	chosen	\|	lost	' saved.map || fail "salvage of $1 is not certain: $(cat saved.map)"
}

diagnose 1 two/holes a
right 3-4 "${holes[1]}"
right 10 "${holes[0]}"
right 20 "${holes[1]}"
right 21 "${holes[0]}"
right 45 "${holes[0]}"
grep -q 'roma salvage --against' found || fail "diagnose does not say what to do: $(cat found)"
salvaged two/holes a

diagnose 1 two/mixed a
right 7 "${mixed[1]}"
right 8 "${mixed[0]}"

# Too many to try them all, but what was lost is zeros.
diagnose 1 two/striped a
right 16 "${striped[1]}"
right 17 "${striped[0]}"
salvaged two/striped a

diagnose 1 three/minority a
right 12 "${minority[1]}"

diagnose 1 two/big big
right 1000 "${big0[0]}"
right 1 "${big1[1]}"
salvaged two/big big

diagnose 1 two/none a
grep -q 'none of [0-9]* combinations' found || fail "diagnose: $(cat found)"
grep -q 'the right bytes are in no copy' found || fail "diagnose: $(cat found)"
got=0
roma salvage -f --error-gap 0 --against "$(md5 a)" "$here/two/none" saved >out 2>errors || got=$?
[ "$got$(grep -c 'none has the MD5' errors)" = 11 ] || fail "salvage: exit code $got: $(cat errors)"

diagnose 1 two/many a
grep -q '18 places in which the copies differ give [0-9]* combinations and .* to digest, and 65536 and 64 GiB are the limit' found ||
  fail "diagnose of too many: $(cat found)"

# Another file's MD5, and copies that agree: nothing to choose from.
expect 0 roma put a "$here/two/same"
got=0
roma diagnose --against 00000000000000000000000000000000 "$here/two/same" >found 2>errors || got=$?
[ "$got$(grep -c 'the copies agree' found)" = 11 ] || fail "diagnose: exit code $got: $(cat found errors)"
echo "mixes of copies are found by their MD5"
