#!/bin/bash
# The contract suite on a local folder, driven in all three ways.
# timeout: 900
set -u
folder=$(mktemp -d "${SCRATCH:-/tmp}/fileio-XXXXXX")
trap 'rm -rf "$folder"' EXIT
status=0
for loop in own ev fd; do
  echo "== --loop $loop"
  "$BUILD_DIR/tests/contract/contract" "file://$folder" --loop $loop "$@" || status=1
done
if [ -n "$(ls -A "$folder")" ]; then
  echo "FAIL: the suite left something behind:"
  find "$folder"
  status=1
fi
exit $status
