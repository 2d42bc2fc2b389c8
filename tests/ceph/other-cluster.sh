#!/bin/bash
# A monitor's address that belongs to another living cluster: neither its data nor a long wait, but a sentence that says so; the
# opening can be cancelled, and no thread is left.
set -u
# shellcheck source=tests/functions.sh
. "$SRC_DIR/tests/functions.sh"
# shellcheck source=tests/ceph/functions.sh
. "$SRC_DIR/tests/ceph/functions.sh"
own=$ROMA_CEPH_FSID own_conf=$CEPH_CONF own_mon=$ROMA_CEPH_MON fs=$ROMA_CEPH_FS pool=$ROMA_CEPH_POOL s3=$ROMA_CEPH_S3
ceph up --name other --mon-only || fail "up"
eval "$(ceph env --name other)"
other=$ROMA_CEPH_FSID keyring=$ROMA_CEPH_KEYRING
[ "$own" != "$other" ] || fail "there is one cluster only"
sed "s/^ *mon host *=.*/mon host = v1:127.0.0.1:$((${ROMA_CEPH_MON##*:} + 1))/" "$own_conf" >"$SCRATCH/other.conf"

cancelled() { timeout 100 "$BUILD_DIR/tests/ceph/rados-cancel" open "$1" || fail "cancel"; }

echo "== each protocol alone"
# address_only ADDRESS: of our own monitor, in a configuration.
address_only() { sed "s/^ *mon host *=.*/mon host = $1/" "$own_conf" >"$SCRATCH/one.conf"; }
address_only "v2:127.0.0.1:${own_mon##*:}"
roma ping -c 1 "rados://$pool/?raw=1&conf=$SCRATCH/one.conf" || fail "no answer at the v2 address alone"
roma ping -c 1 "cephfs://$fs/?conf=$SCRATCH/one.conf" || fail "no answer at the v2 address alone"
address_only "v2:127.0.0.1:$((${own_mon##*:} + 1))"
says 20 "no monitor answered within 1 s.*v2 is spoken" ping "rados://$pool/?connect=1s&conf=$SCRATCH/one.conf"

echo "== its keys are its own"
says 20 "do not accept the key of client.admin.*cluster that is meant" ping "rados://$pool/?conf=$SCRATCH/other.conf"
says 20 "refuse client.admin.*those of another cluster" ping "cephfs://$fs/?conf=$SCRATCH/other.conf"
cancelled "rados://$pool/?conf=$SCRATCH/other.conf"
cancelled "cephfs://$fs/?conf=$SCRATCH/other.conf"

echo "== it knows the key"
with="conf=$SCRATCH/other.conf&keyring=$keyring"
says 20 "has the fsid $other and the Ceph configuration says $own" ping "rados://$pool/?$with"
says 20 "has the fsid $other and the Ceph configuration says $own" ping "cephfs://$fs/?$with"
cancelled "rados://$pool/?$with"
cancelled "cephfs://$fs/?$with"
# Whoever means the other cluster is told what it lacks.
says 20 "has no pool" ping "rados://$pool/?conf=$CEPH_CONF"
says 20 "no filesystem $fs" ping "cephfs://$fs/?conf=$CEPH_CONF"

if [ -n "$s3" ]; then
  echo "== it is no monitor at all"
  sed "s/^ *mon host *=.*/mon host = v2:${s3#http://}/" "$own_conf" >"$SCRATCH/s3.conf"
  says 20 "no monitor answered within 2 s" ping "rados://$pool/?connect=2s&conf=$SCRATCH/s3.conf"
  says 20 "no monitor answered within 2 s" ping "cephfs://$fs/?mount_timeout=2s&conf=$SCRATCH/s3.conf"
fi
ceph down --name other || fail "down"
exit 0
