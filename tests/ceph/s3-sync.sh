#!/bin/bash
# second try: the libraries and servers of Ceph have races of their own
# roma sync to and from a real S3 gateway: killed twice, ends equal; what is equal is not moved again.
# timeout: 300
set -u
if [ -z "${ROMA_CEPH_S3:-}" ] || [ ! -e "$BUILD_DIR/.libs/s3compat.so" ]; then
  echo "no S3 gateway, or the module for S3 was not built"
  exit 77
fi
# shellcheck source=tests/sync.sh
. "$SRC_DIR/tests/sync.sh"
cd "$SCRATCH" || exit 1
export AWS_ACCESS_KEY_ID=$ROMA_CEPH_S3_ACCESS AWS_SECRET_ACCESS_KEY=$ROMA_CEPH_S3_SECRET
unset AWS_SESSION_TOKEN AWS_PROFILE http_proxy HTTP_PROXY
bucket=s3://sync-$$ query="?endpoint=$ROMA_CEPH_S3&vendor=radosgw"
roma mb "$bucket$query" || exit 1
make_tree tree
sync_suite tree tree "$bucket/copy$query"
rm -r tree/d3
echo new >tree/d4/new
told '1 copied, 941 the same, 59 removed' roma sync --delete tree "$bucket/copy$query"
equal_to tree "$bucket/copy$query"
# From a bucket, and within it
told '942 copied, 0 the same, 0 removed' roma sync "$bucket/copy$query" again
told '0 copied, 942 the same, 0 removed' roma sync "$bucket/copy$query" again
diff -r tree again || fail "what came back differs"
told '942 copied, 0 the same, 0 removed' roma sync "$bucket/copy$query" "$bucket/second$query"
told '0 copied, 942 the same, 0 removed' roma sync "$bucket/copy$query" "$bucket/second$query"
roma rm -r "$bucket/copy$query" || fail "rm -r"
roma rm -r "$bucket/second$query" || fail "rm -r"
roma rb "$bucket$query" || fail "rb"
