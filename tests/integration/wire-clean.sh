#!/bin/bash
# second try: with frames lost by tcpdump the audit once called no-end broken on a capture of roma and mfsmount (false-alarms.sh)
# No false alarm: what mfsmount and roma do, in small and large pieces, in order and not, while packets get lost and a
# chunkserver starts again, is captured and audited, and no rule is found broken.
set -u -o pipefail
# shellcheck source=tests/integration/functions.sh
. "$SRC_DIR/tests/integration/functions.sh"
requires tcpdump
"$ROMA" wire rules >/dev/null || skip "this roma was built without wire"
goal 2 "$mounted"
uri=mfs://$ROMA_MFS_MASTER/$name

in_cluster tcpdump -q -i lo -s 0 -B 262144 -w "$scratch/capture" tcp 2>"$scratch/tcpdump" &
dump=$!
stop() {
  kill -INT "$dump" 2>/dev/null
  wait "$dump"
  remove_mounted
}
trap stop EXIT
until grep -q 'listening on' "$scratch/tcpdump"; do
  kill -0 "$dump" 2>/dev/null || skip "no capture: $(tail -n 1 "$scratch/tcpdump")"
  sleep 0.05
done

# Like a user of the mount: sizes and places from bash's random numbers.
by_mount() {
  local i bs
  for bs in 777 4096 65536 100000 1048576; do
    dd if=/dev/urandom of="$mounted/dd$bs" bs=$bs count=$((1 + 1500000 / bs)) status=none || fail "dd bs=$bs"
  done
  cp "$mounted/dd65536" "$mounted/copy" || fail cp
  for i in {1..6}; do
    dd if=/dev/urandom of="$mounted/dd65536" bs=1000 seek=$((RANDOM % 2000)) count=$((1 + RANDOM % 60)) conv=notrunc status=none
    head -c $((1 + RANDOM * 3)) /dev/urandom >>"$mounted/appended"
  done
  truncate -s $((RANDOM * 10)) "$mounted/dd4096"
  truncate -s $((2000000 + RANDOM)) "$mounted/dd777"
  dd if=/dev/urandom of="$mounted/large" bs=1M seek=63 count=2 status=none
  echo short >"$mounted/copy"
  cat "$mounted/dd100000" >/dev/null
}

by_roma() {
  local size file
  for size in 0 1 65536 100000 3000001; do
    random_file "$scratch/source" $size
    roma put -q "$scratch/source" "$uri/r$size" || fail "put of $size bytes"
    roma get -q "$uri/r$size" "$scratch/got" || fail "get of $size bytes"
    cmp "$scratch/source" "$scratch/got" || fail "$size bytes"
  done
  for file in dd777 large; do
    roma cp -q "$uri/$file" "$uri/copy-$file" || fail "cp of $file"
  done
}

by_mount
by_roma
if in_cluster tc qdisc add dev lo root netem delay 1ms loss 1% 2>/dev/null; then
  by_mount
  by_roma
  in_cluster tc qdisc del dev lo root
else
  echo "without packet loss: this kernel has no netem"
fi
by_mount &
mount_job=$!
by_roma &
roma_job=$!
sleep 0.2
cluster kill cs2 --dir "$ROMA_MFS_DIR" >/dev/null || fail "kill cs2"
sleep 1
cluster restart cs2 --dir "$ROMA_MFS_DIR" >/dev/null || fail "restart cs2"
wait $mount_job || fail "mfsmount while a chunkserver was away"
wait $roma_job || fail "roma while a chunkserver was away"
sleep 1.2
kill -INT "$dump"
wait "$dump"

"$ROMA" wire audit "$scratch/capture" >"$scratch/audit"
code=$?
cat "$scratch/audit"
[ $code != 1 ] || fail "rules are said to be broken"
writes=$(sed -n 's/.* \([0-9]*\) write sessions$/\1/p' "$scratch/audit")
[ "${writes:-0}" -gt 30 ] || fail "only ${writes:-no} write sessions were seen"
