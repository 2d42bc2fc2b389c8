#!/bin/bash
# second try: it has limits of time, and a machine may stand still for longer than those
# RADOS when things are wrong: each fault gives its own error, in time, and what can recover does.
set -u
# shellcheck source=tests/functions.sh
. "$SRC_DIR/tests/functions.sh"
# shellcheck source=tests/ceph/functions.sh
. "$SRC_DIR/tests/ceph/functions.sh"
pool=$ROMA_CEPH_POOL uri="rados://$pool/faults?ns=faults&raw=1"
echo content >"$SCRATCH/in"

# cancelled URI: the opening of it can be cancelled.
cancelled() {
  timeout 100 "$BUILD_DIR/tests/ceph/rados-cancel" open "$1" || fail "cancel"
}

# client_at PROGRAM... : starts a client that opens a store and waits for go
client_at() {
  # What an earlier one said goes: this one may be slow to begin.
  : >"$SCRATCH/client"
  rm -f "$SCRATCH/go"
  mkfifo "$SCRATCH/go"
  "$@" <"$SCRATCH/go" >"$SCRATCH/client" 2>&1 &
  client=$!
  exec 8>"$SCRATCH/go"
  for ((i = 0; i < 100; i++)); do
    grep -qs . "$SCRATCH/client" && return
    sleep 0.2
  done
  fail "the client did not start: $(cat "$SCRATCH/client")"
}

go() {
  echo go >&8
  exec 8>&-
}

# It has ended well; until then other things can be looked at.
gone() {
  local status
  wait $client
  status=$?
  cat "$SCRATCH/client"
  [ $status = 0 ] || fail "the client: exit $status"
}

# With and without an index.
calls_at() { client_at timeout 150 "$BUILD_DIR/tests/ceph/rados-cancel" calls "rados://$1"; }

echo "== a pool that will be full"
# Which it is when the monitors have heard of what is in it: meanwhile other things can be looked at.
ceph exec ceph osd pool create full 1 >/dev/null 2>&1 || fail "pool create"
roma put -q "$SCRATCH/in" "rados://full/x" || fail "put"
calls_at "full/?osd=10s"
ceph exec ceph osd pool set-quota full max_objects 1 >/dev/null 2>&1 || fail "set-quota"

echo "== a monitor that is not there"
sed 's/^ *mon host *=.*/mon host = v2:127.0.0.1:1/' "$CEPH_CONF" >"$SCRATCH/no-mon.conf"
says 20 "no monitor answered within 2 s" ping "$uri&conf=$SCRATCH/no-mon.conf&connect=2s"
cancelled "$uri&conf=$SCRATCH/no-mon.conf&connect=3s"

echo "== a wrong key"
"$SRC_DIR/tests/cluster/ceph" exec ceph-authtool -C "$SCRATCH/wrong" --gen-key -n client.admin >/dev/null || fail "ceph-authtool"
says 20 "do not accept the key of client.admin" ping "$uri&keyring=$SCRATCH/wrong"
cancelled "$uri&keyring=$SCRATCH/wrong"
says 20 "key.*client.nobody" ping "$uri&client=nobody&keyring=$SCRATCH/wrong"
! grep -qF "$(sed -n 's/.*key = //p' "$SCRATCH/wrong")" "$SCRATCH/out" || fail "the key is shown"

echo "== another cluster than the configuration says"
sed "s/$ROMA_CEPH_FSID/01234567-89ab-cdef-0123-456789abcdef/" "$CEPH_CONF" >"$SCRATCH/fsid.conf"
says 20 "has the fsid $ROMA_CEPH_FSID" ping "$uri&conf=$SCRATCH/fsid.conf"
cancelled "$uri&conf=$SCRATCH/fsid.conf"

echo "== no such pool, a client that may only read, data of others"
says 20 "has no pool" ping "rados://no-such-pool/?raw=1"
cancelled "rados://no-such-pool/?raw=1"
roma put -q "$SCRATCH/in" "$uri" || fail "put"
says 20 "EPERM\|does not allow" put "$SCRATCH/in" "$uri&client=reader"
for who in reader client.reader; do
  roma cat "$uri&client=$who" | cmp - "$SCRATCH/in" || fail "$who cannot read"
done
ceph exec rados -p "$pool" -N strange put roma "$SCRATCH/in" || fail "rados put"
says 20 "no record of libroma" ls "rados://$pool/?ns=strange"

