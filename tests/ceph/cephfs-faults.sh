#!/bin/bash
# second try: it has limits of time, and a machine may stand still for longer than those
# CephFS when the monitors, the key, the filesystem or this client are not what they should be: each fault gives its own
# error, in time, and what can recover does. What happens when daemons fail is in cephfs-daemons.sh.
set -u
# shellcheck source=tests/functions.sh
. "$SRC_DIR/tests/functions.sh"
# shellcheck source=tests/ceph/functions.sh
. "$SRC_DIR/tests/ceph/functions.sh"
uri=cephfs://$ROMA_CEPH_FS/faults
echo content >"$SCRATCH/in"
roma mkdir -p "$uri" || fail "mkdir"

echo "== a pool that will be full"
# Which it is when the monitors have heard of what is in it: meanwhile other things can be looked at.
roma rm -q "$uri/three" 2>/dev/null
put_when_there_is_room "$SCRATCH/in" "$uri/one"
put_when_there_is_room "$SCRATCH/in" "$uri/two"
canceller_at "$uri?osd_timeout=10s"
data=cephfs.$ROMA_CEPH_FS.data
ceph exec ceph osd pool set-quota "$data" max_objects 1 >/dev/null 2>&1 || fail "set-quota"

echo "== a monitor that is not there"
sed 's/^ *mon host *=.*/mon host = v2:127.0.0.1:1/' "$CEPH_CONF" >"$SCRATCH/no-mon.conf"
says 30 "no monitor answered within 2 s" ls "$uri?conf=$SCRATCH/no-mon.conf&mount_timeout=2s"

echo "== a wrong key"
ceph exec ceph-authtool -C "$SCRATCH/wrong" --gen-key -n client.admin >/dev/null || fail "ceph-authtool"
says 30 "refuse client.admin: its key is wrong" ls "$uri?keyring=$SCRATCH/wrong"
! grep -qF "$(sed -n 's/.*key = //p' "$SCRATCH/wrong")" "$SCRATCH/out" || fail "the key is shown"
says 30 "client.nobody" ls "$uri?client=nobody&keyring=$SCRATCH/wrong"

echo "== another cluster than the configuration says"
sed "s/$ROMA_CEPH_FSID/01234567-89ab-cdef-0123-456789abcdef/" "$CEPH_CONF" >"$SCRATCH/fsid.conf"
says 30 "has the fsid $ROMA_CEPH_FSID" ls "$uri?conf=$SCRATCH/fsid.conf"

echo "== no such filesystem, no such folder, a client that may only read"
says 30 "no filesystem no-such-fs" ls cephfs://no-such-fs/
says 30 "No such file" ls "cephfs://$ROMA_CEPH_FS/no-such-folder"
says 30 "this client's caps" put "$SCRATCH/in" "$uri/x?client=client.reader"

echo "== a pool that is full"
for ((i = 0; i < 120; i++)); do
  ceph exec ceph osd pool ls detail 2>/dev/null | grep "'$data'" | grep -q full_quota && break
  sleep 0.5
done
says 30 "the pool is full, or has reached its quota" put "$SCRATCH/in" "$uri/three"
! roma stat "$uri/three" 2>/dev/null || fail "a put that failed has made an object"
canceller_goes
canceller_ends
roma cat "$uri/one" | cmp - "$SCRATCH/in" || fail "what is there cannot be read"
ceph exec ceph osd pool set-quota "$data" max_objects 0 >/dev/null 2>&1 || fail "set-quota"
put_when_there_is_room "$SCRATCH/in" "$uri/three"
roma cat "$uri/three" | cmp - "$SCRATCH/in" || fail "nothing can be put when there is room again"

# evicted PART URI: the client of cephfs-client.c loses its sessions when it is ready.
evicted() {
  local client
  echo "== an evicted client: $1"
  start_client "$@"
  evict "$client" || fail "the client has no session: $(cat "$SCRATCH/client")"
  sleep 1
  echo go >&8
  end_client
}

evicted evicted "$uri"
# It tells the MDS nothing by itself before it is evicted.
(
  cat "$CEPH_CONF"
  printf '[client]\nclient_tick_interval = 60\n'
) >"$SCRATCH/quiet.conf"
evicted closer "$uri?conf=$SCRATCH/quiet.conf"
evicted writer "$uri"
roma gc --older-than 0 "$uri" || fail "gc"
left=$(roma ls --all "$uri" | grep -F '.roma~')
[ -z "$left" ] || fail "temporaries are left: $left"
exit 0
