#!/bin/bash
# roma diagnose and roma salvage at the servers of `roma conform --serve`: what is not there is not called certain.
set -u -o pipefail
# shellcheck source=tests/functions.sh
. "$SRC_DIR/tests/functions.sh"
roma=$BUILD_DIR/roma
[ -x "$roma" ] || skip "the program is not built"
[ -n "$("$roma" conform --list)" ] || skip "this roma was built without MooseFS"
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
export roma scratch
cd "$scratch" || fail "no scratch folder"

# served COMMANDS: with bash, as a client.
served() {
  timeout 120 "$roma" conform --serve -- bash -uec "$1" >out 2>err || fail "$(cat out err)"
}

head -c 300000 /dev/urandom >data
# The same, and zeros to the end of its chunk, then a second chunk that the file does not have.
cp data longer
truncate -s 67108864 longer
cat data >>longer
# shellcheck disable=SC2016 # the variables are those of the client
served '
  expect() {
    local want=$1 code=0
    shift
    "$@" >said 2>&1 || code=$?
    [ $code = "$want" ] || { echo "exit code $code, not $want, of: $*"; cat said; exit 1; }
  }
  "$roma" put -q data "$ROMA_CONFORM_URI/x"
  expect 0 "$roma" salvage --error-gap 0 --against data "$ROMA_CONFORM_URI/x" saved
  cmp data saved
  expect 1 "$roma" salvage --error-gap 0 --against longer "$ROMA_CONFORM_URI/x" short
  grep -q "^67108864	300000	lost	-	a hole, where the original has data$" short.map || { cat short.map; exit 1; }
  grep -q "^0	67108864	certain	" short.map || grep -q "^0	.*	certain	" short.map || { cat short.map; exit 1; }
  expect 0 "$roma" salvage --error-gap 0 --length 67408864 "$ROMA_CONFORM_URI/x" zeros
  cmp zeros <(cat data; head -c $((67408864 - 300000)) /dev/zero)'
echo "a hole is lost where the original has data"

# Copies that agree leave nothing to choose from: no mix of them is searched, and none is said to have been found.
# shellcheck disable=SC2016
served '
  expect() {
    local want=$1 code=0
    shift
    "$@" >said 2>&1 || code=$?
    [ $code = "$want" ] || { echo "exit code $code, not $want, of: $*"; cat said; exit 1; }
  }
  nothing_found() {
    ! grep -q "combinations\|salvage" said || { echo "a mix is said to have been found:"; cat said; exit 1; }
  }
  "$roma" put -q data "$ROMA_CONFORM_URI/x"
  expect 0 "$roma" diagnose --error-gap 0 --against "$(md5sum <data | cut -c1-32)" "$ROMA_CONFORM_URI/x"
  nothing_found
  expect 1 "$roma" diagnose --error-gap 0 --against "$(md5sum <longer | cut -c1-32)" "$ROMA_CONFORM_URI/x"
  nothing_found
  grep -q "the copies agree, so only the original" said || { cat said; exit 1; }'
echo "an MD5 that no copy has is no reason to say that one was found"

# An original that repeats 32 bytes two million times, and a block that begins with these, moved: nobody looks at two million
# places. The limit only catches that.
row=abcdefghijklmnopqrstuvwxyz012345
printf %s "$row" >repeated
for _ in {1..21}; do
  cat repeated repeated >twice
  mv twice repeated
done
{
  printf %s%s "${row:1}" "${row:0:1}" "${row:1}" "${row:0:1}"
  head -c 65472 /dev/urandom
} >block
# shellcheck disable=SC2016
served '
  "$roma" put -q block "$ROMA_CONFORM_URI/x"
  code=0
  timeout 40 "$roma" diagnose --error-gap 0 --against repeated "$ROMA_CONFORM_URI/x" >said 2>&1 || code=$?
  [ $code = 1 ] || { echo "exit code $code"; cat said; exit 1; }'
echo "an original that repeats itself takes no longer"
