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
