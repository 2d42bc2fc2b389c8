#!/bin/bash
# second try: how long a cluster takes to be whole again depends on the machine
# CephFS when its daemons hang, end and come back, and when the cluster is full: operations end in time with a clear error,
# threads that do not come back are counted, a put goes on where it can, and `roma ping` says what is wrong.
# timeout: 600
set -u
# shellcheck source=tests/functions.sh
. "$SRC_DIR/tests/functions.sh"
# shellcheck source=tests/ceph/functions.sh
. "$SRC_DIR/tests/ceph/functions.sh"
uri=cephfs://$ROMA_CEPH_FS/daemons
bytes=24000001
random_file "$SCRATCH/in" $bytes
echo content >"$SCRATCH/small"
roma mkdir -p "$uri" || fail "mkdir"

active_mds() {
  ceph exec ceph mds stat 2>/dev/null | sed -n 's/.*{0=\([a-z]\)=up:active.*/mds\1/p'
}

# half_way KEY: a put whose source is at half of it; the rest comes after go_on.
half_way() {
  rm -f "$SCRATCH/slow" "$SCRATCH/more"
  mkfifo "$SCRATCH/slow" "$SCRATCH/more" || fail "mkfifo"
  {
    head -c $((bytes / 2)) "$SCRATCH/in"
    : >"$SCRATCH/half"
    read -r _ <"$SCRATCH/more"
    tail -c +$((bytes / 2 + 1)) "$SCRATCH/in"
  } >"$SCRATCH/slow" &
  # Much more than a cluster takes: also a machine that stands still for a while is no failure.
  roma put -q --stall 5m - "$1" <"$SCRATCH/slow" >"$SCRATCH/put" 2>&1 &
  victim=$!
  exec 9>"$SCRATCH/more"
  for ((i = 0; i < 300; i++)); do
    [ -e "$SCRATCH/half" ] && break
    sleep 0.1
  done
  [ -e "$SCRATCH/half" ] || fail "the put does not read: $(cat "$SCRATCH/put")"
  rm "$SCRATCH/half"
}

go_on() {
  echo go >&9
  exec 9>&-
}

# goes_well KEY: it ends well, and all of it is there.
goes_well() {
  wait "$victim" || fail "put: $(cat "$SCRATCH/put")"
  roma get -q "$1" "$SCRATCH/got" || fail "get"
  cmp "$SCRATCH/in" "$SCRATCH/got" || fail "other bytes"
}

# ping_says WORDS URI: it can answer, and says so after a while.
ping_says() {
  local i
  for ((i = 0; i < 60; i++)); do
    timeout 60 "$ROMA" ping -c 1 "$2" >"$SCRATCH/out" 2>&1 && grep -q "$1" "$SCRATCH/out" && break
    sleep 0.5
  done
  cat "$SCRATCH/out"
  [ $i -lt 60 ] || fail "ping does not say \"$1\""
}

echo "== the cluster is nearly full, and full"
# full_ratios NEARFULL BACKFILLFULL FULL: no larger than the next, or an OSD makes them so.
full_ratios() {
  printf 'osd set-full-ratio %s\nosd set-backfillfull-ratio %s\nosd set-nearfull-ratio %s\n' "$3" "$2" "$1" |
    ceph exec ceph >/dev/null 2>&1
}
: >"$ROMA_CEPH_DIR/limits"
full_ratios 0.00001 0.9 0.95
ping_says "nearfull: pool '" "$uri"
roma put -q "$SCRATCH/small" "$uri/nearfull" || fail "put to a cluster that is nearly full"
full_ratios 0.00001 0.00002 0.00003
ping_says "pool 'cephfs.$ROMA_CEPH_FS.data' is full (no space)" "$uri"
ping_says "pool '$ROMA_CEPH_POOL' is full (no space)" "rados://$ROMA_CEPH_POOL/?raw=1"
says 60 "the pool is full" put "$SCRATCH/small" "$uri/full"
roma cat "$uri/nearfull" | cmp - "$SCRATCH/small" || fail "what is there cannot be read"
full_ratios 0.85 0.9 0.95
put_when_there_is_room "$SCRATCH/small" "$uri/full"

