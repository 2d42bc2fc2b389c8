#!/bin/bash
# Each public header compiles alone, as C99, as C11 and as C++, without a warning.
set -u
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
status=0

try() {
  local header=$1 what=$2
  shift 2
  if ! "$@" -I "$SRC_DIR/include" -Wall -Wextra -pedantic -Werror -fsyntax-only; then
    echo "FAIL: $header does not compile alone as $what"
    status=1
  fi
}

for path in "$SRC_DIR"/include/roma/*.h; do
  header=roma/${path##*/}
  # Twice, so that a missing include guard is found.
  printf '#include <%s>\n#include <%s>\nint roma_header_test;\n' "$header" "$header" | tee "$scratch/t.c" >"$scratch/t.cc"
  # shellcheck disable=SC2086 # CC may hold options
  try "$header" C99 ${CC:-cc} -std=c99 "$scratch/t.c"
  # shellcheck disable=SC2086
  try "$header" C11 ${CC:-cc} -std=c11 "$scratch/t.c"
  if [ -n "${CXX:-}" ]; then
    # shellcheck disable=SC2086
    try "$header" C++ $CXX -std=c++11 "$scratch/t.cc"
  fi
  grep -qF "include/$header" "$SRC_DIR/include/local.mk" || {
    echo "FAIL: $header is not in roma_headers of include/local.mk, so it would not be installed"
    status=1
  }
done
[ $status = 0 ] || exit $status
if [ -z "${CXX:-}" ]; then
  echo "the headers were not tried as C++: no C++ compiler was found"
  exit 77
fi
