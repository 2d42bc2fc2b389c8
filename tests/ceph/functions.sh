# shellcheck shell=bash
# Sourced by tests of CephFS after tests/functions.sh.
[ -n "${ROMA_CEPH_DIR:-}" ] || skip "no Ceph cluster"

# A daemon that it starts must not keep open what others wait for the end of.
ceph() { "$SRC_DIR/tests/cluster/ceph" "$@" 7>&- 8>&- 9>&-; }

# evict PID: ends the sessions that a process has at the MDS; false when it has none. (The program ceph is written in Python
# too.)
evict() {
  local id ids
  ids=$(ceph exec ceph tell "mds.$ROMA_CEPH_FS:0" client ls 2>/dev/null | python3 -c '
import json, sys
for s in json.load(sys.stdin):
    if s["client_metadata"].get("pid") == sys.argv[1]:
        print(s["id"])' "$1")
  for id in $ids; do
    ceph exec ceph tell "mds.$ROMA_CEPH_FS:0" client evict "id=$id" >/dev/null 2>&1 || fail "evict $id"
  done
  [ -n "$ids" ]
}

# says SECONDS WORDS ARGUMENT...: roma fails within so many seconds with these words.
says() {
  local limit=$1 words=$2 began=$SECONDS status
  shift 2
  timeout -k 5 120 "$ROMA" "$@" >"$SCRATCH/out" 2>&1
  status=$?
  cat "$SCRATCH/out"
  if [ $status = 0 ] || [ $status = 124 ] || [ $status -ge 99 ]; then fail "roma $*: exit $status"; fi
  grep -q "$words" "$SCRATCH/out" || fail "roma $*: expected \"$words\""
  [ $((SECONDS - began)) -le "$limit" ] || fail "roma $*: took $((SECONDS - began)) s"
}

# put_when_there_is_room FILE URI: the monitors hear some seconds late of what was removed, or may be written again.
put_when_there_is_room() {
  local i
  for ((i = 0; i < 60; i++)); do
    roma put -q "$1" "$2" && return
    sleep 0.5
  done
  fail "there is no room for $2"
}

# start_client PART URI: cephfs-client until it is ready; what is written to descriptor 8 reaches it.
start_client() {
  # What an earlier one said goes: this one may be slow to begin.
  : >"$SCRATCH/client"
  rm -f "$SCRATCH/go"
  mkfifo "$SCRATCH/go" || fail "mkfifo"
  "$BUILD_DIR/tests/ceph/cephfs-client" "$@" <"$SCRATCH/go" >"$SCRATCH/client" 2>&1 &
  client=$!
  exec 8>"$SCRATCH/go"
  client_ready 1
}

# client_ready N: it has said so N times.
client_ready() {
  local i
  for ((i = 0; i < 300; i++)); do
    [ "$(grep -c '^ready$' "$SCRATCH/client")" -ge "$1" ] && return
    [ -e "/proc/$client" ] || break
    sleep 0.2
  done
  fail "the client is not ready: $(cat "$SCRATCH/client")"
}

end_client() {
  local status
  exec 8>&-
  wait "$client"
  status=$?
  cat "$SCRATCH/client"
  [ $status = 0 ] || fail "the client: exit $status"
}

# canceller_at URI: a client that will cancel one of each kind of call, when canceller_goes says so.
canceller_at() {
  : >"$SCRATCH/calls"
  rm -f "$SCRATCH/calls.go"
  mkfifo "$SCRATCH/calls.go" || fail "mkfifo"
  timeout 300 "$BUILD_DIR/tests/ceph/rados-cancel" calls "$1" <"$SCRATCH/calls.go" >"$SCRATCH/calls" 2>&1 &
  caller=$!
  exec 7>"$SCRATCH/calls.go"
  canceller_said '^ready$'
}

# canceller_said WORDS: it has said so.
canceller_said() {
  local i
  for ((i = 0; i < 300; i++)); do
    grep -q "$1" "$SCRATCH/calls" && return
    [ -e "/proc/$caller" ] || break
    sleep 0.2
  done
  fail "not \"$1\": $(cat "$SCRATCH/calls")"
}

# Each call ends when it is cancelled and the store when it is closed, whatever hangs; threads that hang are counted.
canceller_goes() {
  echo go >&7
  exec 7>&-
  canceller_said '^closed'
}

# They come back when the cluster does.
canceller_ends() {
  local status
  wait "$caller"
  status=$?
  cat "$SCRATCH/calls"
  [ $status = 0 ] || fail "the client that cancels: exit $status"
}
