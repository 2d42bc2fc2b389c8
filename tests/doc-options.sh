#!/bin/bash
# Each command is in the man page and in doc/roma.md, and each option of a URI in the page of its store.
set -u -o pipefail
# shellcheck source=tests/functions.sh
. "$SRC_DIR/tests/functions.sh"
roma=$BUILD_DIR/roma doc=$SRC_DIR/doc
[ -x "$roma" ] || skip "the program is not built"
ROMA_CONFIG=$(mktemp)
export ROMA_CONFIG
trap 'rm -f "$ROMA_CONFIG"' EXIT
status=0
missing() {
  echo "FAIL: $*"
  status=1
}

commands=$("$roma" help | sed -n 's/^  \([a-z]*\)  *[a-z].*/\1/p')
[ "$(wc -w <<<"$commands")" -gt 20 ] || fail "the commands are $commands"
for command in $commands; do
  grep -qE "^\.BR? .*\b$command\b" "$doc/roma.1" || missing "doc/roma.1 has no $command"
  grep -qE "^\|.*\`$command\b" "$doc/roma.md" || missing "doc/roma.md has no $command"
done

# An option that there is none of is answered with those that there are.
options() { "$roma" ping "$1" 2>&1 | sed -n 's/.*; there are //p' | sed 's/ and /, /; s/, /\n/g'; }
page() {
  local option found=0
  while read -r option; do
    found=$((found + 1))
    grep -qE "^\|.*\`$option\`|\`$option=" "$doc/$2" "$doc/roma.md" || missing "doc/$2 has no ?$option= of ${1%%:*}"
  done < <(options "$1")
  [ $found -gt 3 ] || missing "${1%%:*} names $found options"
}
schemes=$("$roma" version | grep -v 'not installed')
for place in 'mfs://h/?zzzzzzzz=1 roma.md' 'cephfs://f/?zzzzzzzz=1 cephfs.md' 'rados://p/?zzzzzzzz=1 rados-layout.md' 's3://b/?zzzzzzzz=1 s3.md'; do
  grep -q "^  ${place%%:*}://" <<<"$schemes" || continue
  page "${place% *}" "${place#* }"
done
exit $status
