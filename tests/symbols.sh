#!/bin/bash
# The library exports roma_* in a public version node, ri_* (for its own modules) in the private one, nothing else.
set -u
library=$BUILD_DIR/.libs/libroma.so
[ -e "$library" ] || {
  echo "the shared library was not built (--disable-shared)"
  exit 77
}
symbols=$(${NM:-nm} -D --defined-only --with-symbol-versions "$library" | awk '$2 != "A" { print $3 }')
wrong=$(grep -vE '^(roma_[a-z0-9_]+@@ROMA_[0-9.]+|ri_[a-z0-9_]+@@ROMA_PRIVATE_[0-9.]+)$' <<<"$symbols" |
  grep -vE '^(__asan_|__odr_asan|__sancov_|__start_|__stop_)')
if [ -n "$wrong" ]; then
  printf 'FAIL: these symbols must not be exported:\n%s\n' "$wrong"
  exit 1
fi
grep -q '^roma_version@@ROMA_0\.1$' <<<"$symbols" || {
  printf 'FAIL: roma_version@@ROMA_0.1 is missing from:\n%s\n' "$symbols"
  exit 1
}

# What the headers declare is there, and nothing else.
declared=$(cat "$SRC_DIR"/include/roma/*.h | tr '\n' ' ' | grep -oE 'ROMA_API[^;(]*\(' |
  grep -oE 'roma_[a-z0-9_]+ *\($' | tr -d ' (' | sort -u)
exported=$(sed -n 's/^\(roma_[a-z0-9_]*\)@@.*/\1/p' <<<"$symbols" | sort -u)
difference=$(diff <(echo "$declared") <(echo "$exported") | sed -n 's/^</declared, not exported:/p; s/^>/exported, not declared:/p')
if [ -n "$difference" ]; then
  printf 'FAIL: the public headers and the library differ\n%s\n' "$difference"
  exit 1
fi
