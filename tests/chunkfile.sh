#!/bin/bash
# roma chunkfile of parts of erasure coded chunks (MooseFS 4.x), made here as a chunkserver lays them out: each is called
# what it is, compared block by block at its places in the file, and never written out as if it were the chunk.
set -u -o pipefail
# shellcheck source=tests/functions.sh
. "$SRC_DIR/tests/functions.sh"
roma=$BUILD_DIR/roma
[ -x "$roma" ] || skip "the program is not built"
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
cd "$scratch" || fail "no scratch folder"

# bytes HEX: as they are.
bytes() {
  # shellcheck disable=SC2059,SC2001 # the format is made of them
  printf "$(sed 's/../\\x&/g' <<<"$1")"
}

# made ID DATA [HEADER [CRC]]: a chunk file of version 7 with these data; its name. HEADER is 4096, CRC what the table has for blocks
# that are not there.
made() {
  local name=chunk_$1_00000007.mfs blocks b table=
  blocks=$((($(stat -c %s "$2") + 65535) / 65536))
  truncate -s $((blocks * 65536)) "$2"
  for ((b = 0; b < blocks; b++)); do
    # gzip ends a file with the CRC-32 of what it was given, lowest byte first.
    table+=$(dd if="$2" bs=65536 skip=$b count=1 status=none | gzip -1 | tail -c 8 | head -c 4 | od -An -tx1 |
      sed 's/ *\(..\) \(..\) \(..\) \(..\) */\4\3\2\1/')
  done
  for ((; b < 1024; b++)); do table+=${4:-d7978eeb}; done
  {
    printf 'MFSC 1.1'
    bytes "${1}00000007"
    head -c $((${3:-4096} - 20)) /dev/zero
    bytes "$table"
    cat "$2"
  } >"$name"
  echo "$name"
}

# part_of FILE PARTS NUMBER: the bytes of the second chunk of FILE that this data part holds.
part_of() {
  local at=$((256 + $3)) all
  all=$((($(stat -c %s "$1") + 262143) / 262144))
  for (( ; at < all; at += $2)); do dd if="$1" bs=262144 skip=$at count=1 status=none; done
}

expect() {
  local want=$1
  shift
  "$@" >out 2>err
  local code=$?
  [ $code = "$want" ] || fail "exit code $code, not $want, of: $* $(cat out err)"
}
says() { grep -qF -- "$1" out || fail "'$1' is not said: $(cat out err)"; }

# A file of two chunks, the first a hole; the second has 41 blocks.
truncate -s 67108864 original
head -c 2686000 /dev/urandom >>original

for parts in 4 8; do
  for ((n = 0; n < parts; n++)); do
    part_of original $parts $n >data
    name=$(made "$(printf '%02X00000000000ABC' $((parts * 4 + n)))" data)
    expect 0 "$roma" chunkfile --against original "$name"
    says "data part $((n + 1)) of $parts, id ${name:6:16}, of the erasure coded chunk 0000000000000ABC version 7"
    says "of each $((parts * 262144)) bytes of the chunk it holds 262144, from byte $((n * 262144)) on"
    says "is the same as chunk 1 of"
  done
done
echo "data parts are found in the file"

# The third of 4 from here on: its blocks 0 to 3 are 8 to 11 of the chunk, 4 to 7 are 24 to 27, 8 is 40.
part_of original 4 2 >data
name=$(made 1200000000000ABC data)
expect 0 "$roma" chunkfile --json "$name"
says '"id":"1200000000000ABC","chunk":"0000000000000ABC","part":18,"part_number":2,"data_parts":4,"holds":"data"'
expect 0 "$roma" chunkfile "$name"
says "the last of its 9 blocks is block 40 of the chunk"
expect 2 "$roma" chunkfile "$name" taken
[ ! -e taken ] || fail "a part was written out as a chunk"
grep -qF 'is no piece of the file' err || fail "it is not said why: $(cat err)"

# A bit of block 5, which is block 25 of the chunk.
cp "$name" sound
at=$((8192 + 5 * 65536 + 100))
byte=$(od -An -tu1 -j $at -N 1 sound)
bytes "$(printf %02x $((byte ^ 8)))" | dd of="$name" bs=1 seek=$at conv=notrunc status=none
expect 1 "$roma" chunkfile --against original "$name"
says "block 5 (25 of the chunk): checksum"
says "they would agree if bit 3 of byte 100 were the other way round"
says "block 5-5 of the part, in 25-25 of the chunk: a single bit is wrong, first difference at byte $((67108864 + 25 * 65536 + 100)) "
says "differs from chunk 1"

# Cut behind its third block.
head -c $((8192 + 3 * 65536)) sound >"$name"
expect 1 "$roma" chunkfile --against original "$name"
says "blocks were cut off"
says "block 3-8 of the part, in 11-40 of the chunk: the tail is missing"

# The bytes of another part under its number.
part_of original 4 1 >data
name=$(made 1200000000000ABC data)
expect 1 "$roma" chunkfile --against original --index 1 "$name"
says "the bytes of another place of the file"

