#!/bin/bash
# second try: the libraries and servers of Ceph have races of their own
# roma upload on RADOS and CephFS: several processes; on RADOS also each step killed. (CephFS keeps for 60 s what a killed
# client had: tests/byhand/uploads.sh has that.)
# timeout: 300
set -u
# shellcheck source=tests/uploads.sh
. "$SRC_DIR/tests/uploads.sh"
[ -n "${ROMA_CEPH_DIR:-}" ] || skip "no Ceph cluster"
cd "$SCRATCH" || exit 1
part_files 300000
# shellcheck disable=SC2034 # of uploads.sh
folder=cephfs://$ROMA_CEPH_FS/uploads-$$
roma mkdir "$folder" || fail "mkdir"
shared_by_processes
races 1
roma rm -r "$folder" || fail "rm -r"
# shellcheck disable=SC2034
folder=rados://$ROMA_CEPH_POOL/at query="?ns=uploads-$$&piece=64KiB&inline=32KiB&shards=4&keep=0s&grace=0s"
shared_by_processes
races 1
killed_at_turns 17
roma rm "$(at shared)" || fail "rm"
