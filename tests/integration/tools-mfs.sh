#!/bin/bash
# The program on a real MooseFS: trees both ways, the chunk map, copies that differ, who answers a ping.
set -u
# shellcheck source=tests/tools-functions.sh
. "$SRC_DIR/tests/tools-functions.sh"
cluster=$SRC_DIR/tests/cluster/mfs
read -ra ns <<<"$ROMA_MFS_NS"
here=mfs://$ROMA_MFS_MASTER/tools-$$
roma() { "${ns[@]}" "$ROMA" "$@"; }
expect 0 roma mkdir "$here"
at_end() {
  cd /
  roma rm -r "$here"
  "$cluster" heal --dir "$ROMA_MFS_DIR"
  [ -z "${own_scratch:-}" ] || rm -rf "$own_scratch"
}
trap at_end EXIT

expect 0 roma ping "$here" >out
grep -q 'round trip' out || fail "ping: $(cat out)"

# Trees
mkdir -p tree/sub/empty
for size in 0 1 65537 3000000; do head -c $size /dev/urandom >"tree/sub/$size"; done
printf x >"tree/ü 50%"
printf y >"tree/$(printf 'b\xffd')"
ln -s sub/1 tree/link
expect 0 roma put -r tree "$here"
expect 0 roma get -r "$here/tree" back
diff -r --no-dereference tree back >differences || fail "put -r and get -r: $(cat differences)"
expect 0 roma cp -r "$here/tree" "$here/copy"
expect 0 roma get -r "$here/copy" back2
diff -r --no-dereference tree back2 >differences || fail "cp -r inside: $(cat differences)"
[ "$(roma ls -r "$here/tree" | wc -l)" = 9 ] || fail "ls -r: $(roma ls -r "$here/tree")"
expect 0 roma hash -r "$here/tree/sub" >sums
sed "s,$here/,," sums | md5sum --quiet -c - || fail "hash -r"
expect 0 roma put --verify=md5 tree/sub/3000000 "$here/v"
expect 0 roma put --verify=replicas tree/sub/3000000 "$here/v"
expect 9 roma put --if-absent tree/sub/1 "$here/v"
expect 0 roma mv "$here/v" "$here/copy/moved"
expect 0 roma mv "$here/copy" local
diff -r --no-dereference tree back2 >differences || fail "mv to a local folder: $(cat differences)"
same tree/sub/3000000 local/moved
expect 3 roma ls "$here/copy"
expect 0 roma cat --offset 65000 --length 1000 "$here/tree/sub/3000000" >part
tail -c +65001 tree/sub/3000000 | head -c 1000 | cmp -s - part || fail "cat of a range"

# Failures
expect 5 roma ls "mfs://$ROMA_MFS_MASTER:9/"
says "$ROMA_MFS_MASTER"
expect 4 roma ls "mfs://$ROMA_MFS_MASTER/?export=/secret"
expect 4 roma put tree/sub/1 "mfs://$ROMA_MFS_MASTER/x?export=/readonly"

# Ctrl-C, and kill -9 with roma gc after it
mkfifo pipe
waits_for_temporary() {
  local i
  for i in $(seq 200); do
    roma ls --all "$here" | grep -q '^\.roma~' && return 0
    sleep 0.1
  done
  fail "no temporary is seen ($i)"
}
for signal in INT KILL; do
  exec 9<>pipe
  env --default-signal=INT "${ns[@]}" "$ROMA" put pipe "$here/never" 2>errors &
  pid=$!
  head -c 3000000 tree/sub/3000000 9>&- >pipe &
  waits_for_temporary
  kill -$signal $pid
  got=0
  wait $pid 2>/dev/null || got=$?
  exec 9>&-
  wait
  [ $got = $((128 + $(kill -l $signal))) ] || fail "$signal: exit code $got: $(cat errors)"
  [ "$(roma ls "$here" | grep -c never)" = 0 ] || fail "$signal: half of an object is seen"
  [ $signal = KILL ] || [ "$(roma ls --all "$here" | grep -c '^\.roma~')" = 0 ] || fail "Ctrl-C left a temporary"
done
expect 0 roma gc "$here" >out
expect 0 roma gc --older-than 0 "${here%?}" >out # the name of another folder, with which this one begins
[ "$(roma ls --all "$here" | grep -c '^\.roma~')" = 1 ] || fail "gc took a temporary that may be in use"
expect 0 roma gc --older-than 0 "$here" >out
grep -q '^1 removed' out || fail "gc: $(cat out)"
[ "$(roma ls --all "$here" | grep -c '^\.roma~')" = 0 ] || fail "gc left a temporary"