# Name and header disagree about what it is: nothing is guessed.
cp sound chunk_0000000000000ABC_00000007.mfs
expect 1 "$roma" chunkfile chunk_0000000000000ABC_00000007.mfs
says "which part of an erasure coded chunk it is, if of one at all, is not clear"
expect 2 "$roma" chunkfile chunk_0000000000000ABC_00000007.mfs taken
expect 2 "$roma" chunkfile --against original chunk_0000000000000ABC_00000007.mfs
expect 1 "$roma" chunkfile --json chunk_0000000000000ABC_00000007.mfs
says '"problems":["name-chunk","part"]'
[ ! -e taken ] || fail "a part was written out as a chunk"
# Without a name of a chunk file its header tells.
expect 2 "$roma" chunkfile sound taken
[ ! -e taken ] || fail "a part was written out as a chunk"
echo "parts are never taken for chunks"

# A checksum part is the XOR: of stripes A A B 0 and B that is B and B.
for x in a b; do head -c 262144 /dev/urandom >$x; done
head -c 67108864 original >xored
cat a a b <(head -c 262144 /dev/zero) b >>xored
cat b b >data
name=$(made 1400000000000ABC data)
expect 0 "$roma" chunkfile --against xored "$name"
says "checksum part 1, id 1400000000000ABC, of the erasure coded chunk 0000000000000ABC"
says "it holds the XOR over the 4 data parts, and no bytes of the file"
cat b a >data
name=$(made 1400000000000ABC data)
expect 1 "$roma" chunkfile --against xored "$name"
says "block 4-7 of the part: "
expect 2 "$roma" chunkfile "$name" taken
name=$(made 2A00000000000ABC data)
expect 0 "$roma" chunkfile "$name"
says "a checksum of MooseFS Pro over the 8 data parts"
expect 2 "$roma" chunkfile --against xored "$name"
name=$(made 1D00000000000ABC data)
expect 1 "$roma" chunkfile "$name"
echo "checksum parts are compared where their code is known"

# A whole chunk is what it was.
tail -c +67108865 original >data
name=$(made 0000000000000ABC data)
expect 0 "$roma" chunkfile --against original "$name" taken
says "chunk 0000000000000ABC version 7"
cmp -s <(tail -c +67108865 original) <(head -c 2686000 taken) || fail "the chunk was taken out wrong"

# A bit that would make a block match is put right, not where other blocks do not match at all.
cp "$name" sound
at=$((8192 + 5 * 65536 + 100))
byte=$(od -An -tu1 -j $at -N 1 sound)
bytes "$(printf %02x $((byte ^ 8)))" | dd of="$name" bs=1 seek=$at conv=notrunc status=none
expect 1 "$roma" chunkfile -f "$name" taken
says "taken out: 1 block with one bit put right"
cmp -s <(tail -c +67108865 original) <(head -c 2686000 taken) || fail "the bit was not put right"
bytes 0000000000000000 | dd of="$name" bs=1 seek=$((4096 + 4 * 20)) conv=notrunc status=none
expect 1 "$roma" chunkfile -f "$name" taken
says "taken out: 3 blocks as they are, that do not match their checksums"
cmp -s <(tail -c +8193 "$name") taken || fail "something was changed"
cp sound "$name"

# A chunk that the original does not have, and blocks that lie behind its end.
expect 2 "$roma" chunkfile --against original --index 2 "$name"
grep -qF 'and no chunk 2 to compare with' err || fail "it is not said that there is none: $(cat err)"
: >nothing
expect 2 "$roma" chunkfile --against nothing "$name"
head -c $((67108864 + 20 * 65536 + 10)) original >shorter
expect 1 "$roma" chunkfile --against shorter --index 1 "$name"
says "block 20-20: bytes behind the end of the file, where zeros should be"
says "block 21-40: "
says ", behind the end of the original, first difference at byte "
echo "what lies behind the end of the original is not the same as it"

# The old header of 1024 bytes, and files that were cut: the size no longer tells which header it is.
# cut NAME SIZE BLOCKS HEADER: cut there, it has so many good blocks behind such a header, and they are taken out.
cut() {
  head -c "$2" whole >"$1"
  expect 1 "$roma" chunkfile --json "$1"
  says "\"header\":$4,\"blocks\":$3,"
  # The rest of the block in which it was cut matches nothing.
  grep -qE "\"damaged_blocks\":\[($3)?\]" out || fail "other blocks are called damaged: $(cat out)"
  expect 1 "$roma" chunkfile -f "$1" taken
  cmp -s <(head -c $(($3 * 65536)) data) <(head -c $(($3 * 65536)) taken) || fail "other bytes were taken out"
}
tail -c +67108865 original >data
for crc in d7978eeb 00000000; do
  name=$(made 0000000000000ABC data 1024 $crc)
  cp "$name" whole
  expect 0 "$roma" chunkfile --against original "$name"
  # In the middle of a block, at the end of one where a new header would be expected, and where a new file would be whole.
  cut "$name" $((5120 + 5 * 65536 + 8192)) 5 1024
  cut "$name" $((8192 + 5 * 65536)) 5 1024
  cut "$name" $((5120 + 65536)) 1 1024
