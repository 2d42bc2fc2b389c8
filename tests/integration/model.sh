#!/bin/bash
# Random steps against a model, on a local folder and on MooseFS with one to three copies; the result is compared
# with mfsmount and with every copy.  tests/integration/model.sh [--steps N] [--seed N]
# timeout: 900
set -u -o pipefail
# shellcheck source=tests/integration/functions.sh
. "$SRC_DIR/tests/integration/functions.sh"

model=$BUILD_DIR/tests/integration/model
[ $# -gt 0 ] || set -- --steps 3000

mkdir -p "$scratch/place/f" "$scratch/out"
"$model" "file://$scratch/place" f "$scratch/out" "$@" || fail "on a local folder"
diff -r "$scratch/place/f" "$scratch/out" || fail "the local folder differs from the model"
rm -rf "$scratch/place" "$scratch/out"

for copies in 1 2 3; do
  mkdir "$mounted/$copies" "$scratch/out"
  goal $copies "$mounted/$copies"
  inside "$model" "$uri" "$name/$copies" "$scratch/out" "$@" || fail "$copies copies"
  diff -r "$mounted/$copies" "$scratch/out" || fail "mfsmount shows something else than the model, $copies copies"
  for file in "$scratch/out"/*; do
    inside "$interop" replicas "$uri" "$name/$copies/$(basename "$file")" "$file" $copies ||
      fail "the replicas differ from the model, $copies copies"
  done
  rm -rf "$scratch/out"
done
