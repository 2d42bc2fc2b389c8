#!/bin/bash
# second try: how long a cluster takes to be whole again depends on the machine
# CephFS when its daemons hang, end and come back: operations end in time with a clear error, threads that do not come back
# are counted, and a put goes on where it can. By hand, as ./runtests would run it (see run_script there): it takes a minute on a
# quiet machine and three on a busy one, which is how long its cluster needs to be whole again, and it has not passed often enough.
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

echo "== the MDS is started anew in the middle of a put"
half_way "$uri/mds"
mds=$(active_mds)
[ -n "$mds" ] || fail "no MDS is active"
ceph restart "$mds" || fail "restart"
go_on
goes_well "$uri/mds?osd_timeout=300s"

echo "== the OSD ends and comes back in the middle of a put"
half_way "$uri/osd?osd_timeout=300s"
ceph kill osd0 || fail "kill"
go_on
sleep 2
ceph restart osd0 || fail "restart"
goes_well "$uri/osd?osd_timeout=300s"

echo "== the OSD hangs"
canceller_at "$uri?osd_timeout=3s"
half_way "$uri/hang?osd_timeout=3s"
ceph stop osd0 || fail "stop"
go_on
canceller_goes
began=$SECONDS
wait "$victim" && fail "a put without an OSD was called a success"
cat "$SCRATCH/put"
grep -q "OSDs did not answer" "$SCRATCH/put" || fail "another error"
[ $((SECONDS - began)) -le 60 ] || fail "it took $((SECONDS - began)) s"
# A new client needs the MDS to write, and that waits for the OSD.
says 60 "no MDS of filesystem" ls "$uri?mount_timeout=3s"
# It has stood still for longer than its leases, which one OSD alone does not renew.
ceph kill osd0 || fail "kill"
ceph restart osd0 || fail "restart"
canceller_ends
# It could not say farewell to an MDS that waited for the OSD.
evict "$victim"
! roma stat "$uri/hang" 2>/dev/null || fail "a put that failed has made an object"

echo "== the monitor hangs"
canceller_at "$uri?mount_timeout=3s"
ceph stop mon || fail "stop"
says 60 "no monitor answered within 2 s" stat "$uri/mds?mount_timeout=2s"
canceller_goes
ceph cont mon || fail "cont"
canceller_ends
ceph wait || fail "wait"

echo "== every MDS hangs"
start_client stuck "$uri"
canceller_at "$uri"
for mds in mdsa mdsb; do ceph stop $mds || fail "stop"; done
says 60 "deadline\|in time\|answer" stat --deadline 3s "$uri/mds"
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