done
name=$(made 0000000000000ABC data)
cp "$name" whole
cut "$name" $((8192 + 5 * 65536 + 777)) 5 4096
cut "$name" $((5120 + 5 * 65536)) 4 4096
# The first blocks do not match: a later one tells.
for header in 1024 4096; do
  name=$(made 0000000000000ABC data $header)
  for b in 0 1 2; do bytes 00112233 | dd of="$name" bs=1 seek=$((header + 4096 + b * 65536 + 9)) conv=notrunc status=none; done
  truncate -s $((header + 4096 + 4 * 65536 + 300)) "$name"
  expect 1 "$roma" chunkfile --json "$name"
  says "\"header\":$header,\"blocks\":4,"
  says '"damaged_blocks":[0,1,2'
done
# A whole old file whose table was never written: zeros as behind a new header.
name=$(made 0000000000000ABC data 1024)
dd if=/dev/zero of="$name" bs=1024 seek=1 count=4 conv=notrunc status=none
expect 1 "$roma" chunkfile --json "$name"
says "\"header\":1024,"
expect 1 "$roma" chunkfile -f "$name" taken
cmp -s data taken || fail "other bytes were taken out"
# No block is left whole: zeros are of a new header, entries of empty blocks of the table behind an old one.
name=$(made 0000000000000ABC data)
truncate -s $((8192 + 30000)) "$name"
expect 1 "$roma" chunkfile --json "$name"
says '"header":4096,"blocks":0,'
name=$(made 0000000000000ABC data 1024)
truncate -s $((5120 + 30000)) "$name"
expect 1 "$roma" chunkfile --json "$name"
says '"header":1024,"blocks":0,'
# Neither: that is said, and nothing is guessed.
name=$(made 0000000000000ABC data 1024 00000000)
truncate -s $((5120 + 30000)) "$name"
rm -f taken
expect 1 "$roma" chunkfile "$name"
says 'where its blocks start cannot be told'
expect 1 "$roma" chunkfile --json "$name"
says '"problems":["size","start"]'
expect 2 "$roma" chunkfile "$name" taken
expect 2 "$roma" chunkfile --against original "$name"
grep -qF 'where its blocks start is not known' err || fail "it is not said why: $(cat err)"
[ ! -e taken ] || fail "something was taken out"
# Blocks that are all the same match at both places, but not for long.
head -c $((8 * 65536)) /dev/zero | tr '\0' '\377' >data
name=$(made 0000000000000ABC data 1024)
cp "$name" whole
cut "$name" $((5120 + 7 * 65536 + 100)) 7 1024
echo "which header a cut file has is found out, or said to be unknown"
# What is read is not written over, by whatever name.
head -c 200000 /dev/urandom >content
name=$(made 0000000000000ABC content)
cp "$name" kept
cp content kept-content
ln -s "$name" link
ln "$name" twin
for to in "$name" link twin; do
  expect 2 "$roma" chunkfile -f "$name" "$to"
  grep -qF 'it is the chunk file itself' err || fail "it is not said why: $(cat out err)"
  expect 2 "$roma" chunkfile "$name" "$to"
done
expect 2 "$roma" chunkfile -f --against content "$name" content
grep -qF 'it is the original' err || fail "it is not said why: $(cat out err)"
cmp "$name" kept || fail "the chunk file was written over"
cmp content kept-content || fail "the original was written over"
expect 0 "$roma" chunkfile -f "$name" taken
expect 0 "$roma" chunkfile -f --against content "$name" taken
cmp taken kept-content || fail "something else was taken out"
echo "neither a chunk file nor the original is written over"

# What could not be taken out whole leaves nothing that would pass for it. Under a limit of 100 KiB for a file.
rm -f taken
echo older >replaced
for to in taken replaced; do
  (trap '' XFSZ && ulimit -f 100 && exec "$roma" chunkfile -f "$name" $to) >out 2>err
  code=$?
  [ $code = 2 ] || fail "exit code $code without room: $(cat out err)"
  grep -qF "chunkfile: $to: " err || fail "it is not said why: $(cat err)"
  [ ! -e $to ] || fail "a piece of the data was left: $(stat -c %s $to) bytes"
  ! grep -q 'taken out' out || fail "it is said to have been taken out: $(cat out)"
done
# Standard output is no destination: what is found goes there.
expect 2 "$roma" chunkfile "$name" -
[ ! -e ./- ] || fail "a file called -"
expect 0 "$roma" chunkfile "$name" ./-
cmp -s <(head -c 200000 content) <(head -c 200000 ./-) || fail "a file called - was not written"
echo "what is not whole is not left"

# One bit of the table: the block is right.
bytes "$(printf %02x $(($(od -An -tu1 -j 4104 -N 1 "$name") ^ 16)))" | dd of="$name" bs=1 seek=4104 conv=notrunc status=none
expect 1 "$roma" chunkfile -f "$name" taken
says "of the bytes: one bit of the table has changed, the block is right"
says "taken out: 1 block as it is, whose checksum has changed"
cmp -s <(head -c 200000 content) <(head -c 200000 taken) || fail "the block was changed"
echo "a bit of the table is told from a bit of a block"
