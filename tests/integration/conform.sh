#!/bin/bash
# A real server passes `roma conform`, as a client of today and as older ones; what it made is gone afterwards, also
# after Ctrl-C. A folder that is not there, and a server that is not there, are "could not tell".
set -u -o pipefail
# shellcheck source=tests/integration/functions.sh
. "$SRC_DIR/tests/integration/functions.sh"
[ -n "$("$ROMA" conform --list)" ] || skip "this roma was built without MooseFS"

where=mfs://$ROMA_MFS_MASTER/$name

left() {
  [ -z "$(ls -A "$mounted")" ] || fail "$1: something stayed: $(ls -A "$mounted")"
}

# run CODE ARGUMENT...: its exit code and, where it failed, what it said.
run() {
  local want=$1
  shift
  roma conform "$@" >"$scratch/out" 2>"$scratch/err"
  local code=$?
  [ $code = "$want" ] || fail "exit code $code, not $want, of: conform $*: $(grep -v '^ok' "$scratch/out" | head -n 60) $(cat "$scratch/err")"
}

run 0 "$where"
left "a whole run"
grep -qx "1\.\.$("$ROMA" conform --list | grep -c '^[a-z]')" "$scratch/out" || fail "not all checks were told"
! grep 'could not tell:' "$scratch/out" || fail "something could not be tried"
# What is left out is for other servers, or slow.
grep '# SKIP' "$scratch/out" | grep -vE 'SKIP (for [34]\.x servers|slow checks|no password was given)' | grep . && fail "checks were left out"

server=$(sed -n 's/^# server \([0-9.]*\): .*/\1/p' "$scratch/out")
older="3.0.117 3.0.71 1.7.32"
if [[ $server == 4.* ]]; then
  # A 4.x master, as it is installed, lets in nobody who declares less than 4.26, and it is said what can be done.
  for version in $older 4.25.9; do
    run 2 --as "$version" "$where"
    grep -q "refuses a client that declares $version .*RESTRICT_INCOMPATIBLE_CLIENT_VERSIONS = 0" "$scratch/err" ||
      fail "a refused client is told: $(cat "$scratch/err")"
  done
  older="4.26.0 4.40.0 5.0.0"
fi
for version in $older; do
  run 0 --as "$version" "$where"
done
run 0 --json --filter frame/ "$where"
grep -q '^{"check":"frame/msgid",.*"verdict":"pass"' "$scratch/out" || fail "no JSON: $(head -n 1 "$scratch/out")"
left "older clients"

# An export with a password.
printf %s "$ROMA_MFS_PASSWORD" >"$scratch/password"
printf 'not %s' "$ROMA_MFS_PASSWORD" >"$scratch/wrong"
chmod 600 "$scratch/password" "$scratch/wrong"
secret="mfs://$ROMA_MFS_MASTER/?export=/secret"
run 0 --filter write/ "$secret&password_file=$scratch/password"
run 0 --filter session/ "$secret&password_file=$scratch/password"
[ "$(grep -Ec '^ok [0-9]+ - session/(no|wrong)-password$' "$scratch/out")" = 2 ] || fail "no check of the password: $(cat "$scratch/out")"
run 2 --filter session/ "$secret"
grep -q 'needs a password' "$scratch/err" || fail "no password: $(cat "$scratch/err")"
run 2 --filter session/ "$secret&password_file=$scratch/wrong"
grep -q 'password is wrong' "$scratch/err" || fail "a wrong password: $(cat "$scratch/err")"
[ -z "$(ls -A "$ROMA_MFS_MOUNT/secret")" ] || fail "something stayed in /secret"

run 2 "$where/nothing"
run 2 --filter no-such-check "$where"
run 2 "mfs://$ROMA_MFS_MASTER:1/$name"
run 2 "file:///tmp"
run 2 --as nonsense "$where"
run 2 --as 1.7.20 "$where"

roma conform --slow --filter frame/idle "$where" >"$scratch/out" 2>&1 &
pid=$!
for _ in {1..100}; do
  [ -z "$(ls -A "$mounted")" ] || break
  sleep 0.05
done
[ -n "$(ls -A "$mounted")" ] || fail "its folder does not appear"
kill -INT $pid
wait $pid
code=$?
[ $code = 130 ] || fail "exit code $code after Ctrl-C: $(cat "$scratch/out")"
left "Ctrl-C"
