#!/bin/sh
# Replays the corpus of each fuzz target. A target without a corpus is a failure: it would look tested.
set -u
status=0
for target in $FUZZ_TARGETS; do
  corpus=$SRC_DIR/fuzz/corpus/$(basename "$target")
  if [ ! -d "$corpus" ]; then
    echo "$target: no corpus in $corpus"
    status=1
    continue
  fi
  echo "== $target"
  if "./$target" -help=1 2>/dev/null | grep -q libFuzzer; then
    "./$target" -runs=0 "$corpus" || status=1
  else
    "./$target" "$corpus" || status=1
  fi
done
exit $status
