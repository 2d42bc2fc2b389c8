#!/bin/bash
# Chunk files damaged on the disk of a real chunkserver: each is found and named, and whatever another copy or block still has
# is salvaged byte for byte. roma chunkfile sees the same in the files themselves.
# timeout: 900
set -u
# shellcheck source=tests/mounted-functions.sh
. "$SRC_DIR/tests/mounted-functions.sh"
[ -n "${ROMA_MFS_CS3_DATA:-}" ] || skip "three chunkservers are needed"
heals=yes
mkdir "$mounted/one" "$mounted/two" "$mounted/three" || fail "mkdir $mounted"
goal 1 "$mounted/one"
goal 2 "$mounted/two"
goal 3 "$mounted/three"

# file_of CS KEY [INDEX]: the chunk file on that chunkserver; nothing when it has none.
file_of() {
  local id v=ROMA_MFS_CS$1_DATA
  id=$(roma chunks --json "$here/$2" | sed -n "s/.*\"index\":${3:-0},\"id\":\"\([0-9A-F]*\)\".*/\1/p")
  # shellcheck disable=SC2086 # a list of folders
  find ${!v} -name "chunk_${id}_*.mfs" -print -quit
}
flip() { printf '\x01' | dd of="$1" bs=1 seek="$2" conv=notrunc status=none; }

size=$((46 * 65536 - 777))
head -c $size /dev/urandom >a
# No byte that is flipped may have been a 1.
for at in 200000 700000 700001 1500000; do printf '\x00' | dd of=a bs=1 seek=$at conv=notrunc status=none; done
cases='data header table cut piece empty'
for what in $cases; do expect 0 roma put a "$here/three/$what"; done
expect 0 roma put a "$here/two/split"
expect 0 roma put a "$here/two/entry"
expect 0 roma put a "$here/one/single"
head -c $((67108864 + 300000)) /dev/urandom >big
expect 0 roma put big "$here/three/big"
single=
for i in 1 2 3; do [ -z "$(file_of $i one/single)" ] || single=$i; done
split=()
for i in 1 2 3; do [ -z "$(file_of $i two/split)" ] || split+=("$i"); done

# All are good before, also for roma chunkfile.
expect 0 roma diagnose -r "$here" >out
expect 0 roma chunkfile --against a "$(file_of 1 three/data)" taken >out
head -c $size taken | cmp -s - a || fail "chunkfile took out something else"
expect 0 roma chunkfile --against big "$(file_of 1 three/big 1)" >out
grep -q 'the same as chunk 1 of' out || fail "chunkfile: $(cat out)"

declare -A file
for what in $cases; do file[$what]=$(file_of 1 "three/$what"); done
single_file=$(file_of "$single" one/single)
entry=()
for i in 1 2 3; do [ -z "$(file_of $i two/entry)" ] || entry+=("$i"); done
entry_file=$(file_of "${entry[1]}" two/entry)
split_a=$(file_of "${split[0]}" two/split) split_b=$(file_of "${split[1]}" two/split)
for i in 1 2 3; do "$cluster" kill cs$i --dir "$ROMA_MFS_DIR"; done
cp "${file[data]}" before
flip "${file[data]}" $((8192 + 200000))
flip "${file[header]}" 9
printf 'XXXX' | dd of="${file[table]}" bs=1 seek=$((4096 + 20)) conv=notrunc status=none
truncate -s $((8192 + 65536 * 10)) "${file[cut]}"
truncate -s $((8192 + 65536 * 10 + 777)) "${file[piece]}"
: >"${file[empty]}"
flip "$single_file" $((8192 + 700000))
flip "$single_file" $((8192 + 700001))
flip "$split_a" $((8192 + 200000))
flip "$split_b" $((8192 + 1500000))
printf 'XXXX' | dd of="$entry_file" bs=1 seek=$((4096 + 20)) conv=notrunc status=none

# chunkfile CODE WHAT WORDS
chunkfile() {
  expect_quiet "$1" roma chunkfile --against a "${file[$2]}" >out
  grep -q "$3" out || fail "chunkfile of $2: $(cat out)"
}
expect_quiet() {
  local code=$1 got=0
  shift
  "$@" 2>errors || got=$?
  [ "$got" = "$code" ] || fail "exit code $got, expected $code: $* ($(head -c 500 errors))"
}
chunkfile 1 data 'if bit 0 of byte 3392 were the other way round'
chunkfile 1 data 'block 3-3: a single bit is wrong, first difference at byte 200000 '
chunkfile 1 header 'another chunk than its header'
chunkfile 1 table 'block 5: checksum 58585858 stored'
chunkfile 1 cut 'blocks were cut off'
chunkfile 1 cut 'block 10-45: the tail is missing'
chunkfile 1 piece 'no chunk file has this size'
chunkfile 1 empty 'too short for a header'
expect_quiet 1 roma chunkfile -f "${file[data]}" taken >out
head -c $size taken | cmp -s - a || fail "chunkfile did not put the bit right"
expect_quiet 2 roma chunkfile nothing.mfs
head -c 100000 /dev/urandom >noise
expect_quiet 1 roma chunkfile noise >out
# The version of yesterday under today's name.
cp before "chunk_0000000000000001_00000002.mfs"
expect_quiet 1 roma chunkfile "chunk_0000000000000001_00000002.mfs" >out
grep -q 'another version than its header' out || fail "chunkfile of an old version: $(cat out)"

for i in 1 2 3; do "$cluster" restart cs$i --dir "$ROMA_MFS_DIR"; done
"$cluster" wait --dir "$ROMA_MFS_DIR"

