#!/bin/bash
# Sixteen parts of 64 MiB on a MooseFS with two copies: joining them moves no data. By hand, since it writes 2 GiB:
#   eval "$(tests/cluster/mfs env)"; tests/byhand/mfs-joined.sh [BUILD_FOLDER]
# What the complete moves is what it adds to the bytes over the cluster's network (all of it is in a namespace of its own),
# and to what the chunkservers have written.
set -u
src=$(cd "$(dirname "$0")/../.." && pwd -P)
build=$(readlink -f "${1:-$src/_build}")
export SRC_DIR=$src BUILD_DIR=$build ROMA=$build/roma
# shellcheck source=tests/uploads.sh
. "$src/tests/uploads.sh"
[ -n "${ROMA_MFS_MOUNT:-}" ] || skip "no MooseFS cluster, or it is not mounted"
work=$(mktemp -d)
folder=mfs://$ROMA_MFS_MASTER/joined-$$ mount=$ROMA_MFS_MOUNT/joined-$$
trap 'rm -rf "$work" "$mount"' EXIT
cd "$work" || exit 1
part=67108864 n=16

over_network() { in_cluster cat /proc/net/dev | awk '$1 == "lo:" { print $2 }'; }

written() {
  local i sum=0 pid
  for ((i = 1; ; i++)); do
    pid=ROMA_MFS_CS${i}_PID
    [ -n "${!pid:-}" ] || break
    sum=$((sum + $(awk '$1 == "write_bytes:" { print $2 }' "/proc/${!pid}/io")))
  done
  echo $sum
}

mkdir "$mount" || fail "mkdir"
in_cluster mfssetsclass 2 "$mount" >/dev/null || fail "mfssetsclass"
random_file whole $((n * part))
net=$(over_network) disk=$(written)
id=$(begin joined) || fail "begin"
pids=()
for i in $(seq $n | shuf); do
  roma upload part --upload-id "$id" --part "$i" --offset $(((i - 1) * part)) --length $part "$PWD/whole" "$(at joined)" >/dev/null &
  pids+=($!)
  [ ${#pids[@]} -ge 4 ] || continue
  wait "${pids[0]}" || fail "a part"
  pids=("${pids[@]:1}")
done
for i in "${pids[@]}"; do wait "$i" || fail "a part"; done
echo "     $n parts: $((($(over_network) - net) >> 20)) MiB over the network, $((($(written) - disk) >> 20)) MiB written"
[ $(($(over_network) - net)) -ge $((2 * n * part)) ] || fail "two copies of $n parts are more than that: the counters count something else"

sleep 2
net=$(over_network) disk=$(written) began=$(date +%s%N)
roma upload complete --timing --upload-id "$id" "$(at joined)" 2>timing || fail "complete: $(cat timing)"
took=$((($(date +%s%N) - began) / 1000000)) net=$(($(over_network) - net)) disk=$(($(written) - disk))
echo "     complete: $((net >> 10)) KiB over the network, $((disk >> 10)) KiB written, $took ms"
grep '^append slice ' timing || fail "the parts were not joined by the master: $(cat timing)"
[ $net -lt 4194304 ] || fail "data went over the network"
[ $disk -lt 4194304 ] || fail "data were written"

roma chunks --crc "$folder/joined" >map || fail "chunks --crc: $(cat map)"
[ "$(awk '/^ / { print $1, $2 }' map | sort -u | wc -l) $(grep -c '^ ' map)" = "$n $((2 * n))" ] ||
  fail "not two copies of $n chunks: $(cat map)"
roma diagnose --deep --against="$PWD/whole" "$folder/joined" >found || fail "diagnose: $(cat found)"
cmp whole "$mount/joined" || fail "mfsmount reads other bytes"
roma gc --older-than 0 "$folder" >/dev/null || fail "gc"
nothing_left joined
[ "$(ls -A "$mount")" = joined ] || fail "something is left: $(ls -A "$mount")"
holds joined whole
echo "ok   $n parts are joined; both copies of each chunk, mfsmount and roma have the same bytes"
