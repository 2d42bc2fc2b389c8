#!/bin/bash
# cppcheck finds nothing but what tests/lint/cppcheck-suppressions.txt explains.
set -eu
cd "$SRC_DIR"
mapfile -t files < <(git ls-files '*.c' 2>/dev/null || find . -name '*.c' -not -path './_build*')
[ ${#files[@]} -gt 0 ]
exec cppcheck -q --std=c11 --enable=warning,performance,portability --inline-suppr --error-exitcode=1 \
  --suppressions-list=tests/lint/cppcheck-suppressions.txt -D_GNU_SOURCE -DROMA_WITH_MFS=1 \
  -I include -I . -j "${JOBS:-$(nproc)}" "${files[@]}"