[ -n "$ROMA_MFS_MOUNT" ] || skip "no FUSE mount: the rest needs mfssetsclass"
mkdir "$ROMA_MFS_MOUNT/tools-$$/two"
"${ns[@]}" mfssetsclass 2 "$ROMA_MFS_MOUNT/tools-$$/two" >out || fail "mfssetsclass: $(cat out)"
# holder: the chunk that `out` is about, a chunk file of it and the chunkserver that has it: $id, $file, $changed.
holder() {
  local i data folders
  id=$(sed -n 's/^ *0  \([0-9A-F]\{16\}\) .*/\1/p' out | head -n 1)
  for i in 1 2 3; do
    data=ROMA_MFS_CS${i}_DATA
    read -ra folders <<<"${!data}"
    changed=cs$i file=$(find "${folders[@]}" -name "chunk_${id}_*.mfs" -print -quit)
    [ -z "$file" ] || return 0
  done
  fail "no chunkserver has chunk $id"
}
# Two copies, and one in which a bit has rotted: the tables agree, and only who reads the data sees it. Then the server is left in peace.
expect 0 roma put tree/sub/3000000 "$here/two/rotten"
expect 0 roma chunks --deep --picture "$here/two/rotten" >out
[ "$(grep -c ' #\{46\}$' out)" = 2 ] || fail "the picture: $(cat out)"
holder
"$cluster" kill $changed --dir "$ROMA_MFS_DIR"
byte=$(od -An -tu1 -j $((8192 + 200000)) -N 1 "$file")
# shellcheck disable=SC2059 # the format is made of it
printf "\\$(printf %o $((byte ^ 8)))" | dd of="$file" bs=1 seek=$((8192 + 200000)) conv=notrunc status=none
"$cluster" restart $changed --dir "$ROMA_MFS_DIR"
"$cluster" wait --dir "$ROMA_MFS_DIR"
expect 0 roma chunks --crc --picture "$here/two/rotten" >out
grep -q 'no data were read' out || fail "that no data were read is not said: $(cat out)"
expect 7 roma chunks --deep --picture "$here/two/rotten" >out
[ "$(grep -c ' ###!?\{42\}$' out)" = 1 ] || fail "the picture: $(cat out)"
grep -q ' #\{46\}$' out || fail "the picture: $(cat out)"
says 'has 1 block that does not match'

# And one whose first block is another one, with the right checksum for it.
expect 0 roma put tree/sub/3000000 "$here/two/x"
expect 0 roma chunks "$here/two/x" >out
[ "$(grep -c '  3000000 bytes  .* valid$' out)" = 2 ] || fail "chunks: $(cat out)"
expect 0 roma chunks --json "$here/two/x" >out2
grep -q '"index":0,.*,"size":3000000,' out2 || fail "chunks --json: $(cat out2)"
expect 0 roma chunks --crc "$here/two/x" >out
grep -q 'the same' out || fail "chunks --crc: $(cat out)"
holder
"$cluster" kill $changed --dir "$ROMA_MFS_DIR"
printf '\327\227\216\353' | dd of="$file" bs=1 seek=4096 conv=notrunc status=none
dd if=/dev/zero of="$file" bs=65536 count=1 oflag=seek_bytes seek=8192 conv=notrunc status=none
"$cluster" restart $changed --dir "$ROMA_MFS_DIR"
"$cluster" wait --dir "$ROMA_MFS_DIR"
expect 7 roma chunks --crc "$here/two/x" >out
grep -q DIFFERS out || fail "chunks --crc of copies that differ: $(cat out)"
says "$id"

# And one whose checksum table is wrong.
"$cluster" kill $changed --dir "$ROMA_MFS_DIR"
printf '\001\002\003\004' | dd of="$file" bs=1 seek=4096 conv=notrunc status=none
"$cluster" restart $changed --dir "$ROMA_MFS_DIR"
"$cluster" wait --dir "$ROMA_MFS_DIR"
expect 7 roma chunks --crc "$here/two/x" >out
grep -Eq 'DIFFERS|damaged' out || fail "chunks --crc of a damaged copy: $(cat out)"
