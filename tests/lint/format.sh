#!/bin/bash
# Every C file looks as clang-format makes it.
set -eu
cd "$SRC_DIR"
git ls-files '*.c' '*.h' | xargs -r clang-format --dry-run -Werror
