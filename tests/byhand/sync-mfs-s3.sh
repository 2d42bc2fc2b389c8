#!/bin/bash
# roma sync from a real MooseFS to a real S3 gateway, killed twice. By hand because it takes both clusters at once:
#   eval "$(tests/cluster/mfs env)"; eval "$(tests/cluster/ceph env)"; BUILD_DIR=... SRC_DIR=$PWD tests/byhand/sync-mfs-s3.sh
# FILES=10000: so many small files (1000).
# The gateway is on the machine's loopback, MooseFS in a network namespace: socat brings one to the other.
set -u
: "${ROMA:=$BUILD_DIR/roma}" "${SCRATCH:=$(mktemp -d)}"
# shellcheck source=tests/sync.sh
. "$SRC_DIR/tests/sync.sh"
cd "$SCRATCH" || exit 1
requires socat
for want in ROMA_CEPH_S3 ROMA_MFS_NS; do [ -n "${!want:-}" ] || skip "it needs both clusters"; done
export AWS_ACCESS_KEY_ID=$ROMA_CEPH_S3_ACCESS AWS_SECRET_ACCESS_KEY=$ROMA_CEPH_S3_SECRET
unset AWS_SESSION_TOKEN AWS_PROFILE AWS_CA_BUNDLE http_proxy HTTP_PROXY
port=${ROMA_CEPH_S3##*:}
socat UNIX-LISTEN:"$PWD/gateway",fork TCP:127.0.0.1:"$port" &
out=$!
# shellcheck disable=SC2086 # ROMA_MFS_NS holds words
$ROMA_MFS_NS socat TCP-LISTEN:"$port",bind=127.0.0.1,fork,reuseaddr UNIX-CONNECT:"$PWD/gateway" &
in=$!
trap 'kill $out $in' EXIT
sleep 1
make_tree tree "${FILES:-1000}"
from=mfs://$ROMA_MFS_MASTER/sync-$$ bucket=s3://sync-$$ query="?endpoint=$ROMA_CEPH_S3&vendor=radosgw"
roma sync -q "$PWD/tree" "$from" || fail "to MooseFS"
roma mb "$bucket$query" || fail "mb"
sync_suite tree "$from" "$bucket/copy$query"
# And back into an empty folder of MooseFS
sync_suite tree "$bucket/copy$query" "$from-again"
roma rm -r "$from" "$from-again" "$bucket/copy$query" || fail "rm"
roma rb "$bucket$query" || fail "rb"
echo "equal after two kills, both ways; a second run moves nothing"
