#!/bin/bash
# `roma conform --serve`: libroma breaks no rule, each bug of the wrong client breaks the rules that it should, and what
# cannot be judged is not called clean.
set -u -o pipefail
# shellcheck source=tests/functions.sh
. "$SRC_DIR/tests/functions.sh"
roma=$BUILD_DIR/roma
wrong=$BUILD_DIR/tests/integration/wrong-client
[ -x "$roma" ] || skip "the program is not built"
[ -n "$("$roma" conform --list)" ] || skip "this roma was built without MooseFS"
[ -x "$wrong" ] || skip "the wrong client is not built"
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
export roma wrong scratch

# served CODE COMMAND...: as the client under test.
served() {
  local want=$1
  shift
  timeout 120 "$roma" conform --json --serve -- "$@" >"$scratch/out" 2>"$scratch/err"
  local code=$?
  [ $code = "$want" ] || fail "exit code $code, not $want, of: $* $(cat "$scratch/out" "$scratch/err")"
}

head -c 1500000 /dev/urandom >"$scratch/data"
# shellcheck disable=SC2016 # the variables are those of the client
served 0 bash -ec '
  "$roma" put -q "$scratch/data" "$ROMA_CONFORM_URI/x"
  "$roma" put -q "$scratch/data" "$ROMA_CONFORM_URI/x"
  "$roma" get -q "$ROMA_CONFORM_URI/x" "$scratch/back"
  cmp "$scratch/data" "$scratch/back"
  "$roma" mv "$ROMA_CONFORM_URI/x" "$ROMA_CONFORM_URI/y"
  "$roma" ls -l "$ROMA_CONFORM_URI"
  "$roma" rm "$ROMA_CONFORM_URI/y"'
grep -q '"writes":[1-9].*"findings":0' "$scratch/out" || fail "no write session was seen: $(cat "$scratch/out")"
echo "libroma breaks no rule"

served 2 true
# shellcheck disable=SC2016
served 2 bash -c '"$roma" ls "$ROMA_CONFORM_URI"; exit 7'
served 2 "$scratch/no-such-program"

# Some bugs are races, which are lost now and then: these get more tries.
try() {
  # shellcheck disable=SC2016
  timeout 120 "$roma" conform --json --serve -- bash -c \
    'rm -f "$scratch/local"; timeout 60 "$wrong" "$1" "$ROMA_CONFORM_MASTER" file "$scratch/local" "$2"' - "$1" "$2" \
    >"$scratch/out" 2>"$scratch/err"
  code=$?
  got=$(sed -n 's/^{"rule":"\([a-z-]*\)".*/\1/p' "$scratch/out" | sort -u | paste -sd,)
}

seed=${SEED:-$RANDOM}
echo "seed $seed"
while IFS=$'\t' read -r bug rules _; do
  [ "$bug" != lock-time ] || continue # two minutes
  [ "$rules" != - ] || rules=
  all=$(tr -d '()' <<<"$rules" | tr , '\n' | sort | paste -sd,)
  must=${rules%%,(*}
  for n in {1..8}; do
    try "$bug" $((seed + n))
    if [ "$got" = "$all" ] || [ "$got" = "$must" ]; then break; fi
  done
  [ "$got" = "$all" ] || [ "$got" = "$must" ] || grep -q '^not struck' "$scratch/out" ||
    fail "$bug (seed $((seed + n))): $got, not $rules: $(cat "$scratch/out" "$scratch/err")"
  case $got in '') [ "$code" != 1 ] ;; *) [ "$code" = 1 ] ;; esac || fail "$bug: exit code $code"
  echo "$bug: ${got:-nothing}"
done < <("$wrong" --list)

# Without a command: until Ctrl-C, and the address is told.
env --default-signal=INT "$roma" conform --serve >"$scratch/out" 2>"$scratch/err" &
pid=$!
for _ in {1..100}; do
  ! grep -q '^mfs://' "$scratch/out" || break
  sleep 0.05
done
"$roma" ls "$(head -n 1 "$scratch/out")" || fail "the address that was told does not work: $(cat "$scratch/out")"
kill -INT $pid
wait $pid
code=$?
[ $code = 0 ] || fail "exit code $code after Ctrl-C: $(cat "$scratch/out" "$scratch/err")"
