# shellcheck shell=bash disable=SC2034 # `store` is for those who source this
# Sourced by the tests of the program. They work in $SCRATCH, on a folder as the store.
# shellcheck source=tests/functions.sh
. "$SRC_DIR/tests/functions.sh"
# ROMA: the program; SCRATCH: an empty folder. Alone, a test makes its own.
: "${ROMA:=$BUILD_DIR/roma}"
if [ -z "${SCRATCH:-}" ]; then
  SCRATCH=$(mktemp -d)
  own_scratch=$SCRATCH
  trap 'rm -rf "$own_scratch"' EXIT
fi
# Also where standard output goes to a file.
exec 3>&1
fail() {
  printf 'FAIL: %s\n' "$*" >&3
  exit 1
}
cd "$SCRATCH" || exit 1
SCRATCH=$(pwd -P)
export ROMA_CONFIG=$SCRATCH/none.conf
: >"$ROMA_CONFIG"
mkdir store
store=file://$SCRATCH/store

# expect CODE COMMAND...: its standard error goes to the file `errors`.
expect() {
  local code=$1 got=0
  shift
  "$@" 2>errors || got=$?
  [ "$got" = "$code" ] || fail "exit code $got, expected $code: $* ($(head -c 500 errors))"
  if [ "$code" != 0 ] && ! grep -q '^roma: ' errors; then
    fail "no sentence on standard error: $* ($(head -c 500 errors))"
  fi
}

# says TEXT...: the last error names all of these.
says() {
  local word
  for word in "$@"; do
    grep -qF -e "$word" errors || fail "the error does not say '$word': $(head -c 500 errors)"
  done
}

same() { cmp -s "$1" "$2" || fail "$1 and $2 differ"; }

# Nothing half-made, visible or hidden, is below these folders.
no_temporaries() {
  local found
  found=$(find "$@" -name '.roma~*')
  [ -z "$found" ] || fail "temporaries were left: $found"
}

# absent WHY NAME...
absent() {
  local why=$1 name
  shift
  for name in "$@"; do
    [ ! -e "$name" ] || fail "$why: there is $name"
  done
}
