#!/bin/bash
# Ctrl-C, TERM and kill -9 in the middle: nothing half-made is seen; `roma gc` removes what kill -9 left.
set -u
# shellcheck source=tests/tools-functions.sh
. "$SRC_DIR/tests/tools-functions.sh"
mkfifo pipe
head -c 5000000 /dev/urandom >source
cp source store/object
mkdir dst

# waits_for COMMAND...: until it succeeds, 20 s at most.
waits_for() {
  local i
  for i in $(seq 200); do
    "$@" && return 0
    sleep 0.1
  done
  fail "waited in vain for: $* ($i times)"
}
has_temporary() { [ -n "$(find store -name '.roma~*')" ]; }
gone() { ! kill -0 "$1" 2>/dev/null; }

# A put whose source never ends, ended by a signal
# bash lets background commands ignore SIGINT.
for signal in INT TERM HUP; do
  exec 9<>pipe
  env --default-signal=INT "$ROMA" put pipe "$store/never" 2>errors &
  roma=$!
  head -c 1500000 source 9>&- >pipe &
  waits_for has_temporary
  kill -$signal $roma
  got=0
  wait $roma || got=$?
  exec 9>&-
  wait
  [ $got = $((128 + $(kill -l $signal))) ] || fail "$signal: exit code $got ($(cat errors))"
  [ "$(wc -l <errors)" = 1 ] || fail "$signal: more than one line: $(cat errors)"
  [ ! -e store/never ] || fail "$signal: half of an object is seen"
  no_temporaries store
done

# A source that says nothing, and limits of time
exec 9<>pipe
for limit in --deadline --stall; do
  expect 5 timeout 60 "$ROMA" put $limit 500ms pipe "$store/never"
  [ ! -e store/never ] || fail "$limit: half of an object is seen"
  no_temporaries store
done
exec 9>&-

# A get whose destination takes nothing
env --default-signal=INT "$ROMA" get "$store/object" pipe 2>errors &
roma=$!
exec 9<pipe
sleep 0.5
kill -INT $roma
got=0
wait $roma || got=$?
exec 9<&-
[ $got = 130 ] || fail "get: exit code $got ($(cat errors))"

# cat into a reader that has stopped reading
mkfifo out
env --default-signal=INT "$ROMA" cat "$store/object" >out 2>errors &
roma=$!
exec 9<out
sleep 0.5
kill -INT $roma
got=0
wait $roma || got=$?
exec 9<&-
[ $got = 130 ] || fail "cat: exit code $got ($(cat errors))"

# A get into a file
mkdir tree
for i in $(seq 300); do cp source "tree/$i" 2>/dev/null || break; [ "$i" -lt 60 ] || break; done
env --default-signal=INT "$ROMA" cp -r tree dst/tree 2>errors &
roma=$!
waits_for test -d dst/tree
kill -INT $roma
got=0
wait $roma || got=$?
[ $got = 130 ] || [ $got = 0 ] || fail "cp -r: exit code $got ($(cat errors))"
no_temporaries dst
for file in dst/tree/*; do
  [ ! -e "$file" ] || same source "$file"
done

# kill -9 leaves a hidden temporary, and gc takes it.
exec 9<>pipe
"$ROMA" put pipe "$store/never" 2>errors &
roma=$!
head -c 1500000 source 9>&- >pipe &
waits_for has_temporary
kill -KILL $roma
wait $roma 2>/dev/null
exec 9>&-
wait
[ ! -e store/never ] || fail "kill -9: half of an object is seen"
[ "$("$ROMA" ls "$store")" = object ] || fail "ls shows a temporary: $("$ROMA" ls "$store")"
expect 0 "$ROMA" gc "$store" >out2
has_temporary || fail "gc took a temporary that may be in use"
expect 0 "$ROMA" gc --older-than 0 "$store" >out2
no_temporaries store