# What was chosen may be right all the same: the bytes decide.
salvaged() {
  local got=0
  roma salvage -f --error-gap 0 "$here/$2" saved >out 2>errors || got=$?
  [[ $got =~ ^[$1]$ ]] || fail "salvage of $2: exit code $got: $(cat out errors)"
  cmp -s saved a || fail "salvage of $2 is not the file: $(cat out errors saved.map)"
}
found() {
  local got=0
  roma diagnose --deep --error-gap 0 "$here/$1" >out 2>errors || got=$?
  [ $got = 1 ] || fail "diagnose of $1: exit code $got: $(cat out errors)"
  grep -Eq "$2" out || fail "diagnose of $1 does not say '$2': $(cat out errors)"
}
# The cheap look sees what is in the tables, and where it reads a block to see the pattern, that the server refuses it: that is
# no mistake of a client.
expect_quiet 1 roma diagnose --error-gap 0 "$here/two/entry" >out
v=ROMA_MFS_CS${entry[1]}_ADDRESS
if ! grep -q 'known to be damaged' out; then
  grep -q 'block 5, .*: the stored bytes do not match their checksum' out || fail "diagnose of an entry: $(cat out)"
  grep -q "CRC error: *${!v%:*}" out || fail "diagnose of an entry: $(cat out)"
fi
grep -q '1\. disk:' out || fail "diagnose of an entry: $(cat out)"
expect_quiet 1 roma diagnose "$here/three/cut" >out
grep -q "block 10-45, .*: the tail is missing" out || fail "diagnose: $(cat out)"
grep -q "other bytes: *${ROMA_MFS_CS1_ADDRESS%:*}" out || fail "diagnose: $(cat out)"
for what in $cases; do salvaged 01 "three/$what"; done
salvaged 0 two/split
found two/split 'CRC error: |known to be damaged'
# The servers have seen the bad blocks by now (they also look for them on their own, 1 MB a second from the start on), and
# the master calls both copies damaged. All of the file is there nevertheless.
for i in {1..40}; do
  [ "$(roma chunks "$here/two/split" | grep -c damaged)" != 2 ] || break
  [ "$i" -lt 40 ] || fail "the master does not know the damage: $(roma chunks "$here/two/split")"
  sleep 0.5
done
salvaged 0 two/split
found three/data 'CRC error: |known to be damaged'
found three/cut 'the tail is missing'
for what in header table piece empty; do found three/$what 'known to be damaged|does not have it|CRC error|other bytes'; done
roma diagnose --deep "$here/one/single" >out 2>errors
got=$?
[ $got != 0 ] || fail "diagnose of a file on a disk with errors: $(cat out)"
# One copy, one block of it damaged: all but that block.
expect_quiet 1 roma salvage -f --error-gap 0 "$here/one/single" saved >out
cmp -l saved a | awk '{ b[int(($1 - 1) / 65536)] } END { n = 0; for (i in b) { n++; print i }; exit n != 1 }' >differ ||
  fail "salvage of a single copy: $(cat out errors saved.map differ)"
[ "$(cat differ)" = 10 ] || fail "another block was lost: $(cat differ)"
[ "$(grep -c '	lost	' saved.map)" = 1 ] || fail "the map: $(cat saved.map)"
expect_quiet 2 roma salvage "$here/one/single" saved
expect_quiet 2 roma salvage "$here/one/single" "$here/copy"

# The original is not written over, by whatever name.
cp a precious
ln -s precious link.map
for name in precious "file://$PWD/precious"; do
  expect_quiet 2 roma salvage -f --against "$name" "$here/one/single" precious
  expect_quiet 2 roma salvage -f --against "$name" "$here/one/single" link
done
cmp -s a precious || fail "salvage wrote over the original"
[ ! -e link ] || fail "salvage refused and made something"

# Only a copy of the version before is left.
"${ns[@]}" "$ROMA" put a "$here/two/old" || fail put
held=()
for i in 1 2 3; do [ -z "$(file_of $i two/old)" ] || held+=("$i"); done
"$cluster" kill "cs${held[0]}" --dir "$ROMA_MFS_DIR"
head -c 65536 big | dd of="$mounted/two/old" conv=notrunc bs=65536 status=none || fail "writing with a server missing"
sync "$mounted/two/old"
for i in 1 2 3; do [ "$i" = "${held[0]}" ] || "$cluster" kill cs"$i" --dir "$ROMA_MFS_DIR"; done
"$cluster" restart "cs${held[0]}" --dir "$ROMA_MFS_DIR"
"$cluster" wait --dir "$ROMA_MFS_DIR"
# While the server of the good copy starts again nothing is wrong.
for i in 1 2 3; do [ "$i" = "${held[0]}" ] || away=$i; done
for i in 1 2 3; do [ "$i" = "${held[0]}" ] || [ -z "$(file_of "$i" two/old)" ] || away=$i; done
roma diagnose "$here/two/old" >meanwhile 2>&1 &
looking=$!
sleep 1
"$cluster" restart "cs$away" --dir "$ROMA_MFS_DIR"
wait "$looking"
code=$?
[ "$code" != 1 ] || fail "a restart is taken for damage: $(cat meanwhile)"
"$cluster" kill "cs$away" --dir "$ROMA_MFS_DIR"
expect_quiet 1 roma diagnose "$here/two/old" >out
grep -q 'of another version' out || fail "diagnose: $(cat out)"
expect_quiet 7 roma chunks --crc "$here/two/old" >out
grep -q 'has no good copy' errors || fail "chunks --crc: $(cat out errors)"
salvaged 1 two/old
grep -q 'chosen.*another version' saved.map || fail "the map: $(cat saved.map)"
