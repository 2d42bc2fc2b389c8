#!/bin/bash
# Captures of the wrong client at a real cluster, one for each rule: RULE[+RULE].WHAT.pcap. The audit finds these rules
# broken and no other. Each rule has its capture, and its paragraph in doc/wire-rules.md.
set -u -o pipefail
# shellcheck source=tests/functions.sh
. "$SRC_DIR/tests/functions.sh"
roma=$BUILD_DIR/roma
[ -x "$roma" ] || skip "the program is not built"
captures=$SRC_DIR/fuzz/corpus/fuzz-capture
"$roma" wire audit "$captures/none.none.pcap" >/dev/null 2>&1 || skip "this roma was built without wire"

seen=
for file in "$captures"/*.pcap "$captures"/*.pcapng; do
  want=$(basename "$file")
  want=${want%%.*}
  audit=$("$roma" wire audit --json "$file")
  code=$?
  got=$(grep -o '^{"rule":"[a-z-]*"' <<<"$audit" | cut -d'"' -f4 | sort -u | paste -sd+)
  [ "${got:-none}" = "$want" ] || fail "$(basename "$file"): the rules broken are ${got:-none}"
  case $want in none) [ $code = 0 ] ;; *) [ $code = 1 ] ;; esac || fail "$(basename "$file"): exit code $code"
  seen+=" ${want//+/ }"
done

rules=$("$roma" wire rules | grep '^[a-z]')
for rule in $rules; do
  [[ "$seen " == *" $rule "* ]] || fail "rule $rule has no capture"
done
documented=$(sed -n 's/^## \([a-z-]*\)$/\1/p' "$SRC_DIR/doc/wire-rules.md")
[ "$documented" = "$rules" ] || fail "doc/wire-rules.md has other rules, or another order: $(diff <(echo "$rules") <(echo "$documented"))"

# Damaged and cut captures: what is readable, and what is missing is said. Never a false rule.
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
good=$captures/none.none.pcap
expect() {
  local want=$1
  shift
  "$@" >"$scratch/out" 2>"$scratch/err"
  local code=$?
  [ $code = "$want" ] || fail "exit $code, not $want, of: $* $(cat "$scratch/out" "$scratch/err")"
}
# The same in the other format: little-endian with nanoseconds; big-endian with two interfaces, comments, names, statistics
# and a block of a kind that nobody knows.
for ng in "$captures"/*.pcapng; do
  expect 0 "$roma" wire decode "$ng"
  mv "$scratch/out" "$scratch/ng"
  expect 0 "$roma" wire decode "${ng%ng}"
  [ -s "$scratch/ng" ] || fail "$(basename "$ng") holds no message"
  cmp -s "$scratch/out" "$scratch/ng" || fail "$(basename "$ng") is not read as the pcap file is"
done
head -c $(($(stat -c %s "$good"ng) - 7)) "$good"ng >"$scratch/cut"
expect 2 "$roma" wire audit "$scratch/cut"
grep -q 'after frame [0-9]*: .*cannot be read' "$scratch/err" || fail "the cut is not told: $(cat "$scratch/err")"
expect 0 "$roma" wire audit - <"$good"ng

head -c $(($(stat -c %s "$good") - 7)) "$good" >"$scratch/cut"
expect 2 "$roma" wire audit "$scratch/cut"
grep -q 'after frame [0-9]*: .*cannot be read' "$scratch/err" || fail "the cut is not told: $(cat "$scratch/err")"
expect 2 "$roma" wire audit /dev/null
gzip -c "$good" >"$scratch/packed"
expect 2 "$roma" wire audit "$scratch/packed"
grep -q 'it is compressed: zcat FILE | roma wire audit -$' "$scratch/err" || fail "gzip is not named: $(cat "$scratch/err")"
expect 2 "$roma" wire audit "$scratch/nothing"
expect 2 "$roma" wire audit --port 9999 "$good"
grep -q 'there is no MooseFS' "$scratch/out" || fail "no MooseFS at port 9999"
expect 0 "$roma" wire audit --port 9421,9422 "$good"
expect 0 "$roma" wire audit - <"$good"
expect 0 "$roma" wire decode "$good"
grep -q 'CLTOMA_FUSE_REGISTER' "$scratch/out" || fail "decode shows no register"
expect 0 "$roma" wire decode --server 10.79.0.1:9421 "$good"
! grep -q 'CLTOCS_' "$scratch/out" || fail "--server shows another server"
expect 0 "$roma" wire decode --json "$good"

# A number with a slip in it is not reported as clean.
for what in "--inode 99999" "--chunk FFFF" "--server 10.79.0.99" "--server 10.79.0.1:9"; do
  for command in audit decode; do
    # shellcheck disable=SC2086 # words
    expect 2 "$roma" wire $command $what "$good"
    grep -qi "nothing in this capture is about .*${what##* }" "$scratch/err" || fail "$what: $(cat "$scratch/err")"
  done
done
number() { grep -o "\"$1\":\"\?[0-9A-F]*[1-9A-F][0-9A-F]*" "$scratch/decoded" | head -1 | sed 's/.*[:"]//'; }
"$roma" wire decode --json "$good" >"$scratch/decoded"
inode=$(number inode) chunk=$(number chunk)
[ -n "$inode$chunk" ] || fail "no inode and chunk in $(head -3 "$scratch/decoded")"
expect 0 "$roma" wire audit --inode "$inode" "$good"
expect 0 "$roma" wire audit --chunk "$chunk" "$good"
expect 0 "$roma" wire audit --inode "$inode" --chunk "$chunk" --server 10.79.0.1 "$good"
expect 2 "$roma" wire audit --inode 99999 --chunk "$chunk" "$good"

# A rule that is broken very often is not told each time: about a file that was asked for there may be more.
many=$captures/writeid-zero.writeid-zero.pcap
tail -c +25 "$many" >"$scratch/some"
for _ in {1..11}; do
  cat "$scratch/some" "$scratch/some" >"$scratch/more"
  mv "$scratch/more" "$scratch/some"
done
cat <(head -c 24 "$many") "$scratch/some" >"$scratch/many"
expect 1 "$roma" wire audit "$scratch/many"
grep -q '^missing: [0-9]* findings, of rules that were broken more than 1000 times$' "$scratch/out" || fail "what is not told: $(tail "$scratch/out")"
expect 2 "$roma" wire audit --inode 999999999 "$scratch/many"
expect 2 "$roma" wire audit
expect 2 "$roma" wire audit --port 0 "$good"

# A verdict that did not arrive is none: 2, whatever the disk said, and never the code of a broken rule.
if [ -c /dev/full ]; then
  for what in audit decode; do
    "$roma" wire $what "$good" >/dev/full 2>"$scratch/err"
    code=$?
    [ $code = 2 ] || fail "wire $what to a full disk: exit $code, not 2: $(cat "$scratch/err")"
  done
fi