echo "== damage"
roma put -q "$SCRATCH/in" "rados://$pool/x?ns=damage" || fail "put"
ceph exec rados -p "$pool" -N damage put h/x "$SCRATCH/wrong" || fail "rados put"
says 20 "length is wrong" cat "rados://$pool/x?ns=damage"
printf 'CONTENT\n' >"$SCRATCH/other"
ceph exec rados -p "$pool" -N damage put h/x "$SCRATCH/other" || fail "rados put"
says 20 "checksum" cat "rados://$pool/x?ns=damage"
random_file "$SCRATCH/long" 300000
roma put -q "$SCRATCH/long" "rados://$pool/y?ns=damage&piece=64KiB&inline=4KiB" || fail "put"
piece=$(ceph exec rados -p "$pool" -N damage ls | grep '^d/.*/00000002$')
ceph exec rados -p "$pool" -N damage put "$piece" "$SCRATCH/in" || fail "rados put"
says 20 "bytes where" get "rados://$pool/y?ns=damage" "$SCRATCH/got"
random_file "$SCRATCH/wrong-piece" 65536
ceph exec rados -p "$pool" -N damage put "$piece" "$SCRATCH/wrong-piece" || fail "rados put"
says 20 "damaged there or on the way" get "rados://$pool/y?ns=damage" "$SCRATCH/got"
[ ! -e "$SCRATCH/got" ] || fail "a get of a damaged object leaves a file"
says 20 "damaged there or on the way" hash "rados://$pool/y?ns=damage"
says 20 "damaged there or on the way" cp "rados://$pool/y?ns=damage" "rados://$pool/z?ns=damage"
! roma stat "rados://$pool/z?ns=damage" 2>/dev/null || fail "a copy of a damaged object was made"
ceph exec rados -p "$pool" -N damage rm "$piece" || fail "rados rm"
says 20 "not in the pool any more" get "rados://$pool/y?ns=damage" "$SCRATCH/got"

echo "== a pool that is full"
for ((i = 0; i < 120; i++)); do
  ceph exec ceph osd pool ls detail 2>/dev/null | grep "'full'" | grep -q full_quota && break
  sleep 0.5
done
says 30 "quota of the pool is used up\|is full" put "$SCRATCH/in" "rados://full/y"
says 30 "quota of the pool is used up\|is full" put "$SCRATCH/in" "rados://full/y?raw=1"
go
gone
roma cat "rados://full/x" | cmp - "$SCRATCH/in" || fail "what is there cannot be read"
ceph exec ceph osd pool rm full full --yes-i-really-really-mean-it >/dev/null 2>&1 || fail "pool rm"

echo "== an OSD that hangs"
calls_at "$pool/?ns=faults&osd=10s"
ceph stop osd0 || fail "stop"
go
says 30 "did not answer in time" put "$SCRATCH/in" "$uri&osd=2s"
says 30 "did not answer in time" cat "$uri&osd=2s"
says 30 "deadline" stat --deadline 2s "$uri"
gone
# It may have stood still for longer than its leases, which one OSD alone does not renew.
ceph kill osd0 || fail "kill"
ceph restart osd0 || fail "restart"
roma put -q "$SCRATCH/in" "$uri" || fail "put when the OSD is back"
roma cat "$uri" | cmp - "$SCRATCH/in" || fail "other bytes"

echo "== an OSD that is down"
calls_at "$pool/faults?ns=faults&raw=1&osd=10s"
ceph kill osd0 || fail "kill"
ceph exec ceph osd down osd.0 2>/dev/null || fail "osd down"
go
says 30 "did not answer in time" put "$SCRATCH/in" "$uri&osd=2s"
says 30 "did not answer in time" cat "$uri&osd=2s"
says 40 "of 1 OSDs 0 up.*HEALTH" ping "$uri&osd=2s"
gone
# A put that has begun is done when the OSD comes back in time.
roma put -q "$SCRATCH/in" "$uri&osd=120s" &
put=$!
sleep 1
ceph restart osd0 || fail "restart"
wait $put || fail "the put that waited for the OSD"
roma cat "$uri" | cmp - "$SCRATCH/in" || fail "other bytes"

echo "== a monitor that hangs"
calls_at "$pool/?ns=faults&connect=4s"
ceph stop mon || fail "stop"
go
says 30 "no monitor answered within 2 s" ping "$uri&connect=2s"
cancelled "$uri&connect=3s"
gone
ceph cont mon || fail "cont"
ceph heal || fail "heal"
roma cat "$uri" | cmp - "$SCRATCH/in" || fail "other bytes"

echo "== a client that is shut out"
ceph exec ceph auth get-or-create client.shut mon 'allow r' osd 'allow *' >"$SCRATCH/shut" 2>/dev/null || fail "auth"
shut="rados://$pool/?ns=shut&client=shut&keyring=$SCRATCH/shut"

# shut_out PART: the client of rados-client.c, when it has said its address.
shut_out() {
  local address
  client_at "$BUILD_DIR/tests/ceph/rados-client" "$shut&connect=3s" "$1"
  address=$(grep -o '[0-9.]*:0/[0-9]*' "$SCRATCH/client" | head -n 1)
  [ -n "$address" ] || fail "no address: $(cat "$SCRATCH/client")"
  ceph exec ceph osd blocklist add "$address" 60 2>/dev/null || fail "blocklist"
}

shut_out goes-on
sleep 1
go
gone
shut_out ends
ceph exec ceph auth rm client.shut 2>/dev/null || fail "auth rm"
go
gone
exit 0
