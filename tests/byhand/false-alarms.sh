#!/bin/bash
# No false alarm, by hand: [ROUNDS=200] [SEED=N] tests/byhand/false-alarms.sh [BUILD_FOLDER]
# Starts a cluster of its own. What mfsmount and roma do, in small and large pieces, in order and not, directly and over
# a line that loses packets, while chunkservers start again, is captured and audited, and no rule is found broken; roma
# diagnose looks at the files all the time and finds nothing wrong. Each round is an upload, read back by both programs.
set -u -o pipefail
src=$(cd "$(dirname "$0")/../.." && pwd -P)
build=${1:-$src/_build-asan}
work=$(mktemp -d)
export SRC_DIR=$src BUILD_DIR=$build ROMA=$build/roma SCRATCH=$work/scratch
mkdir "$SCRATCH"
trap '"$src/tests/cluster/mfs" down --dir "$work/mfs"; rm -rf --one-file-system "$work"' EXIT
"$src/tests/cluster/mfs" up --dir "$work/mfs" --mount || exit 1
eval "$("$src/tests/cluster/mfs" env --dir "$work/mfs")"
# shellcheck source=tests/integration/functions.sh
. "$src/tests/integration/functions.sh"
requires tcpdump
"$ROMA" wire rules >/dev/null || skip "this roma was built without wire"
rounds=${ROUNDS:-200}
RANDOM=${SEED:=$$}
echo "seed $SEED"
goal 2 "$mounted"
top=mfs://$ROMA_MFS_MASTER/$name
far=roma-far-$$
mkdir "$scratch/here" "$scratch/far"
dump='' watcher='' restarter='' link=''

stop() {
  : >"$scratch/stop"
  [ -z "$watcher" ] || wait "$watcher"
  [ -z "$restarter" ] || wait "$restarter"
  stop_dump
  umount "$scratch/far" 2>/dev/null || umount -l "$scratch/far" 2>/dev/null
  stop_link
  ip netns del "$far" 2>/dev/null
  "$src/tests/cluster/mfs" down --dir "$work/mfs"
  rm -rf --one-file-system "$work"
}
trap stop EXIT

# ---- the capture, a file for every few rounds ------------------------------------------------------------------

start_dump() {
  in_cluster tcpdump -q -i any -s 0 -B 131072 -w "$scratch/capture" tcp 2>"$scratch/tcpdump" &
  dump=$!
  until grep -q 'listening on' "$scratch/tcpdump"; do
    kill -0 "$dump" 2>/dev/null || skip "no capture: $(tail -n 1 "$scratch/tcpdump")"
    sleep 0.05
  done
}

stop_dump() {
  [ -n "$dump" ] || return 0
  kill -INT "$dump" 2>/dev/null
  wait "$dump"
  dump=
}

writes=0 messages=0
audit() {
  local code
  "$ROMA" wire audit --json "$scratch/capture" >"$scratch/audit"
  code=$?
  if [ $code != 0 ] && [ $code != 2 ]; then
    cp "$scratch/capture" "${TMPDIR:-/tmp}/false-alarm-$SEED.pcap"
    fail "seed $SEED, round $round: the audit ends with $code: $(cat "$scratch/audit")"
  fi
}
count() { sed -n "s/.*\"$1\":\([0-9]*\).*/\1/p" "$scratch/audit" | tail -n 1; }

# ---- the bad line ----------------------------------------------------------------------------------------------

# mfsmount in another namespace, behind a line that loses 1 packet of 100. false: not possible here.
make_far() {
  [ -n "$ROMA_MFS_NETNS" ] && [ -w /dev/net/tun ] || return 1
  ip netns add "$far" || return 1
  "$BUILD_DIR/tests/integration/lossy-link" "/run/netns/$ROMA_MFS_NETNS" "/run/netns/$far" 1 10 "$SEED" \
    >"$scratch/link" 2>&1 &
  link=$!
  until grep -q ready "$scratch/link"; do
    kill -0 "$link" 2>/dev/null || return 1
    sleep 0.05
  done
  ip -n "$ROMA_MFS_NETNS" addr add 10.99.0.1 peer 10.99.0.2 dev lossy &&
    ip -n "$ROMA_MFS_NETNS" link set lossy up && ip -n "$far" link set lo up &&
    ip -n "$far" addr add 10.99.0.2 peer 10.99.0.1 dev lossy && ip -n "$far" link set lossy up &&
    ip -n "$far" route add default dev lossy || return 1
  nsenter "--net=/run/netns/$far" mfsmount -H "$ROMA_MFS_MASTER" -o mfscachemode=NEVER,mfsattrcacheto=0 \
    "$scratch/far" >"$scratch/mfsmount" 2>&1
}

stop_link() {
  [ -n "$link" ] || return 0
  kill "$link" 2>/dev/null
  wait "$link"
  link=
}

# ---- uploads and downloads -------------------------------------------------------------------------------------

# Sizes at the borders of blocks, some of any size, now and then one of more than a chunk.
random_size() {
  local sizes=(1 65535 65536 65537 100000 131072)
  case $((RANDOM % 18)) in
  0) size=$((67108864 - 50000 + RANDOM * 3)) ;;
  [1-9]) size=${sizes[RANDOM % 6]} ;;
  *) size=$((RANDOM * 90 + RANDOM)) ;;
  esac
}

# The same in the folder of a mount and in a local one, whose files are then what they should be.
both() {
  "$@" "$scratch/here/$file" || fail "$* on a local file"
  "$@" "$at/$file" || fail "round $round: $* on $at/$file"
}
blocks_of() { dd if="$scratch/source" of="$2" bs="$1" status=none; }
places_of() { dd if="$scratch/source" of="$4" bs="$1" seek="$2" count="$3" conv=notrunc status=none; }
appended() { head -c "$1" "$scratch/source" >>"$2"; }
synced() { if [ "$1" = yes ]; then rsync -t "$scratch/source" "$2"; else cp "$scratch/source" "$2"; fi; }