echo "== the MDS is killed in the middle of a put, and another takes over, which gives up a client that stands still"
# How long it waits for those who had a session: 45 s, if nothing is said.
ceph exec ceph config set mds mds_reconnect_timeout 3 2>/dev/null || fail "config set"
half_way "$uri/mds"
start_client rejected "$uri"
kill -STOP "$client"
mds=$(active_mds)
[ -n "$mds" ] || fail "no MDS is active"
ceph kill "$mds" || fail "kill"
# Which the monitors would notice in 10 s.
ceph exec ceph mds fail "${mds#mds}" >/dev/null 2>&1 || fail "mds fail"
go_on
goes_well "$uri/mds?osd_timeout=300s"
kill -CONT "$client"
echo go >&8
end_client
ceph exec ceph config rm mds mds_reconnect_timeout 2>/dev/null || fail "config rm"
ping_says "insufficient standby MDS daemons" "$uri"

echo "== no MDS is left"
for mds in mdsa mdsb; do ceph kill $mds 2>/dev/null; done
ceph exec ceph mds fail "$ROMA_CEPH_FS:0" >/dev/null 2>&1 || fail "mds fail"
says 60 "fs $ROMA_CEPH_FS is offline because no MDS is active for it" ping "$uri?mount_timeout=2s"
ceph heal || fail "heal"

echo "== the OSD ends and comes back in the middle of a put"
half_way "$uri/osd?osd_timeout=300s"
ceph kill osd0 || fail "kill"
ceph exec ceph osd down 0 >/dev/null 2>&1 || fail "osd down"
go_on
says 60 "of 1 OSDs 0 up" ping "$uri?mount_timeout=2s"
says 60 "of 1 OSDs 0 up" ping "rados://$ROMA_CEPH_POOL/?osd=2s"
ceph restart osd0 || fail "restart"
goes_well "$uri/osd?osd_timeout=300s"

echo "== the OSD hangs"
canceller_at "$uri?osd_timeout=3s"
half_way "$uri/hang?osd_timeout=3s"
ceph stop osd0 || fail "stop"
go_on
began=$SECONDS
canceller_goes
# A new client needs the MDS to write, and that waits for the OSD.
says 60 "no MDS of filesystem" ls "$uri?mount_timeout=2s"
wait "$victim" && fail "a put without an OSD was called a success"
cat "$SCRATCH/put"
grep -q "OSDs did not answer" "$SCRATCH/put" || fail "another error"
[ $((SECONDS - began)) -le 90 ] || fail "it took $((SECONDS - began)) s"
# It has stood still for longer than its leases, which one OSD alone does not renew.
ceph kill osd0 || fail "kill"
ceph restart osd0 || fail "restart"
# It could not say farewell to an MDS that waited for the OSD. Whoever changes names in its folder would wait for what it has
# there, until its session ends after 60 s: the threads of the canceller, too.
evict "$victim"
canceller_ends
! roma stat "$uri/hang" 2>/dev/null || fail "a put that failed has made an object"

echo "== the monitor hangs"
canceller_at "$uri?mount_timeout=3s"
start_client alone "$uri?mount_timeout=2s"
evict "$client" || fail "the client has no session: $(cat "$SCRATCH/client")"
sleep 1
echo go >&8
client_ready 2
ceph stop mon || fail "stop"
echo go >&8
says 60 "no monitor answered within 2 s" ping "$uri?mount_timeout=2s"
canceller_goes
client_ready 3
ceph cont mon || fail "cont"
canceller_ends
ceph wait || fail "wait"
echo go >&8
end_client

echo "== every MDS hangs"
start_client stuck "$uri"
canceller_at "$uri"
for mds in mdsa mdsb; do ceph stop $mds || fail "stop"; done
says 60 "deadline\|in time\|answer" stat --deadline 2s "$uri/mds"
says 60 "so it hangs, or has just ended" ping "$uri?mount_timeout=2s"
echo go >&8
canceller_goes
client_ready 2
for mds in mdsa mdsb; do ceph cont $mds || fail "cont"; done
ceph wait || fail "wait"
echo go >&8
end_client
canceller_ends
roma gc --older-than 0 "$uri" || fail "gc"
left=$(roma ls --all "$uri" | grep -F '.roma~')
[ -z "$left" ] || fail "temporaries are left: $left"
exit 0
