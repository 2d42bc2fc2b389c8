#!/bin/bash
# Every script of the tree passes shellcheck.
set -eu
cd "$SRC_DIR"
mapfile -t scripts < <(git ls-files | while read -r file; do
  case $file in
  *.sh) echo "$file" ;;
  *.*) ;;
  *) head -n 1 "$file" | grep -qE '^#!/bin/(ba)?sh' && echo "$file" ;;
  esac
done; echo .ci/run)
exec shellcheck -x "${scripts[@]}"