by_mount() {
  local bs=(777 4096 65536 100000 1048576) n
  case $((RANDOM % 6)) in
  0 | 1) both blocks_of "${bs[RANDOM % (size > 3000000 ? 3 : 5) + (size > 3000000 ? 2 : 0)]}" ;;
  2) both cp "$scratch/source" ;;
  3) both synced "$have_rsync" ;;
  4)
    both cp "$scratch/source"
    for n in 1 2 3 4; do both places_of $((n + RANDOM)) $((RANDOM % 60)) $((1 + RANDOM % 40)); done
    ;;
  5)
    for n in 1 2 3; do both appended $((n + RANDOM * 7)); done
    both truncate -s $((RANDOM * 4))
    [ $((RANDOM % 2)) = 0 ] || both truncate -s $((RANDOM * 9))
    ;;
  esac
}

by_roma() {
  cp "$scratch/source" "$scratch/here/$file"
  "${run[@]}" "$ROMA" put -q "$scratch/source" "$top/$file" || fail "round $round: put of $size bytes"
  [ $((RANDOM % 3)) != 0 ] || "${run[@]}" "$ROMA" cp -q "$top/$file" "$top/$file.copy" || fail "round $round: cp"
}

# Read by the other program, over the other line.
compare() {
  rm -f "$scratch/got"
  "${other[@]}" "$ROMA" get -q "$top/$file" "$scratch/got" || fail "round $round: get of $file"
  cmp "$scratch/here/$file" "$scratch/got" || fail "round $round: roma reads other bytes of $file (seed $SEED)"
  cmp "$scratch/here/$file" "$at/$file" || fail "round $round: mfsmount reads other bytes of $file (seed $SEED)"
}

one_round() {
  local near=(nsenter "--net=/run/netns/$ROMA_MFS_NETNS" --) away=(nsenter "--net=/run/netns/$far" --) run other at
  file=file$((RANDOM % 25))
  [ $have_far = yes ] || away=("${near[@]}")
  [ -n "$ROMA_MFS_NETNS" ] || read -ra near <<<"$ROMA_MFS_NS"
  [ -n "$ROMA_MFS_NETNS" ] || away=("${near[@]}")
  run=("${near[@]}") other=("${away[@]}") at=$mounted
  if [ $((RANDOM % 2)) = 0 ] && [ $have_far = yes ]; then
    run=("${away[@]}") other=("${near[@]}") at=$scratch/far/$name
  fi
  random_size
  random_file "$scratch/source" "$size"
  if [ $((RANDOM % 2)) = 0 ]; then by_roma; else by_mount; fi
  compare
}

watch_files() {
  local got
  while [ ! -e "$scratch/stop" ]; do
    got=0
    roma_near diagnose -r "$top" >"$scratch/watch" 2>&1 || got=$?
    echo "$got" >>"$scratch/looks"
    if [ $got != 0 ] && [ $got != 2 ]; then
      cp "$scratch/watch" "$scratch/alarm"
      return
    fi
  done
}
# shellcheck disable=SC2086 # a list of words
roma_near() { ${ROMA_MFS_NS:-} "$ROMA" "$@"; }

have_rsync=no have_far=no
! command -v rsync >/dev/null || have_rsync=yes
if make_far; then
  have_far=yes
elif in_cluster tc qdisc add dev lo root netem delay 1ms loss 1% 2>/dev/null; then
  echo "packets are lost on the loopback of the cluster"
else
  echo "without packet loss: no netem, and no line of its own: $(cat "$scratch/link" "$scratch/mfsmount" 2>/dev/null)"
fi
watch_files &
watcher=$!
for ((round = 1; round <= rounds; round++)); do
  [ $((round % 12)) != 1 ] || start_dump
  if [ $((round % 9)) = 5 ]; then
    [ -z "$restarter" ] || wait "$restarter" || fail "a chunkserver did not start again"
    cluster restart cs$((1 + RANDOM % 3)) --dir "$ROMA_MFS_DIR" &
    restarter=$!
  fi
  one_round
  [ ! -e "$scratch/alarm" ] || fail "seed $SEED, round $round: roma diagnose says while files are written: $(cat "$scratch/alarm")"
  [ $((round % 12)) != 7 ] || audit # of what is there so far
  if [ $((round % 12)) = 0 ] || [ $round = "$rounds" ]; then
    sleep 1.2 # until the kernel has handed over the last block
    stop_dump
    audit
    writes=$((writes + $(count writes))) messages=$((messages + $(count messages)))
  fi
done
: >"$scratch/stop"
wait "$watcher"
watcher=
[ -z "$restarter" ] || wait "$restarter" || fail "a chunkserver did not start again"
restarter=
[ ! -e "$scratch/alarm" ] || fail "seed $SEED: roma diagnose says while files are written: $(cat "$scratch/alarm")"
# Copies that a restarted server had too old are removed by and by.
for _ in {1..30}; do
  roma_near diagnose -r "$top" >"$scratch/watch" 2>&1
  code=$?
  [ "$code" = 2 ] || break
  sleep 1
done
[ "$code" = 0 ] || fail "seed $SEED: diagnose ends with $code: $(cat "$scratch/watch")"
[ "$writes" -gt $((rounds / 3)) ] || fail "only $writes write sessions were seen"
looks=$(wc -l <"$scratch/looks")
stop_link
echo "$rounds uploads and downloads, $messages messages, $writes write sessions, $looks scans: no alarm"
[ $have_far = no ] || tail -n 1 "$scratch/link"
