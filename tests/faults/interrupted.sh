#!/bin/bash
# A source that changes while it is read, Ctrl-C and kill -9 in the middle: nothing half-made is seen on MooseFS or here,
# what was there stays, and `roma gc` takes what kill -9 left.
# timeout: 1200
set -u
# shellcheck source=tests/faults/functions.sh
. "$SRC_DIR/tests/faults/functions.sh"
random_file big $((200 * MB))
random_file small 100000
folder 1 f
expect 0 roma put big "$uri/f/big"
expect 0 roma put small "$uri/f/old"

# The source
changes() { printf x | dd of=source bs=1 seek=1000 conv=notrunc status=none; }
grows() { printf x >>source; }
shrinks() { truncate -s $((50 * MB)) source; }
vanishes() { rm source; }
for fault in changes grows shrinks vanishes; do
  cp big source
  begin put source "$uri/f/old"
  moved rchar $((100 * MB))
  $fault
  thaw
  ended 200
  [ "$got" = 7 ] || fail "the source $fault: exit code $got: $(cat errors)"
  says "$uri/f/old" source 'while it was read'
  same small "$mounted/f/old"
  nothing_left
done
# Another file under its name: what was opened is still whole.
cp big source
begin put source "$uri/f/new"
moved rchar $((100 * MB))
cp small other && mv other source
thaw
ended_well 200
same big "$mounted/f/new"
rm "$mounted/f/new"

# Ctrl-C, the end of a session, kill -9
for signal in INT TERM KILL; do
  for name in never old; do
    begin put big "$uri/f/$name"
    moved rchar $((100 * MB))
    kill -$signal "$background"
    thaw
    ended 60
    [ "$got" = $((128 + $(kill -l $signal))) ] || fail "put, $signal: exit code $got: $(cat errors)"
    absent "put, $signal" "$mounted/f/never"
    same small "$mounted/f/old"
    [ $signal = KILL ] || nothing_left
  done
  begin get "$uri/f/big" got
  moved wchar $((100 * MB))
  kill -$signal "$background"
  thaw
  ended 60
  [ "$got" = $((128 + $(kill -l $signal))) ] || fail "get, $signal: exit code $got: $(cat errors)"
  absent "get, $signal" got
  [ $signal = KILL ] || nothing_left
done
[ "$(roma ls "$uri/f" | wc -l)" = 2 ] || fail "ls shows what was left: $(roma ls "$uri/f")"
[ "$(find "$mounted" . -name '.roma~*' | wc -l)" = 3 ] || fail "kill -9 left: $(find "$mounted" . -name '.roma~*')"
expect 0 roma gc "$uri" "$SCRATCH" >out
[ "$(find "$mounted" . -name '.roma~*' | wc -l)" = 3 ] || fail 'gc took temporaries that may be in use'
expect 0 roma gc --older-than 0 "$uri" "$SCRATCH" >out
nothing_left
