#!/bin/bash
# A chunkserver is killed, or hangs, in the middle of a put and of a get: with two copies the transfer ends right, with
# one there is a clear error and nothing half-made.
# timeout: 1200
set -u
# shellcheck source=tests/faults/functions.sh
. "$SRC_DIR/tests/faults/functions.sh"

random_file big $((300 * MB))
md5=$(md5sum <big)
folder 2 two
folder 1 one

equal() { [ "$(md5sum <"$1")" = "$md5" ] || fail "$2: $1 differs from what was put"; }
# in_time WHAT USUAL: no more than 60 s later than without a fault, on a machine that may be twice as slow by now.
in_time() { [ "$took" -le $((60 + 2 * $2)) ] || fail "$1: took $took s, $2 s without the fault"; }

begin put big "$uri/two/usual"
ended_well 200
put_usual=$took
begin get "$uri/two/usual" usual
ended_well 200
get_usual=$took
equal usual "no fault"
rm usual

for fault in kill stop; do
  begin put big "$uri/two/$fault"
  moved rchar $((100 * MB))
  cluster $fault cs2
  thaw
  ended_well 200
  in_time "put, $fault" "$put_usual"
  cluster heal
  equal "$mounted/two/$fault" "put, $fault"
  nothing_left

  begin get "$uri/two/usual" got
  moved wchar $((100 * MB))
  cluster $fault cs2
  thaw
  ended_well 200
  in_time "get, $fault" "$get_usual"
  equal got "get, $fault"
  nothing_left
  cluster heal
  rm got "$mounted/two/$fault"
done

# One copy, on a server that goes away
expect 0 roma put big "$uri/one/only"
last=$(holder one/only 4)
begin get --stall 35s "$uri/one/only" got
moved wchar $((20 * MB))
cluster kill "$last"
thaw
ended 200
[ "$got" = 5 ] || fail "get of a lost chunk: exit code $got: $(cat errors)"
says "$uri/one/only" server
absent 'get of a lost chunk' got
nothing_left
cluster heal
expect 0 roma get "$uri/one/only" got
equal got "one copy, after the server is back"

begin put --stall 35s big "$uri/one/put"
moved rchar $((100 * MB))
cluster kill cs2
thaw
ended 200
if [ "$got" = 0 ]; then
  cluster heal
  equal "$mounted/one/put" "put with one copy"
else
  says "$uri/one/put" server
  [ "$got" = 5 ] || fail "put with one copy: exit code $got: $(cat errors)"
  cluster heal
  absent 'a failed put' "$mounted/one/put"
fi
nothing_left
