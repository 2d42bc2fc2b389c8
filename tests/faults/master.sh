#!/bin/bash
# The master is restarted, or hangs, in the middle of a put and of a get.
# timeout: 1200
set -u
# shellcheck source=tests/faults/functions.sh
. "$SRC_DIR/tests/faults/functions.sh"

random_file big $((300 * MB))
md5=$(md5sum <big)
folder 2 two
equal() { [ "$(md5sum <"$1")" = "$md5" ] || fail "$2: $1 differs from what was put"; }

# Each fault begins with the transfer frozen and thaws it.
restart() {
  cluster restart master
  thaw
}
# Killed, and nobody there for some seconds
killed() {
  cluster kill master
  thaw
  sleep 3
  cluster heal
}
# A pause shorter than what is waited for
paused() {
  cluster stop master
  thaw
  sleep 12
  cluster cont master
}

for fault in restart killed paused; do
  begin put big "$uri/two/$fault"
  moved rchar $((100 * MB))
  $fault
  ended_well 200
  cluster heal
  equal "$mounted/two/$fault" "put, $fault"

  begin get "$uri/two/$fault" got
  moved wchar $((100 * MB))
  $fault
  ended_well 200
  cluster heal
  equal got "get, $fault"
  nothing_left
  rm got
done

# Longer than what is waited for
begin put --stall 35s big "$uri/two/never"
moved rchar $((100 * MB))
cluster stop master
thaw
ended 150
[ "$got" = 5 ] || fail "put, the master hangs: exit code $got: $(cat errors)"
says "$uri/two/never" "$ROMA_MFS_MASTER:9421"
# A new session: what fails is the opening of the store.
for command in "ls $uri" "put big $uri/two/never" "get $uri/two/killed got"; do
  # shellcheck disable=SC2086 # words
  expect 5 limited 60 $command --deadline 3s
  says "mfs://$ROMA_MFS_MASTER/" 'deadline of 3 s' "from $ROMA_MFS_MASTER:9421"
done
absent 'a get that failed' got
cluster cont master
cluster heal
absent 'a put that failed' "$mounted/two/never"
# Nobody could tell the master to remove the temporary.
expect 0 roma gc --older-than 0 "$uri/two" >out
nothing_left
expect 0 roma put big "$uri/two/never"
equal "$mounted/two/never" 'after the master hung'
