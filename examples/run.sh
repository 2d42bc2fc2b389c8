#!/bin/bash
# The examples do what they say, on a folder.
set -eu
# shellcheck source=tests/functions.sh
. "$SRC_DIR/tests/functions.sh"
bin=$BUILD_DIR/examples
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
mkdir "$scratch/a" "$scratch/b"
head -c 300000 /dev/urandom >"$scratch/source"

"$bin/put" "file://$scratch/a" 2026/x "$scratch/source"
cmp "$scratch/source" "$scratch/a/2026/x" || fail "put: the copy differs"
if "$bin/put" "file://$scratch/a" y "$scratch/missing" 2>"$scratch/error"; then
  fail "put of a missing file succeeded"
fi
grep -q missing "$scratch/error" || fail "put names no file: $(cat "$scratch/error")"

names=()
for i in $(seq 200); do
  printf '%d\n' "$i" >"$scratch/a/n$i"
  names+=("n$i")
done
"$bin/many-reads" "file://$scratch/a" "${names[@]}" >"$scratch/out"
[ "$(wc -l <"$scratch/out")" = 200 ] || fail "many-reads: $(wc -l <"$scratch/out") of 200"
if "$bin/many-reads" "file://$scratch/a" n1 nothing 2>/dev/null >&2; then
  fail "many-reads of a missing object succeeded"
fi

sum=$("$bin/poll-loop" "file://$scratch/a" 2026/x 2>/dev/null)
[ "${sum%% *}" = "$(md5sum <"$scratch/source" | cut -d' ' -f1)" ] || fail "poll-loop: $sum"

"$bin/copy-between-stores" "file://$scratch/a" 2026/x "file://$scratch/b" deep/x 2>/dev/null >&2
cmp "$scratch/source" "$scratch/b/deep/x" || fail "copy-between-stores: the copy differs"
if "$bin/copy-between-stores" "file://$scratch/a" n1 "file://$scratch/b" deep/x 2>/dev/null >&2; then
  fail "copy-between-stores replaced an existing object"
fi
cmp "$scratch/source" "$scratch/b/deep/x" || fail "copy-between-stores: the refused copy left traces"
