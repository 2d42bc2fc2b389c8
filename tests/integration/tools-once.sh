#!/bin/bash
# Each command of the program once on a real MooseFS, with files up to 8 MiB, and each kind of failure: short, because
# it is also run under valgrind.
# valgrind: yes
set -u
# shellcheck source=tests/tools-functions.sh
. "$SRC_DIR/tests/tools-functions.sh"
[ -n "${ROMA_MFS_MASTER:-}" ] || skip "no MooseFS cluster"
read -ra ns <<<"$ROMA_MFS_NS"
here=mfs://$ROMA_MFS_MASTER/once-$$
roma() { "${ns[@]}" "$ROMA" "$@"; }
expect 0 roma mkdir -p "$here/two"
at_end() {
  cd /
  "${ns[@]}" "$ROMA" rm -r "$here" 2>/dev/null
  [ -z "${own_scratch:-}" ] || rm -rf "$own_scratch"
}
trap at_end EXIT
if [ -n "${ROMA_MFS_MOUNT:-}" ]; then
  "${ns[@]}" mfssetsclass 2 "$ROMA_MFS_MOUNT/once-$$/two" >out || fail "mfssetsclass: $(cat out)"
fi

mkdir tree
for size in 0 1 65537 $((8 * 1024 * 1024)); do head -c $size /dev/urandom >"tree/$size"; done
ln -s 1 tree/link
expect 0 roma put -r --timing --trace=trace tree "$here/two"
expect 0 roma get -r "$here/two/tree" back
diff -r --no-dereference tree back >differences || fail "put -r and get -r: $(cat differences)"
expect 0 roma put --verify=replicas --json tree/65537 "$here/two/v" >out
expect 0 roma put --size-hint=65537 - "$here/piped" <tree/65537
expect 0 roma cat "$here/piped" >out
same tree/65537 out
expect 0 roma cp "$here/piped" "$here/copied"
expect 0 roma mv "$here/copied" "$here/moved"
expect 0 roma ls -r -l "$here" >out
expect 0 roma stat "$here/moved" >out
expect 0 roma hash "$here/moved" >out
grep -q "^$(md5sum <tree/65537 | cut -d' ' -f1) " out || fail "hash: $(cat out)"
expect 0 roma chunks --crc "$here/two/v" >out
expect 0 roma ping "$here" >out
expect 0 roma gc --older-than=0 "$here" >out
expect 9 roma put --if-absent tree/1 "$here/moved"
expect 3 roma get "$here/nothing" back
expect 3 roma put tree/1 "$here/no/folder"
expect 4 roma put tree/1 "mfs://$ROMA_MFS_MASTER/x?export=/readonly"
expect 4 roma ls "mfs://$ROMA_MFS_MASTER/?export=/secret"
expect 5 roma ls "mfs://$ROMA_MFS_MASTER:9/"
expect 0 roma rm -r "$here/two" "$here/moved"
